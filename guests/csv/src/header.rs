//! The header of a table: whether there is one, how many rows it has, and which of them names the columns.
//!
//! What tells a header from a record is that it does not fit the columns: a word above numbers. Where all columns are text, the first
//! row is taken for a header if it looks like one: every cell a short word of its own.

use std::ops::Range;

use crate::kind::{Family, Kind};
use crate::structure::{Fit, View};

/// Rows that a header has, at most.
pub const ROWS_MAX: usize = 3;

/// What was made of the first rows of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// What the row says that names the columns; empty where there is no header.
    pub said: Vec<Vec<u8>>,
    /// What other rows of the header say of the columns.
    pub also: Vec<Vec<Vec<u8>>>,
    /// How sure it is.
    pub score: f64,
    /// Why.
    pub evidence: String,
}

/// Finds the header at the start of some lines; returns it, and the line that the body starts with.
pub fn find(view: &View<'_>, lines: Range<usize>, usual: usize, told: Option<usize>) -> (Header, usize) {
    let first: Vec<usize> = view.records(lines.clone()).take(ROWS_MAX + 1).collect();
    let (rows, score, evidence) = match told {
        Some(rows) => (rows.min(first.len()), 1.0, "an option says so".to_owned()),
        None => count(view, lines.clone(), &first, usual),
    };
    let names: Vec<Vec<Vec<u8>>> = first[..rows].iter().map(|line| view.cells(*line)).collect();
    let body = if rows == 0 { lines.start } else { first[rows - 1] + 1 };
    let Some(place) = naming(&names) else {
        return (Header { score, evidence, ..Header::default() }, body.min(lines.end));
    };
    let mut said = names[place].clone();
    if names.len() == 1 && said.len() + 1 == usual {
        align(view, body..lines.end, usual, &mut said);
    }
    let also =
        names.iter().enumerate().filter(|(row, _)| *row != place).map(|(_, row)| row.clone()).collect();
    (Header { said, also, score, evidence }, body)
}

/// How many rows the header has, how sure that is, and why.
fn count(view: &View<'_>, lines: Range<usize>, first: &[usize], usual: usize) -> (usize, f64, String) {
    let Some(top) = first.first() else { return (0, 1.0, "there is no record".to_owned()) };
    let cells = view.cells(*top);
    if first.len() == 1 {
        let is_names = looks_like_names(&cells);
        let evidence =
            if is_names { "one record, of words of their own" } else { "one record, not all of it words" };
        return (usize::from(is_names), 0.5, evidence.to_owned());
    }
    let families = view.families(lines.clone(), usual);
    let typed = families.iter().filter(|family| **family != Family::Text).count();
    let numbers = families.iter().filter(|family| **family == Family::Number).count();
    if typed == 0 {
        return by_looks(view, lines, &cells, usual);
    }
    let mut rows = 0;
    let tops: Vec<Vec<Vec<u8>>> =
        first.iter().take(ROWS_MAX.min(first.len() - 1)).map(|line| view.cells(*line)).collect();
    for (place, cells) in tops.iter().enumerate() {
        let fit = Fit::of(valued(cells), &families);
        let is_more = place == 0
            || cells.len() == usual && fit.misfits * 2 >= typed && goes_on(&tops[place - 1], cells);
        // A row above the names may have gaps: what it spans is written once.
        let spans = fit.fits == 0 && tops.get(place + 1).is_some_and(|next| names_all(next, &families));
        if !is_more || !(is_header(cells, &families) || spans) {
            break;
        }
        rows += 1;
    }
    let evidence = format!(
        "{typed} of {} columns are not text ({numbers} numbers); {rows} rows above do not fit them",
        families.len()
    );
    (rows, 0.6 + 0.4 * (typed as f64 / families.len() as f64), evidence)
}

/// Whether a row is one more of a header: more than a third of the one above it is gaps or spans, or it says no more than units and types.
/// Any other is a record that has no values yet.
fn goes_on(above: &[Vec<u8>], row: &[Vec<u8>]) -> bool {
    let mut names: Vec<&[u8]> = slices(above).map(<[u8]>::trim_ascii).collect();
    let all = names.len().max(row.len());
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    (all - names.len()) * 3 > all || slices(row).all(|cell| cell.trim_ascii().is_empty() || is_note(cell))
}

/// Words for types, as rows below names have them.
const TYPES: [&str; 22] = [
    "bigint",
    "bool",
    "boolean",
    "char",
    "character",
    "date",
    "datetime",
    "decimal",
    "double",
    "float",
    "int",
    "integer",
    "int32",
    "int64",
    "long",
    "number",
    "numeric",
    "str",
    "string",
    "text",
    "timestamp",
    "varchar",
];

/// Whether a cell is a unit, a type, or a rule.
fn is_note(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    let is_rule = cell.len() >= 2 && cell.iter().all(|byte| matches!(byte, b'-' | b'=' | b'_'));
    is_unit(cell) || is_rule || TYPES.iter().any(|word| cell.eq_ignore_ascii_case(word.as_bytes()))
}

/// What stands where there is no value.
const NOTHING: [&str; 20] = [
    "-", "--", ".", "?", "n/a", "na", "n.a.", "#n/a", "nan", "nat", "nil", "null", "(null)", "\\n", "none",
    "never", "unknown", "missing", "tbd", "pending",
];

/// The cells of a row as evidence: what says that there is no value is as good as nothing.
fn valued(cells: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    slices(cells).map(|cell| {
        let word = cell.trim_ascii();
        let is_nothing = NOTHING.iter().any(|nothing| word.eq_ignore_ascii_case(nothing.as_bytes()));
        if is_nothing { &[] } else { cell }
    })
}

