//! What a later pass of a workload builds on, and what it has to know for that.
//!
//! **The decision.** A delta pass names the runs of former passes in its own head, oldest first
//! ([`PassBase::layers`]), and is read as these runs followed by its own. Nothing is copied: of a
//! million files of which a thousand changed, the new pass writes a thousand entries, and the old
//! pass stays what it was. The price is that damage to a manifest shows in every pass built on it;
//! `verify` names it in all of them, and the next pass is then taken anew
//! ([`crate::store::Pass::as_base`] is asked of sound passes only). The list is flat, so nothing is
//! followed from pass to pass, and says how far each run reaches, so a run that lost its end is
//! noticed.
//!
//! **When a file was last read.** A change within the same tick of the source's clock as the
//! reading may leave no trace in size and times. Each run therefore keeps what that clock showed
//! when it began (`clock-NUMBER`), before any of its segments; everything in the run was read
//! later. What changed less than [`SETTLED_S`] before is to be read again. A run without a clock is
//! of an evac that did not keep it: all of it is.
//!
//! **Set aside.** A pass that lost so much that it may be a mistake of the source (an unmounted
//! disk) is never sealed and gets the file `aside`. It is no base and not gone on with; what it
//! holds stays as evidence.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::capture::entry::FileTime;
use crate::model::{PassNumber, RunNumber};
use crate::store::disk::{Disk, DiskErrorKind};
use crate::store::manifest::{self, ManifestError, PassName, RunEnd};

/// Most runs a pass may build on; a pass that would need more is taken anew.
pub const LAYERS_MAX: usize = 128;
/// What changed less than this before it was read may have changed once more.
pub const SETTLED_S: i64 = 2;

const CLOCK_MAGIC: [u8; 8] = *b"EVACTIME";
const ASIDE_MAGIC: [u8; 8] = *b"EVACASID";

/// What a pass builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassBase {
    /// The pass it was compared with.
    pub pass: PassNumber,
    /// The runs that pass consists of, oldest first.
    pub layers: Vec<Layer>,
}

/// A run of a former pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Of which pass.
    pub pass: PassNumber,
    /// Which run, and how far it reaches.
    pub end: RunEnd,
    /// What the source's clock showed when it began, in seconds since 1970.
    pub read_from_s: Option<i64>,
}

impl PassBase {
    pub(super) fn check(&self, of: PassNumber) -> Result<(), &'static str> {
        let place = |layer: &Layer| (layer.pass, layer.end.run);
        if self.layers.len() > LAYERS_MAX {
            return Err("it builds on too many runs");
        }
        if self.pass >= of || self.layers.iter().any(|layer| layer.pass > self.pass) {
            return Err("it builds on a later pass");
        }
        if !self.layers.is_sorted_by(|a, b| place(a) < place(b)) {
            return Err("it builds on runs out of order");
        }
        Ok(())
    }
}

impl Layer {
    /// Was an entry of this run read long enough after `changed`?
    pub(super) fn is_settled(&self, changed: FileTime) -> bool {
        self.read_from_s.is_some_and(|from| changed.seconds < from.saturating_sub(SETTLED_S))
    }
}

/// Keeps what the source's clock showed when `run` began. What is there already is earlier.
pub fn put_clock(
    disk: &dyn Disk,
    name: &PassName,
    run: RunNumber,
    seconds: i64,
) -> Result<(), ManifestError> {
    let file = clock_file(name, run);
    match disk.length(&file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind == DiskErrorKind::NotFound => {
            Ok(disk.put(&file, &manifest::encode(&file, CLOCK_MAGIC, &seconds)?)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// What was kept; a clock that cannot be read is as good as none.
pub(super) fn read_clock(
    disk: &Arc<dyn Disk>,
    name: &PassName,
    run: RunNumber,
) -> Result<Option<i64>, ManifestError> {
    match manifest::optional(manifest::read(&**disk, &clock_file(name, run), CLOCK_MAGIC)) {
        Err(ManifestError::Damaged { .. }) => Ok(None),
        clock => clock,
    }
}

fn clock_file(name: &PassName, run: RunNumber) -> String {
    name.file(&format!("clock-{:05}", run.0))
}

/// Sets a pass aside, for good.
pub fn set_aside(disk: &dyn Disk, name: &PassName, why: &str) -> Result<(), ManifestError> {
    let file = name.file("aside");
    Ok(disk.put(&file, &manifest::encode(&file, ASIDE_MAGIC, &why)?)?)
}

/// Why a pass was set aside, if it was.
pub fn read_aside(disk: &dyn Disk, name: &PassName) -> Result<Option<String>, ManifestError> {
    match manifest::optional(manifest::read(disk, &name.file("aside"), ASIDE_MAGIC)) {
        // Somebody meant it to be set aside; only the reason is gone.
        Err(ManifestError::Damaged { .. }) => Ok(Some("the reason cannot be read".to_owned())),
        aside => aside,
    }
}
