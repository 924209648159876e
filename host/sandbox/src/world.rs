//! The closed world: everything that a guest can see, as one list.
//!
//! Each host function pays fuel for its work, keeps the rules by asking the intake, and tells the ear what passed. The
//! arguments are read in the guest's own memory: nothing of a size that the guest chose is allocated.

use std::sync::Arc;

use casparian_core::fault::Span;
use casparian_core::guest_text::GuestText;
use casparian_core::intake::{NOTE_BYTES_MAX, Refusal, Rejection, Said, SkipKind};
use casparian_core::limits::LimitExceeded;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, WasmList, WasmStr};
use wasmtime::{StoreContextMut, Trap};

use crate::bindings::casparian::parser::types;
use crate::fault::SessionFault;
use crate::handles::{BlobHandle, TableHandle};
use crate::journal::Level;
use crate::precheck::{PACKAGE, PACKAGE_VERSION};
use crate::state::{Grants, Hangup, State, Talk};

/// Most bytes of one `read`.
const READ_BYTES_MAX: u64 = 1024 * 1024;
/// What any host call costs, in fuel.
const FUEL_PER_CALL: u64 = 200;
/// What a byte costs that is copied, guarded or decoded. A guest spends dozens to make one.
const FUEL_PER_BYTE: u64 = 1;
/// What opening a table costs: its fields may take a hundred times the bytes of their message.
const FUEL_PER_OPEN: u64 = 50_000;
/// What a rejection costs.
const FUEL_PER_REJECTION: u64 = 100;
/// How many bytes that a commit leaves waiting cost one unit: the next commit looks at them again.
const WAITING_BYTES_PER_FUEL: u64 = 16;

pub(crate) type Store<'a> = StoreContextMut<'a, State>;
type Answer<T> = Result<T, types::Fault>;

/// Links the world. What is not here does not exist for a guest.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let name = |interface: &str| format!("{PACKAGE}/{interface}@{PACKAGE_VERSION}");

    let mut input = linker.instance(&name("input"))?;
    input.resource("blob", ResourceType::host::<BlobHandle>(), drop_handle::<BlobHandle>)?;
    input.func_wrap("[method]blob.name", blob_name)?;
    input.func_wrap("[method]blob.len", blob_len)?;
    input.func_wrap("[method]blob.read", blob_read)?;
    input.func_wrap("attachment", attachment)?;

    let mut output = linker.instance(&name("output"))?;
    output.resource("table", ResourceType::host::<TableHandle>(), drop_handle::<TableHandle>)?;
    output.func_wrap("[static]table.open", table_open)?;
    output.func_wrap("[method]table.emit", table_emit)?;
    output.func_wrap("reject", reject)?;
    output.func_wrap("skip", skip)?;
    output.func_wrap("commit", commit)?;
    output.func_wrap("wanted", wanted)?;
    output.func_wrap("batch-bytes", batch_bytes)?;

    link_log(&mut linker.instance(&name("log"))?)?;
    link_program(&mut linker.instance(&name("program"))?)?;
    crate::wasi::link(linker)
}

fn link_log(log: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    log.func_wrap("enabled", |mut store: Store<'_>, (level,): (types::Level,)| {
        pay(&mut store, 0)?;
        Ok((store.data().journal.keeps(level_of(level)),))
    })?;
    log.func_wrap(
        "log",
        |mut store: Store<'_>, (level, message, at): (types::Level, WasmStr, Option<types::Span>)| {
            let line_bytes_max = store.data().limits.log_line_bytes_max;
            pay(&mut store, line_bytes_max)?;
            let text = message.to_str(&store)?;
            store.data().journal.write(level_of(level), &text, at.map(span_of));
            // All of it was looked at, however little of it is kept.
            let more = (text.len() as u64).saturating_sub(line_bytes_max);
            drop(text);
            pay_more(&mut store, more)
        },
    )
}

/// Links what a language runtime becomes a parser by. Who was handed none has none: the check before compiling lets nobody else
/// import this.
fn link_program(program: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    program.func_wrap("files", |mut store: Store<'_>, (): ()| {
        let program = store.data().program.clone().unwrap_or_default();
        pay(&mut store, program.bytes())?;
        Ok((program.files.clone(),))
    })?;
    program.func_wrap("entry", |mut store: Store<'_>, (): ()| {
        pay(&mut store, 0)?;
        Ok((store.data().program.clone().unwrap_or_default().entry.clone(),))
    })
}

