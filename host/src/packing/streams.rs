//! Streams of packed bytes: one after the other until their stretch ends, and nothing in between.

use std::io::{self, BufRead as _, Read};
use std::mem;

use casparian_core::guest_text::GuestText;
use casparian_core::receipt::Packing;
use flate2::bufread::{DeflateDecoder, GzDecoder};
use zstd::stream::raw::{Decoder, Operation as _};

use super::stretch::Stretch;
use super::{CHUNK_BYTES, GZIP, Spool, UnpackFault, ZSTD};

/// What `gzip` writes: members, each with a checksum of its own.
///
/// One decoder and one chunk serve them all: a file can be nothing but members that hold nothing, 20 bytes each.
pub(super) fn gzip(packed: Stretch<'_>, kept: &mut Spool<'_>) -> Result<(), UnpackFault> {
    let nothing = packed.nothing();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut decoder = GzDecoder::new(packed);
    loop {
        let copied = copy(&mut decoder, &mut chunk, kept)?;
        let packed = decoder.get_ref();
        copied.map_err(|error| UnpackFault::of_stream(Packing::Gzip, packed.position(), error))?;
        let next = packed.peek().map_err(UnpackFault::Unread)?;
        match next.starts_with(&GZIP[..2]) {
            true => {}
            false if next.is_empty() => return Ok(()),
            false => return Err(trailing(Packing::Gzip, packed)),
        }
        let rest = mem::replace(decoder.get_mut(), nothing.nothing());
        decoder.reset(rest);
    }
}

/// What `zstd` writes: frames, and others that are to be skipped. `packing` is what they came in.
pub(super) fn zstd(
    mut packed: Stretch<'_>,
    kept: &mut Spool<'_>,
    packing: Packing,
) -> Result<(), UnpackFault> {
    let mut decoder = Decoder::new().map_err(|error| UnpackFault::of_stream(packing, 0, error))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let (mut is_between, mut is_first) = (true, true);
    loop {
        let offset = packed.position();
        if is_between {
            let next = packed.peek().map_err(UnpackFault::Unread)?;
            match (is_frame(&next), is_first) {
                (true, _) => is_first = false,
                (false, true) => return Err(corrupt(packing, offset, "no frame begins here")),
                (false, false) if next.is_empty() => return Ok(()),
                (false, false) => return Err(trailing(packing, &packed)),
            }
        }
        let next = packed.fill_buf().map_err(UnpackFault::Unread)?;
        let is_end = next.is_empty();
        let step = decoder.run_on_buffers(next, &mut chunk);
        let step = step.map_err(|error| UnpackFault::of_stream(packing, offset, error))?;
        packed.consume(step.bytes_read);
        kept.keep(&chunk[..step.bytes_written])?;
        is_between = step.remaining == 0;
        if is_end && !is_between && step.bytes_written == 0 {
            return Err(UnpackFault::Truncated { packing, offset });
        }
    }
}

/// Whether a frame begins so: one with something in it, or one to be skipped.
fn is_frame(next: &[u8]) -> bool {
    next.starts_with(ZSTD) || matches!(next, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// What a ZIP calls deflated.
pub(super) fn deflated(mut packed: Stretch<'_>, kept: &mut Spool<'_>) -> Result<(), UnpackFault> {
    let copied = copy(&mut DeflateDecoder::new(&mut packed), &mut vec![0; CHUNK_BYTES], kept)?;
    if let Err(error) = copied {
        return Err(UnpackFault::of_stream(Packing::Zip, packed.position(), error));
    }
    if packed.left() == 0 { Ok(()) } else { Err(trailing(Packing::Zip, &packed)) }
}

/// What a ZIP calls stored.
pub(super) fn stored(mut packed: Stretch<'_>, kept: &mut Spool<'_>) -> Result<(), UnpackFault> {
    copy(&mut packed, &mut vec![0; CHUNK_BYTES], kept)?.map_err(UnpackFault::Unread)
}

/// Keeps all that can be read. What ends the reading is inside, what ends the keeping outside.
fn copy(from: &mut impl Read, chunk: &mut [u8], kept: &mut Spool<'_>) -> Result<io::Result<()>, UnpackFault> {
    loop {
        match from.read(chunk) {
            Ok(0) => return Ok(Ok(())),
            Ok(read) => kept.keep(&chunk[..read])?,
            Err(error) => return Ok(Err(error)),
        }
    }
}

fn trailing(packing: Packing, packed: &Stretch<'_>) -> UnpackFault {
    UnpackFault::Trailing { packing, offset: packed.position(), bytes: packed.left() }
}

fn corrupt(packing: Packing, offset: u64, why: &str) -> UnpackFault {
    UnpackFault::Corrupt { packing, offset, why: GuestText::new(why, 256) }
}
