# Deutsch. Jede Sprache hat genau diese Texte mit diesen Variablen.

language-name = Deutsch

## Zeiten (die Uhrzeit und ihre Zone bleiben auf einer Zeile)
time-of-day = { $clock }{ "\u00A0" }Uhr { $zone }
date-and-time = { $day }. { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
} { $year }, { $clock }{ "\u00A0" }Uhr { $zone }

as-of = Stand: { $local } ({ $utc })
as-of-utc = Stand: { $utc }
next-update = Nächster Stand bis spätestens { $time }. Ist es später, sind wir zu spät.

## Kopf
page-title = { $headline } – { $name }
skip-to-figures = Zu den Zahlen
languages = Sprache
status = Status

## Die eine Zahl
headline-none = Noch keine Zahlen
headline-copied = { $total ->
    [one] { $done } von { $total } Kunden kopiert
   *[other] { $done } von { $total } Kunden kopiert
}
headline-online = { $total ->
    [one] { $done } von { $total } Kunden online
   *[other] { $done } von { $total } Kunden online
}
also-copied = { $done ->
    [one] Die Daten von { $done } Kunden sind aus dem Rechenzentrum heraus.
   *[other] Die Daten von { $done } Kunden sind aus dem Rechenzentrum heraus.
}

stage-none = Wir arbeiten daran. Die ersten Zahlen kommen mit dem nächsten Stand.
stage-copying = Wir holen die Daten aller Kunden aus dem Rechenzentrum. Danach spielen wir sie auf neue Server und prüfen jeden, bevor wir ihn einschalten.
stage-returning = Wir spielen die Daten auf neue Server und prüfen jeden, bevor wir ihn einschalten.
stage-done = Alle Kunden sind wieder online und haben unsere Prüfungen bestanden.

bar-label = Fortschritt
legend-online = online
legend-copied = kopiert, noch nicht online
legend-apart = warten auf Sie oder auf uns
legend-open = noch nicht kopiert

## Wörter
words-heading = Wie es um alle steht
words-state = Zustand
words-customers = Kunden
words-total = Alle Kunden

word-queued = In der Reihe
word-copying = Wird kopiert
word-copied = Kopiert
word-restoring = Wird eingespielt
word-testing = Wird geprüft
word-online = Online
word-waiting-for-you = Wartet auf Sie
word-needs-attention = Braucht Aufmerksamkeit

means-queued = Das Kopieren hat noch nicht begonnen. Die Daten sind, wo sie waren.
means-copying = Das Kopieren hat begonnen; noch ist nicht alles heraus.
means-copied = Die Daten sind aus dem Rechenzentrum heraus und bei uns. Sie warten auf ihren neuen Server.
means-restoring = Die Daten werden auf ihren neuen Server gespielt.
means-testing = Die Daten sind auf ihrem neuen Server. Wir prüfen ihn, bevor wir ihn einschalten.
means-online = Am neuen Ort eingeschaltet, Prüfungen bestanden.
means-waiting-for-you = Nur der Kunde kann den nächsten Schritt tun, etwa eine Änderung im DNS.
means-needs-attention = Etwas lief nicht wie geplant, und jemand von uns muss danach sehen.

count = { $customers }

component-count = { $customers ->
    [one] { $customers } Kunde. { $meaning }
   *[other] { $customers } Kunden. { $meaning }
}

## Das Fenster
access-heading = Zugang zum Rechenzentrum
access-unknown = Wir wissen noch nicht, wann und wie lange wir Zugang bekommen.
access-opens = Wir erwarten Zugang ab { $opens }.
access-opens-closes = Wir erwarten Zugang von { $opens } bis { $closes }.
access-open = Wir haben Zugang seit { $opens }. Niemand weiß, wie lange noch.
access-open-closes = Wir haben Zugang seit { $opens }. Voraussichtliches Ende: { $closes }.
access-closes = Voraussichtliches Ende des Zugangs: { $closes }.
access-over = Die Zeit, die wir bekamen, ist seit { $closes } vorbei.

## Was zu tun ist
advice-heading = Was Sie tun können
advice-hands-off = Ist Ihr Server eine Zeit lang erreichbar, ändern Sie bitte nichts darauf. Was sich nach dem Kopieren ändert, kommt vielleicht nicht mit.
advice-nothing = Sie müssen nichts tun, damit Ihre Daten kopiert werden.

