//! How text becomes a value: the custom properties of a property.

use arrow_schema::DataType;

use super::fault::{Findings, Place, shown};
use super::fields::{self, Fields};
use super::tree::Node;
use crate::contract::cast::{Cast, check_pattern};
use crate::contract::{DateOrder, Decoding, words};
use crate::fault::Blamed;

/// Most texts of one list.
const TEXTS_MAX: usize = 256;
/// Most patterns of one column.
const PATTERNS_MAX: usize = 16;
/// Most bytes of one text.
const TEXT_BYTES_MAX: usize = 256;
/// Furthest that a time may be from UTC.
const OFFSET_SECONDS_MAX: i32 = 18 * 3600;

/// What the options of the type have said already: `format` and `defaultTimezone`, which the standard knows.
#[derive(Debug, Default)]
pub(super) struct Standard<'n> {
    pub(super) format: Option<&'n Node>,
    pub(super) default_timezone: Option<&'n Node>,
}

/// Reads the decoding of a column. Nothing applies to lists and structs; their children have their own.
pub(super) fn decoding<'n>(
    mut custom: Fields<'n>,
    standard: &Standard<'n>,
    data_type: &DataType,
    found: &mut Findings,
) -> Decoding {
    let (before, at) = (found.count(), custom.at);
    let decoding = DecodingReader { fields: &mut custom, data_type, found }.decoding(standard);
    custom.close(found);
    if found.count() == before && !data_type.is_nested() {
        try_out(&decoding, data_type, at, found);
    }
    decoding
}

/// Finds fault with what no text could be cast by.
fn try_out(decoding: &Decoding, data_type: &DataType, at: Place, found: &mut Findings) {
    if let Err(fault) = Cast::plan(&DataType::Utf8, data_type, decoding) {
        let hint = fault.hint().unwrap_or_default();
        found.fault_with_hint(at, "ambiguous", fault.to_string(), hint);
    }
}

struct DecodingReader<'r, 'n> {
    fields: &'r mut Fields<'n>,
    data_type: &'r DataType,
    found: &'r mut Findings,
}

