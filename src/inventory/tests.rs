//! Whole readings: files in, inventory and problems out.

use proptest::prelude::*;

use super::*;

const SITE: &str = "[site]\nname = \"X\"\n[tiers]\ngold = 10\n[[uplink]]\nid = \"ams\"\n\
                    [[resource]]\nid = \"hv-3\"\nkind = \"hypervisor\"\n\
                    [[target]]\nid = \"rack\"\naddress = \"198.51.100.7\"\n";
const ACME: &str = "[[customer]]\nid = \"acme\"\ncontacts = [\"tel:+31\"]\n";

fn reading(files: &[(&str, &str)]) -> Reading {
    let files: Vec<_> = files.iter().map(|(name, text)| SourceFile::new(name, *text)).collect();
    read_files(&SourceFile::new("evac.toml", SITE), &files)
}

fn read_one(text: &str) -> Reading {
    reading(&[("inventory.toml", &format!("{ACME}{text}"))])
}

/// `text` behind [`ACME`] yields exactly one problem, at `line` of `text`, that says `what`.
fn check(text: &str, line: u32, what: &str) {
    let reading = read_one(text);
    // A host that cannot be used leaves its customer without data; that is said too.
    let follows = |p: &&Problem| p.is_error() || !p.what.contains("owns no host");
    let problems: Vec<_> = reading.problems.iter().filter(follows).collect();
    let shown: Vec<_> = problems.iter().map(|p| format!("{p} [{}]", p.hint)).collect();
    assert_eq!(shown.len(), 1, "{text}\n{shown:#?}");
    let offset = ACME.lines().count() as u32;
    assert!(shown[0].contains(what), "{text}\n{shown:#?}");
    assert_eq!(problems[0].line, line + offset, "{text}\n{shown:#?}");
}

/// A host of acme's, with more lines.
fn host(lines: &str) -> String {
    format!("[[host]]\nid = \"a\"\naddress = \"192.0.2.1\"\ncustomer = \"acme\"\n{lines}")
}

#[test]
fn each_slip_has_its_line_and_a_hint() {
    check(&host("adress = \"x\""), 5, "host has no key `adress` [Did you mean `address`?]");
    check(&host("port = 0"), 5, "`port` must be from 1 to 65535");
    check(&host("port = \"22\""), 5, "must be a whole number, not a text");
    check(&host("rate = \"fast\""), 5, "`rate`: `fast` is not a rate");
    check(&host("uplink = \"asm\""), 5, "which is not written down");
    check(&host("uplink = \"hv-3\""), 5, "is no uplink");
    check(&host("uses = [\"ams\",\n\"hv-4\"]"), 5, "Did you mean `hv-3`?");
    check(&host("jump = \"b\""), 5, "`jump` names `b`");
    check(&host("jump = \"a\""), 5, "in a circle: a → a");
    check(&host("target = \"rock\""), 5, "Did you mean `rack`?");
    check(&host("target = { port = 22 }"), 5, "target has no `address`");
    check(&host("password = \"x\""), 5, "evac keeps no passwords in files");
    check(&host("password_command = \"pass\""), 5, "must be a list of texts, not a text");
    check(&host("password_command = [\"pass\",\n\"{adress}\"]"), 6, "Did you mean `address`?");
    check(&host("sudo_password_command = [\"\"]"), 5, "names no program");
    check(&host("config = 22"), 5, "must be true, false or a path");
    check(&host("hold = \"none\""), 5, "host has no key `hold`");
    check("[[host]]\nid = \"A\"\naddress = \"192.0.2.1\"\ncustomer = \"acme\"", 2, "must begin");
    check("[[host]]\nid = \"a\"\naddress = \"192.0.2.1\"", 1, "host/a has no owner");
    check("[[host]]\nid = \"a\"\ncustomer = \"acme\"", 1, "host has no `address`");
    let nameless = format!("[[host]]\naddress = \"192.0.2.9\"\n{}", host(""));
    check(&nameless, 1, "a host has no `id`");
    for (address, hint) in [
        ("root@192.0.2.1", "`user`"),
        ("192.0.2.1:22", "`port`"),
        ("192.0.2.0/24", "prefix"),
        ("https://a", "bare"),
        ("192.0.2.256", "neither"),
    ] {
        let text = host("").replace("192.0.2.1", address);
        check(&text, 3, hint);
    }
}

