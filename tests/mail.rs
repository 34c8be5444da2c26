//! Customers are written to at their moments: once each, about what is theirs, whatever breaks.

mod returned;

use std::time::{Duration, Instant};

use evac::ledger::outbox::{OutboxRow, RowState};
use serde_json::Value;

use crate::fakes::relay::{Relay, Taken, Trouble};
use crate::words::world::World;

/// Settings of mails by way of `relay`.
fn mail(relay: &Relay, more: &str) -> String {
    format!(
        "url = \"https://status.example.net/\"\ncontact = {{ en = \"Call +31 20 1.\" }}\n[mail]\n\
         from = \"Example Hosting <status@example.net>\"\nreply_to = \"help@example.net\"\n\
         relay = \"127.0.0.1:{}\"\nsettle = \"0s\"\n{more}",
        relay.port
    )
}

/// A customer with one workload, which `World` can bring online.
fn customer(number: usize, more: &str) -> String {
    format!(
        "[[customer]]\nid = \"c{number}\"\n{more}\n[[host]]\nid = \"h{number}\"\n\
         address = \"192.0.2.1\"\nport = {}\ncustomer = \"c{number}\"\n[[host.workload]]\n\
         id = \"w{number}\"\nlabel = \"shop{number}.example\"\npaths = [\"/srv\"]\n\
         bytes = \"1MB\"\n",
        2_000 + number
    )
}

fn contacts(list: &[&str]) -> String {
    format!("contacts = {list:?}")
}

/// One customer with these contacts, and a relay.
fn one(list: &[&str], more: &str) -> (Relay, World) {
    let relay = Relay::start();
    let world = World::with(0, &mail(&relay, more), &customer(0, &contacts(list)));
    (relay, world)
}

fn subjects(mails: &[Taken]) -> Vec<String> {
    mails.iter().map(|mail| mail.header("subject")).collect()
}

#[test]
fn a_customer_is_told_once_that_he_is_online_and_once_that_he_is_not() {
    let (relay, world) = one(&["ops@acme.example"], "");
    world.evac(&["publish"]).exits(0);
    assert_eq!(relay.taken().len(), 0, "nothing is known of him yet");
    world.online([0]);
    world.evac(&["publish"]).exits(0);
    world.evac(&["publish"]).exits(0);
    let mails = relay.taken();
    assert_eq!(subjects(&mails), ["Example Hosting: Your services are online again"]);
    let first = &mails[0];
    assert_eq!(
        (first.from.as_str(), first.to.as_str()),
        ("status@example.net", "ops@acme.example")
    );
    assert_eq!(first.header("auto-submitted"), "auto-generated");
    assert_eq!(first.header("x-auto-response-suppress"), "All");
    assert_eq!(first.header("reply-to"), "help@example.net");
    assert_eq!(first.header("list-unsubscribe"), "");
    assert_eq!(first.header("content-type"), "text/plain; charset=utf-8; format=flowed");
    let body = first.body();
    assert!(body.contains("- shop0.example: online, data as of "), "{body}");
    assert!(body.contains("Questions: Call +31 20 1."), "{body}");
    assert!(body.contains("https://status.example.net/\n"), "{body}");
    assert!(!body.contains("c0") && !body.contains("w0"), "no id of ours: {body}");

    world.fails(0);
    world.evac(&["publish"]).exits(0);
    let back = relay.taken();
    assert_eq!(subjects(&back), ["Example Hosting: Something of yours is not online any more"]);
    let id = first.header("message-id");
    assert!(id.starts_with("<evac.") && id.ends_with("@example.net>"), "{id}");
    assert_eq!((back[0].header("in-reply-to"), back[0].header("references")), (id.clone(), id));
    world.ledger().append(&crate::words::world::passed(0), "jo").unwrap();
    world.evac(&["publish"]).exits(0);
    assert_eq!(subjects(&relay.taken()), ["Example Hosting: Your services are online again"]);
    // Three in an hour are enough for anybody.
    world.fails(0);
    world.evac(&["publish"]).exits(3);
    assert_eq!(relay.taken().len(), 0);
}

