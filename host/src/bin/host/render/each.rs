//! The summary of a run of many inputs with an output each: totals, a line for each of the first outputs, and what was left out.

use casparian_host::dataset::report::{DatasetStatus, LeftOut};
use casparian_host::each::report::{EachReport, Output};

use super::dataset::hints;
use super::fault::fault;
use super::layout::{self, Align, Cell};
use super::paint::{Page, Paint, Tone};
use super::quantity::{bytes, count, counted, percent, rate, scaled, time};
use super::shown;
use super::summary::RATE_MS_MIN;

/// Most outputs, and most inputs left out, that the summary names.
const NAMED: usize = 20;

/// Returns the summary.
pub(super) fn summary(report: &EachReport, page: Page) -> String {
    let paint = page.paint;
    let mut text = head(report, paint) + &inputs(report, paint) + &outputs(report, page);
    text += &left_out(report, paint);
    match &report.fault {
        Some(found) if found.code == "interrupted" => {
            text + &format!("{} what is complete is kept\n", paint.tone(Tone::Warn, "interrupted:"))
        }
        Some(found) => text + &fault(found, None, paint),
        None if report.status == DatasetStatus::Failed => {
            text + &format!("{} no input came to a good end\n", paint.tone(Tone::Bad, "failed:"))
        }
        None => text,
    }
}

/// `fix 1.0.0  12 inputs  9.8 MB  3.2 s  3.1 MB/s`; nothing where the parser never got to say its name.
fn head(report: &EachReport, paint: Paint) -> String {
    let Some(version) = &report.component.version else { return String::new() };
    let parser = paint.tone(Tone::Strong, format!("{} {version}", report.component.name));
    let mut parts =
        vec![parser, counted(report.inputs.found, "input"), bytes(report.inputs.bytes), time(report.wall_ms)];
    if report.wall_ms >= RATE_MS_MIN {
        parts.extend(rate(report.inputs.bytes, report.wall_ms));
    }
    let contract = report.contract.as_ref();
    parts.extend(contract.map(|found| format!("contract {} {}", shown(&found.id), shown(&found.version))));
    format!("{}\n", parts.join("  "))
}

/// `  9 completed, 2 completed with quarantine, 1 failed   accounted 100.000 %   fuel 1.9 G   2 jobs   isolation L1`
fn inputs(report: &EachReport, paint: Paint) -> String {
    let found = &report.inputs;
    if report.component.version.is_none() {
        return String::new();
    }
    let number = |count_of: u64, words: &str, tone| {
        (count_of > 0).then(|| paint.tone(tone, format!("{} {words}", count(count_of))).to_string())
    };
    let ends = [
        number(found.completed, "completed", Tone::Good),
        number(found.completed_with_quarantine, "completed with quarantine", Tone::Warn),
        number(found.held, "held", Tone::Bad),
        number(found.failed, "failed", Tone::Bad),
    ];
    let ends = ends.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let accounted = percent(found.bytes.saturating_sub(report.dark_bytes), found.bytes);
    let (fuel, jobs) = (scaled(report.fuel), counted(report.jobs as u64, "job"));
    format!("  {ends}   accounted {accounted}   fuel {fuel}   {jobs}   isolation {}\n", report.isolation)
}

fn outputs(report: &EachReport, page: Page) -> String {
    let aligns = [Align::Left, Align::Right, Align::Right, Align::Left];
    let row = |output: &Output| {
        let tone = if output.quarantined > 0 { Tone::Warn } else { Tone::Plain };
        let place = output.receipt.as_deref().and_then(|receipt| receipt.rsplit_once('/'));
        vec![
            Cell::new(shown(&output.input)),
            Cell::new(counted(output.accepted, "row")),
            Cell::toned(tone, format!("{} quarantined", count(output.quarantined))),
            Cell::new(place.map(|(folder, _)| shown(folder)).unwrap_or_default()),
        ]
    };
    let rows: Vec<_> = report.outputs.iter().take(NAMED).map(row).collect();
    let all = report.inputs.completed + report.inputs.completed_with_quarantine + report.inputs.held;
    layout::lines("  ", &aligns, &rows, page.endless()) + &more(all, rows.len())
}

fn left_out(report: &EachReport, paint: Paint) -> String {
    let line = |found: &LeftOut| {
        let word = paint.tone(Tone::Bad, "left out:");
        format!("  {word} {}: {}\n", shown(&found.input), shown(&found.fault.message))
    };
    let lines: Vec<String> = report.left_out.iter().take(NAMED).map(line).collect();
    let all = report.inputs.failed + report.inputs.held;
    let text = lines.concat() + &more(all, lines.len()) + &hints(&report.left_out, paint);
    match report.inputs.passed_by {
        0 => text,
        passed_by => text + &format!("  passed by: {}\n", counted(passed_by, "other thing")),
    }
}

fn more(all: u64, named: usize) -> String {
    match all.saturating_sub(named as u64) {
        0 => String::new(),
        more => format!("  and {} more; `--json` has a line for each input\n", count(more)),
    }
}
