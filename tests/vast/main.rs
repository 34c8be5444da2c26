//! A store of a hundred million chunks that takes no room, and how it opens: for
//! `scripts/lab-index`.
//!
//! usage: vast make FOLDER CHUNKS     an index log by the store's own writer; packs are holes
//!        vast open FOLDER            opens it, looks chunks up, says what that took as JSON
//!
//! Chunks are 30 kB as stored, eighteen to a frame, as on the lab's hosts; the log is what commits
//! of 32 MiB leave, in four files, as after four runs.

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use evac::model::{ChunkId, PackId, WorkloadId};
use evac::store::log::{LogWriter, PackEnd, PackNews};
use evac::store::pack::{PackFrame, PackName};
use evac::store::{Append, Disk, DiskError, DomainName, KeyRing, LocalDisk, Store};

const FRAME_CHUNKS: u64 = 18;
const FRAME_BYTES: u32 = 18 * 30_000;
const PACK_FRAMES: u64 = 120;
const PACK_CHUNKS: u64 = FRAME_CHUNKS * PACK_FRAMES;
const PACK_BYTES: u32 = 65_000_000;
const WORKLOADS: u64 = 500;
const LOGS: u64 = 4;
/// Frames in a commit.
const COMMIT_FRAMES: usize = 60;
const LOOK_UPS: u64 = 2_000_000;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", folder, chunks] => make(Path::new(folder), chunks.parse()?),
        ["open", folder] => open(Path::new(folder)),
        _ => Err("usage: vast make FOLDER CHUNKS, or vast open FOLDER".into()),
    }
}

/// A disk whose files are durable at the end, not in between.
struct Late(LocalDisk);

struct LateFile(Box<dyn Append>);

impl Append for LateFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.append(bytes)
    }
    fn sync(&mut self) -> Result<(), DiskError> {
        Ok(())
    }
}

impl Disk for Late {
    fn create(&self, name: &str) -> Result<Box<dyn Append>, DiskError> {
        Ok(Box::new(LateFile(self.0.create(name)?)))
    }
    fn reopen(&self, name: &str, length: u64) -> Result<Box<dyn Append>, DiskError> {
        self.0.reopen(name, length)
    }
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.put(name, bytes)
    }
    fn read(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        self.0.read(name, offset, length)
    }
    fn length(&self, name: &str) -> Result<u64, DiskError> {
        self.0.length(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<evac::store::disk::Listed>, DiskError> {
        self.0.list(prefix)
    }
    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.0.remove(name)
    }
    fn free_bytes(&self) -> Result<evac::model::Bytes, DiskError> {
        self.0.free_bytes()
    }
}

fn make(folder: &Path, chunks: u64) -> Outcome {
    let keys = Arc::new(KeyRing::open(&folder.join("keys"))?);
    let (store, _, _) = Store::open(Arc::new(LocalDisk::open(&folder.join("store"))?), keys)?;
    let domain = store.domain_key(&DomainName::Fleet)?.domain();
    let disk = Late(LocalDisk::open(&folder.join("store"))?);
    let packs = chunks.div_ceil(PACK_CHUNKS);
    for log in 0..LOGS {
        let mut writer = LogWriter::new(log as u32 + 1);
        for pack in (log * packs / LOGS)..((log + 1) * packs / LOGS) {
            let name = name(pack)?;
            let file = folder.join("store").join(name.file());
            fs::create_dir_all(file.parent().ok_or("a pack has a folder")?)?;
            File::create(file)?.set_len(PACK_BYTES.into())?;
            let frames = frames(pack, chunks, name.header_bytes());
            let commits = frames.chunks(COMMIT_FRAMES).count();
            for (at, part) in frames.chunks(COMMIT_FRAMES).enumerate() {
                let news = PackNews {
                    number: pack as u32,
                    id: name.id,
                    workload: name.workload.clone(),
                    domain,
                    first_frame: (at * COMMIT_FRAMES) as u32,
                    frames: part.to_vec(),
                    end: (at + 1 == commits).then_some(PackEnd::Sealed(PACK_BYTES)),
                };
                writer.write(&disk, &[news])?;
            }
        }
    }
    for log in fs::read_dir(folder.join("store/index"))? {
        File::open(log?.path())?.sync_all()?;
    }
    fs::write(folder.join("chunks"), chunks.to_string())?;
    Ok(())
}

