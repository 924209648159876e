"""Where events end, whatever stands between them and however they are cut."""

import struct

from casparian.native import Memory, run
from conftest import HERE
from hypothesis import given, settings
from hypothesis import strategies as st

EVENT = '<event version="2.0" uid="{}"><point lat="0" lon="0" hae="0" ce="0" le="0"/><detail>{}</detail></event>'


def event(uid, detail=""):
    return EVENT.format(uid, detail).encode()


def uids(said):
    return said.column("events", "uid")


def whats(said):
    """Returns what became of every stretch, in order."""
    rows = [(row.span.offset, row["uid"]) for row in said.rows("events")]
    return [what for _, what in sorted(rows + [(it.span.offset, it.code) for it in said.rejects])]


def test_an_event_takes_the_rest_of_its_line_and_the_words_before_it(say):
    raw = b"10:00 <- " + event("a") + b" \r\n10:01 <- " + event("b") + b"\n"
    said = say(raw)
    assert uids(said) == ["a", "b"]
    assert said.records() == [(0, raw.index(b"10:01")), (raw.index(b"10:01"), len(raw) - raw.index(b"10:01"))]
    assert said.skips == []


def test_an_event_in_a_comment_or_in_a_text_is_none(say):
    raw = b"<!-- " + event("x") + b" -->" + event("a", "<remarks><![CDATA[" + event("y").decode() + "]]></remarks>")
    assert uids(say(raw)) == ["a"]


def test_an_event_without_end_does_not_take_the_next_one_along(say):
    raw = event("a") + event("b")[:-8] + event("c") + b"\n" + event("d")[:-8] + b"\n12:00 rx " + event("e")
    said = say(raw)
    assert whats(said) == ["a", "not_well_formed", "c", "not_well_formed", "e"]
    assert said.rows("events")[-1].span.offset == raw.index(b"12:00")


def test_an_event_without_an_inside_is_one(say):
    assert uids(say(b'<event uid="a"/><event uid="b" x=\'>\'/>' + event("c"))) == ["a", "b", "c"]


def test_what_is_left_of_an_event_is_not_skipped(say):
    said = say(event("a") + b"<contact/></detail></event>" + event("b"))
    assert whats(said)[0] == "a" and "not_cot" in whats(said)


def test_elements_around_events_are_skipped_by_their_tags(say):
    said = say(b"<log day='1'><part>" + event("a") + b"</part></log>")
    assert uids(said) == ["a"] and [kind for _, kind, _ in said.skips] == ["header", "footer"]


def test_nothing_and_blanks_are_no_events(say):
    assert whats(say(b"")) == [] and whats(say(b" \r\n\0\n")) == []


def test_a_line_without_end_is_told_in_pieces(say):
    said = say(b"no event " * 20_000 + event("a"))
    assert set(whats(said)) == {"not_cot", "a"}
    assert max(it.span.length for it in said.rejects) <= 128 << 10


def test_brackets_without_end_do_not_take_forever(program):
    for piece in (b"<", b"<!--", b"<event ", b"</event", b"<!DOCTYPE [", b"<?", b"<a ", b"<![CDATA[", b"<event><![CDATA[", b"\xbf",
                  b"\xbf\x01\xbf", b"\xbf\x01\xbf\x12", b'<event a="', b"<event>&"):  # fmt: skip
        run(program, piece * 20_000)


def test_many_texts_in_one_element_do_not_take_forever(program):
    said = run(program, event("a", "<remarks>" + "x<b/>" * 100_000 + "</remarks>"))
    assert said.rows("events")[0]["remarks"] == "x" * 100_000


def test_a_line_end_in_a_number_is_no_end_of_it(say):
    said = say(event("a").replace(b'lat="0"', b'lat="1&#10;2"'))
    assert said.rows("events")[0].faults == ["bad_number"]


def test_a_message_that_is_damaged_does_not_take_the_next_one_along(say):
    raw = (HERE / "samples/good/stream.tak").read_bytes()
    good = uids(say(raw))
    assert uids(say(b"\xbf\x7f" + raw))[-len(good) + 1 :] == good[1:]
    assert uids(say(raw + b"\xbf\x7f")) == good


