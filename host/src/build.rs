//! A Python parser made ready to travel: its sources and the packages that it needs, in one file that is the same for the same
//! contents. Nothing is fetched: wheels come from folders, and are the ones that `uv.lock` names by their digest.

pub(crate) mod lock;
mod wheel;

use std::fs;
use std::path::{Path, PathBuf};

use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use serde::Serialize;

use self::lock::{LockFault, Needed};
use self::wheel::Wheels;
use crate::component::Component;
use crate::inspect::{InspectRequest, Inspection, inspect};
use crate::program::bundle::{Bundle, Dependency};
use crate::program::{BundleFault, CONTRACT_FILE, folder, one_file};
use crate::report::ContractReport;
use crate::terms;

/// The version of [`Built`]'s shape.
pub const BUILT_SCHEMA: u32 = 1;
/// Where packages of others stand in a bundle: behind the parser's own modules.
const VENDOR: &str = "vendor/";
/// The folder of wheels beside a parser.
const WHEELS: &str = "wheels";

/// What is to be built.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The parser: a folder, or a file.
    pub sources: PathBuf,
    /// The bundle: a new file.
    pub out: PathBuf,
    /// Whether the runtime comes along: then it is a component.
    pub with_runtime: bool,
    /// Folders with wheels, beside the parser's own.
    pub wheels: Vec<PathBuf>,
    /// How the parser is asked what it is before the bundle is published; its parser is filled in.
    pub inspect: InspectRequest,
}

/// A bundle that was built.
#[derive(Debug, Clone, Serialize)]
pub struct Built {
    /// [`BUILT_SCHEMA`].
    pub schema: u32,
    /// As it was given.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Digest of its bytes.
    pub sha256: Digest,
    /// What the parser is called by under the runtime of this machine.
    pub identity: Digest,
    /// The name that the parser gives itself.
    pub name: GuestText,
    /// Its version.
    pub version: GuestText,
    /// The module that it starts from.
    pub entry: String,
    /// How many files it has.
    pub files: usize,
    /// The packages that it brings.
    pub dependencies: Vec<Dependency>,
    /// The contract that it carries.
    pub contract: Option<ContractReport>,
}

/// Builds a bundle, and publishes it once its parser has said what it is.
pub fn build(request: &BuildRequest) -> Result<Built, FaultReport> {
    let bundle = gather(request)?;
    let mut bytes = bundle.to_bytes().map_err(|fault| fault.report())?;
    if request.with_runtime {
        bytes = joined(request, &bytes)?;
    }
    let folder = tempfile_beside(&request.out)?;
    let staged = folder.path().join(if request.with_runtime { "parser.wasm" } else { "parser.zip" });
    fs::write(&staged, &bytes).map_err(|error| unwritten(&request.out, &error))?;
    let inspection = inspect(&InspectRequest { component: staged, ..request.inspect.clone() })?;
    if let Some(misfit) = &inspection.misfit {
        return Err(misfit.clone());
    }
    crate::embed::publish(&bytes, &request.out, &|_| Ok(()))?;
    Ok(built(request, &bundle, &bytes, inspection))
}

/// Puts a bundle into the runtime of this machine.
fn joined(request: &BuildRequest, bundle: &[u8]) -> Result<Vec<u8>, FaultReport> {
    let runtime = Component::open_runtime(&request.inspect.python_runtime)?.read()?;
    let too_large = BundleFault::TooLarge { bytes: bundle.len() as u64 };
    one_file::join(&runtime, bundle).ok_or_else(|| too_large.report())
}

/// Gathers the sources, and the packages that they need.
fn gather(request: &BuildRequest) -> Result<Bundle, FaultReport> {
    let sources = &request.sources;
    if !sources.is_dir() {
        return crate::program::collect(sources).map_err(|fault| fault.report());
    }
    let contract = sources.join(CONTRACT_FILE);
    if contract.is_file() {
        terms::read_given(&contract)?;
    }
    let mut bundle = folder::sources(sources).map_err(|fault| fault.report())?;
    let needed = lock::needed(sources).map_err(|fault| fault.report())?;
    let folders: Vec<PathBuf> = request.wheels.iter().cloned().chain([sources.join(WHEELS)]).collect();
    let wheels = Wheels::among(folders);
    for package in &needed {
        bring(package, &wheels, &mut bundle)?;
    }
    Ok(bundle)
}

/// Puts the files of a package into a bundle.
fn bring(package: &Needed, wheels: &Wheels, bundle: &mut Bundle) -> Result<(), FaultReport> {
    let Some(wheel) = package.pure_wheel() else {
        if package.is_conditional {
            return Ok(());
        }
        return Err(LockFault::NotPure { name: package.shown() }.report());
    };
    let bytes = wheels.find(package, wheel).map_err(|fault| fault.report())?;
    for (name, content) in wheel::sources(package, &bytes).map_err(|fault| fault.report())? {
        let name = format!("{VENDOR}{name}");
        if bundle.files.insert(name.clone(), content).is_some() {
            return Err(LockFault::Twice { file: GuestText::new(&name, 256), name: package.shown() }.report());
        }
    }
    let (name, version, wheel_sha256) = (package.name.clone(), package.version.clone(), wheel.sha256.clone());
    bundle.dependencies.push(Dependency { name, version, wheel_sha256 });
    Ok(())
}

fn built(request: &BuildRequest, bundle: &Bundle, bytes: &[u8], inspection: Inspection) -> Built {
    Built {
        schema: BUILT_SCHEMA,
        path: request.out.to_string_lossy().into_owned(),
        bytes: bytes.len() as u64,
        sha256: Digest::of(bytes),
        identity: inspection.sha256,
        name: inspection.description.name,
        version: inspection.description.version,
        entry: bundle.entry.clone(),
        files: bundle.files.len(),
        dependencies: bundle.dependencies.clone(),
        contract: inspection.contract,
    }
}

/// Makes a hidden folder beside the output, taken away with all that is in it.
fn tempfile_beside(out: &Path) -> Result<tempfile::TempDir, FaultReport> {
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".build.").tempdir_in(parent).map_err(|error| unwritten(out, &error))
}

fn unwritten(out: &Path, error: &std::io::Error) -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "output-failed".to_owned(),
        message: format!("cannot write beside {}: {error}", GuestText::new(&out.to_string_lossy(), 4096)),
        hint: Some("choose a folder that you may write to".to_owned()),
        at: None,
    }
}
