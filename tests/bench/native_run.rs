//! A whole run in one process and without a sandbox: hashing, parsing, judging, encoding, publishing by the code that a
//! worker and its supervisor use, joined by the same channel.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

use casparian_core::flow::Flow;
use casparian_core::id::{Digest, TableName};
use casparian_host::input_digest::InputDigest;
use casparian_host::quarantine::{self, Circumstances, Quarantine};
use casparian_host::sinks::{Encoders, Format, Provenance, Tables};
use casparian_host::source::Source;
use casparian_host::staging::{Extent, QUARANTINE_FILE, Staging};
use casparian_sandbox::Hangup;
use casparian_sdk::Parser as _;
use fix::Fix;

use crate::Outcome;
use crate::native::{self, Input};

/// As many as between a worker's threads.
const CHANNEL_BATCHES: usize = 2;

/// Parses `input` into the new folder `out`.
pub(crate) fn run(input: &Path, out: &Path) -> Outcome {
    let source = Arc::new(Source::open(input)?);
    let staging = Arc::new(Staging::create(out, Extent::Folder, false)?);
    let input_sha256 = hash_beside(&source);
    let wanted = native::tables()?;
    let flow = flow(&source, &staging, input_sha256, wanted.clone())?;
    let flow = join(flow, &source, &wanted)?;
    let (sinks, hold, tally, _) = flow.finish(source.size());
    sinks.finish(&tally)?;
    hold.finish()?;
    source.check_unchanged()?;
    Arc::into_inner(staging).ok_or("a sink still holds the staging folder")?.publish()?;
    Ok(())
}

/// Begins to take the digest of the input, as a supervisor does beside its worker.
fn hash_beside(source: &Arc<Source>) -> InputDigest {
    let source = Arc::clone(source);
    let (tell, told) = sync_channel(1);
    thread::spawn(move || tell.send(source.hash(&AtomicBool::new(false))));
    let told = Mutex::new(told);
    InputDigest::asked(move || {
        let told = told.lock().map_err(|_| io::Error::other("who asked before panicked"))?;
        Ok(told.recv().map_err(io::Error::other)??)
    })
}

fn flow(
    source: &Arc<Source>,
    staging: &Arc<Staging>,
    input_sha256: InputDigest,
    wanted: Vec<TableName>,
) -> Outcome<Flow<Tables, Quarantine>> {
    let description = native::describe(&Fix.describe())?;
    let provenance = Provenance {
        parser_name: description.name,
        parser_version: description.version,
        parser_sha256: Digest::of(b"native"),
        input_sha256: Some(input_sha256.clone()),
        packed: None,
        contract: None,
    };
    let options_hash = quarantine::options_hash(&[]);
    let circumstances = Circumstances { provenance: provenance.clone(), input_sha256, options_hash };
    let (for_tables, for_hold) = (Arc::clone(staging), Arc::clone(staging));
    let table = Box::new(move |table: &TableName| {
        for_tables.create_file(&format!("{table}.parquet")).map_err(io::Error::other)
    });
    let held = Box::new(move || for_hold.create_file(QUARANTINE_FILE).map_err(io::Error::other));
    let encoders = Encoders::beside(thread::available_parallelism()?.get());
    let sinks = Tables::files(table, Format::Parquet, provenance, wanted.len(), &encoders);
    let hold = Quarantine::file(held, Arc::clone(source), circumstances, &encoders);
    let codes = description.faults.into_iter().map(|fault| fault.code).collect();
    Ok(Flow::new(sinks, hold, wanted, codes))
}

/// Parses on one thread and judges on this one.
fn join(
    mut flow: Flow<Tables, Quarantine>,
    source: &Arc<Source>,
    wanted: &[TableName],
) -> Outcome<Flow<Tables, Quarantine>> {
    let (said, heard) = sync_channel(CHANNEL_BATCHES);
    let ear = Box::new(move |word| said.send(word).map_err(|_| Hangup));
    let input = Input::new(Arc::clone(source));
    thread::scope(|scope| {
        let parser = scope.spawn(move || native::parse(&input, wanted, ear));
        let judged = heard.into_iter().try_for_each(|word| flow.hear(word));
        let parsed = parser.join().map_err(|_| "the parser's thread panicked")?;
        // What was said before the parser's end counts first.
        judged?;
        parsed
    })?;
    Ok(flow)
}
