"""Readers: the same records whatever the reads, every record in exactly one range, and never an exception for bad data."""

import csv
import io
import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from casparian import source as source_module
from casparian.engine import Program
from casparian.native import Memory, run, run_steadily
from casparian.shapes import Span
from casparian.source import Source

PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b"", b"a,b", b'"', b"\xff", "é€".encode(), b"<a>", b"</a>", b"\0", b"{}"]
)
BYTES = st.lists(PIECES | st.binary(max_size=6), max_size=20).map(b"".join)


def of(raw, range=None, seed=0):
    return Source(Memory("t", raw, seed), range)


def expected_lines(raw):
    lines, offset = [], 0
    for part in raw.split(b"\n"):
        length = min(len(part) + 1, len(raw) - offset)
        if length:
            # A carriage return belongs to a line feed: without one it is the line's own.
            bare = part.removesuffix(b"\r") if length > len(part) else part
            text = bare.decode(errors="surrogateescape")
            lines.append((text, (offset, length)))
        offset += length
    return lines


def told(lines):
    return [(str(line), tuple(line.span)) for line in lines]


@pytest.fixture(params=[1, 7, 256 << 10], autouse=True)
def chunk(request, monkeypatch):
    monkeypatch.setattr(source_module, "CHUNK", request.param)
    monkeypatch.setattr("casparian.markup.CHUNK", request.param)


SAME = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@SAME
@given(BYTES, st.integers(0, 99))
def test_lines_are_those_of_the_input_however_it_is_read(raw, seed):
    assert told(of(raw, seed=seed).lines()) == expected_lines(raw)


@SAME
@given(BYTES)
def test_latin_lines_have_the_places_of_their_bytes(raw):
    places = [line.span for line in of(raw).lines("latin-1")]
    assert places == [span for _, span in expected_lines(raw)]


@SAME
@given(BYTES, st.integers(0, 60), st.integers(0, 99))
def test_a_line_is_in_the_range_that_it_begins_in(raw, cut, seed):
    cut = min(cut, len(raw))
    parts = [of(raw, Span(0, cut), seed), of(raw, Span(cut, len(raw) - cut), seed)]
    assert [line for part in parts for line in told(part.lines())] == expected_lines(raw)


@SAME
@given(BYTES, st.sampled_from([b"\n", b"a,", b"\r\n"]), st.integers(0, 60))
def test_records_are_cut_at_their_delimiter_once(raw, delimiter, cut):
    cut = min(cut, len(raw))
    found = []
    for range in (Span(0, cut), Span(cut, len(raw) - cut)):
        found += [(bytes(it), it.span) for it in of(raw, range).records(delimiter)]
    assert [raw[span.offset : span.end].removesuffix(delimiter) for _, span in found] == [it for it, _ in found]
    assert b"".join(raw[span.offset : span.end] for _, span in found) == raw
    assert len(found) == len(raw.split(delimiter)) - raw.endswith(delimiter) - (not raw)


@SAME
@given(BYTES, st.binary(min_size=1, max_size=3), st.integers(0, 30))
def test_find_is_that_of_bytes(raw, what, start):
    at = raw.find(what, start)
    assert of(raw, seed=3).find(what, start) == (None if at < 0 else at)


@SAME
@given(BYTES, st.integers(1, 40))
def test_cuts_stand_behind_line_ends(raw, target):
    cuts = of(raw).cuts(b"\n", target)
    assert cuts == sorted(set(cuts)) and all(raw[cut - 1 : cut] == b"\n" for cut in cuts)


def test_a_delimiter_that_overlaps_itself_is_refused():
    for delimiter in (b"", b"||", b"abab"):
        with pytest.raises(ValueError):
            list(of(b"a||b").records(delimiter))


def test_a_record_past_the_cap_is_rejected_and_its_neighbours_are_whole(monkeypatch):
    monkeypatch.setattr(source_module, "CAP", 50)
    raw = b"before\n" + b"x" * 100 + b"\n" + b"y" * 49 + b"\nafter"
    for reader in (LINES, RECORDS, CSV):
        said = run(reader, raw)
        assert [row.span for row in said.rows("t")] == [(0, 7), (108, 50), (158, 5)]
        assert [(it.span, it.code, it.message) for it in said.rejects] == [
            ((7, 101), "too_long", "101 bytes: a reader holds 50")
        ]
        assert said.dark() == []


