//! What a guest holds in its hands: an input, a table. It knows them by number; these are what the numbers stand for.

use std::io;
use std::sync::Arc;

use casparian_core::intake::TableId;

/// An input, or reference data: random access, bounded.
pub trait Blob: Send + Sync {
    /// Returns its base name.
    fn name(&self) -> &str;
    /// Returns its size in bytes.
    fn len(&self) -> u64;
    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Reads from `offset` on into `bytes`; may be short anywhere.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize>;
}

/// A blob in the guest's hands.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub struct BlobHandle {
    pub(crate) blob: Arc<dyn Blob>,
    /// Whether it is the input of the run, rather than reference data.
    pub(crate) is_input: bool,
}
/// An open table in the guest's hands.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub struct TableHandle(pub(crate) TableId);
