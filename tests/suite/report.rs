//! Every number of a report against another way of finding it: digests and sizes taken here, rows counted in the files that were
//! written, byte classes painted from spans.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use arrow_array::RecordBatch;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::host::{self, Desk, INPUT, OUT, guest};
use crate::tables::{self, Reason};

/// A log with every fault that the parser knows, and blank lines.
fn log() -> Vec<u8> {
    let samples = host::root().join("guests/fix/samples");
    let mut log = std::fs::read(samples.join("demo.log")).expect("a sample");
    for name in host::names(&samples.join("bad")).iter().filter(|name| name.ends_with(".log")) {
        if !log.ends_with(b"\n") {
            log.push(b'\n');
        }
        log.extend_from_slice(b"\n  \r\n");
        log.extend(std::fs::read(samples.join("bad").join(name)).expect("a sample"));
    }
    log
}

/// The tables of the guest.
const TABLES: [&str; 6] =
    ["messages", "execution_reports", "session_events", "market_data_entries", "groups", "fields"];

/// One run, and what it wrote.
struct Ran {
    input: Vec<u8>,
    report: Json,
    elapsed_ms: u128,
    /// The files of the tables, by name.
    tables: BTreeMap<String, Vec<RecordBatch>>,
    quarantine: Vec<RecordBatch>,
    desk: Desk,
}

