"""Reads the corpus of value changes with DuckDB, Polars and pandas, in their defaults, and says what became of each cell.

    python -m venv target/peers && target/peers/bin/pip install -r tests/peers/requirements.txt
    target/peers/bin/python tests/peers/compare.py [--details FILE.jsonl]

Each case is a CSV file of its own: a column `id`, a column `v` of 60,000 ordinary cells of one type with the odd cell in row 55,000,
quoted where CSV wants it, and a column `note` that is quoted always, so that whoever looks for quotes finds them. Nothing but the name of the file is told to a reader. docs/value-changes.md says what the words of
the table mean. Not part of the continuous checks: what peers do is theirs.
"""

import argparse
import collections
import datetime
import json
import math
import pathlib
import re
import tempfile
import warnings
from fractions import Fraction

import duckdb
import pandas
import polars

ROWS = 60_000
ODD = 55_000
NOTE = '"a, b"'
VERDICTS = ("kept", "text", "rejected", "respelt", "nulled", "CHANGED")
HERE = pathlib.Path(__file__).parent

ORDINARY = {
    "i64": lambda n: str(1000 + n * 7919 % 9000),
    "f64": lambda n: f"{n * 7919 % 9000}.{n % 90 + 10}5",
    "decimal(10,2)": lambda n: f"{n * 7919 % 9000}.{n % 90 + 10}",
    "date32": lambda n: f"20{n % 24:02}-{n % 12 + 1:02}-{n % 28 + 1:02}",
    "timestamp(us)": lambda n: f"20{n % 24:02}-{n % 12 + 1:02}-{n % 28 + 1:02} {n % 24:02}:{n % 60:02}:{n % 59:02}",
    "timestamp(us,UTC)": lambda n: f"20{n % 24:02}-{n % 12 + 1:02}-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:{n % 59:02}Z",
    "time64(us)": lambda n: f"{n % 24:02}:{n % 60:02}:{n % 59:02}",
    "bool": lambda n: "true" if n % 3 else "false",
    "utf8": lambda n: f"order {n % 997}",
}


def around(kind, made={}):
    """Returns the rows before and behind the odd one."""
    if kind not in made:
        rows = [f'{n},{ORDINARY[kind](n)},{NOTE}\n' for n in range(ROWS)]
        made[kind] = ("id,v,note\n" + "".join(rows[:ODD]), "".join(rows[ODD + 1 :]))
    return made[kind]


def write(path, case):
    text = case["text"]
    if any(mark in text for mark in ',"\r\n'):
        text = '"' + text.replace('"', '""') + '"'
    before, behind = around(case["type"])
    path.write_text(f"{before}{ODD},{text},{NOTE}\n{behind}", encoding="utf-8", newline="")


# Each reader returns the type of the column and the cell; None for null; raises where the file is rejected; LookupError
# where the row is gone.


def read_duckdb(path):
    with duckdb.connect() as base:
        base.execute("SET threads = 1")
        base.execute("CREATE TABLE t AS SELECT * FROM read_csv(?)", [str(path)])
        kind = base.execute("SELECT typeof(v) FROM t LIMIT 1").fetchone()[0]
        cell = "strftime(v AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')" if "ZONE" in kind else "v"
        if kind in ("DATE", "TIMESTAMP", "TIME"):
            cell = "v::VARCHAR"
        row = base.execute(f"SELECT {cell} FROM t WHERE CAST(id AS VARCHAR) = '{ODD}'").fetchone()
        if row is None:
            raise LookupError
        value = row[0]
        if kind in ("TIMESTAMP", "TIME") and value is not None:
            clock, _, fraction = re.sub(r" (?=\d\d:)", "T", value).partition(".")
            return kind, Written(f"{clock}.{fraction.ljust(6, '0')}")
        return kind, Written(value) if kind == "DATE" and value is not None or "ZONE" in kind and value else value


def read_polars(path):
    table = polars.read_csv(path)
    rows = table.filter(polars.col("id").cast(polars.String) == str(ODD))
    if rows.height == 0:
        raise LookupError
    return str(table.schema["v"]), rows["v"][0]


