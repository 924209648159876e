//! Tables made up from a seed, and written in some forty ways that people and programs write them, each with its truth.

/// A source of numbers that a seed settles (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound.max(1) as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

/// A cell that is not there is none.
pub(crate) type Row = Vec<Option<String>>;

/// What a table holds: the names of its columns, where there is a header, and its rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) header: Option<Vec<String>>,
    pub(crate) rows: Vec<Row>,
}

/// An input and what is known of it.
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    pub(crate) tables: Vec<Truth>,
    /// Records that are damaged, and have to be rejected.
    pub(crate) rejected: usize,
}

/// How a table is written.
#[derive(Clone)]
struct Style {
    delimiter: &'static str,
    quote: &'static str,
    backslash: bool,
    /// Quotes around everything.
    all: bool,
    end: &'static str,
    /// What stands between a delimiter and a quote.
    gap: &'static str,
    trailing: &'static str,
}

const USUAL: Style =
    Style { delimiter: ",", quote: "\"", backslash: false, all: false, end: "\n", gap: "", trailing: "" };

impl Style {
    fn cell(&self, cell: &str) -> String {
        let needs = cell.contains(self.delimiter)
            || cell.contains(['\n', '\r'])
            || cell.starts_with(self.quote)
            || cell.contains(self.quote);
        let escapes = self.backslash && cell.contains('\\');
        if self.quote.is_empty() || !(needs || self.all || escapes) {
            return cell.to_owned();
        }
        let inner = if self.backslash {
            cell.replace('\\', "\\\\").replace(self.quote, &format!("\\{}", self.quote))
        } else {
            cell.replace(self.quote, &self.quote.repeat(2))
        };
        format!("{}{inner}{}", self.quote, self.quote)
    }

    fn row(&self, row: &[Option<String>]) -> String {
        let cells: Vec<String> = row.iter().flatten().map(|cell| self.cell(cell)).collect();
        cells.join(&format!("{}{}", self.delimiter, self.gap)) + self.trailing + self.end
    }

    fn names(&self, names: &[String]) -> String {
        self.row(&names.iter().cloned().map(Some).collect::<Row>())
    }

    fn table(&self, truth: &Truth) -> String {
        let header = truth.header.as_ref().map_or(String::new(), |names| self.names(names));
        truth.rows.iter().fold(header, |text, row| text + &self.row(row))
    }
}

const NAMES: [&str; 24] = [
    "id",
    "name",
    "city",
    "qty",
    "price",
    "when",
    "status",
    "code",
    "note",
    "Kunde",
    "amount",
    "unit price",
    "created_at",
    "e-mail",
    "Größe",
    "region",
    "country",
    "SKU",
    "ref.",
    "weight (kg)",
    "owner",
    "level",
    "batch",
    "value",
];
const WORDS: [&str; 20] = [
    "alpha",
    "Bergen",
    "José Ñandú",
    "blue steel",
    "x-17",
    "O'Brien",
    "Müller",
    "n/a",
    "Smith & Sons",
    "open",
    "closed",
    "ACME",
    "left handed",
    "café",
    "Łódź",
    "pending",
    "1st floor",
    "B7",
    "=SUM(A1)",
    "two words",
];
const PLAIN_WORDS: [&str; 12] = [
    "alpha",
    "Bergen",
    "blue steel",
    "x-17",
    "Smith and Sons",
    "open",
    "closed",
    "ACME",
    "left handed",
    "pending",
    "B7",
    "two words",
];
const WESTERN_WORDS: [&str; 6] = ["café", "Müller", "Ñandú", "Größe", "naïve", "Señor López"];

/// What a column holds.
#[derive(Clone, Copy)]
enum Holds {
    Id,
    Word,
    Whole,
    Decimal,
    Day,
    Stamp,
    Flag,
    Seldom,
}

/// What the words of a table are like.
#[derive(Clone, Copy, PartialEq)]
enum Speech {
    /// Anything, with the delimiter, quotes and lines in it here and there.
    Rich,
    /// Words without anything that would need a quote.
    Bare,
    /// As bare, with letters of western Europe.
    Western,
}

