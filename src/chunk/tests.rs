//! Cutting and frames: what is fed in comes out, and lies do not come in.

use proptest::prelude::*;

use super::*;
use crate::chunk::frame::{self, Codec};

const SMALL: Cutting = Cutting::FastCdc2020 {
    minimum_bytes: 4 << 10,
    average_bytes: 8 << 10,
    maximum_bytes: 32 << 10,
};

fn key() -> DomainKey {
    DomainKey::new(Domain([7; 8]), [9; 32])
}

/// Bytes that do not compress, always the same for a seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn cut_whole(cutting: &Cutting, bytes: &[u8]) -> Vec<usize> {
    let cutter = Cutter::new(cutting).unwrap();
    let mut rest = bytes;
    let mut lengths = Vec::new();
    while let Some(length) = cutter.cut(rest, true) {
        lengths.push(length);
        rest = &rest[length..];
    }
    lengths
}

/// Feeds `step` bytes at a time into a buffer, as a reader does.
fn cut_piecewise(cutting: &Cutting, bytes: &[u8], step: usize) -> Vec<usize> {
    let cutter = Cutter::new(cutting).unwrap();
    let (mut buffer, mut rest, mut lengths) = (Vec::new(), bytes, Vec::new());
    loop {
        match cutter.cut(&buffer, rest.is_empty()) {
            Some(length) => {
                lengths.push(length);
                buffer.drain(..length);
            }
            None if rest.is_empty() => return lengths,
            None => {
                let (piece, after) = rest.split_at(step.min(rest.len()));
                buffer.extend_from_slice(piece);
                rest = after;
            }
        }
    }
}

fn build(contents: &[&[u8]], level: i32) -> Vec<u8> {
    let mut builder = FrameBuilder::new(key().domain());
    for content in contents {
        builder.push(key().name(content), content);
    }
    builder.finish(level)
}

/// A frame with fields overwritten and its checksum made to fit: a lie, not damage.
fn lie(frame: &[u8], edits: &[(usize, &[u8])]) -> Vec<u8> {
    let header_bytes = FrameHeader::parse(frame).unwrap().header_bytes();
    let mut lie = frame.to_vec();
    for (offset, bytes) in edits {
        lie[*offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    let (head, payload) = lie.split_at_mut(header_bytes);
    let (head, stated) = head.split_at_mut(header_bytes - CHECKSUM_BYTES);
    stated.copy_from_slice(&checksum(&[head, payload]));
    lie
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cutting_piecewise_equals_cutting_whole(
        seed in any::<u64>(), length in 0_usize..200_000, step in 1_usize..50_000,
        is_flat in any::<bool>(),
    ) {
        let bytes = if is_flat { vec![0; length] } else { noise(seed, length) };
        let step = step.max(97);
        for cutting in [SMALL, Cutting::Fixed { length_bytes: 8 << 10 }] {
            let whole = cut_whole(&cutting, &bytes);
            prop_assert_eq!(whole.iter().sum::<usize>(), length);
            prop_assert!(whole.iter().all(|l| *l <= cutting.maximum_bytes()));
            prop_assert_eq!(&whole, &cut_piecewise(&cutting, &bytes, step));
        }
    }

    #[test]
    fn a_frame_gives_back_its_chunks(
        lengths in prop::collection::vec(1_usize..40_000, 1..12), is_flat in any::<bool>(),
        level in -3_i32..6,
    ) {
        let contents: Vec<_> = lengths
            .iter()
            .enumerate()
            .map(|(i, l)| if is_flat { vec![i as u8; *l] } else { noise(i as u64, *l) })
            .collect();
        let contents: Vec<_> = contents.iter().map(Vec::as_slice).collect();
        let frame = build(&contents, level);
        let header = FrameHeader::parse(&frame).unwrap();
        prop_assert_eq!(header.total_bytes(), frame.len());
        prop_assert_eq!(frame::lengths(&frame[..frame::PREFIX_BYTES]).unwrap(),
            (header.header_bytes(), frame.len()));
        let open = frame::open(&frame, &key()).unwrap();
        prop_assert_eq!(&open.raw, &contents.concat());
        for content in contents {
            prop_assert_eq!(open.chunk(&key().name(content)), Some(content));
        }
    }

    #[test]
    fn any_flipped_byte_and_any_cut_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8) {
        let frame = build(&[b"some text", &[1; 5_000], &noise(1, 300)], 3);
        let at = at.index(frame.len());
        let mut damaged = frame.clone();
        damaged[at] ^= 1_u8 << bit;
        prop_assert!(frame::check(&damaged).is_err());
        prop_assert!(frame::check(&frame[..at]).is_err());
    }

    #[test]
    fn noise_is_no_frame_and_no_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400), count in any::<u32>(),
    ) {
        let mut frame = build(&[b"x"], 1);
        frame[24..28].copy_from_slice(&count.to_le_bytes());
        frame.truncate(frame::PREFIX_BYTES);
        frame.extend_from_slice(&bytes);
        prop_assert!(frame::open(&frame, &key()).is_err());
        prop_assert!(frame::open(&bytes, &key()).is_err());
    }
}

#[test]
fn a_small_file_is_one_chunk_and_content_decides_the_cuts() {
    assert_eq!(cut_whole(&Cutting::TREE, &noise(1, 64 << 10)), [64 << 10]);
    assert_eq!(cut_whole(&Cutting::TREE, b""), [0_usize; 0]);
    let bytes = noise(2, 3 << 20);
    let cuts = |bytes: &[u8]| {
        let lengths = cut_whole(&Cutting::TREE, bytes);
        let mut end = 0;
        lengths.iter().map(|l| (end += l, bytes.len() - end).1).collect::<Vec<_>>()
    };
    let before = cuts(&bytes);
    let after = cuts(&[&b"inserted in front"[..], &bytes].concat());
    assert!(before.len() > 5);
    let shared = before.iter().filter(|cut| after.contains(cut)).count();
    assert!(shared + 3 >= before.len(), "{before:?} {after:?}");
}

