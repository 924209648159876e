"""Where one event ends and the next begins, in all the ways in which Cursor on Target is sent and stored.

XML: one event, events one after the other with something, nothing or a log's words in between, declarations before each,
or all of them within one element. TAK: messages with a length before them (stream), with a version before them (mesh), and the
latter with their length as four bytes before them. A stream that begins as XML and goes on as TAK is both.

Every byte goes into exactly one frame. Frames touch, and none is cut by where reads end.
"""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple

import protobuf
from casparian import Source

CHUNK = 256 << 10
GAP_BYTES_MAX = 64 << 10
"""What is looked at between two events at a time."""
WORDS_BYTES_MAX = 4 << 10
"""What is looked at for the words before the next event, where one does not end."""
MAGIC = 0xBF
MESH_HEAD = 3
LENGTH_HEAD = 4


class Frame(NamedTuple):
    """A stretch of the input. `what` is how an event is sent (`xml`, `tak_v0`, `tak_v1_stream`, `tak_v1_mesh`), or `skip` with
    a kind, or `reject` with a fault; `raw` the bytes of the event, `before` those in front of it."""

    what: str
    offset: int
    length: int
    raw: bytes = b""
    before: bytes = b""
    code: str = ""
    message: str = ""


# None of these looks further than the next of its kind, so that many beginnings without an end cost no more than one.
_COMMENT = rb"<!--(?:[^-]|-(?!-))*+-->"
_DOCTYPE = rb"<!DOCTYPE[^\[<>]*+(?:\[(?:(?!<!DOCTYPE)[^\]])*+\]\s*+)?>"
_ATTRIBUTE = rb"[\w.:-]++\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+')"
_EVENT = re.compile(rb"<event(?=[\s/>])")
_EVENT_TAG = re.compile(rb"<event(?:[^<>\"']|\"[^\"<]*+\"|'[^'<]*+')*+>")
_TOKEN = re.compile(rb"<!--|<!\[CDATA\[|<event(?=[\s/>])|</event\s*+>")
_CLOSE = re.compile(rb"</event\s*+>")
_LINE_END = re.compile(rb"[ \t\r]{0,64}\n")
# Messages of no bytes, but what may as well be the beginning of an event in a mesh.
_EMPTY = re.compile(rb"(?:\xbf\x00(?=[^\xbf]|\xbf[^<]|\Z))++", re.DOTALL)
_BLANK = re.compile(rb"[\s\0]++")
_HIDING = re.compile(rb"<!--|<!DOCTYPE")
_HIDDEN = re.compile(_COMMENT + rb"|" + _DOCTYPE)
_GAP = re.compile(
    rb"(?P<blank>[\s\0]++)|(?P<comment>" + _COMMENT + rb")|(?P<doctype>" + _DOCTYPE + rb")"
    rb"|(?P<declaration><\?(?:[^<>?]|\?(?!>))*+\?>)"
    # An element around events; what is left of a broken event is none.
    rb"|(?P<open><(?!(?:event|detail|point)[\s/>])[A-Za-z_][\w.:-]*+(?:\s++" + _ATTRIBUTE + rb")*+\s*+>)"
    rb"|(?P<close></(?!(?:event|detail|point)[\s>])[A-Za-z_][\w.:-]*+\s*+>)"
    rb"|(?P<broken><(?=[/A-Za-z_]))|(?P<text>[^<\n\0]++|<)"
)  # fmt: skip
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()
_HIDING = re.compile(rb"<!--|<!DOCTYPE")
_HIDDEN = re.compile(rb"<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>", re.DOTALL)
_ENDS = {b"<!--": b"-->", b"<![CDATA[": b"]]>"}
_TEXTS = ("text", "broken")
_HEADS = ("declaration", "doctype")
_SKIPS = {"blank": "blank", "comment": "comment", "declaration": "header", "open": "header", "close": "footer"}