def test_a_row_with_a_line_past_the_cap_is_rejected_as_a_whole(monkeypatch):
    monkeypatch.setattr(source_module, "CAP", 50)
    said = run(CSV, b'a,"open\n' + b"x" * 100 + b'\nclosed"\nb,c\n')
    assert rows(said) == [["b", "c"]] and [(it.span, it.code) for it in said.rejects] == [((0, 117), "too_long")]


# Readers that reject by themselves are run through a parser.


def parser(body):
    source = "def parse(source, out):\n    t = out.table('t', v=bytes)\n" + "".join(
        f"    {line}\n" for line in body.splitlines()
    )
    return Program.load({"p.py": source.encode()}, "p.py")


LINES = parser("for line in source.lines(): t.append(line, line)")
RECORDS = parser("for it in source.records(): t.append(it, it)")
CSV = parser("for row in source.csv(): t.append(row, repr(list(row)).encode())")
NAMED = parser("for row in source.csv(header=True): t.append(row, repr([row['a'], row['b'], row.is_ragged]).encode())")
RAGGED = parser("for row in source.csv(header=True, ragged=True): t.append(row, repr(list(row)).encode())")
GIVEN = parser("for row in source.csv(header=['a', 'b']): t.append(row, repr([row['a'], row['b']]).encode())")
JSON = parser("for doc in source.json_lines(): t.append(doc, repr(doc.value).encode())")
FIXED = parser("for row in source.fixed_width({'a': 2, 'b': 3}): t.append(row, repr(dict(row)).encode())")
BLOCKS = parser(
    "for row in source.fixed_width({'a': (1, 2)}, record_bytes=4): t.append(row, row['a'].encode(errors='replace'))"
)
XML = parser("import xml.etree.ElementTree as E\nfor it in source.xml_records(): t.append(it, E.tostring(it.element))")
INNER = parser(
    "import xml.etree.ElementTree as E\nfor it in source.xml_records('a'): t.append(it, E.tostring(it.element))"
)


@pytest.mark.parametrize(
    "reader",
    [CSV, GIVEN, JSON, FIXED, BLOCKS, XML, INNER],
    ids=["csv", "named", "json", "fixed", "blocks", "xml", "inner"],
)
@SAME
@given(raw=BYTES)
def test_bad_data_never_raises_and_where_reads_are_cut_changes_nothing(reader, raw):
    said = run_steadily(reader, raw)
    spans = said.records() + [span for span, _, _ in said.skips]
    assert sum(span.length for span in spans) <= len(raw)


def rows(said):
    return [eval(row["v"]) for row in said.rows("t")]


def test_csv_rows_know_where_they_are():
    said = run(CSV, 'a,b\r\n"x\n""y""",2\n\nlast,"é"'.encode())
    assert rows(said) == [["a", "b"], ['x\n"y"', "2"], ["last", "é"]]
    assert [row.span for row in said.rows("t")] == [(0, 5), (5, 12), (18, 9)]
    assert said.skips == [((17, 1), "blank", "")] and said.dark() == []


def test_a_broken_csv_row_is_rejected_and_the_next_one_read():
    said = run(CSV, b'a,"b"c\nd,e\n"open\n')
    assert rows(said) == [["d", "e"]]
    assert [(it.span, it.code) for it in said.rejects] == [((0, 7), "bad_csv"), ((11, 6), "bad_csv")]


def test_a_header_names_the_cells_in_every_range():
    raw = b"a,b\n1,2\n3\n4,5,6\n"
    said = run(NAMED, raw)
    assert rows(said) == [["1", "2", False], ["3", None, True]]
    assert [(it.code, it.message, it.span) for it in said.rejects] == [("bad_csv", "3 cells for 2 names", (10, 6))]
    assert rows(run(RAGGED, raw)) == [["1", "2"], ["3"], ["4", "5", "6"]]
    assert said.skips == [((0, 4), "header", "")]
    cut = parser("for row in source.csv(header=True): t.append(row, repr([row['a'], row['b']]).encode())\n")
    cut.definition.plan = lambda source, out, _: __import__("casparian").Layout.cut_at(len(source), [8, 10])
    assert rows(run(cut, raw)) == [["1", "2"], ["3", None]]
    assert run(cut, raw).rejects == said.rejects


