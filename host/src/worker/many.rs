//! Many inputs of one parser, one after another. Code, program and contract are there once; the guest is a fresh one for each
//! input, so nothing of one input is there for the next. The rows of what ended well join the parts of a dataset.

use std::io;
use std::sync::{Arc, Mutex};

use casparian_core::fault::FaultReport;
use casparian_core::id::TableName;

use super::{Bench, Failed, ask_for_file, broken, failed, internal, run, too_much_said};
use crate::columns::{self, Column};
use crate::link::{Link, Received, pack};
use crate::orders::{Answer, Done, FileFor, Kept, News, Next, Order};
use crate::quarantine::{Circumstances, Quarantine};
use crate::sinks::parts::{PartTables, Parts, Shared, lock};
use crate::sinks::{Encoders, Tables};
use crate::source::Source;

/// Does what it is told until nobody tells it anything more.
pub(super) fn serve(link: &Link, order: &Order, bench: &Bench) -> Result<News, Failed> {
    let parts = open_parts(link, order, bench.encoders.clone())?;
    tell(link, &News::Rests)?;
    loop {
        let (next, mut fds) = match link.receive::<Next>().map_err(|fault| broken(&fault))? {
            Received::Message(next, fds) => (next, fds.into_iter()),
            Received::Closed | Received::Nothing => return Ok(News::Rests),
        };
        match next {
            Next::Begin => lock(&parts).forget(),
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

fn open_parts(link: &Link, order: &Order, encoders: Encoders) -> Result<Shared, FaultReport> {
    let share = || link.share().map_err(|e| internal(format!("the rows' way out: {e}")));
    let (files, ends, columns) = (share()?, share()?, share()?);
    let provide = Box::new(move |what: &FileFor| ask_for_file(&files, what.clone()));
    let ended = Box::new(move || ends.send(&News::PartEnded(Kept::All), &[]).map_err(io::Error::other));
    let ask = Box::new(move |table: &TableName, found: &[Column]| ask_about(&columns, table, found));
    let how = (order.format, order.schema);
    Ok(Arc::new(Mutex::new(Parts::new(how, encoders, provide, ended, ask))))
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
    let kept = match joined {
        Ok((news, kept)) => {
            link.send_packed(&news).map_err(|fault| broken(&fault))?;
            kept
        }
        Err(failed) => {
            let kept = lock(parts).drop_input();
            tell(link, &failed.news())?;
            kept
        }
    };
    kept.map_or(Ok(()), |kept| tell(link, &News::PartEnded(kept)))
}

fn tell(link: &Link, news: &News) -> Result<(), FaultReport> {
    link.send(news, &[]).map_err(|fault| broken(&fault))
}

/// Asks whether an input with these columns fits into the dataset. Only the judge's thread asks, so the next message is the answer.
fn ask_about(link: &Link, table: &TableName, columns: &[Column]) -> io::Result<Option<String>> {
    for (columns, is_last) in columns::pieces(columns) {
        let news = News::Columns { table: table.clone(), columns, is_last };
        link.send(&news, &[]).map_err(io::Error::other)?;
    }
    match link.receive::<Answer>().map_err(io::Error::other)? {
        Received::Message(Answer { error }, _) => Ok(error),
        Received::Closed | Received::Nothing => Err(io::Error::other("the supervisor is gone")),
    }
}
