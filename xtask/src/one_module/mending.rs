//! One thing that componentize-py 0.25.1 forgets: bytes that Python hands to the host are copied for the call, and the copy is
//! never given back, so that a parser keeps all that it ever emitted.
//!
//! Where its bindings make such a copy themselves they put it on the list of what is freed after the call; where the
//! runtime makes it (`wit_dylib_pop_list`, of a `bytes` object), nobody does. Here that function gets a second one around it which
//! does.

use wasm_encoder::{BlockType, Function, Instruction, MemArg, ValType};

use super::Outcome;
use super::linking::Linked;
use super::reading::{Item, Parts};

/// Takes a list off the stack: how long it is; where its bytes are copied to stands at the address given, 0 where they are not.
const TAKES: &str = "wit_dylib_pop_list";
/// Gives memory back, at once or after the call.
const GIVES_BACK: &str = "wit_dylib_dealloc_bytes";

/// The function that forgets, and the one that it forgets to call.
#[derive(Clone, Copy)]
pub(super) struct Mending {
    pub(super) takes: Item,
    pub(super) gives_back: Item,
}

impl Mending {
    /// Finds the two, where there is such a runtime.
    pub(super) fn find(parts: &Parts<'_>) -> Outcome<Option<Self>> {
        // A later componentize-py may have others of that name.
        let (takes, gives_back) = (parts.exported(TAKES, 3, 1)?, parts.exported(GIVES_BACK, 5, 0)?);
        Ok(takes.zip(gives_back).map(|(takes, gives_back)| Self { takes, gives_back }))
    }

    /// Writes the function around it, which has the type of what it is around.
    pub(super) fn body(self, linked: &Linked<'_, '_>) -> Outcome<Function> {
        let (call, place, length) = (0, 2, 3);
        let address = Instruction::I32Load(MemArg { offset: 0, align: 2, memory_index: 0 });
        let mut function = Function::new([(1, ValType::I32)]);
        for argument in 0..3 {
            function.instruction(&Instruction::LocalGet(argument));
        }
        function.instruction(&Instruction::Call(linked.number_of(self.takes)?));
        function.instruction(&Instruction::LocalSet(length));
        function.instruction(&Instruction::Block(BlockType::Empty));
        // Nothing was copied, or nothing was there to copy.
        function.instruction(&Instruction::LocalGet(place)).instruction(&address);
        function.instruction(&Instruction::I32Eqz).instruction(&Instruction::BrIf(0));
        function.instruction(&Instruction::LocalGet(length));
        function.instruction(&Instruction::I32Eqz).instruction(&Instruction::BrIf(0));
        function.instruction(&Instruction::LocalGet(call));
        function.instruction(&Instruction::LocalGet(place)).instruction(&address);
        function.instruction(&Instruction::LocalGet(length));
        // Of bytes, so aligned to one; after the call.
        function.instruction(&Instruction::I32Const(1)).instruction(&Instruction::I32Const(1));
        function.instruction(&Instruction::Call(linked.number_of(self.gives_back)?));
        function.instruction(&Instruction::End);
        function.instruction(&Instruction::LocalGet(length)).instruction(&Instruction::End);
        Ok(function)
    }
}
