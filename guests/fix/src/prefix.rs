//! What a log writes before a message: a time stamp and a direction, among other words.

use std::ops::Range;

use crate::time::{LogTime, log_time};

/// Which way a message went, seen from who wrote the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Received.
    In,
    /// Sent.
    Out,
}

impl Direction {
    /// Returns `in` or `out`.
    pub fn text(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }
}

/// What is known from the words before a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    /// The log's own clock, as nanoseconds since 1970 without a zone.
    pub time: Option<i64>,
    /// Where the zone stands in the bytes given, if one is written.
    pub zone: Option<Range<usize>>,
    /// The direction, unless nothing or both are said.
    pub direction: Option<Direction>,
}

/// A prefix is read this far; the words that matter come first.
const PREFIX_BYTES_MAX: usize = 512;

impl Prefix {
    /// Reads the words before a message.
    pub fn read(bytes: &[u8]) -> Prefix {
        let bytes = &bytes[..bytes.len().min(PREFIX_BYTES_MAX)];
        let time = find_time(bytes);
        let behind_time = time.as_ref().map_or(0, |time| time.end);
        let direction = spoken_direction(&bytes[behind_time..]).or_else(|| drawn_direction(&bytes[behind_time..]));
        match time {
            Some(time) => Prefix { time: Some(time.nanos), zone: time.zone, direction },
            None => Prefix { direction, ..Prefix::default() },
        }
    }
}

fn find_time(bytes: &[u8]) -> Option<LogTime> {
    let mut in_word = false;
    for (at, byte) in bytes.iter().enumerate() {
        if !in_word && byte.is_ascii_digit() {
            if let Some(time) = log_time(bytes, at) {
                return Some(time);
            }
        }
        in_word = byte.is_ascii_alphanumeric();
    }
    None
}

/// `OUT`, `recv`, `quickfixj.msg.outgoing`: words, which outweigh arrows (`FIX.4.4:A->B` names a session, not a way).
fn spoken_direction(bytes: &[u8]) -> Option<Direction> {
    agreed(bytes.split(|byte| !byte.is_ascii_alphanumeric()).filter_map(word))
}

fn word(word: &[u8]) -> Option<Direction> {
    const IN: [&[u8]; 7] = [b"in", b"recv", b"rcvd", b"received", b"incoming", b"inbound", b"rx"];
    const OUT: [&[u8]; 7] = [b"out", b"sent", b"send", b"sending", b"outgoing", b"outbound", b"tx"];
    let is = |known: &&[u8]| word.eq_ignore_ascii_case(known);
    if !(2..=8).contains(&word.len()) {
        None
    } else if IN.iter().any(is) {
        Some(Direction::In)
    } else if OUT.iter().any(is) {
        Some(Direction::Out)
    } else {
        None
    }
}

/// `->`, `<<`: arrows that stand alone.
fn drawn_direction(bytes: &[u8]) -> Option<Direction> {
    agreed(bytes.split(|byte| matches!(byte, b' ' | b'\t' | b'[' | b']' | b'(' | b')' | b':')).filter_map(|word| match word {
        b"->" | b"-->" | b"=>" | b"==>" | b">>" | b">>>" => Some(Direction::Out),
        b"<-" | b"<--" | b"<=" | b"<==" | b"<<" | b"<<<" => Some(Direction::In),
        _ => None,
    }))
}

/// One direction, however often it is said; none where both are.
fn agreed(mut said: impl Iterator<Item = Direction>) -> Option<Direction> {
    let first = said.next()?;
    said.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_is_heard_in_many_words() {
        use Direction::{In, Out};
        let cases: [(&str, Option<Direction>); 15] = [
            ("2025-03-14 13:30:02.480 IN  ", Some(In)),
            ("2025-03-14 13:30:04.245 OUT ", Some(Out)),
            ("2025-03-14T13:30:02.170091Z session=7 sent len=99 msg=", Some(Out)),
            ("2025-03-14T13:30:02.170091Z session=7 recv len=99 msg=", Some(In)),
            ("2025-03-14 13:30:01,325 [QFJ] INFO quickfixj.msg.outgoing - FIX.x:A->B: ", Some(Out)),
            ("2025-03-14 13:30:02,349 [QFJ] INFO quickfixj.msg.incoming - FIX.x:A->B: ", Some(In)),
            ("Received: ", Some(In)),
            ("[inbound] ", Some(In)),
            (">> ", Some(Out)),
            ("12 <- ", Some(In)),
            ("20250314-13:30:03.518 : ", None),
            ("A->B ", None),
            ("in out ", None),
            ("inner outer ", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Prefix::read(text.as_bytes()).direction, expected, "{text}");
        }
    }

    #[test]
    fn a_time_stamp_is_found_behind_other_words() {
        let prefix = Prefix::read(b"INFO 12345678 [main] 2025-03-14T13:30:02Z x");
        assert_eq!(prefix.time, Some(1_741_959_002_000_000_000));
        assert_eq!(prefix.zone, Some(40..41));
    }
}
