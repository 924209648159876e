"""`python -m casparian`: parsers on a developer's machine, with its debugger, its editor and its tests."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from casparian import draft
from casparian.engine import Program
from casparian.native import NativePort, Row, Said, load, run
from casparian.shapes import Description, Fault, Level, Span


class TerminalPort(NativePort):
    """A native host whose log is the terminal."""

    def log(self, level: Level, message: str, span: Span | None) -> None:
        """Shows a line."""
        if self.log_enabled(level):
            print(f"{level}: {message}" + (f" (bytes {span})" if span else ""), file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line. Returns its exit code."""
    args = _arguments().parse_args(argv)
    try:
        # Standard output is data: what a parser prints goes the other way.
        with redirect_stdout(sys.stderr):
            program = load(args.parser)
        return int(args.act(args, program))
    except Fault as fault:
        print(f"error: {fault.message}", file=sys.stderr)
        if fault.at:
            print(f"  in bytes {fault.at}", file=sys.stderr)
        return 1
    except OSError as why:
        print(f"error: {why}", file=sys.stderr)
        return 2


def _arguments() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="python -m casparian", description=__doc__)
    acts = arguments.add_subparsers(required=True, metavar="COMMAND")
    running = acts.add_parser("run", help="run a parser over a file and show what it says")
    running.add_argument("parser", type=Path)
    running.add_argument("file", type=Path)
    running.add_argument("--json", action="store_true", help="one object a line: rows, rejections, skips, a summary")
    running.add_argument("--out", type=Path, help="a folder for TABLE.jsonl, rejects.jsonl and skips.jsonl")
    running.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    running.add_argument("--attach", action="append", default=[], metavar="NAME=FILE")
    running.add_argument(
        "--table", action="append", metavar="NAME", help="a table that is wanted; all, unless some are named"
    )
    running.add_argument("--target-bytes", type=int, default=1 << 62, help="the size of ranges asked of `plan`")
    running.set_defaults(act=_run)
    describing = acts.add_parser("describe", help="show what a parser says it is")
    describing.add_argument("parser", type=Path)
    describing.add_argument("--json", action="store_true")
    describing.set_defaults(act=_describe)
    drafting = acts.add_parser("contract", help="draft a contract: the tables' columns as they are declared")
    drafting.add_argument("parser", type=Path)
    drafting.add_argument(
        "file", type=Path, nargs="?", help="an input to read first, where tables are opened as it is read"
    )
    drafting.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    drafting.set_defaults(act=_contract)
    return arguments


def _contract(args: argparse.Namespace, program: Program) -> int:
    if args.file:
        _say(args, program, options=dict(map(_pair, args.option)))
    try:
        description = program.describe()
        print(draft.contract(description.name, description.version, program.tables), end="")
    except ValueError as why:
        raise Fault("no-table", f"{why}: give a file to read, so that the parser opens them") from why
    return 0


def _run(args: argparse.Namespace, program: Program) -> int:
    attachments = {name: Path(path).read_bytes() for name, path in map(_pair, args.attach)}
    how = {"wanted": args.table, "attachments": attachments}
    said = _say(args, program, dict(map(_pair, args.option)), target_bytes=args.target_bytes, **how)
    if args.out:
        _write(said, args.out)
    elif args.json:
        _show_json(said, sys.stdout)
    else:
        _show(said, sys.stdout)
    return 0


def _say(
    args: argparse.Namespace, program: Program, options: dict[str, str], target_bytes: int = 1 << 62, **host: Any
) -> Said:
    raw = args.file.read_bytes()
    _check_options(program, options)
    port = TerminalPort(args.file.name, raw, program.describe(), level="info", **host)
    with redirect_stdout(sys.stderr):
        return run(program, raw, options=options, target_bytes=target_bytes, port=port)


