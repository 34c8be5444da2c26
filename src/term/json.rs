//! `--json`: every event as one line, exactly as [`Event`] serialises.

use std::io::{self, Write};

use crate::model::Event;
use crate::term::Output;
use crate::term::output::{Stream, View};

/// Writes every event to `stream` (stdout), one JSON object a line.
pub fn json(stream: impl Write + Send + 'static) -> io::Result<Output> {
    Output::start(Box::new(Lines), Box::new(Stream(stream)))
}

struct Lines;

impl View for Lines {
    fn take(&mut self, event: &Event) -> Option<String> {
        Some(serde_json::to_string(event).expect("events have string keys"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bytes, EventSink, Reason, RunReport};
    use crate::term::output::tests::Captured;

    #[test]
    fn a_line_is_an_event() {
        let stream = Captured::default();
        let output = json(stream.clone()).unwrap();
        let events = [
            Event::RunStarted { workloads: 2, hosts: 1, customers: 1, bytes: Bytes(9) },
            Event::HostFailed {
                host: "vps-1".parse().unwrap(),
                reason: Reason::Auth,
                detail: "line\nbreak".to_owned(),
                retry_s: None,
            },
            Event::Report(RunReport { captured: 2, ..RunReport::default() }),
        ];
        for event in &events {
            output.emit(event);
        }
        output.finish();
        let text = stream.text();
        let read: Vec<Event> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, events);
        let first = r#"{"event":"run_started","workloads":2,"hosts":1,"customers":1,"bytes":9}"#;
        assert_eq!(text.lines().next(), Some(first));
    }
}
