//! What must not change a result: the fast way or the careful one, how a log is cut, how it is read, how it is damaged.

#[path = "../examples/generate.rs"]
#[expect(dead_code, reason = "the program around the generator")]
mod generate;

use casparian_sdk::harness::{Run, Said};
use casparian_sdk::{Parser, Span};
use fix::Fix;
use fix::record::{Reader, Record};
use generate::{Generator, Order};

fn log(seed: u64, lines: usize, delimiter: u8, dirty_percent: u64) -> Vec<u8> {
    let order = Order { bytes: 0, seed, dirty: dirty_percent * 10_000, delimiter };
    let mut generator = Generator::new(&order);
    let mut log = Vec::new();
    for _ in 0..lines {
        log.extend_from_slice(generator.line());
    }
    log
}

/// The same log without line feeds.
fn stream(seed: u64, lines: usize) -> Vec<u8> {
    let mut log = log(seed, lines, 1, 10);
    log.retain(|byte| *byte != b'\n');
    log
}

/// The same log as a terminal shows it.
fn caret(log: &[u8]) -> Vec<u8> {
    log.iter().flat_map(|byte| if *byte == 1 { b"^A".to_vec() } else { vec![*byte] }).collect()
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// How often to try: the number given, or more where `CASPARIAN_ROUNDS` says so.
fn rounds(usual: u64) -> u64 {
    std::env::var("CASPARIAN_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

fn damage(log: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(40) {
        let at = random.below(log.len() - 60);
        match random.below(6) {
            0 => log[at] = random.below(256) as u8,
            1 => log[at] = b"\x01|^A=189\n\r "[random.below(11)],
            2 => drop(log.drain(at..at + random.below(40))),
            3 => {
                let to = random.below(log.len() - 60);
                log.copy_within(at..at + 50, to);
            }
            4 => log.insert(at, b"\x01|^A=10\n"[random.below(8)]),
            _ => drop(log.splice(at..at, b"8=FIX.4.4\x019=5\x0135=0\x01".iter().copied())),
        }
    }
}

fn messages_only() -> Run {
    Run { tables: vec!["messages".into()], ..Run::default() }
}

fn over(run: &Run, log: &[u8]) -> Said {
    run.over(&Fix, log).expect("a run")
}

/// What was said, without what may differ: batches, watermarks, other tables.
fn assert_same(one: &Said, other: &Said, what: &str) {
    assert_eq!(one.rows("messages").len(), other.rows("messages").len(), "{what}");
    for (one, other) in one.rows("messages").iter().zip(other.rows("messages")) {
        assert_eq!(one, other, "{what}");
    }
    assert_eq!(one.rejects, other.rejects, "{what}");
    assert_eq!(one.skips, other.skips, "{what}");
}

fn assert_no_dark_bytes(said: &Said, len: usize, what: &str) {
    let mut spans: Vec<Span> = said.rows("messages").iter().map(|row| row.span).collect();
    spans.extend(said.rejects.iter().map(|reject| reject.at));
    spans.extend(said.skips.iter().map(|skip| skip.0));
    spans.sort();
    let end = spans.iter().fold(0, |end, span| {
        assert_eq!(span.offset, end, "{what}: a gap or an overlap");
        span.end()
    });
    assert_eq!(end, len as u64, "{what}: the rest is dark");
}

#[test]
fn the_fast_way_and_the_careful_way_come_to_the_same_rows() {
    let mut random = Random(5);
    for seed in 0..rounds(40) {
        let mut log = match seed % 4 {
            0 => stream(seed, 120),
            1 => log(seed, 120, b'|', 20),
            2 => caret(&log(seed, 120, 1, 20)),
            _ => log(seed, 120, 1, 20),
        };
        if seed > 4 {
            damage(&mut log, &mut random);
        }
        let careful = over(&Run::default(), &log);
        assert_no_dark_bytes(&careful, log.len(), &format!("seed {seed}"));
        assert_same(&over(&messages_only(), &log), &careful, &format!("seed {seed}"));
    }
}

#[test]
fn what_the_dictionary_says_is_the_same_the_fast_way_and_the_careful_way() {
    let mut random = Random(17);
    for seed in 0..rounds(40) {
        let mut log = if seed % 2 == 0 { stream(seed, 120) } else { log(seed, 120, b'|', 2) };
        lie_about_counts(&mut log, &mut random);
        for (depth, code) in [("off", ""), ("groups", "group_count_mismatch"), ("check", "bad_enum")] {
            let options = vec![("dictionary".to_owned(), depth.to_owned())];
            let careful = over(&Run { options: options.clone(), ..Run::default() }, &log);
            let fast = over(&Run { options, ..messages_only() }, &log);
            assert_same(&fast, &careful, &format!("seed {seed}, dictionary {depth}"));
            let mut codes = fast.rows("messages").iter().flat_map(|row| &row.faults);
            assert!(code.is_empty() || codes.any(|found| found == code), "seed {seed}: no {code}");
        }
    }
}

/// Exchanges a digit of some counts, and mends the sum of the message by the character behind `262=`, `17=` or `11=`.
fn lie_about_counts(log: &mut [u8], random: &mut Random) {
    let counts: Vec<usize> = (0..log.len() - 5)
        .filter(|at| !log[*at].is_ascii_digit() && matches!(&log[at + 1..at + 5], b"268=" | b"453="))
        .collect();
    for at in counts.into_iter().map(|at| at + 5) {
        let lie = b'0' + random.below(10) as u8;
        let id = log[..at].windows(4).rposition(|four| matches!(four, b"262=" | [_, b'1', b'7', b'=']));
        if let (0, Some(id)) = (random.below(2), id) {
            log[id + 4] = log[id + 4].wrapping_add(log[at]).wrapping_sub(lie);
            log[at] = lie;
        }
    }
}

#[test]
fn counts_are_compared_and_never_believed() {
    let lie = b"453=999999999\x01448=A\x01802=4294967296\x01523=B\x01".as_slice();
    let (counters, members) = (b"453=1\x01".as_slice(), b"448=A\x01".as_slice());
    let (deep, custom) =
        (b"453=9\x01448=A\x01802=9\x01523=B\x019001=C\x01".as_slice(), b"9001=x\x01".as_slice());
    for piece in [lie, counters, members, deep, custom] {
        let mut log = b"8=FIX.4.4\x019=5\x0135=8\x01453=99999\x01448=A\x01".to_vec();
        log.extend(piece.iter().cycle().take(piece.len() * (400_000 / piece.len())));
        log.extend_from_slice(b"10=000\x01\n");
        for (depth, tables) in [("groups", "groups"), ("check", "messages")] {
            let options = vec![("dictionary".to_owned(), depth.to_owned())];
            let tables = vec!["messages".to_owned(), tables.to_owned()];
            // Whatever were looked at once per count, or kept for each, would not come back.
            let said = over(&Run { options, tables, ..Run::default() }, &log);
            assert_no_dark_bytes(&said, log.len(), &String::from_utf8_lossy(piece));
            assert!(said.rows("messages")[0].faults.iter().any(|code| code == "group_count_mismatch"));
        }
    }
}

#[test]
fn what_is_wrong_with_a_message_is_said_once_whichever_tables_are_wanted() {
    let log = log(31, 400, b'|', 60);
    let all = over(&messages_only(), &log);
    let wanted: [&[&str]; 6] = [
        &["fields"],
        &["messages", "fields"],
        &["messages", "execution_reports", "session_events", "market_data_entries", "groups", "fields"],
        &["execution_reports", "fields"],
        &["session_events", "fields"],
        &["market_data_entries", "groups", "fields"],
    ];
    for tables in wanted {
        let said = over(
            &Run { tables: tables.iter().map(|table| (*table).to_owned()).collect(), ..Run::default() },
            &log,
        );
        for row in all.rows("messages") {
            let here = |table: &&str| said.rows(table).iter().filter(|other| other.span == row.span);
            let mut codes: Vec<&String> =
                tables.iter().flat_map(|table| here(table)).flat_map(|row| &row.faults).collect();
            codes.sort();
            let mut due: Vec<&String> = row.faults.iter().collect();
            due.sort();
            assert_eq!(codes, due, "{tables:?} at {}", row.span);
        }
    }
}

#[test]
fn how_a_log_is_cut_and_read_changes_nothing() {
    for (what, log) in
        [("lines", log(1, 300, 1, 10)), ("prefixes", log(2, 300, b'|', 10)), ("stream", stream(3, 300))]
    {
        let whole = over(&messages_only(), &log);
        for target_bytes in [700, 5_000, 20_000] {
            let run = Run { target_bytes, read_seed: target_bytes, batch_bytes: 4096, ..messages_only() };
            assert_same(&over(&run, &log), &whole, &format!("{what} in ranges of {target_bytes}"));
        }
    }
}

#[test]
fn a_window_is_no_boundary_for_a_record() {
    // Records of some 300 bytes over several windows of 128 KiB, so that many lie across an end of one.
    let log = log(9, 3000, b'|', 3);
    assert_same(&over(&messages_only(), &log), &over(&Run::default(), &log), "three windows and more");
    assert_no_dark_bytes(&over(&messages_only(), &log), log.len(), "three windows and more");
}

#[test]
fn a_record_beyond_the_limit_is_rejected_and_its_neighbours_are_not() {
    let message = b"8=FIX.4.2\x019=5\x0135=0\x0110=161\x01\n";
    let options = vec![("record-bytes-max".to_owned(), "1024".to_owned())];
    for filling in [b"58=xxxxxxx\x01".as_slice(), b"x", b"8=FIX.4", b"\x01"] {
        let mut log = message.to_vec();
        log.extend_from_slice(b"8=FIX.4.2\x019=300000\x01");
        log.extend(filling.iter().cycle().take(300_000));
        log.push(b'\n');
        log.extend_from_slice(message);
        let said = over(&Run { options: options.clone(), ..messages_only() }, &log);
        assert_no_dark_bytes(&said, log.len(), &String::from_utf8_lossy(filling));
        assert!(
            said.rejects.iter().any(|reject| fix::faults::Flaw::code_of(reject.fault) == "oversized_record")
        );
        let spans: Vec<Span> = said.rows("messages").iter().map(|row| row.span).collect();
        assert_eq!(spans, [Span::new(0, 27), Span::new(log.len() as u64 - 27, 27)]);
    }
}

#[test]
fn after_any_place_there_is_a_boundary_to_go_on_from() {
    let log = log(4, 12, b'|', 30);
    let blob = casparian_sdk::harness::Memory::new("log", &log);
    let input = casparian_sdk::Input::new(&blob);
    for after in 0..log.len() as u64 {
        let boundary = Fix.resync(&input, b"pipe 9", after).expect("a boundary");
        let feed = log[after as usize..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(log.len() as u64, |feed| after + feed as u64 + 1);
        assert_eq!(boundary, feed, "after {after}");
    }
    assert_eq!(Fix.resync(&input, b"pipe 9", log.len() as u64), None);
}

#[test]
fn damage_to_one_message_leaves_its_neighbours_as_they_were() {
    let mut random = Random(11);
    let lines = log(21, 30, 1, 0);
    let pipes = log(22, 30, b'|', 0);
    let mut streamed = lines.clone();
    streamed.retain(|byte| *byte != b'\n');
    for (what, log) in
        [("lines", lines.clone()), ("pipes", pipes), ("caret", caret(&lines)), ("stream", streamed)]
    {
        let whole = over(&messages_only(), &log);
        for round in 0..rounds(200) {
            let record = 1 + random.below(27);
            let span = whole.rows("messages")[record].span;
            let start = span.offset as usize;
            let mut hurt = log[start..span.end() as usize - usize::from(what != "stream")].to_vec();
            for _ in 0..1 + random.below(3) {
                let at = random.below(hurt.len() - 10);
                match random.below(4) {
                    0 => hurt[at] = b"\x01|^A=189x"[random.below(9)],
                    1 => hurt.truncate(at + 10),
                    2 => drop(hurt.drain(at..at + random.below(10))),
                    _ => drop(hurt.splice(at..at, b"58=see 8=FIX.4.4\x0110=".iter().copied())),
                }
                if hurt.len() < 20 {
                    break;
                }
            }
            let mut damaged = log[..start].to_vec();
            damaged.extend_from_slice(&hurt);
            damaged.extend_from_slice(&log[span.end() as usize - usize::from(what != "stream")..]);
            let said = over(&messages_only(), &damaged);
            assert_no_dark_bytes(&said, damaged.len(), what);
            let shift = log.len() as i64 - damaged.len() as i64;
            for (at, row) in whole.rows("messages").iter().enumerate().filter(|(at, _)| *at != record) {
                let end = if at > record { (row.span.end() as i64 - shift) as u64 } else { row.span.end() };
                let same = said.rows("messages").iter().find(|other| other.span.end() == end);
                let same = same.filter(|other| other.cells == row.cells && other.faults == row.faults);
                assert!(
                    same.is_some(),
                    "{what} round {round}: row {at} suffered from {record}: {}",
                    String::from_utf8_lossy(&hurt)
                );
            }
        }
    }
}

#[test]
fn a_log_of_nothing_but_beginnings_is_read_in_one_pass() {
    let data = b"95=100000^A96=x^A".repeat(9000);
    let long_data = [b"8=FIX.4.4^A9=9999999^A35=0^A".as_slice(), &data].concat();
    let pieces: [&[u8]; 8] = [
        b"8=FIX.4.4|",
        b"8=FIX ",
        b"8=FIX.4.4|10=1|",
        b"8=FIX.4.4\x019=99999\x0135=0\x01",
        b"8=FIX.4.4|9=10374|35=0|10=123|",
        b"8=FIX.4.4|9=5|8=FIX.4.4\x019=5\x01",
        b"8=FIX.4.4|9=12|35=0|34=1|8=FIX",
        &long_data,
    ];
    for piece in pieces {
        // Whatever were looked at once per beginning would take hours.
        let log = piece.repeat(1_500_000 / piece.len());
        let said = over(&messages_only(), &log);
        assert_no_dark_bytes(&said, log.len(), &String::from_utf8_lossy(&piece[..piece.len().min(40)]));
    }
}

#[test]
fn more_bytes_never_change_what_a_record_is() {
    let mut random = Random(3);
    for round in 0..rounds(12) {
        let mut log = [stream(round, 4), log(round, 4, b'|', 40), caret(&log(round, 3, 1, 40))].concat();
        damage(&mut log, &mut random);
        let mut reader = Reader::new(1 << 20);
        let mut at = 0;
        while at < log.len() {
            let (record, end) = next(&mut reader, &log, at, true);
            for len in at..log.len() {
                let (early, _) = next(&mut reader, &log[..len], at, false);
                assert!(
                    early == Record::Incomplete || early == record,
                    "round {round}: {len} bytes at {at}: {early:?}, then {record:?}"
                );
            }
            at = end;
        }
    }
}

/// What a reader that knows nothing yet finds, and where that ends.
fn next(reader: &mut Reader, bytes: &[u8], at: usize, last: bool) -> (Record, usize) {
    reader.forget();
    let record = reader.next(bytes, at, last);
    match record {
        Record::Blank(end) | Record::NonFix(end) | Record::Truncated(end) | Record::Message(end) => {
            (record, end)
        }
        Record::Incomplete | Record::Oversized => (record, bytes.len()),
    }
}
