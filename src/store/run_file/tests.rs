//! A run of a manifest, gone on with where an earlier session ended.

use super::*;
use crate::capture::{Entry, Kind, Metadata};
use crate::model::{ChunkId, PassNumber, Tally, WorkloadId};
use crate::store::MemoryDisk;

#[test]
fn a_run_goes_on_inside_a_file_of_many_segments() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let workload = WorkloadId::new("w").unwrap();
    let name = PassName { workload, pass: PassNumber(1) };
    let path: TreePath = "/large".parse().unwrap();
    let node =
        Entry { path: path.clone(), kind: Kind::File { size: 9 }, metadata: Metadata::default() };
    let piece = |offset| Record::Data { offset, length: 1, id: ChunkId([1; 32]) };
    let head = |number, path: Option<&TreePath>| SegmentHead {
        number,
        cursor: None,
        first: path.cloned(),
        last: path.cloned(),
        tally: Tally::default(),
    };
    let mut writer = ManifestWriter::create(&disk, &name, RunNumber(0)).unwrap();
    writer.append(&head(0, Some(&path)), &[Record::Node(node), piece(0)]).unwrap();
    let end = writer.append(&head(1, None), &[piece(1)]).unwrap();
    writer.sync().unwrap();
    let (mut again, _) = ManifestWriter::reopen(&disk, &name, RunNumber(0), Some(end)).unwrap();
    assert!(again.append(&head(2, None), &[piece(2)]).is_ok());
}
