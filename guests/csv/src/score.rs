//! Which dialect a sample is written in: every candidate reads it, and the one that finds the best table wins.
//!
//! A good table has records of one width, over the whole sample and not its first lines alone; columns of one kind; and no quotes
//! left over. What a candidate is worth is the product of the three, and of how usual such delimiters are.

use crate::dialect::{Decided, Dialect, Ends, shown};
use crate::encoding::Encoding;
use crate::kind::{Family, Kind};
use crate::record::Cell;

/// A stretch of the input, decoded.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// Its text; it begins where a line does.
    pub text: Vec<u8>,
    /// Whether the input ends with it.
    pub at_end: bool,
}

/// What is known of a dialect beforehand: by an option, or by a hint in the input.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What parts cells; empty for nothing.
    pub delimiter: Option<Vec<u8>>,
    /// What quotes them.
    pub quote: Option<Option<u8>>,
    /// Whether a backslash escapes.
    pub backslash: Option<bool>,
    /// What ends a line.
    pub ends: Option<Ends>,
    /// What begins a comment; empty for nothing.
    pub comment: Option<Vec<u8>>,
}

/// How good the table is that a dialect finds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// All of it in one number.
    pub total: f64,
    /// The width of most records.
    pub width: usize,
    /// Records read.
    pub records: usize,
    /// How many of them, in parts of one, have that width or that of their neighbours.
    pub consistency: f64,
    /// How much, in parts of one, columns hold one kind of cell.
    pub kinds: f64,
    /// How many cells, in parts of one, have no quote left at their edges.
    pub clean: f64,
    /// How many cells were quoted.
    pub quoted: usize,
}

/// The dialect of a sample, and how it was found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The dialect.
    pub dialect: Dialect,
    /// What speaks for it.
    pub score: Score,
    /// The best of those with another delimiter.
    pub second: Option<(Dialect, Score)>,
    /// The comment, with what speaks for it.
    pub comment: Decided<Vec<u8>>,
}

/// Records of a sample that are looked at for the kinds of their cells.
const TYPED_RECORDS_MAX: usize = 400;
/// Columns whose cells are looked at.
const TYPED_COLUMNS_MAX: usize = 64;
/// Delimiters of several characters that are tried, at most.
const WIDE_MAX: usize = 6;

/// Delimiters and how usual they are.
const DELIMITERS: [(u8, f64); 20] = [
    (b',', 1.0),
    (b'\t', 1.0),
    (b';', 1.0),
    (b'|', 1.0),
    (0x1F, 1.0),
    (0x01, 1.0),
    (b'~', 0.95),
    (b'^', 0.95),
    (0x1E, 0.95),
    (0x02, 0.95),
    (b':', 0.8),
    (b'#', 0.8),
    (b'!', 0.8),
    (b'*', 0.8),
    (b'&', 0.8),
    (b'@', 0.7),
    (b'$', 0.7),
    (b'=', 0.7),
    (b' ', 0.5),
    (b'/', 0.6),
];
/// How usual delimiters of several characters are. Never more than what they are made of, unless that leaves empty columns.
const WIDE_USUAL: f64 = 0.97;
/// Characters that delimiters of several are made of.
const WIDE_MARKS: &[u8] = b"|~^#;:,!*@$%&<>=\t";

/// What a record counts that has cells, but not as many as is usual.
const RAGGED_WORTH: f64 = 0.35;

