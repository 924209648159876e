//! What stands in the outermost component, and what a core item of it really is.

use std::collections::HashMap;
use std::ops::Range;

use wasm_encoder::ExportKind;
use wasmparser::{
    CanonicalFunction, ComponentAlias, ExternalKind, FunctionBody, Instance, Operator, Parser, Payload,
    TypeRef,
};

use super::{Fault, Outcome, unsupported};

/// One core module: what it takes, what it gives, and where the rest of it stands.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub(super) types: Vec<wasmparser::FuncType>,
    pub(super) imports: [Vec<(&'a str, &'a str, TypeRef)>; 4],
    pub(super) exports: HashMap<&'a str, (Kind, u32)>,
    /// The type of each function with a body.
    pub(super) functions: Vec<u32>,
    pub(super) bodies: Vec<FunctionBody<'a>>,
    pub(super) tables: Vec<wasmparser::Table<'a>>,
    pub(super) memories: Vec<wasmparser::MemoryType>,
    pub(super) globals: Vec<wasmparser::Global<'a>>,
    pub(super) elements: Vec<wasmparser::Element<'a>>,
    pub(super) data: Vec<wasmparser::Data<'a>>,
    /// The name of each function, imported ones included.
    pub(super) names: HashMap<u32, &'a str>,
}

/// A kind of core item. The order is that of [`Module::imports`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Function,
    Table,
    Memory,
    Global,
}

impl Kind {
    fn of(kind: ExternalKind) -> Outcome<Self> {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Ok(Kind::Function),
            ExternalKind::Table => Ok(Kind::Table),
            ExternalKind::Memory => Ok(Kind::Memory),
            ExternalKind::Global => Ok(Kind::Global),
            ExternalKind::Tag => unsupported("a tag"),
        }
    }

    /// Returns what it is called where it is exported.
    pub(super) fn exported(self) -> ExportKind {
        match self {
            Kind::Function => ExportKind::Func,
            Kind::Table => ExportKind::Table,
            Kind::Memory => ExportKind::Memory,
            Kind::Global => ExportKind::Global,
        }
    }
}

/// An instance of a core module, or a bag of items under names.
pub(super) enum CoreInstance<'a> {
    Made { module: usize, with: HashMap<&'a str, u32> },
    Bag(HashMap<&'a str, (Kind, u32)>),
}

/// What an index of the component's core space stands for.
#[derive(Clone, Copy)]
enum Core<'a> {
    Export {
        instance: u32,
        name: &'a str,
    },
    /// A function that the component makes: a call of the host, or of one of its handles.
    Made(u32),
}

/// An item, found: defined in the module of an instance, under an index of that module, or made by the component.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Item {
    Own { instance: usize, kind: Kind, index: u32 },
    Made(u32),
}

/// The outermost component.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) modules: Vec<Module<'a>>,
    pub(super) instances: Vec<CoreInstance<'a>>,
    core: [Vec<Core<'a>>; 4],
    /// How many functions the component makes.
    pub(super) made: u32,
    /// What it lifts, and what lifting and lowering need: indices of its core space.
    pub(super) needed: Vec<(Kind, u32)>,
}

