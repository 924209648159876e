//! A dataset, run again over the inputs that its receipts name, differently wherever that must not matter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use casparian_core::fault::{Blame, FaultReport};
use casparian_core::isolate::OnTrap;
use casparian_core::limits::{LimitExceeded, Limits};
use casparian_core::receipt::dataset::DatasetReceipt;
use casparian_core::receipt::{Comparison, FileCircumstances};
use casparian_sandbox::journal::Level;
use serde_json::{Value, json};

use super::dataset::Line;
use super::files::{Found, is_parquet};
use super::{
    Again, SecondRun, Variation, VerifyRequest, check_component, contract_of, dataset, internal,
    limits_higher, moment, refused, shown,
};
use crate::columns::SchemaRule;
use crate::dataset::{ManyRequest, RECYCLE_AFTER, Told, run_many};
use crate::packing::Compression;
use crate::request::{Progress, RunRequest, TableChoice};
use crate::sinks::Format;
use crate::source::ReadSizes;
use crate::staging::{Extent, RECEIPTS_FILE};

/// Inputs are cut as one of this size would be: into ranges of so many bytes, whatever their own size.
const RANGE_BYTES: u64 = 64 << 10;

/// Runs a dataset again, and compares what came out with its receipt and the files beside it.
pub(super) fn run_again(
    request: &VerifyRequest,
    again: &Again,
    (folder, receipt): (&Path, &DatasetReceipt),
    progress: &mut dyn FnMut(Progress),
) -> Result<SecondRun, FaultReport> {
    check_component(&again.component, &request.python_runtime, receipt.claim.component.sha256)?;
    let first = lines(folder)?;
    let moment = moment()?;
    let many = second_request(request, again, receipt, &first, &moment.path().join("out"))?;
    let report = run_many(&many, &mut |told| {
        if let Told::Progress(told) = told {
            progress(told);
        }
    });
    if let Some(fault) = report.fault {
        return Err(fault);
    }
    let written = report.receipt.ok_or_else(|| {
        let message = "no input came to a good end this time, so there is nothing to compare".to_owned();
        refused(
            Blame::Input,
            "inputs-failed",
            message,
            "`--input DIR` is the folder that the paths of inputs lead from",
        )
    })?;
    let written = Path::new(&written);
    let beside = written.parent().unwrap_or(Path::new("."));
    let text = std::fs::read_to_string(written).map_err(|error| internal(error.to_string()))?;
    let second = DatasetReceipt::read(&text).map_err(|fault| internal(fault.to_string()))?;
    let mut claim = compare_inputs(&first, &lines(beside)?);
    let differ = |error: serde_json::Error| internal(error.to_string());
    let whole = receipt.claim.compare(&second.claim).map_err(differ)?;
    claim.same.extend(whole.same);
    claim.different.extend(whole.different);
    let each = &many.each;
    Ok(SecondRun {
        claim,
        files: compare_files(receipt, &second),
        batch_bytes: (receipt.circumstances.limits.batch_bytes_wanted, each.limits.batch_bytes_wanted),
        range_bytes: (None, each.range_bytes),
        read_bytes_max: (
            None,
            match each.read_sizes {
                ReadSizes::Full => None,
                ReadSizes::Short { bytes_max, .. } => Some(bytes_max as u64),
            },
        ),
    })
}

