//! Hard links of one pass: which path first showed an inode.
//!
//! The agent keeps no table of links, however many a source has; this one lives on the landing
//! site's disk, in a file of its own. It is scratch: not synced, without a journal, begun empty by
//! every [`LinkTable::open`] and removed when dropped. A resumed pass fills it again from its
//! manifest.
//!
//! **Bounds.** Memory is the page cache below, whatever the number of links; a link takes about
//! its path and 60 bytes on disk. Rows are appended, and only one index is written at random: a
//! path that is forgotten is not looked for, it makes all rows it has up to now void.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use crate::ledger::error::LedgerError;
use crate::model::TreePath;

/// Pages kept in memory; every active workload may have a table.
const CACHE_KIB: i64 = 2_048;
/// Changes in one transaction. It is there for speed; nothing is promised when it ends.
const BATCH: u32 = 20_000;

/// First paths by inode.
pub struct LinkTable {
    connection: Connection,
    path: PathBuf,
    pending: u32,
}

impl std::fmt::Debug for LinkTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkTable").field("path", &self.path).finish()
    }
}

impl LinkTable {
    /// An empty table in the file `path`; what stood there is removed.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LedgerError::io("replace", path, error));
            }
            _ => {}
        }
        let table = || {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "OFF")?;
            connection.pragma_update(None, "synchronous", "OFF")?;
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
            connection.execute_batch(
                "CREATE TABLE link (
                     id INTEGER PRIMARY KEY AUTOINCREMENT,
                     dev INTEGER NOT NULL, ino INTEGER NOT NULL, fingerprint INTEGER NOT NULL,
                     path BLOB NOT NULL,
                     UNIQUE (dev, ino, fingerprint)
                 ) STRICT;
                 CREATE TABLE forgotten (
                     path BLOB PRIMARY KEY, up_to INTEGER NOT NULL
                 ) STRICT, WITHOUT ROWID;
                 BEGIN",
            )?;
            Ok(connection)
        };
        let connection = table().map_err(|source| LedgerError::database(path, source))?;
        Ok(Self { connection, path: path.to_owned(), pending: 0 })
    }

    /// The path that first showed this inode in this very state, if it is another one; otherwise
    /// `path` is (now) the first, and this is `None`.
    pub fn first_or(
        &mut self,
        dev: u64,
        ino: u64,
        fingerprint: u64,
        path: &TreePath,
    ) -> Result<Option<TreePath>, LedgerError> {
        let key = [dev, ino, fingerprint].map(u64::cast_signed);
        let first = self
            .find_or_keep(key, path)
            .map_err(|source| LedgerError::database(&self.path, source))?;
        first
            .map(TreePath::new)
            .transpose()
            .map_err(|error| LedgerError::damaged(error.to_string()).at(&self.path))
    }

    /// Takes `path` back: its content was not had after all. The next path of that inode is first.
    pub fn forget(&mut self, path: &TreePath) -> Result<(), LedgerError> {
        let forget = || {
            self.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO forgotten (path, up_to)
                     VALUES (?1, (SELECT coalesce(max(id), 0) FROM link))",
                )?
                .execute([path.as_bytes()])
        };
        forget().map_err(|source| LedgerError::database(&self.path, source))?;
        self.changed().map_err(|source| LedgerError::database(&self.path, source))
    }

    fn find_or_keep(
        &mut self,
        key: [i64; 3],
        path: &TreePath,
    ) -> rusqlite::Result<Option<Vec<u8>>> {
        let known = self
            .connection
            .prepare_cached(
                "SELECT id, path, EXISTS (SELECT 1 FROM forgotten
                                          WHERE forgotten.path = link.path AND up_to >= id)
                 FROM link WHERE dev = ?1 AND ino = ?2 AND fingerprint = ?3",
            )?
            .query_row(key, |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?)))
            .optional()?;
        match known {
            Some((_, first, false)) => return Ok((first != path.as_bytes()).then_some(first)),
            Some((void, ..)) => self.remove(void)?,
            None => {}
        }
        self.keep(key, path)?;
        Ok(None)
    }

    fn remove(&self, id: i64) -> rusqlite::Result<()> {
        self.connection.prepare_cached("DELETE FROM link WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    fn keep(&mut self, [dev, ino, fingerprint]: [i64; 3], path: &TreePath) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO link (dev, ino, fingerprint, path) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![dev, ino, fingerprint, path.as_bytes()])?;
        self.changed()
    }

    fn changed(&mut self) -> rusqlite::Result<()> {
        self.pending += 1;
        if self.pending >= BATCH {
            self.connection.execute_batch("COMMIT; BEGIN")?;
            self.pending = 0;
        }
        Ok(())
    }
}

impl Drop for LinkTable {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_path_of_an_inode_wins_until_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("links");
        let mut links = LinkTable::open(&file).unwrap();
        let mut first = |ino, print, text| links.first_or(1, ino, print, &path(text)).unwrap();
        assert_eq!(first(7, 9, "/a"), None);
        assert_eq!(first(7, 9, "/b"), Some(path("/a")));
        assert_eq!(first(7, 9, "/a"), None);
        assert_eq!(first(7, 10, "/c"), None, "another state of the inode is another content");
        assert_eq!(first(u64::MAX, u64::MAX, "/d"), None);
        links.forget(&path("/a")).unwrap();
        assert_eq!(links.first_or(1, 7, 9, &path("/b")).unwrap(), None);
        assert_eq!(links.first_or(1, 7, 9, &path("/a")).unwrap(), Some(path("/b")));
        links.forget(&path("/b")).unwrap();
        assert_eq!(links.first_or(1, 7, 9, &path("/b")).unwrap(), None);
        assert_eq!(links.first_or(1, 7, 9, &path("/c")).unwrap(), Some(path("/b")));
        // What is kept under a forgotten path later counts again.
        assert_eq!(links.first_or(1, 7, 11, &path("/a")).unwrap(), None);
        assert_eq!(links.first_or(1, 7, 11, &path("/b")).unwrap(), Some(path("/a")));
        drop(links);
        assert!(!file.exists());
    }

    #[test]
    fn a_table_left_behind_by_a_crash_is_of_no_account() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("links");
        std::fs::write(&file, b"torn in the middle of a page").unwrap();
        let mut links = LinkTable::open(&file).unwrap();
        assert_eq!(links.first_or(1, 2, 3, &path("/a")).unwrap(), None);
    }

    #[test]
    fn many_links_need_no_more_memory_than_few() {
        const LINKS: u64 = 80_000;
        let folder = tempfile::tempdir().unwrap();
        let mut links = LinkTable::open(&folder.path().join("links")).unwrap();
        for ino in 0..LINKS {
            let shuffled = ino.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            assert_eq!(
                links.first_or(1, shuffled, 5, &path(&format!("/srv/mail/domains/{ino}"))).unwrap(),
                None
            );
        }
        let again = 12_345_u64.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let first = links.first_or(1, again, 5, &path("/other")).unwrap();
        assert_eq!(first, Some(path("/srv/mail/domains/12345")));
        // Far more pages than the cache may hold: the rest is on disk.
        let pragma = |name| -> i64 {
            links.connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
        };
        assert!(pragma("page_count") * pragma("page_size") > 2 * CACHE_KIB * 1_024);
        assert_eq!(pragma("cache_size"), -CACHE_KIB);
    }
}
