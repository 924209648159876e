"""SWIFT statements (MT940, MT942) into tables."""

from __future__ import annotations

import re
from typing import cast

from casparian import Option, Output, Source, Span, Table, parser
from casparian.shapes import SkipKind
from framing import messages
from statement import ENCODINGS, Rows

_MONEY = "decimal(18,4)"
_STATEMENTS = Table(
    "statements",
    message_type=str, bic=str, reference=str, related_reference=str, account=str, iban=str,
    number=str, statement_no=str, sequence_no=str, created_at=str,
    opening_kind=str, opening_date="date32", opening_currency=str, opening_amount=_MONEY,
    closing_kind=str, closing_date="date32", closing_currency=str, closing_amount=_MONEY,
    available_date="date32", available_currency=str, available_amount=_MONEY,
    n_entries="uint32", entries_amount=_MONEY,
    debit_floor=_MONEY, credit_floor=_MONEY, n_debits="uint32", debits_amount=_MONEY, n_credits="uint32", credits_amount=_MONEY,
    information=str,
    doc="One row per statement.",
)  # fmt: skip
_ENTRIES = Table(
    "entries",
    entry_no="uint32", value_date="date32", entry_date="date32", mark=str, funds_code=str, amount=_MONEY, currency=str,
    kind=str, code=str, customer_reference=str, bank_reference=str, supplementary=str, value_date_raw=str, raw=str,
    information=str, form=str, transaction_code=str, posting_text=str, counterparty_name=str, counterparty_account=str,
    counterparty_bank=str, remittance=str, end_to_end_id=str, mandate_id=str, creditor_id=str,
    typed=["entry_no"],
    doc="One row per entry of a statement.",
)  # fmt: skip
_BALANCES = Table(
    "balances",
    balance_no="uint32", tag=str, name=str, mark=str, date="date32", currency=str, amount=_MONEY, raw=str,
    typed=["balance_no"], default_on=False,
    doc="One row per balance of a statement.",
)  # fmt: skip
_DETAILS = Table(
    "details",
    pos="uint32", entry_no="uint32", tag=str, form=str, key=str, value=str,
    typed=["pos", "entry_no"],
    doc="One row per part of the information about an entry or a statement.",
)  # fmt: skip

FAULTS = {
    "not_mt": "What stands between messages is none: rejected.",
    "oversized_record": "A message is longer than `record-bytes-max`: rejected.",
    "bad_entry": "An entry is written otherwise than field 61 is.",
    "bad_balance": "A balance is written otherwise than fields 60, 62, 64 and 65 are.",
    "bad_date": "A day that the calendar does not have.",
    "bad_amount": "An amount that is none.",
    "bad_iban": "The account looks like an IBAN, and its check digits are wrong.",
    "bad_statement_number": "The number of the statement is written otherwise than field 28C is.",
    "sum_mismatch": "There are more or fewer entries than fields 90C and 90D say, or other amounts.",
    "duplicate_field": "A field is there twice that a statement has once.",
    "unknown_field": "A field that no statement has.",
    "undecodable_text": "Text that is not valid in the file's encoding.",
}


def _sniff(source: Source) -> int:
    head = source.read(0, 4096)
    if re.search(rb"^:20:", head, re.MULTILINE) and re.search(rb"^:(?:60[FM]|61|25):", head, re.MULTILINE):
        return 95
    return 80 if re.search(rb"\{2:[IO]94[02]", head) else 0


@parser(
    name="mt940",
    version="0.1.0",
    patterns=["*.sta", "*.mt940", "*.940"],
    outputs=[_STATEMENTS, _ENTRIES, _BALANCES, _DETAILS],
    faults=FAULTS,
    options={
        "record-bytes-max": Option(8 << 20, "The longest message, 1024 to 16777216 bytes."),
        "text-encoding": Option("auto", "`auto`: UTF-8 where it is that, else ISO 8859-1.", choices=ENCODINGS),
    },
    sniff=_sniff,
)
def parse(source: Source, out: Output) -> None:
    """SWIFT statements of accounts, MT940 and MT942."""
    bytes_max = int(source.options["record-bytes-max"])
    if not 1024 <= bytes_max <= 16 << 20:
        raise ValueError(f"record-bytes-max: {bytes_max} is not in 1024 to {16 << 20}")
    rows = Rows(out, str(source.options["text-encoding"]))
    for message in messages(source, bytes_max):
        record = Span(message.offset, message.length)
        if not message.code:
            source.current = record
            rows.write(record, message)
        elif message.code in ("blank", "separator"):
            out.skip(record, cast(SkipKind, message.code))
        else:
            out.reject(record, message.code, message.message)
