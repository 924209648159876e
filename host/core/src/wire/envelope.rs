//! The encapsulated message: marker, metadata length, metadata, body, and nothing behind it.

use super::fault::WireFault;
use super::flat::{Flat, FlatFault, Table};
use super::meaning;

/// Longest metadata of one message.
pub(super) const METADATA_BYTES_MAX: usize = 1 << 20;

const MARKER: u32 = 0xffff_ffff;
const V5: i16 = 4;

/// What a message holds, by its number in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    Schema = 1,
    RecordBatch = 3,
}

impl Header {
    fn name(number: u8) -> &'static str {
        match number {
            0 => "nothing",
            1 => "schema",
            2 => "dictionary batch",
            3 => "record batch",
            4 => "tensor",
            5 => "sparse tensor",
            _ => "header of unknown type",
        }
    }
}

/// Splits a message into its metadata and what follows them.
pub(super) fn split(message: &[u8]) -> Result<(Flat<'_>, &[u8]), WireFault> {
    let short = WireFault::Short { present: message.len() };
    let Some((marker, rest)) = message.split_first_chunk::<4>() else { return Err(short) };
    let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Err(short) };
    let found = u32::from_le_bytes(*marker);
    if found != MARKER {
        return Err(WireFault::Continuation { found });
    }
    let declared = metadata_bytes(i32::from_le_bytes(*length))?;
    let truncated = WireFault::MetadataTruncated { declared, present: rest.len() };
    let (metadata, behind) = rest.split_at_checked(declared).ok_or(truncated)?;
    Ok((Flat::new(metadata), behind))
}

fn metadata_bytes(declared: i32) -> Result<usize, WireFault> {
    let bytes = usize::try_from(declared).ok().filter(|bytes| (8..=METADATA_BYTES_MAX).contains(bytes));
    let bytes = bytes.ok_or(WireFault::MetadataLength { declared, limit: METADATA_BYTES_MAX })?;
    if !bytes.is_multiple_of(8) {
        return Err(WireFault::MetadataUnpadded { declared: bytes });
    }
    Ok(bytes)
}

/// Opens the metadata of a message, which must be of version V5, hold a `wanted`, and have `behind` as its whole body.
pub(super) fn open<'a>(flat: &'a Flat<'_>, behind: &[u8], wanted: Header) -> Result<Table<'a>, WireFault> {
    let message = flat.root()?;
    let found = message.i16(0, 0)?;
    if found != V5 {
        return Err(WireFault::Version { found });
    }
    let kind = message.u8(1)?;
    if kind != wanted as u8 {
        return Err(WireFault::Header { wanted: Header::name(wanted as u8), found: Header::name(kind) });
    }
    check_body(message.i64(3)?, behind.len() as u64)?;
    check_key_values(&message, 4)?;
    Ok(message.table(2)?.ok_or(message.missing(2))?)
}

fn check_body(declared: i64, present: u64) -> Result<(), WireFault> {
    let bytes = u64::try_from(declared).ok().filter(|bytes| bytes.is_multiple_of(8));
    let bytes = bytes.ok_or(WireFault::BodyLength { declared })?;
    if bytes > present {
        return Err(WireFault::BodyTruncated { declared: bytes, present });
    }
    if bytes < present {
        return Err(WireFault::TrailingBytes { bytes: present - bytes });
    }
    Ok(())
}

/// What is of use in the custom metadata of a field.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KeyValues<'a> {
    /// The name of the extension type that they declare.
    pub(super) extension: Option<&'a str>,
    /// What the column holds, for people.
    pub(super) doc: Option<&'a str>,
    /// What the column's texts are meant to be.
    pub(super) meaning: Option<&'a str>,
}

/// Checks that custom metadata are well formed, although hardly anything in them has a meaning here: so that what passes is a
/// valid message to every other reader too.
pub(super) fn check_key_values<'a>(table: &Table<'a>, slot: u16) -> Result<KeyValues<'a>, FlatFault> {
    let mut found = KeyValues::default();
    for pair in table.tables(slot)?.into_iter().flat_map(|pairs| pairs.iter()) {
        let pair = pair?;
        let (key, value) = (pair.text(0)?, pair.text(1)?);
        match key {
            Some("ARROW:extension:name") => found.extension = Some(value.unwrap_or_default()),
            Some("doc") => found.doc = value,
            Some(meaning::KEY) => found.meaning = Some(value.unwrap_or_default()),
            _ => {}
        }
    }
    Ok(found)
}
