//! Parsers in Python: the same lines in the sandbox, and in a CPython of this machine that hands its batches to a pipe.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use casparian_host::source::Source;

use crate::Outcome;
use crate::clock::Spent;
use crate::contest::{Contender, Series, contest, median};
use crate::native::Input;
use crate::order::Order;
use crate::process;
use crate::report::{Section, Target};
use crate::sandboxed::{Heard, Sandboxed, on_guest_thread};
use crate::site::Site;

/// The large file.
const LINES: u64 = 200_000;
/// The small ones, and lines of each; files of one turn, of which a process each takes longest.
const FILES: u64 = 1_000;
const FILE_LINES: u64 = 30;
const TURN: usize = 50;
/// Guests that count.
const GUESTS: usize = 200;

const SPEED_WANTED: f64 = 0.5;
const BARE_WANTED: f64 = 8.0;
const PYARROW_WANTED: f64 = 20.0;
const FRESH_MS_WANTED: f64 = 3.0;

const ABOUT: &str = "The parser of `tests/bench/python/fills.py`, four columns of text. Large: one file of 200,000 lines, CPU of the \
guest's thread, handover included, against a CPython process that writes the same columns with pyarrow, less what \
it takes to start. Small: files of 30 lines, a fresh guest for each in this process, against a process for each that only splits lines, and one \
that writes them with pyarrow. Fresh: a guest opened and asked what it is, its program loaded from bytecode, wall time, median.";

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    let python = Python::find(site)?;
    let large = lines(site, "fills-200k.csv", 0, LINES)?;
    let small: Vec<PathBuf> = (0..FILES)
        .map(|n| lines(site, &format!("fills/{n}.csv"), n * FILE_LINES, FILE_LINES))
        .collect::<Outcome<_>>()?;
    let parser = Sandboxed::program(&python.runtime, &python.folder.join("fills.py"))?;
    let speed = large_file(site, order, &python, &parser, &large)?;
    let each = small_files(site, order, &python, &parser, &small)?;
    let fresh_ms = fresh(&parser)?;
    let row = |it: &Series, what: &str, scale: f64| {
        let (least, most) = it.cpu_range();
        let shown = |seconds: f64| format!("{:.2}", seconds * scale);
        vec![
            what.to_owned(),
            it.name.to_owned(),
            shown(it.cpu()),
            format!("{} to {}", shown(least), shown(most)),
        ]
    };
    let mut rows: Vec<Vec<String>> = speed.iter().map(|it| row(it, "large file, s", 1.0)).collect();
    rows.extend(each.iter().map(|it| row(it, "small file, ms", 1e3)));
    rows.push(vec![
        "fresh guest, ms".to_owned(),
        "sandbox".to_owned(),
        format!("{fresh_ms:.2}"),
        String::new(),
    ]);
    Ok(Section {
        title: "Parsers in Python".to_owned(),
        about: ABOUT.to_owned(),
        columns: vec!["what", "way", "CPU", "least to most"],
        rows,
        targets: vec![
            Target::at_least(
                "speed of a Python parser, CPU",
                SPEED_WANTED,
                (speed[1].cpu() - speed[0].cpu()) / speed[2].cpu(),
            ),
            Target::at_least("small files, against bare Python", BARE_WANTED, each[1].cpu() / each[0].cpu()),
            Target::at_least("small files, against pyarrow", PYARROW_WANTED, each[2].cpu() / each[0].cpu()),
            Target::at_most("a fresh Python guest, median", FRESH_MS_WANTED, fresh_ms, "ms"),
        ],
    })
}

/// The interpreters of the contest, and their programs.
struct Python {
    native: PathBuf,
    runtime: PathBuf,
    folder: PathBuf,
}

impl Python {
    fn find(site: &Site) -> Outcome<Python> {
        let target = site.host.ancestors().nth(2).ok_or("the host stands in no target folder")?;
        let found = Python {
            native: target.join("venv-sdk/bin/python"),
            runtime: site.root.join("target/guests/python.wasm"),
            folder: site.root.join("tests/bench/python"),
        };
        for needed in [&found.native, &found.runtime] {
            if !needed.exists() {
                return Err(format!("{} is not there: run `cargo xtask bench`", needed.display()).into());
            }
        }
        Ok(found)
    }

