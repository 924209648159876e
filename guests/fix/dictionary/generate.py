"""Writes the dictionary of FIX that the guest reads: `generate.py <folder> <fix.dict>`.

The folder holds `orchestra/*.xml.gz` (FIX Orchestra repositories: 4.2, 4.4, the session layer) and `dictionaries/*.xml.gz`
(the XML dictionaries of an engine: the other versions). Taken from them are facts: numbers, names, types, values and
membership; no descriptions. The same files give the same bytes.

Layout, all numbers little endian. Eight bytes `FIXDICT1`, then the offset of each section (u32) in this order:

  versions  per version: first field, fields, first message, messages (u32 each), header, trailer (u16 each, bodies)
  fields    by tag: tag u16, kind u8, zero u8, name u16, values u16 (65535: any)
  messages  by type: type (4 bytes, zeros behind it), body u16, name u16
  bodies    members: first u32, count u16, required u16, first required u32, first group u32, groups u16, first tag u16
  tags      u16 per member of a body, ascending
  required  u16 per member that must be there: its place among the members
  groups    by tag, per member that counts a group: tag u16, body u16
  names     how many, and the end of each in the text after a zero (u32 each); then the text: numbers of words, below 128 in
            one byte, else in two, the first of which is 128 and more: number = (first - 128) * 256 + second
  words     the same for the words that names are made of, the most frequent first; their text is the word
  values    the same for sets of values; their text is values ascending, each behind its length (u8)
  counters  how many (u16), then ascending (u16): tags that count a group somewhere
"""

import gzip
import re
import struct
import sys
from collections import Counter
import xml.etree.ElementTree as xml
from pathlib import Path

# In the order of `Version` in src/dictionary.rs.
VERSIONS = [
    ("dictionaries/FIX40", "engine"),
    ("dictionaries/FIX41", "engine"),
    ("orchestra/OrchestraFIX42", "orchestra"),
    ("dictionaries/FIX43", "engine"),
    ("orchestra/OrchestraFIX44", "orchestra"),
    ("dictionaries/FIX50", "engine"),
    ("dictionaries/FIX50SP1", "engine"),
    ("dictionaries/FIX50SP2", "engine"),
    ("orchestra/FIXTSession", "orchestra"),
]

# In the order of `Kind` in src/dictionary.rs.
KINDS = [
    "text", "char", "boolean", "integer", "count", "decimal", "words", "chars", "utc-timestamp", "utc-time", "date",
    "month", "day", "zoned-timestamp", "zoned-time", "local-time", "data",
]
KIND_OF = {
    "STRING": "text", "CURRENCY": "text", "EXCHANGE": "text", "COUNTRY": "text", "LANGUAGE": "text", "XID": "text",
    "XIDREF": "text", "PATTERN": "text", "TENOR": "text", "RESERVED100PLUS": "integer", "RESERVED1000PLUS": "integer",
    "RESERVED4000PLUS": "integer", "CHAR": "char", "BOOLEAN": "boolean", "INT": "integer", "SEQNUM": "count",
    "LENGTH": "count", "NUMINGROUP": "count", "TAGNUM": "count", "FLOAT": "decimal", "QTY": "decimal",
    "PRICE": "decimal", "AMT": "decimal", "PRICEOFFSET": "decimal", "PERCENTAGE": "decimal",
    "MULTIPLEVALUESTRING": "words", "MULTIPLESTRINGVALUE": "words", "MULTIPLECHARVALUE": "chars",
    "UTCTIMESTAMP": "utc-timestamp", "TIME": "utc-timestamp", "UTCTIMEONLY": "utc-time", "UTCDATE": "date",
    "UTCDATEONLY": "date", "LOCALMKTDATE": "date", "DATE": "date", "MONTHYEAR": "month", "DAYOFMONTH": "day",
    "TZTIMESTAMP": "zoned-timestamp", "TZTIMEONLY": "zoned-time", "LOCALMKTTIME": "local-time", "DATA": "data",
    "XMLDATA": "data",
}
# Before 4.2 a `char` is a text of any length.
OLD_KIND_OF = KIND_OF | {"CHAR": "text"}
VALUED = {"text", "char", "integer", "count", "words", "chars"}


