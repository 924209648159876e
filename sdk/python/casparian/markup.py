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
CHUNK = 64 << 10

_JUNK = {expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]}
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


class _Forbidden(Exception):
    """What is well-formed and not wanted."""


class _Root:
    """One root element, and what stands around it."""

    def __init__(self, source: Source, begin: int) -> None:
        self.source = source
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
            raise _Forbidden(f"elements are {DEPTH_MAX + 1} deep: limit {DEPTH_MAX}")
        self.name = self.name or name
        self._add("start", name, attributes)
        self._depth += 1

    def _close(self, name: str) -> None:
        self._depth -= 1
        self._add("end", name)

    def _text(self, text: str) -> None:
        if not self._texts or self._text_chars >= TEXT_CHARS_MAX:
            self._add("text")
        self._texts.append(text)
        self._text_chars += len(text)

    def _finish_text(self) -> None:
        if self._texts:
            self._made[-1].text = "".join(self._texts)
            self._texts, self._text_chars = [], 0

    def _doctype(self, *_: object) -> None:
        raise _Forbidden("a DTD is refused")

    def events(self) -> Iterator[XmlEvent]:
        """Yields the events of the root; the last is an error where it is not well-formed."""
        at, why = self.begin, None  # type: int, str | None
        while why is None:
            chunk = self.source.raw_at(at, CHUNK)
            why = self._feed(chunk, at)
            at += len(chunk)
            yield from self._placed()
        yield from self._last(why)

    def _feed(self, chunk: bytes, at: int) -> str | None:
        """Returns why the root ends here, if it does: empty where all is well."""
        try:
            self._parser.Parse(chunk, not chunk)
        except _Forbidden as why:
            self.end = self.begin + self._parser.CurrentByteIndex
            return str(why)
        except expat.ExpatError as error:
            self.end = self.begin + self._parser.ErrorByteIndex
            return self._why(error)
        if at + len(chunk) - self.begin - max(0, self._parser.CurrentByteIndex) > TOKEN_BYTES_MAX:
            self.end = self.begin + max(0, self._parser.CurrentByteIndex)
            return f"a tag or text has more than {TOKEN_BYTES_MAX} bytes"
        if not chunk:
            self.end = at
            return ""
        return None

    def _why(self, error: expat.ExpatError) -> str:
        is_over = self.name and self._depth == 0
        if is_over and error.code in _JUNK:
            return ""
        if error.code == _NOTHING and self._is_silent and self._is_blank():
            self.end = len(self.source)
            return ""
        return expat.ErrorString(error.code) or "not well-formed"

    def _is_blank(self) -> bool:
        return all(not chunk.strip() for chunk in self._rest())

    def _rest(self) -> Iterator[bytes]:
        for at in range(self.begin, len(self.source), CHUNK):
            yield self.source.read(at, CHUNK)

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
        """Returns where, past an error, something begins that is called like this root."""
        found = self.source.find(b"<" + (self.name.encode() or b"?xml"), max(self.end, self.begin + 1))
        return len(self.source) if found is None else found


def events(source: Source) -> Iterator[XmlEvent]:
    """Yields the events of the roots that begin in the range."""
    at = source.range.offset
    while at < source.range.end:
        root = _Root(source, at)
        for event in root.events():
            source.current = event
            yield event
        at = max(root.end, at + 1)


def records(source: Source, name: str | None) -> Iterator[XmlRecord]:
    """Yields the elements of a name, or the roots. What stands outside of them is skipped."""
    builder: TreeBuilder | None = None
    begin, depth = 0, 0
    outside: XmlEvent | None = None
    """The last event, if it is in no record."""
    for event in events(source):
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
