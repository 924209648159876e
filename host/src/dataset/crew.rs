//! Who does it: so many workers side by side, each with a segment at a time. What they bring is settled in order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use casparian_core::fault::FaultReport;
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use casparian_sandbox::journal::Level;

use super::list::Listing;
use super::segment::{Hand, Segment};
use super::settle::Settled;
use super::{ManyRequest, Told};
use crate::columns::{Column, SchemaRule};
use crate::component::{Compiled, Component};
use crate::orders::{Order, Task};
use crate::packing::Wish;
use crate::request::Progress;
use crate::run::{descriptors, order};
use crate::sinks::Format;
use crate::staging::Staging;
use crate::supervisor::{SupervisorFault, Worker};
use crate::terms::Terms;

/// Most inputs of a segment.
const SEGMENT_INPUTS: usize = 250;
/// Past so many bytes of input a segment ends.
const SEGMENT_BYTES: u64 = 32 << 20;
/// How far ahead of what is settled workers may be, in segments each: what they bring waits in memory.
const AHEAD: usize = 4;
/// How often it is told how far all of it is, and looked whether somebody wants it to end.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// Columns of the dataset's tables.
pub(super) type Columns = BTreeMap<TableName, Vec<Column>>;

/// What all segments are run with.
pub(super) struct Crew<'a> {
    pub(super) request: &'a ManyRequest,
    pub(super) component: &'a Component,
    compiled: &'a Compiled,
    terms: Option<&'a Terms>,
    pub(super) staging: Option<&'a Staging>,
    pub(super) inputs: &'a [Listing],
    order: Order,
    /// Set when all of it is to end: by somebody, or by a fault that meets every input.
    pub(super) halt: Arc<AtomicBool>,
    pub(super) pace: Pace,
    /// Whether it has been told who the parser is.
    pub(super) has_begun: AtomicBool,
    /// Parts that were begun: each has a number of its own until it has its place.
    parts: AtomicU64,
}

/// How far all of it is.
#[derive(Default)]
pub(super) struct Pace {
    pub(super) bytes: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) quarantined: AtomicU64,
}

/// What a worker's thread tells.
pub(super) enum Word {
    /// The parser has said who it is: once.
    Begun {
        name: GuestText,
        version: GuestText,
    },
    Log {
        level: Level,
        line: GuestText,
    },
    Done(usize, Box<Segment>),
}

/// Which segment is next, and how far the settling is.
struct Board {
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    next: usize,
    settled: usize,
    columns: Columns,
}

impl<'a> Crew<'a> {
    pub(super) fn new(
        request: &'a ManyRequest,
        component: &'a Component,
        compiled: &'a Compiled,
        terms: Option<&'a Terms>,
        staging: Option<&'a Staging>,
        inputs: &'a [Listing],
    ) -> Self {
        let wish = Wish { compression: request.each.compression, member: None, name: String::new() };
        // Cores that no worker is there for help the others.
        let threads = request.jobs / workers(request, &segments(request, inputs));
        let order = Order {
            threads: threads.max(1),
            schema: request.schema,
            format: format_of_parts(request),
            ..order(&request.each, component, wish, terms, None)
        };
        Self {
            request,
            component,
            compiled,
            terms,
            staging,
            inputs,
            order,
            halt: Arc::default(),
            pace: Pace::default(),
            has_begun: AtomicBool::new(false),
            parts: AtomicU64::new(0),
        }
    }

    /// Runs all inputs, and settles them in their order.
    pub(super) fn work(
        &self,
        settled: &mut Settled<'_>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<(), FaultReport> {
        let segments = segments(self.request, self.inputs);
        let jobs = workers(self.request, &segments);
        let board = Board::new();
        let (words, heard) = sync_channel(jobs * AHEAD);
        thread::scope(|scope| {
            for _ in 0..jobs {
                let words = words.clone();
                let (board, segments) = (&board, segments.as_slice());
                scope.spawn(move || self.run_segments(board, segments, jobs, &words));
            }
            drop(words);
            let done = self.settle_all(&board, &segments, &heard, settled, tell);
            self.halt.store(true, Ordering::Relaxed);
            board.moved.notify_all();
            // Who still has something to say finds nobody listening.
            drop(heard);
            done
        })
    }

    /// What one thread does: a segment after the other, with a worker of its own.
    fn run_segments(&self, board: &Board, segments: &[Range<usize>], jobs: usize, words: &SyncSender<Word>) {
        let mut hand = Hand::new(self, words, &self.halt);
        while let Some((at, columns)) = board.take(segments.len(), jobs * AHEAD, &self.halt) {
            let Some(range) = segments.get(at) else { return };
            let segment = hand.run(range.clone(), columns);
            if words.send(Word::Done(at, Box::new(segment))).is_err() {
                return;
            }
        }
    }

