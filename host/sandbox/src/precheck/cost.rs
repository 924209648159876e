//! What compiling a component would cost, counted and not tried. A few kilobytes whose levels instantiate each other twice take
//! gigabytes to compile; so does one function that never ends.

use thiserror::Error;
use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, FunctionBody, Instance, Parser, Payload,
};

/// Most instances that a component comes to, each level counted as often as it is instantiated. A language runtime is made
/// of dozens.
const INSTANCES_MAX: u64 = 256;
/// Most functions with a body, all modules together.
const FUNCTIONS_MAX: u64 = 100_000;
/// Most bytes of one function's body in a parser.
pub(super) const BODY_BYTES_MAX: u64 = 256 * 1024;
/// The same in a language runtime, which the operator installs: an interpreter's libraries have larger ones.
pub(super) const RUNTIME_BODY_BYTES_MAX: u64 = 1024 * 1024;
/// Most local variables of one function.
const LOCALS_MAX: u64 = 2_000;
/// A component that comes from outside, of which nothing is known before it runs. No parser needs to be handed one.
const UNKNOWN: u64 = u64::MAX;

/// Compiling it would cost more than any parser is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what}: limit {limit}, has {found}")]
pub struct TooDear {
    /// What there is too much of.
    pub what: &'static str,
    /// How much there may be.
    pub limit: u64,
    /// How much there is; the largest number where nobody can know.
    pub found: u64,
}

impl TooDear {
    fn unless(what: &'static str, limit: u64, found: u64) -> Result<(), Self> {
        if found > limit { Err(Self { what, limit, found }) } else { Ok(()) }
    }

    pub(super) fn code(self) -> &'static str {
        match self.what {
            "component instances" => "instance-expansion",
            "component functions" => "too-many-functions",
            _ => "function-too-large",
        }
    }
}

/// Why counting ended.
pub(super) enum Refused {
    Invalid(BinaryReaderError),
    TooDear(TooDear),
}

impl From<BinaryReaderError> for Refused {
    fn from(error: BinaryReaderError) -> Self {
        Self::Invalid(error)
    }
}

impl From<TooDear> for Refused {
    fn from(fault: TooDear) -> Self {
        Self::TooDear(fault)
    }
}

/// Counts what a component would cost. Linear in its bytes.
pub(super) fn check(bytes: &[u8], body_bytes_max: u64) -> Result<(), Refused> {
    let mut count = Count { functions: 0, open: Vec::new(), body_bytes_max };
    Parser::new(0).parse_all(bytes).try_for_each(|payload| count.add(payload?))
}

struct Count {
    functions: u64,
    body_bytes_max: u64,
    /// The modules and components that are being read, the outermost first.
    open: Vec<Part>,
}

/// A module or a component.
#[derive(Default)]
struct Part {
    is_component: bool,
    /// What each component in its index space comes to when it is instantiated.
    components: Vec<u64>,
    /// What it comes to itself.
    instances: u64,
}

impl Part {
    fn instances_of(&self, component: u32) -> u64 {
        let known = usize::try_from(component).ok().and_then(|at| self.components.get(at));
        known.copied().unwrap_or(UNKNOWN)
    }
}

