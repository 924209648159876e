"""Where rows go. Batches are cut and the watermark is moved here, so that a parser need not think of either.

What was said is held back until a table's batch is as large as the host likes it, or 4 MiB of input wait for a commit. Then
everything goes: skips, rejections, the rows of every table; and the watermark moves to the start of the record that is being
said, since all before it is complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from casparian.kinds import Wanted
from casparian.port import Port, Rejection
from casparian.shapes import SKIP_KINDS, Fault, SkipKind, Span, whole
from casparian.source import Source
from casparian.table import OpenTable, Table, _span
from casparian.wire import schema_message

UNCOMMITTED_BYTES_MAX = 4 << 20
REJECTIONS_MAX = 1 << 10
MESSAGE_CHARS_MAX = 1 << 10
TOLD_MAX = 10
OTHER = "undeclared"
"""The fault of a record that was rejected with a code that the parser does not declare."""


class Reject(Exception):
    """Raised inside `with out.record(…)`: the record cannot be read."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message


class Backlog:
    """What was said and waits, and how far it reaches. The output and its tables share it."""

    def __init__(self, port: Port, start: int, faults: Sequence[str]) -> None:
        self.port = port
        self.batch_bytes = max(1, port.batch_bytes())
        self._codes = {code: index for index, code in enumerate(faults)}
        self.said = False
        self.begun = start
        """Where the furthest record said begins: all before it are complete."""
        self.end = start
        """Where the furthest thing said ends."""
        self.by_hand: int | None = None
        """The watermark that the parser moves itself, if it does."""
        self.committed = start
        """The watermark that the host knows. Nothing may begin before it."""
        self.tables: dict[str, OpenTable] = {}
        self.is_held = False
        """Whether a record may still be taken back: nothing is flushed meanwhile."""
        self._is_due = False
        """Whether a flush was put off for that."""
        self._rejections: list[Rejection] = []
        self._refused: set[Span] = set()
        """Records past the watermark that were rejected for a row."""
        self._skip: tuple[Span, SkipKind, str] | None = None
        self._told = 0

    def begin(self, offset: int, length: int) -> None:
        """Notes that something begins."""
        if offset < self.committed:
            raise late(Span(offset, length), self.committed)
        self.said = True
        if offset > self.begun:
            self.begun = offset
        if offset + length > self.end:
            self.end = offset + length

    def place(self, offsets: list[int], lengths: list[int]) -> None:
        """Notes where the records of a batch begin and end."""
        if offsets != sorted(offsets):
            self._place_apart(offsets, lengths)
            return
        # Ascending, as nearly always: the first and the last say it all.
        self.begin(offsets[0], lengths[0])
        self.begin(offsets[-1], lengths[-1])

    def _place_apart(self, offsets: list[int], lengths: list[int]) -> None:
        for offset, length in zip(offsets, lengths):
            self.begin(offset, length)

    def watch(self, table_bytes: int) -> None:
        """Flushes where a table that measured itself is large enough."""
        if table_bytes < self.batch_bytes:
            return
        self._is_due = self.is_held
        if not self.is_held:
            self.flush()

    def hold(self, is_held: bool) -> None:
        """Holds everything back, or lets go what was due meanwhile."""
        self.is_held = is_held
        if self._is_due and not is_held:
            self.flush()

    def settle(self) -> None:
        """Flushes where a batch is large enough or too much input waits. Readers call it as they go on."""
        if self.is_held:
            return
        waiting = self.by_hand if self.by_hand is not None else self._begun_by_rows()
        if waiting - self.committed >= UNCOMMITTED_BYTES_MAX or self._largest() >= self.batch_bytes:
            self.flush()

    def _begun_by_rows(self) -> int:
        return max([self.begun, *(table.begun() for table in self.tables.values())])

    def _largest(self) -> int:
        return max((table.pending_bytes() for table in self.tables.values()), default=0)

    def reject(self, rejection: Rejection) -> None:
        """Keeps a rejection for the next flush."""
        self._rejections.append(rejection)
        if len(self._rejections) >= REJECTIONS_MAX and not self.is_held:
            self._hand_over_rejections()
            self.settle()

    def refuse(self, span: Span, code: str, message: str) -> None:
        """Rejects a record, once, while the rows of tables are handed over."""
        if span not in self._refused:
            self._refused.add(span)
            self._rejections.append((span.offset, span.length, self._codes[code], message))

    def _hand_over_rejections(self) -> None:
        rejections, self._rejections = self._rejections, []
        if rejections:
            self.port.reject(rejections)

    def skip(self, span: Span, kind: SkipKind, note: str) -> None:
        """Keeps a skip for a neighbour to join."""
        if self._skip is not None:
            last, last_kind, last_note = self._skip
            if (last.end, last_kind, last_note) == (span.offset, kind, note):
                self._skip = (Span(last.offset, last.length + span.length), kind, note)
                return
            self.port.skip(last.offset, last.length, last_kind, last_note)
        self._skip = (span, kind, note)

    def flush(self) -> None:
        """Hands over everything that waits, and moves the watermark."""
        self._is_due = False
        if self._skip is not None:
            (span, kind, note), self._skip = self._skip, None
            self.port.skip(span.offset, span.length, kind, note)
        self._hand_over_rejections()
        for table in self.tables.values():
            table.flush()
        self._hand_over_rejections()  # those of rows that no batch holds
        self.commit(self.by_hand if self.by_hand is not None else self.begun)

    def commit(self, up_to: int) -> None:
        """Moves the watermark, never back."""
        if up_to > self.committed:
            self.port.commit(up_to)
            self.committed = up_to
            self._refused = {span for span in self._refused if span.offset >= up_to}

    def finish(self, range_end: int, is_within: bool = False) -> None:
        """Flushes everything and moves the watermark to the end of the range, or of the last thing said if that is further.

        A range that is within a record of the range before has nothing to say: the watermark may be past it.
        """
        self.is_held = False
        self.flush()
        if self.said or not is_within:
            self.commit(max(self.end, range_end))
        for table in self.tables.values():
            table.close()

    def finish_said(self) -> None:
        """Flushes everything and moves the watermark to the end of what was said, if anything was."""
        self.flush()
        if self.said:
            self.finish(0)
        elif self.tables:  # rows that stand for no bytes
            self.port.commit(self.committed)

    def fault(self, code: str) -> int | None:
        """Returns the index of a fault in the description."""
        return self._codes.get(code)

    def declared(self, codes: Sequence[str]) -> list[str]:
        """Returns the faults of a row. Fails where the parser does not declare one: a contract could not name it."""
        codes = [codes] if isinstance(codes, str) else list(codes)
        for code in codes:
            if code not in self._codes:
                known = ", ".join(self._codes)
                raise Fault("fault-undeclared", f"fault `{code}` is not declared; there are {known}")
        return codes

    def tell(self, message: str, at: Span | None) -> None:
        """Warns people of a cell; of many like it there are enough in quarantine."""
        self._told += 1
        if self._told <= TOLD_MAX:
            more = "; of further ones nothing is said here" if self._told == TOLD_MAX else ""
            self.port.log("warn", message + more, at)


