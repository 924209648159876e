//! Which functions, tables and globals of all the modules are in use, what each is called in the one module, and what of them
//! is known beforehand.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wasmparser::{ConstExpr, ElementItems, ElementKind, FuncType, Operator, TableInit, TypeRef};

use super::kept::Kept;
use super::mending::Mending;
use super::reading::{Item, Kind, Parts};
use super::{Fault, Outcome, unsupported};

/// How often a function that only hands its arguments on may lead to another such.
const HOPS_MAX: usize = 8;

/// A value that is known before anything runs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Constant {
    I32(i32),
    I64(i64),
    F32(wasmparser::Ieee32),
    F64(wasmparser::Ieee64),
}

/// All modules, linked.
pub(super) struct Linked<'p, 'a> {
    pub(super) parts: &'p Parts<'a>,
    /// What stands in each place of each table.
    places: BTreeMap<Item, BTreeMap<u32, Item>>,
    /// The functions that the component makes and somebody calls, in order: what the one module imports.
    pub(super) made: Vec<(u32, FuncType)>,
    /// The functions with a body that can be reached, in order.
    pub(super) functions: Vec<Item>,
    pub(super) tables: Vec<Item>,
    pub(super) memories: Vec<Item>,
    /// The globals that are not constants.
    pub(super) globals: Vec<Item>,
    pub(super) constants: HashMap<Item, Constant>,
    pub(super) types: Vec<FuncType>,
    /// What is mended on the way, where both of its functions are in use.
    pub(super) mending: Option<Mending>,
    /// What is asked for.
    pub(super) kept: Option<Kept<'p>>,
    numbers: HashMap<Item, u32>,
    type_numbers: HashMap<FuncType, u32>,
}

/// What can be reached from what is lifted.
#[derive(Default)]
struct Reached {
    functions: BTreeSet<Item>,
    tables: BTreeSet<Item>,
    globals: BTreeSet<Item>,
    written: BTreeSet<Item>,
    to_do: Vec<Item>,
}

impl<'p, 'a> Linked<'p, 'a> {
    pub(super) fn link(parts: &'p Parts<'a>, kept: &'p [u8]) -> Outcome<Self> {
        let mut linked = Linked {
            parts,
            places: BTreeMap::new(),
            made: Vec::new(),
            functions: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            constants: HashMap::new(),
            types: Vec::new(),
            mending: None,
            kept: Kept::find(parts, kept)?,
            numbers: HashMap::new(),
            type_numbers: HashMap::new(),
        };
        linked.fill_tables()?;
        let reached = linked.reach()?;
        linked.find_constants(&reached)?;
        linked.number(reached)?;
        let is_used =
            |it: &Mending| [it.takes, it.gives_back].iter().all(|its| linked.numbers.contains_key(its));
        linked.mending = Mending::find(parts)?.filter(is_used);
        // Bytes that nobody asks for are a mistake.
        linked.kept.map(|it| linked.number_of(it.copies)).transpose()?;
        Ok(linked)
    }

    /// Reads the active element segments, in the order in which the modules are instantiated.
    fn fill_tables(&mut self) -> Outcome {
        let parts = self.parts;
        for (instance, module) in parts.made_of_modules() {
            for element in &module.elements {
                let ElementKind::Active { table_index, offset_expr } = &element.kind else {
                    return unsupported("a passive element segment");
                };
                let table = parts.item(instance, Kind::Table, table_index.unwrap_or(0))?;
                let Constant::I32(offset) = self.value(instance, offset_expr)? else {
                    return unsupported("a table of 64 bits");
                };
                let functions = functions_of(&element.items)?;
                let places = self.places.entry(table).or_default();
                for (place, function) in (offset.cast_unsigned()..).zip(functions) {
                    match function {
                        Some(index) => places.insert(place, parts.item(instance, Kind::Function, index)?),
                        None => places.remove(&place),
                    };
                }
            }
        }
        Ok(())
    }

    /// Says what a constant expression comes to.
    pub(super) fn value(&self, instance: usize, expression: &ConstExpr<'_>) -> Outcome<Constant> {
        let (mut reader, mut stack) = (expression.get_operators_reader(), Vec::new());
        loop {
            let value = match reader.read()? {
                Operator::I32Const { value } => Constant::I32(value),
                Operator::I64Const { value } => Constant::I64(value),
                Operator::F32Const { value } => Constant::F32(value),
                Operator::F64Const { value } => Constant::F64(value),
                Operator::GlobalGet { global_index } => {
                    self.initial(self.parts.item(instance, Kind::Global, global_index)?)?
                }
                Operator::I32Add => match (stack.pop(), stack.pop()) {
                    (Some(Constant::I32(a)), Some(Constant::I32(b))) => Constant::I32(a.wrapping_add(b)),
                    _ => return unsupported("a sum of something else than two numbers"),
                },
                Operator::End => return stack.pop().ok_or_else(|| Fault::Missing("a value".to_owned())),
                _ => return unsupported("a constant expression"),
            };
            stack.push(value);
        }
    }

