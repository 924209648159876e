//! One record, read the careful way: where its cells are, where it ends, and what is wrong with it.
//!
//! The rules, in short. A cell that begins with a quote ends at the next quote that a delimiter, the end of the line or of the
//! input follows; two quotes are one. A quote that nothing of this follows is a character like others as long as the cell ends on
//! its line: `"say "hi" now"`. A cell that goes on over the end of a line must be quoted by the book: if it is not, or never
//! ends, the quote at its beginning was never closed, and the line alone is the bad record. So no mistake in one line reaches
//! further than that line, and where a line begins within quotes can be told by what follows ([`Dialect::begins`]).

use crate::dialect::{Dialect, Ends};

/// Records longer than this are rejected, and no quoted cell is longer.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// Cells that a record may have: what a table can have of columns, and one more.
pub const CELLS_MAX: usize = 4_001;

/// A cell: where in the record's text it is, without quotes, and whether it needs unescaping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Where it starts.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Whether what it says is not what it is: it holds doubled quotes or backslashes.
    pub escaped: bool,
    /// Whether it holds quotes that should have been doubled, or begins with one that quotes nothing.
    pub stray: bool,
}

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A quote is never closed.
    Unclosed,
    /// It is longer than [`RECORD_BYTES_MAX`]. Where its line ends is not known yet: `next` is 0.
    Oversized,
    /// It has more than [`CELLS_MAX`] cells.
    TooWide,
}

/// Whether a line begins a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// It does.
    Record,
    /// Who knows: a quote that ends a cell stands so far behind, and no line before it tells more.
    Unknown(usize),
}

/// Where a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where its text ends, without the end of the line.
    pub end: usize,
    /// Where the next one begins.
    pub next: usize,
    /// Whether it goes over several lines.
    pub is_long: bool,
    /// What is wrong with it.
    pub broken: Option<Broken>,
}

/// How a quoted cell ends.
enum Close {
    /// At a quote. The cell goes on at `after`.
    At { end: usize, after: usize, escaped: bool, stray: bool, is_long: bool },
    /// It was not quoted after all: the line ends, and it has other quotes in it.
    Literal,
    /// Never.
    Never,
    /// Who knows: the text ends before the input does.
    Later,
}

/// Where a line ends: the place of the end and where the next begins.
enum LineEnd {
    At(usize, usize),
    Not,
    Later,
}

impl Dialect {
    /// Reads the record at the start of `text`; `at_end`, whether the input ends with it. `None` where more is needed to know.
    pub fn record(&self, text: &[u8], at_end: bool, cells: &mut Vec<Cell>) -> Option<Found> {
        cells.clear();
        let mut at = 0;
        let mut is_long = false;
        loop {
            let opened = self.opening(text, at);
            let mut cell = Cell { start: at as u32, ..Cell::default() };
            let mut from = at;
            if let Some(inside) = opened {
                match self.close(text, inside, at_end) {
                    Close::At { end, after, escaped, stray, is_long: long } => {
                        cell = Cell { start: inside as u32, end: end as u32, quoted: true, escaped, stray };
                        is_long |= long;
                        from = after;
                    }
                    Close::Literal => {
                        cell.stray = true;
                        from = inside;
                    }
                    Close::Never => return self.first_line(text, at_end, Broken::Unclosed),
                    Close::Later => return None,
                }
            }
            let (end, escaped, step) = self.cell_end(text, from, at_end);
            if !cell.quoted {
                cell.end = end as u32;
                cell.escaped = escaped;
            }
            match step {
                Step::Delimiter(next) if cells.len() < CELLS_MAX => {
                    cells.push(cell);
                    at = next;
                }
                Step::Delimiter(_) => return self.first_line(text, at_end, Broken::TooWide),
                Step::Line(next) => {
                    cells.push(cell);
                    return Some(Found { end, next, is_long, broken: None });
                }
                Step::Oversized => return self.first_line(text, at_end, Broken::Oversized),
                Step::Later => return None,
            }
        }
    }

    /// Returns where a quoted cell's text begins, if one begins here.
    #[inline]
    fn opening(&self, text: &[u8], at: usize) -> Option<usize> {
        let quote = self.quote?;
        let mut place = at;
        while self.spaces && text.get(place) == Some(&b' ') {
            place += 1;
        }
        (text.get(place) == Some(&quote)).then_some(place + 1)
    }

