//! The page in a folder of an SFTP account: only what changed travels, and it is put in place
//! together.
//!
//! New files are written beside the page (`.evac-new`), made sure to be on the disk, and then
//! renamed over the old ones in one flight of requests, entry pages last. A reader finds each file
//! whole, old or new; within that flight, and until the next try if the line breaks in it, new
//! pages may stand beside old ones. Accounts of hosting companies are often shut into their own
//! folder, whose name cannot be exchanged: that is why names of files are, and not of folders. A
//! server that cannot replace a name (`posix-rename@openssh.com`) lacks each file for a moment.
//! Hundreds of customers' own pages, which have nothing to do with each other, go in several
//! flights, and on a slow line in several calls: what is there stays there.
//!
//! **Promises.** [`manifest`] keeps what is ours: nothing else is replaced or removed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::manifest::{self, Manifest, in_order};
use crate::model::Clock;
use crate::model::text::printable;
use crate::publish::Rendered;
use crate::publish::folder::listed;
use crate::publish::own::{FOLDER, PAGE, is_secret};
use crate::ssh::sftp::{Attributes, Client, Code, Handle, PIECE_BYTES, Reply, Request, SftpError};

/// New files wait here.
const STAGE: &str = ".evac-new";
/// Own pages that are put in place together.
const OWN_TOGETHER: usize = 48;
/// After so long what is left waits for the next call: others wait for this one.
const WITHIN: Duration = Duration::from_secs(15);
/// Files open at once; the tightest servers allow a few dozen.
const OPEN_AT_ONCE: usize = 16;
/// A web server runs as somebody else, and must read it.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;
const STAGE_MODE: u32 = 0o700;
/// More is no page.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Why a page is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    #[error(transparent)]
    Sftp(#[from] SftpError),
    #[error("cannot {action} `{path}` over there: {code} ({said})")]
    Refused { action: &'static str, path: String, code: Code, said: String },
    #[error("`{path}` is there, and evac did not put it there; empty the folder or name another")]
    Foreign { path: String },
    #[error("`{path}` is no list of this site's; empty the folder, or name another")]
    NotOurs { path: String },
    #[error("it takes long: {left} files are left, and follow")]
    Slow { left: usize },
}

impl UploadError {
    /// May it be otherwise in a while, without anybody's doing?
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Sftp(error) => error.is_temporary(),
            Self::Refused { code, .. } => matches!(code, Code::Other(_)),
            Self::Foreign { .. } | Self::NotOurs { .. } => false,
            Self::Slow { .. } => true,
        }
    }
}

/// Puts `page` into `folder` of the account; returns what stands for all of it.
pub(super) fn put(
    client: &mut Client,
    (folder, site): (&str, &str),
    page: &Rendered,
    clock: &dyn Clock,
) -> Result<String, UploadError> {
    let began = clock.elapsed();
    let mut there = There { client, folder };
    let old = there.manifest()?;
    if old.as_ref().is_some_and(|old| old.site != site) {
        return Err(UploadError::NotOurs { path: there.at(manifest::NAME) });
    }
    let is_first = old.is_none();
    let (old, new) = (old.unwrap_or_default(), Manifest::of(site, page));
    if is_first {
        there.make_way()?;
    }
    let changed = there.changed(&old, page)?;
    let gone = old.gone(&new);
    if changed.is_empty() && gone.is_empty() && old == new {
        return Ok(new.digest());
    }
    there.make_stage()?;
    there.put_list(&old.on_the_way_to(&new, &changed))?;
    there.make_folders(&changed)?;
    let (own, public) = changed.split_at(changed.iter().take_while(|it| is_secret(it)).count());
    let mut left = changed.len();
    for batch in own.chunks(OWN_TOGETHER).chain([public]) {
        if left < changed.len() && clock.elapsed().saturating_sub(began) > WITHIN {
            return Err(UploadError::Slow { left });
        }
        let with_content = batch.iter().map(|path| (*path, page.files[*path].as_slice()));
        let files: Vec<(&str, &[u8])> = with_content.collect();
        there.stage(&files)?;
        there.switch(batch)?;
        left -= batch.len();
        if left > 0 {
            there.put_list(&old.on_the_way_to(&new, &changed[changed.len() - left..]))?;
        }
    }
    there.remove(&gone)?;
    there.put_list(&new)?;
    // An empty one left behind does no harm.
    there.client.ask_one(Request::RemoveFolder { path: there.at(STAGE) })?;
    Ok(new.digest())
}

