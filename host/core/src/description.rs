//! What a parser says it is, once checked: its tables, its faults, its options. Names in it are safe to show and to use.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fault::{Blame, Blamed};
use crate::guest_text::GuestText;
use crate::id::{TableName, is_word};

/// Most entries of any list in a description.
pub const ENTRIES_MAX: usize = 1024;
/// Most bytes of a name, a version, a value of an option.
pub const WORD_BYTES_MAX: usize = 128;
/// Most bytes of one doc text.
pub const DOC_BYTES_MAX: usize = 4096;

/// What a parser says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Its name.
    pub name: GuestText,
    /// Its version.
    pub version: GuestText,
    /// What it reads, in a sentence.
    pub doc: GuestText,
    /// Tables it may open. Empty: any.
    pub tables: Vec<TableInfo>,
    /// Faults it can find in a record. `reject` refers to them by index.
    pub faults: Vec<FaultInfo>,
    /// Options it takes.
    pub options: Vec<OptionInfo>,
    /// File globs it usually reads.
    pub patterns: Vec<GuestText>,
}

/// A table that a parser may open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableInfo {
    /// Its name.
    pub name: TableName,
    /// What one row is.
    pub doc: GuestText,
    /// Whether a run that names no tables wants it.
    pub default_on: bool,
    /// The encapsulated Arrow schema message, where it is known beforehand.
    #[serde(skip)]
    pub schema: Option<Vec<u8>>,
}

/// A fault that a parser can find in a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultInfo {
    /// Its code: `[a-z][a-z0-9_]{0,62}`.
    pub code: String,
    /// What it means.
    pub doc: GuestText,
}

/// What values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptionKind {
    /// Any text.
    Text,
    /// A decimal that fits i64.
    Integer,
    /// A finite decimal.
    Number,
    /// `true` or `false`.
    Flag,
    /// One of the choices.
    Choice,
}

/// An option of a parser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionInfo {
    /// Its name: a word, with `-` allowed inside.
    pub name: String,
    /// What values it takes.
    pub kind: OptionKind,
    /// The values, for a choice.
    pub choices: Vec<GuestText>,
    /// What it is when nobody says.
    pub default: Option<GuestText>,
    /// What it does.
    pub doc: GuestText,
}

/// A description breaks its own rules.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum DescriptionFault {
    /// A list is too long to be meant.
    #[error("the parser describes {count} {what}, more than {ENTRIES_MAX}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// A name is no name.
    #[error("the parser calls a {what} {name}, which does not match [a-z][a-z0-9_]{{0,62}}")]
    BadName {
        /// Of what.
        what: &'static str,
        /// The name.
        name: GuestText,
    },
    /// A default or a choice is too long to be given.
    #[error("an option's value {value:?} has {bytes} bytes, more than {WORD_BYTES_MAX}")]
    ValueTooLong {
        /// Its beginning.
        value: GuestText,
        /// Its size.
        bytes: usize,
    },
    /// A name is there twice.
    #[error("the parser describes the {what} {name} twice")]
    Twice {
        /// Of what.
        what: &'static str,
        /// The name.
        name: GuestText,
    },
    /// What an option is when nobody says is none of its values.
    #[error("the parser's option {name} is {default} by default, which is not {wanted}")]
    BadDefault {
        /// Of which option.
        name: GuestText,
        /// The default.
        default: GuestText,
        /// What the option takes.
        wanted: GuestText,
    },
}

impl Blamed for DescriptionFault {
    fn blame(&self) -> Blame {
        Blame::Guest
    }

    fn code(&self) -> &'static str {
        match self {
            DescriptionFault::TooMany { .. } | DescriptionFault::ValueTooLong { .. } => {
                "description-too-long"
            }
            DescriptionFault::BadName { .. } => "bad-name",
            DescriptionFault::Twice { .. } => "duplicate-name",
            DescriptionFault::BadDefault { .. } => "bad-default",
        }
    }
}

impl Description {
    /// Checks what the types cannot say: list lengths, name patterns, no name twice, defaults that fit.
    pub fn check(&self) -> Result<(), DescriptionFault> {
        let tables: Vec<&str> = self.tables.iter().map(|t| t.name.as_str()).collect();
        let faults: Vec<&str> = self.faults.iter().map(|f| f.code.as_str()).collect();
        let options: Vec<&str> = self.options.iter().map(|o| o.name.as_str()).collect();
        check_names("table", &tables, false)?;
        check_names("fault", &faults, false)?;
        check_names("option", &options, true)?;
        self.options.iter().try_for_each(OptionInfo::check_default)
    }

    /// Returns the tables that a run which names none wants.
    pub fn default_tables(&self) -> impl Iterator<Item = &TableName> {
        self.tables.iter().filter(|t| t.default_on).map(|t| &t.name)
    }

    /// Returns what was described of a table.
    pub fn table(&self, name: &str) -> Option<&TableInfo> {
        self.tables.iter().find(|t| t.name.as_str() == name)
    }

    /// Checks the options that a person gave against those described, and adds the defaults. The result is sorted by name,
    /// so that what a guest sees does not depend on the order of a command line.
    pub fn resolve_options(&self, given: &[(String, String)]) -> Result<Vec<(String, String)>, OptionFault> {
        for (at, (name, value)) in given.iter().enumerate() {
            let info =
                self.options.iter().find(|o| o.name == *name).ok_or_else(|| self.unknown_option(name))?;
            info.check(value)?;
            if given.iter().take(at).any(|(earlier, _)| earlier == name) {
                return Err(OptionFault::Twice { name: name.clone() });
            }
        }
        let mut resolved = given.to_vec();
        for info in &self.options {
            if let Some(default) =
                info.default.as_ref().filter(|_| !given.iter().any(|(name, _)| *name == info.name))
            {
                resolved.push((info.name.clone(), default.raw().to_owned()));
            }
        }
        resolved.sort();
        Ok(resolved)
    }

