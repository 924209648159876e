//! One guest, one run. A session that trapped is gone: every call consumes it and gives it back only when it went well.

use std::collections::BTreeMap;
use std::sync::Arc;

use casparian_core::description::{self, Description, DescriptionFault};
use casparian_core::fault::Span;
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use casparian_core::intake::Intake;
use casparian_core::limits::{LimitExceeded, Limits};
use casparian_core::wanted::Wanted;
use thiserror::Error;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{AsContextMut as _, Engine, Store, Trap, WasmBacktrace};

use crate::bindings::Parser;
use crate::bindings::casparian::parser::types;
use crate::compile::Loaded;
use crate::fault::SessionFault;
use crate::handles::{Blob, BlobHandle};
use crate::journal::{Journal, Level, LogEar};
use crate::limiter::Limiter;
use crate::program::Program;
use crate::state::{Ear, Grants, Hangup, State, Talk, Tank};
use crate::wasi;
use crate::world::{self, span_of};

/// Most frames of a trap's backtrace that are kept.
const FRAMES_MAX: usize = 8;
/// Most bytes of a name, a version, a value of an option.
const WORD_BYTES_MAX: usize = description::WORD_BYTES_MAX;
/// Most ranges that a parser may cut one input into.
const RANGES_MAX: usize = 1_000_000;

/// What a session is opened with.
pub struct Setup {
    /// The bounds.
    pub limits: Limits,
    /// Reference data by name.
    pub attachments: BTreeMap<String, Arc<dyn Blob>>,
    /// What a language runtime becomes a parser by. None for a parser that is one without it.
    pub program: Option<Arc<Program>>,
    /// The least grave log lines that are kept.
    pub log_level: Level,
    /// Hears the log.
    pub log: LogEar,
}

/// What a session has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Fuel burnt, instantiation included.
    pub fuel: u64,
    /// The most linear memory that it had, in bytes.
    pub memory_peak_bytes: u64,
    /// What the log lines that were kept count for, in bytes.
    pub log_bytes: u64,
    /// Log lines dropped.
    pub log_lines_dropped: u64,
    /// The log's bound, where it was hit.
    pub log_overflow: Option<LimitExceeded>,
}

impl Usage {
    /// Returns what sessions over ranges of one input used together, of which each was bounded by itself. Memory is the most that any
    /// of them had: how many there were at a time says nothing about the parser.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            fuel: self.fuel.saturating_add(other.fuel),
            memory_peak_bytes: self.memory_peak_bytes.max(other.memory_peak_bytes),
            log_bytes: self.log_bytes.saturating_add(other.log_bytes),
            log_lines_dropped: self.log_lines_dropped.saturating_add(other.log_lines_dropped),
            log_overflow: self.log_overflow.or(other.log_overflow),
        }
    }
}

/// A session that ended badly, with what it had used.
#[derive(Debug, Error)]
#[error("{fault}")]
pub struct Ended {
    /// Why.
    #[source]
    pub fault: SessionFault,
    /// What it had used, and those before it over the same input.
    pub usage: Usage,
    /// What outlives it.
    pub estate: Box<Estate>,
}

/// What outlives an instance: what its host knows of the run, and nothing that was the guest's.
pub struct Estate {
    limits: Limits,
    attachments: BTreeMap<String, Arc<dyn Blob>>,
    program: Option<Arc<Program>>,
    journal: Journal,
    usage: Usage,
    pub(crate) talk: Option<Talk>,
}

impl std::fmt::Debug for Estate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Estate").field("usage", &self.usage).finish_non_exhaustive()
    }
}

impl Estate {
    /// Returns what instances have used so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Returns the bounds that the next instance has.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// How one input is cut, checked: the ranges are ascending, touch, and cover it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The ranges.
    pub ranges: Vec<Span>,
    /// What all of them need to know.
    pub context: Vec<u8>,
}

