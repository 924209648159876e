//! Lines: texts that know where they are, made a block at a time.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{null, null_mut};

use crate::python::{self, BASETYPE, Property, Py, Slot, Spec, Table, give_back, none, slot};
use crate::texts::{DERIVED, Text, copy};

/// A line. Those made here have their bytes behind themselves, those made in Python elsewhere.
#[repr(C)]
struct Line {
    text: Text,
    places: [i64; 2],
    /// Which of the two are known, a bit each.
    known: u32,
}

const KNOWN: u32 = 3;
/// Where the bytes of a line begin that was made here.
const BYTES_AT: usize = core::mem::offset_of!(Line, known) + 4;

static TYPE: Table<Py> = Table::new(null_mut());

const NAMES: [&CStr; 2] = [c"offset", c"length"];

static PROPERTIES: Table<[Property; 3]> =
    Table::new([Property::new(NAMES[0], get, set, 0), Property::new(NAMES[1], get, set, 1), Property::END]);

fn line_type() -> Py {
    // SAFETY: there is one thread, and it is written while the module is loaded.
    unsafe { *TYPE.get() }
}

/// Makes the type. Null, with an exception, where that fails.
pub(crate) unsafe fn make_type() -> Py {
    let slots = &mut [
        Slot { which: slot::BASE, what: python::str_type().cast() },
        Slot { which: slot::DEALLOC, what: free as *mut c_void },
        Slot { which: slot::GETSET, what: PROPERTIES.get().cast() },
        Slot { which: 0, what: null_mut() },
    ];
    let mut spec = Spec {
        name: c"casparian.source.Line".as_ptr(),
        size: size_of::<Line>() as c_int,
        item_size: 0,
        flags: BASETYPE,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: what it points to outlives the call or the module.
    unsafe {
        *TYPE.get() = python::PyType_FromSpec(&raw mut spec);
        line_type()
    }
}

unsafe fn bytes_of(line: *mut Line) -> *mut u8 {
    // SAFETY: the caller has a line that was made here.
    unsafe { line.cast::<u8>().add(BYTES_AT) }
}

unsafe extern "C" fn free(object: Py) {
    // SAFETY: the interpreter's last call for a line.
    unsafe {
        let (line, kind) = (object.cast::<Line>(), (*object).kind);
        if (*line).text.data == bytes_of(line) {
            // They go with the line: the type that it is derived from would free them by themselves.
            (*line).text.data = null();
            (*line).text.utf8 = null();
        }
        let base = python::PyType_GetSlot(python::str_type(), slot::DEALLOC);
        let base: unsafe extern "C" fn(Py) = core::mem::transmute(base);
        base(object);
        give_back(kind);
    }
}

unsafe extern "C" fn get(object: Py, which: *mut c_void) -> Py {
    // SAFETY: the interpreter calls it for lines, with one of the two numbers.
    unsafe {
        let (line, which) = (object.cast::<Line>(), which.addr());
        if (*line).known >> which & 1 == 0 {
            python::no_attribute(NAMES[which & 1]);
            return null_mut();
        }
        python::PyLong_FromLongLong((*line).places[which & 1])
    }
}

unsafe extern "C" fn set(object: Py, value: Py, which: *mut c_void) -> c_int {
    // SAFETY: as `get`; without a value where it is deleted.
    unsafe {
        let (line, which) = (object.cast::<Line>(), which.addr());
        if value.is_null() {
            (*line).known &= !(1 << which);
            return 0;
        }
        let place = python::PyLong_AsLongLong(value);
        if place == -1 && !python::PyErr_Occurred().is_null() {
            return -1;
        }
        (*line).places[which & 1] = place;
        (*line).known |= 1 << which;
        0
    }
}

/// `lines(raw, offset)`: the lines of a block of UTF-8 that begins there, without LF or CRLF, where each is what the block
/// has between two line feeds. Bytes that are no text are lone surrogates.
pub(crate) unsafe extern "C" fn lines(_: Py, arguments: *const Py, count: isize) -> Py {
    // SAFETY: called by the interpreter, with `count` arguments.
    unsafe {
        let (mut raw, mut len) = (null_mut(), 0);
        if count != 2 || python::PyBytes_AsStringAndSize(*arguments, &raw mut raw, &raw mut len) != 0 {
            return if count == 2 { null_mut() } else { none() };
        }
        let offset = python::PyLong_AsLongLong(*arguments.add(1));
        if offset == -1 && !python::PyErr_Occurred().is_null() {
            return null_mut();
        }
        let raw = core::slice::from_raw_parts(raw.cast::<u8>(), len.cast_unsigned());
        let made = python::PyList_New(rows(raw).cast_signed());
        if !made.is_null() && !cut(raw, offset, made) {
            give_back(made);
            return null_mut();
        }
        made
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// Returns a word with the highest bit of each byte that is a line feed.
fn feeds(word: u64) -> u64 {
    let other = word ^ (LOW * b'\n' as u64);
    !(((other & !HIGH) + !HIGH) | other) & HIGH
}

/// Returns how many lines a block has; the last one may have no line feed.
fn rows(raw: &[u8]) -> usize {
    let (words, rest) = raw.as_chunks::<8>();
    let full: u32 = words.iter().map(|word| feeds(u64::from_le_bytes(*word)).count_ones()).sum();
    let others = rest.iter().filter(|byte| **byte == b'\n').count();
    full as usize + others + usize::from(raw.last().is_some_and(|last| *last != b'\n'))
}

/// Puts the lines of a block into a list that has room for them.
unsafe fn cut(raw: &[u8], offset: i64, made: Py) -> bool {
    let (mut rest, mut at) = (raw, 0);
    while !rest.is_empty() {
        let (end, is_ascii) = end_of_line(rest);
        let (full, has_end) = (end + usize::from(end < rest.len()), end < rest.len());
        let (line, next) = rest.split_at(full);
        let mut text = line.get(..end).unwrap_or_default();
        if has_end {
            text = text.strip_suffix(b"\r").unwrap_or(text);
        }
        let places = [offset + (raw.len() - rest.len()) as i64, full as i64];
        // SAFETY: there are as many places as lines.
        unsafe {
            let line = if is_ascii { plain(text, places) } else { decoded(text, places) };
            if line.is_null() {
                return false;
            }
            *(*made.cast::<python::List>()).items.add(at) = line;
        }
        (rest, at) = (next, at + 1);
    }
    true
}

/// Returns where the first line ends, and whether it is ASCII.
fn end_of_line(raw: &[u8]) -> (usize, bool) {
    let (words, rest) = raw.as_chunks::<8>();
    let (mut at, mut seen) = (0, 0_u64);
    for word in words {
        let word = u64::from_le_bytes(*word);
        let feeds = feeds(word);
        if feeds != 0 {
            let before = feeds.trailing_zeros() - 7;
            seen |= word & !(u64::MAX << before);
            return (at + before as usize / 8, seen & HIGH == 0);
        }
        seen |= word;
        at += 8;
    }
    for byte in rest {
        if *byte == b'\n' {
            break;
        }
        seen |= u64::from(*byte);
        at += 1;
    }
    (at, seen & HIGH == 0)
}

/// Makes a line of ASCII: the object and its bytes in one piece.
unsafe fn plain(text: &[u8], places: [i64; 2]) -> Py {
    // SAFETY: it is as long as is written here, and complete before anybody sees it.
    unsafe {
        let line = python::PyObject_Malloc(BYTES_AT + text.len() + 1).cast::<Line>();
        if line.is_null() {
            return python::PyErr_NoMemory();
        }
        let (bytes, len) = (bytes_of(line), text.len().cast_signed());
        copy(text.as_ptr(), bytes, text.len());
        *bytes.add(text.len()) = 0;
        let head = python::Object { references: 1, kind: python::take(line_type()) };
        let text = Text { head, len, hash: -1, state: DERIVED, utf8_len: len, utf8: bytes, data: bytes };
        (&raw mut (*line).text).write(text);
        (&raw mut (*line).places).write(places);
        (&raw mut (*line).known).write(KNOWN);
        line.cast()
    }
}

/// Makes a line of whatever bytes.
unsafe fn decoded(text: &[u8], places: [i64; 2]) -> Py {
    // SAFETY: the type makes lines of texts, and nothing else.
    unsafe {
        let (bytes, len) = (text.as_ptr().cast::<c_char>(), text.len().cast_signed());
        let text = python::PyUnicode_DecodeUTF8(bytes, len, c"surrogateescape".as_ptr());
        if text.is_null() {
            return text;
        }
        let line = python::PyObject_Vectorcall(line_type(), &raw const text, 1, null_mut());
        give_back(text);
        if !line.is_null() {
            (*line.cast::<Line>()).places = places;
            (*line.cast::<Line>()).known = KNOWN;
        }
        line
    }
}

/// `spans(records)`: the offsets and the lengths of lines in ascending order. `None` where they are not, or are no lines.
pub(crate) unsafe extern "C" fn spans(_: Py, records: Py) -> Py {
    // SAFETY: called by the interpreter.
    unsafe {
        let records = python::list(records);
        if records.is_null() {
            return null_mut();
        }
        let records = python::items(records);
        if !are_ascending(records) {
            return none();
        }
        let of = |record: &Py, which: usize| (*record.cast::<Line>()).places[which];
        let offsets = python::bytes(8 * records.len(), |to| {
            for (at, record) in records.iter().enumerate() {
                to.add(8 * at).cast::<i64>().write_unaligned(of(record, 0));
            }
        });
        let lengths = python::bytes(4 * records.len(), |to| {
            for (at, record) in records.iter().enumerate() {
                to.add(4 * at).cast::<u32>().write_unaligned(of(record, 1) as u32);
            }
        });
        python::tuple([offsets, lengths])
    }
}

unsafe fn are_ascending(records: &[Py]) -> bool {
    let mut last = 0;
    records.iter().all(|record| {
        // SAFETY: what stands in a list is an object, and one of that type is a line.
        unsafe {
            let line = record.cast::<Line>();
            if (**record).kind != line_type() || (*line).known != KNOWN {
                return false;
            }
            let [offset, length] = (*line).places;
            let fits = last <= offset && (0..=i64::from(u32::MAX)).contains(&length);
            last = offset;
            fits
        }
    })
}
