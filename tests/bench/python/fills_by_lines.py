"""Fills, as in `fills.py`, in ranges of lines."""

from casparian import by_lines, parser


@parser(name="fills", version="1.0.0", plan=by_lines)
def parse(source, out):
    fills = out.table("fills", symbol=str, px=str, qty=str, at=str)
    for line in source.lines():
        symbol, px, qty, at = line.split(",")
        fills.append(line, symbol, px, qty, at)
