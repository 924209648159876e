"""The values of fields: days, amounts, accounts. What cannot be read is `None`, and nothing is made to fit."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from typing import NamedTuple

CENTURY_BEGINS = 70
"""Years of two digits from this one on are of the twentieth century."""
DEBITS = ("D", "RC", "ED")
"""Marks of what is taken from an account: a debit, a credit that is taken back, a debit that is expected."""
# Fifteen digits are allowed, and some banks fill up with more zeros in front.
_AMOUNT = re.compile(r"([0-9]{1,30})(?:,([0-9]{0,14}))?").fullmatch
_BALANCE = re.compile(r"([DC])([0-9]{6})([A-Z]{3})([0-9,]{1,32})").fullmatch
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}").fullmatch
_EXACT = Context(prec=60)


class Balance(NamedTuple):
    """A balance: its mark, day, currency, and signed amount."""

    mark: str
    day: str | None
    currency: str
    amount: str | None


@lru_cache(maxsize=4096)
def day(text: str) -> str | None:
    """Returns the day that six digits name."""
    year = int(text[:2])
    try:
        return date(year + (1900 if year >= CENTURY_BEGINS else 2000), int(text[2:4]), int(text[4:6])).isoformat()
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def entry_day(text: str, value_day: str) -> str | None:
    """Returns the day that four digits name: the one nearest to the day that six name, though there be no such day."""
    close = day(value_day) or day(f"{value_day[:4]}28")
    if close is None:
        return None
    near = date.fromisoformat(close)
    days = []
    for year in (near.year - 1, near.year, near.year + 1):
        try:
            days.append(date(year, int(text[:2]), int(text[2:4])))
        except ValueError:
            continue
    # The 29th of February is there in some years only: one that is far away is none.
    nearest = min(days, key=lambda it: abs(it - near), default=None)
    return nearest.isoformat() if nearest and abs(nearest - near) <= timedelta(days=200) else None


def amount(text: str, mark: str = "C") -> str | None:
    """Returns an amount with a point, signed by its mark: what is taken from an account is below zero."""
    found = _AMOUNT(text)
    if found is None:
        return None
    whole, fraction = found.groups()
    number = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return f"-{number}" if mark in DEBITS and number.strip("0.") else number


def total(amounts: list[str]) -> str:
    """Returns an exact sum."""
    found = Decimal(0)
    for number in amounts:
        found = _EXACT.add(found, Decimal(number))
    return f"{found:f}" if found else "0"


def balance(text: str) -> Balance | None:
    """Returns a balance; nothing where it is written otherwise."""
    found = _BALANCE(text)
    if found is None:
        return None
    mark, when, currency, number = found.groups()
    return Balance(mark, day(when), currency, amount(number, mark))


def iban(account: str) -> str | None:
    """Returns an account that looks like an IBAN, without blanks."""
    bare = account.replace(" ", "")
    return bare if _IBAN(bare) else None


def checks(number: str) -> bool:
    """Returns whether the check digits of an IBAN are right."""
    moved = number[4:] + number[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1
