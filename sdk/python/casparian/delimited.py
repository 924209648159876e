"""Tables with delimiters: the rules are those of the `csv` module, the spans are ours."""

from __future__ import annotations

import csv
import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from casparian.shapes import Span
from casparian.source import BAD_TEXT, CAP, CHUNK, TOO_LONG, not_text, of_lines, too_long, with_ends

if TYPE_CHECKING:
    from casparian.source import Source

BAD_CSV = "bad_csv"
_QUOTING = {csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE}
CELL_CHARS_MAX = 4 * CAP
"""No bound of its own: a cell of a record that is held has no more characters, a byte that is no text being four of them."""


class CsvRow(list[str]):
    """The cells of a row, and where it is. `row["px"]` is the cell of a named column; `None` where the row is too short. Raises
    `KeyError` where no column has that name, or more than one."""

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
        if self.names.count(key) > 1:
            raise KeyError(f"column `{key}` is there {self.names.count(key)} times: take its cells by their places")
        return list.__getitem__(self, at) if at < len(self) else None

    @property
    def is_ragged(self) -> bool:
        """Returns whether it has not as many cells as there are names."""
        return len(self) != len(self.names)

    def named(self) -> dict[str, str]:
        """Returns the cells by name. Raises `ValueError` where the row is ragged, or two columns have one name."""
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"columns have names in common: {', '.join(self.names)}")
        return dict(zip(self.names, self, strict=True))


class _Refused(NamedTuple):
    """A record that is no row, and why."""

    span: Span
    code: str
    message: str


def read(
    source: Source, header: bool | Sequence[str], encoding: str, ragged: bool, dialect: dict[str, Any]
) -> Iterator[CsvRow]:
    """Yields the rows that begin in the range."""
    csv.field_size_limit(CELL_CHARS_MAX)
    if csv.reader((), **dialect).dialect.quoting not in _QUOTING:
        raise ValueError("with this `quoting` cells become numbers or nulls: here they are the texts that they are")
    first = _first(source, encoding, dialect) if header is True else None
    header_at = first.span.offset if first is not None else -1
    names: Sequence[str] = first if isinstance(first, CsvRow) else () if isinstance(header, bool) else list(header)
    for row in _records(source, source.range, encoding, dialect):
        if isinstance(row, _Refused):
            source.reject(*row)
        elif not row:
            source.skip(row.span, "blank")
        elif row.offset == header_at:
            source.skip(row.span, "header")
        elif isinstance(first, _Refused):
            source.reject(row.span, BAD_CSV, "the record that names the columns cannot be read")
        elif names and len(row) > len(names) and not ragged:
            # Nobody who asks by name would see what is past the last of them.
            source.reject(row.span, BAD_CSV, f"{len(row)} cells for {len(names)} names")
        else:
            row.names = names
            source.current = row
            yield row


def _first(source: Source, encoding: str, dialect: dict[str, Any]) -> CsvRow | _Refused | None:
    """Returns the first record of the input that is not blank, whatever range is being parsed. Nothing is said about it."""
    from casparian.source import Source

    silent = Source(source._blob)
    records = _records(silent, silent.range, encoding, dialect)
    return next((record for record in records if record), None)


def _records(source: Source, range: Span, encoding: str, dialect: dict[str, Any]) -> Iterator[CsvRow | _Refused]:
    start = source.first_start(b"\n", range)
    feed = _Feed(source, start, encoding)
    reader = csv.reader(feed, strict=True, **dialect)
    while start < range.end:
        feed.begin = start
        refused = None
        try:
            row = CsvRow(next(reader))
        except StopIteration:
            return
        except csv.Error as why:
            refused = _Refused(Span(start, feed.end - start), BAD_CSV, str(why))
        except _TooLong:
            end = _end(source, start, encoding, reader.dialect)
            refused = _Refused(Span(start, end - start), TOO_LONG, too_long(end - start))
            feed = _Feed(source, end, encoding)
            reader = csv.reader(feed, strict=True, **dialect)
        if feed.bad_text:
            refused = _Refused(Span(start, feed.end - start), BAD_TEXT, feed.bad_text)
            feed.bad_text = ""
        if refused is None:
            row.offset, row.length, row.names = start, feed.end - start, ()
        start = feed.end
        yield refused or row


