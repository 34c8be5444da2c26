//! Each kind of destination is told in its own way.

use std::fs;
use std::process::Command;

use super::world::{HOOK_SECRET, World, hook};
use crate::fakes::vigil::Vigil;
use crate::fakes::{Fake, Hook};
use crate::site::Outcome;

#[test]
fn a_webhook_has_a_shape_of_its_own_and_a_signature() {
    let fake = Fake::start(Hook::default());
    let body = "body = '{\"msg\": \"{title}: {body} {unknown}\", \"n\": [1, \"{kind}\"]}'\n";
    let world = World::new(0, &hook(&fake.url, body));
    let title = "say \\\"hi\\\" {kind}";
    world.evac(&["publish", "say", "--title", title, "--text", "a\"b"]).exits(0);
    let sent = fake.taken();
    let told = sent[0].json();
    let msg = told["msg"].as_str().unwrap();
    assert!(msg.starts_with("say \\\"hi\\\" {kind}: a\"b\n\nNext update by"), "{msg}");
    assert!(msg.ends_with(" {unknown}"), "{msg}");
    assert_eq!(told["n"][1], "identified");
    let signature = sent[0].header("evac-signature");
    let seconds = signature.strip_prefix("t=").and_then(|rest| rest.split(',').next()).unwrap();
    let script = format!(
        "printf '%s' \"$BODY\" | openssl dgst -sha256 -hmac {HOOK_SECRET} | sed 's/.*= //'"
    );
    let mut openssl = Command::new("sh");
    openssl.args(["-c", &script]).env("BODY", format!("{seconds}.{}", sent[0].body));
    let mac = Outcome::of(&mut openssl).exits(0).stdout();
    assert_eq!(signature, format!("t={seconds},v1={}", mac.trim()));
}

#[test]
fn chats_vigil_and_kuma_take_what_is_theirs() {
    let vigil = Fake::start(Vigil {
        nodes: vec!["web/all".into()],
        replicas: std::collections::BTreeMap::new(),
        announcements: Vec::new(),
    });
    let chat = Fake::start(Hook::default());
    let settings = format!(
        "[[publish.to]]\nid = \"v\"\nkind = \"vigil\"\nurl = \"{}\"\n\
         secret = {{ command = [\"echo\", \"token\"] }}\ncomponents = {{ all = \"web/all/one\" }}\n\
         [[publish.to]]\nid = \"s\"\nkind = \"slack\"\nsecret = {{ file = \"keys/slack\" }}\n\
         language = \"nl\"\n\
         [[publish.to]]\nid = \"d\"\nkind = \"discord\"\nsecret = {{ file = \"keys/slack\" }}\n\
         [[publish.to]]\nid = \"t\"\nkind = \"teams\"\nsecret = {{ file = \"keys/slack\" }}\n\
         [[publish.to]]\nid = \"m\"\nkind = \"mattermost\"\nsecret = {{ file = \"keys/slack\" }}\n",
        vigil.url
    );
    let world = World::new(1, &settings);
    world.site.write("keys/slack", &format!("{}/services/T0/SECRET", chat.url));
    world.evac(&["publish", "say", "same", "--text", "nl=<!channel> @all"]).exits(0);
    let service = &vigil.look().service;
    assert_eq!(service.replicas["web/all/one"], "sick");
    assert_eq!(service.announcements.len(), 2, "the fact and the post");
    let sent: Vec<String> = chat.taken().into_iter().map(|asked| asked.body).collect();
    assert_eq!(sent.len(), 8, "{sent:?}");
    let slack = sent.iter().find(|body| body.contains("Wij zijn nog")).unwrap();
    assert!(slack.contains("&lt;!channel&gt;"), "{slack}");
    let dry = world.evac(&["publish", "say", "same", "--dry-run"]).exits(0).stdout();
    assert!(dry.contains("s: POST (secret) {") && !dry.contains("SECRET"), "{dry}");
}