/// Finds the dialect of a sample.
pub fn decide(pieces: &[Piece], base: &Dialect, known: &Known) -> Verdict {
    let comment = known.comment.clone().unwrap_or_else(|| usual_comment(pieces));
    let seen = Seen::of(pieces);
    let mut start =
        Dialect { comment: comment.clone(), ends: known.ends.unwrap_or(seen.ends()), ..base.clone() };
    start.quote = known.quote.unwrap_or(Some(b'"'));
    start.backslash = known.backslash.unwrap_or(false);
    let usual = known.quote.unwrap_or(Some(b'"'));
    let mut tried: Vec<Tried> = delimiters(base.encoding, &seen, pieces, known)
        .into_iter()
        .map(|(delimiter, usual)| Tried::new(pieces, Dialect { delimiter, ..start.clone() }, usual))
        .collect();
    keep_best(&mut tried);
    // The delimiter is seen under any quotes; which they are is asked of the best only.
    for other in quotes(&seen, known).into_iter().filter(|quote| *quote != usual) {
        let others: Vec<Tried> = tried
            .iter()
            .filter(|it| it.dialect.quote == usual)
            .map(|it| {
                Tried::new(
                    pieces,
                    Dialect { quote: other, ..it.dialect.clone() },
                    it.usual * OTHER_QUOTE_USUAL,
                )
            })
            .collect();
        tried.extend(others);
    }
    keep_best(&mut tried);
    vary(pieces, &seen, known, &mut tried);
    let tried: Vec<(Dialect, Score)> = tried.into_iter().map(|it| (it.dialect, it.score)).collect();
    let best = tried.first().cloned().unwrap_or_default();
    let (alone, single) = one_column(pieces, &seen, &start, known);
    let is_single = known.delimiter.is_none() && (best.1.total < single.total || best.0.delimiter.is_empty());
    let (dialect, score) = if is_single { (alone, single) } else { best };
    let second = tried.into_iter().find(|other| other.0.delimiter != dialect.delimiter);
    settle_comment(pieces, dialect, score, second, known)
}

/// A dialect that was tried.
#[derive(Clone)]
struct Tried {
    dialect: Dialect,
    /// How usual it is, from 0 to 1; the score has it in it.
    usual: f64,
    score: Score,
}

impl Tried {
    fn new(pieces: &[Piece], dialect: Dialect, usual: f64) -> Tried {
        let mut score = measure(pieces, &dialect);
        score.total *= usual;
        Tried { dialect, usual, score }
    }
}

/// How usual quotes are that are not the usual ones.
const OTHER_QUOTE_USUAL: f64 = 0.985;
/// Candidates that are tried in all variations.
const CANDIDATES_MAX: usize = 4;

/// Keeps the best, the best first.
fn keep_best(tried: &mut Vec<Tried>) {
    tried.sort_by(|one, other| other.score.total.total_cmp(&one.score.total));
    tried.truncate(CANDIDATES_MAX);
}

/// The best reading without a delimiter: every record is one cell, quoted or not.
fn one_column(pieces: &[Piece], seen: &Seen, start: &Dialect, known: &Known) -> (Dialect, Score) {
    let alone = |quote| Dialect { delimiter: Vec::new(), quote, ..start.clone() };
    let measured =
        quotes(seen, known).into_iter().map(|quote| (alone(quote), measure(pieces, &alone(quote))));
    // Of equals the first, which is the usual one.
    measured.reduce(|best, other| if other.1.total > best.1.total { other } else { best }).unwrap_or_default()
}

/// Tries the rarer habits with the best candidates: backslashes, spaces around quotes, lines that end with a carriage return.
fn vary(pieces: &[Piece], seen: &Seen, known: &Known, tried: &mut [Tried]) {
    for candidate in tried.iter_mut() {
        let dialect = &candidate.dialect;
        let mut variants = Vec::new();
        if known.backslash.is_none() && seen.backslashes {
            variants.push(Dialect { backslash: true, ..dialect.clone() });
        }
        if seen.spaced_quotes && dialect.quote.is_some() && dialect.delimiter != b" " {
            variants.push(Dialect { spaces: true, ..dialect.clone() });
        }
        if known.ends.is_none() && seen.lone_returns > 0 && seen.feeds > 0 {
            variants.push(Dialect { ends: Ends::Any, ..dialect.clone() });
        }
        if variants.len() > 1 {
            variants.push(all_of(&variants, dialect));
        }
        let tried: Vec<Tried> =
            variants.into_iter().map(|variant| Tried::new(pieces, variant, candidate.usual)).collect();
        for variant in tried {
            if variant.score.total > candidate.score.total * 1.0005 {
                *candidate = variant;
            }
        }
    }
    tried.sort_by(|one, other| other.score.total.total_cmp(&one.score.total));
}

/// All the habits of some variants at once.
fn all_of(variants: &[Dialect], dialect: &Dialect) -> Dialect {
    let ends = if variants.iter().any(|it| it.ends == Ends::Any) { Ends::Any } else { dialect.ends };
    Dialect {
        backslash: variants.iter().any(|it| it.backslash),
        spaces: variants.iter().any(|it| it.spaces),
        ends,
        ..dialect.clone()
    }
}

/// What bytes a sample has.
struct Seen {
    counts: [usize; 256],
    feeds: usize,
    returns: usize,
    lone_returns: usize,
    backslashes: bool,
    spaced_quotes: bool,
}

