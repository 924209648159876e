//! One message, field by field, with its framing checked. The careful way: it reads whatever there is, and is what the fast
//! way is measured against.
//!
//! Framing trusts in this order: BodyLength(9) where `10=` stands at the end that it names, then the first `10=` or next
//! message in the line, then the end of the line. `8=FIX` inside a value ends nothing unless the message around it is
//! damaged and what follows has the shape and length of a message of its own.

use casparian_sdk::scan::{self, parse_u64};
use memchr::memmem;

use crate::delimiter::{BeginString, Delimiter};
use crate::faults::{Flaw, Flaws};
use crate::fields::{Field, Slots, is_checksum, plain_field};
use crate::framing::{Framing, Shape, View, frame_by_length, message_shape, shape};
use crate::tags::{self, data_tag, slot_of};

/// What framing found out about a message.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// BodyLength(9), where it is a number.
    pub body_length_declared: Option<u32>,
    /// The length of the body, where BodyLength(9) says where it begins.
    pub body_length_actual: Option<u32>,
    /// CheckSum(10), where it is a number below 256.
    pub checksum_declared: Option<u8>,
    /// The sum of all bytes before CheckSum(10), with every delimiter as SOH.
    pub checksum_actual: u8,
    /// Whether the two agree; `None` where that cannot be known.
    pub checksum_verified: Option<bool>,
    /// How many fields there are.
    pub fields: u32,
}

/// A message that was read. Kept between messages for its memory.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Where the first field begins.
    pub start: usize,
    /// Where its BeginString(8) stands, which may be a little later.
    begin: usize,
    /// Where the message ends, its last delimiter included.
    pub end: usize,
    /// Its fields in order.
    pub fields: Vec<Field>,
    /// The first values of known fields.
    pub slots: Slots,
    /// Lengths and sums.
    pub frame: Frame,
    /// What is wrong with it.
    pub flaws: Flaws,
    /// Bytes of shown delimiters inside counted values that stand for one each, and what they add to the sum.
    shown_in_data: usize,
    /// Bytes that may still be stepped over one by one to find where counted values end.
    steps: usize,
    delimiter: Delimiter,
}

/// What became of an attempt to read a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// More bytes are needed.
    Incomplete,
    /// The message is complete, whatever its flaws.
    Complete,
    /// The message is cut off where this index is.
    Truncated(usize),
    /// There is none: the words only look like one.
    None,
}

/// Where a walk over fields stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Behind CheckSum(10).
    Checksum,
    /// At the first field of another message.
    NextMessage,
    /// At the bound.
    Bound,
    /// It would need more bytes to go on.
    Incomplete,
}

impl Message {
    /// Reads the message whose first field begins at `start` and whose `8=` stands at `begin`. `line_end` is asked for the end
    /// of the line (its terminator excluded), `None` where it lies behind the view.
    pub fn read(
        &mut self,
        view: View<'_>,
        start: usize,
        begin: usize,
        line_end: impl FnOnce() -> Option<usize>,
    ) -> Reading {
        self.start = start;
        self.begin = begin;
        self.frame = Frame::default();
        match Delimiter::behind_begin_string(view.bytes.get(begin + 2..).unwrap_or_default()) {
            BeginString::EndsWith(delimiter) => self.delimiter = delimiter,
            BeginString::CutOff => return self.cut_off_begin(view, line_end()),
            BeginString::None => return Reading::None,
        }
        let framed = match frame_by_length(view, begin, self.delimiter) {
            Framing::Incomplete => return Reading::Incomplete,
            Framing::Ends { checksum, end } => Some((checksum, end)),
            Framing::Unknown => None,
        };
        if let Some((checksum, end)) = framed
            && self.sum_is_right(view.bytes, checksum)
        {
            self.walk_framed(view.bytes, checksum, end);
            return self.complete(view.bytes);
        }
        match self.read_by_scan(view, line_end()) {
            Reading::Complete => self.choose(view, framed),
            other => other,
        }
    }

    /// Whether the sum of the bytes before `checksum` is what `10=` there says. A long message with another one inside is not
    /// looked at: a log of nothing but such beginnings would be summed again and again.
    fn sum_is_right(&self, bytes: &[u8], checksum: usize) -> bool {
        let inside = &bytes[self.begin + 1..checksum];
        if inside.len() > NESTING_BYTES_MAX && memmem::find(inside, b"8=FIX").is_some() {
            return false;
        }
        let &[delimiter] = self.delimiter.shown() else { return false };
        let summed = &bytes[self.start..checksum];
        let surplus = delimiter.wrapping_sub(1).wrapping_mul(scan::count(summed, delimiter) as u8);
        let declared = bytes.get(checksum + 3..checksum + 6).and_then(parse_u64);
        declared == Some(u64::from(scan::checksum(summed).wrapping_sub(surplus)))
    }

