//! The usual message in one pass: one delimiter throughout, every tag a number, no data fields, length and sum right, ASCII.
//!
//! Delimiters of a whole view are found beforehand, many at a time; the loop over fields then has no branch that a clean
//! log would mispredict. Whatever is not usual is left to [`crate::message`], which comes to the same result for what is:
//! `tests/` holds the two against each other.

use casparian_sdk::scan::{Index, checksum_and_ascii};
use memchr::{memchr2, memmem};

use crate::delimiter::Delimiter;
use crate::faults::Flaws;
use crate::fields::{Field, Slots, plain_field};
use crate::message::Frame;
use crate::record::is_field;
use crate::sequence::Sequences;
use crate::shape::{Consult, Kind, Shapes};
use crate::tags::slot;
use crate::walk::{Depth, Walk};

/// A prefix longer than this is read the careful way.
const PREFIX_BYTES_MAX: usize = 512;
/// From this length on a body is looked at first: one with other messages inside is read the careful way.
const LONG_BYTES: usize = 2 << 10;
/// `8=FIX.5.0SP2|9=` is 15 bytes long; longer ones are read the careful way.
const HEADER_BYTES_MAX: usize = 16;

/// A message and its record, as places in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// Where the message begins.
    pub start: usize,
    /// Where the record ends.
    pub end: usize,
}

/// Reads usual messages. Kept for its memory.
#[derive(Debug)]
pub struct Fast {
    /// Where the values of the message last read are.
    pub slots: Slots,
    /// Its lengths and sums.
    pub frame: Frame,
    /// What the dictionary finds wrong with it.
    pub flaws: Flaws,
    sequences: Sequences,
    /// What was found wrong with messages of the same fields.
    shapes: Shapes,
    consult: Consult,
    walk: Walk,
    /// The fields of a message that the dictionary was asked about.
    fields: Vec<Field>,
    /// The last step of the message at hand, and its first delimiter behind the body's begin.
    last: usize,
    first: usize,
    delimiter: u8,
    surplus: u8,
    index: Index,
    /// The first delimiter of `index` that may belong to the next message.
    cursor: usize,
    /// `8=FIX.4.4|9=` of the message before: the next one begins the same way.
    header: [u64; 2],
    /// Which bits of `header` count.
    header_mask: [u64; 2],
    header_len: usize,
}

impl Fast {
    /// Makes a reader for logs whose messages have this delimiter; `None` where one byte does not show it. `consult` says when
    /// to ask the dictionary.
    pub fn new(delimiter: Delimiter, consult: Consult) -> Option<Fast> {
        let &[byte] = delimiter.shown() else { return None };
        Some(Fast {
            slots: Slots::default(),
            frame: Frame::default(),
            flaws: Flaws::NONE,
            shapes: Shapes::default(),
            consult,
            walk: Walk::default(),
            fields: Vec::new(),
            last: 0,
            first: 0,
            sequences: Sequences::new(1 << slot::BEGIN_STRING | 1 << slot::BODY_LENGTH | 1 << slot::CHECKSUM),
            delimiter: byte,
            surplus: delimiter.surplus(),
            index: Index::new(),
            cursor: 0,
            // Nothing begins like this, so that the first header is learned.
            header: [0; 2],
            header_mask: [u64::MAX; 2],
            header_len: 0,
        })
    }

    /// Finds the delimiters of a view.
    pub fn look(&mut self, bytes: &[u8]) {
        self.index.fill(bytes, self.delimiter);
        self.cursor = 0;
    }

    /// Reads the record at `at`, if its message is a usual one and all of it is among the first `len` bytes; behind those
    /// there are eight more.
    #[inline]
    pub fn read(&mut self, padded: &[u8], len: usize, at: usize) -> Option<Usual> {
        let start = begin(padded, len, at, self.delimiter)?;
        let body = self.header(padded, start)?;
        // From here on a message is usual or damaged: nothing is undone when it turns out to be the latter.
        let (length, body) = body_length(padded, body, self.delimiter)?;
        let checksum = body + length;
        let end = checksum + 7;
        if end >= len || padded[checksum - 1] != self.delimiter || padded[end - 1] != self.delimiter {
            return None;
        }
        if length > LONG_BYTES && memmem::find(&padded[body..checksum], b"8=FIX").is_some() {
            return None;
        }
        let declared = checksum_of(padded[checksum..].first_chunk()?)?;
        if padded[body..].first_chunk() != Some(b"35=") || !self.fields(padded, start, body, checksum) {
            return None;
        }
        let (sum, is_ascii) = checksum_and_ascii(&padded[start..checksum]);
        let sum = sum.wrapping_sub(self.surplus.wrapping_mul(self.frame.fields.wrapping_sub(1) as u8));
        if sum != declared || !is_ascii {
            return None;
        }
        self.frame.body_length_declared = Some(length as u32);
        self.frame.body_length_actual = Some(length as u32);
        self.frame.checksum_declared = Some(declared);
        self.frame.checksum_actual = sum;
        self.frame.checksum_verified = Some(true);
        let end = record_end(padded, len, end)?;
        self.flaws = if self.asks() { self.ask(padded, start, body, checksum) } else { Flaws::NONE };
        Some(Usual { start, end })
    }

