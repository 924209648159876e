//! What a run of many inputs with an output each tells its caller: the last line that `--json` prints, and the summary.

use casparian_core::fault::{Blame, FaultReport};
use casparian_core::guest_text::GuestText;
use serde::Serialize;

use super::EachRequest;
use crate::dataset::report::{
    DatasetStatus, EXIT_PARTIAL, InputCounts, LEFT_OUT_NAMED, LeftOut, PassedBy, graver,
};
use crate::report::{ComponentReport, ContractReport, EXIT_INTERRUPTED, Isolation, Report, Status};
use crate::request::Progress;

/// The version of [`EachReport`]'s shape.
pub const EACH_SCHEMA: u32 = 1;
/// Most outputs that are named.
pub const OUTPUTS_NAMED: usize = 100;

/// What became of many inputs with an output each.
#[derive(Debug, Clone, Serialize)]
pub struct EachReport {
    /// [`EACH_SCHEMA`].
    pub schema: u32,
    /// `each`: what tells this line from those of inputs.
    pub kind: &'static str,
    /// The parser.
    pub component: ComponentReport,
    /// The contract that rows were judged by; none: the schema that the parser declares.
    pub contract: Option<ContractReport>,
    /// How it ended.
    pub status: DatasetStatus,
    /// The exit code.
    pub exit: u8,
    /// Why all of it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultReport>,
    /// The folder of the outputs.
    pub out: String,
    /// The inputs, counted.
    pub inputs: InputCounts,
    /// The first outputs.
    pub outputs: Vec<Output>,
    /// The first inputs without an output.
    pub left_out: Vec<LeftOut>,
    /// The first things in folders that were no inputs.
    pub passed_by: Vec<PassedBy>,
    /// Rows that met the contract.
    pub accepted: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
    /// Bytes of inputs that did not fail and that nobody spoke for.
    pub dark_bytes: u64,
    /// Fuel burnt by them.
    pub fuel: u64,
    /// The least that stood between the parser and this machine for any input; [`Isolation::L0`] where no worker got far enough to
    /// say.
    pub isolation: Isolation,
    /// Inputs side by side.
    pub jobs: usize,
    /// Time from the first look at the inputs to the last word about them.
    pub wall_ms: u64,
    #[serde(skip)]
    gravest: u8,
}

/// An output.
#[derive(Debug, Clone, Serialize)]
pub struct Output {
    /// The path of its input.
    pub input: String,
    /// Rows that met the contract.
    pub accepted: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
    /// Where its receipt is.
    pub receipt: Option<String>,
}

impl EachReport {
    /// Begins the report of a run of which nothing is known yet.
    pub(super) fn begin(request: &EachRequest) -> Self {
        let stem = request.each.component.file_stem().unwrap_or_default().to_string_lossy();
        Self {
            schema: EACH_SCHEMA,
            kind: "each",
            component: ComponentReport { name: GuestText::new(&stem, 128), version: None, sha256: None },
            contract: None,
            status: DatasetStatus::Failed,
            exit: 0,
            fault: None,
            out: request.out.to_string_lossy().into_owned(),
            inputs: InputCounts::default(),
            outputs: Vec::new(),
            left_out: Vec::new(),
            passed_by: Vec::new(),
            accepted: 0,
            quarantined: 0,
            dark_bytes: 0,
            fuel: 0,
            isolation: Isolation::L0,
            jobs: request.jobs,
            wall_ms: 0,
            gravest: 0,
        }
    }

    pub(super) fn passed_by(&mut self, (named, count): (Vec<PassedBy>, u64)) {
        (self.passed_by, self.inputs.passed_by) = (named, count);
    }

    /// Ends it badly. Outputs that are complete stay.
    pub(super) fn fail(&mut self, fault: FaultReport) {
        self.fault = Some(fault);
    }

    /// Returns how far all of it is.
    pub(super) fn pace(&self) -> Progress {
        let (accepted, quarantined) = (self.accepted, self.quarantined);
        Progress::Committed { bytes: self.inputs.bytes, accepted, quarantined }
    }

