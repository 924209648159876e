"""Says everything twice, with what is compiled and without, and ends with an error where that makes a difference.

Each line of the input is a seed: what is said follows from it.
"""

import copy
import gc
import pickle
import random
import sys
from datetime import date
from decimal import Decimal

from casparian import Span, source as reading, speed
from casparian.output import Backlog, Output, Reject
from casparian.source import Line, Source
from casparian.table import Table

COMPILED = speed.compiled
FAULTS = ["bad_line", "bad_sum", "unfit_cell", "undeclared", "too_long", "bad_text"]


def parse(source, out):
    assert COMPILED is not None, "nothing is compiled"
    done = out.table("done", seed=str, said="uint64")
    lines_are_texts()
    references_are_given_back()
    a_number_may_change_the_buffers()
    for line in source.lines():
        said = same(line)
        done.append(line, line, said)


def same(seed):
    """Runs one script both ways. Returns how many things were said."""
    told = []
    for compiled in (None, COMPILED):
        speed.compiled = compiled
        told.append(list(Script(random.Random(str(seed))).told()))
    speed.compiled = COMPILED
    for plain, other in zip(*told):
        assert plain == other, f"{seed}: {plain!r:.300} without, {other!r:.300} with"
    assert len(told[0]) == len(told[1]), f"{seed}: {len(told[0])} things without, {len(told[1])} with"
    return len(told[0])


class Meddler:
    """A number that does something when it is asked for."""

    def __init__(self, buffers):
        self.buffers = buffers

    def __index__(self):
        self.buffers[:] = [b"x"] * 3
        return 0


def a_number_may_change_the_buffers():
    buffers = [b"long" * 4096, *[bytes(1 << 14)] * 50]
    made = COMPILED.framed(bytes(64), Meddler(buffers), 8, buffers)
    assert len(made) == 64 + 3 * 8 and made[64:] == b"x".ljust(8, b"\0") * 3, made[:99]


class Text(str):
    """A text of another class."""


PIECES = ["a", "b,c", "", "xyz" * 9, "\r", "\r\r", "é", "€uro", "\U0001f600", "\0", " "]
RAW = [b"\xff", b"\xe2\x82", b"\x80", b"\xc3", b"\xed\xa0\x80"]
NAMES = ["symbol", "px", "Order ID", "faults", "class", "record_", "cells_", "qty", "ﬁ", "record"]
TYPES = [str, int, "decimal(18,4)", "date32", float, bool]


class Script:
    """What a parser does by a seed, and an outside that keeps what it says."""

    def __init__(self, random):
        self.random = random
        self.heard = []
        self.bytes = b"".join(self.line() for _ in range(random.choice([0, 1, 3, 40, 200])))
        if random.random() < 0.5:
            self.bytes = self.bytes.removesuffix(b"\n")

    def line(self):
        random = self.random
        pieces = [random.choice(PIECES).encode() for _ in range(random.randrange(6))]
        if random.random() < 0.1:
            pieces.insert(0, random.choice(RAW))
        if random.random() < 0.02:
            pieces.append(b"long" * random.randrange(400))
        return b"".join(pieces) + random.choice([b"\n", b"\n", b"\r\n"])

    def told(self):
        """Yields what was said, one thing after the other."""
        self.chunk, self.cap = self.random.choice([1, 7, 64, 256 << 10]), self.random.choice([500, 16 << 20])
        before = reading.CHUNK, reading.CAP
        reading.CHUNK, reading.CAP = self.chunk, self.cap
        try:
            self.parse()
        except Exception as why:
            self.keep("raised", type(why).__name__, str(why))
        finally:
            reading.CHUNK, reading.CAP = before
        return self.heard

    def parse(self):
        random = self.random
        begin = random.choice([0, 0, random.randrange(len(self.bytes) + 1)])
        span = Span(begin, len(self.bytes) - begin - random.choice([0, random.randrange(len(self.bytes) - begin + 1)]))
        backlog = Backlog(self, span.offset, FAULTS)
        out = Output(backlog, [])
        source = Source(self, span, out=out, settle=backlog.settle)
        names = random.sample(NAMES, random.randrange(1, 6))
        columns = {name: random.choice(TYPES) for name in names}
        self.names, typed = names, random.random() < 0.2
        table = out.open(Table("rows", columns, typed=typed, spans=random.random() < 0.9))
        encoding = random.choice(["utf-8", "UTF8", "utf-8-sig", "latin-1", "ascii"])
        if random.random() < 0.2:
            for lines in source.line_blocks(encoding):
                self.keep("block", [(str(it), it.offset, it.length) for it in lines])
                table.extend(lines, {name: [self.cell(it) for it in lines] for name in names[:2]})
        else:
            for line in source.lines(encoding):
                self.keep("line", str(line), line.span, source.current.span, hash(line) == hash(str(line)))
                self.act(out, table, line)
        backlog.finish(span.end, source.is_within)

    def act(self, out, table, line):
        random = self.random
        match random.randrange(12):
            case 0:
                out.skip(line, "comment")
            case 1:
                out.reject(line, "bad_line", "no more")
            case 2:
                with out.record(line, "bad_line"):
                    self.add(table, line)
                    if random.random() < 0.5:
                        raise random.choice([Reject("bad_sum", "so"), ValueError("no"), KeyError(1)])
            case _:
                for _ in range(random.choice([1, 1, 1, 3])):
                    self.add(table, line)

    def add(self, table, line):
        random = self.random
        record = random.choices([line, line.span, tuple(line.span), Line(line), None], [60, 5, 2, 0.1, 0.1])[0]
        count = random.choice([len(self.names), len(self.names), random.randrange(len(self.names) + 2)])
        cells = [self.cell(line) for _ in range(count)]
        named = {}
        if random.random() < 0.3:
            cells = cells[: random.randrange(len(cells) + 1)]
            named = {name: self.cell(line) for name in random.sample(self.names, random.randrange(len(self.names) + 1))}
        if random.random() < 0.02:
            named["stranger"] = 1
        if random.random() < 0.05:
            named["faults"] = random.choice([["bad_sum"], "bad_line", [], None, ["nobody"]])
        try:
            table.append(*([record] if random.random() > 0.002 else []), *cells, **named)
        except Exception as why:
            self.keep("refused", type(why).__name__, str(why))

    def cell(self, line):
        random = self.random
        match random.randrange(40):
            case 0:
                return random.choice([7, -1, 1 << 80, True, 1.5, float("nan"), Decimal("1.50"), date(2026, 1, 2)])
            case 1:
                return random.choice([b"raw", b"\xff", ["a"], {}, object, "\udc80", Text("other"), Text("é")])
            case 2:
                return line
            case 3 | 4 | 5:
                return None
        return random.choice(PIECES) if random.random() < 0.1 else str(random.randrange(10 ** random.randrange(1, 70)))

    # The outside.

    def keep(self, *said):
        self.heard.append(said)

    def name(self):
        return "script"

    def len(self):
        return len(self.bytes)

    def read(self, offset, n):
        return self.bytes[offset : offset + n]

    def open(self, table, schema):
        self.keep("open", table, schema)
        return self

    def emit(self, batch):
        self.keep("emit", batch)

    def close(self):
        self.keep("close")

    def reject(self, records):
        self.keep("reject", records)

    def skip(self, *what):
        self.keep("skip", what)

    def commit(self, up_to):
        self.keep("commit", up_to)

    def wanted(self, table):
        return True

    def batch_bytes(self):
        return self.random.choice([1, 300, 1 << 18])

    def log_enabled(self, level):
        return True

    def log(self, level, message, span):
        self.keep("log", message, span)


