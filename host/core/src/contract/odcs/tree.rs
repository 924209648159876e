//! YAML as a tree that knows where everything stands. What makes two readers of YAML disagree is refused: anchors,
//! aliases, tags beyond the core ones, merge keys, keys that come twice, more than one document.
//!
//! Scalars keep their text: `0.1` is never a binary number here. Size and depth are bounded; the scanner, which must read a
//! collection in brackets to its end before it knows whether that is a key, refuses brackets more than 255 deep.

use std::collections::HashSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput, Tag};

use super::fault::{Findings, Place, shown};
use crate::guest_text::GuestText;

/// Most bytes of a contract.
pub const BYTES_MAX: usize = 1 << 20;
/// Most nodes on the way from the document to a scalar, both counted.
pub const DEPTH_MAX: usize = 32;

/// Something in a document, and where it begins.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// `is_plain`: without quotes, so that it may be a number, a boolean or null.
    Scalar {
        text: String,
        is_plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
    /// Refused where it was read; whoever meets it says no more.
    Refused,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Place,
    pub(super) value: Node,
}

/// What a scalar stands for in the core schema of YAML 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Null,
    Flag(bool),
    /// Written in the way that all readers of YAML agree on.
    Number,
    /// A number to some readers of YAML only: `010`, `0x1F`, `1_000`, `.5`, `+1`, `1e3`, `.inf`.
    OddNumber,
    Text,
}

/// Reads the one document of a file. None: it cannot be read to its end, and the findings say why.
pub(super) fn read(bytes: &[u8], found: &mut Findings) -> Option<Node> {
    let text = text(bytes, found)?;
    TreeReader { parser: Parser::new_from_str(text), found }.document()
}

const START: Place = Place { line: 1, column: 1 };

/// Returns the text without a byte-order mark; only characters that YAML allows.
fn text<'b>(bytes: &'b [u8], found: &mut Findings) -> Option<&'b str> {
    if bytes.len() > BYTES_MAX {
        let size = bytes.len();
        found.fault(START, "too-large", format!("{size} bytes, and at most {BYTES_MAX} are read"));
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => text,
        Err(fault) => {
            let valid = bytes.get(..fault.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok());
            found.fault(place_behind(valid.unwrap_or_default()), "not-utf8", "not UTF-8 from here on");
            return None;
        }
    };
    match text.char_indices().find(|(_, c)| !is_printable(*c)) {
        None => Some(text),
        Some((index, c)) => {
            let at = place_behind(text.get(..index).unwrap_or_default());
            let message = format!("the character U+{:04X} has no place in a contract", u32::from(c));
            found.fault_with_hint(at, "not-printable", message, "in double quotes it can be escaped");
            None
        }
    }
}

/// Whether a character may stand in YAML. A zero would end the scanner's input; a byte-order mark in the middle hides.
fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}'
        | '\u{10000}'..='\u{10ffff}')
        && c != '\u{feff}'
}

/// Returns where a text ends.
fn place_behind(text: &str) -> Place {
    let line = text.matches('\n').count().saturating_add(1);
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
    place(line, column)
}

fn place(line: usize, column: usize) -> Place {
    Place { line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX) }
}

fn place_of(marker: Marker) -> Place {
    place(marker.line().max(1), marker.col().saturating_add(1))
}

/// The parser or what it told last has come to an end; the findings say why.
struct Stopped;

struct TreeReader<'t, 'f> {
    parser: Parser<'t, StrInput<'t>>,
    found: &'f mut Findings,
}

