//! Fields of a message, and the places of those that we look at.

use casparian_sdk::scan::parse_u64;

use crate::delimiter::Delimiter;
use crate::tags::slot;

/// One field: `tag=value`. Places are indices into the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The tag; 0 where there is no numeric one.
    pub tag: u32,
    /// Where the field begins.
    pub start: usize,
    /// Where its value begins: `start` where there is no `=`.
    pub value: usize,
    /// Where its value ends.
    pub end: usize,
    /// Whether a length field said where it ends.
    pub counted: bool,
}

impl Field {
    /// Returns its value.
    pub fn text<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.value..self.end).unwrap_or_default()
    }

    /// Returns its value as a number, if it is one that fits.
    pub fn number(&self, bytes: &[u8]) -> Option<u32> {
        parse_u64(self.text(bytes)).and_then(|number| u32::try_from(number).ok())
    }
}

/// Where the first value of each field that we look at stands.
#[derive(Clone, Debug)]
pub struct Slots {
    /// Bit n: slot n holds a value.
    pub seen: u64,
    /// Bit n: slot n was met again.
    pub repeated: u64,
    /// Begin and end of the value; meaningless where `seen` has no bit.
    pub at: [(u32, u32); slot::COUNT],
}

impl Default for Slots {
    fn default() -> Self {
        Slots { seen: 0, repeated: 0, at: [(0, 0); slot::COUNT] }
    }
}

impl Slots {
    /// Returns the value in a slot.
    #[inline]
    pub fn value<'a>(&self, bytes: &'a [u8], slot: u8) -> Option<&'a [u8]> {
        let (start, end) = self.place(slot)?;
        bytes.get(start..end)
    }

    /// Returns where the value in a slot begins and ends.
    #[inline]
    pub fn place(&self, slot: u8) -> Option<(usize, usize)> {
        let (start, end) = self.at[usize::from(slot) % slot::COUNT];
        (self.seen >> slot & 1 == 1).then_some((start as usize, end as usize))
    }

    /// Notes the place of a value, or that its slot was met again.
    pub fn put(&mut self, slot: u8, start: usize, end: usize) {
        let bit = 1u64 << slot;
        if self.seen & bit != 0 {
            self.repeated |= bit;
            return;
        }
        self.seen |= bit;
        self.at[usize::from(slot) % slot::COUNT] = (start as u32, end as u32);
    }
}

/// Returns whether a value is what CheckSum(10) may hold: one to three digits.
pub fn is_checksum(value: &[u8]) -> bool {
    (1..=3).contains(&value.len()) && value.iter().all(u8::is_ascii_digit)
}

/// More digits are no tag of anybody's.
const TAG_DIGITS_MAX: usize = 9;

/// Returns the field at `start`, which ends with the next delimiter or with the bytes.
pub fn plain_field(bytes: &[u8], start: usize, delimiter: Delimiter) -> Field {
    let end = delimiter.find(&bytes[start..]).map_or(bytes.len(), |at| start + at);
    let field = &bytes[start..end];
    let (mut tag, mut digits) = (0u32, 0);
    for byte in field.iter().take(TAG_DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()) {
        tag = tag * 10 + u32::from(byte - b'0');
        digits += 1;
    }
    if digits > 0 && field[0] != b'0' && field.get(digits) == Some(&b'=') {
        return Field { tag, start, value: start + digits + 1, end, counted: false };
    }
    let equals = field.iter().position(|byte| *byte == b'=');
    Field { tag: 0, start, value: equals.map_or(start, |at| start + at + 1), end, counted: false }
}
