//! Typed columns. A cell is appended together with the number of its row, and a column that a row does not touch costs that row
//! nothing: what is missing is filled in, for all rows at once, when the batch is written.
//!
//! In one row the first value of a column stays; later ones are ignored.

use std::marker::PhantomData;

use crate::ipc::{Body, by_eights, narrow, wide};
use crate::schema::{Schema, Type, Unit};

/// The columns of an open table.
pub trait ColumnSet: 'static {
    /// Visits the columns in the order of the schema.
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Column));
}

/// The columns of a table that is known beforehand. Made by [`table!`](crate::table!).
pub trait Columns: ColumnSet {
    /// Returns name and columns.
    fn schema() -> Schema;

    /// Makes empty columns.
    fn empty() -> Self;
}

/// The row of a table that is being filled. Given out by [`crate::Row::at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(pub(crate) u32);

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

/// What a field of [`table!`](crate::table!) may be: it chooses the column that holds it.
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

/// A decimal of `P` digits, `S` of them fractional; its cells are `i128` in units of the last digit.
pub struct Decimal<const P: u8, const S: i8>;
/// A timestamp in a unit since 1970-01-01; its cells are `i64`. Without a zone it is a wall clock.
pub struct Timestamp<U, Z = NoZone>(PhantomData<(U, Z)>);
/// A time of day in [`Micros`] or [`Nanos`]; its cells are `i64`.
pub struct Time<U>(PhantomData<U>);
/// A day; its cells are `i32` days since 1970-01-01.
pub struct Date;
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
    [] LargeText => Text, Type::LargeUtf8, Text::new(true);
    [] Vec<u8> => Binary, Type::Binary, Binary::new();
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

/// Bytes of cells, one behind the other: what text and binary columns share.
struct Strings {
    /// Row and end (in `data`) of every cell, rows ascending.
    cells: Vec<(u32, u32)>,
    /// `used` bytes of cells, then room for at least one fixed-size copy (once anything was stored).
    data: Vec<u8>,
    used: usize,
    next: u32,
    /// 64-bit offsets.
    wide: bool,
}

/// Cells of up to this many bytes are stored by one copy of this size.
const COPY: usize = 32;

impl Strings {
    const fn new(wide: bool) -> Strings {
        Strings { cells: Vec::new(), data: Vec::new(), used: 0, next: 0, wide }
    }

    /// Stores `block[start..end]` by one fixed-size copy where that stays inside both blocks.
    #[inline]
    fn set_slice(&mut self, at: At, block: &[u8], start: usize, end: usize) {
        if at.0 < self.next {
            return;
        }
        let len = end.wrapping_sub(start);
        let from = block.get(start..).and_then(|rest| rest.first_chunk::<COPY>());
        let into = self.data.get_mut(self.used..).and_then(|rest| rest.first_chunk_mut::<COPY>());
        match (from, into) {
            (Some(from), Some(into)) if len <= COPY => *into = *from,
            _ => self.store(&block[start..end]),
        }
        self.used += len;
        self.next = at.0 + 1;
        self.cells.push((at.0, self.used as u32));
    }

    /// Puts `bytes` behind what is stored, growing by doubling, and keeps room for a fixed-size copy behind them.
    #[inline(never)]
    fn store(&mut self, bytes: &[u8]) {
        let room = self.used + bytes.len() + COPY;
        if room > self.data.len() {
            self.data.resize(room.next_power_of_two().max(1 << 10), 0);
        }
        self.data[self.used..self.used + bytes.len()].copy_from_slice(bytes);
    }

    #[inline(never)]
    fn write(&mut self, rows: u32, body: &mut Body) {
        body.node(rows, self.cells.len(), self.cells.iter().map(|cell| cell.0));
        if self.wide {
            body.offsets(rows, &self.cells, wide);
        } else {
            body.offsets(rows, &self.cells, narrow);
        }
        body.buffer_of(&self.data[..self.used]);
        self.cells.clear();
        self.used = 0;
        self.next = 0;
    }

    fn bytes(&self, rows: usize) -> usize {
        self.used + rows * if self.wide { 8 } else { 4 } + validity(rows, self.cells.len())
    }
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

    /// Returns whether the row has its cell.
    #[inline]
    pub fn is_set(&self, at: At) -> bool {
        at.0 < self.0.next
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
        at.0 < self.0.next
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
