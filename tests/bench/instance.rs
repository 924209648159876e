//! A fresh guest out of loaded code.

use std::time::Instant;

use casparian_sandbox::Session;

use crate::Outcome;
use crate::order::Order;
use crate::report::{Section, Target};
use crate::sandboxed::{Sandboxed, on_guest_thread};
use crate::site::Site;

/// Guests that count; a tenth as many warm up.
const GUESTS: usize = 1_000;
const MICROSECONDS_WANTED: f64 = 25.0;

const ABOUT: &str = "1,000 fresh guests of the FIX parser in one process, one after another, each with a store of its own. \
Wall time: this is too short for CPU clocks. Left out: compiling and loading the component, which happen once.";

/// Microseconds of one guest's life.
struct Life {
    open: f64,
    describe: f64,
    close: f64,
}

pub(crate) fn measure(site: &Site, _: &Order) -> Outcome<Section> {
    let sandboxed = Sandboxed::load(&site.component)?;
    let lives = on_guest_thread(|| {
        for _ in 0..GUESTS / 10 {
            live(&sandboxed)?;
        }
        (0..GUESTS).map(|_| live(&sandboxed)).collect::<Outcome<Vec<Life>>>()
    })?;
    let row = |name: &str, part: fn(&Life) -> f64| {
        let mut sorted: Vec<f64> = lives.iter().map(part).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share: usize| format!("{:.1}", sorted[(sorted.len() - 1) * share / 100]);
        vec![name.to_owned(), at(50), at(10), at(90), at(99)]
    };
    let open = crate::contest::median(lives.iter().map(|life| life.open));
    Ok(Section {
        title: "A fresh guest".to_owned(),
        about: ABOUT.to_owned(),
        columns: vec!["part", "median µs", "10 %", "90 %", "99 %"],
        rows: vec![
            row("open", |life| life.open),
            row("describe", |life| life.describe),
            row("open and describe", |life| life.open + life.describe),
            row("close", |life| life.close),
        ],
        targets: vec![Target::at_most("a fresh guest, median", MICROSECONDS_WANTED, open, "µs")],
    })
}

fn live(sandboxed: &Sandboxed) -> Outcome<Life> {
    let (session, open) = timed(|| sandboxed.open());
    let session = session?;
    let (described, describe) = timed(|| Session::describe(session));
    let (session, _) = described.map_err(|ended| ended.fault)?;
    let ((), close) = timed(|| drop(session));
    Ok(Life { open, describe, close })
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed().as_secs_f64() * 1e6)
}
