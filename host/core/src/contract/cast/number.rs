//! Integers and decimals out of text. The fast paths take what is written plainly; whatever else is there is looked at
//! again, slowly, to say what is wrong with it.

use super::super::Decoding;
use super::super::verdict::Code;
use super::CannotCast;
use super::cells::bare;

/// Digits that fit 64 bits whatever they are.
pub(super) const SHORT_DIGITS: usize = 19;
/// Most digits of a `Decimal128`.
const DIGITS_MAX: usize = 38;

/// Powers of ten that 128 bits hold.
const POWERS: [u128; DIGITS_MAX + 1] = powers();

#[expect(
    clippy::indexing_slicing,
    reason = "computed when compiled, where a bad index is no panic but an error"
)]
const fn powers() -> [u128; DIGITS_MAX + 1] {
    let mut powers = [1; DIGITS_MAX + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
}

/// Returns a power of ten, or `None` past 10^38.
#[inline]
pub(super) fn power(exponent: usize) -> Option<u128> {
    POWERS.get(exponent).copied()
}

/// How numbers are written.
#[derive(Debug, Clone)]
pub(super) struct Notation {
    decimal: char,
    group: Option<char>,
}

impl Notation {
    /// Takes the characters of a decoding. Those that numbers have other uses for are refused.
    pub(super) fn new(decoding: &Decoding) -> Result<Self, CannotCast> {
        let Decoding { decimal_char, group_char, .. } = *decoding;
        let refuse = |why| Err(CannotCast::Decoding { why });
        if decimal_char.is_whitespace() || !is_free(decimal_char) {
            return refuse(format!("{decimal_char:?} cannot stand before a fraction"));
        }
        match group_char {
            Some(group) if !is_free(group) => {
                refuse(format!("{group:?} cannot stand between groups of digits"))
            }
            Some(group) if group == decimal_char => {
                refuse(format!("{group:?} stands between groups of digits and before a fraction"))
            }
            group => Ok(Self { decimal: decimal_char, group }),
        }
    }

    /// Reads a number in this notation with a reader of plain ones. `plain` is room that is used again.
    #[inline]
    pub(super) fn read<N>(
        &self,
        text: &str,
        plain: &mut String,
        read: impl FnOnce(&str) -> Result<N, Code>,
    ) -> Result<N, Code> {
        if self.decimal == '.' && self.group.is_none() {
            return read(text);
        }
        match self.simplify(text, plain) {
            Some(()) => read(plain),
            None => Err(self.code(text)),
        }
    }

    /// Writes the number with a point and without groups. `None` where the text is not written in this notation.
    fn simplify(&self, text: &str, plain: &mut String) -> Option<()> {
        plain.clear();
        let (whole, fraction) = match text.split_once(self.decimal) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        self.join_groups(whole, plain)?;
        if let Some(fraction) = fraction {
            plain.push('.');
            plain.push_str(fraction);
        }
        // A point that is not ours would now be taken for one.
        let is_ours = |rest: &str| self.decimal == '.' || !rest.contains('.');
        let whole = plain.get(..plain.len() - fraction.map_or(0, |fraction| fraction.len() + 1))?;
        (is_ours(whole) && is_ours(fraction.unwrap_or_default())).then_some(())
    }

    /// Leaves the group characters out. Where there are any, they stand before every three digits.
    fn join_groups(&self, whole: &str, plain: &mut String) -> Option<()> {
        let Some((first, rest)) = self.group.and_then(|group| whole.split_once(group)) else {
            plain.push_str(whole);
            return Some(());
        };
        let is_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
        let leading = first.strip_prefix(['+', '-']).unwrap_or(first);
        if !(1..=3).contains(&leading.len()) || !is_digits(leading) {
            return None;
        }
        plain.push_str(first);
        for group in rest.split(self.group?) {
            if group.len() != 3 || !is_digits(group) {
                return None;
            }
            plain.push_str(group);
        }
        Some(())
    }

    /// Returns what is wrong with a text that is no number in this notation.
    #[cold]
    fn code(&self, text: &str) -> Code {
        code(text, self.decimal)
    }
}

/// Whether a character has no other use in a number.
fn is_free(c: char) -> bool {
    !(c.is_alphanumeric() || c.is_control() || matches!(c, '+' | '-' | '\u{2212}' | '\u{feff}'))
}

/// Takes the sign off: whether it is negative, and what is left.
#[inline]
pub(super) fn split_sign(text: &str) -> (bool, &[u8]) {
    match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    }
}

