"""Modules without what no parser looks at: documentation strings, and columns of their bytecode.

Every guest begins with a copy of the interpreter's memory, and these were a tenth of it. The program that the host hands over
keeps all of its own.
"""

import gc
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from inspect import CO_HAS_DOCSTRING
from types import CodeType, FunctionType, ModuleType

NO_COLUMNS, NO_PLACE = 13, 15
"""Kinds of an entry in a table of places (CPython, `InternalDocs/code_objects.md`, "Format of the locations table")."""
ENTRY_UNITS_MAX = 8


class LeanLoader(SourceFileLoader):
    """Loads a module from its source, as `python -OO` would, and without columns."""

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        return lean(compile(self.get_data(path), path, "exec", dont_inherit=True, optimize=2))


def install():
    """Lets files be imported so from now on."""
    compiled = ExtensionFileLoader, EXTENSION_SUFFIXES
    sys.path_hooks.insert(0, FileFinder.path_hook(compiled, (LeanLoader, SOURCE_SUFFIXES)))
    sys.path_importer_cache.clear()


def in_memory():
    """Does the same to what is there already."""
    for it in gc.get_objects():
        if isinstance(it, FunctionType):
            it.__code__ = lean(it.__code__)
        if isinstance(it, FunctionType | ModuleType) or isinstance(it, type) and not it.__flags__ & IMMUTABLE:
            it.__doc__ = None


IMMUTABLE = 1 << 8
"""Of the flags of a class: nothing about it can be changed (`Include/object.h`)."""


def lean(code):
    """Returns the same code, which knows lines and no columns. A traceback marks nothing below a line of it."""
    table, before = bytearray(), code.co_firstlineno
    for start, end, line in code.co_lines():
        for at in range(start, end, 2 * ENTRY_UNITS_MAX):
            units = min(end - at, 2 * ENTRY_UNITS_MAX) // 2
            if line is None:
                table.append(0x80 | NO_PLACE << 3 | units - 1)
            else:
                table.append(0x80 | NO_COLUMNS << 3 | units - 1)
                table += varint(line - before)
                before = line
    consts = [lean(it) if isinstance(it, CodeType) else it for it in code.co_consts]
    if code.co_flags & CO_HAS_DOCSTRING:
        consts[0] = None
    flags = code.co_flags & ~CO_HAS_DOCSTRING
    return code.replace(co_linetable=bytes(table), co_consts=tuple(consts), co_flags=flags)


def varint(number):
    """Returns a number with its sign in the lowest bit, six bits to a byte, lowest first."""
    number = -number << 1 | 1 if number < 0 else number << 1
    some = bytearray()
    while number > 0x3F:
        some.append(0x40 | number & 0x3F)
        number >>= 6
    some.append(number)
    return bytes(some)
