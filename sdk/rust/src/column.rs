//! Typed columns. A cell is appended together with the number of its row, and a column that a row does not touch costs that row
//! nothing: what is missing is filled in, for all rows at once, when the batch is written.
//!
//! In one row the first value of a column stays; later ones are ignored.

mod strings;

use std::marker::PhantomData;

use crate::ipc::{Body, by_eights, narrow};
use crate::schema::{Schema, Type, Unit};
pub use strings::{Binary, Cut, Text};

/// The columns of an open table.
pub trait ColumnSet: 'static {
    /// Visits the columns in the order of the schema.
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Column));
}

/// The columns of a table that is known beforehand. Made by [`table!`](crate::table!), or by `#[derive(Row)]` of a struct whose
/// values are its rows.
pub trait Columns: ColumnSet {
    /// Returns name and columns.
    fn schema() -> Schema;

    /// Makes empty columns.
    fn empty() -> Self;
}

/// The row of a table that is being filled. Given out by [`crate::Row::at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(pub(crate) u32);

impl At {
    /// Returns the row that stands so many rows below.
    #[must_use]
    #[inline]
    pub fn plus(self, rows: u32) -> At {
        At(self.0 + rows)
    }
}

/// A column of the batch that is being filled.
pub trait Column {
    /// Returns about how many bytes a batch of `rows` rows would take of it.
    fn bytes(&mut self, rows: usize) -> usize;

    /// Writes its buffers for a batch of `rows` rows and starts over.
    #[doc(hidden)]
    fn write(&mut self, rows: u32, body: &mut Body);
}

/// Returns how many bytes say which of `rows` cells there are.
fn validity(rows: usize, present: usize) -> usize {
    if present == rows { 0 } else { rows / 8 }
}

/// A value that is a row of a table. Made by `#[derive(Row)]`; its fields are what [`Fill`]s a cell.
///
/// The table is called after the struct (`order_line` for `OrderLine`) unless `#[row(table = "…")]` says otherwise;
/// `#[row(default_off)]` and `#[row(without_faults)]` are as in [`table!`](crate::table!), and `#[row(name = "…")]` names a column
/// whose field is called otherwise. Doc comments become the docs of table and columns. Such a struct may also be a cell of
/// another, or a `Vec` of it.
///
/// ```
/// use casparian_sdk::prelude::*;
///
/// /// One row per trade.
/// #[derive(Row)]
/// #[row(table = "trades")]
/// struct Trade<'a> {
///     /// What was traded.
///     symbol: &'a str,
///     px: Option<Decimal<18, 4>>,
///     #[row(name = "type")]
///     kind: u8,
/// }
///
/// fn say(out: &Output, span: Span) -> Result<(), Fault> {
///     let mut trades = out.rows::<Trade>()?;
///     trades.push(span, Trade { symbol: "ACME", px: Some(Decimal::new(125_000)), kind: 1 })?;
///     Ok(())
/// }
/// ```
///
/// What a host would refuse does not compile. A row has columns, and they have names:
///
/// ```compile_fail
/// # use casparian_sdk::prelude::*;
/// #[derive(Row)]
/// struct Pair(u8, u8);
/// ```
///
/// Their types are known, and are those of a column:
///
/// ```compile_fail
/// # use casparian_sdk::prelude::*;
/// #[derive(Row)]
/// struct Any<T> { it: T }
/// ```
///
/// ```compile_fail
/// # use casparian_sdk::prelude::*;
/// #[derive(Row)]
/// struct Letter { it: char }
/// ```
///
/// No two have one name, case aside, and none is the host's:
///
/// ```compile_fail
/// # use casparian_sdk::prelude::*;
/// #[derive(Row)]
/// struct Twice { px: u8, #[row(name = "PX")] other: u8 }
/// ```
///
/// ```compile_fail
/// # use casparian_sdk::prelude::*;
/// #[derive(Row)]
/// struct Reserved { _cf_offset: u64 }
/// ```
///
/// ```compile_fail
/// # use casparian_sdk::prelude::*;
/// #[derive(Row)]
/// #[row(table = "Upper")]
/// struct Named { px: u8 }
/// ```
///
/// And there is no other word for `row`:
///
/// ```compile_fail
/// # use casparian_sdk::prelude::*;
/// #[derive(Row)]
/// #[row(tabel = "prices")]
/// struct Price { px: u8 }
/// ```
pub trait IntoRow: Sized {
    /// The columns of the table.
    type Columns: Columns;

