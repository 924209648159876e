//! How the characters of an input are written: found, and turned into UTF-8 without losing where each of them stood.

use crate::dialect::Decided;

/// How the characters of an input are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// UTF-8, and ASCII with it.
    #[default]
    Utf8 = 0,
    /// UTF-16, the low byte first.
    Utf16Le = 1,
    /// UTF-16, the high byte first.
    Utf16Be = 2,
    /// ISO 8859-1.
    Latin1 = 3,
    /// Windows-1252: ISO 8859-1 with letters and signs in 80 to 9F.
    Cp1252 = 4,
}

impl Encoding {
    /// All of them with their names, by their number.
    pub const ALL: [(Encoding, &'static str); 5] = [
        (Encoding::Utf8, "utf-8"),
        (Encoding::Utf16Le, "utf-16le"),
        (Encoding::Utf16Be, "utf-16be"),
        (Encoding::Latin1, "latin-1"),
        (Encoding::Cp1252, "cp1252"),
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        Encoding::ALL[self as usize].1
    }

    /// Returns whether a character is two bytes or more.
    pub fn is_wide(self) -> bool {
        matches!(self, Encoding::Utf16Le | Encoding::Utf16Be)
    }

    /// Returns whether every byte is a character.
    pub fn is_single(self) -> bool {
        matches!(self, Encoding::Latin1 | Encoding::Cp1252)
    }

    /// Returns the mark that may stand at the beginning of an input.
    pub fn mark(self) -> &'static [u8] {
        match self {
            Encoding::Utf8 => b"\xEF\xBB\xBF",
            Encoding::Utf16Le => b"\xFF\xFE",
            Encoding::Utf16Be => b"\xFE\xFF",
            _ => b"",
        }
    }

    /// Returns how text is written where it is read: in UTF-8, or in the encoding itself where a character is a byte there.
    pub fn encode(self, text: &str) -> Vec<u8> {
        let single = |c: char| match u8::try_from(c) {
            Ok(byte) => Some(byte),
            Err(_) if self == Encoding::Cp1252 => {
                (0x80..=0x9F).find(|byte| CP1252[usize::from(byte - 0x80)] == c)
            }
            Err(_) => None,
        };
        let bytes = self.is_single().then(|| text.chars().map(single).collect::<Option<Vec<u8>>>());
        bytes.flatten().unwrap_or_else(|| text.as_bytes().to_vec())
    }

    /// Returns how many bytes of the input a stretch of decoded text was made of.
    pub fn source_bytes(self, text: &[u8]) -> u64 {
        if self.is_wide() {
            text.iter().map(|byte| u64::from(unit_bytes(*byte))).sum()
        } else {
            text.len() as u64
        }
    }
}

/// How many bytes of UTF-16 a byte of decoded text stands for: all of them are charged to the first byte of a character.
fn unit_bytes(byte: u8) -> u8 {
    match byte {
        0x80..=0xBF => 0,
        0xF0..=0xF4 => 4,
        HALF_UNIT => 1,
        _ => 2,
    }
}

/// Stands for the lone byte at the end of an input of UTF-16; no text holds it.
const HALF_UNIT: u8 = 0xFF;

/// Finds the encoding of a sample: its mark, its zeros, or what its high bytes are.
pub fn detect(sample: &[u8]) -> Decided<Encoding> {
    for encoding in [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be] {
        if sample.starts_with(encoding.mark()) {
            return Decided::new(encoding, 1.0, "a byte order mark".to_owned());
        }
    }
    unmarked_wide(sample).unwrap_or_else(|| by_high_bytes(sample))
}

/// Western text in UTF-16 has a zero in every other place, and in places of one parity only.
fn unmarked_wide(sample: &[u8]) -> Option<Decided<Encoding>> {
    let pairs = sample.len() / 2;
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let (encoding, many, few) =
        if odd >= even { (Encoding::Utf16Le, odd, even) } else { (Encoding::Utf16Be, even, odd) };
    if pairs < 2 || many * 10 < pairs * 4 || few * 20 > many {
        return None;
    }
    let evidence = format!("{many} of {pairs} pairs have a zero on one side, {few} on the other");
    Some(Decided::new(encoding, many as f64 / pairs as f64, evidence))
}

fn by_high_bytes(sample: &[u8]) -> Decided<Encoding> {
    let (characters, strays, cut) = sequences(sample);
    if strays <= usize::from(cut) {
        let evidence = format!("{characters} characters beyond ASCII, all well-formed");
        return Decided::new(Encoding::Utf8, 1.0, evidence);
    }
    let share = characters as f64 / (characters + strays) as f64;
    let evidence =
        format!("{characters} well-formed sequences of UTF-8, {strays} high bytes outside of them");
    if characters > strays {
        return Decided::new(Encoding::Utf8, share, evidence);
    }
    let controls = sample.iter().filter(|byte| (0x80..0xA0).contains(*byte)).count();
    if controls == 0 {
        return Decided::new(Encoding::Latin1, 1.0 - share, format!("{evidence}; none in 80 to 9F"));
    }
    Decided::new(Encoding::Cp1252, 1.0 - share, format!("{evidence}; {controls} in 80 to 9F"))
}

/// Counts well-formed sequences of several bytes and high bytes outside of them; says whether the last sequence is cut off by
/// the end.
fn sequences(sample: &[u8]) -> (usize, usize, bool) {
    let (mut characters, mut strays, mut cut) = (0, 0, false);
    let mut rest = sample;
    loop {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                characters += high_characters(text.as_bytes());
                return (characters, strays, cut);
            }
            Err(error) => {
                characters += high_characters(&rest[..error.valid_up_to()]);
                strays += 1;
                cut = error.error_len().is_none();
                rest = &rest[error.valid_up_to() + error.error_len().unwrap_or(1)..];
            }
        }
    }
}

