//! What a receipt says of an input: the file as it stood on disk, and what was read of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// The input of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputClaim {
    /// The last part of what it was called, which is all of its name that a parser sees.
    pub name: String,
    /// Digest of its bytes as they stand on disk.
    pub sha256: Digest,
    /// Its size on disk.
    pub bytes: u64,
    /// What it holds, if it was packed; none: it was read as it is, and the field is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpacked: Option<Unpacked>,
}

impl InputClaim {
    /// Returns the digest of what the parser read, which is what every offset is about.
    pub fn read_sha256(&self) -> Digest {
        self.unpacked.as_ref().map_or(self.sha256, |unpacked| unpacked.sha256)
    }

    /// Returns the size of what the parser read.
    pub fn read_bytes(&self) -> u64 {
        self.unpacked.as_ref().map_or(self.bytes, |unpacked| unpacked.bytes)
    }
}

/// What a packed input holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unpacked {
    /// How it was packed.
    pub packing: Packing,
    /// The member of a ZIP, with bytes that are no UTF-8 replaced.
    pub member: Option<String>,
    /// Digest of the unpacked bytes.
    pub sha256: Digest,
    /// How many there are.
    pub bytes: u64,
}

/// How an input is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// One gzip stream or several, one after the other.
    Gzip,
    /// One zstd frame or several, one after the other.
    Zstd,
    /// A member of a ZIP archive.
    Zip,
}

impl Packing {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Zip => "zip",
        }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
