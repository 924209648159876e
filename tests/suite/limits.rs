//! Every bound, from both sides: a guest that needs exactly what it may have passes, and one that needs a unit more gets the
//! bound's fault with its numbers.

use casparian_core::intake::Refusal;
use casparian_core::limits::{LimitExceeded, Limits};
use casparian_sandbox::SessionFault;
use casparian_tests::{Bench, Outcome};

use crate::host::{Desk, evil, guest};

const FILE: &[u8] = b"The parser is told what to do, and this is what it would read.\r\n";

fn run(limits: &Limits, options: &[(&str, &str)]) -> Outcome {
    evil().run(limits, FILE, options)
}

/// Returns the bound that ended a run.
#[track_caller]
fn exceeded(outcome: &Outcome) -> LimitExceeded {
    let fault = &outcome.ended.as_ref().expect_err("the bound is passed").fault;
    match fault {
        SessionFault::Limit(limit) | SessionFault::Refused(Refusal::Limit(limit)) => *limit,
        other => panic!("not a bound: {other}"),
    }
}

#[track_caller]
fn assert_ok(outcome: &Outcome) {
    assert_eq!(outcome.code(), "ok", "{}", outcome.message());
}

/// Finds the least value at which a run goes well, between one at which it does not and one at which it does.
fn least(mut too_little: u64, mut enough: u64, mut is_enough: impl FnMut(u64) -> bool) -> u64 {
    assert!(is_enough(enough) && !is_enough(too_little));
    while enough - too_little > 1 {
        let middle = too_little + (enough - too_little) / 2;
        if is_enough(middle) { enough = middle } else { too_little = middle }
    }
    enough
}

fn fuel(fuel: u64) -> Limits {
    Limits { fuel_base: fuel, fuel_per_byte: 0, ..Limits::default() }
}

#[test]
fn fuel_is_exact() {
    let options = [("evil", "spin"), ("n", "100000")];
    let generous = run(&fuel(1_000_000_000), &options);
    assert_ok(&generous);
    let used = generous.usage.fuel;
    let needed = least(1, 1_000_000_000, |granted| run(&fuel(granted), &options).code() == "ok");
    // Fuel is looked at where loops and functions begin, so the last few instructions of a run may go without.
    assert!(needed.abs_diff(used) < 100, "used {used}, but needed {needed}");
    assert_ok(&run(&fuel(needed), &options));
    let limit = exceeded(&run(&fuel(needed - 1), &options));
    assert_eq!((limit.name, limit.wanted), ("fuel", 1));
    assert_eq!(limit.limit, needed - 1, "{limit}");
}

#[test]
fn fuel_follows_the_watermark() {
    let input = vec![b'x'; 1000];
    let limits =
        Limits { fuel_base: 500_000, fuel_per_byte: 100_000, fuel_window_bytes: 10, ..Limits::default() };
    let run = |evil: &str| {
        let options = [("evil", evil), ("n", "1000"), ("m", "20"), ("text", "some text")];
        super::host::evil().run(&limits, &input, &options)
    };
    let committing = run("flood");
    assert_ok(&committing);
    assert!(
        committing.usage.fuel > 500_000 + 10 * 100_000,
        "{} would have been granted at once",
        committing.usage.fuel
    );
    let holding_back = run("flood_uncommitted");
    assert_eq!(exceeded(&holding_back).name, "fuel");
}

#[test]
fn memory_is_exact() {
    let options = |pages: &'static str| [("evil", "grow"), ("n", pages)];
    let generous = run(&Limits::default(), &options("100"));
    assert_ok(&generous);
    let peak = generous.usage.memory_peak_bytes;
    let memory = |bytes: u64| Limits { memory_bytes_max: bytes, ..Limits::default() };
    assert_ok(&run(&memory(peak), &options("100")));
    let limit = exceeded(&run(&memory(peak - 1), &options("100")));
    assert_eq!(
        limit,
        LimitExceeded { name: "memory bytes", limit: peak - 1, current: limit.current, wanted: 65_536 }
    );
    assert!(limit.current + 65_536 > peak - 1, "{limit}");
    let limit = exceeded(&run(&memory(peak), &options("101")));
    assert!(limit.limit == peak && limit.current + limit.wanted > peak, "{limit}");
}

