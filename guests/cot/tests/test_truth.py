"""Held against the truth beside generated files, and against what another reader of XML finds in real ones."""

import gzip
import json
from xml.etree import ElementTree

import pytest
from conftest import HERE

# What the generator did to an event, and what is found. What has no fault here breaks the contract.
FOUND = {
    "doctype_entity": "dtd_forbidden",
    "unclosed": "not_well_formed",
    "bare_ampersand": "not_well_formed",
    "bad_time": "bad_time",
    "nan_lat": "bad_number",
    "missing_point": "missing_point",
}
XML = ["one_per_line", "stream_concat", "wrapped_events", "xmldecl_each", "log_prefixed"]


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", XML)
def test_every_event_and_every_fault_is_found_as_it_was_made(name, data, say):
    said = say((data / f"synth/{name}.cot").read_bytes())
    found = {row.span: row for row in said.rows("events")} | {it.span: it for it in said.rejects}
    truths = lines(data / f"synth/{name}.truth.jsonl")
    assert len(found) == len(truths)
    for truth, (_, it) in zip(truths, sorted(found.items())):
        code = FOUND.get(truth["fault"])
        if code in ("dtd_forbidden", "not_well_formed"):
            assert it.code == code, truth
        else:
            assert it.faults == ([code] if code else []), truth
            assert_like(truth, it)


def assert_like(truth, row):
    """Compares what the truth says."""
    for name in ("uid", "type", "time", "lat", "lon"):
        if name in ("lat", "lon") and truth["fault"] == "missing_point":
            assert row[name] is None
        else:
            assert row[name] == truth[name], (name, truth)
    if truth["fault"] != "missing_point":
        for name in ("hae", "ce"):
            assert row[name] == (None if truth[name].startswith("9999999") else truth[name])
    assert row["callsign"] == truth["callsign"]
    assert row["remarks"] == truth["remarks"]


@pytest.mark.parametrize("name", ["takproto_v1_stream", "takproto_v1_mesh_u32len"])
def test_messages_say_what_the_events_said_that_they_were_made_of(name, data, say):
    said = say((data / f"synth/{name}.bin").read_bytes())
    truths = lines(data / "synth/takproto_v1.truth.jsonl")
    assert said.rejects == [] and len(said.rows("events")) == len(truths)
    for truth, row in zip(truths, said.rows("events")):
        assert row.faults == []
        assert (row["uid"], row["type"], row["callsign"]) == (truth["uid"], truth["type"], truth["callsign"])
        assert (float(row["lat"]), float(row["lon"])) == (float(truth["lat"]), float(truth["lon"]))
        for cell in ("hae", "ce"):
            known = None if truth[cell].startswith("9999999") else float(truth[cell])
            assert (row[cell] and float(row[cell])) == known
        assert row["time"][:19] == truth["time"][:19]
        assert row["remarks"] == truth["remarks"]
        if name == "takproto_v1_stream":
            assert row.span == (truth["stream_offset"], truth["stream_len"])


def tree(said, span):
    """Returns the elements below an event as (path, attributes, text), from the rows of `details`."""
    elements = {}
    for row in said.rows("details"):
        if row.span == span:
            _, attributes, text = elements.setdefault(row["element"], (row["path"], {}, []))
            if row["attr"] is None:
                text.append(row["value"] or "")
            else:
                attributes[row["attr"]] = row["value"]
    return [(path, attributes, "".join(text)) for path, attributes, text in elements.values()]


def without_namespaces(elements):
    """Returns elements as a reader with namespaces tells them: prefixes are none of the name."""
    return [
        ("/".join(part.rpartition(":")[2] for part in path.split("/")), {k: v for k, v in attributes.items() if not k.startswith("xmlns")}, text.strip())
        for path, attributes, text in elements
    ]


def of_tree(element, path):
    """Returns the same of a tree of ElementTree: texts are those of an element itself, wherever they stand."""
    path = path + "/" + element.tag.rpartition("}")[2]
    text = (element.text or "") + "".join(child.tail or "" for child in element)
    found = [(path, dict(element.attrib), text.strip())]
    for child in element:
        found += of_tree(child, path)
    return found


def test_events_are_what_another_reader_finds(data, say):
    paths = sorted(data.glob("*.xml")) + [data / f"synth/{name}.cot" for name in XML]
    compared = 0
    for path in paths:
        raw = path.read_bytes()
        said = say(raw)
        for row in said.rows("events"):
            record = raw[row.span.offset : row.span.end]
            event = ElementTree.fromstring(record[record.index(b"<event") :])
            cells = ("version", "uid", "type", "how", "time", "start", "stale", "access", "opex", "qos")
            assert [row[name] for name in cells] == [event.get(name) for name in cells], path
            wanted = [it for child in event for it in of_tree(child, "event") if child.tag != "point"]
            found = without_namespaces(tree(said, row.span))
            if row["uid"] is not None:
                assert found == wanted, (path, row["uid"])
            compared += 1
    assert compared > 1900


def test_real_events_are_those_of_lxml(data, say):
    """Its output stands beside the files."""
    with gzip.open(data / "expected/lxml.jsonl.gz", "rt", encoding="utf-8") as kept:
        expected = {it["file"]: it["events"] for it in map(json.loads, kept)}
    for name, events in expected.items():
        said = say((data / name).read_bytes())
        good = [event for event in events if "error" not in event]
        rows = {row["uid"]: row for row in said.rows("events")}
        for event in good:
            uid = event["attrs"].get("uid")
            # Two events of one name are told apart elsewhere.
            if uid is None or sum(it["attrs"].get("uid") == uid for it in good) > 1:
                continue
            row = rows[uid]
            assert [row["lat"], row["lon"]] == [event["point"].get("lat"), event["point"].get("lon")]
            assert [row[cell] for cell in ("type", "how", "time", "start", "stale")] == [
                event["attrs"].get(cell) for cell in ("type", "how", "time", "start", "stale")
            ]
            kept = [it for it in tree(said, row.span) if it[0].startswith("event/detail")]
            assert len(kept) == len(event["detail_paths"]), (name, uid)


def test_the_samples_of_this_repository_hold_no_file_of_others(data):
    others = {path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert not any(path.read_bytes() in others for path in HERE.glob("samples/*/*"))
