//! Where guests are built.

use std::path::{Path, PathBuf};

/// Where one build of the guests reads and writes.
pub(crate) struct Site {
    /// The checkout.
    pub(crate) source: PathBuf,
    /// Cargo's target folder. Apart from the host's: the compiler may differ, and each would undo the other's work.
    pub(crate) build: PathBuf,
    /// Where finished components go.
    pub(crate) out: PathBuf,
}

impl Site {
    /// The site everybody uses, whatever `CARGO_TARGET_DIR` says: tests and people look for components there.
    pub(crate) fn of(root: &Path) -> Site {
        let target = root.join("target");
        Site { source: root.to_path_buf(), build: target.join("wasm"), out: target.join("guests") }
    }
}
