//! What segments brought, put together in the order of the inputs: counts, receipts, parts in their places, the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Instant;

use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::{Digest, TableName};
use casparian_core::receipt::dataset::{
    ColumnClaim, DatasetCircumstances, DatasetClaim, DatasetReceipt, HeldClaim, InputsClaim, InputsDigest,
    RowsClaim,
};
use casparian_core::receipt::{self, Claim, CodeCache, FileCircumstances};
use serde::Serialize;

use super::crew::Columns;
use super::list::Listed;
use super::report::{
    DatasetReport, DatasetStatus, DatasetTable, EXIT_PARTIAL, InputCounts, LEFT_OUT_NAMED, LeftOut, graver,
};
use super::segment::Segment;
use super::{ManyRequest, Told};
use crate::columns::{self, Column, SchemaRule};
use crate::component::Component;
use crate::loader;
use crate::orders::{FileFor, MadeBy};
use crate::receipt::{hash_file, origin_word};
use crate::report::{EXIT_INTERRUPTED, Isolation, Preview, Report, Status};
use crate::staging::{Extent, QUARANTINE_PARTS, RECEIPT_FILE, RECEIPTS_FILE, Staging};

/// What is settled so far.
pub(super) struct Settled<'a> {
    request: &'a ManyRequest,
    begun: Instant,
    report: DatasetReport,
    /// Whether compiled code was at hand.
    pub(super) code_cache: CodeCache,
    /// The least that any input was run under, with all that was ever missing; none: no worker has said.
    isolation: Option<Isolation>,
    isolation_missing: BTreeSet<String>,
    columns: Columns,
    receipts: Option<BufWriter<File>>,
    digest: InputsDigest,
    /// One of the claims: what does not follow from an input is the same in all of them.
    claim: Option<Box<Claim>>,
    rows: BTreeMap<TableName, RowsClaim>,
    /// How many parts each table has.
    parts: BTreeMap<FileFor, u64>,
    files: Vec<(Option<TableName>, String)>,
    /// Parts that have no place before it is known what columns their tables have.
    unplaced: Vec<(FileFor, String)>,
    /// The gravest exit of an input.
    gravest: u8,
}

/// One line of the receipts.
#[derive(Serialize)]
struct Line<'a> {
    input: &'a str,
    sha256: Option<Digest>,
    bytes: u64,
    status: Status,
    claim_sha256: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<&'a Claim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a FaultReport>,
}

impl<'a> Settled<'a> {
    pub(super) fn new(request: &'a ManyRequest, begun: Instant) -> Self {
        Self {
            request,
            begun,
            report: DatasetReport::begin(&request.each.component, request.jobs),
            code_cache: CodeCache::Warm,
            isolation: None,
            isolation_missing: BTreeSet::new(),
            columns: Columns::new(),
            receipts: None,
            digest: InputsDigest::default(),
            claim: None,
            rows: BTreeMap::new(),
            parts: BTreeMap::new(),
            files: Vec::new(),
            unplaced: Vec::new(),
            gravest: 0,
        }
    }

    pub(super) fn component(&mut self, component: &Component) {
        self.report.component.sha256 = Some(component.sha256());
    }

    pub(super) fn listed(&mut self, listed: &Listed) {
        self.report.inputs.found = listed.inputs.len() as u64;
        self.report.inputs.passed_by = listed.passed_by_count;
        self.report.passed_by.clone_from(&listed.passed_by);
    }

    pub(super) fn warn(&mut self, warning: Option<FaultReport>) {
        self.report.warnings.extend(warning);
    }

    /// Ends it badly: nothing is published.
    pub(super) fn fail(&mut self, fault: FaultReport) {
        let report = &mut self.report;
        report.status = DatasetStatus::Failed;
        report.exit = if fault.code == "interrupted" { EXIT_INTERRUPTED } else { fault.blame.exit_code() };
        report.fault = Some(fault);
        report.tables.clear();
        report.previews.clear();
        report.quarantine.path = None;
        (report.claim_sha256, report.receipt, report.load) = (None, None, None);
    }

    pub(super) fn into_report(mut self) -> DatasetReport {
        self.report.isolation = self.isolation.unwrap_or(Isolation::L0);
        self.report.isolation_missing = self.isolation_missing.iter().cloned().collect();
        self.report.wall_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.report
    }

