"""Cursor on Target into tables: events as XML or as TAK messages, however they were stored."""

from __future__ import annotations

import re
from typing import cast

import tak
from casparian import Layout, Option, Output, Source, Span, Table, parser
from casparian.shapes import SkipKind
from event import Event, Unread, XmlReader
from framing import Frame, frames
from rows import Rows

_EVENTS = Table(
    "events",
    version=str, uid=str, type=str, affiliation=str, battle_dim=str, how=str,
    time="timestamp[us, UTC]", start="timestamp[us, UTC]", stale="timestamp[us, UTC]",
    lat=float, lon=float, hae=float, ce=float, le=float,
    callsign=str, team=str, role=str, speed=float, course=float, battery=int, endpoint=str, remarks=str,
    access=str, opex=str, qos=str, transport=str, received_at="timestamp[ns]", received_zone=str, detail_xml=str,
    doc="One row per event.",
)  # fmt: skip
_DETAILS = Table(
    "details",
    element="uint32", path=str, attr=str, value=str,
    typed=["element"], default_on=False,
    doc="One row per attribute of the elements in an event, and one per text of an element or element without attributes.",
)  # fmt: skip
_LINKS = Table(
    "links",
    uid=str, type=str, relation=str, point=str, parent_callsign=str, production_time=str, url=str, mime=str, remarks=str,
    doc="One row per link of an event to another one, or to a place.",
)  # fmt: skip
_CHATS = Table(
    "chats",
    is_receipt=bool, id=str, chatroom=str, sender_callsign=str, sender_uid=str, recipient_uids=list[str], message_id=str,
    parent=str, group_owner=str, source=str, to=str, sent_at=str, text=str,
    typed=["is_receipt"],
    doc="One row per chat message or receipt.",
)  # fmt: skip
_SHAPES = Table(
    "shapes",
    kind=str, major=float, minor=float, angle=float, swap_axis=bool, closed=str,
    points=[{"lat": float, "lon": float, "hae": float}],
    stroke_color=str, stroke_weight=str, stroke_style=str, fill_color=str,
    doc="One row per figure that is drawn.",
)  # fmt: skip

FAULTS = {
    "not_well_formed": "The XML is broken: the event is rejected.",
    "dtd_forbidden": "There is a document type: nothing of it is read, and the event is rejected.",
    "unknown_encoding": "The XML declares an encoding that is none of UTF-8, US-ASCII, ISO-8859-1, Windows-1252: rejected.",
    "too_deep": "Elements are more than 64 deep, or their path has more than 1024 characters: rejected.",
    "not_cot": "What stands between events is none and around none: rejected.",
    "oversized_record": "An event or message is longer than `record-bytes-max`: rejected.",
    "protobuf_truncated": "A message is cut off, or says a length that it has not: rejected.",
    "bad_protobuf": "A message is no protocol buffer, or a field is not what it should be: rejected.",
    "bad_magic": "There is no 0xbf where a message begins: rejected.",
    "unknown_version": "A message is of a version of the protocol other than 0 and 1: rejected.",
    "no_event": "A message holds no event: rejected.",
    "unknown_field": "A message has fields that are in no table.",
    "missing_point": "The event has no point.",
    "bad_time": "time, start or stale is no point in time with a zone.",
    "bad_number": "A number of the event or of a shape is none.",
}

_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"'>]{1,40})[\"']")
_END = b"</event>\n"
_ENDED = re.compile(rb"</event\s*+>(?:[ \t\r]{0,64}\n)?")
_ENDED_BYTES_MAX = 128
BYTES_MAX = 8 << 20
_DECLARED = re.compile(rb"<\?xml\s")
_KNOWN = {
    b"utf-8": "utf-8", b"utf8": "utf-8", b"us-ascii": "ascii", b"ascii": "ascii",
    b"iso-8859-1": "latin-1", b"latin-1": "latin-1", b"latin1": "latin-1", b"windows-1252": "cp1252", b"cp1252": "cp1252",
}  # fmt: skip


