//! The answer in words, for people.

use std::fmt::Write as _;

use crate::model::Bytes;
use crate::publish::report::leave::{Leave, NAMED_MAX, Verdict, Weight};

impl Leave {
    /// The answer in one line.
    pub fn answer(&self) -> String {
        let things = |count: u64| match count {
            1 => "1 thing is".to_owned(),
            count => format!("{count} things are"),
        };
        match self.verdict {
            Verdict::Yes => "YES: everything is here, was read back, and has a second copy.".into(),
            Verdict::YesIf => "YES, once the conditions below are met.".into(),
            Verdict::No if self.only_there == 0 => {
                format!("NO: {} not proven to be here.", things(self.not_proven))
            }
            Verdict::No => format!(
                "NO: {} only there, {} not proven.",
                things(self.only_there),
                self.not_proven
            ),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.answer());
        let titles = [
            (Weight::OnlyThere, "Only there"),
            (Weight::NotProven, "Here, but not proven"),
            (Weight::Condition, "Conditions"),
        ];
        let mut number = 0;
        for (weight, title) in titles {
            let own: Vec<_> = self.items.iter().filter(|it| it.weight == weight).collect();
            if !own.is_empty() {
                let _ = writeln!(text, "\n{title}:");
            }
            for item in own {
                number += 1;
                let more = item.what.len().saturating_sub(NAMED_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let shown = &item.what[..item.what.len().min(NAMED_MAX)];
                let size = match item.bytes {
                    Bytes::ZERO => String::new(),
                    bytes => format!(", {bytes}"),
                };
                let _ = writeln!(text, "{number}. {}: {}{size}", item.kind, item.count);
                let _ = writeln!(text, "   {}{more}", joined(shown));
                let _ = writeln!(text, "   {}\n   {}", item.why, item.command);
            }
        }
        let (ready, all) = (self.wipe.iter().filter(|it| it.ready).count(), self.wipe.len());
        let _ = writeln!(
            text,
            "\nTo be wiped: {ready} of {all} hosts, as far as their data goes. Wipe whole disks \
             (blkdiscard -z, nvme format -s1, or shred), have it signed with serial numbers and \
             the time, and keep the list of evidence: `evac --json report leave`."
        );
        for host in self.wipe.iter().filter(|it| it.ready).take(NAMED_MAX) {
            let _ = writeln!(text, "   host/{}: {}", host.host, host.evidence.join("; "));
        }
        text
    }
}

/// With commas, unless there are some within.
fn joined(all: &[String]) -> String {
    let has_commas = all.iter().any(|one| one.contains(','));
    all.join(if has_commas { "; " } else { ", " })
}