about = Diese Seite zeigt nur Anzahlen. Sie nennt keinen Kunden und keinen Server. Die Zahlen stammen aus den Aufzeichnungen des Kopierens selbst; niemand tippt sie ein.

## Gruppen
groups-heading = Nach Gruppen
groups-group = Gruppe
groups-others = Andere Kunden
of-total = { $done } von { $total }

## Der Rest
outlook-heading = Wann der Rest fertig ist
outlook-copied = Im Tempo der letzten Minuten endet das Kopieren zwischen { $low } und { $high }. Das ist eine Schätzung, kein Versprechen.
outlook-unknown = { $customers ->
    [one] Für { $customers } Kunden kann es noch niemand sagen.
   *[other] Für { $customers } Kunden kann es noch niemand sagen.
}
outlook-online = Geht es so weiter, kommt der letzte Kunde zwischen { $low } und { $high } online. Das ist eine Schätzung, kein Versprechen.
total-changed = Die Zahl der Kunden auf dieser Seite ging um { $time } von { $before } auf { $after }. Sie ändert sich, wenn wir Kunden finden, die nicht auf unserer Liste standen, und wenn jemand abseits dieser Seite betreut wird.

## Meldungen
updates-heading = Meldungen
updates-earlier = Frühere Meldungen
updates-none = Noch gibt es keine Meldung.
kind-investigating = Wird untersucht
kind-identified = Ursache bekannt
kind-monitoring = Wird beobachtet
kind-resolved = Behoben
kind-maintenance = Geplante Arbeiten
kind-post-mortem = Was geschah

## Seiten
pages = Seiten
page-status = Status
page-history = Verlauf
page-maintenance = Geplante Arbeiten
page-post-mortem = Was geschah
history-figures = Wie die Zahlen zustande kamen
history-time = Zeit
window-unknown = Niemand weiß noch, wann.
window-from = Ab { $opens }; niemand weiß, bis wann.
window-until = Bis { $closes }.
window-from-until = Von { $opens } bis { $closes }.
contact-heading = Fragen
follow = Dieser Seite folgen:
calendar = Kalender
json-status = Status (JSON)
json-figures = Zahlen (JSON)
badge-copied = { $done }/{ $total } kopiert
badge-online = { $done }/{ $total } online
badge-none = noch keine Zahlen
incident-name = Wir ziehen unsere Kunden auf neue Server um

## Die eigene Seite eines Kunden
own-title = Ihre Dienste
own-none = Wir sehen in diesem Umzug noch keinen Dienst von Ihnen. Bitte fragen Sie uns.
own-online = { $total ->
    [one] { $done } von { $total } Dienst online
   *[other] { $done } von { $total } Diensten online
}
own-attention = Etwas an Ihren Diensten braucht jemanden von uns, der sich über den bei uns hinterlegten Kontakt meldet. Sie müssen jetzt nichts tun.
own-services = Ihre Dienste
own-service = Dienst
own-service-state = Zustand
own-unnamed = Dienst { $number }
own-data-of = Daten von { $time }
own-steps = Was Sie tun müssen
own-steps-none = Im Moment nichts. Gibt es etwas, steht es hier.
own-waiting = Wir warten auf Sie: der nächste Schritt ist Ihrer.
own-addresses = Neue Adressen
own-address-old = Alte Adresse
own-address-new = Neue Adresse
own-address-later = Eine neue Adresse antwortet, sobald ihr Dienst online ist. Bitte ändern Sie vorher nichts.
own-dns-old = Ihr DNS zeigt für { $domain } noch auf die alte Adresse: { $old }. Bitte ändern Sie sie in { $new }.
own-dns-done = Ihr DNS zeigt für { $domain } auf die neue Adresse.
own-dns-elsewhere = Ihr DNS zeigt für { $domain } auf eine Adresse, die nicht von uns ist. Steht ein anderer Dienst davor, nennen Sie ihm die neue Adresse: { $new }.
own-dns-unknown = Wir konnten das DNS von { $domain } gerade nicht fragen. Es sollte auf { $new } zeigen.
own-key = Ihr neuer Server { $address } hat einen anderen SSH-Schlüssel: { $key }. Nehmen Sie nur genau diesen an.
own-private = Diese Seite ist nur für Sie. Wer ihre Adresse kennt, kann sie lesen; ist sie in falsche Hände geraten, verlangen Sie bitte eine andere.
own-empty = Bitte benutzen Sie die ganze Adresse, die wir Ihnen geschickt haben.
