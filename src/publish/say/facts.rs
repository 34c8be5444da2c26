//! Facts that evac says by itself, from what was said before and how it is now. Pure.
//!
//! **Promises.** A figure is said again only when it changed by a tenth, or went back. What was
//! said and does not hold any more is taken back in the next post, in plain words, before anything
//! else. A group of fewer than [`GROUP_MIN`] customers is not named: it could name one of them.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::ledger::outbox::PostText;
use crate::ledger::snapshot::{Hold, Snapshot};
use crate::model::{GroupId, PublicWord, Timestamp};
use crate::publish::dates::{Form, moment};
use crate::publish::locale::{Arg, Texts};
use crate::publish::page::Access;
use crate::publish::update::Kind;
use crate::publish::{Language, PublishError, StatusPage};

/// Smaller groups are not named.
pub const GROUP_MIN: u64 = 5;

/// How it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    pub customers: u64,
    pub online: u64,
    pub copied: u64,
    /// Customers and how many of them are online.
    pub groups: BTreeMap<GroupId, (u64, u64)>,
    pub access: Access,
}

impl Now {
    /// From what may be public, and the groups of the same customers.
    pub fn of(page: &StatusPage, snapshot: &Snapshot) -> Self {
        let mut groups: BTreeMap<GroupId, (u64, u64)> = BTreeMap::new();
        for customer in &snapshot.customers {
            let Some(group) = &customer.group else { continue };
            if customer.hold != Hold::None || customer.workloads.is_empty() {
                continue;
            }
            let (all, online) = groups.entry(group.clone()).or_default();
            *all += 1;
            *online += u64::from(customer.state == PublicWord::Online);
        }
        Self {
            customers: page.customers,
            online: page.online(),
            copied: page.copied(),
            groups,
            access: page.access,
        }
    }
}

/// What was said last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Customers; none before figures were said.
    pub customers: u64,
    /// How many of them were said to be online.
    pub online: u64,
    /// Was it said that all data is out?
    pub all_copied: bool,
    /// Groups that were said to be online.
    pub groups: Vec<GroupId>,
    /// Was it said that we have access?
    pub opened: bool,
    /// When access was said to end.
    pub closes: Option<Timestamp>,
    /// Was it said that the time is over?
    pub shut: bool,
}

/// What its texts are called, and what they are filled with.
type Said = (&'static str, Vec<(&'static str, Arg)>);

/// Something worth a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    Begun { total: u64 },
    Opened { opens: Timestamp },
    Closes { closes: Timestamp },
    Shut { closes: Timestamp },
    Total { before: u64, total: u64 },
    Back { before: u64, done: u64, total: u64 },
    Copied { total: u64 },
    Group { group: GroupId, total: u64 },
    Online { done: u64, total: u64 },
    All { total: u64 },
}

/// Everything worth saying now, in order, each with what is remembered once it is said.
pub fn facts(memory: &Memory, now: &Now) -> Vec<(Fact, Memory)> {
    let mut found = Found { memory: memory.clone(), said: Vec::new() };
    access(&mut found, now);
    if now.customers == 0 {
        return found.said;
    }
    figures(&mut found, now);
    let all_are_on = now.online == now.customers;
    for (group, (all, online)) in &now.groups {
        let is_said = found.memory.groups.contains(group);
        if all == online && *all >= GROUP_MIN && !is_said && !all_are_on {
            found.memory.groups.push(group.clone());
            found.say(Fact::Group { group: group.clone(), total: *all });
        }
    }
    found.said
}

struct Found {
    memory: Memory,
    said: Vec<(Fact, Memory)>,
}

impl Found {
    fn say(&mut self, fact: Fact) {
        self.said.push((fact, self.memory.clone()));
    }
}

