//! A Python parser as one file: a ZIP that ordinary tools open, and of which there is exactly one for the same contents.
//!
//! Entries are stored, not deflated; the first is the manifest, the rest are sorted by name; no dates, no comments, no extra
//! fields, nothing before, between or behind. What is read is written again and compared: a file that differs from what this
//! module writes is no bundle, so there is no second reading of one to fear.

use std::collections::BTreeMap;

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most bytes of a bundle. Sources are small; data belongs into attachments.
pub(crate) const BUNDLE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most files of a bundle.
pub(crate) const FILES_MAX: usize = 4_096;
/// Most bytes of a name.
pub(crate) const NAME_BYTES_MAX: usize = 120;
/// Most folders that a name goes down.
const DEPTH_MAX: usize = 8;
/// What the first entry is called.
const MANIFEST: &str = "casparian.json";
/// What the manifest says that this is.
const KIND: &str = "casparian python parser 1";

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// The version of ZIP that knows stored entries.
const VERSION: u16 = 10;
/// 1980-01-01, the first day that a ZIP can name.
const DATE: u16 = 0x21;

/// A bundle that cannot be read or made.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum BundleFault {
    /// It is longer than any bundle.
    #[error("bundle bytes: limit {BUNDLE_BYTES_MAX}, has {bytes}")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// It has more files than any bundle.
    #[error("bundle files: limit {FILES_MAX}, and there are more")]
    TooMany,
    /// A name that no file in a bundle can have.
    #[error("`{name}` cannot be in a bundle: {why}")]
    Name {
        /// The name.
        name: GuestText,
        /// Why not.
        why: &'static str,
    },
    /// Two names are one on machines that do not tell large letters from small.
    #[error("`{name}` and another file have the same name, but for large and small letters")]
    SameName {
        /// The name.
        name: GuestText,
    },
    /// It is no ZIP, or none that `host build` writes.
    #[error("this is no bundle of `host build`: {what} at byte {offset}")]
    NotOurs {
        /// What is wrong.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// Its manifest cannot be read.
    #[error("the bundle's manifest {MANIFEST}: {why}")]
    Manifest {
        /// Why.
        why: GuestText,
    },
}

impl Blamed for BundleFault {
    fn blame(&self) -> Blame {
        match self {
            Self::NotOurs { .. } | Self::Manifest { .. } => Blame::Guest,
            _ => Blame::Operator,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::TooMany => "bundle-too-large",
            Self::Name { .. } | Self::SameName { .. } => "bundle-name-refused",
            Self::NotOurs { .. } | Self::Manifest { .. } => "invalid-bundle",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotOurs { .. } | Self::Manifest { .. } => {
                Some("`host build DIR -o parser.zip` makes one".to_owned())
            }
            Self::Name { .. } => {
                Some("a bundle holds .py, .json and .yaml; leave the file out, or rename it".to_owned())
            }
            _ => None,
        }
    }
}

/// A package of others that stands in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Digest of the wheel that it came in.
    pub wheel_sha256: String,
}

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    kind: String,
    entry: String,
    dependencies: Vec<Dependency>,
}

