//! Writes a FIX log that looks like a trading day, from a seed: `generate <bytes> <seed> <dirty per cent> [soh|pipe] > log`.
//!
//! The same arguments give the same bytes. Sizes take k, M, G (powers of 1000). Clean messages have right lengths and sums; of the
//! others each has one of a dozen faults. With `pipe` every line begins with a time and a direction, as people read it.
#![expect(clippy::print_stderr, reason = "a program says what it needs")]

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// What to write.
pub(crate) struct Order {
    pub(crate) bytes: u64,
    pub(crate) seed: u64,
    /// Of a million.
    pub(crate) dirty: u64,
    pub(crate) delimiter: u8,
}

impl Order {
    fn read(mut words: impl Iterator<Item = String>) -> Option<Order> {
        let bytes = size(&words.next()?)?;
        let seed = words.next()?.parse().ok()?;
        let percent: f64 = words.next()?.parse().ok().filter(|percent| (0.0..=100.0).contains(percent))?;
        let delimiter = match words.next().as_deref() {
            None | Some("soh") => 1,
            Some("pipe") => b'|',
            Some(_) => return None,
        };
        Some(Order { bytes, seed, dirty: (percent * 10_000.0) as u64, delimiter })
    }
}

fn size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 1_000),
        b'M' => (&text[..text.len() - 1], 1_000_000),
        b'G' => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

const SYMBOLS: [&str; 12] =
    ["AAPL", "MSFT", "TSLA", "EUR/USD", "VOD.L", "BRK.B", "ESZ5", "SJM", "NESN", "7203.T", "GBP/JPY", "CLF6"];
const PARTIES: [&str; 5] = ["ALPHA", "BRAVO", "CHARLIE", "DELTA", "ECHO"];
const TEXTS: [&str; 5] =
    ["partial fill", "price outside limits", "done for day", "rejected by risk: size = 100", "ok"];

/// Writes messages into one reused buffer.
pub(crate) struct Generator {
    random: Random,
    delimiter: u8,
    dirty: u64,
    /// Nanoseconds since the start of the day.
    clock: u64,
    sequence: [u64; 2],
    body: Vec<u8>,
    message: Vec<u8>,
}

impl Generator {
    pub(crate) fn new(order: &Order) -> Generator {
        let random = Random(order.seed);
        let (body, message) = (Vec::with_capacity(1024), Vec::with_capacity(1024));
        Generator {
            random,
            delimiter: order.delimiter,
            dirty: order.dirty,
            clock: 27_000_000_000_000,
            sequence: [1; 2],
            body,
            message,
        }
    }

    /// Returns the next line.
    pub(crate) fn line(&mut self) -> &[u8] {
        self.clock = (self.clock + self.random.below(9_000_000)) % 86_400_000_000_000;
        let outgoing = self.random.below(2) == 1;
        self.write_body(outgoing);
        self.message.clear();
        if self.delimiter == b'|' {
            self.message.extend_from_slice(b"2025-03-14 ");
            time(&mut self.message, self.clock, 3);
            self.message.extend_from_slice(if outgoing { b" OUT " } else { b" IN  " });
        }
        let start = self.message.len();
        self.frame(start, self.body.len());
        if self.random.below(1_000_000) < self.dirty {
            self.spoil(start);
        }
        self.message.push(b'\n');
        &self.message
    }

    fn field(&mut self, tag: u32, value: impl AsRef<[u8]>) {
        number(&mut self.body, u64::from(tag), 1);
        self.body.push(b'=');
        self.body.extend_from_slice(value.as_ref());
        self.body.push(self.delimiter);
    }

    fn number(&mut self, tag: u32, value: u64) {
        number(&mut self.body, u64::from(tag), 1);
        self.body.push(b'=');
        number(&mut self.body, value, 1);
        self.body.push(self.delimiter);
    }

    fn price(&mut self, tag: u32) {
        let cents = 1_000 + self.random.below(50_000_000);
        number(&mut self.body, u64::from(tag), 1);
        self.body.push(b'=');
        number(&mut self.body, cents / 10_000, 1);
        self.body.push(b'.');
        number(&mut self.body, cents % 10_000, 4);
        self.body.push(self.delimiter);
    }

    fn time(&mut self, tag: u32) {
        number(&mut self.body, u64::from(tag), 1);
        self.body.extend_from_slice(b"=20250314-");
        time(&mut self.body, self.clock, 3);
        self.body.push(self.delimiter);
    }

    fn id(&mut self, tag: u32) {
        let id = self.random.next();
        number(&mut self.body, u64::from(tag), 1);
        self.body.push(b'=');
        self.body.extend((0..10).map(|digit| b"0123456789abcdef"[(id >> (digit * 4) & 15) as usize]));
        self.body.push(self.delimiter);
    }

    fn write_body(&mut self, outgoing: bool) {
        self.body.clear();
        let kind = self.random.below(100);
        let kind = match kind {
            0..=2 => "0",
            3..=30 => "D",
            31..=38 => "G",
            39..=44 => "F",
            45..=54 => "W",
            _ => "8",
        };
        self.field(35, kind);
        self.field(49, if outgoing { "BUYSIDE" } else { "EXCHANGE" });
        self.field(56, if outgoing { "EXCHANGE" } else { "BUYSIDE" });
        let side = &mut self.sequence[usize::from(outgoing)];
        *side += 1;
        let sequence = *side;
        self.number(34, sequence);
        self.time(52);
        match kind {
            "0" => {}
            "8" => self.write_report(),
            "W" => self.write_snapshot(),
            _ => self.write_order(kind),
        }
    }

