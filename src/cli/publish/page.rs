//! What is public now: facts that became posts, the page made of them.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::dns::Resolver;
use super::look;
use crate::cli::failure::{Failure, shown};
use crate::cli::print;
use crate::cli::site::{Global, Loaded};
use crate::gate::Holds;
use crate::inventory::Settings;
use crate::ledger::Ledger;
use crate::ledger::outbox::{Post, PostState};
use crate::ledger::snapshot::Snapshot;
use crate::model::Timestamp;
use crate::publish::groups::Naming;
use crate::publish::own::{own_page, questions};
use crate::publish::page::Outlook;
use crate::publish::progress::{PROGRESS_FILE, history_of};
use crate::publish::say::facts::{self, Memory, Now};
use crate::publish::say::guard::Guard;
use crate::publish::token::{Issued, TokenFile};
use crate::publish::update::{self, Update};
use crate::publish::{
    Language, Look, Outcome, OwnPage, Rendered, Site, StatusPage, publish_folder, render, say,
};

/// What is remembered of facts that were said.
const MEMORY: &str = "facts";

/// Who says facts.
pub const ITSELF: &str = "evac";

/// Everything that is public now.
pub struct Made {
    pub loaded: Loaded,
    pub snapshot: Snapshot,
    pub updates: Vec<Update>,
    pub posts: Vec<Post>,
    pub drafts: usize,
    pub guard: Guard,
    pub rendered: Arc<Rendered>,
    /// Customers with a page of their own.
    pub own_pages: usize,
    /// Of the page without its times.
    pub hash: String,
    pub languages: Vec<Language>,
    pub folder: String,
    pub outcome: &'static str,
    pub next_update: Timestamp,
    pub is_confirmed: bool,
}

/// Says what is new, and makes the page.
pub fn make(global: &Global) -> Result<Arc<Made>, Failure> {
    make_asking(global, &Resolver::new(&global.clock))
}

/// The same, by a resolver that was asked before.
pub fn make_asking(global: &Global, resolver: &Resolver) -> Result<Arc<Made>, Failure> {
    made(global, true, resolver).map(Arc::new)
}

/// Makes the page without saying or writing anything.
pub fn make_without_saying(global: &Global) -> Result<Made, Failure> {
    made(global, false, &Resolver::new(&global.clock))
}

fn made(global: &Global, says: bool, resolver: &Resolver) -> Result<Made, Failure> {
    let loaded = global.load_settings()?;
    let holds = readable_holds(global)?;
    let reading = global.open_read_only()?;
    let (view, snapshot) = reading.look(&loaded, global.now())?;
    let is_confirmed = reading.ledger.is_confirmed()?;
    // Without an earlier page, or with one that nobody can read, the curve begins here.
    let before = fs::read(global.status_path().join(PROGRESS_FILE)).unwrap_or_default();
    let site = Site {
        look: look::look(&loaded.settings, &global.site)?,
        windows: view.windows,
        history: history_of(&before),
        ..site(&loaded.settings, snapshot.as_of)?
    };
    let page = StatusPage::new(&snapshot, &site);
    let guard = Guard::of(&loaded.inventory, &holds, &loaded.settings.site.name);
    let told = if is_confirmed && says {
        say_facts(global, &reading.ledger, &loaded, (&page, &snapshot), &guard)
    } else {
        Ok(())
    };
    if let Err(failure) = told {
        // The page comes first: it needs no ledger that can be written.
        print::tell(&format!("warning: what is new could not be written down\n{failure}"));
    }
    let posts = global.open_read_only()?.ledger.posts()?;
    let updates = update::public(&posts);
    let promised = updates.last().and_then(|update| update.next_by);
    let next_update = promised.filter(|by| *by > snapshot.as_of).unwrap_or(site.next_update);
    let newest_first = updates.iter().rev().cloned().collect();
    let page = StatusPage { next_update, updates: newest_first, ..page };
    let own = own_pages(global, &loaded, &snapshot, (page.languages[0], resolver))?;
    let rendered = render(&page, &own)?;
    let folder = global.status_path();
    let outcome = if says { put(global, &rendered)? } else { "unchanged" };
    Ok(Made {
        own_pages: own.len(),
        hash: hash(&page, &own),
        languages: page.languages.clone(),
        folder: shown(&folder),
        drafts: posts.iter().filter(|post| post.state == PostState::Draft).count(),
        loaded,
        snapshot,
        updates,
        posts,
        guard,
        rendered: Arc::new(rendered),
        outcome,
        next_update,
        is_confirmed,
    })
}

