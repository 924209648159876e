//! What is fuzzed: for each target a property over any bytes at all, and bytes to begin with.
//!
//! Two drive it. `cargo xtask fuzz` links libFuzzer, which looks at coverage, and runs as long as it is told. The suite
//! runs every stored input and some thousand seeded changes of them, on any machine and with no other tools.

#[cfg(feature = "host")]
pub mod component;
mod corpus;
mod mutation;
#[path = "../../../host/core/tests/wire/oracle.rs"]
pub mod oracle;
#[cfg(feature = "host")]
pub mod smith;
mod targets;
mod vectors;

pub use corpus::stored;
pub use mutation::{Dice, Mutations};
pub use targets::TARGETS;

/// One thing that is fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called, on command lines and in the names of files.
    pub name: &'static str,
    /// Longest input worth trying.
    pub bytes_max: usize,
    /// Panics where the property does not hold.
    pub run: fn(&[u8]),
    /// What the repository has of such inputs anyhow.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

impl Target {
    /// Returns what fuzzing begins with: what the repository has anyhow, and what earlier fuzzing has found worth keeping.
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        let mut corpus = (self.seeds)();
        corpus.extend(stored(self.name));
        corpus
    }
}

/// Returns the target of a name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
