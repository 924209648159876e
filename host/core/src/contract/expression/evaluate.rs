//! Evaluates a rule on columns: each node gives a column of its values, some thousand rows at a time.
//!
//! A truth is one of four: true, false, unknown, failed. AND is the first of false, failed, unknown, true that one of its
//! parts is; OR the first of true, failed, unknown, false. Everything else is failed where a part of it is, unknown where a
//! part of it is; but `coalesce` does not look behind the first value that is there, and `IS NULL` is never unknown.

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};

use super::Truths;
use super::cells::{
    Cells, Mask, Values, ask, ask_one, compare, compare_scaled, each, either, pairs, product, rescaled, tidy,
    without,
};
use super::tree::{Comparison, Kind, Members, Node, Operation, Shape};

/// Rows that are evaluated together: enough to forget the tree, few enough that what lies between two nodes stays in the cache.
const ROWS_AT_ONCE: usize = 2048;

/// Judges the rows of a batch. `columns` are the places of the columns that the rule names.
pub(super) fn judge(root: &Node, columns: &[usize], rows: &RecordBatch) -> Truths {
    let n_rows = rows.num_rows();
    let mut broken = Gathered::new(n_rows);
    let mut incomputable = Gathered::new(n_rows);
    let mut from = 0;
    while from < n_rows {
        let count = ROWS_AT_ONCE.min(n_rows.saturating_sub(from));
        let slices: Option<Vec<ArrayRef>> =
            columns.iter().map(|place| Some(rows.columns().get(*place)?.slice(from, count))).collect();
        let found = slices.and_then(|columns| truths(&Rows { columns: &columns, count }, root));
        let found = found
            .unwrap_or_else(|| Truths { broken: None, incomputable: Some(BooleanBuffer::new_set(count)) });
        broken.add(found.broken, count);
        incomputable.add(found.incomputable, count);
        from = from.saturating_add(count);
    }
    Truths { broken: broken.finish(), incomputable: incomputable.finish() }
}

/// Masks of batches, one behind the other. Costs nothing until a bit is set.
struct Gathered {
    bits: Option<BooleanBufferBuilder>,
    rows: usize,
    rows_max: usize,
}

impl Gathered {
    fn new(rows_max: usize) -> Self {
        Self { bits: None, rows: 0, rows_max }
    }

    fn add(&mut self, mask: Mask, count: usize) {
        if mask.is_some() && self.bits.is_none() {
            let mut bits = BooleanBufferBuilder::new(self.rows_max);
            bits.append_n(self.rows, false);
            self.bits = Some(bits);
        }
        match (&mut self.bits, mask) {
            (Some(bits), Some(mask)) => bits.append_buffer(&mask),
            (Some(bits), None) => bits.append_n(count, false),
            (None, _) => {}
        }
        self.rows = self.rows.saturating_add(count);
    }

    fn finish(self) -> Mask {
        self.bits.map(|mut bits| bits.finish())
    }
}

fn truths(rows: &Rows<'_>, root: &Node) -> Option<Truths> {
    let cells = rows.cells(root)?;
    let (unknown, failed) = cells.masks();
    let Values::Truth(values) = cells.values else { return None };
    let broken = without(without(Some(!&values), unknown.as_ref()), failed.as_ref());
    Some(Truths { broken: tidy(broken), incomputable: tidy(failed) })
}

/// The columns that a rule names, in the order in which it does.
struct Rows<'a> {
    columns: &'a [ArrayRef],
    count: usize,
}

