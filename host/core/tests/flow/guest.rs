//! A fake guest: it says the same records in any order of buffers, cuts and commits that the interface allows, and now and
//! then breaks a rule or falls over.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow_ipc::writer::{
    CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions, write_message,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use casparian_core::fault::Span;
use casparian_core::guest_text::GuestText;
use casparian_core::intake::{self, Intake, Refusal, Rejection, SkipKind, TableId};

use super::oracle::{FAULTS, Row, TABLES, Truth, table_name};
use super::seed::Seed;

/// One word of the guest.
#[derive(Debug)]
pub(crate) enum Said {
    Open(usize),
    Emit(usize, Vec<(Span, Row)>),
    Reject(Vec<Span>),
    Skip(Span),
    Commit(u64),
    /// A row before the watermark or past the end, a commit that goes back.
    Break(Breach),
}

#[derive(Debug)]
pub(crate) enum Breach {
    CommitBack,
    CommitPastTheEnd,
    SpanPastTheEnd,
    EmptySpan,
    UnknownFault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Returns,
    Traps,
    IsRefused,
}

#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) said: Vec<Said>,
    pub(crate) ending: Ending,
    /// Where the last commit of the script stands.
    pub(crate) released_up_to: u64,
}

impl Script {
    pub(crate) fn draw(truth: &Truth, seed: &mut Seed) -> Self {
        let mut script = Self::draw_complete(truth, seed);
        script.ending = match seed.below(6) {
            0 => Ending::Traps,
            1 => Ending::IsRefused,
            _ => return script,
        };
        // Tables are opened first, so that a cut never makes a later word impossible.
        let cut = TABLES + seed.below((script.said.len() - TABLES) as u64) as usize;
        script.said.truncate(cut);
        let mut commits =
            script.said.iter().filter_map(|s| if let Said::Commit(at) = s { Some(*at) } else { None });
        script.released_up_to = commits.next_back().unwrap_or(0);
        if script.ending == Ending::IsRefused {
            let breach = match seed.below(5) {
                0 if script.released_up_to > 0 => Breach::CommitBack,
                0 | 1 => Breach::CommitPastTheEnd,
                2 => Breach::SpanPastTheEnd,
                3 => Breach::EmptySpan,
                _ => Breach::UnknownFault,
            };
            script.said.push(Said::Break(breach));
        }
        script
    }

    /// Says everything there is to say, in some order.
    pub(crate) fn draw_complete(truth: &Truth, seed: &mut Seed) -> Self {
        let mut said: Vec<Said> = (0..TABLES).map(Said::Open).collect();
        let mut buffers: Vec<Vec<(Span, Row)>> = vec![Vec::new(); TABLES];
        let mut rejected: Vec<Span> = Vec::new();
        let mut skips = truth.skips.iter().copied().peekable();
        for record in &truth.records {
            while let Some(skip) = skips.next_if(|skip| skip.offset < record.at.offset) {
                said.push(Said::Skip(skip));
            }
            for row in &record.rows {
                buffers[row.table].push((record.at, row.clone()));
            }
            rejected.extend(record.is_rejected.then_some(record.at));
            // A flush of one table is no commit: its records may have rows elsewhere, or still to come.
            if seed.one_in(3) {
                let table = seed.below(TABLES as u64) as usize;
                flush(table, &mut buffers, &mut said, seed);
            }
            if seed.one_in(4) {
                flush_all(&mut buffers, &mut rejected, &mut said, seed);
                said.push(Said::Commit(record.at.offset + 1 + seed.below(record.at.length)));
            }
        }
        skips.for_each(|skip| said.push(Said::Skip(skip)));
        flush_all(&mut buffers, &mut rejected, &mut said, seed);
        said.push(Said::Commit(truth.input_bytes));
        Self { said, ending: Ending::Returns, released_up_to: truth.input_bytes }
    }
}

fn flush_all(
    buffers: &mut [Vec<(Span, Row)>],
    rejected: &mut Vec<Span>,
    said: &mut Vec<Said>,
    seed: &mut Seed,
) {
    let first = seed.below(TABLES as u64) as usize;
    (0..TABLES).for_each(|at| flush((first + at) % TABLES, buffers, said, seed));
    if !rejected.is_empty() {
        said.push(Said::Reject(std::mem::take(rejected)));
    }
}

