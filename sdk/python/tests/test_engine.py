"""Parsers of both levels, from their source to what they say."""

import sys

import pytest

from casparian.engine import Program, compiled
from casparian.native import run, run_steadily
from casparian.shapes import Fault, FaultInfo, OptionInfo, Span

FILLS = """
    from casparian import parser

    @parser(name="fills", version="1.2.0", patterns=["*.log"], faults={"bad_line": "Not three fields."})
    def parse(source, out):
        trades = out.table("trades", symbol=str, px="decimal(18,4)", qty=int)
        for line in source.lines():
            fields = line.split(",")
            if len(fields) != 3:
                out.reject(line, "bad_line", f"{len(fields)} fields")
                continue
            trades.append(line, symbol=fields[0], px=fields[1], qty=fields[2])
"""


def test_a_function_is_a_parser(load):
    said = run_steadily(load(FILLS), b"ACME,12.5,100\nx\nBETA,1,many\n")
    assert said.column("trades", "symbol") == ["ACME", "BETA"]
    assert said.column("trades", "qty") == ["100", "many"]
    assert [row.span for row in said.rows("trades")] == [(0, 14), (16, 12)]
    assert [(it.span, it.code, it.message) for it in said.rejects] == [((14, 2), "bad_line", "1 fields")]
    assert said.dark() == []


def test_it_says_what_it_is(load):
    description = load(FILLS).describe()
    assert (description.name, description.version, description.patterns) == ("fills", "1.2.0", ["*.log"])
    assert description.tables == [] and description.faults[0] == FaultInfo("bad_line", "Not three fields.")


def test_without_a_decorator_the_module_names_it(load):
    program = load("def parse(source, out): 'Reads nothing.'", entry="nothing.py")
    assert (program.describe().name, program.describe().doc) == ("nothing", "Reads nothing.")
    assert program.describe().tables == []


CLASS = """
    from casparian import Layout, Option, Table, by_lines

    class Parser:
        "Lines with a sign."
        name = "signs"
        version = "2"
        outputs = [Table("rows", {"Order ID": str}, n=int, raw=bytes, typed=["n"], doc="One per line.", docs={"n": "A number."})]
        options = {"sign": Option("+", "What begins a line."), "depth": Option(3), "strict": Option(False), "mode": Option(choices=["a"])}
        faults = {"odd": "The number is odd."}
        plan = staticmethod(by_lines)

        def sniff(self, source):
            return 90 if source.read(0, 1) == b"+" else 0

        def parse(self, source, out):
            rows = out.table("rows")
            for line in source.lines():
                n = len(line)
                rows.append(line, **{"Order ID": source.options["sign"]}, n=n, faults=["odd"] if n % 2 else None)

        def resync(self, source, after):
            at = source.find(b"\\n", after)
            return None if at is None else at + 1
"""


def test_a_class_is_a_parser_with_tables_options_and_a_plan(load):
    program = load(CLASS)
    described = program.describe()
    assert described.options == [
        OptionInfo("sign", "text", [], "+", "What begins a line."),
        OptionInfo("depth", "integer", [], "3"),
        OptionInfo("strict", "flag", [], "false"),
        OptionInfo("mode", "choice", ["a"]),
    ]
    assert [table.name for table in described.tables] == ["rows"]
    raw = b"+1\n+22\n+333\n" * 10
    whole = run_steadily(program, raw, options={"sign": "-"})
    assert whole.rows("rows")[1].cells == {"Order ID": "-", "n": 3, "raw": None}
    assert [row.faults for row in whole.rows("rows")[:3]] == [[], ["odd"], []]
    cut = run_steadily(program, raw, options={"sign": "-"}, target_bytes=10)
    assert cut.tables == whole.tables and len(cut.commits) > 5


def test_a_parser_sniffs_and_finds_the_next_record(load):
    from casparian.native import Memory

    program = load(CLASS)
    assert [program.sniff(Memory("t", raw)) for raw in (b"+1", b"-1", b"")] == [90, 0, 0]
    assert [program.resync(Memory("t", b"a\nb\n"), b"", after) for after in (0, 1, 2, 4)] == [2, 2, 4, None]
    silent = load("def parse(source, out): pass")
    assert (silent.sniff(Memory("t", b"+")), silent.resync(Memory("t", b"+"), b"", 0)) == (0, None)


