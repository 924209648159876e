//! The record batch message, measured against its table's schema. What passes is a list of array lengths and of byte ranges
//! in the body, none of which anybody need doubt; no array has been built yet.

use std::ops::Range;

use arrow_schema::{DataType, Field};

use super::envelope::{self, Header};
use super::fault::WireFault;
use super::flat::Table;
use super::schema::{FAULTS, LENGTH, OFFSET, TableSchema};
use crate::guest_text::GuestText;
use crate::limits::{Budget, LimitExceeded};

/// Most bytes that may pad a buffer, or the gap before the next one. Writers align to 8 or 64.
const PADDING_MAX: u64 = 64;

/// A batch that the guard has accepted. Only [`super::guard`] can make one, so what reads it need not check again.
#[derive(Debug)]
pub struct Checked<'a> {
    pub(super) schema: &'a TableSchema,
    pub(super) rows: usize,
    pub(super) body: &'a [u8],
    /// One for each array, parents before their children.
    pub(super) nodes: Vec<Node>,
    /// Where each buffer is in the body, without its padding, in the order of the nodes.
    pub(super) buffers: Vec<Range<usize>>,
    pub(super) wire_bytes: u64,
}

/// One array.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) length: usize,
    pub(super) nulls: usize,
}

/// Checks a record batch message. See [`super::guard`].
pub(super) fn check<'a>(
    schema: &'a TableSchema,
    message: &'a [u8],
    budget: &mut Budget,
) -> Result<Checked<'a>, WireFault> {
    let wire_bytes = message.len() as u64;
    within("batch bytes", budget.batch_bytes_max, wire_bytes)?;
    let (flat, body) = envelope::split(message)?;
    let batch = envelope::open(&flat, body, Header::RecordBatch)?;
    refuse_extras(&batch)?;
    let rows = rows(&batch, budget.batch_rows_max)?;
    let nodes = batch.longs::<16>(1)?.unwrap_or_default();
    let buffers = batch.longs::<16>(2)?.unwrap_or_default();
    let wanted = schema.wire();
    if nodes.len() != wanted.nodes {
        return Err(WireFault::NodeCount { wanted: wanted.nodes, found: nodes.len() });
    }
    if buffers.len() != wanted.buffers {
        return Err(WireFault::BufferCount { wanted: wanted.buffers, found: buffers.len() });
    }
    budget.spend(rows, wire_bytes)?;
    let elements_max = budget.batch_bytes_max;
    let mut walk = Walk::new(body, nodes, buffers, elements_max);
    for field in schema.columns().fields() {
        walk.column(field.name(), field.data_type(), rows)?;
    }
    walk.finish(schema, rows, wire_bytes)
}

fn within(name: &'static str, limit: u64, wanted: u64) -> Result<(), LimitExceeded> {
    if wanted > limit { Err(LimitExceeded { name, limit, current: 0, wanted }) } else { Ok(()) }
}

fn refuse_extras(batch: &Table<'_>) -> Result<(), WireFault> {
    if batch.has(3) {
        return Err(WireFault::Compressed);
    }
    match batch.longs::<8>(4)?.unwrap_or_default().len() {
        0 => Ok(()),
        found => Err(WireFault::Variadic { found }),
    }
}

fn rows(batch: &Table<'_>, rows_max: u64) -> Result<u64, WireFault> {
    let declared = batch.i64(0)?;
    let rows = u64::try_from(declared).map_err(|_| WireFault::RowCount { declared })?;
    within("batch rows", rows_max, rows)?;
    Ok(rows)
}

/// Splits one of the format's structs of two i64.
fn pair(raw: &[u8; 16]) -> (i64, i64) {
    // Little endian, so the first i64 is the low half.
    let both = i128::from_le_bytes(*raw);
    (both as i64, (both >> 64) as i64)
}

/// The way through nodes and buffers, in the order in which the schema needs them.
struct Walk<'a, 'm> {
    body: &'a [u8],
    nodes_left: std::slice::Iter<'m, [u8; 16]>,
    buffers_left: std::slice::Iter<'m, [u8; 16]>,
    /// Where the buffer before ends. `end <= body.len()`.
    end: u64,
    /// Most values in lists, all lists together. Only bools could have more of them than there are bytes, and whoever writes
    /// them out again needs a dozen bytes for each.
    elements_max: u64,
    /// Values in lists so far. `elements <= elements_max`.
    elements: u64,
    /// The column being walked, for messages.
    column: &'a str,
    nodes: Vec<Node>,
    buffers: Vec<Range<usize>>,
}

