//! Threads that encode. They are started before a worker is locked in, since none can be started later. Whoever has something to
//! encode hands it over and comes for it when it is needed; where there are no such threads it is encoded there and then.
//!
//! What comes out does not depend on how many threads there are, nor on which of them did it: work is handed over whole, and
//! whoever handed it over puts it together in an order of its own.

use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Most threads that are of use: judging a row group takes about a third of the time that encoding it does.
const THREADS_MAX: usize = 4;
/// Stack of such a thread. Columns are nested to a depth of 4, and zstd keeps its state on the heap.
const STACK_BYTES: usize = 2 << 20;

type Work = Box<dyn FnOnce() + Send>;

/// Threads that encode; by default none. They end when the last of these is dropped and all that was handed over is done.
#[derive(Clone, Default)]
pub struct Encoders {
    /// The way to the threads. None where there are none.
    work: Option<Sender<Work>>,
    count: usize,
}

/// Something that is being encoded.
pub(super) struct Pending<T>(Receiver<T>);

impl Encoders {
    /// Starts what is of use where so many threads may work on one input, and waits until they stand.
    pub fn beside(threads: usize) -> Self {
        // The guest and the judge do less than half of the work, and wait for each other.
        Self::start(if threads < 2 { 0 } else { threads.min(THREADS_MAX) })
    }

    /// Starts so many threads. Each has made its last system call of setting up when this returns. They are for speed: where
    /// the system has no more of them to give, those that stand do the work.
    pub(crate) fn start(wanted: usize) -> Self {
        let (work, theirs) = channel::<Work>();
        let theirs = Arc::new(Mutex::new(theirs));
        let (stands, standing) = channel();
        let mut count = 0;
        while count < wanted {
            let (theirs, stands) = (Arc::clone(&theirs), stands.clone());
            let thread = thread::Builder::new().name("encoder".to_owned()).stack_size(STACK_BYTES);
            let started = thread.spawn(move || {
                // Whoever has started us waits for it.
                let _ = stands.send(());
                serve(&theirs);
            });
            if started.is_err() {
                break;
            }
            count += 1;
        }
        drop(stands);
        standing.iter().take(count).for_each(drop);
        Self { work: (count > 0).then_some(work), count }
    }

    /// Returns how many threads there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Has something encoded. What it needs it owns.
    pub(super) fn begin<T: Send + 'static>(&self, encode: impl FnOnce() -> T + Send + 'static) -> Pending<T> {
        let (tell, told) = sync_channel(1);
        // Whoever does not come for it has failed and says so itself.
        let work = move || drop(tell.send(encode()));
        match &self.work {
            // Who hands it to threads that have all panicked finds nothing when it comes for it.
            Some(threads) => drop(threads.send(Box::new(work))),
            None => work(),
        }
        Pending(told)
    }
}

impl<T> Pending<T> {
    /// Waits until it is encoded. Returns `None` where a thread has panicked over it: the panic hook has told of that.
    pub(super) fn finish(self) -> Option<T> {
        self.0.recv().ok()
    }
}

/// Does what is handed over, one thing after another, until nobody can hand over anything more.
fn serve(work: &Mutex<Receiver<Work>>) {
    // The lock is for taking work and not for doing it.
    while let Ok(work) = next(work) {
        work();
    }
}

fn next(work: &Mutex<Receiver<Work>>) -> Result<Work, std::sync::mpsc::RecvError> {
    work.lock().unwrap_or_else(PoisonError::into_inner).recv()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn each_gets_what_it_handed_over_whoever_encoded_it() {
        for count in [0, 1, 3] {
            let encoders = Encoders::start(count);
            let begun: Vec<_> = (0..100).map(|number| encoders.begin(move || number * 2)).collect();
            let done: Vec<_> = begun.into_iter().map(Pending::finish).collect();
            assert_eq!(done, (0..100).map(|number| Some(number * 2)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn threads_work_side_by_side() {
        let encoders = Encoders::start(2);
        let meeting = Arc::new(Barrier::new(2));
        let begun = [Arc::clone(&meeting), meeting].map(|meeting| {
            encoders.begin(move || {
                meeting.wait();
            })
        });
        // Each waits for the other, so one thread alone would never come to an end.
        assert_eq!(begun.map(Pending::finish), [Some(()), Some(())]);
    }

    #[test]
    fn where_there_are_no_threads_nothing_leaves_the_callers() {
        let here = thread::current().id();
        let encoding = Encoders::default().begin(|| thread::current().id());
        assert_eq!(encoding.finish(), Some(here));
        let encoding = Encoders::start(1).begin(|| thread::current().id());
        assert!(encoding.finish().is_some_and(|there| there != here));
    }

    #[test]
    fn a_panic_leaves_nothing_to_come_for_and_the_other_threads_go_on() {
        let encoders = Encoders::start(2);
        let panicked = encoders.begin(|| panic!("on purpose"));
        assert_eq!(panicked.finish(), None::<()>);
        assert_eq!(encoders.begin(|| 7).finish(), Some(7));
    }

    #[test]
    fn threads_that_have_all_panicked_leave_nothing_to_come_for() {
        let encoders = Encoders::start(1);
        assert_eq!(encoders.begin(|| panic!("on purpose")).finish(), None::<()>);
        assert_eq!(encoders.begin(|| 7).finish(), None);
    }

    #[test]
    fn where_one_thread_may_work_there_are_none() {
        let counts = [0, 1, 2, 4, 64].map(|threads| Encoders::beside(threads).count());
        assert_eq!(counts, [0, 0, 2, 4, 4]);
    }
}
