//! Columns that have a type already: what a contract file can say of it.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};

use super::reading::Reading;
use crate::contract::Column;

/// Returns the type that a contract file would give to values of this one without a look at them; none: it has no word for it.
pub(super) fn written(sent: &DataType) -> Option<DataType> {
    Some(match sent {
        DataType::LargeUtf8 => DataType::Utf8,
        DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
        DataType::Decimal128(_, scale) if *scale < 0 => return None,
        DataType::Date64 | DataType::Decimal256(..) | DataType::Duration(_) => return None,
        DataType::List(item) | DataType::LargeList(item) => DataType::List(nested(item)?),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(nested).collect::<Option<_>>()?),
        other => other.clone(),
    })
}

/// Nested fields are nullable, whatever was declared.
fn nested(field: &FieldRef) -> Option<FieldRef> {
    Some(Arc::new(Field::new(field.name(), written(field.data_type())?, true)))
}

/// Returns what values may become, the best first, where that hangs on the values.
pub(super) fn readings(sent: &DataType) -> Vec<Reading> {
    let wanted = match sent {
        DataType::Date64 => vec![DataType::Date32, DataType::Utf8],
        DataType::Decimal256(_, scale @ 0..=38) => vec![DataType::Decimal128(38, *scale), DataType::Utf8],
        DataType::Decimal256(..) => vec![DataType::Utf8],
        _ => Vec::new(),
    };
    wanted.into_iter().filter_map(|to| Reading::typed(sent, to)).collect()
}

/// Makes the column of a contract that such a field would be.
pub(super) fn column(name: &str, data_type: DataType, required: bool) -> Column {
    let mut column = Column::declared(&Field::new(name, data_type, !required));
    column.children.iter_mut().for_each(relax);
    column
}

fn relax(column: &mut Column) {
    column.required = false;
    column.children.iter_mut().for_each(relax);
}

#[cfg(test)]
mod tests {
    use arrow_schema::TimeUnit;

    use super::*;

    #[test]
    fn layouts_that_mean_the_same_are_one_type_of_a_contract() {
        assert_eq!(written(&DataType::LargeUtf8), Some(DataType::Utf8));
        let berlin = DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into()));
        assert_eq!(written(&berlin), Some(DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))));
    }

    #[test]
    fn a_contract_has_no_word_for_a_duration_wherever_it_stands() {
        let duration = DataType::Duration(TimeUnit::Second);
        assert_eq!(written(&duration), None);
        assert_eq!(written(&DataType::new_list(duration, true)), None);
    }
}
