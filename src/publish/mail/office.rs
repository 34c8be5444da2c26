//! Carries letters: takes the next one of the queue, hands it over, keeps what came of it, until
//! nothing is left to do for now. What begins is durable before it leaves, and a relay that does
//! not answer before that leaves no doubt behind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use serde::Serialize;

use crate::gate::{Holds, HoldsLog};
use crate::inventory::settings_mail::{Mail, Way};
use crate::ledger::outbox::{OutboxRow, RowKind, RowState};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{Clock, CustomerId, SiteId, Timestamp};
use crate::publish::locale::Texts;
use crate::publish::mail::letter::{Letter, Link, whole};
use crate::publish::mail::message::{self, Parts};
use crate::publish::mail::queue::{self, Step, Verdict};
use crate::publish::mail::relay::{Begins, Line};
use crate::publish::mail::{DESTINATION, hook, relay};
use crate::publish::pulse::Pulse;
use crate::publish::{Language, PublishError};

/// Between two looks at the clock.
const NAP: Duration = Duration::from_millis(200);
const SCHEMA: u32 = 1;

/// Everything that mails need to leave.
pub struct Office<'a> {
    pub mail: &'a Mail,
    pub clock: Arc<dyn Clock>,
    pub site: SiteId,
    /// The folder of the site.
    pub folder: &'a Path,
    /// Customers' own pages: secrets.
    pub links: &'a BTreeMap<CustomerId, String>,
    /// Everybody's page.
    pub page: Option<&'a str>,
    /// Read before each mail: a hold is stronger than what was planned a moment ago.
    pub holds: HoldsLog,
}

/// How mails stand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Told {
    /// Taken by a relay or a program, ever.
    pub sent: usize,
    /// Still to be sent.
    pub waiting: usize,
    /// Refused for good: another contact was tried, or none is left.
    pub refused: usize,
    /// May have been taken; not sent again.
    pub unsure: usize,
    /// What the relay said last, where something is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// When the next one leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

impl Told {
    /// "12 sent, 1 refused".
    pub fn counts(&self) -> String {
        let mut parts = vec![format!("{} sent", self.sent)];
        let rest =
            [(self.waiting, "to be sent"), (self.refused, "refused"), (self.unsure, "unsure")];
        parts.extend(rest.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
        parts.join(", ")
    }
}

/// What carries them.
enum Carrier<'a> {
    Relay(Box<Line<'a>>),
    Command(&'a [String]),
}

impl Office<'_> {
    /// Sends what `stands` and is due, within `patience`.
    pub fn tell(
        &self,
        ledger: &Ledger,
        stands: &BTreeSet<String>,
        patience: Duration,
        pulse: &Pulse,
    ) -> Result<Told, LedgerError> {
        let began = self.clock.elapsed();
        let mut carrier = self.carrier();
        loop {
            pulse.beats();
            let rows = rows(ledger)?;
            let calls = ledger.recent_calls()?.remove(DESTINATION).unwrap_or_default();
            let is_over = self.clock.elapsed().saturating_sub(began) >= patience;
            let now = self.clock.now();
            match queue::next(&rows, stands, self.mail, &calls, now) {
                Step::Send(_, letter) if self.is_held(&letter.customer) => {
                    return Ok(told(&rows, stands, None));
                }
                Step::Send(row, letter) if !is_over => {
                    self.send((ledger, pulse), &mut carrier, &rows, *row, &letter)?;
                }
                Step::WaitUntil(at) if !is_over && at.since(now) <= patience => {
                    std::thread::sleep(NAP);
                }
                Step::WaitUntil(at) => return Ok(told(&rows, stands, Some(at))),
                _ => return Ok(told(&rows, stands, None)),
            }
        }
    }

    /// Is he on hold by now? What cannot be read may be a hold.
    fn is_held(&self, customer: &CustomerId) -> bool {
        let is_his = |holds: &Holds| holds.all().any(|(held, _)| held == customer);
        let read = self.holds.read();
        read.map_or(true, |holds| !holds.unreadable.is_empty() || is_his(&holds))
    }

    fn send(
        &self,
        (ledger, pulse): (&Ledger, &Pulse),
        carrier: &mut Option<Carrier<'_>>,
        rows: &[OutboxRow],
        row: OutboxRow,
        letter: &Letter,
    ) -> Result<(), LedgerError> {
        let begun = queue::begun(row.clone(), self.clock.now());
        let mut begins = || {
            if !pulse.holds() {
                return Err("nobody waited for it any longer".to_owned());
            }
            let kept = ledger.call_begins(DESTINATION, std::slice::from_ref(&begun));
            kept.map_err(|error| crate::run::explain(&error))
        };
        let verdict = self.carry(carrier.as_mut(), rows, (&begun, letter), &mut begins);
        pulse.eases();
        let mut dice = [0_u8; 8];
        // Without chance pauses are only more alike.
        let _ = getrandom::fill(&mut dice);
        let now = self.clock.now();
        let dice = u64::from_le_bytes(dice);
        ledger.call_ended(&[queue::answered(begun, &row, &verdict, now, dice)])
    }

    fn carrier(&self) -> Option<Carrier<'_>> {
        match &self.mail.way {
            Way::Command(words) => Some(Carrier::Command(words)),
            Way::Relay(relay) => {
                let from = sender(self.mail)?;
                Some(Carrier::Relay(Box::new(Line::new(relay, self.folder, &from))))
            }
        }
    }

