//! What a text is made of: tables, and what stands before, between and behind them.
//!
//! Lines are read in the dialect and put into blocks, parted by blank lines. A block whose records are as wide as the table's goes on
//! with it; one of another width that is a table by itself begins the next; what is neither is a preamble, a footer, or a note.

use std::cell::Cell;
use std::ops::Range;

use casparian_sdk::SkipKind;

use crate::dialect::Dialect;
use crate::header::{self, Header};
use crate::kind::{Family, Kind};
use crate::record;
use crate::score::{is_blank, is_comment};

/// Tables of one input, at most: as many as the description names.
pub const TABLES_MAX: usize = 8;
/// Rows of a table that are looked at for the kinds of its columns.
const TYPED_ROWS_MAX: usize = 500;

/// What options say of the structure.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Lines before the first table.
    pub preamble: Option<usize>,
    /// Lines behind the last one.
    pub footer: Option<usize>,
    /// Rows of the header.
    pub header: Option<usize>,
    /// Whether there is one table, whatever it looks like.
    pub is_one_table: bool,
}

/// A line of the text, or several that are one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it starts.
    pub start: u32,
    /// Where its text ends.
    pub end: u32,
    /// Where the next one starts.
    pub next: u32,
    /// How many cells it has; 0 for what is no record.
    pub width: u16,
    /// What it is.
    pub class: Class,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A record.
    Record,
    /// A record that cannot be read.
    Broken,
    /// Nothing.
    Blank,
    /// A comment.
    Comment,
}

/// A table of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Its lines: from its header, or from the first record, to the last.
    pub lines: Range<usize>,
    /// The first line of its body.
    pub body: usize,
    /// What was made of its header.
    pub header: Header,
    /// Cells that most records have.
    pub usual: usize,
    /// Columns.
    pub width: usize,
    /// What each column holds.
    pub families: Vec<Family>,
    /// Records by how many cells they have, most frequent first.
    pub widths: Vec<(usize, usize)>,
    /// How many records have more cells than is usual, and stand where the columns are.
    pub long: usize,
}

/// A stretch of the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Lines that hold no record.
    Skip(Range<usize>, SkipKind, &'static str),
    /// A table, by its place.
    Table(usize),
}

/// What a text is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Structure {
    /// Its lines.
    pub lines: Vec<Line>,
    /// Its tables.
    pub tables: Vec<Found>,
    /// Everything, in order.
    pub parts: Vec<Part>,
}

/// A text with its lines, to look cells up in.
pub struct View<'t> {
    /// The text.
    pub text: &'t [u8],
    /// How it is written.
    pub dialect: &'t Dialect,
    /// Its lines.
    pub lines: &'t [Line],
    /// Close looks at stretches that are left: who makes a text to be looked at closely everywhere gets no more of them.
    pub looks: Cell<usize>,
}

/// Close looks at stretches of one text, at most.
pub const LOOKS_MAX: usize = 400;

