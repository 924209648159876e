//! How a run goes on behind a record that kills its parser: the decisions, without an engine.
//!
//! ```text
//! an instance ends ──> what it said since its last commit is taken back
//!                  ──> a fresh one goes on from that commit ──> ends again, without another commit
//!                  ──> records are parsed in stretches, and what ends an instance in parts of them
//!                  ──> each record of the last part is parsed alone, in a fresh instance
//!                  ──> one that ends it is quarantined, and a fresh instance goes on behind it
//! ```
//!
//! Only a record alone is convicted, and one that passes alone is accepted by what was said of it alone. In company a record
//! never has more of anything than alone, so what passes there would pass alone. So the verdict follows from the record and the
//! context: not from the sizes of batches, reads and ranges, not from its neighbours.
//!
//! A record is what lies between two boundaries of the parser's `resync`, whatever it commits: who does not answer is not gone on
//! with, and where a commit lies elsewhere nothing is convicted that begins there. The answer is the parser's word that it can
//! be asked to parse from any boundary. Everything here is bounded: so many killers, so many bytes of them, so many traps before
//! one is found.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::contract::verdict::Code;
use crate::fault::Span;
use crate::intake::Killer;
use crate::limits::{LimitExceeded, Limits};

/// Records that are parsed at a time while a killer is looked for.
const STRETCH_RECORDS: usize = 256;
/// Into how many parts a stretch is cut that ended an instance.
const PARTS: usize = 16;
/// Most stretches that are parsed after one trap. Nobody in them is to blame: the run goes on behind them.
const STRETCHES_MAX: usize = 64;

/// What a run does where its parser traps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnTrap {
    /// It fails.
    Fail,
    /// It goes on behind the record that did it, which is quarantined.
    #[default]
    Isolate,
}

/// What ended an instance, of what a record can be blamed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A trap.
    Trap,
    /// No fuel was left.
    Fuel,
    /// Memory, or a table of its own, that it did not get.
    Memory,
    /// No stack was left.
    Stack,
    /// Too many handles.
    Handles,
    /// A host call with arguments that are none.
    HostCall,
}

impl Cause {
    /// Returns the reason code of a record that did it.
    pub fn code(self) -> Code {
        match self {
            Cause::Trap => Code::Trapped,
            Cause::Fuel => Code::Fuel,
            Cause::Memory => Code::Memory,
            Cause::Stack => Code::Stack,
            Cause::Handles => Code::Handles,
            Cause::HostCall => Code::HostCall,
        }
    }
}

/// Among whom a range is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// By the only instance that there will be: nothing goes on behind it, so it may have fuel for what it reads ahead.
    Sole,
    /// As any range, with as much fuel at each commit as an instance begins with.
    Any,
    /// While a killer is looked for, with a small budget.
    Search,
    /// By itself in a fresh instance, with a budget of its own size, reads that give all that is asked for, and small batches:
    /// alike in every run, and more than in any company.
    Alone,
}

/// Instances of one parser, one at a time, over one input. A call makes a fresh one where there is none, or where the last one
/// was for other company.
pub trait Instances {
    /// How an instance ended.
    type End;
    /// Parses the records that begin in a range. What is committed leaves at `boundaries` only, where there are any, and where
    /// the call comes to its end.
    fn parse(&mut self, range: Span, company: Company, boundaries: &[u64]) -> Result<(), Self::End>;
    /// Asks for the first record boundary past `after`.
    fn resync(&mut self, after: u64, company: Company) -> Result<Option<u64>, Self::End>;
    /// Returns what a record can be blamed for, or `None` for an end that ends the run.
    fn cause(end: &Self::End) -> Option<Cause>;
    /// Returns the words for it: a short one, and all that there is to say.
    fn words(end: &Self::End) -> (String, crate::guest_text::GuestText);
    /// Returns the watermark.
    fn watermark(&mut self) -> u64;
    /// Returns the end of the furthest byte that was read since the last call began.
    fn read_up_to(&mut self) -> u64;
    /// Takes back what was said since the last commit.
    fn take_back(&mut self) -> Result<(), Self::End>;
    /// Passes on a record that is quarantined, and moves the watermark behind it.
    fn bury(&mut self, killer: Killer) -> Result<(), Self::End>;
}

/// Traps that no record was to blame for, told apart by killers: those before the first one, and those behind the last. Where
/// there was no killer both are all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restarts {
    /// Before the first killer.
    pub before: u64,
    /// Behind the last killer.
    pub behind: u64,
}

/// What going on has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toll {
    /// Traps of the parser, the last one included.
    pub traps: u64,
    /// Records that killed the parser and are quarantined.
    pub killers: u64,
    /// Their bytes.
    pub killer_bytes: u64,
}

