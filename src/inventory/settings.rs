//! `evac.toml`: the settings of a site, with every default in one place.
//!
//! Only `site.name` is needed. Paths are kept as written; [`resolve`] makes them absolute.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::inventory::settings_mail::Mail;
use crate::inventory::settings_publish::Publish;
use crate::inventory::{Alert, Class, Dedup, Origin, Target, Ways};
use crate::model::{self, Bytes, Rate, ResourceId, Span, TierName, Timestamp, Windows};

/// Weight of a customer without a tier.
pub const DEFAULT_WEIGHT: f64 = 1.0;
/// Hosts worked on at once, unless `limits.hosts` says otherwise.
pub const DEFAULT_HOSTS: u32 = 64;
/// SSH connections to one host at most, unless `limits.lanes` says otherwise.
pub const DEFAULT_LANES: u32 = 24;
/// More than these bring nothing, and agents take no more.
pub const LANES_MAX: u32 = 64;
/// Time zone in which people are told times, unless `site.timezone` says otherwise.
pub const DEFAULT_TIMEZONE: &str = "UTC";
/// Language of pages, unless `site.languages` says otherwise.
pub const DEFAULT_LANGUAGE: &str = "en";
/// Languages that evac has texts in.
pub const LANGUAGES: [&str; 3] = ["en", "nl", "de"];
/// File of pinned host keys, unless `ssh.known_hosts` says otherwise.
pub const DEFAULT_KNOWN_HOSTS: &str = "known_hosts";
/// Login, unless `ssh.user` or a host says otherwise.
pub const DEFAULT_USER: &str = "root";
/// A disk tries a sector that it cannot read for some seconds, a controller some times over: what
/// gives nothing for this long is a hang, unless `limits.patience` says otherwise.
pub const DEFAULT_PATIENCE: Span = Span(Duration::from_secs(60));
/// What `limits.patience` may be: less would be mistaken for a slow disk, more nobody waits.
pub const PATIENCE: RangeInclusive<Span> =
    Span(Duration::from_secs(1))..=Span(Duration::from_hours(1));
/// How often what is switched on is asked again, unless `gate.beat` says otherwise.
pub const DEFAULT_BEAT: Span = Span(Duration::from_secs(60));
/// SSH port, unless a host or target says otherwise.
pub const DEFAULT_PORT: u16 = 22;

/// The settings of a site.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `[site]`.
    pub site: Site,
    /// `[[window]]`, in the order written; none: nobody knows.
    pub windows: Vec<Window>,
    /// `[ssh]`.
    pub ssh: Ssh,
    /// `wait.outside`: ports, as name or address and number, that are not at the provider and
    /// answer if our own line works.
    pub outside: Vec<(String, u16)>,
    /// `[limits]`.
    pub limits: Limits,
    /// `[[uplink]]` and `[[resource]]`.
    pub resources: Vec<Resource>,
    /// `[tiers]`: weight by name.
    pub tiers: BTreeMap<TierName, f64>,
    /// `[classes]`: how a customer's weight is shared among its workloads.
    pub classes: ClassWeights,
    /// `store.dedup`.
    pub dedup: Dedup,
    /// `[[store.disk]]`, in the order written; none: `state/store`.
    pub disks: Vec<StoreDisk>,
    /// `[[target]]`.
    pub targets: Vec<Target>,
    /// `gate.beat`: how often what is switched on is asked again.
    pub beat: Span,
    /// `incident.began`: since when services are down.
    pub began: Option<Timestamp>,
    /// `[publish]`.
    pub publish: Publish,
    /// `[mail]`; none: customers are not written to.
    pub mail: Option<Mail>,
    /// `[alert]`.
    pub alert: Alert,
    /// `support.colleague`: who takes calls of customers who need attention.
    pub colleague: Option<String>,
}

/// Who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The company, as its customers know it.
    pub name: String,
    /// IANA name of the zone in which people are told times.
    pub timezone: String,
    /// Languages of pages, the first is the default.
    pub languages: Vec<String>,
}

/// An access window; what nobody knows is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Start.
    pub opens: Option<Timestamp>,
    /// End.
    pub closes: Option<Timestamp>,
    /// Does evac stop at its end? Otherwise it copies as long as hosts answer.
    pub hard: bool,
    /// Where it was written.
    pub origin: Origin,
}

