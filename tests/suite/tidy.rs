//! That the house stands as its plan says: what Cargo and privacy cannot hold is read off the sources here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::host::{names, root};

/// A file of the checkout: its path from the root, and what is in it.
struct File {
    path: String,
    text: String,
}

impl File {
    /// The words of the code: no comments, no texts, and no tests, which stand last.
    fn words(&self) -> String {
        words(self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default())
    }

    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

/// Takes comments, texts and characters out of a source.
fn words(source: &str) -> String {
    let mut words = String::new();
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let after_word = words.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let skipped = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => text_bytes(rest),
            'r' if !after_word => raw_text_bytes(rest).unwrap_or(0),
            '\'' => character_bytes(rest),
            _ => 0,
        };
        if skipped == 0 {
            words.push(next);
        }
        rest = &rest[if skipped == 0 { next.len_utf8() } else { skipped }..];
    }
    words
}

/// How long the text is that begins here.
fn text_bytes(rest: &str) -> usize {
    let mut is_escaped = false;
    let end = rest[1..].find(|c: char| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    });
    end.map_or(rest.len(), |end| end + 2)
}

/// How long the raw text is that begins here, if one does.
fn raw_text_bytes(rest: &str) -> Option<usize> {
    let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
    let inside = rest[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let bytes = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(2 + hashes + bytes)
}

/// How long the character is that begins here; 0 for a lifetime.
fn character_bytes(rest: &str) -> usize {
    let mut inside = rest[1..].chars();
    match inside.next() {
        Some('\\') => rest[3..].find('\'').map_or(0, |end| end + 4),
        Some(c) if inside.next() == Some('\'') => 2 + c.len_utf8(),
        _ => 0,
    }
}

#[test]
fn the_reader_of_sources_is_not_led_astray() {
    let source = r##"a /* b */ 'x' '"' '\'' '\u{1b}' "c \" // d" r#"e " f"# &'static g // h
        br"i" var"##;
    let words = words(source);
    assert_eq!(
        words.split_whitespace().collect::<Vec<_>>(),
        ["a", "/*", "b", "*/", "&'static", "g", "br", "var"]
    );
}

/// Reads the files below a folder whose names end so. Folders that are made by tools are passed by.
fn files(folder: &str, ending: &str) -> Vec<File> {
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found.sort();
    let file = |path: PathBuf| File {
        path: path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned(),
        text: String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned(),
    };
    found.into_iter().map(file).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for name in names(folder) {
        let path = folder.join(&name);
        match path.is_dir() {
            true if name.starts_with('.') || name == "target" || path.join("CACHEDIR.TAG").exists() => {}
            true => walk(&path, found),
            false => found.push(path),
        }
    }
}

/// The sources of the crates: without tests, benches and examples, which are not shipped.
fn sources() -> Vec<File> {
    let mut sources: Vec<File> =
        ["host", "sdk", "guests", "xtask"].iter().flat_map(|room| files(room, ".rs")).collect();
    sources
        .retain(|file| !["/tests/", "/benches/", "/examples/"].iter().any(|part| file.path.contains(part)));
    assert!(sources.len() > 50, "{} sources: the walk has lost its way", sources.len());
    sources
}

/// Fails with every place that breaks a rule.
#[track_caller]
fn assert_none(broken: Vec<String>, rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// Lists the files whose code has one of the words.
fn naming(files: &[File], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let code = file.words();
        let named = words.iter().filter(|word| code.contains(**word));
        found.extend(named.map(|word| format!("{}: {word}", file.path)));
    }
    found
}

#[test]
fn the_core_knows_no_world_outside() {
    let mut core = sources();
    core.retain(|file| file.is_in(&["host/core/"]));
    let outside = [
        "wasmtime",
        "rusqlite",
        "clap",
        "tokio",
        "std::fs",
        "std::net",
        "std::process",
        "std::env",
        "SystemTime",
        "Instant",
        "std::thread",
        "casparian_host",
        "casparian_sandbox",
        "casparian_sdk",
    ];
    assert_none(naming(&core, &outside), "the core is handed what it needs");
}

#[test]
fn only_the_sandbox_knows_wasmtime() {
    let mut others = sources();
    others.retain(|file| !file.is_in(&["host/sandbox/"]));
    assert_none(naming(&others, &["wasmtime::", "wasmtime_wasi"]), "only host/sandbox names wasmtime");
    for manifest in
        manifests().iter().filter(|file| file.path != "Cargo.toml" && !file.is_in(&["host/sandbox/"]))
    {
        assert!(
            !keys(manifest).iter().any(|key| key.starts_with("wasmtime")),
            "{} depends on wasmtime",
            manifest.path
        );
    }
}

#[test]
fn unsafe_code_is_where_it_is_justified() {
    let justified = [
        "guests/python/speed/",
        "host/sandbox/src/compile.rs",
        "host/src/worker.rs",
        "host/jail/",
        "sdk/rust/src/scan/",
        "tests/weigh.rs",
    ];
    let mut others = sources();
    others.retain(|file| !file.is_in(&justified));
    let is_unsafe = |file: &&File| {
        file.words().split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
    };
    let broken = others.iter().filter(is_unsafe).map(|file| file.path.clone()).collect();
    assert_none(
        broken,
        "unsafe code is in the sandbox, the jail, the SDKs' compiled parts, one place of the worker and the scales of the tests",
    );
}

#[test]
fn only_the_renderer_prints() {
    let mut others = sources();
    others
        .retain(|file| !file.is_in(&["host/src/bin/host/render.rs", "host/src/bin/host/render/", "xtask/"]));
    let printing = ["println!", "eprintln!", "print!(", "eprint!(", "io::stdout()", "io::stderr()", "dbg!"];
    assert_none(naming(&others, &printing), "only render.rs prints");
}

#[test]
fn no_room_is_a_junk_drawer() {
    let junk = ["util", "utils", "common", "helper", "helpers", "misc", "imp", "manager"];
    let is_junk = |file: &&File| {
        let path = Path::new(&file.path);
        path.components()
            .any(|part| junk.contains(&part.as_os_str().to_string_lossy().trim_end_matches(".rs")))
    };
    let all = [sources(), files("tests", ".rs"), files("examples", ".rs")].concat_files();
    assert_none(
        all.iter().filter(is_junk).map(|file| file.path.clone()).collect(),
        "a room has a name of its own",
    );
}

/// Joins lists of files.
trait ConcatFiles {
    fn concat_files(self) -> Vec<File>;
}

impl<const N: usize> ConcatFiles for [Vec<File>; N] {
    fn concat_files(self) -> Vec<File> {
        self.into_iter().flatten().collect()
    }
}

fn manifests() -> Vec<File> {
    let mut manifests: Vec<File> = files("", "Cargo.toml");
    manifests.retain(|file| !file.is_in(&["tests/fuzz/"]));
    manifests
}

/// The keys of a manifest's tables of dependencies that are shipped.
fn keys(manifest: &File) -> Vec<String> {
    let mut is_dependencies = false;
    let mut keys = Vec::new();
    for line in manifest.text.lines() {
        if line.starts_with('[') {
            is_dependencies =
                line.ends_with("dependencies]") && !line.contains("dev-") && !line.contains("workspace");
        } else if let Some((key, _)) =
            line.split_once(['=', '.']).filter(|_| is_dependencies && !line.starts_with('#'))
        {
            keys.push(key.trim().to_owned());
        }
    }
    keys
}

fn depends(manifest: &str) -> Vec<String> {
    let manifests = manifests();
    let manifest = manifests.iter().find(|file| file.path == manifest);
    keys(manifest.unwrap_or_else(|| panic!("there is such a manifest")))
}

#[test]
fn arrows_between_crates_run_one_way() {
    let ours = |manifest: &str| -> Vec<String> {
        depends(manifest).into_iter().filter(|key| key.starts_with("casparian")).collect()
    };
    assert_eq!(ours("host/core/Cargo.toml"), [""; 0]);
    assert_eq!(ours("host/sandbox/Cargo.toml"), ["casparian-core"]);
    assert_eq!(ours("sdk/rust/Cargo.toml"), ["casparian-derive"]);
    assert_eq!(ours("sdk/rust/derive/Cargo.toml"), [""; 0]);
    assert_eq!(ours("tests/evil/guest/Cargo.toml"), [""; 0]);
    let host: BTreeSet<String> = ours("host/Cargo.toml").into_iter().collect();
    assert!(
        !host.contains("casparian-sdk"),
        "the host depends on the SDK: only wit/world.wit stands between them"
    );
    for guest in names(&root().join("guests")) {
        let manifest = format!("guests/{guest}/Cargo.toml");
        if root().join(&manifest).is_file() {
            assert_eq!(ours(&manifest), ["casparian-sdk"], "{manifest}");
        }
    }
    let may_know_sql = ["Cargo.toml", "host/Cargo.toml", "tests/Cargo.toml"];
    for manifest in manifests() {
        let knows = keys(&manifest).contains(&"rusqlite".to_owned());
        assert!(
            !knows || may_know_sql.contains(&manifest.path.as_str()),
            "{}: SQL is the loader's",
            manifest.path
        );
    }
}

#[test]
fn the_library_knows_nothing_of_its_faces() {
    let mut library = sources();
    library.retain(|file| file.is_in(&["host/src/"]) && !file.is_in(&["host/src/bin/"]));
    assert_none(naming(&library, &["clap", "indicatif", "bin::"]), "the library knows no command line");
}

#[test]
fn only_the_flow_makes_accepted_rows() {
    let mut others = sources();
    others.retain(|file| !file.is_in(&["host/core/src/flow", "host/core/src/contract/"]));
    assert_none(naming(&others, &["Accepted::new"]), "only a commit makes rows accepted");
    let reach =
        std::fs::read_to_string(root().join("host/core/src/contract/verdict.rs")).expect("the verdicts");
    assert!(reach.contains("pub(crate) fn new("), "`Accepted::new` must not be public");
}

#[test]
fn nothing_reads_arrow_without_checking() {
    let unchecked =
        ["with_skip_validation", "new_unchecked", "build_unchecked", "from_utf8_unchecked", "get_unchecked"];
    assert_none(naming(&sources(), &unchecked), "what a guest sent is checked");
}

#[test]
fn the_reader_of_messages_has_no_decompressor() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("a lock file");
    let package = lock
        .split("[[package]]")
        .find(|package| package.contains("name = \"arrow-ipc\""))
        .expect("arrow-ipc");
    for decompressor in ["lz4", "zstd"] {
        assert!(
            !package.contains(decompressor),
            "arrow-ipc has {decompressor}: one length would abort the worker"
        );
    }
}

