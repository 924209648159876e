"""JSON Lines, read so that nothing is lost: numbers keep their digits, and a key that stands twice is an error. The same lines
are read at a desk and in the sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from casparian.shapes import Span
from casparian.source import Line

if TYPE_CHECKING:
    from casparian.source import Source

BAD_JSON = "bad_json"
DEPTH_MAX = 256
"""Arrays and objects inside of one another: the stack of the sandbox is smaller than that of a desk."""
EXPONENT_DIGITS_MAX = 8
"""Digits of an exponent: `Decimal` of 32 bits, as in the sandbox, reads fewer numbers than that of 64."""


class Document:
    """A value of JSON and where it is. `document["px"]` is a field of an object; `None` where there is none."""

    __slots__ = ("value", "text", "offset", "length")

    def __init__(self, value: Any, line: Line) -> None:
        self.value = value
        self.text: str = line
        self.offset = line.offset
        self.length = line.length

    @property
    def span(self) -> Span:
        """Returns where it is, line end included."""
        return Span(self.offset, self.length)

    def __getitem__(self, name: str) -> Any:
        return self.value.get(name) if isinstance(self.value, dict) else None

    def __repr__(self) -> str:
        return f"Document({self.value!r}, {self.span})"


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return made


def _int(digits: str) -> int | Decimal:
    return Decimal(digits) if digits == "-0" else int(digits)


def _float(digits: str) -> Decimal:
    exponent = digits.lower().partition("e")[2].lstrip("+-0")
    if len(exponent) > EXPONENT_DIGITS_MAX:
        raise ValueError(f"an exponent has {len(exponent)} digits: limit {EXPONENT_DIGITS_MAX}")
    return Decimal(digits)


_FAST = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_object)
# An integer has no negative zero, and a long exponent a bound: where either may be, numbers are looked at one by one.
_SLOW = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_refuse_constant, object_pairs_hook=_object)
_has_long_exponent = re.compile(rf"[eE][+-]?[0-9]{{{EXPONENT_DIGITS_MAX + 1}}}").search


def _decode(text: str) -> Any:
    if text.count("[") + text.count("{") > DEPTH_MAX:
        _check_depth(text)
    decoder = _SLOW if "-0" in text or _has_long_exponent(text) else _FAST
    return decoder.decode(text)


_TOKEN = re.compile(r'\\.|["\[\]{}]')
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def _check_depth(text: str) -> None:
    """Raises `ValueError` where arrays and objects are nested too deep. What is no JSON is left to who reads it."""
    depth, is_within_text = 0, False
    for token in _TOKEN.finditer(text):
        if token[0] == '"':
            is_within_text = not is_within_text
        elif not is_within_text:
            depth += _STEPS.get(token[0], 0)
            if depth > DEPTH_MAX:
                raise ValueError(f"arrays and objects are more than {DEPTH_MAX} deep")


def read(source: Source) -> Iterator[Document]:
    """Yields the values of the lines that begin in the range."""
    for line in source.lines():
        if not line or line.isspace():
            source.skip(line.span, "blank")
            continue
        try:
            value = _decode(_whole(line))
        except (ValueError, ArithmeticError, RecursionError) as why:
            source.reject(line.span, BAD_JSON, str(why) or type(why).__name__)
            continue
        document = Document(value, line)
        source.current = document
        yield document


def _whole(line: Line) -> str:
    if line.isascii():
        return line
    line.encode()  # a byte that is no text
    return line.removeprefix("\ufeff") if line.offset == 0 else line
