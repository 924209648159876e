"""Whose fault it is: exceptions of a parser as one fault that shows the parser's own lines and nothing of ours."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from types import TracebackType

from casparian.shapes import Fault, Refused, Span
from casparian.voice import sayable

EXCEPTION = "exception"
FRAMES_MAX = 20
MESSAGE_CHARS_MAX = 4 << 10
TEXT_CHARS_MAX = 1 << 10

Shown = Callable[[str], str | None]
"""How a code file is called to people; `None` where it is not the parser's."""


def fault_of(why: BaseException, shown: Shown, at: Span | None) -> Fault:
    """Returns what a parser raised as a fault, with the span that was being read."""
    if isinstance(why, Refused):
        return why
    if isinstance(why, Fault):
        why.at = why.at or at
        return why
    return Fault(EXCEPTION, told(why, shown), at)


def told(why: BaseException, shown: Shown) -> str:
    """Returns an exception, where it came from in the parser, and what caused it."""
    parts, seen = [_told_one(why, shown)], {id(why)}
    cause = why.__cause__ or (None if why.__suppress_context__ else why.__context__)
    while cause is not None and id(cause) not in seen and len(parts) < 5:
        seen.add(id(cause))
        parts.append("caused by " + _told_one(cause, shown))
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return sayable("\n".join(parts))[:MESSAGE_CHARS_MAX]


def _told_one(why: BaseException, shown: Shown) -> str:
    head = _head(why)
    if isinstance(why, SyntaxError) and why.filename and (name := shown(why.filename)):
        return f"{head}\n  {name}:{why.lineno}: {(why.text or '').strip()}"
    return "\n".join([head, *_frames(why.__traceback__, shown)])


def _head(why: BaseException) -> str:
    try:
        text = why.msg if isinstance(why, SyntaxError) else str(why)
    except Exception as broken:  # a parser's own __str__
        text = f"({type(broken).__name__} while it was shown)"
    return f"{type(why).__name__}: {text[:TEXT_CHARS_MAX]}" if text else type(why).__name__


def _frames(traceback: TracebackType | None, shown: Shown) -> list[str]:
    """Returns the parser's own frames, the innermost last; the outermost of many are left out."""
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if name := shown(code.co_filename):
            # By way of the module's loader, which has the source: nothing need be kept for it beforehand.
            module = traceback.tb_frame.f_globals
            source = linecache.getline(code.co_filename, traceback.tb_lineno, module).strip()
            frames.append(f"  {name}:{traceback.tb_lineno} in {code.co_name}: {source}")
            if len(frames) > 2 * FRAMES_MAX:
                del frames[FRAMES_MAX // 2]
        traceback = traceback.tb_next
    if len(frames) > FRAMES_MAX:
        frames[FRAMES_MAX // 2 : -FRAMES_MAX // 2] = ["  …"]
    return frames
