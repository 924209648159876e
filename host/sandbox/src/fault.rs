//! How a session ends, when it does not end well.

use std::io;

use casparian_core::description::DescriptionFault;
use casparian_core::fault::{Blame, Blamed, FaultReport, Span};
use casparian_core::guest_text::GuestText;
use casparian_core::intake::{NOTE_BYTES_MAX, Refusal};
use casparian_core::isolate::Cause;
use casparian_core::limits::LimitExceeded;
use thiserror::Error;

/// How a session ended, when it did not end well.
#[derive(Debug, Error)]
pub enum SessionFault {
    /// A rule of the interface was broken.
    #[error(transparent)]
    Refused(Refusal),
    /// A bound was reached.
    #[error(transparent)]
    Limit(LimitExceeded),
    /// The guest trapped.
    #[error("{}", trapped(code, frames, said.as_ref()))]
    Trap {
        /// Which trap.
        code: &'static str,
        /// Where, innermost first.
        frames: Vec<GuestText>,
        /// The last error the guest logged: its panic message, where it has a hook for that.
        said: Option<GuestText>,
        /// What it said that about.
        at: Option<Span>,
    },
    /// The guest wanted to end the process.
    #[error("the parser exited with status {status} instead of returning")]
    Exit {
        /// The status it gave.
        status: i32,
    },
    /// A host call's arguments were refused before it could look at them: out of bounds, too large, not UTF-8.
    #[error("host call refused: {why}; one call may carry {limit} bytes")]
    HostCall {
        /// wasmtime's words.
        why: GuestText,
        /// The bound on one call.
        limit: u64,
    },
    /// The machine did not give what the guest may have: no word about the guest, nor about its input.
    #[error("the machine let the parser down: {why}")]
    Machine {
        /// What it did not do.
        why: GuestText,
    },
    /// A fresh instance did not come about, for another range or to go on behind a trap.
    #[error("no fresh instance could be had: {0}")]
    NotReopened(Box<SessionFault>),
    /// The parser gave the input up.
    #[error("the parser gave up: {code}: {}", message.lines())]
    GaveUp {
        /// Its word for why.
        code: GuestText,
        /// Its sentence.
        message: GuestText,
        /// Where.
        at: Option<Span>,
    },
    /// The parser's description breaks its own rules.
    #[error(transparent)]
    Description(#[from] DescriptionFault),
    /// The layout is no cut of the input.
    #[error("the plan's range {index} is {range}, but {due} is where it must begin")]
    Layout {
        /// Which range.
        index: usize,
        /// The range.
        range: Span,
        /// Where it must begin.
        due: u64,
    },
    /// The layout does not cover the input, or is too fine.
    #[error("the plan has {ranges} ranges that end at byte {end} of {bytes}")]
    LayoutSize {
        /// How many.
        ranges: usize,
        /// Where the last one ends.
        end: u64,
        /// The size of the input.
        bytes: u64,
    },
    /// The input could not be read.
    #[error("the input could not be read at byte {offset}: {error}")]
    Input {
        /// Where.
        offset: u64,
        /// Why.
        error: io::Error,
    },
    /// The input became shorter while it was read.
    #[error("the input ended at byte {offset}, but had {bytes} bytes when it was opened")]
    InputShrank {
        /// Where it ended.
        offset: u64,
        /// How long it was.
        bytes: u64,
    },
    /// The other side of the flow has failed and knows why.
    #[error("the host stopped listening")]
    Hangup,
}

fn trapped(code: &str, frames: &[GuestText], said: Option<&GuestText>) -> String {
    let at = frames.first().map(|frame| format!(" in `{frame}`")).unwrap_or_default();
    match said {
        None => format!("the parser trapped: {code}{at}"),
        // A traceback says where better than the interpreter's own functions do.
        Some(said) if said.raw().contains('\n') => {
            format!("the parser trapped: {code}; it said:\n{}", said.lines())
        }
        Some(said) => format!("the parser trapped: {code}{at}; it said: {said}"),
    }
}

/// What a guest said last, and where it was. Of a traceback the last line says what, the one with the place is before it.
fn last_words(frames: &[GuestText], said: Option<&GuestText>) -> String {
    let frames = frames.iter().take(3).map(GuestText::raw).collect::<Vec<_>>().join(" < ");
    match said.map(GuestText::raw) {
        None => frames,
        Some(said) if said.contains('\n') => {
            let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            lines.iter().rev().take(3).copied().collect::<Vec<_>>().join(" < ")
        }
        Some(said) if frames.is_empty() => said.to_owned(),
        Some(said) => format!("{said} < {frames}"),
    }
}

impl SessionFault {
    /// Returns what a record can be blamed for; `None` where the end is about more than a record, or not about one.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            SessionFault::Trap { .. } => Some(Cause::Trap),
            SessionFault::HostCall { .. } => Some(Cause::HostCall),
            SessionFault::Limit(limit) => match limit.name {
                "fuel" => Some(Cause::Fuel),
                "memory bytes" | "table elements" => Some(Cause::Memory),
                "stack bytes" => Some(Cause::Stack),
                "open handles" => Some(Cause::Handles),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the word and the sentence that a record in quarantine has for it. No bound is in it, nor what was used of one.
    pub fn words(&self) -> (String, GuestText) {
        let (word, text) = match self {
            SessionFault::Trap { code, frames, said, .. } => (*code, last_words(frames, said.as_ref())),
            SessionFault::Limit(LimitExceeded { name: "stack bytes", .. }) => {
                ("stack-overflow", String::new())
            }
            SessionFault::HostCall { why, .. } => (self.code(), why.raw().to_owned()),
            _ => (self.code(), String::new()),
        };
        (word.to_owned(), GuestText::new(&text, NOTE_BYTES_MAX))
    }

    pub(crate) fn input(offset: u64, error: io::Error) -> Self {
        Self::Input { offset, error }
    }
}

impl Blamed for SessionFault {
    fn blame(&self) -> Blame {
        match self {
            SessionFault::Refused(refusal) => refusal.blame(),
            SessionFault::GaveUp { .. } | SessionFault::InputShrank { .. } => Blame::Input,
            SessionFault::Input { .. } | SessionFault::Hangup | SessionFault::Machine { .. } => Blame::Host,
            SessionFault::NotReopened(fault) => fault.blame(),
            _ => Blame::Guest,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            SessionFault::Refused(refusal) => refusal.code(),
            SessionFault::Limit(limit) => limit.code(),
            SessionFault::Trap { .. } => "guest-trap",
            SessionFault::Exit { .. } => "guest-exit",
            SessionFault::HostCall { .. } => "hostcall-refused",
            SessionFault::GaveUp { .. } => "parser-gave-up",
            SessionFault::Description(fault) => fault.code(),
            SessionFault::Layout { .. } | SessionFault::LayoutSize { .. } => "bad-layout",
            SessionFault::Input { .. } => "input-unreadable",
            SessionFault::InputShrank { .. } => "input-changed",
            SessionFault::Hangup => "internal",
            SessionFault::Machine { .. } => "machine-failed",
            SessionFault::NotReopened(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SessionFault::Refused(refusal) => refusal.hint(),
            SessionFault::Limit(limit) => limit.hint(),
            SessionFault::NotReopened(fault) => fault.hint(),
            SessionFault::Machine { .. } => {
                Some("run it again when there is more memory to be had".to_owned())
            }
            _ => None,
        }
    }

    fn report(&self) -> FaultReport {
        let at = match self {
            SessionFault::GaveUp { at, .. } | SessionFault::Trap { at, .. } => *at,
            _ => None,
        };
        FaultReport {
            blame: self.blame(),
            code: self.code().to_owned(),
            message: self.to_string(),
            hint: self.hint(),
            at,
        }
    }
}
