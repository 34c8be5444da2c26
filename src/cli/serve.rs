//! `evac serve`: the look-up and the live view in a browser; and who may look.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::args::{ServeArgs, ServeCommand, TokenArgs};
use crate::cli::{Exit, Failure, Global, engine, print};
use crate::ledger::snapshot::SCHEMA;
use crate::model::Timestamp;
use crate::run::stop::Stop;
use crate::web::audit::LookUps;
use crate::web::people::{PeopleFile, Role};
use crate::web::{App, Door, Views, server};

mod desk;
mod night;

/// How long threads of answers that nobody waits for may go on.
const LAST_THREADS: Duration = Duration::from_secs(1);
/// Longest link repeated in a message.
const URL_CHARS_MAX: usize = 200;

/// Somebody who has a link.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    role: Role,
    since: Timestamp,
    by: &'a str,
}

/// Serves until it is told to end, or sees to who may look.
pub fn run(global: &Global, args: &ServeArgs) -> Result<Exit, Failure> {
    match &args.command {
        Some(ServeCommand::Token(args)) => token(global, args),
        None => serve(global, args),
    }
}

fn serve(global: &Global, args: &ServeArgs) -> Result<Exit, Failure> {
    guard(args)?;
    let door = door(args.url.as_deref())?;
    let state = global.make_state()?;
    let people = PeopleFile::of(&global.keys_path());
    if people.read()?.is_empty() {
        print::tell("Nobody has a link yet: `evac serve token NAME` prints one.");
    }
    let desk = desk::LocalDesk::new(global, args.colleague.clone());
    let views = Views { support: !args.operator, live: !args.support };
    desk.begin(views)?;
    let files = (people, LookUps::of(&state));
    let app = App::new(Box::new(desk), files, door, views, Arc::clone(&global.clock))?;
    let runtime = engine::runtime()?;
    let stop = Stop::default();
    runtime.spawn(stop.clone().listen(Arc::clone(&global.clock)));
    let listener = runtime.block_on(TcpListener::bind(args.listen)).and_then(|listener| {
        let at = listener.local_addr()?;
        Ok((listener, at))
    });
    let (listener, at) = listener.map_err(|error| {
        let failure = Failure::failed(format!("cannot listen at {}", args.listen));
        failure.because(&error).hint("--listen names another address or port.")
    })?;
    tell_where(global, args, (at, views))?;
    runtime.block_on(server::serve(listener, app, &stop));
    // Whoever was cut off may still hold a thread.
    runtime.shutdown_timeout(LAST_THREADS);
    Ok(Exit::Done)
}

fn tell_where(
    global: &Global,
    args: &ServeArgs,
    (at, views): (SocketAddr, Views),
) -> Result<(), Failure> {
    let url = args.url.clone().unwrap_or_else(|| format!("http://{at}/"));
    if global.json {
        return print::document(&json!({
            "schema": SCHEMA, "listen": at, "url": url,
            "support": views.support, "live": views.live,
        }));
    }
    let what = match (views.support, views.live) {
        (true, true) => "look-up and live view",
        (true, false) => "look-up",
        _ => "live view",
    };
    print::result(&format!("{what}: {url} (listens at {at}), until Ctrl-C\n"))
}

/// Only this machine hears it, unless it is said that others may.
fn guard(args: &ServeArgs) -> Result<(), Failure> {
    const MEANING: &str = "Whoever reaches it there can try links, and without TLS in front of it \
                           what is shown of customers, and every session, can be read on the way";
    if args.listen.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    if !args.expose {
        let failure = Failure::refused(format!("{} is not this machine alone", args.listen));
        let hint = format!("{MEANING}. Add --expose when that is meant, or use `ssh -L`.");
        return Err(failure.hint(hint));
    }
    if args.url.as_ref().is_none_or(|url| !url.starts_with("https://")) {
        print::tell(&format!("warning: {MEANING}; --url https://… says that TLS is in front."));
    }
    Ok(())
}

fn door(url: Option<&str>) -> Result<Door, Failure> {
    Door::new(url).map_err(|error| {
        let shown = crate::model::text::bounded(url.unwrap_or_default(), URL_CHARS_MAX);
        Failure::usage(format!("--url is `{shown}`")).because(&error)
    })
}

fn token(global: &Global, args: &TokenArgs) -> Result<Exit, Failure> {
    door(Some(&args.url))?;
    // A site there must be, or the link would be for nothing.
    global.load_settings()?;
    let people = PeopleFile::of(&global.keys_path());
    match (&args.name, &args.revoke) {
        (Some(name), _) => {
            global.make_state()?;
            let role = if args.operator { Role::Operator } else { Role::Support };
            let token = people.issue(name, role, &global.by, global.now())?;
            let link = format!("{}/t/{}", args.url.trim_end_matches('/'), token.secret());
            if global.json {
                let (schema, name) = (SCHEMA, name.as_str());
                print::document(&json!({
                    "schema": schema, "name": name, "role": role, "link": link,
                }))?;
            } else {
                print::result(&format!("{link}\n"))?;
                print::tell(&format!(
                    "This is the link of {name}; it is shown this once. Send it to nobody else; \
                     `evac serve token --revoke {name}` ends it."
                ));
            }
        }
        (None, Some(name)) => {
            people.revoke(name)?;
            if global.json {
                print::document(&json!({ "schema": SCHEMA, "revoked": name }))?;
            } else {
                print::result(&format!("the link of {name} is no more\n"))?;
            }
        }
        (None, None) => list(global, &people)?,
    }
    Ok(Exit::Done)
}

fn list(global: &Global, people: &PeopleFile) -> Result<(), Failure> {
    let people = people.read()?;
    let listed: Vec<Listed<'_>> = people
        .iter()
        .map(|(name, it)| Listed { name, role: it.role, since: it.since, by: &it.by })
        .collect();
    if global.json {
        return print::document(&json!({ "schema": SCHEMA, "people": listed }));
    }
    if listed.is_empty() {
        return print::result("nobody has a link\n");
    }
    let line = |it: &Listed<'_>| {
        let role = if it.role == Role::Operator { "operator" } else { "support" };
        format!("{}: {role}, since {} by {}\n", it.name, it.since, it.by)
    };
    print::result(&listed.iter().map(line).collect::<String>())
}