    /// Returns the columns of the dataset's tables, as far as they are settled.
    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Whether the tables of a segment have the columns that they have in those before it.
    pub(super) fn agrees(&self, segment: &Segment) -> bool {
        segment.columns.iter().all(|(table, found)| self.fit(table, found).is_ok())
    }

    fn fit(&self, table: &TableName, found: &[Column]) -> Result<Vec<Column>, String> {
        let known = self.columns.get(table);
        known.map_or(Ok(found.to_vec()), |known| columns::fit(self.request.schema, known, found))
    }

    /// Takes in the next segment.
    pub(super) fn settle(
        &mut self,
        segment: Segment,
        staging: Option<&Staging>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<(), FaultReport> {
        if let Some(fault) = segment.fatal {
            return Err(fault);
        }
        for (table, found) in segment.columns {
            let columns = self.fit(&table, &found).map_err(internal)?;
            self.columns.insert(table, columns);
        }
        for report in segment.reports {
            self.count(&report);
            self.keep_line(&report, staging)?;
            self.introduce(&report);
            tell(Told::Input(Box::new(report)));
        }
        let Some(staging) = staging else { return Ok(()) };
        let mut parts = segment.parts.into_iter().flatten();
        match self.request.schema {
            SchemaRule::Same => parts.try_for_each(|(what, name)| self.place(staging, what, &name)),
            // What columns they are to have is known when all inputs are.
            SchemaRule::Union => {
                self.unplaced.extend(parts);
                Ok(())
            }
        }
    }

    /// Takes out the parts that have no place yet, in their order.
    pub(super) fn take_unplaced(&mut self) -> Vec<(FileFor, String)> {
        std::mem::take(&mut self.unplaced)
    }

    /// Returns what the rows of the dataset were made by, and how many tables shared the memory there was.
    pub(super) fn made_by(&self) -> Option<(MadeBy, usize)> {
        let claim = self.claim.as_ref()?;
        let made_by = MadeBy {
            parser_name: claim.component.name.clone(),
            parser_version: claim.component.version.clone(),
            parser_sha256: claim.component.sha256,
            contract: self.report.contract.clone(),
        };
        let tables_max = usize::try_from(self.request.each.limits.tables_max).unwrap_or(usize::MAX);
        Some((made_by, claim.asked.tables.as_ref().map_or(tables_max, Vec::len)))
    }

    fn introduce(&mut self, report: &Report) {
        if self.report.component.version.is_none() && report.component.version.is_some() {
            self.report.component.clone_from(&report.component);
            self.report.contract.clone_from(&report.contract);
        }
        if self.claim.is_none() {
            self.claim = report.claim.clone().map(Box::new);
        }
    }

    /// Keeps the weakest isolation: what is said of all inputs must be true of each. One that no worker has seen had none.
    fn weaken(&mut self, report: &Report) {
        if report.isolation > Isolation::L0 {
            self.isolation = Some(self.isolation.map_or(report.isolation, |it| it.min(report.isolation)));
            self.isolation_missing.extend(report.isolation_missing.iter().cloned());
        }
    }

    fn count(&mut self, report: &Report) {
        self.weaken(report);
        let status = report.status.snake();
        self.digest.add(report.input.sha256, report.claim_sha256, status);
        self.gravest = graver(self.gravest, report.exit);
        let inputs = &mut self.report.inputs;
        match report.status {
            Status::Completed => inputs.completed += 1,
            Status::CompletedWithQuarantine => inputs.completed_with_quarantine += 1,
            Status::Held => inputs.held += 1,
            Status::Failed => inputs.failed += 1,
        }
        self.leave_out(report);
        if report.status == Status::Failed {
            return;
        }
        self.report.inputs.bytes += report.input.read_bytes();
        self.report.records += report.records;
        self.report.dark_bytes += report.accounting.dark_bytes;
        self.report.fuel = self.report.fuel.saturating_add(report.fuel);
        self.report.quarantine.rows += report.quarantine.rows;
        add_all(&mut self.report.quarantine.by_code, &report.quarantine.by_code);
        add_all(&mut self.report.quarantine.by_rule, &report.quarantine.by_rule);
        for table in &report.tables {
            let rows = self.rows.entry(table.name.clone()).or_default();
            rows.quarantined += table.quarantined;
            // What is held by a budget is in no table; what `--strict` holds would be.
            if report.held.is_empty() {
                rows.accepted += table.accepted;
            }
        }
        for preview in &report.previews {
            self.preview(preview, &report.input.path);
        }
    }

    fn leave_out(&mut self, report: &Report) {
        let fault = match (&report.fault, report.held.first()) {
            (Some(fault), _) => fault.clone(),
            (None, Some(broken)) => FaultReport {
                blame: Blame::Input,
                code: "held".to_owned(),
                message: format!(
                    "held: `{}` of table `{}` wants {}, and there were {}",
                    broken.rule, broken.table, broken.expected, broken.observed
                ),
                hint: None,
                at: None,
            },
            (None, None) => return,
        };
        if self.report.left_out.len() < LEFT_OUT_NAMED {
            self.report.left_out.push(LeftOut { input: report.input.path.clone(), fault });
        }
    }

    /// Adds the first rows of an input, with its name, to what is shown.
    fn preview(&mut self, preview: &Preview, input: &str) {
        let rows_max = self.request.each.preview_rows;
        let previews = &mut self.report.previews;
        let at = match previews.iter().position(|known| known.table == preview.table) {
            Some(at) => at,
            None => {
                let mut columns = preview.columns.clone();
                columns.push((GuestText::new(crate::sinks::SOURCE, 64), "Utf8".to_owned()));
                previews.push(Preview { table: preview.table.clone(), columns, rows: Vec::new() });
                previews.len() - 1
            }
        };
        add_rows(&mut previews[at], preview, input, (rows_max, self.request.schema));
    }

    fn keep_line(&mut self, report: &Report, staging: Option<&Staging>) -> Result<(), FaultReport> {
        let Some(staging) = staging else { return Ok(()) };
        let line = receipt::line(&Line {
            input: &report.input.path,
            sha256: report.input.sha256,
            bytes: report.input.bytes,
            status: report.status,
            claim_sha256: report.claim_sha256,
            claim: report.claim.as_ref(),
            fault: report.fault.as_ref(),
        });
        let line = line.map_err(|error| internal(format!("the receipt of an input: {error}")))?;
        if self.receipts.is_none() {
            let file = staging.create_file(RECEIPTS_FILE).map_err(|fault| fault.report())?;
            self.receipts = Some(BufWriter::new(file));
        }
        let written = self.receipts.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()));
        written.map_err(|error| unwritten(&error))
    }

    /// Gives a part its place.
    pub(super) fn place(&mut self, staging: &Staging, what: FileFor, name: &str) -> Result<(), FaultReport> {
        let number = self.parts.entry(what.clone()).or_default();
        let (folder, extension, table) = match &what {
            FileFor::Table(table) => {
                (table.as_str(), self.request.each.format.extension(), Some(table.clone()))
            }
            _ => (QUARANTINE_PARTS, "parquet", None),
        };
        let placed = staging.place_part(name, folder, *number, extension).map_err(|fault| fault.report())?;
        *number += 1;
        self.files.push((table, placed));
        Ok(())
    }

    /// Looks at the verdict, then publishes all of it in one step, or none.
    pub(super) fn conclude(&mut self, staging: Option<Staging>) -> Result<(), FaultReport> {
        let inputs = self.report.inputs;
        let done = inputs.completed + inputs.completed_with_quarantine;
        let left_out = inputs.failed + inputs.held;
        let is_strict = self.request.each.strict && (left_out > 0 || self.report.quarantine.rows > 0);
        self.report.status = match (done, inputs.held) {
            (0, 0) => DatasetStatus::Failed,
            (0, _) => DatasetStatus::Held,
            _ if is_strict => DatasetStatus::Held,
            _ if left_out > 0 => DatasetStatus::Partial,
            _ if self.report.quarantine.rows > 0 => DatasetStatus::CompletedWithQuarantine,
            _ => DatasetStatus::Completed,
        };
        self.report.exit = match self.report.status {
            DatasetStatus::Partial => EXIT_PARTIAL,
            DatasetStatus::Completed | DatasetStatus::CompletedWithQuarantine => 0,
            DatasetStatus::Held => graver(1, self.gravest),
            DatasetStatus::Failed => self.gravest,
        };
        self.write_tables();
        if self.report.status == DatasetStatus::Failed {
            return Ok(());
        }
        let claim = self.claim(inputs)?;
        let hash = claim.hash().map_err(|error| internal(format!("the claim: {error}")))?;
        self.report.claim_sha256 = Some(hash);
        match staging {
            Some(staging) => self.put_out(claim, staging),
            None => Ok(()),
        }
    }

    fn write_tables(&mut self) {
        let is_published = matches!(
            self.report.status,
            DatasetStatus::Completed | DatasetStatus::CompletedWithQuarantine | DatasetStatus::Partial
        );
        let out = self.request.each.out.as_deref().filter(|_| is_published);
        let table = |(name, rows): (&TableName, &RowsClaim)| {
            let parts = self.parts.get(&FileFor::Table(name.clone())).copied().unwrap_or_default();
            let path = out.filter(|_| parts > 0).map(|out| match self.request.each.extent {
                Extent::Database => out.to_owned(),
                Extent::Folder | Extent::File => out.join(name.as_str()),
            });
            DatasetTable {
                name: name.clone(),
                accepted: rows.accepted,
                quarantined: rows.quarantined,
                parts,
                path: path.map(|path| path.to_string_lossy().into_owned()),
            }
        };
        self.report.tables = self.rows.iter().map(table).collect();
    }

    fn claim(&mut self, inputs: InputCounts) -> Result<DatasetClaim, FaultReport> {
        let claim = self.claim.take().ok_or_else(|| internal("nothing was claimed".to_owned()))?;
        Ok(DatasetClaim {
            component: claim.component,
            contract: claim.contract,
            options: claim.options,
            asked: claim.asked,
            inputs: InputsClaim {
                completed: inputs.completed,
                completed_with_quarantine: inputs.completed_with_quarantine,
                held: inputs.held,
                failed: inputs.failed,
                bytes: inputs.bytes,
                sha256: std::mem::take(&mut self.digest).finish(),
            },
            tables: self.rows.clone(),
            columns: self.united_columns(),
            quarantine: HeldClaim {
                rows: self.report.quarantine.rows,
                by_code: self.report.quarantine.by_code.clone(),
            },
            records: self.report.records,
        })
    }

    fn united_columns(&self) -> Option<BTreeMap<TableName, Vec<ColumnClaim>>> {
        let column = |Column { name, kind, nullable }: &Column| ColumnClaim {
            name: name.clone(),
            r#type: kind.clone(),
            nullable: *nullable,
        };
        let table = |(table, columns): (&TableName, &Vec<Column>)| {
            (table.clone(), columns.iter().map(column).collect())
        };
        (self.request.schema == SchemaRule::Union).then(|| self.columns.iter().map(table).collect())
    }

    /// Writes the receipt, then moves everything to its place, or what is held beside it.
    fn put_out(&mut self, claim: DatasetClaim, staging: Staging) -> Result<(), FaultReport> {
        let written = self.receipts.take().map_or(Ok(()), |mut receipts| receipts.flush());
        written.map_err(|error| unwritten(&error))?;
        let is_held = self.report.status == DatasetStatus::Held;
        let files = self.describe_files(&staging, is_held)?;
        let receipt = DatasetReceipt::new(claim, self.circumstances(files));
        let text = receipt.and_then(|receipt| receipt.to_json());
        let text = text.map_err(|error| internal(format!("the receipt: {error}")))?;
        let mut file = staging.create_file(RECEIPT_FILE).map_err(|fault| fault.report())?;
        file.write_all(text.as_bytes()).map_err(|error| unwritten(&error))?;
        let has_quarantine = self.parts.contains_key(&FileFor::Quarantine);
        if self.request.each.extent == Extent::Database && !is_held {
            return self.load(&staging);
        }
        let place = match is_held {
            true => {
                let quarantine = has_quarantine.then_some(QUARANTINE_PARTS);
                let kept: Vec<&str> = quarantine.into_iter().chain([RECEIPTS_FILE, RECEIPT_FILE]).collect();
                staging.hold(&kept)
            }
            false => staging.publish(),
        };
        let place = place.map_err(|fault| fault.report())?;
        let path_of = |name: &str| place.join(name).to_string_lossy().into_owned();
        self.report.receipt = Some(path_of(RECEIPT_FILE));
        self.report.quarantine.path = has_quarantine.then(|| path_of(QUARANTINE_PARTS));
        Ok(())
    }

    /// Has what is staged loaded.
    fn load(&mut self, staging: &Staging) -> Result<(), FaultReport> {
        let report = &mut self.report;
        let run = loader::Run {
            claim_sha256: report.claim_sha256.ok_or_else(loader::unclaimed)?,
            parser: (&report.component).into(),
            contract: report.contract.as_ref().map(Into::into),
            input: None,
            tables: self.rows.iter().map(|(table, rows)| (table.clone(), rows.accepted)).collect(),
            quarantine: report.quarantine.rows,
        };
        let loaded = loader::load(&self.request.each, staging, run, report.inputs.bytes)?;
        report.quarantine.path = (report.quarantine.rows > 0).then(|| loaded.database.clone());
        report.load = Some(loaded);
        Ok(())
    }

    fn describe_files(
        &self,
        staging: &Staging,
        is_held: bool,
    ) -> Result<Vec<FileCircumstances>, FaultReport> {
        let kept = self.files.iter().filter(|(table, _)| !is_held || table.is_none());
        let receipts = (None, RECEIPTS_FILE.to_owned());
        let describe = |(table, name): &(Option<TableName>, String)| {
            let file = staging.open_file(name).map_err(|fault| fault.report())?;
            let hashed =
                hash_file(file).map_err(|error| internal(format!("reading what was written: {error}")));
            let (bytes, sha256) = hashed?;
            Ok(FileCircumstances { name: name.clone(), table: table.clone(), bytes, sha256 })
        };
        kept.chain([&receipts]).map(describe).collect()
    }

    fn circumstances(&self, files: Vec<FileCircumstances>) -> DatasetCircumstances {
        let each = &self.request.each;
        DatasetCircumstances {
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            engine: casparian_sandbox::ENGINE.to_owned(),
            isolation: self.isolation.unwrap_or(Isolation::L0).to_string(),
            isolation_missing: self.isolation_missing.iter().cloned().collect(),
            contract_origin: self
                .report
                .contract
                .as_ref()
                .map(|contract| origin_word(contract.origin).to_owned()),
            jobs: self.request.jobs as u64,
            limits: each.limits.clone(),
            format: each.format.word().to_owned(),
            on_trap: Some(each.on_trap),
            code_cache: self.code_cache,
            wall_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            files,
        }
    }
}

