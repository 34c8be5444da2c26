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

/// The secret of a printed line `CUSTOMER LINK`.
fn secret(line: &str) -> String {
    line.trim_end_matches('/').rsplit('/').next().unwrap().to_owned()
}

#[test]
fn a_customer_gets_a_page_of_his_own_until_it_is_revoked() {
    let site = fleet();
    let stdout = site.evac(&["publish", "token", "acme"]).exits(0).stdout();
    let line = stdout.lines().next().unwrap();
    assert!(line.starts_with("acme c/"), "{line}");
    let token = secret(line);
    assert_eq!(token.len(), 26);
    let page = site.path("state/status/c").join(&token).join("index.html");
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("noindex") && text.contains("shop.acme.example"), "{text}");
    assert!(!text.contains("beta") && !text.contains("vps-01"), "{text}");
    let mode = fs::metadata(site.path("state/keys/pages")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The same address as long as it holds, and nothing public knows it.
    assert_eq!(site.evac(&["publish", "token", "acme"]).exits(0).stdout(), stdout);
    let outcome = site.evac(&["--json", "publish"]).exits(0);
    assert_eq!(outcome.json()[0]["own_pages"], 1);
    assert!(!outcome.stdout().contains(&token) && !outcome.stderr().contains(&token));
    for file in ["progress.json", "robots.txt", "index.html", "c/index.html", ".evac-files"] {
        let text = fs::read_to_string(site.path("state/status").join(file)).unwrap();
        assert!(!text.contains(&token), "{file}");
    }
    site.evac(&["publish", "token", "acme", "--revoke"]).exits(0);
    assert!(!page.exists());
    let again = site.evac(&["publish", "token", "acme"]).exits(0).stdout();
    assert_ne!(secret(&again), token);
    site.evac(&["publish", "token", "nobody"]).exits(2);
    site.evac(&["publish", "token"]).exits(2);
}

#[test]
fn a_held_customers_page_says_an_ordinary_sentence() {
    let site = fleet();
    let outcome = site.evac(&["--json", "publish", "token", "--all"]).exits(0);
    let links = &outcome.json()[0]["links"];
    assert_eq!(links.as_array().unwrap().len(), 2);
    let held = links.as_array().unwrap().iter().find(|link| link["customer"] == "beta").unwrap();
    let path = format!("state/status/{}index.html", held["link"].as_str().unwrap());
    let text = fs::read_to_string(site.path(&path)).unwrap().to_lowercase();
    assert!(text.contains("needs one of our colleagues"), "{text}");
    for told in ["beta", "legal", "hold", "vps-015", "203.0.113"] {
        assert!(!text.contains(told), "{told} in {text}");
    }
}

#[test]
fn what_a_site_brings_along_is_used_or_refused_by_name() {
    let site = fleet();
    let with = |publish: &str| {
        site.write("evac.toml", &format!("{SETTINGS}\n[publish]\n{publish}\n"));
        site.evac(&["publish"])
    };
    site.write("logo.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>");
    site.write("ours/follow.html", "<p>Ours alone</p>\n");
    with("logo = \"logo.svg\"\ncolour = \"#b00000\"\ntemplates = \"ours\"\ncontact = \"Call us\"")
        .exits(0);
    let page = fs::read_to_string(site.path("state/status/index.html")).unwrap();
    for expected in ["data:image&#x2f;svg+xml;base64,", "#b00000", "Ours alone", "Call us"] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    site.write("ours/follow.html", "<p>\n{{ nobody }}</p>\n");
    let stderr = with("templates = \"ours\"").exits(2).stderr();
    assert!(stderr.contains("`follow.html`") && stderr.contains("line 2"), "{stderr}");
    site.write("ours/folow.html", "");
    let stderr = with("templates = \"ours\"").exits(2).stderr();
    assert!(stderr.contains("Did you mean `follow.html`?"), "{stderr}");
    site.write("logo.svg", "GIF89a");
    let stderr = with("logo = \"logo.svg\"").exits(2).stderr();
    assert!(stderr.contains("neither SVG nor PNG"), "{stderr}");
    // The page of before is still there.
    assert_eq!(fs::read_to_string(site.path("state/status/index.html")).unwrap(), page);
}

#[test]
fn a_changed_total_is_explained() {
    let site = fleet();
    site.evac(&["publish"]).exits(0);
    let more = "[[customer]]\nid = \"gamma\"\n[[host]]\nid = \"vps-016\"\n\
                address = \"203.0.113.16\"\ncustomer = \"gamma\"\n";
    site.write("inventory.d/more.toml", more);
    site.evac(&["publish"]).exits(0);
    let page = fs::read_to_string(site.path("state/status/index.html")).unwrap();
    assert!(page.contains("went from 1 to 2 at"), "{page}");
    let text = fs::read_to_string(site.path("state/status/progress.json")).unwrap();
    let progress: serde_json::Value = serde_json::from_str(&text).unwrap();
    has_fields(
        &progress,
        "schema as_of next_update customers copied online by_state groups history",
    );
    assert_eq!(progress["history"].as_array().unwrap().len(), 2);
    // What nobody can read is no reason to have no page.
    site.write("state/status/progress.json", "{");
    site.evac(&["publish"]).exits(0);
}
