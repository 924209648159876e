"""Rows, rejections and skips leave in order; where batches and ranges are cut changes nothing; no value is altered."""

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian import Span, Table
from casparian.engine import Program
from casparian.native import NativePort, run, run_steadily
from casparian.shapes import Fault, Refused

CELLS = st.one_of(
    st.none(), st.text(max_size=5), st.integers(), st.floats(), st.booleans(), st.decimals(allow_nan=False), st.dates(), st.times(),
    st.datetimes(), st.datetimes(timezones=st.just(UTC)), st.binary(max_size=3), st.just("\udc80"), st.just(object()), st.just(b"\xff"),
)  # fmt: skip

# The parser looks its cells up here, so that they can be any value of Python.
GIVEN: list = []

MIXED = """
from casparian import by_lines, parser
from test_output import GIVEN

@parser(plan=by_lines)
def parse(source, out):
    t = out.table("t", n=int, px="decimal(18,4)", at="timestamp[us]", day="date32", s=str, b=bytes)
    typed = out.table("typed", n=int, f=float, typed=True)
    for line in source.lines():
        cells = GIVEN[int(line)]
        t.append(line, *cells)
        typed.append(line, cells[0], cells[1])
"""
PROGRAM = Program.load({"mixed.py": MIXED.encode()}, "mixed.py")


def mixed(rows, **how):
    GIVEN[:] = rows
    raw = b"".join(b"%d\n" % row for row in range(len(rows)))
    return run_steadily(PROGRAM, raw, **how)


@settings(max_examples=60)
@given(st.lists(st.tuples(*[CELLS] * 6), max_size=20), st.integers(1, 40))
def test_no_cut_changes_anything_and_no_value_is_altered(rows, target):
    whole, cut = mixed(rows), mixed(rows, target_bytes=target)
    assert repr(whole.tables) == repr(cut.tables) and cut.rejects == []
    for cells, row in zip(rows, whole.rows("t"), strict=True):
        for cell, (name, wire) in zip(cells, row.cells.items()):
            if wire is None:
                assert cell is None or "unfit_cell" in row.faults
            else:
                assert wire == canonical(cell) if name != "b" else wire in (cell, text_bytes(cell))


