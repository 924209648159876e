//! The shape of a table: its columns and their types.

/// The unit of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Milli,
    /// Microseconds.
    Micro,
    /// Nanoseconds.
    Nano,
}

/// The type of a column, as Arrow knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A signed integer of 8, 16, 32 or 64 bits.
    Int(u8),
    /// An unsigned integer of 8, 16, 32 or 64 bits.
    Uint(u8),
    /// A float of 32 or 64 bits.
    Float(u8),
    /// Text, up to 2 GiB in a batch.
    Utf8,
    /// Text with 64-bit offsets.
    LargeUtf8,
    /// Bytes.
    Binary,
    /// Bytes, the same number in every row (1 or more).
    FixedBytes(u32),
    /// Days since 1970-01-01.
    Date32,
    /// A point in time since 1970-01-01; with a zone it is an instant, without one a wall clock.
    Timestamp(Unit, Option<String>),
    /// Time of day, in micro- or nanoseconds.
    Time64(Unit),
    /// A decimal of up to 38 digits: precision and scale.
    Decimal(u8, i8),
    /// A list of values.
    List(Box<Type>),
    /// A few fields in one cell.
    Struct(Vec<Field>),
}

/// A column of a [`Schema`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name: 1 to 256 bytes of printable text, without the prefix `_cf_`.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// Whether a row may leave it out.
    pub nullable: bool,
    /// What it holds.
    pub doc: String,
}

/// The name of a table and its columns. The reserved columns are the SDK's affair and are not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The table's name: `[a-z][a-z0-9_]{0,62}`.
    pub name: String,
    /// What a row of it is.
    pub doc: String,
    /// Whether a run that names no tables wants it.
    pub default_on: bool,
    /// Whether its rows may carry faults (a column `_cf_faults`).
    pub with_faults: bool,
    /// Whether a row comes from a record (columns `_cf_offset`, `_cf_length`). Rows of a table without are about the input as a whole.
    pub with_spans: bool,
    /// Its columns.
    pub fields: Vec<Field>,
}

impl Schema {
    /// Starts the schema of a table that is wanted by default and whose rows may carry faults.
    pub fn new(name: &str) -> Schema {
        Schema {
            name: name.into(),
            doc: String::new(),
            default_on: true,
            with_faults: true,
            with_spans: true,
            fields: Vec::new(),
        }
    }

    /// Says what a row is.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        self.doc = doc.into();
        self
    }

    /// Makes it a table that is written only when asked for.
    #[must_use]
    pub fn default_off(mut self) -> Self {
        self.default_on = false;
        self
    }

    /// Leaves the column `_cf_faults` out: the faults of its records stand in another table.
    #[must_use]
    pub fn without_faults(mut self) -> Self {
        self.with_faults = false;
        self
    }

    /// Makes it a table about the input as a whole: its rows come from no record ([`crate::Table::loose_row`]) and have no faults.
    #[must_use]
    pub fn without_spans(mut self) -> Self {
        self.with_spans = false;
        self.without_faults()
    }

    /// Adds a column that every row has.
    #[must_use]
    pub fn column(self, name: &str, kind: Type) -> Self {
        self.field(Field { name: name.into(), kind, nullable: false, doc: String::new() })
    }

    /// Adds a column that a row may leave out.
    #[must_use]
    pub fn nullable(self, name: &str, kind: Type) -> Self {
        self.field(Field { name: name.into(), kind, nullable: true, doc: String::new() })
    }

    /// Adds a column.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }
}
