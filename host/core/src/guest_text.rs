//! Strings that a stranger wrote. They are cut on the way in and escaped on the way out, so that no terminal, log or JSON
//! consumer is steered by them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text from a guest or an input: length-capped when made, escaped when shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GuestText(String);

impl GuestText {
    /// Keeps at most `bytes_max` bytes of `text`, cut at a character boundary and then marked with `…`.
    pub fn new(text: &str, bytes_max: usize) -> Self {
        if text.len() <= bytes_max {
            return Self(text.to_owned());
        }
        let cut = text.floor_char_boundary(bytes_max);
        let (kept, _) = text.split_at(cut);
        Self(format!("{kept}…"))
    }

    /// Shows it line by line: what else could steer is escaped. For where a line of it cannot be taken for one of ours.
    pub fn lines(&self) -> impl fmt::Display {
        std::fmt::from_fn(|f| {
            self.0.chars().try_for_each(|c| if c == '\n' { f.write_str("\n") } else { escape(c, f) })
        })
    }

    /// Returns the text as the stranger wrote it. For comparing and storing, never for showing.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GuestText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| escape(c, f))
    }
}

impl fmt::Debug for GuestText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

fn escape(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match c {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        c if steers(c) => write!(f, "\\u{{{:x}}}", u32::from(c)),
        c => write!(f, "{c}"),
    }
}

/// Whether a character moves the cursor, reorders or hides text: controls (C0, C1, DEL), the Unicode bidi controls
/// (UAX #9), zero-width and line-separating characters, and tags.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{00ad}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_bidi_overrides_are_shown_not_obeyed() {
        let shown = GuestText::new("a\u{1b}]52;c\u{7}\u{9b}2J\r\u{202e}b\0", 100).to_string();
        assert_eq!(shown, "a\\u{1b}]52;c\\u{7}\\u{9b}2J\\r\\u{202e}b\\u{0}");
    }

    #[test]
    fn line_by_line_ends_of_lines_are_all_that_is_left_to_act() {
        assert_eq!(GuestText::new("a\n\u{1b}b\r\n", 100).lines().to_string(), "a\n\\u{1b}b\\r\n");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(GuestText::new("ääää", 5).raw(), "ää…");
    }
}
