//! What a run wrote, at a glance: of each table its columns, of each column its nulls, how many different values there are, the
//! least and the most, and how numbers are spread.
//!
//! Files are read twice: what the numbers are spread over is known only at the end of the first time. Memory follows the number
//! of columns. The files may be anybody's.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Decimal128Type, Float64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, Schema};
use casparian_core::fault::{Blame, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use casparian_core::infer::{Distinct, Place, Sketch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

use crate::sinks::preview::without_zone;
use crate::staging::{QUARANTINE_FILE, QUARANTINE_PARTS, RECEIPT_FILE};

/// The version of [`Glance`]'s shape.
pub const GLANCE_SCHEMA: u32 = 1;
/// Bars of a histogram.
pub const BARS: usize = 16;
/// Rows that are looked at at once.
const BATCH_ROWS: usize = 8 << 10;
/// Most bytes of a value that is shown.
const VALUE_BYTES_MAX: usize = 64;
/// Texts are compared by so many bytes.
const COMPARED_BYTES_MAX: usize = 1024;
/// Most columns of one table.
const COLUMNS_MAX: usize = 8192;
/// How files of tables end that can be looked at.
const PARQUET: &str = "parquet";

/// What a run wrote.
#[derive(Debug, Clone, Serialize)]
pub struct Glance {
    /// [`GLANCE_SCHEMA`].
    pub schema: u32,
    /// As it was given.
    pub path: String,
    /// Its tables, by name.
    pub tables: Vec<TableGlance>,
    /// Rows in its quarantine.
    pub quarantined: u64,
}

/// One table.
#[derive(Debug, Clone, Serialize)]
pub struct TableGlance {
    /// Its name.
    pub name: GuestText,
    /// Its rows.
    pub rows: u64,
    /// Files that it is in.
    pub files: usize,
    /// Their size.
    pub bytes: u64,
    /// Its columns, in order.
    pub columns: Vec<ColumnGlance>,
}

/// One column.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnGlance {
    /// Its name.
    pub name: GuestText,
    /// Its type.
    pub kind: String,
    /// Rows without a value.
    pub nulls: u64,
    /// How many different values there are; none: values of its type are not counted.
    pub distinct: Option<Distinct>,
    /// The least value; of long texts what they begin with.
    pub least: Option<GuestText>,
    /// The most.
    pub most: Option<GuestText>,
    /// How many values lie in each of [`BARS`] equal stretches between the two; numbers only.
    pub histogram: Option<Vec<u64>>,
}

/// Returns whether something is what a run wrote, and no parser.
pub fn is_output(path: &Path) -> bool {
    is_parquet(path) && path.is_file()
        || path.join(RECEIPT_FILE).is_file()
        || path.join(QUARANTINE_PARTS).is_dir()
}

/// Looks at what a run wrote: a folder, or the file of one table.
pub fn glance(path: &Path) -> Result<Glance, FaultReport> {
    let mut found = Found::default();
    if path.is_dir() {
        found.folder(path)?
    } else {
        found.tables.push((stem(path), vec![path.to_owned()]))
    };
    if found.tables.is_empty() {
        return Err(no_tables(path));
    }
    let tables = found.tables.iter().map(|(name, files)| table(name, files)).collect::<Result<_, _>>()?;
    let mut quarantined = 0_u64;
    for file in &found.quarantine {
        quarantined =
            quarantined.saturating_add(open(file)?.metadata().file_metadata().num_rows().unsigned_abs());
    }
    Ok(Glance { schema: GLANCE_SCHEMA, path: path.to_string_lossy().into_owned(), tables, quarantined })
}

/// The files of an output.
#[derive(Default)]
struct Found {
    tables: Vec<(String, Vec<PathBuf>)>,
    quarantine: Vec<PathBuf>,
}

impl Found {
    fn folder(&mut self, folder: &Path) -> Result<(), FaultReport> {
        for path in entries(folder)? {
            let name = path.file_name().unwrap_or_default().to_owned();
            if name == QUARANTINE_FILE {
                self.quarantine.push(path);
            } else if name == QUARANTINE_PARTS && path.is_dir() {
                self.quarantine.extend(parts(&path)?);
            } else if path.is_dir() && is_table(&name) {
                self.tables.push((name.to_string_lossy().into_owned(), parts(&path)?));
            } else if is_parquet(&path) && is_table(OsStr::new(&stem(&path))) {
                self.tables.push((stem(&path), vec![path]));
            }
        }
        self.tables.retain(|(_, files)| !files.is_empty());
        Ok(())
    }
}

fn parts(folder: &Path) -> Result<Vec<PathBuf>, FaultReport> {
    Ok(entries(folder)?.into_iter().filter(|path| is_parquet(path)).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, FaultReport> {
    let listed = folder.read_dir().and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let listed = listed.map_err(|error| unreadable(folder, &error))?;
    let mut paths: Vec<PathBuf> = listed.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(PARQUET))
}

fn is_table(name: &OsStr) -> bool {
    name.to_str().and_then(TableName::new).is_some()
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, FaultReport> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unreadable(path, &error))
}

/// Shows every batch of some files.
fn read(
    files: &[PathBuf],
    mut see: impl FnMut(&RecordBatch) -> Result<(), ArrowError>,
) -> Result<(), FaultReport> {
    for path in files {
        let rows = open(path)?.with_batch_size(BATCH_ROWS).build();
        for batch in rows.map_err(|error| unreadable(path, &error))? {
            batch.and_then(|batch| see(&batch)).map_err(|error| unreadable(path, &error))?;
        }
    }
    Ok(())
}

fn table(name: &str, files: &[PathBuf]) -> Result<TableGlance, FaultReport> {
    let mut columns: Vec<Seen> = Vec::new();
    for path in files {
        columns_of(path, open(path)?.schema(), &mut columns)?;
    }
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    for path in files {
        bytes = bytes.saturating_add(path.metadata().map_err(|error| unreadable(path, &error))?.len());
    }
    read(files, |batch| {
        rows = rows.saturating_add(batch.num_rows() as u64);
        columns.iter_mut().zip(batch.columns()).try_for_each(|(column, cells)| column.see(cells))
    })?;
    columns.iter_mut().for_each(Seen::spread);
    if columns.iter().any(|column| column.bars.is_some()) {
        read(files, |batch| {
            columns.iter_mut().zip(batch.columns()).try_for_each(|(column, cells)| column.count(cells))
        })?;
    }
    let columns = columns.into_iter().map(Seen::into_glance).collect();
    Ok(TableGlance { name: GuestText::new(name, 256), rows, files: files.len(), bytes, columns })
}

/// Takes the columns of the first file; those behind it must have the same.
fn columns_of(path: &Path, schema: &Schema, columns: &mut Vec<Seen>) -> Result<(), FaultReport> {
    if schema.fields().len() > COLUMNS_MAX {
        let more = format!("columns: limit {COLUMNS_MAX}, and it has {}", schema.fields().len());
        return Err(unreadable(path, &more));
    }
    let found = schema.fields().iter().map(|field| Seen::new(field.name(), field.data_type()));
    let found: Vec<Seen> = found.collect();
    let are_same = |(one, other): (&Seen, &Seen)| one.name == other.name && one.data_type == other.data_type;
    if columns.is_empty() {
        *columns = found;
    } else if columns.len() != found.len() || !columns.iter().zip(&found).all(are_same) {
        return Err(unreadable(path, &"its columns are not those of the files before it"));
    }
    Ok(())
}

/// A value, as far as it is compared.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Whole(i128),
    Real(f64),
    Text(String),
}

