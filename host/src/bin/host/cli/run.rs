//! `host run PARSER INPUT…`

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fmt, thread};

use casparian_core::fault::FaultReport;
use casparian_core::id::TableName;
use casparian_core::isolate::OnTrap;
use casparian_core::limits::Limits;
use casparian_core::receipt::Packing;
use casparian_host::columns::SchemaRule;
use casparian_host::dataset::report::DatasetStatus;
use casparian_host::dataset::{self, ManyRequest, RECYCLE_AFTER, Told};
use casparian_host::each::{EachRequest, run_each as run_each_of};
use casparian_host::input::STDIN;
use casparian_host::packing::Compression;
use casparian_host::report::{Report, Status};
use casparian_host::run::{ContractChoice, LogLevel, RunRequest, TableChoice};
use casparian_host::sinks::Format;
use casparian_host::source::ReadSizes;
use casparian_host::staging::Extent;
use casparian_host::watch::{self, Look};
use clap::{ArgGroup, ValueEnum};

use super::isolation::Required;
use super::limit::{self, LimitSetting};
use super::surroundings::{Surroundings, cores, stop_flag};
use crate::exit::Exit;
use crate::render::{LogFloor, Outcome, Render};

/// How often files are looked at that somebody may save.
const LOOK_EVERY: Duration = Duration::from_millis(100);

const HELP: &str = "\
Without `--out` nothing is written: the first rows of each table are shown.
Tables go to standard output, all else to standard error. Several inputs, or a
folder, become one dataset: each table is a folder of parts, and a column
`_cf_source` says which input a row is from. An input that fails is left out
and said; the others are published, and the exit code is 3.

Examples:
  host run fix.wasm orders.log                     look at it
  host run fix.wasm orders.log --out orders        one Parquet file per table
  host run fix.wasm orders.log --out m.csv --tables messages
                                                   one table as CSV
  host run fix.wasm logs --out all                 all files below logs/
  host run fix.wasm 'logs/**/*.log' --ignore 'old*' --out some
                                                   some of them
  host run csv.wasm sales --schema union --out sales
                                                   columns that came and went
  host run fix.wasm logs --out-per-input outs      an output for each input
  host run fix.wasm logs --sink sqlite://fix.db    the same, into a database
  host run fix.wasm day.zip!orders.log             one file of an archive
  zcat a.gz b.gz | host run fix.wasm - --out ab    what is piped in";

/// What `host run` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP, group = ArgGroup::new("place").args(["out", "out_per_input"]))]
pub(crate) struct Args {
    /// The parser: a WebAssembly component, or a Python program: a .py, a folder with a parser.py, a .zip of `host build`
    parser: PathBuf,

    /// The files to parse, and folders whose files are: links, and what is hidden, are passed by in folders. `-` for what is
    /// piped in. gzip and zstd are unpacked, of a .zip the only file in it, or one as ARCHIVE!MEMBER. A quoted pattern such as
    /// 'in/**/*.csv' is taken as a shell would
    #[arg(required = true)]
    inputs: Vec<PathBuf>,

    /// Leave out of folders and patterns what this matches: a name at any depth, or with a / in it a path below the folder
    #[arg(long = "ignore", value_name = "PATTERN")]
    ignored: Vec<String>,

    /// Of several inputs whose columns differ: `same` leaves out those with other columns than the first that has the table,
    /// `union` makes tables with the columns of all, and what an input lacks is null. One name has one type in either
    #[arg(long, value_enum, value_name = "HOW", default_value = "same")]
    schema: SchemaName,

    /// How many inputs are run side by side, and where there are fewer inputs, how many ranges of one; else as many as there
    /// are cores. What is claimed is the same for any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,

