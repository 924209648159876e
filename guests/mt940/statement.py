"""A message as rows: the statement, its balances, its entries and what is said of them."""

from __future__ import annotations

import re
from typing import Any, Iterator

import values
from casparian import Output, Span
from entry import Part, entry, lines_by_number, meaning, parts
from framing import Message

_NUMBER = re.compile(r"([0-9]{1,5})(?:/?([0-9]{1,5}))?").fullmatch
_BLOCK = re.compile(r"\{1:[A-Z][0-9]{2}([A-Z0-9]{12})[0-9]*\}")
_TYPE = re.compile(r"\{2:[IO]([0-9]{3})")
_SUM = re.compile(r"([0-9]{1,5})([A-Z]{3})([0-9,]{1,16})").fullmatch
_CREATED = re.compile(r"([0-9]{6})([0-9]{2})([0-9]{2})([+-][0-9]{4})?").fullmatch
_FLOOR = re.compile(r"([A-Z]{3})([DC ]?)([0-9,]{1,16})").fullmatch
_CONTROLS = re.compile("[\x80-\x9f]")
_BALANCES = {"60F": "opening", "60M": "opening", "62F": "closing", "62M": "closing", "64": "available", "65": "forward"}
_ONCE = ("20", "21", "25", "28", "28C", "13D", "90C", "90D")
ENCODINGS = ("auto", "utf-8", "latin-1")


class Rows:
    """Writes messages into tables."""

    def __init__(self, out: Output, encoding: str) -> None:
        self._encoding = encoding
        self._statements = out.table("statements")
        self._entries = out.table("entries")
        self._balances = out.table("balances") if out.wanted("balances") else None
        self._details = out.table("details") if out.wanted("details") else None

    def write(self, record: Span, message: Message) -> None:
        """Writes a message."""
        statement = _Statement(message, self._encoding)
        self._statements.append(record, *statement.cells(), faults=statement.faults)
        for row in statement.entries:
            self._entries.append(record, *row)
        if self._balances is not None:
            for balance in statement.balances:
                self._balances.append(record, *balance)
        if self._details is not None:
            for detail in statement.details:
                self._details.append(record, *detail)


