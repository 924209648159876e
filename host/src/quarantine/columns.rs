//! The columns of a quarantine file, and rows on their way into them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder as _, BinaryBuilder, BooleanBuilder, StringBuilder, UInt64Builder};
use arrow_array::{
    ArrayRef, ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray, UInt32Array,
    new_null_array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use casparian_core::contract::Severity;
use casparian_core::contract::verdict::{BrokenRule, Rejected, Violation};
use casparian_core::id::Digest;

use super::{Circumstances, Ids, RAW_BYTES_MAX, Record, cells};
use crate::source::Source;

/// Rows that are gathered before they are encoded.
pub(super) const GATHERED_ROWS_MAX: usize = 8 << 10;
/// Bytes that are gathered before they are encoded.
const GATHERED_BYTES_MAX: usize = 1 << 20;
/// What the house says of every row that enters.
const OPEN: &str = "open";
/// Past this many the digests of rules are computed anew.
const RULES_KEPT: usize = 1 << 10;

/// Rows on their way into a batch, by column. What is the same in all of them is added at the end.
#[derive(Default)]
pub(super) struct Gathered {
    rows: usize,
    /// Bytes in the columns whose values have no fixed width.
    bytes: usize,
    q_id: StringBuilder,
    row_id: StringBuilder,
    table: StringBuilder,
    record_no: UInt64Builder,
    line_first: UInt64Builder,
    line_last: UInt64Builder,
    byte_offset: UInt64Builder,
    byte_length: UInt64Builder,
    raw: BinaryBuilder,
    raw_truncated: BooleanBuilder,
    row: BinaryBuilder,
    /// The cells of one row, while they are put together.
    cells: Vec<u8>,
    n_violations: UInt64Builder,
    violations: GatheredViolations,
}

impl Gathered {
    pub(super) fn add(
        &mut self,
        ids: &Ids,
        rejected: &Rejected,
        record: &Record<'_>,
    ) -> Result<(), ArrowError> {
        let cells = self.cells_of(rejected)?;
        self.q_id.append_value(hex_digest(&ids.quarantined).as_str());
        self.row_id.append_value(hex_digest(&ids.row).as_str());
        self.table.append_option(rejected.row().map(|row| row.table().as_str()));
        self.record_no.append_option(rejected.record_no());
        self.line_first.append_option(record.lines.map(|lines| lines.first));
        self.line_last.append_option(record.lines.map(|lines| lines.last));
        self.byte_offset.append_option(record.at.map(|at| at.offset));
        self.byte_length.append_option(record.at.map(|at| at.length));
        self.raw.append_option(record.raw);
        self.raw_truncated.append_value(record.at.is_some_and(|at| at.length > RAW_BYTES_MAX as u64));
        self.n_violations.append_value(rejected.n_violations());
        let violations = self.violations.add(rejected.violations());
        self.rows += 1;
        self.bytes += record.raw.map_or(0, <[u8]>::len) + cells + violations;
        Ok(())
    }

    /// Adds the cells of a row, and returns their bytes.
    fn cells_of(&mut self, rejected: &Rejected) -> Result<usize, ArrowError> {
        let Some(row) = rejected.row() else {
            self.row.append_null();
            return Ok(0);
        };
        let (batch, at) = row.place();
        self.cells.clear();
        cells::write(batch, at, &mut self.cells)?;
        self.row.append_value(&self.cells);
        Ok(self.cells.len())
    }

    /// Takes the rows, and leaves room for as many.
    pub(super) fn take(&mut self) -> Self {
        let room = Self {
            rows: 0,
            bytes: 0,
            q_id: text_room(&self.q_id),
            row_id: text_room(&self.row_id),
            table: text_room(&self.table),
            record_no: number_room(&self.record_no),
            line_first: number_room(&self.line_first),
            line_last: number_room(&self.line_last),
            byte_offset: number_room(&self.byte_offset),
            byte_length: number_room(&self.byte_length),
            raw: bytes_room(&self.raw),
            raw_truncated: BooleanBuilder::with_capacity(self.rows),
            row: bytes_room(&self.row),
            cells: std::mem::take(&mut self.cells),
            n_violations: number_room(&self.n_violations),
            violations: self.violations.room(),
        };
        std::mem::replace(self, room)
    }

    pub(super) fn is_full(&self, shared_bytes_per_row: usize) -> bool {
        self.rows >= GATHERED_ROWS_MAX || self.bytes + self.rows * shared_bytes_per_row >= GATHERED_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Returns the rows with all their columns. `schema` is [`schema`]'s.
    pub(super) fn into_batch(
        mut self,
        schema: &SchemaRef,
        circumstances: &Circumstances,
        source: &Source,
    ) -> Result<RecordBatch, ArrowError> {
        let same = Same { rows: self.rows };
        let input_sha256 = circumstances.input_sha256.get().map_err(ArrowError::from)?;
        let provenance = &circumstances.provenance;
        let contract = provenance.contract.as_ref();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.q_id.finish()),
            Arc::new(self.row_id.finish()),
            same.text(None),
            Arc::new(UInt32Array::new_null(self.rows)),
            Arc::new(self.table.finish()),
            same.text(Some(source.name())),
            same.text(Some(&input_sha256.to_string())),
            Arc::new(self.record_no.finish()),
            Arc::new(self.line_first.finish()),
            Arc::new(self.line_last.finish()),
            Arc::new(self.byte_offset.finish()),
            Arc::new(self.byte_length.finish()),
            Arc::new(self.raw.finish()),
            Arc::new(self.raw_truncated.finish()),
            Arc::new(self.row.finish()),
            same.text(Some(provenance.parser_name.raw())),
            same.text(Some(provenance.parser_version.raw())),
            same.text(Some(&provenance.parser_sha256.to_string())),
            same.text(contract.map(|contract| contract.id.as_str())),
            same.text(contract.map(|contract| contract.version.as_str())),
            same.text(contract.map(|contract| contract.hash.to_string()).as_deref()),
            Arc::new(self.n_violations.finish()),
            same.text(Some(OPEN)),
            same.no_time(),
            same.no_time(),
            self.violations.finish()?,
        ];
        RecordBatch::try_new(Arc::clone(schema), columns)
    }
}