/// A running guest. Dropping it frees all that it had.
pub struct Session {
    store: Store<State>,
    guest: Parser,
    /// The input's handle, lent for each call, and its size. None before [`Session::attach`].
    input: Option<(u32, u64)>,
}

impl Loaded {
    /// Opens a fresh guest: nothing of an earlier one is left in it.
    pub fn open(&self, setup: Setup) -> Result<Session, Ended> {
        let Setup { limits, attachments, program, log_level, log } = setup;
        let journal = Journal::new(&limits, log_level, log);
        let estate = Estate { limits, attachments, program, journal, usage: Usage::default(), talk: None };
        self.instantiate(estate)
    }

    /// Opens a fresh guest that goes on with a run. It describes itself first: what a parser does before it does anything (of
    /// Python, loading the program) is not for the fuel of the record that is tried then.
    pub fn reopen(&self, estate: Estate, input: Arc<dyn Blob>) -> Result<Session, Ended> {
        estate.journal.turn_page();
        self.instantiate(estate)?.describe()?.0.hand_over(input)
    }

    fn instantiate(&self, estate: Estate) -> Result<Session, Ended> {
        let mut store = furnish(&self.engine, estate);
        let fuel = store.data().tank.granted;
        let opened = store.set_fuel(fuel).and_then(|()| self.guest.instantiate(&mut store));
        match opened {
            Ok(guest) => Ok(Session { store, guest, input: None }),
            Err(error) => Err(end(store, error, Phase::Begin)),
        }
    }
}

/// When a guest ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// While it was made.
    Begin,
    /// In a call.
    Call,
}