def test_messages_of_no_bytes_are_skipped(say):
    raw = (HERE / "samples/good/stream.tak").read_bytes()
    v0 = b"\xbf\x00\xbf" + event("a")
    said = say(raw + b"\xbf\x00" * 300_000 + v0 + raw + b"\xbf\x00")
    good = uids(say(raw))
    assert uids(said) == [*good, "a", *good] and said.rejects == []
    assert {kind for _, kind, _ in said.skips} == {"padding"}


def test_a_length_that_lies_is_told(say):
    raw = (HERE / "samples/good/lengths.tak").read_bytes()
    (first,) = struct.unpack_from("<I", raw)
    lying = raw[: 4 + first] + struct.pack("<I", 1 << 31) + raw[8 + first :]
    assert whats(say(lying)) == ["OWL-5", "protobuf_truncated"]
    assert whats(say(raw[:-1]))[-1] == "protobuf_truncated"


PIECES = st.lists(st.tuples(st.sampled_from(["event", "blank", "words", "declaration", "tag", "comment", "tak", "mesh"]), st.integers(0, 99)))
MESSAGE = b"\x12\x04\x2a\x02tk"


def piece(kind, number):
    return {
        "event": event(f"u{number}", "<remarks>" + "x" * number * 7 + "</remarks>"),
        "blank": b" \n",
        "words": b"\nwords %d: " % number,
        "declaration": b"<?xml version='1.0'?>\n",
        "tag": b"\n<events>\n",
        "comment": b"<!-- <event uid='no'> -->",
        "tak": b"\xbf" + bytes([len(MESSAGE)]) + MESSAGE,
        "mesh": b"\xbf\x01\xbf" + MESSAGE,
    }[kind]


@given(PIECES)
@settings(deadline=None)
def test_whatever_stands_between_events_they_are_found(program, pieces):
    raw, wanted, takes_message = b"", [], True
    for kind, number in pieces:
        if (kind in ("tak", "mesh") and not takes_message) or (kind == "words" and raw.rstrip().endswith(MESSAGE)):
            continue
        # A line end is the beginning of a field, where no length says that the message has ended.
        if kind in ("blank", "tag") and raw.endswith(b"\xbf\x01\xbf" + MESSAGE):
            continue
        # A message stands behind an event or message, not in the middle of a line.
        takes_message = kind in ("event", "tak", "mesh") or (takes_message and kind == "blank")
        raw += piece(kind, number)
        wanted += [f"u{number}"] if kind == "event" else ["tk"] if kind in ("tak", "mesh") else []
    said = run(program, raw)
    assert uids(said) == wanted
    assert said.dark() == []


@given(st.lists(st.sampled_from([event("a"), event("b", "<c/>")[:40], b"<event ", b"</event>", b"<!--", b"-->", b"<!DOCTYPE x [", b"]>", b"\n", b"x", b"\xbf", b"\x01", b"\x12\x03", b"<![CDATA[", b"]]>", b"&a;", b"\xff"]) | st.binary(max_size=8), max_size=30))
@settings(deadline=None)
def test_no_bytes_break_the_parser_and_none_are_lost(program, pieces):
    raw = b"".join(pieces)
    said = run(program, raw, options={"record-bytes-max": "1024"})
    assert said.dark() == []


@given(st.lists(st.integers(0, 400), max_size=30), st.integers(1, 3000))
@settings(deadline=None)
def test_ranges_say_what_one_range_says(program, sizes, target):
    raw = b"".join(b"10:00 " + event(f"u{at}", "x" * size) + b"\n" for at, size in enumerate(sizes))
    whole, ranges = run(program, raw), run(program, raw, target_bytes=target)
    assert (whole.tables, whole.rejects) == (ranges.tables, ranges.rejects)


def boundaries(program, raw):
    """Returns where a parser would be begun again, each from the last."""
    at, found = 0, []
    while at < len(raw):
        at = program.resync(Memory("t", raw), b"", at)
        found.append(at)
    return found


def test_a_parser_can_be_begun_again_wherever_a_record_ends(program):
    for end in (b"\n", b"\r\n", b" \t\r\n", b""):
        raw = b"<?xml version='1.0'?>\n" + b"".join(event(uid) + end for uid in "abc") + b"<!-- </event> -->" + event("d")
        said = run(program, raw)
        ends = [offset + length for offset, length in said.records()]
        found = boundaries(program, raw)
        assert set(ends) <= set(found) and found[-1] == len(raw), end
        # A commit is where a record ends: whoever asks from its last byte is told so.
        assert [program.resync(Memory("t", raw), b"", at - 1) for at in ends] == ends, end
