//! The smallest useful parser: lines of `key=value` into one table.

use casparian_sdk::prelude::*;

/// One row per line.
#[derive(Row)]
#[row(table = "pairs")]
struct Pair<'a> {
    /// What stands before the first `=`.
    key: &'a str,
    /// What stands behind it.
    value: &'a str,
}

faults! {
    /// What can be wrong with a line.
    pub enum PairFault {
        /// The line is no text with a `=` in it.
        NoPair = "no_pair",
    }
}

/// Reads `key=value` lines.
#[derive(Default)]
pub struct Hello;

impl Parser for Hello {
    fn describe(&self) -> Description {
        Description::new("hello", "0.1.0").doc("Lines of `key=value`.").rows::<Pair>().faults::<PairFault>()
    }

    fn parse(&self, input: &Input, range: Span, _: &[u8], _: &Options, out: &Output) -> Result<(), Fault> {
        let mut pairs = out.rows::<Pair>()?;
        for line in input.lines(range) {
            let Some((key, value)) = line.text().and_then(|text| text.split_once('=')) else {
                out.reject(line.span(), PairFault::NoPair, "expected key=value")?;
                continue;
            };
            pairs.push(line.span(), Pair { key, value })?;
        }
        Ok(())
    }

    fn resync(&self, input: &Input, _: &[u8], after: u64) -> Option<u64> {
        input.line_end(after)
    }
}

casparian_sdk::export!(Hello);

#[cfg(test)]
mod tests {
    use casparian_sdk::harness::run_steadily;

    use super::*;

    #[test]
    fn every_line_is_a_row_or_is_rejected() {
        let said = run_steadily(&Hello, b"host=alpha\r\nport=\nno pair here\nlast=1").unwrap();
        let rows = said.rows("pairs");
        assert!(rows[0]["key"] == "host" && rows[0]["value"] == "alpha");
        assert!(rows[1]["key"] == "port" && rows[1]["value"] == "");
        assert_eq!((rows.len(), said.rejects.len(), said.dark().len()), (3, 1, 0));
    }
}