#[test]
fn each_customer_reads_his_language_and_his_own_page_and_nobody_reads_of_who_is_held() {
    let relay = Relay::start();
    let more = [
        customer(0, &(contacts(&["a@acme.example"]) + "\nlanguage = \"nl-BE\"\nname = \"Acme\"")),
        customer(1, &(contacts(&["b@beta.example"]) + "\nlanguage = \"de\"\nsuspended = true")),
        customer(2, &(contacts(&["c@mallory.example"]) + "\nhold = \"abuse\"\nname = \"Mallory\"")),
    ];
    let world = World::with(0, &mail(&relay, ""), &more.concat());
    world.evac(&["publish", "token", "c0"]).exits(0);
    world.online(0..3);
    let dry = world.evac(&["publish", "--dry-run"]).exits(0).stdout();
    assert!(dry.contains("To: a@acme.example") && dry.contains("(secret)"), "{dry}");
    assert!(!dry.contains("mallory") && relay.taken().is_empty(), "{dry}");
    world.evac(&["publish"]).exits(0);
    let mut mails = relay.taken();
    mails.sort_by(|a, b| a.to.cmp(&b.to));
    let bodies: Vec<_> = mails.iter().map(Taken::body).collect();
    assert_eq!(mails.len(), 2, "{bodies:?}");
    assert!(bodies[0].starts_with("Beste Acme,\n\nAl uw diensten"), "{}", bodies[0]);
    assert!(bodies[0].contains("https://status.example.net/c/"), "{}", bodies[0]);
    assert!(bodies[1].starts_with("Guten Tag,\n\nAlle Ihre Dienste"), "{}", bodies[1]);
    assert!(!bodies.concat().to_lowercase().contains("mallory"));
    let token = bodies[0].split("/c/").nth(1).unwrap()[..26].to_owned();
    for file in ["state/ledger.db", "state/ledger.db-wal"] {
        let bytes = std::fs::read(world.site.path(file)).unwrap_or_default();
        let has = bytes.windows(token.len()).any(|it| it == token.as_bytes());
        assert!(!has, "{file} holds a token");
    }
}

#[test]
fn what_one_mailbox_refuses_goes_to_the_next_and_what_it_delays_waits() {
    let relay = Relay::start();
    let more = [
        customer(0, &contacts(&["gone@acme.example", "ops@acme.example"])),
        customer(1, &contacts(&["later@beta.example", "ops@beta.example"])),
        customer(2, &contacts(&["gone@gamma.example", "tel:+31201", "jörg@gamma.example"])),
    ];
    let world = World::with(0, &mail(&relay, ""), &more.concat());
    world.online(0..3);
    let stderr = world.evac(&["publish"]).exits(3).stderr();
    assert!(stderr.contains("customer/c2 cannot be told `online`"), "{stderr}");
    assert!(stderr.contains("no such user here"), "{stderr}");
    world.evac(&["publish"]).exits(3);
    let to: Vec<_> = relay.taken().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["ops@acme.example"]);
    let lines = world.evac(&["--json", "publish", "mail"]).exits(0).json();
    let state = |to: &str| {
        let mails = lines[0]["mails"].as_array().unwrap();
        mails.iter().find(|it| it["to"] == to).map(|it| it["state"].clone())
    };
    assert_eq!(state("gone@acme.example"), Some(Value::from("refused")));
    assert_eq!(state("later@beta.example"), Some(Value::from("waiting")));
    assert_eq!(lines[0]["unreached"][0]["customer"], "c2");
    let next = world.evac(&["--json", "next"]).exits(0).json();
    let blocked = next[0]["blocked"].as_array().unwrap();
    assert!(blocked.iter().any(|it| it["cause"] == "mail-refused"), "{blocked:?}");
    // The address is mended; what was refused is not forgotten, and not needed.
    let inventory = std::fs::read_to_string(world.site.path("inventory.toml")).unwrap();
    let mended = inventory.replace("gone@gamma.example", "new@gamma.example");
    world.site.write("inventory.toml", &mended);
    world.evac(&["publish"]).exits(3);
    let to: Vec<_> = relay.taken().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["new@gamma.example"]);
    assert_eq!(
        world
            .evac(&["publish", "mail", "again", "c0"])
            .exits(3)
            .stderr()
            .matches("1 refused mail ")
            .count(),
        1
    );
    assert_eq!(relay.taken().len(), 0, "he was told at his other address");
}

