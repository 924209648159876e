//! Packed inputs: what is unpacked is within its bounds and is what its digest says, or it is refused in words.

use casparian_core::fault::Blamed as _;
use casparian_host::doors;

use super::assert_harmless;
use crate::Target;

pub(super) const TARGET: Target = Target { name: "packing", bytes_max: 4096, run, seeds };

/// The text `a,b` a few times: by gzip, by zstd, and as the one member of an archive.
fn seeds() -> Vec<Vec<u8>> {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\x02\xffKLMNIMKO\xcfH,JL\x02\0\x0c\x9f\xe3\x33\x0c\0\0\0";
    let stored = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x03\0\xfc\xffabc\xc2\x41\x24\x35\x03\0\0\0";
    let zstd = b"\x28\xb5\x2f\xfd\x20\x03\x19\0\0abc";
    let mut seeds = vec![gzip.to_vec(), stored.to_vec(), zstd.to_vec(), b"a,b\n".to_vec()];
    seeds.push(archive(b"abc", 0x3524_41c2));
    seeds
}

/// An archive of one stored member.
fn archive(content: &[u8], crc: u32) -> Vec<u8> {
    let size = u32::try_from(content.len()).expect("a short member").to_le_bytes();
    let shared =
        [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &crc.to_le_bytes(), &size, &size, &[1, 0, 0, 0]].concat();
    let local = [b"PK\x03\x04", shared.as_slice(), b"m", content].concat();
    let central = [b"PK\x01\x02\x14\0", shared.as_slice(), &[0; 14], b"m"].concat();
    let numbers = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short").to_le_bytes();
    let end =
        [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &numbers(&central), &numbers(&local), &[0, 0]].concat();
    [local, central, end].concat()
}

fn run(bytes: &[u8]) {
    match doors::unpacked(bytes) {
        Ok(held) => assert!(held.is_none_or(|held| held.len() <= 1 << 20)),
        Err(fault) => {
            assert_harmless(&fault.to_string());
            assert_harmless(&fault.hint().unwrap_or_default());
            assert!(!fault.code().is_empty());
        }
    }
}
