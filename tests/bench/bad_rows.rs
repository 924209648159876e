//! What bad rows cost a whole run: the same log under a contract that takes every row and under one that does not, and a log
//! that is damaged where the parser can see it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::clock::Spent;
use crate::contest::{Contender, contest};
use crate::input::Log;
use crate::order::Order;
use crate::process;
use crate::report::{Section, Target};
use crate::site::Site;

const MEGABYTES: u64 = 100;
/// How much longer it may take with one row in ten that is bad.
const TIMES_WANTED: f64 = 1.3;
/// OrderQty(38) of the generated logs is a multiple of 100 up to 50,000: the one bound is never passed, the other by one row in
/// ten of those that are written.
const BOUND_OF_ALL: u32 = 60_000;
const BOUND_OF_MOST: u32 = 44_500;
/// What both tables of the contract say of it.
const UNBOUNDED: &str = "      - name: order_qty
        logicalType: number
        physicalType: \"DECIMAL(38,10)\"
        logicalTypeOptions: {minimum: 0}";

const ABOUT: &str = "FIX, 100 MB, SOH, both usual tables, `host run --out` under the parser's own contract with a bound on OrderQty(38) \
added. First two rows: the same log, with a bound that no row passes, and with one that one row in ten passes. Last row: another log, \
with something wrong in every tenth line, which the parser has to look at more closely.";

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    let (clean, damaged) = (Log::clean(MEGABYTES).path(site)?, Log::dirty(MEGABYTES).path(site)?);
    let (all, most) = (contract(site, BOUND_OF_ALL)?, contract(site, BOUND_OF_MOST)?);
    let contenders = vec![
        Contender::new("no bad row", |_| host(site, &clean, &all, "rows-good")),
        Contender::new("one row in ten bad", |_| host(site, &clean, &most, "rows-bad")),
        Contender::new("one line in ten damaged", |_| host(site, &damaged, &all, "rows-damaged")),
    ];
    let series = contest(contenders, order.rounds)?;
    let mut section = Section::of_contest("Bad rows", ABOUT, MEGABYTES, &series);
    for bad in &series[1..] {
        let speed = bad.speed_against(&series[0]);
        for (what, speed) in [("CPU", speed.cpu), ("wall", speed.wall)] {
            let what = format!("{}, against none, {what}", bad.name);
            section.targets.push(Target::at_most(&what, TIMES_WANTED, 1.0 / speed, "times"));
        }
    }
    Ok(section)
}

/// Writes the parser's own contract with a bound in both tables.
fn contract(site: &Site, bound: u32) -> Outcome<PathBuf> {
    let own = fs::read_to_string(site.root.join("guests/fix/contract.odcs.yaml"))?;
    let bounded = UNBOUNDED.replace("minimum: 0", &format!("minimum: 0, maximum: {bound}"));
    if own.matches(UNBOUNDED).count() != 2 {
        return Err("the contract of FIX speaks of OrderQty(38) in other words".into());
    }
    let path = site.folder.join(format!("order-qty-{bound}.odcs.yaml"));
    fs::write(&path, own.replace(UNBOUNDED, &bounded))?;
    Ok(path)
}

fn host(site: &Site, log: &Path, contract: &Path, out: &str) -> Outcome<Spent> {
    let out = site.fresh(out)?;
    let mut command = Command::new(&site.host);
    command.env("CASPARIAN_CACHE_DIR", site.folder.join("cache"));
    command.arg("run").arg(&site.component).arg(log).arg("--contract").arg(contract);
    process::time(site, command.arg("--no-progress").arg("--out").arg(out))
}
