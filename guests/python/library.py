"""What parsers find of the standard library. A parser has no file system to import from, so all of it is in memory.

What parsers are made of is imported while the component is built. The rest is kept as compressed code, and made when a parser
imports it: every guest begins with a copy of the interpreter's memory, a quarter of which were modules that hardly anybody asks
for. Left out is what has no sense without a file system, a network or processes, and what the interpreter lacks here (bz2, lzma,
ctypes, ssl).
"""

import encodings
import marshal
import sys
import zlib
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import resolve_name, spec_from_loader
from modulefinder import ModuleFinder
from pkgutil import iter_modules
from types import CodeType

READY = """
__future__ _strptime abc array base64 binascii bisect builtins calendar cmath codecs collections collections.abc configparser contextlib
copy csv dataclasses datetime decimal email email.header email.message email.parser email.policy email.utils
encodings.ascii encodings.cp1252 encodings.iso8859_1 encodings.iso8859_15 encodings.latin_1 encodings.utf_16
encodings.utf_16_be encodings.utf_16_le encodings.utf_8_sig enum errno
fractions functools gc gzip hashlib heapq html html.parser importlib io itertools json json.decoder json.encoder keyword
linecache locale logging math numbers operator os os.path pyexpat re reprlib string struct sys textwrap threading time tomllib
traceback types typing unicodedata urllib.parse uuid warnings weakref xml.dom.minidom xml.etree.ElementTree xml.parsers.expat
xml.sax zipfile zlib
""".split()
"""What parsers are made of: imported while the component is built."""

# `sysconfig` asks for the last one by a name that it makes up.
KEPT = """
argparse ast colorsys contextvars copyreg difflib email.mime.multipart email.mime.text fnmatch graphlib hmac html.entities
importlib.resources inspect ipaddress mimetypes optparse pathlib pickle pkgutil platform plistlib posixpath pprint queue quopri
random sched secrets shlex signal statistics stringprep tarfile tempfile timeit token tokenize xml.dom.pulldom xml.sax.handler
xml.sax.saxutils xml.sax.xmlreader zoneinfo _sysconfigdata__wasi_wasm32-wasi
""".split()
"""What is kept as code, with all that it imports when it is imported."""

NEVER = """
_aix_support _ios_support _osx_support _pydatetime _pydecimal _pyio _pyrepl asyncio bdb bz2 cProfile cmd concurrent ctypes curses
doctest ensurepip ftplib getpass idlelib lzma multiprocessing netrc pdb profile pstats pty py_compile pydoc pydoc_data readline
rlcompleter sqlite3 ssl subprocess test tkinter tracemalloc turtle unittest venv webbrowser
""".split()
"""What modules of the library import only where they test themselves, lack their compiled part or look for a machine."""

# Only Windows has the first two; the third needs bz2.
CODECS_ABSENT = {"mbcs", "oem", "bz2_codec"}


class Library(MetaPathFinder, Loader):
    """The modules that are kept as code."""

    def __init__(self):
        self._kept = {}

    def find_spec(self, name, path=None, target=None):
        """Finds a module that is kept."""
        if name not in self._kept:
            return None
        is_package, _ = self._kept[name]
        return spec_from_loader(name, self, is_package=is_package)

    def exec_module(self, module):
        """Makes a module."""
        _, code = self._kept[module.__name__]
        exec(marshal.loads(zlib.decompress(code)), module.__dict__)

    def keep(self, names):
        """Keeps modules, and those that they or modules in memory may import, now or in a function. One of these that is missing
        breaks the build, not a parser."""
        due, seen = [(name, True) for name in names] + [(name, False) for name in sys.modules], set(NEVER)
        while due:
            name, is_named = due.pop()
            root = name.partition(".")[0]
            if name in seen or root in NEVER or not (is_named or root in sys.stdlib_module_names):
                continue
            seen.add(name)
            spec = sys.modules[name].__spec__ if name in sys.modules else found(name)
            if spec is not None:
                due += [(other, False) for other in self._keep(name, spec)]
            elif is_named and name not in sys.builtin_module_names:
                raise ImportError(f"there is no module `{name}` to keep")

    def _keep(self, name, spec):
        """Keeps one module, unless it is in memory. Returns what it may import."""
        code = spec.loader.get_code(spec.name) if hasattr(spec.loader, "get_code") else None
        if code is None:
            import_module(name)  # compiled, and in memory anyway
            return []
        parent = name.rpartition(".")[0]
        is_package = spec.submodule_search_locations is not None
        if name not in sys.modules:
            self._kept[name] = is_package, zlib.compress(marshal.dumps(code), 9)
        return [parent, *imports_of(code, name if is_package else parent)]

    def forget_ready(self):
        """Forgets what has been imported meanwhile."""
        for name in self._kept.keys() & sys.modules.keys():
            del self._kept[name]


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


LIBRARY = Library()


def fill():
    """Compiles all of it, makes what is to be ready, and keeps the rest: the memory that compiling took is used again then."""
    codecs = [it.name for it in iter_modules(encodings.__path__) if it.name not in CODECS_ABSENT]
    LIBRARY.keep(READY + KEPT + [f"encodings.{name}" for name in codecs])
    sys.meta_path.insert(0, LIBRARY)
    for name in READY:
        import_module(name)
    LIBRARY.forget_ready()
