//! A schema message, read into the columns of a table: allowed types only, names that can be shown and told apart, and the
//! reserved columns as they must be.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use super::envelope::{self, Header};
use super::fault::{FieldNo, WireFault};
use super::flat::Table;
use super::meaning;
use crate::guest_text::{GuestText, steers};

/// Most fields of a schema, children counted: what one batch makes us look at.
pub(crate) const FIELDS_MAX: usize = 4096;
/// Most types on the way from a column to its leaf, both counted.
pub(crate) const DEPTH_MAX: usize = 4;
pub(crate) const NAME_BYTES_MAX: usize = 256;
const ZONE_BYTES_MAX: usize = 64;
/// Past this the doc of a column is cut.
const DOC_BYTES_MAX: usize = 256;
/// Widest value of a fixed-size binary column. One null of it is that much memory to whoever fills a column.
const FIXED_SIZE_MAX: i32 = 65_536;

/// The column that holds where a row's record begins.
pub const OFFSET: &str = "_cf_offset";
/// The column that holds how long a row's record is.
pub const LENGTH: &str = "_cf_length";
/// The column that holds the faults of a row's record.
pub const FAULTS: &str = "_cf_faults";
pub(crate) const RESERVED_PREFIX: &str = "_cf_";

/// The columns of a table, checked. Only [`super::schema`] can make one.
#[derive(Debug, Clone)]
pub struct TableSchema {
    columns: SchemaRef,
    declared: SchemaRef,
    meant: SchemaRef,
    nullable: SchemaRef,
    /// One for each column of the payload.
    docs: Vec<GuestText>,
    reserved: Reserved,
    wire: WireCounts,
}

/// Where the reserved columns are among all columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reserved {
    pub(super) offset: Option<usize>,
    pub(super) length: Option<usize>,
    pub(super) faults: Option<usize>,
}

impl Reserved {
    pub(super) fn has(&self, column: usize) -> bool {
        [self.offset, self.length, self.faults].contains(&Some(column))
    }
}

/// What a batch of a schema is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct WireCounts {
    pub(super) nodes: usize,
    pub(super) buffers: usize,
}

impl PartialEq for TableSchema {
    fn eq(&self, other: &Self) -> bool {
        // All else follows from these, but for the docs of columns, which are for people: nothing depends on them.
        self.columns == other.columns && self.meant == other.meant
    }
}

impl Eq for TableSchema {}

impl TableSchema {
    /// Returns all columns as the guest declared them, the reserved ones too, in the order of the wire.
    pub fn columns(&self) -> &SchemaRef {
        &self.columns
    }

    /// Returns the payload, that is the columns besides the reserved ones, each nullable or not as the guest declared it.
    /// What is nested in a column is nullable always: nobody judges it.
    pub fn declared(&self) -> &SchemaRef {
        &self.declared
    }

    /// Returns the payload as it is meant: the same columns, and where the guest says what the texts of one are meant to be,
    /// that type. By this rows are judged where no contract says more.
    pub fn meant(&self) -> &SchemaRef {
        &self.meant
    }

    /// Returns the payload as batches have it: every column nullable, since a null in a column that was declared to have
    /// none is for the judge to see.
    pub fn nullable(&self) -> &SchemaRef {
        &self.nullable
    }

    /// Returns what each column of the payload holds, in the guest's words; empty where it does not say.
    pub fn docs(&self) -> &[GuestText] {
        &self.docs
    }

    /// Returns whether rows say which bytes they come from.
    pub fn has_spans(&self) -> bool {
        self.reserved.offset.is_some()
    }

    pub(super) fn reserved(&self) -> Reserved {
        self.reserved
    }

    pub(super) fn wire(&self) -> WireCounts {
        self.wire
    }

    /// Returns how many fields there are, children and reserved ones counted.
    pub fn count_fields(&self) -> u64 {
        self.wire.nodes as u64
    }

