//! The parts of a dataset: files that input after input joins, each once it has ended well.
//!
//! Rows of the input at hand are held back in memory. When it ends well they join the part that stands open; when it fails they
//! are dropped, and nothing of it was ever in a file. Past a bound they do not fit: then the open part ends, and the input has
//! a part of its own, which is worth nothing until it has ended well.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::take::take_record_batch;
use casparian_core::contract::verdict::Accepted;
use casparian_core::flow::Tally;
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use casparian_core::intake::TableId;

use super::{
    Encoders, Format, Layout, Making, Provenance, RECORD_NO, SOURCE, SinkFault, TableFile, decimals,
    file_rows, file_schema, never_opened, what,
};
use crate::columns::{self, Column, SchemaRule};
use crate::orders::{FileFor, Kept};
use crate::quarantine;

/// Most bytes of one input that are held back.
const HELD_BYTES_MAX: u64 = 32 << 20;
/// Rows may be a corner of a batch that they keep in memory as a whole. Past so many times their own size they are copied.
const PINNED_TIMES_MAX: usize = 4;
/// What rows may keep in memory without being copied.
const PINNED_BYTES_MAX: usize = 64 << 10;

/// Gives an empty file of the part that is open.
pub(crate) type ProvidePart = Box<dyn FnMut(&FileFor) -> io::Result<File> + Send>;
/// Hears that the part that was open is complete.
pub(crate) type PartEnded = Box<dyn FnMut() -> io::Result<()> + Send>;
/// Asks whether the columns that a table has in the input at hand fit into the dataset. Returns why they do not.
pub(crate) type AskColumns = Box<dyn FnMut(&TableName, &[Column]) -> io::Result<Option<String>> + Send>;

/// The parts, for the two that write to them.
pub(crate) type Shared = Arc<Mutex<Parts>>;

/// Takes the parts. Who has panicked with them has ended the process.
pub(crate) fn lock(parts: &Shared) -> MutexGuard<'_, Parts> {
    parts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The parts that one worker writes.
pub(crate) struct Parts {
    provide: ProvidePart,
    ended: PartEnded,
    ask: AskColumns,
    format: Format,
    rule: SchemaRule,
    encoders: Encoders,
    held_bytes_max: u64,
    /// Tables whose columns have been agreed on.
    agreed: BTreeMap<TableName, Agreed>,
    /// Files of the part that is open.
    files: BTreeMap<FileFor, PartFile>,
    /// What the footer of the open quarantine says of the cells in it.
    notes: BTreeMap<String, String>,
    input: Option<Input>,
}

/// What has been agreed on the columns of a table.
struct Agreed {
    /// As the last input had them.
    last: SchemaRef,
    /// As all inputs since the beginning have them, which is how files are begun.
    columns: Vec<Column>,
    schema: SchemaRef,
}

/// A file of the part that is open.
struct PartFile {
    schema: SchemaRef,
    file: TableFile,
}

/// The input at hand.
struct Input {
    provenance: Provenance,
    tables_wanted: usize,
    /// Tables that it opened, with the columns that their rows have in a file.
    tables: Vec<(TableName, SchemaRef)>,
    held: Vec<(FileFor, RecordBatch)>,
    held_bytes: u64,
    notes: BTreeMap<String, String>,
    /// Whether the open part is its own.
    owns_part: bool,
}

impl Parts {
    /// Opens no part yet.
    pub(crate) fn new(
        (format, rule): (Format, SchemaRule),
        encoders: Encoders,
        provide: ProvidePart,
        ended: PartEnded,
        ask: AskColumns,
    ) -> Self {
        Self {
            provide,
            ended,
            ask,
            format,
            rule,
            encoders,
            held_bytes_max: HELD_BYTES_MAX,
            agreed: BTreeMap::new(),
            files: BTreeMap::new(),
            notes: BTreeMap::new(),
            input: None,
        }
    }

    /// Forgets what was agreed on columns.
    pub(crate) fn forget(&mut self) {
        self.agreed.clear();
    }

