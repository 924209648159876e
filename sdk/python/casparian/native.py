"""A host on a developer's machine: it remembers what it is told and refuses what `wit/world.wit` forbids.

Tests and `python -m casparian run` use it. It judges by no contract: what it shows is what a host would judge.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from casparian import decode
from casparian.engine import COLLECT_AFTER, Program
from casparian.kinds import Field
from casparian.port import Blob, Rejection
from casparian.shapes import Description, Fault, Layout, Level, Refused, SkipKind, Span

READ_MAX = 1 << 20
BATCH_BYTES = 256 << 10
UNCOMMITTED_BYTES_MAX = 64 << 20


@dataclass
class Row:
    """A row that the parser emitted."""

    span: Span | None
    faults: list[str]
    cells: dict[str, Any]

    def __getitem__(self, column: str) -> Any:
        return self.cells[column]


@dataclass
class Rejected:
    """A record that the parser rejected."""

    span: Span
    code: str
    message: str


@dataclass
class Said:
    """What a parser said about an input."""

    input_bytes: int = 0
    tables: dict[str, list[Row]] = field(default_factory=dict)
    rejects: list[Rejected] = field(default_factory=list)
    skips: list[tuple[Span, SkipKind, str]] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    log: list[tuple[Level, str, Span | None]] = field(default_factory=list)

    def rows(self, table: str) -> list[Row]:
        """Returns the rows of a table; none where it was not opened."""
        return self.tables.get(table, [])

    def column(self, table: str, column: str) -> list[Any]:
        """Returns the cells of a column."""
        return [row[column] for row in self.rows(table)]

    def records(self) -> list[Span]:
        """Returns the spans of the records, each once, ascending."""
        spans = {row.span for rows in self.tables.values() for row in rows if row.span is not None}
        return sorted(spans | {reject.span for reject in self.rejects})

    def dark(self) -> list[Span]:
        """Returns the ranges of the input about which nothing was said."""
        said = sorted([*self.records(), *(span for span, _, _ in self.skips)])
        dark, lit = [], 0
        for span in [*said, Span(self.input_bytes, 0)]:
            if span.offset > lit:
                dark.append(Span(lit, span.offset - lit))
            lit = max(lit, span.end)
        return dark


class Memory:
    """Bytes as a host reads them; with a seed, reads come back short."""

    def __init__(self, name: str, raw: bytes, read_seed: int = 0) -> None:
        self._name = name
        self._raw = raw
        self._random = Random(read_seed) if read_seed else None

    def name(self) -> str:
        """Returns the name."""
        return self._name

    def len(self) -> int:
        """Returns the length."""
        return len(self._raw)

    def read(self, offset: int, n: int) -> bytes:
        """Returns bytes from `offset` on, maybe fewer than asked for."""
        if offset < 0 or n < 0:
            raise Refused("read-outside", f"a read of {n} bytes at {offset}")
        n = min(n, READ_MAX)
        if self._random and n > 1 and self._random.random() < 0.7:
            n = self._random.randint(1, min(n, self._random.choice([3, 50, 5000, n])))
        return self._raw[offset : offset + n]


class _NativeTable:
    def __init__(self, port: NativePort, name: str, fields: Sequence[Field]) -> None:
        self._port, self._name, self._fields = port, name, fields

    def emit(self, batch: bytes) -> None:
        """Takes rows."""
        _, columns = decode.batch(self._fields, batch)
        self._port.take(self._name, self._fields, columns)

    def close(self) -> None:
        """Closes the table."""


class NativePort(Memory):
    """The outside of one run."""

    def __init__(
        self,
        name: str,
        raw: bytes,
        description: Description,
        *,
        wanted: Sequence[str] | None = None,
        attachments: Mapping[str, bytes] | None = None,
        batch_bytes: int = BATCH_BYTES,
        read_seed: int = 0,
        level: Level = "trace",
    ) -> None:
        super().__init__(name, raw, read_seed)
        self.said = Said(len(raw))
        self._codes = [fault.code for fault in description.faults]
        self._known = {table.name: table.schema for table in description.tables}
        self._schemas: dict[str, bytes] = {}
        self._wanted = wanted
        self._attachments = attachments or {}
        self._batch_bytes = batch_bytes
        self._level: Level = level
        self._range = Span(0, len(raw))
        self._watermark = 0
        self._end = 0
        self._last_begun: int | None = None

    def enter(self, range: Span) -> None:
        """Starts the parsing of a range."""
        self._range, self._last_begun = range, None
        self._watermark = max(self._watermark, range.offset)

    def leave(self) -> None:
        """Ends it: nothing may be left uncommitted."""
        if self._last_begun is not None and self._last_begun >= self._watermark:
            raise Refused("uncommitted", f"a record at {self._last_begun} is behind the watermark at {self._watermark}")

    def attachment(self, name: str) -> Blob | None:
        """Returns what was attached."""
        raw = self._attachments.get(name)
        return None if raw is None else Memory(name, raw)

    def open(self, table: str, schema: bytes) -> _NativeTable:
        """Opens a table."""
        fields = decode.schema(schema)
        _check_names(table, [field.name for field in fields])
        if self._known and table not in self._known:
            raise Refused("table-undeclared", f"table `{table}` is not in the description")
        wanted = self._schemas.get(table) or self._known.get(table)
        if wanted is not None and wanted != schema:
            raise Refused("schema-changed", f"table `{table}` was declared or opened with another schema before")
        self._schemas[table] = schema
        self.said.tables.setdefault(table, [])
        return _NativeTable(self, table, fields)

    def take(self, table: str, fields: Sequence[Field], columns: list[list[Any]]) -> None:
        """Takes the rows of a batch."""
        names = [it.name for it in fields]
        for cells in zip(*columns):
            row = dict(zip(names, cells))
            offset, length = row.pop("_cf_offset", None), row.pop("_cf_length", None)
            faults = row.pop("_cf_faults", None) or []
            span = None if offset is None else Span(offset, length)
            if span is not None:
                self._place(span)
            for code in faults:
                if code not in self._codes:
                    raise Refused("fault-undeclared", f"fault `{code}` is not in the description", span)
            self.said.tables[table].append(Row(span, faults, row))

    def _place(self, span: Span) -> None:
        if span.offset < self._watermark:
            raise Refused("behind-watermark", f"begins before the watermark at {self._watermark}", span)
        if not self._range.offset <= span.offset < self._range.end:
            raise Refused("outside-range", f"begins outside of the range {self._range}", span)
        if span.length == 0:
            raise Refused("empty-span", f"row at byte {span.offset} has no bytes", span)
        if span.end > len(self._raw):
            raise Refused("outside-input", f"ends past the input, which has {len(self._raw)} bytes", span)
        if span.offset - self._watermark > UNCOMMITTED_BYTES_MAX:
            raise Refused("uncommitted-bytes", f"begins {span.offset - self._watermark} bytes past the watermark", span)
        self._end = max(self._end, span.end)
        self._last_begun = max(self._last_begun or 0, span.offset)

    def reject(self, records: list[Rejection]) -> None:
        """Takes rejections."""
        for offset, length, fault, message in records:
            self._place(Span(offset, length))
            if not 0 <= fault < len(self._codes):
                raise Refused("fault-undeclared", f"fault {fault} of {len(self._codes)} declared")
            self.said.rejects.append(Rejected(Span(offset, length), self._codes[fault], message))

    def skip(self, offset: int, length: int, kind: SkipKind, note: str) -> None:
        """Takes a skip; neighbours of the same kind and note are one."""
        span = Span(offset, length)
        self._place(span)
        if self.said.skips:
            last, last_kind, last_note = self.said.skips[-1]
            if (last.end, last_kind, last_note) == (offset, kind, note):
                self.said.skips[-1] = (Span(last.offset, last.length + length), kind, note)
                return
        self.said.skips.append((span, kind, note))

    def commit(self, up_to: int) -> None:
        """Moves the watermark."""
        furthest = max(self._range.end, self._end)
        if not self._watermark <= up_to <= furthest:
            message = (
                f"the watermark was moved to {up_to}: it stands at {self._watermark}, the range ends at {furthest}"
            )
            raise Refused("watermark-broken", message)
        self._watermark = up_to
        self.said.commits.append(up_to)

    def wanted(self, table: str) -> bool:
        """Returns whether a table's rows are wanted: all, unless some were named."""
        return self._wanted is None or table in self._wanted

    def batch_bytes(self) -> int:
        """Returns the batch size."""
        return self._batch_bytes

    def log_enabled(self, level: Level) -> bool:
        """Returns whether lines of a level are kept."""
        levels: list[Level] = ["trace", "debug", "info", "warn", "error"]
        return levels.index(level) >= levels.index(self._level)

    def log(self, level: Level, message: str, span: Span | None) -> None:
        """Keeps a line."""
        if self.log_enabled(level):
            self.said.log.append((level, message, span))


