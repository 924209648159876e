"""The other end of the wire, for runs on a developer's machine: messages become values again, and what `wit/world.wit` forbids
is refused. The host does not use it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from struct import error, unpack_from
from typing import Any

from casparian.kinds import UNITS, Field, Kind
from casparian.shapes import Fault

PREFIX = 8
BATCH_BYTES_MAX = 16 << 20


def refused(code: str, message: str) -> Fault:
    """Returns the fault of a message that no host takes."""
    return Fault(code, message)


class _Table:
    """A table of a flatbuffer."""

    def __init__(self, raw: bytes, place: int) -> None:
        self.raw = raw
        self.place = place
        (back,) = unpack_from("<i", raw, place)
        self._vtable = place - back
        (self._size,) = unpack_from("<H", raw, self._vtable)

    def _field(self, index: int) -> int:
        at = 4 + 2 * index
        return unpack_from("<H", self.raw, self._vtable + at)[0] if at < self._size else 0

    def number(self, index: int, form: str, default: int = 0) -> int:
        """Returns a number."""
        at = self._field(index)
        return int(unpack_from("<" + form, self.raw, self.place + at)[0]) if at else default

    def target(self, index: int) -> int:
        """Returns where an offset points to; 0 where it is absent."""
        at = self._field(index)
        return self.place + at + int(unpack_from("<I", self.raw, self.place + at)[0]) if at else 0

    def table(self, index: int) -> _Table:
        """Returns a table."""
        place = self.target(index)
        if not place:
            raise refused("metadata-broken", f"field {index} of the metadata is missing")
        return _Table(self.raw, place)

    def text(self, index: int) -> str:
        """Returns a string."""
        place = self.target(index)
        if not place:
            return ""
        (length,) = unpack_from("<I", self.raw, place)
        return self.raw[place + 4 : place + 4 + length].decode()

    def tables(self, index: int) -> list[_Table]:
        """Returns a vector of tables."""
        place = self.target(index)
        if not place:
            return []
        (count,) = unpack_from("<I", self.raw, place)
        offsets = unpack_from(f"<{count}I", self.raw, place + 4)
        return [_Table(self.raw, place + 4 + 4 * at + offset) for at, offset in enumerate(offsets)]

    def pairs(self, index: int) -> list[tuple[int, int]]:
        """Returns a vector of structs of two 64-bit numbers."""
        place = self.target(index)
        if not place:
            return []
        (count,) = unpack_from("<I", self.raw, place)
        if count and (place + 4) % 8:
            raise refused("metadata-broken", f"a vector of 64-bit numbers begins at {place + 4}")
        numbers = unpack_from(f"<{2 * count}q", self.raw, place + 4)
        return list(zip(numbers[::2], numbers[1::2]))


def _message(message: bytes, header: int) -> tuple[_Table, bytes]:
    """Returns the header of an encapsulated message, and its body."""
    if len(message) < PREFIX or message[:4] != b"\xff\xff\xff\xff":
        raise refused("continuation-missing", "the message does not begin with the marker")
    (length,) = unpack_from("<i", message, 4)
    if length <= 0 or length % 8 or PREFIX + length > len(message):
        raise refused("metadata-length", f"the metadata have {length} bytes, the message {len(message)}")
    raw = message[PREFIX : PREFIX + length]
    (root,) = unpack_from("<I", raw, 0)
    table = _Table(raw, root)
    if table.number(0, "h") != 4 or table.number(1, "B") != header:
        raise refused("header-kind", "the message is of another kind or version")
    body = message[PREFIX + length :]
    if table.number(3, "q") != len(body):
        raise refused("body-length", f"the body has {len(body)} bytes, declared {table.number(3, 'q')}")
    return table.table(2), body


def schema(message: bytes) -> list[Field]:
    """Returns the columns of a schema message. Raises [`Fault`] where no host takes it."""
    try:
        table, _ = _message(message, 1)
        return [_field(field) for field in table.tables(1)]
    except (error, UnicodeDecodeError) as why:
        raise refused("metadata-broken", str(why)) from why


def _field(table: _Table) -> Field:
    children = tuple(_field(child) for child in table.tables(5))
    docs = {pair.text(0): pair.text(1) for pair in table.tables(6)}
    made = _kind(table.number(2, "B"), table.table(3), children)
    return Field(table.text(0), made, docs.get("doc", ""), bool(table.number(1, "B")))


def _kind(tag: int, table: _Table, children: tuple[Field, ...]) -> Kind:
    match tag:
        case 2:
            return Kind("int" if table.number(1, "B") else "uint", table.number(0, "i"))
        case 3:
            return Kind("float", {1: 32, 2: 64}[table.number(0, "h")])
        case 4 | 5 | 6 | 19 | 20:
            names = {4: "binary", 5: "utf8", 6: "bool", 19: "large_binary", 20: "large_utf8"}
            return Kind(names[tag])
        case 7:
            return Kind("decimal", table.number(2, "i", 128), table.number(1, "i"), table.number(0, "i"))
        case 8:
            return Kind("date", 64 if table.number(0, "h", 1) else 32)
        case 9:
            return Kind("time", table.number(1, "i", 32), unit=UNITS[table.number(0, "h", 1)])
        case 10:
            return Kind("timestamp", unit=UNITS[table.number(0, "h")], zone=table.text(1) or None)
        case 12 | 21:
            # The name of a list's item does not count.
            item = Field("item", children[0].kind)
            return Kind("list" if tag == 12 else "large_list", fields=(item,))
        case 13:
            return Kind("struct", fields=children)
        case 15:
            return Kind("fixed", table.number(0, "i"))
        case 18:
            return Kind("duration", unit=UNITS[table.number(0, "h", 1)])
    raise refused("type-not-allowed", f"type {tag} does not cross the wire")


class _Columns:
    """The nodes and buffers of a batch, taken one after the other."""

    def __init__(self, table: _Table, body: bytes) -> None:
        self._nodes = iter(table.pairs(1))
        self._buffers = iter(table.pairs(2))
        self._body = body
        self._end = 0

    def node(self, rows: int) -> tuple[int, list[bool]]:
        """Returns how many cells a column has, and which have a value."""
        length, missing = self._next(self._nodes)
        if length != rows:
            raise refused("child-length", f"a column has {length} cells, {rows} are implied")
        bits = self.buffer()
        if bits and len(bits) < (length + 7) // 8:
            raise refused("bitmap-short", f"a bitmap of {len(bits)} bytes for {length} cells")
        present = [not bits or bool(bits[row >> 3] >> (row & 7) & 1) for row in range(length)]
        if present.count(False) != missing:
            raise refused("null-count", f"{missing} nulls declared, {present.count(False)} there")
        return length, present

    def buffer(self) -> bytes:
        """Returns the next buffer."""
        begin, length = self._next(self._buffers)
        padding = begin - self._end
        if begin % 8 or length < 0 or not 0 <= padding <= 64 or begin + length > len(self._body):
            raise refused("buffer-place", f"a buffer of {length} bytes at {begin}: the one before ends at {self._end}")
        self._end = begin + length
        return self._body[begin : self._end]

    def numbers(self, form: str, count: int) -> Sequence[Any]:
        """Returns the next buffer as numbers."""
        return unpack_from(f"<{count}{form}", self.buffer(), 0)

    @staticmethod
    def _next(rest: Any) -> tuple[int, int]:
        found: tuple[int, int] | None = next(rest, None)
        if found is None:
            raise refused("buffers-few", "a batch has fewer nodes or buffers than its schema")
        return found

    def finish(self) -> None:
        """Checks that nothing is left."""
        if next(self._nodes, None) or next(self._buffers, None) or len(self._body) - self._end > 64:
            raise refused("buffers-many", "a batch has more nodes, buffers or bytes than its schema")


def batch(fields: Sequence[Field], message: bytes) -> tuple[int, list[list[Any]]]:
    """Returns the rows of a batch message and its columns. Raises [`Fault`] where no host takes it."""
    if len(message) > BATCH_BYTES_MAX:
        raise refused("batch-too-large", f"a batch has {len(message)} bytes: limit {BATCH_BYTES_MAX}")
    try:
        table, body = _message(message, 3)
        rows = table.number(0, "q")
        columns = _Columns(table, body)
        values = [_column(field.kind, columns, rows) for field in fields]
        columns.finish()
        return rows, values
    except (error, UnicodeDecodeError) as why:
        raise refused("batch-broken", str(why)) from why


_FORMS = {8: "b", 16: "h", 32: "i", 64: "q"}


def _column(kind: Kind, columns: _Columns, rows: int) -> list[Any]:
    _, present = columns.node(rows)
    return [value if is_there else None for value, is_there in zip(_values(kind, columns, rows), present)]


def _values(kind: Kind, columns: _Columns, rows: int) -> Sequence[Any]:
    match kind.name:
        case "bool":
            bits = columns.buffer()
            return [bool(bits[row >> 3] >> (row & 7) & 1) for row in range(rows)]
        case "int":
            return columns.numbers(_FORMS[kind.width], rows)
        case "uint":
            return columns.numbers(_FORMS[kind.width].upper(), rows)
        case "float":
            return columns.numbers("f" if kind.width == 32 else "d", rows)
        case "utf8" | "large_utf8" | "binary" | "large_binary":
            ends = _ends(kind, columns, rows)
            raw = columns.buffer()
            cells = [raw[begin:end] for begin, end in zip(ends, ends[1:])]
            return cells if kind.name.endswith("binary") else [cell.decode() for cell in cells]
        case "fixed":
            raw = columns.buffer()
            return [raw[row * kind.width : (row + 1) * kind.width] for row in range(rows)]
        case "list" | "large_list":
            ends = _ends(kind, columns, rows)
            items = _column(kind.item, columns, ends[-1])
            return [items[begin:end] for begin, end in zip(ends, ends[1:])]
        case "struct":
            parts = [_column(field.kind, columns, rows) for field in kind.fields]
            return [{f.name: part[row] for f, part in zip(kind.fields, parts)} for row in range(rows)]
        case "decimal":
            size, raw = kind.width // 8, columns.buffer()
            units = (int.from_bytes(raw[row * size : (row + 1) * size], "little", signed=True) for row in range(rows))
            return [_decimal(it, kind.scale) for it in units]
    form = "i" if kind.width == 32 else "q"
    return [_moment(kind, count) for count in columns.numbers(form, rows)]


def _decimal(units: int, scale: int) -> Decimal:
    return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -scale))


def _ends(kind: Kind, columns: _Columns, rows: int) -> Sequence[int]:
    ends = columns.numbers("q" if kind.name.startswith("large") else "i", rows + 1)
    if ends[0] < 0 or any(begin > end for begin, end in zip(ends, ends[1:])):
        raise refused("offsets-broken", "offsets descend")
    return ends


_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def _moment(kind: Kind, count: int) -> Any:
    """Returns a day, a time or a duration; its count where Python has no such value."""
    try:
        if kind.name == "date":
            return date(1970, 1, 1) + timedelta(days=count if kind.width == 32 else count // 86_400_000)
        micros, rest = divmod(count * 1_000_000, _PER_SECOND[kind.unit])
        if rest:
            return count
        span = timedelta(microseconds=micros)
        if kind.name == "duration":
            return span
        if kind.name == "time":
            return (datetime(1970, 1, 1) + span).time() if 0 <= count < 86_400 * _PER_SECOND[kind.unit] else count
        return datetime(1970, 1, 1, tzinfo=UTC if kind.zone else None) + span
    except OverflowError:
        return count
