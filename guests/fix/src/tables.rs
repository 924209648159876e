//! The table of messages, how a message becomes a row of it, and how values are read for all tables.

use casparian_sdk::column::{At, Fixed, Text};
use casparian_sdk::prelude::*;
use casparian_sdk::table::{Row, Table};

use crate::faults::{Flaw, Flaws};
use crate::fields::{Field, Slots};
use crate::message::Frame;
use crate::number::decimal;
use crate::prefix::Prefixes;
use crate::tags::{self, slot, slot_of};
use crate::time::Clock;

table! {
    /// One row per message that can be read.
    pub struct Messages = "messages" {
        /// BeginString(8).
        begin_string: String,
        /// ApplVerID(1128).
        appl_ver_id: Option<String>,
        /// MsgType(35).
        msg_type: String,
        /// MsgSeqNum(34).
        msg_seq_num: Option<u64>,
        /// SenderCompID(49).
        sender_comp_id: Option<String>,
        /// TargetCompID(56).
        target_comp_id: Option<String>,
        /// PossDupFlag(43).
        poss_dup: Option<bool>,
        /// SendingTime(52).
        sending_time: Option<Timestamp<Nanos, Utc>>,
        /// SendingTime(52) as written.
        sending_time_raw: Option<String>,
        /// The log's own clock, as written: a wall clock without a zone.
        log_time: Option<Timestamp<Nanos>>,
        /// The zone that the log's own clock names, as written.
        log_zone: Option<String>,
        /// Whether the log says that the message came `in` or went `out`.
        direction: Option<String>,
        /// BodyLength(9).
        body_length_declared: Option<u32>,
        /// Bytes between BodyLength(9) and CheckSum(10).
        body_length_actual: Option<u32>,
        /// CheckSum(10).
        checksum_declared: Option<u8>,
        /// The sum of all bytes before CheckSum(10), every delimiter taken for SOH.
        checksum_actual: u8,
        /// Whether the two agree; null where there is nothing to compare, or where a shown delimiter may be part of a value.
        checksum_verified: Option<bool>,
        /// ClOrdID(11).
        cl_ord_id: Option<String>,
        /// OrigClOrdID(41).
        orig_cl_ord_id: Option<String>,
        /// OrderID(37).
        order_id: Option<String>,
        /// Symbol(55).
        symbol: Option<String>,
        /// Side(54).
        side: Option<String>,
        /// OrderQty(38).
        order_qty: Option<Decimal<38, 10>>,
        /// Price(44).
        price: Option<Decimal<38, 10>>,
        /// Text(58).
        text: Option<String>,
        /// How many fields the message has.
        n_fields: u32,
    }
}

/// How text values are encoded in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 where it is that, else ISO 8859-1. Text in one is hardly ever valid in the other: a letter beyond ASCII is a
    /// lone byte there and never here. What is neither (ISO 8859-1 has control characters at 80 to 9F) is a flaw.
    Auto,
    /// UTF-8; anything else is a flaw.
    Utf8,
    /// ISO 8859-1, which every byte is.
    Latin1,
}

impl Encoding {
    /// Every encoding with the name that the option `text-encoding` knows it by.
    pub const ALL: [(Encoding, &'static str); 3] =
        [(Encoding::Auto, "auto"), (Encoding::Utf8, "utf-8"), (Encoding::Latin1, "latin-1")];
}

/// Returns whether bytes are text in ISO 8859-1: no control characters of its upper half.
fn is_latin1_text(bytes: &[u8]) -> bool {
    !bytes.iter().any(|byte| (0x80..0xa0).contains(byte))
}

/// A message about to become a row.
pub struct Draft<'a> {
    /// The bytes that all places point into, padded.
    pub bytes: &'a [u8],
    /// Where its record is in the input.
    pub span: Span,
    /// What stands before it.
    pub prefix: &'a [u8],
    /// Where its values are.
    pub slots: &'a Slots,
    /// Lengths and sums.
    pub frame: &'a Frame,
    /// What is wrong with it so far, and stands in no row yet.
    pub flaws: Flaws,
    /// What stands in a row.
    pub named: Flaws,
    /// Whether all of it is known to be UTF-8 (as ASCII is).
    pub is_utf8: bool,
}

/// Turns messages into rows.
pub struct Writer {
    clock: Clock,
    prefixes: Prefixes,
    encoding: Encoding,
}

impl Writer {
    /// Makes a writer for logs of an encoding.
    pub fn new(encoding: Encoding) -> Writer {
        Writer { clock: Clock::default(), prefixes: Prefixes::default(), encoding }
    }

