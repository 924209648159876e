//! `physicalType`: the few words that carry meaning here, `DECIMAL(p,s)`, `BINARY`, `TIMESTAMP(n)` and `TIME(n)`, told from those that
//! name the same thing in some data base and are documentation.

use arrow_schema::{DataType, TimeUnit};

use super::fault::{Findings, Place, shown};

/// Most digits of a decimal.
const PRECISION_MAX: u64 = 38;

/// A physical type, taken apart: `DECIMAL(18,4)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Physical<'n> {
    pub(super) at: Place,
    pub(super) text: &'n str,
    /// In upper case, with single blanks.
    word: String,
    arguments: Vec<u64>,
    /// Whether it is written as a word and perhaps whole numbers in brackets.
    is_plain: bool,
}

impl<'n> Physical<'n> {
    /// Takes a text apart.
    pub(super) fn new(at: Place, text: &'n str) -> Self {
        let (word, rest) = match text.split_once('(') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        let arguments = match rest {
            None => Some(Vec::new()),
            Some(rest) => rest.trim_end().strip_suffix(')').and_then(numbers),
        };
        let word = word.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        Self { at, text, word, is_plain: arguments.is_some(), arguments: arguments.unwrap_or_default() }
    }

    /// Whether it is a decimal, however well written.
    pub(super) fn is_decimal(&self) -> bool {
        matches!(self.word.as_str(), "DECIMAL" | "NUMERIC" | "NUMBER" | "DEC" | "BIGNUMERIC" | "MONEY")
    }

    /// Whether it is bytes, however well written.
    pub(super) fn is_binary(&self) -> bool {
        matches!(self.word.as_str(), "BINARY" | "VARBINARY" | "BYTEA" | "BLOB" | "BYTES" | "RAW")
    }

    /// Returns the type of a decimal.
    pub(super) fn decimal(&self, found: &mut Findings) -> Option<DataType> {
        let (precision, scale) = match (self.word.as_str(), self.arguments.as_slice()) {
            ("DECIMAL" | "NUMERIC", [precision]) => (*precision, 0),
            ("DECIMAL" | "NUMERIC", [precision, scale]) => (*precision, *scale),
            _ => return self.refuse("DECIMAL(18,4), with digits in all and digits of the fraction", found),
        };
        if !(1..=PRECISION_MAX).contains(&precision) || scale > precision {
            let message = format!(
                "{} has {precision} digits, {scale} of them in the fraction; there are 1 to {PRECISION_MAX}, and the fraction has no more",
                shown(self.text)
            );
            found.fault(self.at, "bad-decimal", message);
            return None;
        }
        Some(DataType::Decimal128(u8::try_from(precision).ok()?, i8::try_from(scale).ok()?))
    }

    /// Returns the type of bytes.
    pub(super) fn binary(&self, found: &mut Findings) -> Option<DataType> {
        match (self.word.as_str(), self.arguments.as_slice(), self.is_plain) {
            ("BINARY", [], true) => Some(DataType::Binary),
            _ => self.refuse("BINARY, and `maxLength` for its length", found),
        }
    }

    /// Returns the unit of `TIMESTAMP(n)` or `TIME(n)`.
    pub(super) fn unit(&self, word: &str, found: &mut Findings) -> Option<TimeUnit> {
        match (self.arguments.as_slice(), self.is_plain && self.word == word) {
            ([], true) => Some(TimeUnit::Microsecond),
            ([0], true) => Some(TimeUnit::Second),
            ([3], true) => Some(TimeUnit::Millisecond),
            ([6], true) => Some(TimeUnit::Microsecond),
            ([9], true) => Some(TimeUnit::Nanosecond),
            _ => self.refuse(&format!("{word}(0), {word}(3), {word}(6) or {word}(9)"), found),
        }
    }

    /// Lets pass a word for the width of an integer; says so where it contradicts the column.
    pub(super) fn integer(&self, width: u64, found: &mut Findings) {
        let bits = match self.word.as_str() {
            "TINYINT" => 8,
            "SMALLINT" => 16,
            "INT" | "INTEGER" => 32,
            "BIGINT" => 64,
            "MEDIUMINT" | "INT1" | "INT2" | "INT4" | "INT8" | "INT16" | "INT32" | "INT64" | "LONG"
            | "SHORT" | "BYTE" | "UINT8" | "UINT16" | "UINT32" | "UINT64" => width,
            _ => {
                self.refuse::<()>("an integer of SQL such as BIGINT, or DECIMAL(p,0)", found);
                return;
            }
        };
        if bits != width {
            let message = format!("{} has {bits} bits, and the column has {width}", shown(self.text));
            found.note(
                self.at,
                "physical-type",
                message,
                "the width stands in `logicalTypeOptions: {format: …}`",
            );
        }
    }

    /// Lets pass a word for a binary floating-point number; says so where it contradicts the column.
    pub(super) fn float(&self, width: u64, found: &mut Findings) {
        let bits = match self.word.as_str() {
            "REAL" | "FLOAT4" | "FLOAT32" => 32,
            "DOUBLE" | "DOUBLE PRECISION" | "FLOAT8" | "FLOAT64" => 64,
            "FLOAT" => width,
            _ => {
                self.refuse::<()>("DECIMAL(18,4), or a float of SQL such as DOUBLE", found);
                return;
            }
        };
        if bits != width {
            let message = format!("{} has {bits} bits, and the column has {width}", shown(self.text));
            found.note(
                self.at,
                "physical-type",
                message,
                "the width stands in `logicalTypeOptions: {format: …}`",
            );
        }
    }

    /// Lets pass a word for text; says so where it looks like a bound.
    pub(super) fn text(&self, found: &mut Findings) {
        if !self.arguments.is_empty() {
            let message = format!("the length in {} is not judged", shown(self.text));
            found.note(self.at, "physical-type", message, "write `logicalTypeOptions: {maxLength: …}`");
        }
    }

    fn refuse<T>(&self, wanted: &str, found: &mut Findings) -> Option<T> {
        let message = format!("{} says nothing that is certain here", shown(self.text));
        found.fault_with_hint(self.at, "physical-type", message, format!("write {wanted}"));
        None
    }
}

/// Reads whole numbers between commas.
fn numbers(text: &str) -> Option<Vec<u64>> {
    text.split(',').take(3).map(|number| number.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_physical_type_comes_apart() {
        let at = Place { line: 1, column: 1 };
        let physical = Physical::new(at, "decimal ( 18 , 4 )");
        assert_eq!(physical.decimal(&mut Findings::default()), Some(DataType::Decimal128(18, 4)));
        for odd in [
            "DECIMAL",
            "DECIMAL(39,0)",
            "DECIMAL(4,5)",
            "DECIMAL(0)",
            "NUMBER(4,2)",
            "DECIMAL(4,2",
            "DECIMAL(4,2,1)",
        ] {
            let mut found = Findings::default();
            assert_eq!(Physical::new(at, odd).decimal(&mut found), None, "{odd}");
            assert_eq!(found.count(), 1, "{odd}");
        }
    }
}
