# English. Every language has exactly these messages with these variables.

lookup = Look-up
skip = Skip to the content
leave = Leave
who-calls = Who is calling?
hint = What the caller says: a name, domain, address, number or server, or a part of it.
find = Find

found = { $count ->
    [one] { $count } customer may be meant
   *[other] { $count } customers may be meant
}
found-by = { $by ->
    [id] found by id: { $matched }
    [name] found by name: { $matched }
    [domain] found by domain: { $matched }
    [label] found by number: { $matched }
    [workload] found by service: { $matched }
    [host] found by server: { $matched }
    [address] found by address: { $matched }
    [mail] found by mail address: { $matched }
    [phone] found by telephone number: { $matched }
    [group] found by group: { $matched }
   *[other] found by: { $matched }
}
found-guess = Spelled otherwise: ask whether it is meant.
found-more = { $count ->
    [one] And { $count } more: ask for something more exact.
   *[other] And { $count } more: ask for something more exact.
}
found-none = Nobody matches “{ $typed }”
found-none-next = Ask for the domain, an address, or the number on the invoice. Until then only this may be said:

say-anyone = Say to anybody, word for word
say-verified = Say to this caller alone, word for word
other-languages = In other languages

proof = Has the caller proved who he is? How?
proof-missing = Choose how, so that it can be written down.
proof-callback = I called back the number on file
proof-mail = It came from the address on file
proof-portal = He is logged in to the customer portal
proof-known = A colleague knows him in person
proof-other = In another way, which I write down below
proof-show = Show what he may hear
colleague = Put him through to { $colleague }.

services = His services
service = Service
service-unnamed = Service { $number }
data-of = Data as of

notes = What he was told
notes-none = Nothing is written down yet.
note-label = Write down what you told him, or what he wants
note-save = Write down
noted = It is written down.

audit = You are { $name }. Every look-up is written down with your name.

go-on = Go on
trouble-nothing = There is nothing here without your personal link. If you have just opened it:
trouble-often = That was too often. Wait a minute, then try again.
trouble-missing = There is no such page.
trouble-form = That form is too old, or is not from here. Nothing was changed: go back, load the page again, and try again.
trouble-unwritten = The look-up could not be written down, so nothing is shown. Tell your administrator.
trouble-broken = That does not work at the moment. Tell your administrator, and try again.
