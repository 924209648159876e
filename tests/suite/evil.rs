//! Guests that misbehave, as the program meets them. Each test is called after its case; each ends with a typed fault whose
//! numbers it checks, nothing published and nothing left behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{RecordBatch, new_null_array};
use arrow_ipc::writer::{
    CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions, write_message,
};
use arrow_schema::{DataType, Field, Schema};
use serde_json::Value as Json;

use crate::component::{self, Text};
use crate::host::{self, Desk, INPUT, OUT, Said, evil, guest};
use crate::tables;

/// Any input will do; this one has 64 bytes.
const FILE: &[u8] = b"The parser is told what to do, and this is what it would read.\r\n";

/// Runs an evil, checks that it ends with a fault of the guest's and leaves nothing, and returns the message.
#[track_caller]
fn refused(evil: &str, options: &[(&str, &str)], code: &str) -> String {
    let desk = Desk::new(FILE);
    let call = options.iter().fold(desk.evil(evil), |call, (key, value)| call.option(key, value));
    let message = call.done().assert_fault("guest", code);
    desk.assert_untouched();
    message
}

/// Runs a component made of text.
fn run_text(text: &Text, limits: &[(&str, &str)]) -> (Desk, Said) {
    run_bytes(&text.component(), limits)
}

fn run_bytes(component: &[u8], limits: &[(&str, &str)]) -> (Desk, Said) {
    let desk = Desk::new(component::INPUT);
    let path = desk.write("text.wasm", component);
    let said = limits.iter().fold(desk.run(&path), |call, (key, value)| call.limit(key, value)).done();
    std::fs::remove_file(path).expect("the component is there");
    (desk, said)
}

#[track_caller]
fn text_refused(text: &Text, blame: &str, code: &str) -> String {
    let (desk, said) = run_text(text, &[]);
    let message = said.assert_fault(blame, code);
    desk.assert_untouched();
    message
}

#[test]
fn an_honest_guest_passes_so_the_others_fail_for_what_they_do() {
    let desk = Desk::new(FILE);
    let report = desk.evil("honest").option("n", 3).done().assert_completed();
    assert_eq!(report["tables"][0]["accepted"], 3);
    assert_eq!(desk.names(), [INPUT, OUT]);
    let (desk, said) = run_text(&Text::default(), &[]);
    let report = said.assert_completed();
    assert_eq!(report["accounting"]["coverage"], "none");
    assert_eq!(report["accounting"]["dark_bytes"], 16);
    assert_eq!(desk.names(), [INPUT, OUT]);
}

// C: loading and compiling.

#[test]
fn c_11_truncated_and_flipped_components_are_refused_or_run_but_never_kill_the_host() {
    let whole = Text::default().component();
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut refused, mut run) = (0, 0);
    for variant in 0..1_000 {
        let mut bytes = whole.clone();
        match variant % 2 {
            0 => bytes.truncate(random(whole.len())),
            _ => bytes[random(whole.len())] ^= 1 << random(8),
        }
        match casparian_tests::Bench::new(&bytes) {
            Err((code, message)) => {
                assert!(!message.is_empty());
                assert!(
                    ["not-a-component", "invalid-component", "import-denied", "world-mismatch"]
                        .contains(&code),
                    "{code}: {message}"
                );
                refused += 1;
            }
            Ok(bench) => {
                let limits = casparian_core::limits::Limits {
                    fuel_base: 1_000_000,
                    fuel_per_byte: 0,
                    ..Default::default()
                };
                bench.run(&limits, component::INPUT, &[]);
                run += 1;
            }
        }
    }
    assert!(refused > 700 && run > 10, "{refused} refused, {run} run");
}

#[test]
fn c_11_a_truncated_parser_is_refused_by_the_program_too() {
    let whole = std::fs::read(guest("evil")).expect("a component");
    let (desk, said) = run_bytes(&whole[..whole.len() / 2], &[]);
    let message = said.assert_fault("guest", "invalid-component");
    assert!(message.starts_with("invalid component at byte "), "{message}");
    desk.assert_untouched();
}

#[test]
fn c_12_a_core_module_is_told_from_a_component() {
    let (desk, said) = run_bytes(&wat::parse_str("(module)").expect("a module"), &[]);
    let message = said.assert_fault("operator", "not-a-component");
    assert_eq!(message, "this is a core module, not a WebAssembly component");
    desk.assert_untouched();
}

#[test]
fn c_20_features_that_are_off_are_refused_by_name() {
    let denied = [
        ("garbage collection", "(type (struct (field i32))) (func (param (ref null 0)))", "gc"),
        ("64-bit memories", "(memory i64 1)", "memory64"),
        ("threads", "(memory 1 1 shared)", "threads"),
        ("exceptions", "(tag)", "exceptions"),
        ("tail calls", "(func return_call 0)", "tail calls"),
        (
            "relaxed SIMD",
            "(func (param v128 v128) (result v128) local.get 0 local.get 1 i8x16.relaxed_swizzle)",
            "relaxed SIMD",
        ),
    ];
    for (what, module, word) in denied {
        // A module of its own, so that nothing else can be wrong with it.
        let imports: &'static str = Box::leak(format!("(core module {module})").into_boxed_str());
        let (desk, said) = run_text(&Text { imports, ..Text::default() }, &[]);
        let message = said.assert_fault("guest", "invalid-component");
        assert!(message.to_lowercase().contains(&word.to_lowercase()), "{what}: {message}");
        desk.assert_untouched();
    }
}

