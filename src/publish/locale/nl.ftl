# Nederlands. Elke taal heeft precies deze teksten met deze variabelen.

language-name = Nederlands

## Tijden (de tijd en haar zone blijven op een regel)
time-of-day = { $clock }{ "\u00A0" }{ $zone }
date-and-time = { $day } { $month ->
    [1] januari
    [2] februari
    [3] maart
    [4] april
    [5] mei
    [6] juni
    [7] juli
    [8] augustus
    [9] september
    [10] oktober
    [11] november
   *[12] december
} { $year }, { $clock }{ "\u00A0" }{ $zone }

as-of = Stand van { $local } ({ $utc })
as-of-utc = Stand van { $utc }
next-update = Volgend bericht uiterlijk { $time }. Is het later, dan zijn wij te laat.

## Kop
page-title = { $headline } – { $name }
skip-to-figures = Naar de cijfers
languages = Taal
status = Status

## Het ene cijfer
headline-none = Nog geen cijfers
headline-copied = { $total ->
    [one] { $done } van { $total } klant gekopieerd
   *[other] { $done } van { $total } klanten gekopieerd
}
headline-online = { $total ->
    [one] { $done } van { $total } klant online
   *[other] { $done } van { $total } klanten online
}
also-copied = { $done ->
    [one] De gegevens van { $done } klant zijn uit het datacenter.
   *[other] De gegevens van { $done } klanten zijn uit het datacenter.
}

stage-none = Wij zijn aan het werk. De eerste cijfers volgen met het volgende bericht.
stage-copying = Wij halen de gegevens van alle klanten uit het datacenter. Daarna zetten wij ze op nieuwe servers, en controleren elke server voordat wij hem aanzetten.
stage-returning = Wij zetten de gegevens op nieuwe servers, en controleren elke server voordat wij hem aanzetten.
stage-done = Alle klanten zijn weer online en door onze controles gekomen.

bar-label = Voortgang
legend-online = online
legend-copied = gekopieerd, nog niet online
legend-apart = wacht op u of op ons
legend-open = nog niet gekopieerd

## Woorden
words-heading = Hoe het met iedereen staat
words-state = Toestand
words-customers = Klanten
words-total = Alle klanten

word-queued = In de rij
word-copying = Wordt gekopieerd
word-copied = Gekopieerd
word-restoring = Wordt teruggezet
word-testing = Wordt getest
word-online = Online
word-waiting-for-you = Wacht op u
word-needs-attention = Vraagt aandacht

means-queued = Het kopiëren is nog niet begonnen. De gegevens staan nog waar ze stonden.
means-copying = Het kopiëren is begonnen; nog niet alles is eruit.
means-copied = De gegevens zijn uit het datacenter en bij ons. Ze wachten op hun nieuwe server.
means-restoring = De gegevens worden op hun nieuwe server gezet.
means-testing = De gegevens staan op hun nieuwe server. Wij controleren ze voordat wij hem aanzetten.
means-online = Aangezet op de nieuwe plek, door de controles gekomen.
means-waiting-for-you = Alleen de klant kan de volgende stap doen, zoals een wijziging in DNS.
means-needs-attention = Er ging iets niet volgens plan, en een van ons moet ernaar kijken.

count = { $customers }

component-count = { $customers ->
    [one] { $customers } klant. { $meaning }
   *[other] { $customers } klanten. { $meaning }
}

## Het venster
access-heading = Toegang tot het datacenter
access-unknown = Wij weten nog niet wanneer wij toegang krijgen, of voor hoe lang.
access-opens = Wij verwachten toegang vanaf { $opens }.
access-opens-closes = Wij verwachten toegang van { $opens } tot { $closes }.
access-open = Wij hebben toegang sinds { $opens }. Niemand weet hoe lang nog.
access-open-closes = Wij hebben toegang sinds { $opens }. Verwacht einde: { $closes }.
access-closes = Verwacht einde van de toegang: { $closes }.
access-over = De tijd die wij kregen, is sinds { $closes } voorbij.

## Wat u kunt doen
advice-heading = Wat u kunt doen
advice-hands-off = Is uw server een tijdje bereikbaar, verander er dan alstublieft niets op. Wat verandert nadat hij is gekopieerd, komt misschien niet mee.
advice-nothing = U hoeft niets te doen om uw gegevens te laten kopiëren.