impl View<'_> {
    /// Returns the cells of a record, as they are meant.
    pub fn cells(&self, line: usize) -> Vec<Vec<u8>> {
        let (text, cells) = self.raw(line);
        let mut said = Vec::with_capacity(cells.len());
        for cell in cells {
            let mut bytes = Vec::new();
            let raw = &text[cell.start as usize..cell.end as usize];
            if cell.escaped {
                self.dialect.unescape(raw, cell.quoted, &mut bytes)
            } else {
                bytes.extend_from_slice(raw)
            }
            said.push(bytes);
        }
        said
    }

    fn line_text(&self, line: usize) -> &[u8] {
        &self.text[self.lines[line].start as usize..self.lines[line].end as usize]
    }

    fn raw(&self, line: usize) -> (&[u8], Vec<record::Cell>) {
        let Line { start, next, .. } = self.lines[line];
        let text = &self.text[start as usize..next as usize];
        let mut cells = Vec::new();
        let _ = self.dialect.record(text, true, &mut cells);
        (text, cells)
    }

    /// Returns whether another close look may be had.
    fn may_look(&self) -> bool {
        let left = self.looks.get();
        self.looks.set(left.saturating_sub(1));
        left > 0
    }

    fn is_readable_or_broken(&self, line: usize) -> bool {
        matches!(self.lines[line].class, Class::Record | Class::Broken)
    }

    fn is_record(&self, line: usize) -> bool {
        self.lines[line].class == Class::Record
    }

    /// Records among some lines.
    pub fn records(&self, lines: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        lines.filter(|line| self.is_record(*line))
    }

    fn width(&self, line: usize) -> usize {
        usize::from(self.lines[line].width)
    }

    /// Returns what the columns of records of one width hold: of every column the family that nine of ten cells have.
    pub fn families(&self, lines: Range<usize>, width: usize) -> Vec<Family> {
        let mut rows: Vec<usize> = self.records(lines).filter(|line| self.width(*line) == width).collect();
        if let Some(first) = rows.first().map(|line| self.line_text(*line)) {
            // A header that is repeated is no body.
            let mut is_first = true;
            rows.retain(|line| std::mem::take(&mut is_first) || self.line_text(*line) != first);
        }
        self.families_of(&rows[rows.len().div_ceil(2).min(3).min(rows.len().saturating_sub(1))..], width)
    }

    /// The same of the records given.
    fn families_of(&self, body: &[usize], width: usize) -> Vec<Family> {
        let step = body.len().div_ceil(TYPED_ROWS_MAX).max(1);
        let mut counts = vec![[0_u32; 5]; width];
        for line in body.iter().step_by(step) {
            for (cell, counts) in self.cells(*line).iter().zip(&mut counts) {
                if let Some(family) = Kind::of(cell).family() {
                    counts[family as usize] += 1;
                }
            }
        }
        counts.iter().map(usual_family).collect()
    }
}

fn usual_family(counts: &[u32; 5]) -> Family {
    let all: u32 = counts.iter().sum();
    let most = Family::ALL.into_iter().max_by_key(|family| counts[*family as usize]).unwrap_or_default();
    if all > 0 && counts[most as usize] * 10 >= all * 9 { most } else { Family::Text }
}

/// How the cells of a record fit columns of known families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// Cells that are what their column is, where it is not text.
    pub fits: usize,
    /// Cells that are not.
    pub misfits: usize,
    /// Cells that are empty in such columns.
    pub empty: usize,
}

impl Fit {
    /// Compares cells with columns.
    pub fn of<'c>(cells: impl Iterator<Item = &'c [u8]>, families: &[Family]) -> Fit {
        let mut fit = Fit::default();
        for (cell, family) in cells.zip(families) {
            match (Kind::of(cell).family(), *family) {
                (_, Family::Text) => {}
                (None, _) => fit.empty += 1,
                (Some(found), family) if found == family => fit.fits += 1,
                _ => fit.misfits += 1,
            }
        }
        fit
    }

    /// Whether the cells stand where the columns are.
    pub fn is_aligned(self) -> bool {
        self.misfits == 0 || self.fits > 2 * self.misfits
    }
}

/// Reads a text line by line. The last line is left out where it is not whole.
pub fn lines(text: &[u8], at_end: bool, dialect: &Dialect) -> Vec<Line> {
    let (mut at, mut lines, mut cells) = (0, Vec::new(), Vec::new());
    while at < text.len() {
        let rest = &text[at..];
        let Some((end, next)) = dialect.line(rest, at_end) else { break };
        let (class, end, next) = if is_blank(&rest[..end], dialect) {
            (Class::Blank, end, next)
        } else if is_comment(rest, dialect) {
            (Class::Comment, end, next)
        } else {
            match dialect.record(rest, at_end, &mut cells) {
                Some(found) if found.broken.is_none() => (Class::Record, found.end, found.next),
                Some(found) if found.next > 0 => (Class::Broken, found.end, found.next),
                // Longer than a record may be: it is one line.
                Some(_) => (Class::Broken, end, next),
                None => break,
            }
        };
        let width = if class == Class::Record { cells.len() as u16 } else { 0 };
        let [start, end, next] = [at, at + end, at + next].map(|place| place as u32);
        lines.push(Line { start, end, next, width, class });
        at = next as usize;
    }
    lines
}

