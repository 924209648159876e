//! Where one record ends and the next begins.
//!
//! A record is a message with the words before it and the rest of its line, so that neighbours touch; in a stream without
//! lines it is the message alone. What is no message goes by lines. The rules look at bytes only, never at how many of them
//! happen to be at hand: a reader that is given more bytes later comes to the same records.

use memchr::{memchr, memmem};

use crate::delimiter::{BeginString, Delimiter};
use crate::framing::{Shape, View, shape};
use crate::message::{Message, Reading};

/// What begins at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// More bytes are needed to tell.
    Incomplete,
    /// Blank lines up to here.
    Blank(usize),
    /// A line without a message, up to here.
    NonFix(usize),
    /// A message that is cut off, up to here.
    Truncated(usize),
    /// A message, which [`Reader::message`] holds, up to here.
    Message(usize),
    /// A record longer than the limit.
    Oversized,
}

/// Reads record after record. Kept for its memory.
#[derive(Debug)]
pub struct Reader {
    /// The message last read.
    pub message: Message,
    lines: LineEnds,
    record_bytes_max: usize,
}

impl Reader {
    /// Makes a reader of records of at most so many bytes.
    pub fn new(record_bytes_max: usize) -> Reader {
        Reader { message: Message::default(), lines: LineEnds::default(), record_bytes_max }
    }

    /// Says that the bytes given next are others, or stand elsewhere.
    pub fn forget(&mut self) {
        self.lines = LineEnds::default();
    }

    /// Reads the record that begins at `at`. `last` says that nothing follows `bytes`.
    pub fn next(&mut self, bytes: &[u8], at: usize, last: bool) -> Record {
        let capped = bytes.len() - at > self.record_bytes_max;
        let bytes = if capped { &bytes[..at + self.record_bytes_max] } else { bytes };
        let record = self.read(View { bytes, last: last || capped }, at);
        match record {
            // What was taken for the end of the bytes is only where we stopped looking.
            Record::NonFix(end) | Record::Truncated(end) | Record::Message(end)
                if capped && end == bytes.len() =>
            {
                Record::Oversized
            }
            other => other,
        }
    }

    fn read(&mut self, view: View<'_>, at: usize) -> Record {
        if let Some(record) = blank(view, at) {
            return record;
        }
        let mut from = at;
        while let Some(begin) = self.find_begin(view.bytes, at, from) {
            // `108=FIX` is a field; `…30:008=FIX.4.4|9=` is a message behind one that was cut off.
            if begin > at && view.bytes[begin - 1].is_ascii_alphanumeric() {
                match shape(view, begin) {
                    Shape::Message => {}
                    Shape::Incomplete => return Record::Incomplete,
                    Shape::Other => {
                        from = begin + 1;
                        continue;
                    }
                }
            }
            let start = match before_begin(view.bytes, at, begin) {
                Before::Prefix => begin,
                Before::Fields => at,
                Before::Fragment(end) => return Record::NonFix(end),
            };
            let lines = &mut self.lines;
            match self.message.read(view, start, begin, || lines.end(view.bytes, at)) {
                Reading::Incomplete => return Record::Incomplete,
                Reading::Complete => {
                    return tail(view, self.message.end).map_or(Record::Incomplete, Record::Message);
                }
                Reading::Truncated(end) => {
                    return tail(view, end).map_or(Record::Incomplete, Record::Truncated);
                }
                Reading::None => from = begin + 1,
            }
        }
        match self.lines.feed(view.bytes, at) {
            Some(feed) => Record::NonFix(feed + 1),
            None if view.last => Record::NonFix(view.bytes.len()),
            None => Record::Incomplete,
        }
    }

    /// The next `8=FIX` of the line.
    fn find_begin(&mut self, bytes: &[u8], at: usize, from: usize) -> Option<usize> {
        if from == at && bytes[at..].starts_with(b"8=FIX") {
            return Some(at);
        }
        let bound = self.lines.feed(bytes, at).unwrap_or(bytes.len());
        memmem::find(bytes.get(from..bound)?, b"8=FIX").map(|begin| from + begin)
    }
}

/// Blank lines, if any begin here. Blanks before other words are part of a prefix.
fn blank(view: View<'_>, at: usize) -> Option<Record> {
    let rest = &view.bytes[at..];
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    if blanks == 0 {
        return None;
    }
    match memchr::memrchr(b'\n', &rest[..blanks]) {
        _ if blanks == rest.len() && view.last => Some(Record::Blank(view.bytes.len())),
        Some(feed) => Some(Record::Blank(at + feed + 1)),
        None if blanks == rest.len() => Some(Record::Incomplete),
        None => None,
    }
}

/// What stands between the begin of a record and `8=FIX`.
enum Before {
    /// Words of the log.
    Prefix,
    /// The message's own first fields, out of order.
    Fields,
    /// The end of a message that has lost its beginning, up to here.
    Fragment(usize),
}

