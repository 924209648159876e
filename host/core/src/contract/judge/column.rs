//! One column, judged: cast, then looked at by every check. A column of lists or objects is judged by what is in it, and what
//! is found there counts for its row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeListArray, ListArray, StructArray, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType};

use super::check::Kernel;
use super::{Finding, Found, Observed, where_valid};
use crate::contract::cast::{Cast, CastColumn};
use crate::contract::verdict::{BrokenRule, Code};
use crate::contract::{Check, Column, Severity, words};

/// What a column is made of.
#[derive(Debug)]
pub(super) enum Shape {
    /// The parser does not send it.
    Absent,
    /// Nothing in it is to be cast or looked at.
    AsSent,
    Leaf(Cast),
    List(Box<ColumnJudge>),
    Struct(Vec<ColumnJudge>),
}

/// A column of the contract, ready for the parser's.
#[derive(Debug)]
pub(super) struct ColumnJudge {
    /// Its place among its siblings, as they are sent.
    source: Option<usize>,
    data_type: DataType,
    shape: Shape,
    cast_rule: Arc<BrokenRule>,
    required: Option<Arc<BrokenRule>>,
    checks: Vec<(Kernel, Arc<BrokenRule>)>,
}

impl ColumnJudge {
    pub(super) fn new(
        column: &Column,
        path: String,
        source: Option<usize>,
        shape: Shape,
        kernels: Vec<(&Check, Kernel)>,
    ) -> Self {
        let rule = |name: &str, expected: String, severity| {
            let (column, name) = (Some(path.clone()), name.to_owned());
            Arc::new(BrokenRule { column, name, expected: Some(expected), severity })
        };
        let checks = kernels
            .into_iter()
            .map(|(check, kernel)| {
                let rule = rule(&check.name, kernel.expected(&check.rule), check.severity);
                (kernel, rule)
            })
            .collect();
        Self {
            source,
            data_type: column.data_type.clone(),
            shape,
            cast_rule: rule("type", words::data_type(&column.data_type), Severity::Error),
            required: column.required.then(|| rule("required", "a value".to_owned(), Severity::Error)),
            checks,
        }
    }

    /// Whether the column is written as it was sent, whatever is in it.
    pub(super) fn is_as_sent(&self) -> bool {
        matches!(self.shape, Shape::AsSent) && self.required.is_none() && self.checks.is_empty()
    }

    /// Judges the column out of its siblings, each of `count` rows.
    pub(super) fn judge_among(
        &self,
        sent: &[ArrayRef],
        count: usize,
        found: &mut Found,
    ) -> Result<ArrayRef, ArrowError> {
        match self.source.and_then(|at| sent.get(at)) {
            Some(source) => self.judge(source, found),
            None => {
                let nothing = new_null_array(&self.data_type, count);
                self.look(&nothing, &nothing, None, found);
                Ok(nothing)
            }
        }
    }

    fn judge(&self, source: &ArrayRef, found: &mut Found) -> Result<ArrayRef, ArrowError> {
        let (values, failed) = match &self.shape {
            Shape::AsSent => (Arc::clone(source), None),
            Shape::Leaf(cast) => self.cast(cast, source, found),
            Shape::List(item) => (self.list(item, source, found)?, None),
            Shape::Struct(fields) => (self.object(fields, source, found)?, None),
            Shape::Absent => (new_null_array(&self.data_type, source.len()), None),
        };
        self.look(source, &values, failed.as_ref(), found);
        Ok(values)
    }

    fn cast(&self, cast: &Cast, source: &ArrayRef, found: &mut Found) -> (ArrayRef, Option<BooleanBuffer>) {
        let CastColumn { values, failed } = cast.run(source);
        if failed.is_empty() {
            return (values, None);
        }
        let codes = [Code::Unparseable, Code::Lossy, Code::Overflow, Code::NoTimeZone, Code::AmbiguousDate];
        for code in codes {
            let rows = failed.iter().filter(|(_, of)| *of == code).map(|(row, _)| *row);
            let rows = mark(rows, source.len());
            let (rule, observed) = (Arc::clone(&self.cast_rule), Observed::Cell(Arc::clone(source)));
            found.add(Finding { code, rule, rows, observed });
        }
        let rows = mark(failed.iter().map(|(row, _)| *row), source.len());
        found.fail(rows.clone());
        (values, Some(rows))
    }

    /// Has every check look at the column. A cell that could not be cast (`failed`) is not missing on top of it.
    fn look(&self, source: &ArrayRef, values: &ArrayRef, failed: Option<&BooleanBuffer>, found: &mut Found) {
        if let Some(rule) = &self.required
            && let Some(missing) = missing(values, failed)
        {
            let (code, rule) = (Code::Missing, Arc::clone(rule));
            found.add(Finding { code, rule, rows: missing, observed: Observed::Nothing });
        }
        for (kernel, rule) in &self.checks {
            let broken = match kernel {
                Kernel::NotNull => missing(values, failed),
                // An item that could not be cast is null now, and two of them are no item twice.
                Kernel::UniqueItems => {
                    let broken = where_valid(kernel.broken(values), values.nulls());
                    Some(found.failed.as_ref().map_or(broken.clone(), |failed| &broken & &!failed))
                }
                kernel => Some(where_valid(kernel.broken(values), values.nulls())),
            };
            if let Some(rows) = broken {
                let (code, rule) = (kernel.code(), Arc::clone(rule));
                let observed = Observed::Cell(Arc::clone(source));
                found.add(Finding { code, rule, rows, observed });
            }
        }
    }