// What is gathered next is much like what was: a builder that has room is not moved as it grows.

fn text_room(of: &StringBuilder) -> StringBuilder {
    StringBuilder::with_capacity(of.len(), of.values_slice().len())
}

fn bytes_room(of: &BinaryBuilder) -> BinaryBuilder {
    BinaryBuilder::with_capacity(of.len(), of.values_slice().len())
}

fn number_room(of: &UInt64Builder) -> UInt64Builder {
    UInt64Builder::with_capacity(of.len())
}

/// Columns whose rows are all the same.
struct Same {
    rows: usize,
}

impl Same {
    fn text(&self, value: Option<&str>) -> ArrayRef {
        match value {
            Some(value) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, self.rows))),
            None => new_null_array(&DataType::Utf8, self.rows),
        }
    }

    fn no_time(&self) -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::new_null(self.rows).with_timezone("UTC"))
    }
}

/// The reasons of gathered rows, as one list for each row.
#[derive(Default)]
struct GatheredViolations {
    /// How many each row has.
    counts: Vec<usize>,
    code: StringBuilder,
    severity: StringBuilder,
    column: StringBuilder,
    rule: StringBuilder,
    rule_hash: StringBuilder,
    expected: StringBuilder,
    observed: StringBuilder,
    hashes: RuleHashes,
}

/// The digests of rules, by the rule's own address: rows that break one rule share it.
#[derive(Default)]
struct RuleHashes {
    /// A rule is kept with its digest, so that no other one can come to its address.
    kept: HashMap<usize, (Arc<BrokenRule>, Hex)>,
}

