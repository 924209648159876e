"""What an author writes: a function `parse(source, out)`, or a class `Parser`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from casparian.delimited import BAD_CSV
from casparian.fixed import BAD_LENGTH
from casparian.jsonlines import BAD_JSON
from casparian.markup import BAD_XML
from casparian.output import OTHER, Output
from casparian.shapes import Description, Fault, FaultInfo, Layout, OptionInfo, OptionKind, TableInfo
from casparian.source import BAD_TEXT, TOO_LONG, OptionValue, Source
from casparian.table import UNFIT, Table

OWN_FAULTS = {
    UNFIT: "A cell does not fit the type that its column is sent as; the cell is null.",
    OTHER: "The parser rejected the record for a reason that it does not declare.",
    TOO_LONG: "The record is longer than 16 MiB, more than a reader holds.",
    BAD_TEXT: "The record has bytes that are no text in its encoding.",
    BAD_CSV: "The row breaks the rules of quoting.",
    BAD_JSON: "The line is no JSON, or an object in it has a key twice.",
    BAD_LENGTH: "The record has not the length that its fields take.",
    BAD_XML: "The XML is not well-formed, or has a DTD or entities of its own.",
}
"""Faults that every parser has: what the readers and tables find by themselves."""

OWN_INFOS = [FaultInfo(code, doc) for code, doc in OWN_FAULTS.items()]


@dataclass(frozen=True)
class Option:
    """An option of a parser: its kind follows from the default unless it is said."""

    default: str | int | float | bool | None = None
    doc: str = ""
    kind: OptionKind | None = None
    choices: Sequence[str] = ()

    def info(self, name: str) -> OptionInfo:
        """Returns what the host is told of it."""
        default = None if self.default is None else _option_text(self.default)
        return OptionInfo(name, self._kind(), list(self.choices), default, self.doc)

    def _kind(self) -> OptionKind:
        if self.kind:
            return self.kind
        if self.choices:
            return "choice"
        if isinstance(self.default, bool):
            return "flag"
        if isinstance(self.default, int):
            return "integer"
        return "number" if isinstance(self.default, float) else "text"

    def read(self, text: str) -> OptionValue:
        """Returns the value that a text of the host stands for."""
        match self._kind():
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "flag":
                return text == "true"
        return text


def _option_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class ParseFunction(Protocol):
    """A parser of level 1."""

    def __call__(self, source: Source, out: Output, /) -> None:
        """Parses the range of a source."""
        ...


@dataclass
class Definition:
    """A parser, however it was written."""

    name: str
    version: str
    parse: Callable[[Source, Output], None]
    doc: str = ""
    patterns: Sequence[str] = ()
    outputs: Sequence[Table] = ()
    faults: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Option] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    sniff: Callable[[Source], int] | None = None
    plan: Callable[..., Layout | None] | None = None
    resync: Callable[[Source, int], int | None] | None = None

    def __post_init__(self) -> None:
        for what, text in (("name", self.name), ("version", self.version), ("doc", self.doc)):
            if not isinstance(text, str):
                raise TypeError(f"the {what} of a parser is text, not {text!r:.80}")
        for name, option in self.options.items():
            if not isinstance(option, Option):
                raise TypeError(f"option `{name}` is an Option, not {option!r:.80}")
        if isinstance(self.patterns, str):
            self.patterns = [self.patterns]
        if self.resync is None and self.plan is by_lines:
            self.resync = line_ends

    def all_faults(self) -> list[FaultInfo]:
        """Returns the parser's faults, then those that every parser has."""
        if not self.faults:
            return OWN_INFOS
        own = [FaultInfo(code, doc) for code, doc in self.faults.items()]
        return own + [info for info in OWN_INFOS if info.code not in self.faults]

    def describe(self) -> Description:
        """Returns what the host is told of it."""
        return Description(
            name=self.name,
            version=self.version,
            doc=self.doc,
            tables=[TableInfo(it.name, it.doc, it.schema(), it.default_on) for it in self.outputs],
            faults=self.all_faults(),
            options=[option.info(name) for name, option in self.options.items()],
            patterns=list(self.patterns),
            extra=list(self.extra.items()),
        )


