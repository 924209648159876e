//! What a guest has to say to people: cut to lines of bounded length, bounded in all, counted past that.

use std::sync::{Arc, Mutex, PoisonError};

use casparian_core::fault::Span;
use casparian_core::guest_text::GuestText;
use casparian_core::limits::{LimitExceeded, Limits, Meter};
use serde::{Deserialize, Serialize};

/// What a line counts for at least: telling one costs something, even where it says nothing.
const LINE_BYTES_MIN: u64 = 64;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words are the interface's own")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// One line of a guest's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How grave.
    pub level: Level,
    /// What it says, cut.
    pub text: GuestText,
    /// The input bytes it is about.
    pub at: Option<Span>,
}

/// Hears the lines that are kept.
pub type LogEar = Box<dyn FnMut(LogLine) + Send>;

/// The journal of one run. Clones share it.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Mutex<Pages>>);

/// How long a log may be. What is past it is dropped and counted.
#[derive(Debug)]
pub struct LogBound {
    bytes: Meter,
    overflow: Option<LimitExceeded>,
    lines_dropped: u64,
}

impl LogBound {
    /// Opens a log in which nothing stands.
    pub fn new(limits: &Limits) -> Self {
        let bytes = Meter::new("log bytes", limits.log_bytes_max);
        Self { bytes, overflow: None, lines_dropped: 0 }
    }

    /// Counts lines that count for so many bytes. Returns whether there was room for all of them.
    pub fn admit(&mut self, bytes: u64) -> bool {
        match self.bytes.spend(bytes) {
            Ok(()) => true,
            Err(limit) => {
                self.lines_dropped += 1;
                self.overflow.get_or_insert(limit);
                false
            }
        }
    }

    /// Returns how many lines were dropped.
    pub fn lines_dropped(&self) -> u64 {
        self.lines_dropped
    }

    /// Returns the bound that was hit, with its numbers.
    pub fn overflow(&self) -> Option<LimitExceeded> {
        self.overflow
    }
}

impl LogLine {
    /// Returns what it counts for in a log's bound.
    pub fn bytes(&self) -> u64 {
        (self.text.raw().len() as u64).max(LINE_BYTES_MIN)
    }
}

struct Pages {
    ear: LogEar,
    least: Level,
    line_bytes_max: usize,
    bound: LogBound,
    last_error: Option<(GuestText, Option<Span>)>,
}

impl Journal {
    pub(crate) fn new(limits: &Limits, least: Level, ear: LogEar) -> Self {
        Self(Arc::new(Mutex::new(Pages {
            ear,
            least,
            line_bytes_max: usize::try_from(limits.log_line_bytes_max).unwrap_or(usize::MAX),
            bound: LogBound::new(limits),
            last_error: None,
        })))
    }

    pub(crate) fn keeps(&self, level: Level) -> bool {
        level >= self.pages().least
    }

    /// Writes one line. Past the journal's bound it is dropped and counted.
    pub(crate) fn write(&self, level: Level, text: &str, at: Option<Span>) {
        let mut pages = self.pages();
        if level < pages.least {
            return;
        }
        let text = GuestText::new(text, pages.line_bytes_max);
        if level == Level::Error {
            pages.last_error = Some((text.clone(), at));
        }
        let line = LogLine { level, text, at };
        if pages.bound.admit(line.bytes()) {
            (pages.ear)(line);
        }
    }

    /// Forgets the last error: it was another instance's.
    pub(crate) fn turn_page(&self) {
        self.pages().last_error = None;
    }

    /// What the lines that were kept count for.
    pub(crate) fn bytes(&self) -> u64 {
        self.pages().bound.bytes.used()
    }

    pub(crate) fn lines_dropped(&self) -> u64 {
        self.pages().bound.lines_dropped()
    }

    /// The bound that was hit, with its numbers.
    pub(crate) fn overflow(&self) -> Option<LimitExceeded> {
        self.pages().bound.overflow()
    }

    /// The last thing the guest called an error: its panic message, where it had a hook for that.
    pub(crate) fn last_error(&self) -> Option<GuestText> {
        self.pages().last_error.as_ref().map(|(text, _)| text.clone())
    }

    /// The place of that.
    pub(crate) fn last_error_at(&self) -> Option<Span> {
        self.pages().last_error.as_ref().and_then(|(_, at)| *at)
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        // Every write leaves the pages whole, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn journal(log_bytes_max: u64) -> (Journal, mpsc::Receiver<LogLine>) {
        let (send, receive) = mpsc::channel();
        let limits = Limits { log_bytes_max, log_line_bytes_max: 4, ..Limits::default() };
        let ear = Box::new(move |line| send.send(line).expect("the test listens"));
        (Journal::new(&limits, Level::Info, ear), receive)
    }

    #[test]
    fn the_last_byte_of_the_log_is_kept_and_the_next_is_dropped_and_counted() {
        let (journal, lines) = journal(2 * LINE_BYTES_MIN);
        journal.write(Level::Info, "abc", None);
        journal.write(Level::Info, "", None);
        assert_eq!((journal.lines_dropped(), journal.overflow()), (0, None));
        journal.write(Level::Info, "", None);
        assert_eq!(journal.lines_dropped(), 1);
        let overflow = LimitExceeded { name: "log bytes", limit: 128, current: 128, wanted: 64 };
        assert_eq!(journal.overflow(), Some(overflow));
        assert_eq!(lines.try_iter().count(), 2);
    }

    #[test]
    fn a_line_past_its_bound_is_cut() {
        let (journal, lines) = journal(LINE_BYTES_MIN);
        journal.write(Level::Error, "abcdefgh", None);
        assert_eq!(lines.recv().expect("one line").text.raw(), "abcd…");
    }
}
