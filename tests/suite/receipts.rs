//! Receipts: that a claim comes out the same however it was come by, that a false one is refused by the host and by a verifier
//! that shares no code with it, and that the claims of our own samples are what they were.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::host::{self, Call, Desk, INPUT, OUT, Said, guest};
use crate::tables;

/// A log with good and bad messages, of several windows' size.
fn log() -> Vec<u8> {
    let one = sample("demo.log");
    let mut log = one.repeat(1 + (600 << 10) / one.len());
    log.extend(bad());
    log
}

fn table(name: &str) -> Vec<u8> {
    std::fs::read(host::root().join("guests/csv/samples").join(name)).expect("a sample")
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(host::root().join("guests/fix/samples").join(name)).expect("a sample")
}

/// A log with every fault that the parser knows.
fn bad() -> Vec<u8> {
    let folder = host::root().join("guests/fix/samples/bad");
    let mut log = Vec::new();
    for name in host::names(&folder).iter().filter(|name| name.ends_with(".log")) {
        log.extend(std::fs::read(folder.join(name)).expect("a sample"));
        log.push(b'\n');
    }
    log
}

fn run<'a>(desk: &'a Desk, out: &str, words: &[&str]) -> Call<'a> {
    let call = desk.call(&["run"]).arg(guest("fix")).arg(desk.path(INPUT));
    call.args(&["--json", "--tables", "all", "--out", out]).args(words)
}

/// Runs the FIX parser and returns the receipt.
#[track_caller]
fn receipt(desk: &Desk, out: &str, words: &[&str]) -> Json {
    let said = run(desk, out, words).done();
    assert_eq!(said.exit, 0, "{said:?}");
    read(&desk.path(out).join("_receipt.json"))
}

#[track_caller]
fn read(path: &Path) -> Json {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

fn verify<'a>(desk: &'a Desk, receipt: &str) -> Call<'a> {
    desk.call(&["verify", receipt, "--json"])
}

fn verify_again(desk: &Desk, receipt: &str) -> Said {
    verify(desk, receipt).arg("--input").arg(desk.path(INPUT)).arg("--component").arg(guest("fix")).done()
}

