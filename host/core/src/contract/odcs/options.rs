//! `logicalTypeOptions` become checks: ranges, lengths, patterns, formats, counts of items.

use std::cmp::Ordering;

use arrow_schema::DataType;

use super::decoding::Standard;
use super::fault::{Findings, Place, shown};
use super::fields::{self, Fields, Word};
use super::tree::Node;
use super::{Reading, value};
use crate::contract::text::Pattern;
use crate::contract::{Check, Rule, Severity, TextFormat, words};

type RuleOfValue = fn(String) -> Rule;
type RuleOfCount = fn(u64) -> Rule;

const RANGES: [Word<RuleOfValue>; 4] = [
    ("minimum", Rule::Minimum),
    ("maximum", Rule::Maximum),
    ("exclusiveMinimum", Rule::ExclusiveMinimum),
    ("exclusiveMaximum", Rule::ExclusiveMaximum),
];
const LENGTHS: [Word<RuleOfCount>; 2] = [("minLength", Rule::MinLength), ("maxLength", Rule::MaxLength)];
const ITEMS: [Word<RuleOfCount>; 2] = [("minItems", Rule::MinItems), ("maxItems", Rule::MaxItems)];
const FORMATS: [Word<TextFormat>; 6] = [
    ("uuid", TextFormat::Uuid),
    ("email", TextFormat::Email),
    ("uri", TextFormat::Uri),
    ("ipv4", TextFormat::Ipv4),
    ("ipv6", TextFormat::Ipv6),
    ("hostname", TextFormat::Hostname),
];

/// Reads the checks that a type's options ask for. What they say of decoding goes to `standard`.
pub(super) fn checks<'n>(
    options: &mut Fields<'n>,
    data_type: &DataType,
    standard: &mut Standard<'n>,
    reading: &mut Reading,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |name: &str, rule: Option<Rule>| checks.extend(rule.map(|rule| check(name, rule)));
    if data_type.is_numeric() || data_type.is_temporal() {
        for (key, rule) in RANGES {
            add(
                key,
                options
                    .take(key)
                    .and_then(|node| value::value(node, data_type, &mut reading.found))
                    .map(rule),
            );
        }
    }
    if data_type.is_numeric() {
        add(
            "multipleOf",
            options.take("multipleOf").and_then(|node| multiple(node, data_type, &mut reading.found)),
        );
    }
    if data_type.is_temporal() {
        standard.format = options.take("format");
    }
    if matches!(data_type, DataType::Timestamp(_, Some(_))) {
        standard.default_timezone = options.take("defaultTimezone");
    }
    if matches!(data_type, DataType::Utf8 | DataType::Binary) {
        for (key, rule) in LENGTHS {
            add(key, options.take(key).and_then(|node| fields::count(node, &mut reading.found)).map(rule));
        }
    }
    if *data_type == DataType::Utf8 {
        add("pattern", options.take("pattern").and_then(|node| pattern(node, reading)).map(Rule::Pattern));
        let format = options.take("format").and_then(|node| fields::word(node, &FORMATS, &mut reading.found));
        add("format", format.map(Rule::Format));
    }
    if matches!(data_type, DataType::List(_)) {
        for (key, rule) in ITEMS {
            add(key, options.take(key).and_then(|node| fields::count(node, &mut reading.found)).map(rule));
        }
        let unique = options.take("uniqueItems").and_then(|node| fields::flag(node, &mut reading.found));
        add("uniqueItems", unique.filter(|is_unique| *is_unique).map(|_| Rule::UniqueItems));
    }
    checks
}

fn check(name: &str, rule: Rule) -> Check {
    Check { name: name.to_owned(), rule, severity: Severity::Error }
}

fn multiple(node: &Node, data_type: &DataType, found: &mut Findings) -> Option<Rule> {
    let step = value::value(node, data_type, found)?;
    if !value::is_positive(&step) {
        found.fault(
            node.at,
            "bad-value",
            format!("nothing is a multiple of {}; it must be more than 0", shown(&step)),
        );
        return None;
    }
    if data_type.is_floating() && step.contains('.') {
        let message = format!("hardly a {} is a multiple of exactly {step}", words::data_type(data_type));
        found.note(node.at, "float-equality", message, "make it a decimal: `physicalType: DECIMAL(p,s)`");
    }
    Some(Rule::MultipleOf(step))
}

/// Reads a pattern and tries it.
pub(super) fn pattern(node: &Node, reading: &mut Reading) -> Option<String> {
    let text = fields::text(node, &mut reading.found)?;
    if !reading.try_pattern(text, node.at) {
        return None;
    }
    match Pattern::compile(text) {
        Ok(pattern) => {
            if !pattern.is_anchored() {
                let message = format!("{} is looked for anywhere in a text", shown(text));
                let hint = "to match the whole text, write `^(…)$`";
                reading.found.note(node.at, "unanchored-pattern", message, hint);
            }
            Some(text.to_owned())
        }
        Err(fault) => {
            let message = format!("{} is no pattern: {}", shown(text), fault.message);
            match fault.hint {
                Some(hint) => reading.found.fault_with_hint(node.at, "bad-pattern", message, hint),
                None => reading.found.fault(node.at, "bad-pattern", message),
            }
            None
        }
    }
}

/// Finds fault with bounds between which there is nothing.
pub(super) fn compare(checks: &[Check], data_type: &DataType, at: Place, found: &mut Findings) {
    for lower in checks {
        for upper in checks {
            if excludes(&lower.rule, &upper.rule, data_type) {
                let message = format!("no value passes both `{}` and `{}`", lower.name, upper.name);
                found.fault(at, "nothing-passes", message);
            }
        }
    }
}

/// Whether nothing passes a lower and an upper bound.
fn excludes(lower: &Rule, upper: &Rule, data_type: &DataType) -> bool {
    let order = |low: &str, high: &str| value::order(low, high, data_type);
    match (lower, upper) {
        (Rule::Minimum(low), Rule::Maximum(high)) => order(low, high) == Some(Ordering::Greater),
        (
            Rule::Minimum(low) | Rule::ExclusiveMinimum(low),
            Rule::Maximum(high) | Rule::ExclusiveMaximum(high),
        ) => {
            matches!(order(low, high), Some(Ordering::Greater | Ordering::Equal))
        }
        (Rule::MinLength(low), Rule::MaxLength(high)) | (Rule::MinItems(low), Rule::MaxItems(high)) => {
            low > high
        }
        _ => false,
    }
}