#[test]
fn s_10_deadlines_are_of_a_clock_that_does_not_jump() {
    let mut deadlines = sources();
    deadlines.retain(|file| file.is_in(&["host/src/supervisor.rs", "host/src/link.rs", "host/sandbox/"]));
    assert_none(
        naming(&deadlines, &["SystemTime", "CLOCK_REALTIME"]),
        "a clock that is set moves no deadline",
    );
    let supervisor =
        deadlines.iter().find(|file| file.path == "host/src/supervisor.rs").expect("the supervisor");
    assert!(supervisor.words().contains("Instant::now"), "the supervisor has no clock");
}

#[test]
fn the_knobs_that_bound_a_guest_are_set() {
    let all: String = files("host/sandbox/src", ".rs").iter().map(File::words).collect();
    for knob in [
        "set_hostcall_fuel",
        "set_max_capacity",
        "max_random_size",
        "max_wasm_stack",
        "consume_fuel(true)",
        ".limiter(",
    ] {
        assert!(all.contains(knob), "`{knob}` is at wasmtime's default");
    }
}

#[test]
fn every_evil_has_a_test() {
    let tests: String = ["evil.rs", "limits.rs", "cli.rs", "receipts.rs", "isolate.rs"]
        .iter()
        .map(|file| read(&format!("tests/suite/{file}")))
        .collect();
    for evil in names(&root().join("tests/evil/guest/src")) {
        let name = evil.trim_end_matches(".rs");
        let is_furniture = ["lib", "arrow", "scene"].contains(&name);
        assert!(is_furniture || tests.contains(&format!("\"{name}\"")), "no test runs the evil `{name}`");
    }
}