impl Seen {
    fn of(pieces: &[Piece]) -> Seen {
        let mut seen = Seen {
            counts: [0; 256],
            feeds: 0,
            returns: 0,
            lone_returns: 0,
            backslashes: false,
            spaced_quotes: false,
        };
        for piece in pieces {
            let mut before = 0;
            for byte in &piece.text {
                seen.counts[usize::from(*byte)] += 1;
                seen.lone_returns += usize::from(before == b'\r' && *byte != b'\n');
                seen.backslashes |= before == b'\\' && is_mark(*byte);
                seen.spaced_quotes |= before == b' ' && matches!(byte, b'"' | b'\'');
                before = *byte;
            }
        }
        seen.feeds = seen.counts[usize::from(b'\n')];
        seen.returns = seen.counts[usize::from(b'\r')];
        seen
    }

    /// Lines that there seem to be.
    fn lines(&self) -> usize {
        self.feeds.max(self.returns).max(1)
    }

    fn ends(&self) -> Ends {
        if self.feeds == 0 && self.returns > 0 { Ends::Return } else { Ends::Feed }
    }
}

/// Whether a backslash before it may have a meaning.
fn is_mark(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'\\')
        || DELIMITERS.iter().any(|(delimiter, _)| *delimiter == byte && byte != b' ')
}

/// Delimiters worth a try, with how usual they are.
fn delimiters(encoding: Encoding, seen: &Seen, pieces: &[Piece], known: &Known) -> Vec<(Vec<u8>, f64)> {
    if let Some(delimiter) = &known.delimiter {
        return vec![(delimiter.clone(), 1.0)];
    }
    let often = |count: usize| count * 4 >= seen.lines();
    let mut found: Vec<(Vec<u8>, f64)> = DELIMITERS
        .iter()
        .filter(|(byte, _)| often(seen.counts[usize::from(*byte)]))
        .map(|(byte, usual)| (vec![*byte], *usual))
        .collect();
    for (text, usual) in [("§", 0.8), ("¦", 0.9), ("¬", 0.8)] {
        let bytes = encoding.encode(text);
        if bytes.last().is_some_and(|last| often(seen.counts[usize::from(*last)])) {
            found.push((bytes, usual));
        }
    }
    found.extend(wide_delimiters(pieces, seen.lines()));
    found
}

/// Runs of marks that occur about as often as there are lines, or more: doubled ones, and ones with another in the middle.
fn wide_delimiters(pieces: &[Piece], lines: usize) -> Vec<(Vec<u8>, f64)> {
    let mut counts: Vec<(&[u8], usize)> = Vec::new();
    for piece in pieces {
        let mut at = 0;
        while let Some(run) = next_run(&piece.text, &mut at) {
            for wide in shapes(run) {
                tally(&mut counts, wide);
            }
        }
    }
    counts.retain(|(_, count)| count * 10 >= lines * 8);
    counts.sort_by_key(|(wide, count)| std::cmp::Reverse((count * wide.len(), wide.len())));
    counts.truncate(WIDE_MAX);
    counts.into_iter().map(|(wide, _)| (wide.to_vec(), WIDE_USUAL)).collect()
}

/// Counts one more of a few things; those past the 64th kind do not count.
fn tally<K: PartialEq>(counts: &mut Vec<(K, usize)>, key: K) {
    match counts.iter().position(|(known, _)| *known == key) {
        Some(place) => counts[place].1 += 1,
        None if counts.len() < 64 => counts.push((key, 1)),
        None => {}
    }
}

/// Whether a byte is one of [`WIDE_MARKS`]: every byte of a sample is asked.
const IS_WIDE_MARK: [bool; 256] = {
    let (mut table, mut at) = ([false; 256], 0);
    while at < WIDE_MARKS.len() {
        table[WIDE_MARKS[at] as usize] = true;
        at += 1;
    }
    table
};

/// The next run of two marks or more.
fn next_run<'t>(text: &'t [u8], at: &mut usize) -> Option<&'t [u8]> {
    let is_mark = |byte: &u8| IS_WIDE_MARK[usize::from(*byte)];
    loop {
        let start = *at + text.get(*at..)?.iter().position(is_mark)?;
        let len = text[start..].iter().take_while(|byte| is_mark(byte)).count();
        *at = start + len;
        if len >= 2 {
            return Some(&text[start..start + len]);
        }
    }
}

