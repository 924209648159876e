"""XML as events and as trees, of one root after the other, each with its place in the input.

The parser is expat. A DTD is refused where it begins, so there are no entities but the five that everybody has, nothing
grows, and nothing outside is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from casparian.shapes import Span

if TYPE_CHECKING:
    from casparian.source import Source

BAD_XML = "bad_xml"
DEPTH_MAX = 256
TOKEN_BYTES_MAX = 16 << 20
"""Bytes of one tag, comment or text that expat may hold back."""
TEXT_CHARS_MAX = 1 << 20
"""A longer text comes in several events."""
RECORD_BYTES_MAX = 16 << 20
ROOT_BYTES_MAX = (1 << 31) - (1 << 20)
"""Expat counts with 32 bits in the sandbox."""
CHUNK = 64 << 10

_NOTHING = expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]


class XmlEvent:
    """A tag, a text, a comment, a processing instruction or an error. Events touch: each ends where the next one begins.

    `kind` is `start`, `end`, `text`, `comment`, `instruction`, `declaration` or `error`; `name` that of the element or
    instruction; `attributes` those of a start; `text` what is said; `depth` how many elements are open around it.
    """

    __slots__ = ("kind", "name", "attributes", "text", "depth", "offset", "length")

    def __init__(self, kind: str, name: str, attributes: dict[str, str], text: str, depth: int, offset: int) -> None:
        self.kind = kind
        self.name = name
        self.attributes = attributes
        self.text = text
        self.depth = depth
        self.offset = offset
        self.length = 0

    @property
    def span(self) -> Span:
        """Returns where it is."""
        return Span(self.offset, self.length)

    @property
    def end(self) -> int:
        """Returns where it ends."""
        return self.offset + self.length

    def __repr__(self) -> str:
        return f"XmlEvent({self.kind} {self.name or self.text!r} {self.span})"


class XmlRecord:
    """An element as a tree, and where it is."""

    __slots__ = ("element", "offset", "length")

    def __init__(self, element: Element, offset: int, length: int) -> None:
        self.element = element
        self.offset = offset
        self.length = length

    @property
    def span(self) -> Span:
        """Returns where it is."""
        return Span(self.offset, self.length)


class _Oversized(TreeBuilder):
    """What a tree becomes that is too large to be held."""

    def start(self, tag: str, attrs: dict[Any, Any], /) -> Any:
        """Forgets a start."""

    def data(self, data: str, /) -> None:
        """Forgets a text."""

    def end(self, tag: str, /) -> Any:
        """Forgets an end."""


class _Over(Exception):
    """The root has ended. What follows is the next one's: expat would take it for junk."""


class _Forbidden(Exception):
    """What is well-formed and not wanted."""


