"""Tables: what columns there are, and the rows that wait for a flush.

**Columns are text on the wire unless the table is `typed`.** What crosses the boundary as text is cast by the host to the
contract's type, or without one to the type it is declared as: losslessly, or the record is held. So a parser hands over what it found, and bad data reaches the judge
instead of ending the run; and the schema of a table follows from its declaration alone, never from the data, from where
batches are cut, or from which range is parsed. Types that have no text (bytes, durations, lists, structs) are always sent as
what they are. A cell that does not fit its column is null, and its record carries the fault `unfit_cell`.
"""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from operator import index
from reprlib import Repr
from sys import intern
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, cast

from casparian import cells, speed
from casparian.kinds import UTF8, Field, Kind, Wanted, kind
from casparian.port import TablePort
from casparian.shapes import Fault, Span
from casparian.source import TOO_LONG
from casparian.wire import BatchLayout, Body, schema_message

if TYPE_CHECKING:
    from casparian.output import Backlog

BATCH_BYTES_MAX = 16 << 20
BATCH_ROWS_MAX = 1_000_000
LOOK_AFTER_MAX = 256
"""Rows after which what waits is measured again at the latest: each of them may be as large as it likes."""
MEASURED_ROWS = 4
"""Rows that are measured for those since the last look."""
LENGTH_MAX = (1 << 32) - 1
UNFIT = "unfit_cell"
"""The fault of a record with a cell that does not fit its column."""

_CODES = kind(list[str])
_OFFSET = Field("_cf_offset", kind("uint64"), nullable=False)
_LENGTH = Field("_cf_length", kind("uint32"), nullable=False)
_FAULTS = Field("_cf_faults", _CODES)


class Table:
    """What a table is called and which columns it has: `Table("trades", symbol=str, px="decimal(18,4)", qty=int)`.

    Columns whose names are no Python names are given as a mapping: `Table("trades", {"Order ID": str})`. `typed` columns
    (all of them with `True`, or those named) are sent as the types they are declared with. `docs` says what columns hold.
    Without `spans` rows stand for no bytes, and nothing accounts for them.
    """

    def __init__(
        self,
        name: str,
        columns: Mapping[str, Wanted] | None = None,
        /,
        *,
        typed: bool | Collection[str] = False,
        spans: bool = True,
        doc: str = "",
        docs: Mapping[str, str] | None = None,
        default_on: bool = True,
        **named: Wanted,
    ) -> None:
        declared = {**(columns or {}), **named}
        if not declared:
            raise ValueError(f"table `{name}` has no column")
        about = docs or {}
        self.name = name
        self.doc = doc
        self.default_on = default_on
        self.spans = spans
        self.fields = tuple([Field(column, kind(wanted), about.get(column, "")) for column, wanted in declared.items()])
        self.typed = frozenset(declared if typed is True else typed or ())
        _check_known(f"table `{name}`: typed", self.typed, declared)
        _check_known(f"table `{name}`: docs", about, declared)

    @property
    def columns(self) -> tuple[str, ...]:
        """Returns the names of the columns."""
        return tuple(field.name for field in self.fields)

    def is_text(self, field: Field) -> bool:
        """Returns whether a column is text on the wire, whatever it is declared as."""
        kind = field.kind
        return kind is UTF8 or kind == UTF8 or (kind.has_text and field.name not in self.typed)

    def wire_fields(self) -> tuple[Field, ...]:
        """Returns all columns as they stand on the wire, the reserved ones included."""
        own = [_as_text(it) if self.is_text(it) else it for it in self.fields]
        return (*((_OFFSET, _LENGTH) if self.spans else ()), *own, _FAULTS)

    def schema(self) -> bytes:
        """Returns the schema message."""
        return schema_message(self.wire_fields())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return (self.name, self.fields, self.typed, self.spans) == (
            other.name,
            other.fields,
            other.typed,
            other.spans,
        )

    __hash__ = None  # type: ignore[assignment]


