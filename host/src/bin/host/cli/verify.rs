//! `host verify RECEIPT`

use std::path::PathBuf;

use casparian_core::fault::FaultReport;
use casparian_host::verify::{Again, VerifyRequest, verify};

use super::isolation::Required;
use super::limit::{self, LimitSetting};
use super::surroundings::{Surroundings, cores, stop_flag};
use crate::exit::Exit;
use crate::render::{LogFloor, Render};

/// What `host verify` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The receipt: `_receipt.json`, beside the files of its run
    receipt: PathBuf,

    /// Run this input again and compare what is claimed; of a dataset the folder that the paths of its inputs lead from, which is
    /// `.` where the run was made. Needs `--component`
    #[arg(long, value_name = "FILE|DIR", requires = "component")]
    input: Option<PathBuf>,

    /// The parser to run it with; needs `--input`
    #[arg(long, value_name = "FILE", requires = "input")]
    component: Option<PathBuf>,

    /// The contract that the run was given; without it, the one that the parser carries
    #[arg(long, value_name = "FILE", requires = "input")]
    contract: Option<PathBuf>,

    /// Set bounds for the second run, as for `host run`
    #[arg(long = "limit", value_name = "KEY=VALUE", value_delimiter = ',', value_parser = limit::parse, help = limit::HELP)]
    limits: Vec<LimitSetting>,

    /// Show no progress
    #[arg(long)]
    no_progress: bool,

    #[command(flatten)]
    required: Required,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Checks the files beside a receipt, and with an input and a parser the whole claim.
pub(crate) fn run(args: &Args, render: &mut Render) -> Exit {
    let limits = match limit::apply_for(args.component.as_deref(), &args.limits) {
        Ok(limits) => limits,
        Err(message) => {
            render.usage(&message, "give each limit once");
            return Exit::Usage;
        }
    };
    let stop = match stop_flag() {
        Ok(stop) => stop,
        Err(fault) => return failed(args, &fault, render),
    };
    let Surroundings { cache_dir, program: worker_exe, python_runtime } = match Surroundings::look() {
        Ok(surroundings) => surroundings,
        Err(fault) => return failed(args, &fault, render),
    };
    let again = args.input.clone().zip(args.component.clone());
    let again = again.map(|(input, component)| Again { input, component, contract: args.contract.clone() });
    let request = VerifyRequest {
        receipt: args.receipt.clone(),
        again,
        limits,
        threads: cores(),
        cache_dir,
        python_runtime,
        worker_exe,
        require_isolation: args.required.level,
        stop,
    };
    let name = args.receipt.to_string_lossy().into_owned();
    let mut view = render.progress(&name, !args.no_progress, LogFloor::Off);
    let verified = verify(&request, &mut |progress| render.hear(&mut view, progress));
    view.close();
    match verified {
        Ok(verification) => {
            if args.json {
                render.json(&verification);
            } else {
                render.verification(&verification);
            }
            if verification.agrees { Exit::Done } else { Exit::No }
        }
        Err(fault) => failed(args, &fault, render),
    }
}

fn failed(args: &Args, fault: &FaultReport, render: &mut Render) -> Exit {
    render.fault(fault, Some(&args.receipt.to_string_lossy()));
    if fault.code == "interrupted" { Exit::Interrupted } else { Exit::from_blame(fault.blame) }
}
