"""Loops for ever."""


def parse(source, out):
    while True:
        pass
