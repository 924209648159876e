"""The wire of protocol buffers, as much of it as TAK messages use."""

from __future__ import annotations

from struct import Struct

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIELDS_MAX = 1 << 16

Value = int | bytes
Field = tuple[int, int, Value]
"""Number, wire type, and what stands there: bytes of a text or message, else the number or the bits of it."""

_double = Struct("<d")


class Broken(ValueError):
    """Bytes that are no message. `is_short` says whether only their end is missing."""

    def __init__(self, message: str, is_short: bool = False) -> None:
        super().__init__(message)
        self.is_short = is_short


def varint(raw: bytes, at: int, end: int) -> tuple[int | None, int]:
    """Returns a number and the offset behind it; no number where it does not end before `end`, or has more than ten bytes."""
    value = shift = 0
    while at < end and shift < 70:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return None, at


def fields(raw: bytes) -> list[Field]:
    """Returns the fields of a message in their order. Raises [`Broken`]."""
    found: list[Field] = []
    at, end = 0, len(raw)
    while at < end:
        if len(found) >= FIELDS_MAX:
            raise Broken(f"more than {FIELDS_MAX} fields")
        tag, at = varint(raw, at, end)
        if tag is None:
            raise Broken("a field's number is cut off", is_short=True)
        number, wire = tag >> 3, tag & 7
        value, at = _value(raw, at, end, number, wire)
        found.append((number, wire, value))
    return found


def _value(raw: bytes, at: int, end: int, number: int, wire: int) -> tuple[Value, int]:
    if number == 0 or wire not in (VARINT, FIXED64, BYTES, FIXED32):
        raise Broken(f"field {number} of wire type {wire}")
    if wire == VARINT or wire == BYTES:
        value, at = varint(raw, at, end)
        if value is None:
            raise Broken(f"field {number} is cut off", is_short=True)
        if wire == VARINT:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        size = value
    else:
        size = 8 if wire == FIXED64 else 4
    if at + size > end:
        raise Broken(f"field {number} has {size} bytes, and {end - at} are left", is_short=True)
    return raw[at : at + size], at + size


def fields_end(raw: bytes, at: int) -> tuple[int, bool]:
    """Returns where a message ends that says no length, behind its last field that is whole and can be one; and whether the
    next field is cut off by the end of the bytes."""
    for _ in range(FIELDS_MAX):
        if at >= len(raw):
            break
        tag, behind = varint(raw, at, len(raw))
        if tag is None:
            return at, True
        try:
            _, behind = _value(raw, behind, len(raw), tag >> 3, tag & 7)
        except Broken as why:
            return at, why.is_short
        at = behind
    return at, False


def is_message(raw: bytes) -> bool:
    """Returns whether bytes are a message whose fields of bytes are messages too."""
    try:
        return all(wire == BYTES and fields(bytes(value)) for _, wire, value in fields(raw) if isinstance(value, bytes))
    except Broken:
        return False


def text(wire: int, value: Value) -> str:
    """Returns a field of text. Raises [`Broken`]."""
    try:
        return _bytes(wire, value).decode()
    except UnicodeDecodeError as why:
        raise Broken(f"a text is no UTF-8: {why.reason} at byte {why.start}") from why


def message(wire: int, value: Value) -> list[Field]:
    """Returns the fields of a field that is a message. Raises [`Broken`]."""
    return fields(_bytes(wire, value))


def _bytes(wire: int, value: Value) -> bytes:
    if wire != BYTES or not isinstance(value, bytes):
        raise Broken(f"wire type {wire} where a text or message stands")
    return value


def whole(wire: int, value: Value) -> int:
    """Returns a field that is a whole number. Raises [`Broken`]."""
    if wire != VARINT or not isinstance(value, int):
        raise Broken(f"wire type {wire} where a whole number stands")
    return value


def double(wire: int, value: Value) -> float:
    """Returns a field that is a number. Raises [`Broken`]."""
    if wire != FIXED64 or not isinstance(value, bytes):
        raise Broken(f"wire type {wire} where a number stands")
    return float(_double.unpack(value)[0])
