# What is said in public. Every language has exactly these messages with these variables.

say-next = Next update by { $time }. If it is later than that, we are late.

## For people, in the first minutes; nothing in them needs to be looked up
say-first-title = Our customers’ servers cannot be reached
say-first-body = We know that servers and websites of our customers cannot be reached. We are working on it with everybody we have. We do not know yet what it takes, or how long. You do not have to report it.

say-scope-title = What is affected
say-scope-body = The servers we run in one data centre cannot be reached, and our own website is among them. We are making sure that everybody’s data is safe, and tell you here what we find.

say-moving-title = We are moving our customers to our own servers
say-moving-body = We are bringing every customer’s data out of the data centre, put it on new servers, and check each one before we switch it on. If your server is reachable for a while, please do not change anything on it: what changes after it was copied may not come along.

say-same-title = We are still at work
say-same-body = Nothing has changed that you need to know of since our last update. We are still at work.

say-setback-title = Something did not go as we said
say-setback-body = Something that we told you does not hold. We are finding out why, and tell you here what it means for you.

say-resolved-title = Every customer is online again
say-resolved-body = Every customer is online again, and has passed our checks. If something of yours does not work, please tell us. We will write down here what happened and what we change.

## Facts that evac says by itself
fact-begun-title = We are bringing our customers’ data out
fact-begun-body = { $total ->
    [one] We have begun to bring the data of { $total } customer out of the data centre. Then we put it on new servers, and check each one before we switch it on.
   *[other] We have begun to bring the data of { $total } customers out of the data centre. Then we put it on new servers, and check each one before we switch it on.
}

fact-copied-title = All data is out
fact-copied-body = { $total ->
    [one] The data of the { $total } customer is out of the data centre and with us. It is put on new servers, and each one is checked before it is switched on.
   *[other] The data of all { $total } customers is out of the data centre and with us. It is put on new servers, and each one is checked before it is switched on.
}

fact-online-title = { $total ->
    [one] { $done } of { $total } customer online
   *[other] { $done } of { $total } customers online
}
fact-online-body = { $total ->
    [one] { $done } of { $total } customer is online again, and has passed our checks.
   *[other] { $done } of { $total } customers are online again, and have passed our checks.
}

fact-all-title = All customers are online
fact-all-body = { $total ->
    [one] The { $total } customer is online again, and has passed our checks. We keep checking.
   *[other] All { $total } customers are online again, and have passed our checks. We keep checking.
}

fact-group-title = Group { $group } is online
fact-group-body = All { $total } customers of the group { $group } are online again, and have passed our checks.

fact-back-title = { $fewer ->
    [one] { $fewer } customer is not online any more
   *[other] { $fewer } customers are not online any more
}
fact-back-body = We told you that { $before } customers are online. That does not hold any more: it is { $done } of { $total } now. What was switched on is asked again all the time, and some of it no longer passes our checks. We are looking into it.

fact-total-title = We count { $total } customers now
fact-total-body = Until now we counted { $before } customers, from now on it is { $total }. The figures of earlier updates were of the former count.

fact-opened-title = We have access to the data centre
fact-opened-body = We have had access to the data centre since { $opens }, and are copying.

fact-closes-title = Our access is expected to end at { $closes }
fact-closes-body = We now expect to have access to the data centre until { $closes }. We copy what matters most first.

fact-shut-title = The time we were given is over
fact-shut-body = The time we were given in the data centre ended at { $closes }. What is copied is safe with us. As long as servers answer, we go on copying.
