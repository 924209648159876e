//! The receipt of a run: a claim that anybody can have checked, and the circumstances that it came about under.
//!
//! The claim reproduces: the same component, input, contract and options give the same claim on any machine, whatever the
//! number of threads, the sizes of batches and reads. The circumstances need not. `docs/spec/receipt.md` has every field.

mod canonical;
mod circumstances;
mod comparison;
pub mod dataset;
mod input;
mod json;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::contract::verdict::Code;
use crate::fault::{Blame, Blamed};
use crate::flow::{BrokenBudget, Tally, WarningTally};
use crate::guest_text::{GuestText, steers};
use crate::id::{Digest, TableName};
use crate::intake::SkipKind;
use crate::ledger::Account;
pub use circumstances::{Circumstances, CodeCache, FileCircumstances, LogCircumstances, ShortReads};
pub use comparison::{Comparison, Difference};
pub use input::{InputClaim, Packing, Unpacked};

/// The version of a receipt's shape and of what its claim means.
pub const FORMAT_VERSION: u32 = 1;
/// The largest whole number that every reader of JSON has exactly.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// What a run leaves beside its output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// What reproduces.
    pub claim: Claim,
    /// SHA-256 of the claim as canonical JSON (RFC 8785).
    pub claim_sha256: Digest,
    /// What may differ the next time.
    pub circumstances: Circumstances,
}

/// What a run claims, and what must come out the same when it is run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The parser.
    pub component: ComponentClaim,
    /// The input.
    pub input: InputClaim,
    /// The contract; none: the schema that the parser declares.
    pub contract: Option<ContractClaim>,
    /// What the parser was told.
    pub options: OptionsClaim,
    /// What was asked for.
    pub asked: Asked,
    /// The tables that were wanted and opened.
    pub tables: BTreeMap<TableName, TableClaim>,
    /// What is in quarantine.
    pub quarantine: QuarantineClaim,
    /// Records of the input: accepted and quarantined.
    pub records: u64,
    /// Every byte of the input, by class.
    pub bytes: BytesClaim,
    /// What the run came to.
    pub verdict: Verdict,
    /// Why nothing is published, where the verdict is [`Verdict::Held`]. Ascending.
    pub held: Vec<Broken>,
    /// Rules that only warn and were broken. Ascending.
    pub warnings: Vec<Warning>,
}

/// The parser of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentClaim {
    /// The name that it gives itself.
    pub name: GuestText,
    /// The version that it gives itself.
    pub version: GuestText,
    /// Digest of its bytes.
    pub sha256: Digest,
}

/// The contract of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractClaim {
    /// Its name.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its `contract_hash`.
    pub sha256: Digest,
}

/// The options of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionsClaim {
    /// Their digest, which is part of the names of quarantined rows.
    pub sha256: Digest,
    /// All that the parser was given, its defaults included.
    pub values: BTreeMap<String, String>,
}

/// What somebody asked of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The tables that were wanted, ascending; none: whatever the parser opens.
    pub tables: Option<Vec<TableName>>,
    /// Whether anything in quarantine holds the output.
    pub strict: bool,
}

/// One table of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableClaim {
    /// Rows that met the contract.
    pub accepted: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
    /// The logical digest of the accepted rows.
    pub digest: Digest,
}

/// The quarantine of a run: rows of all tables, wanted or not, and records that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantineClaim {
    /// Rows, and records that could not be read.
    pub rows: u64,
    /// Rows by reason code; a row with two reasons of one code counts once.
    pub by_code: BTreeMap<Code, u64>,
    /// The logical digest of it.
    pub digest: Digest,
}

/// Every byte that was read of an input, in one class. The four add up to its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BytesClaim {
    /// Of records that met the contract.
    pub accepted: u64,
    /// Of records in quarantine.
    pub quarantined: u64,
    /// Said to hold no record.
    pub skipped: u64,
    /// Nobody spoke for them.
    pub dark: u64,
    /// What was said to hold no record, by kind. A byte said twice counts twice here; 2^53 - 1 stands for that and more.
    pub skipped_by_kind: BTreeMap<SkipKind, u64>,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every record met the contract.
    Completed,
    /// Published, and something is in quarantine.
    CompletedWithQuarantine,
    /// Not published.
    Held,
}

/// A reason why nothing is published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broken {
    /// The table; none: the run as a whole.
    pub table: Option<TableName>,
    /// The budget's name, or `strict`.
    pub rule: String,
    /// What it wants.
    pub expected: String,
    /// What there was.
    pub observed: String,
}

