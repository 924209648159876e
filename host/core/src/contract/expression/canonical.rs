//! One spelling for one tree: keywords in capitals, one space, brackets only where they are needed, names in quotes only
//! where they must be, literals in their shortest form, lists sorted. What it spells is read back as the same tree.

use super::literal;
use super::parse::is_reserved;
use super::tree::{Node, Shape};

/// How tightly an operator binds: what binds less stands in brackets.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binding {
    Or,
    And,
    Not,
    Predicate,
    Sum,
    Product,
    Sign,
    Whole,
}

/// Writes a tree. `names` are those of its columns.
pub(super) fn text(node: &Node, names: &[&str]) -> String {
    write(node, names, Binding::Or)
}

fn write(node: &Node, names: &[&str], wanted: Binding) -> String {
    let bare = bare(node, names);
    if binding(node) < wanted { format!("({bare})") } else { bare }
}

fn binding(node: &Node) -> Binding {
    use super::tree::Operation;
    match &node.shape {
        Shape::Or(_) => Binding::Or,
        Shape::And(_) => Binding::And,
        Shape::Not(inner) if has_own_negation(inner) => Binding::Predicate,
        Shape::Not(_) => Binding::Not,
        Shape::Compare(..) | Shape::IsNull(_) | Shape::Between(..) | Shape::In(..) => Binding::Predicate,
        Shape::Compute(Operation::Add | Operation::Subtract, ..) => Binding::Sum,
        Shape::Compute(Operation::Multiply, ..) => Binding::Product,
        Shape::Negate(_) => Binding::Sign,
        Shape::Exact(value) if node.kind.is_number() && *value < 0 => Binding::Sign,
        Shape::Float { digits, .. } if *digits < 0 => Binding::Sign,
        _ => Binding::Whole,
    }
}

/// Whether the negation is written within it: `a IS NOT NULL`.
fn has_own_negation(node: &Node) -> bool {
    matches!(node.shape, Shape::IsNull(_) | Shape::Between(..) | Shape::In(..))
}

fn bare(node: &Node, names: &[&str]) -> String {
    let within = |node: &Node, wanted| write(node, names, wanted);
    match &node.shape {
        Shape::Or(parts) => list(parts, names, " OR ", Binding::And),
        Shape::And(parts) => list(parts, names, " AND ", Binding::Not),
        Shape::Not(inner) if has_own_negation(inner) => predicate(inner, names, "NOT "),
        Shape::Not(inner) => format!("NOT {}", within(inner, Binding::Not)),
        Shape::Compare(comparison, left, right) => {
            format!("{} {} {}", within(left, Binding::Sum), comparison.sign(), within(right, Binding::Sum))
        }
        Shape::Compute(operation, left, right) => {
            // The left one may be of the same strength: a - b - c.
            let (left_binding, right_binding) = match binding(node) {
                Binding::Product => (Binding::Product, Binding::Sign),
                _ => (Binding::Sum, Binding::Product),
            };
            format!("{} {} {}", within(left, left_binding), operation.sign(), within(right, right_binding))
        }
        Shape::Negate(inner) => {
            let inner = within(inner, Binding::Sign);
            if inner.starts_with('-') { format!("- {inner}") } else { format!("-{inner}") }
        }
        Shape::Absolute(inner) => format!("abs({})", within(inner, Binding::Or)),
        Shape::Length(inner) => format!("length({})", within(inner, Binding::Or)),
        Shape::Coalesce(parts) => format!("coalesce({})", list(parts, names, ", ", Binding::Or)),
        Shape::IsNull(_) | Shape::Between(..) | Shape::In(..) => predicate(node, names, ""),
        Shape::Column(place) => names.get(*place).map_or_else(String::new, |name| name_text(name)),
        Shape::Exact(value) => literal::text(*value, node.kind),
        Shape::Float { digits, scale, .. } => literal::number_text(*digits, *scale),
        Shape::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Shape::Truth(truth) => truth.to_string().to_uppercase(),
    }
}

fn predicate(node: &Node, names: &[&str], negation: &str) -> String {
    let within = |node: &Node| write(node, names, Binding::Sum);
    match &node.shape {
        Shape::IsNull(inner) => format!("{} IS {negation}NULL", within(inner)),
        Shape::Between(inner, low, high) => {
            format!("{} {negation}BETWEEN {} AND {}", within(inner), within(low), within(high))
        }
        Shape::In(inner, items, _) => {
            format!("{} {negation}IN ({})", within(inner), list(items, names, ", ", Binding::Or))
        }
        _ => bare(node, names),
    }
}

fn list(parts: &[Node], names: &[&str], between: &str, wanted: Binding) -> String {
    let parts: Vec<String> = parts.iter().map(|part| write(part, names, wanted)).collect();
    parts.join(between)
}

fn name_text(name: &str) -> String {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_bare = name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit());
    if is_bare && !is_reserved(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
