//! What answers are made from, and who is let in to them.
//!
//! **Promises.** Who has no session gets the same page whatever he asks for, and after the same
//! work. A fault of ours is a page that says so, told in full to whoever started evac.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};

use crate::model::Clock;
use crate::publish::Language;
use crate::web::WebError;
use crate::web::answer::{Answer, policy};
use crate::web::audit::LookUps;
use crate::web::desk::{Cached, Desk, Night, Seen, Unavailable};
use crate::web::door::Door;
use crate::web::pages::Pages;
use crate::web::people::{Known, PeopleFile, Person, Role, Session, whose};
use crate::web::rates::{Asker, Rates};

/// Figures are good for so long.
const SEEN_FRESH: Duration = Duration::from_secs(1);
const NIGHT_FRESH: Duration = Duration::from_secs(4);

/// Which pages there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Views {
    /// The look-up.
    pub support: bool,
    /// The live view, for operators.
    pub live: bool,
}

/// Everything that answers need.
pub struct App {
    pub(super) desk: Box<dyn Desk>,
    pub(super) look_ups: LookUps,
    pub(super) pages: Pages,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) views: Views,
    pub(super) door: Door,
    people: PeopleFile,
    rates: Mutex<Rates>,
    pub(super) policy: HeaderValue,
    seen: Cached<Seen>,
    night: Cached<Night>,
}

/// Somebody who may be here.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) person: Person,
    pub(super) from: IpAddr,
    /// The language he chose, if he did.
    pub(super) chosen: Option<Language>,
    /// The one he reads.
    pub(super) language: Language,
}

/// Why somebody does not get what he asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is nothing, or nothing for him.
    Nothing,
    /// He asks too often.
    Often,
    /// There is no such page.
    Missing,
    /// His form is not one of ours, or of another session.
    Form,
    /// The look-up could not be written down.
    Unwritten,
    /// Something is wrong on our side.
    Broken,
}

impl Trouble {
    fn status(self) -> StatusCode {
        match self {
            Self::Nothing | Self::Missing => StatusCode::NOT_FOUND,
            Self::Often => StatusCode::TOO_MANY_REQUESTS,
            Self::Form => StatusCode::BAD_REQUEST,
            Self::Unwritten | Self::Broken => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Ends the key of its text.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Often => "often",
            Self::Missing => "missing",
            Self::Form => "form",
            Self::Unwritten => "unwritten",
            Self::Broken => "broken",
        }
    }
}

impl From<Unavailable> for Trouble {
    fn from(_: Unavailable) -> Self {
        Self::Broken
    }
}

impl App {
    /// Serves what `desk` has to whom the folder `keys` knows; look-ups go into `look_ups`.
    pub fn new(
        desk: Box<dyn Desk>,
        (people, look_ups): (PeopleFile, LookUps),
        door: Door,
        views: Views,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WebError> {
        let pages = Pages::new()?;
        let policy = policy(pages.style());
        Ok(Self {
            desk,
            look_ups,
            policy,
            pages,
            clock,
            views,
            door,
            people,
            rates: Mutex::default(),
            seen: Cached::new(SEEN_FRESH),
            night: Cached::new(NIGHT_FRESH),
        })
    }

    pub(super) fn seen(&self) -> Result<Arc<Seen>, Unavailable> {
        self.seen.get(|| self.clock.elapsed(), || self.desk.look())
    }

    pub(super) fn night(&self, seen: &Seen) -> Result<Arc<Night>, Unavailable> {
        self.night.get(|| self.clock.elapsed(), || self.desk.night(seen))
    }

    /// What was seen is not so any more.
    pub(super) fn forget(&self) {
        self.seen.forget();
    }

    /// The names of all who may only look up.
    pub(super) fn support_people(&self) -> Result<BTreeSet<String>, Trouble> {
        let is_support = |known: &Known| known.role == Role::Support;
        match self.people.read() {
            Ok(people) => {
                Ok(people.into_iter().filter(|it| is_support(&it.1)).map(|it| it.0).collect())
            }
            Err(error) => {
                self.desk.complain(&error);
                Err(Trouble::Broken)
            }
        }
    }

    fn may(&self, asker: Asker) -> bool {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.take(asker, self.clock.elapsed())
    }

    /// Who knocks. The work is the same whether he is known or not.
    pub(super) fn admit(&self, knock: &Knock) -> Result<Admitted, Trouble> {
        let people = self.people.read().map_err(|error| {
            self.desk.complain(&error);
            Trouble::Broken
        })?;
        let person = whose(&people, &knock.session).filter(|_| knock.is_ours);
        let Some(person) = person else {
            let is_patient = self.may(Asker::Stranger(knock.from));
            return Err(if is_patient { Trouble::Nothing } else { Trouble::Often });
        };
        if !self.may(Asker::Person(person.name.clone())) || !self.may(Asker::Address(knock.from)) {
            return Err(Trouble::Often);
        }
        if knock.by_link {
            let cookie = Some(self.door.keep(Some(&knock.session)));
            return Ok(Admitted::ByLink(Answer { cookie, ..Answer::see("/".to_owned()) }));
        }
        let Knock { from, chosen, language, .. } = *knock;
        Ok(Admitted::In(Visit { person, from, chosen, language }))
    }

    pub(super) fn trouble(&self, trouble: Trouble, language: Language) -> Answer {
        let html = self.pages.trouble(trouble, language).unwrap_or_else(|error| {
            self.desk.complain(&error);
            String::new()
        });
        Answer::page(trouble.status(), html)
    }
}

/// Somebody at the door.
pub(super) struct Knock {
    pub(super) is_ours: bool,
    pub(super) session: Session,
    pub(super) by_link: bool,
    pub(super) from: IpAddr,
    pub(super) chosen: Option<Language>,
    pub(super) language: Language,
}

/// What comes of it.
pub(super) enum Admitted {
    In(Visit),
    ByLink(Answer),
}

impl Visit {
    /// May he see the live view?
    pub(super) fn is_operator(&self) -> bool {
        self.person.role == Role::Operator
    }
}