#[test]
fn workloads_are_looked_at_too() {
    let workload = |lines: &str| host(&format!("[[host.workload]]\nid = \"w\"\n{lines}"));
    check(&workload(""), 5, "no `paths`");
    check(&workload("paths = []"), 5, "no `paths`");
    check(&workload("paths = [\n\"etc\"]"), 8, "it is not absolute");
    check(&workload("paths = [\"/a/../b\"]"), 7, "`..`");
    check(&workload("paths = [\"/a\"]\nexclude = [\"[z-a]\"]"), 8, "not a pattern");
    check(&workload("paths = [\"/a/b\"]\nexclude = [\"/a\"]"), 7, "leaves out the path");
    check(&workload("paths = [\"/a\"]\nclass = \"webb\""), 8, "Did you mean `web`?");
    check(&workload("paths = [\"/a\"]\nkind = \"vm\""), 8, "must be files");
    check(&workload("paths = [\"/a\"]\naddresses = [{ old = \"x\" }]"), 8, "`old`");
    check(&workload("paths = [\"/a\"]\nrestore = { root = \"/\" }"), 8, "--in-place");
    check(&workload("paths = [\"/a\"]\naccept = [{ path = \"/b\" }]"), 8, "no `reason`");
    check(&workload("paths = [\"/a\"]\ncustomer = \"acne\""), 8, "Did you mean `acme`?");
    check(
        &format!("{}capture = false\n[[host.workload]]\nid = \"w\"\npaths = [\"/a\"]", host("")),
        5,
        "capture = false",
    );
}

#[test]
fn paths_are_cleaned() {
    let text = host("[[host.workload]]\nid = \"w\"\npaths = [\"/b/\", \"/a/x\", \"/a\"]");
    let reading = read_one(&text);
    assert!(reading.is_ok(), "{:?}", reading.problems);
    let paths: Vec<_> = reading.inventory.hosts[0].workloads[0].paths.iter().collect();
    assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/a", "/b"]);
}

#[test]
fn overlapping_workloads_are_found_unless_excluded() {
    let two = |exclude: &str, owner: &str| {
        host(&format!(
            "[[host.workload]]\nid = \"all\"\npaths = [\"/\"]\nexclude = [{exclude}]\n\
             [[host.workload]]\nid = \"w\"\npaths = [\"/var/www\"]\ncustomer = \"{owner}\"\n\
             [[customer]]\nid = \"other\"\ncontacts = [\"tel:1\"]\n"
        ))
    };
    assert!(read_one(&two("\"/var/www\"", "other")).is_ok());
    assert!(read_one(&two("\"/var/\"", "other")).is_ok());
    let foreign = read_one(&two("", "other"));
    assert_eq!(foreign.set_aside[0].entry, Entry::Workload("all".into()));
    assert_eq!(foreign.problems.len(), 1, "{:?}", foreign.problems);
    let own = read_one(&two("", "acme"));
    assert!(!own.is_ok() && own.set_aside.is_empty());
}

