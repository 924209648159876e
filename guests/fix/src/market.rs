//! The table `market_data_entries`: prices and sizes, one row per entry of a snapshot (W) or an update (X).

use casparian_sdk::prelude::*;
use casparian_sdk::table::Table;

use crate::faults::{Flaw, beyond, joined};
use crate::fields::Field;
use crate::groups::Walked;
use crate::tables::{Draft, Writer, keep};

/// The field that counts the entries.
const NO_MD_ENTRIES: u32 = 268;

table! {
    /// One row per entry of a market data snapshot (MsgType W) or update (X).
    pub struct MarketDataEntries = "market_data_entries", default_off {
        /// MsgType(35).
        msg_type: String,
        /// MDReqID(262).
        md_req_id: Option<String>,
        /// Which of the message's entries it is, from 0.
        idx: u32,
        /// MDUpdateAction(279).
        md_update_action: Option<String>,
        /// MDEntryType(269).
        md_entry_type: Option<String>,
        /// MDEntryID(278).
        md_entry_id: Option<String>,
        /// MDEntryRefID(280).
        md_entry_ref_id: Option<String>,
        /// Symbol(55) of the entry, else that of the message.
        symbol: Option<String>,
        /// Currency(15) of the entry.
        currency: Option<String>,
        /// MDEntryPx(270).
        md_entry_px: Option<Decimal<38, 10>>,
        /// MDEntrySize(271).
        md_entry_size: Option<Decimal<38, 10>>,
        /// MDEntryDate(272), as written.
        md_entry_date: Option<String>,
        /// MDEntryTime(273), as written.
        md_entry_time: Option<String>,
        /// MDEntryPositionNo(290).
        md_entry_position_no: Option<u64>,
        /// NumberOfOrders(346).
        number_of_orders: Option<u64>,
        /// SendingTime(52) of the message.
        sending_time: Option<Timestamp<Nanos, Utc>>,
    }
}

/// Returns whether a message has entries.
pub fn has_entries(msg_type: &[u8]) -> bool {
    matches!(msg_type, b"W" | b"X")
}

/// Writes the entries of a message, and returns whether there is one; what is wrong with the message goes to the first. Fails where the host refuses a row.
pub fn entries(
    writer: &mut Writer,
    table: &mut Table<'_, MarketDataEntries>,
    walked: &Walked<'_>,
    draft: &mut Draft<'_>,
) -> Result<bool, Fault> {
    let mut any = false;
    let shared = SHARED.map(|tag| outside(walked, tag));
    for (number, instance) in (0u32..).zip(&walked.walk.instances) {
        let group = walked.walk.groups.get(instance.group as usize);
        if group.is_some_and(|group| group.tag == NO_MD_ENTRIES && group.parent.is_none()) {
            entry(writer, table, walked, (number, instance.index), &shared, draft)?;
            any = true;
        }
    }
    Ok(any)
}

/// What entries have from their message: MsgType, SendingTime, Symbol, MDReqID.
const SHARED: [u32; 4] = [35, 52, 55, 262];

fn outside(walked: &Walked<'_>, tag: u32) -> Option<Field> {
    let fields = walked.fields.iter().zip(&walked.walk.places);
    fields.filter(|(_, place)| **place == 0).map(|(field, _)| *field).find(|field| field.tag == tag)
}

fn entry(
    writer: &mut Writer,
    table: &mut Table<'_, MarketDataEntries>,
    walked: &Walked<'_>,
    (number, idx): (u32, u32),
    shared: &[Option<Field>],
    draft: &mut Draft<'_>,
) -> Result<(), Fault> {
    let mut row = table.row(walked.span)?;
    let (at, bytes, mut flaws) = (row.at(), walked.bytes, std::mem::take(&mut draft.flaws));
    row.idx.set(at, idx);
    // In a row the first value of a column stays: the entry's own before the message's.
    let inside = walked.walk.fields_of(number).filter_map(|at| walked.fields.get(at));
    for field in inside.chain(shared.iter().flatten()) {
        let (place, value) = (Some((field.value, field.end)), field.text(bytes));
        match field.tag {
            35 => writer.text(&mut row.msg_type, at, bytes, place, &mut flaws),
            262 => writer.text(&mut row.md_req_id, at, bytes, place, &mut flaws),
            279 => writer.text(&mut row.md_update_action, at, bytes, place, &mut flaws),
            269 => writer.text(&mut row.md_entry_type, at, bytes, place, &mut flaws),
            278 => writer.text(&mut row.md_entry_id, at, bytes, place, &mut flaws),
            280 => writer.text(&mut row.md_entry_ref_id, at, bytes, place, &mut flaws),
            55 => writer.text(&mut row.symbol, at, bytes, place, &mut flaws),
            15 => writer.text(&mut row.currency, at, bytes, place, &mut flaws),
            270 => writer.decimal(&mut row.md_entry_px, at, bytes, place, &mut flaws),
            271 => writer.decimal(&mut row.md_entry_size, at, bytes, place, &mut flaws),
            272 => writer.text(&mut row.md_entry_date, at, bytes, place, &mut flaws),
            273 => writer.text(&mut row.md_entry_time, at, bytes, place, &mut flaws),
            52 => writer.time(&mut row.sending_time, at, Some(value), &mut flaws),
            290 => keep(scan::parse_u64(value), Flaw::BadNumber, &mut flaws, |number| {
                row.md_entry_position_no.set(at, number);
            }),
            346 => keep(scan::parse_u64(value), Flaw::BadNumber, &mut flaws, |number| {
                row.number_of_orders.set(at, number);
            }),
            _ => {}
        }
    }
    row.faults(beyond(flaws, draft.named));
    draft.named = joined(draft.named, flaws);
    Ok(())
}