    fn cut_off_begin(&self, view: View<'_>, line_end: Option<usize>) -> Reading {
        match line_end {
            Some(end) => Reading::Truncated(end),
            None if view.last => Reading::Truncated(view.bytes.len()),
            None => Reading::Incomplete,
        }
    }

    /// Returns a sentence on where a truncated message was cut off.
    pub fn cut(&self) -> String {
        let fields = self.frame.fields;
        match (self.frame.body_length_declared, self.frame.body_length_actual) {
            (Some(declared), Some(actual)) => {
                format!(
                    "cut off after {fields} fields: {actual} bytes of body where BodyLength(9) says {declared}"
                )
            }
            _ => format!("cut off after {fields} fields, before CheckSum(10)"),
        }
    }

    /// Between the end that the length names and the one that the scan found, where they differ: the one whose sum is right,
    /// else the longer one unless it swallows another line or message.
    fn choose(&mut self, view: View<'_>, framed: Option<(usize, usize)>) -> Reading {
        if let Some((checksum, end)) = framed
            && self.frame.checksum_verified != Some(true)
            && end > self.end
            && !holds_another(&view.bytes[self.end..end])
        {
            self.walk_framed(view.bytes, checksum, end);
        }
        self.complete(view.bytes)
    }

    /// Reads the fields up to `checksum`, where `10=nnn` stands, which ends at `end` with a delimiter or without.
    fn walk_framed(&mut self, bytes: &[u8], checksum: usize, end: usize) {
        self.walk(View { bytes: &bytes[..checksum], last: true }, checksum, false);
        self.end = end;
        let value = checksum + 3;
        self.fields.push(Field { tag: 10, start: checksum, value, end: value + 3, counted: false });
        self.measure(bytes);
    }

    fn read_by_scan(&mut self, view: View<'_>, line_end: Option<usize>) -> Reading {
        let bound = line_end.unwrap_or(view.bytes.len());
        let stop = self.walk(view, bound, true);
        let seen = if stop == Stop::Incomplete { bound } else { self.end };
        match self.sound_header_behind(view, seen) {
            Embedded::At(cut) => return self.cut_at(view, cut),
            Embedded::Incomplete => return Reading::Incomplete,
            Embedded::None => {}
        }
        if stop == Stop::Incomplete || (stop == Stop::Bound && line_end.is_none() && !view.last) {
            return Reading::Incomplete;
        }
        self.measure(view.bytes);
        if self.is_damaged() {
            match self.find_embedded(view) {
                Embedded::At(cut) => return self.cut_at(view, cut),
                Embedded::Incomplete => return Reading::Incomplete,
                Embedded::None => {}
            }
        }
        if self.is_truncated(stop) {
            return Reading::Truncated(self.end);
        }
        Reading::Complete
    }

    fn cut_at(&mut self, view: View<'_>, cut: usize) -> Reading {
        self.walk(View { bytes: &view.bytes[..cut], last: true }, cut, false);
        self.measure(view.bytes);
        Reading::Truncated(cut)
    }

    /// Where this message has no sound header, its delimiter is a guess: the next message that has one ends it.
    fn sound_header_behind(&self, view: View<'_>, seen: usize) -> Embedded {
        match shape(view, self.begin) {
            Shape::Message => return Embedded::None,
            Shape::Incomplete => return Embedded::Incomplete,
            Shape::Other => {}
        }
        for at in memmem::find_iter(&view.bytes[self.begin + 1..seen.max(self.begin + 1)], b"8=FIX")
            .map(|at| self.begin + 1 + at)
        {
            match shape(view, at) {
                Shape::Message => return Embedded::At(at),
                Shape::Incomplete => return Embedded::Incomplete,
                Shape::Other => {}
            }
        }
        Embedded::None
    }

    /// Splits `[self.start, bound)` into fields and sets `self.end` behind the last one.
    fn walk(&mut self, view: View<'_>, bound: usize, scanning: bool) -> Stop {
        let delimiter = self.delimiter;
        let bytes = &view.bytes[..bound];
        self.fields.clear();
        self.flaws = Flaws::NONE;
        self.shown_in_data = 0;
        self.steps = 4 * bound.saturating_sub(self.start);
        let mut at = self.start;
        while at < bound {
            if scanning && at > self.begin && bytes[at..].starts_with(b"8=FIX") {
                match message_shape(view, at, delimiter) {
                    Shape::Message => {
                        self.end = at;
                        return Stop::NextMessage;
                    }
                    Shape::Incomplete => return Stop::Incomplete,
                    Shape::Other => {}
                }
            }
            let field = self.counted_field(bytes, at).unwrap_or_else(|| plain_field(bytes, at, delimiter));
            self.fields.push(field);
            let closed = field.end < bound;
            at = if closed { field.end + delimiter.width() } else { bound };
            self.end = at;
            if scanning && closed && field.tag == 10 && is_checksum(field.text(bytes)) {
                return Stop::Checksum;
            }
        }
        Stop::Bound
    }