fn columns(dice: &mut Dice) -> Vec<Holds> {
    let mut columns = vec![if dice.one_in(3) { Holds::Word } else { Holds::Id }, Holds::Word];
    let more =
        [Holds::Word, Holds::Whole, Holds::Decimal, Holds::Day, Holds::Stamp, Holds::Flag, Holds::Seldom];
    for _ in 0..1 + dice.below(6) {
        columns.push(dice.pick(&more));
    }
    columns.push(dice.pick(&[Holds::Whole, Holds::Decimal, Holds::Day]));
    columns
}

fn word(dice: &mut Dice, speech: Speech, style: &Style) -> String {
    match speech {
        Speech::Bare => dice.pick(&PLAIN_WORDS).to_owned(),
        Speech::Western if dice.one_in(2) => dice.pick(&WESTERN_WORDS).to_owned(),
        Speech::Western => dice.pick(&PLAIN_WORDS).to_owned(),
        Speech::Rich => {
            let word = dice.pick(&WORDS);
            match dice.below(12) {
                0 => format!("{word}{} {}", style.delimiter, dice.pick(&WORDS)),
                1 => format!("say \"{word}\""),
                2 => format!("{word}\n{}", dice.pick(&WORDS)),
                3 => format!(" {word} "),
                4 => String::new(),
                _ => word.to_owned(),
            }
        }
    }
}

fn cell(dice: &mut Dice, holds: Holds, number: usize, speech: Speech, style: &Style) -> String {
    match holds {
        Holds::Id => (1000 + number).to_string(),
        Holds::Word => word(dice, speech, style),
        Holds::Whole => dice.below(5000).to_string(),
        Holds::Decimal => {
            format!("{}{}.{:02}", if dice.one_in(9) { "-" } else { "" }, dice.below(90_000), dice.below(100))
        }
        Holds::Day => {
            format!("20{:02}-{:02}-{:02}", 10 + dice.below(16), 1 + dice.below(12), 1 + dice.below(28))
        }
        Holds::Stamp => format!(
            "2025-{:02}-{:02} {:02}:{:02}:{:02}",
            1 + dice.below(12),
            1 + dice.below(28),
            dice.below(24),
            dice.below(60),
            dice.below(60)
        ),
        Holds::Flag => dice.pick(&["true", "false"]).to_owned(),
        Holds::Seldom if dice.one_in(3) => dice.below(100).to_string(),
        Holds::Seldom => String::new(),
    }
}

fn names(dice: &mut Dice, count: usize) -> Vec<String> {
    let mut left: Vec<&str> = NAMES.to_vec();
    (0..count).map(|_| left.remove(dice.below(left.len())).to_owned()).collect()
}

fn truth(dice: &mut Dice, rows: usize, speech: Speech, style: &Style) -> Truth {
    let columns = columns(dice);
    let header = Some(names(dice, columns.len()));
    let row = |dice: &mut Dice, number: usize| -> Row {
        columns.iter().map(|holds| Some(cell(dice, *holds, number, speech, style))).collect()
    };
    let rows = (0..rows).map(|number| row(dice, number)).collect();
    Truth { header, rows }
}

/// How many rows a table of a size has.
fn rows(dice: &mut Dice, size: usize) -> usize {
    match size {
        0 => 6 + dice.below(10),
        1 => 60 + dice.below(200),
        _ => 2000 + dice.below(2000),
    }
}

/// The ways in which tables are written.
pub(crate) const KINDS: [&str; 46] = [
    "comma",
    "semicolon",
    "tab",
    "pipe",
    "odd_delimiter",
    "wide_delimiter",
    "all_quoted",
    "single_quotes",
    "backslashes",
    "spaces_before_quotes",
    "inner_quotes",
    "crlf",
    "returns",
    "mixed_ends",
    "utf8_mark",
    "utf16le",
    "utf16be",
    "utf16_unmarked",
    "latin1",
    "cp1252",
    "no_header",
    "two_row_header",
    "units_row",
    "same_names",
    "empty_names",
    "preamble",
    "table_like_preamble",
    "comments",
    "hash_header",
    "total_row",
    "footer_text",
    "two_tables",
    "blank_lines",
    "short_rows",
    "long_rows",
    "trailing_delimiter",
    "data_trailing_delimiter",
    "padded",
    "zero_bytes",
    "old_end",
    "hint",
    "european",
    "unclosed_quote",
    "bad_bytes",
    "repeated_header",
    "one_column",
];

