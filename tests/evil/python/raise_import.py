"""Fails while it is imported."""

CODES = {}
CODES["missing"]


def parse(source, out):
    pass
