//! `evac status`.

use super::{fleet, has_fields};

#[test]
fn before_anything_was_done_everything_is_queued() {
    let site = fleet();
    let outcome = site.evac(&["status"]).exits(0);
    let stdout = outcome.stdout();
    let lines: Vec<_> = stdout.lines().filter(|line| !line.starts_with("As of ")).collect();
    assert_eq!(lines, ["0 of 2 customers copied, 0 online, 0 B under receipts", "queued 2"]);
    assert_eq!(outcome.stderr(), "");
    assert!(!site.path("state").exists(), "looking changes nothing");
}

#[test]
fn the_document_has_the_fields_of_the_contract() {
    let outcome = fleet().evac(&["--json", "status"]).exits(0);
    let status = &outcome.json()[0];
    has_fields(status, "schema as_of window bottleneck totals reasons hosts customers");
    has_fields(&status["totals"], "customers workloads by_state bytes");
    has_fields(&status["hosts"][0], "id state rate rtt_ms lanes level error");
    let customer = &status["customers"][0];
    has_fields(customer, "id state health hold eta_low eta_high workloads");
    let workload = &customer["workloads"][0];
    let fields = "id label host target state health consistency capture restore bytes bytes_done \
                  since reason next";
    has_fields(workload, fields);
    has_fields(&workload["capture"], "state pass sealed_at lag_s");
    has_fields(&workload["restore"], "state of_pass");
    assert_eq!(workload["bytes"], 40_000_000_000_u64);
    assert_eq!(status["customers"][1]["hold"], "legal");
}

#[test]
fn a_site_without_hosts_is_never_nothing_to_do() {
    let site = fleet();
    site.write("inventory.toml", "");
    let stderr = site.evac(&["status"]).exits(2).stderr();
    assert!(stderr.starts_with("error: the inventory holds no usable host\nhint: "), "{stderr}");
}