    /// Checks that a begin string and `9=` stand at `start`; returns where the digits begin.
    #[inline(always)]
    fn header(&mut self, padded: &[u8], start: usize) -> Option<usize> {
        let words = two_words(padded, start)?;
        let differ = |at: usize| (words[at] ^ self.header[at]) & self.header_mask[at];
        if differ(0) | differ(1) == 0 {
            Some(start + self.header_len)
        } else {
            self.learn_header(padded, start)
        }
    }

    #[cold]
    fn learn_header(&mut self, padded: &[u8], start: usize) -> Option<usize> {
        let bytes = padded.get(start..start + HEADER_BYTES_MAX)?;
        let is_version = |byte: &&u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'.');
        let closing = 2 + bytes.iter().skip(2).take_while(is_version).count();
        if bytes.get(closing..closing + 3)? != [self.delimiter, b'9', b'='] {
            return None;
        }
        self.header_len = closing + 3;
        let known = |at: usize| if at < self.header_len { 0xFF } else { 0 };
        self.header_mask = two_words(&std::array::from_fn::<u8, HEADER_BYTES_MAX, _>(known), 0)?;
        self.header = two_words(padded, start)?;
        Some(start + self.header_len)
    }

    /// Reads the fields from `body` up to `checksum`; returns whether all are usual.
    #[inline]
    fn fields(&mut self, padded: &[u8], start: usize, body: usize, checksum: usize) -> bool {
        let first = self.first_delimiter_behind(body);
        let positions = self.index.positions();
        let at = &mut self.slots.at;
        at[usize::from(slot::BEGIN_STRING)] = ((start + 2) as u32, (start + self.header_len - 3) as u32);
        at[usize::from(slot::BODY_LENGTH)] = ((start + self.header_len) as u32, (body - 1) as u32);
        at[usize::from(slot::CHECKSUM)] = ((checksum + 3) as u32, (checksum + 6) as u32);
        // Any two bytes that tell kinds of messages apart will do: `D|`, `AE`.
        let kind = padded[body + 3].wrapping_mul(31).wrapping_add(padded[body + 4]);
        let (mut step, mut begin, mut next, mut empty) = (self.sequences.root(kind), body, first, 0u32);
        while begin < checksum {
            let Some(end) = positions.get(next).map(|end| *end as usize) else { return false };
            let Some(word) = padded.get(begin..begin + 8).and_then(|eight| eight.first_chunk()) else {
                return false;
            };
            let Some(at_step) = self.sequences.follow(step, u64::from_le_bytes(*word)) else { return false };
            step = at_step;
            let known = self.sequences.step(step);
            let value = begin + usize::from(known.width);
            // The top bit of the difference says that the value is empty.
            empty |= (end as u32).wrapping_sub(value as u32 + 1);
            at[usize::from(known.place) % slot::COUNT] = (value as u32, end as u32);
            begin = end + 1;
            next += 1;
        }
        let last = self.sequences.step(step);
        (self.last, self.first) = (step, first);
        self.cursor = next;
        self.slots.seen = last.seen;
        self.slots.repeated = 0;
        self.frame.fields = (next - first + 3) as u32;
        empty >> 31 == 0 && begin == checksum && !last.is_unusual
    }

    /// Whether the dictionary may find something wrong with the message at hand.
    #[inline(always)]
    fn asks(&self) -> bool {
        match self.consult.depth {
            None => false,
            Some(Depth::Structure) => self.sequences.step(self.last).is_grouped,
            Some(Depth::Everything) => true,
        }
    }

    #[inline(never)]
    fn ask(&mut self, padded: &[u8], start: usize, body: usize, checksum: usize) -> Flaws {
        let known = [0, 1].map(|at| self.header[at] & self.header_mask[at]);
        let name = self.sequences.name(self.last).filter(|_| self.consult.depth == Some(Depth::Structure));
        let shape = name.zip(Kind::of(known, padded, &self.slots));
        // Begin string, length and type, which are the first three, count nothing.
        let behind_type = self.index.positions().get(self.first..).unwrap_or_default();
        let begin = |field: usize| Some(*behind_type.get(field.checked_sub(3)?)? as usize + 1);
        if let Some((name, kind)) = &shape
            && let Some(flaws) = self.shapes.recall(*name, kind, padded, begin)
        {
            return flaws;
        }
        self.list_fields(padded, start, body, checksum);
        let mut flaws = Flaws::NONE;
        self.consult.read(&mut self.walk, padded, &self.fields, &self.slots, &mut flaws);
        if let Some((name, kind)) = shape {
            self.shapes.learn(name, kind, padded, &self.walk, &self.fields, flaws);
        }
        flaws
    }

    /// Lists all fields of the message at hand.
    fn list_fields(&mut self, padded: &[u8], start: usize, body: usize, checksum: usize) {
        let shown = Delimiter::ALL.into_iter().find(|(known, _)| known.shown() == [self.delimiter]);
        let delimiter = shown.map_or(Delimiter::Soh, |known| known.0);
        let message = &padded[..checksum + 7];
        let ends = self.index.positions().get(self.first..self.cursor).unwrap_or_default();
        let length = plain_field(message, start, delimiter).end + 1;
        let begins = [start, length, body].into_iter().chain(ends.iter().map(|end| *end as usize + 1));
        self.fields.clear();
        self.fields.extend(begins.map(|begin| plain_field(message, begin, delimiter)));
    }

    /// Which delimiter is the first behind `body`, where the one of BodyLength stands right before it: usually the third from
    /// the cursor, behind those of the last checksum and of the begin string.
    #[inline(always)]
    fn first_delimiter_behind(&self, body: usize) -> usize {
        let third = self.cursor + 3;
        match self.index.positions().get(third - 1) {
            Some(position) if *position as usize + 1 == body => third,
            _ => self.search_delimiter(body),
        }
    }

    #[cold]
    fn search_delimiter(&self, body: usize) -> usize {
        let rest = self.index.positions().get(self.cursor..).unwrap_or_default();
        self.cursor + rest.partition_point(|position| (*position as usize) < body)
    }
}

