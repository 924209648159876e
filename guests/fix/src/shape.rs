//! What the dictionary found in messages of a shape: a kind of message with the same fields in the same order and the same
//! counts. What it says of their structure depends on nothing else, so that it is asked once for each.

use casparian_sdk::scan::parse_u64;

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
    msg_type: [u8; 4],
    appl_ver_id: [u8; 4],
}

impl Kind {
    /// Makes the kind of a message out of its first bytes and values; `None` where they are longer than any known.
    pub fn of(header: [u64; 2], bytes: &[u8], slots: &Slots) -> Option<Kind> {
        Some(Kind {
            header,
            msg_type: short(slots.value(bytes, slot::MSG_TYPE))?,
            appl_ver_id: short(slots.value(bytes, slot::APPL_VER_ID))?,
        })
    }
}

fn short(value: Option<&[u8]>) -> Option<[u8; 4]> {
    let value = value.unwrap_or_default();
    let mut short = [0; 4];
    short.get_mut(..value.len())?.copy_from_slice(value);
    Some(short)
}

/// A field that counts a group.
#[derive(Clone, Copy, Debug)]
struct Counter {
    /// Which of the message's fields it is.
    field: usize,
    /// Bytes of tag and equals sign.
    width: usize,
    declared: u64,
}

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
    /// Returns what was found wrong with messages of this shape, if one was met. `field` gives out fields of the message.
    pub fn recall<'a>(
        &self,
        name: (u32, u16),
        kind: &Kind,
        field: impl Fn(usize) -> Option<&'a [u8]>,
    ) -> Option<Flaws> {
        let shape = self.0.get(usize::from(name.1))?.as_deref()?;
        let counts = |counter: &Counter| {
            field(counter.field)?
                .get(counter.width..)
                .and_then(parse_u64)
                .map(|count| count == counter.declared)
        };
        let fits = shape.name == name
            && shape.kind == *kind
            && shape.counters.iter().all(|counter| counts(counter) == Some(true));
        fits.then_some(shape.flaws)
    }

    /// Notes what was found wrong with a message of this shape.
    pub fn learn(&mut self, name: (u32, u16), kind: Kind, walk: &Walk, fields: &[Field], flaws: Flaws) {
        let counter = |group: &crate::walk::Group| {
            let field = fields.get(group.counter as usize)?;
            let width = field.value - field.start;
            Some(Counter { field: group.counter as usize, width, declared: group.declared? })
        };
        // A count that is no number has its own faults, and is seldom: it is looked at each time.
        let Some(counters) = walk.groups.iter().map(counter).collect() else { return };
        let at = usize::from(name.1);
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        self.0[at] = Some(Box::new(Shape { name, kind, counters, flaws }));
    }
}
