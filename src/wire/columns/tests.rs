//! Whatever records say comes back; whatever bytes say is bounded.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::capture::entry::{Content, Entry, FileTime, Kind, Xattr};
use crate::model::TreePath;

fn any_path() -> impl Strategy<Value = TreePath> {
    // Few different names, so that neighbours share folders, and parts of names that look shared.
    let name = prop_oneof![Just("a"), Just("ab"), Just("abc"), Just("b"), Just("\u{fffd}")];
    vec(name, 0..5).prop_map(|names| {
        let root = TreePath::root();
        names.iter().fold(root, |path, name| path.join(name.as_bytes()).unwrap())
    })
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..6)
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let time = || {
        (any::<i64>(), any::<u32>())
            .prop_map(|(seconds, nanoseconds)| FileTime { seconds, nanoseconds })
    };
    let kind = prop_oneof![
        any::<u64>().prop_map(|size| Kind::File { size }),
        (0_u64..10).prop_map(|size| Kind::File { size }),
        Just(Kind::Directory),
        any_bytes().prop_map(|target| Kind::Symlink { target }),
        Just(Kind::Fifo),
        Just(Kind::Socket),
        any::<(u32, u32)>().prop_map(|(major, minor)| Kind::CharacterDevice { major, minor }),
        any::<(u32, u32)>().prop_map(|(major, minor)| Kind::BlockDevice { major, minor }),
    ];
    let xattr = (any_bytes(), any_bytes()).prop_map(|(name, value)| Xattr { name, value });
    let metadata = (any::<[u32; 4]>(), time(), time(), any::<[u64; 3]>(), vec(xattr, 0..3))
        .prop_map(|([mode, uid, gid, flags], mtime, ctime, [ino, dev, nlink], xattrs)| Metadata {
            mode,
            uid,
            gid,
            mtime,
            ctime,
            ino,
            dev,
            nlink,
            flags,
            xattrs,
        });
    (any_path(), kind, metadata).prop_map(|(path, kind, metadata)| Entry { path, kind, metadata })
}

fn any_record() -> impl Strategy<Value = Record> {
    let offset = || prop_oneof![any::<u64>(), 0_u64..10];
    let length = || prop_oneof![any::<u32>(), 0_u32..10];
    let content = prop_oneof![Just(Content::Steady), Just(Content::Changed), Just(Content::Cut)];
    prop_oneof![
        3 => any_entry().prop_map(Record::Node),
        1 => (any_entry(), any_path()).prop_map(|(entry, of)| Record::HardLink { entry, of }),
        3 => (offset(), length(), any::<[u8; 32]>())
            .prop_map(|(offset, length, id)| Record::Data { offset, length, id: ChunkId(id) }),
        1 => (offset(), length()).prop_map(|(offset, length)| Record::Lost { offset, length }),
        2 => (offset(), content).prop_map(|(size, content)| Record::End { size, content }),
        1 => any_path().prop_map(|path| Record::Gone { path }),
        1 => (any_path(), ".{0,5}").prop_map(|(path, why)| Record::LeftOut { path, why }),
    ]
}

/// As a field of an offer has them.
#[derive(Debug, Serialize, Deserialize)]
struct Field(#[serde(with = "named")] Vec<Record>);

fn decode(bytes: &[u8]) -> Option<Vec<Record>> {
    postcard::from_bytes::<Field>(bytes).ok().map(|field| field.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn records_survive_whatever_they_say(records in vec(any_record(), 0..40)) {
        let bytes = postcard::to_stdvec(&Field(records.clone())).unwrap();
        prop_assert_eq!(decode(&bytes), Some(records));
    }

    /// Bytes behind the compression, since nothing else would get there.
    #[test]
    fn no_columns_are_too_strange_to_be_refused(
        records in vec(any_record(), 0..10),
        changes in vec((any::<bool>(), any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in 0_usize..3,
    ) {
        let columns = Columns::of(&records);
        let mut plain = [columns.text.open().unwrap(), columns.numbers.open().unwrap()];
        for (is_text, at, byte) in changes {
            let plain = &mut plain[usize::from(is_text)];
            if !plain.is_empty() {
                let at = at.index(plain.len());
                plain[at] = byte;
            }
        }
        plain[1].truncate(plain[1].len().saturating_sub(cut));
        let [text, numbers] = plain.map(|plain| Squeezed::of(&plain));
        if let Ok(read) = (Columns { text, numbers }).records() {
            // What is read was said: nothing stands for anything else.
            prop_assert_eq!(Columns::of(&read).records(), Ok(read));
        }
    }
}

fn file(number: u32, path: &str) -> [Record; 3] {
    let hash = *blake3::hash(&number.to_le_bytes()).as_bytes();
    let ctime = FileTime { seconds: 1_900_000_000, nanoseconds: 500_000 * number + 777 };
    let mtime = FileTime { seconds: 1_800_000_000, nanoseconds: 0 };
    let ino = 4_000_000 + u64::from(number);
    let metadata = Metadata { mode: 0o644, mtime, ctime, ino, nlink: 1, ..Metadata::default() };
    let size = u64::from(hash[0]) << 5 | 1;
    [
        Record::Node(Entry { path: path.parse().unwrap(), kind: Kind::File { size }, metadata }),
        Record::Data { offset: 0, length: size as u32, id: ChunkId(hash) },
        Record::End { size, content: Content::Steady },
    ]
}

#[test]
fn a_small_file_takes_a_dozen_bytes_and_its_name() {
    let path = |number| format!("/usr/share/doc/package-{:03}/file-{number:04}.txt", number / 40);
    let records: Vec<Record> = (0..1_000).flat_map(|at| file(at, &path(at))).collect();
    let columns = postcard::to_stdvec(&Columns::of(&records)).unwrap();
    assert!(columns.len() < 12 * 1_000, "{} bytes for 1,000 files", columns.len());
}

#[test]
fn few_bytes_cannot_become_many_paths_or_attributes() {
    let deep = TreePath::new(["/x".repeat(30_000).into_bytes()].concat()).unwrap();
    let long = |count| Columns::of(&vec![Record::Gone { path: deep.clone() }; count]).records();
    assert_eq!(long(200).map(|records| records.len()), Ok(200));
    assert_eq!(long(300), Err("lists too long"));
    let empty = Xattr { name: vec![], value: vec![] };
    let mut entry = Entry { path: deep, kind: Kind::Fifo, metadata: Metadata::default() };
    entry.metadata.xattrs = vec![empty; 5_000];
    let many = Columns::of(&[Record::Node(entry.clone())]).records();
    assert_eq!(many, Err("too many extended attributes"));
    entry.metadata.xattrs.truncate(4_000);
    let many = Columns::of(&vec![Record::Node(entry); 100]).records();
    assert_eq!(many, Err("lists too long"));
    let end = Record::End { size: 0, content: Content::Steady };
    let most = PLAIN_BYTES_MAX / size_of::<Record>();
    assert_eq!(Columns::of(&vec![end; most + 1]).records(), Err("lists too long"));
}

#[test]
fn what_is_stated_is_bounded_before_it_is_opened() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).unwrap();
    for plain_bytes in [1_000, 16 << 20, 64 << 20, u32::MAX] {
        let text = Squeezed { plain_bytes, bytes: ByteBuf::from(bomb.clone()) };
        assert!(Columns { text, numbers: Squeezed::of(&[]) }.records().is_err());
    }
}
