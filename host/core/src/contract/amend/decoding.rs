//! Decoding: how text becomes a value. Another decoding may read another value out of the same text (`1,5`), so whatever is not
//! plainly an addition is taken to.

use std::collections::BTreeSet;

use arrow_schema::DataType;

use super::{Effect, Ops, Subject, Verb};
use crate::contract::{Column, DateOrder, Decoding, words};

const READS_OTHERWISE: &str = "the same text may be read as another value";
const BECOMES_NULL: &str = "texts that were values become null";
const WAS_NULL: &str = "texts that were null are values, or no values at all";
const NO_LONGER: &str = "texts that were read are read no longer";
const SPACED: &str = "a text of the decoding begins or ends with white space, which is now insignificant";

/// Says what became of the decoding of a column.
pub(super) fn decoding(old: &Column, new: &Column, ops: &mut Ops) {
    let (before, after) = (&old.decoding, &new.decoding);
    let mut add = |name: &str, effect: Effect, old: String, new: String| {
        ops.add(Verb::Change, Subject::Decoding, effect).named(name).was(old).is(new);
    };
    if set(&before.missing_values) != set(&after.missing_values) {
        let shown = |decoding: &Decoding| words::texts(&decoding.missing_values);
        add("missingValues", missing_values(old, new), shown(before), shown(after));
    }
    for (name, of) in [("trueValues", true_values as Texts), ("falseValues", false_values)] {
        if set(of(before)) != set(of(after)) {
            add(name, truth_values(old, new, of), words::texts(of(before)), words::texts(of(after)));
        }
    }
    if before.decimal_char != after.decimal_char {
        let effect = for_numbers(new, Effect::Refuses(Some(READS_OTHERWISE)));
        add("decimalChar", effect, quoted(before.decimal_char), quoted(after.decimal_char));
    }
    if before.group_char != after.group_char {
        let shown = |c: Option<char>| c.map_or_else(|| "none".to_owned(), quoted);
        add("groupChar", group_char(old, new), shown(before.group_char), shown(after.group_char));
    }
    if before.trim != after.trim {
        add("trim", trim(old, new), before.trim.to_string(), after.trim.to_string());
    }
    if before.date_order != after.date_order {
        let shown = |order: Option<DateOrder>| order.map_or("none", words::date_order).to_owned();
        let effect = for_times(new, Effect::Refuses(Some(READS_OTHERWISE)));
        add("dateOrder", effect, shown(before.date_order), shown(after.date_order));
    }
    if before.default_offset_seconds != after.default_offset_seconds {
        let shown = |offset: Option<i32>| offset.map_or_else(|| "none".to_owned(), words::offset);
        let (old_zone, new_zone) = (before.default_offset_seconds, after.default_offset_seconds);
        add("defaultTimezone", zone(old_zone, new_zone, &new.data_type), shown(old_zone), shown(new_zone));
    }
    if before.decode_patterns != after.decode_patterns {
        let shown = |decoding: &Decoding| words::texts(&decoding.decode_patterns);
        let effect = for_times(new, Effect::Refuses(Some(READS_OTHERWISE)));
        add("decodePatterns", effect, shown(before), shown(after));
    }
}

type Texts = fn(&Decoding) -> &[String];

fn true_values(decoding: &Decoding) -> &[String] {
    &decoding.true_values
}

fn false_values(decoding: &Decoding) -> &[String] {
    &decoding.false_values
}

fn set(texts: &[String]) -> BTreeSet<&str> {
    texts.iter().map(String::as_str).collect()
}

fn quoted(c: char) -> String {
    format!("\"{c}\"")
}

/// More texts that are null let rows in where they could be no value; fewer turn null into something else.
fn missing_values(old: &Column, new: &Column) -> Effect {
    let (before, after) = (set(&old.decoding.missing_values), set(&new.decoding.missing_values));
    // Where null was refused, no row was accepted because of what is gone.
    if !old.required && !before.is_subset(&after) {
        return Effect::Refuses(Some(WAS_NULL));
    }
    let mut come = after.difference(&before);
    if come.all(|text| is_no_value(text, old)) { Effect::Admits } else { Effect::Refuses(Some(BECOMES_NULL)) }
}

