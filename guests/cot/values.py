"""How numbers and times are written, and what stands for an unknown one."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_DECIMAL = r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_NUMBER = re.compile(_DECIMAL).fullmatch
_NUMBERS = re.compile(rf"(?:{_DECIMAL})(?:\n(?:{_DECIMAL}))*").fullmatch
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
).fullmatch
_UNKNOWN = re.compile(r"9999999(?:\.0*)?").fullmatch
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def is_number(text: str) -> bool:
    """Returns whether a text is a decimal number; NaN and infinity are none."""
    return _NUMBER(text) is not None


def are_numbers(texts: list[str]) -> bool:
    """Returns whether texts are decimal numbers, all of them."""
    joined = "\n".join(texts)
    return _NUMBERS(joined) is not None and joined.count("\n") == len(texts) - 1 or not texts


def is_unknown(text: str) -> bool:
    """Returns whether a text is the number that stands for an unknown height or error."""
    return _UNKNOWN(text) is not None


def is_time(text: str) -> bool:
    """Returns whether a text is a point in time: date, `T`, time of day and zone."""
    if _TIME(text) is None:
        return False
    try:
        datetime.fromisoformat(text[:19])
    except ValueError:
        return False
    return True


def time_of(milliseconds: int) -> str:
    """Returns a time that is counted from 1970; the number itself where it is past the year 9999."""
    try:
        return f"{(_EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec='milliseconds')[:-6]}Z"
    except OverflowError:
        return str(milliseconds)
