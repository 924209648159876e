//! The component around the one module: all that it had, its core modules replaced.

use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent, component_utils};
use wasm_encoder::{
    Alias, CodeSection, Component, ComponentAliasSection, ComponentSectionId, ConstExpr, ElementSection,
    Elements, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    InstanceSection, Instruction, Module, ModuleArg, ModuleSection, RawSection, RefType, TableSection,
    TableType,
};
use wasmparser::{ComponentAlias, FuncType, Parser, Payload};

use super::linking::{Linked, number};
use super::module::{HOST, needed, types};
use super::reading::{Item, Kind, part};
use super::{Fault, Outcome};

/// The table of what the component makes, between the first module and the last.
const PLACES: &str = "places";
/// The names in it are those of core items that are no more.
const NAMES: &str = "component-name";
/// The core modules and instances of the new component, in order: what passes calls on, the one module, what fills the table.
const HOST_INDEX: u32 = 0;
const ONE_INDEX: u32 = 1;
const FILLER_INDEX: u32 = 2;
const GIVEN_INSTANCE: u32 = 2;

/// Writes the component again, with the one module where all of them stood.
pub(super) fn write(linked: &Linked<'_, '_>, whole: &[u8], one: &[u8]) -> Outcome<Vec<u8>> {
    let mut written = Component::new();
    let mut rewired = Rewired { linked, needed: needed(linked)? };
    let (mut is_placed, mut depth) = (false, 0_u32);
    for payload in Parser::new(0).parse_all(whole) {
        let payload = payload?;
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            // What is nested was copied as a whole, when its beginning came by.
            _ if depth != 1 => {}
            Payload::ModuleSection { .. } if !is_placed => {
                place(&rewired, one, &mut written)?;
                is_placed = true;
            }
            Payload::ModuleSection { .. } | Payload::InstanceSection(_) => {}
            Payload::ComponentSection { unchecked_range, .. } => {
                let (id, data) = (ComponentSectionId::Component as u8, part(whole, unchecked_range.clone())?);
                written.section(&RawSection { id, data });
            }
            Payload::CustomSection(custom) if custom.name() == NAMES => {}
            _ => rewired.parse_component_payload(&mut written, payload, whole)?,
        }
    }
    if !is_placed {
        return Err(Fault::Missing("a core module".to_owned()));
    }
    fill(&rewired, &mut written);
    Ok(written.finish())
}

/// Places the modules and instantiates them. The one module needs what the component makes, and that needs its memory: a
/// module between them passes calls on through a table, which is filled in the end.
fn place(rewired: &Rewired<'_, '_, '_>, one: &[u8], written: &mut Component) -> Outcome {
    let linked = rewired.linked;
    written.section(&ModuleSection(&host(linked)?));
    written.section(&RawSection { id: ComponentSectionId::CoreModule as u8, data: one });
    written.section(&ModuleSection(&filler(linked)?));
    let mut instances = InstanceSection::new();
    instances.instantiate(HOST_INDEX, [("", ModuleArg::Instance(0)); 0]);
    instances.instantiate(ONE_INDEX, [(HOST, ModuleArg::Instance(HOST_INDEX))]);
    written.section(&instances);
    let mut aliases = ComponentAliasSection::new();
    for (name, (kind, _)) in rewired.needed.iter().enumerate() {
        let name = &name.to_string();
        aliases.alias(Alias::CoreInstanceExport { instance: ONE_INDEX, kind: kind.exported(), name });
    }
    let (instance, kind, name) = (HOST_INDEX, ExportKind::Table, PLACES);
    aliases.alias(Alias::CoreInstanceExport { instance, kind, name });
    written.section(&aliases);
    Ok(())
}

/// Fills the table, when all that goes into it has been made.
fn fill(rewired: &Rewired<'_, '_, '_>, written: &mut Component) {
    let first = number(rewired.of(Kind::Function).count());
    let made = rewired.linked.made.iter();
    let made = made.map(|(which, _)| (which.to_string(), ExportKind::Func, first + which));
    let given: Vec<_> = made.chain([(PLACES.to_owned(), ExportKind::Table, 0)]).collect();
    let mut instances = InstanceSection::new();
    instances.export_items(given.iter().map(|(name, kind, index)| (name.as_str(), *kind, *index)));
    instances.instantiate(FILLER_INDEX, [(HOST, ModuleArg::Instance(GIVEN_INSTANCE))]);
    written.section(&instances);
}

