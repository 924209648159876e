//! Rows as CSV, after RFC 4180. A null is an empty cell, an empty text is `""`: the two are never confused.

use arrow_schema::Schema;

use super::cells::{Cells, Kind};
use super::jsonl;

const END: &[u8] = b"\r\n";

/// Appends the names of the columns.
pub(super) fn put_header(schema: &Schema, escapes_formulas: bool, out: &mut Vec<u8>) {
    for (at, field) in schema.fields().iter().enumerate() {
        separate(at, out);
        put_text(field.name().as_bytes(), escapes_formulas, out);
    }
    out.extend_from_slice(END);
}

/// Appends a row. `cell` is room to work in.
pub(super) fn put_row(
    columns: &[Cells<'_>],
    row: usize,
    escapes_formulas: bool,
    cell: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    for (at, column) in columns.iter().enumerate() {
        separate(at, out);
        if column.is_null(row) {
            continue;
        }
        match &column.kind {
            // Our own words, never empty, without anything that would have to be quoted.
            Kind::Word(put) | Kind::Float(put) | Kind::Plain(put) => put(row, out),
            Kind::Text(text) => put_text(text(row).as_bytes(), escapes_formulas, out),
            Kind::Bytes(put) => {
                cell.clear();
                put(row, cell);
                put_text(cell, escapes_formulas, out);
            }
            Kind::List(..) | Kind::Struct(_) => {
                cell.clear();
                jsonl::put_value(column, row, cell);
                put_text(cell, escapes_formulas, out);
            }
        }
    }
    out.extend_from_slice(END);
}

fn separate(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
}

/// Appends a cell whose characters somebody else chose.
fn put_text(text: &[u8], escapes_formulas: bool, out: &mut Vec<u8>) {
    let guard: &[u8] = if escapes_formulas && is_formula(text) { b"'" } else { b"" };
    if !needs_quotes(text) {
        out.extend_from_slice(guard);
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(guard);
    let mut pieces = text.split(|byte| *byte == b'"');
    out.extend_from_slice(pieces.next().unwrap_or_default());
    for piece in pieces {
        out.extend_from_slice(b"\"\"");
        out.extend_from_slice(piece);
    }
    out.push(b'"');
}

/// Besides what RFC 4180 asks for: an empty text, which would be a null, and blanks at an end, which some readers trim.
fn needs_quotes(text: &[u8]) -> bool {
    let is_blank = |byte: Option<&u8>| byte.is_none_or(|byte| matches!(byte, b' ' | b'\t'));
    is_blank(text.first())
        || is_blank(text.last())
        || text.iter().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n'))
}

/// Whether a spreadsheet would take it for a formula.
fn is_formula(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\n'))
}