def lines_are_texts():
    """Compares the type of lines with the one in Python."""
    assert Line is not Line.plain and Line.__name__ == Line.plain.__name__
    assert Line.__module__ == Line.plain.__module__ and Line.__doc__ == Line.plain.__doc__
    for text in ["", "a", "a,b", "é", "\U0001f600" * 3, "\udc80", "x" * 5_000]:
        for place in [(), (3, 5), (1 << 40, 0)]:
            plain, other = ([*looks(kind, text, place)] for kind in (Line.plain, Line))
            assert plain == other, f"{plain} in Python, {other}"
    # Made here rather than in Python.
    (made,) = COMPILED.lines("né,b\r\n".encode(), 4)
    (short,) = COMPILED.lines(b"a,b\r\n", 4)
    for line, text, length in [(made, "né,b", 7), (short, "a,b", 5)]:
        plain = Line.plain(text)
        plain.offset, plain.length = 4, length
        assert [*seen(line)] == [*seen(plain)], f"{[*seen(line)]}"


def references_are_given_back():
    """Nothing that was handed over is held longer, nor freed sooner."""
    cell, other, column = "".join(["a ", "cell"]), "".join(["é", "cell"]), "symbol"
    before = counted(cell, other, column)
    for _ in range(20):
        waiting, names = [], [column, None]
        append = COMPILED.appender([waiting, [1_000], None, names, lambda *cells, **named: None])
        for line in COMPILED.lines(b"a,b\r\n\xc3\xa9\n" * 50, 0):
            append(line, cell)
            append(line, symbol=other)
            append(line, cell, other, None, symbol=cell)
        COMPILED.spans(waiting[::3])
        COMPILED.texts(waiting[1::3])
        COMPILED.texts(waiting)
        COMPILED.texts([cell, 1])
    del append, waiting, names, line
    assert counted(cell, other, column) == before


def counted(*objects):
    gc.collect()
    return [sys.getrefcount(it) for it in (*objects, Line)]


def looks(kind, text, place):
    line = kind(text)
    for name, value in zip(("offset", "length"), place):
        setattr(line, name, value)
    yield from seen(line)
    derived = type("Derived", (kind,), {"more": 1})(text)
    derived.offset = derived.own = 9
    yield derived.offset, derived.own, str(derived), kind(b"raw", "ascii"), kind()


def seen(line):
    """Yields what a line answers."""
    yield str(line), repr(line), hash(line), len(line), line == str(line), line + "x", {str(line): 1}.get(line)
    yield line.split(","), line[1:], line.upper(), f"{line:>9}", "-".join([line, line]), line in {str(line)}
    yield line.encode(errors="surrogateescape"), line.isascii(), [type(it) is str for it in (line[:], str(line))]
    for made in (line, copy.copy(line), copy.deepcopy([line])[0], pickle.loads(pickle.dumps(str(line)))):
        for name in ("offset", "length", "span", "nothing"):
            try:
                yield name, getattr(made, name)
            except AttributeError:
                yield name, None
    try:
        line.stranger = 1
        yield "taken"
    except AttributeError:
        yield "refused"
