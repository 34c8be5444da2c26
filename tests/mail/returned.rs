//! Mails that came back: only ours count, and the next contact is tried.

use super::{contacts, customer, mail, one};
use crate::fakes::relay::Relay;
use crate::words::world::World;

/// As Postfix reports it.
fn report(id: &str, recipient: &str, action: &str) -> String {
    format!(
        "From: MAILER-DAEMON@example.net\nTo: status@example.net\nSubject: Undelivered\n\
         MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n \
         boundary=\"b\"\n\n--b\nContent-Type: text/plain\n\nSorry.\n\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; example.net\n\n\
         Final-Recipient: rfc822; {recipient}\nOriginal-Recipient: rfc822;{recipient}\n\
         Action: {action}\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <{recipient}>:\n    \
         \u{1b}[31mUser unknown\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: {id}\n\
         To: {recipient}\nStatus: 2.0.0\n\nHello\n--b--\n"
    )
}

#[test]
fn a_mail_that_came_back_goes_to_the_next_contact() {
    let (relay, world) = one(&["ops@acme.example", "boss@elsewhere.example"], "");
    world.online([0]);
    world.evac(&["publish"]).exits(0);
    let id = relay.taken()[0].header("message-id");
    let foreign = report("<evac.0000@example.net>", "ops@acme.example", "failed");
    let delayed = report(&id, "ops@acme.example", "delayed");
    let mbox = format!(
        "From MAILER-DAEMON\n{foreign}\nFrom MAILER-DAEMON\n{delayed}\nFrom x\nTo: y\n\nhi\n"
    );
    world.site.write("mbox", &mbox);
    let path = world.site.path("mbox").display().to_string();
    let read = &world.evac(&["--json", "publish", "bounces", &path]).exits(0).json()[0];
    assert_eq!((&read["read"], &read["foreign"]), (&3.into(), &1.into()), "{read}");
    assert!(read["bounced"].as_array().unwrap().is_empty(), "{read}");

    world.site.write(
        "Maildir/new/1.host",
        &report(&id, "Ops@Acme.example", "failed").replace('\n', "\r\n"),
    );
    world.site.write("Maildir/cur/2.host:2,S", &"\u{0}junk".repeat(10_000));
    let path = world.site.path("Maildir").display().to_string();
    let outcome = world.evac(&["publish", "bounces", &path]).exits(0);
    assert!(
        outcome.stdout().starts_with("ops@acme.example 5.1.1 550 5.1.1"),
        "{}",
        outcome.stdout()
    );
    assert!(!outcome.stdout().contains('\u{1b}'));
    let find = world.evac(&["find", "c0"]).exits(0).stdout();
    assert!(find.contains("mails to ops@acme.example came back"), "{find}");
    let next = world.evac(&["next"]).exits(0).stdout();
    assert!(next.contains("Mails to 1 customer came back: customer/c0"), "{next}");
    // He was told already as far as anybody knew; now he is told where he reads it.
    world.evac(&["publish"]).exits(0);
    let mails = relay.taken();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, "boss@elsewhere.example");
    world.evac(&["publish", "bounces", "--forget", "ops@ACME.example"]).exits(0);
    world.evac(&["publish", "bounces", "--forget", "ops@acme.example"]).exits(1);
    world.evac(&["publish"]).exits(0);
    assert_eq!(relay.taken().len(), 0, "he was told");
}

#[test]
fn contacts_on_what_is_being_moved_come_last_and_are_listed_beforehand() {
    let relay = Relay::start();
    let more = [
        customer(
            0,
            &(contacts(&["a@acme.example", "a@elsewhere.example"])
                + "\ndomains = [\"acme.example\"]"),
        ),
        customer(1, &(contacts(&["b@mail.beta.example"]) + "\ndomains = [\"beta.example\"]")),
    ];
    let world = World::with(0, &mail(&relay, ""), &more.concat());
    let problems = world.evac(&["check"]).exits(0);
    let all = problems.stdout() + &problems.stderr();
    assert!(
        all.contains("every contact of customer/c1 is on a domain that is being moved"),
        "{all}"
    );
    let next = world.evac(&["--json", "next"]).exits(0).json();
    let blocked = next[0]["blocked"].as_array().unwrap();
    let contacts = blocked.iter().find(|it| it["cause"] == "contacts-evacuated");
    assert!(
        contacts.is_some_and(|it| it["why"].as_str().unwrap().contains("customer/c1")),
        "{next:?}"
    );
    world.online(0..2);
    world.evac(&["publish"]).exits(0);
    let mut to: Vec<_> = relay.taken().into_iter().map(|mail| mail.to).collect();
    to.sort();
    assert_eq!(to, ["a@elsewhere.example", "b@mail.beta.example"]);
}

#[test]
fn a_mail_that_came_back_says_nothing_of_the_one_it_answers() {
    let (relay, world) = one(&["ops@acme.example", "boss@elsewhere.example"], "");
    world.online([0]);
    world.evac(&["publish"]).exits(0);
    let first = relay.taken()[0].header("message-id");
    // His first mailbox is gone by now, and the next mail of the thread goes to the second.
    world.fails(0);
    let inventory = std::fs::read_to_string(world.site.path("inventory.toml")).unwrap();
    world.site.write("inventory.toml", &inventory.replace("\"ops@acme.example\", ", ""));
    world.evac(&["publish"]).exits(0);
    let second = relay.taken().remove(0);
    assert_eq!(
        (&*second.to, second.header("references")),
        ("boss@elsewhere.example", first.clone())
    );
    world.site.write("inventory.toml", &inventory);
    // A forwarder reports an address that we never wrote to, and quotes the headers.
    let id = second.header("message-id");
    let quoted = report(&id, "inner@forwarded.example", "failed")
        .replace("\nTo: inner", &format!("\nReferences: {first}\nTo: inner"));
    world.site.write("mail", &quoted);
    let path = world.site.path("mail").display().to_string();
    let read = &world.evac(&["--json", "publish", "bounces", &path]).exits(0).json()[0];
    assert_eq!(read["bounced"], serde_json::json!(["boss@elsewhere.example"]), "{read}");
    // Who quotes no headers of it names both, and nobody can say which one is meant.
    world.evac(&["publish", "bounces", "--forget", "boss@elsewhere.example"]).exits(0);
    world.site.write("mail", &quoted.replace("\nMessage-ID:", "\nAbout:"));
    let read = &world.evac(&["--json", "publish", "bounces", &path]).exits(0).json()[0];
    assert_eq!(read["bounced"], serde_json::json!([]), "{read}");
}
