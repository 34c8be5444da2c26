//! What the settings name and only this machine can tell: key files, and the program that calls
//! people.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::cli::Global;
use crate::cli::failure::shown;
use crate::inventory::{Origin, Problem, SETTINGS_FILE, Settings};
use crate::run::endpoints::resolve;

/// Looks at what is here.
pub fn look(global: &Global, settings: &Settings, problems: &mut Vec<Problem>) {
    let origin = Origin { file: Arc::from(SETTINGS_FILE), line: 0 };
    for identity in &settings.ssh.identity {
        let path = resolve(&global.site, identity);
        let hint = "Name a private key of this machine in `identity`.";
        let missing = |what: String| Problem::warning(&origin, what).hint(hint);
        problems.extend(secret(&path, &origin, missing));
    }
    let alert = &settings.alert;
    if let Some(file) = &alert.secret_file {
        let path = resolve(&global.site, file);
        let hint = "Without it nothing can be posted: write the key into that file.";
        let missing = |what: String| Problem::error(&origin, what).hint(hint);
        problems.extend(secret(&path, &origin, missing));
    }
    if let Some(program) = alert.command.first()
        && program.contains('/')
        && !is_program(Path::new(program))
    {
        let what = format!("`command` of [alert] names {program}, which is no program here");
        problems.push(Problem::error(&origin, what).hint("`evac check --ring` tries it."));
    }
}

/// What is wrong with a file that nobody else may read.
fn secret(path: &Path, origin: &Origin, missing: impl Fn(String) -> Problem) -> Option<Problem> {
    match fs::metadata(path) {
        Err(error) => Some(missing(format!("cannot use {}: {error}", shown(path)))),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let what = format!("{} can be read by others", shown(path));
            let hint = format!("chmod 600 {}", shown(path));
            Some(Problem::warning(origin, what).hint(hint))
        }
        Ok(_) => None,
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
