//! Typed columns. A cell is appended together with the number of its row, and a column that a row does not touch costs that row
//! nothing: what is missing is filled in, for all rows at once, when the batch is written.
//!
//! In one row the first value of a column stays; later ones are ignored.

use std::marker::PhantomData;

use crate::ipc::{Body, by_eights, narrow, wide};
use crate::scan::Grid;
use crate::schema::{Schema, Type, Unit};

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

/// What is no part of the cells of a column.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cut {
    /// A byte that they may end with, as the last ones of records do where lines end by two.
    pub behind: Option<u8>,
    /// What those that are quoted begin and end with, without that byte.
    pub quote: Option<u8>,
}

/// Bytes of cells, one behind the other: what text and binary columns share.
struct Strings {
    /// Where in `data` the cell of each row ends, `rows` of them, then room for more. A row without a cell ends where the one
    /// before it does.
    ends: Vec<u32>,
    rows: usize,
    /// Rows without a cell among them: from, and up to.
    gaps: Vec<(u32, u32)>,
    /// How many rows that is.
    missing: usize,
    /// `used` bytes of cells, then room for at least one fixed-size copy (once anything was stored).
    data: Vec<u8>,
    used: usize,
    /// 64-bit offsets.
    wide: bool,
}

/// Cells of up to this many bytes are stored by one copy of this size.
const COPY: usize = 32;

impl Strings {
    const fn new(wide: bool) -> Strings {
        Strings { ends: Vec::new(), rows: 0, gaps: Vec::new(), missing: 0, data: Vec::new(), used: 0, wide }
    }

    #[inline]
    fn is_set(&self, at: At) -> bool {
        (at.0 as usize) < self.rows
    }

    /// Stores `block[start..end]` by one fixed-size copy where that stays inside both blocks.
    #[inline]
    fn set_slice(&mut self, at: At, block: &[u8], start: usize, end: usize) {
        if self.is_set(at) {
            return;
        }
        let len = end.wrapping_sub(start);
        let from = block.get(start..).and_then(|rest| rest.first_chunk::<COPY>());
        let into = self.data.get_mut(self.used..).and_then(|rest| rest.first_chunk_mut::<COPY>());
        match (from, into) {
            (Some(from), Some(into)) if len <= COPY => *into = *from,
            _ => self.store(&block[start..end]),
        }
        let used = self.used + len;
        let row = at.0 as usize;
        match self.ends.get_mut(row).filter(|_| row == self.rows) {
            Some(slot) => *slot = used as u32,
            None => self.set_end(row, used as u32),
        }
        (self.used, self.rows) = (used, row + 1);
    }

    /// Notes where the cell of a row ends that is not the next one, or has no room yet.
    #[inline(never)]
    fn set_end(&mut self, row: usize, end: u32) {
        self.pass_over(row);
        self.make_rows(row + 1);
        self.ends[row] = end;
    }

    /// Stores a column of a grid, one cell for each row from `at` on. Where the first of them has its cell already, all have.
    #[inline(never)]
    fn set_column(
        &mut self,
        at: At,
        block: &[u8],
        grid: &Grid<'_>,
        column: usize,
        cut: impl Fn(usize, usize) -> (usize, usize),
    ) {
        if self.is_set(at) || column >= grid.width() || grid.records() == 0 {
            return;
        }
        // All the cells together are shorter than the records, so there is room for a fixed-size copy behind each.
        self.make_room(grid.end().min(block.len()));
        self.pass_over(at.0 as usize);
        let rows = self.rows + grid.records();
        self.make_rows(rows);
        let ends = &mut self.ends[self.rows..rows];
        let (mut row, mut used) = (0, self.used);
        loop {
            (row, used) = copy_short(block, &mut self.data, used, (grid, column), row, ends, &cut);
            let Some(slot) = ends.get_mut(row) else { break };
            let (start, end) = grid.cell(row, column);
            let (start, end) = cut(start, end);
            self.data[used..used + (end - start)].copy_from_slice(&block[start..end]);
            used += end - start;
            *slot = used as u32;
            row += 1;
        }
        (self.used, self.rows) = (used, rows);
    }

    /// Notes that there is no cell up to a row.
    fn pass_over(&mut self, row: usize) {
        if row > self.rows {
            self.make_rows(row);
            self.ends[self.rows..row].fill(self.used as u32);
            self.gaps.push((self.rows as u32, row as u32));
            self.missing += row - self.rows;
            self.rows = row;
        }
    }

    /// Makes room for the ends of so many rows, growing by doubling.
    fn make_rows(&mut self, rows: usize) {
        if rows > self.ends.len() {
            self.ends.resize(rows.next_power_of_two().max(1 << 6), 0);
        }
    }

    /// Makes room for so many bytes, and for a fixed-size copy behind them, growing by doubling.
    fn make_room(&mut self, bytes: usize) {
        let room = self.used + bytes + COPY;
        if room > self.data.len() {
            self.data.resize(room.next_power_of_two().max(1 << 10), 0);
        }
    }

    /// Puts `bytes` behind what is stored, and keeps room for a fixed-size copy behind them.
    #[inline(never)]
    fn store(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.data[self.used..self.used + bytes.len()].copy_from_slice(bytes);
    }

