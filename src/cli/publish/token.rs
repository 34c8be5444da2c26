//! `evac publish token`: customers' own pages, and the addresses they are at.

use serde::Serialize;

use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::Global;
use crate::ledger::snapshot::SCHEMA;
use crate::model::CustomerId;
use crate::publish::own::FOLDER;
use crate::publish::token::{Token, TokenFile};

#[derive(Serialize)]
struct Document {
    schema: u32,
    links: Vec<Link>,
    revoked: Vec<CustomerId>,
}

/// A customer and where his page is.
#[derive(Serialize)]
struct Link {
    customer: CustomerId,
    link: String,
}

/// Gives pages, or takes them away; then makes the page anew, so that it holds at once.
pub fn run(global: &Global, what: &[String], all: bool, revoke: bool) -> Result<Exit, Failure> {
    let loaded = global.load_settings()?;
    let reading = global.open_read_only()?;
    let (_, snapshot) = reading.look(&loaded, global.now())?;
    let everybody = loaded.inventory.customers.iter().map(|customer| customer.id.clone());
    let customers: Vec<CustomerId> = if all {
        everybody.collect()
    } else {
        let chosen = loaded.select(what, &snapshot)?;
        everybody.filter(|id| chosen.customers.contains(id)).collect()
    };
    if customers.is_empty() {
        return Err(Failure::usage("there is no customer to give a page")
            .hint("List customers in inventory.toml."));
    }
    global.make_state()?;
    let file = TokenFile::of(&global.keys_path());
    let url = loaded.settings.publish.page.url.as_deref();
    let mut document = Document { schema: SCHEMA, links: Vec::new(), revoked: Vec::new() };
    if revoke {
        let had = file.read()?;
        document.revoked = customers.into_iter().filter(|id| had.contains_key(id)).collect();
        file.revoke(&document.revoked)?;
    } else {
        let issued = file.issue(&customers, &global.by, global.now())?;
        document.links = customers
            .into_iter()
            .filter_map(|id| Some((issued.get(&id)?.token.clone(), id)))
            .map(|(token, customer)| Link { customer, link: link(url, &token) })
            .collect();
    }
    super::make(global)?;
    if global.json {
        print::document(&document)?;
    } else {
        for Link { customer, link } in &document.links {
            print::result(&format!("{customer} {link}\n"))?;
        }
        for customer in &document.revoked {
            print::tell(&format!("{customer} has no page any more."));
        }
        print::tell("`evac publish` carries it to where the page is read; else copy state/status.");
    }
    Ok(Exit::Done)
}

/// Whole where the site says where its page is read, else beneath wherever that is.
fn link(url: Option<&str>, token: &Token) -> String {
    format!("{}{FOLDER}{}/", url.unwrap_or_default(), token.secret())
}
