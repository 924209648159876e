//! A property becomes a column: its name, its type, how text becomes a value of it, what a value must be, its children.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};

use super::Reading;
use super::decoding::{self, Standard};
use super::fault::{Findings, Place, shown};
use super::fields::{self, Fields, Word};
use super::options;
use super::physical::Physical;
use super::quality::{self, TableRule};
use super::tree::{Kind, Node};
use crate::contract::Column;
use crate::guest_text::steers;
use crate::wire::schema::{DEPTH_MAX, FIELDS_MAX, NAME_BYTES_MAX, RESERVED_PREFIX, fold, is_format};

/// A column, and what its property says about the table.
pub(super) struct Property {
    pub(super) column: Column,
    pub(super) primary_key: Option<PrimaryKey>,
    /// Where it is said to be unique.
    pub(super) unique: Option<Place>,
    pub(super) rules: Vec<TableRule>,
}

/// That a column belongs to the primary key.
#[derive(Debug, Clone, Copy)]
pub(super) struct PrimaryKey {
    pub(super) at: Place,
    /// From 1.
    pub(super) position: Option<u64>,
}

/// What a property is, before its type is known.
struct Parts<'n> {
    at: Place,
    required: bool,
    physical: Option<Physical<'n>>,
    options: Fields<'n>,
    custom: Fields<'n>,
    quality: Option<&'n Node>,
    items: Option<&'n Node>,
    properties: Option<&'n Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Logical {
    String,
    Boolean,
    Integer,
    Number,
    Date,
    Time,
    Timestamp,
    Array,
    Object,
}

const LOGICAL: [Word<Logical>; 9] = [
    ("string", Logical::String),
    ("boolean", Logical::Boolean),
    ("integer", Logical::Integer),
    ("number", Logical::Number),
    ("date", Logical::Date),
    ("time", Logical::Time),
    ("timestamp", Logical::Timestamp),
    ("array", Logical::Array),
    ("object", Logical::Object),
];

const DOCUMENTATION: [&str; 15] = [
    "id",
    "physicalName",
    "description",
    "businessName",
    "authoritativeDefinitions",
    "tags",
    "partitioned",
    "partitionKeyPosition",
    "classification",
    "encryptedName",
    "transformSourceObjects",
    "transformLogic",
    "transformDescription",
    "examples",
    "criticalDataElement",
];

/// Reads the properties of one table.
#[derive(Debug, Default)]
pub(super) struct ColumnReader {
    /// Columns begun, children counted. `begun <= FIELDS_MAX`.
    begun: usize,
}

/// Where a property stands.
#[derive(Debug, Clone, Copy)]
struct Spot {
    /// 1 for the columns of a table.
    depth: usize,
    /// Its place among the columns of a table.
    place: Option<usize>,
    is_item: bool,
}

impl ColumnReader {
    /// Reads the properties of a table, at depth 1, or of an object below. What cannot be read is left out, with fault
    /// found.
    pub(super) fn siblings(&mut self, node: &Node, depth: usize, reading: &mut Reading) -> Vec<Property> {
        let items = fields::list(node, FIELDS_MAX, &mut reading.found);
        if items.is_some_and(<[Node]>::is_empty) {
            reading.found.fault(node.at, "no-columns", "`properties` without a property");
        }
        let mut names = BTreeSet::new();
        let mut properties = Vec::new();
        for (place, item) in items.unwrap_or_default().iter().enumerate() {
            let spot = Spot { depth, place: (depth == 1).then_some(place), is_item: false };
            properties.extend(self.property(item, spot, &mut names, reading));
        }
        properties
    }

    /// `names` are those of its siblings before it, whatever else is wrong with them.
    fn property(
        &mut self,
        node: &Node,
        spot: Spot,
        names: &mut BTreeSet<String>,
        reading: &mut Reading,
    ) -> Option<Property> {
        self.begin(node.at, spot.depth, &mut reading.found)?;
        let found = &mut reading.found;
        let mut fields = Fields::open(node, "a property", found)?;
        let name = name(&mut fields, spot.is_item, found);
        if let Some(name) = name.as_ref().filter(|name| !names.insert(fold(name))) {
            let message = format!("two properties are called {}, whatever the case", shown(name));
            found.fault(node.at, "name-twice", message);
        }
        let logical = fields.want("logicalType", found).and_then(|node| fields::word(node, &LOGICAL, found));
        let primary_key = primary_key(&mut fields, found);
        let unique = unique(&mut fields, found);
        if let Some(at) = unique.or(primary_key.map(|key| key.at)).filter(|_| spot.place.is_none()) {
            found.fault(
                at,
                "does-not-apply",
                "keys are made of the columns of a table, not of what is nested in them",
            );
        }
        let parts = parts(&mut fields, found);
        documentation(fields, found);
        let mut rules = Vec::new();
        let column = self.column(name?, logical?, parts, spot, &mut rules, reading)?;
        Some(Property { column, primary_key, unique, rules })
    }

