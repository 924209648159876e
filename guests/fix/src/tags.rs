//! What is true of a tag in every version: its column, whether it can repeat, whether it is a time stamp, and which data
//! field follows a length field. Numbers are facts of the standard, FIX 4.0 to 5.0 SP2.

/// A place for the first value of a field that we look at.
pub mod slot {
    /// Every field that we do not look at.
    pub const OTHER: u8 = 0;
    /// BeginString(8).
    pub const BEGIN_STRING: u8 = 1;
    /// BodyLength(9).
    pub const BODY_LENGTH: u8 = 2;
    /// MsgType(35).
    pub const MSG_TYPE: u8 = 3;
    /// MsgSeqNum(34).
    pub const MSG_SEQ_NUM: u8 = 4;
    /// SenderCompID(49).
    pub const SENDER_COMP_ID: u8 = 5;
    /// TargetCompID(56).
    pub const TARGET_COMP_ID: u8 = 6;
    /// PossDupFlag(43).
    pub const POSS_DUP: u8 = 7;
    /// SendingTime(52).
    pub const SENDING_TIME: u8 = 8;
    /// ApplVerID(1128).
    pub const APPL_VER_ID: u8 = 9;
    /// CheckSum(10).
    pub const CHECKSUM: u8 = 10;
    /// ClOrdID(11).
    pub const CL_ORD_ID: u8 = 11;
    /// OrigClOrdID(41).
    pub const ORIG_CL_ORD_ID: u8 = 12;
    /// OrderID(37).
    pub const ORDER_ID: u8 = 13;
    /// Symbol(55).
    pub const SYMBOL: u8 = 14;
    /// Side(54).
    pub const SIDE: u8 = 15;
    /// OrderQty(38).
    pub const ORDER_QTY: u8 = 16;
    /// Price(44).
    pub const PRICE: u8 = 17;
    /// Text(58).
    pub const TEXT: u8 = 18;
    /// TransactTime(60).
    pub const TRANSACT_TIME: u8 = 19;
    /// OrigSendingTime(122).
    pub const ORIG_SENDING_TIME: u8 = 20;
    /// Account(1).
    pub const ACCOUNT: u8 = 21;
    /// AvgPx(6).
    pub const AVG_PX: u8 = 22;
    /// CumQty(14).
    pub const CUM_QTY: u8 = 23;
    /// Currency(15).
    pub const CURRENCY: u8 = 24;
    /// ExecID(17).
    pub const EXEC_ID: u8 = 25;
    /// ExecRefID(19).
    pub const EXEC_REF_ID: u8 = 26;
    /// ExecTransType(20).
    pub const EXEC_TRANS_TYPE: u8 = 27;
    /// LastPx(31).
    pub const LAST_PX: u8 = 28;
    /// LastQty(32).
    pub const LAST_QTY: u8 = 29;
    /// OrdStatus(39).
    pub const ORD_STATUS: u8 = 30;
    /// OrdType(40).
    pub const ORD_TYPE: u8 = 31;
    /// TimeInForce(59).
    pub const TIME_IN_FORCE: u8 = 32;
    /// TradeDate(75).
    pub const TRADE_DATE: u8 = 33;
    /// ExecType(150).
    pub const EXEC_TYPE: u8 = 34;
    /// LeavesQty(151).
    pub const LEAVES_QTY: u8 = 35;
    /// The first of those that are only watched, for repeats or for being a time stamp.
    pub const WATCHED: u8 = 36;
    /// A length field: what follows it is no plain field.
    pub const LENGTH: u8 = 63;
    /// How many there are.
    pub const COUNT: usize = 64;
}

