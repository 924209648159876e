"""Fills: a symbol, a price and a quantity to a line."""

from casparian import parser


@parser(name="hello_python", version="0.1.0", patterns=["*.fills"])
def parse(source, out):
    fills = out.table("fills", symbol=str, px="decimal(18,4)", qty=int)
    for line in source.lines():
        cells = line.split(",")
        if len(cells) == 3:
            fills.append(line, *cells)
        else:
            out.reject(line, "undeclared", f"{len(cells)} cells, not 3")
