"""Prints a hundred megabytes, and does its work."""


def parse(source, out):
    rows = out.table("rows", text=str)
    for line in source.lines():
        rows.append(line, line)
    for _ in range(100):
        print("\x1b[2J" + "x" * 1_000_000)
