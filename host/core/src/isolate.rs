//! How a run goes on behind a record that kills its parser: the decisions, without an engine.
//!
//! ```text
//! an instance ends ──> what it said since its last commit is taken back
//!                  ──> a fresh one goes on from that commit ──> ends again, without another commit
//!                  ──> records are parsed in stretches, then one by one, in company
//!                  ──> the one that ends the instance is parsed once more, alone, in a fresh one
//!                  ──> ends it again: it is quarantined, and a fresh instance goes on behind it
//! ```
//!
//! Only the last step convicts. So the verdict follows from the record and the context alone: not from the sizes of batches and
//! reads, not from what was parsed before. Where records begin only the parser knows, so one that does not answer `resync` is not
//! gone on with: its answer is its word that it can be asked to parse from any boundary. Everything here is bounded:
//! so many killers, so many bytes of them, so many traps that nobody is to blame for.

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
    #[default]
    Fail,
    /// It goes on behind the record that did it, which is quarantined.
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
    /// As any range, with fuel that follows the watermark.
    Any,
    /// While a killer is looked for, with a budget of its own size.
    Search,
    /// By itself in a fresh instance, with the budget of a fresh instance, reads that give all that is asked for, and batches
    /// of the usual size: alike in every run.
    Alone,
}

/// Instances of one parser, one at a time, over one input. A call makes a fresh one where there is none, or where the last one
/// was for other company.
pub trait Instances {
    /// How an instance ended.
    type End;
    /// Parses the records that begin in a range.
    fn parse(&mut self, range: Span, company: Company) -> Result<(), Self::End>;
    /// Asks for the first record boundary past `after`.
    fn resync(&mut self, after: u64, company: Company) -> Result<Option<u64>, Self::End>;
    /// Returns what a record can be blamed for, or `None` for an end that ends the run.
    fn cause(end: &Self::End) -> Option<Cause>;
    /// Returns the words for it: a short one, and all that there is to say.
    fn words(end: &Self::End) -> (String, crate::guest_text::GuestText);
    /// Returns the watermark.
    fn watermark(&mut self) -> u64;
    /// Returns the end of the furthest byte that was read since the instance began.
    fn read_up_to(&mut self) -> u64;
    /// Takes back what was said since the last commit.
    fn take_back(&mut self) -> Result<(), Self::End>;
    /// Passes on a record that is quarantined, and moves the watermark behind it.
    fn bury(&mut self, killer: Killer) -> Result<(), Self::End>;
}

/// What going on has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toll {
    /// Traps that the run went on behind.
    pub traps: u64,
    /// Records that killed the parser and are quarantined.
    pub killers: u64,
    /// Their bytes.
    pub killer_bytes: u64,
}

/// Why a run does not go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// It was asked to fail, or nothing goes on behind such an end.
    #[error("nothing goes on behind it")]
    Final,
    /// The parser does not say where records begin.
    #[error("the parser's resync names no boundary past byte {after}")]
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

/// Parses one input range by range, and goes on behind records that kill the parser.
#[derive(Debug)]
pub struct Isolation {
    on_trap: OnTrap,
    input_bytes: u64,
    killers_max: u64,
    killer_bytes_max: u64,
    restarts_max: u64,
    /// Traps since the last killer was found.
    restarts: u64,
    toll: Toll,
}

impl Isolation {
    /// Begins with nothing counted.
    pub fn new(on_trap: OnTrap, limits: &Limits, input_bytes: u64) -> Self {
        let Limits { killers_max, killer_bytes_max, restarts_max, .. } = *limits;
        Self {
            on_trap,
            input_bytes,
            killers_max,
            killer_bytes_max,
            restarts_max,
            restarts: 0,
            toll: Toll::default(),
        }
    }

    /// Returns what it has cost so far.
    pub fn toll(&self) -> Toll {
        self.toll
    }

    /// Parses the records that begin in `range`. Fails with the last end and why nothing goes on behind it.
    pub fn parse<I: Instances>(&mut self, instances: &mut I, range: Span) -> Result<(), Final<I::End>> {
        let end = range.end().unwrap_or(self.input_bytes);
        let mut at = range.offset;
        // Where a fresh instance has begun after a trap.
        let mut fresh_at = None;
        while at < end {
            let Err(ended) = instances.parse(between(at, end), Company::Any) else { return Ok(()) };
            let cause = self.survive::<I>(&ended);
            let (Some(cause), read_up_to) = (cause, instances.read_up_to()) else {
                return Err(is_final(ended));
            };
            instances.take_back().map_err(is_final)?;
            let from = at.max(instances.watermark());
            // All has been said: whatever the parser died of, it is no record.
            if from >= end {
                return Err(is_final(ended));
            }
            let is_new = from > at || fresh_at != Some(at);
            if is_new && let Some(reason) = self.count_trap() {
                return Err(Final { end: ended, reason });
            }
            // One that spins would burn as much again.
            if is_new && cause != Cause::Fuel {
                match self.boundary(instances, from, Company::Any)? {
                    Ok(_) => (at, fresh_at) = (from, Some(from)),
                    Err(reason) => return Err(Final { end: ended, reason }),
                }
            } else {
                at = self.search(instances, between(from, end), read_up_to, ended)?;
                fresh_at = None;
            }
        }
        Ok(())
    }

