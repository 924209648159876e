"""An event in memory, and how it is read out of XML.

expat reads, one instance for many events: they are the children of one element that never ends. A DTD cannot stand
there, so no entity is ever declared, let alone resolved; but the five of XML there are none.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

DEPTH_MAX = 64
PATH_CHARS_MAX = 1024
EVENTS_PER_PARSER = 1024
_LIMITS = f"limits {DEPTH_MAX} and {PATH_CHARS_MAX}"

DEPTH, NAME, ATTRIBUTES, TEXT = range(4)
Element = list[Any]
"""How many elements are around it, its name, its attributes, its text; a list, for there are many."""


class Unread(ValueError):
    """An event that cannot be read, and the fault that it has."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Event:
    """An event: its attributes, its point, its elements in the order of the document, the event itself first."""

    __slots__ = ("attributes", "point", "elements", "detail_xml", "faults")

    def __init__(self, elements: list[Element], detail_xml: str | None) -> None:
        self.elements = elements
        self.attributes: dict[str, str] = elements[0][ATTRIBUTES]
        self.point: dict[str, str] | None = None
        for element in elements:
            if element[DEPTH] == 1 and element[NAME] == "point":
                self.point = element[ATTRIBUTES]
                break
        self.detail_xml = detail_xml
        self.faults: list[str] = []


class XmlReader:
    """Reads events, one after the other."""

    def __init__(self) -> None:
        self._left = 0
        self._open: list[Element] = []
        self._elements: list[Element] = []
        # Elements whose text was told in pieces: joined at the end, for many pieces.
        self._in_pieces: list[Element] = []

    def read(self, raw: bytes, encoding: str = "utf-8") -> Event:
        """Reads an event. Raises [`Unread`]."""
        if encoding != "utf-8":
            raw = _as_utf8(raw, encoding)
        elements = self.elements(raw)
        return Event(elements, self._detail_xml(raw))

    def elements(self, raw: bytes) -> list[Element]:
        """Reads an element and returns it with all that are in it. Raises [`Unread`]."""
        if self._left <= 0:
            self._renew()
        self._left -= 1
        self._elements, self._in_pieces = [], []
        self._detail: list[int] = []
        self._base = self._fed
        self._fed += len(raw)
        try:
            self._parser.Parse(raw, False)
        except expat.ExpatError as why:
            raise self._broken(raw, why.code) from why
        except Unread:
            self._left = 0
            raise
        if self._open:
            self._left = 0
            raise Unread("not_well_formed", f"{len(self._open)} elements do not end")
        for element in self._in_pieces:
            element[TEXT] = "".join(element[TEXT])
        return self._elements

    def _broken(self, raw: bytes, code: int) -> Unread:
        at = self._parser.ErrorByteIndex - self._base
        self._left = 0
        if b"<!DOCTYPE" in raw:
            return Unread("dtd_forbidden", f"a document type at byte {raw.find(b'<!DOCTYPE')} of the event")
        return Unread("not_well_formed", f"{expat.ErrorString(code)} at byte {at} of the event")

    def _renew(self) -> None:
        """Starts anew: after an error, and from time to time, for expat remembers every name that it has seen."""
        self._parser = parser = expat.ParserCreate("utf-8", intern={})
        parser.buffer_text = True
        parser.Parse(b"<r>", False)
        self._open = []
        self._fed = 3
        self._left = EVENTS_PER_PARSER
        self._listen(parser)

    def _listen(self, parser: expat.XMLParserType) -> None:
        opened = self._open
        push, pop = opened.append, opened.pop
        path_chars = 0

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal path_chars
            depth = len(opened)
            path_chars += len(name) + 1
            if depth >= DEPTH_MAX or path_chars > PATH_CHARS_MAX:
                raise Unread("too_deep", f"an element is {depth + 1} deep, and its path has {path_chars} characters: {_LIMITS}")
            element = [depth, name, attributes, None]
            if depth == 1 and name == "detail":
                self._detail.append(parser.CurrentByteIndex - self._base)
            self._elements.append(element)
            push(element)

        def end(name: str) -> None:
            nonlocal path_chars
            pop()
            path_chars -= len(name) + 1
            if name == "detail" and len(opened) == 1:
                self._detail.append(parser.CurrentByteIndex - self._base)

        def text(data: str) -> None:
            if not opened:
                return
            element = opened[-1]
            held = element[TEXT]
            if held is None:
                element[TEXT] = data
            elif type(held) is list:
                held.append(data)
            else:
                element[TEXT] = [held, data]
                self._in_pieces.append(element)

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = text

    def _detail_xml(self, raw: bytes) -> str | None:
        """Returns the first detail as it is written."""
        if len(self._detail) < 2:
            return None
        begin, last = self._detail[:2]
        # An element without an end tag ends where it begins.
        end = raw.find(b">", last) + 1 if raw.startswith(b"</", last) else _tag_end(raw, begin)
        return raw[begin:end].decode()


def _tag_end(raw: bytes, begin: int) -> int:
    quote = 0
    for at in range(begin, len(raw)):
        byte = raw[at]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == ord(">"):
            return at + 1
    return len(raw)


def _as_utf8(raw: bytes, encoding: str) -> bytes:
    try:
        return raw.decode(encoding).encode()
    except UnicodeDecodeError as why:
        raise Unread("not_well_formed", f"byte {why.start} of the event is no {encoding}") from why
