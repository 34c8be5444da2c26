//! The JSON has Statuspage's fields, all of them and no others.

use serde_json::Value;

use super::*;

fn document(page: &StatusPage, path: &str) -> Value {
    serde_json::from_slice(&render(page).unwrap().files[path]).unwrap()
}

#[track_caller]
fn check_fields(value: &Value, expected: &str) {
    let mut expected: Vec<&str> = expected.split(',').collect();
    expected.sort_unstable();
    let fields: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, expected);
}

#[test]
fn summary_has_the_fields_of_statuspage() {
    let summary = document(&page([1, 2, 3, 0, 0, 4, 0, 1]), "api/v2/summary.json");
    check_fields(&summary, "page,status,components,incidents,scheduled_maintenances");
    check_fields(&summary["page"], "id,name,url,time_zone,updated_at");
    check_fields(&summary["status"], "indicator,description");
    for component in summary["components"].as_array().unwrap() {
        check_fields(
            component,
            "id,name,status,position,group,group_id,description,showcase,only_show_if_degraded,\
             page_id,start_date,created_at,updated_at",
        );
        assert_eq!(component["page_id"], summary["page"]["id"]);
        assert!(component["position"].is_u64());
        assert_eq!(component["updated_at"], "2030-03-04T02:50:00Z");
    }
    assert_eq!(summary["incidents"].as_array().unwrap().len(), 1);
    assert_eq!(summary["scheduled_maintenances"].as_array().unwrap().len(), 1);
}

const INCIDENT: &str = "id,name,status,created_at,updated_at,monitoring_at,resolved_at,impact,\
                        shortlink,started_at,page_id,incident_updates,components";

#[test]
fn every_list_has_its_page_and_the_fields_of_statuspage() {
    let page = StatusPage::new(
        &snapshot([1, 2, 3, 0, 0, 4, 0, 1]),
        &Site { updates: updates(), ..site() },
    );
    for (name, key, count) in [
        ("components", "components", 8),
        ("incidents", "incidents", 1),
        ("incidents/unresolved", "incidents", 1),
        ("scheduled-maintenances", "scheduled_maintenances", 1),
        ("scheduled-maintenances/upcoming", "scheduled_maintenances", 0),
        ("scheduled-maintenances/active", "scheduled_maintenances", 1),
    ] {
        let list = document(&page, &format!("api/v2/{name}.json"));
        check_fields(&list, &format!("page,{key}"));
        assert_eq!(list[key].as_array().unwrap().len(), count, "{name}");
    }
    let scheduled = document(&page, "api/v2/scheduled-maintenances.json");
    check_fields(
        &scheduled["scheduled_maintenances"][0],
        &format!("{INCIDENT},scheduled_for,scheduled_until"),
    );
    let incident = &document(&page, "api/v2/incidents.json")["incidents"][0];
    check_fields(incident, INCIDENT);
    assert_eq!(incident["created_at"], "2030-03-03T14:10:00Z");
    let messages = incident["incident_updates"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    check_fields(
        &messages[0],
        "id,status,body,incident_id,created_at,updated_at,display_at,affected_components,\
         deliver_notifications",
    );
    assert_eq!(messages[0]["status"], "identified");
    assert_eq!(
        messages[0]["body"],
        "We have access & copy <everything>\n\nFirst part.\n\nSecond part,\nof two lines."
    );
}

#[test]
fn nothing_is_resolved_before_everybody_is_online() {
    let status = |counts, kind| {
        let mut updates = updates();
        updates[1].kind = kind;
        let page = StatusPage::new(&snapshot(counts), &Site { updates, ..site() });
        let all = document(&page, "api/v2/incidents.json");
        let open = document(&page, "api/v2/incidents/unresolved.json");
        let incident = &all["incidents"][0];
        assert_eq!(incident["incident_updates"][0]["status"], incident["status"]);
        let text = String::from_utf8(render(&page).unwrap().files["index.html"].clone()).unwrap();
        let is_said = text.contains("<b>Resolved</b>");
        let status = incident["status"].as_str().unwrap().to_owned();
        (status, open["incidents"].as_array().unwrap().len(), is_said)
    };
    let resolved = Kind::Resolved;
    assert_eq!(status([1, 0, 0, 0, 0, 8, 0, 0], resolved), ("monitoring".to_owned(), 1, false));
    assert_eq!(status([0, 0, 0, 0, 0, 9, 0, 0], resolved), ("resolved".to_owned(), 0, true));
}

#[test]
fn summary_counts_words() {
    let summary = document(&page([1, 2, 3, 0, 0, 4, 0, 1]), "api/v2/summary.json");
    assert_eq!(summary["page"]["name"], "Example Hosting");
    assert_eq!(summary["page"]["url"], "https://status.example.net/");
    assert_eq!(summary["page"]["time_zone"], "Europe/Amsterdam");
    let components = summary["components"].as_array().unwrap();
    let seen: Vec<(&str, &str)> = components
        .iter()
        .map(|c| (c["name"].as_str().unwrap(), c["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            ("Queued", "under_maintenance"),
            ("Copying", "under_maintenance"),
            ("Copied", "under_maintenance"),
            ("Restoring", "operational"),
            ("Testing", "operational"),
            ("Online", "operational"),
            ("Waiting for you", "operational"),
            ("Needs attention", "major_outage"),
        ]
    );
    assert_eq!(
        components[0]["description"],
        "1 customer. Copying has not begun. The data is still where it was."
    );
}

#[test]
fn ids_are_those_of_statuspage_in_form_and_stay() {
    let first = document(&page([1; 8]), "api/v2/summary.json");
    let later = document(&page([0, 0, 0, 0, 0, 8, 0, 0]), "api/v2/summary.json");
    let ids = |summary: &Value| {
        let mut ids: Vec<String> = summary["components"]
            .as_array()
            .unwrap()
            .iter()
            .chain([&summary["page"]])
            .map(|thing| thing["id"].as_str().unwrap().to_owned())
            .collect();
        assert!(
            ids.iter().all(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_alphanumeric()))
        );
        ids.sort();
        ids.dedup();
        ids
    };
    assert_eq!(ids(&first).len(), 9);
    assert_eq!(ids(&first), ids(&later));
}

#[test]
fn the_indicator_follows_the_share_that_is_online() {
    let check = |counts, indicator: &str, description: &str| {
        let status = document(&page(counts), "api/v2/status.json");
        check_fields(&status, "page,status");
        assert_eq!(status["status"]["indicator"], indicator, "{counts:?}");
        assert_eq!(status["status"]["description"], description, "{counts:?}");
    };
    check([0; 8], "major", "No figures yet");
    check([5, 5, 0, 0, 0, 0, 0, 0], "critical", "0 of 10 customers copied");
    check([5, 4, 0, 0, 0, 1, 0, 0], "major", "1 of 10 customers online");
    check([1, 0, 0, 0, 0, 9, 0, 0], "minor", "9 of 10 customers online");
    check([1, 0, 0, 0, 0, 8, 0, 0], "major", "8 of 9 customers online");
    check([0, 0, 0, 0, 0, 9, 0, 0], "none", "9 of 9 customers online");
}