def _sniff(source: Source) -> int:
    head = source.read(0, 4096)
    if re.search(rb"<event\s[^>]*\buid\s*=", head):
        return 95
    if head[:3] in (b"\xbf\x01\xbf", b"\xbf\x00\xbf") or head[4:7] in (b"\xbf\x01\xbf", b"\xbf\x00\xbf"):
        return 90
    return 60 if re.match(rb"\xbf[\x80-\xff]{0,2}[\0-\x7f][\x0a\x12]", head) else 0


def _is_cut(source: Source) -> bool:
    """Whether an event can be read by itself: the input is XML in UTF-8 from the start."""
    head = source.read(0, 4096)
    found = _ENCODING.search(head)
    if not head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") or b"\xbf" in head[:8].lstrip(b"\xef\xbb\xbf"):
        return False
    return not found or _KNOWN.get(found.group(1).lower()) == "utf-8"


def _plan(source: Source, out: Output, target_bytes: int) -> Layout | None:
    """Cuts behind events. What is not XML in UTF-8 from the start is one range: only its beginning tells what it is."""
    return Layout.cut_at(source.size, source.cuts(_END, target_bytes)) if _is_cut(source) else None


def _resync(source: Source, after: int) -> int | None:
    """Returns where the frame ends that begins at `after`; behind the last byte of an event, where that ends."""
    if after >= source.size or not _is_cut(source):
        return None
    if _ends(source, after + 1):
        return after + 1
    source.range = Span(after, source.size - after)
    frame = next(frames(source, BYTES_MAX), None)
    return source.size if frame is None else frame.offset + frame.length


def _ends(source: Source, at: int) -> bool:
    """Whether an event ends at `at`, with what belongs to it of its line. The end of the input belongs to the last one."""
    start = max(0, at - _ENDED_BYTES_MAX)
    return any(found.end() == at - start for found in _ENDED.finditer(source.read(start, 2 * _ENDED_BYTES_MAX)))


@parser(
    name="cot",
    version="0.1.0",
    patterns=["*.cot", "*.tak"],
    outputs=[_EVENTS, _DETAILS, _LINKS, _CHATS, _SHAPES],
    faults=FAULTS,
    options={"record-bytes-max": Option(1 << 20, "The longest event or message, 1024 to 8388608 bytes.")},
    sniff=_sniff,
    plan=_plan,
    resync=_resync,
)
def parse(source: Source, out: Output) -> None:
    """Cursor on Target: events of position and chat, as XML or as TAK messages."""
    bytes_max = int(source.options["record-bytes-max"])
    if not 1024 <= bytes_max <= BYTES_MAX:
        raise ValueError(f"record-bytes-max: {bytes_max} is not in 1024 to {BYTES_MAX}")
    reader = _Reader()
    rows = Rows(out)
    for frame in frames(source, bytes_max):
        if frame.what == "skip":
            reader.look(source.read(frame.offset, min(frame.length, 256)) if frame.code == "header" else b"")
            out.skip(Span(frame.offset, frame.length), cast(SkipKind, frame.code))
        elif frame.what == "reject":
            out.reject(Span(frame.offset, frame.length), frame.code, frame.message)
        else:
            source.current = frame_span = Span(frame.offset, frame.length)
            try:
                rows.write(frame_span, reader.read(frame), frame.what, frame.before)
            except Unread as why:
                out.reject(frame_span, why.code, why)


class _Reader:
    """Reads events in the encoding that was declared last."""

    def __init__(self) -> None:
        self._xml = XmlReader()
        self._encoding: str | None = "utf-8"

    def look(self, before: bytes) -> None:
        """Looks for a declaration in what stands before an event."""
        if not _DECLARED.search(before):
            return
        found = _ENCODING.search(before)
        self._encoding = _KNOWN.get(found.group(1).lower()) if found else "utf-8"

    def read(self, frame: Frame) -> Event:
        """Reads an event. Raises [`Unread`]."""
        if frame.what.startswith("tak_v1"):
            return tak.read(frame.raw, self._xml)
        if frame.before:
            self.look(frame.before)
            if b"<!DOCTYPE" in frame.before:
                raise Unread("dtd_forbidden", "a document type stands before the event")
        if self._encoding is None:
            raise Unread("unknown_encoding", "the declared encoding is not read here")
        return self._xml.read(frame.raw, self._encoding)