class Version:
    """What one version says: fields by tag, messages by type, and the bodies of header and trailer."""

    def __init__(self):
        self.fields = {}  # tag: (name, kind, values or None)
        self.messages = {}  # type: (name, body)
        self.header = self.trailer = ()


# A body is a tuple of members in order: (tag, whether required, body of the group that it counts or None).


def read_engine(root):
    version = Version()
    is_old = (root.get("type"), root.get("major"), int(root.get("minor"))) < ("FIX", "4", 2)
    kind_of = OLD_KIND_OF if is_old else KIND_OF
    tags = {}
    for field in root.find("fields"):
        tag, kind = int(field.get("number")), kind_of[field.get("type")]
        values = [value.get("enum") for value in field.iter("value")]
        version.fields[tag] = (field.get("name"), kind, values if values and kind in VALUED else None)
        tags[field.get("name")] = tag
    components = {c.get("name"): c for c in root.findall("components/component")}

    def body(element, required=True):
        members = []
        for child in element:
            is_required = required and child.get("required") == "Y"
            if child.tag == "component":
                members += body(components[child.get("name")], is_required)
            else:
                group = body(child) if child.tag == "group" else None
                members.append((tags[child.get("name")], is_required, group))
        return tuple(members)

    version.header, version.trailer = body(root.find("header")), body(root.find("trailer"))
    for message in root.find("messages"):
        version.messages[message.get("msgtype")] = (message.get("name"), body(message))
    return version


def read_orchestra(root):
    ns = "{http://fixprotocol.io/2020/orchestra/repository}"
    version = Version()
    sets = {
        s.get("name"): (s.get("type"), [c.get("value") for c in s.findall(ns + "code")])
        for s in root.find(ns + "codeSets")
    }
    for field in root.find(ns + "fields"):
        kind, values = sets.get(field.get("type"), (field.get("type"), None))
        kind = KIND_OF[sets.get(kind, (kind,))[0].upper()]
        version.fields[int(field.get("id"))] = (field.get("name"), kind, values if kind in VALUED else None)
    by_id = lambda room: {e.get("id"): e for e in root.find(ns + room)}
    components, groups = by_id("components"), by_id("groups")
    edges = {e.get("id") for e in components.values() if e.get("name") in ("StandardHeader", "StandardTrailer")}

    def body(element, required=True):
        members = []
        for child in element:
            is_required, ref = required and child.get("presence") == "required", child.get("id")
            if child.tag == ns + "fieldRef":
                members.append((int(ref), is_required, None))
            elif child.tag == ns + "componentRef" and ref not in edges:
                members += body(components[ref], is_required)
            elif child.tag == ns + "groupRef":
                counter = int(groups[ref].find(ns + "numInGroup").get("id"))
                members.append((counter, is_required, body(groups[ref])))
        return tuple(members)

    for component in components.values():
        if component.get("name") == "StandardHeader":
            version.header = body(component)
        elif component.get("name") == "StandardTrailer":
            version.trailer = body(component)
    for message in root.find(ns + "messages"):
        version.messages[message.get("msgType")] = (message.get("name"), body(message.find(ns + "structure")))
    return version


class Pool:
    """Things numbered in the order in which they are first met."""

    def __init__(self):
        self.items = {}

    def number(self, item):
        return self.items.setdefault(item, len(self.items))

    def __iter__(self):
        return iter(self.items)


