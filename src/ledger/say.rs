//! The paragraph that support reads out, in every language of the page.
//!
//! **For anyone** says nothing about any customer, not even that he is one: who is down and where
//! he goes is a gift to a fraudster. **For a verified caller** says where he stands and no more
//! than the ledger knows. A held customer's paragraph is, word for word, that of anyone who "needs
//! attention".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ledger::snapshot::{CustomerStatus, Hold, WorkloadStatus};
use crate::model::{Bytes, PublicWord, Timestamp};

/// Most services named one by one.
const NAMED_MAX: usize = 8;

/// What to read out in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// To whoever calls.
    pub anyone: String,
    /// To a caller who has proved to be the customer.
    pub verified: String,
}

/// One language's sentences; `{}` is filled in order.
struct Sentences {
    language: &'static str,
    anyone: &'static str,
    attention: &'static str,
    unlisted: &'static str,
    queued: &'static str,
    copying: &'static str,
    copied: &'static str,
    restoring: &'static str,
    testing: &'static str,
    online: &'static str,
    waiting: &'static str,
    as_of: &'static str,
    progress: &'static str,
    estimate: &'static str,
    copy_of: &'static str,
    services: &'static str,
    words: fn(PublicWord) -> &'static str,
}

const ENGLISH: Sentences = Sentences {
    language: "en",
    anyone: "We are moving our customers' servers to our own racks, one after the other. How an \
             individual customer stands we tell only that customer: we will gladly call or write \
             back to the contact we have on file.",
    attention: "Your case needs the attention of one of our colleagues. I cannot say more at this \
                moment; he or she will get in touch through the contact we have on file.",
    unlisted: "I see no server of yours on the list of this move. I am passing this on to a \
               colleague at once, who will get in touch through the contact we have on file.",
    queued: "Your data waits for its turn; copying has not begun yet.",
    copying: "Copying your data to our own machines has begun; it is not finished yet.",
    copied: "Your data has been copied to our own machines. It is not back online yet.",
    restoring: "Your data has been copied and is now being put in its new place. It is not back \
                online yet.",
    testing: "Your data is in its new place and is being tested. It is not back online yet.",
    online: "Your service is back online.",
    waiting: "Everything on our side is done; something has to be done on your side now. You \
              find it in the message we sent you.",
    as_of: "This was so at {}.",
    progress: "So far {} of about {} are on our own machines.",
    estimate: "At the speed of the last minutes, copying ends between {} and {}; that is an \
               estimate, not a promise.",
    copy_of: "The copy dates from {}.",
    services: "In detail: {}.",
    words: |word| match word {
        PublicWord::Queued => "waiting for its turn",
        PublicWord::Copying => "being copied",
        PublicWord::Copied => "copied",
        PublicWord::Restoring => "being put in its new place",
        PublicWord::Testing => "being tested",
        PublicWord::Online => "online",
        PublicWord::WaitingForYou => "waiting for you",
        PublicWord::NeedsAttention => "with a colleague",
    },
};

