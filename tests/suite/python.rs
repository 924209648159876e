//! Parsers in Python, as the program meets them: that they run like any other, and that the hostile ones of
//! `tests/evil/python` meet the same walls. Cases are called P in the list.

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::host::{Desk, INPUT, OUT, Said, names, root};
use crate::tables;

const FILE: &[u8] = b"ACME,10.25,100\nBOLT,3.5,7\n";

fn evil(name: &str) -> PathBuf {
    root().join("tests/evil/python").join(format!("{name}.py"))
}

fn hello() -> PathBuf {
    root().join("examples/hello_python")
}

/// Runs an evil, checks that it ends with a fault of the guest's and leaves nothing, and returns the message.
#[track_caller]
fn refused(name: &str, code: &str) -> String {
    let desk = Desk::new(FILE);
    let message = desk.run(&evil(name)).done().assert_fault("guest", code);
    desk.assert_untouched();
    message
}

#[test]
fn a_python_program_runs_as_a_component_does() {
    let desk = Desk::new(b"ACME,10.25,100\nno fill\nBOLT,3.5,7\n");
    let said = desk.run(&hello()).done();
    let report = said.report();
    assert_eq!((said.exit, report["status"].as_str()), (0, Some("completed_with_quarantine")), "{report}");
    assert_eq!(
        (&report["component"]["name"], &report["tables"][0]["accepted"]),
        (&"hello_python".into(), &2.into())
    );
    assert_eq!(report["accounting"]["coverage"], "full");
    assert_eq!(report["accounting"]["dark_bytes"], 0);
    assert_eq!(desk.names(), [INPUT, OUT]);
}

