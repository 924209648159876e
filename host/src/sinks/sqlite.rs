//! A column as SQLite keeps it. SQLite has five kinds of value: what is neither number, text nor bytes is text as in CSV and
//! JSONL, exact and in one form. What SQLite would alter is refused, never written.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, Float64Array, Int64Array, RecordBatch, UInt64Array};
use arrow_schema::{ArrowError, DataType};
use rusqlite::types::ValueRef;
use thiserror::Error;

use super::cells::{Cells, Kind};
use super::jsonl;

/// A value that SQLite cannot keep as it is.
#[derive(Debug, Clone, PartialEq, Error)]
pub(crate) enum Unstorable {
    #[error("{0} is past 9223372036854775807, the largest integer of SQLite")]
    TooLarge(u64),
    #[error("NaN is no value of SQLite, which would store a null")]
    Nan,
    #[error("-0.0 is no value of SQLite, which would store 0.0")]
    NegativeZero,
}

/// Returns the type of a column that holds values of this one.
pub(crate) fn type_word(kind: &DataType) -> &'static str {
    match kind {
        DataType::Boolean => "INTEGER",
        kind if kind.is_integer() => "INTEGER",
        DataType::Float32 | DataType::Float64 => "REAL",
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => "BLOB",
        _ => "TEXT",
    }
}

/// One column of a batch.
pub(crate) struct Column<'a> {
    array: &'a ArrayRef,
    shape: Shape<'a>,
    /// Room for a value that has to be made.
    made: Vec<u8>,
}

/// Returns the bytes of a value that is there.
type Bytes<'a> = Box<dyn Fn(usize) -> &'a [u8] + 'a>;

enum Shape<'a> {
    Integer(Int64Array),
    Unsigned(&'a UInt64Array),
    Real(Float64Array),
    Bytes(Bytes<'a>),
    Text(Cells<'a>),
}

impl<'a> Column<'a> {
    /// Makes ready the columns of a batch.
    pub(crate) fn of(rows: &'a RecordBatch) -> Result<Vec<Self>, ArrowError> {
        rows.columns().iter().map(Self::new).collect()
    }

    fn new(array: &'a ArrayRef) -> Result<Self, ArrowError> {
        Ok(Self { array, shape: shape(array)?, made: Vec::new() })
    }

    /// Returns a row's value.
    pub(crate) fn value(&mut self, row: usize) -> Result<ValueRef<'_>, Unstorable> {
        if self.array.is_null(row) {
            return Ok(ValueRef::Null);
        }
        match &self.shape {
            Shape::Integer(values) => Ok(ValueRef::Integer(values.value(row))),
            Shape::Unsigned(values) => {
                let value = values.value(row);
                i64::try_from(value).map(ValueRef::Integer).map_err(|_| Unstorable::TooLarge(value))
            }
            Shape::Real(values) => match values.value(row) {
                value if value.is_nan() => Err(Unstorable::Nan),
                value if value == 0.0 && value.is_sign_negative() => Err(Unstorable::NegativeZero),
                value => Ok(ValueRef::Real(value)),
            },
            Shape::Bytes(bytes) => Ok(ValueRef::Blob(bytes(row))),
            Shape::Text(cells) => Ok(ValueRef::Text(text(cells, row, &mut self.made))),
        }
    }
}

fn shape(array: &ArrayRef) -> Result<Shape<'_>, ArrowError> {
    Ok(match array.data_type() {
        DataType::UInt64 => Shape::Unsigned(array.as_primitive::<UInt64Type>()),
        kind if kind.is_integer() || *kind == DataType::Boolean => {
            let wide = arrow_cast::cast(array, &DataType::Int64)?;
            Shape::Integer(wide.as_primitive().clone())
        }
        DataType::Float32 => Shape::Real(widened::<Float32Type>(array)),
        DataType::Float64 => Shape::Real(array.as_primitive::<Float64Type>().clone()),
        DataType::Binary => Shape::Bytes(Box::new(|row| array.as_binary::<i32>().value(row))),
        DataType::LargeBinary => Shape::Bytes(Box::new(|row| array.as_binary::<i64>().value(row))),
        DataType::FixedSizeBinary(_) => Shape::Bytes(Box::new(|row| array.as_fixed_size_binary().value(row))),
        _ => Shape::Text(Cells::new(array)),
    })
}

/// Every float of 32 bits is one of 64.
fn widened<T: ArrowPrimitiveType<Native: Into<f64>>>(array: &ArrayRef) -> Float64Array {
    array.as_primitive::<T>().unary(Into::into)
}

/// Returns a text as it is, or the text of a value that is none, lists and structs as JSON.
fn text<'t>(cells: &'t Cells<'_>, row: usize, made: &'t mut Vec<u8>) -> &'t [u8] {
    made.clear();
    match &cells.kind {
        Kind::Text(text) => return text(row).as_bytes(),
        Kind::Word(put) | Kind::Float(put) | Kind::Plain(put) | Kind::Bytes(put) => put(row, made),
        Kind::List(..) | Kind::Struct(_) => jsonl::put_value(cells, row, made),
    }
    made
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{Field, Schema};

    use super::*;
    use crate::sinks::guest::every_type;

    fn one(array: ArrayRef) -> RecordBatch {
        let field = Field::new("c", array.data_type().clone(), true);
        RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap()
    }

    #[test]
    fn every_type_has_values_of_the_type_that_its_column_is_declared_with() {
        let rows = every_type();
        let mut columns = Column::of(&rows).unwrap();
        for (field, column) in rows.schema().fields().iter().zip(&mut columns) {
            let declared = type_word(field.data_type());
            for row in 0..3 {
                let found = match column.value(row) {
                    Ok(ValueRef::Integer(_)) | Err(Unstorable::TooLarge(_)) => "INTEGER",
                    Ok(ValueRef::Real(_)) => "REAL",
                    Ok(ValueRef::Text(_)) => "TEXT",
                    Ok(ValueRef::Blob(_)) => "BLOB",
                    Ok(ValueRef::Null) => {
                        assert!(column.array.is_null(row), "{}", field.data_type());
                        continue;
                    }
                    Err(Unstorable::NegativeZero) => "REAL",
                    Err(Unstorable::Nan) => panic!("there is no NaN"),
                };
                assert_eq!(found, declared, "{}", field.data_type());
            }
        }
    }

    #[test]
    fn an_integer_that_sqlite_has_no_room_for_is_refused_and_not_altered() {
        let rows = one(Arc::new(UInt64Array::from(vec![i64::MAX as u64, i64::MAX as u64 + 1])));
        let column = &mut Column::of(&rows).unwrap()[0];
        assert_eq!(column.value(0), Ok(ValueRef::Integer(i64::MAX)));
        assert_eq!(column.value(1), Err(Unstorable::TooLarge(1 << 63)));
    }

    #[test]
    fn a_float_that_sqlite_would_alter_is_refused_and_infinities_are_not() {
        let values = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0];
        let rows = one(Arc::new(Float64Array::from(values)));
        let column = &mut Column::of(&rows).unwrap()[0];
        assert_eq!(column.value(0), Err(Unstorable::Nan));
        assert_eq!(column.value(1), Ok(ValueRef::Real(f64::INFINITY)));
        assert_eq!(column.value(2), Ok(ValueRef::Real(f64::NEG_INFINITY)));
        assert_eq!(column.value(3), Err(Unstorable::NegativeZero));
        assert_eq!(column.value(4), Ok(ValueRef::Real(0.0)));
    }
}
