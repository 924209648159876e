"""A small parser, run while the component is built.

What an interpreter does once (codecs and patterns looked up, code that adapts to what it sees) is then done for every guest.
"""

import marshal
from weakref import finalize

from casparian import engine, table, wire

CODE = ".casparian/code"
"""The file that holds what a program was compiled to."""

SOURCE = b'''
"""Warms the interpreter."""
import csv, json
from casparian import Table, parser

@parser(name="warm", version="1", outputs=[Table("typed", symbol=str, px="decimal(18,4)", qty=int)])
def parse(source, out):
    typed = out.table("typed", symbol=str, px="decimal(18,4)", qty=int)
    texts = out.table("texts", symbol=str, px=str, at="timestamp[us]")
    for line in source.lines():
        symbol, px, qty = line.split(",")
        typed.append(line, symbol, px, qty)
        texts.append(line, symbol, px, "2026-01-02T03:04:05")
'''
LINES = b"".join(b"SYM%d,%d.25,%d\n" % (n, n, n) for n in range(100))


class Nowhere:
    """All of the outside at once: it takes everything and keeps nothing. The world stays open meanwhile."""

    def __init__(self):
        self.Table = self
        self._files = {"warming.py": SOURCE}
        self._files |= {CODE: marshal.dumps(engine.compiled(self._files))}

    def files(self):
        return list(self._files.items())

    def entry(self):
        return "warming"

    def name(self):
        return "warm.csv"

    def len(self):
        return len(LINES)

    def read(self, offset, n):
        return LINES[offset : offset + n]

    def open(self, table, schema):
        return self

    def wanted(self, table):
        return True

    def batch_bytes(self):
        return 1 << 16

    def enabled(self, level):
        return False

    def _take(self, *_):
        pass

    emit = close = reject = skip = commit = log = __exit__ = _take


COLUMNS = 64
"""What a table of text needs is laid out once for every number of columns up to this."""


def up(runtime) -> None:
    """Runs the parser as often as it takes for code to settle, in the place of one that the host hands over."""
    for columns in range(1, COLUMNS + 1):
        table.append_code(columns)
        for spans in (False, True):
            fields = table.Table("warm", dict.fromkeys(map(str, range(columns)), str), spans=spans)
            wire.BatchLayout(fields.wire_fields())
            fields.schema()
    finalize(Nowhere(), print).detach()  # the first one is remembered for the end of the program
    kept = {name: getattr(runtime, name) for name in ("closed", "log", "output", "program")}
    outside = Nowhere()
    _replace(runtime, dict.fromkeys(kept, outside))
    for _ in range(10):
        guest = runtime.Format()
        guest.describe()
        layout = guest.plan(outside, [], 1 << 30)
        for span in layout.ranges:
            guest.parse(outside, span, layout.context, [])
        guest.program.close()
        runtime.Format.program = None
    _replace(runtime, kept)
    engine._loaded = None


def _replace(runtime, others):
    for name, other in others.items():
        setattr(runtime, name, other)
