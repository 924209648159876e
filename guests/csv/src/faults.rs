//! What can be wrong with a record, by name. The order here is the order in `describe`.

use casparian_sdk::faults;

faults! {
    /// Why a record is rejected.
    pub enum Flaw {
        /// A quote is opened and never closed. The line is rejected; what follows is read on.
        UnclosedQuote = "unclosed_quote",
        /// The record has more cells than the table has columns, or its cells do not stand where the columns are.
        LongRow = "long_row",
        /// The record has fewer cells than the table has columns, and those that it has do not stand where the columns are.
        ShortRow = "short_row",
        /// The record has bytes that are no text in the encoding of the input.
        UndecodableText = "undecodable_text",
        /// The record is longer than 1 MiB, or has more cells than a table can have columns.
        OversizedRecord = "oversized_record",
    }
}
