"""Checks receipts of runs and the files beside them, from the written specification alone.

Shares no code with the host: docs/spec/receipt.md, digest.md, record-model.md and quarantine-file.md are all it knows.

    verify.py RECEIPT... [--input FILE]     checks each receipt; with one receipt also against the bytes of its input
    verify.py --vectors FILE                checks the vectors of the logical digest

Prints a line for each; what is wrong stands behind `refused:`. Exits with 0 if nothing is wrong, else with 1.
"""

import base64
import decimal
import gzip
import hashlib
import io
import json
import struct
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

RAW_BYTES_MAX = 65_536
PLACES_TRIED_MAX = 1 << 20


def main(words):
    if words[:1] == ["--vectors"]:
        return vectors(words[1])
    source = words[words.index("--input") + 1] if "--input" in words else None
    receipts = [word for word in words if word not in ("--input", source)]
    refused = 0
    for name in receipts:
        wrong = verify(Path(name), source)
        print(f"{name}: " + ("refused: " + "; ".join(wrong) if wrong else "ok"))
        refused += bool(wrong)
    return 1 if refused or not receipts else 0


# ---- hashes --------------------------------------------------------------------------------------------------------


def sha(data):
    return hashlib.sha256(data).digest()


def hashed(domain, *fields):
    """H of the specification: a domain and fields, each behind its length. A number is a field of eight bytes."""
    h = hashlib.sha256()
    for field in (domain, *fields):
        if isinstance(field, int):
            field = struct.pack("<Q", field)
        elif isinstance(field, str):
            field = field.encode()
        h.update(struct.pack("<Q", len(field)) + field)
    return h.digest()


