//! A contract that was drafted: what it was made of, what it leaves open, and what speaks for and against the types of a column.

use std::path::Path;

use casparian_core::infer::Distinct;
use casparian_core::infer::settle::{ColumnFinding, Outcome, RuledOut};
use casparian_host::infer::{Found, Inferred};

use super::layout::{self, Align, Cell};
use super::paint::{Page, Tone};
use super::quantity::{bytes, count, counted};
use super::shown;

const INDENT: &str = "  ";
/// Most readings that one value has ruled out and that are named.
const READINGS_NAMED: usize = 8;
/// Most questions that a summary asks.
const ASKED_MAX: usize = 20;
/// Most inputs that are named for being left out.
const LEFT_OUT_MAX: usize = 5;

/// Returns what a draft was made of, and its questions.
pub(super) fn summary(inferred: &Inferred, out: Option<&Path>, page: Page) -> String {
    let columns: usize = inferred.tables.iter().map(|table| table.columns.len()).sum();
    let rows: u64 = inferred.tables.iter().map(|table| table.rows).sum();
    let place = out.map(|out| format!(" in {}", shown(&out.to_string_lossy()))).unwrap_or_default();
    let mut text = format!(
        "a draft{place}: {} of {}, from {} ({}) in {}\n",
        counted(columns as u64, "column"),
        counted(inferred.tables.len() as u64, "table"),
        counted(rows, "row"),
        bytes(inferred.inputs.bytes),
        counted(inferred.inputs.found, "input"),
    );
    for out in inferred.left_out.iter().take(LEFT_OUT_MAX) {
        let line = format!("{}: {}", shown(&out.input), shown(&out.fault.message));
        text += &format!("{INDENT}{} {line}\n", page.paint.tone(Tone::Warn, "left out"));
    }
    if inferred.quarantined > 0 {
        let held = counted(inferred.quarantined, "bad row");
        text += &format!(
            "{INDENT}{} {held} (records that cannot be read among them), which say nothing in it\n",
            page.paint.tone(Tone::Warn, "held back")
        );
    }
    text + &questions(inferred, page)
}

fn questions(inferred: &Inferred, page: Page) -> String {
    let columns =
        inferred.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let asked =
        columns.flat_map(|(table, column)| column.questions.iter().map(move |asked| (table, column, asked)));
    let mut text = String::new();
    for (table, column, asked) in asked.clone().take(ASKED_MAX) {
        let title = page.paint.tone(Tone::Warn, format!("{}.{}", table.table, column.name));
        text += &format!("{INDENT}{title} {}\n", shown(&asked.asks));
        text += &format!("{INDENT}{INDENT}hint: --assume {}={}\n", asked.key, asked.answers.join(" | "));
    }
    let rest = inferred.questions.saturating_sub(ASKED_MAX);
    if rest > 0 {
        text += &format!("{INDENT}and {} in the draft\n", counted(rest as u64, "more question"));
    }
    text
}

/// Returns what speaks for and against the types of columns.
pub(super) fn why(found: &[Found<'_>], page: Page) -> String {
    let sections: Vec<String> = found.iter().map(|found| column(*found, page)).collect();
    sections.join("\n")
}

fn column(Found { table, column }: Found<'_>, page: Page) -> String {
    let title = page.paint.tone(Tone::Strong, format!("{}.{}", table.table, column.name));
    let verdict = match (column.outcome, &column.data_type) {
        (Outcome::Ambiguous, _) => page.paint.tone(Tone::Warn, "open: text until it is answered"),
        (Outcome::Unseen, _) => page.paint.tone(Tone::Warn, "text: no value was seen"),
        (_, Some(data_type)) => page.paint.tone(Tone::Good, shown(data_type)),
        (_, None) => page.paint.tone(Tone::Warn, "as it is sent: no contract file can say it"),
    };
    let mut text = format!("{title}: {verdict}\n");
    let mut facts = vec![fact("sent as", column.sent.clone()), fact("rows", count(table.rows))];
    facts.push(fact("null", count(column.nulls)));
    facts.extend(column.distinct.map(|distinct| fact("different", different(distinct))));
    facts.extend(column.questions.iter().map(|asked| fact("question", shown(&asked.asks))));
    facts.extend(column.remarks.iter().map(|remark| fact("remark", shown(remark))));
    text += &lines(&facts, page);
    text + &ruled_out(column, page)
}

fn different(distinct: Distinct) -> String {
    match distinct {
        Distinct::Exactly(number) => count(number),
        Distinct::About(number) => format!("about {}", count(number)),
    }
}

fn ruled_out(column: &ColumnFinding, page: Page) -> String {
    if column.ruled_out.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<Cell>> = column.ruled_out.iter().map(out).collect();
    format!("{INDENT}{}\n{}", page.paint.tone(Tone::Faint, "ruled out by"), lines(&rows, page))
}

fn out(out: &RuledOut) -> Vec<Cell> {
    let mut readings: Vec<String> =
        out.readings.iter().take(READINGS_NAMED).map(|reading| shown(reading)).collect();
    let rest = out.readings.len().saturating_sub(readings.len());
    if rest > 0 {
        readings.push(format!("{rest} more"));
    }
    let code = out.by.code.map(|code| format!(" ({code})")).unwrap_or_default();
    vec![Cell::new(format!("{}{code}", out.by)), Cell::toned(Tone::Faint, readings.join("; "))]
}

fn fact(name: &str, value: String) -> Vec<Cell> {
    vec![Cell::toned(Tone::Faint, name), Cell::new(value)]
}

fn lines(rows: &[Vec<Cell>], page: Page) -> String {
    let rows = layout::wrap_last(INDENT, 2, rows, page);
    layout::lines(INDENT, &[Align::Left, Align::Left], &rows, page)
}
