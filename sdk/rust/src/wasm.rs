//! The component side: the imports of `wit/world.wit` as a [`Host`], and its exports over any [`Parser`].

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Once;

use bindings::casparian::parser::{input, log, output, types};
use bindings::exports::casparian::parser::format;

use crate::Parser;
use crate::describe::{Description, OptionInfo, OptionKind, Options, TableInfo};
use crate::fault::{Fault, Span};
use crate::host::SkipKind;
use crate::host::{Blob, Host, Level, Rejection};
use crate::input::Input;

#[doc(hidden)]
pub use crate::bindings;

/// The exports of a component, by the parser they are made of.
#[doc(hidden)]
pub struct Guest<P>(PhantomData<P>);

impl<P: Parser + Default + 'static> format::Guest for Guest<P> {
    fn describe() -> types::Description {
        enter(&P::default()).describe().into()
    }

    fn sniff(input: &input::Blob) -> u8 {
        enter(&P::default()).sniff(&Input::new(input))
    }

    fn plan(
        input: &input::Blob,
        options: Vec<(String, String)>,
        target_bytes: u64,
    ) -> Result<types::Layout, types::Fault> {
        plan(enter(&P::default()), input, options, target_bytes)
    }

    fn parse(
        input: &input::Blob,
        range: types::Span,
        context: Vec<u8>,
        options: Vec<(String, String)>,
    ) -> Result<(), types::Fault> {
        parse(enter(&P::default()), input, range.into(), &context, options)
    }

    fn resync(input: &input::Blob, context: Vec<u8>, after: u64) -> Option<u64> {
        enter(&P::default()).resync(&Input::new(input), &context, after)
    }
}

/// Sees to it that a panic of the parser is heard: on this target its message is lost otherwise.
fn enter(parser: &dyn Parser) -> &dyn Parser {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log::log(types::Level::Error, &panic.to_string(), None)))
    });
    parser
}

#[inline(never)]
fn plan(
    parser: &dyn Parser,
    input: &input::Blob,
    options: Vec<(String, String)>,
    target_bytes: u64,
) -> Result<types::Layout, types::Fault> {
    let layout =
        crate::session::plan(parser, &Imports::default(), input, &joined(parser, options), target_bytes)?;
    let ranges = layout.ranges.iter().map(|range| types::Span { offset: range.offset, length: range.length });
    Ok(types::Layout { ranges: ranges.collect(), context: layout.context })
}

#[inline(never)]
fn parse(
    parser: &dyn Parser,
    input: &input::Blob,
    range: Span,
    context: &[u8],
    options: Vec<(String, String)>,
) -> Result<(), types::Fault> {
    Ok(crate::session::parse(parser, &Imports::default(), input, range, context, &joined(parser, options))?)
}

/// Joins what the operator set with what the parser declares.
#[inline(never)]
fn joined(parser: &dyn Parser, options: Vec<(String, String)>) -> Options {
    let mut description = parser.describe();
    Options::joined(std::mem::take(&mut description.options), options)
}

/// The imports of the component, and the tables it opened.
#[derive(Default)]
struct Imports {
    tables: RefCell<Vec<output::Table>>,
}

impl Host for Imports {
    fn attachment(&self, name: &str) -> Option<Box<dyn Blob>> {
        input::attachment(name).map(|blob| Box::new(blob) as Box<dyn Blob>)
    }

    fn open(&self, table: &str, schema: &[u8]) -> Result<u32, Fault> {
        let mut tables = self.tables.borrow_mut();
        tables.push(output::Table::open(table, schema)?);
        Ok(tables.len() as u32 - 1)
    }

    fn emit(&self, table: u32, batch: &[u8]) -> Result<(), Fault> {
        match self.tables.borrow().get(table as usize) {
            Some(table) => Ok(table.emit(batch)?),
            None => Err(Fault::new("table-closed", format!("table {table} is not open"))),
        }
    }

    fn reject(&self, records: &[Rejection]) -> Result<(), Fault> {
        let wire = |it: &Rejection| types::Rejection {
            at: it.at.into(),
            fault: it.fault,
            message: it.message.clone(),
        };
        Ok(output::reject(&records.iter().map(wire).collect::<Vec<_>>())?)
    }