    /// Looks for the quote that closes a cell whose text begins at `from`.
    fn close(&self, text: &[u8], from: usize, at_end: bool) -> Close {
        let Some(quote) = self.quote else { return Close::Never };
        let (mut at, mut escaped, mut stray, mut is_long) = (from, false, false, false);
        while let Some(byte) = text.get(at) {
            // Counted from the start of the record: what is decided does not depend on how much of the input is in view.
            if at > RECORD_BYTES_MAX {
                return Close::Never;
            }
            if *byte == quote {
                match self.behind_quote(text, at + 1, at_end) {
                    Behind::Ends => return Close::At { end: at, after: at + 1, escaped, stray, is_long },
                    Behind::Quote => {
                        escaped = true;
                        at += 2;
                    }
                    Behind::Later => return Close::Later,
                    Behind::Other if is_long => return Close::Never,
                    Behind::Other => {
                        stray = true;
                        at += 1;
                    }
                }
            } else if self.backslash && *byte == b'\\' {
                if at + 1 >= text.len() && !at_end {
                    return Close::Later;
                }
                escaped = true;
                at += if text.get(at + 1).is_some_and(|next| self.ends.is_end(*next)) { 1 } else { 2 };
            } else if self.ends.is_end(*byte) {
                if stray {
                    return Close::Literal;
                }
                is_long = true;
                at += 1;
            } else {
                at += 1;
            }
        }
        match (at_end, stray) {
            (true, true) => Close::Literal,
            (true, false) => Close::Never,
            (false, _) => Close::Later,
        }
    }

    /// What follows a quote inside of a quoted cell.
    fn behind_quote(&self, text: &[u8], at: usize, at_end: bool) -> Behind {
        match text.get(at) {
            None if at_end => return Behind::Ends,
            None => return Behind::Later,
            Some(byte) if Some(*byte) == self.quote => return Behind::Quote,
            Some(_) => {}
        }
        let mut place = at;
        while self.spaces && text.get(place) == Some(&b' ') {
            place += 1;
        }
        if self.has_delimiter(text, place) {
            return Behind::Ends;
        }
        match self.line_end(text, place, at_end) {
            LineEnd::At(..) => Behind::Ends,
            LineEnd::Later => Behind::Later,
            LineEnd::Not if place == text.len() && at_end => Behind::Ends,
            LineEnd::Not if text.len() - place < self.delimiter.len() && !at_end => Behind::Later,
            LineEnd::Not => Behind::Other,
        }
    }

    #[inline]
    fn has_delimiter(&self, text: &[u8], at: usize) -> bool {
        match *self.delimiter {
            [] => false,
            [one] => text.get(at) == Some(&one),
            _ => text.get(at..).is_some_and(|rest| rest.starts_with(&self.delimiter)),
        }
    }

    /// Whether a line ends at `at`.
    #[inline]
    fn line_end(&self, text: &[u8], at: usize, at_end: bool) -> LineEnd {
        match text.get(at) {
            Some(b'\n') if self.ends != Ends::Return => LineEnd::At(at, at + 1),
            Some(b'\r') => match (self.ends, text.get(at + 1)) {
                (Ends::Return, _) => LineEnd::At(at, at + 1),
                (_, Some(b'\n')) => LineEnd::At(at, at + 2),
                (_, None) if !at_end => LineEnd::Later,
                (Ends::Any, _) => LineEnd::At(at, at + 1),
                // The input ends with half an end of a line.
                (_, None) => LineEnd::At(at, at + 1),
                _ => LineEnd::Not,
            },
            _ => LineEnd::Not,
        }
    }

    /// Goes on to the end of an unquoted cell, or behind a quoted one to what parts it from the next.
    fn cell_end(&self, text: &[u8], from: usize, at_end: bool) -> (usize, bool, Step) {
        let (mut at, mut escaped) = (from, false);
        let first = self.delimiter.first().copied();
        while let Some(byte) = text.get(at) {
            if at > RECORD_BYTES_MAX {
                return (at, escaped, Step::Oversized);
            }
            if Some(*byte) == first {
                if self.has_delimiter(text, at) {
                    return (at, escaped, Step::Delimiter(at + self.delimiter.len()));
                }
                if text.len() - at < self.delimiter.len() && !at_end {
                    return (at, escaped, Step::Later);
                }
            }
            if *byte == b'\n' || *byte == b'\r' {
                match self.line_end(text, at, at_end) {
                    LineEnd::At(end, next) => return (end, escaped, Step::Line(next)),
                    LineEnd::Later => return (at, escaped, Step::Later),
                    LineEnd::Not => {}
                }
            }
            if self.backslash && *byte == b'\\' {
                escaped = true;
                at += usize::from(text.get(at + 1).is_some_and(|next| self.is_special(*next)));
            }
            at += 1;
        }
        let at = at.min(text.len());
        (at, escaped, if at_end { Step::Line(at) } else { Step::Later })
    }