impl Broken {
    /// Returns the reason of a run that was to leave nothing in quarantine.
    fn strict(quarantined: u64) -> Self {
        Self {
            table: None,
            rule: "strict".to_owned(),
            expected: "no row in quarantine".to_owned(),
            observed: format!("{quarantined} rows"),
        }
    }
}

impl From<&BrokenBudget> for Broken {
    fn from(broken: &BrokenBudget) -> Self {
        Self {
            table: Some(broken.table.clone()),
            rule: broken.rule.clone(),
            expected: broken.expected.clone(),
            observed: broken.observed.clone(),
        }
    }
}

/// A rule that only warns, broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// The table.
    pub table: TableName,
    /// The column that it is about.
    pub column: Option<String>,
    /// The rule.
    pub rule: String,
    /// What it wants.
    pub expected: Option<String>,
    /// Accepted rows that break it; of a budget, none.
    pub rows: u64,
}

impl From<&WarningTally> for Warning {
    fn from(warning: &WarningTally) -> Self {
        Self {
            table: warning.table.clone(),
            column: warning.column.clone(),
            rule: warning.rule.clone(),
            expected: warning.expected.clone(),
            rows: warning.rows,
        }
    }
}

/// Who and what took part in a run, and what was asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// The parser.
    pub component: ComponentClaim,
    /// The input.
    pub input: InputClaim,
    /// The contract; none: the schema that the parser declares.
    pub contract: Option<ContractClaim>,
    /// What the parser was told.
    pub options: OptionsClaim,
    /// What was asked for.
    pub asked: Asked,
}

impl Claim {
    /// Claims what was counted. `None` where the run did not come to its end, so that digests are missing.
    pub fn new(parties: Parties, tally: &Tally, account: &Account) -> Option<Self> {
        let Parties { component, input, contract, options, asked } = parties;
        let mut held: Vec<Broken> = tally.held.iter().map(Broken::from).collect();
        if asked.strict && tally.quarantine.rows > 0 {
            held.push(Broken::strict(tally.quarantine.rows));
        }
        held.sort();
        let mut warnings: Vec<Warning> = tally.warnings.iter().map(Warning::from).collect();
        warnings.sort();
        Some(Self {
            component,
            input,
            contract,
            options,
            asked,
            tables: tables(tally)?,
            quarantine: QuarantineClaim {
                rows: tally.quarantine.rows,
                by_code: tally.quarantine.by_code.clone(),
                digest: tally.quarantine.digest?,
            },
            records: tally.records,
            bytes: BytesClaim::new(tally, account),
            verdict: match (held.is_empty(), tally.quarantine.rows) {
                (false, _) => Verdict::Held,
                (true, 0) => Verdict::Completed,
                (true, _) => Verdict::CompletedWithQuarantine,
            },
            held,
            warnings,
        })
    }

    /// Returns the digest of the claim: SHA-256 of its canonical JSON.
    pub fn hash(&self) -> Result<Digest, serde_json::Error> {
        canonical::digest(self)
    }

    /// Returns whether its byte classes add up to the size of what was read.
    pub fn adds_up(&self) -> bool {
        let BytesClaim { accepted, quarantined, skipped, dark, .. } = self.bytes;
        let classes = [accepted, quarantined, skipped, dark];
        classes.iter().try_fold(0_u64, |sum, class| sum.checked_add(*class)) == Some(self.input.read_bytes())
    }