    /// Adds what became of an input.
    pub(super) fn add(&mut self, report: &Report) {
        self.introduce(report);
        self.gravest = graver(self.gravest, report.exit);
        let inputs = &mut self.inputs;
        match report.status {
            Status::Completed => inputs.completed += 1,
            Status::CompletedWithQuarantine => inputs.completed_with_quarantine += 1,
            Status::Held => inputs.held += 1,
            Status::Failed => inputs.failed += 1,
        }
        if report.status == Status::Failed {
            return self.leave_out(report);
        }
        inputs.bytes += report.input.read_bytes();
        self.dark_bytes += report.accounting.dark_bytes;
        self.fuel = self.fuel.saturating_add(report.fuel);
        let accepted = report.tables.iter().map(|table| table.accepted).sum();
        (self.accepted, self.quarantined) =
            (self.accepted + accepted, self.quarantined + report.quarantine.rows);
        if report.status == Status::Held {
            self.leave_out(report);
        }
        if self.outputs.len() < OUTPUTS_NAMED {
            self.outputs.push(Output {
                input: report.input.path.clone(),
                accepted,
                quarantined: report.quarantine.rows,
                receipt: report.receipt.clone(),
            });
        }
    }

    fn introduce(&mut self, report: &Report) {
        if self.component.version.is_none() && report.component.version.is_some() {
            self.component.clone_from(&report.component);
            self.contract.clone_from(&report.contract);
        }
        if report.isolation > Isolation::L0 {
            let is_first = self.isolation == Isolation::L0;
            self.isolation = if is_first { report.isolation } else { self.isolation.min(report.isolation) };
        }
    }

    fn leave_out(&mut self, report: &Report) {
        let fault = report.fault.clone().unwrap_or_else(|| held(report));
        if self.left_out.len() < LEFT_OUT_NAMED {
            self.left_out.push(LeftOut { input: report.input.path.clone(), fault });
        }
    }

    /// Says what all of it came to.
    pub(super) fn conclude(&mut self) {
        let inputs = self.inputs;
        let done = inputs.completed + inputs.completed_with_quarantine;
        self.status = match (&self.fault, done, inputs.held, inputs.failed) {
            (Some(_), 0, ..) | (None, 0, 0, _) => DatasetStatus::Failed,
            (Some(_), ..) => DatasetStatus::Partial,
            (None, 0, ..) => DatasetStatus::Held,
            (None, _, 0, 0) if inputs.completed_with_quarantine > 0 => DatasetStatus::CompletedWithQuarantine,
            (None, _, 0, 0) => DatasetStatus::Completed,
            (None, ..) => DatasetStatus::Partial,
        };
        self.exit = match (&self.fault, self.status) {
            (Some(fault), _) if fault.code == "interrupted" => EXIT_INTERRUPTED,
            (Some(fault), _) => fault.blame.exit_code(),
            (None, DatasetStatus::Partial) => EXIT_PARTIAL,
            (None, DatasetStatus::Completed | DatasetStatus::CompletedWithQuarantine) => 0,
            (None, DatasetStatus::Held | DatasetStatus::Failed) => self.gravest,
        };
    }
}

fn held(report: &Report) -> FaultReport {
    let why = report.held.first().map_or_else(
        || format!("{} rows are in quarantine", report.quarantine.rows),
        |broken| {
            let (rule, table) = (&broken.rule, &broken.table);
            format!(
                "`{rule}` of table `{table}` wants {}, and there were {}",
                broken.expected, broken.observed
            )
        },
    );
    fault(Blame::Input, "held", format!("held: {why}"))
}

pub(super) fn interrupted() -> FaultReport {
    fault(Blame::Operator, "interrupted", "interrupted".to_owned())
}

pub(super) fn internal(message: &str) -> FaultReport {
    fault(Blame::Host, "internal", message.to_owned())
}

fn fault(blame: Blame, code: &str, message: String) -> FaultReport {
    FaultReport { blame, code: code.to_owned(), message, hint: None, at: None }
}