/// Makes an input of a kind.
pub(crate) fn make(kind: &str, seed: u64, size: usize) -> Made {
    let place = KINDS.iter().position(|known| *known == kind).expect("a kind") as u64;
    let dice = &mut Dice::new(seed * 1_000 + place * 7 + size as u64);
    let count = rows(dice, size);
    let rich = |dice: &mut Dice, style: &Style| truth(dice, count, Speech::Rich, style);
    let bare = |dice: &mut Dice, style: &Style| truth(dice, count, Speech::Bare, style);
    match kind {
        "semicolon" => simple(dice, Style { delimiter: ";", ..USUAL }, rich),
        "tab" => simple(dice, Style { delimiter: "\t", ..USUAL }, rich),
        "pipe" => simple(dice, Style { delimiter: "|", ..USUAL }, rich),
        "odd_delimiter" => {
            let delimiter = dice.pick(&["^", "~", "\u{1f}", "\u{1}", "!", "#"]);
            simple(dice, Style { delimiter, ..USUAL }, bare)
        }
        "wide_delimiter" => {
            let delimiter = dice.pick(&["||", "~|~", "::", ";;", "|~|", "^^", "<>", "##"]);
            simple(dice, Style { delimiter, ..USUAL }, bare)
        }
        "all_quoted" => simple(dice, Style { all: true, ..USUAL }, rich),
        "single_quotes" => simple(dice, Style { quote: "'", ..USUAL }, rich),
        "backslashes" => simple(dice, Style { backslash: true, ..USUAL }, rich),
        "spaces_before_quotes" => {
            let style = Style { gap: " ", ..USUAL };
            let truth = Truth { header: None, ..rich(dice, &style) };
            spaced(dice, truth)
        }
        "inner_quotes" => inner_quotes(dice, bare(&mut Dice::new(seed ^ 0xABCD), &USUAL)),
        "crlf" => simple(dice, Style { end: "\r\n", ..USUAL }, rich),
        "returns" => {
            let style = Style { end: "\r", ..USUAL };
            simple(dice, style, |dice, style| truth(dice, count, Speech::Bare, style))
        }
        "mixed_ends" => {
            let truth = bare(dice, &USUAL);
            let text = USUAL.table(&truth);
            let mixed: String = text
                .split_inclusive('\n')
                .map(|line| line.trim_end().to_owned() + dice.pick(&["\n", "\r\n", "\r"]))
                .collect();
            plain(mixed.into_bytes(), truth)
        }
        "utf8_mark" => encoded(rich(dice, &USUAL), |text| ("\u{FEFF}".to_owned() + text).into_bytes()),
        "utf16le" => encoded(rich(dice, &USUAL), |text| {
            ("\u{FEFF}".to_owned() + text).encode_utf16().flat_map(u16::to_le_bytes).collect()
        }),
        "utf16be" => encoded(rich(dice, &USUAL), |text| {
            ("\u{FEFF}".to_owned() + text).encode_utf16().flat_map(u16::to_be_bytes).collect()
        }),
        "utf16_unmarked" => {
            encoded(rich(dice, &USUAL), |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect())
        }
        "latin1" => encoded(truth(dice, count, Speech::Western, &USUAL), western),
        "cp1252" => {
            let mut truth = truth(dice, count, Speech::Western, &USUAL);
            truth.rows.iter_mut().step_by(3).for_each(|row| row[1] = Some("5 € – “so”".to_owned()));
            encoded(truth, western)
        }
        "no_header" => {
            let truth = Truth { header: None, ..rich(dice, &USUAL) };
            plain(USUAL.table(&truth).into_bytes(), truth)
        }
        "two_row_header" => {
            let truth = bare(dice, &USUAL);
            let above: Vec<String> = (0..truth.rows[0].len())
                .map(|at| if at % 2 == 1 { format!("group {at}") } else { String::new() })
                .collect();
            above_table(USUAL.names(&above), truth)
        }
        "units_row" => {
            let truth = bare(dice, &USUAL);
            let header = truth.header.clone().expect("a header");
            let units: Vec<String> = header
                .iter()
                .map(|_| (dice.pick(&["(m)", "(kg)", "(EUR)", "[-]", "(d)"])).to_owned())
                .collect();
            let rest = Truth { header: None, rows: truth.rows.clone() };
            plain((USUAL.names(&header) + &USUAL.names(&units) + &USUAL.table(&rest)).into_bytes(), truth)
        }
        "same_names" => renamed(rich(dice, &USUAL), |names| names[2] = names[1].clone()),
        "empty_names" => renamed(rich(dice, &USUAL), |names| names[1].clear()),
        "preamble" => {
            let lines = [
                "Report: daily extract",
                "Generated 2025-03-03 by hand",
                "Confidential",
                "User,admin",
                "Source: ledger, old",
            ];
            let mut above: String = (0..1 + dice.below(4)).map(|at| format!("{}\n", lines[at])).collect();
            above += if dice.one_in(2) { "\n" } else { "" };
            above_table(above, bare(dice, &USUAL))
        }
        "table_like_preamble" => {
            let above = "Report,Daily\nUser,admin\nPrinted,2025-03-03\n\n".to_owned();
            above_table(above, bare(dice, &USUAL))
        }
        "comments" => comments(dice, bare(&mut Dice::new(seed ^ 0xABCD), &USUAL)),
        "hash_header" => renamed(bare(dice, &USUAL), |names| names[0].insert(0, '#')),
        "total_row" => {
            let truth = bare(dice, &USUAL);
            let mut text = USUAL.table(&truth);
            text += if dice.one_in(2) { "\n" } else { "" };
            text += &format!(
                "{},{}\n",
                dice.pick(&["TOTAL", "Total rows", "Summe", "Grand total:"]),
                truth.rows.len()
            );
            plain(text.into_bytes(), truth)
        }
        "footer_text" => {
            let truth = bare(dice, &USUAL);
            let text = USUAL.table(&truth)
                + dice.pick(&["\n", ""])
                + dice.pick(&["End of report\n", "(42 rows affected)\n", "-----\nprinted by: ledger\n"]);
            plain(text.into_bytes(), truth)
        }
        "two_tables" => two_tables(dice, count),
        "blank_lines" => {
            let truth = bare(dice, &USUAL);
            let text: String = USUAL
                .table(&truth)
                .split_inclusive('\n')
                .map(|line| line.to_owned() + if dice.one_in(5) { "\n" } else { "" })
                .collect();
            plain(text.into_bytes(), truth)
        }
        "short_rows" => ragged(dice, bare(&mut Dice::new(seed ^ 0xABCD), &USUAL), |row, _| drop(row.pop())),
        "long_rows" => ragged(dice, bare(&mut Dice::new(seed ^ 0xABCD), &USUAL), |row, dice| {
            row.push(Some(dice.pick(&PLAIN_WORDS).to_owned()))
        }),
        "trailing_delimiter" => {
            let mut truth = rich(dice, &USUAL);
            let text = Style { trailing: ",", ..USUAL }.table(&truth);
            truth.rows.iter_mut().for_each(|row| row.push(Some(String::new())));
            plain(text.into_bytes(), truth)
        }
        "data_trailing_delimiter" => {
            let mut truth = rich(dice, &USUAL);
            let rows = Truth { header: None, rows: truth.rows.clone() };
            let text = USUAL.names(truth.header.as_ref().expect("a header"))
                + &Style { trailing: ",", ..USUAL }.table(&rows);
            truth.rows.iter_mut().for_each(|row| row.push(Some(String::new())));
            plain(text.into_bytes(), truth)
        }
        "padded" => {
            let mut truth = bare(dice, &USUAL);
            let pad = |cell: &mut String| *cell = format!(" {cell:<12}");
            truth.rows.iter_mut().flatten().flatten().for_each(pad);
            truth.header.iter_mut().flatten().for_each(pad);
            plain(USUAL.table(&truth).into_bytes(), truth)
        }
        "zero_bytes" => {
            let mut truth = bare(dice, &USUAL);
            truth
                .rows
                .iter_mut()
                .step_by(4)
                .flat_map(|row| row.get_mut(1))
                .flatten()
                .for_each(|cell| cell.push('\0'));
            plain(USUAL.table(&truth).into_bytes(), truth)
        }
        "old_end" => encoded(rich(dice, &USUAL), |text| [text.as_bytes(), b"\x1A"].concat()),
        "hint" => {
            let style = Style { delimiter: dice.pick(&[";", "|", "\t", ","]), end: "\r\n", ..USUAL };
            let truth = rich(dice, &style);
            plain((format!("sep={}\r\n", style.delimiter) + &style.table(&truth)).into_bytes(), truth)
        }
        "european" => {
            let style = Style { delimiter: ";", end: "\r\n", ..USUAL };
            let mut truth = truth(dice, count, Speech::Western, &style);
            for cell in truth.rows.iter_mut().flatten().flatten() {
                let is_number = cell.contains('.')
                    && cell.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
                if is_number {
                    *cell = cell.replace('.', ",");
                }
            }
            encoded_as(&style, truth, western)
        }
        "unclosed_quote" => {
            let mut truth = bare(dice, &USUAL);
            let at = dice.below(truth.rows.len());
            let text: String = USUAL.names(truth.header.as_ref().expect("a header"))
                + &truth
                    .rows
                    .iter()
                    .enumerate()
                    .map(|(place, row)| {
                        let line = USUAL.row(row);
                        if place == at { line.replacen(',', ",\"", 1) } else { quoted_second(&line) }
                    })
                    .collect::<String>();
            truth.rows.remove(at);
            Made { bytes: text.into_bytes(), tables: vec![truth], rejected: 1 }
        }
        "bad_bytes" => {
            let mut truth = rich(dice, &USUAL);
            let at = dice.below(truth.rows.len());
            truth.rows.iter_mut().for_each(|row| row[1] = Some("Ünal".to_owned()));
            let bad = "\u{F8FF}bad".to_owned();
            truth.rows[at][1] = Some(bad);
            let text = USUAL.table(&truth).into_bytes();
            let bytes = replace(&text, "\u{F8FF}".as_bytes(), b"\xFF\xC0");
            truth.rows.remove(at);
            Made { bytes, tables: vec![truth], rejected: 1 }
        }
        "repeated_header" => {
            let truth = bare(dice, &USUAL);
            let header = USUAL.names(truth.header.as_ref().expect("a header"));
            let text: String = USUAL
                .table(&truth)
                .split_inclusive('\n')
                .enumerate()
                .map(
                    |(at, line)| {
                        if at > 0 && at % 50 == 4 { header.clone() + line } else { line.to_owned() }
                    },
                )
                .collect();
            plain(text.into_bytes(), truth)
        }
        "one_column" => {
            let rows = (0..count).map(|at| vec![Some(format!("{} {at}", dice.pick(&PLAIN_WORDS)))]).collect();
            let truth = Truth { header: Some(vec!["town".to_owned()]), rows };
            plain(USUAL.table(&truth).into_bytes(), truth)
        }
        _ => simple(dice, USUAL, rich),
    }
}

