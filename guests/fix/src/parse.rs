//! One range of a log, record by record, into the tables.

use casparian_sdk::Table;
use casparian_sdk::prelude::*;

use crate::delimiter::Delimiter;
use crate::dictionary::Version;
use crate::fast::{Fast, Usual};
use crate::faults::{Flaw, Flaws, joined};
use crate::groups::{self, Fields, Groups, Names, Walked};
use crate::market::{self, MarketDataEntries};
use crate::message::Message;
use crate::record::{Reader, Record};
use crate::reports::{self, ExecutionReports};
use crate::sessions::{self, SessionEvents};
use crate::shape::Consult;
use crate::tables::{Draft, Encoding, Messages, Writer};
use crate::tags::slot;
use crate::walk::{Depth, Walk};

/// What the plan settles for all ranges of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The delimiter that most messages have.
    pub delimiter: Delimiter,
    /// The version of FIXT messages that do not name theirs.
    pub default: Version,
}

impl Context {
    /// Writes it as the layout carries it: `pipe 7`.
    pub fn to_bytes(self) -> Vec<u8> {
        let digit = Version::ALL.iter().take(8).position(|version| *version == self.default).unwrap_or(7) + 2;
        format!("{} {digit}", self.delimiter.name()).into_bytes()
    }

    /// Reads it; `None` where it is none.
    pub fn read(bytes: &[u8]) -> Option<Context> {
        let (name, digit) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        Some(Context {
            delimiter: Delimiter::named(name)?,
            default: Version::of_appl_ver_id(digit.as_bytes())?,
        })
    }
}

/// What the option `dictionary` may be.
pub const DICTIONARY: [(Option<Depth>, &str); 3] =
    [(None, "off"), (Some(Depth::Structure), "groups"), (Some(Depth::Everything), "check")];

/// What the option `blank-lines` may be: whether they are rejected.
pub const BLANK_LINES: [(bool, &str); 2] = [(false, "skip"), (true, "reject")];

/// What holds for a whole run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What the plan settled.
    pub context: Context,
    /// How text values are encoded.
    pub encoding: Encoding,
    /// The longest record, in bytes.
    pub record_bytes_max: usize,
    /// What to ask the dictionary about.
    pub depth: Option<Depth>,
    /// Whether blank lines are rejected.
    pub rejects_blanks: bool,
}

impl Settings {
    /// The option that names the encoding.
    pub const TEXT_ENCODING: &'static str = "text-encoding";
    /// The option that bounds a record.
    pub const RECORD_BYTES_MAX: &'static str = "record-bytes-max";
    /// The option that says what to ask the dictionary about.
    pub const DICTIONARY: &'static str = "dictionary";
    /// The option that says what becomes of blank lines.
    pub const BLANK_LINES: &'static str = "blank-lines";

    /// Reads what the plan settled and what was set from outside. Fails where an option does not fit.
    pub fn read(context: &[u8], options: &Options) -> Result<Settings, Fault> {
        let bytes = options.integer(Self::RECORD_BYTES_MAX)?;
        let record_bytes_max =
            usize::try_from(bytes).ok().filter(|bytes| (1 << 10..=8 << 20).contains(bytes));
        Ok(Settings {
            context: Context::read(context)
                .ok_or_else(|| Fault::new("context-unknown", "the context names no delimiter and version"))?,
            encoding: Encoding::ALL[options.choice(Self::TEXT_ENCODING)? % Encoding::ALL.len()].0,
            record_bytes_max: record_bytes_max.ok_or_else(|| {
                let name = Self::RECORD_BYTES_MAX;
                Fault::new("option-unfit", format!("option `{name}` is {bytes}, wanted 1024 to 8388608"))
            })?,
            depth: DICTIONARY[options.choice(Self::DICTIONARY)? % DICTIONARY.len()].0,
            rejects_blanks: BLANK_LINES[options.choice(Self::BLANK_LINES)? % BLANK_LINES.len()].0,
        })
    }

    fn consult(&self) -> Consult {
        Consult { depth: self.depth, default: self.context.default }
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

/// The tables, each where it is wanted.
struct Tables<'a> {
    /// Always open: a record whose rows nobody wants is accounted for by its row here, which the host drops.
    messages: Table<'a, Messages>,
    wants_messages: bool,
    reports: Option<Table<'a, ExecutionReports>>,
    events: Option<Table<'a, SessionEvents>>,
    entries: Option<Table<'a, MarketDataEntries>>,
    groups: Option<Table<'a, Groups>>,
    fields: Option<Table<'a, Fields>>,
    names: Names,
}

impl<'a> Tables<'a> {
    fn open(out: &'a Output<'a>) -> Result<Tables<'a>, Fault> {
        Ok(Tables {
            messages: out.table()?,
            wants_messages: out.wanted("messages"),
            reports: wanted(out, "execution_reports")?,
            events: wanted(out, "session_events")?,
            entries: wanted(out, "market_data_entries")?,
            groups: wanted(out, "groups")?,
            fields: wanted(out, "fields")?,
            names: Names::default(),
        })
    }

