//! Everything that can be wrong with a message: one variant for each check, with its numbers.

use std::fmt;

use thiserror::Error;

use super::flat::FlatFault;
use crate::fault::{Blame, Blamed};
use crate::guest_text::GuestText;
use crate::limits::LimitExceeded;

/// Why a message was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(
    missing_docs,
    reason = "each variant's message is its documentation, and its fields are named in it"
)]
pub enum WireFault {
    // The envelope.
    #[error("message of {present} bytes is shorter than its prefix of 8")]
    Short { present: usize },
    #[error("message begins with {found:#010x}, not with the continuation marker 0xffffffff")]
    Continuation { found: u32 },
    #[error("metadata length is {declared}, it must be from 8 to {limit}")]
    MetadataLength { declared: i32, limit: usize },
    #[error("metadata length {declared} is not a multiple of 8")]
    MetadataUnpadded { declared: usize },
    #[error("metadata length is {declared}, but only {present} bytes follow")]
    MetadataTruncated { declared: usize, present: usize },
    #[error("metadata is malformed: {0}")]
    Metadata(#[from] FlatFault),
    #[error("metadata version is V{}, it must be V5", found.saturating_add(1))]
    Version { found: i16 },
    #[error("message holds a {found}, not a {wanted}")]
    Header { wanted: &'static str, found: &'static str },
    #[error("body length {declared} is negative or not a multiple of 8")]
    BodyLength { declared: i64 },
    #[error("body length is {declared}, but only {present} bytes follow the metadata")]
    BodyTruncated { declared: u64, present: u64 },
    #[error("message goes on for {bytes} bytes behind its body")]
    TrailingBytes { bytes: u64 },

    // The schema.
    #[error("schema is not little endian")]
    Endianness,
    #[error("schema has no column besides the reserved ones")]
    NoColumns,
    #[error("field {field} is of type {kind}, which is not allowed")]
    TypeDenied { field: FieldNo, kind: &'static str },
    #[error("field {field} is of type {kind} with {parameter} {value}, which is not allowed")]
    TypeParameter { field: FieldNo, kind: &'static str, parameter: &'static str, value: i64 },
    #[error("field {field} is of extension type {name}; extension types are not allowed")]
    Extension { field: FieldNo, name: GuestText },
    #[error(
        "field {field} is meant to be {format:?}; that is for columns of text, and for types with a text"
    )]
    Meaning { field: FieldNo, format: GuestText },
    #[error("field {field} has the time zone {zone:?}; it must be 1 to 64 letters, digits or `+-:/_`")]
    TimeZone { field: FieldNo, zone: GuestText },
    #[error("field {field} is of type {kind} and has {found} children, which is not allowed")]
    Children { field: FieldNo, kind: &'static str, found: usize },
    #[error("field {field} is {depth} types deep, the limit is {limit}")]
    TooDeep { field: FieldNo, depth: usize, limit: usize },
    #[error("schema has more than {limit} fields, children counted")]
    TooManyFields { limit: usize },
    #[error("name of field {field} has {bytes} bytes, it must have 1 to {limit}")]
    NameLength { field: FieldNo, bytes: usize, limit: usize },
    #[error("name of field {field} is {name:?}, which is not printable text")]
    NameUnprintable { field: FieldNo, name: GuestText },
    #[error("name of field {field} is {name:?}, which an earlier one has too (case is ignored)")]
    NameRepeated { field: FieldNo, name: GuestText },
    #[error("field {field} is called {name:?}; the prefix `_cf_` is reserved")]
    NameReserved { field: FieldNo, name: GuestText },
    #[error("column `{name}` must be {wanted}")]
    ReservedType { name: &'static str, wanted: &'static str },
    #[error("column `{present}` needs `{absent}` beside it")]
    HalfSpan { present: &'static str, absent: &'static str },

    // The batch.
    #[error("batch is compressed, which is not allowed")]
    Compressed,
    #[error("batch has {found} variadic buffer counts, none of its types needs one")]
    Variadic { found: usize },
    #[error("batch declares {declared} rows")]
    RowCount { declared: i64 },
    #[error("batch has {found} field nodes, its schema needs {wanted}")]
    NodeCount { wanted: usize, found: usize },
    #[error("batch has {found} buffers, its schema needs {wanted}")]
    BufferCount { wanted: usize, found: usize },
    #[error("column {column:?}: an array of {found} values where {wanted} are due")]
    NodeLength { column: GuestText, wanted: u64, found: i64 },
    #[error("column {column:?}: null count {declared} for {length} values")]
    NullCount { column: GuestText, declared: i64, length: u64 },
    #[error("column {column:?}: null count {declared}, but the validity bitmap has {found} nulls")]
    NullCountLie { column: GuestText, declared: u64, found: u64 },
    #[error("column {column:?} has {found} nulls and may have none")]
    ReservedNull { column: GuestText, found: u64 },
    #[error("column {column:?}: buffer at {offset} of {bytes} bytes is outside of the body of {body}")]
    BufferBounds { column: GuestText, offset: i64, bytes: i64, body: u64 },
    #[error("column {column:?}: buffer at {offset} is not aligned to 8 bytes")]
    BufferMisaligned { column: GuestText, offset: u64 },
    #[error("column {column:?}: buffer at {offset} begins before the end of the one before it, {end}")]
    BufferOrder { column: GuestText, offset: u64, end: u64 },
    #[error(
        "column {column:?}: {bytes} bytes of the body before {offset} are in no buffer, padding has at most {limit}"
    )]
    BufferGap { column: GuestText, offset: u64, bytes: u64, limit: u64 },
    #[error("column {column:?}: {what} buffer has {found} bytes, it needs {wanted}")]
    BufferShort { column: GuestText, what: &'static str, wanted: u64, found: u64 },
    #[error("column {column:?}: {what} buffer has {found} bytes for {wanted}, padding has at most {limit}")]
    BufferSlack { column: GuestText, what: &'static str, wanted: u64, found: u64, limit: u64 },
    #[error("column {column:?}: offset buffer has {found} bytes, which is not a multiple of {width}")]
    BufferPartial { column: GuestText, width: usize, found: u64 },
    #[error("body has {bytes} bytes behind its last buffer, padding has at most {limit}")]
    BodySlack { bytes: u64, limit: u64 },
    #[error("column {column:?}: the first offset is {first}")]
    OffsetNegative { column: GuestText, first: i64 },
    #[error("column {column:?}: offsets fall from {from} to {to} at value {value}")]
    OffsetOrder { column: GuestText, value: usize, from: i64, to: i64 },
    #[error("column {column:?}: the last offset is {last}, but there are {present} bytes")]
    OffsetBeyond { column: GuestText, last: u64, present: u64 },
    #[error("column {column:?}: value {value} is not UTF-8")]
    NotUtf8 { column: GuestText, value: usize },

    /// A bound of the run was reached.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The guard let a batch pass that arrow then refused. Our bug.
    #[error("the wire guard accepted a batch that cannot be built: {0}")]
    Reader(GuestText),
}

/// The number of a field in its schema, counted from 0 depth first: parents before their children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldNo(pub usize);

impl fmt::Display for FieldNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Blamed for WireFault {
    fn blame(&self) -> Blame {
        match self {
            WireFault::Reader(_) => Blame::Host,
            _ => Blame::Guest,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            WireFault::Short { .. } => "message-short",
            WireFault::Continuation { .. } => "continuation-missing",
            WireFault::MetadataLength { .. } => "metadata-length",
            WireFault::MetadataUnpadded { .. } => "metadata-unpadded",
            WireFault::MetadataTruncated { .. } => "metadata-truncated",
            WireFault::Metadata(_) => "metadata-malformed",
            WireFault::Version { .. } => "metadata-version",
            WireFault::Header { .. } => "wrong-header",
            WireFault::BodyLength { .. } => "body-length",
            WireFault::BodyTruncated { .. } => "body-truncated",
            WireFault::TrailingBytes { .. } => "trailing-bytes",
            WireFault::Endianness => "endianness",
            WireFault::NoColumns => "no-columns",
            WireFault::TypeDenied { .. } => "type-denied",
            WireFault::TypeParameter { .. } => "type-parameter",
            WireFault::Extension { .. } => "extension-denied",
            WireFault::Meaning { .. } => "type-meant",
            WireFault::TimeZone { .. } => "time-zone",
            WireFault::Children { .. } => "child-count",
            WireFault::TooDeep { .. } => "type-too-deep",
            WireFault::TooManyFields { .. } => "too-many-fields",
            WireFault::NameLength { .. } => "name-length",
            WireFault::NameUnprintable { .. } => "name-unprintable",
            WireFault::NameRepeated { .. } => "name-repeated",
            WireFault::NameReserved { .. } => "name-reserved",
            WireFault::ReservedType { .. } => "reserved-type",
            WireFault::HalfSpan { .. } => "half-span",
            WireFault::Compressed => "compression-denied",
            WireFault::Variadic { .. } => "variadic-counts",
            WireFault::RowCount { .. } => "row-count",
            WireFault::NodeCount { .. } => "node-count",
            WireFault::BufferCount { .. } => "buffer-count",
            WireFault::NodeLength { .. } => "array-length",
            WireFault::NullCount { .. } => "null-count",
            WireFault::NullCountLie { .. } => "null-count-lie",
            WireFault::ReservedNull { .. } => "reserved-null",
            WireFault::BufferBounds { .. } => "buffer-bounds",
            WireFault::BufferMisaligned { .. } => "buffer-misaligned",
            WireFault::BufferOrder { .. } => "buffer-order",
            WireFault::BufferGap { .. } => "buffer-gap",
            WireFault::BufferShort { .. } => "buffer-short",
            WireFault::BufferSlack { .. } => "buffer-slack",
            WireFault::BufferPartial { .. } => "buffer-partial",
            WireFault::BodySlack { .. } => "body-slack",
            WireFault::OffsetNegative { .. } => "offset-negative",
            WireFault::OffsetOrder { .. } => "offset-order",
            WireFault::OffsetBeyond { .. } => "offset-beyond",
            WireFault::NotUtf8 { .. } => "not-utf8",
            WireFault::Limit(limit) => limit.code(),
            WireFault::Reader(_) => "batch-reader",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            WireFault::Limit(limit) => limit.hint(),
            WireFault::Reader(_) => {
                Some("this is a bug of the host: please report it with the message".to_owned())
            }
            _ => None,
        }
    }
}
