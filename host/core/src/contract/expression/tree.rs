//! A rule as a tree in which every node knows its kind.

use arrow_schema::{DataType, TimeUnit};

/// What a value is, as far as rules tell values apart. Exact kinds are integers that count units of 10^-scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Number {
        scale: u8,
    },
    Float32,
    Float64,
    Text,
    Binary,
    Date,
    Time {
        scale: u8,
    },
    /// A timestamp without a zone.
    Timestamp {
        scale: u8,
    },
    /// A timestamp in UTC.
    Utc {
        scale: u8,
    },
    /// Anything else: there, or null.
    Opaque,
}

impl Kind {
    /// Returns the kind of a column.
    pub(super) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Kind::Boolean,
            DataType::Decimal128(_, scale) => {
                u8::try_from(*scale).map_or(Kind::Opaque, |scale| Kind::Number { scale })
            }
            integer if integer.is_integer() => Kind::Number { scale: 0 },
            DataType::Float32 => Kind::Float32,
            DataType::Float64 => Kind::Float64,
            DataType::Utf8 | DataType::LargeUtf8 => Kind::Text,
            DataType::Binary | DataType::LargeBinary => Kind::Binary,
            DataType::Date32 => Kind::Date,
            DataType::Time32(unit) | DataType::Time64(unit) => Kind::Time { scale: digits(*unit) },
            DataType::Timestamp(unit, None) => Kind::Timestamp { scale: digits(*unit) },
            DataType::Timestamp(unit, Some(_)) => Kind::Utc { scale: digits(*unit) },
            _ => Kind::Opaque,
        }
    }

    /// Returns what people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "a boolean",
            Kind::Number { scale: 0 } => "an integer",
            Kind::Number { .. } => "a decimal",
            Kind::Float32 | Kind::Float64 => "a float",
            Kind::Text => "a text",
            Kind::Binary => "a binary",
            Kind::Date => "a date",
            Kind::Time { .. } => "a time of day",
            Kind::Timestamp { .. } => "a timestamp without a zone",
            Kind::Utc { .. } => "a timestamp in UTC",
            Kind::Opaque => "of a type that rules only ask whether it is null",
        }
    }

    /// Returns the decimal digits behind its unit, where it is exact.
    pub(super) fn scale(self) -> Option<u8> {
        match self {
            Kind::Number { scale }
            | Kind::Time { scale }
            | Kind::Timestamp { scale }
            | Kind::Utc { scale } => Some(scale),
            Kind::Date => Some(0),
            _ => None,
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Kind::Number { .. })
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, Kind::Float32 | Kind::Float64)
    }

    /// Returns the kind that holds the values of both, if they are of one sort.
    pub(super) fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Kind::Number { scale: a }, Kind::Number { scale: b }) => Some(Kind::Number { scale: a.max(b) }),
            (Kind::Time { scale: a }, Kind::Time { scale: b }) => Some(Kind::Time { scale: a.max(b) }),
            (Kind::Timestamp { scale: a }, Kind::Timestamp { scale: b }) => {
                Some(Kind::Timestamp { scale: a.max(b) })
            }
            (Kind::Utc { scale: a }, Kind::Utc { scale: b }) => Some(Kind::Utc { scale: a.max(b) }),
            (a, b) if a.is_float() && b.is_float() => Some(if a == b { a } else { Kind::Float64 }),
            (Kind::Opaque, _) => None,
            (a, b) => (a == b).then_some(a),
        }
    }
}

fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// A part of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) shape: Shape,
}

/// What a part is made of. Its parts are of the kinds that it wants: only `parse` makes one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// A place in the list of the expression's columns.
    Column(usize),
    /// A literal of an exact kind, without trailing zeros.
    Exact(i128),
    /// A number that was written where a float is wanted.
    Float {
        value: f64,
        digits: i128,
        scale: u8,
    },
    Text(String),
    Truth(bool),
    Not(Box<Node>),
    /// Two or more, none of them an `And`.
    And(Vec<Node>),
    /// Two or more, none of them an `Or`.
    Or(Vec<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    Compute(Operation, Box<Node>, Box<Node>),
    /// Not of a literal.
    Negate(Box<Node>),
    Absolute(Box<Node>),
    Length(Box<Node>),
    /// Two or more.
    Coalesce(Vec<Node>),
    IsNull(Box<Node>),
    Between(Box<Node>, Box<Node>, Box<Node>),
    /// Literals, ascending, none twice; and those of them that the operand can be.
    In(Box<Node>, Vec<Node>, Members),
}

/// What an operand is looked up in, ascending.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Members {
    /// In the operand's scale.
    Exact(Vec<i128>),
    Float(Vec<f64>),
    Bytes(Vec<Vec<u8>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Comparison {
    pub(super) const ALL: [Comparison; 6] = [
        Comparison::Equal,
        Comparison::Unequal,
        Comparison::Less,
        Comparison::AtMost,
        Comparison::Greater,
        Comparison::AtLeast,
    ];

    pub(super) fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::Unequal => "<>",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
}

impl Operation {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Operation::Add => "+",
            Operation::Subtract => "-",
            Operation::Multiply => "*",
        }
    }
}
