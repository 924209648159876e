//! The wire: Arrow IPC messages (metadata V5, little endian), written by hand.
//!
//! Two messages are all there is: the schema of a table, and a batch of its rows. The header of a batch has the same shape every
//! time, only its numbers differ; so it is laid out once, when the table is opened, and each batch fills in the numbers.
//! Buffers start at multiples of 64 bytes in the message.

use crate::schema::{Field, Schema, Type, Unit};

const ALIGN: usize = 64;
/// `MetadataVersion.V5`
const V5: i16 = 4;
const HEADER_SCHEMA: u8 = 1;
const HEADER_BATCH: u8 = 3;

/// A flatbuffer that is written front to back: offsets are filled in when their target is written.
#[derive(Default)]
struct Flat {
    bytes: Vec<u8>,
}

/// A field of a flatbuffer table.
enum Slot {
    Absent,
    Byte(u8),
    Short(i16),
    Int(i32),
    Long(i64),
    /// An offset, filled in by [`Flat::point`].
    Later,
}

impl Slot {
    fn width(&self) -> usize {
        match self {
            Slot::Absent => 0,
            Slot::Byte(_) => 1,
            Slot::Short(_) => 2,
            Slot::Int(_) | Slot::Later => 4,
            Slot::Long(_) => 8,
        }
    }

    fn put(&self, into: &mut [u8]) {
        match self {
            Slot::Absent | Slot::Later => {}
            Slot::Byte(value) => into.copy_from_slice(&[*value]),
            Slot::Short(value) => into.copy_from_slice(&value.to_le_bytes()),
            Slot::Int(value) => into.copy_from_slice(&value.to_le_bytes()),
            Slot::Long(value) => into.copy_from_slice(&value.to_le_bytes()),
        }
    }
}

impl Flat {
    /// Pads so that `ahead` bytes further on is a multiple of `align`.
    #[inline(never)]
    fn pad(&mut self, align: usize, ahead: usize) {
        while !(self.bytes.len() + ahead).is_multiple_of(align) {
            self.bytes.push(0);
        }
    }

    /// Writes a table behind its vtable. Returns where its fields are (0 for an absent one), the table's own place last.
    fn table<const N: usize>(&mut self, slots: [Slot; N]) -> ([usize; N], usize) {
        let mut places = [0; N];
        let table = self.table_of(&slots, &mut places);
        (places, table)
    }

    #[inline(never)]
    fn table_of(&mut self, slots: &[Slot], places: &mut [usize]) -> usize {
        let mut size = 4_usize;
        for (place, slot) in places.iter_mut().zip(slots).filter(|(_, slot)| slot.width() > 0) {
            size = size.next_multiple_of(slot.width());
            *place = size;
            size += slot.width();
        }
        let vtable_size = 4 + 2 * slots.len();
        self.pad(8, vtable_size);
        self.bytes.extend((vtable_size as u16).to_le_bytes());
        self.bytes.extend((size as u16).to_le_bytes());
        places.iter().for_each(|place| self.bytes.extend((*place as u16).to_le_bytes()));
        let table = self.bytes.len();
        self.bytes.extend((vtable_size as i32).to_le_bytes());
        self.bytes.resize(table + size, 0);
        for (place, slot) in places.iter_mut().zip(slots).filter(|(_, slot)| slot.width() > 0) {
            *place += table;
            slot.put(&mut self.bytes[*place..*place + slot.width()]);
        }
        table
    }

    /// Fills in the offset at `from` so that it points to `to`.
    fn point(&mut self, from: usize, to: usize) {
        self.bytes[from..from + 4].copy_from_slice(&((to - from) as u32).to_le_bytes());
    }

