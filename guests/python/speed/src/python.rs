//! As much of CPython's interface in C as is needed here, declared by hand for a machine of 32 bits.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::ptr::{null, null_mut};

/// What every object begins with.
#[repr(C)]
pub(crate) struct Object {
    pub(crate) references: i32,
    pub(crate) kind: *mut Object,
}

pub(crate) type Py = *mut Object;

/// A list: what stands in it, and for how many there is room.
#[repr(C)]
pub(crate) struct List {
    head: Object,
    pub(crate) len: isize,
    pub(crate) items: *mut Py,
    pub(crate) room: isize,
}

/// References from which on an object is never freed.
const IMMORTAL: i32 = 1 << 30;

/// A function of the module: of one argument, or of any number.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) union Function {
    pub(crate) one: unsafe extern "C" fn(Py, Py) -> Py,
    pub(crate) many: unsafe extern "C" fn(Py, *const Py, isize) -> Py,
    pub(crate) named: unsafe extern "C" fn(Py, *const Py, isize, Py) -> Py,
    none: usize,
}

pub(crate) const ONE: c_int = 0x8;
pub(crate) const FASTCALL: c_int = 0x80;
pub(crate) const KEYWORDS: c_int = 0x2;

#[repr(C)]
pub(crate) struct Method {
    name: *const c_char,
    function: Function,
    flags: c_int,
    doc: *const c_char,
}

impl Method {
    pub(crate) const END: Method =
        Method { name: null(), function: Function { none: 0 }, flags: 0, doc: null() };

    pub(crate) const fn new(name: &CStr, function: Function, flags: c_int) -> Method {
        Method { name: name.as_ptr(), function, flags, doc: null() }
    }
}

#[repr(C)]
pub(crate) struct Definition {
    head: [usize; 5],
    name: *const c_char,
    doc: *const c_char,
    size: isize,
    methods: *mut Method,
    slots: *mut c_void,
    hooks: [usize; 3],
}

impl Definition {
    pub(crate) const fn new(name: &CStr, methods: *mut Method) -> Definition {
        Definition {
            head: [1, 0, 0, 0, 0],
            name: name.as_ptr(),
            doc: null(),
            size: -1,
            methods,
            slots: null_mut(),
            hooks: [0; 3],
        }
    }
}

#[repr(C)]
pub(crate) struct Property {
    name: *const c_char,
    get: Option<unsafe extern "C" fn(Py, *mut c_void) -> Py>,
    set: Option<unsafe extern "C" fn(Py, Py, *mut c_void) -> c_int>,
    doc: *const c_char,
    which: *mut c_void,
}

impl Property {
    pub(crate) const END: Property =
        Property { name: null(), get: None, set: None, doc: null(), which: null_mut() };

    pub(crate) const fn new(
        name: &CStr,
        get: unsafe extern "C" fn(Py, *mut c_void) -> Py,
        set: unsafe extern "C" fn(Py, Py, *mut c_void) -> c_int,
        which: usize,
    ) -> Property {
        let which = core::ptr::without_provenance_mut(which);
        Property { name: name.as_ptr(), get: Some(get), set: Some(set), doc: null(), which }
    }
}

#[repr(C)]
pub(crate) struct Slot {
    pub(crate) which: c_int,
    pub(crate) what: *mut c_void,
}

/// The numbers of slots of a type.
pub(crate) mod slot {
    use core::ffi::c_int;

    pub(crate) const BASE: c_int = 48;
    pub(crate) const DEALLOC: c_int = 52;
    pub(crate) const GETSET: c_int = 73;
}

#[repr(C)]
pub(crate) struct Spec {
    pub(crate) name: *const c_char,
    pub(crate) size: c_int,
    pub(crate) item_size: c_int,
    pub(crate) flags: c_uint,
    pub(crate) slots: *mut Slot,
}

/// A type that classes may be derived from.
pub(crate) const BASETYPE: c_uint = 1 << 10;

/// Something that the interpreter may write to. There is one thread.
#[repr(transparent)]
pub(crate) struct Table<T>(UnsafeCell<T>);

// SAFETY: there is one thread.
unsafe impl<T> Sync for Table<T> {}

impl<T> Table<T> {
    pub(crate) const fn new(value: T) -> Self {
        Table(UnsafeCell::new(value))
    }

    pub(crate) const fn get(&self) -> *mut T {
        self.0.get()
    }
}

