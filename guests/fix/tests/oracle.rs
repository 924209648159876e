//! The parser against logs whose every message is known beforehand: generated ones with their truth, and other people's.
//!
//! The logs are not part of this repository; `CASPARIAN_DATA` names the directory that has them (`fix/synth/*.log` with
//! `*.truth.jsonl` beside them). Without it these tests say so and pass.
#![expect(clippy::print_stdout, reason = "the confusion table is for whoever runs the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use casparian_sdk::Span;
use casparian_sdk::harness::{Decoded, Run, Said, Value};
use fix::Fix;
use serde_json::Value as Json;

fn data() -> Option<PathBuf> {
    let found = std::env::var_os("CASPARIAN_DATA")
        .map(|data| PathBuf::from(data).join("fix"))
        .filter(|data| data.is_dir());
    if found.is_none() {
        println!("skipped: CASPARIAN_DATA names no directory with fix/ in it");
    }
    found
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("a directory that can be listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.is_file() && path.extension().is_some_and(|found| extension.is_empty() || found == extension)
        })
        .collect();
    files.sort();
    files
}

fn run(bytes: &[u8], encoding: &str) -> Said {
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    // The generator counts a blank line as one without a message.
    let options = vec![option("text-encoding", encoding), option("blank-lines", "reject")];
    Run { options, target_bytes: 40_000, read_seed: 3, ..Run::default() }.over(&Fix, bytes).expect("a run")
}

/// What became of the record that holds an offset.
struct Found<'a> {
    span: Span,
    faults: Vec<String>,
    row: Option<&'a Decoded>,
}

fn found(said: &Said, offset: u64) -> Option<Found<'_>> {
    let row = said.rows("messages").iter().find(|row| row.span.contains(offset));
    let reject = said.rejects.iter().find(|reject| reject.at.contains(offset));
    match (row, reject) {
        (Some(row), None) => Some(Found { span: row.span, faults: row.faults.clone(), row: Some(row) }),
        (None, Some(reject)) => {
            let code = fix::faults::Flaw::code_of(reject.fault).to_owned();
            Some(Found { span: reject.at, faults: vec![code], row: None })
        }
        _ => None,
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn bytes(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => latin1(bytes),
        other => panic!("expected bytes, found {other:?}"),
    }
}

/// Tag (or what stands there) and value of every field of a record.
fn fields(said: &Said, span: Span) -> Vec<(String, String)> {
    let rows = said.rows("fields").iter().filter(|row| row.span == span);
    rows.map(|row| {
        let tag = match &row["tag"] {
            Value::Int(tag) => tag.to_string(),
            _ => bytes(&row["tag_raw"]),
        };
        (tag, bytes(&row["value"]))
    })
    .collect()
}

fn true_fields(truth: &Json) -> Option<Vec<(String, String)>> {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = truth["fields"].as_array()?;
    Some(fields.iter().map(|field| (text(&field[0]), text(&field[1]))).collect())
}

fn check_log(log: &[u8], truths: &[Json], confusion: &mut BTreeMap<(String, String), u32>) -> Vec<String> {
    let said = run(log, "auto");
    let mut wrong = Vec::new();
    for truth in truths {
        let offset = truth["offset"].as_u64().expect("an offset");
        let fault = truth["fault"].as_str();
        let Some(found) = found(&said, offset) else {
            wrong.push(format!("{offset}: no record, or two"));
            continue;
        };
        let label = (
            truth["fault"].as_str().unwrap_or("clean").to_owned(),
            if found.faults.is_empty() { "(none)".to_owned() } else { found.faults.join("+") },
        );
        *confusion.entry(label).or_default() += 1;
        let named = match fault {
            None => found.faults.is_empty() && found.row.is_some(),
            Some(fault) => found.faults.iter().any(|code| code == fault),
        };
        if !named {
            wrong.push(format!("{offset}: {} but {:?}", truth["fault"], found.faults));
        }
        wrong.extend(check_span(log, offset, found.span));
        if let Some(row) = found.row {
            wrong.extend(check_row(truth, row));
            if true_fields(truth).is_some_and(|truth| truth != fields(&said, found.span)) {
                wrong.push(format!("{offset}: fields are {:?}", fields(&said, found.span)));
            }
        }
    }
    wrong
}

/// A record is its line; in a stream it begins with its message and ends where the next begins.
fn check_span(log: &[u8], offset: u64, span: Span) -> Option<String> {
    let before = &log[..offset as usize];
    let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |feed| feed + 1);
    let lines = log.contains(&b'\n');
    let start = if lines { line } else { offset as usize };
    let end = span.end() as usize;
    let ends =
        end == log.len() || if lines { log[end - 1] == b'\n' } else { log[end..].starts_with(b"8=FIX") };
    (span.offset != start as u64 || !ends).then(|| format!("{offset}: its record is {span}"))
}

fn check_row(truth: &Json, row: &Decoded) -> Option<String> {
    let text = |value: &Value| match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    let direction = truth["dir"].as_str().map(str::to_owned);
    if text(&row["direction"]) != direction && truth["log_ts"].is_string() && direction.is_some() {
        return Some(format!("{}: direction {:?}", row.span, row["direction"]));
    }
    let expected = truth["log_ts"].as_str().map(|time| {
        let fraction: i128 = format!("{:0<9}", &time[20..]).parse().expect("a fraction");
        (fraction, time.to_owned())
    });
    match (&row["log_time"], expected) {
        (Value::Null, None) => None,
        (Value::Int(nanos), Some((fraction, _)))
            if nanos.rem_euclid(1_000_000_000) / 1_000_000 == fraction / 1_000_000 =>
        {
            None
        }
        (time, expected) => Some(format!("{}: log time {time:?}, expected {expected:?}", row.span)),
    }
}

