//! Reads lines, a row each, and does what a line says: `!trap`, `!spin`, `!grow`, `!recurse`, `!handles`, `!refused`; `!shy` traps in
//! company only, `!vain` where it is the only line of its range. Commits every `m` lines. Where `n` is not 0 the guest traps
//! after so many lines, whatever they say: it leaks.

use crate::arrow::batch;
use crate::bindings::casparian::parser::input::Blob;
use crate::bindings::casparian::parser::output::{self, Table};
use crate::bindings::casparian::parser::types::{Fault, SkipKind, Span};
use crate::scene::{Scene, columns};
use crate::{grow, handles, recurse, spin};

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let table = scene.rows()?;
    let end = scene.range.offset + scene.range.length;
    let mut at = start(scene);
    let mut waiting = Vec::new();
    let mut seen = 0;
    while at < end {
        let line = line_at(scene.input, at);
        obey(scene, &line, at)?;
        seen += 1;
        assert!(scene.n == 0 || seen <= scene.n, "leaked all there was");
        let length = line.len() as u32;
        waiting.push(((at, length), String::from_utf8_lossy(&line).trim_end().to_owned()));
        at += u64::from(length);
        if waiting.len() as u64 >= scene.m {
            say(&table, &mut waiting)?;
            output::commit(at)?;
        }
    }
    say(&table, &mut waiting)?;
    output::commit(at.max(end))
}

/// Where the line ends that begins at `after`; the context is the option `text`, which may have it lie.
pub(crate) fn resync(input: &Blob, context: &[u8], after: u64) -> Option<u64> {
    match context {
        b"lines" => Some(after + line_at(input, after).len() as u64).filter(|end| *end > after),
        b"stands" => Some(after),
        b"leaves" => Some(input.len() + 1),
        b"traps" => panic!("asked for a boundary"),
        b"speaks" => {
            drop(output::commit(after));
            Some(input.len())
        }
        _ => None,
    }
}

/// A line begins behind a line feed.
fn start(scene: &Scene<'_>) -> u64 {
    match scene.range.offset {
        0 => 0,
        offset => offset - 1 + line_at(scene.input, offset - 1).len() as u64,
    }
}

/// The line at an offset, with its end, however little a read gives.
fn line_at(input: &Blob, offset: u64) -> Vec<u8> {
    let mut line = Vec::new();
    loop {
        let more = input.read(offset + line.len() as u64, 256);
        if let Some(end) = more.iter().position(|byte| *byte == b'\n') {
            line.extend(&more[..=end]);
            return line;
        }
        if more.is_empty() {
            return line;
        }
        line.extend(more);
    }
}

fn say(table: &Table, waiting: &mut Vec<((u64, u32), String)>) -> Result<(), Fault> {
    let (spans, texts): (Vec<_>, Vec<&str>) = waiting.iter().map(|(at, text)| (*at, text.as_str())).unzip();
    table.emit(&batch(&columns(&spans, &texts)).message())?;
    waiting.clear();
    Ok(())
}

fn obey(scene: &Scene<'_>, line: &[u8], at: u64) -> Result<(), Fault> {
    let alone = scene.range.offset == at && scene.range.length == line.len() as u64;
    let quiet = Scene { n: 0, text: "", ..*scene };
    match line.trim_ascii_end() {
        b"!trap" => panic!("told to trap at byte {at}"),
        b"!spin" => spin::parse(&quiet),
        b"!grow" => grow::parse(&quiet),
        b"!recurse" => recurse::parse(&quiet),
        b"!handles" => handles::parse(&Scene { n: 1000, ..quiet }),
        b"!shy" if !alone => panic!("not in company"),
        b"!vain" if alone => panic!("not alone"),
        b"!refused" => output::skip(Span { offset: u64::MAX, length: 1 }, SkipKind::Other, ""),
        _ => Ok(()),
    }
}
