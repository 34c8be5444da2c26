//! `publish say`, `approve`, `drop` and `posts`: what people say, and who else has read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::{dry, make, page, tell};
use crate::cli::args::{PostKind, SayArgs, Template as Typed};
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::Global;
use crate::inventory::Settings;
use crate::ledger::outbox::{Post, PostState, PostText};
use crate::ledger::snapshot::SCHEMA;
use crate::model::text::bounded;
use crate::model::{Span, Timestamp};
use crate::publish::desk::Told;
use crate::publish::page::Stage;
use crate::publish::say::guard::Guard;
use crate::publish::say::{self, Template, short};
use crate::publish::update::{self, Kind, Update};
use crate::publish::wanted::promise;
use crate::publish::{Language, StatusPage};

const TITLE_CHARS_MAX: usize = 200;
const TEXT_CHARS_MAX: usize = 4_000;
/// People are reminded so long before an update is due.
const REMIND_BEFORE: Duration = Duration::from_secs(600);

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    id: &'a str,
    state: PostState,
    kind: &'a str,
    at: Timestamp,
    next_by: Option<Timestamp>,
    texts: BTreeMap<&'a str, Forms>,
    destinations: &'a [Told],
}

/// One text for every road.
#[derive(Serialize)]
struct Forms {
    title: String,
    body: String,
    sms: String,
    sms_fits: bool,
    greeting: String,
    short: String,
}

/// Says something, or drafts it where a second person has to read it.
pub fn run(global: &Global, args: &SayArgs, is_dry: bool) -> Result<Exit, Failure> {
    let loaded = global.load_settings()?;
    let holds = page::readable_holds(global)?;
    let settings = &loaded.settings;
    let guard = Guard::of(&loaded.inventory, &holds, &settings.site.name);
    let post = written(global, args, settings)?;
    refuse_named(&guard, &post)?;
    if post.kind == Kind::Resolved.word() {
        refuse_unresolved(global)?;
    }
    if is_dry || args.dry {
        tell_forms(&post, &settings.site.name)?;
        let updates = update::public(&[Post { state: PostState::Posted, ..post }]);
        return dry::run(global, updates.into_iter().next());
    }
    global.open_ledger_for_words()?.add_post(&post)?;
    if post.state == PostState::Draft {
        return drafted(global, &post, &settings.site.name);
    }
    out(global, &post)
}

/// It is public: the page says so, and destinations are told.
fn out(global: &Global, post: &Post) -> Result<Exit, Failure> {
    let made = make(global)?;
    let told = tell::tell(global, &made, tell::PATIENCE)?;
    let name = &made.loaded.settings.site.name;
    if global.json {
        document(post, name, &told.told)?;
        return Ok(told.exit);
    }
    tell_forms(post, name)?;
    print::tell(&format!("post {} is public; {} has it.", post.id, made.folder));
    tell::report(&told);
    Ok(told.exit)
}

fn drafted(global: &Global, post: &Post, name: &str) -> Result<Exit, Failure> {
    if global.json {
        document(post, name, &[])?;
        return Ok(Exit::Done);
    }
    tell_forms(post, name)?;
    let id = &post.id;
    print::tell(&format!(
        "draft {id} is not public yet. Somebody else reads it and types: `evac --as NAME publish \
         approve {id}`."
    ));
    Ok(Exit::Done)
}

/// The post that is asked for.
fn written(global: &Global, args: &SayArgs, settings: &Settings) -> Result<Post, Failure> {
    let now = global.now();
    if global.by == page::ITSELF {
        let failure = Failure::usage("facts are said under that name, by evac itself");
        return Err(failure.hint("Write `evac --as NAME publish say …`."));
    }
    let site = page::site(settings, now)?;
    let languages = match site.languages.as_slice() {
        [] => vec![Language::En],
        some => some.to_vec(),
    };
    let template = args.template.map(template);
    let kind = args.kind.map(kind).or(template.map(Template::kind)).unwrap_or(Kind::Identified);
    let next = args.next.unwrap_or(settings.publish.next);
    if next == Span::default() {
        return Err(Failure::usage("the next update cannot be promised for now"));
    }
    let next_by = (kind != Kind::Resolved || args.next.is_some()).then(|| now.plus(next.0));
    let texts = texts(args, template, &languages)?;
    let needs_review = settings.publish.review;
    if needs_review && args.break_glass.is_some() && !global.is_named {
        let failure = Failure::usage("--break-glass needs to know who says so");
        return Err(failure.hint("Write `evac --as NAME publish say …`."));
    }
    let is_draft = needs_review && args.break_glass.is_none();
    Ok(Post {
        id: page::new_id()?,
        at: now,
        by: global.by.clone(),
        kind: kind.word().to_owned(),
        state: if is_draft { PostState::Draft } else { PostState::Posted },
        reviewed_by: None,
        why: args.break_glass.as_ref().map(|why| bounded(why, TITLE_CHARS_MAX)),
        next_by,
        texts: say::promised(texts, next_by, now, &site.timezone)?,
    })
}

