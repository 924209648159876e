//! What stands between a parser and the machine: said where it is less than it could be, asked for where it must be all, and
//! deadly to whoever has broken out. What each wall stops, call by call, is in `host/jail/tests/captive.rs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use casparian_core::id::Digest;
use casparian_host::code_cache::CodeCache;
use casparian_host::report::Isolation;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use serde_json::Value as Json;

use crate::component::{self, Text};
use crate::host::{Call, Desk, OUT, Said, guest, names};

const FILE: &[u8] = b"sixteen bytes...";

/// Runs a command on a kernel that has no such system call, or not with this first argument. It has it for everybody else:
/// the filter is this one thread's and its children's.
fn without(call: i64, first: Option<u64>, command: Call<'_>) -> Said {
    let equals = |value| {
        let first = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
        SeccompRule::new(vec![first.expect("a condition")]).expect("a rule")
    };
    let rules = BTreeMap::from([(call, first.map(equals).into_iter().collect())]);
    let errno = if first.is_some() { libc::EINVAL } else { libc::ENOSYS };
    let processor = std::env::consts::ARCH.try_into().expect("a processor");
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        processor,
    );
    let program = BpfProgram::try_from(filter.expect("a filter")).expect("a program");
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            seccompiler::apply_filter(&program).expect("a filter that holds");
            command.done()
        });
        running.join().expect("no panic")
    })
}

fn without_landlock(command: Call<'_>) -> Said {
    without(libc::SYS_landlock_create_ruleset, None, command)
}

fn missing(report: &Json) -> &str {
    let lines = report["isolation_missing"].as_array().expect("a list");
    assert_eq!(lines.len(), 1, "{report}");
    lines[0].as_str().expect("a line")
}

