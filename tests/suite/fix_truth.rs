//! The FIX parser in the whole house, against logs whose every message is known beforehand. The logs are not part of this
//! repository; `CASPARIAN_DATA` names the directory that has them. Without it these tests say so and pass.
#![expect(clippy::print_stdout, reason = "the confusion table is for whoever runs the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::host::{Desk, guest};
use crate::tables;

type Span = (u64, u64);
type Field = (String, String);

fn data() -> Option<PathBuf> {
    let data = std::env::var_os("CASPARIAN_DATA").map(|data| PathBuf::from(data).join("fix"));
    let found = data.filter(|data| data.is_dir());
    if found.is_none() {
        println!("skipped: CASPARIAN_DATA names no directory with fix/ in it");
    }
    found
}

fn files(folder: &Path, extension: Option<&str>) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| {
        path.is_file() && extension.is_none_or(|e| path.extension().is_some_and(|found| found == e))
    });
    files.sort();
    files
}

/// What the generator says of one message.
struct Truth {
    offset: u64,
    /// What it did to the message.
    fault: Option<String>,
    fields: Vec<Field>,
}

impl Truth {
    fn new(line: &str) -> Self {
        let json: Json = serde_json::from_str(line).expect("JSON");
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs = json["fields"].as_array().into_iter().flatten();
        Truth {
            offset: json["offset"].as_u64().expect("an offset"),
            fault: json["fault"].as_str().map(str::to_owned),
            fields: pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        }
    }
}

/// What the host wrote about one log.
struct Written {
    report: Json,
    accepted: BTreeSet<Span>,
    /// The rules that each quarantined record broke.
    quarantined: BTreeMap<Span, BTreeSet<String>>,
    fields: BTreeMap<Span, Vec<Field>>,
}

fn run(path: &Path) -> Written {
    let desk = Desk::new(&std::fs::read(path).expect("a log"));
    // A message in another encoding is no fault of the message: the parser is told which it is. And the generator counts a
    // blank line as a line without a message.
    let call = desk.run(&guest("fix")).option("text-encoding", "latin-1").option("blank-lines", "reject");
    let call = call.args(&["--tables", "all"]);
    let said = call.done();
    assert_eq!(said.exit, 0, "{}: {said:?}", path.display());
    let messages = tables::read(&desk.path("out/messages.parquet"));
    let accepted = of_rows(&messages);
    let rows = accepted.len();
    let accepted: BTreeSet<Span> = accepted.into_iter().collect();
    assert_eq!(accepted.len(), rows, "{}: two messages of one record", path.display());
    Written { report: said.report(), accepted, quarantined: quarantined(&desk), fields: fields(&desk) }
}

fn of_rows(rows: &[arrow_array::RecordBatch]) -> Vec<Span> {
    let spans = tables::spans(rows, "_cf_offset", "_cf_length").into_iter();
    spans.map(|span| span.expect("every message has a place")).collect()
}

fn quarantined(desk: &Desk) -> BTreeMap<Span, BTreeSet<String>> {
    let mut quarantined: BTreeMap<Span, BTreeSet<String>> = BTreeMap::new();
    let path = desk.path("out/_quarantine.parquet");
    if path.is_file() {
        let rows = tables::read(&path);
        let spans = tables::spans(&rows, "byte_offset", "byte_length");
        for (span, reasons) in spans.into_iter().zip(tables::reasons(&rows)) {
            let rules = quarantined.entry(span.expect("a place")).or_default();
            rules.extend(reasons.into_iter().filter(|(code, _)| code == "CF0900").map(|(_, rule)| rule));
        }
    }
    quarantined
}

