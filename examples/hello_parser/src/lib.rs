//! The smallest useful parser: lines of `key=value` into one table.

use casparian_sdk::prelude::*;

table! {
    /// One row per line.
    pub struct Pairs = "pairs" {
        /// What stands before the first `=`, without blanks around it.
        key: String,
        /// What stands behind it; none where that is empty.
        value: Option<String>,
    }
}

faults! {
    /// What can be wrong with a line.
    pub enum PairFault {
        /// The line holds no `=`.
        NoPair = "no_pair",
        /// The line is not UTF-8, or too long to be held.
        NoText = "no_text",
        /// The key is empty.
        EmptyKey = "empty_key",
    }
}

/// Reads `key=value` lines.
#[derive(Default)]
pub struct Hello;

impl Parser for Hello {
    fn describe(&self) -> Description {
        let description = Description::new("hello", env!("CARGO_PKG_VERSION")).doc("Lines of `key=value`.");
        description.table::<Pairs>().faults::<PairFault>().pattern("*.properties")
    }

    fn plan(&self, input: &Input, _: &Options, target_bytes: u64, _: &Output) -> Result<Layout, Fault> {
        Ok(Layout::cut_at(input.len(), input.cuts(b'\n', target_bytes)))
    }

    fn parse(&self, input: &Input, range: Span, _: &[u8], _: &Options, out: &Output) -> Result<(), Fault> {
        let mut pairs = out.table::<Pairs>()?;
        for line in input.lines(range) {
            match line.text().map(str::trim_ascii) {
                Some("") => out.skip(line.span(), SkipKind::Blank, "")?,
                Some(text) if text.starts_with('#') => out.skip(line.span(), SkipKind::Comment, "")?,
                Some(text) if let Some((key, value)) = text.split_once('=') => {
                    push(&mut pairs, line.span(), key, value)?
                }
                Some(_) => out.reject(line.span(), PairFault::NoPair, "expected key=value")?,
                None => out.reject(line.span(), PairFault::NoText, "expected UTF-8")?,
            }
        }
        Ok(())
    }
}

fn push(pairs: &mut Table<Pairs>, span: Span, key: &str, value: &str) -> Result<(), Fault> {
    let mut row = pairs.row(span)?;
    let at = row.at();
    row.key.set(at, key.trim_ascii());
    if !value.is_empty() {
        row.value.set(at, value.trim_ascii());
    }
    if key.trim_ascii().is_empty() {
        row.fault(PairFault::EmptyKey);
    }
    Ok(())
}

casparian_sdk::export!(Hello);

#[cfg(test)]
mod tests {
    use casparian_sdk::harness::{Run, run_steadily};

    use super::*;

    const INPUT: &[u8] = b"# made by hand\nhost = alpha\r\n\nport=\n=7\nno pair here\nlast=1";

    #[test]
    fn every_pair_is_a_row_and_the_rest_is_accounted_for() {
        let said = run_steadily(&Hello, INPUT).unwrap();
        let rows = said.rows("pairs");
        assert!(rows[0]["key"] == "host" && rows[0]["value"] == "alpha");
        assert!(rows[1]["key"] == "port" && rows[1]["value"].is_null());
        assert_eq!(rows[2].faults, ["empty_key"]);
        assert_eq!((rows.len(), said.rejects.len(), said.dark().len()), (4, 1, 0));
    }

    #[test]
    fn cutting_the_input_anywhere_changes_nothing() {
        let whole = run_steadily(&Hello, INPUT).unwrap();
        for target_bytes in 1..INPUT.len() as u64 {
            let cut = Run { target_bytes, ..Run::default() }.over(&Hello, INPUT).unwrap();
            assert_eq!((cut.tables, cut.rejects), (whole.tables.clone(), whole.rejects.clone()));
        }
    }
}