/// The cases that are listed: their ids, and who holds them.
fn cases() -> Vec<(String, String)> {
    let list = read("tests/evil/CASES.md");
    let rows = list.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let cases = rows.filter_map(|row| match row.as_slice() {
        ["", id, _, _, held_by, ""] if id.contains('-') && !id.contains("---") => {
            Some(((*id).to_owned(), (*held_by).to_owned()))
        }
        _ => None,
    });
    cases.collect()
}

/// Whether a file has a test of a case, or names it beside what is tried.
fn names_case(file: &str, id: &str, name: &str) -> bool {
    file.contains(&format!("fn {name}_"))
        || file.contains(&format!("_{name}_"))
        || file.contains(&format!("\"{id}\""))
}

#[test]
fn every_case_is_held_where_the_list_says() {
    let suite: String = files("tests/suite", ".rs").iter().map(|file| file.text.clone()).collect();
    let cases = cases();
    assert!(cases.len() > 70, "{} cases: the list is not read", cases.len());
    let mut broken = Vec::new();
    for (id, held_by) in &cases {
        let name = id.to_lowercase().replace('-', "_");
        let is_held = match held_by.as_str() {
            "suite" => suite.contains(&format!("fn {name}_")) || suite.contains(&format!("_{name}_")),
            file => names_case(&read(file), id, &name),
        };
        broken.extend((!is_held).then(|| format!("{id}: {held_by}")));
    }
    assert_none(broken, "a case without a test is a hope");
}

