//! What is written wrong.

use std::fs;

use super::Mistake;
use crate::site::Site;

const SETTINGS: &str = "[site]\nname = \"Example Hosting\"\n[tiers]\ngold = 10\n";
const INVENTORY: &str = "[[customer]]\nid = \"acme\"\ntier = \"gold\"\n\
    contacts = [\"tel:+31201234567\"]\n\
    [[host]]\nid = \"one\"\naddress = \"203.0.113.14\"\ncustomer = \"acme\"\n\
    [[host.workload]]\nid = \"tree\"\npaths = [\"/srv/tree\"]\n\
    [[host]]\nid = \"two\"\naddress = \"203.0.113.15\"\ncustomer = \"acme\"\n";

/// A file of the site in which `from` is `to`, and what is told.
struct Slip {
    what: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    typed: &'static [&'static str],
    exits: i32,
    told: &'static [&'static str],
}

const SLIPS: [Slip; 14] = [
    Slip {
        what: "a letter twisted in a key of the settings",
        file: "evac.toml",
        from: "name",
        to: "naem",
        typed: &["run"],
        exits: 2,
        told: &["evac.toml:2: [site] has no key `naem`", "Did you mean `name`?", "`evac check`"],
    },
    Slip {
        what: "a bracket forgotten in the settings",
        file: "evac.toml",
        from: "[tiers]",
        to: "[tiers",
        typed: &["run"],
        exits: 2,
        told: &["evac.toml:3: not TOML", "hint: ", "`evac check` lists every mistake"],
    },
    Slip {
        what: "a tier that the settings do not have",
        file: "inventory.toml",
        from: "\"gold\"",
        to: "\"glod\"",
        typed: &["check"],
        exits: 2,
        told: &["inventory.toml:3: `tier` names `glod`", "Did you mean `gold`?", "2 hosts"],
    },
    Slip {
        what: "the same tier: nobody's data stays behind for it",
        file: "inventory.toml",
        from: "\"gold\"",
        to: "\"glod\"",
        typed: &["status"],
        exits: 0,
        told: &[
            "0 of 1 customers",
            "customer/acme counts as one without a tier: inventory.toml:3:",
        ],
    },
    Slip {
        what: "a host pasted in twice",
        file: "inventory.toml",
        from: "id = \"two\"",
        to: "id = \"one\"",
        typed: &["check"],
        exits: 2,
        told: &[
            "inventory.toml:12: host/one is written twice, first at inventory.toml:5",
            "hint: ",
        ],
    },
    Slip {
        what: "a way in through a host that nobody knows",
        file: "inventory.toml",
        from: "id = \"two\"",
        to: "id = \"two\"\njump = \"onr\"",
        typed: &["check"],
        exits: 2,
        told: &["inventory.toml:14: `jump` names `onr`", "Did you mean `one`?"],
    },
    Slip {
        what: "a way in through itself",
        file: "inventory.toml",
        from: "id = \"two\"",
        to: "id = \"two\"\njump = \"two\"",
        typed: &["check"],
        exits: 2,
        told: &["inventory.toml:14: ", "hint: Leave out one `jump`"],
    },
    Slip {
        what: "a path that is not absolute",
        file: "inventory.toml",
        from: "/srv/tree",
        to: "srv/tree",
        typed: &["check"],
        exits: 2,
        told: &["`srv/tree` is not a usable path: it is not absolute", "hint: Write an absolute"],
    },
    Slip {
        what: "a customer that nobody knows",
        file: "inventory.toml",
        from: "customer = \"acme\"\n[[host.workload]]",
        to: "customer = \"amce\"\n[[host.workload]]",
        typed: &["check"],
        exits: 2,
        told: &["`customer` names `amce`", "Did you mean `acme`?"],
    },
    Slip {
        what: "the only inventory is no TOML any more",
        file: "inventory.toml",
        from: "[[customer]]",
        to: "[[customer]",
        typed: &["run"],
        exits: 2,
        told: &["no usable host: inventory.toml:1: not TOML", "hint: "],
    },
    Slip {
        what: "a port that no port can be",
        file: "inventory.toml",
        from: "id = \"two\"",
        to: "id = \"two\"\nport = 222222",
        typed: &["check"],
        exits: 2,
        told: &["inventory.toml:14: `port` must be from 1 to 65535, not 222222"],
    },
    Slip {
        what: "a rate without a unit",
        file: "inventory.toml",
        from: "id = \"two\"",
        to: "id = \"two\"\nrate = \"300\"",
        typed: &["check"],
        exits: 2,
        told: &["inventory.toml:14: `rate`"],
    },
    Slip {
        what: "a window that closes before it opens",
        file: "evac.toml",
        from: "[tiers]",
        to: "[[window]]\nopens = 2030-03-05T04:00:00Z\ncloses = 2030-03-04T04:00:00Z\n[tiers]",
        typed: &["run"],
        exits: 2,
        told: &["evac.toml:3: the window closes (2030-03-04T04:00:00Z) before it opens", "hint: "],
    },
    Slip {
        what: "a key for signing, and nobody to send anything to",
        file: "evac.toml",
        from: "[tiers]",
        to: "[alert]\nsecret_file = \"x\"\n[tiers]",
        typed: &["run"],
        exits: 2,
        told: &["evac.toml:3: `secret_file` signs what is posted", "hint: Write `webhook`"],
    },
];

#[test]
fn slips_of_the_pen_are_told_with_their_line_and_change_nothing() {
    for slip in SLIPS {
        let site = Site::new();
        site.write("evac.toml", SETTINGS).write("inventory.toml", INVENTORY);
        let text = fs::read_to_string(site.path(slip.file)).unwrap();
        assert!(text.contains(slip.from), "{}", slip.what);
        site.write(slip.file, &text.replacen(slip.from, slip.to, 1));
        let Slip { what, typed, exits, told, .. } = slip;
        Mistake { what, typed, exits, told }.check(&site);
        assert!(!site.path("state").exists(), "{what}: a state was made");
        site.write(slip.file, &text).evac(&["check"]).exits(0);
    }
}

#[test]
fn an_inventory_in_another_encoding_is_told() {
    let site = Site::new();
    site.write("evac.toml", SETTINGS);
    fs::write(site.path("inventory.toml"), b"[[host]]\nid = \"caf\xe9\"\n").unwrap();
    let told = &["no usable host: inventory.toml: cannot read it", "UTF-8", "hint: "];
    let what = "saved as Latin-1";
    Mistake { what, typed: &["run"], exits: 2, told }.check(&site);
}