    fn unknown_option(&self, name: &str) -> OptionFault {
        let known = self.options.iter().map(|o| o.name.as_str()).collect::<Vec<_>>().join(", ");
        OptionFault::Unknown { name: name.to_owned(), known }
    }
}

fn check_names(what: &'static str, names: &[&str], dashes: bool) -> Result<(), DescriptionFault> {
    if names.len() > ENTRIES_MAX {
        return Err(DescriptionFault::TooMany { what, count: names.len() });
    }
    let mut seen = BTreeSet::new();
    for name in names {
        let fits = if dashes { is_word(&name.replace('-', "_")) } else { is_word(name) };
        let shown = || GuestText::new(name, 64);
        if !fits {
            return Err(DescriptionFault::BadName { what, name: shown() });
        }
        if !seen.insert(name) {
            return Err(DescriptionFault::Twice { what, name: shown() });
        }
    }
    Ok(())
}

/// An option that a person gave does not fit the parser.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum OptionFault {
    /// The parser has no such option.
    #[error("the parser has no option `{name}`; it has: {known}")]
    Unknown {
        /// What was given.
        name: String,
        /// What there is.
        known: String,
    },
    /// One option, two values.
    #[error("option `{name}` is given twice")]
    Twice {
        /// Which.
        name: String,
    },
    /// The value is not of its kind.
    #[error("option `{name}` takes {wanted}, not `{value}`")]
    Value {
        /// Which.
        name: String,
        /// What it takes.
        wanted: String,
        /// What it got.
        value: String,
    },
}

impl Blamed for OptionFault {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        "bad-option"
    }

    fn hint(&self) -> Option<String> {
        Some("`host inspect PARSER` lists its options".to_owned())
    }
}

impl OptionInfo {
    fn check(&self, value: &str) -> Result<(), OptionFault> {
        let fits = match self.kind {
            OptionKind::Text => true,
            OptionKind::Integer => value.parse::<i64>().is_ok(),
            OptionKind::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            OptionKind::Flag => matches!(value, "true" | "false"),
            OptionKind::Choice => self.choices.iter().any(|c| c.raw() == value),
        };
        if fits {
            return Ok(());
        }
        Err(OptionFault::Value { name: self.name.clone(), wanted: self.wanted(), value: value.to_owned() })
    }

    /// Checks that a guest would never see, from itself, a value that a person could not give.
    fn check_default(&self) -> Result<(), DescriptionFault> {
        match &self.default {
            Some(default) if self.check(default.raw()).is_err() => Err(DescriptionFault::BadDefault {
                name: GuestText::new(&self.name, 64),
                default: default.clone(),
                wanted: GuestText::new(&self.wanted(), 256),
            }),
            _ => Ok(()),
        }
    }

    fn wanted(&self) -> String {
        match self.kind {
            OptionKind::Text => "text".to_owned(),
            OptionKind::Integer => "an integer".to_owned(),
            OptionKind::Number => "a number".to_owned(),
            OptionKind::Flag => "`true` or `false`".to_owned(),
            OptionKind::Choice => {
                let choices = self.choices.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>();
                format!("one of {}", choices.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str, kind: OptionKind, default: Option<&str>) -> OptionInfo {
        let text = |t: &str| GuestText::new(t, 64);
        let choices = vec![text("soh"), text("pipe")];
        OptionInfo { name: name.to_owned(), kind, choices, default: default.map(text), doc: text("") }
    }

    fn described() -> Description {
        let text = |t: &str| GuestText::new(t, 64);
        Description {
            name: text("t"),
            version: text("1"),
            doc: text(""),
            tables: vec![],
            faults: vec![],
            options: vec![
                option("delimiter", OptionKind::Choice, Some("soh")),
                option("depth", OptionKind::Integer, None),
            ],
            patterns: vec![],
        }
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn defaults_are_filled_in_and_the_order_given_does_not_matter() {
        let resolved = described().resolve_options(&[pair("depth", "3")]).unwrap();
        assert_eq!(resolved, [pair("delimiter", "soh"), pair("depth", "3")]);
    }

    #[test]
    fn an_option_that_does_not_fit_is_refused_with_what_would() {
        let refused =
            |given: &[(String, String)]| described().resolve_options(given).unwrap_err().to_string();
        assert_eq!(
            refused(&[pair("dept", "3")]),
            "the parser has no option `dept`; it has: delimiter, depth"
        );
        assert_eq!(
            refused(&[pair("delimiter", "tab")]),
            "option `delimiter` takes one of `soh`, `pipe`, not `tab`"
        );
        assert_eq!(refused(&[pair("depth", "1"), pair("depth", "2")]), "option `depth` is given twice");
    }

    #[test]
    fn a_default_that_nobody_could_give_is_refused() {
        let mut bad = described();
        bad.options.push(option("width", OptionKind::Integer, Some("wide")));
        let refused = bad.check().unwrap_err().to_string();
        assert_eq!(refused, "the parser's option width is wide by default, which is not an integer");
        assert_eq!(described().check(), Ok(()));
    }

    #[test]
    fn a_fault_code_that_is_no_word_is_refused() {
        let mut bad = described();
        bad.faults.push(FaultInfo { code: "Bad Code".to_owned(), doc: GuestText::new("", 1) });
        assert!(matches!(bad.check(), Err(DescriptionFault::BadName { what: "fault", .. })));
    }
}