/// Reads a whole number.
#[inline]
pub(super) fn integer<N: TryFrom<i128>>(text: &str) -> Result<N, Code> {
    let (negative, digits) = split_sign(text);
    let magnitude = match digits {
        [b'0'] if !negative => 0,
        [b'1'..=b'9', ..] => magnitude(digits).ok_or_else(|| plain_code(text))??,
        _ => return Err(plain_code(text)),
    };
    let number = if negative { -magnitude } else { magnitude };
    N::try_from(number).map_err(|_| Code::Overflow)
}

/// Reads digits. `None` where something else is among them.
#[inline]
fn magnitude(digits: &[u8]) -> Option<Result<i128, Code>> {
    if digits.len() > SHORT_DIGITS {
        return long_magnitude(digits);
    }
    let mut number = 0u64;
    for byte in digits {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit(*byte)?));
    }
    Some(Ok(number.into()))
}

#[cold]
fn long_magnitude(digits: &[u8]) -> Option<Result<i128, Code>> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .try_fold(0i128, |number, byte| number.checked_mul(10)?.checked_add(i128::from(digit(*byte)?)));
    Some(number.ok_or(Code::Overflow))
}

#[inline]
pub(super) fn digit(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(digit)
}

#[inline]
pub(super) fn two(tens: u8, ones: u8) -> Option<u32> {
    Some(u32::from(digit(tens)?) * 10 + u32::from(digit(ones)?))
}

/// The digits of a number and where its point stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    /// All digits, as one number.
    pub(super) magnitude: u64,
    /// Digits behind the point.
    pub(super) fraction: usize,
}

/// Reads digits with a point or without, if they are few and written plainly. `None` sends the text the long way.
#[inline]
pub(super) fn scan(body: &[u8]) -> Option<Scan> {
    if body.len() > SHORT_DIGITS {
        return None;
    }
    let mut magnitude = 0u64;
    let mut point = None;
    for (at, byte) in body.iter().enumerate() {
        match digit(*byte) {
            Some(digit) => magnitude = magnitude.wrapping_mul(10).wrapping_add(u64::from(digit)),
            None if *byte == b'.' && point.is_none() => point = Some(at),
            None => return None,
        }
    }
    let whole = point.unwrap_or(body.len());
    let is_padded = whole > 1 && body.first() == Some(&b'0');
    let fraction = point.map_or(0, |at| body.len() - at - 1);
    (whole > 0 && !is_padded && (point.is_none() || fraction > 0)).then_some(Scan { magnitude, fraction })
}

/// Reads a decimal number as so many units of its last place.
#[inline]
pub(super) fn decimal(text: &str, precision: u8, scale: usize) -> Result<i128, Code> {
    let (negative, body) = split_sign(text);
    let quick = scan(body).filter(|scan| scan.fraction <= scale && !(negative && scan.magnitude == 0));
    let Some(quick) = quick else { return long_decimal(text, precision, scale) };
    let factor = power(scale - quick.fraction).ok_or(Code::Overflow)?;
    let units = u128::from(quick.magnitude).checked_mul(factor).ok_or(Code::Overflow)?;
    signed(negative, units, precision)
}

