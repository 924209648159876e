//! Reads lines, a row each, and does what a line says: `!trap`, `!spin`, `!grow`, `!recurse`, `!handles`, `!refused`; `!shy` traps in
//! company only, `!vain` where it is the only line of its range; `!burn N` takes `N` turns, `!ahead` reads the input from its end
//! to its beginning, `!opens` opens another table and traps. Commits every `m` lines. Where `n` is not 0 the guest traps after so
//! many lines, whatever they say: it leaks. Where `text` ends in `sum`, each call says a row without a span.

use std::hint::black_box;

use crate::arrow::{Cells, Column, batch, schema};
use crate::bindings::casparian::parser::input::Blob;
use crate::bindings::casparian::parser::output::{self, Table};
use crate::bindings::casparian::parser::types::{Fault, SkipKind, Span};
use crate::scene::{Scene, columns};
use crate::{grow, handles, recurse, spin};

/// Ranges of one size, wherever that cuts a line.
pub(crate) fn cut(len: u64, target_bytes: u64) -> Vec<Span> {
    let size = target_bytes.clamp(1, len.max(1));
    (0..len.div_ceil(size)).map(|at| at * size).map(|offset| Span { offset, length: size.min(len - offset) }).collect()
}

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
    if scene.text.ends_with("sum") {
        let sum = vec![Column { name: "lines".into(), nullable: false, cells: Cells::U64(vec![seen]) }];
        Table::open("extremes", &schema(&sum))?.emit(&batch(&sum).message())?;
    }
    output::commit(at.max(end))
}

/// Where the line ends that begins at `after`; the context is the option `text`, which may have it lie.
pub(crate) fn resync(input: &Blob, context: &[u8], after: u64) -> Option<u64> {
    match context {
        b"lines" | b"lines and a sum" => {
            Some(after + line_at(input, after).len() as u64).filter(|end| *end > after)
        }
        b"paragraphs" => paragraph_end(input, after),
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

/// A paragraph ends with an empty line.
fn paragraph_end(input: &Blob, after: u64) -> Option<u64> {
    let mut at = after;
    while at < input.len() {
        let line = line_at(input, at);
        at += line.len() as u64;
        let begins = at - line.len() as u64;
        if line == b"\n" && (begins == 0 || input.read(begins - 1, 1) == b"\n") {
            break;
        }
    }
    Some(at).filter(|end| *end > after)
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
        b"!ahead" => {
            input_backwards(scene.input);
            Ok(())
        }
        b"!opens" => {
            drop(Table::open("extremes", &schema(&columns(&[], &[])))?);
            panic!("another table is open")
        }
        line if line.starts_with(b"!burn ") => {
            burn(std::str::from_utf8(&line[6..]).ok().and_then(|turns| turns.parse().ok()).unwrap_or(0));
            Ok(())
        }
        b"!refused" => output::skip(Span { offset: u64::MAX, length: 1 }, SkipKind::Other, ""),
        _ => Ok(()),
    }
}

fn burn(turns: u64) {
    let mut turn = 0_u64;
    while turn < turns {
        turn = black_box(turn) + 1;
    }
}

fn input_backwards(input: &Blob) {
    let mut at = input.len();
    while at > 0 {
        at = at.saturating_sub(1 << 16);
        drop(input.read(at, 1 << 16));
    }
}
