//! The plan: everything about an input is found out once, here, and what is found is said in `file_profile`.
//!
//! An input up to [`WHOLE_BYTES_MAX`] is looked at as a whole. Of a larger one the dialect is that of its beginning, middle and end; its
//! tables are those of its beginning, the last of which goes on to the footer at its end.

use std::cell::Cell;

use casparian_sdk::prelude::*;

use crate::context::{Context, Is, Part, Plan};
use crate::dialect::{Decided, Dialect, shown};
use crate::encoding::{self, Encoding, decode_single, decode_wide};
use crate::kind::{Kind, Order};
use crate::names;
use crate::options::Settings;
use crate::profile::Decision;
use crate::reader::Records;
use crate::record::Begins;
use crate::score::{self, Known, Piece, Score, Verdict};
use crate::source::Source;
use crate::structure::{self, Found, LOOKS_MAX, Structure, View};

/// Inputs up to so many bytes are looked at as a whole.
pub const WHOLE_BYTES_MAX: u64 = 4 << 20;
/// So much of the beginning of a larger one is looked at for tables.
const HEAD_BYTES: usize = 256 << 10;
/// So much of the beginning is looked at for the dialect.
const SAMPLE_BYTES: usize = 48 << 10;
/// So much of other places is.
const PROBE_BYTES: usize = 16 << 10;
/// How many other places there are, the end among them.
const PROBES: u64 = 4;
/// So much of the end of a larger input is looked at for a footer.
const TAIL_BYTES: u64 = 64 << 10;
/// A place to cut is looked for so far.
const CUT_SEARCH_BYTES: u64 = 4 << 20;

/// What the plan comes to.
pub struct Settled {
    /// What every range needs to know.
    pub context: Context,
    /// What was decided.
    pub decisions: Vec<Decision>,
}

/// Returns how sure it is that an input is delimited text: by the table that its beginning makes.
pub fn certainty(input: &Input<'_>) -> u8 {
    let sample = input.bytes(0, PROBE_BYTES);
    let encoding = encoding::detect(&sample).value;
    let piece = Piece { text: decoded(encoding, without_mark(encoding, &sample), true), at_end: false };
    let controls = piece.text.iter().filter(|byte| **byte < 0x09).count();
    if piece.text.is_empty() || controls * 20 > piece.text.len() {
        return 0;
    }
    let verdict = score::decide(&[piece], &Settings::base(encoding), &Known::default());
    match verdict.score {
        Score { width: 0 | 1, .. } => 10,
        Score { total, .. } => (total * 90.0).clamp(10.0, 90.0) as u8,
    }
}

/// Finds out everything about an input.
pub fn settle(input: &Input<'_>, settings: &Settings) -> Settled {
    let head =
        input.bytes(0, if input.len() <= WHOLE_BYTES_MAX { WHOLE_BYTES_MAX as usize } else { HEAD_BYTES });
    let encoding = match settings.encoding {
        Some(encoding) => Decided::told(encoding),
        None => encoding::detect(&encoding_sample(input, &head)),
    };
    let mark = if head.starts_with(encoding.value.mark()) { encoding.value.mark().len() } else { 0 };
    let mut planner = Planner {
        input,
        settings,
        encoding: encoding.value,
        parts: Vec::new(),
        at: 0,
        is_whole: input.len() <= WHOLE_BYTES_MAX,
    };
    planner.skip(mark as u64, SkipKind::Preamble, "byte order mark");
    let mut decisions = vec![
        Decision::new("encoding", encoding.value.name(), encoding.evidence)
            .score(encoding.score)
            .told(encoding.by_option),
        Decision::new("byte_order_mark", if mark > 0 { "yes" } else { "no" }, format!("{mark} bytes")),
    ];
    let text = decoded(encoding.value, &head[mark..], planner.is_whole);
    planner.go_on(&text, &mut decisions)
}

