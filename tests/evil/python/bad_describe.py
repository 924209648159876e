"""Goes round the SDK and says that it finds faults with a name that none can have."""


class Parser:
    name = "bad_describe"
    version = "1"
    faults = {"\x1b[2J Not A Word": "no fault is called so"}

    def parse(self, source, out):
        pass
