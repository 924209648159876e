"""TAK messages, version 1: the fields that have places of their own, and the rest of the detail as XML in a text."""

from __future__ import annotations

from typing import Callable

import protobuf
from event import Element, Event, Unread, XmlReader
from protobuf import Broken, Field
from values import time_of

Read = Callable[[int, protobuf.Value], "str | int | float"]

# Numbers of fields, how each is read, and what it is called in XML.
_CONTROL: dict[int, tuple[str, Read]] = {
    1: ("minProtoVersion", protobuf.whole),
    2: ("maxProtoVersion", protobuf.whole),
    3: ("contactUid", protobuf.text),
}
_EVENT: dict[int, tuple[str, Read]] = {
    1: ("type", protobuf.text),
    2: ("access", protobuf.text),
    3: ("qos", protobuf.text),
    4: ("opex", protobuf.text),
    5: ("uid", protobuf.text),
    6: ("time", protobuf.whole),
    7: ("start", protobuf.whole),
    8: ("stale", protobuf.whole),
    9: ("how", protobuf.text),
    10: ("lat", protobuf.double),
    11: ("lon", protobuf.double),
    12: ("hae", protobuf.double),
    13: ("ce", protobuf.double),
    14: ("le", protobuf.double),
}
_DETAIL = 15
_TIMES = ("time", "start", "stale")
_POINT = ("lat", "lon", "hae", "ce", "le")
_XML_DETAIL = 1
# Of each message in a detail: its element, its fields. One that is not there has the value that its type begins with.
_PARTS: dict[int, tuple[str, dict[int, tuple[str, Read]]]] = {
    2: ("contact", {1: ("endpoint", protobuf.text), 2: ("callsign", protobuf.text)}),
    3: ("__group", {1: ("name", protobuf.text), 2: ("role", protobuf.text)}),
    4: ("precisionlocation", {1: ("geopointsrc", protobuf.text), 2: ("altsrc", protobuf.text)}),
    5: ("status", {1: ("battery", protobuf.whole)}),
    6: (
        "takv",
        {
            1: ("device", protobuf.text),
            2: ("platform", protobuf.text),
            3: ("os", protobuf.text),
            4: ("version", protobuf.text),
        },
    ),
    7: ("track", {1: ("speed", protobuf.double), 2: ("course", protobuf.double)}),
}
_DEFAULTS: dict[Read, str] = {protobuf.text: "", protobuf.whole: "0", protobuf.double: "0.0"}


def read(raw: bytes, xml: XmlReader) -> Event:
    """Reads a message. Raises [`Unread`]."""
    try:
        return _Message(xml).read(raw)
    except Broken as why:
        raise Unread("protobuf_truncated" if why.is_short else "bad_protobuf", str(why)) from why


class _Message:
    def __init__(self, xml: XmlReader) -> None:
        self._xml = xml
        self._detail_xml: str | None = None
        self._has_unknown = False

    def read(self, raw: bytes) -> Event:
        control: Element | None = None
        event: list[Field] | None = None
        for number, wire, value in protobuf.fields(raw):
            if number == 1:
                control = [1, "takControl", self._values(protobuf.message(wire, value), _CONTROL), None]
            elif number == 2:
                event = (event or []) + protobuf.message(wire, value)
            else:
                self._has_unknown = True
        if event is None:
            raise Unread("no_event", "a message without an event")
        made = self._event(event, [control] if control else [])
        if self._has_unknown:
            made.faults.append("unknown_field")
        return made

    def _event(self, fields: list[Field], first: list[Element]) -> Event:
        detail = [it for it in fields if it[0] == _DETAIL]
        values = self._values([it for it in fields if it[0] != _DETAIL], _EVENT)
        for name in _TIMES:
            if name in values:
                values[name] = time_of(int(values[name]))
        point = {name: values.pop(name, "0.0") for name in _POINT}
        elements: list[Element] = [[0, "event", values, None], *first, [1, "point", point, None]]
        if detail:
            elements.append([1, "detail", {}, None])
            for _, wire, value in detail:
                elements += self._parts(protobuf.message(wire, value))
        return Event(elements, self._detail_xml)

    def _parts(self, fields: list[Field]) -> list[Element]:
        elements: list[Element] = []
        for number, wire, value in fields:
            if number == _XML_DETAIL:
                elements += self._of_xml(protobuf.text(wire, value))
            elif part := _PARTS.get(number):
                name, known = part
                defaults = {name: _DEFAULTS[read] for name, read in known.values()}
                elements.append([2, name, {**defaults, **self._values(protobuf.message(wire, value), known)}, None])
            else:
                self._has_unknown = True
        return elements

    def _of_xml(self, text: str) -> list[Element]:
        self._detail_xml = text
        # The text is the inside of a detail, without one root.
        read = self._xml.elements(f"<detail>{text}</detail>".encode())
        outer = read[0][3]
        if outer is not None and not outer.isspace():
            raise Unread("not_well_formed", f"text outside of elements: {outer[:60]!r}")
        for element in read:
            element[0] += 1
        return read[1:]

    def _values(self, fields: list[Field], known: dict[int, tuple[str, Read]]) -> dict[str, str]:
        values = {}
        for number, wire, value in fields:
            if place := known.get(number):
                values[place[0]] = str(place[1](wire, value))
            else:
                self._has_unknown = True
        return values
