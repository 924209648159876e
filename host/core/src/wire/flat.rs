//! A reader of flatbuffers that trusts nothing: every position is checked before it is followed, and the work that shared
//! objects could be made to multiply is bounded. It knows the layout of flatbuffers and nothing of Arrow.

use std::cell::Cell;

use thiserror::Error;

/// What a buffer may seem to hold once everything shared in it is counted as often as it is reached, in bytes. Writers share
/// vtables and little else; a bomb shares a subtree with itself.
const APPARENT_BYTES_MAX: usize = 4 << 20;

/// Where and how a flatbuffer is malformed. Positions count from its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FlatFault {
    /// Something reaches past the end.
    #[error("{bytes} bytes at {at} are out of bounds, there are {present}")]
    OutOfBounds {
        /// Where it begins.
        at: usize,
        /// How long it claims to be.
        bytes: usize,
        /// How long the buffer is.
        present: usize,
    },
    /// Something does not stand on a multiple of its own size.
    #[error("what is at {at} must be aligned to {alignment} bytes")]
    Misaligned {
        /// Where it is.
        at: usize,
        /// What it must be a multiple of.
        alignment: usize,
    },
    /// A table's field lies outside of the table, or its vtable is no vtable.
    #[error("table at {at} has a field at {field}, which is outside of its {bytes} bytes")]
    OutsideTable {
        /// Where the table is.
        at: usize,
        /// Where in it the field begins.
        field: usize,
        /// How long the table is.
        bytes: usize,
    },
    /// A field that must be there is not.
    #[error("table at {at} lacks its field {slot}")]
    Missing {
        /// Where the table is.
        at: usize,
        /// The number of the field, from 0.
        slot: u16,
    },
    /// A string is not UTF-8.
    #[error("string at {at} is not UTF-8")]
    NotUtf8 {
        /// Where it is.
        at: usize,
    },
    /// A string does not end in a zero byte.
    #[error("string at {at} does not end in a zero byte")]
    Unterminated {
        /// Where it is.
        at: usize,
    },
    /// Objects are shared so often that reading them all would take too long.
    #[error("shared objects make it seem larger than {limit} bytes")]
    Apparent {
        /// The bound.
        limit: usize,
    },
}

/// The bytes of one flatbuffer.
pub(super) struct Flat<'a> {
    bytes: &'a [u8],
    /// Bytes reached so far, shared ones as often as they were reached. `apparent <= APPARENT_BYTES_MAX`.
    apparent: Cell<usize>,
}

impl<'a> Flat<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, apparent: Cell::new(0) }
    }

    /// Opens the table that the buffer is made of.
    pub(super) fn root(&self) -> Result<Table<'_>, FlatFault> {
        self.follow(0).and_then(|at| self.table(at))
    }

    fn bytes_at(&self, at: usize, bytes: usize, alignment: usize) -> Result<&[u8], FlatFault> {
        if !at.is_multiple_of(alignment) {
            return Err(FlatFault::Misaligned { at, alignment });
        }
        let apparent = self.apparent.get().saturating_add(bytes);
        if apparent > APPARENT_BYTES_MAX {
            return Err(FlatFault::Apparent { limit: APPARENT_BYTES_MAX });
        }
        self.apparent.set(apparent);
        let found = at.checked_add(bytes).and_then(|end| self.bytes.get(at..end));
        found.ok_or(FlatFault::OutOfBounds { at, bytes, present: self.bytes.len() })
    }

    fn scalar<const N: usize>(&self, at: usize) -> Result<[u8; N], FlatFault> {
        let found = self.bytes_at(at, N, N)?.first_chunk::<N>();
        found.copied().ok_or(FlatFault::OutOfBounds { at, bytes: N, present: self.bytes.len() })
    }

    fn unsigned(&self, at: usize) -> Result<usize, FlatFault> {
        let value = u32::from_le_bytes(self.scalar(at)?);
        usize::try_from(value).map_err(|_| FlatFault::OutOfBounds {
            at,
            bytes: usize::MAX,
            present: self.bytes.len(),
        })
    }

    /// Returns the position that the offset at `at` refers to.
    fn follow(&self, at: usize) -> Result<usize, FlatFault> {
        let offset = self.unsigned(at)?;
        at.checked_add(offset).ok_or(FlatFault::OutOfBounds { at, bytes: offset, present: self.bytes.len() })
    }

    fn table(&self, at: usize) -> Result<Table<'_>, FlatFault> {
        let outside = FlatFault::OutOfBounds { at, bytes: 4, present: self.bytes.len() };
        let back = i64::from(i32::from_le_bytes(self.scalar(at)?));
        let position = i64::try_from(at).ok().and_then(|at| at.checked_sub(back));
        let vtable = position.and_then(|position| usize::try_from(position).ok()).ok_or(outside)?;
        let vtable_bytes = usize::from(u16::from_le_bytes(self.scalar(vtable)?));
        // A vtable holds its own length and the table's; only then come fields, two bytes each.
        if vtable_bytes < 4 || !vtable_bytes.is_multiple_of(2) {
            return Err(FlatFault::OutsideTable { at: vtable, field: 0, bytes: vtable_bytes });
        }
        let vtable = self.bytes_at(vtable, vtable_bytes, 2)?;
        let table = Table { flat: self, at, bytes: usize::from(entry(vtable, 1)), vtable };
        self.bytes_at(at, table.bytes, 4)?;
        Ok(table)
    }

    /// Returns the elements of the vector at `at`, each `width` bytes.
    fn vector(&self, at: usize, width: usize, alignment: usize) -> Result<(usize, &[u8]), FlatFault> {
        let length = self.unsigned(at)?;
        let start = at.saturating_add(4);
        self.bytes_at(start, length.saturating_mul(width), alignment).map(|elements| (start, elements))
    }
}

