"""What goes into which table."""

from __future__ import annotations

import re
from typing import Any

from casparian import OpenTable, Output
from event import ATTRIBUTES, DEPTH, NAME, TEXT, Event
from values import are_numbers, is_number, is_time, is_unknown

_RECEIVED = re.compile(
    rb"\s*([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]{1,9}))?\s?(Z|[+-][0-9]{2}:?[0-9]{2})?(?![0-9])"
)
_NOTHING: dict[str, str] = {}
_DRAWN = ("u-d-", "u-r-b-", "b-m-r")
"""Types of events whose links are the corners of a line or an area."""
_IN_EVENTS = frozenset("version uid type how time start stale access opex qos lat lon hae ce le".split())
Cells = dict[str, str]


class Rows:
    """Writes events into tables."""

    def __init__(self, out: Output) -> None:
        self._events = out.table("events")
        self._details = _wanted(out, "details")
        self._links = _wanted(out, "links")
        self._chats = _wanted(out, "chats")
        self._shapes = _wanted(out, "shapes")

    def write(self, record: Any, event: Event, transport: str, before: bytes) -> None:
        """Writes an event."""
        first: dict[str, list[Any]] = {}
        links, chats, shapes = [], [], []
        is_detail = False
        for at, element in enumerate(event.elements):
            name = element[NAME]
            if element[DEPTH] == 1:
                is_detail = name == "detail"
            elif element[DEPTH] == 2 and is_detail:
                if name not in first:
                    first[name] = element
                if name == "__chat" or name == "__chatreceipt":
                    chats.append(at)
                elif name == "shape":
                    shapes.append(at)
            if name == "link" and is_detail:
                links.append(at)
        faults = event.faults
        corners = _corners(event, links, faults) if event.attributes.get("type", "").startswith(_DRAWN) else []
        drawn = [_shape(event, at, faults) for at in _figures(event, shapes)]
        self._event(record, event, first, transport, before)
        if self._details is not None:
            for row in _details(event):
                self._details.append(record, *row)
        if self._links is not None:
            for at in links:
                _write_link(self._links, record, event.elements[at][ATTRIBUTES])
        if self._chats is not None:
            for at in chats:
                _write_chat(self._chats, record, event, at, first)
        if self._shapes is not None:
            for row in drawn:
                self._shapes.append(record, *row, *_style(first))
            if corners:
                self._shapes.append(record, "points", None, None, None, None, None, corners, *_style(first))

    def _event(self, record: Any, event: Event, first: dict[str, list[Any]], transport: str, before: bytes) -> None:
        cells, faults = event.attributes.get, event.faults
        times = [cells("time"), cells("start"), cells("stale")]
        if not all(time is None or is_time(time) for time in set(times)):
            faults.append("bad_time")
        point = event.point
        if point is None:
            faults.append("missing_point")
            point = _NOTHING
        contact, group = _of(first, "contact"), _of(first, "__group")
        track, status = _of(first, "track"), _of(first, "status")
        lat, lon = point.get("lat"), point.get("lon")
        hae, ce, le = _known(point.get("hae")), _known(point.get("ce")), _known(point.get("le"))
        speed, course, battery = track.get("speed"), track.get("course"), status.get("battery")
        if not are_numbers([it for it in (lat, lon, hae, ce, le, speed, course, battery) if it is not None]):
            faults.append("bad_number")
        kind = cells("type")
        affiliation, dimension = _of_type(kind)
        remarks = first.get("remarks")
        received_at, received_zone = _received(before) if before else (None, None)
        self._events.append(
            record, cells("version"), cells("uid"), kind, affiliation, dimension, cells("how"), *times, lat, lon, hae, ce, le,
            contact.get("callsign"), group.get("name"), group.get("role"), speed, course, battery, contact.get("endpoint"),
            remarks[TEXT] if remarks else None, cells("access"), cells("opex"), cells("qos"), transport,
            received_at, received_zone, event.detail_xml, faults=faults,
        )  # fmt: skip


def _wanted(out: Output, name: str) -> OpenTable | None:
    return out.table(name) if out.wanted(name) else None


def _of(first: dict[str, list[Any]], name: str) -> Cells:
    element = first.get(name)
    return element[ATTRIBUTES] if element is not None else _NOTHING


def _known(number: str | None) -> str | None:
    return None if number is None or is_unknown(number) else number


def _of_type(kind: str | None) -> tuple[str | None, str | None]:
    """Returns whose it is and where it moves: the second and third part of the type of a thing."""
    if kind is None or not kind.startswith("a-"):
        return None, None
    parts = kind.split("-", 3)
    return parts[1], parts[2] if len(parts) > 2 else None


