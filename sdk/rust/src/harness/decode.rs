//! Arrow IPC messages back into values. Written apart from the writer, so that one checks the other.

use std::collections::BTreeMap;

use super::{Decoded, Value};
use crate::fault::{Fault, Span};
use crate::schema::{Field, Type, Unit};

/// The columns of a table as they came over the wire.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WireSchema(Vec<(String, Type)>);

/// Reads a schema message.
pub(super) fn schema(message: &[u8]) -> Result<WireSchema, Fault> {
    read_schema(message).ok_or_else(|| Fault::new("schema-malformed", "the schema message cannot be read"))
}

/// Reads a record batch message of a schema.
pub(super) fn batch(schema: &WireSchema, message: &[u8]) -> Result<Vec<Decoded>, Fault> {
    read_batch(schema, message)
        .ok_or_else(|| Fault::new("batch-malformed", "the record batch message cannot be read"))
}

/// A place in a flatbuffer.
#[derive(Clone, Copy)]
struct Flat<'m> {
    bytes: &'m [u8],
    at: usize,
}

impl<'m> Flat<'m> {
    fn number<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }

    /// Follows the offset at `at`.
    fn follow(self, at: usize) -> Option<Flat<'m>> {
        let offset = u32::from_le_bytes(self.number(at)?) as usize;
        Some(Flat { at: at.checked_add(offset)?, ..self })
    }

    /// Returns where a field of this table is.
    fn field(self, slot: usize) -> Option<usize> {
        let vtable = self.at.checked_add_signed(-(i32::from_le_bytes(self.number(self.at)?) as isize))?;
        let size = usize::from(u16::from_le_bytes(self.number(vtable)?));
        let entry = 4 + 2 * slot;
        let offset = if entry < size { u16::from_le_bytes(self.number(vtable + entry)?) } else { 0 };
        (offset > 0).then(|| self.at + usize::from(offset))
    }

    fn int(self, slot: usize) -> i32 {
        self.field(slot).and_then(|at| self.number(at)).map_or(0, i32::from_le_bytes)
    }

    fn short(self, slot: usize) -> i16 {
        self.field(slot).and_then(|at| self.number(at)).map_or(0, i16::from_le_bytes)
    }

    fn byte(self, slot: usize) -> u8 {
        self.field(slot).and_then(|at| self.bytes.get(at)).copied().unwrap_or(0)
    }

    fn child(self, slot: usize) -> Option<Flat<'m>> {
        self.follow(self.field(slot)?)
    }

    fn string(self, slot: usize) -> Option<&'m str> {
        let start = self.child(slot)?;
        let len = u32::from_le_bytes(start.number(start.at)?) as usize;
        std::str::from_utf8(self.bytes.get(start.at + 4..)?.get(..len)?).ok()
    }

    /// Returns how many elements a vector has and where the first is.
    fn vector(self, slot: usize) -> Option<(usize, usize)> {
        let start = self.child(slot)?;
        Some((u32::from_le_bytes(start.number(start.at)?) as usize, start.at + 4))
    }
}

/// Returns the header of a message (after judging which it is) and its body.
fn open(message: &[u8], header: u8) -> Option<(Flat<'_>, &[u8])> {
    let (prefix, rest) = message.split_first_chunk::<8>()?;
    let (marker, len) = prefix.split_first_chunk::<4>()?;
    let (bytes, body) = rest.split_at_checked(u32::from_le_bytes(*len.first_chunk()?) as usize)?;
    let root = Flat { bytes, at: 0 }.follow(0)?;
    let body_len = root.field(3).and_then(|at| root.number(at)).map_or(0, i64::from_le_bytes);
    let right =
        *marker == [0xFF; 4] && root.short(0) == 4 && root.byte(1) == header && body_len == body.len() as i64;
    Some((root.child(2).filter(|_| right)?, body))
}

fn read_schema(message: &[u8]) -> Option<WireSchema> {
    let (schema, _) = open(message, 1)?;
    Some(WireSchema(read_fields(schema, 1)?))
}

fn read_fields(table: Flat<'_>, slot: usize) -> Option<Vec<(String, Type)>> {
    let (count, start) = table.vector(slot)?;
    let read = |index: usize| {
        let field = table.follow(start + 4 * index)?;
        Some((field.string(0)?.to_owned(), read_type(field)?))
    };
    (0..count).map(read).collect()
}

