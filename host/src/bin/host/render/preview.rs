//! The first rows of each table, where nothing is written.

use casparian_core::guest_text::GuestText;
use casparian_host::report::{Preview, Report, Status};

use super::layout::{self, Align, Cell, GAP};
use super::paint::{Page, Tone};
use super::quantity::{count, counted};

/// Most columns of a terminal that one cell takes.
const CELL_COLUMNS_MAX: usize = 32;
const INDENT: &str = "  ";

/// Returns the previews of a run. A run that failed has none: its rows were never released.
pub(super) fn previews(report: &Report, page: Page) -> String {
    if report.status == Status::Failed {
        return String::new();
    }
    report.previews.iter().map(|preview| table(preview, accepted(report, preview), page)).collect()
}

fn accepted(report: &Report, preview: &Preview) -> u64 {
    let table = report.tables.iter().find(|table| table.name == preview.table);
    table.map_or(preview.rows.len() as u64, |table| table.accepted)
}

/// Returns the preview of one table.
pub(super) fn table(preview: &Preview, accepted: u64, page: Page) -> String {
    let shown = preview.rows.len() as u64;
    let extent = match shown {
        0 if accepted > 0 => return String::new(),
        0 => "no rows".to_owned(),
        _ if shown == accepted => counted(shown, "row"),
        _ => format!("first {} of {}", count(shown), counted(accepted, "row")),
    };
    let title = format!(
        "{}  {}\n",
        page.paint.tone(Tone::Strong, &preview.table),
        page.paint.tone(Tone::Faint, extent)
    );
    if shown == 0 {
        return title + "\n";
    }
    let (columns, empty) = columns_worth_showing(preview, page);
    let fitting = columns_that_fit(&columns, page);
    let notes = notes(&columns[fitting..], &empty, page);
    title + &body(&columns[..fitting], preview.rows.len(), page) + &notes + "\n"
}

/// A column, laid out: its name, its type, its cells.
struct Column {
    name: String,
    align: Align,
    cells: Vec<Cell>,
    width: usize,
}

impl Column {
    fn new(at: usize, (name, kind): &(GuestText, String), preview: &Preview, page: Page) -> Self {
        let widest = page.width.map_or(usize::MAX, |_| CELL_COLUMNS_MAX);
        let name = layout::cut(&name.to_string(), widest);
        let rows = preview.rows.iter().map(|row| cell(row.get(at).and_then(Option::as_ref), widest));
        let mut cells = vec![Cell::toned(Tone::Strong, name.as_str())];
        cells.extend(rows);
        let width = cells.iter().map(|cell| layout::width(&cell.text)).max().unwrap_or(0);
        // On a terminal a type has the room that its column takes anyway.
        let shown_kind = page.width.map_or_else(|| kind.clone(), |_| layout::cut(kind, width));
        let width = width.max(layout::width(&shown_kind));
        cells.insert(1, Cell::toned(Tone::Faint, shown_kind));
        Self { name, align: align_of(kind), cells, width }
    }
}

fn cell(value: Option<&GuestText>, widest: usize) -> Cell {
    match value {
        None => Cell::toned(Tone::Faint, "∅"),
        Some(text) => Cell::new(layout::cut(&text.to_string(), widest)),
    }
}

fn align_of(kind: &str) -> Align {
    let kind = kind.to_ascii_lowercase();
    let is_number = ["int", "uint", "float", "decimal"].iter().any(|number| kind.starts_with(number));
    if is_number { Align::Right } else { Align::Left }
}

/// Returns the columns, and the names of those that are left out: on a terminal, columns that hold nothing in these rows
/// would push others off the page.
fn columns_worth_showing(preview: &Preview, page: Page) -> (Vec<Column>, Vec<String>) {
    let is_empty = |at: usize| preview.rows.iter().all(|row| row.get(at).is_none_or(Option::is_none));
    let all_empty = (0..preview.columns.len()).all(is_empty);
    let mut columns = Vec::new();
    let mut empty = Vec::new();
    for (at, column) in preview.columns.iter().enumerate() {
        if page.width.is_some() && is_empty(at) && !all_empty {
            empty.push(column.0.to_string());
        } else {
            columns.push(Column::new(at, column, preview, page));
        }
    }
    (columns, empty)
}

/// Returns how many of the first columns fit the page; one at least.
fn columns_that_fit(columns: &[Column], page: Page) -> usize {
    let Some(page_width) = page.width else { return columns.len() };
    let mut used = INDENT.len();
    let fits = |column: &&Column| {
        used += column.width + GAP;
        used - GAP <= page_width
    };
    columns.iter().take_while(fits).count().clamp(1, columns.len().max(1)).min(columns.len())
}

fn body(columns: &[Column], rows: usize, page: Page) -> String {
    let aligns: Vec<Align> = columns.iter().map(|column| column.align).collect();
    let row = |at: usize| columns.iter().filter_map(|column| column.cells.get(at).cloned()).collect();
    // Above the rows stand the names and the types.
    let lines: Vec<Vec<Cell>> = (0..rows + 2).map(row).collect();
    layout::lines(INDENT, &aligns, &lines, page)
}