/// Makes a store in which every knob that bounds a guest is set. Those of the engine stand in its profile, that of WASI's
/// randomness in `wasi`.
fn furnish(engine: &Engine, estate: Estate) -> Store<State> {
    let Estate { limits, attachments, program, journal, usage, talk } = estate;
    let mut handles = ResourceTable::new();
    handles.set_max_capacity(usize::try_from(limits.handles_max).unwrap_or(usize::MAX));
    let state = State {
        handles,
        wasi: wasi::context(&limits, &journal),
        attachments,
        program,
        limiter: Limiter::new(&limits),
        journal,
        tank: Tank {
            granted: limits.fuel_for(0),
            filled: 0,
            grants: Grants::Nothing,
            reach: 0,
            read_bytes: 0,
        },
        before: usage,
        limits,
        talk,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    let hostcall_bytes = store.data().limits.hostcall_bytes_max;
    store.set_hostcall_fuel(usize::try_from(hostcall_bytes).unwrap_or(usize::MAX));
    store
}

impl Session {
    /// Asks the parser what it is.
    pub fn describe(mut self) -> Result<(Self, Description), Ended> {
        let described = self.guest.casparian_parser_format().call_describe(&mut self.store);
        let (session, raw) = self.settle(described)?;
        match describe(raw).and_then(|d| d.check().map(|()| d)) {
            Ok(description) => Ok((session, description)),
            Err(fault) => Err(session.end_with(fault.into())),
        }
    }

    /// Gives the guest its input and a way to speak of it. From here on it may burn what the input is worth.
    pub fn attach(
        self,
        input: Arc<dyn Blob>,
        description: &Description,
        wanted: impl Into<Wanted>,
        ear: Ear,
    ) -> Result<Self, Ended> {
        self.attach_at(0, input, description, wanted, ear)
    }

    /// The same for one range of it, which begins at `offset`.
    pub(crate) fn attach_at(
        mut self,
        offset: u64,
        input: Arc<dyn Blob>,
        description: &Description,
        wanted: impl Into<Wanted>,
        ear: Ear,
    ) -> Result<Self, Ended> {
        let input_bytes = input.len();
        let State { limits, talk, .. } = self.store.data_mut();
        let intake = Intake::new(description, limits, input_bytes).starting_at(offset);
        let more = limits.fuel_to_begin() - limits.fuel_for(0);
        *talk = Some(Talk {
            intake,
            ear,
            wanted: wanted.into(),
            input_bytes,
            read_up_to: 0,
            batch_bytes: limits.batch_bytes_wanted,
            refused: None,
        });
        let fuel = self.fuel_left().saturating_add(more);
        self.refill(fuel, Grants::CommitsAndReads)?.hand_over(input)
    }

    /// Sets what is left of its fuel, and for what it is handed out more. What was left over from other calls is gone.
    pub(crate) fn refill(mut self, fuel: u64, grants: Grants) -> Result<Self, Ended> {
        let left = self.fuel_left();
        let State { tank, talk, limits, .. } = self.store.data_mut();
        let granted = (tank.granted - left.min(tank.granted)).saturating_add(fuel);
        let watermark = talk.as_ref().map_or(0, |talk| talk.intake.watermark());
        *tank =
            Tank { granted, filled: fuel, grants, reach: limits.fuel_reach(watermark, 0, 0), read_bytes: 0 };
        let filled = self.store.set_fuel(fuel);
        self.settle(filled).map(|(session, ())| session)
    }

    fn fuel_left(&self) -> u64 {
        self.store.get_fuel().unwrap_or(0)
    }

    /// Puts the input into the guest's hands.
    fn hand_over(mut self, input: Arc<dyn Blob>) -> Result<Self, Ended> {
        let input_bytes = input.len();
        let handle = BlobHandle { blob: input, is_input: true };
        let lent = self.store.data_mut().handles.push(handle).map_err(wasmtime::Error::from);
        let (mut session, handle) = self.settle(lent)?;
        session.input = Some((handle.rep(), input_bytes));
        Ok(session)
    }

    /// Asks the parser how to cut the input.
    pub fn plan(mut self, options: &[(String, String)], target_bytes: u64) -> Result<(Self, Layout), Ended> {
        let (input, bytes) = self.lend_input();
        self.begin_between(Span { offset: 0, length: bytes }, &[]);
        let format = self.guest.casparian_parser_format();
        let planned = format.call_plan(&mut self.store, input, options, target_bytes);
        let (session, layout) = self.settle(planned)?;
        let (session, layout) = session.conclude(layout)?;
        let layout =
            Layout { ranges: layout.ranges.into_iter().map(span_of).collect(), context: layout.context };
        match check_layout(&layout, bytes) {
            Ok(()) => Ok((session, layout)),
            Err(fault) => Err(session.end_with(fault)),
        }
    }

    /// Parses the records that begin in `range`.
    pub fn parse(self, range: Span, context: &[u8], options: &[(String, String)]) -> Result<Self, Ended> {
        self.parse_between(range, &[], context, options)
    }

    /// Parses the records that begin in `range`. What is committed leaves at `boundaries` only, where there are any.
    pub(crate) fn parse_between(
        self,
        range: Span,
        boundaries: &[u64],
        context: &[u8],
        options: &[(String, String)],
    ) -> Result<Self, Ended> {
        let (input, _) = self.lend_input();
        let mut session = self.pay_for(context)?;
        session.begin_between(range, boundaries);
        let range = types::Span { offset: range.offset, length: range.length };
        let format = session.guest.casparian_parser_format();
        let parsed = format.call_parse(&mut session.store, input, range, context, options);
        let (session, result) = session.settle(parsed)?;
        session.conclude(result).map(|(session, ())| session)
    }

    /// Asks the parser for the first record boundary past `after`. What it answers is not checked.
    pub fn resync(self, context: &[u8], after: u64) -> Result<(Self, Option<u64>), Ended> {
        let (input, _) = self.lend_input();
        let mut session = self.pay_for(context)?;
        let format = session.guest.casparian_parser_format();
        let answered = format.call_resync(&mut session.store, input, context, after);
        let (session, boundary) = session.settle(answered)?;
        session.conclude(Ok(boundary))
    }

    /// Has the guest pay for a context, which is copied into it for each call.
    fn pay_for(mut self, context: &[u8]) -> Result<Self, Ended> {
        let paid = world::pay(&mut self.store.as_context_mut(), context.len() as u64);
        self.settle(paid).map(|(session, ())| session)
    }

    /// Does away with the guest. What outlives it is left.
    pub fn close(self) -> Estate {
        estate(self.store)
    }

    /// Returns what it has used so far, and those before it over the same input.
    pub fn usage(&self) -> Usage {
        usage(&self.store)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.store.data().limits
    }

    pub(crate) fn talk(&mut self) -> Option<&mut Talk> {
        self.store.data_mut().talk.as_mut()
    }

    fn begin_between(&mut self, range: Span, boundaries: &[u64]) {
        if let Some(talk) = self.store.data_mut().talk.as_mut() {
            talk.read_up_to = 0;
            talk.intake.begin_between(range, boundaries);
        }
    }

    /// Lends the input for one call. Without one the guest gets an empty nothing, which it cannot read.
    fn lend_input(&self) -> (Resource<BlobHandle>, u64) {
        let (rep, bytes) = self.input.unwrap_or((u32::MAX, 0));
        (Resource::new_borrow(rep), bytes)
    }

    /// Sorts out how a call came back: a value, or the end of the session. What a guest made of a machine that let it down is
    /// worth nothing, also where it got over it.
    fn settle<T>(mut self, called: wasmtime::Result<T>) -> Result<(Self, T), Ended> {
        match (self.store.data_mut().limiter.take_failure(), called) {
            (Some(why), _) => Err(self.end_with(SessionFault::Machine { why })),
            (None, Ok(value)) => Ok((self, value)),
            (None, Err(error)) => Err(end(self.store, error, Phase::Call)),
        }
    }

    /// Ends what [`Session::begin`] began: a refusal the guest swallowed, then its own fault, then what it forgot to commit.
    fn conclude<T>(mut self, result: Result<T, types::Fault>) -> Result<(Self, T), Ended> {
        let left_over = match self.store.data_mut().talk.as_mut() {
            Some(talk) => match (talk.refused.take(), talk.intake.end()) {
                (Some(refusal), _) => return Err(self.end_with(SessionFault::Refused(refusal))),
                (None, Ok(words)) => match words.into_iter().try_for_each(|said| (talk.ear)(said)) {
                    Ok(()) => Ok(()),
                    Err(Hangup) => return Err(self.end_with(SessionFault::Hangup)),
                },
                (None, Err(refusal)) => Err(refusal),
            },
            None => Ok(()),
        };
        match (result, left_over) {
            (Err(fault), _) => Err(self.end_with(gave_up(fault))),
            (Ok(_), Err(refusal)) => Err(self.end_with(SessionFault::Refused(refusal))),
            (Ok(value), Ok(())) => Ok((self, value)),
        }
    }

    fn end_with(self, fault: SessionFault) -> Ended {
        Ended { fault, usage: self.usage(), estate: Box::new(self.close()) }
    }
}

fn gave_up(fault: types::Fault) -> SessionFault {
    SessionFault::GaveUp {
        code: GuestText::new(&fault.code, 64),
        message: GuestText::new(&fault.message, 1024),
        at: fault.at.map(span_of),
    }
}

/// What is left of a run when a guest is gone. Its store dies here: after a trap its memory is whatever the trap left.
fn estate(store: Store<State>) -> Estate {
    let usage = usage(&store);
    let State { limits, attachments, program, journal, talk, .. } = store.into_data();
    Estate { limits, attachments, program, journal, usage, talk }
}

fn usage(store: &Store<State>) -> Usage {
    let state = store.data();
    Usage {
        fuel: state.before.fuel.saturating_add(burnt(store)),
        memory_peak_bytes: state.before.memory_peak_bytes.max(state.limiter.memory_peak_bytes()),
        log_bytes: state.journal.bytes(),
        log_lines_dropped: state.journal.lines_dropped(),
        log_overflow: state.journal.overflow(),
    }
}

/// Returns the fuel that this instance has burnt.
fn burnt(store: &Store<State>) -> u64 {
    store.data().tank.granted.saturating_sub(store.get_fuel().unwrap_or(0))
}

/// Names what ended a guest.
fn end(mut store: Store<State>, error: wasmtime::Error, phase: Phase) -> Ended {
    // The first refusal is final, whatever came of it.
    let refused = store.data_mut().talk.as_mut().and_then(|talk| talk.refused.take());
    let fault = refused.map_or_else(|| name_end(error, &mut store, phase), SessionFault::Refused);
    Ended { fault, usage: usage(&store), estate: Box::new(estate(store)) }
}

fn name_end(error: wasmtime::Error, store: &mut Store<State>, phase: Phase) -> SessionFault {
    if let Some(why) = store.data_mut().limiter.take_failure() {
        return SessionFault::Machine { why };
    }
    let error = match error.downcast::<SessionFault>() {
        Ok(fault) => return fault,
        Err(error) => error,
    };
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return SessionFault::Exit { status: exit.0 };
    }
    let state = store.data();
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return name_trap(*trap, &error, state, fuel_limit(store));
    }
    let why = GuestText::new(&format!("{:#}", error.root_cause()), 256);
    match (state.limiter.refused(), phase) {
        // Instantiation fails without a trap when the memory it declares is refused.
        (Some(limit), _) => SessionFault::Limit(limit),
        // Frames of the guest are there where it was running, and then it was its call.
        (None, Phase::Begin) if frames(&error).is_empty() && !is_count(&why) => SessionFault::Machine { why },
        (None, _) => SessionFault::HostCall { why, limit: state.limits.hostcall_bytes_max },
    }
}

