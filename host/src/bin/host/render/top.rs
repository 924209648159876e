//! Why rows are in quarantine, by count.

use casparian_host::quarantine::top::{Counted, Pair, Reason, Top};

use super::layout::{self, Align, Cell};
use super::paint::{Page, Tone};
use super::quantity::{count, counted, share};
use super::shown;

/// Columns of the longest bar.
const BAR_COLUMNS: u64 = 24;
const INDENT: &str = "  ";

/// Returns the counts, at most `most` of each kind.
pub(super) fn top(top: &Top, most: usize, page: Page) -> String {
    let mut text = format!("{}\n", page.paint.tone(Tone::Strong, counted(top.rows, "row")));
    text += &section("by reason", &top.reasons, reason_cells, top.rows, most, page);
    // What says the same as the list above it says nothing.
    if top.columns.len() > 1 {
        text += &section(
            "by column",
            &top.columns,
            |column| vec![Cell::new(shown(column))],
            top.rows,
            most,
            page,
        );
    }
    if top.tables.len() > 1 {
        text +=
            &section("by table", &top.tables, |table| vec![Cell::new(shown(table))], top.rows, most, page);
    }
    text += &together(&top.pairs, most, page);
    if top.rows_cut > 0 {
        text += &format!("{} with more reasons than are told apart\n", counted(top.rows_cut, "row"));
    }
    text
}

fn reason_cells(reason: &Reason) -> Vec<Cell> {
    let column = reason.column.as_deref().map(shown).unwrap_or_default();
    vec![Cell::toned(Tone::Warn, shown(&reason.code)), Cell::new(shown(&reason.rule)), Cell::new(column)]
}

fn section<T>(
    title: &str,
    counts: &[Counted<T>],
    cells: impl Fn(&T) -> Vec<Cell>,
    rows: u64,
    most: usize,
    page: Page,
) -> String {
    let largest = counts.first().map_or(1, |first| first.rows.max(1));
    let line = |counted: &Counted<T>| {
        let mut line =
            vec![Cell::new(count(counted.rows)), Cell::toned(Tone::Faint, share(counted.rows, rows))];
        line.extend(cells(&counted.what));
        // Bars are for eyes: in a pipe there are none.
        if page.width.is_some() {
            line.push(Cell::toned(Tone::Warn, bar(counted.rows, largest)));
        }
        line
    };
    let lines: Vec<_> = counts.iter().take(most).map(line).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let aligns: Vec<Align> = (0..columns).map(|at| if at < 2 { Align::Right } else { Align::Left }).collect();
    let title = page.paint.tone(Tone::Faint, title);
    format!("{title}\n{}{}", layout::lines(INDENT, &aligns, &lines, page), more(counts.len(), most))
}

fn more(found: usize, most: usize) -> String {
    match found.saturating_sub(most) {
        0 => String::new(),
        more => format!("{INDENT}and {more} more: `--limit`\n"),
    }
}

/// Returns a bar in eighths of a column.
fn bar(rows: u64, largest: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = u128::from(rows) * u128::from(BAR_COLUMNS) * 8 / u128::from(largest.max(1));
    let (whole, part) = ((eighths / 8) as usize, (eighths % 8) as usize);
    match eighths {
        0 => EIGHTHS[1].to_owned(),
        _ => "█".repeat(whole) + EIGHTHS[part],
    }
}

fn together(pairs: &[Pair], most: usize, page: Page) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let line = |pair: &Pair| {
        vec![
            Cell::new(count(pair.rows)),
            Cell::toned(Tone::Faint, format!("{:.1} times chance", pair.lift)),
            Cell::new(format!("{} with {}", named(&pair.one), named(&pair.other))),
        ]
    };
    let lines: Vec<_> = pairs.iter().take(most).map(line).collect();
    let title = page.paint.tone(Tone::Faint, "together");
    let aligns = [Align::Right, Align::Right, Align::Left];
    format!("{title}\n{}{}", layout::lines(INDENT, &aligns, &lines, page), more(pairs.len(), most))
}

fn named(reason: &Reason) -> String {
    let column = reason.column.as_deref().map(|column| format!(" of {}", shown(column))).unwrap_or_default();
    format!("{}{column}", shown(&reason.rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(rule: &str, column: Option<&str>) -> Reason {
        Reason { code: "CF0401".to_owned(), rule: rule.to_owned(), column: column.map(str::to_owned) }
    }

    fn counts() -> Top {
        Top {
            rows: 10,
            reasons: vec![
                Counted { what: reason("minimum", Some("px")), rows: 8 },
                Counted { what: reason("torn", None), rows: 2 },
            ],
            columns: vec![Counted { what: "px".to_owned(), rows: 8 }],
            tables: vec![],
            pairs: vec![Pair {
                one: reason("minimum", Some("px")),
                other: reason("torn", None),
                rows: 2,
                lift: 1.25,
            }],
            rows_cut: 0,
        }
    }

    #[test]
    fn reasons_are_counted_and_what_comes_together_is_named() {
        let expected = "\
10 rows
by reason
  8  80.000 %  CF0401  minimum  px
  2  20.000 %  CF0401  torn
together
  2  1.2 times chance  minimum of px with torn
";
        assert_eq!(top(&counts(), 10, Page::PLAIN), expected);
    }

    #[test]
    fn bars_are_drawn_on_a_terminal_only() {
        let page = Page { width: Some(80), ..Page::PLAIN };
        assert!(top(&counts(), 10, page).contains("px  ████████████████████████\n"));
        assert!(!top(&counts(), 10, Page::PLAIN).contains('█'));
        assert_eq!((bar(1, 16), bar(1, 1_000_000)), ("█▌".to_owned(), "▏".to_owned()));
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        assert!(top(&counts(), 1, Page::PLAIN).contains("and 1 more"));
    }
}
