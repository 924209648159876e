//! Batches, watermarks, rejections and skips, as a host sees them.
#![allow(missing_docs, reason = "tests are named as sentences")]

use casparian_sdk::column::Cut;
use casparian_sdk::harness::{Run, Said, Value, run, run_steadily};
use casparian_sdk::prelude::*;

table! {
    /// A record.
    struct Heads = "heads" { text: String }
}
table! {
    /// A part of a record.
    struct Parts = "parts", default_off, without_faults { pos: u32, kind: String = "type" }
}
table! {
    /// A record with structs in it.
    struct Routes = "routes" { from: Nested<Parts>, stops: Option<Vec<Nested<Parts>>> }
}
faults! {
    enum Bad {
        /// A record that begins with `!`.
        Bang = "bang",
    }
}

type Parse = fn(&Input, Span, &Options, &Output) -> Result<(), Fault>;

/// A parser of one function.
struct Of(Parse);

impl Parser for Of {
    fn describe(&self) -> Description {
        let described = Description::new("of", "1.0.0").table::<Heads>().table::<Parts>().table::<Routes>();
        described.faults::<Bad>().option(OptionInfo::integer("limit").default("3"))
    }

    fn plan(&self, input: &Input, _: &Options, target_bytes: u64, _: &Output) -> Result<Layout, Fault> {
        Ok(Layout::cut_at(input.len(), input.cuts(b'\n', target_bytes)))
    }

    fn parse(
        &self,
        input: &Input,
        range: Span,
        _: &[u8],
        options: &Options,
        out: &Output,
    ) -> Result<(), Fault> {
        (self.0)(input, range, options, out)
    }
}

/// Lines: a blank is skipped, `!` rejected, any other is a row with a part for every word.
fn lines(input: &Input, range: Span, _: &Options, out: &Output) -> Result<(), Fault> {
    let (mut heads, mut parts) = (out.table::<Heads>()?, out.table::<Parts>()?);
    for line in input.lines(range) {
        let text = line.text().unwrap_or_default();
        match text.as_bytes().first() {
            None => out.skip(line.span(), SkipKind::Blank, "")?,
            Some(b'!') => out.reject(line.span(), Bad::Bang, text)?,
            Some(_) => {
                let mut head = heads.row(line.span())?;
                let at = head.at();
                head.text.set(at, text);
                // The row stays open while its parts are said.
                for (pos, word) in text.split(' ').enumerate() {
                    let mut part = parts.row(line.span())?;
                    let at = part.at();
                    part.pos.set(at, pos as u32);
                    part.kind.set(at, word);
                }
            }
        }
    }
    Ok(())
}

fn sample(records: usize) -> Vec<u8> {
    let line = |index: usize| match index % 7 {
        3 => "\n".to_owned(),
        4 => "\n".to_owned(),
        5 => format!("! bad {index}\n"),
        _ => format!("record {index} with some words\n"),
    };
    (0..records).map(line).collect::<String>().into_bytes()
}

#[test]
fn what_is_said_does_not_depend_on_reads_and_batches_and_leaves_nothing_dark() {
    let input = sample(3000);
    let said = run_steadily(&Of(lines), &input).unwrap();
    assert_eq!(said.dark(), []);
    assert_eq!(said.rows("parts")[6]["type"], "1");
    let words: usize =
        said.rows("heads").iter().map(|row| row["text"].text().unwrap().split(' ').count()).sum();
    assert_eq!(said.rows("parts").len(), words);
}

#[test]
fn ranges_together_say_what_one_range_says() {
    let input = sample(300);
    let whole = run(&Of(lines), &input).unwrap();
    for target_bytes in [1, 40, 100, 1000] {
        let cut = Run { target_bytes, ..Run::default() }.over(&Of(lines), &input).unwrap();
        assert_eq!(
            (cut.tables, cut.rejects, cut.skips),
            (whole.tables.clone(), whole.rejects.clone(), whole.skips.clone())
        );
    }
}

#[test]
fn the_watermark_moves_with_the_batches_and_ends_where_the_range_does() {
    let input = sample(5000);
    let said = Run { batch_bytes: 8192, ..Run::default() }.over(&Of(lines), &input).unwrap();
    assert!(said.commits.len() > 10 && said.commits.is_sorted(), "{:?}", said.commits);
    assert_eq!(said.commits.last(), Some(&(input.len() as u64)));
}

#[test]
fn input_without_rows_is_committed_every_few_mebibytes() {
    let said = run(&Of(lines), &b"! nothing can be read of this line\n".repeat(500_000)).unwrap();
    let steps: Vec<u64> = said.commits.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| *step <= 5 << 20) && steps.len() >= 3, "{steps:?}");
    assert_eq!(said.rejects.len(), 500_000);
}

#[test]
fn neighbouring_skips_of_one_kind_become_one() {
    let said = run(&Of(lines), b"\n\n\na\n\n").unwrap();
    assert_eq!(
        said.skips,
        [
            (Span::new(0, 3), SkipKind::Blank, String::new()),
            (Span::new(5, 1), SkipKind::Blank, String::new())
        ]
    );
}