impl<'a> Parts<'a> {
    pub(super) fn read(component: &'a [u8]) -> Outcome<Self> {
        let mut parts = Parts::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ModuleSection { unchecked_range, .. } if depth == 1 => {
                    parts.modules.push(Module::read(part(component, unchecked_range)?)?);
                }
                payload if depth == 1 => parts.add(payload)?,
                _ => {}
            }
        }
        Ok(parts)
    }

    fn add(&mut self, payload: Payload<'a>) -> Outcome {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section {
                    self.add_instance(instance?)?;
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    if let ComponentAlias::CoreInstanceExport { kind, instance_index: instance, name } =
                        alias?
                    {
                        self.core[Kind::of(kind)? as usize].push(Core::Export { instance, name });
                    }
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    self.add_canonical(function?)?;
                }
            }
            Payload::CoreTypeSection(_) => return unsupported("a core type"),
            Payload::ComponentStartSection { .. } => return unsupported("a start function"),
            _ => {}
        }
        Ok(())
    }

    fn add_instance(&mut self, instance: Instance<'a>) -> Outcome {
        self.instances.push(match instance {
            Instance::Instantiate { module_index, args } => CoreInstance::Made {
                module: module_index as usize,
                with: args.iter().map(|arg| (arg.name, arg.index)).collect(),
            },
            Instance::FromExports(exports) => {
                let items = exports.iter().map(|it| Ok((it.name, (Kind::of(it.kind)?, it.index))));
                CoreInstance::Bag(items.collect::<Outcome<_>>()?)
            }
        });
        Ok(())
    }

    fn add_canonical(&mut self, function: CanonicalFunction) -> Outcome {
        use wasmparser::CanonicalOption as Given;
        let options = match &function {
            CanonicalFunction::Lift { core_func_index, options, .. } => {
                self.needed.push((Kind::Function, *core_func_index));
                options
            }
            CanonicalFunction::Lower { options, .. } => options,
            CanonicalFunction::ResourceDrop { .. }
            | CanonicalFunction::ResourceNew { .. }
            | CanonicalFunction::ResourceRep { .. } => &Box::default(),
            _ => return unsupported("a built-in function"),
        };
        for option in options {
            match *option {
                Given::Memory(index) => self.needed.push((Kind::Memory, index)),
                Given::Realloc(index) | Given::PostReturn(index) => {
                    self.needed.push((Kind::Function, index));
                }
                Given::UTF8 => {}
                _ => return unsupported("a way to lift or lower"),
            }
        }
        if !matches!(function, CanonicalFunction::Lift { .. }) {
            self.core[Kind::Function as usize].push(Core::Made(self.made));
            self.made += 1;
        }
        Ok(())
    }

    /// Finds what an index of the component's core space stands for.
    pub(super) fn core_item(&self, kind: Kind, index: u32) -> Outcome<Item> {
        match self.core[kind as usize].get(index as usize) {
            Some(Core::Made(which)) => Ok(Item::Made(*which)),
            Some(Core::Export { instance, name }) => self.export(*instance, name),
            None => Err(Fault::Missing(format!("{kind:?} {index}"))),
        }
    }

    fn export(&self, instance: u32, name: &str) -> Outcome<Item> {
        let missing = || Fault::Missing(format!("`{name}` of instance {instance}"));
        match self.instances.get(instance as usize).ok_or_else(missing)? {
            CoreInstance::Bag(items) => {
                let (kind, index) = *items.get(name).ok_or_else(missing)?;
                self.core_item(kind, index)
            }
            CoreInstance::Made { module, .. } => {
                let (kind, index) = *self.modules[*module].exports.get(name).ok_or_else(missing)?;
                self.item(instance as usize, kind, index)
            }
        }
    }

    /// Finds what an index within an instance's module stands for.
    pub(super) fn item(&self, instance: usize, kind: Kind, index: u32) -> Outcome<Item> {
        let CoreInstance::Made { module, with } = &self.instances[instance] else {
            return Err(Fault::Missing(format!("the module of instance {instance}")));
        };
        match self.modules[*module].imports[kind as usize].get(index as usize) {
            None => Ok(Item::Own { instance, kind, index }),
            Some((from, name, _)) => {
                let from = with.get(from).ok_or_else(|| Fault::Missing(format!("instance `{from}`")))?;
                self.export(*from, name)
            }
        }
    }

    /// Returns the module of an instance, where it has one.
    pub(super) fn module(&self, instance: usize) -> Option<&Module<'a>> {
        match self.instances.get(instance)? {
            CoreInstance::Made { module, .. } => self.modules.get(*module),
            CoreInstance::Bag(_) => None,
        }
    }

    /// Finds a function of a module by what it is called there, and by how many numbers it takes and gives back.
    pub(super) fn exported(&self, name: &str, params: usize, results: usize) -> Outcome<Option<Item>> {
        let is_i32 = |ty: &wasmparser::ValType| *ty == wasmparser::ValType::I32;
        let is_it = |ty: &wasmparser::FuncType| {
            (ty.params().len(), ty.results().len()) == (params, results)
                && ty.params().iter().chain(ty.results()).all(is_i32)
        };
        for (instance, module) in self.made_of_modules() {
            if let Some((Kind::Function, index)) = module.exports.get(name)
                && let item @ Item::Own { instance: its, .. } = self.item(instance, Kind::Function, *index)?
                && its == instance
                && module.function(*index).is_some_and(|(ty, _)| is_it(&module.types[ty as usize]))
            {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// Returns the instances that are made of a module.
    pub(super) fn made_of_modules(&self) -> impl Iterator<Item = (usize, &Module<'a>)> {
        (0..self.instances.len()).filter_map(|at| Some((at, self.module(at)?)))
    }
}

impl<'a> Module<'a> {
    fn read(bytes: &'a [u8]) -> Outcome<Self> {
        let mut module = Module::default();
        for payload in Parser::new(0).parse_all(bytes) {
            module.add(payload?)?;
        }
        Ok(module)
    }

    fn add(&mut self, payload: Payload<'a>) -> Outcome {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for it in group?.into_types() {
                        self.types.push(it.unwrap_func().clone());
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let kind = match import.ty {
                        TypeRef::Func(_) => Kind::Function,
                        TypeRef::Table(_) => Kind::Table,
                        TypeRef::Memory(_) => Kind::Memory,
                        TypeRef::Global(_) => Kind::Global,
                        _ => return unsupported("an import"),
                    };
                    self.imports[kind as usize].push((import.module, import.name, import.ty));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.exports.insert(export.name, (Kind::of(export.kind)?, export.index));
                }
            }
            Payload::FunctionSection(section) => self.functions = all(section)?,
            Payload::TableSection(section) => self.tables = all(section)?,
            Payload::MemorySection(section) => self.memories = all(section)?,
            Payload::GlobalSection(section) => self.globals = all(section)?,
            Payload::ElementSection(section) => self.elements = all(section)?,
            Payload::DataSection(section) => self.data = all(section)?,
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::StartSection { .. } => return unsupported("a start function"),
            Payload::TagSection(_) => return unsupported("a tag"),
            Payload::CustomSection(section) => self.add_names(&section)?,
            _ => {}
        }
        Ok(())
    }

    fn add_names(&mut self, section: &wasmparser::CustomSectionReader<'a>) -> Outcome {
        let wasmparser::KnownCustom::Name(names) = section.as_known() else { return Ok(()) };
        for part in names {
            if let wasmparser::Name::Function(functions) = part? {
                for naming in functions {
                    let naming = naming?;
                    self.names.insert(naming.index, naming.name);
                }
            }
        }
        Ok(())
    }

    /// Returns how many items of a kind are imported, and so where its own begin.
    pub(super) fn imported(&self, kind: Kind) -> u32 {
        u32::try_from(self.imports[kind as usize].len()).unwrap_or(u32::MAX)
    }

    /// Returns a function of its own by its index.
    pub(super) fn function(&self, index: u32) -> Option<(u32, &FunctionBody<'a>)> {
        let own = index.checked_sub(self.imported(Kind::Function))? as usize;
        Some((*self.functions.get(own)?, self.bodies.get(own)?))
    }

    /// Returns a global of its own by its index.
    pub(super) fn global(&self, index: u32) -> Option<&wasmparser::Global<'a>> {
        self.globals.get(index.checked_sub(self.imported(Kind::Global))? as usize)
    }

    /// The table and the place in it that a function hands its arguments on to, where it does nothing else.
    pub(super) fn forwards(&self, index: u32) -> Outcome<Option<(u32, u32)>> {
        let Some((ty, body)) = self.function(index) else { return Ok(None) };
        let arguments = self.types[ty as usize].params().len();
        if body.get_locals_reader()?.get_count() != 0 {
            return Ok(None);
        }
        let mut reader = body.get_operators_reader()?;
        for argument in 0..arguments {
            match reader.read()? {
                Operator::LocalGet { local_index } if local_index as usize == argument => {}
                _ => return Ok(None),
            }
        }
        let Operator::I32Const { value } = reader.read()? else { return Ok(None) };
        let Operator::CallIndirect { type_index, table_index } = reader.read()? else { return Ok(None) };
        let is_all = matches!(reader.read()?, Operator::End) && reader.eof();
        let is_same = self.types[type_index as usize] == self.types[ty as usize];
        Ok((is_all && is_same).then_some((table_index, value.cast_unsigned())))
    }
}

fn all<'a, T: wasmparser::FromReader<'a>>(section: wasmparser::SectionLimited<'a, T>) -> Outcome<Vec<T>> {
    section.into_iter().map(|it| it.map_err(Fault::from)).collect()
}

/// Returns a part of the component.
pub(super) fn part(whole: &[u8], range: Range<u64>) -> Outcome<&[u8]> {
    let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    let part = range.and_then(|(start, end)| whole.get(start..end));
    part.ok_or_else(|| Fault::Missing("the end of the file".to_owned()))
}