impl Toll {
    /// Returns both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            traps: self.traps.saturating_add(other.traps),
            killers: self.killers.saturating_add(other.killers),
            killer_bytes: self.killer_bytes.saturating_add(other.killer_bytes),
        }
    }

    /// Counts a record that killed the parser, unless that is one too many of `limits`, or too large a one.
    pub fn count_killer(&mut self, limits: &Limits, bytes: u64) -> Result<(), LimitExceeded> {
        let Limits { killers_max, killer_bytes_max, .. } = *limits;
        let exceeded = |name, limit, current, wanted| Err(LimitExceeded { name, limit, current, wanted });
        if self.killers >= killers_max {
            return exceeded("records that kill the parser", killers_max, self.killers, 1);
        }
        if bytes > killer_bytes_max.saturating_sub(self.killer_bytes) {
            return exceeded(
                "bytes of records that kill the parser",
                killer_bytes_max,
                self.killer_bytes,
                bytes,
            );
        }
        self.killers += 1;
        self.killer_bytes += bytes;
        Ok(())
    }
}

/// Why a run does not go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// It was asked to fail, or nothing goes on behind such an end.
    #[error("nothing goes on behind it")]
    Final,
    /// The parser does not say where records begin.
    #[error(
        "the parser's resync names no boundary past byte {after}; one in Python has a resync if it is given one or plans `by_lines`"
    )]
    NoBoundary {
        /// What it was asked.
        after: u64,
    },
    /// A boundary that is none.
    #[error("the parser's resync named byte {boundary}, but one from {after} to {input_bytes} was asked for")]
    BadBoundary {
        /// What it said.
        boundary: u64,
        /// It must be past this.
        after: u64,
        /// And not past this.
        input_bytes: u64,
    },
    /// What killed the parser begins where it committed, and no record of its own making does.
    #[error(
        "it committed up to byte {committed}, where no record begins by its resync, and died before the next at {boundary}"
    )]
    OffBoundary {
        /// Up to where everything was said.
        committed: u64,
        /// The next boundary.
        boundary: u64,
    },
    /// A bound was reached.
    #[error("{0}")]
    Limit(LimitExceeded),
}

/// A run that does not go on.
#[derive(Debug)]
pub struct Final<E> {
    /// How the last instance ended.
    pub end: E,
    /// Why nothing goes on behind it.
    pub reason: Reason,
}

/// Parses a range of an input, and goes on behind records that kill the parser. What the bounds allow an input they allow a range;
/// [`crate::merge`] has the sum.
#[derive(Debug)]
pub struct Isolation {
    on_trap: OnTrap,
    input_bytes: u64,
    limits: Limits,
    /// Traps since the last killer was found.
    restarts: u64,
    /// Traps before the first one was.
    before: Option<u64>,
    toll: Toll,
    /// Whether anything goes on behind a trap of this parser. None: it has not been asked.
    goes_on: Option<Result<(), Reason>>,
}

impl Isolation {
    /// Begins with nothing counted.
    pub fn new(on_trap: OnTrap, limits: &Limits, input_bytes: u64) -> Self {
        Self {
            on_trap,
            input_bytes,
            limits: limits.clone(),
            restarts: 0,
            before: None,
            toll: Toll::default(),
            goes_on: match on_trap {
                OnTrap::Fail => Some(Err(Reason::Final)),
                OnTrap::Isolate if limits.reading_is_worth_fuel(input_bytes) => None,
                // Who cannot read far ahead has the same fuel either way: it is asked once it has trapped.
                OnTrap::Isolate => Some(Ok(())),
            },
        }
    }

    /// Returns what it has cost so far.
    pub fn toll(&self) -> Toll {
        self.toll
    }

    /// Returns the traps so far that no record was to blame for.
    pub fn restarts(&self) -> Restarts {
        Restarts { before: self.before.unwrap_or(self.restarts), behind: self.restarts }
    }

