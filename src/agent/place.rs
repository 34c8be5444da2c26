//! Stand-in until the merge.
use crate::capture::Record;
use crate::model::{ChunkId, TreePath};
pub trait Chunks {
    fn chunk(&mut self, id: &ChunkId) -> Option<&[u8]>;
}
#[derive(Default)]
pub struct PlaceOptions {
    pub overwrite: bool,
    pub resume_from: Option<TreePath>,
    pub x: u8,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct PlaceError;
pub struct PlaceProblem {
    pub path: TreePath,
    pub why: String,
}
pub struct Done {
    pub problems: Vec<PlaceProblem>,
    pub problem_count: u64,
    pub entries: u64,
    pub bytes: u64,
}
pub struct Placer;
impl Placer {
    pub fn open(_: &std::path::Path, _: PlaceOptions) -> Result<Self, PlaceError> {
        Ok(Self)
    }
    pub fn put(&mut self, _: &Record, _: &mut dyn Chunks) -> Result<(), PlaceError> {
        Ok(())
    }
    pub fn sync(&mut self) -> Result<(), PlaceError> {
        Ok(())
    }
    pub fn finish(self) -> Result<Done, PlaceError> {
        Err(PlaceError)
    }
}
