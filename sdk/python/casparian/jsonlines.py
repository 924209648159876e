"""JSON Lines, read so that nothing is lost: numbers keep their digits, and a key that stands twice is an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from casparian.shapes import Span
from casparian.source import Line

if TYPE_CHECKING:
    from casparian.source import Source

BAD_JSON = "bad_json"


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


_FAST = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_object)
# An integer has no negative zero: where there may be one, integers are looked at one by one.
_SLOW = json.JSONDecoder(
    parse_float=Decimal, parse_int=_int, parse_constant=_refuse_constant, object_pairs_hook=_object
)


def read(source: Source) -> Iterator[Document]:
    """Yields the values of the lines that begin in the range."""
    for line in source.lines():
        if not line or line.isspace():
            source.skip(line.span, "blank")
            continue
        try:
            value = (_SLOW if "-0" in line else _FAST).decode(_whole(line))
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
