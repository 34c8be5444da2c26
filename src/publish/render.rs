//! The page as files in memory: HTML in every language, JSON and feeds beside it.
//!
//! | file | what |
//! |---|---|
//! | `index.html`, `LANGUAGE/index.html` | the page, at the root in the site's first language |
//! | `LANGUAGE/history.html`, `maintenance.html`, `post-mortem.html` | the pages beside it |
//! | `LANGUAGE/history.atom`, `history.rss`, `feed.json`, `calendar.ics`, `badge.svg` | feeds |
//! | the same at the root | in the site's first language |
//! | `api/v2/….json` | see [`crate::publish::api`] |
//! | `progress.json` | see [`crate::publish::progress`] |
//! | `robots.txt`, `c/index.html`, `c/TOKEN/index.html` | see [`crate::publish::own`] |
//!
//! **Invariants.** Templates see [`StatusPage`]'s counts and texts made of them, nothing else. What
//! is put into HTML is escaped. A page refers to nothing outside this folder, so it works from a
//! web server, from a stick and from a mail attachment.

use std::collections::BTreeMap;

use crate::model::PublicWord;
use crate::publish::api;
use crate::publish::badge;
use crate::publish::calendar;
use crate::publish::feeds::Feed;
use crate::publish::frame::Place;
use crate::publish::locale::{Arg, Texts};
use crate::publish::own::{self, OwnPage};
use crate::publish::page::Stage;
use crate::publish::press::Press;
use crate::publish::progress::{PROGRESS_FILE, Progress};
use crate::publish::{PublishError, StatusPage, pages, view};

/// All files of a page, by their path inside the folder. Equal pages give equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// Content by relative path, `/` between its parts.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Rendered {
    fn put(&mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), content.into());
    }
}

/// Makes every file of `page`, and the pages of single customers.
pub fn render(page: &StatusPage, own: &[OwnPage]) -> Result<Rendered, PublishError> {
    let mut rendered = Rendered::default();
    for (index, language) in page.languages.iter().enumerate() {
        let press = Press::new(*language, &page.look)?;
        html(page, &press, &mut rendered)?;
        feeds(page, &press, &format!("{language}/"), "", &mut rendered)?;
        if index == 0 {
            let here = format!("{language}/");
            let place = Place { base: "", here: &here, file: "index.html", private: false };
            rendered.put("index.html", view::html(page, &press, place)?);
            feeds(page, &press, "", &here, &mut rendered)?;
            for (name, document) in api::documents(page, &press)? {
                rendered.put(format!("api/v2/{name}.json"), document);
            }
        }
    }
    rendered.put(PROGRESS_FILE, api::json(&Progress::of(page)));
    own::render(page, own, &mut rendered.files)?;
    Ok(rendered)
}

/// The pages of one language.
fn html(page: &StatusPage, press: &Press, rendered: &mut Rendered) -> Result<(), PublishError> {
    let language = press.texts().language();
    let place = |file| Place { base: "../", here: "", file, private: false };
    rendered.put(format!("{language}/index.html"), view::html(page, press, place("index.html"))?);
    let history = pages::history(page, press, place("history.html"))?;
    rendered.put(format!("{language}/history.html"), history);
    let maintenance = pages::maintenance(page, press, place("maintenance.html"))?;
    rendered.put(format!("{language}/maintenance.html"), maintenance);
    if let Some(told) = pages::post_mortem(page, press, place("post-mortem.html"))? {
        rendered.put(format!("{language}/post-mortem.html"), told);
    }
    Ok(())
}

/// Feeds in `folder`, from where `here` leads to the pages.
fn feeds(
    page: &StatusPage,
    press: &Press,
    folder: &str,
    here: &str,
    rendered: &mut Rendered,
) -> Result<(), PublishError> {
    let feed = Feed::new(page, press, here)?;
    rendered.put(format!("{folder}history.atom"), feed.atom(press)?);
    if let Some(rss) = feed.rss(press)? {
        rendered.put(format!("{folder}history.rss"), rss);
    }
    rendered.put(format!("{folder}feed.json"), feed.json());
    rendered.put(format!("{folder}calendar.ics"), calendar::ics(page, press.texts())?);
    rendered.put(format!("{folder}badge.svg"), badge::svg(page, press)?);
    Ok(())
}

/// `copied`, as it ends the keys of its texts and the name of its sign.
pub fn word_key(word: PublicWord) -> &'static str {
    match word {
        PublicWord::Queued => "queued",
        PublicWord::Copying => "copying",
        PublicWord::Copied => "copied",
        PublicWord::Restoring => "restoring",
        PublicWord::Testing => "testing",
        PublicWord::Online => "online",
        PublicWord::WaitingForYou => "waiting-for-you",
        PublicWord::NeedsAttention => "needs-attention",
    }
}

/// The sentence everything begins with: "312 of 500 customers copied".
pub(super) fn headline(page: &StatusPage, texts: &Texts) -> Result<String, PublishError> {
    let (key, done) = match page.stage() {
        Stage::NoFigures => return texts.say("headline-none", &[]),
        Stage::Copying => ("headline-copied", page.copied()),
        Stage::Returning | Stage::Done if page.online() == 0 => ("headline-copied", page.copied()),
        Stage::Returning | Stage::Done => ("headline-online", page.online()),
    };
    texts.say(key, &[("done", Arg::Count(done)), ("total", Arg::Count(page.customers))])
}