    /// Returns what in it cannot be so, given the rest of it.
    pub fn contradiction(&self) -> Option<&'static str> {
        let rows = self.quarantine.rows;
        let is_held = !self.held.is_empty() || (self.asked.strict && rows > 0);
        let verdict = match (is_held, rows) {
            (true, _) => Verdict::Held,
            (false, 0) => Verdict::Completed,
            (false, _) => Verdict::CompletedWithQuarantine,
        };
        let of_tables = self.tables.values().try_fold(0_u64, |sum, table| sum.checked_add(table.quarantined));
        let by_kind = self.bytes.skipped_by_kind.values().fold(0_u64, |sum, kind| sum.saturating_add(*kind));
        let by_code = &self.quarantine.by_code;
        let is_asked = |name: &TableName| self.asked.tables.as_ref().is_none_or(|asked| asked.contains(name));
        let checks = [
            (verdict == self.verdict, "the verdict does not follow from quarantine and budgets"),
            (of_tables.is_some_and(|sum| sum <= rows), "tables have more rows in quarantine than there are"),
            (
                by_code.values().all(|count| (1..=rows).contains(count)),
                "a reason has more rows than there are",
            ),
            (by_code.is_empty() == (rows == 0), "rows in quarantine have reasons, and nothing else has"),
            (rows > 0 || self.bytes.quarantined == 0, "bytes are in quarantine, and no row is"),
            (by_kind >= self.bytes.skipped, "more bytes are skipped than were said to be"),
            (self.tables.keys().all(is_asked), "a table is there that nobody asked for"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
    }

    /// Compares two claims field by field, the first being the one that was made before.
    pub fn compare(&self, again: &Self) -> Result<Comparison, serde_json::Error> {
        let mut comparison = Comparison::default();
        comparison.walk("", &serde_json::to_value(self)?, &serde_json::to_value(again)?);
        Ok(comparison)
    }
}

fn tables(tally: &Tally) -> Option<BTreeMap<TableName, TableClaim>> {
    let wanted = tally.tables.iter().filter(|table| table.wanted);
    let claim = wanted.map(|table| {
        let (accepted, quarantined) = (table.accepted, table.quarantined);
        Some((table.name.clone(), TableClaim { accepted, quarantined, digest: table.digest? }))
    });
    claim.collect()
}

impl BytesClaim {
    fn new(tally: &Tally, account: &Account) -> Self {
        let classes = account.classes;
        let by_kind = tally.skipped_by_kind.iter();
        Self {
            accepted: classes.accepted_bytes,
            quarantined: classes.quarantined_bytes,
            skipped: classes.skipped_bytes,
            dark: classes.dark_bytes,
            skipped_by_kind: by_kind.map(|(kind, bytes)| (*kind, (*bytes).min(EXACT_MAX))).collect(),
        }
    }
}

/// Something that is no receipt, or not a true one.
#[derive(Debug, Error)]
pub enum ReceiptFault {
    /// It is no JSON, or of another shape.
    #[error("not a receipt: {0}")]
    Shape(GuestText),
    /// It is of another version.
    #[error("a receipt of format version {found}; this host reads version {FORMAT_VERSION}")]
    Version {
        /// The one that it names.
        found: u64,
    },
    /// Its claim is not the one that its digest was taken of.
    #[error("the claim's SHA-256 is {found}, and the receipt says {claimed}")]
    Hash {
        /// What the receipt says.
        claimed: Digest,
        /// What it is.
        found: Digest,
    },
    /// One thing in the claim cannot be so, given another.
    #[error("the claim contradicts itself: {what}")]
    Contradiction {
        /// What cannot be so.
        what: &'static str,
    },
    /// Its byte classes do not add up.
    #[error("the byte classes of the claim do not add up to its input of {bytes} bytes")]
    Sum {
        /// The input's size.
        bytes: u64,
    },
}

/// Most bytes of what a reader of JSON says is wrong, in which a stranger's words stand.
const WHY_BYTES_MAX: usize = 512;

impl From<serde_json::Error> for ReceiptFault {
    fn from(error: serde_json::Error) -> Self {
        Self::Shape(GuestText::new(&error.to_string(), WHY_BYTES_MAX))
    }
}

impl Blamed for ReceiptFault {
    fn blame(&self) -> Blame {
        Blame::Input
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) => "receipt-shape",
            Self::Version { .. } => "receipt-version",
            Self::Hash { .. } => "receipt-hash",
            Self::Sum { .. } => "receipt-sum",
            Self::Contradiction { .. } => "receipt-contradiction",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Shape(_) => Some("a run writes `_receipt.json` beside its tables".to_owned()),
            Self::Version { .. } => Some("verify it with a host that knows its version".to_owned()),
            Self::Hash { .. } | Self::Sum { .. } | Self::Contradiction { .. } => {
                Some("somebody edited it; run the input again for a new one".to_owned())
            }
        }
    }
}

impl Receipt {
    /// Seals a claim.
    pub fn new(claim: Claim, circumstances: Circumstances) -> Result<Self, serde_json::Error> {
        let claim_sha256 = claim.hash()?;
        Ok(Self { format_version: FORMAT_VERSION, claim, claim_sha256, circumstances })
    }

    /// Reads a receipt, and refuses one whose claim is not what its digest was taken of or does not add up.
    pub fn read(text: &str) -> Result<Self, ReceiptFault> {
        let value = json::read(text)?;
        match value.get("format_version").and_then(Value::as_u64) {
            Some(found) if found != u64::from(FORMAT_VERSION) => return Err(ReceiptFault::Version { found }),
            _ => {}
        }
        let receipt: Self = serde_json::from_value(value)?;
        let (claimed, found) = (receipt.claim_sha256, receipt.claim.hash()?);
        if claimed != found {
            return Err(ReceiptFault::Hash { claimed, found });
        }
        if !receipt.claim.adds_up() {
            return Err(ReceiptFault::Sum { bytes: receipt.claim.input.read_bytes() });
        }
        if let Some(what) = receipt.claim.contradiction() {
            return Err(ReceiptFault::Contradiction { what });
        }
        Ok(receipt)
    }

