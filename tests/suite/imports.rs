//! What a component may import, and what it finds there: refused by name, or empty, still and the same in every run.

use crate::component::{self, Text};
use crate::host::{Desk, Said};

fn run(text: &Text) -> (Desk, Said) {
    let desk = Desk::new(component::INPUT);
    let path = desk.write("text.wasm", &text.component());
    let said = desk.run(&path).done();
    std::fs::remove_file(path).expect("the component is there");
    (desk, said)
}

/// Runs a component that ends with a fault whose place is two numbers, and returns them.
#[track_caller]
fn seen(text: &Text) -> (u64, u64) {
    let (desk, said) = run(text);
    assert_eq!(said.assert_fault("input", "parser-gave-up"), "the parser gave up: seen: seen");
    desk.assert_untouched();
    let at = &said.report()["fault"]["at"];
    (at["offset"].as_u64().expect("an offset"), at["length"].as_u64().expect("a length"))
}

#[track_caller]
fn denied(import: &'static str, code: &str) -> String {
    let (desk, said) = run(&Text { imports: import, ..Text::default() });
    let message = said.assert_fault("guest", code);
    desk.assert_untouched();
    message
}

#[test]
fn c_15_sockets_are_denied_by_name() {
    let message = denied(r#"(import "wasi:sockets/tcp@0.2.0" (instance))"#, "import-denied");
    assert_eq!(message, "import denied: wasi:sockets/tcp@0.2.0");
}

#[test]
fn c_16_http_is_denied_by_name() {
    let message = denied(r#"(import "wasi:http/outgoing-handler@0.2.0" (instance))"#, "import-denied");
    assert_eq!(message, "import denied: wasi:http/outgoing-handler@0.2.0");
}

#[test]
fn c_17_an_interface_that_nobody_knows_is_denied_by_name() {
    let message = denied(r#"(import "evil:x/y" (instance))"#, "import-denied");
    assert_eq!(message, "import denied: evil:x/y");
    denied(r#"(import "casparian:parser/secrets@0.2.0" (instance))"#, "import-denied");
    denied(r#"(import "wasi:clocks/wall-clock@0.3.0" (instance))"#, "import-denied");
}

#[test]
fn c_18_another_version_or_another_type_of_our_own_interface_is_a_mismatch() {
    let message = denied(r#"(import "casparian:parser/output@0.9.0" (instance))"#, "world-mismatch");
    assert_eq!(message, "built for casparian:parser/output@0.9.0, this host speaks casparian:parser@0.2.0");
    let other_type = r#"(import "casparian:parser/output@0.2.0" (instance
        (export "wanted" (func (param "table" u32) (result bool)))))"#;
    let message = denied(other_type, "world-mismatch");
    assert!(message.contains("wanted"), "{message}");
    let unknown = r#"(import "casparian:parser/output@0.2.0" (instance (export "erase" (func))))"#;
    let message = denied(unknown, "world-mismatch");
    assert!(message.contains("erase"), "{message}");
}

#[test]
fn c_19_a_component_without_the_export_is_no_parser() {
    let desk = Desk::new(component::INPUT);
    let path = desk.write("text.wasm", &wat::parse_str("(component)").expect("a component"));
    let message = desk.run(&path).done().assert_fault("guest", "world-mismatch");
    assert_eq!(message, "it exports no casparian:parser/format@0.2.0");
    let hollow = wat::parse_str(
        r#"(component (instance $empty) (export "casparian:parser/format@0.2.0" (instance $empty)))"#,
    );
    std::fs::write(&path, hollow.expect("a component")).expect("written");
    let message = desk.run(&path).done().assert_fault("guest", "world-mismatch");
    assert!(message.contains("describe"), "{message}");
}

#[test]
fn e_25_the_clocks_stand_still_and_stand_alike_in_every_run() {
    let wall = Text {
        imports: r#"(import "wasi:clocks/wall-clock@0.2.0" (instance $clock
            (type $shape (record (field "seconds" u64) (field "nanoseconds" u32)))
            (export "datetime" (type $time (eq $shape)))
            (export "now" (func (result $time)))))"#,
        core_imports: r#"(import "world" "now" (func $now (param i32)))"#,
        world: r#"(core func $now (canon lower (func $clock "now") (memory (core memory $heap "memory"))))"#,
        parse: "(call $now (i32.const 2048)) (call $now (i32.const 2064))
            (call $seen (i64.load (i32.const 2048)) (i64.load (i32.const 2064)))",
        ..Text::default()
    };
    assert_eq!(seen(&wall), (946_684_800, 946_684_800));
    let monotonic = Text {
        imports: r#"(import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))"#,
        core_imports: r#"(import "world" "now" (func $now (result i64)))"#,
        world: r#"(core func $now (canon lower (func $clock "now")))"#,
        parse: "(call $seen (call $now) (call $now))",
        ..Text::default()
    };
    assert_eq!(seen(&monotonic), (0, 0));
}

fn random(parse: &'static str) -> Text {
    Text {
        imports: r#"(import "wasi:random/random@0.2.0" (instance $random
            (export "get-random-u64" (func (result u64)))
            (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))"#,
        core_imports: r#"(import "world" "random" (func $random (result i64)))
            (import "world" "random_bytes" (func $random_bytes (param i64 i32)))"#,
        world: r#"(core func $random (canon lower (func $random "get-random-u64")))
            (core func $random_bytes (canon lower (func $random "get-random-bytes")
              (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))"#,
        parse,
        ..Text::default()
    }
}

#[test]
fn e_26_randomness_is_the_same_in_every_run() {
    let two = random("(call $seen (call $random) (call $random))");
    let (first, second) = seen(&two);
    assert_ne!(first, second);
    assert_eq!(seen(&two), (first, second));
}

#[test]
fn e_26_randomness_past_its_bound_is_refused() {
    let most = random(
        "(call $random_bytes (i64.const 65536) (i32.const 2048)) (call $seen (i64.load32_u (i32.const 2052)) (i64.const 1))",
    );
    let roomy = Text { memory: "4", ..most };
    assert_eq!(seen(&roomy), (65_536, 1));
    for parse in [
        "(call $random_bytes (i64.const 65537) (i32.const 2048)) (call $seen (i64.const 0) (i64.const 0))",
        "(call $random_bytes (i64.const 1073741824) (i32.const 2048)) (call $seen (i64.const 0) (i64.const 0))",
    ] {
        let (desk, said) = run(&Text { memory: "4", ..random(parse) });
        let report = said.report();
        assert_eq!((&report["fault"]["blame"], said.exit), (&"guest".into(), 10), "{report}");
        desk.assert_untouched();
    }
}

#[test]
fn e_27_there_is_no_environment_and_there_are_no_arguments() {
    let text = Text {
        imports: r#"(import "wasi:cli/environment@0.2.0" (instance $cli
            (export "get-environment" (func (result (list (tuple string string)))))
            (export "get-arguments" (func (result (list string))))))"#,
        core_imports: r#"(import "world" "environment" (func $environment (param i32)))
            (import "world" "arguments" (func $arguments (param i32)))"#,
        world: r#"(core func $environment (canon lower (func $cli "get-environment")
              (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))
            (core func $arguments (canon lower (func $cli "get-arguments")
              (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))"#,
        parse: "(call $environment (i32.const 2048)) (call $arguments (i32.const 2064))
            (call $seen (i64.load32_u (i32.const 2052)) (i64.load32_u (i32.const 2068)))",
        ..Text::default()
    };
    assert_eq!(seen(&text), (0, 0));
}

