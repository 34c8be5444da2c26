//! `evac find`.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::{fleet, has_fields};
use crate::site::Site;

#[test]
fn a_caller_is_found_by_what_he_says() {
    let site = fleet();
    for text in ["ACME", "https://www.acme.example/shop", "8812", "203.0.113.14", "acme bv"] {
        let outcome = site.evac(&["--json", "find", text]).exits(0);
        let found = &outcome.json()[0];
        has_fields(found, "schema as_of customers");
        has_fields(&found["customers"][0], "id state workloads matched_by matched say");
        assert_eq!(found["customers"][0]["id"], "acme", "{text}");
        has_fields(&found["customers"][0]["say"]["nl"], "anyone verified");
    }
}

#[test]
fn people_read_the_customer_and_the_paragraph_in_the_languages_of_the_site() {
    let stdout = fleet().evac(&["find", "acme.example"]).exits(0).stdout();
    let start = "\
Acme BV (acme), tier gold
  queued
  workload   host     state          done
  acme-site  vps-014  queued  0 B/40.0 GB
  next for acme-site: `evac run` copies it.
  found by domain: acme.example
  say (en), to anyone:
";
    assert!(stdout.starts_with(start), "{stdout}");
    assert!(stdout.contains("\n  say (nl), to a verified caller:\n"), "{stdout}");
}

#[test]
fn nobody_found_exits_1() {
    let site = fleet();
    let outcome = site.evac(&["find", "nobody.example"]).exits(1);
    assert_eq!(outcome.stdout(), "");
    assert!(outcome.stderr().starts_with("error: nobody matches `nobody.example`\nhint: "));
    let outcome = site.evac(&["find", "nobody.example", "--json"]).exits(1);
    assert_eq!(outcome.json()[0]["customers"], serde_json::json!([]));
}

#[test]
fn a_slip_finds_a_question_and_no_answer() {
    let outcome = fleet().evac(&["find", "acmee.example"]).exits(0);
    let stdout = outcome.stdout();
    assert!(stdout.starts_with("did you mean\nAcme BV (acme)"), "{stdout}");
    assert!(stdout.contains("found by domain: acme.example, spelled otherwise"), "{stdout}");
    let found = fleet().evac(&["--json", "find", "acmee.example"]).exits(0).json().remove(0);
    assert_eq!((&found["customers"][0]["fit"], &found["total"]), (&"typo".into(), &1.into()));
}

#[test]
fn callers_are_found_by_telephone_and_in_any_order_of_words() {
    let site = fleet();
    for words in [&["020-123", "45", "67"][..], &["+31201234567"], &["bv", "vps-014", "acme"]] {
        let line: Vec<_> = ["find", "--json"].iter().chain(words).copied().collect();
        let found = site.evac(&line).exits(0).json().remove(0);
        assert_eq!(found["customers"][0]["id"], "acme", "{words:?}");
    }
}

/// Whether it is held or failed: support hears of a colleague, and not why.
#[test]
fn a_hold_is_nowhere_to_be_read() {
    let site = fleet();
    let settings = format!("{}\n[support]\ncolleague = \"Kim, 4711\"\n", super::SETTINGS);
    site.write("evac.toml", &settings);
    let stdout = site.evac(&["find", "beta"]).exits(0).stdout();
    assert!(stdout.contains("  takes the call: Kim, 4711\n"), "{stdout}");
    let json = site.evac(&["find", "beta", "--json"]).exits(0).stdout();
    for word in ["legal", "hold\":\"l", "on hold", "held"] {
        assert!(!stdout.contains(word) && !json.contains(word), "{word}: {stdout}\n{json}");
    }
}

#[test]
fn the_look_up_file_is_made_anew_when_it_has_to_be() {
    let site = fleet();
    let note = |what: &str| site.evac(&["note", what, "called at five"]).exits(0);
    note("customer/acme");
    let file = site.path("state/lookup");
    let first = site.evac(&["find", "acme"]).exits(0);
    assert_eq!(first.stderr(), "");
    assert!(first.stdout().contains("called at five"));
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&file) & 0o777, 0o600);

    // Once its sources are at rest it is kept.
    std::thread::sleep(std::time::Duration::from_millis(2_200));
    site.evac(&["find", "acme"]).exits(0);
    let made = std::fs::metadata(&file).unwrap().ino();
    site.evac(&["find", "acme"]).exits(0);
    assert_eq!(std::fs::metadata(&file).unwrap().ino(), made);
    // What is in the ledger is never asked of the file.
    note("host/vps-014");
    assert!(site.evac(&["find", "acme"]).exits(0).stdout().contains("on host/vps-014"));

    let more = super::INVENTORY.replace("Acme BV", "Zenith BV");
    site.write("inventory.toml", &more);
    let outcome = site.evac(&["find", "zenith"]).exits(0);
    assert!(outcome.stderr().contains("the look-up file is made anew"), "{}", outcome.stderr());

    let torn = site.path("state/.lookup.4194305.tmp");
    std::fs::write(&torn, "left by a process that was killed").unwrap();
    std::fs::write(
        &file,
        "evaclook, or so it seems, but cut and damaged by somebody's slip of hand",
    )
    .unwrap();
    let outcome = site.evac(&["find", "zenith"]).exits(0);
    assert!(outcome.stderr().starts_with("warning: "), "{}", outcome.stderr());
    assert!(std::fs::metadata(&file).unwrap().len() > 200, "it is whole again");
    assert!(!torn.exists());
}

#[test]
fn a_snapshot_answers_where_there_is_no_site() {
    let (site, elsewhere) = (fleet(), Site::new());
    site.evac(&["note", "customer/acme", "Support: was told to wait"]).exits(0);
    site.evac(&["note", "customer/acme", "owes us money"]).exits(0);
    let file = elsewhere.path("dark.evac");
    let file = file.to_str().unwrap();
    site.evac(&["snapshot", file]).exits(0);
    site.evac(&["snapshot", file]).exits(0);
    let stdout = elsewhere.evac(&["find", "--in", file, "acm.example"]).exits(0).stdout();
    assert!(stdout.starts_with("as of "), "{stdout}");
    assert!(stdout.contains("old\ndid you mean\nAcme BV (acme), tier gold\n"), "{stdout}");
    assert!(stdout.contains("was told to wait") && !stdout.contains("money"), "{stdout}");
    let found = elsewhere.evac(&["find", "--in", file, "acme", "--json"]).exits(0).json().remove(0);
    has_fields(&found, "schema as_of total customers is_frozen");
    elsewhere.evac(&["find", "--in", file, "nobody.example"]).exits(1);

    site.write("precious", "not yours");
    site.evac(&["snapshot", site.path("precious").to_str().unwrap()]).exits(4);
    assert_eq!(std::fs::read_to_string(site.path("precious")).unwrap(), "not yours");
    let outcome = elsewhere.evac(&["find", "--in", "precious.none", "acme"]).exits(1);
    assert!(outcome.stderr().contains("precious.none"), "{}", outcome.stderr());
}

#[test]
fn what_half_of_everybody_has_is_called_so() {
    let site = Site::new();
    let shops: Vec<_> = (0..30).map(|at| format!("[[customer]]\nid = \"shop-{at}\"\n")).collect();
    let many = shops.concat();
    site.write("evac.toml", super::SETTINGS);
    site.write("inventory.toml", &format!("{}{many}", super::INVENTORY));
    let stdout = site.evac(&["find", "shop"]).exits(0).stdout();
    assert!(stdout.starts_with("31 of 32 customers match `shop`: say more"), "{stdout}");
    assert!(stdout.contains("\nand 21 more customers"), "{stdout}");
}