_MARK = "__casparian_parser__"


def parser(
    name: str | None = None,
    version: str = "0.0.0",
    *,
    patterns: Sequence[str] = (),
    outputs: Sequence[Table] = (),
    faults: Mapping[str, str] | Sequence[str] = (),
    options: Mapping[str, Option] | None = None,
    sniff: Callable[[Source], int] | None = None,
    plan: Callable[..., Layout | None] | None = None,
    resync: Callable[[Source, int], int | None] | None = None,
    doc: str = "",
) -> Callable[[ParseFunction], ParseFunction]:
    """Makes a parser of a function `parse(source, out)`. Its name is that of its module unless one is given."""

    def mark(parse: ParseFunction) -> ParseFunction:
        about = doc or (parse.__doc__ or "").strip()
        made = Definition(
            name or "",
            version,
            parse,
            about,
            patterns,
            outputs,
            _with_docs(faults),
            options or {},
            {},
            sniff,
            plan,
            resync,
        )
        setattr(parse, _MARK, made)
        return parse

    return mark


def _with_docs(faults: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    return dict(faults) if isinstance(faults, Mapping) else {code: "" for code in faults}


def by_lines(source: Source, out: Output, target_bytes: int) -> Layout:
    """A `plan` for parsers that read lines: cuts behind line ends, so that all cores help."""
    return Layout.cut_at(source.size, source.cuts(b"\n", target_bytes))


def line_ends(source: Source, after: int) -> int | None:
    """A `resync` for parsers that can begin at any line: where the line ends that begins at `after`. Who plans with
    [`by_lines`] has said so, and has this one unless there is another."""
    at = after
    while chunk := source.read(at, _RESYNC_CHUNK):
        if (found := chunk.find(b"\n")) >= 0:
            return at + found + 1
        at += len(chunk)
    return at if at > after else None


_RESYNC_CHUNK = 8 << 10


def found(module: Any, name: str) -> Definition:
    """Returns the parser in a module: a function marked with `@parser`, a class `Parser`, or a function `parse`."""
    marked = {id(made): made for it in vars(module).values() if (made := _marked(it)) is not None}
    if len(marked) > 1:
        raise Fault(
            "many-parsers", f"module `{module.__name__}` has {len(marked)} functions marked with @parser: one is wanted"
        )
    if marked:
        (definition,) = marked.values()
        definition.name = definition.name or name
        return definition
    if isinstance(kind := getattr(module, "Parser", None), type):
        return _of_class(kind(), name)
    if callable(parse := getattr(module, "parse", None)):
        return Definition(name, "0.0.0", parse, (module.__doc__ or parse.__doc__ or "").strip())
    raise Fault(
        "no-parser", f"module `{module.__name__}` has neither a function `parse(source, out)` nor a class `Parser`"
    )


def _marked(value: object) -> Definition | None:
    # Only functions are asked: what else stands in a module may answer to any name.
    made = getattr(value, "__dict__", {}).get(_MARK) if callable(value) and not isinstance(value, type) else None
    return made if isinstance(made, Definition) else None


def _of_class(it: Any, name: str) -> Definition:
    return Definition(
        name=getattr(it, "name", name),
        version=getattr(it, "version", "0.0.0"),
        parse=it.parse,
        doc=getattr(it, "doc", None) or (type(it).__doc__ or "").strip(),
        patterns=getattr(it, "patterns", ()),
        outputs=getattr(it, "outputs", ()),
        faults=_with_docs(getattr(it, "faults", ())),
        options=getattr(it, "options", {}),
        extra=getattr(it, "extra", {}),
        sniff=getattr(it, "sniff", None),
        plan=getattr(it, "plan", None),
        resync=getattr(it, "resync", None),
    )