fn texts(
    args: &SayArgs,
    template: Option<Template>,
    languages: &[Language],
) -> Result<BTreeMap<Language, PostText>, Failure> {
    let mut texts = match template {
        Some(template) => template.texts(languages)?,
        None => BTreeMap::new(),
    };
    for written in &args.title {
        let (language, title) = split(written, languages[0]);
        let empty = PostText { title: String::new(), body: String::new() };
        texts.entry(language).or_insert(empty).title = bounded(title, TITLE_CHARS_MAX);
    }
    for written in &args.text {
        let (language, text) = split(written, languages[0]);
        let Some(entry) = texts.get_mut(&language) else {
            return Err(Failure::usage(format!("there is no title in `{language}`"))
                .hint(format!("Write --title \"{language}=…\" as well.")));
        };
        let lines: Vec<_> = text.lines().map(|line| bounded(line, TEXT_CHARS_MAX)).collect();
        if !entry.body.is_empty() {
            entry.body.push_str("\n\n");
        }
        entry.body.push_str(&lines.join("\n"));
    }
    let is_whole = |text: &PostText| !text.title.trim().is_empty() && !text.body.trim().is_empty();
    if texts.is_empty() || !texts.values().all(is_whole) {
        let failure = Failure::usage("a post has a title and a text in each language");
        return Err(failure.hint(
            "Write `evac publish say first`, or --title TEXT --text TEXT; `--help` lists all.",
        ));
    }
    Ok(texts)
}

/// `nl=Wij …`; without a language that evac knows, the text is in `first`.
fn split(written: &str, first: Language) -> (Language, &str) {
    match written.split_once('=').map(|(code, text)| (code.parse(), text)) {
        Some((Ok(language), text)) => (language, text.trim()),
        _ => (first, written.trim()),
    }
}

fn template(typed: Typed) -> Template {
    match typed {
        Typed::First => Template::First,
        Typed::Scope => Template::Scope,
        Typed::Moving => Template::Moving,
        Typed::Same => Template::Same,
        Typed::Setback => Template::Setback,
        Typed::Resolved => Template::Resolved,
    }
}

fn kind(typed: PostKind) -> Kind {
    match typed {
        PostKind::Investigating => Kind::Investigating,
        PostKind::Identified => Kind::Identified,
        PostKind::Monitoring => Kind::Monitoring,
        PostKind::Resolved => Kind::Resolved,
    }
}

fn refuse_named(guard: &Guard, post: &Post) -> Result<(), Failure> {
    let texts = post.texts.values().flat_map(|text| [&text.title, &text.body]);
    match texts.into_iter().find_map(|text| guard.named_in(text)) {
        None => Ok(()),
        Some(customer) => {
            let what = format!("the text names customer/{customer}, who is on hold");
            Err(Failure::refused(what).hint(
                "Leave out names, domains, addresses and machines of theirs; nothing was said.",
            ))
        }
    }
}

/// "Resolved" is the gate's word for everybody, and nobody else's.
fn refuse_unresolved(global: &Global) -> Result<(), Failure> {
    let loaded = global.load_settings()?;
    let (_, snapshot) = global.open_read_only()?.look(&loaded, global.now())?;
    let page = StatusPage::new(&snapshot, &page::site(&loaded.settings, snapshot.as_of)?);
    if page.stage() == Stage::Done {
        return Ok(());
    }
    let (online, all) = (page.online(), page.customers);
    let what = format!("{online} of {all} customers are online: it is not resolved");
    Err(Failure::refused(what).hint(
        "`evac gate` and `evac activate` say who is online; --kind monitoring says it is better.",
    ))
}

/// Lets a draft out.
pub fn approve(global: &Global, id: &str) -> Result<Exit, Failure> {
    if !global.is_named {
        let failure = Failure::usage("an approval needs to know who gives it");
        return Err(failure.hint("Write `evac --as NAME publish approve …`."));
    }
    let loaded = global.load_settings()?;
    let holds = page::readable_holds(global)?;
    let ledger = global.open_ledger_for_words()?;
    let draft = draft(ledger.posts()?, id)?;
    if draft.by.trim().eq_ignore_ascii_case(global.by.trim()) {
        let failure =
            Failure::refused(format!("{} wrote it: somebody else must read it", draft.by));
        return Err(failure.hint("In need: `evac --as NAME publish say … --break-glass REASON`."));
    }
    refuse_named(&Guard::of(&loaded.inventory, &holds, &loaded.settings.site.name), &draft)?;
    if draft.kind == Kind::Resolved.word() {
        refuse_unresolved(global)?;
    }
    if draft.next_by.is_some_and(|by| by <= global.now()) {
        let failure = Failure::refused("the next update that it promises is due already");
        return Err(failure.hint("Say it anew; `evac publish drop` takes this one away."));
    }
    if !ledger.settle_post(id, PostState::Posted, &global.by, None)? {
        return Err(Failure::refused(format!("{id} is no draft any more")));
    }
    let post = ledger.posts()?.into_iter().find(|post| post.id == id).unwrap_or(draft);
    out(global, &post)
}

