//! Lines for people. `log::info!("read {n} records")`: formatted only when somebody keeps lines of that level.

use std::fmt::Arguments;

use crate::fault::Span;
pub use crate::host::Level;

/// Returns whether lines of this level are kept.
#[inline]
pub fn enabled(level: Level) -> bool {
    lines::enabled(level)
}

/// Writes a line, if lines of its level are kept.
#[cold]
pub fn line(level: Level, at: Option<Span>, message: Arguments<'_>) {
    if enabled(level) {
        lines::write(level, at, message.to_string());
    }
}

pub(crate) use lines::{attend, deliver};

/// On wasm a line goes to the host at once.
#[cfg(target_family = "wasm")]
mod lines {
    use super::{Level, Span};
    use crate::bindings::casparian::parser::log;
    use crate::host::Host;

    pub(super) fn enabled(level: Level) -> bool {
        log::enabled(level.into())
    }

    pub(super) fn write(level: Level, at: Option<Span>, message: String) {
        log::log(level.into(), &message, at.map(Into::into));
    }

    pub(crate) fn attend(_: &dyn Host) {}
    pub(crate) fn deliver(_: &dyn Host) {}
}

/// Natively the lines of a thread wait until its session hands them to its host.
#[cfg(not(target_family = "wasm"))]
mod lines {
    use std::cell::{Cell, RefCell};

    use super::{Level, Span};
    use crate::host::Host;

    const LEVELS: [Level; 5] = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];

    thread_local! {
        /// Whether the session's host keeps lines, by level.
        static KEPT: Cell<[bool; 5]> = const { Cell::new([false; 5]) };
        static WAITING: RefCell<Vec<(Level, Option<Span>, String)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn enabled(level: Level) -> bool {
        KEPT.get()[level as usize]
    }

    pub(super) fn write(level: Level, at: Option<Span>, message: String) {
        WAITING.with_borrow_mut(|waiting| waiting.push((level, at, message)));
    }

    /// Asks the host of a session what it keeps.
    pub(crate) fn attend(host: &dyn Host) {
        KEPT.set(LEVELS.map(|level| host.log_enabled(level)));
    }

    /// Hands the lines that wait to the host of the session.
    pub(crate) fn deliver(host: &dyn Host) {
        let waiting = WAITING.take();
        waiting.iter().for_each(|(level, at, message)| host.log(*level, message, *at));
    }
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, at $span:expr, $($message:tt)+) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::line($crate::log::Level::$level, Some($span), format_args!($($message)+));
        }
    };
    ($level:ident, $($message:tt)+) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::line($crate::log::Level::$level, None, format_args!($($message)+));
        }
    };
}

/// Logs at [`Level::Debug`]: `debug!("text")` or `debug!(at span, "text")`.
#[macro_export]
macro_rules! __log_debug { ($($line:tt)+) => { $crate::__log!(Debug, $($line)+) }; }
/// Logs at [`Level::Info`]: `info!("text")` or `info!(at span, "text")`.
#[macro_export]
macro_rules! __log_info { ($($line:tt)+) => { $crate::__log!(Info, $($line)+) }; }
/// Logs at [`Level::Warn`]: `warn!("text")` or `warn!(at span, "text")`.
#[macro_export]
macro_rules! __log_warn { ($($line:tt)+) => { $crate::__log!(Warn, $($line)+) }; }
/// Logs at [`Level::Error`]: `error!("text")` or `error!(at span, "text")`.
#[macro_export]
macro_rules! __log_error { ($($line:tt)+) => { $crate::__log!(Error, $($line)+) }; }

pub use crate::{__log_debug as debug, __log_error as error, __log_info as info, __log_warn as warn};
