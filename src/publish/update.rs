//! An update: one thing said in public, in every language of the site.

use std::collections::BTreeMap;

use crate::inventory::Wording;
use crate::ledger::outbox::{Post, PostState, PostText};
use crate::model::Timestamp;
use crate::publish::Language;

/// What an update is about: the four words that status pages agree on, and two that stand apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something is wrong; we do not know all of it yet.
    Investigating,
    /// We know what it is, and are at it.
    Identified,
    /// It gets better, and we watch.
    Monitoring,
    /// Every customer is online, and passed our checks.
    Resolved,
    /// About planned work.
    Maintenance,
    /// What happened, told afterwards.
    PostMortem,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Investigating,
        Self::Identified,
        Self::Monitoring,
        Self::Resolved,
        Self::Maintenance,
        Self::PostMortem,
    ];

    /// Its stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Investigating => "investigating",
            Self::Identified => "identified",
            Self::Monitoring => "monitoring",
            Self::Resolved => "resolved",
            Self::Maintenance => "maintenance",
            Self::PostMortem => "post-mortem",
        }
    }

    /// Does it belong to the story of the outage, as opposed to planned work and to hindsight?
    pub fn is_of_incident(self) -> bool {
        !matches!(self, Self::Maintenance | Self::PostMortem)
    }

    /// The kind of that word; an unknown one (of a newer evac) is the most careful.
    pub fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.word() == word).unwrap_or(Self::Investigating)
    }
}

/// One update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The same everywhere and for ever.
    pub id: String,
    /// When it became public.
    pub at: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// Title and body in each language.
    pub texts: BTreeMap<Language, PostText>,
    /// When the next one is promised.
    pub next_by: Option<Timestamp>,
}

impl Update {
    /// Its titles by language.
    pub fn titles(&self) -> Wording {
        self.texts.iter().map(|(at, text)| (at.code().to_owned(), text.title.clone())).collect()
    }

    /// Its bodies by language.
    pub fn bodies(&self) -> Wording {
        self.texts.iter().map(|(at, text)| (at.code().to_owned(), text.body.clone())).collect()
    }
}

/// What is public of `posts`, in its order. Languages that this evac does not know are left out.
pub fn public(posts: &[Post]) -> Vec<Update> {
    let posted = posts.iter().filter(|post| post.state == PostState::Posted);
    posted.map(update).collect()
}

fn update(post: &Post) -> Update {
    let texts = post.texts.iter();
    let texts = texts.filter_map(|(code, text)| Some((code.parse().ok()?, text.clone())));
    Update {
        id: post.id.clone(),
        at: post.at,
        kind: Kind::of(&post.kind),
        texts: texts.collect(),
        next_by: post.next_by,
    }
}
