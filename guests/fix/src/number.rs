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

/// Reads a FIX float (`-12.5`, `.5`, `7.`) as units of 10^-[`SCALE`]; `None` where it is none or does not fit exactly.
#[inline]
pub fn decimal(text: &[u8]) -> Option<i128> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let units = match short_decimal(digits) {
        Some(units) => i128::from(units),
        None => long_decimal(digits)?,
    };
    Some(if negative { -units } else { units })
}

/// At most nine digits before the point and ten behind it, which a u64 holds in units: nearly all there are.
#[inline]
fn short_decimal(text: &[u8]) -> Option<u64> {
    if text.len() > 18 {
        return None; // and so at most 18 digits are added up, which cannot overflow
    }
    let (mut value, mut wrong, mut point) = (0u64, false, text.len());
    for (at, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        } else {
            wrong |= *byte != b'.' || point != text.len();
            point = at;
        }
    }
    let fraction = (text.len() - point).saturating_sub(1);
    if wrong || point > 9 || point + fraction == 0 || fraction > SCALE as usize {
        return None;
    }
    Some(value * POWERS[SCALE as usize - fraction])
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
            assert_eq!(decimal(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn the_short_way_and_the_long_way_agree() {
        let mut state = 7u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let length = (state >> 60) as usize + 1;
            let text: Vec<u8> = (0..length)
                .map(|at| b"0123456789.9876543210.x"[((state >> (at * 4)) % 23) as usize])
                .collect();
            if let Some(short) = short_decimal(&text) {
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
