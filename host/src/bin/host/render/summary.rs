//! The summary of a run: what came out, where it is, what became of every byte.

use std::collections::BTreeMap;
use std::fmt::Display;

use casparian_core::flow::{BrokenBudget, WarningTally};
use casparian_core::isolate::Toll;
use casparian_core::receipt::Unpacked;
use casparian_host::loader::{LoadReport, QUARANTINE_TABLE};
use casparian_host::report::{Accounting, Coverage, Report, Status, TableReport};

use super::fault::{fault, hint_line, warning};
use super::layout::{self, Align, Cell};
use super::paint::{Page, Paint, Tone};
use super::quantity::{bytes, count, counted, percent, rate, scaled, time};
use super::shown;

/// Most dark ranges that the summary lists.
const DARK_RANGES_SHOWN: usize = 4;
/// Most rules that the summary counts one by one.
pub(super) const RULES_SHOWN: usize = 8;

/// Below this a rate tells more of starting processes than of parsing.
pub(super) const RATE_MS_MIN: u64 = 500;

/// What a run that went well leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Tables.
    Written,
    /// Rows in a database.
    Loaded,
    /// What is on the screen.
    Previewed,
    /// A verdict.
    Judged,
}

/// Returns the summary.
pub(super) fn summary(report: &Report, outcome: Outcome, page: Page) -> String {
    let paint = page.paint;
    let mut text = head(report, paint);
    if report.status == Status::Failed {
        return text + &warnings(report, paint) + &failure(report, paint);
    }
    text += &tables(&report.tables, page);
    text += &account(report, paint);
    text += &dark(&report.accounting, paint);
    text += &rule_warnings(report, page);
    text += &warnings(report, paint);
    text += &traps(report, paint);
    text += &quarantine(report, outcome, page);
    text += &failure(report, paint);
    text + &last_word(report, outcome, paint)
}

/// `fix 1.0.0  orders.log  48.2 MB  0.15 s  312 MB/s`; nothing where the parser never got to say its name.
fn head(report: &Report, paint: Paint) -> String {
    if report.status == Status::Failed && report.component.version.is_none() {
        return String::new();
    }
    let version = report.component.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let parser = paint.tone(Tone::Strong, format!("{}{version}", report.component.name));
    let contract = report
        .contract
        .as_ref()
        .map(|contract| format!("contract {} {}", shown(&contract.id), shown(&contract.version)));
    let mut parts = vec![parser, input(report), bytes(report.input.read_bytes()), time(report.wall_ms)];
    if report.status != Status::Failed && report.wall_ms >= RATE_MS_MIN {
        parts.extend(rate(report.input.read_bytes(), report.wall_ms));
    }
    parts.extend(contract);
    format!("{}\n", parts.join("  "))
}

/// `orders.log.gz -> day/orders.log.gz  (gzip, 12.1 MB)`: the input, where it led to if it was a link, and how it is packed.
fn input(report: &Report) -> String {
    let link = report.input.link.as_deref().map(|link| format!(" -> {}", shown(link))).unwrap_or_default();
    let packed = |unpacked: &Unpacked| {
        let member =
            unpacked.member.as_deref().map(|member| format!(" of {}", shown(member))).unwrap_or_default();
        format!("  ({}{member}, {})", unpacked.packing, bytes(report.input.bytes))
    };
    let packed = report.input.unpacked.as_ref().map(packed).unwrap_or_default();
    format!("{}{link}{packed}", shown(&report.input.path))
}

fn failure(report: &Report, paint: Paint) -> String {
    let input = report.input.path.as_str();
    // Whoever pressed Ctrl-C is not to be told whose fault that is.
    if report.fault.as_ref().is_some_and(|found| found.code == "interrupted") {
        return format!(
            "{} {}; nothing was published\n",
            paint.tone(Tone::Warn, "interrupted:"),
            shown(input)
        );
    }
    report.fault.as_ref().map(|found| fault(found, Some(input), paint)).unwrap_or_default()
}

/// `  warns: 12 rows of messages break \`side\` (one of 1, 2)`.
fn rule_warnings(report: &Report, page: Page) -> String {
    let line = |warning: &WarningTally| {
        let about = match &warning.column {
            Some(column) => format!("{}.{}", warning.table, shown(column)),
            None => warning.table.to_string(),
        };
        let expected =
            warning.expected.as_deref().map(|text| format!(" ({})", shown(text))).unwrap_or_default();
        let rows =
            if warning.rows > 0 { format!("{}, ", counted(warning.rows, "row")) } else { String::new() };
        let warns = page.paint.tone(Tone::Warn, "warning:");
        format!("  {warns} {about}: {rows}`{}`{expected}\n", shown(&warning.rule))
    };
    report.rule_warnings.iter().map(line).collect()
}

