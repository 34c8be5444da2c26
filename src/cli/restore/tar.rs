//! A restore as a tar archive, into a file or to stdout.
//!
//! **Promise.** A file of that name is either the whole archive, synced, or what was there before:
//! it is written under a temporary name beside it, which is removed when anything fails.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{Line, Wanted, frames, line};
use crate::cli::args::RestoreArgs;
use crate::cli::site::Writing;
use crate::cli::{Failure, Global};
use crate::model::Reason;
use crate::restore::{RestoreError, Selection, TarReport, TarWriter};
use crate::run::restore::Restored;
use crate::store::{Pass, PassName};

/// Content is written in pieces of this.
const BUFFER_BYTES: usize = 1 << 20;
const STDOUT: &str = "-";

/// Refuses what cannot be meant, before anything is read.
pub(super) fn check(global: &Global, args: &RestoreArgs) -> Result<(), Failure> {
    match &args.tar {
        Some(file) if is_stdout(file) && global.json => {
            Err(Failure::usage("--json and --tar - both want stdout")
                .hint("Write the archive to a file, or leave --json out."))
        }
        Some(file) if !is_stdout(file) && !args.overwrite && file.symlink_metadata().is_ok() => {
            Err(Failure::refused(format!("{} exists", file.display()))
                .hint("--overwrite replaces it once the new one is complete."))
        }
        _ => Ok(()),
    }
}

fn is_stdout(file: &Path) -> bool {
    file.as_os_str() == STDOUT
}

/// Writes one archive of everything that is wanted; below `WORKLOAD-ID/` where that is several.
pub(super) fn to_archive(
    args: &RestoreArgs,
    writing: &Writing,
    wanted: &[Wanted],
    file: &Path,
) -> Result<Vec<Line>, Failure> {
    let failed = |error: &RestoreError| {
        let hint = "Nothing is kept of it; see to its disk, then the same command begins anew.";
        Failure::failed("the archive is not complete").because(error).hint(hint)
    };
    if is_stdout(file) {
        let mut archive = TarWriter::new(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()));
        let lines = add_all(&mut archive, writing, wanted, file).map_err(|error| failed(&error))?;
        archive.finish().map_err(|error| failed(&RestoreError::Tar(error)))?;
        return Ok(lines);
    }
    let part = Part::new(file).map_err(|error| Failure::io("write", file, &error))?;
    let mut archive = TarWriter::new(BufWriter::with_capacity(BUFFER_BYTES, &part.file));
    let lines = add_all(&mut archive, writing, wanted, file).map_err(|error| failed(&error))?;
    archive.finish().map_err(|error| failed(&RestoreError::Tar(error)))?;
    match part.keep(args.overwrite) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Failure::refused(format!("{} came to be meanwhile", file.display()))
                .hint("--overwrite replaces it once the new one is complete."))
        }
        Err(error) => Err(Failure::io("write", file, &error)),
        Ok(()) => Ok(lines),
    }
}

fn add_all<W: io::Write>(
    archive: &mut TarWriter<W>,
    writing: &Writing,
    wanted: &[Wanted],
    file: &Path,
) -> Result<Vec<Line>, RestoreError> {
    let frames = frames(writing);
    let mut lines = Vec::new();
    for one in wanted {
        let name = PassName { workload: one.workload.id.clone(), pass: one.pass };
        let selection = Selection { include: one.include.clone(), resume: None };
        let folder = if wanted.len() > 1 { one.workload.id.as_str() } else { "" };
        let added = Pass::open(writing.store.disk(), &name)
            .map_err(RestoreError::from)
            .and_then(|pass| archive.add(&frames, &pass, &selection, folder));
        let (report, failed) = match added {
            Ok(report) => (report, None),
            // The archive itself is broken: nothing more can follow.
            Err(error @ RestoreError::Tar(_)) => return Err(error),
            Err(error) => {
                let what = crate::run::explain(&error);
                (TarReport::default(), Some((Reason::LandingError, what)))
            }
        };
        lines.push(line_of(one, file, report, failed));
    }
    Ok(lines)
}

fn line_of(one: &Wanted, file: &Path, report: TarReport, failed: Option<(Reason, String)>) -> Line {
    let restored = Restored {
        entries: report.entries,
        bytes: report.bytes,
        problems: report.problems,
        problem_count: report.problem_count,
    };
    let place = format!("tar:{}", file.display());
    let line = line(one.workload.id.clone(), one.pass, place, restored, failed);
    Line {
        left_out: report.left_out.iter().map(|(p, why)| (p.to_string(), why.clone())).collect(),
        left_out_count: report.left_out_count,
        ..line
    }
}

/// An archive under its temporary name; removed when dropped unless it was kept.
struct Part {
    file: File,
    path: PathBuf,
    name: PathBuf,
    is_kept: bool,
}

impl Part {
    fn new(name: &Path) -> io::Result<Self> {
        let last = name.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(last);
        hidden.push(format!(".{}.part", std::process::id()));
        let path = name.with_file_name(hidden);
        // It holds what nobody else may read.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { file, path, name: name.to_owned(), is_kept: false })
    }

    fn keep(mut self, overwrite: bool) -> io::Result<()> {
        (&self.file).flush()?;
        self.file.sync_all()?;
        let moved = if overwrite {
            fs::rename(&self.path, &self.name)
        } else {
            // A plain rename would replace what came to be meanwhile.
            let flags = RenameFlags::NOREPLACE;
            renameat_with(CWD, &self.path, CWD, &self.name, flags).map_err(io::Error::from)
        };
        match moved {
            // File systems without that flag.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                fs::hard_link(&self.path, &self.name)?;
                fs::remove_file(&self.path)?;
            }
            moved => moved?,
        }
        self.is_kept = true;
        let folder = self.name.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_kept {
            // What is left of it is of no use; nobody is helped by an error about it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
