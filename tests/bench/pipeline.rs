//! A whole run to Parquet: `host run` with its processes against one native process; clean and dirty.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::Outcome;
use crate::clock::Spent;
use crate::contest::{Contender, contest};
use crate::input::Log;
use crate::order::Order;
use crate::process;
use crate::report::{Section, Target};
use crate::site::Site;

const MEGABYTES: u64 = 200;
const SPEED_WANTED: f64 = 0.80;
/// The files that a run of the parser writes.
const FILES: [&str; 2] = ["messages.parquet", "_quarantine.parquet"];

const ABOUT: &str = "FIX, 200 MB, SOH, table `messages`, clean and with something wrong in every tenth line. `host run --out`: \
supervisor, worker, hashing of the input, loading of compiled code, guest, judging, Parquet, quarantine, publishing. Native: \
one process that does the same by the same code with the parser compiled in. Output lies on the checkout's disk and is synced \
by both. Left out: compiling the component (the warm-up's).";

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    let (clean, dirty) = (Log::clean(MEGABYTES).path(site)?, Log::dirty(MEGABYTES).path(site)?);
    let contenders = vec![
        Contender::new("native, clean", |_| native(site, &clean, "native-clean")),
        Contender::new("host run, clean", |_| host(site, &clean, "host-clean")),
        Contender::new("native, 10 % dirty", |_| native(site, &dirty, "native-dirty")),
        Contender::new("host run, 10 % dirty", |_| host(site, &dirty, "host-dirty")),
    ];
    let series = contest(contenders, order.rounds)?;
    for kind in ["clean", "dirty"] {
        agree(site, &format!("native-{kind}"), &format!("host-{kind}"))?;
    }
    let mut section = Section::of_contest("A whole run, to Parquet", ABOUT, MEGABYTES, &series);
    let [_, host_clean, native_dirty, host_dirty] = series.as_slice() else { return Ok(section) };
    let clean_speed = host_clean.speed_against(&series[0]);
    let dirty_speed = host_dirty.speed_against(native_dirty);
    let dirt = 1.0 / host_dirty.speed_against(host_clean).cpu;
    section.about.push_str(&format!(
        "\n\nDirty input: `host run` is {:.2} (CPU) and {:.2} (wall) as fast as native; it takes {dirt:.2} times the CPU \
         time of clean input.",
        dirty_speed.cpu, dirty_speed.wall
    ));
    section.targets.push(Target::at_least("speed of a whole run, clean, CPU", SPEED_WANTED, clean_speed.cpu));
    section.targets.push(Target::at_least(
        "speed of a whole run, clean, wall",
        SPEED_WANTED,
        clean_speed.wall,
    ));
    Ok(section)
}

fn host(site: &Site, log: &Path, out: &str) -> Outcome<Spent> {
    let out = site.fresh(out)?;
    process::time(site, site.host_run().arg(log).arg("--out").arg(out))
}

fn native(site: &Site, log: &Path, out: &str) -> Outcome<Spent> {
    let out = site.fresh(out)?;
    process::time(site, Command::new(&site.bench).arg("native-run").arg(log).arg(out))
}

/// Fails unless two runs wrote as many rows.
fn agree(site: &Site, one: &str, other: &str) -> Outcome {
    for file in FILES {
        let rows = |out: &str| rows_in(&site.folder.join("out").join(out).join(file));
        let (one_rows, other_rows) = (rows(one)?, rows(other)?);
        if one_rows != other_rows {
            return Err(format!("{file}: {one} has {one_rows:?} rows, {other} {other_rows:?}").into());
        }
    }
    Ok(())
}

/// Returns the rows of a file; `None` where there is no such file.
fn rows_in(path: &Path) -> Outcome<Option<i64>> {
    if !path.is_file() {
        return Ok(None);
    }
    let reader = SerializedFileReader::new(File::open(path)?)?;
    Ok(Some(reader.metadata().file_metadata().num_rows()))
}
