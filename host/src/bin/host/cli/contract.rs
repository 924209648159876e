//! `host contract …`

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use casparian_core::contract::amend::Class;
use casparian_core::fault::{Blame, FaultReport};
use casparian_host::contract::{self, CONTRACT_SCHEMA, Language, Lint, Refused};
use casparian_host::embed;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::isolation::Required;
use super::{infer, inspect};
use crate::exit::Exit;
use crate::render::Render;

/// What `host contract` takes.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

/// What can be done with contracts. Where a contract is wanted, a component that carries one will do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Draft a contract of what a parser makes of files, with a question wherever they leave one open
    Infer(Box<infer::Args>),
    /// Say all that is wrong with contracts, and what is hardly meant; 1 if anything is wrong
    Lint(LintArgs),
    /// Show what a contract says: tables, columns, rules, hash
    Show(ShowArgs),
    /// Say what a contract changes of another, and what that is to rows accepted so far
    #[command(after_help = DIFF_HELP)]
    Diff(DiffArgs),
    /// Say a contract in another language
    Export(ExportArgs),
    /// Make a component that carries a contract, in the place of any that it has
    Embed(EmbedArgs),
}

const DIFF_HELP: &str = "\
Classes, from light to grave:
  unchanged  nothing changes
  widening   every row that was accepted stays accepted, with the same values
  narrowing  some may be refused, or get other values
  reshaping  the tables that come out have other columns: names, order or types

What cannot be proved from the two contracts alone counts as narrowing, and says
so. `docs/spec/amendments.md` has the table.

Examples:
  host contract diff old.yaml new.yaml
  host contract diff parser.wasm new.yaml --at-most widening    for a script";

#[derive(Debug, clap::Args)]
struct LintArgs {
    /// Contracts (ODCS 3.1.0 YAML), or components that carry one
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// A contract, or a component that carries one
    file: PathBuf,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Print the canonical JSON of which the hash is taken, and no byte more
    #[arg(long, conflicts_with = "json")]
    canonical: bool,
}

#[derive(Debug, clap::Args)]
struct DiffArgs {
    /// The contract that is changed
    old: PathBuf,

    /// The contract that changes it
    new: PathBuf,

    /// Exit with 1 if the class is graver than this
    #[arg(long, value_name = "CLASS")]
    at_most: Option<ClassName>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// A contract, or a component that carries one
    file: PathBuf,

    /// The language
    #[arg(long, value_enum)]
    format: LanguageName,

    /// Write it to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct EmbedArgs {
    /// The parser: a WebAssembly component, which stays as it is
    parser: PathBuf,

    /// The contract (ODCS 3.1.0 YAML)
    contract: PathBuf,

