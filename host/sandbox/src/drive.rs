//! A whole input through a parser: its ranges one after the other, in one instance as long as nothing goes wrong. What happens
//! where it does is decided by [`casparian_core::isolate`]; here are the instances.

use std::sync::Arc;

use casparian_core::fault::{Blamed as _, FaultReport, Span};
use casparian_core::guest_text::GuestText;
use casparian_core::intake::{Intake, Killer, Said};
use casparian_core::isolate::{Cause, Company, Final, Instances, Isolation, OnTrap, Reason, Toll};
use casparian_core::limits::Limits;

use crate::compile::Loaded;
use crate::fault::SessionFault;
use crate::handles::Blob;
use crate::session::{Ended, Estate, Layout, Session, Usage};
use crate::state::{Hangup, Talk};

/// How much of the base a search may burn for each stretch of records.
const SEARCH_SHARE: u64 = 4;

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

/// An input was parsed.
#[derive(Debug, Clone, Copy)]
pub struct Driven {
    /// What its instances used.
    pub usage: Usage,
    /// What going on behind traps has cost.
    pub toll: Toll,
}

/// An input was not parsed.
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
            Reason::NoBoundary { .. } => {
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

/// Parses all ranges of an input, beginning with a session that has planned them.
pub fn drive(job: &Job<'_>, session: Session) -> Result<Driven, Stopped> {
    let mut isolation = Isolation::new(job.on_trap, session.limits(), job.input.len());
    let mut hands = Hands { job, held: Held::Session(Box::new(session)), company: Company::Any };
    for range in &job.layout.ranges {
        if let Err(Final { end, reason }) = isolation.parse(&mut hands, *range) {
            let (usage, toll) = (hands.held.usage(), isolation.toll());
            return Err(Stopped { fault: end, reason, usage, toll });
        }
    }
    Ok(Driven { usage: hands.held.usage(), toll: isolation.toll() })
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
}

impl Hands<'_> {
    /// Returns the instance at hand, or a fresh one where there is none that is fit for the company.
    fn instance(&mut self, company: Company) -> Result<Session, SessionFault> {
        let estate = match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Session(session) if self.company == company && company != Company::Alone => {
                return Ok(*session);
            }
            Held::Session(session) => session.close(),
            Held::Estate(estate) => *estate,
            // Our bug, and the end of the run: a call left nothing behind.
            Held::Nothing => return Err(SessionFault::Hangup),
        };
        self.company = company;
        self.reopen(estate, company)
    }

    fn reopen(&mut self, mut estate: Estate, company: Company) -> Result<Session, SessionFault> {
        let is_alone = company == Company::Alone;
        let limits = if is_alone { &Limits::default() } else { estate.limits() };
        let batch_bytes = limits.batch_bytes_wanted;
        if let Some(talk) = &mut estate.talk {
            talk.batch_bytes = batch_bytes;
        }
        let input = if is_alone { &self.job.input_alone } else { &self.job.input };
        let reopened = self.job.loaded.reopen(estate, Arc::clone(input), company != Company::Any);
        reopened.map_err(|ended| self.bequeath(ended))
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

impl Instances for Hands<'_> {
    type End = SessionFault;

    fn parse(&mut self, range: Span, company: Company) -> Result<(), SessionFault> {
        let mut session = self.instance(company)?;
        if company == Company::Search {
            let limits = session.limits();
            let base = limits.fuel_base / SEARCH_SHARE;
            let fuel = base.saturating_add(limits.fuel_per_byte.saturating_mul(range.length));
            session = session.refill(fuel, None).map_err(|ended| self.bequeath(ended))?;
        }
        let Job { layout, options, .. } = self.job;
        let parsed = session.parse(range, &layout.context, options);
        self.keep(parsed.map(|session| (session, ())))
    }

    fn resync(&mut self, after: u64, company: Company) -> Result<Option<u64>, SessionFault> {
        let session = self.instance(company)?;
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
