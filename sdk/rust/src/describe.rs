//! What a parser says about itself, before it has seen any input.

use crate::column::{Columns, IntoRow};
use crate::fault::{Fault, FaultCode, Span};
use crate::schema::Schema;

/// What a parser is: its name, its tables, its faults, its options. A constant: no input changes it.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// A sentence or two for people.
    pub doc: String,
    /// The tables it may open whose columns are known beforehand, and those that are not.
    pub tables: Vec<TableInfo>,
    /// Code and meaning of every fault it can find in a record.
    pub faults: Vec<(&'static str, &'static str)>,
    /// What can be set from outside.
    pub options: Vec<OptionInfo>,
    /// File globs that it usually reads.
    pub patterns: Vec<String>,
    /// Anything else worth showing.
    pub extra: Vec<(String, String)>,
}

impl Description {
    /// Starts a description.
    pub fn new(name: &str, version: &str) -> Description {
        Description { name: name.into(), version: version.into(), ..Description::default() }
    }

    /// Sets the sentence for people.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        self.doc = doc.into();
        self
    }

    /// Adds a table made with [`table!`](crate::table!).
    #[must_use]
    pub fn table<C: Columns>(self) -> Self {
        self.schema(C::schema())
    }

    /// Adds the table whose rows are values of `R`, a struct with `#[derive(Row)]`.
    #[must_use]
    pub fn rows<R: IntoRow>(self) -> Self {
        self.table::<R::Columns>()
    }

    /// Adds a table by its schema.
    #[must_use]
    pub fn schema(mut self, schema: Schema) -> Self {
        let (name, doc, default_on) = (schema.name.clone(), schema.doc.clone(), schema.default_on);
        self.tables.push(TableInfo { name, doc, default_on, schema: Some(schema) });
        self
    }

    /// Adds a table whose columns depend on the input.
    #[must_use]
    pub fn open_table(mut self, name: &str, doc: &str) -> Self {
        self.tables.push(TableInfo { name: name.into(), doc: doc.into(), default_on: true, schema: None });
        self
    }

    /// Declares the faults of the parser, once, with an enum made with [`faults!`](crate::faults!).
    #[must_use]
    pub fn faults<F: FaultCode>(mut self) -> Self {
        self.faults = F::ALL.iter().map(|(code, doc)| (*code, doc.trim_ascii())).collect();
        self
    }

    /// Adds an option.
    #[must_use]
    pub fn option(mut self, option: OptionInfo) -> Self {
        self.options.push(option);
        self
    }

    /// Adds a file glob.
    #[must_use]
    pub fn pattern(mut self, glob: &str) -> Self {
        self.patterns.push(glob.into());
        self
    }

    /// Adds something else worth showing.
    #[must_use]
    pub fn extra(mut self, key: &str, value: &str) -> Self {
        self.extra.push((key.into(), value.into()));
        self
    }
}

/// A table in a [`Description`].
#[derive(Clone, Debug)]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// What a row of it is.
    pub doc: String,
    /// Whether a run that names no tables wants it.
    pub default_on: bool,
    /// Its columns, where they are known beforehand.
    pub schema: Option<Schema>,
}

/// What kind of value an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Any text.
    Text,
    /// A decimal integer that fits `i64`.
    Integer,
    /// A finite decimal number.
    Number,
    /// `true` or `false`.
    Flag,
    /// One of a few words.
    Choice,
}

/// An option of a parser.
#[derive(Clone, Debug)]
pub struct OptionInfo {
    /// Its name.
    pub name: String,
    /// What kind of value it takes.
    pub kind: OptionKind,
    /// The words of a choice.
    pub choices: Vec<String>,
    /// The value when nobody sets it.
    pub default: Option<String>,
    /// What it does.
    pub doc: String,
}

impl OptionInfo {
    fn new(name: &str, kind: OptionKind) -> OptionInfo {
        OptionInfo { name: name.into(), kind, choices: Vec::new(), default: None, doc: String::new() }
    }

    /// Declares an option that takes text.
    pub fn text(name: &str) -> OptionInfo {
        OptionInfo::new(name, OptionKind::Text)
    }

    /// Declares an option that takes an integer.
    pub fn integer(name: &str) -> OptionInfo {
        OptionInfo::new(name, OptionKind::Integer)
    }

    /// Declares an option that takes a number.
    pub fn number(name: &str) -> OptionInfo {
        OptionInfo::new(name, OptionKind::Number)
    }

    /// Declares an option that is on or off; off unless a default says otherwise.
    pub fn flag(name: &str) -> OptionInfo {
        OptionInfo::new(name, OptionKind::Flag).default("false")
    }

    /// Declares an option that takes one of a few words.
    pub fn choice(name: &str, choices: &[&str]) -> OptionInfo {
        let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
        OptionInfo { choices, ..OptionInfo::new(name, OptionKind::Choice) }
    }

    /// Sets the value that holds when nobody sets one.
    #[must_use]
    pub fn default(mut self, value: &str) -> Self {
        self.default = Some(value.into());
        self
    }

    /// Says what it does.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        self.doc = doc.into();
        self
    }
}

/// How one input is cut: ranges that touch and cover it, and what all of them need to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Ascending, touching, covering the input; none for an empty one.
    pub ranges: Vec<Span>,
    /// What was settled once: a dialect, a header.
    pub context: Vec<u8>,
}

