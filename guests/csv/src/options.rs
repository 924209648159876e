//! What can be set from outside: every decision of the parser.

use casparian_sdk::prelude::*;

use crate::dialect::{Dialect, Ends};
use crate::encoding::Encoding;
use crate::score::Known;
use crate::structure::Told;

/// What was set.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The encoding.
    pub encoding: Option<Encoding>,
    /// What is known of the dialect.
    pub known: Known,
    /// Whether spaces may stand around quotes, where nothing is to be found out.
    pub told: Told,
    /// Whether short records are read, their last cells null.
    pub keeps_short: bool,
}

/// Adds the options to a description.
pub fn describe(description: Description) -> Description {
    let encodings: Vec<&str> = ["auto"].into_iter().chain(Encoding::ALL.map(|(_, name)| name)).collect();
    let ends: Vec<&str> = ["auto"].into_iter().chain(Ends::ALL.map(|(_, name)| name)).collect();
    let text = |name, doc| OptionInfo::text(name).default("auto").doc(doc);
    description
        .option(OptionInfo::choice("encoding", &encodings).default("auto").doc("How characters are written."))
        .option(text("delimiter", r"What parts cells: a few characters (\t, \x1f for such as cannot be typed), or `none` for one column."))
        .option(text("quote", "What stands around cells that hold delimiters: one ASCII character, or `none`."))
        .option(
            OptionInfo::choice("escape", &["auto", "doubled", "backslash"])
                .default("auto")
                .doc("How a quote is written within quotes: twice, or with a backslash before it."),
        )
        .option(OptionInfo::choice("line-ends", &ends).default("auto").doc("What ends lines: lf (also crlf), cr, or any of these."))
        .option(text("comment", "What begins lines that are no records: a few characters, or `none`."))
        .option(text("header", "How many rows name the columns: 0 to 3."))
        .option(text("preamble-lines", "How many lines (with comments and blank ones) stand before the table."))
        .option(text("footer-lines", "How many lines (with blank ones) stand behind the last table."))
        .option(
            OptionInfo::choice("tables", &["auto", "one"])
                .default("auto")
                .doc("Whether the input may hold several tables, one below the other."),
        )
        .option(
            OptionInfo::choice("short-rows", &["keep", "reject"])
                .default("keep")
                .doc("What becomes of records with fewer cells than columns: the missing ones are null, or they are rejected."),
        )
}

impl Settings {
    /// Reads options. Fails where one does not make sense.
    pub fn read(options: &Options) -> Result<Settings, Fault> {
        let encoding = options.choice("encoding")?.checked_sub(1).map(|place| Encoding::ALL[place].0);
        let known = Known {
            delimiter: set(options, "delimiter")?.map(|value| literal(value, "delimiter", 8)).transpose()?,
            quote: set(options, "quote")?.map(quote).transpose()?,
            backslash: options.choice("escape")?.checked_sub(1).map(|place| place == 1),
            ends: options.choice("line-ends")?.checked_sub(1).map(|place| Ends::ALL[place].0),
            comment: set(options, "comment")?.map(|value| literal(value, "comment", 8)).transpose()?,
        };
        let told = Told {
            preamble: number(options, "preamble-lines", 1 << 20)?,
            footer: number(options, "footer-lines", 1 << 20)?,
            header: number(options, "header", crate::header::ROWS_MAX)?,
            is_one_table: options.choice("tables")? == 1,
        };
        Ok(Settings { encoding, known, told, keeps_short: options.choice("short-rows")? == 0 })
    }

    /// Returns what is known of a dialect, written as the text of an encoding is.
    pub fn known(&self, encoding: Encoding) -> Known {
        let encode = |bytes: &Vec<u8>| match std::str::from_utf8(bytes) {
            Ok(text) => encoding.encode(text),
            Err(_) => bytes.clone(),
        };
        let known = self.known.clone();
        Known {
            delimiter: known.delimiter.as_ref().map(encode),
            comment: known.comment.as_ref().map(encode),
            ..known
        }
    }

    /// Returns a dialect with nothing but the encoding.
    pub fn base(encoding: Encoding) -> Dialect {
        Dialect { encoding, ..Dialect::default() }
    }
}

fn set<'o>(options: &'o Options, name: &str) -> Result<Option<&'o str>, Fault> {
    Ok(Some(options.text(name)?).filter(|value| *value != "auto"))
}

fn number(options: &Options, name: &str, most: usize) -> Result<Option<usize>, Fault> {
    let Some(value) = set(options, name)? else { return Ok(None) };
    let number = value.parse().ok().filter(|number| *number <= most);
    number.map(Some).ok_or_else(|| unfit(name, value, &format!("`auto` or a number from 0 to {most}")))
}

fn quote(value: &str) -> Result<Option<u8>, Fault> {
    match literal(value, "quote", 1)?[..] {
        [] => Ok(None),
        [byte] if byte.is_ascii_graphic() => Ok(Some(byte)),
        _ => Err(unfit("quote", value, "`auto`, `none` or one visible ASCII character")),
    }
}

/// Reads a few characters; `\t`, `\\` and `\x1f` are what they are elsewhere. `none` is nothing.
fn literal(value: &str, name: &str, most: usize) -> Result<Vec<u8>, Fault> {
    if value == "none" {
        return Ok(Vec::new());
    }
    let bytes = unescaped(value.as_bytes()).filter(|bytes| (1..=most).contains(&bytes.len()));
    let bytes = bytes.filter(|bytes| std::str::from_utf8(bytes).is_ok());
    let bytes = bytes.filter(|bytes| !bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r')));
    bytes.ok_or_else(|| {
        unfit(name, value, &format!("`auto`, `none`, or 1 to {most} bytes without the end of a line"))
    })
}

fn unescaped(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let [first, rest @ ..] = text {
        let (byte, rest) = match (first, rest) {
            (b'\\', [b't', rest @ ..]) => (b'\t', rest),
            (b'\\', [b'\\', rest @ ..]) => (b'\\', rest),
            (b'\\', [b'x', high, low, rest @ ..]) => {
                let digits = [*high, *low];
                (u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?, rest)
            }
            (b'\\', _) => return None,
            _ => (*first, rest),
        };
        bytes.push(byte);
        text = rest;
    }
    Some(bytes)
}

fn unfit(name: &str, value: &str, wanted: &str) -> Fault {
    Fault::new("option-unfit", format!("option `{name}` is `{value}`, wanted {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Settings, Fault> {
        let description = describe(Description::new("csv", "1"));
        Settings::read(&Options::new(&description, vec![(name.into(), value.into())]))
    }

    #[test]
    fn characters_that_cannot_be_typed_are_written() {
        let delimiter = |value| read("delimiter", value).unwrap().known.delimiter;
        assert_eq!(delimiter(r"\t"), Some(b"\t".to_vec()));
        assert_eq!(delimiter(r"\x1f|\\"), Some(b"\x1F|\\".to_vec()));
        assert_eq!(delimiter("none"), Some(Vec::new()));
        assert_eq!(delimiter("auto"), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        for (name, value) in [
            ("delimiter", r"\q"),
            ("delimiter", ""),
            ("quote", "ab"),
            ("header", "7"),
            ("footer-lines", "-1"),
        ] {
            let fault = read(name, value).unwrap_err();
            assert!(fault.message().contains(name) && fault.message().contains("wanted"), "{fault}");
        }
    }
}