/// `  warning: 2 records killed the parser and are in quarantine: 1 CF0801, 1 CF0802`.
fn traps(report: &Report, paint: Paint) -> String {
    let Toll { traps, killers, .. } = report.traps;
    let warns = paint.tone(Tone::Warn, "warning:");
    let mut text = String::new();
    if killers > 0 {
        let killed: BTreeMap<_, _> =
            report.quarantine.by_code.iter().filter(|(code, _)| code.is_of_a_killer()).collect();
        let codes: Vec<String> =
            killed.iter().map(|(code, rows)| format!("{} {code}", count(**rows))).collect();
        let records = counted(killers, "record");
        text +=
            &format!("  {warns} {records} killed the parser and went to quarantine: {}\n", codes.join(", "));
    }
    match traps.saturating_sub(killers) {
        0 => text,
        n => {
            text + &format!("  {warns} {} of the parser that no record is to blame for\n", counted(n, "trap"))
        }
    }
}

fn warnings(report: &Report, paint: Paint) -> String {
    report.warnings.iter().map(|found| warning(found, paint)).collect()
}

fn tables(tables: &[TableReport], page: Page) -> String {
    let aligns = [Align::Left, Align::Right, Align::Right, Align::Left];
    let row = |table: &TableReport| {
        let tone = if table.quarantined > 0 { Tone::Warn } else { Tone::Plain };
        vec![
            Cell::new(table.name.as_str()),
            Cell::new(counted(table.accepted, "row")),
            Cell::toned(tone, format!("{} quarantined", count(table.quarantined))),
            Cell::new(table.path.as_deref().map(shown).unwrap_or_default()),
        ]
    };
    layout::lines("  ", &aligns, &tables.iter().map(row).collect::<Vec<_>>(), page.endless())
}

/// `accounted 100.000 %  (12 bytes skipped: blank)   fuel 1.9 G   memory 21 MB   isolation L3`
fn account(report: &Report, paint: Paint) -> String {
    let parts = [
        accounted(&report.accounting, report.input.read_bytes(), paint),
        format!("fuel {}", scaled(report.fuel)),
        format!("memory {}", bytes(report.memory_peak_bytes)),
        format!("isolation {}", report.isolation),
    ];
    let missing = report.isolation_missing.iter().map(|line| format!("  without {}\n", shown(line)));
    format!("  {}\n{}", parts.join("   "), missing.collect::<String>())
}

fn accounted(accounting: &Accounting, input_bytes: u64, paint: Paint) -> String {
    let tone = match accounting.coverage {
        Coverage::None => return "accounted for nothing (the parser gives no spans)".to_owned(),
        Coverage::Partial => Tone::Warn,
        Coverage::Full => Tone::Good,
    };
    let share = percent(input_bytes.saturating_sub(accounting.dark_bytes), input_bytes);
    format!("{}{}", paint.tone(tone, format!("accounted {share}")), skipped(accounting))
}

fn skipped(accounting: &Accounting) -> String {
    if accounting.skipped_bytes == 0 {
        return String::new();
    }
    let word = |kind: &_| format!("{kind:?}").to_lowercase();
    let kinds: BTreeMap<String, u64> =
        accounting.skipped_by_kind.iter().map(|(kind, n)| (word(kind), *n)).collect();
    let kinds = match kinds.len() {
        0 => String::new(),
        1 => format!(": {}", kinds.keys().next().map_or("", String::as_str)),
        _ => format!(": {}", by_count(&kinds, RULES_SHOWN).join(", ")),
    };
    format!("  ({} skipped{kinds})", counted(accounting.skipped_bytes, "byte"))
}

/// `dark 120 bytes in 2 ranges, nobody spoke for them: 0..20, 40..140`
fn dark(accounting: &Accounting, paint: Paint) -> String {
    if accounting.coverage == Coverage::None || accounting.dark_bytes == 0 {
        return String::new();
    }
    let listed = accounting.dark.iter().take(DARK_RANGES_SHOWN);
    let mut ranges: Vec<String> =
        listed.map(|span| format!("{}..{}", span.offset, span.offset.saturating_add(span.length))).collect();
    let all_listed = ranges.len() as u64 == accounting.dark_ranges;
    ranges.extend((!all_listed).then(|| "…".to_owned()));
    let extent = counted(accounting.dark_ranges, "range");
    let dark = format!("dark {} in {extent}", counted(accounting.dark_bytes, "byte"));
    format!("  {}, nobody spoke for them: {}\n", paint.tone(Tone::Warn, dark), ranges.join(", "))
}

