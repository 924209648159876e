//! Rows as lines of JSON: one object each, its keys the columns in their order, a null where there is no value.
//!
//! Integers are JSON numbers in full digits, 64 bits too. Decimals are strings, since most readers take a number with a
//! fraction for a binary float and so change it.

use super::cells::{Cells, Kind, Put};

/// The keys of a row, each as JSON with its colon.
pub(super) fn keys<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Vec<u8>> {
    names.map(key).collect()
}

fn key(name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 3);
    put_text(name, &mut key);
    key.push(b':');
    key
}

/// Appends a row.
pub(super) fn put_row(keys: &[Vec<u8>], columns: &[Cells<'_>], row: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (key, column)) in keys.iter().zip(columns).enumerate() {
        separate(at, out);
        out.extend_from_slice(key);
        put_value(column, row, out);
    }
    out.extend_from_slice(b"}\n");
}

/// Appends a value as JSON. As deep as columns are nested, and no deeper.
pub(super) fn put_value(cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
    if cells.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match &cells.kind {
        Kind::Word(put) => put(row, out),
        Kind::Float(put) => put_float(put, row, out),
        Kind::Plain(put) | Kind::Bytes(put) => {
            out.push(b'"');
            put(row, out);
            out.push(b'"');
        }
        Kind::Text(text) => put_text(text(row), out),
        Kind::List(items, cells) => {
            out.push(b'[');
            for (at, item) in items(row).enumerate() {
                separate(at, out);
                put_value(cells, item, out);
            }
            out.push(b']');
        }
        Kind::Struct(fields) => {
            out.push(b'{');
            for (at, (name, cells)) in fields.iter().enumerate() {
                separate(at, out);
                put_text(name, out);
                out.push(b':');
                put_value(cells, row, out);
            }
            out.push(b'}');
        }
    }
}

/// JSON has no number for NaN and the infinities: their words are strings. Every number ends in a digit.
fn put_float(put: &Put<'_>, row: usize, out: &mut Vec<u8>) {
    let begin = out.len();
    put(row, out);
    if !out.last().is_some_and(u8::is_ascii_digit) {
        out.insert(begin, b'"');
        out.push(b'"');
    }
}

fn separate(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    // Text has a JSON form, and memory takes it.
    let _ = serde_json::to_writer(out, text);
}
