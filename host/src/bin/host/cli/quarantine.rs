//! `host quarantine list|show|top|export OUT`

use std::path::{Path, PathBuf};

use casparian_core::fault::Blamed;
use casparian_host::quarantine::export::{ExportFault, Format, RawForm, Shape, export};
use casparian_host::quarantine::held::HeldRow;
use casparian_host::quarantine::read::{Detail, Quarantine, ReadFault};
use casparian_host::quarantine::select::Selection;
use casparian_host::quarantine::top::Counting;
use clap::{Subcommand, ValueEnum};

use crate::exit::Exit;
use crate::render::{Excerpt, Render};

const SELECTS: &str = "Which rows";

/// Reads a code. One that this program does not know may stand in a file of a later one; a word that is none stands in no file.
fn code(word: &str) -> Result<String, String> {
    let code = word.to_ascii_uppercase();
    let digits = code.strip_prefix("CF").filter(|digits| digits.len() == 4);
    match digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
        true => Ok(code),
        false => Err("codes are CF and four digits; `host explain` lists them".to_owned()),
    }
}

/// What `host quarantine` takes.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the rows that were held back, a line each
    List(List),
    /// Show rows with their own bytes, what is wrong with them, and their cells
    Show(Show),
    /// Count why rows were held back, and which reasons come together
    Top(Top),
    /// Write rows to a file for other programs
    Export(Export),
}

/// Where the quarantine is, and which of its rows are meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// The folder that `host run --out` wrote, or the quarantine in it
    out: PathBuf,

    /// With a reason of this code, such as CF0301
    #[arg(long = "code", value_name = "CODE", value_parser = code, help_heading = SELECTS)]
    codes: Vec<String>,

    /// With a reason that is about this rule, or this fault of the parser
    #[arg(long = "rule", value_name = "RULE", help_heading = SELECTS)]
    rules: Vec<String>,

    /// With a reason that is about this column
    #[arg(long = "column", value_name = "COLUMN", help_heading = SELECTS)]
    columns: Vec<String>,

    /// Of this table
    #[arg(long = "table", value_name = "TABLE", help_heading = SELECTS)]
    tables: Vec<String>,

    /// Of this input, as rows name it
    #[arg(long = "input", value_name = "PATH", help_heading = SELECTS)]
    inputs: Vec<String>,

    /// Of the record with this number, from 0
    #[arg(long = "record", value_name = "N", help_heading = SELECTS)]
    records: Vec<u64>,

    /// Whose name (`q_id`) begins so
    #[arg(long = "id", value_name = "PREFIX", default_value = "", hide_default_value = true, help_heading = SELECTS)]
    id_prefix: String,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    which: Which,

    /// Most rows to list
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,

    /// Rows to pass by first
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: usize,

    /// Print one JSON object per row
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    which: Which,

    /// Most rows to show
    #[arg(long, value_name = "N", default_value_t = 3)]
    limit: usize,

    /// Rows to pass by first
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: usize,

    /// Print one JSON object per row, its bytes in base64
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Top {
    #[command(flatten)]
    which: Which,

    /// Most lines of each kind
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,

    /// Print one JSON object, with all of it
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    which: Which,

    /// How: `csv` has a line for each reason, `jsonl` an object for each row
    #[arg(long)]
    format: FormatArg,

    /// The file to write; it must not exist, and only its owner may read it
    #[arg(long = "out", value_name = "FILE")]
    file: PathBuf,

    /// How a record's bytes are written
    #[arg(long, default_value = "escaped")]
    raw: RawArg,

    /// Put `'` before texts that a spreadsheet would run as a formula (CSV)
    #[arg(long)]
    mark_formulas: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    Csv,
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RawArg {
    /// As text; bytes that are no text, controls and `\` as `\xNN`
    Escaped,
    Base64,
    /// Not at all
    None,
}

/// What an export tells a machine.
#[derive(serde::Serialize)]
struct Exported<'a> {
    rows: u64,
    path: &'a Path,
}