#[test]
fn a_relay_in_trouble_loses_nothing_and_says_nothing_twice() {
    for (trouble, exit) in [
        (Trouble::DropBefore, 0),
        (Trouble::Shutdown, 0),
        (Trouble::SenderRefused, 0),
        (Trouble::DataRefused, 1),
    ] {
        let (relay, world) = one(&["ops@acme.example"], "");
        world.online([0]);
        relay.troubles(&[trouble]);
        world.evac(&["publish"]).exits(exit);
        let expected = usize::from(exit == 0);
        assert_eq!(relay.taken().len(), expected, "{trouble:?}");
    }
}

#[test]
fn what_may_have_been_taken_is_sent_once_more_under_the_same_id_and_then_never() {
    let (relay, world) = one(&["ops@acme.example"], "");
    world.online([0]);
    relay.troubles(&[Trouble::DropAfterData, Trouble::DropAfterData]);
    world.evac(&["publish"]).exits(3);
    world.evac(&["publish"]).exits(3);
    assert_eq!(relay.look().taken.len(), 1, "not within the quarter of an hour");
    pass_time(&world);
    world.evac(&["publish"]).exits(0);
    pass_time(&world);
    world.evac(&["publish"]).exits(0);
    let mails = relay.taken();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("message-id"), mails[1].header("message-id"));
    let lines = world.evac(&["--json", "publish", "mail"]).exits(0).json();
    assert_eq!(lines[0]["mails"][0]["state"], "unsure");
    // It counts as said.
    world.fails(0);
    world.evac(&["publish"]).exits(0);
    let subjects = subjects(&relay.taken());
    assert_eq!(subjects, ["Example Hosting: Something of yours is not online any more"]);
}

#[test]
fn a_kill_in_mid_mail_is_a_maybe_and_what_is_no_longer_true_is_not_sent_later() {
    let (relay, world) = one(&["ops@acme.example"], "");
    world.online([0]);
    relay.troubles(&[Trouble::HangAfterData]);
    let mut publish = world.site.bare_command(&["publish"]).spawn().unwrap();
    let began = Instant::now();
    while relay.look().taken.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "no mail arrives");
        std::thread::sleep(Duration::from_millis(5));
    }
    publish.kill().unwrap();
    publish.wait().unwrap();
    world.evac(&["publish"]).exits(3);
    assert_eq!(relay.look().taken.len(), 1);
    // Meanwhile it is not online any more: the old mail is not repeated, the new one leaves.
    world.fails(0);
    pass_time(&world);
    world.evac(&["publish"]).exits(0);
    let all = subjects(&relay.taken());
    assert_eq!(all.len(), 2);
    assert!(all[1].ends_with("not online any more"), "{all:?}");
}