#[test]
fn every_test_of_a_case_is_in_the_list() {
    let listed: BTreeSet<String> = cases().into_iter().map(|(id, _)| id).collect();
    let mut broken = Vec::new();
    for file in files("tests/suite", ".rs") {
        for name in file.text.lines().filter_map(|line| line.trim().strip_prefix("fn ")) {
            let parts: Vec<&str> = name.split(['_', '(']).collect();
            let ids = parts.windows(2).filter(|pair| matches!(pair[0], "c" | "e" | "a" | "i" | "k" | "s"));
            let ids =
                ids.filter(|pair| pair[1].len() == 2 && pair[1].bytes().all(|byte| byte.is_ascii_digit()));
            let ids = ids.map(|pair| format!("{}-{}", pair[0].to_uppercase(), pair[1]));
            broken.extend(ids.filter(|id| !listed.contains(id)).map(|id| format!("{}: {id}", file.path)));
        }
    }
    assert_none(broken, "a test of a case that tests/evil/CASES.md does not list");
}

#[test]
fn every_file_of_the_suite_is_mounted() {
    let main = read("tests/suite/main.rs");
    for file in names(&root().join("tests/suite")).iter().filter(|file| *file != "main.rs") {
        let name = file.trim_end_matches(".rs");
        assert!(
            main.contains(&format!("\nmod {name};")),
            "tests/suite/{file} is not mounted, so it tests nothing"
        );
    }
}

#[test]
fn every_golden_message_is_in_the_index() {
    let index: Json = serde_json::from_str(&read("wit/vectors/index.json")).expect("JSON");
    let listed: BTreeSet<&str> = index["vectors"]
        .as_array()
        .expect("vectors")
        .iter()
        .filter_map(|vector| vector["file"].as_str())
        .collect();
    let found = names(&root().join("wit/vectors"));
    let found: BTreeSet<&str> =
        found.iter().map(String::as_str).filter(|name| name.ends_with(".hex")).collect();
    assert_eq!(listed, found);
}

#[test]
fn the_repository_speaks_of_the_project_alone() {
    // In two parts each, or this file would find itself.
    let strangers =
        [("issue", " #"), ("ticket", " #"), ("co-authored", "-by"), ("language", " model"), ("chat", "gpt")];
    let mut broken = Vec::new();
    for file in [files("", ".rs"), files("", ".md"), files("", ".toml"), files("", ".wit")].concat_files() {
        let text = file.text.to_lowercase();
        let found = strangers.iter().filter(|(one, other)| text.contains(&format!("{one}{other}")));
        broken.extend(found.map(|(one, other)| format!("{}: {one}{other}", file.path)));
    }
    assert_none(broken, "the repository speaks of the project");
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