    /// Whether some table wants to see every field of every message.
    fn want_every_field(&self) -> bool {
        self.groups.is_some() || self.fields.is_some()
    }

    /// Whether some table wants to see every field of some messages.
    #[inline(always)]
    fn want_some_fields(&self) -> bool {
        self.events.is_some() || self.entries.is_some()
    }

    /// Whether some table wants to see every field of messages of this type.
    fn want_fields_of(&self, msg_type: &[u8]) -> bool {
        (self.events.is_some() && sessions::event(msg_type).is_some())
            || (self.entries.is_some() && market::has_entries(msg_type))
    }

    /// Whether messages have no other rows than those of the table of messages, as far as the fast way reads them.
    #[inline(always)]
    fn want_messages_only(&self) -> bool {
        self.wants_messages && self.reports.is_none()
    }

    /// Writes the rows of a message that need no more than the places of some values. What is wrong with a message stands in the
    /// first of its rows, whichever table that is in.
    #[inline(never)]
    fn write(&mut self, writer: &mut Writer, draft: &mut Draft<'_>) -> Result<(), Fault> {
        if self.wants_messages {
            self.message_apart(writer, draft)?;
            return self.report(writer, draft).map(drop);
        }
        draft.flaws = writer.flaws_of_values(draft);
        if self.report(writer, draft)? { Ok(()) } else { self.message_apart(writer, draft) }
    }

    /// Writes all rows of a message.
    fn write_all(
        &mut self,
        writer: &mut Writer,
        draft: &mut Draft<'_>,
        walked: &Walked<'_>,
    ) -> Result<(), Fault> {
        if self.wants_messages {
            self.message_apart(writer, draft)?;
        } else {
            draft.flaws = writer.flaws_of_values(draft);
        }
        let mut any = self.wants_messages | self.report(writer, draft)?;
        any |= self.write_fields(writer, draft, walked)?;
        if any { Ok(()) } else { self.message_apart(writer, draft) }
    }

    /// Writes the row of a message: apart, so that the usual one is written in place. A message of which nobody wants a row is
    /// accounted for by this one, which the host drops.
    #[inline(never)]
    fn message_apart(&mut self, writer: &mut Writer, draft: &mut Draft<'_>) -> Result<(), Fault> {
        draft.named = writer.message(&mut self.messages, draft)?;
        draft.flaws = Flaws::NONE;
        Ok(())
    }

    /// Writes the row of an execution report, if it is one; returns whether there is a row.
    #[inline(never)]
    fn report(&mut self, writer: &mut Writer, draft: &mut Draft<'_>) -> Result<bool, Fault> {
        let Some(table) = &mut self.reports else { return Ok(false) };
        if draft.slots.value(draft.bytes, slot::MSG_TYPE) != Some(reports::MSG_TYPE) {
            return Ok(false);
        }
        draft.named = joined(draft.named, reports::report(writer, table, draft)?);
        draft.flaws = Flaws::NONE;
        Ok(true)
    }

    /// Writes the rows that need every field; returns whether there is one.
    fn write_fields(
        &mut self,
        writer: &mut Writer,
        draft: &mut Draft<'_>,
        walked: &Walked<'_>,
    ) -> Result<bool, Fault> {
        let msg_type = draft.slots.value(draft.bytes, slot::MSG_TYPE).unwrap_or_default();
        let mut any = false;
        if let (Some(table), Some(event)) = (&mut self.events, sessions::event(msg_type)) {
            let flaws = sessions::session_event(writer, table, draft, walked.fields, event)?;
            draft.named = joined(draft.named, flaws);
            draft.flaws = Flaws::NONE;
            any = true;
        }
        if let Some(table) = self.entries.as_mut().filter(|_| market::has_entries(msg_type)) {
            any |= market::entries(writer, table, walked, draft)?;
        }
        if let Some(table) = &mut self.groups {
            any |= groups::groups(table, walked, &mut self.names, &mut draft.flaws)?;
        }
        if let Some(table) = &mut self.fields {
            any |= groups::fields(table, walked, &mut self.names, &mut draft.flaws)?;
        }
        Ok(any)
    }
}

