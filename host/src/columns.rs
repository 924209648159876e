//! The columns of a table as its inputs have them: whether they are alike, in what they differ, and what they are as one.
//!
//! A column is told by its name, its type in words and whether it may be null. Nothing here sees a row.

use std::collections::{HashMap, HashSet};

use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use casparian_core::wire::fold;
use serde::{Deserialize, Serialize};

use crate::sinks::SOURCE;

/// Most columns of a table that is made of several inputs: as many as one input may have, and ours.
const COLUMNS_MAX: usize = 4096 + 4;
/// The longest words for a type. One with more fields than that is told by its digest, and cannot be united.
const KIND_BYTES_MAX: usize = 8 << 10;
/// Columns of one message, and bytes of it that they may take before JSON has escaped them.
const PIECE: (usize, usize) = (512, 16 << 10);
/// Most columns that a difference names.
const COLUMNS_NAMED: usize = 3;
/// How much of a column's name or type is shown.
const WORD_BYTES_MAX: usize = 256;

/// What becomes of inputs of one dataset whose columns differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SchemaRule {
    /// A table has the columns of the first input that has it. One with others is left out.
    #[default]
    Same,
    /// A table has the columns of all of them. One with another type under a name is left out.
    Union,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The words for its type, as Arrow has them.
    pub(crate) kind: String,
    pub(crate) nullable: bool,
}

impl Column {
    fn of(field: &Field) -> Self {
        let kind = field.data_type().to_string();
        let kind = match kind.len() > KIND_BYTES_MAX {
            true => format!("a type of {} bytes, {}", kind.len(), Digest::of(kind.as_bytes())),
            false => kind,
        };
        Self { name: field.name().clone(), kind, nullable: field.is_nullable() }
    }
}

/// Returns the columns of a schema.
pub(crate) fn of(schema: &Schema) -> Vec<Column> {
    schema.fields().iter().map(|field| Column::of(field)).collect()
}

/// Returns columns in pieces that fit into a message each, with whether it is the last.
pub(crate) fn pieces(columns: &[Column]) -> Vec<(Vec<Column>, bool)> {
    let (most, bytes_max) = PIECE;
    let (mut pieces, mut piece, mut bytes) = (Vec::new(), Vec::new(), 0);
    for column in columns {
        let more = column.name.len() + column.kind.len();
        if piece.len() == most || (bytes + more > bytes_max && !piece.is_empty()) {
            pieces.push((std::mem::take(&mut piece), false));
            bytes = 0;
        }
        bytes += more;
        piece.push(column.clone());
    }
    pieces.push((piece, true));
    pieces
}

/// Adds a piece of columns to those before it; more of them than a table may have are refused.
pub(crate) fn gather(gathered: &mut Vec<Column>, piece: Vec<Column>) -> Result<(), String> {
    let wanted = gathered.len() + piece.len();
    if wanted > COLUMNS_MAX {
        return Err(format!("columns: limit {COLUMNS_MAX}, wanted {wanted}"));
    }
    gathered.extend(piece);
    Ok(())
}

/// Returns the columns of a table that has `known` so far when an input with `found` comes, or why that input does not fit in.
pub(crate) fn fit(rule: SchemaRule, known: &[Column], found: &[Column]) -> Result<Vec<Column>, String> {
    match rule {
        SchemaRule::Same if known == found => Ok(known.to_vec()),
        SchemaRule::Same => Err(difference(known, found)),
        SchemaRule::Union => unite(known, found),
    }
}

/// Unites columns: those that are known, then those that are new. A column that one of the two lacks may be null. What says
/// where a row is from stays behind the rest. Uniting is associative, and gives what it was given where nothing is new.
pub(crate) fn unite(known: &[Column], found: &[Column]) -> Result<Vec<Column>, String> {
    let ((known, known_ours), (found, found_ours)) = (parted(known), parted(found));
    let mut united = unite_some(known, found)?;
    united.extend(unite_some(known_ours, found_ours)?);
    match united.len() {
        too_many if too_many > COLUMNS_MAX => {
            Err(format!("columns of all inputs: limit {COLUMNS_MAX}, wanted {too_many}"))
        }
        _ => Ok(united),
    }
}

