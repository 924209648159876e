//! Links the core modules of a component into one, after the fact.
//!
//! componentize-py makes the Python runtime of some forty modules that are linked when it is instantiated: C libraries
//! as dynamic objects, each call between them through a pointer, each address of another's variable in a global. Once the
//! interpreter has been started and frozen nothing of that moves any more. So all of them become one module: a call between two is
//! a call within one, a global that nobody writes to is the number that it holds, a function that only hands its arguments on
//! is the one it hands them to, and what nothing can reach is left out. The component around it stays as it was.
//!
//! What cannot be merged without changing what it does (start functions, tables that change, segments that are copied later) is
//! refused by name, and none of it comes out of componentize-py.

mod component;
mod kept;
mod linking;
mod mending;
mod module;
mod reading;

use std::fmt;

use wasm_encoder::reencode;

/// A component whose modules cannot be made one.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is no valid WebAssembly.
    Broken(wasmparser::BinaryReaderError),
    /// Something it refers to is not there.
    Missing(String),
    /// It has something in it that this room does not know how to merge.
    Unsupported(&'static str),
    /// It could not be written again.
    Unwritable(String),
}

type Outcome<T = ()> = Result<T, Fault>;

/// Returns the component with all its core modules in one, and bytes with it that it may ask for.
pub(crate) fn link(whole: &[u8], kept: &[u8]) -> Outcome<Vec<u8>> {
    let parts = reading::Parts::read(whole)?;
    let linked = linking::Linked::link(&parts, kept)?;
    let one = module::write(&linked)?;
    component::write(&linked, whole, &one.finish())
}

fn unsupported<T>(what: &'static str) -> Outcome<T> {
    Err(Fault::Unsupported(what))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Broken(why) => write!(f, "invalid component: {why}"),
            Fault::Missing(what) => write!(f, "{what} is not there"),
            Fault::Unsupported(what) => write!(f, "{what}: modules with one cannot be merged"),
            Fault::Unwritable(why) => write!(f, "the module cannot be written: {why}"),
        }
    }
}

impl From<wasmparser::BinaryReaderError> for Fault {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Fault::Broken(error)
    }
}

