//! Rows in quarantine: as a list, and one by one with the bytes they come from.

use std::collections::BTreeSet;
use std::ops::Range;

use casparian_core::contract::verdict::OBSERVED_BYTES_MAX;
use casparian_core::guest_text::steers;
use casparian_host::quarantine::export::{RawForm, raw_in};
use casparian_host::quarantine::held::{HeldCell, HeldRow, HeldViolation};
use casparian_host::quarantine::select::Selection;
use casparian_host::quarantine::sentence::sentence;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::layout::{self, Align, Cell};
use super::paint::{Page, Tone};
use super::quantity::{count, counted};
use super::shown;

/// Digits of a row's name that tell it from others.
const ID_DIGITS: usize = 12;
/// Most columns of a terminal that one cell of a list takes.
const CELL_COLUMNS_MAX: usize = 40;
/// Most lines of a record that are shown.
const LINES_SHOWN: usize = 12;
/// Lines before the first underlined one.
const LINES_BEFORE: usize = 2;
const INDENT: &str = "  ";

/// A part of the selected rows, and what is known of the rest.
pub(crate) struct Excerpt {
    /// The rows.
    pub(crate) rows: Vec<HeldRow>,
    /// How many were passed by before them.
    pub(crate) offset: usize,
    /// Whether there are more behind them.
    pub(crate) has_more: bool,
    /// Rows in quarantine, selected or not.
    pub(crate) in_all: u64,
    /// Whether they are of many inputs, so that each says its own.
    pub(crate) names_inputs: bool,
    /// What was selected by.
    pub(crate) selection: Selection,
}

/// Returns rows, a line each.
pub(super) fn list(excerpt: &Excerpt, page: Page) -> String {
    if excerpt.rows.is_empty() {
        return String::new();
    }
    let (left, right) = (Align::Left, Align::Right);
    let input = if excerpt.names_inputs { &[("input", left)][..] } else { &[] };
    let rest = [("table", left), ("code", left), ("rule", left), ("column", left), ("observed", left)];
    let columns = [&[("id", left)][..], input, &[("record", right), ("lines", right)], &rest].concat();
    let aligns: Vec<Align> = columns.iter().map(|(_, align)| *align).collect();
    let head = columns.iter().map(|(name, _)| Cell::toned(Tone::Faint, *name)).collect();
    let rows: Vec<_> =
        std::iter::once(head).chain(excerpt.rows.iter().map(|row| list_cells(row, excerpt))).collect();
    layout::lines("", &aligns, &rows, page)
}

fn list_cells(row: &HeldRow, excerpt: &Excerpt) -> Vec<Cell> {
    let meant = row.violations.iter().find(|reason| excerpt.selection.has_reason(reason));
    let text = |text: Option<&str>| {
        Cell::new(text.map(|text| layout::cut(&shown(text), CELL_COLUMNS_MAX)).unwrap_or_default())
    };
    let mut last = meant.and_then(|reason| reason.observed.as_deref()).map(shown).unwrap_or_default();
    if row.n_violations > 1 {
        last = format!(
            "{} (and {} more)",
            layout::cut(&last, CELL_COLUMNS_MAX),
            counted(row.n_violations - 1, "reason")
        );
    }
    let input = excerpt.names_inputs.then(|| Cell::new(shown(&row.input_path)));
    let mut cells = vec![Cell::toned(Tone::Faint, id(row))];
    cells.extend(input);
    cells.extend([
        Cell::new(row.record_no.map(count).unwrap_or_default()),
        Cell::new(lines_of(row)),
        text(row.table.as_deref()),
        Cell::toned(Tone::Warn, shown(meant.map_or("", |reason| &reason.code))),
        text(meant.map(|reason| reason.rule.as_str())),
        text(meant.and_then(|reason| reason.column.as_deref())),
        Cell::new(last.trim_start()),
    ]);
    cells
}

fn id(row: &HeldRow) -> String {
    shown(&row.q_id.chars().take(ID_DIGITS).collect::<String>())
}

fn lines_of(row: &HeldRow) -> String {
    match (row.line_first, row.line_last) {
        (Some(first), Some(last)) if first != last => format!("{first}..{last}"),
        (Some(first), _) => first.to_string(),
        _ => String::new(),
    }
}

