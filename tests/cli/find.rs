//! `evac find`.

use super::{fleet, has_fields};

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