    /// Begins an input. Whatever the one before has left behind is dropped.
    /// `tables_wanted` of them share the memory there is.
    pub(crate) fn begin(&mut self, provenance: Provenance, tables_wanted: usize) {
        let provenance = Provenance { input_sha256: None, packed: None, ..provenance };
        self.input = Some(Input {
            provenance,
            tables_wanted,
            tables: Vec::new(),
            held: Vec::new(),
            held_bytes: 0,
            notes: BTreeMap::new(),
            owns_part: false,
        });
    }

    /// Whether an input has begun that has neither joined nor been dropped.
    pub(crate) fn has_input(&self) -> bool {
        self.input.is_some()
    }

    /// Takes rows of the input at hand.
    pub(crate) fn keep(&mut self, to: FileFor, rows: RecordBatch) -> Result<(), SinkFault> {
        let rows = without_ballast(rows).map_err(|error| unfit(&to, &error))?;
        let held_bytes_max = self.held_bytes_max;
        let Some(input) = self.input.as_mut() else { return Err(no_input()) };
        if input.owns_part {
            let schema = rows.schema();
            return self.put(&to, rows, &schema);
        }
        input.held_bytes = input.held_bytes.saturating_add(rows.get_array_memory_size() as u64);
        input.held.push((to, rows));
        if input.held_bytes > held_bytes_max { self.spill() } else { Ok(()) }
    }

    /// Notes what the cells of a table are, for the quarantine's footer.
    pub(crate) fn note(&mut self, key: String, value: String) {
        if let Some(input) = self.input.as_mut() {
            input.notes.insert(key, value);
        }
    }

    /// Hears that the input at hand has ended well, with all its tables. Its columns must fit into the dataset. Returns what is
    /// to be kept of the part that was its own.
    pub(crate) fn join(&mut self, tally: &Tally) -> Result<Option<Kept>, SinkFault> {
        let Some(input) = self.input.as_mut() else { return Err(no_input()) };
        let mut tables = std::mem::take(&mut input.tables);
        let is_wanted = |to: &FileFor| tally.held.is_empty() || *to == FileFor::Quarantine;
        // Of an input that is held no row is in a table, so its columns are no matter either.
        tables.retain(|(table, _)| is_wanted(&FileFor::Table(table.clone())));
        self.agree(&tables)?;
        let Some(input) = self.input.as_mut() else { return Err(no_input()) };
        let (held, notes) = (std::mem::take(&mut input.held), std::mem::take(&mut input.notes));
        let owns_part = input.owns_part;
        if !owns_part && (self.is_noted_otherwise(&notes) || self.is_too_narrow(&tables)) {
            self.close()?;
        }
        for (to, rows) in held.into_iter().filter(|(to, _)| is_wanted(to)) {
            let schema = self.agreed_schema(&to).unwrap_or_else(|| rows.schema());
            self.put(&to, rows, &schema)?;
        }
        // A table without rows has a file all the same: its columns are worth knowing.
        for (table, schema) in tables {
            let to = FileFor::Table(table);
            let agreed = self.agreed_schema(&to).filter(|_| !owns_part);
            self.file(&to, &agreed.unwrap_or(schema))?;
        }
        self.write_notes(notes);
        self.input = None;
        if !owns_part {
            return Ok(None);
        }
        self.close_files()?;
        Ok(Some(if tally.held.is_empty() { Kept::All } else { Kept::Quarantine }))
    }

    /// Hears that the input at hand has failed. Returns what is to be kept of the part that was its own: nothing.
    pub(crate) fn drop_input(&mut self) -> Option<Kept> {
        let owned_part = self.input.take().is_some_and(|input| input.owns_part);
        owned_part.then(|| {
            self.files.clear();
            self.notes.clear();
            Kept::Nothing
        })
    }

    /// Completes the part that is open, if one is, and says so.
    pub(crate) fn close(&mut self) -> Result<(), SinkFault> {
        if self.files.is_empty() {
            return Ok(());
        }
        self.close_files()?;
        (self.ended)().map_err(|error| SinkFault::NoFile { file: "the next part".to_owned(), error })
    }

    fn close_files(&mut self) -> Result<(), SinkFault> {
        self.notes.clear();
        std::mem::take(&mut self.files).into_values().try_for_each(|part| part.file.close().map(drop))
    }