    fn list(&self, item: &ColumnJudge, source: &ArrayRef, found: &mut Found) -> Result<ArrayRef, ArrowError> {
        let lists = Lists::of(source);
        let mut within = Found::default();
        let items = item.judge_among(&[lists.items], lists.items_len, &mut within)?;
        let lift =
            |rows: &BooleanBuffer| lists.places.iter().map(|place| has_any(rows, place.clone())).collect();
        found.lift(within, source, lift);
        let lengths = lists.places.iter().map(ExactSizeIterator::len);
        let nulls = source.nulls().cloned();
        Ok(match &self.data_type {
            DataType::LargeList(field) => {
                let offsets = OffsetBuffer::<i64>::from_lengths(lengths);
                Arc::new(LargeListArray::try_new(Arc::clone(field), offsets, items, nulls)?)
            }
            DataType::List(field) => {
                let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, items, nulls)?)
            }
            other => return Err(no_home(other)),
        })
    }

    fn object(
        &self,
        fields: &[ColumnJudge],
        source: &ArrayRef,
        found: &mut Found,
    ) -> Result<ArrayRef, ArrowError> {
        let object = source.as_struct();
        let mut within = Found::default();
        let columns =
            fields.iter().map(|field| field.judge_among(object.columns(), object.len(), &mut within));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
        found.lift(within, source, |rows| where_valid(rows.clone(), source.nulls()));
        let DataType::Struct(wanted) = &self.data_type else { return Err(no_home(&self.data_type)) };
        Ok(Arc::new(StructArray::try_new(wanted.clone(), columns, source.nulls().cloned())?))
    }
}

/// Our bug: a contract was fitted to a column of another shape.
fn no_home(data_type: &DataType) -> ArrowError {
    ArrowError::InvalidArgumentError(format!("{data_type} holds neither items nor fields"))
}

impl Found {
    /// Takes over what was found within the cells of `source`; `lift` tells the rows that it is about.
    fn lift(&mut self, within: Found, source: &ArrayRef, lift: impl Fn(&BooleanBuffer) -> BooleanBuffer) {
        if let Some(failed) = &within.failed {
            self.fail(lift(failed));
        }
        for finding in within.errors.into_iter().chain(within.warnings) {
            let rows = lift(&finding.rows);
            self.add(Finding { rows, observed: Observed::Cell(Arc::clone(source)), ..finding });
        }
    }
}

/// The items of a column of lists, and which of them belong to each row. A null list has none, whatever lies beneath.
struct Lists {
    items: ArrayRef,
    items_len: usize,
    places: Vec<std::ops::Range<usize>>,
}

impl Lists {
    fn of(source: &ArrayRef) -> Self {
        match source.data_type() {
            DataType::LargeList(_) => {
                let lists = source.as_list::<i64>();
                Self::new(lists.values(), lists.value_offsets(), source.nulls(), |at| {
                    usize::try_from(at).unwrap_or(0)
                })
            }
            _ => {
                let lists = source.as_list::<i32>();
                Self::new(lists.values(), lists.value_offsets(), source.nulls(), |at| {
                    usize::try_from(at).unwrap_or(0)
                })
            }
        }
    }

    fn new<O: Copy>(
        items: &ArrayRef,
        offsets: &[O],
        nulls: Option<&NullBuffer>,
        place: impl Fn(O) -> usize,
    ) -> Self {
        let first = offsets.first().map_or(0, |at| place(*at));
        let ends = offsets.iter().zip(offsets.iter().skip(1)).enumerate();
        let places = ends.map(|(row, (from, to))| {
            let from = place(*from) - first;
            if nulls.is_some_and(|nulls| nulls.is_null(row)) { from..from } else { from..place(*to) - first }
        });
        let places: Vec<_> = places.collect();
        let last = offsets.last().map_or(0, |at| place(*at));
        Self { items: items.slice(first, last - first), items_len: last - first, places }.packed()
    }

    /// Leaves out items under null lists, so that the lengths of the lists tell where each begins.
    fn packed(self) -> Self {
        let listed: usize = self.places.iter().map(ExactSizeIterator::len).sum();
        if listed == self.items_len {
            return self;
        }
        let kept = self.places.iter().flat_map(Clone::clone).map(|at| at as u64);
        let kept = arrow_array::UInt64Array::from_iter_values(kept);
        let Ok(items) = arrow_select::take::take(self.items.as_ref(), &kept, None) else { return self };
        let mut next = 0;
        let places = self.places.iter().map(|place| {
            let from = next;
            next += place.len();
            from..next
        });
        Self { items, items_len: listed, places: places.collect() }
    }
}

fn has_any(rows: &BooleanBuffer, place: std::ops::Range<usize>) -> bool {
    !place.is_empty() && place.end <= rows.len() && rows.slice(place.start, place.len()).count_set_bits() > 0
}

/// Marks what has no value, but for what could not be cast.
fn missing(values: &ArrayRef, failed: Option<&BooleanBuffer>) -> Option<BooleanBuffer> {
    let missing = !values.nulls()?.inner();
    Some(match failed {
        Some(failed) => &missing & &!failed,
        None => missing,
    })
}

/// Sets the listed rows, ascending, of `count`.
fn mark(rows: impl Iterator<Item = u32>, count: usize) -> BooleanBuffer {
    let mut rows = rows.map(|row| row as usize).peekable();
    (0..count).map(|row| rows.next_if_eq(&row).is_some()).collect()
}
