//! The error of every stage as a [`Failure`]: its kind, and what to do next.

use crate::cli::failure::{Failure, Kind};
use crate::gate::HoldsError;
use crate::inventory::Unusable;
use crate::inventory::what::WhatError;
use crate::ledger::{LedgerError, LockError};
use crate::publish::PublishError;
use crate::publish::report::ReportError;
use crate::ssh::SshError;
use crate::store::{
    CommitError, DiskError, DiskErrorKind, DisksError, KeyError, ManifestError, MirrorError,
    StoreError,
};
use crate::web::WebError;

impl From<Unusable> for Failure {
    fn from(error: Unusable) -> Self {
        let failure = Self::of(Kind::Usage, &error);
        match error {
            Unusable::Settings { first } if first.hint.is_empty() => {
                failure.hint("`evac check` lists every mistake.")
            }
            Unusable::Settings { first } => {
                failure.hint(format!("{} `evac check` lists every mistake.", first.hint))
            }
            Unusable::NoHosts { .. } => failure.hint(
                "List hosts in inventory.toml or `evac import csv FILE`; `evac check` says what \
                 was set aside.",
            ),
        }
    }
}

impl From<WhatError> for Failure {
    fn from(error: WhatError) -> Self {
        let failure = Self::of(Kind::Usage, &error);
        match error {
            WhatError::Ambiguous { .. } => failure.hint("Write one of these forms."),
            WhatError::Unknown { .. } => {
                failure.hint("`evac find TEXT` looks in names, domains and addresses.")
            }
            WhatError::Nested { .. } => failure.hint("Write its words into the first list."),
            WhatError::Form { .. } | WhatError::Path { .. } | WhatError::File { .. } => failure,
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held { .. } => Self::of(Kind::Refused, &error)
                .hint("Wait for it, or end it there; `evac status` and `find` work meanwhile."),
            LockError::Io { .. } => Self::of(Kind::Failed, &error)
                .hint("The state folder must be writable by whoever runs evac."),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let (kind, hint) = match &error {
            LedgerError::Newer { .. } => {
                (Kind::Refused, "Use the evac that wrote it, or a newer one.")
            }
            LedgerError::Older { .. } => {
                (Kind::Refused, "Run a command that writes with this evac first.")
            }
            LedgerError::Foreign { .. } => {
                (Kind::Refused, "Move it away; evac keeps its own file there.")
            }
            LedgerError::NetworkFileSystem { .. } => {
                (Kind::Refused, "Move the site, or its folder `state`, to a local disk.")
            }
            LedgerError::NotEmpty { .. } => {
                (Kind::Refused, "Move it away first, and keep it; it may know more.")
            }
            LedgerError::Damaged { .. } | LedgerError::Database { .. } => (
                Kind::Failed,
                "Look at the disk (dmesg); a backup, or `evac ledger rebuild`, replaces a damaged \
                 ledger.",
            ),
            LedgerError::Io { .. } => {
                (Kind::Failed, "Check space and permissions; the same command goes on.")
            }
            LedgerError::ReadOnly { .. }
            | LedgerError::Illegal(_)
            | LedgerError::Receipt { .. }
            | LedgerError::NotOpen { .. }
            | LedgerError::NoRestoration { .. }
            | LedgerError::TooLong { .. } => (Kind::Internal, "Please report this."),
        };
        Self::of(kind, &error).hint(hint)
    }
}

impl From<HoldsError> for Failure {
    fn from(error: HoldsError) -> Self {
        Self::of(Kind::Failed, &error)
            .hint("Nothing goes on without it: it says who is held back. Check its permissions.")
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        let (kind, hint) = of_disk(error.kind);
        Self::of(kind, &error).hint(hint)
    }
}

fn of_disk(kind: DiskErrorKind) -> (Kind, &'static str) {
    match kind {
        DiskErrorKind::Full => {
            (Kind::Stopped, "Free or add space for the store; the same command resumes.")
        }
        DiskErrorKind::NotFound => {
            (Kind::Failed, "`evac verify` says what is missing and whom it concerns.")
        }
        DiskErrorKind::Away => {
            (Kind::Failed, "Mount the disk; nothing on it is lost. The same command goes on.")
        }
        DiskErrorKind::Exists | DiskErrorKind::Failed => {
            (Kind::Failed, "Look at the landing disk (dmesg), then `evac verify`.")
        }
    }
}

impl From<DisksError> for Failure {
    fn from(error: DisksError) -> Self {
        let (kind, hint) = match &error {
            DisksError::Disk(disk) => of_disk(disk.kind),
            DisksError::Mark(_) => {
                (Kind::Failed, "Look at that disk (dmesg): its file `disk` says which it is.")
            }
            DisksError::HomeAway { .. } => (
                Kind::Refused,
                "Mount it. Nothing begins without it, or all would be copied again.",
            ),
            DisksError::Foreign { .. } => (Kind::Refused, "Name an empty folder."),
            DisksError::Known { .. } => (Kind::Refused, "Nothing was changed."),
            DisksError::NoFolder { .. } => (Kind::Usage, "Is it mounted? Make it first."),
            DisksError::SameDevice { .. } => (
                Kind::Refused,
                "Is it mounted? It adds no space; --same-device adds it all the same.",
            ),
            DisksError::Register { .. } => (
                Kind::Refused,
                "Move it away: what evac.toml names is found again by itself, other disks with \
                 `evac store add PATH`.",
            ),
        };
        Self::of(kind, &error).hint(hint)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let hint = match &error {
            KeyError::Io { .. } => "The key files must be readable by whoever runs evac.",
            KeyError::Damaged { .. } | KeyError::Missing { .. } => {
                "Put the file back from a copy; without it nothing stored with it can be checked."
            }
        };
        Self::of(Kind::Failed, &error).hint(hint)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Disk(error) => error.into(),
            StoreError::Key(error) => error.into(),
            StoreError::Frame { .. } | StoreError::NoDomain { .. } => {
                Self::of(Kind::Failed, &error).hint("`evac verify` says whom it concerns.")
            }
            StoreError::NoPack => Self::of(Kind::Internal, &error).hint("Please report this."),
        }
    }
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        match error {
            ManifestError::Disk(error) => error.into(),
            ManifestError::Damaged { .. } => {
                Self::of(Kind::Failed, &error).hint("`evac verify` says whom it concerns.")
            }
            ManifestError::Refused { .. } | ManifestError::InDoubt { .. } => {
                Self::of(Kind::Internal, &error).hint("Please report this.")
            }
        }
    }
}