impl Value {
    fn is_less(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => one < other,
            (Self::Real(one), Self::Real(other)) => one < other,
            (Self::Text(one), Self::Text(other)) => one < other,
            _ => false,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "where a bar begins is no exact matter")]
    fn place(&self) -> Option<f64> {
        match self {
            Self::Whole(whole) => Some(*whole as f64),
            Self::Real(real) => Some(*real).filter(|real| real.is_finite()),
            Self::Text(_) => None,
        }
    }

    fn add_to(&self, sketch: &mut Sketch) {
        let nowhere = Place { piece: 0, row: 0 };
        match self {
            Self::Whole(whole) => sketch.add(&whole.to_le_bytes(), nowhere),
            Self::Real(real) => sketch.add(&real.to_bits().to_le_bytes(), nowhere),
            Self::Text(text) => sketch.add(text.as_bytes(), nowhere),
        }
    }
}

/// A column that is being looked at.
struct Seen {
    name: String,
    data_type: DataType,
    nulls: u64,
    sketch: Sketch,
    /// The least and the most, with how they are shown.
    least: Option<(Value, GuestText)>,
    most: Option<(Value, GuestText)>,
    /// From where to where numbers reach, and how many lie in each stretch.
    bars: Option<(f64, f64, Vec<u64>)>,
}

impl Seen {
    fn new(name: &str, data_type: &DataType) -> Self {
        let (name, data_type) = (name.to_owned(), data_type.clone());
        Self { name, data_type, nulls: 0, sketch: Sketch::default(), least: None, most: None, bars: None }
    }

