//! Whether a receipt is true: of the files beside it, and of another run over the same input.
//!
//! The other run is made differently wherever that must not matter: reads give other sizes, the parser is asked for batches
//! and ranges of other sizes, which ones the receipt's own digest says, and another number of threads does it. A claim that
//! depends on any of them does not come out again. What it writes goes to a folder of the moment, is compared with the files beside the receipt, and is gone.

mod again;
mod dataset;
mod files;
mod output;
mod rows;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use casparian_core::isolate::OnTrap;
use casparian_core::limits::{LimitExceeded, Limits};
use casparian_core::receipt::dataset::DatasetReceipt;
use casparian_core::receipt::{Circumstances, Claim, Comparison, ContractClaim, Receipt};
use casparian_jail::Isolation;
use casparian_sandbox::journal::Level;
use serde::Serialize;

use crate::component::Component;
use crate::input;
use crate::packing::Compression;
use crate::request::{ContractChoice, Progress, RunRequest, TableChoice};
use crate::run::run;
use crate::sinks::Format;
use crate::source::{ReadSizes, Source};
use crate::staging::Extent;
use crate::terms;

/// The version of [`Verification`]'s shape.
pub const VERIFICATION_SCHEMA: u32 = 1;
/// Most bytes of a receipt. One of the most tables and rules that there may be is a tenth of it.
const RECEIPT_BYTES_MAX: u64 = 16 << 20;
/// The least that reads are cut to in the other run, where they gave all the first time.
const SHORT_READ_BYTES_MIN: u64 = 4099;
/// How many sizes there are that reads may be cut to.
const SHORT_READ_SIZES: u64 = 60_000;
/// The least size of batches, and how often it is doubled at most.
const BATCH_BYTES_MIN: u64 = 16 << 10;
const BATCH_DOUBLINGS: u64 = 6;
/// The least and the most ranges that the input is cut into.
const RANGES: (u64, u64) = (3, 15);
/// The least size of ranges that are worth a cut.
const RANGE_BYTES_MIN: u64 = 4096;

/// What is to be verified.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// The receipt, beside the files of its run.
    pub receipt: PathBuf,
    /// What to run again; none: the files alone are looked at.
    pub again: Option<Again>,
    /// The bounds of the other run. Those that a verdict hangs on are the receipt's, which may come from a stranger: it is
    /// refused if they are higher than these.
    pub limits: Limits,
    /// Threads that may work on the input side by side; one, where more did in the first run.
    pub threads: usize,
    /// Where compiled code is kept.
    pub cache_dir: PathBuf,
    /// The component that makes parsers of Python programs.
    pub python_runtime: PathBuf,
    /// The program whose `worker` command does the run.
    pub worker_exe: PathBuf,
    /// The least isolation to do it under.
    pub require_isolation: Isolation,
    /// Set by somebody who wants it to end.
    pub stop: Arc<AtomicBool>,
}

/// What another run takes.
#[derive(Debug, Clone)]
pub struct Again {
    /// The input; of a dataset the folder that the paths of its inputs lead from.
    pub input: PathBuf,
    /// The parser.
    pub component: PathBuf,
    /// The contract; none: the one that the component carries.
    pub contract: Option<PathBuf>,
}

/// What verifying came to.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// [`VERIFICATION_SCHEMA`].
    pub schema: u32,
    /// The receipt, as it was given.
    pub receipt: String,
    /// Digest of its claim.
    pub claim_sha256: Digest,
    /// The files beside the receipt against its claim.
    pub files: Comparison,
    /// Files of which nothing but their digest is known, which the claim does not cover: tables as text, without another run.
    pub unread: Vec<String>,
    /// The claim of another run against it; none where none was made.
    pub run: Option<SecondRun>,
    /// Whether nothing differs.
    pub agrees: bool,
}