    fn new(columns: Vec<Field>, about: Vec<About>) -> Result<Self, WireFault> {
        let reserved = find_reserved(&columns)?;
        let payload =
            || columns.iter().zip(&about).enumerate().filter(|(at, _)| !reserved.has(*at)).map(|(_, it)| it);
        let nullable: Vec<Field> = payload().map(|(column, _)| relax(column)).collect();
        if nullable.is_empty() {
            return Err(WireFault::NoColumns);
        }
        let declared = payload().map(|(column, _)| relax(column).with_nullable(column.is_nullable()));
        let declared: Vec<Field> = declared.collect();
        let meant = declared.iter().zip(payload()).map(|(column, (_, about))| match &about.meant {
            Some(meant) => column.clone().with_data_type(meant.clone()),
            None => column.clone(),
        });
        let mut wire = WireCounts::default();
        columns.iter().for_each(|column| count(column.data_type(), &mut wire));
        Ok(Self {
            meant: Arc::new(Schema::new(meant.collect::<Vec<_>>())),
            declared: Arc::new(Schema::new(declared)),
            nullable: Arc::new(Schema::new(nullable)),
            docs: payload().map(|(_, about)| about.doc.clone()).collect(),
            columns: Arc::new(Schema::new(columns)),
            reserved,
            wire,
        })
    }
}

/// Reads a schema message. See [`super::schema`].
pub(super) fn read(message: &[u8]) -> Result<TableSchema, WireFault> {
    let (flat, behind) = envelope::split(message)?;
    let schema = envelope::open(&flat, behind, Header::Schema)?;
    if !behind.is_empty() {
        return Err(WireFault::TrailingBytes { bytes: behind.len() as u64 });
    }
    if schema.i16(0, 0)? != 0 {
        return Err(WireFault::Endianness);
    }
    envelope::check_key_values(&schema, 2)?;
    schema.longs::<8>(3)?;
    let mut reader = FieldReader::default();
    let columns = reader.siblings(&schema, 1, 1)?;
    TableSchema::new(columns, reader.about)
}

/// Reads fields depth first and counts them on the way, so that a subtree that is shared over and over meets a bound.
#[derive(Default)]
struct FieldReader {
    /// Fields begun. `begun <= FIELDS_MAX`.
    begun: usize,
    /// What is said about the columns that were read; what is said about nested fields is passed over.
    about: Vec<About>,
}

/// What a guest says about a column, besides its type.
struct About {
    doc: GuestText,
    /// What its texts are meant to be.
    meant: Option<DataType>,
}

impl FieldReader {
    /// Reads the fields at `slot`: the columns of a schema, or the children of a struct.
    fn siblings(&mut self, parent: &Table<'_>, slot: u16, depth: usize) -> Result<Vec<Field>, WireFault> {
        let Some(tables) = parent.tables(slot)? else { return Ok(Vec::new()) };
        if tables.len() > FIELDS_MAX {
            return Err(WireFault::TooManyFields { limit: FIELDS_MAX });
        }
        let mut taken = BTreeSet::new();
        let mut fields = Vec::with_capacity(tables.len());
        for table in tables.iter() {
            let table = table?;
            let number = FieldNo(self.begun);
            let name = table.text(0)?.unwrap_or_default();
            check_name(number, name)?;
            check_prefix(number, name, depth)?;
            if !taken.insert(fold(name)) {
                return Err(WireFault::NameRepeated { field: number, name: shown(name) });
            }
            fields.push(self.field(&table, name, depth)?);
        }
        Ok(fields)
    }

