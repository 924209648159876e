"""The shapes of the boundary: what `wit/world.wit` calls records, as plain data. Nothing here does anything."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Literal, NamedTuple, get_args

Level = Literal["trace", "debug", "info", "warn", "error"]
SkipKind = Literal["blank", "comment", "preamble", "header", "footer", "separator", "padding", "other"]
OptionKind = Literal["text", "integer", "number", "flag", "choice"]

SKIP_KINDS: tuple[SkipKind, ...] = get_args(SkipKind)


class Span(NamedTuple):
    """A half-open range of input bytes: [offset, offset + length)."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """Returns the offset behind the last byte."""
        return self.offset + self.length

    @property
    def span(self) -> Span:
        """Returns itself, so that a span stands wherever a record does."""
        return self

    def __str__(self) -> str:
        return f"{self.offset}..{self.end}"


def whole(span: tuple[int, int]) -> Span:
    """Returns a span as the host knows it. Raises `TypeError` or `ValueError` where it is not of two numbers from 0 on."""
    made = Span(*map(index, span))
    if min(made) < 0:
        raise ValueError(f"there are no bytes {made}")
    return made


class Fault(Exception):
    """What went wrong, one shape everywhere. `code` is a short machine word, `message` is for people."""

    def __init__(self, code: str, message: str, at: Span | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.at = at

    def __str__(self) -> str:
        return f"{self.message} (bytes {self.at})" if self.at else self.message


class Refused(Fault):
    """The host has refused: a name, a limit, an order of calls. A refusal is final, whatever the parser does next."""


class TableInfo(NamedTuple):
    """A table that the parser may open; `schema` is an Arrow IPC schema message where the columns are known."""

    name: str
    doc: str = ""
    schema: bytes | None = None
    default_on: bool = True


class FaultInfo(NamedTuple):
    """A fault that the parser can find in a record."""

    code: str
    doc: str = ""


class OptionInfo(NamedTuple):
    """An option of the parser."""

    name: str
    kind: OptionKind
    choices: Sequence[str] = ()
    default: str | None = None
    doc: str = ""


class Description(NamedTuple):
    """What a parser says it is."""

    name: str
    version: str
    doc: str = ""
    tables: Sequence[TableInfo] = ()
    faults: Sequence[FaultInfo] = ()
    options: Sequence[OptionInfo] = ()
    patterns: Sequence[str] = ()
    extra: Sequence[tuple[str, str]] = ()


class Layout(NamedTuple):
    """How one input is cut: ranges that touch and cover it, and what every range needs to know."""

    ranges: list[Span]
    context: bytes = b""

    @staticmethod
    def whole(length: int, context: bytes = b"") -> Layout:
        """Returns a layout of one range; of none where there is no input."""
        return Layout([Span(0, length)] if length else [], context)

    @staticmethod
    def cut_at(length: int, cuts: list[int], context: bytes = b"") -> Layout:
        """Returns the layout of an input that is cut at these offsets; those outside of it do not count."""
        places = [0, *sorted({cut for cut in cuts if 0 < cut < length}), length]
        pairs = zip(places, places[1:])
        return Layout([Span(begin, end - begin) for begin, end in pairs if begin < end], context)
