//! The rules for names that a host would hold a parser to, told while it is compiled.

use proc_macro2::Span;
use syn::{Error, LitStr, Result};

const TABLE_BYTES_MAX: usize = 63;
const COLUMN_BYTES_MAX: usize = 256;
const RESERVED: &str = "_cf_";

/// Makes the name of a table of the name of a struct: `OrderLine` becomes `order_line`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// Checks the name of a table.
pub(crate) fn check_table(name: &str, span: Span) -> Result<()> {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    match begins && plain && name.len() <= TABLE_BYTES_MAX {
        true => Ok(()),
        false => Err(Error::new(
            span,
            format!("no table can be called `{name}`: [a-z][a-z0-9_]*, at most {TABLE_BYTES_MAX} bytes"),
        )),
    }
}

/// Checks the names of columns: each for itself, and that no two are the same.
pub(crate) fn check_columns(names: &[LitStr]) -> Result<()> {
    let mut taken = std::collections::BTreeSet::new();
    for name in names {
        let text = name.value();
        check_column(&text, name.span())?;
        if !taken.insert(text.to_lowercase()) {
            return Err(Error::new(name.span(), format!("there is a column `{text}` already, case aside")));
        }
    }
    Ok(())
}

fn check_column(name: &str, span: Span) -> Result<()> {
    if !(1..=COLUMN_BYTES_MAX).contains(&name.len()) {
        let bytes = name.len();
        return Err(Error::new(
            span,
            format!("the name of a column has 1 to {COLUMN_BYTES_MAX} bytes, not {bytes}"),
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::new(span, "the name of a column is printable"));
    }
    if name.to_lowercase().starts_with(RESERVED) {
        return Err(Error::new(span, format!("columns called `{RESERVED}…` are the host's")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_struct_becomes_that_of_a_table() {
        assert_eq!(["Trade", "OrderLine", "T2"].map(snake_case), ["trade", "order_line", "t2"]);
    }
}
