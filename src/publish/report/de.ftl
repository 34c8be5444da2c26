## Berichte: was geschah
report-title = Was bei { $name } geschah
report-title-internal = Was bei { $name } geschah (interne Ausgabe)
report-draft = Ein Entwurf aus den Aufzeichnungen, Stand { $time }. Lesen Sie ihn, ergänzen Sie ihn, und lassen Sie ihn lesen, bevor er hinausgeht.
report-internal = Nur für Kollegen. Gemacht für { $by }. Zurückgehaltene Kunden: { $held }; sie sind in keiner der anderen Zahlen.
report-overview = Überblick
report-overview-over = Der Ausfall begann am { $began }. Alle { $total } Kunden sind wieder online.
report-overview-open = Der Ausfall begann am { $began }. { $done } von { $total } Kunden sind wieder online. Für die anderen ist er nicht vorbei.
report-checked = Jeder Dienst wurde erst eingeschaltet, nachdem seine Prüfungen bestanden waren.
report-checked-some = Jeder Dienst wurde erst eingeschaltet, nachdem seine Prüfungen bestanden waren; { $count ->
    [one] { $count } Dienst hat keine Prüfungen und wurde von einem Kollegen namentlich durchgelassen.
   *[other] { $count } Dienste haben keine Prüfungen und wurden von einem Kollegen namentlich durchgelassen.
}
report-timeline = Zeitlicher Ablauf
report-picture = Kunden im Lauf der Zeit, von { $total }: Die gefüllte Fläche ist online, die gestrichelte Linie darüber in Sicherheit gebracht. Farbig: Zugang zum Rechenzentrum. Zahlen in Kreisen: öffentliche Meldungen. Zeiten: { $zone }.
report-time = Zeit
report-event = Was geschah
report-by = Durch wen
report-began = Der Ausfall beginnt.
report-run = Die Arbeit an den Daten beginnt.
report-access-opens = Das Rechenzentrum gewährt Zugang.
report-access-closes = Der Zugang zum Rechenzentrum endet.
report-window-until = Der Zugang soll bis { $time } dauern.
report-online-at = { $done } von { $total } Kunden sind online.
report-all-copied = Die Daten aller { $total } Kunden sind aus dem Rechenzentrum heraus.
report-back-at = { $done } von { $total } Kunden sind online: weniger als zuvor.
report-update = Öffentliche Meldung { $number }: { $title }
report-impact = Auswirkungen
report-number = Größe
report-value = Wert
report-customers = Betroffene Kunden
report-customers-online = Kunden, die wieder online sind
report-services = Betroffene Dienste
report-services-online = Dienste, die wieder online sind
report-left-out = Dienste, die absichtlich nicht umgezogen wurden
report-minutes-median = Minuten offline, die Hälfte der Kunden nicht länger als
report-minutes-most = Minuten offline, neun von zehn Kunden nicht länger als
report-minutes-worst = Minuten offline, längste Zeit
report-bytes = In Sicherheit gebrachte Daten
report-data = Daten
report-data-proven = Es wurde kein Verlust gefunden: Jede Kopie wurde zurückgelesen und stimmt mit dem überein, was geholt wurde, und keine Datei fehlt, weil sie unlesbar war.
report-data-open = Ob Daten verloren sind, ist nicht für alles bekannt. Die Tabelle sagt, was bewiesen ist und was nicht.
report-class = Art der Daten
report-class-identity = Einstellungen und Schlüssel
report-class-database = Datenbanken
report-class-mail = E-Mail
report-class-web = Webseiten und Home-Verzeichnisse
report-class-bulk = übrige Daten
report-data-services = Dienste
report-data-verified = Ganz und zurückgelesen
report-data-captured = Ganz, nicht zurückgelesen
report-data-partial = Nicht ganz
report-data-none = Nichts
report-data-fuzzy = Dateien beim Lesen geändert
report-data-unreadable = Unlesbare Einträge
report-well = Was gut lief
report-badly = Was schlecht lief
report-prompt-well = Woran lag es, und wie erhalten wir es?
report-prompt-badly = Woran lag es, und was hätte geholfen?
report-fact-first = Die erste öffentliche Meldung kam { $minutes ->
    [one] { $minutes } Minute
   *[other] { $minutes } Minuten
} nach Beginn des Ausfalls.
report-fact-silent = Öffentlich wurde nichts gesagt.
report-fact-kept = { $kept } von { $all } Versprechen einer nächsten Meldung wurden gehalten.
report-fact-verified = { $done } von { $total } Diensten haben eine Kopie, die zurückgelesen wurde.
report-fact-back = { $count ->
    [one] Einmal war ein Kunde, der online war, es nicht mehr.
   *[other] { $count }-mal war ein Kunde, der online war, es nicht mehr.
}
report-fact-missing = { $count ->
    [one] Von { $count } Dienst wurde nichts Ganzes geholt.
   *[other] Von { $count } Diensten wurde nichts Ganzes geholt.
}
report-fact-worst = Die letzten Kunden waren bisher { $minutes } Minuten offline, die Hälfte aller nicht länger als { $median }.
report-factors = Beitragende Umstände
report-factors-ask-1 = Welche Umstände mussten dafür zusammenkommen? (Umstände und Entscheidungen, wie sie damals aussahen, keine Personen)
report-factors-ask-2 = Was wussten die Beteiligten, als sie entschieden, und was konnten sie nicht wissen?
report-factors-ask-3 = Wo hatten wir Glück?
report-factors-ask-4 = Was hätte es kürzer oder kleiner gemacht?
report-actions = Maßnahmen
report-action = Was
report-owner = Wer
report-due = Bis wann
report-blank = auszufüllen
report-no-figure = nicht bekannt

