"""The samples: what is good has no fault, what is bad has the fault that it is called after, and each says what it said before.

`CASPARIAN_BLESS=1` writes anew what they say.
"""

import io
import json
import os

import pytest
from casparian.__main__ import _show_json
from casparian.parser import OWN_FAULTS
from conftest import HERE

def samples(quality):
    """Returns the samples of a folder."""
    return sorted(it for it in HERE.glob(f"samples/{quality}/*") if not it.name.endswith(".expected.jsonl"))


GOOD, BAD = samples("good"), samples("bad")


def options(path):
    """Returns the options that a sample is read with: `bad/oversized_record` is small."""
    return {"record-bytes-max": "1024"} if path.stem == "oversized_record" else {}


def faults(said):
    """Returns every fault of rows and rejected records."""
    rows = [row for rows in said.tables.values() for row in rows]
    return {code for row in rows for code in row.faults} | {it.code for it in said.rejects}


def compare(path, said):
    """Compares what was said with what was said before."""
    shown = io.StringIO()
    _show_json(said, shown)
    expected = path.with_name(f"{path.name}.expected.jsonl")
    if os.environ.get("CASPARIAN_BLESS"):
        expected.write_text(shown.getvalue(), encoding="utf-8")
    before = expected.read_text(encoding="utf-8")
    assert list(map(json.loads, shown.getvalue().splitlines())) == list(map(json.loads, before.splitlines()))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_a_good_sample_has_no_fault(path, say):
    said = say(path.read_bytes(), options=options(path))
    assert faults(said) == set()
    assert said.rows("statements")
    compare(path, said)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_a_bad_sample_has_the_fault_that_it_is_called_after(path, say):
    said = say(path.read_bytes(), options=options(path))
    assert faults(said) == {path.stem}
    compare(path, said)


def test_every_fault_has_a_bad_sample(program):
    declared = {fault.code for fault in program.describe().faults} - set(OWN_FAULTS)
    assert declared == {path.stem for path in BAD}