/// Tag (or what stands there) and value of every field of every accepted message, in order.
fn fields(desk: &Desk) -> BTreeMap<Span, Vec<Field>> {
    let rows = tables::read(&desk.path("out/fields.parquet"));
    let (tags, raw, values) =
        (tables::numbers(&rows, "tag"), tables::blobs(&rows, "tag_raw"), tables::blobs(&rows, "value"));
    let mut fields: BTreeMap<Span, Vec<Field>> = BTreeMap::new();
    for (((span, tag), raw), value) in of_rows(&rows).into_iter().zip(tags).zip(raw).zip(values) {
        let tag = tag.map_or_else(|| latin_1(&raw.unwrap_or_default()), |tag| tag.to_string());
        fields.entry(span).or_default().push((tag, latin_1(&value.unwrap_or_default())));
    }
    fields
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Where the record of a message must be: its line, or in a stream from its start to the next one's.
fn due_span(log: &[u8], truths: &[Truth], at: usize) -> Span {
    let offset = truths[at].offset;
    if !log.contains(&b'\n') {
        let end = truths.get(at + 1).map_or(log.len() as u64, |next| next.offset);
        return (offset, end - offset);
    }
    let (before, behind) = log.split_at(offset as usize);
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |feed| feed + 1);
    let end =
        behind.iter().position(|byte| *byte == b'\n').map_or(log.len(), |feed| offset as usize + feed + 1);
    (start as u64, (end - start) as u64)
}

#[derive(Default)]
struct Comparison {
    confusion: BTreeMap<(String, String), u64>,
    wrong: Vec<String>,
}

fn compare(log: &[u8], truths: &[Truth], written: &Written) -> Comparison {
    let mut comparison = Comparison::default();
    for (at, truth) in truths.iter().enumerate() {
        let span = due_span(log, truths, at);
        let reported = comparison.look_at(truth, span, written);
        let name = truth.fault.as_deref().unwrap_or("clean");
        *comparison.confusion.entry((name.to_owned(), reported)).or_default() += 1;
    }
    comparison
}

impl Comparison {
    /// Compares one message; returns what was reported of it.
    fn look_at(&mut self, truth: &Truth, span: Span, written: &Written) -> String {
        let place = format!("bytes {}..{}", span.0, span.0 + span.1);
        let rules = written.quarantined.get(&span);
        let reported = match (written.accepted.contains(&span), rules) {
            (true, None) => "accepted".to_owned(),
            (false, Some(rules)) => rules.iter().cloned().collect::<Vec<_>>().join("+"),
            (false, None) => "no record".to_owned(),
            (true, Some(_)) => "accepted and quarantined".to_owned(),
        };
        let fits = match &truth.fault {
            None => reported == "accepted",
            Some(fault) => rules.is_some_and(|rules| rules.contains(fault)),
        };
        if !fits {
            self.wrong.push(format!(
                "{place}: {} reported as {reported}",
                truth.fault.as_deref().unwrap_or("clean")
            ));
        }
        if truth.fault.is_none() && written.fields.get(&span) != Some(&truth.fields) {
            self.wrong.push(format!(
                "{place}: fields are {:?}, not {:?}",
                written.fields.get(&span),
                truth.fields
            ));
        }
        reported
    }
}

fn assert_counts(truths: &[Truth], written: &Written, what: &str) {
    let clean = truths.iter().filter(|truth| truth.fault.is_none()).count();
    let faulty = truths.len() - clean;
    assert_eq!((written.accepted.len(), written.quarantined.len()), (clean, faulty), "{what}");
    let mut tables = written.report["tables"].as_array().expect("tables").iter();
    let messages = tables.find(|table| table["name"] == "messages").expect("messages");
    assert_eq!(messages["accepted"], clean, "{what}");
    assert_eq!(written.report["records"], clean + faulty, "{what}");
    let accounting = &written.report["accounting"];
    assert_eq!(
        (&accounting["dark_bytes"], &accounting["coverage"]),
        (&Json::from(0), &Json::from("full")),
        "{what}"
    );
    assert_eq!(accounting["skipped_bytes"], 0, "{what}");
}

