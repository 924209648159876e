//! Many inputs of one parser, one after another. Code, program and contract are there once; the guest is a fresh one for each
//! input, so nothing of one input is there for the next. The rows of what ended well join the parts of a dataset.

use std::io;
use std::sync::{Arc, Mutex};

use casparian_core::fault::FaultReport;
use casparian_core::guest_text::GuestText;
use casparian_core::id::{Digest, TableName};

use super::{Bench, Failed, ask_for_file, broken, failed, internal, run, too_much_said};
use crate::link::{Link, LinkFault, Received, pack};
use crate::orders::{Done, FileFor, Kept, News, Next, Order};
use crate::quarantine::{Circumstances, Quarantine};
use crate::sinks::parts::{PartTables, Parts, Shared, lock};
use crate::sinks::{Encoders, Format, Tables};
use crate::source::Source;

/// The longest name and type of a column that is told.
const WORD_BYTES_MAX: usize = 256;

/// Does what it is told until nobody tells it anything more.
pub(super) fn serve(link: &Link, order: &Order, bench: &Bench) -> Result<News, Failed> {
    let parts = open_parts(link, order.format, bench.encoders.clone())?;
    tell(link, &News::Rests)?;
    loop {
        let (next, mut fds) = match link.receive::<Next>().map_err(|fault| broken(&fault))? {
            Received::Message(next, fds) => (next, fds.into_iter()),
            Received::Closed | Received::Nothing => return Ok(News::Rests),
        };
        match next {
            Next::Expect(columns) => lock(&parts).expect(columns),
            Next::Rest => {
                lock(&parts).close().map_err(failed)?;
                tell(link, &News::Rests)?;
            }
            Next::Input { name, sha256, wish } => {
                let input = fds.next().ok_or_else(|| internal("a descriptor is missing".to_owned()))?;
                let order = Order { input_name: name, input_sha256: Some(sha256), wish, ..order.clone() };
                let done = run(link, &order, bench, input.into(), Some(&parts));
                settle(link, &parts, done)?;
            }
        }
    }
}

/// Opens what the rows and bad rows of one input go to.
pub(super) fn ports(
    parts: &Shared,
    order: &Order,
    circumstances: Circumstances,
    source: Source,
    files: usize,
) -> (Tables, Quarantine) {
    if let Some(rows_max) = order.preview_rows {
        return (Tables::previews(rows_max), Quarantine::Nowhere);
    }
    lock(parts).begin(circumstances.provenance.clone(), files);
    let tables = PartTables::new(Arc::clone(parts), source.name().to_owned());
    (Tables::Parts(tables), Quarantine::parts(Arc::clone(parts), Arc::new(source), circumstances))
}

fn open_parts(link: &Link, format: Format, encoders: Encoders) -> Result<Shared, FaultReport> {
    let share = || link.share().map_err(|e| internal(format!("the rows' way out: {e}")));
    let (files, ends) = (share()?, share()?);
    let provide = Box::new(move |what: &FileFor| ask_for_file(&files, what.clone()));
    let ended = Box::new(move || ends.send(&News::PartEnded(Kept::All), &[]).map_err(io::Error::other));
    Ok(Arc::new(Mutex::new(Parts::new(format, encoders, provide, ended))))
}

/// Has the rows of an input join the rest, or drops them, and tells what became of it. What cannot be told must not join.
fn settle(link: &Link, parts: &Shared, done: Result<Done, Failed>) -> Result<(), FaultReport> {
    let joined = done.and_then(|done| {
        let tally = done.tally.clone();
        let news = pack(&News::Done(Box::new(done))).map_err(|fault| too_much_said(&fault))?;
        let mut parts = lock(parts);
        let kept = if parts.has_input() { parts.join(&tally).map_err(failed)? } else { None };
        Ok((news, kept))
    });
    for (table, schema, sha256) in lock(parts).take_new() {
        tell_columns(link, table, &schema, sha256)?;
    }
    let kept = match joined {
        Ok((news, kept)) => {
            link.send_packed(&news).map_err(|fault| broken(&fault))?;
            kept
        }
        Err(Failed { fault, used }) => {
            let kept = lock(parts).drop_input();
            tell(link, &News::Failed { fault, used })?;
            kept
        }
    };
    kept.map_or(Ok(()), |kept| tell(link, &News::PartEnded(kept)))
}

fn tell(link: &Link, news: &News) -> Result<(), FaultReport> {
    link.send(news, &[]).map_err(|fault| broken(&fault))
}

fn tell_columns(
    link: &Link,
    table: TableName,
    schema: &arrow_schema::Schema,
    sha256: Digest,
) -> Result<(), FaultReport> {
    let word = |text: &str| GuestText::new(text, WORD_BYTES_MAX);
    let columns = schema.fields().iter().map(|field| {
        let null = if field.is_nullable() { "" } else { ", never null" };
        (word(field.name()), word(&format!("{}{null}", field.data_type())).to_string())
    });
    let news = News::Columns { table: table.clone(), sha256, columns: columns.collect() };
    match link.send(&news, &[]) {
        Err(LinkFault::TooLarge { .. }) => tell(link, &News::Columns { table, sha256, columns: Vec::new() }),
        told => told.map_err(|fault| broken(&fault)),
    }
}
