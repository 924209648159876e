"""What the tests share: the parser, loaded once, and its run."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE.parent.parent / "sdk/python"))

from casparian.__main__ import load  # noqa: E402
from casparian.native import run_steadily  # noqa: E402


@pytest.fixture(scope="session")
def program():
    """Loads the parser."""
    program = load(HERE)
    yield program
    program.close()


@pytest.fixture(scope="session")
def say(program):
    """Runs the parser over bytes: what it says must not depend on how reads and batches are cut."""

    def say(raw, **how):
        said = run_steadily(program, raw, **how)
        assert said.dark() == []
        return said

    return say


@pytest.fixture(scope="session")
def data():
    """Returns the folder of files with truth; skips the test where there is none."""
    folder = Path(os.environ.get("CASPARIAN_DATA", "")) / "swift_mt"
    if not os.environ.get("CASPARIAN_DATA") or not folder.is_dir():
        pytest.skip("CASPARIAN_DATA names no folder with swift_mt/ in it")
    return folder
