//! `evac invite`: a line to type where nobody can log in. What it is made of and what it protects
//! stands in [`crate::ssh::invite`].
//!
//! **Promise.** The code is printed once, and kept nowhere: who lost it invites anew.

use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};

use serde::Serialize;

use crate::cli::args::InviteArgs;
use crate::cli::facts::surveyed;
use crate::cli::failure::Kind;
use crate::cli::site::Loaded;
use crate::cli::{Exit, Failure, Global, hands, print};
use crate::inventory::Host;
use crate::ledger::Ledger;
use crate::model::text::closest;
use crate::model::{Event, HostId, SiteId, Timestamp, TreePath};
use crate::run::control::{Ask, Said};
use crate::run::invite::book::{Book, BookError, Invitation};
use crate::ssh::invite::{Binary, Code, HostKey, HostKeyError};

/// Where a run listens unless somebody says otherwise.
const PORT: u16 = 7_022;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    host: &'a HostId,
    until: Timestamp,
    listen: SocketAddr,
    /// To be typed.
    line: &'a str,
    /// To be typed into bash without curl and wget.
    bash: &'a str,
    /// To be pasted.
    pasted: &'a str,
    paths: Vec<String>,
    /// Does a run go on that listens?
    running: bool,
}

/// Invites a host, or takes that back.
pub fn run(global: &Global, args: &InviteArgs) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let host = find(&loaded, &args.host)?;
    if args.revoke {
        return revoke(global, &host.id);
    }
    let reading = global.open_read_only()?;
    let is_known = surveyed(&reading.ledger, &loaded.inventory)?.contains_key(&host.id);
    if !is_known && host.workloads.iter().any(|workload| workload.is_default) {
        let what = format!("nobody wrote down what is to be taken from host/{}", host.id);
        let hint =
            "A host that calls cannot be looked at first: list its [[host.workload]] entries.";
        return Err(Failure::usage(what).hint(hint));
    }
    invite(global, host, (args, reading.ledger.site()?))
}

/// Who is to call, now or again.
pub fn open(global: &Global) -> Result<Vec<Invitation>, Failure> {
    let mut book = Book::read(&global.state())?;
    book.expire(global.now());
    Ok(book.invitations)
}

fn find<'a>(loaded: &'a Loaded, typed: &str) -> Result<&'a Host, Failure> {
    let name = typed.strip_prefix("host/").unwrap_or(typed);
    let mut hosts = loaded.inventory.hosts.iter();
    let found = hosts.find(|host| host.id.as_str() == name).ok_or_else(|| {
        let failure = Failure::usage(format!("no host {name} in the inventory"));
        let ids = loaded.inventory.hosts.iter().map(|host| host.id.as_str());
        match closest(name, ids) {
            Some(id) => failure.hint(format!("Did you mean {id}?")),
            None => failure.hint("Write it into inventory.toml, with the paths to be taken."),
        }
    })?;
    if !found.capture || found.workloads.is_empty() {
        let failure = Failure::usage(format!("nothing is to be taken from host/{name}"));
        return Err(failure.hint("Give it a workload with `paths`, or `capture = true`."));
    }
    Ok(found)
}

