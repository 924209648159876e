"""What parsers find of the standard library: imported here, while the component is built.

A parser has no file system to import from, so a module that is not in memory by then does not exist. Left out is what
has no sense without one, without a network or without processes, and what the interpreter lacks here (bz2, lzma, ctypes,
ssl).
"""

import encodings
from importlib import import_module
from pkgutil import iter_modules

MODULES = """
__future__ abc argparse array ast base64 binascii bisect builtins calendar cmath codecs collections collections.abc
colorsys configparser contextlib contextvars copy copyreg csv dataclasses datetime decimal difflib email email.header
email.message email.mime.multipart email.mime.text email.parser email.policy email.utils enum errno fnmatch fractions
functools gc graphlib gzip hashlib heapq hmac html html.entities html.parser importlib importlib.resources inspect io
ipaddress itertools json json.decoder json.encoder keyword linecache locale logging math mimetypes numbers operator
optparse os os.path pathlib pickle pkgutil platform plistlib posixpath pprint pyexpat queue quopri random re reprlib
sched secrets shlex signal statistics string stringprep struct sys tarfile tempfile textwrap threading time timeit
token tokenize tomllib traceback types typing unicodedata urllib.parse uuid warnings weakref xml.dom.minidom
xml.dom.pulldom xml.etree.ElementTree xml.parsers.expat xml.sax xml.sax.handler xml.sax.saxutils xml.sax.xmlreader
zipfile zlib zoneinfo
""".split()

# Only Windows has the first two; the third needs bz2.
CODECS_ABSENT = {"mbcs", "oem", "bz2_codec"}


def import_all() -> None:
    """Imports all of it. What is missing breaks the build, not a parser."""
    for name in MODULES:
        import_module(name)
    for codec in iter_modules(encodings.__path__):
        if codec.name not in CODECS_ABSENT:
            import_module(f"encodings.{codec.name}")