    /// Writes a string that the offset at `from` points to.
    #[inline(never)]
    fn string(&mut self, from: usize, text: &str) {
        self.pad(4, 0);
        self.point(from, self.bytes.len());
        self.bytes.extend((text.len() as u32).to_le_bytes());
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    /// Writes a vector of `count` zeroed elements of `width` bytes that the offset at `from` points to. Returns where they start.
    #[inline(never)]
    fn vector(&mut self, from: usize, count: usize, width: usize) -> usize {
        self.pad(8, 4);
        self.point(from, self.bytes.len());
        self.bytes.extend((count as u32).to_le_bytes());
        let start = self.bytes.len();
        self.bytes.resize(start + count * width, 0);
        start
    }

    /// Writes fields as a vector of tables that the offset at `from` points to.
    #[inline(never)]
    fn fields(&mut self, from: usize, fields: &[Wire<'_>]) {
        let start = self.vector(from, fields.len(), 4);
        for (index, (name, kind, nullable, doc)) in fields.iter().enumerate() {
            let (nullable, tag) = (Slot::Byte(u8::from(*nullable)), Slot::Byte(type_tag(kind)));
            let pairs = if doc.is_empty() { Slot::Absent } else { Slot::Later };
            let slots = [Slot::Later, nullable, tag, Slot::Later, Slot::Absent, Slot::Later, pairs];
            let ([name_at, _, _, kind_at, _, children_at, pairs_at], table) = self.table(slots);
            self.point(start + index * 4, table);
            self.string(name_at, name);
            self.kind(kind_at, kind);
            match kind {
                Type::List(item) => self.fields(children_at, &[("item", item, true, "")]),
                Type::Struct(fields) => self.fields(children_at, &wires(fields)),
                _ => self.fields(children_at, &[]),
            }
            if !doc.is_empty() {
                self.pair(pairs_at, "doc", doc);
            }
        }
    }

    /// Writes a vector of one key and its value, which the offset at `from` points to: the metadata of a field.
    #[inline(never)]
    fn pair(&mut self, from: usize, key: &str, value: &str) {
        let start = self.vector(from, 1, 4);
        let ([key_at, value_at], table) = self.table([Slot::Later, Slot::Later]);
        self.point(start, table);
        self.string(key_at, key);
        self.string(value_at, value);
    }

    /// Writes the table of a type that the offset at `from` points to.
    #[inline(never)]
    fn kind(&mut self, from: usize, kind: &Type) {
        let int = |bits: u8, signed: bool| [Slot::Int(i32::from(bits)), Slot::Byte(u8::from(signed))];
        let table = match kind {
            Type::Bool | Type::Utf8 | Type::LargeUtf8 | Type::Binary | Type::List(_) | Type::Struct(_) => {
                self.table([]).1
            }
            Type::Int(bits) => self.table(int(*bits, true)).1,
            Type::Uint(bits) => self.table(int(*bits, false)).1,
            Type::Float(bits) => self.table([Slot::Short(if *bits == 32 { 1 } else { 2 })]).1,
            Type::FixedBytes(width) => self.table([Slot::Int(*width as i32)]).1,
            Type::Date32 => self.table([Slot::Short(0)]).1,
            Type::Time64(unit) => self.table([Slot::Short(unit_tag(*unit)), Slot::Int(64)]).1,
            Type::Decimal(precision, scale) => {
                self.table([Slot::Int(i32::from(*precision)), Slot::Int(i32::from(*scale)), Slot::Int(128)]).1
            }
            Type::Timestamp(unit, None) => self.table([Slot::Short(unit_tag(*unit))]).1,
            Type::Timestamp(unit, Some(zone)) => {
                let ([_, place], table) = self.table([Slot::Short(unit_tag(*unit)), Slot::Later]);
                self.string(place, zone);
                table
            }
        };
        self.point(from, table);
    }

    /// Starts a message; returns where the offset to its header and its body length are.
    fn message(&mut self, header: u8) -> (usize, usize) {
        self.bytes.extend([0; 4]);
        let slots = [Slot::Short(V5), Slot::Byte(header), Slot::Later, Slot::Long(0)];
        let ([_, _, place, body], table) = self.table(slots);
        self.point(0, table);
        (place, body)
    }

    /// Puts the marker and the length before it, and pads so that a body may follow at a multiple of 64.
    fn encapsulate(mut self) -> Vec<u8> {
        self.pad(ALIGN, PREFIX);
        let mut message = Vec::with_capacity(PREFIX + self.bytes.len());
        message.extend([0xFF; 4]);
        message.extend((self.bytes.len() as u32).to_le_bytes());
        message.extend(self.bytes);
        message
    }
}

/// Bytes before the flatbuffer: marker and length.
const PREFIX: usize = 8;

fn unit_tag(unit: Unit) -> i16 {
    match unit {
        Unit::Second => 0,
        Unit::Milli => 1,
        Unit::Micro => 2,
        Unit::Nano => 3,
    }
}

/// The discriminant of the union `Type` in Arrow's `Schema.fbs`.
fn type_tag(kind: &Type) -> u8 {
    match kind {
        Type::Int(_) | Type::Uint(_) => 2,
        Type::Float(_) => 3,
        Type::Binary => 4,
        Type::Utf8 => 5,
        Type::Bool => 6,
        Type::Decimal(..) => 7,
        Type::Date32 => 8,
        Type::Time64(_) => 9,
        Type::Timestamp(..) => 10,
        Type::List(_) => 12,
        Type::Struct(_) => 13,
        Type::FixedBytes(_) => 15,
        Type::LargeUtf8 => 20,
    }
}

/// Nodes and buffers that a column of this type has on the wire.
fn shape(kind: &Type) -> (usize, usize) {
    match kind {
        Type::Utf8 | Type::LargeUtf8 | Type::Binary => (1, 3),
        Type::List(item) => {
            let (nodes, buffers) = shape(item);
            (nodes + 1, buffers + 2)
        }
        Type::Struct(fields) => fields.iter().map(|field| shape(&field.kind)).fold((1, 1), sum),
        _ => (1, 2),
    }
}

fn sum(one: (usize, usize), other: (usize, usize)) -> (usize, usize) {
    (one.0 + other.0, one.1 + other.1)
}

/// A column as it stands on the wire: name, type, nullability, what it holds.
type Wire<'s> = (&'s str, &'s Type, bool, &'s str);

/// Returns all columns of a table as they stand on the wire, the reserved ones included.
fn wire_fields<'s>(schema: &'s Schema, codes: &'s Type) -> Vec<Wire<'s>> {
    let mut fields: Vec<Wire<'s>> = Vec::new();
    if schema.with_spans {
        fields.push(("_cf_offset", &Type::Uint(64), false, ""));
        fields.push(("_cf_length", &Type::Uint(32), false, ""));
    }
    fields.extend(wires(&schema.fields));
    if schema.with_faults {
        fields.push(("_cf_faults", codes, true, ""));
    }
    fields
}

fn wires(fields: &[Field]) -> Vec<Wire<'_>> {
    fields
        .iter()
        .map(|field| (field.name.as_str(), &field.kind, field.nullable, field.doc.as_str()))
        .collect()
}

