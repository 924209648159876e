"""A contract to begin with: the columns of a parser's tables as they were declared, in the file format of contracts.

A draft says the types, which the host would take the columns for without a contract too; what a row must be beyond that is for
people to add.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from casparian.kinds import Field, Kind
from casparian.table import Table

_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def contract(name: str, version: str, tables: Iterable[Table]) -> str:
    """Returns a contract for these tables, as YAML. Raises `ValueError` where there is no table."""
    drafted = [line for table in tables for line in _table(table)]
    if not drafted:
        raise ValueError("there is no table to write a contract for")
    head = [
        "apiVersion: v3.1.0",
        "kind: DataContract",
        f"id: {json.dumps(name)}",
        f"version: {json.dumps(version)}",
        "status: draft",
        "schema:",
    ]
    return "\n".join([*head, *drafted]) + "\n"


def _table(table: Table) -> Iterator[str]:
    yield f"  - name: {table.name}"
    yield "    logicalType: object"
    if table.doc:
        yield f"    description: {_text(table.doc)}"
    yield "    properties:"
    left_out = []
    for field in table.fields:
        if _has_type(field.kind):
            yield from _property(field, "      ")
        else:
            left_out.append(field)
    for field in left_out:
        yield f"      # {json.dumps(field.name)}: a contract has no word for {field.kind}; it is written as it is sent"
    if left_out:
        yield "    customProperties:"
        yield "      - {property: extraColumns, value: evolve}"


def _property(field: Field, indent: str) -> Iterator[str]:
    yield f"{indent}- name: {_text(field.name)}"
    for line in _type(field.kind):
        yield f"{indent}  {line}"
    if field.doc:
        yield f"{indent}  description: {_text(field.doc)}"


def _type(kind: Kind) -> Iterator[str]:
    name, more = _words(kind)
    yield f"logicalType: {name}"
    yield from more
    if kind.name in ("list", "large_list"):
        yield "items:"
        yield from (f"  {line}" for line in _type(kind.item))
    if kind.name == "struct":
        yield "properties:"
        for field in kind.fields:
            yield from _property(field, "  ")


def _words(kind: Kind) -> tuple[str, list[str]]:
    """Returns the logical type, and the lines that say it more exactly."""
    match kind.name:
        case "bool":
            return "boolean", []
        case "int" | "uint":
            return "integer", [f"logicalTypeOptions: {{format: {kind.name[0]}{kind.width}}}"]
        case "float":
            return "number", [f"logicalTypeOptions: {{format: f{kind.width}}}"]
        case "decimal":
            return "number", [f"physicalType: DECIMAL({kind.precision},{kind.scale})"]
        case "binary" | "large_binary" | "fixed":
            return "string", ["physicalType: BINARY"]
        case "time":
            return "time", [f"physicalType: TIME({_DIGITS[kind.unit]})"]
        case "timestamp":
            zone = ["logicalTypeOptions: {timezone: true}"] if kind.zone else []
            return "timestamp", [f"physicalType: TIMESTAMP({_DIGITS[kind.unit]})", *zone]
        case "list" | "large_list":
            return "array", []
        case "struct":
            return "object", []
    return ("date" if kind.name == "date" else "string"), []


def _has_type(kind: Kind) -> bool:
    if kind.name == "duration" or (kind.name == "decimal" and kind.precision > 38):
        return False
    return all(_has_type(field.kind) for field in kind.fields)


def _text(text: str) -> str:
    # JSON is YAML; characters that YAML does not call printable are escaped.
    return json.dumps(text, ensure_ascii=not text.isprintable())
