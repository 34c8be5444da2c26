//! Everything that customers may be known by, as one text that can be searched at once.
//!
//! A customer is a block of lines, a name is a line, or several where it can be spelled in several
//! ways. A line begins with a mark that says of which kind the name is; marks are control
//! characters, which no text that is compared has. Addresses keep their dots and colons, which no
//! other line has, and telephone numbers are digits with the number of the country in front.

use std::collections::HashMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::ledger::find::plain::{digits, plain, spelled_out, squeezed};
use crate::ledger::view::{CustomerView, FleetView};

/// The mark of the first kind; the others follow.
const FIRST_MARK: u8 = 0x0e;
/// Begins a further spelling of the same name.
pub(super) const SPELLING: char = '\r';
/// Longest text that is kept of a name, in bytes; nobody says more on the phone.
const NAME_BYTES_MAX: usize = 400;

/// More customers are nobody's, and each takes memory in every search.
pub const CUSTOMERS_MAX: usize = 2_000_000;

/// What kind of name it is; the order decides between equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The customer's id.
    Id,
    /// The customer's name.
    Name,
    /// A domain.
    Domain,
    /// A contact's mail address.
    Mail,
    /// A contact's telephone number.
    Phone,
    /// A number or name in another system.
    Label,
    /// Id or label of a workload.
    Workload,
    /// An old or new address.
    Address,
    /// A host that something of his is on.
    Host,
    /// How he is counted in public.
    Group,
}

impl Kind {
    /// All of them, in order.
    const ALL: [Self; 10] = [
        Self::Id,
        Self::Name,
        Self::Domain,
        Self::Mail,
        Self::Phone,
        Self::Label,
        Self::Workload,
        Self::Address,
        Self::Host,
        Self::Group,
    ];

    /// The word as documents have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Domain => "domain",
            Self::Mail => "mail",
            Self::Phone => "phone",
            Self::Label => "label",
            Self::Workload => "workload",
            Self::Address => "address",
            Self::Host => "host",
            Self::Group => "group",
        }
    }

    fn mark(self) -> char {
        char::from(FIRST_MARK + self as u8)
    }

    /// The kind that a mark stands for.
    pub(super) fn of_mark(mark: u8) -> Option<Self> {
        Self::ALL.get(usize::from(mark.checked_sub(FIRST_MARK)?)).copied()
    }

    /// Is it his alone?
    pub(super) fn is_shared(self) -> bool {
        matches!(self, Self::Host | Self::Group)
    }
}

/// A name as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBy {
    /// What it is.
    pub kind: Kind,
    /// How it is written.
    pub text: String,
}

/// The names of all customers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    pub(super) lines: String,
    pub(super) blocks: Vec<Block>,
}

/// Where a customer's lines begin, and who comes first among equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Offset of the first line.
    pub start: u32,
    /// 0 for the tier that weighs most.
    pub rank: u32,
}

impl Names {
    /// From what a file kept; `None` where the two do not fit one another.
    pub fn of_parts(lines: String, blocks: Vec<Block>) -> Option<Self> {
        let starts = || blocks.iter().map(|block| block.start as usize);
        let is_line = |at: usize| at == lines.len() || lines.as_bytes()[at] >= FIRST_MARK;
        let fits = blocks.len() <= CUSTOMERS_MAX
            && lines.bytes().next().is_none_or(|mark| mark >= FIRST_MARK)
            && starts().all(|at| at <= lines.len() && is_line(at))
            && starts().is_sorted()
            && starts().next().is_none_or(|first| first == 0)
            && (lines.is_empty() || lines.ends_with('\n'));
        fits.then_some(Self { lines, blocks })
    }

    /// The text and the blocks, for a file.
    pub fn parts(&self) -> (&str, &[Block]) {
        (&self.lines, &self.blocks)
    }

    /// How many customers there are.
    pub fn customers(&self) -> usize {
        self.blocks.len()
    }

    /// Adds the next customer.
    pub fn push(&mut self, rank: u32, names: &[KnownBy]) {
        let start = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        self.blocks.push(Block { start, rank });
        for name in names {
            self.name(name);
        }
    }

    fn name(&mut self, name: &KnownBy) {
        let text = cut(&name.text);
        let before = self.lines.len();
        self.lines.push(name.kind.mark());
        if let Ok(address) = text.parse::<IpAddr>() {
            self.line(&address.to_canonical().to_string());
            return;
        }
        if name.kind == Kind::Phone {
            self.line(&digits(&text.replace("(0)", "")));
            return;
        }
        let folded = plain(text);
        let (mark, block) =
            (self.lines.len(), self.blocks.last().map_or(0, |it| it.start as usize));
        self.line(&folded);
        // What he is known by already is found there; the mark stays, so that names can be counted.
        let spelled = &self.lines[mark..];
        if is_line_of(&self.lines[block..before], spelled) {
            self.lines.truncate(mark);
            self.line("");
            return;
        }
        // Nobody splits a mail address into words.
        let splits = name.kind != Kind::Mail;
        self.further(&folded, splits);
        if let Some(long) = spelled_out(text) {
            self.spelling(&long);
            self.further(&long, splits);
        }
    }