fn second_request(
    request: &VerifyRequest,
    again: &Again,
    receipt: &DatasetReceipt,
    lines: &[Line],
    out: &Path,
) -> Result<ManyRequest, FaultReport> {
    let (claim, circumstances) = (&receipt.claim, &receipt.circumstances);
    let variation = Variation::of(receipt.claim_sha256);
    let limits = request.limits.deciding_as(&circumstances.limits);
    let limits = limits.map_err(|exceeded: LimitExceeded| limits_higher(&exceeded))?;
    let tables = match &claim.asked.tables {
        None => TableChoice::Default,
        Some(tables) => TableChoice::Named(tables.iter().map(ToString::to_string).collect()),
    };
    let format = Format::of_word(&circumstances.format).ok_or_else(|| {
        let message = format!("the receipt's tables are written as `{}`", shown(&circumstances.format));
        refused(Blame::Input, "receipt-format", message, "verify it with a host that knows this format")
    })?;
    let each = RunRequest {
        component: again.component.clone(),
        input: Default::default(),
        compression: Compression::Auto,
        member: None,
        out: Some(out.to_owned()),
        extent: Extent::Folder,
        format,
        replace: false,
        tables,
        options: claim.options.values.clone().into_iter().collect(),
        limits: Limits {
            batch_bytes_wanted: variation.batch_bytes(circumstances.limits.batch_bytes_wanted),
            ..limits
        },
        contract: contract_of(again, claim.contract.as_ref(), circumstances.contract_origin.as_deref())?,
        strict: claim.asked.strict,
        threads: request.threads,
        preview_rows: 0,
        log_level: Level::Error,
        input_name: None,
        range_bytes: variation.range_bytes(None, RANGE_BYTES),
        read_sizes: variation.read_sizes(false),
        on_trap: circumstances.on_trap.unwrap_or(OnTrap::Isolate),
        cache_dir: request.cache_dir.clone(),
        python_runtime: request.python_runtime.clone(),
        worker_exe: request.worker_exe.clone(),
        require_isolation: request.require_isolation,
        stop: Arc::clone(&request.stop),
    };
    let called: Vec<String> = lines.iter().map(|line| line.input.clone()).collect();
    Ok(ManyRequest {
        each,
        inputs: called.iter().map(|name| again.input.join(name)).collect(),
        called,
        ignored: Vec::new(),
        schema: if claim.columns.is_some() { SchemaRule::Union } else { SchemaRule::Same },
        jobs: other_jobs(request.threads, circumstances.jobs),
        recycle_after: RECYCLE_AFTER,
    })
}

/// Returns a number of workers that is not the first run's.
fn other_jobs(threads: usize, first: u64) -> usize {
    let jobs = threads.max(1);
    if jobs as u64 == first { jobs + 1 } else { jobs }
}

fn lines(folder: &Path) -> Result<Vec<Line>, FaultReport> {
    let path = folder.join(RECEIPTS_FILE);
    let file = File::open(&path).map_err(|error| dataset::unreadable(&path, &error))?;
    let mut lines = Vec::new();
    let mut file = BufReader::new(file);
    while let Some(line) = dataset::read_line(&mut file, &path)? {
        // What else it says has been looked at; a claim is as long as all the rest.
        let line: Line = serde_json::from_str(&line).map_err(|error| {
            let message = format!("{}: {}", shown(&path.to_string_lossy()), shown(&error.to_string()));
            refused(Blame::Input, "receipt-shape", message, "a run writes a line for each input")
        })?;
        lines.push(Line { claim: None, ..line });
    }
    Ok(lines)
}

/// Compares what each input came to.
fn compare_inputs(first: &[Line], second: &[Line]) -> Comparison {
    let mut found = Found::default();
    found.compare("inputs.number".to_owned(), first.len(), second.len());
    let what = |line: &Line| json!([line.status, line.claim_sha256.map(|digest| digest.to_string())]);
    for (number, (first, second)) in first.iter().zip(second).enumerate() {
        found.compare(format!("inputs.{}", number + 1), what(first), what(second));
    }
    found.into_comparison()
}

/// Compares files byte by byte, by their digests, whose rows cannot be held against claims: text, and tables that are united.
fn compare_files(first: &DatasetReceipt, second: &DatasetReceipt) -> Comparison {
    let mut found = Found::default();
    let again: BTreeMap<&str, String> =
        second.circumstances.files.iter().map(|file| (file.name.as_str(), file.sha256.to_string())).collect();
    let is_union = first.claim.columns.is_some();
    let is_looked_at =
        |file: &&FileCircumstances| file.table.is_some() && (is_union || !is_parquet(Path::new(&file.name)));
    let names: BTreeSet<&str> = first.circumstances.files.iter().map(|file| file.name.as_str()).collect();
    for file in second.circumstances.files.iter().filter(is_looked_at) {
        if !names.contains(file.name.as_str()) {
            found.compare(format!("{}.bytes_again", file.name), Value::Null, file.sha256.to_string());
        }
    }
    for file in first.circumstances.files.iter().filter(is_looked_at) {
        let other = again.get(file.name.as_str()).map_or(Value::Null, |digest| digest.as_str().into());
        found.compare(format!("{}.bytes_again", file.name), file.sha256.to_string(), other);
    }
    found.into_comparison()
}