impl<'t> TreeReader<'t, '_> {
    fn document(&mut self) -> Option<Node> {
        loop {
            let (event, at) = self.next().ok()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => {
                    self.found.fault(START, "empty", "there is no contract in this file");
                    return None;
                }
                event => {
                    let root = self.node(event, at, 1).ok()?;
                    return self.end().ok().map(|()| root);
                }
            }
        }
    }

    /// Reads what is behind the document, which must be nothing.
    fn end(&mut self) -> Result<(), Stopped> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(_), at) => {
                    self.found.fault(at, "second-document", "a second document; a file holds one contract");
                    return Err(Stopped);
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Place), Stopped> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, place_of(span.start))),
            Some(Err(fault)) => {
                let why = GuestText::new(fault.info(), 160);
                self.found.fault(place_of(*fault.marker()), "yaml", format!("not YAML: {why}"));
                Err(Stopped)
            }
            None => Err(Stopped),
        }
    }

    fn node(&mut self, event: Event<'t>, at: Place, depth: usize) -> Result<Node, Stopped> {
        if depth > DEPTH_MAX {
            self.found.fault(at, "too-deep", format!("more than {DEPTH_MAX} levels deep"));
            return Err(Stopped);
        }
        let (anchor, tag, kind) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                (anchor, tag, Kind::Scalar { text: text.into_owned(), is_plain })
            }
            Event::SequenceStart(anchor, tag) => (anchor, tag, Kind::Sequence(self.items(depth)?)),
            Event::MappingStart(anchor, tag) => (anchor, tag, Kind::Mapping(self.entries(depth)?)),
            Event::Alias(_) => {
                let hint = "write what it stands for once more";
                self.found.fault_with_hint(
                    at,
                    "alias",
                    "an alias; a contract says everything in place",
                    hint,
                );
                (0, None, Kind::Refused)
            }
            _ => {
                self.found.fault(at, "yaml", "not YAML: something ends that did not begin");
                return Err(Stopped);
            }
        };
        if anchor != 0 {
            self.found.fault_with_hint(at, "anchor", "an anchor, and aliases are not read", "leave out `&…`");
        }
        let kind = match tag {
            None => kind,
            Some(tag) => self.tagged(kind, &tag, at),
        };
        Ok(Node { at, kind })
    }

    /// Takes a tag for what it says if it is one of the core schema and true.
    fn tagged(&mut self, kind: Kind, tag: &Tag, at: Place) -> Kind {
        let word = if tag.is_yaml_core_schema() { tag.suffix.as_str() } else { "" };
        let tagged = match (word, kind) {
            ("str", Kind::Scalar { text, .. }) => Some(Kind::Scalar { text, is_plain: false }),
            ("map", kind @ Kind::Mapping(_)) | ("seq", kind @ Kind::Sequence(_)) => Some(kind),
            ("int" | "float" | "bool" | "null", Kind::Scalar { text, .. }) => {
                let is_true = match meaning(&text, true) {
                    Meaning::Null => word == "null",
                    Meaning::Flag(_) => word == "bool",
                    Meaning::Number => word == "float" || (word == "int" && is_whole(&text)),
                    Meaning::OddNumber | Meaning::Text => false,
                };
                is_true.then_some(Kind::Scalar { text, is_plain: true })
            }
            _ => None,
        };
        tagged.unwrap_or_else(|| {
            let message = format!("the tag {} is not read here", shown(&tag.to_string()));
            self.found.fault_with_hint(at, "tag", message, "leave it out; put quotes around a text");
            Kind::Refused
        })
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Stopped> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, at) => items.push(self.node(event, at, depth.saturating_add(1))?),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Stopped> {
        let mut entries = Vec::new();
        let mut taken = HashSet::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            let key = self.node(event, at, depth.saturating_add(1))?;
            let key = self.key(key);
            let (event, value_at) = self.next()?;
            let value = self.node(event, value_at, depth.saturating_add(1))?;
            let Some(key) = key else { continue };
            if !taken.insert(key.clone()) {
                self.found.fault(at, "key-twice", format!("the key {} comes twice", shown(&key)));
                continue;
            }
            entries.push(Entry { key, at, value });
        }
    }

    fn key(&mut self, key: Node) -> Option<String> {
        match key.kind {
            Kind::Scalar { text, is_plain: true } if text == "<<" => {
                self.found.fault(
                    key.at,
                    "merge-key",
                    "`<<` merges mappings; a contract says everything in place",
                );
                None
            }
            Kind::Scalar { text, is_plain } if meaning(&text, is_plain) != Meaning::Null => Some(text),
            Kind::Refused => None,
            _ => {
                self.found.fault(key.at, "key", "a key is a text");
                None
            }
        }
    }
}

/// Says what a scalar stands for.
pub(super) fn meaning(text: &str, is_plain: bool) -> Meaning {
    match text {
        _ if !is_plain => Meaning::Text,
        "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
        "true" | "True" | "TRUE" => Meaning::Flag(true),
        "false" | "False" | "FALSE" => Meaning::Flag(false),
        text if is_number(text) => Meaning::Number,
        text if is_odd_number(text) => Meaning::OddNumber,
        _ => Meaning::Text,
    }
}

/// Whether a text is a number of JSON and a number to readers of YAML 1.1 as well, who want a fraction and a sign where
/// there is an exponent.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_whole = is_digits(whole) && (whole.len() == 1 || !whole.starts_with('0'));
    let is_exponent = |exponent: &str| exponent.strip_prefix(['+', '-']).is_some_and(is_digits);
    let is_exponent = exponent.is_none_or(|exponent| fraction.is_some() && is_exponent(exponent));
    is_whole && fraction.is_none_or(is_digits) && is_exponent
}

fn is_whole(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a reader of YAML 1.1 takes a text for a boolean or a date.
pub(super) fn is_odd_text(text: &str) -> bool {
    let is_word = matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off" | "y" | "n");
    let mut parts = text.splitn(3, '-');
    let mut is_part = |digits: usize| {
        let part = parts.next().unwrap_or_default();
        part.len() >= digits && part.bytes().take(digits).all(|byte| byte.is_ascii_digit())
    };
    is_word || (is_part(4) && is_part(1) && is_part(1))
}

/// Whether a reader of YAML 1.1 or 1.2 takes it for a number, or may: it begins like one and has nothing else in it.
fn is_odd_number(text: &str) -> bool {
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_word = matches!(rest, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN");
    let radix =
        rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0o")).or_else(|| rest.strip_prefix("0b"));
    let is_radix = radix.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'_')
    });
    let begins = rest.starts_with(|c: char| c.is_ascii_digit())
        || rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_decimal = begins && {
        let mantissa = rest.split(['e', 'E']).next().unwrap_or_default();
        let exponent = rest.get(mantissa.len()..).unwrap_or_default();
        let exponent =
            exponent.strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
        let is_mantissa = mantissa.bytes().all(|byte| byte.is_ascii_digit() || b"._:".contains(&byte));
        is_mantissa && mantissa.matches('.').count() < 2 && exponent.is_none_or(is_digits)
    };
    is_word || is_radix || is_decimal
}
