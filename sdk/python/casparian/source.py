"""The input of a run, and readers that know where everything came from.

Readers read in chunks and hold no more than a record and a chunk. They yield what *begins* in the range that is being
parsed, the last record read past its end. What a reader cannot read it rejects by itself, with a fault that every parser
declares: bad data never raises in a parser's loop.
"""

from __future__ import annotations

from codecs import lookup
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import index, length_hint
from typing import TYPE_CHECKING, Any, NamedTuple

from casparian import speed
from casparian.port import Blob
from casparian.shapes import SkipKind, Span

if TYPE_CHECKING:
    from casparian.delimited import CsvRow
    from casparian.fixed import FixedRow, FixedSpec
    from casparian.jsonlines import Document
    from casparian.markup import XmlEvent, XmlRecord
    from casparian.output import Output

READ_MAX = 1 << 20
CHUNK = 256 << 10
CAP = 16 << 20
"""Bytes of a record held at most."""
TOO_LONG = "too_long"
BAD_TEXT = "bad_text"

OptionValue = str | int | float | bool

Bytes = bytes
"""The type, where [`Source.bytes`] hides its name."""


@speed.line_type
class Line(str):
    """A line of text that knows where it is: `span`, terminator included. Bytes that are no text are lone surrogates in it,
    as with `errors="surrogateescape"`."""

    __slots__ = ("offset", "length")
    offset: int
    length: int

    @property
    def span(self) -> Span:
        """Returns where it is."""
        return Span(self.offset, self.length)


class Raw(bytes):
    """A stretch of bytes that knows where it is, without its delimiter."""

    offset: int
    length: int

    @property
    def span(self) -> Span:
        """Returns where it is, delimiter included."""
        return Span(self.offset, self.length)


class Block(NamedTuple):
    """Bytes of whole records, and where they are. No bytes where it is one record longer than is held."""

    offset: int
    length: int
    raw: bytes | None