class _Statement:
    """A message that is being read, field by field."""

    def __init__(self, message: Message, encoding: str) -> None:
        self.faults: list[str] = []
        self.entries: list[list[Any]] = []
        self.balances: list[tuple[Any, ...]] = []
        self.details: list[tuple[Any, ...]] = []
        self._first: dict[str, str] = {}
        self._of: dict[str, values.Balance] = {}
        self._kinds: dict[str, str] = {}
        self._sums: dict[str, tuple[str | None, str | None]] = {}
        self._floors: dict[str, str | None] = {}
        self._created: str | None = None
        self._floor_currency: str | None = None
        self._information: list[str] = []
        self._amounts: list[str] = []
        self._is_summed = True
        # Where a field of information belongs: the entry before it, or the statement.
        self._is_in_entry = False
        self._header = message.header.decode("latin-1")
        for tag, lines in self._texts(message.fields, encoding):
            self._field(tag, lines)
        self._check_sums()
        for row in self.entries:
            row[14] = "\n".join(row[14]) if row[14] else None

    def _texts(self, fields: list[bytes], encoding: str) -> Iterator[tuple[str, list[str]]]:
        """Yields the tags and the lines of the fields."""
        for at in range(0, len(fields), 2):
            raw = fields[at + 1]
            text = raw.decode("ascii") if raw.isascii() else self._decoded(raw, encoding)
            yield fields[at].decode("ascii"), text.replace("\r\n", "\n").removesuffix("\n").removesuffix("\r").split("\n")

    def _decoded(self, raw: bytes, encoding: str) -> str:
        try:
            text = raw.decode("utf-8" if encoding == "auto" else encoding)
        except UnicodeDecodeError:
            if encoding != "auto":
                self._fault("undecodable_text")
            text = raw.decode("latin-1")
        # UTF-8 is told by its letters; where it is none, bytes that are no letters of ISO 8859-1 are of some other table.
        if encoding != "utf-8" and _CONTROLS.search(text) is not None:
            self._fault("undecodable_text")
        return text

    def _fault(self, code: str) -> None:
        if code not in self.faults:
            self.faults.append(code)

    def _field(self, tag: str, lines: list[str]) -> None:
        text = lines[0].strip()
        if tag in _ONCE and tag in self._first:
            self._fault("duplicate_field")
        if tag == "61":
            self._entry(lines)
        elif tag == "86":
            self._say(lines)
        elif tag == "NS":
            self._tell("NS", lines_by_number(lines), lines)
        elif tag in _BALANCES:
            self._balance(tag, text)
        elif tag in _ONCE:
            self._first.setdefault(tag, text)
            self._number(tag, text)
        elif tag == "34F":
            self._floor(text)
        else:
            self._fault("unknown_field")

    def _number(self, tag: str, text: str) -> None:
        """Reads the fields that count or date a message."""
        if tag in ("90C", "90D"):
            found = _SUM(text)
            number = values.amount(found.group(3)) if found else None
            if number is None:
                self._fault("bad_amount")
            self._sums[tag] = (str(int(found.group(1))), number) if found else (None, None)
        elif tag == "13D":
            found = _CREATED(text)
            day = values.day(found.group(1)) if found else None
            if found is None or day is None:
                self._fault("bad_date")
                return
            _, hour, minute, zone = found.groups()
            self._created = f"{day}T{hour}:{minute}:00" + (f"{zone[:3]}:{zone[3:]}" if zone else "")

    def _floor(self, text: str) -> None:
        found = _FLOOR(text)
        number = values.amount(found.group(3)) if found else None
        if found is None or number is None:
            self._fault("bad_amount")
            return
        self._floor_currency = found.group(1)
        # One limit without a mark is for both sides.
        for mark in (found.group(2).strip() or "DC"):
            self._floors[mark] = number

    def _balance(self, tag: str, text: str) -> None:
        self._is_in_entry = False
        name = _BALANCES[tag]
        found = values.balance(text)
        if name != "forward" and name in self._kinds:
            self._fault("duplicate_field")
        self._kinds.setdefault(name, tag)
        if found is None:
            self._fault("bad_balance")
        else:
            if found.day is None:
                self._fault("bad_date")
            if found.amount is None:
                self._fault("bad_amount")
            self._of.setdefault(name, found)
        self.balances.append((len(self.balances), tag, name, *(found or (None, None, None, None)), text))

    def _entry(self, lines: list[str]) -> None:
        found = entry(lines)
        self._is_in_entry = True
        number = len(self.entries)
        if found is None:
            self._fault("bad_entry")
            self._is_summed = False
            self.entries.append([number, *[None] * 12, "\n".join(lines), *[None] * 11])
            return
        day, amount = values.day(found.day), values.amount(found.amount, found.mark)
        entry_day = values.entry_day(found.entry_day, found.day) if found.entry_day else None
        if day is None or (found.entry_day and entry_day is None):
            self._fault("bad_date")
        if amount is None:
            self._fault("bad_amount")
            self._is_summed = False
        else:
            self._amounts.append(amount)
        self.entries.append([
            number, day, entry_day, found.mark, found.funds_code, amount, self._currency(), found.kind, found.code,
            found.customer_reference, found.bank_reference, found.supplementary, found.day, "\n".join(lines), None, None,
            *[None] * 9,
        ])  # fmt: skip

    def _currency(self) -> str | None:
        opening = self._of.get("opening")
        return opening.currency if opening else self._floor_currency

    def _check_sums(self) -> None:
        """Compares how many entries there are, and how much they are, with what the statement says."""
        if not self._is_summed:
            return
        for tag, is_debit in (("90D", True), ("90C", False)):
            count, amount = self._sums.get(tag, (None, None))
            own = [row[5].removeprefix("-") for row in self.entries if (row[3] in values.DEBITS) == is_debit]
            if count is None or amount is None:
                continue
            if count != str(len(own)) or values.total(own) != values.total([amount]):
                self._fault("sum_mismatch")

    def _say(self, lines: list[str]) -> None:
        found = parts([line.rstrip("\r") for line in lines])
        text = "\n".join(lines).strip("\n")
        self._tell("86", found, lines)
        if not self._is_in_entry:
            self._information.append(text)
            return
        row = self.entries[-1]
        row[14] = row[14] or []
        row[14].append(text)
        if row[15] is None and found:
            row[15] = found[0].form if found[0].form == "tag" else "subfield"
            row[16:] = meaning(found)

    def _tell(self, tag: str, found: list[Part], lines: list[str]) -> None:
        number = len(self.entries) - 1 if self._is_in_entry else None
        told = found or [Part("text", "", "\n".join(lines).strip("\n"))]
        for part in told:
            self.details.append((len(self.details), number, tag, *part))

    def cells(self) -> tuple[Any, ...]:
        """Returns the row of the statement."""
        first = self._first.get
        account = first("25")
        iban = values.iban(account) if account else None
        if iban is not None and not values.checks(iban):
            self._fault("bad_iban")
        number = first("28C", first("28"))
        found = _NUMBER(number) if number is not None else None
        if number is not None and found is None:
            self._fault("bad_statement_number")
        sender, kind = _BLOCK.search(self._header), _TYPE.search(self._header)
        n_debits, debits = self._sums.get("90D", (None, None))
        n_credits, credits = self._sums.get("90C", (None, None))
        return (
            kind.group(1) if kind else None, sender.group(1) if sender else None, first("20"), first("21"), account, iban,
            number, *(found.groups() if found else (None, None)), self._created,
            *self._balance_cells("opening"), *self._balance_cells("closing"), *self._balance_cells("available")[1:],
            str(len(self.entries)), values.total(self._amounts) if self._is_summed else None,
            self._floors.get("D"), self._floors.get("C"), n_debits, debits, n_credits, credits,
            "\n".join(self._information) if self._information else None,
        )  # fmt: skip

    def _balance_cells(self, name: str) -> tuple[str | None, ...]:
        """Returns whether a balance is final or intermediate, its day, currency and amount."""
        tag, found = self._kinds.get(name), self._of.get(name)
        kind = {"F": "final", "M": "intermediate"}.get(tag[-1]) if tag else None
        return (kind, found.day, found.currency, found.amount) if found else (kind, None, None, None)
