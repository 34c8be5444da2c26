## Rapporten: wat er gebeurde
report-title = Wat er gebeurde bij { $name }
report-title-internal = Wat er gebeurde bij { $name } (interne uitgave)
report-draft = Een concept, gemaakt uit de registratie van { $time }. Lees het, vul het aan en laat het lezen voordat het naar buiten gaat.
report-internal = Alleen voor collega’s. Gemaakt voor { $by }. Klanten die worden vastgehouden: { $held }; zij tellen in geen van de andere cijfers mee.
report-overview = Overzicht
report-overview-over = De storing begon op { $began }. Alle { $total } klanten zijn weer online.
report-overview-open = De storing begon op { $began }. { $done } van { $total } klanten zijn weer online. Voor de anderen is het niet voorbij.
report-checked = Elke dienst is pas aangezet nadat de controles waren geslaagd.
report-checked-some = Elke dienst is pas aangezet nadat de controles waren geslaagd; { $count ->
    [one] { $count } dienst heeft geen controles en is door een collega met naam doorgelaten.
   *[other] { $count } diensten hebben geen controles en zijn door een collega met naam doorgelaten.
}
report-timeline = Tijdlijn
report-picture = Klanten in de tijd, van { $total }: het gevulde vlak is online, de streepjeslijn erboven is in veiligheid gebracht. Gekleurd: toegang tot het datacenter. Cijfers in cirkels: openbare berichten. Tijden: { $zone }.
report-time = Tijd
report-event = Wat er gebeurde
report-by = Door wie
report-began = De storing begint.
report-run = Het werk aan de gegevens begint.
report-access-opens = Het datacenter geeft toegang.
report-access-closes = De toegang tot het datacenter eindigt.
report-window-until = De toegang zou duren tot { $time }.
report-online-at = { $done } van { $total } klanten zijn online.
report-all-copied = De gegevens van alle { $total } klanten zijn uit het datacenter.
report-back-at = { $done } van { $total } klanten zijn online: minder dan eerst.
report-update = Openbaar bericht { $number }: { $title }
report-impact = Gevolgen
report-number = Cijfer
report-value = Waarde
report-customers = Getroffen klanten
report-customers-online = Klanten die weer online zijn
report-services = Getroffen diensten
report-services-online = Diensten die weer online zijn
report-left-out = Diensten die bewust niet zijn verhuisd
report-minutes-median = Minuten offline, de helft van de klanten niet langer dan
report-minutes-most = Minuten offline, negen van de tien klanten niet langer dan
report-minutes-worst = Minuten offline, langste
report-bytes = In veiligheid gebrachte gegevens
report-data = Gegevens
report-data-proven = Er is geen verlies gevonden: elke kopie is teruggelezen en komt overeen met wat is opgehaald, en geen bestand ontbreekt omdat het onleesbaar was.
report-data-open = Of er gegevens verloren zijn, is niet voor alles bekend. De tabel zegt wat is bewezen en wat niet.
report-class = Soort gegevens
report-class-identity = instellingen en sleutels
report-class-database = databases
report-class-mail = e-mail
report-class-web = websites en thuismappen
report-class-bulk = overige gegevens
report-data-services = Diensten
report-data-verified = Heel en teruggelezen
report-data-captured = Heel, niet teruggelezen
report-data-partial = Niet heel
report-data-none = Niets
report-data-fuzzy = Bestanden gewijzigd tijdens het lezen
report-data-unreadable = Onleesbare onderdelen
report-well = Wat goed ging
report-badly = Wat niet goed ging
report-prompt-well = Waardoor kwam dat, en hoe houden wij het zo?
report-prompt-badly = Waardoor kwam dat, en wat had geholpen?
report-fact-first = Het eerste openbare bericht kwam { $minutes ->
    [one] { $minutes } minuut
   *[other] { $minutes } minuten
} na het begin van de storing.
report-fact-silent = In het openbaar is niets gezegd.
report-fact-kept = { $kept } van { $all } beloften van een volgend bericht zijn nagekomen.
report-fact-verified = { $done } van { $total } diensten hebben een kopie die is teruggelezen.
report-fact-back = { $count ->
    [one] Eén keer was een klant die online was dat niet meer.
   *[other] { $count } keer was een klant die online was dat niet meer.
}
report-fact-missing = { $count ->
    [one] Van { $count } dienst is niets heels opgehaald.
   *[other] Van { $count } diensten is niets heels opgehaald.
}
report-fact-worst = De laatste klanten tot nu toe waren { $minutes } minuten offline, de helft van alle niet langer dan { $median }.
report-factors = Factoren die meespeelden
report-factors-ask-1 = Welke omstandigheden moesten hiervoor samenkomen? (omstandigheden en beslissingen zoals ze er toen uitzagen, geen personen)
report-factors-ask-2 = Wat wisten mensen toen zij beslisten, en wat konden zij niet weten?
report-factors-ask-3 = Waar hadden wij geluk?
report-factors-ask-4 = Wat had het korter of kleiner gemaakt?
report-actions = Acties
report-action = Wat
report-owner = Wie
report-due = Wanneer klaar
report-blank = in te vullen
report-no-figure = niet bekend