/// Capture needs no target: a slip there costs the target, of the host and of all that inherit it.
#[test]
fn a_slip_in_a_target_sets_nothing_aside() {
    let workloads = |own: &str| {
        format!(
            "[[host.workload]]\nid = \"u\"\npaths = [\"/u\"]\n\
             [[host.workload]]\nid = \"w\"\npaths = [\"/w\"]\n{own}"
        )
    };
    let targets = |text: &str| {
        let reading = read_one(text);
        assert!(!reading.is_ok() && reading.set_aside.is_empty(), "{text}: {reading:#?}");
        let of = |id: &str| {
            let workload = reading.inventory.workload(&id.parse().unwrap()).unwrap();
            workload.target.as_ref().map(ToString::to_string)
        };
        (of("u"), of("w"))
    };
    let rack = || Some("rack".to_owned());
    for slip in ["\"rock\"", "\"Rack 7\"", "7", "{ port = 22 }", "{ address = \"::x\" }"] {
        let slip = format!("target = {slip}\n");
        assert_eq!(targets(&host(&format!("{slip}{}", workloads("")))), (None, None), "{slip}");
        let right = workloads("target = \"rack\"\n");
        assert_eq!(targets(&host(&format!("{slip}{right}"))), (None, rack()), "{slip}");
        let wrong = workloads(&slip);
        let text = host(&format!("target = \"rack\"\n{wrong}"));
        assert_eq!(targets(&text), (rack(), None), "{slip}");
    }
    let whole = read_one(&host("target = \"rock\"\n"));
    assert!(whole.inventory.workloads().count() > 0);
    assert!(whole.inventory.workloads().all(|workload| workload.target.is_none()));
}

#[test]
fn a_target_that_is_a_source_needs_a_root_outside() {
    let text = |root: &str| {
        host(&format!(
            "target = {{ address = \"192.0.2.1\" }}\n[[host.workload]]\nid = \"w\"\n\
             paths = [\"/srv/a\"]\n{root}"
        ))
    };
    assert!(read_one(&text("restore = { root = \"/restored\" }")).is_ok());
    for bad in ["", "restore = { root = \"/srv\" }", "restore = { root = \"/srv/a/b\" }"] {
        let reading = read_one(&text(bad));
        assert!(!reading.is_ok(), "{bad}");
        assert!(reading.set_aside.is_empty(), "{bad}: it is captured all the same");
    }
}

#[test]
fn later_files_overlay_key_by_key() {
    let workload = "[[host.workload]]\nid = \"w\"\nclass = \"web\"\npaths = [\"/a\"]\n";
    let first = format!("{ACME}{}", host(workload));
    let second = "[[host]]\nid = \"a\"\nport = 2222\n\
                  [[host.workload]]\nid = \"w\"\nbytes = \"2GB\"\n\
                  [[host.workload]]\nid = \"v\"\npaths = [\"/v\"]\n";
    let reading = reading(&[("inventory.toml", &first), ("inventory.d/b.toml", second)]);
    assert!(reading.is_ok(), "{:?}", reading.problems);
    let host = &reading.inventory.hosts[0];
    assert_eq!((host.port, host.address.as_str()), (2222, "192.0.2.1"));
    assert_eq!(host.workloads.len(), 2);
    assert_eq!(host.workloads[0].class, Class::Web);
    assert_eq!(host.workloads[0].bytes, Some(Bytes(2_000_000_000)));
    assert_eq!(host.origin.to_string(), "inventory.toml:4");
}

#[test]
fn twice_in_one_file_is_no_overlay() {
    check(&format!("{}{}", host(""), host("port = 1")), 5, "host/a is written twice");
    let reading = read_one(&format!("{}{}", host(""), host("port = 1")));
    assert!(reading.inventory.hosts.is_empty());
    let one = host("[[host.workload]]\nid = \"w\"\npaths = [\"/a\"]\n");
    let two = one.replace("\"a\"", "\"b\"").replace("192.0.2.1", "192.0.2.2");
    let reading = read_one(&format!("{one}{two}"));
    assert_eq!(reading.set_aside.len(), 1);
    assert_eq!(reading.problems.len(), 2, "{:?}", reading.problems);
}

