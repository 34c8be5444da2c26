//! One thread that writes, so that nobody else has to wait for a terminal or a pipe.
//!
//! [`Output::emit`] folds the event into a [`View`] and queues the line it gives, if any. The
//! thread takes lines and the newest frame and hands them to a [`Face`] without holding the lock.
//! A face that fails (the pipe's reader is gone) is not used again; the run goes on.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::model::{Event, EventSink};

/// How often a frame is drawn while nothing is said.
const REFRESH: Duration = Duration::from_millis(250);

/// With so many lines waiting, events that only show progress are no longer queued. All others are:
/// there are few for each workload.
const MAX_WAITING_LINES: usize = 10_000;

/// What is on the screen for the time being.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Frame {
    /// The fleet first, then hosts.
    pub lines: Vec<String>,
    /// Done and all, for a bar.
    pub share: (u64, u64),
}

/// Turns events into text; pure but for its clock.
pub(super) trait View: Send {
    /// Takes an event; gives the line that has to be written for it.
    fn take(&mut self, event: &Event) -> Option<String>;
    /// The frame to draw now, if one is due.
    fn frame(&mut self) -> Option<Frame> {
        None
    }
}

/// Puts text where people or programs read it; may block.
pub(super) trait Face: Send {
    /// Writes `lines` for good, and draws `frame` in place of the one before.
    fn draw(&mut self, lines: &[String], frame: Option<Frame>) -> io::Result<()>;
    /// Leaves the place tidy.
    fn close(&mut self) {}
}

/// Shows what happens during a run. Dropping it writes what still waits and ends its thread.
pub struct Output {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

struct State {
    view: Box<dyn View>,
    waiting: Vec<String>,
    closed: bool,
}

impl Shared {
    /// A fold that panicked leaves text that is a little wrong; that is no reason to stop a run.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    /// Starts the thread that writes.
    pub(super) fn start(view: Box<dyn View>, face: Box<dyn Face>) -> io::Result<Self> {
        let state = State { view, waiting: Vec::new(), closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), news: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let thread =
            Builder::new().name("evac-output".to_owned()).spawn(move || write(&theirs, face))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Writes what still waits and leaves the terminal tidy.
    pub fn finish(self) {
        drop(self);
    }
}

impl EventSink for Output {
    fn emit(&self, event: &Event) {
        let mut state = self.shared.lock();
        let is_full = state.waiting.len() >= MAX_WAITING_LINES;
        let line = state.view.take(event);
        let Some(line) = line else { return };
        if !(is_full && matches!(event, Event::Received { .. })) {
            state.waiting.push(line);
            drop(state);
            self.shared.news.notify_one();
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.news.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to write.
            let _ = thread.join();
        }
    }
}

fn write(shared: &Shared, mut face: Box<dyn Face>) {
    let mut is_broken = false;
    loop {
        let state = shared.lock();
        let (mut state, _) = shared
            .news
            .wait_timeout_while(state, REFRESH, |state| state.waiting.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut state.waiting);
        let frame = state.view.frame();
        let closed = state.closed;
        drop(state);
        if !is_broken {
            is_broken = face.draw(&lines, frame).is_err();
        }
        if closed {
            face.close();
            return;
        }
    }
}

/// Lines into a stream, each flushed with its batch.
pub(super) struct Stream<W>(pub W);

impl<W: io::Write + Send> Face for Stream<W> {
    fn draw(&mut self, lines: &[String], frame: Option<Frame>) -> io::Result<()> {
        let framed = frame.map(|frame| frame.lines).unwrap_or_default();
        for line in lines.iter().chain(&framed) {
            self.0.write_all(line.as_bytes())?;
            self.0.write_all(b"\n")?;
        }
        if lines.is_empty() && framed.is_empty() { Ok(()) } else { self.0.flush() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A stream that a test can read.
    #[derive(Clone, Default)]
    pub(in crate::term) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(in crate::term) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Words;
    impl View for Words {
        fn take(&mut self, event: &Event) -> Option<String> {
            Some(format!("{event:?}").split([' ', '(']).next().unwrap().to_owned())
        }
    }

    #[test]
    fn every_line_is_written_in_order_before_it_ends() {
        let stream = Captured::default();
        let output = Output::start(Box::new(Words), Box::new(Stream(stream.clone()))).unwrap();
        for _ in 0..500 {
            output.emit(&Event::Draining);
        }
        output.emit(&Event::Report(crate::model::RunReport::default()));
        output.finish();
        assert_eq!(stream.text(), "Draining\n".repeat(500) + "Report\n");
    }

    /// Blocks until the test lets go, like a terminal after Ctrl-S.
    struct Stopped(std::sync::mpsc::Receiver<()>, Captured);
    impl Face for Stopped {
        fn draw(&mut self, lines: &[String], frame: Option<Frame>) -> io::Result<()> {
            let _ = self.0.recv();
            Stream(self.1.clone()).draw(lines, frame)
        }
    }

    #[test]
    fn a_stopped_terminal_stops_nobody_and_loses_only_progress() {
        let (go_on, stopped) = std::sync::mpsc::channel();
        let stream = Captured::default();
        let face = Stopped(stopped, stream.clone());
        let output = Output::start(Box::new(Words), Box::new(face)).unwrap();
        let progress = Event::Received {
            host: "h".parse().unwrap(),
            workload: "w".parse().unwrap(),
            sent_bytes: crate::model::Bytes(1),
            raw_bytes: crate::model::Bytes(1),
        };
        for _ in 0..3 * MAX_WAITING_LINES {
            output.emit(&progress);
        }
        for _ in 0..3 * MAX_WAITING_LINES {
            output.emit(&Event::Draining);
        }
        drop(go_on);
        output.finish();
        let text = stream.text();
        assert_eq!(text.matches("Draining").count(), 3 * MAX_WAITING_LINES);
        assert!(text.matches("Received").count() <= 2 * MAX_WAITING_LINES);
    }

    struct Gone;
    impl Face for Gone {
        fn draw(&mut self, _: &[String], _: Option<Frame>) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_reader_that_is_gone_stops_nobody() {
        let output = Output::start(Box::new(Words), Box::new(Gone)).unwrap();
        for _ in 0..100 {
            output.emit(&Event::Draining);
        }
        output.finish();
    }
}