impl<'a> Rows<'a> {
    /// Returns the values of a node, or none where a column is not of the kind that the rule was read against.
    fn cells(&self, node: &'a Node) -> Option<Cells<'a>> {
        match &node.shape {
            Shape::Column(place) => self.column(*place, node.kind),
            Shape::Exact(value) => Some(Cells::known(Values::Exact(vec![*value; self.count]))),
            Shape::Float { value, .. } => Some(Cells::known(Values::Float(vec![*value; self.count]))),
            Shape::Text(text) => Some(Cells::known(Values::Bytes(vec![text.as_bytes(); self.count]))),
            Shape::Truth(true) => Some(Cells::known(Values::Truth(BooleanBuffer::new_set(self.count)))),
            Shape::Truth(false) => Some(Cells::known(Values::Truth(BooleanBuffer::new_unset(self.count)))),
            Shape::Not(inner) => self.not(inner),
            Shape::And(parts) => self.all(parts),
            Shape::Or(parts) => self.any(parts),
            Shape::Compare(comparison, left, right) => {
                compared(*comparison, &self.scaled(left)?, &self.scaled(right)?)
            }
            Shape::Between(inner, low, high) => self.between(inner, low, high),
            Shape::In(inner, _, members) => self.is_in(inner, members),
            Shape::IsNull(inner) => self.is_null(inner),
            Shape::Compute(operation, left, right) => self.compute(*operation, left, right, node.kind),
            Shape::Negate(inner) => self.changed(inner, i128::overflowing_neg, |value| -value),
            Shape::Absolute(inner) => {
                let absolute = |value: i128| if value < 0 { value.overflowing_neg() } else { (value, false) };
                self.changed(inner, absolute, f64::abs)
            }
            Shape::Length(inner) => self.length(inner),
            Shape::Coalesce(parts) => self.coalesce(parts, node.kind),
        }
    }

    fn column(&self, place: usize, kind: Kind) -> Option<Cells<'a>> {
        let column = self.columns.get(place)?;
        (Kind::of(column.data_type()) == kind).then(|| Cells::load(column))
    }

