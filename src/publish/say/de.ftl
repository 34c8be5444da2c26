# Was öffentlich gesagt wird. Jede Sprache hat genau diese Texte mit diesen Variablen.

say-next = Nächste Meldung bis spätestens { $time }. Ist es später, sind wir zu spät.

## Für Menschen, in den ersten Minuten; nichts darin muss nachgeschlagen werden
say-first-title = Die Server unserer Kunden sind nicht erreichbar
say-first-body = Wir wissen, dass Server und Websites unserer Kunden nicht erreichbar sind. Wir arbeiten mit allen, die wir haben, daran. Wir wissen noch nicht, was nötig ist und wie lange es dauert. Sie müssen es nicht melden.

say-scope-title = Was betroffen ist
say-scope-body = Die Server, die wir in einem Rechenzentrum haben, sind nicht erreichbar, unsere eigene Website gehört dazu. Wir sorgen dafür, dass die Daten aller sicher sind, und schreiben hier, was wir finden.

say-moving-title = Wir ziehen unsere Kunden auf unsere eigenen Server um
say-moving-body = Wir holen die Daten jedes Kunden aus dem Rechenzentrum, spielen sie auf neue Server und prüfen jeden, bevor wir ihn einschalten. Ist Ihr Server eine Zeit lang erreichbar, ändern Sie bitte nichts darauf: was sich nach dem Kopieren ändert, kommt vielleicht nicht mit.

say-same-title = Wir sind noch dabei
say-same-body = Seit unserer letzten Meldung hat sich nichts geändert, was Sie wissen müssten. Wir sind noch dabei.

say-setback-title = Etwas lief nicht, wie wir sagten
say-setback-body = Etwas, das wir Ihnen gesagt haben, stimmt nicht. Wir finden heraus, warum, und schreiben hier, was es für Sie bedeutet.

say-resolved-title = Alle Kunden sind wieder online
say-resolved-body = Alle Kunden sind wieder online und haben unsere Prüfungen bestanden. Geht bei Ihnen etwas nicht, sagen Sie es uns bitte. Wir schreiben hier auf, was geschah und was wir ändern.

## Tatsachen, die evac von selbst sagt
fact-begun-title = Wir holen die Daten unserer Kunden heraus
fact-begun-body = { $total ->
    [one] Wir haben begonnen, die Daten von { $total } Kunden aus dem Rechenzentrum zu holen. Danach spielen wir sie auf neue Server und prüfen jeden, bevor wir ihn einschalten.
   *[other] Wir haben begonnen, die Daten von { $total } Kunden aus dem Rechenzentrum zu holen. Danach spielen wir sie auf neue Server und prüfen jeden, bevor wir ihn einschalten.
}

fact-copied-title = Alle Daten sind heraus
fact-copied-body = { $total ->
    [one] Die Daten des { $total } Kunden sind aus dem Rechenzentrum heraus und bei uns. Sie werden auf neue Server gespielt, und jeder wird geprüft, bevor er eingeschaltet wird.
   *[other] Die Daten aller { $total } Kunden sind aus dem Rechenzentrum heraus und bei uns. Sie werden auf neue Server gespielt, und jeder wird geprüft, bevor er eingeschaltet wird.
}

fact-online-title = { $total ->
    [one] { $done } von { $total } Kunden online
   *[other] { $done } von { $total } Kunden online
}
fact-online-body = { $total ->
    [one] { $done } von { $total } Kunden ist wieder online und hat unsere Prüfungen bestanden.
   *[other] { $done } von { $total } Kunden sind wieder online und haben unsere Prüfungen bestanden.
}

fact-all-title = Alle Kunden sind online
fact-all-body = { $total ->
    [one] Der { $total } Kunde ist wieder online und hat unsere Prüfungen bestanden. Wir prüfen weiter.
   *[other] Alle { $total } Kunden sind wieder online und haben unsere Prüfungen bestanden. Wir prüfen weiter.
}

fact-group-title = Gruppe { $group } ist online
fact-group-body = Alle { $total } Kunden der Gruppe { $group } sind wieder online und haben unsere Prüfungen bestanden.

fact-back-title = { $fewer ->
    [one] { $fewer } Kunde ist nicht mehr online
   *[other] { $fewer } Kunden sind nicht mehr online
}
fact-back-body = Wir haben Ihnen gesagt, dass { $before } Kunden online sind. Das stimmt nicht mehr: es sind jetzt { $done } von { $total }. Was eingeschaltet ist, fragen wir immer wieder, und ein Teil davon besteht unsere Prüfungen nicht mehr. Wir gehen dem nach.

fact-total-title = Wir zählen jetzt { $total } Kunden
fact-total-body = Bisher zählten wir { $before } Kunden, von jetzt an { $total }. Die Zahlen früherer Meldungen gehören zur vorigen Zählung.

fact-opened-title = Wir haben Zugang zum Rechenzentrum
fact-opened-body = Wir haben seit { $opens } Zugang zum Rechenzentrum und kopieren.

fact-closes-title = Unser Zugang endet voraussichtlich um { $closes }
fact-closes-body = Wir erwarten jetzt, bis { $closes } Zugang zum Rechenzentrum zu haben. Wir kopieren zuerst, was am wichtigsten ist.

fact-shut-title = Die Zeit, die wir bekamen, ist vorbei
fact-shut-body = Die Zeit, die wir im Rechenzentrum bekamen, endete um { $closes }. Was kopiert ist, ist sicher bei uns. Solange Server antworten, kopieren wir weiter.