## Die Nachricht an Kunden
letter-title = Was geschah, und wie es steht
letter-draft = Entwurf einer Nachricht an Kunden. Er sagt nur, was die Aufzeichnungen beweisen; ergänzen Sie, was Sie wissen, und den Tag des ganzen Berichts.
letter-what = Am { $began } wurden Server unserer Kunden unerreichbar.
letter-all-online = Alle { $total } Kunden sind wieder online.
letter-checked = Jeder Dienst wurde erst eingeschaltet, nachdem seine Prüfungen bestanden waren.
letter-checked-some = Jeder Dienst wurde erst eingeschaltet, nachdem seine Prüfungen bestanden waren oder, wo er keine hat, nachdem ein Kollege nachgesehen hatte.
letter-some-online = { $done } von { $total } Kunden sind wieder online. An den anderen arbeiten wir und sagen jedem von ihnen, wie es steht.
letter-data-proven = Wir haben jede Kopie zurückgelesen und mit dem verglichen, was wir geholt hatten. Es wurde kein Verlust gefunden.
letter-data-open = Wir sind noch nicht damit fertig, alle Daten zu prüfen. Wer etwas verloren haben könnte, hört persönlich von uns.
letter-length = Die Hälfte unserer Kunden war nicht länger als { $median } Minuten offline, am längsten bisher { $worst } Minuten.
letter-sorry = Wir wissen, was es heißt, so lange ohne seine Server zu sein, und bitten dafür um Entschuldigung.
letter-next = Unseren ganzen Bericht bekommen Sie bis: { $blank }.
letter-contact = Fragen: { $blank }.