    fn write_order(&mut self, kind: &str) {
        if kind != "D" {
            self.id(41);
        }
        self.id(11);
        self.field(21, "1");
        let symbol = self.random.pick(&SYMBOLS);
        self.field(55, symbol);
        let side = self.random.pick(&["1", "2", "5"]);
        self.field(54, side);
        self.time(60);
        let quantity = (1 + self.random.below(500)) * 100;
        self.number(38, quantity);
        self.field(40, "2");
        self.price(44);
        self.field(59, "0");
    }

    fn write_report(&mut self) {
        self.id(37);
        self.id(11);
        self.id(17);
        let state = self.random.pick(&["0", "1", "2", "4", "8"]);
        self.field(150, state);
        self.field(39, state);
        let symbol = self.random.pick(&SYMBOLS);
        self.field(55, symbol);
        let side = self.random.pick(&["1", "2"]);
        self.field(54, side);
        let quantity = (1 + self.random.below(500)) * 100;
        self.number(38, quantity);
        self.price(44);
        let done = self.random.below(quantity + 1);
        self.number(32, done);
        self.price(31);
        self.number(151, quantity - done);
        self.number(14, done);
        self.price(6);
        self.time(60);
        if self.random.below(4) == 0 {
            self.number(453, 2);
            for role in ["1", "4"] {
                let party = self.random.pick(&PARTIES);
                self.field(448, party);
                self.field(447, "D");
                self.field(452, role);
            }
        }
        if self.random.below(8) == 0 {
            let text = self.random.pick(&TEXTS);
            self.field(58, text);
        }
    }

    fn write_snapshot(&mut self) {
        self.id(262);
        let symbol = self.random.pick(&SYMBOLS);
        self.field(55, symbol);
        let entries = 1 + self.random.below(5);
        self.number(268, entries);
        for _ in 0..entries {
            let kind = self.random.pick(&["0", "1", "2"]);
            self.field(269, kind);
            self.price(270);
            let size = (1 + self.random.below(90)) * 10;
            self.number(271, size);
        }
    }

    /// Puts header and trailer around the body, with this length and the sum that it would have on the wire.
    fn frame(&mut self, start: usize, length: usize) {
        let delimiter = self.delimiter;
        self.message.truncate(start);
        self.message.extend_from_slice(b"8=FIX.4.4");
        self.message.push(delimiter);
        self.message.extend_from_slice(b"9=");
        number(&mut self.message, length as u64, 1);
        self.message.push(delimiter);
        self.message.extend_from_slice(&self.body);
        let wire = |byte: &u8| u64::from(if *byte == delimiter { 1 } else { *byte });
        let sum: u64 = self.message[start..].iter().map(wire).sum();
        self.message.extend_from_slice(b"10=");
        number(&mut self.message, sum % 256, 3);
        self.message.push(delimiter);
    }

    /// Does one thing to the message that begins at `start` that should not be.
    fn spoil(&mut self, start: usize) {
        let closed = self.message.len() - 7;
        match self.random.below(12) {
            0 => self.message[closed + 3] = if self.message[closed + 3] == b'0' { b'1' } else { b'0' },
            1 => self.frame(start, self.body.len() + 9),
            2 => self.message.truncate(closed),
            3 => {
                let cut = start + 30 + self.random.below((closed - start - 30) as u64) as usize;
                self.message.truncate(cut);
            }
            4 => self.insert(start, b"5X=bad"),
            5 => self.insert(start, b"58="),
            6 => self.insert(start, b"49=TWICE"),
            7 => self.insert(start, b"60=00000000-00:00:00"),
            8 => self.insert(start, b"95=7|96=short"),
            9 => {
                self.message.truncate(start);
                self.message.extend_from_slice(b"*** session disconnected");
            }
            10 => self.insert(start, b"58=na\xEFve"),
            _ => self.insert(start, b"43=perhaps"),
        }
    }

    /// Writes the message again with a field more.
    fn insert(&mut self, start: usize, field: &[u8]) {
        let delimiter = self.delimiter;
        self.body.extend(field.iter().map(|byte| if *byte == b'|' { delimiter } else { *byte }));
        self.body.push(delimiter);
        self.frame(start, self.body.len());
    }
}

/// Appends a number of at least `width` digits.
fn number(into: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while value > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    into.extend_from_slice(&digits[at..]);
}

/// Appends `HH:MM:SS.fff`.
fn time(into: &mut Vec<u8>, nanos: u64, fraction: u32) {
    let seconds = nanos / 1_000_000_000;
    number(into, seconds / 3600, 2);
    into.push(b':');
    number(into, seconds / 60 % 60, 2);
    into.push(b':');
    number(into, seconds % 60, 2);
    into.push(b'.');
    number(into, nanos % 1_000_000_000 / 10u64.pow(9 - fraction), fraction as usize);
}

fn write(order: &Order) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut generator = Generator::new(order);
    let mut written = 0;
    while written < order.bytes {
        let line = generator.line();
        written += line.len() as u64;
        out.write_all(line)?;
    }
    out.flush()
}

fn main() -> ExitCode {
    let Some(order) = Order::read(std::env::args().skip(1)) else {
        eprintln!("usage: generate <bytes> <seed> <dirty per cent> [soh|pipe]");
        return ExitCode::from(2);
    };
    match write(&order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write: {error}");
            ExitCode::FAILURE
        }
    }
}