/// Says how much of what was asked for is here, and how to see the rest. Nothing, where that is all of it.
pub(super) fn rest(excerpt: &Excerpt) -> String {
    let (seen, offset) = (excerpt.rows.len(), excerpt.offset);
    match (seen, excerpt.has_more) {
        (0, _) if offset > 0 => format!("no row behind the first {offset}\n"),
        (0, _) => format!("none of the {} in quarantine is like that\n", counted(excerpt.in_all, "row")),
        (_, true) => format!("there are more: `--offset {}`, or a higher `--limit`\n", offset + seen),
        (_, false) => String::new(),
    }
}

/// A row for machines.
#[derive(Serialize)]
pub(super) struct RowJson<'a> {
    #[serde(flatten)]
    row: &'a HeldRow,
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
}

impl<'a> RowJson<'a> {
    pub(super) fn of(row: &'a HeldRow) -> Self {
        Self {
            row,
            reasons: row.violations.iter().map(sentence).collect(),
            raw_base64: raw_in(RawForm::Base64, row),
        }
    }
}

/// Returns rows one by one, a blank line between them.
pub(super) fn rows(excerpt: &Excerpt, page: Page) -> String {
    let input = |row: &HeldRow| match excerpt.names_inputs {
        true => format!("{}\n", page.paint.tone(Tone::Strong, shown(&row.input_path))),
        false => String::new(),
    };
    excerpt.rows.iter().map(|row| input(row) + &one(row, page)).collect::<Vec<_>>().join("\n")
}

fn one(row: &HeldRow, page: Page) -> String {
    head(row, page) + &reasons(row, page) + &record(row, page) + &cells(row, page)
}

/// `record 18  line 19  bytes 2891..3060  table messages  id 26dc92d91c35`
fn head(row: &HeldRow, page: Page) -> String {
    let mut parts = Vec::new();
    parts.extend(row.record_no.map(|number| format!("record {}", count(number))));
    let noun = if row.line_first == row.line_last { "line" } else { "lines" };
    parts.extend(row.line_first.map(|_| format!("{noun} {}", lines_of(row))));
    let at = row.byte_offset.zip(row.byte_length);
    parts.extend(at.map(|(offset, length)| format!("bytes {offset}..{}", offset.saturating_add(length))));
    parts.push(
        row.table
            .as_deref()
            .map_or_else(|| "in no table".to_owned(), |table| format!("table {}", shown(table))),
    );
    parts.push(format!("id {}", id(row)));
    format!("{}\n", page.paint.tone(Tone::Strong, parts.join("  ")))
}

fn reasons(row: &HeldRow, page: Page) -> String {
    let line = |reason: &HeldViolation| {
        let tone = if reason.severity == "warning" { Tone::Warn } else { Tone::Bad };
        vec![Cell::toned(tone, shown(&reason.code)), Cell::new(sentence(reason))]
    };
    let mut lines: Vec<_> = row.violations.iter().map(line).collect();
    let unlisted = row.n_violations.saturating_sub(row.violations.len() as u64);
    if unlisted > 0 {
        lines.push(vec![
            Cell::new(""),
            Cell::toned(Tone::Faint, format!("and {} that are not listed", counted(unlisted, "reason"))),
        ]);
    }
    let aligns = [Align::Left, Align::Left];
    layout::lines(INDENT, &aligns, &layout::wrap_last(INDENT, 2, &lines, page), page.endless())
}

