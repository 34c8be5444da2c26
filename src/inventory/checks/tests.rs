//! Checks as people write them: every slip, and what becomes of those without one.

use crate::inventory::{Reading, SourceFile, read_files};

fn read_one(text: &str) -> Reading {
    let text = format!("[[customer]]\nid = \"acme\"\ncontacts = [\"tel:+31\"]\n{text}");
    let settings = SourceFile::new("evac.toml", "[site]\nname = \"X\"\n");
    read_files(&settings, &[SourceFile::new("inventory.toml", text)])
}

/// A host of acme's, with more lines.
fn host(lines: &str) -> String {
    format!("[[host]]\nid = \"a\"\naddress = \"192.0.2.1\"\ncustomer = \"acme\"\n{lines}")
}

/// A workload of acme's with these checks, all in one line.
fn checked(checks: &str) -> String {
    host(&format!(
        "[[host.workload]]\nid = \"w\"\npaths = [\"/a\"]\nchecks = [{checks}]\n\
         addresses = [{{ old = \"192.0.2.1\", new = \"198.51.100.1\" }}]\n"
    ))
}

#[test]
fn every_slip_in_a_check_has_its_line_and_keeps_nothing_from_being_captured() {
    for (text, what) in [
        (r#"{ htpp = "http://x/" }"#, "Did you mean `http`?"),
        (r#"{ http = "http://x/", statsu = 200 }"#, "Did you mean `status`?"),
        (r#"{ http = "http://x/", status = 99 }"#, "`status` must be from 100 to 599"),
        (r#"{ http = "ftp://x/" }"#, "neither http:// nor https://"),
        (r#"{ http = "http://jo:secret@x/" }"#, "it has a login in it"),
        (r#"{ http = "http://x/", host = "a b" }"#, "`host` is no name"),
        (r#"{ http = "http://192.0.2.1/" }"#, "which is the old address"),
        (r#"{ tcp = "198.51.100.1" }"#, "must be ADDRESS:PORT"),
        (r#"{ tcp = "2001:db8::1:25" }"#, "An IPv6 address stands in brackets"),
        (r#"{ tcp = "x:1", ssh = "x:1" }"#, "a check is tcp and ssh at once"),
        (r#"{ ssh = "x:22", host_key = "MD5:00" }"#, "must be a fingerprint"),
        (r#"{ command = "check_x" }"#, "must be a list of texts"),
        ("{ command = [] }", "names no program"),
        (r#"{ tcp = "x:1", within = "20m" }"#, "`within` must be from 1s to 10m"),
        (r#"{ tcp = "x:1" }, { tcp = "X:1" }"#, "is asked twice"),
        ("{}", "a check that asks nothing"),
    ] {
        let reading = read_one(&checked(text));
        let errors: Vec<_> = reading.problems.iter().filter(|p| p.is_error()).collect();
        let said = errors.iter().any(|p| format!("{p} {}", p.hint).contains(what));
        assert!(said, "{text} {errors:?}");
        assert!(errors.iter().all(|p| p.line == 11), "{text} {errors:?}");
        let workload = reading.inventory.workloads().next().expect("it is captured all the same");
        assert!(workload.checks.has_mistakes && reading.set_aside.is_empty(), "{text}");
    }
}

#[test]
fn checks_are_read_and_those_of_a_host_are_for_all_that_has_none() {
    let text = format!(
        "{}\n[[host.workload]]\nid = \"v\"\npaths = [\"/b\"]\n",
        checked(
            r#"{ http = "https://198.51.100.1:8443/a?key=secret", host = "Acme.Example" },
            { tcp = "[2001:db8::1]:25", within = "2s" },
            { command = ["check_x", "--password", "secret"] }"#
        )
        .replace("customer = \"acme\"\n", "customer = \"acme\"\nchecks = [{ ssh = \"x:22\" }]\n")
    );
    let reading = read_one(&text);
    assert!(reading.is_ok(), "{:?}", reading.problems);
    let asked = |id: &str| -> Vec<String> {
        let workload = reading.inventory.workload(&id.parse().unwrap()).unwrap();
        workload.checks.list.iter().map(ToString::to_string).collect()
    };
    assert_eq!(asked("v"), ["ssh x:22"]);
    let asked = asked("w");
    let page = "https://198.51.100.1:8443/a?#";
    assert!(asked[0].starts_with(page) && asked[0].contains(" for acme.example, status 200"));
    assert_eq!(asked[1], "tcp [2001:db8::1]:25");
    assert!(asked[2].starts_with("command check_x, 2 arguments #"));
    assert!(!asked.concat().contains("secret"), "{asked:?}");
}