fn list_of_text() -> Type {
    Type::List(Box::new(Type::Utf8))
}

/// Fills slots from cells, eight to a round: metering charges a guest for every turn of a loop.
#[inline(always)]
pub(crate) fn by_eights<S, C>(slots: &mut [S], cells: &[C], put: impl Fn(&mut S, &C)) {
    let (slot_eights, slot_rest) = slots.as_chunks_mut::<8>();
    let (cell_eights, cell_rest) = cells.as_chunks::<8>();
    for (slots, cells) in slot_eights.iter_mut().zip(cell_eights) {
        slots.iter_mut().zip(cells).for_each(|(slot, cell)| put(slot, cell));
    }
    slot_rest.iter_mut().zip(cell_rest).for_each(|(slot, cell)| put(slot, cell));
}

/// Sets the bits from one on up to another.
fn set_bits(bits: &mut [u8], from: usize, upto: usize) {
    if from >= upto {
        return;
    }
    let (first, last) = (from / 8, (upto - 1) / 8);
    let (head, tail) = (0xFF << (from % 8), 0xFF >> (7 - (upto - 1) % 8));
    if first == last {
        bits[first] |= head & tail;
    } else {
        bits[first] |= head;
        bits[first + 1..last].fill(0xFF);
        bits[last] |= tail;
    }
}

/// An offset of 32 bits.
pub(crate) fn narrow(end: u32) -> [u8; 4] {
    end.to_le_bytes()
}

/// An offset of 64 bits.
pub(crate) fn wide(end: u32) -> [u8; 8] {
    u64::from(end).to_le_bytes()
}

/// Returns the schema message of a table.
#[cold]
pub(crate) fn schema_message(schema: &Schema) -> Vec<u8> {
    let mut flat = Flat::default();
    let (header, _) = flat.message(HEADER_SCHEMA);
    let ([_, fields], table) = flat.table([Slot::Short(0), Slot::Later]);
    flat.point(header, table);
    flat.fields(fields, &wire_fields(schema, &list_of_text()));
    flat.encapsulate()
}

/// A record batch message that is being written, again and again in the same memory.
pub struct Body {
    /// The header with all numbers zero; then, while a batch is written, its body.
    bytes: Vec<u8>,
    header_len: usize,
    body_len_at: usize,
    rows_at: usize,
    nodes_at: usize,
    buffers_at: usize,
    /// Where the numbers of the next node and the next buffer go.
    node: usize,
    buffer: usize,
}

impl Body {
    /// Lays out the header of a table's batches.
    #[cold]
    pub(crate) fn new(schema: &Schema) -> Body {
        let codes = list_of_text();
        let shapes = wire_fields(schema, &codes).into_iter().map(|(_, kind, ..)| shape(kind));
        let (nodes, buffers) = shapes.fold((0, 0), sum);
        let mut flat = Flat::default();
        let (header, body_len_at) = flat.message(HEADER_BATCH);
        let ([rows_at, nodes_field, buffers_field], table) =
            flat.table([Slot::Long(0), Slot::Later, Slot::Later]);
        flat.point(header, table);
        let nodes_at = flat.vector(nodes_field, nodes, 16);
        let buffers_at = flat.vector(buffers_field, buffers, 16);
        let bytes = flat.encapsulate();
        let [body_len_at, rows_at, nodes_at, buffers_at] =
            [body_len_at, rows_at, nodes_at, buffers_at].map(|at| at + PREFIX);
        let header_len = bytes.len();
        Body {
            bytes,
            header_len,
            body_len_at,
            rows_at,
            nodes_at,
            buffers_at,
            node: nodes_at,
            buffer: buffers_at,
        }
    }

