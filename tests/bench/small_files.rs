//! Ten thousand files of a kilobyte: what a run costs that has next to nothing to do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use casparian_host::source::Source;

use crate::Outcome;
use crate::clock::Spent;
use crate::contest::{Contender, Series, contest};
use crate::input;
use crate::native::{self, Input};
use crate::order::Order;
use crate::process;
use crate::report::Section;
use crate::sandboxed::{Heard, Sandboxed, on_guest_thread};
use crate::site::Site;

const FILES: u64 = 10_000;
const FILE_BYTES: u64 = 1_000;
/// Files of one turn: five rounds see each file once.
const TURN: usize = 2_000;

const ABOUT: &str = "10,000 FIX logs of 1 kB, 2,000 to a round. In this process: open, parse, drop the rows; natively, and with \
a fresh guest for each. `host run` over all files of a round at once, one dataset: without output (`--whatif`), and as Parquet, \
synced to disk; by one worker, and by as many as there are cores.";

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    let files = input::small(site, FILES, FILE_BYTES)?;
    let sandboxed = Sandboxed::load(&site.component)?;
    let (by_native, by_guest) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
    let contenders = vec![
        Contender::new("native, in one process", |round| {
            each(turn(&files, round), |input| native::parse(&input, &native::tables()?, by_native.ear()))
        }),
        Contender::new("sandbox, in one process", |round| {
            each(turn(&files, round), |input| {
                sandboxed.parse(input, native::tables()?, by_guest.ear()).map(|_| ())
            })
        }),
        Contender::new("host run --whatif", |round| {
            let spent = process::time(site, site.host_run().args(turn(&files, round)).arg("--whatif"))?;
            Ok(spent.per(TURN as f64))
        }),
        Contender::new("host run --out --jobs 1", |round| {
            let out = site.fresh("small")?;
            let mut run = site.host_run();
            run.args(turn(&files, round)).args(["--jobs", "1", "--out"]).arg(out);
            Ok(process::time(site, &mut run)?.per(TURN as f64))
        }),
        Contender::new("host run --out", |round| {
            let out = site.fresh("small")?;
            let spent = process::time(site, site.host_run().args(turn(&files, round)).arg("--out").arg(out))?;
            Ok(spent.per(TURN as f64))
        }),
    ];
    let series = contest(contenders, order.rounds)?;
    by_native.agree(&by_guest)?;
    let row = |it: &Series| {
        let micro = |seconds: f64| format!("{:.0}", seconds * 1e6);
        let (least, most) = it.cpu_range();
        vec![
            it.name.to_owned(),
            micro(it.cpu()),
            format!("{} to {}", micro(least), micro(most)),
            micro(it.wall()),
        ]
    };
    Ok(Section {
        title: "Small files".to_owned(),
        about: ABOUT.to_owned(),
        columns: vec!["way", "CPU µs per file", "least to most", "wall µs per file"],
        rows: series.iter().map(row).collect(),
        targets: Vec::new(),
    })
}

/// Returns the files of a round.
fn turn(files: &[PathBuf], round: usize) -> &[PathBuf] {
    let turns = files.len() / TURN;
    &files[round % turns * TURN..][..TURN]
}

/// Parses files one after another on one thread.
fn each(files: &[PathBuf], parse: impl Fn(Input) -> Outcome + Sync) -> Outcome<Spent> {
    let open = |path: &Path| Ok(Input::new(Arc::new(Source::open(path)?)));
    let (parsed, spent) = on_guest_thread(|| {
        Ok(Spent::on_thread(|| files.iter().try_for_each(|file| open(file).and_then(&parse))))
    })?;
    parsed.map(|()| spent.per(files.len() as f64))
}