const DUTCH: Sentences = Sentences {
    language: "nl",
    anyone: "Wij verhuizen de servers van onze klanten één voor één naar onze eigen racks. Hoe \
             het met een afzonderlijke klant staat, vertellen wij alleen aan die klant zelf: wij \
             bellen of schrijven graag terug naar het contact dat bij ons bekend is.",
    attention: "Uw geval heeft de aandacht van een van onze collega's nodig. Meer kan ik op dit \
                moment niet zeggen; hij of zij neemt contact op via het contact dat bij ons \
                bekend is.",
    unlisted: "Ik zie geen server van u op de lijst van deze verhuizing. Ik geef dit meteen door \
               aan een collega, die contact opneemt via het contact dat bij ons bekend is.",
    queued: "Uw gegevens wachten op hun beurt; het kopiëren is nog niet begonnen.",
    copying: "Het kopiëren van uw gegevens naar onze eigen machines is begonnen; het is nog niet \
              klaar.",
    copied: "Uw gegevens zijn naar onze eigen machines gekopieerd. Ze zijn nog niet weer online.",
    restoring: "Uw gegevens zijn gekopieerd en worden nu op hun nieuwe plek gezet. Ze zijn nog \
                niet weer online.",
    testing: "Uw gegevens staan op hun nieuwe plek en worden getest. Ze zijn nog niet weer online.",
    online: "Uw dienst is weer online.",
    waiting: "Van onze kant is alles klaar; nu moet er aan uw kant iets gebeuren. Wat precies, \
              staat in het bericht dat wij u stuurden.",
    as_of: "Zo was het op {}.",
    progress: "Tot nu toe staan {} van ongeveer {} op onze eigen machines.",
    estimate: "Met de snelheid van de laatste minuten is het kopiëren klaar tussen {} en {}; dat \
               is een schatting, geen belofte.",
    copy_of: "De kopie is van {}.",
    services: "In detail: {}.",
    words: |word| match word {
        PublicWord::Queued => "wacht op zijn beurt",
        PublicWord::Copying => "wordt gekopieerd",
        PublicWord::Copied => "gekopieerd",
        PublicWord::Restoring => "wordt op zijn nieuwe plek gezet",
        PublicWord::Testing => "wordt getest",
        PublicWord::Online => "online",
        PublicWord::WaitingForYou => "wacht op u",
        PublicWord::NeedsAttention => "ligt bij een collega",
    },
};

const GERMAN: Sentences = Sentences {
    language: "de",
    anyone: "Wir ziehen die Server unserer Kunden nacheinander auf unsere eigenen Racks um. Wie es \
             um einen einzelnen Kunden steht, sagen wir nur diesem selbst: wir rufen oder \
             schreiben gern zurück, über den bei uns hinterlegten Kontakt.",
    attention: "Ihr Fall braucht einen unserer Kollegen. Mehr kann ich im Augenblick nicht sagen; \
                er oder sie meldet sich über den bei uns hinterlegten Kontakt.",
    unlisted: "Ich sehe keinen Server von Ihnen auf der Liste dieses Umzugs. Ich gebe das sofort \
               an einen Kollegen weiter, der sich über den bei uns hinterlegten Kontakt meldet.",
    queued: "Ihre Daten warten, bis sie an der Reihe sind; das Kopieren hat noch nicht begonnen.",
    copying: "Das Kopieren Ihrer Daten auf unsere eigenen Maschinen hat begonnen; fertig ist es \
              noch nicht.",
    copied: "Ihre Daten sind auf unsere eigenen Maschinen kopiert. Wieder online sind sie noch \
             nicht.",
    restoring: "Ihre Daten sind kopiert und werden jetzt an ihren neuen Ort gespielt. Wieder \
                online sind sie noch nicht.",
    testing: "Ihre Daten sind an ihrem neuen Ort und werden geprüft. Wieder online sind sie noch \
              nicht.",
    online: "Ihr Dienst ist wieder online.",
    waiting: "Auf unserer Seite ist alles getan; jetzt ist auf Ihrer Seite etwas zu tun. Was, \
              steht in der Nachricht, die wir Ihnen geschickt haben.",
    as_of: "So war es am {}.",
    progress: "Bisher sind {} von etwa {} auf unseren eigenen Maschinen.",
    estimate: "Im Tempo der letzten Minuten endet das Kopieren zwischen {} und {}; das ist eine \
               Schätzung, kein Versprechen.",
    copy_of: "Die Kopie ist vom {}.",
    services: "Im Einzelnen: {}.",
    words: |word| match word {
        PublicWord::Queued => "wartet, bis er an der Reihe ist",
        PublicWord::Copying => "wird kopiert",
        PublicWord::Copied => "kopiert",
        PublicWord::Restoring => "wird an den neuen Ort gespielt",
        PublicWord::Testing => "wird geprüft",
        PublicWord::Online => "online",
        PublicWord::WaitingForYou => "wartet auf Sie",
        PublicWord::NeedsAttention => "liegt bei einem Kollegen",
    },
};

/// What to say to whoever calls, by language: it is the same of all customers.
pub fn to_anyone() -> BTreeMap<String, String> {
    let said = |it: Sentences| (it.language.to_owned(), it.anyone.to_owned());
    [ENGLISH, DUTCH, GERMAN].into_iter().map(said).collect()
}

