"""What a parser says to people: `print` and `logging` become lines of the host's log."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable

from casparian.port import Port
from casparian.shapes import Level, Span

LINE_CHARS_MAX = 1 << 10
PRINTED_CHARS_MAX = 1 << 20
"""What one call of a parser may print; what is past it is dropped, and said to be."""


class Voice(io.TextIOBase):
    """A file that is written line by line into the log."""

    def __init__(self, port: Port, level: Level, at: Callable[[], Span | None], is_kept: bool) -> None:
        self._port = port
        self._level = level
        self._at = at
        self._held = ""
        self._left = PRINTED_CHARS_MAX
        self._is_kept = is_kept

    def writable(self) -> bool:
        """Returns that it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Logs the lines that are whole by now."""
        if self._is_kept and self._left > 0:
            self._left -= len(text)
            self._add(text if self._left >= 0 else text[: self._left])
            if self._left <= 0:
                self.flush()
                self._say(f"more than {PRINTED_CHARS_MAX} characters were printed: the rest is dropped")
        return len(text)

    def _add(self, text: str) -> None:
        *lines, self._held = (self._held + text).split("\n")
        for line in lines:
            self._say(line)
        while len(self._held) >= LINE_CHARS_MAX:
            self._say(self._held[:LINE_CHARS_MAX])
            self._held = self._held[LINE_CHARS_MAX:]

    def _say(self, line: str) -> None:
        self._port.log(self._level, sayable(line[:LINE_CHARS_MAX]), self._at())

    def flush(self) -> None:
        """Logs what is there of the last line."""
        if self._held:
            self._say(self._held)
            self._held = ""


class LogBridge(logging.Handler):
    """Hands what `logging` is told to the host's log."""

    def __init__(self, port: Port, at: Callable[[], Span | None]) -> None:
        super().__init__()
        self._port = port
        self._at = at

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line."""
        level = level_of(record.levelno)
        if self._port.log_enabled(level):
            self._port.log(level, self._text(record), self._at())

    def _text(self, record: logging.LogRecord) -> str:
        # Who logs wrongly is told, as `logging` does, and goes on: what is heard decides about no row.
        try:
            return sayable(self.format(record)[:LINE_CHARS_MAX])
        except Exception as why:
            return f"{record.filename}:{record.lineno}: what is logged has no text: {type(why).__name__}"


def level_of(number: int) -> Level:
    """Returns the level that a number of `logging` stands for."""
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    if number >= logging.INFO:
        return "info"
    return "debug" if number >= logging.DEBUG else "trace"


_NUMBERS: list[tuple[Level, int]] = [
    ("error", logging.ERROR),
    ("warn", logging.WARNING),
    ("info", logging.INFO),
    ("debug", logging.DEBUG),
    ("trace", 5),
]


def sayable(text: str) -> str:
    """Returns text without lone surrogates, which no other language has."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


class Heard:
    """Listens while a parser runs; to `print` only if asked to."""

    def __init__(self, port: Port, at: Callable[[], Span | None], prints: bool) -> None:
        self._level = _least_kept(port)
        self._bridge = LogBridge(port, at)
        self._voices: tuple[Voice, ...] = ()
        if prints:
            out = Voice(port, "info", at, self._level <= logging.INFO)
            self._voices = out, Voice(port, "warn", at, self._level <= logging.WARNING)

    def __enter__(self) -> None:
        self._before = logging.root.level, sys.stdout, sys.stderr
        logging.root.addHandler(self._bridge)
        _set_level(self._level)
        if self._voices:
            sys.stdout, sys.stderr = self._voices

    def __exit__(self, *_: object) -> None:
        for voice in self._voices:
            voice.flush()
        logging.root.removeHandler(self._bridge)
        level, sys.stdout, sys.stderr = self._before
        _set_level(level)


def _least_kept(port: Port) -> int:
    """Returns the least level that anybody hears of: whoever hears of one hears of those above."""
    least = logging.CRITICAL
    for level, number in _NUMBERS:
        if not port.log_enabled(level):
            break
        least = number
    return least


def _set_level(level: int) -> None:
    # All loggers look anew at what is enabled where one is set.
    if logging.root.level != level:
        logging.root.setLevel(level)