impl Window {
    /// When it is.
    pub fn span(&self) -> model::Window {
        model::Window { opens: self.opens, closes: self.closes, hard: self.hard }
    }
}

/// Makes `windows` say what somebody was told: of the last that has opened by then.
pub fn tell_end(windows: &mut Vec<Window>, closes: Timestamp, hard: bool) {
    let had_opened = |window: &&mut Window| window.opens.is_none_or(|opens| opens < closes);
    let opened = windows.iter_mut().filter(had_opened);
    if let Some(window) = opened.max_by_key(|window| window.opens) {
        (window.closes, window.hard) = (Some(closes), hard);
    } else {
        let origin = Origin { file: "the ledger".into(), line: 0 };
        windows.insert(0, Window { opens: None, closes: Some(closes), hard, origin });
    }
}

/// How hosts are reached unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Login; not root: `sudo -n` is used.
    pub user: String,
    /// Private keys to try, as written; empty: those of ssh-agent.
    pub identity: Vec<PathBuf>,
    /// Pinned host keys, as written; relative to the site.
    pub known_hosts: PathBuf,
    /// What else may let us in.
    pub ways: Ways,
}

/// What evac may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// What the landing site can take in; `None`: not limited.
    pub landing: Option<Rate>,
    /// Hosts at once.
    pub hosts: u32,
    /// SSH connections to one host, where a long way needs several.
    pub lanes: u32,
    /// A read at a source that gives nothing for so long is left behind.
    pub patience: Span,
}

/// A folder that the store is spread over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreDisk {
    /// Its folder, as written; relative to the site.
    pub path: PathBuf,
    /// What stays free; `None`: nobody said.
    pub reserve: Option<Bytes>,
}

/// What kind of choke point a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A line out of the data centre.
    Uplink,
    /// A machine that carries guests.
    Hypervisor,
    /// A disk or array that several hosts share.
    Disk,
    /// A host that others are reached through.
    Bastion,
}

/// A shared choke point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// What it is.
    pub kind: ResourceKind,
    /// What passes; `None`: not known, not limited.
    pub rate: Option<Rate>,
    /// How many hosts may use it at once; `None`: not limited.
    pub readers: Option<u32>,
    /// Where it was written.
    pub origin: Origin,
}

/// Weight of each class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassWeights(pub [f64; 5]);

impl Default for ClassWeights {
    /// Identity 5, database 4, mail 3, web 2, bulk 1.
    fn default() -> Self {
        Self([5.0, 4.0, 3.0, 2.0, 1.0])
    }
}

impl ClassWeights {
    /// The weight of `class`.
    pub fn of(&self, class: Class) -> f64 {
        self.0[class as usize]
    }
}

impl Settings {
    /// The settings of a site that writes only its name.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            site: Site {
                name: name.into(),
                timezone: DEFAULT_TIMEZONE.into(),
                languages: vec![DEFAULT_LANGUAGE.into()],
            },
            windows: Vec::new(),
            ssh: Ssh {
                user: DEFAULT_USER.into(),
                identity: Vec::new(),
                known_hosts: DEFAULT_KNOWN_HOSTS.into(),
                ways: Ways::default(),
            },
            outside: Vec::new(),
            limits: Limits {
                landing: None,
                hosts: DEFAULT_HOSTS,
                lanes: DEFAULT_LANES,
                patience: DEFAULT_PATIENCE,
            },
            resources: Vec::new(),
            tiers: BTreeMap::new(),
            classes: ClassWeights::default(),
            dedup: Dedup::default(),
            disks: Vec::new(),
            targets: Vec::new(),
            beat: DEFAULT_BEAT,
            began: None,
            publish: Publish::default(),
            mail: None,
            alert: Alert::default(),
            colleague: None,
        }
    }

    /// The resource of this id.
    pub fn resource(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == *id)
    }

    /// The weight of a customer of this tier.
    pub fn weight(&self, tier: Option<&TierName>) -> f64 {
        tier.and_then(|tier| self.tiers.get(tier)).copied().unwrap_or(DEFAULT_WEIGHT)
    }

    /// The access windows in order of time.
    pub fn access(&self) -> Windows {
        Windows::new(self.windows.iter().map(Window::span))
    }
}

/// A path of the settings made absolute: `~/` is `home`, anything relative lies in `site`.
pub fn resolve(written: &Path, site: &Path, home: Option<&Path>) -> PathBuf {
    match (written.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => site.join(written),
    }
}
