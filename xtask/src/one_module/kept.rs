//! Bytes that are there for whoever asks for them, and in no guest's memory until then: a segment of the one module. Memory as it
//! was frozen is copied for every guest, whatever of it is looked at.
//!
//! The module that wants them has a function which stands for that, and whose body is written here.

use wasm_encoder::{Function, Instruction};

use super::reading::{Item, Kind, Parts};
use super::{Fault, Outcome};

/// Copies bytes: to an address, from a place among them, so many.
const COPIES: &str = "casparian_kept";

/// The bytes, and the function that copies some of them.
#[derive(Clone, Copy)]
pub(super) struct Kept<'k> {
    pub(super) copies: Item,
    pub(super) bytes: &'k [u8],
}

impl<'k> Kept<'k> {
    /// Finds the function, where there are bytes to ask for.
    pub(super) fn find(parts: &Parts<'_>, bytes: &'k [u8]) -> Outcome<Option<Self>> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let copies = parts.exported(COPIES, 3, 0)?;
        let copies = copies.ok_or_else(|| Fault::Missing(format!("the function `{COPIES}`")))?;
        Ok(Some(Self { copies, bytes }))
    }

    /// Writes its body.
    pub(super) fn body(memory: u32, segment: u32) -> Function {
        let mut function = Function::new([]);
        for argument in 0..3 {
            function.instruction(&Instruction::LocalGet(argument));
        }
        function.instruction(&Instruction::MemoryInit { mem: memory, data_index: segment });
        function.instruction(&Instruction::End);
        function
    }

    /// Returns the memory of its module.
    pub(super) fn memory(&self, parts: &Parts<'_>) -> Outcome<Item> {
        match self.copies {
            Item::Own { instance, .. } => parts.item(instance, Kind::Memory, 0),
            Item::Made(_) => Err(Fault::Missing(format!("the memory of `{COPIES}`"))),
        }
    }
}
