"""Is no Python."""

def parse(source out):
    pass