impl<'n> DecodingReader<'_, 'n> {
    fn decoding(&mut self, standard: &Standard<'n>) -> Decoding {
        let default = Decoding::default();
        let is_zoned = matches!(self.data_type, DataType::Timestamp(_, Some(_)));
        let decoding = Decoding {
            missing_values: self.texts("missingValues", self.is_leaf()).unwrap_or_default(),
            true_values: self.texts("trueValues", self.is_boolean()).unwrap_or(default.true_values),
            false_values: self.texts("falseValues", self.is_boolean()).unwrap_or(default.false_values),
            decimal_char: self.mark("decimalChar", self.has_fraction()).unwrap_or(default.decimal_char),
            group_char: self.mark("groupChar", self.data_type.is_numeric()),
            trim: self
                .take("trim", self.is_leaf())
                .and_then(|node| fields::flag(node, self.found))
                .unwrap_or(default.trim),
            date_order: self.date_order(),
            default_offset_seconds: self
                .either("defaultTimezone", standard.default_timezone, is_zoned)
                .and_then(|node| offset(node, self.found)),
            decode_patterns: self.patterns(standard.format),
        };
        self.check(&decoding);
        decoding
    }

    fn is_leaf(&self) -> bool {
        !self.data_type.is_nested()
    }

    fn is_boolean(&self) -> bool {
        *self.data_type == DataType::Boolean
    }

    fn has_fraction(&self) -> bool {
        self.data_type.is_floating() || matches!(self.data_type, DataType::Decimal128(..))
    }

    fn has_date(&self) -> bool {
        matches!(self.data_type, DataType::Date32 | DataType::Timestamp(..))
    }

    fn has_time(&self) -> bool {
        self.data_type.is_temporal()
    }

    /// Takes a property that must mean something to the column's type.
    fn take(&mut self, key: &'static str, applies: bool) -> Option<&'n Node> {
        let node = self.fields.take(key)?;
        if applies {
            return Some(node);
        }
        let message = format!("`{key}` means nothing to a column of {}", words::data_type(self.data_type));
        self.found.fault_with_hint(node.at, "does-not-apply", message, "leave it out");
        None
    }

    /// Takes what may stand in the standard's place or in ours, and not in both.
    fn either(&mut self, key: &'static str, standard: Option<&'n Node>, applies: bool) -> Option<&'n Node> {
        let ours = self.take(key, applies);
        match (ours, standard) {
            (Some(ours), Some(_)) => {
                let message = format!("`{key}` is said in `logicalTypeOptions` too");
                self.found.fault_with_hint(ours.at, "said-twice", message, "say it once");
                None
            }
            (ours, standard) => ours.or(standard),
        }
    }

    fn texts(&mut self, key: &'static str, applies: bool) -> Option<Vec<String>> {
        let node = self.take(key, applies)?;
        let mut texts: Vec<String> = Vec::new();
        for item in fields::list(node, TEXTS_MAX, self.found)? {
            let Some(text) = fields::text(item, self.found) else { continue };
            if text.len() > TEXT_BYTES_MAX {
                let message =
                    format!("a text of {} bytes, and at most {TEXT_BYTES_MAX} are read", text.len());
                self.found.fault(item.at, "too-long", message);
            } else if texts.iter().any(|other| other == text) {
                self.found.note(
                    item.at,
                    "said-twice",
                    format!("{} comes twice", shown(text)),
                    "once is enough",
                );
            } else {
                texts.push(text.to_owned());
            }
        }
        if texts.is_empty() && key != "missingValues" {
            self.found.fault(
                node.at,
                "empty-list",
                format!("`{key}` without a text: no value could be read"),
            );
        }
        Some(texts)
    }

    fn mark(&mut self, key: &'static str, applies: bool) -> Option<char> {
        let node = self.take(key, applies)?;
        let text = fields::text(node, self.found)?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(mark), None) if !mark.is_alphanumeric() && !"+-\"".contains(mark) && !mark.is_control() => {
                Some(mark)
            }
            _ => {
                let message = format!("{} is no mark between digits", shown(text));
                self.found.fault_with_hint(
                    node.at,
                    "bad-mark",
                    message,
                    "one character: `.`, `,`, `_`, `'` or a blank",
                );
                None
            }
        }
    }

    fn date_order(&mut self) -> Option<DateOrder> {
        let node = self.take("dateOrder", self.has_date())?;
        let words = [
            ("YMD", DateOrder::YearMonthDay),
            ("MDY", DateOrder::MonthDayYear),
            ("DMY", DateOrder::DayMonthYear),
        ];
        fields::word(node, &words, self.found)
    }

    /// Reads the patterns: ours are a list, the standard's `format` is one.
    fn patterns(&mut self, format: Option<&'n Node>) -> Vec<String> {
        let nodes: &[Node] = match self.either("decodePatterns", format, self.has_time()) {
            None => return Vec::new(),
            Some(node) if format.is_some() => std::slice::from_ref(node),
            Some(node) => fields::list(node, PATTERNS_MAX, self.found).unwrap_or_default(),
        };
        let mut patterns: Vec<String> = Vec::new();
        for node in nodes {
            let Some(pattern) = fields::text(node, self.found) else { continue };
            if let Err(why) = check_pattern(pattern, self.data_type) {
                let message = format!(
                    "{} is no pattern of {}: {why}",
                    shown(pattern),
                    words::data_type(self.data_type)
                );
                let hint = "Unicode TR 35: yyyy-MM-dd'T'HH:mm:ss.SSSXXX";
                self.found.fault_with_hint(node.at, "bad-pattern", message, hint);
            } else if patterns.iter().any(|other| other == pattern) {
                self.found.note(
                    node.at,
                    "said-twice",
                    format!("{} comes twice", shown(pattern)),
                    "once is enough",
                );
            } else {
                patterns.push(pattern.to_owned());
            }
        }
        patterns
    }

    /// Finds fault with texts that would mean two things.
    fn check(&mut self, decoding: &Decoding) {
        let at = self.fields.at;
        if decoding.group_char == Some(decoding.decimal_char) && self.has_fraction() {
            let message = format!(
                "`{}` stands between groups of digits and before the fraction",
                decoding.decimal_char
            );
            self.found.fault_with_hint(
                at,
                "ambiguous",
                message,
                "give `decimalChar` and `groupChar` different marks",
            );
        }
        if !self.is_boolean() {
            return;
        }
        let Decoding { missing_values, true_values, false_values, .. } = decoding;
        let twice = |text: &&String| {
            [missing_values, true_values, false_values]
                .into_iter()
                .filter(|texts| texts.contains(text))
                .count()
                > 1
        };
        if let Some(text) = missing_values.iter().chain(true_values).find(twice) {
            let message = format!("{} stands for two of null, true and false", shown(text));
            self.found.fault(at, "ambiguous", message);
        }
    }
}

/// Reads `UTC` or a fixed offset, in seconds east of UTC.
fn offset(node: &Node, found: &mut Findings) -> Option<i32> {
    let text = fields::text(node, found)?;
    if matches!(text, "UTC" | "Etc/UTC") {
        return Some(0);
    }
    let seconds = fixed_offset(text).filter(|seconds| seconds.abs() <= OFFSET_SECONDS_MAX);
    if seconds.is_none() {
        let message = format!("{} is neither `UTC` nor an offset such as `+01:00`", shown(text));
        let hint = "the rules of a named zone change from year to year, and the same bytes would give other rows: \
                    write the offset, or have the parser send UTC";
        found.fault_with_hint(node.at, "bad-timezone", message, hint);
    }
    seconds
}

fn fixed_offset(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two_digits = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i32>().ok()).flatten()
    };
    let minutes = two_digits(minutes).filter(|minutes| *minutes < 60)?;
    let seconds = two_digits(hours)?.checked_mul(60)?.checked_add(minutes)?.checked_mul(60)?;
    seconds.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_offset_is_hours_and_minutes() {
        assert_eq!(fixed_offset("+05:30"), Some(19_800));
        assert_eq!(fixed_offset("-01:00"), Some(-3_600));
        for bad in
            ["", "+", "+5:30", "+05:60", "05:30", "+0530", "++5:30", "+05:30:00", "Europe/Berlin", "+ä:30"]
        {
            assert_eq!(fixed_offset(bad), None, "{bad}");
        }
    }
}