/// Finds out what a text is made of. `width` is what most of its records have.
pub fn find(text: &[u8], lines: Vec<Line>, dialect: &Dialect, width: usize, told: &Told) -> Structure {
    let view = View { text, dialect, lines: &lines, looks: Cell::new(LOOKS_MAX) };
    let start = told.preamble.unwrap_or(0).min(lines.len());
    let end = lines.len().saturating_sub(told.footer.unwrap_or(0)).max(start);
    let drafts = if width < 2 || told.is_one_table {
        let first = (start..end).find(|line| view.is_readable_or_broken(*line)).unwrap_or(end);
        let is_any = first < end;
        vec![Draft { lines: first..end, width }].into_iter().filter(|_| is_any).collect()
    } else {
        drafts(&view, start..end, width)
    };
    let mut tables: Vec<Found> = drafts.into_iter().map(|draft| table(&view, draft, told)).collect();
    if let Some(last) = tables.last_mut() {
        last.lines.end = if told.footer.is_some() { end } else { footer_start(&view, last) };
    }
    let parts = parts(&view, &tables);
    Structure { lines, tables, parts }
}

/// Lines that may be a table.
#[derive(Clone, Debug)]
struct Draft {
    lines: Range<usize>,
    width: usize,
}

/// Puts blocks together into tables.
fn drafts(view: &View<'_>, all: Range<usize>, main: usize) -> Vec<Draft> {
    let (mut drafts, end): (Vec<Draft>, usize) = (Vec::new(), all.end);
    for block in blocks(view, all) {
        let width = block_width(view, block.clone());
        let goes_on = drafts.last().is_some_and(|last| goes_on(view, last, &block, width));
        // There are no more tables than the description names: what would be one is bad records of the last.
        let records = view.records(block.clone()).take(2).count();
        let is_full = drafts.len() == TABLES_MAX && records == 2 || records == 0;
        if let Some(last) = drafts.last_mut().filter(|_| goes_on || is_full) {
            last.lines.end = block.end;
        } else if drafts.len() < TABLES_MAX && begins(view, &drafts, &block, width, main) {
            drafts.push(Draft { lines: block, width });
        }
    }
    if let Some(last) = drafts.last_mut().filter(|last| has_records(view, last.lines.end..end)) {
        last.lines.end = end;
    }
    if drafts.is_empty() {
        let whole = all_records(view);
        drafts.extend(whole.map(|lines| Draft { lines, width: main }));
    }
    drafts
}

/// Whether what is left below the last table may be records: a footer is lone cells. What it is not is found out record by record.
fn has_records(view: &View<'_>, lines: Range<usize>) -> bool {
    let is_cut =
        |line| !is_whole(view, line) && view.cells(line).first().is_some_and(|cell| !is_remark(cell));
    lines.into_iter().any(|line| match view.lines[line].class {
        Class::Record => view.width(line) >= 2 || is_cut(line),
        class => class == Class::Broken,
    })
}

/// Everything from the first record to the last, where nothing looks like a table.
fn all_records(view: &View<'_>) -> Option<Range<usize>> {
    let first = (0..view.lines.len()).find(|line| view.is_readable_or_broken(*line))?;
    Some(first..view.lines.len())
}

/// Stretches without blank lines; cut also where the width changes for good and a header begins.
fn blocks(view: &View<'_>, all: Range<usize>) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut start = all.start;
    for line in all.clone() {
        if view.lines[line].class == Class::Blank {
            blocks.push(start..line);
            start = line + 1;
        } else if line > start && is_seam(view, start, line, all.end) {
            blocks.push(start..line);
            start = line;
        }
    }
    blocks.push(start..all.end);
    blocks.retain(|block| block.clone().any(|line| view.is_readable_or_broken(line)));
    blocks
}

/// Records before and behind a place that must agree for it to be a seam between tables.
const SEAM_RECORDS: usize = 3;

/// Lines behind a seam that are looked at, at most.
const SEAM_LOOK_LINES: usize = 50;

fn is_seam(view: &View<'_>, start: usize, line: usize, end: usize) -> bool {
    let width = view.width(line);
    if width < 2
        || !view.is_record(line)
        || view.width(line - 1) == width
        || line + SEAM_RECORDS > end
        || line < start + SEAM_RECORDS
    {
        return false;
    }
    let before = view.width(line - 1);
    let same = |lines: Range<usize>, width| lines.clone().all(|line| view.width(line) == width);
    before >= 2
        && same(line..line + SEAM_RECORDS, width)
        && same(line - SEAM_RECORDS..line, before)
        && is_tabular(view, line..block_end(view, line, end), width)
}

