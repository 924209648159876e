//! A generated module that goes on where it would trap for having gone round too often: it returns. Without it next to no module gets
//! far, since an endless loop is the first thing that chance comes upon.

use wasm_encoder::{CodeSection, Instruction, Module, RawSection};
use wasmparser::{FuncType, FunctionBody, Operator, Parser, Payload, Result, TypeRef, ValType};

/// The section of a module that holds bodies.
const CODE: u8 = 10;

/// What has to be known of a module before its bodies are read.
#[derive(Default)]
struct Known {
    types: Vec<FuncType>,
    /// Of the functions that are defined, by their order: the type.
    functions: Vec<u32>,
    imported: u32,
    /// Of the functions that are to have their fuel anew: the index.
    fresh: Vec<u32>,
}

/// Rewrites a module of wasm-smith's that ends by counting down a global: functions that are exported under a name that begins with
/// `fresh` count from `turns` on, and where it would trap it returns.
pub(super) fn soften(module: &[u8], fuel: u32, turns: u32, fresh: &str) -> Result<Vec<u8>> {
    let (mut known, mut softened, mut bodies) = (Known::default(), Module::new(), Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        known.learn(&payload, fresh)?;
        if let Payload::CodeSectionEntry(body) = &payload {
            bodies.push(known.body(body, bodies.len(), module, fuel, turns)?);
        }
        match payload.as_section() {
            Some((CODE, _)) => {}
            Some((id, range)) => {
                write_bodies(&mut softened, &mut bodies);
                softened.section(&RawSection { id, data: &module[range] });
            }
            None => {}
        }
    }
    write_bodies(&mut softened, &mut bodies);
    Ok(softened.finish())
}

fn write_bodies(module: &mut Module, bodies: &mut Vec<Vec<u8>>) {
    if bodies.is_empty() {
        return;
    }
    let mut code = CodeSection::new();
    bodies.drain(..).for_each(|body| {
        code.raw(&body);
    });
    module.section(&code);
}

impl Known {
    fn learn(&mut self, payload: &Payload<'_>, fresh: &str) -> Result<()> {
        match payload {
            Payload::TypeSection(types) => {
                for ty in types.clone().into_iter_err_on_gc_types() {
                    self.types.push(ty?);
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    self.imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions.clone() {
                    self.functions.push(ty?);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    if export.name.starts_with(fresh) {
                        self.fresh.push(export.index);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn body(
        &self,
        body: &FunctionBody<'_>,
        place: usize,
        module: &[u8],
        fuel: u32,
        turns: u32,
    ) -> Result<Vec<u8>> {
        let results = self
            .functions
            .get(place)
            .and_then(|ty| self.types.get(*ty as usize))
            .map_or(&[][..], FuncType::results);
        let mut operators = body.get_operators_reader()?;
        let begin = operators.original_position();
        let mut function = Vec::new();
        function.extend_from_slice(&module[body.range().start..begin]);
        if self.fresh.contains(&(self.imported + place as u32)) {
            let turns = i32::try_from(turns).unwrap_or(i32::MAX);
            write(&mut function, [Instruction::I32Const(turns), Instruction::GlobalSet(fuel)]);
        }
        while !operators.eof() {
            let from = operators.original_position();
            let operator = operators.read()?;
            match (operator, returned(results)) {
                (Operator::Unreachable, Some(values)) => write(&mut function, values),
                _ => function.extend_from_slice(&module[from..operators.original_position()]),
            }
        }
        Ok(function)
    }
}

/// Instructions that return nothing in particular.
fn returned(results: &[ValType]) -> Option<Vec<Instruction<'static>>> {
    let nothing = |ty: &ValType| match ty {
        ValType::I32 => Some(Instruction::I32Const(0)),
        ValType::I64 => Some(Instruction::I64Const(0)),
        ValType::F32 => Some(Instruction::F32Const(0.0.into())),
        ValType::F64 => Some(Instruction::F64Const(0.0.into())),
        ValType::V128 => Some(Instruction::V128Const(0)),
        ValType::Ref(_) => None,
    };
    results.iter().map(nothing).chain([Some(Instruction::Return)]).collect()
}

fn write(function: &mut Vec<u8>, instructions: impl IntoIterator<Item = Instruction<'static>>) {
    use wasm_encoder::Encode as _;
    instructions.into_iter().for_each(|instruction| instruction.encode(function));
}
