//! What it costs to go on behind records that kill the parser: a file with ten of them against the same file without.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::clock::Spent;
use crate::contest::{Contender, contest};
use crate::order::Order;
use crate::process;
use crate::report::{Section, Target};
use crate::site::Site;

const MEGABYTES: u64 = 200;
const LINE_BYTES: u64 = 100;
/// How much longer a poisoned file may take.
const TIMES_WANTED: f64 = 1.3;
/// What the lines say that kill, in turns. One that spins costs its fuel, which is another matter: see the third contender.
const KILLERS: [&str; 4] = ["!trap", "!grow", "!recurse", "!handles"];
const SPINS: [&str; 1] = ["!spin"];

const ABOUT: &str = "Lines of 100 bytes, 200 MB, by the hostile guest that reads them one by one; ten of them kill it: they trap, \
want memory, recurse and hoard handles, or, in the third row, spin. `host run --out`, the compiled code at hand.";

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    let clean = lines(site, "clean", &[])?;
    let poisoned = lines(site, "poisoned", &KILLERS)?;
    let spinning = lines(site, "spinning", &SPINS)?;
    let contenders = vec![
        Contender::new("clean", |_| host(site, &clean, "lines-clean")),
        Contender::new("ten that kill", |_| host(site, &poisoned, "lines-poisoned")),
        Contender::new("ten that spin", |_| host(site, &spinning, "lines-spinning")),
    ];
    let series = contest(contenders, order.rounds)?;
    let mut section = Section::of_contest("Behind records that kill the parser", ABOUT, MEGABYTES, &series);
    let times = 1.0 / series[1].speed_against(&series[0]).cpu;
    section.targets.push(Target::at_most("ten that kill against none, CPU", TIMES_WANTED, times, "times"));
    Ok(section)
}

/// Writes lines, ten of which kill, evenly among the others; keeps them for the next time.
fn lines(site: &Site, name: &str, killers: &[&str]) -> Outcome<PathBuf> {
    let path = site.folder.join(format!("lines-{MEGABYTES}MB-{name}.txt"));
    if path.is_file() {
        return Ok(path);
    }
    let unfinished = path.with_extension("unfinished");
    let mut file = BufWriter::new(File::create(&unfinished)?);
    let count = MEGABYTES * 1_000_000 / LINE_BYTES;
    for at in 0..count {
        let turn = (at * 10 / count) as usize;
        let kills = at % (count / 10) == count / 20;
        match killers.get(turn % killers.len().max(1)).filter(|_| kills) {
            Some(killer) => writeln!(file, "{killer:<99}")?,
            None => writeln!(file, "{at:<99}")?,
        }
    }
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

fn host(site: &Site, input: &Path, out: &str) -> Outcome<Spent> {
    let out = site.fresh(out)?;
    let mut command = Command::new(&site.host);
    command.env("CASPARIAN_CACHE_DIR", site.folder.join("cache")).arg("run");
    command.arg(site.root.join("target/guests/evil.wasm")).arg(input);
    let options = ["evil=poison", "text=lines", "m=1000"];
    for option in options {
        command.args(["--option", option]);
    }
    process::time(site, command.arg("--out").arg(out))
}