/// The delimiters that a run may begin with.
fn shapes(run: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lens = (2..=run.len().min(4)).filter(|len| {
        let shape = &run[..*len];
        let is_same = shape.iter().all(|byte| *byte == shape[0]);
        let is_mirror = shape[0] == shape[len - 1] && *len >= 3;
        let is_pair =
            matches!(shape, b"<>" | b"=>" | b"|;" | b"~|" | b"^|" | b"|^" | b"|~" | b"~^" | b"#|" | b"|#");
        is_same && *len <= 3 || is_mirror || is_pair
    });
    lens.map(|len| &run[..len])
}

/// Quotes worth a try.
fn quotes(seen: &Seen, known: &Known) -> Vec<Option<u8>> {
    if let Some(quote) = known.quote {
        return vec![quote];
    }
    let mut quotes = vec![Some(b'"')];
    if seen.counts[usize::from(b'"')] > 0 {
        quotes.push(None);
    }
    if seen.counts[usize::from(b'\'')] > 1 {
        quotes.push(Some(b'\''));
    }
    quotes
}

/// Reads a sample in a dialect and says how good the table is.
pub fn measure(pieces: &[Piece], dialect: &Dialect) -> Score {
    let mut rows = Rows::default();
    pieces.iter().for_each(|piece| rows.read(piece, dialect));
    rows.score(pieces, dialect)
}

/// A record of a sample: its piece, its place there, how many cells it has and where they stand among all cells.
#[derive(Clone, Copy)]
struct Row {
    piece: usize,
    start: usize,
    width: usize,
    first_cell: usize,
}

#[derive(Default)]
struct Rows {
    pieces: usize,
    rows: Vec<Row>,
    cells: Vec<Cell>,
    broken: usize,
}

impl Rows {
    fn read(&mut self, piece: &Piece, dialect: &Dialect) {
        let (mut at, mut cells) = (0, Vec::new());
        while at < piece.text.len() {
            let text = &piece.text[at..];
            let Some(found) = dialect.record(text, piece.at_end, &mut cells) else { break };
            let line = &text[..found.end];
            if found.broken.is_some() {
                self.broken += 1;
            } else if !is_blank(line, dialect) && !is_comment(line, dialect) {
                self.rows.push(Row {
                    piece: self.pieces,
                    start: at,
                    width: cells.len(),
                    first_cell: self.cells.len(),
                });
                self.cells.extend_from_slice(&cells);
            }
            if found.next == 0 {
                break;
            }
            at += found.next;
        }
        self.pieces += 1;
    }

    fn score(&self, pieces: &[Piece], dialect: &Dialect) -> Score {
        let records = self.rows.len() + self.broken;
        if self.rows.is_empty() {
            return Score::default();
        }
        let width = self.usual_width();
        let typed = self.kinds(pieces, width, dialect);
        let consistency = self.consistency(width, records);
        let quoted = self.cells.iter().filter(|cell| cell.quoted).count();
        let clean = 1.0 - self.unclean(pieces, dialect) / self.cells.len() as f64;
        let total = if dialect.delimiter.is_empty() {
            let lines = typed.iter().map(|column| column.share).sum::<f64>();
            (0.30 + 0.45 * lines) * clean
        } else if width < 2 {
            0.0
        } else {
            let kinds = mean(typed.iter().map(Column::worth));
            let shape = 1.0 - 0.4 / width as f64;
            consistency.powf(1.5) * (0.35 + 0.65 * kinds) * clean.powi(2) * shape
        };
        let kinds = mean(typed.iter().map(Column::worth));
        Score { total, width, records, consistency, kinds, clean, quoted }
    }

    /// The width that most records have; one cell counts for little where wider ones are common.
    fn usual_width(&self) -> usize {
        let mut counts: Vec<(usize, usize)> = Vec::new();
        for row in &self.rows {
            tally(&mut counts, row.width);
        }
        let weigh = |(width, count): &(usize, usize)| (count * if *width < 2 { 1 } else { 3 }, *width);
        counts.iter().max_by_key(|entry| weigh(entry)).map_or(1, |(width, _)| *width)
    }