/// Whether more instances, memories or tables were wanted than there may be: wasmtime has no type for it.
fn is_count(why: &GuestText) -> bool {
    why.raw().starts_with("resource limit exceeded")
}

/// Returns the fuel that ran out where all was burnt.
fn fuel_limit(store: &Store<State>) -> u64 {
    match store.data().tank {
        Tank { grants: Grants::Commits, filled, .. } => filled,
        Tank { grants: Grants::Nothing, filled, .. } if filled > 0 => filled,
        _ => burnt(store),
    }
}

fn name_trap(trap: Trap, error: &wasmtime::Error, state: &State, fuel: u64) -> SessionFault {
    let fuel = LimitExceeded { name: "fuel", limit: fuel, current: fuel, wanted: 1 };
    let stack_bytes = state.limits.stack_bytes_max;
    let stack = LimitExceeded { name: "stack bytes", limit: stack_bytes, current: stack_bytes, wanted: 1 };
    match trap {
        Trap::OutOfFuel => SessionFault::Limit(fuel),
        Trap::StackOverflow => SessionFault::Limit(stack),
        // A guest that gets no memory gives up, in its own way; what stopped it is the bound.
        Trap::UnreachableCodeReached if state.limiter.refused().is_some() => {
            SessionFault::Limit(state.limiter.refused().unwrap_or(fuel))
        }
        _ => SessionFault::Trap {
            code: trap_code(trap),
            frames: frames(error),
            said: state.journal.last_error(),
            at: state.journal.last_error_at(),
        },
    }
}