/// Returns the record's bytes by lines, what is wrong underlined: the values that were found in them, else all of it.
fn record(row: &HeldRow, page: Page) -> String {
    let Some(raw) = row.raw.as_deref().filter(|raw| !raw.is_empty()) else { return String::new() };
    let places: Vec<Range<usize>> = row.violations.iter().filter_map(|reason| locate(raw, reason)).collect();
    let lines = by_lines(raw);
    let first_marked = lines.iter().position(|line| places.iter().any(|place| touches(line, place)));
    let from = first_marked.unwrap_or(0).saturating_sub(LINES_BEFORE);
    let number = |at: usize| row.line_first.map_or_else(String::new, |first| (first + at as u64).to_string());
    let digits = number((from + LINES_SHOWN).min(lines.len()).saturating_sub(1)).len();
    let mut text = String::new();
    if from > 0 {
        text += &format!("{INDENT}{:digits$} | … {} before\n", "", counted(from as u64, "line"));
    }
    for (at, line) in lines.iter().enumerate().skip(from).take(LINES_SHOWN) {
        let marks: Vec<_> = match places.is_empty() {
            true => vec![line.clone()],
            false => places.iter().filter(|place| touches(line, place)).cloned().collect(),
        };
        let mark = if places.is_empty() { '~' } else { '^' };
        let room =
            page.width.map_or(usize::MAX, |width| width.saturating_sub(INDENT.len() + digits + 3).max(20));
        let (shown, under) = Shown::of(&raw[line.clone()], line.start).in_window(&marks, mark, room);
        text += &format!(
            "{INDENT}{} | {shown}\n",
            page.paint.tone(Tone::Faint, format!("{:>digits$}", number(at)))
        );
        if !under.is_empty() {
            text += &format!("{INDENT}{:digits$} | {}\n", "", page.paint.tone(Tone::Bad, under));
        }
    }
    let after = lines.len().saturating_sub(from + LINES_SHOWN);
    if after > 0 {
        text += &format!("{INDENT}{:digits$} | … {}\n", "", counted(after as u64, "line") + " more");
    }
    if row.raw_truncated {
        text +=
            &format!("{INDENT}{:digits$} | … the first {} are kept\n", "", counted(raw.len() as u64, "byte"));
    }
    text
}

/// Returns the lines of a record, without their ends.
fn by_lines(raw: &[u8]) -> Vec<Range<usize>> {
    let mut from = 0;
    let line = |line: &[u8]| {
        let range = from..from + line.len();
        from = range.end;
        let end = if line.ends_with(b"\n") { range.end - 1 } else { range.end };
        range.start..end
    };
    raw.split_inclusive(|byte| *byte == b'\n').map(line).collect()
}

fn touches(line: &Range<usize>, place: &Range<usize>) -> bool {
    place.start < line.end.max(line.start + 1) && line.start < place.end
}

/// Finds the value that a reason is about among a record's bytes. None where it is not there or could be meant twice: a mark
/// under the wrong one is worse than none.
fn locate(raw: &[u8], reason: &HeldViolation) -> Option<Range<usize>> {
    let observed = reason.observed.as_deref()?;
    let cut = observed.strip_suffix('…').filter(|_| observed.len() > OBSERVED_BYTES_MAX);
    let value = cut.unwrap_or(observed).as_bytes();
    if value.is_empty() {
        return None;
    }
    let found = memchr::memmem::find_iter(raw, value).map(|at| at..at + value.len());
    // Two are enough to know that it is not one.
    let whole: Vec<_> = found.clone().filter(|place| stands_alone(raw, place)).take(2).collect();
    match whole.as_slice() {
        [only] => Some(only.clone()),
        [] => match found.take(2).collect::<Vec<_>>().as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn stands_alone(raw: &[u8], place: &Range<usize>) -> bool {
    let is_word = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | 0x80..))
    };
    !is_word(place.start.checked_sub(1).and_then(|before| raw.get(before))) && !is_word(raw.get(place.end))
}

/// A line as it is shown: for each character or stray byte where it begins, what stands for it, and how wide that is.
struct Shown {
    pieces: Vec<(usize, String, usize)>,
    end: usize,
}

impl Shown {
    fn of(line: &[u8], begin: usize) -> Self {
        let mut pieces = Vec::new();
        let mut at = begin;
        for chunk in line.utf8_chunks() {
            for c in chunk.valid().chars() {
                let text = picture(c);
                let width = text.width();
                pieces.push((at, text, width));
                at += c.len_utf8();
            }
            for byte in chunk.invalid() {
                pieces.push((at, format!("\\x{byte:02x}"), 4));
                at += 1;
            }
        }
        Self { pieces, end: at }
    }

    /// Returns the part of the line that fits `room` columns, the marked places in it if they can be, and the marks below.
    fn in_window(&self, marks: &[Range<usize>], mark: char, room: usize) -> (String, String) {
        let widths: usize = self.pieces.iter().map(|(_, _, width)| width).sum();
        if widths <= room {
            return self.part(0, self.pieces.len(), marks, mark);
        }
        let marked = self.pieces.iter().position(|(at, ..)| marks.iter().any(|place| place.contains(at)));
        let is_near = |piece: usize| {
            self.pieces[..piece].iter().map(|(_, _, width)| width).sum::<usize>() < room * 2 / 3
        };
        let from = marked.filter(|piece| !is_near(*piece)).map_or(0, |piece| self.back_from(piece, room / 3));
        let mut used = usize::from(from > 0) + 1;
        let fits = |(_, _, width): &&(usize, String, usize)| {
            used += width;
            used <= room
        };
        let to = from + self.pieces[from..].iter().take_while(fits).count();
        let (line, under) = self.part(from, to, marks, mark);
        let (before, space) = if from > 0 { ("…", " ") } else { ("", "") };
        let after = if to < self.pieces.len() { "…" } else { "" };
        let under = if under.is_empty() { under } else { format!("{space}{under}") };
        (format!("{before}{line}{after}"), under)
    }