    /// Starts the batch of `rows` rows.
    pub(crate) fn begin(&mut self, rows: u32) {
        self.bytes.truncate(self.header_len);
        self.node = self.nodes_at;
        self.buffer = self.buffers_at;
        self.number(self.rows_at, u64::from(rows));
    }

    /// Ends the batch; returns the message.
    pub(crate) fn end(&mut self) -> &[u8] {
        self.align();
        self.number(self.body_len_at, (self.bytes.len() - self.header_len) as u64);
        &self.bytes
    }

    fn number(&mut self, at: usize, value: u64) {
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
    }

    /// Starts a column: `present` of its `rows` cells have a value, those in the rows `at`.
    #[inline(never)]
    pub(crate) fn node(&mut self, rows: u32, present: usize, at: impl Iterator<Item = u32>) {
        let missing = u64::from(rows) - present as u64;
        self.number(self.node, u64::from(rows));
        self.number(self.node + 8, missing);
        self.node += 16;
        if missing == 0 {
            self.buffer(0);
        } else {
            let bits = self.buffer((rows as usize).div_ceil(8));
            at.for_each(|row| bits[row as usize >> 3] |= 1 << (row & 7));
        }
    }

    /// Notes a column of which so many rows are missing, those in `gaps`, with its validity if any is.
    pub(crate) fn node_but(&mut self, rows: u32, missing: usize, gaps: &[(u32, u32)]) {
        self.number(self.node, u64::from(rows));
        self.number(self.node + 8, missing as u64);
        self.node += 16;
        if missing == 0 {
            self.buffer(0);
            return;
        }
        let bits = self.buffer((rows as usize).div_ceil(8));
        let ends = gaps.iter().map(|gap| gap.1).chain([rows]);
        let mut from = 0;
        for (upto, next) in gaps.iter().map(|gap| gap.0).chain([rows]).zip(ends) {
            set_bits(bits, from as usize, upto as usize);
            from = next;
        }
    }

    /// Adds a zeroed buffer.
    #[inline(never)]
    pub(crate) fn buffer(&mut self, len: usize) -> &mut [u8] {
        let start = self.enter(len);
        self.bytes.resize(start + len, 0);
        &mut self.bytes[start..]
    }

    /// Adds a buffer with a copy of `bytes`.
    #[inline(never)]
    pub(crate) fn buffer_of(&mut self, bytes: &[u8]) {
        self.enter(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Notes the next buffer in the header; returns where it starts in the message.
    #[inline(never)]
    fn enter(&mut self, len: usize) -> usize {
        self.align();
        let start = self.bytes.len();
        self.number(self.buffer, (start - self.header_len) as u64);
        self.number(self.buffer + 8, len as u64);
        self.buffer += 16;
        start
    }

    /// Adds a buffer of offsets, a zero and the end of each row.
    #[inline(never)]
    pub(crate) fn ends<const W: usize>(&mut self, ends: &[u32], put: impl Fn(u32) -> [u8; W]) {
        let buffer = self.buffer((ends.len() + 1) * W);
        let Some((_, slots)) = buffer.as_chunks_mut::<W>().0.split_first_mut() else { return };
        by_eights(slots, ends, |slot, end| *slot = put(*end));
    }

    /// Adds a buffer of `rows + 1` offsets. `cells` are rows and ends; a row without a cell ends where the one before it does.
    #[inline(never)]
    pub(crate) fn offsets<const W: usize>(
        &mut self,
        rows: u32,
        cells: &[(u32, u32)],
        put: impl Fn(u32) -> [u8; W],
    ) {
        let buffer = self.buffer((rows as usize + 1) * W);
        let Some((_, slots)) = buffer.as_chunks_mut::<W>().0.split_first_mut() else { return };
        if cells.len() == slots.len() {
            by_eights(slots, cells, |slot, cell| *slot = put(cell.1));
            return;
        }
        let (mut row, mut last) = (0, 0);
        for (at, end) in cells {
            let at = *at as usize;
            slots[row..at].fill(put(last));
            slots[at] = put(*end);
            (row, last) = (at + 1, *end);
        }
        // The buffer is zeros: a column without cells is written.
        if last > 0 {
            slots[row..].fill(put(last));
        }
    }
}
