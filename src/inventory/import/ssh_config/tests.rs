//! Names are found, and become hosts as `ssh` understands them.

use std::fs;

use super::*;
use crate::inventory::{SourceFile, read_files};

fn known(address: &str) -> Known {
    Known { address: address.into(), user: "kim".into(), port: Some(22), ..Known::default() }
}

fn answers(all: &[(&str, Known)]) -> Answers {
    all.iter().map(|(name, known)| (Hop::named(name), Ok(known.clone()))).collect()
}

fn hosts(names: &[&str]) -> Names {
    let hosts = (1..).zip(names.iter().map(|name| (*name).to_owned())).collect();
    Names { hosts, sets_user: true, notes: Vec::new() }
}

/// What the text means to whoever reads the inventory.
fn read_back(imported: &Imported) -> crate::inventory::Inventory {
    let settings = SourceFile::new("evac.toml", "[site]\nname = \"x\"\n");
    let file = SourceFile::new("inventory.d/ssh-config-config.toml", &imported.toml);
    let reading = read_files(&settings, &[file]);
    assert!(reading.is_ok(), "{:?}\n{}", reading.problems, imported.toml);
    reading.inventory
}

fn notes(imported: &Imported) -> String {
    let notes: Vec<_> = imported.notes.iter().map(ToString::to_string).collect();
    notes.join("\n")
}

#[test]
fn names_are_found_wherever_they_stand() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".ssh");
    fs::create_dir_all(folder.join("config.d")).unwrap();
    fs::write(folder.join("config.d/b.conf"), "HOST=later\n  User x\n").unwrap();
    fs::write(folder.join("config.d/a.conf"), "Host \"a name\" web\nInclude config\n").unwrap();
    fs::write(folder.join("config.d/.hidden.conf"), "Host hidden\n").unwrap();
    let text = "# Host no\nhost web db* !not \tdb-1 # Host neither\nMatch host z\n\
                Include config.d/*.conf nowhere\n\tHost last\n";
    fs::write(folder.join("config"), text).unwrap();
    let found = names(&folder.join("config"), Some(home.path())).unwrap();
    let each: Vec<_> = found.hosts.iter().map(|(line, name)| (*line, name.as_str())).collect();
    // A file that includes itself is followed as far as `ssh` does, and no name comes twice.
    assert_eq!(each, [(2, "web"), (2, "db-1"), (4, "a name"), (4, "last"), (4, "later")]);
    assert!(found.sets_user);
    assert!(found.notes.iter().all(|note| note.what.contains("too many files")), "{found:?}");
    assert!(names(&folder.join("nowhere"), None).is_err());
}

#[test]
fn names_become_hosts_with_their_ways() {
    let jump = |hops: &[&str]| hops.iter().map(|name| Hop::named(name)).collect::<Vec<_>>();
    let web = Known { jumps: jump(&["bastion"]), port: Some(2200), ..known("192.0.2.1") };
    let db = Known {
        jumps: jump(&["bastion", "inner"]),
        identities: vec!["/keys/db".into()],
        ..known("192.0.2.2")
    };
    let all = answers(&[
        ("web", web),
        ("db", db),
        ("bastion", known("192.0.2.3")),
        ("inner", known("192.0.2.4")),
    ]);
    let usual = [];
    let imported = import(&hosts(&["web", "db", "bastion"]), &all, &usual, "config").unwrap();
    assert_eq!((imported.hosts, imported.customers, imported.rows), (4, 3, 3));
    let inventory = read_back(&imported);
    let host = |id: &str| inventory.host(&id.parse().unwrap()).unwrap();
    let jump_of = |id: &str| host(id).jump.as_ref().map(ToString::to_string);
    assert_eq!((host("web").port, host("web").user.as_deref()), (2200, Some("kim")));
    assert_eq!(jump_of("web").as_deref(), Some("bastion"));
    assert_eq!(
        (jump_of("db").as_deref(), jump_of("inner").as_deref()),
        (Some("inner"), Some("bastion"))
    );
    assert!(!host("inner").capture && host("bastion").capture);
    assert!(imported.toml.contains("identity = [\"/keys/db\"]"), "{}", imported.toml);
    assert!(notes(&imported).contains("host `bastion` leads to others"), "{}", notes(&imported));
}

#[test]
fn what_is_no_host_is_left_out_by_name_and_no_command_is_repeated() {
    let git = Known { user: "git".into(), ..known("code.example") };
    let mut all = answers(&[
        ("code", git),
        ("web", known("192.0.2.1")),
        ("www", known("192.0.2.1")),
        ("odd", known("not an address")),
    ]);
    let secret = "`ProxyCommand connect --password hunter2` is not done by evac";
    all.insert(Hop::named("far"), Err(secret.to_owned()));
    let listed = hosts(&["code", "web", "www", "odd", "far", "unknown"]);
    let imported = import(&listed, &all, &[], "config").unwrap();
    assert_eq!((imported.hosts, imported.rows), (1, 6));
    let notes = notes(&imported);
    for part in
        ["`code` is left out", "`www` is the host `web`", "`odd` is left out", "`far` is left"]
    {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    assert!(!format!("{notes}{}", imported.toml).contains("hunter2"));
    let nothing = import(&hosts(&["code"]), &all, &[], "config").unwrap_err();
    assert!(nothing.to_string().contains("`code` is left out"), "{nothing}");
    assert!(import(&hosts(&[]), &all, &[], "config").is_err());
}

#[test]
fn whom_to_log_in_as_is_left_to_the_site_where_the_file_is_silent() {
    let silent = Names { sets_user: false, ..hosts(&["web"]) };
    let usual: Vec<PathBuf> = vec!["/root/.ssh/id_ed25519".into()];
    let web = Known { identities: usual.clone(), ..known("192.0.2.1") };
    let imported = import(&silent, &answers(&[("web", web)]), &usual, "config").unwrap();
    assert!(!imported.toml.contains("user =") && !imported.toml.contains("identity ="));
}