/// Whether a text cannot be a value of a column. Numbers, dates and times have a digit.
fn is_no_value(text: &str, column: &Column) -> bool {
    match &column.data_type {
        DataType::Boolean => {
            let decoding = &column.decoding;
            !is_among(text, &decoding.true_values) && !is_among(text, &decoding.false_values)
        }
        DataType::Float32 | DataType::Float64 => !has_digit(text) && text.trim().parse::<f64>().is_err(),
        data_type if data_type.is_numeric() || data_type.is_temporal() => !has_digit(text),
        _ => false,
    }
}

fn has_digit(text: &str) -> bool {
    text.chars().any(char::is_numeric)
}

/// Whether a text is in a list, spaces and case aside: nearer than any reading takes it.
fn is_among(text: &str, list: &[String]) -> bool {
    list.iter().any(|other| other.trim().eq_ignore_ascii_case(text.trim()))
}

fn truth_values(old: &Column, new: &Column, of: Texts) -> Effect {
    if new.data_type != DataType::Boolean {
        return Effect::Neutral;
    }
    let (before, after) = (set(of(&old.decoding)), set(of(&new.decoding)));
    let had_a_meaning = |text: &&&str| {
        let others = [&old.decoding.true_values, &old.decoding.false_values, &old.decoding.missing_values];
        others.iter().any(|texts| is_among(text, texts))
    };
    if !before.is_subset(&after) {
        Effect::Refuses(Some(NO_LONGER))
    } else if after.difference(&before).any(|text| had_a_meaning(&text)) {
        Effect::Refuses(Some(READS_OTHERWISE))
    } else {
        Effect::Admits
    }
}

fn for_numbers(column: &Column, effect: Effect) -> Effect {
    if column.data_type.is_numeric() { effect } else { Effect::Neutral }
}

fn for_times(column: &Column, effect: Effect) -> Effect {
    if column.data_type.is_temporal() { effect } else { Effect::Neutral }
}

fn group_char(old: &Column, new: &Column) -> Effect {
    for_numbers(
        new,
        match (old.decoding.group_char, new.decoding.group_char) {
            // No text that was read has a character that is of no number.
            (None, Some(c)) if !c.is_alphanumeric() && !is_of_a_number(c, old) => Effect::Admits,
            (_, None) => Effect::Refuses(Some(NO_LONGER)),
            _ => Effect::Refuses(Some(READS_OTHERWISE)),
        },
    )
}

fn is_of_a_number(c: char, column: &Column) -> bool {
    ['+', '-', '.', column.decoding.decimal_char].contains(&c)
}

fn trim(old: &Column, new: &Column) -> Effect {
    if !new.decoding.trim {
        return Effect::Refuses(Some(NO_LONGER));
    }
    let decoding = &old.decoding;
    let texts =
        [&decoding.missing_values, &decoding.true_values, &decoding.false_values, &decoding.decode_patterns];
    let is_spaced = |text: &String| text.trim() != text;
    if !(old.data_type.is_numeric() || old.data_type.is_temporal() || old.data_type == DataType::Boolean) {
        Effect::Refuses(Some(READS_OTHERWISE))
    } else if texts.into_iter().flatten().any(is_spaced) {
        Effect::Refuses(Some(SPACED))
    } else {
        Effect::Admits
    }
}

fn zone(old: Option<i32>, new: Option<i32>, data_type: &DataType) -> Effect {
    match (old, new, data_type) {
        (None, Some(_), DataType::Timestamp(_, Some(_))) => Effect::Admits,
        (_, None, DataType::Timestamp(_, Some(_))) => Effect::Refuses(Some(NO_LONGER)),
        (_, _, DataType::Timestamp(..)) => Effect::Refuses(Some(READS_OTHERWISE)),
        _ => Effect::Neutral,
    }
}