#[test]
fn c_21_a_memory_of_4_gib_is_refused_before_the_guest_runs() {
    let message = text_refused(&Text { memory: "65536", ..Text::default() }, "guest", "memory-limit");
    assert_eq!(message, "memory bytes: limit 268435456, used 0, wanted 4294967296 more");
}

#[test]
fn c_23_too_many_instances_are_refused() {
    let instance = "(core module $one (memory 0))";
    let many: String = (0..70).map(|_| "(core instance (instantiate $one))").collect();
    let imports: &'static str = Box::leak(format!("{instance}{many}").into_boxed_str());
    let (desk, said) = run_text(&Text { imports, ..Text::default() }, &[]);
    assert_eq!(said.report()["fault"]["blame"], "guest", "{said:?}");
    desk.assert_untouched();
}

#[test]
fn c_24_a_start_function_that_loops_burns_its_own_fuel() {
    let text = Text { more: "(func $for_ever (loop br 0)) (start $for_ever)", ..Text::default() };
    let (desk, said) = run_text(&text, &[("fuel", "10M")]);
    let message = said.assert_fault("guest", "fuel-exhausted");
    assert!(message.starts_with("fuel: limit 10000000, used 10000000, wanted 1 more"), "{message}");
    desk.assert_untouched();
}

#[test]
fn c_25_describe_that_speaks_of_output_is_out_of_phase() {
    let message = text_refused(&wanted_in("describe"), "guest", "call-out-of-phase");
    assert_eq!(message, "`output.wanted` was called outside plan and parse");
}

/// A component that asks whether a table is wanted: where it may, and where it must not.
fn wanted_in(function: &str) -> Text {
    let ask = "(drop (call $wanted (i32.const 4096) (i32.const 4)))";
    let text = Text {
        imports: r#"(import "casparian:parser/output@0.2.0" (instance $output
            (export "wanted" (func (param "table" string) (result bool)))))"#,
        core_imports: r#"(import "world" "wanted" (func $wanted (param i32 i32) (result i32)))"#,
        world: r#"(core func $wanted (canon lower (func $output "wanted") (memory (core memory $heap "memory"))))"#,
        ..Text::default()
    };
    match function {
        "describe" => {
            Text { describe: Box::leak(format!("{ask} (i32.const 1024)").into_boxed_str()), ..text }
        }
        _ => Text { parse: Box::leak(format!("{ask} (i32.const 1400)").into_boxed_str()), ..text },
    }
}

#[test]
fn c_26_compiled_code_is_not_taken_for_a_component() {
    let (desk, said) = run_bytes(b"\x7fELF\x02\x01\x01\0 a file of compiled code begins so", &[]);
    assert_eq!(
        said.assert_fault("operator", "not-a-component"),
        "this is compiled code, not a WebAssembly component"
    );
    desk.assert_untouched();
}

#[test]
fn c_27_tampered_code_is_compiled_again_and_the_operator_is_told() {
    let desk = Desk::new(component::INPUT);
    let parser = desk.write("text.wasm", &Text::default().component());
    let cache = desk.path("cache");
    let run = |out: &str| {
        let call = desk.call(&["run"]).arg(&parser).arg(desk.path(INPUT)).args(&["--json", "--out", out]);
        call.cache(cache.clone()).done().assert_completed()
    };
    assert_eq!(run("first")["warnings"], serde_json::json!([]));
    let code = cache.join("code");
    let compiled =
        host::names(&code).into_iter().find(|name| name.ends_with(".cwasm")).expect("code was kept");
    let mut bytes = std::fs::read(code.join(&compiled)).expect("the code");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(code.join(&compiled), bytes).expect("tampered with");
    assert_eq!(run("second")["warnings"][0]["code"], "cache-tampered");
    assert_eq!(run("third")["warnings"], serde_json::json!([]));
}

#[test]
fn c_30_a_link_in_the_place_of_kept_code_is_not_followed() {
    let desk = Desk::new(component::INPUT);
    let parser = desk.write("text.wasm", &Text::default().component());
    let cache = desk.path("cache");
    let run = |out: &str| {
        let call = desk.call(&["run"]).arg(&parser).arg(desk.path(INPUT)).args(&["--json", "--out", out]);
        call.cache(cache.clone()).done().assert_completed()
    };
    run("first");
    let code = cache.join("code");
    let compiled =
        host::names(&code).into_iter().find(|name| name.ends_with(".cwasm")).expect("code was kept");
    let elsewhere = desk.path("elsewhere");
    std::fs::rename(code.join(&compiled), &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, code.join(&compiled)).expect("a link");
    assert_eq!(run("second")["warnings"][0]["code"], "cache-tampered");
}