def canonical(value):
    """RFC 8785, for values without fractions: a claim has none."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        if abs(value) > 2**53 - 1:
            raise ValueError(f"{value} is no number that every reader has exactly")
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(canonical(name) + ":" + canonical(value[name]) for name in names) + "}"
    raise ValueError(f"{value!r} has no place in a claim")


# ---- the logical digest of a table ---------------------------------------------------------------------------------


def word(t):
    """The word for a type."""
    simple = {pa.bool_(): "bool", pa.float32(): "float32", pa.float64(): "float64", pa.date32(): "date32",
              pa.date64(): "date64"}
    if t in simple:
        return simple[t]
    if pa.types.is_integer(t):
        return str(t)
    if pa.types.is_string(t) or pa.types.is_large_string(t):
        return "utf8"
    if pa.types.is_fixed_size_binary(t):
        return f"fixed({t.byte_width})"
    if pa.types.is_binary(t) or pa.types.is_large_binary(t):
        return "binary"
    if pa.types.is_decimal(t):
        return f"decimal{t.bit_width}({t.precision},{t.scale})"
    if pa.types.is_time(t):
        return f"time{t.bit_width}({t.unit})"
    if pa.types.is_timestamp(t):
        return f"timestamp({t.unit}" + (f",{t.tz})" if t.tz else ")")
    if pa.types.is_duration(t):
        return f"duration({t.unit})"
    if pa.types.is_list(t) or pa.types.is_large_list(t):
        return "list"
    if pa.types.is_struct(t):
        return "struct"
    raise ValueError(f"no digest is defined for {t}")


def fixed_bytes(array, width):
    return bytes(array.buffers()[1])[array.offset * width:(array.offset + len(array)) * width] if len(array) else b""


def bits(array):
    """One bit for each row, set where there is a value, from the lowest bit of a byte up."""
    flags = fixed_bytes(array.is_valid().cast(pa.uint8()), 1)
    text = flags.translate(bytes([48, 49]) + bytes(254))[::-1]
    return int(text or b"0", 2).to_bytes((len(flags) + 7) // 8, "little")


def lengths(array):
    """A length below 255 is one byte, any other ff and then eight bytes."""
    return b"".join(bytes([n]) if n < 255 else b"\xff" + struct.pack("<Q", n) for n in array.to_pylist())


def steps(array):
    """Each number less the one before it, in LEB128."""
    out, last = bytearray(), 0
    for number in array.to_pylist():
        step, last = (number - last) % 2**64, number
        while step > 0x7f:
            out.append(step & 0x7f | 0x80)
            step >>= 7
        out.append(step)
    return bytes(out)


def column_digest(name, t, nullable, array, stepped=False):
    head = (name, word(t), int(nullable), len(array), sha(bits(array)))
    live = array.drop_null()
    if word(t) in ("utf8", "binary"):
        live = live.cast(pa.large_binary())
        values = b""
        if len(live):
            offsets = struct.unpack_from(f"<{len(live) + 1}q", live.buffers()[1], 8 * live.offset)
            values = bytes(live.buffers()[2] or b"")[offsets[0]:offsets[-1]]
        parts = (sha(lengths(pc.binary_length(live))), sha(values))
    elif word(t) == "list":
        items = column_digest("item", t.value_type, True, live.flatten())
        parts = (sha(lengths(pc.list_value_length(live))), items)
    elif word(t) == "struct":
        fields = zip(t, live.flatten())
        parts = (t.num_fields, *(column_digest(f.name, f.type, True, values) for f, values in fields))
    elif stepped:
        parts = (sha(steps(live)),)
    else:
        if pa.types.is_floating(t) and len(live):
            live = pc.if_else(pc.is_nan(live), pa.scalar(float("nan"), t), live)
        if pa.types.is_boolean(t):
            live = live.cast(pa.uint8())
        parts = (sha(fixed_bytes(live, live.type.bit_width // 8)),)
    return hashed("casparian:column-digest:1", *head, *parts)


def table_digest(name, schema, columns, rows):
    stepped = [f.name in ("_cf_record_no", "_cf_offset") and f.type == pa.uint64() for f in schema]
    digests = [column_digest(f.name, f.type, f.nullable, *more) for f, *more in zip(schema, columns, stepped)]
    return hashed("casparian:table-digest:1", name, rows, len(digests), *digests)


def read_parquet(path):
    """Reads a file with the types that its Arrow schema names: Parquet has no word for some of them."""
    file = pq.ParquetFile(path)
    schema, table = file.schema_arrow, file.read()
    stored = (file.metadata.metadata or {}).get(b"ARROW:schema")
    if stored:
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored)))
    columns = []
    for field, column in zip(schema, table.columns):
        array = column.combine_chunks()
        array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
        if word(array.type) != word(field.type):
            array = array.cast(field.type) if pa.types.is_decimal(field.type) else array.view(field.type)
        columns.append(array)
    return schema, columns, table.num_rows


# ---- the quarantine ------------------------------------------------------------------------------------------------


def optional(value, write):
    return b"\0" if value is None else b"\1" + write(value)


def number(value):
    return struct.pack("<Q", value)


def text(value):
    return number(len(value.encode())) + value.encode()


def violation(v):
    return b"".join((text(v["code"]), text(v["severity"]), optional(v["column"], text), text(v["rule"]),
                     optional(v["expected"], text), optional(v["observed"], text)))


class Quarantine:
    """A quarantine file against the claim: names of rows, counts, digest."""

    def __init__(self, rows, claim, say):
        self.rows, self.claim, self.say = rows, claim, say
        self.input = bytes.fromhex(read_of(claim)["sha256"])
        self.places, self.streams, self.by_code, self.tries = {}, {}, {}, PLACES_TRIED_MAX

    def check(self):
        for at, row in enumerate(self.rows):
            self.add(at, row)
        tables = [(name, count, stream.digest()) for name, (count, stream) in sorted(self.streams.items())]
        digest = hashed("casparian:quarantine-digest:1", len(tables), *(part for table in tables for part in table))
        claimed = self.claim["quarantine"]
        self.say(claimed["rows"] == len(self.rows), f"{len(self.rows)} rows in quarantine, claimed {claimed['rows']}")
        self.say(claimed["by_code"] == self.by_code, f"rows by code {self.by_code}, claimed {claimed['by_code']}")
        self.say(claimed["digest"] == digest.hex(), "the quarantine's digest differs")

    def add(self, at, row):
        table = row["table"] or ""
        ordinal = self.ordinal(at, row, table)
        self.check_names(at, row)
        for code in {v["code"] for v in row["violations"]}:
            self.by_code[code] = self.by_code.get(code, 0) + 1
        count, stream = self.streams.get(table, (0, hashlib.sha256()))
        stream.update(optional(row["record_no"], number) + optional(row["byte_offset"], number)
                      + optional(row["byte_length"], number) + number(ordinal) + number(row["n_violations"])
                      + number(len(row["violations"])) + b"".join(map(violation, row["violations"])))
        self.streams[table] = (count + 1, stream)

    def ordinal(self, at, row, table):
        """Finds the row's place in its record, which stands in its name alone. Those left out were accepted."""
        last, place = self.places.get(table, (None, 0))
        place = place if last == (row["byte_offset"],) else 0
        offset = b"" if row["byte_offset"] is None else number(row["byte_offset"])
        start = place
        while hashed("casparian:row-id:1", self.input, 0, table, offset, place).hex() != row["row_id"]:
            place, self.tries = place + 1, self.tries - 1
            if self.tries < 0 or not table:
                self.say(False, f"row {at} of the quarantine is not called as rows of this input are")
                place = start
                break
        self.places[table] = ((row["byte_offset"],), place + 1)
        return place

    def check_names(self, at, row):
        contract = self.claim["contract"]
        digests = (contract["sha256"] if contract else "", self.claim["component"]["sha256"],
                   self.claim["options"]["sha256"])
        q_id = hashed("casparian:quarantine-id:1", bytes.fromhex(row["row_id"]), *map(bytes.fromhex, digests))
        self.say(q_id.hex() == row["q_id"], f"row {at} of the quarantine has another q_id")
        same = row["input_sha256"] == read_of(self.claim)["sha256"] and row["parser_hash"] == digests[1] \
            and (row["contract_hash"] or "") == digests[0]
        self.say(same, f"row {at} of the quarantine names another input, parser or contract")


