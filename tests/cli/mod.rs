//! The command line as people and scripts meet it: outputs, documents, exit codes.

mod check;
mod find;
mod import;
mod init;
mod ledger;
mod plan;
mod publish;
mod state;
mod status;
mod usage;

use serde_json::Value;

use crate::site::Site;

/// Two customers: one with a workload of known size, one whose host is taken whole.
const INVENTORY: &str = r#"
[[customer]]
id = "acme"
name = "Acme BV"
tier = "gold"
contacts = ["tel:+31201234567"]
domains = ["acme.example"]
labels = { whmcs = "8812" }

[[customer]]
id = "beta"
contacts = ["ops@beta-office.example"]
hold = "legal"

[[host]]
id = "vps-014"
address = "203.0.113.14"
customer = "acme"

[[host.workload]]
id = "acme-site"
label = "shop.acme.example"
paths = ["/var/www"]
class = "web"
bytes = "40GB"

[[host]]
id = "vps-015"
address = "203.0.113.15"
rate = "10MB/s"
customer = "beta"
"#;

const SETTINGS: &str = "[site]\nname = \"Example Hosting\"\nlanguages = [\"en\", \"nl\"]\n\n\
                        [tiers]\ngold = 10\n";

/// A site with [`INVENTORY`], without mistakes.
fn fleet() -> Site {
    let site = Site::new();
    site.write("evac.toml", SETTINGS).write("inventory.toml", INVENTORY);
    site
}

/// Fails unless `value` is an object that has every one of `names`.
#[track_caller]
fn has_fields(value: &Value, names: &str) {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    for name in names.split_whitespace() {
        assert!(object.contains_key(name), "`{name}` is missing in {value}");
    }
}
