//! Numbers from digits, eight digits to a step.

/// Digits that certainly fit `u64`.
const SURE: usize = 19;

/// Reads an unsigned decimal integer: 1 digit or more and nothing else. `None` where it is anything else or does not fit.
#[inline]
pub fn parse_u64(digits: &[u8]) -> Option<u64> {
    match digits.len() {
        0 => None,
        1..=3 => digits.iter().try_fold(0, |value, byte| Some(value * 10 + digit(*byte)?)),
        4..=8 => up_to_eight(digits),
        9..=SURE => {
            let (head, tail) = digits.split_at(digits.len() - 8);
            // At most 11 digits and then 8: no overflow.
            Some(parse_u64(head)? * 100_000_000 + up_to_eight(tail)?)
        }
        _ => long(digits),
    }
}

#[inline]
fn digit(byte: u8) -> Option<u64> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(u64::from(value))
}

/// Reads 4 to 8 digits: the first four and the last four, laid over each other, are all of them.
#[inline]
fn up_to_eight(digits: &[u8]) -> Option<u64> {
    let head = u64::from(u32::from_le_bytes(*digits.first_chunk()?));
    let tail = u64::from(u32::from_le_bytes(*digits.last_chunk()?));
    let missing = 8 * (8 - digits.len() as u32);
    let zeros = 0x3030_3030_3030_3030 & !(u64::MAX << missing);
    eight(tail << 32 | head << missing | zeros)
}

/// Reads eight digits, the first in the lowest byte.
#[inline]
fn eight(word: u64) -> Option<u64> {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    // A digit's upper half is 3, and still is with 6 added.
    let differ = (word ^ ZEROS) | (word.wrapping_add(0x0606_0606_0606_0606) ^ ZEROS);
    if differ & HIGH != 0 {
        return None;
    }
    let pairs = (word & 0x0F0F_0F0F_0F0F_0F0F).wrapping_mul(10 << 8 | 1) >> 8 & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(10_000 << 32 | 1) >> 32)
}

/// Reads 20 digits or more, of which the first may be zeros.
#[cold]
fn long(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, byte| value.checked_mul(10)?.checked_add(digit(*byte)?))
}

/// Reads a decimal integer with an optional sign (`-` or `+`). `None` where it is anything else or does not fit.
#[inline]
pub fn parse_i64(digits: &[u8]) -> Option<i64> {
    match digits {
        [b'-', rest @ ..] => 0_i64.checked_sub_unsigned(parse_u64(rest)?),
        [b'+', rest @ ..] => i64::try_from(parse_u64(rest)?).ok(),
        _ => i64::try_from(parse_u64(digits)?).ok(),
    }
}

/// Powers of ten that fit `u64`.
const TENS: [u64; SURE + 1] = {
    let mut tens = [1; SURE + 1];
    let mut at = 1;
    while at < tens.len() {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
};

/// Reads a decimal number (`[+-]digits[.digits]`; the digits on one side of the point may be missing) as an integer in units of
/// its `scale`th fractional digit: `1.5` at scale 2 is 150. `None` where it is anything else, has digits other than zero past the
/// scale, or needs more than 38 digits.
#[inline]
pub fn parse_decimal(text: &[u8], scale: u32) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let value = small_decimal(digits, scale)
        .map_or_else(|| large_decimal(digits, scale), |value| Some(i128::from(value)))?;
    Some(if negative { -value } else { value })
}

/// The usual case: everything fits `u64`.
#[inline]
fn small_decimal(digits: &[u8], scale: u32) -> Option<u64> {
    if digits.len() > SURE {
        return None;
    }
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = (digits.get(..point)?, digits.get(point + 1..).unwrap_or_default());
    let mut value = parse_u64(whole)?;
    if !fraction.is_empty() {
        value = value * TENS.get(fraction.len())? + parse_u64(fraction)?;
    }
    let factor = *TENS.get((scale as usize).checked_sub(fraction.len())?)?;
    // Cheaper than a checked multiplication where that takes 128 bits.
    (value <= u64::from(u32::MAX) && factor <= u64::from(u32::MAX) || value <= u64::MAX / factor)
        .then(|| value * factor)
}