    fn back_from(&self, piece: usize, columns: usize) -> usize {
        let mut used = 0;
        let back = self.pieces[..piece].iter().rev().take_while(|(_, _, width)| {
            used += width;
            used <= columns
        });
        piece - back.count()
    }

    fn part(&self, from: usize, to: usize, marks: &[Range<usize>], mark: char) -> (String, String) {
        let (mut line, mut under) = (String::new(), String::new());
        for (at, text, width) in &self.pieces[from..to] {
            line += text;
            let is_marked = marks.iter().any(|place| place.contains(at));
            under.extend(std::iter::repeat_n(if is_marked { mark } else { ' ' }, *width));
        }
        // What is missing at a line's end is marked behind it.
        if to == self.pieces.len() && marks.iter().any(|place| place.start == self.end && !place.is_empty()) {
            under.push(mark);
        }
        under.truncate(under.trim_end().len());
        (line, under)
    }
}

/// Returns what stands for a character: a picture for a control, so that columns line up; an escape for what steers a terminal.
fn picture(c: char) -> String {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}').to_string(),
        '\u{7f}' => '\u{2421}'.to_string(),
        c if steers(c) => shown(&c.to_string()),
        c => c.to_string(),
    }
}

/// Returns the cells as the parser sent them: those that are null and that nothing is wrong with by name only.
fn cells(row: &HeldRow, page: Page) -> String {
    let Some(cells) = row.cells.as_deref().filter(|cells| !cells.is_empty()) else { return String::new() };
    let blamed: BTreeSet<&str> =
        row.violations.iter().filter_map(|reason| reason.column.as_deref()).collect();
    let is_listed = |cell: &&HeldCell| cell.value.is_some() || blamed.contains(cell.column.as_str());
    let line = |cell: &HeldCell| {
        let tone = if blamed.contains(cell.column.as_str()) { Tone::Bad } else { Tone::Plain };
        let value = cell.value.as_deref().map(shown);
        vec![
            Cell::toned(tone, shown(&cell.column)),
            Cell::toned(Tone::Faint, shown(&cell.kind)),
            value.map_or_else(|| Cell::toned(Tone::Faint, "∅"), Cell::new),
        ]
    };
    let lines: Vec<_> = cells.iter().filter(is_listed).map(line).collect();
    let null: Vec<String> =
        cells.iter().filter(|cell| !is_listed(cell)).map(|cell| shown(&cell.column)).collect();
    let title = page.paint.tone(Tone::Faint, "cells, as the parser sent them");
    let mut text = format!("{INDENT}{title}\n");
    text += &layout::lines("    ", &[Align::Left, Align::Left, Align::Left], &lines, page);
    if !null.is_empty() {
        text += &layout::list("    null: ", &null, page);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(column: Option<&str>, rule: &str, observed: Option<&str>) -> HeldViolation {
        HeldViolation {
            code: "CF0401".to_owned(),
            severity: "error".to_owned(),
            column: column.map(str::to_owned),
            rule: rule.to_owned(),
            expected: None,
            observed: observed.map(str::to_owned),
        }
    }

    fn row(raw: &[u8], violations: Vec<HeldViolation>) -> HeldRow {
        HeldRow {
            q_id: "26dc92d91c3519f736d26c37ff3d13f4".to_owned(),
            row_id: "ab".to_owned(),
            table: Some("trades".to_owned()),
            input_path: "in.csv".to_owned(),
            record_no: Some(18),
            line_first: Some(9),
            line_last: Some(9 + raw.iter().filter(|byte| **byte == b'\n').count() as u64),
            byte_offset: Some(100),
            byte_length: Some(raw.len() as u64),
            n_violations: violations.len() as u64,
            violations,
            raw: Some(raw.to_vec()),
            raw_truncated: false,
            cells: None,
        }
    }

    #[test]
    fn the_value_that_is_wrong_is_underlined_where_it_stands() {
        let row = row("ä,-5,日本".as_bytes(), vec![reason(Some("qty"), "minimum", Some("-5"))]);
        assert_eq!(record(&row, Page::PLAIN), "  9 | ä,-5,日本\n    |   ^^\n");
    }

    #[test]
    fn a_wide_character_is_underlined_in_all_its_columns() {
        let row = row("日本,x".as_bytes(), vec![reason(Some("name"), "pattern", Some("本"))]);
        assert_eq!(record(&row, Page::PLAIN), "  9 | 日本,x\n    |   ^^\n");
    }

    #[test]
    fn a_value_that_stands_there_twice_is_not_guessed_at() {
        assert_eq!(locate(b"1,5,1", &reason(Some("a"), "r", Some("1"))), None);
        assert_eq!(locate(b"1,15,2", &reason(Some("a"), "r", Some("1"))), Some(0..1));
        assert_eq!(locate(b"x15y", &reason(Some("a"), "r", Some("15"))), Some(1..3));
        assert_eq!(locate(b"-1", &reason(Some("a"), "r", Some("1"))), Some(1..2));
        assert_eq!(locate(b"abc", &reason(Some("a"), "r", Some(""))), None);
        assert_eq!(locate(b"abc", &reason(Some("a"), "r", None)), None);
    }

    #[test]
    fn where_no_value_is_found_all_of_the_record_is_underlined() {
        let row = row(b"ab\ncd\n", vec![reason(None, "torn", None)]);
        assert_eq!(record(&row, Page::PLAIN), "   9 | ab\n     | ~~\n  10 | cd\n     | ~~\n");
    }

    #[test]
    fn controls_take_one_column_and_stray_bytes_four() {
        let row = row(b"8=F\x01\xff|x\r\n", vec![reason(Some("t"), "r", Some("x"))]);
        assert_eq!(record(&row, Page::PLAIN), "  9 | 8=F␁\\xff|x␍\n    |          ^\n");
    }

    #[test]
    fn a_long_line_is_cut_around_what_is_wrong() {
        let mut line = "a,".repeat(500);
        line += "bad";
        line += &",c".repeat(500);
        let row = row(line.as_bytes(), vec![reason(Some("t"), "r", Some("bad"))]);
        let page = Page { width: Some(60), ..Page::PLAIN };
        let text = record(&row, page);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| layout::width(line) <= 60), "{text}");
        let (at, under) = (lines[0].find("bad").unwrap(), lines[1].find("^^^").unwrap());
        assert_eq!(layout::width(&lines[0][..at]), layout::width(&lines[1][..under]), "{text}");
    }

    #[test]
    fn of_many_lines_those_around_what_is_wrong_are_shown() {
        let mut text = String::new();
        (0..40).for_each(|n| text += &format!("line {n}\n"));
        let row = row(text.as_bytes(), vec![reason(Some("t"), "r", Some("line 20"))]);
        let shown = record(&row, Page::PLAIN);
        assert!(shown.contains("29 | line 20\n     | ^^^^^^^\n"), "{shown}");
        assert!(shown.starts_with("     | … 18 lines before\n  27 | line 18\n"), "{shown}");
    }

    #[test]
    fn nothing_hostile_reaches_the_terminal() {
        let evil = "\u{1b}]52;c;x\u{7}\u{9b}2J\u{202e}\u{200b}\r";
        let mut row = row(format!("a{evil}b").as_bytes(), vec![reason(Some(evil), evil, Some(evil))]);
        row.table = Some(evil.to_owned());
        row.q_id = evil.to_owned();
        row.violations[0].code = evil.to_owned();
        row.violations[0].expected = Some(evil.to_owned());
        let value = Some(evil.to_owned());
        row.cells = Some(vec![
            HeldCell { column: evil.to_owned(), kind: evil.to_owned(), value },
            HeldCell { column: format!("{evil}2"), kind: evil.to_owned(), value: None },
        ]);
        let excerpt = Excerpt {
            rows: vec![row],
            offset: 0,
            has_more: false,
            in_all: 1,
            names_inputs: false,
            selection: Default::default(),
        };
        for text in [list(&excerpt, Page::PLAIN), rows(&excerpt, Page::PLAIN)] {
            assert!(!text.chars().any(|c| c != '\n' && steers(c)), "{text:?}");
        }
    }
}
