//! The default contract of a parser: a custom section of its component, at the top level, called [`NAME`].
//!
//! What is read here was written by a stranger. The scan goes from header to header, looks into no section but custom ones,
//! and copies nothing. Whether the rest is a component is for [`crate::precheck`] to say.

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use thiserror::Error;
use wasmparser::{BinaryReader, BinaryReaderError};

/// What the section is called.
pub const NAME: &str = "casparian:contract";

/// Most bytes of a contract.
pub const CONTRACT_BYTES_MAX: usize = 1024 * 1024;

/// A component's magic number, its version and its layer. A core module has another layer.
const PREAMBLE: [u8; 8] = *b"\0asm\x0d\0\x01\0";
/// The id of a custom section.
const CUSTOM: u8 = 0;

/// A default contract that cannot be read or put into a component.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum SectionFault {
    /// It does not begin as components do.
    #[error("this is not a WebAssembly component")]
    NotAComponent,
    /// Its sections do not follow each other.
    #[error("invalid section at byte {offset}: {why}")]
    Invalid {
        /// Where.
        offset: u64,
        /// Why.
        why: GuestText,
    },
    /// Which of two contracts would hold is anybody's guess.
    #[error("it has two sections `{NAME}`, the second at byte {offset}")]
    Twice {
        /// Where the second is.
        offset: u64,
    },
    /// It is longer than any contract.
    #[error("its contract is too large: limit {CONTRACT_BYTES_MAX} bytes, has {bytes}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl Blamed for SectionFault {
    fn blame(&self) -> Blame {
        match self {
            Self::NotAComponent => Blame::Operator,
            _ => Blame::Guest,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotAComponent => "not-a-component",
            Self::Invalid { .. } => "invalid-component",
            Self::Twice { .. } => "two-contracts",
            Self::TooLarge { .. } => "contract-too-large",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Twice { .. } => Some("`host contract embed` puts one in the place of both".to_owned()),
            _ => None,
        }
    }
}

/// Returns the default contract of a component as it was embedded, unread.
pub fn contract(component: &[u8]) -> Result<Option<&[u8]>, SectionFault> {
    let mut found: Option<&[u8]> = None;
    for section in sections(component)? {
        let section = section?;
        let Some(contract) = section.contract else { continue };
        if found.is_some() {
            return Err(SectionFault::Twice { offset: section.offset });
        }
        found = Some(check_size(contract)?);
    }
    Ok(found)
}

/// Returns a component with this contract as its default, in the place of any that it has. Nothing else of it changes, and the
/// same two make the same bytes.
pub fn with_contract(component: &[u8], contract: &[u8]) -> Result<Vec<u8>, SectionFault> {
    check_size(contract)?;
    let mut made = PREAMBLE.to_vec();
    for section in sections(component)? {
        let section = section?;
        if section.contract.is_none() {
            made.extend_from_slice(section.bytes);
        }
    }
    made.push(CUSTOM);
    write_leb(&mut made, 1 + NAME.len() + contract.len());
    write_leb(&mut made, NAME.len());
    made.extend_from_slice(NAME.as_bytes());
    made.extend_from_slice(contract);
    Ok(made)
}

fn check_size(contract: &[u8]) -> Result<&[u8], SectionFault> {
    let bytes = contract.len();
    if bytes > CONTRACT_BYTES_MAX { Err(SectionFault::TooLarge { bytes }) } else { Ok(contract) }
}

/// Writes a number as unsigned LEB128.
fn write_leb(into: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// A section of the outermost component.
struct Section<'a> {
    /// Where its header begins.
    offset: u64,
    /// Header and payload.
    bytes: &'a [u8],
    /// What is behind the name, where that is [`NAME`].
    contract: Option<&'a [u8]>,
}

/// Returns the sections of a component. At most one for every two bytes: a header has as many.
fn sections(
    component: &[u8],
) -> Result<impl Iterator<Item = Result<Section<'_>, SectionFault>>, SectionFault> {
    let behind = component.strip_prefix(&PREAMBLE).ok_or(SectionFault::NotAComponent)?;
    let mut reader = BinaryReader::new(behind, PREAMBLE.len());
    let mut is_broken = false;
    Ok(std::iter::from_fn(move || {
        if is_broken || reader.eof() {
            return None;
        }
        let section = section(&mut reader, behind).map_err(|error| invalid(&error));
        is_broken = section.is_err();
        Some(section)
    }))
}

fn section<'a>(reader: &mut BinaryReader<'a>, all: &'a [u8]) -> Result<Section<'a>, BinaryReaderError> {
    let (offset, begin) = (reader.original_position() as u64, reader.current_position());
    let id = reader.read_u8()?;
    let mut payload = reader.read_reader()?;
    // The reader has passed over these bytes, so they are there.
    let bytes = all.get(begin..reader.current_position()).unwrap_or_default();
    let mut contract = None;
    if id == CUSTOM && payload.read_unlimited_string()? == NAME {
        contract = Some(payload.read_bytes(payload.bytes_remaining())?);
    }
    Ok(Section { offset, bytes, contract })
}

