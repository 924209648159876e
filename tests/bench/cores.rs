//! What a second core is worth: the same run on one core and on two. Both must claim the same and write the same files.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::Value as Json;

use crate::Outcome;
use crate::contest::{Contender, contest};
use crate::delimited;
use crate::order::Order;
use crate::process::{self, Peak};
use crate::report::{Section, Target};
use crate::site::Site;

const MEGABYTES: u64 = 200;
/// Only where it was asked for.
const LARGE: u64 = 2_000;
const TIMES_WANTED: f64 = 1.7;
const MEGABYTES_WANTED: f64 = 200.0;
/// What a run is held to: `taskset` takes them so.
const ONE: &str = "0";
const TWO: &str = "0,1";

const ABOUT: &str = "CSV, seven columns, one text in ten quoted, no options, `host run --out`, synced to disk: with all its \
processes held to one core, and to two. Memory is the sum of the high-water marks of supervisor and worker, looked at in a \
run of its own for each. Claims and tables of both are compared byte by byte.";

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    if thread::available_parallelism()?.get() < 2 {
        return Err("there is one core here".into());
    }
    let megabytes = if order.large { LARGE } else { MEGABYTES };
    let table = delimited::table(site, megabytes)?;
    let turn = |cores: &'static str| {
        let table = table.as_path();
        move |_| process::time(site, &mut run(site, cores, table)?)
    };
    let contenders = vec![Contender::new("one core", turn(ONE)), Contender::new("two cores", turn(TWO))];
    let series = contest(contenders, order.rounds)?;
    let (one, two) = (peak(site, ONE, &table)?, peak(site, TWO, &table)?);
    agree(site)?;
    let about =
        format!("{ABOUT} {megabytes} MB. One core: {:.1} MB of memory; two: {:.1} MB.", mega(one), mega(two));
    let mut section = Section::of_contest("Cores", &about, megabytes, &series);
    let times = series[1].speed_against(&series[0]).wall;
    section.targets.push(Target::at_least("speed on two cores against one, wall", TIMES_WANTED, times));
    section.targets.push(Target::at_most("memory of a run on two cores", MEGABYTES_WANTED, mega(two), "MB"));
    Ok(section)
}

/// Makes a run that is held to some cores.
fn run(site: &Site, cores: &str, table: &Path) -> Outcome<Command> {
    let out = site.fresh(&out_of(cores))?;
    let mut command = Command::new("taskset");
    command.env("CASPARIAN_CACHE_DIR", site.folder.join("cache"));
    command.args(["-c", cores]).arg(&site.host).arg("run");
    command
        .arg(site.root.join("target/guests/csv.wasm"))
        .arg(table)
        .arg("--out")
        .arg(&out)
        .arg("--no-progress");
    Ok(command)
}

fn out_of(cores: &str) -> String {
    format!("cores-{}", cores.len())
}

fn peak(site: &Site, cores: &str, table: &Path) -> Outcome<Peak> {
    process::peak(site, &mut run(site, cores, table)?)
}

/// Fails unless both have written the same and claim the same.
fn agree(site: &Site) -> Outcome {
    let [one, two] = [ONE, TWO].map(|cores| site.folder.join("out").join(out_of(cores)));
    let claim = |out: &Path| -> Outcome<Json> {
        let receipt: Json = serde_json::from_slice(&fs::read(out.join("_receipt.json"))?)?;
        Ok(receipt["claim_sha256"].clone())
    };
    let (on_one, on_two) = (claim(&one)?, claim(&two)?);
    if on_one != on_two || !on_one.is_string() {
        return Err(format!("one core claims {on_one}, two claim {on_two}").into());
    }
    let is_table = |name: &str| name.ends_with(".parquet");
    for entry in fs::read_dir(&one)? {
        let name = entry?.file_name();
        if is_table(&name.to_string_lossy()) && fs::read(one.join(&name))? != fs::read(two.join(&name))? {
            return Err(format!("{}: two cores have written other bytes", name.display()).into());
        }
    }
    Ok(())
}

fn mega(peak: Peak) -> f64 {
    peak.tree as f64 / 1e6
}