    fn skip(&self, at: Span, kind: SkipKind, note: &str) -> Result<(), Fault> {
        Ok(output::skip(at.into(), kind.into(), note)?)
    }

    fn commit(&self, up_to: u64) -> Result<(), Fault> {
        Ok(output::commit(up_to)?)
    }

    fn wanted(&self, table: &str) -> bool {
        output::wanted(table)
    }

    fn batch_bytes(&self) -> u32 {
        output::batch_bytes()
    }

    fn log_enabled(&self, level: Level) -> bool {
        log::enabled(level.into())
    }

    fn log(&self, level: Level, message: &str, at: Option<Span>) {
        log::log(level.into(), message, at.map(Into::into));
    }
}

impl Blob for input::Blob {
    fn name(&self) -> String {
        input::Blob::name(self)
    }

    fn len(&self) -> u64 {
        input::Blob::len(self)
    }

    fn read(&self, offset: u64, len: u32, into: &mut Vec<u8>) {
        into.extend_from_slice(&input::Blob::read(self, offset, len));
    }
}

impl From<types::Span> for Span {
    fn from(span: types::Span) -> Span {
        Span::new(span.offset, span.length)
    }
}

impl From<Span> for types::Span {
    fn from(span: Span) -> types::Span {
        types::Span { offset: span.offset, length: span.length }
    }
}

impl From<types::Fault> for Fault {
    #[cold]
    fn from(fault: types::Fault) -> Fault {
        let made = Fault::new(fault.code, fault.message);
        match fault.at {
            Some(span) => made.at(span.into()),
            None => made,
        }
    }
}

impl From<Fault> for types::Fault {
    #[cold]
    fn from(fault: Fault) -> types::Fault {
        types::Fault {
            code: fault.code().into(),
            message: fault.message().into(),
            at: fault.span().map(Into::into),
        }
    }
}

impl From<Level> for types::Level {
    fn from(level: Level) -> types::Level {
        match level {
            Level::Trace => types::Level::Trace,
            Level::Debug => types::Level::Debug,
            Level::Info => types::Level::Info,
            Level::Warn => types::Level::Warn,
            Level::Error => types::Level::Error,
        }
    }
}

impl From<SkipKind> for types::SkipKind {
    fn from(kind: SkipKind) -> types::SkipKind {
        match kind {
            SkipKind::Blank => types::SkipKind::Blank,
            SkipKind::Comment => types::SkipKind::Comment,
            SkipKind::Preamble => types::SkipKind::Preamble,
            SkipKind::Header => types::SkipKind::Header,
            SkipKind::Footer => types::SkipKind::Footer,
            SkipKind::Separator => types::SkipKind::Separator,
            SkipKind::Padding => types::SkipKind::Padding,
            SkipKind::Other => types::SkipKind::Other,
        }
    }
}

impl From<Description> for types::Description {
    #[cold]
    fn from(it: Description) -> types::Description {
        types::Description {
            name: it.name,
            version: it.version,
            doc: it.doc,
            tables: it.tables.into_iter().map(Into::into).collect(),
            faults: it
                .faults
                .into_iter()
                .map(|(code, doc)| types::FaultInfo { code: code.into(), doc: doc.into() })
                .collect(),
            options: it.options.into_iter().map(Into::into).collect(),
            patterns: it.patterns,
            extra: it.extra,
        }
    }
}

impl From<TableInfo> for types::TableInfo {
    #[cold]
    fn from(it: TableInfo) -> types::TableInfo {
        let schema = it.schema.as_ref().map(crate::ipc::schema_message);
        types::TableInfo { name: it.name, doc: it.doc, schema, default_on: it.default_on }
    }
}

impl From<OptionInfo> for types::OptionInfo {
    #[cold]
    fn from(it: OptionInfo) -> types::OptionInfo {
        let kind = match it.kind {
            OptionKind::Text => types::OptionKind::Text,
            OptionKind::Integer => types::OptionKind::Integer,
            OptionKind::Number => types::OptionKind::Number,
            OptionKind::Flag => types::OptionKind::Flag,
            OptionKind::Choice => types::OptionKind::Choice,
        };
        types::OptionInfo { name: it.name, kind, choices: it.choices, default: it.default, doc: it.doc }
    }
}