// input

fn blob_name(mut store: Store<'_>, (blob,): (Resource<BlobHandle>,)) -> wasmtime::Result<(String,)> {
    pay(&mut store, 0)?;
    Ok((store.data().handles.get(&blob)?.blob.name().to_owned(),))
}

fn blob_len(mut store: Store<'_>, (blob,): (Resource<BlobHandle>,)) -> wasmtime::Result<(u64,)> {
    pay(&mut store, 0)?;
    Ok((store.data().handles.get(&blob)?.blob.len(),))
}

fn blob_read(
    mut store: Store<'_>,
    (blob, offset, len): (Resource<BlobHandle>, u64, u32),
) -> wasmtime::Result<(Vec<u8>,)> {
    let BlobHandle { blob, is_input } = store.data().handles.get(&blob)?;
    let (blob, is_input) = (Arc::clone(blob), *is_input);
    let bytes = blob.len().saturating_sub(offset).min(u64::from(len)).min(READ_BYTES_MAX);
    pay(&mut store, bytes)?;
    if bytes == 0 {
        return Ok((Vec::new(),));
    }
    if is_input {
        note_read(&mut store, offset, bytes)?;
    }
    let mut buffer = vec![0; usize::try_from(bytes)?];
    let got = blob.read_at(offset, &mut buffer).map_err(|e| SessionFault::input(offset, e))?;
    if got == 0 {
        return Err(SessionFault::InputShrank { offset, bytes: blob.len() }.into());
    }
    buffer.truncate(got);
    Ok((buffer,))
}

fn attachment(
    mut store: Store<'_>,
    (name,): (WasmStr,),
) -> wasmtime::Result<(Option<Resource<BlobHandle>>,)> {
    let name = read_name(&mut store, name)?;
    let found = store.data().attachments.get(&name).map(Arc::clone);
    let Some(blob) = found else { return Ok((None,)) };
    Ok((Some(hand_out(&mut store, BlobHandle { blob, is_input: false })?),))
}

// output

fn table_open(
    mut store: Store<'_>,
    (name, schema): (WasmStr, WasmList<u8>),
) -> wasmtime::Result<(Answer<Resource<TableHandle>>,)> {
    pay(&mut store, FUEL_PER_OPEN.saturating_add(schema.len() as u64))?;
    let name = read_name(&mut store, name)?;
    // A copy, since the guest's memory cannot be read while the state is written. The schema is bounded by the call's bound.
    let schema = schema.as_le_slice(&store).to_vec();
    let opened = talk(&mut store, "output.table.open")?.intake.open(&name, &schema);
    match opened {
        Ok((table, said)) => {
            if let Some(said) = said {
                tell(&mut store, said)?;
            }
            Ok((Ok(hand_out(&mut store, TableHandle(table))?),))
        }
        Err(refusal) => Ok((Err(refuse(&mut store, refusal)),)),
    }
}

fn table_emit(
    mut store: Store<'_>,
    (table, batch): (Resource<TableHandle>, WasmList<u8>),
) -> wasmtime::Result<(Answer<()>,)> {
    let table = store.data().handles.get(&table)?.0;
    pay(&mut store, batch.len() as u64)?;
    let mut talk = take_talk(&mut store, "output.table.emit")?;
    // The guest does not run while we are here, so its memory holds still: guarded in place, then copied once.
    let taken = talk.intake.emit(table, batch.as_le_slice(&store));
    store.data_mut().talk = Some(talk);
    match taken {
        // A malformed batch is not a thing to be polite about.
        Err(refusal @ Refusal::Batch { .. }) => Err(SessionFault::Refused(refusal).into()),
        taken => answer(&mut store, taken),
    }
}

fn reject(
    mut store: Store<'_>,
    (records,): (WasmList<types::Rejection>,),
) -> wasmtime::Result<(Answer<()>,)> {
    let mut taken = Vec::with_capacity(records.len().min(1024));
    pay(&mut store, (records.len() as u64).saturating_mul(FUEL_PER_REJECTION))?;
    let mut text_bytes = 0_u64;
    for record in records.iter(&mut store)? {
        let record = record?;
        text_bytes = text_bytes.saturating_add(record.message.len() as u64);
        let message = GuestText::new(&record.message, NOTE_BYTES_MAX);
        taken.push(Rejection { at: span_of(record.at), fault: record.fault, message });
    }
    pay_more(&mut store, text_bytes)?;
    let taken = talk(&mut store, "output.reject")?.intake.reject(taken);
    answer(&mut store, taken)
}

