//! Further passes: what changed is taken and nothing else, what only seems gone is no loss, and
//! the former pass stays what it was.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::process::Command;

use super::*;
use crate::ledger::snapshot::CaptureState;
use crate::model::Reason;
use crate::store::lineage::put_clock;
use crate::store::{Disk, read_aside};

const HOST: &str = HOSTS[0];

/// Every host once more, as `evac run --again` has it.
pub(super) fn again(_: &Ledger) -> Options {
    let order = HOSTS.map(|host| (HostId::new(host).unwrap(), workload(host)));
    Options { order: order.to_vec(), ..Options::default() }
}

fn accepting(ledger: &Ledger) -> Options {
    Options { accept_losses: true, ..again(ledger) }
}

/// A first pass of both hosts, long after anything in them changed.
pub(super) fn captured(sources: &Sources) -> Landing {
    let landing = Landing::new(sources);
    let ran = landing.run(Agents::default(), unwatched());
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    read_later(&landing);
    landing
}

/// As if everything sealed so far had been read a minute later: what changes from now on is no
/// longer too close to the reading.
pub(super) fn read_later(landing: &Landing) {
    let later = SystemClock::default().now().as_second() + 60;
    for file in landing.disk.list("manifests/").unwrap() {
        let Some((name, inside)) = PassName::of_file(&file.name) else { continue };
        if let Some(run) = inside.strip_prefix("clock-") {
            landing.disk.remove(&file.name).unwrap();
            put_clock(&landing.disk, &name, RunNumber(run.parse().unwrap()), later).unwrap();
        }
    }
}

fn newest(landing: &Landing, host: &str) -> (PassNumber, bool) {
    let pass = landing.ledger().passes(&workload(host)).unwrap().pop().unwrap();
    (pass.number, pass.sealed_at.is_some())
}

/// Everything under a receipt is there and is what it was, of all passes.
fn assert_sound(landing: &Landing) {
    let (store, writer) = landing.open().unwrap();
    drop(writer);
    assert_eq!(broken(&store, &landing.ledger()), None);
}

#[test]
fn a_further_pass_opens_and_sends_only_what_changed() {
    let sources = Sources::new();
    let landing = captured(&sources);
    let first = scratch();
    let before = landing.restore(HOST, PassNumber(1), &first);
    sources.evolve(HOST, true);
    fs::write(sources.path(HOST).join("www/0"), "quite new").unwrap();
    fs::rename(sources.path(HOST).join("www/1"), sources.path(HOST).join("www/moved")).unwrap();
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    let changed = ["live/log", "live/late", "www/0", "www/moved"];
    assert_eq!(ran.agents.count(HOST).opened_files, changed.len() as u64);
    assert_eq!(ran.agents.count(HOSTS[1]).opened_files, 0);
    assert_eq!(ran.agents.count(HOSTS[1]).sent, []);
    // What moved is in the store.
    assert_eq!(ran.agents.count(HOST).sent.len(), changed.len() - 1);
    assert_eq!(ran.end.unwrap().report.opened_files, changed.len() as u64);
    landing.assert_restores(&sources);
    assert_sound(&landing);
    // The former pass is what it was.
    let second = scratch();
    let still = landing.restore(HOST, PassNumber(1), &second);
    let mut diff = Command::new("diff");
    let differs = diff.args(["-r", "--no-dereference"]).args([&before, &still]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&differs.stdout), "");
    assert!(differs.status.success());
}

#[test]
fn a_workload_that_is_always_rechecked_is_read_again_and_not_sent_again() {
    let sources = Sources::new();
    let mut landing = captured(&sources);
    for workload in landing.inventory.hosts.iter_mut().flat_map(|host| &mut host.workloads) {
        workload.rechecks = workload.host.as_str() == HOST;
    }
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    // Each file once: the closing sweep believes what this pass itself has read.
    assert_eq!(ran.agents.count(HOST).opened_files, sources.files(HOST));
    assert_eq!(ran.agents.count(HOST).sent, [], "the content is known");
    assert_eq!(ran.agents.count(HOSTS[1]).opened_files, 0);
    landing.assert_restores(&sources);
}

