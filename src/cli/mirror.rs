//! `evac store mirror`: a second copy in another folder; and what is done with one.
//!
//! **Promises.** It runs beside a run, takes no lock of it, and ends after it. A workload counts as
//! copied twice when every pack and manifest of its pass was read back over there. The folder is a
//! store by itself, with the keys beside the packs and a copy of the ledger: with nothing else
//! left, a site is put back from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::cli::args::MirrorArgs;
use crate::cli::failure::shown;
use crate::cli::site::Loaded;
use crate::cli::verify::{Known, passes};
use crate::cli::{Exit, Failure, Global, engine, print};
use crate::ledger::snapshot::SCHEMA;
use crate::ledger::{Ledger, StateLock};
use crate::model::{Bytes, PassNumber, WorkloadId};
use crate::plan::order;
use crate::run::stop::{Phase, Stop};
use crate::store::{
    Copied, Disk, DiskErrorKind, Incomplete, LocalDisk, Mirror, MirrorError, keep_unpacker,
    put_site, read_site,
};

/// Between two rounds while a run goes on: each reads the packs that are open.
const PAUSE: Duration = Duration::from_secs(10);
/// Between two looks whether that run is over.
const LOOK: Duration = Duration::from_millis(200);

/// The `store mirror` document.
#[derive(Serialize)]
struct Document {
    schema: u32,
    place: String,
    /// Sealed passes that are whole over there.
    passes: u64,
    /// Packs and bytes written now.
    packs: u64,
    bytes: Bytes,
    /// Packs that were there already.
    had_packs: u64,
    incomplete: Vec<Left>,
    stopped: bool,
}

/// A pass that is not whole over there.
#[derive(Debug, Clone, Serialize)]
struct Left {
    workload: WorkloadId,
    pass: PassNumber,
    why: String,
    #[serde(skip)]
    is_open: bool,
}

/// Copies until everything is there, or somebody ends it.
pub fn run(global: &Global, args: &MirrorArgs) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let ledger = global.open_ledger_beside()?;
    let place = place(global, &args.dest)?;
    let to = open(&ledger, &place)?;
    let _lock = StateLock::acquire(&place, &global.by, global.now())?;
    ledger.note_mirror(&shown_place(&place))?;
    let runtime = engine::runtime()?;
    let stop = Stop::default();
    runtime.spawn(stop.clone().listen(global.clock.clone()));
    let outcome = rounds(global, &loaded, (&ledger, &place), &to, &stop);
    runtime.shutdown_background();
    let (copied, whole, left) = outcome?;
    let document = Document {
        schema: SCHEMA,
        place: shown_place(&place),
        passes: whole.len() as u64,
        packs: copied.packs,
        bytes: copied.bytes,
        had_packs: copied.had_packs,
        stopped: stop.phase() > Phase::Running,
        incomplete: left,
    };
    tell(global, &document)?;
    Ok(match (document.stopped, document.incomplete.iter().any(|left| !left.is_open)) {
        (true, _) => Exit::Stopped,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Done,
    })
}

type Whole = BTreeSet<(WorkloadId, PassNumber)>;

fn rounds(
    global: &Global,
    loaded: &Loaded,
    (ledger, place): (&Ledger, &Path),
    to: &Arc<dyn Disk>,
    stop: &Stop,
) -> Result<(Copied, Whole, Vec<Left>), Failure> {
    let (mut copied, mut whole) = (Copied::default(), Whole::new());
    loop {
        let running = StateLock::holder(&global.state())?.is_some();
        let left = round(global, loaded, (ledger, place), (to, stop), (&mut copied, &mut whole))?;
        if !running || stop.phase() > Phase::Running {
            return Ok((copied, whole, left));
        }
        let began = global.clock.elapsed();
        let is_over = || StateLock::holder(&global.state()).is_ok_and(|holder| holder.is_none());
        while global.clock.elapsed().saturating_sub(began) < PAUSE
            && stop.phase() == Phase::Running
            && !is_over()
        {
            std::thread::sleep(LOOK);
        }
    }
}

