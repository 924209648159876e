//! One file of lines, CSV or JSON, written to a descriptor. Memory follows a row and not the file, and the bytes follow the
//! rows alone.

use std::fs::File;
use std::io::Write as _;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::cells::Cells;
use super::fault::{SinkFault, of_system};
use super::{Written, csv, jsonl};

/// Past this many bytes what waits is written.
const BUFFER_BYTES: usize = 256 << 10;

/// What the lines are.
#[derive(Debug)]
enum Shape {
    Csv { escapes_formulas: bool },
    JsonLines { keys: Vec<Vec<u8>> },
}

/// A file of lines that is being written.
pub(crate) struct LinesFile {
    file: File,
    /// What it holds, for messages: "table `orders`".
    what: String,
    shape: Shape,
    /// Lines that wait. Whole ones, except while a row is written.
    buffer: Vec<u8>,
    /// Room for one cell.
    cell: Vec<u8>,
    written: Written,
}

impl LinesFile {
    /// Begins a CSV file with the names of its columns.
    pub(crate) fn csv(file: File, what: String, schema: &SchemaRef, escapes_formulas: bool) -> Self {
        let mut lines = Self::new(file, what, Shape::Csv { escapes_formulas });
        csv::put_header(schema, escapes_formulas, &mut lines.buffer);
        lines
    }

    /// Begins a file of JSON objects.
    pub(crate) fn json(file: File, what: String, schema: &SchemaRef) -> Self {
        let keys = jsonl::keys(schema.fields().iter().map(|field| field.name().as_str()));
        Self::new(file, what, Shape::JsonLines { keys })
    }

    fn new(file: File, what: String, shape: Shape) -> Self {
        let written = Written { rows: 0, bytes: 0 };
        Self { file, what, shape, buffer: Vec::new(), cell: Vec::new(), written }
    }