#[test]
fn e_28_there_are_no_directories() {
    let text = Text {
        imports: r#"(import "wasi:filesystem/types@0.2.0" (instance $files (export "descriptor" (type (sub resource)))))
            (alias export $files "descriptor" (type $descriptor))
            (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
              (export "descriptor" (type $d (eq $descriptor)))
              (export "get-directories" (func (result (list (tuple (own $d) string)))))))"#,
        core_imports: r#"(import "world" "directories" (func $directories (param i32)))"#,
        world: r#"(core func $directories (canon lower (func $preopens "get-directories")
              (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))"#,
        parse: "(call $directories (i32.const 2048)) (call $seen (i64.load32_u (i32.const 2052)) (i64.const 7))",
        ..Text::default()
    };
    assert_eq!(seen(&text), (0, 7));
}

#[test]
fn e_30_to_exit_is_to_fail_whatever_the_status() {
    for (status, shown) in [("0", "0"), ("1", "1")] {
        let parse: &'static str =
            Box::leak(format!("(call $exit (i32.const {status})) (i32.const 1400)").into_boxed_str());
        let text = Text {
            imports: r#"(import "wasi:cli/exit@0.2.0" (instance $cli (export "exit" (func (param "status" (result))))))"#,
            core_imports: r#"(import "world" "exit" (func $exit (param i32)))"#,
            world: r#"(core func $exit (canon lower (func $cli "exit")))"#,
            parse,
            ..Text::default()
        };
        let (desk, said) = run(&text);
        let message = said.assert_fault("guest", "guest-exit");
        assert_eq!(message, format!("the parser exited with status {shown} instead of returning"));
        desk.assert_untouched();
    }
}