#[test]
fn one_record_with_many_rows_is_cut_into_batches() {
    let parse: Parse = |input, range, _, out| {
        let mut parts = out.table::<Parts>()?;
        for pos in 0..100_000 {
            let mut row = parts.row(Span::new(0, input.len()))?;
            let at = row.at();
            row.pos.set(at, pos);
            row.kind.set(at, "long enough to fill a batch of the size asked for");
        }
        let _ = range;
        Ok(())
    };
    let said = Run { batch_bytes: 64 << 10, ..Run::default() }.over(&Of(parse), b"all of it").unwrap();
    assert_eq!((said.rows("parts").len(), said.commits), (100_000, vec![9]));
}

#[test]
fn a_record_behind_the_watermark_is_refused_with_both_offsets() {
    let parse: Parse = |_, _, _, out| {
        let mut heads = out.table::<Heads>()?;
        heads.row(Span::new(5, 1))?;
        heads.row(Span::new(6, 1))?;
        heads.row(Span::new(5, 1))?;
        Ok(())
    };
    assert_eq!(run(&Of(parse), b"0123456789").map(|said| said.rows("heads").len()), Ok(3));
    let tight = Run { batch_bytes: 1, ..Run::default() }.over(&Of(parse), b"0123456789").unwrap_err();
    assert_eq!(
        tight.to_string(),
        "record-late: a record begins at 5, before the watermark at 6 (bytes 5..6)"
    );
}

#[test]
fn a_parser_that_works_in_another_order_moves_the_watermark_itself() {
    let parse: Parse = |_, _, _, out| {
        out.complete(0)?;
        let mut heads = out.table::<Heads>()?;
        for offset in (0..10).rev() {
            heads.row(Span::new(offset, 1))?;
        }
        out.complete(10)
    };
    let said = Run { batch_bytes: 1, ..Run::default() }.over(&Of(parse), b"0123456789").unwrap();
    assert_eq!((said.rows("heads").len(), said.dark()), (10, vec![]));
}

#[test]
fn a_run_that_fails_hands_over_no_more() {
    let parse: Parse = |_, _, _, out| {
        out.table::<Heads>()?.row(Span::new(0, 1))?;
        Err(Fault::new("no-header", "expected a header").at(Span::new(0, 1)))
    };
    assert_eq!(run(&Of(parse), b"x").unwrap_err().code(), "no-header");
}

#[test]
fn the_harness_names_the_rule_that_was_broken() {
    let broken = |parse: Parse| run(&Of(parse), b"0123456789").unwrap_err().code().to_owned();
    assert_eq!(broken(|_, _, _, out| out.skip(Span::new(8, 5), SkipKind::Other, "")), "outside-input");
    assert_eq!(broken(|_, _, _, out| out.skip(Span::new(10, 1), SkipKind::Other, "")), "outside-range");
    let overlapping: Parse = |_, _, _, out| {
        let mut heads = out.table::<Heads>()?;
        heads.row(Span::new(0, 3))?;
        heads.row(Span::new(2, 3)).map(|_| ())
    };
    assert_eq!(broken(overlapping), "spans-overlap");
    let text: Parse = |_, _, _, out| {
        let mut heads = out.table::<Heads>()?;
        let mut row = heads.row(Span::new(0, 3))?;
        let at = row.at();
        row.text.set_slice(at, b"\xFF\xFE", 0, 2);
        Ok(())
    };
    assert_eq!(broken(text), "batch-malformed");
}

#[test]
fn a_cell_left_out_is_null_options_and_logs_arrive() {
    let parse: Parse = |_, range, options, out| {
        let mut parts = out.table::<Parts>()?;
        let mut row = parts.row(range)?;
        let at = row.at();
        row.pos.set(at, u32::try_from(options.integer("limit")?).unwrap_or(0));
        log::warn!(at range, "{} bytes", range.length);
        Ok(())
    };
    let options = vec![("limit".to_owned(), "9".to_owned())];
    let said: Said =
        Run { options, tables: vec!["parts".into()], ..Run::default() }.over(&Of(parse), b"abc").unwrap();
    assert_eq!(
        (&said.rows("parts")[0]["pos"], &said.rows("parts")[0]["type"]),
        (&Value::Int(9), &Value::Null)
    );
    assert_eq!(said.log, [(log::Level::Warn, "3 bytes".to_owned(), Some(Span::new(0, 3)))]);
}

#[test]
fn structs_and_lists_of_them_come_back_as_they_were_said() {
    let parse: Parse = |_, range, _, out| {
        let mut routes = out.table::<Routes>()?;
        let mut row = routes.row(range)?;
        let at = row.at();
        row.from.set(at).pos.set(at, 7);
        for pos in 0..2 {
            let (stops, stop) = row.stops.item(at);
            stops.set(stop).pos.set(stop, pos);
        }
        Ok(())
    };
    let said = run(&Of(parse), b"abc").unwrap();
    let part = |pos| Value::List(vec![Value::Int(pos), Value::Null]);
    assert_eq!(said.rows("routes")[0]["from"], part(7));
    assert_eq!(said.rows("routes")[0]["stops"], Value::List(vec![part(0), part(1)]));
}

