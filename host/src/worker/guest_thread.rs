//! The threads where guests run: made once, before the worker is locked in, and handed one call after another. Later no thread
//! can be made, so whoever wants a guest called hands the call to one of these.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use casparian_core::fault::FaultReport;
use casparian_core::limits::Limits;
use casparian_sandbox::on_this_thread_alone;

use super::internal;

/// Stack for the host's own calls, on top of the guest's.
const HOST_STACK_BYTES: usize = 2 * 1024 * 1024;

type Call = Box<dyn FnOnce() + Send>;

/// A thread with a stack of the guest's size. It ends when this is dropped and its last call has returned.
pub(super) struct GuestThread {
    calls: Sender<Call>,
}

/// Threads for as many guests as run at a time.
pub(super) struct GuestThreads {
    first: GuestThread,
    others: Vec<GuestThread>,
}

impl GuestThreads {
    /// Starts so many threads, at least one, and waits until all of them stand. All but the first are for speed: where the system
    /// has no more to give, those that stand do the work.
    pub(super) fn start(limits: &Limits, count: usize) -> Result<Self, FaultReport> {
        let first = GuestThread::start(limits)?;
        let others = (1..count).map_while(|_| GuestThread::start(limits).ok()).collect();
        Ok(Self { first, others })
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// Returns the one where an input is planned.
    pub(super) fn first(&self) -> &GuestThread {
        &self.first
    }

    /// Returns all but the first.
    pub(super) fn others(&self) -> &[GuestThread] {
        &self.others
    }
}

/// A call that is being made.
pub(super) struct Calling<T> {
    result: Receiver<T>,
}

impl GuestThread {
    /// Starts the thread, and waits until it stands: it makes its last system call of setting up before this returns.
    pub(super) fn start(limits: &Limits) -> Result<Self, FaultReport> {
        let (calls, theirs) = channel::<Call>();
        let stack_bytes = usize::try_from(limits.stack_bytes_max).unwrap_or(usize::MAX);
        let thread = thread::Builder::new()
            .name("guest".to_owned())
            .stack_size(stack_bytes.saturating_add(HOST_STACK_BYTES))
            // If this fails, the first call finds nobody there.
            .spawn(move || on_this_thread_alone(|| theirs.into_iter().for_each(|call| call())));
        thread.map_err(|error| not_started(&error))?;
        let guest_thread = Self { calls };
        guest_thread.run(|| ())?;
        Ok(guest_thread)
    }

    /// Makes a call and waits for it.
    pub(super) fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FaultReport> {
        self.begin(call)?.finish()
    }

    /// Begins a call. What it needs it owns: nobody can promise a long-lived thread that something borrowed is still there.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Calling<T>, FaultReport> {
        let (tell, result) = channel();
        // Whoever no longer waits for the result has failed and says so itself.
        let call = Box::new(move || drop(tell.send(call())));
        self.calls.send(call).map_err(|_| panicked())?;
        Ok(Calling { result })
    }
}

impl<T> Calling<T> {
    /// Waits until the call has returned.
    pub(super) fn finish(self) -> Result<T, FaultReport> {
        self.result.recv().map_err(|_| panicked())
    }
}

/// A panic ends the thread. What was wrong the panic hook has told; who calls after it is told this.
pub(super) fn panicked() -> FaultReport {
    internal("the host panicked on the guest's thread".to_owned())
}

fn not_started(error: &io::Error) -> FaultReport {
    internal(format!("starting the guest's thread: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_calls_are_made_on_the_same_thread_in_their_order() {
        let thread = GuestThread::start(&Limits::default()).expect("a thread");
        let first = thread.begin(|| thread::current().id()).expect("a call");
        let second = thread.run(|| thread::current().id()).expect("a call");
        assert_eq!(first.finish().expect("an id"), second);
        assert_ne!(second, thread::current().id());
    }

    #[test]
    fn a_call_that_panics_is_an_internal_fault_and_so_is_every_call_after_it() {
        let thread = GuestThread::start(&Limits::default()).expect("a thread");
        assert_eq!(thread.run(|| panic!("on purpose")).expect_err("a fault").code, "internal");
        assert_eq!(thread.run(|| ()).expect_err("a fault").code, "internal");
    }

    #[test]
    fn a_call_nobody_waits_for_does_not_stop_the_next() {
        let thread = GuestThread::start(&Limits::default()).expect("a thread");
        drop(thread.begin(|| ()).expect("a call"));
        assert_eq!(thread.run(|| 7).expect("a result"), 7);
    }
}
