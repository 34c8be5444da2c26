//! What a customer should be told next, by how he fares and what he was told. Pure.
//!
//! Moments come in rounds: what was online and is not any more ends one. Within a round each is
//! told once; what belongs to the way out (reachable, at risk, copied) is told once for ever, and
//! never after something that is further on.

use crate::inventory::Hold;
use crate::inventory::settings_mail::Moment;
use crate::ledger::snapshot::{CaptureState, CustomerStatus};
use crate::model::PublicWord;
use crate::publish::own::Step;
use crate::publish::page::is_copied;

/// Something a customer was told, or may have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub moment: Moment,
    pub round: u32,
    /// So many of his services were said to be online.
    pub online: u64,
}

/// What decides, apart from the customer himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Around {
    /// Do we have access to the data centre now, as far as anybody knows?
    pub has_access: bool,
    /// Does a person say that his data may not get out?
    pub is_at_risk: bool,
    /// Was it said in public that it is over?
    pub is_over: bool,
}

/// Moments of `customer` that are true now and were not told, the one that matters most first,
/// each with its round.
pub fn moments(
    customer: &CustomerStatus,
    steps: &[Step],
    told: &[Told],
    around: Around,
) -> Vec<(Moment, u32)> {
    if customer.hold != Hold::None || customer.workloads.is_empty() {
        return Vec::new();
    }
    let round = told.iter().filter(|it| it.moment == Moment::Back).count() as u32 + 1;
    let is_told = |moment: Moment| told.iter().any(|it| it.moment == moment && it.round == round);
    let said_online =
        told.iter().filter(|it| it.round == round).map(|it| it.online).max().unwrap_or(0);
    let total = customer.workloads.len() as u64;
    let online = online(customer);
    if online < said_online {
        return vec![(Moment::Back, round)];
    }
    let mut found = Vec::new();
    if online == total {
        if around.is_over && (is_told(Moment::Online) || is_told(Moment::Waiting)) {
            found.push(Moment::Final);
        }
        if steps.iter().any(|step| matches!(step, Step::DnsOld { .. })) {
            found.push(Moment::Waiting);
        } else {
            found.push(Moment::Online);
        }
    } else if online > 0 && said_online == 0 {
        found.push(Moment::Partly);
    } else if online == 0 {
        found.extend(way_out(customer, told, around));
    }
    found.retain(|moment| !is_told(*moment));
    found.into_iter().map(|moment| (moment, round)).collect()
}

/// How many of his services are online.
pub fn online(customer: &CustomerStatus) -> u64 {
    let online = customer.workloads.iter().filter(|it| it.state == PublicWord::Online);
    online.count() as u64
}

/// Before anything of him is online.
fn way_out(customer: &CustomerStatus, told: &[Told], around: Around) -> Option<Moment> {
    let is_comes_out = |state| matches!(state, CaptureState::Capturing | CaptureState::Partial);
    let is_reached = customer.workloads.iter().any(|it| is_comes_out(it.capture.state));
    let moment = if customer.workloads.iter().all(|it| is_copied(it.state)) {
        Moment::Copied
    } else if around.is_at_risk {
        Moment::AtRisk
    } else if around.has_access || is_reached {
        Moment::Reachable
    } else {
        return None;
    };
    // Moments are written in the order of the way.
    told.iter().all(|it| it.moment < moment).then_some(moment)
}
