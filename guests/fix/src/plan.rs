//! What is settled once for a log: which delimiter to expect, and where it can be cut.

use std::ops::Range;

use casparian_sdk::prelude::*;
use memchr::memmem;

use crate::delimiter::{BeginString, Delimiter};
use crate::dictionary::Version;

/// So much of a log is looked at to learn what it is.
pub const SAMPLE_BYTES: usize = 64 << 10;
/// Bytes read at a time in search of a cut.
const SEARCH_BYTES: u64 = 64 << 10;
/// So many bytes before and behind a place tell whether a record begins there.
const OVERLAP: u64 = 16;
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

/// Returns the version that a logon in a sample gives to messages that do not name theirs: DefaultApplVerID(1137).
pub fn default_version(bytes: &[u8]) -> Option<Version> {
    let found = memmem::find_iter(bytes, b"1137=").find(|at| {
        Delimiter::ALL.into_iter().any(|(delimiter, _)| bytes[..*at].ends_with(delimiter.shown()))
    })?;
    Version::of_appl_ver_id(bytes.get(found + 5..found + 6)?)
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
    let (begin, end) = (after + 1, input.len());
    if firm {
        let near = begin.saturating_add(FIRM_SEARCH_BYTES);
        let found =
            search(input, begin..near.min(end), |bytes, place| begins_record(bytes, place, delimiter, true));
        // Where the input ends within reach, its end is the firm one.
        if found.is_some() || near >= end {
            return found.or(Some(end));
        }
    }
    search(input, begin..end, |bytes, place| begins_record(bytes, place, delimiter, false)).or(Some(end))
}

/// The first of `places` that is a boundary, seen with some bytes before and behind it.
fn search(input: &Input<'_>, places: Range<u64>, is_boundary: impl Fn(&[u8], usize) -> bool) -> Option<u64> {
    let mut next = places.start;
    while next < places.end {
        let start = next.saturating_sub(OVERLAP);
        let until = places.end.min(next + SEARCH_BYTES);
        let length = usize::try_from(until + OVERLAP - start).ok()?;
        let bytes = input.bytes(start, length);
        let place = |offset: u64| usize::try_from(offset - start).unwrap_or(bytes.len()).min(bytes.len());
        if let Some(found) = (place(next)..place(until)).find(|place| is_boundary(&bytes, *place)) {
            return Some(start + found as u64);
        }
        next = until;
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

#[cfg(test)]
mod tests {
    use casparian_sdk::harness::Memory;

    use super::*;

    fn cuts_of(log: &[u8], target_bytes: u64) -> Vec<u64> {
        let memory = Memory::new("log", log).with_read_seed(1);
        cuts(&Input::new(&memory), Delimiter::Soh, target_bytes)
    }

    #[test]
    fn a_log_is_cut_behind_a_message_and_not_inside_raw_data() {
        let raw = b"8=FIX.4.4\x019=36\x0135=n\x0195=17\x0196=one\ntwo\nthree\nfo\x0110=000\x01\n";
        let log = raw.repeat(20);
        for target_bytes in 1..200 {
            let cuts = cuts_of(&log, target_bytes);
            assert!(!cuts.is_empty());
            assert!(cuts.iter().all(|cut| cut % raw.len() as u64 == 0), "{target_bytes}: {cuts:?}");
        }
    }

    #[test]
    fn a_stream_is_cut_between_messages() {
        let message = b"8=FIX.4.2\x019=5\x0135=0\x0110=161\x01";
        let log = message.repeat(10_000);
        let cuts = cuts_of(&log, 100_000);
        assert_eq!(cuts.len(), 2);
        assert!(cuts.iter().all(|cut| cut % message.len() as u64 == 0));
    }

    #[test]
    fn a_log_without_messages_is_cut_by_lines() {
        let log = b"nothing here\n".repeat(200_000);
        assert!(cuts_of(&log, 1_000_000).iter().all(|cut| cut % 13 == 0));
    }

    #[test]
    fn a_log_knows_itself_by_its_messages() {
        let lines = |line: &str| Sample::of(line.repeat(50).as_bytes());
        assert_eq!(lines("8=FIX.4.2|9=5|35=0|10=161|\n").certainty(), 95);
        assert_eq!(lines("8=FIX.4.2|9=5|35=0|10=161|\n").delimiter(), Delimiter::Pipe);
        assert_eq!(lines("8=FIX.4.2^A9=5^A35=0^A10=161^A\n").delimiter(), Delimiter::Caret);
        assert_eq!(lines("a,b,c\n").certainty(), 0);
    }
}
