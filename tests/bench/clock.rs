//! What one turn took.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;

/// What something took, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) wall: f64,
    /// Of all processors together.
    pub(crate) cpu: f64,
}

impl Spent {
    /// Measures something that happens on this thread alone.
    pub(crate) fn on_thread<T>(work: impl FnOnce() -> T) -> (T, Spent) {
        let (begun, cpu) = (Instant::now(), thread_seconds());
        let done = work();
        (done, Spent { cpu: thread_seconds() - cpu, wall: begun.elapsed().as_secs_f64() })
    }

    /// Measures something that happens in processes which this one starts and waits for, and in theirs.
    pub(crate) fn in_children<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(T, Spent)> {
        let (begun, cpu) = (Instant::now(), children_seconds()?);
        let done = work()?;
        let wall = begun.elapsed().as_secs_f64();
        Ok((done, Spent { cpu: children_seconds()? - cpu, wall }))
    }

    /// Returns the share of one thing among `count`.
    pub(crate) fn per(self, count: f64) -> Spent {
        Spent { wall: self.wall / count, cpu: self.cpu / count }
    }
}

fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Processor time of all children that were waited for, and of theirs: to the hundredth of a second.
fn children_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name in brackets may hold anything; `cutime` and `cstime` are the 16th and 17th field.
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat has another form")?;
    let mut ticks = 0;
    for field in fields.split_ascii_whitespace().skip(13).take(2) {
        ticks += field.parse::<u64>()?;
    }
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}
