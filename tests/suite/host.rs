//! The program that people run, as a test runs it: its own folder, its own words, its report.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use casparian_core::guest_text::steers;
use casparian_core::limits::Limits;
use casparian_host::program::{is_program, limits as program_limits};
use casparian_tests::Bench;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::scales::{Guests, Scales};

/// Returns the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the checkout")
}

/// Returns the program: what `CASPARIAN_HOST_BIN` names, else what stands where this test was built.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("CASPARIAN_HOST_BIN").map_or_else(built, PathBuf::from)
}

fn built() -> PathBuf {
    beside_tests("host")
}

/// Returns a program that stands where this test was built.
pub(crate) fn beside_tests(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let profile = test.ancestors().nth(2).expect("a test stands in <target>/<profile>/deps");
    let program = profile.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is not built; `cargo xtask test` builds it", program.display());
    program
}

/// Returns a component that `cargo xtask guests` has built.
pub(crate) fn guest(name: &str) -> PathBuf {
    let path = root().join("target/guests").join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is not built; `cargo xtask guests` builds it", path.display());
    path
}

/// Returns the hostile guest, compiled once for all tests of this process.
pub(crate) fn evil() -> &'static Bench {
    static EVIL: OnceLock<Bench> = OnceLock::new();
    EVIL.get_or_init(|| {
        let component = std::fs::read(guest("evil")).expect("the hostile guest");
        Bench::new(&component).expect("the hostile guest compiles")
    })
}

/// A folder with one input in it, and whatever a run puts beside it.
pub(crate) struct Desk {
    folder: TempDir,
}

/// The input's name on a [`Desk`].
pub(crate) const INPUT: &str = "input";
/// The output's name on a [`Desk`].
pub(crate) const OUT: &str = "out";

impl Desk {
    pub(crate) fn new(input: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(INPUT), input).expect("an input");
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// Begins `host run COMPONENT input --json --out out`.
    pub(crate) fn run(&self, component: &Path) -> Call<'_> {
        self.call(&["run"])
            .arg(component)
            .arg(self.path(INPUT))
            .args(&["--json", "--out"])
            .arg(self.path(OUT))
    }

    /// Begins a run of the hostile guest, which is to be `evil`.
    pub(crate) fn evil(&self, evil: &str) -> Call<'_> {
        self.run(&guest("evil")).option("evil", evil)
    }

    /// Begins any command.
    pub(crate) fn call(&self, words: &[&str]) -> Call<'_> {
        Call { desk: self, words: Vec::new(), cache: shared_cache(), memory_bytes: None }.args(words)
    }

    /// Returns the names of what is in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(self.folder.path())
    }

    /// Checks that nothing but the input is there: no output, no part of one.
    pub(crate) fn assert_untouched(&self) {
        assert_eq!(self.names(), [INPUT], "something was left behind");
    }
}

/// Returns the names of what is in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Compiled code that all tests share, in the target folder.
fn shared_cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache")
}

/// A command that is being put together.
pub(crate) struct Call<'a> {
    desk: &'a Desk,
    words: Vec<OsString>,
    cache: PathBuf,
    /// What a guest may have, where that was said.
    memory_bytes: Option<u64>,
}

impl Call<'_> {
    pub(crate) fn arg(mut self, word: impl Into<OsString>) -> Self {
        self.words.push(word.into());
        self
    }

    pub(crate) fn args(self, words: &[&str]) -> Self {
        words.iter().fold(self, |call, word| call.arg(word))
    }

    pub(crate) fn option(self, key: &str, value: impl ToString) -> Self {
        self.arg("--option").arg(format!("{key}={}", value.to_string()))
    }

    pub(crate) fn limit(self, key: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        let memory_bytes = if key == "memory" { bytes(&value) } else { self.memory_bytes };
        Self { memory_bytes, ..self }.arg("--limit").arg(format!("{key}={value}"))
    }

    pub(crate) fn cache(self, cache: PathBuf) -> Self {
        Self { cache, ..self }
    }

    pub(crate) fn command(&self) -> Command {
        self.dress(Command::new(program()))
    }

    fn dress(&self, mut command: Command) -> Command {
        command.args(&self.words).current_dir(self.desk.folder.path());
        command.env("CASPARIAN_CACHE_DIR", &self.cache).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn done(self) -> Said {
        let scales = Scales::new();
        let output = self.dress(scales.command()).output().expect("the program starts");
        let said = Said::new(output);
        scales.check(self.guests(&said), &self.words());
        said
    }

    /// Returns what guests it may have had, and what they had as the report says.
    fn guests(&self, said: &Said) -> Guests {
        let jobs = self.words.windows(2).find(|pair| pair[0] == "--jobs");
        let jobs = jobs.and_then(|pair| pair[1].to_str()?.parse().ok());
        let parser = self.words.get(1).map(|word| self.desk.folder.path().join(word));
        let is_program = parser.is_some_and(|path| is_program(&path));
        let usual = if is_program { program_limits() } else { Limits::default() };
        let reports = said.stdout.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let memory_bytes = reports.filter_map(|report| report["memory_peak_bytes"].as_u64()).max();
        Guests {
            memory_bytes_max: self.memory_bytes.unwrap_or(usual.memory_bytes_max),
            // Where a language runtime has to be compiled first, that takes more than its guests do.
            memory_bytes: memory_bytes.filter(|_| !is_program),
            at_a_time: Guests::at_a_time(jobs, &self.desk.path(INPUT)),
        }
    }

    fn words(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        format!("`host {}`", words.join(" ")).replace('\n', " ")
    }
}

/// Reads a size as the program does, as far as tests write any.
fn bytes(size: &str) -> Option<u64> {
    let (number, unit) = size.split_at(size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len()));
    let unit = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * unit)
}

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program speaks UTF-8");
        let said = Said {
            exit: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        said.assert_harmless();
        said
    }

    /// Whatever a guest or an input did, nothing that was said may steer a terminal.
    fn assert_harmless(&self) {
        for text in [&self.stdout, &self.stderr] {
            let steering = text.chars().find(|c| *c != '\n' && steers(*c));
            assert_eq!(steering, None, "said something that steers a terminal: {text:?}");
        }
    }

    /// Returns the one report that was printed.
    pub(crate) fn report(&self) -> Json {
        let mut reports = self.reports();
        assert_eq!(reports.len(), 1, "one report is due: {self:?}");
        reports.remove(0)
    }

    /// Returns the reports that were printed, a line each.
    pub(crate) fn reports(&self) -> Vec<Json> {
        let report = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(report).collect()
    }

    /// Checks that a run failed, by whose fault and with which code. Returns its message.
    #[track_caller]
    pub(crate) fn assert_fault(&self, blame: &str, code: &str) -> String {
        let report = self.report();
        let fault = &report["fault"];
        let found = (fault["blame"].as_str(), fault["code"].as_str());
        assert_eq!(found, (Some(blame), Some(code)), "{fault}");
        let exit = match blame {
            "guest" => 10,
            "input" => 11,
            "operator" => 12,
            _ => 70,
        };
        assert_eq!((self.exit, report["exit"].as_i64()), (exit, Some(i64::from(exit))), "{fault}");
        assert_eq!(report["status"], "failed");
        fault["message"].as_str().expect("a message").to_owned()
    }

    /// Checks that a run went well.
    #[track_caller]
    pub(crate) fn assert_completed(&self) -> Json {
        let report = self.report();
        assert_eq!((self.exit, report["status"].as_str()), (0, Some("completed")), "{report}");
        report
    }
}