#[test]
fn the_stack_is_exact_to_a_frame() {
    let component = std::fs::read(guest("evil")).expect("the hostile guest");
    for stack_bytes in [512 << 10, 1 << 20] {
        let bench = Bench::with_stack(&component, stack_bytes).expect("it compiles");
        let run = |levels: u64| {
            bench.run(&Limits::default(), FILE, &[("evil", "recurse"), ("n", &levels.to_string())])
        };
        let first_too_deep = least_refused(&run);
        assert_ok(&run(first_too_deep - 1));
        let limit = exceeded(&run(first_too_deep));
        assert_eq!(
            limit,
            LimitExceeded { name: "stack bytes", limit: stack_bytes, current: stack_bytes, wanted: 1 }
        );
        let frame_bytes = stack_bytes / first_too_deep;
        assert!((8..=512).contains(&frame_bytes), "{first_too_deep} levels in {stack_bytes} bytes");
    }
}

fn least_refused(run: &impl Fn(u64) -> Outcome) -> u64 {
    let (mut fits, mut refused) = (1, 10_000_000);
    while refused - fits > 1 {
        let middle = fits + (refused - fits) / 2;
        if run(middle).code() == "ok" { fits = middle } else { refused = middle }
    }
    refused
}

#[test]
fn the_deadline_lets_a_quick_run_pass_and_ends_a_slow_one() {
    let desk = Desk::new(FILE);
    desk.evil("spin").option("n", 1000).limit("time", "60s").done().assert_completed();
    let desk = Desk::new(FILE);
    let said = desk.evil("spin").limit("fuel", "1000T").limit("time", "1s").done();
    let message = said.assert_fault("guest", "deadline-exceeded");
    assert!(message.starts_with("deadline ms: limit 1000, used 1"), "{message}");
    desk.assert_untouched();
}

#[test]
fn rows_batches_and_their_sizes_are_exact() {
    let options = [("evil", "flood"), ("n", "10"), ("m", "10"), ("text", "four")];
    let over = |limits: Limits| exceeded(&run(&limits, &options));
    let usual = Limits::default;

    assert_ok(&run(&Limits { output_rows_max: 100, ..usual() }, &options));
    let limit = over(Limits { output_rows_max: 99, ..usual() });
    assert_eq!(limit, LimitExceeded { name: "output rows", limit: 99, current: 90, wanted: 10 });

    assert_ok(&run(&Limits { batches_max: 10, ..usual() }, &options));
    let limit = over(Limits { batches_max: 9, ..usual() });
    assert_eq!(limit, LimitExceeded { name: "output batches", limit: 9, current: 9, wanted: 1 });

    assert_ok(&run(&Limits { batch_rows_max: 10, ..usual() }, &options));
    let limit = over(Limits { batch_rows_max: 9, ..usual() });
    assert_eq!(limit, LimitExceeded { name: "batch rows", limit: 9, current: 0, wanted: 10 });

    let wanted = over(Limits { batch_bytes_max: 1, ..usual() }).wanted;
    assert_ok(&run(&Limits { batch_bytes_max: wanted, ..usual() }, &options));
    let limit = over(Limits { batch_bytes_max: wanted - 1, ..usual() });
    assert_eq!(limit, LimitExceeded { name: "batch bytes", limit: wanted - 1, current: 0, wanted });
}

#[test]
fn output_bytes_are_exact() {
    let options = [("evil", "flood"), ("n", "10"), ("m", "10"), ("text", "four")];
    let output =
        |bytes: u64| Limits { output_bytes_base: bytes, output_bytes_per_byte: 0, ..Limits::default() };
    let wanted = exceeded(&run(&output(0), &options)).wanted;
    assert_ok(&run(&output(10 * wanted), &options));
    let limit = exceeded(&run(&output(10 * wanted - 1), &options));
    assert_eq!(
        limit,
        LimitExceeded { name: "output bytes", limit: 10 * wanted - 1, current: 9 * wanted, wanted }
    );
    let desk = Desk::new(FILE);
    let call = options.iter().skip(1).fold(desk.evil("flood"), |call, (key, value)| call.option(key, value));
    let message = call.limit("output", 10 * wanted - 1).done().assert_fault("guest", "limit-exceeded");
    assert_eq!(message, limit.to_string());
    desk.assert_untouched();
}

