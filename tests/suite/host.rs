//! The program that people run, as a test runs it: its own folder, its own words, its report.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use casparian_core::guest_text::steers;
use casparian_tests::Bench;
use serde_json::Value as Json;
use tempfile::TempDir;

/// Returns the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the checkout")
}

/// Returns the program: what `CASPARIAN_HOST_BIN` names, else what stands where this test was built.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("CASPARIAN_HOST_BIN").map_or_else(built, PathBuf::from)
}

fn built() -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let profile = test.ancestors().nth(2).expect("a test stands in <target>/<profile>/deps");
    let host = profile.join(format!("host{}", std::env::consts::EXE_SUFFIX));
    assert!(host.is_file(), "{} is not built; `cargo xtask test` builds it", host.display());
    host
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
        Call { desk: self, words: Vec::new(), cache: shared_cache() }.args(words)
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
        self.arg("--limit").arg(format!("{key}={}", value.to_string()))
    }

    pub(crate) fn cache(self, cache: PathBuf) -> Self {
        Self { cache, ..self }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.args(&self.words).current_dir(self.desk.folder.path());
        command.env("CASPARIAN_CACHE_DIR", &self.cache).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn done(self) -> Said {
        let output = self.command().output().expect("the program starts");
        Said::new(output)
    }
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