#[test]
fn every_generated_message_is_read_as_it_was_written_and_every_fault_is_named() {
    let Some(data) = data() else { return };
    let mut confusion = BTreeMap::new();
    let mut wrong = Vec::new();
    for path in files(&data.join("synth"), "log") {
        let log = std::fs::read(&path).expect("a log");
        let truth = std::fs::read_to_string(path.with_extension("truth.jsonl")).expect("its truth");
        let truths: Vec<Json> = truth.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let found = check_log(&log, &truths, &mut confusion);
        println!("{}: {} of {} messages differ", path.display(), found.len(), truths.len());
        wrong.extend(found.into_iter().map(|wrong| format!("{} {wrong}", path.display())));
    }
    println!("{:<22} {:<60} {:>6}", "truth", "reported", "count");
    for ((truth, reported), count) in &confusion {
        println!("{truth:<22} {reported:<60} {count:>6}");
    }
    assert!(wrong.is_empty(), "{} messages differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn text_in_another_encoding_is_named_and_nothing_else_changes() {
    let Some(data) = data() else { return };
    for path in files(&data.join("synth"), "log") {
        let log = std::fs::read(&path).expect("a log");
        let (told, untold) = (run(&log, "latin-1"), run(&log, "utf-8"));
        assert_eq!(told.rejects, untold.rejects);
        for (told, untold) in told.rows("messages").iter().zip(untold.rows("messages")) {
            let mut faults = untold.faults.clone();
            faults.retain(|fault| fault != "undecodable_text");
            assert_eq!((told.span, &told.faults), (untold.span, &faults));
            if faults != untold.faults {
                assert_eq!(untold["text"], Value::Null);
                assert_ne!(told["text"], Value::Null);
            }
        }
    }
}

/// Checks that rows, rejections and skips cover every byte of the input once.
fn assert_no_dark_bytes(said: &Said, len: usize, what: &str) {
    let mut spans: Vec<Span> = said.rows("messages").iter().map(|row| row.span).collect();
    spans.extend(said.rejects.iter().map(|reject| reject.at));
    spans.extend(said.skips.iter().map(|skip| skip.0));
    spans.sort();
    let mut end = 0;
    for span in spans {
        assert_eq!(span.offset, end, "{what}: a gap or an overlap");
        end = span.end();
    }
    assert_eq!(end, len as u64, "{what}: the rest is dark");
}

#[test]
fn other_people_s_logs_are_accounted_for_to_the_last_byte() {
    let Some(data) = data() else { return };
    for path in files(&data, "").into_iter().chain(files(&data.join("synth"), "")) {
        let log = std::fs::read(&path).expect("a file");
        let said = run(&log, "utf-8");
        assert_no_dark_bytes(&said, log.len(), &path.display().to_string());
        let mut faults: BTreeMap<String, u32> = BTreeMap::new();
        for fault in said.rows("messages").iter().flat_map(|row| &row.faults) {
            *faults.entry(fault.clone()).or_default() += 1;
        }
        for reject in &said.rejects {
            *faults.entry(format!("rejected {}", fix::faults::Flaw::code_of(reject.fault))).or_default() += 1;
        }
        let name = path.file_name().expect("a name").display().to_string();
        println!("{name:<45} {:>5} rows, {faults:?}", said.rows("messages").len());
    }
}

#[test]
fn damaged_logs_are_accounted_for_to_the_last_byte() {
    let Some(data) = data() else { return };
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for path in files(&data.join("synth"), "log") {
        let log = std::fs::read(&path).expect("a log");
        for round in 0..12 {
            let start = random(log.len() - 9000);
            let mut piece = log[start..start + 9000].to_vec();
            for _ in 0..1 + random(60) {
                let at = random(piece.len() - 40);
                match random(5) {
                    0 => piece[at] = random(256) as u8,
                    1 => piece[at] = b"\x01|^A=189\n\r "[random(11)],
                    2 => drop(piece.drain(at..at + random(40))),
                    3 => piece.copy_within(at..at + 30, random(8000)),
                    _ => piece.insert(at, b"\x01|^A=10\n"[random(8)]),
                }
            }
            let said = run(&piece, "utf-8");
            assert_no_dark_bytes(&said, piece.len(), &format!("{} round {round}", path.display()));
        }
    }
}

#[test]
fn no_message_that_an_engine_accepts_has_a_fault() {
    let Some(data) = data() else { return };
    let mut accepted = 0;
    for path in files(&data, "log") {
        let log = std::fs::read(&path).expect("a log");
        let verdicts = std::fs::read_to_string(path.with_extension("expected.jsonl")).expect("its verdicts");
        let said = run(&log, "utf-8");
        let lines = log.split_inclusive(|byte| *byte == b'\n');
        let mut offset = 0;
        for (line, verdict) in lines.zip(verdicts.lines()) {
            let verdict: Json = serde_json::from_str(verdict).expect("JSON");
            let response = verdict["engine_response"]["msg_type"].as_str();
            // `1,8=…` names the session that a line is for; the collection left those without length and sum.
            if line.starts_with(b"8=")
                && response.is_some_and(|response| !matches!(response, "3" | "DISCONNECT"))
            {
                let found = found(&said, offset).expect("a record");
                assert_eq!(found.faults, [""; 0], "{} at {offset}", path.display());
                accepted += 1;
            }
            offset += line.len() as u64;
        }
    }
    println!("{accepted} messages that an engine accepted have no fault");
    assert!(accepted > 300);
}