## Meldungen an Kunden
notice-title = Meldung eines Vorfalls, der Ihre Daten betrifft
notice-subject = Betrifft { $customer }; Meldung { $number } vom { $time }
notice-law = Diese Meldung dient Artikel 33 Absatz 2 der DSGVO, nach dem ein Auftragsverarbeiter dem Verantwortlichen meldet. Ob Sie einer Behörde oder den Betroffenen etwas melden müssen, beurteilen Sie. Sie ist eine Checkliste aus unseren Aufzeichnungen, keine Rechtsberatung.
notice-new = Was seit Meldung { $number } vom { $time } neu ist
notice-nothing-new = Seitdem hat sich nichts geändert.
notice-nature = Was geschah
notice-nature-text = Seit { $began } waren Dienste mit Ihren Daten nicht erreichbar. Das ist ein Verlust der Verfügbarkeit und kann eine Verletzung des Schutzes personenbezogener Daten sein, auch wenn nichts offengelegt oder verändert wurde.
notice-services-down = { $total ->
    [one] Ihr Dienst ist im Augenblick nicht online. Bisher war er { $minutes } Minuten nicht verfügbar.
   *[other] { $down } von Ihren { $total } Diensten sind im Augenblick nicht online. Bisher war { $minutes } Minuten lang etwas nicht verfügbar.
}
notice-services-up = { $total ->
    [one] Ihr Dienst ist wieder online. Er war { $minutes } Minuten nicht verfügbar.
   *[other] Alle Ihre { $total } Dienste sind wieder online. { $minutes } Minuten lang war etwas nicht verfügbar.
}
notice-confidentiality = Unsere Aufzeichnungen sagen nichts über eine Offenlegung oder Veränderung Ihrer Daten. Das ist keine Feststellung, dass es keine gab. Zu ergänzen: { $blank }
notice-data = Ihre Daten
notice-data-proven = Jede Kopie Ihrer Daten wurde zurückgelesen und stimmt mit dem überein, was geholt wurde.
notice-data-from = Unsere Kopien Ihrer Daten sind vom { $time } oder später. Was danach am alten Ort geändert wurde, kann darin fehlen.
notice-data-none = { $count ->
    [one] Von { $count } Dienst haben wir noch keine ganze Kopie.
   *[other] Von { $count } Diensten haben wir noch keine ganze Kopie.
}
notice-data-unchecked = { $count ->
    [one] Die Kopie von { $count } Dienst ist ganz und noch nicht zurückgelesen.
   *[other] Die Kopien von { $count } Diensten sind ganz und noch nicht zurückgelesen.
}
notice-data-fuzzy = { $count ->
    [one] { $count } Datei änderte sich, während sie gelesen wurde, und ist vielleicht nicht stimmig.
   *[other] { $count } Dateien änderten sich, während sie gelesen wurden, und sind vielleicht nicht stimmig.
}
notice-data-unreadable = { $count ->
    [one] { $count } Datei oder Ordner konnte nicht gelesen werden.
   *[other] { $count } Dateien oder Ordner konnten nicht gelesen werden.
}
notice-data-left-out = { $count ->
    [one] { $count } Ihrer Dienste wurde absichtlich nicht mitgenommen und ist in keiner dieser Zahlen enthalten. Warum, und was daraus wird: { $blank }
   *[other] { $count } Ihrer Dienste wurden absichtlich nicht mitgenommen und sind in keiner dieser Zahlen enthalten. Warum, und was daraus wird: { $blank }
}
notice-people = Wen es betrifft
notice-people-text = Kategorien und ungefähre Zahl der Personen und Datensätze: Sie wissen, was Sie bei uns speichern. Von unserer Seite: { $blank }
notice-effects = Wahrscheinliche Folgen
notice-effects-text = Menschen konnten in dieser Zeit Ihre Dienste oder ihre Daten nicht erreichen. Bestellungen, Nachrichten oder Eingaben, die nach dem Kopieren am alten Ort gemacht wurden, können fehlen.
notice-measures = Maßnahmen
notice-measures-text = Wir kopieren Daten auf unsere eigenen Maschinen, vergleichen jedes Stück bei der Ankunft mit seinem Fingerabdruck und prüfen jeden Dienst, bevor wir ihn einschalten. Weitere Maßnahmen: { $blank }
notice-contact = Kontakt
notice-contact-text = { $name }: { $contact }
notice-phases = Wir wissen noch nicht alles. In weiteren Meldungen sagen wir Ihnen mehr, ohne unangemessene Verzögerung.
