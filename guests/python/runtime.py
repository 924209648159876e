"""The Python runtime: a component that becomes a parser by what `program` hands it.

It converts between the SDK's plain values and the types that componentize-py makes of wit/world.wit, and decides nothing else.
All that a parser may import is brought in here, while the component is built: later there is nowhere to import from.
"""

import library

library.LIBRARY.fill()  # before anything is imported that it has

import gc
import marshal
import sys

import closed
import warm
from casparian import blame, engine, speed
from componentize_py_types import Err
from wit_world.imports import input as inputs
from wit_world.imports import log, output, program, types

COMPILER = ".casparian/compiler"
"""The entry that stands for the compiler below."""
SAID_CHARS_MAX = 900
"""What the host keeps of one line of the log is 1 KiB: of a long traceback both ends are worth more than its middle."""

LEVELS = {level.name.lower(): level for level in types.Level}
KINDS = {kind.name.lower(): kind for kind in types.OptionKind}
SKIPS = {kind.name.lower(): kind for kind in types.SkipKind}
FAULTS = {info: types.FaultInfo(*info) for info in engine.OWN_INFOS}


def to_host(at):
    """Returns a span as the host knows it."""
    return None if at is None else types.Span(at[0], at[1])


def asked(function, *arguments):
    """Calls the host; what it refuses is raised as the SDK's own exception."""
    try:
        return function(*arguments)
    except Err as refused:
        why = refused.value
        at = None if why.at is None else engine.Span(why.at.offset, why.at.length)
        raise engine.Refused(why.code, why.message, at) from None


class TablePort:
    """An open table."""

    def __init__(self, table):
        self._table = table

    def emit(self, batch):
        asked(self._table.emit, batch)

    def close(self):
        self._table.__exit__(None, None, None)


class BlobPort:
    """Bytes that can be read anywhere."""

    def __init__(self, blob):
        self.name, self.len, self.read = blob.name, blob.len, blob.read


class HostPort(BlobPort):
    """All of the outside, with the input of the run."""

    def attachment(self, name):
        found = inputs.attachment(name)
        return None if found is None else BlobPort(found)

    def open(self, table, schema):
        return TablePort(asked(output.Table.open, table, schema))

    def reject(self, records):
        at = types.Span
        asked(output.reject, [types.Rejection(at(r[0], r[1]), r[2], r[3]) for r in records])

    def skip(self, offset, length, kind, note):
        asked(output.skip, types.Span(offset, length), SKIPS[kind], note)

    def commit(self, up_to):
        asked(output.commit, up_to)

    def wanted(self, table):
        return output.wanted(table)

    def batch_bytes(self):
        return output.batch_bytes()

    def log_enabled(self, level):
        return log.enabled(LEVELS[level])

    def log(self, level, message, span):
        log.log(LEVELS[level], message, to_host(span))


class Compiler:
    """The parser that compiles parsers: its plan of an empty input has the code as its context."""

    def __init__(self, files):
        self._files = files

    def describe(self):
        return engine.Description("python-compiler", "1")

    def plan(self, port, options, target_bytes):
        code = {}
        for path, source in self._files.items():
            try:
                code |= engine.compiled({path: source})
            except (SyntaxError, ValueError):
                pass  # said where the module is imported, with its place
        return [], marshal.dumps(code)


class Format:
    """What the component exports. componentize-py makes one of it for each function, so the program is the class's: it is loaded
    once for all of them, and what one of them remembers in its modules the others find there."""

    program = None

    def _loaded(self):
        if Format.program is None:
            closed.close()  # not before: the build still reads files
            files = dict(program.files())
            code = files.pop(warm.CODE, None)
            if program.entry() == COMPILER:
                Format.program = Compiler(files)
            else:
                code = None if code is None else marshal.loads(code)
                Format.program = engine.Program.load(files, program.entry(), code=code)
        return Format.program

    def describe(self):
        return describe(trapping(lambda: self._loaded().describe()))

    def sniff(self, blob):
        return trapping(lambda: self._loaded().sniff(BlobPort(blob)))

    def plan(self, blob, options, target_bytes):
        planned = answered(lambda: self._loaded().plan(HostPort(blob), options, target_bytes))
        return types.Layout([to_host(span) for span in planned[0]], planned[1])

    def parse(self, blob, range, context, options):
        at = engine.Span(range.offset, range.length)
        answered(lambda: self._loaded().parse(HostPort(blob), at, context, options))

    def resync(self, blob, context, after):
        return trapping(lambda: self._loaded().resync(BlobPort(blob), context, after))


def answered(call):
    """Calls a parser where it may answer with a fault. An exception that nobody meant is none: it traps, as a panic does."""
    try:
        return call()
    except engine.Fault as fault:
        if fault.code == blame.EXCEPTION:
            say(fault)
            raise
        raise Err(types.Fault(str(fault.code), str(fault.message), to_host(fault.at))) from None


def trapping(call):
    """Calls a parser where it has no way to answer with a fault."""
    try:
        return call()
    except engine.Fault as fault:
        say(fault)
        raise


def say(fault):
    """Says a fault in the log, where the host looks for the last words of who trapped."""
    text = fault.message
    if len(text) > SAID_CHARS_MAX:
        head, tail = text[: SAID_CHARS_MAX // 3], text[-SAID_CHARS_MAX * 2 // 3 :]
        text = "\n".join([head.rpartition("\n")[0] or head, "  …", tail.partition("\n")[2] or tail])
    log.log(types.Level.ERROR, text, to_host(fault.at))


def describe(d):
    """Returns a description as the host knows it."""
    return types.Description(
        d.name,
        d.version,
        d.doc,
        [types.TableInfo(t.name, t.doc, t.schema, t.default_on) for t in d.tables],
        [FAULTS.get(f) or types.FaultInfo(*f) for f in d.faults],
        [types.OptionInfo(o.name, KINDS[o.kind], list(o.choices), o.default, o.doc) for o in d.options],
        list(d.patterns),
        [tuple(pair) for pair in d.extra],
    )


if speed.compiled is None:
    raise ImportError("what is compiled of the SDK is not on the path")
gc.set_threshold(engine.COLLECT_AFTER, *gc.get_threshold()[1:])
closed.stop_clocks()
closed.stop_input()
warm.up(sys.modules[__name__])
library.LIBRARY.keep(speed.compiled.kept)
# What looks for modules on a disk keeps what it has found there; forgetting that takes a while.
sys.path_importer_cache.clear()

# What is here from the build on is never garbage: a fresh instance need not look at it, nor copy its pages to do so.
gc.collect()
gc.freeze()
