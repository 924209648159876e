//! JSON for machines, which a terminal may still show: characters that steer one are written as `\u….` escapes. It is the
//! same value to every reader.

use std::io;

use casparian_core::guest_text::steers;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Returns a value as one line.
pub(super) fn line(value: &impl Serialize) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Harmless))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// Returns a value on several lines, for people who read it too.
pub(super) fn page(value: &impl Serialize) -> serde_json::Result<String> {
    // What steers a terminal stands within strings, and an escape of JSON says the same.
    let mut page = serde_json::to_string_pretty(value)?;
    page.push('\n');
    Ok(page.chars().map(|c| if steers(c) && c != '\n' { escaped(c) } else { c.to_string() }).collect())
}

fn escaped(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let bytes = fragment.as_bytes();
        let mut plain_from = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| steers(*c)) {
            writer.write_all(&bytes[plain_from..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain_from = at + c.len_utf8();
        }
        writer.write_all(&bytes[plain_from..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_back_the_same_and_steers_nothing() {
        let text = "ä\u{1b}[2J\u{202e}\n\u{e0041}end";
        let page = page(&[text]).unwrap();
        assert!(!page.chars().any(|c| c != '\n' && steers(c)), "{page:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&page).unwrap(), [text]);
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_and_reads_back_the_same() {
        let text = "ä\u{1b}[2J\u{9b}2J\u{202e}\u{7f}\n\"\\ \u{e0041}end";
        let line = line(&text).unwrap();
        assert!(!line.trim_end().chars().any(steers), "{line:?}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        assert!(line.contains("\\udb40\\udc41end"));
    }
}
