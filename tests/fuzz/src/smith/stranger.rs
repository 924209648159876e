//! Components that nobody wrote and that are no parsers: as they are, and made to look like one from outside, so that the compiler sees
//! them.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use casparian_core::fault::{Blame, Blamed};
use casparian_sandbox::{Sandbox, precheck};
use wasm_encoder::{
    Component, ComponentExportKind, ComponentExportSection, ComponentInstanceSection, RawSection,
};
use wasm_smith::Config;

use super::run::limits;
use crate::targets::assert_refusal;

/// A section that holds a component within another.
const COMPONENT: u8 = 4;

/// Who refused a component, and with which code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// It was looked at, and that was enough.
    AtDoor(&'static str),
    /// The compiler, or what it was linked to.
    Compiled(&'static str),
}

/// What must hold of any component by wasm-smith, and of bytes that are close to one: it is refused, by whose fault it is. None: the
/// bytes stand for no component.
pub fn refuse(bytes: &[u8]) -> Option<[Refused; 2]> {
    let component = generate(&mut Unstructured::new(bytes)).ok()?;
    Some([&component, &disguised(&component)].map(|component| refused(component)))
}

/// A component; now and then with bytes in it that are others.
fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let spoilt = bytes.ratio(1, 4)?;
    let (at, mask): (u16, u8) = (bytes.arbitrary()?, bytes.arbitrary()?);
    let mut component = wasm_smith::Component::new(config(bytes)?, bytes)?.to_bytes();
    if spoilt && let Some(byte) = component.get_mut(8 + usize::from(at)) {
        *byte ^= mask;
    }
    Ok(component)
}

/// Everything that wasm-smith knows of, whether the sandbox has it or not, for half of them.
fn config(bytes: &mut Unstructured<'_>) -> Result<Config> {
    let more = bytes.ratio(1, 2)?;
    Ok(Config {
        gc_enabled: more,
        exceptions_enabled: more,
        memory64_enabled: more,
        threads_enabled: more,
        tail_call_enabled: more,
        relaxed_simd_enabled: more,
        compact_imports_enabled: more,
        max_memory32_bytes: 16 << 20,
        ..Config::default()
    })
}

/// The same within a component that exports what a parser does, by name: nothing is in it.
fn disguised(component: &[u8]) -> Vec<u8> {
    let mut instances = ComponentInstanceSection::new();
    instances.export_items::<&str, [(&str, ComponentExportKind, u32); 0]>([]);
    let mut exports = ComponentExportSection::new();
    let format = format!("{}/format@{}", precheck::PACKAGE, precheck::PACKAGE_VERSION);
    exports.export(format.as_str(), ComponentExportKind::Instance, 0, None);
    let mut outer = Component::new();
    outer.section(&RawSection { id: COMPONENT, data: component });
    outer.section(&instances).section(&exports);
    outer.finish()
}

fn refused(component: &[u8]) -> Refused {
    static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(&limits()).expect("an engine"));
    let refused = |fault: &dyn Blamed| {
        assert_refusal(fault, fault.blame());
        assert_ne!(fault.blame(), Blame::Host, "{fault}");
        fault.code()
    };
    let checked = match (precheck::check(component), precheck::check_runtime(component)) {
        (Err(fault), Err(other)) => {
            refused(&other);
            return Refused::AtDoor(refused(&fault));
        }
        (Ok(checked), _) | (_, Ok(checked)) => checked,
    };
    let loaded = SANDBOX.load_fresh(&checked);
    Refused::Compiled(refused(&loaded.err().expect("what nobody made for us is no parser")))
}