/// Any case: one digit at a time, checked.
#[cold]
#[inline(never)]
fn large_decimal(digits: &[u8], scale: u32) -> Option<i128> {
    const LIMIT: i128 = 10_i128.pow(38);
    let (mut value, mut any, mut point, mut missing) = (0_i128, false, false, scale);
    for byte in digits {
        match (*byte, point) {
            (b'.', false) => point = true,
            (b'0', true) if missing == 0 => any = true,
            _ => {
                missing = if point { missing.checked_sub(1)? } else { missing };
                value = value * 10 + i128::from(digit(*byte)?);
                any = true;
            }
        }
        if value >= LIMIT {
            return None;
        }
    }
    let value = value.checked_mul(10_i128.checked_pow(missing)?)?;
    (any && value < LIMIT).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(text: &[u8]) -> Option<u64> {
        let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        if digits { std::str::from_utf8(text).unwrap().parse().ok() } else { None }
    }

    proptest! {
        #[test]
        fn an_integer_is_what_the_standard_library_reads(text in "[0-9]{0,24}", wrong in any::<u8>(), at in 0_usize..24) {
            let mut bytes = text.into_bytes();
            prop_assert_eq!(parse_u64(&bytes), naive(&bytes));
            if at < bytes.len() {
                bytes[at] = wrong;
                prop_assert_eq!(parse_u64(&bytes), naive(&bytes));
            }
        }

        #[test]
        fn every_integer_comes_back(value in any::<u64>(), signed in any::<i64>(), shift in 0_u32..64) {
            prop_assert_eq!(parse_u64((value >> shift).to_string().as_bytes()), Some(value >> shift));
            prop_assert_eq!(parse_i64((signed >> shift).to_string().as_bytes()), Some(signed >> shift));
        }

        #[test]
        fn every_decimal_comes_back(value in -(10_i128.pow(38) - 1)..10_i128.pow(38), shift in 0_u32..38, scale in 0_u32..20) {
            let value = value / 10_i128.pow(shift);
            let (whole, fraction) = (value.abs() / 10_i128.pow(scale), value.abs() % 10_i128.pow(scale));
            let sign = if value < 0 { "-" } else { "" };
            let text = format!("{sign}{whole}.{fraction:0width$}", width = scale as usize);
            prop_assert_eq!(parse_decimal(text.as_bytes(), scale), Some(value), "{}", text);
        }

        #[test]
        fn both_ways_to_read_a_decimal_agree(text in "[0-9]{0,12}\\.?[0-9]{0,12}", scale in 0_u32..12) {
            if let Some(small) = small_decimal(text.as_bytes(), scale) {
                prop_assert_eq!(large_decimal(text.as_bytes(), scale), Some(i128::from(small)));
            }
        }
    }

    #[test]
    fn what_is_no_decimal_or_does_not_fit_the_scale_is_none() {
        for bad in ["", ".", "-", "+.", "1.2.3", "1e5", " 1", "--1", "0x1", "1.001", "\u{661}"] {
            assert_eq!(parse_decimal(bad.as_bytes(), 2), None, "{bad}");
        }
        for (good, value) in
            [("1.5", 150), ("-.5", -50), ("5.", 500), ("+7", 700), ("1.2300", 123), ("00.10", 10), ("-0", 0)]
        {
            assert_eq!(parse_decimal(good.as_bytes(), 2), Some(value), "{good}");
        }
    }

    #[test]
    fn an_integer_past_its_type_is_none() {
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"000000000000000000000018446744073709551615"), Some(u64::MAX));
        assert_eq!(
            (parse_i64(b"-9223372036854775808"), parse_i64(b"9223372036854775808")),
            (Some(i64::MIN), None)
        );
        assert_eq!((parse_i64(b"+-1"), parse_i64(b"")), (None, None));
    }

    #[test]
    fn no_byte_but_a_digit_is_read_in_any_place() {
        for (len, at) in (1..=20).flat_map(|len| (0..len).map(move |at| (len, at))) {
            for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_digit()) {
                let mut digits = vec![b'1'; len];
                digits[at] = byte;
                assert_eq!(parse_u64(&digits), None, "{byte} at {at} of {len}");
            }
        }
    }
}
