//! The fields of a mapping, taken one by one; what nobody took is a mistake, and says so.

use super::fault::{Findings, Place, did_you_mean, one_of, shown};
use super::tree::{Entry, Kind, Meaning, Node, is_odd_text, meaning};
use crate::guest_text::steers;

/// A mapping that is being read, or the custom properties of something, which are a mapping written as a list.
pub(super) struct Fields<'n> {
    pub(super) at: Place,
    /// What it is, for messages: `a property`.
    what: &'static str,
    fields: Vec<Field<'n>>,
    known: Vec<&'static str>,
}

struct Field<'n> {
    key: &'n str,
    at: Place,
    value: &'n Node,
}

impl<'n> Fields<'n> {
    /// Opens a mapping, or finds fault with what is none.
    pub(super) fn open(node: &'n Node, what: &'static str, found: &mut Findings) -> Option<Self> {
        let Kind::Mapping(entries) = &node.kind else {
            return wrong_kind(node, &format!("{what}, that is `key: value` lines"), found);
        };
        let field = |entry: &'n Entry| Field { key: &entry.key, at: entry.at, value: &entry.value };
        Some(Self { at: node.at, what, fields: entries.iter().map(field).collect(), known: Vec::new() })
    }

    /// Opens custom properties. Names with a dot or a colon belong to somebody else.
    pub(super) fn open_custom(node: &'n Node, what: &'static str, found: &mut Findings) -> Option<Self> {
        let mut fields: Vec<Field<'n>> = Vec::new();
        for item in list(node, CUSTOM_MAX, found)? {
            let Some(field) = custom(item, found).filter(|field| !field.key.contains(['.', ':'])) else {
                continue;
            };
            if fields.iter().any(|other| other.key == field.key) {
                found.fault(field.at, "key-twice", format!("the property {} comes twice", shown(field.key)));
            }
            fields.push(field);
        }
        Some(Self { at: node.at, what, fields, known: Vec::new() })
    }

    /// A mapping without a key, where none is written.
    pub(super) fn empty(at: Place, what: &'static str) -> Self {
        Self { at, what, fields: Vec::new(), known: Vec::new() }
    }

    /// Takes the value of a key.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        self.fields.iter().find(|field| field.key == key).map(|field| field.value)
    }

    /// Takes the value of a key that must be there.
    pub(super) fn want(&mut self, key: &'static str, found: &mut Findings) -> Option<&'n Node> {
        let value = self.take(key);
        if value.is_none() {
            found.fault(self.at, "key-missing", format!("{} without `{key}`", self.what));
        }
        value
    }

    /// Lets pass what is documentation only.
    pub(super) fn pass(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    /// Finds fault with keys that nobody knows.
    pub(super) fn close(self, found: &mut Findings) {
        for field in self.fields.iter().filter(|field| !self.known.contains(&field.key)) {
            let message = format!("{} has no key {}", self.what, shown(field.key));
            let meant = if found.is_full() { None } else { did_you_mean(field.key, &self.known) };
            let hint = meant.unwrap_or_else(|| match self.what.starts_with("custom") {
                true => "a name with a dot, as in `acme.owner`, is left to other tools".to_owned(),
                false => "leave it out, or say it in `description`".to_owned(),
            });
            found.fault_with_hint(field.at, "unknown-key", message, hint);
        }
    }
}

/// Most custom properties in one place.
const CUSTOM_MAX: usize = 256;

fn custom<'n>(item: &'n Node, found: &mut Findings) -> Option<Field<'n>> {
    let mut fields = Fields::open(item, "a custom property", found)?;
    let name = fields.want("property", found);
    let value = fields.want("value", found);
    fields.pass(&["id", "description"]);
    fields.close(found);
    let (name, value) = name.zip(value)?;
    text(name, found).map(|key| Field { key, at: name.at, value })
}

/// Reads a text. A plain scalar that some readers take for something else wants quotes.
pub(super) fn text<'n>(node: &'n Node, found: &mut Findings) -> Option<&'n str> {
    match &node.kind {
        Kind::Scalar { text, is_plain } => match meaning(text, *is_plain) {
            Meaning::Text => {
                if *is_plain && is_odd_text(text) {
                    let message = format!("{} is no text to readers of YAML 1.1", shown(text));
                    found.note(node.at, "odd-text", message, "put quotes around it");
                }
                Some(text)
            }
            Meaning::Null => wrong_kind(node, "a text", found),
            Meaning::Flag(_) | Meaning::Number | Meaning::OddNumber => {
                let message = format!("{} is no text", shown(text));
                found.fault_with_hint(node.at, "wrong-kind", message, "put quotes around it");
                None
            }
        },
        _ => wrong_kind(node, "a text", found),
    }
}