// E: execution.

#[test]
fn e_01_an_infinite_loop_ends_when_the_fuel_is_spent() {
    let desk = Desk::new(FILE);
    let said = desk.evil("spin").limit("fuel", "50M").done();
    let message = said.assert_fault("guest", "fuel-exhausted");
    assert!(message.starts_with("fuel: limit 50000000, used 50000000"), "{message}");
    assert_eq!(
        said.report()["fault"]["hint"],
        "if the parser is trusted to need more, raise it: `--limit fuel=…`"
    );
    let used = said.report()["fuel"].as_u64().expect("fuel");
    assert!(used.abs_diff(50_000_000) <= 500_000, "{used} is not within 1 %");
    desk.assert_untouched();
}

#[test]
fn e_01_a_loop_with_fuel_to_burn_ends_at_the_deadline() {
    let desk = Desk::new(FILE);
    let begun = Instant::now();
    let said = desk.evil("spin").limit("fuel", "1000T").limit("time", "1500ms").done();
    let message = said.assert_fault("guest", "deadline-exceeded");
    assert!(message.starts_with("deadline ms: limit 1500, used 15"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    desk.assert_untouched();
}

#[test]
fn e_01_describe_that_loops_ends_when_the_fuel_is_spent() {
    let text = Text { describe: "(loop $again (br $again)) (unreachable)", ..Text::default() };
    let (desk, said) = run_text(&text, &[("fuel", "10M")]);
    said.assert_fault("guest", "fuel-exhausted");
    desk.assert_untouched();
}

#[test]
fn e_02_filling_memory_again_and_again_burns_fuel() {
    let fill = "(loop $again (memory.fill (i32.const 0) (i32.const 0) (i32.const 33554432)) (br $again)) (unreachable)";
    let (desk, said) = run_text(&Text { memory: "512", parse: fill, ..Text::default() }, &[("time", "60s")]);
    said.assert_fault("guest", "fuel-exhausted");
    assert!(said.report()["wall_ms"].as_u64() < Some(60_000));
    desk.assert_untouched();
}

#[test]
fn e_04_recursion_without_end_ends_at_the_bound_of_the_stack() {
    let message = refused("recurse", &[], "limit-exceeded");
    assert_eq!(message, "stack bytes: limit 1048576, used 1048576, wanted 1 more");
}

#[test]
fn e_05_memory_that_was_refused_is_what_a_panic_is_blamed_on() {
    let desk = Desk::new(FILE);
    let said = desk.evil("grow").limit("memory", "64MiB").done();
    let message = said.assert_fault("guest", "memory-limit");
    assert!(
        message.starts_with("memory bytes: limit 67108864, used 67")
            && message.ends_with("wanted 65536 more"),
        "{message}"
    );
    let peak = said.report()["memory_peak_bytes"].as_u64().expect("a peak");
    assert!((67_108_864 - 65_536..=67_108_864).contains(&peak), "{peak}");
    desk.assert_untouched();
}

#[test]
fn e_07_a_table_that_grows_past_its_bound_is_refused_and_what_follows_is_blamed_on_it() {
    let text = Text {
        more: "(table $t 1 funcref)",
        parse: "(if (i32.eq (table.grow $t (ref.null func) (i32.const 100000)) (i32.const -1)) (then (unreachable))) (i32.const 1400)",
        ..Text::default()
    };
    let message = text_refused(&text, "guest", "table-limit");
    assert_eq!(message, "table elements: limit 100000, used 1, wanted 100000 more");
}

#[test]
fn e_08_every_trap_has_a_name() {
    let traps = [
        ("(unreachable)", "unreachable"),
        ("(i32.div_s (i32.const 1) (i32.const 0))", "division-by-zero"),
        ("(i32.div_s (i32.const -2147483648) (i32.const -1))", "integer-overflow"),
        ("(i32.load (i32.const -8))", "memory-out-of-bounds"),
        ("(i32.trunc_f32_s (f32.const nan))", "bad-conversion-to-integer"),
        ("(call_indirect $t (result i32) (i32.const 0))", "indirect-call-to-null"),
        ("(call_indirect $t (result i32) (i32.const 1))", "indirect-call-type"),
        ("(call_indirect $t (result i32) (i32.const 9))", "table-out-of-bounds"),
    ];
    for (parse, name) in traps {
        let more =
            "(table $t 2 funcref) (func $other (param i64)) (elem (table $t) (i32.const 1) func $other)";
        let message = text_refused(&Text { parse, more, ..Text::default() }, "guest", "guest-trap");
        assert!(message.starts_with(&format!("the parser trapped: {name}")), "{message}");
    }
}

#[test]
fn e_09_a_panic_with_10_mb_to_say_is_cut() {
    let desk = Desk::new(FILE);
    let said = desk.evil("loud_panic").option("n", 10_000_000).option("text", "\u{1b}[31mloud ").done();
    let message = said.assert_fault("guest", "guest-trap");
    assert!(message.starts_with("the parser trapped: unreachable"), "{message}");
    assert!(message.contains("it said:") && message.contains("\\u{1b}[31mloud"), "{message}");
    assert!(message.len() < 8 * 1024, "{} bytes of message", message.len());
    assert!(said.stderr.len() < 16 * 1024, "{} bytes of log", said.stderr.len());
    desk.assert_untouched();
}

#[test]
fn e_10_a_host_call_with_4_gib_to_carry_is_refused_without_allocating() {
    for (address, bytes) in [(0_u32, u32::MAX), (u32::MAX, 1), (65_535, 2), (0, 65_537)] {
        let mut text = wanted_in("parse");
        let ask = format!(
            "(drop (call $wanted (i32.const {}) (i32.const {}))) (i32.const 1400)",
            address.cast_signed(),
            bytes.cast_signed()
        );
        text.parse = Box::leak(ask.into_boxed_str());
        let message = text_refused(&text, "guest", "hostcall-refused");
        assert!(message.ends_with("one call may carry 16842752 bytes"), "{message}");
    }
    wanted_in("parse");
    let (_, said) = run_text(&wanted_in("parse"), &[]);
    said.assert_completed();
}

#[test]
fn e_12_a_name_that_is_not_utf_8_is_refused() {
    let mut text = wanted_in("parse");
    text.parse = "(i32.store8 (i32.const 4096) (i32.const 255)) (drop (call $wanted (i32.const 4096) (i32.const 4))) (i32.const 1400)";
    let message = text_refused(&text, "guest", "hostcall-refused");
    assert!(message.contains("utf-8"), "{message}");
}

#[test]
fn e_15_handles_that_are_never_dropped_end_at_their_bound() {
    let message = refused("handles", &[("n", "10000000")], "handle-limit");
    assert_eq!(message, "open handles: limit 64, used 64, wanted 1 more");
}

#[test]
fn e_15_ranges_cost_a_guest_no_handles() {
    let desk = Desk::new(&FILE.repeat(16));
    let said = desk.evil("bad_layout").option("text", "even").option("n", 500).done();
    assert_eq!(said.assert_completed()["records"], 500);
}

#[test]
fn e_16_a_forged_handle_is_no_handle() {
    let text = Text { parse: "(drop (call $len (i32.const 999))) (i32.const 1400)", ..Text::default() };
    let message = text_refused(&text, "guest", "hostcall-refused");
    assert!(message.contains("handle"), "{message}");
}

#[test]
fn e_16_a_handle_that_was_dropped_is_gone() {
    let text = Text {
        parse: "(call $drop (local.get $input)) (drop (call $len (local.get $input))) (i32.const 1400)",
        ..Text::default()
    };
    let message = text_refused(&text, "guest", "hostcall-refused");
    assert!(message.contains("handle"), "{message}");
}

#[test]
fn e_18_a_table_has_one_schema() {
    let message = refused("reopens", &[], "schema-changed");
    assert_eq!(message, "table `rows` was opened again with another schema");
}

#[test]
fn e_18_a_commit_never_moves_back() {
    let message = refused("commit_backwards", &[], "commit-outside");
    assert_eq!(message, "commit up to 63, but it may go from 64 to 64");
}

#[test]
fn e_18_a_commit_never_passes_the_end() {
    let message = refused("commit_past_end", &[("n", "1")], "commit-outside");
    assert_eq!(message, "commit up to 65, but it may go from 0 to 64");
}

#[test]
fn e_19_rows_that_were_never_committed_are_not_dropped_without_a_word() {
    let message = refused("commit_never", &[("n", "7")], "uncommitted");
    assert_eq!(message, "parse returned with 7 rows and rejections not yet committed (watermark 0)");
}

#[test]
fn e_19_what_waits_for_a_commit_is_bounded() {
    // The larger the input, the more rows there may be; what is held back is bounded all the same.
    let desk = Desk::new(&FILE.repeat(1000));
    let call =
        desk.evil("flood_uncommitted").option("n", 100).option("m", 1000).option("text", "x".repeat(1000));
    let message = call.done().assert_fault("guest", "limit-exceeded");
    assert!(message.starts_with("uncommitted bytes: limit 67108864, used 6"), "{message}");
    desk.assert_untouched();
}

#[test]
fn e_20_a_fault_with_a_megabyte_of_escapes_is_cut_and_escaped() {
    let desk = Desk::new(FILE);
    let said = desk.evil("gives_up").option("n", 1_000_000).done();
    let message = said.assert_fault("input", "parser-gave-up");
    assert!(message.starts_with("the parser gave up: \\u{1b}]52;c;\\u{7}\\n"), "{message}");
    assert!(message.len() < 4 * 1024, "{} bytes of message", message.len());
    desk.assert_untouched();
}

#[test]
fn e_21_a_flooded_log_is_dropped_and_counted_and_the_run_goes_on() {
    // Lines that say nothing are told all the same, so they count too.
    for line_bytes in [0, 1] {
        let desk = Desk::new(FILE);
        let call = desk.evil("log_flood").option("n", 20_000).option("m", line_bytes);
        let report = call.limit("log", "64000").done().assert_completed();
        assert_eq!(report["log_lines_dropped"], 19_000);
        assert_eq!(report["warnings"][0]["code"], "log-full");
        let message = "log bytes: limit 64000, used 64000, wanted 64 more; 19000 lines dropped";
        assert_eq!(report["warnings"][0]["message"], message);
        assert!(report["fuel"].as_u64() > Some(20_000 * 200), "a line costs fuel: {}", report["fuel"]);
    }
}

#[test]
fn e_21_a_billion_lines_end_when_the_fuel_is_spent() {
    let message = refused("log_flood", &[("n", "1000000000"), ("m", "1")], "fuel-exhausted");
    assert!(message.starts_with("fuel: limit "), "{message}");
}

#[test]
fn e_22_nothing_in_a_log_steers_a_terminal_or_forges_a_line() {
    let desk = Desk::new(FILE);
    // `done` checks all that is said for characters that steer.
    let said = desk.evil("log_escapes").done();
    said.assert_completed();
    let line = said.stderr.lines().find(|line| line.contains("forged")).expect("the line is shown");
    assert!(line.contains("\\u{1b}]52") && line.contains("\\rforged\\n{\"fault\""), "{line}");
}

#[test]
fn e_23_a_read_beyond_every_end_is_empty_or_short() {
    let desk = Desk::new(FILE);
    desk.evil("reads_wildly").done().assert_completed();
    let desk = Desk::new(&vec![b'x'; 3 << 20]);
    desk.evil("reads_wildly").done().assert_completed();
}

#[test]
fn e_33_nothing_of_one_file_is_left_for_the_next() {
    let desk = Desk::new(FILE);
    desk.write("second", FILE);
    let call = desk.call(&["run"]).arg(guest("evil")).args(&["input", "second", "--json", "--out", "out"]);
    let said = call.option("evil", "remembers").done();
    assert_eq!(said.exit, 0, "{said:?}");
    let rows = tables::read(&desk.path("out/rows/000000.parquet"));
    assert_eq!(tables::texts(&rows, "text"), vec![Some("call 1".to_owned()); 2]);
}

#[test]
fn e_34_a_hundred_thousand_good_rows_before_a_trap_are_not_published() {
    let message = refused("late_trap", &[("n", "64"), ("m", "1600")], "guest-trap");
    assert!(message.contains("after 102400 rows"), "{message}");
}

#[test]
fn a_refusal_is_final_whatever_the_guest_does_with_it() {
    let message = refused("ignores_refusal", &[], "bad-name");
    assert_eq!(message, "table name \"Not A Name\" does not match [a-z][a-z0-9_]{0,62}");
}

#[test]
fn a_plan_that_is_no_cut_of_the_input_is_refused() {
    let cuts = [
        ("gap", "the plan's range 1 is bytes 33..64, but 32 is where it must begin"),
        ("overlap", "the plan's range 1 is bytes 31..64, but 32 is where it must begin"),
        ("short", "the plan has 1 ranges that end at byte 63 of 64"),
        ("long", "the plan's range 0 is bytes 0..65, but 0 is where it must begin"),
        ("none", "the plan has 0 ranges that end at byte 0 of 64"),
        ("late", "the plan's range 0 is bytes 1..64, but 0 is where it must begin"),
        ("hollow", "the plan's range 0 is bytes 0..0, but 0 is where it must begin"),
        ("backwards", "the plan's range 0 is bytes 32..64, but 0 is where it must begin"),
        ("endless", "the plan's range 0 is bytes 0..18446744073709551615, but 0 is where it must begin"),
    ];
    for (cut, expected) in cuts {
        assert_eq!(refused("bad_layout", &[("text", cut)], "bad-layout"), expected, "{cut}");
    }
}

#[test]
fn skipping_everything_is_seen_for_what_it_is() {
    let desk = Desk::new(FILE);
    let report = desk.evil("skips_everything").done().assert_completed();
    let accounting = &report["accounting"];
    assert_eq!(accounting["skipped_bytes"], 64);
    assert_eq!(accounting["skipped_by_kind"], serde_json::json!({ "preamble": 64 }));
    assert_eq!((&report["records"], &accounting["accepted_bytes"]), (&Json::from(0), &Json::from(0)));
    let told = Desk::new(FILE);
    let call =
        told.call(&["run"]).arg(guest("evil")).arg(told.path(INPUT)).option("evil", "skips_everything");
    let summary = call.done().stderr;
    assert!(summary.contains("preamble") && summary.contains("64"), "{summary}");
}

#[test]
fn spans_stay_where_they_may_be() {
    let message = refused("span_outside", &[("n", "0")], "span-outside");
    assert_eq!(message, "row at bytes 64..65 is outside bytes 0..64, which is what may be spoken of now");
    let message = refused("span_empty", &[], "empty-span");
    assert_eq!(message, "row at byte 0 has no bytes");
    let message = refused("span_before_watermark", &[("n", "1")], "span-outside");
    assert_eq!(message, "row at bytes 31..32 is outside bytes 32..64, which is what may be spoken of now");
    let message = refused("spans_overlap", &[("n", "1")], "span-overlap");
    assert_eq!(message, "record at bytes 3..7 overlaps the record at bytes 0..4");
    let desk = Desk::new(FILE);
    desk.evil("spans_overlap").option("n", 0).done().assert_completed();
    let desk = Desk::new(FILE);
    desk.evil("span_before_watermark").option("n", 0).done().assert_completed();
}

// A: what is handed over.

#[test]
fn a_01_a_batch_cut_anywhere_is_refused() {
    let bench = evil();
    let limits = casparian_core::limits::Limits::default();
    let refused = |bytes: usize| {
        let outcome = bench.run(&limits, FILE, &[("evil", "batch_truncated"), ("n", &bytes.to_string())]);
        (outcome.code(), outcome.message())
    };
    for bytes in (1..200).chain([250, 300]) {
        let (code, message) = refused(bytes);
        let known = ["message-short", "metadata-truncated", "body-truncated", "metadata-length"];
        assert!(known.contains(&code), "{bytes} bytes: {code}: {message}");
    }
    assert_eq!(refused(100_000).0, "ok");
}

#[test]
fn a_02_a_batch_of_random_bytes_is_refused_by_the_program() {
    for bytes in ["0", "7", "4096", "1000000"] {
        let desk = Desk::new(FILE);
        let said = desk.evil("batch_garbage").option("n", bytes).option("m", 3).done();
        let code = if bytes.len() == 1 { "message-short" } else { "continuation-missing" };
        said.assert_fault("guest", code);
        desk.assert_untouched();
    }
}

#[test]
fn a_06_a_21_every_golden_message_has_its_verdict_in_the_sandbox_too() {
    let folder = host::root().join("wit/vectors");
    let index = std::fs::read_to_string(folder.join("index.json")).expect("an index");
    let index: Json = serde_json::from_str(&index).expect("JSON");
    let hex = |file: &Json| {
        let text = std::fs::read_to_string(folder.join(file.as_str().expect("a file"))).expect("a message");
        text.split_whitespace().collect::<String>()
    };
    let limits = casparian_core::limits::Limits::default();
    for vector in index["vectors"].as_array().expect("vectors") {
        let message = hex(&vector["file"]);
        let text =
            if vector["kind"] == "batch" { format!("{}/{message}", hex(&vector["schema"])) } else { message };
        let outcome = evil().run(&limits, FILE, &[("evil", "speak_hex"), ("text", &text)]);
        check_verdict(vector, &outcome);
    }
}

/// A message that the wire accepts may still speak of bytes that the input does not have, or of faults unknown here.
fn check_verdict(vector: &Json, outcome: &casparian_tests::Outcome) {
    let beyond_the_wire = ["ok", "span-outside", "empty-span", "unknown-fault", "uncommitted"];
    match vector["code"].as_str() {
        Some(code) => assert_eq!(outcome.code(), code, "{vector}: {}", outcome.message()),
        None => assert!(beyond_the_wire.contains(&outcome.code()), "{vector}: {}", outcome.message()),
    }
}

#[test]
fn a_batch_that_lies_is_refused_and_nothing_of_it_is_believed() {
    let lies = [
        (
            "batch_lie_about_rows",
            "array-length",
            "column \"_cf_offset\": an array of 1 values where 2 are due",
        ),
        (
            "batch_null_count_lie",
            "null-count-lie",
            "column \"text\": null count 1, but the validity bitmap has 0 nulls",
        ),
        ("batch_of_another_schema", "node-count", "batch has 2 field nodes, its schema needs 3"),
        ("batch_schema_again", "wrong-header", "message holds a schema, not a record batch"),
        ("batch_trailing_bytes", "trailing-bytes", "message goes on for 8 bytes behind its body"),
        ("compressed", "compression-denied", "batch is compressed, which is not allowed"),
    ];
    for (evil, code, expected) in lies {
        let message = refused(evil, &[], code);
        assert_eq!(message, format!("batch of table `rows`: {expected}"));
    }
    refused("batch_two_messages", &[], "trailing-bytes");
}

#[test]
fn a_10_a_11_a_16_types_and_names_that_are_bombs_are_refused_at_the_door() {
    let message = refused("null_bomb", &[], "type-denied");
    assert_eq!(message, "schema of table `rows`: field 0 is of type null, which is not allowed");
    let message = refused("ree_bomb", &[], "type-denied");
    assert!(message.starts_with("schema of table `rows`: field 0 is of type run"), "{message}");
    refused("schema_wide", &[("n", "4097")], "too-many-fields");
    refused("schema_wide", &[("n", "100000")], "metadata-length");
    refused("schema_long_name", &[("n", "257")], "name-length");
    refused("schema_long_name", &[("n", "1048577")], "metadata-length");
    let desk = Desk::new(FILE);
    desk.evil("schema_wide").option("n", 4096).done().assert_completed();
    let desk = Desk::new(FILE);
    desk.evil("schema_long_name").option("n", 256).done().assert_completed();
}

#[test]
fn a_19_batches_without_rows_do_not_go_on_for_ever() {
    let desk = Desk::new(FILE);
    // What keeps a batch costs room, and a batch without rows is released by a commit like any other.
    let message = desk.evil("empty_batches").done().assert_fault("guest", "limit-exceeded");
    assert!(message.starts_with("uncommitted bytes: limit 67108864, used 67"), "{message}");
    desk.assert_untouched();
}

#[test]
fn a_25_values_at_the_ends_of_their_types_are_written_and_shown() {
    let desk = Desk::new(FILE);
    desk.evil("extreme_values").args(&["--tables", "extremes"]).done().assert_completed();
    let rows = tables::read(&desk.path("out/extremes.parquet"));
    assert_eq!(tables::count(&rows), 4);
    let shown = Desk::new(FILE);
    let call = shown.call(&["run"]).arg(guest("evil")).arg(shown.path(INPUT)).args(&["--tables", "extremes"]);
    let preview = call.option("evil", "extreme_values").done();
    assert_eq!(preview.exit, 0, "{preview:?}");
    assert!(preview.stdout.contains("(not shown)") && preview.stdout.contains("-inf"), "{preview:?}");
}

#[test]
fn a_24_a_decimal_of_more_digits_than_its_type_has_is_quarantined() {
    let desk = Desk::new(FILE);
    let said = desk.evil("extreme_values").option("text", "beyond").args(&["--tables", "extremes"]).done();
    let report = said.report();
    assert_eq!((said.exit, report["status"].as_str()), (0, Some("completed_with_quarantine")), "{report}");
    let overflows = report["quarantine"]["by_code"]["CF0203"].as_u64();
    assert!(overflows.is_some_and(|rows| rows > 0), "{report}");
}

#[test]
fn a_26_text_that_a_spreadsheet_would_run_is_stored_as_it_is() {
    for text in ["=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-1", "\u{1b}[2J\u{7}", "a,\"b\"\nc"] {
        let desk = Desk::new(FILE);
        desk.evil("honest").option("text", text).done().assert_completed();
        let rows = tables::read(&desk.path("out/rows.parquet"));
        assert_eq!(tables::texts(&rows, "text"), [Some(text.to_owned())]);
        let shown = Desk::new(FILE);
        let call = shown.call(&["run"]).arg(guest("evil")).arg(shown.path(INPUT)).option("text", text);
        assert_eq!(call.done().exit, 0, "{text:?} is shown");
    }
}

#[test]
fn a_27_a_table_name_that_is_a_path_or_worse_is_refused() {
    let long = "a".repeat(5000);
    let names = [
        "../x",
        "a/b",
        "/etc/passwd",
        "x\";drop table y;--",
        "",
        "\u{430}bc",
        "_quarantine",
        "con.",
        "A",
        "9a",
        "a b",
        "a\u{1b}[2J",
        "a\0b",
        &long,
    ];
    // A process cannot be given a NUL, so this one name cannot be typed.
    for name in names.iter().filter(|name| !name.contains('\0')) {
        let message = refused("table_bad_name", &[("text", name)], "bad-name");
        assert!(message.len() < 600, "{} bytes for {} of name", message.len(), name.len());
    }
    let message = refused("table_bad_name", &[("n", "64")], "bad-name");
    assert!(message.contains(&"a".repeat(64)), "{message}");
    refused("table_bad_name", &[("n", "63")], "undescribed-table");
    let message = refused("table_undeclared", &[], "undescribed-table");
    assert_eq!(message, "table `undeclared` is not among those the parser describes");
}

#[test]
fn a_29_a_quarantine_flood_keeps_a_little_of_each_reason() {
    let desk = Desk::new(&FILE.repeat(4));
    let said = desk.evil("quarantine_flood").option("n", 1_000_000).done();
    let report = said.report();
    assert_eq!((said.exit, &report["status"]), (0, &Json::from("completed_with_quarantine")), "{report}");
    assert_eq!(report["quarantine"]["rows"], 256);
    let file = std::fs::metadata(desk.path("out/_quarantine.parquet")).expect("a quarantine");
    assert!(file.len() < 1 << 20, "{} bytes of quarantine", file.len());
}

#[test]
fn faults_that_nobody_described_are_refused() {
    let message = refused("rejects_unknown_fault", &[("n", "1")], "unknown-fault");
    assert_eq!(message, "rejection at bytes 0..64 names fault 1, but the parser describes 1");
    let message = refused("undeclared_code", &[("text", "worse")], "unknown-fault");
    assert_eq!(message, "`_cf_faults` of table `rows` holds \"worse\", which the parser does not describe");
    let desk = Desk::new(FILE);
    let said = desk.evil("undeclared_code").option("text", "bad").done();
    assert_eq!(said.report()["quarantine"]["by_rule"], serde_json::json!({ "bad": 1 }));
}

/// A table of so many columns of a type: its schema and a batch of so many nulls, one behind the other, and where they end.
fn wide(columns: usize, ty: &DataType, rows: usize) -> (Vec<u8>, [usize; 2]) {
    let fields = (0..columns).map(|at| Field::new(format!("c{at}"), ty.clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = (0..columns).map(|_| new_null_array(ty, rows)).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("columns of one length");
    let (head, body) = messages(&batch);
    let body_at = head.len().next_multiple_of(8);
    let mut bytes = head.clone();
    bytes.resize(body_at, 0);
    bytes.extend(&body);
    (bytes, [head.len(), body.len()])
}

/// Runs a component over messages that it reads to the address in `at`, with bodies of a loop and what is behind it.
fn speak(messages: &[u8], parse: String) -> Said {
    let size: String = (messages.len() as u64).to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat();
    let more = format!("(data (i32.const 1312) \"{size}\")");
    let parse = format!(
        r#"(local $at i32) (local $n i32)
      (call $read (local.get $input) (i64.const 0) (i32.const 1048576) (i32.const 2048))
      (local.set $at (i32.load (i32.const 2048)))
      {parse}
      (i32.const 1400)"#
    );
    let text = Text { parse: parse.leak(), more: more.leak(), memory: "32", ..Text::of_every_call() };
    let desk = Desk::new(messages);
    let component = desk.write("speaks.wasm", &text.component());
    desk.run(&component).done()
}

/// Emits one batch again and again.
fn emit_for_ever(columns: usize, ty: &DataType, rows: usize) -> Said {
    let (bytes, [head, body]) = wide(columns, ty, rows);
    let body_at = head.next_multiple_of(8);
    speak(
        &bytes,
        format!(
            r#"(call $open (i32.const 4096) (i32.const 4) (local.get $at) (i32.const {head}) (i32.const 2048))
      (loop $more
        (call $emit (i32.load (i32.const 2056)) (i32.add (local.get $at) (i32.const {body_at})) (i32.const {body})
          (i32.const 2112))
        (br_if $more (i32.eqz (i32.load8_u (i32.const 2112)))))"#
        ),
    )
}

/// Opens table after table, each with a batch, and commits.
fn open_many(tables: usize, columns: usize, ty: &DataType) -> Said {
    let (bytes, [head, body]) = wide(columns, ty, 1);
    let body_at = head.next_multiple_of(8);
    speak(
        &bytes,
        format!(
            r#"(loop $more
        (i32.store8 (i32.const 4098) (i32.add (i32.const 97) (i32.rem_u (local.get $n) (i32.const 26))))
        (i32.store8 (i32.const 4099) (i32.add (i32.const 97) (i32.div_u (local.get $n) (i32.const 26))))
        (call $open (i32.const 4096) (i32.const 4) (local.get $at) (i32.const {head}) (i32.const 2048))
        (call $emit (i32.load (i32.const 2056)) (i32.add (local.get $at) (i32.const {body_at})) (i32.const {body})
          (i32.const 2112))
        (call $close (i32.load (i32.const 2056)))
        (call $commit (i64.const 0) (i32.const 2112))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $n) (i32.const {tables}))))"#
        ),
    )
}