def test_a_name_that_two_columns_have_is_nobodys():
    for ask in ("row['a']", "row.named()"):
        twice = parser(f"for row in source.csv(header=True):\n    with out.record(row): t.append(row, repr({ask}).encode())")
        (reject,) = run(twice, b"a,b,a\n1,2,3\n").rejects
        assert "a" in reject.message and reject.span == (6, 6), reject


@SAME
@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=5),
            min_size=1,
            max_size=4,
        ),
        max_size=6,
    )
)
def test_what_csv_writes_is_read_back(table):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table)
    assert rows(run(CSV, text.getvalue().encode())) == table


def test_json_keeps_digits_and_refuses_what_would_be_lost():
    said = run(JSON, b'{"a": 1.10, "b": 12345678901234567890, "c": -0}\n[1e400]\n\n "x" \r\nnull\n')
    assert rows(said)[0] == {"a": Decimal("1.10"), "b": 12345678901234567890, "c": Decimal("-0")}
    assert str(rows(said)[0]["a"]) == "1.10"
    assert rows(said)[1:] == [[Decimal("1E+400")], "x", None]
    bad = [
        b'{"a":1,"a":2}',
        b"{",
        b"NaN",
        b"[1] 2",
        b'"\xff"',
        b"[" * 100_000,
        b"1" * 5000,
        b'{"a":{"b":1,"b":1}}',
        b"'x'",
    ]
    said = run(JSON, b"\n".join(bad))
    assert [it.code for it in said.rejects] == ["bad_json"] * len(bad) and said.rows("t") == []
    assert said.rejects[0].message == "key 'a' stands twice"


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé", max_size=2), inner, max_size=3),
    max_leaves=6,
)


@SAME
@given(st.lists(JSONS, max_size=5))
def test_what_json_writes_is_read_back(values):
    assert rows(run(JSON, "\n".join(map(json.dumps, values)).encode())) == values


def test_a_byte_order_mark_is_no_part_of_a_cell_or_a_document():
    mark = b"\xef\xbb\xbf"
    assert rows(run(NAMED, mark + b"a,b\n1,2\n")) == [["1", "2", False]]
    assert rows(run(CSV, mark + b"a\n" + mark + b"b")) == [["a"], ["\ufeffb"]]
    said = run(JSON, mark + b"1\n" + mark + b"2")
    assert rows(said) == [1] and said.rejects[0].span == (5, 4)


def test_fixed_fields_are_not_trimmed_and_wrong_lengths_are_rejected():
    said = run(FIXED, b"ab  c\r\nab\nabcdefg\n\n12345")
    assert rows(said) == [{"a": "ab", "b": "  c"}, {"a": "12", "b": "345"}]
    assert [(it.span, it.message) for it in said.rejects] == [
        ((7, 3), "2 bytes: the fields take 5"),
        ((10, 8), "7 bytes: the fields take 5"),
    ]
    assert said.dark() == []


def test_records_of_one_length_are_counted_from_the_beginning():
    raw = b"0a..1b..2c..3"
    assert [row["v"] for row in run(BLOCKS, raw).rows("t")] == [b"a", b"b", b"c"]
    for cut in range(len(raw)):
        BLOCKS.definition.plan = lambda source, out, _: __import__("casparian").Layout.cut_at(len(source), [cut])
        said = run(BLOCKS, raw)
        assert [row.span for row in said.rows("t")] == [(0, 4), (4, 4), (8, 4)] and said.rejects[0].span == (12, 1)
    BLOCKS.definition.plan = None


def test_xml_has_many_roots_and_every_byte_has_its_place():
    raw = b'<?xml version="1.0"?>\n<!-- c --><e a="1"><p>x&amp;y</p><![CDATA[<]]></e>\n\n<e/>  <?xml version="1.0"?><f>\xc3\xa9</f>\n'
    events = list(of(raw).xml_events())
    assert [(it.kind, it.name or it.text) for it in events] == [
        ("declaration", ""), ("comment", " c "), ("start", "e"), ("start", "p"), ("text", "x&y"), ("end", "p"), ("text", "<"), ("end", "e"),
        ("start", "e"), ("end", "e"), ("declaration", ""), ("start", "f"), ("text", "é"), ("end", "f"),
    ]  # fmt: skip
    assert events[2].attributes == {"a": "1"} and [it.depth for it in events[2:8]] == [0, 1, 2, 1, 1, 0]
    assert raw[events[4].offset : events[4].end] == b"x&amp;y"
    assert all(one.end == other.offset for one, other in zip(events, events[1:])) and events[-1].end == len(raw)