/// `21 rows in out/_quarantine.parquet: 17 CF0900, 4 CF0301`, and under it
/// `  by rule: 12 bad_checksum, 5 empty_value, 4 required`.
fn quarantine(report: &Report, outcome: Outcome, page: Page) -> String {
    let quarantine = &report.quarantine;
    if quarantine.rows == 0 {
        return String::new();
    }
    let place = match (&quarantine.path, outcome) {
        (Some(path), Outcome::Loaded) if report.status != Status::Held => in_database(path),
        (Some(path), _) => format!("in {}", shown(path)),
        (None, Outcome::Previewed | Outcome::Judged) => "would be quarantined".to_owned(),
        (None, Outcome::Written | Outcome::Loaded) => "in quarantine, which was not written".to_owned(),
    };
    let rows = page.paint.tone(Tone::Warn, counted(quarantine.rows, "row"));
    let in_tables = report.tables.iter().map(|table| table.quarantined).sum::<u64>();
    // Records that could not be read are in no table, and the numbers should add up under a reader's eyes.
    let unread = match quarantine.rows.saturating_sub(in_tables) {
        0 => String::new(),
        n => format!(" ({} in no table)", count(n)),
    };
    let codes = by_count(&quarantine.by_code, usize::MAX).join(", ");
    let rules = by_count(&quarantine.by_rule, RULES_SHOWN);
    let rules = layout::list("  by rule: ", &rules, page);
    format!("{rows}{unread} {place}: {codes}\n{rules}")
}

/// Returns counts, the largest first, at most `most` of them.
pub(super) fn by_count<K: Display>(counts: &BTreeMap<K, u64>, most: usize) -> Vec<String> {
    let mut sorted: Vec<(&K, &u64)> = counts.iter().collect();
    sorted.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
    let mut parts: Vec<String> = sorted
        .iter()
        .take(most)
        .map(|(key, number)| format!("{} {}", count(**number), shown(&key.to_string())))
        .collect();
    if sorted.len() > most {
        parts.push(format!("and {} more", sorted.len() - most));
    }
    parts
}

/// Says what was not written, and how to have it.
fn last_word(report: &Report, outcome: Outcome, paint: Paint) -> String {
    if report.status == Status::Held {
        let held = paint.tone(Tone::Bad, "held:");
        let (why, hint) = (why_held(report), next_look(report));
        return format!("{held} {why}no table was published\n{}", hint_line(&hint, paint));
    }
    match outcome {
        Outcome::Previewed => {
            hint_line("nothing was written; `--out DIR` writes the tables and the quarantine", paint)
        }
        Outcome::Judged => hint_line("nothing was written, as `--whatif` wants it", paint),
        Outcome::Written => hint_line(&next_look(report), paint),
        Outcome::Loaded => loaded(report.load.as_ref(), paint),
    }
}

/// `in `_quarantine` of fix.db`
pub(super) fn in_database(path: &str) -> String {
    format!("in `{QUARANTINE_TABLE}` of {}", shown(path))
}

/// `loaded into fix.db as run 3`
pub(super) fn loaded(load: Option<&LoadReport>, paint: Paint) -> String {
    let Some(load) = load else { return String::new() };
    let database = shown(&load.database);
    match load.is_new {
        true => format!("{} into {database} as run {}\n", paint.tone(Tone::Good, "loaded"), load.run),
        false => format!(
            "{} {database} has these rows already, as run {}; nothing was changed\n",
            paint.tone(Tone::Warn, "loaded before:"),
            load.run
        ),
    }
}

/// Says what holds publication: the contract's budgets, or the command line.
fn why_held(report: &Report) -> String {
    let budget = |broken: &BrokenBudget| {
        let (table, rule) = (&broken.table, shown(&broken.rule));
        format!("`{rule}` of {table} wants {}, found {}; ", shown(&broken.expected), shown(&broken.observed))
    };
    match report.held.as_slice() {
        [] if report.fault.is_some() => String::new(),
        [] => "--strict allows no row in quarantine; ".to_owned(),
        held => held.iter().map(budget).collect(),
    }
}

