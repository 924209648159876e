//! Columns: which came, went, moved or were perhaps renamed; and what became of those that stayed.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::DataType;

use super::{Class, Effect, Ops, Subject, Verb};
use super::{check, decoding};
use crate::contract::{Column, Rule, words};

const PERHAPS: &str = "a guess: the column that went and the one that came are alike in all but the name";
const SHAPE: &str = "a column's type is part of the output's shape";
const LAST_DIGIT: &str = "wider types may reckon otherwise in the rules between columns";

/// What names became, where columns were renamed.
pub(super) type Renamed = BTreeMap<String, String>;

/// What the places of columns mean on either side, in the new contract's names.
pub(super) struct Names<'a> {
    pub(super) old: &'a [Column],
    pub(super) new: &'a [Column],
    pub(super) renamed: &'a Renamed,
}

impl Names<'_> {
    pub(super) fn was(&self, place: usize) -> String {
        let name = name(self.old, place);
        self.renamed.get(&name).cloned().unwrap_or(name)
    }

    pub(super) fn is(&self, place: usize) -> String {
        name(self.new, place)
    }
}

fn name(columns: &[Column], place: usize) -> String {
    columns.get(place).map_or_else(|| format!("#{place}"), |column| column.name.clone())
}

/// How the columns lie around: what that means for those that come, go and move.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// Whether nothing came but what was named, so that a column that comes was never sent.
    pub(super) was_frozen: bool,
    /// What a column that went does to rows.
    pub(super) drop: Effect,
    /// What an order that changed does to rows.
    pub(super) reorder: Effect,
    /// Whether values of columns are reckoned with.
    pub(super) has_rules: bool,
}

impl Setting {
    /// What becomes of the fields of an object: nothing is known of those that nobody named.
    const NESTED: Setting = Setting {
        was_frozen: false,
        drop: Effect::ReshapesAndRefuses(None),
        reorder: Effect::ReshapesAndRefuses(None),
        has_rules: true,
    };
}

/// Says what became of columns, or of the fields of an object. `path` stands before their names.
pub(super) fn columns(
    old: &[Column],
    new: &[Column],
    path: &str,
    setting: Setting,
    ops: &mut Ops,
) -> Renamed {
    let news: BTreeMap<&str, &Column> = new.iter().map(|column| (column.name.as_str(), column)).collect();
    let olds: BTreeSet<&str> = old.iter().map(|column| column.name.as_str()).collect();
    let gone: Vec<&Column> = old.iter().filter(|column| !news.contains_key(column.name.as_str())).collect();
    let come: Vec<&Column> = new.iter().filter(|column| !olds.contains(column.name.as_str())).collect();
    let renamed = renamed(&gone, &come);
    for column in old {
        ops.column = Some(format!("{path}{}", column.name));
        match (news.get(column.name.as_str()), renamed.get(&column.name)) {
            (Some(new), _) => changed(column, new, path, setting, ops),
            (None, Some(name)) => {
                let effect = Effect::ReshapesAndRefuses(Some(PERHAPS));
                ops.add(Verb::Rename, Subject::Column, effect).was(&column.name).is(name);
            }
            (None, None) => {
                ops.add(Verb::Drop, Subject::Column, setting.drop).was(said(column));
            }
        }
    }
    let names: BTreeSet<&String> = renamed.values().collect();
    for column in come.into_iter().filter(|column| !names.contains(&column.name)) {
        ops.column = Some(format!("{path}{}", column.name));
        ops.add(Verb::Add, Subject::Column, added(column, setting)).is(said(column));
    }
    reordered(old, new, &renamed, path, setting, ops);
    ops.column = None;
    renamed
}

/// A column that is not sent is null, where it may be.
fn added(column: &Column, setting: Setting) -> Effect {
    let may_be_null = !column.required && column.checks.iter().all(|check| check.rule != Rule::NotNull);
    if setting.was_frozen && may_be_null && column.children.is_empty() {
        Effect::Reshapes(None)
    } else {
        Effect::ReshapesAndRefuses(None)
    }
}

fn said(column: &Column) -> String {
    let null = if column.required { ", required" } else { "" };
    format!("{}{null}", words::data_type(&column.data_type))
}

/// Guesses which of the columns that went became which of those that came: the only one that is alike in all but the name.
fn renamed(gone: &[&Column], come: &[&Column]) -> Renamed {
    let (gone, come) = (by_likeness(gone), by_likeness(come));
    let only =
        |(likeness, names): (&String, &Vec<&str>)| match (names.as_slice(), come.get(likeness)?.as_slice()) {
            ([old], [new]) => Some(((*old).to_owned(), (*new).to_owned())),
            _ => None,
        };
    gone.iter().filter_map(only).collect()
}

