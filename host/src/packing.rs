//! Packed inputs: gzip, zstd and members of ZIP archives, unpacked into a file without a name before a parser sees a byte.
//!
//! It happens in the worker, which opens nothing and holds descriptors only; a supervisor never looks into a stranger's
//! archive. What is unpacked can be read at any offset, as any input can, and it is what every span is about. A stream that
//! ends too early, is damaged, or has something behind its end is a fault: what cannot be unpacked as a whole is not read in
//! part (`docs/decisions/0014-packed-inputs.md`).

mod streams;
mod stretch;
mod zip;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use casparian_core::limits::InputLimits;
use casparian_core::receipt::{Packing, Unpacked};
use flate2::Crc;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use self::stretch::Stretch;
pub(crate) use self::zip::ZipFault;
use crate::source::{Source, SourceFault};

/// What is unpacked at once.
const CHUNK_BYTES: usize = 256 << 10;

const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const ZIP: &[u8] = b"PK\x03\x04";
/// A ZIP without members has nothing but an end.
const ZIP_OF_NOTHING: &[u8] = b"PK\x05\x06";

/// A packed input that cannot be unpacked as a whole.
#[derive(Debug, Error)]
pub enum UnpackFault {
    /// It ends in the middle.
    #[error("the {packing} stream ends at byte {offset}, before its own end")]
    Truncated {
        /// How it is packed.
        packing: Packing,
        /// Where it ends, in the packed file.
        offset: u64,
    },
    /// It is damaged.
    #[error("the {packing} stream is damaged at or before byte {offset}: {why}")]
    Corrupt {
        /// How it is packed.
        packing: Packing,
        /// How far it was read, in the packed file.
        offset: u64,
        /// What is wrong.
        why: GuestText,
    },
    /// It ends, and something else follows.
    #[error("the {packing} stream ends at byte {offset}, and the {bytes} bytes behind it are none of it")]
    Trailing {
        /// How it is packed.
        packing: Packing,
        /// Where it ends, in the packed file.
        offset: u64,
        /// How many bytes follow.
        bytes: u64,
    },
    /// It is more than it may be.
    #[error(
        "unpacked bytes: limit {limit} for {packed_bytes} packed ones, used {used}, wanted {wanted} more"
    )]
    TooLarge {
        /// The most.
        limit: u64,
        /// The packed size that it follows from.
        packed_bytes: u64,
        /// What was unpacked before.
        used: u64,
        /// What came next.
        wanted: u64,
    },
    /// What comes out is packed again.
    #[error("what the {outer} stream holds is packed again, as {inner}")]
    Twice {
        /// How it is packed.
        outer: Packing,
        /// How what it holds is packed.
        inner: Packing,
    },
    /// It is not packed as somebody said.
    #[error("it does not begin as {packing} does")]
    Differs {
        /// How it should be packed.
        packing: Packing,
    },
    /// A member was named of what is not to be taken for an archive.
    #[error("a member was named, and `--compression {said}` does not look into an archive")]
    NoMembers {
        /// What it is to be taken for.
        said: Compression,
    },
    /// It is a ZIP that is not understood in one way only, or of which somebody has to choose.
    #[error(transparent)]
    Zip(#[from] ZipFault),
    /// It cannot be read.
    #[error("{0}")]
    Unread(io::Error),
    /// What was unpacked cannot be kept.
    #[error("what is unpacked cannot be kept after {bytes} bytes: {error}")]
    Unkept {
        /// What is kept so far.
        bytes: u64,
        /// What the system says.
        error: io::Error,
    },
}

impl UnpackFault {
    fn of_source(fault: SourceFault) -> Self {
        Self::Unread(fault.into())
    }

    /// Tells a stream that is broken from a file that cannot be read.
    fn of_stream(packing: Packing, offset: u64, error: io::Error) -> Self {
        if SourceFault::within(&error).is_some() {
            return Self::Unread(error);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated { packing, offset },
            _ => Self::Corrupt { packing, offset, why: GuestText::new(&error.to_string(), 256) },
        }
    }
}

