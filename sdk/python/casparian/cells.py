"""Cells become columns on the wire: whole columns at a time, and never a value altered.

A cell that does not fit its column is null on the wire and its row is named, so that the record carries a fault and is
held with its raw bytes. Nothing is rounded, cut, padded or replaced to make it fit.

Columns are looked at by the set of the types in them. Where that is one type only, which is nearly always, everything runs
in loops of the interpreter itself (`join`, `pack`, `map`); the loops written here are for the rest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from itertools import accumulate, chain
from math import isnan
from operator import itemgetter
from struct import Struct, calcsize, pack
from struct import error as struct_error
from typing import Any

from casparian import speed
from casparian.kinds import UTF8, Kind
from casparian.wire import Body

NoneType = type(None)
Cells = Sequence[Any]
Unfit = list[int]
"""The rows whose cells do not fit, ascending."""


def write(kind: Kind, cells: Cells, body: Body) -> Unfit:
    """Writes a column of a type. Returns the rows whose cells do not fit; they are null."""
    return _WRITERS[kind.name](kind, cells, body)


def write_text(cells: Cells, body: Body) -> Unfit:
    """Writes a column as text: values of other types by the text that the host reads back as the value."""
    if speed.compiled is not None and (made := speed.compiled.texts(cells)) is not None:
        body.column(len(cells), *made)
        return []
    try:
        return _put_texts(UTF8, cells, body)
    except (TypeError, UnicodeEncodeError):  # not all of them are texts
        pass
    present = set(map(type, cells))
    if _are_texts(present):
        return _write_utf8(UTF8, cells, body)
    texts, unfit = _texts(cells, present)
    return _merged(unfit, _write_utf8(UTF8, texts, body))


def nothing_missing(rows: int, body: Body) -> None:
    """Starts a column without nulls."""
    body.node(rows, 0, None)


def packed(code: str, values: Iterable[Any]) -> bytes:
    """Returns numbers as they stand on the wire. Raises `OverflowError` where one does not fit."""
    numbers = values if isinstance(values, (list, tuple, range)) else list(values)
    try:
        return pack(f"<{len(numbers)}{code}", *numbers)
    except struct_error as why:
        raise OverflowError(str(why)) from None


def _merged(one: Unfit, other: Unfit) -> Unfit:
    return sorted({*one, *other}) if one and other else one or other


# Validity.


def _bits(flags: bytes) -> bytes:
    """Packs bytes of 0 and 1 into bits, the first one lowest."""
    digits = flags[::-1].translate(_DIGITS)
    return int(digits, 2).to_bytes((len(flags) + 7) // 8, "little")


_DIGITS = bytes([0x30, 0x31]) + bytes(254)


def _start(cells: Cells, body: Body) -> bool:
    """Starts the column of cells, `None` for null. Returns whether there are nulls."""
    missing = cells.count(None)
    if not missing:
        body.node(len(cells), 0, None)
        return False
    body.node(len(cells), missing, _bits(bytes([cell is not None for cell in cells])))
    return True


def _fitted(cells: Cells, fit: Callable[[Any], Any]) -> tuple[list[Any], Unfit]:
    """Fits every cell; a cell that does not fit is null, and its row is told."""
    fitted: list[Any] = []
    unfit: Unfit = []
    for row, cell in enumerate(cells):
        if cell is not None:
            try:
                cell = fit(cell)
            except (ValueError, TypeError, ArithmeticError):
                cell = None
            if cell is None:
                unfit.append(row)
        fitted.append(cell)
    return fitted, unfit


def _filled(cells: Cells, empty: Any) -> list[Any]:
    return [empty if cell is None else cell for cell in cells]


# Text.

_TEXTS = frozenset({str, NoneType})


def _are_texts(present: set[type]) -> bool:
    return present <= _TEXTS or all(issubclass(kind, (str, NoneType)) for kind in present)


def _texts(cells: Cells, present: set[type]) -> tuple[Cells, Unfit]:
    if len(present) == 1:
        try:
            return list(map(_as_text(present.pop()), cells)), []
        except (ValueError, ArithmeticError, _NoText):
            pass
    return _fitted(cells, lambda cell: _as_text(type(cell))(cell))


class _NoText(ValueError):
    """The value has no text that the host reads back."""


def _as_text(kind: type) -> Callable[[Any], str | None]:
    for known in kind.__mro__:
        if known in _AS_TEXT:
            return _AS_TEXT[known]
    return _no_text


def _no_text(_: Any) -> str:
    raise _NoText


def _float_text(value: float) -> str:
    return "NaN" if isnan(value) else float.__repr__(value)


def _decimal_text(value: Decimal) -> str:
    """Without an exponent, unless there would be thousands of zeros."""
    if not value.is_finite() or abs(value.adjusted()) > 1000:
        return "NaN" if value.is_nan() else str(value)
    return format(value, "f")


_AS_TEXT: dict[type, Callable[[Any], str | None]] = {
    str: str.__str__,
    bool: {True: "true", False: "false"}.__getitem__,
    int: int.__repr__,
    float: _float_text,
    Decimal: _decimal_text,
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    bytes: bytes.decode,
    bytearray: bytearray.decode,
    NoneType: lambda _: None,
}


def _write_utf8(kind: Kind, cells: Cells, body: Body) -> Unfit:
    """Writes text; a lone surrogate, which stands for a byte that is no text, fits no column of text."""
    if cells.count(None) == len(cells):
        return _put_nulls(kind, len(cells), body)
    try:
        return _put_texts(kind, _filled(cells, ""), body, cells)
    except (TypeError, UnicodeEncodeError):
        cells, unfit = _fitted(cells, _encodable)
    _put_texts(kind, _filled(cells, ""), body, cells)
    return unfit


def _put_texts(kind: Kind, full: Cells, body: Body, cells: Cells = ()) -> Unfit:
    """Writes texts, and which are null where `cells` say so. Raises `TypeError` or `UnicodeEncodeError` where one is no text."""
    joined = "".join(full)
    raw = joined.encode()
    if not cells:
        body.node(len(full), 0, None)
    else:
        _start(cells, body)
    cut = full if len(raw) == len(joined) else [cell.encode() for cell in full]
    body.buffer(_offsets(kind, cut, len(raw)))
    body.buffer(raw)
    return []


def _put_nulls(kind: Kind, rows: int, body: Body) -> Unfit:
    """Writes a column of text without a text in it."""
    body.node(rows, rows, bytes((rows + 7) // 8))
    body.buffer(bytes((rows + 1) * (8 if kind.name.startswith("large") else 4)))
    body.buffer(b"")
    return []


def write_no_codes(rows: int, body: Body) -> None:
    """Writes a column of lists of text without a list in it."""
    body.column(rows, rows, bytes((rows + 7) // 8), bytes((rows + 1) * 4))
    body.column(0, 0, b"", bytes(4), b"")


def _plain_text(cell: Any) -> str:
    if not isinstance(cell, str):
        raise TypeError
    return str.__str__(cell)


def _encodable(cell: Any) -> str:
    text = _plain_text(cell)
    text.encode()
    return text


_STEP_MAX = 64


@lru_cache(64)
def _steps(code: str, width: int, count: int) -> bytes:
    """Returns the offsets of cells of one width, as codes, dates and flags are: they are made once."""
    return packed(code, [width * row for row in range(count + 1)])


def _offsets(kind: Kind, full: Cells, total: int) -> bytes:
    """Returns where texts or bytes begin that are so long in all."""
    code, rows = "q" if kind.name.startswith("large") else "i", len(full)
    width = len(full[0]) if rows else 0
    # The lengths are not looked at where their sum says that they differ.
    if rows and width <= _STEP_MAX and width * rows == total and list(map(len, full)).count(width) == rows:
        return _steps(code, width, 1 << rows.bit_length())[: (rows + 1) * calcsize(code)]
    return packed(code, tuple(accumulate(map(len, full), initial=0)))


# Bytes.


def _write_binary(kind: Kind, cells: Cells, body: Body) -> Unfit:
    unfit: Unfit = []
    if not set(map(type, cells)) <= {bytes, NoneType}:
        cells, unfit = _fitted(cells, _as_bytes)
    full = _filled(cells, b"") if None in cells else cells
    _start(cells, body)
    joined = b"".join(full)
    body.buffer(_offsets(kind, full, len(joined)))
    body.buffer(joined)
    return unfit


def _as_bytes(cell: Any) -> bytes:
    if isinstance(cell, (bytes, bytearray, memoryview)):
        return bytes(cell)
    return _plain_text(cell).encode()


def _write_fixed(kind: Kind, cells: Cells, body: Body) -> Unfit:
    def fit(cell: Any) -> bytes | None:
        raw = _as_bytes(cell)
        return raw if len(raw) == kind.width else None

    cells, unfit = _fitted(cells, fit)
    _start(cells, body)
    body.buffer(b"".join(_filled(cells, bytes(kind.width))))
    return unfit


# Numbers.


def _write_bool(_: Kind, cells: Cells, body: Body) -> Unfit:
    unfit: Unfit = []
    if not set(map(type, cells)) <= {bool, NoneType}:
        cells, unfit = _fitted(cells, lambda cell: cell if isinstance(cell, bool) else None)
    full = _filled(cells, False) if _start(cells, body) else cells
    body.buffer(_bits(bytes(full)) if full else b"")
    return unfit


_INTS = {("int", 8): "b", ("int", 16): "h", ("int", 32): "i", ("int", 64): "q"}
_UINTS = {("uint", 8): "B", ("uint", 16): "H", ("uint", 32): "I", ("uint", 64): "Q"}
_CODES = {**_INTS, **_UINTS, ("float", 32): "f", ("float", 64): "d"}


def _write_int(kind: Kind, cells: Cells, body: Body) -> Unfit:
    code = _CODES[kind.name, kind.width]
    if set(map(type, cells)) == {int}:
        try:
            raw = packed(code, cells)
        except OverflowError:
            pass
        else:
            body.node(len(cells), 0, None)
            body.buffer(raw)
            return []
    low = -(1 << (kind.width - 1)) if kind.name == "int" else 0
    high = low + (1 << kind.width)
    return _write_counts(code, cells, body, lambda cell: cell if _is_int(cell) and low <= cell < high else None)


def _is_int(cell: Any) -> bool:
    return isinstance(cell, int) and not isinstance(cell, bool)


def _write_counts(code: str, cells: Cells, body: Body, fit: Callable[[Any], Any]) -> Unfit:
    cells, unfit = _fitted(cells, fit)
    full = _filled(cells, 0) if _start(cells, body) else cells
    body.buffer(packed(code, full))
    return unfit


_FLOAT32 = Struct("<f")


def _write_float(kind: Kind, cells: Cells, body: Body) -> Unfit:
    if kind.width == 64 and set(map(type, cells)) == {float}:
        body.node(len(cells), 0, None)
        body.buffer(packed("d", cells))
        return []
    return _write_counts(_CODES["float", kind.width], cells, body, _fit_float64 if kind.width == 64 else _fit_float32)


def _fit_float64(cell: Any) -> float | None:
    if isinstance(cell, float):
        return float(cell)
    return float(cell) if _is_int(cell) and float(cell) == cell else None


def _fit_float32(cell: Any) -> float | None:
    wide = _fit_float64(cell)
    if wide is None or isnan(wide):
        return wide
    (narrow,) = _FLOAT32.unpack(_FLOAT32.pack(wide))
    return wide if narrow == wide else None


_EXACT = Context(prec=200, Emax=100_000, Emin=-100_000, traps=[Inexact, InvalidOperation])


def _write_decimal(kind: Kind, cells: Cells, body: Body) -> Unfit:
    limit, size = 10**kind.precision, kind.width // 8

    def fit(cell: Any) -> bytes | None:
        units = _units(cell, kind.scale)
        return units.to_bytes(size, "little", signed=True) if units is not None and -limit < units < limit else None

    cells, unfit = _fitted(cells, fit)
    _start(cells, body)
    body.buffer(b"".join(_filled(cells, bytes(size))))
    return unfit


def _units(cell: Any, scale: int) -> int | None:
    """Returns a number in units of the last digit; `None` where digits (or the sign of a zero) would be lost."""
    if _is_int(cell):
        return int(cell) * int(10**scale)
    if not isinstance(cell, Decimal) or not cell.is_finite() or (not cell and cell.is_signed()):
        return None
    if not cell:
        return 0
    if not -200 < cell.adjusted() < 200:
        return None
    scaled = _EXACT.scaleb(cell, scale)
    units = int(scaled)
    return units if units == scaled else None


# Times.

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def _count(span: timedelta, unit: str) -> int | None:
    """Returns a duration in a unit; `None` where it is no whole number of them."""
    micros = (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
    count, rest = divmod(micros * _PER_SECOND[unit], 1_000_000)
    return None if rest else count


def _int64(count: int | None) -> int | None:
    return count if count is not None and -(1 << 63) <= count < 1 << 63 else None


def _write_date(kind: Kind, cells: Cells, body: Body) -> Unfit:
    days = 1 if kind.width == 32 else 86_400_000
    code = "i" if kind.width == 32 else "q"

    def fit(cell: Any) -> int | None:
        if isinstance(cell, datetime) or not isinstance(cell, date):
            return None
        return (cell.toordinal() - _EPOCH_DAY) * days

    return _write_counts(code, cells, body, fit)


def _write_time(kind: Kind, cells: Cells, body: Body) -> Unfit:
    day = 86_400 * _PER_SECOND[kind.unit]

    def fit(cell: Any) -> int | None:
        if _is_int(cell):
            return int(cell) if 0 <= cell < day else None
        if not isinstance(cell, time) or cell.tzinfo is not None:
            return None
        return _count(datetime.combine(_EPOCH, cell) - _EPOCH, kind.unit)

    return _write_counts("i" if kind.width == 32 else "q", cells, body, fit)


def _write_timestamp(kind: Kind, cells: Cells, body: Body) -> Unfit:
    epoch = _EPOCH_UTC if kind.zone else _EPOCH

    def fit(cell: Any) -> int | None:
        if _is_int(cell):
            return _int64(int(cell))
        # Subtraction refuses one that has a zone where the other has none.
        return _int64(_count(cell - epoch, kind.unit)) if isinstance(cell, datetime) else None

    return _write_counts("q", cells, body, fit)


def _write_duration(kind: Kind, cells: Cells, body: Body) -> Unfit:
    def fit(cell: Any) -> int | None:
        if _is_int(cell):
            return _int64(int(cell))
        return _int64(_count(cell, kind.unit)) if isinstance(cell, timedelta) else None

    return _write_counts("q", cells, body, fit)


# Lists and structs.


def _write_list(kind: Kind, cells: Cells, body: Body) -> Unfit:
    unfit: Unfit = []
    if not set(map(type, cells)) <= {list, NoneType}:
        cells, unfit = _fitted(cells, lambda cell: cell if isinstance(cell, (list, tuple)) else None)
    full = _filled(cells, ()) if _start(cells, body) else cells
    ends = list(accumulate(map(len, full), initial=0))
    body.buffer(packed("q" if kind.name == "large_list" else "i", ends))
    inner = write(kind.item, list(chain.from_iterable(full)), body)
    return _merged(unfit, sorted({bisect_right(ends, at) - 1 for at in inner}))


def _write_struct(kind: Kind, cells: Cells, body: Body) -> Unfit:
    names = [field.name for field in kind.fields]
    known = frozenset(names)
    cells, unfit = _fitted(cells, lambda cell: cell if isinstance(cell, dict) and known >= cell.keys() else None)
    full = _filled(cells, {}) if _start(cells, body) else cells
    for name, field in zip(names, kind.fields):
        unfit = _merged(unfit, write(field.kind, _picked(name, full), body))
    return unfit


def _picked(name: str, cells: Cells) -> list[Any]:
    try:
        return list(map(itemgetter(name), cells))
    except KeyError:
        return [cell.get(name) for cell in cells]


_WRITERS: dict[str, Callable[[Kind, Cells, Body], Unfit]] = {
    "utf8": _write_utf8,
    "large_utf8": _write_utf8,
    "binary": _write_binary,
    "large_binary": _write_binary,
    "fixed": _write_fixed,
    "bool": _write_bool,
    "int": _write_int,
    "uint": _write_int,
    "float": _write_float,
    "decimal": _write_decimal,
    "date": _write_date,
    "time": _write_time,
    "timestamp": _write_timestamp,
    "duration": _write_duration,
    "list": _write_list,
    "large_list": _write_list,
    "struct": _write_struct,
}