/// A beginning and some probes: high bytes may come late.
fn encoding_sample(input: &Input<'_>, head: &[u8]) -> Vec<u8> {
    let mut sample = head.to_vec();
    if input.len() > WHOLE_BYTES_MAX {
        for probe in 1..PROBES {
            let at = (input.len() / PROBES * probe) & !1;
            let bytes = input.bytes(at, PROBE_BYTES);
            // A probe may begin and end within a character.
            let start = bytes.iter().take(3).take_while(|byte| (0x80..0xC0).contains(*byte)).count() & !1;
            sample.extend(&bytes[start..]);
        }
    }
    sample
}

fn without_mark(encoding: Encoding, bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(encoding.mark()).unwrap_or(bytes)
}

fn decoded(encoding: Encoding, bytes: &[u8], at_end: bool) -> Vec<u8> {
    if !encoding.is_wide() {
        return bytes.to_vec();
    }
    let mut text = Vec::new();
    decode_wide(encoding, bytes, at_end, &mut text);
    text
}

struct Planner<'i, 'a> {
    input: &'i Input<'a>,
    settings: &'i Settings,
    encoding: Encoding,
    parts: Vec<Part>,
    /// Up to where the input is in parts.
    at: u64,
    is_whole: bool,
}

impl Planner<'_, '_> {
    fn skip(&mut self, bytes: u64, kind: SkipKind, note: &str) {
        if bytes > 0 {
            self.parts.push(Part { at: Span::new(self.at, bytes), is: Is::Skip(kind, note.to_owned()) });
            self.at += bytes;
        }
    }

    /// Goes on behind the mark. `text` is all of the input, or its beginning.
    fn go_on(mut self, text: &[u8], decisions: &mut Vec<Decision>) -> Settled {
        let (hint, hint_len) = delimiter_hint(text);
        let mut known = self.settings.known(self.encoding);
        if let (None, Some(hint)) = (&known.delimiter, &hint) {
            known.delimiter = Some(hint.clone());
            decisions.push(Decision::new("delimiter_hint", shown(hint), "the first line says so").score(1.0));
        }
        self.skip(self.encoding.source_bytes(&text[..hint_len]), SkipKind::Preamble, "delimiter hint");
        let text = &text[hint_len..];
        let (padding, padding_text) = self.padding(text);
        let text = &text[..text.len() - padding_text];
        let end = self.input.len() - padding;
        let verdict = score::decide(&self.pieces(text, end), &Settings::base(self.encoding), &known);
        decisions.extend(dialect_decisions(&verdict, &self.settings.known));
        let (dialect, width) = (verdict.dialect, verdict.score.width);
        let lines = structure::lines(text, self.is_whole, &dialect);
        let structure = structure::find(text, lines, &dialect, width, &self.settings.told);
        let tables = self.describe(text, &dialect, &structure, decisions);
        self.place(text, &structure, end);
        let footer = self.footer(&dialect, &structure, end);
        if let Some(footer) = footer {
            self.cut_off(footer, end);
        }
        self.skip(padding, SkipKind::Padding, "behind the end of the text");
        decisions.push(parts_decision(&self.parts));
        let context = Context { dialect, keeps_short: self.settings.keeps_short, tables, parts: self.parts };
        Settled { context, decisions: std::mem::take(decisions) }
    }

    /// What stands behind the text: the end that old systems wrote, and zeros up to some size. In bytes of the input, and of
    /// `text`.
    fn padding(&self, text: &[u8]) -> (u64, usize) {
        if self.is_whole {
            let len = padding_len(text);
            return (self.encoding.source_bytes(&text[text.len() - len..]), len);
        }
        let from = (self.input.len() - TAIL_BYTES.min(self.input.len())) & !1;
        let tail = decoded(self.encoding, &self.input.bytes(from, TAIL_BYTES as usize + 1), true);
        (self.encoding.source_bytes(&tail[tail.len() - padding_len(&tail)..]), 0)
    }

    /// The stretches that the dialect is found by.
    fn pieces(&self, text: &[u8], end: u64) -> Vec<Piece> {
        let first = &text[..text.len().min(SAMPLE_BYTES)];
        let mut pieces =
            vec![Piece { text: first.to_vec(), at_end: self.is_whole && first.len() == text.len() }];
        if first.len() == text.len() {
            return pieces;
        }
        for probe in 1..=PROBES {
            pieces.extend(self.probe(text, probe, end));
        }
        pieces
    }

