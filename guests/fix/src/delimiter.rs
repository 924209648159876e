//! The byte that ends a field, and what people put in its place when they want to read a log.

use memchr::{memchr, memchr_iter};

/// What ends a field in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delimiter {
    /// 0x01, as on the wire.
    #[default]
    Soh,
    /// `|`, as many engines log it. A `|` inside a value cannot be told from one that ends it.
    Pipe,
    /// `^A`, as terminals show SOH: two characters that stand for one byte.
    Caret,
}

/// A begin string is `FIX.4.4` or `FIXT.1.1`; what follows within this many bytes is its delimiter or it is none.
const BEGIN_STRING_BYTES_MAX: usize = 16;

impl Delimiter {
    /// Every delimiter with the name that the option `delimiter` and the context of a layout know it by.
    pub const ALL: [(Delimiter, &'static str); 3] =
        [(Delimiter::Soh, "soh"), (Delimiter::Pipe, "pipe"), (Delimiter::Caret, "caret")];

    /// Returns the delimiter of that name.
    pub fn named(name: &str) -> Option<Delimiter> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(delimiter, _)| delimiter)
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Returns the bytes that show it in a log.
    pub fn shown(self) -> &'static [u8] {
        match self {
            Delimiter::Soh => b"\x01",
            Delimiter::Pipe => b"|",
            Delimiter::Caret => b"^A",
        }
    }

    /// Returns how many bytes show it.
    pub fn width(self) -> usize {
        self.shown().len()
    }

    /// Returns what one occurrence adds to a sum of bytes beyond the 1 that SOH adds.
    pub fn surplus(self) -> u8 {
        self.shown().iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_sub(1)
    }

    /// Returns the place of the first one in `bytes`.
    pub fn find(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Delimiter::Soh => memchr(1, bytes),
            Delimiter::Pipe => memchr(b'|', bytes),
            Delimiter::Caret => memchr_iter(b'^', bytes).find(|at| bytes.get(at + 1) == Some(&b'A')),
        }
    }

    /// Returns whether one stands at `at`.
    pub fn stands_at(self, bytes: &[u8], at: usize) -> bool {
        bytes.get(at..).is_some_and(|rest| rest.starts_with(self.shown()))
    }

    /// Returns what ends the begin string of a message: `bytes` starts behind its `8=`.
    pub fn behind_begin_string(bytes: &[u8]) -> BeginString {
        for (at, byte) in bytes.iter().enumerate().take(BEGIN_STRING_BYTES_MAX) {
            let delimiter = match byte {
                1 => Delimiter::Soh,
                b'|' => Delimiter::Pipe,
                b'^' => match bytes.get(at + 1) {
                    Some(b'A') => Delimiter::Caret,
                    Some(_) => return BeginString::None,
                    None => return BeginString::CutOff,
                },
                b'A'..=b'Z' | b'0'..=b'9' | b'.' => continue,
                b'\n' => return BeginString::CutOff,
                b'\r' if matches!(bytes.get(at + 1), None | Some(b'\n')) => return BeginString::CutOff,
                _ => return BeginString::None,
            };
            return BeginString::EndsWith(delimiter);
        }
        if bytes.len() < BEGIN_STRING_BYTES_MAX { BeginString::CutOff } else { BeginString::None }
    }
}

/// What was found where a begin string should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginString {
    /// A begin string that ends with this.
    EndsWith(Delimiter),
    /// Perhaps one: the line or the bytes end before it does.
    CutOff,
    /// None: the words around it are prose.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_its_own_delimiter() {
        let cases: [(&[u8], BeginString); 9] = [
            (b"FIX.4.4\x019=5", BeginString::EndsWith(Delimiter::Soh)),
            (b"FIXT.1.1|9=5", BeginString::EndsWith(Delimiter::Pipe)),
            (b"FIX.5.0SP2^A9=5", BeginString::EndsWith(Delimiter::Caret)),
            (b"FIX.4.", BeginString::CutOff),
            (b"FIX.4\r\n", BeginString::CutOff),
            (b"FIX.\r4.4|9=5", BeginString::None),
            (b"FIX.4.4^", BeginString::CutOff),
            (b"FIX header expected", BeginString::None),
            (b"FIX.4.4^B9=5", BeginString::None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Delimiter::behind_begin_string(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_shown_delimiter_counts_as_one_soh() {
        for (delimiter, _) in Delimiter::ALL {
            let shown: u8 = delimiter.shown().iter().sum();
            assert_eq!(shown.wrapping_sub(delimiter.surplus()), 1);
        }
    }
}