    /// Returns the receipt as it is written: JSON for people, with whatever would steer a terminal escaped.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        page(self)
    }
}

/// Returns JSON on several lines in which nothing steers a terminal.
fn page(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(value).map(harmless)
}

/// Returns JSON in one line in which nothing steers a terminal.
pub fn line(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(value).map(harmless)
}

/// Ends JSON with the end of a line, with whatever would steer a terminal escaped: nearly always nothing.
fn harmless(mut text: String) -> String {
    let is_harmless = text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n'));
    if !is_harmless {
        text = text.chars().fold(String::with_capacity(text.len() + 1), escaped);
    }
    text.push('\n');
    text
}

/// Outside of strings JSON has no character but ASCII that shows and line ends of its own.
fn escaped(mut text: String, c: char) -> String {
    if c == '\n' || !steers(c) {
        text.push(c);
        return text;
    }
    for unit in c.encode_utf16(&mut [0; 2]) {
        text.push_str(&format!("\\u{unit:04x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::ByteClasses;
    use crate::limits::Limits;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn parties(strict: bool) -> Parties {
        Parties {
            component: ComponentClaim {
                name: GuestText::new("trades\u{202e}", 64),
                version: GuestText::new("1.2.0", 64),
                sha256: digest("parser"),
            },
            input: InputClaim {
                name: "input".to_owned(),
                sha256: digest("input"),
                bytes: 100,
                unpacked: None,
            },
            contract: None,
            options: OptionsClaim { sha256: digest("options"), values: BTreeMap::new() },
            asked: Asked { tables: None, strict },
        }
    }

    fn claim_of(strict: bool, quarantined: u64) -> Claim {
        let mut tally = Tally { records: 7, ..Tally::default() };
        tally.quarantine.rows = quarantined;
        if quarantined > 0 {
            tally.quarantine.by_code.insert(Code::Missing, quarantined);
        }
        tally.quarantine.digest = Some(digest("quarantine"));
        tally.skipped_by_kind.insert(SkipKind::Blank, u64::MAX);
        let classes =
            ByteClasses { accepted_bytes: 90, quarantined_bytes: 4, skipped_bytes: 5, dark_bytes: 1 };
        let account = Account { classes, dark: Vec::new(), dark_ranges: 0 };
        Claim::new(parties(strict), &tally, &account).unwrap()
    }

    fn circumstances() -> Circumstances {
        Circumstances {
            host_version: "0.1.0".to_owned(),
            engine: "engine 1".to_owned(),
            isolation: "L1".to_owned(),
            isolation_missing: Vec::new(),
            input_path: "in\u{1b}put".to_owned(),
            input_path_hex: None,
            contract_origin: None,
            fuel: 1,
            memory_peak_bytes: 1,
            limits: Limits::default(),
            log: LogCircumstances { lines: 0, lines_dropped: 0, sha256: digest("") },
            short_reads: Some(ShortReads { seed: u64::MAX, bytes_max: 1 }),
            format: "parquet".to_owned(),
            batch_bytes: 1,
            range_bytes: None,
            ranges: 1,
            on_trap: None,
            traps: crate::isolate::Toll::default(),
            threads: 2,
            code_cache: CodeCache::Warm,
            wall_ms: 1,
            files: vec![FileCircumstances {
                name: "a".to_owned(),
                table: None,
                bytes: 1,
                sha256: digest("a"),
            }],
        }
    }

    fn text() -> String {
        Receipt::new(claim_of(false, 1), circumstances()).unwrap().to_json().unwrap()
    }

    #[test]
    fn a_claim_that_contradicts_itself_is_refused_however_well_it_is_sealed() {
        let edits: [fn(&mut Claim); 5] = [
            |claim| claim.verdict = Verdict::Completed,
            |claim| claim.asked.strict = true,
            |claim| claim.quarantine.rows = 0,
            |claim| claim.quarantine.by_code.clear(),
            |claim| claim.bytes.skipped_by_kind.clear(),
        ];
        for edit in edits {
            let mut claim = claim_of(false, 1);
            edit(&mut claim);
            let sealed = Receipt::new(claim, circumstances()).unwrap().to_json().unwrap();
            let refused = Receipt::read(&sealed).unwrap_err();
            assert!(matches!(refused, ReceiptFault::Contradiction { .. }), "{refused}");
        }
    }

    #[test]
    fn a_receipt_reads_back_and_steers_no_terminal() {
        let text = text();
        assert!(!text.chars().any(|c| c != '\n' && steers(c)), "{text}");
        assert!(text.contains("trades\\u202e"), "{text}");
        let read = Receipt::read(&text).unwrap();
        assert_eq!(read, Receipt::new(claim_of(false, 1), circumstances()).unwrap());
    }

    #[test]
    fn a_claim_that_somebody_edited_is_refused_and_circumstances_are_not_part_of_it() {
        let edited = text().replace("\"records\": 7", "\"records\": 8");
        assert_eq!(Receipt::read(&edited).unwrap_err().code(), "receipt-hash");
        let retold = text().replace("\"fuel\": 1", "\"fuel\": 2");
        assert_eq!(
            Receipt::read(&retold).unwrap().claim_sha256,
            Receipt::read(&text()).unwrap().claim_sha256
        );
    }

    #[test]
    fn what_is_no_receipt_of_this_version_says_so() {
        for (bad, code) in [
            ("", "receipt-shape"),
            ("{}", "receipt-shape"),
            ("[[[[", "receipt-shape"),
            ("{\"format_version\": 2}", "receipt-version"),
        ] {
            assert_eq!(Receipt::read(bad).unwrap_err().code(), code, "{bad}");
        }
        let more = text().replacen('{', "{\"more\": 1,", 1);
        assert_eq!(Receipt::read(&more).unwrap_err().code(), "receipt-shape");
    }

    #[test]
    fn a_field_that_nobody_knows_is_named_and_steers_no_terminal() {
        let odd = text().replacen('{', "{\"more\u{7f}\": 1,", 1);
        let refused = Receipt::read(&odd).unwrap_err().to_string();
        assert!(refused.contains("more\\u{7f}"), "{refused:?}");
        assert!(!refused.chars().any(steers), "{refused:?}");
    }

    #[test]
    fn a_receipt_that_says_something_twice_is_refused() {
        let twice = text().replace("\"records\": 7", "\"records\": 8, \"records\": 7");
        let refused = Receipt::read(&twice).unwrap_err();
        assert_eq!(refused.code(), "receipt-shape");
        assert!(refused.to_string().contains("key \"records\" stands twice"), "{refused}");
    }

    #[test]
    fn a_claim_whose_bytes_do_not_add_up_is_refused() {
        let mut claim = claim_of(false, 1);
        claim.bytes.dark = u64::MAX;
        let lie = Receipt::new(claim, circumstances()).unwrap().to_json().unwrap();
        assert_eq!(Receipt::read(&lie).unwrap_err().code(), "receipt-sum");
    }

    #[test]
    fn of_a_packed_input_the_unpacked_bytes_are_what_adds_up() {
        let mut claim = claim_of(false, 1);
        assert!(!serde_json::to_string(&claim).unwrap().contains("unpacked"), "receipts stay as they were");
        let (packing, sha256) = (Packing::Gzip, digest("unpacked"));
        claim.input.bytes = 7;
        assert!(!claim.adds_up());
        claim.input.unpacked = Some(Unpacked { packing, member: None, sha256, bytes: 100 });
        assert!(claim.adds_up());
        assert_eq!(claim.input.read_sha256(), sha256);
    }

    #[test]
    fn the_verdict_follows_from_what_was_counted_and_asked() {
        assert_eq!(claim_of(false, 0).verdict, Verdict::Completed);
        assert_eq!(claim_of(false, 1).verdict, Verdict::CompletedWithQuarantine);
        assert_eq!(claim_of(true, 0).verdict, Verdict::Completed);
        let held = claim_of(true, 1);
        assert_eq!((held.verdict, held.held), (Verdict::Held, vec![Broken::strict(1)]));
    }

    #[test]
    fn no_number_of_a_claim_is_past_what_json_has_exactly() {
        assert_eq!(claim_of(false, 0).bytes.skipped_by_kind[&SkipKind::Blank], EXACT_MAX);
    }

    #[test]
    fn a_comparison_names_what_differs_and_what_does_not() {
        let (one, mut other) = (claim_of(false, 1), claim_of(false, 1));
        assert_eq!(one.compare(&other).unwrap().different, []);
        other.quarantine.by_code.insert(Code::Lossy, 1);
        other.records = 9;
        let comparison = one.compare(&other).unwrap();
        let different: Vec<&str> = comparison.different.iter().map(|d| d.field.as_str()).collect();
        assert_eq!(different, ["quarantine.by_code.CF0202", "records"]);
        assert_eq!(comparison.different[0].claimed, None);
        assert!(comparison.same.contains(&"input.sha256".to_owned()));
    }
}