    fn settle_all(
        &self,
        board: &Board,
        segments: &[Range<usize>],
        heard: &Receiver<Word>,
        settled: &mut Settled<'_>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<(), FaultReport> {
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        while due < segments.len() {
            if self.request.each.stop.load(Ordering::Relaxed) {
                return Err(SupervisorFault::Interrupted.into());
            }
            match heard.recv_timeout(TELL_EVERY) {
                Ok(Word::Begun { name, version }) => {
                    let input_bytes = self.inputs.iter().map(|input| input.bytes).sum();
                    tell(Told::Progress(Progress::Started { name, version, input_bytes }));
                }
                Ok(Word::Log { level, line }) => tell(Told::Progress(Progress::Log { level, line })),
                Ok(Word::Done(at, segment)) => drop(waiting.insert(at, segment)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(nobody_left()),
            }
            tell(Told::Progress(self.pace.now()));
            while let Some(segment) = waiting.remove(&due) {
                let segment = match settled.agrees(&segment) {
                    true => *segment,
                    false => self.run_again(segments, due, *segment, settled)?,
                };
                settled.settle(segment, self.staging, tell)?;
                due += 1;
                board.settle(due, settled.columns());
            }
        }
        Ok(())
    }

    /// Runs a segment again that took other columns for the dataset's than those before it. Now it is told.
    fn run_again(
        &self,
        segments: &[Range<usize>],
        at: usize,
        segment: Segment,
        settled: &Settled<'_>,
    ) -> Result<Segment, FaultReport> {
        segment.drop_parts(self.staging)?;
        // What it logs has been told.
        let (words, _) = sync_channel(1);
        let range = segments.get(at).cloned().unwrap_or_default();
        // Nobody sets `halt` as long as this thread is at it: its worker heeds who presses Ctrl-C.
        Ok(Hand::new(self, &words, &self.request.each.stop).run(range, settled.columns().clone()))
    }

    /// Starts a worker, and waits until it is ready for inputs.
    pub(super) fn start(&self, stop: &Arc<AtomicBool>) -> Result<Worker, SupervisorFault> {
        let task = Task::RunMany(Box::new(self.order.clone()));
        let fds = descriptors(self.component, self.compiled, None, self.terms);
        let deadline_ms = self.deadline_ms(0);
        let each = &self.request.each;
        Worker::start(&each.worker_exe, each.require_isolation, &task, &fds, deadline_ms, stop)
    }

    /// Returns how long an input of this size may take.
    pub(super) fn deadline_ms(&self, input_bytes: u64) -> u64 {
        self.request.each.limits.deadline_ms(self.component.bytes() + input_bytes)
    }

    /// Returns a name for a part that has no place yet.
    pub(super) fn name_part(&self) -> String {
        self.parts.fetch_add(1, Ordering::Relaxed).to_string()
    }
}

impl Pace {
    fn now(&self) -> Progress {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let (bytes, accepted, quarantined) =
            (count(&self.bytes), count(&self.accepted), count(&self.quarantined));
        Progress::Committed { bytes, accepted, quarantined }
    }
}

impl Board {
    fn new() -> Self {
        let state = State { next: 0, settled: 0, columns: Columns::new() };
        Self { state: Mutex::new(state), moved: Condvar::new() }
    }

    /// Takes the next segment, and what is known of the dataset's columns from those before it. Waits where too much is unsettled.
    fn take(&self, segments: usize, ahead_max: usize, halt: &AtomicBool) -> Option<(usize, Columns)> {
        let mut state = self.lock();
        loop {
            if halt.load(Ordering::Relaxed) || state.next >= segments {
                return None;
            }
            if state.next < state.settled + ahead_max {
                state.next += 1;
                return Some((state.next - 1, state.columns.clone()));
            }
            let waited = self.moved.wait_timeout(state, TELL_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn settle(&self, settled: usize, columns: &Columns) {
        let mut state = self.lock();
        state.settled = settled;
        state.columns.clone_from(columns);
        self.moved.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how workers write parts. What is not written by its types cannot be read back to be given more columns.
fn format_of_parts(request: &ManyRequest) -> Format {
    match request.schema {
        SchemaRule::Same => request.each.format,
        SchemaRule::Union => Format::Parquet,
    }
}

/// Cuts inputs into segments: by their order and sizes, so that it is the same for any number of workers.
fn segments(request: &ManyRequest, inputs: &[Listing]) -> Vec<Range<usize>> {
    let most = usize::try_from(request.recycle_after).map_or(SEGMENT_INPUTS, |most| most.min(SEGMENT_INPUTS));
    cut(inputs, most)
}

/// Returns how many workers there are side by side.
fn workers(request: &ManyRequest, segments: &[Range<usize>]) -> usize {
    request.jobs.clamp(1, segments.len().max(1))
}

fn cut(inputs: &[Listing], inputs_max: usize) -> Vec<Range<usize>> {
    let (mut segments, mut from, mut bytes) = (Vec::new(), 0, 0_u64);
    for (at, input) in inputs.iter().enumerate() {
        bytes = bytes.saturating_add(input.bytes);
        if at + 1 - from == inputs_max || bytes >= SEGMENT_BYTES {
            segments.push(from..at + 1);
            (from, bytes) = (at + 1, 0);
        }
    }
    if from < inputs.len() {
        segments.push(from..inputs.len());
    }
    segments
}

fn nobody_left() -> FaultReport {
    SupervisorFault::Died("a thread of the supervisor has panicked".to_owned()).into()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::collection::vec;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn segments_hold_every_input_once_in_order(sizes in vec(0_u64..SEGMENT_BYTES * 2, 0..2_000)) {
            let inputs: Vec<_> = sizes.iter().map(|bytes| Listing::named(PathBuf::new(), *bytes)).collect();
            let segments = cut(&inputs, SEGMENT_INPUTS);
            let all: Vec<usize> = segments.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..inputs.len()).collect::<Vec<_>>());
            for segment in segments {
                prop_assert!((1..=SEGMENT_INPUTS).contains(&segment.len()));
                let before_last: u64 = sizes[segment.start..segment.end - 1].iter().sum();
                prop_assert!(before_last < SEGMENT_BYTES);
            }
        }
    }
}
