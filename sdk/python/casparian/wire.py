"""The wire: Arrow IPC messages (metadata V5, little endian), written by hand.

Two messages are all there is: the schema of a table, and a batch of its rows. The header of a batch has the same shape
every time, only its numbers differ; so it is laid out once, when the table is opened, and each batch fills in the numbers.
Buffers start at multiples of 8 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from struct import Struct, pack, pack_into
from typing import Union

from casparian import speed
from casparian.kinds import UNITS, Field, Kind

V5 = 4
HEADER_SCHEMA = 1
HEADER_BATCH = 3

_PADDING = [bytes(size) for size in range(8)]

Slot = Union[tuple[str, int], None]
"""A field of a flatbuffer table: how it is packed and its value; `None` where it is absent."""

LATER: Slot = ("I", 0)
"""An offset that is filled in when its target is written."""

_WIDTHS = {"b": 1, "B": 1, "h": 2, "i": 4, "I": 4, "q": 8}
_TAGS = {
    "int": 2, "uint": 2, "float": 3, "binary": 4, "utf8": 5, "bool": 6, "decimal": 7, "date": 8, "time": 9,
    "timestamp": 10, "list": 12, "struct": 13, "fixed": 15, "duration": 18, "large_binary": 19, "large_utf8": 20,
    "large_list": 21,
}  # fmt: skip


class Flat:
    """A flatbuffer that is written front to back: offsets are filled in when their target is written."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def pad(self, align: int, ahead: int) -> None:
        """Pads so that `ahead` bytes further on is a multiple of `align`."""
        self.bytes += bytes(-(len(self.bytes) + ahead) % align)

    def table(self, *slots: Slot) -> tuple[list[int], int]:
        """Writes a table behind its vtable. Returns where its fields are, and its own place."""
        vtable, form, places = _laid_out(tuple([slot and slot[0] for slot in slots]))
        self.pad(8, len(vtable))
        self.bytes += vtable
        table = len(self.bytes)
        self.bytes += form.pack(len(vtable), *[slot[1] for slot in slots if slot is not None])
        return [table + place for place in places], table

    def point(self, place: int, target: int) -> None:
        """Fills in the offset at `place` so that it points to `target`."""
        pack_into("<I", self.bytes, place, target - place)

    def string(self, place: int, text: str) -> None:
        """Writes a string that the offset at `place` points to."""
        self.pad(4, 0)
        self.point(place, len(self.bytes))
        raw = text.encode()
        self.bytes += pack("<I", len(raw)) + raw + b"\0"

    def vector(self, place: int, count: int, width: int) -> int:
        """Writes a vector of zeroed elements that the offset at `place` points to. Returns where they start."""
        self.pad(8, 4)
        self.point(place, len(self.bytes))
        self.bytes += pack("<I", count)
        start = len(self.bytes)
        self.bytes += bytes(count * width)
        return start

    def message(self, header: int) -> tuple[int, int]:
        """Starts a message. Returns where the offset to its header and its body length are."""
        self.bytes += bytes(4)
        (_, _, place, body), table = self.table(("h", V5), ("B", header), LATER, ("q", 0))
        self.point(0, table)
        return place, body

    def encapsulate(self) -> bytearray:
        """Puts the marker and the length before it, and pads to a multiple of 8."""
        self.pad(8, 0)
        return bytearray(b"\xff\xff\xff\xff" + pack("<I", len(self.bytes)) + self.bytes)


@cache
def _laid_out(packed: tuple[str | None, ...]) -> tuple[bytes, Struct, list[int]]:
    """Returns the vtable of tables with such fields, how they are packed behind it, and where each of them is."""
    size, places, form = 4, [], "<i"
    for one in packed:
        if one is None:
            places.append(0)
            continue
        padding = -size % _WIDTHS[one]
        places.append(size + padding)
        size += padding + _WIDTHS[one]
        form += f"{padding}x{one}"
    return pack(f"<{2 + len(packed)}H", 4 + 2 * len(packed), size, *places), Struct(form), places


