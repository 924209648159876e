//! What a cell looks like: a number, a date, a time, a word. Nothing is converted; this is evidence for what a table is.

/// What a cell looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing, or white space.
    Empty,
    /// A whole number, grouped or not.
    Integer,
    /// A number with a point before its fraction.
    PointDecimal,
    /// A number with a comma before its fraction.
    CommaDecimal,
    /// A day.
    Date(Order),
    /// A day and a time of day.
    DateTime(Order),
    /// A time of day.
    Time,
    /// `true`, `no`, and the like.
    Flag,
    /// Anything else.
    Text,
}

/// In which order the parts of a day stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// 2025-03-14
    YearFirst,
    /// 14.03.2025, where the day is above 12.
    DayFirst,
    /// 03/14/2025, where the day is above 12.
    MonthFirst,
    /// 03/04/2025: who knows?
    Either,
}

/// Kinds that a column can be of, as far as a table's shape is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Family {
    /// Words, or a mixture.
    #[default]
    Text = 0,
    /// Numbers.
    Number = 1,
    /// Days, with or without a time.
    Day = 2,
    /// Times of day.
    Time = 3,
    /// Yes and no.
    Flag = 4,
}

impl Family {
    /// All of them, by their number.
    pub const ALL: [Family; 5] = [Family::Text, Family::Number, Family::Day, Family::Time, Family::Flag];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        ["text", "number", "date", "time", "flag"][self as usize]
    }
}

impl Kind {
    /// Returns what a cell looks like. White space around it does not count.
    pub fn of(cell: &[u8]) -> Kind {
        let cell = cell.trim_ascii();
        match cell {
            [] => Kind::Empty,
            _ if cell.len() > 40 => Kind::Text,
            // No number and no day begins with a letter.
            [b'A'..=b'Z' | b'a'..=b'z', ..] => flag(cell).unwrap_or(Kind::Text),
            _ => number(cell).or_else(|| day(cell)).or_else(|| flag(cell)).unwrap_or(Kind::Text),
        }
    }

    /// Returns the family that it belongs to; none for an empty cell.
    pub fn family(self) -> Option<Family> {
        match self {
            Kind::Empty => None,
            Kind::Integer | Kind::PointDecimal | Kind::CommaDecimal => Some(Family::Number),
            Kind::Date(_) | Kind::DateTime(_) => Some(Family::Day),
            Kind::Time => Some(Family::Time),
            Kind::Flag => Some(Family::Flag),
            Kind::Text => Some(Family::Text),
        }
    }
}

/// A sign, a currency or a per cent sign may stand around a number; brackets mean minus to bookkeepers.
fn number(cell: &[u8]) -> Option<Kind> {
    let inner = cell.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")")).unwrap_or(cell);
    let inner = inner.strip_prefix(b"$").or_else(|| inner.strip_prefix("€".as_bytes())).unwrap_or(inner);
    let inner = inner.strip_suffix(b"%").or_else(|| inner.strip_suffix("€".as_bytes())).unwrap_or(inner);
    let inner = inner.trim_ascii();
    let inner = inner.strip_prefix(b"-").or_else(|| inner.strip_prefix(b"+")).unwrap_or(inner);
    let inner = inner.strip_suffix(b"-").filter(|rest| !rest.is_empty()).unwrap_or(inner);
    let (mantissa, has_exponent) = without_exponent(inner);
    let plain = digits(mantissa, has_exponent);
    plain.or_else(|| grouped(mantissa).filter(|_| !has_exponent))
}

fn without_exponent(number: &[u8]) -> (&[u8], bool) {
    let Some(at) = number.iter().position(|byte| matches!(byte, b'e' | b'E')) else { return (number, false) };
    let power = &number[at + 1..];
    let power = power.strip_prefix(b"-").or_else(|| power.strip_prefix(b"+")).unwrap_or(power);
    let is_power = (1..=3).contains(&power.len()) && power.iter().all(u8::is_ascii_digit);
    if is_power { (&number[..at], true) } else { (number, false) }
}

/// Digits with at most one mark among them.
fn digits(number: &[u8], has_exponent: bool) -> Option<Kind> {
    let mut mark = None;
    let mut count = 0;
    for byte in number {
        match byte {
            b'0'..=b'9' => count += 1,
            b'.' | b',' if mark.is_none() => mark = Some(*byte),
            _ => return None,
        }
    }
    match mark {
        _ if count == 0 || number.ends_with(b",") => None,
        Some(b',') => Some(Kind::CommaDecimal),
        Some(_) => Some(Kind::PointDecimal),
        None if has_exponent => Some(Kind::PointDecimal),
        None => Some(Kind::Integer),
    }
}

/// Groups of three, then perhaps another mark and a fraction: 1,234,567.89 or 1.234.567,89.
fn grouped(number: &[u8]) -> Option<Kind> {
    let mark = *number.iter().find(|byte| !byte.is_ascii_digit())?;
    if !matches!(mark, b',' | b'.' | b'\'' | b' ' | b'_') {
        return None;
    }
    let other = number.iter().position(|byte| !byte.is_ascii_digit() && *byte != mark);
    let (whole, fraction) = other.map_or((number, None), |at| (&number[..at], Some(&number[at..])));
    let mut groups = whole.split(|byte| *byte == mark);
    let first = groups.next().is_some_and(|group| (1..=3).contains(&group.len()));
    if !first || !groups.all(|group| group.len() == 3) {
        return None;
    }
    match fraction {
        None => Some(Kind::Integer),
        Some([b'.', rest @ ..]) if rest.iter().all(u8::is_ascii_digit) => Some(Kind::PointDecimal),
        Some([b',', rest @ ..]) if rest.iter().all(u8::is_ascii_digit) => Some(Kind::CommaDecimal),
        Some(_) => None,
    }
}

