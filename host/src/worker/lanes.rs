//! One input through its guests and its judge. The first guest plans; then as many as there are threads for parse its ranges, each
//! range in an instance of its own, and this thread hears them in the order of the input.
//!
//! How an input is cut follows from its bytes and the options, never from the number of threads. What a range comes to follows from
//! the range. What ranges come to together is decided here, one after the other, by [`Merge`] and flow; so nothing that a run says
//! depends on who was first, and of several faults the one that counts is the one that stands first in the input.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use casparian_core::description::Description;
use casparian_core::flow::Flow;
use casparian_core::intake::Said;
use casparian_core::isolate::{OnTrap, Toll};
use casparian_core::limits::Limits;
use casparian_core::merge::Merge;
use casparian_core::wanted::Wanted;
use casparian_sandbox::drive::{Apart, Driven, Job, Stopped, drive, drive_apart};
use casparian_sandbox::journal::{Level, LogBound, LogLine};
use casparian_sandbox::session::{Layout, Session, Usage};
use casparian_sandbox::{Blob as _, Hangup, Loaded, Program, Setup};

use super::board::{Board, Lost, Unheard};
use super::guest_thread::{GuestThread, GuestThreads, panicked};
use super::{Failed, Input, failed, stopped};
use crate::link::Link;
use crate::orders::News;
use crate::quarantine::Quarantine;
use crate::sinks::Tables;

/// The size of ranges that a parser is asked for. Small enough that what is said of one can wait for its turn, and large enough that
/// an instance of its own costs next to nothing.
const RANGE_BYTES: u64 = 4 << 20;
/// What may wait for its turn, for each thread.
const AHEAD_BYTES: u64 = 12 << 20;
/// What a line of a log takes at least while it waits, in bytes.
const LINE_BYTES_MIN: u64 = 256;
/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

pub(super) type RunFlow = Flow<Tables, Quarantine>;

/// What guests of one input are made with.
pub(super) struct Guests {
    pub(super) loaded: Arc<Loaded>,
    pub(super) program: Option<Arc<Program>>,
    pub(super) limits: Limits,
    pub(super) log_level: Level,
    pub(super) description: Arc<Description>,
    pub(super) wanted: Wanted,
    pub(super) options: Vec<(String, String)>,
    pub(super) input: Arc<Input>,
    /// The same, with reads that give all that is asked for.
    pub(super) input_alone: Arc<Input>,
    /// How large its ranges should be; none: the usual size.
    pub(super) range_bytes: Option<u64>,
    pub(super) on_trap: OnTrap,
}

/// An input was parsed.
pub(super) struct Parsed {
    pub(super) flow: RunFlow,
    pub(super) usage: Usage,
    pub(super) toll: Toll,
    pub(super) ranges: u64,
}

/// What a guest's thread tells of a range.
#[expect(clippy::large_enum_variant, reason = "what is said is told most")]
enum Word {
    Said(Said),
    Log(LogLine),
    /// Of the first range: how the input is cut.
    Planned(Arc<Layout>),
    /// The range has come to its end.
    Ended(Result<Driven, Box<Stopped>>),
}

type Meeting = Arc<Board<Word>>;

/// Parses a whole input. The first guest is opened with `setup`, the others as it is cut.
pub(super) fn parse(
    link: &Link,
    threads: &GuestThreads,
    guests: Guests,
    setup: Setup,
    flow: RunFlow,
) -> Result<Parsed, Failed> {
    let board: Meeting = Arc::new(Board::new(threads.count(), AHEAD_BYTES));
    let guests = Arc::new(guests);
    let (theirs, meeting) = (Arc::clone(&guests), Arc::clone(&board));
    let parsing = threads.first().begin(move || theirs.plan_and_parse(setup, &meeting))?;
    let judge = Judge {
        link,
        threads: threads.others(),
        flow,
        merge: Merge::new(&guests.limits, guests.input.len()),
        log: LogBound::new(&guests.limits),
        usage: Usage::default(),
        told: Instant::now(),
        is_cut: false,
        guests,
        board: Arc::clone(&board),
    };
    let judged = judge.hear_all();
    // Whoever is still at it ends with its next word.
    board.hang_up();
    if judged.as_ref().is_err_and(|failed| failed.leaves_guests) {
        // A guest that says no word any more is not waited for: what a run comes to is known, and must not hang on how far ahead
        // others were.
        return judged;
    }
    // What the first thread's guest logs while it plans goes straight to the supervisor, so nothing is told of this input behind
    // its end.
    parsing.finish()?;
    judged
}

/// Tells the judge of a guest's thread that panics: it would wait for ever.
struct Watch<'a>(&'a Meeting);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lose();
        }
    }
}

