"""Tries every mutant that cargo-mutants lists, without building once for each.

    weave.py [PATTERN] [--files GLOB…]

All mutants of a function are woven into its body, behind a number that is read from the environment; the tests are built
once, asked which functions each of them reaches, and then run, for each mutant, as far as they reach it, the quick ones
first. So some 1,500 mutants take minutes and not most of a day, and the answer is that of `cargo mutants`.

PATTERN picks mutants by name, --files adds sources of the core to those of .cargo/mutants.toml. Survivors are tried once
more with as many cases as the tests have by default. What cannot be woven (bodies of `const fn`, those that
return an opaque type, constants) is listed for `cargo mutants`. Works in target/mutants; needs cargo-mutants.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "mutants"
TREE = WORK / "tree"
CORE = Path("host/core")
PACKAGE = ["--release", "--package", "casparian-core", "--config", "profile.release.debug=false"]
# Unoptimised and in many parts: what is woven is built in seconds.
PACKAGE += ["--config", "profile.release.package.casparian-core.opt-level=0"]
QUICK = {"CASPARIAN_SCHEDULES": "200", "PROPTEST_CASES": "64"}
THOROUGH = {"CASPARIAN_SCHEDULES": "2000"}
# No case that an earlier mutant left behind.
ALWAYS = {"PROPTEST_DISABLE_FAILURE_PERSISTENCE": "1", "PROPTEST_MAX_SHRINK_ITERS": "0"}
MEMORY_BYTES_MAX = 6 << 30

SWITCH = """
/// Notes that a function is reached, and returns which mutant is on.
pub fn mutant_on(function: usize) -> usize {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicBool, Ordering};
    static REACHED: [AtomicBool; FUNCTIONS] = [const { AtomicBool::new(false) }; FUNCTIONS];
    static ON: std::sync::LazyLock<(usize, Option<String>)> = std::sync::LazyLock::new(|| {
        let on = std::env::var("MUTANT").ok().and_then(|on| on.parse().ok());
        (on.unwrap_or(0), std::env::var("MUTANT_REACH").ok())
    });
    if let Some(path) = &ON.1 && !REACHED[function].swap(true, Ordering::Relaxed) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{function}").unwrap();
    }
    ON.0
}
"""


def main():
    words = argparse.ArgumentParser(usage=__doc__)
    words.add_argument("pattern", nargs="?", default="")
    words.add_argument("--files", nargs="*", default=[])
    words = words.parse_args()
    mutants = listed(words.files, words.pattern)
    copy_tree()
    unviable = weave_until_it_builds(mutants)
    tests = trace(built_tests())
    verdicts = {}
    for settings in (QUICK, THOROUGH):
        left = [m for m in mutants if m["function_id"] and verdicts.get(m["name"], "missed") == "missed"]
        verdicts.update(run(left, tests, settings))
    return report(mutants, unviable, verdicts)


def listed(files, pattern):
    """The mutants, each with its place as offsets into its file."""
    asked = ["cargo", "mutants", "--list", "--json", "--package", "casparian-core"]
    asked += [word for glob in files for word in ("-f", glob)]
    found = json.loads(subprocess.run(asked, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    found = [mutant for mutant in found if re.search(pattern, mutant["name"])]
    for number, mutant in enumerate(found, 1):
        mutant["number"] = number
    return found or sys.exit("no mutant is called so")


def copy_tree():
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    for name in filter(None, files.decode().split("\0")):
        if (ROOT / name).is_file():
            write_if_other(TREE / name, (ROOT / name).read_bytes())


def write_if_other(path, content):
    """Leaves what is the same, so that cargo does not build it again."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def weave_until_it_builds(mutants):
    """Leaves out the mutants that the compiler refuses, in rounds: it looks at borrows after types."""
    unviable = set()
    while True:
        places = weave(mutants, unviable)
        refused = refused_mutants(places)
        if not refused:
            return unviable
        unviable |= refused


def weave(mutants, unviable):
    """Writes the woven sources; returns the lines of each mutant: {(file, line): number}."""
    functions = iter(range(1, len(mutants) + 1))
    files, places = collections.defaultdict(list), {}
    for mutant in mutants:
        mutant["function_id"] = None
        files[mutant["file"]].append(mutant)
    for file, of_file in files.items():
        text = (ROOT / file).read_text()
        bodies = collections.defaultdict(list)
        for mutant in of_file:
            body = body_of(text, mutant)
            if body and mutant["number"] not in unviable:
                bodies[body].append(mutant)
        woven = weave_file(text, bodies, functions)
        write_if_other(TREE / file, woven.encode())
        places.update(marked_lines(file, woven))
    library = CORE / "src/lib.rs"
    switch = SWITCH.replace("FUNCTIONS", str(len(mutants) + 1))
    write_if_other(TREE / library, ((ROOT / library).read_text() + switch).encode())
    return places


def body_of(text, mutant):
    """The span of the body that a mutant is in; None where it cannot be chosen while the program runs."""
    function = mutant["function"]
    if not function or "impl " in (function["return_type"] or ""):
        return None
    start, end = span(text, function["span"])
    body = body_start(text, start)
    return None if re.search(r"\bconst fn\b", text[start:body]) else (body, end)


def span(text, lines):
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return tuple(starts[lines[at]["line"] - 1] + lines[at]["column"] - 1 for at in ("start", "end"))