def schema_message(fields: Sequence[Field]) -> bytes:
    """Returns the schema message of a table, its reserved columns among the fields."""
    flat = Flat()
    head, start = _schema_head(len(fields))
    flat.bytes += head
    _write_fields(flat, start, fields)
    return bytes(flat.encapsulate())


@cache
def _schema_head(fields: int) -> tuple[bytes, int]:
    """Returns what comes before the fields, and where what points to them stands."""
    flat = Flat()
    header, _ = flat.message(HEADER_SCHEMA)
    (_, place), table = flat.table(("h", 0), LATER)
    flat.point(header, table)
    start = flat.vector(place, fields, 4)
    return bytes(flat.bytes), start


def _write_fields(flat: Flat, start: int, fields: Sequence[Field]) -> None:
    """Writes fields that the vector at `start` points to."""
    if not fields:
        return
    flat.pad(8, 0)
    at, tables, written = len(flat.bytes), [], []
    for place, field in zip(range(start, start + 4 * len(fields), 4), fields):
        raw, table = _field(field)
        tables.append(at + table - place)
        written.append(raw)
        at += len(raw)
    pack_into(f"<{len(tables)}I", flat.bytes, start, *tables)
    flat.bytes += b"".join(written)


@cache
def _field(field: Field) -> tuple[bytes, int]:
    """Returns a field, and where its table stands in it. Whatever begins at a multiple of 8 may stand anywhere."""
    has_pairs = bool(field.doc or field.meant)
    head, table, more = _unnamed(field.kind, field.nullable, has_pairs)
    name = field.name.encode()
    raw = b"%b%b%b\0" % (head, pack("<I", len(name)), name)
    if has_pairs:
        flat = Flat()
        flat.bytes += raw
        _write_pairs(flat, more, _pairs(field))
        raw = bytes(flat.bytes)
    return raw + _PADDING[-len(raw) % 8], table


@cache
def _unnamed(kind: Kind, nullable: bool, has_pairs: bool) -> tuple[bytes, int, int]:
    """Returns all of a field up to its name; its pairs may come after that. The numbers say where the field's table stands, and
    what points to the pairs."""
    flat = Flat()
    tag: Slot = ("B", _TAGS[kind.name])
    places, table = flat.table(LATER, ("B", int(nullable)), tag, LATER, None, LATER, LATER if has_pairs else None)
    _write_kind(flat, places[3], kind)
    _write_fields(flat, flat.vector(places[5], len(kind.fields), 4), kind.fields)
    flat.pad(4, 0)
    flat.point(places[0], len(flat.bytes))
    return bytes(flat.bytes), table, places[6]


def _pairs(field: Field) -> dict[str, str]:
    doc = {"doc": field.doc} if field.doc else {}
    return doc | ({"casparian.type": field.meant.format} if field.meant else {})


def _write_pairs(flat: Flat, place: int, pairs: dict[str, str]) -> None:
    start = flat.vector(place, len(pairs), 4)
    for index, (key, value) in enumerate(pairs.items()):
        (key_at, value_at), table = flat.table(LATER, LATER)
        flat.point(start + 4 * index, table)
        flat.string(key_at, key)
        flat.string(value_at, value)


def _write_kind(flat: Flat, place: int, kind: Kind) -> None:
    slots = _kind_slots(kind)
    places, table = flat.table(*slots)
    flat.point(place, table)
    if kind.zone:
        flat.string(places[1], kind.zone)


def _kind_slots(kind: Kind) -> list[Slot]:
    unit: Slot = ("h", UNITS.index(kind.unit)) if kind.unit else None
    match kind.name:
        case "int" | "uint":
            return [("i", kind.width), ("B", int(kind.name == "int"))]
        case "float":
            return [("h", 1 if kind.width == 32 else 2)]
        case "fixed":
            return [("i", kind.width)]
        case "date":
            return [("h", 0 if kind.width == 32 else 1)]
        case "time":
            return [unit, ("i", kind.width)]
        case "timestamp":
            return [unit, LATER] if kind.zone else [unit]
        case "duration":
            return [unit]
        case "decimal":
            return [("i", kind.precision), ("i", kind.scale), ("i", kind.width)]
    return []


