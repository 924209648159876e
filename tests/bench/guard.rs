//! The wire guard, by the row: what it costs not to trust a guest's batches.

use std::cell::RefCell;
use std::sync::Arc;

use casparian_core::limits::{Budget, Limits};
use casparian_core::wire::{self, TableSchema};
use casparian_host::source::Source;
use casparian_sdk::host::{Blob, Host, Level, Rejection};
use casparian_sdk::{Fault, Options, Parser as _, SkipKind, Span, session};
use fix::Fix;

use crate::Outcome;
use crate::clock::Spent;
use crate::contest::{Contender, Series, contest};
use crate::input::Log;
use crate::native::{self, Input};
use crate::order::Order;
use crate::report::Section;
use crate::site::Site;

const LOG: Log = Log::clean(10);
/// Each turn goes over all messages as often, so that a turn is long enough for the clock.
const PASSES: usize = 20;

const ABOUT: &str = "The batches that the FIX parser makes of 10 MB, table `messages`, kept and read again: guarded alone, and \
guarded and decoded (one copy). Checksums of nothing, no judging.";

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    let Scribe { schema, messages } = record(site)?;
    let (schema, messages) = (schema.into_inner(), messages.into_inner());
    let schema = wire::schema(&schema)?;
    let mut rows = 0;
    for message in &messages {
        rows += wire::decode(&schema, message, &mut budget())?.num_rows();
    }
    let contenders = vec![
        Contender::new("guard", |_| pass(&messages, |message| read(&schema, message, false))),
        Contender::new("guard and decode", |_| pass(&messages, |message| read(&schema, message, true))),
    ];
    let series = contest(contenders, order.rounds)?;
    let bytes: usize = messages.iter().map(Vec::len).sum();
    let row = |it: &Series| {
        let seconds = it.cpu() / PASSES as f64;
        vec![
            it.name.to_owned(),
            format!("{:.2}", seconds * 1e9 / rows as f64),
            format!("{:.1}", seconds * 1e6 / messages.len() as f64),
            format!("{:.2}", bytes as f64 / seconds / 1e9),
        ]
    };
    let about = format!("{ABOUT} {rows} rows in {} batches of {bytes} bytes.", messages.len());
    Ok(Section {
        title: "The wire guard".to_owned(),
        about,
        columns: vec!["what", "ns per row", "µs per batch", "GB per CPU s"],
        rows: series.iter().map(row).collect(),
        targets: Vec::new(),
    })
}

fn pass(messages: &[Vec<u8>], read: impl Fn(&[u8]) -> Outcome) -> Outcome<Spent> {
    let (read, spent) = Spent::on_thread(|| {
        (0..PASSES).try_for_each(|_| messages.iter().try_for_each(|message| read(message)))
    });
    read.map(|()| spent)
}

fn read(schema: &TableSchema, message: &[u8], decode: bool) -> Outcome {
    let checked = wire::guard(schema, message, &mut budget())?;
    if decode {
        std::hint::black_box(checked.read()?);
    }
    Ok(())
}

fn budget() -> Budget {
    Budget::new(&Limits::default(), LOG.megabytes * 1_000_000)
}

/// Writes down what a parser hands over.
#[derive(Default)]
struct Scribe {
    schema: RefCell<Vec<u8>>,
    messages: RefCell<Vec<Vec<u8>>>,
}

fn record(site: &Site) -> Outcome<Scribe> {
    let input = Input::new(Arc::new(Source::open(&LOG.path(site)?)?));
    let (options, scribe) = (Options::new(&Fix.describe(), Vec::new()), Scribe::default());
    let layout = session::plan(&Fix, &scribe, &input, &options, u64::MAX)?;
    for range in layout.ranges {
        session::parse(&Fix, &scribe, &input, range, &layout.context, &options)?;
    }
    Ok(scribe)
}

impl Host for Scribe {
    fn attachment(&self, _: &str) -> Option<Box<dyn Blob>> {
        None
    }

    fn open(&self, _: &str, schema: &[u8]) -> Result<u32, Fault> {
        *self.schema.borrow_mut() = schema.to_vec();
        Ok(0)
    }

    fn emit(&self, _: u32, batch: &[u8]) -> Result<(), Fault> {
        self.messages.borrow_mut().push(batch.to_vec());
        Ok(())
    }

    fn reject(&self, _: &[Rejection]) -> Result<(), Fault> {
        Ok(())
    }

    fn skip(&self, _: Span, _: SkipKind, _: &str) -> Result<(), Fault> {
        Ok(())
    }

    fn commit(&self, _: u64) -> Result<(), Fault> {
        Ok(())
    }

    fn wanted(&self, table: &str) -> bool {
        table == native::TABLE
    }

    fn batch_bytes(&self) -> u32 {
        u32::try_from(Limits::default().batch_bytes_wanted).unwrap_or(u32::MAX)
    }

    fn log_enabled(&self, _: Level) -> bool {
        false
    }

    fn log(&self, _: Level, _: &str, _: Option<Span>) {}
}
