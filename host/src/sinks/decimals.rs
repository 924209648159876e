//! Decimals that do not fit their own precision. The encoder of a file takes as many bytes as the precision calls for and
//! drops the rest without a word: another number would be published in the place of the parser's.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{ArrowError, DataType};

/// Finds the first column with a decimal that has more digits than its type allows: its name, and what is wrong with it.
pub(super) fn first_misfit(rows: &RecordBatch) -> Option<(String, ArrowError)> {
    let schema = rows.schema();
    let mut columns = schema.fields().iter().zip(rows.columns());
    columns.find_map(|(field, column)| Some((field.name().clone(), check(column.as_ref()).err()?)))
}

fn check(array: &dyn Array) -> Result<(), ArrowError> {
    match array.data_type() {
        DataType::Decimal128(precision, _) => {
            array.as_primitive::<Decimal128Type>().validate_decimal_precision(*precision)
        }
        DataType::Decimal256(precision, _) => {
            array.as_primitive::<Decimal256Type>().validate_decimal_precision(*precision)
        }
        DataType::List(_) => check(array.as_list::<i32>().values().as_ref()),
        DataType::LargeList(_) => check(array.as_list::<i64>().values().as_ref()),
        DataType::Struct(_) => array.as_struct().columns().iter().try_for_each(|field| check(field.as_ref())),
        _ => Ok(()),
    }
}
