//! The benchmark: what the sandbox, the checks and the files cost, against the same work done natively.
//!
//! Contenders take turns in one run, a warm-up round does not count, and medians and ratios are what is reported: an absolute
//! figure means nothing from one machine to the next. CPU time stands beside wall time, since a busy machine lies about the
//! latter. Every contender of a measurement must come to the same rows, or the measurement fails.
//!
//! The rooms: [`contest`] lets contenders take turns, [`clock`] and [`process`] measure one turn, [`input`] makes the logs,
//! [`native`] and [`sandboxed`] are the two ways to run a parser, [`native_run`] is a whole run without a sandbox; then a room
//! per measurement; [`report`] and [`machine`] say what was found, and on what.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark says what it found")]

mod clock;
mod contest;
mod input;
mod machine;
mod native;
mod native_run;
mod order;
mod process;
mod report;
mod sandboxed;
mod site;

mod bad_rows;
mod cores;
mod delimited;
mod guard;
mod instance;
mod judge;
mod lanes;
mod memory;
mod parse;
mod pipeline;
mod poison;
mod python;
mod small_files;

use std::process::ExitCode;

use order::{Order, Task};
use report::{Report, Section};
use site::Site;

/// What can go wrong here ends the benchmark, with words for whoever started it.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One measurement: what it is called on the command line, and what does it.
type Measurement = (&'static str, fn(&Site, &Order) -> Outcome<Section>);

const MEASUREMENTS: [Measurement; 13] = [
    ("parse", parse::measure),
    ("csv", delimited::measure),
    ("pipeline", pipeline::measure),
    ("cores", cores::measure),
    ("instance", instance::measure),
    ("poison", poison::measure),
    ("memory", memory::measure),
    ("guard", guard::measure),
    ("judge", judge::measure),
    ("bad-rows", bad_rows::measure),
    ("small", small_files::measure),
    ("python", python::measure),
    ("lanes", lanes::measure),
];

fn main() -> ExitCode {
    match Order::read(std::env::args().skip(1)).and_then(obey) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn obey(task: Task) -> Outcome {
    match task {
        Task::NativeRun { input, out } => native_run::run(&input, &out),
        Task::Measure(order) => measure(&order),
    }
}

fn measure(order: &Order) -> Outcome {
    let names = MEASUREMENTS.map(|(name, _)| name);
    if let Some(unknown) = order.names.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("no measurement is called `{unknown}`; there are: {}", names.join(", ")).into());
    }
    let site = Site::find()?;
    let mut report = Report::begin(machine::describe(&site));
    for (name, measure) in MEASUREMENTS {
        if order.names.is_empty() || order.names.iter().any(|wanted| wanted == name) {
            eprintln!("{name}:");
            let section = measure(&site, order).map_err(|why| format!("{name}: {why}"))?;
            println!("{}", section.text());
            report.add(section);
        }
    }
    if let Some(path) = &order.markdown {
        // Cargo runs benchmarks from the package's folder; people type paths in the checkout's.
        let path = site.root.join(path);
        std::fs::write(&path, report.markdown()).map_err(|why| format!("{}: {why}", path.display()))?;
        eprintln!("written: {}", path.display());
    }
    Ok(())
}
