//! Faults at system calls: a run is killed at one, or is told that a disk is full, broken, or has no descriptor left. What was
//! there before is there, or all of what is new; the fault has a name; and the next run goes well and leaves nothing behind.
//!
//! `strace` counts the calls of a run once and then makes the nth fail, in the supervisor alone or in whatever thread gets
//! that far. Calls of the loader, of memory and of threads are left out: they are not ours to survive. Of some thousand
//! points every so manieth is tried here, the same on every machine; `cargo xtask sweep` tries all, `CASPARIAN_SWEEP=n` n of
//! them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

use crate::host::{Desk, INPUT, OUT, guest, names, program};

/// Points that an ordinary run of the suite tries.
const POINTS_IN_PASSING: usize = 90;
/// Calls that no run is to survive, or that touch nothing but the process.
const NOT_OURS: [&str; 38] = [
    "access",
    "arch_prctl",
    "brk",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "clone",
    "clone3",
    "execve",
    "exit",
    "exit_group",
    "futex",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "getuid",
    "gettid",
    "ioctl",
    "kill",
    "madvise",
    "mmap",
    "mprotect",
    "munmap",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "tgkill",
    "uname",
    "vfork",
];

/// What a call comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Killed,
    Error(&'static str),
}

const FAULTS: [Fault; 5] = [
    Fault::Killed,
    Fault::Error("ENOSPC"),
    Fault::Error("EIO"),
    Fault::Error("EINTR"),
    Fault::Error("EMFILE"),
];

/// Where a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Point {
    fault: Fault,
    call: String,
    /// From 1, in each thread.
    nth: usize,
    /// Whether the workers are struck too.
    in_workers: bool,
}

/// What takes up space on a disk, or is where a disk says at last that it has none.
const FILLS: [&str; 12] = [
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "openat",
    "openat2",
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
];
/// What a disk that fails says so at.
const FAILS: [&str; 8] =
    ["read", "pread64", "getdents64", "statx", "newfstatat", "unlinkat", "ftruncate", "readlink"];
/// What makes a descriptor.
const OPENS: [&str; 5] = ["open", "openat", "openat2", "socketpair", "memfd_create"];
/// What a signal may end before it is done.
const WAITS: [&str; 8] = ["read", "pread64", "write", "pwrite64", "sendmsg", "recvmsg", "ppoll", "wait4"];

impl Point {
    /// Whether machines do this. Then it has a name of its own; all the rest may be called internal, and does no more harm.
    fn is_likely(&self) -> bool {
        let call = &self.call.as_str();
        match self.fault {
            Fault::Killed => true,
            Fault::Error("ENOSPC") => FILLS.contains(call),
            Fault::Error("EIO") => FILLS.contains(call) || FAILS.contains(call),
            Fault::Error("EMFILE") => OPENS.contains(call),
            Fault::Error(_) => WAITS.contains(call),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, nth) = (&self.call, self.nth);
        match self.fault {
            Fault::Killed => write!(f, "{call}:signal=SIGKILL:when={nth}"),
            Fault::Error(name) => write!(f, "{call}:error={name}:when={nth}"),
        }
    }
}

/// What is run: what stands in the place of the output, and what the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// Nothing is there yet.
    New,
    /// A folder is exchanged.
    Replace,
    /// A file and the folder about it are exchanged.
    ReplaceFile,
    /// The parser has not been compiled yet.
    Cold,
    /// Rows are added to a database.
    Load,
}

const SCENES: [Scene; 5] = [Scene::Replace, Scene::New, Scene::ReplaceFile, Scene::Cold, Scene::Load];
const FILE_OUT: &str = "rows.parquet";
const DATABASE: &str = "rows.db";
/// What SQLite may leave of a dead loader until somebody writes again.
const JOURNAL: &str = "rows.db-journal";

/// What is to be seen of an output: each file's bytes, of a receipt what it claims.
type State = BTreeMap<String, Vec<u8>>;

/// A desk on which one scene is played again and again.
struct Stage {
    desk: Desk,
    scene: Scene,
    cache: PathBuf,
    old: State,
    new: State,
}

