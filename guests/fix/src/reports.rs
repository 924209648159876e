//! The table `execution_reports`: what became of orders, one row per message of type 8.

use casparian_sdk::prelude::*;
use casparian_sdk::table::Table;

use crate::faults::{Flaw, Flaws, beyond};
use crate::tables::{Draft, Writer, boolean, keep};
use crate::tags::slot;
use crate::time;

/// The MsgType(35) of an execution report.
pub const MSG_TYPE: &[u8] = b"8";

table! {
    /// One row per execution report (MsgType 8) that can be read.
    pub struct ExecutionReports = "execution_reports" {
        /// BeginString(8).
        begin_string: String,
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
        /// ExecID(17).
        exec_id: Option<String>,
        /// ExecRefID(19).
        exec_ref_id: Option<String>,
        /// OrderID(37).
        order_id: Option<String>,
        /// ClOrdID(11).
        cl_ord_id: Option<String>,
        /// OrigClOrdID(41).
        orig_cl_ord_id: Option<String>,
        /// ExecTransType(20), up to FIX 4.2.
        exec_trans_type: Option<String>,
        /// ExecType(150), from FIX 4.1 on.
        exec_type: Option<String>,
        /// OrdStatus(39).
        ord_status: Option<String>,
        /// Account(1).
        account: Option<String>,
        /// Symbol(55).
        symbol: Option<String>,
        /// Side(54).
        side: Option<String>,
        /// OrdType(40).
        ord_type: Option<String>,
        /// TimeInForce(59).
        time_in_force: Option<String>,
        /// Currency(15).
        currency: Option<String>,
        /// OrderQty(38).
        order_qty: Option<Decimal<38, 10>>,
        /// Price(44).
        price: Option<Decimal<38, 10>>,
        /// LastQty(32), which is called LastShares up to FIX 4.2.
        last_qty: Option<Decimal<38, 10>>,
        /// LastPx(31).
        last_px: Option<Decimal<38, 10>>,
        /// CumQty(14).
        cum_qty: Option<Decimal<38, 10>>,
        /// LeavesQty(151).
        leaves_qty: Option<Decimal<38, 10>>,
        /// AvgPx(6).
        avg_px: Option<Decimal<38, 10>>,
        /// TradeDate(75).
        trade_date: Option<Date>,
        /// TransactTime(60).
        transact_time: Option<Timestamp<Nanos, Utc>>,
        /// Text(58).
        text: Option<String>,
    }
}

/// Writes the row of an execution report; returns what is wrong with its message. Fails where the host refuses it.
pub fn report(
    writer: &mut Writer,
    table: &mut Table<'_, ExecutionReports>,
    draft: &Draft<'_>,
) -> Result<Flaws, Fault> {
    let mut row = table.row(draft.span)?;
    let (at, bytes, mut flaws) = (row.at(), draft.bytes, draft.flaws);
    let place = |slot| draft.slots.place(slot);
    let value = |slot| draft.slots.value(bytes, slot);
    macro_rules! each {
        ($set:ident: $($column:ident = $slot:ident),+ $(,)?) => {
            $(writer.$set(&mut row.$column, at, bytes, place(slot::$slot), &mut flaws);)+
        };
    }
    each! { text:
        begin_string = BEGIN_STRING,
        sender_comp_id = SENDER_COMP_ID,
        target_comp_id = TARGET_COMP_ID,
        exec_id = EXEC_ID,
        exec_ref_id = EXEC_REF_ID,
        order_id = ORDER_ID,
        cl_ord_id = CL_ORD_ID,
        orig_cl_ord_id = ORIG_CL_ORD_ID,
        exec_trans_type = EXEC_TRANS_TYPE,
        exec_type = EXEC_TYPE,
        ord_status = ORD_STATUS,
        account = ACCOUNT,
        symbol = SYMBOL,
        side = SIDE,
        ord_type = ORD_TYPE,
        time_in_force = TIME_IN_FORCE,
        currency = CURRENCY,
        text = TEXT,
    }
    each! { decimal:
        order_qty = ORDER_QTY,
        price = PRICE,
        last_qty = LAST_QTY,
        last_px = LAST_PX,
        cum_qty = CUM_QTY,
        leaves_qty = LEAVES_QTY,
        avg_px = AVG_PX,
    }
    writer.time(&mut row.sending_time, at, value(slot::SENDING_TIME), &mut flaws);
    writer.time(&mut row.transact_time, at, value(slot::TRANSACT_TIME), &mut flaws);
    if let Some(number) = value(slot::MSG_SEQ_NUM) {
        keep(scan::parse_u64(number), Flaw::BadNumber, &mut flaws, |number| row.msg_seq_num.set(at, number));
    }
    if let Some(flag) = value(slot::POSS_DUP) {
        keep(boolean(flag), Flaw::BadBoolean, &mut flaws, |flag| row.poss_dup.set(at, flag));
    }
    if let Some(day) = value(slot::TRADE_DATE) {
        keep(time::date(day), Flaw::BadTimestamp, &mut flaws, |day| row.trade_date.set(at, day));
    }
    row.faults(beyond(flaws, draft.named));
    Ok(flaws)
}