    /// Returns what a record can be blamed for, if that is asked for at all.
    fn survive<I: Instances>(&self, end: &I::End) -> Option<Cause> {
        I::cause(end).filter(|_| self.on_trap == OnTrap::Isolate)
    }

    /// Counts a trap. Where a killer is found, those on the way to it were no restarts.
    fn count_trap(&mut self) -> Option<Reason> {
        let restarts = self.restarts;
        (self.restarts, self.toll.traps) = (restarts + 1, self.toll.traps + 1);
        let limit = LimitExceeded {
            name: "restarts behind traps",
            limit: self.restarts_max,
            current: restarts,
            wanted: 1,
        };
        (restarts >= self.restarts_max).then_some(Reason::Limit(limit))
    }

    fn count_killer(&mut self, bytes: u64) -> Option<Reason> {
        let exceeded = |name, limit, current, wanted| {
            Some(Reason::Limit(LimitExceeded { name, limit, current, wanted }))
        };
        if self.toll.killers >= self.killers_max {
            return exceeded("records that kill the parser", self.killers_max, self.toll.killers, 1);
        }
        if bytes > self.killer_bytes_max.saturating_sub(self.toll.killer_bytes) {
            let (limit, current) = (self.killer_bytes_max, self.toll.killer_bytes);
            return exceeded("bytes of records that kill the parser", limit, current, bytes);
        }
        self.restarts = 0;
        self.toll.killers += 1;
        self.toll.killer_bytes += bytes;
        None
    }

    /// Asks for a boundary and checks it. A parser that traps over the question has none to name.
    fn boundary<I: Instances>(
        &self,
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
            Err(ended) if self.survive::<I>(&ended).is_some() => {
                instances.take_back().map_err(is_final)?;
                Ok(Err(Reason::NoBoundary { after }))
            }
            Err(ended) => Err(is_final(ended)),
        }
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
            if let Some(behind) = self.walk(instances, &bounds)? {
                return Ok(behind);
            }
            at = bounds.last().copied().unwrap_or(until).max(instances.watermark());
        }
        Ok(at)
    }

    /// Lists the boundaries of the next records: one more than there are records, from `at` to the first one at or past `until`.
    fn stretch<I: Instances>(
        &self,
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
    ) -> Result<Option<u64>, Final<I::End>> {
        let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else { return Ok(None) };
        let at = instances.watermark().max(*first);
        if at >= *last {
            return Ok(None);
        }
        let Err(ended) = instances.parse(between(at, *last), Company::Search) else { return Ok(None) };
        if self.survive::<I>(&ended).is_none() {
            return Err(is_final(ended));
        }
        instances.take_back().map_err(is_final)?;
        if bounds.len() <= 2 {
            return self.try_alone(instances, between(*first, *last), ended);
        }
        let step = bounds.len().saturating_sub(1).div_ceil(PARTS);
        for from in (0..bounds.len() - 1).step_by(step) {
            let part = bounds.get(from..=(from + step).min(bounds.len() - 1)).unwrap_or_default();
            if let Some(behind) = self.walk(instances, part)? {
                return Ok(Some(behind));
            }
        }
        Ok(None)
    }

    /// Parses one record alone, which `ended` an instance in company. If it ends this one too, it is the killer: buried, and
    /// the end of it returned.
    fn try_alone<I: Instances>(
        &mut self,
        instances: &mut I,
        record: Span,
        ended: I::End,
    ) -> Result<Option<u64>, Final<I::End>> {
        let end = record.end().unwrap_or(self.input_bytes);
        let at = instances.watermark().max(record.offset);
        let alone = if at < end { instances.parse(between(at, end), Company::Alone) } else { Ok(()) };
        let Err(killed) = alone else { return self.acquit(ended) };
        let Some(cause) = self.survive::<I>(&killed) else { return Err(is_final(killed)) };
        instances.take_back().map_err(is_final)?;
        let at = instances.watermark().max(at);
        if at >= end {
            return self.acquit(killed);
        }
        if let Some(reason) = self.count_killer(end - at) {
            return Err(Final { end: killed, reason });
        }
        let (word, message) = I::words(&killed);
        instances.bury(Killer { at: between(at, end), cause, word, message }).map_err(is_final)?;
        Ok(Some(end))
    }

    /// Counts a trap that no record is to blame for: one that ended an instance in company, and not by itself.
    fn acquit<E>(&mut self, ended: E) -> Result<Option<u64>, Final<E>> {
        match self.count_trap() {
            Some(reason) => Err(Final { end: ended, reason }),
            None => Ok(None),
        }
    }
}

fn is_final<E>(end: E) -> Final<E> {
    Final { end, reason: Reason::Final }
}

fn between(from: u64, to: u64) -> Span {
    Span { offset: from, length: to.saturating_sub(from) }
}
