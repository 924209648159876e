//! Arrow IPC messages, written by hand so that each part can be made to lie.

/// A column: its name and its values.
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) nullable: bool,
    pub(crate) cells: Cells,
}

/// Values of one type.
pub(crate) enum Cells {
    U64(Vec<u64>),
    U32(Vec<u32>),
    F64(Vec<f64>),
    /// Days since 1970.
    Date32(Vec<i32>),
    /// Nanoseconds since 1970, UTC.
    Timestamp(Vec<i64>),
    /// Of precision 5 and scale 2, whatever the numbers are.
    Decimal(Vec<i128>),
    Text(Vec<String>),
    Texts(Vec<Vec<String>>),
    /// No bytes, however many rows.
    Null,
    /// A run of int64, however long.
    RunEnds,
}

/// A batch, taken apart.
pub(crate) struct Batch {
    pub(crate) rows: i64,
    /// Length and null count of each array.
    pub(crate) nodes: Vec<(i64, i64)>,
    /// Offset and length of each buffer in the body.
    pub(crate) buffers: Vec<(i64, i64)>,
    pub(crate) body: Vec<u8>,
    pub(crate) compressed: bool,
}

const V5: i16 = 4;
const HEADER_SCHEMA: u8 = 1;
const HEADER_BATCH: u8 = 3;

/// Takes columns apart into a batch that tells the truth.
pub(crate) fn batch(columns: &[Column]) -> Batch {
    let rows = columns.first().map_or(0, |column| column.cells.len()) as i64;
    let mut batch = Batch { rows, nodes: vec![], buffers: vec![], body: vec![], compressed: false };
    columns.iter().for_each(|column| batch.add(&column.cells));
    batch
}

impl Batch {
    fn add(&mut self, cells: &Cells) {
        self.nodes.push((cells.len() as i64, 0));
        self.buffer(&[]);
        match cells {
            Cells::U64(values) => self.buffer(&le(values.iter().map(|v| v.to_le_bytes()))),
            Cells::U32(values) => self.buffer(&le(values.iter().map(|v| v.to_le_bytes()))),
            Cells::F64(values) => self.buffer(&le(values.iter().map(|v| v.to_le_bytes()))),
            Cells::Date32(values) => self.buffer(&le(values.iter().map(|v| v.to_le_bytes()))),
            Cells::Timestamp(values) => self.buffer(&le(values.iter().map(|v| v.to_le_bytes()))),
            Cells::Decimal(values) => self.buffer(&le(values.iter().map(|v| v.to_le_bytes()))),
            Cells::Text(texts) => self.texts(texts),
            Cells::Texts(lists) => {
                self.offsets(lists.iter().map(Vec::len));
                let texts: Vec<String> = lists.iter().flatten().cloned().collect();
                self.add(&Cells::Text(texts));
            }
            Cells::Null | Cells::RunEnds => {}
        }
    }

    fn texts(&mut self, texts: &[String]) {
        self.offsets(texts.iter().map(String::len));
        self.buffer(texts.concat().as_bytes());
    }

    fn offsets(&mut self, lengths: impl Iterator<Item = usize>) {
        let mut end = 0_i32;
        let ends = lengths.map(|length| {
            end += length as i32;
            end.to_le_bytes()
        });
        self.buffer(&le(std::iter::once([0; 4]).chain(ends)));
    }

    fn buffer(&mut self, bytes: &[u8]) {
        self.body.resize(self.body.len().next_multiple_of(8), 0);
        self.buffers.push((self.body.len() as i64, bytes.len() as i64));
        self.body.extend_from_slice(bytes);
    }

