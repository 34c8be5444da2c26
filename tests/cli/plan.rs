//! `evac plan`.

use std::fs;

use super::{fleet, has_fields};

#[test]
fn the_plan_is_a_table_a_file_and_a_picture() {
    let site = fleet();
    let outcome = site.evac(&["plan", "--window", "10m", "--name", "night"]).exits(0);
    let expected = "\
6 workloads, 80.1 GB to move; a window of 10m00s.
In time: 0 to 1 customers complete; value 10.6 of 11.0, at most 10.6 is possible.
Everything takes 1h10m, limited by host/vps-015.
For everything to fit, host/vps-015 would have to carry 66.8 MB/s.

workload          customer  host        size    from      to
vps-015-identity  beta      vps-015   100 MB      0s     11s
vps-015-database  beta      vps-015   5.0 GB     10s   8m57s
vps-015-mail      beta      vps-015  10.0 GB   8m56s  26m30s  NOT IN TIME
acme-site         acme      vps-014  40.0 GB      0s   5m37s
vps-015-web       beta      vps-015  15.0 GB  26m29s  52m49s  NOT IN TIME
vps-015-bulk      beta      vps-015  10.0 GB  52m48s   1h10m  NOT IN TIME

Will not make it: 3
  workload      why
  vps-015-mail  too large for the window; one of 26m30s holds it
  vps-015-web   too large for the window; one of 52m49s holds it
  vps-015-bulk  too large for the window; one of 1h10m holds it
";
    let stdout = outcome.stdout();
    assert!(stdout.starts_with(expected), "{stdout}");
    let file = fs::read_to_string(site.path("plans/night.toml")).unwrap();
    assert!(file.contains("id = \"acme-site\""), "{file}");
    let picture = fs::read_to_string(site.path("plans/night.svg")).unwrap();
    assert!(picture.starts_with("<svg"), "{picture}");
    assert!(outcome.stderr().contains("evac run plans/night.toml"), "{}", outcome.stderr());
}

#[test]
fn a_plan_that_somebody_may_have_changed_is_not_overwritten() {
    let site = fleet();
    site.write("plans/night.toml", "# mine\n");
    let stderr = site.evac(&["plan", "--name", "night"]).exits(4).stderr();
    assert!(stderr.contains("night.toml exists"), "{stderr}");
    assert_eq!(fs::read_to_string(site.path("plans/night.toml")).unwrap(), "# mine\n");
    site.evac(&["plan", "--name", "night", "--yes"]).exits(0);
    assert!(fs::read_to_string(site.path("plans/night.toml")).unwrap().contains("acme-site"));
}

#[test]
fn the_document_has_the_fields_of_the_contract() {
    let site = fleet();
    let outcome = site.evac(&["--json", "plan", "--window", "1m"]).exits(0);
    let plan = &outcome.json()[0];
    let fields = "schema window_s starts_at workloads value_total value_by_deadline value_bound \
                  customers_complete at_risk needs uncovered";
    has_fields(plan, fields);
    let fields = "id customer host class uplink target bytes value start_s finish_s fits";
    has_fields(&plan["workloads"][0], fields);
    has_fields(&plan["customers_complete"], "low high");
    has_fields(&plan["at_risk"][0], "id reason needs");
    assert_eq!((&plan["schema"], &plan["window_s"]), (&1.into(), &60.into()));
    assert_eq!(fs::read_dir(site.path("plans")).unwrap().count(), 2);
}

#[test]
fn a_window_that_is_over_is_a_mistake() {
    let arguments = ["plan", "--until", "2001-01-01T00:00:00Z"];
    assert!(fleet().evac(&arguments).exits(2).stderr().contains("lies in the past"));
    let both = ["plan", "--until", "2999-01-01T00:00:00Z", "--window", "6h"];
    fleet().evac(&both).exits(2);
}

#[test]
fn planning_leaves_no_state_behind() {
    let site = fleet();
    site.evac(&["plan"]).exits(0);
    assert!(!site.path("state").exists());
}
