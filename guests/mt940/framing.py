"""Where one statement ends and the next begins.

A message begins with its block headers, with the control character that some banks put before it, or with `:20:`; it ends
with a line of `-` or `-}`, or where the next one begins. A line that begins with a tag is a field, any other goes on with it.

Lines are looked at one by one only where there is no message: within one, the ends are searched for in a whole block.
"""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple

from casparian import Source

_TAG = re.compile(rb"([0-9]{2}[A-Z]?|NS):")
# A field may stand in the line of the headers of its message.
_FIELD = re.compile(rb"(?:^|(?<=\{4:)):([0-9]{2}[A-Z]?|NS):", re.MULTILINE)
_EDGE = re.compile(rb"^(?:(-(?:\}(?:\{[^\n]*)?)?\x03?[ \t\r]*(?:\n|\Z))|\x01?\{1:|:20:)", re.MULTILINE)
_FILLER = re.compile(rb"[\s\0\x03$]*")
_STARTS = (b"{1:", b"\x01")


class Message(NamedTuple):
    """A stretch of the input: a message with the bytes before its first field and its tags and fields, one after the other; or
    what is to be rejected with `code`, or skipped where the code is a kind of skip."""

    offset: int
    length: int
    header: bytes = b""
    fields: list[bytes] = []
    code: str = ""
    message: str = ""


class _Draft:
    """A message that has not ended yet."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.length = 0
        self._parts: list[bytes] = []

    def take(self, raw: bytes, length: int, bytes_max: int) -> None:
        """Takes lines. What is too long is counted and not kept."""
        self.length += length
        self._parts = [*self._parts, raw] if self.length <= bytes_max else []

    def has_field(self) -> bool:
        """Returns whether there is a field in it."""
        return any(_FIELD.search(part) for part in self._parts)

    def done(self, end: int, bytes_max: int) -> Message:
        """Returns the message, with the bytes of the line that ends it."""
        length = self.length + end
        if length > bytes_max:
            return Message(self.offset, length, code="oversized_record", message=f"{length} bytes: limit {bytes_max}")
        header, fields = _split(b"".join(self._parts))
        if not fields:
            return Message(self.offset, length, code="not_mt", message=f"no field: {_shown(header)}")
        return Message(self.offset, length, header, fields)


def _split(raw: bytes) -> tuple[bytes, list[bytes]]:
    """Returns what stands before the first field of a message, and its tags and fields, one after the other."""
    header, *pieces = (b"\n" + raw).split(b"\n:")
    header = header[1:]
    headers, brace, rest = header.partition(b"{4:")
    if rest.startswith(b":"):
        header, pieces = headers + brace, [rest[1:], *pieces]
    tags: list[bytes] = []
    texts = [[header]]
    for piece in pieces:
        if tag := _TAG.match(piece):
            tags.append(tag.group(1))
            texts.append([piece[tag.end() :]])
        else:
            texts[-1].append(piece)
    header, *whole = [b"\n:".join(parts) for parts in texts]
    return header, [it for pair in zip(tags, whole) for it in pair]


def _shown(raw: bytes) -> str:
    return repr(raw[:60].decode("latin-1").rstrip())


def messages(source: Source, bytes_max: int) -> Iterator[Message]:
    """Yields the messages of a source, and what stands between them."""
    draft: _Draft | None = None
    for block in source.blocks(b"\n"):
        if block.raw is None:
            # A line that is longer than any message.
            if draft is None:
                yield Message(block.offset, block.length, code="not_mt", message=f"a line of {block.length} bytes")
            else:
                draft.take(b"", block.length, bytes_max)
            continue
        raw, at = block.raw, 0
        while at < len(raw):
            if draft is None:
                for found in _gap(raw, at, block.offset):
                    at += found.length
                    yield found
                if at == len(raw):
                    break
                draft = _Draft(block.offset + at)
                # The line that begins a message does not end it.
                edge = _EDGE.search(raw, raw.find(b"\n", at) + 1 or len(raw))
            else:
                edge = _EDGE.search(raw, at)
            while edge and edge.group() == b":20:" and not _is_behind_field(draft, raw, at, edge.start()):
                edge = _EDGE.search(raw, edge.end())
            end = edge.start() if edge else len(raw)
            draft.take(raw[at:end], end - at, bytes_max)
            at = end
            if edge:
                closing = edge.group(1) or b""
                yield draft.done(len(closing), bytes_max)
                at, draft = at + len(closing), None
    if draft is not None:
        yield draft.done(0, bytes_max)


def _is_behind_field(draft: _Draft, raw: bytes, begin: int, end: int) -> bool:
    """Returns whether a reference is that of the next message: before it there are fields of this one."""
    return draft.length > 0 and draft.has_field() or _FIELD.search(raw, begin, end) is not None


def _gap(raw: bytes, at: int, offset: int) -> Iterator[Message]:
    """Yields the lines before the next message, one by one."""
    while at < len(raw):
        end = raw.find(b"\n", at) + 1 or len(raw)
        line = raw[at:end]
        if _FILLER.fullmatch(line):
            yield Message(offset + at, end - at, code="separator" if line.strip() else "blank")
        elif line.startswith(_STARTS) or _FIELD.match(line):
            return
        else:
            yield Message(offset + at, end - at, code="not_mt", message=f"no message: {_shown(line)}")
        at = end
