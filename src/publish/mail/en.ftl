# What customers are written, each about what is his. Every language has exactly these messages with these variables.

mail-hello = Hello,
mail-dear = Dear { $name },

mail-reachable-title = Please change nothing on your server for now
mail-reachable-body = We have access to the data centre for a while, and are bringing your data out. If you can reach your server meanwhile, please do not change anything on it: what changes after it was copied may not come along. You do not have to do anything for your data to be copied.

mail-at-risk-title = We may not get all of your data out in time
mail-at-risk-body = Our access to the data centre may end before all of your data is copied. We go on for as long as we can. If you have copies of your own, please keep them, and do not delete anything now.

mail-copied-title = Your data is out of the data centre
mail-copied-body = All of your data is out of the data centre and with us, as it was at the times below. Next it is put on new servers, and checked before anything is switched on. What changes on the old servers from now on may not come along.

mail-partly-title = Some of your services are online again
mail-partly-body = Some of your services are online again, and have passed our checks. We are working on the others, and write again once all of them are.

mail-waiting-title = Your services are online, and the next step is yours
mail-waiting-body = All of your services are online in their new place, and have passed our checks. For everybody to find them there, you have to change something yourself. It stands below.

mail-online-title = Your services are online again
mail-online-body = All of your services are online again, and have passed our checks. We keep checking. If something of yours does not work, please tell us.

mail-back-title = Something of yours is not online any more
mail-back-body = We told you that services of yours are online. That does not hold any more: what was switched on is asked again all the time, and some of it no longer passes our checks. We are looking into it, and write again.

mail-final-title = All customers are online: our last message about it
mail-final-body = All customers are online again, and this is our last message about it. Your data is as it was at the times below. If you miss something, or something does not work, please tell us soon.

mail-service = { $label }: { $word }
mail-service-data = { $label }: { $word }, data as of { $time }
mail-more = { $count ->
    [one] and { $count } more
   *[other] and { $count } more
}
mail-address = { $label }: { $old } → { $new }
mail-link = Your own page shows at any time where each of your services stands:
mail-page = Our status page shows at any time how all of it goes:
mail-machine = This message was written by a machine, from what our checks found.

mail-test-title = A test of mails to customers
mail-test-body = This is a test. It was sent to nobody else. Mails to customers leave on the same way.