/// Fields that differ, of the files and of the second run.
#[track_caller]
fn different(said: &Said) -> Vec<String> {
    let verification = said.report();
    let run = &verification["run"];
    let parts = [&verification["files"], &run["claim"], &run["files"]];
    let fields = parts.into_iter().filter_map(|part| part["different"].as_array()).flatten();
    let fields: Vec<String> =
        fields.map(|field| field["field"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(verification["agrees"], fields.is_empty(), "{verification}");
    fields
}

/// What the verifier in Python says of receipts: whether nothing is wrong, and a line for each.
pub(crate) fn python(words: &[&dyn AsRef<std::ffi::OsStr>]) -> (bool, String) {
    let python = host::root().join("target/venv-verifier/bin/python");
    assert!(python.exists(), "{} is not there; `cargo xtask test` makes it", python.display());
    let mut command = Command::new(python);
    command.arg(host::root().join("tests/verifier/verify.py")).args(words.iter().map(|word| word.as_ref()));
    let output = command.output().expect("the verifier starts");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn the_claim_is_the_same_however_it_was_come_by() {
    let desk = Desk::new(&log());
    let cache = desk.path("cache");
    let claim = |out: &str, words: &[&str]| {
        let said = run(&desk, out, words).cache(cache.clone()).done();
        assert_eq!(said.exit, 0, "{said:?}");
        read(&desk.path(out).join("_receipt.json"))
    };
    let first = claim("cold", &[]);
    assert_eq!(first["circumstances"]["code_cache"], "cold");
    assert_eq!(first["circumstances"]["ranges"], 1);
    for (out, words) in [
        ("warm", &[][..]),
        ("short", &["--read-sizes", "1:4096"]),
        ("shorter", &["--read-sizes", "2:777"]),
        ("small", &["--batch-bytes", "512"]),
        ("large", &["--batch-bytes", "8388608"]),
        ("ranges", &["--range-bytes", "50000"]),
        ("all", &["--read-sizes", "3:5000", "--batch-bytes", "4000", "--range-bytes", "9999"]),
        ("csv", &["--format", "csv"]),
    ] {
        let other = claim(out, words);
        assert_eq!(other["circumstances"]["code_cache"], "warm");
        assert_eq!(other["claim"], first["claim"], "{out}");
        assert_eq!(other["claim_sha256"], first["claim_sha256"], "{out}");
    }
    let ranges = &read(&desk.path("ranges/_receipt.json"))["circumstances"];
    assert!(ranges["ranges"].as_u64().expect("a count") > 10, "{ranges}");
}

#[test]
fn a_receipt_says_what_the_run_did() {
    let desk = Desk::new(&log());
    let said = run(&desk, OUT, &[]).done();
    let (report, receipt) = (said.report(), read(&desk.path("out/_receipt.json")));
    let claim = &receipt["claim"];
    assert_eq!(claim["component"]["sha256"], report["component"]["sha256"]);
    assert_eq!(
        claim["input"],
        json!({"name": INPUT, "sha256": report["input"]["sha256"], "bytes": report["input"]["bytes"]})
    );
    assert_eq!(claim["quarantine"]["rows"], report["quarantine"]["rows"]);
    assert_eq!(claim["quarantine"]["by_code"], report["quarantine"]["by_code"]);
    assert_eq!(claim["records"], report["records"]);
    assert_eq!(claim["verdict"], report["status"]);
    for table in report["tables"].as_array().expect("tables") {
        let claimed = &claim["tables"][table["name"].as_str().expect("a name")];
        assert_eq!(
            (&claimed["accepted"], &claimed["quarantined"]),
            (&table["accepted"], &table["quarantined"])
        );
    }
    let canonical = claim.to_string();
    assert_eq!(receipt["claim_sha256"], hex(&Sha256::digest(canonical)));
    let named = receipt["circumstances"]["files"].as_array().expect("files").iter();
    let named: Vec<String> = named.map(|file| file["name"].as_str().expect("a name").to_owned()).collect();
    let mut there = host::names(&desk.path(OUT));
    there.retain(|name| name != "_receipt.json");
    assert_eq!(named, there);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_second_run_made_differently_gives_the_claim_again() {
    let desk = Desk::new(&log());
    for (out, words) in [("out", &[][..]), ("other", &["--range-bytes", "70000", "--read-sizes", "5:900"])] {
        receipt(&desk, out, words);
        let said = verify_again(&desk, &format!("{out}/_receipt.json"));
        assert_eq!((said.exit, different(&said)), (0, vec![]), "{said:?}");
        let run = &said.report()["run"];
        for what in ["batch_bytes", "range_bytes", "read_bytes_max"] {
            assert_ne!(run[what][0], run[what][1], "{what}");
        }
    }
}

/// Runs the hostile guest and has its receipt verified by another run. Returns what differs, and what it said.
fn different_the_second_time(evil: &str) -> (Vec<String>, String) {
    let desk = Desk::new(&vec![b'x'; 300_000]);
    desk.evil(evil).done().assert_completed();
    let said = verify(&desk, "out/_receipt.json").arg("--input").arg(desk.path(INPUT));
    let said = said.arg("--component").arg(guest("evil")).done();
    let rows = tables::read(&desk.path("out/rows.parquet"));
    (different(&said), format!("{rows:?}"))
}

#[test]
fn e_32_where_a_heap_is_and_how_a_map_is_hashed_is_the_same_in_every_run() {
    let (different, rows) = different_the_second_time("heap_address");
    assert_eq!(different, [""; 0], "{rows}");
    assert!(rows.contains("0x"), "{rows}");
}

#[test]
fn e_32_rows_that_hang_on_the_host_and_not_on_the_input_are_found_by_a_second_run() {
    for evil in ["counts_reads", "tells_batch_bytes"] {
        let (different, rows) = different_the_second_time(evil);
        assert!(different.iter().any(|field| field.contains("rows")), "{evil}: {different:?} {rows}");
    }
}

#[test]
fn an_input_may_have_another_name_the_second_time() {
    let desk = Desk::new(&log());
    receipt(&desk, OUT, &[]);
    std::fs::rename(desk.path(INPUT), desk.path("renamed.log")).expect("renamed");
    let call = verify(&desk, "out/_receipt.json").arg("--input").arg(desk.path("renamed.log"));
    let said = call.arg("--component").arg(guest("fix")).done();
    assert_eq!((said.exit, different(&said)), (0, vec![]), "{said:?}");
}

#[test]
fn what_is_held_has_a_receipt_beside_its_quarantine() {
    let desk = Desk::new(&log());
    assert_eq!(run(&desk, OUT, &["--strict"]).done().exit, 1);
    assert_eq!(host::names(&desk.path("out.held")), ["_quarantine.parquet", "_receipt.json"]);
    let receipt = read(&desk.path("out.held/_receipt.json"));
    assert_eq!(receipt["claim"]["verdict"], "held");
    assert_eq!(receipt["claim"]["held"][0]["rule"], "strict");
    let said = verify_again(&desk, "out.held/_receipt.json");
    assert_eq!((said.exit, different(&said)), (0, vec![]), "{said:?}");
    let (ok, words) = python(&[&desk.path("out.held/_receipt.json")]);
    assert!(ok, "{words}");
}

#[test]
fn an_output_of_one_file_has_its_receipt_beside_it() {
    let desk = Desk::new(&log());
    let words = ["--out", "m.parquet", "--tables", "messages"];
    let call = desk.call(&["run"]).arg(guest("fix")).arg(desk.path(INPUT)).args(&["--json"]).args(&words);
    assert_eq!(call.done().exit, 0);
    let said = verify_again(&desk, "m.parquet.about/_receipt.json");
    assert_eq!((said.exit, different(&said)), (0, vec![]), "{said:?}");
    let (ok, words) = python(&[&desk.path("m.parquet.about/_receipt.json")]);
    assert!(ok, "{words}");
}

#[test]
fn a_wrong_input_or_parser_is_named_before_anything_is_run() {
    let desk = Desk::new(&log());
    receipt(&desk, OUT, &[]);
    let other = desk.write("other", b"8=FIX.4.4");
    let mut same_size = log();
    same_size[0] ^= 1;
    let same_size = desk.write("same_size", &same_size);
    for (input, component, exit, words) in [
        (&other, guest("fix"), 11, "is not the receipt's input"),
        (&same_size, guest("fix"), 11, "is not the receipt's input"),
        (&desk.path(INPUT), guest("evil"), 12, "is not the receipt's component"),
    ] {
        let call = verify(&desk, "out/_receipt.json").arg("--input").arg(input);
        let said = call.arg("--component").arg(&component).done();
        assert_eq!(said.exit, exit, "{said:?}");
        assert!(said.stderr.contains(words), "{said:?}");
    }
}

#[test]
fn k_07_the_contract_of_a_run_is_asked_for_and_another_is_refused_by_its_hash() {
    let desk = Desk::new(PAIRS);
    let contract = |name: &str| host::root().join("tests/golden").join(name).join("contract.odcs.yaml");
    let call = desk.call(&["run"]).arg(guest("hello_parser")).arg(desk.path(INPUT));
    let call = call.args(&["--json", "--out", OUT]).arg("--contract").arg(contract("pairs-under-contract"));
    assert_eq!(call.done().exit, 0);
    let claim = read(&desk.path("out/_receipt.json"))["claim"].take();
    assert_eq!(claim["contract"]["id"], "pairs");
    let again = || {
        let call = verify(&desk, "out/_receipt.json").arg("--input").arg(desk.path(INPUT));
        call.arg("--component").arg(guest("hello_parser"))
    };
    let said = again().arg("--contract").arg(contract("pairs-under-contract")).done();
    assert_eq!((said.exit, different(&said)), (0, vec![]), "{said:?}");
    let said = again().arg("--contract").arg(contract("pairs-held")).done();
    assert!(said.exit == 12 && said.stderr.contains("is not the receipt's contract"), "{said:?}");
    let said = again().done();
    assert!(said.exit == 12 && said.stderr.contains("--contract FILE"), "{said:?}");
}

#[test]
fn an_output_that_somebody_changed_is_refused() {
    for (what, tamper) in TAMPERS {
        let desk = Desk::new(&bad_and_good());
        receipt(&desk, OUT, &[]);
        assert_eq!(verify(&desk, "out/_receipt.json").done().exit, 0);
        tamper(&desk.path(OUT));
        let said = verify(&desk, "out/_receipt.json").done();
        assert_ne!(said.exit, 0, "{what}: the host takes it: {said:?}");
        assert!(said.exit == 11 || !different(&said).is_empty(), "{what}: {said:?}");
        let (ok, words) = python(&[&desk.path("out/_receipt.json")]);
        assert!(!ok && words.contains("refused"), "{what}: the verifier takes it: {words}");
    }
}

fn bad_and_good() -> Vec<u8> {
    [sample("demo.log"), bad()].concat()
}

/// Changes an output.
type Tamper = fn(&Path);

/// What somebody may do to an output. Whoever changes a file also mends what the circumstances say of it: they are no part
/// of the claim.
const TAMPERS: [(&str, Tamper); 12] = [
    ("a byte of a file is another one", |out| {
        let path = out.join("messages.parquet");
        let mut bytes = std::fs::read(&path).expect("a table");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).expect("written");
    }),
    ("a number is another one", |out| {
        rewrite(out, "messages", |rows| replace(rows, "_cf_record_no", |_| None));
    }),
    ("a text is another one", |out| {
        rewrite(out, "messages", |rows| replace(rows, "sender_comp_id", |text| Some(format!("{text}x"))))
    }),
    ("a row is gone", |out| rewrite(out, "messages", |rows| rows.slice(1, rows.num_rows() - 1))),
    ("two rows have changed places", |out| {
        rewrite(out, "fields", |rows| {
            let (one, two) = (rows.slice(0, 1), rows.slice(1, 1));
            let rest = rows.slice(2, rows.num_rows() - 2);
            concat(&[two, one, rest])
        });
    }),
    ("a column has another name", |out| {
        rewrite(out, "messages", |rows| {
            let mut fields: Vec<_> =
                rows.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
            fields[0] = fields[0].clone().with_name("another");
            RecordBatch::try_new(Arc::new(arrow_schema::Schema::new(fields)), rows.columns().to_vec())
                .expect("rows")
        });
    }),
    ("a quarantined row is gone", |out| {
        rewrite(out, "_quarantine", |rows| rows.slice(0, rows.num_rows() - 1));
    }),
    ("a quarantined row has another name", |out| {
        rewrite(out, "_quarantine", |rows| replace(rows, "row_id", |_| Some("0".repeat(64))));
    }),
    ("a table is gone", |out| {
        std::fs::remove_file(out.join("fields.parquet")).expect("a table");
        edit(out, |receipt| {
            let files = receipt["circumstances"]["files"].as_array_mut().expect("files");
            files.retain(|file| file["table"] != "fields");
        });
    }),
    ("the claim was edited", |out| edit(out, |receipt| receipt["claim"]["records"] = json!(1))),
    ("the claim was edited and sealed again", |out| {
        edit(out, |receipt| {
            receipt["claim"]["tables"]["messages"]["accepted"] = json!(1);
            seal(receipt);
        });
    }),
    ("bytes were accounted for twice and sealed again", |out| {
        edit(out, |receipt| {
            let bytes = &mut receipt["claim"]["bytes"];
            bytes["accepted"] = json!(bytes["accepted"].as_u64().expect("bytes") + 1);
            seal(receipt);
        });
    }),
];

fn edit(out: &Path, change: impl Fn(&mut Json)) {
    let path = out.join("_receipt.json");
    let mut receipt = read(&path);
    change(&mut receipt);
    std::fs::write(path, receipt.to_string()).expect("written");
}

/// Names of claims are ASCII and serde_json sorts them, so that its compact form is the canonical one.
fn seal(receipt: &mut Json) {
    let hash = hex(&Sha256::digest(receipt["claim"].to_string()));
    receipt["claim_sha256"] = json!(hash);
}

fn concat(parts: &[RecordBatch]) -> RecordBatch {
    arrow_select::concat::concat_batches(&parts[0].schema(), parts).expect("rows of one schema")
}

/// Changes the first value of a column.
fn replace(rows: &RecordBatch, column: &str, change: impl Fn(&str) -> Option<String>) -> RecordBatch {
    let at = rows.schema().index_of(column).expect("a column");
    let mut columns = rows.columns().to_vec();
    columns[at] = match columns[at].as_string_opt::<i32>() {
        Some(texts) => {
            let first = texts.iter().position(|text| text.is_some()).expect("a text");
            let texts = texts.iter().enumerate().map(|(row, text)| match text {
                Some(text) if row == first => change(text),
                text => text.map(str::to_owned),
            });
            Arc::new(StringArray::from_iter(texts)) as ArrayRef
        }
        None => {
            let numbers = columns[at].as_primitive::<arrow_array::types::UInt64Type>();
            let numbers =
                numbers.values().iter().enumerate().map(|(row, n)| if row == 0 { n + 1_000_000 } else { *n });
            Arc::new(arrow_array::UInt64Array::from_iter_values(numbers))
        }
    };
    RecordBatch::try_new(rows.schema(), columns).expect("rows")
}

/// Writes a file anew with other rows, and mends what the receipt says of its bytes.
fn rewrite(out: &Path, table: &str, change: impl Fn(&RecordBatch) -> RecordBatch) {
    let honest = std::fs::read(out.join(format!("{table}.parquet"))).expect("a table");
    rewrite_as(out, table, &honest, change);
}

/// Does so with a file that was there before.
fn rewrite_as(out: &Path, table: &str, honest: &[u8], change: impl Fn(&RecordBatch) -> RecordBatch) {
    let path = out.join(format!("{table}.parquet"));
    std::fs::write(&path, honest).expect("written");
    let rows = change(&concat(&tables::read(&path)));
    let file = File::create(&path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).expect("a writer");
    writer.write(&rows).expect("written");
    writer.close().expect("closed");
    mend_files(out);
}

/// Makes a receipt name the files as they are now.
fn mend_files(out: &Path) {
    edit(out, |receipt| {
        for file in receipt["circumstances"]["files"].as_array_mut().expect("files") {
            let bytes = std::fs::read(out.join(file["name"].as_str().expect("a name"))).expect("a file");
            file["bytes"] = json!(bytes.len());
            file["sha256"] = json!(hex(&Sha256::digest(&bytes)));
        }
    });
}

#[test]
fn a_text_that_somebody_changed_is_found_by_a_second_run() {
    for format in ["csv", "jsonl"] {
        let desk = Desk::new(&sample("demo.log"));
        receipt(&desk, OUT, &["--format", format]);
        let said = verify_again(&desk, "out/_receipt.json");
        assert_eq!((said.exit, different(&said)), (0, vec![]), "{said:?}");
        let name = format!("messages.{format}");
        let path = desk.path(OUT).join(&name);
        let mut text = std::fs::read(&path).expect("a table");
        let digit = text.iter().rposition(u8::is_ascii_digit).expect("a number");
        text[digit] ^= 1;
        std::fs::write(&path, &text).expect("written");
        mend_files(&desk.path(OUT));
        let said = verify(&desk, "out/_receipt.json").done();
        assert_eq!((said.exit, different(&said)), (0, vec![]), "nothing but the hash is known of text");
        assert!(said.report()["unread"].as_array().expect("names").contains(&json!(name)), "{said:?}");
        let said = verify_again(&desk, "out/_receipt.json");
        assert_eq!((said.exit, different(&said)), (1, vec![format!("{name}.text")]), "{said:?}");
    }
}

#[test]
fn formulas_that_were_escaped_are_escaped_again() {
    let desk = Desk::new(&log());
    receipt(&desk, OUT, &["--format", "csv", "--csv-escape-formulas"]);
    let said = verify_again(&desk, "out/_receipt.json");
    assert_eq!((said.exit, different(&said)), (0, vec![]), "{said:?}");
}

#[test]
fn every_column_of_a_quarantine_that_somebody_changed_is_found_and_named() {
    let desk = Desk::new(&bad_and_good());
    receipt(&desk, OUT, &[]);
    let path = desk.path("out/_quarantine.parquet");
    let (honest, file) = (concat(&tables::read(&path)), std::fs::read(&path).expect("a quarantine"));
    for (at, field) in honest.schema().fields().iter().enumerate() {
        rewrite_as(&desk.path(OUT), "_quarantine", &file, |rows| {
            let mut columns = rows.columns().to_vec();
            columns[at] = another(&columns[at]);
            RecordBatch::try_new(rows.schema(), columns).expect("rows")
        });
        let said = verify_again(&desk, "out/_receipt.json");
        let (name, fields) = (field.name(), different(&said));
        assert_eq!(said.exit, 1, "{name}: {said:?}");
        // Of what the input was called no more is known than its last part, which is compared without a second run.
        let field = if name == "input_path" { "rows" } else { name };
        assert!(fields.contains(&format!("_quarantine.parquet.{field}")), "{name}: {fields:?}");
    }
}

/// The same column with another first value, or with one where it had none at all.
fn another(column: &ArrayRef) -> ArrayRef {
    use arrow_array::types::UInt64Type;
    use arrow_array::{BinaryArray, BooleanArray, TimestampMicrosecondArray, UInt32Array, UInt64Array};
    use arrow_schema::DataType;
    let first = (0..column.len()).find(|row| column.is_valid(*row)).unwrap_or(0);
    let is_first = |row: usize| row == first;
    match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>().iter().enumerate();
            let other = texts.map(|(row, text)| match is_first(row) {
                true => Some(format!("{}x", text.unwrap_or_default())),
                false => text.map(str::to_owned),
            });
            Arc::new(StringArray::from_iter(other))
        }
        DataType::UInt64 => {
            let numbers = column.as_primitive::<UInt64Type>().iter().enumerate();
            Arc::new(UInt64Array::from_iter(numbers.map(|(row, n)| n.map(|n| n + u64::from(is_first(row))))))
        }
        DataType::Binary => {
            let bytes = column.as_binary::<i32>().iter().enumerate();
            let other = bytes.map(|(row, bytes)| {
                bytes.map(|bytes| if is_first(row) { [bytes, b"x"].concat() } else { bytes.to_vec() })
            });
            Arc::new(BinaryArray::from_iter(other))
        }
        DataType::Boolean => {
            let flags = column.as_boolean().iter().enumerate();
            Arc::new(BooleanArray::from_iter(flags.map(|(row, flag)| flag.map(|flag| flag != is_first(row)))))
        }
        DataType::UInt32 => Arc::new(UInt32Array::from(vec![7; column.len()])),
        DataType::Timestamp(..) => {
            Arc::new(TimestampMicrosecondArray::from(vec![7; column.len()]).with_timezone("UTC"))
        }
        _ => {
            let backwards = UInt64Array::from_iter_values((0..column.len() as u64).rev());
            arrow_select::take::take(column, &backwards, None).expect("a column")
        }
    }
}

#[test]
fn a_footer_that_somebody_changed_is_found_by_a_second_run() {
    let desk = Desk::new(&bad_and_good());
    receipt(&desk, OUT, &[]);
    // The writer of this test knows nothing of our footers.
    for table in ["messages", "_quarantine"] {
        rewrite(&desk.path(OUT), table, RecordBatch::clone);
    }
    let fields = different(&verify_again(&desk, "out/_receipt.json"));
    assert_eq!(fields, ["_quarantine.parquet.footer", "messages.parquet.footer"]);
}

#[test]
fn a_receipt_that_says_something_twice_is_refused_by_host_and_verifier() {
    let desk = Desk::new(&sample("demo.log"));
    receipt(&desk, OUT, &[]);
    let path = desk.path("out/_receipt.json");
    let text = std::fs::read_to_string(&path).expect("a receipt");
    let twice = text.replacen("\"records\":", "\"records\": 1, \"records\":", 1);
    std::fs::write(&path, twice).expect("written");
    let said = verify(&desk, "out/_receipt.json").done();
    assert!(said.exit == 11 && said.stderr.contains("stands twice"), "{said:?}");
    let (ok, words) = python(&[&path]);
    assert!(!ok && words.contains("stands twice"), "{words}");
}

#[test]
fn a_table_that_the_receipt_does_not_name_is_found() {
    let desk = Desk::new(&sample("demo.log"));
    receipt(&desk, OUT, &[]);
    std::fs::copy(desk.path("out/fields.parquet"), desk.path("out/more.parquet")).expect("copied");
    let said = verify(&desk, "out/_receipt.json").done();
    assert_eq!((said.exit, different(&said)), (1, vec!["files.more.parquet".to_owned()]));
}

#[test]
fn the_verifier_checks_raw_bytes_and_lines_against_the_input() {
    let desk = Desk::new(&log());
    receipt(&desk, OUT, &[]);
    let (ok, words) = python(&[&desk.path("out/_receipt.json"), &"--input", &desk.path(INPUT)]);
    assert!(ok, "{words}");
    let (ok, words) = python(&[&desk.path("out/_receipt.json"), &"--input", &guest("fix")]);
    assert!(!ok && words.contains("the input is another one"), "{words}");
}

#[test]
fn the_verifier_agrees_with_the_vectors_of_the_digest() {
    let (ok, words) = python(&[&"--vectors", &host::root().join("docs/spec/vectors/digest.jsonl")]);
    assert!(ok, "{words}");
}

/// Pairs of which some are as their contract wants them: values that are none, too large, too small, missing, repeated keys.
const PAIRS: &[u8] =
    b"a=1\nb=x\nc=\na=3\nno pair here\nd=99999999999\ne=-6\nF=7\ng=-5\r\nh=1.0\ni=1.5\ntoolongakey=1\n=2\nj=007\n";

/// A run whose claim is kept in `tests/golden`.
struct Golden {
    name: &'static str,
    guest: &'static str,
    input: Vec<u8>,
    words: &'static [&'static str],
    /// Whether `contract.odcs.yaml` beside the claim is what rows are judged by.
    has_contract: bool,
}

