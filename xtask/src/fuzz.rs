//! `fuzz`: libFuzzer over the targets of `tests/fuzz`, with the compiler that the project has.
//!
//! LLVM's own pass puts the counters in, and a stable compiler runs it when it is told to; no sanitizer is needed where
//! there is no unsafe code to look at. Of C++ there is libFuzzer itself, which its crate brings and builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::command::{cargo, run};
use crate::workspace::{entries, host_target, make_folder, read, remove_folder, write};

/// What is fuzzed where only the core is needed, and what needs wasmtime, which takes a quarter of an hour to build so.
const OF_CORE: [&str; 6] = ["wire_schema", "wire_batch", "contract", "expression", "names", "receipt"];
const OF_HOST: [&str; 7] = ["precheck", "section", "bundle", "news", "packing", "guest", "stranger"];
/// How long each target is fuzzed.
const SECONDS: u64 = 60;
/// Longest stored input and most of them for a target: the repository is no place for a corpus of megabytes.
const KEPT_BYTES_MAX: usize = 1024;
const KEPT_MAX: usize = 100;

/// Coverage as libFuzzer reads it, and arithmetic as tests have it.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks";
/// Named, so that the flags are not those of build scripts.
const MACHINE: &str = "x86_64-unknown-linux-gnu";

/// Fuzzes targets, all of the core's if none is named. With `--keep` what was found worth keeping is stored.
pub(crate) fn run_all(root: &Path, args: &[String]) -> Outcome {
    let Asked { targets, seconds, keeps } = asked(args)?;
    let folder = host_target(root).join("fuzz");
    let fuzzer = build(&folder, targets.iter().any(|target| OF_HOST.contains(&target.as_str())))?;
    for target in &targets {
        let corpus = folder.join("corpus").join(target);
        make_folder(&corpus)?;
        run(Command::new(&fuzzer).env("CASPARIAN_FUZZ", target).env("CASPARIAN_FUZZ_SEEDS", &corpus))?;
        fuzz(&fuzzer, &folder, target, &corpus, seconds)?;
        if keeps {
            keep(root, &fuzzer, &folder, target, &corpus)?;
        }
    }
    Ok(())
}

struct Asked {
    targets: Vec<String>,
    seconds: u64,
    keeps: bool,
}

fn asked(args: &[String]) -> Outcome<Asked> {
    let mut asked = Asked { targets: Vec::new(), seconds: SECONDS, keeps: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--keep" => asked.keeps = true,
            "--seconds" => {
                let seconds = args.next().and_then(|seconds| seconds.parse().ok());
                asked.seconds = seconds.ok_or("--seconds wants a number")?;
            }
            name if OF_CORE.contains(&name) || OF_HOST.contains(&name) => asked.targets.push(name.to_owned()),
            other => {
                let all = [OF_CORE.as_slice(), &OF_HOST].concat().join(", ");
                return Err(format!("not a target: {other}; there are {all}"));
            }
        }
    }
    if asked.targets.is_empty() {
        asked.targets = OF_CORE.map(str::to_owned).into();
    }
    Ok(asked)
}

fn build(folder: &Path, of_host: bool) -> Outcome<PathBuf> {
    let features = if of_host { "libfuzzer,host" } else { "libfuzzer" };
    let mut build = cargo();
    build.args([
        "build",
        "--release",
        "--package",
        "casparian-fuzz",
        "--bin",
        "fuzz",
        "--features",
        features,
    ]);
    run(build.args(["--target", MACHINE, "--target-dir"]).arg(folder).env("RUSTFLAGS", FLAGS))?;
    Ok(folder.join(MACHINE).join("release/fuzz"))
}

fn fuzz(fuzzer: &Path, folder: &Path, target: &str, corpus: &Path, seconds: u64) -> Outcome {
    let crashes = folder.join("crashes").join(target);
    make_folder(&crashes)?;
    let mut command = Command::new(fuzzer);
    command.env("CASPARIAN_FUZZ", target).arg(corpus).arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", crashes.display()));
    command.args([
        "-max_len=4096",
        "-timeout=20",
        "-rss_limit_mb=3000",
        "-print_final_stats=1",
        "-verbosity=0",
    ]);
    run(&mut command)
}

/// Stores the smallest inputs that reach what the whole corpus reaches.
fn keep(root: &Path, fuzzer: &Path, folder: &Path, target: &str, corpus: &Path) -> Outcome {
    let least = folder.join("least").join(target);
    remove_folder(&least)?;
    make_folder(&least)?;
    let mut command = Command::new(fuzzer);
    run(command.env("CASPARIAN_FUZZ", target).arg("-merge=1").arg(&least).arg(corpus))?;
    let mut inputs = entries(&least)?.iter().map(|path| read(path)).collect::<Outcome<Vec<_>>>()?;
    inputs.retain(|input| input.len() <= KEPT_BYTES_MAX);
    inputs.sort_by_key(|input| (input.len(), input.clone()));
    let step = inputs.len().div_ceil(KEPT_MAX).max(1);
    let kept = inputs.iter().step_by(step).map(|input| {
        let digits: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        digits + "\n"
    });
    write(&root.join("tests/fuzz/corpus").join(format!("{target}.hex")), kept.collect::<String>().as_bytes())
}
