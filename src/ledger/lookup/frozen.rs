//! How everybody stood at one moment, for whoever has to answer the phone when the landing site is
//! dark. The file goes to other machines, so it holds what is said on the phone and no more:
//! no contacts, only whether there is one; no reasons, neither of holds nor of faults; no notes but
//! those that were written for support.
//!
//! **Whoever needs a colleague looks like anybody who does.** What is known of his workloads is
//! left out, whether they failed, are late, or are held back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{About, Lookup, Refused};
use crate::ledger::find::names::{Kind, KnownBy, Names, known_by, ranks};
use crate::ledger::snapshot::{
    CaptureState, CaptureStatus, CustomerStatus, Health, Hold, RestoreState, RestoreStatus,
    Snapshot, WorkloadStatus,
};
use crate::ledger::view::FleetView;
use crate::model::{Bytes, CustomerId, PublicWord, Timestamp};

/// A note that support may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// About what, in its exact form.
    pub what: String,
    /// What.
    pub text: String,
}

/// A customer as he stood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// What he is known by, without contacts.
    pub names: Vec<KnownBy>,
    /// Where he stood.
    pub status: CustomerStatus,
    /// Is a contact of his on file?
    pub has_contact: bool,
    /// What support was told.
    #[serde(default)]
    pub notes: Vec<Told>,
}

/// Everybody of `snapshot` as a file; `notes` by customer.
pub fn freeze(
    about: About,
    view: &FleetView,
    snapshot: &Snapshot,
    notes: &BTreeMap<CustomerId, Vec<Told>>,
) -> Option<(Lookup, Vec<u8>)> {
    let mut names = Names::default();
    let mut cards = Vec::with_capacity(view.customers.len());
    let known = ranks(view).into_iter().zip(known_by(view));
    let customers = view.customers.iter().zip(&snapshot.customers);
    for ((rank, mut known), (customer, status)) in known.zip(customers) {
        known.retain(|name| !matches!(name.kind, Kind::Mail | Kind::Phone));
        names.push(rank, &known);
        let frozen = Frozen {
            names: known,
            status: told(status.clone()),
            has_contact: !customer.contacts.is_empty(),
            notes: notes.get(&customer.id).cloned().unwrap_or_default(),
        };
        cards.push(serde_json::to_vec(&frozen).ok()?);
    }
    Lookup::made(about, names, &cards)
}

impl Lookup {
    /// The customer at a place of a frozen file.
    pub fn frozen(&self, place: usize) -> Result<Frozen, Refused> {
        let bytes = self.slot(place).ok_or_else(|| self.damaged())?;
        serde_json::from_slice(&bytes).map_err(|_| self.damaged())
    }
}

/// What of a status is for the phone.
pub fn told(mut status: CustomerStatus) -> CustomerStatus {
    let is_for_a_colleague =
        status.hold != Hold::None || status.state == PublicWord::NeedsAttention;
    status.hold = Hold::None;
    if is_for_a_colleague {
        status.state = PublicWord::NeedsAttention;
        status.health = Health::Error;
        (status.eta_low, status.eta_high) = (None, None);
    }
    for workload in &mut status.workloads {
        workload.reason = None;
        workload.next = String::new();
        (workload.paused, workload.skipped) = (None, None);
        if is_for_a_colleague {
            leave_out(workload);
        }
    }
    status
}

fn leave_out(workload: &mut WorkloadStatus) {
    workload.state = PublicWord::NeedsAttention;
    workload.health = Health::Error;
    workload.consistency = None;
    workload.capture =
        CaptureStatus { state: CaptureState::Planned, pass: None, sealed_at: None, lag_s: None };
    workload.restore = RestoreStatus { state: RestoreState::None, of_pass: None, checked_at: None };
    (workload.bytes, workload.bytes_done) = (Bytes::ZERO, Bytes::ZERO);
    workload.copies = 0;
    workload.since = None;
}
