# German.

lookup = Nachsehen
skip = Zum Inhalt
leave = Abmelden
who-calls = Wer ruft an?
hint = Was der Anrufer sagt: Name, Domain, Adresse, Nummer oder Server, auch nur ein Teil davon.
find = Suchen

found = { $count ->
    [one] { $count } Kunde kann gemeint sein
   *[other] { $count } Kunden können gemeint sein
}
found-by = { $by ->
    [id] gefunden über die Id: { $matched }
    [name] gefunden über den Namen: { $matched }
    [domain] gefunden über die Domain: { $matched }
    [label] gefunden über die Nummer: { $matched }
    [workload] gefunden über den Dienst: { $matched }
    [host] gefunden über den Server: { $matched }
    [address] gefunden über die Adresse: { $matched }
    [mail] gefunden über die Mailadresse: { $matched }
    [phone] gefunden über die Telefonnummer: { $matched }
    [group] gefunden über die Gruppe: { $matched }
   *[other] gefunden über: { $matched }
}
found-guess = Anders geschrieben: fragen Sie, ob er gemeint ist.
found-more = { $count ->
    [one] Und { $count } weiterer: fragen Sie nach etwas Genauerem.
   *[other] Und { $count } weitere: fragen Sie nach etwas Genauerem.
}
found-none = Zu „{ $typed }“ passt niemand
found-none-next = Fragen Sie nach der Domain, einer Adresse oder der Nummer auf der Rechnung. Bis dahin darf nur dies gesagt werden:

say-anyone = Jedem sagen, Wort für Wort
say-verified = Nur diesem Anrufer sagen, Wort für Wort
other-languages = In anderen Sprachen

proof = Hat der Anrufer bewiesen, wer er ist? Wie?
proof-missing = Wählen Sie aus, wie, damit es festgehalten werden kann.
proof-callback = Ich habe die hinterlegte Nummer zurückgerufen
proof-mail = Es kam von der hinterlegten Adresse
proof-portal = Er ist im Kundenportal angemeldet
proof-known = Ein Kollege kennt ihn persönlich
proof-other = Auf andere Weise, die ich unten notiere
proof-show = Zeigen, was er hören darf
colleague = Verbinden Sie ihn mit { $colleague }.

services = Seine Dienste
service = Dienst
service-unnamed = Dienst { $number }
data-of = Daten vom

notes = Was ihm gesagt wurde
notes-none = Es ist noch nichts notiert.
note-label = Notieren Sie, was Sie ihm gesagt haben oder was er möchte
note-save = Notieren
noted = Es ist notiert.

audit = Sie sind { $name }. Jedes Nachsehen wird mit Ihrem Namen festgehalten.

go-on = Weiter
trouble-nothing = Ohne Ihren persönlichen Link gibt es hier nichts. Haben Sie ihn gerade geöffnet:
trouble-often = Das war zu oft. Warten Sie eine Minute, dann versuchen Sie es noch einmal.
trouble-missing = Diese Seite gibt es nicht.
trouble-form = Dieses Formular ist zu alt oder nicht von hier. Es wurde nichts geändert: gehen Sie zurück, laden Sie die Seite neu und versuchen Sie es noch einmal.
trouble-unwritten = Das Nachsehen konnte nicht festgehalten werden, darum wird nichts gezeigt. Sagen Sie es Ihrem Administrator.
trouble-broken = Das geht im Augenblick nicht. Sagen Sie es Ihrem Administrator, und versuchen Sie es noch einmal.