    fn run(&self, program: &str, input: &Path) -> Command {
        let mut command = Command::new(&self.native);
        command.arg("-I").arg(self.folder.join(program)).arg(input);
        command
    }
}

fn large_file(
    site: &Site,
    order: &Order,
    python: &Python,
    parser: &Sandboxed,
    large: &Path,
) -> Outcome<Vec<Series>> {
    let heard = Arc::new(Heard::default());
    let source = Arc::new(Source::open(large)?);
    let empty = lines(site, "fills-none.csv", 0, 0)?;
    let contenders = vec![
        Contender::new("CPython and pyarrow, nothing to read", |_| {
            process::time(site, &mut python.run("native.py", &empty))
        }),
        Contender::new("CPython and pyarrow", |_| process::time(site, &mut python.run("native.py", large))),
        Contender::new("sandbox", |_| {
            on_guest_thread(|| {
                let input = Input::new(Arc::clone(&source));
                let (parsed, spent) = Spent::on_thread(|| parser.parse_all(input, heard.ear()));
                parsed.map(|_| spent)
            })
        }),
    ];
    let series = contest(contenders, order.rounds)?;
    match heard.rows() == LINES * (order.rounds as u64 + 1) {
        true => Ok(series),
        false => Err(format!("{} rows of {LINES} lines a round", heard.rows()).into()),
    }
}

fn small_files(
    site: &Site,
    order: &Order,
    python: &Python,
    parser: &Sandboxed,
    files: &[PathBuf],
) -> Outcome<Vec<Series>> {
    let heard = Arc::new(Heard::default());
    let turn = |round: usize| &files[round % (files.len() / TURN) * TURN..][..TURN];
    let processes = |program: &'static str| {
        move |round: usize| {
            let commands = turn(round).iter().map(|input| python.run(program, input));
            Ok(process::time_all(site, commands)?.per(TURN as f64))
        }
    };
    let contenders = vec![
        Contender::new("sandbox, in one process", |round| {
            on_guest_thread(|| {
                let parse = |path: &PathBuf| {
                    parser.parse_all(Input::new(Arc::new(Source::open(path)?)), heard.ear()).map(drop)
                };
                let (parsed, spent) = Spent::on_thread(|| turn(round).iter().try_for_each(parse));
                parsed.map(|()| spent.per(TURN as f64))
            })
        }),
        Contender::new("a bare Python for each", processes("bare.py")),
        Contender::new("Python and pyarrow for each", processes("native.py")),
    ];
    contest(contenders, order.rounds)
}

fn fresh(parser: &Sandboxed) -> Outcome<f64> {
    on_guest_thread(|| {
        let mut lives = Vec::with_capacity(GUESTS);
        for _ in 0..GUESTS {
            let begun = Instant::now();
            let (session, _) = parser.open()?.describe().map_err(|ended| ended.fault)?;
            lives.push(begun.elapsed().as_secs_f64() * 1e3);
            drop(session);
        }
        Ok(median(lives.into_iter()))
    })
}

/// Writes a file of fills, unless it is there.
pub(crate) fn lines(site: &Site, name: &str, from: u64, count: u64) -> Outcome<PathBuf> {
    let path = site.folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    fs::create_dir_all(path.parent().unwrap_or(&site.folder))?;
    let half = path.with_extension("half");
    let mut file = BufWriter::new(fs::File::create(&half)?);
    for n in from..from + count {
        let (px, qty) = (n * 7919 % 1_000_000, n * 104_729 % 10_000);
        writeln!(
            file,
            "SYM{},{}.{:04},{qty},2026-01-{:02}T09:30:00",
            n % 500,
            px / 100,
            n % 10_000,
            n % 28 + 1
        )?;
    }
    file.into_inner().map_err(|why| why.into_error())?.sync_all()?;
    fs::rename(half, &path)?;
    Ok(path)
}
