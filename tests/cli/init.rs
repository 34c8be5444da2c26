//! `evac init`.

use std::fs;

use super::has_fields;
use crate::site::Site;

#[test]
fn a_fresh_site_lacks_only_hosts() {
    let site = Site::new();
    let outcome = site.evac(&["init"]).exits(0);
    assert_eq!(outcome.stdout(), "");
    assert!(outcome.stderr().starts_with("Wrote evac.toml, inventory.toml, .gitignore in "));
    let expected = "\
error: inventory.toml: no host is written down
  hint: List hosts there, or `evac import` them.
1 error, 0 warnings. Usable: 0 customers, 0 hosts, 0 workloads.
";
    assert_eq!(site.evac(&["check"]).exits(2).stdout(), expected);
    let ignored = fs::read_to_string(site.path(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "/state/"), "{ignored}");
}

#[test]
fn nothing_that_exists_is_overwritten() {
    let site = Site::new();
    site.write("inventory.toml", "# mine\n").write("other/.gitignore", "*.bak\n");
    let stderr = site.evac(&["init"]).exits(4).stderr();
    assert!(stderr.contains("inventory.toml exists"), "{stderr}");
    assert!(!site.path("evac.toml").exists());
    assert_eq!(fs::read_to_string(site.path("inventory.toml")).unwrap(), "# mine\n");
    site.evac(&["init", "other"]).exits(0);
    assert_eq!(fs::read_to_string(site.path("other/.gitignore")).unwrap(), "*.bak\n");
}

#[test]
fn the_folder_named_is_made_and_told() {
    let site = Site::new();
    let folder = site.path("a/b");
    let outcome = site.evac(&["--json", "init", folder.to_str().unwrap()]).exits(0);
    let document = &outcome.json()[0];
    has_fields(document, "schema site files");
    assert_eq!(document["site"], folder.to_str().unwrap());
    assert_eq!(document["files"].as_array().unwrap().len(), 3);
    assert!(folder.join("evac.toml").is_file());
}

#[test]
fn from_nothing_to_a_plan_and_a_page() {
    let site = Site::new();
    site.evac(&["init"]).exits(0);
    let table = "customer,host,address,contacts,domain\n\
                 acme,vps-1,203.0.113.1,tel:+31201234567,acme.example\n\
                 beta,vps-2,203.0.113.2,ops@beta-office.example,beta.example\n";
    site.write("fleet.csv", table).evac(&["import", "csv", "fleet.csv"]).exits(0);
    site.evac(&["check"]).exits(0);
    site.evac(&["plan", "--window", "6h"]).exits(0);
    site.evac(&["status"]).exits(0);
    site.evac(&["find", "beta.example"]).exits(0);
    site.evac(&["publish"]).exits(0);
    let page = fs::read_to_string(site.path("state/status/index.html")).unwrap();
    assert!(page.contains("Example Hosting"), "{page}");
}
