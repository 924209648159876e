//! The receipt of a run, as its supervisor witnesses it: the parties when they are known, the counts when they are in, the
//! files when they are written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::thread;
use std::time::Instant;

use casparian_core::description::Description;
use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::flow::Tally;
use casparian_core::id::{Digest, TableName};
use casparian_core::ledger::Account;
use casparian_core::receipt::{
    Asked, Circumstances, Claim, CodeCache, ComponentClaim, ContractClaim, FileCircumstances, InputClaim,
    LogCircumstances, OptionsClaim, Parties, Receipt, ShortReads,
};
use casparian_core::wanted::Wanted;
use casparian_sandbox::journal::LogLine;
use sha2::{Digest as _, Sha256};

use crate::quarantine::options_hash;
use crate::report::{ContractOrigin, Report};
use crate::request::RunRequest;
use crate::source::{ReadSizes, Source};
use crate::staging::{Extent, QUARANTINE_FILE, RECEIPT_FILE, Staging};
use crate::worker::choose;

/// One read while hashing.
const HASH_CHUNK_BYTES: usize = 1 << 20;

/// What a supervisor sees of a run.
pub(crate) struct Witness {
    begun: Instant,
    /// Whether compiled code was at hand.
    pub(crate) code_cache: CodeCache,
    log: Sha256,
    log_lines: u64,
    ranges: u64,
    threads: u32,
    parties: Option<Parties>,
    claim: Option<Claim>,
}

impl Witness {
    /// Begins with the first look at the input.
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            code_cache: CodeCache::Warm,
            log: Sha256::new(),
            log_lines: 0,
            ranges: 0,
            threads: 0,
            parties: None,
            claim: None,
        }
    }

    /// Hears what the parser is. What does not fit its description has ended the worker before anything could be claimed.
    pub(crate) fn introduce(&mut self, request: &RunRequest, report: &Report, description: &Description) {
        let options = description.resolve_options(&request.options);
        let wanted = choose(&request.tables, description);
        let (Ok(options), Ok(wanted)) = (options, wanted) else { return };
        let (Some(component_sha256), Some(input_sha256)) = (report.component.sha256, report.input.sha256)
        else {
            return;
        };
        self.parties = Some(Parties {
            component: ComponentClaim {
                name: description.name.clone(),
                version: description.version.clone(),
                sha256: component_sha256,
            },
            input: InputClaim {
                name: Source::base_name_of(&request.called()).to_owned(),
                sha256: input_sha256,
                bytes: report.input.bytes,
                unpacked: report.input.unpacked.clone(),
            },
            contract: report.contract.as_ref().map(|contract| ContractClaim {
                id: contract.id.clone(),
                version: contract.version.clone(),
                sha256: contract.hash,
            }),
            options: OptionsClaim { sha256: options_hash(&options), values: BTreeMap::from_iter(options) },
            asked: Asked { tables: names_of(wanted), strict: request.strict },
        });
    }

    /// Hears a line of the parser's log.
    pub(crate) fn log(&mut self, line: &LogLine) {
        self.log_lines += 1;
        let text = format!("{:?} {}\n", line.level, line.text.raw());
        self.log.update((text.len() as u64).to_le_bytes());
        self.log.update(text);
    }

    /// Hears what was counted.
    pub(crate) fn count(&mut self, tally: &Tally, account: &Account, ranges: u64, threads: u32) {
        (self.ranges, self.threads) = (ranges, threads);
        self.claim = self.parties.take().and_then(|parties| Claim::new(parties, tally, account));
    }

    /// Returns what is claimed. `None` as long as nothing has been counted.
    pub(crate) fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// Returns the digest of what is claimed.
    pub(crate) fn claim_hash(&self) -> Result<Option<Digest>, FaultReport> {
        let hash = self.claim.as_ref().map(Claim::hash).transpose();
        hash.map_err(|error| internal(format!("the claim: {error}")))
    }

    /// Writes the receipt beside the files that are staged; of an output that is held, the quarantine alone stays.
    pub(crate) fn write(
        &self,
        request: &RunRequest,
        report: &Report,
        staging: &Staging,
        held: bool,
    ) -> Result<(), FaultReport> {
        let claim = self.claim.clone().ok_or_else(|| internal("nothing was counted".to_owned()))?;
        let files = staging.files().map_err(|fault| fault.report())?;
        let kept = files.into_iter().filter(|(name, _)| !held || name == QUARANTINE_FILE).collect::<Vec<_>>();
        let files = describe_files(request, &kept)?;
        let receipt = Receipt::new(claim, self.circumstances(request, report, files));
        let text = receipt.and_then(|receipt| receipt.to_json());
        let text = text.map_err(|error| internal(format!("the receipt: {error}")))?;
        let mut file = staging.create_file(RECEIPT_FILE).map_err(|fault| fault.report())?;
        file.write_all(text.as_bytes()).map_err(|error| unwritten("the receipt cannot be written", &error))
    }

    fn circumstances(
        &self,
        request: &RunRequest,
        report: &Report,
        files: Vec<FileCircumstances>,
    ) -> Circumstances {
        Circumstances {
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            engine: casparian_sandbox::ENGINE.to_owned(),
            isolation: report.isolation.to_string(),
            isolation_missing: report.isolation_missing.clone(),
            input_path: report.input.path.clone(),
            input_path_hex: report.input.path_hex.clone(),
            contract_origin: report.contract.as_ref().map(|contract| origin_word(contract.origin).to_owned()),
            fuel: report.fuel,
            memory_peak_bytes: report.memory_peak_bytes,
            limits: request.limits.clone(),
            log: LogCircumstances {
                lines: self.log_lines,
                lines_dropped: report.log_lines_dropped,
                sha256: Digest::from_bytes(self.log.clone().finalize().into()),
            },
            short_reads: match request.read_sizes {
                ReadSizes::Full => None,
                ReadSizes::Short { seed, bytes_max } => {
                    Some(ShortReads { seed, bytes_max: bytes_max as u64 })
                }
            },
            format: request.format.word().to_owned(),
            batch_bytes: request.limits.batch_bytes_wanted,
            range_bytes: request.range_bytes,
            ranges: self.ranges,
            on_trap: Some(request.on_trap),
            traps: report.traps,
            threads: self.threads,
            code_cache: self.code_cache,
            wall_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            files,
        }
    }
}

