"""What the README shows works as it says."""

import re
from pathlib import Path

import pytest

from casparian.native import run_steadily

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_function_and_its_test(tmp_path, monkeypatch):
    function, _, test = BLOCKS
    monkeypatch.chdir(tmp_path)
    Path("fills.py").write_text(function)
    scope: dict = {}
    exec(test, scope)
    scope["test_a_short_line_is_rejected"]()


def test_the_class(load):
    said = run_steadily(load(BLOCKS[1]), b"A;1\nB;2;3\n", options={"separator": ";"}, target_bytes=4)
    assert said.column("trades", "px") == ["1"]
    assert [(it.code, it.span) for it in said.rejects] == [("bad_line", (4, 6))]


@pytest.mark.parametrize(
    "reader", re.findall(r"^\| `(source\.\w+\(.*?\))`", README.read_text(encoding="utf-8"), re.MULTILINE)
)
def test_the_readers_are_called_as_it_says(load, reader):
    parser = f"def parse(source, out):\n    offset, n, start, encoding = 0, 5, 0, 'utf-8'\n    it = {reader.replace('…', 'x')}\n    list(it or [])"
    run_steadily(load(parser), b"id;px\n<event/>\n{}\n")
