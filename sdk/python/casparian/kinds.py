"""The types of columns: every type that may cross the wire, and how an author names it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Union, get_args, get_origin

DEPTH_MAX = 4
UNITS = ("s", "ms", "us", "ns")


class Kind(NamedTuple):
    """A type: its name, and of what follows as much as the name needs."""

    name: str
    width: int = 0
    """Bits of a number or a time; bytes of a fixed-size binary."""
    scale: int = 0
    precision: int = 0
    unit: str = ""
    zone: str | None = None
    fields: tuple[Field, ...] = ()
    """The item of a list, the fields of a struct."""

    @property
    def item(self) -> Kind:
        """Returns the type of a list's items."""
        return self.fields[0].kind

    def __str__(self) -> str:
        match self.name:
            case "int" | "uint" | "float" | "date":
                return f"{self.name}{self.width}"
            case "time":
                return f"time{self.width}[{self.unit}]"
            case "decimal":
                name = "decimal" if self.width == 128 else "decimal256"
                return f"{name}({self.precision},{self.scale})"
            case "fixed":
                return f"binary({self.width})"
            case "timestamp":
                return f"timestamp[{self.unit}{', ' + self.zone if self.zone else ''}]"
            case "duration":
                return f"duration[{self.unit}]"
            case "list" | "large_list":
                return f"{self.name}<{self.item}>"
            case "struct":
                return f"struct<{', '.join(f'{it.name}: {it.kind}' for it in self.fields)}>"
        return self.name

    @property
    def format(self) -> str:
        """Returns the type as Arrow's C data interface writes it, for types that have a text."""
        unit = "smun"[UNITS.index(self.unit)] if self.unit else ""
        match self.name:
            case "bool":
                return "b"
            case "int" | "uint":
                letter = {8: "c", 16: "s", 32: "i", 64: "l"}[self.width]
                return letter if self.name == "int" else letter.upper()
            case "float":
                return "f" if self.width == 32 else "g"
            case "decimal":
                return f"d:{self.precision},{self.scale}"
            case "date":
                return "tdD"
            case "time":
                return f"tt{unit}"
            case "timestamp":
                return f"ts{unit}:{self.zone or ''}"
        raise ValueError(f"{self} has no text")

    @property
    def is_nested(self) -> bool:
        """Returns whether it holds other types."""
        return bool(self.fields)

    @property
    def has_text(self) -> bool:
        """Returns whether every value of it has a text that the host reads back as the value."""
        match self.name:
            case "decimal":
                return self.width == 128
            case "date":
                return self.width == 32
            case "timestamp":
                return self.zone in (None, "UTC")
        return self.name in ("bool", "int", "uint", "float", "time")


class Field(NamedTuple):
    """A column, or a field of a struct."""

    name: str
    kind: Kind
    doc: str = ""
    nullable: bool = True
    meant: Kind | None = None
    """What the texts of a column are meant to be: where no contract says more, the host reads them as that."""


UTF8 = Kind("utf8")

