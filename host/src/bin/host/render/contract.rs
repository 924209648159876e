//! Contracts as people read them: what is wrong with one, with the line and a caret; and what one says.

use casparian_core::contract::{
    Budget, Check, Column, Contract, ExtraColumns, ExtraTables, Key, QuarantineBudget, Rule, Severity,
    TableContract, VerdictUnit, words,
};
use casparian_host::contract::{Finding, Gravity, Lint, Shown};

use super::fault::hint_line;
use super::layout::{self, Align, Cell};
use super::paint::{Page, Tone};
use super::quantity::counted;
use super::shown;

const INDENT: &str = "  ";
/// Longest piece of a line that is shown where the page has no edge.
const PIECE_MAX: usize = 160;
/// What is kept before the caret where a line is cut.
const LEAD: usize = 24;

/// Returns what was found in contracts, and a verdict on each.
pub(super) fn lints(lints: &[Lint], page: Page) -> String {
    lints
        .iter()
        .filter(|lint| lint.fault.is_none())
        .map(|lint| findings(lint, page) + &verdict(lint, page))
        .collect()
}

/// Returns why a contract cannot be used.
pub(super) fn faulty(lint: &Lint, page: Page) -> String {
    findings(lint, page) + &verdict(lint, page)
}

fn findings(lint: &Lint, page: Page) -> String {
    lint.findings.iter().map(|finding| self::finding(&lint.path, finding, page)).collect()
}

fn verdict(lint: &Lint, page: Page) -> String {
    let (paint, path) = (page.paint, shown(&lint.path));
    let count = |number: usize, noun| counted(number as u64, noun);
    if lint.faults > 0 {
        let more = lint.faults.saturating_sub(lint.findings.len());
        let more = if more > 0 { format!(", {more} of them not shown") } else { String::new() };
        return format!("{path}: {}{more}\n", paint.tone(Tone::Bad, count(lint.faults, "error")));
    }
    let of = if lint.embedded { ", the component's contract" } else { "" };
    let notes = if lint.findings.is_empty() {
        String::new()
    } else {
        format!(", {}", count(lint.findings.len(), "warning"))
    };
    format!("{path}: {}{of}{notes}\n", paint.tone(Tone::Good, "ok"))
}

fn finding(path: &str, finding: &Finding, page: Page) -> String {
    let (tone, word) = match finding.severity {
        Gravity::Error => (Tone::Bad, "error:"),
        Gravity::Warning => (Tone::Warn, "warning:"),
    };
    let place = page.paint.tone(Tone::Strong, format!("{}:{}:{}", shown(path), finding.line, finding.column));
    let head = format!("{place}: {} {}\n", page.paint.tone(tone, word), shown(&finding.message));
    let hint = hint_line(finding.hint.as_deref().unwrap_or_default(), page.paint);
    head + &source(finding, tone, page) + &hint
}

/// Returns the line of the file, and under it a caret. Of a long line the piece around the caret.
fn source(finding: &Finding, tone: Tone, page: Page) -> String {
    let number = finding.line.to_string();
    let gutter = format!("{number:>5} | ");
    let at = (finding.column as usize).saturating_sub(1);
    let room = page.width.map_or(PIECE_MAX, |most| most.saturating_sub(gutter.len())).clamp(LEAD, PIECE_MAX);
    let from = if at < room.saturating_sub(LEAD) { 0 } else { at - at.min(LEAD) };
    let before: String = finding.source.chars().skip(from).take(at - from).collect();
    let rest: String = finding.source.chars().skip(at).take(room).collect();
    let before = format!("{}{}", if from > 0 { "…" } else { "" }, shown(&before));
    let line = layout::cut(&format!("{before}{}", shown(&rest)), room);
    let caret = format!("{}{}", " ".repeat(layout::width(&before)), page.paint.tone(tone, "^"));
    let faint = |text: String| page.paint.tone(Tone::Faint, text);
    let empty = format!("{:>5} | ", "");
    format!("{}{}\n{}{caret}\n", faint(gutter), line.trim_end(), faint(empty))
}

