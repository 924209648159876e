//! What reason codes mean: a page for each, compiled into the program from `docs/reasons`. Most are reasons of rows; those of
//! the family `CF07` are about the columns of a table, and end a run before its first row.

use casparian_core::contract::verdict::Code;
use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use serde::Serialize;
use thiserror::Error;

/// Longest word that is compared with what we know.
const WORD_BYTES_MAX: usize = 64;
/// A word that is further away than this is not what somebody meant.
const TYPING_ERRORS_MAX: usize = 2;

/// The page of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The code.
    pub code: &'static str,
    /// What it means, in a few words.
    pub title: &'static str,
    /// All of it, in Markdown.
    pub text: &'static str,
}

/// There is no such code.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("`{word}` is no reason code and no rule of a contract")]
pub struct UnknownWord {
    word: GuestText,
    nearest: Option<&'static str>,
}

impl Blamed for UnknownWord {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        "unknown-reason"
    }

    fn hint(&self) -> Option<String> {
        Some(match self.nearest {
            Some(nearest) => format!("did you mean `{nearest}`? `host explain` lists all codes"),
            None => {
                "`host explain` lists all codes; a parser's own words for faults are in `host inspect PARSER`"
                    .to_owned()
            }
        })
    }
}

/// Returns the page of every code, ascending.
pub fn pages() -> impl Iterator<Item = Page> {
    let (before, after): (Vec<Code>, Vec<Code>) =
        Code::ALL.into_iter().partition(|code| code.as_str() < SCHEMAS[0].0);
    let of_schemas = SCHEMAS.into_iter().map(|(code, text)| page_of(code, text));
    before.into_iter().map(page).chain(of_schemas).chain(after.into_iter().map(page))
}

/// Finds the page of a code (`CF0202`, `202`), or of the code that goes with a rule (`required`, `maxLength`).
pub fn find(word: &str) -> Result<Page, UnknownWord> {
    let upper = word.to_ascii_uppercase();
    let digits = upper.strip_prefix("CF").unwrap_or(&upper);
    let found = pages().find(|page| {
        let known = page.code.trim_start_matches("CF");
        known == digits || (!digits.is_empty() && known.trim_start_matches('0') == digits)
    });
    let of_rule = || RULES.iter().find(|(rule, _)| rule.eq_ignore_ascii_case(word)).map(|(_, code)| *code);
    found
        .or_else(|| of_rule().map(page))
        .ok_or_else(|| UnknownWord { word: GuestText::new(word, WORD_BYTES_MAX), nearest: nearest(word) })
}

/// The rules of a contract, by the names that reasons give them, and the code of breaking each.
pub const RULES: [(&str, Code); 17] = [
    ("record", Code::Companion),
    ("required", Code::Missing),
    ("minimum", Code::Range),
    ("maximum", Code::Range),
    ("exclusiveMinimum", Code::Range),
    ("exclusiveMaximum", Code::Range),
    ("minLength", Code::Length),
    ("maxLength", Code::Length),
    ("pattern", Code::Pattern),
    ("validValues", Code::NotAllowed),
    ("format", Code::Format),
    ("multipleOf", Code::Multiple),
    ("minItems", Code::Items),
    ("maxItems", Code::Items),
    ("uniqueItems", Code::Items),
    ("primaryKey", Code::Duplicate),
    ("unique", Code::Duplicate),
];

/// What may be wrong between a contract and the columns of a table.
const SCHEMAS: [(&str, &str); 5] = [
    ("CF0701", include_str!("../../docs/reasons/CF0701.md")),
    ("CF0702", include_str!("../../docs/reasons/CF0702.md")),
    ("CF0703", include_str!("../../docs/reasons/CF0703.md")),
    ("CF0704", include_str!("../../docs/reasons/CF0704.md")),
    ("CF0705", include_str!("../../docs/reasons/CF0705.md")),
];

fn page(code: Code) -> Page {
    page_of(code.as_str(), text(code))
}

fn page_of(code: &'static str, text: &'static str) -> Page {
    let head = text.lines().next().unwrap_or_default();
    Page { code, title: head.split_once(": ").map_or("", |(_, title)| title), text }
}