/// Adds the first rows of an input to those that are shown: where columns are united, each cell under its own.
fn add_rows(known: &mut Preview, new: &Preview, input: &str, (rows_max, rule): (usize, SchemaRule)) {
    let ours = known.columns.len() - 1;
    let is_alike = known.columns[..ours] == new.columns[..];
    if !is_alike && rule == SchemaRule::Same {
        return;
    }
    for column in &new.columns {
        if !known.columns.contains(column) {
            let at = known.columns.len() - 1;
            known.columns.insert(at, column.clone());
            known.rows.iter_mut().for_each(|row| row.insert(at, None));
        }
    }
    let place = |column| new.columns.iter().position(|new| new == column);
    let places: Vec<Option<usize>> = known.columns.iter().map(place).collect();
    let missing = rows_max.saturating_sub(known.rows.len());
    known.rows.extend(new.rows.iter().take(missing).map(|row| {
        let mut cells: Vec<_> = places.iter().map(|at| at.and_then(|at| row.get(at)?.clone())).collect();
        if let Some(source) = cells.last_mut() {
            *source = Some(GuestText::new(input, 64));
        }
        cells
    }));
}

fn add_all<K: Ord + Clone>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(key.clone()).or_default() += count;
    }
}

fn unwritten(error: &std::io::Error) -> FaultReport {
    let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
    FaultReport {
        blame: if full { Blame::Operator } else { Blame::Host },
        code: if full { "disk-full" } else { "output-failed" }.to_owned(),
        message: format!("the receipts cannot be written: {error}"),
        hint: None,
        at: None,
    }
}

pub(super) fn internal(message: String) -> FaultReport {
    FaultReport { blame: Blame::Host, code: "internal".to_owned(), message, hint: None, at: None }
}
