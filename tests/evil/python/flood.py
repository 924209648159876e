"""Says more rows than the input can be worth."""


def parse(source, out):
    rows = out.table("rows", text=str)
    for line in source.lines():
        while True:
            rows.append(line, "x" * 100_000)