_WITH_OFFSETS = frozenset({"utf8", "large_utf8", "binary", "large_binary"})


def shape(kind: Kind) -> tuple[int, int]:
    """Returns how many nodes and buffers a column of this type has."""
    if not kind.fields:
        return 1, 3 if kind.name in _WITH_OFFSETS else 2
    inner = [shape(field.kind) for field in kind.fields]
    own = 1 if kind.name == "struct" else 2
    return 1 + sum(nodes for nodes, _ in inner), own + sum(buffers for _, buffers in inner)


class Body:
    """A batch that is being written: its nodes and buffers, in the order of the schema."""

    def __init__(self, layout: BatchLayout) -> None:
        self._layout = layout
        self._numbers: list[int] = []
        self._buffers: list[bytes] = []

    def node(self, rows: int, missing: int, validity: bytes | None) -> None:
        """Starts a column."""
        self.column(rows, missing, validity if validity is not None else b"")

    def buffer(self, raw: bytes) -> None:
        """Adds a buffer."""
        self._buffers.append(raw)

    def column(self, rows: int, missing: int, *buffers: bytes) -> None:
        """Adds a column, with buffers of its own; others may come after it."""
        self._numbers += (rows, missing)
        self._buffers += buffers

    def message(self, rows: int) -> bytes:
        """Returns the message."""
        return self._layout.message(rows, self._numbers, self._buffers)


class BatchLayout:
    """The header of a table's batches, laid out once."""

    def __init__(self, fields: Iterable[Field]) -> None:
        nodes, buffers = _shape_of(tuple([field.kind for field in fields]))
        head, self._places = _batch_head(nodes, buffers)
        self._head = bytearray(head)
        self._nodes_form = f"<{2 * nodes}q"

    def message(self, rows: int, numbers: list[int], buffers: list[bytes]) -> bytes:
        """Returns a batch of these nodes and buffers."""
        head, (body_at, rows_at, nodes_at, places_at) = self._head, self._places
        pack_into("<q", head, rows_at, rows)
        pack_into(self._nodes_form, head, nodes_at, *numbers)
        if speed.compiled is not None:
            made: bytes | None = speed.compiled.framed(bytes(head), body_at, places_at, buffers)
            if made is not None:
                return made
        sizes = [len(raw) for raw in buffers]
        starts = list(accumulate([size + 7 & -8 for size in sizes], initial=0))
        places = [number for place in zip(starts, sizes) for number in place]
        pack_into("<q", head, body_at, starts[-1])
        pack_into(f"<{len(places)}q", head, places_at, *places)
        parts = [part for raw, size in zip(buffers, sizes) for part in (raw, _PADDING[-size % 8])]
        return b"".join((head, *parts))


@cache
def _shape_of(kinds: tuple[Kind, ...]) -> tuple[int, int]:
    shapes = list(map(shape, kinds))
    return sum(nodes for nodes, _ in shapes), sum(buffers for _, buffers in shapes)


@cache
def _batch_head(nodes: int, buffers: int) -> tuple[bytes, tuple[int, int, int, int]]:
    """Returns a header without its numbers, and where those of body, rows, nodes and buffers are."""
    flat = Flat()
    header, body_place = flat.message(HEADER_BATCH)
    (rows_at, nodes_place, buffers_place), table = flat.table(("q", 0), LATER, LATER)
    flat.point(header, table)
    nodes_at = flat.vector(nodes_place, nodes, 16)
    buffers_at = flat.vector(buffers_place, buffers, 16)
    return bytes(flat.encapsulate()), (body_place + 8, rows_at + 8, nodes_at + 8, buffers_at + 8)
