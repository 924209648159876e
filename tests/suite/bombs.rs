//! Components that are cheap to write and dear to compile: refused before anybody compiles them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::component::{self, Text};
use crate::host::{Desk, Said};

/// Runs a parser whose text goes on with `bomb`. What comes of it comes soon.
fn set_off(bomb: String) -> Said {
    let imports: &'static str = Box::leak(bomb.into_boxed_str());
    let component = Text { imports, ..Text::default() }.component();
    let desk = Desk::new(component::INPUT);
    let path = desk.write("text.wasm", &component);
    let begun = Instant::now();
    let said = desk.run(&path).cache(desk.path("cache")).done();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?} for {} bytes", begun.elapsed(), component.len());
    assert!(!desk.path("out").exists());
    said
}

#[test]
fn c_01_components_that_double_each_other_are_refused() {
    let mut bomb = "(core module $m (func)) (component $c0 (core instance (instantiate $m)))".to_owned();
    for level in 1..=24 {
        let below = level - 1;
        let twice = format!("(instance (instantiate $c{below})) (instance (instantiate $c{below}))");
        write!(bomb, "(component $c{level} {twice})").expect("text");
    }
    bomb.push_str("(instance (instantiate $c24))");
    let message = set_off(bomb).assert_fault("guest", "instance-expansion");
    // The last level and all below it, and the two core instances that every text has.
    assert_eq!(message, "too dear to compile: component instances: limit 256, has 50331649");
}

#[test]
fn c_02_one_function_of_a_hundred_thousand_branches_is_refused() {
    let branches = "(if (local.get 0) (then (local.set 1 (local.get 2))))".repeat(100_000);
    let said =
        set_off(format!("(core module (func (param i32) (local {}) {branches}))", "i32 ".repeat(1000)));
    let message = said.assert_fault("guest", "function-too-large");
    assert!(
        message.starts_with("too dear to compile: bytes of one function: limit 262144, has "),
        "{message}"
    );
}

#[test]
fn c_03_nine_hundred_thousand_functions_are_refused() {
    let said = set_off(format!("(core module {})", "(func)".repeat(900_000)));
    let message = said.assert_fault("guest", "too-many-functions");
    assert_eq!(message, "too dear to compile: component functions: limit 100000, has 900000");
}

#[test]
fn c_04_half_a_million_calls_in_one_function_are_refused() {
    let said = set_off(format!("(core module (func $f) (func {}))", "call $f ".repeat(500_000)));
    said.assert_fault("guest", "function-too-large");
}

#[test]
fn c_06_a_branch_with_a_million_targets_is_refused() {
    let said = set_off(format!(
        "(core module (func (param i32) (br_table {} (local.get 0))))",
        "0 ".repeat(1_000_000)
    ));
    assert!([0, 10].contains(&said.exit), "{said:?}");
}

#[test]
fn c_08_c_10_a_component_of_half_a_gigabyte_is_refused_by_its_size() {
    let desk = Desk::new(component::INPUT);
    let path = desk.path("large.wasm");
    let mut large = std::fs::File::create(&path).expect("a file");
    large.write_all(&Text::default().component()).expect("written");
    large.set_len(500 << 20).expect("a file with a hole");
    let begun = Instant::now();
    let message = desk.run(&path).done().assert_fault("guest", "component-too-large");
    assert_eq!(message, "component bytes: limit 134217728, has 524288000");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn c_13_types_within_types_without_end_are_refused() {
    let mut bomb = "(type $t0 (list u8))".to_owned();
    for level in 1..10_000 {
        write!(bomb, "(type $t{level} (list $t{}))", level - 1).expect("text");
    }
    set_off(bomb).assert_fault("guest", "invalid-component");
}