class Source:
    """The input, and the range of it that is being parsed."""

    def __init__(
        self,
        blob: Blob,
        range: Span | None = None,
        *,
        options: Mapping[str, OptionValue] | None = None,
        context: Bytes = b"",
        out: Output | None = None,
        settle: Callable[[], None] | None = None,
    ) -> None:
        self._blob = blob
        self._len = blob.len()
        self.range = range or Span(0, self._len)
        self.options: Mapping[str, OptionValue] = options or {}
        self.context = context
        self._current: Any = None
        self._reading: tuple[list[Line], Iterator[Line]] | None = None
        self.is_within = False
        """Whether a reader found that no record begins in the range."""
        self._out = out
        self._settle = settle

    @property
    def name(self) -> str:
        """Returns the base name of the file."""
        return self._blob.name()

    @property
    def current(self) -> Any:
        """Returns the record that a reader yielded last."""
        if self._reading is not None:
            lines, rest = self._reading
            # How many are left says which one is being read: noting each would cost as much as reading it.
            passed = len(lines) - length_hint(rest)
            return lines[passed - 1] if passed else self._current
        return self._current

    @current.setter
    def current(self, record: Any) -> None:
        self._current, self._reading = record, None

    @property
    def size(self) -> int:
        """Returns the length of the input in bytes."""
        return self._len

    def __len__(self) -> int:
        # In the sandbox Python has 32 bits and `len` fails past 2 GiB: `size` does not.
        return self._len

    def __bool__(self) -> bool:
        return True

    def read(self, offset: int, n: int) -> Bytes:
        """Returns the `n` bytes from `offset` on: fewer only at the end of the input."""
        offset, n = index(offset), index(n)
        if offset < 0 or n < 0:
            raise ValueError(f"there are no {n} bytes at {offset}")
        end = min(offset + n, self._len)
        first = self._blob.read(offset, min(end - offset, READ_MAX)) if offset < end else b""
        if offset + len(first) == end:
            return first
        parts = [first]
        at = offset + len(first)
        while at < end and parts[-1]:
            parts.append(self._blob.read(at, min(end - at, READ_MAX)))
            at += len(parts[-1])
        return b"".join(parts)

    def bytes(self) -> Bytes:
        """Returns all bytes of the range at once."""
        return self.read(*self.range)

    def chunks(self, n: int = CHUNK) -> Iterator[Raw]:
        """Yields the bytes of the range, `n` at a time."""
        for offset in range(self.range.offset, self.range.end, n):
            yield self.made(self.raw_at(offset, min(n, self.range.end - offset)), offset, None)

    def find(self, what: Bytes, start: int, end: int | None = None) -> int | None:
        """Returns the offset of the first occurrence at or past `start`."""
        end, keep, held = self._len if end is None else min(end, self._len), len(what) - 1, b""
        while start < end:
            chunk = self.read(start, min(CHUNK, end - start))
            if not chunk:
                return None
            if (at := (held + chunk).find(what)) >= 0:
                return start - len(held) + at
            held = (held + chunk)[-keep:] if keep else b""
            start += len(chunk)
        return None

    def cuts(self, delimiter: Bytes, target_bytes: int) -> list[int]:
        """Returns offsets just behind a delimiter, about so far apart: where to cut an input into ranges."""
        cuts: list[int] = []
        step = max(1, target_bytes)
        at = step
        while at < self._len and (found := self.find(delimiter, max(0, at - len(delimiter)))) is not None:
            cuts.append(found + len(delimiter))
            at = max(at, cuts[-1]) + step
        return cuts

    # Readers.

    def lines(self, encoding: str = "utf-8") -> Iterator[Line]:
        """Yields the lines of the range, without LF or CRLF. `encoding` is one in which a line feed is a line feed."""
        return chain.from_iterable(self._watched(encoding))

    def _watched(self, encoding: str) -> Iterator[Iterator[Line]]:
        for lines in self.line_blocks(encoding):
            rest = iter(lines)
            self._reading = (lines, rest)
            yield rest
            self.current = lines[-1]

    def line_blocks(self, encoding: str = "utf-8") -> Iterator[list[Line]]:
        """Yields the lines of the range many at a time, for parsers that work by columns."""
        if speed.compiled is not None and lookup(encoding).name == "utf-8":
            for offset, raw in self._held_blocks(b"\n"):
                yield speed.compiled.lines(raw, offset)
            return
        for offset, raw, texts, sizes in self._split_blocks(encoding):
            lines = list(map(Line, texts))
            end = offset + len(raw)
            for line, length in zip(lines, sizes):
                length += 1  # the line feed
                line.offset = offset
                line.length = length
                offset += length
            if offset > end:  # the last line of the input has none
                line.length -= 1
            yield lines

    def _split_blocks(self, encoding: str) -> Iterator[tuple[int, Bytes, list[str], Iterable[int]]]:
        """Yields blocks and the lines in them. Where one is no text, line by line, and what is no text is rejected."""
        plain = of_lines(encoding)
        for offset, raw in self._held_blocks(b"\n"):
            try:
                texts, sizes = split_lines(raw, plain)
            except UnicodeDecodeError:
                yield from self._split_lines(offset, raw, plain)
                continue
            if plain != encoding and offset == 0:
                texts[0] = texts[0].removeprefix("\ufeff")
            yield offset, raw, texts, sizes

    def _split_lines(
        self, offset: int, raw: Bytes, encoding: str
    ) -> Iterator[tuple[int, Bytes, list[str], Iterable[int]]]:
        for part in with_ends(raw):
            try:
                yield offset, part, *split_lines(part, encoding)
            except UnicodeDecodeError as why:
                self.reject(Span(offset, len(part)), BAD_TEXT, not_text(why))
            offset += len(part)

    def records(self, delimiter: Bytes = b"\n") -> Iterator[Raw]:
        """Yields the stretches of bytes of the range that end with a delimiter (or the input), without it."""
        for offset, raw in self._held_blocks(delimiter):
            end = offset + len(raw)
            for part in raw.split(delimiter):
                length = min(len(part) + len(delimiter), end - offset)
                if length:
                    yield self.made(part, offset, length)
                offset += length

    def _held_blocks(self, delimiter: Bytes) -> Iterator[tuple[int, Bytes]]:
        """Yields blocks, and rejects records that are longer than is held: half a record would be an altered one."""
        for block in self.blocks(delimiter):
            if block.raw is None:
                self.reject(Span(block.offset, block.length), TOO_LONG, too_long(block.length))
            else:
                yield block.offset, block.raw

    def csv(
        self, header: bool | Sequence[str] = False, encoding: str = "utf-8", *, ragged: bool = False, **dialect: Any
    ) -> Iterator[CsvRow]:
        """Yields the rows of a table with delimiters; a quoted cell may hold line feeds. `dialect` is that of [`csv.reader`].

        With `header` the first record of the input names the columns, or those given do: `row["px"]`. A row that breaks the
        rules of quoting is rejected as `bad_csv`, so is one with more cells than names unless rows may be `ragged`, and every
        row where the record with the names cannot be read; blank lines are skipped.
        """
        from casparian.delimited import read

        return read(self, header, encoding, ragged, dialect)

    def json_lines(self) -> Iterator[Document]:
        """Yields the values of JSON Lines. Integers are `int`, other numbers `Decimal`: no digit is lost. A line that is no
        JSON, or whose objects have a key twice, is rejected as `bad_json`; blank lines are skipped."""
        from casparian.jsonlines import read

        return read(self)

    def fixed_width(
        self, spec: FixedSpec, record_bytes: int | None = None, encoding: str = "utf-8"
    ) -> Iterator[FixedRow]:
        """Yields records whose fields have fixed places, by line or, with `record_bytes`, by length: `{"name": 10, "amount": 8}`
        are widths in bytes, `{"name": (0, 10)}` begins and ends. Nothing is trimmed. A record that is too short or too long for
        its fields is rejected as `bad_length`."""
        from casparian.fixed import read

        return read(self, spec, record_bytes, encoding)

    def xml_events(self) -> Iterator[XmlEvent]:
        """Yields the starts, ends and texts of XML, of one root after the other. DTDs and entities of their own are refused.
        Where XML is not well-formed there is an event of kind `error`, and reading goes on with the next root like the last."""
        from casparian.markup import events

        return events(self)

    def xml_records(self, name: str | None = None, nested: bool = False) -> Iterator[XmlRecord]:
        """Yields elements of a name (the roots, without one) as trees. What is not well-formed is rejected as `bad_xml`, a DTD
        with the root that it is about. Unless they may be `nested`, an element of that name inside of another is taken for
        the next one, and the end of the outer one for missing."""
        from casparian.markup import records

        return records(self, name, nested)

    # What readers are made of.

    def blocks(self, delimiter: Bytes, range: Span | None = None) -> Iterator[Block]:
        """Yields the records that begin in the range, as many of them at a time as a chunk holds."""
        wanted = range or self.range
        _check_delimiter(delimiter)
        stop, offset = wanted.end, self.first_start(delimiter, wanted)
        held = b""
        while offset < stop:
            size = len(held)
            # No more than the cap, so that whether a record is held follows from its length alone.
            chunk = self.raw_at(offset + size, min(max(CHUNK, size), CAP - size))
            held = held + chunk if held else chunk
            end = _end_of_records(held, delimiter, stop - offset, is_last=offset + len(held) >= self._len)
            if end:
                yield Block(offset, end, held[:end])
                offset, held = offset + end, held[end:]
            elif len(held) >= CAP:
                end = self._past(delimiter, offset, len(held))
                yield Block(offset, end - offset, None)
                offset, held = end, b""
            elif not chunk:
                return

    def _past(self, delimiter: Bytes, offset: int, held: int) -> int:
        """Returns where a record ends that is longer than what is held of it."""
        found = self.find(delimiter, offset + held - len(delimiter) + 1)
        return self._len if found is None else found + len(delimiter)

    def first_start(self, delimiter: Bytes, range: Span) -> int:
        """Returns where the first record begins that begins in a range."""
        # A record begins where the one before it ends, so the bytes before the range decide.
        if range.offset == 0:
            return 0
        found = self.find(delimiter, max(0, range.offset - len(delimiter)))
        start = self._len if found is None else found + len(delimiter)
        self.is_within = start >= range.end
        return start

    def raw_at(self, offset: int, n: int) -> Bytes:
        """Reads on, and lets go what was said so far where it is time to."""
        if self._settle is not None:
            self._settle()
        return self.read(offset, n)

    def made(self, raw: Bytes, offset: int, length: int | None) -> Raw:
        """Makes bytes that know where they are, and notes that they are being read."""
        made = Raw(raw)
        made.offset, made.length = offset, len(raw) if length is None else length
        self.current = made
        return made

    def reject(self, span: Span, code: str, message: str) -> None:
        """Rejects a record on behalf of a reader."""
        self.current = span
        if self._out is not None:
            self._out.reject(span, code, message)

    def skip(self, span: Span, kind: SkipKind, note: str = "") -> None:
        """Skips a range on behalf of a reader."""
        if self._out is not None:
            self._out.skip(span, kind, note)


