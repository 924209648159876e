"""A parser at work: loaded from its files, asked what it is, and run over one input through a port.

Whatever goes wrong in a parser comes out as a [`Fault`]: its message shows the parser's own lines, its span is what was being
read. Nothing else is raised here, but what stops a debugger.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence

from casparian import blame
from casparian.modules import Modules, compiled
from casparian.output import Backlog, Output
from casparian.parser import OWN_INFOS, Definition, found
from casparian.port import Blob, Port
from casparian.shapes import Description, Fault, Layout, Refused, Span, whole
from casparian.source import OptionValue, Source
from casparian.table import Table
from casparian.voice import Heard

__all__ = ["OWN_INFOS", "Description", "Fault", "Layout", "Program", "Refused", "Span", "asset", "compiled"]

Options = Sequence[tuple[str, str]]

COLLECT_AFTER = 50_000
"""Objects after which whoever runs a parser looks for garbage: rows and lines that wait for a flush are none, and looking for
some every 2,000 objects costs a tenth of the time."""

_loaded: Modules | None = None


def asset(path: str) -> bytes:
    """Returns a file that came with the parser: `asset("codes.json")`. Raises `FileNotFoundError` where there is none."""
    if _loaded is None:
        raise FileNotFoundError(path)
    return _loaded.get_data(path)


class Program:
    """A loaded parser."""

    def __init__(self, definition: Definition, modules: Modules, prints: bool) -> None:
        self._definition = definition
        self._modules = modules
        self._prints = prints
        self._description = definition.describe()  # now rather than in the middle of a run
        self._faults = [info.code for info in self._description.faults]
        self._tables = {table.name: table for table in definition.outputs}

    @staticmethod
    def load(
        files: Mapping[str, bytes],
        entry: str,
        *,
        code: Mapping[str, bytes] | None = None,
        folder: str = "",
        prints: bool = True,
    ) -> Program:
        """Loads a parser from its files, starting from a module (`fills`, `fills.py`). The parser loaded before is forgotten.

        `code` is what [`compiled`] made of the same files. `prints` says whether what is printed goes to the log. Raises
        [`Fault`] where the files are no parser.
        """
        global _loaded
        modules = Modules(files, code, folder)
        name = modules.module_name(entry)
        modules.install()
        _loaded = modules
        with _Quiet(prints), _Blamed(modules, None):
            return Program(found(importlib.import_module(name), name.rpartition(".")[2]), modules, prints)

    def close(self) -> None:
        """Forgets the parser's modules."""
        self._modules.remove()

    @property
    def definition(self) -> Definition:
        """Returns the parser as its author wrote it."""
        return self._definition

    @property
    def tables(self) -> list[Table]:
        """Returns the tables that are declared, then those that were opened so far."""
        return list(self._tables.values())

    def describe(self) -> Description:
        """Returns what the parser says it is."""
        return self._description

    def sniff(self, port: Blob) -> int:
        """Returns how sure the parser is that this input is its own, from 0 to 100; 0 where it does not say."""
        if self._definition.sniff is None:
            return 0
        source = Source(port)
        with _Quiet(self._prints), self._blamed(source):
            return max(0, min(100, int(self._definition.sniff(source))))

    def plan(self, port: Port, options: Options, target_bytes: int) -> tuple[list[Span], bytes]:
        """Returns how the input is cut, and what every range needs to know. One range, where the parser has no plan."""
        layout = Layout.whole(port.len())
        if self._definition.plan is not None:
            backlog = Backlog(port, 0, self._faults)
            source, out = self._open(port, backlog, None, b"", options)
            with self._heard(port, source), self._blamed(source):
                layout = _checked(self._definition.plan(source, out, target_bytes) or layout)
                backlog.finish_said()
        return layout.ranges, layout.context

    def parse(self, port: Port, range: Span, context: bytes, options: Options) -> None:
        """Parses the records that begin in a range."""
        range = Span(*range)
        backlog = Backlog(port, range.offset, self._faults)
        source, out = self._open(port, backlog, range, context, options)
        with self._heard(port, source), self._blamed(source):
            parse: Callable[..., object] = self._definition.parse
            _done(parse(source, out))
            backlog.finish(range.end, source.is_within)
        self._tables.update((name, opened.table) for name, opened in backlog.tables.items())

    def resync(self, port: Blob, context: bytes, after: int) -> int | None:
        """Returns the first record boundary past `after`; `None` where the parser does not say."""
        if self._definition.resync is None:
            return None
        source = Source(port, context=context)
        with _Quiet(self._prints), self._blamed(source):
            return self._definition.resync(source, after)

    def _open(
        self, port: Port, backlog: Backlog, range: Span | None, context: bytes, options: Options
    ) -> tuple[Source, Output]:
        out = Output(backlog, self._definition.outputs)
        read = self._options(options)
        return Source(port, range, options=read, context=context, out=out, settle=backlog.settle), out

    def _options(self, given: Options) -> dict[str, OptionValue]:
        known = self._definition.options
        texts = {info.name: info.default for info in self.describe().options} if known else {}
        texts.update(given)
        return {name: known[name].read(text) for name, text in texts.items() if name in known and text is not None}

    def _heard(self, port: Port, source: Source) -> Heard:
        return Heard(port, lambda: _at(source), self._prints)

    def _blamed(self, source: Source) -> _Blamed:
        return _Blamed(self._modules, source)


def _at(source: Source | None) -> Span | None:
    return source.current.span if source is not None and source.current is not None else None


def _done(returned: object) -> None:
    if isinstance(returned, (Generator, Coroutine)):
        returned.close()
        why = "with a `yield` or `async` in it a call only makes something to run; rows go to `append`"
        raise TypeError(f"`parse` has not run: {why}")


def _checked(layout: object) -> Layout:
    if not isinstance(layout, Layout):
        raise TypeError(f"plan returned {layout!r:.80}, not a Layout")
    if not isinstance(layout.context, bytes):
        raise TypeError(f"the context of a Layout is bytes, not {layout.context!r:.80}")
    return Layout(list(map(whole, layout.ranges)), layout.context)


class _Blamed:
    """Makes whatever is raised a fault of the parser, but what stops a debugger."""

    def __init__(self, modules: Modules, source: Source | None) -> None:
        self._modules = modules
        self._source = source

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, why: BaseException | None, __: object) -> None:
        if why is not None and not isinstance(why, KeyboardInterrupt) and type(why).__name__ != "BdbQuit":
            raise blame.fault_of(why, self._modules.shown, _at(self._source)) from why


class _Silence(io.TextIOBase):
    """A file that forgets: who keeps it, as a handler of `logging` does, fills no memory with it."""

    def write(self, text: str) -> int:
        return len(text)


class _Quiet:
    """Drops what is printed where there is no log: while a parser is loaded, or sniffs."""

    def __init__(self, prints: bool) -> None:
        self._prints = prints

    def __enter__(self) -> None:
        self._before = sys.stdout, sys.stderr
        if self._prints:
            sys.stdout = sys.stderr = _Silence()

    def __exit__(self, *_: object) -> None:
        sys.stdout, sys.stderr = self._before
