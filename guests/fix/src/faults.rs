//! What can be wrong with a record, by name.
//!
//! A flaw is found by whoever sees it first (framing, fields, values) and carried in a set until the row is written. The order
//! here is the order in `describe` and in `_cf_faults`.

use casparian_sdk::{FaultSet, faults};

faults! {
    /// One thing that is wrong with a record.
    pub enum Flaw {
        /// CheckSum(10) is not the sum of the bytes before it, or is not three digits.
        BadChecksum = "bad_checksum",
        /// BodyLength(9) is not the number of bytes between it and CheckSum(10).
        BadBodyLength = "bad_body_length",
        /// The body is complete, and CheckSum(10) does not follow it.
        MissingChecksum = "missing_checksum",
        /// The message is cut off before its end. Rejected: nobody knows what is missing.
        Truncated = "truncated",
        /// A field does not begin with a tag: a positive number without leading zeros, then an equals sign.
        NonnumericTag = "nonnumeric_tag",
        /// A field has a tag and no value.
        EmptyValue = "empty_value",
        /// The first three fields are not BeginString(8), BodyLength(9), MsgType(35).
        First3OutOfOrder = "first3_out_of_order",
        /// A field that belongs to no repeating group is there more than once. The first one counts.
        DuplicateTag = "duplicate_tag",
        /// A field that is a UTC time stamp in every version of FIX holds none.
        BadTimestamp = "bad_timestamp",
        /// A length field is not followed by a data field of that length.
        DataLenMismatch = "data_len_mismatch",
        /// The line holds no FIX message. Rejected.
        NonFixLine = "non_fix_line",
        /// A text value is not valid in the log's encoding: null here, raw in the table fields.
        UndecodableText = "undecodable_text",
        /// A number is none, or does not fit its column: null here, raw in the table fields.
        BadNumber = "bad_number",
        /// A flag is neither Y nor N: null here, raw in the table fields.
        BadBoolean = "bad_boolean",
        /// The record is longer than the option record-bytes-max allows. Rejected.
        OversizedRecord = "oversized_record",
    }
}

/// The flaws of one record, each at most once.
pub type Flaws = FaultSet<Flaw>;

impl Flaw {
    /// Returns the code that stands at an index, as rejections name it.
    pub fn code_of(index: u16) -> &'static str {
        <Flaw as casparian_sdk::FaultCode>::ALL.get(usize::from(index)).map_or("", |fault| fault.0)
    }
}