fn text(code: Code) -> &'static str {
    match code {
        Code::Companion => include_str!("../../docs/reasons/CF0100.md"),
        Code::Unparseable => include_str!("../../docs/reasons/CF0201.md"),
        Code::Lossy => include_str!("../../docs/reasons/CF0202.md"),
        Code::Overflow => include_str!("../../docs/reasons/CF0203.md"),
        Code::NoTimeZone => include_str!("../../docs/reasons/CF0204.md"),
        Code::AmbiguousDate => include_str!("../../docs/reasons/CF0205.md"),
        Code::Missing => include_str!("../../docs/reasons/CF0301.md"),
        Code::Range => include_str!("../../docs/reasons/CF0401.md"),
        Code::Length => include_str!("../../docs/reasons/CF0402.md"),
        Code::Pattern => include_str!("../../docs/reasons/CF0403.md"),
        Code::NotAllowed => include_str!("../../docs/reasons/CF0404.md"),
        Code::Format => include_str!("../../docs/reasons/CF0405.md"),
        Code::Multiple => include_str!("../../docs/reasons/CF0406.md"),
        Code::Items => include_str!("../../docs/reasons/CF0407.md"),
        Code::Duplicate => include_str!("../../docs/reasons/CF0501.md"),
        Code::CrossField => include_str!("../../docs/reasons/CF0601.md"),
        Code::Incomputable => include_str!("../../docs/reasons/CF0602.md"),
        Code::Trapped => include_str!("../../docs/reasons/CF0801.md"),
        Code::Fuel => include_str!("../../docs/reasons/CF0802.md"),
        Code::Memory => include_str!("../../docs/reasons/CF0803.md"),
        Code::Stack => include_str!("../../docs/reasons/CF0804.md"),
        Code::Handles => include_str!("../../docs/reasons/CF0805.md"),
        Code::HostCall => include_str!("../../docs/reasons/CF0806.md"),
        Code::ParserFault => include_str!("../../docs/reasons/CF0900.md"),
    }
}

fn nearest(word: &str) -> Option<&'static str> {
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let known = pages().map(|page| page.code).chain(RULES.iter().map(|(rule, _)| *rule));
    let lower = word.to_ascii_lowercase();
    let near = known.map(|known| {
        let other = known.to_ascii_lowercase();
        // Of two that are as near, the one that begins alike.
        let alike = lower.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
        (distance(&lower, &other), std::cmp::Reverse(alike), known)
    });
    near.filter(|(distance, ..)| *distance <= TYPING_ERRORS_MAX).min().map(|(.., known)| known)
}