class Bodies:
    """Every body once, with its arrays."""

    def __init__(self):
        self.numbers = {}
        self.records, self.tags, self.required, self.groups = [], [], [], []
        self.depth = 0

    def number(self, body, depth=0):
        self.depth = max(self.depth, depth)
        if body not in self.numbers:
            groups = {tag: self.number(group, depth + 1) for tag, _, group in body if group is not None}
            tags = sorted({tag for tag, _, _ in body})
            required = [tags.index(tag) for tag in sorted({tag for tag, is_required, _ in body if is_required})]
            self.records.append(struct.pack(
                "<IHHIIHH", len(self.tags), len(tags), len(required), len(self.required), len(self.groups), len(groups),
                body[0][0] if body else 0,
            ))
            self.tags += tags
            self.required += required
            self.groups += sorted(groups.items())
            self.numbers[body] = len(self.records) - 1
        else:
            for _, _, group in body:
                if group is not None:
                    self.number(group, depth + 1)
        return self.numbers[body]


def texts(items):
    ends, text = [0], b""
    for item in items:
        text += item
        ends.append(len(text))
    return struct.pack(f"<{1 + len(ends)}I", len(ends) - 1, *ends) + text


def words_of(name):
    """Cuts a name at its capitals: NoMDEntries is No, MD, Entries."""
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^A-Za-z\d]", name)


def spell(names):
    """Writes names by the numbers of their words; returns them and the words."""
    counts = Counter(word for name in names for word in words_of(name))
    words = sorted(counts, key=lambda word: (-counts[word], word))
    number = {word: at for at, word in enumerate(words)}

    def code(at):
        return bytes([at]) if at < 128 else bytes([128 + at // 256, at % 256])

    assert all("".join(words_of(name)) == name for name in names) and len(words) < 128 * 256
    return [b"".join(code(number[word]) for word in words_of(name)) for name in names], words


def pack(versions):
    names, values, bodies = Pool(), Pool(), Bodies()
    heads, fields, messages, counters = [], [], [], set()
    for version in versions:
        heads.append((
            len(fields), len(version.fields), len(messages), len(version.messages),
            bodies.number(version.header), bodies.number(version.trailer),
        ))
        for tag, (name, kind, allowed) in sorted(version.fields.items()):
            of = 65535 if allowed is None else values.number(tuple(sorted({value.encode() for value in allowed})))
            fields.append(struct.pack("<HBBHH", tag, KINDS.index(kind), 0, names.number(name), of))
        for kind, (name, body) in sorted(version.messages.items(), key=lambda item: item[0].encode()):
            messages.append(struct.pack("<4sHH", kind.encode(), bodies.number(body), names.number(name)))
    counters = sorted({tag for tag, _ in bodies.groups})
    spelled, words = spell(list(names))
    sections = [
        b"".join(struct.pack("<IIIIHH", *head) for head in heads),
        b"".join(fields),
        b"".join(messages),
        b"".join(bodies.records),
        struct.pack(f"<{len(bodies.tags)}H", *bodies.tags),
        struct.pack(f"<{len(bodies.required)}H", *bodies.required),
        b"".join(struct.pack("<HH", *group) for group in bodies.groups),
        texts(spelled),
        texts(word.encode() for word in words),
        texts(b"".join(bytes([len(value)]) + value for value in allowed) for allowed in values),
        struct.pack(f"<{1 + len(counters)}H", len(counters), *counters),
    ]
    offsets, at = [], 8 + 4 * len(sections)
    for section in sections:
        offsets.append(at)
        at += len(section)
    sizes = ", ".join(str(len(section)) for section in sections)
    print(f"{at} bytes; sections {sizes}; {len(bodies.records)} bodies, {bodies.depth} deep", file=sys.stderr)
    return b"FIXDICT1" + struct.pack(f"<{len(offsets)}I", *offsets) + b"".join(sections)


def main(folder, out):
    readers = {"engine": read_engine, "orchestra": read_orchestra}
    versions = []
    for name, reader in VERSIONS:
        with gzip.open(Path(folder) / f"{name}.xml.gz") as file:
            versions.append(readers[reader](xml.parse(file).getroot()))
    Path(out).write_bytes(pack(versions))


if __name__ == "__main__":
    main(*sys.argv[1:])
