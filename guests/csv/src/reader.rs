//! The records of a table, one after the other, each judged: a row, or what else it is.

use casparian_sdk::prelude::*;

use crate::context::Plan;
use crate::dialect::Dialect;
use crate::encoding::is_readable;
use crate::faults::Flaw;
use crate::record::{Broken, Cell, Found, RECORD_BYTES_MAX};
use crate::score::{is_blank, is_comment};
use crate::source::Source;
use crate::structure::{Fit, is_torn};

/// What stands at the start of the view.
#[derive(Clone, Debug, PartialEq)]
pub enum Stands {
    /// A line without anything.
    Blank,
    /// A comment.
    Comment,
    /// The header once more.
    Header,
    /// A record of the table: its cells are [`Records::cells`].
    Row,
    /// A record that cannot be read.
    Reject(Flaw, String),
}

/// The records of a table.
pub struct Records<'a, 'c> {
    /// The text.
    pub source: Source<'a>,
    /// How it is written.
    pub dialect: &'c Dialect,
    /// What is known of the table.
    pub plan: &'c Plan,
    /// The cells of the record at the start of the view.
    pub cells: Vec<Cell>,
    keeps_short: bool,
}

impl<'a, 'c> Records<'a, 'c> {
    /// Reads a text.
    pub fn new(
        source: Source<'a>,
        dialect: &'c Dialect,
        plan: &'c Plan,
        keeps_short: bool,
    ) -> Records<'a, 'c> {
        Records { source, dialect, plan, cells: Vec::new(), keeps_short }
    }

    /// Looks at what stands at the start of the view, and how long it is in the text; `None` at the end. A length of 0 is that of
    /// a line whose end is not in view.
    pub fn look(&mut self) -> Option<(Stands, usize)> {
        let line = loop {
            if let Some(found) = self.blank_or_comment() {
                return Some(found);
            }
            if let Some(found) =
                self.dialect.record(self.source.text(), self.source.at_end(), &mut self.cells)
            {
                break found;
            }
            if !self.source.grow() {
                return None;
            }
        };
        Some(self.judge(line))
    }

    fn blank_or_comment(&mut self) -> Option<(Stands, usize)> {
        let text = self.source.text();
        let first = *text.first()?;
        let may_be_blank = first.is_ascii_whitespace() || first == 0x0B;
        let may_be_comment = self.dialect.comment.first() == Some(&first);
        if !may_be_blank && !may_be_comment {
            return None;
        }
        let (end, next) = self.dialect.line(text, self.source.at_end())?;
        if is_blank(&text[..end], self.dialect) {
            return Some((Stands::Blank, next));
        }
        is_comment(&text[..end], self.dialect).then_some((Stands::Comment, next))
    }

    fn judge(&mut self, found: Found) -> (Stands, usize) {
        if let Some(broken) = found.broken {
            return (broken_record(broken), found.next);
        }
        let text = &self.source.text()[..found.end];
        if text == self.plan.header && !text.is_empty() {
            return (Stands::Header, found.next);
        }
        if !is_readable(self.dialect.encoding, text) {
            let message = format!("no text in {}", self.dialect.encoding.name());
            return (Stands::Reject(Flaw::UndecodableText, message), found.next);
        }
        if self.cells.len() == self.plan.usual {
            return (Stands::Row, found.next);
        }
        if found.is_long
            && let Some(line) = self.swallowed()
        {
            let message = "a quote that is never closed: the next line is a record of its own".to_owned();
            return (Stands::Reject(Flaw::UnclosedQuote, message), line);
        }
        (self.misshapen(), found.next)
    }

    /// Where a record of several lines does not fit the table, and without its first line it would: the length of that line.
    fn swallowed(&mut self) -> Option<usize> {
        let mut cells = Vec::new();
        loop {
            let (text, at_end) = (self.source.text(), self.source.at_end());
            let (_, next) = self.dialect.line(text, at_end)?;
            if let Some(found) = self.dialect.record(&text[next..], at_end, &mut cells) {
                return (found.broken.is_none() && cells.len() == self.plan.usual).then_some(next);
            }
            if !self.source.grow() {
                return None;
            }
        }
    }

    /// What becomes of a record that does not have as many cells as is usual.
    fn misshapen(&self) -> Stands {
        let (cells, columns, usual) = (self.cells.len(), self.plan.columns.len(), self.plan.usual);
        if cells > columns {
            return Stands::Reject(Flaw::LongRow, format!("{cells} cells, the table has {columns} columns"));
        }
        let text = self.source.text();
        let said = self.cells.iter().map(|cell| &text[cell.start as usize..cell.end as usize]);
        let said: Vec<&[u8]> = said.collect();
        let fit = Fit::of(said.iter().copied(), &self.plan.families);
        if cells > usual && is_torn(&said, &self.plan.families) {
            let message = format!(
                "{cells} cells, the table has {usual}; a text with a delimiter in it seems to be cut"
            );
            return Stands::Reject(Flaw::LongRow, message);
        }
        let is_lone = cells == 1 && usual >= 3;
        if fit.is_aligned() && !is_lone && (cells > usual || self.keeps_short) {
            return Stands::Row;
        }
        let flaw = if cells > usual { Flaw::LongRow } else { Flaw::ShortRow };
        let message = match fit.misfits {
            0 => format!("{cells} cells, the table has {usual}"),
            misfits => {
                format!("{cells} cells, the table has {usual}; {misfits} of them do not fit their columns")
            }
        };
        Stands::Reject(flaw, message)
    }

    /// Passes what stands at the start of the view; returns where it was.
    pub fn pass(&mut self, length: usize) -> Span {
        let start = self.source.offset();
        if length == 0 {
            let end = self.source.pass_line(self.dialect);
            return Span::between(start, end);
        }
        self.source.consume(length);
        Span::between(start, self.source.offset())
    }
}

fn broken_record(broken: Broken) -> Stands {
    match broken {
        Broken::Unclosed => Stands::Reject(Flaw::UnclosedQuote, "a quote that is never closed".to_owned()),
        Broken::Oversized => {
            let message = format!("longer than {RECORD_BYTES_MAX} bytes");
            Stands::Reject(Flaw::OversizedRecord, message)
        }
        Broken::TooWide => {
            Stands::Reject(Flaw::OversizedRecord, "more cells than a table can have columns".to_owned())
        }
    }
}