impl Blamed for UnpackFault {
    fn blame(&self) -> Blame {
        match self {
            Self::Differs { .. } | Self::NoMembers { .. } => Blame::Operator,
            Self::Zip(fault) => fault.blame(),
            Self::Unread(error) => SourceFault::within(error).map_or(Blame::Host, Blamed::blame),
            Self::Unkept { error, .. } => {
                if is_full(error) {
                    Blame::Operator
                } else {
                    Blame::Host
                }
            }
            _ => Blame::Input,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "input-truncated",
            Self::Corrupt { .. } => "input-corrupt",
            Self::Trailing { .. } => "input-trailing-bytes",
            Self::TooLarge { .. } => "unpacked-limit",
            Self::Twice { .. } => "input-packed-twice",
            Self::Differs { .. } | Self::NoMembers { .. } => "packing-differs",
            Self::Zip(fault) => fault.code(),
            Self::Unread(error) => SourceFault::within(error).map_or("input-unread", Blamed::code),
            Self::Unkept { error, .. } => {
                if is_full(error) {
                    "disk-full"
                } else {
                    "spool-failed"
                }
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Truncated { .. } | Self::Corrupt { .. } => {
                "its own tool says the same (`gzip -t`, `zstd -t`, `unzip -t`): fetch it again"
            }
            Self::Trailing { .. } => {
                "cut the file there if the rest is of no use; `--compression none` reads it as it is"
            }
            Self::TooLarge { .. } => "if it is meant to be so large, raise it: `--limit unpacked=…`",
            Self::Twice { .. } => {
                "unpack it once beforehand, or take off the outer layer alone: `--compression gzip|zstd|zip`"
            }
            Self::Differs { .. } => "leave `--compression` out, and how a file begins decides",
            Self::NoMembers { .. } => "leave `--compression` out, or the member",
            Self::Zip(fault) => return fault.hint(),
            Self::Unread(error) => return SourceFault::within(error).and_then(Blamed::hint),
            Self::Unkept { error, .. } if is_full(error) => {
                "packed inputs take their unpacked size where the output goes: free some space"
            }
            Self::Unkept { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// How an input is taken to be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Compression {
    /// As it begins says; as a ZIP only if it is called so, since many documents are ZIPs inside.
    #[default]
    Auto,
    /// Not at all.
    None,
    /// So, and by one layer.
    Only(Packing),
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Only(packing) => packing.fmt(f),
        }
    }
}

/// What somebody wants of an input that may be packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) compression: Compression,
    /// The member of a ZIP.
    pub(crate) member: Option<String>,
    /// What the file is called.
    pub(crate) name: String,
}

/// Returns how an input is packed that begins and is called so; none: it is read as it is.
pub(crate) fn packing_of(source: &Source, wish: &Wish) -> Result<Option<Packing>, UnpackFault> {
    let head = head_of(source)?;
    let begun = begins_as(&head);
    match (wish.compression, begun) {
        (said @ (Compression::None | Compression::Only(Packing::Gzip | Packing::Zstd)), _)
            if wish.member.is_some() =>
        {
            Err(UnpackFault::NoMembers { said })
        }
        (Compression::None, _) => Ok(None),
        (Compression::Only(packing), begun) if begun == Some(packing) => Ok(begun),
        (Compression::Only(packing), _) => Err(UnpackFault::Differs { packing }),
        (Compression::Auto, Some(Packing::Zip)) if wish.member.is_none() && !is_called(&wish.name, "zip") => {
            Ok(None)
        }
        (Compression::Auto, begun) if wish.member.is_some() && begun != Some(Packing::Zip) => {
            Err(UnpackFault::Differs { packing: Packing::Zip })
        }
        (Compression::Auto, begun) => Ok(begun),
    }
}

/// Unpacks an input into `spool`, which is empty.
pub(crate) fn unpack(
    source: &Source,
    packing: Packing,
    wish: &Wish,
    limits: &InputLimits,
    spool: &File,
) -> Result<Unpacked, UnpackFault> {
    let mut kept = Spool::new(spool, limits.unpacked_bytes(source.size()), source.size());
    let whole = || Stretch::new(source, 0, source.size());
    let member = match packing {
        Packing::Gzip => streams::gzip(whole(), &mut kept).map(|()| None),
        Packing::Zstd => streams::zstd(whole(), &mut kept, Packing::Zstd).map(|()| None),
        Packing::Zip => zip::unpack(source, wish.member.as_deref(), &mut kept).map(Some),
    }?;
    if wish.compression == Compression::Auto {
        check_once(packing, &kept.head, member.as_deref().unwrap_or(&wish.name))?;
    }
    let (bytes, sha256) = (kept.bytes, Digest::from_bytes(kept.hasher.finalize().into()));
    Ok(Unpacked { packing, member, sha256, bytes })
}

/// Returns what a name promises and the bytes do not keep, if it does.
pub(crate) fn broken_promise(name: &str) -> Option<Packing> {
    [("gz", Packing::Gzip), ("zst", Packing::Zstd), ("zip", Packing::Zip)]
        .into_iter()
        .find_map(|(ending, packing)| is_called(name, ending).then_some(packing))
}

fn is_called(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, found)| found.eq_ignore_ascii_case(ending))
}