    /// Parses the records that begin in `range`. Fails with the last end and why nothing goes on behind it.
    pub fn parse<I: Instances>(&mut self, instances: &mut I, range: Span) -> Result<(), Final<I::End>> {
        let end = range.end().unwrap_or(self.input_bytes);
        let mut at = range.offset;
        if at >= end {
            return Ok(());
        }
        if let Err(reason) = self.foresee(instances, at)? {
            let parsed = instances.parse(between(at, end), Company::Sole, &[]);
            return parsed.map_err(|ended| self.fail::<I>(ended, reason));
        }
        // Where a fresh instance has begun after a trap.
        let mut fresh_at = None;
        while at < end {
            let Err(ended) = instances.parse(between(at, end), Company::Any, &[]) else { return Ok(()) };
            let read_up_to = instances.read_up_to();
            let (cause, ended) = self.take_back(instances, ended)?;
            let from = at.max(instances.watermark());
            // All has been said: whatever the parser died of, it is no record.
            if from >= end {
                return Err(is_final(ended));
            }
            let is_new = from > at || fresh_at != Some(at);
            if is_new && let Some(reason) = self.count_restart() {
                return Err(Final { end: ended, reason });
            }
            let behind = match is_new {
                true => self.first_boundary(instances, at, from)?,
                false => Ok(from),
            };
            let behind = match behind {
                Ok(boundary) => boundary,
                Err(reason) => return Err(Final { end: ended, reason }),
            };
            if behind > from {
                // What a parser says of the rest of a record is not to be believed: it does not know how the record began.
                let reason = Reason::OffBoundary { committed: from, boundary: behind };
                return Err(Final { end: ended, reason });
            }
            if is_new && cause != Cause::Fuel {
                (at, fresh_at) = (from, Some(from));
            } else {
                // One that spins would burn as much again.
                at = self.search(instances, between(from, end), read_up_to, ended)?;
                fresh_at = None;
            }
        }
        Ok(())
    }

    /// Finds out whether the run will go on behind a trap, before a parser that reads far ahead is given fuel for it.
    fn foresee<I: Instances>(
        &mut self,
        instances: &mut I,
        at: u64,
    ) -> Result<Result<(), Reason>, Final<I::End>> {
        if let Some(known) = &self.goes_on {
            return Ok(known.clone());
        }
        let traps = self.toll.traps;
        let known = self.boundary(instances, at, Company::Any)?.map(drop);
        // Over the question, and not over the input.
        self.toll.traps = traps;
        self.goes_on = Some(known.clone());
        Ok(known)
    }

    /// Ends a run that nothing goes on behind.
    fn fail<I: Instances>(&mut self, end: I::End, reason: Reason) -> Final<I::End> {
        match I::cause(&end) {
            Some(_) if self.on_trap == OnTrap::Isolate => {
                self.toll.traps += 1;
                Final { end, reason }
            }
            _ => is_final(end),
        }
    }

    /// Takes back what an instance said since its last commit, if its end is one that a record can be blamed for.
    fn take_back<I: Instances>(
        &mut self,
        instances: &mut I,
        ended: I::End,
    ) -> Result<(Cause, I::End), Final<I::End>> {
        let Some(cause) = I::cause(&ended) else { return Err(is_final(ended)) };
        self.toll.traps += 1;
        instances.take_back().map_err(is_final)?;
        Ok((cause, ended))
    }

    /// Counts a trap on the way to a killer, or to none.
    fn count_restart(&mut self) -> Option<Reason> {
        let restarts = self.restarts;
        self.restarts = restarts + 1;
        check_restarts(&self.limits, restarts, 1).err().map(Reason::Limit)
    }

    fn count_killer(&mut self, bytes: u64) -> Option<Reason> {
        if let Err(limit) = self.toll.count_killer(&self.limits, bytes) {
            return Some(Reason::Limit(limit));
        }
        self.before.get_or_insert(self.restarts);
        self.restarts = 0;
        None
    }

    /// Asks for a boundary and checks it. A parser that traps over the question has none to name.
    fn boundary<I: Instances>(
        &mut self,
        instances: &mut I,
        after: u64,
        company: Company,
    ) -> Result<Result<u64, Reason>, Final<I::End>> {
        match instances.resync(after, company) {
            Ok(Some(boundary)) if boundary > after && boundary <= self.input_bytes => Ok(Ok(boundary)),
            Ok(Some(boundary)) => {
                Ok(Err(Reason::BadBoundary { boundary, after, input_bytes: self.input_bytes }))
            }
            Ok(None) => Ok(Err(Reason::NoBoundary { after })),
            // Nothing was said that could be taken back.
            Err(ended) if I::cause(&ended).is_some() => {
                self.toll.traps += 1;
                Ok(Err(Reason::NoBoundary { after }))
            }
            Err(ended) => Err(is_final(ended)),
        }
    }

    /// Returns the first boundary from `from` on, where the watermark stands, and a fresh instance began at the boundary `at`.
    fn first_boundary<I: Instances>(
        &mut self,
        instances: &mut I,
        at: u64,
        from: u64,
    ) -> Result<Result<u64, Reason>, Final<I::End>> {
        if from > at {
            return self.boundary(instances, from - 1, Company::Any);
        }
        // It is one. That the parser can tell is all there is to know.
        Ok(self.boundary(instances, from, Company::Any)?.map(|_| from))
    }

