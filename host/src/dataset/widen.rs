//! Tables that are united: all parts of one have the same columns in the end. A part that was complete before all of them were
//! known is written again, by a worker that runs no parser; what it reads another worker wrote, so it is locked in as that one was.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use casparian_core::fault::{Blamed as _, FaultReport};
use casparian_core::id::TableName;

use super::ManyRequest;
use super::crew::Columns;
use super::settle::Settled;
use crate::columns;
use crate::orders::{Answer, FileFor, MadeBy, News, NextPart, Task, Widening};
use crate::staging::Staging;
use crate::supervisor::Worker;

/// Parts that are to be written again, and where they stand.
struct Widen<'a> {
    request: &'a ManyRequest,
    staging: &'a Staging,
    columns: &'a Columns,
    made_by: (MadeBy, usize),
    parts: Vec<(FileFor, String)>,
    next: AtomicUsize,
    /// Set when one thread has failed: there is nothing to be done any more.
    halt: Arc<AtomicBool>,
}

/// Writes parts again that lack columns, and gives all of them their places.
pub(super) fn widen(
    request: &ManyRequest,
    staging: &Staging,
    settled: &mut Settled<'_>,
) -> Result<(), FaultReport> {
    let parts = settled.take_unplaced();
    // Without a claim every input has failed, and there is nothing to publish.
    let Some(made_by) = settled.made_by() else { return Ok(()) };
    let columns = settled.columns().clone();
    let widen = Widen {
        request,
        staging,
        columns: &columns,
        made_by,
        parts,
        next: AtomicUsize::new(0),
        halt: Arc::default(),
    };
    let names = widen.all()?;
    let whats = widen.parts.into_iter().map(|(what, _)| what);
    whats.zip(names).try_for_each(|(what, name)| settled.place(staging, what, &name))
}

impl Widen<'_> {
    /// Returns what parts are called now.
    fn all(&self) -> Result<Vec<String>, FaultReport> {
        let names = Mutex::new(self.parts.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>());
        let jobs = self.request.jobs.clamp(1, self.parts.len().max(1));
        let ended = thread::scope(|scope| {
            let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(|| self.some(&names))).collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())));
            joined.collect::<Vec<_>>()
        });
        // Who stopped because another one had failed has nothing to say.
        let fault = |ended: Result<(), FaultReport>| ended.err();
        let (halted, told): (Vec<_>, Vec<_>) =
            ended.into_iter().filter_map(fault).partition(|fault| fault.code == "interrupted");
        match told.into_iter().chain(halted).next() {
            Some(fault) => Err(fault),
            None => Ok(names.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// What one thread does: a part after the other, with a worker of its own.
    fn some(&self, names: &Mutex<Vec<String>>) -> Result<(), FaultReport> {
        let done = self.some_parts(names);
        if done.is_err() {
            self.halt.store(true, Ordering::Relaxed);
        }
        done
    }

    fn some_parts(&self, names: &Mutex<Vec<String>>) -> Result<(), FaultReport> {
        let mut worker = None;
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((what, name)) = self.parts.get(at).filter(|_| !self.halt.load(Ordering::Relaxed)) else {
                return Ok(());
            };
            let FileFor::Table(table) = what else { continue };
            let worker = match &mut worker {
                Some(worker) => worker,
                none => none.insert(self.start()?),
            };
            if let Some(again) = self.one(worker, table, name)? {
                self.staging.drop_part(name).map_err(|fault| fault.report())?;
                if let Some(name) = names.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
                    *name = again;
                }
            }
        }
    }

    /// Starts a worker, and tells it the columns of all tables.
    fn start(&self) -> Result<Worker, FaultReport> {
        let each = &self.request.each;
        let (made_by, tables_wanted) = self.made_by.clone();
        let task = Task::Widen(Box::new(Widening { made_by, format: each.format, tables_wanted }));
        let deadline_ms = each.limits.deadline_ms(0);
        let (exe, required) = (&each.worker_exe, each.require_isolation);
        let mut worker = Worker::start(exe, required, &task, &[], deadline_ms, &each.stop)?;
        rests(&mut worker)?;
        for (table, columns) in self.columns {
            for (columns, _) in columns::pieces(columns) {
                let next = NextPart::Columns { table: table.clone(), columns };
                worker.give(&next, &[], deadline_ms)?;
                rests(&mut worker)?;
            }
        }
        Ok(worker)
    }

    /// Has a part written again. Returns what it is called now; none: it is as it should be.
    fn one(&self, worker: &mut Worker, table: &TableName, name: &str) -> Result<Option<String>, FaultReport> {
        let report = |fault: crate::staging::StagingFault| fault.report();
        let part = self.staging.open_part(name).map_err(report)?;
        let bytes = part.metadata().map_or(0, |found| found.len());
        let deadline_ms = self.request.each.limits.deadline_ms(bytes);
        worker.give(&NextPart::Part(table.clone()), &[part.as_fd()], deadline_ms)?;
        let mut again = None;
        loop {
            match worker.hear()? {
                News::File(FileFor::Table(wanted)) if wanted == *table && again.is_none() => {
                    let name = format!("{name}-again");
                    let file = self.staging.create_part(&name, false).map_err(report)?;
                    worker.answer(&Answer { error: None }, &[file.as_fd()])?;
                    again = Some(name);
                }
                News::Widened(is_again) if is_again == again.is_some() => return Ok(again),
                News::Failed { fault, .. } => return Err(fault),
                other => return Err(worker.misspoke(&other)),
            }
        }
    }
}

/// Waits until a worker has heard what it was given.
fn rests(worker: &mut Worker) -> Result<(), FaultReport> {
    match worker.hear()? {
        News::Rests => Ok(()),
        News::Failed { fault, .. } => Err(fault),
        other => Err(worker.misspoke(&other)),
    }
}

fn panicked() -> FaultReport {
    super::settle::internal("a thread of the supervisor has panicked".to_owned())
}
