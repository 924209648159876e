//! What the dictionary found in messages of a shape: a kind of message with the same fields in the same order and the same
//! counts. What it says of their structure depends on nothing else, so that it is asked once for each.

use crate::dictionary::Version;
use crate::faults::Flaws;
use crate::fields::{Field, Slots};
use crate::tags::slot;
use crate::walk::{Book, Depth, Walk};

/// When the dictionary is asked, and about which version.
#[derive(Clone, Copy, Debug)]
pub struct Consult {
    /// How much is looked at; `None`: nothing.
    pub depth: Option<Depth>,
    /// The version of FIXT messages that do not name theirs.
    pub default: Version,
}

impl Consult {
    /// Returns what the dictionary has for a message.
    pub fn book(&self, bytes: &[u8], slots: &Slots) -> Option<Book> {
        self.depth?;
        let begin_string = slots.value(bytes, slot::BEGIN_STRING)?;
        let msg_type = slots.value(bytes, slot::MSG_TYPE)?;
        Book::of(begin_string, slots.value(bytes, slot::APPL_VER_ID), self.default, msg_type)
    }

    /// Walks a message and adds what is wrong with it. Without a dictionary for it the walk comes back empty.
    pub fn read(&self, walk: &mut Walk, bytes: &[u8], fields: &[Field], slots: &Slots, flaws: &mut Flaws) {
        if self.depth == Some(Depth::Structure) {
            let mut twice = Vec::new();
            if walk.is_flat(fields, &mut twice) {
                match self.book(bytes, slots).filter(|_| !twice.is_empty()) {
                    Some(book) => walk.read_flat(&twice, &book, flaws),
                    None => walk.clear(),
                }
                return;
            }
        }
        match (self.book(bytes, slots), self.depth) {
            (Some(book), Some(depth)) => walk.read(bytes, fields, &book, depth, flaws),
            _ => walk.clear(),
        }
    }
}

/// The kind of a message, as far as the dictionary goes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    header: [u64; 2],
    /// MsgType(35) and ApplVerID(1128), with zeros behind them.
    values: [u32; 2],
}

impl Kind {
    /// Makes the kind of a message out of its first bytes and values; `None` where they are longer than any known.
    #[inline(always)]
    pub fn of(header: [u64; 2], bytes: &[u8], slots: &Slots) -> Option<Kind> {
        let msg_type = short(bytes, slots.place(slot::MSG_TYPE)?)?;
        let appl_ver_id = match slots.place(slot::APPL_VER_ID) {
            Some(place) => short(bytes, place)?,
            None => 0,
        };
        Some(Kind { header, values: [msg_type, appl_ver_id] })
    }
}

/// At most four bytes as a number, by one load: a copy of so few costs a metered guest more.
#[inline(always)]
fn short(bytes: &[u8], (start, end): (usize, usize)) -> Option<u32> {
    let unused = 4u32.checked_sub((end - start) as u32)?;
    let word = u32::from_le_bytes(*bytes.get(start..)?.first_chunk()?);
    Some(word & u32::MAX.checked_shr(8 * unused).unwrap_or(0))
}

/// A field that counts a group.
#[derive(Clone, Copy, Debug)]
struct Counter {
    /// Which of the message's fields it is.
    field: usize,
    /// Bytes of tag and equals sign.
    width: usize,
    /// The count as written, with the delimiter behind it.
    word: u64,
    /// Which bits of `word` count.
    mask: u64,
}

impl Counter {
    /// Makes a counter out of the field that it is; `None` where its count is no number or longer than a word.
    fn of(number: usize, field: &Field, bytes: &[u8]) -> Option<Counter> {
        let text = field.text(bytes);
        let bits = 8 * (1..8usize).contains(&text.len()).then_some(text.len() + 1)? as u32;
        let mask = u64::MAX >> (64 - bits);
        let is_number = text.iter().all(u8::is_ascii_digit);
        let word = is_number.then(|| word_at(bytes, field.value)).flatten()? & mask;
        Some(Counter { field: number, width: field.value - field.start, word, mask })
    }
}

#[inline(always)]
fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Messages with more groups are looked at each time, so that what is remembered stays small.
const COUNTERS_MAX: usize = 64;

#[derive(Clone, Debug)]
struct Shape {
    /// What names the sequence of its fields.
    name: (u32, u16),
    kind: Kind,
    counters: Vec<Counter>,
    flaws: Flaws,
}

/// The shapes met so far.
#[derive(Debug, Default)]
pub struct Shapes(Vec<Option<Box<Shape>>>);

impl Shapes {
    /// Returns what was found wrong with messages of this shape, if one was met. `begin` tells where a field begins.
    #[inline(always)]
    pub fn recall(
        &self,
        name: (u32, u16),
        kind: &Kind,
        bytes: &[u8],
        begin: impl Fn(usize) -> Option<usize>,
    ) -> Option<Flaws> {
        let shape = self.0.get(usize::from(name.1))?.as_deref()?;
        let mut differ = 0;
        for counter in &shape.counters {
            differ |= (word_at(bytes, begin(counter.field)? + counter.width)? ^ counter.word) & counter.mask;
        }
        (differ == 0 && shape.name == name && shape.kind == *kind).then_some(shape.flaws)
    }

    /// Notes what was found wrong with a message of this shape.
    pub fn learn(
        &mut self,
        name: (u32, u16),
        kind: Kind,
        bytes: &[u8],
        walk: &Walk,
        fields: &[Field],
        flaws: Flaws,
    ) {
        let counter = |group: &crate::walk::Group| {
            let number = group.counter as usize;
            Counter::of(number, fields.get(number)?, bytes)
        };
        if walk.groups.len() > COUNTERS_MAX {
            return;
        }
        // A message with a count that is none is looked at each time: it is wrong, and seldom.
        let Some(counters) = walk.groups.iter().map(counter).collect() else { return };
        let at = usize::from(name.1);
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        self.0[at] = Some(Box::new(Shape { name, kind, counters, flaws }));
    }
}
