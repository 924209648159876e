"""The outside, as a parser's engine sees it: a thin mirror of the imports of `wit/world.wit`.

In the sandbox an adapter stands behind it, natively [`casparian.native`]. Every method may raise [`Refused`].
"""

from __future__ import annotations

from typing import Protocol

from casparian.shapes import Level, Refused, SkipKind, Span

__all__ = ["Blob", "Port", "Refused", "Rejection", "TablePort"]

Rejection = tuple[int, int, int, str]
"""Offset, length, index of the fault in the description, message."""


class Blob(Protocol):
    """Bytes that can be read anywhere."""

    def name(self) -> str:
        """Returns the base name of the file; never a path."""
        ...

    def len(self) -> int:
        """Returns the length in bytes."""
        ...

    def read(self, offset: int, n: int) -> bytes:
        """Returns bytes from `offset` on: at most `n`, at most 1 MiB, and maybe fewer; none only at the end."""
        ...


class TablePort(Protocol):
    """An open table."""

    def emit(self, batch: bytes) -> None:
        """Hands over rows: one encapsulated Arrow IPC record batch of the table's schema."""
        ...

    def close(self) -> None:
        """Closes it."""
        ...


class Port(Blob, Protocol):
    """Everything that the engine needs from outside. It is itself the input of the run."""

    def attachment(self, name: str) -> Blob | None:
        """Returns the reference data that the operator attached under a name."""
        ...

    def open(self, table: str, schema: bytes) -> TablePort:
        """Opens a table by its encapsulated Arrow IPC schema message."""
        ...

    def reject(self, records: list[Rejection]) -> None:
        """Says that records cannot be read."""
        ...

    def skip(self, offset: int, length: int, kind: SkipKind, note: str) -> None:
        """Says that a range holds no record."""
        ...

    def commit(self, up_to: int) -> None:
        """Moves the watermark."""
        ...

    def wanted(self, table: str) -> bool:
        """Returns whether anybody wants the rows of a table."""
        ...

    def batch_bytes(self) -> int:
        """Returns the batch size that suits the host."""
        ...

    def log_enabled(self, level: Level) -> bool:
        """Returns whether lines of a level are kept."""
        ...

    def log(self, level: Level, message: str, span: Span | None) -> None:
        """Writes a line."""
        ...