impl Golden {
    fn folder(&self) -> PathBuf {
        host::root().join("tests/golden").join(self.name)
    }
}

fn goldens() -> Vec<Golden> {
    let golden = |name, guest, input: &[u8], words| Golden {
        name,
        guest,
        input: input.to_vec(),
        words,
        has_contract: false,
    };
    let under_contract =
        |name, guest, input: &[u8]| Golden { has_contract: true, ..golden(name, guest, input, &[]) };
    let line = b"The parser is told what to do, and this is what it would read.\r\n";
    vec![
        golden("fix-demo", "fix", &sample("demo.log"), &["--tables", "all"]),
        golden("fix-bad", "fix", &bad(), &["--tables", "all"]),
        golden("fix-messages-only", "fix", &bad_and_good(), &["--tables", "messages"]),
        golden("fix-empty", "fix", b"", &["--tables", "all"]),
        golden("fix-raw-data", "fix", &sample("good/raw_data.log"), &["--tables", "all"]),
        golden("fix-held", "fix", &bad_and_good(), &["--strict"]),
        golden("csv-two-tables", "csv", &table("good/two_tables.csv"), &["--tables", "all"]),
        golden("csv-unclosed-quote", "csv", &table("bad/unclosed_quote.csv"), &["--tables", "all"]),
        golden("rows", "evil", line, &["--option", "n=3"]),
        golden("extremes", "evil", line, &["--option", "evil=extreme_values", "--tables", "all"]),
        golden("parser-fault", "evil", line, &["--option", "evil=undeclared_code", "--option", "text=bad"]),
        golden(
            "every-byte-a-record",
            "evil",
            line,
            &["--option", "evil=quarantine_flood", "--option", "n=8"],
        ),
        golden("skipped", "evil", line, &["--option", "evil=skips_everything"]),
        golden("pairs", "hello_parser", PAIRS, &[]),
        under_contract("pairs-under-contract", "hello_parser", PAIRS),
        under_contract("pairs-held", "hello_parser", PAIRS),
    ]
}