#[test]
fn the_disk_of_a_loop_device_is_read_again_once() {
    let sources = Sources::new();
    let image = sources.path(HOST).join("srv/image");
    fs::write(&image, vec![7; 1 << 20]).unwrap();
    let landing = captured(&sources);
    let losetup = |arguments: &[&std::ffi::OsStr]| {
        let output = Command::new("losetup").args(arguments).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    let find = [AsRef::as_ref("--find"), AsRef::as_ref("--show"), image.as_os_str()];
    let Some(device) = losetup(&find) else {
        eprintln!("skipped: no loop device can be made here");
        return;
    };
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    let detached = losetup(&[AsRef::as_ref("--detach"), AsRef::as_ref(device.trim())]);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    assert_eq!(ran.agents.count(HOST).opened_files, 1);
    assert_eq!(ran.agents.count(HOST).sent, []);
    assert!(detached.is_some());
}

#[test]
fn what_changed_just_before_it_was_read_is_read_again() {
    let sources = Sources::new();
    let landing = Landing::new(&sources);
    assert!(landing.run(Agents::default(), unwatched()).is_whole());
    // The first pass read within two seconds of the last change.
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    for host in HOSTS {
        assert_eq!(ran.agents.count(host).opened_files, sources.files(host));
        assert_eq!(ran.agents.count(host).sent, [], "the content is known");
    }
    landing.assert_restores(&sources);
}

#[test]
fn hard_links_hold_over_many_passes() {
    let sources = Sources::new();
    let landing = captured(&sources);
    let srv = sources.path(HOST).join("srv");
    let changes: [&dyn Fn(); 4] = [
        &|| fs::hard_link(srv.join("own"), srv.join("third")).unwrap(),
        &|| fs::remove_file(srv.join("own")).unwrap(),
        &|| fs::rename(srv.join("third"), srv.join("a-first")).unwrap(),
        &|| {
            fs::remove_file(srv.join("twin")).unwrap();
            fs::write(srv.join("twin"), "alone").unwrap();
        },
    ];
    for (number, change) in (2..).zip(changes) {
        change();
        let ran = landing.run_what(Agents::default(), unwatched(), again);
        assert!(ran.is_whole(), "pass {number}: {:?} {:?}", ran.end, ran.events);
        assert_eq!(newest(&landing, HOST), (PassNumber(number), true));
        landing.assert_restores(&sources);
        read_later(&landing);
    }
    assert_sound(&landing);
}

#[test]
fn a_mail_that_moves_behind_the_walk_is_taken() {
    let sources = Sources::new();
    let landing = captured(&sources);
    let live = sources.path(HOST).join("live");
    fs::write(live.join("new"), "a mail").unwrap();
    // When its first segment is durable, the walk was here; then the mail moves up in the order.
    let from = live.join("new");
    let to = live.join("cur");
    let moves: OnEvent = Box::new(move |_, _, event| {
        if matches!(event, Event::SegmentCommitted { workload: of, .. } if *of == workload(HOST)) {
            let _ = fs::rename(&from, &to);
        }
    });
    let ran = landing.run_what(Agents::default(), moves, again);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    landing.assert_restores(&sources);
}

/// The second pass is set aside, for a reason that is said; what is restored is the first.
fn check_set_aside(landing: &Landing, ran: &Ran, said: &str) {
    let failed = ran.events.iter().find_map(|event| match event {
        Event::CaptureFailed { workload: of, reason, detail } if *of == workload(HOST) => {
            Some((*reason, detail.clone()))
        }
        _ => None,
    });
    let (reason, detail) = failed.unwrap_or_else(|| panic!("{:?} {:?}", ran.end, ran.events));
    assert_eq!(reason, Reason::SetAside);
    assert!(detail.contains(said), "{detail}");
    let report = ran.end.as_ref().unwrap().report;
    assert_eq!((report.captured, report.failed), (1, 1));
    let state = landing.ledger().state(&workload(HOST)).unwrap();
    assert_eq!((state.capture, state.sealed), (CaptureState::Failed, Some(PassNumber(1))));
    let name = PassName { workload: workload(HOST), pass: PassNumber(2) };
    assert!(read_aside(&landing.disk, &name).unwrap().is_some_and(|why| why.contains(said)));
    assert_eq!(newest(landing, HOST), (PassNumber(2), false));
}

#[test]
fn an_emptied_directory_is_set_aside_until_it_is_back_or_meant() {
    let sources = Sources::new();
    for number in 0..10 {
        fs::write(sources.path(HOST).join(format!("www/more-{number}")), "more").unwrap();
    }
    let landing = captured(&sources);
    let (www, hidden) = (sources.path(HOST).join("www"), sources.path(HOST).join("../hidden"));
    let empty = || {
        fs::rename(&www, &hidden).unwrap();
        fs::create_dir(&www).unwrap();
    };
    empty();
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    check_set_aside(&landing, &ran, "are gone");
    // Without a word the loss is not believed the next time either.
    let ran = landing.run(Agents::default(), unwatched());
    assert!(!ran.is_whole());
    assert_eq!(newest(&landing, HOST), (PassNumber(3), false));
    // It is back: the next pass is as good as any, and opens nothing.
    fs::remove_dir(&www).unwrap();
    fs::rename(&hidden, &www).unwrap();
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    assert_eq!(newest(&landing, HOST), (PassNumber(4), true));
    assert_eq!(ran.agents.count(HOST).opened_files, 0);
    landing.assert_restores(&sources);
    // Somebody says that it is meant.
    empty();
    let ran = landing.run_what(Agents::default(), unwatched(), accepting);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    landing.assert_restores(&sources);
    assert_sound(&landing);
}

/// Mounts something at `at`; says whether it could.
fn mount(arguments: &[&str], at: &Path) -> bool {
    let mounted = Command::new("mount").args(arguments).arg(at).status();
    let is_mounted = mounted.is_ok_and(|status| status.success());
    if !is_mounted {
        eprintln!("skipped: mounting is not possible here");
    }
    is_mounted
}

fn unmount(at: &Path) {
    assert!(Command::new("umount").arg(at).status().unwrap().success());
}

#[test]
fn an_unmounted_root_is_never_taken_for_deletion() {
    let sources = Sources::new();
    let root = sources.path(HOST);
    let content = root.with_file_name("content");
    Command::new("cp").arg("-a").args([&root, &content]).status().unwrap();
    if !mount(&["-t", "tmpfs", "none"], &root) {
        return;
    }
    let copied = Command::new("cp").arg("-a").arg(content.join(".")).arg(&root).status().unwrap();
    assert!(copied.success());
    let landing = captured(&sources);
    unmount(&root);
    // What lies beneath the mount point looks just as good.
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    check_set_aside(&landing, &ran, "lies on another device");
}

/// A file system of its own on a loop device; both go when it is dropped.
struct Loop {
    device: String,
    at: PathBuf,
}

impl Loop {
    /// `None` where that is not possible.
    fn mount(image: &Path, at: &Path) -> Option<Self> {
        fs::File::create(image).unwrap().set_len(16 << 20).unwrap();
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image).status();
        let attached = Command::new("losetup").args(["--find", "--show"]).arg(image).output();
        let device = attached.ok().filter(|output| output.status.success())?;
        let device = String::from_utf8(device.stdout).unwrap().trim().to_owned();
        let made = made.is_ok_and(|status| status.success()) && mount(&[&device], at);
        let lo = Self { device, at: at.to_owned() };
        made.then_some(lo)
    }

    /// What one block holds is lost.
    fn spoil(&self, folder: &str) {
        unmount(&self.at);
        let mut debugfs = Command::new("debugfs");
        let blocks = debugfs
            .args(["-R", &format!("blocks {folder}")])
            .arg(&self.device)
            .output()
            .unwrap()
            .stdout;
        let blocks = String::from_utf8(blocks).unwrap();
        let block: u64 = blocks.split_whitespace().next().unwrap().parse().unwrap();
        let device = fs::OpenOptions::new().write(true).open(&self.device).unwrap();
        device.write_all_at(&[0x55; 1024], block * 1024).unwrap();
        device.sync_all().unwrap();
        assert!(mount(&[&self.device], &self.at));
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.at).status();
        let _ = Command::new("losetup").args(["--detach", &self.device]).status();
    }
}