fn simple(dice: &mut Dice, style: Style, truth: impl Fn(&mut Dice, &Style) -> Truth) -> Made {
    let truth = truth(dice, &style);
    plain(style.table(&truth).into_bytes(), truth)
}

fn plain(bytes: Vec<u8>, truth: Truth) -> Made {
    Made { bytes, tables: vec![truth], rejected: 0 }
}

fn encoded(truth: Truth, encode: impl Fn(&str) -> Vec<u8>) -> Made {
    encoded_as(&USUAL, truth, encode)
}

fn encoded_as(style: &Style, truth: Truth, encode: impl Fn(&str) -> Vec<u8>) -> Made {
    let bytes = encode(&style.table(&truth));
    plain(bytes, truth)
}

fn western(text: &str) -> Vec<u8> {
    let byte = |c: char| match c {
        '€' => 0x80,
        '“' => 0x93,
        '”' => 0x94,
        '–' => 0x96,
        c => u8::try_from(c).expect("a western letter"),
    };
    text.chars().map(byte).collect()
}

fn above_table(above: String, truth: Truth) -> Made {
    plain((above + &USUAL.table(&truth)).into_bytes(), truth)
}

fn renamed(mut truth: Truth, rename: impl Fn(&mut Vec<String>)) -> Made {
    if let Some(names) = &mut truth.header {
        rename(names);
    }
    plain(USUAL.table(&truth).into_bytes(), truth)
}