/// Parts the columns of the parser from ours, which stand behind them.
fn parted(columns: &[Column]) -> (&[Column], &[Column]) {
    let ours = columns.iter().position(|column| column.name == SOURCE).unwrap_or(columns.len());
    columns.split_at(ours)
}

fn unite_some(known: &[Column], found: &[Column]) -> Result<Vec<Column>, String> {
    let here: HashMap<String, &Column> = found.iter().map(|column| (fold(&column.name), column)).collect();
    let there: HashSet<String> = known.iter().map(|column| fold(&column.name)).collect();
    let mut clashes = Vec::new();
    let mut united = Vec::with_capacity(known.len());
    for column in known {
        let other = here.get(&fold(&column.name));
        clashes.extend(other.and_then(|other| clash(column, other)));
        let nullable = column.nullable || other.is_none_or(|other| other.nullable);
        united.push(Column { nullable, ..column.clone() });
    }
    let new = found.iter().filter(|column| !there.contains(&fold(&column.name)));
    united.extend(new.map(|column| Column { nullable: true, ..column.clone() }));
    if clashes.is_empty() { Ok(united) } else { Err(listed(&clashes)) }
}

/// Says why two columns whose names are alike are not one.
fn clash(known: &Column, found: &Column) -> Option<String> {
    if known.name != found.name {
        return Some(format!("`{}` is written `{}` there", shown(&found.name), shown(&known.name)));
    }
    let (here, there) = (shown(&found.kind), shown(&known.kind));
    (known.kind != found.kind).then(|| format!("`{}` is {here}, there {there}", shown(&known.name)))
}

/// Says in what columns differ: the first few that are not alike, ours only where the parser's are.
fn difference(known: &[Column], found: &[Column]) -> String {
    let ((known, known_ours), (found, found_ours)) = (parted(known), parted(found));
    let (known, found) = if known == found { (known_ours, found_ours) } else { (known, found) };
    let say = |column: Option<&Column>| {
        column.map_or("nothing".to_owned(), |column| {
            let null = if column.nullable { "" } else { ", never null" };
            format!("`{}` ({}{null})", shown(&column.name), shown(&column.kind))
        })
    };
    let one = |at: usize| {
        let (known, found) = (known.get(at), found.get(at));
        (known != found).then(|| format!("column {} is {}, there {}", at + 1, say(found), say(known)))
    };
    let all: Vec<String> = (0..known.len().max(found.len())).filter_map(one).collect();
    listed(&all)
}

