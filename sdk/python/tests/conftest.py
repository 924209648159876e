"""What the tests share: a parser made of a few lines."""

import textwrap

import pytest
from hypothesis import HealthCheck, settings

from casparian.engine import Program


# A busy machine is no reason to fail.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def load():
    """Loads a parser from its source, and forgets it afterwards."""
    programs = []

    def load(source, *, entry="parser.py", files=None, **how):
        more = {name: textwrap.dedent(text).encode() for name, text in (files or {}).items()}
        program = Program.load({entry: textwrap.dedent(source).encode(), **more}, entry, **how)
        programs.append(program)
        return program

    yield load
    for program in programs:
        program.close()