    /// A stretch from the middle or the end; it begins behind the first end of a line.
    fn probe(&self, text: &[u8], probe: u64, end: u64) -> Option<Piece> {
        let is_last = probe == PROBES;
        let piece = if self.is_whole {
            let last = text.len() - PROBE_BYTES.min(text.len());
            let start = (text.len() / PROBES as usize * probe as usize).clamp(SAMPLE_BYTES.min(last), last);
            text[start..(start + PROBE_BYTES).min(text.len())].to_vec()
        } else {
            let last = end.saturating_sub(PROBE_BYTES as u64);
            let start = (end / PROBES * probe).min(last) & !1;
            let bytes = self.input.bytes(start, (end - start).min(PROBE_BYTES as u64) as usize);
            decoded(self.encoding, &bytes, is_last)
        };
        let line = piece
            .iter()
            .position(|byte| *byte == b'\n')
            .or_else(|| piece.iter().position(|byte| *byte == b'\r'))?;
        Some(Piece { text: piece[line + 1..].to_vec(), at_end: is_last })
    }

    /// Names the tables and their columns, and says what was decided about them.
    fn describe(
        &self,
        text: &[u8],
        dialect: &Dialect,
        structure: &Structure,
        decisions: &mut Vec<Decision>,
    ) -> Vec<Plan> {
        let view = View { text, dialect, lines: &structure.lines, looks: Cell::new(LOOKS_MAX) };
        let mut plans = Vec::new();
        for (place, found) in structure.tables.iter().enumerate() {
            let plan = self.table(&view, found, place);
            let said: Vec<String> = found.header.said.iter().map(|cell| self.text(cell)).collect();
            table_decisions(&view, found, &plan, &said, &self.settings.told, decisions);
            plans.push(plan);
        }
        plans
    }

    fn table(&self, view: &View<'_>, found: &Found, place: usize) -> Plan {
        let text = |cell: &[u8]| self.text(cell);
        let mut said: Vec<String> = found.header.said.iter().map(|cell| text(cell)).collect();
        said.resize(found.width.max(said.len()), String::new());
        let also = |column: usize| {
            let words = found.header.also.iter().filter_map(|row| row.get(column)).map(|cell| text(cell));
            words.filter(|word| !word.trim().is_empty()).collect::<Vec<_>>().join(" / ")
        };
        let names = names::unique(&said);
        let columns = names.into_iter().enumerate().map(|(column, name)| (name, also(column))).collect();
        let is_named = !found.header.said.is_empty();
        let header = view.records(found.lines.start..found.body).last().filter(|_| is_named);
        let header = header.map_or(Vec::new(), |line| {
            let line = view.lines[line];
            view.text[line.start as usize..line.end as usize].to_vec()
        });
        let families = found.families.clone();
        Plan { name: table_name(place), columns, families, usual: found.usual, header }
    }

