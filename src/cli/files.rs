//! Files that commands write into a site: whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::cli::failure::{Failure, shown};

/// Writes a file that must not exist yet.
pub fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    match file.and_then(|file| fill(file, text)) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Failure::refused(format!("{} exists", shown(path))))
        }
        written => written.map_err(|error| Failure::io("write", path, &error)),
    }
}

/// Writes a file in place of what was there.
pub fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let write = || {
        fill(File::create(&temporary)?, text)?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        Failure::io("write", path, &error)
    })
}

/// Writes a file that only its owner may read in place of what was there; with `is_durable` it is
/// on the disk when this returns.
pub fn replace_closed(path: &Path, bytes: &[u8], is_durable: bool) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let write = || {
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        if is_durable {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if is_durable { File::open(folder.unwrap_or(Path::new(".")))?.sync_all() } else { Ok(()) }
    };
    // The first error is the one to tell.
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Removes what writers that were killed left beside `path`.
pub fn forget_torn(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let start = format!(".{}.", name.to_string_lossy());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name().to_string_lossy().into_owned();
        let process = found.strip_prefix(&start).and_then(|rest| rest.strip_suffix(".tmp"));
        let is_torn = process
            .and_then(|process| process.parse::<u32>().ok())
            .is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists());
        if is_torn {
            // Whoever cannot remove it cannot write either, and is told so.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a folder of the site where it is missing.
pub fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| Failure::io("make the folder", path, &error))
}

fn fill(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
