//! What is told afterwards: by commands, into files, and nothing of anybody who is held back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::site::Outcome;
use crate::words::world::World;

const HELD: &str = r#"
[[customer]]
id = "mallory"
name = "Mallory GmbH"
hold = "abuse"
labels = { whmcs = "66", fee = "9" }
[[host]]
id = "vps-66"
address = "203.0.113.66"
customer = "mallory"
[[host.workload]]
id = "mallory-shop"
paths = ["/srv"]
"#;

const RULES: &str = "name = \"Terms 2029, article 7\"\nrounding = \"half-up\"\ncurrency = \"EUR\"\n\
                     [[rule]]\nname = \"flat\"\nkind = \"flat\"\npercent = 50\n";

/// Three customers of whom the first is online, and one on hold.
fn world() -> World {
    let world = World::with(3, "", HELD);
    let settings = fs::read_to_string(world.site.path("evac.toml")).unwrap();
    let began = "[incident]\nbegan = \"2026-03-28T20:00:00+01:00\"\n";
    world.site.write("evac.toml", &(settings + began));
    world.online([0]);
    world
}

fn texts(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all += &path.display().to_string();
        all += &if path.is_dir() { texts(&path) } else { fs::read_to_string(&path).unwrap() };
    }
    all
}

#[test]
fn reports_are_drafts_in_a_closed_folder_and_name_nobody_on_hold() {
    let world = world();
    world.evac(&["--as", "kim", "note", "c0", "public: power was back"]).exits(0);
    world.evac(&["--as", "kim", "note", "c0", "his lawyer called"]).exits(0);
    let told = world.evac(&["--json", "report", "incident"]).exits(0).json().remove(0);
    assert_eq!(
        (&told["customers"], &told["online"], &told["over"]),
        (&3.into(), &1.into(), &false.into())
    );
    world.evac(&["report", "incident", "--language", "de"]).exits(0);
    world.evac(&["report", "notices", "--aware", "2026-03-28T20:30:00+01:00"]).exits(0);
    world.evac(&["report", "notices", "--aware", "2999-03-28T20:30:00Z"]).exits(2);
    world.evac(&["report", "evidence"]).exits(0);
    let folder = world.site.path("reports");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    for file in ["incident.nl.html", "incident.de.md", "message.en.md", "message.de.md"] {
        assert!(folder.join("incident").join(file).is_file(), "{file}");
    }
    assert!(folder.join("notices/c2/notice-1.md").is_file());
    let all = texts(&folder);
    for name in ["allory", "vps-66", "203.0.113.66"] {
        assert!(!all.contains(name), "{name}");
    }
    let incident = texts(&folder.join("incident"));
    assert!(incident.contains("power was back") && !incident.contains("lawyer"), "{incident}");
    // Again: nothing is new, and only colleagues by name read the rest.
    let again = world.evac(&["--json", "report", "notices"]).exits(0).json().remove(0);
    assert_eq!(again["unchanged"], 3);
    world.evac(&["report", "incident", "--internal"]).exits(2);
    world.evac(&["--as", "jo", "report", "incident", "--internal"]).exits(0);
    let internal = fs::read_to_string(folder.join("incident/incident-internal.en.md")).unwrap();
    assert!(internal.contains("his lawyer called") && internal.contains("Customers on hold: 1"));
    // A line that cannot be read may be a hold.
    let holds = world.site.path("state/holds.log");
    fs::write(&holds, fs::read_to_string(&holds).unwrap() + "torn\n").unwrap();
    for report in ["incident", "notices", "evidence", "leave"] {
        world.evac(&["report", report]).exits(4);
    }
}

#[test]
fn evidence_is_proven_with_tools_of_others() {
    let world = world();
    world.evac(&["--as", "kim", "note", "c0", "the provider refuses, says \"no\""]).exits(0);
    world.evac(&["--as", "kim", "note", "c1", "mallory is angry"]).exits(0);
    let told = world.evac(&["--json", "report", "evidence"]).exits(0).json().remove(0);
    assert_eq!(told["withheld"], 1);
    let script = "import hashlib, json, sys\nlast = '0' * 64\nfor line in open(sys.argv[1]):\n    \
                  line = json.loads(line)\n    if 'record' in line:\n        \
                  text = last + '\\n' + line['record']\n        \
                  assert hashlib.sha256(text.encode()).hexdigest() == line['sha256'], line\n    \
                  last = line['sha256']\nprint(last)\n";
    let file = world.site.path("reports/evidence/evidence.jsonl");
    let mut python = Command::new("python3");
    let proven = Outcome::of(python.args(["-c", script]).arg(&file)).exits(0).stdout();
    assert_eq!(proven.trim(), told["sha256"].as_str().unwrap());
}

#[test]
fn credits_follow_the_rules_and_say_who_is_missing() {
    let world = world();
    world.site.write("sla.toml", RULES);
    world.site.write("fees.csv", "customer,fee\nc0,10.01\nc1,4\n");
    let line = ["report", "credits", "--rules", "sla.toml", "--fees", "fees.csv", "--whmcs"];
    let csv = world.site.path("credits.csv").display().to_string();
    let told = [&["--json"][..], &line, &["--csv", &csv]].concat();
    let told = world.evac(&told).exits(1).json().remove(0);
    assert_eq!(told["without_fee"][0], "c2");
    assert_eq!(told["totals"][0]["credit"], "7.01", "{told}");
    assert_eq!(
        told["lines"].as_array().unwrap().iter().filter(|it| it["credit"] != "0.00").count(),
        2
    );
    let table = fs::read_to_string(&csv).unwrap();
    assert!(table.contains("c0") && !table.contains("mallory"), "{table}");
    let outcome = world.evac(&line).exits(1);
    assert!(outcome.stdout().contains("Together: EUR 7.01, by Terms 2029, article 7"));
    assert!(outcome.stderr().contains("1 customer on hold"), "{}", outcome.stderr());
    world.site.write("sla.toml", &RULES.replace("percent = 50", "percent = 0.5\nfoo = 1"));
    let stderr = world.evac(&line).exits(2).stderr();
    assert!(stderr.contains("sla.toml:7: `percent` is no number"), "{stderr}");
    assert!(stderr.contains("sla.toml:8: [[rule]] has no key `foo`"), "{stderr}");
    world.site.write("sla.toml", RULES);
    world.site.write("fees.csv", "customer,fee\nc0,=1\n");
    assert!(world.evac(&line).exits(2).stderr().contains("fees.csv:2: `=1` is not a sum"));
    world.site.write("evac.toml", "[site]\nname = \"x\"\n");
    let stderr = world.evac(&line).exits(2).stderr();
    assert!(stderr.contains("nobody said since when"), "{stderr}");
}

#[test]
fn leaving_is_refused_while_something_is_only_there() {
    let world = world();
    let outcome = world.evac(&["report", "leave"]).exits(4);
    assert!(outcome.stdout().starts_with("NO: 3 things are only there, 5 not proven.\n"));
    let told = world.evac(&["--json", "report", "leave"]).exits(4).json().remove(0);
    assert_eq!((&told["verdict"], &told["only_there"]), (&"no".into(), &3.into()));
    let kinds: Vec<_> = told["items"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds[0], "not-captured");
    assert!(kinds.iter().any(|kind| *kind == "never-surveyed"), "{kinds:?}");
}
