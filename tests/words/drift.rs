//! What somebody changes at a place is said. Components, buckets and accounts are beside the tests
//! of their kinds.

use std::fs;
use std::process::Command;

use super::world::World;
use crate::site::Outcome;

#[test]
fn a_folder_a_branch_and_an_issue_file_that_somebody_changes_are_told() {
    let world = World::new(
        1,
        "[[publish.to]]\nid = \"c\"\nkind = \"cstate\"\npath = \"hugo\"\n\
         [[publish.to]]\nid = \"f\"\nkind = \"folder\"\npath = \"web\"\n\
         [[publish.to]]\nid = \"g\"\nkind = \"git\"\npath = \"copy\"\n",
    );
    let git = |words: &[&str]| Outcome::of(Command::new("git").args(words)).exits(0).stdout();
    let paths = ["bare.git", "copy", "other"].map(|name| world.site.path(name));
    let [bare, copy, other] = paths.each_ref().map(|path| path.to_str().unwrap());
    git(&["init", "--quiet", "--bare", "--initial-branch=main", bare]);
    git(&["clone", "--quiet", bare, copy]);
    world.evac(&["publish", "say", "first"]).exits(0);
    let drift = || world.evac(&["--json", "publish"]).exits(0).json()[0]["drift"].clone();
    assert_eq!(drift(), serde_json::json!([]));

    fs::write(world.site.path("web/index.html"), "defaced").unwrap();
    let issues = fs::read_dir(world.site.path("hugo/content/issues")).unwrap();
    let issue = issues.flatten().next().unwrap().path();
    fs::write(&issue, "---\n").unwrap();
    git(&["clone", "--quiet", bare, other]);
    let author = ["-c", "user.name=x", "-c", "user.email=x@x"];
    let commit = ["-C", other, "commit", "--quiet", "--allow-empty", "--message", "by hand"];
    git(&[&author[..], &commit[..]].concat());
    git(&["-C", other, "push", "--quiet"]);
    let found = drift();
    let shows: Vec<_> = found.as_array().unwrap().iter().map(|it| it["shows"].clone()).collect();
    let name = issue.file_name().unwrap().to_str().unwrap();
    let expected = [name, "a file", "branch main"].map(|what| format!("something else ({what})"));
    assert_eq!(shows, expected, "{found}");
    let said = world.evac(&["publish"]).exits(0).stderr();
    assert!(said.contains("warning: f shows"), "{said}");
}
