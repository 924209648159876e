//! A runtime and a program in one file: the runtime's component with a custom section `casparian:program` behind it, which holds
//! the bundle. Custom sections mean nothing to WebAssembly, so what is compiled is the runtime, once for all programs in it, and
//! what the parser is called by is what it would be called by apart.
//!
//! The section is the last one and ends with its own length, so that it is found without reading the runtime.

use std::io;

use super::bundle::BUNDLE_BYTES_MAX;
use crate::source::Source;

/// What the section is called.
const NAME: &[u8; 17] = b"casparian:program";
/// The id of a custom section.
const CUSTOM: u8 = 0;
/// The length of the section, at its end.
const LENGTH_BYTES: usize = 8;
/// A section's size takes at most so many bytes, and so they are written here: padded.
const SIZE_BYTES: usize = 5;
/// All of the section besides the bundle: id, size, the name with its length, the section's length.
const FRAME_BYTES: usize = 1 + SIZE_BYTES + 1 + NAME.len() + LENGTH_BYTES;

/// Returns a runtime's component with a bundle in it. `None`: the bundle is longer than a section may be.
pub(crate) fn join(runtime: &[u8], bundle: &[u8]) -> Option<Vec<u8>> {
    let size = u32::try_from(bundle.len() + FRAME_BYTES - 1 - SIZE_BYTES).ok()?;
    let mut file = Vec::with_capacity(runtime.len() + bundle.len() + FRAME_BYTES);
    file.extend_from_slice(runtime);
    file.extend_from_slice(&head(size));
    file.extend_from_slice(bundle);
    file.extend_from_slice(&((bundle.len() + FRAME_BYTES) as u64).to_le_bytes());
    Some(file)
}

/// The section's beginning: its id, its size in LEB128, its name.
fn head(size: u32) -> Vec<u8> {
    let mut head = vec![CUSTOM];
    for at in 0..SIZE_BYTES {
        let more = if at + 1 < SIZE_BYTES { 0x80 } else { 0 };
        head.push((size >> (7 * at)) as u8 & 0x7f | more);
    }
    head.push(NAME.len() as u8);
    head.extend_from_slice(NAME);
    head
}

/// Finds a bundle in a component. Returns how long the runtime before it is, and the bundle.
pub(crate) fn find(source: &Source) -> io::Result<Option<(u64, Vec<u8>)>> {
    let Some(end) = source.size().checked_sub(LENGTH_BYTES as u64) else { return Ok(None) };
    let mut length = [0; LENGTH_BYTES];
    read_exact(source, end, &mut length)?;
    let length = u64::from_le_bytes(length);
    let bundle_bytes = usize::try_from(length).ok().and_then(|length| length.checked_sub(FRAME_BYTES));
    let bundle_bytes = bundle_bytes.filter(|bytes| *bytes as u64 <= BUNDLE_BYTES_MAX);
    let (Some(runtime_bytes), Some(bundle_bytes)) = (source.size().checked_sub(length), bundle_bytes) else {
        return Ok(None);
    };
    let Ok(size) = u32::try_from(bundle_bytes + FRAME_BYTES - 1 - SIZE_BYTES) else { return Ok(None) };
    let (wanted, mut found) = (head(size), vec![0; FRAME_BYTES - LENGTH_BYTES]);
    read_exact(source, runtime_bytes, &mut found)?;
    if found != wanted {
        return Ok(None);
    }
    let mut bundle = vec![0; bundle_bytes];
    read_exact(source, runtime_bytes + wanted.len() as u64, &mut bundle)?;
    Ok(Some((runtime_bytes, bundle)))
}

fn read_exact(source: &Source, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    let mut read = 0;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match source.read_at(offset + read as u64, rest)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => read += more,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn found(bytes: &[u8]) -> Option<(u64, Vec<u8>)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        find(&Source::open(file.path()).unwrap()).unwrap()
    }

    #[test]
    fn what_was_joined_is_found_again() {
        let joined = join(b"\0asm runtime", b"PK bundle").unwrap();
        assert_eq!(found(&joined), Some((12, b"PK bundle".to_vec())));
    }

    #[test]
    fn the_joined_file_is_the_runtime_and_one_custom_section_to_any_reader() {
        let runtime = b"\0asm\x0d\0\x01\0";
        let joined = join(runtime, b"PK bundle").unwrap();
        // Id, size in LEB128, then as many bytes as the size says and no more.
        let size = (0..SIZE_BYTES).map(|at| usize::from(joined[9 + at] & 0x7f) << (7 * at)).sum::<usize>();
        assert_eq!((joined[8], joined.len()), (CUSTOM, 8 + 1 + SIZE_BYTES + size));
    }

    proptest! {
        #[test]
        fn a_byte_changed_in_the_frame_is_no_program(at in any::<prop::sample::Index>(), by in 1_u8..) {
            let mut joined = join(b"runtime", b"bundle").unwrap();
            let frame: Vec<usize> = (7..joined.len()).filter(|at| !(31..37).contains(at)).collect();
            joined[frame[at.index(frame.len())]] ^= by;
            prop_assert_eq!(found(&joined), None);
        }

        #[test]
        fn any_bytes_at_all_are_looked_at_without_harm(bytes in prop::collection::vec(any::<u8>(), 1..80)) {
            found(&bytes);
        }
    }
}
