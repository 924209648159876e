//! The door for a guest's bytes. Arrow that a stranger wrote is hostile: lengths that overflow, rows that take no bytes,
//! offsets that lead out of their buffer, types whose reader aborts the process. A message passes here by what it is proved
//! to be, or it is refused before anything is allocated for it.
//!
//! * `flat` reads flatbuffers without trusting a position; `envelope` opens the encapsulated message around them.
//! * [`schema`] accepts the columns of a table, [`guard`] a batch of that table. Neither builds an array.
//! * [`Checked::read`] builds the arrays, from what the guard measured and never from the metadata again.
//!
//! This room knows nothing of contracts: whether a value is a good one is judged later.

mod envelope;
mod fault;
mod flat;
mod guard;
mod meaning;
mod read;
pub(crate) mod schema;

pub use fault::{FieldNo, WireFault};
pub use flat::FlatFault;
pub use guard::Checked;
pub use schema::{FAULTS, LENGTH, OFFSET, TableSchema, fold};

use crate::batch::Batch;
use crate::limits::Budget;

/// Reads the columns of a table from one encapsulated IPC message that holds a schema and nothing else.
///
/// Metadata are ignored, but for what the texts of a column are meant to be, and for extension types, which are refused like any type that `wit/world.wit` does not allow. The
/// item of a list is called `item`, whatever the guest called it.
pub fn schema(message: &[u8]) -> Result<TableSchema, WireFault> {
    schema::read(message)
}

/// Checks one encapsulated IPC message that holds a record batch of `schema` and nothing else, and pays for its rows and
/// bytes from `budget`. No array is built; the time it takes is bounded by the length of the message.
pub fn guard<'a>(
    schema: &'a TableSchema,
    message: &'a [u8],
    budget: &mut Budget,
) -> Result<Checked<'a>, WireFault> {
    guard::check(schema, message, budget)
}

/// Guards a record batch message and builds its rows. The message is copied once.
pub fn decode(schema: &TableSchema, message: &[u8], budget: &mut Budget) -> Result<Batch, WireFault> {
    guard(schema, message, budget)?.read()
}

impl Checked<'_> {
    /// Builds the rows. If that fails although the guard has agreed, it is a [`WireFault::Reader`] and our bug.
    pub fn read(&self) -> Result<Batch, WireFault> {
        read::read(self)
    }
}