    /// Looks for the record that ended an instance, which had read up to `read_up_to`. Returns where to go on: behind the killer,
    /// or behind all that was read where there is none.
    fn search<I: Instances>(
        &mut self,
        instances: &mut I,
        range: Span,
        read_up_to: u64,
        ended: I::End,
    ) -> Result<u64, Final<I::End>> {
        let end = range.end().unwrap_or(self.input_bytes);
        let until = read_up_to.min(end).max(range.offset.saturating_add(1));
        let mut at = range.offset;
        for _ in 0..STRETCHES_MAX {
            if at >= until {
                break;
            }
            let bounds = match self.stretch(instances, at, until)? {
                Ok(bounds) => bounds,
                Err(reason) => return Err(Final { end: ended, reason }),
            };
            if let Some(behind) = self.walk(instances, &bounds, end)? {
                return Ok(behind);
            }
            at = bounds.last().copied().unwrap_or(until);
        }
        Ok(at)
    }

    /// Lists the boundaries of the next records: one more than there are records, from `at` to the first one at or past `until`.
    fn stretch<I: Instances>(
        &mut self,
        instances: &mut I,
        at: u64,
        until: u64,
    ) -> Result<Result<Vec<u64>, Reason>, Final<I::End>> {
        let mut bounds = vec![at];
        let mut last = at;
        while last < until && bounds.len() <= STRETCH_RECORDS {
            match self.boundary(instances, last, Company::Search)? {
                Ok(boundary) => last = boundary,
                // What was found is looked at first: the killer may be among it.
                Err(_) if bounds.len() > 1 => break,
                Err(reason) => return Ok(Err(reason)),
            }
            bounds.push(last);
        }
        Ok(Ok(bounds))
    }

    /// Parses the records between boundaries, and where that ends an instance, parts of them. Returns where to go on behind a
    /// killer, or `None` where there is none. Depth follows from the length of the list: a part of one record has no parts.
    fn walk<I: Instances>(
        &mut self,
        instances: &mut I,
        bounds: &[u64],
        range_end: u64,
    ) -> Result<Option<u64>, Final<I::End>> {
        let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else { return Ok(None) };
        // Commits count at boundaries, so the watermark is one of them if it is among them.
        let (at, end) = (instances.watermark().max(*first), (*last).min(range_end));
        if at >= end {
            return Ok(None);
        }
        if bounds.len() <= 2 {
            return self.try_alone(instances, between(*first, *last));
        }
        let within: Vec<u64> = bounds.iter().map(|boundary| (*boundary).min(range_end)).collect();
        let parsed = instances.parse(between(at, end), Company::Search, &within);
        let Err(ended) = parsed else { return Ok(None) };
        let (_, ended) = self.take_back(instances, ended)?;
        if instances.watermark() >= end {
            return Err(is_final(ended));
        }
        let step = bounds.len().saturating_sub(1).div_ceil(PARTS);
        for from in (0..bounds.len() - 1).step_by(step) {
            let part = bounds.get(from..=(from + step).min(bounds.len() - 1)).unwrap_or_default();
            if let Some(behind) = self.walk(instances, part, range_end)? {
                return Ok(Some(behind));
            }
        }
        Ok(None)
    }

    /// Parses one record alone: all of it, also where a range of the plan ends in it. If that ends the instance, it is a killer:
    /// buried, and the end of it returned.
    fn try_alone<I: Instances>(
        &mut self,
        instances: &mut I,
        record: Span,
    ) -> Result<Option<u64>, Final<I::End>> {
        let end = record.end().unwrap_or(self.input_bytes);
        let alone = instances.parse(record, Company::Alone, &[end]);
        let Err(killed) = alone else { return Ok(None) };
        let (cause, killed) = self.take_back(instances, killed)?;
        // All has been said of it before.
        if instances.watermark() > record.offset {
            return Err(is_final(killed));
        }
        if let Some(reason) = self.count_killer(record.length) {
            return Err(Final { end: killed, reason });
        }
        let (word, message) = I::words(&killed);
        instances.bury(Killer { at: record, cause, word, message }).map_err(is_final)?;
        Ok(Some(end))
    }
}

/// Refuses more traps than a run may go on behind without a record to blame.
pub(crate) fn check_restarts(limits: &Limits, so_far: u64, more: u64) -> Result<(), LimitExceeded> {
    let limit = limits.restarts_max;
    let exceeded =
        LimitExceeded { name: "restarts behind traps", limit, current: so_far.min(limit), wanted: more };
    if more > limit.saturating_sub(so_far) { Err(exceeded) } else { Ok(()) }
}

fn is_final<E>(end: E) -> Final<E> {
    Final { end, reason: Reason::Final }
}

fn between(from: u64, to: u64) -> Span {
    Span { offset: from, length: to.saturating_sub(from) }
}
