//! The parsers in Python that come with the project, in the sandbox: what they say there is what they say on a developer's
//! machine, which stands beside their samples, and what their contracts make of it.
#![expect(clippy::print_stdout, reason = "what is skipped is for whoever runs the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::host::{Call, Desk, OUT, names, root};
use crate::tables;

type Span = (u64, u64);
/// The faults of records, by their spans.
type Faults = BTreeMap<Span, BTreeSet<String>>;
/// Rows of tables, in order.
type Tables = BTreeMap<String, Vec<Json>>;

const GUESTS: [&str; 2] = ["cot", "mt940"];
/// The one sample that is read with a smaller bound.
const OVERSIZED: &str = "oversized_record";

fn folder(guest: &str) -> PathBuf {
    root().join("guests").join(guest)
}

/// The samples of a guest: `good` or `bad` ones.
fn samples(guest: &str, quality: &str) -> Vec<PathBuf> {
    let folder = folder(guest).join("samples").join(quality);
    let names = names(&folder).into_iter().filter(|name| !name.ends_with(".expected.jsonl"));
    names.map(|name| folder.join(name)).collect()
}

fn lines(path: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What was said of a sample.
#[derive(Default)]
struct Said {
    tables: Tables,
    faults: Faults,
}

/// What a parser says on a developer's machine: rows of records without faults, and the faults of the others.
fn natively(sample: &Path) -> Said {
    let mut said = Said::default();
    for line in lines(&PathBuf::from(format!("{}.expected.jsonl", sample.display()))) {
        if let Some(reject) = line.get("reject") {
            let span = (whole(&reject["offset"]), whole(&reject["length"]));
            said.faults.entry(span).or_default().insert(text(&reject["code"]));
        } else if let Some(row) = line.get("row") {
            for fault in row["_cf_faults"].as_array().into_iter().flatten() {
                said.faults.entry(span(row)).or_default().insert(text(fault));
            }
            said.tables.entry(text(&line["table"])).or_default().push(row.clone());
        }
    }
    let Said { tables, faults } = &mut said;
    tables.values_mut().for_each(|rows| rows.retain(|row| !faults.contains_key(&span(row))));
    said
}

fn whole(value: &Json) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no whole number: {value}"))
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn span(row: &Json) -> Span {
    (whole(&row["_cf_offset"]), whole(&row["_cf_length"]))
}

/// What the host wrote about a sample.
fn written(folder: &Path) -> Said {
    let mut said = Said { faults: quarantined(folder), ..Said::default() };
    for name in names(folder) {
        if let Some(table) = name.strip_suffix(".jsonl") {
            let rows = lines(&folder.join(&name));
            if !rows.is_empty() {
                said.tables.insert(table.to_owned(), rows);
            }
        }
    }
    said
}

/// The faults of the parser's that records are in quarantine for; a record that is there for something else has none.
fn quarantined(folder: &Path) -> Faults {
    let mut faults = Faults::new();
    let path = folder.join("_quarantine.parquet");
    if path.is_file() {
        let rows = tables::read(&path);
        let spans = tables::spans(&rows, "byte_offset", "byte_length");
        for (span, reasons) in spans.into_iter().zip(tables::reasons(&rows)) {
            let codes = faults.entry(span.expect("a place")).or_default();
            codes.extend(reasons.into_iter().filter(|(code, _)| code == "CF0900").map(|(_, rule)| rule));
        }
    }
    faults
}

fn call<'a>(desk: &'a Desk, guest: &str, sample: &Path, words: &[&str]) -> Call<'a> {
    std::fs::copy(sample, desk.path("input")).expect("a sample");
    let call = desk.run(&folder(guest)).args(words);
    if sample.file_stem().is_some_and(|stem| stem == OVERSIZED) {
        return call.option("record-bytes-max", 1024);
    }
    call
}

#[test]
fn parsers_say_in_the_sandbox_what_they_say_outside_of_it() {
    for guest in GUESTS {
        for sample in [samples(guest, "good"), samples(guest, "bad")].concat() {
            let desk = Desk::new(b"");
            let said =
                call(&desk, guest, &sample, &["--no-contract", "--tables", "all", "--format", "jsonl"])
                    .done();
            let report = said.report();
            assert_eq!((said.exit, &report["accounting"]["dark_bytes"]), (0, &0.into()), "{report}");
            compare(&natively(&sample), &written(&desk.path(OUT)), &sample);
        }
    }
}

fn compare(native: &Said, host: &Said, sample: &Path) {
    let sample = sample.display();
    assert_eq!(native.faults, host.faults, "{sample}");
    for (table, rows) in &native.tables {
        let none = Vec::new();
        let others = host.tables.get(table).unwrap_or(&none);
        assert_eq!(rows.len(), others.len(), "{sample}: rows of {table}");
        for (row, other) in rows.iter().zip(others) {
            assert!(is_like(row, &without_number(other)), "{sample}: {table}\n{row}\n{other}");
        }
    }
    for (table, rows) in &host.tables {
        assert_eq!(native.tables.get(table).map_or(0, Vec::len), rows.len(), "{sample}: rows of {table}");
    }
}

/// A row as the parser sent it: the host numbers records.
fn without_number(row: &Json) -> Json {
    let mut row = row.clone();
    row.as_object_mut().expect("a row").remove("_cf_record_no");
    row
}

