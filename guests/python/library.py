"""What parsers find of the standard library. A parser has no file system to import from, so all of it is in memory.

What parsers of text are made of is imported while the component is built. The rest is kept as compressed code, and made when a
parser imports it: every guest begins with a copy of the interpreter's memory. Left out is what has no sense without a file
system, a network or processes, and what the interpreter lacks here (bz2, lzma, ctypes, ssl).
"""

import marshal
import os
import sys
import zlib
from importlib import import_module
from importlib.machinery import ModuleSpec

READY = """
__future__ _strptime abc array base64 binascii bisect builtins calendar cmath codecs collections collections.abc configparser contextlib
copy csv dataclasses datetime decimal email email.header email.message email.parser email.policy email.utils encodings.ascii
encodings.cp1252 encodings.iso8859_1 encodings.iso8859_15 encodings.latin_1 encodings.utf_16 encodings.utf_16_be encodings.utf_16_le
encodings.utf_8_sig enum errno functools gc hashlib heapq html html.parser importlib io itertools json json.decoder json.encoder
keyword linecache locale logging math numbers operator os os.path pyexpat re reprlib string struct sys textwrap threading time
tomllib traceback types typing unicodedata urllib.parse uuid warnings weakref xml.dom.minidom xml.etree.ElementTree
xml.parsers.expat zipfile zlib
""".split()
"""What parsers are made of: imported while the component is built."""

# `sysconfig` asks for the last one by a name that it makes up.
KEPT = """
argparse ast colorsys contextvars copyreg difflib email.mime.multipart email.mime.text fnmatch fractions graphlib gzip hmac
html.entities importlib.resources inspect ipaddress mimetypes optparse pathlib pickle pkgutil platform plistlib posixpath pprint
queue quopri random sched secrets shlex signal statistics stringprep tarfile tempfile timeit token tokenize xml.dom.pulldom
xml.sax xml.sax.handler xml.sax.saxutils xml.sax.xmlreader zoneinfo _sysconfigdata__wasi_wasm32-wasi
""".split()
"""What is kept as code, with all that it imports when it is imported."""

FOLDER = "modules"
"""Where the build hands over what was compiled, on its path."""
ENDINGS = {False: ".module", True: ".package"}
"""How the file of a module ends, and that of a package."""


def folder():
    """Returns the folder of compiled modules."""
    return next(place for place in (os.path.join(it, FOLDER) for it in sys.path) if os.path.isdir(place))


class Library:
    """The modules that were compiled: on the disk while the component is built, kept in memory from then on."""

    def __init__(self):
        self._kept = {}
        self._folder = None

    def find_spec(self, name, path=None, target=None):
        """Finds a module that was compiled."""
        for is_package, ending in ENDINGS.items():
            if name + ending in self._kept or self._folder and os.path.isfile(self._file(name + ending)):
                return ModuleSpec(name, self, loader_state=name + ending, is_package=is_package)
        return None

    def create_module(self, spec):
        """Leaves that to the interpreter."""
        return None

    def exec_module(self, module):
        """Makes a module."""
        code = self._read(module.__spec__.loader_state)
        exec(marshal.loads(zlib.decompress(code)), module.__dict__)

    def _file(self, name):
        return os.path.join(self._folder, name)

    def _read(self, name):
        if self._folder is None:
            return self._kept[name]
        with open(self._file(name), "rb") as file:
            return file.read()

    def fill(self):
        """Makes what is to be ready, from the disk."""
        self._folder = folder()
        sys.meta_path.insert(0, self)
        for name in READY:
            import_module(name)

    def keep(self):
        """Keeps what nobody has imported, and leaves the disk."""
        for name in os.listdir(self._folder):
            if name.rpartition(".")[0] not in sys.modules:
                self._kept[name] = self._read(name)
        self._folder = None


LIBRARY = Library()
