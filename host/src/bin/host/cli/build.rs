//! `host build PARSER -o FILE`

use std::path::PathBuf;

use casparian_core::fault::FaultReport;
use casparian_host::build::{BuildRequest, Built, build};
use casparian_host::inspect::InspectRequest;
use casparian_host::program;

use super::isolation::Required;
use super::surroundings::{Surroundings, stop_flag};
use crate::exit::Exit;
use crate::render::Render;

const HELP: &str = "\
The bundle holds the .py, .json and .yaml of the folder, its contract.odcs.yaml,
and the packages that its uv.lock names for the dependencies in pyproject.toml.
Nothing is fetched: wheels come from PARSER/wheels and from --wheels, each checked
against the digest in uv.lock. Only pure Python can be brought. The same contents
make the same bytes.

With --component the Python runtime of this machine comes along, 20 MB: for hosts
that have none, or another. It is compiled once, for all parsers that bring it.

Examples:
  host build fills -o fills.zip
  host build fills -o fills.zip --wheels /srv/wheels
  host run fills.zip day.log --out day            anywhere, without a network
  host build fills --component -o fills.wasm      with the runtime in it";

/// What `host build` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// The parser: a folder with a parser.py, or a .py
    parser: PathBuf,

    /// The bundle: a new file that ends in .zip; with --component in .wasm
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,

    /// Make one component of the parser and its runtime
    #[arg(long)]
    component: bool,

    /// A folder with wheels of packages that the parser needs
    #[arg(long, value_name = "DIR")]
    wheels: Vec<PathBuf>,

    #[command(flatten)]
    required: Required,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Builds a bundle of a Python parser.
pub(crate) fn run(args: &Args, render: &mut Render) -> Exit {
    let (what, ending) = if args.component { ("a component", "wasm") } else { ("a bundle", "zip") };
    if args.out.extension().is_none_or(|given| given != ending) {
        render.usage(&format!("{what} is called FILE.{ending}"), &format!("`-o fills.{ending}`"));
        return Exit::Usage;
    }
    match request(args).and_then(|request| build(&request)) {
        Ok(built) if args.json => render.json(&built),
        Ok(built) => say(&built, render),
        Err(fault) => {
            render.fault(&fault, None);
            return Exit::from_blame(fault.blame);
        }
    }
    Exit::Done
}

fn request(args: &Args) -> Result<BuildRequest, FaultReport> {
    let Surroundings { cache_dir, program: worker_exe, python_runtime } = Surroundings::look()?;
    let inspect = InspectRequest {
        component: args.parser.clone(),
        limits: program::limits(),
        cache_dir,
        python_runtime,
        worker_exe,
        require_isolation: args.required.level,
        stop: stop_flag()?,
    };
    Ok(BuildRequest {
        sources: args.parser.clone(),
        out: args.out.clone(),
        with_runtime: args.component,
        wheels: args.wheels.clone(),
        inspect,
    })
}

fn say(built: &Built, render: &mut Render) {
    let Built { path, name, version, files, bytes, .. } = built;
    render.remark(&format!("{path}: {name} {version}, {files} files, {bytes} bytes"));
    for package in &built.dependencies {
        render.remark(&format!("brings {} {}", package.name, package.version));
    }
    if let Some(contract) = &built.contract {
        render.remark(&format!("carries {} {}", contract.id, contract.version));
    }
    render.remark(&format!("runs as {}", built.identity));
}
