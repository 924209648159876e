"""Reads a CSV file with DuckDB or Polars, every column as text, on one thread and into memory; prints CPU seconds, wall seconds and rows.

    target/peers/bin/python tests/peers/read.py duckdb|polars FILE

Loading the library is not counted: it is read once before, a file of one row. A contender of `cargo xtask bench csv`, where it is installed.
"""

import os
import sys
import tempfile
import time

os.environ["POLARS_MAX_THREADS"] = "1"


def with_duckdb(path: str) -> int:
    import duckdb

    duckdb.execute("SET threads = 1")
    return duckdb.sql("SELECT * FROM read_csv(?, all_varchar = true)", params=[path]).to_arrow_table().num_rows


def with_polars(path: str) -> int:
    import polars

    return polars.read_csv(path, infer_schema=False).height


def main() -> None:
    read = {"duckdb": with_duckdb, "polars": with_polars}[sys.argv[1]]
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as small:
        small.write("a,b\n1,2\n")
        small.flush()
        read(small.name)
    cpu, wall = time.process_time(), time.perf_counter()
    rows = read(sys.argv[2])
    print(time.process_time() - cpu, time.perf_counter() - wall, rows)


main()