fn skip(
    mut store: Store<'_>,
    (at, kind, note): (types::Span, types::SkipKind, WasmStr),
) -> wasmtime::Result<(Answer<()>,)> {
    pay(&mut store, 0)?;
    let note = read_name(&mut store, note)?;
    if !note.is_empty() {
        store.data().journal.write(Level::Debug, &note, Some(span_of(at)));
    }
    let taken = talk(&mut store, "output.skip")?.intake.skip(span_of(at), kind_of(kind));
    answer(&mut store, taken)
}

fn commit(mut store: Store<'_>, (up_to,): (u64,)) -> wasmtime::Result<(Answer<()>,)> {
    pay(&mut store, 0)?;
    let intake = &mut talk(&mut store, "output.commit")?.intake;
    let before = intake.watermark();
    let taken = intake.commit(up_to);
    let (watermark, waiting_bytes) = (intake.watermark(), intake.waiting_bytes());
    if taken.is_ok() && watermark > before {
        match store.data().tank.grants {
            Grants::Nothing => {}
            Grants::Commits => renew(&mut store)?,
            Grants::CommitsAndReads => {
                refuel(&mut store)?;
                skim(&mut store)?;
            }
        }
        store.data_mut().tank.read_bytes = 0;
    }
    pay_more(&mut store, waiting_bytes / WAITING_BYTES_PER_FUEL)?;
    match taken.transpose() {
        None => Ok((Ok(()),)),
        Some(taken) => answer(&mut store, taken),
    }
}

fn wanted(mut store: Store<'_>, (table,): (WasmStr,)) -> wasmtime::Result<(bool,)> {
    let table = read_name(&mut store, table)?;
    let talk = talk(&mut store, "output.wanted")?;
    Ok((talk.wanted.has(&table),))
}

fn batch_bytes(mut store: Store<'_>, (): ()) -> wasmtime::Result<(u32,)> {
    pay(&mut store, 0)?;
    let wanted = talk(&mut store, "output.batch-bytes")?.batch_bytes;
    Ok((u32::try_from(wanted).unwrap_or(u32::MAX),))
}

// what the functions above share

fn talk<'a>(store: &'a mut Store<'_>, call: &'static str) -> Result<&'a mut Talk, SessionFault> {
    store.data_mut().talk.as_mut().ok_or(SessionFault::Refused(Refusal::OutOfPhase { call }))
}

fn take_talk(store: &mut Store<'_>, call: &'static str) -> Result<Talk, SessionFault> {
    store.data_mut().talk.take().ok_or(SessionFault::Refused(Refusal::OutOfPhase { call }))
}

/// Passes on what was said, or answers with the refusal.
fn answer(store: &mut Store<'_>, taken: Result<Said, Refusal>) -> wasmtime::Result<(Answer<()>,)> {
    match taken {
        Ok(said) => {
            tell(store, said)?;
            Ok((Ok(()),))
        }
        Err(refusal) => Ok((Err(refuse(store, refusal)),)),
    }
}

fn tell(store: &mut Store<'_>, said: Said) -> Result<(), SessionFault> {
    let talk = talk(store, "output")?;
    // Nothing counts after a refusal: it is final.
    if talk.refused.is_some() {
        return Ok(());
    }
    (talk.ear)(said).map_err(|Hangup| SessionFault::Hangup)
}

fn refuse(store: &mut Store<'_>, refusal: Refusal) -> types::Fault {
    use casparian_core::fault::Blamed as _;
    let fault = types::Fault { code: refusal.code().to_owned(), message: refusal.to_string(), at: None };
    if let Some(talk) = store.data_mut().talk.as_mut() {
        talk.refused.get_or_insert(refusal);
    }
    fault
}

/// Reads a short text in the guest's memory, which is paid for by its length.
fn read_name(store: &mut Store<'_>, name: WasmStr) -> wasmtime::Result<String> {
    let name = name.to_str(&*store)?.into_owned();
    pay(store, name.len() as u64)?;
    Ok(name)
}

