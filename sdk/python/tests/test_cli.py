"""`python -m casparian`: what it shows, and that it loads a parser with its own files under their own names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from casparian.__main__ import main
from casparian.native import load, run

SDK = Path(__file__).parents[1]
PARSER = '''
"""Lines of `symbol,price`."""
import logging
from casparian import Option, Table, parser
from helper import split

@parser(version="1.1", faults=["odd"], options={"sep": Option(",")}, patterns=["*.fills"])
def parse(source, out):
    t = out.table("fills", symbol=str, px="decimal(18,4)", raw=bytes, legs=["int8"], wait="duration[s]")
    for line in source.lines():
        if not line:
            out.skip(line, "blank")
        elif source.options["sep"] not in line:
            out.reject(line, "odd", "no separator")
        else:
            print("line", line)
            t.append(line, *split(line, source.options["sep"]), raw=b"\\x00", legs=[1])
'''
HELPER = "def split(line, separator):\n    return line.split(separator)\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "fills.py").write_text(PARSER)
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "a.fills").write_bytes(b"A,1.50\n\nx\n")
    return tmp_path


def test_a_run_shows_what_the_parser_says(folder, capsys):
    assert main(["run", str(folder / "fills.py"), str(folder / "a.fills")]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "fills",
        "  0..7  symbol='A'  px='1.50'  raw=b'\\x00'  legs=[1]",
        "rejected 8..10: odd: no separator",
        "skipped 7..8: blank",
        "1 rows in fills; 1 rejected; 0 bytes unclaimed",
    ]
    assert told.err == "line A,1.50\n"


def test_an_option_that_the_parser_does_not_have_is_refused_as_the_host_does(folder, capsys):
    assert main(["run", "--option", "nosuch=1", str(folder / "fills.py"), str(folder / "a.fills")]) == 1
    assert capsys.readouterr().err == "error: there is no option `nosuch`; there are: sep\n"
    text = (folder / "fills.py").read_text()
    (folder / "fills.py").write_text(text.replace('{"sep": Option(",")}', '{"sep": Option(","), "n": Option(1)}'))
    assert main(["run", "--option", "n=abc", str(folder / "fills.py"), str(folder / "a.fills")]) == 1
    assert capsys.readouterr().err.startswith("error: option `n` cannot be `abc`: ")


def test_a_run_writes_json_on_standard_output_and_nothing_else(folder, capsys):
    assert main(["run", "--json", "--option", "sep=x", str(folder / "fills.py"), str(folder / "a.fills")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["row"] == {
        "_cf_offset": 8,
        "_cf_length": 2,
        "symbol": "",
        "px": "",
        "raw": "00",
        "legs": [1],
        "wait": None,
    }
    assert lines[-1]["summary"] == {
        "input_bytes": 10,
        "rows": {"fills": 1},
        "rejected": 1,
        "skipped_bytes": 1,
        "unclaimed_bytes": 0,
    }


def test_a_run_writes_files(folder, capsys):
    assert main(["run", "--out", str(folder / "out"), str(folder / "fills.py"), str(folder / "a.fills")]) == 0
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["fills.jsonl", "rejects.jsonl", "skips.jsonl"]
    assert json.loads((folder / "out/rejects.jsonl").read_text())["code"] == "odd"


def test_it_describes_a_parser(folder, capsys):
    assert main(["describe", str(folder / "fills.py")]) == 0
    described = json.loads(capsys.readouterr().out)
    assert (described["name"], described["version"], described["patterns"]) == ("fills", "1.1", ["*.fills"])
    assert described["options"] == {"sep": {"kind": "text", "default": ",", "doc": ""}}


def test_it_drafts_a_contract_of_the_types_that_were_declared(folder, capsys):
    assert main(["contract", str(folder / "fills.py"), str(folder / "a.fills")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "apiVersion: v3.1.0",
        "kind: DataContract",
        'id: "fills"',
        'version: "1.1"',
        "status: draft",
        "schema:",
        "  - name: fills",
        "    logicalType: object",
        "    properties:",
        '      - name: "symbol"',
        "        logicalType: string",
        '      - name: "px"',
        "        logicalType: number",
        "        physicalType: DECIMAL(18,4)",
        '      - name: "raw"',
        "        logicalType: string",
        "        physicalType: BINARY",
        '      - name: "legs"',
        "        logicalType: array",
        "        items:",
        "          logicalType: integer",
        "          logicalTypeOptions: {format: i8}",
        '      # "wait": a contract has no word for duration[s]; it is written as it is sent',
        "    customProperties:",
        "      - {property: extraColumns, value: evolve}",
    ]
    assert main(["contract", str(folder / "fills.py")]) == 1
    assert "give a file to read" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, code, told",
    [
        (["run", "fills.py", "nothing"], 2, "nothing"),
        (["run", "none.py", "a.fills"], 1, "there is no file `none.py`"),
        (["run", "--option", "sep", "fills.py", "a.fills"], 1, "`sep` is not NAME=VALUE"),
        (
            ["run", "broken.py", "a.fills"],
            1,
            "ZeroDivisionError: division by zero\n  broken.py:3 in parse: 1 / 0\n  in bytes 0..7",
        ),
    ],
)
def test_what_goes_wrong_is_told_in_a_few_lines(folder, capsys, monkeypatch, arguments, code, told):
    monkeypatch.chdir(folder)
    (folder / "broken.py").write_text("def parse(source, out):\n    for line in source.lines():\n        1 / 0\n")
    assert main(arguments) == code
    assert told in capsys.readouterr().err


def test_code_has_the_names_of_its_files_so_that_a_debugger_stops_there(folder):
    program = load(folder / "fills.py")
    assert program.definition.parse.__code__.co_filename == str(folder / "fills.py")
    assert len(run(program, b"A,1\n").rows("fills")) == 1
    program.close()


def test_a_stranger_beside_a_parser_is_no_part_of_it(folder):
    (folder / "json.py").write_text("raise SystemExit")
    (folder / "notes").mkdir()
    (folder / "notes/x.py").write_text("")
    program = load(folder / "fills.py")
    assert sorted(program._modules.files) == ["fills.py", "helper.py"]
    program.close()


def test_the_command_stops_in_the_debugger(folder):
    commands = "b fills.py:11\nc\np str(line)\nq\n"
    arguments = [sys.executable, "-m", "pdb", "-m", "casparian", "run", "fills.py", "a.fills"]
    done = subprocess.run(
        arguments, cwd=folder, env={"PYTHONPATH": str(SDK)}, input=commands, capture_output=True, text=True
    )
    assert "'A,1.50'" in done.stdout, done.stdout + done.stderr
