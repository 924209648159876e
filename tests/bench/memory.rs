//! Memory of a whole run: does it follow the input?

use std::process::Command;

use crate::Outcome;
use crate::contest::median;
use crate::input::Log;
use crate::order::Order;
use crate::process::{self, Peak};
use crate::report::{Section, Target};
use crate::site::Site;

const SIZES: [u64; 2] = [10, 200];
/// Only where it was asked for.
const LARGE: u64 = 2_000;
const MEGABYTES_WANTED: f64 = 150.0;
/// How much more the largest input may take than the smallest, in per cent.
const GROWTH_WANTED: f64 = 10.0;

const ABOUT: &str = "FIX, SOH, clean, `host run --out`: the high-water marks (resident, files mapped included) of supervisor and \
worker added up, which is never less than what they had at any one time. The marks are the kernel's own, looked at every \
2 ms. Medians; the native run beside it is one process.";

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    let sizes = SIZES.into_iter().chain(order.large.then_some(LARGE));
    let mut section = Section {
        title: "Memory".to_owned(),
        about: ABOUT.to_owned(),
        columns: vec!["input MB", "host run MB", "least to most", "largest process MB", "native MB"],
        rows: Vec::new(),
        targets: Vec::new(),
    };
    let mut trees = Vec::new();
    for megabytes in sizes {
        let (guests, natives) = peaks(site, order, megabytes)?;
        let tree = || guests.iter().map(|peak| mega(peak.tree));
        let (least, most) = (tree().fold(f64::INFINITY, f64::min), tree().fold(0.0, f64::max));
        trees.push(median(tree()));
        section.rows.push(vec![
            megabytes.to_string(),
            format!("{:.1}", median(tree())),
            format!("{least:.1} to {most:.1}"),
            format!("{:.1}", median(guests.iter().map(|peak| mega(peak.largest)))),
            format!("{:.1}", median(natives.iter().map(|peak| mega(peak.tree)))),
        ]);
    }
    let (least, most) =
        (trees.iter().copied().fold(f64::INFINITY, f64::min), trees.iter().copied().fold(0.0, f64::max));
    section.targets.push(Target::at_most("memory of a run", MEGABYTES_WANTED, most, "MB"));
    let growth = (most / least - 1.0) * 100.0;
    section.targets.push(Target::at_most(
        "memory from the least input to the most",
        GROWTH_WANTED,
        growth,
        "% more",
    ));
    Ok(section)
}

/// Measures runs in the sandbox and native ones by turns.
fn peaks(site: &Site, order: &Order, megabytes: u64) -> Outcome<(Vec<Peak>, Vec<Peak>)> {
    let log = Log::clean(megabytes).path(site)?;
    let (mut guests, mut natives) = (Vec::new(), Vec::new());
    for round in 0..=order.rounds {
        let out = site.fresh("memory")?;
        let guest = process::peak(site, site.host_run().arg(&log).arg("--out").arg(out))?;
        let out = site.fresh("memory")?;
        let native = process::peak(site, Command::new(&site.bench).arg("native-run").arg(&log).arg(out))?;
        // The first round may have compiled the component.
        if round > 0 {
            eprintln!(
                "  {round:>7}  {megabytes} MB: {:.1} MB, native {:.1} MB",
                mega(guest.tree),
                mega(native.tree)
            );
            guests.push(guest);
            natives.push(native);
        }
    }
    Ok((guests, natives))
}

fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