/// Returns what a contract says.
pub(super) fn contract(shown: &Shown, page: Page) -> String {
    let contract = &shown.contract;
    let title = format!("{} {}", self::text(&contract.id), self::text(&contract.version));
    let facts = [
        vec![Cell::toned(Tone::Faint, "hash"), Cell::new(shown.identity.hash.to_string())],
        vec![Cell::toned(Tone::Faint, "tables"), Cell::new(tables(contract))],
    ];
    let facts = layout::lines(INDENT, &[Align::Left, Align::Left], &facts, page.endless());
    let mut parts = vec![format!("{}\n{facts}", page.paint.tone(Tone::Strong, title))];
    parts.extend(contract.tables.iter().map(|table| self::table(table, page)));
    parts.join("\n")
}

/// Escapes what the contract's author wrote.
fn text(text: &str) -> String {
    shown(text)
}

fn tables(contract: &Contract) -> String {
    let extra = match contract.extra_tables {
        ExtraTables::Freeze => "any other is refused",
        ExtraTables::Evolve => "any other is taken as the parser declares it",
    };
    format!("{}; {extra}", contract.tables.len())
}

fn table(table: &TableContract, page: Page) -> String {
    let title = page.paint.tone(Tone::Strong, format!("table {}", table.name));
    let mut rows = Vec::new();
    table.columns.iter().for_each(|column| columns(column, "", &mut rows));
    let mut shown = format!("{title}\n{}", prose(INDENT, 4, &rows, page));
    let named = |key: &Key| {
        let names = key.columns.iter().map(|place| name(table, *place)).collect::<Vec<_>>().join(", ");
        row(&key.name, format!("no two rows share {names}"), key.severity)
    };
    let rules = table.rules.iter().map(|rule| row(&rule.name, text(&rule.expression), rule.severity));
    let budget = |budget: &Budget| {
        let counted = words::metric(&budget.metric, |place| name(table, place));
        row(
            &budget.name,
            text(&format!("{counted} {}", words::bound(budget.bound, budget.unit))),
            budget.severity,
        )
    };
    shown += &section("keys", &table.keys.iter().map(named).collect::<Vec<_>>(), page);
    shown += &section("between columns", &rules.collect::<Vec<_>>(), page);
    shown += &section(
        "of a run, or nothing is published",
        &table.budgets.iter().map(budget).collect::<Vec<_>>(),
        page,
    );
    shown + &section("besides", &besides(table), page)
}

fn section(title: &str, rows: &[Vec<Cell>], page: Page) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("{INDENT}{}\n{}", page.paint.tone(Tone::Faint, title), prose("    ", 2, rows, page))
}

/// Lays rows out; what does not fit goes on below.
fn prose(indent: &str, columns: usize, rows: &[Vec<Cell>], page: Page) -> String {
    layout::lines(indent, &vec![Align::Left; columns], &layout::wrap_last(indent, columns, rows, page), page)
}

fn row(name: &str, what: String, severity: Severity) -> Vec<Cell> {
    let warns = if severity == Severity::Warning { " (a warning)" } else { "" };
    vec![Cell::new(text(name)), Cell::new(what + warns)]
}

fn name(table: &TableContract, place: usize) -> String {
    table.columns.get(place).map_or_else(|| format!("#{place}"), |column| text(&column.name))
}

/// Adds a column and what is nested in it, as deep as a contract may nest.
fn columns(column: &Column, path: &str, rows: &mut Vec<Vec<Cell>>) {
    let name = format!("{path}{}", text(&column.name));
    let required = if column.required { "required" } else { "" };
    rows.push(vec![
        Cell::new(name.clone()),
        Cell::new(text(&words::data_type(&column.data_type))),
        Cell::toned(Tone::Faint, required),
        Cell::new(text(&demands(column).join("; "))),
    ]);
    let is_array = matches!(column.children.as_slice(), [item] if item.name == "item");
    for child in &column.children {
        if is_array {
            columns(&Column { name: String::new(), ..child.clone() }, &format!("{name}[]"), rows);
        } else {
            columns(child, &format!("{name}."), rows);
        }
    }
}