    /// Puts the fields into the cells of a row.
    fn into_row(self, columns: &mut Self::Columns, at: At);
}

/// What a field of [`table!`](crate::table!) or of a row may be: it chooses the column that holds it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the type of a column",
    note = "columns are `bool`, numbers, `&str`, `String`, bytes, `Date`, `Time`, `Timestamp`, `Decimal`, lists and rows; `Option` of them"
)]
pub trait Cell {
    /// The column that holds it.
    type Column: Column + 'static;
    /// Whether a row may leave it out.
    const NULLABLE: bool = false;
    /// Returns its type.
    fn kind() -> Type;
    /// Makes an empty column.
    fn column() -> Self::Column;
}

/// A value that fills a cell.
#[diagnostic::on_unimplemented(message = "a cell cannot be filled with `{Self}`")]
pub trait Fill: Cell {
    /// Puts it into the cell of a row.
    fn fill(self, column: &mut Self::Column, at: At);
}

/// A decimal of `P` digits, `S` of them fractional; its cells are `i128` in units of the last digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal<const P: u8, const S: i8>(i128);
/// A timestamp in a unit since 1970-01-01; its cells are `i64`. Without a zone it is a wall clock.
pub struct Timestamp<U, Z = NoZone>(i64, PhantomData<(U, Z)>);
/// A time of day in [`Micros`] or [`Nanos`]; its cells are `i64`.
pub struct Time<U>(i64, PhantomData<U>);
/// A day; its cells are `i32` days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(i32);
/// `N` bytes in every row.
pub struct FixedBytes<const N: u32>;
/// Text with 64-bit offsets.
pub struct LargeText;
/// The columns of `C` (made with [`table!`](crate::table!)) in one cell.
pub struct Nested<C>(PhantomData<C>);
/// Seconds.
pub struct Seconds;
/// Milliseconds.
pub struct Millis;
/// Microseconds.
pub struct Micros;
/// Nanoseconds.
pub struct Nanos;
/// No time zone: a wall clock.
pub struct NoZone;
/// The zone `UTC`: an instant.
pub struct Utc;

/// A unit of time as a type.
pub trait TimeUnit {
    /// The unit.
    const UNIT: Unit;
}
impl TimeUnit for Seconds {
    const UNIT: Unit = Unit::Second;
}
impl TimeUnit for Millis {
    const UNIT: Unit = Unit::Milli;
}
impl TimeUnit for Micros {
    const UNIT: Unit = Unit::Micro;
}
impl TimeUnit for Nanos {
    const UNIT: Unit = Unit::Nano;
}

/// A time zone as a type.
pub trait Zone {
    /// Its name, if it is one.
    const ZONE: Option<&'static str>;
}
impl Zone for NoZone {
    const ZONE: Option<&'static str> = None;
}
impl Zone for Utc {
    const ZONE: Option<&'static str> = Some("UTC");
}

impl<const P: u8, const S: i8> Decimal<P, S> {
    /// Makes a decimal of so many units of the last digit.
    pub const fn new(units: i128) -> Self {
        Decimal(units)
    }
}

impl<U, Z> Timestamp<U, Z> {
    /// Makes a timestamp of so many units since 1970-01-01.
    pub const fn new(units: i64) -> Self {
        Timestamp(units, PhantomData)
    }
}