impl Layout {
    /// Returns one range over an input of `len` bytes.
    pub fn whole(len: u64) -> Layout {
        Layout::cut_at(len, [])
    }

    /// Returns the ranges between `cuts` (offsets inside the input, ascending) over an input of `len` bytes.
    /// Cuts that do not ascend or lie outside are left out.
    pub fn cut_at(len: u64, cuts: impl IntoIterator<Item = u64>) -> Layout {
        let mut ranges = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([len]) {
            if cut > start && cut <= len {
                ranges.push(Span::between(start, cut));
                start = cut;
            }
        }
        Layout { ranges, context: Vec::new() }
    }

    /// Sets what all ranges need to know.
    #[must_use]
    pub fn context(mut self, context: Vec<u8>) -> Self {
        self.context = context;
        self
    }
}

/// What was set from outside for this run, defaults included.
#[derive(Clone, Debug, Default)]
pub struct Options {
    values: Vec<(String, String)>,
    declared: Vec<OptionInfo>,
}

impl Options {
    /// Joins what was set with what the description declares.
    pub fn new(description: &Description, values: Vec<(String, String)>) -> Options {
        Options::joined(description.options.clone(), values)
    }

    pub(crate) fn joined(declared: Vec<OptionInfo>, values: Vec<(String, String)>) -> Options {
        Options { values, declared }
    }

    /// Returns the value that was set, or the default, as it was written; `None` where there is neither.
    pub fn value(&self, name: &str) -> Option<&str> {
        let set = self.values.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        set.or_else(|| self.declared.iter().find(|option| option.name == name)?.default.as_deref())
    }

    /// Returns the text of an option. Fails where it has neither a value nor a default.
    pub fn text(&self, name: &str) -> Result<&str, Fault> {
        self.value(name).ok_or_else(|| {
            Fault::new("option-missing", format!("option `{name}` has no value and no default"))
        })
    }

    /// Returns an option as an integer. Fails where it is missing or does not fit `i64`.
    pub fn integer(&self, name: &str) -> Result<i64, Fault> {
        self.typed(name, "an integer")
    }

    /// Returns an option as a number. Fails where it is missing or not a finite decimal.
    pub fn number(&self, name: &str) -> Result<f64, Fault> {
        let number: f64 = self.typed(name, "a number")?;
        if number.is_finite() { Ok(number) } else { Err(self.unfit(name, "a finite number")) }
    }

    /// Returns an option as on or off. Fails where it is missing or neither `true` nor `false`.
    pub fn flag(&self, name: &str) -> Result<bool, Fault> {
        self.typed(name, "`true` or `false`")
    }

    /// Returns which of the declared choices an option is, by position. Fails where it is missing or none of them.
    pub fn choice(&self, name: &str) -> Result<usize, Fault> {
        let value = self.text(name)?;
        let declared = self.declared.iter().find(|option| option.name == name);
        let choices = declared.map_or(&[][..], |option| &option.choices);
        let place = choices.iter().position(|choice| choice == value);
        place.ok_or_else(|| self.unfit(name, &format!("one of {}", choices.join(", "))))
    }

    fn typed<T: std::str::FromStr>(&self, name: &str, wanted: &str) -> Result<T, Fault> {
        self.text(name)?.parse().map_err(|_| self.unfit(name, wanted))
    }

    fn unfit(&self, name: &str, wanted: &str) -> Fault {
        let value = self.value(name).unwrap_or_default();
        Fault::new("option-unfit", format!("option `{name}` is `{value}`, wanted {wanted}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(values: &[(&str, &str)]) -> Options {
        let description = Description::new("t", "1")
            .option(OptionInfo::integer("limit").default("7"))
            .option(OptionInfo::number("ratio"))
            .option(OptionInfo::flag("loud"))
            .option(OptionInfo::choice("mode", &["fast", "safe"]).default("safe"));
        Options::new(&description, values.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
    }

    #[test]
    fn an_option_nobody_set_has_its_default() {
        let unset = options(&[]);
        assert_eq!(
            (unset.integer("limit"), unset.flag("loud"), unset.choice("mode")),
            (Ok(7), Ok(false), Ok(1))
        );
        assert_eq!(unset.number("ratio").unwrap_err().code(), "option-missing");
    }

    #[test]
    fn an_option_that_does_not_fit_is_named_with_its_value() {
        let bad = options(&[("limit", "many"), ("ratio", "inf"), ("mode", "slow")]);
        assert_eq!(
            bad.integer("limit").unwrap_err().message(),
            "option `limit` is `many`, wanted an integer"
        );
        assert_eq!(
            bad.number("ratio").unwrap_err().message(),
            "option `ratio` is `inf`, wanted a finite number"
        );
        assert_eq!(
            bad.choice("mode").unwrap_err().message(),
            "option `mode` is `slow`, wanted one of fast, safe"
        );
    }

    #[test]
    fn a_layout_covers_the_input_and_leaves_foolish_cuts_out() {
        let layout = Layout::cut_at(10, [0, 4, 3, 4, 10, 12]);
        assert_eq!(layout.ranges, [Span::new(0, 4), Span::new(4, 6)]);
        assert_eq!(Layout::whole(0).ranges, []);
    }
}