    fn field(&mut self, table: &Table<'_>, name: &str, depth: usize) -> Result<Field, WireFault> {
        let field = FieldNo(self.begun);
        self.begun = self.begun.saturating_add(1);
        if self.begun > FIELDS_MAX {
            return Err(WireFault::TooManyFields { limit: FIELDS_MAX });
        }
        if depth > DEPTH_MAX {
            return Err(WireFault::TooDeep { field, depth, limit: DEPTH_MAX });
        }
        if table.has(4) {
            return Err(WireFault::TypeDenied { field, kind: "dictionary" });
        }
        let metadata = envelope::check_key_values(table, 6)?;
        if let Some(name) = metadata.extension {
            return Err(WireFault::Extension { field, name: shown(name) });
        }
        let data_type = self.data_type(table, field, depth)?;
        let is_text_column = depth == 1 && matches!(data_type, DataType::Utf8 | DataType::LargeUtf8);
        let meant = metadata.meaning.map(|format| {
            let meant = meaning::read(format).filter(|_| is_text_column);
            meant.ok_or_else(|| WireFault::Meaning { field, format: shown(format) })
        });
        let meant = meant.transpose()?;
        if depth == 1 {
            self.about
                .push(About { doc: GuestText::new(metadata.doc.unwrap_or_default(), DOC_BYTES_MAX), meant });
        }
        Ok(Field::new(name, data_type, table.flag(1)?))
    }

    fn data_type(&mut self, table: &Table<'_>, field: FieldNo, depth: usize) -> Result<DataType, WireFault> {
        let number = table.u8(2)?;
        let kind = kind(number);
        let parameters = table.table(3)?.ok_or(table.missing(3))?;
        let children = table.tables(5)?.map_or(0, |children| children.len());
        match (number, children) {
            (LIST, 1) => Ok(DataType::List(self.item(table, depth)?)),
            (LARGE_LIST, 1) => Ok(DataType::LargeList(self.item(table, depth)?)),
            (STRUCT, 1..) => {
                Ok(DataType::Struct(Fields::from(self.siblings(table, 5, depth.saturating_add(1))?)))
            }
            (LIST | LARGE_LIST | STRUCT, found) => Err(WireFault::Children { field, kind, found }),
            (_, 0) => leaf(number, &parameters, field),
            (_, found) => match leaf(number, &parameters, field) {
                Ok(_) => Err(WireFault::Children { field, kind, found }),
                denied => denied,
            },
        }
    }

    /// Reads the one child of a list. Its name means nothing and differs from writer to writer: here it is always `item`.
    fn item(&mut self, list: &Table<'_>, depth: usize) -> Result<Arc<Field>, WireFault> {
        let child = list.tables(5)?.and_then(|children| children.iter().next()).ok_or(list.missing(5))??;
        child.text(0)?;
        self.field(&child, Field::LIST_FIELD_DEFAULT_NAME, depth.saturating_add(1)).map(Arc::new)
    }
}

const LIST: u8 = 12;
const STRUCT: u8 = 13;
const LARGE_LIST: u8 = 21;

/// Returns the name of a type by its number in the format.
fn kind(number: u8) -> &'static str {
    match number {
        1 => "null",
        2 => "int",
        3 => "floating point",
        4 => "binary",
        5 => "utf8",
        6 => "bool",
        7 => "decimal",
        8 => "date",
        9 => "time",
        10 => "timestamp",
        11 => "interval",
        LIST => "list",
        STRUCT => "struct",
        14 => "union",
        15 => "fixed-size binary",
        16 => "fixed-size list",
        17 => "map",
        18 => "duration",
        19 => "large binary",
        20 => "large utf8",
        LARGE_LIST => "large list",
        22 => "run-end encoded",
        23 => "binary view",
        24 => "utf8 view",
        25 => "list view",
        26 => "large list view",
        _ => "unknown",
    }
}

