//! The order of reading, and readers that hang.

use super::*;
use crate::agent::crew::READERS_MAX;
use crate::capture::{Kind, Metadata};
use crate::chunk::{Cutter, Cutting};

fn entry(ino: u64) -> Entry {
    let metadata = Metadata { ino, ..Metadata::default() };
    let path = format!("/{ino}").parse().unwrap();
    Entry { path, kind: Kind::File { size: 1 }, metadata }
}

fn patience() -> Arc<Patience> {
    Arc::new(Patience::new(Duration::from_secs(60)))
}

/// With nobody on them, so that no thread is started.
fn taken_seats() -> Vec<Seat> {
    (0..READERS_MAX).map(|_| Seat { thread: 0, reads: None }).collect()
}

/// In which order readers of such a disk take what is handed in at once.
fn order(disk: DiskKind, inodes: &[u64]) -> Vec<u64> {
    let folder = tempfile::tempdir().unwrap();
    let tree = Arc::new(Beneath::open(folder.path()).unwrap());
    let cutter = Cutter::new(&Cutting::TREE).unwrap();
    let key = crate::agent::tests::key();
    let naming = Naming { cutter, key, spare: Arc::default() };
    let readers = Readers::start(Some(disk), &tree, &naming, &patience());
    let mut queue = readers.shared.queue();
    // No thread is started, so that nothing is taken meanwhile.
    queue.seats = taken_seats();
    drop(queue);
    let _pending: Vec<_> = inodes.iter().map(|ino| readers.read(entry(*ino), None)).collect();
    let mut queue = readers.shared.queue();
    std::iter::from_fn(|| Some(queue.take()?.1.entry.metadata.ino)).collect()
}

#[test]
fn heads_that_move_go_over_the_disk_and_others_in_the_order_of_the_walk() {
    assert_eq!(order(DiskKind::Hdd, &[30, 10, 40, 20, 10]), [10, 10, 20, 30, 40]);
    assert_eq!(order(DiskKind::Ssd, &[30, 10, 40, 20]), [30, 10, 40, 20]);
}

#[test]
fn few_files_wait_with_their_descriptor() {
    let folder = tempfile::tempdir().unwrap();
    let tree = Arc::new(Beneath::open(folder.path()).unwrap());
    let cutter = Cutter::new(&Cutting::TREE).unwrap();
    let key = crate::agent::tests::key();
    let naming = Naming { cutter, key, spare: Arc::default() };
    let readers = Readers::start(None, &tree, &naming, &patience());
    readers.shared.queue().seats = taken_seats();
    let open = || Some(tree.folder().try_clone_to_owned().unwrap());
    let _pending: Vec<_> = (0..300).map(|ino| readers.read(entry(ino), open())).collect();
    let mut queue = readers.shared.queue();
    let taken: Vec<_> = std::iter::from_fn(|| queue.take()).collect();
    let held = taken.iter().filter(|(_, errand)| errand.open.is_some()).count();
    assert_eq!((taken.len(), held, queue.open_files), (300, OPEN_FILES_MAX, 0));
}

#[test]
fn the_lift_goes_on_from_where_it_is() {
    let (answer, _receiver) = sync_channel(1);
    let errand = |ino| Errand { entry: entry(ino), open: None, answer: answer.clone() };
    let errands = [5, 9, 20].map(|ino| ((ino, ino), errand(ino)));
    let mut queue = Queue {
        crew: Crew::new(Some(DiskKind::Hdd)),
        errands: errands.into(),
        next_number: 3,
        open_files: 0,
        idle: 0,
        at_inode: 9,
        seats: Vec::new(),
        next_thread: 0,
        left: BTreeSet::new(),
        is_over: false,
        since: Duration::ZERO,
        before: (0, 0),
        waited: Duration::ZERO,
    };
    let taken: Vec<_> = std::iter::from_fn(|| Some(queue.take()?.1.entry.metadata.ino)).collect();
    assert_eq!(taken, [9, 20, 5]);
}

#[test]
fn a_reader_that_hangs_is_left_behind_and_another_takes_its_seat() {
    let folder = tempfile::tempdir().unwrap();
    let tree = Arc::new(Beneath::open(folder.path()).unwrap());
    let cutter = Cutter::new(&Cutting::TREE).unwrap();
    let key = crate::agent::tests::key();
    let naming = Naming { cutter, key, spare: Arc::default() };
    let patience = Arc::new(Patience::new(Duration::from_nanos(1)));
    let readers = Readers::start(None, &tree, &naming, &patience);
    let hangs = |number| Some(Given { number, file: (9, number), since: Duration::ZERO });
    let waits = Seat { thread: 1, reads: None };
    readers.shared.queue().next_thread = 1;
    readers.shared.queue().seats = vec![Seat { thread: 0, reads: hangs(5) }, waits];
    assert!(!readers.leave_what_hangs(6), "its turn has not come");
    assert!(readers.leave_what_hangs(5), "it was left meanwhile");
    assert!(!readers.leave_what_hangs(5), "once");
    let threads: Vec<u64> = readers.shared.queue().seats.iter().map(|seat| seat.thread).collect();
    assert!(threads[0] > 1 && threads[1] == 1, "{threads:?}");
    // The one that was replaced ends as soon as it comes back.
    assert!(readers.shared.next(0, 0).is_none());
    for number in 10..20 {
        readers.shared.queue().seats[1].reads = hangs(number);
        readers.leave_what_hangs(number);
    }
    let mut file = entry(3);
    file.metadata.dev = 9;
    let path = file.path.clone();
    let read = readers.wait(&readers.read(file, None), &path).unwrap();
    let Err(OpenError::Unreadable { source, .. }) = read else { panic!("{read:?}") };
    assert!(source.to_string().contains("not tried"), "{source}");
}