unsafe extern "C" {
    static mut _Py_NoneStruct: Object;
    static mut PyUnicode_Type: Object;
    static mut PyList_Type: Object;
    static PyExc_AttributeError: Py;
    static PyExc_ImportError: Py;
    static PyExc_TypeError: Py;

    pub(crate) fn PyModule_Create2(module: *mut Definition, api: c_int) -> Py;
    pub(crate) fn PyModule_AddObjectRef(module: Py, name: *const c_char, value: Py) -> c_int;
    pub(crate) fn PyCFunction_NewEx(method: *mut Method, bound: Py, module: Py) -> Py;
    pub(crate) fn PyType_FromSpec(spec: *mut Spec) -> Py;
    pub(crate) fn PyType_GetSlot(kind: Py, slot: c_int) -> *mut c_void;
    pub(crate) fn PyType_IsSubtype(kind: Py, base: Py) -> c_int;
    pub(crate) fn PyErr_SetString(kind: Py, message: *const c_char);
    pub(crate) fn PyErr_Clear();
    pub(crate) fn PyErr_NoMemory() -> Py;
    pub(crate) fn PyErr_Occurred() -> Py;
    pub(crate) fn PyObject_Malloc(bytes: usize) -> *mut c_void;
    pub(crate) fn PyObject_CallNoArgs(function: Py) -> Py;
    pub(crate) fn PyObject_Vectorcall(function: Py, arguments: *const Py, count: usize, names: Py) -> Py;
    pub(crate) fn PyLong_AsLongLong(number: Py) -> i64;
    pub(crate) fn PyLong_FromLongLong(number: i64) -> Py;
    pub(crate) fn PyBytes_FromStringAndSize(bytes: *const c_char, len: isize) -> Py;
    pub(crate) fn PyBytes_AsStringAndSize(object: Py, bytes: *mut *mut c_char, len: *mut isize) -> c_int;
    pub(crate) fn PyUnicode_AsUTF8AndSize(text: Py, len: *mut isize) -> *const c_char;
    pub(crate) fn PyUnicode_FromStringAndSize(bytes: *const c_char, len: isize) -> Py;
    pub(crate) fn PyUnicode_DecodeUTF8(bytes: *const c_char, len: isize, errors: *const c_char) -> Py;
    pub(crate) fn PyList_New(len: isize) -> Py;
    pub(crate) fn PyList_Append(list: Py, item: Py) -> c_int;
    pub(crate) fn PyTuple_New(len: isize) -> Py;
    pub(crate) fn PyTuple_SetItem(tuple: Py, at: isize, item: Py) -> c_int;
    pub(crate) fn PyTuple_Size(tuple: Py) -> isize;
    pub(crate) fn PyTuple_GetItem(tuple: Py, at: isize) -> Py;
    fn PyBytes_AsString(object: Py) -> *mut c_char;
    fn _Py_Dealloc(object: Py);
}

/// Returns `None`. It is never freed, so nobody counts references to it.
pub(crate) fn none() -> Py {
    &raw mut _Py_NoneStruct
}

/// Returns the type `str`.
pub(crate) fn str_type() -> Py {
    &raw mut PyUnicode_Type
}

/// Takes a reference more.
pub(crate) unsafe fn take(object: Py) -> Py {
    // SAFETY: the caller has an object.
    unsafe {
        if (*object).references < IMMORTAL {
            (*object).references += 1;
        }
    }
    object
}

/// Gives a reference back.
pub(crate) unsafe fn give_back(object: Py) {
    // SAFETY: the caller has an object, and this reference to it.
    unsafe {
        if (*object).references < IMMORTAL {
            (*object).references -= 1;
            if (*object).references == 0 {
                _Py_Dealloc(object);
            }
        }
    }
}

/// Sees an object as a list; a `TypeError` and null where it is none.
pub(crate) unsafe fn list(object: Py) -> *mut List {
    // SAFETY: the caller has an object, and lists lie as declared.
    unsafe {
        if (*object).kind == &raw mut PyList_Type {
            return object.cast();
        }
        PyErr_SetString(PyExc_TypeError, c"a list is wanted".as_ptr());
    }
    null_mut()
}

/// Returns what stands in a list.
pub(crate) unsafe fn items<'l>(list: *const List) -> &'l [Py] {
    // SAFETY: the caller has a list, and nothing changes it meanwhile. An empty one may have no place for any.
    unsafe {
        if (*list).len == 0 {
            return &[];
        }
        core::slice::from_raw_parts((*list).items, (*list).len.cast_unsigned())
    }
}

/// Raises an `AttributeError`.
pub(crate) unsafe fn no_attribute(name: &CStr) {
    // SAFETY: the exception is there from the start.
    unsafe { PyErr_SetString(PyExc_AttributeError, name.as_ptr()) }
}

/// Returns the type `ImportError`.
pub(crate) fn import_error() -> Py {
    // SAFETY: it is there from the start.
    unsafe { PyExc_ImportError }
}

/// Returns what is in an object of bytes; nothing, and no exception is raised, where it is none.
pub(crate) unsafe fn raw<'b>(object: Py) -> Option<&'b [u8]> {
    let (mut raw, mut len) = (null_mut(), 0);
    // SAFETY: the caller has an object, and keeps it as long as what is in it.
    unsafe {
        if PyBytes_AsStringAndSize(object, &raw mut raw, &raw mut len) != 0 {
            PyErr_Clear();
            return None;
        }
        Some(core::slice::from_raw_parts(raw.cast::<u8>(), len.cast_unsigned()))
    }
}

/// Makes bytes, which `fill` writes. Null, with an exception, where there is no room for them.
pub(crate) unsafe fn bytes(len: usize, fill: impl FnOnce(*mut u8)) -> Py {
    // SAFETY: they are new, and nobody else has seen them yet.
    unsafe {
        let made = PyBytes_FromStringAndSize(null(), len.cast_signed());
        if !made.is_null() {
            fill(PyBytes_AsString(made).cast());
        }
        made
    }
}

/// Makes a tuple of new objects. Null, with an exception, where one of them could not be made.
pub(crate) unsafe fn tuple<const N: usize>(items: [Py; N]) -> Py {
    // SAFETY: the items are the caller's to give away.
    unsafe {
        let made =
            if items.iter().any(|item| item.is_null()) { null_mut() } else { PyTuple_New(N.cast_signed()) };
        for (at, item) in items.into_iter().enumerate().filter(|(_, item)| !item.is_null()) {
            if made.is_null() {
                give_back(item);
            } else {
                PyTuple_SetItem(made, at.cast_signed(), item);
            }
        }
        made
    }
}
