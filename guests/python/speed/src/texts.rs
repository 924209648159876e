//! Columns of text: cells become validity, offsets and bytes.

use core::ptr::null_mut;

use crate::python::{self, Object, Py, give_back, none};

/// What texts begin with. Those of `str` itself have their bytes behind `state` where they are ASCII; those of classes
/// derived from it have them elsewhere.
#[repr(C)]
pub(crate) struct Text {
    pub(crate) head: Object,
    pub(crate) len: isize,
    pub(crate) hash: i32,
    pub(crate) state: u32,
    pub(crate) utf8_len: isize,
    pub(crate) utf8: *const u8,
    pub(crate) data: *const u8,
}

/// Bits of a text's state. Those above the lowest byte mean nothing.
const ASCII: u32 = 0x40;
const COMPACT: u32 = 0x20;
const ONE_BYTE: u32 = 0x04;
/// The state of an ASCII text of a derived class.
pub(crate) const DERIVED: u32 = ASCII | ONE_BYTE;

const HEAD: usize = core::mem::offset_of!(Text, utf8_len);

/// Looks at texts that it knows. Returns whether they lie in memory as is thought here.
pub(crate) unsafe fn learn(derived: Py) -> bool {
    // SAFETY: texts of at least two characters; nothing past their heads and bytes is read.
    unsafe {
        let plain = python::PyUnicode_FromStringAndSize(c"ab".as_ptr(), 2).cast::<Text>();
        let wide = python::PyUnicode_FromStringAndSize(c"\u{e9}b".as_ptr(), 3).cast::<Text>();
        let other =
            python::PyObject_Vectorcall(derived, &raw const plain as *const Py, 1, null_mut()).cast::<Text>();
        if plain.is_null() || wide.is_null() || other.is_null() {
            return false;
        }
        let states = [ASCII | COMPACT | ONE_BYTE, COMPACT | ONE_BYTE, DERIVED];
        let all = [plain, wide, other];
        let is_known = all.iter().zip(states).all(|(it, state)| (**it).state & 0xff == state)
            && all.iter().all(|it| (**it).len == 2 && (**it).head.references == 1)
            && *bytes_of(plain).cast::<[u8; 3]>() == *b"ab\0"
            && *bytes_of(other).cast::<[u8; 3]>() == *b"ab\0"
            && (*other).utf8 == (*other).data
            && (*other).utf8_len == 2;
        for it in all {
            give_back(it.cast());
        }
        is_known
    }
}

/// Returns where the bytes of an ASCII text are.
unsafe fn bytes_of(text: *const Text) -> *const u8 {
    // SAFETY: the caller has an ASCII text.
    unsafe { if (*text).state & COMPACT != 0 { text.cast::<u8>().add(HEAD) } else { (*text).data } }
}

/// Returns the bytes of a text, or null where it has none in UTF-8.
unsafe fn utf8(text: Py, len: &mut isize) -> *const u8 {
    // SAFETY: the caller has a text.
    unsafe {
        let own = text.cast::<Text>();
        if (*own).state & ASCII != 0 {
            *len = (*own).len;
            return bytes_of(own);
        }
        python::PyUnicode_AsUTF8AndSize(text, len).cast()
    }
}

unsafe fn is_text(cell: Py) -> bool {
    // SAFETY: the caller has an object.
    unsafe {
        let kind = (*cell).kind;
        kind == python::str_type() || python::PyType_IsSubtype(kind, python::str_type()) != 0
    }
}

/// `texts(cells)`: how many are missing, which (nothing where none is), where each begins, and all of their bytes. `None` where
/// one is no text, has no UTF-8, or they are more than offsets can say.
pub(crate) unsafe extern "C" fn texts(_: Py, cells: Py) -> Py {
    // SAFETY: called by the interpreter.
    unsafe {
        let cells = python::list(cells);
        if cells.is_null() {
            return null_mut();
        }
        let cells = python::items(cells);
        let Some((missing, total)) = measured(cells) else {
            python::PyErr_Clear();
            return none();
        };
        let mut starts: *mut u8 = null_mut();
        let offsets = python::bytes((cells.len() + 1) * 4, |place| starts = place);
        let raw = if offsets.is_null() {
            null_mut()
        } else {
            python::bytes(total, |place| put(cells, starts, place))
        };
        let count = python::PyLong_FromLongLong(missing as i64);
        python::tuple([
            count,
            if missing == 0 { python::bytes(0, |_| ()) } else { validity(cells) },
            offsets,
            raw,
        ])
    }
}