/// `host quarantine show out --rule bad_checksum`: the most frequent rule of what is in quarantine; nothing, where nothing is.
fn next_look(report: &Report) -> String {
    let quarantine = &report.quarantine;
    let Some(folder) =
        quarantine.path.as_deref().map(|path| path.rsplit_once('/').map_or(".", |(folder, _)| folder))
    else {
        return String::new();
    };
    // The first of the most frequent, so that the hint is the same in every run. What is there only for the sake of its record
    // tells nothing.
    let telling = quarantine.by_rule.iter().rev().filter(|(rule, _)| *rule != "record");
    let most = telling.max_by_key(|(_, rows)| **rows);
    let rule = most.map(|(rule, _)| format!(" --rule {}", word(rule))).unwrap_or_default();
    format!("host quarantine show {}{rule}", word(folder))
}

/// Returns a word as a shell takes it.
pub(super) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%=".contains(c);
    match !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use casparian_core::contract::verdict::Code;
    use casparian_core::fault::{Blame, FaultReport, Span};
    use casparian_core::guest_text::GuestText;
    use casparian_core::id::TableName;
    use casparian_core::intake::SkipKind;
    use casparian_host::report::{ComponentReport, InputReport, Isolation, QuarantineReport, REPORT_SCHEMA};

    use super::*;

    fn table(name: &str, accepted: u64, quarantined: u64, path: Option<&str>) -> TableReport {
        let name = TableName::new(name).unwrap();
        TableReport { name, accepted, quarantined, path: path.map(str::to_owned) }
    }

    fn report() -> Report {
        Report {
            schema: REPORT_SCHEMA,
            input: InputReport {
                path: "orders.log".to_owned(),
                path_hex: None,
                link: None,
                sha256: None,
                bytes: 48_200_000,
                unpacked: None,
            },
            component: ComponentReport {
                name: GuestText::new("fix", 64),
                version: Some(GuestText::new("1.0.0", 64)),
                sha256: None,
            },
            contract: None,
            status: Status::CompletedWithQuarantine,
            exit: 0,
            fault: None,
            tables: vec![
                table("messages", 212_404, 17, Some("out/messages.parquet")),
                table("execution_reports", 88_019, 0, Some("out/execution_reports.parquet")),
            ],
            quarantine: QuarantineReport {
                rows: 18,
                path: Some("out/_quarantine.parquet".to_owned()),
                by_code: BTreeMap::from([(Code::ParserFault, 13), (Code::Missing, 5)]),
                by_rule: BTreeMap::from([("required".to_owned(), 5), ("bad_checksum".to_owned(), 13)]),
            },
            traps: Toll::default(),
            records: 212_421,
            rule_warnings: vec![],
            held: vec![],
            warnings: vec![],
            claim_sha256: None,
            receipt: None,
            load: None,
            claim: None,
            accounting: Accounting {
                coverage: Coverage::Full,
                accepted_bytes: 48_199_000,
                quarantined_bytes: 988,
                skipped_bytes: 12,
                dark_bytes: 0,
                dark: vec![],
                dark_ranges: 0,
                skipped_by_kind: BTreeMap::from([(SkipKind::Blank, 12)]),
            },
            fuel: 1_904_000_000,
            memory_peak_bytes: 21_000_000,
            isolation: Isolation::L3,
            isolation_missing: vec![],
            log_lines_dropped: 0,
            wall_ms: 1_540,
            previews: vec![],
        }
    }

    fn shown(report: &Report, outcome: Outcome) -> String {
        summary(report, outcome, Page::PLAIN)
    }

    #[test]
    fn a_written_run_says_what_is_where_and_what_became_of_every_byte() {
        assert_eq!(
            shown(&report(), Outcome::Written),
            "\
fix 1.0.0  orders.log  48.2 MB  1.54 s  31.3 MB/s
  messages           212,404 rows  17 quarantined  out/messages.parquet
  execution_reports   88,019 rows   0 quarantined  out/execution_reports.parquet
  accounted 100.000 %  (12 bytes skipped: blank)   fuel 1.9 G   memory 21 MB   isolation L3
18 rows (1 in no table) in out/_quarantine.parquet: 13 CF0900, 5 CF0301
  by rule: 13 bad_checksum, 5 required
  hint: host quarantine show out --rule bad_checksum
"
        );
    }

    #[test]
    fn a_preview_says_that_nothing_was_written() {
        let mut report = report();
        report.quarantine.path = None;
        report.tables.iter_mut().for_each(|table| table.path = None);
        let shown = shown(&report, Outcome::Previewed);
        assert!(shown.contains("\n18 rows (1 in no table) would be quarantined: 13 CF0900"), "{shown}");
        assert!(
            shown.ends_with("hint: nothing was written; `--out DIR` writes the tables and the quarantine\n")
        );
        assert!(shown.contains("17 quarantined\n"), "{shown}");
    }

    #[test]
    fn dark_bytes_are_listed_and_never_round_to_all() {
        let mut report = report();
        report.accounting.coverage = Coverage::Partial;
        report.accounting.dark_bytes = 100;
        report.accounting.dark_ranges = 5;
        report.accounting.dark = (0..5).map(|n| Span { offset: n * 1000, length: 20 }).collect();
        let shown = shown(&report, Outcome::Written);
        assert!(shown.contains("accounted 99.999 %"), "{shown}");
        let dark = "  dark 100 bytes in 5 ranges, nobody spoke for them: 0..20, 1000..1020, 2000..2020, 3000..3020, …\n";
        assert!(shown.contains(dark), "{shown}");
    }

    #[test]
    fn a_parser_without_spans_accounts_for_nothing() {
        let mut report = report();
        report.accounting = Accounting::default();
        assert!(
            shown(&report, Outcome::Written)
                .contains("  accounted for nothing (the parser gives no spans)   fuel")
        );
    }

    #[test]
    fn skipped_bytes_of_several_kinds_are_counted_by_kind() {
        let mut report = report();
        report.accounting.skipped_bytes = 1_234;
        report.accounting.skipped_by_kind =
            BTreeMap::from([(SkipKind::Blank, 34), (SkipKind::Header, 1_200)]);
        assert!(shown(&report, Outcome::Written).contains("(1,234 bytes skipped: 1,200 header, 34 blank)"));
    }

    #[test]
    fn a_failed_run_shows_its_fault_and_no_tables() {
        let mut report = report();
        report.status = Status::Failed;
        report.fault = Some(FaultReport {
            blame: Blame::Guest,
            code: "trap".to_owned(),
            message: "stopped at `unreachable`".to_owned(),
            hint: None,
            at: Some(Span { offset: 7, length: 3 }),
        });
        assert_eq!(
            shown(&report, Outcome::Written),
            "\
fix 1.0.0  orders.log  48.2 MB  1.54 s
error: parser: stopped at `unreachable`
  in   orders.log, bytes 7..10
"
        );
    }

    #[test]
    fn a_run_that_never_began_shows_its_fault_alone() {
        let mut report = report();
        report.status = Status::Failed;
        report.component.version = None;
        let message = "no such file: fix.wasm".to_owned();
        let fault =
            FaultReport { blame: Blame::Operator, code: "x".to_owned(), message, hint: None, at: None };
        report.fault = Some(fault);
        let expected = "error: operator: no such file: fix.wasm\n  in   orders.log\n";
        assert_eq!(shown(&report, Outcome::Written), expected);
    }

    #[test]
    fn an_interrupted_run_blames_nobody() {
        let mut report = report();
        report.status = Status::Failed;
        let (code, message) = ("interrupted".to_owned(), "interrupted".to_owned());
        report.fault = Some(FaultReport { blame: Blame::Operator, code, message, hint: None, at: None });
        assert!(
            shown(&report, Outcome::Written).ends_with("\ninterrupted: orders.log; nothing was published\n")
        );
    }

    #[test]
    fn a_held_run_says_that_no_table_was_published() {
        let mut report = report();
        report.status = Status::Held;
        let shown = shown(&report, Outcome::Written);
        assert!(
            shown.contains("\nheld: --strict allows no row in quarantine; no table was published\n"),
            "{shown}"
        );
    }

    #[test]
    fn names_from_strangers_are_escaped() {
        let mut report = report();
        report.component.name = GuestText::new("f\u{1b}[31mix", 64);
        report.input.path = "a\u{9b}2J\n.log".to_owned();
        report.quarantine.by_rule = BTreeMap::from([("r\u{7}".to_owned(), 1)]);
        let shown = shown(&report, Outcome::Written);
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        assert!(shown.starts_with("f\\u{1b}[31mix 1.0.0  a\\u{9b}2J\\n.log  "), "{shown:?}");
    }

    #[test]
    fn many_rules_are_cut_after_the_most_frequent() {
        let rules: BTreeMap<String, u64> = (0..20).map(|n| (format!("r{n}"), n + 1)).collect();
        assert_eq!(by_count(&rules, 2), ["20 r19", "19 r18", "and 18 more"]);
    }
}
