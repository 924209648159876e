//! What was asked for on the command line.

use std::path::PathBuf;

use crate::Outcome;

/// The fewest rounds whose median says anything.
const ROUNDS_MIN: usize = 5;

const USAGE: &str = "usage: bench [NAMES] [--large] [--rounds N] [--markdown FILE]

  NAMES            parse, csv, pipeline, cores, instance, poison, memory, guard, judge, bad-rows,
                   small, python, lanes; all of them where none is named
  --large          measure memory over 2 GB too, and cores over 2 GB; inputs are kept in target/bench
  --rounds N       rounds that count, 5 or more
  --markdown FILE  write the report there as well";

/// What this process is to do.
pub(crate) enum Task {
    Measure(Order),
    /// A contender of its own process: one whole run without a sandbox.
    NativeRun {
        input: PathBuf,
        out: PathBuf,
    },
}

/// What to measure, and how.
pub(crate) struct Order {
    /// Measurements by name; none: all.
    pub(crate) names: Vec<String>,
    /// Whether the inputs that take minutes are wanted too.
    pub(crate) large: bool,
    /// Rounds that count.
    pub(crate) rounds: usize,
    /// Where the report goes besides standard output.
    pub(crate) markdown: Option<PathBuf>,
}

impl Order {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Outcome<Task> {
        let mut order = Order { names: Vec::new(), large: false, rounds: ROUNDS_MIN, markdown: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` takes a value\n{USAGE}"));
            match word.as_str() {
                // What cargo adds of its own accord.
                "--bench" => {}
                "--large" => order.large = true,
                "--rounds" => order.rounds = value()?.parse::<usize>()?.max(ROUNDS_MIN),
                "--markdown" => order.markdown = Some(value()?.into()),
                "native-run" => {
                    return Ok(Task::NativeRun { input: value()?.into(), out: value()?.into() });
                }
                flag if flag.starts_with('-') => return Err(format!("unknown flag `{flag}`\n{USAGE}").into()),
                name => order.names.push(name.to_owned()),
            }
        }
        Ok(Task::Measure(order))
    }
}
