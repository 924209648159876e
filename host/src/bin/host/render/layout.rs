//! Columns of text, aligned by what a terminal shows rather than by bytes.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::paint::{Page, Paint, Tone};

/// Between two columns.
pub(super) const GAP: usize = 2;

/// Below this a column of prose is cut rather than broken.
const WORDS_COLUMNS_MIN: usize = 20;

/// Which edge of its column a cell keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// One cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// What it shows, escaped already.
    pub(super) text: String,
    /// How.
    pub(super) tone: Tone,
}

impl Cell {
    /// Makes a cell in a tone.
    pub(super) fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }

    /// Makes a cell.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self::toned(Tone::Plain, text)
    }
}

/// Returns the columns that text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// Returns text of at most `columns`, its loss marked with `…`.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// Returns `lead` and a list, broken between its parts where the page ends; lines go on under the first part.
pub(super) fn list(lead: &str, parts: &[String], page: Page) -> String {
    let mut text = lead.to_owned();
    let mut used = width(lead);
    for (at, part) in parts.iter().enumerate() {
        let comma = if at + 1 < parts.len() { "," } else { "" };
        let wanted = width(part) + comma.len();
        if at > 0 && page.width.is_some_and(|most| used + 1 + wanted > most) {
            text += &format!("\n{}", " ".repeat(width(lead)));
            used = width(lead);
        } else if at > 0 {
            text.push(' ');
            used += 1;
        }
        text += &format!("{part}{comma}");
        used += wanted;
    }
    text + "\n"
}

/// Returns rows whose last cells fit the page: what does not goes on in further rows, broken at blanks, in its own column.
pub(super) fn wrap_last(indent: &str, columns: usize, rows: &[Vec<Cell>], page: Page) -> Vec<Vec<Cell>> {
    let column_width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|c| width(&c.text)).max();
    let before: usize =
        (0..columns.saturating_sub(1)).map(|column| column_width(column).unwrap_or(0) + GAP).sum();
    // A last column too narrow for words is better cut.
    let room = page.width.map_or(usize::MAX, |most| most.saturating_sub(width(indent) + before));
    if room < WORDS_COLUMNS_MIN {
        return rows.to_vec();
    }
    rows.iter().flat_map(|row| wrap_row(row, columns, room)).collect()
}

fn wrap_row(row: &[Cell], columns: usize, room: usize) -> Vec<Vec<Cell>> {
    let Some((last, before)) = row.split_last().filter(|_| row.len() == columns) else {
        return vec![row.to_vec()];
    };
    let lines = broken_at_blanks(&last.text, room);
    let lead =
        |at: usize| if at == 0 { before.to_vec() } else { vec![Cell::new(""); columns.saturating_sub(1)] };
    let whole = |(at, text)| lead(at).into_iter().chain([Cell { text, tone: last.tone }]).collect();
    lines.into_iter().enumerate().map(whole).collect()
}

fn broken_at_blanks(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if width(line) + 1 + width(word) <= room => *line = format!("{line} {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns rows as lines, each behind `indent`. A row may be shorter than others; the last cell of each is cut to the page.
/// No line ends in blanks.
pub(super) fn lines(indent: &str, aligns: &[Align], rows: &[Vec<Cell>], page: Page) -> String {
    let last = aligns.len().saturating_sub(1);
    let column_width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|c| width(&c.text)).max();
    let mut widths: Vec<usize> = (0..aligns.len()).map(|column| column_width(column).unwrap_or(0)).collect();
    if let (Some(page_width), Some((last_width, before))) = (page.width, widths.split_last_mut()) {
        let used = width(indent) + before.iter().sum::<usize>() + GAP * last;
        *last_width = (*last_width).min(page_width.saturating_sub(used)).max(1);
    }
    rows.iter().map(|row| format!("{indent}{}\n", line(row, aligns, &widths, page.paint))).collect()
}

fn line(row: &[Cell], aligns: &[Align], widths: &[usize], paint: Paint) -> String {
    let mut line = String::new();
    let mut owed = 0;
    for ((cell, align), column) in row.iter().zip(aligns).zip(widths) {
        let text = cut(&cell.text, *column);
        let free = column.saturating_sub(width(&text));
        let (before, after) = if *align == Align::Right { (free, 0) } else { (0, free) };
        if text.is_empty() {
            owed += column + GAP;
        } else {
            line.push_str(&" ".repeat(owed + before));
            line.push_str(&paint.tone(cell.tone, &text));
            owed = after + GAP;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_what_a_terminal_shows() {
        let row = |a: &str, b: &str, c: &str| vec![Cell::new(a), Cell::new(b), Cell::new(c)];
        let rows = [row("a", "1", "x"), row("日本", "12,345", ""), row("", "7", "end")];
        let shown = lines("  ", &[Align::Left, Align::Right, Align::Left], &rows, Page::PLAIN);
        assert_eq!(shown, "  a          1  x\n  日本  12,345\n             7  end\n");
    }

    #[test]
    fn what_is_last_in_a_row_gives_way_to_the_page() {
        let rows = [vec![Cell::new("name"), Cell::new("a long word about it")], vec![Cell::new("x")]];
        let narrow = Page { width: Some(14), ..Page::PLAIN };
        assert_eq!(lines("  ", &[Align::Left, Align::Left], &rows, narrow), "  name  a lon…\n  x\n");
    }

    #[test]
    fn prose_goes_on_in_its_own_column() {
        let rows = [
            vec![Cell::new("code"), Cell::new("some words that say what it means")],
            vec![Cell::new("x"), Cell::new("y")],
        ];
        let narrow = Page { width: Some(28), ..Page::PLAIN };
        let wrapped = wrap_last("  ", 2, &rows, narrow);
        assert_eq!(
            lines("  ", &[Align::Left, Align::Left], &wrapped, narrow),
            "  code  some words that say\n        what it means\n  x     y\n"
        );
    }

    #[test]
    fn a_list_breaks_between_its_parts_and_goes_on_under_the_first() {
        let parts = ["1 aa", "2 bbbb", "3 c"].map(str::to_owned);
        let narrow = Page { width: Some(17), ..Page::PLAIN };
        assert_eq!(list("  by: ", &parts, narrow), "  by: 1 aa,\n      2 bbbb, 3 c\n");
        assert_eq!(list("  by: ", &parts, Page::PLAIN), "  by: 1 aa, 2 bbbb, 3 c\n");
        assert_eq!(list("lead ", &parts[..1], Page { width: Some(1), ..Page::PLAIN }), "lead 1 aa\n");
    }

    #[test]
    fn a_wide_character_is_never_cut_in_half() {
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 1), "…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn characters_without_width_take_none() {
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
    }
}