fn listed(all: &[String]) -> String {
    let named = all.iter().take(COLUMNS_NAMED).cloned().collect::<Vec<_>>().join("; ");
    match all.len().saturating_sub(COLUMNS_NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

fn shown(word: &str) -> GuestText {
    GuestText::new(word, WORD_BYTES_MAX)
}

/// Returns the schema that columns are, each type as `near` has it or as its words say.
pub(crate) fn schema(columns: &[Column], near: &Schema) -> Result<SchemaRef, ArrowError> {
    let types: HashMap<&str, &DataType> =
        near.fields().iter().map(|field| (field.name().as_str(), field.data_type())).collect();
    let field = |column: &Column| {
        let data_type = match types.get(column.name.as_str()) {
            Some(known) => (*known).clone(),
            None => read_kind(&column.kind)?,
        };
        Ok(Field::new(column.name.clone(), data_type, column.nullable))
    };
    let fields = columns.iter().map(field).collect::<Result<Vec<_>, ArrowError>>()?;
    Ok(SchemaRef::new(Schema::new(fields)))
}

/// Returns the type that words are for, if it is called so and no other way.
fn read_kind(kind: &str) -> Result<DataType, ArrowError> {
    let read: DataType = kind.parse()?;
    match read.to_string() == kind {
        true => Ok(read),
        false => Err(ArrowError::SchemaError(format!("the type {} is called {read}", shown(kind)))),
    }
}

/// Names the first column whose type its words do not give back: no other input could be given nulls of it.
pub(crate) fn first_unspoken(columns: &[Column], schema: &Schema) -> Option<String> {
    let fields = columns.iter().zip(schema.fields());
    let mut unspoken = fields
        .filter(|(column, field)| read_kind(&column.kind).ok().is_none_or(|read| read != *field.data_type()));
    let (column, _) = unspoken.next()?;
    Some(format!("the type of `{}` cannot be told in words", shown(&column.name)))
}

/// Returns rows with these columns: what they lack is null.
pub(crate) fn conform(rows: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if rows.schema_ref() == schema {
        return Ok(rows);
    }
    let column = |field: &std::sync::Arc<Field>| match rows.column_by_name(field.name()) {
        Some(column) => column.clone(),
        None => new_null_array(field.data_type(), rows.num_rows()),
    };
    RecordBatch::try_new(schema.clone(), schema.fields().iter().map(column).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sinks::{LENGTH, OFFSET, RECORD_NO};

    fn column(name: &str, kind: &str, nullable: bool) -> Column {
        Column { name: name.to_owned(), kind: kind.to_owned(), nullable }
    }

    fn columns(columns: &[(&str, &str)]) -> Vec<Column> {
        columns.iter().map(|(name, kind)| column(name, kind, true)).collect()
    }

    #[test]
    fn columns_are_united_in_the_order_in_which_they_were_met_and_ours_stay_behind() {
        let one = columns(&[("b", "Utf8"), ("a", "Utf8"), (SOURCE, "Utf8")]);
        let ours = [(SOURCE, "Utf8"), (RECORD_NO, "UInt64"), (OFFSET, "UInt64"), (LENGTH, "UInt32")];
        let other = columns(&[&[("c", "Int64"), ("a", "Utf8")], ours.as_slice()].concat());
        let names: Vec<String> = unite(&one, &other).unwrap().into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["b", "a", "c", SOURCE, RECORD_NO, OFFSET, LENGTH]);
    }

    #[test]
    fn a_column_that_an_input_lacks_may_be_null_and_one_that_all_have_is_as_they_say() {
        let both = column("both", "Int64", false);
        let one = [both.clone(), column("mine", "Int64", false)];
        let other = [both, column("yours", "Int64", false)];
        let united = unite(&one, &other).unwrap();
        let nullable: Vec<bool> = united.iter().map(|column| column.nullable).collect();
        assert_eq!(nullable, [false, true, true]);
        let loose = [column("both", "Int64", true)];
        assert!(unite(&one[..1], &loose).unwrap()[0].nullable);
    }

    #[test]
    fn another_type_under_a_name_and_another_spelling_of_one_are_said() {
        let known = columns(&[("px", "Int64"), ("qty", "Int64")]);
        let clash = |found: &[(&str, &str)]| unite(&known, &columns(found)).unwrap_err();
        assert_eq!(clash(&[("px", "Utf8"), ("new", "Utf8")]), "`px` is Utf8, there Int64");
        assert_eq!(clash(&[("QTY", "Int64")]), "`QTY` is written `qty` there");
    }

    #[test]
    fn a_difference_names_the_first_columns_that_are_not_alike() {
        let known = columns(&[("id", "Int64"), ("px", "Utf8")]);
        let found = columns(&[("id", "Int64"), ("px", "Int64"), ("qty", "Int64")]);
        assert_eq!(
            fit(SchemaRule::Same, &known, &found).unwrap_err(),
            "column 2 is `px` (Int64), there `px` (Utf8); column 3 is `qty` (Int64), there nothing"
        );
        let many: Vec<Column> = (0..9).map(|at| column(&format!("c{at}"), "Utf8", true)).collect();
        assert!(fit(SchemaRule::Same, &known, &many).unwrap_err().ends_with("; and 6 more"));
    }

    #[test]
    fn more_columns_than_a_table_may_have_are_not_united() {
        let some = |from: usize| -> Vec<Column> {
            (from..from + 3000).map(|at| column(&format!("c{at}"), "Utf8", true)).collect()
        };
        assert_eq!(
            unite(&some(0), &some(3000)).unwrap_err(),
            "columns of all inputs: limit 4100, wanted 6000"
        );
        let mut gathered = some(0);
        assert!(gather(&mut gathered, some(3000)).is_err());
    }

    #[test]
    fn every_type_of_the_wire_can_be_told_in_words() {
        let rows = crate::sinks::guest::every_type();
        let told = of(&rows.schema());
        assert_eq!(first_unspoken(&told, &rows.schema()), None);
        assert_eq!(schema(&told, &Schema::empty()).unwrap().fields(), rows.schema().fields());
    }

    #[test]
    fn a_type_that_words_do_not_give_back_is_named() {
        let odd = Field::new("a\"b", DataType::Utf8, true);
        let long = Field::new("x".repeat(KIND_BYTES_MAX), DataType::Utf8, true);
        for inner in [odd, long] {
            let schema = Schema::new(vec![Field::new("s", DataType::Struct(vec![inner].into()), true)]);
            let told = of(&schema);
            if let Some(said) = first_unspoken(&told, &schema) {
                assert_eq!(said, "the type of `s` cannot be told in words");
                continue;
            }
            assert_eq!(super::schema(&told, &Schema::empty()).unwrap().fields(), schema.fields());
        }
    }

    #[test]
    fn what_rows_lack_is_null() {
        let rows = crate::sinks::guest::every_type();
        let mut wider = of(&rows.schema());
        wider.insert(1, column("new", "Timestamp(µs, \"UTC\")", true));
        let conformed = conform(rows.clone(), &schema(&wider, &rows.schema()).unwrap()).unwrap();
        assert_eq!(conformed.column(1).null_count(), rows.num_rows());
        assert_eq!(conformed.column(0), rows.column(0));
        assert_eq!(conformed.num_columns(), rows.num_columns() + 1);
    }

    proptest! {
        /// Inputs are united segment by segment, and segments with each other: it must not matter where they were cut.
        #[test]
        fn what_inputs_are_united_to_does_not_depend_on_how_they_were_grouped(
            inputs in prop::collection::vec(any_columns(), 1..8),
            cut in 0_usize..8,
        ) {
            let all = |inputs: &[Vec<Column>]| -> Result<Vec<Column>, String> {
                let (first, rest) = inputs.split_first().unwrap();
                rest.iter().try_fold(first.clone(), |known, found| unite(&known, found))
            };
            let cut = cut % inputs.len();
            let whole = all(&inputs);
            if cut > 0 {
                let (one, other) = inputs.split_at(cut);
                let grouped = all(one).and_then(|one| all(other).and_then(|other| unite(&one, &other)));
                prop_assert_eq!(whole.as_ref().ok(), grouped.as_ref().ok());
            }
            if let Ok(united) = &whole {
                for input in &inputs {
                    prop_assert_eq!(&unite(united, input).unwrap().len(), &united.len());
                }
            }
        }

        #[test]
        fn columns_in_pieces_are_the_columns(columns in any_columns()) {
            let mut gathered = Vec::new();
            let pieces = pieces(&columns);
            let last: Vec<bool> = pieces.iter().map(|(_, is_last)| *is_last).collect();
            prop_assert_eq!(last.iter().filter(|is_last| **is_last).count(), 1);
            prop_assert_eq!(last.last(), Some(&true));
            for (piece, _) in pieces {
                gather(&mut gathered, piece).unwrap();
            }
            prop_assert_eq!(gathered, columns);
        }
    }

    prop_compose! {
        fn any_columns()(
            names in prop::sample::subsequence(vec!["a", "b", "c", "d", "e"], 0..5),
            shuffle in any::<u64>(),
            kinds in prop::collection::vec(prop::bool::weighted(0.9), 5),
            nullable in any::<[bool; 5]>(),
        ) -> Vec<Column> {
            let kind = |at: usize| if kinds[at] { "Utf8" } else { "Int64" };
            let mut columns: Vec<Column> = names
                .iter()
                .enumerate()
                .map(|(at, name)| column(name, kind(at), nullable[at]))
                .collect();
            if !columns.is_empty() {
                let by = usize::try_from(shuffle % 5).unwrap() % columns.len();
                columns.rotate_left(by);
            }
            columns.push(column(SOURCE, "Utf8", false));
            columns
        }
    }
}
