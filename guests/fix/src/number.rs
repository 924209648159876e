//! Numbers out of text, exactly or not at all.

/// Digits behind the point in every decimal column.
pub const SCALE: u32 = 10;
/// Digits in all that a decimal column holds.
pub const PRECISION: u32 = 38;

const TEN_TO_SCALE: i128 = 10i128.pow(SCALE);
const LIMIT: i128 = 10i128.pow(PRECISION);
/// 10^0 to 10^10, to bring a fraction to [`SCALE`].
const POWERS: [u64; SCALE as usize + 1] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000];

/// Reads the FIX float (`-12.5`, `.5`, `7.`) at `block[start..end]` as units of 10^-[`SCALE`]; `None` where it is none or does
/// not fit exactly. Fastest where `block` begins eight bytes before it and goes on for sixteen.
// Called, it takes about twice as long in a metered guest.
#[inline(always)]
pub fn decimal(block: &[u8], start: usize, end: usize) -> Option<i128> {
    let negative = start < end && block.get(start) == Some(&b'-');
    let start = start + usize::from(negative);
    let units = match short_decimal(block, start, end) {
        Some(units) => i128::from(units),
        None => long_decimal(block.get(start..end)?)?,
    };
    Some(if negative { -units } else { units })
}

/// At most eight digits before the point and eight behind it: nearly all there are. No loop, for where loops are dear.
#[inline(always)]
fn short_decimal(block: &[u8], start: usize, end: usize) -> Option<u64> {
    let length = end.checked_sub(start)?;
    let [low, high] = block.get(start..start + 16)?.as_chunks::<8>().0 else { return None };
    let point = match (point_in(low), point_in(high)) {
        (8, behind) => 8 + behind,
        (at, _) => at,
    };
    let whole = point.min(length);
    let fraction = length.saturating_sub(point + 1);
    if whole > 8 || fraction > 8 || whole + fraction == 0 {
        return None;
    }
    let whole = digits_before(block, start + whole, whole)?;
    let behind = digits_before(block, end, fraction)?;
    // Eight digits and ten more fit 64 bits with room to spare.
    Some(whole * POWERS[SCALE as usize] + behind * POWERS[SCALE as usize - fraction])
}

/// Where the first point of eight bytes stands; 8 where there is none.
#[inline(always)]
fn point_in(bytes: &[u8; 8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let apart = u64::from_le_bytes(*bytes) ^ (ONES * b'.' as u64);
    ((apart.wrapping_sub(ONES) & !apart & (ONES << 7)).trailing_zeros() >> 3) as usize
}

/// The number that the `count` (0 to 8) digits before `end` are.
#[inline(always)]
fn digits_before(block: &[u8], end: usize, count: usize) -> Option<u64> {
    const ZEROS: u64 = u64::from_le_bytes(*b"00000000");
    let eight = block.get(end.checked_sub(8)?..end)?.first_chunk()?;
    let kept = u64::MAX.checked_shl(64 - 8 * count as u32).unwrap_or(0);
    let digits = (u64::from_le_bytes(*eight) ^ ZEROS) & kept;
    if (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF)
}

#[cold]
fn long_decimal(text: &[u8]) -> Option<i128> {
    let point = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &text[text.len()..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (kept, beyond) = fraction.split_at(fraction.len().min(SCALE as usize));
    if beyond.iter().any(|byte| *byte != b'0') {
        return None; // more digits than the column has: not the same number
    }
    let units = digits(whole)?.checked_mul(TEN_TO_SCALE)?;
    let fraction = digits(kept)?.checked_mul(i128::from(POWERS[SCALE as usize - kept.len()]))?;
    units.checked_add(fraction).filter(|units| *units < LIMIT)
}

fn digits(text: &[u8]) -> Option<i128> {
    text.iter().try_fold(0i128, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(i128::from(digit)) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_exact_or_none() {
        let cases: [(&str, Option<i128>); 18] = [
            ("1", Some(10_000_000_000)),
            ("-1.5", Some(-15_000_000_000)),
            ("00023.23", Some(232_300_000_000)),
            (".5", Some(5_000_000_000)),
            ("7.", Some(70_000_000_000)),
            ("0.0000000001", Some(1)),
            ("0.00000000010", Some(1)),
            ("0.00000000001", None),
            ("999999999.9999999999", Some(9_999_999_999_999_999_999)),
            ("123456789012345678", Some(1_234_567_890_123_456_780_000_000_000)),
            ("9999999999999999999999999999.9999999999", Some(LIMIT - 1)),
            ("10000000000000000000000000000", None),
            ("", None),
            (".", None),
            ("-", None),
            ("1.2.3", None),
            ("1,5", None),
            ("+1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(decimal(text.as_bytes(), 0, text.len()), expected, "{text}");
            let block = format!("38=1.234{text}\x0110=1.34.55555555555");
            assert_eq!(decimal(block.as_bytes(), 8, 8 + text.len()), expected, "{text}");
        }
    }

    #[test]
    fn the_short_way_and_the_long_way_agree() {
        let mut state = 7u64;
        for _ in 0..400_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let length = (state >> 59) as usize % 20;
            let digit = |at: usize| b"0123456789.9876543210.x"[((state >> (at * 2)) % 23) as usize];
            let text: Vec<u8> = (0..length).map(digit).collect();
            let block = [b"8=FIX.4.".as_slice(), &text, b".1234567.9abcdef"].concat();
            if let Some(short) = short_decimal(&block, 8, 8 + length) {
                assert_eq!(
                    Some(i128::from(short)),
                    long_decimal(&text),
                    "{}",
                    String::from_utf8_lossy(&text)
                );
            }
        }
    }
}