impl Stage {
    fn new(scene: Scene) -> Self {
        let desk = Desk::new(b"one=1\nbad\n");
        let cache = desk.path("cache");
        let mut stage = Self { desk, scene, cache, old: State::new(), new: State::new() };
        if scene == Scene::Load {
            stage.play_well("one=1\nbad\n");
        }
        stage.play_well("one=1\ntwo=2\nbad\n");
        stage.new = stage.state();
        stage.set();
        stage.old = stage.state();
        stage
    }

    fn out(&self) -> &'static str {
        match self.scene {
            Scene::ReplaceFile => FILE_OUT,
            Scene::Load => DATABASE,
            _ => OUT,
        }
    }

    fn words(&self) -> Vec<PathBuf> {
        let mut words = vec!["run".into(), guest("hello_parser"), self.desk.path(INPUT), "--json".into()];
        let out = self.desk.path(self.out());
        match self.scene {
            Scene::Load => words.extend(["--sink".into(), format!("sqlite://{}", out.display()).into()]),
            _ => words.extend(["--replace".into(), "--out".into(), out]),
        }
        words
    }

    fn dress<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("CASPARIAN_CACHE_DIR", &self.cache).env("NO_COLOR", "1").stdin(Stdio::null())
    }

    /// A run that nothing befalls.
    fn play_well(&self, input: &str) {
        self.desk.write(INPUT, input.as_bytes());
        let output =
            self.dress(Command::new(program()).args(self.words())).output().expect("the program starts");
        assert!(output.status.success(), "a run that nothing befalls: {}", said(&output));
    }

    /// Puts everything back as it is before a run.
    fn set(&self) {
        for place in [OUT, FILE_OUT, "rows.parquet.about", DATABASE, JOURNAL, "cache"] {
            let path = self.desk.path(place);
            match place {
                "cache" if self.scene != Scene::Cold => {}
                _ if path.is_dir() => std::fs::remove_dir_all(path).expect("a folder goes"),
                _ if path.exists() => std::fs::remove_file(path).expect("a file goes"),
                _ => {}
            }
        }
        if matches!(self.scene, Scene::Replace | Scene::ReplaceFile | Scene::Load) {
            self.play_well("one=1\nbad\n");
        }
        self.desk.write(INPUT, b"one=1\ntwo=2\nbad\n");
    }

    fn state(&self) -> State {
        let mut state = State::new();
        for place in [OUT, FILE_OUT, "rows.parquet.about", DATABASE] {
            let path = self.desk.path(place);
            if path.is_file() {
                state.insert(place.to_owned(), seen(&path));
            } else if path.is_dir() {
                let files =
                    names(&path).into_iter().map(|name| (format!("{place}/{name}"), seen(&path.join(name))));
                state.extend(files);
            }
        }
        state
    }

    /// Runs under `strace` with these of its words.
    fn traced(&self, words: &[&str]) -> Output {
        let mut strace = Command::new("strace");
        strace
            .args(words)
            .args(["-o"])
            .arg(self.desk.path("trace"))
            .arg("--")
            .arg(program())
            .args(self.words());
        self.dress(&mut strace).output().expect("strace starts")
    }

    /// Lists where this scene can be struck.
    fn points(&self) -> Vec<Point> {
        self.set();
        let output = self.traced(&["-f"]);
        assert!(output.status.success(), "a run that is only looked at: {}", said(&output));
        let trace = std::fs::read_to_string(self.desk.path("trace")).expect("a trace");
        let calls = Calls::read(&trace);
        let mut points = Vec::new();
        for (in_workers, counts) in [(false, calls.of_supervisor()), (true, calls.of_others())] {
            for (call, range) in counts {
                for nth in range {
                    points.extend(FAULTS.map(|fault| Point { fault, call: call.clone(), nth, in_workers }));
                }
            }
        }
        points
    }

    /// Strikes once. Returns what is wrong with what came of it.
    fn strike(&self, point: &Point) -> Option<String> {
        self.set();
        let injection = format!("inject={point}");
        let everywhere: &[&str] = if point.in_workers { &["-f"] } else { &[] };
        let output = self.traced(&[everywhere, &["-e", &injection]].concat());
        let wrong = self.wrong_at_once(point, &output).or_else(|| self.wrong_afterwards());
        wrong.map(|wrong| {
            format!(
                "{:?} {point}{}: {wrong}\n    {}",
                self.scene,
                if point.in_workers { " (all)" } else { "" },
                said(&output)
            )
        })
    }

    fn wrong_at_once(&self, point: &Point, output: &Output) -> Option<String> {
        let state = self.state();
        let is_new = state == self.new;
        if !is_new && state != self.old && !self.is_between(&state) {
            return Some(format!(
                "neither the old state nor the new: {:?}",
                state.keys().collect::<Vec<_>>()
            ));
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        if stderr.contains("panicked") {
            return Some("it panicked".to_owned());
        }
        let is_silenced = point.fault == Fault::Killed || (point.call == "write" && output.stdout.is_empty());
        match output.status.code() {
            // The mark on what is about a file says nothing where the file is.
            Some(0)
                if is_new || state.get(FILE_OUT).is_some_and(|file| self.new.get(FILE_OUT) == Some(file)) =>
            {
                None
            }
            Some(0) => Some("it says that it went well, and nothing new is there".to_owned()),
            _ if is_silenced => None,
            _ => wrong_words(point, output),
        }
    }

    /// Of an output that is a file, what is about it comes first, with a mark on it.
    fn is_between(&self, state: &State) -> bool {
        let mark = format!("{FILE_OUT}.about/_unfinished");
        let is_marked = state.contains_key(&mark);
        let mut about: State = state.clone();
        about.remove(&mark);
        let file = about.get(FILE_OUT);
        let rest_is = |of: &State| {
            about
                .iter()
                .filter(|(name, _)| *name != FILE_OUT)
                .eq(of.iter().filter(|(name, _)| *name != FILE_OUT))
        };
        self.scene == Scene::ReplaceFile
            && is_marked
            && rest_is(&self.new)
            && (file == self.old.get(FILE_OUT) || file == self.new.get(FILE_OUT))
    }

    /// The next run goes well, and sweeps up.
    fn wrong_afterwards(&self) -> Option<String> {
        let output =
            self.dress(Command::new(program()).args(self.words())).output().expect("the program starts");
        if !output.status.success() {
            return Some(format!("the next run fails: {}", said(&output)));
        }
        let left: Vec<String> = self.desk.names();
        let expected = |name: &String| {
            [INPUT, OUT, "cache", "trace", FILE_OUT, "rows.parquet.about", DATABASE, JOURNAL]
                .contains(&name.as_str())
        };
        let odd: Vec<&String> = left.iter().filter(|name| !expected(name)).collect();
        match self.state() == self.new && odd.is_empty() {
            true => None,
            false => {
                Some(format!("the next run leaves {odd:?} and {:?}", self.state().keys().collect::<Vec<_>>()))
            }
        }
    }
}

