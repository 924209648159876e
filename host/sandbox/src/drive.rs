//! One range of an input through a parser, in one instance as long as nothing goes wrong. What happens where it does is decided by
//! [`casparian_core::isolate`]; here are the instances.
//!
//! Every range has instances of its own, an intake of its own and fuel of its own, but that the first one goes on with the instance
//! that has planned. So whatever a guest can see follows from its range, and ranges can be parsed side by side.

use std::sync::Arc;

use casparian_core::description::Description;
use casparian_core::fault::{Blamed as _, FaultReport, Span};
use casparian_core::guest_text::GuestText;
use casparian_core::intake::{Intake, Killer, Said};
use casparian_core::isolate::{Cause, Company, Final, Instances, Isolation, OnTrap, Reason, Restarts, Toll};
use casparian_core::limits::Limits;
use casparian_core::wanted::Wanted;

use crate::compile::Loaded;
use crate::fault::SessionFault;
use crate::handles::Blob;
use crate::session::{Ended, Estate, Layout, Session, Setup, Usage};
use crate::state::{Ear, Grants, Hangup, Talk};

/// The size that a parser is asked to make its batches where a record is tried alone: no other is smaller, so none needs less.
const BATCH_BYTES_ALONE: u64 = 16 << 10;

/// What is to be parsed.
pub struct Job<'a> {
    /// Where instances come from.
    pub loaded: &'a Loaded,
    /// The input.
    pub input: Arc<dyn Blob>,
    /// The same input, with reads that give all that is asked for: what a record is given that is tried alone.
    pub input_alone: Arc<dyn Blob>,
    /// How it is cut.
    pub layout: &'a Layout,
    /// The options of the parser.
    pub options: &'a [(String, String)],
    /// What to do where it traps.
    pub on_trap: OnTrap,
}

/// What an instance is made with that parses a range by itself.
pub struct Apart<'a> {
    /// How it is opened.
    pub setup: Setup,
    /// What the parser has said that it is.
    pub description: &'a Description,
    /// The tables that somebody wants.
    pub wanted: Wanted,
    /// Hears what it says.
    pub ear: Ear,
}

/// A range was parsed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Driven {
    /// What its instances used.
    pub usage: Usage,
    /// What going on behind traps has cost.
    pub toll: Toll,
    /// The traps among them that no record was to blame for.
    pub restarts: Restarts,
}

/// A range was not parsed.
#[derive(Debug)]
pub struct Stopped {
    /// How the last instance ended.
    pub fault: SessionFault,
    /// Why nothing went on behind it.
    pub reason: Reason,
    /// What its instances used.
    pub usage: Usage,
    /// What going on behind earlier traps has cost.
    pub toll: Toll,
}

impl From<Ended> for Stopped {
    fn from(ended: Ended) -> Self {
        Self { fault: ended.fault, reason: Reason::Final, usage: ended.usage, toll: Toll::default() }
    }
}

impl Stopped {
    /// Returns the fault of the last instance, with what is to be known of the traps before it.
    pub fn report(&self) -> FaultReport {
        let mut report = self.fault.report();
        match &self.reason {
            Reason::Final => {}
            Reason::NoBoundary { .. } | Reason::OffBoundary { .. } => {
                report.hint = report.hint.or_else(|| Some(self.reason.to_string()));
            }
            Reason::BadBoundary { .. } => report.message = format!("{}; {}", report.message, self.reason),
            Reason::Limit(limit) => {
                let Toll { traps, killers, .. } = self.toll;
                let counted = format!("{traps} traps and {killers} records that kill the parser so far");
                report.message = format!("{}; {counted}, and nothing goes on: {limit}", report.message);
            }
        }
        report
    }
}

/// Parses a range, beginning with the session that has planned it.
pub fn drive(job: &Job<'_>, session: Session, range: Span) -> Result<Driven, Stopped> {
    drive_with(job, session, range, false)
}

/// Parses a range by itself.
pub fn drive_apart(job: &Job<'_>, apart: Apart<'_>, range: Span) -> Result<Driven, Stopped> {
    let opened = open_apart(job, apart, range.offset);
    let session = opened.map_err(|Ended { fault, usage, .. }| {
        let fault = SessionFault::NotReopened(Box::new(fault));
        Stopped { fault, reason: Reason::Final, usage, toll: Toll::default() }
    })?;
    drive_with(job, session, range, true)
}

fn open_apart(job: &Job<'_>, apart: Apart<'_>, offset: u64) -> Result<Session, Ended> {
    let Apart { setup, description, wanted, ear } = apart;
    let session = job.loaded.open(setup)?;
    session.attach_at(offset, Arc::clone(&job.input), description, wanted, ear)
}

fn drive_with(job: &Job<'_>, session: Session, range: Span, is_used: bool) -> Result<Driven, Stopped> {
    let mut isolation = Isolation::new(job.on_trap, session.limits(), job.input.len());
    let mut hands = Hands { job, held: Held::Session(Box::new(session)), company: Company::Any, is_used };
    let parsed = isolation.parse(&mut hands, range);
    let (usage, toll) = (hands.held.usage(), isolation.toll());
    match parsed {
        Ok(()) => Ok(Driven { usage, toll, restarts: isolation.restarts() }),
        Err(Final { end, reason }) => Err(Stopped { fault: end, reason, usage, toll }),
    }
}

/// An instance, or what the last one left.
enum Held {
    Session(Box<Session>),
    Estate(Box<Estate>),
    /// Only within a call.
    Nothing,
}

impl Held {
    fn talk(&mut self) -> Option<&mut Talk> {
        match self {
            Held::Session(session) => session.talk(),
            Held::Estate(estate) => estate.talk.as_mut(),
            Held::Nothing => None,
        }
    }