    fn initial(&self, global: Item) -> Outcome<Constant> {
        let Item::Own { instance, index, .. } = global else { return unsupported("a global of the host") };
        let found = self.parts.module(instance).and_then(|module| module.global(index));
        let found = found.ok_or_else(|| Fault::Missing(format!("global {index}")))?;
        self.value(instance, &found.init_expr)
    }

    /// Finds what an index of the component's core space stands for, and whom a function really calls.
    pub(super) fn core_item(&self, kind: Kind, index: u32) -> Outcome<Item> {
        self.followed(kind, self.parts.core_item(kind, index)?)
    }

    /// Finds what an index of an instance's module stands for, and whom a function really calls.
    pub(super) fn item(&self, instance: usize, kind: Kind, index: u32) -> Outcome<Item> {
        self.followed(kind, self.parts.item(instance, kind, index)?)
    }

    fn followed(&self, kind: Kind, item: Item) -> Outcome<Item> {
        if kind == Kind::Function { self.callee(item) } else { Ok(item) }
    }

    /// Follows functions that only hand their arguments on to a place of a table, which nobody changes.
    fn callee(&self, mut item: Item) -> Outcome<Item> {
        for _ in 0..HOPS_MAX {
            let Item::Own { instance, index, .. } = item else { break };
            let module = self.parts.module(instance).ok_or_else(|| Fault::Missing("a module".to_owned()))?;
            let Some((table, place)) = module.forwards(index)? else { break };
            let table = self.parts.item(instance, Kind::Table, table)?;
            let Some(next) = self.places.get(&table).and_then(|places| places.get(&place)) else { break };
            item = *next;
        }
        Ok(item)
    }

    fn reach(&self) -> Outcome<Reached> {
        let mut reached = Reached::default();
        for (kind, index) in &self.parts.needed {
            if *kind == Kind::Function {
                reached.to_do.push(self.core_item(*kind, *index)?);
            }
        }
        while let Some(item) = reached.to_do.pop() {
            if reached.functions.insert(item)
                && let Item::Own { instance, index, .. } = item
            {
                self.look_through(instance, index, &mut reached)?;
            }
        }
        Ok(reached)
    }