def test_xml_roots_become_trees_and_what_is_broken_is_rejected():
    raw = b"<e>1</e>\n<e><b></e>\n<e>2</e>\n<e>3"
    said = run(XML, raw)
    assert [row["v"] for row in said.rows("t")] == [b"<e>1</e>", b"<e>2</e>"]
    assert [(it.span, it.code, it.message) for it in said.rejects] == [
        ((9, 11), "bad_xml", "mismatched tag"),
        ((29, 4), "bad_xml", "no element found"),
    ]
    assert said.dark() == []


def test_xml_elements_of_a_name_are_records():
    said = run(INNER, b"<r>\n<a>1</a>\n<a>2<b/></a><!-- x --></r>")
    assert [row["v"] for row in said.rows("t")] == [b"<a>1</a>", b"<a>2<b /></a>"]
    assert [row.span for row in said.rows("t")] == [(4, 8), (13, 12)]
    assert said.dark() == []


def test_xml_that_ends_too_early_loses_no_record_before():
    said = run(INNER, b"<r><a>1</a> <b>")
    assert [row.span for row in said.rows("t")] == [(3, 8)]
    assert [(it.span, it.message) for it in said.rejects] == [((12, 3), "no element found")]
    said = run(INNER, b"<r><a>1</a>")
    assert len(said.rows("t")) == 1 and said.rejects == [] and said.log[-1][1] == "XML ends too early: no element found"


@pytest.mark.parametrize(
    "raw, why",
    [
        (b'<!DOCTYPE e [<!ENTITY a "b">]><e>&a;</e>', "a DTD is refused"),
        (b'<!DOCTYPE e SYSTEM "http://x/y"><e/>', "a DTD is refused"),
        (b"<e>&nbsp;</e>", "undefined entity"),
        (b"<e>" + b"<f>" * 300, "elements are 257 deep: limit 256"),
        (b"no markup", "syntax error"),
        (b"\0\0\0", "not well-formed (invalid token)"),
    ],
)
def test_xml_that_is_refused_is_told(raw, why):
    said = run(XML, raw)
    assert said.rejects[0].message == why and said.rows("t") == [] and said.dark() == []


def test_a_record_whose_end_is_missing_takes_no_other_with_it():
    raw = (
        b'<e n="1"><b>\n<e n="2"><b/></e>\n<!DOCTYPE e SYSTEM "x"><e n="3"/>\n<e n="4"/>junk<e n="5"/></e>\n<e n="6"/>'
    )
    said = run(XML, raw)
    assert [row["v"][:8] for row in said.rows("t")] == [b'<e n="%d"' % n for n in (2, 4, 5, 6)]
    assert [raw[it.span.offset : it.span.end].strip() for it in said.rejects] == [
        b'<e n="1"><b>',
        b'<!DOCTYPE e SYSTEM "x"><e n="3"/>',
        b"junk",
        b"</e>",
    ]
    assert said.dark() == []
    inner = run(INNER, b"<r><a>1</a><a>2<a>3</a>\n<a>4</a></r>")
    assert [row["v"] for row in inner.rows("t")] == [b"<a>1</a>", b"<a>3</a>", b"<a>4</a>"]
    assert [it.message for it in inner.rejects] == ["`a` begins inside of `a`", "not well-formed (invalid token)"]


def test_records_may_be_nested_where_the_parser_says_so():
    nested = parser("for it in source.xml_records('a', nested=True): t.append(it, str(len(it.element)).encode())")
    assert [row["v"] for row in run(nested, b"<r><a><a/><a/></a><a/></r>").rows("t")] == [b"2", b"0"]


@pytest.mark.parametrize("form", ["utf-16", "utf-8-sig", "latin-1"])
def test_xml_comes_in_the_encoding_that_it_names(form):
    name = form.removesuffix("-sig")
    raw = f'<?xml version="1.0" encoding="{name}"?>\n<e a=">">é</e>\n'.encode(form)
    said = run(parser("for it in source.xml_records(): t.append(it, it.element.text)"), raw)
    assert [row["v"] for row in said.rows("t")] == ["é".encode()] and said.rejects == []