    /// Writes rows of its schema.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkFault> {
        let columns = Cells::of(rows);
        for row in 0..rows.num_rows() {
            self.add(&columns, row);
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush()?;
            }
        }
        self.written.rows += rows.num_rows() as u64;
        Ok(())
    }

    /// Writes what is left.
    pub(crate) fn close(mut self) -> Result<Written, SinkFault> {
        self.flush()?;
        Ok(self.written)
    }

    fn add(&mut self, columns: &[Cells<'_>], row: usize) {
        let Self { shape, buffer, cell, .. } = self;
        match shape {
            Shape::Csv { escapes_formulas } => csv::put_row(columns, row, *escapes_formulas, cell, buffer),
            Shape::JsonLines { keys } => jsonl::put_row(keys, columns, row, buffer),
        }
    }

    fn flush(&mut self) -> Result<(), SinkFault> {
        let wrote = self.file.write_all(&self.buffer);
        wrote.map_err(|error| of_system(&self.what, self.written.bytes, &error))?;
        self.written.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};
    use std::sync::Arc;

    use arrow_array::builder::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::*;
    use arrow_array::*;
    use arrow_schema::{DataType, Field, Schema, TimeUnit};
    use base64::Engine as _;
    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;
    use crate::sinks::guest::every_type;

    /// A value as it stands in a file.
    #[derive(Debug, Clone, PartialEq)]
    enum Read {
        Null,
        /// Without quotes, in JSON.
        Word(String),
        Text(String),
        List(Vec<Read>),
        Object(Vec<(String, Read)>),
    }

    fn write(rows: &RecordBatch, cuts: &[usize], make: impl FnOnce(File) -> LinesFile) -> Vec<u8> {
        let mut file = tempfile::tempfile().unwrap();
        let mut lines = make(file.try_clone().unwrap());
        let mut from = 0;
        for to in cuts.iter().copied().chain([rows.num_rows()]) {
            let to = to.clamp(from, rows.num_rows());
            lines.write(&rows.slice(from, to - from)).unwrap();
            from = to;
        }
        let written = lines.close().unwrap();
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(written, Written { rows: rows.num_rows() as u64, bytes: bytes.len() as u64 });
        bytes
    }

    fn csv(rows: &RecordBatch, cuts: &[usize]) -> Vec<u8> {
        write(rows, cuts, |file| LinesFile::csv(file, "t".to_owned(), &rows.schema(), false))
    }

    fn json(rows: &RecordBatch, cuts: &[usize]) -> Vec<u8> {
        write(rows, cuts, |file| LinesFile::json(file, "t".to_owned(), &rows.schema()))
    }

    /// Reads CSV by the rules of the specification and nothing of ours.
    fn read_csv(mut rest: &str) -> Vec<Vec<Read>> {
        let (mut rows, mut row) = (Vec::new(), Vec::new());
        while !rest.is_empty() {
            let cell = if let Some(quoted) = rest.strip_prefix('"') {
                let mut text = String::new();
                rest = quoted;
                loop {
                    let (piece, behind) = rest.split_once('"').expect("a quote that ends");
                    text.push_str(piece);
                    rest = behind;
                    match rest.strip_prefix('"') {
                        Some(more) => (text.push('"'), rest = more).1,
                        None => break Read::Text(text),
                    }
                }
            } else {
                let end = rest.find([',', '\r']).expect("a row that ends");
                let (bare, behind) = rest.split_at(end);
                rest = behind;
                if bare.is_empty() { Read::Null } else { Read::Text(bare.to_owned()) }
            };
            row.push(cell);
            match rest.strip_prefix("\r\n") {
                Some(behind) => (rows.push(std::mem::take(&mut row)), rest = behind).1,
                None => rest = rest.strip_prefix(',').expect("a comma"),
            }
        }
        rows
    }

    /// Reads a JSON value off the front, numbers as they are written.
    fn read_json<'a>(rest: &mut &'a str) -> Read {
        let take = |rest: &mut &'a str, bytes: usize| {
            let (taken, behind) = rest.split_at(bytes);
            *rest = behind;
            taken
        };
        match rest.as_bytes()[0] {
            b'[' => {
                let mut items = Vec::new();
                while take(rest, 1) != "]" {
                    if !rest.starts_with(']') {
                        items.push(read_json(rest));
                    }
                }
                Read::List(items)
            }
            b'{' => {
                let mut fields = Vec::new();
                while take(rest, 1) != "}" {
                    let Read::Text(key) = read_json(rest) else { panic!("a key is a text") };
                    assert_eq!(take(rest, 1), ":");
                    fields.push((key, read_json(rest)));
                }
                Read::Object(fields)
            }
            b'"' => {
                let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let text = texts.next().unwrap().unwrap();
                let end = texts.byte_offset();
                take(rest, end);
                Read::Text(text)
            }
            _ => {
                let end = rest.find([',', ']', '}']).unwrap();
                match take(rest, end) {
                    "null" => Read::Null,
                    word => {
                        (
                            serde_json::from_str::<serde_json::Value>(word).unwrap(),
                            Read::Word(word.to_owned()),
                        )
                            .1
                    }
                }
            }
        }
    }

    /// Days since 1970 of a date, by counting.
    fn days(date: &str) -> i64 {
        let mut parts = date.rsplitn(3, '-').map(|part| part.parse::<i64>().unwrap());
        let (day, month, year) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let is_leap =
            |year: i64| year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
        let february = if is_leap(year) { 29 } else { 28 };
        let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let before = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
        before + months[..month as usize - 1].iter().sum::<i64>() + day - 1
    }

    /// Units since midnight.
    fn units(time: &str, unit: TimeUnit) -> i128 {
        let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
        let parts: Vec<i128> =
            seconds.trim_start_matches('-').split(':').map(|part| part.parse().unwrap()).collect();
        let seconds = parts[0] * 3600 + parts[1] * 60 + parts[2];
        assert_eq!(fraction.len(), digits(unit), "{time}");
        let whole = seconds * 10_i128.pow(digits(unit) as u32) + fraction.parse::<i128>().unwrap_or(0);
        if time.starts_with('-') { -whole } else { whole }
    }

    fn digits(unit: TimeUnit) -> usize {
        [0, 3, 6, 9][unit as usize]
    }

    /// Whether what was read is the value that was written.
    fn agrees(read: &Read, array: &dyn Array, row: usize) -> bool {
        macro_rules! word {
            ($native:ty, $type:ty) => {
                scalar(read).parse::<$native>().unwrap() == array.as_primitive::<$type>().value(row)
            };
        }
        if array.is_null(row) {
            return *read == Read::Null;
        }
        match array.data_type() {
            DataType::Boolean => scalar(read).parse::<bool>().unwrap() == array.as_boolean().value(row),
            DataType::Int8 => word!(i8, Int8Type),
            DataType::UInt64 => word!(u64, UInt64Type),
            DataType::Int64 => word!(i64, Int64Type),
            DataType::Float32 => {
                let (read, value) =
                    (scalar(read).parse::<f32>().unwrap(), array.as_primitive::<Float32Type>().value(row));
                read.to_bits() == value.to_bits() || read.is_nan() && value.is_nan()
            }
            DataType::Float64 => {
                let (read, value) =
                    (scalar(read).parse::<f64>().unwrap(), array.as_primitive::<Float64Type>().value(row));
                read.to_bits() == value.to_bits() || read.is_nan() && value.is_nan()
            }
            DataType::Decimal128(_, scale) => {
                let text = scalar(read);
                assert_eq!(text.split_once('.').map_or(0, |(_, fraction)| fraction.len()), *scale as usize);
                text.replacen('.', "", 1).parse::<i128>().unwrap()
                    == array.as_primitive::<Decimal128Type>().value(row)
            }
            DataType::Date32 => {
                days(scalar(read)) == i64::from(array.as_primitive::<Date32Type>().value(row))
            }
            DataType::Time64(unit) => {
                units(scalar(read), *unit)
                    == i128::from(array.as_primitive::<Time64NanosecondType>().value(row))
            }
            DataType::Timestamp(unit, zone) => {
                let text = scalar(read);
                assert_eq!(text.ends_with('Z'), zone.is_some());
                let (date, time) = text.trim_end_matches('Z').split_once('T').unwrap();
                let per_day = 86_400 * 10_i128.pow(digits(*unit) as u32);
                let value = match unit {
                    TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row),
                    _ => array.as_primitive::<TimestampNanosecondType>().value(row),
                };
                i128::from(days(date)) * per_day + units(time, *unit) == i128::from(value)
            }
            DataType::Utf8 => *read == Read::Text(array.as_string::<i32>().value(row).to_owned()),
            DataType::Binary => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(scalar(read)).unwrap();
                bytes == array.as_binary::<i32>().value(row)
            }
            DataType::List(_) => {
                let (items, Read::List(read)) = (array.as_list::<i32>().value(row), read) else {
                    return false;
                };
                read.len() == items.len()
                    && read.iter().enumerate().all(|(at, item)| agrees(item, &items, at))
            }
            DataType::Struct(fields) => {
                let Read::Object(read) = read else { return false };
                let columns = array.as_struct().columns().iter().zip(fields);
                read.len() == fields.len()
                    && read.iter().zip(columns).all(|((key, value), (column, field))| {
                        key == field.name() && agrees(value, column, row)
                    })
            }
            other => panic!("{other} is not among the columns"),
        }
    }

    fn scalar(read: &Read) -> &str {
        match read {
            Read::Word(text) | Read::Text(text) => text,
            other => panic!("{other:?} is no scalar"),
        }
    }

    /// Texts that have often been misread.
    fn text() -> impl Strategy<Value = String> {
        let nasty = [
            "", " ", "\"", "\"\"", ",", "\r\n", "\n", "\r", "a\tb ", "null", "NULL", "=1", "'", "\\",
            "\u{0}", "\u{2028}", "ä,\"ö",
        ];
        prop_oneof![proptest::sample::select(nasty.to_vec()).prop_map(str::to_owned), any::<String>()]
    }

    fn float() -> impl Strategy<Value = f64> {
        use proptest::num::f64::ANY;
        prop_oneof![ANY, Just(0.1), Just(-0.0), Just(1e16), Just(f64::INFINITY), Just(f64::NAN), Just(5e-324)]
    }

    fn whole() -> impl Strategy<Value = i64> {
        prop_oneof![any::<i64>(), -100_000_i64..100_000, Just(i64::MIN), Just(i64::MAX), Just((1 << 53) + 1)]
    }

    #[derive(Debug, Clone)]
    struct Values {
        wholes: Vec<Option<i64>>,
        floats: Vec<Option<f64>>,
        texts: Vec<Option<String>>,
        lists: Vec<Option<Vec<Option<String>>>>,
        name: String,
    }

    fn values() -> impl Strategy<Value = Values> {
        (0_usize..12).prop_flat_map(|rows| {
            use proptest::option::weighted as some;
            let lists = some(0.7, vec(some(0.7, text()), 0..3));
            let columns = (
                vec(some(0.8, whole()), rows),
                vec(some(0.8, float()), rows),
                vec(some(0.8, text()), rows),
                vec(lists, rows),
                "[a-z,\" =]{1,9}",
            );
            columns.prop_map(|(wholes, floats, texts, lists, name)| Values {
                wholes,
                floats,
                texts,
                lists,
                name,
            })
        })
    }

    fn batch(values: &Values) -> RecordBatch {
        let Values { wholes, floats, texts, lists, name } = values;
        let whole = |of: fn(i64) -> i64| wholes.iter().map(move |value| value.map(of)).collect::<Vec<_>>();
        let mut list = ListBuilder::new(StringBuilder::new());
        lists.iter().for_each(|items| list.append_option(items.clone()));
        let list = list.finish();
        let decimals: Decimal128Array =
            wholes.iter().map(|value| value.map(|value| i128::from(value) << 30)).collect();
        let inner: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let nested = StructArray::new(
            vec![
                Field::new(format!("{name}.in"), DataType::Utf8, true),
                Field::new("n", list.data_type().clone(), true),
            ]
            .into(),
            vec![inner, Arc::new(list.clone())],
            Some(floats.iter().map(Option::is_some).collect::<Vec<_>>().into()),
        );
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(wholes.clone())),
            Arc::new(UInt64Array::from_iter(wholes.iter().map(|value| value.map(i64::cast_unsigned)))),
            Arc::new(Int8Array::from_iter(wholes.iter().map(|value| value.map(|value| value as i8)))),
            Arc::new(BooleanArray::from_iter(wholes.iter().map(|value| value.map(|value| value > 0)))),
            Arc::new(Float64Array::from(floats.clone())),
            Arc::new(Float32Array::from_iter(floats.iter().map(|value| value.map(|value| value as f32)))),
            Arc::new(decimals.with_precision_and_scale(38, 9).unwrap()),
            Arc::new(Date32Array::from_iter(wholes.iter().map(|value| value.map(|value| value as i32)))),
            Arc::new(Time64NanosecondArray::from(whole(|value| value))),
            Arc::new(TimestampSecondArray::from(whole(|value| value))),
            Arc::new(TimestampNanosecondArray::from(whole(|value| value)).with_timezone("UTC")),
            Arc::new(StringArray::from(texts.clone())),
            Arc::new(BinaryArray::from_iter(texts.iter().map(|text| text.as_ref().map(String::as_bytes)))),
            Arc::new(list),
            Arc::new(nested),
        ];
        let field = |(at, column): (usize, &ArrayRef)| {
            Field::new(format!("{name}{at}"), column.data_type().clone(), true)
        };
        let fields: Vec<_> = columns.iter().enumerate().map(field).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_written_as_csv_reads_back_as_the_same_values(values in values()) {
            let rows = batch(&values);
            let text = String::from_utf8(csv(&rows, &[])).unwrap();
            let mut read = read_csv(&text);
            let header = read.remove(0);
            let names: Vec<_> = rows.schema().fields().iter().map(|field| Read::Text(field.name().clone())).collect();
            prop_assert_eq!(header, names);
            prop_assert_eq!(read.len(), rows.num_rows());
            for (row, cells) in read.iter().enumerate() {
                prop_assert_eq!(cells.len(), rows.num_columns());
                for (cell, column) in cells.iter().zip(rows.columns()) {
                    let cell = match cell {
                        Read::Text(json) if column.data_type().is_nested() => read_json(&mut json.as_str()),
                        plain => plain.clone(),
                    };
                    prop_assert!(agrees(&cell, column, row), "{:?} is not row {} of {:?}", cell, row, column);
                }
            }
        }

        #[test]
        fn what_is_written_as_json_reads_back_as_the_same_values(values in values()) {
            let rows = batch(&values);
            let text = String::from_utf8(json(&rows, &[])).unwrap();
            let lines: Vec<_> = text.split_terminator('\n').collect();
            prop_assert_eq!(lines.len(), rows.num_rows());
            for (row, line) in lines.iter().enumerate() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line} is no JSON");
                let Read::Object(fields) = read_json(&mut &**line) else { panic!("{line} is no object") };
                prop_assert_eq!(fields.len(), rows.num_columns());
                for ((key, value), (column, field)) in fields.iter().zip(rows.columns().iter().zip(rows.schema().fields())) {
                    prop_assert_eq!(key, field.name());
                    prop_assert!(agrees(value, column, row), "{:?} is not row {} of {:?}", value, row, column);
                }
            }
        }

        #[test]
        fn where_batches_are_cut_changes_no_byte(values in values(), mut cuts in vec(0_usize..12, 0..5)) {
            cuts.sort_unstable();
            let rows = batch(&values);
            prop_assert!(csv(&rows, &cuts) == csv(&rows, &[]));
            prop_assert!(json(&rows, &cuts) == json(&rows, &[]));
        }
    }

    #[test]
    fn every_type_of_the_wire_can_be_written() {
        let rows = every_type();
        let csv = String::from_utf8(csv(&rows, &[])).unwrap();
        assert_eq!(read_csv(&csv).len(), rows.num_rows() + 1);
        assert!(read_csv(&csv)[1..].iter().all(|row| row.len() == rows.num_columns()));
        let json = String::from_utf8(json(&rows, &[])).unwrap();
        assert!(json.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        assert_eq!(json.lines().count(), rows.num_rows());
    }

    fn texts(cells: &[Option<&str>]) -> RecordBatch {
        let schema = Schema::new(vec![Field::new("=text", DataType::Utf8, true)]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(StringArray::from(cells.to_vec()))]).unwrap()
    }

    #[test]
    fn a_null_is_an_empty_cell_and_an_empty_text_is_quoted() {
        let rows = texts(&[None, Some(""), Some("a,b"), Some("say \"hi\""), Some(" x"), Some("plain")]);
        let written = "=text\r\n\r\n\"\"\r\n\"a,b\"\r\n\"say \"\"hi\"\"\"\r\n\" x\"\r\nplain\r\n";
        assert_eq!(String::from_utf8(csv(&rows, &[])).unwrap(), written);
    }

    #[test]
    fn formulas_are_altered_only_where_somebody_asked_for_it() {
        let rows = texts(&[Some("=1+1"), Some("@x"), Some("\tx"), Some("-\",\""), Some("a=1"), Some("'=1")]);
        let plain = String::from_utf8(csv(&rows, &[])).unwrap();
        assert_eq!(plain, "=text\r\n=1+1\r\n@x\r\n\"\tx\"\r\n\"-\"\",\"\"\"\r\na=1\r\n'=1\r\n");
        let make = |file| LinesFile::csv(file, "t".to_owned(), &rows.schema(), true);
        let escaped = String::from_utf8(write(&rows, &[], make)).unwrap();
        assert_eq!(escaped, "'=text\r\n'=1+1\r\n'@x\r\n\"'\tx\"\r\n\"'-\"\",\"\"\"\r\na=1\r\n'=1\r\n");
    }

    #[test]
    fn numbers_are_never_altered_as_formulas() {
        let schema = Schema::new(vec![Field::new("n", DataType::Int8, false)]);
        let rows = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int8Array::from(vec![-1]))]).unwrap();
        let make = |file| LinesFile::csv(file, "t".to_owned(), &rows.schema(), true);
        assert_eq!(write(&rows, &[], make), b"n\r\n-1\r\n");
    }

    #[test]
    fn a_row_is_an_object_with_every_column_in_order() {
        let schema = Schema::new(vec![
            Field::new("b", DataType::UInt64, true),
            Field::new("a\"", DataType::Float64, true),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])),
            Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(2.5)])),
        ];
        let rows = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let written = "{\"b\":18446744073709551615,\"a\\\"\":\"NaN\"}\n{\"b\":null,\"a\\\"\":2.5}\n";
        assert_eq!(String::from_utf8(json(&rows, &[])).unwrap(), written);
    }

    #[test]
    fn a_full_disk_is_called_that() {
        let rows = texts(&[Some("x")]);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut lines = LinesFile::json(full, "table `t`".to_owned(), &rows.schema());
        lines.write(&rows).unwrap();
        let fault = lines.close().unwrap_err();
        assert_eq!(casparian_core::fault::Blamed::code(&fault), "disk-full");
    }
}