fn ran() -> Ran {
    let input = log();
    let desk = Desk::new(&input);
    let begun = Instant::now();
    let said = desk.run(&guest("fix")).args(&["--tables", "all", "--no-contract"]).done();
    let elapsed_ms = begun.elapsed().as_millis();
    assert_eq!(said.exit, 0, "{said:?}");
    let table = |name: &str| (name.to_owned(), tables::read(&desk.path(&format!("out/{name}.parquet"))));
    let tables = TABLES.map(table).into();
    let quarantine = tables::read(&desk.path("out/_quarantine.parquet"));
    Ran { input, report: said.report(), elapsed_ms, tables, quarantine, desk }
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Where records are: offset and length of each.
type Spans = BTreeSet<(u64, u64)>;

/// The spans of accepted and of quarantined records.
fn spans(ran: &Ran) -> (Spans, Spans) {
    let accepted = ran.tables.values().flat_map(|rows| tables::spans(rows, "_cf_offset", "_cf_length"));
    let quarantined = tables::spans(&ran.quarantine, "byte_offset", "byte_length");
    (accepted.flatten().collect(), quarantined.into_iter().flatten().collect())
}

fn counted<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, u64> {
    let mut counts = BTreeMap::new();
    items.for_each(|item| *counts.entry(item).or_default() += 1);
    counts
}

/// Counts rows by a part of their reasons, each row once.
fn rows_by(ran: &Ran, part: impl Fn(Reason) -> String) -> Json {
    let reasons = tables::reasons(&ran.quarantine).into_iter();
    let parts = reasons.flat_map(|reasons| reasons.into_iter().map(&part).collect::<BTreeSet<_>>());
    serde_json::to_value(counted(parts)).expect("JSON")
}

#[test]
fn who_and_what_it_was_is_what_it_is() {
    let ran = ran();
    let component = std::fs::read(guest("fix")).expect("a component");
    assert_eq!(ran.report["schema"], 1);
    assert_eq!(ran.report["input"]["sha256"], sha256(&ran.input));
    assert_eq!(ran.report["input"]["bytes"], ran.input.len());
    assert_eq!(ran.report["input"]["path"], ran.desk.path(INPUT).to_string_lossy().as_ref());
    assert_eq!(ran.report["component"]["sha256"], sha256(&component));
    assert_eq!(ran.report["component"]["name"], "fix");
    assert_eq!((&ran.report["contract"], &ran.report["isolation"]), (&Json::Null, &Json::from("L3")));
}

#[test]
fn rows_are_as_many_as_the_files_have() {
    let ran = ran();
    let sent_to = counted(tables::texts(&ran.quarantine, "table").into_iter().flatten());
    for table in ran.report["tables"].as_array().expect("tables") {
        let name = table["name"].as_str().expect("a name");
        assert_eq!(table["accepted"], tables::count(&ran.tables[name]), "{name}");
        assert_eq!(table["quarantined"], sent_to.get(name).copied().unwrap_or(0), "{name}");
        let path = ran.desk.path("out").join(format!("{name}.parquet"));
        assert_eq!(table["path"], path.to_string_lossy().as_ref());
    }
    assert_eq!(ran.report["tables"].as_array().map(Vec::len), Some(TABLES.len()));
    assert_eq!(ran.report["quarantine"]["rows"], tables::count(&ran.quarantine));
    assert_eq!(ran.report["quarantine"]["by_code"], rows_by(&ran, |(code, _)| code));
    assert_eq!(ran.report["quarantine"]["by_rule"], rows_by(&ran, |(_, rule)| rule));
    assert_eq!(ran.report["status"], "completed_with_quarantine");
}

#[test]
fn byte_classes_are_what_painting_every_byte_comes_to() {
    let ran = ran();
    let (accepted, quarantined) = spans(&ran);
    let mut paint = vec!['-'; ran.input.len()];
    for (class, spans) in [('a', &accepted), ('q', &quarantined)] {
        for (offset, length) in spans {
            for byte in &mut paint[*offset as usize..(offset + length) as usize] {
                assert_eq!(*byte, '-', "byte classes overlap in the record at {offset}");
                *byte = class;
            }
        }
    }
    let painted = |class| paint.iter().filter(|found| **found == class).count();
    let accounting = &ran.report["accounting"];
    assert_eq!(accounting["accepted_bytes"], painted('a'));
    assert_eq!(accounting["quarantined_bytes"], painted('q'));
    assert_eq!(accounting["skipped_bytes"], painted('-'));
    assert_eq!(accounting["skipped_by_kind"], serde_json::json!({ "blank": painted('-') }));
    assert_eq!((&accounting["dark_bytes"], &accounting["dark_ranges"]), (&Json::from(0), &Json::from(0)));
    assert_eq!(accounting["coverage"], "full");
    let unspoken = paint.iter().zip(&ran.input).filter(|(class, _)| **class == '-');
    assert!(unspoken.clone().count() > 0 && unspoken.clone().all(|(_, byte)| byte.is_ascii_whitespace()));
    assert_eq!(ran.report["records"], accepted.len() + quarantined.len());
}

#[test]
fn records_are_numbered_in_the_order_of_the_input() {
    let ran = ran();
    let (accepted, quarantined) = spans(&ran);
    let records: Vec<(u64, u64)> = accepted.union(&quarantined).copied().collect();
    let number = |span: Option<(u64, u64)>| {
        span.and_then(|span| records.binary_search(&span).ok()).map(|at| at as u64)
    };
    for (name, rows) in &ran.tables {
        let due: Vec<_> = tables::spans(rows, "_cf_offset", "_cf_length").into_iter().map(number).collect();
        assert_eq!(tables::numbers(rows, "_cf_record_no"), due, "{name}");
    }
    let due: Vec<_> =
        tables::spans(&ran.quarantine, "byte_offset", "byte_length").into_iter().map(number).collect();
    assert_eq!(tables::numbers(&ran.quarantine, "record_no"), due);
    assert!(due.is_sorted());
}

#[test]
fn a_quarantined_row_carries_its_bytes_its_lines_and_its_names() {
    let ran = ran();
    let spans = tables::spans(&ran.quarantine, "byte_offset", "byte_length");
    let raw = tables::blobs(&ran.quarantine, "raw");
    let (first, last) =
        (tables::numbers(&ran.quarantine, "line_first"), tables::numbers(&ran.quarantine, "line_last"));
    let line_of =
        |byte: usize| Some(1 + ran.input[..byte].iter().filter(|byte| **byte == b'\n').count() as u64);
    for (row, span) in spans.iter().enumerate() {
        let (offset, length) = span.expect("every record has a place");
        let (from, to) = (offset as usize, (offset + length) as usize);
        let is_first_of_record = row == 0 || spans[row - 1] != *span;
        assert_eq!(raw[row].as_deref(), is_first_of_record.then_some(&ran.input[from..to]), "row {row}");
        assert_eq!((first[row], last[row]), (line_of(from), line_of(to - 1)), "row {row}");
    }
    for column in ["input_sha256", "parser_hash"] {
        let due = if column == "parser_hash" { &ran.report["component"] } else { &ran.report["input"] };
        let found: BTreeSet<_> = tables::texts(&ran.quarantine, column).into_iter().flatten().collect();
        assert_eq!(
            found.into_iter().map(Json::from).collect::<Vec<_>>(),
            [due["sha256"].clone()],
            "{column}"
        );
    }
    let ids: BTreeSet<_> = tables::texts(&ran.quarantine, "q_id").into_iter().collect();
    assert_eq!(
        ids.len() as u64,
        tables::count(&ran.quarantine),
        "every quarantined row has a name of its own"
    );
}

/// `H` of docs/spec/quarantine-file.md: domain and fields, each behind its length.
fn h(domain: &str, fields: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for field in [domain.as_bytes()].iter().chain(fields) {
        hasher.update((field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    hasher.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Each row's place among the rows of its record and table. The quarantine has them next to each other.
fn ordinals(ran: &Ran) -> Vec<u64> {
    let places = tables::spans(&ran.quarantine, "byte_offset", "byte_length");
    let places: Vec<_> = places.into_iter().zip(tables::texts(&ran.quarantine, "table")).collect();
    let earlier = |row: usize| places[..row].iter().rev().take_while(|place| **place == places[row]).count();
    (0..places.len()).map(|row| earlier(row) as u64).collect()
}

/// The digest of what a run is given that sets no option: every default, by name.
fn options_digest(desk: &Desk) -> [u8; 32] {
    let inspection = desk.call(&["inspect"]).arg(guest("fix")).arg("--json").done().report();
    let options = inspection["description"]["options"].as_array().expect("options");
    let text = |option: &Json, key: &str| option[key].as_str().expect("a text").to_owned();
    let defaults: BTreeMap<String, String> =
        options.iter().map(|option| (text(option, "name"), text(option, "default"))).collect();
    let fields: Vec<&[u8]> =
        defaults.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]).collect();
    h("casparian:options:1", &fields)
}

#[test]
fn names_of_quarantined_rows_follow_from_the_written_specification() {
    let ran = ran();
    let component = std::fs::read(guest("fix")).expect("a component");
    let input: [u8; 32] = Sha256::digest(&ran.input).into();
    let parser: [u8; 32] = Sha256::digest(component).into();
    let options = options_digest(&ran.desk);
    let (tables_of, spans) = (
        tables::texts(&ran.quarantine, "table"),
        tables::spans(&ran.quarantine, "byte_offset", "byte_length"),
    );
    let (row_ids, q_ids) = (tables::texts(&ran.quarantine, "row_id"), tables::texts(&ran.quarantine, "q_id"));
    for (row, ordinal) in ordinals(&ran).into_iter().enumerate() {
        let table = tables_of[row].clone().unwrap_or_default();
        let (offset, _) = spans[row].expect("every record has a place");
        let index = 0_u64.to_le_bytes();
        let place = [offset.to_le_bytes(), ordinal.to_le_bytes()];
        let row_id = h("casparian:row-id:1", &[&input, &index, table.as_bytes(), &place[0], &place[1]]);
        let q_id = h("casparian:quarantine-id:1", &[&row_id, b"", &parser, &options]);
        assert_eq!(
            (row_ids[row].as_deref(), q_ids[row].as_deref()),
            (Some(&*hex(&row_id)), Some(&*hex(&q_id)))
        );
    }
}

#[test]
fn every_file_says_what_it_was_made_of_and_by_what() {
    let ran = ran();
    for file in ["messages.parquet", "fields.parquet", "_quarantine.parquet"] {
        let footer = tables::footer(&ran.desk.path("out").join(file));
        let says = |key: &str| footer.get(key).cloned().flatten();
        assert_eq!(says("casparian.format_version").as_deref(), Some("1"), "{file}: {footer:?}");
        assert_eq!(
            says("casparian.input.sha256").map(Json::from),
            Some(ran.report["input"]["sha256"].clone())
        );
        assert_eq!(
            says("casparian.parser.sha256").map(Json::from),
            Some(ran.report["component"]["sha256"].clone())
        );
        assert_eq!(says("casparian.parser.name").as_deref(), Some("fix"), "{file}");
        assert_eq!(says("casparian.contract.id"), None, "{file}");
    }
}

#[test]
fn fuel_memory_and_time_are_plausible_and_fuel_is_exact() {
    let (one, other) = (ran(), ran());
    assert_eq!(one.report["fuel"], other.report["fuel"]);
    let fuel = one.report["fuel"].as_u64().expect("fuel");
    assert!(fuel > one.input.len() as u64, "{fuel} fuel for {} bytes", one.input.len());
    let peak = one.report["memory_peak_bytes"].as_u64().expect("a peak");
    assert!(peak > 0 && peak <= 256 << 20 && peak.is_multiple_of(65_536), "{peak} bytes of memory");
    assert_eq!(one.report["memory_peak_bytes"], other.report["memory_peak_bytes"]);
    let wall_ms = one.report["wall_ms"].as_u64().expect("a time");
    assert!(u128::from(wall_ms) <= one.elapsed_ms, "{wall_ms} ms within {} ms", one.elapsed_ms);
}

#[test]
fn where_rows_go_changes_nothing_that_the_guest_could_notice() {
    let ran = ran();
    let call = ran.desk.call(&["run"]).arg(guest("fix")).arg(ran.desk.path(INPUT)).args(&[
        "--json",
        "--tables",
        "all",
        "--no-contract",
    ]);
    let whatif = call.arg("--whatif").done().report();
    for part in ["fuel", "memory_peak_bytes", "records", "accounting"] {
        assert_eq!(whatif[part], ran.report[part], "{part}");
    }
    assert_eq!(whatif["quarantine"]["by_rule"], ran.report["quarantine"]["by_rule"]);
    assert_eq!((&whatif["tables"][0]["path"], &whatif["quarantine"]["path"]), (&Json::Null, &Json::Null));
}

#[test]
fn i_11_a_line_without_an_end_costs_no_more_memory_than_a_short_one() {
    const LINE_BYTES: u64 = 64 << 20;
    let desk = Desk::new(b"8=FIX.4.4|9=");
    let input = std::fs::File::options().write(true).open(desk.path(INPUT)).expect("the input");
    input.set_len(LINE_BYTES).expect("a file with a hole");
    let said = desk.run(&guest("fix")).done();
    let report = said.report();
    assert_eq!(
        (said.exit, &report["accounting"]["quarantined_bytes"]),
        (0, &Json::from(LINE_BYTES)),
        "{report}"
    );
    assert_eq!(report["quarantine"]["by_rule"], serde_json::json!({ "oversized_record": 1 }));
    let peak = report["memory_peak_bytes"].as_u64().expect("a peak");
    assert!(peak < 8 << 20, "{peak} bytes of memory");
    let quarantine = tables::read(&desk.path("out/_quarantine.parquet"));
    let raw = tables::blobs(&quarantine, "raw").remove(0).expect("raw bytes");
    assert_eq!((raw.len(), &raw[..12]), (64 << 10, b"8=FIX.4.4|9=".as_slice()));
}

#[test]
fn what_a_run_wrote_is_shown_column_by_column() {
    let desk = Desk::new(b"a=1\na=2\nb=\n");
    assert_eq!(desk.run(&guest("hello_parser")).done().exit, 0);
    let said = desk.call(&["inspect", OUT]).done();
    assert_eq!(said.exit, 0, "{said:?}");
    let line = |name: &str| {
        let line = said.stdout.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_else(|| panic!("{said:?}")).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("pairs")[..3], ["pairs", "3", "rows,"]);
    assert_eq!(line("key"), ["key", "Utf8", "-", "2", "a", "b"]);
    assert_eq!(line("_cf_offset")[..6], ["_cf_offset", "UInt64", "-", "3", "0", "8"]);
    let json = desk.call(&["inspect", OUT, "--json"]).done().report();
    assert_eq!(json["tables"][0]["columns"][1]["distinct"]["exactly"], 3, "{json}");
}
