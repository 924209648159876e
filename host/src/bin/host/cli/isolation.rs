//! The least isolation that a parser may run under, asked for in the same words by every command that runs one.

use casparian_host::report::Isolation;

// No documentation here: it would stand in the place of the command's own.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Required {
    /// Run nothing unless this much stands between the parser and this machine: L1 a process of its own, L2 and few system
    /// calls, L3 and no files, no network, no new code; `host doctor` says what there is
    #[arg(long = "require-isolation", value_name = "LEVEL", default_value_t = Isolation::L0, hide_default_value = true)]
    pub(crate) level: Isolation,
}