_RESERVED = ("_cf_offset", "_cf_length", "_cf_faults")


def _check_names(table: str, columns: list[str]) -> None:
    if not re.fullmatch("[a-z][a-z0-9_]{0,62}", table):
        raise Refused("table-name", f"table `{table}` does not match [a-z][a-z0-9_]{{0,62}}")
    seen: set[str] = set()
    for name in columns:
        if not name.isprintable() or not 1 <= len(name.encode()) <= 256:
            raise Refused("column-name", f"column {name!r} of `{table}` is not 1 to 256 bytes of printable text")
        if name.casefold() in seen or (name.casefold().startswith("_cf_") and name not in _RESERVED):
            raise Refused("column-name", f"column `{name}` of `{table}` is there twice or reserved")
        seen.add(name.casefold())


def load(path: Path | str) -> Program:
    """Loads the parser in a file, with the Python files around it, under their own names. A folder is entered by its
    `parser.py`."""
    path = Path(path).resolve()
    folder, entry = (path, "parser.py") if path.is_dir() else (path.parent, path.name)
    files = {name: raw for name, raw in _files(folder)}
    if entry not in files:
        raise Fault("no-entry", f"there is no file `{entry}` in {folder}")
    return Program.load(files, entry, folder=f"{folder}/", prints=False)