impl From<MirrorError> for Failure {
    fn from(error: MirrorError) -> Self {
        match error {
            MirrorError::Store(error) => error.into(),
            MirrorError::Manifest(error) => error.into(),
            MirrorError::Differs { .. } => Self::of(Kind::Failed, &error)
                .hint("Do not trust that disk: look at it (dmesg), and mirror to another one."),
            MirrorError::Stopped => {
                Self::of(Kind::Stopped, &error).hint("The same command goes on with the rest.")
            }
        }
    }
}

impl From<SshError> for Failure {
    fn from(error: SshError) -> Self {
        Self::of(Kind::Failed, &error).hint(error.reason().hint())
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        let (kind, hint) = match &error {
            PublishError::Text { .. } | PublishError::Template { .. } => {
                (Kind::Internal, "Please report this.")
            }
            PublishError::Own { .. } => {
                (Kind::Usage, "Mend it, or take `templates` out of [publish]: evac's own do then.")
            }
            PublishError::Io { .. } => (Kind::Failed, "Check space and permissions."),
            PublishError::Foreign { .. } => {
                (Kind::Refused, "Move it elsewhere; evac replaces that folder as a whole.")
            }
        };
        Self::of(kind, &error).hint(hint)
    }
}

impl From<WebError> for Failure {
    fn from(error: WebError) -> Self {
        let (kind, hint) = match &error {
            WebError::Known { .. } => {
                (Kind::Refused, "`evac serve token --revoke NAME` ends that one first.")
            }
            WebError::Unknown { .. } => (Kind::Usage, "`evac serve token` lists who has one."),
            WebError::Name { .. } => (Kind::Usage, "Write a name such as `jo`."),
            WebError::Io { .. } => (Kind::Failed, "Check space and permissions."),
            WebError::Kept(_) => (Kind::Failed, "Check the folder state/keys."),
        };
        match error {
            WebError::Kept(error) => error.into(),
            error => Self::of(kind, &error).hint(hint),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        let (kind, hint) = of_disk(error.source.kind);
        Self::of(kind, &error).hint(hint)
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Publish(error) => error.into(),
            ReportError::Rules { problems } => {
                let lines = problems.iter().map(|it| match it.hint.as_str() {
                    "" => it.to_string(),
                    hint => format!("{it}. {hint}"),
                });
                let causes = lines.collect();
                let message = "the rules cannot be used; nothing was reckoned";
                Self { causes, ..Self::usage(message) }
            }
            ReportError::Fees { .. } => {
                Self::of(Kind::Usage, &error).hint("Mend it there; nothing was reckoned.")
            }
            ReportError::NoBeginning => Self::of(Kind::Usage, &error).hint(
                "Write `began = \"2030-03-03T14:00:00+01:00\"` under [incident] in evac.toml, or \
                 --down-since TIME.",
            ),
            ReportError::Table { .. } => {
                Self::of(Kind::Internal, &error).hint("Please report this.")
            }
        }
    }
}