    fn see(&mut self, cells: &ArrayRef) -> Result<(), ArrowError> {
        self.nulls = self.nulls.saturating_add(cells.null_count() as u64);
        let plain = without_zone(cells)?;
        let formatter = ArrayFormatter::try_new(plain.as_ref(), &FormatOptions::default()).ok();
        let shown = |row| {
            let text = formatter.as_ref().and_then(|formatter| formatter.value(row).try_to_string().ok());
            GuestText::new(&text.unwrap_or_default(), VALUE_BYTES_MAX)
        };
        each(cells, |row, value| {
            value.add_to(&mut self.sketch);
            if matches!(value, Value::Real(real) if real.is_nan()) {
                return;
            }
            if self.least.as_ref().is_none_or(|(least, _)| value.is_less(least)) {
                self.least = Some((value.clone(), shown(row)));
            }
            if self.most.as_ref().is_none_or(|(most, _)| most.is_less(&value)) {
                self.most = Some((value, shown(row)));
            }
        })
    }

    /// Makes room for a histogram of numbers, once it is known what they are spread over.
    fn spread(&mut self) {
        let is_number = self.data_type.is_numeric();
        let ends = self.least.as_ref().zip(self.most.as_ref()).filter(|_| is_number);
        let ends = ends.and_then(|((least, _), (most, _))| least.place().zip(most.place()));
        self.bars =
            ends.filter(|(least, most)| least < most).map(|(least, most)| (least, most, vec![0; BARS]));
    }

    fn count(&mut self, cells: &ArrayRef) -> Result<(), ArrowError> {
        let Some((least, most, bars)) = &mut self.bars else { return Ok(()) };
        each(cells, |_, value| {
            let Some(place) = value.place() else { return };
            // Halved before they are taken apart, so that the distance between the furthest two is a number.
            let share = (place / 2.0 - *least / 2.0) / (*most / 2.0 - *least / 2.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of the bars, rounded down"
            )]
            let at = ((share * BARS as f64) as usize).min(BARS - 1);
            if let Some(bar) = bars.get_mut(at) {
                *bar += 1;
            }
        })
    }

    fn into_glance(self) -> ColumnGlance {
        let distinct = self.sketch.distinct();
        let is_counted = distinct.count() > 0;
        ColumnGlance {
            name: GuestText::new(&self.name, 256),
            kind: GuestText::new(&self.data_type.to_string(), 128).to_string(),
            nulls: self.nulls,
            distinct: is_counted.then_some(distinct),
            least: self.least.map(|(_, shown)| shown),
            most: self.most.map(|(_, shown)| shown),
            histogram: self.bars.map(|(_, _, bars)| bars),
        }
    }
}

/// Shows every value that can be compared, with its row.
fn each(cells: &ArrayRef, mut see: impl FnMut(usize, Value)) -> Result<(), ArrowError> {
    match cells.data_type() {
        DataType::Float32 | DataType::Float64 => {
            let reals = cast(cells, &DataType::Float64)?;
            let reals = reals.as_primitive::<Float64Type>();
            reals
                .iter()
                .enumerate()
                .for_each(|(row, real)| real.into_iter().for_each(|real| see(row, Value::Real(real))));
        }
        DataType::Utf8 | DataType::LargeUtf8 => {
            let texts = cast(cells, &DataType::LargeUtf8)?;
            for (row, text) in texts.as_string::<i64>().iter().enumerate() {
                let Some(text) = text else { continue };
                let kept = text.floor_char_boundary(COMPARED_BYTES_MAX);
                see(row, Value::Text(text.get(..kept).unwrap_or_default().to_owned()));
            }
        }
        _ => {
            let Some(wholes) = wholes(cells)? else { return Ok(()) };
            let wholes = wholes.as_primitive::<Decimal128Type>();
            for (row, whole) in wholes.iter().enumerate() {
                whole.into_iter().for_each(|whole| see(row, Value::Whole(whole)));
            }
        }
    }
    Ok(())
}