/// Another run, made differently.
#[derive(Debug, Clone, Serialize)]
pub struct SecondRun {
    /// What is claimed and what came out.
    pub claim: Comparison,
    /// The files beside the receipt and what this run wrote.
    pub files: Comparison,
    /// How it was made, and how the first one was: size of batches.
    pub batch_bytes: (u64, u64),
    /// Size of ranges.
    pub range_bytes: (Option<u64>, Option<u64>),
    /// The most that a read gives.
    pub read_bytes_max: (Option<u64>, Option<u64>),
}

impl SecondRun {
    fn agrees(&self) -> bool {
        self.claim.different.is_empty() && self.files.different.is_empty()
    }
}

/// Verifies a receipt. An error is about what could not be looked at; what differs is in the result.
pub fn verify(
    request: &VerifyRequest,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verification, FaultReport> {
    let folder = match request.receipt.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let text = read_text(&request.receipt)?;
    if dataset::is_dataset(&text) {
        return verify_dataset(request, &text, folder, progress);
    }
    let receipt = understand(&request.receipt, &text)?;
    // A wrong file is said before an hour's work.
    let again = match &request.again {
        Some(again) => Some(second_request(request, &receipt, again)?),
        None => None,
    };
    let files = files::check(folder, &receipt)?;
    let second = match again {
        Some(again) => Some(run_again(again, folder, &receipt, progress)?),
        None => None,
    };
    let unread = if second.is_some() { Vec::new() } else { files::unread(&receipt) };
    let agrees = files.different.is_empty() && second.as_ref().is_none_or(SecondRun::agrees);
    Ok(Verification {
        schema: VERIFICATION_SCHEMA,
        receipt: request.receipt.to_string_lossy().into_owned(),
        claim_sha256: receipt.claim_sha256,
        files,
        unread,
        run: second,
        agrees,
    })
}

/// Verifies a dataset: by its files and the claims of its inputs, and by another run over them.
fn verify_dataset(
    request: &VerifyRequest,
    text: &str,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verification, FaultReport> {
    let name = shown(&request.receipt.to_string_lossy());
    let named = |fault: FaultReport| FaultReport { message: format!("{name}: {}", fault.message), ..fault };
    let receipt = DatasetReceipt::read(text).map_err(|fault| named(fault.report()))?;
    let files = dataset::check(&receipt, folder)?;
    let again = request.again.as_ref();
    let run =
        again.map(|again| again::run_again(request, again, (folder, &receipt), progress)).transpose()?;
    Ok(Verification {
        schema: VERIFICATION_SCHEMA,
        receipt: request.receipt.to_string_lossy().into_owned(),
        claim_sha256: receipt.claim_sha256,
        agrees: files.different.is_empty() && run.as_ref().is_none_or(SecondRun::agrees),
        files,
        unread: if run.is_some() { Vec::new() } else { dataset::unread(&receipt) },
        run,
    })
}

/// Reads a receipt and checks what it says of itself.
pub fn read_receipt(path: &Path) -> Result<Receipt, FaultReport> {
    understand(path, &read_text(path)?)
}

fn read_text(path: &Path) -> Result<String, FaultReport> {
    let name = GuestText::new(&path.to_string_lossy(), 4096);
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(RECEIPT_BYTES_MAX + 1).read_to_string(&mut text));
    if let Err(error) = read {
        let hint = match error.kind() {
            io::ErrorKind::IsADirectory => "name the `_receipt.json` in it",
            _ => "name the `_receipt.json` that a run has written",
        };
        return Err(refused(Blame::Operator, "receipt-unreadable", format!("{name}: {error}"), hint));
    }
    if text.len() as u64 > RECEIPT_BYTES_MAX {
        let message = format!("{name}: receipt bytes: limit {RECEIPT_BYTES_MAX}, and there are more");
        return Err(refused(Blame::Input, "receipt-too-large", message, "no run writes one of this size"));
    }
    Ok(text)
}

fn understand(path: &Path, text: &str) -> Result<Receipt, FaultReport> {
    let name = GuestText::new(&path.to_string_lossy(), 4096);
    Receipt::read(text).map_err(|fault| {
        let report = fault.report();
        FaultReport { message: format!("{name}: {}", report.message), ..report }
    })
}

fn internal(message: String) -> FaultReport {
    refused(Blame::Host, "internal", message, "please report it")
}

fn refused(blame: Blame, code: &str, message: String, hint: &str) -> FaultReport {
    FaultReport { blame, code: code.to_owned(), message, hint: Some(hint.to_owned()), at: None }
}

/// Checks that what was named is what the receipt is about, and asks for a run that differs where it must not matter.
fn second_request(
    request: &VerifyRequest,
    receipt: &Receipt,
    again: &Again,
) -> Result<RunRequest, FaultReport> {
    let (claim, circumstances) = (&receipt.claim, &receipt.circumstances);
    let variation = Variation::of(receipt.claim_sha256);
    check_input(&again.input, claim, &request.stop)?;
    check_component(&again.component, &request.python_runtime, claim.component.sha256)?;
    let tables = match &claim.asked.tables {
        None => TableChoice::Default,
        Some(tables) => TableChoice::Named(tables.iter().map(ToString::to_string).collect()),
    };
    Ok(RunRequest {
        component: again.component.clone(),
        input: again.input.clone(),
        compression: match &claim.input.unpacked {
            Some(unpacked) => Compression::Only(unpacked.packing),
            None => Compression::None,
        },
        member: claim.input.unpacked.as_ref().and_then(|unpacked| unpacked.member.clone()),
        out: None,
        extent: Extent::Folder,
        format: format_of(circumstances)?,
        replace: false,
        tables,
        options: claim.options.values.clone().into_iter().collect(),
        limits: Limits {
            batch_bytes_wanted: variation.batch_bytes(circumstances.batch_bytes),
            ..decide_alike(&request.limits, circumstances)?
        },
        contract: contract_of(again, claim.contract.as_ref(), circumstances.contract_origin.as_deref())?,
        strict: claim.asked.strict,
        preview_rows: 0,
        log_level: Level::Error,
        input_name: Some(claim.input.name.clone()),
        range_bytes: variation.range_bytes(circumstances.range_bytes, claim.input.read_bytes()),
        threads: other_threads(request.threads, circumstances.threads),
        read_sizes: variation.read_sizes(circumstances.short_reads.is_some()),
        on_trap: circumstances.on_trap.unwrap_or(OnTrap::Fail),
        cache_dir: request.cache_dir.clone(),
        python_runtime: request.python_runtime.clone(),
        worker_exe: request.worker_exe.clone(),
        require_isolation: request.require_isolation,
        stop: Arc::clone(&request.stop),
    })
}

/// Returns a number of threads that makes another number of them than the first run had: with one there are two, the parser's
/// and the judge's.
fn other_threads(threads: usize, first: u32) -> usize {
    if first > 2 { 1 } else { threads.max(2) }
}

/// Returns bounds by which a record that kills the parser is told from one that does not as in the receipt's run.
fn decide_alike(limits: &Limits, circumstances: &Circumstances) -> Result<Limits, FaultReport> {
    limits.deciding_as(&circumstances.limits).map_err(|exceeded| limits_higher(&exceeded))
}

fn limits_higher(LimitExceeded { name, limit, wanted, .. }: &LimitExceeded) -> FaultReport {
    let message = format!("the receipt's run had {wanted} {name}, and this one may have {limit}");
    let hint =
        "allow as much by `--limit`, as the receipt's run was; its `circumstances.limits` say what it had";
    refused(Blame::Operator, "limits-higher", message, hint)
}

fn check_input(path: &Path, claim: &Claim, stop: &AtomicBool) -> Result<(), FaultReport> {
    let source = Source::open(&input::find(path).0).map_err(|fault| fault.report())?;
    let found = match source.size() == claim.input.bytes {
        true => source.hash(stop).map_err(|fault| fault.report())?.to_string(),
        false => format!("that of {} bytes, not {}", source.size(), claim.input.bytes),
    };
    same_file(Blame::Input, "input-differs", path, "input", claim.input.sha256, &found)
}

fn check_component(path: &Path, python_runtime: &Path, claimed: Digest) -> Result<(), FaultReport> {
    let found = Component::open_parser(path, python_runtime)?.sha256().to_string();
    same_file(Blame::Operator, "component-differs", path, "component", claimed, &found)
}

fn same_file(
    blame: Blame,
    code: &str,
    path: &Path,
    what: &str,
    claimed: Digest,
    found: &str,
) -> Result<(), FaultReport> {
    if claimed.to_string() == found {
        return Ok(());
    }
    let name = GuestText::new(&path.to_string_lossy(), 4096);
    let message = format!("{name} is not the receipt's {what}: its SHA-256 is {found}, wanted {claimed}");
    Err(refused(blame, code, message, &format!("give the {what} that the run was made with")))
}

fn contract_of(
    again: &Again,
    claimed: Option<&ContractClaim>,
    origin: Option<&str>,
) -> Result<ContractChoice, FaultReport> {
    let given = origin == Some("given");
    match (claimed, &again.contract) {
        (None, None) => Ok(ContractChoice::Declared),
        (None, Some(_)) => Err(refused(
            Blame::Operator,
            "contract-differs",
            "the receipt's run was judged by no contract".to_owned(),
            "leave out --contract",
        )),
        (Some(contract), None) if given => Err(refused(
            Blame::Operator,
            "contract-missing",
            format!("the receipt's run was judged by a contract that was given: {}", shown(&contract.id)),
            "name it by --contract FILE",
        )),
        (Some(_), None) => Ok(ContractChoice::Default),
        (Some(contract), Some(path)) => {
            let found = terms::hash_of_file(path)?.to_string();
            same_file(Blame::Operator, "contract-differs", path, "contract", contract.sha256, &found)?;
            Ok(ContractChoice::File(path.clone()))
        }
    }
}

fn shown(text: &str) -> GuestText {
    GuestText::new(text, 256)
}

/// How another run is made. It follows from the receipt, so that who checks it again gets the same answer, and no two receipts
/// are checked in one way.
struct Variation(u64);

impl Variation {
    fn of(claim: Digest) -> Self {
        let seed = claim.as_bytes().iter().take(8);
        Self(seed.fold(0, |seed, byte| seed << 8 | u64::from(*byte)))
    }

    /// Returns another size of batches than the first run's.
    fn batch_bytes(&self, first: u64) -> u64 {
        let size = |doublings: u64| BATCH_BYTES_MIN << (doublings % (BATCH_DOUBLINGS + 1));
        match size(self.0) {
            wanted if wanted == first => size(self.0 % (BATCH_DOUBLINGS + 1) + 1),
            wanted => wanted,
        }
    }

    /// Returns another size of ranges than the first run's: some part of the input, or all of it.
    fn range_bytes(&self, first: Option<u64>, input_bytes: u64) -> Option<u64> {
        let (least, most) = RANGES;
        let ranges = least + (self.0 >> 8) % (most - least + 1);
        match first {
            None => Some((input_bytes / ranges).max(RANGE_BYTES_MIN)),
            Some(_) => None,
        }
    }

    /// Returns another policy of reads than the first run's.
    fn read_sizes(&self, first_was_short: bool) -> ReadSizes {
        let bytes_max = SHORT_READ_BYTES_MIN + (self.0 >> 16) % SHORT_READ_SIZES;
        match usize::try_from(bytes_max) {
            Ok(bytes_max) if !first_was_short => ReadSizes::Short { seed: self.0, bytes_max },
            _ => ReadSizes::Full,
        }
    }
}

fn format_of(circumstances: &Circumstances) -> Result<Format, FaultReport> {
    Format::of_word(&circumstances.format).ok_or_else(|| {
        let message = format!("the receipt's tables are written as `{}`", shown(&circumstances.format));
        refused(Blame::Input, "receipt-format", message, "verify it with a host that knows this format")
    })
}

fn moment() -> Result<tempfile::TempDir, FaultReport> {
    tempfile::tempdir().map_err(|error| {
        let message = format!("no folder of the moment can be made: {error}");
        refused(Blame::Operator, "output-parent-unusable", message, "TMPDIR says where; choose another place")
    })
}

fn run_again(
    mut request: RunRequest,
    folder: &Path,
    receipt: &Receipt,
    progress: &mut dyn FnMut(Progress),
) -> Result<SecondRun, FaultReport> {
    let moment = moment()?;
    request.out = Some(moment.path().join("out"));
    let report = run(&request, progress);
    if let Some(fault) = report.fault {
        return Err(fault);
    }
    let found = report.claim.ok_or_else(|| internal("a run without a claim".to_owned()))?;
    let claim = receipt.claim.compare(&found).map_err(|error| internal(error.to_string()))?;
    let written = report.receipt.ok_or_else(|| internal("a run without a receipt".to_owned()))?;
    let files = output::compare((folder, receipt), Path::new(&written))?;
    let first = &receipt.circumstances;
    let read_bytes_max = match request.read_sizes {
        ReadSizes::Full => None,
        ReadSizes::Short { bytes_max, .. } => Some(bytes_max as u64),
    };
    Ok(SecondRun {
        claim,
        files,
        batch_bytes: (first.batch_bytes, request.limits.batch_bytes_wanted),
        range_bytes: (first.range_bytes, request.range_bytes),
        read_bytes_max: (first.short_reads.map(|reads| reads.bytes_max), read_bytes_max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_matter_is_different_the_second_time() {
        for seed in (0..4096).map(|seed: u64| seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
            let variation = Variation(seed);
            for first in [1, 4096, 16 << 10, 256 << 10, 1 << 20, 16 << 20] {
                assert_ne!(variation.batch_bytes(first), first);
            }
            let range = variation.range_bytes(None, 80_000).unwrap();
            assert!((80_000 / 15..=80_000 / 3).contains(&range), "{range}");
            assert_eq!(variation.range_bytes(None, 5), Some(RANGE_BYTES_MIN));
            assert_eq!(variation.range_bytes(Some(7), 80_000), None);
            assert_eq!(variation.read_sizes(true), ReadSizes::Full);
            assert!(matches!(variation.read_sizes(false), ReadSizes::Short { bytes_max: 4099.., .. }));
        }
    }

    #[test]
    fn two_receipts_are_checked_in_two_ways_and_one_always_in_the_same() {
        let sizes = |claim: &str| {
            let variation = Variation::of(Digest::of(claim.as_bytes()));
            (variation.batch_bytes(1), variation.range_bytes(None, 1 << 20), variation.read_sizes(false))
        };
        assert_eq!(sizes("one"), sizes("one"));
        assert_ne!(sizes("one"), sizes("other"));
    }

    #[test]
    fn what_is_no_receipt_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("_receipt.json");
        assert_eq!(read_receipt(&path).unwrap_err().code, "receipt-unreadable");
        let hint = read_receipt(folder.path()).unwrap_err().hint;
        assert_eq!(hint.as_deref(), Some("name the `_receipt.json` in it"));
        std::fs::write(&path, "{}").unwrap();
        let fault = read_receipt(&path).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.blame), ("receipt-shape", Blame::Input));
        assert!(fault.message.contains("_receipt.json: not a receipt"), "{}", fault.message);
        File::create(&path).unwrap().set_len(RECEIPT_BYTES_MAX + 5).unwrap();
        assert_eq!(read_receipt(&path).unwrap_err().code, "receipt-too-large");
    }
}