    /// Writes the row of a message; returns what it says is wrong. Fails where the host refuses it.
    #[inline]
    pub fn message(&mut self, table: &mut Table<'_, Messages>, draft: &Draft<'_>) -> Result<Flaws, Fault> {
        let mut row = table.row(draft.span)?;
        let mut flaws = draft.flaws;
        self.texts(&mut row, draft, &mut flaws);
        self.values(&mut row, draft, &mut flaws);
        self.log(&mut row, draft);
        let (at, frame) = (row.at(), draft.frame);
        set(frame.body_length_declared, |length| row.body_length_declared.set(at, length));
        set(frame.body_length_actual, |length| row.body_length_actual.set(at, length));
        set(frame.checksum_declared, |sum| row.checksum_declared.set(at, sum));
        row.checksum_actual.set(at, frame.checksum_actual);
        set(frame.checksum_verified, |verified| row.checksum_verified.set(at, verified));
        row.n_fields.set(at, frame.fields);
        row.faults(flaws);
        Ok(flaws)
    }

    #[inline]
    fn texts(&self, row: &mut Row<'_, Messages>, draft: &Draft<'_>, flaws: &mut Flaws) {
        let at = row.at();
        macro_rules! text {
            ($($column:ident = $slot:ident),+ $(,)?) => {$(
                if let Some((start, end)) = draft.slots.place(slot::$slot) {
                    if draft.is_utf8 {
                        row.$column.set_slice(at, draft.bytes, start, end);
                    } else {
                        match self.decode(&draft.bytes[start..end]) {
                            Some(text) => row.$column.set(at, &text),
                            None => flaws.insert(Flaw::UndecodableText),
                        }
                    }
                }
            )+};
        }
        text! {
            begin_string = BEGIN_STRING,
            appl_ver_id = APPL_VER_ID,
            msg_type = MSG_TYPE,
            sender_comp_id = SENDER_COMP_ID,
            target_comp_id = TARGET_COMP_ID,
            sending_time_raw = SENDING_TIME,
            cl_ord_id = CL_ORD_ID,
            orig_cl_ord_id = ORIG_CL_ORD_ID,
            order_id = ORDER_ID,
            symbol = SYMBOL,
            side = SIDE,
            text = TEXT,
        }
    }

    /// Returns whether the bytes are text in the log's encoding.
    pub fn is_text(&self, bytes: &[u8]) -> bool {
        match self.encoding {
            Encoding::Auto => scan::is_utf8(bytes) || is_latin1_text(bytes),
            Encoding::Utf8 => scan::is_utf8(bytes),
            Encoding::Latin1 => true,
        }
    }

