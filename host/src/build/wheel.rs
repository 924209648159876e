//! Wheels: found in folders, taken by their digest, and read for their sources.

use std::fs;
use std::io;
use std::path::PathBuf;

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use thiserror::Error;

use super::lock::{LockedWheel, Needed};
use crate::program::bundle::{BUNDLE_BYTES_MAX, check_name, number};
use crate::program::folder::{is_native, is_source};

/// Most bytes of a wheel.
const WHEEL_BYTES_MAX: u64 = 256 << 20;
/// Most files in one.
const ENTRIES_MAX: usize = 20_000;

/// A wheel that cannot be had or used.
#[derive(Debug, Error)]
pub(super) enum WheelFault {
    /// It is in none of the folders.
    #[error("{file} of {name} is not there; looked in: {folders}")]
    Missing {
        /// The wheel.
        file: GuestText,
        /// The package.
        name: GuestText,
        /// The folders.
        folders: GuestText,
    },
    /// It is not the one that the lock names.
    #[error("{path} has the digest {found}, uv.lock says {locked}")]
    Differs {
        /// The wheel.
        path: GuestText,
        /// Its digest.
        found: Digest,
        /// The one in the lock.
        locked: GuestText,
    },
    /// It cannot be read.
    #[error("{file}: {why}")]
    Unread {
        /// The wheel.
        file: GuestText,
        /// Why.
        why: GuestText,
    },
    /// It has native code in it, whatever its name says.
    #[error("{name} brings native code, {file}, which does not run in the sandbox")]
    Native {
        /// The package.
        name: GuestText,
        /// The file.
        file: GuestText,
    },
    /// It is larger than a bundle may be.
    #[error("{name} is too large: limit {BUNDLE_BYTES_MAX} bytes of sources, {ENTRIES_MAX} files")]
    TooLarge {
        /// The package.
        name: GuestText,
    },
}

impl Blamed for WheelFault {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "wheel-missing",
            Self::Differs { .. } => "wheel-differs",
            Self::Unread { .. } => "wheel-unreadable",
            Self::Native { .. } => "dependency-not-pure",
            Self::TooLarge { .. } => "bundle-too-large",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "`uv export --no-emit-project -o need.txt && pip download --no-deps -d wheels -r need.txt` fetches \
                 them; `--wheels DIR` names another folder"
                    .to_owned(),
            ),
            Self::Differs { .. } => Some("fetch it again; if it stays so, find out who changed it".to_owned()),
            _ => None,
        }
    }
}

/// Where wheels are looked for.
pub(super) struct Wheels {
    folders: Vec<PathBuf>,
}

impl Wheels {
    pub(super) fn among(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// Returns the bytes of a wheel, which are those that the lock names.
    pub(super) fn find(&self, package: &Needed, wheel: &LockedWheel) -> Result<Vec<u8>, WheelFault> {
        let path = self.folders.iter().map(|folder| folder.join(&wheel.file)).find(|path| path.is_file());
        let path = path.ok_or_else(|| self.missing(package, wheel))?;
        let unread = |error: io::Error| unread(&wheel.file, &error.to_string());
        if fs::metadata(&path).map_err(unread)?.len() > WHEEL_BYTES_MAX {
            return Err(WheelFault::TooLarge { name: package.shown() });
        }
        let bytes = fs::read(&path).map_err(unread)?;
        let found = Digest::of(&bytes);
        if found.to_string() != wheel.sha256 {
            let path = GuestText::new(&path.to_string_lossy(), 4096);
            return Err(WheelFault::Differs { path, found, locked: GuestText::new(&wheel.sha256, 64) });
        }
        Ok(bytes)
    }

    fn missing(&self, package: &Needed, wheel: &LockedWheel) -> WheelFault {
        let folders: Vec<String> =
            self.folders.iter().map(|folder| folder.to_string_lossy().into_owned()).collect();
        WheelFault::Missing {
            file: GuestText::new(&wheel.file, 256),
            name: package.shown(),
            folders: GuestText::new(&folders.join(", "), 4096),
        }
    }
}

/// Returns the sources in a wheel. What it says about itself, and what is no source, stays behind.
pub(super) fn sources(package: &Needed, wheel: &[u8]) -> Result<Vec<(String, Vec<u8>)>, WheelFault> {
    let broken = |why: &str| unread(&package.name, why);
    let too_large = || WheelFault::TooLarge { name: package.shown() };
    let (mut found, mut left) = (Vec::new(), BUNDLE_BYTES_MAX);
    for entry in entries(wheel).ok_or_else(|| broken("it is no ZIP"))? {
        let name = str::from_utf8(entry.name).map_err(|_| broken("a name in it is not UTF-8"))?;
        if is_native(name) {
            return Err(WheelFault::Native { name: package.shown(), file: GuestText::new(name, 256) });
        }
        if !is_source(name) || is_about_itself(name) {
            continue;
        }
        check_name(name).map_err(|fault| broken(&fault.to_string()))?;
        if entry.bytes as u64 > left {
            return Err(too_large());
        }
        let content = entry.content().ok_or_else(|| broken(&format!("{name} cannot be unpacked")))?;
        left -= content.len() as u64;
        found.push((name.to_owned(), content));
    }
    Ok(found)
}

/// A file in a ZIP, as its directory tells it.
struct Entry<'a> {
    name: &'a [u8],
    method: usize,
    packed: &'a [u8],
    bytes: usize,
}

impl Entry<'_> {
    /// Unpacks it; nothing where it does not have the size that it claims.
    fn content(&self) -> Option<Vec<u8>> {
        let content = match self.method {
            0 => self.packed.to_vec(),
            8 => miniz_oxide::inflate::decompress_to_vec_with_limit(self.packed, self.bytes).ok()?,
            _ => return None,
        };
        (content.len() == self.bytes).then_some(content)
    }
}

/// Reads the directory of a ZIP. Its digest is that of the lock, so what is checked is that nothing lies outside of it.
fn entries(zip: &[u8]) -> Option<Vec<Entry<'_>>> {
    let end = zip.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let count = number(zip, end + 10, 2)?;
    let mut at = number(zip, end + 16, 4)?;
    let mut found = Vec::new();
    for _ in 0..count.min(ENTRIES_MAX + 1) {
        let field = |place: usize, width: usize| number(zip, at + place, width);
        let (name_bytes, more) = (field(28, 2)?, field(30, 2)? + field(32, 2)?);
        let local = field(42, 4)?;
        let data = local + 30 + number(zip, local + 26, 2)? + number(zip, local + 28, 2)?;
        found.push(Entry {
            name: zip.get(at + 46..at + 46 + name_bytes)?,
            method: field(10, 2)?,
            packed: zip.get(data..data.checked_add(field(20, 4)?)?)?,
            bytes: field(24, 4)?,
        });
        at += 46 + name_bytes + more;
    }
    (found.len() <= ENTRIES_MAX).then_some(found)
}

/// Whether a file is the wheel's own papers, or goes somewhere else than among the modules.
fn is_about_itself(name: &str) -> bool {
    let top = name.split('/').next().unwrap_or_default();
    top.ends_with(".dist-info") || top.ends_with(".data")
}

fn unread(file: &str, why: &str) -> WheelFault {
    WheelFault::Unread { file: GuestText::new(file, 256), why: GuestText::new(why, 256) }
}
