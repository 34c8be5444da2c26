//! A run where stderr is no terminal: a line for every event that matters, with its time, and the
//! fleet at most every ten seconds.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Clock, Event};
use crate::term::fleet::Fleet;
use crate::term::notice::notice;
use crate::term::output::{Frame, Stream, View};
use crate::term::{Output, Roster};

/// Between two lines about the fleet.
const FLEET_EVERY: Duration = Duration::from_secs(10);

/// Writes lines to `stream` (stderr).
pub fn plain(
    stream: impl Write + Send + 'static,
    roster: Roster,
    clock: Arc<dyn Clock>,
) -> io::Result<Output> {
    Output::start(Box::new(Lines::new(roster, clock)), Box::new(Stream(stream)))
}

struct Lines {
    fleet: Fleet,
    clock: Arc<dyn Clock>,
    /// When the fleet is said next, and what was said of it last.
    due: Duration,
    said: String,
}

impl Lines {
    fn new(roster: Roster, clock: Arc<dyn Clock>) -> Self {
        let now = clock.elapsed();
        Self { fleet: Fleet::new(roster, now), clock, due: now + FLEET_EVERY, said: String::new() }
    }

    fn stamped(&self, line: &str) -> String {
        format!("{} {line}", self.clock.now())
    }
}

impl View for Lines {
    fn take(&mut self, event: &Event) -> Option<String> {
        self.fleet.take(event, self.clock.elapsed());
        notice(event).map(|(_, line)| self.stamped(&line))
    }

    fn frame(&mut self) -> Option<Frame> {
        let now = self.clock.elapsed();
        if now < self.due {
            return None;
        }
        self.due = now + FLEET_EVERY;
        let line = self.fleet.line(now);
        if line == self.said {
            return None;
        }
        self.said.clone_from(&line);
        Some(Frame { lines: vec![self.stamped(&line)], share: self.fleet.share() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bytes, FixedClock, PassNumber, RunNumber, Tally, Timestamp};

    fn segment(raw_bytes: u64) -> Event {
        Event::SegmentCommitted {
            workload: "acme-site".parse().unwrap(),
            pass: PassNumber(1),
            run: RunNumber(0),
            segment: 0,
            tally: Tally { raw_bytes: Bytes(raw_bytes), ..Tally::default() },
        }
    }

    #[test]
    fn the_fleet_is_said_every_ten_seconds_and_only_when_it_moved() {
        let clock = Arc::new(FixedClock::at(Timestamp::from_second(0)));
        let mut lines = Lines::new(Roster::default(), clock.clone());
        let started =
            Event::RunStarted { workloads: 1, hosts: 1, customers: 1, bytes: Bytes(4_000) };
        assert_eq!(
            lines.take(&started).unwrap(),
            "1970-01-01T00:00:00Z run: 1 workload of 1 customer on 1 host, about 4.0 kB"
        );
        let mut said = Vec::new();
        for second in 1..=40 {
            clock.advance(Duration::from_secs(1));
            if second <= 20 {
                assert_eq!(lines.take(&segment(100)), None);
            }
            said.extend(lines.frame().map(|frame| frame.lines.join("\n")));
        }
        assert_eq!(
            said,
            [
                "1970-01-01T00:00:10Z about 1 min left, 1.0 kB of ~4.0 kB",
                "1970-01-01T00:00:20Z about 1 min left, 2.0 kB of ~4.0 kB",
                "1970-01-01T00:00:40Z 1 min to 2 min left, 2.0 kB of ~4.0 kB",
            ]
        );
    }
}