    /// How inputs are packed: `auto` goes by how they begin, and takes for a ZIP only what is called .zip
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Packed::Auto)]
    compression: Packed,

    /// What the one input is called, to the parser and in what is written; else its own name, or stdin
    #[arg(long, value_name = "NAME")]
    input_name: Option<String>,

    /// Write one file per table, and the quarantine, into this new folder; of several inputs a folder of parts per table.
    /// A name that ends in .parquet, .arrow, .csv or .jsonl is the file of one table; what is known about it, the
    /// quarantine too, stands beside it in FILE.about. A folder with another ending is written with a / behind it
    #[arg(long, value_name = "DIR|FILE")]
    out: Option<PathBuf>,

    /// Write an output for each input, as a run over it alone would, into a folder of its name in this one. An input that fails
    /// leaves none and does not fail the others. Names that several inputs have are told apart by what comes behind them
    #[arg(long, value_name = "DIR", conflicts_with_all = ["sink", "watch", "whatif"])]
    out_per_input: Option<PathBuf>,

    /// Load the tables and the quarantine into this SQLite database, sqlite://PATH (of an absolute path that is three
    /// slashes), instead of writing files. It is made where there is none, else added to, in one transaction; a run whose claim
    /// is in it already changes nothing
    #[arg(long, value_name = "URI", value_parser = database_of, conflicts_with_all = ["out", "watch", "format", "csv_escape_formulas"])]
    sink: Option<PathBuf>,

    /// Exchange an output that exists for the new one; a database is only added to
    #[arg(long, requires = "place", conflicts_with = "sink")]
    replace: bool,

    /// How tables are written; else as FILE ends, or as Parquet
    #[arg(long, value_enum, requires = "place")]
    format: Option<FormatName>,

    /// In CSV, put a ' before texts that a spreadsheet would take for formulas (they begin with = + - @, a tab or an end of
    /// line). This alters values: leave it out where anything but a spreadsheet reads the file
    #[arg(long, requires = "place")]
    csv_escape_formulas: bool,

    /// The tables to write or show: names, or `all`; else those that the parser has on by default
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tables: Vec<String>,

    /// An option for the parser; `host inspect` lists them
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = key_value)]
    options: Vec<(String, String)>,

    #[arg(long = "limit", value_name = "KEY=VALUE", value_delimiter = ',', value_parser = limit::parse, help = limit::HELP)]
    limits: Vec<LimitSetting>,

    /// Judge rows by this contract (ODCS 3.1.0 YAML), in the place of any that the parser carries
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,

    /// Judge rows by the types that the parser declares and nothing else
    #[arg(long, conflicts_with = "contract")]
    no_contract: bool,

    #[command(flatten)]
    required: Required,

    /// Publish nothing and exit with 1 if any row is in quarantine, or any input of several failed
    #[arg(long)]
    strict: bool,

    /// Judge everything, write nothing, show no rows
    #[arg(long)]
    whatif: bool,

    /// What to do where the parser traps, burns its fuel or wants more memory than it may have: quarantine the record that it died
    /// of and go on behind it (where the parser says where records begin; at most 16 of them), or fail
    #[arg(long, value_enum, value_name = "POLICY", default_value = "isolate")]
    on_trap: OnTrapName,

    /// Print one JSON object per input instead of tables and summary; of several, and one for all of them
    #[arg(long)]
    json: bool,

    /// Rows of each table to show where nothing is written
    #[arg(long, value_name = "N", default_value_t = 10)]
    preview_rows: usize,

    /// Show the parser's log from this level on
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: Log,

    /// Run again whenever the parser, its contract or the input is saved, and say what changed; Ctrl-C ends it
    #[arg(long)]
    watch: bool,

    /// Show no progress
    #[arg(long)]
    no_progress: bool,

    /// Give a parser less than it asks for, now and then: a parser that counts on full reads is found out
    #[arg(long, value_name = "SEED:MAX", value_parser = read_sizes, hide = true)]
    read_sizes: Option<ReadSizes>,

    /// Ask the parser for batches of this size, in bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..), hide = true)]
    batch_bytes: Option<u32>,

    /// Ask the parser for ranges of this size, in bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..), hide = true)]
    range_bytes: Option<u64>,

    /// Replace a worker after so many inputs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), hide = true)]
    recycle_after: Option<u64>,
}