impl Guests {
    /// Plans, parses the first range with the instance that has planned, and goes on with others.
    fn plan_and_parse(&self, setup: Setup, board: &Meeting) {
        let _watch = Watch(board);
        let planned = self.plan(setup, board);
        let (layout, driven) = match planned {
            Ok((session, layout)) => {
                let first = layout.ranges.first().copied();
                let usage = session.usage();
                let driven = first.map(|range| drive(&self.job(&layout), session, range));
                (Some(layout), driven.unwrap_or(Ok(Driven { usage, ..Driven::default() })))
            }
            Err(stopped) => (None, Err(stopped)),
        };
        end(board, 0, driven);
        if let Some(layout) = layout {
            self.parse_others(&layout, board);
        }
    }

    fn plan(&self, setup: Setup, board: &Meeting) -> Result<(Session, Arc<Layout>), Stopped> {
        let (session, ear) = (self.loaded.open(setup)?, ear(board, 0));
        let session =
            session.attach(Arc::clone(&self.input) as _, &self.description, self.wanted.clone(), ear)?;
        let (session, layout) = session.plan(&self.options, self.range_bytes.unwrap_or(RANGE_BYTES))?;
        let layout = Arc::new(layout);
        // Of an input without bytes there is no range; what was said of it is heard as if there were one.
        board.plan(layout.ranges.len().max(1));
        board.tell(0, Word::Planned(Arc::clone(&layout)), 0);
        Ok((session, layout))
    }

    /// Parses one range after the other, as long as there are any that nobody has taken.
    fn parse_others(&self, layout: &Layout, board: &Meeting) {
        while let Some(at) = board.take() {
            let Some(range) = layout.ranges.get(at) else { return };
            let apart = Apart {
                setup: self.setup(at, board),
                description: &self.description,
                wanted: self.wanted.clone(),
                ear: ear(board, at),
            };
            end(board, at, drive_apart(&self.job(layout), apart, *range));
        }
    }

    fn job<'a>(&'a self, layout: &'a Layout) -> Job<'a> {
        Job {
            loaded: &self.loaded,
            input: Arc::clone(&self.input) as _,
            input_alone: Arc::clone(&self.input_alone) as _,
            layout,
            options: &self.options,
            on_trap: self.on_trap,
        }
    }

    fn setup(&self, range: usize, board: &Meeting) -> Setup {
        let board = Arc::clone(board);
        Setup {
            limits: self.limits.clone(),
            attachments: BTreeMap::new(),
            program: self.program.clone(),
            log_level: self.log_level,
            log: Box::new(move |line| {
                // An empty line takes room too. Who does not hear it has failed and says so itself.
                let bytes = line.bytes().max(LINE_BYTES_MIN);
                let _ = board.say_now(range, Word::Log(line), bytes);
            }),
        }
    }
}

fn ear(board: &Meeting, range: usize) -> casparian_sandbox::Ear {
    let board = Arc::clone(board);
    // Who does not hear it has failed and says so itself.
    Box::new(move |said| {
        let bytes = weight(&said);
        // Of a record that kills the supervisor must know in time: it prolongs the deadline.
        let said = match said {
            Said::Killed(_) => board.say_now(range, Word::Said(said), bytes),
            _ => board.say(range, Word::Said(said), bytes),
        };
        said.map_err(|Unheard| Hangup)
    })
}

/// What a word takes while it waits, in bytes.
fn weight(said: &Said) -> u64 {
    match said {
        Said::Rows { batch, .. } => batch.weight_bytes(),
        Said::Rejected(records) => {
            let texts: usize = records.iter().map(|record| record.message.raw().len()).sum();
            (texts + size_of_val(records.as_slice())) as u64
        }
        // Its fields are kept as they were sent, as they are meant and as they are declared.
        Said::Opened { schema, .. } => 3 * schema.declared().fields().size() as u64,
        Said::Skipped(_)
        | Said::Committed { .. }
        | Said::Stands
        | Said::TakenBack { .. }
        | Said::Killed(_) => 0,
    }
}

/// Tells that a range has come to its end. Behind one that ended badly nothing need be parsed.
fn end(board: &Meeting, range: usize, driven: Result<Driven, Stopped>) {
    if driven.is_err() {
        board.end_with(range);
    }
    board.tell(range, Word::Ended(driven.map_err(Box::new)), 0);
}

/// The judge's side.
struct Judge<'a> {
    link: &'a Link,
    /// Who can help once it is known that there is more than one range.
    threads: &'a [GuestThread],
    guests: Arc<Guests>,
    board: Meeting,
    flow: RunFlow,
    merge: Merge,
    /// Lines of all ranges together, as far as they are told.
    log: LogBound,
    /// What ranges that were heard to their end have used.
    usage: Usage,
    /// When progress was told.
    told: Instant,
    /// Whether there is more than one range, and others were called.
    is_cut: bool,
}