/// The claim but for the digest of the parser, which is built anew with every compiler.
fn kept(receipt: &Json) -> String {
    let mut claim = receipt["claim"].clone();
    claim["component"]["sha256"].take();
    serde_json::to_string_pretty(&claim).expect("JSON") + "\n"
}

#[test]
fn every_golden_claim_comes_out_again_and_the_verifier_believes_it() {
    let bless = std::env::var_os("CASPARIAN_BLESS").is_some();
    let mut receipts: Vec<(Desk, PathBuf)> = Vec::new();
    let mut changed = Vec::new();
    for golden in goldens() {
        let desk = Desk::new(&golden.input);
        let call = desk.call(&["run"]).arg(guest(golden.guest)).arg(desk.path(INPUT));
        let call = call.args(&["--json", "--out", OUT]).args(golden.words);
        let call = match golden.has_contract {
            true => call.arg("--contract").arg(golden.folder().join("contract.odcs.yaml")),
            false => call,
        };
        let said = call.done();
        assert!(said.exit <= 1, "{}: {said:?}", golden.name);
        let folder = if said.exit == 1 { "out.held" } else { OUT };
        let receipt = desk.path(folder).join("_receipt.json");
        let claim = kept(&read(&receipt));
        let path = golden.folder().join("claim.json");
        if bless {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(&path, &claim).expect("written");
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != claim {
            changed.push(format!("{}: now {claim}", golden.name));
        }
        receipts.push((desk, receipt));
    }
    for (desk, receipt) in &receipts {
        let (ok, words) = python(&[receipt, &"--input", &desk.path(INPUT)]);
        assert!(ok, "{words}");
    }
    assert!(
        changed.is_empty(),
        "CASPARIAN_BLESS=1 keeps these, once they have been read:\n{}",
        changed.join("\n")
    );
}

#[test]
fn no_golden_is_kept_that_nobody_checks() {
    let mut names: Vec<String> = goldens().iter().map(|golden| golden.name.to_owned()).collect();
    names.sort();
    assert_eq!(host::names(&host::root().join("tests/golden")), names);
}

#[test]
fn receipts_name_the_engine_of_the_lock_file() {
    let lock = std::fs::read_to_string(host::root().join("Cargo.lock")).expect("a lock file");
    let version = lock.split("name = \"wasmtime\"\nversion = \"").nth(1).expect("wasmtime").split('"').next();
    assert_eq!(casparian_sandbox::ENGINE, format!("wasmtime {}", version.expect("a version")));
}