/// About how many bytes an offset and a bit of validity take, and a cell without any of its own.
const PLACE: i64 = 5;
const NO_TEXT: i64 = 12;
/// How many bytes a character may have that is not ASCII, in nearly all texts.
const WIDE: i64 = 3;

/// `sizes(cells)`: about how many bytes they take. `None` where one is neither text nor missing.
pub(crate) unsafe extern "C" fn sizes(_: Py, cells: Py) -> Py {
    // SAFETY: called by the interpreter.
    unsafe {
        let cells = python::list(cells);
        if cells.is_null() {
            return null_mut();
        }
        let mut total = 0;
        for &cell in python::items(cells) {
            total += match cell {
                cell if cell == none() => NO_TEXT,
                cell if is_text(cell) => {
                    let text = cell.cast::<Text>();
                    let width = if (*text).state & ASCII != 0 { 1 } else { WIDE };
                    PLACE + width * (*text).len as i64
                }
                _ => return none(),
            };
        }
        python::PyLong_FromLongLong(total)
    }
}

/// Returns how many cells are missing, and how many bytes the others have.
unsafe fn measured(cells: &[Py]) -> Option<(usize, usize)> {
    let (mut missing, mut total) = (0, 0_i64);
    for &cell in cells {
        let mut len = 0;
        // SAFETY: the cells of a list are objects.
        unsafe {
            if cell == none() {
                missing += 1;
            } else if !is_text(cell) || utf8(cell, &mut len).is_null() {
                return None;
            }
        }
        total += len as i64;
    }
    (total <= i64::from(i32::MAX)).then_some((missing, total as usize))
}

/// Writes offsets and bytes of cells that were measured.
unsafe fn put(cells: &[Py], starts: *mut u8, mut place: *mut u8) {
    let (mut at, starts) = (0_i32, starts.cast::<i32>());
    // SAFETY: there is room for what was measured: nothing of it has changed since.
    unsafe {
        for (row, &cell) in cells.iter().enumerate() {
            starts.add(row).write_unaligned(at);
            let mut len = 0;
            if cell != none() {
                let from = utf8(cell, &mut len);
                copy(from, place, len.cast_unsigned());
            }
            place = place.offset(len);
            at += len as i32;
        }
        starts.add(cells.len()).write_unaligned(at);
    }
}

unsafe fn validity(cells: &[Py]) -> Py {
    // SAFETY: eight cells for every byte, fewer for the last one.
    unsafe {
        python::bytes(cells.len().div_ceil(8), |place| {
            for (at, some) in cells.chunks(8).enumerate() {
                let bit = |(bit, cell): (usize, &Py)| u8::from(*cell != none()) << bit;
                *place.add(at) = some.iter().enumerate().map(bit).fold(0, |byte, bit| byte | bit);
            }
        })
    }
}

/// Copies a few bytes. An instruction that copies any number costs more than such words do.
pub(crate) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    let word = |at: usize| {
        // SAFETY: `at` and the seven behind it are in both.
        unsafe { to.add(at).cast::<u64>().write_unaligned(from.add(at).cast::<u64>().read_unaligned()) }
    };
    // SAFETY: nothing at or past `len` is touched.
    unsafe {
        if len >= 64 {
            core::ptr::copy_nonoverlapping(from, to, len);
        } else if len >= 8 {
            let mut at = 0;
            while at + 8 < len {
                word(at);
                at += 8;
            }
            word(len - 8);
        } else if len >= 4 {
            let half = |at: usize| {
                to.add(at).cast::<u32>().write_unaligned(from.add(at).cast::<u32>().read_unaligned())
            };
            half(0);
            half(len - 4);
        } else {
            for at in 0..len {
                to.add(at).write(from.add(at).read());
            }
        }
    }
}