/// A Python parser: its files, the module to start from, and whose packages it brings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The module to start from.
    pub entry: String,
    /// The packages that it brings.
    pub dependencies: Vec<Dependency>,
    /// Every file by its path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Bundle {
    /// Returns the one ZIP that holds this. Fails where a name or a size is none for a bundle.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleFault> {
        if self.files.len() > FILES_MAX {
            return Err(BundleFault::TooMany);
        }
        let bytes = self.files.iter().map(|(name, content)| (name.len() + content.len()) as u64).sum();
        if bytes > BUNDLE_BYTES_MAX / 2 {
            return Err(BundleFault::TooLarge { bytes });
        }
        self.check_names()?;
        let manifest = self.manifest()?;
        let mut zip = Zip::default();
        zip.add(MANIFEST, &manifest);
        self.files.iter().for_each(|(name, content)| zip.add(name, content));
        Ok(zip.finish())
    }

    /// Reads a bundle. Anything but what [`Bundle::to_bytes`] writes is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleFault> {
        if bytes.len() as u64 > BUNDLE_BYTES_MAX {
            return Err(BundleFault::TooLarge { bytes: bytes.len() as u64 });
        }
        let mut entries = entries(bytes)?.into_iter();
        let manifest = entries.next().filter(|(name, _)| *name == MANIFEST).map(|(_, content)| content);
        let manifest =
            manifest.ok_or(BundleFault::NotOurs { what: "the first entry is no manifest", offset: 0 })?;
        let manifest: Manifest =
            serde_json::from_slice(manifest).map_err(|why| faulty_manifest(&why.to_string()))?;
        if manifest.kind != KIND {
            return Err(faulty_manifest(&format!(
                "it is of kind `{}`, this host reads `{KIND}`",
                manifest.kind
            )));
        }
        let files = entries.map(|(name, content)| (name.to_owned(), content.to_vec())).collect();
        let bundle = Self { entry: manifest.entry, dependencies: manifest.dependencies, files };
        let again = bundle.to_bytes()?;
        match again.iter().zip(bytes).position(|(ours, theirs)| ours != theirs) {
            None if again.len() == bytes.len() => bundle.with_entry(),
            place => {
                let offset = place.unwrap_or(again.len().min(bytes.len())) as u64;
                Err(BundleFault::NotOurs { what: "other bytes than it would be written with", offset })
            }
        }
    }

    /// Returns it, if the module to start from is one of its own.
    fn with_entry(self) -> Result<Self, BundleFault> {
        let path = self.entry.replace('.', "/");
        match self.files.contains_key(&format!("{path}.py"))
            || self.files.contains_key(&format!("{path}/__init__.py"))
        {
            true => Ok(self),
            false => Err(faulty_manifest("the module to start from is none of its files")),
        }
    }

    fn manifest(&self) -> Result<Vec<u8>, BundleFault> {
        let (entry, dependencies) = (self.entry.clone(), self.dependencies.clone());
        let manifest = Manifest { kind: KIND.to_owned(), entry, dependencies };
        let mut text =
            serde_json::to_vec_pretty(&manifest).map_err(|why| faulty_manifest(&why.to_string()))?;
        text.push(b'\n');
        Ok(text)
    }

    fn check_names(&self) -> Result<(), BundleFault> {
        let mut seen = std::collections::BTreeSet::new();
        for name in self.files.keys() {
            check_name(name)?;
            if !seen.insert(name.to_lowercase()) {
                return Err(BundleFault::SameName { name: GuestText::new(name, NAME_BYTES_MAX) });
            }
        }
        Ok(())
    }
}

fn faulty_manifest(why: &str) -> BundleFault {
    BundleFault::Manifest { why: GuestText::new(why, 256) }
}

/// Fails where no file of a bundle can be called so: native code, what tools leave behind, what could climb out of a folder.
pub(crate) fn check_name(name: &str) -> Result<(), BundleFault> {
    let refuse = |why| Err(BundleFault::Name { name: GuestText::new(name, NAME_BYTES_MAX), why });
    if name.len() > NAME_BYTES_MAX {
        return refuse("it is longer than 120 bytes");
    }
    if name.eq_ignore_ascii_case(MANIFEST) {
        return refuse("the manifest is called so");
    }
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() > DEPTH_MAX {
        return refuse("it is more than 8 folders deep");
    }
    for part in &parts {
        if let Some(why) = refused_part(part) {
            return refuse(why);
        }
    }
    match name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase().as_str() {
        "py" | "json" | "yaml" => Ok(()),
        "so" | "dll" | "pyd" | "dylib" => refuse("native code does not run in the sandbox"),
        "pyc" | "pyo" => refuse("compiled code is made on the machine that runs it"),
        _ => refuse("it is not .py, .json or .yaml"),
    }
}