/// Says a table's buffer in one batch or in two.
fn flush(table: usize, buffers: &mut [Vec<(Span, Row)>], said: &mut Vec<Said>, seed: &mut Seed) {
    let mut rows = std::mem::take(&mut buffers[table]);
    let rest = rows.split_off(rows.len() - seed.below(rows.len() as u64 + 1) as usize);
    // Nothing asks for the order of the input within what a commit releases, but the rows of one record keep theirs.
    let is_cut_inside = rows.last().map(|r| r.0) == rest.first().map(|r| r.0);
    let parts = if seed.one_in(2) && !is_cut_inside { [rest, rows] } else { [rows, rest] };
    for part in parts {
        if !part.is_empty() || seed.one_in(10) {
            said.push(Said::Emit(table, part));
        }
    }
}

impl Said {
    pub(crate) fn tell(&self, intake: &mut Intake) -> Result<Option<intake::Said>, Refusal> {
        let some = |said| Ok(Some(said));
        match self {
            Said::Open(table) => Ok(intake.open(table_name(*table).as_str(), &schema_message())?.1),
            Said::Emit(table, rows) => some(intake.emit(TableId(*table), &batch_message(rows))?),
            Said::Reject(spans) => some(intake.reject(spans.iter().map(|at| rejection(*at, 1)).collect())?),
            Said::Skip(at) => some(intake.skip(*at, SkipKind::Blank)?),
            Said::Commit(up_to) => intake.commit(*up_to),
            Said::Break(breach) => breach.tell(intake),
        }
    }
}

impl Breach {
    fn tell(&self, intake: &mut Intake) -> Result<Option<intake::Said>, Refusal> {
        let at = |intake: &Intake, length| Span { offset: intake.watermark(), length };
        let said = match self {
            Breach::CommitBack => return intake.commit(intake.watermark() - 1),
            Breach::CommitPastTheEnd => return intake.commit(u64::MAX),
            Breach::SpanPastTheEnd => intake.skip(Span { offset: 0, length: u64::MAX }, SkipKind::Other),
            Breach::EmptySpan => intake.reject(vec![rejection(at(intake, 0), 0)]),
            Breach::UnknownFault => intake.reject(vec![rejection(at(intake, 1), 99)]),
        };
        said.map(Some)
    }
}

fn rejection(at: Span, fault: u16) -> Rejection {
    Rejection { at, fault, message: GuestText::new("", 1) }
}

fn schema() -> SchemaRef {
    let item = Arc::new(Field::new("item", DataType::Utf8, true));
    Arc::new(Schema::new(vec![
        Field::new("value", DataType::Int64, false),
        Field::new("_cf_offset", DataType::UInt64, false),
        Field::new("_cf_length", DataType::UInt32, false),
        Field::new("_cf_faults", DataType::List(item), true),
    ]))
}

pub(crate) fn schema_message() -> Vec<u8> {
    schema_message_of(&schema())
}

pub(crate) fn schema_message_of(schema: &Schema) -> Vec<u8> {
    let options = IpcWriteOptions::default();
    let encoded = IpcDataGenerator {}.schema_to_bytes_with_dictionary_tracker(
        schema,
        &mut DictionaryTracker::new(true),
        &options,
    );
    let mut message = Vec::new();
    write_message(&mut message, encoded, &options).expect("written to memory");
    message
}

pub(crate) fn batch_message(rows: &[(Span, Row)]) -> Vec<u8> {
    let mut faults = ListBuilder::new(StringBuilder::new());
    for (_, row) in rows {
        if row.is_faulty {
            faults.values().append_value(FAULTS[0]);
        }
        faults.append(row.is_faulty);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter(rows.iter().map(|(_, row)| row.value))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(at, _)| at.offset))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|(at, _)| at.length as u32))),
        Arc::new(faults.finish()),
    ];
    // On the wire a column declared not null may hold nulls: that is for the judge to see.
    let relaxed =
        schema().fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    batch_message_of(
        &RecordBatch::try_new(Arc::new(Schema::new(relaxed)), columns).expect("columns of one length"),
    )
}

pub(crate) fn batch_message_of(batch: &RecordBatch) -> Vec<u8> {
    let options = IpcWriteOptions::default();
    let encoded = IpcDataGenerator {}.encode(
        batch,
        &mut DictionaryTracker::new(true),
        &options,
        &mut CompressionContext::default(),
    );
    let (_, encoded) = encoded.expect("no dictionaries");
    let mut message = Vec::new();
    write_message(&mut message, encoded, &options).expect("written to memory");
    message
}
