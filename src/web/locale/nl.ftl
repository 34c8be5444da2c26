# Dutch.

lookup = Opzoeken
skip = Naar de inhoud
leave = Afmelden
who-calls = Wie belt er?
hint = Wat de beller zegt: een naam, domein, adres, nummer of server, of een deel daarvan.
find = Zoeken

found = { $count ->
    [one] { $count } klant kan bedoeld zijn
   *[other] { $count } klanten kunnen bedoeld zijn
}
found-by = { $by ->
    [id] gevonden op id: { $matched }
    [name] gevonden op naam: { $matched }
    [domain] gevonden op domein: { $matched }
    [label] gevonden op nummer: { $matched }
    [workload] gevonden op dienst: { $matched }
    [host] gevonden op server: { $matched }
    [address] gevonden op adres: { $matched }
    [mail] gevonden op mailadres: { $matched }
    [phone] gevonden op telefoonnummer: { $matched }
    [group] gevonden op groep: { $matched }
   *[other] gevonden op: { $matched }
}
found-guess = Anders gespeld: vraag of deze bedoeld is.
found-more = { $count ->
    [one] En nog { $count }: vraag iets preciezers.
   *[other] En nog { $count }: vraag iets preciezers.
}
found-none = Niemand past bij “{ $typed }”
found-none-next = Vraag naar het domein, een adres of het nummer op de factuur. Tot dan mag alleen dit gezegd worden:

say-anyone = Zeg tegen iedereen, woord voor woord
say-verified = Zeg alleen tegen deze beller, woord voor woord
other-languages = In andere talen

proof = Heeft de beller bewezen wie hij is? Hoe?
proof-missing = Kies hoe, zodat het kan worden vastgelegd.
proof-callback = Ik heb teruggebeld naar het bekende nummer
proof-mail = Het kwam van het bekende adres
proof-portal = Hij is aangemeld in het klantenportaal
proof-known = Een collega kent hem persoonlijk
proof-other = Op een andere manier, die ik hieronder noteer
proof-show = Toon wat hij mag horen
colleague = Verbind hem door met { $colleague }.

services = Zijn diensten
service = Dienst
service-unnamed = Dienst { $number }
data-of = Gegevens van

notes = Wat hem verteld is
notes-none = Er is nog niets genoteerd.
note-label = Noteer wat u hem verteld hebt, of wat hij wil
note-save = Noteren
noted = Het is genoteerd.

audit = U bent { $name }. Elke zoekopdracht wordt met uw naam vastgelegd.

go-on = Verder
trouble-nothing = Zonder uw persoonlijke link is hier niets. Hebt u hem zojuist geopend:
trouble-often = Dat was te vaak. Wacht een minuut en probeer het opnieuw.
trouble-missing = Deze pagina bestaat niet.
trouble-form = Dit formulier is te oud of komt niet van hier. Er is niets gewijzigd: ga terug, laad de pagina opnieuw en probeer het nog eens.
trouble-unwritten = De zoekopdracht kon niet worden vastgelegd, dus wordt er niets getoond. Meld het uw beheerder.
trouble-broken = Dat lukt op dit moment niet. Meld het uw beheerder en probeer het opnieuw.