    fn usage(&self) -> Usage {
        match self {
            Held::Session(session) => session.usage(),
            Held::Estate(estate) => estate.usage(),
            Held::Nothing => Usage::default(),
        }
    }
}

struct Hands<'a> {
    job: &'a Job<'a>,
    held: Held,
    /// What company the instance is for.
    company: Company,
    /// Whether it is not the one that has planned any more, or was asked for a boundary: it has not the fuel then that one begins
    /// with.
    is_used: bool,
}

impl Hands<'_> {
    /// Returns the instance at hand, or a fresh one where there is none that is fit for the company.
    fn instance(&mut self, company: Company) -> Result<Session, SessionFault> {
        let estate = match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Session(session) if can_join(self.company, company) => return Ok(*session),
            Held::Session(session) => session.close(),
            Held::Estate(estate) => *estate,
            // Our bug, and the end of the run: a call left nothing behind.
            Held::Nothing => return Err(SessionFault::Hangup),
        };
        self.company = company;
        self.reopen(estate, company)
    }

    /// Makes a fresh instance. That there is none is no record's doing, whatever the reason.
    fn reopen(&mut self, mut estate: Estate, company: Company) -> Result<Session, SessionFault> {
        let is_alone = company == Company::Alone;
        let usual = Limits::default().batch_bytes_wanted;
        let batch_bytes =
            if is_alone { BATCH_BYTES_ALONE } else { estate.limits().batch_bytes_wanted.min(usual) };
        if let Some(talk) = &mut estate.talk {
            talk.batch_bytes = batch_bytes;
        }
        let input = if is_alone { &self.job.input_alone } else { &self.job.input };
        let reopened = self.job.loaded.reopen(estate, Arc::clone(input));
        reopened.map_err(|ended| SessionFault::NotReopened(Box::new(self.bequeath(ended))))
    }

    /// Hands an instance its fuel for a call.
    fn refill(&mut self, session: Session, fuel: u64, grants: Grants) -> Result<Session, SessionFault> {
        session.refill(fuel, grants).map_err(|ended| self.bequeath(ended))
    }

    /// Keeps what an ended instance left.
    fn bequeath(&mut self, ended: Ended) -> SessionFault {
        self.held = Held::Estate(ended.estate);
        ended.fault
    }

    /// Keeps the instance for the next call, or what it left.
    fn keep<T>(&mut self, called: Result<(Session, T), Ended>) -> Result<T, SessionFault> {
        match called {
            Ok((session, value)) => {
                self.held = Held::Session(Box::new(session));
                Ok(value)
            }
            Err(ended) => Err(self.bequeath(ended)),
        }
    }

    /// Says something on the guest's behalf.
    fn tell(&mut self, say: impl FnOnce(&mut Intake) -> Said) -> Result<(), SessionFault> {
        let talk = self.held.talk().ok_or(SessionFault::Hangup)?;
        let said = say(&mut talk.intake);
        (talk.ear)(said).map_err(|Hangup| SessionFault::Hangup)
    }
}

/// Whether an instance that was for some company is fit for another.
fn can_join(was: Company, company: Company) -> bool {
    match company {
        Company::Sole | Company::Any => matches!(was, Company::Sole | Company::Any),
        Company::Search => was == Company::Search,
        Company::Alone => false,
    }
}

impl Instances for Hands<'_> {
    type End = SessionFault;

    fn parse(&mut self, range: Span, company: Company, boundaries: &[u64]) -> Result<(), SessionFault> {
        let session = self.instance(company)?;
        let limits = session.limits();
        let fuel = match company {
            // The one that has planned goes on with what it has from the beginning.
            Company::Sole => {
                let is_used = std::mem::take(&mut self.is_used);
                is_used.then(|| (limits.fuel_to_begin(), Grants::CommitsAndReads))
            }
            Company::Any => Some((limits.fuel_to_begin(), Grants::Commits)),
            Company::Search => Some((limits.fuel_in_search(range.length), Grants::Nothing)),
            Company::Alone => Some((limits.fuel_alone(range.length), Grants::Nothing)),
        };
        let session = match fuel {
            Some((fuel, grants)) => self.refill(session, fuel, grants)?,
            None => session,
        };
        let Job { layout, options, .. } = self.job;
        let parsed = session.parse_between(range, boundaries, &layout.context, options);
        self.keep(parsed.map(|session| (session, ())))
    }

    fn resync(&mut self, after: u64, company: Company) -> Result<Option<u64>, SessionFault> {
        let session = self.instance(company)?;
        self.is_used = true;
        // A boundary may be far away: who reads on to find it has work to do.
        let fuel = session.limits().fuel_to_begin();
        let session = self.refill(session, fuel, Grants::CommitsAndReads)?;
        let answered = session.resync(&self.job.layout.context, after);
        self.keep(answered)
    }

    fn cause(end: &SessionFault) -> Option<Cause> {
        end.cause()
    }

    fn words(end: &SessionFault) -> (String, GuestText) {
        end.words()
    }

    fn watermark(&mut self) -> u64 {
        self.held.talk().map_or(0, |talk| talk.intake.watermark())
    }

    fn read_up_to(&mut self) -> u64 {
        self.held.talk().map_or(0, |talk| talk.read_up_to)
    }

    fn take_back(&mut self) -> Result<(), SessionFault> {
        self.tell(Intake::take_back)
    }

    fn bury(&mut self, killer: Killer) -> Result<(), SessionFault> {
        self.tell(|intake| intake.bury(killer))
    }
}