fn wanted<'a, C: Columns>(out: &'a Output<'a>, name: &str) -> Result<Option<Table<'a, C>>, Fault> {
    if out.wanted(name) { out.table().map(Some) } else { Ok(None) }
}

struct Session<'a> {
    out: &'a Output<'a>,
    tables: Tables<'a>,
    /// Where nobody wants single fields and one byte shows the delimiter.
    fast: Option<Fast>,
    reader: Reader,
    writer: Writer,
    consult: Consult,
    walk: Walk,
    rejects_blanks: bool,
}

impl<'a> Session<'a> {
    fn open(settings: &Settings, out: &'a Output<'a>) -> Result<Session<'a>, Fault> {
        let (tables, consult) = (Tables::open(out)?, settings.consult());
        let is_fast = !tables.want_every_field();
        Ok(Session {
            out,
            tables,
            fast: is_fast.then(|| Fast::new(settings.context.delimiter, consult)).flatten(),
            reader: Reader::new(settings.record_bytes_max),
            writer: Writer::new(settings.encoding),
            consult,
            walk: Walk::default(),
            rejects_blanks: settings.rejects_blanks,
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
                    self.blank(view, at, end)?;
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

    /// Skips blank lines, or rejects each.
    fn blank(&mut self, view: &Visible<'_>, at: usize, end: usize) -> Result<(), Fault> {
        if !self.rejects_blanks {
            return self.out.skip(view.span(at, end), SkipKind::Blank, "");
        }
        let mut start = at;
        while start < end {
            let feed = memchr::memchr(b'\n', &view.padded[start..end]);
            let next = feed.map_or(end, |feed| start + feed + 1);
            self.out.reject(view.span(start, next), Flaw::NonFixLine, "a blank line")?;
            start = next;
        }
        Ok(())
    }

    /// Reads the record at `at` if its message is a usual one; returns where it ends.
    #[inline]
    fn read_usual(&mut self, view: &Visible<'_>, at: usize) -> Result<Option<usize>, Fault> {
        let Some(fast) = &mut self.fast else { return Ok(None) };
        let Some(Usual { start, end }) = fast.read(view.padded, view.len, at) else { return Ok(None) };
        if self.tables.want_some_fields() {
            let msg_type = fast.slots.value(view.padded, slot::MSG_TYPE).unwrap_or_default();
            if self.tables.want_fields_of(msg_type) {
                return Ok(None);
            }
        }
        let usual = || Draft {
            bytes: view.padded,
            span: view.span(at, end),
            prefix: &view.padded[at..start],
            slots: &fast.slots,
            frame: &fast.frame,
            flaws: fast.flaws,
            named: Flaws::NONE,
            is_utf8: true,
        };
        // Nobody changes this draft, so that it need not be anywhere.
        if self.tables.want_messages_only() {
            self.writer.message(&mut self.tables.messages, &usual())?;
        } else {
            self.tables.write(&mut self.writer, &mut usual())?;
        }
        Ok(Some(end))
    }

    fn write(&mut self, view: &Visible<'_>, at: usize, end: usize) -> Result<(), Fault> {
        let message = &self.reader.message;
        let span = view.span(at, end);
        if let Some((flaw, why)) = self.unreadable(view, message) {
            return self.out.reject(span, flaw, why);
        }
        let is_ascii = scan::is_ascii(&view.padded[message.start..message.end]);
        let mut flaws = message.flaws;
        if !is_ascii || message.slots.repeated & crate::tags::TIMES != 0 {
            self.writer.inspect(view.padded, &message.fields, &mut flaws);
        }
        self.consult.read(&mut self.walk, view.padded, &message.fields, &message.slots, &mut flaws);
        let mut draft = Draft {
            bytes: view.padded,
            span,
            prefix: &view.padded[at..message.start],
            slots: &message.slots,
            frame: &message.frame,
            flaws,
            named: Flaws::NONE,
            is_utf8: is_ascii,
        };
        let walked = Walked {
            bytes: view.padded,
            span,
            fields: &message.fields,
            book: self.consult.book(view.padded, &message.slots),
            walk: &self.walk,
        };
        self.tables.write_all(&mut self.writer, &mut draft, &walked)
    }

    /// Why a message cannot be a row, if it cannot.
    fn unreadable(&self, view: &Visible<'_>, message: &Message) -> Option<(Flaw, &'static str)> {
        match message.slots.place(slot::MSG_TYPE) {
            None => Some((Flaw::First3OutOfOrder, "the message has no MsgType(35)")),
            Some((start, end)) if !self.writer.is_text(&view.padded[start..end]) => {
                Some((Flaw::UndecodableText, "MsgType(35) is not text in the log's encoding"))
            }
            Some(_) => None,
        }
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
