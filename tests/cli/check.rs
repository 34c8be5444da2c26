//! `evac check`.

use super::{INVENTORY, SETTINGS, fleet, has_fields};
use crate::site::Site;

#[test]
fn a_site_without_mistakes_says_what_it_holds() {
    let expected = "0 errors, 0 warnings. Usable: 2 customers, 2 hosts, 6 workloads.\n";
    let outcome = fleet().evac(&["check"]).exits(0);
    assert_eq!((outcome.stdout().as_str(), outcome.stderr().as_str()), (expected, ""));
}

#[test]
fn every_mistake_has_its_line_and_a_suggestion() {
    let site = fleet();
    let more = r#"[[host]]
id = "vps-016"
adress = "203.0.113.16"
customer = "acme"

[[host]]
id = "vps-017"
address = "203.0.113.17"
customer = "acmee"
"#;
    site.write("inventory.d/csv-more.toml", more);
    let stdout = site.evac(&["check"]).exits(2).stdout();
    for wanted in ["csv-more.toml:3: ", "`adress`", "`address`", "csv-more.toml:9: ", "`acmee`"] {
        assert!(stdout.contains(wanted), "{wanted} in {stdout}");
    }
    assert!(stdout.ends_with("Usable: 2 customers, 2 hosts, 6 workloads.\n"), "{stdout}");
}

#[test]
fn the_document_has_the_fields_of_the_contract() {
    let site = fleet();
    let good = &site.evac(&["--json", "check"]).exits(0).json()[0];
    assert_eq!(*good, serde_json::json!({ "schema": 1, "ok": true, "problems": [] }));
    site.write("evac.toml", &SETTINGS.replace("languages", "langages"));
    let outcome = site.evac(&["check", "--json"]).exits(2);
    let bad = &outcome.json()[0];
    assert_eq!((&bad["schema"], &bad["ok"]), (&1.into(), &false.into()));
    let problem = &bad["problems"][0];
    has_fields(problem, "file line what hint severity");
    assert_eq!((&problem["file"], &problem["line"]), (&"evac.toml".into(), &3.into()));
    assert_eq!(outcome.stderr(), "");
}

#[test]
fn a_bad_entry_is_set_aside_by_name_and_the_rest_runs() {
    let site = Site::new();
    site.write("evac.toml", SETTINGS);
    site.write("inventory.toml", &format!("{INVENTORY}\n[[host]]\nid = \"vps-016\"\n"));
    site.evac(&["check"]).exits(2);
    let outcome = site.evac(&["status"]).exits(0);
    assert!(outcome.stdout().starts_with("0 of 2 customers copied"), "{}", outcome.stdout());
    let told = outcome.stderr();
    assert!(told.starts_with("warning: host/vps-016 is set aside: inventory.toml:"), "{told}");
}

#[test]
fn settings_with_mistakes_stop_every_command() {
    let site = fleet();
    site.write("evac.toml", "[site]\nnaem = \"x\"\n");
    for command in [&["status"][..], &["plan"], &["publish"], &["find", "acme"]] {
        let stderr = site.evac(command).exits(2).stderr();
        assert!(stderr.contains("evac.toml:"), "{stderr}");
        assert!(stderr.contains("`evac check` lists every mistake."), "{stderr}");
    }
}
