//! The message of a batch: its header, and its buffers behind that.

use core::ptr::null_mut;

use crate::python::{self, Py, none};

/// Buffers begin at multiples of this.
const ALIGN: usize = 8;
/// A place takes so much: where a buffer begins, and how long it is.
const PLACE_BYTES: usize = 16;

/// `framed(head, body_at, places_at, buffers)`: the header, with the length of the body and the places of the buffers written
/// into it where they stand, and the buffers. `None` where one of them is not made of bytes or does not fit.
pub(crate) unsafe extern "C" fn framed(_: Py, arguments: *const Py, count: isize) -> Py {
    // SAFETY: called by the interpreter, with `count` arguments.
    unsafe {
        if count != 4 {
            return none();
        }
        // Numbers first: what is none is asked to be one, and whatever it does then may change the list.
        let at = |which: usize| usize::try_from(python::PyLong_AsLongLong(*arguments.add(which)));
        let (Ok(body_at), Ok(places_at)) = (at(1), at(2)) else {
            python::PyErr_Clear();
            return none();
        };
        let buffers = python::list(*arguments.add(3));
        if buffers.is_null() {
            return null_mut();
        }
        let buffers = python::items(buffers);
        let (Some(head), Some(body)) = (python::raw(*arguments), body_bytes(buffers)) else { return none() };
        let fits = |from: usize, len: usize| from.checked_add(len).is_some_and(|end| end <= head.len());
        if !fits(body_at, 8) || !fits(places_at, PLACE_BYTES.saturating_mul(buffers.len())) {
            return none();
        }
        python::bytes(head.len() + body, |to| {
            to.copy_from_nonoverlapping(head.as_ptr(), head.len());
            to.add(body_at).cast::<i64>().write_unaligned(body as i64);
            put(buffers, to.add(places_at).cast(), to.add(head.len()));
        })
    }
}

/// Returns how many bytes buffers take with what is between them, where all of them are bytes and not too many.
unsafe fn body_bytes(buffers: &[Py]) -> Option<usize> {
    buffers.iter().try_fold(0_usize, |total, buffer| {
        // SAFETY: what stands in a list is an object.
        let len = unsafe { python::raw(*buffer) }?.len();
        total
            .checked_add(len.checked_next_multiple_of(ALIGN)?)
            .filter(|total| *total <= isize::MAX as usize / 2)
    })
}

/// Puts buffers one behind the other, and their places beside that.
unsafe fn put(buffers: &[Py], places: *mut [i64; 2], body: *mut u8) {
    let mut begin = 0;
    for (at, buffer) in buffers.iter().enumerate() {
        // SAFETY: there is room for the places of all, and for all of their bytes with what is between them.
        unsafe {
            let raw = python::raw(*buffer).unwrap_or_default();
            places.add(at).write_unaligned([begin as i64, raw.len() as i64]);
            body.add(begin).copy_from_nonoverlapping(raw.as_ptr(), raw.len());
            let end = begin + raw.len();
            begin = end.next_multiple_of(ALIGN);
            body.add(end).write_bytes(0, begin - end);
        }
    }
}