#[test]
fn days_without_a_network_end_in_what_is_true_then() {
    let relay = Relay::start();
    let settings = mail(&relay, "");
    let dead = settings.replace(&format!("127.0.0.1:{}", relay.port), "127.0.0.1:9");
    let world = World::with(0, &dead, &customer(0, &contacts(&["ops@acme.example"])));
    world.online([0]);
    let stderr = world.evac(&["publish"]).exits(3).stderr();
    assert!(stderr.contains("1 to be sent: cannot talk to 127.0.0.1:9"), "{stderr}");
    world.fails(0);
    world.evac(&["publish"]).exits(0);
    pass_time(&world);
    let file = std::fs::read_to_string(world.site.path("evac.toml")).unwrap();
    world
        .site
        .write("evac.toml", &file.replace("127.0.0.1:9\"", &format!("127.0.0.1:{}\"", relay.port)));
    world.evac(&["publish"]).exits(0);
    assert_eq!(relay.taken().len(), 0, "he never read that he is online: nothing is taken back");
    world.ledger().append(&crate::words::world::passed(0), "jo").unwrap();
    world.evac(&["publish"]).exits(0);
    assert_eq!(subjects(&relay.taken()), ["Example Hosting: Your services are online again"]);
}

#[test]
fn what_is_true_for_a_moment_only_is_not_written_about() {
    let (relay, world) = one(&["ops@acme.example"], "");
    let file = std::fs::read_to_string(world.site.path("evac.toml")).unwrap();
    world.site.write("evac.toml", &file.replace("\"0s\"", "\"10m\""));
    world.online([0]);
    world.evac(&["publish"]).exits(3);
    let mails = world.evac(&["--json", "publish", "mail"]).exits(0).json();
    assert_eq!(mails[0]["mails"][0]["state"], "waiting", "{mails:?}");
    world.fails(0);
    world.evac(&["publish"]).exits(0);
    assert_eq!(relay.taken().len(), 0);
    let mails = world.evac(&["--json", "publish", "mail"]).exits(0).json();
    assert_eq!(mails[0]["mails"].as_array().unwrap().len(), 0, "{mails:?}");
}

#[test]
fn a_persons_word_is_told_and_names_nobody_who_is_held() {
    let relay = Relay::start();
    let more = [
        customer(0, &contacts(&["a@acme.example"])),
        customer(1, &(contacts(&["m@mallory.example"]) + "\nhold = \"legal\"\nname = \"Mallory\"")),
    ];
    let world = World::with(0, &mail(&relay, ""), &more.concat());
    let text = "It shares a disk with Mallory";
    world.evac(&["publish", "mail", "at-risk", "c0", "--text", text]).exits(4);
    world.evac(&["publish", "mail", "at-risk", "c0", "c1"]).exits(4);
    assert_eq!(relay.taken().len(), 0);
    let text = "Your disk fails; we try again at night.";
    world.evac(&["publish", "mail", "at-risk", "c0", "--text", text]).exits(0);
    world.evac(&["publish", "mail", "at-risk", "c0"]).exits(0);
    let mails = relay.taken();
    assert_eq!(subjects(&mails), ["Example Hosting: We may not get all of your data out in time"]);
    assert!(mails[0].body().contains(text));
}

#[test]
fn who_is_at_risk_by_the_plan_is_written_to_only_by_a_person_who_is_reminded() {
    let relay = Relay::start();
    let more = [
        customer(0, &contacts(&["a@acme.example"])).replace("1MB", "9000TB"),
        customer(1, &contacts(&["b@beta.example"])),
        customer(2, &(contacts(&["c@held.example"]) + "\nhold = \"legal\""))
            .replace("1MB", "9000TB"),
    ];
    let window = "[[window]]\ncloses = \"2099-01-01T00:00:00Z\"\n[limits]\nlanding = \"1Mbit/s\"\n";
    let world = World::with(0, &mail(&relay, window), &more.concat());
    world.evac(&["publish"]).exits(0);
    assert_eq!(relay.taken().len(), 0, "a plan is no fact");
    let untold = |world: &World| {
        let next = world.evac(&["--json", "next"]).exits(0).json();
        let blocked = next[0]["blocked"].as_array().unwrap().clone();
        blocked.into_iter().find(|it| it["cause"] == "at-risk-untold")
    };
    let reminder = untold(&world).expect("somebody has to decide");
    assert_eq!(reminder["command"], "evac publish mail at-risk customer/c0", "{reminder}");
    let status = world.evac(&["status"]).exits(0).stderr();
    assert!(status.contains("may get out: 1 customer; see `evac next`"), "{status}");
    world.evac(&["publish", "mail", "at-risk"]).exits(2);
    world.evac(&["publish", "mail", "at-risk", "--planned"]).exits(0);
    let to: Vec<_> = relay.taken().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["a@acme.example"]);
    assert_eq!(untold(&world), None);
    world.evac(&["publish", "mail", "at-risk", "--planned"]).exits(2);
}

