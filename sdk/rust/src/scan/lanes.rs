//! Many bytes in one step: 64 against one, and sums of 16 at a time. Three ways to the same answers.
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

/// Returns the sum modulo 256 and whether all bytes are below 128, of all the parts of 16 bytes and of those bytes of `last` that
/// `weights` lets count: 0xFF for one that does, 0 for one that was counted before.
#[inline(always)]
pub(super) fn sum(parts: &[[u8; 16]], last: &[u8; 16], weights: &[u8; 16]) -> (u8, bool) {
    imp::sum(parts, last, weights)
}

/// Folds parts. A turn of the loop is 16 of them and what is left needs no loop: where metering is on, every turn pays, and
/// vectors go through memory from one to the next.
#[inline(always)]
fn fold<S>(parts: &[[u8; 16]], start: S, add: impl Fn(S, &[u8; 16]) -> S) -> S {
    let (turns, rest) = parts.as_chunks::<16>();
    let state = turns.iter().fold(start, |state, turn| turn.iter().fold(state, &add));
    let (state, rest) = fold_first::<8, S>(rest, state, &add);
    let (state, rest) = fold_first::<4, S>(rest, state, &add);
    let (state, rest) = fold_first::<2, S>(rest, state, &add);
    fold_first::<1, S>(rest, state, &add).0
}

/// Folds the first `N` parts, if there are as many; returns what is left.
#[inline(always)]
fn fold_first<const N: usize, S>(
    parts: &[[u8; 16]],
    state: S,
    add: impl Fn(S, &[u8; 16]) -> S,
) -> (S, &[[u8; 16]]) {
    match parts.split_first_chunk::<N>() {
        Some((first, rest)) => (first.iter().fold(state, add), rest),
        None => (state, parts),
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi8, _mm_and_si128, _mm_cmpeq_epi8, _mm_cvtsi128_si32, _mm_loadu_si128,
        _mm_movemask_epi8, _mm_or_si128, _mm_sad_epu8, _mm_set1_epi8, _mm_setzero_si128, _mm_srli_si128,
    };

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

    #[inline(always)]
    fn load(part: &[u8; 16]) -> Lanes {
        // SAFETY: `part` is 16 readable bytes, the load needs no alignment, and SSE2 is part of x86-64.
        unsafe { _mm_loadu_si128(part.as_ptr().cast()) }
    }

    #[inline(always)]
    pub(super) fn sum(parts: &[[u8; 16]], last: &[u8; 16], weights: &[u8; 16]) -> (u8, bool) {
        // SAFETY: SSE2 is part of x86-64, and none of these touches memory.
        unsafe {
            let last = _mm_and_si128(load(last), load(weights));
            let add = |(sums, bits), part: &[u8; 16]| {
                (_mm_add_epi8(sums, load(part)), _mm_or_si128(bits, load(part)))
            };
            let (sums, bits) = super::fold(parts, (last, last), add);
            let halves = _mm_sad_epu8(sums, _mm_setzero_si128());
            let total = _mm_cvtsi128_si32(halves) + _mm_cvtsi128_si32(_mm_srli_si128::<8>(halves));
            (total as u8, _mm_movemask_epi8(bits) == 0)
        }
    }
}

#[cfg(all(target_family = "wasm", target_feature = "simd128"))]
mod imp {
    use std::arch::wasm32::{
        i32x4_extract_lane, u8x16_add, u8x16_bitmask, u8x16_eq, u8x16_splat, u16x8_extadd_pairwise_u8x16,
        u32x4_extadd_pairwise_u16x8, v128, v128_and, v128_load, v128_or,
    };

    use super::WORD;

    pub(super) type Lanes = v128;

    #[inline(always)]
    pub(super) fn splat(byte: u8) -> Lanes {
        u8x16_splat(byte)
    }

    #[inline(always)]
    pub(super) fn mask(word: &[u8; WORD], needle: Lanes) -> u64 {
        let (parts, _) = word.as_chunks::<16>();
        parts
            .iter()
            .rev()
            .fold(0, |mask, part| mask << 16 | u64::from(u8x16_bitmask(u8x16_eq(load(part), needle))))
    }

    #[inline(always)]
    fn load(part: &[u8; 16]) -> Lanes {
        // SAFETY: `part` is 16 readable bytes and the load needs no alignment.
        unsafe { v128_load(part.as_ptr().cast()) }
    }

    #[inline(always)]
    pub(super) fn sum(parts: &[[u8; 16]], last: &[u8; 16], weights: &[u8; 16]) -> (u8, bool) {
        let last = v128_and(load(last), load(weights));
        let add = |(sums, bits), part: &[u8; 16]| (u8x16_add(sums, load(part)), v128_or(bits, load(part)));
        let (sums, bits) = super::fold(parts, (last, last), add);
        let fours = u32x4_extadd_pairwise_u16x8(u16x8_extadd_pairwise_u8x16(sums));
        let total = i32x4_extract_lane::<0>(fours)
            + i32x4_extract_lane::<1>(fours)
            + i32x4_extract_lane::<2>(fours)
            + i32x4_extract_lane::<3>(fours);
        (total as u8, u8x16_bitmask(bits) == 0)
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

    #[inline(always)]
    pub(super) fn sum(parts: &[[u8; 16]], last: &[u8; 16], weights: &[u8; 16]) -> (u8, bool) {
        let add = |(sum, ascii): (u8, bool), byte: u8| (sum.wrapping_add(byte), ascii && byte < 128);
        let start = last.iter().zip(weights).map(|(byte, weight)| byte & weight).fold((0, true), add);
        super::fold(parts, start, |state, part| part.iter().copied().fold(state, add))
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

        #[test]
        fn the_portable_sum_is_the_machine_s(bytes in prop::collection::vec(prop_oneof![0_u8..130, any::<u8>()], 16..200), seen in 0_usize..16) {
            let weights: [u8; 16] = std::array::from_fn(|lane| if lane < seen { 0 } else { 0xFF });
            let (parts, _) = bytes.as_chunks::<16>();
            let last = bytes.last_chunk().unwrap();
            prop_assert_eq!(sum(parts, last, &weights), portable::sum(parts, last, &weights));
        }
    }
}