about = Deze pagina toont alleen aantallen. Zij noemt geen klant en geen server. De cijfers komen uit de boekhouding van het kopiëren zelf; niemand typt ze in.


## Groepen
groups-heading = Per groep
groups-group = Groep
groups-others = Andere klanten
of-total = { $done } van { $total }

## De rest
outlook-heading = Wanneer de rest klaar is
outlook-copied = Met de snelheid van de laatste minuten is het kopiëren klaar tussen { $low } en { $high }. Dat is een schatting, geen belofte.
outlook-unknown = { $customers ->
    [one] Voor { $customers } klant kan nog niemand het zeggen.
   *[other] Voor { $customers } klanten kan nog niemand het zeggen.
}
outlook-online = Gaat het zo door, dan komt de laatste klant online tussen { $low } en { $high }. Dat is een schatting, geen belofte.
total-changed = Het aantal klanten op deze pagina ging om { $time } van { $before } naar { $after }. Het verandert als wij klanten vinden die nog niet op onze lijst stonden, en als iemand los van deze pagina wordt geholpen.

## Berichten
updates-heading = Berichten
updates-earlier = Eerdere berichten
updates-none = Er is nog geen bericht.
kind-investigating = In onderzoek
kind-identified = Oorzaak bekend
kind-monitoring = Wordt in de gaten gehouden
kind-resolved = Opgelost
kind-maintenance = Gepland werk
kind-post-mortem = Wat er gebeurde

## Pagina’s
pages = Pagina’s
page-status = Status
page-history = Verloop
page-maintenance = Gepland werk
page-post-mortem = Wat er gebeurde
history-figures = Hoe de cijfers tot stand kwamen
history-time = Tijd
window-unknown = Niemand weet nog wanneer.
window-from = Vanaf { $opens }; niemand weet tot wanneer.
window-until = Tot { $closes }.
window-from-until = Van { $opens } tot { $closes }.
contact-heading = Vragen
follow = Volg deze pagina:
calendar = agenda
json-status = status (JSON)
json-figures = cijfers (JSON)
badge-copied = { $done }/{ $total } gekopieerd
badge-online = { $done }/{ $total } online
badge-none = nog geen cijfers
incident-name = Wij verhuizen onze klanten naar nieuwe servers

## De eigen pagina van een klant
own-title = Uw diensten
own-none = Wij zien in deze verhuizing nog geen dienst van u. Vraag het ons alstublieft.
own-online = { $total ->
    [one] { $done } van { $total } dienst online
   *[other] { $done } van { $total } diensten online
}
own-attention = Iets aan uw diensten vraagt aandacht van een van onze collega’s, die contact opneemt via het contact dat bij ons bekend is. U hoeft nu niets te doen.
own-services = Uw diensten
own-service = Dienst
own-service-state = Toestand
own-unnamed = Dienst { $number }
own-data-of = Gegevens van { $time }
own-steps = Wat u moet doen
own-steps-none = Op dit moment niets. Is er iets, dan staat het hier.
own-waiting = Wij wachten op u: de volgende stap is aan u.
own-addresses = Nieuwe adressen
own-address-old = Oud adres
own-address-new = Nieuw adres
own-address-later = Een nieuw adres antwoordt zodra de dienst online is. Verander voor die tijd alstublieft niets.
own-dns-old = Uw DNS wijst voor { $domain } nog naar het oude adres: { $old }. Verander het alstublieft in { $new }.
own-dns-done = Uw DNS wijst voor { $domain } naar het nieuwe adres.
own-dns-elsewhere = Uw DNS wijst voor { $domain } naar een adres dat niet van ons is. Staat er een andere dienst voor, geef die dan het nieuwe adres: { $new }.
own-dns-unknown = Wij konden de DNS van { $domain } zojuist niet vragen. Zij hoort naar { $new } te wijzen.
own-key = Uw nieuwe server { $address } heeft een andere SSH-sleutel: { $key }. Aanvaard alleen precies deze.
own-private = Deze pagina is voor u alleen. Wie haar adres kent, kan haar lezen; is dat in verkeerde handen gekomen, vraag ons dan om een ander.
own-empty = Gebruik alstublieft het hele adres dat wij u stuurden.
