//! Folders, files and working copies of this machine.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Reply;
use crate::model::text::bounded;
use crate::publish::folder::{digest, digest_of_folder, publish_telling};
use crate::publish::outbox::Answer;
use crate::publish::pulse::Pulse;
use crate::publish::{PublishError, Rendered, program};

/// The page's place in a working copy.
const GIT_FOLDER: &str = "public";
/// A push over a line that says nothing has no end of its own.
const GIT_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn put_page(page: &Rendered, folder: &Path, pulse: &Pulse) -> Result<Reply, Answer> {
    match publish_telling(page, folder, &|| pulse.beats()) {
        Ok(_) => Ok(Reply::marked(digest(&page.files))),
        Err(error @ PublishError::Foreign { .. }) => {
            Err(Answer::Refused { said: crate::run::explain(&error) })
        }
        Err(error) => Err(Answer::NotSent { said: crate::run::explain(&error) }),
    }
}

pub(super) fn differing_page(folder: &Path, mark: &str) -> Result<Option<String>, Answer> {
    match digest_of_folder(folder) {
        Ok(found) => Ok((found != mark).then(|| "a file".to_owned())),
        Err(error) => Err(Answer::NotSent { said: crate::run::explain(&error) }),
    }
}

pub(super) fn put_file(path: &Path, text: &str) -> Result<Reply, Answer> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let fresh = path.with_extension("evac-new");
        std::fs::write(&fresh, text)?;
        std::fs::File::open(&fresh)?.sync_all()?;
        std::fs::rename(&fresh, path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map(|()| Reply::marked(mark(text.as_bytes()))).map_err(|error| Answer::NotSent {
        said: format!("cannot write {}: {error}", path.display()),
    })
}

/// What stands for the content of a file.
fn mark(content: &[u8]) -> String {
    blake3::hash(content).to_hex()[..32].to_owned()
}

pub(super) fn differing_file(path: &Path, told: &str) -> Option<String> {
    let found = std::fs::read(path).map(|bytes| mark(&bytes)).unwrap_or_default();
    (found != told).then(|| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

pub(super) fn push(
    page: &Rendered,
    folder: &Path,
    (remote, branch): (&str, &str),
    pulse: &Pulse,
) -> Result<Reply, Answer> {
    put_page(page, &folder.join(GIT_FOLDER), pulse)?;
    git(folder, &["add", "--all", "--", GIT_FOLDER])?;
    if git(folder, &["diff", "--cached", "--quiet", "--", GIT_FOLDER]).is_err() {
        let author = ["-c", "user.name=evac", "-c", "user.email=evac@localhost"];
        let commit = ["commit", "--quiet", "--message", "Status", "--", GIT_FOLDER];
        git(folder, &[&author[..], &commit[..]].concat())?;
    }
    pulse.beats();
    // What an earlier try committed and could not push goes with it.
    git(folder, &["push", "--quiet", remote, &format!("HEAD:refs/heads/{branch}")])?;
    Ok(Reply::marked(git(folder, &["rev-parse", "HEAD"])?))
}

pub(super) fn differing_branch(
    folder: &Path,
    remote: &str,
    branch: &str,
    mark: &str,
) -> Result<Option<String>, Answer> {
    let name = format!("refs/heads/{branch}");
    let there = git(folder, &["ls-remote", remote, &name])?;
    Ok((!there.starts_with(mark)).then(|| format!("branch {branch}")))
}

/// What it printed.
fn git(folder: &Path, words: &[&str]) -> Result<String, Answer> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(words).env("GIT_TERMINAL_PROMPT", "0");
    // Its ssh ends with it.
    command.process_group(0);
    let output = program::run(command, GIT_WITHIN);
    let output = output.map_err(|error| Answer::NotSent { said: format!("git: {error}") })?;
    // What it pushed is pushed: the next one finds nothing left to do.
    let late = || format!("git {} did not end within {} s", words[0], GIT_WITHIN.as_secs());
    let output = output.ok_or_else(|| Answer::NotSent { said: late() })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Answer::NotSent { said: bounded(&format!("git {}: {}", words[0], said.trim()), 200) })
}