    /// Records of the usual width; or those that have neighbours of their own width, which may be another table.
    fn consistency(&self, width: usize, records: usize) -> f64 {
        let usual = self.rows.iter().filter(|row| row.width == width).count();
        let runs: usize = self
            .rows
            .chunk_by(|one, other| one.width == other.width)
            .filter(|run| run.len() >= 3 && run[0].width >= 2)
            .map(<[Row]>::len)
            .sum();
        let ragged = self.rows.iter().filter(|row| row.width >= 2 && row.width != width).count();
        let usual = usual as f64 + RAGGED_WORTH * ragged as f64;
        usual.max(0.9 * runs as f64) / records as f64
    }

    /// What the columns of the usual records hold.
    fn kinds(&self, pieces: &[Piece], width: usize, dialect: &Dialect) -> Vec<Column> {
        let usual = self.rows.iter().filter(|row| row.width == width);
        let rows: Vec<&Row> = usual.clone().take(TYPED_RECORDS_MAX).collect();
        // The first of them may be a header, which is of no kind.
        let body = if rows.len() > 3 { &rows[1..] } else { &rows[..] };
        (0..width.min(TYPED_COLUMNS_MAX)).map(|column| self.column(pieces, body, column, dialect)).collect()
    }

    fn column(&self, pieces: &[Piece], rows: &[&Row], column: usize, dialect: &Dialect) -> Column {
        let (mut counts, mut empty, mut crowded) = ([0_usize; 5], 0, 0);
        for row in rows {
            let cell = self.cells[row.first_cell + column];
            let text = &pieces[row.piece].text[row.start..];
            let text = &text[cell.start as usize..cell.end as usize];
            match Kind::of(text).family() {
                None => empty += 1,
                Some(family) => {
                    counts[family as usize] += 1;
                    crowded +=
                        usize::from(family == Family::Text && !cell.quoted && is_crowded(text, dialect));
                }
            }
        }
        let filled = rows.len() - empty;
        let typed = counts[1..].iter().copied().max().unwrap_or(0);
        let share = |count: usize| count as f64 / filled.max(1) as f64;
        Column { share: share(typed), crowded: share(crowded), is_empty: filled == 0 }
    }

    /// Cells with quotes left over: at their edges, or where they quote nothing.
    fn unclean(&self, pieces: &[Piece], dialect: &Dialect) -> f64 {
        let quote = dialect.quote.unwrap_or(b'"');
        if pieces.iter().all(|piece| memchr::memchr3(b'"', b'\'', quote, &piece.text).is_none()) {
            return 0.0;
        }
        let mut unclean = 0.0;
        for row in &self.rows {
            let text = &pieces[row.piece].text[row.start..];
            for cell in &self.cells[row.first_cell..row.first_cell + row.width] {
                unclean += leftover(&text[cell.start as usize..cell.end as usize], cell, dialect);
            }
        }
        unclean
    }
}

/// What a column of a sample holds.
struct Column {
    /// How many of its cells, in parts of one, are of its usual kind, if that is not text.
    share: f64,
    /// How many of its cells look as if they were several.
    crowded: f64,
    is_empty: bool,
}

impl Column {
    fn worth(&self) -> f64 {
        match self {
            Column { is_empty: true, .. } => 0.15,
            Column { share, .. } if *share >= 0.8 => *share,
            Column { crowded, .. } => 0.62 - 0.35 * crowded,
        }
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1);
    values.sum::<f64>() / count as f64
}

/// Whether a cell looks as if it were several: also where half of a delimiter is in it.
fn is_crowded(cell: &[u8], dialect: &Dialect) -> bool {
    let half = if dialect.delimiter.len() > 1 { dialect.delimiter.first() } else { None };
    half.is_some_and(|half| cell.contains(half))
        || cell.iter().any(|byte| matches!(byte, b';' | b'|' | b'\t' | 0x1F | 0x01))
        || memchr::memchr_iter(b',', cell).take(2).count() == 2
        || [b'~', b'^'].iter().any(|mark| cell.first() == Some(mark) || cell.last() == Some(mark))
}

/// How much of a cell's quotes is left over, from 0 to 1. Quotes that were not doubled in a cell that is closed are a habit of some.
fn leftover(inside: &[u8], cell: &Cell, dialect: &Dialect) -> f64 {
    match cell {
        Cell { quoted: true, stray: true, .. } => 0.4,
        Cell { quoted: true, .. } => {
            f64::from(u8::from(!dialect.backslash && has_backslashed_quote(inside, dialect)))
        }
        Cell { stray: true, .. } => 1.0,
        _ => f64::from(u8::from(has_edge_quotes(inside))),
    }
}

