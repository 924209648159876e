//! The table `session_events`: logons, logouts, resends, rejections and heartbeats, one row per message.

use casparian_sdk::column::{At, Fixed};
use casparian_sdk::prelude::*;
use casparian_sdk::table::Table;

use crate::faults::{Flaw, Flaws, beyond};
use crate::fields::Field;
use crate::tables::{Draft, Writer, boolean, keep};

table! {
    /// One row per message of the session: heartbeat, test request, resend request, reject, sequence reset, logout, logon.
    pub struct SessionEvents = "session_events", default_off {
        /// MsgType(35).
        msg_type: String,
        /// What it is called: `heartbeat`, `test_request`, `resend_request`, `reject`, `sequence_reset`, `logout`, `logon`.
        event: String,
        /// SenderCompID(49).
        sender_comp_id: Option<String>,
        /// TargetCompID(56).
        target_comp_id: Option<String>,
        /// MsgSeqNum(34).
        msg_seq_num: Option<u64>,
        /// PossDupFlag(43).
        poss_dup: Option<bool>,
        /// SendingTime(52).
        sending_time: Option<Timestamp<Nanos, Utc>>,
        /// TestReqID(112).
        test_req_id: Option<String>,
        /// BeginSeqNo(7) of a resend request.
        begin_seq_no: Option<u64>,
        /// EndSeqNo(16) of a resend request; 0 or, in old versions, 999999 stand for all.
        end_seq_no: Option<u64>,
        /// NewSeqNo(36) of a sequence reset.
        new_seq_no: Option<u64>,
        /// GapFillFlag(123) of a sequence reset.
        gap_fill: Option<bool>,
        /// RefSeqNum(45) of a reject.
        ref_seq_num: Option<u64>,
        /// RefTagID(371) of a reject.
        ref_tag_id: Option<u64>,
        /// RefMsgType(372) of a reject.
        ref_msg_type: Option<String>,
        /// SessionRejectReason(373).
        reject_reason: Option<u64>,
        /// EncryptMethod(98) of a logon.
        encrypt_method: Option<String>,
        /// HeartBtInt(108) of a logon, in seconds.
        heart_bt_int: Option<u64>,
        /// ResetSeqNumFlag(141) of a logon.
        reset_seq_num: Option<bool>,
        /// DefaultApplVerID(1137) of a logon.
        default_appl_ver_id: Option<String>,
        /// Text(58).
        text: Option<String>,
    }
}

/// Returns what a message of the session is called; `None` for all others.
pub fn event(msg_type: &[u8]) -> Option<&'static str> {
    Some(match msg_type {
        b"0" => "heartbeat",
        b"1" => "test_request",
        b"2" => "resend_request",
        b"3" => "reject",
        b"4" => "sequence_reset",
        b"5" => "logout",
        b"A" => "logon",
        _ => return None,
    })
}

/// Writes the row of a message of the session; returns what is wrong with it. Fails where the host refuses it.
pub fn session_event(
    writer: &mut Writer,
    table: &mut Table<'_, SessionEvents>,
    draft: &Draft<'_>,
    fields: &[Field],
    event: &str,
) -> Result<Flaws, Fault> {
    let mut row = table.row(draft.span)?;
    let (at, bytes, mut flaws) = (row.at(), draft.bytes, draft.flaws);
    let find = |tag: u32| fields.iter().find(|field| field.tag == tag);
    macro_rules! texts {
        ($($column:ident = $tag:literal),+ $(,)?) => {$(
            let place = find($tag).map(|field| (field.value, field.end));
            writer.text(&mut row.$column, at, bytes, place, &mut flaws);
        )+};
    }
    macro_rules! each {
        ($set:ident: $($column:ident = $tag:literal),+ $(,)?) => {$(
            $set(&mut row.$column, at, find($tag).map(|field| field.text(bytes)), &mut flaws);
        )+};
    }
    row.event.set(at, event);
    texts! {
        msg_type = 35,
        sender_comp_id = 49,
        target_comp_id = 56,
        test_req_id = 112,
        ref_msg_type = 372,
        encrypt_method = 98,
        default_appl_ver_id = 1137,
        text = 58,
    }
    each! { number:
        msg_seq_num = 34,
        begin_seq_no = 7,
        end_seq_no = 16,
        new_seq_no = 36,
        ref_seq_num = 45,
        ref_tag_id = 371,
        reject_reason = 373,
        heart_bt_int = 108,
    }
    each! { flag: poss_dup = 43, gap_fill = 123, reset_seq_num = 141 }
    writer.time(&mut row.sending_time, at, find(52).map(|field| field.text(bytes)), &mut flaws);
    row.faults(beyond(flaws, draft.named));
    Ok(flaws)
}

fn number(column: &mut Fixed<u64>, at: At, value: Option<&[u8]>, flaws: &mut Flaws) {
    if let Some(value) = value {
        keep(scan::parse_u64(value), Flaw::BadNumber, flaws, |number| column.set(at, number));
    }
}

fn flag(column: &mut casparian_sdk::column::Flags, at: At, value: Option<&[u8]>, flaws: &mut Flaws) {
    if let Some(value) = value {
        keep(boolean(value), Flaw::BadBoolean, flaws, |flag| column.set(at, flag));
    }
}