/// A run that failed says why: by a report with a fault that has a name, or in words where it did not get that far.
fn wrong_words(point: &Point, output: &Output) -> Option<String> {
    let exit = output.status.code();
    let Ok(report) = serde_json::from_slice::<Json>(&output.stdout) else {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let is_said = ["error: host: ", "error: operator: "].iter().any(|word| stderr.contains(word));
        return (!is_said || !matches!(exit, Some(12 | 70))).then(|| "it ended without a word".to_owned());
    };
    match report["fault"]["code"].as_str().unwrap_or_default() {
        "" => Some("a failure without a fault".to_owned()),
        "internal" if point.is_likely() => Some("what machines do is called internal".to_owned()),
        _ if exit.map(i64::from) != report["exit"].as_i64() => {
            Some(format!("it ended with {exit:?}, not as it says"))
        }
        _ => None,
    }
}

fn said(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let fault = serde_json::from_slice::<Json>(&output.stdout).map(|report| report["fault"].to_string());
    format!(
        "{}; {}; {}",
        output.status,
        fault.unwrap_or_default(),
        stderr.trim().chars().take(300).collect::<String>()
    )
}

/// What is to be seen of a file. When a run was made and how long it took is no matter here.
fn seen(path: &Path) -> Vec<u8> {
    if path.ends_with(DATABASE) {
        return crate::database::dump(path).join("\n").into_bytes();
    }
    let bytes = std::fs::read(path).unwrap_or_default();
    match serde_json::from_slice::<Json>(&bytes) {
        Ok(receipt) => receipt["claim_sha256"].to_string().into_bytes(),
        Err(_) => bytes,
    }
}