/// A buffer in bounds, with its padding.
#[derive(Clone, Copy)]
struct Buffer<'a> {
    start: usize,
    bytes: &'a [u8],
}

impl<'a, 'm> Walk<'a, 'm> {
    fn new(body: &'a [u8], nodes: &'m [[u8; 16]], buffers: &'m [[u8; 16]], elements_max: u64) -> Self {
        Self {
            body,
            nodes_left: nodes.iter(),
            buffers_left: buffers.iter(),
            end: 0,
            elements_max,
            elements: 0,
            column: "",
            nodes: Vec::with_capacity(nodes.len()),
            buffers: Vec::with_capacity(buffers.len()),
        }
    }

    fn finish(self, schema: &'a TableSchema, rows: u64, wire_bytes: u64) -> Result<Checked<'a>, WireFault> {
        let bytes = (self.body.len() as u64).saturating_sub(self.end);
        if bytes > PADDING_MAX {
            return Err(WireFault::BodySlack { bytes, limit: PADDING_MAX });
        }
        let Self { body, nodes, buffers, .. } = self;
        Ok(Checked { schema, rows: rows as usize, body, nodes, buffers, wire_bytes })
    }

    fn column(&mut self, name: &'a str, data_type: &DataType, rows: u64) -> Result<(), WireFault> {
        self.column = name;
        let first = self.nodes.len();
        self.array(data_type, rows)?;
        // Payload may hold nulls where it said it would not: that is judged row by row. But a span cannot be null, nor a
        // fault within its list.
        let strict = match name {
            OFFSET | LENGTH => self.nodes.get(first),
            FAULTS => self.nodes.get(first.saturating_add(1)),
            _ => None,
        };
        match strict {
            Some(node) if node.nulls > 0 => {
                Err(WireFault::ReservedNull { column: self.shown(), found: node.nulls as u64 })
            }
            _ => Ok(()),
        }
    }

    /// Checks one array and its children. The schema bounds the recursion.
    fn array(&mut self, data_type: &DataType, length: u64) -> Result<(), WireFault> {
        self.node(length)?;
        match data_type {
            DataType::Boolean => self.values(length.div_ceil(8)),
            DataType::Utf8 => self.text(length, i32::from_le_bytes),
            DataType::LargeUtf8 => self.text(length, i64::from_le_bytes),
            DataType::Binary => self.bytes(length, i32::from_le_bytes).map(drop),
            DataType::LargeBinary => self.bytes(length, i64::from_le_bytes).map(drop),
            DataType::List(item) => self.list(item, length, i32::from_le_bytes),
            DataType::LargeList(item) => self.list(item, length, i64::from_le_bytes),
            DataType::Struct(fields) => {
                fields.iter().try_for_each(|field| self.array(field.data_type(), length))
            }
            DataType::FixedSizeBinary(width) => {
                self.values(length.saturating_mul(u64::from(width.unsigned_abs())))
            }
            other => self.values(length.saturating_mul(other.primitive_width().unwrap_or(usize::MAX) as u64)),
        }
    }

    /// Takes the next node, which must have `wanted` values, and its validity bitmap.
    fn node(&mut self, wanted: u64) -> Result<(), WireFault> {
        let counts =
            WireFault::NodeCount { wanted: self.nodes.len().saturating_add(1), found: self.nodes.len() };
        let (found, nulls) = self.nodes_left.next().map(pair).ok_or(counts)?;
        if u64::try_from(found) != Ok(wanted) {
            return Err(WireFault::NodeLength { column: self.shown(), wanted, found });
        }
        let declared = u64::try_from(nulls).ok().filter(|nulls| *nulls <= wanted);
        let lie = || WireFault::NullCount { column: self.shown(), declared: nulls, length: wanted };
        let nulls = declared.ok_or_else(lie)?;
        self.validity(wanted, nulls)?;
        self.nodes.push(Node { length: wanted as usize, nulls: nulls as usize });
        Ok(())
    }

    fn validity(&mut self, length: u64, declared: u64) -> Result<(), WireFault> {
        let buffer = self.buffer()?;
        // A bitmap may be left out where it would say nothing.
        let wanted = if buffer.bytes.is_empty() && declared == 0 { 0 } else { length.div_ceil(8) };
        let bitmap = self.take(buffer, "validity", wanted)?;
        let found = if bitmap.is_empty() { 0 } else { length.saturating_sub(ones(bitmap, length)) };
        if found != declared {
            return Err(WireFault::NullCountLie { column: self.shown(), declared, found });
        }
        Ok(())
    }

    fn values(&mut self, wanted: u64) -> Result<(), WireFault> {
        let buffer = self.buffer()?;
        self.take(buffer, "value", wanted).map(drop)
    }

    /// Takes the next buffer: aligned, in bounds, behind the one before it and not far behind.
    fn buffer(&mut self) -> Result<Buffer<'a>, WireFault> {
        let counts = WireFault::BufferCount {
            wanted: self.buffers.len().saturating_add(1),
            found: self.buffers.len(),
        };
        let (offset, length) = self.buffers_left.next().map(pair).ok_or(counts)?;
        let outside = || WireFault::BufferBounds {
            column: self.shown(),
            offset,
            bytes: length,
            body: self.body.len() as u64,
        };
        let range = usize::try_from(offset).ok().zip(usize::try_from(length).ok());
        let range =
            range.and_then(|(start, length)| Some(start..start.checked_add(length)?)).ok_or_else(outside)?;
        let (start, stop) = (range.start as u64, range.end as u64);
        let bytes = self.body.get(range).ok_or_else(outside)?;
        if !start.is_multiple_of(8) {
            return Err(WireFault::BufferMisaligned { column: self.shown(), offset: start });
        }
        let gap = start.checked_sub(self.end);
        let gap =
            gap.ok_or_else(|| WireFault::BufferOrder { column: self.shown(), offset: start, end: self.end })?;
        if gap > PADDING_MAX {
            return Err(WireFault::BufferGap {
                column: self.shown(),
                offset: start,
                bytes: gap,
                limit: PADDING_MAX,
            });
        }
        self.end = stop;
        Ok(Buffer { start: start as usize, bytes })
    }

