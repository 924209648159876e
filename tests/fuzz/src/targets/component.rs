//! Components before anything of them is compiled, and what is taken out of them.

use casparian_core::fault::Blame;
use casparian_core::fault::Blamed as _;
use casparian_sandbox::{precheck, section};
use wasm_encoder::{
    CodeSection, Component, Function, FunctionSection, Module, ModuleSection, RawSection, TypeSection,
};

use super::{assert_harmless, assert_refusal};
use crate::Target;

pub(super) const PRECHECK: Target = Target { name: "precheck", bytes_max: 8192, run: look, seeds };
pub(super) const SECTION: Target = Target { name: "section", bytes_max: 4096, run: section, seeds };

/// A component that holds a module, one within another, one with a contract, and what is none.
fn seeds() -> Vec<Vec<u8>> {
    let module = module();
    let component = |with: &dyn Fn(&mut Component)| {
        let mut component = Component::new();
        with(&mut component);
        component.finish()
    };
    let simple = component(&|outer| {
        outer.section(&ModuleSection(&module));
    });
    let within = component(&|outer| {
        outer.section(&RawSection { id: 4, data: &simple });
    });
    let sealed = section::with_contract(&within, b"kind: DataContract").expect("it takes a contract");
    vec![module.finish(), simple, within, sealed, b"\x7fELF".to_vec()]
}

fn module() -> Module {
    let mut types = TypeSection::new();
    types.ty().function([wasm_encoder::ValType::I32], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut code = CodeSection::new();
    let mut body = Function::new([(2, wasm_encoder::ValType::I64)]);
    body.instructions().block(wasm_encoder::BlockType::Empty).local_get(0).br_if(0).end().end();
    code.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module
}

fn look(bytes: &[u8]) {
    for checked in [precheck::check(bytes), precheck::check_runtime(bytes)] {
        match checked {
            Ok(checked) => assert_eq!(checked.bytes(), bytes),
            Err(fault) => {
                assert_harmless(&fault.to_string());
                assert!(!fault.code().is_empty());
            }
        }
    }
}

/// What is put in is found, also where something else stood.
fn section(bytes: &[u8]) {
    match section::with_contract(bytes, b"put in") {
        Ok(sealed) => assert_eq!(section::contract(&sealed), Ok(Some(&b"put in"[..]))),
        Err(fault) => assert!(section::contract(bytes).is_err(), "{fault}"),
    }
    if let Err(fault) = section::contract(bytes).map(drop) {
        assert_refusal(&fault, fault.blame());
        assert_ne!(fault.blame(), Blame::Host);
    }
}
