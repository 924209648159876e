"""Messages mean to pyarrow what was written, and the golden messages of the interface mean to us what they mean to it."""

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casparian import Table, cells, decode
from casparian.kinds import Field, Kind, kind
from casparian.shapes import Fault
from casparian.wire import BatchLayout, Body, schema_message

VECTORS = Path(__file__).parents[3] / "wit/vectors"

LEAVES = {
    "bool": st.booleans(),
    **{f"int{bits}": st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
    "float32": st.floats(width=32, allow_nan=False),
    "float64": st.floats(allow_nan=False),
    "utf8": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    "large_utf8": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    "binary": st.binary(max_size=8),
    "large_binary": st.binary(max_size=8),
    "binary(3)": st.binary(min_size=3, max_size=3),
    "date32": st.dates(),
    "date64": st.dates(),
    "time32[s]": st.times().map(lambda it: it.replace(microsecond=0)),
    "time32[ms]": st.times().map(lambda it: it.replace(microsecond=it.microsecond // 1000 * 1000)),
    "time64[us]": st.times(),
    "time64[ns]": st.times(),
    "timestamp[s]": st.datetimes().map(lambda it: it.replace(microsecond=0)),
    "timestamp[us]": st.datetimes(),
    "timestamp[us, UTC]": st.datetimes(timezones=st.just(UTC)),
    "timestamp[ns]": st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)),
    "duration[ms]": st.integers(-(10**12), 10**12).map(lambda it: timedelta(milliseconds=it)),
    "duration[us]": st.timedeltas(timedelta(days=-99999), timedelta(days=99999)),
    "decimal(38,10)": st.decimals(-(10**20), 10**20, places=10),
    "decimal(5,0)": st.integers(-99999, 99999).map(Decimal),
    "decimal256(70,5)": st.decimals(-(10**40), 10**40, places=5),
}


def kinds(levels=3):
    leaves = st.sampled_from(sorted(LEAVES)).map(kind)
    if levels == 0:
        return leaves
    inner = kinds(levels - 1)
    lists = st.tuples(st.sampled_from(["list", "large_list"]), inner)
    structs = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        leaves,
        leaves,
        lists.map(lambda it: Kind(it[0], fields=(Field("item", it[1]),))),
        structs.map(lambda it: Kind("struct", fields=tuple(Field(f"f{at}", k) for at, k in enumerate(it)))),
    )


def values(of):
    if of.name in ("list", "large_list"):
        return st.lists(st.none() | values(of.item), max_size=4)
    if of.name == "struct":
        return st.fixed_dictionaries({field.name: st.none() | values(field.kind) for field in of.fields})
    return LEAVES[str(of)]


def columns():
    return kinds().flatmap(lambda of: st.tuples(st.just(of), st.lists(st.none() | values(of), max_size=12)))


def written(of, column):
    fields = [Field("c", of)]
    body = Body(BatchLayout(fields))
    unfit = cells.write(of, column, body)
    return schema_message(fields), body.message(len(column)), unfit


def to_pyarrow(schema, batch):
    return pa.ipc.read_record_batch(pa.py_buffer(batch), pa.ipc.read_schema(pa.py_buffer(schema)))


def nanos(of):
    return "[ns" in str(of)


@given(columns())
def test_pyarrow_reads_what_was_written(made):
    of, column = made
    schema, batch, unfit = written(of, column)
    read = to_pyarrow(schema, batch)
    read.validate(full=True)
    assert unfit == []
    if not nanos(of):
        assert read.column(0).to_pylist() == column
    assert read.column(0).null_count == column.count(None)


@given(columns())
def test_we_read_what_was_written(made):
    of, column = made
    schema, batch, _ = written(of, column)
    fields = decode.schema(schema)
    assert fields == [Field("c", of)]
    assert decode.batch(fields, batch) == (len(column), [column])


@given(st.lists(st.none() | st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)), max_size=9))
def test_pyarrow_reads_nanoseconds(column):
    schema, batch, _ = written(kind("timestamp[ns]"), column)
    assert to_pyarrow(schema, batch).column(0).cast(pa.timestamp("us")).to_pylist() == column


def test_pyarrow_knows_the_types_by_the_same_names():
    known = {
        "int8": pa.int8(), "uint64": pa.uint64(), "float32": pa.float32(), "utf8": pa.utf8(), "large_utf8": pa.large_utf8(),
        "binary": pa.binary(), "large_binary": pa.large_binary(), "binary(7)": pa.binary(7), "date32": pa.date32(),
        "date64": pa.date64(), "time32[s]": pa.time32("s"), "time64[ns]": pa.time64("ns"), "bool": pa.bool_(),
        "timestamp[ms]": pa.timestamp("ms"), "timestamp[ns, Europe/Berlin]": pa.timestamp("ns", "Europe/Berlin"),
        "duration[s]": pa.duration("s"), "decimal(18,4)": pa.decimal128(18, 4), "decimal256(76,0)": pa.decimal256(76, 0),
    }  # fmt: skip
    fields = [Field(name, kind(name)) for name in known]
    read = pa.ipc.read_schema(pa.py_buffer(schema_message(fields)))
    assert {field.name: field.type for field in read} == known


