//! Floating-point numbers out of text, and back. A float stands for the shortest decimal number that reads as it: a text
//! is taken only if it is that number, in whatever notation.

use std::fmt::{Debug, LowerExp, Write as _};
use std::str::FromStr;

use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type};

use super::super::verdict::Code;
use super::cells::bare;
use super::number::{Parts, SHORT_DIGITS, digit, plain_code, scan, split_sign};

/// A type of floating-point numbers.
pub(super) trait Float: ArrowPrimitiveType<Native: FromStr + LowerExp + Debug + Copy> {
    /// Every number below this has few enough digits that no two of them, whatever their exponent, read as one float.
    const MAGNITUDE_MAX: u64;

    /// Divides a number below [`Self::MAGNITUDE_MAX`] by a power of ten, exactly rounded. `None` where one of the two
    /// might be rounded first.
    fn quotient(magnitude: u64, exponent: usize) -> Option<Self::Native>;

    fn negate(value: Self::Native) -> Self::Native;
    fn widen(value: Self::Native) -> f64;
    fn narrow(value: f64) -> Self::Native;
}

/// Powers of ten that are `f32` exactly; those of `f64` go on.
const POWERS_F32: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];
const POWERS_F64: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

impl Float for Float32Type {
    const MAGNITUDE_MAX: u64 = 1_000_000;

    #[inline]
    fn quotient(magnitude: u64, exponent: usize) -> Option<f32> {
        Some(magnitude as f32 / POWERS_F32.get(exponent)?)
    }

    #[inline]
    fn negate(value: f32) -> f32 {
        -value
    }

    fn widen(value: f32) -> f64 {
        value.into()
    }

    fn narrow(value: f64) -> f32 {
        value as f32
    }
}

impl Float for Float64Type {
    const MAGNITUDE_MAX: u64 = 1_000_000_000_000_000;

    #[inline]
    fn quotient(magnitude: u64, exponent: usize) -> Option<f64> {
        Some(magnitude as f64 / POWERS_F64.get(exponent)?)
    }

    #[inline]
    fn negate(value: f64) -> f64 {
        -value
    }

    fn widen(value: f64) -> f64 {
        value
    }

    fn narrow(value: f64) -> f64 {
        value
    }
}

/// Reads a number. Few digits without an exponent are taken at once; all else goes the long way.
#[inline]
pub(super) fn read<F: Float>(text: &str) -> Result<F::Native, Code> {
    let (negative, body) = split_sign(text);
    let quick = scan(body).filter(|scan| scan.magnitude < F::MAGNITUDE_MAX);
    match quick.and_then(|scan| F::quotient(scan.magnitude, scan.fraction)) {
        Some(value) if negative => Ok(F::negate(value)),
        Some(value) => Ok(value),
        None => read_long::<F>(text),
    }
}

fn read_long<F: Float>(text: &str) -> Result<F::Native, Code> {
    let (_, body) = split_sign(text);
    let Some(parts) = Parts::of(body) else { return word(text).map(F::narrow) };
    let value: F::Native = text.parse().map_err(|_| Code::Unparseable)?;
    if F::widen(value).is_infinite() {
        return Err(Code::Overflow);
    }
    let wanted = Shortest::of(value).ok_or(Code::Unparseable)?;
    if wanted.is(&parts) { Ok(value) } else { Err(Code::Lossy) }
}

/// Reads what is no number by its name.
fn word(text: &str) -> Result<f64, Code> {
    match text {
        "NaN" => Ok(f64::NAN),
        "inf" | "+inf" | "Infinity" | "+Infinity" => Ok(f64::INFINITY),
        "-inf" | "-Infinity" => Ok(f64::NEG_INFINITY),
        other => Err(word_code(other)),
    }
}

#[cold]
fn word_code(text: &str) -> Code {
    let name = bare(text);
    let name = name.strip_prefix(['+', '-']).unwrap_or(name);
    let is_name = ["nan", "inf", "infinity"].iter().any(|known| known.eq_ignore_ascii_case(name));
    if is_name { Code::Lossy } else { plain_code(text) }
}

