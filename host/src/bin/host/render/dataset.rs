//! The summary of a run over many inputs: totals, and the inputs that were left out.

use casparian_core::id::TableName;
use casparian_host::dataset::report::{DatasetReport, DatasetStatus, DatasetTable, LeftOut};

use super::fault::{fault, hint_line, warning};
use super::layout::{self, Align, Cell};
use super::paint::{Page, Paint, Tone};
use super::quantity::{bytes, count, counted, percent, rate, scaled, time};
use super::summary::{Outcome, RATE_MS_MIN, RULES_SHOWN, by_count, in_database, loaded};
use super::{preview, shown};

/// Most inputs that the summary names.
const LEFT_OUT_SHOWN: usize = 20;
/// Most hints about inputs that were left out.
const HINTS_SHOWN: usize = 2;
/// Most things passed by that the summary names.
const PASSED_BY_SHOWN: usize = 4;

/// Returns the first rows of each table.
pub(super) fn previews(report: &DatasetReport, page: Page) -> String {
    let accepted = |name: &TableName| {
        report.tables.iter().find(|table| table.name == *name).map_or(0, |table| table.accepted)
    };
    report.previews.iter().map(|found| preview::table(found, accepted(&found.table), page)).collect()
}

/// Returns the summary.
pub(super) fn summary(report: &DatasetReport, outcome: Outcome, page: Page) -> String {
    let paint = page.paint;
    let mut text = head(report, paint);
    text += &inputs(report, paint);
    if let Some(found) = &report.fault {
        return text + &failure(found, paint);
    }
    text += &tables(&report.tables, outcome, page);
    text += &report.warnings.iter().map(|found| warning(found, paint)).collect::<String>();
    text += &quarantine(report, outcome, page);
    text += &left_out(report, page);
    text + &last_word(report, outcome, paint)
}

fn failure(found: &casparian_core::fault::FaultReport, paint: Paint) -> String {
    match found.code.as_str() {
        "interrupted" => format!("{} nothing was published\n", paint.tone(Tone::Warn, "interrupted:")),
        _ => fault(found, None, paint),
    }
}

/// `fix 1.0.0  10,000 inputs  9.8 MB  3.2 s  3.1 MB/s`; nothing where the parser never got to say its name.
fn head(report: &DatasetReport, paint: Paint) -> String {
    let Some(version) = &report.component.version else { return String::new() };
    let parser = paint.tone(Tone::Strong, format!("{} {version}", report.component.name));
    let mut parts =
        vec![parser, counted(report.inputs.found, "input"), bytes(report.inputs.bytes), time(report.wall_ms)];
    if report.wall_ms >= RATE_MS_MIN {
        parts.extend(rate(report.inputs.bytes, report.wall_ms));
    }
    let contract = |id: &str, version: &str| format!("contract {} {}", shown(id), shown(version));
    parts.extend(report.contract.as_ref().map(|found| contract(&found.id, &found.version)));
    format!("{}\n", parts.join("  "))
}