/// Whether a cell that a parser sent as text is the value that the host wrote.
fn is_like(sent: &Json, written: &Json) -> bool {
    match (sent, written) {
        (Json::String(sent), Json::Number(number)) => sent.parse::<f64>().ok() == number.as_f64(),
        (Json::String(sent), Json::Bool(flag)) => *sent == flag.to_string(),
        (Json::Number(sent), Json::Number(number)) => sent.as_f64() == number.as_f64(),
        (Json::String(sent), Json::String(written)) => {
            sent == written || is_same_decimal(sent, written) || is_same_instant(sent, written)
        }
        (Json::Array(sent), Json::Array(written)) => {
            sent.len() == written.len() && sent.iter().zip(written).all(|(a, b)| is_like(a, b))
        }
        (Json::Object(sent), Json::Object(written)) => {
            sent.len() == written.len()
                && sent.iter().all(|(key, cell)| written.get(key).is_some_and(|other| is_like(cell, other)))
        }
        _ => sent == written,
    }
}

fn is_same_decimal(sent: &str, written: &str) -> bool {
    let bare = |text: &str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = text.parse::<f64>().is_ok();
        is_number.then(|| (whole.to_owned(), fraction.trim_end_matches('0').to_owned()))
    };
    bare(sent).is_some_and(|sent| bare(written) == Some(sent))
}

/// Compares times of one day, whose offsets do not lead out of it.
fn is_same_instant(sent: &str, written: &str) -> bool {
    instant(sent).is_some_and(|sent| instant(written) == Some(sent))
}

/// Returns a day, its second and the fraction of that, in UTC where there is a zone.
fn instant(text: &str) -> Option<(String, i64, String)> {
    let (day, time) = text.split_once('T')?;
    let number = |text: Option<&str>| text?.parse::<i64>().ok();
    let zone = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let seconds = number(clock.get(..2))? * 3600 + number(clock.get(3..5))? * 60 + number(clock.get(6..8))?;
    let ahead = match zone {
        "" | "Z" => 0,
        _ => number(zone.get(..3))? * 3600 + number(zone.get(4..6))? * 60,
    };
    Some((day.to_owned(), seconds - ahead, fraction.trim_end_matches('0').to_owned()))
}

#[test]
fn good_samples_meet_the_contract_that_comes_with_the_parser() {
    for guest in GUESTS {
        for sample in samples(guest, "good") {
            let desk = Desk::new(b"");
            let report = call(&desk, guest, &sample, &["--tables", "all"]).done().assert_completed();
            assert_eq!(report["contract"]["id"], guest, "{report}");
            assert_eq!(report["status"], "completed", "{}: {report}", sample.display());
            let native: usize = natively(&sample).tables.values().map(Vec::len).sum();
            let accepted = report["tables"].as_array().into_iter().flatten().map(|it| whole(&it["accepted"]));
            assert_eq!(accepted.sum::<u64>(), native as u64, "{}", sample.display());
        }
    }
}

fn data(format: &str) -> Option<PathBuf> {
    let data = std::env::var_os("CASPARIAN_DATA").map(|data| PathBuf::from(data).join(format));
    let found = data.filter(|data| data.is_dir());
    if found.is_none() {
        println!("skipped: CASPARIAN_DATA names no directory with {format}/ in it");
    }
    found
}

#[test]
fn the_events_that_are_held_are_those_that_something_was_done_to() {
    let Some(folder) = data("cot") else { return };
    for name in ["one_per_line", "stream_concat", "wrapped_events", "xmldecl_each", "log_prefixed"] {
        let desk = Desk::new(b"");
        let report = call(&desk, "cot", &folder.join(format!("synth/{name}.cot")), &[]).done().report();
        let truths = lines(&folder.join(format!("synth/{name}.truth.jsonl")));
        let good = truths.iter().filter(|truth| truth["fault"].is_null());
        let good: Vec<&str> = good.map(|truth| truth["uid"].as_str().expect("a name")).collect();
        let events = tables::read(&desk.path(OUT).join("events.parquet"));
        let found = tables::texts(&events, "uid");
        assert_eq!(
            found.iter().map(Option::as_deref).collect::<Vec<_>>(),
            good.iter().copied().map(Some).collect::<Vec<_>>()
        );
        let held = quarantined(&desk.path(OUT));
        assert_eq!(held.len(), truths.len() - good.len(), "{name}: {report}");
        assert_eq!(report["accounting"]["dark_bytes"], 0);
    }
}

#[test]
fn messages_of_tak_are_accepted_whole() {
    let Some(folder) = data("cot") else { return };
    for name in ["takproto_v1_stream", "takproto_v1_mesh_u32len"] {
        let desk = Desk::new(b"");
        let sample = folder.join(format!("synth/{name}.bin"));
        let report = call(&desk, "cot", &sample, &[]).done().assert_completed();
        let truths = lines(&folder.join("synth/takproto_v1.truth.jsonl"));
        assert_eq!(report["tables"][0]["accepted"], truths.len() as u64, "{report}");
        assert_eq!(
            (&report["status"], &report["accounting"]["dark_bytes"]),
            (&"completed".into(), &0.into())
        );
    }
}
