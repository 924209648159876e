//! Colour, and the width of the page.

use std::env;
use std::fmt::Display;

use terminal_size::{Height, Width};

/// What text is laid out for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Whether and how text is coloured.
    pub(super) paint: Paint,
    /// Columns of the terminal; none: not a terminal, no line is cut.
    pub(super) width: Option<usize>,
}

impl Page {
    /// Never colours, never cuts.
    #[cfg(test)]
    pub(super) const PLAIN: Page = Page { paint: Paint::PLAIN, width: None };

    /// Returns the page without its edge, for lines that must stay whole.
    pub(super) fn endless(self) -> Self {
        Self { width: None, ..self }
    }

    /// Describes a stream.
    pub(super) fn of(is_terminal: bool, size: Option<(Width, Height)>) -> Self {
        let width = size.map_or(80, |(Width(columns), _)| usize::from(columns));
        Self { paint: Paint::of(is_terminal), width: is_terminal.then_some(width) }
    }
}

/// Colours text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    coloured: bool,
}

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Warn,
    Bad,
}

impl Paint {
    /// Never colours.
    #[cfg(test)]
    pub(super) const PLAIN: Paint = Paint { coloured: false };

    /// Colours for a terminal, unless the environment forbids it (`NO_COLOR`, a dumb terminal).
    fn of(is_terminal: bool) -> Self {
        let forbidden = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { coloured: is_terminal && !forbidden && !dumb }
    }

    /// Returns `text` in a tone.
    pub(super) fn tone(self, tone: Tone, text: impl Display) -> String {
        match tone.code().filter(|_| self.coloured) {
            None => text.to_string(),
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

impl Tone {
    fn code(self) -> Option<u8> {
        match self {
            Tone::Plain => None,
            Tone::Strong => Some(1),
            Tone::Faint => Some(2),
            Tone::Good => Some(32),
            Tone::Warn => Some(33),
            Tone::Bad => Some(31),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_terminal_gets_colour() {
        assert_eq!(Paint::of(false).tone(Tone::Bad, "x"), "x");
        assert_eq!(Paint { coloured: true }.tone(Tone::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(Paint { coloured: true }.tone(Tone::Plain, "x"), "x");
    }
}