    /// The data field that the length field before it counts, if it is there and ends where the count says.
    fn counted_field(&mut self, bytes: &[u8], at: usize) -> Option<Field> {
        let length = *self.fields.last()?;
        let tag = data_tag(length.tag)?;
        let field = plain_field(bytes, at, self.delimiter);
        let counted = match parse_u64(length.text(bytes)).map(usize::try_from) {
            Some(Ok(count)) if field.tag == tag => self.count_out(bytes, field.value, count),
            _ => None,
        };
        match counted {
            Some((end, shown)) => {
                self.shown_in_data += shown;
                Some(Field { end, counted: true, ..field })
            }
            None => {
                self.flaws.insert(Flaw::DataLenMismatch);
                Some(field)
            }
        }
    }

    /// Where a value of `count` bytes ends, if a delimiter or the bound follows, and how many shown delimiters in it count as
    /// one byte each. A shown `^A` was one byte when the value was counted, so that reading is tried first.
    fn count_out(&mut self, bytes: &[u8], value: usize, count: usize) -> Option<(usize, usize)> {
        let delimiter = self.delimiter;
        let closes = |end: usize| end == bytes.len() || delimiter.stands_at(bytes, end);
        let plain = value.checked_add(count).filter(|end| *end <= bytes.len())?;
        if delimiter == Delimiter::Caret && count <= self.steps {
            self.steps -= count;
            let (mut end, mut shown) = (value, 0);
            for _ in 0..count {
                let stands = delimiter.stands_at(bytes, end);
                shown += usize::from(stands);
                end += if stands { delimiter.width() } else { 1 };
            }
            if end <= bytes.len() && closes(end) {
                return Some((end, shown));
            }
        }
        let shown =
            |end| if delimiter == Delimiter::Pipe { scan::count(&bytes[value..end], b'|') } else { 0 };
        closes(plain).then(|| (plain, shown(plain)))
    }

    /// Works out lengths and sums of the fields read.
    fn measure(&mut self, bytes: &[u8]) {
        let delimiter = self.delimiter;
        let checksum = self.fields.last().filter(|field| field.tag == 10).copied();
        let body_end = checksum.map_or(self.end, |field| field.start);
        let delimiters = self.fields.len() - usize::from(checksum.is_some() || !self.is_closed());
        let ones = delimiters + self.shown_in_data;
        let sum = scan::checksum(&bytes[self.start..body_end])
            .wrapping_sub(delimiter.surplus().wrapping_mul(ones as u8));
        let length = self.fields.iter().position(|field| field.tag == 9);
        self.frame = Frame {
            body_length_declared: length.and_then(|at| self.fields[at].number(bytes)),
            body_length_actual: length.map(|at| {
                let body = self.fields[at].end + delimiter.width();
                let ones = (delimiters + self.shown_in_data).saturating_sub(at + 1);
                (body_end.saturating_sub(body)).saturating_sub(ones * (delimiter.width() - 1)) as u32
            }),
            checksum_declared: checksum
                .and_then(|field| field.number(bytes))
                .and_then(|sum| u8::try_from(sum).ok()),
            checksum_actual: sum,
            checksum_verified: None,
            fields: u32::try_from(self.fields.len()).unwrap_or(u32::MAX),
        };
        if let Some(field) = checksum {
            let right = field.end - field.value == 3 && self.frame.checksum_declared == Some(sum);
            self.frame.checksum_verified = Some(right);
        }
    }

    /// Whether the last field ends with a delimiter.
    fn is_closed(&self) -> bool {
        self.fields.last().is_none_or(|field| field.end < self.end)
    }

    fn length_is_right(&self) -> bool {
        self.frame.body_length_declared.is_some()
            && self.frame.body_length_declared == self.frame.body_length_actual
    }

    /// Whether some byte of it is wrong or missing, and it may have run into its neighbour.
    fn is_damaged(&self) -> bool {
        !self.length_is_right() || self.frame.checksum_verified != Some(true)
    }

    /// Whether the bytes end before the message does. Without a checksum only the length can tell.
    fn is_truncated(&self, stop: Stop) -> bool {
        if stop == Stop::Checksum {
            return false;
        }
        let last_is_checksum = self.fields.last().is_some_and(|field| field.tag == 10);
        if last_is_checksum {
            return !self.is_closed() && self.fields.last().is_some_and(|field| field.end - field.value < 3);
        }
        !self.is_closed()
            || match (self.frame.body_length_declared, self.frame.body_length_actual) {
                (Some(declared), Some(actual)) => actual < declared,
                _ => true,
            }
    }