fn put(global: &Global, rendered: &Rendered) -> Result<&'static str, Failure> {
    global.make_state()?;
    Ok(match publish_folder(rendered, &global.status_path())? {
        Outcome::Written => "written",
        Outcome::Unchanged => "unchanged",
    })
}

/// The log of holds, which must be readable as a whole: a line that is not may be a hold.
pub fn readable_holds(global: &Global) -> Result<Holds, Failure> {
    let holds = global.holds_log().read()?;
    if let [line, ..] = holds.unreadable[..] {
        let what = format!("line {line} of state/holds.log cannot be read, and may be a hold");
        return Err(Failure::refused(what).hint(crate::cli::gate::UNREADABLE_HINT));
    }
    Ok(holds)
}

/// The pages of everybody who was given one.
fn own_pages(
    global: &Global,
    loaded: &Loaded,
    snapshot: &Snapshot,
    (first, resolver): (Language, &Resolver),
) -> Result<Vec<OwnPage>, Failure> {
    let tokens = TokenFile::of(&global.keys_path()).read()?;
    let inventory = &loaded.inventory;
    let has_page: Vec<(_, &Issued)> =
        snapshot.customers.iter().filter_map(|c| Some((c, tokens.get(&c.id)?))).collect();
    let names: BTreeSet<_> =
        has_page.iter().flat_map(|(customer, _)| questions(customer, inventory)).collect();
    let answers = resolver.ask(names);
    let pages = has_page.into_iter().map(|(customer, issued)| {
        own_page(customer, inventory, &answers, issued.token.clone(), first)
    });
    Ok(pages.collect())
}

/// What the pages say, whatever the time. Estimates move with the time; what they rest on is in it.
fn hash(page: &StatusPage, own: &[OwnPage]) -> String {
    let (as_of, next_update) = (Timestamp::from_second(0), Timestamp::from_second(0));
    let outlook = Outlook::default();
    let timeless = StatusPage { as_of, next_update, outlook, ..page.clone() };
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{timeless:?}").as_bytes());
    for one in own {
        hasher.update(one.token.secret().as_bytes());
        hasher.update(format!("{:?} {:?}", one.language, one.standing).as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Facts become posts, each once, whoever is killed when.
fn say_facts(
    global: &Global,
    reading: &Ledger,
    loaded: &Loaded,
    (page, snapshot): (&StatusPage, &Snapshot),
    guard: &Guard,
) -> Result<(), Failure> {
    let memory: Memory = reading.published(MEMORY)?.unwrap_or_default();
    let found = facts::facts(&memory, &Now::of(page, snapshot));
    if found.is_empty() {
        return Ok(());
    }
    let ledger = global.open_ledger_for_words()?;
    let mut before = memory;
    for (fact, memory) in found {
        let (now, zone) = (global.now(), &page.timezone);
        if let facts::Fact::Group { group, .. } = &fact
            && guard.named_in(group.as_str()).is_some()
        {
            continue;
        }
        let next_by = Some(now.plus(loaded.settings.publish.next.0));
        let texts = fact.texts(&page.languages, now, zone)?;
        let post = Post {
            id: new_id()?,
            at: now,
            by: ITSELF.into(),
            kind: fact.kind().word().into(),
            state: PostState::Posted,
            reviewed_by: None,
            why: None,
            next_by,
            texts: say::promised(texts, next_by, now, zone)?,
        };
        if !ledger.add_fact(&post, MEMORY, &before, &memory)? {
            // Another process says it at this moment.
            return Ok(());
        }
        before = memory;
    }
    Ok(())
}

/// A name for a post.
pub fn new_id() -> Result<String, Failure> {
    say::new_id().map_err(|error| Failure::failed("there are no random numbers").because(&error))
}

/// What the site says of itself.
pub fn site(settings: &Settings, now: Timestamp) -> Result<Site, Failure> {
    let (zone, page) = (&settings.site.timezone, &settings.publish.page);
    let timezone = TimeZone::get(zone).map_err(|error| {
        Failure::usage(format!("nobody knows the time zone `{zone}`")).because(&error)
    })?;
    let languages: Result<Vec<Language>, _> =
        settings.site.languages.iter().map(|language| language.parse()).collect();
    Ok(Site {
        name: settings.site.name.clone(),
        url: page.url.clone(),
        timezone,
        languages: languages.map_err(|error| Failure::usage(error.to_string()))?,
        next_update: now.plus(settings.publish.next.0),
        contact: page.contact.clone(),
        advice: page.advice.clone(),
        look: Look::default(),
        naming: Naming { names: page.groups.clone(), smallest: u64::from(page.smallest_group) },
        windows: Vec::new(),
        updates: Vec::new(),
        history: Vec::new(),
    })
}
