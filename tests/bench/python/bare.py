"""The least that a Python process per file can do: read the lines, split them, say how many there were."""

import sys

with open(sys.argv[1]) as file:
    print(sum(1 for line in file if len(line.split(",")) == 4))