/// Copies what there is now.
fn round(
    global: &Global,
    loaded: &Loaded,
    (ledger, place): (&Ledger, &Path),
    (to, stop): (&Arc<dyn Disk>, &Stop),
    (copied, whole): (&mut Copied, &mut Whole),
) -> Result<Vec<Left>, Failure> {
    let known = in_value_order(ledger, loaded)?;
    let Some((store, _)) = global.open_store_read_only()? else { return Ok(Vec::new()) };
    copy_keys(global, &**to, place)?;
    let ending = stop.clone();
    let mut mirror = Mirror::new(store, Arc::clone(to), move || ending.phase() > Phase::Running);
    let mut left = Vec::new();
    let before = *copied;
    for Known { reference, is_sealed, .. } in known {
        let name = &reference.name;
        let pass = (name.workload.clone(), name.pass);
        if whole.contains(&pass) {
            continue;
        }
        let why = match mirror.pass(&reference) {
            Err(MirrorError::Stopped) => break,
            why => why?,
        };
        match why {
            None if is_sealed => {
                ledger.note_mirrored(&shown_place(place), &name.workload, name.pass)?;
                whole.insert(pass);
            }
            None => {}
            Some(why) => left.push(lacking(pass, &why)),
        }
        let now = mirror.copied();
        copied.packs = before.packs + now.packs;
        copied.bytes = before.bytes + now.bytes;
        copied.had_packs = copied.had_packs.max(now.had_packs);
    }
    ledger.backup_to(&place.join("ledger.backup.db"))?;
    Ok(left)
}

fn lacking((workload, pass): (WorkloadId, PassNumber), why: &Incomplete) -> Left {
    let (why, is_open) = match why {
        Incomplete::Open => ("a pack of it is still written to".to_owned(), true),
        Incomplete::Damaged(file) => (format!("{file} is damaged here"), false),
    };
    Left { workload, pass, why, is_open }
}

/// By class, then by value per byte, as plans order; passes of one workload the oldest first, for
/// later ones build on them.
fn in_value_order(ledger: &Ledger, loaded: &Loaded) -> Result<Vec<Known>, Failure> {
    let values = order::values(&loaded.inventory, &loaded.settings);
    let mut workloads: Vec<_> = Vec::new();
    for workload in loaded.inventory.workloads() {
        let bytes = ledger.passes(&workload.id)?.last().map(|pass| pass.tally.raw_bytes.0);
        let density =
            values.get(&workload.id).copied().unwrap_or(0.0) / bytes.unwrap_or(1).max(1) as f64;
        workloads.push((workload.class, density, workload.id.clone()));
    }
    workloads.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)).then_with(|| a.2.cmp(&b.2)));
    let rank: BTreeMap<WorkloadId, usize> =
        workloads.into_iter().enumerate().map(|(rank, (_, _, id))| (id, rank)).collect();
    let mut known = passes(ledger, &rank.keys().cloned().collect())?;
    known.sort_by_key(|known| rank.get(&known.reference.name.workload).copied());
    Ok(known)
}

/// Where the copy is, by its one absolute name.
pub fn place(global: &Global, dest: &Path) -> Result<PathBuf, Failure> {
    let dest = global.named(dest);
    let fail = |error: &std::io::Error| Failure::io("make", &dest, error);
    fs::create_dir_all(&dest).map_err(|error| fail(&error))?;
    let place = dest.canonicalize().map_err(|error| fail(&error))?;
    let Ok(state) = global.state().canonicalize() else { return Ok(place) };
    if place.starts_with(&state) || state.starts_with(&place) {
        let what = format!("{} and the state lie in each other", shown(&place));
        return Err(Failure::usage(what).hint("Name a folder of its own, best on another disk."));
    }
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    if device(&place) == device(&state) {
        print::tell(&format!(
            "warning: {} is on the same file system as the store: what takes one takes both",
            shown(&place)
        ));
    }
    Ok(place)
}

/// As the ledger has it; the file system may allow what no text can hold.
fn shown_place(place: &Path) -> String {
    place.to_string_lossy().into_owned()
}

