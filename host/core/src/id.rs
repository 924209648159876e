//! What things are called: digests and names that have been checked.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, shown in hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the digest that 32 bytes stand for.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex(&self.0, &mut [[0; 2]; 32]))
    }
}

/// Writes a digest in hex.
fn hex<'t>(bytes: &[u8; 32], text: &'t mut [[u8; 2]; 32]) -> &'t str {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    let pairs = text.iter_mut().zip(bytes);
    pairs.for_each(|(pair, byte)| *pair = [digit(byte >> 4), digit(byte & 0xF)]);
    std::str::from_utf8(text.as_flattened()).unwrap_or_default()
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hex(&self.0, &mut [[0; 2]; 32]))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_hex(&text).map(Self).ok_or_else(|| serde::de::Error::custom("a digest is 64 hex digits"))
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Hashes fields one after the other, each behind its length, so that no two sequences of fields give one digest.
#[derive(Default)]
pub struct FieldHasher(Sha256);

impl FieldHasher {
    /// Opens a hash for one purpose; `domain` keeps purposes apart.
    pub fn new(domain: &str) -> Self {
        Self::default().field(domain.as_bytes())
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.field(&number.to_le_bytes())
    }

    /// Returns the digest of what was added.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// A table's name: `[a-z][a-z0-9_]{0,62}`. Safe as a file name and as an SQL identifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName(Arc<str>);

impl TableName {
    /// Checks a name. Returns `None` where it does not fit the pattern.
    pub fn new(name: &str) -> Option<Self> {
        is_word(name).then(|| Self(name.into()))
    }

    /// Returns it as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TableName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(&name).ok_or("a table name matches [a-z][a-z0-9_]{0,62}")
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` matches `[a-z][a-z0-9_]{0,62}`, the pattern of table names and fault codes.
pub fn is_word(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_what_it_shows() {
        let digest = Digest::of(b"abc");
        assert!(digest.to_string().starts_with("ba7816bf"));
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }

    #[test]
    fn names_that_could_leave_their_folder_are_no_table_names() {
        for bad in ["", "../x", "a/b", "Con", "x\";drop table y;--", "é", "_x", &"a".repeat(64)] {
            assert_eq!(TableName::new(bad), None, "{bad:?}");
        }
        assert!(TableName::new("market_data_entries").is_some());
    }

    #[test]
    fn moving_a_byte_between_fields_changes_the_digest() {
        let one = FieldHasher::new("t").field(b"ab").field(b"c").finish();
        let two = FieldHasher::new("t").field(b"a").field(b"bc").finish();
        assert_ne!(one, two);
    }
}