fn trap_code(trap: Trap) -> &'static str {
    match trap {
        Trap::UnreachableCodeReached => "unreachable",
        Trap::MemoryOutOfBounds => "memory-out-of-bounds",
        Trap::TableOutOfBounds => "table-out-of-bounds",
        Trap::IndirectCallToNull => "indirect-call-to-null",
        Trap::BadSignature => "indirect-call-type",
        Trap::IntegerOverflow => "integer-overflow",
        Trap::IntegerDivisionByZero => "division-by-zero",
        Trap::BadConversionToInteger => "bad-conversion-to-integer",
        Trap::CannotEnterComponent => "cannot-enter-component",
        _ => "other",
    }
}

fn frames(error: &wasmtime::Error) -> Vec<GuestText> {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let named = trace.frames().iter().filter_map(|frame| {
        let name = frame.func_name()?;
        Some(GuestText::new(&rustc_demangle::demangle(name).to_string(), 128))
    });
    named.take(FRAMES_MAX).collect()
}

fn check_layout(layout: &Layout, bytes: u64) -> Result<(), SessionFault> {
    let mut due = 0;
    for (index, range) in layout.ranges.iter().enumerate() {
        match range.end() {
            Some(end) if range.offset == due && range.length > 0 && end <= bytes => due = end,
            _ => return Err(SessionFault::Layout { index, range: *range, due }),
        }
    }
    if due != bytes || layout.ranges.len() > RANGES_MAX {
        return Err(SessionFault::LayoutSize { ranges: layout.ranges.len(), end: due, bytes });
    }
    Ok(())
}

