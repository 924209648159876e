"""Tables with delimiters: the rules are those of the `csv` module, the spans are ours."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from casparian.shapes import Span
from casparian.source import TOO_LONG, too_long

if TYPE_CHECKING:
    from casparian.source import Source

BAD_CSV = "bad_csv"
CELL_CHARS_MAX = 1 << 20


class CsvRow(list[str]):
    """The cells of a row, and where it is. `row["px"]` is the cell of a named column; `None` where the row is too short."""

    __slots__ = ("offset", "length", "names")
    offset: int
    length: int
    names: Sequence[str]

    @property
    def span(self) -> Span:
        """Returns where it is, line end included."""
        return Span(self.offset, self.length)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return list.__getitem__(self, key)
        at = self.names.index(key) if key in self.names else -1
        if at < 0:
            raise KeyError(f"no column `{key}`; there are {', '.join(self.names)}")
        return list.__getitem__(self, at) if at < len(self) else None

    @property
    def is_ragged(self) -> bool:
        """Returns whether it has not as many cells as there are names."""
        return len(self) != len(self.names)

    def named(self) -> dict[str, str]:
        """Returns the cells by name. Raises `ValueError` where the row is ragged."""
        return dict(zip(self.names, self, strict=True))


class _Feed:
    """Lines with their ends, for `csv.reader`, which takes exactly those that a row needs."""

    def __init__(self, source: Source, range: Span, encoding: str) -> None:
        self.end = range.offset
        self.has_gap = False
        """Whether a line was left out because it is longer than is held."""
        self._lines = self._read(source, range, encoding)

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _read(self, source: Source, range: Span, encoding: str) -> Iterator[str]:
        # Past the end of the range, for a row may begin in it and end behind.
        onwards = Span(range.offset, source.size - range.offset)
        for block in source.blocks(b"\n", onwards):
            self.end = block.offset
            if block.raw is None:
                self.end += block.length
                self.has_gap = True
                yield "\n"
                continue
            for part in _with_ends(block.raw):
                self.end += len(part)
                text = part.decode(encoding, "surrogateescape")
                # A byte order mark says how the file is written and is no part of its first cell.
                yield text.removeprefix("\ufeff") if self.end == len(part) else text


def _with_ends(raw: bytes) -> Iterator[bytes]:
    parts = raw.split(b"\n")
    last = parts.pop()
    for part in parts:
        yield part + b"\n"
    if last:
        yield last


def read(source: Source, header: bool | Sequence[str], encoding: str, dialect: dict[str, Any]) -> Iterator[CsvRow]:
    """Yields the rows that begin in the range."""
    csv.field_size_limit(CELL_CHARS_MAX)
    names: Sequence[str] = ()
    if header is True:
        names = _header(source, encoding, dialect)
    elif header:
        names = list(header)
    is_header_due = header is True and source.range.offset == 0
    for row in _rows(source, source.range, encoding, dialect):
        row.names = names
        if is_header_due:
            source.skip(row.span, "header")
            is_header_due = False
            continue
        source.current = row
        yield row


def _header(source: Source, encoding: str, dialect: dict[str, Any]) -> Sequence[str]:
    """Returns the cells of the first row of the input, whatever range is being parsed. Nothing is said about it."""
    from casparian.source import Source

    silent = Source(source._blob)
    first = next(_rows(silent, silent.range, encoding, dialect), None)
    return [] if first is None else [*first]


def _rows(source: Source, range: Span, encoding: str, dialect: dict[str, Any]) -> Iterator[CsvRow]:
    start = source.first_start(b"\n", range)
    feed = _Feed(source, Span(start, source.size - start), encoding)
    reader = csv.reader(feed, strict=True, **dialect)
    while start < range.end:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as why:
            source.reject(Span(start, feed.end - start), BAD_CSV, str(why))
            feed.has_gap = False
            start = feed.end
            continue
        if feed.has_gap:
            source.reject(Span(start, feed.end - start), TOO_LONG, too_long(feed.end - start))
            feed.has_gap = False
        else:
            row = CsvRow(cells)
            row.offset, row.length, row.names = start, feed.end - start, ()
            if cells:
                yield row
            else:
                source.skip(row.span, "blank")
        start = feed.end
