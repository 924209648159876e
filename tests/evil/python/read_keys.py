"""Waits for what somebody types."""

from casparian import parser


@parser(name="read_keys", version="1.0.0")
def parse(source, out):
    table = out.table("t", a=str)
    for line in source.lines():
        table.append(line, input())
