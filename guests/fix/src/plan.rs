//! What is settled once for a log: which delimiter to expect, and where it can be cut.

use casparian_sdk::prelude::*;
use memchr::memmem;

use crate::delimiter::{BeginString, Delimiter};

/// So much of a log is looked at to learn what it is.
pub const SAMPLE_BYTES: usize = 64 << 10;
/// Bytes read at a time in search of a cut.
const SEARCH_BYTES: usize = 64 << 10;
/// Search steps share so many bytes, so that no mark is missed between two.
const OVERLAP: usize = 16;
/// A cut where a message has visibly ended is looked for this far; then the end of any line will do.
const FIRM_SEARCH_BYTES: u64 = 1 << 20;

/// What a sample of a log shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Messages by delimiter, in the order of [`Delimiter::ALL`].
    pub messages: [u32; 3],
    /// Lines.
    pub lines: u32,
}

impl Sample {
    /// Looks at the beginning of a log.
    pub fn of(bytes: &[u8]) -> Sample {
        let mut sample =
            Sample { lines: memchr::memchr_iter(b'\n', bytes).count() as u32, ..Sample::default() };
        for begin in memmem::find_iter(bytes, b"8=FIX") {
            if let BeginString::EndsWith(delimiter) = Delimiter::behind_begin_string(&bytes[begin + 2..]) {
                sample.messages[delimiter as usize] += 1;
            }
        }
        sample
    }

    /// Returns the delimiter of most messages.
    pub fn delimiter(&self) -> Delimiter {
        let mut most = Delimiter::Soh;
        for (delimiter, _) in Delimiter::ALL {
            if self.messages[delimiter as usize] > self.messages[most as usize] {
                most = delimiter;
            }
        }
        most
    }

    /// Returns how sure it is that this is a FIX log: 0 to 100.
    pub fn certainty(&self) -> u8 {
        let messages: u32 = self.messages.iter().sum();
        match messages {
            0 => 0,
            _ if messages >= self.lines / 2 => 95,
            _ if messages >= self.lines / 10 => 70,
            _ => 30,
        }
    }
}

/// Returns where to cut a log into ranges of about `target_bytes`.
pub fn cuts(input: &Input<'_>, delimiter: Delimiter, target_bytes: u64) -> Vec<u64> {
    let mut cuts = Vec::new();
    let mut at = target_bytes;
    while target_bytes > 0 && at < input.len() {
        let Some(cut) = boundary(input, delimiter, at - 1, true) else { break };
        cuts.push(cut);
        at = cut.saturating_add(target_bytes);
    }
    cuts
}

/// Returns the first place past `after` where a record begins, or the end of the input; `None` where `after` is there already.
/// A `firm` one has a complete message before it, if there is such a place within reach: a line feed may stand inside raw data.
pub fn boundary(input: &Input<'_>, delimiter: Delimiter, after: u64, firm: bool) -> Option<u64> {
    if after >= input.len() {
        return None;
    }
    let near = after.saturating_add(if firm { FIRM_SEARCH_BYTES } else { 0 });
    search(input, after, near, |bytes, place| begins_record(bytes, place, delimiter, true))
        .or_else(|| {
            search(input, after, input.len(), |bytes, place| begins_record(bytes, place, delimiter, false))
        })
        .or(Some(input.len()))
}

fn search(
    input: &Input<'_>,
    after: u64,
    until: u64,
    is_boundary: impl Fn(&[u8], usize) -> bool,
) -> Option<u64> {
    // The bytes before `after` tell whether a boundary right behind it is one.
    let mut at = (after + 1).saturating_sub(OVERLAP as u64);
    while at < until.min(input.len()) {
        let bytes = input.bytes(at, SEARCH_BYTES + 2 * OVERLAP);
        let last = at + bytes.len() as u64 >= input.len();
        let from = usize::try_from((after + 1).saturating_sub(at))
            .unwrap_or(usize::MAX)
            .max(OVERLAP.min(bytes.len()));
        let from = if at == 0 { usize::try_from(after + 1).unwrap_or(usize::MAX) } else { from };
        let to = if last { bytes.len() } else { bytes.len() - OVERLAP };
        if let Some(found) = (from..to).find(|place| is_boundary(&bytes, *place)) {
            return Some(at + found as u64);
        }
        at += SEARCH_BYTES as u64;
    }
    None
}

/// Whether a record begins at `place`: behind a line feed, or with a message right behind another.
fn begins_record(bytes: &[u8], place: usize, delimiter: Delimiter, firm: bool) -> bool {
    let before = &bytes[..place];
    if before.ends_with(b"\n") {
        return !firm || ends_message(before, delimiter);
    }
    before.ends_with(delimiter.shown())
        && bytes[place..].starts_with(b"8=FIX")
        && ends_message(before, delimiter)
}

/// Whether `10=nnn` stands at the end, whatever closes it and the line.
fn ends_message(before: &[u8], delimiter: Delimiter) -> bool {
    let mut rest = before;
    while let Some((b'\n' | b'\r' | b' ' | b'"' | b']', shorter)) = rest.split_last() {
        rest = shorter;
    }
    match rest.strip_suffix(delimiter.shown()).unwrap_or(rest) {
        [.., b'1', b'0', b'=', a, b, c] => [a, b, c].iter().all(|digit| digit.is_ascii_digit()),
        _ => false,
    }
}