fn messages(rows: &RecordBatch) -> (Vec<u8>, Vec<u8>) {
    let (options, mut tracker) = (IpcWriteOptions::default(), DictionaryTracker::new(false));
    let generator = IpcDataGenerator::default();
    let head = generator.schema_to_bytes_with_dictionary_tracker(&rows.schema(), &mut tracker, &options);
    let mut compression = CompressionContext::default();
    let (_, body) = generator.encode(rows, &mut tracker, &options, &mut compression).expect("a batch");
    let message = |encoded| {
        let mut bytes = Vec::new();
        write_message(&mut bytes, encoded, &options).expect("memory takes it");
        bytes
    };
    (message(head), message(body))
}

#[test]
fn a_32_batches_that_hold_next_to_nothing_weigh_what_their_columns_do() {
    let nested = DataType::Struct(vec![Field::new("b", DataType::Int8, true)].into());
    let nested = DataType::Struct(vec![Field::new("a", nested, true)].into());
    for (columns, ty, rows) in [
        (1, DataType::Int8, 0),
        (1, DataType::Int8, 1),
        (500, DataType::Int8, 0),
        (500, DataType::new_list(DataType::Int8, true), 0),
        (500, nested, 0),
    ] {
        let message = emit_for_ever(columns, &ty, rows).assert_fault("guest", "limit-exceeded");
        assert!(message.starts_with("uncommitted bytes: limit 67108864, used 6"), "{message}");
    }
}

#[test]
fn a_33_all_tables_together_have_so_many_columns() {
    for (tables, columns) in [(1, 4096), (64, 128)] {
        open_many(tables, columns, &DataType::Int8).assert_completed();
    }
    let message = open_many(64, 129, &DataType::Int8).assert_fault("guest", "limit-exceeded");
    assert_eq!(message, "fields of all tables: limit 8192, used 8127, wanted 129 more");
}