fn block_end(view: &View<'_>, line: usize, end: usize) -> usize {
    let end = end.min(line + SEAM_LOOK_LINES);
    (line..end).find(|at| view.lines[*at].class == Class::Blank).unwrap_or(end)
}

/// The width that most records of a block have.
fn block_width(view: &View<'_>, block: Range<usize>) -> usize {
    let mut widths: Vec<usize> = view.records(block).map(|line| view.width(line)).collect();
    widths.sort_unstable();
    let most = widths.chunk_by(|one, other| one == other).max_by_key(|same| (same.len(), same[0]));
    most.map_or(0, |same| same[0])
}

/// Whether the block has a header above columns that are not text.
fn is_tabular(view: &View<'_>, block: Range<usize>, width: usize) -> bool {
    if !view.may_look() {
        return false;
    }
    let usual: Vec<usize> = view.records(block).filter(|line| view.width(*line) == width).collect();
    let Some((first, body)) = usual.split_first().filter(|(_, body)| !body.is_empty()) else { return false };
    header::is_header(&view.cells(*first), &view.families_of(body, width))
}

/// Whether a block is more of the last table.
fn goes_on(view: &View<'_>, last: &Draft, block: &Range<usize>, width: usize) -> bool {
    if width != last.width {
        return false;
    }
    let first = |lines: Range<usize>| view.records(lines).find(|line| view.width(*line) == width);
    let (Some(old), Some(new)) = (first(last.lines.clone()), first(block.clone())) else { return true };
    if view.looks.get() == 0 || view.line_text(old) == view.line_text(new) {
        return true;
    }
    let is_alone = view.records(last.lines.clone()).take(2).count() < 2;
    is_alone || !is_tabular(view, new..block.end, width) || fits_above(view, last, new)
}

/// Whether a record could be one of the table above.
fn fits_above(view: &View<'_>, last: &Draft, line: usize) -> bool {
    if !view.may_look() {
        return true;
    }
    let families = view.families(last.lines.clone(), last.width);
    let cells = view.cells(line);
    Fit::of(cells.iter().map(Vec::as_slice), &families).misfits == 0
}

/// Whether a block begins a table.
fn begins(view: &View<'_>, drafts: &[Draft], block: &Range<usize>, width: usize, main: usize) -> bool {
    let records = view.records(block.clone()).count();
    let usual = view.records(block.clone()).filter(|line| view.width(*line) == width).count();
    if width < 2 || usual * 2 < records {
        return drafts.is_empty() && has_table_below(view, block, main);
    }
    if drafts.is_empty() && width == main {
        return true;
    }
    if drafts.is_empty() && has_table_below(view, block, main) {
        return true;
    }
    let is_even = usual == records && records >= 3 && !drafts.is_empty();
    records >= 2
        && (is_tabular(view, block.clone(), width) || is_even)
        && !view.records(block.clone()).any(|line| is_total(view, line))
}

/// Whether a block that begins with something else has the table in it.
fn has_table_below(view: &View<'_>, block: &Range<usize>, main: usize) -> bool {
    let of_main = view.records(block.clone()).filter(|line| view.width(*line) == main).count();
    main >= 2 && of_main >= 2
}

