//! Reads `evac.toml`. As much as possible is kept of a broken file, so that one slip is not
//! followed by complaints about everything that refers to it.

use std::path::PathBuf;

use crate::inventory::document::{SourceFile, Table, parse};
use crate::inventory::fields::{Fields, suggestion};
use crate::inventory::settings::{
    ClassWeights, DEFAULT_BEAT, DEFAULT_HOSTS, DEFAULT_KNOWN_HOSTS, DEFAULT_LANES,
    DEFAULT_LANGUAGE, DEFAULT_PATIENCE, DEFAULT_PORT, DEFAULT_TIMEZONE, DEFAULT_USER, LANES_MAX,
    LANGUAGES, Limits, PATIENCE, Resource, ResourceKind, Settings, Site, Ssh, StoreDisk, Window,
};
use crate::inventory::ways::ways;
use crate::inventory::{
    Class, Dedup, Origin, Problem, Target, alert, settings_mail, settings_publish,
};
use crate::model::text::bounded;
use crate::model::{Span, TierName, Timestamp};

/// Longest name of a colleague, with a number to call.
const COLLEAGUE_CHARS_MAX: usize = 120;

const KINDS: [(&str, ResourceKind); 4] = [
    ("uplink", ResourceKind::Uplink),
    ("hypervisor", ResourceKind::Hypervisor),
    ("disk", ResourceKind::Disk),
    ("bastion", ResourceKind::Bastion),
];
const DEDUPS: [(&str, Dedup); 3] =
    [("fleet", Dedup::Fleet), ("customer", Dedup::Customer), ("host", Dedup::Host)];

/// The settings of `file`; `None` when it cannot be read as TOML.
pub(super) fn settings(file: &SourceFile, problems: &mut Vec<Problem>) -> Option<Settings> {
    let table = parse(file, problems)?;
    let whole = Origin { line: 1, ..file.origin() };
    let mut fields = Fields::new(&table, &whole, "evac.toml", problems);
    let site = site(&mut fields, &whole);
    let windows = fields.tables("window");
    let windows = windows.iter().map(|(table, at)| window(table, at, fields.problems())).collect();
    let ssh = ssh(&mut fields);
    let outside = outside(&mut fields);
    let limits = limits(&mut fields);
    let mut resources = Vec::new();
    for (table, at) in fields.tables("uplink") {
        resources.extend(resource(table, at, Some(ResourceKind::Uplink), fields.problems()));
    }
    for (table, at) in fields.tables("resource") {
        resources.extend(resource(table, at, None, fields.problems()));
    }
    let tiers = fields.weights("tiers").into_iter().collect::<Vec<_>>();
    let tiers = tiers.into_iter().filter_map(|(name, weight, at)| {
        let tier = TierName::new(name).map_err(|error| fields.error(at, error.to_string(), ""));
        Some((tier.ok()?, weight))
    });
    let tiers = tiers.collect();
    let classes = classes(&mut fields);
    let (dedup, disks) = store(&mut fields);
    let targets = fields.tables("target");
    let targets =
        targets.iter().filter_map(|(table, at)| target(table, at, fields.problems())).collect();
    let beat = beat(&mut fields);
    let began = began(&mut fields);
    let publish = settings_publish::publish(&mut fields, &site);
    let mail = fields.table("mail");
    let mail = mail.and_then(|(table, at)| settings_mail::read(table, at, fields.problems()));
    let alert = fields.table("alert");
    let alert = alert.map(|(table, at)| alert::read(table, at, fields.problems()));
    let alert = alert.unwrap_or_default();
    let colleague = colleague(&mut fields);
    fields.finish();
    Some(Settings {
        site,
        windows,
        ssh,
        outside,
        limits,
        resources,
        tiers,
        classes,
        dedup,
        disks,
        targets,
        beat,
        began,
        publish,
        mail,
        alert,
        colleague,
    })
}

fn colleague(fields: &mut Fields<'_>) -> Option<String> {
    let (table, at) = fields.table("support")?;
    let mut fields = Fields::new(table, at, "[support]", fields.problems());
    let colleague = fields.text("colleague").map(|name| bounded(&name, COLLEAGUE_CHARS_MAX));
    fields.finish();
    colleague
}