/// The folder as a disk: one of this site, or an empty one that becomes so.
fn open(ledger: &Ledger, place: &Path) -> Result<Arc<dyn Disk>, Failure> {
    let site = ledger.site()?;
    let is_empty = || {
        let fail = |error: std::io::Error| Failure::io("list", place, &error);
        // What a new file system brings along, and what a killed mirroring left.
        let is_nothing = |name: &std::ffi::OsStr| {
            name == "lost+found" || name.as_encoded_bytes().starts_with(b".")
        };
        for entry in fs::read_dir(place).map_err(fail)? {
            if !is_nothing(&entry.map_err(fail)?.file_name()) {
                return Ok(false);
            }
        }
        Ok::<bool, Failure>(true)
    };
    let to = LocalDisk::open(place)?;
    match read_site(&to)? {
        Some(of) if of == site => {}
        Some(_) => {
            let what = format!("{} is a copy of another site", shown(place));
            return Err(Failure::refused(what).hint("Name another folder."));
        }
        None if is_empty()? => put_site(&to, site)?,
        None => {
            let what = format!("{} holds something else", shown(place));
            return Err(Failure::refused(what).hint("Name an empty folder, or a new one."));
        }
    }
    keep_unpacker(&to)?;
    Ok(Arc::new(to))
}

/// Without them nothing over there can be checked, and nothing added to it.
fn copy_keys(global: &Global, to: &dyn Disk, place: &Path) -> Result<(), Failure> {
    let folder = global.keys_path();
    let fail = |error: std::io::Error| Failure::io("read the keys in", &folder, &error);
    for entry in fs::read_dir(&folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let (bytes, file) = (fs::read(&path).map_err(fail)?, format!("keys/{name}"));
        if name.starts_with('.') {
            continue;
        }
        match to.read(&file, 0, bytes.len() + 1) {
            Ok(there) if there == bytes => {}
            // The only good one, perhaps, of what is over there: it is not replaced.
            Ok(_) => {
                let what = format!("{} has another {file} than this site", place.display());
                let hint = "It is the copy of another store, or the key is damaged on one side: \
                            compare both files, and give each store a folder of its own.";
                return Err(Failure::refused(what).hint(hint));
            }
            Err(error) if error.kind == DiskErrorKind::NotFound => to.put(&file, &bytes)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn tell(global: &Global, document: &Document) -> Result<(), Failure> {
    if global.json {
        return print::document(document);
    }
    for Left { workload, pass, why, is_open } in &document.incomplete {
        let hint = if *is_open { "" } else { "; `evac run` heals it" };
        print::tell(&format!("not whole there: workload/{workload}, pass {pass}: {why}{hint}"));
    }
    let Document { passes, packs, bytes, had_packs, place, .. } = document;
    let passes = if *passes == 1 { "1 pass".into() } else { format!("{passes} passes") };
    print::tell(&format!(
        "{place}: {passes} captured twice; {} and {bytes} copied, {had_packs} were there",
        print::counted(*packs as usize, "pack")
    ));
    if document.stopped {
        print::tell("hint: the same command goes on with the rest.");
    }
    Ok(())
}

/// A copy that was made before, by its name in the ledger.
pub fn known(
    global: &Global,
    ledger: &Ledger,
    dest: &Path,
) -> Result<(String, Arc<dyn Disk>), Failure> {
    let dest = global.named(dest);
    let place = dest.canonicalize().map(|place| shown_place(&place));
    let known = ledger.mirrors()?;
    let Some(place) = place.ok().filter(|place| known.contains(place)) else {
        let failure = Failure::usage(format!("nothing was ever mirrored to {}", shown(&dest)));
        return Err(match known.first() {
            Some(place) => failure.hint(format!("Known is {place}; is its disk mounted?")),
            None => failure.hint("`evac store mirror DEST` makes a second copy."),
        });
    };
    let disk = open(ledger, Path::new(&place))?;
    Ok((place, disk))
}

/// Mirrors of this site that are there now.
pub fn twins(ledger: &Ledger) -> Result<Vec<Arc<dyn Disk>>, Failure> {
    let site = ledger.site()?;
    let mut twins: Vec<Arc<dyn Disk>> = Vec::new();
    for place in ledger.mirrors()? {
        // A folder that is gone would be made anew by opening it: its disk may not be mounted.
        if !Path::new(&place).is_dir() {
            continue;
        }
        let Ok(disk) = LocalDisk::open(Path::new(&place)) else { continue };
        if matches!(read_site(&disk), Ok(Some(of)) if of == site) {
            twins.push(Arc::new(disk));
        }
    }
    Ok(twins)
}