def _received(before: bytes) -> tuple[str | None, str | None]:
    """Returns the time and the zone that the words before an event begin with."""
    found = _RECEIVED.match(before)
    if found is None:
        return None, None
    day, time, fraction, zone = (part.decode() if part else None for part in found.groups())
    return f"{day}T{time}" + (f".{fraction}" if fraction else ""), zone


def _details(event: Event) -> list[tuple[Any, ...]]:
    """Returns a row for every attribute, and one for every element that has a text or no attribute."""
    rows: list[tuple[Any, ...]] = []
    paths: list[str] = []
    for at, (depth, name, attributes, text) in enumerate(event.elements):
        path = f"{paths[depth - 1]}/{name}" if depth else name
        paths[depth:] = [path]
        is_told = attributes is event.attributes or attributes is event.point
        if text is not None and text.isspace():
            text = None
        if text is not None or (not attributes and not is_told):
            rows.append((at, path, None, text))
        for attribute, value in attributes.items():
            if not is_told or attribute not in _IN_EVENTS:
                rows.append((at, path, attribute, value))
    return rows


def _write_link(table: OpenTable, record: Any, link: Cells) -> None:
    cells = link.get
    table.append(
        record, cells("uid"), cells("type"), cells("relation"), cells("point"), cells("parent_callsign"),
        cells("production_time"), cells("url"), cells("mime"), cells("remarks"),
    )  # fmt: skip


def _write_chat(table: OpenTable, record: Any, event: Event, at: int, first: dict[str, list[Any]]) -> None:
    name, chat = event.elements[at][NAME], event.elements[at][ATTRIBUTES].get
    members: Cells = next((it[ATTRIBUTES] for it in _inside(event, at) if it[NAME] == "chatgrp"), _NOTHING)
    others = [uid for key, uid in members.items() if key.startswith("uid") and key[3:].isdigit() and int(key[3:]) > 0]
    remarks = first.get("remarks")
    said = remarks[ATTRIBUTES] if remarks else _NOTHING
    table.append(
        record, name == "__chatreceipt", chat("id"), chat("chatroom"), chat("senderCallsign"), members.get("uid0"), others,
        chat("messageId"), chat("parent"), chat("groupOwner"), said.get("source"), said.get("to"), said.get("time"),
        remarks[TEXT] if remarks else None,
    )  # fmt: skip


def _inside(event: Event, at: int) -> list[list[Any]]:
    """Returns the elements in an element."""
    depth = event.elements[at][DEPTH]
    end = at + 1
    while end < len(event.elements) and event.elements[end][DEPTH] > depth:
        end += 1
    return event.elements[at + 1 : end]


def _figures(event: Event, shapes: list[int]) -> list[int]:
    """Returns where the figures are: ellipses, lines and areas, the children of a shape that are no links."""
    figures = []
    for shape in shapes:
        for at, element in enumerate(_inside(event, shape), shape + 1):
            if element[DEPTH] == 3 and element[NAME] != "link":
                figures.append(at)
    return figures


def _shape(event: Event, at: int, faults: list[str]) -> tuple[Any, ...]:
    figure = event.elements[at]
    cells = figure[ATTRIBUTES].get
    if not all(is_number(it) for it in (cells("major"), cells("minor"), cells("angle")) if it is not None):
        _add(faults, "bad_number")
    corners = [
        _point(it[ATTRIBUTES].get("lat"), it[ATTRIBUTES].get("lon"), it[ATTRIBUTES].get("hae"), faults)
        for it in _inside(event, at)
        if it[NAME] == "vertex"
    ]
    swap = cells("swapAxis")
    return (
        figure[NAME], cells("major"), cells("minor"), cells("angle"), swap and swap.lower(), cells("closed"), corners or None,
    )  # fmt: skip


def _corners(event: Event, links: list[int], faults: list[str]) -> list[dict[str, float | None]]:
    """Returns the corners of what is drawn by links."""
    corners = []
    for at in links:
        if (text := event.elements[at][ATTRIBUTES].get("point")) is not None:
            lat, lon, hae, *_ = [*(part.strip() for part in text.split(",")), None, None, None]
            corners.append(_point(lat, lon, hae, faults))
    return corners


def _point(lat: str | None, lon: str | None, hae: str | None, faults: list[str]) -> dict[str, float | None]:
    made = {}
    for name, text in (("lat", lat), ("lon", lon), ("hae", _known(hae))):
        is_good = text is not None and is_number(text)
        if not is_good and (text is not None or name != "hae"):
            _add(faults, "bad_number")
        made[name] = float(text) if is_good and text is not None else None
    return made


def _style(first: dict[str, list[Any]]) -> tuple[str | None, ...]:
    return (
        _of(first, "strokeColor").get("value"),
        _of(first, "strokeWeight").get("value"),
        _of(first, "strokeStyle").get("value"),
        _of(first, "fillColor").get("value"),
    )


def _add(faults: list[str], code: str) -> None:
    if code not in faults:
        faults.append(code)