fn read_type(field: Flat<'_>) -> Option<Type> {
    let kind = field.child(3)?;
    Some(match field.byte(2) {
        2 if kind.byte(1) == 1 => Type::Int(kind.int(0) as u8),
        2 => Type::Uint(kind.int(0) as u8),
        3 => Type::Float(if kind.short(0) == 1 { 32 } else { 64 }),
        4 => Type::Binary,
        5 => Type::Utf8,
        6 => Type::Bool,
        7 => Type::Decimal(kind.int(0) as u8, kind.int(1) as i8),
        8 => Type::Date32,
        9 => Type::Time64(unit(kind.short(0))?),
        10 => Type::Timestamp(unit(kind.short(0))?, kind.string(1).map(str::to_owned)),
        13 => Type::Struct(read_fields(field, 5)?.into_iter().map(plain_field).collect()),
        12 => Type::List(Box::new(read_fields(field, 5)?.pop()?.1)),
        15 => Type::FixedBytes(kind.int(0) as u32),
        20 => Type::LargeUtf8,
        _ => return None,
    })
}

/// Names and types are all that decoding needs.
fn plain_field((name, kind): (String, Type)) -> Field {
    Field { name, kind, nullable: true, doc: String::new() }
}

fn unit(tag: i16) -> Option<Unit> {
    [Unit::Second, Unit::Milli, Unit::Micro, Unit::Nano].get(usize::try_from(tag).ok()?).copied()
}

/// Nodes and buffers of a batch, taken one by one.
struct Parts<'m> {
    header: Flat<'m>,
    body: &'m [u8],
    node: usize,
    buffer: usize,
    buffers_end: usize,
}

impl<'m> Parts<'m> {
    fn pair(&self, at: usize) -> Option<(usize, usize)> {
        let [one, other] = [at, at + 8].map(|at| self.header.number(at).map(u64::from_le_bytes));
        Some((usize::try_from(one?).ok()?, usize::try_from(other?).ok()?))
    }

    fn next_node(&mut self) -> Option<(usize, usize)> {
        self.node += 16;
        self.pair(self.node - 16)
    }

    fn next_buffer(&mut self) -> Option<&'m [u8]> {
        let (offset, len) = self.pair(self.buffer)?;
        self.buffer += 16;
        let aligned = offset.is_multiple_of(64) && self.buffer <= self.buffers_end;
        self.body.get(offset..)?.get(..len).filter(|_| aligned)
    }

    /// Reads a column of `rows` cells.
    fn column(&mut self, kind: &Type, rows: usize) -> Option<Vec<Value>> {
        let (len, nulls) = self.next_node()?;
        let validity = self.next_buffer()?;
        let present: Vec<bool> = (0..rows).map(|row| validity.is_empty() || bit(validity, row)).collect();
        let counted = present.iter().filter(|present| !**present).count();
        let values = self.cells(kind, rows)?;
        let cells =
            values.into_iter().zip(present).map(|(value, present)| if present { value } else { Value::Null });
        (len == rows && nulls == counted).then(|| cells.collect())
    }

    fn cells(&mut self, kind: &Type, rows: usize) -> Option<Vec<Value>> {
        match kind {
            Type::Bool => {
                let bits = self.next_buffer()?;
                (bits.len() == rows.div_ceil(8))
                    .then(|| (0..rows).map(|row| Value::Bool(bit(bits, row))).collect())
            }
            Type::Utf8 | Type::LargeUtf8 | Type::Binary => {
                let ends = self.offsets(if *kind == Type::LargeUtf8 { 8 } else { 4 }, rows)?;
                let data = self.next_buffer()?;
                let cut = |pair: &[usize]| text_or_bytes(kind, data.get(pair[0]..pair[1])?);
                ends.windows(2).map(cut).collect()
            }
            Type::List(item) => {
                let ends = self.offsets(4, rows)?;
                let items = self.column(item, *ends.last()?)?;
                ends.windows(2).map(|pair| Some(Value::List(items.get(pair[0]..pair[1])?.to_vec()))).collect()
            }
            Type::Struct(fields) => {
                let mut structs = vec![Vec::new(); rows];
                for field in fields {
                    let cells = self.column(&field.kind, rows)?;
                    structs.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell));
                }
                Some(structs.into_iter().map(Value::List).collect())
            }
            _ => {
                let (buffer, width) = (self.next_buffer()?, width(kind));
                (buffer.len() == rows * width)
                    .then(|| buffer.chunks_exact(width).map(|cell| plain(kind, cell)).collect())
            }
        }
    }

    fn offsets(&mut self, width: usize, rows: usize) -> Option<Vec<usize>> {
        let buffer = self.next_buffer()?;
        let ends: Vec<usize> = buffer.chunks_exact(width).map(|cell| little(cell) as usize).collect();
        (buffer.len() == (rows + 1) * width && ends.is_sorted()).then_some(ends)
    }
}