def _as_text(field: Field) -> Field:
    """Returns a column as it is sent as text, with what its texts are meant to be."""
    return field if field.kind is UTF8 or field.kind == UTF8 else Field(field.name, UTF8, field.doc, meant=field.kind)


def _check_known(what: str, names: Iterable[str], columns: Mapping[str, object]) -> None:
    for name in names:
        if name not in columns:
            raise ValueError(f"{what} names `{name}`; there are {', '.join(columns)}")


class OpenTable:
    """An open table: rows are appended one by one, or whole columns at a time.

    `append(record, …)` adds a row of the record: a line or record of a reader, or a span. Cells follow in the order of the
    columns, or by name; a column left out is null. `faults=["bad_checksum"]` says what is wrong with the record.
    """

    append: Callable[..., None]

    def __init__(self, table: Table, wire: Sequence[Field], port: TablePort, backlog: Backlog) -> None:
        self.table = table
        self._port = port
        self._backlog = backlog
        self._fields = table.fields
        self._writers = [_text_writer if table.is_text(field) else _typed_writer(field.kind) for field in table.fields]
        self._layout = BatchLayout(wire)
        self._cells: list[Any] = []
        """The rows that wait, one behind the other, each the record and its cells: columns are cut out of it whole, and no row is
        an object of its own."""
        self._stride = 1 + len(table.fields)
        self._flaws: dict[int, list[str]] = {}
        self._measured = 0
        """How many of the rows that wait were measured."""
        self._waiting = 0
        """About how many bytes those take."""
        self._look = [1]
        """How many cells wait when those are measured again."""
        self.append = _make_append(table.columns, self._cells, self._flaws, self._look, self._looked, backlog.declared)

    def extend(
        self,
        records: Sequence[Any],
        columns: Mapping[str, Sequence[Any]] | None = None,
        /,
        *,
        faults: Sequence[Sequence[str] | None] | None = None,
        **named: Sequence[Any],
    ) -> None:
        """Adds a row for every record, whole columns at a time: `extend(lines, symbol=symbols, px=prices)`.

        `faults` says for every record what is wrong with it, `None` where nothing is. Raises `ValueError` where a column has
        not as many cells as there are records, or is not the table's.
        """
        given = {**(columns or {}), **named}
        _check_known(f"extend of `{self.table.name}`", given, dict.fromkeys(self.table.columns))
        for name, column in [*given.items(), *([("faults", faults)] if faults is not None else [])]:
            if len(column) != len(records):
                raise ValueError(f"column `{name}` has {len(column)} cells for {len(records)} records")
        flaws = {row: self._backlog.declared(codes) for row, codes in enumerate(faults or (), self.mark()) if codes}
        self._flaws.update(flaws)
        rows: list[Any] = [None] * (len(records) * self._stride)
        rows[:: self._stride] = records
        for at, name in enumerate(self.table.columns, 1):
            if name in given:
                rows[at :: self._stride] = given[name]
        self._cells += rows
        self._looked()

    def _looked(self) -> None:
        """Looks at how much waits, and says when to look again: soon while rows are few, for the next may be larger."""
        self._backlog.watch(self.pending_bytes())
        rows = self.mark()
        left = self._backlog.batch_bytes - self._waiting
        more = max(1, min(left // self._row_estimate(), rows, LOOK_AFTER_MAX))
        self._look[0] = (rows + more) * self._stride

    def _row_estimate(self) -> int:
        """Returns about how many bytes a row that waits takes."""
        return max(1, self._waiting // max(1, self._measured))

    def pending_bytes(self) -> int:
        """Returns about how many bytes the rows that wait take. Those added since the last look take what the newest do."""
        since = self.mark() - self._measured
        if since:
            newest = min(since, MEASURED_ROWS)
            cells_of_newest = self._cells[-newest * self._stride :]
            del cells_of_newest[:: self._stride]  # the records
            self._waiting += since * (24 + _sizes(cells_of_newest) // newest)
            self._measured += since
        return self._waiting

    def begun(self) -> int:
        """Returns where the last row's record begins; 0 where no row waits."""
        return _span(self._cells[-self._stride]).offset if self._cells and self.table.spans else 0

    def mark(self) -> int:
        """Returns how many rows wait."""
        return len(self._cells) // self._stride

    def withdraw(self, mark: int) -> None:
        """Takes back the rows that were added since a mark."""
        for row in [row for row in self._flaws if row >= mark]:
            del self._flaws[row]
        if mark < self.mark():
            del self._cells[mark * self._stride :]
            self._measure_anew()

    def _measure_anew(self) -> None:
        self._measured = self._waiting = 0
        self._look[0] = 1

    def flush(self) -> None:
        """Hands over the rows that wait."""
        self.pending_bytes()
        at, step = 0, (most := self._rows_per_batch())
        rows, all_cells, flaws = self.mark(), self._cells[:], dict(self._flaws)
        self._cells.clear()
        self._flaws.clear()
        self._measure_anew()
        while at < rows:
            part = min(step, rows - at)
            columns = self._columns(all_cells, at, at + part)
            message, unfit = self._message(part, columns, _shifted(flaws, at, part))
            if len(message) > BATCH_BYTES_MAX and part > 1:
                step = part // 2
                continue
            self._hand_over(columns, message, unfit)
            at += part
            step = min(2 * step, most)

    def _columns(self, rows: list[Any], start: int, end: int) -> list[list[Any]]:
        """Cuts some rows into columns, the records first."""
        stride = self._stride
        return [rows[start * stride + at : end * stride : stride] for at in range(stride)]

    def _hand_over(self, columns: list[list[Any]], message: bytes, unfit: list[Unfit]) -> None:
        if len(message) > BATCH_BYTES_MAX and self.table.spans:
            # One row alone: it was read, but nobody takes it.
            why = f"a row of `{self.table.name}` has {len(message)} bytes: a batch holds {BATCH_BYTES_MAX}"
            self._backlog.refuse(_span(columns[0][0]), TOO_LONG, why)
            return
        self._port.emit(message)
        self._tell_unfit(columns, unfit)

    def _rows_per_batch(self) -> int:
        # Twice what the host likes, so that a batch that grew a little past its size is not cut in two.
        return min(BATCH_ROWS_MAX, max(1, 2 * self._backlog.batch_bytes // self._row_estimate()))

    def close(self) -> None:
        """Closes the table."""
        self._port.close()

    def _message(
        self, rows: int, columns: list[list[Any]], flaws: dict[int, list[str]]
    ) -> tuple[bytes, list[Unfit]]:
        """Returns a batch, and which cells of it do not fit. A batch may be made more than once: nothing is said here."""
        body = Body(self._layout)
        unfit: list[Unfit] = []
        if self.table.spans:
            self._write_spans(columns[0], body)
        for at, (write, column) in enumerate(zip(self._writers, columns[1:])):
            unfit += [(row, at) for row in write(column, body)]
        _write_faults(rows, _with_unfit(flaws, unfit), body)
        return body.message(rows), unfit

    def _write_spans(self, records: Sequence[Any], body: Body) -> None:
        if speed.compiled is not None and (made := speed.compiled.spans(records)) is not None:
            for record in (records[0], records[-1]):
                self._backlog.begin(record.offset, record.length)
            for numbers in made:
                body.column(len(records), 0, b"", numbers)
            return
        try:
            # Read in a loop of ours: the interpreter learns where such a record keeps them, which no getter does.
            offsets, lengths = [it.offset for it in records], [it.length for it in records]
        except AttributeError:
            spans = list(map(_span, records))
            offsets, lengths = [span.offset for span in spans], [span.length for span in spans]
        self._backlog.place(offsets, lengths)
        cells.nothing_missing(len(records), body)
        body.buffer(cells.packed("Q", offsets))
        cells.nothing_missing(len(records), body)
        body.buffer(_packed_lengths(offsets, lengths))

    def _tell_unfit(self, columns: list[list[Any]], unfit: list[Unfit]) -> None:
        for row, column in unfit:
            field, record, cell = self._fields[column], columns[0][row], columns[1 + column][row]
            at = _span(record) if self.table.spans else None
            wire = "text" if self.table.is_text(field) else str(field.kind)
            self._backlog.tell(f"{self.table.name}.{field.name}: {_shown(cell)} does not fit {wire}", at)


Unfit = tuple[int, int]
"""The row and the column of a cell that does not fit."""


def _shifted(flaws: dict[int, list[str]], at: int, rows: int) -> dict[int, list[str]]:
    """Returns the faults of some rows, counted from the first of them."""
    return {row - at: codes for row, codes in flaws.items() if at <= row < at + rows}


def _with_unfit(flaws: dict[int, list[str]], unfit: list[Unfit]) -> dict[int, list[str]]:
    """Returns the faults of rows with that of cells that do not fit, once for every row that has some."""
    codes = dict(flaws)
    for row in {row for row, _ in unfit}:
        if UNFIT not in codes.get(row, ()):
            codes[row] = [*codes.get(row, ()), UNFIT]
    return codes


def _write_faults(rows: int, flaws: dict[int, list[str]], body: Body) -> None:
    if flaws:
        cells.write(_CODES, [flaws.get(row) for row in range(rows)], body)
    else:
        cells.write_no_codes(rows, body)


SHOWN_CHARS_MAX = 80
_SHOWN_BITS_MAX = 256
_BRIEF = Repr()
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = SHOWN_CHARS_MAX


def _shown(cell: object) -> str:
    """Returns a cell as people are told of it; its type alone where it cannot say what it is."""
    try:
        # All digits of a large number are never wanted, and past a few thousand Python refuses them.
        if isinstance(cell, int) and cell.bit_length() > _SHOWN_BITS_MAX:
            return f"a number of {cell.bit_length()} bits"
        shown = repr(cell[: SHOWN_CHARS_MAX + 1]) if isinstance(cell, (str, bytes)) else _BRIEF.repr(cell)
    except Exception:  # whatever a stranger's `__repr__` raises
        return type(cell).__name__
    return shown if len(shown) <= SHOWN_CHARS_MAX else shown[:SHOWN_CHARS_MAX] + "…"


def _packed_lengths(offsets: list[int], lengths: list[int]) -> bytes:
    try:
        return cells.packed("I", lengths)
    except OverflowError:
        length = max(lengths)
        at = Span(offsets[lengths.index(length)], length)
        raise Fault("record-too-long", f"a record has {length} bytes: limit {LENGTH_MAX}", at) from None


def _text_writer(column: Sequence[Any], body: Body) -> list[int]:
    return cells.write_text(column, body)


def _typed_writer(kind: Kind) -> Callable[[Sequence[Any], Body], list[int]]:
    return lambda column, body: cells.write(kind, column, body)


def _sizes(cells: list[Any]) -> int:
    """Returns about how many bytes cells take in all."""
    known = speed.compiled.sizes(cells) if speed.compiled is not None else None
    return sum(map(_cell_size, cells)) if known is None else known


def _cell_size(cell: Any, depth: int = 8) -> int:
    if isinstance(cell, str):
        return 5 + len(cell) * (1 if cell.isascii() else 3)
    if isinstance(cell, (bytes, bytearray, memoryview)):
        return 5 + len(cell)
    if isinstance(cell, int):
        return 5 + cell.bit_length() // 3
    if isinstance(cell, (list, tuple, dict)) and depth:
        return 5 + sum(_cell_size(it, depth - 1) for it in (cell.values() if isinstance(cell, dict) else cell))
    return 12


def _span(record: Any) -> Span:
    """Returns the span of whatever stands for a record. Raises `TypeError` where nothing does."""
    if isinstance(record, Span):
        return record
    span = getattr(record, "span", record)
    if isinstance(span, tuple) and len(span) == 2:
        return Span(index(span[0]), index(span[1]))
    raise TypeError(f"{record!r:.80} is no record: give a line or record of a reader, or Span(offset, length)")


Append = Callable[..., None]


def _make_append(
    columns: Sequence[str],
    waiting: list[Any],
    flaws: dict[int, list[str]],
    look: list[int],
    looked: Callable[[], None],
    declared: Callable[[Sequence[str]], list[str]],
) -> Append:
    """Makes the function that adds a row."""

    def plain() -> Append:
        return _plain_append(columns, waiting, flaws, look, looked, declared)

    if speed.compiled is None:
        return plain()
    made: list[Append] = []

    def other(*cells: Any, **named: Any) -> None:
        if not made:
            made.append(plain())
        made[0](*cells, **named)

    # The name of an argument is no column's. Names may be texts of a class of their own, as lines are.
    names = [None if name == "faults" else intern(str.__str__(name)) for name in columns]
    return cast(Append, speed.compiled.appender([waiting, look, looked, names, other]))


def _plain_append(
    columns: Sequence[str],
    waiting: list[Any],
    flaws: dict[int, list[str]],
    look: list[int],
    looked: Callable[[], None],
    declared: Callable[[Sequence[str]], list[str]],
) -> Append:
    """Makes the function with the columns as its parameters: the interpreter matches names and refuses unknown ones faster
    than any loop of ours. Names that are no parameters get others, and are looked up."""
    names = [name if _is_parameter(name) else f"column_{at}_" for at, name in enumerate(columns)]
    odd = {name: other for name, other in zip(columns, names) if name != other}
    made = append_code(len(names)) if not odd else _code_of_append(tuple(names), tuple(odd.items()))
    # No column shadows what it needs: a name that ends with an underscore is no parameter.
    scope: dict[str, Any] = {"flaws_": flaws, "cells_": waiting, "push_": waiting.extend, "look_": look, "looked_": looked}
    scope |= {"declared_": declared, "len_": len, "refuse_": _refuse_columns}
    code = made.replace(co_varnames=(made.co_varnames[0], *names, *made.co_varnames[1 + len(names) :]))
    append = FunctionType(code, scope, "append", (None,) * len(names))
    append.__kwdefaults__ = {"faults": None}
    return append


@cache
def append_code(columns: int) -> CodeType:
    """Returns the code that adds a row of so many columns. Compiling takes a while, so columns get their names later."""
    return _code_of_append(tuple(f"column_{at}_" for at in range(columns)), ())


def _code_of_append(names: Sequence[str], odd: Sequence[tuple[str, str]]) -> CodeType:
    parameters = "".join(f"{name}=None, " for name in names)
    source = [
        f"def append(record_, /, {parameters}*, faults=None{', **others_' if odd else ''}):",
        *(f"    if {name!r} in others_: {other} = others_.pop({name!r})" for name, other in odd),
        *(["    if others_: refuse_(others_)"] if odd else []),
        "    if faults:",
        f"        flaws_[len_(cells_) // {1 + len(names)}] = declared_(faults)",
        f"    push_((record_, {', '.join(names)}))",
        "    if len_(cells_) >= look_[0]:",
        "        looked_()",
    ]
    module = compile("\n".join(source), "<casparian append>", "exec")
    return next(it for it in module.co_consts if isinstance(it, CodeType))


def _refuse_columns(others: dict[str, object]) -> None:
    raise TypeError(f"append() got unexpected columns: {list(others)}")


def _is_parameter(name: str) -> bool:
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and not name.endswith("_")
        and name != "faults"
        # The compiler normalises names: another spelling is another name to it, or the same as a neighbour's.
        and unicodedata.normalize("NFKC", name) == name
    )