/// Counts the letters that were added, left out or exchanged (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, c) in one.chars().enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (column, d) in other.iter().enumerate() {
            let exchanged = before + usize::from(c != *d);
            before = row[column + 1];
            row[column + 1] = exchanged.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, RecordBatch, StringArray};
    use arrow_schema::SchemaRef;
    use casparian_core::contract::odcs;
    use casparian_core::contract::verdict::{Accepted, Rejected};
    use casparian_core::fault::FaultReport;
    use casparian_core::flow::{Flow, Hold, PortFault, Sinks};
    use casparian_core::id::TableName;
    use casparian_core::intake::{Said, TableId};

    use super::*;
    use crate::quarantine::held::HeldViolation;
    use crate::quarantine::sentence::sentence;
    use crate::sinks::guest::{Spoken, spans, with_spans};

    /// Returns what stands in the page's block of that kind.
    fn block(page: &Page, kind: &str) -> Option<&'static str> {
        let (_, rest) = page.text.split_once(&format!("```{kind}\n"))?;
        rest.split_once("\n```").map(|(block, _)| block)
    }

    /// Makes a contract of a page's columns and rules.
    fn contract(yaml: &str) -> String {
        let indented =
            |lines: &str, by: &str| lines.lines().map(|line| format!("{by}{line}\n")).collect::<String>();
        let of_table = ["\nquality:", "\ncustomProperties:"];
        let (columns, rules) = match of_table.iter().find_map(|key| yaml.find(key)) {
            Some(at) => (&yaml[..at], Some(&yaml[at + 1..])),
            None => (yaml, None),
        };
        let rules = rules.map(|rules| indented(rules, "    ")).unwrap_or_default();
        format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: example\nversion: 1.0.0\nstatus: draft\nschema:\n  - name: rows\n    logicalType: object\n    properties:\n{}{rules}",
            indented(columns, "      ")
        )
    }

    /// Reads a page's rows: texts, one line each. No cell here holds a comma.
    fn rows(csv: &str) -> RecordBatch {
        let mut lines = csv.lines();
        let names = lines.next().unwrap().split(',');
        let cells: Vec<Vec<&str>> =
            lines.map(|line| line.split(',').map(|cell| cell.trim_matches('"')).collect()).collect();
        let column = |at: usize| -> ArrayRef {
            Arc::new(StringArray::from_iter(cells.iter().map(|row| Some(row[at]))))
        };
        RecordBatch::try_from_iter_with_nullable(names.enumerate().map(|(at, name)| (name, column(at), true)))
            .unwrap()
    }

    struct NoSinks;

    impl Sinks for NoSinks {
        fn open(&mut self, _: TableId, _: &TableName, _: &SchemaRef) -> Result<(), PortFault> {
            Ok(())
        }

        fn write(&mut self, _: TableId, _: &Accepted) -> Result<(), PortFault> {
            Ok(())
        }
    }

    /// Keeps what is said of rows that are held.
    struct Sayings(Vec<String>);

    impl Hold for Sayings {
        fn hold(&mut self, rejected: &Rejected) -> Result<(), PortFault> {
            let said = |violation: &casparian_core::contract::verdict::Violation| {
                let rule = &violation.rule;
                let held = HeldViolation {
                    code: violation.code.to_string(),
                    severity: "error".to_owned(),
                    column: rule.column.clone(),
                    rule: rule.name.clone(),
                    expected: rule.expected.clone(),
                    observed: violation.observed.as_ref().map(|text| text.raw().to_owned()),
                };
                format!("{}  {}", held.code, sentence(&held))
            };
            self.0.extend(rejected.violations().iter().map(said));
            Ok(())
        }
    }

    fn judged(yaml: &str, csv: &str) -> Vec<String> {
        let contract =
            odcs::read(contract(yaml).as_bytes()).unwrap_or_else(|faults| panic!("{yaml}\n{faults:?}"));
        let rows = rows(csv);
        let spans = spans(rows.num_rows(), 8);
        let sent = with_spans(&rows, &spans);
        let table = Spoken::table(0, "rows", &sent.schema());
        let scratch = || -> FaultReport { panic!("a page's keys fit into memory") };
        let wanted = vec![TableName::new("rows").unwrap()];
        let mut flow = Flow::new(NoSinks, Sayings(Vec::new()), wanted, Vec::new())
            .with_contract(contract.contract, Arc::new(move || Err(scratch())));
        let said = [table.opened(), table.rows(&sent), Said::Committed { up_to: spans.len() as u64 * 8 }];
        match said.into_iter().try_for_each(|said| flow.hear(said)) {
            Ok(()) => flow.finish(spans.len() as u64 * 8).1.0,
            Err(fault) => vec![fault.to_string()],
        }
    }

    #[test]
    fn what_a_page_says_of_its_example_is_what_the_judge_says() {
        let mut wrong = Vec::new();
        for page in pages() {
            let (Some(yaml), Some(csv)) = (block(&page, "yaml"), block(&page, "csv")) else { continue };
            let (said, claimed) = (judged(yaml, csv), block(&page, "text").unwrap());
            if said != [claimed] {
                wrong.push(format!("{}\n  page   {claimed}\n  judge  {said:?}", page.code));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_code_has_a_page_with_an_example_and_a_way_out() {
        for page in pages() {
            let code = page.code;
            assert!(page.text.starts_with(&format!("# {code}: ")), "{code}");
            assert!(!page.title.is_empty(), "{code}");
            let parts: Vec<&str> = page.text.split("\n## ").collect();
            assert_eq!(parts.len(), 3, "{code}");
            assert!(parts[1].starts_with("Example\n") && parts[2].starts_with("What to do\n\n- "), "{code}");
            // A fault says its code as other faults do.
            let ends = if code.starts_with("CF07") { ": " } else { "  " };
            assert!(
                parts[1].contains(&format!("```text\n{code}{ends}")),
                "{code}: the example says what quarantine or the fault says"
            );
        }
    }

    #[test]
    fn pages_are_listed_by_their_codes_each_once() {
        let codes: Vec<&str> = pages().map(|page| page.code).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
        assert_eq!(codes.len(), Code::ALL.len() + SCHEMAS.len());
    }

    #[test]
    fn a_code_is_found_however_it_is_written() {
        for word in ["CF0202", "cf0202", "0202", "202"] {
            assert_eq!(find(word).unwrap().code, "CF0202", "{word}");
        }
        assert_eq!(find("900").unwrap().code, "CF0900");
        assert_eq!(find("704").unwrap().code, "CF0704");
    }

    #[test]
    fn a_rule_finds_its_code() {
        assert_eq!(find("maxLength").unwrap().code, "CF0402");
        assert_eq!(find("primarykey").unwrap().code, "CF0501");
    }

    #[test]
    fn what_is_unknown_is_told_with_what_is_nearest() {
        assert_eq!(find("CF0203x").unwrap_err().nearest, Some("CF0203"));
        assert_eq!(find("CF0302").unwrap_err().nearest, Some("CF0301"));
        assert_eq!(find("patern").unwrap_err().nearest, Some("pattern"));
        assert_eq!(find("").unwrap_err().nearest, None);
        assert_eq!(find(&"x".repeat(1 << 20)).unwrap_err().nearest, None);
        let hint = find("bad_checksum").unwrap_err().hint().unwrap();
        assert!(hint.contains("host inspect"), "{hint}");
    }
}
