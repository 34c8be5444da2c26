//! The page in a folder of an account that takes files over SSH and needs no shell, as hosting
//! companies give them out. See [`super::upload`] for what visitors may see meanwhile.

use super::account::Place;
use super::files::page_only;
use super::{Call, Destination, Does, Job};

/// Each call is a login.
const CALLS_A_MINUTE: usize = 6;

/// A folder of an account.
pub struct Sftp {
    pub url: String,
    pub user: String,
    pub folder: String,
    pub calls_a_minute: Option<usize>,
}

impl Destination for Sftp {
    fn does(&self) -> Does {
        let calls_a_minute = self.calls_a_minute.unwrap_or(CALLS_A_MINUTE);
        Does { calls_a_minute, ..page_only() }
    }

    fn call(&self, job: &Job<'_>) -> Result<Call, String> {
        Ok(Call::Upload(Place {
            url: self.url.clone(),
            user: self.user.clone(),
            folder: self.folder.clone(),
            site: job.site.to_owned(),
        }))
    }
}
