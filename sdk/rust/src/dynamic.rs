//! Columns that are known only when the input is: a header names them, a dictionary types them.

use crate::column::ColumnSet;
use crate::column::{At, Binary, Column, Fixed, Flags, List, Packed, Struct, Text};
use crate::ipc::Body;
use crate::schema::{Field, Schema, Type};

/// The columns of a table that was opened by its schema, with [`crate::Output::open`].
///
/// ```
/// # use casparian_sdk::prelude::*;
/// # use casparian_sdk::dynamic::Dynamic;
/// # use casparian_sdk::schema::{Schema, Type};
/// # fn parse(header: &str, out: &Output, span: Span) -> Result<(), Fault> {
/// let schema = header.split(',').fold(Schema::new("rows"), |schema, name| schema.nullable(name, Type::Utf8));
/// let mut rows = out.open(&schema, Dynamic::new(&schema))?;
/// let mut row = rows.row(span)?;
/// let at = row.at();
/// if let Some(cell) = row.text(0) {
///     cell.set(at, "ACME");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Dynamic(Vec<AnyColumn>);

impl Dynamic {
    /// Makes empty columns of a schema's types.
    pub fn new(schema: &Schema) -> Dynamic {
        Dynamic::of(&schema.fields)
    }

    fn of(fields: &[Field]) -> Dynamic {
        Dynamic(fields.iter().map(|field| AnyColumn::new(&field.kind)).collect())
    }

    /// Returns a column by its place in the schema.
    #[inline]
    pub fn column(&mut self, index: usize) -> Option<&mut AnyColumn> {
        self.0.get_mut(index)
    }

    /// Returns a column by its place in the schema, if it is one of text.
    #[inline]
    pub fn text(&mut self, index: usize) -> Option<&mut Text> {
        match self.0.get_mut(index) {
            Some(AnyColumn::Text(column)) => Some(column),
            _ => None,
        }
    }
}

impl ColumnSet for Dynamic {
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Column)) {
        self.0.iter_mut().for_each(|column| visit(column.as_column()));
    }
}

/// A column of any type.
pub enum AnyColumn {
    /// [`Type::Bool`].
    Bool(Flags),
    /// [`Type::Int`] of 8 bits.
    Int8(Fixed<i8>),
    /// [`Type::Int`] of 16 bits.
    Int16(Fixed<i16>),
    /// [`Type::Int`] of 32 bits, and [`Type::Date32`].
    Int32(Fixed<i32>),
    /// [`Type::Int`] of 64 bits, [`Type::Timestamp`] and [`Type::Time64`].
    Int64(Fixed<i64>),
    /// [`Type::Uint`] of 8 bits.
    Uint8(Fixed<u8>),
    /// [`Type::Uint`] of 16 bits.
    Uint16(Fixed<u16>),
    /// [`Type::Uint`] of 32 bits.
    Uint32(Fixed<u32>),
    /// [`Type::Uint`] of 64 bits.
    Uint64(Fixed<u64>),
    /// [`Type::Float`] of 32 bits.
    Float32(Fixed<f32>),
    /// [`Type::Float`] of 64 bits.
    Float64(Fixed<f64>),
    /// [`Type::Decimal`].
    Decimal(Fixed<i128>),
    /// [`Type::Utf8`] and [`Type::LargeUtf8`].
    Text(Text),
    /// [`Type::Binary`].
    Binary(Binary),
    /// [`Type::FixedBytes`].
    Packed(Packed),
    /// [`Type::List`].
    List(Box<List<AnyColumn>>),
    /// [`Type::Struct`].
    Struct(Box<Struct<Dynamic>>),
}

impl AnyColumn {
    /// Makes an empty column of a type. A width that there is not counts as the widest.
    pub fn new(kind: &Type) -> AnyColumn {
        match kind {
            Type::Bool => AnyColumn::Bool(Flags::new()),
            Type::Int(8) => AnyColumn::Int8(Fixed::new()),
            Type::Int(16) => AnyColumn::Int16(Fixed::new()),
            Type::Int(32) | Type::Date32 => AnyColumn::Int32(Fixed::new()),
            Type::Int(_) | Type::Timestamp(..) | Type::Time64(_) => AnyColumn::Int64(Fixed::new()),
            Type::Uint(8) => AnyColumn::Uint8(Fixed::new()),
            Type::Uint(16) => AnyColumn::Uint16(Fixed::new()),
            Type::Uint(32) => AnyColumn::Uint32(Fixed::new()),
            Type::Uint(_) => AnyColumn::Uint64(Fixed::new()),
            Type::Float(32) => AnyColumn::Float32(Fixed::new()),
            Type::Float(_) => AnyColumn::Float64(Fixed::new()),
            Type::Decimal(..) => AnyColumn::Decimal(Fixed::new()),
            Type::Utf8 => AnyColumn::Text(Text::new(false)),
            Type::LargeUtf8 => AnyColumn::Text(Text::new(true)),
            Type::Binary => AnyColumn::Binary(Binary::new()),
            Type::FixedBytes(width) => AnyColumn::Packed(Packed::new(*width)),
            Type::List(item) => AnyColumn::List(Box::new(List::new(AnyColumn::new(item)))),
            Type::Struct(fields) => AnyColumn::Struct(Box::new(Struct::new(Dynamic::of(fields)))),
        }
    }

    /// Returns it without its type, for writing.
    fn as_column(&mut self) -> &mut dyn Column {
        match self {
            AnyColumn::Bool(column) => column,
            AnyColumn::Int8(column) => column,
            AnyColumn::Int16(column) => column,
            AnyColumn::Int32(column) => column,
            AnyColumn::Int64(column) => column,
            AnyColumn::Uint8(column) => column,
            AnyColumn::Uint16(column) => column,
            AnyColumn::Uint32(column) => column,
            AnyColumn::Uint64(column) => column,
            AnyColumn::Float32(column) => column,
            AnyColumn::Float64(column) => column,
            AnyColumn::Decimal(column) => column,
            AnyColumn::Text(column) => column,
            AnyColumn::Binary(column) => column,
            AnyColumn::Packed(column) => column,
            AnyColumn::List(column) => &mut **column,
            AnyColumn::Struct(column) => &mut **column,
        }
    }

    /// Sets the cell of a row from text, if this is a column of text; returns whether it is. A list gets one item more.
    pub fn set_text(&mut self, at: At, text: &str) -> bool {
        match self {
            AnyColumn::Text(column) => column.set(at, text),
            AnyColumn::List(column) => {
                let (items, item) = column.item(at);
                return items.set_text(item, text);
            }
            _ => return false,
        }
        true
    }
}

impl Column for AnyColumn {
    fn bytes(&mut self, rows: usize) -> usize {
        self.as_column().bytes(rows)
    }

    fn write(&mut self, rows: u32, body: &mut Body) {
        self.as_column().write(rows, body);
    }
}
