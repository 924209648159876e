//! A host that remembers what it is told and refuses what `wit/world.wit` forbids.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::decode::{WireSchema, batch, schema};
use super::{Memory, Run, Said, fault_codes};
use crate::describe::{Description, Layout};
use crate::fault::{Fault, Span};
use crate::host::SkipKind;
use crate::host::{Blob, Host, Level, Rejection};

/// The largest batch that a host takes.
const BATCH_BYTES_MAX: usize = 16 << 20;
const BATCH_BYTES: u32 = 1 << 20;

pub(super) struct Recorder<'a> {
    run: &'a Run,
    faults: Vec<String>,
    tables: BTreeSet<String>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    said: Said,
    /// Tables opened in this range.
    open: Vec<(String, WireSchema)>,
    /// All tables opened so far: they need the same schema every time.
    schemas: Vec<(String, WireSchema)>,
    range: Span,
    watermark: u64,
    /// The end of the furthest thing said, and the start of the furthest record.
    end: u64,
    last_begun: Option<u64>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(run: &'a Run, description: &Description, input_bytes: u64) -> Recorder<'a> {
        let tables = description.tables.iter().map(|table| table.name.clone()).collect();
        let range = Span::new(0, input_bytes);
        let state = State { said: Said { input_bytes, ..Said::default() }, range, ..State::default() };
        Recorder { run, faults: fault_codes(description), tables, state: RefCell::new(state) }
    }

    /// Judges what `plan` returned.
    pub(super) fn judge_layout(&self, layout: &Layout) -> Result<(), Fault> {
        let mut end = 0;
        for range in &layout.ranges {
            if range.offset != end || range.is_empty() {
                return Err(Fault::new(
                    "layout-broken",
                    format!("a range begins at {}, the one before it ends at {end}", range.offset),
                ));
            }
            end = range.end();
        }
        let len = self.state.borrow().said.input_bytes;
        if end == len {
            Ok(())
        } else {
            Err(Fault::new("layout-broken", format!("the ranges cover {end} of {len} bytes")))
        }
    }

    /// Starts the parsing of a range.
    pub(super) fn enter(&self, range: Span) {
        let mut state = self.state.borrow_mut();
        state.open.clear();
        state.range = range;
        state.last_begun = None;
    }

    /// Ends it: nothing may be left uncommitted.
    pub(super) fn leave(&self) -> Result<(), Fault> {
        let state = self.state.borrow();
        match state.last_begun {
            Some(begun) if begun >= state.watermark => {
                let message =
                    format!("a record at {begun} is not committed: the watermark is at {}", state.watermark);
                Err(Fault::new("uncommitted", message))
            }
            _ => Ok(()),
        }
    }

    /// Returns what was said. Fails where records overlap.
    pub(super) fn finish(self) -> Result<Said, Fault> {
        let said = self.state.into_inner().said;
        for pair in said.records().windows(2) {
            if pair[0].end() > pair[1].offset {
                return Err(Fault::new(
                    "spans-overlap",
                    format!("the record at {} reaches into the next", pair[0]),
                )
                .at(pair[1]));
            }
        }
        Ok(said)
    }
}

impl State {
    /// Judges where something said begins and ends.
    fn place(&mut self, span: Span) -> Result<(), Fault> {
        if span.offset < self.watermark {
            let message =
                format!("something begins at {}, before the watermark at {}", span.offset, self.watermark);
            return Err(Fault::new("behind-watermark", message).at(span));
        }
        if span.offset < self.range.offset || span.offset >= self.range.end() {
            let message = format!("something begins at {}, outside the range ({})", span.offset, self.range);
            return Err(Fault::new("outside-range", message).at(span));
        }
        if span.end() > self.said.input_bytes {
            let message = format!("something ends at {}, the input at {}", span.end(), self.said.input_bytes);
            return Err(Fault::new("outside-input", message).at(span));
        }
        self.end = self.end.max(span.end());
        self.last_begun = self.last_begun.max(Some(span.offset));
        Ok(())
    }
}

