//! A survey: what file systems a machine has, how large the workloads are, what nobody named.
//!
//! **Invariants.** It runs on a thread of its own that the session never waits for: a disk that
//! hangs hangs this thread alone, and the session ends without it. Nothing is opened for reading
//! but directories and what the kernel says of itself. What is uncovered is looked for first, with
//! half of the time; what is left is shared among the workloads.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::agent::marks;
use crate::agent::outbox::Outbox;
use crate::capture::survey::{self as look, Scope};
use crate::model::text::bounded;
use crate::model::{Bytes, Clock, SystemClock, TreePath};
use crate::wire::survey::{
    AreaKind, BYTES_MAX, DiskSeen, FileSystemSeen, LIST_MAX, Measured, SurveyOrder, SurveyScope,
    UncoveredArea,
};
use crate::wire::{SurveyAnswer, ToLanding};

/// Paths of an answer, together; it has to fit into a message.
const PATHS_BYTES_MAX: usize = 2 << 20;
/// Longest text of an answer, in characters.
const TEXT_CHARS_MAX: usize = 200;
/// Size of a sector in `/sys/block/*/size`, whatever the disk says (linux/types.h).
const SECTOR_BYTES: u64 = 512;

/// A survey under way. Dropping it leaves it behind.
pub struct SurveyJob {
    stopped: Arc<AtomicBool>,
    /// Taken away when the session ends, so that nobody waits for a thread that hangs.
    outbox: Arc<Mutex<Option<Outbox>>>,
}

impl SurveyJob {
    /// Starts to look beneath `root`. `skip`: evac's own folders, by device and inode.
    pub fn start(order: SurveyOrder, root: PathBuf, skip: &[(u64, u64)], outbox: &Outbox) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let outbox = Arc::new(Mutex::new(Some(outbox.clone())));
        let job = Self { stopped: stopped.clone(), outbox: outbox.clone() };
        let skip = skip.to_vec();
        std::thread::spawn(move || {
            let look = Look { folder: &root, sys: Path::new("/sys"), skip, stopped };
            let answer = look.answer(&order, &SystemClock::default());
            let taken = outbox.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(outbox) = taken {
                // A session that is gone needs no answer.
                let _ = outbox.send(&ToLanding::Survey(Box::new(answer)));
            }
        });
        job
    }
}

impl Drop for SurveyJob {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Where to look.
struct Look<'a> {
    folder: &'a Path,
    sys: &'a Path,
    skip: Vec<(u64, u64)>,
    stopped: Arc<AtomicBool>,
}

/// How long something goes on.
struct Patience<'a> {
    clock: &'a dyn Clock,
    until: Duration,
    entries: u64,
    stopped: &'a AtomicBool,
}

impl Patience<'_> {
    /// Counts an entry; may there be another?
    fn go_on(&mut self) -> bool {
        self.entries = self.entries.saturating_sub(1);
        self.entries > 0
            && !self.stopped.load(Ordering::Relaxed)
            && self.clock.elapsed() < self.until
    }
}