/// What to say about `customer`, by language.
pub fn say(
    customer: &CustomerStatus,
    as_of: Timestamp,
    timezone: Option<&str>,
) -> BTreeMap<String, Say> {
    let zone = timezone
        .and_then(|name| jiff::tz::TimeZone::get(name).ok())
        .unwrap_or(jiff::tz::TimeZone::UTC);
    let clock = |at: Timestamp| {
        at.as_jiff().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    };
    [ENGLISH, DUTCH, GERMAN]
        .into_iter()
        .map(|sentences| {
            let verified = verified(&sentences, customer, as_of, &clock);
            let say = Say { anyone: sentences.anyone.to_owned(), verified };
            (sentences.language.to_owned(), say)
        })
        .collect()
}

fn verified(
    sentences: &Sentences,
    customer: &CustomerStatus,
    as_of: Timestamp,
    clock: &dyn Fn(Timestamp) -> String,
) -> String {
    if customer.hold != Hold::None || customer.state == PublicWord::NeedsAttention {
        return sentences.attention.to_owned();
    }
    if customer.workloads.is_empty() {
        return sentences.unlisted.to_owned();
    }
    let mut parts = vec![state(sentences, customer.state).to_owned()];
    parts.extend(services(sentences, &customer.workloads));
    parts.extend(progress(sentences, customer));
    if let Some((low, high)) = customer.eta_low.zip(customer.eta_high) {
        parts.push(filled(sentences.estimate, &[&clock(low), &clock(high)]));
    }
    parts.extend(copy_of(customer).map(|at| filled(sentences.copy_of, &[&clock(at)])));
    parts.push(filled(sentences.as_of, &[&clock(as_of)]));
    parts.join(" ")
}

fn state(sentences: &Sentences, word: PublicWord) -> &'static str {
    match word {
        PublicWord::Queued => sentences.queued,
        PublicWord::Copying => sentences.copying,
        PublicWord::Copied => sentences.copied,
        PublicWord::Restoring => sentences.restoring,
        PublicWord::Testing => sentences.testing,
        PublicWord::Online => sentences.online,
        PublicWord::WaitingForYou => sentences.waiting,
        PublicWord::NeedsAttention => sentences.attention,
    }
}

/// Several services in the customer's own names; ids mean nothing to him.
fn services(sentences: &Sentences, workloads: &[WorkloadStatus]) -> Option<String> {
    let named: Vec<_> = workloads
        .iter()
        .filter_map(|w| Some(format!("{}: {}", w.label.as_ref()?, (sentences.words)(w.state))))
        .take(NAMED_MAX)
        .collect();
    (workloads.len() > 1 && !named.is_empty())
        .then(|| filled(sentences.services, &[&named.join("; ")]))
}

fn progress(sentences: &Sentences, customer: &CustomerStatus) -> Option<String> {
    if customer.state != PublicWord::Copying {
        return None;
    }
    let total: Bytes = customer.workloads.iter().map(|workload| workload.bytes).sum();
    let done: Bytes = customer.workloads.iter().map(|workload| workload.bytes_done).sum();
    // Of unknown size, it looks as large as what is here of it.
    (done > Bytes::ZERO && done < total)
        .then(|| filled(sentences.progress, &[&done.to_string(), &total.to_string()]))
}

/// The oldest of his copies, once all of them are whole.
fn copy_of(customer: &CustomerStatus) -> Option<Timestamp> {
    if matches!(customer.state, PublicWord::Queued | PublicWord::Copying) {
        return None;
    }
    let sealed: Option<Vec<_>> = customer.workloads.iter().map(|w| w.capture.sealed_at).collect();
    sealed?.into_iter().min()
}

fn filled(sentence: &str, values: &[&str]) -> String {
    let mut text = String::new();
    let mut values = values.iter();
    let mut pieces = sentence.split("{}").peekable();
    while let Some(piece) = pieces.next() {
        text.push_str(piece);
        if pieces.peek().is_some() {
            text.push_str(values.next().copied().unwrap_or_default());
        }
    }
    text
}
