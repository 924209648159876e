//! The one module: every function that can be reached, the tables, the memory with all that was in it, and hardly a global.

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType,
    ExportSection, FunctionSection, GlobalSection, ImportSection, Instruction, MemorySection, Module,
    NameMap, NameSection, TableSection, TypeSection,
};
use wasmparser::{DataKind, FuncType, Operator};

use super::kept::Kept;
use super::linking::{Constant, Linked, number};
use super::reading::{Item, Kind};
use super::{Fault, Outcome, unsupported};

/// What the one module imports its functions from.
pub(super) const HOST: &str = "host";

/// Writes the one module.
pub(super) fn write(linked: &Linked<'_, '_>) -> Outcome<Module> {
    let mut module = Module::new();
    module.section(&types(&linked.types)?);
    module.section(&imports(linked)?);
    let mut functions = FunctionSection::new();
    for item in &linked.functions {
        functions.function(linked.type_number(type_of(linked, *item)?)?);
    }
    if let Some(mending) = linked.mending {
        functions.function(linked.type_number(type_of(linked, mending.takes)?)?);
    }
    module.section(&functions);
    module.section(&tables(linked)?);
    module.section(&memories(linked)?);
    module.section(&globals(linked)?);
    module.section(&exports(linked)?);
    module.section(&elements(linked)?);
    // Whoever names a segment wants to know beforehand how many there are.
    module.section(&DataCountSection { count: number(active(linked) + usize::from(linked.kept.is_some())) });
    module.section(&code(linked)?);
    module.section(&data(linked)?);
    module.section(&names(linked)?);
    Ok(module)
}

/// Writes function types.
pub(super) fn types<'t>(types: impl IntoIterator<Item = &'t FuncType>) -> Outcome<TypeSection> {
    let mut section = TypeSection::new();
    for ty in types {
        section.ty().func_type(&ty.clone().try_into().map_err(|_| Fault::Unsupported("a type"))?);
    }
    Ok(section)
}

fn imports(linked: &Linked<'_, '_>) -> Outcome<ImportSection> {
    let mut section = ImportSection::new();
    for (which, ty) in &linked.made {
        section.import(HOST, &which.to_string(), EntityType::Function(linked.type_number(ty)?));
    }
    Ok(section)
}

fn type_of<'l>(linked: &'l Linked<'_, '_>, item: Item) -> Outcome<&'l FuncType> {
    let Item::Own { instance, index, .. } = item else { return unsupported("a function without a body") };
    let module = linked.parts.module(instance);
    let found = module.and_then(|it| it.types.get(it.function(index)?.0 as usize));
    found.ok_or_else(|| Fault::Missing(format!("the type of function {index}")))
}

fn tables(linked: &Linked<'_, '_>) -> Outcome<TableSection> {
    let mut section = TableSection::new();
    for table in &linked.tables {
        section.table(linked.table_type(*table)?.try_into().map_err(|_| Fault::Unsupported("a table"))?);
    }
    Ok(section)
}

fn memories(linked: &Linked<'_, '_>) -> Outcome<MemorySection> {
    let mut section = MemorySection::new();
    for (_, module) in linked.parts.made_of_modules() {
        for memory in &module.memories {
            section.memory((*memory).into());
        }
    }
    Ok(section)
}

fn globals(linked: &Linked<'_, '_>) -> Outcome<GlobalSection> {
    let mut section = GlobalSection::new();
    for item in &linked.globals {
        let Item::Own { instance, index, .. } = *item else { return unsupported("a global of the host") };
        let global = linked.parts.module(instance).and_then(|module| module.global(index));
        let global = global.ok_or_else(|| Fault::Missing(format!("global {index}")))?;
        let mut renumbered = Renumbered { linked, instance };
        section.global(
            global.ty.try_into().map_err(|_| Fault::Unsupported("a global"))?,
            &renumbered.const_expr(global.init_expr.clone())?,
        );
    }
    Ok(section)
}

/// All that lifting and lowering need, each under its place in that list.
fn exports(linked: &Linked<'_, '_>) -> Outcome<ExportSection> {
    let mut section = ExportSection::new();
    for (name, (kind, item)) in needed(linked)?.into_iter().enumerate() {
        section.export(&name.to_string(), kind.exported(), linked.number_of(item)?);
    }
    Ok(section)
}

/// Returns the memories and functions that the component needs of the one module, each once.
pub(super) fn needed(linked: &Linked<'_, '_>) -> Outcome<Vec<(Kind, Item)>> {
    let mut needed: Vec<(Kind, Item)> = Vec::new();
    for (kind, index) in &linked.parts.needed {
        let item = linked.core_item(*kind, *index)?;
        if !needed.contains(&(*kind, item)) {
            needed.push((*kind, item));
        }
    }
    Ok(needed)
}