/// The first public file that is not as it was put there, if there is one.
pub(super) fn differing(
    client: &mut Client,
    folder: &str,
    told: &str,
) -> Result<Option<String>, UploadError> {
    let mut there = There { client, folder };
    let Some(list) = there.manifest()?.filter(|list| list.digest() == told) else {
        return Ok(Some(manifest::NAME.to_owned()));
    };
    for path in list.public() {
        let content = there.content(path, FILE_BYTES_MAX)?;
        if content.is_none_or(|content| !list.has(path, &content)) {
            return Ok(Some(path.to_owned()));
        }
    }
    Ok(None)
}

struct There<'a> {
    client: &'a mut Client,
    folder: &'a str,
}

impl There<'_> {
    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.folder.trim_end_matches('/'))
    }

    fn manifest(&mut self) -> Result<Option<Manifest>, UploadError> {
        let content = self.content(manifest::NAME, manifest::BYTES_MAX as u64)?;
        let read = |bytes: Vec<u8>| {
            let path = self.at(manifest::NAME);
            Manifest::read(&bytes).map_err(|_| UploadError::NotOurs { path })
        };
        content.map(read).transpose()
    }

    /// What is in a plain file; `None`: there is none.
    fn content(&mut self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, UploadError> {
        let path = self.at(name);
        let attributes = match self.client.ask_one(Request::Look { path: path.clone() })? {
            Reply::Attributes(attributes) => attributes,
            Reply::Status { code: Code::NoSuchFile, .. } => return Ok(None),
            other => return Err(refused("look at", path, other)),
        };
        let size = attributes.size.unwrap_or(0);
        if !attributes.is_file() || size > bytes_max {
            return Ok(None);
        }
        let handle = handle(self.client.ask_one(Request::Open { path: path.clone() })?, &path)?;
        let offsets = (0..=size).step_by(PIECE_BYTES);
        let reads = offsets.map(|offset| Request::Read { handle: handle.clone(), offset });
        let close = Request::Close { handle: handle.clone() };
        let replies = self.client.ask(&reads.chain([close]).collect::<Vec<_>>())?;
        let mut content = Vec::new();
        for reply in replies {
            match reply {
                Reply::Data(bytes) => content.extend(bytes),
                Reply::Status { code: Code::Done | Code::End, .. } => {}
                other => return Err(refused("read", path, other)),
            }
        }
        Ok(Some(content))
    }

    /// The folder of the page, should it not be there; what does not work shows at the next step.
    fn make_way(&mut self) -> Result<(), UploadError> {
        let ends = self.folder.char_indices().filter(|(at, c)| *c == '/' && *at > 0);
        let ways = ends.map(|(at, _)| &self.folder[..at]).chain([self.folder]);
        let make = |path: &str| Request::MakeFolder { path: path.to_owned(), mode: FOLDER_MODE };
        self.client.ask(&ways.map(make).collect::<Vec<_>>())?;
        Ok(())
    }

    /// The paths that are not as they shall be, in the order in which they are put in place.
    fn changed<'p>(
        &mut self,
        old: &Manifest,
        page: &'p Rendered,
    ) -> Result<Vec<&'p str>, UploadError> {
        let paths = in_order(page);
        let looks = paths.iter().map(|path| Request::Look { path: self.at(path) });
        let replies = self.client.ask(&looks.collect::<Vec<_>>())?;
        let mut changed = Vec::new();
        for (path, reply) in paths.into_iter().zip(replies) {
            let content = &page.files[path];
            let as_big = |it: Attributes| it.is_file() && it.size == Some(content.len() as u64);
            match reply {
                Reply::Status { code: Code::NoSuchFile, .. } => changed.push(path),
                Reply::Attributes(_) if !old.names(path) => {
                    return Err(UploadError::Foreign { path: self.at(path) });
                }
                Reply::Attributes(it) if as_big(it) && old.has(path, content) => {}
                Reply::Attributes(_) => changed.push(path),
                other => return Err(refused("look at", self.at(path), other)),
            }
        }
        Ok(changed)
    }

    /// An empty folder for what is new; what a killed upload left in it goes.
    fn make_stage(&mut self) -> Result<(), UploadError> {
        let path = self.at(STAGE);
        let made =
            self.client.ask_one(Request::MakeFolder { path: path.clone(), mode: STAGE_MODE });
        if matches!(made?, Reply::Status { code: Code::Done, .. }) {
            return Ok(());
        }
        let left = self.names(STAGE)?.into_iter().filter(|name| is_number(name));
        let removes = left.map(|name| Request::Remove { path: format!("{path}/{name}") });
        self.client.ask(&removes.collect::<Vec<_>>())?;
        Ok(())
    }

    /// The names in a folder; what is no text is none of ours.
    fn names(&mut self, folder: &str) -> Result<Vec<String>, UploadError> {
        let path = self.at(folder);
        let opened = self.client.ask_one(Request::OpenFolder { path: path.clone() })?;
        let handle = handle(opened, &path)?;
        let mut all = Vec::new();
        loop {
            match self.client.ask_one(Request::ReadFolder { handle: handle.clone() })? {
                Reply::Names(names) if !names.is_empty() && all.len() < FILE_BYTES_MAX as usize => {
                    all.extend(names.into_iter().filter_map(|name| String::from_utf8(name).ok()));
                }
                Reply::Names(_) | Reply::Status { code: Code::End, .. } => break,
                other => return Err(refused("list", path, other)),
            }
        }
        self.client.ask_one(Request::Close { handle })?;
        Ok(all)
    }

    /// The folders that files are in; they may be there.
    fn make_folders(&mut self, paths: &[&str]) -> Result<(), UploadError> {
        let mut folders = BTreeSet::new();
        for path in paths {
            let ends = path.char_indices().filter(|(_, c)| *c == '/');
            folders.extend(ends.map(|(at, _)| self.at(&path[..at])));
        }
        let make = |path| Request::MakeFolder { path, mode: FOLDER_MODE };
        self.client.ask(&folders.into_iter().map(make).collect::<Vec<_>>())?;
        Ok(())
    }

    /// Writes each file under its number.
    fn stage(&mut self, files: &[(&str, &[u8])]) -> Result<(), UploadError> {
        for (chunk, some) in files.chunks(OPEN_AT_ONCE).enumerate() {
            let first = chunk * OPEN_AT_ONCE;
            let paths: Vec<_> = (first..first + some.len()).map(|it| self.staged(it)).collect();
            let create = |path: &String| Request::Create { path: path.clone(), mode: FILE_MODE };
            let opened = self.client.ask(&paths.iter().map(create).collect::<Vec<_>>())?;
            let mut requests = Vec::new();
            for ((path, reply), (_, content)) in paths.iter().zip(opened).zip(some) {
                self.fill(handle(reply, path)?, content, &mut requests);
            }
            for (request, reply) in requests.iter().zip(self.client.ask(&requests)?) {
                // Some servers let nobody set modes; a file that cannot be read shows on the web.
                if !matches!(request, Request::SetMode { .. }) {
                    done(reply, "write", || paths[0].clone())?;
                }
            }
        }
        Ok(())
    }

    fn fill(&self, handle: Handle, content: &[u8], requests: &mut Vec<Request>) {
        let mut offset = 0;
        for piece in content.chunks(PIECE_BYTES) {
            let bytes = piece.to_vec();
            requests.push(Request::Write { handle: handle.clone(), offset, bytes });
            offset += piece.len() as u64;
        }
        requests.push(Request::SetMode { handle: handle.clone(), mode: FILE_MODE });
        if self.client.syncs() {
            requests.push(Request::Sync { handle: handle.clone() });
        }
        requests.push(Request::Close { handle });
    }

    fn staged(&self, number: usize) -> String {
        self.at(&format!("{STAGE}/{number}"))
    }

    /// Puts what was staged in place.
    fn switch(&mut self, paths: &[&str]) -> Result<(), UploadError> {
        let ways = paths.iter().enumerate().map(|(at, path)| (self.staged(at), self.at(path)));
        let ways: Vec<(String, String)> = ways.collect();
        if self.client.renames_over() {
            let rename = |(from, to): &(String, String)| {
                let (from, to) = (from.clone(), to.clone());
                Request::RenameOver { from, to }
            };
            let replies = self.client.ask(&ways.iter().map(rename).collect::<Vec<_>>())?;
            let all = ways.into_iter().zip(replies);
            return all.into_iter().try_for_each(|((_, to), reply)| done(reply, "replace", || to));
        }
        for (from, to) in ways {
            let rename = || Request::Rename { from: from.clone(), to: to.clone() };
            let renamed = self.client.ask_one(rename())?;
            if !matches!(renamed, Reply::Status { code: Code::Done, .. }) {
                self.client.ask_one(Request::Remove { path: to.clone() })?;
                done(self.client.ask_one(rename())?, "replace", || to)?;
            }
        }
        Ok(())
    }

    fn put_list(&mut self, list: &Manifest) -> Result<(), UploadError> {
        let text = list.text();
        self.stage(&[(manifest::NAME, text.as_bytes())])?;
        self.switch(&[manifest::NAME])
    }

    /// Removes what the list names and nobody renders any more, and folders that are empty then.
    fn remove(&mut self, gone: &BTreeSet<String>) -> Result<(), UploadError> {
        let mut paths: Vec<String> =
            gone.iter().filter(|path| !path.starts_with('#')).cloned().collect();
        if paths.len() < gone.len() {
            let own = self.names(FOLDER.trim_end_matches('/'))?.into_iter();
            let own = own.map(|name| format!("{FOLDER}{name}/{PAGE}"));
            paths.extend(own.filter(|path| gone.contains(&listed(path))));
        }
        let removes = paths.iter().map(|path| Request::Remove { path: self.at(path) });
        let replies = self.client.ask(&removes.collect::<Vec<_>>())?;
        for (path, reply) in paths.iter().zip(replies) {
            if !matches!(reply, Reply::Status { code: Code::NoSuchFile, .. }) {
                done(reply, "remove", || self.at(path))?;
            }
        }
        let parents: BTreeSet<&str> =
            paths.iter().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
        let empty = parents.into_iter().rev();
        let remove = empty.map(|path| Request::RemoveFolder { path: self.at(path) });
        self.client.ask(&remove.collect::<Vec<_>>())?;
        Ok(())
    }
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

fn handle(reply: Reply, path: &str) -> Result<Handle, UploadError> {
    match reply {
        Reply::Handle(handle) => Ok(handle),
        other => Err(refused("open", path.to_owned(), other)),
    }
}

fn done(
    reply: Reply,
    action: &'static str,
    path: impl FnOnce() -> String,
) -> Result<(), UploadError> {
    match reply {
        Reply::Status { code: Code::Done, .. } => Ok(()),
        other => Err(refused(action, path(), other)),
    }
}

fn refused(action: &'static str, path: String, reply: Reply) -> UploadError {
    let (code, said) = match reply {
        Reply::Status { code, said } => (code, said),
        _ => (Code::Other(4), "another answer than was asked for".to_owned()),
    };
    UploadError::Refused { action, path: printable(path.as_bytes()), code, said }
}