/// Takes a draft away.
pub fn drop_draft(global: &Global, id: &str, reason: &str) -> Result<Exit, Failure> {
    let ledger = global.open_ledger_for_words()?;
    draft(ledger.posts()?, id)?;
    let reason = bounded(reason, TITLE_CHARS_MAX);
    ledger.settle_post(id, PostState::Dropped, &global.by, Some(&reason))?;
    print::tell(&format!("draft {id} is dropped, by {}.", global.by));
    Ok(Exit::Done)
}

fn draft(posts: Vec<Post>, id: &str) -> Result<Post, Failure> {
    let found = posts.into_iter().find(|post| post.id == id && post.state == PostState::Draft);
    found.ok_or_else(|| {
        Failure::usage(format!("there is no draft `{}`", bounded(id, 40)))
            .hint("`evac publish posts` lists them.")
    })
}

/// Lists what was said, newest last.
pub fn posts(global: &Global) -> Result<Exit, Failure> {
    let loaded = global.load_settings()?;
    let posts = global.open_read_only()?.ledger.posts()?;
    let mut out = String::new();
    for post in &posts {
        if global.json {
            out.push_str(&print::line(&json!({ "schema": SCHEMA, "post": post }))?);
            continue;
        }
        let first = loaded.settings.site.languages.iter().find_map(|code| post.texts.get(code));
        let text = first.or_else(|| post.texts.values().next());
        let title = text.map_or("", |text| text.title.as_str());
        let state = match post.state {
            PostState::Draft => "draft",
            PostState::Posted => "posted",
            PostState::Dropped => "dropped",
        };
        let (id, at, kind, by) = (&post.id, post.at, &post.kind, &post.by);
        let _ = writeln!(out, "{id}  {at}  {state:<7}  {kind:<13}  {by}: {title}");
    }
    print::result(&out)?;
    Ok(Exit::Done)
}

/// The same text for every road, by language.
fn forms(post: &Post, name: &str) -> BTreeMap<String, Forms> {
    let mut all = BTreeMap::new();
    for (code, text) in &post.texts {
        // The promise is the last paragraph.
        let next = match post.next_by {
            Some(_) => text.body.rsplit("\n\n").next().unwrap_or_default(),
            None => "",
        };
        let brief = next.split_inclusive(". ").next().unwrap_or_default().trim();
        let (sms, sms_fits) = short::sms(name, text, brief);
        let forms = Forms {
            title: text.title.clone(),
            body: text.body.clone(),
            sms,
            sms_fits,
            greeting: short::greeting(name, text),
            short: short::post(text, brief),
        };
        all.insert(code.clone(), forms);
    }
    all
}

fn document(post: &Post, name: &str, destinations: &[Told]) -> Result<(), Failure> {
    let forms = forms(post, name);
    let codes: Vec<&str> = post.texts.keys().map(String::as_str).collect();
    print::document(&Document {
        schema: SCHEMA,
        id: &post.id,
        state: post.state,
        kind: &post.kind,
        at: post.at,
        next_by: post.next_by,
        texts: codes.into_iter().zip(forms.into_values()).collect(),
        destinations,
    })
}

fn tell_forms(post: &Post, name: &str) -> Result<(), Failure> {
    let mut out = String::new();
    for (code, forms) in forms(post, name) {
        let _ = writeln!(out, "[{code}] {}\n{}\n", forms.title, forms.body);
        let fits = if forms.sms_fits { "" } else { " (cut)" };
        let _ = writeln!(out, "Text message{fits}: {}", forms.sms);
        let _ = writeln!(out, "Phone greeting: {}", forms.greeting);
        let _ = writeln!(out, "Short post: {}\n", forms.short);
    }
    print::result(&out)
}

/// What to remind people of: the promise of the newest post, once it is near or broken.
pub fn reminder(updates: &[Update], now: Timestamp) -> Option<String> {
    const COMMAND: &str = "`evac publish say same`, or what is new";
    let promise = promise(updates, now)?;
    if promise.late > Duration::ZERO {
        let late = Span(promise.late);
        return Some(format!(
            "LATE: the next update was promised by {}, {late} ago: {COMMAND}.",
            promise.by
        ));
    }
    (promise.left <= REMIND_BEFORE).then(|| {
        format!(
            "The next update is promised by {}, in {}: {COMMAND}.",
            promise.by,
            Span(promise.left)
        )
    })
}
