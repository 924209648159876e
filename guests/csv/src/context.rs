//! What the plan settles once and every range is handed: how the input is written, what it is made of, the columns of its tables.

use casparian_sdk::{Fault, SkipKind, Span};

use crate::dialect::{Dialect, Ends};
use crate::encoding::Encoding;
use crate::kind::Family;

/// Everything that a range needs to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// How the input is written.
    pub dialect: Dialect,
    /// Whether records that are short are read, or rejected.
    pub keeps_short: bool,
    /// Its tables.
    pub tables: Vec<Plan>,
    /// What it is made of: parts touch, and cover it.
    pub parts: Vec<Part>,
}

/// What is known of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What it is called.
    pub name: String,
    /// Names of its columns, and what else the header says of each.
    pub columns: Vec<(String, String)>,
    /// What the columns hold; fewer than there are columns where some are there for long records only.
    pub families: Vec<Family>,
    /// Cells that most records have.
    pub usual: usize,
    /// The text of the header, to know it again where it is repeated.
    pub header: Vec<u8>,
}

/// A stretch of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Where it is.
    pub at: Span,
    /// What it is.
    pub is: Is,
}

/// What a stretch of the input is.
#[derive(Clone, Debug, PartialEq)]
pub enum Is {
    /// No record.
    Skip(SkipKind, String),
    /// Records of a table.
    Table(usize),
}

const KINDS: [SkipKind; 8] = [
    SkipKind::Blank,
    SkipKind::Comment,
    SkipKind::Preamble,
    SkipKind::Header,
    SkipKind::Footer,
    SkipKind::Separator,
    SkipKind::Padding,
    SkipKind::Other,
];

/// The version of what is written.
const VERSION: u64 = 1;

impl Context {
    /// Writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut into = Writer(Vec::new());
        into.number(VERSION);
        into.dialect(&self.dialect);
        into.number(u64::from(self.keeps_short));
        into.number(self.tables.len() as u64);
        self.tables.iter().for_each(|table| into.table(table));
        into.number(self.parts.len() as u64);
        self.parts.iter().for_each(|part| into.part(part));
        into.0
    }

    /// Reads what [`Context::to_bytes`] wrote. Fails where it is anything else.
    pub fn read(bytes: &[u8]) -> Result<Context, Fault> {
        let mut from = Reader(bytes);
        from.context().ok_or_else(|| {
            Fault::new("context-unknown", "the context is not one that this parser's plan made")
        })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn dialect(&mut self, dialect: &Dialect) {
        self.number(dialect.encoding as u64);
        self.bytes(&dialect.delimiter);
        self.bytes(dialect.quote.as_slice());
        self.number(u64::from(dialect.backslash));
        self.number(u64::from(dialect.spaces));
        self.bytes(&dialect.comment);
        self.number(dialect.ends as u64);
    }

    fn table(&mut self, table: &Plan) {
        self.bytes(table.name.as_bytes());
        self.number(table.columns.len() as u64);
        for (name, doc) in &table.columns {
            self.bytes(name.as_bytes());
            self.bytes(doc.as_bytes());
        }
        self.bytes(&table.families.iter().map(|family| *family as u8).collect::<Vec<u8>>());
        self.number(table.usual as u64);
        self.bytes(&table.header);
    }

    fn part(&mut self, part: &Part) {
        self.number(part.at.offset);
        self.number(part.at.length);
        match &part.is {
            Is::Table(table) => self.number(*table as u64),
            Is::Skip(kind, note) => {
                let kind = KINDS.iter().position(|known| known == kind).unwrap_or_default();
                self.number(SKIP + kind as u64);
                self.bytes(note.as_bytes());
            }
        }
    }
}

/// Numbers from here on are kinds of skips; those before are tables.
const SKIP: u64 = 1 << 32;

struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let len = self.count()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    fn context(&mut self) -> Option<Context> {
        if self.number()? != VERSION {
            return None;
        }
        let dialect = self.dialect()?;
        let keeps_short = self.number()? == 1;
        let tables = (0..self.count()?).map(|_| self.table()).collect::<Option<Vec<Plan>>>()?;
        let parts = (0..self.count()?).map(|_| self.part(tables.len())).collect::<Option<_>>()?;
        Some(Context { dialect, keeps_short, tables, parts })
    }

    fn dialect(&mut self) -> Option<Dialect> {
        Some(Dialect {
            encoding: Encoding::ALL.get(self.count()?)?.0,
            delimiter: self.bytes()?,
            quote: self.bytes()?.first().copied(),
            backslash: self.number()? == 1,
            spaces: self.number()? == 1,
            comment: self.bytes()?,
            ends: Ends::ALL.get(self.count()?)?.0,
        })
    }

    fn table(&mut self) -> Option<Plan> {
        let name = self.text()?;
        let columns =
            (0..self.count()?).map(|_| Some((self.text()?, self.text()?))).collect::<Option<_>>()?;
        let families = self
            .bytes()?
            .iter()
            .map(|family| Family::ALL.get(usize::from(*family)).copied())
            .collect::<Option<_>>()?;
        Some(Plan { name, columns, families, usual: self.count()?, header: self.bytes()? })
    }

    fn part(&mut self, tables: usize) -> Option<Part> {
        let at = Span::new(self.number()?, self.number()?);
        let is = match self.number()? {
            table if table < SKIP => Is::Table(usize::try_from(table).ok().filter(|table| *table < tables)?),
            kind => Is::Skip(*KINDS.get(usize::try_from(kind - SKIP).ok()?)?, self.text()?),
        };
        Some(Part { at, is })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_read_as_it_was_written_and_nothing_else_is() {
        let context = Context {
            dialect: Dialect {
                delimiter: b"||".to_vec(),
                quote: Some(b'\''),
                ends: Ends::Any,
                ..Dialect::default()
            },
            keeps_short: true,
            tables: vec![Plan {
                name: "rows".into(),
                columns: vec![("id".into(), String::new()), ("Größe".into(), "cm".into())],
                families: vec![Family::Number, Family::Text],
                usual: 2,
                header: b"id||x".to_vec(),
            }],
            parts: vec![
                Part { at: Span::new(0, 3), is: Is::Skip(SkipKind::Header, "names".into()) },
                Part { at: Span::new(3, 9), is: Is::Table(0) },
            ],
        };
        let bytes = context.to_bytes();
        assert_eq!(Context::read(&bytes), Ok(context));
        for cut in 0..bytes.len() {
            assert!(Context::read(&bytes[..cut]).is_err());
        }
    }
}
