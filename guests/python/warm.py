"""A small parser, run while the component is built.

What an interpreter does once (codecs and patterns looked up, code that adapts to what it sees) is then done for every guest.
"""

from casparian import engine, table

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
LINES = b"".join(b"SYM%d,%d.25,%d\n" % (n, n, n) for n in range(2_000))


class Nowhere:
    """An outside that takes everything and keeps nothing."""

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

    def log_enabled(self, level):
        return False

    def attachment(self, name):
        return None

    def _take(self, *_):
        pass

    emit = close = reject = skip = commit = log = _take


COLUMNS = 64
"""What adds a row to a table is compiled once for every number of columns up to this."""


def up() -> None:
    """Loads and runs the parser as often as it takes for code to settle."""
    for columns in range(1, COLUMNS + 1):
        table.append_code(columns)
    files = {"warming.py": SOURCE}
    code = engine.compiled(files)
    for _ in range(10):
        program = engine.Program.load(files, "warming", code=code)
        program.describe()
        port = Nowhere()
        ranges, context = program.plan(port, [], 1 << 30)
        for span in ranges:
            program.parse(port, span, context, [])
        program.close()
    engine._loaded = None
