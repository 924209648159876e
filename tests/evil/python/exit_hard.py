"""Ends the process without asking the interpreter."""

import os


def parse(source, out):
    os._exit(3)
