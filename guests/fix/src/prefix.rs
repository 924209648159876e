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

/// Reads prefixes, and remembers those whose words it has met: a log has few, and only their times differ.
#[derive(Debug, Default)]
pub struct Prefixes {
    known: Vec<Known>,
    /// Which one to forget next.
    oldest: usize,
}

/// A prefix met before, with the place of its time.
#[derive(Debug)]
struct Known {
    text: Vec<u8>,
    time: Range<usize>,
    zone: Option<Range<usize>>,
    direction: Option<Direction>,
}

/// How many prefixes are remembered: directions times a few.
const KNOWN_MAX: usize = 4;

impl Prefixes {
    /// Reads the words before a message, as [`Prefix::read`] does.
    #[inline]
    pub fn read(&mut self, bytes: &[u8]) -> Prefix {
        match self.known.iter().find_map(|known| known.read(bytes)) {
            Some(prefix) => prefix,
            None => self.learn(bytes),
        }
    }

    #[cold]
    fn learn(&mut self, bytes: &[u8]) -> Prefix {
        let prefix = Prefix::read(bytes);
        let time = find_time(bytes).filter(|_| bytes.len() <= PREFIX_BYTES_MAX);
        if let Some((start, time)) = time {
            let direction = prefix.direction;
            let known = Known { text: bytes.to_vec(), time: start..time.end, zone: time.zone, direction };
            if self.known.len() < KNOWN_MAX {
                self.known.push(known);
            } else {
                self.known[self.oldest % KNOWN_MAX] = known;
                self.oldest += 1;
            }
        }
        prefix
    }
}

impl Known {
    /// Reads a prefix that differs from this one by its time at most.
    #[inline]
    fn read(&self, bytes: &[u8]) -> Option<Prefix> {
        if bytes.len() != self.text.len()
            || bytes[self.time.end..] != self.text[self.time.end..]
            || bytes[..self.time.start] != self.text[..self.time.start]
        {
            return None;
        }
        let time = log_time(bytes, self.time.start)?;
        let same = time.end == self.time.end && time.zone == self.zone;
        same.then_some(Prefix { time: Some(time.nanos), zone: time.zone, direction: self.direction })
    }
}

/// A prefix is read this far; the words that matter come first.
const PREFIX_BYTES_MAX: usize = 512;

impl Prefix {
    /// Reads the words before a message.
    pub fn read(bytes: &[u8]) -> Prefix {
        let bytes = &bytes[..bytes.len().min(PREFIX_BYTES_MAX)];
        let time = find_time(bytes);
        let behind_time = time.as_ref().map_or(0, |(_, time)| time.end);
        let direction =
            spoken_direction(&bytes[behind_time..]).or_else(|| drawn_direction(&bytes[behind_time..]));
        match time {
            Some((_, time)) => Prefix { time: Some(time.nanos), zone: time.zone, direction },
            None => Prefix { direction, ..Prefix::default() },
        }
    }
}

/// The first time stamp, with where it begins.
fn find_time(bytes: &[u8]) -> Option<(usize, LogTime)> {
    let mut in_word = false;
    for (at, byte) in bytes.iter().enumerate() {
        if !in_word
            && byte.is_ascii_digit()
            && let Some(time) = log_time(bytes, at)
        {
            return Some((at, time));
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
    agreed(bytes.split(|byte| matches!(byte, b' ' | b'\t' | b'[' | b']' | b'(' | b')' | b':')).filter_map(
        |word| match word {
            b"->" | b"-->" | b"=>" | b"==>" | b">>" | b">>>" => Some(Direction::Out),
            b"<-" | b"<--" | b"<=" | b"<==" | b"<<" | b"<<<" => Some(Direction::In),
            _ => None,
        },
    ))
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
    fn a_prefix_met_before_reads_like_a_new_one() {
        let mut prefixes = Prefixes::default();
        for round in 0..3 {
            for text in [
                "12:00 OUT",
                "2025-03-14 13:30:02.4 IN ",
                "2025-03-15 14:30:02.9 IN ",
                "2025-03-14 13:30:02.4 OUT",
                "",
            ] {
                for text in
                    [text.to_owned(), format!("{text} x"), text.replace('1', "9"), text.replace('.', "Z")]
                {
                    assert_eq!(
                        prefixes.read(text.as_bytes()),
                        Prefix::read(text.as_bytes()),
                        "{text} in round {round}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_time_stamp_is_found_behind_other_words() {
        let prefix = Prefix::read(b"INFO 12345678 [main] 2025-03-14T13:30:02Z x");
        assert_eq!(prefix.time, Some(1_741_959_002_000_000_000));
        assert_eq!(prefix.zone, Some(40..41));
    }
}
