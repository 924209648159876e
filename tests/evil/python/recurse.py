"""Calls itself without end."""


def parse(source, out):
    parse(source, out)
