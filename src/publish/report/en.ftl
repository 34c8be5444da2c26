## Reports: what happened
report-title = What happened at { $name }
report-title-internal = What happened at { $name } (internal edition)
report-draft = A draft, made from the record as of { $time }. Read it, complete it, and have it read before it goes out.
report-internal = For colleagues only. Made for { $by }. Customers on hold: { $held }, in none of the other numbers.
report-overview = Overview
report-overview-over = The outage began at { $began }. All { $total } customers are online again.
report-overview-open = The outage began at { $began }. { $done } of { $total } customers are online again. It is not over for the others.
report-checked = Each service was switched on only after its checks had passed.
report-checked-some = Each service was switched on only after its checks had passed; { $count ->
    [one] { $count } service has no checks and was let through by a colleague, by name.
   *[other] { $count } services have no checks and were let through by a colleague, by name.
}
report-timeline = Timeline
report-picture = Customers over time, out of { $total }: the filled area is online, the dashed line above it is copied to safety. Shaded: access to the data centre. Numbers in circles: public updates. Times: { $zone }.
report-time = Time
report-event = What happened
report-by = By whom
report-began = The outage begins.
report-run = Work on the data begins.
report-access-opens = The data centre gives access.
report-access-closes = Access to the data centre ends.
report-window-until = Access is said to last until { $time }.
report-online-at = { $done } of { $total } customers are online.
report-all-copied = The data of all { $total } customers is out of the data centre.
report-back-at = { $done } of { $total } customers are online: fewer than before.
report-update = Public update { $number }: { $title }
report-impact = Impact
report-number = Number
report-value = Value
report-customers = Customers affected
report-customers-online = Customers online again
report-services = Services affected
report-services-online = Services online again
report-left-out = Services left out of the move on purpose
report-minutes-median = Minutes offline, half of the customers not longer than
report-minutes-most = Minutes offline, nine of ten customers not longer than
report-minutes-worst = Minutes offline, longest
report-bytes = Data brought to safety
report-data = Data
report-data-proven = No loss was found: every copy was read back and matches what was taken, and no file was left out because it could not be read.
report-data-open = Whether data was lost is not known for all of it. The table says what is proven and what is not.
report-class = Kind of data
report-class-identity = configuration and keys
report-class-database = databases
report-class-mail = mail
report-class-web = websites and homes
report-class-bulk = other data
report-data-services = Services
report-data-verified = Whole and read back
report-data-captured = Whole, not read back
report-data-partial = Not whole
report-data-none = Nothing
report-data-fuzzy = Files changed while read
report-data-unreadable = Entries not readable
report-well = What went well
report-badly = What went badly
report-prompt-well = Why did it, and how do we keep it so?
report-prompt-badly = What made it so, and what would have helped?
report-fact-first = The first public update came { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
} after the outage began.
report-fact-silent = Nothing was said in public.
report-fact-kept = { $kept } of { $all } promises of a next update were kept.
report-fact-verified = { $done } of { $total } services have a copy that was read back.
report-fact-back = { $count ->
    [one] Once a customer who was online was so no longer.
   *[other] { $count } times a customer who was online was so no longer.
}
report-fact-missing = { $count ->
    [one] Of { $count } service nothing whole was taken.
   *[other] Of { $count } services nothing whole was taken.
}
report-fact-worst = The last customers so far were offline for { $minutes } minutes, half of all not longer than { $median }.
report-factors = Contributing factors
report-factors-ask-1 = Which conditions had to come together for this? (conditions and decisions as they looked at the time, not people)
report-factors-ask-2 = What did people know when they decided, and what did they have no way to know?
report-factors-ask-3 = Where did luck help us?
report-factors-ask-4 = What would have made it shorter or smaller?
report-actions = Actions
report-action = What
report-owner = Who
report-due = By when
report-blank = to be filled in
report-no-figure = not known

## The message to customers
letter-title = What happened, and where we are
letter-draft = Draft of a message to customers. It says only what the record proves; add what you know, and the date of the full report.
letter-what = At { $began } servers of our customers became unreachable.
letter-all-online = All { $total } customers are online again.
letter-checked = Each service was switched on only after its checks had passed.
letter-checked-some = Each service was switched on only after its checks had passed, or, where it has none, after a colleague had looked at it.
letter-some-online = { $done } of { $total } customers are online again. We are working on the others, and tell each of them how it stands.
letter-data-proven = We read every copy back and compared it with what we had taken. No loss was found.
letter-data-open = We have not finished checking all data. Whoever may have lost something hears from us in person.
letter-length = Half of our customers were offline for no more than { $median } minutes, the longest so far for { $worst } minutes.
letter-sorry = We know what it means to be without your servers for so long, and we apologise for it.
letter-next = You get our full report by: { $blank }.
letter-contact = Questions: { $blank }.

## Notices to customers
notice-title = Notice of an incident affecting your data
notice-subject = About { $customer }; notice { $number } of { $time }
notice-law = This notice serves Article 33(2) of the GDPR, by which a processor tells the controller. Whether you have to notify an authority or the people concerned is for you to judge. It is a checklist from our records, not legal advice.
notice-new = What is new since notice { $number } of { $time }
notice-nothing-new = Nothing has changed since then.
notice-nature = What happened
notice-nature-text = Since { $began } services that hold your data could not be reached. That is a loss of availability, which can be a breach of personal data even when nothing was disclosed or changed.
notice-services-down = { $total ->
    [one] Your service is not online at this moment. So far it was unavailable for { $minutes } minutes.
   *[other] { $down } of your { $total } services are not online at this moment. So far something was unavailable for { $minutes } minutes.
}
notice-services-up = { $total ->
    [one] Your service is online again. It was unavailable for { $minutes } minutes.
   *[other] All { $total } of your services are online again. Something was unavailable for { $minutes } minutes.
}
notice-confidentiality = We have no record that says anything about disclosure or change of your data. This is not a finding that there was none. To be completed: { $blank }
notice-data = Your data
notice-data-proven = Every copy of your data was read back and matches what was taken.
notice-data-from = Our copies of your data are as of { $time } or later. What was changed in the old place after that may be missing from them.
notice-data-none = { $count ->
    [one] Of { $count } service we have no whole copy yet.
   *[other] Of { $count } services we have no whole copy yet.
}
notice-data-unchecked = { $count ->
    [one] The copy of { $count } service is whole, and was not read back yet.
   *[other] The copies of { $count } services are whole, and were not read back yet.
}
notice-data-fuzzy = { $count ->
    [one] { $count } file changed while it was read and may be inconsistent.
   *[other] { $count } files changed while they were read and may be inconsistent.
}
notice-data-unreadable = { $count ->
    [one] { $count } file or folder could not be read.
   *[other] { $count } files or folders could not be read.
}
notice-data-left-out = { $count ->
    [one] { $count } of your services was left out of the move on purpose, and is in none of these figures. Why, and what becomes of it: { $blank }
   *[other] { $count } of your services were left out of the move on purpose, and are in none of these figures. Why, and what becomes of them: { $blank }
}
notice-people = Whom it concerns
notice-people-text = Categories and approximate number of people and records: you know what you keep with us. On our side: { $blank }
notice-effects = Likely consequences
notice-effects-text = People could not reach your services or their data during that time. Orders, messages or entries made in the old place after the copy was taken may be missing.
notice-measures = Measures
notice-measures-text = We copy data to our own machines, compare every piece with its fingerprint where it arrives, and check each service before we switch it on. Further measures: { $blank }
notice-contact = Contact
notice-contact-text = { $name }: { $contact }
notice-phases = We do not know everything yet. We tell you more in further notices, without undue delay.
