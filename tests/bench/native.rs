//! A parser compiled into this program, with the handover that a guest has: reads of the same sizes from the same source,
//! every batch guarded, decoded and taken in by the same rules. What it lacks is the sandbox.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, OnceLock};

use casparian_core::description::{Description, FaultInfo, TableInfo};
use casparian_core::fault::{Blamed as _, Span};
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use casparian_core::intake::{self, Intake, NOTE_BYTES_MAX, Refusal, Said, TableId};
use casparian_core::limits::Limits;
use casparian_host::source::Source;
use casparian_sandbox::{Blob, Ear, Hangup};
use casparian_sdk::host::{Blob as NativeBlob, Host, Level, Rejection};
use casparian_sdk::{Fault, Options, Parser, SkipKind, session};
use fix::Fix;

use crate::Outcome;

/// The one table that every contender makes.
pub(crate) const TABLE: &str = "messages";
/// Most bytes of one read, as a guest has it.
const READ_BYTES_MAX: u64 = 1 << 20;

/// An input for both kinds of parser.
pub(crate) struct Input {
    source: Arc<Source>,
    /// Why a native read failed: the parser is not told.
    failed: OnceLock<io::Error>,
}

impl Input {
    pub(crate) fn new(source: Arc<Source>) -> Input {
        Input { source, failed: OnceLock::new() }
    }
}

impl Blob for Input {
    fn name(&self) -> &str {
        self.source.base_name()
    }

    fn len(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.source.read_at(offset, bytes)
    }
}

impl NativeBlob for Input {
    fn name(&self) -> String {
        self.source.base_name().to_owned()
    }

    fn len(&self) -> u64 {
        self.source.size()
    }

    fn read(&self, offset: u64, len: u32, into: &mut Vec<u8>) {
        let bytes = self.source.size().saturating_sub(offset).min(u64::from(len)).min(READ_BYTES_MAX);
        let held = into.len();
        into.resize(held + bytes as usize, 0);
        match self.source.read_at(offset, &mut into[held..]) {
            Ok(read) => into.truncate(held + read),
            Err(error) => {
                into.truncate(held);
                // The first one counts; the parser meets an early end and stops.
                let _ = self.failed.set(error);
            }
        }
    }
}

/// Plans and parses a whole input natively; what the parser says goes to `ear`.
pub(crate) fn parse(input: &Input, wanted: &[TableName], ear: Ear) -> Outcome {
    parse_by(&Fix, input, wanted, ear)
}

/// The same with a parser of one's choice.
pub(crate) fn parse_by(parser: &dyn Parser, input: &Input, wanted: &[TableName], ear: Ear) -> Outcome {
    let described = parser.describe();
    let options = Options::new(&described, Vec::new());
    let bytes = NativeBlob::len(input);
    let host = NativeHost::new(&describe(&described)?, wanted, bytes, ear);
    host.begin(Span { offset: 0, length: bytes });
    let layout = session::plan(parser, &host, input, &options, u64::MAX);
    let layout = host.end().and_then(|()| Ok(layout?))?;
    for range in layout.ranges {
        host.begin(Span { offset: range.offset, length: range.length });
        let parsed = session::parse(parser, &host, input, range, &layout.context, &options);
        host.end().and_then(|()| Ok(parsed?))?;
    }
    match input.failed.get() {
        Some(error) => Err(error.to_string().into()),
        None => Ok(()),
    }
}

/// Returns the tables that are measured.
pub(crate) fn tables() -> Outcome<Vec<TableName>> {
    Ok(vec![TableName::new(TABLE).ok_or_else(|| format!("`{TABLE}` is no table name"))?])
}

/// Says what the parser is in the host's words, as far as a run looks at it.
pub(crate) fn describe(described: &casparian_sdk::Description) -> Outcome<Description> {
    let text = |text: &str| GuestText::new(text, 128);
    let table = |it: &casparian_sdk::describe::TableInfo| {
        let name = TableName::new(&it.name).ok_or_else(|| format!("`{}` is no table name", it.name))?;
        Ok(TableInfo { name, doc: text(&it.doc), default_on: it.default_on, schema: None })
    };
    let fault = |(code, doc): &(&str, &str)| FaultInfo { code: (*code).to_owned(), doc: text(doc) };
    Ok(Description {
        name: text(&described.name),
        version: text(&described.version),
        doc: text(&described.doc),
        tables: described.tables.iter().map(table).collect::<Outcome<_>>()?,
        faults: described.faults.iter().map(fault).collect(),
        options: Vec::new(),
        patterns: Vec::new(),
    })
}

/// The host's functions without a boundary in between: what `world.rs` of the sandbox does, by the same intake.
struct NativeHost<'a> {
    talk: RefCell<Talk>,
    wanted: &'a [TableName],
    batch_bytes: u32,
}