#[test]
fn a_directory_on_a_disk_that_fails_is_never_taken_for_deletion() {
    let sources = Sources::new();
    let (images, disk) = (scratch(), sources.path(HOST).join("disk"));
    fs::create_dir(&disk).unwrap();
    let Some(lo) = Loop::mount(&images.path().join("image"), &disk) else {
        eprintln!("skipped: no loop devices here");
        return;
    };
    fs::remove_dir(disk.join("lost+found")).unwrap();
    fs::create_dir(disk.join("folder")).unwrap();
    fs::write(disk.join("folder/kept"), "kept").unwrap();
    let landing = captured(&sources);
    lo.spoil("folder");
    assert!(fs::read_dir(disk.join("folder")).unwrap().any(|name| name.is_err()));
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    check_set_aside(&landing, &ran, "disk over there fails");
    // Even if that is accepted, what the directory had is kept.
    let ran = landing.run_what(Agents::default(), unwatched(), accepting);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    let listed = landing.ledger().left_out(&workload(HOST), PassNumber(3)).unwrap();
    assert_eq!(listed.listed.len(), 1, "{listed:?}");
    let target = scratch();
    let root = landing.restore(HOST, PassNumber(3), &target);
    let kept = root.join(disk.strip_prefix("/").unwrap()).join("folder/kept");
    assert_eq!(fs::read_to_string(kept).unwrap(), "kept");
}