def read_pandas(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = pandas.read_csv(path)
    rows = table[table["id"].astype(str) == str(ODD)]
    if len(rows) == 0:
        raise LookupError
    value = rows["v"].iloc[0]
    return str(table["v"].dtype), value.item() if hasattr(value, "item") else value


class Written(str):
    """A date or time, canonically written."""


READERS = {"DuckDB": read_duckdb, "Polars": read_polars, "pandas": read_pandas}

WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)\Z", re.ASCII)
NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z", re.ASCII)


def verdict(case, value):
    """Says what became of a cell that was read."""
    text, means = case["text"], case["means"]
    if isinstance(value, float) and math.isnan(value):
        # pandas has one value for both, and is believed where the text says so.
        is_named = text.lstrip("+-").lower() == "nan" and case["type"] in ("f64", "decimal(10,2)")
        return "kept" if is_named and text == "NaN" else "respelt" if is_named else "nulled"
    if value is None or value is pandas.NA or value is pandas.NaT:
        return "nulled"
    if isinstance(value, str) and not isinstance(value, Written):
        return "text" if value == text else "CHANGED"
    if isinstance(value, bool):
        is_meant = means == str(value).lower()
        return "kept" if text.lower() == str(value).lower() else "respelt" if is_meant else "CHANGED"
    if isinstance(value, (int, float)):
        return number_verdict(text, means, value)
    return moment_verdict(text, means, str(value))


def number_verdict(text, means, value):
    if isinstance(value, float) and math.isinf(value):
        same = means in ("inf", "-inf") and (means == "-inf") == (value < 0)
        return "kept" if same and text.lstrip("+-") in ("inf", "Infinity") else "respelt" if same else "CHANGED"
    if means is None or means in ("NaN", "inf", "-inf") or Fraction(means) != Fraction(repr(value)):
        return "CHANGED"
    form = WHOLE if isinstance(value, int) else NUMBER
    has_lost_sign = text.startswith("-") and value == 0 and not str(value).startswith("-")
    return "kept" if form.match(text) and not has_lost_sign else "respelt"


def short(text):
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment_verdict(text, means, value):
    if short(value) == short(re.sub("^([0-9-]+)[ t]", r"\1T", text)):
        return "kept"
    if value != means:
        return "CHANGED"
    is_plain = re.match(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?)?\Z", text, re.ASCII)
    return "kept" if is_plain and (value.endswith("Z") or not re.search(r"[Zz]|[+-]\d\d:\d\d\Z", text)) else "respelt"


def judge(reader, path, case):
    try:
        kind, value = reader(path)
    except LookupError:
        return "CHANGED", None, "the row is gone"
    except Exception as refusal:
        return "rejected", None, str(refusal).strip().splitlines()[0][:160]
    return verdict(case, value), kind, repr(value)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--details", type=pathlib.Path)
    options = options.parse_args()
    cases = [json.loads(line) for line in (HERE / "corpus.jsonl").read_text().splitlines()]
    counts = {name: collections.Counter() for name in READERS}
    by_type = {name: collections.Counter() for name in READERS}
    details = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "case.csv"
        for case in cases:
            write(path, case)
            for name, reader in READERS.items():
                found, kind, shown = judge(reader, path, case)
                counts[name][found] += 1
                by_type[name][case["type"], found] += 1
                details.append({**case, "reader": name, "verdict": found, "column": kind, "cell": shown})
    if options.details:
        options.details.write_text("".join(json.dumps(line) + "\n" for line in details))
    print(f"{len(cases)} cases; DuckDB {duckdb.__version__}, Polars {polars.__version__}, pandas {pandas.__version__}\n")
    print("| | " + " | ".join(VERDICTS) + " |\n|---|" + "---|" * len(VERDICTS))
    for name in READERS:
        print(f"| {name} | " + " | ".join(str(counts[name][word]) for word in VERDICTS) + " |")
    print("\n| type | cases | " + " | ".join(f"{name}: respelt, nulled, CHANGED" for name in READERS) + " |\n|---|---|" + "---|" * len(READERS))
    for kind in ORDINARY:
        cells = [", ".join(str(by_type[name][kind, word]) for word in VERDICTS[3:]) for name in READERS]
        print(f"| `{kind}` | {sum(case['type'] == kind for case in cases)} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