/// Says what the page is too narrow for, and what was left out.
fn notes(hidden: &[Column], empty: &[String], page: Page) -> String {
    let hidden: Vec<String> = hidden.iter().map(|column| column.name.clone()).collect();
    let note = |names: &[String], what: &str| match names.len() {
        0 => String::new(),
        n => {
            let line = format!("{INDENT}{} {what}: {}", counted(n as u64, "column"), names.join(", "));
            let line = layout::cut(&line, page.width.unwrap_or(usize::MAX));
            format!("{}\n", page.paint.tone(Tone::Faint, line))
        }
    };
    note(&hidden, "more, cut here but not in a pipe") + &note(empty, "with nothing in these rows")
}

#[cfg(test)]
mod tests {
    use casparian_core::id::TableName;

    use super::*;

    fn text(text: &str) -> GuestText {
        GuestText::new(text, 64)
    }

    fn preview(columns: &[(&str, &str)], rows: &[&[Option<&str>]]) -> Preview {
        Preview {
            table: TableName::new("trades").unwrap(),
            columns: columns.iter().map(|(name, kind)| (text(name), (*kind).to_owned())).collect(),
            rows: rows.iter().map(|row| row.iter().map(|cell| cell.map(text)).collect()).collect(),
        }
    }

    fn at(width: Option<usize>) -> Page {
        Page { width, ..Page::PLAIN }
    }

    #[test]
    fn numbers_stand_right_and_what_is_missing_is_marked() {
        let preview = preview(
            &[("symbol", "Utf8"), ("px", "Decimal128(18, 4)"), ("note", "Utf8")],
            &[&[Some("A"), Some("1.5000"), None], &[Some("日本"), Some("100.0000"), Some("x")]],
        );
        let shown = table(&preview, 1_234, at(None));
        assert_eq!(
            shown,
            "trades  first 2 of 1,234 rows\n\
             \x20 symbol                 px  note\n\
             \x20 Utf8    Decimal128(18, 4)  Utf8\n\
             \x20 A                  1.5000  ∅\n\
             \x20 日本             100.0000  x\n\n"
        );
    }

    #[test]
    fn a_cell_cannot_steer_the_terminal_or_break_its_line() {
        let preview = preview(&[("a\u{1b}[1m", "Utf8")], &[&[Some("x\n\u{1b}[2J\u{202e}y")]]);
        let shown = table(&preview, 1, at(Some(80)));
        assert!(shown.contains("a\\u{1b}[1m"), "{shown}");
        assert!(shown.contains("x\\n\\u{1b}[2J\\u{202e}y"), "{shown}");
        assert_eq!(shown.lines().count(), 5);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let wide = "w".repeat(60);
        let columns: Vec<(String, &str)> = (0..30).map(|n| (format!("column_{n}"), "Utf8")).collect();
        let columns: Vec<(&str, &str)> = columns.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        let row: Vec<Option<&str>> = vec![Some(&wide); 30];
        let preview = preview(&columns, &[&row]);
        for width in [1, 20, 40, 80, 200] {
            for line in table(&preview, 1, at(Some(width))).lines().skip(1) {
                assert!(layout::width(line) <= width.max(CELL_COLUMNS_MAX + 2), "{width}: {line}");
            }
        }
        assert!(
            table(&preview, 1, at(Some(80)))
                .contains("28 columns more, cut here but not in a pipe: column_2")
        );
    }

    #[test]
    fn on_a_terminal_a_type_takes_no_room_of_its_own() {
        let preview = preview(&[("price", "Decimal128(38, 10)")], &[&[Some("1.5")]]);
        assert!(table(&preview, 1, at(Some(80))).contains("  price\n  Deci…\n    1.5\n"));
    }

    #[test]
    fn in_a_pipe_every_column_is_there() {
        let preview = preview(&[("a", "Utf8"), ("b", "Utf8")], &[&[Some("1"), None]]);
        assert!(table(&preview, 1, at(None)).contains("  a     b\n"));
        assert!(table(&preview, 1, at(None)).contains("  Utf8  Utf8\n"));
        assert!(table(&preview, 1, at(Some(80))).contains("1 column with nothing in these rows: b"));
    }

    #[test]
    fn a_table_of_no_columns_or_only_empty_ones_is_shown_all_the_same() {
        assert_eq!(table(&preview(&[], &[&[]]), 1, at(Some(80))).lines().next(), Some("trades  1 row"));
        assert!(table(&preview(&[("a", "Utf8")], &[&[None]]), 1, at(Some(80))).contains("  ∅\n"));
        assert_eq!(table(&preview(&[("a", "Utf8")], &[]), 0, at(Some(80))), "trades  no rows\n\n");
    }
}