#[test]
fn uncommitted_bytes_are_exact() {
    let options = [("evil", "flood_uncommitted"), ("n", "10"), ("m", "10"), ("text", "four")];
    let uncommitted = |bytes: u64| Limits { uncommitted_bytes_max: bytes, ..Limits::default() };
    let wanted = exceeded(&run(&uncommitted(0), &options)).wanted;
    assert_ok(&run(&uncommitted(10 * wanted), &options));
    let limit = exceeded(&run(&uncommitted(10 * wanted - 1), &options));
    assert_eq!(
        limit,
        LimitExceeded { name: "uncommitted bytes", limit: 10 * wanted - 1, current: 9 * wanted, wanted }
    );
    // Committed after each batch, the same rows need the room of one.
    let committing = [("evil", "flood"), ("n", "10"), ("m", "10"), ("text", "four")];
    assert_ok(&run(&uncommitted(wanted), &committing));
}

#[test]
fn handles_are_exact() {
    // The input is one of them.
    for most in [5, 64] {
        let limits = Limits { handles_max: most, ..Limits::default() };
        let run = |tables: u64| run(&limits, &[("evil", "handles"), ("n", &tables.to_string())]);
        assert_ok(&run(most - 1));
        let limit = exceeded(&run(most));
        assert_eq!(limit, LimitExceeded { name: "open handles", limit: most, current: most, wanted: 1 });
    }
}

#[test]
fn tables_are_exact() {
    let tables = |most: u64| Limits { tables_max: most, ..Limits::default() };
    assert_ok(&run(&tables(1), &[("evil", "honest")]));
    let limit = exceeded(&run(&tables(0), &[("evil", "honest")]));
    assert_eq!(limit, LimitExceeded { name: "open tables", limit: 0, current: 0, wanted: 1 });
}

#[test]
fn the_log_is_exact() {
    // A line counts for its bytes, and an empty one for 64.
    for (line, bytes) in [("100", 100), ("0", 64)] {
        let options = [("evil", "log_flood"), ("n", "10"), ("m", line)];
        let log = |bytes: u64| Limits { log_bytes_max: bytes, ..Limits::default() };
        let whole = run(&log(10 * bytes), &options);
        assert_ok(&whole);
        assert_eq!((whole.log.len(), whole.usage.log_lines_dropped, whole.usage.log_overflow), (10, 0, None));
        let cut = run(&log(10 * bytes - 1), &options);
        assert_ok(&cut);
        let overflow =
            LimitExceeded { name: "log bytes", limit: 10 * bytes - 1, current: 9 * bytes, wanted: bytes };
        assert_eq!(
            (cut.log.len(), cut.usage.log_lines_dropped, cut.usage.log_overflow),
            (9, 1, Some(overflow))
        );
    }
}

#[test]
fn a_line_of_the_log_is_exact() {
    let options = [("evil", "log_flood"), ("n", "1"), ("m", "10")];
    let line = |bytes: u64| {
        run(&Limits { log_line_bytes_max: bytes, ..Limits::default() }, &options).log[0].text.raw().to_owned()
    };
    assert_eq!(line(10), "xxxxxxxxxx");
    assert_eq!(line(9), "xxxxxxxxx…");
}

#[test]
fn what_one_host_call_carries_is_bounded() {
    let options = [("evil", "log_flood"), ("n", "1"), ("m", "100000")];
    let hostcall = |bytes: u64| Limits { hostcall_bytes_max: bytes, ..Limits::default() };
    let carried = |bytes: u64| run(&hostcall(bytes), &options).code() == "ok";
    // A string's bytes, and a little for its keeping.
    let needed = least(1, 1 << 20, carried);
    assert!((100_000..=200_064).contains(&needed), "{needed}");
    let refused = run(&hostcall(needed - 1), &options);
    assert_eq!(refused.code(), "hostcall-refused", "{}", refused.message());
    assert!(
        refused.message().ends_with(&format!("one call may carry {} bytes", needed - 1)),
        "{}",
        refused.message()
    );
}