    /// Puts it together again.
    pub(crate) fn message(mut self) -> Vec<u8> {
        self.body.resize(self.body.len().next_multiple_of(8), 0);
        let mut flat = Flat::default();
        let header = flat.message(HEADER_BATCH, self.body.len() as i64);
        let codec = if self.compressed { Slot::Later } else { Slot::Absent };
        let (at, table) = flat.table(&[Slot::Long(self.rows), Slot::Later, Slot::Later, codec]);
        flat.point(header, table);
        flat.pairs(at[1], &self.nodes);
        flat.pairs(at[2], &self.buffers);
        if self.compressed {
            let (_, codec) = flat.table(&[Slot::Byte(0), Slot::Byte(0)]);
            flat.point(at[3], codec);
        }
        flat.enclose(&self.body)
    }
}

/// The schema message of columns.
pub(crate) fn schema(columns: &[Column]) -> Vec<u8> {
    let mut flat = Flat::default();
    let header = flat.message(HEADER_SCHEMA, 0);
    let (at, table) = flat.table(&[Slot::Absent, Slot::Later]);
    flat.point(header, table);
    let fields: Vec<Field<'_>> =
        columns.iter().map(|c| (c.name.as_str(), c.nullable, c.cells.kind())).collect();
    flat.fields(at[1], &fields);
    flat.enclose(&[])
}

/// Name, whether it may be null, type.
type Field<'a> = (&'a str, bool, Kind);

enum Kind {
    Uint(i32),
    Int(i32),
    Float64,
    Date32,
    Timestamp,
    Decimal,
    Utf8,
    List,
    Null,
    RunEnds,
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Cells::U64(values) => values.len(),
            Cells::U32(values) => values.len(),
            Cells::F64(values) => values.len(),
            Cells::Date32(values) => values.len(),
            Cells::Timestamp(values) => values.len(),
            Cells::Decimal(values) => values.len(),
            Cells::Text(values) => values.len(),
            Cells::Texts(values) => values.len(),
            Cells::Null | Cells::RunEnds => 0,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Cells::U64(_) => Kind::Uint(64),
            Cells::U32(_) => Kind::Uint(32),
            Cells::F64(_) => Kind::Float64,
            Cells::Date32(_) => Kind::Date32,
            Cells::Timestamp(_) => Kind::Timestamp,
            Cells::Decimal(_) => Kind::Decimal,
            Cells::Text(_) => Kind::Utf8,
            Cells::Texts(_) => Kind::List,
            Cells::Null => Kind::Null,
            Cells::RunEnds => Kind::RunEnds,
        }
    }
}

impl Kind {
    /// Its number in the format's union of types.
    fn tag(&self) -> u8 {
        match self {
            Kind::Null => 1,
            Kind::Uint(_) | Kind::Int(_) => 2,
            Kind::Float64 => 3,
            Kind::Utf8 => 5,
            Kind::Decimal => 7,
            Kind::Date32 => 8,
            Kind::Timestamp => 10,
            Kind::List => 12,
            Kind::RunEnds => 22,
        }
    }

    fn children(&self) -> &'static [Field<'static>] {
        match self {
            Kind::List => &[("item", true, Kind::Utf8)],
            Kind::RunEnds => &[("run_ends", false, Kind::Int(64)), ("values", true, Kind::Int(64))],
            _ => &[],
        }
    }
}

fn le<const N: usize>(values: impl Iterator<Item = [u8; N]>) -> Vec<u8> {
    values.flatten().collect()
}

/// A flatbuffer that is written front to back: an offset is filled in when its target is written.
#[derive(Default)]
struct Flat(Vec<u8>);

enum Slot {
    Absent,
    Byte(u8),
    Short(i16),
    Int(i32),
    Long(i64),
    /// An offset, filled in by [`Flat::point`].
    Later,
}

impl Slot {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Slot::Absent => vec![],
            Slot::Byte(value) => vec![*value],
            Slot::Short(value) => value.to_le_bytes().into(),
            Slot::Int(value) => value.to_le_bytes().into(),
            Slot::Long(value) => value.to_le_bytes().into(),
            Slot::Later => vec![0; 4],
        }
    }
}

impl Flat {
    /// Begins a message and returns where its header's offset is.
    fn message(&mut self, kind: u8, body_bytes: i64) -> usize {
        self.0.extend([0; 4]);
        let slots = [Slot::Short(V5), Slot::Byte(kind), Slot::Later, Slot::Long(body_bytes)];
        let (at, table) = self.table(&slots);
        self.point(0, table);
        at[2]
    }