_NAMED = {
    "bool": Kind("bool"),
    "utf8": UTF8,
    "str": UTF8,
    "string": UTF8,
    "text": UTF8,
    "large_utf8": Kind("large_utf8"),
    "binary": Kind("binary"),
    "bytes": Kind("binary"),
    "large_binary": Kind("large_binary"),
    "int": Kind("int", 64),
    "float": Kind("float", 64),
    "double": Kind("float", 64),
    "date": Kind("date", 32),
    "date32": Kind("date", 32),
    "date64": Kind("date", 64),
    "time": Kind("time", 64, unit="us"),
    "timestamp": Kind("timestamp", unit="us"),
    "duration": Kind("duration", unit="us"),
    **{f"int{bits}": Kind("int", bits) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": Kind("uint", bits) for bits in (8, 16, 32, 64)},
    **{f"float{bits}": Kind("float", bits) for bits in (32, 64)},
}

_OF_PYTHON: dict[object, Kind] = {
    str: UTF8,
    int: Kind("int", 64),
    float: Kind("float", 64),
    bool: Kind("bool"),
    bytes: Kind("binary"),
    datetime.date: Kind("date", 32),
    datetime.time: Kind("time", 64, unit="us"),
    datetime.datetime: Kind("timestamp", unit="us"),
    datetime.timedelta: Kind("duration", unit="us"),
}

Wanted = Union[str, type, Kind, Mapping[str, Any], list[Any], Any]
"""How an author names a type: `int`, `"decimal(18,4)"`, `list[str]`, `{"side": str, "px": "decimal(18,4)"}`."""


def kind(wanted: Wanted) -> Kind:
    """Returns the type that an author names. Raises `ValueError` where there is none such."""
    if isinstance(wanted, type) and (known := _OF_PYTHON.get(wanted)):
        return known
    made = _kind(wanted, DEPTH_MAX)
    if made.fields and _depth(made) > DEPTH_MAX:
        raise ValueError(f"type {made} is {_depth(made)} deep: limit {DEPTH_MAX}")
    return made


def _kind(wanted: Wanted, levels: int) -> Kind:
    if levels == 0:
        raise ValueError(f"a type is deeper than {DEPTH_MAX}")
    if isinstance(wanted, type) and wanted in _OF_PYTHON:
        return _OF_PYTHON[wanted]
    if isinstance(wanted, Kind):
        return wanted
    if isinstance(wanted, str):
        return _of_text(wanted, levels)
    if isinstance(wanted, Mapping):
        return _struct([(name, _kind(it, levels - 1)) for name, it in wanted.items()])
    if isinstance(wanted, list) and len(wanted) == 1:
        return _list("list", _kind(wanted[0], levels - 1))
    if get_origin(wanted) is list:
        return _list("list", _kind(get_args(wanted)[0], levels - 1))
    raise ValueError(f"{wanted!r} names no type: {_HINT}")


_HINT = 'write `int`, `str`, `"decimal(18,4)"`, `"timestamp[us]"`, `list[str]` or `{"field": int}`'


def _of_text(text: str, levels: int) -> Kind:
    text = text.strip()
    if named := _NAMED.get(text):
        return named
    for shape, make in _SHAPES:
        if found := shape.fullmatch(text):
            return make(*found.groups())
    if text.endswith(">"):
        outer, _, inner = text[:-1].partition("<")
        if outer in ("list", "large_list"):
            return _list(outer, _of_inner(inner, levels))
        if outer == "struct":
            return _struct([_of_field(part, levels) for part in _parts(inner)])
    raise ValueError(f"{text!r} names no type: {_HINT}")


def _of_inner(text: str, levels: int) -> Kind:
    return _kind(text, levels - 1)


def _of_field(text: str, levels: int) -> tuple[str, Kind]:
    name, colon, inner = text.partition(":")
    if not colon:
        raise ValueError(f"{text!r} is no field: write `name: type`")
    return name.strip(), _of_inner(inner, levels)


def _parts(text: str) -> list[str]:
    """Cuts at the commas that stand outside of brackets."""
    parts, begin, depth = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "<([") - (char in ">)]")
        if char == "," and depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]


def _list(name: str, item: Kind) -> Kind:
    return Kind(name, fields=(Field("item", item),))


def _struct(fields: list[tuple[str, Kind]]) -> Kind:
    if not fields:
        raise ValueError("a struct has no field")
    return Kind("struct", fields=tuple(Field(name, kind) for name, kind in fields))


def _decimal(name: str, precision: str, scale: str) -> Kind:
    width = 256 if name == "decimal256" else 128
    digits, places, limit = int(precision), int(scale), 38 if width == 128 else 76
    if not 1 <= digits <= limit:
        raise ValueError(f"a {name} has 1 to {limit} digits, not {digits}")
    if not 0 <= places <= digits:
        raise ValueError(f"a decimal of {digits} digits has 0 to {digits} places, not {places}")
    return Kind("decimal", width, precision=digits, scale=places)


def _fixed(width: str) -> Kind:
    if not 1 <= int(width) <= 65_536:
        raise ValueError(f"a fixed-size binary has 1 to 65536 bytes, not {width}")
    return Kind("fixed", int(width))


def _timestamp(unit: str, zone: str | None) -> Kind:
    return Kind("timestamp", unit=unit, zone=zone)


def _time(width: str, unit: str) -> Kind:
    if unit not in (("s", "ms") if width == "32" else ("us", "ns")):
        raise ValueError(f"a time{width} counts {'s or ms' if width == '32' else 'us or ns'}, not {unit}")
    return Kind("time", int(width), unit=unit)


def _duration(unit: str) -> Kind:
    return Kind("duration", unit=unit)


_SHAPES: list[tuple[re.Pattern[str], Callable[..., Kind]]] = [
    (re.compile(r"(decimal|decimal128|decimal256)\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)"), _decimal),
    (re.compile(r"(?:binary|fixed)\(\s*(\d{1,6})\s*\)"), _fixed),
    (re.compile(r"timestamp\[\s*(s|ms|us|ns)\s*(?:,\s*([A-Za-z0-9+:/_-]{1,64})\s*)?\]"), _timestamp),
    (re.compile(r"time(32|64)\[\s*(s|ms|us|ns)\s*\]"), _time),
    (re.compile(r"duration\[\s*(s|ms|us|ns)\s*\]"), _duration),
]


def _depth(kind: Kind) -> int:
    return 1 + max((_depth(field.kind) for field in kind.fields), default=0)