fn by_likeness<'a>(columns: &[&'a Column]) -> BTreeMap<String, Vec<&'a str>> {
    let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for column in columns {
        let nameless = Column { name: String::new(), ..(*column).clone() };
        names.entry(format!("{nameless:?}")).or_default().push(&column.name);
    }
    names
}

fn reordered(old: &[Column], new: &[Column], renamed: &Renamed, path: &str, setting: Setting, ops: &mut Ops) {
    let news: BTreeSet<&str> = new.iter().map(|column| column.name.as_str()).collect();
    let before = old.iter().map(|column| renamed.get(&column.name).unwrap_or(&column.name).as_str());
    let before: Vec<&str> = before.filter(|name| news.contains(name)).collect();
    let stayed: BTreeSet<&str> = before.iter().copied().collect();
    let after: Vec<&str> =
        new.iter().map(|column| column.name.as_str()).filter(|name| stayed.contains(name)).collect();
    if before != after {
        ops.column = (!path.is_empty()).then(|| path.trim_end_matches('.').to_owned());
        let operation = ops.add(Verb::Reorder, Subject::Columns, setting.reorder);
        operation.was(before.join(", ")).is(after.join(", "));
    }
}

fn changed(old: &Column, new: &Column, path: &str, setting: Setting, ops: &mut Ops) {
    let this = ops.column.clone();
    let before = ops.found.len();
    nested(old, new, path, ops);
    let is_told = ops.found.iter().skip(before).any(|operation| operation.class == Class::Reshaping);
    ops.column = this;
    if old.data_type != new.data_type && !(is_told && is_nested(&old.data_type) && is_nested(&new.data_type))
    {
        other_type(old, new, setting, ops);
    }
    if old.required != new.required {
        let (verb, effect) =
            if new.required { (Verb::Narrow, Effect::Refuses(None)) } else { (Verb::Widen, Effect::Admits) };
        let said = |column: &Column| if column.required { "required" } else { "may be null" };
        ops.add(verb, Subject::Null, effect).was(said(old)).is(said(new));
    }
    decoding::decoding(old, new, ops);
    check::checks(old, new, ops);
}

fn is_nested(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::Struct(_))
}

/// Looks into arrays and objects of the same kind.
fn nested(old: &Column, new: &Column, path: &str, ops: &mut Ops) {
    match (&old.data_type, &new.data_type, old.children.as_slice(), new.children.as_slice()) {
        (DataType::List(_), DataType::List(_), [item], [other]) => {
            ops.column = Some(format!("{path}{}[]", old.name));
            // An item has no name of its own.
            let item = Column { name: format!("{}[]", old.name), ..item.clone() };
            let other = Column { name: item.name.clone(), ..other.clone() };
            changed(&item, &other, path, Setting::NESTED, ops);
        }
        (DataType::Struct(_), DataType::Struct(_), fields, others) => {
            columns(fields, others, &format!("{path}{}.", old.name), Setting::NESTED, ops);
        }
        _ => {}
    }
}

fn other_type(old: &Column, new: &Column, setting: Setting, ops: &mut Ops) {
    let (verb, effect) =
        match (is_wider(&old.data_type, &new.data_type), is_wider(&new.data_type, &old.data_type)) {
            (true, _) if setting.has_rules => (Verb::Widen, Effect::ReshapesAndRefuses(Some(LAST_DIGIT))),
            (true, _) => (Verb::Widen, Effect::Reshapes(Some(SHAPE))),
            (false, true) => (Verb::Narrow, Effect::ReshapesAndRefuses(Some(SHAPE))),
            (false, false) => (Verb::Change, Effect::ReshapesAndRefuses(Some(SHAPE))),
        };
    let operation = ops.add(verb, Subject::Type, effect);
    operation.was(words::data_type(&old.data_type)).is(words::data_type(&new.data_type));
}

/// Whether every value of `old` is the same value of `new`, written by the same text. Floats are not among them: what a longer
/// one writes for the value of a shorter one is another text. Nor are finer times: they reach less far.
fn is_wider(old: &DataType, new: &DataType) -> bool {
    match (old, new) {
        (DataType::Decimal128(old_digits, old_scale), DataType::Decimal128(digits, scale)) => {
            let whole = |digits: u8, scale: i8| i16::from(digits) - i16::from(scale);
            scale >= old_scale && whole(*digits, *scale) >= whole(*old_digits, *old_scale)
        }
        _ => match (integer(old), integer(new)) {
            (Some((old_signed, old_bits)), Some((signed, bits))) => {
                bits > old_bits && (signed || !old_signed)
            }
            _ => false,
        },
    }
}

/// Returns whether an integer has a sign, and its bits.
fn integer(data_type: &DataType) -> Option<(bool, usize)> {
    let bits = data_type.primitive_width().filter(|_| data_type.is_integer())?;
    Some((data_type.is_signed_integer(), bits))
}