/// Most bytes of an id, a version or a rule's name.
const ID_BYTES_MAX: usize = 256;

/// Reads a name that is shown and compared, never looked into.
pub(super) fn name(node: &Node, found: &mut Findings) -> Option<String> {
    let name = text(node, found)?;
    let is_shown = !name.chars().any(steers) && name.trim() == name;
    if !is_shown || !(1..=ID_BYTES_MAX).contains(&name.len()) {
        let message = format!(
            "{} is no name: 1 to {ID_BYTES_MAX} bytes that can be shown, without white space around them",
            shown(name)
        );
        found.fault(node.at, "bad-name", message);
        return None;
    }
    Some(name.to_owned())
}

/// A word of the profile, and what it stands for.
pub(super) type Word<T> = (&'static str, T);

/// Reads one of the words that a key allows.
pub(super) fn word<T: Copy>(node: &Node, words: &[Word<T>], found: &mut Findings) -> Option<T> {
    let text = text(node, found)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let hint =
        did_you_mean(text, &known).unwrap_or_else(|| "see the profile in docs/spec/contract.md".to_owned());
    let message = format!("{} is none of the words that may stand here: {}", shown(text), one_of(&known));
    found.fault_with_hint(node.at, "unknown-word", message, hint);
    None
}

/// Reads `true` or `false`.
pub(super) fn flag(node: &Node, found: &mut Findings) -> Option<bool> {
    match &node.kind {
        Kind::Scalar { text, is_plain } => match meaning(text, *is_plain) {
            Meaning::Flag(flag) => Some(flag),
            _ => wrong_kind(node, "`true` or `false`", found),
        },
        _ => wrong_kind(node, "`true` or `false`", found),
    }
}

/// Reads a number as it is written.
pub(super) fn number<'n>(node: &'n Node, found: &mut Findings) -> Option<&'n str> {
    match &node.kind {
        Kind::Scalar { text, is_plain } => match meaning(text, *is_plain) {
            Meaning::Number => Some(text),
            Meaning::OddNumber => {
                let message = format!("{} is not one number to all readers of YAML", shown(text));
                found.fault_with_hint(node.at, "odd-number", message, "write it as all do: 10, -0.5, 1.0e+9");
                None
            }
            _ => wrong_kind(node, "a number without quotes", found),
        },
        _ => wrong_kind(node, "a number", found),
    }
}

/// Reads a whole number from 0.
pub(super) fn count(node: &Node, found: &mut Findings) -> Option<u64> {
    let text = number(node, found)?;
    match text.parse() {
        Ok(count) => Some(count),
        Err(_) => {
            found.fault(
                node.at,
                "wrong-kind",
                format!("{} is no whole number from 0 to {}", shown(text), u64::MAX),
            );
            None
        }
    }
}

/// Reads a number that is only compared with counts and shares, where the nearest binary number does.
pub(super) fn amount(node: &Node, found: &mut Findings) -> Option<f64> {
    let text = number(node, found)?;
    let amount = text.parse().ok().filter(|amount: &f64| amount.is_finite() && *amount >= 0.0);
    if amount.is_none() {
        found.fault(node.at, "wrong-kind", format!("{} is no amount: a number from 0", shown(text)));
    }
    // Minus zero is zero.
    amount.map(|amount| amount + 0.0)
}

/// Reads a list, bounded.
pub(super) fn list<'n>(node: &'n Node, items_max: usize, found: &mut Findings) -> Option<&'n [Node]> {
    match &node.kind {
        Kind::Sequence(items) if items.len() > items_max => {
            let count = items.len();
            found.fault(node.at, "too-many", format!("a list of {count}, and at most {items_max} are read"));
            None
        }
        Kind::Sequence(items) => Some(items),
        _ => wrong_kind(node, "a list", found),
    }
}

/// Finds fault with a node of another kind than is wanted, unless fault was found with it before.
pub(super) fn wrong_kind<T>(node: &Node, wanted: &str, found: &mut Findings) -> Option<T> {
    let is = match &node.kind {
        Kind::Refused => return None,
        Kind::Mapping(_) => "`key: value` lines".to_owned(),
        Kind::Sequence(_) => "a list".to_owned(),
        Kind::Scalar { text, is_plain } if meaning(text, *is_plain) == Meaning::Null => "nothing".to_owned(),
        Kind::Scalar { text, is_plain: true } => shown(text),
        Kind::Scalar { text, is_plain: false } => format!("the text {}", shown(text)),
    };
    found.fault(node.at, "wrong-kind", format!("here is {is}, and what belongs here is {wanted}"));
    None
}
