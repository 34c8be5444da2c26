//! What runs on a source or target host: std threads over any Read and Write.

pub mod place;
