//! What the texts of a column are meant to be. A parser that sends text where in doubt can say which type it has in mind;
//! then the host casts it, as losslessly as for a contract, also where there is none.
//!
//! The types are written as in Arrow's C data interface ("Data type description: format strings"): `l` is a 64-bit integer,
//! `d:18,4` a decimal, `tsu:UTC` a timestamp. Only types are written so that texts can be cast to: what a column of a contract
//! can be, but for texts and bytes.

use arrow_schema::{DataType, TimeUnit};

use super::schema::decimal;

/// The key in a field's metadata.
pub(super) const KEY: &str = "casparian.type";

/// Reads a type. `None`: it is none, or no text is cast to it.
pub(super) fn read(format: &str) -> Option<DataType> {
    Some(match format {
        "b" => DataType::Boolean,
        "c" => DataType::Int8,
        "C" => DataType::UInt8,
        "s" => DataType::Int16,
        "S" => DataType::UInt16,
        "i" => DataType::Int32,
        "I" => DataType::UInt32,
        "l" => DataType::Int64,
        "L" => DataType::UInt64,
        "f" => DataType::Float32,
        "g" => DataType::Float64,
        "tdD" => DataType::Date32,
        "tts" => DataType::Time32(TimeUnit::Second),
        "ttm" => DataType::Time32(TimeUnit::Millisecond),
        "ttu" => DataType::Time64(TimeUnit::Microsecond),
        "ttn" => DataType::Time64(TimeUnit::Nanosecond),
        _ => return read_decimal(format).or_else(|| read_timestamp(format)),
    })
}

/// `d:precision,scale`.
fn read_decimal(format: &str) -> Option<DataType> {
    let (precision, scale) = format.strip_prefix("d:")?.split_once(',')?;
    decimal(precision.parse().ok()?, scale.parse().ok()?, 128).ok()
}

/// `ts`, a unit, a colon, and UTC or no zone at all.
fn read_timestamp(format: &str) -> Option<DataType> {
    let (unit, zone) = format.strip_prefix("ts")?.split_once(':')?;
    let unit = match unit {
        "s" => TimeUnit::Second,
        "m" => TimeUnit::Millisecond,
        "u" => TimeUnit::Microsecond,
        "n" => TimeUnit::Nanosecond,
        _ => return None,
    };
    match zone {
        "" => Some(DataType::Timestamp(unit, None)),
        "UTC" => Some(DataType::Timestamp(unit, Some(zone.into()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_reads_as_arrow_writes_it() {
        assert_eq!(read("l"), Some(DataType::Int64));
        assert_eq!(read("d:18,4"), Some(DataType::Decimal128(18, 4)));
        assert_eq!(read("tsn:"), Some(DataType::Timestamp(TimeUnit::Nanosecond, None)));
        assert_eq!(read("tsu:UTC"), Some(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))));
    }

    #[test]
    fn every_type_of_one_word_reads_as_itself() {
        use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        let words = [
            ("b", DataType::Boolean),
            ("c", DataType::Int8),
            ("C", DataType::UInt8),
            ("s", DataType::Int16),
            ("S", DataType::UInt16),
            ("i", DataType::Int32),
            ("I", DataType::UInt32),
            ("l", DataType::Int64),
            ("L", DataType::UInt64),
            ("f", DataType::Float32),
            ("g", DataType::Float64),
            ("tdD", DataType::Date32),
            ("tts", DataType::Time32(Second)),
            ("ttm", DataType::Time32(Millisecond)),
            ("ttu", DataType::Time64(Microsecond)),
            ("ttn", DataType::Time64(Nanosecond)),
            ("tss:", DataType::Timestamp(Second, None)),
            ("tsm:", DataType::Timestamp(Millisecond, None)),
            ("tsu:", DataType::Timestamp(Microsecond, None)),
            ("tsn:UTC", DataType::Timestamp(Nanosecond, Some("UTC".into()))),
        ];
        for (word, of) in words {
            assert_eq!(read(word), Some(of), "{word}");
        }
    }

    #[test]
    fn what_is_no_type_or_has_no_cast_is_refused() {
        for format in [
            "",
            "u",
            "z",
            "w:4",
            "n",
            "e",
            "+l",
            "tDu",
            "d:",
            "d:39,0",
            "d:5",
            "d:5,6",
            "d:5,-1",
            "d:5,2,64",
            "d:5,2,128,1",
            "ts",
            "tsu",
            "tsx:",
            "tsu:a b",
            "tdm",
            "d:50,4,256",
            "tsu:Europe/Zurich",
            "ll",
            "L ",
        ] {
            assert_eq!(read(format), None, "{format}");
        }
    }
}