    fn carry(
        &self,
        carrier: Option<&mut Carrier<'_>>,
        rows: &[OutboxRow],
        (row, letter): (&OutboxRow, &Letter),
        begins: Begins<'_>,
    ) -> Verdict {
        let id = self.id(&row.subject);
        let thread = self.thread(rows, letter);
        let text = match self.text(letter) {
            Ok(text) => text,
            Err(error) => return Verdict::Refused { said: crate::run::explain(&error) },
        };
        match carrier {
            None => Verdict::NoRelay { said: "`from` is no mail address".to_owned() },
            Some(Carrier::Command(words)) => {
                let link = self.links.get(&letter.customer).map(String::as_str).or(self.page);
                let call = hook::Call {
                    schema: SCHEMA,
                    id: &id,
                    thread: thread.as_deref(),
                    customer: letter.customer.as_str(),
                    moment: letter.moment.word(),
                    language: &letter.language,
                    from: &self.mail.from,
                    to: &letter.to,
                    subject: &letter.subject,
                    text: &text,
                    link,
                };
                match begins() {
                    Ok(()) => hook::call(words, &call, self.folder),
                    Err(said) => Verdict::NoRelay { said },
                }
            }
            Some(Carrier::Relay(line)) => {
                let at = self.clock.now();
                let thread = thread.as_deref();
                let (to, subject) = (letter.to.as_str(), letter.subject.as_str());
                let parts = Parts { to, subject, text: &text, id: &id, thread, at };
                hand_to(line, self.mail, &parts, begins)
            }
        }
    }

    /// One mail that is no customer's, now.
    pub fn test(&self, to: &str, subject: &str, text: &str) -> Verdict {
        let at = self.clock.now();
        let id = self.id(&format!("test {to} {at}"));
        match self.carrier() {
            None => Verdict::NoRelay { said: "`from` is no mail address".to_owned() },
            Some(Carrier::Command(words)) => {
                let call = hook::Call {
                    schema: SCHEMA,
                    id: &id,
                    thread: None,
                    customer: "",
                    moment: "test",
                    language: "",
                    from: &self.mail.from,
                    to,
                    subject,
                    text,
                    link: self.page,
                };
                hook::call(words, &call, self.folder)
            }
            Some(Carrier::Relay(mut line)) => {
                let parts = Parts { to, subject, text, id: &id, thread: None, at };
                hand_to(&mut line, self.mail, &parts, &mut || Ok(()))
            }
        }
    }

    fn text(&self, letter: &Letter) -> Result<String, PublishError> {
        let texts = Texts::new(letter.language.parse().unwrap_or(Language::En))?;
        let own = self.links.get(&letter.customer).map(|link| Link::Own(link));
        let link = own.or(self.page.map(Link::Page)).unwrap_or(Link::None);
        whole(&texts, &letter.text, &letter.closing, link)
    }

    fn id(&self, subject: &str) -> String {
        let from = sender(self.mail).map(|from| from.to_string());
        message::id(self.site, subject, from.as_deref().unwrap_or_default())
    }

    /// The Message-ID of the first mail that this customer got, or may have got.
    fn thread(&self, rows: &[OutboxRow], letter: &Letter) -> Option<String> {
        let is_his = |row: &&OutboxRow| {
            let said = row.shown.as_deref().or(row.calling.as_deref());
            let letters = said.and_then(|said| serde_json::from_str::<Letter>(said).ok());
            letters.is_some_and(|it| it.customer == letter.customer)
        };
        let told = |row: &&OutboxRow| matches!(row.state, RowState::Sent | RowState::Calling);
        let his = rows.iter().filter(told).filter(is_his);
        let first = his.min_by_key(|row| (row.sent_at.unwrap_or(row.next_at), &row.subject))?;
        Some(self.id(&first.subject))
    }

    /// By Message-ID: which row a mail that came back belongs to.
    pub fn ids(&self, rows: &[OutboxRow]) -> BTreeMap<String, OutboxRow> {
        rows.iter().map(|row| (self.id(&row.subject), row.clone())).collect()
    }
}

fn hand_to(line: &mut Line<'_>, mail: &Mail, parts: &Parts<'_>, begins: Begins<'_>) -> Verdict {
    let Some(from) = sender(mail) else {
        return Verdict::NoRelay { said: "`from` is no mail address".to_owned() };
    };
    let Ok(to) = parts.to.parse::<Address>() else {
        return Verdict::Refused { said: "no mail address".to_owned() };
    };
    match message::bytes(mail, parts) {
        Ok(bytes) => line.send(&relay::Mail { from: &from, to: &to, bytes: &bytes }, begins),
        Err(said) => Verdict::Refused { said },
    }
}

fn sender(mail: &Mail) -> Option<Address> {
    mail.from.parse::<Mailbox>().ok().map(|mailbox| mailbox.email)
}

/// The rows of mails.
pub fn rows(ledger: &Ledger) -> Result<Vec<OutboxRow>, LedgerError> {
    let mut rows = ledger.outbox_of(DESTINATION)?;
    rows.retain(|row| row.kind == RowKind::Mail);
    Ok(rows)
}

/// How they stand.
pub fn told(rows: &[OutboxRow], stands: &BTreeSet<String>, next_at: Option<Timestamp>) -> Told {
    let count = |is: &dyn Fn(&OutboxRow) -> bool| rows.iter().filter(|row| is(row)).count();
    let is_waiting = |row: &OutboxRow| stands.contains(&row.subject) && queue::is_open(row);
    Told {
        sent: count(&|row| row.state == RowState::Sent),
        waiting: count(&is_waiting),
        refused: count(&|row| row.state == RowState::Refused),
        unsure: count(&|row| row.state == RowState::Calling && !is_waiting(row)),
        said: rows.iter().filter(|row| is_waiting(row)).find_map(|row| row.answer.clone()),
        next_at,
    }
}