impl From<reencode::Error<Fault>> for Fault {
    fn from(error: reencode::Error<Fault>) -> Self {
        match error {
            reencode::Error::UserError(fault) => fault,
            other => Fault::Unwritable(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::{Operator, Parser, Payload, Validator};

    use super::*;

    /// An application over a library, linked as componentize-py links them: memory, table and addresses stand in an environment,
    /// what comes later is called through the table.
    const LINKED_LATE: &str = r#"
      (component
        (import "say" (func $say (param "text" string)))
        (core module $env
          (memory (export "memory") 1)
          (table (export "table") 4 funcref)
          (global (export "stack") (mut i32) (i32.const 1000))
          (global (export "base") i32 (i32.const 2))
          (global (export "address") (mut i32) (i32.const 77))
          (type $late (func (param i32) (result i32)))
          (func (export "later") (param i32) (result i32)
            local.get 0 i32.const 2 call_indirect (type $late)))
        (core module $relay
          (type $say (func (param i32 i32)))
          (table (export "places") 1 funcref)
          (func (export "say") (param i32 i32)
            local.get 0 local.get 1 i32.const 0 call_indirect (type $say)))
        (core module $app
          (import "env" "memory" (memory 1))
          (import "env" "stack" (global $stack (mut i32)))
          (import "env" "address" (global $address (mut i32)))
          (import "env" "later" (func $later (param i32) (result i32)))
          (import "host" "say" (func $say (param i32 i32)))
          (func (export "run") (result i32)
            global.get $stack global.set $stack
            i32.const 0 i32.const 5 call $say
            global.get $address call $later)
          (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 64)
          (func (export "never") unreachable))
        (core module $library
          (import "env" "table" (table 4 funcref))
          (import "env" "base" (global $base i32))
          (import "env" "memory" (memory 1))
          (func $late (export "late") (param i32) (result i32) local.get 0 i32.load)
          (data (i32.const 8) "abc")
          (elem (global.get $base) func $late))
        (core module $fill
          (import "" "0" (func $say (param i32 i32)))
          (import "" "places" (table 1 funcref))
          (elem (i32.const 0) func $say))
        (core instance $env (instantiate $env))
        (core instance $relay (instantiate $relay))
        (core instance $app (instantiate $app (with "env" (instance $env)) (with "host" (instance $relay))))
        (core instance $library (instantiate $library (with "env" (instance $env))))
        (core func $said (canon lower (func $say) (memory (core memory $env "memory"))))
        (core instance (instantiate $fill
          (with "" (instance (export "0" (func $said)) (export "places" (table $relay "places"))))))
        (func (export "run") (result u32) (canon lift (core func $app "run"))))"#;

    fn linked(text: &str) -> Result<Vec<u8>, String> {
        let whole = wat::parse_str(text).expect("the test's text is valid");
        link(&whole, b"").map_err(|fault| fault.to_string())
    }

    /// The operators of every function of the one module, which stands behind the relay.
    fn functions(component: &[u8]) -> Vec<Vec<Operator<'_>>> {
        let (mut module, mut found) = (0, Vec::new());
        for payload in Parser::new(0).parse_all(component) {
            match payload.expect("a valid component") {
                Payload::ModuleSection { .. } => module += 1,
                Payload::CodeSectionEntry(body) if module == 2 => {
                    let operators = body.get_operators_reader().expect("a body").into_iter();
                    found.push(operators.collect::<Result<_, _>>().expect("operators"));
                }
                _ => {}
            }
        }
        found
    }

    #[test]
    fn what_comes_out_is_valid() {
        let component = linked(LINKED_LATE).expect("linked");
        Validator::new().validate_all(&component).expect("valid");
    }

    #[test]
    fn a_function_that_nothing_reaches_is_left_out() {
        // `run` and `late`: neither `never` nor the two that only hand on, nor what would allocate.
        assert_eq!(functions(&linked(LINKED_LATE).expect("linked")).len(), 2);
    }

    #[test]
    fn a_global_that_nobody_writes_to_is_its_number_and_a_call_through_a_table_goes_straight() {
        let component = linked(LINKED_LATE).expect("linked");
        let found = functions(&component);
        // Function 0 is the host's, 1 is `run`, 2 is `late`.
        assert!(matches!(
            found[0].as_slice(),
            [
                Operator::GlobalGet { global_index: 0 },
                Operator::GlobalSet { global_index: 0 },
                Operator::I32Const { value: 0 },
                Operator::I32Const { value: 5 },
                Operator::Call { function_index: 0 },
                Operator::I32Const { value: 77 },
                Operator::Call { function_index: 2 },
                Operator::End,
            ]
        ));
    }

    #[test]
    fn what_was_in_memory_is_in_it_still() {
        let component = linked(LINKED_LATE).expect("linked");
        let data = Parser::new(0).parse_all(&component).find_map(|payload| match payload {
            Ok(Payload::DataSection(section)) => section.into_iter().next()?.ok(),
            _ => None,
        });
        assert_eq!(data.map(|data| data.data), Some(b"abc".as_slice()));
    }

    #[test]
    fn a_start_function_is_refused() {
        let text =
            LINKED_LATE.replace("(func (export \"never\") unreachable)", "(func $never) (start $never)");
        assert_eq!(linked(&text), Err("a start function: modules with one cannot be merged".to_owned()));
    }

    #[test]
    fn a_table_that_changes_is_refused() {
        let grown =
            "(func $late (export \"late\") (param i32) (result i32) ref.null func i32.const 1 table.grow 0)";
        let old = "(func $late (export \"late\") (param i32) (result i32) local.get 0 i32.load)";
        let refused = linked(&LINKED_LATE.replace(old, grown)).expect_err("refused");
        assert!(refused.starts_with("an instruction on tables or segments"), "{refused}");
    }

    #[test]
    fn bytes_that_a_call_copies_are_given_back_after_it() {
        let component = linked(
            r#"(component
              (core module $runtime
                (memory (export "memory") 1)
                (func (export "wit_dylib_pop_list") (param i32 i32 i32) (result i32) i32.const 0)
                (func (export "wit_dylib_dealloc_bytes") (param i32 i32 i32 i32 i32)))
              (core module $app
                (import "r" "wit_dylib_pop_list" (func $takes (param i32 i32 i32) (result i32)))
                (import "r" "wit_dylib_dealloc_bytes" (func $gives_back (param i32 i32 i32 i32 i32)))
                (func (export "run") (result i32)
                  i32.const 0 i32.const 0 i32.const 0 i32.const 1 i32.const 0 call $gives_back
                  i32.const 0 i32.const 0 i32.const 8 call $takes))
              (core instance $r (instantiate $runtime))
              (core instance $app (instantiate $app (with "r" (instance $r))))
              (func (export "run") (result u32) (canon lift (core func $app "run"))))"#,
        )
        .expect("linked");
        Validator::new().validate_all(&component).expect("valid");
        let calls = |operators: &[Operator<'_>]| -> Vec<u32> {
            let called = operators.iter().filter_map(|it| match it {
                Operator::Call { function_index } => Some(*function_index),
                _ => None,
            });
            called.collect()
        };
        let found: Vec<Vec<u32>> = functions(&component).iter().map(|it| calls(it)).collect();
        // The two of the runtime, `run`, and the function that calls the one and then the other.
        assert_eq!(found, [vec![], vec![], vec![1, 3], vec![0, 1]]);
    }

    /// A module that has a function for bytes that it asks for.
    const ASKING: &str = r#"
      (component
        (core module $app
          (memory (export "memory") 1)
          (data (i32.const 8) "frozen")
          (func $kept (export "casparian_kept") (param i32 i32 i32) unreachable)
          (func (export "run") (result i32)
            i32.const 64 i32.const 2 i32.const 3 call $kept i32.const 64 i32.load))
        (core instance $app (instantiate $app))
        (func (export "run") (result u32) (canon lift (core func $app "run"))))"#;

    #[test]
    fn bytes_that_a_guest_asks_for_are_in_no_memory_until_then() {
        let component = link(&wat::parse_str(ASKING).expect("valid"), b"some bytes").expect("linked");
        Validator::new().validate_all(&component).expect("valid");
        assert!(matches!(
            functions(&component)[0].as_slice(),
            [
                Operator::LocalGet { local_index: 0 },
                Operator::LocalGet { local_index: 1 },
                Operator::LocalGet { local_index: 2 },
                Operator::MemoryInit { data_index: 1, mem: 0 },
                Operator::End,
            ]
        ));
        let segments: Vec<_> = Parser::new(0)
            .parse_all(&component)
            .filter_map(|payload| match payload {
                Ok(Payload::DataSection(section)) => Some(section.into_iter().map(Result::unwrap)),
                _ => None,
            })
            .flatten()
            .map(|it| (matches!(it.kind, wasmparser::DataKind::Passive), it.data))
            .collect();
        assert_eq!(segments, [(false, b"frozen".as_slice()), (true, b"some bytes".as_slice())]);
    }

    #[test]
    fn bytes_that_nobody_asks_for_are_refused() {
        let refused = |text: &str| link(&wat::parse_str(text).expect("valid"), b"some").expect_err("refused");
        let other = refused(&ASKING.replace("\"casparian_kept\"", "\"other\""));
        assert_eq!(other.to_string(), "the function `casparian_kept` is not there");
        let unused = refused(&ASKING.replace("call $kept", "drop drop drop"));
        assert!(unused.to_string().contains("is not there"), "{unused}");
    }

    #[test]
    fn what_is_cut_off_is_refused_or_a_component_still() {
        for (text, kept) in [(LINKED_LATE, ""), (ASKING, "some bytes")] {
            let whole = wat::parse_str(text).expect("the test's text is valid");
            for end in 0..whole.len() {
                if let Ok(component) = link(&whole[..end], kept.as_bytes()) {
                    Validator::new().validate_all(&component).expect("valid");
                }
            }
        }
    }
}