fn site(fields: &mut Fields<'_>, whole: &Origin) -> Site {
    const HINT: &str = "Write the name your customers know: [site] name = \"Example Hosting\".";
    let mut site = Settings::named("").site;
    let Some((table, at)) = fields.table("site") else {
        fields.error(whole, "there is no `site.name`", HINT);
        return site;
    };
    let mut fields = Fields::new(table, at, "[site]", fields.problems());
    site.name = fields.needed_text("name", HINT).unwrap_or_default();
    if let Some((zone, at)) = fields.placed_text("timezone") {
        if jiff::tz::TimeZone::get(zone).is_ok() {
            zone.clone_into(&mut site.timezone);
        } else {
            fields.error(at, format!("time zone `{zone}` is unknown"), &zone_hint(zone));
        }
    }
    let languages: Vec<_> = fields.placed_texts("languages");
    for (language, at) in &languages {
        if !LANGUAGES.contains(language) {
            let hint = format!("evac has texts in: {}.", LANGUAGES.join(", "));
            fields.error(at, format!("language `{language}` is unknown"), &hint);
        }
    }
    site.languages = languages.into_iter().map(|(language, _)| language.to_owned()).collect();
    if site.languages.is_empty() {
        site.languages = vec![DEFAULT_LANGUAGE.into()];
    }
    fields.finish();
    site
}

fn zone_hint(zone: &str) -> String {
    let names: Vec<_> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let hint = suggestion(zone, &names);
    if hint.is_empty() {
        return format!("Write a name such as Europe/Amsterdam or {DEFAULT_TIMEZONE}.");
    }
    hint
}

/// `[incident]`: what reports begin with.
fn began(fields: &mut Fields<'_>) -> Option<Timestamp> {
    let (table, at) = fields.table("incident")?;
    let mut fields = Fields::new(table, at, "[incident]", fields.problems());
    let began = fields.parse("began");
    fields.finish();
    began
}

fn window(table: &Table, at: &Origin, problems: &mut Vec<Problem>) -> Window {
    let mut fields = Fields::new(table, at, "[[window]]", problems);
    let window = Window {
        opens: fields.parse::<Timestamp>("opens"),
        closes: fields.parse::<Timestamp>("closes"),
        hard: fields.boolean("hard").unwrap_or(false),
        origin: at.clone(),
    };
    fields.finish();
    window
}

fn ssh(fields: &mut Fields<'_>) -> Ssh {
    let mut ssh = Settings::named("").ssh;
    let Some((table, at)) = fields.table("ssh") else { return ssh };
    let mut fields = Fields::new(table, at, "[ssh]", fields.problems());
    ssh.user = fields.text("user").unwrap_or_else(|| DEFAULT_USER.into());
    ssh.identity = fields.texts("identity").into_iter().map(PathBuf::from).collect();
    ssh.known_hosts =
        fields.text("known_hosts").unwrap_or_else(|| DEFAULT_KNOWN_HOSTS.into()).into();
    ssh.ways = ways(&mut fields);
    fields.finish();
    ssh
}

fn outside(fields: &mut Fields<'_>) -> Vec<(String, u16)> {
    const HINT: &str = "Write a port of a machine that is not at the provider: \
                        outside = [\"192.0.2.1:443\"].";
    let Some((table, at)) = fields.table("wait") else { return Vec::new() };
    let mut fields = Fields::new(table, at, "[wait]", fields.problems());
    let mut outside = Vec::new();
    for (text, at) in fields.placed_texts("outside") {
        match port_at(text) {
            Some(place) => outside.push(place),
            None => fields.error(at, format!("`{text}` is no address with a port"), HINT),
        }
    }
    fields.finish();
    outside
}

/// `HOST:PORT`, an IPv6 address in brackets.
fn port_at(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
    let is_host = !host.is_empty() && host.len() <= 255 && host.chars().all(is_name);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    is_host.then(|| (host.to_owned(), port))
}

fn limits(fields: &mut Fields<'_>) -> Limits {
    let mut limits = Settings::named("").limits;
    let Some((table, at)) = fields.table("limits") else { return limits };
    let mut fields = Fields::new(table, at, "[limits]", fields.problems());
    limits.landing = fields.parse("landing");
    limits.lanes = fields.integer("lanes", 1, LANES_MAX).unwrap_or(DEFAULT_LANES);
    limits.hosts = fields.integer("hosts", 1, 10_000).unwrap_or(DEFAULT_HOSTS);
    limits.patience = fields.parse("patience").unwrap_or(DEFAULT_PATIENCE);
    if !PATIENCE.contains(&limits.patience) {
        fields.error(at, "`patience` must be from 1s to 1h", "Without it, it is 60s.");
        limits.patience = DEFAULT_PATIENCE;
    }
    fields.finish();
    limits
}

