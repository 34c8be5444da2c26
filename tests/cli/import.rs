//! `evac import csv`.

use std::fs;

use super::{fleet, has_fields};

const TABLE: &str = "\
customer,tier,host,address,workload,paths,password
gamma,gold,vps-020,203.0.113.20,gamma-web,/var/www,hunter2
gamma,gold,vps-021,203.0.113.21,,,hunter3
";

#[test]
fn a_table_becomes_inventory_and_its_secrets_do_not() {
    let site = fleet();
    site.write("export/fleet.csv", TABLE);
    let outcome = site.evac(&["import", "csv", "export/fleet.csv"]).exits(0);
    let stderr = outcome.stderr();
    let wrote = "Wrote inventory.d/csv-fleet.toml: 1 customer, 2 hosts, 1 workload of 2 rows.\n\
                 Dropped, may hold secrets: password\n";
    assert!(stderr.starts_with(wrote), "{stderr}");
    let written = fs::read_to_string(site.path("inventory.d/csv-fleet.toml")).unwrap();
    assert!(!written.contains("hunter"), "{written}");
    let checked = site.evac(&["check"]).exits(0).stdout();
    assert!(checked.ends_with("Usable: 3 customers, 4 hosts, 12 workloads.\n"), "{checked}");
}

#[test]
fn importing_again_replaces_only_what_an_import_wrote() {
    let site = fleet();
    site.write("fleet.csv", TABLE).write("inventory.d/mine.toml", "# mine\n");
    site.evac(&["import", "csv", "fleet.csv"]).exits(0);
    site.write("fleet.csv", &TABLE.replace("vps-021", "vps-022"));
    let outcome = site.evac(&["import", "csv", "fleet.csv", "--json"]).exits(0);
    let done = &outcome.json()[0];
    has_fields(done, "schema file rows customers hosts workloads dropped ignored notes");
    assert_eq!(done["dropped"], serde_json::json!(["password"]));
    let written = fs::read_to_string(site.path("inventory.d/csv-fleet.toml")).unwrap();
    assert!(written.contains("vps-022") && !written.contains("vps-021"), "{written}");
    assert_eq!(fs::read_to_string(site.path("inventory.d/mine.toml")).unwrap(), "# mine\n");
    assert_eq!(fs::read_dir(site.path("inventory.d")).unwrap().count(), 2);
}

#[test]
fn what_yields_nothing_is_an_error_and_writes_nothing() {
    let site = fleet();
    site.write("empty.csv", "customer,host,address\n").write("odd.csv", "colour,taste\nred,sour\n");
    for file in ["empty.csv", "odd.csv", "missing.csv"] {
        let stderr = site.evac(&["import", "csv", file]).exits(2).stderr();
        assert!(stderr.contains(file) && stderr.contains("cause: "), "{stderr}");
    }
    assert!(!site.path("inventory.d").exists());
}

#[test]
fn a_tier_without_a_weight_is_told() {
    let site = fleet();
    site.write("fleet.csv", &TABLE.replace("gold", "silver"));
    let stderr = site.evac(&["import", "csv", "fleet.csv"]).exits(0).stderr();
    assert!(stderr.contains("Give weights in [tiers] of evac.toml: silver\n"), "{stderr}");
}

#[test]
fn names_of_a_client_configuration_become_hosts() {
    if !std::path::Path::new("/usr/bin/ssh").exists() {
        eprintln!("left out: no ssh");
        return;
    }
    let site = fleet();
    site.write("more", "Host db-*\n User dba\nHost db-1\n HostName 203.0.113.31\n");
    let more = site.path("more").display().to_string();
    let config = format!(
        "Include {more}\nHost web www\n HostName 203.0.113.30\n ProxyJump ops@gate:2222\n\
         Match originalhost web,www\n User deploy\nHost *\n Port 22\n"
    );
    site.write("config", &config);
    let outcome = site.evac(&["import", "ssh-config", "config"]).exits(0);
    let wrote = "Wrote inventory.d/ssh-config-config.toml: 2 customers, 3 hosts, 0 workloads of 3";
    assert!(outcome.stderr().starts_with(wrote), "{}", outcome.stderr());
    let written = fs::read_to_string(site.path("inventory.d/ssh-config-config.toml")).unwrap();
    for part in [
        "id = \"web\"\naddress = \"203.0.113.30\"\nuser = \"deploy\"\njump = \"gate\"\n",
        "id = \"db-1\"\naddress = \"203.0.113.31\"\nuser = \"dba\"\n",
        "id = \"gate\"\naddress = \"gate\"\nport = 2222\nuser = \"ops\"\ncapture = false\n",
    ] {
        assert!(written.contains(part), "{part}\n{written}");
    }
    site.evac(&["check"]).exits(0);
    site.write("none", "Host *\n User x\n");
    let stderr = site.evac(&["import", "ssh-config", "none"]).exits(2).stderr();
    assert!(stderr.contains("no usable row"), "{stderr}");
}