/// Looks at a table closely: where its header is, how wide it is, what its columns hold.
fn table(view: &View<'_>, draft: Draft, told: &Told) -> Found {
    let Draft { lines, width } = draft;
    let usual = if width >= 2 && view.records(lines.clone()).all(|line| view.width(line) != width) {
        block_width(view, lines.clone())
    } else {
        width.max(1)
    };
    let start = if told.preamble.is_some() { lines.start } else { table_start(view, lines.clone(), usual) };
    let lines = start..lines.end;
    let (header, body) = header::find(view, lines.clone(), usual, told.header);
    let families = view.families(body..lines.end, usual);
    let mut widths: Vec<(usize, usize)> = Vec::new();
    let (mut long, mut looked_at) = (Vec::new(), 0);
    for line in view.records(body..lines.end) {
        let width = view.width(line);
        match widths.iter().position(|(known, _)| *known == width) {
            Some(place) => widths[place].1 += 1,
            None => widths.push((width, 1)),
        }
        if width > usual && looked_at < LONG_LOOKED_AT_MAX {
            looked_at += 1;
            long.extend(is_extended(view, line, &families).then_some(width));
        }
    }
    widths.sort_by_key(|(width, count)| (std::cmp::Reverse(*count), *width));
    let records: usize = widths.iter().map(|(_, count)| count).sum();
    let named = header.said.len();
    let widest = long.iter().copied().filter(|width| *width <= 2 * usual + 1).max().unwrap_or(0);
    let is_habit = long.len() >= 2 && long.len() * 100 >= records;
    let width = usual.max(named).max(if is_habit { widest } else { 0 });
    Found { lines, body, header, usual, width, families, widths, long: long.len() }
}

/// Long records that are looked at closely, at most.
const LONG_LOOKED_AT_MAX: usize = 10_000;

/// Whether a record that is too long has its first cells where the columns are: then the others are extra.
fn is_extended(view: &View<'_>, line: usize, families: &[Family]) -> bool {
    let cells = view.cells(line);
    let fit = Fit::of(cells.iter().map(Vec::as_slice), families);
    let rest_is_empty = cells[families.len()..].iter().all(|cell| cell.is_empty());
    fit.is_aligned() && (rest_is_empty || fit.fits > 0 && !is_torn(&cells, families))
}

/// Whether a text with commas in it seems to have been cut at one: behind the comma of a sentence is a space, and no cell behind it
/// says that it stands where its column is.
pub fn is_torn<C: AsRef<[u8]>>(cells: &[C], families: &[Family]) -> bool {
    let cells = || cells.iter().map(AsRef::as_ref);
    let Some(text) = families.iter().position(|family| *family == Family::Text) else { return false };
    let behind = Fit::of(cells().skip(text), families.get(text..).unwrap_or_default());
    behind.fits == 0 && cells().skip(text + 1).any(|cell: &[u8]| cell.first() == Some(&b' '))
}

/// Where a table starts in its first block: at the first record of its width, or at a header or records of another just above it.
fn table_start(view: &View<'_>, lines: Range<usize>, usual: usize) -> usize {
    let Some(first) = view.records(lines.clone()).find(|line| view.width(*line) == usual) else {
        return lines.start;
    };
    let families = view.families(first..lines.end, usual);
    let top = records_above(view, lines.start..first, usual, &families);
    let before = view.records(lines.start..top).last();
    let Some(before) = before.filter(|line| is_near(view, *line, usual)) else { return top };
    let cells = view.cells(before);
    let is_very_first = view.records(0..first).count() == 1 && before + 1 == first;
    let is_names = header::is_header_of_other_width(&cells, &families)
        || is_very_first && header::looks_like_names(&cells);
    if is_names { before } else { top }
}

/// Whether a record is about as wide as a table.
fn is_near(view: &View<'_>, line: usize, usual: usize) -> bool {
    let width = view.width(line);
    width >= 2 && width.abs_diff(usual) <= 1 + usual / 4
}

/// The first of the records of about the table's width that stand right above it. Two cells are a setting and its value, unless they
/// stand where the columns are.
fn records_above(view: &View<'_>, above: Range<usize>, usual: usize, families: &[Family]) -> usize {
    let is_of_table = |line: usize| {
        let cells = view.cells(line);
        let fit = Fit::of(cells.iter().map(Vec::as_slice), families);
        is_near(view, line, usual) && (cells.len() > 2 || fit.fits > 0 && fit.misfits == 0)
    };
    let mut top = above.end;
    for line in above.rev() {
        match view.lines[line].class {
            Class::Comment => {}
            Class::Record if is_of_table(line) => top = line,
            _ => break,
        }
    }
    top
}

/// Where the footer of a table starts: among its last records, those that sum up, sign off or underline.
pub fn footer_start(view: &View<'_>, table: &Found) -> usize {
    let mut end = table.lines.end;
    let floor = table.body.max(end.saturating_sub(FOOTER_LINES_MAX));
    let mut at = end;
    while at > floor {
        at -= 1;
        let is_foot = match view.lines[at].class {
            Class::Blank => continue,
            Class::Comment => false,
            Class::Broken => false,
            Class::Record => is_foot(view, at, table),
        };
        if !is_foot {
            break;
        }
        end = at;
    }
    end
}