/// All texts quoted, with a space before the quote.
fn spaced(dice: &mut Dice, mut truth: Truth) -> Made {
    let width = truth.rows[0].len();
    truth.header = Some(names(dice, width));
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let mut text = line(truth.header.iter().flatten().cloned().collect());
    for row in &mut truth.rows {
        row[1] = Some(format!("{}, {}", dice.pick(&PLAIN_WORDS), dice.pick(&PLAIN_WORDS)));
        let cells = row.iter().flatten().enumerate().map(|(at, cell)| match at {
            0 => USUAL.cell(cell),
            _ if cell.bytes().any(|byte| byte.is_ascii_alphabetic() || byte > 127 || byte == b' ') => {
                format!(" \"{}\"", cell.replace('"', "\"\""))
            }
            _ => cell.clone(),
        });
        text += &line(cells.collect());
    }
    plain(text.into_bytes(), truth)
}

/// Quotes that were not doubled, in a column that is quoted.
fn inner_quotes(dice: &mut Dice, mut truth: Truth) -> Made {
    let mut text = USUAL.names(truth.header.as_ref().expect("a header"));
    for row in &mut truth.rows {
        let said = format!("say \"{}\" now", dice.pick(&PLAIN_WORDS));
        row[1] = Some(said.clone());
        let cells: Vec<String> = row
            .iter()
            .flatten()
            .enumerate()
            .map(|(at, cell)| if at == 1 { format!("\"{said}\"") } else { cell.clone() })
            .collect();
        text += &(cells.join(",") + "\n");
    }
    plain(text.into_bytes(), truth)
}