/// Whether there is a word above every column that is not text.
fn names_all(cells: &[Vec<u8>], families: &[Family]) -> bool {
    let fit = Fit::of(valued(cells), families);
    cells.len() == families.len()
        && fit.fits == 0
        && fit.empty == 0
        && fit.misfits > 0
        && looks_like_names(cells)
}

/// Where all is text: whether the first row looks like names.
fn by_looks(view: &View<'_>, lines: Range<usize>, cells: &[Vec<u8>], usual: usize) -> (usize, f64, String) {
    let body: Vec<usize> = view.records(lines).skip(1).take(200).collect();
    let again = body.iter().any(|line| {
        let row = view.cells(*line);
        row.iter().zip(cells).filter(|(cell, name)| cell == name && !name.is_empty()).count() * 2 > usual
    });
    let repeated = body.iter().filter(|line| {
        view.cells(**line).iter().zip(cells).any(|(cell, name)| cell == name && !name.trim_ascii().is_empty())
    });
    let repeated = repeated.count();
    if looks_like_names(cells) && !again && repeated * 20 <= body.len() {
        return (1, 0.5, "all columns are text; the first row is of words of their own".to_owned());
    }
    (
        0,
        0.5,
        format!(
            "all columns are text; the first row is like the others, {repeated} of them have a cell of it"
        ),
    )
}

/// Whether a row does not fit columns that are not text.
pub fn is_header(cells: &[Vec<u8>], families: &[Family]) -> bool {
    let fit = Fit::of(valued(cells), families);
    if fit.misfits == 0 {
        return is_years(cells, families);
    }
    fit.misfits > fit.empty / 2 && (fit.fits == 0 || is_years(cells, families))
}

/// The same for a row that is not as wide as the table: all of it must be words of their own.
pub fn is_header_of_other_width(cells: &[Vec<u8>], families: &[Family]) -> bool {
    let is_typed = families.iter().any(|family| *family != Family::Text);
    is_typed && looks_like_names(cells)
}

/// Years (or other numbers that count up) above numbers, and words elsewhere.
fn is_years(cells: &[Vec<u8>], families: &[Family]) -> bool {
    let mut years = Vec::new();
    for (cell, family) in cells.iter().zip(families) {
        match (Kind::of(cell), family) {
            (Kind::Integer, Family::Number) => {
                years.push(std::str::from_utf8(cell).ok().and_then(|it| it.trim().parse::<i64>().ok()))
            }
            (Kind::Text, _) | (Kind::Empty, Family::Text) => {}
            _ => return false,
        }
    }
    let words = cells.len() - years.len();
    let counts_up = years.windows(2).all(|pair| matches!(pair, [Some(one), Some(next)] if next - one == 1));
    let are_years = years.iter().all(|year| year.is_some_and(|year| (1900..=2100).contains(&year)));
    years.len() >= 2 && words >= 1 && counts_up && are_years
}

/// Whether every cell is a word of its own: not empty, not a number, not long, not there twice. A cell or two may be empty.
pub fn looks_like_names(cells: &[Vec<u8>]) -> bool {
    let mut words: Vec<&[u8]> =
        cells.iter().map(|cell| cell.trim_ascii()).filter(|cell| !cell.is_empty()).collect();
    let filled = words.len();
    let are_words = words.iter().all(|word| Kind::of(word) == Kind::Text && word.len() <= 80);
    words.sort_unstable();
    words.dedup();
    are_words && filled > 0 && words.len() * 4 >= filled * 3 && filled * 2 > cells.len()
}

/// Which row of a header names the columns: the one with the most names; of equals the first.
fn naming(rows: &[Vec<Vec<u8>>]) -> Option<usize> {
    let names = |row: &Vec<Vec<u8>>| {
        let mut filled: Vec<&[u8]> =
            row.iter().map(|cell| cell.trim_ascii()).filter(|cell| !cell.is_empty()).collect();
        filled.sort_unstable();
        filled.dedup();
        filled.iter().filter(|cell| !is_unit(cell)).count()
    };
    rows.iter()
        .enumerate()
        .max_by_key(|(place, row)| (names(row), std::cmp::Reverse(*place)))
        .map(|(place, _)| place)
}

/// Whether a cell is a unit, in brackets.
fn is_unit(cell: &[u8]) -> bool {
    matches!(cell, [b'(', .., b')'] | [b'[', .., b']'])
}

/// A header with one name less than there are columns: the column without a name is the first where that one counts or names the
/// rows, and the last where nothing stands in it.
fn align(view: &View<'_>, body: Range<usize>, usual: usize, said: &mut Vec<Vec<u8>>) {
    let rows: Vec<Vec<Vec<u8>>> =
        view.records(body).take(100).map(|line| view.cells(line)).filter(|row| row.len() == usual).collect();
    let mut first: Vec<&[u8]> = rows.iter().filter_map(|row| row.first()).map(Vec::as_slice).collect();
    let last_is_empty = rows.iter().filter_map(|row| row.last()).all(|cell| cell.trim_ascii().is_empty());
    let filled = first.iter().all(|cell| !cell.is_empty());
    let count = first.len();
    first.sort_unstable();
    first.dedup();
    if !last_is_empty && filled && first.len() == count && count > 1 {
        said.insert(0, Vec::new());
    } else {
        said.push(Vec::new());
    }
}

fn slices(cells: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    cells.iter().map(Vec::as_slice)
}