#[test]
fn a_run_is_isolated_as_far_as_it_goes_and_its_receipt_says_so() {
    let desk = Desk::new(FILE);
    let report = desk.run(&guest("hello_parser")).args(&["--require-isolation", "L3"]).done().report();
    assert_eq!(
        (&report["isolation"], &report["isolation_missing"]),
        (&Json::from("L3"), &Json::Array(vec![]))
    );
    let receipt = std::fs::read_to_string(desk.path("out/_receipt.json")).expect("a receipt");
    assert!(receipt.contains(r#""isolation": "L3""#) || receipt.contains(r#""isolation":"L3""#), "{receipt}");
}

#[test]
fn s_07_a_kernel_without_landlock_gives_less_and_every_face_says_so() {
    let desk = Desk::new(FILE);
    let report = without_landlock(desk.run(&guest("hello_parser"))).report();
    assert_eq!(report["isolation"], "L2");
    assert!(missing(&report).starts_with("Landlock: the kernel has none"), "{report}");
    let receipt = std::fs::read_to_string(desk.path("out/_receipt.json")).expect("a receipt");
    assert!(receipt.contains("Landlock: the kernel has none"), "{receipt}");
    let said =
        without_landlock(desk.call(&["run", "--whatif"]).arg(guest("hello_parser")).arg(desk.path("input")));
    assert!(said.stderr.contains("isolation L2\n  without Landlock: the kernel has none"), "{said:?}");
    let said = without_landlock(desk.call(&["doctor"]));
    assert!(format!("{said:?}").contains("L2, without Landlock: the kernel has none"), "{said:?}");
}

#[test]
fn s_07_who_requires_more_than_there_is_gets_no_run() {
    let desk = Desk::new(FILE);
    // It would spin, if it ever began.
    let spin = |level| desk.evil("spin").limit("fuel", "1M").args(&["--require-isolation", level]);
    // Compiled where it may be, so that it is the run that is refused.
    spin("L3").done().assert_fault("guest", "fuel-exhausted");
    let said = without_landlock(spin("L3"));
    let message = said.assert_fault("operator", "isolation-too-weak");
    assert!(
        message.starts_with("isolation L3 is required and this machine gives L2: Landlock: "),
        "{message}"
    );
    assert_eq!((&said.report()["fuel"], &said.report()["isolation"]), (&Json::from(0), &Json::from("L2")));
    desk.assert_untouched();
    without_landlock(spin("L2")).assert_fault("guest", "fuel-exhausted");
}

#[test]
fn s_07_nothing_is_compiled_either_below_what_is_required() {
    let desk = Desk::new(FILE);
    let call = desk.evil("honest").args(&["--require-isolation", "L3"]).cache(desk.path("cache"));
    without_landlock(call).assert_fault("operator", "isolation-too-weak");
    assert_eq!(compiled(&desk.path("cache")), Vec::<String>::new());
}

#[test]
fn every_command_that_runs_a_parser_can_be_held_to_an_isolation() {
    let desk = Desk::new(FILE);
    assert_eq!(desk.run(&guest("hello_parser")).done().exit, 0);
    let (parser, input, receipt) =
        (guest("hello_parser"), desk.path("input"), desk.path("out/_receipt.json"));
    let again = || desk.call(&["verify"]).arg(&receipt).args(&["--input"]).arg(&input).args(&["--component"]);
    let commands = [again().arg(&parser), desk.call(&["inspect"]).arg(&parser)];
    for command in commands {
        let said = without_landlock(command.args(&["--require-isolation", "L3"]));
        assert!(said.stderr.contains("isolation L3 is required"), "{said:?}");
    }
    let said = again().arg(&parser).args(&["--require-isolation", "L3"]).done();
    assert_eq!(said.exit, 0, "{said:?}");
}

#[test]
fn code_that_was_compiled_under_less_is_compiled_again_for_who_requires_more() {
    let desk = Desk::new(FILE);
    let cache = desk.path("cache");
    assert_eq!(without_landlock(desk.run(&guest("hello_parser")).cache(cache.clone())).exit, 0);
    let name = compiled(&cache).pop().expect("code");
    let level = || std::fs::read(cache.join("code").join(&name)).expect("code")[32];
    assert_eq!(level(), 2);
    std::fs::remove_dir_all(desk.path(OUT)).expect("an output");
    let strict = desk.run(&guest("hello_parser")).args(&["--require-isolation", "L3"]);
    assert_eq!(strict.cache(cache.clone()).done().exit, 0);
    assert_eq!(level(), 3);
}

#[test]
fn a_kernel_that_lacks_the_other_walls_says_which() {
    let desk = Desk::new(FILE);
    let report =
        without(libc::SYS_prctl, Some(libc::PR_SET_MDWE as u64), desk.run(&guest("hello_parser"))).report();
    assert_eq!(report["isolation"], "L2");
    assert!(missing(&report).starts_with("executable memory: "), "{report}");
    let desk = Desk::new(FILE);
    let report = without(libc::SYS_seccomp, None, desk.run(&guest("hello_parser"))).report();
    assert_eq!(report["isolation"], "L1");
    assert!(missing(&report).starts_with("seccomp: "), "{report}");
}

/// Returns the names of compiled code in a cache.
fn compiled(cache: &Path) -> Vec<String> {
    let code = cache.join("code");
    let names = if code.is_dir() { names(&code) } else { Vec::new() };
    names.into_iter().filter(|name| name.ends_with(".cwasm")).collect()
}

/// A number that nobody else uses, in a place where compiled code has it as it is.
const MARK: u64 = 0x1122_3344_5566_7788;

/// Compiles a parser, then puts something else into its machine code, under the key of the cache: what a compiler with a hole
/// in it might have made of a hostile component.
#[cfg(target_arch = "x86_64")]
fn break_out(desk: &Desk, escape: [u8; 10]) -> std::path::PathBuf {
    let parser = desk.write(
        "text.wasm",
        &Text {
            parse: "(i64.store (i32.const 6000) (i64.const 0x1122334455667788)) (i32.const 1400)",
            ..Text::default()
        }
        .component(),
    );
    let cache = desk.path("cache");
    desk.run(&parser).cache(cache.clone()).done().assert_completed();
    std::fs::remove_dir_all(desk.path(OUT)).expect("an output");
    let names = compiled(&cache);
    let [name] = names.as_slice() else { panic!("one piece of code: {names:?}") };
    let key: Digest =
        serde_json::from_value(Json::from(name.trim_end_matches(".cwasm"))).expect("a digest for a name");
    let mut code = std::fs::read(cache.join("code").join(name)).expect("code").split_off(33);
    let mark = MARK.to_le_bytes();
    let places: Vec<usize> = (2..code.len() - 8).filter(|&at| code[at..at + 8] == mark).collect();
    let [place] = places.as_slice() else { panic!("the mark stands in one place: {places:?}") };
    assert!(matches!(code[place - 2..*place], [0x48 | 0x49, 0xb8..=0xbf]), "a move of eight bytes");
    code[place - 2..place + 8].copy_from_slice(&escape);
    let kept = CodeCache::open(&cache.join("code")).expect("the cache").keep(key, &code, Isolation::L3);
    drop(kept.expect("code that is kept"));
    parser
}

/// `mov eax, CALL; syscall; nop; nop; nop`
#[cfg(target_arch = "x86_64")]
fn system_call(call: i64) -> [u8; 10] {
    let [a, b, c, d] = u32::try_from(call).expect("a small number").to_le_bytes();
    [0xb8, a, b, c, d, 0x0f, 0x05, 0x90, 0x90, 0x90]
}

#[test]
#[cfg(target_arch = "x86_64")]
fn e_35_machine_code_that_reads_what_is_not_there_is_a_crash() {
    let desk = Desk::new(component::INPUT);
    // mov rax, [8]; nop; nop
    let parser = break_out(&desk, [0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, 0x90, 0x90]);
    let said = desk.run(&parser).cache(desk.path("cache")).done();
    assert_eq!(said.assert_fault("host", "worker-crash"), "the worker died: SIGSEGV");
    assert_eq!(desk.names(), ["cache", "input", "text.wasm"]);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn e_36_machine_code_that_calls_the_kernel_dies_and_is_called_a_violation() {
    let calls = [
        libc::SYS_openat,
        libc::SYS_socket,
        libc::SYS_execve,
        libc::SYS_clone,
        libc::SYS_ptrace,
        libc::SYS_kill,
        libc::SYS_io_uring_setup,
        libc::SYS_getppid,
    ];
    for call in calls {
        let desk = Desk::new(component::INPUT);
        let parser = break_out(&desk, system_call(call));
        let said = desk.run(&parser).cache(desk.path("cache")).done();
        let message = said.assert_fault("host", "sandbox-violation");
        assert_eq!(message, "the worker was killed for a system call that it may not make", "{call}");
        assert_eq!(desk.names(), ["cache", "input", "text.wasm"]);
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn e_36_it_is_the_wall_that_ends_it() {
    let desk = Desk::new(component::INPUT);
    let parser = break_out(&desk, system_call(libc::SYS_getppid));
    let call = desk.run(&parser).cache(desk.path("cache"));
    let report = without(libc::SYS_seccomp, None, call).report();
    assert_eq!(report["isolation"], "L1");
    assert_ne!(report["fault"]["code"], "sandbox-violation", "{report}");
}
