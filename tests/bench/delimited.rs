//! The CSV parser alone: in the sandbox, metered, against compiled into this program; and what finding out the dialect takes.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use casparian_core::id::TableName;
use casparian_host::source::Source;
use csv::Csv;

use crate::Outcome;
use crate::clock::Spent;
use crate::contest::{Contender, contest};
use crate::native::{self, Input};
use crate::order::Order;
use crate::report::{Section, Target};
use crate::sandboxed::{Heard, Sandboxed, on_guest_thread};
use crate::site::Site;

const MEGABYTES: u64 = 200;
/// What a sandbox may cost is a quarter of a parser's time.
const SPEED_WANTED: f64 = 0.75;
/// What finding out may take of it.
const PLAN_SHARE_WANTED: f64 = 0.10;

const ABOUT: &str = "CSV, 200 MB, seven columns, one text in ten quoted, no options, table `rows`: finding out the dialect, \
reading, and the handover, into an ear that drops what it hears. As for FIX otherwise. Polars and DuckDB, where `target/peers` \
has them (`tests/peers/requirements.txt`): the same file, all columns text, one thread, into memory, loading them not counted.";

/// What other readers take for the same, by `tests/peers/read.py`.
const PEERS: [(&str, &str); 2] = [("Polars", "polars"), ("DuckDB", "duckdb")];

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    let sandboxed = Sandboxed::load(&site.root.join("target/guests/csv.wasm"))?;
    let table = table(site, MEGABYTES)?;
    let python = site.root.join("target/peers/bin/python");
    let source = Arc::new(Source::open(&table)?);
    let wanted = vec![TableName::new("rows").ok_or("`rows` is no table name")?];
    let (by_native, by_guest) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
    let native = Contender::new("native", |_| {
        on_guest_thread(|| {
            let input = Input::new(Arc::clone(&source));
            let (parsed, spent) =
                Spent::on_thread(|| native::parse_by(&Csv, &input, &wanted, by_native.ear()));
            parsed.map(|()| spent)
        })
    });
    let guest = Contender::new("sandbox, fuel on", |_| {
        on_guest_thread(|| {
            let input = Input::new(Arc::clone(&source));
            let (parsed, spent) = Spent::on_thread(|| sandboxed.parse(input, wanted.clone(), by_guest.ear()));
            by_guest.burn(parsed?);
            Ok(spent)
        })
    });
    let plan = Contender::new("sandbox, finding out alone", |_| {
        on_guest_thread(|| {
            let input = Input::new(Arc::clone(&source));
            let (planned, spent) = Spent::on_thread(|| sandboxed.plan(input, Box::new(|_| Ok(()))));
            planned.map(|_| spent)
        })
    });
    let mut contenders = vec![native, guest, plan];
    let peers = PEERS.iter().filter(|_| python.is_file());
    contenders.extend(peers.map(|(name, word)| Contender::new(name, |_| peer(site, &python, word, &table))));
    let series = contest(contenders, order.rounds)?;
    by_native.agree(&by_guest)?;
    let turns = (order.rounds + 1) as u64;
    let per_byte = by_guest.fuel() as f64 / (source.size() * turns) as f64;
    let about = format!("{ABOUT} {} rows; {per_byte:.1} fuel per input byte.", by_guest.rows() / turns);
    let mut section = Section::of_contest("CSV", &about, MEGABYTES, &series);
    let speed = series[1].speed_against(&series[0]).cpu;
    section.targets.push(Target::at_least("speed of the sandboxed CSV parser, CPU", SPEED_WANTED, speed));
    let share = series[2].cpu() / series[1].cpu();
    section.targets.push(Target::at_most(
        "finding out the dialect, share of CPU",
        PLAN_SHARE_WANTED,
        share,
        "",
    ));
    for other in series.iter().skip(3) {
        let what = format!("speed against {}, CPU", other.name);
        section.targets.push(Target::at_least(&what, 1.0, series[1].speed_against(other).cpu));
    }
    Ok(section)
}

/// Has another reader read the table, which says itself what that took.
fn peer(site: &Site, python: &Path, word: &str, table: &Path) -> Outcome<Spent> {
    let script = site.root.join("tests/peers/read.py");
    let read = Command::new(python).arg("-I").arg(script).arg(word).arg(table).output()?;
    if !read.status.success() {
        return Err(format!("{word}: {}", String::from_utf8_lossy(&read.stderr)).into());
    }
    let said = String::from_utf8(read.stdout)?;
    let numbers: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    // A header, and no cell goes on over lines.
    let lines = fs::read(table)?.iter().filter(|byte| **byte == b'\n').count();
    match numbers[..] {
        [cpu, wall, rows] if rows == (lines - 1) as f64 => Ok(Spent { cpu, wall }),
        _ => Err(format!("{word} said {said:?} of a table of {lines} lines").into()),
    }
}

/// Returns where a table of so many megabytes is, after writing it unless it is there.
pub(crate) fn table(site: &Site, megabytes: u64) -> Outcome<PathBuf> {
    let path = site.folder.join(format!("table-{megabytes}MB.csv"));
    if !path.is_file() {
        eprintln!("  writing {}", path.display());
        let unfinished = path.with_extension("unfinished");
        write(&unfinished, megabytes)?;
        fs::rename(&unfinished, &path)?;
    }
    // Read once, so that every contender finds it in memory.
    std::io::copy(&mut File::open(&path)?, &mut std::io::sink())?;
    Ok(path)
}

fn write(path: &std::path::Path, megabytes: u64) -> Outcome {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let header = "id,name,when,amount,qty,flag,note\n";
    out.write_all(header.as_bytes())?;
    let mut written = header.len() as u64;
    let mut state = 7_u64;
    let mut number = 0_u64;
    while written < megabytes * 1_000_000 {
        let line = line(number, &mut state);
        written += line.len() as u64;
        out.write_all(line.as_bytes())?;
        number += 1;
    }
    Ok(out.flush()?)
}

/// A record out of a plain generator of numbers: what matters is that it is the same every time.
fn line(number: u64, state: &mut u64) -> String {
    const WORDS: [&str; 8] =
        ["alpha", "Bergen", "blue steel", "Smith and Sons", "open", "closed", "ACME", "left handed"];
    let mut below = |bound: u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % bound
    };
    let (name, note) = (WORDS[below(8) as usize], WORDS[below(8) as usize]);
    let name = if below(10) == 0 { format!("\"{name}, {note}\"") } else { name.to_owned() };
    let (month, day, units, cents) = (1 + below(12), 1 + below(28), below(90_000), below(100));
    let (quantity, flag) = (below(100_000), if below(2) == 0 { "true" } else { "false" });
    format!("{number},{name},2025-{month:02}-{day:02},{units}.{cents:02},{quantity},{flag},{note} {number}\n")
}