def _check_options(program: Program, options: dict[str, str]) -> None:
    known = program.definition.options
    for name, text in options.items():
        if name not in known:
            raise Fault("usage", f"there is no option `{name}`; there are: {', '.join(known) or 'none'}")
        try:
            known[name].read(text)
        except ValueError as why:
            raise Fault("usage", f"option `{name}` cannot be `{text}`: {why}") from why


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Fault("usage", f"`{text}` is not NAME=VALUE")
    return name, value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (dict, list)):
        return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else [_plain(it) for it in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _row(row: Row) -> dict[str, Any]:
    place = {} if row.span is None else {"_cf_offset": row.span.offset, "_cf_length": row.span.length}
    faults = {"_cf_faults": row.faults} if row.faults else {}
    return {**place, **{name: _plain(cell) for name, cell in row.cells.items()}, **faults}


def _rejects(said: Said) -> list[dict[str, Any]]:
    return [
        {"offset": it.span.offset, "length": it.span.length, "code": it.code, "message": it.message}
        for it in said.rejects
    ]


def _skips(said: Said) -> list[dict[str, Any]]:
    return [
        {"offset": span.offset, "length": span.length, "kind": kind, "note": note} for span, kind, note in said.skips
    ]


def _summary(said: Said) -> dict[str, Any]:
    return {
        "input_bytes": said.input_bytes,
        "rows": {name: len(rows) for name, rows in said.tables.items()},
        "rejected": len(said.rejects),
        "skipped_bytes": sum(span.length for span, _, _ in said.skips),
        "unclaimed_bytes": sum(span.length for span in said.dark()),
    }


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _show_json(said: Said, to: TextIO) -> None:
    for name, rows in said.tables.items():
        to.writelines(_line({"table": name, "row": _row(row)}) for row in rows)
    to.writelines(_line({"reject": it}) for it in _rejects(said))
    to.writelines(_line({"skip": it}) for it in _skips(said))
    to.write(_line({"summary": _summary(said)}))


def _show(said: Said, to: TextIO) -> None:
    for name, rows in said.tables.items():
        to.write(f"{name}\n")
        for row in rows:
            cells = "  ".join(f"{column}={cell!r}" for column, cell in row.cells.items() if cell is not None)
            to.write(f"  {row.span or ''}  {cells}{'  faults=' + ','.join(row.faults) if row.faults else ''}\n")
    for it in said.rejects:
        to.write(f"rejected {it.span}: {it.code}: {it.message}\n")
    for span, kind, note in said.skips:
        to.write(f"skipped {span}: {kind}{': ' + note if note else ''}\n")
    summary = _summary(said)
    rows_told = ", ".join(f"{count} rows in {name}" for name, count in summary["rows"].items()) or "no rows"
    to.write(f"{rows_told}; {summary['rejected']} rejected; {summary['unclaimed_bytes']} bytes unclaimed\n")


def _write(said: Said, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in said.tables.items():
        (folder / f"{name}.jsonl").write_text("".join(_line(_row(row)) for row in rows), encoding="utf-8")
    (folder / "rejects.jsonl").write_text("".join(map(_line, _rejects(said))), encoding="utf-8")
    (folder / "skips.jsonl").write_text("".join(map(_line, _skips(said))), encoding="utf-8")
    print(json.dumps(_summary(said)), file=sys.stderr)


def _describe(args: argparse.Namespace, program: Program) -> int:
    description = program.describe()
    print(json.dumps(_described(program, description), indent=None if args.json else 2, ensure_ascii=False))
    return 0


def _described(program: Program, description: Description) -> dict[str, Any]:
    outputs = {
        table.name: {field.name: str(field.kind) for field in table.fields} for table in program.definition.outputs
    }
    return {
        "name": description.name,
        "version": description.version,
        "doc": description.doc,
        "tables": outputs,
        "faults": {fault.code: fault.doc for fault in description.faults},
        "options": {it.name: {"kind": it.kind, "default": it.default, "doc": it.doc} for it in description.options},
        "patterns": description.patterns,
    }


if __name__ == "__main__":
    sys.exit(main())