#[test]
fn one_bad_entry_is_set_aside_with_what_hangs_on_it() {
    let text = "[[customer]]\nid = \"bad\"\ntear = \"gold\"\n\
        [[host]]\nid = \"gate\"\naddress = \"?\"\ncapture = false\n\
        [[host]]\nid = \"b\"\naddress = \"b.example\"\ncustomer = \"bad\"\n\
        [[host]]\nid = \"c\"\naddress = \"c.example\"\ncustomer = \"acme\"\njump = \"gate\"\n\
        [[host]]\nid = \"d\"\naddress = \"d.example\"\ncustomer = \"acme\"\njump = \"c\"\n";
    let reading = read_one(&format!("{text}{}", host("")));
    let aside: Vec<_> = reading.set_aside.iter().map(|aside| aside.entry.to_string()).collect();
    let defaults = Class::ALL.map(|class| format!("workload/b-{class}"));
    let mut expected = vec!["customer/bad".to_owned()];
    expected.extend(["c", "d", "gate"].map(|id| format!("host/{id}")));
    let mut defaults = defaults.to_vec();
    defaults.sort();
    expected.extend(defaults);
    assert_eq!(aside, expected);
    let hosts: Vec<_> = reading.inventory.hosts.iter().map(|host| host.id.as_str()).collect();
    assert_eq!(hosts, ["b", "a"]);
    assert_eq!(reading.inventory.workloads().count(), 5);
    assert_eq!(reading.usable(), Ok(()));
    assert!(reading.set_aside.iter().all(|aside| aside.origin.line > 0), "{:?}", reading.set_aside);
}

#[test]
fn bad_toml_sets_its_file_aside() {
    let good = format!("{ACME}{}", host(""));
    let reading = reading(&[("inventory.toml", &good), ("inventory.d/x.toml", "[[host]\n")]);
    assert_eq!(reading.problems[0].file, "inventory.d/x.toml");
    assert_eq!(reading.problems[0].line, 1);
    assert_eq!(reading.usable(), Ok(()));
    assert!(!reading.is_ok());
}

#[test]
fn settings_with_mistakes_stop_everything() {
    let check = |text: &str, what: &str| {
        let inventory = SourceFile::new("inventory.toml", format!("{ACME}{}", host("")));
        let reading = read_files(&SourceFile::new("evac.toml", text), &[inventory]);
        assert!(matches!(reading.usable(), Err(Unusable::Settings { .. })), "{text}");
        assert!(
            reading.problems.iter().any(|p| format!("{p} {}", p.hint).contains(what)),
            "{text} {:?}",
            reading.problems
        );
    };
    check("", "there is no `site.name`");
    check("[site]\nname = \" \"", "evac.toml:2: `name` is empty");
    check(
        "[site]\nname = \"x\"\ntimezone = \"Europe/Amsterdm\"",
        "Did you mean `Europe/Amsterdam`",
    );
    check("[site]\nname = \"x\"\nlanguages = [\"xx\"]", "language `xx` is unknown");
    check("[site]\nname = \"x\"\n[limit]\n", "evac.toml has no key `limit`");
    check("[site]\nname = \"x\"\n[tiers]\ngold = -1", "weight of `gold`");
    check("[site]\nname = \"x\"\n[classes]\nwebs = 1", "no class `webs`");
    check("[site]\nname = \"x\"\n[[resource]]\nid = \"a\"", "no `kind`");
    check("[site]\nname = \"x\"\n[[uplink]]\nid = \"a\"\n[[uplink]]\nid = \"a\"", "written twice");
    let window = |a: &str, b: &str| {
        format!("[site]\nname = \"x\"\n[[window]]\nopens = \"{a}\"\ncloses = \"{b}\"\n")
    };
    check(&window("2030-01-01T04:00:00Z", "2030-01-01T03:00:00Z"), "closes (2030");
    check(&window("2030-01-01T04:00:00", "2030-01-01T05:00:00Z"), "with its zone");
    check("[site\n", "not TOML");
    for place in ["192.0.2.1", "::1:22", "a:0", ":22", "a b:22", "[::1:22"] {
        let text = format!("[site]\nname = \"x\"\n[wait]\noutside = [\"{place}\"]");
        check(&text, "is no address with a port");
    }
}

#[test]
fn a_time_needs_no_quotes() {
    let text = "[site]\nname = \"x\"\n[[window]]\nopens = 2030-01-01T04:00:00+01:00\n";
    let reading = read_files(&SourceFile::new("evac.toml", text), &[]);
    assert!(reading.settings_ok(), "{:?}", reading.problems);
    assert_eq!(reading.settings.windows[0].opens.unwrap().to_string(), "2030-01-01T03:00:00Z");
    assert_eq!(reading.usable(), Err(Unusable::NoHosts { first: None }));
}

