# Was Kunden geschrieben wird, jedem über das Seine. Jede Sprache hat genau diese Texte mit diesen Variablen.

mail-hello = Guten Tag,
mail-dear = Guten Tag { $name },

mail-reachable-title = Bitte ändern Sie jetzt nichts auf Ihrem Server
mail-reachable-body = Wir haben eine Zeit lang Zugang zum Rechenzentrum und holen Ihre Daten heraus. Wenn Sie Ihren Server inzwischen erreichen, ändern Sie bitte nichts darauf: Was sich nach dem Kopieren ändert, kommt vielleicht nicht mit. Sie müssen nichts tun, damit Ihre Daten kopiert werden.

mail-at-risk-title = Vielleicht bekommen wir nicht alle Ihre Daten rechtzeitig heraus
mail-at-risk-body = Unser Zugang zum Rechenzentrum endet vielleicht, bevor alle Ihre Daten kopiert sind. Wir machen weiter, solange es geht. Wenn Sie eigene Kopien haben, bewahren Sie sie bitte auf, und löschen Sie jetzt nichts.

mail-copied-title = Ihre Daten sind aus dem Rechenzentrum heraus
mail-copied-body = Alle Ihre Daten sind aus dem Rechenzentrum heraus und bei uns, so wie sie zu den Zeiten unten waren. Jetzt werden sie auf neue Server eingespielt, und geprüft, bevor etwas eingeschaltet wird. Was sich ab jetzt auf den alten Servern ändert, kommt vielleicht nicht mit.

mail-partly-title = Ein Teil Ihrer Dienste ist wieder online
mail-partly-body = Ein Teil Ihrer Dienste ist wieder online und hat unsere Prüfungen bestanden. An den anderen arbeiten wir, und schreiben Ihnen wieder, sobald alle da sind.

mail-waiting-title = Ihre Dienste sind online, und der nächste Schritt ist Ihrer
mail-waiting-body = Alle Ihre Dienste sind an ihrem neuen Ort online und haben unsere Prüfungen bestanden. Damit alle sie dort finden, müssen Sie selbst etwas ändern. Es steht unten.

mail-online-title = Ihre Dienste sind wieder online
mail-online-body = Alle Ihre Dienste sind wieder online und haben unsere Prüfungen bestanden. Wir prüfen weiter. Wenn etwas von Ihnen nicht geht, sagen Sie es uns bitte.

mail-back-title = Etwas von Ihnen ist nicht mehr online
mail-back-body = Wir haben Ihnen gesagt, dass Dienste von Ihnen online sind. Das stimmt nicht mehr: Was eingeschaltet ist, fragen wir immer wieder, und ein Teil davon besteht unsere Prüfungen nicht mehr. Wir gehen dem nach und schreiben Ihnen wieder.

mail-final-title = Alle Kunden sind online: unsere letzte Nachricht dazu
mail-final-body = Alle Kunden sind wieder online, und dies ist unsere letzte Nachricht dazu. Ihre Daten sind so, wie sie zu den Zeiten unten waren. Wenn Ihnen etwas fehlt oder etwas nicht geht, sagen Sie es uns bitte bald.

mail-service = { $label }: { $word }
mail-service-data = { $label }: { $word }, Daten von { $time }
mail-more = { $count ->
    [one] und { $count } weiterer
   *[other] und { $count } weitere
}
mail-address = { $label }: { $old } → { $new }
mail-link = Ihre eigene Seite zeigt jederzeit, wo jeder Ihrer Dienste steht:
mail-page = Unsere Statusseite zeigt jederzeit, wie es mit allem vorangeht:
mail-machine = Diese Nachricht hat eine Maschine geschrieben, aus dem, was unsere Prüfungen ergaben.

mail-test-title = Eine Probe der Nachrichten an Kunden
mail-test-body = Dies ist eine Probe. Sie ging an niemand anderen. Nachrichten an Kunden gehen denselben Weg.
