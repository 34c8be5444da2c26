//! What a target is sent, and what it has not answered yet.

use std::collections::VecDeque;

use crate::capture::Record;
use crate::chunk::DomainKey;
use crate::model::TreePath;
use crate::restore::Batch;
use crate::run::line::Line;
use crate::run::restore::lie;
use crate::run::talk::TalkError;
use crate::wire::{Former, ToAgent};

/// What a target was sent and has not answered.
#[derive(Default)]
pub(super) struct Sent {
    /// Number and last path.
    pub(super) batches: VecDeque<(u64, Option<TreePath>)>,
    pub(super) is_fed: bool,
}

impl Sent {
    /// The target says that a batch is written; gives its last path.
    pub(super) fn written(&mut self, batch: u64) -> Result<Option<TreePath>, TalkError> {
        let done = self.batches.pop_front().filter(|(number, _)| *number == batch);
        done.map(|(_, last)| last).ok_or_else(|| lie("the target wrote what was not sent"))
    }

    /// The target says that all is written.
    pub(super) fn is_over(&self) -> Result<(), TalkError> {
        let is_over = self.is_fed && self.batches.is_empty();
        if is_over { Ok(()) } else { Err(lie("the target was done before everything was sent")) }
    }
}

/// A batch as it is sent.
pub(super) struct Encoded {
    pub(super) number: u64,
    frames: Vec<Vec<u8>>,
    records: Vec<Record>,
    formers: Vec<Former>,
    kept: Vec<u32>,
    pub(super) last: Option<TreePath>,
    pub(super) damaged: Vec<(TreePath, String)>,
}

impl Encoded {
    pub(super) fn new(batch: Batch, key: &DomainKey) -> Self {
        Self {
            number: batch.number,
            frames: batch.encode_frames(key),
            records: batch.records,
            formers: batch.formers,
            kept: batch.kept,
            last: batch.last,
            damaged: batch.damaged,
        }
    }

    pub(super) fn send(self, line: &Line) {
        for frame in self.frames {
            line.talk.send(&ToAgent::Frame(serde_bytes::ByteBuf::from(frame)));
        }
        let Self { number, records, formers, kept, .. } = self;
        line.talk.send(&ToAgent::Batch { number, records, formers, kept });
    }
}