/// Charges a host call, so that work done for a guest is bounded like work done by it.
pub(crate) fn pay(store: &mut Store<'_>, bytes: u64) -> wasmtime::Result<()> {
    pay_more(store, FUEL_PER_CALL.saturating_add(bytes.saturating_mul(FUEL_PER_BYTE)))
}

/// Charges what turned out to be work only in the course of a host call.
fn pay_more(store: &mut Store<'_>, price: u64) -> wasmtime::Result<()> {
    let left = store.get_fuel()?;
    let Some(rest) = left.checked_sub(price) else {
        store.set_fuel(0)?;
        return Err(Trap::OutOfFuel.into());
    };
    store.set_fuel(rest)
}

/// Notes what of the input was read: a guest that reads on has work to do.
fn note_read(store: &mut Store<'_>, offset: u64, bytes: u64) -> wasmtime::Result<()> {
    let State { talk, tank, .. } = store.data_mut();
    let Some(talk) = talk else { return Ok(()) };
    talk.read_up_to = talk.read_up_to.max(offset.saturating_add(bytes));
    tank.read_bytes = tank.read_bytes.saturating_add(bytes);
    if tank.grants == Grants::CommitsAndReads { refuel(store) } else { Ok(()) }
}

/// Fills the tank at a commit: what records before it took is not missing for those behind it, and what they left is not theirs.
fn renew(store: &mut Store<'_>) -> wasmtime::Result<()> {
    let left = store.get_fuel()?;
    let State { tank, limits, .. } = store.data_mut();
    let fuel = limits.fuel_to_begin();
    tank.granted = tank.granted.saturating_sub(left).saturating_add(fuel);
    tank.filled = fuel;
    store.set_fuel(fuel)
}

/// Hands out the fuel that watermark and reading stand for.
fn refuel(store: &mut Store<'_>) -> wasmtime::Result<()> {
    let State { talk, tank, limits, .. } = store.data_mut();
    let Some(talk) = talk else { return Ok(()) };
    let before = tank.reach;
    tank.reach = limits.fuel_reach(talk.intake.watermark(), tank.read_bytes, talk.input_bytes).max(before);
    let more = limits.fuel_per_byte.saturating_mul(tank.reach - before);
    tank.granted = tank.granted.saturating_add(more);
    let left = store.get_fuel()?;
    store.set_fuel(left.saturating_add(more))
}

/// Takes away what is left over at a commit. What records before it saved is not a record's to burn.
fn skim(store: &mut Store<'_>) -> wasmtime::Result<()> {
    let left = store.get_fuel()?;
    let State { talk, tank, limits, .. } = store.data_mut();
    let Some(talk) = talk else { return Ok(()) };
    let kept = left.min(limits.fuel_for(tank.reach.saturating_sub(talk.intake.watermark())));
    tank.granted = tank.granted.saturating_sub(left - kept);
    store.set_fuel(kept)
}

fn hand_out<T: Send + 'static>(store: &mut Store<'_>, entry: T) -> wasmtime::Result<Resource<T>> {
    let limit = store.data().limits.handles_max;
    store.data_mut().handles.push(entry).map_err(|_full| {
        SessionFault::Limit(LimitExceeded { name: "open handles", limit, current: limit, wanted: 1 }).into()
    })
}

fn drop_handle<T: 'static>(mut store: Store<'_>, rep: u32) -> wasmtime::Result<()> {
    store.data_mut().handles.delete(Resource::<T>::new_own(rep))?;
    Ok(())
}

pub(crate) fn span_of(span: types::Span) -> Span {
    Span { offset: span.offset, length: span.length }
}

fn level_of(level: types::Level) -> Level {
    match level {
        types::Level::Trace => Level::Trace,
        types::Level::Debug => Level::Debug,
        types::Level::Info => Level::Info,
        types::Level::Warn => Level::Warn,
        types::Level::Error => Level::Error,
    }
}

fn kind_of(kind: types::SkipKind) -> SkipKind {
    match kind {
        types::SkipKind::Blank => SkipKind::Blank,
        types::SkipKind::Comment => SkipKind::Comment,
        types::SkipKind::Preamble => SkipKind::Preamble,
        types::SkipKind::Header => SkipKind::Header,
        types::SkipKind::Footer => SkipKind::Footer,
        types::SkipKind::Separator => SkipKind::Separator,
        types::SkipKind::Padding => SkipKind::Padding,
        types::SkipKind::Other => SkipKind::Other,
    }
}