/// `  9,990 completed, 7 with quarantine, 3 failed   accounted 100.000 %   fuel 1.9 G   2 jobs   isolation L1`
fn inputs(report: &DatasetReport, paint: Paint) -> String {
    let found = &report.inputs;
    if found.found == 0 || report.component.version.is_none() {
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
    let fuel = scaled(report.fuel);
    let jobs = counted(report.jobs as u64, "job");
    let missing = report.isolation_missing.iter().map(|line| format!("  without {}\n", shown(line)));
    let missing: String = missing.collect();
    format!(
        "  {ends}   accounted {accounted}   fuel {fuel}   {jobs}   isolation {}\n{missing}",
        report.isolation
    )
}

fn tables(tables: &[DatasetTable], outcome: Outcome, page: Page) -> String {
    let aligns = [Align::Left, Align::Right, Align::Right, Align::Left];
    let row = |table: &DatasetTable| {
        let tone = if table.quarantined > 0 { Tone::Warn } else { Tone::Plain };
        let place = |path: &str| match outcome {
            Outcome::Loaded => shown(path),
            _ => format!("{}  {}", shown(path), counted(table.parts, "part")),
        };
        vec![
            Cell::new(table.name.as_str()),
            Cell::new(counted(table.accepted, "row")),
            Cell::toned(tone, format!("{} quarantined", count(table.quarantined))),
            Cell::new(table.path.as_deref().map(place).unwrap_or_default()),
        ]
    };
    layout::lines("  ", &aligns, &tables.iter().map(row).collect::<Vec<_>>(), page.endless())
}

fn quarantine(report: &DatasetReport, outcome: Outcome, page: Page) -> String {
    let quarantine = &report.quarantine;
    if quarantine.rows == 0 {
        return String::new();
    }
    let place = match (&quarantine.path, outcome) {
        (Some(path), Outcome::Loaded) if report.status != DatasetStatus::Held => in_database(path),
        (Some(path), _) => format!("in {}", shown(path)),
        (None, Outcome::Written | Outcome::Loaded) => "in quarantine, which was not written".to_owned(),
        (None, _) => "would be quarantined".to_owned(),
    };
    let rows = page.paint.tone(Tone::Warn, counted(quarantine.rows, "row"));
    let codes = by_count(&quarantine.by_code, usize::MAX).join(", ");
    let rules = layout::list("  by rule: ", &by_count(&quarantine.by_rule, RULES_SHOWN), page);
    format!("{rows} {place}: {codes}\n{rules}")
}

/// The inputs that are in no table, a line each, and what was passed by in folders.
fn left_out(report: &DatasetReport, page: Page) -> String {
    let line = |found: &LeftOut| {
        let word = page.paint.tone(Tone::Bad, "left out:");
        format!("  {word} {}: {}\n", shown(&found.input), shown(&found.fault.message))
    };
    let mut text: String = report.left_out.iter().take(LEFT_OUT_SHOWN).map(line).collect();
    let named = report.left_out.len().min(LEFT_OUT_SHOWN) as u64;
    let all = (report.inputs.failed + report.inputs.held).max(named);
    if all > named {
        text += &format!("  and {} more; `--json` has a line for each input\n", count(all - named));
    }
    text + &hints(&report.left_out, page.paint) + &passed_by(report)
}

/// What may be done about inputs that were left out: the first few hints, each said once.
pub(super) fn hints(left_out: &[LeftOut], paint: Paint) -> String {
    let mut hints: Vec<&str> = Vec::new();
    let named = left_out.iter().take(LEFT_OUT_SHOWN);
    for hint in named.filter_map(|found| found.fault.hint.as_deref()) {
        if hints.len() < HINTS_SHOWN && !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    hints.into_iter().map(|hint| hint_line(hint, paint)).collect()
}

fn passed_by(report: &DatasetReport) -> String {
    let all = report.inputs.passed_by;
    if all == 0 {
        return String::new();
    }
    let shown_first = report.passed_by.iter().take(PASSED_BY_SHOWN);
    let mut parts: Vec<String> =
        shown_first.map(|found| format!("{} ({})", shown(&found.path), shown(&found.why))).collect();
    let more = all.saturating_sub(parts.len() as u64);
    parts.extend((more > 0).then(|| format!("and {} more", count(more))));
    format!("  passed by: {}\n", parts.join(", "))
}

fn last_word(report: &DatasetReport, outcome: Outcome, paint: Paint) -> String {
    match (report.status, outcome) {
        (DatasetStatus::Held, _) => format!("{} no table was published\n", paint.tone(Tone::Bad, "held:")),
        (DatasetStatus::Failed, _) => {
            format!(
                "{} no input came to a good end; nothing was published\n",
                paint.tone(Tone::Bad, "failed:")
            )
        }
        (_, Outcome::Previewed) => {
            hint_line("nothing was written; `--out DIR` writes the tables and the quarantine", paint)
        }
        (_, Outcome::Judged) => hint_line("nothing was written, as `--whatif` wants it", paint),
        (_, Outcome::Written) => String::new(),
        (_, Outcome::Loaded) => loaded(report.load.as_ref(), paint),
    }
}