impl<U> Time<U> {
    /// Makes a time of so many units since midnight.
    pub const fn new(units: i64) -> Self {
        Time(units, PhantomData)
    }
}

impl Date {
    /// Makes a day of so many days since 1970-01-01.
    pub const fn new(days: i32) -> Self {
        Date(days)
    }
}

/// A value of fixed width that a [`Fixed`] column can hold.
pub trait Native: Copy + 'static {
    /// Bytes of one value.
    const WIDTH: usize;
    /// Writes one value for each row of a zeroed buffer, little endian. `cells` are rows and values, rows ascending.
    #[doc(hidden)]
    fn write(cells: &[(u32, Self)], buffer: &mut [u8]);
}

macro_rules! native {
    ($($native:ty),+) => {$(
        impl Native for $native {
            const WIDTH: usize = size_of::<$native>();
            #[inline(never)]
            fn write(cells: &[(u32, Self)], buffer: &mut [u8]) {
                let slots = buffer.as_chunks_mut::<{ size_of::<$native>() }>().0;
                if cells.len() == slots.len() {
                    by_eights(slots, cells, |slot, cell| *slot = cell.1.to_le_bytes());
                } else {
                    cells.iter().for_each(|(row, value)| slots[*row as usize] = value.to_le_bytes());
                }
            }
        }
    )+};
}
native!(i8, i16, i32, i64, i128, u8, u16, u32, u64, f32, f64);

macro_rules! plain_cells {
    ($($cell:ty => $kind:expr),+ $(,)?) => {$(
        impl Cell for $cell {
            type Column = Fixed<$cell>;
            fn kind() -> Type { $kind }
            fn column() -> Fixed<$cell> { Fixed::new() }
        }

        impl Fill for $cell {
            #[inline]
            fn fill(self, column: &mut Fixed<$cell>, at: At) {
                column.set(at, self);
            }
        }
    )+};
}
plain_cells! {
    i8 => Type::Int(8), i16 => Type::Int(16), i32 => Type::Int(32), i64 => Type::Int(64),
    u8 => Type::Uint(8), u16 => Type::Uint(16), u32 => Type::Uint(32), u64 => Type::Uint(64),
    f32 => Type::Float(32), f64 => Type::Float(64),
}

