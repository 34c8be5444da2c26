//! A run on a terminal: the fleet, the hosts at work beneath it, and above them, scrolling away,
//! what somebody should see.

use std::io;
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::{Clock, Event};
use crate::term::calm::Calm;
use crate::term::fleet::Fleet;
use crate::term::notice::{Weight, notice};
use crate::term::output::{Face, Frame, View};
use crate::term::{Output, Roster};

/// More hosts than this share one line.
const MAX_HOST_LINES: usize = 16;

/// Draws on stderr, which is a terminal.
pub fn bars(roster: Roster, clock: Arc<dyn Clock>) -> io::Result<Output> {
    bars_on(ProgressDrawTarget::stderr(), roster, clock)
}

fn bars_on(
    target: ProgressDrawTarget,
    roster: Roster,
    clock: Arc<dyn Clock>,
) -> io::Result<Output> {
    let fleet = Fleet::new(roster, clock.elapsed());
    Output::start(
        Box::new(Live { fleet, clock, calm: Calm::default() }),
        Box::new(Bars::new(target)),
    )
}

struct Live {
    fleet: Fleet,
    clock: Arc<dyn Clock>,
    calm: Calm,
}

impl View for Live {
    fn take(&mut self, event: &Event) -> Option<String> {
        let now = self.clock.elapsed();
        self.fleet.take(event, now);
        let (weight, line) = notice(event)?;
        if weight == Weight::Warning { self.calm.line(event, line, now) } else { None }
    }

    fn frame(&mut self) -> Option<Frame> {
        let now = self.clock.elapsed();
        let mut lines = vec![self.fleet.line(now)];
        lines.extend(self.fleet.host_lines(MAX_HOST_LINES, now));
        Some(Frame { lines, share: self.fleet.share() })
    }
}

struct Bars {
    screen: MultiProgress,
    /// The fleet's bar, then one for each further line.
    bars: Vec<ProgressBar>,
}

impl Bars {
    fn new(target: ProgressDrawTarget) -> Self {
        Self { screen: MultiProgress::with_draw_target(target), bars: Vec::new() }
    }

    fn add(&mut self) {
        let template = if self.bars.is_empty() { "[{bar:16}] {wide_msg}" } else { "{wide_msg}" };
        let style = ProgressStyle::with_template(template).expect("our templates are valid");
        let bar = ProgressBar::new(0).with_style(style.progress_chars("=> "));
        self.bars.push(self.screen.add(bar));
    }

    fn remove(&mut self) {
        if let Some(bar) = self.bars.pop() {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }
}

impl Face for Bars {
    fn draw(&mut self, lines: &[String], frame: Option<Frame>) -> io::Result<()> {
        for line in lines {
            self.screen.println(line)?;
        }
        let Some(frame) = frame else { return Ok(()) };
        while self.bars.len() < frame.lines.len() {
            self.add();
        }
        while self.bars.len() > frame.lines.len() {
            self.remove();
        }
        for (bar, line) in self.bars.iter().zip(frame.lines) {
            bar.set_message(line);
        }
        if let Some(bar) = self.bars.first() {
            bar.set_length(frame.share.1);
            bar.set_position(frame.share.0);
        }
        Ok(())
    }

    fn close(&mut self) {
        while !self.bars.is_empty() {
            self.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;
    use crate::model::{Bytes, EventSink as _, FixedClock, Reason, Timestamp};

    fn screen() -> (InMemoryTerm, Bars) {
        let terminal = InMemoryTerm::new(24, 80);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 250);
        (terminal, Bars::new(target))
    }

    fn frame(lines: &[&str], share: (u64, u64)) -> Frame {
        Frame { lines: lines.iter().map(|line| (*line).to_owned()).collect(), share }
    }

    #[test]
    fn lines_come_and_go_beneath_what_is_said() {
        let (terminal, mut bars) = screen();
        bars.draw(&[], Some(frame(&["fleet", "  vps-1", "  vps-2"], (1, 2)))).unwrap();
        assert_eq!(terminal.contents(), "[========>       ] fleet\n  vps-1\n  vps-2");
        bars.draw(&["vps-2: lost".to_owned()], Some(frame(&["fleet", "  vps-1"], (2, 2)))).unwrap();
        assert_eq!(terminal.contents(), "vps-2: lost\n[================] fleet\n  vps-1");
        bars.close();
        assert_eq!(terminal.contents(), "vps-2: lost");
    }

    #[test]
    fn a_line_too_long_is_cut() {
        let (terminal, mut bars) = screen();
        bars.draw(&[], Some(frame(&[&"x".repeat(200)], (0, 1)))).unwrap();
        assert_eq!(terminal.contents(), format!("[                ] {}", "x".repeat(61)));
        assert_eq!(terminal.contents().lines().count(), 1);
    }

    #[test]
    fn only_what_somebody_should_see_stays() {
        let terminal = InMemoryTerm::new(24, 80);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let clock = Arc::new(FixedClock::at(Timestamp::from_second(0)));
        let output = bars_on(target, Roster::default(), clock).unwrap();
        let host = || "vps-1".parse().unwrap();
        output.emit(&Event::RunStarted { workloads: 1, hosts: 1, customers: 1, bytes: Bytes(1) });
        output.emit(&Event::HostDialled { host: host() });
        output.emit(&Event::HostFailed {
            host: host(),
            reason: Reason::Lost,
            detail: "reset".to_owned(),
            retry_s: Some(5),
        });
        output.finish();
        assert_eq!(terminal.contents(), "vps-1: lost: reset. Trying again in 5s.");
    }
}
