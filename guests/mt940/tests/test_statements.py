"""Statements and their parts, one fact each."""

from decimal import Decimal

from casparian.native import run
from hypothesis import given, settings
from hypothesis import strategies as st

HEAD = ":20:R\n:25:A\n:28C:1/1\n:60F:C260301EUR100,00\n"
FOOT = ":62F:C260302EUR100,00\n-\n"


def statement(*lines):
    return (HEAD + "".join(line + "\n" for line in lines) + FOOT).encode()


def only(said, table="entries"):
    (row,) = said.rows(table)
    return row


def test_a_statement_is_a_record_up_to_its_end(say):
    raw = statement() + b"\n" + statement()[:-2] + statement()
    said = say(raw)
    one = len(statement())
    assert said.records() == [(0, one), (one + 1, one - 2), (2 * one - 1, one)]
    assert said.skips == [((one, 1), "blank", "")]


def test_a_line_end_may_be_that_of_windows(say):
    raw = statement(":61:260302C1,00NTRFX", ":86:a", "b")
    rows, windows = say(raw), say(raw.replace(b"\n", b"\r\n"))
    assert [row.cells for row in rows.rows("entries")] == [row.cells for row in windows.rows("entries")]


def test_debits_and_credits_that_are_taken_back_are_below_zero(say):
    marks = ("C", "D", "RC", "RD", "EC", "ED")
    said = say(statement(*(f":61:260302{mark}1,50NTRFX" for mark in marks)))
    assert said.column("entries", "amount") == ["1.50", "-1.50", "-1.50", "1.50", "1.50", "-1.50"]
    assert only(said, "statements")["entries_amount"] == "0"


def test_the_third_letter_of_a_currency_is_no_part_of_the_mark(say):
    row = only(say(statement(":61:2603020302CR50,05NTRFNONREF//0724")))
    assert (row["mark"], row["funds_code"], row["amount"]) == ("C", "R", "50.05")
    assert (row["kind"], row["code"], row["customer_reference"], row["bank_reference"]) == ("N", "TRF", "NONREF", "0724")


def test_amounts_lose_no_digit(say):
    row = only(say(statement(":61:260302C12345678901234,NTRFX")))
    assert row["amount"] == "12345678901234"
    assert only(say(statement(":61:260302C000000000147,640NTRFX")))["amount"] == "147.640"


def test_the_day_of_an_entry_is_near_the_day_of_its_value(say):
    said = say(statement(":61:2512310102C1,NTRFX", ":61:2601021231C1,NTRFX", ":61:9912311231C1,NTRFX"))
    assert said.column("entries", "value_date") == ["2025-12-31", "2026-01-02", "1999-12-31"]
    assert said.column("entries", "entry_date") == ["2026-01-02", "2025-12-31", "1999-12-31"]


def test_a_day_that_no_calendar_has_is_told_as_written(say):
    row = only(say(statement(":61:2602300302D6,00NMSCX")))
    assert (row["value_date"], row["value_date_raw"]) == (None, "260230")


def test_information_behind_the_closing_balance_is_the_statements(say):
    said = say((HEAD + ":61:260302C1,NTRFX\n:86:of the entry\n:62F:C260302EUR101,00\n:86:of the\nstatement\n-\n").encode())
    assert only(said)["information"] == "of the entry"
    assert only(said, "statements")["information"] == "of the\nstatement"
    assert said.column("details", "entry_no") == [0, None]


def test_keywords_of_a_purpose_go_on_over_its_lines(say):
    row = only(say(statement(":61:260302C1,NTRFX", ":86:166?00CREDIT?20EREF+A-", "1?21 2SVWZ+some pur?22pose?31ACC?32NA?33ME")))
    assert (row["transaction_code"], row["posting_text"], row["end_to_end_id"]) == ("166", "CREDIT", "A-1 2")
    assert (row["remittance"], row["counterparty_account"], row["counterparty_name"]) == ("some purpose", "ACC", "NAME")


def test_words_between_slashes_are_parts(say):
    said = say(statement(":61:260302C1,NTRFX", ":86:/IBAN/NL1/NAME/A/B/REMI/USTD//x y/EREF/7/"))
    row = only(said)
    assert (row["counterparty_account"], row["counterparty_name"], row["end_to_end_id"]) == ("NL1", "A/B", "7")
    assert said.column("details", "key") == ["IBAN", "NAME", "REMI", "EREF"]


def test_an_entry_may_be_told_of_more_than_once(say):
    row = only(say(statement(":61:260302C1,NTRFX", ":86:one", ":86:two", "three")))
    assert row["information"] == "one\ntwo\nthree"


def test_much_of_little_does_not_take_forever(program):
    for piece in (":86:x\n", "\n:", ":61:\n", ":NS:01x\n", "\n", "-\n", ":20:\n", "\x01\n"):
        run(program, statement(":61:260302C1,NTRFX", ":86:y")[:-2] + (piece * (400_000 // len(piece))).encode())


def test_words_in_no_form_are_a_text(say):
    said = say(statement(":61:260302C1,NTRFX", ":86:123 Main Street?20 no"))
    assert only(said)["form"] is None
    assert only(said, "details")["form"] == "text"


NUMBERS = st.decimals(0, 10**11, places=2)


@given(st.lists(st.tuples(st.sampled_from(["C", "D", "RC", "RD"]), NUMBERS), max_size=20))
@settings(deadline=None)
def test_the_entries_of_a_statement_add_up_exactly(program, entries):
    lines = [f":61:260302{mark}{str(number).replace('.', ',')}NTRFX" for mark, number in entries]
    said = run(program, statement(*lines))
    wanted = sum((number if mark in ("C", "RD") else -number for mark, number in entries), Decimal(0))
    assert Decimal(only(said, "statements")["entries_amount"]) == wanted


LINES = st.sampled_from([":20:R", ":61:260302C1,NTRFX", ":61:", ":86:166?20x", ":86:/A", "-", "-}{5:}", "{1:F01X}{4:", "\x01", "\x03", "$", "", "words", ":60F:C260301EUR1,", ":60F:", ":99:", ":NS:01x", ":28C:9", ":13D:x", ":34F:EUR1,", ":90D:1EUR1,", "\r"])  # fmt: skip


@given(st.lists(LINES | st.text(max_size=6), max_size=40))
@settings(deadline=None)
def test_no_lines_break_the_parser_and_none_are_lost(program, lines):
    assert run(program, "\n".join(lines).encode(errors="surrogatepass"), options={"record-bytes-max": "1024"}).dark() == []


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_no_bytes_break_the_parser(program, raw):
    assert run(program, statement()[:-2] + raw).dark() == []