def frames(source: Source, bytes_max: int) -> Iterator[Frame]:
    """Yields the frames of the source's range. An event that is longer than `bytes_max` is none."""
    return _Reader(source, bytes_max).frames()


class _Reader:
    """Reads on as far as the event that it is in."""

    def __init__(self, source: Source, bytes_max: int) -> None:
        self._source = source
        self._max = bytes_max
        self._at, self._end = source.range[0], source.range[0] + source.range[1]
        self._raw = b""
        self._pos = 0
        self._is_tak = False
        self._absent: dict[bytes, int] = {}
        """From where on what is read has no end of a comment or of CDATA, if that is known."""
        self._more()

    def _more(self) -> bool:
        """Reads on, and lets go what has been told. Returns whether there was more."""
        held = self._at + len(self._raw)
        if held >= self._end:
            return False
        self._absent.clear()
        self._raw = self._raw[self._pos :] + self._source.raw_at(held, min(CHUNK, self._end - held))
        self._at += self._pos
        self._pos = 0
        return True

    def _is_full(self) -> bool:
        return len(self._raw) - self._pos > self._max

    def _left(self) -> int:
        """Returns how many bytes there are from here to the end of the range, read or not."""
        return self._end - self._at - self._pos

    def _need(self, n: int) -> bool:
        while len(self._raw) - self._pos < n:
            if not self._more():
                return False
        return True

    def _frame(self, what: str, end: int, body: tuple[int, int] = (0, 0), code: str = "", message: str = "") -> Frame:
        """Makes a frame of what lies before `end`, and goes on behind it."""
        begin, self._pos = self._pos, end
        first, last = body
        before = self._raw[begin:first] if last else b""
        return Frame(what, self._at + begin, end - begin, self._raw[first:last], before, code, message)

    def frames(self) -> Iterator[Frame]:
        if self._at == 0 and self._raw.startswith(_MARK):
            yield self._frame("skip", len(_MARK), code="preamble")
        if self._at == 0 and self._has_lengths():
            yield from self._lengths()
            return
        while self._need(1):
            byte = self._raw[self._pos]
            if byte == MAGIC:
                yield self._empty() or self._tak()
                self._is_tak = True
            elif blank := _BLANK.match(self._raw, self._pos):
                yield self._frame("skip", blank.end(), code="blank")
            elif self._is_tak and byte != ord("<"):
                yield self._lost("bad_magic", f"byte {byte:#04x} where a message begins with 0xbf")
            else:
                self._is_tak = False
                yield from self._xml()

    # XML

    def _xml(self) -> Iterator[Frame]:
        begin = self._begin()
        if begin is None:
            yield from self._gap(self._gap_end())
            return
        yield from self._gap(begin, has_event=True)
        yield self._event(begin)

    def _begin(self) -> int | None:
        """Returns where the next event begins; nothing where there is none near."""
        while True:
            limit = min(len(self._raw), self._pos + GAP_BYTES_MAX)
            begin, is_known = self._next_event(limit)
            if is_known or limit - self._pos >= GAP_BYTES_MAX or not self._more():
                return begin

    def _next_event(self, limit: int) -> tuple[int | None, bool]:
        """Returns where an event begins, no comment or DTD around it, and whether that is known already."""
        start = self._pos
        while True:
            found = _EVENT.search(self._raw, start, limit)
            hiding = _HIDING.search(self._raw, start, found.start() if found else limit)
            if hiding is None:
                return (found.start(), True) if found else (None, False)
            whole = _HIDDEN.match(self._raw, hiding.start(), limit)
            if whole is None:
                return (found.start() if found else None), False
            start = whole.end()

    def _gap_end(self) -> int:
        """Returns how much may be told of bytes without an event: all at the end of the input, else whole lines."""
        limit = min(len(self._raw), self._pos + GAP_BYTES_MAX)
        if limit == len(self._raw) and self._at + limit >= self._end:
            return limit
        line = self._raw.rfind(b"\n", self._pos, limit) + 1
        # The beginning of a tag may be there.
        return line if line > self._pos else limit - len(b"<event")

    def _gap(self, end: int, has_event: bool = False) -> Iterator[Frame]:
        """Tells what stands between events. What belongs to the event behind it stays."""
        if end == self._pos:
            return
        parts = [(it.lastgroup or "text", it.start(), it.end()) for it in _GAP.finditer(self._raw, self._pos, end)]
        own = self._own(parts) if has_event else len(parts)
        at = 0
        while at < own:
            kind = parts[at][0]
            if kind in _TEXTS:
                at = self._line(parts, at, own)
                line_end = parts[at - 1][2]
                shown = self._raw[self._pos : min(line_end, self._pos + 60)].decode(errors="replace").strip()
                yield self._frame("reject", line_end, code="not_cot", message=f"no event: {shown!r}")
            elif kind == "doctype":
                at += 1
                message = "a document type is never read"
                yield self._frame("reject", parts[at - 1][2], code="dtd_forbidden", message=message)
            else:
                at += 1
                yield self._frame("skip", parts[at - 1][2], code=_SKIPS[kind])

    def _own(self, parts: list[tuple[str, int, int]]) -> int:
        """Returns the first of the parts that belong to the event behind them: a declaration, a DTD, the words of its line."""
        at = len(parts)
        for _ in range(2):
            before = at - 1 if at and parts[at - 1][0] == "blank" else at
            if before and parts[before - 1][0] in _HEADS:
                at = before - 1
        words = at
        while words and (parts[words - 1][0] in _TEXTS or self._is_inner(parts[words - 1])):
            words -= 1
        # What is left of an event is no words.
        return at if any(kind == "broken" for kind, _, _ in parts[words:at]) else words

    def _is_inner(self, part: tuple[str, int, int]) -> bool:
        return part[0] == "blank" and b"\n" not in self._raw[part[1] : part[2]]

    def _line(self, parts: list[tuple[str, int, int]], at: int, own: int) -> int:
        """Returns the first part behind the line that a text stands in."""
        while at < own:
            kind, begin, end = parts[at]
            at += 1
            if kind == "blank" and b"\n" in self._raw[begin:end]:
                break
        return at

    def _event(self, begin: int) -> Frame:
        """Returns the event that begins there, with what stands before it."""
        end, is_whole, begin = self._event_end(begin)
        if end is None:
            return self._oversized()
        if not is_whole:
            message = "the event does not end before the next one begins, or the input ends"
            return self._frame("reject", self._unclosed(begin, end), code="not_well_formed", message=message)
        if end - begin > self._max:
            return self._frame("reject", end, code="oversized_record", message=f"{end - begin} bytes: limit {self._max}")
        line = _LINE_END.match(self._raw, end)
        return self._frame("xml", line.end() if line else end, (begin, end))

    def _event_end(self, begin: int) -> tuple[int | None, bool, int]:
        """Returns where an event ends, whether that is its own end, and where it begins now. Nothing where it is too long."""
        while True:
            end, is_whole = self._close(begin)
            if end is not None and not self._is_at_edge(end):
                return end, is_whole, begin
            if end is None and len(self._raw) - begin > self._max:
                return None, False, begin
            told = self._pos
            if not self._more():
                return (len(self._raw) if end is None else end), is_whole, begin
            begin -= told

    def _is_at_edge(self, end: int) -> bool:
        # The line end that belongs to the event may not have been read yet.
        return len(self._raw) - end < 66 and self._at + len(self._raw) < self._end

    def _close(self, begin: int) -> tuple[int | None, bool]:
        """Returns where an event ends, and whether that is its own end; nothing where it is not read yet."""
        raw = self._raw
        following = _EVENT.search(raw, begin + 6)
        close = raw.find(b"</event", begin, following.start() if following else len(raw))
        if close >= 0 and raw.find(b"<!", begin, close) < 0 and (found := _CLOSE.match(raw, close)):
            return found.end(), True
        return self._close_with_care(begin)

    def _close_with_care(self, begin: int) -> tuple[int | None, bool]:
        """Returns the same where there are no tags in comments and CDATA."""
        raw = self._raw
        tag = _EVENT_TAG.match(raw, begin)
        if tag and tag.group().endswith(b"/>"):
            return tag.end(), True
        at = begin + 6
        while token := _TOKEN.search(raw, at):
            what, at = token.group(), token.end()
            if what == b"<event":
                return token.start(), False
            if what.startswith(b"</"):
                return at, True
            if at < self._absent.get(what, len(raw)):
                end = raw.find(_ENDS[what], at)
                if end < 0:
                    self._absent[what] = at
                else:
                    at = end + 3
        return None, False

    def _unclosed(self, begin: int, end: int) -> int:
        """Returns where an event ends that has no end: the words in front of the next one are the next one's."""
        if end == len(self._raw) and self._at + end >= self._end:
            return end
        first = max(begin, self._raw.rfind(b"</", begin, end), self._raw.rfind(b"/>", begin, end))
        first = max(self._raw.find(b">", first, end) + 1 or first, end - WORDS_BYTES_MAX)
        parts = [(it.lastgroup or "text", it.start(), it.end()) for it in _GAP.finditer(self._raw, first, end)]
        own = self._own(parts)
        is_theirs = own < len(parts) and (own > 0 or parts[own][0] in _HEADS)
        return parts[own][1] if is_theirs else end

    def _oversized(self) -> Frame:
        begin = self._at + self._pos
        close = self._source.find(b"</event>", begin + self._max, self._end)
        end = self._end if close is None else close + len(b"</event>")
        self._at, self._raw, self._pos = end, b"", 0
        message = f"more than {self._max} bytes"
        return Frame("reject", begin, end - begin, code="oversized_record", message=message)

    # TAK

    def _tak(self) -> Frame:
        self._need(16)
        raw, pos = self._raw, self._pos
        head = raw[pos : pos + 8]
        if head[2:3] == b"\xbf" and (1 <= head[1] < 0x80 or (head[1] == 0 and head[3:4] == b"<")):
            return self._mesh(head[1])
        length, body = protobuf.varint(raw, pos + 1, min(len(raw), pos + 6))
        if length is None:
            return self._lost("protobuf_truncated", "the length of a message is cut off or has more than five bytes")
        head_bytes = body - pos
        if length > self._max:
            return self._lost("oversized_record", f"a message of {length} bytes: limit {self._max}")
        if length + head_bytes > self._left():
            short = f"a message of {length} bytes, and {self._left() - head_bytes} are left"
            return self._lost("protobuf_truncated", short)
        self._need(head_bytes + length + 1)
        begin, end = self._pos + head_bytes, self._pos + head_bytes + length
        if not self._can_follow(end) and not protobuf.is_message(self._raw[begin:end]):
            return self._lost("bad_magic", f"behind {length} bytes that are no message there is no other one")
        return self._frame("tak_v1_stream", end, (begin, end))

    def _empty(self) -> Frame | None:
        """Returns the messages of no bytes that stand here, if any do."""
        self._need(4)
        found = _EMPTY.match(self._raw, self._pos)
        if found is None:
            return None
        # What the last of those that were read is, the next bytes tell.
        is_at_edge = found.end() == len(self._raw) and self._at + found.end() < self._end
        return self._frame("skip", found.end() - 2 if is_at_edge else found.end(), code="padding")

    def _can_follow(self, end: int) -> bool:
        return end >= len(self._raw) or self._raw[end] in (MAGIC, ord("<")) or self._raw[end : end + 1].isspace()

    def _mesh(self, version: int) -> Frame:
        """Returns a message that a version stands before: it ends where its fields do."""
        if version > 1:
            return self._lost("unknown_version", f"version {version}: 0 and 1 are known")
        while True:
            begin = self._pos + MESH_HEAD
            end, is_cut = protobuf.fields_end(self._raw, begin) if version else self._v0_end(begin)
            if not is_cut or self._is_full() or not self._more():
                break
        begin = self._pos + MESH_HEAD
        if end == begin or is_cut or not self._can_follow(end):
            return self._lost("protobuf_truncated", f"the message is not whole behind its first {end - begin} bytes")
        return self._message(version, end, begin)

    def _v0_end(self, begin: int) -> tuple[int, bool]:
        found = _EVENT.search(self._raw, begin)
        end, is_whole = self._close(found.start()) if found else (None, False)
        return (end, False) if end is not None and is_whole else (begin, True)

    def _message(self, version: int, end: int, begin: int) -> Frame:
        if version:
            return self._frame("tak_v1_mesh", end, (begin, end))
        found = _EVENT.search(self._raw, begin, end)
        if found is None:
            return self._frame("reject", end, code="not_well_formed", message="a message of version 0 without an event")
        return self._frame("tak_v0", end, (found.start(), end))

    def _lost(self, code: str, message: str) -> Frame:
        """Rejects what lies before the next message."""
        while True:
            end = self._next_message(self._pos + 1)
            if end < len(self._raw) or self._is_full() or not self._more():
                return self._frame("reject", end, code=code, message=message)

    def _next_message(self, start: int) -> int:
        message = self._message_at(start)
        event = _EVENT.search(self._raw, start, message)
        return event.start() if event else message

    def _message_at(self, start: int) -> int:
        """Returns where something begins that may well be a message."""
        raw = self._raw
        while (start := raw.find(b"\xbf", start)) >= 0:
            if raw[start + 1 : start + 4] in (b"\x01\xbf\x12", b"\x01\xbf\x0a", b"\x00\xbf<"):
                return start
            length, body = protobuf.varint(raw, start + 1, min(len(raw), start + 6))
            if length and raw[body : body + 1] in (b"\x12", b"\x0a"):
                end = body + length
                if end == len(raw) or raw[end : end + 1] == b"\xbf":
                    return start
            start += 1
        return len(raw)

    # TAK with four bytes of length

    def _has_lengths(self) -> bool:
        if self._left() < LENGTH_HEAD + MESH_HEAD:
            return False
        self._need(LENGTH_HEAD + MESH_HEAD)
        length = int.from_bytes(self._raw[:LENGTH_HEAD], "little")
        return self._raw[0] != MAGIC and self._raw[4] == self._raw[6] == MAGIC and length <= self._max

    def _lengths(self) -> Iterator[Frame]:
        while self._need(1):
            if not self._need(LENGTH_HEAD):
                message = f"{self._left()} bytes where a length has 4"
                yield self._rest("protobuf_truncated", message)
                return
            length = int.from_bytes(self._raw[self._pos : self._pos + LENGTH_HEAD], "little")
            if length > self._max or length + LENGTH_HEAD > self._left():
                yield self._rest("protobuf_truncated", f"a message of {length} bytes, and {self._left() - 4} are left")
                return
            self._need(LENGTH_HEAD + length)
            yield self._with_length(length)

    def _with_length(self, length: int) -> Frame:
        begin = self._pos + LENGTH_HEAD
        end = begin + length
        head = self._raw[begin : min(end, begin + MESH_HEAD)]
        if len(head) < MESH_HEAD or head[0] != MAGIC or head[2] != MAGIC:
            return self._frame("reject", end, code="bad_magic", message=f"{head.hex(' ')} where `bf VERSION bf` begins a message")
        if head[1] > 1:
            return self._frame("reject", end, code="unknown_version", message=f"version {head[1]}: 0 and 1 are known")
        return self._message(head[1], end, begin + MESH_HEAD)

    def _rest(self, code: str, message: str) -> Frame:
        begin = self._at + self._pos
        self._at, self._raw, self._pos = self._end, b"", 0
        return Frame("reject", begin, self._end - begin, code=code, message=message)
