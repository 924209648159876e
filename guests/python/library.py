"""What parsers find of the standard library: a parser has no file system to import from, so all of it comes with the runtime.

What parsers of text are made of is imported while the component is built. The rest is kept as code outside of the interpreter's memory,
which every guest begins with a copy of, and made when a parser imports it. Left out is what has no sense without a file system, a
network or processes, and what the interpreter lacks here (bz2, lzma, ctypes, ssl).
"""

import marshal
import os
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec

READY = """
__future__ _strptime abc array base64 binascii bisect builtins calendar cmath codecs collections collections.abc contextlib copy csv
dataclasses datetime decimal encodings.ascii encodings.cp1252 encodings.iso8859_1 encodings.iso8859_15 encodings.latin_1
encodings.utf_16 encodings.utf_16_be encodings.utf_16_le encodings.utf_8_sig enum errno functools gc hashlib heapq importlib io
itertools json json.decoder json.encoder keyword linecache locale logging math numbers operator os os.path pathlib pyexpat random re
reprlib string struct sys textwrap threading time traceback types typing unicodedata urllib.parse uuid warnings weakref
xml.etree.ElementTree xml.parsers.expat zlib
""".split()
"""What parsers are made of: imported while the component is built. (`random` is what componentize-py imports last.)"""

# `sysconfig` asks for the last one by a name that it makes up.
KEPT = """
argparse ast colorsys configparser contextvars copyreg difflib email email.header email.message email.mime.multipart
email.mime.text email.parser email.policy email.utils fnmatch fractions graphlib gzip hmac html html.entities html.parser
importlib.resources inspect ipaddress mimetypes optparse pickle pkgutil platform plistlib posixpath pprint queue quopri
sched secrets shlex signal statistics stringprep tarfile tempfile timeit token tokenize tomllib xml.dom.minidom
xml.dom.pulldom xml.sax xml.sax.handler xml.sax.saxutils xml.sax.xmlreader zipfile zoneinfo _sysconfigdata__wasi_wasm32-wasi
""".split()
"""What is kept as code, with all that it imports when it is imported."""

BUFFERED = 4 << 10
"""Bytes of a file that are held: what the memory of the build grows by, every guest begins with."""


def folder():
    """Returns where the halves of the build write down what they have made: the folder `library` on their path."""
    return next(place for place in (os.path.join(it, "library") for it in sys.path) if os.path.isdir(place))


class Library:
    """The modules that were compiled: on the disk while the component is built, kept beside its memory from then on."""

    def __init__(self):
        self._places = {}
        self._read = None

    def find_spec(self, name, path=None, target=None):
        """Finds a module that was compiled."""
        if name not in self._places:
            return None
        is_package, path = self._places[name][0], f"/python/{name.replace('.', '/')}"
        spec = ModuleSpec(name, self, origin=path + ("/__init__.py" if is_package else ".py"), is_package=is_package)
        spec.has_location = True  # modules look at their `__file__`, and at the `__path__` of packages, whatever is there
        if is_package:
            spec.submodule_search_locations.append(path)
        return spec

    def create_module(self, spec):
        """Leaves that to the interpreter."""
        return None

    def exec_module(self, module):
        """Makes a module."""
        _, at, length = self._places[module.__name__]
        exec(marshal.loads(self._read(at, length)), module.__dict__)

    def fill(self):
        """Makes what is to be ready, from the disk."""
        with open(os.path.join(folder(), "places"), "rb", BUFFERED) as places:
            self._places = marshal.load(places)
        code = open(os.path.join(folder(), "code"), "rb", BUFFERED)  # closed when the last of it has been read
        self._read = lambda at, length: code.seek(at) >= 0 and code.read(length)
        sys.meta_path.insert(0, self)
        for name in READY:
            import_module(name)

    def keep(self, read):
        """Writes down what has not been imported, for the linker to keep. It is read so from now on."""
        places = {}
        with open(os.path.join(folder(), "kept"), "wb", BUFFERED) as kept:
            for name, (is_package, at, length) in self._places.items():
                if name not in sys.modules:
                    places[name] = is_package, kept.tell(), kept.write(self._read(at, length))
        self._places, self._read = places, read


LIBRARY = Library()