#[test]
fn contacts_on_evacuated_domains_are_a_warning() {
    let text = format!(
        "[[customer]]\nid = \"b\"\ncontacts = [\"me@mail.shop.example\"]\n\
         domains = [\"shop.example\"]\n{}",
        host("[[host.workload]]\nid = \"w\"\npaths = [\"/a\"]\ncustomer = \"b\"\n")
    );
    let reading = read_one(&text);
    let what: Vec<_> = reading.problems.iter().map(|problem| problem.what.as_str()).collect();
    assert!(what.iter().any(|what| what.contains("every contact of customer/b")), "{what:?}");
    assert!(reading.is_ok() && reading.set_aside.is_empty());
}

#[test]
fn a_site_is_read_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path();
    let nothing = read(site);
    assert!(matches!(nothing.usable(), Err(Unusable::Settings { .. })));
    assert!(nothing.problems[0].what.contains("`evac init` writes one"));
    std::fs::write(site.join("evac.toml"), SITE).unwrap();
    std::fs::create_dir(site.join("inventory.d")).unwrap();
    std::fs::write(site.join("inventory.d/b.toml"), "[[host]]\nid = \"a\"\nport = 7\n").unwrap();
    std::fs::write(site.join("inventory.d/a.toml"), format!("{ACME}{}", host(""))).unwrap();
    std::fs::write(site.join("inventory.d/notes.txt"), "not read").unwrap();
    let reading = read(site);
    assert!(reading.is_ok(), "{:?}", reading.problems);
    assert_eq!(reading.inventory.hosts[0].port, 7);
    assert_eq!(reading.inventory.hosts[0].workloads.len(), 5);
    // What cannot be read is said, never passed over.
    std::fs::write(site.join("inventory.d/c.toml"), b"\xff").unwrap();
    let problems = super::read(site).problems;
    assert!(problems.iter().any(|problem| problem.file == "inventory.d/c.toml"), "{problems:?}");
    std::fs::remove_dir_all(site.join("inventory.d")).unwrap();
    std::fs::write(site.join("inventory.d"), "a file").unwrap();
    let problems = super::read(site).problems;
    assert!(problems.iter().any(|problem| problem.file == "inventory.d"), "{problems:?}");
}

#[test]
fn paths_of_settings_resolve() {
    let check = |written: &str, expected: &str| {
        let resolved =
            settings::resolve(written.as_ref(), "/site".as_ref(), Some("/home/me".as_ref()));
        assert_eq!(resolved.to_str(), Some(expected));
    };
    check("known_hosts", "/site/known_hosts");
    check("~/.ssh/evac", "/home/me/.ssh/evac");
    check("/etc/evac", "/etc/evac");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is cut out of or put into the sample, reading it never panics, every problem has
    /// a file, and what is left keeps the invariants.
    #[test]
    fn mangled_files_never_panic(at in 0_usize..6000, len in 0_usize..40, junk in ".{0,8}") {
        let mut text = sample::uncommented(sample::INVENTORY);
        let floor = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (from, to) = (floor(at), floor(at.saturating_add(len)));
        text.replace_range(from..to, &junk);
        let settings = sample::uncommented(&sample::settings("x"));
        let reading = read_files(
            &SourceFile::new("evac.toml", settings),
            &[SourceFile::new("inventory.toml", text)],
        );
        for problem in &reading.problems {
            prop_assert!(!problem.file.is_empty() && !problem.what.is_empty());
        }
        for workload in reading.inventory.workloads() {
            prop_assert!(reading.inventory.customer(&workload.customer).is_some());
            prop_assert!(!workload.paths.is_empty());
        }
        for host in &reading.inventory.hosts {
            if let Some(jump) = &host.jump {
                prop_assert!(reading.inventory.host(jump).is_some());
            }
        }
    }
}