fn before_begin(bytes: &[u8], at: usize, begin: usize) -> Before {
    let before = &bytes[at..begin];
    let BeginString::EndsWith(delimiter) = Delimiter::behind_begin_string(&bytes[begin + 2..]) else {
        return Before::Prefix;
    };
    let (mut rest, mut chunks, mut fields, mut first3) = (before, 0, 0, 0);
    while let Some(end) = delimiter.find(rest) {
        let chunk = &rest[..end];
        chunks += 1;
        // Words before a message hold `name=value` now and then, but no SOH.
        fields += u32::from(is_field(chunk) || (delimiter == Delimiter::Soh && chunk.contains(&b'=')));
        first3 += u32::from(chunk.starts_with(b"9=") || chunk.starts_with(b"35="));
        rest = &rest[end + delimiter.width()..];
    }
    let runs_on = is_field(rest) || rest.last().is_some_and(u8::is_ascii_alphanumeric);
    match fields {
        0 if !is_field(rest) => Before::Prefix,
        1 | 2 if first3 == chunks && rest.is_empty() => Before::Fields,
        _ if runs_on => Before::Fragment(begin),
        _ => Before::Fragment(begin - rest.len()),
    }
}

/// Returns whether these bytes begin like a field: digits, then an equals sign.
pub fn is_field(chunk: &[u8]) -> bool {
    let digits = chunk.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && chunk.get(digits) == Some(&b'=')
}

/// Marks that close what a logger opened around a message.
const CLOSERS: &[u8] = b" \t\r\"'])}>;,.";
/// So many of them at most.
const CLOSERS_MAX: usize = 16;

/// The end of the record whose message ends at `end`: behind its line if nothing but closing marks follows, else right here.
/// `None` where that cannot be told yet.
fn tail(view: View<'_>, end: usize) -> Option<usize> {
    let rest = &view.bytes[end..];
    let closers = rest.iter().take(CLOSERS_MAX).take_while(|byte| CLOSERS.contains(byte)).count();
    match rest.get(closers) {
        Some(b'\n') => Some(end + closers + 1),
        Some(_) => Some(end),
        None if view.last => Some(view.bytes.len()),
        None => None,
    }
}

/// The next line feed, remembered: a stream without lines is searched once, not once a message.
#[derive(Debug, Default)]
struct LineEnds {
    from: usize,
    /// No line feed from `from` to here.
    clear_to: usize,
}

impl LineEnds {
    fn feed(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        if at < self.from || at > self.clear_to {
            *self = LineEnds { from: at, clear_to: at };
        }
        if self.clear_to >= bytes.len() {
            return None;
        }
        let found = memchr(b'\n', &bytes[self.clear_to..]).map(|feed| self.clear_to + feed);
        self.clear_to = found.unwrap_or(bytes.len());
        found
    }

    /// The end of the line's words: before the line feed and the carriage return before that.
    fn end(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let feed = self.feed(bytes, at)?;
        Some(if feed > at && bytes[feed - 1] == b'\r' { feed - 1 } else { feed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: &str = "8=FIX.4.2|9=5|35=0|10=161|";

    fn records(log: &str) -> Vec<Record> {
        let mut reader = Reader::new(1 << 20);
        let (mut at, mut records) = (0, Vec::new());
        while at < log.len() {
            let record = reader.next(log.as_bytes(), at, true);
            at = match record {
                Record::Blank(end) | Record::NonFix(end) | Record::Truncated(end) | Record::Message(end) => {
                    end
                }
                other => panic!("{other:?} at {at}"),
            };
            records.push(record);
        }
        records
    }

    #[test]
    fn a_record_is_its_line_from_prefix_to_terminator() {
        let line = format!("2025-03-14 13:30:02 OUT {BEAT}\r\n");
        assert_eq!(records(&line), [Record::Message(line.len())]);
        assert_eq!(records(&format!("[{BEAT}]\n")), [Record::Message(29)]);
    }

    #[test]
    fn messages_on_one_line_are_records_of_their_own() {
        assert_eq!(records(&BEAT.repeat(3)), [Record::Message(26), Record::Message(52), Record::Message(78)]);
    }

    #[test]
    fn what_follows_a_message_on_its_line_is_a_record_of_its_own() {
        assert_eq!(records(&format!("{BEAT} and more\n")), [Record::Message(26), Record::NonFix(36)]);
        assert_eq!(records(&format!("{BEAT}58=late|\n")), [Record::Message(26), Record::NonFix(35)]);
    }

    #[test]
    fn blank_lines_are_one_skip_and_blanks_before_words_are_not() {
        assert_eq!(records(" \n\r\n\t\n  text\n"), [Record::Blank(6), Record::NonFix(13)]);
        assert_eq!(records("\n\n"), [Record::Blank(2)]);
    }

    #[test]
    fn a_message_without_its_beginning_is_no_prefix_of_the_next() {
        let fragment = "34=7|52=20250314-13:30:02|10=123|";
        assert_eq!(records(&format!("{fragment}{BEAT}")), [Record::NonFix(33), Record::Message(59)]);
    }

    #[test]
    fn prose_about_messages_is_no_message() {
        assert_eq!(records("expected 8=FIX header, found none\n"), [Record::NonFix(34)]);
        assert_eq!(records("8=FIX.4.\n"), [Record::Truncated(9)]);
    }
}