#[inline(always)]
fn two_words(bytes: &[u8], at: usize) -> Option<[u64; 2]> {
    let bytes: &[u8; 16] = bytes.get(at..)?.first_chunk()?;
    let [low, high] = bytes.as_chunks::<8>().0 else { return None };
    Some([u64::from_le_bytes(*low), u64::from_le_bytes(*high)])
}

/// Where the message of the record at `at` begins: there, or behind a prefix on the same line.
#[inline(always)]
fn begin(padded: &[u8], len: usize, at: usize, delimiter: u8) -> Option<usize> {
    if padded[at..].starts_with(b"8=FIX") {
        return Some(at);
    }
    begin_behind_prefix(&padded[at..len.min(at + PREFIX_BYTES_MAX)], delimiter).map(|begin| at + begin)
}

fn begin_behind_prefix(bytes: &[u8], delimiter: u8) -> Option<usize> {
    if matches!(bytes.first()?, b' ' | b'\t' | b'\r' | b'\n') {
        return None;
    }
    let begin = memmem::find(bytes, b"8=FIX")?;
    let before = &bytes[..begin];
    // A field or a delimiter before the message may be what is left of another one.
    let is_plain = !before.last()?.is_ascii_alphanumeric() && !is_field(before);
    (is_plain && memchr2(b'\n', delimiter, before).is_none()).then_some(begin)
}

/// Reads the digits at `at` up to a delimiter: the length, and where the body begins.
#[inline(always)]
fn body_length(padded: &[u8], at: usize, delimiter: u8) -> Option<(usize, usize)> {
    let mut length = 0usize;
    for (place, byte) in padded[at..].iter().enumerate().take(7) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (*byte == delimiter && place > 0).then_some((length, at + place + 1));
        }
        length = length * 10 + usize::from(digit);
    }
    None
}

/// Reads `10=nnn`.
#[inline(always)]
fn checksum_of(field: &[u8; 6]) -> Option<u8> {
    let [b'1', b'0', b'=', digits @ ..] = field else { return None };
    let [hundreds, tens, ones] = digits.map(|byte| u32::from(byte.wrapping_sub(b'0')));
    if hundreds > 9 || tens > 9 || ones > 9 {
        return None;
    }
    u8::try_from(hundreds * 100 + tens * 10 + ones).ok()
}

/// The end of the record whose message ends at `end`: behind its line feed, or right here where another message begins.
#[inline(always)]
fn record_end(padded: &[u8], len: usize, end: usize) -> Option<usize> {
    let next = match padded[end] {
        b'\n' => end + 1,
        b'\r' if padded[end + 1] == b'\n' => end + 2,
        b'8' => end,
        _ => return None,
    };
    (next <= len).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_message_is_read_the_fast_way() {
        let message = b"2025-03-14 13:30:02.480 IN 8=FIX.4.2|9=5|35=0|10=161|\n........";
        let consult = Consult { depth: None, default: crate::dictionary::Version::Fix44 };
        let mut fast = Fast::new(Delimiter::Pipe, consult).expect("one byte");
        fast.look(&message[..54]);
        assert_eq!(fast.read(message, 54, 0), Some(Usual { start: 27, end: 54 }));
        assert_eq!(fast.slots.value(message, slot::MSG_TYPE), Some(b"0".as_slice()));
    }
}