## Het bericht aan klanten
letter-title = Wat er gebeurde en hoe het nu staat
letter-draft = Concept van een bericht aan klanten. Het zegt alleen wat de registratie bewijst; vul aan wat u weet, en de datum van het volledige rapport.
letter-what = Op { $began } werden servers van onze klanten onbereikbaar.
letter-all-online = Alle { $total } klanten zijn weer online.
letter-checked = Elke dienst is pas aangezet nadat de controles waren geslaagd.
letter-checked-some = Elke dienst is pas aangezet nadat de controles waren geslaagd, of, waar die er niet zijn, nadat een collega ernaar had gekeken.
letter-some-online = { $done } van { $total } klanten zijn weer online. Aan de andere werken wij, en wij vertellen elk van hen hoe het staat.
letter-data-proven = Wij hebben elke kopie teruggelezen en vergeleken met wat wij hadden opgehaald. Er is geen verlies gevonden.
letter-data-open = Wij zijn nog niet klaar met het controleren van alle gegevens. Wie mogelijk iets kwijt is, hoort dat persoonlijk van ons.
letter-length = De helft van onze klanten was niet langer dan { $median } minuten offline, de langste tot nu toe { $worst } minuten.
letter-sorry = Wij weten wat het betekent om zo lang zonder uw servers te zijn, en bieden onze verontschuldigingen aan.
letter-next = Ons volledige rapport krijgt u uiterlijk op: { $blank }.
letter-contact = Vragen: { $blank }.

## Meldingen aan klanten
notice-title = Melding van een incident dat uw gegevens raakt
notice-subject = Over { $customer }; melding { $number } van { $time }
notice-law = Deze melding dient artikel 33, lid 2, van de AVG, volgens welk een verwerker de verwerkingsverantwoordelijke inlicht. Of u een autoriteit of betrokkenen moet inlichten, beoordeelt u zelf. Het is een checklist uit onze registratie, geen juridisch advies.
notice-new = Wat er nieuw is sinds melding { $number } van { $time }
notice-nothing-new = Sindsdien is er niets veranderd.
notice-nature = Wat er gebeurde
notice-nature-text = Sinds { $began } waren diensten met uw gegevens niet bereikbaar. Dat is verlies van beschikbaarheid, en dat kan een inbreuk in verband met persoonsgegevens zijn, ook als er niets is gelekt of gewijzigd.
notice-services-down = { $total ->
    [one] Uw dienst is op dit moment niet online. Tot nu toe was hij { $minutes } minuten niet beschikbaar.
   *[other] { $down } van uw { $total } diensten zijn op dit moment niet online. Tot nu toe was er { $minutes } minuten iets niet beschikbaar.
}
notice-services-up = { $total ->
    [one] Uw dienst is weer online. Hij was { $minutes } minuten niet beschikbaar.
   *[other] Al uw { $total } diensten zijn weer online. Er was { $minutes } minuten iets niet beschikbaar.
}
notice-confidentiality = Onze registratie zegt niets over het lekken of wijzigen van uw gegevens. Dat is geen vaststelling dat het niet is gebeurd. Aan te vullen: { $blank }
notice-data = Uw gegevens
notice-data-proven = Elke kopie van uw gegevens is teruggelezen en komt overeen met wat is opgehaald.
notice-data-from = Onze kopieën van uw gegevens zijn van { $time } of later. Wat daarna op de oude plek is gewijzigd, kan erin ontbreken.
notice-data-none = { $count ->
    [one] Van { $count } dienst hebben wij nog geen hele kopie.
   *[other] Van { $count } diensten hebben wij nog geen hele kopie.
}
notice-data-unchecked = { $count ->
    [one] De kopie van { $count } dienst is heel, en nog niet teruggelezen.
   *[other] De kopieën van { $count } diensten zijn heel, en nog niet teruggelezen.
}
notice-data-fuzzy = { $count ->
    [one] { $count } bestand wijzigde tijdens het lezen en klopt mogelijk niet.
   *[other] { $count } bestanden wijzigden tijdens het lezen en kloppen mogelijk niet.
}
notice-data-unreadable = { $count ->
    [one] { $count } bestand of map kon niet worden gelezen.
   *[other] { $count } bestanden of mappen konden niet worden gelezen.
}
notice-data-left-out = { $count ->
    [one] { $count } van uw diensten is met opzet niet meegenomen en zit in geen van deze cijfers. Waarom, en wat ermee gebeurt: { $blank }
   *[other] { $count } van uw diensten zijn met opzet niet meegenomen en zitten in geen van deze cijfers. Waarom, en wat ermee gebeurt: { $blank }
}
notice-people = Wie het betreft
notice-people-text = Soorten en geschat aantal personen en gegevens: u weet wat u bij ons bewaart. Van onze kant: { $blank }
notice-effects = Waarschijnlijke gevolgen
notice-effects-text = Mensen konden in die tijd uw diensten of hun gegevens niet bereiken. Bestellingen, berichten of invoer die na het kopiëren op de oude plek zijn gedaan, kunnen ontbreken.
notice-measures = Maatregelen
notice-measures-text = Wij kopiëren gegevens naar onze eigen machines, vergelijken elk stuk bij aankomst met zijn vingerafdruk, en controleren elke dienst voordat wij hem aanzetten. Verdere maatregelen: { $blank }
notice-contact = Contact
notice-contact-text = { $name }: { $contact }
notice-phases = Wij weten nog niet alles. In verdere meldingen vertellen wij u meer, zonder onredelijke vertraging.