/// Reads a decimal number of any length.
#[cold]
fn long_decimal(text: &str, precision: u8, scale: usize) -> Result<i128, Code> {
    let (negative, body) = split_sign(text);
    let parts = Parts::of(body).filter(|parts| parts.exponent.is_none()).ok_or_else(|| plain_code(text))?;
    let is_pointed = parts.whole.len() < body.len();
    let fraction = parts.significant_fraction();
    if fraction.len() > scale || (is_pointed && scale == 0) {
        return Err(Code::Lossy);
    }
    let digits = parts.whole.iter().chain(fraction);
    let number = digits
        .copied()
        .filter_map(digit)
        .try_fold(0u128, |number, digit| number.checked_mul(10)?.checked_add(digit.into()));
    if number == Some(0) {
        return if negative { Err(Code::Lossy) } else { Ok(0) };
    }
    let units =
        number.zip(power(scale - fraction.len())).and_then(|(number, factor)| number.checked_mul(factor));
    signed(negative, units.ok_or(Code::Overflow)?, precision)
}

/// Gives a number its sign, if it has no more digits than it may.
#[inline]
pub(super) fn signed(negative: bool, units: u128, precision: u8) -> Result<i128, Code> {
    match power(precision.into()) {
        Some(limit) if units >= limit => Err(Code::Overflow),
        _ => {
            let units = i128::try_from(units).map_err(|_| Code::Overflow)?;
            Ok(if negative { -units } else { units })
        }
    }
}

/// A number without its sign, taken apart. Each part is as it should be: no padding, no point without digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) whole: &'a [u8],
    pub(super) fraction: &'a [u8],
    /// The digits behind the `e`, and whether they are negative.
    pub(super) exponent: Option<(bool, &'a [u8])>,
}

impl<'a> Parts<'a> {
    /// Takes a number apart: `0|[1-9][0-9]*`, then `.[0-9]+`, then `[eE][+-]?[0-9]+`, the last two or not.
    pub(super) fn of(body: &'a [u8]) -> Option<Self> {
        let (whole, rest) = split_digits(body);
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) {
            return None;
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => Some(split_digits(rest)).filter(|(fraction, _)| !fraction.is_empty())?,
            rest => (&[][..], rest),
        };
        let exponent = match rest {
            [] => None,
            [b'e' | b'E', b'-', digits @ ..] => Some((true, digits)),
            [b'e' | b'E', b'+', digits @ ..] | [b'e' | b'E', digits @ ..] => Some((false, digits)),
            _ => return None,
        };
        let is_exponent = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        exponent.is_none_or(|(_, digits)| is_exponent(digits)).then_some(Self { whole, fraction, exponent })
    }

    /// Returns the fraction without its trailing zeros.
    pub(super) fn significant_fraction(&self) -> &'a [u8] {
        let end = self.fraction.iter().rposition(|digit| *digit != b'0').map_or(0, |at| at + 1);
        self.fraction.split_at(end).0
    }
}

fn split_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len()))
}

/// Returns what is wrong with a text that is no number in plain notation.
#[cold]
pub(super) fn plain_code(text: &str) -> Code {
    code(text, '.')
}

/// A text that reads as a number when one is lenient, about white space, padding, separators and exponents, would come
/// back another text.
fn code(text: &str, decimal: char) -> Code {
    match is_near(text, decimal) {
        true => Code::Lossy,
        false => Code::Unparseable,
    }
}

fn is_near(text: &str, decimal: char) -> bool {
    let text = bare(text);
    let body = text.strip_prefix(['+', '-', '\u{2212}']).unwrap_or(text);
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (body, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = |text: &str| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        !digits.is_empty() && is_digits(digits)
    };
    let (whole, fraction) = mantissa.split_once(decimal).unwrap_or((mantissa, ""));
    let has_digits = !(whole.is_empty() && fraction.is_empty());
    has_digits && is_near_whole(whole, decimal) && is_digits(fraction) && exponent.is_none_or(is_exponent)
}

/// Whether there is nothing, or digits with single separators between them.
fn is_near_whole(whole: &str, decimal: char) -> bool {
    let is_separator = |c: char| c != decimal && "_',. \u{a0}\u{2009}\u{202f}".contains(c);
    let groups = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    whole.is_empty() || whole.split(is_separator).all(groups)
}
