//! What a language runtime is handed: a parser's own source, as data.

/// A parser's source. What it is made of is the runtime's to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The module to start from.
    pub entry: String,
    /// Path (relative, `/` between parts) and content of every file.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Program {
    /// Returns how many bytes one look at all of it hands over.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = |(path, content): &(String, Vec<u8>)| path.len().saturating_add(content.len()) as u64;
        self.files.iter().map(bytes).fold(0, u64::saturating_add)
    }
}
