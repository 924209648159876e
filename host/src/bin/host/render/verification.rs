//! Whether a receipt is true: what agrees by the number, what does not by its name.

use casparian_core::receipt::{Comparison, Difference};
use casparian_host::verify::{SecondRun, Verification};
use serde_json::Value;

use super::paint::{Page, Paint, Tone};
use super::quantity::{bytes, counted};
use super::shown;

/// Returns what verifying came to.
pub(super) fn verification(verification: &Verification, page: Page) -> String {
    let paint = page.paint;
    let mut text = format!("claim  {}\n", verification.claim_sha256);
    text += &part("files", &verification.files, paint);
    match &verification.run {
        Some(run) => {
            text += &part("second run", &run.claim, paint);
            text += &part("its files", &run.files, paint);
            text += &paint.tone(Tone::Faint, format!("  {}\n", made(run)));
        }
        None => {
            text += "  second run: none; --input and --component make one\n";
            text += &unread(&verification.unread);
        }
    }
    let verdict = match (verification.agrees, &verification.run) {
        (false, _) => paint.tone(Tone::Bad, "differs"),
        (true, Some(_)) => paint.tone(Tone::Good, "the claim came out again"),
        (true, None) => paint.tone(Tone::Good, "the files are what the receipt says"),
    };
    text + &format!("{verdict}\n")
}

/// Says whose rows nobody has looked at.
fn unread(files: &[String]) -> String {
    match files {
        [] => String::new(),
        files => {
            let names: Vec<String> = files.iter().map(|file| shown(file)).collect();
            format!(
                "  rows not looked at: {}; they are compared with what a second run writes\n",
                names.join(", ")
            )
        }
    }
}

fn part(name: &str, comparison: &Comparison, paint: Paint) -> String {
    let same = counted(comparison.same.len() as u64, "field");
    let different = comparison.different.iter().map(|difference| line(difference, paint));
    let head = match comparison.different.len() {
        0 => format!("  {name}: {same} agree\n"),
        n => format!("  {name}: {same} agree, {n} differ\n"),
    };
    different.fold(head, |text, line| text + &line)
}

fn line(difference: &Difference, paint: Paint) -> String {
    let value = |value: &Option<Value>| match value {
        Some(Value::String(text)) => shown(text),
        Some(value) => shown(&value.to_string()),
        None => "nothing".to_owned(),
    };
    let field = paint.tone(Tone::Bad, shown(&difference.field));
    format!("    {field}: claimed {}, found {}\n", value(&difference.claimed), value(&difference.found))
}

/// Says what was different on purpose.
fn made(run: &SecondRun) -> String {
    let size = |size: Option<u64>| size.map_or_else(|| "any".to_owned(), bytes);
    let change = |name: &str, (first, second): (Option<u64>, Option<u64>)| {
        format!("{name} {} then {}", size(first), size(second))
    };
    let (first, second) = run.batch_bytes;
    [
        change("batches", (Some(first), Some(second))),
        change("ranges", run.range_bytes),
        change("reads", run.read_bytes_max),
    ]
    .join(", ")
}
