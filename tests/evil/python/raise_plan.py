"""Fails while it plans."""


class Parser:
    name = "raise_plan"
    version = "1"

    def plan(self, source, out, target_bytes):
        raise KeyError("plan")

    def parse(self, source, out):
        pass
