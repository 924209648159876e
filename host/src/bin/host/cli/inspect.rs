//! `host inspect PARSER`, and of what a run wrote: `host inspect OUT`

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use casparian_core::fault::FaultReport;
use casparian_core::limits::Limits;
use casparian_host::glance::{glance, is_output};
use casparian_host::inspect::{InspectRequest, inspect};
use casparian_host::program::{self, is_program};

use super::isolation::Required;
use super::surroundings::{Surroundings, stop_flag};
use crate::exit::Exit;
use crate::render::Render;

/// What `host inspect` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The parser: a WebAssembly component, or a Python program (.py, folder, .zip). Or what a run wrote: the folder that `--out`
    /// named, or a .parquet
    #[arg(value_name = "PARSER|OUT")]
    parser: PathBuf,

    #[command(flatten)]
    required: Required,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Asks a parser what it is, without giving it anything to read, or looks at what a run wrote.
pub(crate) fn run(args: &Args, render: &mut Render) -> Exit {
    if is_output(&args.parser) {
        return look(args, render);
    }
    let request = match request(&args.parser, args.required) {
        Ok(request) => request,
        Err(fault) => return failed(args, &fault, false, render),
    };
    match inspect(&request) {
        Ok(inspection) if args.json => render.json(&inspection),
        Ok(inspection) => render.inspection(&inspection),
        Err(fault) => return failed(args, &fault, request.stop.load(Ordering::Relaxed), render),
    }
    Exit::Done
}

fn look(args: &Args, render: &mut Render) -> Exit {
    match glance(&args.parser) {
        Ok(glance) if args.json => render.json(&glance),
        Ok(glance) => render.glance(&glance),
        Err(fault) => return failed(args, &fault, false, render),
    }
    Exit::Done
}

fn failed(args: &Args, fault: &FaultReport, interrupted: bool, render: &mut Render) -> Exit {
    render.fault(fault, Some(&args.parser.to_string_lossy()));
    if interrupted { Exit::Interrupted } else { Exit::from_blame(fault.blame) }
}

/// Returns a question to a parser under the bounds that runs have by default.
pub(super) fn request(parser: &Path, required: Required) -> Result<InspectRequest, FaultReport> {
    let Surroundings { cache_dir, program: worker_exe, python_runtime } = Surroundings::look()?;
    Ok(InspectRequest {
        component: parser.to_owned(),
        limits: if is_program(parser) { program::limits() } else { Limits::default() },
        cache_dir,
        python_runtime,
        worker_exe,
        require_isolation: required.level,
        stop: stop_flag()?,
    })
}
