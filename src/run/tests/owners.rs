//! Names of owners: kept with every pass, and what a restore makes of them.

use std::os::unix::fs::MetadataExt as _;

use super::delta::{again, captured, read_later};
use super::*;
use crate::agent::place::{OwnerMap, Placed};
use crate::capture::Owners;

const HOST: &str = HOSTS[0];
const HERE: u32 = 424_242;

fn open(landing: &Landing, pass: u32) -> (Store, Pass) {
    let store = Store::open_read_only(Arc::new(landing.disk.clone()), landing.keys()).unwrap().0;
    let name = PassName { workload: workload(HOST), pass: PassNumber(pass) };
    let pass = Pass::open(store.disk(), &name).unwrap();
    (store, pass)
}

/// Restores a pass with whoever made the tests called `HERE` here, perhaps onto a former one.
fn place(landing: &Landing, root: &Path, pass: u32, former: Option<u32>) -> Placed {
    let (store, pass) = open(landing, pass);
    let names = |id: u32| [(id, "acme".to_owned())].into();
    let me = rustix::process::geteuid().as_raw();
    let source = Owners { users: names(me), groups: names(me) };
    let here = Owners { users: names(HERE), groups: [(7, "other".to_owned())].into() };
    let options = PlaceOptions {
        incremental: former.is_some(),
        owners: Some(OwnerMap::new(&source, &here)),
        ..PlaceOptions::default()
    };
    let frames = FrameCache::new(store, 1 << 20);
    let mut feed = Feed::new(&frames, &pass, Selection::default());
    if let Some(former) = former {
        feed = feed.against(&open(landing, former).1, false);
    }
    restore_to_folder(&mut feed, root, options, &mut |_, _, _| Ok(())).unwrap().placed
}

#[test]
fn names_are_kept_with_every_pass_and_decide_on_a_restore() {
    let sources = Sources::new();
    let landing = captured(&sources);
    sources.evolve(HOST, true);
    assert!(landing.run_what(Agents::default(), unwatched(), again).is_whole());
    read_later(&landing);
    for pass in [1, 2] {
        let owners: Owners =
            open(&landing, pass).1.owners().unwrap().expect("they are kept").into();
        let root = owners.users.get(&0).map(String::as_str);
        assert_eq!(root, Some("root"), "pass {pass}: {owners:?}");
        assert!(!owners.groups.is_empty());
    }
    if !crate::capture::sample_tree::is_root() {
        eprintln!("skipped: only root gives files away");
        return;
    }
    let target = scratch();
    let root = target.path().canonicalize().unwrap();
    let tree = root.join(sources.path(HOST).strip_prefix("/").unwrap());
    let placed = place(&landing, &root, 1, None);
    // The group has no such name here: told once, of the first entry that has it.
    let told: Vec<_> = placed.problems.iter().map(|problem| problem.why.as_str()).collect();
    assert_eq!(told, ["owner `acme` (0) has no such name here: the number stays"]);
    for name in ["", "etc/hostname", "etc/dangling", "srv/twin"] {
        let found = tree.join(name).symlink_metadata().unwrap();
        assert_eq!((found.uid(), found.gid()), (HERE, 0), "{name}");
    }
    // What evac wrote under other numbers is still what evac wrote.
    let placed = place(&landing, &root, 2, Some(1));
    assert_eq!(placed.problem_count, 1, "{:?}", placed.problems);
    assert!(tree.join("live/late").exists() && !tree.join("live/early").exists());
    assert_eq!(tree.join("live/late").metadata().unwrap().uid(), HERE);
}