def canonical(cell):
    """The text that docs/spec/lossless.md calls that of a value, or one that differs in what it calls insignificant."""
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return format(cell, "f") if cell.is_finite() and abs(cell.adjusted()) <= 1000 else str(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return "NaN" if math.isnan(cell) else repr(cell)
    return cell.decode() if isinstance(cell, bytes) else str(cell)


def text_bytes(cell):
    return cell.encode() if isinstance(cell, str) else None


def test_a_nan_that_is_said_twice_is_said_steadily():
    said = mixed([(None, math.nan, None, None, None, None)])
    assert math.isnan(said.rows("typed")[0].cells["f"])


def test_every_bad_cell_is_told_with_its_place():
    said = mixed([("many", "1,5", 7, None, "\udcff", 5)])
    assert said.rows("t")[0].cells == {"n": "many", "px": "1,5", "at": "7", "day": None, "s": None, "b": None}
    assert said.rows("t")[0].faults == ["unfit_cell"]
    assert said.rows("typed")[0].cells == {"n": None, "f": None}
    assert ("warn", "t.s: '\\udcff' does not fit text", Span(0, 2)) in said.log


def said(load, body, raw=b"a\nb\nc\n", **how):
    source = "def parse(source, out):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    return run(load(source), raw, **how)


def test_cells_go_by_place_or_name_and_what_is_left_out_is_null(load):
    body = """
t = out.table("t", {"Order ID": str, "class": str, "faults": str, "n_": str}, a=str)
lines = list(source.lines())
t.append(lines[0], "1", "2", "3", "4", "5")
t.append(lines[1], **{"Order ID": "1", "class": "2", "faults_": "no"} if 0 else {"Order ID": "1", "class": "2", "n_": "4"}, a="5")
t.append(lines[2])
"""
    rows = [list(row.cells.values()) for row in said(load, body).rows("t")]
    assert rows == [["1", "2", "3", "4", "5"], ["1", "2", None, "4", "5"], [None] * 5]


@pytest.mark.parametrize(
    "call",
    [
        "t.append(line, b=1)",
        "t.append(line, 1, 2)",
        "t.append(line, **{'Order ID': 1})",
        "t.append()",
        "t.extend([line], {'b': [1]})",
        "t.extend([line], a=[1, 2])",
        "t.extend([line, line], a=[1])",
    ],
)
def test_a_column_that_the_table_has_not_is_refused(load, call):
    for columns in ("a=str", "{'a': str, 'An odd one': str}"):
        if columns == "a=str" or "1, 2" not in call:
            with pytest.raises(Fault, match="(Type|Value)Error"):
                said(load, f"t = out.table('t', {columns})\nline = next(source.lines())\n{call}")


def test_whole_columns_are_added_at_once(load):
    body = """
t = out.table("t", a=str, b=int, c=str)
for lines in source.line_blocks():
    t.extend(lines, a=lines, b=range(len(lines)))
t.extend([], a=[], b=[])
"""
    rows = said(load, body).rows("t")
    assert [(row.span, *row.cells.values()) for row in rows] == [
        ((0, 2), "a", "0", None),
        ((2, 2), "b", "1", None),
        ((4, 2), "c", "2", None),
    ]


def test_faults_are_said_of_whole_columns_too(load):
    body = "t = out.table('t', a=str)\nlines = list(source.lines())\nt.append(lines[0])\n"
    rows = said(load, body + "t.extend(lines, a=lines, faults=[None, ['undeclared'], []])").rows("t")
    assert [row.faults for row in rows] == [[], [], ["undeclared"], []]
    with pytest.raises(Fault, match="column `faults` has 1 cells for 3 records"):
        said(load, body + "t.extend(lines, faults=[None])")


def test_what_was_attached_is_read_like_the_input(load):
    body = """
t = out.table("t", a=str)
codes = dict(row for row in out.attachment("codes").csv())
for line in source.lines(): t.append(line, codes.get(line))
assert out.attachment("nothing") is None
"""
    result = said(load, body, attachments={"codes": b"a,Alpha\nb,Beta\n"})
    assert result.column("t", "a") == ["Alpha", "Beta", None] and result.skips == []


def test_what_the_host_refuses_keeps_its_code(load):
    source = "from casparian import Table\nclass Parser:\n outputs = [Table('t', a=int)]\n def parse(self, source, out): out.table('u', a=int)"
    with pytest.raises(Refused) as caught:
        run(load(source), b"x")
    assert caught.value.code == "table-undeclared"


@pytest.mark.parametrize(
    "table", ["'T', a=int", "'t', {'a': int, 'A': int}", "'t', {'_cf_x': int}", "'t', {'': int}", "'t', {'a\\n': int}"]
)
def test_names_that_no_host_takes_are_refused(load, table):
    with pytest.raises(Refused, match="table|column"):
        said(load, f"out.table({table})")


def test_columns_larger_than_a_batch_leave_in_many(load):
    port_raw = b"x\n" * 5000
    body = (
        "t = out.table('t', a=str)\nfor lines in source.line_blocks():\n    t.extend(lines, a=['y' * 100] * len(lines))"
    )
    program = load("def parse(source, out):\n" + "".join(f"    {line}\n" for line in body.splitlines()))
    port = NativePort("t", port_raw, program.describe(), batch_bytes=4096)
    batches = []
    take = port.take
    port.take = lambda *its: (batches.append(len(its[2][0])), take(*its))
    assert len(run(program, port_raw, port=port).rows("t")) == 5000
    assert max(batches) < 200 and len(batches) > 25


def test_a_batch_is_never_larger_than_a_host_takes(load):
    body = """
t = out.table("t", a=str)
for n, line in enumerate(source.lines()):
    t.append(line, "x" if n < 100 else "x" * (3 << 20))
"""
    rows = said(load, body, b"\n" * 140, batch_bytes=16 << 20).rows("t")
    assert [len(row["a"]) for row in rows] == [1] * 100 + [3 << 20] * 40


def test_what_a_record_said_is_taken_back_when_it_is_rejected(load):
    body = """
from casparian import Reject
t, u = out.table("t", a=str), out.table("u", a=str)
for line in source.lines():
    with out.record(line, "bad"):
        t.append(line, str(line))
        out.table("late", a=str).append(line, "x")
        if line == "a": raise Reject("odd", "so it is")
        if line == "b": int(line)
        u.append(line, str(line), faults=["undeclared"])
"""
    for batch_bytes in (1, 1 << 20):
        result = said(load, body, batch_bytes=batch_bytes)
        assert result.column("t", "a") == result.column("u", "a") == ["c"] and len(result.rows("late")) == 1
        assert [(it.span, it.code, it.message) for it in result.rejects] == [
            ((0, 2), "undeclared", "odd: so it is"),
            ((2, 2), "undeclared", "bad: ValueError: invalid literal for int() with base 10: 'b'"),
        ]


def test_the_watermark_follows_what_begins(load):
    body = "t = out.table('t', a=str)\nfor line in source.lines(): t.append(line, 'x')"
    assert said(load, body, batch_bytes=1).commits == [2, 4, 6]
    assert said(load, body).commits == [4, 6]


def test_ranges_may_be_cut_within_records(load):
    plan = "from casparian import Layout\nclass Parser:\n def plan(self, source, out, n): return Layout.cut_at(len(source), [1, 2])\n def parse(self, source, out):\n  for line in source.lines(): out.table('t', a=str).append(line)"
    result = run(load(plan), b"aaa\nb\n")
    assert [row.span for row in result.rows("t")] == [(0, 4), (4, 2)] and result.commits[-1] == 6


def test_a_watermark_moved_by_hand_stays_where_it_is_put(load):
    body = """
t = out.table("t", a=str)
lines = list(source.lines())
out.complete(0)
for line in (lines[2], lines[1], lines[0]): t.append(line, "x")
out.complete(4)
t.append(lines[2], "y")
"""
    result = said(load, body, batch_bytes=1)
    assert len(result.rows("t")) == 4 and result.commits[-1] == 6


@pytest.mark.parametrize("say", ["t.append(lines[0])", "out.reject(lines[0], 'x')", "out.skip(lines[0], 'blank')"])
def test_what_begins_before_the_watermark_is_a_fault(load, say):
    with pytest.raises(Fault, match="a record begins at 0, before the watermark at 4"):
        said(load, f"t = out.table('t', a=str)\nlines = list(source.lines())\nt.append(lines[2])\n{say}", batch_bytes=1)


def test_rejections_and_skips_alone_are_committed(load):
    result = said(
        load, "for line in source.lines():\n    out.reject(line, 'x') if line == 'b' else out.skip(line, 'blank')"
    )
    assert result.commits == [4, 6] and [span for span, _, _ in result.skips] == [(0, 2), (4, 2)]


def test_uncommitted_input_is_bounded_whatever_is_said(load):
    body = "t = out.table('t', a=str)\nfor n, line in enumerate(source.lines()):\n    if n % 100_000 == 0: t.append(line, 'x')"
    result = said(load, body, b"x" * 99 + b"\n" * 1 + (b"y" * 99 + b"\n") * 200_000)
    assert len(result.commits) >= 2


def test_a_table_without_spans_accounts_for_nothing(load):
    result = said(load, "out.table('t', a=int, spans=False, typed=True).append(None, 5)")
    assert (result.rows("t")[0].span, result.rows("t")[0]["a"]) == (None, 5) and result.dark() == [Span(0, 6)]


def test_faults_of_rows_must_be_declared(load):
    with pytest.raises(Fault, match="fault `odd` is not declared; there are unfit_cell"):
        said(load, "out.table('t', a=int).append(source.range, 1, faults=['odd'])")


def test_a_table_opened_twice_is_one_table_unless_its_columns_differ(load):
    body = "for line in source.lines(): out.table('t', a=int).append(line, '1')"
    assert len(said(load, body).rows("t")) == 3
    with pytest.raises(Fault, match="table `t` is open with other columns"):
        said(load, "out.table('t', a=int)\nout.table('t', a=str)")


def test_tables_that_make_no_sense_are_refused():
    for build in (
        lambda: Table("t"),
        lambda: Table("t", a=object),
        lambda: Table("t", a=int, typed=["b"]),
        lambda: Table("t", a=int, docs={"b": ""}),
    ):
        with pytest.raises(ValueError):
            build()


def test_a_plan_may_speak(load):
    source = """
from casparian import Layout
class Parser:
    def plan(self, source, out, target_bytes):
        out.skip(next(source.lines()), "header")
        out.table("about", n=int).append(list(source.lines())[1], 5)
        return Layout.cut_at(len(source), [4], b"ctx")
    def parse(self, source, out):
        for line in source.lines():
            out.table("t", a=bytes).append(line, source.context)
"""
    with pytest.raises(Fault, match="before the watermark"):
        run(load(source), b"a\nb\nc\n")
    result = run(
        load(
            source.replace(
                "for line in source.lines()", "for line in list(source.lines())[-1:] if source.range.offset else []"
            )
        ),
        b"a\nb\nc\n",
    )
    assert result.column("t", "a") == [b"ctx"] and result.column("about", "n") == ["5"]


class Unspeakable:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize("cell", [10**5000, [10**5000], Unspeakable()], ids=["number", "numbers", "unspeakable"])
def test_a_cell_that_cannot_be_shown_is_unfit_and_ends_no_run(cell):
    said = mixed([(cell, 1, 1, 1, "s", b"")])
    assert [row.faults for row in said.rows("t")] == [["unfit_cell"]] and said.rows("t")[0]["n"] is None
    assert said.rows("typed")[0]["n"] is None and len(said.log) == 2


@pytest.mark.parametrize(
    "name", ["len", "list", "TypeError", "append", "others", "µm", "Nº", "ﬁ", "record", "__debug__"]
)
def test_a_column_may_have_any_name(load, name):
    body = f"""
t = out.table("t", {{{name!r}: str, "An odd one": str, "No": str}})
for line in source.lines():
    t.append(line, **{{{name!r}: "by name", "No": "no"}}, faults=["unfit_cell"])
    t.append(line, "by place")
"""
    rows = said(load, body, b"a\n").rows("t")
    assert [row.cells for row in rows] == [
        {name: "by name", "An odd one": None, "No": "no"},
        {name: "by place", "An odd one": None, "No": None},
    ]


def test_the_faults_of_a_row_stand_once_wherever_batches_are_cut(load):
    body = """
t = out.table("t", a=str, b="int64", c="int64", typed=["b", "c"])
for at, line in enumerate(source.lines()):
    t.append(line, "x" * (at and 1 << 20), "no", "no", faults=["undeclared"])
"""
    whole, cut = said(load, body, b"a\n" * 40), said(load, body, b"a\n" * 40, batch_bytes=1)
    assert {tuple(row.faults) for row in whole.rows("t")} == {("undeclared", "unfit_cell")}
    assert whole.tables == cut.tables
    assert len(whole.log) == len(cut.log)


def test_a_row_that_no_batch_holds_is_rejected_and_its_neighbours_are_kept(load, monkeypatch):
    monkeypatch.setattr("casparian.table.BATCH_BYTES_MAX", 2000)
    body = """
t = out.table("t", a=str)
u = out.table("u", a=str, b=str)
for line in source.lines():
    t.append(line, line)
    u.append(line, line, line)
    u.append(line, line, line)
"""
    raw = b"a\n" * 20 + b"x" * 900 + b"\n" + b"b\n" * 20
    for batch_bytes in (1, 256 << 10):
        found = said(load, body, raw, batch_bytes=batch_bytes)
        assert [(it.span, it.code) for it in found.rejects] == [((40, 901), "too_long")]
        assert found.rejects[0].message.startswith("a row of `u` has ")
        assert len(found.rows("u")) == 80 and found.dark() == []


def test_rows_that_grow_are_measured_before_many_of_them_wait(load, monkeypatch):
    sizes = []
    emit = NativePort.take
    monkeypatch.setattr(
        NativePort,
        "take",
        lambda port, table, fields, columns: (
            sizes.append(sum(map(len, columns[2]))),
            emit(port, table, fields, columns),
        ),
    )
    body = """
t = out.table("t", a=str)
for at, line in enumerate(source.lines()):
    t.append(line, "x" * 10_000 if at > 40 else "y")
    most = max(t.mark(), globals().get("most", 0))
    globals()["most"] = most
out.skip(line, "other", str(most))
"""
    found = said(load, body, b"a\n" * 1000)
    assert len(found.rows("t")) == 1000 and int(found.skips[0][2]) < 200 and max(sizes) < 2 << 20


def test_rows_taken_back_are_measured_no_longer(load):
    body = """
t = out.table("t", a=str)
for line in source.lines():
    with out.record(line, "undeclared"):
        t.append(line, "x" * 100_000)
        int(line)
"""
    found = said(load, body, b"a\n1\n" * 20)
    assert len(found.rows("t")) == 20 and len(found.rejects) == 20