impl Look<'_> {
    fn answer(&self, order: &SurveyOrder, clock: &dyn Clock) -> SurveyAnswer {
        let start = clock.elapsed();
        let time = Duration::from_secs(order.seconds_max);
        let patience = |until, entries| Patience { clock, until, entries, stopped: &self.stopped };
        let file_systems = look::file_systems(self.folder);
        let mounted: Vec<TreePath> =
            file_systems.iter().map(|found| found.mount_point.clone()).collect();
        let half = patience(start + time / 2, order.entries_max);
        let (uncovered, uncovered_complete) = self.uncovered(order, &mounted, half);
        SurveyAnswer {
            file_systems: file_systems.into_iter().take(LIST_MAX).map(seen).collect(),
            disks: disks(self.sys),
            marks: marks::find(self.folder),
            workloads: self.measure(order, patience(start + time, order.entries_max)),
            uncovered,
            uncovered_complete,
        }
    }

    /// Areas that no workload names, the largest first, and whether these are all.
    fn uncovered(
        &self,
        order: &SurveyOrder,
        mounted: &[TreePath],
        mut patience: Patience<'_>,
    ) -> (Vec<UncoveredArea>, bool) {
        let named = order.workloads.iter().flat_map(|scope| &scope.paths);
        let covered: Vec<TreePath> = named.chain(&order.accepted).cloned().collect();
        let go_on = |_| patience.go_on();
        let found = look::uncovered(self.folder, &covered, &self.skip, order.least, go_on);
        let Ok(mut found) = found else { return (Vec::new(), false) };
        found.sort_by(|a, b| b.estimate.bytes.cmp(&a.estimate.bytes).then(a.path.cmp(&b.path)));
        let all = found.len();
        let mut room = PATHS_BYTES_MAX;
        let fits = |area: &look::Uncovered| {
            let left = room.checked_sub(area.path.as_bytes().len());
            room = left.unwrap_or(0);
            left.is_some()
        };
        let areas: Vec<_> = (found.into_iter().take(LIST_MAX).take_while(fits))
            .map(|area| UncoveredArea {
                kind: match (mounted.contains(&area.path), area.is_file) {
                    (true, _) => AreaKind::FileSystem,
                    (false, true) => AreaKind::File,
                    (false, false) => AreaKind::Folder,
                },
                bytes: area.estimate.bytes.min(BYTES_MAX),
                complete: area.estimate.complete,
                path: area.path,
            })
            .collect();
        let complete = areas.len() == all;
        (areas, complete)
    }

    /// Each workload gets its share of the entries that are left.
    fn measure(&self, order: &SurveyOrder, mut patience: Patience<'_>) -> Vec<Measured> {
        let mut left = patience.entries;
        let count = order.workloads.len() as u64;
        let mut measured = Vec::new();
        for (scope, others) in order.workloads.iter().zip((1..=count).rev()) {
            patience.entries = left / others;
            let share = patience.entries;
            measured.push(self.measure_one(scope, &mut patience));
            left -= share - patience.entries;
        }
        measured
    }

    fn measure_one(&self, scope: &SurveyScope, patience: &mut Patience<'_>) -> Measured {
        let scope = Scope {
            paths: scope.paths.clone(),
            exclude: scope.exclude.clone(),
            omit: Vec::new(),
            skip: self.skip.clone(),
        };
        match look::estimate(self.folder, scope, |_| patience.go_on()) {
            Ok(sum) => Measured {
                bytes: sum.bytes.min(BYTES_MAX),
                entries: sum.entries,
                complete: sum.complete,
                fault: String::new(),
            },
            Err(error) => Measured {
                fault: bounded(&error.to_string(), TEXT_CHARS_MAX),
                ..Measured::default()
            },
        }
    }
}

fn seen(found: look::FileSystem) -> FileSystemSeen {
    FileSystemSeen {
        mount_point: found.mount_point,
        source: bounded(&found.source, TEXT_CHARS_MAX),
        fs_type: bounded(&found.fs_type, TEXT_CHARS_MAX),
        size: found.size.min(BYTES_MAX),
        used: found.used.min(BYTES_MAX),
    }
}

