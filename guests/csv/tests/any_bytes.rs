//! Whatever the bytes are: no input is refused, every byte is accounted for, and where an input is cut changes nothing.

use casparian_sdk::harness::{Memory, Run, Said};
use casparian_sdk::prelude::*;
use csv::Csv;
use proptest::prelude::*;

/// Bytes of which tables are made, with a few that should not be there.
fn messy() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec!["a", "12", "3.5", "2025-01-01", "x y", "é"]).prop_map(|text| text.as_bytes().to_vec()),
        8 => prop::sample::select(vec![",", ",", ",", ";", "|", "\t", "||"]).prop_map(|text| text.as_bytes().to_vec()),
        5 => prop::sample::select(vec!["\n", "\n", "\r\n", "\r", "\n\n"]).prop_map(|text| text.as_bytes().to_vec()),
        2 => prop::sample::select(vec!["\"", "\"\"", "'", "\\\"", "# ", "sep=;\n", "TOTAL", "\u{FEFF}"]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

fn said_of_rows(said: &Said) -> impl PartialEq + std::fmt::Debug {
    let mut skips: Vec<_> = said
        .skips
        .iter()
        .flat_map(|(at, kind, _)| (at.offset..at.end()).map(move |byte| (byte, format!("{kind:?}"))))
        .collect();
    skips.sort();
    (said.tables.clone(), said.rejects.clone(), skips)
}

/// The parser without its fast path.
struct Careful;

impl Parser for Careful {
    fn describe(&self) -> Description {
        Csv.describe()
    }

    fn plan(
        &self,
        input: &Input,
        options: &Options,
        target_bytes: u64,
        out: &Output,
    ) -> Result<Layout, Fault> {
        Csv.plan(input, options, target_bytes, out)
    }

    fn parse(
        &self,
        input: &Input,
        range: Span,
        context: &[u8],
        _: &Options,
        out: &Output,
    ) -> Result<(), Fault> {
        csv::parse::range(
            input,
            range,
            &csv::context::Context::read(context)?,
            csv::parse::Pace::Careful,
            out,
        )
    }
}

/// A table that is mostly as it should be: records of three cells, and now and then something else.
fn mostly_tidy() -> impl Strategy<Value = Vec<u8>> {
    let cell = prop_oneof![
        6 => prop::sample::select(vec!["a", "12", "x y", "", "é"]).prop_map(str::to_owned),
        3 => prop::sample::select(vec!["\"a, b\"", "\"say \"\"hi\"\"\"", "\"\"", "\"l\nm\"", "\"\"\"\"", "\"l\r\nm\""]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["5\" b", "\"q\" r", "\"open", "x,y", "\\\"", "# c", "\r"]).prop_map(str::to_owned),
    ];
    let line = (
        cell.clone(),
        cell.clone(),
        cell,
        prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\n\n", "\na,b,c\n", "\n# c,d,e\n"]),
    );
    let row = line.prop_map(|(one, two, three, end)| format!("{one},{two},{three}{end}"));
    prop::collection::vec(row, 0..60).prop_map(|rows| ("a,b,c\n".to_owned() + &rows.concat()).into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_byte_of_any_input_is_accounted_for(input in messy()) {
        let said = Run::default().over(&Csv, &input).expect("no input is refused");
        prop_assert_eq!(said.dark(), []);
    }

    #[test]
    fn where_an_input_is_cut_and_how_it_is_read_changes_nothing(input in messy(), target_bytes in 1_u64..200, read_seed in 0_u64..9) {
        let whole = Run::default().over(&Csv, &input).expect("no input is refused");
        let cut = Run { target_bytes, read_seed, ..Run::default() }.over(&Csv, &input).expect("no input is refused");
        prop_assert_eq!(said_of_rows(&cut), said_of_rows(&whole));
    }

    #[test]
    fn what_is_read_in_runs_is_what_is_read_one_by_one(input in prop_oneof![messy(), mostly_tidy()]) {
        for name in ["auto", "doubled"] {
            let options = vec![("escape".to_owned(), name.to_owned())];
            let fast = Run { options: options.clone(), ..Run::default() }.over(&Csv, &input).expect("no input is refused");
            let careful = Run { options, ..Run::default() }.over(&Careful, &input).expect("no input is refused");
            prop_assert_eq!(said_of_rows(&fast), said_of_rows(&careful));
        }
    }

    #[test]
    fn every_record_begins_where_the_one_before_it_is_said_to_end(input in messy()) {
        let said = Run::default().over(&Csv, &input).expect("no input is refused");
        let options = Options::new(&Csv.describe(), Vec::new());
        let blob = Memory::new("input", &input);
        let settled = csv::plan::settle(&Input::new(&blob), &csv::options::Settings::read(&options).expect("defaults"));
        let context = settled.context.to_bytes();
        let (mut at, mut begins) = (0, vec![0]);
        while let Some(next) = Csv.resync(&Input::new(&blob), &context, at) {
            prop_assert!(next > at && next <= input.len() as u64);
            begins.push(next);
            at = next;
        }
        prop_assert_eq!(at, input.len() as u64);
        // Who asks from the last byte before a boundary is told of that boundary.
        for begin in begins.iter().skip(1) {
            prop_assert_eq!(Csv.resync(&Input::new(&blob), &context, begin - 1), Some(*begin));
        }
        prop_assert!(said.records().iter().all(|record| begins.contains(&record.offset)));
    }

    #[test]
    fn bytes_of_any_kind_are_accounted_for(input in prop::collection::vec(any::<u8>(), 0..400)) {
        let said = Run::default().over(&Csv, &input).expect("no input is refused");
        prop_assert_eq!(said.dark(), []);
    }
}

#[test]
fn an_input_of_nothing_but_bad_records_is_rejected_one_by_one() {
    let said = Run::default().over(&Csv, &b"\"a\n".repeat(50)).expect("no input is refused");
    assert_eq!((said.rejects.len(), said.skips.len(), said.dark()), (50, 0, vec![]));
}

#[test]
fn a_giant_line_is_one_bad_record_and_its_neighbours_are_read() {
    let input = [b"id,size\n1,2\n".as_slice(), &vec![b'x'; 2 << 20], b"\n3,4\n"].concat();
    let said = Run::default().over(&Csv, &input).expect("no input is refused");
    assert_eq!((said.rows("rows").len(), said.rejects.len(), said.dark()), (2, 1, vec![]));
}