const COLUMNS: [(u32, u8); 35] = [
    (1, slot::ACCOUNT),
    (6, slot::AVG_PX),
    (8, slot::BEGIN_STRING),
    (9, slot::BODY_LENGTH),
    (10, slot::CHECKSUM),
    (11, slot::CL_ORD_ID),
    (14, slot::CUM_QTY),
    (15, slot::CURRENCY),
    (17, slot::EXEC_ID),
    (19, slot::EXEC_REF_ID),
    (20, slot::EXEC_TRANS_TYPE),
    (31, slot::LAST_PX),
    (32, slot::LAST_QTY),
    (34, slot::MSG_SEQ_NUM),
    (35, slot::MSG_TYPE),
    (37, slot::ORDER_ID),
    (38, slot::ORDER_QTY),
    (39, slot::ORD_STATUS),
    (40, slot::ORD_TYPE),
    (41, slot::ORIG_CL_ORD_ID),
    (43, slot::POSS_DUP),
    (44, slot::PRICE),
    (49, slot::SENDER_COMP_ID),
    (52, slot::SENDING_TIME),
    (54, slot::SIDE),
    (55, slot::SYMBOL),
    (56, slot::TARGET_COMP_ID),
    (58, slot::TEXT),
    (59, slot::TIME_IN_FORCE),
    (60, slot::TRANSACT_TIME),
    (75, slot::TRADE_DATE),
    (122, slot::ORIG_SENDING_TIME),
    (150, slot::EXEC_TYPE),
    (151, slot::LEAVES_QTY),
    (1128, slot::APPL_VER_ID),
];

/// Time stamps in every version, and not header fields: OrigTime, ValidUntilTime, ExpireTime, EffectiveTime.
const OTHER_TIMES: [u32; 4] = [42, 62, 126, 168];

/// Header and session fields that no version puts into a repeating group, beyond those with a column.
const OTHER_UNREPEATABLE: [u32; 18] =
    [7, 16, 36, 50, 57, 97, 98, 108, 112, 115, 116, 123, 128, 129, 142, 143, 144, 145];

/// A length field and the data field behind it: FIX 4.0 to 5.0 SP2 with its extension packs.
const DATA_FIELDS: [(u32, u32); 83] = [
    (90, 91),
    (93, 89),
    (95, 96),
    (212, 213),
    (348, 349),
    (350, 351),
    (352, 353),
    (354, 355),
    (356, 357),
    (358, 359),
    (360, 361),
    (362, 363),
    (364, 365),
    (445, 446),
    (618, 619),
    (621, 622),
    (1184, 1185),
    (1277, 1278),
    (1280, 1281),
    (1282, 1283),
    (1397, 1398),
    (1401, 1402),
    (1403, 1404),
    (1468, 1469),
    (1525, 1527),
    (1578, 1579),
    (1620, 1621),
    (1664, 1665),
    (1678, 1697),
    (1733, 1734),
    (1871, 1872),
    (1874, 1875),
    (2072, 2073),
    (2074, 2075),
    (2111, 2112),
    (2179, 2180),
    (2287, 2288),
    (2351, 2352),
    (2372, 2371),
    (2481, 2482),
    (2494, 2493),
    (2522, 2521),
    (2637, 2638),
    (2651, 2652),
    (2665, 2666),
    (2715, 2716),
    (2718, 2719),
    (2721, 2722),
    (2797, 2798),
    (2802, 2801),
    (2809, 2808),
    (2815, 2814),
    (40004, 40005),
    (40008, 40009),
    (40978, 40979),
    (40980, 40981),
    (40982, 40983),
    (40984, 40985),
    (40986, 40987),
    (40988, 40989),
    (41083, 41084),
    (41101, 41102),
    (41107, 41108),
    (41256, 41257),
    (41320, 41321),
    (41324, 41325),
    (41458, 41459),
    (41476, 41477),
    (41482, 41483),
    (41653, 41654),
    (41710, 41711),
    (41806, 41807),
    (41811, 41812),
    (41873, 41874),
    (41969, 41970),
    (42025, 42026),
    (42171, 42172),
    (42451, 42452),
    (42652, 42653),
    (42947, 42948),
    (43109, 42684),
    (43110, 42486),
    (43111, 42982),
];

