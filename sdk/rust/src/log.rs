//! Lines for people. `log::info!("read {n} records")`: formatted only when somebody keeps lines of that level.

use std::fmt::Arguments;

use crate::fault::Span;
pub use crate::host::Level;

/// Returns whether lines of this level are kept.
pub fn enabled(level: Level) -> bool {
    let _ = level;
    false
}

/// Writes a line, if lines of its level are kept.
pub fn line(level: Level, at: Option<Span>, message: Arguments<'_>) {
    let _ = (level, at, message);
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
