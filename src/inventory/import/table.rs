//! CSV as people export it: byte order marks, UTF-16 from spreadsheets, Latin-1, `,` `;` or tabs,
//! quotes, any line ends, and headers in many words.

use crate::inventory::import::ImportError;
use crate::model::text::{bounded, printable};

/// Largest file that is read.
pub const FILE_BYTES_MAX: usize = 64 << 20;
/// Longest header repeated in a message.
const SHOWN_MAX: usize = 60;

/// What a column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Of the host where no column names one, else of the workload.
    Id,
    Name,
    Host,
    Customer,
    CustomerId,
    Address,
    Port,
    User,
    /// With the factor of its unit; `None`: the values carry it.
    Size(Option<u64>),
    Tier,
    Group,
    Language,
    Contact,
    Phone,
    Domain,
    Hold,
    Untrusted,
    Status,
    Paths,
    Exclude,
    Class,
    Label,
    Workload,
}

/// Headers by meaning, in lower case without anything but letters and digits.
const ALIASES: &[(Column, &[&str])] = &[
    (Column::Id, &["id"]),
    (Column::Name, &["name"]),
    (
        Column::Host,
        &["host", "hostname", "hostid", "server", "servername", "machine", "node", "vm", "vps"],
    ),
    (
        Column::Customer,
        &["customer", "customername", "client", "clientname", "owner", "company", "companyname"],
    ),
    (Column::CustomerId, &["customerid", "clientid", "accountid", "ownerid"]),
    (
        Column::Address,
        &[
            "address",
            "ip",
            "ipaddress",
            "ipv4",
            "primaryip",
            "mainip",
            "dedicatedip",
            "ansiblehost",
            "sshhost",
            "fqdn",
        ],
    ),
    (Column::Port, &["port", "sshport", "ansibleport"]),
    (Column::User, &["user", "sshuser", "login", "ansibleuser"]),
    (Column::Size(None), &["size", "disk", "used", "diskused", "diskusage", "usage"]),
    (Column::Size(Some(1)), &["bytes", "sizebytes", "usedbytes", "diskbytes"]),
    (Column::Size(Some(1_000_000)), &["sizemb", "diskmb", "usedmb", "diskusedmb"]),
    (Column::Size(Some(1_000_000_000)), &["sizegb", "diskgb", "usedgb", "diskusedgb"]),
    (Column::Size(Some(1_048_576)), &["sizemib", "diskmib", "usedmib", "inusemib"]),
    (Column::Size(Some(1_073_741_824)), &["sizegib", "diskgib", "usedgib"]),
    (Column::Tier, &["tier", "priority", "sla", "customertier"]),
    (Column::Group, &["group", "customergroup"]),
    (Column::Language, &["language", "lang", "locale"]),
    (
        Column::Contact,
        &["contact", "contacts", "email", "emails", "mail", "contactemail", "emailaddress"],
    ),
    (Column::Phone, &["phone", "telephone", "tel", "mobile", "phonenumber"]),
    (Column::Domain, &["domain", "domains", "domainname", "maindomain"]),
    (Column::Hold, &["hold"]),
    (Column::Untrusted, &["untrusted", "customerhasroot"]),
    (Column::Status, &["suspended", "status"]),
    (Column::Paths, &["path", "paths", "directory", "directories", "folder", "homedir"]),
    (Column::Exclude, &["exclude", "excludes"]),
    (Column::Class, &["class"]),
    (Column::Label, &["label", "service", "servicename", "product"]),
    (Column::Workload, &["workload", "workloadid"]),
];

/// A file's rows, columns found.
#[derive(Debug)]
pub(super) struct Table {
    /// Meaning of the columns that have one, with their index.
    pub(super) columns: Vec<(Column, usize)>,
    pub(super) rows: Vec<Row>,
    pub(super) dropped: Vec<String>,
    pub(super) ignored: Vec<String>,
}

/// A row with at least one value.
#[derive(Debug)]
pub(super) struct Row {
    /// Line it begins in, from 1.
    pub(super) line: u64,
    /// Trimmed values; those of dropped columns are empty.
    values: Vec<String>,
}

impl Table {
    pub(super) fn has(&self, column: Column) -> bool {
        self.columns.iter().any(|(known, _)| *known == column)
    }