    /// Counts a column, and refuses those that are too many or too deep.
    fn begin(&mut self, at: Place, depth: usize, found: &mut Findings) -> Option<()> {
        if self.begun == FIELDS_MAX {
            found.fault(
                at,
                "too-many",
                format!("more than {FIELDS_MAX} columns in a table, children counted"),
            );
            return None;
        }
        if depth > DEPTH_MAX {
            found.fault(
                at,
                "too-deep",
                format!("more than {DEPTH_MAX} types from a column to what is nested in it"),
            );
            return None;
        }
        self.begun = self.begun.saturating_add(1);
        Some(())
    }

    fn column(
        &mut self,
        name: String,
        logical: Logical,
        mut parts: Parts<'_>,
        spot: Spot,
        rules: &mut Vec<TableRule>,
        reading: &mut Reading,
    ) -> Option<Column> {
        let children = self.children(logical, &mut parts, spot.depth, reading);
        let found = &mut reading.found;
        let data_type = match logical {
            Logical::Array => DataType::List(children.first()?.field_of_nested()),
            Logical::Object => DataType::Struct(children.iter().map(Column::field_of_nested).collect()),
            leaf => leaf_type(leaf, &mut parts, found)?,
        };
        let mut standard = Standard::default();
        let mut checks = options::checks(&mut parts.options, &data_type, &mut standard, reading);
        parts.options.close(&mut reading.found);
        let decoding = decoding::decoding(parts.custom, &standard, &data_type, &mut reading.found);
        if let Some(node) = parts.quality {
            let about = quality::About { data_type: &data_type, place: spot.place, required: parts.required };
            quality::of_property(node, about, &mut checks, rules, reading);
        }
        options::compare(&checks, &data_type, parts.at, &mut reading.found);
        Some(Column { name, data_type, required: parts.required, decoding, checks, children })
    }

    /// Reads the item of an array or the fields of an object; nothing else may have any.
    fn children(
        &mut self,
        logical: Logical,
        parts: &mut Parts<'_>,
        depth: usize,
        reading: &mut Reading,
    ) -> Vec<Column> {
        let depth = depth.saturating_add(1);
        let (wanted, needless) = match logical {
            Logical::Array => (Some(("items", parts.items)), parts.properties),
            Logical::Object => (Some(("properties", parts.properties)), parts.items),
            _ => (None, parts.items.or(parts.properties)),
        };
        if let Some(node) = needless {
            reading.found.fault(
                node.at,
                "does-not-apply",
                "an array has `items`, an object has `properties`",
            );
        }
        match wanted {
            Some((key, None)) => {
                reading.found.fault(
                    parts.at,
                    "key-missing",
                    format!("a property of this type without `{key}`"),
                );
                Vec::new()
            }
            Some(("items", Some(node))) => {
                let spot = Spot { depth, place: None, is_item: true };
                let item = self.property(node, spot, &mut BTreeSet::new(), reading);
                item.map(|property| property.column).into_iter().collect()
            }
            Some((_, Some(node))) => {
                let fields = self.siblings(node, depth, reading).into_iter().map(|property| property.column);
                let mut fields: Vec<Column> = fields.collect();
                require(&mut fields, &mut parts.options, &mut reading.found);
                fields
            }
            None => Vec::new(),
        }
    }
}

impl Column {
    /// Returns the column as it stands in another: nullable always, since a check asks for its value.
    fn field_of_nested(&self) -> Arc<Field> {
        Arc::new(Field::new(&self.name, self.data_type.clone(), true))
    }
}

