# English. Every language has exactly these messages with these variables.

language-name = English

## Times (the clock and its zone stay on one line)
time-of-day = { $clock }{ "\u00A0" }{ $zone }
date-and-time = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
} { $year }, { $clock }{ "\u00A0" }{ $zone }

as-of = As of { $local } ({ $utc })
as-of-utc = As of { $utc }
next-update = Next update by { $time }. If it is later than that, we are late.

## Head
page-title = { $headline } – { $name }
skip-to-figures = Skip to the figures
languages = Language
status = Status

## The one figure
headline-none = No figures yet
headline-copied = { $total ->
    [one] { $done } of { $total } customer copied
   *[other] { $done } of { $total } customers copied
}
headline-online = { $total ->
    [one] { $done } of { $total } customer online
   *[other] { $done } of { $total } customers online
}
also-copied = { $done ->
    [one] The data of { $done } customer is out of the data centre.
   *[other] The data of { $done } customers is out of the data centre.
}

stage-none = We are at work. The first figures come with the next update.
stage-copying = We are bringing every customer’s data out of the data centre. Then we put it on new servers, and check each one before we switch it on.
stage-returning = We are putting the data on new servers, and check each one before we switch it on.
stage-done = Every customer is online again, and has passed our checks.

bar-label = Progress
legend-online = online
legend-copied = copied, not online yet
legend-apart = waiting for you or for us
legend-open = not copied yet

## Words
words-heading = Where everybody stands
words-state = State
words-customers = Customers
words-total = All customers

word-queued = Queued
word-copying = Copying
word-copied = Copied
word-restoring = Restoring
word-testing = Testing
word-online = Online
word-waiting-for-you = Waiting for you
word-needs-attention = Needs attention

means-queued = Copying has not begun. The data is still where it was.
means-copying = Copying has begun; not everything is out yet.
means-copied = The data is out of the data centre and with us. It waits for its new server.
means-restoring = The data is being put on its new server.
means-testing = The data is on its new server. We check it before we switch it on.
means-online = Switched on in the new place, checks passed.
means-waiting-for-you = Only the customer can do the next step, such as a change in DNS.
means-needs-attention = Something did not go as planned, and one of us has to look at it.

count = { $customers }

component-count = { $customers ->
    [one] { $customers } customer. { $meaning }
   *[other] { $customers } customers. { $meaning }
}

## The window
access-heading = Access to the data centre
access-unknown = We do not know yet when we get access, or for how long.
access-opens = We expect access from { $opens }.
access-opens-closes = We expect access from { $opens } to { $closes }.
access-open = We have had access since { $opens }. Nobody knows how long it will last.
access-open-closes = We have had access since { $opens }. Expected end: { $closes }.
access-closes = Expected end of access: { $closes }.
access-over = The time we were given has been over since { $closes }.

## What to do
advice-heading = What you can do
advice-hands-off = If your server is reachable for a while, please do not change anything on it. What changes after it was copied may not come along.
advice-nothing = You do not have to do anything for your data to be copied.

about = This page shows counts only. It names no customer and no server. The figures come from the records of the copying itself; nobody types them in.


## Groups
groups-heading = By group
groups-group = Group
groups-others = Other customers
of-total = { $done } of { $total }

## The rest
outlook-heading = When the rest will be done
outlook-copied = At the speed of the last minutes, copying ends between { $low } and { $high }. That is an estimate, not a promise.
outlook-unknown = { $customers ->
    [one] For { $customers } customer nobody can say yet.
   *[other] For { $customers } customers nobody can say yet.
}
outlook-online = If it goes on as it did, the last customer comes online between { $low } and { $high }. That is an estimate, not a promise.
total-changed = The number of customers on this page went from { $before } to { $after } at { $time }. It changes when we find customers we had not listed, and when somebody is looked after apart from this page.

## Messages
updates-heading = Messages
updates-earlier = Earlier messages
updates-none = Nothing has been posted yet.
kind-investigating = Investigating
kind-identified = Cause known
kind-monitoring = Watching
kind-resolved = Resolved
kind-maintenance = Planned work
kind-post-mortem = What happened

## Pages
pages = Pages
page-status = Status
page-history = History
page-maintenance = Planned work
page-post-mortem = What happened
history-figures = How the figures came about
history-time = Time
window-unknown = Nobody knows yet when.
window-from = From { $opens }; nobody knows until when.
window-until = Until { $closes }.
window-from-until = From { $opens } to { $closes }.
contact-heading = Questions
follow = Follow this page:
calendar = calendar
json-status = status (JSON)
json-figures = figures (JSON)
badge-copied = { $done }/{ $total } copied
badge-online = { $done }/{ $total } online
badge-none = no figures yet
incident-name = We are moving our customers to new servers

## A customer’s own page
own-title = Your services
own-none = We see no service of yours in this move yet. Please ask us.
own-online = { $total ->
    [one] { $done } of { $total } service online
   *[other] { $done } of { $total } services online
}
own-attention = Something about your services needs one of our colleagues, who will get in touch through the contact we have on file. There is nothing you have to do now.
own-services = Your services
own-service = Service
own-service-state = State
own-unnamed = Service { $number }
own-data-of = Data as of { $time }
own-steps = What you have to do
own-steps-none = Nothing at the moment. When there is something, it stands here.
own-waiting = We are waiting for you: the next step is yours.
own-addresses = New addresses
own-address-old = Old address
own-address-new = New address
own-address-later = A new address answers once its service is online. Please change nothing before that.
own-dns-old = Your DNS still shows the old address for { $domain }: { $old }. Please change it to { $new }.
own-dns-done = Your DNS shows the new address for { $domain }.
own-dns-elsewhere = Your DNS shows an address for { $domain } that is not ours. If another service stands in front of it, tell that service the new address: { $new }.
own-dns-unknown = We could not ask the DNS for { $domain } just now. It should show { $new }.
own-key = Your new server { $address } has another SSH key: { $key }. Accept exactly this one.
own-private = This page is for you alone. Whoever knows its address can read it; if that got into the wrong hands, ask us for another.
own-empty = Please use the whole address that we sent you.