#[test]
fn an_empty_input_is_a_run_that_says_nothing() {
    let said = run(&Of(lines), b"").unwrap();
    assert_eq!((said.dark(), said.commits), (vec![], vec![]));
}

/// Says one row about the input, in the plan, and no record.
struct About;

impl About {
    fn schema() -> casparian_sdk::schema::Schema {
        casparian_sdk::schema::Schema::new("about")
            .without_spans()
            .column("what", casparian_sdk::schema::Type::Utf8)
    }
}

impl Parser for About {
    fn describe(&self) -> Description {
        Description::new("about", "1.0.0").schema(About::schema())
    }

    fn plan(&self, input: &Input, _: &Options, _: u64, out: &Output) -> Result<Layout, Fault> {
        let schema = About::schema();
        let mut about = out.open(&schema, casparian_sdk::dynamic::Dynamic::new(&schema))?;
        let mut row = about.loose_row();
        let at = row.at();
        row.text(0).expect("a column of text").set(at, "all of it");
        Ok(Layout::whole(input.len()))
    }

    fn parse(&self, _: &Input, range: Span, _: &[u8], _: &Options, out: &Output) -> Result<(), Fault> {
        out.skip(range, SkipKind::Other, "")
    }
}

#[test]
fn a_row_about_the_input_is_let_go_before_any_record_and_stands_for_no_bytes() {
    for input in [b"abc".as_slice(), b""] {
        let said = run(&About, input).expect("a run");
        assert_eq!(said.rows("about")[0]["what"], "all of it");
        assert_eq!((said.commits[0], said.records(), said.dark()), (0, vec![], vec![]));
    }
}

/// Reads lines of three cells at once: by an index of the whole input, column by column.
struct Columns3;

fn three() -> casparian_sdk::schema::Schema {
    let text = casparian_sdk::schema::Type::Utf8;
    let schema = casparian_sdk::schema::Schema::new("three").without_faults();
    schema.column("a", text.clone()).column("b", text.clone()).column("c", text)
}

impl Parser for Columns3 {
    fn describe(&self) -> Description {
        Description::new("columns", "1.0.0").schema(three())
    }

    fn parse(&self, input: &Input, range: Span, _: &[u8], _: &Options, out: &Output) -> Result<(), Fault> {
        let schema = three();
        let mut table = out.open(&schema, casparian_sdk::dynamic::Dynamic::new(&schema))?;
        let block = input.bytes(range.offset, range.length as usize);
        let mut cells = scan::Cells::new();
        cells.fill(&block, b',', b'\n', Some(b'"'));
        let grid = scan::Grid::new(cells.ends(), 3, 0);
        let mut start = 0;
        let spans: Vec<(u64, u32)> = cells
            .record_ends()
            .iter()
            .map(|end| (std::mem::replace(&mut start, u64::from(*end) + 1), end + 1))
            .collect();
        let spans: Vec<(u64, u32)> = spans.iter().map(|(at, end)| (*at, end - *at as u32)).collect();
        let mut row = table.rows(&spans)?;
        let at = row.at();
        let cut = Cut { behind: Some(b'\r'), quote: None };
        for (column, quote) in [Some(b'"'), None, Some(b'"')].into_iter().enumerate() {
            let text = row.text(column).expect("a column of text");
            text.set_column(at, &block, &grid, column, Cut { quote, ..cut });
        }
        Ok(())
    }
}

#[test]
fn rows_set_column_by_column_are_those_set_one_by_one() {
    let long = "x".repeat(100);
    let lines: Vec<[String; 3]> = (0..70)
        .map(|at| {
            let first = if at % 3 == 0 { format!("{at}, {long}\n") } else { format!("{at}") };
            [first, if at % 7 == 0 { long.clone() } else { String::new() }, "é".repeat(at % 20)]
        })
        .collect();
    let quoted =
        |cell: &String, at: usize| if at.is_multiple_of(3) { format!("\"{cell}\"") } else { cell.clone() };
    let line = |(at, [a, b, c]): (usize, &[String; 3])| {
        format!("{},{b},{}{}", quoted(a, at), quoted(c, at + 1), if at > 9 { "\r\n" } else { "\n" })
    };
    let text: String = lines.iter().enumerate().map(line).collect();
    let said = run_steadily(&Columns3, text.as_bytes()).expect("a run");
    let rows = said.rows("three");
    assert_eq!((rows.len(), said.dark()), (lines.len(), vec![]));
    for (row, cells) in rows.iter().zip(&lines) {
        assert_eq!([&row["a"], &row["b"], &row["c"]], [cells[0].as_str(), &cells[1], &cells[2]]);
    }
}