struct Talk {
    intake: Intake,
    ear: Ear,
    /// The first refusal. It is final.
    refused: Option<Refusal>,
}

impl<'a> NativeHost<'a> {
    fn new(description: &Description, wanted: &'a [TableName], input_bytes: u64, ear: Ear) -> NativeHost<'a> {
        let limits = Limits::default();
        let intake = Intake::new(description, &limits, input_bytes);
        let batch_bytes = u32::try_from(limits.batch_bytes_wanted).unwrap_or(u32::MAX);
        NativeHost { talk: RefCell::new(Talk { intake, ear, refused: None }), wanted, batch_bytes }
    }

    fn begin(&self, range: Span) {
        self.talk.borrow_mut().intake.begin(range);
    }

    fn end(&self) -> Outcome {
        let mut talk = self.talk.borrow_mut();
        match talk.refused.take() {
            Some(refusal) => Err(refusal.into()),
            None => {
                for said in talk.intake.end()? {
                    talk.tell(said)?;
                }
                Ok(())
            }
        }
    }

    fn say(&self, take: impl FnOnce(&mut Intake) -> Result<Said, Refusal>) -> Result<(), Fault> {
        self.say_if_any(|intake| take(intake).map(Some))
    }

    fn say_if_any(
        &self,
        take: impl FnOnce(&mut Intake) -> Result<Option<Said>, Refusal>,
    ) -> Result<(), Fault> {
        let talk = &mut *self.talk.borrow_mut();
        match take(&mut talk.intake) {
            Ok(said) => said.map_or(Ok(()), |said| talk.tell(said)),
            Err(refusal) => Err(talk.refuse(refusal)),
        }
    }
}

impl Talk {
    fn tell(&mut self, said: Said) -> Result<(), Fault> {
        (self.ear)(said).map_err(|Hangup| Fault::new("hangup", "the host stopped listening"))
    }

    fn refuse(&mut self, refusal: Refusal) -> Fault {
        let fault = Fault::new(refusal.code(), refusal.to_string());
        self.refused.get_or_insert(refusal);
        fault
    }
}

impl Host for NativeHost<'_> {
    fn attachment(&self, _: &str) -> Option<Box<dyn NativeBlob>> {
        None
    }

    fn open(&self, table: &str, schema: &[u8]) -> Result<u32, Fault> {
        let talk = &mut *self.talk.borrow_mut();
        match talk.intake.open(table, schema) {
            Ok((table, said)) => {
                said.map_or(Ok(()), |said| talk.tell(said))?;
                Ok(table.0 as u32)
            }
            Err(refusal) => Err(talk.refuse(refusal)),
        }
    }

    fn emit(&self, table: u32, batch: &[u8]) -> Result<(), Fault> {
        self.say(|intake| intake.emit(TableId(table as usize), batch))
    }

    fn reject(&self, records: &[Rejection]) -> Result<(), Fault> {
        let taken = |it: &Rejection| intake::Rejection {
            at: span(it.at),
            fault: it.fault,
            message: GuestText::new(&it.message, NOTE_BYTES_MAX),
        };
        self.say(|intake| intake.reject(records.iter().map(taken).collect()))
    }

    fn skip(&self, at: casparian_sdk::Span, kind: SkipKind, _: &str) -> Result<(), Fault> {
        self.say(|intake| intake.skip(span(at), skip_kind(kind)))
    }

    fn commit(&self, up_to: u64) -> Result<(), Fault> {
        self.say_if_any(|intake| intake.commit(up_to))
    }

    fn wanted(&self, table: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted.as_str() == table)
    }

    fn batch_bytes(&self) -> u32 {
        self.batch_bytes
    }

    fn log_enabled(&self, level: Level) -> bool {
        level >= Level::Warn
    }

    /// A run keeps its log; here nobody reads it.
    fn log(&self, _: Level, _: &str, _: Option<casparian_sdk::Span>) {}
}

fn span(at: casparian_sdk::Span) -> Span {
    Span { offset: at.offset, length: at.length }
}

fn skip_kind(kind: SkipKind) -> intake::SkipKind {
    match kind {
        SkipKind::Blank => intake::SkipKind::Blank,
        SkipKind::Comment => intake::SkipKind::Comment,
        SkipKind::Preamble => intake::SkipKind::Preamble,
        SkipKind::Header => intake::SkipKind::Header,
        SkipKind::Footer => intake::SkipKind::Footer,
        SkipKind::Separator => intake::SkipKind::Separator,
        SkipKind::Padding => intake::SkipKind::Padding,
        SkipKind::Other => intake::SkipKind::Other,
    }
}