    /// Writes a table behind its vtable; returns where its fields are, and where it is.
    fn table(&mut self, slots: &[Slot]) -> (Vec<usize>, usize) {
        let mut places = Vec::new();
        let mut fields = vec![0; 4];
        for bytes in slots.iter().map(Slot::bytes) {
            fields.resize(fields.len().next_multiple_of(bytes.len().max(1)), 0);
            places.push(if bytes.is_empty() { 0 } else { fields.len() });
            fields.extend(bytes);
        }
        let vtable_bytes = 4 + 2 * slots.len();
        while !(self.0.len() + vtable_bytes).is_multiple_of(8) {
            self.0.push(0);
        }
        self.0.extend((vtable_bytes as u16).to_le_bytes());
        self.0.extend((fields.len() as u16).to_le_bytes());
        places.iter().for_each(|place| self.0.extend((*place as u16).to_le_bytes()));
        let table = self.0.len();
        fields[..4].copy_from_slice(&(vtable_bytes as i32).to_le_bytes());
        self.0.extend(fields);
        (places.into_iter().map(|place| place + table).collect(), table)
    }

    fn point(&mut self, from: usize, to: usize) {
        let offset = ((to - from) as u32).to_le_bytes();
        self.0[from..from + 4].copy_from_slice(&offset);
    }

    /// Begins a vector whose elements are aligned to 8 bytes.
    fn vector(&mut self, from: usize, count: usize) -> usize {
        while !(self.0.len() + 4).is_multiple_of(8) {
            self.0.push(0);
        }
        self.point(from, self.0.len());
        self.0.extend((count as u32).to_le_bytes());
        self.0.len()
    }

    fn pairs(&mut self, from: usize, pairs: &[(i64, i64)]) {
        self.vector(from, pairs.len());
        pairs.iter().for_each(|(one, other)| {
            self.0.extend(one.to_le_bytes());
            self.0.extend(other.to_le_bytes());
        });
    }

    fn fields(&mut self, from: usize, fields: &[Field<'_>]) {
        let start = self.vector(from, fields.len());
        self.0.resize(start + 4 * fields.len(), 0);
        for (index, (name, nullable, kind)) in fields.iter().enumerate() {
            let (nullable, tag) = (Slot::Byte(u8::from(*nullable)), Slot::Byte(kind.tag()));
            let (at, table) =
                self.table(&[Slot::Later, nullable, tag, Slot::Later, Slot::Absent, Slot::Later]);
            self.point(start + 4 * index, table);
            self.text(at[0], name);
            self.kind(at[3], kind);
            self.fields(at[5], kind.children());
        }
    }

    fn kind(&mut self, from: usize, kind: &Kind) {
        let slots = match kind {
            Kind::Uint(bits) => vec![Slot::Int(*bits), Slot::Byte(0)],
            Kind::Int(bits) => vec![Slot::Int(*bits), Slot::Byte(1)],
            Kind::Float64 => vec![Slot::Short(2)],
            Kind::Date32 => vec![Slot::Short(0)],
            Kind::Timestamp => vec![Slot::Short(3), Slot::Later],
            Kind::Decimal => vec![Slot::Int(5), Slot::Int(2), Slot::Int(128)],
            Kind::Utf8 | Kind::List | Kind::Null | Kind::RunEnds => vec![],
        };
        let (at, table) = self.table(&slots);
        self.point(from, table);
        if let Kind::Timestamp = kind {
            self.text(at[1], "UTC");
        }
    }

    fn text(&mut self, from: usize, text: &str) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.point(from, self.0.len());
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// Puts the envelope around it and the body behind it.
    fn enclose(mut self, body: &[u8]) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let length = (self.0.len() as i32).to_le_bytes();
        [&[0xff; 4], length.as_slice(), &self.0, body].concat()
    }
}