/// The calls of each thread of a run, in order.
struct Calls(Vec<(String, Vec<String>)>);

impl Calls {
    fn read(trace: &str) -> Self {
        let mut threads: Vec<(String, Vec<String>)> = Vec::new();
        for line in trace.lines() {
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let call = rest.trim_start().split('(').next().unwrap_or_default();
            if call.is_empty() || !call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                continue;
            }
            match threads.iter_mut().find(|(name, _)| name == thread) {
                Some((_, calls)) => calls.push(call.to_owned()),
                None => threads.push((thread.to_owned(), vec![call.to_owned()])),
            }
        }
        Self(threads)
    }

    /// Counts the calls of one thread, from the first that is not the loader's.
    fn counts(calls: &[String]) -> BTreeMap<String, std::ops::RangeInclusive<usize>> {
        let loaded = calls.iter().position(|call| call == "sigaltstack").unwrap_or(0);
        let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (place, call) in calls.iter().enumerate().filter(|(_, call)| !NOT_OURS.contains(&call.as_str())) {
            let (loaders, all) = counts.entry(call.clone()).or_default();
            *loaders += usize::from(place < loaded);
            *all += 1;
        }
        counts.into_iter().map(|(call, (loaders, all))| (call, loaders + 1..=all)).collect()
    }

    fn of_supervisor(&self) -> BTreeMap<String, std::ops::RangeInclusive<usize>> {
        self.0.first().map(|(_, calls)| Self::counts(calls)).unwrap_or_default()
    }

    /// What the other threads come to, the furthest of them. Where one has a loader's calls nothing strikes before they are over.
    fn of_others(&self) -> BTreeMap<String, std::ops::RangeInclusive<usize>> {
        let mut widest: BTreeMap<String, std::ops::RangeInclusive<usize>> = BTreeMap::new();
        for (_, calls) in &self.0 {
            for (call, range) in Self::counts(calls) {
                let known = widest.entry(call).or_insert(range.clone());
                *known = *known.start().max(range.start())..=*known.end().max(range.end());
            }
        }
        widest
    }
}

fn strace_answers() -> bool {
    let trial = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    trial.is_ok_and(|status| status.success())
}

/// Every point of every scene, and of them every so manieth.
fn sweep(points_max: usize) -> (usize, usize, Vec<String>) {
    let stages: Vec<Stage> = SCENES.map(Stage::new).into();
    let all: Vec<(&Stage, Point)> =
        stages.iter().flat_map(|stage| stage.points().into_iter().map(move |point| (stage, point))).collect();
    let step = all.len().div_ceil(points_max).max(1);
    let chosen: Vec<_> = all.iter().step_by(step).collect();
    let wrong = chosen.iter().filter_map(|(stage, point)| stage.strike(point));
    let wrong: Vec<String> = wrong.inspect(|wrong| loud(wrong)).collect();
    (all.len(), chosen.len(), wrong)
}

/// Says something past the harness, which keeps what tests print to itself.
fn loud(what: &str) {
    let _ = writeln!(std::io::stderr(), "sweep: {what}");
}

#[test]
fn s_02_a_fault_at_any_system_call_leaves_the_old_state_or_the_new_and_has_a_name() {
    if !strace_answers() {
        loud("SKIPPED, no fault was tried: strace is not installed, or may not trace");
        return;
    }
    let asked = std::env::var("CASPARIAN_SWEEP").map(|points| points.parse().unwrap_or(usize::MAX));
    let (all, tried, wrong) = sweep(asked.unwrap_or(POINTS_IN_PASSING));
    loud(&format!("{tried} of {all} points tried, {} violations", wrong.len()));
    assert!(all > 1000, "{all} points: the trace is not read");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}