#[test]
fn a_program_is_called_by_its_runtime_and_all_its_files_whatever_it_came_as() {
    let identity = |parser: &PathBuf| {
        let desk = Desk::new(FILE);
        desk.run(parser).done().assert_completed()["component"]["sha256"].clone()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    let source = std::fs::read_to_string(hello().join("parser.py")).expect("the example");
    write("parser.py", &source);
    let of_folder = identity(&folder.path().to_owned());
    assert_eq!(of_folder, identity(&hello()));
    assert_eq!(of_folder, identity(&folder.path().join("parser.py")));
    write("helper.py", "");
    assert_ne!(of_folder, identity(&folder.path().to_owned()));
}

#[test]
fn a_contract_beside_the_program_judges_its_rows_and_is_no_part_of_its_identity() {
    let desk = Desk::new(FILE);
    let plain = desk.run(&hello()).done().assert_completed();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(hello().join("parser.py"), folder.path().join("parser.py")).expect("copied");
    let contract = "apiVersion: v3.1.0\nkind: DataContract\nid: hello\nversion: 1.0.0\nstatus: active\nschema:\n  - name: fills\n    properties:\n      - {name: symbol, logicalType: string}\n      - {name: px, logicalType: number, physicalType: 'decimal(18,4)'}\n      - {name: qty, logicalType: integer, physicalType: int64}\n";
    std::fs::write(folder.path().join("contract.odcs.yaml"), contract).expect("written");
    let desk = Desk::new(b"ACME,10.25,100\nBOLT,3.5,many\n");
    let report = desk.run(folder.path()).done().report();
    assert_eq!(
        (&report["contract"]["origin"], &report["tables"][0]["accepted"]),
        (&"embedded".into(), &1.into()),
        "{report}"
    );
    assert_eq!(report["quarantine"]["rows"], 1);
    assert_eq!(report["component"]["sha256"], plain["component"]["sha256"]);
}

#[test]
fn an_exception_says_where_in_the_program_it_was_raised_and_what_was_being_read() {
    let desk = Desk::new(FILE);
    let said = desk.run(&evil("raise_parse")).done();
    let message = said.assert_fault("guest", "guest-trap");
    let line = "raise_parse.py:7 in parse: rows.append(line, line.split(\",\")[99])";
    assert!(message.contains("IndexError") && message.contains(line), "{message}");
    assert_eq!(said.report()["fault"]["at"], serde_json::json!({"offset": 0, "length": 15}));
    assert!(!message.contains("casparian/"), "a frame of ours is of no use to an author: {message}");
}

#[test]
fn a_guest_loads_its_program_once_for_all_that_it_is_asked() {
    let desk = Desk::new(FILE);
    let program = desk.write(
        "asked.py",
        b"from casparian import parser\n\nasked = []\n\ndef plan(source, out, target_bytes):\n    asked.append(1)\n\n\
          @parser(plan=plan)\ndef parse(source, out):\n    assert asked, 'another module has planned'\n    \
          out.skip((0, source.size), 'other')\n",
    );
    desk.run(&program).done().assert_completed();
}

#[test]
fn what_a_program_prints_goes_to_its_log() {
    let desk = Desk::new(FILE);
    let program = desk.write(
        "says.py",
        b"def parse(source, out):\n    print('seen it')\n    out.skip((0, 26), 'other', '')\n",
    );
    let said =
        desk.call(&["run"]).arg(program).arg(desk.path(INPUT)).args(&["--log", "info", "--whatif"]).done();
    assert!(said.stderr.contains("parser says (info): seen it"), "{}", said.stderr);
}

#[test]
fn a_program_is_inspected_like_a_component() {
    let desk = Desk::new(FILE);
    let said = desk.call(&["inspect", "--json"]).arg(hello()).done();
    let inspection: Json = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(inspection["description"]["name"], "hello_python");
    assert_eq!(inspection["limits"]["memory_bytes_max"], 512 << 20);
}

#[test]
fn without_a_runtime_the_operator_is_told_where_one_is_looked_for() {
    let desk = Desk::new(FILE);
    let mut command = desk.run(&hello()).command();
    let said =
        Said::new(command.env("CASPARIAN_PYTHON", "/nowhere/python.wasm").output().expect("it starts"));
    let message = said.assert_fault("operator", "runtime-missing");
    assert!(message.contains("/nowhere/python.wasm"), "{message}");
}

#[test]
fn the_runtime_by_itself_is_no_parser() {
    let desk = Desk::new(FILE);
    let message = desk.run(&crate::host::guest("python")).done().assert_fault("operator", "no-program");
    assert!(message.contains("language runtime"), "{message}");
}

#[test]
fn p_01_a_program_that_loops_runs_out_of_fuel() {
    refused("spin", "fuel-exhausted");
}

#[test]
fn p_02_a_program_that_grows_meets_the_bound_of_memory() {
    let message = refused("grow", "memory-limit");
    assert!(message.contains("limit 536870912"), "{message}");
}

#[test]
fn p_03_recursion_is_an_exception_or_meets_the_bound_of_the_stack() {
    assert!(refused("recurse", "guest-trap").contains("RecursionError"));
    refused("recurse_deep", "limit-exceeded");
}

#[test]
fn p_04_a_flood_of_rows_meets_the_bound_of_what_waits() {
    assert!(refused("flood", "limit-exceeded").starts_with("uncommitted bytes: "));
}

#[test]
fn p_05_a_batch_from_behind_the_sdk_is_refused_by_the_guard() {
    assert!(refused("garbage", "metadata-malformed").contains("table `rows`"));
}

#[test]
fn p_06_an_exception_in_any_callback_is_a_trap_with_its_place() {
    for (name, place) in [("raise_import", 4), ("raise_plan", 9), ("raise_parse", 7)] {
        let message = refused(name, "guest-trap");
        assert!(message.contains(&format!("{name}.py:{place} in ")), "{message}");
    }
}

#[test]
fn p_07_whoever_ends_the_process_has_trapped() {
    assert!(refused("exit_parse", "guest-trap").contains("SystemExit: 3"));
    refused("exit_hard", "guest-trap");
}

#[test]
fn p_08_a_hundred_megabytes_of_print_are_dropped_and_the_work_is_done() {
    let desk = Desk::new(FILE);
    let report = desk.run(&evil("print_huge")).args(&["--log", "info"]).done().assert_completed();
    assert_eq!(report["tables"][0]["accepted"], 2);
}

#[test]
fn p_09_a_description_that_breaks_the_rules_is_refused() {
    let message = refused("bad_describe", "bad-name");
    assert!(message.contains("\\u{1b}[2J"), "{message}");
    refused("lying_describe", "undescribed-table");
}

#[test]
fn p_10_what_is_no_program_is_said_to_be_none() {
    assert!(refused("syntax", "guest-trap").contains("syntax.py:3"));
    assert!(refused("no_parser", "guest-trap").contains("neither a function"));
}

#[test]
fn p_11_clocks_stand_still() {
    let rows = |_| {
        let desk = Desk::new(FILE);
        desk.run(&evil("clock")).done().assert_completed();
        tables::texts(&tables::read(&desk.path(OUT).join("rows.parquet")), "now")
    };
    let (once, twice) = (rows(1), rows(2));
    assert_eq!(once, twice);
    assert_eq!(once, vec![Some("946684800.0 0.0 2000".to_owned()); 2]);
}

#[test]
fn p_12_there_is_no_machine_to_open_a_file_of_or_to_call_from() {
    assert!(refused("open_file", "guest-trap").contains("PermissionError"));
    assert!(refused("socket_connect", "guest-trap").contains("PermissionError"));
    assert!(refused("read_keys", "guest-trap").contains("RuntimeError"), "nobody types anything");
}

/// Imports what its input names, in a world that is closed by then, or computes it, and says what came of it.
const IMPORTER: &str = r#"
import codecs
from importlib import import_module
from casparian import parser

WAYS = {
    "codec": lambda name: codecs.lookup(name).name,
    "module": lambda name: import_module(name).__name__,
    "value": lambda text: str(eval(text, {"the": import_module, "raised": raised})),
}

def raised(call):
    try:
        call()
    except Exception as why:
        return type(why).__name__

@parser(name="importer", version="1.0.0")
def parse(source, out):
    found = out.table("found", name=str)
    for line in source.lines():
        how, _, what = line.partition(" ")
        found.append(line, WAYS[how](what))
"#;

/// Calls that import something of their own, some of them from C.
const CALLS: [(&str, &str); 13] = [
    ("the('datetime').datetime.strptime('Nov 22 12:00:01', '%b %d %H:%M:%S')", "1900-11-22 12:00:01"),
    ("the('logging').StreamHandler().emit(the('logging').makeLogRecord({'msg': '%d', 'args': 'x'}))", "None"),
    ("raised(lambda: the('quopri').unhex(b'1G'))", "AssertionError"),
    ("the('json').loads.__doc__.split()[0]", "Deserialize"),
    ("the('datetime').datetime.strptime('14.03.2025', '%d.%m.%Y')", "2025-03-14 00:00:00"),
    ("the('time').strptime('2025', '%Y').tm_year", "2025"),
    ("the('xml.dom.minidom').parseString('<a><b/></a>').documentElement.tagName", "a"),
    ("the('email.mime.text').MIMEText('hello').as_string()[-5:]", "hello"),
    ("the('ast').unparse(the('ast').parse('a+b'))", "a + b"),
    ("the('argparse').ArgumentParser().format_usage()", "usage: parser [-h]\n"),
    ("the('decimal').Decimal('1.10') + 1", "2.10"),
    ("the('pickle').loads(the('pickle').dumps([1]))", "[1]"),
    ("'b\\xfccher'.encode('idna')", "b'xn--bcher-kva'"),
];

#[test]
fn every_module_of_the_library_is_there_whether_it_was_made_beforehand_or_not() {
    let library = std::fs::read_to_string(root().join("guests/python/library.py")).expect("the library");
    let lists = library
        .split("\"\"\"")
        .filter(|text| text.starts_with("\n__future__") || text.starts_with("\nargparse"));
    let modules: Vec<&str> = lists.flat_map(str::split_whitespace).collect();
    assert!(modules.len() > 100, "both lists are found: {modules:?}");
    let codecs = ["cp1252", "koi8-r", "shift_jis", "utf-16-le", "idna", "rot13", "mac-roman", "cp037"];
    let lines = modules.iter().map(|name| format!("module {name}\n"));
    let lines = lines.chain(codecs.iter().map(|name| format!("codec {name}\n")));
    let input: String = lines.chain(CALLS.iter().map(|(call, _)| format!("value {call}\n"))).collect();
    let desk = Desk::new(input.as_bytes());
    desk.write("importer.py", IMPORTER.as_bytes());
    let report = desk.run(&desk.path("importer.py")).done().assert_completed();
    assert_eq!(report["tables"][0]["accepted"], modules.len() + codecs.len() + CALLS.len(), "{report}");
    let said = tables::texts(&tables::read(&desk.path(OUT).join("found.parquet")), "name");
    let answers: Vec<_> = said.iter().rev().take(CALLS.len()).rev().flatten().map(String::as_str).collect();
    assert_eq!(answers, CALLS.map(|(_, answer)| answer));
}

#[test]
fn modules_of_a_parser_may_be_called_as_those_of_the_runtime_are() {
    let desk = Desk::new(b"a\n");
    let closed = std::fs::read_to_string(root().join("guests/python/closed.py")).expect("the list");
    let ours = closed.split("OURS = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("modules");
    let names: Vec<&str> = ours.split(' ').collect();
    assert!(names.contains(&"library"), "{names:?}");
    std::fs::create_dir(desk.path("parser")).expect("a folder");
    for name in &names {
        desk.write(&format!("parser/{name}.py"), format!("SAID = {name:?}\n").as_bytes());
    }
    let imports = names.join(", ");
    let said = imports.replace(',', ".SAID,") + ".SAID";
    let text = format!(
        "import {imports}\nfrom casparian import parser\n\n@parser(name='own', version='1.0.0')\ndef parse(source, out):\n    \
         t = out.table('t', said=str)\n    for line in source.lines():\n        t.append(line, ' '.join([{said}]))\n"
    );
    desk.write("parser/parser.py", text.as_bytes());
    desk.run(&desk.path("parser")).done().assert_completed();
    let found = tables::texts(&tables::read(&desk.path(OUT).join("t.parquet")), "said");
    assert_eq!(found, [Some(names.join(" "))]);
}

#[test]
fn a_column_may_be_called_what_a_line_of_the_input_says() {
    let desk = Desk::new(b"a b\nc\n");
    let program = desk.write(
        "head.py",
        b"from casparian import parser\n\n@parser(name='head', version='1.0.0')\ndef parse(source, out):\n    \
          lines = source.lines()\n    head = next(lines)\n    out.skip(head, 'header')\n    \
          table = out.table('t', {head: str})\n    for line in lines:\n        table.append(line, line)\n",
    );
    let report = desk.run(&program).done().assert_completed();
    assert_eq!(report["tables"][0]["accepted"], 1, "{report}");
}

#[test]
fn what_loading_a_program_takes_is_not_for_the_record_that_is_tried() {
    let lines: String =
        (0..500).map(|n| if n == 250 { "bad\n".to_owned() } else { format!("{n}\n") }).collect();
    let desk = Desk::new(lines.as_bytes());
    let program = desk.write(
        "heavy.py",
        b"from casparian import by_lines, parser\n\nn = 0\nfor i in range(40_000):\n    n += i\n\n\
          @parser(name='heavy', version='1.0.0', plan=by_lines)\ndef parse(source, out):\n    \
          t = out.table('t', a=str)\n    for line in source.lines():\n        assert line != 'bad'\n        t.append(line, line)\n",
    );
    // Loading it takes some hundred million: more than a quarter of this, which is what a stretch may burn while one is looked for.
    let said = desk.run(&program).args(&["--limit", "fuel=200M"]).done();
    let report = said.report();
    assert_eq!(
        (&report["tables"][0]["accepted"], &report["quarantine"]["rows"]),
        (&499.into(), &1.into()),
        "{report}"
    );
    // The record is tried a few times in all; every stretch without it that ran out of fuel would be a trap more.
    assert!(report["traps"]["traps"].as_u64().is_some_and(|traps| traps <= 6), "{report}");
}

#[test]
fn every_evil_program_is_run() {
    let tests = include_str!("python.rs");
    for file in names(&root().join("tests/evil/python")) {
        let name = file.trim_end_matches(".py");
        assert!(tests.contains(&format!("\"{name}\"")), "no test runs the evil `{name}`");
    }
}

/// A parser that needs a package, with the lock that names it and its wheel.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    };
    write("parser.py", b"import shouting\n\n\ndef parse(source, out):\n    rows = out.table('rows', text=str)\n    for line in source.lines():\n        rows.append(line, shouting.shout(line))\n");
    write("pyproject.toml", b"[project]\nname = 'fills'\nversion = '1'\ndependencies = ['shouting']\n");
    write("__pycache__/parser.cpython-314.pyc", b"left behind");
    let wheel = wheel("shouting/__init__.py", b"def shout(text):\n    return text.upper()\n");
    let sha256 = casparian_core::id::Digest::of(&wheel);
    write("wheels/shouting-1.0-py3-none-any.whl", &wheel);
    let lock = format!(
        "version = 1\n[[package]]\nname = 'fills'\nversion = '1'\nsource = {{ virtual = '.' }}\ndependencies = [{{ name = 'shouting' }}]\n\
         [[package]]\nname = 'shouting'\nversion = '1.0'\nsource = {{ registry = 'https://example.org/simple' }}\n\
         wheels = [{{ url = 'https://example.org/shouting-1.0-py3-none-any.whl', hash = 'sha256:{sha256}' }}]\n"
    );
    write("uv.lock", lock.as_bytes());
    folder
}

/// A ZIP of one stored file, as much of one as a reader of its directory looks at.
fn wheel(name: &str, content: &[u8]) -> Vec<u8> {
    let (name, bytes) = (name.as_bytes(), u32::try_from(content.len()).expect("small"));
    let sizes =
        [&[0_u8; 4][..], &bytes.to_le_bytes(), &bytes.to_le_bytes(), &[name.len() as u8, 0, 0, 0]].concat();
    let local = [b"PK\x03\x04\x0a\0\0\0\0\0\0\0\x21\0", &sizes[..], name, content].concat();
    let central = [b"PK\x01\x02\x0a\0\x0a\0\0\0\0\0\0\0\x21\0", &sizes[..], &[0; 14], name].concat();
    let places = [(central.len() as u32).to_le_bytes(), (local.len() as u32).to_le_bytes()].concat();
    [&local[..], &central, b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &places, &[0; 2]].concat()
}

/// Builds a bundle beside the input of a desk.
fn build(desk: &Desk, project: &std::path::Path, out: &str) -> Said {
    desk.call(&["build", "--json"]).arg(project).arg("-o").arg(desk.path(out)).done()
}

#[test]
fn a_bundle_has_the_packages_of_its_lock_and_the_same_bytes_every_time() {
    let (desk, project) = (Desk::new(FILE), project());
    let said = build(&desk, project.path(), "a.zip");
    assert_eq!(said.exit, 0, "{said:?}");
    assert_eq!(said.report()["dependencies"][0]["name"], "shouting");
    assert_eq!(build(&desk, project.path(), "b.zip").exit, 0);
    let bytes = |name: &str| std::fs::read(desk.path(name)).expect("a bundle");
    assert_eq!(bytes("a.zip"), bytes("b.zip"));
    let report = desk.run(&desk.path("a.zip")).done().assert_completed();
    assert_eq!(report["component"]["sha256"], said.report()["identity"]);
    let rows = tables::texts(&tables::read(&desk.path(OUT).join("rows.parquet")), "text");
    assert_eq!(rows[1].as_deref(), Some("BOLT,3.5,7"));
}

#[test]
fn a_component_with_its_runtime_is_the_same_parser_and_needs_no_other_runtime() {
    let (desk, project) = (Desk::new(FILE), project());
    let bundle = build(&desk, project.path(), "a.zip").report();
    let call =
        desk.call(&["build", "--component", "--json"]).arg(project.path()).arg("-o").arg(desk.path("a.wasm"));
    assert_eq!(call.done().report()["identity"], bundle["identity"]);
    let mut command = desk.run(&desk.path("a.wasm")).command();
    let said = Said::new(command.env("CASPARIAN_PYTHON", "/nowhere").output().expect("it starts"));
    assert_eq!(said.assert_completed()["component"]["sha256"], bundle["identity"]);
    let inspected = desk.call(&["inspect", "--json"]).arg(desk.path("a.wasm")).done().report();
    let length = std::fs::metadata(desk.path("a.wasm")).expect("a component").len();
    assert_eq!(inspected["bytes"], length, "the size is that of the file");
}

/// The component before the program ends in the middle of a section that would go on into the program.
#[test]
fn what_is_compiled_ends_where_the_digest_of_the_runtime_ends() {
    let (desk, project) = (Desk::new(FILE), project());
    let call =
        desk.call(&["build", "--component", "--json"]).arg(project.path()).arg("-o").arg(desk.path("a.wasm"));
    assert_eq!(call.done().exit, 0);
    let whole = std::fs::read(desk.path("a.wasm")).expect("a component");
    let length = u64::from_le_bytes(whole[whole.len() - 8..].try_into().expect("eight bytes"));
    let section = &whole[whole.len() - usize::try_from(length).expect("small")..];
    let open = [b"\0asm\x0d\0\x01\0\0".as_slice(), &[0xff, 0x7f], section].concat();
    std::fs::write(desk.path("open.wasm"), open).expect("written");
    desk.run(&desk.path("open.wasm")).done().assert_fault("guest", "invalid-component");
}

#[test]
fn a_folder_that_a_run_has_written_is_no_part_of_the_parser() {
    let (desk, folder) = (Desk::new(FILE), tempfile::tempdir().expect("a folder"));
    std::fs::copy(hello().join("parser.py"), folder.path().join("parser.py")).expect("copied");
    let first = desk
        .call(&["run", "--json"])
        .arg(folder.path())
        .arg(desk.path(INPUT))
        .arg("--out")
        .arg(folder.path().join("out"));
    let first = first.done().assert_completed()["component"]["sha256"].clone();
    assert_eq!(desk.run(folder.path()).done().assert_completed()["component"]["sha256"], first);
}

#[test]
fn a_source_that_is_a_link_is_refused_and_not_left_out() {
    let (desk, folder) = (Desk::new(FILE), tempfile::tempdir().expect("a folder"));
    std::fs::copy(hello().join("parser.py"), folder.path().join("parser.py")).expect("copied");
    std::os::unix::fs::symlink("/dev/null", folder.path().join("contract.odcs.yaml")).expect("linked");
    desk.run(folder.path()).done().assert_fault("operator", "program-has-links");
}

#[test]
fn a_program_that_its_runtime_cannot_compile_beforehand_runs_from_its_sources() {
    let (desk, folder) = (Desk::new(FILE), tempfile::tempdir().expect("a folder"));
    std::fs::copy(hello().join("parser.py"), folder.path().join("parser.py")).expect("copied");
    std::fs::write(folder.path().join("deep.py"), format!("x = {}1\n", "-".repeat(30_000))).expect("written");
    desk.run(folder.path()).done().assert_completed();
}

#[test]
fn bounds_of_one_run_do_not_decide_what_is_kept_of_a_program() {
    let desk = Desk::new(FILE);
    // Programs of which nothing is kept yet, as large as each other.
    let fresh = || {
        let folder = tempfile::tempdir().expect("a folder");
        let source = std::fs::read_to_string(hello().join("parser.py")).expect("the source");
        let mark = folder.path().file_name().expect("a name").to_string_lossy().into_owned();
        std::fs::write(folder.path().join("parser.py"), format!("{source}\n# {mark}\n")).expect("written");
        folder
    };
    let fuel = |program: &tempfile::TempDir| {
        let report = desk.run(program.path()).arg("--whatif").done().report();
        report["fuel"].as_u64().expect("fuel")
    };
    let (usual, starved) = (fresh(), fresh());
    desk.run(starved.path()).limit("memory", "1M").done().assert_fault("guest", "memory-limit");
    assert_eq!(fuel(&starved), fuel(&usual));
}

#[test]
fn a_component_whose_program_was_changed_is_no_parser() {
    let (desk, project) = (Desk::new(FILE), project());
    let call =
        desk.call(&["build", "--component", "--json"]).arg(project.path()).arg("-o").arg(desk.path("a.wasm"));
    assert_eq!(call.done().exit, 0);
    let mut bytes = std::fs::read(desk.path("a.wasm")).expect("a component");
    // The last byte of the bundle, before the length of its section.
    let at = bytes.len() - 9;
    bytes[at] ^= 1;
    std::fs::write(desk.path("a.wasm"), bytes).expect("written");
    desk.run(&desk.path("a.wasm")).done().assert_fault("guest", "invalid-bundle");
}

#[test]
fn a_folder_that_needs_packages_is_built_before_it_is_run() {
    let (desk, project) = (Desk::new(FILE), project());
    desk.run(project.path()).done().assert_fault("operator", "program-has-dependencies");
}

#[test]
fn a_wheel_that_is_not_the_locked_one_is_refused_and_so_is_one_that_is_not_there() {
    let (desk, project) = (Desk::new(FILE), project());
    let path = project.path().join("wheels/shouting-1.0-py3-none-any.whl");
    let fault = |said: Said| (said.exit, said.stderr);
    std::fs::write(&path, wheel("shouting/__init__.py", b"evil")).expect("exchanged");
    let (exit, words) = fault(build(&desk, project.path(), "a.zip"));
    assert!(exit == 12 && words.contains("uv.lock says"), "{words}");
    std::fs::remove_file(path).expect("removed");
    let (exit, words) = fault(build(&desk, project.path(), "a.zip"));
    assert!(exit == 12 && words.contains("is not there") && words.contains("--wheels"), "{words}");
    assert_eq!(desk.names(), [INPUT]);
}

#[test]
fn native_code_in_a_folder_or_in_a_wheel_is_refused_by_name() {
    let (desk, project) = (Desk::new(FILE), project());
    std::fs::write(project.path().join("fast.so"), b"\x7fELF").expect("written");
    let said = build(&desk, project.path(), "a.zip");
    assert!(said.exit == 12 && said.stderr.contains("fast.so"), "{said:?}");
}

#[test]
fn a_bundle_with_a_byte_changed_outside_of_its_contents_is_none() {
    let desk = Desk::new(FILE);
    assert_eq!(build(&desk, &hello(), "a.zip").exit, 0);
    let mut bytes = std::fs::read(desk.path("a.zip")).expect("a bundle");
    let at = bytes.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    bytes[at + 12] ^= 1;
    std::fs::write(desk.path("a.zip"), bytes).expect("changed");
    desk.run(&desk.path("a.zip")).done().assert_fault("guest", "invalid-bundle");
}

#[test]
fn a_watched_parser_is_run_again_when_it_is_saved_and_the_difference_is_said() {
    use std::io::BufRead as _;
    let desk = Desk::new(FILE);
    let source = "def parse(source, out):\n    rows = out.table('rows', text=str)\n    for line in source.lines():\n        rows.append(line, line)\n";
    let program = desk.write("watched.py", source.as_bytes());
    let call =
        desk.call(&["run", "--watch", "--whatif", "--no-progress"]).arg(&program).arg(desk.path(INPUT));
    let mut child = call.command().stderr(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut lines = std::io::BufReader::new(child.stderr.take().expect("its talk")).lines();
    let mut hear =
        |what: &str| lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(what))).is_some();
    assert!(hear("nothing was written"));
    let once_more = source
        .replace("rows.append(line, line)", "rows.append(line, line)\n        rows.append(line, 'again')");
    std::fs::write(&program, once_more).expect("saved");
    assert!(hear("rows rows: 2 -> 4 (+2)"));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is there");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