#[test]
fn a_git_host_and_a_cstate_site_get_files() {
    let world = World::new(
        1,
        "[[publish.to]]\nid = \"g\"\nkind = \"git\"\npath = \"copy\"\n\
         [[publish.to]]\nid = \"c\"\nkind = \"cstate\"\npath = \"hugo\"\n",
    );
    let git = |words: &[&str]| Outcome::of(Command::new("git").args(words)).exits(0).stdout();
    let (bare, copy) = (world.site.path("bare.git"), world.site.path("copy"));
    let (bare, copy) = (bare.to_str().unwrap(), copy.to_str().unwrap());
    git(&["init", "--quiet", "--bare", "--initial-branch=main", bare]);
    git(&["clone", "--quiet", bare, copy]);
    world.evac(&["publish", "say", "first"]).exits(0);
    world.evac(&["publish", "say", "--title", "a \"b\" {{<x>}}", "--text", "{{<x>}}"]).exits(0);
    let pages = git(&["-C", bare, "ls-tree", "-r", "--name-only", "main"]);
    assert!(pages.contains("public/nl/index.html"), "{pages}");
    let before = git(&["-C", bare, "rev-parse", "main"]);
    world.evac(&["publish"]).exits(0);
    assert_eq!(git(&["-C", bare, "rev-parse", "main"]), before, "nothing new, no commit");
    let issues: Vec<_> = fs::read_dir(world.site.path("hugo/content/issues")).unwrap().collect();
    assert_eq!(issues.len(), 1);
    let text = fs::read_to_string(issues[0].as_ref().unwrap().path()).unwrap();
    assert_eq!(text.matches("{{< track").count(), 3, "{text}");
    assert!(!text.contains("{{<x>"), "{text}");
}

#[test]
fn a_dry_run_shows_every_call_of_each_kind_and_makes_none() {
    let kinds = [
        ("folder", "path = \"web\"", "put the page into "),
        ("git", "path = \"copy\"", "commit the page in "),
        (
            "s3",
            "url = \"http://127.0.0.1:9\"\npage = \"b\"\nuser = \"u\"",
            "PUT every file of the page",
        ),
        (
            "sftp",
            "url = \"sftp://127.0.0.1:9\"\nuser = \"u\"\npath = \"x\"",
            "upload the page to u@127",
        ),
        ("cstate", "path = \"hugo\"", "write "),
        ("webhook", "url = \"http://127.0.0.1:9\"", "POST http://127.0.0.1:9 {"),
        ("slack", "", "POST (secret) {"),
        ("mattermost", "", "POST (secret) {"),
        ("discord", "", "POST (secret) {"),
        ("teams", "", "POST (secret) {"),
        ("statuspage", "page = \"p1\"", "POST https://api.statuspage.io/v1/pages/p1/incidents {"),
        (
            "statuspage",
            "page = \"p1\"",
            "PATCH https://api.statuspage.io/v1/pages/p1/incidents/ID {",
        ),
        ("cachet3", "url = \"http://127.0.0.1:9\"", "POST http://127.0.0.1:9/api/incidents {"),
        (
            "cachet3",
            "url = \"http://127.0.0.1:9\"",
            "PUT http://127.0.0.1:9/api/components/a/b/c {",
        ),
        ("vigil", "url = \"http://127.0.0.1:9\"", "POST http://127.0.0.1:9/reporter/a/b/ {"),
        (
            "uptime-kuma",
            "url = \"http://127.0.0.1:9\"",
            "GET http://127.0.0.1:9/api/push/{secret}?",
        ),
    ];
    let to = |(at, (kind, keys, _)): (usize, &(&str, &str, &str))| {
        let secret = "secret = { file = \"keys/hook\" }\ncomponents = { all = \"a/b/c\" }";
        let secret = if ["folder", "git", "cstate", "sftp"].contains(kind) { "" } else { secret };
        format!("[[publish.to]]\nid = \"d{at}\"\nkind = \"{kind}\"\n{keys}\n{secret}\n")
    };
    let world = World::new(1, &kinds.iter().enumerate().map(to).collect::<String>());
    let dry = world.evac(&["publish", "say", "first", "--dry-run"]).exits(0).stdout();
    for (at, (kind, _, shown)) in kinds.iter().enumerate() {
        let line = format!("d{at}: {shown}");
        assert!(dry.lines().any(|it| it.starts_with(&line)), "{kind}: no `{line}` in\n{dry}");
    }
    assert!(!dry.contains(HOOK_SECRET));
    assert!(!world.site.path("web").exists() && !world.site.path("hugo").exists());
}
