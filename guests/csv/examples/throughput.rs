//! parses an input natively, throws the rows away and says how fast that was: `throughput <input> [rounds] [tables]`.
//!
//! What is measured is the parser alone: reading the file, judging and writing rows are not in it. Time is that of the
//! processor where the system tells it (Linux), so that a busy machine does not look like a slow parser.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program says what it found")]

use std::cell::Cell;
use std::process::ExitCode;
use std::time::Instant;

use casparian_sdk::host::{Blob, Host, Level, Rejection};
use casparian_sdk::{Fault, Options, Parser, SkipKind, Span, session};
use csv::Csv;

/// Seconds of processor time so far, where the system tells them.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    stat.split_whitespace().next()?.parse::<f64>().ok().map(|nanos| nanos / 1e9)
}

struct Bytes(Vec<u8>);

impl Blob for Bytes {
    fn name(&self) -> String {
        "input".into()
    }
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn read(&self, offset: u64, len: u32, into: &mut Vec<u8>) {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        into.extend_from_slice(&self.0[start..self.0.len().min(start + len as usize)]);
    }
}

/// Counts what it is given and keeps nothing.
#[derive(Default)]
struct Counter {
    tables: String,
    bytes: Cell<u64>,
    rejects: Cell<u64>,
}

impl Host for Counter {
    fn attachment(&self, _: &str) -> Option<Box<dyn Blob>> {
        None
    }
    fn open(&self, _: &str, _: &[u8]) -> Result<u32, Fault> {
        Ok(0)
    }
    fn emit(&self, _: u32, batch: &[u8]) -> Result<(), Fault> {
        self.bytes.set(self.bytes.get() + batch.len() as u64);
        Ok(())
    }
    fn reject(&self, records: &[Rejection]) -> Result<(), Fault> {
        self.rejects.set(self.rejects.get() + records.len() as u64);
        Ok(())
    }
    fn skip(&self, _: Span, _: SkipKind, _: &str) -> Result<(), Fault> {
        Ok(())
    }
    fn commit(&self, _: u64) -> Result<(), Fault> {
        Ok(())
    }
    fn wanted(&self, table: &str) -> bool {
        self.tables.split(',').any(|wanted| wanted == table)
    }
    fn batch_bytes(&self) -> u32 {
        1 << 20
    }
    fn log_enabled(&self, _: Level) -> bool {
        false
    }
    fn log(&self, _: Level, _: &str, _: Option<Span>) {}
}

fn round(input: &Bytes, options: &Options, tables: &str) -> Result<Counter, Fault> {
    let host = Counter { tables: tables.to_owned(), ..Counter::default() };
    let layout = session::plan(&Csv, &host, input, options, 64 << 20)?;
    for range in layout.ranges {
        session::parse(&Csv, &host, input, range, &layout.context, options)?;
    }
    Ok(host)
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(input) = words.next().and_then(|path| std::fs::read(path).ok()).map(Bytes) else {
        eprintln!("usage: throughput <input> [rounds] [tables]");
        return ExitCode::from(2);
    };
    let rounds: usize = words.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let tables = words.next().unwrap_or_else(|| "rows".to_owned());
    let options = Options::new(&Csv.describe(), Vec::new());
    let mut seconds = Vec::new();
    for _ in 0..rounds.max(1) {
        let (start, processor) = (Instant::now(), processor_seconds());
        match round(&input, &options, &tables) {
            Ok(host) => {
                let spent = processor_seconds().zip(processor).map(|(end, start)| end - start);
                seconds.push(spent.unwrap_or_else(|| start.elapsed().as_secs_f64()));
                println!(
                    "{:.3} s, {} bytes of batches, {} rejections",
                    seconds[seconds.len() - 1],
                    host.bytes.get(),
                    host.rejects.get()
                );
            }
            Err(fault) => {
                eprintln!("{fault}");
                return ExitCode::FAILURE;
            }
        }
    }
    seconds.sort_by(f64::total_cmp);
    let megabytes = input.0.len() as f64 / 1e6;
    println!(
        "best {:.0} MB/s, median {:.0} MB/s",
        megabytes / seconds[0],
        megabytes / seconds[seconds.len() / 2]
    );
    ExitCode::SUCCESS
}