    /// Notes what a function uses.
    fn look_through(&self, instance: usize, index: u32, reached: &mut Reached) -> Outcome {
        let (parts, missing) = (self.parts, || Fault::Missing(format!("function {index}")));
        let (_, body) = parts.module(instance).and_then(|it| it.function(index)).ok_or_else(missing)?;
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            match reader.read()? {
                Operator::Call { function_index } | Operator::RefFunc { function_index } => {
                    reached.to_do.push(self.item(instance, Kind::Function, function_index)?);
                }
                Operator::CallIndirect { table_index, .. } => {
                    let table = parts.item(instance, Kind::Table, table_index)?;
                    self.reach_table(table, reached)?;
                }
                Operator::GlobalGet { global_index } => {
                    reached.globals.insert(parts.item(instance, Kind::Global, global_index)?);
                }
                Operator::GlobalSet { global_index } => {
                    reached.written.insert(parts.item(instance, Kind::Global, global_index)?);
                }
                // Whatever changes a table would make its places unknown; whatever names a segment by its number, that wrong.
                Operator::TableSet { .. }
                | Operator::TableGrow { .. }
                | Operator::TableFill { .. }
                | Operator::TableCopy { .. }
                | Operator::TableInit { .. }
                | Operator::TableGet { .. }
                | Operator::TableSize { .. }
                | Operator::ElemDrop { .. }
                | Operator::MemoryInit { .. }
                | Operator::DataDrop { .. } => return unsupported("an instruction on tables or segments"),
                _ => {}
            }
        }
        Ok(())
    }

    fn reach_table(&self, table: Item, reached: &mut Reached) -> Outcome {
        if reached.tables.insert(table) {
            for function in self.places.get(&table).into_iter().flat_map(BTreeMap::values) {
                reached.to_do.push(self.callee(*function)?);
            }
        }
        Ok(())
    }

    /// A global that nobody writes to is what it was when the interpreter was frozen.
    fn find_constants(&mut self, reached: &Reached) -> Outcome {
        for global in reached.globals.difference(&reached.written) {
            let value = self.initial(*global)?;
            self.constants.insert(*global, value);
        }
        Ok(())
    }

    fn number(&mut self, reached: Reached) -> Outcome {
        let made_types = self.made_types()?;
        for item in &reached.functions {
            match item {
                Item::Made(which) => {
                    let ty = made_types
                        .get(which)
                        .ok_or_else(|| Fault::Missing(format!("the type of {which}")))?;
                    self.made.push((*which, ty.clone()));
                }
                own => self.functions.push(*own),
            }
        }
        let made = self.made.iter().map(|(which, _)| Item::Made(*which));
        let functions: Vec<Item> = made.chain(self.functions.iter().copied()).collect();
        self.tables = reached.tables.into_iter().collect();
        self.globals = reached.globals.union(&reached.written).copied().collect();
        self.globals.retain(|global| !self.constants.contains_key(global));
        for (instance, module) in self.parts.made_of_modules() {
            for own in 0..module.memories.len() {
                let index = module.imported(Kind::Memory) + number(own);
                self.memories.push(Item::Own { instance, kind: Kind::Memory, index });
            }
        }
        for space in [&functions, &self.tables, &self.memories, &self.globals] {
            self.numbers.extend(space.iter().enumerate().map(|(at, item)| (*item, number(at))));
        }
        self.number_types()
    }

    /// What the component makes has the types under which the modules import it.
    fn made_types(&self) -> Outcome<HashMap<u32, FuncType>> {
        let mut types = HashMap::new();
        for (instance, module) in self.parts.made_of_modules() {
            for (index, (_, _, ty)) in module.imports[Kind::Function as usize].iter().enumerate() {
                let TypeRef::Func(ty) = ty else { continue };
                if let Item::Made(which) = self.parts.item(instance, Kind::Function, number(index))? {
                    types.insert(which, module.types[*ty as usize].clone());
                }
            }
        }
        Ok(types)
    }

    fn number_types(&mut self) -> Outcome {
        let of_modules = self.parts.modules.iter().flat_map(|module| &module.types);
        for ty in of_modules.chain(self.made.iter().map(|(_, ty)| ty)) {
            if !self.type_numbers.contains_key(ty) {
                self.type_numbers.insert(ty.clone(), number(self.types.len()));
                self.types.push(ty.clone());
            }
        }
        Ok(())
    }

    /// Returns the number of an item in the one module.
    pub(super) fn number_of(&self, item: Item) -> Outcome<u32> {
        self.numbers.get(&item).copied().ok_or_else(|| Fault::Missing(format!("the number of {item:?}")))
    }

    /// Returns the number of a function as others call it: of one that is mended, that of the function around it, which is last.
    pub(super) fn number_called(&self, item: Item) -> Outcome<u32> {
        match self.mending {
            Some(mending) if mending.takes == item => Ok(number(self.made.len() + self.functions.len())),
            _ => self.number_of(item),
        }
    }

    /// Returns the number of a type in the one module.
    pub(super) fn type_number(&self, ty: &FuncType) -> Outcome<u32> {
        self.type_numbers.get(ty).copied().ok_or_else(|| Fault::Missing(format!("the number of {ty:?}")))
    }

    /// Returns what stands in a table: runs of neighbouring places, each with the first.
    pub(super) fn runs(&self, table: Item) -> Outcome<Vec<(u32, Vec<u32>)>> {
        let mut runs: Vec<(u32, Vec<u32>)> = Vec::new();
        for (place, function) in self.places.get(&table).into_iter().flatten() {
            let function = self.number_of(self.callee(*function)?)?;
            match runs.last_mut() {
                Some((first, run)) if *first + number(run.len()) == *place => run.push(function),
                _ => runs.push((*place, vec![function])),
            }
        }
        Ok(runs)
    }

    /// Returns the type of a table of the one module. It never grows.
    pub(super) fn table_type(&self, table: Item) -> Outcome<wasmparser::TableType> {
        let Item::Own { instance, index, .. } = table else { return unsupported("a table of the host") };
        let module = self.parts.module(instance);
        let own = module.and_then(|it| it.tables.get((index - it.imported(Kind::Table)) as usize));
        let own = own.ok_or_else(|| Fault::Missing(format!("table {index}")))?;
        match own.init {
            TableInit::RefNull => Ok(wasmparser::TableType { maximum: Some(own.ty.initial), ..own.ty }),
            TableInit::Expr(_) => unsupported("a table that is filled with one value"),
        }
    }
}

fn functions_of(items: &ElementItems<'_>) -> Outcome<Vec<Option<u32>>> {
    match items {
        ElementItems::Functions(functions) => functions.clone().into_iter().map(|it| Ok(Some(it?))).collect(),
        ElementItems::Expressions(_, expressions) => expressions
            .clone()
            .into_iter()
            .map(|expression| match expression?.get_operators_reader().read()? {
                Operator::RefFunc { function_index } => Ok(Some(function_index)),
                Operator::RefNull { .. } => Ok(None),
                _ => unsupported("an element that is no function"),
            })
            .collect(),
    }
}

/// Numbers of WebAssembly have 32 bits.
pub(super) fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