/// Reads `SEED:MAX`: two decimal numbers, the second at least 1.
fn read_sizes(text: &str) -> Result<ReadSizes, String> {
    let parsed = text.split_once(':').and_then(|(seed, most)| {
        let bytes_max = most.parse().ok().filter(|most| *most > 0)?;
        Some(ReadSizes::Short { seed: seed.parse().ok()?, bytes_max })
    });
    parsed.ok_or_else(|| "takes SEED:MAX, two numbers, the second at least 1".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Parquet,
    Arrow,
    Csv,
    Jsonl,
}

impl FormatName {
    /// Returns the format that a name ends in, in whatever case; none: it is a folder's, as every name with a / behind it is.
    /// Another ending was hardly meant for a folder.
    fn of(out: &Path) -> Result<Option<Self>, Misuse> {
        let is_folder = out.as_os_str().as_encoded_bytes().ends_with(b"/");
        let Some(ending) = out.extension().filter(|_| !is_folder) else { return Ok(None) };
        let is_it = |format: &Self| ending.eq_ignore_ascii_case(format.format(false).extension());
        let known = Self::value_variants().iter().copied().find(is_it);
        known.map(Some).ok_or_else(|| Misuse {
            message: format!("no table is written as `.{}`", ending.to_string_lossy()),
            hint: "a file ends in .parquet, .arrow, .csv or .jsonl; a folder of that name is written with a / behind it",
        })
    }

    fn format(self, escapes_formulas: bool) -> Format {
        match self {
            Self::Parquet => Format::Parquet,
            Self::Arrow => Format::Arrow,
            Self::Csv => Format::Csv { escapes_formulas },
            Self::Jsonl => Format::JsonLines,
        }
    }
}

/// How inputs are packed, as it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Packed {
    Auto,
    None,
    Gzip,
    Zstd,
    Zip,
}

impl From<Packed> for Compression {
    fn from(packed: Packed) -> Self {
        match packed {
            Packed::Auto => Compression::Auto,
            Packed::None => Compression::None,
            Packed::Gzip => Compression::Only(Packing::Gzip),
            Packed::Zstd => Compression::Only(Packing::Zstd),
            Packed::Zip => Compression::Only(Packing::Zip),
        }
    }
}

impl fmt::Display for FormatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format(false).extension())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaName {
    Same,
    Union,
}

