//! A reason as a sentence. Nowhere else are reasons put into words: a row in quarantine has a code, a rule and values, and
//! these become a sentence when somebody looks.

use casparian_core::contract::verdict::Code;
use casparian_core::guest_text::GuestText;

use super::held::HeldViolation;

/// Returns why, as a lower-case sentence without a full stop. Whatever a stranger wrote in it is escaped.
pub fn sentence(reason: &HeldViolation) -> String {
    let words = Words::of(reason);
    let (it, rule) = (&words.it, &words.rule);
    match reason.known_code() {
        Some(Code::Companion) => {
            let culprit = words.or(&words.observed_bare, "another row of its record is bad");
            format!("nothing is wrong with this row, but {culprit}")
        }
        Some(Code::Unparseable) => format!("{it} cannot be read as {}", words.wanted("its type")),
        Some(Code::Lossy) => format!("{it} would become another value as {}", words.wanted("its type")),
        Some(Code::Overflow) => format!("{it} is past what {} can hold", words.wanted("its type")),
        Some(Code::NoTimeZone) => format!("{it} does not say in which time zone, and must"),
        Some(Code::AmbiguousDate) => format!("{it} reads as more than one date"),
        Some(Code::Missing) => format!("{} has no value, and must have one", words.column),
        Some(Code::Length) => format!("{it} is too short or too long: {rule}"),
        Some(Code::NotAllowed) => format!("{it} is none of the values that are allowed: {rule}"),
        Some(Code::Duplicate) => {
            let key = words.or(&words.observed_bare, &words.column);
            format!("an earlier row has the same `{}`: {key}", words.name)
        }
        Some(Code::CrossField) => format!("what must hold between columns does not: {rule}{}", words.seen()),
        Some(Code::Incomputable) => {
            format!("what must hold between columns cannot be computed: {rule}{}", words.seen())
        }
        Some(Code::ParserFault) => format!("the parser found `{}`{}", words.name, words.said()),
        Some(Code::Trapped) => format!("the parser trapped over it, `{}`{}", words.name, words.said()),
        Some(Code::Fuel) => format!("the parser burnt all its fuel over it{}", words.said()),
        Some(Code::Memory) => {
            format!("the parser wanted more memory for it than it may have{}", words.said())
        }
        Some(Code::Stack) => format!("the parser ran out of stack over it{}", words.said()),
        Some(Code::Handles) => {
            format!("the parser opened more handles over it than it may have{}", words.said())
        }
        Some(Code::HostCall) => format!("the parser made a call over it that was refused{}", words.said()),
        Some(Code::Range | Code::Pattern | Code::Format | Code::Multiple | Code::Items) => {
            format!("{it} is not as the rule has it: {rule}")
        }
        None => format!("{it} broke a rule: {rule}"),
    }
}

/// The parts of a sentence, escaped.
struct Words {
    /// The column: `` `price` ``.
    column: String,
    /// The column and what is in it: `` `price` is `-5` ``… without the verb, so that it can go on.
    it: String,
    /// The rule's own name.
    name: String,
    /// The rule and what it wants: `` `minimum` wants 0 ``.
    rule: String,
    expected: Option<String>,
    observed_bare: Option<String>,
}

impl Words {
    fn of(reason: &HeldViolation) -> Self {
        let column = reason
            .column
            .as_deref()
            .map_or_else(|| "the row".to_owned(), |column| format!("`{}`", shown(column)));
        let (expected, observed) =
            (reason.expected.as_deref().map(shown), reason.observed.as_deref().map(shown));
        let name = shown(&reason.rule);
        Self {
            it: match &observed {
                Some(observed) => format!("{column}, `{observed}`,"),
                None => column.clone(),
            },
            rule: match &expected {
                Some(expected) => format!("`{name}` wants {expected}"),
                None => format!("`{name}`"),
            },
            column,
            name,
            expected,
            observed_bare: observed,
        }
    }

    fn wanted(&self, otherwise: &str) -> String {
        self.or(&self.expected, otherwise)
    }

    fn or(&self, words: &Option<String>, otherwise: &str) -> String {
        words.clone().unwrap_or_else(|| otherwise.to_owned())
    }

    fn said(&self) -> String {
        self.observed_bare.as_ref().map(|said| format!(": {said}")).unwrap_or_default()
    }

    fn seen(&self) -> String {
        self.observed_bare.as_ref().map(|observed| format!(", and there is {observed}")).unwrap_or_default()
    }
}

fn shown(text: &str) -> String {
    GuestText::new(text, usize::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(
        code: &str,
        column: Option<&str>,
        rule: &str,
        expected: Option<&str>,
        observed: Option<&str>,
    ) -> HeldViolation {
        HeldViolation {
            code: code.to_owned(),
            severity: "error".to_owned(),
            column: column.map(str::to_owned),
            rule: rule.to_owned(),
            expected: expected.map(str::to_owned),
            observed: observed.map(str::to_owned),
        }
    }

    #[test]
    fn a_reason_reads_as_a_sentence() {
        let cases = [
            (
                reason("CF0301", Some("price"), "required", Some("a value"), None),
                "`price` has no value, and must have one",
            ),
            (
                reason("CF0202", Some("qty"), "type", Some("int64"), Some("0042")),
                "`qty`, `0042`, would become another value as int64",
            ),
            (
                reason("CF0401", Some("qty"), "minimum", Some("at least 1"), Some("0")),
                "`qty`, `0`, is not as the rule has it: `minimum` wants at least 1",
            ),
            (reason("CF0900", None, "torn", None, Some("no end")), "the parser found `torn`: no end"),
            (
                reason("CF0100", None, "record", None, Some("row 0 of table `orders` is bad")),
                "nothing is wrong with this row, but row 0 of table `orders` is bad",
            ),
            (reason("CF9999", Some("a"), "later", None, Some("x")), "`a`, `x`, broke a rule: `later`"),
        ];
        for (reason, expected) in cases {
            assert_eq!(sentence(&reason), expected);
        }
    }

    #[test]
    fn every_code_has_a_sentence_of_its_own_with_or_without_values() {
        for code in Code::ALL {
            for (expected, observed) in [(None, None), (Some("this"), Some("that"))] {
                let bare = sentence(&reason(code.as_str(), Some("c"), "r", expected, observed));
                assert!(!bare.contains("  ") && !bare.ends_with([':', ' ', ',']), "{bare}");
            }
        }
    }

    #[test]
    fn no_part_of_a_sentence_steers_a_terminal() {
        let evil = "a\u{1b}[2J\n\u{202e}";
        for code in Code::ALL {
            let said = sentence(&reason(code.as_str(), Some(evil), evil, Some(evil), Some(evil)));
            assert!(!said.chars().any(casparian_core::guest_text::steers), "{said:?}");
        }
    }
}
