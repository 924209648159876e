//! What the guest says of single messages, with `dictionary=check`, against what an engine said of them when they were sent to
//! it one by one. `CASPARIAN_DATA` names the directory that has them (`fix/quickfix_acceptance_*.log`, with
//! `*.expected.jsonl` beside them). Without it the test says so and passes.
//!
//! An engine rejects for the first reason it finds; the guest names all. So they agree on a rejection if the engine's reason
//! is among the guest's, and on anything else if the guest has none. Where an engine goes by what was said before on the
//! session, which a message alone does not tell, the guest must find nothing.
#![expect(clippy::print_stdout, reason = "the table is for whoever runs the test")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use casparian_sdk::harness::{Run, Said};
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

/// What the guest has to say, given what an engine said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Nothing: the engine took the message.
    Nothing,
    /// Nothing: the engine goes by the session, not by the message.
    Session,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Nothing, or that the message cannot be trusted: engines pass over such messages in silence.
    NothingOrGarbled,
    /// Nothing, or what makes a logon invalid: engines hang up in silence.
    NothingOrInvalid,
}

const GARBLED: [&str; 3] = ["bad_checksum", "bad_body_length", "first3_out_of_order"];
const INVALID: [&str; 2] = ["bad_body_length", "missing_required"];

/// What engines call a reason, by the words or the number of SessionRejectReason(373), and what the guest calls it.
const REASONS: [(&str, &str, &[&str]); 10] = [
    ("0", "Invalid tag number", &["undefined_tag", "nonnumeric_tag"]),
    ("1", "Required tag missing", &["missing_required"]),
    ("2", "Tag not defined for this message type", &["misplaced_tag"]),
    ("4", "Tag specified without a value", &["empty_value"]),
    ("5", "Value is incorrect (out of range) for this tag", &["bad_enum"]),
    ("6", "Incorrect data format for value", &["bad_format", "bad_timestamp"]),
    ("11", "Invalid MsgType", &["unknown_msg_type"]),
    ("13", "Tag appears more than once", &["duplicate_tag"]),
    ("14", "Tag specified out of required order", &["out_of_order"]),
    ("16", "Incorrect NumInGroup count for repeating group", &["group_count_mismatch"]),
];

/// Rejections that no message alone explains: the wrong party, the wrong time, a sequence number to go back to, a type that
/// the engine's application does not take.
const OF_SESSION: [&str; 3] = ["CompID problem", "SendingTime accuracy problem", "Unsupported message type"];
const SEQUENCE_RESETS: &str = "11c_NewSeqNoLess";

fn due(verdict: &Json) -> Due {
    let response = &verdict["engine_response"];
    let word = |key: &str| response[key].as_str().unwrap_or_default();
    match word("msg_type") {
        "" => Due::NothingOrGarbled,
        "DISCONNECT" => Due::NothingOrInvalid,
        "3" if verdict["scenario"] == SEQUENCE_RESETS => Due::Session,
        "3" if OF_SESSION.iter().any(|reason| word("text").starts_with(reason)) => Due::Session,
        "3" => {
            let known = REASONS
                .iter()
                .find(|(number, text, _)| word("reject_reason") == *number || word("text").starts_with(text));
            Due::OneOf(known.unwrap_or_else(|| panic!("a reason that nobody knows: {response}")).2)
        }
        _ => Due::Nothing,
    }
}

impl Due {
    fn is_met(self, faults: &[String]) -> bool {
        let has = |codes: &[&str]| faults.iter().any(|fault| codes.contains(&fault.as_str()));
        match self {
            Due::Nothing | Due::Session => faults.is_empty(),
            Due::OneOf(codes) => has(codes),
            Due::NothingOrGarbled => faults.is_empty() || has(&GARBLED),
            Due::NothingOrInvalid => faults.is_empty() || has(&INVALID),
        }
    }
}

/// Where the two differ, by the line, and why.
const DIFFERENCES: [(&str, &str); 1] =
    [("\x015000=HI\x01", "5000 to 9999 are tags that users may define; this engine was told to take none")];

/// Lines that the collection left without length and sum, behind a number that names the session.
fn is_message(line: &[u8]) -> bool {
    line.starts_with(b"8=")
}

#[test]
fn the_guest_and_an_engine_agree_on_every_message_that_speaks_for_itself() {
    let Some(data) = data() else { return };
    let (mut table, mut wrong) = (BTreeMap::<String, u32>::new(), Vec::new());
    let (mut rejected, mut different) = (0, 0);
    for version in ["fix40", "fix42", "fix44", "fix50"] {
        let path = data.join(format!("quickfix_acceptance_{version}.log"));
        let log = std::fs::read(&path).expect("a log");
        let verdicts = std::fs::read_to_string(path.with_extension("expected.jsonl")).expect("its verdicts");
        let options = vec![("dictionary".to_owned(), "check".to_owned())];
        let said: Said = Run { options, ..Run::default() }.over(&Fix, &log).expect("a run");
        let mut offset = 0u64;
        for (line, verdict) in log.split_inclusive(|byte| *byte == b'\n').zip(verdicts.lines()) {
            let (at, text) = (offset, String::from_utf8_lossy(line));
            offset += line.len() as u64;
            if !is_message(line) {
                continue;
            }
            let due = due(&serde_json::from_str(verdict).expect("JSON"));
            let row = said.rows("messages").iter().find(|row| row.span.contains(at));
            let faults = row.map(|row| row.faults.clone()).unwrap_or_default();
            rejected += u32::from(matches!(due, Due::OneOf(_)));
            let difference = DIFFERENCES.iter().find(|(part, _)| text.contains(part));
            let how = match (row, difference) {
                (Some(_), Some((_, why))) if !due.is_met(&faults) => why,
                (Some(_), None) if due.is_met(&faults) => "",
                _ => {
                    wrong.push(format!("{version} at {at}: {due:?}, but {faults:?}: {text}"));
                    "WRONG"
                }
            };
            different += u32::from(!how.is_empty());
            *table
                .entry(format!("{:<55} {:<72} {how}", format!("{due:?}"), faults.join(" ")))
                .or_default() += 1;
        }
    }
    for (row, count) in &table {
        println!("{count:>5} {row}");
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((rejected, different), (116, 4), "rejections for what a message says; differences");
}