    #[inline(never)]
    fn write(&mut self, rows: u32, body: &mut Body) {
        self.pass_over(rows as usize);
        body.node_but(rows, self.missing, &self.gaps);
        if self.wide {
            body.ends(&self.ends[..self.rows], wide);
        } else {
            body.ends(&self.ends[..self.rows], narrow);
        }
        body.buffer_of(&self.data[..self.used]);
        self.gaps.clear();
        (self.rows, self.missing, self.used) = (0, 0, 0);
    }

    fn bytes(&self, rows: usize) -> usize {
        self.used + rows * if self.wide { 8 } else { 4 } + validity(rows, self.rows - self.missing)
    }
}

/// Copies cells of a column from a record on, up to one that takes more than a fixed-size copy, and notes their ends; returns
/// which record that is, and what of `data` is used. Nothing else is called from here: what is alive across a call goes
/// through memory in the sandbox.
#[inline(never)]
fn copy_short(
    block: &[u8],
    data: &mut [u8],
    mut used: usize,
    (grid, column): (&Grid<'_>, usize),
    mut row: usize,
    ends: &mut [u32],
    cut: impl Fn(usize, usize) -> (usize, usize),
) -> (usize, usize) {
    let Some(slots) = ends.get_mut(row..) else { return (row, used) };
    for ((start, end), slot) in grid.cells(row, column).zip(slots) {
        let (start, end) = cut(start, end);
        let len = end.wrapping_sub(start);
        let from = block.get(start..).and_then(|rest| rest.first_chunk::<COPY>());
        let into = data.get_mut(used..).and_then(|rest| rest.first_chunk_mut::<COPY>());
        let (Some(from), Some(into), true) = (from, into, len <= COPY) else { break };
        *into = *from;
        used = used.wrapping_add(len);
        *slot = used as u32;
        row += 1;
    }
    (row, used)
}

/// Returns where a cell ends without a byte that may be its last.
#[inline(always)]
fn trim(block: &[u8], start: usize, end: usize, byte: u8) -> usize {
    end - usize::from(end > start && block.get(end.wrapping_sub(1)) == Some(&byte))
}

/// A column of text. What is stored is UTF-8: a batch with anything else is the parser's fault and ends the run.
pub struct Text(Strings);

impl Text {
    pub(crate) const fn new(wide: bool) -> Text {
        Text(Strings::new(wide))
    }

    /// Sets the cell of a row.
    #[inline]
    pub fn set(&mut self, at: At, text: &str) {
        self.0.set_slice(at, text.as_bytes(), 0, text.len());
    }

    /// Sets the cell of a row, if the bytes are UTF-8; returns whether they are.
    #[inline]
    pub fn set_utf8(&mut self, at: At, bytes: &[u8]) -> bool {
        let valid = crate::scan::is_utf8(bytes);
        if valid {
            self.0.set_slice(at, bytes, 0, bytes.len());
        }
        valid
    }

    /// Sets the cell of a row to `block[start..end]`, which the caller knows to be UTF-8 (having checked the block). The fastest
    /// way where `block` goes on for 32 bytes, as [`crate::Window::padded`] does.
    #[inline]
    pub fn set_slice(&mut self, at: At, block: &[u8], start: usize, end: usize) {
        self.0.set_slice(at, block, start, end);
    }

    /// Sets the cells of as many rows as a grid has records, from the row `at` on, to what stands in one of its columns, which the
    /// caller knows to be UTF-8, less what is cut off. As [`Text::set_slice`] is, it is fastest where `block` goes on for 32 bytes.
    pub fn set_column(&mut self, at: At, block: &[u8], grid: &Grid<'_>, column: usize, cut: Cut) {
        match cut {
            Cut { behind: None, quote: None } => {
                self.0.set_column(at, block, grid, column, |start, end| (start, end));
            }
            Cut { behind: Some(byte), quote: None } => {
                self.0
                    .set_column(at, block, grid, column, |start, end| (start, trim(block, start, end, byte)));
            }
            Cut { behind, quote: Some(quote) } => self.0.set_column(at, block, grid, column, |start, end| {
                let end = behind.map_or(end, |byte| trim(block, start, end, byte));
                let quoted = usize::from(end >= start + 2 && block.get(start) == Some(&quote));
                (start + quoted, end - quoted)
            }),
        }
    }

    /// Returns whether the row has its cell.
    #[inline]
    pub fn is_set(&self, at: At) -> bool {
        self.0.is_set(at)
    }
}

impl Column for Text {
    fn bytes(&mut self, rows: usize) -> usize {
        self.0.bytes(rows)
    }
    fn write(&mut self, rows: u32, body: &mut Body) {
        self.0.write(rows, body);
    }
}

/// A column of bytes.
pub struct Binary(Strings);

impl Binary {
    pub(crate) const fn new() -> Binary {
        Binary(Strings::new(false))
    }

    /// Sets the cell of a row.
    #[inline]
    pub fn set(&mut self, at: At, bytes: &[u8]) {
        self.0.set_slice(at, bytes, 0, bytes.len());
    }

    /// Sets the cell of a row to `block[start..end]`. The fastest way where `block` goes on for 32 bytes.
    #[inline]
    pub fn set_slice(&mut self, at: At, block: &[u8], start: usize, end: usize) {
        self.0.set_slice(at, block, start, end);
    }

    /// Returns whether the row has its cell.
    #[inline]
    pub fn is_set(&self, at: At) -> bool {
        self.0.is_set(at)
    }
}

impl Column for Binary {
    fn bytes(&mut self, rows: usize) -> usize {
        self.0.bytes(rows)
    }
    fn write(&mut self, rows: u32, body: &mut Body) {
        self.0.write(rows, body);
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