    /// Cuts the padding from a buffer that must hold `wanted` bytes, and keeps its place.
    fn take(&mut self, buffer: Buffer<'a>, what: &'static str, wanted: u64) -> Result<&'a [u8], WireFault> {
        let found = buffer.bytes.len() as u64;
        let short = || WireFault::BufferShort { column: self.shown(), what, wanted, found };
        let kept =
            usize::try_from(wanted).ok().and_then(|wanted| buffer.bytes.get(..wanted)).ok_or_else(short)?;
        if found.saturating_sub(wanted) > PADDING_MAX {
            return Err(WireFault::BufferSlack {
                column: self.shown(),
                what,
                wanted,
                found,
                limit: PADDING_MAX,
            });
        }
        self.buffers.push(buffer.start..buffer.start.saturating_add(kept.len()));
        Ok(kept)
    }

    fn list<const N: usize, T: Copy + Ord + Into<i64>>(
        &mut self,
        item: &Field,
        length: u64,
        read: impl Fn([u8; N]) -> T + Copy,
    ) -> Result<(), WireFault> {
        let (_, elements) = self.offsets(length, read)?;
        let wanted = elements.saturating_mul(leaves(item.data_type()));
        let (limit, current) = (self.elements_max, self.elements);
        if wanted > limit.saturating_sub(current) {
            return Err(LimitExceeded { name: "batch elements", limit, current, wanted }.into());
        }
        self.elements = current.saturating_add(wanted);
        self.array(item.data_type(), elements)
    }

    /// Takes the offsets of `length` values: the first not negative, none below the one before it. Returns the last one with
    /// them.
    fn offsets<const N: usize, T: Copy + Ord + Into<i64>>(
        &mut self,
        length: u64,
        read: impl Fn([u8; N]) -> T + Copy,
    ) -> Result<(&'a [[u8; N]], u64), WireFault> {
        let raw = self.offset_buffer::<N>(length)?;
        let first: i64 = raw.first().map_or(0, |raw| read(*raw).into());
        let last: i64 = raw.last().map_or(0, |raw| read(*raw).into());
        if first < 0 {
            return Err(WireFault::OffsetNegative { column: self.shown(), first });
        }
        // No early way out: this loop is one that the compiler turns into vectors.
        let rising = raw.iter().zip(raw.iter().skip(1)).fold(true, |ok, (a, b)| ok & (read(*a) <= read(*b)));
        if !rising {
            return Err(self.fall(raw, read));
        }
        Ok((raw, last.unsigned_abs()))
    }

    fn offset_buffer<const N: usize>(&mut self, length: u64) -> Result<&'a [[u8; N]], WireFault> {
        let buffer = self.buffer()?;
        let found = buffer.bytes.len() as u64;
        // Padding is whole offsets too: arrow's reader panics at half a one.
        if !found.is_multiple_of(N as u64) {
            return Err(WireFault::BufferPartial { column: self.shown(), width: N, found });
        }
        // An array of no values may do without its one offset.
        let count = if found == 0 && length == 0 { 0 } else { length.saturating_add(1) };
        Ok(self.take(buffer, "offset", count.saturating_mul(N as u64))?.as_chunks::<N>().0)
    }

    #[cold]
    fn fall<const N: usize, T: Into<i64>>(&self, raw: &[[u8; N]], read: impl Fn([u8; N]) -> T) -> WireFault {
        let read = |raw: &[u8; N]| -> i64 { read(*raw).into() };
        let mut pairs = raw.iter().zip(raw.iter().skip(1)).map(|(a, b)| (read(a), read(b))).enumerate();
        let (value, (from, to)) = pairs.find(|(_, (a, b))| a > b).unwrap_or_default();
        WireFault::OffsetOrder { column: self.shown(), value, from, to }
    }

    /// Takes the offsets of `length` values and the bytes that they point into.
    fn bytes<const N: usize, T: Copy + Ord + Into<i64>>(
        &mut self,
        length: u64,
        read: impl Fn([u8; N]) -> T + Copy,
    ) -> Result<(&'a [[u8; N]], &'a [u8]), WireFault> {
        let (offsets, last) = self.offsets(length, read)?;
        let buffer = self.buffer()?;
        let present = buffer.bytes.len() as u64;
        if last > present {
            return Err(WireFault::OffsetBeyond { column: self.shown(), last, present });
        }
        Ok((offsets, self.take(buffer, "data", last)?))
    }

    /// Takes values of which each must be UTF-8: all bytes together are, those before the first value too, and no value
    /// begins within a character.
    fn text<const N: usize, T: Copy + Ord + Into<i64>>(
        &mut self,
        length: u64,
        read: impl Fn([u8; N]) -> T + Copy,
    ) -> Result<(), WireFault> {
        let (offsets, bytes) = self.bytes(length, read)?;
        if bytes.is_ascii() {
            return Ok(());
        }
        let place = |raw: &[u8; N]| usize::try_from(read(*raw).into()).unwrap_or(usize::MAX);
        let within = |raw: &[u8; N]| bytes.get(place(raw)).is_some_and(|byte| byte & 0xc0 == 0x80);
        let cut = match simdutf8::compat::from_utf8(bytes) {
            Ok(_) => offsets.iter().position(within),
            Err(broken) => Some(offsets.partition_point(|raw| place(raw) <= broken.valid_up_to())),
        };
        match cut {
            None => Ok(()),
            // `cut` is the first offset behind the broken value, or in the midst of its last character.
            Some(cut) => Err(WireFault::NotUtf8 { column: self.shown(), value: cut.saturating_sub(1) }),
        }
    }

    fn shown(&self) -> GuestText {
        GuestText::new(self.column, usize::MAX)
    }
}

/// Counts the columns that hold the values of a type: a struct's fields, to their leaves. A list counts as one; what is in it
/// is counted when it is come to. The schema bounds the recursion.
fn leaves(data_type: &DataType) -> u64 {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        _ => 1,
    }
}

/// Counts the ones among the first `length` bits. The caller has checked that there are so many.
fn ones(bitmap: &[u8], length: u64) -> u64 {
    let (words, rest) = bitmap.as_chunks::<8>();
    let in_words: u64 = words.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum();
    let in_rest: u64 = rest.iter().map(|byte| u64::from(byte.count_ones())).sum();
    let behind = (bitmap.len() as u64).saturating_mul(8).saturating_sub(length);
    // Less than a byte: `take` has cut the bitmap to the bytes that `length` needs.
    let last = bitmap.last().map_or(0, |byte| u16::from(*byte) >> 8_u64.saturating_sub(behind));
    in_words.saturating_add(in_rest).saturating_sub(u64::from(last.count_ones()))
}