macro_rules! cells {
    ($([$($generics:tt)*] $cell:ty => $column:ty, $kind:expr, $new:expr;)+) => {$(
        impl<$($generics)*> Cell for $cell {
            type Column = $column;
            fn kind() -> Type { $kind }
            fn column() -> $column { $new }
        }
    )+};
}
cells! {
    [] bool => Flags, Type::Bool, Flags::new();
    [] String => Text, Type::Utf8, Text::new(false);
    ['a] &'a str => Text, Type::Utf8, Text::new(false);
    [] LargeText => Text, Type::LargeUtf8, Text::new(true);
    [] Vec<u8> => Binary, Type::Binary, Binary::new();
    ['a] &'a [u8] => Binary, Type::Binary, Binary::new();
    [const N: usize] [u8; N] => Packed, Type::FixedBytes(N as u32), Packed::new(N as u32);
    [const N: u32] FixedBytes<N> => Packed, Type::FixedBytes(N), Packed::new(N);
    [] Date => Fixed<i32>, Type::Date32, Fixed::new();
    [const P: u8, const S: i8] Decimal<P, S> => Fixed<i128>, Type::Decimal(P, S), Fixed::new();
    [U: TimeUnit] Time<U> => Fixed<i64>, Type::Time64(U::UNIT), Fixed::new();
    [U: TimeUnit, Z: Zone] Timestamp<U, Z> => Fixed<i64>, Type::Timestamp(U::UNIT, Z::ZONE.map(str::to_owned)), Fixed::new();
    [] Vec<String> => List<Text>, Type::List(Box::new(Type::Utf8)), List::new(Text::new(false));
    [] Vec<i64> => List<Fixed<i64>>, Type::List(Box::new(Type::Int(64))), List::new(Fixed::new());
    [] Vec<u32> => List<Fixed<u32>>, Type::List(Box::new(Type::Uint(32))), List::new(Fixed::new());
    [] Vec<u64> => List<Fixed<u64>>, Type::List(Box::new(Type::Uint(64))), List::new(Fixed::new());
    [] Vec<f64> => List<Fixed<f64>>, Type::List(Box::new(Type::Float(64))), List::new(Fixed::new());
}

macro_rules! fills {
    ($([$($generics:tt)*] $cell:ty, |$value:ident, $column:ident, $at:ident| $fill:expr;)+) => {$(
        impl<$($generics)*> Fill for $cell {
            #[inline]
            fn fill(self, $column: &mut Self::Column, $at: At) {
                let $value = self;
                $fill;
            }
        }
    )+};
}
fills! {
    [] bool, |value, column, at| column.set(at, value);
    [] String, |value, column, at| column.set(at, &value);
    ['a] &'a str, |value, column, at| column.set(at, value);
    [] Vec<u8>, |value, column, at| column.set(at, &value);
    ['a] &'a [u8], |value, column, at| column.set(at, value);
    [const N: usize] [u8; N], |value, column, at| column.set(at, &value);
    [] Date, |value, column, at| column.set(at, value.0);
    [const P: u8, const S: i8] Decimal<P, S>, |value, column, at| column.set(at, value.0);
    [U: TimeUnit] Time<U>, |value, column, at| column.set(at, value.0);
    [U: TimeUnit, Z: Zone] Timestamp<U, Z>, |value, column, at| column.set(at, value.0);
    [] Vec<String>, |values, column, at| column.set(at, values.iter().map(String::as_str), Text::set);
    [] Vec<i64>, |values, column, at| column.set(at, values, Fixed::set);
    [] Vec<u32>, |values, column, at| column.set(at, values, Fixed::set);
    [] Vec<u64>, |values, column, at| column.set(at, values, Fixed::set);
    [] Vec<f64>, |values, column, at| column.set(at, values, Fixed::set);
}

impl<R: IntoRow> Cell for R {
    type Column = Struct<R::Columns>;
    fn kind() -> Type {
        Nested::<R::Columns>::kind()
    }
    fn column() -> Self::Column {
        Nested::<R::Columns>::column()
    }
}

impl<R: IntoRow> Fill for R {
    #[inline]
    fn fill(self, column: &mut Self::Column, at: At) {
        self.into_row(column.set(at), at);
    }
}

impl<R: IntoRow> Cell for Vec<R> {
    type Column = List<Struct<R::Columns>>;
    fn kind() -> Type {
        Vec::<Nested<R::Columns>>::kind()
    }
    fn column() -> Self::Column {
        Vec::<Nested<R::Columns>>::column()
    }
}

impl<R: IntoRow> Fill for Vec<R> {
    fn fill(self, column: &mut Self::Column, at: At) {
        column.set(at, self, |rows, at, row| row.into_row(rows.set(at), at));
    }
}

impl<C: Columns> Cell for Nested<C> {
    type Column = Struct<C>;
    fn kind() -> Type {
        Type::Struct(C::schema().fields)
    }
    fn column() -> Struct<C> {
        Struct::new(C::empty())
    }
}

impl<C: Columns> Cell for Vec<Nested<C>> {
    type Column = List<Struct<C>>;
    fn kind() -> Type {
        Type::List(Box::new(Nested::<C>::kind()))
    }
    fn column() -> List<Struct<C>> {
        List::new(Nested::<C>::column())
    }
}

impl<C: Cell> Cell for Option<C> {
    type Column = C::Column;
    const NULLABLE: bool = true;
    fn kind() -> Type {
        C::kind()
    }
    fn column() -> C::Column {
        C::column()
    }
}

impl<C: Fill> Fill for Option<C> {
    #[inline]
    fn fill(self, column: &mut C::Column, at: At) {
        if let Some(value) = self {
            value.fill(column, at);
        }
    }
}

/// A column of numbers, dates, times, timestamps or decimals.
pub struct Fixed<T> {
    /// Row and value of every cell, rows ascending.
    cells: Vec<(u32, T)>,
    /// The first row that may still get a cell.
    next: u32,
}

impl<T: Native> Fixed<T> {
    pub(crate) const fn new() -> Self {
        Fixed { cells: Vec::new(), next: 0 }
    }

    /// Sets the cell of a row.
    #[inline]
    pub fn set(&mut self, at: At, value: T) {
        if at.0 >= self.next {
            self.next = at.0 + 1;
            self.cells.push((at.0, value));
        }
    }

    /// Returns whether the row has its cell.
    #[inline]
    pub fn is_set(&self, at: At) -> bool {
        at.0 < self.next
    }
}

impl<T: Native> Column for Fixed<T> {
    fn bytes(&mut self, rows: usize) -> usize {
        rows * T::WIDTH + validity(rows, self.cells.len())
    }

    fn write(&mut self, rows: u32, body: &mut Body) {
        body.node(rows, self.cells.len(), self.cells.iter().map(|cell| cell.0));
        T::write(&self.cells, body.buffer(rows as usize * T::WIDTH));
        self.cells.clear();
        self.next = 0;
    }
}

/// A column of true and false.
pub struct Flags {
    cells: Vec<(u32, bool)>,
    next: u32,
}

impl Flags {
    pub(crate) const fn new() -> Flags {
        Flags { cells: Vec::new(), next: 0 }
    }

    /// Sets the cell of a row.
    #[inline]
    pub fn set(&mut self, at: At, value: bool) {
        if at.0 >= self.next {
            self.next = at.0 + 1;
            self.cells.push((at.0, value));
        }
    }

    /// Returns whether the row has its cell.
    #[inline]
    pub fn is_set(&self, at: At) -> bool {
        at.0 < self.next
    }
}

impl Column for Flags {
    fn bytes(&mut self, rows: usize) -> usize {
        rows / 8 + validity(rows, self.cells.len())
    }

    fn write(&mut self, rows: u32, body: &mut Body) {
        body.node(rows, self.cells.len(), self.cells.iter().map(|cell| cell.0));
        let bits = body.buffer((rows as usize).div_ceil(8));
        for (row, value) in &self.cells {
            bits[*row as usize >> 3] |= u8::from(*value) << (row & 7);
        }
        self.cells.clear();
        self.next = 0;
    }
}

/// A column of byte strings of one width.
pub struct Packed {
    width: usize,
    rows: Vec<u32>,
    data: Vec<u8>,
}

impl Packed {
    pub(crate) const fn new(width: u32) -> Packed {
        Packed { width: width as usize, rows: Vec::new(), data: Vec::new() }
    }

    /// Sets the cell of a row, if the bytes are as many as the column's width; returns whether they are.
    pub fn set(&mut self, at: At, bytes: &[u8]) -> bool {
        if bytes.len() == self.width && !self.is_set(at) {
            self.rows.push(at.0);
            self.data.extend_from_slice(bytes);
        }
        bytes.len() == self.width
    }

    /// Returns whether the row has its cell.
    pub fn is_set(&self, at: At) -> bool {
        self.rows.last().is_some_and(|last| *last >= at.0)
    }
}

impl Column for Packed {
    fn bytes(&mut self, rows: usize) -> usize {
        rows * self.width + validity(rows, self.rows.len())
    }

    fn write(&mut self, rows: u32, body: &mut Body) {
        body.node(rows, self.rows.len(), self.rows.iter().copied());
        let slots = body.buffer(rows as usize * self.width);
        for (row, cell) in self.rows.iter().zip(self.data.chunks_exact(self.width)) {
            let start = *row as usize * self.width;
            slots[start..start + self.width].copy_from_slice(cell);
        }
        self.rows.clear();
        self.data.clear();
    }
}

/// A column of lists.
pub struct List<C> {
    /// Row and end (in items) of every list, rows ascending.
    cells: Vec<(u32, u32)>,
    items: u32,
    child: C,
}

impl<C: Column> List<C> {
    pub(crate) const fn new(child: C) -> List<C> {
        List { cells: Vec::new(), items: 0, child }
    }

    /// Starts the list of a row, if it has none: a list without items is not the same as no list.
    #[inline]
    pub fn begin(&mut self, at: At) {
        if self.cells.last().is_none_or(|last| last.0 < at.0) {
            self.cells.push((at.0, self.items));
        }
    }

    /// Adds an item to the list of a row; returns the items' column and where in it the item goes.
    #[inline]
    pub fn item(&mut self, at: At) -> (&mut C, At) {
        self.begin(at);
        let item = At(self.items);
        self.items += 1;
        if let Some(last) = self.cells.last_mut() {
            last.1 = self.items;
        }
        (&mut self.child, item)
    }
}

impl<C: Column> List<C> {
    /// Sets the list of a row, if it has none, by setting each item.
    fn set<I>(&mut self, at: At, items: impl IntoIterator<Item = I>, set: impl Fn(&mut C, At, I)) {
        if self.is_set(at) {
            return;
        }
        self.begin(at);
        for item in items {
            let (child, place) = self.item(at);
            set(child, place, item);
        }
    }

    /// Returns whether the row has its list.
    #[inline]
    pub fn is_set(&self, at: At) -> bool {
        self.cells.last().is_some_and(|last| last.0 >= at.0)
    }
}

impl List<Text> {
    /// Adds an item to the list of a row.
    pub fn push(&mut self, at: At, text: &str) {
        let (child, item) = self.item(at);
        child.set(item, text);
    }
}

impl<T: Native> List<Fixed<T>> {
    /// Adds an item to the list of a row.
    pub fn push(&mut self, at: At, value: T) {
        let (child, item) = self.item(at);
        child.set(item, value);
    }
}

impl<C: Column> Column for List<C> {
    fn bytes(&mut self, rows: usize) -> usize {
        self.child.bytes(self.items as usize) + rows * 4 + validity(rows, self.cells.len())
    }

    fn write(&mut self, rows: u32, body: &mut Body) {
        body.node(rows, self.cells.len(), self.cells.iter().map(|cell| cell.0));
        body.offsets(rows, &self.cells, narrow);
        self.child.write(self.items, body);
        self.cells.clear();
        self.items = 0;
    }
}

/// A column of structs: a few columns whose cells are one cell together.
pub struct Struct<C> {
    rows: Vec<u32>,
    columns: C,
}

impl<C: ColumnSet> Struct<C> {
    pub(crate) const fn new(columns: C) -> Struct<C> {
        Struct { rows: Vec::new(), columns }
    }

    /// Gives a row its struct; returns the columns of its fields, whose cells go where the struct does.
    #[inline]
    pub fn set(&mut self, at: At) -> &mut C {
        if self.rows.last().is_none_or(|last| *last < at.0) {
            self.rows.push(at.0);
        }
        &mut self.columns
    }
}

impl<C: ColumnSet> Column for Struct<C> {
    fn bytes(&mut self, rows: usize) -> usize {
        let mut bytes = validity(rows, self.rows.len());
        self.columns.each(&mut |column| bytes += column.bytes(rows));
        bytes
    }

    fn write(&mut self, rows: u32, body: &mut Body) {
        body.node(rows, self.rows.len(), self.rows.iter().copied());
        self.columns.each(&mut |column| column.write(rows, body));
        self.rows.clear();
    }
}