impl From<SchemaName> for SchemaRule {
    fn from(name: SchemaName) -> Self {
        match name {
            SchemaName::Same => SchemaRule::Same,
            SchemaName::Union => SchemaRule::Union,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnTrapName {
    Isolate,
    Fail,
}

impl From<OnTrapName> for OnTrap {
    fn from(name: OnTrapName) -> Self {
        match name {
            OnTrapName::Isolate => OnTrap::Isolate,
            OnTrapName::Fail => OnTrap::Fail,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Log {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Off,
}

/// A command line that clap takes and that makes no sense all the same.
#[derive(Debug, PartialEq, Eq)]
struct Misuse {
    message: String,
    hint: &'static str,
}

/// Runs the parser over its input, or over all of them.
pub(crate) fn run(args: &Args, render: &mut Render) -> Exit {
    let understood = limits_of(args).and_then(|limits| Ok((limits, output_of(args)?)));
    let (limits, output) = match understood {
        Ok(understood) => understood,
        Err(misuse) => {
            render.usage(&misuse.message, misuse.hint);
            return Exit::Usage;
        }
    };
    match prepare(args, limits, output) {
        Ok(request) if args.watch => watch(args, &request, render),
        Ok(request) if args.out_per_input.is_some() => run_each(args, request, render),
        Ok(request) if args.is_dataset() => run_many(args, request, render),
        Ok(request) => run_one(args, &request, render),
        Err(fault) => {
            render.fault(&fault, None);
            Exit::from_blame(fault.blame)
        }
    }
}

/// Runs the parser over many inputs.
fn run_many(args: &Args, each: RunRequest, render: &mut Render) -> Exit {
    let request = ManyRequest {
        inputs: args.inputs.clone(),
        called: Vec::new(),
        ignored: args.ignored.clone(),
        schema: args.schema.into(),
        jobs: each.threads,
        each,
        recycle_after: args.recycle_after.unwrap_or(RECYCLE_AFTER),
    };
    let name = args.inputs.first().map(|input| input.to_string_lossy()).unwrap_or_default();
    let more =
        if args.inputs.len() > 1 { format!(" and {} more", args.inputs.len() - 1) } else { String::new() };
    let mut view = render.progress(&format!("{name}{more}"), !args.no_progress, args.log.floor());
    let report = dataset::run_many(&request, &mut |told| match told {
        Told::Progress(progress) => render.hear(&mut view, progress),
        Told::Input(report) if args.json => render.json(&report),
        Told::Input(_) => {}
    });
    view.close();
    if args.json {
        render.json(&report);
    } else {
        render.dataset(&report, args.outcome());
    }
    if report.status == DatasetStatus::Failed && request.each.stop.load(Ordering::Relaxed) {
        return Exit::Interrupted;
    }
    Exit::from_code(report.exit)
}

/// Runs the parser over many inputs, with an output each.
fn run_each(args: &Args, each: RunRequest, render: &mut Render) -> Exit {
    let request = EachRequest {
        jobs: each.threads,
        each,
        out: args.out_per_input.clone().unwrap_or_default(),
        inputs: args.inputs.clone(),
        ignored: args.ignored.clone(),
    };
    let name = args.inputs.first().map(|input| input.to_string_lossy()).unwrap_or_default();
    let mut view = render.progress(&name, !args.no_progress, args.log.floor());
    let report = run_each_of(&request, &mut |told| match told {
        Told::Progress(progress) => render.hear(&mut view, progress),
        Told::Input(report) if args.json => render.json(&report),
        Told::Input(_) => {}
    });
    view.close();
    match args.json {
        true => render.json(&report),
        false => render.each(&report),
    }
    Exit::from_code(report.exit)
}

/// Runs the one input again and again, until somebody has seen enough. The exit is the last run's.
fn watch(args: &Args, request: &RunRequest, render: &mut Render) -> Exit {
    let look = || {
        Look::at(
            [&args.parser, &request.input].map(PathBuf::as_path).into_iter().chain(beside(args).as_deref()),
        )
    };
    let mut before: Option<Report> = None;
    loop {
        // Looked at first, so that whoever saves during the run is not missed.
        let seen = look();
        let report = report_one(args, request, render);
        let failed = report.status == Status::Failed;
        if let Some(before) = before.as_ref().filter(|_| !failed) {
            let lines = watch::difference(before, &report);
            lines.iter().for_each(|line| render.remark(line));
            render.remark(if lines.is_empty() { "the same as before" } else { "so much is different" });
        }
        let exit = exit_of(&report, &request.stop);
        // A run that failed came to nothing that the next one could be held against.
        before = if failed { before } else { Some(report) };
        loop {
            if request.stop.load(Ordering::Relaxed) {
                return exit;
            }
            if look() != seen {
                break;
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// The contract that a run is judged by beside the parser's own files.
fn beside(args: &Args) -> Option<PathBuf> {
    args.contract.clone().or_else(|| Some(args.parser.with_file_name("contract.odcs.yaml")))
}

fn run_one(args: &Args, request: &RunRequest, render: &mut Render) -> Exit {
    let report = report_one(args, request, render);
    exit_of(&report, &request.stop)
}

fn report_one(args: &Args, request: &RunRequest, render: &mut Render) -> Report {
    let name = request.input.file_name().unwrap_or(request.input.as_os_str()).to_string_lossy();
    let mut view = render.progress(&name, !args.no_progress, args.log.floor());
    let report = casparian_host::run::run(request, &mut |progress| render.hear(&mut view, progress));
    view.close();
    if args.json {
        render.json(&report);
    } else {
        render.run(&report, args.outcome());
    }
    report
}

/// A run that was stopped is interrupted, whatever it says of its worker's end; one that was done before is done.
fn exit_of(report: &Report, stop: &AtomicBool) -> Exit {
    if report.status == Status::Failed && stop.load(Ordering::Relaxed) {
        return Exit::Interrupted;
    }
    Exit::from_code(report.exit)
}

/// Makes the request: of one input, or what all of them share.
fn prepare(
    args: &Args,
    limits: Limits,
    (format, extent): (Format, Extent),
) -> Result<RunRequest, FaultReport> {
    let Surroundings { cache_dir, program: worker_exe, python_runtime } = Surroundings::look()?;
    let stop = stop_flag()?;
    Ok(RunRequest {
        component: args.parser.clone(),
        input: args.inputs.first().cloned().unwrap_or_default(),
        compression: args.compression.into(),
        member: None,
        out: args.out.as_ref().or(args.sink.as_ref()).filter(|_| !args.whatif).cloned(),
        extent,
        format,
        replace: args.replace,
        tables: args.table_choice(),
        options: args.options.clone(),
        limits,
        contract: args.contract_choice(),
        strict: args.strict,
        preview_rows: args.preview_rows_wanted(),
        log_level: args.log.level(),
        input_name: args.input_name.clone(),
        range_bytes: args.range_bytes,
        threads: args.jobs.map_or_else(cores, usize::from),
        on_trap: args.on_trap.into(),
        read_sizes: args.read_sizes.unwrap_or_default(),
        cache_dir,
        python_runtime,
        worker_exe,
        require_isolation: args.required.level,
        stop,
    })
}

fn limits_of(args: &Args) -> Result<Limits, Misuse> {
    args.check_tables()?;
    args.check_watch()?;
    args.check_piped()?;
    args.check_schema()?;
    let limits = limit::apply_for(Some(&args.parser), &args.limits)
        .map_err(|message| Misuse { message, hint: "give each limit once" })?;
    let batch_bytes_wanted = args.batch_bytes.map_or(limits.batch_bytes_wanted, u64::from);
    Ok(Limits { batch_bytes_wanted, ..limits })
}

/// Returns how tables are written, and whether `--out` is a folder or a file.
fn output_of(args: &Args) -> Result<(Format, Extent), Misuse> {
    if args.sink.is_some() {
        return Ok((Format::Parquet, Extent::Database));
    }
    let ending = args.out.as_deref().map_or(Ok(None), FormatName::of)?;
    if let (Some(ending), Some(format)) = (ending, args.format)
        && ending != format
    {
        let message = format!("`--format {format}` and the ending of `--out` do not agree");
        return Err(Misuse {
            message,
            hint: "leave `--format` out; a folder of that name is written with a / behind it",
        });
    }
    if ending.is_some() && args.is_dataset() {
        let message = "several inputs do not fit into one file".to_owned();
        return Err(Misuse { message, hint: "name a folder with `--out`, and say how with `--format`" });
    }
    let format = args.format.or(ending).unwrap_or(FormatName::Parquet);
    if args.csv_escape_formulas && format != FormatName::Csv {
        let message = format!("`--csv-escape-formulas` has no meaning in {format}");
        return Err(Misuse { message, hint: "it goes with `--format csv`" });
    }
    Ok((
        format.format(args.csv_escape_formulas),
        if ending.is_some() { Extent::File } else { Extent::Folder },
    ))
}

impl Args {
    /// Whether what comes out is a dataset. It follows from the words and not from how many files a folder has.
    fn is_dataset(&self) -> bool {
        self.inputs.len() > 1 || self.inputs.iter().any(|input| dataset::is_several(input))
    }

    /// Whether several inputs are run, or one as if there were several.
    fn is_several(&self) -> bool {
        self.is_dataset() || self.out_per_input.is_some()
    }

    fn outcome(&self) -> Outcome {
        match (self.whatif, self.out.is_some(), self.sink.is_some()) {
            (true, ..) => Outcome::Judged,
            (false, true, _) => Outcome::Written,
            (false, false, true) => Outcome::Loaded,
            (false, false, false) => Outcome::Previewed,
        }
    }

    fn preview_rows_wanted(&self) -> usize {
        if self.whatif || self.json { 0 } else { self.preview_rows }
    }

    fn contract_choice(&self) -> ContractChoice {
        match &self.contract {
            Some(path) => ContractChoice::File(path.clone()),
            None if self.no_contract => ContractChoice::Declared,
            None => ContractChoice::Default,
        }
    }

    fn table_choice(&self) -> TableChoice {
        match self.tables.as_slice() {
            [] => TableChoice::Default,
            [all] if all == "all" => TableChoice::All,
            named => TableChoice::Named(named.to_vec()),
        }
    }

    fn check_watch(&self) -> Result<(), Misuse> {
        if self.watch && self.is_dataset() {
            let message = "`--watch` watches one input, and no folder".to_owned();
            return Err(Misuse { message, hint: "name the one that shows what you work on" });
        }
        if self.watch && self.out.is_some() && !self.replace {
            let message = "`--watch` writes its output again and again".to_owned();
            return Err(Misuse { message, hint: "say `--replace`, or leave `--out` out" });
        }
        Ok(())
    }

    fn check_piped(&self) -> Result<(), Misuse> {
        let piped = self.inputs.iter().filter(|input| input.as_os_str() == STDIN).count();
        let misuse = |message: &str, hint| Err(Misuse { message: message.to_owned(), hint });
        match (piped, &self.input_name) {
            (1.., _) if self.is_several() => {
                misuse("`-` is one input, and not one of several", "run it apart")
            }
            (1.., _) if self.watch => misuse("`--watch` watches a file, not `-`", "write it to a file first"),
            (_, Some(_)) if self.is_several() => {
                misuse("`--input-name` names one input", "leave it out, or run these apart")
            }
            _ => Ok(()),
        }
    }

    fn check_schema(&self) -> Result<(), Misuse> {
        if self.schema == SchemaName::Union && self.out_per_input.is_some() {
            let message =
                "`--schema union` unites inputs, and with `--out-per-input` each is apart".to_owned();
            return Err(Misuse { message, hint: "leave one of the two out" });
        }
        if self.schema == SchemaName::Union && !self.is_dataset() {
            let message = "`--schema union` unites several inputs, and this is one".to_owned();
            return Err(Misuse { message, hint: "name more of them, or a folder" });
        }
        Ok(())
    }

    fn check_tables(&self) -> Result<(), Misuse> {
        let hint = "`--tables a,b` names tables, `--tables all` takes every one; `host inspect` lists them";
        let misuse = |message: String| Err(Misuse { message, hint });
        if self.tables.len() > 1 && self.tables.iter().any(|table| table == "all") {
            return misuse("`--tables` takes names or `all`, not both".to_owned());
        }
        match self.tables.iter().find(|table| TableName::new(table).is_none()) {
            Some(table) => misuse(format!("no table can be called `{table}`")),
            None => Ok(()),
        }
    }
}

impl Log {
    /// The level that the parser is asked for. There is none below the gravest: `off` hears it and shows nothing.
    fn level(self) -> LogLevel {
        match self {
            Log::Trace => LogLevel::Trace,
            Log::Debug => LogLevel::Debug,
            Log::Info => LogLevel::Info,
            Log::Warn => LogLevel::Warn,
            Log::Error | Log::Off => LogLevel::Error,
        }
    }

    fn floor(self) -> LogFloor {
        if self == Log::Off { LogFloor::Off } else { LogFloor::From(self.level()) }
    }
}

/// Reads `sqlite://PATH`. The path is taken as it stands: nothing in it is decoded.
fn database_of(uri: &str) -> Result<PathBuf, String> {
    let path = uri.strip_prefix("sqlite://").ok_or("a sink is sqlite://PATH")?;
    match path {
        "" => Err("sqlite:// names no file: sqlite://PATH".to_owned()),
        _ if path.contains('?') => Err("nothing goes behind a `?` yet: sqlite://PATH".to_owned()),
        _ if path.ends_with('/') => Err("a database is a file, and no folder".to_owned()),
        _ => Ok(PathBuf::from(path)),
    }
}

/// Reads `key=value`.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("an option is given as `key=value`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parsed(words: &[&str]) -> Result<Args, clap::Error> {
        let words = iter::once("host").chain(iter::once("run")).chain(words.iter().copied());
        match Cli::try_parse_from(words)?.command {
            Command::Run(args) => Ok(args),
            other => panic!("{other:?} is not `run`"),
        }
    }

    fn args(words: &[&str]) -> Args {
        parsed(words).unwrap()
    }

    fn refused(words: &[&str]) -> String {
        let error = parsed(words).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    #[test]
    fn a_parser_and_an_input_are_enough() {
        let args = args(&["p.wasm", "a.log"]);
        assert_eq!(args.table_choice(), TableChoice::Default);
        assert_eq!(args.preview_rows_wanted(), 10);
        assert_eq!(args.outcome(), Outcome::Previewed);
        assert_eq!(limits_of(&args).unwrap(), Limits::default());
        assert!(refused(&["p.wasm"]).contains("<INPUTS>..."));
    }

    #[test]
    fn flags_that_are_not_there_yet_are_unknown() {
        assert!(refused(&["p", "a", "--append"]).contains("unexpected argument"));
    }

    #[test]
    fn an_option_keeps_everything_behind_its_first_equals_sign() {
        let options = args(&["p", "a", "--option", "k=v,w=x", "--option", "empty="]).options;
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(options, [pair("k", "v,w=x"), pair("empty", "")]);
        assert!(refused(&["p", "a", "--option", "k"]).contains("`key=value`"));
        assert!(refused(&["p", "a", "--option", "=v"]).contains("`key=value`"));
    }

    #[test]
    fn limits_may_share_a_flag_or_have_one_each() {
        let limits =
            limits_of(&args(&["p", "a", "--limit", "fuel=2G,memory=64MiB", "--limit", "time=2m"])).unwrap();
        assert_eq!((limits.fuel_base, limits.fuel_per_byte), (2_000_000_000, 0));
        assert_eq!(limits.memory_bytes_max, 64 << 20);
        assert_eq!(limits.deadline_base_ms, 120_000);
        assert!(refused(&["p", "a", "--limit", "time=2"]).contains("time is such as 500ms, 30s, 2m or 1h"));
        let twice = limits_of(&args(&["p", "a", "--limit", "log=1K", "--limit", "log=2K"])).unwrap_err();
        assert_eq!(twice.message, "`--limit log=` is given twice");
    }

    #[test]
    fn tables_are_names_or_all() {
        assert_eq!(args(&["p", "a", "--tables", "all"]).table_choice(), TableChoice::All);
        let named = TableChoice::Named(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(args(&["p", "a", "--tables", "a,b"]).table_choice(), named);
        for bad in ["all,a", "A", "../x", ""] {
            assert!(limits_of(&args(&["p", "a", "--tables", bad])).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_ending_of_a_file_says_how_it_is_written() {
        let output = |words: &[&str]| output_of(&args(words)).unwrap();
        let csv = Format::Csv { escapes_formulas: false };
        assert_eq!(output(&["p", "a", "--out", "x.csv"]), (csv, Extent::File));
        assert_eq!(output(&["p", "a", "--out", "x.jsonl"]), (Format::JsonLines, Extent::File));
        assert_eq!(output(&["p", "a", "--out", "x.parquet"]), (Format::Parquet, Extent::File));
        assert_eq!(output(&["p", "a", "--out", "x.CSV"]), (csv, Extent::File));
        assert_eq!(output(&["p", "a", "--out", "x.d/"]), (Format::Parquet, Extent::Folder));
        assert_eq!(output(&["p", "a", "--out", "x.csv/"]), (Format::Parquet, Extent::Folder));
        assert_eq!(output(&["p", "a", "--out", "x", "--format", "csv"]), (csv, Extent::Folder));
        assert_eq!(output(&["p", "a", "--out", ".csv"]), (Format::Parquet, Extent::Folder));
    }

    #[test]
    fn an_output_that_makes_no_sense_is_misuse() {
        let misuse = |words: &[&str]| output_of(&args(words)).unwrap_err().message;
        let words = ["p", "a", "--out", "x.csv", "--format", "jsonl"];
        assert_eq!(misuse(&words), "`--format jsonl` and the ending of `--out` do not agree");
        assert_eq!(misuse(&["p", "a", "b", "--out", "x.csv"]), "several inputs do not fit into one file");
        let words = ["p", "a", "--out", "x.jsonl", "--csv-escape-formulas"];
        assert_eq!(misuse(&words), "`--csv-escape-formulas` has no meaning in jsonl");
        for out in ["x.tsv", "x.d", "x.csv.gz"] {
            assert!(misuse(&["p", "a", "--out", out]).starts_with("no table is written as `."), "{out}");
        }
        assert!(refused(&["p", "a", "--format", "csv"]).contains("--out"));
    }

    #[test]
    fn whatif_writes_nothing_wherever_out_points() {
        let args = args(&["p", "a", "--out", "o", "--whatif"]);
        assert_eq!(args.outcome(), Outcome::Judged);
        assert_eq!(args.preview_rows_wanted(), 0);
    }

    #[test]
    fn a_sink_is_a_database_by_its_path_as_it_stands() {
        let out = |uri: &str| args(&["p", "a", "--sink", uri]).sink.unwrap();
        assert_eq!(out("sqlite:///a b/%20.db"), Path::new("/a b/%20.db"));
        assert_eq!(out("sqlite://rel/x.db"), Path::new("rel/x.db"));
        let args = args(&["p", "a", "b", "--sink", "sqlite://x.db"]);
        assert_eq!(output_of(&args).unwrap(), (Format::Parquet, Extent::Database));
        assert_eq!(args.outcome(), Outcome::Loaded);
        for bad in
            ["x.db", "sqlite:x.db", "sqlite://", "sqlite://x.db?table=t", "sqlite://x/", "postgres://x"]
        {
            refused(&["p", "a", "--sink", bad]);
        }
    }

    #[test]
    fn a_sink_goes_with_nothing_that_is_about_files() {
        for word in ["--out=o", "--replace", "--watch", "--format=csv", "--csv-escape-formulas"] {
            refused(&["p", "a", "--sink", "sqlite://x.db", word]);
        }
    }

    #[test]
    fn replace_needs_an_out() {
        assert!(refused(&["p", "a", "--replace"]).contains("--out"));
    }
}