fn day(cell: &[u8]) -> Option<Kind> {
    if !cell.first()?.is_ascii_digit() {
        return None;
    }
    if let Some(rest) = time(cell) {
        return rest.is_empty().then_some(Kind::Time);
    }
    let (order, rest) = date(cell)?;
    match rest {
        [] => Some(Kind::Date(order)),
        [b'T' | b' ' | b'-' | b':', clock @ ..] => zone(time(clock)?).then_some(Kind::DateTime(order)),
        _ => None,
    }
}

/// Three numbers with the same mark between them, one of four digits or all of at most two. Returns what follows.
fn date(cell: &[u8]) -> Option<(Order, &[u8])> {
    let (first, first_len, rest) = small(cell)?;
    let [mark @ (b'-' | b'/' | b'.'), rest @ ..] = rest else { return None };
    let (second, second_len, rest) = small(rest)?;
    let rest = rest.strip_prefix(&[*mark])?;
    let (third, third_len, rest) = small(rest)?;
    let order = match (first_len, second_len, third_len) {
        (4, 1..=2, 1..=2) if second <= 12 && third <= 31 => Order::YearFirst,
        (1..=2, 1..=2, 2 | 4) => match (first, second) {
            (13..=31, 1..=12) => Order::DayFirst,
            (1..=12, 13..=31) => Order::MonthFirst,
            (1..=12, 1..=12) => Order::Either,
            _ => return None,
        },
        _ => return None,
    };
    (third > 0 || third_len != 4).then_some((order, rest))
}

/// A number of up to four digits, how many they are, and what follows.
fn small(bytes: &[u8]) -> Option<(u32, usize, &[u8])> {
    let len = bytes.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let value = bytes[..len].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    (1..=4).contains(&len).then(|| (value, len, &bytes[len..]))
}

/// Hours and minutes, perhaps seconds and their fraction. Returns what follows.
fn time(bytes: &[u8]) -> Option<&[u8]> {
    let (hours, 1..=2, rest) = small(bytes)? else { return None };
    let (minutes, 2, rest) = small(rest.strip_prefix(b":")?)? else { return None };
    if hours > 24 || minutes > 59 {
        return None;
    }
    let Some(seconds) = rest.strip_prefix(b":") else { return Some(rest) };
    let (seconds, 2, rest) = small(seconds)? else { return None };
    let rest = match rest {
        [b'.' | b',', fraction @ ..] => {
            &fraction[fraction.iter().take_while(|byte| byte.is_ascii_digit()).count()..]
        }
        _ => rest,
    };
    (seconds <= 60).then_some(rest)
}

/// What may stand behind a time: nothing, Z, UTC, an offset, AM or PM.
fn zone(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii();
    match rest {
        [] | b"Z" | b"UTC" | b"AM" | b"PM" | b"am" | b"pm" => true,
        [b'+' | b'-', digits @ ..] => {
            (2..=5).contains(&digits.len())
                && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b':')
        }
        _ => false,
    }
}

fn flag(cell: &[u8]) -> Option<Kind> {
    const FLAGS: [&[u8]; 4] = [b"true", b"false", b"yes", b"no"];
    FLAGS.iter().any(|word| cell.eq_ignore_ascii_case(word)).then_some(Kind::Flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(cell: &str) -> Kind {
        Kind::of(cell.as_bytes())
    }

    #[test]
    fn numbers_are_known_in_many_coats() {
        for whole in ["0", "-17", "+4", "1,234,567", "12'000", "1 000"] {
            assert!(matches!(kind(whole), Kind::Integer), "{whole}: {:?}", kind(whole));
        }
        for point in ["0.5", "-.5", "1e9", "1.5E-3", "1,234.50", "$3.20", "(12.00)", "7.5%"] {
            assert_eq!(kind(point), Kind::PointDecimal, "{point}");
        }
        for comma in ["0,5", "48.179,53", "1.234.567,8", "3,20 €"] {
            assert_eq!(kind(comma), Kind::CommaDecimal, "{comma}");
        }
        for none in ["", "-", ".", "1-2", "1e", "12a", "1,", "1.2.3.4", "1,2,3", "e5"] {
            assert_eq!(kind(none).family().filter(|family| *family == Family::Number), None, "{none}");
        }
    }

    #[test]
    fn days_and_times_tell_their_order() {
        assert_eq!(kind("2025-03-14"), Kind::Date(Order::YearFirst));
        assert_eq!(kind("14.03.2025"), Kind::Date(Order::DayFirst));
        assert_eq!(kind("03/14/25"), Kind::Date(Order::MonthFirst));
        assert_eq!(kind("03/04/2025"), Kind::Date(Order::Either));
        assert_eq!(kind("2025-03-14T10:00:00.123+02:00"), Kind::DateTime(Order::YearFirst));
        assert_eq!(kind("10:00"), Kind::Time);
        assert_eq!(kind("25-03-14-9"), Kind::Text);
        assert_eq!(kind("99.99.2025"), Kind::Text);
    }
}