    /// Gives the input a part of its own, since it does not fit into memory.
    fn spill(&mut self) -> Result<(), SinkFault> {
        self.close()?;
        let Some(input) = self.input.as_mut() else { return Err(no_input()) };
        input.owns_part = true;
        input.held_bytes = 0;
        std::mem::take(&mut input.held).into_iter().try_for_each(|(to, rows)| {
            let schema = rows.schema();
            self.put(&to, rows, &schema)
        })
    }

    /// Writes rows into the file of the open part. Where it is not there yet, it is begun with the columns of `schema`.
    fn put(&mut self, to: &FileFor, rows: RecordBatch, schema: &SchemaRef) -> Result<(), SinkFault> {
        let part = self.file(to, schema)?;
        let rows = columns::conform(rows, &part.schema).map_err(|error| unfit(to, &error))?;
        part.file.write(rows)
    }

    /// Returns the file of the open part, begun where it is not there yet.
    fn file(&mut self, to: &FileFor, schema: &SchemaRef) -> Result<&mut PartFile, SinkFault> {
        if !self.files.contains_key(to) {
            let file = self.begin_file(to, schema)?;
            self.files.insert(to.clone(), PartFile { schema: Arc::clone(schema), file });
        }
        self.files.get_mut(to).ok_or_else(no_input)
    }

    fn begin_file(&mut self, to: &FileFor, schema: &SchemaRef) -> Result<TableFile, SinkFault> {
        let Some(input) = &self.input else { return Err(no_input()) };
        let (provenance, tables) = (input.provenance.clone(), input.tables_wanted);
        let file = (self.provide)(to).map_err(|error| SinkFault::NoFile { file: shown(to), error })?;
        let (format, layout) = match to {
            FileFor::Quarantine => (Format::Parquet, quarantine::layout()),
            _ => (self.format, layout(tables)),
        };
        let making = Making { format, provenance, layout, encoders: self.encoders.clone() };
        TableFile::create(file, shown(to), Arc::clone(schema), &making)
    }

    /// Has it agreed what columns tables have, all of them or none. Those of the last input are not asked for again.
    fn agree(&mut self, tables: &[(TableName, SchemaRef)]) -> Result<(), SinkFault> {
        let mut fresh = Vec::new();
        for (table, schema) in tables {
            let known = self.agreed.get(table);
            if known.is_some_and(|known| known.last == *schema) {
                continue;
            }
            let found = columns::of(schema);
            let differ =
                |difference| SinkFault::OtherColumns { table: table.clone(), rule: self.rule, difference };
            let is_unspoken =
                if self.rule == SchemaRule::Union { columns::first_unspoken(&found, schema) } else { None };
            let asked = is_unspoken.map_or_else(|| (self.ask)(table, &found), |why| Ok(Some(why)));
            let refused = asked.map_err(|error| SinkFault::NoFile { file: what(table), error })?;
            if let Some(difference) = refused {
                return Err(differ(difference));
            }
            let columns = known.map_or(Ok(found.clone()), |known| columns::unite(&known.columns, &found));
            fresh.push((table.clone(), Arc::clone(schema), columns.map_err(differ)?));
        }
        fresh.into_iter().try_for_each(|(table, last, columns)| self.widen(table, last, columns))
    }

    fn widen(&mut self, table: TableName, last: SchemaRef, columns: Vec<Column>) -> Result<(), SinkFault> {
        let near = match self.agreed.get(&table) {
            Some(known) => Schema::try_merge([known.schema.as_ref().clone(), last.as_ref().clone()]),
            None => Ok(last.as_ref().clone()),
        };
        let schema = near.and_then(|near| columns::schema(&columns, &near));
        let schema = schema.map_err(|error| unfit_table(&table, &error))?;
        self.agreed.insert(table, Agreed { last, columns, schema });
        Ok(())
    }

    /// Returns the columns that all inputs have had so far.
    fn agreed_schema(&self, to: &FileFor) -> Option<SchemaRef> {
        let FileFor::Table(table) = to else { return None };
        self.agreed.get(table).map(|agreed| Arc::clone(&agreed.schema))
    }

