//! The command line: reads what was typed, calls the library, says what came of it. Nothing is decided here that another
//! face (a daemon, a terminal interface) would have to decide again.

mod cli;
mod exit;
mod interrupt;
mod render;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::render::Render;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let mut render = Render::to_terminal();
    let exit = match command {
        Command::Run(args) => cli::run::run(&args, &mut render),
        Command::Build(args) => cli::build::run(&args, &mut render),
        Command::Inspect(args) => cli::inspect::run(&args, &mut render),
        Command::Contract(args) => cli::contract::run(&args, &mut render),
        Command::Verify(args) => cli::verify::run(&args, &mut render),
        Command::Quarantine(args) => cli::quarantine::run(&args, &mut render),
        Command::Explain(args) => cli::explain::run(&args, &mut render),
        Command::Doctor(args) => cli::doctor::run(&args, &mut render),
        // A worker speaks through its socket alone; its supervisor has the terminal.
        Command::Worker { require_isolation } => return casparian_host::worker::main(require_isolation),
        Command::Loader => return casparian_host::loader::main(),
    };
    render.close(exit).into()
}