fn resource(
    table: &Table,
    at: &Origin,
    kind: Option<ResourceKind>,
    problems: &mut Vec<Problem>,
) -> Option<Resource> {
    let what = if kind.is_some() { "[[uplink]]" } else { "[[resource]]" };
    let mut fields = Fields::new(table, at, what, problems);
    let id = fields.needed_id("id", "Give it an id that hosts name in `uplink` or `uses`.");
    let kind = kind.or_else(|| {
        let kind = fields.word("kind", &KINDS);
        if kind.is_none() && table.get("kind").is_none() {
            let hint = "Write kind = \"uplink\", \"hypervisor\", \"disk\" or \"bastion\".";
            fields.error(at, "[[resource]] has no `kind`", hint);
        }
        kind
    });
    let rate = fields.parse("rate");
    let readers = fields.integer("readers", 1, 10_000);
    fields.finish();
    let kind = kind.unwrap_or(ResourceKind::Hypervisor);
    Some(Resource { id: id?, kind, rate, readers, origin: at.clone() })
}

fn classes(fields: &mut Fields<'_>) -> ClassWeights {
    let mut classes = ClassWeights::default();
    for (name, weight, at) in fields.weights("classes") {
        if let Some(class) = Class::ALL.into_iter().find(|class| class.word() == name) {
            classes.0[class as usize] = weight;
        } else {
            let hint = suggestion(name, &Class::ALL.map(Class::word));
            fields.error(at, format!("there is no class `{name}`"), &hint);
        }
    }
    classes
}

fn store(fields: &mut Fields<'_>) -> (Dedup, Vec<StoreDisk>) {
    let Some((table, at)) = fields.table("store") else { return Default::default() };
    let mut fields = Fields::new(table, at, "[store]", fields.problems());
    let dedup = fields.word("dedup", &DEDUPS).unwrap_or_default();
    let mut disks: Vec<StoreDisk> = Vec::new();
    for (table, at) in fields.tables("disk") {
        let mut fields = Fields::new(table, at, "[[store.disk]]", fields.problems());
        let path = fields.needed_text("path", "Write the folder: path = \"/mnt/disk2/evac\".");
        let reserve = fields.parse("reserve");
        let path = PathBuf::from(path.unwrap_or_default());
        if disks.iter().any(|disk| disk.path == path) {
            fields.error(at, format!("the disk `{}` is named twice", path.display()), "");
        }
        fields.finish();
        disks.push(StoreDisk { path, reserve });
    }
    fields.finish();
    (dedup, disks)
}

fn beat(fields: &mut Fields<'_>) -> Span {
    let Some((table, at)) = fields.table("gate") else { return DEFAULT_BEAT };
    let mut fields = Fields::new(table, at, "[gate]", fields.problems());
    let beat = fields.parse("beat").unwrap_or(DEFAULT_BEAT);
    if beat.0.is_zero() {
        fields.error(at, "`beat` must be at least 1s", "");
    }
    fields.finish();
    beat
}

fn target(table: &Table, at: &Origin, problems: &mut Vec<Problem>) -> Option<Target> {
    let mut fields = Fields::new(table, at, "[[target]]", problems);
    let id = fields.needed_id("id", "Give it an id that hosts name in `target`.");
    let address = fields.needed_text("address", "Write the address or name to dial.");
    let port = fields.port();
    let user = fields.text("user");
    let capacity = fields.parse("capacity");
    fields.finish();
    Some(Target {
        id: id?,
        address: address.unwrap_or_default(),
        port: port.unwrap_or(DEFAULT_PORT),
        user,
        capacity,
        origin: at.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::port_at;

    #[test]
    fn a_port_of_a_machine_is_read_as_people_write_it() {
        let places = [("192.0.2.1:443", "192.0.2.1"), ("[2001:db8::1]:443", "2001:db8::1")];
        for (text, host) in places.into_iter().chain([("status.example:443", "status.example")]) {
            assert_eq!(port_at(text), Some((host.to_owned(), 443)));
        }
    }
}
