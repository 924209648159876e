//! `host contract infer INPUT… --parser PARSER`

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use casparian_core::fault::{Blame, FaultReport};
use casparian_core::infer::settle::{Answers, QUESTIONS};
use casparian_core::isolate::OnTrap;
use casparian_host::columns::SchemaRule;
use casparian_host::dataset::{ManyRequest, RECYCLE_AFTER, Told};
use casparian_host::infer::{InferRequest, Inferred, infer};
use casparian_host::packing::Compression;
use casparian_host::run::{ContractChoice, LogLevel, RunRequest, TableChoice};
use casparian_host::sinks::Format;
use casparian_host::source::ReadSizes;
use casparian_host::staging::Extent;

use super::isolation::Required;
use super::limit::{self, LimitSetting};
use super::run::key_value;
use super::surroundings::{Surroundings, cores, stop_flag};
use crate::exit::Exit;
use crate::render::{LogFloor, Render};

const HELP: &str = "\
Every column begins with all types there are, and a value can only take some
away, so the draft accepts every row of these inputs. What the values leave open
(is 01/02/2024 in January?) is a question in the draft, and the column stays text
until `--assume` answers it.

Questions, and their answers:
  dates   does the day or the month come first?      dmy, mdy, text
  comma   before a fraction, or between groups?      decimal, group, text
  point   the same of the point                      decimal, group, text
  digits  is 20240201 a date or a number?            date, number, text
  plus    is +4915112345 a number?                   number, text

Examples:
  host contract infer logs --parser csv.wasm --out logs.odcs.yaml
  host contract infer logs --parser csv.wasm --assume dates=dmy
  host contract infer logs --parser csv.wasm --why amount";

/// What `host contract infer` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// Files, folders whose files are meant, and quoted patterns, as `host run` takes them
    #[arg(required = true)]
    inputs: Vec<PathBuf>,

    /// Leave out of folders and patterns what this matches
    #[arg(long = "ignore", value_name = "PATTERN")]
    ignored: Vec<String>,

    /// The parser: a WebAssembly component, or a Python program
    #[arg(long, value_name = "PARSER")]
    parser: PathBuf,

    /// Write the draft to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Show what speaks for and against the types of this column, COLUMN or TABLE.COLUMN, in the place of the draft
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["out", "json"])]
    why: Vec<String>,

    /// Answer a question beforehand, for every column that it comes up in
    #[arg(long, value_name = "QUESTION=ANSWER", value_parser = answer)]
    assume: Vec<(String, String)>,

    /// The tables to draft: names; else all that the parser has
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tables: Vec<String>,

    /// An option for the parser; `host inspect` lists them
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = key_value)]
    options: Vec<(String, String)>,

    #[arg(long = "limit", value_name = "KEY=VALUE", value_delimiter = ',', value_parser = limit::parse, help = limit::HELP)]
    limits: Vec<LimitSetting>,

    /// How many inputs are run side by side, and where there are fewer inputs, how many ranges of one; else as many as there
    /// are cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,

    #[command(flatten)]
    required: Required,

    /// Print one JSON object: the draft, and what was found of every column
    #[arg(long)]
    json: bool,

    /// Show no progress
    #[arg(long)]
    no_progress: bool,
}

/// Reads an answer to one of the questions.
fn answer(text: &str) -> Result<(String, String), String> {
    let (key, value) = key_value(text).map_err(|_| "takes QUESTION=ANSWER, as in dates=dmy".to_owned())?;
    let Some((_, answers)) = QUESTIONS.iter().find(|(question, _)| *question == key) else {
        let questions: Vec<&str> = QUESTIONS.iter().map(|(question, _)| *question).collect();
        return Err(format!("there is no question `{key}`; there are {}", questions.join(", ")));
    };
    match answers.contains(&value.as_str()) {
        true => Ok((key, value)),
        false => Err(format!("`{key}` is answered by one of {}", answers.join(", "))),
    }
}

/// Drafts a contract.
pub(super) fn run(args: &Args, render: &mut Render) -> Exit {
    let limits = match limit::apply_for(Some(&args.parser), &args.limits) {
        Ok(limits) => limits,
        Err(message) => {
            render.usage(&message, "give each limit once");
            return Exit::Usage;
        }
    };
    let request = match request(args, limits) {
        Ok(request) => request,
        Err(fault) => return failed(&fault, false, render),
    };
    let name = args.inputs.first().map(|input| input.to_string_lossy()).unwrap_or_default();
    let mut view = render.progress(&name, !args.no_progress, LogFloor::From(LogLevel::Warn));
    let inferred = infer(&request, &mut |told| {
        if let Told::Progress(progress) = told {
            render.hear(&mut view, progress);
        }
    });
    view.close();
    match inferred {
        Ok(inferred) => tell(args, &inferred, render),
        Err(fault) => failed(&fault, request.many.each.stop.load(Ordering::Relaxed), render),
    }
}