/// The module that passes calls on.
fn host(linked: &Linked<'_, '_>) -> Outcome<Module> {
    let (mut functions, mut tables) = (FunctionSection::new(), TableSection::new());
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    for (place, (which, ty)) in linked.made.iter().enumerate() {
        functions.function(number(place));
        exports.export(&which.to_string(), ExportKind::Func, number(place));
        code.function(&passing_on(number(place), ty));
    }
    tables.table(places_type(linked));
    exports.export(PLACES, ExportKind::Table, 0);
    let mut module = Module::new();
    module.section(&made_types(linked)?).section(&functions).section(&tables);
    module.section(&exports).section(&code);
    Ok(module)
}

/// The function that calls what stands in a place of the table; its type has the number of the place.
fn passing_on(place: u32, ty: &FuncType) -> Function {
    let mut function = Function::new([]);
    for argument in 0..ty.params().len() {
        function.instruction(&Instruction::LocalGet(number(argument)));
    }
    function.instruction(&Instruction::I32Const(place.cast_signed()));
    function.instruction(&Instruction::CallIndirect { type_index: place, table_index: 0 });
    function.instruction(&Instruction::End);
    function
}

/// The module that fills the table.
fn filler(linked: &Linked<'_, '_>) -> Outcome<Module> {
    let (mut imports, mut elements) = (ImportSection::new(), ElementSection::new());
    for (place, (which, _)) in linked.made.iter().enumerate() {
        imports.import(HOST, &which.to_string(), EntityType::Function(number(place)));
    }
    imports.import(HOST, PLACES, places_type(linked));
    let all: Vec<u32> = (0..linked.made.len()).map(number).collect();
    elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(all.into()));
    let mut module = Module::new();
    module.section(&made_types(linked)?).section(&imports).section(&elements);
    Ok(module)
}

fn made_types(linked: &Linked<'_, '_>) -> Outcome<wasm_encoder::TypeSection> {
    types(linked.made.iter().map(|(_, ty)| ty))
}

fn places_type(linked: &Linked<'_, '_>) -> TableType {
    let places = linked.made.len() as u64;
    let (element_type, maximum) = (RefType::FUNCREF, Some(places));
    TableType { element_type, table64: false, minimum: places, maximum, shared: false }
}

/// Indices of the component's core space, in the new component: first the functions of the one module that are needed, then
/// those that the component makes.
struct Rewired<'l, 'p, 'a> {
    linked: &'l Linked<'p, 'a>,
    needed: Vec<(Kind, Item)>,
}

impl Rewired<'_, '_, '_> {
    /// Returns the needed items of a kind.
    fn of(&self, kind: Kind) -> impl Iterator<Item = Item> {
        self.needed.iter().filter(move |(its, _)| *its == kind).map(|(_, item)| *item)
    }

    fn number(&self, kind: Kind, index: u32) -> Result<u32, Error<Fault>> {
        let item = self.linked.core_item(kind, index).map_err(Error::UserError)?;
        let found = self.of(kind).position(|its| its == item);
        found.map(number).ok_or_else(|| Error::UserError(Fault::Missing(format!("{kind:?} {index}"))))
    }
}

impl Reencode for Rewired<'_, '_, '_> {
    type Error = Fault;

    fn function_index(&mut self, index: u32) -> Result<u32, Error<Fault>> {
        self.number(Kind::Function, index)
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error<Fault>> {
        self.number(Kind::Memory, index)
    }
}

impl ReencodeComponent for Rewired<'_, '_, '_> {
    fn parse_component_alias_section(
        &mut self,
        aliases: &mut ComponentAliasSection,
        section: wasmparser::ComponentAliasSectionReader<'_>,
    ) -> Result<(), Error<Fault>> {
        for alias in section {
            let alias = alias?;
            if !matches!(alias, ComponentAlias::CoreInstanceExport { .. }) {
                aliases.alias(component_utils::component_alias(self, alias)?);
            }
        }
        Ok(())
    }
}