fn describe(raw: types::Description) -> Result<Description, DescriptionFault> {
    let doc = |text: &str| GuestText::new(text, description::DOC_BYTES_MAX);
    let word = |text: &str| GuestText::new(text, WORD_BYTES_MAX);
    let table = |info: types::TableInfo| {
        let name = TableName::new(&info.name).ok_or_else(|| DescriptionFault::BadName {
            what: "table",
            name: GuestText::new(&info.name, 64),
        })?;
        Ok(description::TableInfo {
            name,
            doc: doc(&info.doc),
            default_on: info.default_on,
            schema: info.schema,
        })
    };
    // A value that was cut could never be given.
    let cut = |text: &&String| text.len() > WORD_BYTES_MAX;
    let too_long = raw.options.iter().find_map(|o| o.choices.iter().chain(&o.default).find(cut));
    if let Some(text) = too_long {
        return Err(DescriptionFault::ValueTooLong { value: GuestText::new(text, 64), bytes: text.len() });
    }
    let option = |info: types::OptionInfo| description::OptionInfo {
        name: info.name,
        kind: option_kind(info.kind),
        choices: info.choices.iter().map(|c| word(c)).collect(),
        default: info.default.as_deref().map(word),
        doc: doc(&info.doc),
    };
    Ok(Description {
        name: word(&raw.name),
        version: word(&raw.version),
        doc: doc(&raw.doc),
        tables: raw.tables.into_iter().map(table).collect::<Result<_, _>>()?,
        faults: raw
            .faults
            .into_iter()
            .map(|f| description::FaultInfo { code: f.code, doc: doc(&f.doc) })
            .collect(),
        options: raw.options.into_iter().map(option).collect(),
        patterns: raw.patterns.iter().map(|p| word(p)).collect(),
    })
}

fn option_kind(kind: types::OptionKind) -> description::OptionKind {
    match kind {
        types::OptionKind::Text => description::OptionKind::Text,
        types::OptionKind::Integer => description::OptionKind::Integer,
        types::OptionKind::Number => description::OptionKind::Number,
        types::OptionKind::Flag => description::OptionKind::Flag,
        types::OptionKind::Choice => description::OptionKind::Choice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_knob_of_a_store_stands_at_its_default() {
        let limits = Limits::default();
        let engine = crate::engine::engine(&limits).expect("our engine");
        let estate = Estate {
            limits: limits.clone(),
            attachments: BTreeMap::new(),
            program: None,
            journal: Journal::new(&limits, Level::Info, Box::new(|_| {})),
            usage: Usage::default(),
            talk: None,
        };
        let (ours, default) = (furnish(&engine, estate), Store::new(&engine, ()));
        assert_eq!(ours.hostcall_fuel() as u64, limits.hostcall_bytes_max);
        assert_ne!(ours.hostcall_fuel(), default.hostcall_fuel());
        assert_eq!(ours.data().handles.max_capacity() as u64, limits.handles_max);
        assert_ne!(ours.data().handles.max_capacity(), ResourceTable::new().max_capacity());
        assert!(limits.random_bytes_max < wasmtime_wasi::random::DEFAULT_MAX_SIZE);
    }
}