fn has_edge_quotes(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    match cell {
        [b'"', ..] | [.., b'"'] if cell.len() > 1 => {
            cell.first() == Some(&b'"') || memchr::memchr_iter(b'"', cell).count().is_multiple_of(2)
        }
        [b'\'', .., b'\''] => true,
        _ => false,
    }
}

fn has_backslashed_quote(cell: &[u8], dialect: &Dialect) -> bool {
    cell.windows(2).any(|pair| pair[0] == b'\\' && Some(pair[1]) == dialect.quote)
}

/// Returns whether a line holds nothing but white space, and no delimiter.
pub fn is_blank(line: &[u8], dialect: &Dialect) -> bool {
    let delimiter = if dialect.delimiter.len() == 1 { dialect.delimiter.first() } else { None };
    line.iter()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0B | 0x0C) && Some(byte) != delimiter)
}

/// Returns whether a line is a comment.
pub fn is_comment(line: &[u8], dialect: &Dialect) -> bool {
    !dialect.comment.is_empty() && line.starts_with(&dialect.comment)
}

/// What begins comments, in the order in which they are looked for.
const COMMENTS: [&[u8]; 5] = [b"#", b"//", b"--", b"%", b"!"];

/// A hash or two slashes are taken for a comment until the table is known.
fn usual_comment(pieces: &[Piece]) -> Vec<u8> {
    let lines = || pieces.iter().flat_map(|piece| piece.text.split(|byte| matches!(byte, b'\n' | b'\r')));
    let begin = |mark: &[u8]| lines().filter(|line| line.starts_with(mark)).count();
    let all = || lines().filter(|line| !line.is_empty()).count();
    let is_usual = |mark: &[u8]| begins_a_line(pieces, mark) && (1..=all() / 2).contains(&begin(mark));
    let found = COMMENTS.into_iter().take(2).find(|mark| is_usual(mark));
    found.map_or(Vec::new(), |mark| mark.to_vec())
}

/// Decides, with the table known, what begins a comment: lines that begin with it do not have the table's width.
fn settle_comment(
    pieces: &[Piece],
    dialect: Dialect,
    score: Score,
    second: Option<(Dialect, Score)>,
    known: &Known,
) -> Verdict {
    if let Some(comment) = &known.comment {
        let comment = Decided::told(comment.clone());
        return Verdict { dialect, score, second, comment };
    }
    let bare = Dialect { comment: Vec::new(), ..dialect.clone() };
    let mut comment = Decided::new(Vec::new(), 1.0, "no line begins with a usual mark".to_owned());
    for mark in COMMENTS.into_iter().filter(|mark| begins_a_line(pieces, mark)) {
        let marked = Marked::of(pieces, &bare, mark, score.width);
        if marked.are_comments(&score) && !mark.starts_with(&bare.delimiter_or_nul()) {
            let Marked { fits, differs, .. } = marked;
            let evidence = format!(
                "{differs} lines begin with {} and are not {} cells wide, {fits} are",
                shown(mark),
                score.width
            );
            comment = Decided::new(mark.to_vec(), differs as f64 / (differs + fits) as f64, evidence);
            break;
        }
    }
    let dialect = Dialect { comment: comment.value.clone(), ..bare };
    Verdict { dialect, score, second, comment }
}

/// Whether any line begins with a mark, whatever ends lines: nearly always none does, and records need not be walked.
fn begins_a_line(pieces: &[Piece], mark: &[u8]) -> bool {
    let within = |text: &[u8]| {
        memchr::memmem::find_iter(text, mark).any(|at| at == 0 || matches!(text[at - 1], b'\n' | b'\r'))
    };
    pieces.iter().any(|piece| within(&piece.text))
}

/// Lines that begin with a mark.
#[derive(Clone, Copy, Default)]
struct Marked {
    /// Remarks that happen to be as wide as the table.
    fits: usize,
    /// Remarks that are not.
    differs: usize,
    /// What may be a record: one is enough, for it would be lost.
    records: usize,
    /// Those of the remarks that stand below a record, or have no space behind the mark.
    unsure: usize,
    /// Whether a record without a mark was seen.
    is_below: bool,
}

