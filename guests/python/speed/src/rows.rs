//! Adding a row: the record and its cells, put behind those that wait.

use core::ptr::null_mut;

use crate::python::{self, FASTCALL, Function, KEYWORDS, List, Method, Py, Table, give_back, none, take};

/// What an `append` knows, as it stands in the list that it is bound to.
#[repr(C)]
struct Known {
    /// The rows that wait, one behind the other.
    waiting: *mut List,
    /// A list of one number: how many cells wait when they are looked at again.
    look: *mut List,
    /// What looks.
    looked: Py,
    /// The names of the columns.
    columns: *mut List,
    /// The `append` in Python, for every call that is not plain.
    other: Py,
}

const KNOWN: isize = 5;

static APPEND: Table<Method> =
    Table::new(Method::new(c"append", Function { named: append }, FASTCALL | KEYWORDS));

/// `appender([waiting, look, looked, columns, other])`: the function that adds a row.
pub(crate) unsafe extern "C" fn appender(_: Py, known: Py) -> Py {
    // SAFETY: called by the interpreter.
    unsafe {
        let list = python::list(known);
        if list.is_null() || (*list).len != KNOWN {
            return none();
        }
        let lists = (*list).items;
        for at in [0, 1, 3] {
            if python::list(*lists.add(at)).is_null() {
                return null_mut();
            }
        }
        python::PyCFunction_NewEx(APPEND.get(), known, null_mut())
    }
}

unsafe extern "C" fn append(bound: Py, arguments: *const Py, count: isize, names: Py) -> Py {
    // SAFETY: called by the interpreter, with what `appender` was given.
    unsafe {
        let known = (*bound.cast::<List>()).items.cast::<Known>();
        let columns = (*(*known).columns).len;
        let given = count - 1;
        if given < 0 || given > columns || !has_room((*known).waiting, columns + 1) {
            return other(known, arguments, count, names);
        }
        let waiting = (*known).waiting;
        let row = (*waiting).items.offset((*waiting).len);
        for at in 0..count {
            *row.offset(at) = *arguments.offset(at);
        }
        for at in count..=columns {
            *row.offset(at) = none();
        }
        if !names.is_null() && !put_named(known, row, given, arguments.offset(count), names) {
            return other(known, arguments, count, names);
        }
        for at in 0..=columns {
            take(*row.offset(at));
        }
        (*waiting).len += columns + 1;
        looked(known)
    }
}

/// Puts cells that were given by name into their places. Returns false where one is no column's, or was given already.
unsafe fn put_named(known: *const Known, row: *mut Py, given: isize, cells: *const Py, names: Py) -> bool {
    // SAFETY: there are as many cells as names, and as many places in the row as columns.
    unsafe {
        let columns = python::items((*known).columns);
        (0..python::PyTuple_Size(names)).all(|at| {
            let name = python::PyTuple_GetItem(names, at);
            // Names in calls are one object wherever they stand.
            match columns.iter().position(|column| *column == name) {
                Some(place) if place.cast_signed() >= given => {
                    *row.add(1 + place) = *cells.offset(at);
                    true
                }
                _ => false,
            }
        })
    }
}

/// Makes room for some more in a list.
unsafe fn has_room(list: *mut List, more: isize) -> bool {
    // SAFETY: what stands past the end of a list is nothing, and what is appended is never freed.
    unsafe {
        let len = (*list).len;
        let mut appended = 0;
        while (*list).room - len < more && appended == 0 {
            for _ in 0..more {
                appended |= python::PyList_Append(list.cast(), none());
            }
            (*list).len = len;
        }
        if appended != 0 {
            python::PyErr_Clear();
        }
        appended == 0
    }
}

/// Lets somebody look at what waits, where it is time to.
unsafe fn looked(known: *const Known) -> Py {
    // SAFETY: as `append`.
    unsafe {
        let due = python::PyLong_AsLongLong(*(*(*known).look).items);
        if ((*(*known).waiting).len as i64) < due {
            return none();
        }
        if due == -1 && !python::PyErr_Occurred().is_null() {
            return null_mut();
        }
        let done = python::PyObject_CallNoArgs((*known).looked);
        if !done.is_null() {
            give_back(done);
            return none();
        }
        done
    }
}

unsafe fn other(known: *const Known, arguments: *const Py, count: isize, names: Py) -> Py {
    // SAFETY: the arguments are handed on as they came.
    unsafe { python::PyObject_Vectorcall((*known).other, arguments, count.cast_unsigned(), names) }
}