#[test]
fn a_missing_root_is_never_taken_for_deletion() {
    let sources = Sources::new();
    let landing = captured(&sources);
    let root = sources.path(HOST);
    fs::rename(&root, root.with_file_name("elsewhere")).unwrap();
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    check_set_aside(&landing, &ran, "is not there any more");
}

#[test]
fn a_directory_that_cannot_be_listed_keeps_what_it_had() {
    let sources = Sources::new();
    let landing = captured(&sources);
    let www = sources.path(HOST).join("www");
    let forbidden = fs::Permissions::from_mode(0o000);
    let kept = fs::metadata(&www).unwrap().permissions();
    fs::set_permissions(&www, forbidden).unwrap();
    if fs::read_dir(&www).is_ok() {
        eprintln!("skipped: nothing is forbidden to root");
        fs::set_permissions(&www, kept).unwrap();
        return;
    }
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    fs::set_permissions(&www, kept).unwrap();
    let listed = landing.ledger().left_out(&workload(HOST), PassNumber(2)).unwrap();
    assert_eq!(listed.listed.len(), 1);
    landing.assert_restores(&sources);
}

#[test]
fn a_further_pass_that_is_cut_off_goes_on_and_the_former_stays_in_use() {
    let sources = Sources::new();
    let whole = captured(&sources);
    sources.evolve(HOST, true);
    for number in 0..20 {
        let file = sources.path(HOST).join(format!("www/more-{number}"));
        fs::write(file, format!("{number} ").repeat(20_000)).unwrap();
    }
    let said = whole.run_what(Agents::default(), unwatched(), again).agents.count(HOST).wire_bytes;
    drop(whole);
    for step in 1..10 {
        sources.evolve(HOST, false);
        let landing = captured(&sources);
        sources.evolve(HOST, true);
        let cut = Agents::cut(HOST, said * step / 10);
        let stops: OnEvent = Box::new(|_, _, _| {});
        let ran = landing.run_what(cut, stops, again);
        assert!(ran.is_whole(), "{step}: {:?} {:?}", ran.end, ran.events);
        landing.assert_restores(&sources);
        assert_sound(&landing);
    }
}