    /// Whether a file that is open lacks columns that the input at hand brings.
    fn is_too_narrow(&self, tables: &[(TableName, SchemaRef)]) -> bool {
        tables.iter().any(|(table, _)| {
            let to = FileFor::Table(table.clone());
            let part = self.files.get(&to);
            part.is_some_and(|part| self.agreed_schema(&to).is_some_and(|agreed| agreed != part.schema))
        })
    }

    /// Whether the open quarantine says other things of the cells of a table.
    fn is_noted_otherwise(&self, notes: &BTreeMap<String, String>) -> bool {
        notes.iter().any(|(key, value)| self.notes.get(key).is_some_and(|noted| noted != value))
    }

    fn write_notes(&mut self, notes: BTreeMap<String, String>) {
        let part = self.files.get_mut(&FileFor::Quarantine);
        let Some(PartFile { file: TableFile::Parquet(file), .. }) = part else { return };
        for (key, value) in notes {
            if self.notes.insert(key.clone(), value.clone()).is_none() {
                file.note(key, value);
            }
        }
    }
}

/// Returns how parts of tables are written. Numbers of records and offsets begin again with every input.
pub(super) fn layout(tables_wanted: usize) -> Layout {
    Layout { ascending: &[RECORD_NO], ..Layout::among(tables_wanted) }
}

fn no_input() -> SinkFault {
    SinkFault::NoFile { file: "a part".to_owned(), error: io::Error::other("no input was begun") }
}

fn unfit(to: &FileFor, error: &ArrowError) -> SinkFault {
    SinkFault::Unwritten { file: shown(to), bytes: 0, error: error.to_string() }
}

fn unfit_table(table: &TableName, error: &ArrowError) -> SinkFault {
    unfit(&FileFor::Table(table.clone()), error)
}

fn shown(to: &FileFor) -> String {
    match to {
        FileFor::Table(table) => what(table),
        FileFor::Quarantine => "the quarantine".to_owned(),
        FileFor::Scratch | FileFor::Spool => "a scratch file".to_owned(),
    }
}

/// Copies rows that keep much more in memory than they are.
fn without_ballast(rows: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let count = rows.num_rows();
    let own = usize::try_from(super::chunks::logical_bytes(&rows, count)).unwrap_or(usize::MAX);
    let most = own.saturating_mul(PINNED_TIMES_MAX).saturating_add(PINNED_BYTES_MAX);
    match (rows.get_array_memory_size() > most, u32::try_from(count)) {
        (true, Ok(count)) => take_record_batch(&rows, &UInt32Array::from_iter_values(0..count)),
        _ => Ok(rows),
    }
}

/// The sinks of one input among many.
pub struct PartTables {
    parts: Shared,
    /// What people call the input: in every row.
    source: String,
    tables: BTreeMap<TableId, (TableName, SchemaRef)>,
}

impl PartTables {
    pub(crate) fn new(parts: Shared, source: String) -> Self {
        Self { parts, source, tables: BTreeMap::new() }
    }

    pub(super) fn open(&mut self, table: TableId, name: &TableName, declared: &SchemaRef) {
        self.tables.insert(table, (name.clone(), Arc::clone(declared)));
    }

    pub(super) fn write(&mut self, table: TableId, rows: &Accepted) -> Result<(), SinkFault> {
        let Some((name, declared)) = self.tables.get(&table) else { return Err(never_opened(table)) };
        if let Some((column, error)) = decimals::first_misfit(rows.rows()) {
            let column = GuestText::new(&column, 64);
            return Err(SinkFault::Decimal { file: what(name), column, error });
        }
        let rows = self.with_source(declared, rows).map_err(|error| unfit_table(name, &error))?;
        lock(&self.parts).keep(FileFor::Table(name.clone()), rows)
    }

    /// Says which tables there were, with the columns that they have in a file.
    pub(super) fn finish(self, tally: &Tally) {
        let mut parts = lock(&self.parts);
        let Some(input) = parts.input.as_mut() else { return };
        for (id, (name, declared)) in self.tables {
            let has_spans = tally.tables.get(id.0).is_some_and(|table| table.has_spans);
            let written = file_schema(&declared, has_spans);
            input.tables.push((name, part_schema(&written, declared.fields().len())));
        }
    }