MEANT = {
    "bool": b"b", "int8": b"c", "int16": b"s", "int32": b"i", "int64": b"l", "uint8": b"C", "uint64": b"L", "float32": b"f",
    "float64": b"g", "decimal(18,4)": b"d:18,4", "date32": b"tdD",
    "time32[s]": b"tts", "time32[ms]": b"ttm", "time64[us]": b"ttu", "time64[ns]": b"ttn", "timestamp[s]": b"tss:",
    "timestamp[us, UTC]": b"tsu:UTC",
}  # fmt: skip


def test_types_that_no_text_is_cast_to_are_sent_as_values():
    odd = {"date64": pa.date64(), "decimal256(60,5)": pa.decimal256(60, 5), "timestamp[ns, Europe/Berlin]": pa.timestamp("ns", "Europe/Berlin")}  # fmt: skip
    fields = pa.ipc.read_schema(pa.py_buffer(Table("t", {name: name for name in odd}).schema()))
    assert {name: fields.field(name).type for name in odd} == odd
    assert all(fields.field(name).metadata is None for name in odd)


def test_a_column_of_text_says_what_it_is_meant_to_be():
    table = Table(
        "t", {name: name for name in MEANT} | {"s": str, "b": bytes, "v": int}, typed=["v"], docs={"bool": "A flag."}
    )
    fields = pa.ipc.read_schema(pa.py_buffer(table.schema()))
    told = {field.name: (field.metadata or {}).get(b"casparian.type") for field in fields}
    assert {name: told[name] for name in MEANT} == MEANT
    assert all(fields.field(name).type == pa.utf8() for name in MEANT)
    assert [told[name] for name in ("s", "b", "v", "_cf_offset")] == [None] * 4
    assert fields.field("bool").metadata == {b"doc": b"A flag.", b"casparian.type": b"b"}


def vectors(which):
    index = json.loads((VECTORS / "index.json").read_text())["vectors"]
    return [it for it in index if it["kind"] == which and it["verdict"] == "accept"]


def raw(file):
    return bytes.fromhex((VECTORS / file).read_text())


@pytest.mark.parametrize("vector", vectors("schema"), ids=lambda it: it["name"])
def test_golden_schemas_mean_the_same_when_we_write_them(vector):
    theirs = pa.ipc.read_schema(pa.py_buffer(raw(vector["file"])))
    ours = pa.ipc.read_schema(pa.py_buffer(schema_message(decode.schema(raw(vector["file"])))))
    assert [(it.name, it.type) for it in ours] == [(it.name, it.type) for it in theirs]


@pytest.mark.parametrize("vector", vectors("batch"), ids=lambda it: it["name"])
def test_golden_batches_mean_the_same_when_we_write_them(vector):
    fields = decode.schema(raw(vector["schema"]))
    rows, columns = decode.batch(fields, raw(vector["file"]))
    body = Body(BatchLayout(fields))
    for field, column in zip(fields, columns):
        assert cells.write(field.kind, column, body) == []
    assert repr(decode.batch(fields, body.message(rows))) == repr((rows, columns))
    theirs = to_pyarrow(raw(vector["schema"]), raw(vector["file"]))
    ours = to_pyarrow(schema_message(fields), body.message(rows))
    ours.validate(full=True)
    assert [str(column) for column in ours.columns] == [str(column) for column in theirs.columns]