    /// The first value of a column of this meaning that is not empty.
    pub(super) fn get<'r>(&self, row: &'r Row, column: Column) -> Option<&'r str> {
        self.all(row, column).next()
    }

    /// All values of columns of this meaning that are not empty.
    pub(super) fn all<'r>(
        &self,
        row: &'r Row,
        column: Column,
    ) -> impl Iterator<Item = &'r str> + use<'_, 'r> {
        let columns = self.columns.iter().filter(move |(known, _)| *known == column);
        columns
            .filter_map(|(_, index)| row.values.get(*index).map(String::as_str))
            .filter(|v| !v.is_empty())
    }

    /// The size of a row, or the text that is none.
    pub(super) fn bytes(&self, row: &Row) -> Option<Result<u64, String>> {
        self.columns.iter().find_map(|(column, index)| {
            let Column::Size(factor) = column else { return None };
            let text = row.values.get(*index).filter(|text| !text.is_empty())?;
            Some(bytes(text, *factor).ok_or_else(|| text.clone()))
        })
    }
}

/// `40GB` anywhere; a bare number only where the header has the unit.
fn bytes(text: &str, factor: Option<u64>) -> Option<u64> {
    if let Ok(bytes) = text.parse::<crate::model::Bytes>() {
        return Some(bytes.0);
    }
    let number = text.parse::<f64>().ok().filter(|number| *number >= 0.0)?;
    let bytes = number * factor? as f64;
    (bytes < 1e18).then_some(bytes.round() as u64)
}

/// Reads the whole file; secrets are gone when it returns.
pub(super) fn read(bytes: &[u8]) -> Result<Table, ImportError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(ImportError::TooLarge { max: FILE_BYTES_MAX });
    }
    let text = decode(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(&text))
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut records = reader.records().enumerate().map(|(index, record)| {
        record.map_err(|error| ImportError::Syntax {
            line: error.position().map_or(index as u64 + 1, csv::Position::line),
            why: bounded(&error.to_string(), 200),
        })
    });
    let headers = records.next().transpose()?.unwrap_or_default();
    let mut table = columns(&headers)?;
    let secret: Vec<_> = headers.iter().map(is_secret).collect();
    for record in records {
        let record = record?;
        let keep = |(index, value): (usize, &str)| {
            // A value without a header has no known meaning; it may be anything.
            let is_secret = secret.get(index).copied().unwrap_or(true);
            if is_secret { String::new() } else { printable(value.as_bytes()) }
        };
        let values: Vec<_> = record.iter().enumerate().map(keep).collect();
        if values.iter().any(|value| !value.is_empty()) {
            let line = record.position().map_or(0, csv::Position::line);
            table.rows.push(Row { line, values });
        }
    }
    Ok(table)
}

fn columns(headers: &csv::StringRecord) -> Result<Table, ImportError> {
    let mut table =
        Table { columns: Vec::new(), rows: Vec::new(), dropped: Vec::new(), ignored: Vec::new() };
    for (index, header) in headers.iter().enumerate() {
        let plain: String =
            header.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        let found = ALIASES.iter().find(|(_, names)| names.contains(&plain.as_str()));
        match found {
            _ if is_secret(header) => table.dropped.push(bounded(header, SHOWN_MAX)),
            Some((column, _)) => table.columns.push((*column, index)),
            None => table.ignored.push(bounded(header, SHOWN_MAX)),
        }
    }
    let names_host = [Column::Host, Column::Address, Column::Id, Column::Name];
    if names_host.iter().any(|column| table.has(*column)) {
        return Ok(table);
    }
    let found: Vec<_> = headers.iter().collect();
    Err(ImportError::NoHostColumn { found: bounded(&found.join(", "), 200) })
}

/// May a column of this header hold a secret? Better one column too many.
fn is_secret(header: &str) -> bool {
    let header = header.to_lowercase();
    ["pass", "pwd", "secret", "token", "key", "credential", "pin code", "hash"]
        .iter()
        .any(|word| header.contains(word))
}

/// UTF-8, UTF-16 with its mark, else Latin-1, in which every byte is a letter.
fn decode(bytes: &[u8]) -> String {
    let utf16 = |rest: &[u8], join: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).map(|pair| join([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => decode(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec())
            .unwrap_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// What separates the headers: the most frequent candidate outside quotes.
fn delimiter(text: &str) -> u8 {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let outside: Vec<_> = line.split('"').step_by(2).collect();
    let count = |delimiter: u8| {
        outside
            .iter()
            .map(|part| part.bytes().filter(|byte| *byte == delimiter).count())
            .sum::<usize>()
    };
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}