    /// The component that is made: a new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Do not ask the parser whether its tables fit the contract
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    required: Required,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LanguageName {
    /// JSON Schema 2020-12 of the rows, as lines of JSON carry them
    JsonSchema,
    /// The tables' schemas in Arrow's JSON format
    Arrow,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ClassName {
    Unchanged,
    Widening,
    Narrowing,
    Reshaping,
}

impl From<ClassName> for Class {
    fn from(name: ClassName) -> Self {
        match name {
            ClassName::Unchanged => Class::Unchanged,
            ClassName::Widening => Class::Widening,
            ClassName::Narrowing => Class::Narrowing,
            ClassName::Reshaping => Class::Reshaping,
        }
    }
}

/// Does what was asked for.
pub(crate) fn run(args: &Args, render: &mut Render) -> Exit {
    match &args.command {
        Command::Infer(args) => infer::run(args, render),
        Command::Lint(args) => lint(args, render),
        Command::Show(args) => show(args, render),
        Command::Diff(args) => diff(args, render),
        Command::Export(args) => export(args, render),
        Command::Embed(args) => embed(args, render),
    }
}

fn lint(args: &LintArgs, render: &mut Render) -> Exit {
    #[derive(Serialize)]
    struct Lints<'a> {
        schema: u32,
        files: &'a [Lint],
    }
    let lints: Vec<Lint> = args.files.iter().map(|file| contract::lint(file)).collect();
    if args.json {
        render.json(&Lints { schema: CONTRACT_SCHEMA, files: &lints });
    } else {
        render.lints(&lints);
        let unread = lints.iter().filter_map(|lint| lint.fault.as_ref().map(|fault| (lint, fault)));
        unread.for_each(|(lint, fault)| render.fault(fault, Some(&lint.path)));
    }
    lints.iter().map(exit_of).max().unwrap_or(Exit::Done)
}

fn exit_of(lint: &Lint) -> Exit {
    match &lint.fault {
        Some(fault) => Exit::from_blame(fault.blame),
        None if lint.faults > 0 => Exit::No,
        None => Exit::Done,
    }
}

fn show(args: &ShowArgs, render: &mut Render) -> Exit {
    match contract::read(&args.file) {
        Ok(shown) if args.json => render.json(&shown),
        Ok(shown) if args.canonical => render.data(&shown.canonical()),
        Ok(shown) => render.contract(&shown),
        Err(refused) => return failed(&refused, render),
    }
    Exit::Done
}

fn diff(args: &DiffArgs, render: &mut Render) -> Exit {
    let difference = match contract::diff(&args.old, &args.new) {
        Ok(difference) => difference,
        Err(refused) => return failed(&refused, render),
    };
    if args.json {
        render.json(&difference);
    } else {
        render.difference(&difference);
    }
    let most = args.at_most.map_or(Class::Reshaping, Class::from);
    if difference.amendment.class > most { Exit::No } else { Exit::Done }
}

fn export(args: &ExportArgs, render: &mut Render) -> Exit {
    let language = match args.format {
        LanguageName::JsonSchema => Language::JsonSchema,
        LanguageName::Arrow => Language::Arrow,
    };
    let value = match contract::export(&args.file, language) {
        Ok(value) => value,
        Err(refused) => return failed(&refused, render),
    };
    match &args.out {
        None => render.json_page(&value),
        Some(path) => match write(path, &value) {
            Ok(()) => render.remark(&format!("{} written", path.display())),
            Err(error) => {
                render.fault(&unwritten(path, &error), None);
                return Exit::Operator;
            }
        },
    }
    Exit::Done
}

fn embed(args: &EmbedArgs, render: &mut Render) -> Exit {
    let embedded = if args.force {
        embed::embed(&args.parser, &args.contract, &args.out, &|_| Ok(()))
    } else {
        inspect::request(&args.parser, args.required)
            .and_then(|request| embed::embed(&args.parser, &args.contract, &args.out, &embed::fits(request)))
    };
    match embedded {
        Ok(made) if args.json => render.json(&made),
        Ok(made) => {
            let contract = &made.contract;
            render.remark(&format!("{} carries {} {}", made.path, contract.id, contract.version));
        }
        Err(fault) => {
            render.fault(&fault, None);
            return Exit::from_blame(fault.blame);
        }
    }
    Exit::Done
}

/// Writes a new file; one that is there is not touched.
fn write(path: &Path, value: &Value) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    let mut file = File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn unwritten(path: &Path, error: &io::Error) -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "export-failed".to_owned(),
        message: format!("cannot write {}: {error}", path.display()),
        hint: Some("--out makes a new file and replaces none".to_owned()),
        at: None,
    }
}

/// Tells why there is no contract. One that is faulty is the operator's here, who wanted to use it.
fn failed(refused: &Refused, render: &mut Render) -> Exit {
    match refused {
        Refused::Unread(fault) => {
            render.fault(fault, None);
            Exit::from_blame(fault.blame)
        }
        Refused::Faulty(lint) => {
            render.faulty(lint);
            Exit::Operator
        }
    }
}