impl RuleHashes {
    fn of(&mut self, rule: &Arc<BrokenRule>) -> &str {
        if self.kept.len() >= RULES_KEPT {
            self.kept.clear();
        }
        let kept = self.kept.entry(Arc::as_ptr(rule).addr());
        kept.or_insert_with(|| (Arc::clone(rule), hex_digest(&rule.hash()))).1.as_str()
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

impl GatheredViolations {
    /// Adds the reasons of one row. Returns their bytes.
    fn add(&mut self, violations: &[Violation]) -> usize {
        self.counts.push(violations.len());
        violations.iter().map(|violation| self.add_one(violation)).sum()
    }

    fn add_one(&mut self, violation: &Violation) -> usize {
        let (code, rule) = (violation.code.as_str(), violation.rule.as_ref());
        let (column, expected) = (rule.column.as_deref(), rule.expected.as_deref());
        let observed = violation.observed.as_ref().map(|text| text.raw());
        self.code.append_value(code);
        self.severity.append_value(severity(rule.severity));
        self.column.append_option(column);
        self.rule.append_value(&rule.name);
        self.rule_hash.append_value(self.hashes.of(&violation.rule));
        self.expected.append_option(expected);
        self.observed.append_option(observed);
        let optional: usize = [column, expected, observed].into_iter().flatten().map(str::len).sum();
        code.len() + rule.name.len() + optional + 64
    }

    /// Returns an empty one with room for as much again.
    fn room(&self) -> Self {
        Self {
            counts: Vec::with_capacity(self.counts.len()),
            code: text_room(&self.code),
            severity: text_room(&self.severity),
            column: text_room(&self.column),
            rule: text_room(&self.rule),
            rule_hash: text_room(&self.rule_hash),
            expected: text_room(&self.expected),
            observed: text_room(&self.observed),
            hashes: RuleHashes::default(),
        }
    }

    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let fields = violation_fields();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.code.finish()),
            Arc::new(self.severity.finish()),
            Arc::new(self.column.finish()),
            Arc::new(self.rule.finish()),
            Arc::new(self.rule_hash.finish()),
            Arc::new(self.expected.finish()),
            Arc::new(self.observed.finish()),
        ];
        let structs = StructArray::try_new(fields.clone(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(self.counts);
        Ok(Arc::new(ListArray::try_new(violation_item(fields), offsets, Arc::new(structs), None)?))
    }
}

fn violation_fields() -> Fields {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Fields::from(vec![
        text("code", false),
        text("severity", false),
        text("column", true),
        text("rule", false),
        text("rule_hash", false),
        text("expected", true),
        text("observed", true),
    ])
}

fn violation_item(fields: Fields) -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(fields), false))
}

/// Returns the columns of a quarantine file, in their order.
pub(super) fn schema() -> SchemaRef {
    let field = Field::new;
    let text = |name: &'static str, nullable| field(name, DataType::Utf8, nullable);
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        text("q_id", false),
        text("row_id", false),
        text("job_id", true),
        field("attempt", DataType::UInt32, true),
        text("table", true),
        text("input_path", false),
        text("input_sha256", false),
        field("record_no", DataType::UInt64, true),
        field("line_first", DataType::UInt64, true),
        field("line_last", DataType::UInt64, true),
        field("byte_offset", DataType::UInt64, true),
        field("byte_length", DataType::UInt64, true),
        field("raw", DataType::Binary, true),
        field("raw_truncated", DataType::Boolean, false),
        field("row", DataType::Binary, true),
        text("parser_name", false),
        text("parser_version", false),
        text("parser_hash", false),
        text("contract_id", true),
        text("contract_version", true),
        text("contract_hash", true),
        field("n_violations", DataType::UInt64, false),
        text("status", false),
        field("first_seen", time(), true),
        field("last_seen", time(), true),
        field("violations", DataType::List(violation_item(violation_fields())), false),
    ]))
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A digest in hex, without the detour of a formatter: there are two of them in every row.
struct Hex([u8; 64]);

fn hex_digest(digest: &Digest) -> Hex {
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest.as_bytes()) {
        pair.copy_from_slice(&pair_of(*byte));
    }
    Hex(text)
}

fn pair_of(byte: u8) -> [u8; 2] {
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

impl Hex {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Returns bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| pair_of(*byte)).map(char::from).collect()
}
