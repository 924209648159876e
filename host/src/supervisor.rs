//! The supervisor's side of a worker: starts it, listens, and kills it at its deadline. It relies on nothing that the worker
//! does: neither its fuel nor its word.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use casparian_core::fault::{Blame, Blamed, FaultReport};
use casparian_core::limits::LimitExceeded;
use casparian_jail::{Confinement, Isolation};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use serde::Serialize;
use thiserror::Error;

use crate::link::{Link, LinkFault, Received};
use crate::orders::{News, Task};

/// How often somebody's wish to stop is looked at.
const STOP_EVERY: Duration = Duration::from_millis(50);

/// Processor time on top of a worker's deadline, for the supervisor to be the first to end it.
const CPU_SLACK_S: u64 = 2;

/// A worker did not come to its own end.
#[derive(Debug, Error)]
pub(crate) enum SupervisorFault {
    #[error("worker {exe} cannot be started: {error}")]
    Start { exe: String, error: io::Error },
    #[error(transparent)]
    Deadline(LimitExceeded),
    /// The parser has not been asked for anything yet.
    #[error(transparent)]
    UnpackDeadline(LimitExceeded),
    #[error("interrupted")]
    Interrupted,
    #[error("the worker died: {0}")]
    Died(String),
    #[error("the worker was killed for a system call that it may not make")]
    Violation,
    #[error("cpu s: limit {0}, used up")]
    CpuTime(u64),
    #[error("the worker said something that makes no sense here: {0}")]
    Misspoke(String),
    #[error("the socket between supervisor and worker: {0}")]
    Link(#[from] LinkFault),
}

impl Blamed for SupervisorFault {
    fn blame(&self) -> Blame {
        match self {
            SupervisorFault::Deadline(limit) => limit.blame(),
            SupervisorFault::CpuTime(_) => Blame::Guest,
            SupervisorFault::UnpackDeadline(_) => Blame::Input,
            SupervisorFault::Interrupted => Blame::Operator,
            _ => Blame::Host,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            SupervisorFault::Start { .. } => "worker-not-started",
            SupervisorFault::Deadline(limit) => limit.code(),
            SupervisorFault::UnpackDeadline(_) => "unpack-deadline",
            SupervisorFault::Interrupted => "interrupted",
            SupervisorFault::CpuTime(_) => "deadline-exceeded",
            SupervisorFault::Died(_) => "worker-crash",
            SupervisorFault::Violation => "sandbox-violation",
            SupervisorFault::Misspoke(_) | SupervisorFault::Link(_) => "internal",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SupervisorFault::Deadline(limit) => limit.hint(),
            SupervisorFault::UnpackDeadline(_) => {
                Some("unpack it beforehand, or give it more time: `--limit time=…`".to_owned())
            }
            SupervisorFault::Violation => Some(
                "nothing was published; either the parser has broken out of WebAssembly, or this system's library makes a \
                 call that we do not know (the kernel's log names it): do not trust the parser before you know which"
                    .to_owned(),
            ),
            SupervisorFault::Died(_) => {
                Some("nothing was published; if it happens again, do not trust this parser".to_owned())
            }
            _ => None,
        }
    }
}

impl From<SupervisorFault> for FaultReport {
    fn from(fault: SupervisorFault) -> Self {
        fault.report()
    }
}

/// A running worker. Dropping it kills it.
pub(crate) struct Worker {
    child: Child,
    link: Link,
    begun: Instant,
    /// What the deadline is for, as its fault calls it.
    deadline: &'static str,
    deadline_ms: u64,
    /// Whether it unpacks its input, which is no parser's affair.
    is_unpacking: bool,
    /// When it was started: what it has used of the processor since is no more than its threads had time for.
    born: Instant,
    threads: u64,
    /// What it may use of the processor, from its start on.
    cpu_s: u64,
    stop: Arc<AtomicBool>,
    /// The least that it must be locked in before it does anything.
    required: Isolation,
    /// How far it is locked in: its first word.
    confinement: Option<Confinement>,
}

impl Worker {
    /// Starts a worker that runs nothing unless it is isolated as is required, and gives it its task.
    pub(crate) fn start(
        exe: &Path,
        required: Isolation,
        task: &Task,
        fds: &[BorrowedFd<'_>],
        deadline_ms: u64,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, SupervisorFault> {
        let started = || -> io::Result<(Child, Link)> {
            let (link, theirs) = Link::pair()?;
            let mut command = Command::new(exe);
            // In a group of its own, so that Ctrl-C reaches the supervisor alone, which then says how the run ended.
            command
                .args(["worker", "--require-isolation", &required.to_string()])
                .env_clear()
                .current_dir("/")
                .process_group(0);
            // Threads have heaps of their own: with one for all they wait for its lock, and what lasts to a file's end (its
            // footer) comes to lie between batches, so that memory follows the length of a run. A worker that is locked in dies
            // of opening a file, so glibc must have no reason to: how many heaps there may be is said, or it reads how many
            // cores there are when there are nine; and no heap is ever large enough to be shrunk, for which it reads how freely
            // the kernel lends memory. With one threshold set it leaves the other where it is, which must lie above what is
            // made and freed with every batch. A compiler's addresses are bounded, and a heap reserves 64 MiB of them.
            let heaps_max = if matches!(task, Task::Compile { .. }) { "1" } else { "64" };
            command
                .env("MALLOC_ARENA_MAX", heaps_max)
                .env("MALLOC_TRIM_THRESHOLD_", "1099511627776")
                .env("MALLOC_MMAP_THRESHOLD_", "4194304");
            // The socket is its standard input: the one descriptor that needs no unsafe code to hand over.
            command.stdin(Stdio::from(theirs)).stdout(Stdio::null());
            // What it has to say it says over the socket: a terminal is not a worker's to write to.
            command.stderr(Stdio::null());
            Ok((command.spawn()?, link))
        };
        let (child, link) =
            started().map_err(|error| SupervisorFault::Start { exe: exe.display().to_string(), error })?;
        let deadline = if matches!(task, Task::Compile { .. }) { "compile ms" } else { "deadline ms" };
        let threads = thread::available_parallelism().map_or(1, usize::from).max(2) as u64;
        let (born, stop) = (Instant::now(), Arc::clone(stop));
        let mut worker = Self {
            child,
            link,
            born,
            begun: born,
            deadline,
            deadline_ms,
            is_unpacking: false,
            threads,
            cpu_s: 0,
            stop,
            required,
            confinement: None,
        };
        worker.bound_cpu();
        worker.link.send(task, fds)?;
        Ok(worker)
    }

    /// Gives it something more to do, with a deadline that begins now.
    pub(crate) fn give<T: Serialize>(
        &mut self,
        next: &T,
        fds: &[BorrowedFd<'_>],
        deadline_ms: u64,
    ) -> Result<(), SupervisorFault> {
        (self.begun, self.deadline_ms, self.is_unpacking) = (Instant::now(), deadline_ms, false);
        self.bound_cpu();
        Ok(self.link.send_now(next, fds)?)
    }

    /// Waits for the worker's next word. The deadline holds for a worker that never stops talking, too.
    pub(crate) fn hear(&mut self) -> Result<News, SupervisorFault> {
        let deadline = self.begun + Duration::from_millis(self.deadline_ms);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(SupervisorFault::Interrupted);
            }
            if Instant::now() >= deadline {
                return Err(self.overdue());
            }
            let until = deadline.min(Instant::now() + STOP_EVERY);
            match self.link.receive_until(until)? {
                Received::Message(News::Confined(confinement), _) if self.confinement.is_none() => {
                    self.confinement = Some(confinement);
                }
                Received::Message(news, _) if !self.may_say(&news) => {
                    return Err(SupervisorFault::Misspoke(word(&news)));
                }
                Received::Message(news, _) => return Ok(news),
                Received::Closed => return Err(self.died()),
                Received::Nothing => {}
            }
        }
    }

    /// Says whether a word may be heard: one that is not locked in as is required can only fail.
    fn may_say(&self, news: &News) -> bool {
        let is_locked_in = self.confinement.as_ref().is_some_and(|it| it.check(self.required).is_ok());
        is_locked_in || matches!(news, News::Failed { .. } | News::Log(_))
    }

    /// Gives it another deadline, from its beginning on, while it unpacks its input.
    pub(crate) fn unpacks(&mut self, deadline_ms: u64) {
        (self.deadline_ms, self.is_unpacking) = (deadline_ms, true);
        self.bound_cpu();
    }

    /// Gives it another deadline, from its beginning on: its input is unpacked, and not as large as it looked.
    pub(crate) fn has_unpacked(&mut self, deadline_ms: u64) {
        (self.deadline_ms, self.is_unpacking) = (deadline_ms, false);
        self.bound_cpu();
    }

    /// Gives it so much more time.
    pub(crate) fn prolong(&mut self, more_ms: u64) {
        self.deadline_ms = self.deadline_ms.saturating_add(more_ms);
        self.bound_cpu();
    }

    /// Returns how far it is locked in. None before it has said so.
    pub(crate) fn confinement(&self) -> Option<&Confinement> {
        self.confinement.as_ref()
    }

    /// Answers a worker's question. Whoever asks listens: there is room for the answer, or the worker is not ours any more.
    pub(crate) fn answer<T: Serialize>(
        &self,
        answer: &T,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), SupervisorFault> {
        Ok(self.link.send_now(answer, fds)?)
    }

    /// Names a word that is not due now.
    pub(crate) fn misspoke(&self, news: &News) -> FaultReport {
        SupervisorFault::Misspoke(word(news)).report()
    }

    fn overdue(&self) -> SupervisorFault {
        let spent = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let limit = self.deadline_ms;
        let exceeded = |name| LimitExceeded { name, limit, current: spent, wanted: 1 };
        match self.is_unpacking {
            true => SupervisorFault::UnpackDeadline(exceeded("unpack ms")),
            false => SupervisorFault::Deadline(exceeded(self.deadline)),
        }
    }

    /// Says how a worker ended that closed its socket. One that lives on without it would be waited for in vain; one that is
    /// ending keeps the end that it has.
    fn died(&mut self) -> SupervisorFault {
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) => self.ended(status),
            Err(error) => SupervisorFault::Died(format!("and nobody knows how: {error}")),
        }
    }