_ENDINGS = (".py", ".json", ".yaml")
_FILES_MAX = 10_000


def _files(folder: Path) -> list[tuple[str, bytes]]:
    """Returns the files that a parser may need: its own folder and packages below it, nothing hidden."""
    found: list[tuple[str, bytes]] = []
    waiting = [folder]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path.name.startswith((".", "__pycache__")) or len(found) >= _FILES_MAX:
                continue
            if path.is_dir() and not path.is_symlink() and _is_package(path, folder):
                waiting.append(path)
            elif path.is_file() and path.suffix in _ENDINGS and not _shadows(path, folder):
                found.append((path.relative_to(folder).as_posix(), path.read_bytes()))
    return found


def _is_package(path: Path, folder: Path) -> bool:
    return path.parent != folder or path.name == "vendor" or (path / "__init__.py").exists()


def _shadows(path: Path, folder: Path) -> bool:
    # A stranger in the folder is no part of the parser.
    return path.parent == folder and path.suffix == ".py" and path.stem in sys.stdlib_module_names


def run(
    program: Program,
    raw: bytes,
    *,
    name: str = "input",
    options: Mapping[str, str] | None = None,
    target_bytes: int = 1 << 62,
    port: NativePort | None = None,
    **host: Any,
) -> Said:
    """Runs a parser over bytes: plan, then every range. Raises [`Fault`] where the parser fails or breaks a rule."""
    port = port or NativePort(name, raw, program.describe(), **host)
    given = list((options or {}).items())
    ranges, context = program.plan(port, given, target_bytes)
    _judge(Layout(ranges, context), port.len())
    for range in ranges:
        port.enter(range)
        with _rarely_collecting():
            program.parse(port, range, context, given)
        port.leave()
    for one, other in _pairs(port.said.records()):
        if one.end > other.offset:
            raise Fault("spans-overlap", f"the record at {one} reaches into the next", other)
    return port.said


@contextmanager
def _rarely_collecting() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def run_steadily(program: Program, raw: bytes, **how: Any) -> Said:
    """Runs a parser several times with reads and batches cut differently, and returns what it said.

    Raises [`Fault`] as [`run`] does, and where what it says depends on how they are cut.
    """
    said = run(program, raw, **how)
    for read_seed, batch_bytes in [(1, BATCH_BYTES), (2, 1), (3, 4096), (4, 100_000)]:
        other = run(program, raw, **{**how, "read_seed": read_seed, "batch_bytes": batch_bytes})
        if _words(other) != _words(said):
            message = f"said something else with reads of seed {read_seed} and batches of {batch_bytes} bytes"
            raise Fault("parser-unsteady", message)
    return said


def _words(said: Said) -> str:
    # As text: no NaN equals another, and 1, 1.0 and True do.
    return repr((said.tables, said.rejects, said.skips))


def _judge(layout: Layout, length: int) -> None:
    end = 0
    for range in layout.ranges:
        if range.offset != end or range.length <= 0:
            raise Fault("layout-broken", f"a range begins at {range.offset}, the one before it ends at {end}")
        end = range.end
    if end != length:
        raise Fault("layout-broken", f"the ranges cover {end} of {length} bytes")


def _pairs(spans: list[Span]) -> Iterator[tuple[Span, Span]]:
    return zip(spans, spans[1:])
