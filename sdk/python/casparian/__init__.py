"""Parsers for Casparian in Python: read one file, say what is in it.

```python
def parse(source, out):
    trades = out.table("trades", symbol=str, px="decimal(18,4)", qty=int)
    for line in source.lines():
        symbol, px, qty = line.split(",")
        trades.append(line, symbol, px, qty)
```
"""

from casparian.engine import asset
from casparian.kinds import Kind
from casparian.output import Output, Reject
from casparian.parser import Option, by_lines, parser
from casparian.shapes import Description, Fault, Layout, Refused, Span
from casparian.source import Line, Raw, Source
from casparian.table import OpenTable, Table

__all__ = [
    "Description",
    "Fault",
    "Kind",
    "Layout",
    "Line",
    "OpenTable",
    "Option",
    "Output",
    "Raw",
    "Refused",
    "Reject",
    "Source",
    "Span",
    "Table",
    "asset",
    "by_lines",
    "parser",
]