def body_start(text, at):
    """The brace that opens the body of the function at `at`: the first outside of comments, texts and parentheses."""
    depth = 0
    while text[at] != "{" or depth > 0:
        if text.startswith("//", at):
            at = text.index("\n", at)
        elif text[at] == '"':
            at = re.compile(r'(?:[^"\\]|\\.)*"').match(text, at + 1).end() - 1
        depth += (text[at] in "([") - (text[at] in ")]")
        at += 1
    return at


def weave_file(text, bodies, functions):
    def within(start, end):
        inside = [body for body in bodies if start <= body[0] and body[1] <= end]
        return sorted(b for b in inside if not any(o != b and o[0] <= b[0] and b[1] <= o[1] for o in inside))

    def woven(start, end):
        parts, at = [], start
        for body in within(start, end):
            parts += [text[at : body[0]], switched(*body)]
            at = body[1]
        return "".join(parts) + text[at:end]

    def switched(start, end):
        function, arms = next(functions), []
        for mutant in bodies[start, end]:
            mutant["function_id"] = function
            first, last = span(text, mutant["span"])
            body = text[start:first] + mutant["replacement"] + " " + text[last:end]
            arms.append(f"/*MUTANT {mutant['number']}*/ {mutant['number']}usize => {body},\n/*END*/\n")
        # The body's own braces part it from what is woven around it; functions within it are woven in turn.
        rest = "{" + woven(start + 1, end)
        return f"{{ match crate::mutant_on({function}) {{\n{''.join(arms)} _ => {rest} }} }}"

    return woven(0, len(text))


def marked_lines(file, woven):
    places, on = {}, None
    for line, text in enumerate(woven.splitlines(), 1):
        begun = re.search(r"/\*MUTANT (\d+)\*/", text)
        on = int(begun[1]) if begun else on
        if on:
            places[file, line] = on
        on = None if "/*END*/" in text else on
    return places


def cargo(*words):
    environment = dict(os.environ, CARGO_TARGET_DIR=str(WORK / "target"), CARGO_INCREMENTAL="1")
    words = ["cargo", *words, *PACKAGE, "--message-format", "json"]
    done = subprocess.run(words, cwd=TREE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def refused_mutants(places):
    done, messages = cargo("check", "--lib")
    if done.returncode == 0:
        return set()
    said = [message["message"] for message in messages if message["reason"] == "compiler-message"]
    errors = [message for message in said if message["level"] == "error"]
    lines = [(at["file_name"], at["line_start"]) for error in errors for at in error["spans"] if at["is_primary"]]
    refused = {places[line] for line in lines if line in places}
    if not refused:
        sys.exit("the woven sources do not build:\n" + "\n".join(error["rendered"] for error in errors) + done.stderr)
    return refused


def built_tests():
    done, messages = cargo("test", "--no-run", "--lib", "--tests")
    if done.returncode:
        sys.exit(done.stderr)
    return [m["executable"] for m in messages if m.get("executable") and m["profile"]["test"]]


def trace(programs):
    """Runs each test alone: how long it takes, and which functions it reaches."""
    tests = []
    for program in programs:
        names = call(program, ["--list"], {}).stdout.decode().splitlines()
        for name in [line.removesuffix(": test") for line in names if line.endswith(": test")]:
            reach = WORK / "reach"
            reach.unlink(missing_ok=True)
            before = processor_seconds()
            done = call(program, ["--exact", name], QUICK | {"MUTANT_REACH": str(reach)})
            if done.returncode:
                sys.exit(f"{name} fails as it is:\n" + done.stdout.decode())
            reached = {int(line) for line in reach.read_text().split()} if reach.exists() else set()
            seconds = processor_seconds() - before
            tests.append({"program": program, "name": name, "seconds": seconds, "reaches": reached})
    return tests


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def call(program, words, environment, seconds=600):
    def bounded():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    core = TREE / CORE
    environment = os.environ | ALWAYS | {"CARGO_MANIFEST_DIR": str(core)} | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    words = [program, "--test-threads", "1", *words]
    return subprocess.run(words, cwd=core, env=environment, preexec_fn=bounded, **pipes)


def run(mutants, tests, settings):
    reaching = collections.defaultdict(list)
    for test in tests:
        for function in test["reaches"]:
            reaching[function].append(test)

    def verdict(mutant):
        return mutant["name"], judged(mutant["number"], reaching[mutant["function_id"]], settings)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(pool.map(verdict, mutants))


def judged(number, tests, settings):
    """Runs tests until one fails. A mutant that takes many times as long as its tests do is noticed too."""
    for least, most in [(0, 0.06), (0.06, 0.6), (0.6, float("inf"))]:
        stage = [test for test in tests if least <= test["seconds"] < most]
        for program in dict.fromkeys(test["program"] for test in stage):
            due = [test for test in stage if test["program"] == program]
            seconds = int(5 + 5 * sum(test["seconds"] for test in due)) if settings is QUICK else 600
            names = ["--exact", *(test["name"] for test in due)]
            if call(program, names, settings | {"MUTANT": str(number)}, seconds).returncode:
                return "caught"
    return "missed"


def report(mutants, unviable, verdicts):
    missed = [name for name, verdict in verdicts.items() if verdict == "missed"]
    apart = [m["name"] for m in mutants if m["number"] not in unviable and m["name"] not in verdicts]
    print("\n".join(["missed:", *missed, "", "not woven, ask cargo mutants:", *apart, ""]))
    caught = len(verdicts) - len(missed)
    counts = f"{caught} caught, {len(missed)} missed, {len(unviable)} do not build, {len(apart)} not woven"
    print(f"{len(mutants)} mutants: {counts}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