class _TooLong(Exception):
    """A record is longer than is held."""


class _Feed:
    """Lines with their ends, for `csv.reader`, which takes exactly those that a row needs."""

    def __init__(self, source: Source, start: int, encoding: str) -> None:
        self.begin = self.end = start
        """Where the record that is being read begins, and where what was read of it ends."""
        self.bad_text = ""
        """What is said of bytes that are no text, if there are some that cannot be kept."""
        self._lines = self._read(source, start, of_lines(encoding))

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _read(self, source: Source, start: int, encoding: str) -> Iterator[str]:
        # Past the end of the range, for a row may begin in it and end behind.
        for block in source.blocks(b"\n", Span(start, source.size - start)):
            if block.raw is None:
                raise _TooLong
            for part in with_ends(block.raw):
                self.end += len(part)
                if self.end - self.begin > CAP:
                    raise _TooLong
                try:
                    text = part.decode(encoding, "surrogateescape")
                except UnicodeDecodeError as why:
                    self.bad_text = not_text(why)
                    text = part.decode(encoding, "backslashreplace")
                # A byte order mark says how the file is written and is no part of its first cell.
                yield text.removeprefix("\ufeff") if self.end == len(part) else text


def _end(source: Source, start: int, encoding: str, dialect: Any) -> int:
    """Returns where a record ends that begins at `start`, holding no more of it than a chunk."""
    decoder = getincrementaldecoder(of_lines(encoding))("replace")
    quoting, at = _Quoting(dialect), start
    while chunk := source.raw_at(at, CHUNK):
        for part in with_ends(chunk):
            at += len(part)
            text = decoder.decode(part)
            if quoting.ends(text.removeprefix("\ufeff") if at == len(part) else text):
                return at
    return at


class _Quoting:
    """Where `csv.reader` is between two pieces of a record: it holds every record whole, and has no way to let go of one."""

    def __init__(self, dialect: Any) -> None:
        self._quote = None if dialect.quoting == csv.QUOTE_NONE else dialect.quotechar
        self._doubles, self._skips_space = dialect.doublequote, dialect.skipinitialspace
        self._delimiter, self._escape = dialect.delimiter, dialect.escapechar
        self._plain = _one_of(self._delimiter, self._escape, "\r", "\n")
        self._quoted = _one_of(self._quote, self._escape)
        self._step: Callable[[str, int], int] = self._begun
        self._is_over = False

    def ends(self, text: str) -> bool:
        """Returns whether the record ends with this piece of it, which goes no further than the next line feed."""
        at = 0
        while at < len(text):
            at = self._step(text, at)
        return self._is_over

    def _begun(self, text: str, at: int) -> int:
        if text[at] == " " and self._skips_space:
            return at + 1
        is_quoted = bool(text[at] == self._quote)
        self._step = self._within_quotes if is_quoted else self._unquoted
        return at + is_quoted

    def _unquoted(self, text: str, at: int) -> int:
        found = self._plain.search(text, at)
        if found is None:
            return len(text)
        if found[0] == self._delimiter:
            self._step = self._begun
        elif found[0] == self._escape:
            self._step = self._escaped
        else:
            self._step = self._broken
            return found.start()
        return found.end()

    def _escaped(self, _: str, at: int) -> int:
        self._step = self._unquoted
        return at + 1

    def _within_quotes(self, text: str, at: int) -> int:
        found = self._quoted.search(text, at)
        if found is None:
            return len(text)
        if found[0] != self._quote:
            self._step = self._escaped_within_quotes
        else:
            # Where quotes are not doubled, the rest of the cell may follow.
            self._step = self._closed if self._doubles else self._unquoted
        return found.end()

    def _escaped_within_quotes(self, _: str, at: int) -> int:
        self._step = self._within_quotes
        return at + 1

    def _closed(self, text: str, at: int) -> int:
        if text[at] == self._quote:
            self._step = self._within_quotes
            return at + 1
        is_next = bool(text[at] == self._delimiter)
        self._step = self._begun if is_next else self._broken
        return at + is_next

    def _broken(self, text: str, _: int) -> int:
        """Goes on to the line feed: so it does from where a line ends, or breaks the rules."""
        self._is_over = text.endswith("\n")
        return len(text)


def _one_of(*signs: str | None) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(sign) for sign in signs if sign) or "(?!)")
