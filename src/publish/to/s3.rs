//! The page in a bucket of an S3-compatible store, signed by AWS Signature Version 4. The entry
//! pages go last, so that they never point at what is not there yet.

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

    fn call(&self, _job: &Job<'_>) -> Result<Call, String> {
        Ok(Call::PutObjects {
            url: format!("{}/{}", self.url, self.bucket),
            region: self.region.clone(),
            user: self.user.clone(),
        })
    }
}