def test_a_parser_that_is_cut_at_lines_says_where_they_end(load):
    from casparian.native import Memory

    program = load("from casparian import by_lines, parser\n@parser(plan=by_lines)\ndef parse(source, out): pass")
    raw = b"a\n" + b"b" * 20_000 + b"\nc"
    assert [program.resync(Memory("t", raw), b"", after) for after in (0, 2, 20_003, 20_004)] == [2, 20_003, 20_004, None]


def failed(program, raw=b"a\nb\n"):
    with pytest.raises(Fault) as caught:
        run(program, raw)
    return caught.value


def test_an_exception_becomes_a_fault_with_the_parsers_lines_and_the_span(load):
    files = {"helper.py": "def number(text):\n    return int(text)\n"}
    source = """
    import helper
    def parse(source, out):
        for line in source.lines():
            if line == "b":
                helper.number(line)
    """
    fault = failed(load(source, files=files))
    assert fault.code == "exception" and fault.at == Span(2, 2)
    assert fault.message.splitlines() == [
        "ValueError: invalid literal for int() with base 10: 'b'",
        "  parser.py:6 in parse: helper.number(line)",
        "  helper.py:2 in number: return int(text)",
    ]


@pytest.mark.parametrize(
    "source, told",
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("f = lambda: f()\n        f()", "RecursionError: maximum recursion depth exceeded"),
        ("raise MemoryError", "MemoryError"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("out.table('t', a=int).append(None, b=1)", "TypeError: append() got an unexpected keyword argument 'b'"),
        ("out.table('t', a=int).append(5, 1)\n        out._backlog.flush()", "TypeError: 5 is no record"),
        ("out.table('t', a='intt')", "ValueError: 'intt' names no type"),
        ("out.skip(next(source.lines()), 'odd')", "ValueError: `odd` is no reason to skip"),
        (
            "class Odd(Exception):\n            def __str__(self): 1 / 0\n        raise Odd",
            "Odd: (ZeroDivisionError while",
        ),
    ],
)
def test_whatever_a_parser_raises_is_a_fault(load, source, told):
    fault = failed(load(f"def parse(source, out):\n        {source}"))
    assert fault.message.startswith(told) and fault.code == "exception" and len(fault.message) <= 4096


def test_a_traceback_that_the_parser_prints_has_its_lines_too(load):
    source = """
    import traceback
    def parse(source, out):
        try:
            1 / 0
        except ZeroDivisionError:
            print(traceback.format_exc())
    """
    lines = [line for _, line, _ in run(load(source), b"x").log]
    assert lines[1:3] == ['  File "parser.py", line 5, in parse', "    1 / 0"]


def test_a_fault_that_the_author_raises_keeps_its_code(load):
    fault = failed(
        load("from casparian import Fault\ndef parse(source, out):\n    raise Fault('not-mine', 'no magic')")
    )
    assert (fault.code, fault.message) == ("not-mine", "no magic")


def test_causes_are_told(load):
    source = """
    def parse(source, out):
        try:
            {}["x"]
        except KeyError as why:
            raise ValueError("no x") from why
    """
    assert [it for it in failed(load(source)).message.splitlines() if not it.startswith(" ")] == [
        "ValueError: no x",
        "caused by KeyError: 'x'",
    ]


@pytest.mark.parametrize(
    "files, entry, code",
    [
        ({"a.py": b"def parse(:"}, "a.py", "exception"),
        ({"a.py": b"import nowhere"}, "a.py", "exception"),
        ({"a.py": b"x = 1"}, "a.py", "no-parser"),
        ({"a.py": b"x = 1"}, "b.py", "no-entry"),
        ({"json.py": b"def parse(source, out): pass"}, "json.py", "module-name"),
        ({"vendor/casparian/x.py": b"", "a.py": b""}, "a.py", "module-name"),
        ({"a.py": b"\xff = 1"}, "a.py", "exception"),
        (
            {"a.py": b"from casparian import parser\n@parser()\ndef a(s, o): 1\n@parser()\ndef b(s, o): 1"},
            "a.py",
            "many-parsers",
        ),
        ({"a.py": b"class Parser:\n    outputs = 5\n    parse = 1"}, "a.py", "exception"),
    ],
)
def test_files_that_are_no_parser_are_refused(files, entry, code):
    with pytest.raises(Fault) as caught:
        Program.load(files, entry)
    assert caught.value.code == code


def test_a_syntax_error_says_where():
    with pytest.raises(Fault, match=r"SyntaxError: .*\n  a\.py:2: def parse\(:") as caught:
        Program.load({"a.py": b"\ndef parse(:\n"}, "a.py")
    assert caught.value.at is None