def test_many_small_roots_are_read_once(chunk):
    raw = b"<e/>\n<e>x</e>\n" * 1500
    blob = Memory("t", raw)
    asked = []
    read, blob.read = blob.read, lambda offset, n: (asked.append(n), read(offset, n))[1]
    assert sum(1 for _ in Source(blob).xml_records()) == 3000
    assert sum(min(n, len(raw)) for n in asked) <= 1.5 * len(raw)


def test_a_record_that_is_too_large_is_rejected_and_its_neighbours_read(monkeypatch):
    monkeypatch.setattr("casparian.markup.RECORD_BYTES_MAX", 50)
    said = run(INNER, b"<r><a>1</a><a>" + b"<b>x</b>" * 20 + b"</a><a>" + b"y" * 60 + b"</a><a>2</a></r>")
    assert [row["v"] for row in said.rows("t")] == [b"<a>1</a>", b"<a>2</a>"]
    assert [(it.span, it.message) for it in said.rejects] == [
        ((11, 167), "more than 50 bytes"),
        ((178, 67), "more than 50 bytes"),
    ]


def test_a_long_text_comes_in_parts_and_loses_nothing(monkeypatch):
    monkeypatch.setattr("casparian.markup.TEXT_CHARS_MAX", 10)
    raw = b"<e>" + b"line\n" * 50 + b"</e>"
    texts = [it for it in of(raw).xml_events() if it.kind == "text"]
    assert len(texts) > 10 and "".join(it.text for it in texts) == "line\n" * 50
    assert sum(it.length for it in texts) == 250


def test_a_root_that_expat_cannot_count_is_refused(monkeypatch):
    monkeypatch.setattr("casparian.markup.ROOT_BYTES_MAX", 300)
    monkeypatch.setattr("casparian.markup.CHUNK", 64)
    said = run(INNER, b"<r>" + b"<a>1</a>" * 500 + b"</r>")
    assert said.rejects[0].message == "a root has more than 300 bytes" and said.dark() == []
    assert sum(span.length for span in said.records()) + sum(span.length for span, _, _ in said.skips) == 4007


def test_an_input_past_what_32_bits_index_has_a_size():
    blob = Memory("t", b"")
    blob.len = lambda: 1 << 62
    assert Source(blob).size == 1 << 62


def test_a_tag_that_never_ends_is_not_held_for_ever(monkeypatch):
    monkeypatch.setattr("casparian.markup.TOKEN_BYTES_MAX", 1000)
    said = run(XML, b"<e>" + b"<a " + b"x" * 5000)
    assert said.rejects[0].message in ("a tag or text has more than 1000 bytes", "unclosed token")


def test_the_last_line_keeps_a_carriage_return_that_no_line_feed_follows():
    assert [row["v"] for row in run(LINES, b"a\r\nb\r").rows("t")] == [b"a", b"b\r"]


def test_bytes_that_no_surrogate_stands_for_reject_their_record_alone():
    lines = parser("for line in source.lines('iso2022_jp'): t.append(line, line)")
    fixed = parser("for row in source.fixed_width({'a': 2}, 2, 'cp424'): t.append(row, row['a'])")
    table = parser("for row in source.csv(encoding='iso2022_jp'): t.append(row, row[0])")
    for reader, raw, bad in [
        (lines, b"ok\n\x1b(Q\nso\n", (3, 4)),
        (table, b'ok\n"a\n\x1b(Q\n"\nso\n', (3, 9)),
        (fixed, b"\x81\x81\x72\x72\x81\x81", (2, 2)),
    ]:
        said = run_steadily(reader, raw)
        assert [(it.span, it.code) for it in said.rejects] == [(bad, "bad_text")]
        assert len(said.rows("t")) == 2 and said.dark() == []


def test_json_that_is_nested_too_deep_is_refused_before_it_is_read():
    deep, shallow = b"[" * 257 + b"]" * 257, b"[" * 256 + b"]" * 256
    wide = b'["' + b'[{\\"' * 300 + b'"' + b", []" * 300 + b"]"
    said = run(JSON, b"\n".join([deep, shallow, wide, b'{"a":' * 3000, b'"' + b"[" * 300]))
    assert [it.span.offset for it in said.rejects[:1]] == [0] and len(said.rows("t")) == 2
    assert [it.message for it in said.rejects[:2]] == ["arrays and objects are more than 256 deep"] * 2
    assert [it.code for it in said.rejects] == ["bad_json"] * 3