fn name(pack: u64) -> Result<PackName, Box<dyn Error>> {
    let mut id = [0; PackId::LEN];
    fill(!pack, &mut id);
    let workload = WorkloadId::new(format!("w{:03}", pack % WORKLOADS))?;
    Ok(PackName { id: PackId(id), workload })
}

fn fill(seed: u64, bytes: &mut [u8]) {
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(bytes);
}

/// Chunks of a pack; the last pack may have fewer.
fn ids(pack: u64, chunks: u64) -> Vec<ChunkId> {
    let count = PACK_CHUNKS.min(chunks - pack * PACK_CHUNKS);
    let mut bytes = vec![0; count as usize * ChunkId::LEN];
    fill(pack, &mut bytes);
    bytes.as_chunks().0.iter().map(|id| ChunkId(*id)).collect()
}

fn frames(pack: u64, chunks: u64, start: u32) -> Vec<PackFrame> {
    let ids = ids(pack, chunks);
    let frame = |(at, chunks): (usize, &[ChunkId])| PackFrame {
        offset: start + at as u32 * FRAME_BYTES,
        length: FRAME_BYTES,
        chunks: chunks.to_vec(),
    };
    ids.chunks(FRAME_CHUNKS as usize).enumerate().map(frame).collect()
}

fn open(folder: &Path) -> Outcome {
    let chunks: u64 = fs::read_to_string(folder.join("chunks"))?.parse()?;
    let before = most_memory()?;
    let started = Instant::now();
    let keys = Arc::new(KeyRing::open(&folder.join("keys"))?);
    let disk = Arc::new(LocalDisk::open(&folder.join("store"))?);
    let (store, report) = Store::open_read_only(disk, keys)?;
    let took = started.elapsed().as_secs_f64();
    let (ran, waited) = scheduled()?;
    if (report.chunks, report.read_packs) != (chunks, 0) {
        return Err(format!("{} chunks, {} packs read", report.chunks, report.read_packs).into());
    }
    let most = most_memory()?;
    let present = look_up(&store, (0..chunks.div_ceil(PACK_CHUNKS)).step_by(7), chunks, true)?;
    let absent = look_up(&store, (1 << 40)..(2 << 40), u64::MAX, false)?;
    println!(
        "{{\"chunks\":{chunks},\"packs\":{},\"open_s\":{took:.2},\"ran_s\":{ran:.2},\
         \"waited_s\":{waited:.2},\"index_bytes_each\":{:.2},\"hwm_bytes\":{most},\
         \"hwm_bytes_each\":{:.2},\"present_ns\":{present:.0},\
         \"absent_ns\":{absent:.0}}}",
        report.packs,
        store.index_bytes().0 as f64 / chunks as f64,
        (most - before) as f64 / chunks as f64,
    );
    // Freeing gigabytes piece by piece says nothing.
    std::process::exit(0)
}

/// Nanoseconds for each look-up of what packs of these numbers hold, or would.
fn look_up(
    store: &Store,
    packs: impl Iterator<Item = u64>,
    chunks: u64,
    are_there: bool,
) -> Result<f64, Box<dyn Error>> {
    let ids: Vec<ChunkId> =
        packs.flat_map(|pack| ids(pack, chunks)).take(LOOK_UPS as usize).collect();
    let started = Instant::now();
    if ids.iter().any(|id| store.contains(id) != are_there) {
        return Err("a chunk is there that is not, or the other way round".into());
    }
    Ok(started.elapsed().as_secs_f64() * 1e9 / ids.len() as f64)
}

/// How long this thread had a core, and how long it waited for one that others used.
fn scheduled() -> Result<(f64, f64), Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let mut seconds = text.split_whitespace().map(|part| part.parse().map(|ns: f64| ns / 1e9));
    Ok((seconds.next().ok_or("schedstat")??, seconds.next().ok_or("schedstat")??))
}

/// The most memory this process ever had.
fn most_memory() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line.and_then(|text| text.split_whitespace().next()).ok_or("VmHWM")?.parse()?;
    Ok(kib << 10)
}
