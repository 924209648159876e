//! Numbers as people read them.

const SCALES: [(f64, &str); 5] = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];

/// Returns a count with its thousands apart: `212,404`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns a count with its noun: `1 row`, `2 rows`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// Returns a size, in powers of 1000: `48.2 MB`.
pub(super) fn bytes(number: u64) -> String {
    let (value, letter) = scale(number);
    format!("{value} {letter}B")
}

/// Returns a size that somebody set, in powers of 1024 where it is a whole number of them: `256 MiB`.
pub(super) fn bound_bytes(number: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| number >= *unit && number.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", count(number / unit)),
        None => bytes(number),
    }
}

/// Returns a rate: `312 MB/s`. None where there was no time to measure.
pub(super) fn rate(bytes_done: u64, wall_ms: u64) -> Option<String> {
    let per_second = u128::from(bytes_done) * 1000 / u128::from(std::num::NonZero::new(wall_ms)?.get());
    Some(format!("{}/s", bytes(u64::try_from(per_second).unwrap_or(u64::MAX))))
}

/// Returns a number to three places at most: `1.9 G`.
pub(super) fn scaled(number: u64) -> String {
    let (value, letter) = scale(number);
    format!("{value} {letter}").trim_end().to_owned()
}

/// Returns a number's three places and the letter of its scale.
fn scale(number: u64) -> (String, &'static str) {
    #[expect(clippy::cast_precision_loss, reason = "three places are shown")]
    let value = number as f64;
    // 999,950 would round to `1000 k`: from there on the next scale is used.
    let Some((scale, letter)) = SCALES.iter().find(|(scale, _)| value >= scale * 0.9995) else {
        return (number.to_string(), "");
    };
    let value = value / scale;
    let places = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    let text = format!("{value:.places$}");
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    (short.to_owned(), letter)
}

/// Returns a span of time: `840 ms`, `3.21 s`, `12 min 5 s`.
pub(super) fn time(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 if ms.is_multiple_of(1_000) => format!("{} s", ms / 1_000),
        1_000..60_000 => format!("{}.{:02} s", ms / 1_000, ms % 1_000 / 10),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// Returns a share in percent, rounded down: nothing short of all is `100.000 %`.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let thousandths = match whole {
        0 => 100_000,
        _ => u128::from(part) * 100_000 / u128::from(whole),
    };
    format!("{}.{:03} %", thousandths / 1000, thousandths % 1000)
}

/// Returns a share in percent, rounded to the nearest: only all is `100.000 %`, and only none is `0.000 %`.
pub(super) fn share(part: u64, whole: u64) -> String {
    if part == 0 || part >= whole {
        return percent(part, whole);
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    let thousandths = ((part * 200_000 + whole) / (2 * whole)).clamp(1, 99_999);
    format!("{}.{:03} %", thousandths / 1000, thousandths % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let shown = [0, 12, 999, 1_000, 212_404, 1_000_000, u64::MAX].map(count);
        assert_eq!(shown, ["0", "12", "999", "1,000", "212,404", "1,000,000", "18,446,744,073,709,551,615"]);
    }

    #[test]
    fn sizes_have_three_places_at_most() {
        let shown = [0, 999, 1_000, 48_234_567, 21_000_000, 312_400_000, 999_999, 1_050_000_000].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1 kB", "48.2 MB", "21 MB", "312 MB", "1 MB", "1.05 GB"]);
        assert_eq!(bytes(u64::MAX), "18447 PB");
    }

    #[test]
    fn a_share_short_of_all_is_never_shown_as_all() {
        assert_eq!(percent(0, 0), "100.000 %");
        assert_eq!(percent(7, 7), "100.000 %");
        assert_eq!(percent(u64::MAX - 1, u64::MAX), "99.999 %");
        assert_eq!(percent(1, 3), "33.333 %");
        assert_eq!(percent(2, 3), "66.666 %");
    }

    #[test]
    fn a_share_is_the_nearest_that_is_neither_none_nor_all() {
        let shown = [(0, 9), (1, 3), (2, 3), (1, 8), (9, 9), (1, u64::MAX), (u64::MAX - 1, u64::MAX)]
            .map(|(part, whole)| share(part, whole));
        let expected = ["0.000 %", "33.333 %", "66.667 %", "12.500 %", "100.000 %", "0.001 %", "99.999 %"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_bound_is_shown_as_somebody_set_it() {
        let shown = [256 << 20, 10 << 20, 1 << 10, 4 << 30, 1_000_000, 5].map(bound_bytes);
        assert_eq!(shown, ["256 MiB", "10 MiB", "1 KiB", "4 GiB", "1 MB", "5 B"]);
    }

    #[test]
    fn a_rate_needs_time() {
        assert_eq!(rate(1, 0), None);
        assert_eq!(rate(48_200_000, 154).unwrap(), "313 MB/s");
    }

    #[test]
    fn time_is_shown_in_the_unit_that_fits() {
        assert_eq!([840, 3_210, 30_000, 725_000].map(time), ["840 ms", "3.21 s", "30 s", "12 min 5 s"]);
    }
}