impl Marked {
    /// Looks for them. Records are walked, not lines: what stands within quotes has no say.
    fn of(pieces: &[Piece], dialect: &Dialect, mark: &[u8], width: usize) -> Marked {
        let (mut marked, mut cells) = (Marked::default(), Vec::new());
        for piece in pieces {
            let mut at = 0;
            while let Some((end, next)) =
                dialect.line(&piece.text[at..], piece.at_end).filter(|_| at < piece.text.len())
            {
                let (rest, line) = (&piece.text[at..], &piece.text[at..at + end]);
                let mut passed = next;
                if line.starts_with(mark) {
                    marked.add(line, mark, dialect, width);
                } else if !is_blank(line, dialect) {
                    let found = dialect.record(rest, piece.at_end, &mut cells);
                    passed = found.map_or(next, |it| it.next.max(next));
                    marked.is_below = true;
                }
                at += passed;
            }
        }
        marked
    }

    fn add(&mut self, line: &[u8], mark: &[u8], dialect: &Dialect, width: usize) {
        let mut cells = Vec::new();
        let is_row = dialect.record(line, true, &mut cells).is_some_and(|it| it.broken.is_none());
        let fits = is_row && cells.len() == width && width > 1;
        let is_spaced = line.get(mark.len()).is_none_or(|byte| matches!(byte, b' ' | b'\t'));
        // A comma of a sentence has a space behind it.
        let is_remark = is_spaced
            || !is_row
            || cells.iter().skip(1).all(|cell| line.get(cell.start as usize) == Some(&b' '));
        self.unsure += usize::from(self.is_below || !is_spaced);
        let count = if !is_remark {
            self.records += usize::from(fits || self.is_below);
            return;
        } else if fits {
            &mut self.fits
        } else {
            &mut self.differs
        };
        *count += 1;
    }

    fn are_comments(&self, score: &Score) -> bool {
        let is_sure = score.width > 1 || self.unsure == 0;
        is_sure
            && self.records == 0
            && self.differs > self.fits
            && self.differs * 2 <= score.records.max(2) * 3
    }
}

impl Dialect {
    fn delimiter_or_nul(&self) -> Vec<u8> {
        if self.delimiter.is_empty() { vec![0] } else { self.delimiter.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Verdict {
        let piece = Piece { text: text.as_bytes().to_vec(), at_end: true };
        decide(&[piece], &Dialect::default(), &Known::default())
    }

    fn delimiter(text: &str) -> String {
        shown(&of(text).dialect.delimiter)
    }

    #[test]
    fn delimiters_of_one_character_and_of_several_are_found() {
        assert_eq!(delimiter("a,b,c\n1,x y,2\n3,z w,4\n"), ",");
        assert_eq!(delimiter("a;b;c\n1,5;x, y;2,7\n3,1;z;4,2\n"), ";");
        assert_eq!(delimiter("a||b||c\n1||x||2\n3||||4\n"), "||");
        assert_eq!(delimiter("a~|~b~|~c\n1~|~x~|~2\n3~|~y~|~4\n"), "~|~");
        assert_eq!(delimiter("a\tb\n1\t2\n"), "\\t");
        assert_eq!(delimiter("2024-01-01 10:00:00,5\n2024-01-02 10:00:00,6\n"), ",");
    }

    #[test]
    fn lines_without_a_delimiter_are_one_column() {
        assert_eq!(delimiter("name\nalpha\nbeta\ngamma delta\n"), "");
        assert_eq!(delimiter("when\n2024-01-01\n2024-01-02\n"), "");
        assert_eq!(delimiter("10:00:00\n11:00:00\n"), "");
    }

    #[test]
    fn quotes_and_escapes_are_found() {
        let single = of("a,b\n1,'x, y'\n2,'it''s'\n3,plain\n");
        assert_eq!(single.dialect.quote, Some(b'\''));
        let backslash = of("a,b,c\n1,\"x \\\"y\\\", z\",2\n2,\"p \\\"q\\\", r\",4\n3,w,5\n");
        assert!(backslash.dialect.backslash);
        let usual = of("a,b\n1,O'Brien\n2,O'Neil\n");
        assert_eq!(usual.dialect.quote, Some(b'"'));
    }

    #[test]
    fn a_comment_is_no_row_and_a_header_with_a_hash_is_one() {
        assert_eq!(of("# made by hand\na,b\n1,2\n# note\n3,4\n").dialect.comment, b"#");
        assert_eq!(of("#id,name\n1,x\n2,y\n").dialect.comment, b"");
    }
}