fn elements(linked: &Linked<'_, '_>) -> Outcome<ElementSection> {
    let mut section = ElementSection::new();
    for table in &linked.tables {
        for (first, run) in linked.runs(*table)? {
            let offset = ConstExpr::i32_const(first.cast_signed());
            section.active(Some(linked.number_of(*table)?), &offset, Elements::Functions(run.into()));
        }
    }
    Ok(section)
}

fn code(linked: &Linked<'_, '_>) -> Outcome<CodeSection> {
    let mut section = CodeSection::new();
    for item in &linked.functions {
        let Item::Own { instance, index, .. } = *item else { continue };
        if let Some(kept) = linked.kept.filter(|kept| kept.copies == *item) {
            let memory = linked.number_of(kept.memory(linked.parts)?)?;
            section.function(&Kept::body(memory, number(active(linked))));
            continue;
        }
        let found = linked.parts.module(instance).and_then(|module| module.function(index));
        let (_, body) = found.ok_or_else(|| Fault::Missing(format!("function {index}")))?;
        Renumbered { linked, instance }.parse_function_body(&mut section, body.clone())?;
    }
    if let Some(mending) = linked.mending {
        section.function(&mending.body(linked)?);
    }
    Ok(section)
}

fn data(linked: &Linked<'_, '_>) -> Outcome<DataSection> {
    let mut section = DataSection::new();
    for (instance, module) in linked.parts.made_of_modules() {
        for data in &module.data {
            let DataKind::Active { memory_index, offset_expr } = &data.kind else {
                return unsupported("a passive data segment");
            };
            let memory = linked.number_of(linked.parts.item(instance, Kind::Memory, *memory_index)?)?;
            let Constant::I32(offset) = linked.value(instance, offset_expr)? else {
                return unsupported("a memory of 64 bits");
            };
            section.active(memory, &ConstExpr::i32_const(offset), data.data.iter().copied());
        }
    }
    if let Some(kept) = linked.kept {
        section.passive(kept.bytes.iter().copied());
    }
    Ok(section)
}

/// Returns how many segments memory is made of.
fn active(linked: &Linked<'_, '_>) -> usize {
    linked.parts.made_of_modules().map(|(_, module)| module.data.len()).sum()
}

/// Whoever reads where a guest trapped wants names.
fn names(linked: &Linked<'_, '_>) -> Outcome<NameSection> {
    let mut functions = NameMap::new();
    for item in &linked.functions {
        let Item::Own { instance, index, .. } = *item else { continue };
        if let Some(name) = linked.parts.module(instance).and_then(|module| module.names.get(&index)) {
            functions.append(linked.number_of(*item)?, name);
        }
    }
    let mut section = NameSection::new();
    section.functions(&functions);
    Ok(section)
}

/// Instructions of one instance's module, with the numbers of the one module.
struct Renumbered<'l, 'p, 'a> {
    linked: &'l Linked<'p, 'a>,
    instance: usize,
}

impl Renumbered<'_, '_, '_> {
    fn number(&self, kind: Kind, index: u32) -> Result<u32, Error<Fault>> {
        let item = self.linked.item(self.instance, kind, index);
        item.and_then(|item| self.linked.number_called(item)).map_err(Error::UserError)
    }
}

impl Reencode for Renumbered<'_, '_, '_> {
    type Error = Fault;

    fn function_index(&mut self, index: u32) -> Result<u32, Error<Fault>> {
        self.number(Kind::Function, index)
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error<Fault>> {
        self.number(Kind::Global, index)
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error<Fault>> {
        self.number(Kind::Memory, index)
    }

    fn table_index(&mut self, index: u32) -> Result<u32, Error<Fault>> {
        self.number(Kind::Table, index)
    }

    fn type_index(&mut self, index: u32) -> Result<u32, Error<Fault>> {
        let module = self.linked.parts.module(self.instance);
        let ty = module.and_then(|module| module.types.get(index as usize));
        let ty = ty.ok_or_else(|| Error::UserError(Fault::Missing(format!("type {index}"))))?;
        self.linked.type_number(ty).map_err(Error::UserError)
    }

    fn instruction<'a>(&mut self, operator: Operator<'a>) -> Result<Instruction<'a>, Error<Fault>> {
        if let Operator::GlobalGet { global_index } = operator {
            let item = self.linked.parts.item(self.instance, Kind::Global, global_index);
            if let Some(value) = self.linked.constants.get(&item.map_err(Error::UserError)?) {
                return Ok(match *value {
                    Constant::I32(value) => Instruction::I32Const(value),
                    Constant::I64(value) => Instruction::I64Const(value),
                    Constant::F32(value) => Instruction::F32Const(value.into()),
                    Constant::F64(value) => Instruction::F64Const(value.into()),
                });
            }
        }
        utils::instruction(self, operator)
    }
}