def _check_delimiter(delimiter: bytes) -> None:
    if not delimiter:
        raise ValueError("a delimiter has no bytes")
    if len(delimiter) > 1 and any(delimiter.endswith(delimiter[:size]) for size in range(1, len(delimiter))):
        raise ValueError(f"delimiter {delimiter!r} can overlap itself: where a range begins would be a guess")


def _end_of_records(held: bytes, delimiter: bytes, range_end: int, is_last: bool) -> int:
    """Returns where in these bytes the last whole record ends that begins before `range_end`; 0 where none does."""
    if range_end <= len(held):
        found = held.find(delimiter, max(0, range_end - len(delimiter)))
        if found >= 0:
            return found + len(delimiter)
    if is_last:
        return len(held)
    found = held.rfind(delimiter)
    return found + len(delimiter) if found >= 0 else 0


def too_long(length: int) -> str:
    """Returns what is said of a record that is longer than is held."""
    return f"{length} bytes: a reader holds {CAP}"


def with_ends(raw: bytes) -> Iterator[bytes]:
    """Yields the lines of a block with their line feeds."""
    parts = raw.split(b"\n")
    last = parts.pop()
    for part in parts:
        yield part + b"\n"
    if last:
        yield last


def split_lines(raw: bytes, encoding: str) -> tuple[list[str], Iterable[int]]:
    """Returns the lines of a block without their terminators, and how many bytes stand before the line feed of each. Raises
    `UnicodeDecodeError` where a byte is no text and cannot be kept as a surrogate."""
    text = raw.decode(encoding, "surrogateescape")
    texts = text.split("\n")
    # Where every character is a byte, their lengths are those of the lines.
    parts: Sequence[str | bytes] = texts if len(text) == len(raw) else raw.split(b"\n")
    lines = [line[:-1] if line.endswith("\r") else line for line in texts] if "\r" in text else texts[:]
    # No line feed follows the last one: a carriage return at its end is its own.
    lines[-1] = texts[-1]
    if not lines[-1]:
        lines.pop()
    return lines, map(len, parts)


def unmarked(encoding: str) -> str:
    """Returns the encoding of pieces of a text: a byte order mark stands at the start of the input and nowhere else."""
    return "utf-8" if lookup(encoding).name == "utf-8-sig" else encoding


def of_lines(encoding: str) -> str:
    """Returns the encoding of pieces of a text that is cut at line feeds. Raises `ValueError` where they are no byte of their own."""
    plain = unmarked(encoding)
    if "\n".encode(plain) != b"\n":
        hint = "take `source.bytes()` or `source.records(…)` and decode them"
        raise ValueError(f"a line feed is not the byte 0A in {encoding}: {hint}")
    return plain


def not_text(why: UnicodeDecodeError) -> str:
    """Returns what is said of a record with bytes that are no text in its encoding, and cannot be kept as surrogates."""
    return f"byte {why.start} is no {why.encoding}: {why.reason}"