fn comments(dice: &mut Dice, truth: Truth) -> Made {
    let mark = dice.pick(&["#", "# ", "//"]);
    let comment = |dice: &mut Dice| {
        format!("{mark}{} {}\n", dice.pick(&WORDS), dice.pick(&["checked", "it's \"odd\"", "", "a, b"]))
    };
    let mut text = comment(dice);
    for line in USUAL.table(&truth).split_inclusive('\n') {
        text += line;
        if dice.one_in(9) {
            text += &comment(dice);
        }
    }
    plain(text.into_bytes(), truth)
}

fn two_tables(dice: &mut Dice, count: usize) -> Made {
    let first = truth(dice, count, Speech::Bare, &USUAL);
    let mut second = truth(dice, 4 + count / 3, Speech::Bare, &USUAL);
    if second.rows[0].len() == first.rows[0].len() {
        second.header.iter_mut().for_each(|names| names.push("extra".to_owned()));
        second.rows.iter_mut().for_each(|row| row.push(Some("7".to_owned())));
    }
    let text = USUAL.table(&first) + "\n" + &USUAL.table(&second);
    Made { bytes: text.into_bytes(), tables: vec![first, second], rejected: 0 }
}

fn ragged(dice: &mut Dice, mut truth: Truth, change: impl Fn(&mut Row, &mut Dice)) -> Made {
    for at in 2..truth.rows.len() {
        if at == 2 || at == 4 || dice.one_in(6) {
            change(&mut truth.rows[at], dice);
        }
    }
    plain(USUAL.table(&truth).into_bytes(), truth)
}

/// The line with its second cell quoted.
fn quoted_second(line: &str) -> String {
    let mut cells: Vec<String> = line.trim_end().split(',').map(str::to_owned).collect();
    cells[1] = format!("\"{}\"", cells[1]);
    cells.join(",") + "\n"
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}
