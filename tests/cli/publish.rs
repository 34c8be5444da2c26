//! `evac publish`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{SETTINGS, fleet, has_fields};
use crate::site::Site;

#[test]
fn the_page_is_there_in_every_language_and_names_nobody() {
    let site = fleet();
    let outcome = site.evac(&["--json", "publish"]).exits(0);
    let done = &outcome.json()[0];
    has_fields(done, "schema folder outcome as_of next_update files");
    assert_eq!(done["outcome"], "written");
    for file in done["files"].as_array().unwrap() {
        let path = site.path("state/status").join(file.as_str().unwrap());
        let text = fs::read_to_string(path).unwrap().to_lowercase();
        for name in ["acme", "beta", "vps-01", "203.0.113"] {
            assert!(!text.contains(name), "{name} in {file}");
        }
    }
    assert!(site.path("state/status/nl/index.html").is_file());
    assert!(site.path("state/status/api/v2/summary.json").is_file());
}

#[test]
fn a_page_needs_no_host_and_no_run() {
    let site = Site::new();
    site.write("evac.toml", SETTINGS);
    let outcome = site.evac(&["publish"]).exits(0);
    assert_eq!(outcome.stdout(), "");
    assert!(outcome.stderr().contains("state/status written"), "{}", outcome.stderr());
}

#[test]
fn what_evac_did_not_write_stays() {
    let site = fleet();
    site.write("state/status/holiday.jpg", "x");
    let stderr = site.evac(&["publish"]).exits(4).stderr();
    assert!(stderr.contains("holiday.jpg"), "{stderr}");
}

#[test]
fn the_state_is_closed_to_others() {
    let site = fleet();
    site.write("state/keys/x", "");
    fs::set_permissions(site.path("state"), fs::Permissions::from_mode(0o755)).unwrap();
    site.evac(&["publish"]).exits(0);
    let mode = fs::metadata(site.path("state")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