    #[cold]
    fn decode<'a>(&self, value: &'a [u8]) -> Option<std::borrow::Cow<'a, str>> {
        let utf8 = || std::str::from_utf8(value).ok().map(Into::into);
        let latin1 = || value.iter().map(|byte| char::from(*byte)).collect::<String>().into();
        match self.encoding {
            Encoding::Auto => utf8().or_else(|| is_latin1_text(value).then(latin1)),
            Encoding::Utf8 => utf8(),
            Encoding::Latin1 => Some(latin1()),
        }
    }

    /// Sets a text, where there is one.
    pub fn text(
        &self,
        column: &mut Text,
        at: At,
        bytes: &[u8],
        place: Option<(usize, usize)>,
        flaws: &mut Flaws,
    ) {
        let Some((start, end)) = place else { return };
        let value = &bytes[start..end];
        if scan::is_ascii(value) {
            column.set_slice(at, bytes, start, end);
        } else {
            match self.decode(value) {
                Some(text) => column.set(at, &text),
                None => flaws.insert(Flaw::UndecodableText),
            }
        }
    }

    /// Sets a decimal, where there is one.
    pub fn decimal(
        &self,
        column: &mut Fixed<i128>,
        at: At,
        bytes: &[u8],
        place: Option<(usize, usize)>,
        flaws: &mut Flaws,
    ) {
        if let Some((start, end)) = place {
            keep(decimal(bytes, start, end), Flaw::BadNumber, flaws, |number| column.set(at, number));
        }
    }

    /// Sets a time stamp, where there is one.
    pub fn time(&mut self, column: &mut Fixed<i64>, at: At, value: Option<&[u8]>, flaws: &mut Flaws) {
        if let Some(value) = value {
            keep(self.clock.utc(value), Flaw::BadTimestamp, flaws, |time| column.set(at, time));
        }
    }

    #[inline]
    fn values(&mut self, row: &mut Row<'_, Messages>, draft: &Draft<'_>, flaws: &mut Flaws) {
        let at = row.at();
        let value = |slot| draft.slots.value(draft.bytes, slot);
        if let Some(number) = value(slot::MSG_SEQ_NUM) {
            keep(scan::parse_u64(number), Flaw::BadNumber, flaws, |number| row.msg_seq_num.set(at, number));
        }
        if let Some(flag) = value(slot::POSS_DUP) {
            keep(boolean(flag), Flaw::BadBoolean, flaws, |flag| row.poss_dup.set(at, flag));
        }
        let place = |slot| draft.slots.place(slot);
        if let Some((start, end)) = place(slot::ORDER_QTY) {
            let quantity = decimal(draft.bytes, start, end);
            keep(quantity, Flaw::BadNumber, flaws, |quantity| row.order_qty.set(at, quantity));
        }
        if let Some((start, end)) = place(slot::PRICE) {
            let price = decimal(draft.bytes, start, end);
            keep(price, Flaw::BadNumber, flaws, |price| row.price.set(at, price));
        }
        if let Some(time) = value(slot::SENDING_TIME) {
            keep(self.clock.utc(time), Flaw::BadTimestamp, flaws, |time| row.sending_time.set(at, time));
        }
        let mut others = draft.slots.seen & tags::TIMES & !(1 << slot::SENDING_TIME);
        while others != 0 {
            let time = value(others.trailing_zeros() as u8);
            others &= others - 1;
            keep(time.and_then(|time| self.clock.utc(time)), Flaw::BadTimestamp, flaws, |_| {});
        }
    }

    /// Returns what is wrong with the values that a row of a message would hold.
    pub fn flaws_of_values(&mut self, draft: &Draft<'_>) -> Flaws {
        let mut flaws = draft.flaws;
        let value = |slot| draft.slots.value(draft.bytes, slot);
        let place = |slot| draft.slots.place(slot);
        let numbers = [place(slot::ORDER_QTY), place(slot::PRICE)].into_iter().flatten();
        let is_bad = |(start, end)| decimal(draft.bytes, start, end).is_none();
        if numbers.into_iter().any(is_bad)
            || value(slot::MSG_SEQ_NUM).is_some_and(|number| scan::parse_u64(number).is_none())
        {
            flaws.insert(Flaw::BadNumber);
        }
        if value(slot::POSS_DUP).is_some_and(|flag| boolean(flag).is_none()) {
            flaws.insert(Flaw::BadBoolean);
        }
        let times = (0..slot::COUNT as u8).filter(|slot| (draft.slots.seen & tags::TIMES) >> slot & 1 == 1);
        if times.filter_map(value).any(|time| self.clock.utc(time).is_none()) {
            flaws.insert(Flaw::BadTimestamp);
        }
        flaws
    }

    #[inline]
    fn log(&mut self, row: &mut Row<'_, Messages>, draft: &Draft<'_>) {
        if draft.prefix.is_empty() {
            return;
        }
        let at = row.at();
        let prefix = self.prefixes.read(draft.prefix);
        set(prefix.time, |time| row.log_time.set(at, time));
        if let Some(zone) = prefix.zone.and_then(|zone| str::from_utf8(&draft.prefix[zone]).ok()) {
            row.log_zone.set(at, zone);
        }
        set(prefix.direction, |direction| row.direction.set(at, direction.text()));
    }

    /// Looks at what has no column of its own: the flaws of time stamps met again, and of text.
    #[cold]
    pub fn inspect(&mut self, bytes: &[u8], fields: &[Field], flaws: &mut Flaws) {
        for field in fields {
            let value = &bytes[field.value..field.end];
            if tags::TIMES >> slot_of(field.tag) & 1 == 1 && self.clock.utc(value).is_none() {
                flaws.insert(Flaw::BadTimestamp);
            }
            if !field.counted && !self.is_text(&bytes[field.start..field.end]) {
                flaws.insert(Flaw::UndecodableText);
            }
        }
    }
}

/// Reads a FIX boolean.
pub fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"Y" => Some(true),
        b"N" => Some(false),
        _ => None,
    }
}

/// Puts a value where there is one.
#[inline]
pub fn set<T>(value: Option<T>, put: impl FnOnce(T)) {
    if let Some(value) = value {
        put(value);
    }
}

/// Puts a value where there is one, and names the flaw where there is none.
#[inline]
pub fn keep<T>(value: Option<T>, flaw: Flaw, flaws: &mut Flaws, put: impl FnOnce(T)) {
    match value {
        Some(value) => put(value),
        None => flaws.insert(flaw),
    }
}
