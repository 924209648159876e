"""The same work without a sandbox: CPython reads lines, pyarrow writes batches as an IPC stream to standard output."""

import sys

import pyarrow as pa

ROWS = 8_192
SCHEMA = pa.schema(
    [("_cf_offset", pa.uint64()), ("_cf_length", pa.uint32())] + [(name, pa.string()) for name in ("symbol", "px", "qty", "at")]
)


def main(path):
    with open(path, "rb") as file, pa.ipc.new_stream(sys.stdout.buffer, SCHEMA) as stream:
        columns, offset = [[] for _ in SCHEMA], 0
        for raw in file:
            symbol, px, qty, at = raw.decode().rstrip("\r\n").split(",")
            for column, cell in zip(columns, (offset, len(raw), symbol, px, qty, at)):
                column.append(cell)
            offset += len(raw)
            if len(columns[0]) == ROWS:
                flush(stream, columns)
                columns = [[] for _ in SCHEMA]
        flush(stream, columns)


def flush(stream, columns):
    arrays = [pa.array(cells, field.type) for cells, field in zip(columns, SCHEMA)]
    stream.write_batch(pa.record_batch(arrays, schema=SCHEMA))


main(sys.argv[1])
