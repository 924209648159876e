"""Fills, as an author would write them: four cells to a line."""

from casparian import parser


@parser(name="fills", version="1.0.0")
def parse(source, out):
    fills = out.table("fills", symbol=str, px=str, qty=str, at=str)
    for line in source.lines():
        symbol, px, qty, at = line.split(",")
        fills.append(line, symbol, px, qty, at)
