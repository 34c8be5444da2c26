# Wat klanten geschreven wordt, ieder over wat van hem is. Elke taal heeft precies deze berichten met deze variabelen.

mail-hello = Goedendag,
mail-dear = Beste { $name },

mail-reachable-title = Verander nu alstublieft niets op uw server
mail-reachable-body = Wij hebben een tijdje toegang tot het datacenter en halen uw gegevens eruit. Kunt u uw server intussen bereiken, verander er dan alstublieft niets op: wat verandert nadat het gekopieerd is, komt misschien niet mee. U hoeft niets te doen om uw gegevens te laten kopiëren.

mail-at-risk-title = Misschien krijgen wij niet al uw gegevens op tijd eruit
mail-at-risk-body = Onze toegang tot het datacenter eindigt misschien voordat al uw gegevens gekopieerd zijn. Wij gaan door zolang het kan. Hebt u zelf kopieën, bewaar ze dan alstublieft, en verwijder nu niets.

mail-copied-title = Uw gegevens zijn uit het datacenter
mail-copied-body = Al uw gegevens zijn uit het datacenter en bij ons, zoals ze waren op de tijden hieronder. Nu worden ze op nieuwe servers gezet, en gecontroleerd voordat er iets aangaat. Wat vanaf nu op de oude servers verandert, komt misschien niet mee.

mail-partly-title = Een deel van uw diensten is weer online
mail-partly-body = Een deel van uw diensten is weer online en door onze controles gekomen. Wij werken aan de andere, en schrijven u weer zodra ze er allemaal zijn.

mail-waiting-title = Uw diensten zijn online, en de volgende stap is aan u
mail-waiting-body = Al uw diensten zijn online op hun nieuwe plaats en door onze controles gekomen. Om te zorgen dat iedereen ze daar vindt, moet u zelf iets veranderen. Het staat hieronder.

mail-online-title = Uw diensten zijn weer online
mail-online-body = Al uw diensten zijn weer online en door onze controles gekomen. Wij blijven controleren. Werkt er iets van u niet, laat het ons dan weten.

mail-back-title = Iets van u is niet meer online
mail-back-body = Wij vertelden u dat diensten van u online zijn. Dat klopt niet meer: wat aangezet is, vragen wij steeds opnieuw, en een deel ervan komt niet meer door onze controles. Wij zoeken het uit, en schrijven u weer.

mail-final-title = Alle klanten zijn online: ons laatste bericht hierover
mail-final-body = Alle klanten zijn weer online, en dit is ons laatste bericht hierover. Uw gegevens zijn zoals ze waren op de tijden hieronder. Mist u iets, of werkt iets niet, laat het ons dan snel weten.

mail-service = { $label }: { $word }
mail-service-data = { $label }: { $word }, gegevens van { $time }
mail-more = { $count ->
    [one] en nog { $count }
   *[other] en nog { $count }
}
mail-address = { $label }: { $old } → { $new }
mail-link = Uw eigen pagina laat op elk moment zien waar elk van uw diensten staat:
mail-page = Onze statuspagina laat op elk moment zien hoe het met alles gaat:
mail-machine = Dit bericht is door een machine geschreven, uit wat onze controles vonden.

mail-test-title = Een proef van berichten aan klanten
mail-test-body = Dit is een proef. Hij is aan niemand anders gestuurd. Berichten aan klanten gaan langs dezelfde weg.
