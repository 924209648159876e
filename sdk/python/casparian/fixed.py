"""Records whose fields have fixed places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from casparian.shapes import Span
from casparian.source import BAD_TEXT, not_text, of_lines, unmarked

if TYPE_CHECKING:
    from casparian.source import Raw, Source

BAD_LENGTH = "bad_length"

FixedSpec = Mapping[str, int | tuple[int, int]]


class FixedRow(dict[str, str]):
    """The fields of a record by name, and where it is. `raw` is all of it without the line end."""

    __slots__ = ("offset", "length", "raw")
    offset: int
    length: int
    raw: bytes

    @property
    def span(self) -> Span:
        """Returns where it is, line end included."""
        return Span(self.offset, self.length)


def read(source: Source, spec: FixedSpec, record_bytes: int | None, encoding: str) -> Iterator[FixedRow]:
    """Yields the records that begin in the range. Raises `ValueError` where the spec makes no sense."""
    places, encoding = _places(spec), of_lines(encoding) if record_bytes is None else unmarked(encoding)
    size = max((end for _, end in places.values()), default=0)
    if record_bytes is not None and record_bytes < size:
        raise ValueError(f"a record has {record_bytes} bytes, its fields {size}")
    is_exact = all(isinstance(place, int) for place in spec.values())
    for raw in _lines(source) if record_bytes is None else _stretches(source, record_bytes):
        wanted = size if record_bytes is None else record_bytes
        if len(raw) < wanted or (len(raw) > wanted and is_exact):
            _refuse(source, raw, wanted)
            continue
        try:
            row = FixedRow((name, raw[b:e].decode(encoding, "surrogateescape")) for name, (b, e) in places.items())
        except UnicodeDecodeError as why:
            source.reject(raw.span, BAD_TEXT, not_text(why))
            continue
        row.offset, row.length, row.raw = raw.offset, raw.length, raw
        source.current = row
        yield row


def _refuse(source: Source, raw: Raw, wanted: int) -> None:
    if not raw:
        source.skip(raw.span, "blank")
        return
    source.reject(raw.span, BAD_LENGTH, f"{len(raw)} bytes: the fields take {wanted}")


def _places(spec: FixedSpec) -> dict[str, tuple[int, int]]:
    places, at = {}, 0
    for name, place in spec.items():
        begin, end = (at, at + place) if isinstance(place, int) else place
        if not 0 <= begin < end:
            raise ValueError(f"field `{name}` has no bytes: {begin}..{end}")
        places[name] = (begin, end)
        at = end
    return places


def _lines(source: Source) -> Iterator[Raw]:
    from casparian.source import Raw

    for raw in source.records(b"\n"):
        if raw.endswith(b"\r") and raw.length > len(raw):
            bare = Raw(raw[:-1])
            bare.offset, bare.length = raw.offset, raw.length
            raw = bare
        yield raw


def _stretches(source: Source, size: int) -> Iterator[Raw]:
    """Yields stretches of one length. They are counted from the beginning of the input."""
    range = source.range
    at = -(-range.offset // size) * size
    per_read = max(1, (256 << 10) // size)
    while at < min(range.end, source.size):
        many = source.raw_at(at, size * per_read)
        for begin in _steps(at, many, size, range.end):
            part = many[begin - at : begin - at + size]
            yield source.made(part, begin, len(part))
        at += size * per_read


def _steps(at: int, many: bytes, size: int, range_end: int) -> Iterator[int]:
    yield from range(at, min(at + len(many), range_end), size)