fn names_of(wanted: Wanted) -> Option<Vec<TableName>> {
    match wanted {
        Wanted::All => None,
        Wanted::Only(mut tables) => {
            tables.sort();
            tables.dedup();
            Some(tables)
        }
    }
}

/// Returns the word for where a contract came from.
pub(crate) fn origin_word(origin: ContractOrigin) -> &'static str {
    match origin {
        ContractOrigin::Given => "given",
        ContractOrigin::Embedded => "embedded",
    }
}

/// Reads files for their digests. Meanwhile they go to the disk, if they are to stay: publishing them waits for that.
fn describe_files(
    request: &RunRequest,
    files: &[(String, File)],
) -> Result<Vec<FileCircumstances>, FaultReport> {
    let stay = if request.extent == Extent::Database { &[] } else { files };
    thread::scope(|scope| {
        // The system tells of a disk that failed once: it must not be lost here.
        let syncing = scope.spawn(|| stay.iter().try_for_each(|(_, file)| file.sync_all()));
        let described = files.iter().map(|(name, file)| describe_file(request, name.clone(), file));
        let described = described.collect::<io::Result<_>>().map_err(|error| unread(&error));
        let synced = syncing.join().map_err(|_| internal("the host panicked over a file".to_owned()))?;
        synced.map_err(|error| unwritten("what was written cannot be synced", &error))?;
        described
    })
}

fn describe_file(request: &RunRequest, name: String, file: &File) -> io::Result<FileCircumstances> {
    let table = name.split_once('.').and_then(|(table, _)| TableName::new(table));
    let (bytes, sha256) = hash_file(file)?;
    let beside = request.out.as_deref().and_then(|out| out.file_name());
    let name = match (&table, beside) {
        // The one table is the output; the receipt is in the folder beside it.
        (Some(_), Some(out)) if request.extent == Extent::File => format!("../{}", out.to_string_lossy()),
        _ => name,
    };
    Ok(FileCircumstances { name, table, bytes, sha256 })
}

/// Returns a file's size and the digest of its bytes.
pub(crate) fn hash_file(mut file: impl Read) -> io::Result<(u64, Digest)> {
    let mut chunk = vec![0; HASH_CHUNK_BYTES];
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => return Ok((bytes, Digest::from_bytes(hasher.finalize().into()))),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&chunk[..read]);
        bytes += read as u64;
    }
}

fn unread(error: &io::Error) -> FaultReport {
    FaultReport {
        blame: Blame::Host,
        code: "output-failed".to_owned(),
        message: format!("what was written cannot be read again: {error}"),
        hint: None,
        at: None,
    }
}

fn unwritten(what: &str, error: &io::Error) -> FaultReport {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    FaultReport {
        blame: if full { Blame::Operator } else { Blame::Host },
        code: if full { "disk-full" } else { "output-failed" }.to_owned(),
        message: format!("{what}: {error}"),
        hint: None,
        at: None,
    }
}

fn internal(message: String) -> FaultReport {
    FaultReport { blame: Blame::Host, code: "internal".to_owned(), message, hint: None, at: None }
}