/// A component that writes `bytes` of the byte `with` to its standard output, 4 KiB at a time.
fn printing(with: u8, bytes: u32) -> Text {
    let parse = format!(
        "(local $out i32) (local $left i32)
        (memory.fill (i32.const 65536) (i32.const {with}) (i32.const 4096))
        (local.set $out (call $stdout)) (local.set $left (i32.const {}))
        (loop $more
          (call $write (local.get $out) (i32.const 65536) (i32.const 4096) (i32.const 2048))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $more (local.get $left)))
        (i32.const 1400)",
        bytes / 4096
    );
    Text {
        imports: r#"(import "wasi:io/error@0.2.0" (instance $io-error (export "error" (type (sub resource)))))
            (alias export $io-error "error" (type $error))
            (import "wasi:io/streams@0.2.0" (instance $streams
              (export "error" (type $e (eq $error)))
              (type $shape (variant (case "last-operation-failed" (own $e)) (case "closed")))
              (export "stream-error" (type $stream-error (eq $shape)))
              (export "output-stream" (type $stream (sub resource)))
              (export "[method]output-stream.blocking-write-and-flush" (func (param "self" (borrow $stream))
                (param "contents" (list u8)) (result (result (error $stream-error)))))))
            (alias export $streams "output-stream" (type $output-stream))
            (import "wasi:cli/stdout@0.2.0" (instance $cli
              (export "output-stream" (type $s (eq $output-stream)))
              (export "get-stdout" (func (result (own $s))))))"#,
        core_imports: r#"(import "world" "stdout" (func $stdout (result i32)))
            (import "world" "write" (func $write (param i32 i32 i32 i32)))"#,
        world: r#"(core func $stdout (canon lower (func $cli "get-stdout")))
            (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
              (memory (core memory $heap "memory"))))"#,
        memory: "4",
        parse: Box::leak(parse.into_boxed_str()),
        ..Text::default()
    }
}

#[test]
fn e_31_what_is_printed_is_a_log_with_the_bounds_of_one() {
    for (byte, lines) in [(b'x', 50_000), (b'\n', 50_000 * 4096)] {
        let desk = Desk::new(component::INPUT);
        let path = desk.write("text.wasm", &printing(byte, 50_000 * 4096).component());
        let said = desk.run(&path).limit("log", "64000").limit("time", "5m").args(&["--log", "info"]).done();
        let report = said.assert_completed();
        let kept = if byte == b'x' { 62 } else { 1000 };
        assert_eq!(report["log_lines_dropped"], lines - kept);
        assert_eq!(report["warnings"][0]["code"], "log-full");
        assert!(said.stderr.len() < 256 * 1024, "{} bytes of talk", said.stderr.len());
    }
}

#[test]
fn e_29_to_sleep_for_an_hour_takes_no_time() {
    let text = Text {
        imports: r#"(import "wasi:io/poll@0.2.0" (instance $poll
              (export "pollable" (type $p (sub resource)))
              (export "[method]pollable.block" (func (param "self" (borrow $p))))))
            (alias export $poll "pollable" (type $pollable))
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
              (export "pollable" (type $p (eq $pollable)))
              (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))"#,
        core_imports: r#"(import "world" "subscribe" (func $subscribe (param i64) (result i32)))
            (import "world" "block" (func $block (param i32)))"#,
        world: r#"(core func $subscribe (canon lower (func $clock "subscribe-duration")))
            (core func $block (canon lower (func $poll "[method]pollable.block")))"#,
        parse: "(call $block (call $subscribe (i64.const 3600000000000))) (i32.const 1400)",
        ..Text::default()
    };
    let desk = Desk::new(component::INPUT);
    let path = desk.write("text.wasm", &text.component());
    let said = desk.run(&path).done();
    assert!(said.assert_completed()["wall_ms"].as_u64() < Some(3_600_000));
}