fn head_of(source: &Source) -> Result<Vec<u8>, UnpackFault> {
    let mut head = vec![0; 4];
    let read = source.fill(0, &mut head).map_err(UnpackFault::of_source)?;
    head.truncate(read);
    Ok(head)
}

fn begins_as(head: &[u8]) -> Option<Packing> {
    let known =
        [(GZIP, Packing::Gzip), (ZSTD, Packing::Zstd), (ZIP, Packing::Zip), (ZIP_OF_NOTHING, Packing::Zip)];
    known.into_iter().find_map(|(magic, packing)| head.starts_with(magic).then_some(packing))
}

/// Refuses what is packed within what is packed: nobody knows how often it goes on.
fn check_once(outer: Packing, head: &[u8], name: &str) -> Result<(), UnpackFault> {
    // What a file is called beneath its outer ending: `a.zip.gz` holds a ZIP, `a.xlsx.gz` a document.
    let inner_name =
        if outer == Packing::Zip { name } else { name.rsplit_once('.').map_or("", |(inner, _)| inner) };
    match begins_as(head) {
        Some(Packing::Zip) if !is_called(inner_name, "zip") => Ok(()),
        Some(inner) => Err(UnpackFault::Twice { outer, inner }),
        None => Ok(()),
    }
}

/// What is unpacked: counted, hashed and kept.
struct Spool<'a> {
    file: &'a File,
    hasher: Sha256,
    bytes: u64,
    /// The most bytes.
    limit: u64,
    packed_bytes: u64,
    /// The first bytes.
    head: Vec<u8>,
    /// Their checksum as ZIP has it, where somebody will ask for it.
    crc: Option<Crc>,
}

impl<'a> Spool<'a> {
    fn new(file: &'a File, limit: u64, packed_bytes: u64) -> Self {
        Self { file, hasher: Sha256::new(), bytes: 0, limit, packed_bytes, head: Vec::new(), crc: None }
    }

    fn keep(&mut self, chunk: &[u8]) -> Result<(), UnpackFault> {
        let (used, wanted) = (self.bytes, chunk.len() as u64);
        if wanted > self.limit - used {
            return Err(UnpackFault::TooLarge {
                limit: self.limit,
                packed_bytes: self.packed_bytes,
                used,
                wanted,
            });
        }
        let missing = 4_usize.saturating_sub(self.head.len());
        self.head.extend(chunk.iter().take(missing));
        self.hasher.update(chunk);
        if let Some(crc) = &mut self.crc {
            crc.update(chunk);
        }
        let written = self.file.write_all_at(chunk, used);
        written.map_err(|error| UnpackFault::Unkept { bytes: used, error })?;
        self.bytes += wanted;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