impl Count {
    fn add(&mut self, payload: Payload<'_>) -> Result<(), Refused> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.open.push(Part { is_component: encoding == Encoding::Component, ..Part::default() });
            }
            Payload::End(_) => self.close()?,
            Payload::CodeSectionStart { count, .. } => {
                self.functions = self.functions.saturating_add(count.into());
                TooDear::unless("component functions", FUNCTIONS_MAX, self.functions)?;
            }
            Payload::CodeSectionEntry(body) => check_body(&body, self.body_bytes_max)?,
            payload => self.add_instances(payload)?,
        }
        Ok(())
    }

    /// What is instantiated, and what the component index space is made of.
    fn add_instances(&mut self, payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::InstanceSection(section) => section.into_iter().try_for_each(|instance| {
                if let Instance::Instantiate { .. } = instance? {
                    self.instantiate(0);
                }
                Ok(())
            }),
            Payload::ComponentInstanceSection(section) => section.into_iter().try_for_each(|instance| {
                if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                    let below = self.open.last().map_or(UNKNOWN, |part| part.instances_of(component_index));
                    self.instantiate(below);
                }
                Ok(())
            }),
            Payload::ComponentAliasSection(section) => section.into_iter().try_for_each(|alias| {
                self.alias(&alias?);
                Ok(())
            }),
            Payload::ComponentImportSection(section) => section.into_iter().try_for_each(|import| {
                if let ComponentTypeRef::Component(_) = import?.ty {
                    self.name(UNKNOWN);
                }
                Ok(())
            }),
            Payload::ComponentExportSection(section) => section.into_iter().try_for_each(|export| {
                let export = export?;
                if export.kind == ComponentExternalKind::Component {
                    let known = self.open.last().map_or(UNKNOWN, |part| part.instances_of(export.index));
                    self.name(known);
                }
                Ok(())
            }),
            _ => Ok(()),
        }
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match *alias {
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                let outer = usize::try_from(count).ok().and_then(|levels| self.open.iter().rev().nth(levels));
                let known = outer.map_or(UNKNOWN, |part| part.instances_of(index));
                self.name(known);
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                self.name(UNKNOWN)
            }
            _ => {}
        }
    }

    /// Gives the component that is being read a component to instantiate.
    fn name(&mut self, instances: u64) {
        if let Some(part) = self.open.last_mut() {
            part.components.push(instances);
        }
    }

    fn instantiate(&mut self, below: u64) {
        if let Some(part) = self.open.last_mut() {
            part.instances = part.instances.saturating_add(below).saturating_add(1);
        }
    }

    fn close(&mut self) -> Result<(), TooDear> {
        match self.open.pop() {
            Some(part) if self.open.is_empty() => {
                TooDear::unless("component instances", INSTANCES_MAX, part.instances)
            }
            Some(part) if part.is_component => {
                self.name(part.instances);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn check_body(body: &FunctionBody<'_>, bytes_max: u64) -> Result<(), Refused> {
    let bytes = body.range();
    TooDear::unless("bytes of one function", bytes_max, bytes.end.saturating_sub(bytes.start) as u64)?;
    let mut locals = 0_u64;
    for group in body.get_locals_reader()? {
        let (count, _) = group?;
        locals = locals.saturating_add(count.into());
    }
    Ok(TooDear::unless("locals of one function", LOCALS_MAX, locals)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(wat: &str) -> Option<TooDear> {
        match check(&wat::parse_str(wat).expect("the test's wat is valid"), BODY_BYTES_MAX) {
            Ok(()) => None,
            Err(Refused::TooDear(fault)) => Some(fault),
            Err(Refused::Invalid(error)) => panic!("{error}"),
        }
    }

    /// Levels that instantiate the one below twice, over one of a single core instance.
    fn doubling(levels: u32) -> String {
        let level = |n: u32| {
            format!("(component $c{n} (instance (instantiate $c{0})) (instance (instantiate $c{0})))", n - 1)
        };
        let levels_text: String = (1..=levels).map(level).collect();
        format!(
            "(component (core module $m) (component $c0 (core instance (instantiate $m))) {levels_text}
            (instance (instantiate $c{levels})))"
        )
    }

    #[test]
    fn levels_that_double_each_other_are_counted_without_being_built() {
        // Level n comes to 2 * (1 + level n - 1), level 0 to 1.
        assert_eq!(refused(&doubling(6)), None);
        let fault = TooDear { what: "component instances", limit: 256, found: 383 };
        assert_eq!(refused(&doubling(7)), Some(fault));
        assert_eq!(refused(&doubling(100)).map(|fault| fault.found), Some(u64::MAX));
    }

    #[test]
    fn a_component_that_is_never_instantiated_costs_nothing() {
        assert_eq!(refused(&format!("(component {})", doubling(24))), None);
    }

    #[test]
    fn a_component_that_is_handed_in_counts_for_more_than_there_may_be() {
        let handed = "(component (import \"c\" (component $c)) (instance (instantiate $c)))";
        assert_eq!(refused(handed).map(|fault| fault.code()), Some("instance-expansion"));
    }

    #[test]
    fn a_function_may_have_so_many_locals_and_no_more() {
        let locals = |n: usize| format!("(component (core module (func (local {}))))", "i32 ".repeat(n));
        assert_eq!(refused(&locals(2_000)), None);
        assert_eq!(refused(&locals(2_001)).map(|fault| fault.found), Some(2_001));
    }

    #[test]
    fn a_body_may_be_so_long_and_no_longer() {
        // One byte for the locals, one for the end.
        let body = |n: usize| format!("(component (core module (func {})))", "nop ".repeat(n));
        assert_eq!(refused(&body(256 * 1024 - 2)), None);
        let fault = refused(&body(256 * 1024 - 1));
        assert_eq!(fault, Some(TooDear { what: "bytes of one function", limit: 262_144, found: 262_145 }));
    }

    #[test]
    fn there_may_be_so_many_functions_and_no_more() {
        let functions =
            |n: usize| format!("(component (core module {}) (core module (func)))", "(func)".repeat(n));
        assert_eq!(refused(&functions(99_999)), None);
        assert_eq!(refused(&functions(100_000)).map(|fault| fault.code()), Some("too-many-functions"));
    }
}