/// Lists what values must be, and how text becomes one where it is not as usual.
fn demands(column: &Column) -> Vec<String> {
    let usual = casparian_core::contract::Decoding::default();
    let decoding = &column.decoding;
    let mut said: Vec<String> = column.checks.iter().map(check).collect();
    if decoding.missing_values != usual.missing_values {
        said.push(format!("null is {}", or(&decoding.missing_values)));
    }
    if decoding.true_values != usual.true_values {
        said.push(format!("true is {}", or(&decoding.true_values)));
    }
    if decoding.false_values != usual.false_values {
        said.push(format!("false is {}", or(&decoding.false_values)));
    }
    if decoding.decimal_char != usual.decimal_char {
        said.push(format!("fractions behind \"{}\"", decoding.decimal_char));
    }
    said.extend(decoding.group_char.map(|c| format!("digits in groups by \"{c}\"")));
    if decoding.trim {
        said.push("trimmed".to_owned());
    }
    said.extend(decoding.date_order.map(|order| format!("dates {}", words::date_order(order))));
    said.extend(
        decoding
            .default_offset_seconds
            .map(|offset| format!("times without a zone are {}", words::offset(offset))),
    );
    if !decoding.decode_patterns.is_empty() {
        said.push(format!("written as {}", or(&decoding.decode_patterns)));
    }
    said
}

fn or(texts: &[String]) -> String {
    words::texts(texts).replace("\", \"", "\" or \"")
}

fn check(check: &Check) -> String {
    let rule = match &check.rule {
        Rule::NotNull => "there".to_owned(),
        rule => words::rule(rule),
    };
    if check.severity == Severity::Warning { format!("{rule} (a warning)") } else { rule }
}

/// Returns what a table is besides its columns, where it is not as usual.
fn besides(table: &TableContract) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut add = |name: &str, what: &str| rows.push(vec![Cell::new(name), Cell::new(what)]);
    add(
        "other columns",
        match table.extra_columns {
            ExtraColumns::Freeze => "refused",
            ExtraColumns::DiscardValue => "left out",
            ExtraColumns::Evolve => "taken as the parser declares them",
        },
    );
    if table.column_order != casparian_core::contract::ColumnOrder::Any {
        add("order of columns", "as here, or the table is refused");
    }
    add(
        "a bad row",
        match table.verdict_unit {
            VerdictUnit::Record => "takes its record along",
            VerdictUnit::Row => "goes alone",
        },
    );
    if !table.allowed_faults.is_empty() {
        let faults: Vec<String> = table.allowed_faults.iter().map(|fault| text(fault)).collect();
        add("faults that are allowed", &faults.join(", "));
    }
    if table.quarantine_budget != QuarantineBudget::default() {
        add("in quarantine", &words::quarantine_budget(table.quarantine_budget));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, column: u32) -> Finding {
        Finding {
            severity: Gravity::Error,
            line: 7,
            column,
            code: "unknown-key",
            message: "unknown key `requierd`".to_owned(),
            hint: Some("did you mean `required`?".to_owned()),
            source: source.to_owned(),
        }
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            finding("a.yaml", &found("    requierd: true", 5), Page::PLAIN),
            "a.yaml:7:5: error: unknown key `requierd`\n    7 |     requierd: true\n      |     ^\n  hint: did you mean `required`?\n"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}x{}", "a".repeat(5000), "b".repeat(5000));
        let text = source(&found(&line, 5001), Tone::Bad, Page { width: Some(60), ..Page::PLAIN });
        let [line, caret] = text.lines().collect::<Vec<_>>().try_into().expect("two lines");
        assert!(layout::width(line) <= 60, "{line}");
        assert_eq!(line.chars().position(|c| c == 'x'), caret.chars().position(|c| c == '^'));
    }

    #[test]
    fn no_line_of_a_contract_steers_the_terminal() {
        let text = source(&found("\u{1b}[2Jx: \u{202e}y", 6), Tone::Bad, Page::PLAIN);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }
}