def test_modules_packages_and_files_come_from_memory(load):
    files = {
        "pkg/__init__.py": "from . import inner\n",
        "pkg/inner.py": "from .deep.leaf import N\n",
        "pkg/deep/leaf.py": "N = 7\n",
        "vendor/brought.py": "M = 8\n",
        "codes.json": "{}",
    }
    source = """
    import pkg.inner, brought
    from casparian import asset
    def parse(source, out):
        rows = out.table("rows", n=int, raw=bytes)
        rows.append(source.range, pkg.inner.N + brought.M, asset("codes.json"))
    """
    assert run(load(source, files=files), b"x").rows("rows")[0].cells == {"n": "15", "raw": b"{}"}


def test_a_second_program_does_not_see_the_modules_of_the_first(load):
    files = {"helper.py": "N = 1\n"}
    load("import helper\ndef parse(source, out): pass", files=files)
    with pytest.raises(Fault, match="No module named 'helper'"):
        load("import helper\ndef parse(source, out): pass")


def test_a_folder_of_the_first_is_not_the_folder_of_the_second(load):
    source = "import pkg.m\ndef parse(source, out):\n    out.table('t', n=int).append(source.range, pkg.m.N)\n"
    first = load(source, files={"pkg/m.py": "N = 1\n"})
    assert run(first, b"x").column("t", "n") == ["1"]
    assert run(load(source, files={"pkg/m.py": "N = 2\n"}), b"x").column("t", "n") == ["2"]


def test_a_handler_made_while_loading_keeps_nothing(load):
    source = """
    import logging, sys
    logging.basicConfig(stream=sys.stderr)
    def parse(source, out):
        logging.error("said")
        sys.__dict__.get("x")
    """
    assert run(load(source), b"x").log == [("error", "said", None)]
    import logging

    logging.getLogger().handlers.clear()


def test_a_plan_that_returns_no_layout_is_told(load):
    source = "class Parser:\n    def plan(self, source, out, n): return [1]\n    def parse(self, source, out): pass\n"
    assert failed(load(source)).message.startswith("TypeError: plan returned [1], not a Layout")


def test_compiled_code_is_run_and_its_tracebacks_show_the_source():
    files = {"a.py": b"def parse(source, out):\n    raise ValueError('here')\n"}
    program = Program.load(files, "a.py", code=compiled(files))
    assert failed(program).message.splitlines()[1:] == ["  a.py:2 in parse: raise ValueError('here')"]
    program.close()


def test_what_is_printed_and_logged_goes_to_the_log(load):
    source = """
    import logging, sys
    def parse(source, out):
        for line in source.lines():
            print("read", line)
            logging.getLogger("x").error("bad %s", line)
            sys.stderr.write("half")
        print("x" * 3000, end="")
        logging.debug("fine")
    """
    log = run(load(source), b"a\nb").log
    assert log[:3] == [("info", "read a", (0, 2)), ("error", "bad a", (0, 2)), ("info", "read b", (2, 1))]
    assert ("debug", "fine", (2, 1)) in log and ("warn", "halfhalf", (2, 1)) in log
    assert [len(line) for level, line, _ in log if line.startswith("xx")] == [1024, 1024, 952]


def test_whatever_a_run_does_to_its_ears_the_next_one_hears(load):
    source = """
    import logging, sys
    def parse(source, out):
        assert not hasattr(sys.stdout, "mark")
        print("printed")
        logging.warning("logged")
        for handler in logging.getLogger().handlers:
            handler.setLevel("ERROR")
        sys.stdout.mark = 1
        sys.stdout.close()
    """
    parser = load(source)
    heard = [("info", "printed", None), ("warn", "logged", None)]
    assert [run(parser, b"x").log for _ in range(2)] == [heard, heard]


def test_a_run_within_a_run_takes_nothing_from_the_log_of_the_other(load):
    inner = load("def parse(source, out):\n    print('inner')\n")
    source = """
    from casparian.native import run
    def parse(source, out):
        print("half ", end="")
        said.append(run(inner, b"x").log)
        print("and half")
    """
    outer, said = load(source), []
    vars(sys.modules["parser"]).update(inner=inner, said=said)
    assert run(outer, b"x").log == [("info", "half and half", None)]
    assert said == [[("info", "inner", None)]]


def test_a_flood_of_prints_is_bounded_and_said_to_be(load):
    log = run(load("def parse(source, out):\n    for _ in range(100_000): print('x' * 99)"), b"a").log
    assert len(log) < 12_000 and "the rest is dropped" in log[-1][1]