class _Window:
    """The chunk that was read last: many small roots stand in one."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._offset = 0
        self._raw = b""
        wide = source.read(0, 2) in (b"\xff\xfe", b"\xfe\xff")
        self.blank = b" \t\r\n\0" if wide else b" \t\r\n"

    def behind(self, at: int) -> memoryview:
        """Returns bytes from `at` on; none only at the end of the input."""
        if not self._offset <= at < self._offset + len(self._raw):
            self._offset, self._raw = at, self.source.raw_at(at, CHUNK)
        return memoryview(self._raw)[at - self._offset :]

    def before(self, at: int) -> bytes:
        """Returns the two characters before an offset."""
        if at - 4 >= self._offset and at <= self._offset + len(self._raw):
            return self._raw[at - 4 - self._offset : at - self._offset].replace(b"\0", b"")
        return self.source.read(max(0, at - 4), min(4, at)).replace(b"\0", b"")

    def past_tag(self, at: int) -> int:
        """Returns where a tag ends whose end is in the chunk that was read last."""
        return self._offset + self._raw.find(b">", max(0, at - self._offset)) + 1

    def past_blank(self, at: int) -> int:
        """Returns where something else than white space follows."""
        while (raw := bytes(self.behind(at)[:64])) and not raw.lstrip(self.blank):
            at += len(raw)
        return at + len(raw) - len(raw.lstrip(self.blank))


class _Root:
    """One root element, and what stands around it.

    Where `record` is given (a name, or empty for that of the root), an element of that name inside of another is not
    well-formed: the end of the outer one is missing.
    """

    def __init__(self, window: _Window, begin: int, record: str | None) -> None:
        self.window = window
        self.source = window.source
        self.record = record
        self._is_in_record = False
        self._doctype_name = ""
        self.begin = begin
        self.end = begin
        """Where the next root begins, once this one was read."""
        self.name = ""
        self._depth = 0
        self._is_silent = True
        """Whether there was no event yet."""
        self._made: list[XmlEvent] = []
        self._texts: list[str] = []
        """The parts of the text that is being read; its event is the last one made."""
        self._text_chars = 0
        self._parser = self._open()

    def _open(self) -> expat.XMLParserType:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._close
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = lambda text: self._add("comment", text=text)
        parser.ProcessingInstructionHandler = lambda name, text: self._add("instruction", name, text=text)
        parser.XmlDeclHandler = lambda version, encoding, _: self._add("declaration", text=encoding or "")
        parser.StartDoctypeDeclHandler = self._doctype
        return parser

    def _add(self, kind: str, name: str = "", attributes: dict[str, str] | None = None, text: str = "") -> None:
        offset = self.begin + self._parser.CurrentByteIndex
        self._is_silent = False
        self._finish_text()
        self._made.append(XmlEvent(kind, name, attributes or {}, text, self._depth, offset))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth >= DEPTH_MAX:
            self._forbid(f"elements are {DEPTH_MAX + 1} deep: limit {DEPTH_MAX}")
        self.name = self.name or name
        if self.record is not None and name == (self.record or self.name):
            if self._is_in_record:
                self._forbid(f"`{name}` begins inside of `{name}`")
            self._is_in_record = True
        self._add("start", name, attributes)
        self._depth += 1

    def _close(self, name: str) -> None:
        self._depth -= 1
        if self._is_in_record and name == (self.record or self.name):
            self._is_in_record = False
        self._add("end", name)
        if self._depth == 0:
            self.end = self.window.past_blank(self._past_end(self._made[-1].offset))
            raise _Over

    def _past_end(self, at: int) -> int:
        """Returns where the end of the root ends, of which expat says that it is at an offset."""
        if self._was_start() and self.window.before(at).endswith(b"/>"):  # of an empty element it says what is behind
            return at
        return self.window.past_tag(at)

    def _was_start(self) -> bool:
        return len(self._made) < 2 or self._made[-2].kind == "start"

    def _text(self, text: str) -> None:
        if not self._texts or self._text_chars >= TEXT_CHARS_MAX:
            self._add("text")
        self._texts.append(text)
        self._text_chars += len(text)

    def _finish_text(self) -> None:
        if self._texts:
            self._made[-1].text = "".join(self._texts)
            self._texts, self._text_chars = [], 0

    def _forbid(self, why: str) -> None:
        # Here and not where it is caught: expat goes on with the chunk, without telling anybody.
        self.end = self.begin + self._parser.CurrentByteIndex
        raise _Forbidden(why)

    def _doctype(self, name: str, *_: object) -> None:
        self._doctype_name = name
        self._forbid("a DTD is refused")

    def events(self) -> Iterator[XmlEvent]:
        """Yields the events of the root; the last is an error where it is not well-formed."""
        at, why = self.begin, None  # type: int, str | None
        while why is None:
            chunk = self.window.behind(at)
            why = self._feed(chunk, at)
            at += len(chunk)
            yield from self._placed()
        yield from self._last(why)

    def _feed(self, chunk: memoryview, at: int) -> str | None:
        """Returns why the root ends here, if it does: empty where all is well."""
        try:
            self._parser.Parse(chunk, not chunk)
        except _Over:
            return ""
        except _Forbidden as why:
            return str(why)
        except expat.ExpatError as error:
            self.end = self.begin + self._parser.ErrorByteIndex
            return self._why(error)
        if at + len(chunk) - self.begin - max(0, self._parser.CurrentByteIndex) > TOKEN_BYTES_MAX:
            self.end = self.begin + max(0, self._parser.CurrentByteIndex)
            return f"a tag or text has more than {TOKEN_BYTES_MAX} bytes"
        if at + len(chunk) - self.begin > ROOT_BYTES_MAX:
            self.end = at + len(chunk)
            return f"a root has more than {ROOT_BYTES_MAX} bytes"
        if not chunk:
            self.end = at
            return ""
        return None

    def _why(self, error: expat.ExpatError) -> str:
        if error.code == _NOTHING and not self.name:  # white space and comments behind the last root
            self.end = self.source.size
            return ""
        return expat.ErrorString(error.code) or "not well-formed"

    def _placed(self) -> list[XmlEvent]:
        """Returns the events whose end is known: all but the last."""
        made, self._made = self._made[:-1], self._made[-1:]
        for event, following in zip(made, [*made[1:], *self._made]):
            event.length = following.offset - event.offset
        return made

    def _last(self, why: str | None) -> Iterator[XmlEvent]:
        self._finish_text()
        for event in self._made:
            event.length = max(0, self.end - event.offset)
            yield event
        if why:
            begin = self.begin if self._is_silent else self.end
            error = XmlEvent("error", self.name, {}, why, self._depth, begin)
            self.end = self._next_root()
            error.length = self.end - error.offset
            yield error

    def _next_root(self) -> int:
        """Returns where, past an error, a record or root may begin: something of its name, or anything where there is none."""
        name = b"<" + (self.record or self.name or self._doctype_name).encode()
        start = max(self.end, self.begin + 1)
        if self._doctype_name:  # the root that the DTD is about would mean something else without it
            own = self.source.find(name, start)
            start = self.source.size if own is None else own + 1
        found = self.source.find(name, start)
        return self.source.size if found is None else found


def events(source: Source, record: str | None = None) -> Iterator[XmlEvent]:
    """Yields the events of the roots that begin in the range."""
    at, window = source.range.offset, _Window(source)
    while at < source.range.end:
        root = _Root(window, at, record)
        for event in root.events():
            source.current = event
            yield event
        at = max(root.end, at + 1)


def records(source: Source, name: str | None, nested: bool) -> Iterator[XmlRecord]:
    """Yields the elements of a name, or the roots. What stands outside of them is skipped."""
    builder: TreeBuilder | None = None
    begin, depth = 0, 0
    outside: XmlEvent | None = None
    """The last event, if it is in no record."""
    for event in events(source, None if nested else name or ""):
        if builder is None and event.kind == "start" and (event.depth == 0 if name is None else event.name == name):
            builder, begin, depth = TreeBuilder(), event.offset, event.depth
        if event.kind == "error":
            _refuse(source, event, begin if builder is not None else None, outside)
            builder, outside = None, None
        elif builder is None:
            outside = event
            _skip(source, event)
        elif not _build(builder, event, depth):
            if event.end - begin > RECORD_BYTES_MAX and not isinstance(builder, _Oversized):
                builder = _Oversized()
        elif event.end - begin > RECORD_BYTES_MAX:
            source.reject(Span(begin, event.end - begin), BAD_XML, f"more than {RECORD_BYTES_MAX} bytes")
            builder, outside = None, None
        else:
            record = XmlRecord(builder.close(), begin, event.end - begin)
            builder, outside = None, None
            source.current = record
            yield record


def _refuse(source: Source, error: XmlEvent, begin: int | None, outside: XmlEvent | None) -> None:
    """Rejects what cannot be read: the record that is open, else the bytes of the error. Where the input ends too early there
    are none, and it is the last bytes that are in no record."""
    if begin is None and error.length == 0 and outside is not None:
        begin = outside.offset
    begin = error.offset if begin is None else begin
    if begin < error.end:
        source.reject(Span(begin, error.end - begin), BAD_XML, error.text)
    else:
        logging.getLogger("casparian").warning("XML ends too early: %s", error.text)


def _build(builder: TreeBuilder, event: XmlEvent, depth: int) -> bool:
    """Adds an event to a tree. Returns whether the tree is whole."""
    if event.kind == "start":
        builder.start(event.name, event.attributes)
    elif event.kind == "text":
        builder.data(event.text)
    elif event.kind == "end":
        builder.end(event.name)
        return event.depth == depth
    return False


def _skip(source: Source, event: XmlEvent) -> None:
    if event.length == 0:
        return
    kind = {"comment": "comment", "declaration": "preamble"}.get(event.kind, "other")
    source.skip(event.span, "blank" if event.kind == "text" and event.text.isspace() else kind)  # type: ignore[arg-type]