/// Returns entry `index` of a vtable, 0 where the vtable is too short to have it.
fn entry(vtable: &[u8], index: usize) -> u16 {
    let (entries, _) = vtable.as_chunks::<2>();
    entries.get(index).map_or(0, |entry| u16::from_le_bytes(*entry))
}

/// A table that lies within its buffer. Its fields are named by slot: their number in the format's definition, from 0.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    flat: &'a Flat<'a>,
    at: usize,
    bytes: usize,
    vtable: &'a [u8],
}

impl<'a> Table<'a> {
    /// Returns where the field is, or `None` where the table does without it.
    fn field(&self, slot: u16, bytes: usize) -> Result<Option<usize>, FlatFault> {
        let field = usize::from(entry(self.vtable, usize::from(slot).saturating_add(2)));
        if field == 0 {
            return Ok(None);
        }
        if field < 4 || field.saturating_add(bytes) > self.bytes {
            return Err(FlatFault::OutsideTable { at: self.at, field, bytes: self.bytes });
        }
        Ok(Some(self.at.saturating_add(field)))
    }

    fn scalar<const N: usize>(&self, slot: u16) -> Result<Option<[u8; N]>, FlatFault> {
        self.field(slot, N)?.map(|at| self.flat.scalar(at)).transpose()
    }

    fn followed(&self, slot: u16) -> Result<Option<usize>, FlatFault> {
        self.field(slot, 4)?.map(|at| self.flat.follow(at)).transpose()
    }

    pub(super) fn has(&self, slot: u16) -> bool {
        entry(self.vtable, usize::from(slot).saturating_add(2)) != 0
    }

    pub(super) fn missing(&self, slot: u16) -> FlatFault {
        FlatFault::Missing { at: self.at, slot }
    }

    pub(super) fn u8(&self, slot: u16) -> Result<u8, FlatFault> {
        Ok(self.scalar(slot)?.map_or(0, u8::from_le_bytes))
    }

    pub(super) fn flag(&self, slot: u16) -> Result<bool, FlatFault> {
        Ok(self.u8(slot)? != 0)
    }

    pub(super) fn i16(&self, slot: u16, default: i16) -> Result<i16, FlatFault> {
        Ok(self.scalar(slot)?.map_or(default, i16::from_le_bytes))
    }

    pub(super) fn i32(&self, slot: u16, default: i32) -> Result<i32, FlatFault> {
        Ok(self.scalar(slot)?.map_or(default, i32::from_le_bytes))
    }

    pub(super) fn i64(&self, slot: u16) -> Result<i64, FlatFault> {
        Ok(self.scalar(slot)?.map_or(0, i64::from_le_bytes))
    }

    pub(super) fn table(&self, slot: u16) -> Result<Option<Table<'a>>, FlatFault> {
        self.followed(slot)?.map(|at| self.flat.table(at)).transpose()
    }

    pub(super) fn text(&self, slot: u16) -> Result<Option<&'a str>, FlatFault> {
        let Some(at) = self.followed(slot)? else { return Ok(None) };
        let (start, bytes) = self.flat.vector(at, 1, 1)?;
        let text = std::str::from_utf8(bytes).map_err(|_| FlatFault::NotUtf8 { at })?;
        match self.flat.bytes.get(start.saturating_add(bytes.len())) {
            Some(0) => Ok(Some(text)),
            _ => Err(FlatFault::Unterminated { at }),
        }
    }

    /// Returns the tables of a vector of tables. They are opened one by one: the vector's length alone costs nothing.
    pub(super) fn tables(&self, slot: u16) -> Result<Option<Tables<'a>>, FlatFault> {
        let Some(at) = self.followed(slot)? else { return Ok(None) };
        let (start, offsets) = self.flat.vector(at, 4, 4)?;
        Ok(Some(Tables { flat: self.flat, start, count: offsets.len() / 4 }))
    }

    /// Returns the elements of a vector of structs of two i64, or of as many i64 as `N` says.
    pub(super) fn longs<const N: usize>(&self, slot: u16) -> Result<Option<&'a [[u8; N]]>, FlatFault> {
        let Some(at) = self.followed(slot)? else { return Ok(None) };
        let (_, elements) = self.flat.vector(at, N, 8)?;
        Ok(Some(elements.as_chunks::<N>().0))
    }
}