/// The shortest decimal number that reads as a float: `d.ddde±x`, and no trailing zeros.
pub(super) struct Shortest {
    text: Short,
}

impl Shortest {
    /// Writes a number. `None` for what is none.
    pub(super) fn of<N: LowerExp>(value: N) -> Option<Self> {
        let mut text = Short::default();
        write!(text, "{value:e}").ok()?;
        let shortest = Self { text };
        shortest.parts().is_some().then_some(shortest)
    }

    pub(super) fn is_negative(&self) -> bool {
        self.text.as_bytes().starts_with(b"-")
    }

    fn parts(&self) -> Option<Parts<'_>> {
        let bytes = self.text.as_bytes();
        Parts::of(bytes.strip_prefix(b"-").unwrap_or(bytes))
    }

    /// Returns the digits as one number, and the power of ten that it is multiplied by. At most 17 digits.
    pub(super) fn scaled(&self) -> (u64, i64) {
        let Some(parts) = self.parts() else { return (0, 0) };
        let digits = parts.whole.iter().chain(parts.fraction).copied().filter_map(digit);
        let magnitude = digits.fold(0u64, |number, digit| number.wrapping_mul(10).wrapping_add(digit.into()));
        (magnitude, exponent(&parts) - parts.fraction.len() as i64)
    }

    /// Returns whether it is the number that the parts are, leaving notation aside.
    fn is(&self, parts: &Parts<'_>) -> bool {
        match compact(parts) {
            Some(number) => number == self.scaled(),
            None => self.parts().is_some_and(|own| Significant::of(&own).is(&Significant::of(parts))),
        }
    }
}

/// Returns few digits as one number without zeros at its end, and the power of ten that it is multiplied by. Zero has none.
fn compact(parts: &Parts<'_>) -> Option<(u64, i64)> {
    if parts.whole.len() + parts.fraction.len() > SHORT_DIGITS {
        return None;
    }
    let digits = parts.whole.iter().chain(parts.fraction).copied().filter_map(digit);
    let mut magnitude = digits.fold(0u64, |number, digit| number.wrapping_mul(10).wrapping_add(digit.into()));
    if magnitude == 0 {
        return Some((0, 0));
    }
    let mut power = exponent(parts).saturating_sub(parts.fraction.len() as i64);
    while magnitude.is_multiple_of(10) {
        magnitude /= 10;
        power = power.saturating_add(1);
    }
    Some((magnitude, power))
}

/// The digits that matter, and where the first of them stands.
struct Significant<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    /// So many places before the point. `None`: the number is zero.
    first: Option<i64>,
}

impl<'a> Significant<'a> {
    fn of(parts: &Parts<'a>) -> Self {
        let fraction = parts.significant_fraction();
        let first = parts.whole.iter().chain(fraction).position(|digit| *digit != b'0');
        let place = |at: usize| exponent(parts).saturating_add(parts.whole.len() as i64 - at as i64);
        Self { whole: parts.whole, fraction, first: first.map(place) }
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.iter().chain(self.fraction).copied().skip_while(|digit| *digit == b'0')
    }

    /// Zeros at the end of a whole number stand for nothing but its size, which is the place of the first digit.
    fn is(&self, other: &Significant<'_>) -> bool {
        let length = self.digits().count().max(other.digits().count());
        let (ours, others) = (padded(self.digits()), padded(other.digits()));
        self.first == other.first && ours.zip(others).take(length).all(|(one, other)| one == other)
    }
}

fn padded(digits: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
    digits.chain(std::iter::repeat(b'0'))
}

/// Returns the exponent that is written. Past all reason it is only very large.
fn exponent(parts: &Parts<'_>) -> i64 {
    let Some((negative, digits)) = parts.exponent else { return 0 };
    let digits = digits.iter().copied().filter_map(digit);
    let size = digits.fold(0i64, |number, digit| number.saturating_mul(10).saturating_add(digit.into()));
    if negative { -size } else { size }
}

/// Room for a float's shortest digits.
#[derive(Default)]
struct Short {
    bytes: [u8; 32],
    used: usize,
}

impl Short {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

impl std::fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.used + text.len();
        self.bytes.get_mut(self.used..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.used = end;
        Ok(())
    }
}