fn name(fields: &mut Fields<'_>, is_item: bool, found: &mut Findings) -> Option<String> {
    if is_item {
        fields.pass(&["name"]);
        return Some(Field::LIST_FIELD_DEFAULT_NAME.to_owned());
    }
    let node = fields.want("name", found)?;
    let name = fields::text(node, found)?;
    let flaw = if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
        format!("a name has 1 to {NAME_BYTES_MAX} bytes, this one {}", name.len())
    } else if name.chars().any(|c| steers(c) || is_format(c)) {
        format!("the name {} cannot be shown as it is", shown(name))
    } else if fold(name).starts_with(RESERVED_PREFIX) {
        format!("{} begins with `{RESERVED_PREFIX}`, as only our own columns do", shown(name))
    } else {
        return Some(name.to_owned());
    };
    found.fault(node.at, "bad-name", flaw);
    None
}

fn parts<'n>(fields: &mut Fields<'n>, found: &mut Findings) -> Parts<'n> {
    let at = fields.at;
    let options = fields.take("logicalTypeOptions");
    let options = options.and_then(|node| Fields::open(node, "logicalTypeOptions of this type", found));
    let custom = fields.take("customProperties");
    let custom = custom.and_then(|node| Fields::open_custom(node, "customProperties of a property", found));
    let physical = fields.take("physicalType");
    Parts {
        at,
        required: fields.take("required").and_then(|node| fields::flag(node, found)).unwrap_or(false),
        physical: physical
            .and_then(|node| fields::text(node, found).map(|text| Physical::new(node.at, text))),
        options: options.unwrap_or_else(|| Fields::empty(at, "logicalTypeOptions")),
        custom: custom.unwrap_or_else(|| Fields::empty(at, "customProperties")),
        quality: fields.take("quality"),
        items: fields.take("items"),
        properties: fields.take("properties"),
    }
}

/// Lets pass what is documentation, and closes a property.
fn documentation(mut fields: Fields<'_>, found: &mut Findings) {
    if let Some(node) = fields.take("relationships") {
        let hint = "take them for documentation";
        found.note(node.at, "not-judged", "relationships to other tables are not judged", hint);
    }
    fields.pass(&DOCUMENTATION);
    fields.close(found);
}

/// Reads the key's part; what the standard calls the default position, -1, is none.
fn primary_key(fields: &mut Fields<'_>, found: &mut Findings) -> Option<PrimaryKey> {
    let key = fields.take("primaryKey");
    let is_key = key.and_then(|node| fields::flag(node, found)).unwrap_or(false);
    let position = fields.take("primaryKeyPosition").filter(|node| !is_minus_one(node));
    match (key.filter(|_| is_key), position) {
        (None, Some(node)) => {
            found.fault(node.at, "does-not-apply", "`primaryKeyPosition` without `primaryKey: true`");
            None
        }
        (key, position) => {
            let position = position.and_then(|node| fields::count(node, found));
            key.map(|node| PrimaryKey { at: node.at, position })
        }
    }
}

fn is_minus_one(node: &Node) -> bool {
    matches!(&node.kind, Kind::Scalar { text, is_plain: true } if text == "-1")
}

fn unique(fields: &mut Fields<'_>, found: &mut Findings) -> Option<Place> {
    let node = fields.take("unique")?;
    fields::flag(node, found)?.then_some(node.at)
}

/// Requires the fields that an object's options list.
fn require(children: &mut [Column], options: &mut Fields<'_>, found: &mut Findings) {
    let Some(node) = options.take("required") else { return };
    for item in fields::list(node, FIELDS_MAX, found).unwrap_or_default() {
        let Some(name) = fields::text(item, found) else { continue };
        match children.iter_mut().find(|child| child.name == name) {
            Some(child) => child.required = true,
            None => {
                found.fault(item.at, "unknown-column", format!("the object has no property {}", shown(name)))
            }
        }
    }
}

fn leaf_type(logical: Logical, parts: &mut Parts<'_>, found: &mut Findings) -> Option<DataType> {
    let physical = parts.physical.as_ref();
    match logical {
        Logical::String => match physical {
            Some(physical) if physical.is_binary() => physical.binary(found),
            physical => {
                physical.inspect(|physical| physical.text(found));
                Some(DataType::Utf8)
            }
        },
        Logical::Boolean => Some(DataType::Boolean),
        Logical::Integer => integer(physical, &mut parts.options, found),
        Logical::Number => number(physical, &mut parts.options, found),
        Logical::Date => Some(DataType::Date32),
        Logical::Time => time(physical, &mut parts.options, found),
        Logical::Timestamp => timestamp(physical, &mut parts.options, found),
        Logical::Array | Logical::Object => None,
    }
}