    fn scaled(&self, node: &'a Node) -> Option<Scaled<'a>> {
        Some(Scaled { cells: self.cells(node)?, scale: node.kind.scale().unwrap_or(0) })
    }

    fn not(&self, inner: &'a Node) -> Option<Cells<'a>> {
        let cells = self.cells(inner)?;
        let Values::Truth(values) = &cells.values else { return None };
        Some(Cells { values: Values::Truth(!values), ..cells })
    }

    fn all(&self, parts: &'a [Node]) -> Option<Cells<'a>> {
        let mut parts = parts.iter().map(|part| self.cells(part));
        let first = parts.next()??;
        parts.try_fold(first, |all, part| both(all, part?))
    }

    /// One of them is true where not all of them are false.
    fn any(&self, parts: &'a [Node]) -> Option<Cells<'a>> {
        let mut parts = parts.iter().map(|part| self.not(part));
        let first = parts.next()??;
        let none = parts.try_fold(first, |none, part| both(none, part?))?;
        let Values::Truth(values) = &none.values else { return None };
        Some(Cells { values: Values::Truth(!values), ..none })
    }

    fn between(&self, inner: &'a Node, low: &'a Node, high: &'a Node) -> Option<Cells<'a>> {
        let inner = self.scaled(inner)?;
        let from = compared(Comparison::AtLeast, &inner, &self.scaled(low)?)?;
        let to = compared(Comparison::AtMost, &inner, &self.scaled(high)?)?;
        both(from, to)
    }

    fn is_in(&self, inner: &'a Node, members: &Members) -> Option<Cells<'a>> {
        let cells = self.cells(inner)?;
        let found = match (&cells.values, members) {
            (Values::Exact(values), Members::Exact(members)) => {
                ask_one(values, |value| members.binary_search(value).is_ok())
            }
            (Values::Float(values), Members::Float(members)) => {
                ask_one(values, |value| members.contains(value))
            }
            (Values::Bytes(values), Members::Bytes(members)) => ask_one(values, |value| {
                members.binary_search_by(|member| member.as_slice().cmp(value)).is_ok()
            }),
            _ => return None,
        };
        Some(Cells { values: Values::Truth(found), ..cells })
    }

    fn is_null(&self, inner: &'a Node) -> Option<Cells<'a>> {
        let (unknown, failed) = self.cells(inner)?.masks();
        let values = unknown.unwrap_or_else(|| BooleanBuffer::new_unset(self.count));
        Some(Cells { values: Values::Truth(values), unknown: None, failed })
    }

    fn compute(
        &self,
        operation: Operation,
        left: &'a Node,
        right: &'a Node,
        kind: Kind,
    ) -> Option<Cells<'a>> {
        let (left, right) = (self.scaled(left)?, self.scaled(right)?);
        let masks = [left.cells.masks(), right.cells.masks()];
        let (values, overflow) = match (left.cells.values, right.cells.values) {
            (Values::Exact(a), Values::Exact(b)) if operation == Operation::Multiply => {
                let (values, overflow) = pairs(a, &b, product);
                (Values::Exact(values), overflow)
            }
            (Values::Exact(a), Values::Exact(b)) => {
                let scale = kind.scale()?;
                let (a, a_overflow) = rescaled(a, scale.checked_sub(left.scale)?);
                let (b, b_overflow) = rescaled(b, scale.checked_sub(right.scale)?);
                let (values, overflow) = match operation {
                    Operation::Add => pairs(a, &b, i128::overflowing_add),
                    _ => pairs(a, &b, i128::overflowing_sub),
                };
                (Values::Exact(values), either(overflow, either(a_overflow, b_overflow)))
            }
            (Values::Float(a), Values::Float(b)) => {
                let (values, overflow) = floats(operation, &a, &b);
                (Values::Float(values), overflow)
            }
            _ => return None,
        };
        Some(Cells::strict(values, &masks, overflow))
    }

    fn changed(
        &self,
        inner: &'a Node,
        exact: impl Fn(i128) -> (i128, bool),
        float: impl Fn(f64) -> f64,
    ) -> Option<Cells<'a>> {
        let cells = self.cells(inner)?;
        let masks = [cells.masks()];
        let (values, overflow) = match cells.values {
            Values::Exact(values) => {
                let (values, overflow) = each(values, exact);
                (Values::Exact(values), overflow)
            }
            Values::Float(values) => (Values::Float(values.into_iter().map(float).collect()), None),
            _ => return None,
        };
        Some(Cells::strict(values, &masks, overflow))
    }

    fn length(&self, inner: &'a Node) -> Option<Cells<'a>> {
        let cells = self.cells(inner)?;
        let Values::Bytes(values) = &cells.values else { return None };
        let count = |bytes: &&[u8]| match inner.kind {
            // Every character has one byte that does not continue another.
            Kind::Text => bytes.iter().filter(|byte| (**byte as i8) >= -64).count() as i128,
            _ => bytes.len() as i128,
        };
        Some(Cells { values: Values::Exact(values.iter().map(count).collect()), ..cells })
    }

    fn coalesce(&self, parts: &'a [Node], kind: Kind) -> Option<Cells<'a>> {
        let mut parts = parts.iter().map(|part| self.brought_to(part, kind));
        let first = parts.next()??;
        parts.try_fold(first, |found, next| filled(found, next?))
    }

    /// Returns the values of a node in the scale of a kind.
    fn brought_to(&self, node: &'a Node, kind: Kind) -> Option<Cells<'a>> {
        let more = kind.scale().unwrap_or(0).checked_sub(node.kind.scale().unwrap_or(0))?;
        let cells = self.cells(node)?;
        if more == 0 {
            return Some(cells);
        }
        let masks = [cells.masks()];
        let Values::Exact(values) = cells.values else { return None };
        let (values, overflow) = rescaled(values, more);
        Some(Cells::strict(Values::Exact(values), &masks, overflow))
    }
}

/// Values with the scale that they have where they are exact.
struct Scaled<'a> {
    cells: Cells<'a>,
    scale: u8,
}

fn compared<'a>(comparison: Comparison, left: &Scaled<'_>, right: &Scaled<'_>) -> Option<Cells<'a>> {
    let found = match (&left.cells.values, &right.cells.values) {
        (Values::Exact(a), Values::Exact(b)) => compare_scaled(comparison, (a, left.scale), (b, right.scale)),
        (Values::Float(a), Values::Float(b)) => compare(comparison, a, b),
        (Values::Bytes(a), Values::Bytes(b)) => compare(comparison, a, b),
        (Values::Truth(a), Values::Truth(b)) if comparison == Comparison::Equal => !&(a ^ b),
        (Values::Truth(a), Values::Truth(b)) if comparison == Comparison::Unequal => a ^ b,
        _ => return None,
    };
    Some(Cells::strict(Values::Truth(found), &[left.cells.masks(), right.cells.masks()], None))
}

/// Joins two truths by AND.
fn both<'a>(left: Cells<'a>, right: Cells<'a>) -> Option<Cells<'a>> {
    let (Values::Truth(a), Values::Truth(b)) = (&left.values, &right.values) else { return None };
    let masks = [&left.unknown, &left.failed, &right.unknown, &right.failed];
    if masks.iter().all(|mask| mask.is_none()) {
        return Some(Cells::known(Values::Truth(a & b)));
    }
    let is_false = &falses(a, &left) | &falses(b, &right);
    let failed = without(either(left.failed, right.failed), Some(&is_false));
    let unknown = without(either(left.unknown, right.unknown), Some(&is_false));
    let unknown = without(unknown, failed.as_ref());
    Some(Cells { values: Values::Truth(!&is_false), unknown, failed })
}

/// Marks what is false for certain.
fn falses(values: &BooleanBuffer, cells: &Cells<'_>) -> BooleanBuffer {
    let falses = without(Some(!values), cells.unknown.as_ref());
    without(falses, cells.failed.as_ref()).unwrap_or_else(|| BooleanBuffer::new_unset(values.len()))
}

/// Takes from `next` what is null in `found`.
fn filled<'a>(found: Cells<'a>, next: Cells<'a>) -> Option<Cells<'a>> {
    let Some(unknown) = &found.unknown else { return Some(found) };
    let values = match (found.values, next.values) {
        (Values::Exact(a), Values::Exact(b)) => Values::Exact(chosen(a, b, unknown)),
        (Values::Float(a), Values::Float(b)) => Values::Float(chosen(a, b, unknown)),
        (Values::Bytes(a), Values::Bytes(b)) => Values::Bytes(chosen(a, b, unknown)),
        (Values::Truth(a), Values::Truth(b)) => Values::Truth(&(&a & &!unknown) | &(&b & unknown)),
        _ => return None,
    };
    let failed = either(found.failed, next.failed.map(|failed| &failed & unknown));
    let unknown = next.unknown.map(|next| &next & unknown);
    Some(Cells { values, unknown, failed })
}

fn chosen<T>(values: Vec<T>, others: Vec<T>, use_other: &BooleanBuffer) -> Vec<T> {
    let pairs = values.into_iter().zip(others).zip(use_other.iter());
    pairs.map(|((value, other), use_other)| if use_other { other } else { value }).collect()
}

/// Computes as IEEE 754 says, and marks what is too large for a float.
fn floats(operation: Operation, left: &[f64], right: &[f64]) -> (Vec<f64>, Mask) {
    let step = match operation {
        Operation::Add => |a: f64, b: f64| a + b,
        Operation::Subtract => |a: f64, b: f64| a - b,
        Operation::Multiply => |a: f64, b: f64| a * b,
    };
    let values: Vec<f64> = left.iter().zip(right).map(|(a, b)| step(*a, *b)).collect();
    if values.iter().all(|value| value.is_finite()) {
        return (values, None);
    }
    let were_finite = ask(left, right, |a, b| a.is_finite() && b.is_finite());
    let is_over = ask_one(&values, |value| !value.is_finite());
    (values, tidy(Some(&is_over & &were_finite)))
}