/// What the agent may read: the paths of all its workloads.
fn granted(host: &Host) -> Vec<TreePath> {
    let mut paths: Vec<_> = host.workloads.iter().flat_map(|it| it.paths.clone()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// Where the run is to listen, as seen from over there.
fn landing(global: &Global, host: &Host, said: Option<SocketAddr>) -> Result<SocketAddr, Failure> {
    if let Some(said) = said {
        return Ok(said);
    }
    let book = Book::read(&global.state())?;
    if let Some(last) = book.invitations.first() {
        return Ok(last.landing);
    }
    // No packet is sent: the kernel says from where it would be.
    let towards = || -> std::io::Result<SocketAddr> {
        let mut addresses = (host.address.as_str(), host.port).to_socket_addrs()?;
        let there = addresses.next().ok_or(std::io::ErrorKind::NotFound)?;
        let any = if there.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(there)?;
        Ok(SocketAddr::new(socket.local_addr()?.ip(), PORT))
    };
    towards().map_err(|error| {
        Failure::usage(format!("which address of this machine does host/{} see?", host.id))
            .because(&error)
            .hint("Say it: --listen ADDR:PORT.")
    })
}

fn invite(
    global: &Global,
    host: &Host,
    (args, site): (&InviteArgs, SiteId),
) -> Result<Exit, Failure> {
    let landing = landing(global, host, args.listen)?;
    global.make_state()?;
    let code =
        Code::random().map_err(|error| Failure::failed("no code can be made").because(&error))?;
    let binary = Binary::itself()
        .map_err(|error| Failure::failed("cannot read the running program").because(&error))?;
    let now = global.now();
    let invitation = Invitation {
        host: host.id.clone(),
        by: global.by.clone(),
        made: now,
        until: now.plus(args.works_for.0),
        sum: code.sum(),
        landing,
        agent_sha256: binary.sha256().to_owned(),
        landing_key: HostKey::open(&global.keys_path())?.fingerprint(),
        folder: format!(".evac-{site}-{}-called", host.id),
        stay_s: args.stay.0.as_secs(),
        granted: granted(host),
        agent_key: None,
    };
    let ask = Ask::Invite { invitation: Box::new(invitation.clone()) };
    let heard = hands::say(global, &ask, |ledger| {
        change(global, ledger, &host.id, "invited", |book| book.put(invitation.clone()))
    })?;
    if heard.said != Said::Noted {
        return Err(hands::astray());
    }
    show(global, &invitation, &code, (args.paste, heard.by_run))
}

fn revoke(global: &Global, host: &HostId) -> Result<Exit, Failure> {
    let heard = hands::say(global, &Ask::Revoke { host: host.clone() }, |ledger| {
        if !Book::read(&global.state())?.invitations.iter().any(|it| it.host == *host) {
            return Ok(Said::Refused { why: format!("host/{host} is not invited") });
        }
        change(global, ledger, host, "the invitation is taken back", |book| drop(book.remove(host)))
    })?;
    if heard.said != Said::Noted {
        return Err(hands::astray());
    }
    print::result(&format!("host/{host} is not invited any more\n"))?;
    Ok(Exit::Done)
}

/// While no run goes on.
fn change(
    global: &Global,
    ledger: &Ledger,
    host: &HostId,
    text: &str,
    change: impl Fn(&mut Book),
) -> Result<Said, Failure> {
    let mut book = Book::read(&global.state())?;
    book.expire(global.now());
    change(&mut book);
    book.write(&global.state())?;
    let (what, text, by) = (format!("host/{host}"), text.to_owned(), global.by.clone());
    ledger.append(&Event::Noted { what, text, by }, &global.by)?;
    Ok(Said::Noted)
}

fn show(
    global: &Global,
    invitation: &Invitation,
    code: &Code,
    (paste, running): (bool, bool),
) -> Result<Exit, Failure> {
    let bootstrap = invitation.bootstrap();
    let (line, bash) = (bootstrap.typed(code), bootstrap.typed_for_bash(code));
    let pasted = bootstrap.pasted(code);
    let Invitation { host, until, landing, .. } = invitation;
    let paths: Vec<String> = invitation.granted.iter().map(ToString::to_string).collect();
    if global.json {
        print::document(&Document {
            schema: 1,
            host,
            until: *until,
            listen: *landing,
            line: &line,
            bash: &bash,
            pasted: &pasted,
            paths,
            running,
        })?;
        return Ok(Exit::Done);
    }
    print::result(&format!("{}\n", if paste { &pasted } else { &line }))?;
    print::tell(&format!("in a root shell on {host}, once, until {until}; it may read:"));
    print::tell(&format!("  {}", paths.join(" ")));
    if !paste {
        let wget = line.replacen("curl", "wget -qO-", 1);
        print::tell(&format!("without curl:   {wget}\nin bare bash:   {bash}"));
        print::tell("to be pasted, and safe from whoever is on the way: --paste");
    }
    if running {
        print::tell(&format!("the run listens at {landing}"));
    } else {
        print::tell(&format!("hint: `evac run` listens at {landing}, as long as it goes on."));
    }
    Ok(Exit::Done)
}

impl From<BookError> for Failure {
    fn from(error: BookError) -> Self {
        Self::of(Kind::Failed, &error)
            .hint("If it is damaged, move it away, and invite anew: it holds who is invited.")
    }
}

impl From<HostKeyError> for Failure {
    fn from(error: HostKeyError) -> Self {
        Self::of(Kind::Failed, &error)
            .hint("If it is damaged, move it away: lines that were given out work no more.")
    }
}