/// Tags that have no column but a slot: first the time stamps, then the unrepeatable.
const WATCHED: [u32; OTHER_TIMES.len() + OTHER_UNREPEATABLE.len()] = {
    let mut tags = [0; OTHER_TIMES.len() + OTHER_UNREPEATABLE.len()];
    let mut at = 0;
    while at < tags.len() {
        tags[at] =
            if at < OTHER_TIMES.len() { OTHER_TIMES[at] } else { OTHER_UNREPEATABLE[at - OTHER_TIMES.len()] };
        at += 1;
    }
    tags
};

/// Slots whose field is a UTC time stamp in every version of FIX.
pub const TIMES: u64 = {
    let mut mask = 1 << slot::SENDING_TIME | 1 << slot::TRANSACT_TIME | 1 << slot::ORIG_SENDING_TIME;
    let mut at = 0;
    while at < OTHER_TIMES.len() {
        mask |= 1u64 << (slot::WATCHED as usize + at);
        at += 1;
    }
    mask
};

/// Slots whose field no version puts into a repeating group.
pub const UNREPEATABLE: u64 = {
    let mut mask = 1 << slot::BEGIN_STRING
        | 1 << slot::BODY_LENGTH
        | 1 << slot::MSG_TYPE
        | 1 << slot::MSG_SEQ_NUM
        | 1 << slot::SENDER_COMP_ID
        | 1 << slot::TARGET_COMP_ID
        | 1 << slot::POSS_DUP
        | 1 << slot::SENDING_TIME
        | 1 << slot::APPL_VER_ID
        | 1 << slot::CHECKSUM
        | 1 << slot::ORIG_SENDING_TIME;
    let mut at = OTHER_TIMES.len();
    while at < WATCHED.len() {
        mask |= 1u64 << (slot::WATCHED as usize + at);
        at += 1;
    }
    mask
};

/// Tags below this have their slot in a table; beyond are the length fields of extension packs.
const TABLED: usize = 4096;

static SLOTS: [u8; TABLED] = {
    let mut table = [slot::OTHER; TABLED];
    let mut at = 0;
    while at < COLUMNS.len() {
        table[COLUMNS[at].0 as usize] = COLUMNS[at].1;
        at += 1;
    }
    at = 0;
    while at < WATCHED.len() {
        table[WATCHED[at] as usize] = slot::WATCHED + at as u8;
        at += 1;
    }
    at = 0;
    while at < DATA_FIELDS.len() && (DATA_FIELDS[at].0 as usize) < TABLED {
        table[DATA_FIELDS[at].0 as usize] = slot::LENGTH;
        at += 1;
    }
    table
};

/// Returns the slot of a tag.
pub fn slot_of(tag: u32) -> u8 {
    match SLOTS.get(tag as usize) {
        Some(slot) => *slot,
        None if length_field(tag).is_some() => slot::LENGTH,
        None => slot::OTHER,
    }
}

/// Returns the tag of the data field that must follow the length field `tag`; `None` where `tag` is no length field.
pub fn data_tag(tag: u32) -> Option<u32> {
    if slot_of(tag) == slot::LENGTH { length_field(tag).map(|at| DATA_FIELDS[at].1) } else { None }
}

fn length_field(tag: u32) -> Option<usize> {
    DATA_FIELDS.binary_search_by_key(&tag, |pair| pair.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_their_search() {
        assert!(COLUMNS.is_sorted() && DATA_FIELDS.is_sorted());
    }

    #[test]
    fn no_two_tags_share_a_slot_of_their_own() {
        let mut seen = [false; slot::COUNT];
        for slot in (0..100_000).map(|tag| usize::from(slot_of(tag))) {
            if slot != usize::from(slot::OTHER) && slot != usize::from(slot::LENGTH) {
                assert!(!std::mem::replace(&mut seen[slot], true), "slot {slot} has two tags");
            }
        }
    }

    #[test]
    fn a_length_field_names_its_data_field() {
        assert_eq!(data_tag(95), Some(96));
        assert_eq!(data_tag(93), Some(89));
        assert_eq!(data_tag(2494), Some(2493));
        assert_eq!(data_tag(96), None);
        assert_eq!((slot_of(354), slot_of(43_111), slot_of(8201)), (slot::LENGTH, slot::LENGTH, slot::OTHER));
    }
}
