//! What may be public, as a type.
//!
//! **Invariants.** [`StatusPage`] is a pure fold of a snapshot. It holds counts, times and what the
//! site says of itself; the only free text is what the site wrote for its customers: its name,
//! address and contact, names of groups, and what it posted. A customer under a hold, or without
//! any workload, is in no count, so every count adds up to `customers` and none hints at a hold.
//! Neither the ledger's own totals nor its free texts (`bottleneck`, hints, details) are read: they
//! are made for colleagues.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::inventory::Wording;
use crate::ledger::snapshot::{CustomerStatus, Hold, Snapshot, Window};
use crate::model::text::bounded;
use crate::model::{PublicWord, Timestamp};
use crate::publish::groups::{self, GroupCount, Naming};
use crate::publish::progress::{self, Point, Range};
use crate::publish::{Language, Update};

/// Longest site name or address that is shown.
const MAX_NAME_CHARS: usize = 200;

/// Every public word in the order of a life cycle; the two that leave it come last.
pub const WORDS: [PublicWord; 8] = [
    PublicWord::Queued,
    PublicWord::Copying,
    PublicWord::Copied,
    PublicWord::Restoring,
    PublicWord::Testing,
    PublicWord::Online,
    PublicWord::WaitingForYou,
    PublicWord::NeedsAttention,
];

/// What the site says of itself.
#[derive(Debug, Clone)]
pub struct Site {
    /// The company's name, as its customers know it.
    pub name: String,
    /// Where the page will be read, if that is known.
    pub url: Option<String>,
    /// The zone in which times are shown first.
    pub timezone: TimeZone,
    /// Languages of the page; the first is the one of `index.html`. None means English.
    pub languages: Vec<Language>,
    /// The moment by which the next page is promised.
    pub next_update: Timestamp,
    /// Whom to ask.
    pub contact: Wording,
    /// What customers should do or leave, in the company's own words.
    pub advice: Wording,
    /// What pages look like.
    pub look: Look,
    /// How groups are shown.
    pub naming: Naming,
    /// All access windows that are known.
    pub windows: Vec<Window>,
    /// What was posted, in any order.
    pub updates: Vec<Update>,
    /// What earlier pages said, oldest first.
    pub history: Vec<Point>,
}

/// What pages look like, where the site says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// A picture beside the name, as a `data:` link.
    pub logo: Option<String>,
    /// CSS after the page's own.
    pub css: String,
    /// Templates instead of evac's own, by name.
    pub templates: BTreeMap<String, String>,
}

/// How many customers stand at one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordCount {
    /// The word.
    pub word: PublicWord,
    /// Customers.
    pub customers: u64,
}

/// Access to the data centre, seen from the moment of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is known.
    Unknown,
    /// Not yet.
    Opens { at: Timestamp, until: Option<Timestamp> },
    /// Now, or so it is thought.
    Open { since: Option<Timestamp>, until: Option<Timestamp> },
    /// No longer, by what was agreed.
    Over { at: Timestamp },
}

/// The one thing that is going on, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// There is nobody to count yet.
    NoFigures,
    /// Data comes out; nobody is online.
    Copying,
    /// Customers come back.
    Returning,
    /// Everybody is online.
    Done,
}

/// Everything that may be public, as of one moment.
#[derive(Debug, Clone)]
pub struct StatusPage {
    /// The site's name, bounded.
    pub name: String,
    /// Where the page will be read, bounded.
    pub url: Option<String>,
    /// The zone in which times are shown first.
    pub timezone: TimeZone,
    /// At least one.
    pub languages: Vec<Language>,
    /// When the counts were true.
    pub as_of: Timestamp,
    /// When the next page is promised.
    pub next_update: Timestamp,
    /// Everybody who is counted; the sum of `counts`.
    pub customers: u64,
    /// One entry for every word, in the order of [`WORDS`].
    pub counts: [WordCount; 8],
    /// By group, where that names nobody.
    pub groups: Vec<GroupCount>,
    /// When the rest is done, where somebody can honestly say.
    pub outlook: Outlook,
    /// What this page and those before it said, oldest first.
    pub history: Vec<Point>,
    /// The access window.
    pub access: Access,
    /// All windows that are known, in their order.
    pub windows: Vec<Window>,
    /// What was posted, newest first.
    pub updates: Vec<Update>,
    /// Whom to ask.
    pub contact: Wording,
    /// The company's own advice.
    pub advice: Wording,
    /// What pages look like.
    pub look: Look,
}

/// What can honestly be said about the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outlook {
    /// When copying ends, at the speed of the last minutes.
    pub copied: Option<Range>,
    /// Customers who are not copied yet and whom that estimate leaves out.
    pub unknown: u64,
    /// When everybody is online, at the pace so far.
    pub online: Option<Range>,
}