    /// Returns the line at the start of `text` as a broken record.
    fn first_line(&self, text: &[u8], at_end: bool, broken: Broken) -> Option<Found> {
        match self.line(text, at_end) {
            Some((end, next)) => Some(Found { end, next, is_long: false, broken: Some(broken) }),
            None if text.len() <= RECORD_BYTES_MAX => None,
            None => Some(Found { end: 0, next: 0, is_long: false, broken: Some(Broken::Oversized) }),
        }
    }

    /// Returns where the line at the start of `text` ends and the next begins, whatever it holds. `None` where more is needed to
    /// know.
    pub fn line(&self, text: &[u8], at_end: bool) -> Option<(usize, usize)> {
        let mut from = 0;
        while let Some(found) = text[from..].iter().position(|byte| *byte == b'\n' || *byte == b'\r') {
            match self.line_end(text, from + found, at_end) {
                LineEnd::At(end, next) => return Some((end, next)),
                LineEnd::Later => return None,
                LineEnd::Not => from += found + 1,
            }
        }
        at_end.then_some((text.len(), text.len()))
    }

    /// Returns whether a line that begins with `text` begins a record, whatever stood before it: whether a quoted cell that had
    /// begun earlier could not go on here and end by the book. `None` where more is needed to know.
    pub fn begins(&self, text: &[u8], at_end: bool) -> Option<Begins> {
        let Some(quote) = self.quote else { return Some(Begins::Record) };
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            if at > RECORD_BYTES_MAX {
                return Some(Begins::Record);
            }
            if *byte == quote {
                match self.behind_quote(text, at + 1, at_end) {
                    Behind::Ends => return Some(Begins::Unknown(at)),
                    Behind::Other => return Some(Begins::Record),
                    Behind::Later => return None,
                    Behind::Quote => at += 1,
                }
            } else if self.backslash && *byte == b'\\' {
                at += usize::from(text.get(at + 1).is_some_and(|next| !self.ends.is_end(*next)));
            }
            at += 1;
        }
        at_end.then_some(Begins::Record)
    }

    /// Appends what a cell says, still in the encoding of the text.
    pub fn unescape(&self, cell: &[u8], quoted: bool, into: &mut Vec<u8>) {
        let mut rest = cell.iter().copied().peekable();
        while let Some(byte) = rest.next() {
            let next = rest.peek().copied();
            let taken = match next {
                Some(next) if self.backslash && byte == b'\\' && self.is_special(next) => true,
                Some(next) => quoted && Some(byte) == self.quote && next == byte,
                None => false,
            };
            into.push(if taken { rest.next().unwrap_or(byte) } else { byte });
        }
    }

    /// Whether a backslash before it is no character of the cell.
    fn is_special(&self, byte: u8) -> bool {
        byte == b'\\' || Some(byte) == self.quote || Some(byte) == self.delimiter.first().copied()
    }
}

/// What stands behind a quote.
enum Behind {
    Ends,
    Quote,
    Other,
    Later,
}

/// What stands behind a cell.
enum Step {
    Delimiter(usize),
    Line(usize),
    Oversized,
    Later,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn comma() -> Dialect {
        Dialect { delimiter: b",".to_vec(), quote: Some(b'"'), ..Dialect::default() }
    }

    /// All records of a text: their cells, or why there are none.
    fn records(dialect: &Dialect, text: &[u8]) -> Vec<Result<Vec<String>, Broken>> {
        let (mut at, mut cells, mut all) = (0, Vec::new(), Vec::new());
        while at < text.len() {
            let found = dialect.record(&text[at..], true, &mut cells).expect("the text is whole");
            all.push(match found.broken {
                Some(broken) => Err(broken),
                None => Ok(cells.iter().map(|cell| said(dialect, &text[at..], cell)).collect()),
            });
            at += found.next.max(1);
        }
        all
    }