def test_an_exponent_has_one_bound_everywhere():
    said = run(JSON, b'1e100000000\n[1E-500000000]\n{"a":1e99999999999999999999}\n')
    assert [it.code for it in said.rejects] == ["bad_json"] * 3
    assert said.rejects[0].message == "an exponent has 9 digits: limit 8"
    told = parser("for doc in source.json_lines(): t.append(doc, str(doc.value).encode())")
    said = run(told, b'1e99999999\n1e-99999999\n1e0000000000005\n"1e100000000"\n')
    assert [row["v"] for row in said.rows("t")] == [b"1E+99999999", b"1E-99999999", b"1E+5", b"1e100000000"]


def test_a_header_that_cannot_be_read_leaves_no_row_with_wrong_names():
    said = run(NAMED, b'"a"x,b\n1,2\n\n3,4\n')
    assert said.rows("t") == [] and said.dark() == []
    assert [(it.span, it.code) for it in said.rejects] == [
        ((0, 7), "bad_csv"),
        ((7, 4), "bad_csv"),
        ((12, 4), "bad_csv"),
    ]


def test_blank_lines_before_a_header_change_nothing_in_any_range():
    raw = b"\n\r\n\na,b\n1,2\n3,4\n"
    reader = parser("for row in source.csv(header=True): t.append(row, repr([row['a'], row['b']]).encode())")
    for cut in range(len(raw)):
        reader.definition.plan = lambda source, out, _: __import__("casparian").Layout.cut_at(len(source), [cut])
        said = run(reader, raw)
        assert rows(said) == [["1", "2"], ["3", "4"]] and ((4, 4), "header", "") in said.skips and said.dark() == []


def test_a_mark_is_taken_from_the_start_of_the_input_alone():
    mark = b"\xef\xbb\xbf"
    table = parser("for row in source.csv(encoding='utf-8-sig'): t.append(row, row[0])")
    lines = parser("for line in source.lines('utf-8-sig'): t.append(line, line)")
    for reader in (table, lines):
        said = run_steadily(reader, mark + b"a\n" + mark + b"b\n")
        assert [row["v"] for row in said.rows("t")] == [b"a", mark + b"b"]
        assert [row.span for row in said.rows("t")] == [(0, 5), (5, 5)]


def test_a_long_cell_is_one_cell():
    reader = parser("for row in source.csv(): t.append(row, repr(list(map(len, row))).encode())")
    said = run(reader, b'x,"' + b"1,2,3\n" * 200_000 + b'",z\n7,8,9\n')
    assert rows(said) == [[1, 1_200_000, 1], [1, 1, 1]] and said.rejects == []


@pytest.mark.parametrize(
    "bad",
    [
        b'"x' + b"y" * 60 + b'\nin,side\n",z\n',
        b'"x\n' + b"y" * 60 + b'",z\n',
        b"a," + b'"1,2\n",' * 20 + b"\n",
        b'"' + b'""\n' * 40 + b'"\n',
        b'x"y,z"' + b"y" * 60 + b"\n",
        b'"ab"x' + b"y" * 60 + b',"\n',
    ],
)
def test_a_record_past_the_cap_ends_where_its_quotes_do(bad, monkeypatch):
    monkeypatch.setattr(source_module, "CAP", 50)
    monkeypatch.setattr("casparian.delimited.CAP", 50)
    said = run_steadily(CSV, b"a,b\n" + bad + b'c,"d"\n')
    assert rows(said) == [["a", "b"], ["c", "d"]] and said.dark() == []
    assert [(it.span, it.code) for it in said.rejects] == [((4, len(bad)), "too_long")]


TABLES = st.lists(st.sampled_from(["a", ",", '"', '""', "\n", "\r\n", ',"', '",', "\\", " ", "é"]), max_size=40).map(
    "".join
)


@SAME
@example('""a,"\n"', {"doublequote": False})
@given(
    TABLES,
    st.sampled_from(
        [{}, {"escapechar": "\\"}, {"quoting": csv.QUOTE_NONE}, {"skipinitialspace": True}, {"doublequote": False}]
    ),
)
def test_records_end_where_those_of_the_csv_module_do(text, dialect):
    from casparian.delimited import _end, _records

    raw = text.encode()
    source = of(raw)
    reader = csv.reader([], **dialect)
    for record in _records(source, source.range, "utf-8", dialect):
        if getattr(record, "message", "") != "unexpected end of data":
            assert _end(source, record.span.offset, "utf-8", reader.dialect) == record.span.end