#[test]
fn every_message_is_accepted_as_it_was_written_or_quarantined_for_what_was_done_to_it() {
    let Some(data) = data() else { return };
    let logs = files(&data.join("synth"), Some("log"));
    assert!(!logs.is_empty(), "no logs in {}", data.display());
    for path in logs {
        let log = std::fs::read(&path).expect("a log");
        let truth = std::fs::read_to_string(path.with_extension("truth.jsonl")).expect("its truth");
        let truths: Vec<Truth> = truth.lines().map(Truth::new).collect();
        let written = run(&path);
        let Comparison { confusion, wrong } = compare(&log, &truths, &written);
        println!("{}: {} messages", path.file_name().expect("a name").display(), truths.len());
        for ((truth, reported), count) in &confusion {
            println!("  {truth:<22} {reported:<44} {count:>5}");
        }
        assert!(wrong.is_empty(), "{}: {} differ:\n{}", path.display(), wrong.len(), wrong.join("\n"));
        assert_counts(&truths, &written, &path.display().to_string());
    }
}

#[test]
fn every_other_file_ends_with_a_verdict() {
    let Some(data) = data() else { return };
    let folders = [
        data.clone(),
        data.join("synth"),
        data.join("dictionaries"),
        data.join("orchestra"),
        data.join("expected"),
    ];
    for path in folders.iter().filter(|folder| folder.is_dir()).flat_map(|folder| files(folder, None)) {
        let desk = Desk::new(&std::fs::read(&path).expect("a file"));
        let said = desk.run(&guest("fix")).args(&["--tables", "all"]).done();
        let report = said.report();
        let verdict = (said.exit, report["status"].as_str().unwrap_or_default());
        let is_verdict = matches!(verdict, (0, "completed" | "completed_with_quarantine") | (11, "failed"));
        assert!(is_verdict, "{}: {report}", path.display());
        if said.exit == 0 {
            assert_eq!(report["accounting"]["dark_bytes"], 0, "{}", path.display());
        }
        println!("{:<50} {:>3} {}", path.file_name().expect("a name").display(), verdict.0, verdict.1);
    }
}

/// How many rows of each table were accepted and quarantined.
fn rows(report: &Json) -> Vec<(String, u64, u64)> {
    let number = |table: &Json, key: &str| table[key].as_u64().expect("a number");
    let tables = report["tables"].as_array().expect("tables").iter();
    let name = |table: &Json| table["name"].as_str().expect("a name").to_owned();
    tables.map(|table| (name(table), number(table, "accepted"), number(table, "quarantined"))).collect()
}

fn sample(name: &str) -> Desk {
    let path = crate::host::root().join("guests/fix/samples").join(name);
    Desk::new(&std::fs::read(path).expect("a sample"))
}

#[test]
fn the_contract_that_goes_with_the_parser_takes_the_demo_for_what_it_is() {
    let report = sample("demo.log").run(&guest("fix")).done().report();
    assert_eq!(
        (&report["contract"]["id"], &report["contract"]["origin"]),
        (&"fix".into(), &"embedded".into())
    );
    let due = [("messages", 296, 9), ("execution_reports", 131, 6)];
    assert_eq!(rows(&report), due.map(|(name, accepted, held)| (name.to_owned(), accepted, held)));
}

#[test]
fn the_contract_that_goes_with_the_parser_holds_what_no_parser_can_know() {
    let desk = sample("contract/orders.log");
    let call = desk.run(&guest("fix")).args(&["--tables", "messages,execution_reports,session_events"]);
    let report = call.done().report();
    let due = [("messages", 5, 9), ("execution_reports", 4, 5), ("session_events", 1, 4)];
    assert_eq!(rows(&report), due.map(|(name, accepted, held)| (name.to_owned(), accepted, held)));
    let mut by_rule = report["quarantine"]["by_rule"].clone();
    by_rule.as_object_mut().expect("rules").remove("record");
    assert_eq!(
        by_rule,
        serde_json::json!({
            "execution": 1, "logon": 1, "minimum": 1, "open quantity": 1, "required": 1, "resend range": 1,
            "sequence number": 1, "validValues": 3,
        })
    );
}