/// Records at the end that are compared with the sums of columns, at most: each is a look at the whole table.
const SUMS_MAX: usize = 3;
/// Lines that are looked at from behind, at most.
const FOOTER_LINES_MAX: usize = 50;

fn is_foot(view: &View<'_>, line: usize, table: &Found) -> bool {
    let width = view.width(line);
    let is_short = width < table.usual && table.usual >= 2;
    let is_alone = width == 1 && is_short;
    let cells = view.cells(line);
    let fit = Fit::of(cells.iter().map(Vec::as_slice), &table.families);
    let behind_blank = line > 0 && view.lines[line - 1].class == Class::Blank;
    let empty = cells.iter().filter(|cell| cell.trim_ascii().is_empty()).count();
    let is_odd =
        is_short || behind_blank || fit.misfits > 0 || fit.empty > 0 || empty * 2 >= width && width > 1;
    let is_sum = is_total(view, line) && is_odd
        || may_be_total(view, line) && table.lines.end - line <= SUMS_MAX && sums_up(view, line, table);
    let is_rule = table.usual >= 2 && cells.iter().all(|cell| is_rule(cell));
    is_sum || is_rule || is_alone && (is_remark(&cells[0]) || is_words(&cells[0]) && is_apart(view, line))
}

/// Whether a line stands apart from the records above, and is whole: the last one of a text that was cut off is neither.
fn is_apart(view: &View<'_>, line: usize) -> bool {
    let Some(above) = line.checked_sub(1) else { return false };
    let is_blank = view.lines[above].class == Class::Blank;
    let is_ruled = view.is_record(above) && view.cells(above).iter().all(|cell| is_rule(cell));
    (is_blank || is_ruled) && is_whole(view, line)
}

/// Whether a line ends, with a line end or as a sentence does.
fn is_whole(view: &View<'_>, line: usize) -> bool {
    let is_sentence = matches!(view.line_text(line).last(), Some(b'.' | b'!' | b')' | b']' | b'*'));
    is_sentence || view.lines[line].next > view.lines[line].end
}

/// Words that a remark below a table begins with.
const REMARKS: [&str; 16] = [
    "note",
    "notes",
    "source",
    "sources",
    "generated",
    "printed",
    "exported",
    "created",
    "copyright",
    "legend",
    "disclaimer",
    "quelle",
    "hinweis",
    "fuente",
    "report",
    "page",
];

/// Whether a lone cell begins with a word that remarks begin with, or stands in brackets.
fn is_remark(cell: &[u8]) -> bool {
    let word = cell.trim_ascii().to_ascii_lowercase();
    let is_known = behind_word(&word, &REMARKS).or_else(|| behind_word(&word, &TOTALS)).is_some();
    let is_aside = matches!(word.as_slice(), [b'(', .., b')']) || word.first() == Some(&b'*');
    (is_known || is_aside) && is_words(&word)
}

/// Whether a record holds the sum of a column.
fn sums_up(view: &View<'_>, line: usize, table: &Found) -> bool {
    let numbers = |line: usize| view.cells(line).iter().map(|cell| amount(cell)).collect::<Vec<_>>();
    let mut sums = vec![0.0; table.usual];
    for row in view.records(table.body..line) {
        for (sum, number) in sums.iter_mut().zip(numbers(row)) {
            *sum += number.unwrap_or(0.0);
        }
    }
    let is_sum = |(sum, said): (&f64, Option<f64>)| {
        said.is_some_and(|said| *sum != 0.0 && (sum - said).abs() <= 1e-6 * sum.abs())
    };
    sums.iter().zip(numbers(line)).any(is_sum)
}

/// The number that a cell is, as evidence for a sum and nothing else.
fn amount(cell: &[u8]) -> Option<f64> {
    let comma = Kind::of(cell) == Kind::CommaDecimal;
    let digits: String = cell
        .iter()
        .filter_map(|byte| match byte {
            b'0'..=b'9' | b'-' => Some(char::from(*byte)),
            b'.' if !comma => Some('.'),
            b',' if comma => Some('.'),
            _ => None,
        })
        .collect();
    (Kind::of(cell).family() == Some(Family::Number)).then(|| digits.parse().ok())?
}

