//! The page in a bucket of an S3-compatible store. [`super::bucket`] puts it there.

use super::bucket::Place;
use super::files::page_only;
use super::{Call, Destination, Does, Job};

/// A bucket, addressed by path.
pub struct S3 {
    pub url: String,
    pub bucket: String,
    pub region: String,
    pub user: String,
}

impl Destination for S3 {
    fn does(&self) -> Does {
        page_only()
    }

    fn call(&self, job: &Job<'_>) -> Result<Call, String> {
        Ok(Call::PutObjects(Place {
            url: format!("{}/{}", self.url, self.bucket),
            region: self.region.clone(),
            user: self.user.clone(),
            site: job.site.to_owned(),
        }))
    }
}
