//! The page goes into buckets: signed, only what changed, and what is revoked is deleted.

use super::world::World;
use crate::fakes::bucket::Bucket;
use crate::fakes::{Fake, Fault};

fn buckets(one: &Fake<Bucket>, two: &Fake<Bucket>) -> String {
    let to = |id: &str, fake: &Fake<Bucket>| {
        format!(
            "[[publish.to]]\nid = \"{id}\"\nkind = \"s3\"\nurl = \"{}\"\npage = \"status\"\n\
             region = \"eu-1\"\nuser = \"AKIA\"\nsecret = {{ file = \"keys/page\" }}\n",
            fake.url
        )
    };
    to("one", one) + &to("two", two)
}

#[test]
fn a_bucket_gets_what_changed_and_loses_what_was_revoked_and_nothing_of_others() {
    let (one, two) = (Fake::start(Bucket::default()), Fake::start(Bucket::default()));
    let world = World::new(6, &buckets(&one, &two));
    let links = world.evac(&["publish", "token", "--all"]).exits(0).stdout();
    let is_c3 = |line: &&str| line.split(' ').next().is_some_and(|id| id.ends_with("c3"));
    let of_c3 = links.lines().find(is_c3).unwrap();
    let token = of_c3.trim_end_matches('/').rsplit(['/', ' ']).next().unwrap().to_owned();
    let own = format!("c/{token}/index.html");
    let theirs = ["keep.txt", "c/theirs/index.html"];
    for key in theirs {
        one.look().service.objects.insert(key.into(), (String::new(), "theirs".into()));
    }
    world.evac(&["publish"]).exits(0);
    let kind = |key: &str| one.look().service.objects[key].0.clone();
    assert_eq!(kind("index.html"), "text/html; charset=utf-8");
    assert_eq!(kind("history.atom"), "application/atom+xml");
    assert_eq!(kind("api/v2/summary.json"), "application/json");
    assert!(one.look().service.objects.contains_key(&own));
    assert!(!one.look().service.objects[".evac-manifest"].1.contains(&token), "it may be read");
    let puts = std::mem::take(&mut one.look().service.changes);
    let place = |key: &str| puts.iter().position(|it| it == &format!("PUT {key}")).unwrap();
    assert!(place("index.html") > place("nl/history.atom"), "what people open goes last");
    assert_eq!(place(".evac-manifest"), 0, "the list goes first");

    // Only what changed, also when a call breaks half-way.
    world.evac(&["publish", "token", "c3", "--revoke"]).exits(0);
    one.fails(&[Fault::None, Fault::None, Fault::DropAfter, Fault::None, Fault::Status(503)]);
    world.evac(&["publish"]).exits(0);
    let changes = std::mem::take(&mut one.look().service.changes);
    assert!(!changes.iter().any(|it| it.contains("robots.txt")), "{changes:?}");
    assert!(changes.contains(&format!("DELETE {own}")), "{changes:?}");
    assert_eq!(changes.iter().filter(|it| it.starts_with("DELETE")).count(), 1);
    for key in theirs {
        assert_eq!(one.look().service.objects[key].1, "theirs");
        one.look().service.objects.remove(key);
    }
    assert_eq!(one.look().service.objects, two.look().service.objects, "both have the same");

    let drift = |world: &World| world.evac(&["--json", "publish"]).exits(0).json()[0].clone();
    assert_eq!(drift(&world)["drift"], serde_json::json!([]));
    two.look().service.objects.insert("feed.json".into(), (String::new(), "{}".into()));
    let done = drift(&world);
    assert_eq!(done["drift"][0]["destination"], "two", "{done}");
    assert_eq!(done["drift"][0]["shows"], "something else (feed.json)");
}

#[test]
fn a_bucket_of_another_site_or_another_key_is_left_alone() {
    let (one, two) = (Fake::start(Bucket::default()), Fake::start(Bucket::default()));
    let world = World::new(0, &buckets(&one, &two));
    let list = "evac-manifest 1 another\nabc index.html\n".to_owned();
    one.look().service.objects.insert(".evac-manifest".into(), (String::new(), list));
    let settings = std::fs::read_to_string(world.site.path("evac.toml")).unwrap();
    let settings = settings.replacen("\"AKIA\"", "\"AKIB\"", 2).replacen("\"AKIB\"", "\"AKIA\"", 1);
    world.site.write("evac.toml", &settings);
    let said = world.evac(&["publish", "say", "first"]).exits(1).stderr();
    assert!(said.contains("one (s3): 1 refused: `.evac-manifest` in the bucket"), "{said}");
    assert!(said.contains("two (s3): 1 refused: it does not take the secret"), "{said}");
    assert_eq!((one.look().service.changes.len(), two.look().service.changes.len()), (0, 0));
}

#[test]
fn a_bucket_in_which_something_else_has_the_name_of_a_page_is_left_as_it_is() {
    let (one, two) = (Fake::start(Bucket::default()), Fake::start(Bucket::default()));
    let world = World::new(0, &buckets(&one, &two));
    let theirs = ("text/html".to_owned(), "the website of the company".to_owned());
    one.look().service.objects.insert("index.html".into(), theirs.clone());
    let said = world.evac(&["publish", "say", "first"]).exits(1).stderr();
    assert!(
        said.contains("`index.html` is in the bucket, and evac did not put it there"),
        "{said}"
    );
    let one = &one.look().service;
    assert_eq!((one.changes.len(), &one.objects["index.html"]), (0, &theirs));
}
