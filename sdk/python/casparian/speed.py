"""What is compiled, where it is: in the Python runtime of the sandbox, and nowhere else.

The functions in Python say what is right. Those of the compiled module stand in for them where things are plain, and answer
`None` where they are not.
"""

from __future__ import annotations

from typing import Any, TypeVar

try:
    import _casparian_speed as _found  # type: ignore[import-not-found]
except ImportError:
    _found = None

compiled: Any = _found
"""The compiled module: [`lines`], [`spans`], [`texts`], [`sizes`], [`framed`] and [`appender`], and for the runtime [`kept`]. It may be set
to `None`: then all is done in Python."""

AnyType = TypeVar("AnyType", bound=type)


def line_type(plain: AnyType) -> AnyType:
    """Returns the compiled type of lines, with what the plain one can do."""
    if _found is None:
        return plain
    made = _found.Line
    made.span, made.__doc__, made.__getstate__ = plain.span, plain.__doc__, _state  # type: ignore[attr-defined]
    made.plain = plain
    return made  # type: ignore[no-any-return]


def _state(line: Any) -> tuple[None, dict[str, int]]:
    """Returns what a copy is given: the same as of a type with `__slots__`."""
    return None, {name: getattr(line, name) for name in ("offset", "length") if hasattr(line, name)}