fn failed(fault: &FaultReport, interrupted: bool, render: &mut Render) -> Exit {
    render.fault(fault, None);
    if interrupted { Exit::Interrupted } else { Exit::from_blame(fault.blame) }
}

fn tell(args: &Args, inferred: &Inferred, render: &mut Render) -> Exit {
    if !args.why.is_empty() {
        return why(args, inferred, render);
    }
    if let Some(path) = &args.out
        && let Err(error) = write(path, &inferred.draft)
    {
        return failed(&unwritten(path, &error), false, render);
    }
    match (args.json, &args.out) {
        (true, _) => render.json(inferred),
        (false, None) => render.draft(&inferred.draft),
        (false, Some(_)) => {}
    }
    render.inferred(inferred, args.out.as_deref());
    Exit::from_code(inferred.exit)
}

fn why(args: &Args, inferred: &Inferred, render: &mut Render) -> Exit {
    let unknown = args.why.iter().find(|name| inferred.find(name).is_empty());
    if let Some(name) = unknown {
        let fault = FaultReport {
            blame: Blame::Operator,
            code: "no-such-column".to_owned(),
            message: format!("no table has a column {name}"),
            hint: Some(format!("there are {}", inferred.some_columns())),
            at: None,
        };
        return failed(&fault, false, render);
    }
    args.why.iter().for_each(|name| render.why(&inferred.find(name)));
    Exit::from_code(inferred.exit)
}

/// Writes a new file; one that is there is not touched.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn unwritten(path: &Path, error: &io::Error) -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "draft-not-written".to_owned(),
        message: format!("cannot write {}: {error}", path.display()),
        hint: Some("--out makes a new file and replaces none".to_owned()),
        at: None,
    }
}

fn request(args: &Args, limits: casparian_core::limits::Limits) -> Result<InferRequest, FaultReport> {
    // An hour's work should not end at a file that is there.
    if let Some(path) = args.out.as_deref().filter(|path| path.symlink_metadata().is_ok()) {
        return Err(unwritten(path, &io::ErrorKind::AlreadyExists.into()));
    }
    let Surroundings { cache_dir, program: worker_exe, python_runtime } = Surroundings::look()?;
    let each = RunRequest {
        component: args.parser.clone(),
        input: args.inputs.first().cloned().unwrap_or_default(),
        compression: Compression::Auto,
        member: None,
        out: None,
        extent: Extent::Folder,
        format: Format::Parquet,
        replace: false,
        tables: if args.tables.is_empty() {
            TableChoice::All
        } else {
            TableChoice::Named(args.tables.clone())
        },
        options: args.options.clone(),
        limits,
        contract: ContractChoice::Declared,
        strict: false,
        preview_rows: 0,
        log_level: LogLevel::Warn,
        input_name: None,
        range_bytes: None,
        threads: args.jobs.map_or_else(cores, usize::from),
        on_trap: OnTrap::Isolate,
        read_sizes: ReadSizes::default(),
        cache_dir,
        python_runtime,
        worker_exe,
        require_isolation: args.required.level,
        stop: stop_flag()?,
    };
    Ok(InferRequest {
        many: ManyRequest {
            inputs: args.inputs.clone(),
            called: Vec::new(),
            ignored: args.ignored.clone(),
            schema: SchemaRule::Same,
            jobs: each.threads,
            each,
            recycle_after: RECYCLE_AFTER,
        },
        beside: args.out.as_deref().and_then(Path::parent).map(Path::to_owned),
        answers: args.assume.iter().cloned().collect::<Answers>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_that_its_question_has() {
        assert_eq!(answer("dates=dmy"), Ok(("dates".to_owned(), "dmy".to_owned())));
        assert!(answer("dates=ymd").unwrap_err().contains("dmy, mdy, text"));
        assert!(answer("colour=red").unwrap_err().contains("dates, comma"));
    }

    #[test]
    fn the_help_names_every_question_and_answer() {
        for (question, answers) in QUESTIONS {
            let line = HELP.lines().find(|line| line.trim_start().starts_with(question)).unwrap_or_default();
            assert!(line.ends_with(&answers.join(", ")), "{question}: {line}");
        }
    }
}