    /// What a cell says; what cannot be read is replaced, for it is a name only.
    fn text(&self, cell: &[u8]) -> String {
        if !self.encoding.is_single() {
            return String::from_utf8_lossy(cell).into_owned();
        }
        let mut said = Vec::new();
        if !decode_single(self.encoding, cell, &mut said) {
            decode_single(Encoding::Latin1, cell, &mut said);
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Puts the parts of the text into their places in the input. The last table of a beginning goes on to the end.
    fn place(&mut self, text: &[u8], structure: &Structure, end: u64) {
        let mut passed = 0;
        for (index, part) in structure.parts.iter().enumerate() {
            let is_last = index + 1 == structure.parts.len();
            let (lines, is) = match part {
                structure::Part::Skip(lines, kind, note) => {
                    (lines.clone(), Is::Skip(*kind, (*note).to_owned()))
                }
                structure::Part::Table(table) => {
                    let found = &structure.tables[*table];
                    (found.body..found.lines.end, Is::Table(*table))
                }
            };
            let until = lines.last().map_or(passed, |line| structure.lines[line].next as usize);
            let bytes = self.encoding.source_bytes(&text[passed..until.max(passed)]);
            let goes_on = !self.is_whole
                && (is_last || matches!(is, Is::Table(table) if table + 1 == structure.tables.len()));
            let bytes = if goes_on { end - self.at } else { bytes };
            self.parts.push(Part { at: Span::new(self.at, bytes), is });
            self.at += bytes;
            passed = until.max(passed);
            if goes_on {
                break;
            }
        }
        // What no line is: half a record at the end, or an input without records.
        let rest = end - self.at;
        self.skip(rest, SkipKind::Other, "no record");
    }

    /// Where the footer of a larger input starts, if it has one.
    fn footer(&self, dialect: &Dialect, structure: &Structure, end: u64) -> Option<u64> {
        let table = structure.tables.last().filter(|_| !self.is_whole)?;
        let from = (end - TAIL_BYTES) & !1;
        let start = boundary_behind(self.input, dialect, from, end)?;
        let bytes = self.input.bytes(start, (end - start) as usize);
        let text = decoded(self.encoding, &bytes, true);
        let lines = structure::lines(&text, true, dialect);
        let view = View { text: &text, dialect, lines: &lines, looks: Cell::new(LOOKS_MAX) };
        let all = Found { lines: 0..lines.len(), body: 0, ..table.clone() };
        let footer = match self.settings.told.footer {
            Some(told) => lines.len().saturating_sub(told),
            None => structure::footer_start(&view, &all),
        };
        let line = lines.get(footer)?;
        Some(start + self.encoding.source_bytes(&text[..line.start as usize]))
    }

    /// Ends the last table where the footer starts.
    fn cut_off(&mut self, footer: u64, end: u64) {
        let Some(last) = self.parts.last_mut().filter(|last| last.at.offset < footer && footer < end) else {
            return;
        };
        last.at = Span::between(last.at.offset, footer);
        self.at = footer;
        self.skip(end - footer, SkipKind::Footer, "behind the table");
    }
}

/// Returns the name of a table by its place.
pub fn table_name(place: usize) -> String {
    if place == 0 { "rows".to_owned() } else { format!("rows_{}", place + 1) }
}

/// `sep=;` in the first line, which some spreadsheets write and read: the delimiter, and how long the line is.
fn delimiter_hint(text: &[u8]) -> (Option<Vec<u8>>, usize) {
    let end = text.iter().take(32).position(|byte| matches!(byte, b'\n' | b'\r'));
    let Some(line) = end.map(|end| &text[..end]) else { return (None, 0) };
    let bare = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let is_hint = bare.len() >= 5 && bare[..4].eq_ignore_ascii_case(b"sep=");
    if !is_hint || bare.len() > 8 {
        return (None, 0);
    }
    let delimiter = if bare[4..] == *b"\\t" { b"\t".to_vec() } else { bare[4..].to_vec() };
    let rest = &text[line.len()..];
    (Some(delimiter), line.len() + if rest.starts_with(b"\r\n") { 2 } else { 1 })
}

/// How much of a text's end is padding: the sign that ends texts on old systems and whatever zeros follow it, or zeros behind the
/// end of a line.
fn padding_len(text: &[u8]) -> usize {
    let len = text.iter().rev().take_while(|byte| matches!(byte, 0 | 0x1A)).count();
    let (before, padding) = text.split_at(text.len() - len);
    let is_padding =
        padding.first() == Some(&0x1A) || before.last().is_none_or(|byte| matches!(byte, b'\n' | b'\r'));
    if is_padding { len } else { 0 }
}

fn dialect_decisions(verdict: &Verdict, told: &Known) -> Vec<Decision> {
    let Verdict { dialect, score, second, comment } = verdict;
    let evidence = format!(
        "{} of {} sampled records agree on {} cells or with their neighbours; columns of one kind {:.2}, cells without stray quotes {:.3}",
        (score.consistency * score.records as f64).round(),
        score.records,
        score.width,
        score.kinds,
        score.clean
    );
    let next = second.as_ref().map_or("no other delimiter was worth a try".to_owned(), |(other, score)| {
        format!("next best {} with {:.3}", word(&other.delimiter), score.total)
    });
    let quote = dialect.quote.map_or("none".to_owned(), |quote| shown(&[quote]));
    let escape = if dialect.backslash { "backslash" } else { "doubled" };
    vec![
        Decision::new("delimiter", word(&dialect.delimiter), format!("{evidence}; {next}"))
            .score(score.total)
            .told(told.delimiter.is_some()),
        Decision::new("quote", quote, format!("{} sampled cells are quoted", score.quoted))
            .score(score.clean)
            .told(told.quote.is_some()),
        Decision::new("escape", escape, "how quotes are written within quotes")
            .told(told.backslash.is_some()),
        Decision::new("spaces_around_quotes", if dialect.spaces { "yes" } else { "no" }, ""),
        Decision::new("line_ends", dialect.ends.name(), "").told(told.ends.is_some()),
        Decision::new("comment", word(&comment.value), comment.evidence.clone())
            .score(comment.score)
            .told(comment.by_option),
    ]
}

fn word(bytes: &[u8]) -> String {
    if bytes.is_empty() { "none".to_owned() } else { shown(bytes) }
}

fn table_decisions(
    view: &View<'_>,
    found: &Found,
    plan: &Plan,
    said: &[String],
    told: &structure::Told,
    decisions: &mut Vec<Decision>,
) {
    let rows = usize::from(!found.header.said.is_empty()) + found.header.also.len();
    let header =
        Decision::new("header", rows.to_string(), found.header.evidence.clone()).score(found.header.score);
    let widths: Vec<String> =
        found.widths.iter().take(8).map(|(width, count)| format!("{count} of {width}")).collect();
    let columns = Decision::new(
        "columns",
        plan.columns.len().to_string(),
        format!("records by cells: {}", widths.join(", ")),
    );
    decisions.push(header.told(told.header.is_some()).of_table(&plan.name));
    decisions.push(columns.of_table(&plan.name));
    let kinds = Kinds::of(view, found);
    for (column, (name, _)) in plan.columns.iter().enumerate() {
        let said = said
            .get(column)
            .map_or("the header says nothing".to_owned(), |said| format!("the header says `{said}`"));
        let family = found.families.get(column).copied().unwrap_or_default();
        let named = Decision::new("column", family.word(), said);
        decisions.push(named.of_table(&plan.name).of_column(name));
        decisions
            .extend(kinds.decisions(column).map(|decision| decision.of_table(&plan.name).of_column(name)));
    }
}

/// What numbers and days of each column look like.
struct Kinds(Vec<[u32; 6]>);

const POINT: usize = 0;
const COMMA: usize = 1;
const YEAR_FIRST: usize = 2;
const DAY_FIRST: usize = 3;
const MONTH_FIRST: usize = 4;
const EITHER: usize = 5;
/// Rows that are looked at for this.
const KIND_ROWS_MAX: usize = 1_000;

impl Kinds {
    fn of(view: &View<'_>, found: &Found) -> Kinds {
        let mut counts = vec![[0; 6]; found.width];
        for line in view.records(found.body..found.lines.end).take(KIND_ROWS_MAX) {
            for (cell, counts) in view.cells(line).iter().zip(&mut counts) {
                match Kind::of(cell) {
                    Kind::PointDecimal => counts[POINT] += 1,
                    Kind::CommaDecimal => counts[COMMA] += 1,
                    Kind::Date(order) | Kind::DateTime(order) => counts[order_place(order)] += 1,
                    _ => {}
                }
            }
        }
        Kinds(counts)
    }

    /// The decimal mark and the order of days of a column, where it has any.
    fn decisions(&self, column: usize) -> impl Iterator<Item = Decision> {
        let counts = self.0.get(column).copied().unwrap_or_default();
        let mark = match (counts[POINT], counts[COMMA]) {
            (0, 0) => None,
            (point, comma) => {
                let mark = if comma > point { "," } else { "." };
                Some(Decision::new(
                    "decimal_mark",
                    mark,
                    format!("{point} cells with a point, {comma} with a comma"),
                ))
            }
        };
        let days = &counts[YEAR_FIRST..];
        let order = (days.iter().sum::<u32>() > 0).then(|| {
            let evidence = format!(
                "{} year first, {} day first, {} month first, {} either",
                days[0], days[1], days[2], days[3]
            );
            Decision::new("date_order", order_word(&counts), evidence)
        });
        mark.into_iter().chain(order)
    }
}

fn order_place(order: Order) -> usize {
    match order {
        Order::YearFirst => YEAR_FIRST,
        Order::DayFirst => DAY_FIRST,
        Order::MonthFirst => MONTH_FIRST,
        Order::Either => EITHER,
    }
}

fn order_word(counts: &[u32; 6]) -> &'static str {
    match (counts[YEAR_FIRST], counts[DAY_FIRST], counts[MONTH_FIRST]) {
        (0, 0, 0) => "ambiguous",
        (_, 0, 0) => "ymd",
        (0, _, 0) => "dmy",
        (0, 0, _) => "mdy",
        _ => "mixed",
    }
}

fn parts_decision(parts: &[Part]) -> Decision {
    let shown = parts.iter().map(|part| {
        let what = match &part.is {
            Is::Table(table) => table_name(*table),
            Is::Skip(kind, _) => format!("{kind:?}").to_lowercase(),
        };
        format!("{what} {}..{}", part.at.offset, part.at.end())
    });
    let tables = parts.iter().filter(|part| matches!(part.is, Is::Table(_))).count();
    Decision::new("tables", tables.to_string(), shown.take(64).collect::<Vec<_>>().join(", "))
}

/// Returns where to cut an input into ranges of about `target_bytes`: in tables, where a record provably begins.
pub fn cuts(input: &Input<'_>, context: &Context, target_bytes: u64) -> Vec<u64> {
    let mut cuts = Vec::new();
    let target_bytes = target_bytes.max(1);
    for part in context.parts.iter().filter(|part| matches!(part.is, Is::Table(_))) {
        let mut at = part.at.offset.saturating_add(target_bytes);
        while at < part.at.end() {
            let near = at.saturating_add(target_bytes.min(CUT_SEARCH_BYTES)).min(part.at.end());
            let found =
                boundary_behind(input, &context.dialect, at & !1, near).filter(|cut| *cut < part.at.end());
            cuts.extend(found);
            at = found.unwrap_or(at).saturating_add(target_bytes);
        }
    }
    cuts
}

/// The first place behind `from` where a record begins, whatever stood before; looked for up to `near`.
fn boundary_behind(input: &Input<'_>, dialect: &Dialect, from: u64, near: u64) -> Option<u64> {
    let mut source = Source::new(input, dialect.encoding, from, input.len());
    loop {
        source.pass_line(dialect);
        if source.offset() >= near {
            return None;
        }
        let begins = loop {
            match dialect.begins(source.text(), source.at_end()) {
                Some(begins) => break begins,
                None if source.grow() => {}
                None => return None,
            }
        };
        match begins {
            Begins::Record => return Some(source.offset()),
            Begins::Unknown(quote) => source.consume(quote + 1),
        }
    }
}

/// Returns where ends what begins at `after`, or what that byte is part of.
pub fn next_boundary(input: &Input<'_>, context: &Context, after: u64) -> Option<u64> {
    let after = if context.dialect.encoding.is_wide() { after & !1 } else { after };
    let part = context.parts.iter().find(|part| part.at.contains(after))?;
    let Is::Table(table) = &part.is else { return Some(part.at.end()) };
    let source = Source::new(input, context.dialect.encoding, after, part.at.end());
    let mut records = Records::new(source, &context.dialect, &context.tables[*table], context.keeps_short);
    let (_, length) = records.look()?;
    Some(records.pass(length).end())
}