fn access(found: &mut Found, now: &Now) {
    let (opened, until) = match now.access {
        Access::Unknown => return,
        Access::Opens { until, .. } => (None, until),
        Access::Open { since, until } => (since, until),
        Access::Over { at } => {
            if !found.memory.shut {
                found.memory.shut = true;
                found.say(Fact::Shut { closes: at });
            }
            return;
        }
    };
    found.memory.shut = false;
    if let Some(opens) = opened.filter(|_| !found.memory.opened) {
        found.memory.opened = true;
        found.say(Fact::Opened { opens });
    }
    if let Some(closes) = until.filter(|closes| found.memory.closes != Some(*closes)) {
        found.memory.closes = Some(closes);
        found.say(Fact::Closes { closes });
    }
}

fn figures(found: &mut Found, now: &Now) {
    let (done, total) = (now.online, now.customers);
    let before = found.memory.customers;
    // Who is not counted any more is not somebody who went offline.
    let floor = found.memory.online.saturating_sub(before.saturating_sub(total));
    if (floor..found.memory.online).contains(&done) {
        found.memory.online = done;
    }
    if before == 0 {
        found.memory.customers = total;
        found.say(Fact::Begun { total });
    } else if before != total {
        found.memory.customers = total;
        found.say(Fact::Total { before, total });
    }
    let said = found.memory.online;
    if done < said {
        found.memory.online = done;
        let online = |group: &GroupId| now.groups.get(group).is_some_and(|(all, on)| all == on);
        found.memory.groups.retain(online);
        found.say(Fact::Back { before: said, done, total });
        return;
    }
    if now.copied < total {
        found.memory.all_copied = false;
    } else if !found.memory.all_copied {
        found.memory.all_copied = true;
        if done < total {
            found.say(Fact::Copied { total });
        }
    }
    if done == total && said < total {
        found.memory.online = done;
        found.say(Fact::All { total });
    } else if tenth(done, total) > tenth(said, total) || (said == 0 && done > 0) {
        found.memory.online = done;
        found.say(Fact::Online { done, total });
    }
}

fn tenth(part: u64, whole: u64) -> u64 {
    part.saturating_mul(10) / whole.max(1)
}

impl Fact {
    /// What it is about.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Back { .. } => Kind::Investigating,
            Self::All { .. } | Self::Online { .. } | Self::Group { .. } => Kind::Monitoring,
            _ => Kind::Identified,
        }
    }

    /// In each of `languages`, without a promise.
    pub fn texts(
        &self,
        languages: &[Language],
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<BTreeMap<Language, PostText>, PublishError> {
        super::in_each(languages, |texts| {
            let (key, args) = self.said(texts, now, zone)?;
            let text = |part: &str| texts.say(&format!("fact-{key}-{part}"), &args);
            Ok(PostText { title: text("title")?, body: text("body")? })
        })
    }

    fn said(&self, texts: &Texts, now: Timestamp, zone: &TimeZone) -> Result<Said, PublishError> {
        let count = |name, count: &u64| (name, Arg::Count(*count));
        let time = |name, at: &Timestamp| -> Result<_, PublishError> {
            Ok((name, Arg::Text(moment(texts, zone, *at, Form::Near(now))?.text)))
        };
        Ok(match self {
            Self::Begun { total } => ("begun", vec![count("total", total)]),
            Self::Opened { opens } => ("opened", vec![time("opens", opens)?]),
            Self::Closes { closes } => ("closes", vec![time("closes", closes)?]),
            Self::Shut { closes } => ("shut", vec![time("closes", closes)?]),
            Self::Total { before, total } => {
                ("total", vec![count("before", before), count("total", total)])
            }
            Self::Back { before, done, total } => {
                let fewer = before.saturating_sub(*done);
                let counts = [("before", before), ("done", done), ("total", total)];
                let mut args: Vec<_> = counts.map(|(name, it)| count(name, it)).to_vec();
                args.push(("fewer", Arg::Count(fewer)));
                ("back", args)
            }
            Self::Copied { total } => ("copied", vec![count("total", total)]),
            Self::Group { group, total } => {
                ("group", vec![("group", Arg::Text(group.to_string())), count("total", total)])
            }
            Self::Online { done, total } => {
                ("online", vec![count("done", done), count("total", total)])
            }
            Self::All { total } => ("all", vec![count("total", total)]),
        })
    }
}