fn high_characters(valid: &[u8]) -> usize {
    valid.iter().filter(|byte| **byte >= 0xC0).count()
}

/// Appends what `bytes` of UTF-16 say as UTF-8. Returns how many bytes were used: a pair that is not whole waits, unless the
/// input ends there.
pub fn decode_wide(encoding: Encoding, bytes: &[u8], at_end: bool, into: &mut Vec<u8>) -> usize {
    let unit = |pair: &[u8; 2]| match encoding {
        Encoding::Utf16Le => u16::from_le_bytes(*pair),
        _ => u16::from_be_bytes(*pair),
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut at = 0;
    while at < pairs.len() {
        let first = unit(&pairs[at]);
        let second = pairs.get(at + 1).map(unit);
        match (first, second) {
            (0xD800..=0xDBFF, None) if !at_end => return at * 2,
            (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) => {
                let code = 0x1_0000 + ((u32::from(first) - 0xD800) << 10) + (u32::from(low) - 0xDC00);
                push(char::from_u32(code).unwrap_or_default(), into);
                at += 1;
            }
            _ => match char::from_u32(u32::from(first)) {
                Some(character) => push(character, into),
                // Half a pair: three bytes that are no UTF-8, so that the record is found out.
                None => into.extend([0xED, 0x80 | (first >> 6 & 0x3F) as u8, 0x80 | (first & 0x3F) as u8]),
            },
        }
        at += 1;
    }
    if at_end && !rest.is_empty() {
        into.push(HALF_UNIT);
        return bytes.len();
    }
    pairs.len() * 2
}

fn push(character: char, into: &mut Vec<u8>) {
    into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Appends what a cell of an encoding with one byte to a character says as UTF-8. Returns whether all bytes say something.
pub fn decode_single(encoding: Encoding, cell: &[u8], into: &mut Vec<u8>) -> bool {
    let start = into.len();
    for byte in cell {
        let character = match byte {
            0x80..=0x9F if encoding == Encoding::Cp1252 => CP1252[usize::from(byte - 0x80)],
            _ => char::from(*byte),
        };
        if character == char::REPLACEMENT_CHARACTER {
            into.truncate(start);
            return false;
        }
        push(character, into);
    }
    true
}

/// Returns whether a stretch of text has a byte that says nothing.
pub fn is_readable(encoding: Encoding, text: &[u8]) -> bool {
    match encoding {
        Encoding::Latin1 => true,
        Encoding::Cp1252 => !text.iter().any(|byte| matches!(byte, 0x81 | 0x8D | 0x8F | 0x90 | 0x9D)),
        _ => casparian_sdk::scan::is_utf8(text),
    }
}

/// What Windows-1252 has in 80 to 9F; five places are empty.
const CP1252: [char; 32] = [
    '€', '\u{FFFD}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{FFFD}', 'Ž', '\u{FFFD}',
    '\u{FFFD}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{FFFD}', 'ž', 'Ÿ',
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_encoding_is_known_by_mark_zeros_or_high_bytes() {
        let of = |bytes: &[u8]| detect(bytes).value;
        assert_eq!(of(b"\xEF\xBB\xBFid"), Encoding::Utf8);
        assert_eq!(of(b"\xFF\xFEi\0"), Encoding::Utf16Le);
        assert_eq!(of(b"i\0d\0,\0a\0"), Encoding::Utf16Le);
        assert_eq!(of(b"\0i\0d\0,\0a"), Encoding::Utf16Be);
        assert_eq!(of("José".as_bytes()), Encoding::Utf8);
        assert_eq!(of(b"Jos\xE9,\xD1and\xFA"), Encoding::Latin1);
        assert_eq!(of(b"\x80 5, it\x92s"), Encoding::Cp1252);
        assert_eq!(of("é é é é é \u{e9}\n".as_bytes()), Encoding::Utf8);
    }

    #[test]
    fn one_bad_byte_among_many_characters_is_bad_and_not_another_encoding() {
        assert_eq!(
            detect(
                "José Ñandú \u{fc}".as_bytes().iter().copied().chain([0xFF]).collect::<Vec<_>>().as_slice()
            )
            .value,
            Encoding::Utf8
        );
    }

    proptest! {
        #[test]
        fn text_in_utf_16_comes_out_whole_and_is_as_long_as_it_was(text in any::<String>(), cut in 0_usize..20) {
            let source: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let cut = cut.min(source.len());
            let mut decoded = Vec::new();
            let used = decode_wide(Encoding::Utf16Be, &source[..cut], false, &mut decoded);
            decode_wide(Encoding::Utf16Be, &source[used..], true, &mut decoded);
            prop_assert_eq!(&decoded, text.as_bytes());
            prop_assert_eq!(Encoding::Utf16Be.source_bytes(&decoded), source.len() as u64);
        }

        #[test]
        fn any_bytes_of_utf_16_are_accounted_for(source in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut decoded = Vec::new();
            decode_wide(Encoding::Utf16Le, &source, true, &mut decoded);
            prop_assert_eq!(Encoding::Utf16Le.source_bytes(&decoded), source.len() as u64);
        }

        #[test]
        fn a_byte_of_one_character_comes_out_as_it(text in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut decoded = Vec::new();
            prop_assert!(decode_single(Encoding::Latin1, &text, &mut decoded));
            prop_assert_eq!(String::from_utf8(decoded).unwrap().chars().map(|c| c as u8).collect::<Vec<u8>>(), text);
        }
    }
}