fn bit(bits: &[u8], at: usize) -> bool {
    bits.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
}

fn text_or_bytes(kind: &Type, bytes: &[u8]) -> Option<Value> {
    match kind {
        Type::Binary => Some(Value::Bytes(bytes.to_vec())),
        _ => Some(Value::Text(std::str::from_utf8(bytes).ok()?.to_owned())),
    }
}

fn width(kind: &Type) -> usize {
    match kind {
        Type::Int(bits) | Type::Uint(bits) | Type::Float(bits) => usize::from(*bits / 8),
        Type::FixedBytes(width) => *width as usize,
        Type::Date32 => 4,
        Type::Decimal(..) => 16,
        _ => 8,
    }
}

fn little(cell: &[u8]) -> u128 {
    cell.iter().rev().fold(0, |value, byte| value << 8 | u128::from(*byte))
}

/// Reads a cell of fixed width.
fn plain(kind: &Type, cell: &[u8]) -> Value {
    let unused = 128 - 8 * cell.len() as u32;
    let signed = || (little(cell) << unused).cast_signed() >> unused;
    match kind {
        Type::Uint(_) => Value::Int(little(cell).cast_signed()),
        Type::Float(32) => Value::Float(f64::from(f32::from_bits(little(cell) as u32))),
        Type::Float(_) => Value::Float(f64::from_bits(little(cell) as u64)),
        Type::FixedBytes(_) => Value::Bytes(cell.to_vec()),
        Type::Decimal(_, scale) => Value::Decimal(signed(), *scale),
        _ => Value::Int(signed()),
    }
}

fn read_batch(schema: &WireSchema, message: &[u8]) -> Option<Vec<Decoded>> {
    let (header, body) = open(message, 3)?;
    let rows = usize::try_from(u64::from_le_bytes(header.number(header.field(0)?)?)).ok()?;
    let ((nodes, node), (buffers, buffer)) = (header.vector(1)?, header.vector(2)?);
    let (nodes_end, buffers_end) = (node + nodes * 16, buffer + buffers * 16);
    let mut parts = Parts { header, body, node, buffer, buffers_end };
    let mut columns = BTreeMap::new();
    for (name, kind) in &schema.0 {
        columns.insert(name.clone(), parts.column(kind, rows)?);
    }
    let consumed = parts.node == nodes_end && parts.buffer == buffers_end;
    consumed.then(|| (0..rows).map(|row| decoded(&columns, row)).collect())?
}

/// Puts one row together.
fn decoded(columns: &BTreeMap<String, Vec<Value>>, row: usize) -> Option<Decoded> {
    let mut cells: BTreeMap<String, Value> = columns
        .iter()
        .map(|(name, values)| Some((name.clone(), values.get(row)?.clone())))
        .collect::<Option<_>>()?;
    let mut number = |name: &str| match cells.remove(name) {
        Some(Value::Int(value)) => u64::try_from(value).ok(),
        Some(_) => None,
        // A table without spans: its rows stand for no bytes.
        None => Some(0),
    };
    let span = Span::new(number("_cf_offset")?, number("_cf_length")?);
    let faults = match cells.remove("_cf_faults") {
        Some(Value::List(codes)) => codes.iter().filter_map(|code| Some(code.text()?.to_owned())).collect(),
        _ => Vec::new(),
    };
    Some(Decoded { span, faults, cells })
}