    fn further(&mut self, text: &str, splits: bool) {
        if splits && text.contains(' ') {
            self.spelling(&squeezed(text));
        }
    }

    fn spelling(&mut self, text: &str) {
        self.lines.push(SPELLING);
        self.line(text);
    }

    fn line(&mut self, text: &str) {
        self.lines.push_str(text);
        self.lines.push('\n');
    }

    /// Customers whose id is compared like `id`: one, as a rule.
    pub fn of_id(&self, id: &str) -> impl Iterator<Item = usize> {
        let mut alone = Self::default();
        alone.push(0, &[KnownBy { kind: Kind::Id, text: id.to_owned() }]);
        let blocks = self.blocks.iter().map(|block| block.start as usize).enumerate();
        blocks
            .filter(move |(_, start)| {
                self.lines.as_bytes()[*start..].starts_with(alone.lines.as_bytes())
            })
            .map(|(customer, _)| customer)
    }

    /// Which of the customer's names the line at `at` belongs to.
    pub(super) fn ordinal(&self, customer: usize, at: usize) -> usize {
        let start = self.blocks[customer].start as usize;
        let marks = self.lines.as_bytes()[start..at].iter();
        marks.filter(|byte| Kind::of_mark(**byte).is_some()).count().saturating_sub(1)
    }
}

/// Is `line`, with its end, a whole line of `lines` behind its mark?
fn is_line_of(lines: &str, line: &str) -> bool {
    let starts = memchr::memmem::find_iter(lines.as_bytes(), line);
    starts.into_iter().any(|at| at > 0 && lines.as_bytes()[at - 1] < b' ')
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME_BYTES_MAX)]
}

/// What every customer of `view` is known by, in its order.
pub fn known_by(view: &FleetView) -> Vec<Vec<KnownBy>> {
    let index: HashMap<_, _> =
        view.customers.iter().enumerate().map(|(index, it)| (&it.id, index)).collect();
    let mut all: Vec<_> = view.customers.iter().map(own).collect();
    for host in &view.hosts {
        let mut on_it: Vec<usize> = Vec::new();
        for workload in &host.workloads {
            let Some(&customer) = index.get(&workload.customer) else { continue };
            let names = &mut all[customer];
            add(names, Kind::Workload, workload.id.as_str());
            workload.label.iter().for_each(|label| add(names, Kind::Workload, label));
            workload.addresses.iter().for_each(|it| add(names, Kind::Address, it));
            on_it.push(customer);
        }
        on_it.sort_unstable();
        on_it.dedup();
        for customer in on_it {
            add(&mut all[customer], Kind::Host, host.id.as_str());
            add(&mut all[customer], Kind::Address, &host.address);
        }
    }
    all
}

fn own(customer: &CustomerView) -> Vec<KnownBy> {
    let mut names = Vec::with_capacity(12);
    add(&mut names, Kind::Id, customer.id.as_str());
    add(&mut names, Kind::Name, &customer.name);
    customer.domains.iter().for_each(|domain| add(&mut names, Kind::Domain, domain));
    for contact in &customer.contacts {
        match contact.strip_prefix("tel:") {
            Some(number) => add(&mut names, Kind::Phone, number),
            None => add(&mut names, Kind::Mail, contact),
        }
    }
    customer.labels.values().for_each(|value| add(&mut names, Kind::Label, value));
    customer.group.iter().for_each(|group| add(&mut names, Kind::Group, group.as_str()));
    names
}

fn add(names: &mut Vec<KnownBy>, kind: Kind, text: &str) {
    names.push(KnownBy { kind, text: text.to_owned() });
}

/// The order of tiers: that which weighs most is 0.
pub fn ranks(view: &FleetView) -> Vec<u32> {
    let weight = |customer: &CustomerView| {
        customer.tier.as_ref().and_then(|tier| view.tiers.get(tier)).copied().unwrap_or(1.0)
    };
    let mut weights: Vec<f64> = view.customers.iter().map(weight).collect();
    weights.sort_by(|a, b| b.total_cmp(a));
    weights.dedup();
    let rank = |weight: f64| weights.iter().position(|known| *known <= weight).unwrap_or_default();
    view.customers.iter().map(|customer| rank(weight(customer)) as u32).collect()
}