def test_a_parse_that_only_makes_something_to_run_is_told(load):
    source = "def parse(source, out):\n    for line in source.lines():\n        yield line\n"
    assert failed(load(source)).message.startswith("TypeError: `parse` has not run")
    assert failed(load("async def parse(source, out): pass\n")).message.startswith("TypeError: `parse` has not run")


def test_what_is_logged_wrongly_is_told_and_changes_nothing(load):
    source = """
    import logging
    def parse(source, out):
        table = out.table("t", a=str)
        for line in source.lines():
            with out.record(line):
                logging.debug("%d", "x")
                table.append(line, line)
    """
    said = run(load(source), b"a\n")
    assert said.column("t", "a") == ["a"]
    assert said.log == [("debug", "parser.py:7: what is logged has no text: TypeError", (0, 2))]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("@parser(version=1)", "the version of a parser is text, not 1"),
        ("@parser(name=b'x')", "the name of a parser is text, not b'x'"),
        ("@parser(options={'a': 'b'})", "option `a` is an Option, not 'b'"),
    ],
)
def test_a_definition_of_other_types_is_refused_where_it_is_made(load, what, message):
    with pytest.raises(Fault) as refused:
        load(f"from casparian import parser\n{what}\ndef parse(source, out): pass\n")
    assert refused.value.message.startswith(f"TypeError: {message}\n  parser.py:")


def test_a_pattern_by_itself_is_one_pattern(load):
    source = "from casparian import parser\n@parser(patterns='*.csv')\ndef parse(source, out): pass\n"
    assert load(source).describe().patterns == ["*.csv"]


@pytest.mark.parametrize(
    "call",
    [
        "out.reject((0, 1.0), 'undeclared')",
        "out.reject((0, -1), 'undeclared')",
        "out.skip((0, 1), 'other', None)",
        "out.skip((-1, 1), 'other')",
        "source.read(-1, 4)",
        "source.read(1.0, 4)",
    ],
)
def test_what_the_host_would_not_understand_is_refused_with_its_line(load, call):
    message = failed(load(f"def parse(source, out):\n    {call}\n")).message
    assert message.splitlines()[0].partition(":")[0] in ("TypeError", "ValueError") and "parser.py:2" in message


@pytest.mark.parametrize("layout", ["[Span(0.0, 1)]", "[Span(-1, 1)]", "[(0,)]", "[Span(0, 1)], {}"])
def test_a_layout_that_the_host_would_not_understand_is_told(load, layout):
    source = "from casparian import Layout, Span\nclass Parser:\n    def parse(self, source, out): pass\n"
    source += f"    def plan(self, source, out, n): return Layout({layout})\n"
    assert failed(load(source)).message.partition(":")[0] in ("TypeError", "ValueError")


def test_a_row_of_no_bytes_is_refused_as_the_host_does(load):
    source = "def parse(source, out):\n    out.table('t', a=str).append((1, 0), 'x')\n"
    assert "row at byte 1 has no bytes" in failed(load(source)).message


def test_a_fault_of_a_row_that_was_taken_back_is_taken_back(load):
    source = """
    from casparian import Table, parser
    @parser(faults=["worse"], outputs=[Table("t", {"Order ID": str})])
    def parse(source, out):
        table = out.table("t")
        for number, line in enumerate(source.lines()):
            with out.record(line):
                if number == 0:
                    table.append(line, faults=["worse"], **{"Order ID": line, "typo": 1})
                if number == 1:
                    table.extend([line, line], {"Order ID": [line, line]}, faults=[["worse"], 5])
                table.append(line, line)
    """
    said = run(load(source), b"a\nb\nc\n")
    assert [(row.faults, row["Order ID"]) for row in said.rows("t")] == [([], "c")]
    assert [reject.span.offset for reject in said.rejects] == [0, 2]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
@pytest.mark.parametrize("reader", ["lines({!r})", "csv(encoding={!r})", "fixed_width({{'a': 1}}, encoding={!r})"])
def test_text_whose_line_feeds_are_no_bytes_of_their_own_is_not_read_by_lines(load, encoding, reader):
    source = f"def parse(source, out):\n    list(source.{reader.format(encoding)})\n"
    assert failed(load(source)).message.startswith("ValueError: a line feed is not the byte 0A in ")


def test_cells_of_csv_are_texts_whatever_the_dialect(load):
    source = "import csv\ndef parse(source, out):\n    list(source.csv(quoting=csv.QUOTE_NONNUMERIC))\n"
    assert failed(load(source)).message.startswith("ValueError: with this `quoting` cells become numbers")
