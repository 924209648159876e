"""Keeps more and more."""


def parse(source, out):
    kept = []
    while True:
        kept.append(bytearray(1 << 20))