fn refused_part(part: &str) -> Option<&'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if part == "__pycache__" {
        Some("compiled code is made on the machine that runs it")
    } else if part.is_empty() || part.starts_with('.') {
        Some("a part of it is empty or begins with a dot")
    } else if !part.chars().all(is_plain) {
        Some("a part of it is not made of letters, digits, `_`, `-` and `.`")
    } else {
        None
    }
}

/// A ZIP that is being written.
#[derive(Default)]
struct Zip {
    bytes: Vec<u8>,
    central: Vec<u8>,
    entries: u16,
}

impl Zip {
    fn add(&mut self, name: &str, content: &[u8]) {
        let offset = self.bytes.len() as u32;
        let about = about(name, content);
        put32(&mut self.bytes, LOCAL);
        self.bytes.extend_from_slice(&about);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(content);
        put32(&mut self.central, CENTRAL);
        put16(&mut self.central, VERSION);
        self.central.extend_from_slice(&about);
        // No comment, first disk, no attributes.
        self.central.extend_from_slice(&[0; 10]);
        put32(&mut self.central, offset);
        self.central.extend_from_slice(name.as_bytes());
        self.entries += 1;
    }

    fn finish(self) -> Vec<u8> {
        let Self { mut bytes, central, entries } = self;
        let (offset, length) = (bytes.len() as u32, central.len() as u32);
        bytes.extend_from_slice(&central);
        put32(&mut bytes, END);
        put32(&mut bytes, 0);
        put16(&mut bytes, entries);
        put16(&mut bytes, entries);
        put32(&mut bytes, length);
        put32(&mut bytes, offset);
        put16(&mut bytes, 0);
        bytes
    }
}

/// What both headers of an entry say alike.
fn about(name: &str, content: &[u8]) -> Vec<u8> {
    let mut about = Vec::with_capacity(26);
    // The version to read it, no flags, stored, midnight.
    [VERSION, 0, 0, 0, DATE].into_iter().for_each(|word| put16(&mut about, word));
    put32(&mut about, crc32(content));
    put32(&mut about, content.len() as u32);
    put32(&mut about, content.len() as u32);
    put16(&mut about, name.len() as u16);
    put16(&mut about, 0);
    about
}

fn put16(into: &mut Vec<u8>, number: u16) {
    into.extend_from_slice(&number.to_le_bytes());
}

fn put32(into: &mut Vec<u8>, number: u32) {
    into.extend_from_slice(&number.to_le_bytes());
}

/// The checksum of ZIP (reflected 0x04C11DB7).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Walks the local headers. What they say is believed as far as it stays inside the bytes: all of it is compared later.
fn entries(bytes: &[u8]) -> Result<Vec<(&str, &[u8])>, BundleFault> {
    let mut found = Vec::new();
    let mut at = 0;
    while number(bytes, at, 4) == Some(LOCAL as usize) {
        let broken = |what| BundleFault::NotOurs { what, offset: at as u64 };
        if found.len() > FILES_MAX {
            return Err(BundleFault::TooMany);
        }
        let lengths = number(bytes, at + 26, 2).zip(number(bytes, at + 18, 4));
        let (name_bytes, content_bytes) = lengths.ok_or(broken("a header that is cut short"))?;
        let name = bytes.get(at + 30..at + 30 + name_bytes).ok_or(broken("a name that is cut short"))?;
        let name = str::from_utf8(name).map_err(|_| broken("a name that is not UTF-8"))?;
        let content_at = at + 30 + name_bytes;
        let content =
            bytes.get(content_at..content_at + content_bytes).ok_or(broken("a file that is cut short"))?;
        found.push((name, content));
        at = content_at + content_bytes;
    }
    if found.is_empty() { Err(BundleFault::NotOurs { what: "no entry", offset: 0 }) } else { Ok(found) }
}