    /// Adds the column that says which input a row is from: behind the payload, before what says where in it.
    fn with_source(&self, declared: &SchemaRef, rows: &Accepted) -> Result<RecordBatch, ArrowError> {
        let rows = file_rows(declared, rows)?;
        let payload = declared.fields().len();
        let names = std::iter::repeat_n(self.source.as_str(), rows.num_rows());
        let source: ArrayRef = Arc::new(StringArray::from_iter_values(names));
        let mut columns = rows.columns().to_vec();
        columns.insert(payload, source);
        RecordBatch::try_new(part_schema(&rows.schema(), payload), columns)
    }
}

fn part_schema(written: &Schema, payload: usize) -> SchemaRef {
    let mut fields = written.fields().to_vec();
    fields.insert(payload, Arc::new(Field::new(SOURCE, DataType::Utf8, false)));
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use casparian_core::flow::{BrokenBudget, TableTally};
    use casparian_core::id::Digest;

    use super::*;

    type Files = Vec<(FileFor, File)>;

    /// Files that parts were given, with what is in them, and how often a part has ended.
    #[derive(Default, Clone)]
    struct Given(Arc<Mutex<(Files, usize)>>);

    impl Given {
        fn parts(&self) -> Parts {
            self.parts_by(SchemaRule::Same)
        }

        fn parts_by(&self, rule: SchemaRule) -> Parts {
            let (files, ends) = (Arc::clone(&self.0), Arc::clone(&self.0));
            let provide = move |what: &FileFor| {
                let file = tempfile::tempfile()?;
                files.lock().unwrap().0.push((what.clone(), file.try_clone()?));
                Ok(file)
            };
            let ended = move || {
                ends.lock().unwrap().1 += 1;
                Ok(())
            };
            let known: Mutex<BTreeMap<TableName, Vec<Column>>> = Mutex::default();
            let ask = move |table: &TableName, found: &[Column]| {
                let mut known = known.lock().unwrap();
                let fit =
                    known.get(table).map_or(Ok(found.to_vec()), |known| columns::fit(rule, known, found));
                Ok(fit.map(|columns| drop(known.insert(table.clone(), columns))).err())
            };
            let how = (Format::JsonLines, rule);
            Parts::new(how, Encoders::default(), Box::new(provide), Box::new(ended), Box::new(ask))
        }

        fn texts(&self) -> Vec<String> {
            let read = |(_, file): &(FileFor, File)| {
                use std::os::unix::fs::FileExt as _;
                let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
                file.read_exact_at(&mut bytes, 0).unwrap();
                String::from_utf8(bytes).unwrap()
            };
            self.0.lock().unwrap().0.iter().map(read).collect()
        }

        fn ends(&self) -> usize {
            self.0.lock().unwrap().1
        }
    }

    fn orders() -> TableName {
        TableName::new("orders").unwrap()
    }

    fn provenance() -> Provenance {
        Provenance {
            parser_name: GuestText::new("p", 64),
            parser_version: GuestText::new("1", 64),
            parser_sha256: Digest::of(b"p"),
            input_sha256: Some(Digest::of(b"i").into()),
            packed: None,
            contract: None,
        }
    }

    fn numbers(numbers: &[i64]) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(numbers.to_vec()))]).unwrap()
    }

    fn tally(held: bool) -> Tally {
        let broken = BrokenBudget {
            table: orders(),
            rule: "r".to_owned(),
            expected: String::new(),
            observed: String::new(),
        };
        Tally {
            held: held.then_some(broken).into_iter().collect(),
            tables: Vec::<TableTally>::new(),
            ..Tally::default()
        }
    }

    fn begin(parts: &mut Parts, rows: &RecordBatch) {
        parts.begin(provenance(), 1);
        parts.input.as_mut().unwrap().tables.push((orders(), rows.schema()));
        parts.keep(FileFor::Table(orders()), rows.clone()).unwrap();
    }

    #[test]
    fn rows_of_many_inputs_join_one_file_once_each_has_ended_well() {
        let given = Given::default();
        let mut parts = given.parts();
        begin(&mut parts, &numbers(&[1]));
        assert_eq!(given.texts(), [""; 0], "nothing is written before the end");
        assert_eq!(parts.join(&tally(false)).unwrap(), None);
        begin(&mut parts, &numbers(&[2]));
        assert_eq!(parts.drop_input(), None);
        begin(&mut parts, &numbers(&[3]));
        parts.join(&tally(false)).unwrap();
        parts.close().unwrap();
        assert_eq!((given.texts(), given.ends()), (vec!["{\"n\":1}\n{\"n\":3}\n".to_owned()], 1));
    }

    #[test]
    fn an_input_that_does_not_fit_has_a_part_of_its_own_between_those_of_the_others() {
        let given = Given::default();
        let mut parts = given.parts();
        begin(&mut parts, &numbers(&[1]));
        parts.join(&tally(false)).unwrap();
        parts.held_bytes_max = 0;
        begin(&mut parts, &numbers(&[2]));
        assert_eq!(given.ends(), 1, "what the others have written is complete");
        assert_eq!(parts.join(&tally(false)).unwrap(), Some(Kept::All));
        begin(&mut parts, &numbers(&[3]));
        assert_eq!(parts.drop_input(), Some(Kept::Nothing));
        assert_eq!(given.texts()[..2], ["{\"n\":1}\n", "{\"n\":2}\n"]);
    }

    #[test]
    fn an_input_with_other_columns_does_not_join() {
        let given = Given::default();
        let mut parts = given.parts();
        begin(&mut parts, &numbers(&[1]));
        parts.join(&tally(false)).unwrap();
        let other = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let other = RecordBatch::try_new(other, vec![Arc::new(Int64Array::from(vec![2]))]).unwrap();
        begin(&mut parts, &other);
        let fault = parts.join(&tally(false)).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "table `orders` has other columns than the dataset: column 1 is `n` (Int64, never null), there `n` (Int64)"
        );
        parts.drop_input();
        begin(&mut parts, &numbers(&[3]));
        parts.join(&tally(false)).unwrap();
        parts.close().unwrap();
        assert_eq!(given.texts(), ["{\"n\":1}\n{\"n\":3}\n"]);
    }

    fn named(names: &[&str], value: i64) -> RecordBatch {
        let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![value]));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![column; names.len()]).unwrap()
    }

    #[test]
    fn an_input_with_more_columns_begins_a_part_and_one_with_fewer_does_not() {
        let given = Given::default();
        let mut parts = given.parts_by(SchemaRule::Union);
        for (names, value) in [(vec!["a"], 1), (vec!["b", "a"], 2), (vec!["a"], 3), (vec!["b"], 4)] {
            begin(&mut parts, &named(&names, value));
            parts.join(&tally(false)).unwrap();
        }
        parts.close().unwrap();
        let wider = "{\"a\":2,\"b\":2}\n{\"a\":3,\"b\":null}\n{\"a\":null,\"b\":4}\n";
        assert_eq!((given.texts(), given.ends()), (vec!["{\"a\":1}\n".to_owned(), wider.to_owned()], 2));
    }

    #[test]
    fn an_input_that_is_held_brings_no_columns() {
        let given = Given::default();
        let mut parts = given.parts();
        begin(&mut parts, &named(&["other"], 1));
        parts.join(&tally(true)).unwrap();
        begin(&mut parts, &numbers(&[1]));
        parts.join(&tally(false)).unwrap();
        parts.close().unwrap();
        assert_eq!(given.texts(), ["{\"n\":1}\n"]);
    }

    #[test]
    fn an_input_that_is_held_leaves_its_quarantine_alone() {
        let given = Given::default();
        let mut parts = given.parts();
        begin(&mut parts, &numbers(&[1]));
        parts.join(&tally(true)).unwrap();
        parts.close().unwrap();
        assert_eq!((given.texts(), given.ends()), (vec![], 0));
        parts.held_bytes_max = 0;
        begin(&mut parts, &numbers(&[1]));
        assert_eq!(parts.join(&tally(true)).unwrap(), Some(Kept::Quarantine));
    }

    #[test]
    fn a_corner_of_a_batch_does_not_keep_the_batch() {
        let corner = numbers(&vec![7; 1 << 20]).slice(5, 3);
        let copied = without_ballast(corner.clone()).unwrap();
        assert_eq!(copied, corner);
        assert!(copied.get_array_memory_size() < 4096, "{}", copied.get_array_memory_size());
    }
}
