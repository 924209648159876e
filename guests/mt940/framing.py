"""Where one statement ends and the next begins.

A message begins with its block headers, with the control character that some banks put before it, or with `:20:`; it ends
with a line of `-` or `-}`, or where the next one begins. A line that begins with a tag is a field, any other goes on with it.
"""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple

from casparian import Raw, Source

_TAG = re.compile(rb":([0-9]{2}[A-Z]?|NS):")
_END = re.compile(rb"-(?:\}(?:\{[^\n]*)?)?\x03?")
_FILLER = re.compile(rb"[\s\0\x03$]*")
_STARTS = (b"{1:", b"\x01{1:")


class Field(NamedTuple):
    """A field of a message: its tag and its lines; the first one stands behind the tag."""

    tag: str
    lines: list[bytes]


class Message(NamedTuple):
    """A stretch of the input that is a message, or rejected with `code`, or skipped where the code is a kind of skip."""

    offset: int
    length: int
    header: bytes
    fields: list[Field]
    code: str = ""
    message: str = ""


class _Draft:
    """A message that has not ended yet."""

    def __init__(self, offset: int) -> None:
        self.offset = self.end = offset
        self.header = b""
        self.fields: list[Field] = []
        self.has_reference = False

    def take(self, line: Raw, text: bytes, bytes_max: int) -> None:
        """Takes a line. What is too long is counted and not kept."""
        self.end = line.offset + line.length
        if self.end - self.offset > bytes_max:
            self.fields = []
            return
        tag = _TAG.match(text)
        if tag:
            self.has_reference = self.has_reference or tag.group(1) == b"20"
            self.fields.append(Field(tag.group(1).decode(), [text[tag.end() :]]))
        elif self.fields:
            self.fields[-1].lines.append(text)
        else:
            self.header += text

    def done(self, bytes_max: int) -> Message:
        """Returns the message."""
        length = self.end - self.offset
        if length > bytes_max:
            return Message(self.offset, length, b"", [], "oversized_record", f"{length} bytes: limit {bytes_max}")
        if not self.fields:
            return Message(self.offset, length, b"", [], "not_mt", f"no field: {self.header[:60].decode('latin-1')!r}")
        return Message(self.offset, length, self.header, self.fields)


def messages(source: Source, bytes_max: int) -> Iterator[Message]:
    """Yields the messages of a source, and what stands between them."""
    draft: _Draft | None = None
    for line in source.records(b"\n"):
        text = bytes(line[:-1] if line.endswith(b"\r") else line)
        if draft is not None and _begins(text, draft):
            yield draft.done(bytes_max)
            draft = None
        if draft is None:
            if _FILLER.fullmatch(text):
                yield Message(line.offset, line.length, b"", [], "separator" if text.strip() else "blank")
                continue
            if not text.startswith((*_STARTS, b"\x01")) and not _TAG.match(text):
                shown = text[:60].decode("latin-1")
                yield Message(line.offset, line.length, b"", [], "not_mt", f"no message: {shown!r}")
                continue
            draft = _Draft(line.offset)
        if is_end := _END.fullmatch(text.rstrip()) is not None:
            draft.end = line.offset + line.length
        else:
            # A field may stand behind the headers of its message.
            head = text.rfind(b"{4:") + 3 if text.startswith(_STARTS) and b"{4:" in text else 0
            if head and text[head:].strip():
                draft.header = text[:head]
                text = text[head:]
            draft.take(line, text, bytes_max)
        if is_end:
            yield draft.done(bytes_max)
            draft = None
    if draft is not None:
        yield draft.done(bytes_max)


def _begins(text: bytes, draft: _Draft) -> bool:
    """Returns whether a line begins the next message."""
    if text.startswith(_STARTS):
        return True
    return text.startswith(b":20:") and (draft.has_reference or bool(draft.fields))