NOW = datetime(2024, 1, 1)
NOW_UTC = datetime(2024, 1, 1, tzinfo=UTC)
FIT_AND_UNFIT = [
    ("int8", [1, None, -128, 127], [128, -129, "5", 1.0, True]),
    ("uint64", [0, (1 << 64) - 1], [-1, 1 << 64]),
    ("float64", [1, 0.1, math.inf], [2**53 + 1, "1.5", Decimal(1), 10**400, True]),
    ("float32", [0.5, 3, math.inf], [0.1, 1e300, 16777217]),
    ("bool", [True, False], [1, 0, "true"]),
    ("utf8", ["a", ""], ["\udcff", 5, b"x"]),
    ("binary(2)", [b"ab"], [b"a", b"abc", "abc", 5]),
    ("decimal(5,2)", [Decimal("1.500"), 999, Decimal("1E2")], [Decimal("1.505"), Decimal("1000"), Decimal("-0"), Decimal("NaN"), 1.5]),
    ("decimal(5,2)", [Decimal(0)], [Decimal("1E+999999"), Decimal("1E-999999"), Decimal("sNaN")]),
    ("date32", [date(2024, 2, 29), date.min], [NOW, "2024-02-29", 5]),
    ("timestamp[s]", [NOW], [NOW.replace(microsecond=1), NOW_UTC, date(2024, 1, 1)]),
    ("timestamp[us, UTC]", [NOW_UTC], [NOW, date(2024, 1, 1), 1 << 63]),
    ("timestamp[ns]", [datetime(2262, 1, 1)], [datetime(2300, 1, 1), 1 << 63]),
    ("time64[us]", [time(1), time.max], [time(1, tzinfo=UTC), 86_400_000_000, -1]),
    ("duration[s]", [timedelta(1)], [timedelta(0, 0, 1), "5", 1 << 63]),
    ("list<int8>", [[1], []], [[1, 300], "12", 5]),
    ("list<list<int8>>", [None, [[1], []]], [[[1], [300]], [[], ["x"]]]),
    ("struct<a: int8, b: utf8>", [{"a": 1, "b": "x"}, {"a": None, "b": None}], [{"a": 1, "c": 2}, {"a": "x"}, [1]]),
]  # fmt: skip


@pytest.mark.parametrize("of, fit, unfit", FIT_AND_UNFIT, ids=[it[0] for it in FIT_AND_UNFIT])
def test_cells_that_do_not_fit_are_told_and_their_neighbours_stand(of, fit, unfit):
    schema, batch, told = written(kind(of), [*fit, *unfit, *fit])
    assert told == list(range(len(fit), len(fit) + len(unfit)))
    (read,) = decode.batch(decode.schema(schema), batch)[1]
    assert read[: len(fit)] == read[-len(fit) :] == fit


def test_what_python_calls_otherwise_is_the_same_value():
    schema, batch, told = written(kind("list<struct<a: int8, b: binary>>"), [({"a": 1},), [{"b": "é"}]])
    assert told == []
    (read,) = decode.batch(decode.schema(schema), batch)[1]
    assert read == [[{"a": 1, "b": None}], [{"a": None, "b": "é".encode()}]]


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.decimals(), st.dates(), st.times(),
    st.datetimes(), st.datetimes(timezones=st.timezones()), st.timedeltas(), st.lists(st.integers()), st.just(object()),
    st.dictionaries(st.text(), st.integers()), st.just(10**5000), st.just(Decimal("sNaN")), st.text(st.characters(categories=["Cs"])),
)  # fmt: skip


@given(kinds(), st.lists(ANYTHING, max_size=12))
def test_no_value_breaks_a_typed_column_and_what_is_kept_is_unaltered(of, column):
    schema, batch, unfit = written(of, column)
    to_pyarrow(schema, batch).validate(full=True)
    (read,) = decode.batch(decode.schema(schema), batch)[1]
    for row, (cell, back) in enumerate(zip(column, read)):
        if cell is None or (row in unfit and not of.is_nested):
            assert back is None
        elif row not in unfit and of.name in ("int", "uint", "bool", "utf8", "float"):
            assert back == cell or (math.isnan(back) and math.isnan(cell))


@given(st.lists(ANYTHING, max_size=12))
def test_as_text_every_value_reads_back_as_itself_or_is_told(column):
    body = Body(BatchLayout([Field("c", kind(str))]))
    unfit = cells.write_text(column, body)
    message = body.message(len(column))
    to_pyarrow(schema_message([Field("c", kind(str))]), message).validate(full=True)
    (read,) = decode.batch([Field("c", kind(str))], message)[1]
    for row, (cell, text) in enumerate(zip(column, read)):
        if cell is None or row in unfit:
            assert text is None
        else:
            assert reads_back(cell, text), (cell, text)


def reads_back(cell, text):
    if isinstance(cell, bool):
        return text == str(cell).lower()
    if isinstance(cell, float):
        return text == "NaN" if math.isnan(cell) else float(text) == cell
    if isinstance(cell, Decimal):
        return text == "NaN" if cell.is_nan() else Decimal(text) == cell
    if isinstance(cell, (datetime, date, time)):
        return type(cell).fromisoformat(text).isoformat() == cell.isoformat()
    return text == (cell.decode() if isinstance(cell, bytes) else str(cell))


def test_a_message_that_is_cut_is_refused():
    schema, batch, _ = written(kind("utf8"), ["a", None])
    fields = decode.schema(schema)
    for size in range(len(batch)):
        with pytest.raises(Fault):
            decode.batch(fields, batch[:size])
