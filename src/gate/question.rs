//! From the checks of a workload to questions with a place to ask them at.
//!
//! A page that is named by address is asked there; one that is named by its DNS name is asked at
//! the workload's new address, since the name may still lead to the old one. The source is asked
//! the same at the old addresses.

use std::net::IpAddr;

use crate::inventory::{Ask, Check, Host, Workload};

/// Something to ask now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The check in its own words, of the new place also where the source is asked.
    pub asked: String,
    /// The check, with the addresses to ask.
    pub check: Check,
    /// Where the connection goes, if not to the check's own address.
    pub connect: Option<IpAddr>,
    /// A name that leads to one of these leads to the old machine, and is not asked.
    pub old: Vec<IpAddr>,
}

/// Every question to the new place; `old` are the addresses it must not be asked at.
pub fn of_new_place(workload: &Workload, old: &[IpAddr]) -> Vec<Question> {
    let new = workload.addresses.iter().find_map(|change| change.new);
    let question = |check: &Check| {
        let named = matches!(check.ask, Ask::Http(_)) && ip(check).is_none();
        let connect = if named { new } else { None };
        let (asked, check, old) = (check.to_string(), check.clone(), old.to_vec());
        Question { asked, check, connect, old }
    };
    workload.checks.list.iter().map(question).collect()
}

/// Where the machine it was taken from is, as far as the new place is not there as well. `target`:
/// the address of the machine it goes to.
pub fn old_addresses(workload: &Workload, host: &Host, target: Option<&str>) -> Vec<IpAddr> {
    let stays = |address: &IpAddr| {
        target.is_some_and(|target| target.parse() == Ok(*address))
            || workload.addresses.iter().any(|change| change.new == Some(*address))
    };
    let listed = workload.addresses.iter().filter_map(|change| change.old);
    listed.chain(host.address.parse()).filter(|address| !stays(address)).collect()
}

/// The same questions to the machine it was taken from, as far as they can be asked there.
pub fn of_source(workload: &Workload, host: &Host) -> Vec<Question> {
    let at_host: Option<IpAddr> = host.address.parse().ok();
    let old_of = |asked: IpAddr| {
        let change = workload.addresses.iter().find(|change| change.new == Some(asked));
        change.and_then(|change| change.old).or(at_host)
    };
    let old = workload.addresses.iter().find_map(|change| change.old).or(at_host);
    let question = |check: &Check| {
        let mut there = check.clone();
        let connect = match (ip(check), &mut there.ask) {
            (_, Ask::Command { argv, .. }) => {
                // Without the new address among its words, it would be asked of the new place.
                let replaced = workload.addresses.iter().filter(|change| {
                    let (Some(new), Some(old)) = (change.new, change.old) else { return false };
                    replace(argv, &new.to_string(), &old.to_string())
                });
                return (replaced.count() > 0).then(|| question_of(check, there, None));
            }
            (Some(asked), _) => Some(old_of(asked)?),
            (None, Ask::Http(_)) => Some(old?),
            // A name of the DNS says the same of both sides.
            (None, _) => return None,
        };
        Some(question_of(check, there, connect))
    };
    workload.checks.list.iter().filter_map(question).collect()
}

fn question_of(check: &Check, there: Check, connect: Option<IpAddr>) -> Question {
    Question { asked: check.to_string(), check: there, connect, old: Vec::new() }
}

fn replace(argv: &mut [String], new: &str, old: &str) -> bool {
    let mut found = false;
    for word in argv.iter_mut().skip(1).filter(|word| word.contains(new)) {
        *word = word.replace(new, old);
        found = true;
    }
    found
}

fn ip(check: &Check) -> Option<IpAddr> {
    check.address()?.parse().ok()
}

/// The address at the source that a check of the new place asks, if it does: it would pass without
/// anything having moved. Names are looked at when they are asked.
pub fn asks_source(workload: &Workload, old: &[IpAddr]) -> Option<IpAddr> {
    let place = |question: Question| question.connect.or(ip(&question.check));
    let places = of_new_place(workload, old).into_iter().filter_map(place);
    places.into_iter().find(|asked| old.contains(asked))
}
