//! One range of a log, record by record, into the tables.

use casparian_sdk::Table;
use casparian_sdk::prelude::*;

use crate::delimiter::Delimiter;
use crate::fast::{Fast, Usual};
use crate::faults::{Flaw, Flaws};
use crate::record::{Reader, Record};
use crate::tables::{self, Draft, Encoding, Fields, Messages, Writer};
use crate::tags::slot;

/// What holds for a whole run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The delimiter that most messages have.
    pub delimiter: Delimiter,
    /// How text values are encoded.
    pub encoding: Encoding,
    /// The longest record, in bytes.
    pub record_bytes_max: usize,
}

impl Settings {
    /// The option that names the encoding.
    pub const TEXT_ENCODING: &'static str = "text-encoding";
    /// The option that bounds a record.
    pub const RECORD_BYTES_MAX: &'static str = "record-bytes-max";

    /// Reads what the plan settled and what was set from outside. Fails where an option does not fit.
    pub fn read(context: &[u8], options: &Options) -> Result<Settings, Fault> {
        let delimiter = str::from_utf8(context).ok().and_then(Delimiter::named);
        let encoding = Encoding::ALL[options.choice(Self::TEXT_ENCODING)? % Encoding::ALL.len()].0;
        let bytes = options.integer(Self::RECORD_BYTES_MAX)?;
        let record_bytes_max =
            usize::try_from(bytes).ok().filter(|bytes| (1 << 10..=8 << 20).contains(bytes));
        Ok(Settings {
            delimiter: delimiter
                .ok_or_else(|| Fault::new("context-unknown", "the context names no delimiter"))?,
            encoding,
            record_bytes_max: record_bytes_max.ok_or_else(|| {
                let name = Self::RECORD_BYTES_MAX;
                Fault::new("option-unfit", format!("option `{name}` is {bytes}, wanted 1024 to 8388608"))
            })?,
        })
    }
}

/// Bytes in which the beginning of a message can be told, with the delimiter before it.
const OVERLAP: usize = 8;

/// Parses the records that begin in `range`. No record reaches past its end: ranges begin where records do.
pub fn range(input: &Input<'_>, range: Span, settings: &Settings, out: &Output<'_>) -> Result<(), Fault> {
    let mut window = input.window(range.offset).with_cap(settings.record_bytes_max + 2 * Window::CHUNK);
    let mut session = Session::open(settings, out)?;
    while window.offset() < range.end() {
        window.grow();
        let rest = usize::try_from(range.end() - window.offset()).unwrap_or(usize::MAX);
        let visible = window.bytes().len().min(rest);
        let view =
            Visible { padded: window.padded(), len: visible, last: visible == rest, offset: window.offset() };
        let done = session.read(&view)?;
        window.consume(done.bytes);
        if done.oversized {
            let start = window.offset();
            // All that was looked at goes, so that nothing is looked at a second time.
            window.consume(settings.record_bytes_max - OVERLAP);
            let end = find_next(&mut window, range.end());
            let message = format!("longer than {} bytes", settings.record_bytes_max);
            out.reject(Span::between(start, end), Flaw::OversizedRecord, message)?;
        }
    }
    Ok(())
}

/// What of the input is in view.
struct Visible<'a> {
    /// The bytes, and more behind them that are no part of the range.
    padded: &'a [u8],
    len: usize,
    /// Whether the range ends here.
    last: bool,
    offset: u64,
}

impl Visible<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.offset + start as u64, (end - start) as u64)
    }
}

/// How far reading came.
struct Done {
    bytes: usize,
    /// Whether it stopped before a record that is too long.
    oversized: bool,
}

struct Session<'a> {
    out: &'a Output<'a>,
    messages: Option<Table<'a, Messages>>,
    fields: Option<Table<'a, Fields>>,
    /// Where nobody wants single fields and one byte shows the delimiter.
    fast: Option<Fast>,
    reader: Reader,
    writer: Writer,
}