    fn said(dialect: &Dialect, text: &[u8], cell: &Cell) -> String {
        let mut bytes = Vec::new();
        dialect.unescape(&text[cell.start as usize..cell.end as usize], cell.quoted, &mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    fn row(cells: &[&str]) -> Result<Vec<String>, Broken> {
        Ok(cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn quoted_cells_hold_delimiters_lines_and_doubled_quotes() {
        let read = records(&comma(), b"1,\"a, b\",\"x\r\ny\",\"say \"\"hi\"\"\"\r\n2,,\"\",z");
        assert_eq!(read, [row(&["1", "a, b", "x\r\ny", "say \"hi\""]), row(&["2", "", "", "z"])]);
    }

    #[test]
    fn quotes_that_were_not_doubled_are_characters_on_their_line() {
        let read = records(&comma(), b"1,\"say \"hi\" now\",2\n3,5\" pipe,4\n5,\"Bob\" Smith,6\n");
        assert_eq!(
            read,
            [
                row(&["1", "say \"hi\" now", "2"]),
                row(&["3", "5\" pipe", "4"]),
                row(&["5", "\"Bob\" Smith", "6"])
            ]
        );
    }

    #[test]
    fn a_quote_that_is_never_closed_costs_its_line() {
        let read = records(&comma(), b"1,\"oops,2\n3,\"Smith, Jane\",4\n5,x,6\n");
        assert_eq!(read, [Err(Broken::Unclosed), row(&["3", "Smith, Jane", "4"]), row(&["5", "x", "6"])]);
        let read = records(&comma(), b"1,\"oops,2\n3,b,4\n");
        assert_eq!(read, [Err(Broken::Unclosed), row(&["3", "b", "4"])]);
    }

    #[test]
    fn backslashes_single_quotes_spaces_and_wide_delimiters_are_read() {
        let backslash = Dialect { backslash: true, ..comma() };
        assert_eq!(
            records(&backslash, b"\"a \\\"b\\\" \\\\\",c\\,d,e\\n"),
            [row(&["a \"b\" \\", "c,d", "e\\n"])]
        );
        let single = Dialect { quote: Some(b'\''), spaces: true, ..comma() };
        assert_eq!(records(&single, b"'a, b' , 'it''s',O'Neil"), [row(&["a, b", "it's", "O'Neil"])]);
        let wide = Dialect { delimiter: b"~|~".to_vec(), ..comma() };
        assert_eq!(records(&wide, b"a~|~\"b~|~c\"~|~~d\n"), [row(&["a", "b~|~c", "~d"])]);
    }

    #[test]
    fn lines_end_as_they_are_said_to() {
        let any = Dialect { ends: Ends::Any, ..comma() };
        let read = records(&any, b"1\r2\r\n3\n4");
        assert_eq!(read, [row(&["1"]), row(&["2"]), row(&["3"]), row(&["4"])]);
        assert_eq!(records(&comma(), b"1\r2\r\n3"), [row(&["1\r2"]), row(&["3"])]);
    }

    #[test]
    fn a_record_past_the_bound_is_oversized_and_a_table_can_be_too_wide() {
        let giant = vec![b'x'; RECORD_BYTES_MAX + 10];
        let found = comma().record(&giant, false, &mut Vec::new()).expect("it is known to be too long");
        assert_eq!((found.broken, found.next), (Some(Broken::Oversized), 0));
        let wide = [vec![b','; CELLS_MAX + 1], b"\nnext".to_vec()].concat();
        let found = comma().record(&wide, true, &mut Vec::new()).expect("a line");
        assert_eq!((found.broken, found.next), (Some(Broken::TooWide), CELLS_MAX + 2));
    }

    fn messy() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(b"ab,,\"\"\"\n\n\r\\ ".to_vec());
        prop::collection::vec(byte, 0..60)
    }

    fn dialects() -> impl Strategy<Value = Dialect> {
        (any::<bool>(), any::<bool>(), 0_usize..3).prop_map(|(backslash, spaces, ends)| Dialect {
            backslash,
            spaces,
            ends: Ends::ALL[ends].0,
            ..comma()
        })
    }

    proptest! {
        #[test]
        fn a_record_is_the_same_however_much_of_what_follows_is_seen(dialect in dialects(), text in messy()) {
            let whole = dialect.record(&text, true, &mut Vec::new());
            for seen in 0..text.len() {
                let part = dialect.record(&text[..seen], false, &mut Vec::new());
                prop_assert!(part.is_none() || part == whole, "{} bytes: {:?}, {:?}", seen, part, whole);
            }
        }

        #[test]
        fn a_line_that_is_said_to_begin_a_record_does(dialect in dialects(), text in messy()) {
            let (mut at, mut begins) = (0, vec![0]);
            while at < text.len() {
                at += dialect.record(&text[at..], true, &mut Vec::new()).expect("the text is whole").next;
                begins.push(at);
            }
            let mut at = 0;
            while at < text.len() {
                let said = dialect.begins(&text[at..], true).expect("the text is whole");
                prop_assert!(said != Begins::Record || begins.contains(&at), "{}", at);
                at += dialect.line(&text[at..], true).expect("the text is whole").1;
            }
        }

        #[test]
        fn cells_lie_in_their_record_and_records_touch(dialect in dialects(), text in messy()) {
            let mut cells = Vec::new();
            let mut at = 0;
            while at < text.len() {
                let found = dialect.record(&text[at..], true, &mut cells).expect("the text is whole");
                prop_assert!(found.next > 0 && found.end <= found.next);
                let mut last = 0;
                for cell in &cells {
                    prop_assert!(found.broken.is_some() || (cell.start >= last && cell.end >= cell.start && cell.end as usize <= found.end));
                    last = cell.end;
                }
                at += found.next;
            }
        }
    }
}