def late(span: Span, watermark: int) -> Fault:
    """Returns the fault of a record that begins before the watermark."""
    message = f"a record begins at {span.offset}, before the watermark at {watermark}"
    return Fault("record-late", message, span)


class Output:
    """Where rows go.

    Records are said in the order of their spans: whatever begins (a row, a rejection, a skip) says that the records before it
    are complete. A parser that works in another order calls [`Output.complete`] before it says anything.
    """

    def __init__(self, backlog: Backlog, outputs: Sequence[Table]) -> None:
        self._backlog = backlog
        self._outputs = {table.name: table for table in outputs}

    def table(
        self,
        name: str,
        columns: Mapping[str, Wanted] | None = None,
        /,
        *,
        typed: bool | Collection[str] = False,
        spans: bool = True,
        **named: Wanted,
    ) -> OpenTable:
        """Opens a table: `out.table("trades", symbol=str, qty=int)`, or by its name alone where `outputs` declares it.

        Raises `ValueError` where the columns are none, and [`Fault`] where another table of that name is open.
        """
        if not columns and not named:
            return self.open(self._declared(name))
        return self.open(Table(name, {**(columns or {}), **named}, typed=typed, spans=spans))

    def _declared(self, name: str) -> Table:
        if name not in self._outputs:
            known = ", ".join(self._outputs) or "none"
            raise ValueError(f"table `{name}` has no columns here and is not in `outputs` (declared: {known})")
        return self._outputs[name]

    def open(self, table: Table) -> OpenTable:
        """Opens a table. The same one twice is one table."""
        opened = self._backlog.tables.get(table.name)
        if opened is None:
            wire = table.wire_fields()
            port = self._backlog.port.open(table.name, schema_message(wire))
            opened = self._backlog.tables[table.name] = OpenTable(table, wire, port, self._backlog)
        elif opened.table != table:
            raise Fault("table-open", f"table `{table.name}` is open with other columns")
        return opened

    def reject(self, record: Any, code: str, message: object = "") -> None:
        """Says that a record cannot be read. A code that the parser does not declare becomes `undeclared`, with the code in
        its message. Fails where the record begins before the watermark."""
        span = whole(_span(record))
        self._backlog.begin(*span)
        index, text = self._backlog.fault(code), str(message)
        if index is None:
            index, text = self._backlog.fault(OTHER), f"{code}: {text}" if text else code
        assert index is not None, "the engine declares it"
        text = text.encode(errors="backslashreplace").decode()[:MESSAGE_CHARS_MAX]
        self._backlog.reject((span.offset, span.length, index, text))

    def skip(self, record: Any, kind: SkipKind = "other", note: str = "") -> None:
        """Says that a range holds no record. Neighbours of the same kind and note become one."""
        if kind not in SKIP_KINDS:
            raise ValueError(f"`{kind}` is no reason to skip: {', '.join(SKIP_KINDS)}")
        if not isinstance(note, str):
            raise TypeError(f"a note is text, not {note!r:.80}")
        span = whole(_span(record))
        self._backlog.begin(*span)
        self._backlog.skip(span, kind, note)

    @contextmanager
    def record(self, record: Any, code: str = OTHER) -> Iterator[None]:
        """Reads one record: where [`Reject`], `ValueError`, `LookupError`, `TypeError` or `ArithmeticError` is raised inside,
        the rows that were added inside are taken back and the record is rejected, with the code of [`Reject`] or this one."""
        marks = {table: table.mark() for table in self._backlog.tables.values()}
        outer = self._backlog.is_held
        self._backlog.hold(True)
        try:
            yield
        except Reject as why:
            self._withdraw(marks)
            self.reject(record, why.code, why.message)
        except (ValueError, LookupError, TypeError, ArithmeticError) as why:
            self._withdraw(marks)
            self.reject(record, code, f"{type(why).__name__}: {why}")
        finally:
            self._backlog.hold(outer)

    def _withdraw(self, marks: dict[OpenTable, int]) -> None:
        for table in self._backlog.tables.values():
            table.withdraw(marks.get(table, 0))

    def complete(self, up_to: int) -> None:
        """Says that every record that begins before `up_to` is complete. From the first call on nothing else moves the
        watermark."""
        self._backlog.by_hand = max(self._backlog.by_hand or 0, up_to)
        self._backlog.settle()

    def wanted(self, table: str) -> bool:
        """Returns whether anybody wants the rows of a table."""
        return self._backlog.port.wanted(table)

    def attachment(self, name: str) -> Source | None:
        """Returns the reference data that the operator attached under a name, to be read like the input."""
        blob = self._backlog.port.attachment(name)
        return None if blob is None else Source(blob)