const INTEGERS: [Word<DataType>; 8] = [
    ("i8", DataType::Int8),
    ("i16", DataType::Int16),
    ("i32", DataType::Int32),
    ("i64", DataType::Int64),
    ("u8", DataType::UInt8),
    ("u16", DataType::UInt16),
    ("u32", DataType::UInt32),
    ("u64", DataType::UInt64),
];
const FLOATS: [Word<DataType>; 2] = [("f32", DataType::Float32), ("f64", DataType::Float64)];

fn integer(
    physical: Option<&Physical<'_>>,
    options: &mut Fields<'_>,
    found: &mut Findings,
) -> Option<DataType> {
    if let Some(physical) = physical.filter(|physical| physical.is_decimal()) {
        return whole_decimal(physical, options, found);
    }
    let data_type = width(options, &INTEGERS, DataType::Int64, found)?;
    if let Some(physical) = physical {
        physical.integer(bits(&data_type), found);
    }
    Some(data_type)
}

fn whole_decimal(
    physical: &Physical<'_>,
    options: &mut Fields<'_>,
    found: &mut Findings,
) -> Option<DataType> {
    no_width(options, found);
    let data_type = physical.decimal(found)?;
    if !matches!(data_type, DataType::Decimal128(_, 0)) {
        let message = format!("{} has a fraction, and the type is integer", shown(physical.text));
        found.fault_with_hint(physical.at, "physical-type", message, "write `logicalType: number`");
        return None;
    }
    Some(data_type)
}

fn number(
    physical: Option<&Physical<'_>>,
    options: &mut Fields<'_>,
    found: &mut Findings,
) -> Option<DataType> {
    if let Some(physical) = physical.filter(|physical| physical.is_decimal()) {
        no_width(options, found);
        return physical.decimal(found);
    }
    let data_type = width(options, &FLOATS, DataType::Float64, found)?;
    if let Some(physical) = physical {
        physical.float(bits(&data_type), found);
    }
    Some(data_type)
}

/// Reads the width of a number; the default where none is written.
fn width(
    options: &mut Fields<'_>,
    widths: &[Word<DataType>],
    default: DataType,
    found: &mut Findings,
) -> Option<DataType> {
    let Some(node) = options.take("format") else { return Some(default) };
    if matches!(&node.kind, Kind::Scalar { text, .. } if text == "i128" || text == "u128") {
        let hint = "write `physicalType: DECIMAL(38,0)`";
        found.fault_with_hint(node.at, "unknown-word", "integers have 64 bits at most", hint);
        return None;
    }
    let words: Vec<Word<usize>> =
        widths.iter().enumerate().map(|(place, (word, _))| (*word, place)).collect();
    let place = fields::word(node, &words, found)?;
    widths.get(place).map(|(_, data_type)| data_type.clone())
}

fn no_width(options: &mut Fields<'_>, found: &mut Findings) {
    if let Some(node) = options.take("format") {
        found.fault(node.at, "said-twice", "a decimal has its digits from `physicalType`, and no `format`");
    }
}

fn bits(data_type: &DataType) -> u64 {
    data_type.primitive_width().and_then(|bytes| u64::try_from(bytes.saturating_mul(8)).ok()).unwrap_or(0)
}

fn time(physical: Option<&Physical<'_>>, options: &mut Fields<'_>, found: &mut Findings) -> Option<DataType> {
    if let Some(at) = zoned(options, found) {
        let hint = "write `logicalType: timestamp`, or leave out `timezone`";
        found.fault_with_hint(at, "does-not-apply", "a time of day without a date has no time zone", hint);
    }
    let unit = physical.map_or(Some(TimeUnit::Microsecond), |physical| physical.unit("TIME", found))?;
    Some(match unit {
        TimeUnit::Second | TimeUnit::Millisecond => DataType::Time32(unit),
        TimeUnit::Microsecond | TimeUnit::Nanosecond => DataType::Time64(unit),
    })
}

fn timestamp(
    physical: Option<&Physical<'_>>,
    options: &mut Fields<'_>,
    found: &mut Findings,
) -> Option<DataType> {
    let zone = zoned(options, found).map(|_| Arc::from("UTC"));
    let unit = physical.map_or(Some(TimeUnit::Microsecond), |physical| physical.unit("TIMESTAMP", found))?;
    Some(DataType::Timestamp(unit, zone))
}

/// Returns where it is said that values are points in time.
fn zoned(options: &mut Fields<'_>, found: &mut Findings) -> Option<Place> {
    let node = options.take("timezone")?;
    fields::flag(node, found)?.then_some(node.at)
}
