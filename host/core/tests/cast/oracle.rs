//! What may get lost on the way from a text to a value: the specification's table, read by somebody slow who sees the
//! text that went in and the text that the value is written as, and nothing else.

use arrow_schema::DataType;

/// Returns whether a text and the canonical text of a value differ in nothing but what is declared insignificant, under
/// the default decoding.
pub(crate) fn is_same(text: &str, written: &str, data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal128(_, 0) => unsigned(text) == written,
        DataType::Decimal128(..) => short_fraction(unsigned(text)) == short_fraction(written),
        DataType::Float32 | DataType::Float64 => number(text).is_some() && number(text) == number(written),
        DataType::Time32(_) | DataType::Time64(_) => short_fraction(text) == short_fraction(written),
        DataType::Timestamp(_, None) => local(text) == local(written),
        DataType::Timestamp(_, Some(_)) => instant(text) == instant(written),
        other if other.is_integer() => unsigned(text) == written,
        _ => text == written,
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix('+').unwrap_or(text)
}

/// Takes zeros off the end of a fraction, and the point of a fraction that was nothing but zeros.
fn short_fraction(text: &str) -> &str {
    match text.split_once('.') {
        Some((_, fraction)) if !fraction.is_empty() => text.trim_end_matches('0').trim_end_matches('.'),
        _ => text,
    }
}

/// Returns a number as its sign, its digits without zeros at either end, and the place of the point before them.
fn number(text: &str) -> Option<(bool, String, i64)> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, unsigned(text)),
    };
    if let Some(name) = ["NaN", "inf", "Infinity"].iter().find(|name| **name == body) {
        return Some((negative, name[..3].to_lowercase(), 0));
    }
    let (mantissa, exponent) = body.split_once(['e', 'E']).unwrap_or((body, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_padded = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty() || is_padded || mantissa.ends_with('.') {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let zeros = all.len() - digits.len();
    let place = whole.len() as i64 - zeros as i64 + exponent.parse::<i64>().unwrap_or_default();
    let digits = digits.trim_end_matches('0');
    Some((negative, digits.to_owned(), if digits.is_empty() { 0 } else { place }))
}

fn with_t(text: &str) -> String {
    text.replacen(['t', ' '], "T", 1)
}

fn local(text: &str) -> String {
    short_fraction(&with_t(text)).to_owned()
}

/// Returns a timestamp as minutes in UTC since the beginning of the year 1, and the seconds as they are written.
fn instant(text: &str) -> Option<(i64, String)> {
    let text = with_t(text);
    let (clock, offset) = match text.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => {
            let (clock, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            let minutes = offset[1..3].parse::<i64>().ok()? * 60 + offset[4..6].parse::<i64>().ok()?;
            (clock, if offset.starts_with('-') { -minutes } else { minutes })
        }
    };
    let number = |from: usize, to: usize| clock.get(from..to)?.parse::<i64>().ok();
    let days = days(number(0, 4)?, number(5, 7)?) + number(8, 10)?;
    let minutes = days * 1440 + number(11, 13)? * 60 + number(14, 16)? - offset;
    Some((minutes, short_fraction(clock.get(17..)?).to_owned()))
}

/// Counts the days before a month, year by year and month by month.
pub(crate) fn days(year: i64, month: i64) -> i64 {
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let years: i64 = (1..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let february = if is_leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    years + months.iter().take(usize::try_from(month - 1).unwrap_or_default()).sum::<i64>()
}

#[test]
fn the_oracle_sees_what_is_lost() {
    let i64 = DataType::Int64;
    assert!(is_same("+5", "5", &i64) && !is_same("05", "5", &i64) && !is_same("-0", "0", &i64));
    let decimal = DataType::Decimal128(10, 2);
    assert!(is_same("1.5", "1.50", &decimal) && is_same("1.50000", "1.50", &decimal));
    assert!(!is_same("1.505", "1.50", &decimal) && !is_same("1.", "1.00", &decimal));
    let f64 = DataType::Float64;
    assert!(
        is_same("1E+05", "100000", &f64) && is_same("-0.0", "-0", &f64) && is_same("Infinity", "inf", &f64)
    );
    assert!(
        !is_same("0.10000000000000001", "0.1", &f64) && !is_same("-0", "0", &f64) && !is_same("", "0", &f64)
    );
    let utc = DataType::Timestamp(arrow_schema::TimeUnit::Second, Some("UTC".into()));
    assert!(is_same("2024-02-01 12:00:00.0+02:00", "2024-02-01T10:00:00Z", &utc));
    assert!(is_same("2024-03-01 00:30:00+01:00", "2024-02-29T23:30:00Z", &utc));
    assert!(!is_same("2024-02-01 12:00:00+01:00", "2024-02-01T10:00:00Z", &utc));
}