    /// A message inside a damaged one: its neighbour, glued on where this one was cut off.
    fn find_embedded(&self, view: View<'_>) -> Embedded {
        let delimiter = self.delimiter;
        let mut from = self.begin + 1;
        for _ in 0..EMBEDDED_TRIES_MAX {
            let Some(at) =
                memmem::find(&view.bytes[from.min(self.end)..self.end], b"8=FIX").map(|at| from + at)
            else {
                return Embedded::None;
            };
            match (message_shape(view, at, delimiter), frame_by_length(view, at, delimiter)) {
                (Shape::Incomplete, _) | (Shape::Message, Framing::Incomplete) => {
                    return Embedded::Incomplete;
                }
                (Shape::Message, Framing::Ends { .. }) => return Embedded::At(at),
                (Shape::Message, Framing::Unknown) if delimiter == Delimiter::Caret => {
                    return Embedded::At(at);
                }
                _ => from = at + 1,
            }
        }
        Embedded::None
    }

    /// Settles values and flaws once the fields are known.
    fn complete(&mut self, bytes: &[u8]) -> Reading {
        self.judge_sums(bytes);
        self.slots.seen = 0;
        self.slots.repeated = 0;
        for field in &self.fields {
            let empty = field.value == field.end && !field.counted;
            if field.tag == 0 {
                self.flaws.insert(Flaw::NonnumericTag);
                continue;
            }
            if empty {
                self.flaws.insert(Flaw::EmptyValue);
            }
            self.slots.put(slot_of(field.tag), field.value, field.end);
        }
        // A length field at the very end has no data field behind it to tell.
        if self.fields.last().is_some_and(|field| data_tag(field.tag).is_some()) {
            self.flaws.insert(Flaw::DataLenMismatch);
        }
        if self.slots.repeated & tags::UNREPEATABLE != 0 {
            self.flaws.insert(Flaw::DuplicateTag);
        }
        let first3 = self.fields.iter().take(3).map(|field| field.tag);
        if !first3.eq([8, 9, 35]) {
            self.flaws.insert(Flaw::First3OutOfOrder);
        }
        Reading::Complete
    }

    fn judge_sums(&mut self, bytes: &[u8]) {
        if self.frame.checksum_verified == Some(false) {
            let unsure = self.delimiter != Delimiter::Soh && self.may_hold_delimiter(bytes);
            if unsure && !self.rejoin(bytes) {
                self.frame.checksum_verified = None;
                self.flaws.insert(Flaw::Unverifiable);
            } else if !unsure {
                self.flaws.insert(Flaw::BadChecksum);
            }
        }
        if self.fields.last().is_none_or(|field| field.tag != 10) {
            self.flaws.insert(Flaw::MissingChecksum);
        }
        let has_length = self.fields.iter().any(|field| field.tag == 9);
        if has_length && !self.length_is_right() {
            self.flaws.insert(Flaw::BadBodyLength);
        }
    }

    /// Whether a shown delimiter may be part of a value rather than the end of one.
    fn may_hold_delimiter(&self, bytes: &[u8]) -> bool {
        let holds = |field: &Field| self.delimiter.find(field.text(bytes)).is_some();
        self.fields.iter().skip(1).any(|field| field.tag == 0 || (field.counted && holds(field)))
    }

    /// Takes fields without a tag for the rest of the value before them, and keeps that if the sum then comes out right.
    fn rejoin(&mut self, bytes: &[u8]) -> bool {
        let mut joined: Vec<Field> = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            match joined.last_mut() {
                Some(before) if field.tag == 0 => before.end = field.end,
                _ => joined.push(*field),
            }
        }
        let literals = self.fields.len() - joined.len();
        let surplus = self.delimiter.surplus().wrapping_mul(literals as u8);
        if literals == 0
            || self.frame.checksum_declared != Some(self.frame.checksum_actual.wrapping_add(surplus))
        {
            return false;
        }
        std::mem::swap(&mut self.fields, &mut joined);
        self.measure(bytes);
        self.frame.checksum_verified == Some(true)
    }
}

/// Longer messages are not taken to hold others.
const NESTING_BYTES_MAX: usize = 16 << 10;
/// How many `8=FIX` inside a damaged message are looked at.
const EMBEDDED_TRIES_MAX: usize = 16;

/// Whether another message begins in bytes that are taken for the rest of one.
enum Embedded {
    At(usize),
    /// Too few bytes to tell.
    Incomplete,
    None,
}

fn holds_another(rest: &[u8]) -> bool {
    memmem::find(rest, b"8=FIX").is_some() || memchr::memchr(b'\n', rest).is_some()
}