/// Whether a lone cell is a remark, and not a record that broke off.
fn is_words(cell: &[u8]) -> bool {
    Kind::of(cell) == Kind::Text && cell.iter().any(|byte| matches!(byte, b' ' | b':' | b'*' | b'(' | b'='))
}

fn is_rule(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    cell.len() >= 3 && cell.iter().all(|byte| matches!(byte, b'-' | b'=' | b'_' | b'*'))
}

/// Words that a record begins with that sums up or signs off.
const TOTALS: [&str; 28] = [
    "total",
    "totals",
    "total rows",
    "total records",
    "grand total",
    "subtotal",
    "sub-total",
    "sum",
    "summe",
    "gesamt",
    "gesamtsumme",
    "insgesamt",
    "zwischensumme",
    "totale",
    "totaal",
    "suma",
    "somme",
    "count",
    "average",
    "mean",
    "records",
    "rows",
    "row count",
    "record count",
    "trailer",
    "end of",
    "eof",
    "checksum",
];

fn first_word(cells: &[Vec<u8>]) -> Option<Vec<u8>> {
    let first = cells.iter().map(|cell| cell.trim_ascii()).find(|cell| !cell.is_empty())?;
    Some(first.to_ascii_lowercase())
}

/// What stands behind one of some words, where a cell begins with it.
fn behind_word<'c>(cell: &'c [u8], words: &[&str]) -> Option<&'c [u8]> {
    let rests = words.iter().filter_map(|word| cell.strip_prefix(word.as_bytes()));
    rests
        .filter(|rest| rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric()))
        .min_by_key(|it| it.len())
}

/// Whether a record says that it sums up, and nothing else: a name may begin with such a word.
fn is_total(view: &View<'_>, line: usize) -> bool {
    let word = first_word(&view.cells(line));
    let rest = word.as_ref().and_then(|word| behind_word(word, &TOTALS));
    rest.map(<[u8]>::trim_ascii).is_some_and(|rest| {
        let is_aside = matches!(rest, [b'(', .., b')' | b':']);
        is_aside || rest.iter().all(|byte| byte.is_ascii_digit() || b" :=.,-".contains(byte))
    })
}

/// Whether it begins with a word that sums up.
fn may_be_total(view: &View<'_>, line: usize) -> bool {
    first_word(&view.cells(line)).is_some_and(|word| behind_word(&word, &TOTALS).is_some())
}

/// Everything in order: the tables, and what stands around them.
fn parts(view: &View<'_>, tables: &[Found]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut at = 0;
    for (place, table) in tables.iter().enumerate() {
        let (kind, note) = if place == 0 {
            (SkipKind::Preamble, "before the table")
        } else {
            (SkipKind::Separator, "between tables")
        };
        skip(view, at..table.lines.start, kind, note, &mut parts);
        header_parts(view, table, &mut parts);
        parts.push(Part::Table(place));
        at = table.lines.end;
    }
    skip(view, at..view.lines.len(), SkipKind::Footer, "behind the table", &mut parts);
    parts
}

/// The rows of a header, and what stands between them.
fn header_parts(view: &View<'_>, table: &Found, parts: &mut Vec<Part>) {
    for line in table.lines.start..table.body {
        skip(view, line..line + 1, SkipKind::Header, "names of columns", parts);
    }
}

/// Skips lines: blank ones and comments as what they are, the others as `kind`.
fn skip(view: &View<'_>, lines: Range<usize>, kind: SkipKind, note: &'static str, parts: &mut Vec<Part>) {
    for line in lines {
        let (kind, note) = match view.lines[line].class {
            Class::Blank => (SkipKind::Blank, ""),
            Class::Comment => (SkipKind::Comment, ""),
            _ => (kind, note),
        };
        match parts.last_mut() {
            Some(Part::Skip(last, same, said)) if *same == kind && *said == note => last.end = line + 1,
            _ => parts.push(Part::Skip(line..line + 1, kind, note)),
        }
    }
}