/// Block devices with a size, by name, as sysfs-block(5) has them: not those in memory, and no
/// partitions.
fn disks(sys: &Path) -> Vec<DiskSeen> {
    let Ok(entries) = fs::read_dir(sys.join("block")) else { return Vec::new() };
    let in_memory = |name: &str| name.starts_with("ram") || name.starts_with("zram");
    let size = |entry: &fs::DirEntry| {
        let sectors: u64 =
            fs::read_to_string(entry.path().join("size")).ok()?.trim().parse().ok()?;
        Some(Bytes(sectors.saturating_mul(SECTOR_BYTES)).min(BYTES_MAX))
    };
    let disk = |entry: fs::DirEntry| {
        let name = bounded(entry.file_name().to_str()?, TEXT_CHARS_MAX);
        let size = size(&entry).filter(|size| *size > Bytes::ZERO && !in_memory(&name))?;
        Some(DiskSeen { name, size })
    };
    let mut disks: Vec<_> = entries.flatten().filter_map(disk).take(LIST_MAX).collect();
    disks.sort_by(|a, b| a.name.cmp(&b.name));
    disks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FixedClock, Timestamp};

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn host() -> tempfile::TempDir {
        let host = tempfile::tempdir().unwrap();
        for file in ["srv/shop/a", "srv/shop/b", "srv/shop/x.log", "srv/old/dump", "etc/hosts"] {
            let file = host.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, vec![1; 8192]).unwrap();
        }
        host
    }

    fn order() -> SurveyOrder {
        let scope = |paths: &[&str]| SurveyScope {
            paths: paths.iter().map(|text| path(text)).collect(),
            exclude: vec!["*.log".into()],
        };
        SurveyOrder {
            workloads: vec![scope(&["/etc"]), scope(&["/srv/shop"])],
            accepted: Vec::new(),
            least: Bytes(1),
            entries_max: 1_000,
            seconds_max: 60,
        }
    }

    fn answer(host: &Path, order: &SurveyOrder) -> SurveyAnswer {
        let stopped = Arc::new(AtomicBool::new(false));
        let look = Look { folder: host, sys: host, skip: Vec::new(), stopped };
        look.answer(order, &FixedClock::at(Timestamp::from_second(0)))
    }

    #[test]
    fn sizes_leave_out_excludes_and_uncovered_data_is_named() {
        let host = host();
        let told = answer(host.path(), &order());
        assert_eq!(told.workloads.len(), 2);
        assert!(told.workloads.iter().all(|w| w.complete && w.fault.is_empty()), "{told:?}");
        assert_eq!(told.workloads[1].entries, 3);
        assert!(told.workloads[1].bytes < Bytes(3 * 8192), "{told:?}");
        let areas: Vec<_> = told.uncovered.iter().map(|area| (&area.path, area.kind)).collect();
        assert_eq!(areas, [(&path("/srv/old"), AreaKind::Folder)]);
        assert!(told.uncovered_complete);
        let accepted = SurveyOrder { accepted: vec![path("/srv/old")], ..order() };
        assert_eq!(answer(host.path(), &accepted).uncovered, []);
    }

    #[test]
    fn an_end_of_patience_is_said() {
        let host = host();
        let told = answer(host.path(), &SurveyOrder { entries_max: 2, ..order() });
        assert!(told.workloads.iter().all(|workload| !workload.complete), "{told:?}");
        let told = answer(host.path(), &SurveyOrder { seconds_max: 0, ..order() });
        assert!(told.workloads.iter().all(|workload| !workload.complete), "{told:?}");
        assert!(told.uncovered.iter().all(|area| !area.complete), "{told:?}");
    }

    #[test]
    fn a_pattern_that_cannot_be_fails_its_workload_alone() {
        let host = host();
        let mut order = order();
        order.workloads[0].exclude = vec!["a[b".into()];
        let told = answer(host.path(), &order);
        assert!(told.workloads[0].fault.contains("a[b") && !told.workloads[0].complete);
        assert!(told.workloads[1].complete);
    }

    #[test]
    fn disks_are_listed_without_those_in_memory() {
        let sys = tempfile::tempdir().unwrap();
        for (name, sectors) in [("sdb", "2048\n"), ("loop0", "0\n"), ("ram0", "8\n"), ("sda", "4")]
        {
            let folder = sys.path().join("block").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("size"), sectors).unwrap();
        }
        let found = disks(sys.path());
        let found: Vec<_> = found.iter().map(|disk| (disk.name.as_str(), disk.size.0)).collect();
        assert_eq!(found, [("sda", 2048), ("sdb", 1 << 20)]);
    }

    #[test]
    fn a_session_that_ends_keeps_no_way_out() {
        let (outbox, queue) = Outbox::new();
        let job = SurveyJob::start(
            SurveyOrder { seconds_max: 0, ..order() },
            PathBuf::from("/"),
            &[],
            &outbox,
        );
        drop(job);
        drop(outbox);
        // The queue ends as soon as nobody holds its other end, answer or not.
        while !matches!(queue.next(), Some(crate::agent::lines::Next::End)) {}
    }
}
