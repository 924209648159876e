//! The files of a parser as they stand on disk, gathered into a bundle.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use casparian_core::guest_text::GuestText;

use super::bundle::{BUNDLE_BYTES_MAX, Bundle, BundleFault, FILES_MAX, check_name};
use super::{CONTRACT_FILE, ProgramFault};
use crate::staging::RECEIPT_FILE;

/// The module that a folder starts from.
const ENTRY: &str = "parser.py";
/// Folders at the top that are not the parser: its tests, their data, what tools leave behind.
const ASIDE: [&str; 6] = ["tests", "samples", "build", "dist", "venv", "node_modules"];
/// Most folders below each other.
const DEPTH_MAX: usize = 8;

/// Gathers the files of a parser: of a file itself and the contract beside it; of a folder everything that a bundle can hold;
/// of a bundle what is in it.
pub(crate) fn collect(path: &Path) -> Result<Bundle, ProgramFault> {
    if path.is_dir() {
        return of_folder(path);
    }
    match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip")) {
        true => Bundle::from_bytes(&read(path)?).map_err(|fault| faulty(path, fault)),
        false => of_file(path),
    }
}

fn of_file(path: &Path) -> Result<Bundle, ProgramFault> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entry = module(&name).ok_or_else(|| ProgramFault::Module { path: shown(path) })?;
    let mut files = BTreeMap::from([(name, read(path)?)]);
    let contract = path.with_file_name(CONTRACT_FILE);
    if contract.is_file() {
        files.insert(CONTRACT_FILE.to_owned(), read(&contract)?);
    }
    Ok(Bundle { entry, dependencies: Vec::new(), files })
}

fn of_folder(path: &Path) -> Result<Bundle, ProgramFault> {
    if has_dependencies(path)? {
        return Err(ProgramFault::Dependencies { path: shown(path) });
    }
    sources(path)
}

/// Gathers the sources of a folder, whatever packages they need.
pub(crate) fn sources(path: &Path) -> Result<Bundle, ProgramFault> {
    let mut gathered = Gathered::default();
    gathered.walk(path, "", 0)?;
    let files = gathered.files;
    let modules: Vec<&String> = files.keys().filter(|name| module(name).is_some()).collect();
    let entry = match (files.contains_key(ENTRY), modules.as_slice()) {
        (true, _) => module(ENTRY),
        (false, [only]) => module(only),
        _ => None,
    };
    match entry {
        Some(entry) => Ok(Bundle { entry, dependencies: Vec::new(), files }),
        None => Err(ProgramFault::NoEntry { path: shown(path), found: modules.len() }),
    }
}

#[derive(Default)]
struct Gathered {
    files: BTreeMap<String, Vec<u8>>,
    bytes: u64,
}

impl Gathered {
    fn walk(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), ProgramFault> {
        let unread = |error| ProgramFault::Unread { path: shown(folder), error };
        for entry in fs::read_dir(folder).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(unread)?;
            let path = format!("{prefix}{name}");
            if is_aside(&name, depth) || is_output(&entry.path()) {
                continue;
            }
            if kind.is_symlink() && is_source(&name) {
                return Err(ProgramFault::Link { path: shown(&entry.path()) });
            }
            if kind.is_dir() && depth < DEPTH_MAX {
                self.walk(&entry.path(), &format!("{path}/"), depth + 1)?;
            } else if kind.is_file() && is_source(&name) {
                self.add(path, &entry.path())?;
            } else if kind.is_file() && is_native(&name) {
                check_name(&path).map_err(|fault| faulty(&entry.path(), fault))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, path: &Path) -> Result<(), ProgramFault> {
        check_name(&name).map_err(|fault| faulty(path, fault))?;
        let content = read(path)?;
        self.bytes += content.len() as u64;
        if self.files.len() >= FILES_MAX || self.bytes > BUNDLE_BYTES_MAX {
            return Err(faulty(path, BundleFault::TooMany));
        }
        self.files.insert(name, content);
        Ok(())
    }
}

/// Whether a folder is what a run has written: it stands there by chance.
pub(crate) fn is_output(path: &Path) -> bool {
    path.join(RECEIPT_FILE).is_file()
}

pub(crate) fn is_aside(name: &str, depth: usize) -> bool {
    name.starts_with('.') || name == "__pycache__" || (depth == 0 && ASIDE.contains(&name))
}

/// Whether a bundle holds files of such a name.
pub(crate) fn is_source(name: &str) -> bool {
    [".py", ".json", ".yaml"].iter().any(|ending| name.ends_with(ending))
}

/// Whether a file of such a name means that the parser cannot run in the sandbox.
pub(crate) fn is_native(name: &str) -> bool {
    [".so", ".dll", ".pyd", ".dylib"].iter().any(|ending| name.to_ascii_lowercase().ends_with(ending))
}

/// Returns what a file at the top is imported by, if it can be.
fn module(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".py")?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_name = stem.chars().all(is_word) && stem.chars().next().is_some_and(|first| !first.is_numeric());
    is_name.then(|| stem.to_owned())
}

/// Whether a folder's pyproject.toml says that it needs packages of others.
fn has_dependencies(folder: &Path) -> Result<bool, ProgramFault> {
    let path = folder.join("pyproject.toml");
    if !path.is_file() {
        return Ok(false);
    }
    let text = String::from_utf8_lossy(&read(&path)?).into_owned();
    Ok(crate::build::lock::has_dependencies(&text))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ProgramFault> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(BUNDLE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| ProgramFault::Unread { path: shown(path), error })?;
    match bytes.len() as u64 > BUNDLE_BYTES_MAX {
        true => Err(faulty(path, BundleFault::TooLarge { bytes: bytes.len() as u64 })),
        false => Ok(bytes),
    }
}

fn shown(path: &Path) -> GuestText {
    GuestText::new(&path.to_string_lossy(), 4096)
}

fn faulty(path: &Path, fault: BundleFault) -> ProgramFault {
    ProgramFault::Bundle { path: shown(path), fault }
}