/// Reads a type without children.
fn leaf(number: u8, parameters: &Table<'_>, field: FieldNo) -> Result<DataType, WireFault> {
    let kind = kind(number);
    let refuse = |parameter, value: i64| WireFault::TypeParameter { field, kind, parameter, value };
    Ok(match number {
        2 => {
            integer(parameters.i32(0, 0)?, parameters.flag(1)?).map_err(|width| refuse("bit width", width))?
        }
        3 => match parameters.i16(0, 0)? {
            1 => DataType::Float32,
            2 => DataType::Float64,
            other => return Err(refuse("precision", other.into())),
        },
        4 => DataType::Binary,
        5 => DataType::Utf8,
        6 => DataType::Boolean,
        7 => decimal(parameters.i32(0, 0)?, parameters.i32(1, 0)?, parameters.i32(2, 128)?)
            .map_err(|(p, v)| refuse(p, v))?,
        8 => match parameters.i16(0, 1)? {
            0 => DataType::Date32,
            1 => DataType::Date64,
            other => return Err(refuse("unit", other.into())),
        },
        9 => time(unit(parameters.i16(0, 1)?).map_err(|unit| refuse("unit", unit))?, parameters.i32(1, 32)?)
            .map_err(|width| refuse("bit width", width))?,
        10 => {
            let unit = unit(parameters.i16(0, 0)?).map_err(|unit| refuse("unit", unit))?;
            DataType::Timestamp(unit, parameters.text(1)?.map(|zone| time_zone(field, zone)).transpose()?)
        }
        15 => match parameters.i32(0, 0)? {
            width @ 1..=FIXED_SIZE_MAX => DataType::FixedSizeBinary(width),
            other => return Err(refuse("byte width", other.into())),
        },
        18 => DataType::Duration(unit(parameters.i16(0, 1)?).map_err(|unit| refuse("unit", unit))?),
        19 => DataType::LargeBinary,
        20 => DataType::LargeUtf8,
        _ => return Err(WireFault::TypeDenied { field, kind }),
    })
}

fn integer(width: i32, signed: bool) -> Result<DataType, i64> {
    Ok(match (width, signed) {
        (8, true) => DataType::Int8,
        (16, true) => DataType::Int16,
        (32, true) => DataType::Int32,
        (64, true) => DataType::Int64,
        (8, false) => DataType::UInt8,
        (16, false) => DataType::UInt16,
        (32, false) => DataType::UInt32,
        (64, false) => DataType::UInt64,
        _ => return Err(width.into()),
    })
}

/// A decimal's scale is from 0 to its precision: more is no number that Parquet or SQL could hold.
pub(super) fn decimal(precision: i32, scale: i32, width: i32) -> Result<DataType, (&'static str, i64)> {
    let (precision_max, make): (u8, fn(u8, i8) -> DataType) = match width {
        128 => (38, DataType::Decimal128),
        256 => (76, DataType::Decimal256),
        _ => return Err(("bit width", width.into())),
    };
    let digits = u8::try_from(precision).ok().filter(|digits| (1..=precision_max).contains(digits));
    let digits = digits.ok_or(("precision", i64::from(precision)))?;
    let fraction =
        i8::try_from(scale).ok().filter(|fraction| (0..=precision).contains(&i32::from(*fraction)));
    fraction.map(|fraction| make(digits, fraction)).ok_or(("scale", scale.into()))
}

fn unit(number: i16) -> Result<TimeUnit, i64> {
    Ok(match number {
        0 => TimeUnit::Second,
        1 => TimeUnit::Millisecond,
        2 => TimeUnit::Microsecond,
        3 => TimeUnit::Nanosecond,
        _ => return Err(number.into()),
    })
}

fn time(unit: TimeUnit, width: i32) -> Result<DataType, i64> {
    match (unit, width) {
        (TimeUnit::Second | TimeUnit::Millisecond, 32) => Ok(DataType::Time32(unit)),
        (TimeUnit::Microsecond | TimeUnit::Nanosecond, 64) => Ok(DataType::Time64(unit)),
        _ => Err(width.into()),
    }
}

