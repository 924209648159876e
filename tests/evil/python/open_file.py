"""Opens a file of the machine."""


def parse(source, out):
    open("/etc/passwd")