/// The cut points are part of the format: a change here is a new version of it.
#[test]
fn the_cut_points_are_frozen() {
    let lengths = cut_whole(&Cutting::TREE, &noise(42, 2 << 20));
    assert_eq!(lengths, [395_911, 382_926, 383_070, 257_736, 311_612, 328_114, 37_783]);
}

#[test]
fn impossible_cuttings_are_refused() {
    let cdc = |minimum_bytes, average_bytes, maximum_bytes| Cutting::FastCdc2020 {
        minimum_bytes,
        average_bytes,
        maximum_bytes,
    };
    for good in [Cutting::TREE, Cutting::IMAGE, SMALL] {
        assert_eq!(good.check(), Ok(()));
    }
    for bad in [
        cdc(0, 0, 0),
        cdc(64, 256, 1024),
        cdc(64 << 10, 32 << 10, 1 << 20),
        cdc(64 << 10, 256 << 10, 128 << 10),
        cdc(64 << 10, 256 << 10, 2 << 20),
        cdc(64 << 10, 200 << 10, 1 << 20),
        cdc((64 << 10) + 1, 256 << 10, 1 << 20),
        Cutting::Fixed { length_bytes: 0 },
        Cutting::Fixed { length_bytes: 2 << 20 },
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
        assert!(Cutter::new(&bad).is_err());
    }
}

#[test]
fn a_key_is_never_shown_and_travels_whole() {
    let key = DomainKey::new(Domain([0xab; 8]), [0x5a; 32]);
    let shown = format!("{key:?}");
    assert_eq!(shown, "DomainKey(abababababababab, ..)");
    let bytes = postcard::to_stdvec(&key).unwrap();
    assert_eq!(postcard::from_bytes::<DomainKey>(&bytes).unwrap(), key);
    let other = DomainKey::new(Domain([0xab; 8]), [0x5b; 32]);
    assert_ne!(key.name(b"same"), other.name(b"same"));
}

#[test]
fn incompressible_content_is_stored_and_text_is_not() {
    let codec = |content: &[u8]| FrameHeader::parse(&build(&[content], 3)).unwrap().codec;
    assert_eq!(codec(&noise(1, 1 << 20)), Codec::Stored);
    assert_eq!(codec(&noise(1, 50)), Codec::Stored);
    assert_eq!(codec(&b"all work and no play ".repeat(9_000)), Codec::Zstd);
}

#[test]
fn a_builder_is_reused_and_fills_up() {
    let mut builder = FrameBuilder::new(key().domain());
    assert_eq!(builder.finish(3), Vec::<u8>::new());
    let content = noise(1, 1 << 20);
    for _ in 0..2 {
        assert!(builder.is_empty() && !builder.is_full());
        builder.push(key().name(&content), &content);
        assert!(builder.is_full());
        let frame = builder.finish(3);
        assert!(frame.len() <= frame::FRAME_BYTES_MAX);
        assert_eq!(frame::open(&frame, &key()).unwrap().raw, content);
    }
    for _ in 0..frame::CHUNKS_MAX {
        assert!(!builder.is_full());
        builder.push(key().name(b"x"), b"x");
    }
    assert!(builder.is_full());
    assert_eq!(frame::open(&builder.finish(3), &key()).unwrap().raw.len(), frame::CHUNKS_MAX);
}

#[test]
fn lies_in_a_frame_are_refused() {
    let honest = build(&[b"first chunk", b"second chunk"], 3);
    frame::open(&honest, &key()).unwrap();
    let u32_of = u32::to_le_bytes;
    let cases: [(usize, &[u8], &str); 12] = [
        (0, b"XXXX", "no frame begins here"),
        (4, &[2], "unknown frame version 2"),
        (5, &[1], "unknown frame cipher 1"),
        (6, &[7], "unknown frame codec 7"),
        (7, &[1], "unknown frame flags 1"),
        (8, &[1; 8], "frame belongs to domain 0101010101010101, not 0707070707070707"),
        (16, &u32_of(0), "frame states an impossible raw length"),
        (16, &u32_of(5 << 20), "frame states an impossible raw length"),
        (20, &u32_of(0), "frame states an impossible payload length"),
        (24, &u32_of(16_385), "frame states an impossible number of chunks"),
        (28 + 32, &u32_of(12), "frame states chunks that do not add up to the raw length"),
        (28 + 32, &u32_of(0), "frame states a chunk of impossible length"),
    ];
    for (offset, bytes, expected) in cases {
        let error = frame::open(&lie(&honest, &[(offset, bytes)]), &key()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let id = key().name(b"something else");
    let wrong_name = frame::open(&lie(&honest, &[(28, id.as_bytes())]), &key()).unwrap_err();
    assert!(matches!(wrong_name, FrameError::Name { id: named } if named == id), "{wrong_name}");
}

#[test]
fn a_bomb_does_not_expand_beyond_what_it_states() {
    let content = vec![0_u8; 1 << 20];
    let frame = build(&[&content], 3);
    for stated in [1_000_u32, (1 << 20) - 1] {
        let stated = stated.to_le_bytes();
        let lied = lie(&frame, &[(28 + 32, &stated), (16, &stated)]);
        assert!(matches!(frame::open(&lied, &key()), Err(FrameError::Payload)));
    }
}