impl Host for Recorder<'_> {
    fn attachment(&self, name: &str) -> Option<Box<dyn Blob>> {
        let (name, bytes) = self.run.attachments.iter().find(|it| it.0 == name)?;
        Some(Box::new(Memory::new(name, bytes).with_read_seed(self.run.read_seed)))
    }

    fn open(&self, table: &str, message: &[u8]) -> Result<u32, Fault> {
        let state = &mut *self.state.borrow_mut();
        if !self.tables.contains(table) {
            return Err(Fault::new("table-undeclared", format!("table `{table}` is not in the description")));
        }
        let opened = schema(message)?;
        match state.schemas.iter().find(|known| known.0 == table) {
            Some(known) if known.1 != opened => {
                return Err(Fault::new(
                    "schema-changed",
                    format!("table `{table}` was opened with another schema before"),
                ));
            }
            Some(_) => {}
            None => state.schemas.push((table.into(), opened.clone())),
        }
        state.said.tables.entry(table.into()).or_default();
        state.open.push((table.into(), opened));
        Ok(state.open.len() as u32 - 1)
    }

    fn emit(&self, table: u32, message: &[u8]) -> Result<(), Fault> {
        let state = &mut *self.state.borrow_mut();
        let Some((name, schema)) = state.open.get(table as usize).cloned() else {
            return Err(Fault::new("table-closed", format!("table {table} is not open")));
        };
        if message.len() > BATCH_BYTES_MAX {
            let message = format!("a batch has {} bytes: limit {BATCH_BYTES_MAX}", message.len());
            return Err(Fault::new("batch-too-large", message));
        }
        for row in batch(&schema, message)? {
            if !row.span.is_empty() {
                state.place(row.span)?;
            }
            if let Some(code) = row.faults.iter().find(|code| !self.faults.contains(code)) {
                return Err(Fault::new(
                    "fault-undeclared",
                    format!("fault `{code}` is not in the description"),
                )
                .at(row.span));
            }
            state.said.tables.entry(name.clone()).or_default().push(row);
        }
        Ok(())
    }

    fn reject(&self, records: &[Rejection]) -> Result<(), Fault> {
        let state = &mut *self.state.borrow_mut();
        for record in records {
            state.place(record.at)?;
            if usize::from(record.fault) >= self.faults.len() {
                let message = format!("fault {} of {} declared", record.fault, self.faults.len());
                return Err(Fault::new("fault-undeclared", message).at(record.at));
            }
        }
        state.said.rejects.extend_from_slice(records);
        Ok(())
    }

    fn skip(&self, at: Span, kind: SkipKind, note: &str) -> Result<(), Fault> {
        let state = &mut *self.state.borrow_mut();
        state.place(at)?;
        match state.said.skips.last_mut() {
            Some(last) if last.0.end() == at.offset && last.1 == kind && last.2 == note => {
                last.0.length += at.length
            }
            _ => state.said.skips.push((at, kind, note.into())),
        }
        Ok(())
    }

    fn commit(&self, up_to: u64) -> Result<(), Fault> {
        let state = &mut *self.state.borrow_mut();
        let furthest = state.range.end().max(state.end);
        if up_to < state.watermark || up_to > furthest {
            let message = format!(
                "the watermark was moved to {up_to}: it stands at {}, the range ends at {furthest}",
                state.watermark
            );
            return Err(Fault::new("watermark-broken", message));
        }
        state.watermark = up_to;
        state.said.commits.push(up_to);
        Ok(())
    }

    fn wanted(&self, table: &str) -> bool {
        self.run.tables.is_empty() || self.run.tables.iter().any(|wanted| wanted == table)
    }

    fn batch_bytes(&self) -> u32 {
        if self.run.batch_bytes == 0 { BATCH_BYTES } else { self.run.batch_bytes }
    }

    fn log_enabled(&self, _: Level) -> bool {
        true
    }

    fn log(&self, level: Level, message: &str, at: Option<Span>) {
        self.state.borrow_mut().said.log.push((level, message.into(), at));
    }
}
