//! Exports as they come, and random ones: what is written must read back.

use proptest::prelude::*;

use super::*;
use crate::inventory::{Inventory, Problem, SourceFile, read_files};

/// What the import says, read by the parser; every tier is known.
fn read_back(imported: &Imported) -> Inventory {
    let tiers: Vec<_> = imported.tiers.iter().map(|tier| format!("\"{tier}\" = 1")).collect();
    let text = format!("[site]\nname = \"x\"\n[tiers]\n{}", tiers.join("\n"));
    let settings = SourceFile::new("evac.toml", text);
    let file = SourceFile::new("inventory.d/csv-x.toml", imported.toml.clone());
    let reading = read_files(&settings, &[file]);
    let errors: Vec<_> = reading.problems.iter().filter(|problem| problem.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{}", imported.toml);
    reading.inventory
}

fn import(text: &str) -> (Imported, Inventory) {
    let imported = csv(text.as_bytes(), "x.csv").unwrap();
    let inventory = read_back(&imported);
    (imported, inventory)
}

fn notes(imported: &Imported) -> String {
    imported.notes.iter().map(Note::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_billing_export_becomes_customers_and_hosts() {
    let text = "Client ID;Company Name;Server Name;Dedicated IP;Username;Password;\
        Email;Domain;Status;Disk GB;Priority;Language\r\n\
        8812;Acme BV;VPS 014;203.0.113.14;acme;hunter2;\
        ops@acme.example;acme.example;Active;40;Gold;nl\r\n\
        8812;Acme BV;VPS 015;203.0.113.15;acme2;hunter3;\
        ceo@acme.example;shop.acme.example;Suspended;10;Gold;nl\r\n\
        9;\"Café; Zürich\";VPS 016;203.0.113.16/24;cafe;x;;;Active;;;\r\n";
    let (imported, inventory) = import(text);
    assert_eq!((imported.customers, imported.hosts, imported.rows), (2, 3, 3));
    assert_eq!(imported.dropped, ["Password"]);
    assert_eq!(imported.ignored, ["Username"]);
    assert_eq!(imported.tiers, ["gold"]);
    assert!(!imported.toml.contains("hunter"));
    let acme = &inventory.customers[0];
    assert_eq!((acme.id.as_str(), acme.name.as_str()), ("8812", "Acme BV"));
    assert_eq!(acme.contacts, ["ceo@acme.example", "ops@acme.example"]);
    assert!(acme.suspended);
    assert_eq!(inventory.customers[1].name, "Café; Zürich");
    assert_eq!(inventory.hosts[2].address, "203.0.113.16");
    assert_eq!(inventory.hosts[0].workloads.len(), 5);
    assert!(inventory.hosts.iter().all(|host| host.untrusted), "each is one customer's");
}

#[test]
fn rows_with_paths_are_workloads() {
    let text = "host,ip,customer,id,paths,class,size,label\n\
        web-1,192.0.2.1,acme,acme-site,/var/www/acme|/etc/acme/,web,40GB,shop.acme.example\n\
        web-1,192.0.2.1,beta,beta-site,/var/www/beta,Web,7,\n\
        web-1,192.0.2.1,beta,beta-site,/srv/beta,zip,1GB,\n";
    let (imported, inventory) = import(text);
    let workloads = &inventory.hosts[0].workloads;
    let ids: Vec<_> = workloads.iter().map(|workload| workload.id.as_str()).collect();
    assert_eq!(ids, ["acme-site", "beta-site", "beta-site-2"]);
    assert_eq!(workloads[0].paths.len(), 2);
    assert_eq!(workloads[0].bytes.unwrap().0, 40_000_000_000);
    assert_eq!(workloads[1].customer.as_str(), "beta");
    assert!(!inventory.hosts[0].untrusted, "several share it");
    let notes = notes(&imported);
    for expected in ["line 3: the size `7` has no unit", "line 4: `zip` is no class", "is taken"] {
        assert!(notes.contains(expected), "{notes}");
    }
}

#[test]
fn whoever_knows_better_says_who_has_root() {
    let text = "host,ip,customer,untrusted,paths\n\
        web-1,192.0.2.1,us,No,\n\
        web-2,192.0.2.2,acme,,/srv/acme\n\
        web-2,192.0.2.2,beta,yes,/srv/beta\n\
        web-3,192.0.2.3,acme,perhaps,\n";
    let (imported, inventory) = import(text);
    let untrusted = inventory.hosts.iter().map(|host| host.untrusted);
    assert_eq!(untrusted.collect::<Vec<_>>(), [false, true, true]);
    assert!(notes(&imported).contains("line 5: whether it is untrusted is answered by yes or no"));
}

#[test]
fn conflicts_are_listed_and_the_first_counts() {
    let text = "name\tip\tport\tcustomer\ttier\n\
        a\t192.0.2.1\t22\tacme\tgold\n\
        a\t192.0.2.2\t23\tAcme \tsilver\n\
        b\t192.0.2.1\t22\tacme\tgold\n\
        c\tnot an address!\t22\tacme\tgold\n\
        a b\t192.0.2.4\t22\tacme\t\n\
        a/b\t192.0.2.5\t22\tother\t\n\
        a\t192.0.2.1\t\tother\t\n";
    let (imported, inventory) = import(text);
    let notes = notes(&imported);
    for expected in [
        "hosts `a` and `b` have one address: 192.0.2.1",
        "line 3: host `a` has the port 22, here 23",
        "line 3: host `a` has the address 192.0.2.1, here 192.0.2.2",
        "line 3: customer `acme` has the tier gold, here silver",
        "line 5: host `c` is left out: `not an address!` is no address",
        "line 7: `a/b` is called `a-b-2`",
        "line 8: host `a` is `acme`'s, here `other`'s",
    ] {
        assert!(notes.contains(expected), "{expected}\n{notes}");
    }
    assert_eq!(inventory.hosts[0].port, 22);
    assert_eq!(inventory.customers.len(), 2);
}

#[test]
fn encodings_of_spreadsheets_are_understood() {
    let text = "host;ip;customer\nweb;192.0.2.1;Café\n";
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    for bytes in [utf16, marked, latin] {
        let imported = csv(&bytes, "x.csv").unwrap();
        assert_eq!(read_back(&imported).customers[0].name, "Café");
    }
}

#[test]
fn nothing_imported_is_an_error() {
    let check = |text: &str, what: &str| {
        let error = csv(text.as_bytes(), "x").unwrap_err().to_string();
        assert!(error.contains(what), "{text}: {error}");
    };
    check("", "no column names a host");
    check("colour,shape\nred,round\n", "found: colour, shape");
    check("host,ip\n", "no usable row");
    check("host,ip\n,\n", "no usable row");
    check("host,ip\nweb,???\n", "is no address");
    assert!(matches!(csv(&vec![b'a'; 65 << 20], "x"), Err(ImportError::TooLarge { .. })));
}

#[test]
fn any_column_of_secrets_is_dropped() {
    let headers =
        "host,ip,Root Password,passwd,API-Key,ssh_private_key,Access Token,client secret,PWD";
    let values = "web,192.0.2.1,s3cr3t,s3cr3t,s3cr3t,s3cr3t,s3cr3t,s3cr3t,s3cr3t,s3cr3t";
    let imported = csv(format!("{headers}\n{values}\n").as_bytes(), "x").unwrap();
    assert_eq!(imported.dropped.len(), 7);
    assert!(!format!("{imported:?}").contains("s3cr3t"));
}

#[test]
fn files_are_named_after_what_was_imported() {
    let name = |path: &str| file_name("csv", Path::new(path));
    assert_eq!(name("/tmp/All Customers (2).csv"), "csv-all-customers-2.toml");
    assert_eq!(name("???.csv"), "csv-import.toml");
}

#[test]
fn notes_cannot_leave_their_comment() {
    let text = "host,ip,customer\n\"a\n[[host]]\nid = 1\",192.0.2.1,\"x\"\"]\ny\"\n";
    let (_, inventory) = import(text);
    assert_eq!(inventory.hosts.len(), 1);
    assert!(Problem::warning(&inventory.hosts[0].origin, "").line > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the cells hold, the file reads back without an error and with the same counts.
    #[test]
    fn what_is_written_reads_back(
        rows in prop::collection::vec(
            (
                0..4_u8,
                "\\PC{0,12}",
                "[a-zA-Z /._-]{1,70}",
                "[a-z|/. *!\\[-]{0,12}",
                "[^/]{0,6}",
            ),
            1..8,
        ),
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let headers = [
            "host", "address", "customer", "workload", "paths", "tier", "language", "hold", "group",
            "email", "domain", "exclude", "user", "port", "class",
        ];
        writer.write_record(headers).unwrap();
        for (index, (host, wild, name, pattern, any)) in rows.iter().enumerate() {
            let paths = format!("/p{index}{any}");
            let (host, address) = (format!("h{host}"), format!("192.0.2.{host}"));
            writer.write_record([
                &host, &address, name, wild, &paths, name, any, any, wild, any, wild, pattern, any,
                any, any,
            ]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let imported = csv(&bytes, "x.csv").unwrap();
        let inventory = read_back(&imported);
        prop_assert_eq!(inventory.customers.len(), imported.customers);
        prop_assert_eq!(inventory.hosts.len(), imported.hosts);
    }

    #[test]
    fn any_bytes_at_all_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = csv(&[b"host,ip,paths\n".to_vec(), bytes.clone()].concat(), "x");
        let _ = csv(&bytes, "x");
    }
}
