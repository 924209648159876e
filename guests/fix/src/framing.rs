//! What the bytes at a place say about being a message: its header, and the end that its length names.

use casparian_sdk::scan::parse_u64;

use crate::delimiter::{BeginString, Delimiter};
use crate::fields::plain_field;

/// The bytes at hand.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The bytes, from somewhere before the record on.
    pub bytes: &'a [u8],
    /// Whether nothing follows them that may be looked at.
    pub last: bool,
}

/// What the bytes at a place look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The first two fields of a message: `8=FIX…`, `9=…`, both closed by the same delimiter.
    Message,
    /// Too few bytes to tell.
    Incomplete,
    /// Something else.
    Other,
}

/// Returns what the bytes at `at` look like.
pub fn shape(view: View<'_>, at: usize) -> Shape {
    shape_and_delimiter(view, at).0
}

fn shape_and_delimiter(view: View<'_>, at: usize) -> (Shape, Option<Delimiter>) {
    let rest = &view.bytes[at..];
    if rest.len() < 40 && !view.last {
        return (Shape::Incomplete, None);
    }
    match Delimiter::behind_begin_string(&rest[2.min(rest.len())..]) {
        BeginString::EndsWith(found) if header(view.bytes, at, found).is_some() => {
            (Shape::Message, Some(found))
        }
        _ => (Shape::Other, None),
    }
}

/// Returns what the bytes at `at` look like to a message with this delimiter.
pub fn message_shape(view: View<'_>, at: usize, delimiter: Delimiter) -> Shape {
    match shape_and_delimiter(view, at) {
        (Shape::Message, found) if found != Some(delimiter) => Shape::Other,
        (shape, _) => shape,
    }
}

/// Where BodyLength(9) says that a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `10=nnn` stands there.
    Ends {
        /// Where CheckSum(10) begins.
        checksum: usize,
        /// Where the message ends, its last delimiter included.
        end: usize,
    },
    /// Too few bytes to tell.
    Incomplete,
    /// It names no such place.
    Unknown,
}

/// Returns the end of the message at `begin` as BodyLength(9) names it, if `10=` and its digits stand there. Where a
/// delimiter takes two bytes the length says nothing about places.
pub fn frame_by_length(view: View<'_>, begin: usize, delimiter: Delimiter) -> Framing {
    if delimiter == Delimiter::Caret {
        return Framing::Unknown;
    }
    let Some(header) = header(view.bytes, begin, delimiter) else {
        return if !view.last && begin + 48 > view.bytes.len() {
            Framing::Incomplete
        } else {
            Framing::Unknown
        };
    };
    let Some(checksum) = header.body.checked_add(header.body_length) else { return Framing::Unknown };
    let Some(rest) = view.bytes.get(checksum..).filter(|rest| rest.len() >= 7 || view.last) else {
        return if view.last { Framing::Unknown } else { Framing::Incomplete };
    };
    if !rest.starts_with(b"10=") || !view.bytes[..checksum].ends_with(delimiter.shown()) {
        return Framing::Unknown;
    }
    let digits = rest[3..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let end = checksum + 3 + digits;
    match rest.get(3 + digits) {
        _ if digits != 3 => Framing::Unknown,
        Some(_) if delimiter.stands_at(view.bytes, end) => {
            Framing::Ends { checksum, end: end + delimiter.width() }
        }
        None | Some(b'\r' | b'\n') => Framing::Ends { checksum, end },
        Some(_) => Framing::Unknown,
    }
}

/// What the first two fields say.
#[derive(Clone, Copy, Debug)]
struct Header {
    /// Where the body begins.
    body: usize,
    body_length: usize,
}

/// The header at `begin`, if it is `8=…`, `9=digits`, each closed.
fn header(bytes: &[u8], begin: usize, delimiter: Delimiter) -> Option<Header> {
    let first = plain_field(bytes, begin, delimiter);
    let second_at = first.end + delimiter.width();
    if !bytes.get(second_at..)?.starts_with(b"9=") {
        return None;
    }
    let window = &bytes[..bytes.len().min(second_at + 16)];
    let second = plain_field(window, second_at, delimiter);
    let body = second.end + delimiter.width();
    let body_length = usize::try_from(parse_u64(&bytes[second.value..second.end])?).ok()?;
    (delimiter.stands_at(bytes, second.end)).then_some(Header { body, body_length })
}