impl StatusPage {
    /// Folds a snapshot to what may be public.
    pub fn new(snapshot: &Snapshot, site: &Site) -> Self {
        let counts = WORDS.map(|word| WordCount {
            word,
            customers: snapshot.customers.iter().filter(|c| counts_as(c, word)).count() as u64,
        });
        let mut languages: Vec<Language> = Vec::new();
        for language in &site.languages {
            if !languages.contains(language) {
                languages.push(*language);
            }
        }
        if languages.is_empty() {
            languages.push(Language::En);
        }
        let counted = || snapshot.customers.iter().filter(|customer| is_counted(customer));
        let is_out = |word: &WordCount| is_copied(word.word);
        let now = Point {
            at: snapshot.as_of,
            customers: counts.iter().map(|count| count.customers).sum(),
            copied: counts.iter().filter(|c| is_out(c)).map(|count| count.customers).sum(),
            online: counted().filter(|c| c.state == PublicWord::Online).count() as u64,
        };
        let history = progress::extended(&site.history, now);
        let mut updates = site.updates.clone();
        updates.sort_by(|one, other| (other.at, &other.id).cmp(&(one.at, &one.id)));
        Self {
            name: bounded(&site.name, MAX_NAME_CHARS),
            url: site.url.as_ref().map(|url| bounded(url, MAX_NAME_CHARS)),
            timezone: site.timezone.clone(),
            languages,
            as_of: snapshot.as_of,
            next_update: site.next_update,
            customers: now.customers,
            counts,
            groups: groups::count(counted(), &site.naming),
            outlook: outlook(counted(), &history, now),
            history,
            access: access(snapshot.window.as_ref(), snapshot.as_of),
            windows: site.windows.clone(),
            updates,
            contact: site.contact.clone(),
            advice: site.advice.clone(),
            look: site.look.clone(),
        }
    }

    /// Customers at `word`.
    pub fn at(&self, word: PublicWord) -> u64 {
        self.counts.iter().find(|count| count.word == word).map_or(0, |count| count.customers)
    }

    /// Customers whose data is out, wherever they stand after that. Only words that say so are
    /// counted, so that a reader can add up the table and get the same figure.
    pub fn copied(&self) -> u64 {
        let out = self.counts.iter().filter(|count| is_copied(count.word));
        out.map(|count| count.customers).sum()
    }

    /// Customers that are switched on.
    pub fn online(&self) -> u64 {
        self.at(PublicWord::Online)
    }

    /// What is going on.
    pub fn stage(&self) -> Stage {
        match (self.customers, self.online()) {
            (0, _) => Stage::NoFigures,
            (all, online) if online == all => Stage::Done,
            (all, 0) if self.copied() < all => Stage::Copying,
            _ => Stage::Returning,
        }
    }
}

/// Is this customer counted at all?
pub(super) fn is_counted(customer: &CustomerStatus) -> bool {
    customer.hold == Hold::None && !customer.workloads.is_empty()
}

/// Does the word say that the data is out?
pub(super) fn is_copied(word: PublicWord) -> bool {
    use PublicWord::{Copied, Online, Restoring, Testing};
    matches!(word, Copied | Restoring | Testing | Online)
}

/// Is this customer counted, and at this word?
fn counts_as(customer: &CustomerStatus, word: PublicWord) -> bool {
    is_counted(customer) && customer.state == word
}

/// The rest, as far as the estimates of the counted customers reach.
fn outlook<'a>(
    counted: impl Iterator<Item = &'a CustomerStatus>,
    history: &[Point],
    now: Point,
) -> Outlook {
    let mut outlook =
        Outlook { online: progress::everybody_online(history, now), ..<_>::default() };
    for customer in counted.filter(|customer| !is_copied(customer.state)) {
        match customer.eta_low.zip(customer.eta_high).filter(|(_, high)| *high > now.at) {
            None => outlook.unknown += 1,
            Some((low, high)) => {
                let so_far = outlook.copied.get_or_insert(Range { low, high });
                so_far.low = so_far.low.max(low);
                so_far.high = so_far.high.max(high);
            }
        }
    }
    outlook
}

fn access(window: Option<&Window>, now: Timestamp) -> Access {
    let Some(window) = window else { return Access::Unknown };
    match (window.opens, window.closes) {
        (None, None) => Access::Unknown,
        (_, Some(at)) if at <= now => Access::Over { at },
        (Some(at), until) if at > now => Access::Opens { at, until },
        (since, until) => Access::Open { since, until },
    }
}