impl<'a> Session<'a> {
    fn open(settings: &Settings, out: &'a Output<'a>) -> Result<Session<'a>, Fault> {
        let fields = if out.wanted("fields") { Some(out.table()?) } else { None };
        Ok(Session {
            out,
            messages: if out.wanted("messages") { Some(out.table()?) } else { None },
            fast: if fields.is_none() { Fast::new(settings.delimiter) } else { None },
            fields,
            reader: Reader::new(settings.record_bytes_max),
            writer: Writer::new(settings.encoding),
        })
    }

    /// Reads the records that are complete in view.
    fn read(&mut self, view: &Visible<'_>) -> Result<Done, Fault> {
        self.reader.forget();
        if let Some(fast) = &mut self.fast {
            fast.look(&view.padded[..view.len]);
        }
        let mut at = 0;
        while at < view.len {
            if let Some(end) = self.read_usual(view, at)? {
                at = end;
                continue;
            }
            at = match self.reader.next(&view.padded[..view.len], at, view.last) {
                Record::Incomplete => break,
                Record::Oversized => return Ok(Done { bytes: at, oversized: true }),
                Record::Blank(end) => {
                    self.out.skip(view.span(at, end), SkipKind::Blank, "")?;
                    end
                }
                Record::NonFix(end) => {
                    self.out.reject(view.span(at, end), Flaw::NonFixLine, "no FIX message in this line")?;
                    end
                }
                Record::Truncated(end) => {
                    self.out.reject(view.span(at, end), Flaw::Truncated, self.reader.message.cut())?;
                    end
                }
                Record::Message(end) => {
                    self.write(view, at, end)?;
                    end
                }
            };
        }
        Ok(Done { bytes: at, oversized: false })
    }

    /// Reads the record at `at` if its message is a usual one; returns where it ends.
    #[inline]
    fn read_usual(&mut self, view: &Visible<'_>, at: usize) -> Result<Option<usize>, Fault> {
        let Some(fast) = &mut self.fast else { return Ok(None) };
        let Some(Usual { start, end }) = fast.read(view.padded, view.len, at) else { return Ok(None) };
        if let Some(table) = &mut self.messages {
            let draft = Draft {
                bytes: view.padded,
                span: view.span(at, end),
                prefix: &view.padded[at..start],
                slots: &fast.slots,
                frame: &fast.frame,
                flaws: Flaws::NONE,
                is_utf8: true,
            };
            self.writer.message(table, &draft)?;
        }
        Ok(Some(end))
    }

    fn write(&mut self, view: &Visible<'_>, at: usize, end: usize) -> Result<(), Fault> {
        let message = &self.reader.message;
        let span = view.span(at, end);
        let Some((start, stop)) = message.slots.place(slot::MSG_TYPE) else {
            return self.out.reject(span, Flaw::First3OutOfOrder, "the message has no MsgType(35)");
        };
        let is_ascii = scan::is_ascii(&view.padded[message.start..message.end]);
        let mut flaws = message.flaws;
        if !is_ascii || message.slots.repeated & crate::tags::TIMES != 0 {
            self.writer.inspect(view.padded, &message.fields, &mut flaws);
        }
        if !self.writer.is_text(&view.padded[start..stop]) {
            return self.out.reject(
                span,
                Flaw::UndecodableText,
                "MsgType(35) is not text in the log's encoding",
            );
        }
        let draft = Draft {
            bytes: view.padded,
            span,
            prefix: &view.padded[at..message.start],
            slots: &message.slots,
            frame: &message.frame,
            flaws,
            is_utf8: is_ascii,
        };
        if let Some(table) = &mut self.messages {
            self.writer.message(table, &draft)?;
        }
        if let Some(table) = &mut self.fields {
            tables::fields(table, view.padded, span, &message.fields)?;
        }
        Ok(())
    }
}

/// Moves the window to the next line or the next message right behind a delimiter, at the latest to `limit`; returns where
/// that is.
fn find_next(window: &mut Window<'_>, limit: u64) -> u64 {
    while window.offset() < limit {
        let rest = usize::try_from(limit - window.offset()).unwrap_or(usize::MAX);
        let bytes = &window.bytes()[..window.bytes().len().min(rest)];
        if let Some(next) = next_begin(bytes) {
            window.consume(next);
            return window.offset();
        }
        // The last bytes may be the beginning of a mark.
        let seen = if bytes.len() == rest { rest } else { bytes.len().saturating_sub(OVERLAP) };
        window.consume(seen);
        window.grow();
    }
    limit
}

fn next_begin(bytes: &[u8]) -> Option<usize> {
    let feed = memchr::memchr(b'\n', bytes).map(|at| at + 1);
    let bytes = &bytes[..feed.unwrap_or(bytes.len())];
    let message = memchr::memmem::find_iter(bytes, b"8=FIX").find(|at| {
        Delimiter::ALL.into_iter().any(|(delimiter, _)| bytes[..*at].ends_with(delimiter.shown()))
    });
    message.or(feed)
}