/// A vector of tables.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    flat: &'a Flat<'a>,
    start: usize,
    count: usize,
}

impl<'a> Tables<'a> {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Result<Table<'a>, FlatFault>> {
        (0..self.count).map(move |index| {
            // `vector` has checked that all of these positions are in the buffer.
            let at = self.flat.follow(self.start.saturating_add(index.saturating_mul(4)))?;
            self.flat.table(at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table at 16 of 8 bytes, whose vtable at 8 has one field, at 4; then whatever comes behind it.
    fn one_field(value: u32, behind: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(16_u32.to_le_bytes());
        bytes.extend([0; 4]);
        [6_u16, 8, 4, 0].iter().for_each(|entry| bytes.extend(entry.to_le_bytes()));
        bytes.extend(8_i32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
        bytes.extend(behind);
        bytes
    }

    fn spoilt(at: usize, value: u8) -> Vec<u8> {
        let mut bytes = one_field(7, &[]);
        bytes[at] = value;
        bytes
    }

    #[test]
    fn a_field_is_read_where_its_vtable_says_and_has_its_default_elsewhere() {
        let bytes = one_field(7, &[]);
        let flat = Flat::new(&bytes);
        let table = flat.root().unwrap();
        assert_eq!((table.i32(0, 5), table.i32(1, 5), table.i32(900, 5)), (Ok(7), Ok(5), Ok(5)));
    }

    #[test]
    fn positions_that_lead_outside_are_refused_before_they_are_followed() {
        let root = |bytes: Vec<u8>| Flat::new(&bytes).root().err();
        assert_eq!(root(vec![]), Some(FlatFault::OutOfBounds { at: 0, bytes: 4, present: 0 }));
        assert_eq!(root(spoilt(0, 64)), Some(FlatFault::OutOfBounds { at: 64, bytes: 4, present: 24 }));
        assert_eq!(root(spoilt(0, 18)), Some(FlatFault::Misaligned { at: 18, alignment: 4 }));
        assert_eq!(root(spoilt(16, 99)), Some(FlatFault::OutOfBounds { at: 16, bytes: 4, present: 24 }));
        assert_eq!(root(spoilt(8, 200)), Some(FlatFault::OutOfBounds { at: 8, bytes: 200, present: 24 }));
        assert_eq!(root(spoilt(8, 5)), Some(FlatFault::OutsideTable { at: 8, field: 0, bytes: 5 }));
        assert_eq!(root(spoilt(10, 12)), Some(FlatFault::OutOfBounds { at: 16, bytes: 12, present: 24 }));
    }

    #[test]
    fn a_field_that_reaches_out_of_its_table_is_refused() {
        let bytes = spoilt(12, 6);
        let flat = Flat::new(&bytes);
        let table = flat.root().unwrap();
        assert_eq!(table.i32(0, 0), Err(FlatFault::OutsideTable { at: 16, field: 6, bytes: 8 }));
        assert_eq!(table.i64(0), Err(FlatFault::OutsideTable { at: 16, field: 6, bytes: 8 }));
    }

    #[test]
    fn a_string_is_utf8_and_ends_in_a_zero_byte() {
        let text = |behind: &[u8]| {
            let bytes = one_field(4, behind);
            Flat::new(&bytes).root().and_then(|table| Ok(table.text(0)?.map(str::to_owned)))
        };
        assert_eq!(text(&[2, 0, 0, 0, b'h', b'i', 0]), Ok(Some("hi".to_owned())));
        assert_eq!(text(&[2, 0, 0, 0, b'h', b'i']), Err(FlatFault::Unterminated { at: 24 }));
        assert_eq!(text(&[1, 0, 0, 0, 0xff, 0]), Err(FlatFault::NotUtf8 { at: 24 }));
        assert_eq!(
            text(&[9, 0, 0, 0, b'h', 0]),
            Err(FlatFault::OutOfBounds { at: 28, bytes: 9, present: 30 })
        );
    }

    #[test]
    fn what_is_shared_counts_as_often_as_it_is_reached() {
        let bytes = one_field(4, &[[0xff, 0xff, 0, 0].as_slice(), &[b'x'; 0xffff], &[0]].concat());
        let flat = Flat::new(&bytes);
        let table = flat.root().unwrap();
        let reached = (0..1000).take_while(|_| table.text(0).is_ok()).count();
        assert_eq!(reached, 63, "64 KiB fit 63 times into 4 MiB, with their offsets");
    }
}
