//! Inputs that earlier fuzzing has found worth keeping: a file for each target, an input a line, in hexadecimal digits.

use std::fs;
use std::path::Path;

/// Returns the stored inputs of a target; none where nothing is stored.
pub fn stored(target: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{target}.hex"));
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(bytes).collect()
}

/// Reads hexadecimal digits; whatever stands between them is passed by.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).expect("digits are text"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("digits are hexadecimal")).collect()
}