    /// Bounds its processor time by what its threads can use until the deadline: the deadline's second net, for when we are
    /// late. The bound is one that we may raise again when there is more to do.
    fn bound_cpu(&mut self) {
        let until = self.begun.duration_since(self.born) + Duration::from_millis(self.deadline_ms);
        let cpu_s = until.as_secs().saturating_add(CPU_SLACK_S).saturating_mul(self.threads);
        if cpu_s == self.cpu_s {
            return;
        }
        let maximum = getrlimit(Resource::Cpu).maximum;
        self.cpu_s = maximum.map_or(cpu_s, |maximum| maximum.min(cpu_s));
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // A worker that has ended already needs no bound.
        let _ = prlimit(pid, Resource::Cpu, Rlimit { current: Some(self.cpu_s), maximum });
    }

    fn ended(&self, status: ExitStatus) -> SupervisorFault {
        match status.signal().map(Signal::from_named_raw) {
            Some(Some(Signal::SYS)) => SupervisorFault::Violation,
            Some(Some(Signal::XCPU)) => SupervisorFault::CpuTime(self.cpu_s),
            _ => SupervisorFault::Died(epitaph(status)),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is what we want of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn word(news: &News) -> String {
    format!("{news:?}").chars().take(60).collect()
}

fn epitaph(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(6), _) => "SIGABRT (out of memory?)".to_owned(),
        (Some(9), _) => "SIGKILL (by somebody else, or the machine is out of memory)".to_owned(),
        (Some(11), _) => "SIGSEGV".to_owned(),
        (Some(25), _) => "SIGXFSZ (a file past its bound)".to_owned(),
        (Some(signal), _) => format!("signal {signal}"),
        (None, code) => format!("status {}", code.unwrap_or(-1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casparian_core::limits::Limits;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Mutex;

    /// A file that is open for writing cannot be run, and whoever is forked in between holds it open.
    static STARTING: Mutex<()> = Mutex::new(());

    /// Starts a script in a worker's place. It takes its task and then does what it likes.
    fn start(script: &str, deadline_ms: u64) -> (tempfile::TempDir, Worker) {
        start_required(Isolation::L0, script, deadline_ms)
    }

    fn start_required(required: Isolation, script: &str, deadline_ms: u64) -> (tempfile::TempDir, Worker) {
        let _alone = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("a folder");
        let exe = folder.path().join("worker");
        let text = format!("#!/bin/sh\ndd bs=131072 count=1 of=/dev/null 2>/dev/null\n{script}\n");
        std::fs::write(&exe, text).expect("written");
        std::fs::set_permissions(&exe, std::fs::Permissions::from_mode(0o700)).expect("executable");
        let task = Task::Compile { limits: Limits::default(), is_runtime: false, component_bytes: 0 };
        let worker =
            Worker::start(&exe, required, &task, &[], deadline_ms, &Arc::default()).expect("started");
        (folder, worker)
    }

    #[test]
    fn a_worker_that_hangs_up_and_lives_on_is_not_waited_for() {
        let (_folder, mut worker) = start("exec 0<&-; exec sleep 600", 60_000);
        assert!(matches!(worker.hear(), Err(SupervisorFault::Died(_))));
    }

    #[test]
    fn a_deadline_that_passes_while_an_input_is_unpacked_is_the_inputs() {
        let (_folder, mut worker) = start("exec sleep 600", 60_000);
        worker.unpacks(0);
        let fault = worker.hear().expect_err("it is overdue");
        assert_eq!((fault.code(), fault.blame()), ("unpack-deadline", Blame::Input));
        worker.has_unpacked(0);
        let fault = worker.hear().expect_err("it is overdue");
        assert_eq!(fault.blame(), Blame::Guest);
    }

    #[test]
    fn a_worker_that_never_stops_talking_meets_its_deadline() {
        let talk = format!("{CONFINED}; while :; do printf '\"Compiled\"' >&0; done");
        let (_folder, mut worker) = start(&talk, 300);
        let fault = (0..10_000_000).find_map(|_| worker.hear().err());
        assert!(matches!(fault, Some(SupervisorFault::Deadline(_))), "{fault:?}");
    }

    /// Locked in, and not all the way.
    const CONFINED: &str = r#"printf '{"Confined":{"level":"L2","missing":["a wall"]}}' >&0"#;

    #[test]
    fn a_worker_that_has_not_said_how_far_it_is_locked_in_is_not_heard() {
        let (_folder, mut worker) = start("printf '\"Compiled\"' >&0; exec sleep 600", 60_000);
        let heard = worker.hear();
        assert!(matches!(&heard, Err(SupervisorFault::Misspoke(word)) if word == "Compiled"), "{heard:?}");
    }

    #[test]
    fn a_worker_that_goes_on_with_less_than_is_required_is_not_heard() {
        let goes_on = format!("{CONFINED}; printf '\"Compiled\"' >&0; exec sleep 600");
        let (_folder, mut worker) = start_required(Isolation::L3, &goes_on, 60_000);
        let heard = worker.hear();
        assert!(matches!(&heard, Err(SupervisorFault::Misspoke(word)) if word == "Compiled"), "{heard:?}");
        let (_folder, mut worker) = start_required(Isolation::L2, &goes_on, 60_000);
        assert!(matches!(worker.hear(), Ok(News::Compiled)));
    }
}