# ---- the receipt ---------------------------------------------------------------------------------------------------


def verify(path, source=None):
    wrong = []

    def say(holds, what):
        if not holds and what not in wrong:
            wrong.append(what)

    try:
        receipt = json.loads(path.read_text(), object_pairs_hook=once)
        claim = receipt["claim"]
        say(receipt["format_version"] == 1, f"format version {receipt['format_version']}")
        say(sha(canonical(claim).encode()).hex() == receipt["claim_sha256"], "the claim is not what its SHA-256 says")
        check_claim(claim, say)
        tables, held = check_files(path.parent, receipt, say)
        check_accounting(claim, tables, held, say)
        if source:
            check_input(Path(source).read_bytes(), claim, held, say)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        wrong.append(f"{type(error).__name__}: {error}")
    return wrong


def once(pairs):
    """An object without a key that stands twice: of two values readers take the one or the other."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a key stands twice among {[name for name, _ in pairs]}")
    return found


def read_of(claim):
    """What the parser read: the input as it stands on disk, or what it holds if it was packed."""
    return claim["input"].get("unpacked", claim["input"])


def check_claim(claim, say):
    classes, size = claim["bytes"], read_of(claim)["bytes"]
    total = sum(classes[name] for name in ("accepted", "quarantined", "skipped", "dark"))
    say(total == size, f"the byte classes add up to {total}, and the input has {size} bytes")
    values = claim["options"]["values"].items()
    pairs = sorted((name.encode(), value.encode()) for name, value in values)
    options = hashed("casparian:options:1", *(part for pair in pairs for part in pair)).hex()
    say(options == claim["options"]["sha256"], "the options are not what their SHA-256 says")
    held, rows = claim["held"], claim["quarantine"]["rows"]
    verdict = "held" if held else "completed_with_quarantine" if rows else "completed"
    say(claim["verdict"] == verdict, f"the verdict is {claim['verdict']}, and what is counted says {verdict}")
    say(not (claim["asked"]["strict"] and rows) or held, "strict allows no row in quarantine")


def check_files(folder, receipt, say):
    """Checks the files' bytes and rows. Returns the spans of each table's rows, and the rows of the quarantine."""
    claim, tables, held = receipt["claim"], {}, []
    files = receipt["circumstances"]["files"]
    for file in files:
        name = file["name"]
        if "/" in name.removeprefix("../") or name in ("", ".", ".."):
            raise ValueError(f"{name} is not beside the receipt")
        data = (folder / name).read_bytes()
        say(len(data) == file["bytes"] and sha(data).hex() == file["sha256"], f"{name} is another file")
        if not name.endswith(".parquet"):
            continue
        schema, columns, rows = read_parquet(folder / name)
        table = file["table"]
        if table is None:
            held = pa.table(columns, names=schema.names).to_pylist()
            continue
        claimed = claim["tables"].get(table, {"accepted": None, "digest": None})
        say(rows == claimed["accepted"], f"{name} has {rows} rows, claimed {claimed['accepted']}")
        digest = table_digest(table, schema, columns, rows).hex()
        say(digest == claimed["digest"], f"the digest of table {table} differs")
        tables[table] = spans(schema, columns)
    Quarantine(held, claim, say).check()
    named = [file["table"] for file in files if file["table"]]
    wanted = [] if claim["verdict"] == "held" else sorted(claim["tables"])
    say(sorted(named) == wanted, f"files for {sorted(named)}, and the tables are {wanted}")
    return tables, held


def spans(schema, columns):
    names = ["_cf_record_no", "_cf_offset", "_cf_length"]
    if not set(names) <= set(schema.names):
        return []
    return list(zip(*(columns[schema.get_field_index(name)].to_pylist() for name in names)))


def check_accounting(claim, tables, held, say):
    """Records are disjoint, numbered in the order of the input, and make up the classes."""
    rows = [(r["record_no"], r["byte_offset"], r["byte_length"]) for r in held if r["byte_offset"] is not None]
    bad = set(rows)
    good = {span for rows in tables.values() for span in rows} - bad
    for name, table in tables.items():
        say(all(a[1] <= b[1] for a, b in zip(table, table[1:])), f"rows of {name} are not in the order of the input")
    records = sorted(bad | good, key=lambda span: span[1])
    for (n1, o1, l1), (n2, o2, _) in zip(records, records[1:]):
        say(o1 + l1 <= o2, f"the records at {o1} and {o2} overlap")
        say(n1 < n2, f"the records at {o1} and {o2} are numbered {n1} and {n2}")
    for no, offset, length in records:
        say(length > 0 and offset + length <= read_of(claim)["bytes"], f"the record at {offset} is outside")
        say(no < claim["records"], f"record {no} of {claim['records']}")
    quarantined, accepted = (sum(span[2] for span in kind) for kind in (bad, good))
    classes = claim["bytes"]
    say(quarantined == classes["quarantined"], f"{quarantined} bytes in quarantine, claimed {classes['quarantined']}")
    # Records of tables that nobody wanted are accepted and in no file.
    say(accepted <= classes["accepted"], f"{accepted} accepted bytes, claimed {classes['accepted']}")
    say(len(records) <= claim["records"], f"{len(records)} records, claimed {claim['records']}")


def check_input(data, claim, held, say):
    say(sha(data).hex() == claim["input"]["sha256"], "the input is another one")
    say(len(data) == claim["input"]["bytes"], "the input has another size")
    if "unpacked" in claim["input"]:
        data = unpack(data, claim["input"]["unpacked"])
        say(sha(data).hex() == read_of(claim)["sha256"], "what the input holds is something else")
        say(len(data) == read_of(claim)["bytes"], "what the input holds has another size")
    above = None
    for row in held:
        at, length = row["byte_offset"], row["byte_length"]
        if at is None:
            above = None
            continue
        # The first row of a record has its bytes.
        raw = None if at == above else data[at:at + length][:RAW_BYTES_MAX]
        say(row["raw"] == raw, f"the raw bytes at {at} are not the input's")
        lines = (data.count(b"\n", 0, at) + 1, data.count(b"\n", 0, at + length - 1) + 1)
        say(lines == (row["line_first"], row["line_last"]), f"the lines of the record at {at} are others")
        above = at


def unpack(data, unpacked):
    if unpacked["packing"] == "gzip":
        return gzip.decompress(data)
    if unpacked["packing"] == "zstd":
        return pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    if unpacked["packing"] == "zip":
        return zipfile.ZipFile(io.BytesIO(data)).read(unpacked["member"])
    raise ValueError(f"nothing is packed by {unpacked['packing']}")


# ---- vectors -------------------------------------------------------------------------------------------------------


def vectors(path):
    wrong, count = [], 0
    for line in Path(path).read_text().splitlines():
        vector = json.loads(line)
        schema = pa.schema([pa.field(c["name"], type_of(c), c["nullable"]) for c in vector["columns"]])
        columns = [array([row[at] for row in vector["rows"]], c) for at, c in enumerate(vector["columns"])]
        digest = table_digest(vector["table"], schema, columns, len(vector["rows"])).hex()
        wrong += [vector["what"]] if digest != vector["digest"] else []
        count += 1
    print(f"{path}: " + (f"refused: {wrong}" if wrong else f"ok, {count} vectors"))
    return 1 if wrong or not count else 0


def type_of(spec):
    if spec["type"] == "list":
        return pa.list_(type_of(spec["item"]))
    if spec["type"] == "struct":
        return pa.struct([pa.field(f["name"], type_of(f)) for f in spec["fields"]])
    name, _, rest = spec["type"].rstrip(")").partition("(")
    words = rest.split(",") if rest else []
    numbers = [int(w) for w in words if w.lstrip("-").isdigit()]
    makers = {"fixed": pa.binary, "utf8": pa.string, "bool": pa.bool_, "decimal128": pa.decimal128,
              "decimal256": pa.decimal256}
    return makers.get(name, getattr(pa, name, None))(*(numbers or words))


def array(values, spec):
    t = type_of(spec)
    if spec["type"] == "list":
        return pa.array([None if v is None else array(v, spec["item"]).to_pylist() for v in values], t)
    if spec["type"] == "struct":
        rows = [None if v is None else {f["name"]: array([x], f)[0].as_py() for f, x in zip(spec["fields"], v)}
                for v in values]
        return pa.array(rows, t)
    if spec["type"] in ("utf8", "bool"):
        return pa.array(values, t)
    if spec["type"] == "binary" or spec["type"].startswith("fixed"):
        return pa.array([None if v is None else bytes.fromhex(v) for v in values], t)
    if spec["type"].startswith("float"):
        code = ">d" if spec["type"] == "float64" else ">f"
        return pa.array([None if v is None else struct.unpack(code, bytes.fromhex(v))[0] for v in values], t)
    if spec["type"].startswith("decimal"):
        with decimal.localcontext() as context:
            context.prec = 80
            return pa.array([None if v is None else decimal.Decimal(v).scaleb(-t.scale) for v in values], t)
    whole = pa.array([None if v is None else int(v) for v in values],
                     pa.int32() if t.bit_width == 32 and not pa.types.is_integer(t) else
                     t if pa.types.is_integer(t) else pa.int64())
    return whole.view(t)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