/// Reads a little-endian number.
pub(crate) fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bundle(files: &[(&str, &str)]) -> Bundle {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        Bundle { entry: "parser".to_owned(), dependencies: Vec::new(), files: files.collect() }
    }

    #[test]
    fn the_checksum_is_that_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn what_was_written_is_read_again() {
        let bundle = bundle(&[("parser.py", "x = 1\n"), ("a/b.json", "{}"), ("contract.odcs.yaml", "")]);
        let bytes = bundle.to_bytes().unwrap();
        assert_eq!(Bundle::from_bytes(&bytes).as_ref(), Ok(&bundle));
    }

    #[test]
    fn any_flipped_bit_of_a_header_and_any_byte_too_many_or_too_few_is_refused() {
        let bytes = bundle(&[("parser.py", "x = 1\n")]).to_bytes().unwrap();
        let content = bytes.windows(6).position(|window| window == b"x = 1\n").unwrap();
        for at in (0..bytes.len() * 8).filter(|at| !(content..content + 6).contains(&(at / 8))) {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            // One that is valid all the same must be another bundle, written as it would be.
            if let Ok(other) = Bundle::from_bytes(&flipped) {
                assert_eq!(other.to_bytes().unwrap(), flipped);
            }
        }
        for end in 0..bytes.len() {
            assert!(Bundle::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
        assert!(Bundle::from_bytes(&[&bytes[..], b"\0"].concat()).is_err());
        assert!(Bundle::from_bytes(&[b"\0", &bytes[..]].concat()).is_err());
    }

    #[test]
    fn native_code_and_what_tools_leave_behind_are_refused_by_name() {
        let names = [
            "a.so",
            "a.dll",
            "a.pyd",
            "a.PYD",
            "__pycache__/a.py",
            ".venv/a.py",
            "../a.py",
            "/a.py",
            "a//b.py",
            "a\\b.py",
            "a.txt",
            "a",
            "a.pyc",
            "ä.py",
            "casparian.json",
            "a/./b.py",
        ];
        for name in names {
            let refused = bundle(&[(name, "")]).to_bytes().unwrap_err();
            assert_eq!(refused.code(), "bundle-name-refused", "{name}");
            assert!(refused.to_string().contains(name), "{refused}");
        }
    }

    #[test]
    fn a_bundle_starts_from_a_module_of_its_own() {
        for entry in ["other", ".casparian/compiler", "", "parser.py"] {
            let stray = Bundle { entry: entry.to_owned(), ..bundle(&[("parser.py", "")]) };
            let refused = Bundle::from_bytes(&stray.to_bytes().unwrap()).unwrap_err();
            assert!(matches!(refused, BundleFault::Manifest { .. }), "{entry}: {refused}");
        }
        let package = Bundle { entry: "a.b".to_owned(), ..bundle(&[("a/b/__init__.py", "")]) };
        assert!(Bundle::from_bytes(&package.to_bytes().unwrap()).is_ok());
    }

    #[test]
    fn names_that_differ_in_the_size_of_letters_alone_are_refused() {
        let refused = bundle(&[("a.py", ""), ("A.py", "")]).to_bytes().unwrap_err();
        assert!(matches!(refused, BundleFault::SameName { .. }));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_for_a_bundle_is_written_as_it_was_read(
            names in proptest::collection::btree_map("[a-z]{1,8}(/[a-z0-9_]{1,8}){0,3}\\.(py|json|yaml)",
                proptest::collection::vec(any::<u8>(), 0..50), 0..6),
            at in any::<proptest::sample::Index>(), to in any::<u8>(),
        ) {
            let mut files = names;
            files.insert("parser.py".to_owned(), Vec::new());
            let bundle = Bundle { entry: "parser".to_owned(), dependencies: Vec::new(), files };
            let mut bytes = bundle.to_bytes().unwrap();
            prop_assert_eq!(Bundle::from_bytes(&bytes), Ok(bundle));
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(read) = Bundle::from_bytes(&bytes) {
                prop_assert_eq!(read.to_bytes().unwrap(), bytes);
            }
        }
    }
}