fn invalid(error: &BinaryReaderError) -> SectionFault {
    SectionFault::Invalid { offset: error.offset() as u64, why: GuestText::new(error.message(), 256) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(wat: &str) -> Vec<u8> {
        wat::parse_str(wat).expect("the test's wat is valid")
    }

    /// A component with a section of these bytes behind it.
    fn with(payload: &[u8]) -> Vec<u8> {
        [&PREAMBLE[..], payload].concat()
    }

    fn custom(name: &str, size: &[u8], data: &[u8]) -> Vec<u8> {
        [&[CUSTOM], size, &[name.len() as u8], name.as_bytes(), data].concat()
    }

    fn refused(bytes: &[u8]) -> String {
        contract(bytes).expect_err("it is refused").to_string()
    }

    #[test]
    fn a_component_without_the_section_has_no_contract() {
        assert_eq!(contract(&component("(component)")), Ok(None));
        assert_eq!(contract(&component(r#"(component (@custom "other" "text"))"#)), Ok(None));
    }

    #[test]
    fn what_is_embedded_comes_back() {
        let plain = component("(component (core module (func)) (component))");
        for text in [&b""[..], b"x", &[b'y'; 300], &vec![b'z'; CONTRACT_BYTES_MAX]] {
            let made = with_contract(&plain, text).expect("it fits");
            assert_eq!(contract(&made), Ok(Some(text)));
            assert!(made.starts_with(&plain), "nothing else changes");
        }
    }

    #[test]
    fn a_component_with_a_contract_is_still_valid() {
        let made = with_contract(&component("(component)"), b"text").expect("it fits");
        wasmparser::validate(&made).expect("a valid component");
    }

    #[test]
    fn embedding_takes_out_what_was_there_wherever_it_stood() {
        let old = component(
            r#"(component (@custom "casparian:contract" "a") (core module) (@custom "casparian:contract" "b"))"#,
        );
        let made = with_contract(&old, b"new").expect("it fits");
        assert_eq!(contract(&made), Ok(Some(&b"new"[..])));
        assert_eq!(made, with_contract(&component("(component (core module))"), b"new").expect("it fits"));
    }

    #[test]
    fn the_section_of_a_part_is_not_the_contract_of_the_whole() {
        let nested = component(
            r#"(component
                 (core module (@custom "casparian:contract" "module's"))
                 (component (@custom "casparian:contract" "component's")))"#,
        );
        assert_eq!(contract(&nested), Ok(None));
    }

    #[test]
    fn two_contracts_are_refused_even_if_they_agree() {
        let twice =
            component(r#"(component (@custom "casparian:contract" "a") (@custom "casparian:contract" "a"))"#);
        assert_eq!(refused(&twice), "it has two sections `casparian:contract`, the second at byte 30");
    }

    #[test]
    fn a_contract_of_more_than_a_mebibyte_is_neither_read_nor_written() {
        let bytes = vec![b'#'; CONTRACT_BYTES_MAX + 1];
        let too_large = SectionFault::TooLarge { bytes: CONTRACT_BYTES_MAX + 1 };
        assert_eq!(with_contract(&component("(component)"), &bytes), Err(too_large));
        let size = [0x94, 0x80, 0x40];
        let read = refused(&with(&custom(NAME, &size, &bytes)));
        assert_eq!(read, "its contract is too large: limit 1048576 bytes, has 1048577");
    }

    #[test]
    fn a_length_written_with_too_many_bytes_is_refused_where_it_stands() {
        let why = "invalid section at byte 13: invalid var_u32: integer representation too long";
        assert_eq!(refused(&with(&custom(NAME, &[0x93, 0x80, 0x80, 0x80, 0x80, 0], b""))), why);
        let why = "invalid section at byte 13: invalid var_u32: integer too large";
        assert_eq!(refused(&with(&custom(NAME, &[0xff, 0xff, 0xff, 0xff, 0x7f], b""))), why);
    }

    #[test]
    fn a_length_past_the_end_is_refused() {
        assert!(
            refused(&with(&custom(NAME, &[0xff, 0xff, 0xff, 0xff, 0x0f], b""))).contains("unexpected end")
        );
        let name_past_its_section = with(&[CUSTOM, 2, 100, b'c', 1, 0]);
        assert!(refused(&name_past_its_section).contains("unexpected end"));
        assert!(refused(&with(&[CUSTOM, 0])).contains("unexpected end"), "a custom section has a name");
    }

    #[test]
    fn a_name_that_is_no_text_is_refused() {
        assert!(refused(&with(&[CUSTOM, 2, 1, 0xff])).contains("UTF-8"));
    }

    #[test]
    fn a_module_has_no_contract_to_offer() {
        assert_eq!(contract(&component("(module)")), Err(SectionFault::NotAComponent));
        assert_eq!(contract(b""), Err(SectionFault::NotAComponent));
        assert_eq!(with_contract(b"8=FIX", b""), Err(SectionFault::NotAComponent));
    }

    #[test]
    fn a_million_empty_sections_are_passed_over() {
        let many = with(&[CUSTOM, 1, 0].repeat(1_000_000));
        assert_eq!(contract(&many), Ok(None));
    }

    #[test]
    fn no_prefix_of_a_component_is_read_past_its_end() {
        let whole = with_contract(&component("(component (core module (func)))"), b"text").expect("it fits");
        for end in PREAMBLE.len() + 1..whole.len() {
            match contract(&whole[..end]) {
                Ok(None) | Err(SectionFault::Invalid { .. }) => {}
                other => panic!("{end} of {} bytes: {other:?}", whole.len()),
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_makes_it_panic() {
        let whole = with_contract(&component("(component (core module (func)))"), b"text").expect("it fits");
        for at in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            // Whatever comes out is no longer than what went in.
            assert!(contract(&flipped).ok().flatten().is_none_or(|text| text.len() < whole.len()));
        }
    }
}