impl Judge<'_> {
    /// Hears range after range.
    fn hear_all(mut self) -> Result<Parsed, Failed> {
        match self.hear_ranges() {
            Ok(ranges) => Ok(Parsed { usage: self.used(), toll: self.merge.toll(), flow: self.flow, ranges }),
            Err(failed) => Err(Failed { leaves_guests: self.is_cut, ..failed }),
        }
    }

    /// Hears range after range; returns how many there were.
    fn hear_ranges(&mut self) -> Result<u64, Failed> {
        let first = self.hear_range()?;
        // What was logged while the input was planned was told at once.
        self.log.admit(first.1.usage.log_bytes);
        self.close_range(first.1)?;
        let layout = first.0;
        for range in layout.iter().flat_map(|layout| layout.ranges.iter().skip(1)) {
            self.board.go_on();
            if let Some(said) = self.merge.begin_next(*range) {
                self.flow.hear(said).map_err(failed)?;
            }
            let (_, driven) = self.hear_range()?;
            self.close_range(driven)?;
        }
        Ok(layout.map_or(0, |layout| layout.ranges.len() as u64))
    }

    /// Hears a range to its end. The first one says how the input is cut.
    fn hear_range(&mut self) -> Result<(Option<Arc<Layout>>, Driven), Failed> {
        let mut planned = None;
        loop {
            for word in self.board.hear().map_err(|Lost| panicked())? {
                match word {
                    Word::Said(said) => self.hear(said)?,
                    Word::Log(line) => self.pass_on(line),
                    Word::Planned(layout) => {
                        self.is_cut = layout.ranges.len() > 1;
                        self.call_others(&layout)?;
                        planned = Some(layout);
                    }
                    Word::Ended(Ok(driven)) => return Ok((planned, driven)),
                    Word::Ended(Err(ended)) => return Err(self.stopped(*ended)),
                }
            }
        }
    }

    /// Has as many more guests parse as there are ranges for.
    fn call_others(&self, layout: &Arc<Layout>) -> Result<(), Failed> {
        for thread in self.threads.iter().take(layout.ranges.len().saturating_sub(1)) {
            let (guests, layout, board) =
                (Arc::clone(&self.guests), Arc::clone(layout), Arc::clone(&self.board));
            drop(thread.begin(move || {
                let _watch = Watch(&board);
                guests.parse_others(&layout, &board);
            })?);
        }
        Ok(())
    }

    fn hear(&mut self, said: Said) -> Result<(), Failed> {
        let Some(said) = self.merge.hear(said).map_err(failed)? else { return Ok(()) };
        let watermark = match &said {
            Said::Committed { up_to } => Some(*up_to),
            Said::Killed(killer) => {
                // As below: a supervisor that is gone takes us with it.
                let _ = self.link.send(&News::Buried, &[]);
                killer.at.end()
            }
            _ => None,
        };
        self.flow.hear(said).map_err(failed)?;
        if let Some(bytes) = watermark.filter(|_| self.told.elapsed() >= PROGRESS_EVERY) {
            self.told = Instant::now();
            let (accepted, quarantined) = (self.flow.tally().accepted(), self.flow.tally().quarantine.rows);
            // Progress is a courtesy: a supervisor that is gone takes us with it.
            let _ = self.link.send(&News::Progress { bytes, accepted, quarantined }, &[]);
        }
        Ok(())
    }

    /// Passes on a line of a range's log, if there is room for it in that of the run.
    fn pass_on(&mut self, line: LogLine) {
        if self.log.admit(line.bytes()) {
            let _ = self.link.send(&News::Log(line), &[]);
        }
    }

    fn close_range(&mut self, driven: Driven) -> Result<(), Failed> {
        self.usage = self.usage.and(driven.usage);
        self.merge.end(driven.toll, driven.restarts).map_err(failed)
    }

    /// What all ranges that were heard used together.
    fn used(&self) -> Usage {
        let lines_dropped = self.usage.log_lines_dropped.saturating_add(self.log.lines_dropped());
        let overflow = self.usage.log_overflow.or(self.log.overflow());
        Usage { log_lines_dropped: lines_dropped, log_overflow: overflow, ..self.usage }
    }

    /// The end of a range is the end of the run: what earlier ranges used and cost joins it.
    fn stopped(&self, ended: Stopped) -> Failed {
        let (usage, toll) = (self.used().and(ended.usage), self.merge.toll().and(ended.toll));
        stopped(Stopped { usage, toll, ..ended })
    }
}
