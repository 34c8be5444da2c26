//! Keeps a terminal readable when hundreds of hosts fail alike: a line for each would scroll away
//! what somebody should see. Pure; time is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Event, Reason};

/// So many failures for one reason are told one by one…
const ALIKE_MAX: u32 = 5;
/// …in so much time; the rest shows in the fleet's count and in `evac status`.
const SPAN: Duration = Duration::from_secs(60);

/// What was told of late.
#[derive(Debug, Default)]
pub(super) struct Calm {
    told: BTreeMap<(Kind, Reason), Told>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Host,
    Workload,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    since: Duration,
    count: u32,
}

impl Calm {
    /// The line for `event`, if it is to be told.
    pub(super) fn line(&mut self, event: &Event, line: String, now: Duration) -> Option<String> {
        let key = match event {
            Event::HostFailed { reason, .. } => (Kind::Host, *reason),
            Event::CaptureFailed { reason, .. } | Event::CaptureStopped { reason, .. } => {
                (Kind::Workload, *reason)
            }
            _ => return Some(line),
        };
        let told = self.told.entry(key).or_insert(Told { since: now, count: 0 });
        if now.saturating_sub(told.since) >= SPAN {
            *told = Told { since: now, count: 0 };
        }
        told.count = told.count.saturating_add(1);
        match told.count {
            count if count < ALIKE_MAX => Some(line),
            ALIKE_MAX => Some(format!("{line} More like it are only counted: see `evac status`.")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(host: u32, reason: Reason) -> Event {
        let host = format!("h{host}").parse().unwrap();
        Event::HostFailed { host, reason, detail: String::new(), retry_s: None }
    }

    #[test]
    fn hundreds_that_fail_alike_take_a_few_lines_a_minute() {
        let mut calm = Calm::default();
        let mut tell = |host, reason, second| {
            calm.line(&failed(host, reason), format!("h{host}."), Duration::from_secs(second))
        };
        let lines: Vec<_> = (0..500).filter_map(|h| tell(h, Reason::Unreachable, 1)).collect();
        assert_eq!(lines[..4], ["h0.", "h1.", "h2.", "h3."]);
        assert_eq!(lines[4..], ["h4. More like it are only counted: see `evac status`."]);
        assert_eq!(tell(7, Reason::Auth, 2).as_deref(), Some("h7."), "another reason");
        assert_eq!(tell(8, Reason::Unreachable, 60), None);
        assert_eq!(tell(9, Reason::Unreachable, 61).as_deref(), Some("h9."), "a minute later");
    }

    #[test]
    fn what_is_no_failure_is_always_told() {
        let mut calm = Calm::default();
        let told = |_| calm.line(&Event::Draining, "stopping".into(), Duration::ZERO).is_some();
        assert!((0..100).all(told));
    }
}
