//! What may be typed. One file per command, one shape each: what it takes, then what it does.

pub(crate) mod build;
pub(crate) mod contract;
pub(crate) mod doctor;
pub(crate) mod explain;
mod infer;
pub(crate) mod inspect;
mod isolation;
mod limit;
pub(crate) mod quarantine;
pub(crate) mod run;
mod surroundings;
pub(crate) mod verify;

use casparian_host::report::Isolation;
use clap::{Parser, Subcommand};

use crate::exit;

/// Turns messy files into checked Parquet, with parsers nobody has to trust.
#[derive(Debug, Parser)]
#[command(name = "host", version, after_help = exit::HELP, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a parser over files: preview their tables, or write them as Parquet
    Run(run::Args),
    /// Make one file of a Python parser, its contract and the packages that it needs
    Build(build::Args),
    /// Show what a parser is: its imports, tables, faults, options and limits; or what a run wrote, column by column
    Inspect(inspect::Args),
    /// Look at contracts: check them, show them, compare them, say them in other languages
    Contract(contract::Args),
    /// Look at what a run held back: list it, show it, count it, export it
    Quarantine(quarantine::Args),
    /// Say what a reason code means, with an example and what to do
    Explain(explain::Args),
    /// Check a receipt: the files beside it, and its whole claim by another run
    Verify(verify::Args),
    /// Check whether this machine can run parsers
    Doctor(doctor::Args),
    /// Do one run for the process that started this one; standard input is its socket
    #[command(hide = true)]
    Worker {
        /// The least isolation to run anything under
        #[arg(long, default_value_t = Isolation::L0)]
        require_isolation: Isolation,
    },
    /// Load what a run has staged for the process that started this one; standard input is its socket
    #[command(hide = true)]
    Loader,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_exit_codes_stand_in_the_help() {
        let help = Cli::command().render_help().to_string();
        assert!(help.contains("130  interrupted"), "{help}");
    }

    #[test]
    fn the_worker_is_not_offered_to_people() {
        let help = Cli::command().render_help().to_string();
        assert!(!help.contains("worker") && !help.contains("loader"), "{help}");
    }
}
