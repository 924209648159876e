"""Goes round the SDK and opens a table that it has not described."""

from casparian import Table
from wit_world.imports import output


class Parser:
    name = "lying_describe"
    version = "1"
    outputs = [Table("rows", text=str)]

    def parse(self, source, out):
        try:
            output.Table.open("others", Table("others", text=str).schema())
        except Exception:
            pass  # a refusal is final, whatever comes of it here
