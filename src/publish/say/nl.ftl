# Wat in het openbaar gezegd wordt. Elke taal heeft precies deze berichten met deze variabelen.

say-next = Volgend bericht uiterlijk { $time }. Is het later, dan zijn wij te laat.

## Voor mensen, in de eerste minuten; niets erin hoeft te worden opgezocht
say-first-title = De servers van onze klanten zijn niet bereikbaar
say-first-body = Wij weten dat servers en websites van onze klanten niet bereikbaar zijn. Wij werken eraan met iedereen die we hebben. Wij weten nog niet wat ervoor nodig is, en hoe lang het duurt. U hoeft het niet te melden.

say-scope-title = Wat er getroffen is
say-scope-body = De servers die wij in één datacenter hebben, zijn niet bereikbaar, en onze eigen website hoort daarbij. Wij zorgen dat ieders gegevens veilig zijn, en schrijven hier wat we vinden.

say-moving-title = Wij verhuizen onze klanten naar onze eigen servers
say-moving-body = Wij halen de gegevens van elke klant uit het datacenter, zetten ze op nieuwe servers, en controleren elk daarvan voordat we hem aanzetten. Is uw server een tijdje bereikbaar, verander er dan alstublieft niets op: wat verandert nadat het gekopieerd is, komt misschien niet mee.

say-same-title = Wij zijn nog aan het werk
say-same-body = Sinds ons vorige bericht is er niets veranderd dat u moet weten. Wij zijn nog aan het werk.

say-setback-title = Iets is niet gegaan zoals wij zeiden
say-setback-body = Iets wat wij u vertelden, klopt niet. Wij zoeken uit waarom, en schrijven hier wat het voor u betekent.

say-resolved-title = Alle klanten zijn weer online
say-resolved-body = Alle klanten zijn weer online en door onze controles gekomen. Werkt er iets van u niet, laat het ons dan weten. Wij schrijven hier op wat er gebeurd is en wat wij veranderen.

## Feiten die evac uit zichzelf zegt
fact-begun-title = Wij halen de gegevens van onze klanten eruit
fact-begun-body = { $total ->
    [one] Wij zijn begonnen de gegevens van { $total } klant uit het datacenter te halen. Daarna zetten wij ze op nieuwe servers, en controleren elk daarvan voordat we hem aanzetten.
   *[other] Wij zijn begonnen de gegevens van { $total } klanten uit het datacenter te halen. Daarna zetten wij ze op nieuwe servers, en controleren elk daarvan voordat we hem aanzetten.
}

fact-copied-title = Alle gegevens zijn eruit
fact-copied-body = { $total ->
    [one] De gegevens van de { $total } klant zijn uit het datacenter en bij ons. Ze worden op nieuwe servers gezet, en elk daarvan wordt gecontroleerd voordat hij aangaat.
   *[other] De gegevens van alle { $total } klanten zijn uit het datacenter en bij ons. Ze worden op nieuwe servers gezet, en elk daarvan wordt gecontroleerd voordat hij aangaat.
}

fact-online-title = { $total ->
    [one] { $done } van { $total } klant online
   *[other] { $done } van { $total } klanten online
}
fact-online-body = { $total ->
    [one] { $done } van { $total } klant is weer online en door onze controles gekomen.
   *[other] { $done } van { $total } klanten zijn weer online en door onze controles gekomen.
}

fact-all-title = Alle klanten zijn online
fact-all-body = { $total ->
    [one] De { $total } klant is weer online en door onze controles gekomen. Wij blijven controleren.
   *[other] Alle { $total } klanten zijn weer online en door onze controles gekomen. Wij blijven controleren.
}

fact-group-title = Groep { $group } is online
fact-group-body = Alle { $total } klanten van de groep { $group } zijn weer online en door onze controles gekomen.

fact-back-title = { $fewer ->
    [one] { $fewer } klant is niet meer online
   *[other] { $fewer } klanten zijn niet meer online
}
fact-back-body = Wij vertelden u dat { $before } klanten online zijn. Dat klopt niet meer: het zijn er nu { $done } van { $total }. Wat aangezet is, vragen wij steeds opnieuw, en een deel ervan komt niet meer door onze controles. Wij zoeken het uit.

fact-total-title = Wij tellen nu { $total } klanten
fact-total-body = Tot nu toe telden wij { $before } klanten, vanaf nu { $total }. De getallen in eerdere berichten horen bij de vorige telling.

fact-opened-title = Wij hebben toegang tot het datacenter
fact-opened-body = Wij hebben sinds { $opens } toegang tot het datacenter en zijn aan het kopiëren.

fact-closes-title = Onze toegang eindigt naar verwachting om { $closes }
fact-closes-body = Wij verwachten nu tot { $closes } toegang tot het datacenter te hebben. Wij kopiëren eerst wat het belangrijkst is.

fact-shut-title = De tijd die wij kregen, is voorbij
fact-shut-body = De tijd die wij in het datacenter kregen, eindigde om { $closes }. Wat gekopieerd is, is veilig bij ons. Zolang servers antwoorden, gaan wij door met kopiëren.