/// Returns whole numbers in the order of the values; none: they have none.
fn wholes(cells: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
    let digits = DataType::Decimal128(38, 0);
    Ok(Some(match cells.data_type() {
        DataType::Decimal128(..) => ArrayRef::clone(cells),
        data_type if data_type.is_integer() => cast(cells, &digits)?,
        data_type if data_type.is_temporal() => {
            cast(&cast(&without_zone(cells)?, &DataType::Int64)?, &digits)?
        }
        DataType::Boolean => cast(&cast(cells, &DataType::Int8)?, &digits)?,
        _ => return Ok(None),
    }))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> FaultReport {
    FaultReport {
        blame: Blame::Input,
        code: "table-unreadable".to_owned(),
        message: format!("{}: {error}", GuestText::new(&path.to_string_lossy(), 4096)),
        hint: Some("`host verify` says whether an output is as its run has left it".to_owned()),
        at: None,
    }
}

fn no_tables(path: &Path) -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "no-tables".to_owned(),
        message: format!("{} has no tables in Parquet", GuestText::new(&path.to_string_lossy(), 4096)),
        hint: Some(
            "a run writes them into the folder that --out names, unless --format says otherwise".to_owned(),
        ),
        at: None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::*;
    use arrow_schema::Field;
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn written(columns: Vec<(&str, ArrayRef)>) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        let fields: Vec<Field> =
            columns.iter().map(|(name, cells)| Field::new(*name, cells.data_type().clone(), true)).collect();
        let cells = columns.into_iter().map(|(_, cells)| cells).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), cells).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        (folder, path)
    }

    fn column(cells: ArrayRef) -> ColumnGlance {
        let (_folder, path) = written(vec![("c", cells)]);
        glance(&path).unwrap().tables[0].columns[0].clone()
    }

    fn ends(column: &ColumnGlance) -> (String, String) {
        let shown = |end: &Option<GuestText>| end.as_ref().map(ToString::to_string).unwrap_or_default();
        (shown(&column.least), shown(&column.most))
    }

    #[test]
    fn nulls_different_values_and_both_ends_are_told() {
        let found = column(Arc::new(Int64Array::from(vec![Some(3), None, Some(-7), Some(3)])));
        assert_eq!((found.nulls, found.distinct), (1, Some(Distinct::Exactly(2))));
        assert_eq!(ends(&found), ("-7".to_owned(), "3".to_owned()));
        let found = column(Arc::new(StringArray::from(vec!["b", "", "a"])));
        assert_eq!((ends(&found), found.histogram), ((String::new(), "b".to_owned()), None));
    }

    #[test]
    fn the_ends_of_large_numbers_are_exact() {
        let found = column(Arc::new(UInt64Array::from(vec![u64::MAX - 1, u64::MAX, u64::MAX - 2])));
        assert_eq!(ends(&found), ((u64::MAX - 2).to_string(), u64::MAX.to_string()));
    }

    #[test]
    fn every_number_lies_in_one_bar_the_last_one_too() {
        let found = column(Arc::new(Float64Array::from_iter_values((0..=1600).map(f64::from))));
        let bars = found.histogram.unwrap();
        assert_eq!((bars.len(), bars.iter().sum::<u64>()), (BARS, 1601));
        assert_eq!((bars[0], bars[BARS - 1]), (100, 101));
        let far = column(Arc::new(Float64Array::from(vec![f64::MIN, 0.0, f64::MAX])));
        assert_eq!(far.histogram.unwrap().iter().sum::<u64>(), 3);
    }

    #[test]
    fn what_is_no_number_is_passed_over_and_breaks_nothing() {
        let found = column(Arc::new(Float64Array::from(vec![f64::NAN, 1.0, 2.0])));
        assert_eq!(ends(&found), ("1.0".to_owned(), "2.0".to_owned()));
        let endless = column(Arc::new(Float64Array::from(vec![f64::INFINITY, 1.0])));
        assert_eq!(endless.histogram, None);
        let lists = ListArray::from_iter_primitive::<types::Int32Type, _, _>([Some([Some(1)])]);
        assert_eq!(column(Arc::new(lists)).distinct, None);
    }

    #[test]
    fn moments_are_shown_as_such() {
        let at = TimestampMillisecondArray::from(vec![0, 86_400_000]).with_timezone("Nowhere/Else");
        assert_eq!(
            ends(&column(Arc::new(at))),
            ("1970-01-01T00:00:00".to_owned(), "1970-01-02T00:00:00".to_owned())
        );
        assert_eq!(ends(&column(Arc::new(Date32Array::from(vec![1, 0])))).0, "1970-01-01");
    }

    #[test]
    fn a_file_that_is_none_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        std::fs::write(&path, "no table").unwrap();
        let fault = glance(&path).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.blame), ("table-unreadable", Blame::Input));
        assert!(fault.message.contains("t.parquet"), "{}", fault.message);
        assert_eq!(glance(folder.path()).unwrap_err().code, "table-unreadable");
    }
}
