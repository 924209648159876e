"""An entry of a statement: field 61, and what field 86 says of it."""

from __future__ import annotations

import re
from typing import NamedTuple

_ENTRY = re.compile(
    r"(?P<day>[0-9]{6})(?P<entry>[0-9]{4})?\s*(?P<mark>[RE]?[DC])(?P<funds>[A-Z])?\s*(?P<amount>[0-9,]{1,16})"
    r"(?:(?P<kind>[A-Z])(?P<code>[A-Z0-9 ]{3}))?(?P<own>(?:(?!//).)*)(?://(?P<bank>.*))?"
).fullmatch


class Entry(NamedTuple):
    """The parts of an entry, as written."""

    day: str
    entry_day: str | None
    mark: str
    funds_code: str | None
    amount: str
    kind: str | None
    code: str | None
    customer_reference: str | None
    bank_reference: str | None
    supplementary: str | None


def entry(lines: list[str]) -> Entry | None:
    """Returns an entry; nothing where it is written otherwise. The amount is all digits and commas that stand there."""
    found = _ENTRY(lines[0].rstrip())
    if found is None:
        return None
    day, entry_day, mark, funds, amount, kind, code, own, bank = found.groups()
    more = "\n".join(line.rstrip() for line in lines[1:]).strip("\n")
    return Entry(day, entry_day, mark, funds, amount, kind, code, own or None, bank or None, more or None)


class Part(NamedTuple):
    """A part of a field of information: in which form it stands, what it is called, what it says."""

    form: str
    key: str
    value: str


_GVC = re.compile(r"([0-9]{3})([^0-9A-Za-z\s/])(?=[0-9]{2})").match
_TAGS = re.compile(r"/([A-Z]{2,5})/")
_KEYWORDS = re.compile(
    r"(EREF|KREF|MREF|CRED|DEBT|COAM|OAMT|SVWZ|ABWA|ABWE|IBAN|BIC |PURP|MDAT|SQTP|ORCR|ORMR|DDAT)\+"
)
_NON_SWIFT = re.compile(r"([0-9]{2})(.*)", re.DOTALL)
_PURPOSE = frozenset([*(f"{n}" for n in range(20, 30)), *(f"{n}" for n in range(60, 66))])


def parts(lines: list[str]) -> list[Part]:
    """Returns the parts of field 86: subfields by number (`?20`), then their keywords (`EREF+`); or words between slashes."""
    joined = "".join(lines)
    if found := _GVC(joined):
        code, sign = found.groups()
        numbered = [Part("subfield", text[:2], text[2:]) for text in joined[4:].split(sign) if text]
        if all(part.key.isdigit() for part in numbered):
            return [Part("code", "", code), *numbered, *_keywords(numbered)]
    if joined.startswith("/") and _TAGS.match(joined):
        cuts = list(_TAGS.finditer(joined))
        ends = [cut.start() for cut in cuts[1:]] + [len(joined)]
        return [Part("tag", cut.group(1), joined[cut.end() : end]) for cut, end in zip(cuts, ends)]
    return []


def _keywords(numbered: list[Part]) -> list[Part]:
    """Returns what stands behind keywords in the purpose, whose lines are one text."""
    text = "".join(part.value for part in numbered if part.key in _PURPOSE)
    cuts = list(_KEYWORDS.finditer(text))
    ends = [cut.start() for cut in cuts[1:]] + [len(text)]
    return [Part("keyword", cut.group(1).strip(), text[cut.end() : end]) for cut, end in zip(cuts, ends)]


def lines_by_number(lines: list[str]) -> list[Part]:
    """Returns the parts of field NS: lines that begin with two digits."""
    found: list[Part] = []
    for line in lines:
        if numbered := _NON_SWIFT.fullmatch(line):
            found.append(Part("line", *numbered.groups()))
    return found


class Meaning(NamedTuple):
    """What parts of whatever form say of a payment."""

    transaction_code: str | None = None
    posting_text: str | None = None
    counterparty_name: str | None = None
    counterparty_account: str | None = None
    counterparty_bank: str | None = None
    remittance: str | None = None
    end_to_end_id: str | None = None
    mandate_id: str | None = None
    creditor_id: str | None = None


def meaning(found: list[Part]) -> Meaning:
    """Returns what parts say of a payment."""
    if not found:
        return Meaning()
    if found[0].form == "tag":
        return _of_tags({part.key: part.value.strip("/") or None for part in reversed(found)})
    return _of_subfields(found)


def _of_tags(tags: dict[str, str | None]) -> Meaning:
    say = tags.get
    return Meaning(
        say("TRTP"), say("TRTP"), say("NAME"), say("IBAN"), say("BIC"), say("REMI"), say("EREF"), say("MARF"), say("CSID")
    )._replace(transaction_code=say("TRCD"))  # fmt: skip


def _of_subfields(found: list[Part]) -> Meaning:
    numbers: dict[str, str] = {}
    for part in found:
        if part.form == "subfield":
            numbers[part.key] = numbers.get(part.key, "") + part.value
    words = {part.key: part.value for part in reversed(found) if part.form == "keyword"}
    purpose = "".join(part.value for part in found if part.form == "subfield" and part.key in _PURPOSE)
    return Meaning(
        found[0].value,
        numbers.get("00") or None,
        (numbers.get("32", "") + numbers.get("33", "")) or None,
        numbers.get("31") or words.get("IBAN") or None,
        numbers.get("30") or words.get("BIC") or None,
        words.get("SVWZ") or (None if words else purpose) or None,
        words.get("EREF") or None,
        words.get("MREF") or None,
        words.get("CRED") or None,
    )
