//! 64 bytes against one: a mask with a bit for each equal byte. Three ways to the same answer.
#![allow(unsafe_code, reason = "unaligned vector loads have no safe form")]

use super::WORD;

/// A byte to look for, spread out for comparing.
#[derive(Clone, Copy)]
pub(super) struct Needle(imp::Lanes);

impl Needle {
    #[inline(always)]
    pub(super) fn new(byte: u8) -> Needle {
        Needle(imp::splat(byte))
    }

    /// Returns a bit for every byte of `word` that equals the needle, the first byte's lowest.
    #[inline(always)]
    pub(super) fn mask(self, word: &[u8; WORD]) -> u64 {
        imp::mask(word, self.0)
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};

    use super::WORD;

    pub(super) type Lanes = __m128i;

    #[inline(always)]
    pub(super) fn splat(byte: u8) -> Lanes {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_set1_epi8(byte.cast_signed()) }
    }

    #[inline(always)]
    pub(super) fn mask(word: &[u8; WORD], needle: Lanes) -> u64 {
        let (parts, _) = word.as_chunks::<16>();
        parts.iter().rev().fold(0, |mask, part| {
            // SAFETY: `part` is 16 readable bytes, the load needs no alignment, and SSE2 is part of x86-64.
            let equal =
                unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(part.as_ptr().cast()), needle)) };
            mask << 16 | equal as u64
        })
    }
}

#[cfg(all(target_family = "wasm", target_feature = "simd128"))]
mod imp {
    use std::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_splat, v128, v128_load};

    use super::WORD;

    pub(super) type Lanes = v128;

    #[inline(always)]
    pub(super) fn splat(byte: u8) -> Lanes {
        u8x16_splat(byte)
    }

    #[inline(always)]
    pub(super) fn mask(word: &[u8; WORD], needle: Lanes) -> u64 {
        let (parts, _) = word.as_chunks::<16>();
        parts.iter().rev().fold(0, |mask, part| {
            // SAFETY: `part` is 16 readable bytes and the load needs no alignment.
            let lanes = unsafe { v128_load(part.as_ptr().cast()) };
            mask << 16 | u64::from(u8x16_bitmask(u8x16_eq(lanes, needle)))
        })
    }
}

#[cfg(not(any(target_arch = "x86_64", all(target_family = "wasm", target_feature = "simd128"))))]
use portable as imp;

/// Eight bytes to an integer, for machines without a way of their own.
#[cfg(any(test, not(any(target_arch = "x86_64", all(target_family = "wasm", target_feature = "simd128")))))]
mod portable {
    use super::WORD;

    pub(super) type Lanes = u64;

    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;

    #[inline(always)]
    pub(super) fn splat(byte: u8) -> Lanes {
        u64::from(byte) * LOW
    }

    #[inline(always)]
    pub(super) fn mask(word: &[u8; WORD], needle: Lanes) -> u64 {
        let (parts, _) = word.as_chunks::<8>();
        parts.iter().rev().fold(0, |mask, part| {
            let differ = u64::from_le_bytes(*part) ^ needle;
            // The high bit of every byte that is zero; exact, since no carry leaves a byte.
            let zero = !(((differ & !HIGH) + !HIGH) | differ) & HIGH;
            // Gathers the eight high bits in the top byte.
            mask << 8 | (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_portable_mask_is_the_machine_s(bytes in prop::collection::vec(prop_oneof![0_u8..3, 126_u8..131, any::<u8>()], WORD), needle in prop_oneof![0_u8..3, 126_u8..131]) {
            let word: [u8; WORD] = bytes.try_into().unwrap();
            let naive = (0..WORD).fold(0, |mask, at| mask | u64::from(word[at] == needle) << at);
            prop_assert_eq!(Needle::new(needle).mask(&word), naive);
            prop_assert_eq!(portable::mask(&word, portable::splat(needle)), naive);
        }
    }
}