/// Reads a quarantine.
pub(crate) fn run(args: &Args, render: &mut Render) -> Exit {
    let done = match &args.command {
        Command::List(args) => list(args, render),
        Command::Show(args) => show(args, render),
        Command::Top(args) => top(args, render),
        Command::Export(args) => write(args, render),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(fault) => {
            render.fault(&fault.report(), None);
            Exit::from_blame(fault.blame())
        }
    }
}

impl Which {
    fn find(&self) -> Result<Quarantine, ReadFault> {
        Quarantine::find(&self.out)
    }

    fn selection(&self) -> Selection {
        Selection {
            codes: self.codes.clone(),
            rules: self.rules.clone(),
            columns: self.columns.clone(),
            tables: self.tables.clone(),
            inputs: self.inputs.clone(),
            records: self.records.clone(),
            id_prefix: self.id_prefix.to_ascii_lowercase(),
        }
    }
}

fn excerpt(which: &Which, detail: Detail, offset: usize, limit: usize) -> Result<Option<Excerpt>, ReadFault> {
    let quarantine = which.find()?;
    if quarantine.is_empty() {
        return Ok(None);
    }
    let mut rows = quarantine.read(which.selection(), detail).skip(offset);
    let wanted: Vec<HeldRow> = rows.by_ref().take(limit).collect::<Result<_, _>>()?;
    let has_more = rows.next().transpose()?.is_some();
    let (in_all, names_inputs) = (quarantine.rows()?, quarantine.is_dataset());
    Ok(Some(Excerpt { rows: wanted, offset, has_more, in_all, names_inputs, selection: which.selection() }))
}

fn list(args: &List, render: &mut Render) -> Result<(), ExportFault> {
    if args.json {
        return stream(&args.which, Detail::Reasons, args.offset, args.limit, render);
    }
    match excerpt(&args.which, Detail::Reasons, args.offset, args.limit)? {
        Some(excerpt) => render.held_list(&excerpt),
        None => render.remark(NOTHING_HELD),
    }
    Ok(())
}

fn show(args: &Show, render: &mut Render) -> Result<(), ExportFault> {
    if args.json {
        return stream(&args.which, Detail::Everything, args.offset, args.limit, render);
    }
    match excerpt(&args.which, Detail::Everything, args.offset, args.limit)? {
        Some(excerpt) => render.held_rows(&excerpt),
        None => render.remark(NOTHING_HELD),
    }
    Ok(())
}

/// Prints rows as they are read: their number is whoever asks' affair.
fn stream(
    which: &Which,
    detail: Detail,
    offset: usize,
    limit: usize,
    render: &mut Render,
) -> Result<(), ExportFault> {
    for row in which.find()?.read(which.selection(), detail).skip(offset).take(limit) {
        render.held_json(&row?);
    }
    Ok(())
}

fn top(args: &Top, render: &mut Render) -> Result<(), ExportFault> {
    let mut counting = Counting::default();
    for row in args.which.find()?.read(args.which.selection(), Detail::Reasons) {
        counting.add(&row?);
    }
    let top = counting.finish();
    match args.json {
        true => render.json(&top),
        false if top.rows == 0 => render.remark("no row in quarantine is like that"),
        false => render.held_top(&top, args.limit),
    }
    Ok(())
}

fn write(args: &Export, render: &mut Render) -> Result<(), ExportFault> {
    let shape = Shape {
        format: match args.format {
            FormatArg::Csv => Format::Csv,
            FormatArg::Jsonl => Format::Jsonl,
        },
        raw: match args.raw {
            RawArg::Escaped => RawForm::Escaped,
            RawArg::Base64 => RawForm::Base64,
            RawArg::None => RawForm::Absent,
        },
        marks_formulas: args.mark_formulas,
    };
    let quarantine = args.which.find()?;
    let rows = export(quarantine.read(args.which.selection(), Detail::Everything), shape, &args.file)?;
    match args.json {
        true => render.json(&Exported { rows, path: &args.file }),
        false => render.exported(rows, &args.file),
    }
    Ok(())
}

const NOTHING_HELD: &str = "nothing is in quarantine: the run held nothing back";
