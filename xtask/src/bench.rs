//! `bench`: the benchmarks, over freshly built guests.

use crate::Outcome;
use crate::command::{cargo, run};
use crate::guests;
use crate::sdk_python;
use crate::suite::build_host;
use std::path::Path;

/// Runs the benchmarks with the arguments given.
///
/// `--workspace` although one crate has benches, and the bench profile as it comes (it inherits release and changes
/// nothing): both so that wasmtime is the one already built for the binary, see [`build_host`].
pub(crate) fn run_all(root: &Path, args: &[String]) -> Outcome {
    guests::build(root, &[])?;
    build_host()?;
    sdk_python::environment(root)?;
    run(cargo().args(["bench", "--workspace", "--bench", "bench", "--"]).args(args))
}