#[test]
fn a_test_mail_shows_the_exact_answer() {
    let (relay, world) = one(&[], "");
    let stderr = world.evac(&["publish", "mail", "--test", "me@x.example"]).exits(0).stderr();
    assert!(stderr.contains("Taken: 250 2.0.0 ok: queued as FAKE1"), "{stderr}");
    assert_eq!(relay.taken()[0].to, "me@x.example");
    let stderr = world.evac(&["publish", "mail", "--test", "gone@x.example"]).exits(1).stderr();
    assert!(stderr.contains("5.1.1 no such user here"), "{stderr}");
    world.evac(&["publish", "mail", "--test", "later@x.example"]).exits(3);
    world.evac(&["publish", "mail", "--test", "a@b.example\r\nRCPT TO:<c@d.example>"]).exits(2);
    relay.troubles(&[Trouble::SenderRefused]);
    world.evac(&["publish", "mail", "--test", "me@x.example"]).exits(1);
}

#[test]
fn a_program_carries_what_no_relay_does() {
    let settings = "[mail]\nfrom = \"status@example.net\"\nsettle = \"0s\"\n\
                    command = [\"/bin/sh\", \"hook\"]\n";
    let world = World::with(0, settings, &customer(0, &contacts(&["tel:+31201234567"])));
    world.site.write("hook", "cat >> calls; echo >> calls; exit $(cat code)").write("code", "75");
    world.online([0]);
    world.evac(&["publish"]).exits(3);
    pass_time(&world);
    world.site.write("code", "0");
    world.evac(&["publish"]).exits(0);
    world.evac(&["publish"]).exits(0);
    let calls = std::fs::read_to_string(world.site.path("calls")).unwrap();
    let calls: Vec<Value> = calls.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0]["id"], calls[1]["id"]);
    assert_eq!(calls[1]["to"], "tel:+31201234567");
    assert_eq!((&calls[1]["moment"], &calls[1]["customer"]), (&"online".into(), &"c0".into()));
}

#[test]
fn a_hold_that_comes_while_mails_leave_is_stronger_than_what_was_planned() {
    let settings = "[mail]\nfrom = \"status@example.net\"\nsettle = \"0s\"\n\
                    command = [\"/bin/sh\", \"hook\"]\n";
    let more =
        [customer(0, &contacts(&["a@acme.example"])), customer(1, &contacts(&["b@beta.example"]))];
    let world = World::with(0, settings, &more.concat());
    let evac = env!("CARGO_BIN_EXE_evac");
    let hold = "legal --reason order >&2";
    let hook = format!(
        "cat >> calls; echo >> calls\n\
         for id in c0 c1; do {evac} --site . --as jo hold customer/$id {hold} || exit 1; done\n"
    );
    world.site.write("hook", &hook);
    world.online(0..2);
    world.evac(&["publish"]);
    let calls = std::fs::read_to_string(world.site.path("calls")).unwrap();
    assert_eq!(calls.lines().count(), 1, "{calls}");
    assert!(world.site.path("state/holds.log").is_file());
}

/// Whatever waits for a time is due.
fn pass_time(world: &World) {
    let ledger = world.ledger();
    let rows = ledger.outbox().unwrap().into_iter().filter(|row| row.state != RowState::Sent);
    let past = "2020-01-01T00:00:00Z".parse().unwrap();
    let rows: Vec<_> = rows.map(|row| OutboxRow { next_at: past, ..row }).collect();
    ledger.call_ended(&rows).unwrap();
}