/// Checks the alphabet only: which zones there are changes from year to year.
fn time_zone(field: FieldNo, zone: &str) -> Result<Arc<str>, WireFault> {
    let plain = zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-:/_".contains(&byte));
    if !plain || !(1..=ZONE_BYTES_MAX).contains(&zone.len()) {
        return Err(WireFault::TimeZone { field, zone: shown(zone) });
    }
    Ok(Arc::from(zone))
}

fn check_name(field: FieldNo, name: &str) -> Result<(), WireFault> {
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Err(WireFault::NameLength { field, bytes: name.len(), limit: NAME_BYTES_MAX });
    }
    if name.chars().any(|c| steers(c) || is_format(c)) {
        return Err(WireFault::NameUnprintable { field, name: shown(name) });
    }
    Ok(())
}

/// Whether a character is of Unicode's category Cf and does not steer a terminal: number signs and shorthand controls of
/// single scripts. They have no place in a name, but nobody need fear them on a screen.
pub(crate) fn is_format(c: char) -> bool {
    matches!(c,
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
}

/// Refuses a reserved name unless it is one of the three, spelt exactly, of a column.
fn check_prefix(field: FieldNo, name: &str, depth: usize) -> Result<(), WireFault> {
    if fold(name).starts_with(RESERVED_PREFIX) && (depth > 1 || ![OFFSET, LENGTH, FAULTS].contains(&name)) {
        return Err(WireFault::NameReserved { field, name: shown(name) });
    }
    Ok(())
}

/// Returns what is left of a name when case is ignored. Upper case first: it unfolds `ß` and `ſ` as full case folding does.
pub fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

fn shown(text: &str) -> GuestText {
    GuestText::new(text, NAME_BYTES_MAX)
}

fn find_reserved(columns: &[Field]) -> Result<Reserved, WireFault> {
    let is_codes = |data_type: &DataType| matches!(data_type, DataType::List(item) if *item.data_type() == DataType::Utf8);
    let exactly =
        |wanted: DataType| move |field: &Field| *field.data_type() == wanted && !field.is_nullable();
    let reserved = Reserved {
        offset: find(columns, OFFSET, "uint64, not null", exactly(DataType::UInt64))?,
        length: find(columns, LENGTH, "uint32, not null", exactly(DataType::UInt32))?,
        faults: find(columns, FAULTS, "list<utf8>, nullable", |field: &Field| {
            field.is_nullable() && is_codes(field.data_type())
        })?,
    };
    match (reserved.offset, reserved.length) {
        (Some(_), None) => Err(WireFault::HalfSpan { present: OFFSET, absent: LENGTH }),
        (None, Some(_)) => Err(WireFault::HalfSpan { present: LENGTH, absent: OFFSET }),
        _ => Ok(reserved),
    }
}

fn find(
    columns: &[Field],
    name: &'static str,
    wanted: &'static str,
    fits: impl Fn(&Field) -> bool,
) -> Result<Option<usize>, WireFault> {
    let Some((at, column)) = columns.iter().enumerate().find(|(_, column)| column.name() == name) else {
        return Ok(None);
    };
    if !fits(column) {
        return Err(WireFault::ReservedType { name, wanted });
    }
    Ok(Some(at))
}

fn relax(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(Arc::new(relax(item))),
        DataType::LargeList(item) => DataType::LargeList(Arc::new(relax(item))),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| relax(field)).collect()),
        other => other.clone(),
    };
    Field::new(field.name(), data_type, true)
}

fn count(data_type: &DataType, wire: &mut WireCounts) {
    wire.nodes = wire.nodes.saturating_add(1);
    let (buffers, children): (usize, &[Arc<Field>]) = match data_type {
        DataType::Struct(fields) => (1, fields),
        DataType::List(item) | DataType::LargeList(item) => (2, std::slice::from_ref(item)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => (3, &[]),
        _ => (2, &[]),
    };
    wire.buffers = wire.buffers.saturating_add(buffers);
    children.iter().for_each(|child| count(child.data_type(), wire));
}
