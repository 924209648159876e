"""The first half of the build: compiles the SDK, and what parsers find of the standard library.

It runs in an interpreter of its own, whose memory is thrown away. What one has compiled it does not forget: thousands of names,
which every guest would begin with a copy of.
"""

import encodings
import marshal
import sys
from importlib.machinery import PathFinder
from importlib.util import resolve_name
from modulefinder import ModuleFinder
from pathlib import Path
from pkgutil import iter_modules
from types import CodeType

import library

NEVER = """
_aix_support _ios_support _osx_support _pydatetime _pydecimal _pyio _pyrepl asyncio bdb bz2 cProfile cmd concurrent ctypes curses
doctest ensurepip ftplib getpass idlelib lzma multiprocessing netrc pdb profile pstats pty py_compile pydoc pydoc_data readline
rlcompleter sqlite3 ssl subprocess test tkinter tracemalloc turtle unittest venv webbrowser
""".split()
"""What modules of the library import only where they test themselves, lack their compiled part or look for a machine."""

# Only Windows has the first two; the third needs bz2.
CODECS_ABSENT = {"mbcs", "oem", "bz2_codec"}


def compile_all(names):
    """Compiles modules, and those that they or modules in memory may import, now or in a function. Returns their code, one behind
    the other, and where each is in it. A module among these that is missing breaks the build, not a parser."""
    due, seen = [(name, True) for name in names] + [(name, False) for name in sys.modules], set(NEVER)
    places, code = {}, bytearray()
    while due:
        name, is_named = due.pop()
        root = name.partition(".")[0]
        if name in seen or root in NEVER or not (is_named or root in sys.stdlib_module_names):
            continue
        seen.add(name)
        spec = sys.modules[name].__spec__ if name in sys.modules else found(name)
        if spec is None and is_named and name not in sys.builtin_module_names:
            raise ImportError(f"there is no module `{name}` to compile")
        made = spec.loader.get_code(spec.name) if hasattr(getattr(spec, "loader", None), "get_code") else None
        if made is not None:  # what is written in C has none
            is_package, parent = spec.submodule_search_locations is not None, name.rpartition(".")[0]
            raw = marshal.dumps(made)
            places[name] = is_package, len(code), len(raw)
            code += raw
            due += [(other, False) for other in [parent, *imports_of(made, name if is_package else parent)]]
    return code, places


def found(name):
    """Returns where a module is, without importing the packages that it is in; `None` where it is not on the disk."""
    path = None
    for end in [at for at, char in enumerate(name) if char == "."]:
        package = PathFinder.find_spec(name[:end], path)
        if package is None or package.submodule_search_locations is None:
            return None
        path = package.submodule_search_locations
    return PathFinder.find_spec(name, path)


def imports_of(code, package):
    """Returns what code and the functions in it may import: names of modules, and some that are of other things."""
    names = [name for it in code.co_consts if isinstance(it, CodeType) for name in imports_of(it, package)]
    for what, found_there in ModuleFinder().scan_opcodes(code):
        if what == "absolute_import":
            some, module = found_there
        elif what == "relative_import":
            level, some, module = found_there
            module = resolve_name("." * level + module, package)
        else:
            continue
        names += [module, *(f"{module}.{name}" for name in some or () if name != "*")]
    return names


class Format:
    """What a component has to have. Nobody calls this one."""


CODECS = [f"encodings.{it.name}" for it in iter_modules(encodings.__path__) if it.name not in CODECS_ABSENT]
SDK = [f"casparian.{it.name}" for it in iter_modules(found("casparian").submodule_search_locations)]
CODE, PLACES = compile_all(library.READY + library.KEPT + CODECS + SDK + ["casparian", "closed", "warm"])
Path(library.folder(), "code").write_bytes(CODE)
Path(library.folder(), "places").write_bytes(marshal.dumps(PLACES))
