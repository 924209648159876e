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
        /// A field is there more than once, and no repeating group has room for it. The first one counts.
        DuplicateTag = "duplicate_tag",
        /// A field that is a UTC time stamp in every version of FIX holds none; or TradeDate(75) holds no day.
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
        /// A repeating group has more or fewer instances than it says.
        GroupCountMismatch = "group_count_mismatch",
        /// Whether the sum is right cannot be known: a shown delimiter may be part of a value.
        Unverifiable = "unverifiable",
        /// The version has no message of this MsgType(35).
        UnknownMsgType = "unknown_msg_type",
        /// The version has no field of this tag, and it is not one that users may define.
        UndefinedTag = "undefined_tag",
        /// The version has the field, but not at this place of this kind of message.
        MisplacedTag = "misplaced_tag",
        /// A field that the kind of message or the repeating group must have is not there.
        MissingRequired = "missing_required",
        /// A value is none of those that the field may have.
        BadEnum = "bad_enum",
        /// A value is not written as values of the field are.
        BadFormat = "bad_format",
        /// Fields of header, body and trailer do not follow each other.
        OutOfOrder = "out_of_order",
        /// The instances of a repeating group do not begin with the field that they should.
        GroupOutOfOrder = "group_out_of_order",
    }
}

/// The flaws of one record, each at most once.
pub type Flaws = FaultSet<Flaw>;

/// What values can have wrong: found again by every row that holds the value.
const OF_VALUES: [Flaw; 4] = [Flaw::BadTimestamp, Flaw::BadNumber, Flaw::BadBoolean, Flaw::UndecodableText];

/// Returns the flaws that a row still has to name where rows before it have named some.
pub fn beyond(flaws: Flaws, named: Flaws) -> Flaws {
    if named.is_empty() {
        return flaws;
    }
    let rest = OF_VALUES.into_iter().filter(|flaw| flaws.contains(*flaw) && !named.contains(*flaw));
    rest.fold(Flaws::NONE, |rest, flaw| rest.with(flaw))
}

/// Returns what rows have named once one more has.
pub fn joined(named: Flaws, flaws: Flaws) -> Flaws {
    if named.is_empty() {
        return flaws;
    }
    OF_VALUES.into_iter().filter(|flaw| flaws.contains(*flaw)).fold(named, |all, flaw| all.with(flaw))
}

impl Flaw {
    /// Returns the code that stands at an index, as rejections name it.
    pub fn code_of(index: u16) -> &'static str {
        <Flaw as casparian_sdk::FaultCode>::ALL.get(usize::from(index)).map_or("", |fault| fault.0)
    }
}
