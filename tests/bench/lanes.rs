//! Ranges of one file side by side: a slow parser and a fast one, by one thread and by two.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::clock::Spent;
use crate::contest::{Contender, Series, contest};
use crate::input::Log;
use crate::order::Order;
use crate::process;
use crate::python::lines;
use crate::report::{Section, Target};
use crate::site::Site;

const MEGABYTES: u64 = 200;
/// Lines of the file that the parser in Python reads.
const LINES: u64 = 1_200_000;
/// Who is slow should be nearly twice as fast by two threads, who is fast no slower.
const SLOW_WANTED: f64 = 1.8;
const FAST_WANTED: f64 = 0.97;
const MEMORY_MB_WANTED: f64 = 200.0;

const ABOUT: &str = "`host run --out` over one file, with `--jobs 1` and `--jobs 2`: `tests/bench/python/fills_by_lines.py` over \
1,200,000 lines, and FIX, 200 MB, SOH, table `messages`. Speeds are against one thread of the same parser. Memory: supervisor and worker \
together over FIX.";

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    let (fills, log) = (lines(site, "fills-1200k.csv", 0, LINES)?, Log::clean(MEGABYTES).path(site)?);
    let python = || {
        let mut command = Command::new(&site.host);
        command.env("CASPARIAN_CACHE_DIR", site.folder.join("cache"));
        command.env("CASPARIAN_PYTHON", site.root.join("target/guests/python.wasm"));
        command.arg("run").arg(site.root.join("tests/bench/python/fills_by_lines.py"));
        command.arg("--no-progress");
        command
    };
    let slow = contest(
        vec![
            Contender::new("Python, one thread", |_| run(site, python(), &fills, "1")),
            Contender::new("Python, two", |_| run(site, python(), &fills, "2")),
        ],
        order.rounds,
    )?;
    let fast = contest(
        vec![
            Contender::new("FIX, one thread", |_| run(site, site.host_run(), &log, "1")),
            Contender::new("FIX, two", |_| run(site, site.host_run(), &log, "2")),
        ],
        order.rounds,
    )?;
    let title = "Ranges side by side";
    let mut section = Section::of_contest(title, ABOUT, std::fs::metadata(&fills)?.len() / 1_000_000, &slow);
    section.rows.extend(Section::of_contest(title, "", MEGABYTES, &fast).rows);
    let wall = |series: &[Series]| series[1].speed_against(&series[0]).wall;
    section.targets.push(Target::at_least("Python by two threads, wall", SLOW_WANTED, wall(&slow)));
    section.targets.push(Target::at_least("FIX by two threads, wall", FAST_WANTED, wall(&fast)));
    for jobs in ["1", "2", "4"] {
        let out = site.fresh("lanes-memory")?;
        let peak = process::peak(site, site.host_run().arg(&log).args(["--jobs", jobs, "--out"]).arg(out))?;
        let what = format!("memory of FIX by {jobs}");
        section.targets.push(Target::at_most(&what, MEMORY_MB_WANTED, peak.tree as f64 / 1e6, "MB"));
    }
    Ok(section)
}

fn run(site: &Site, mut command: Command, input: &Path, jobs: &str) -> Outcome<Spent> {
    let out = site.fresh(&format!("lanes-{jobs}"))?;
    process::time(site, command.arg(input).args(["--jobs", jobs, "--out"]).arg(out))
}
