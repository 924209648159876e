//! `host doctor`

use casparian_host::doctor::{Status, doctor};

use super::surroundings::Surroundings;
use crate::exit::Exit;
use crate::render::Render;

/// What `host doctor` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Looks at this machine. The exit is a no where a check failed.
pub(crate) fn run(args: &Args, render: &mut Render) -> Exit {
    let surroundings = match Surroundings::look() {
        Ok(surroundings) => surroundings,
        Err(fault) => {
            render.fault(&fault, None);
            return Exit::from_blame(fault.blame);
        }
    };
    let diagnosis = doctor(&surroundings.cache_dir, &surroundings.program);
    if args.json {
        render.json(&diagnosis);
    } else {
        render.diagnosis(&diagnosis);
    }
    if diagnosis.status == Status::Fail { Exit::No } else { Exit::Done }
}
