//! What a parser needs of others: `pyproject.toml` says what, `uv.lock` says exactly which, by digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use serde::Deserialize;
use thiserror::Error;

/// Most packages that one parser may bring.
const PACKAGES_MAX: usize = 256;
/// Most bytes of a lock.
const LOCK_BYTES_MAX: usize = 16 << 20;

/// A lock that cannot be read, or whose packages cannot be brought.
#[derive(Debug, Error)]
pub(crate) enum LockFault {
    /// Packages are asked for and nothing says which.
    #[error("pyproject.toml has dependencies, but {path} cannot be read: {error}")]
    Missing {
        /// The lock.
        path: GuestText,
        /// What the system says.
        error: io::Error,
    },
    /// It is no lock that this reads.
    #[error("{path}: {why}")]
    Unreadable {
        /// The file.
        path: GuestText,
        /// Why.
        why: GuestText,
    },
    /// A package is needed that is not in the lock.
    #[error("uv.lock has no package `{name}`")]
    Unlocked {
        /// The package.
        name: GuestText,
    },
    /// More packages than any parser needs.
    #[error("packages: limit {PACKAGES_MAX}, and uv.lock asks for more")]
    TooMany,
    /// It comes compiled for some machine only.
    #[error("{name} has no pure-Python wheel (…-none-any.whl): native code does not run in the sandbox")]
    NotPure {
        /// The package.
        name: GuestText,
    },
    /// Two packages bring the same file.
    #[error("{name} brings {file}, which is there already")]
    Twice {
        /// The package.
        name: GuestText,
        /// The file.
        file: GuestText,
    },
}

impl Blamed for LockFault {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "lock-missing",
            Self::Unreadable { .. } | Self::Unlocked { .. } | Self::TooMany => "lock-unreadable",
            Self::NotPure { .. } => "dependency-not-pure",
            Self::Twice { .. } => "dependency-clash",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } | Self::Unlocked { .. } => Some("`uv lock` writes it".to_owned()),
            Self::NotPure { .. } => Some("look for a package in pure Python that does the same".to_owned()),
            _ => None,
        }
    }
}

/// A package that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needed {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Whether it is needed on some machines only.
    pub(crate) is_conditional: bool,
    wheels: Vec<LockedWheel>,
}

/// A wheel as a lock names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LockedWheel {
    pub(crate) file: String,
    pub(crate) sha256: String,
}

impl Needed {
    /// Returns the wheel that runs anywhere, if there is one.
    pub(crate) fn pure_wheel(&self) -> Option<&LockedWheel> {
        self.wheels.iter().find(|wheel| {
            let tags: Vec<&str> = wheel.file.trim_end_matches(".whl").rsplitn(4, '-').collect();
            matches!(tags.as_slice(), ["any", "none", python, _] if python.split('.').any(|tag| tag.starts_with("py3")))
        })
    }

    pub(crate) fn shown(&self) -> GuestText {
        GuestText::new(&format!("{} {}", self.name, self.version), 256)
    }
}

#[derive(Deserialize)]
struct Lock {
    version: u64,
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    version: String,
    source: BTreeMap<String, toml::Value>,
    #[serde(default)]
    dependencies: Vec<Edge>,
    #[serde(default)]
    wheels: Vec<WheelEntry>,
}

#[derive(Deserialize)]
struct Edge {
    name: String,
    version: Option<String>,
    marker: Option<String>,
}

#[derive(Deserialize)]
struct WheelEntry {
    url: Option<String>,
    filename: Option<String>,
    path: Option<String>,
    hash: Option<String>,
}

/// Whether a pyproject.toml asks for packages. One that cannot be read asks for none: whoever builds it hears why.
pub(crate) fn has_dependencies(pyproject: &str) -> bool {
    let Ok(table) = pyproject.parse::<toml::Table>() else { return false };
    dependencies(&table)
}

fn dependencies(pyproject: &toml::Table) -> bool {
    let dependencies = pyproject.get("project").and_then(|project| project.get("dependencies"));
    let own = |name: &toml::Value| name.as_str().is_some_and(is_sdk);
    dependencies.and_then(toml::Value::as_array).is_some_and(|all| all.iter().any(|name| !own(name)))
}

/// Whether a requirement is our SDK's, which every runtime has.
fn is_sdk(requirement: &str) -> bool {
    let end =
        requirement.find(|c: char| !c.is_alphanumeric() && !"-_.".contains(c)).unwrap_or(requirement.len());
    &requirement[..end] == "casparian"
}

/// Returns the packages that the parser in a folder needs, sorted by name; none where its pyproject.toml asks for none.
pub(crate) fn needed(folder: &Path) -> Result<Vec<Needed>, LockFault> {
    let pyproject = folder.join("pyproject.toml");
    if !pyproject.is_file() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&pyproject)
        .map_err(|error| LockFault::Missing { path: shown(&pyproject), error })?;
    let table = text.parse::<toml::Table>().map_err(|why| unreadable(&pyproject, &why.to_string()))?;
    if !dependencies(&table) {
        return Ok(Vec::new());
    }
    let path = folder.join("uv.lock");
    let text = fs::read_to_string(&path).map_err(|error| LockFault::Missing { path: shown(&path), error })?;
    if text.len() > LOCK_BYTES_MAX {
        return Err(unreadable(&path, "it is longer than any lock"));
    }
    read(&text).map_err(|why| match why {
        Unread::Syntax(why) => unreadable(&path, &why),
        Unread::Lock(fault) => fault,
    })
}

enum Unread {
    Syntax(String),
    Lock(LockFault),
}

fn read(text: &str) -> Result<Vec<Needed>, Unread> {
    let lock: Lock = toml::from_str(text).map_err(|why| Unread::Syntax(why.to_string()))?;
    if lock.version != 1 {
        return Err(Unread::Syntax(format!("it is of version {}, this host reads 1", lock.version)));
    }
    let is_here = |(kind, path): (&String, &toml::Value)| {
        (kind == "virtual" || kind == "editable") && path.as_str() == Some(".")
    };
    let is_root = |package: &&Package| package.source.iter().any(is_here);
    let root = lock.package.iter().find(is_root);
    let root = root.ok_or_else(|| Unread::Syntax("no package in it is the parser itself".to_owned()))?;
    closure(&lock.package, root).map_err(Unread::Lock)
}

/// Follows what needs what from the parser on. What is needed under some condition is taken along: a package too many does
/// nothing, and whether a condition holds would depend on who reads it.
fn closure(packages: &[Package], root: &Package) -> Result<Vec<Needed>, LockFault> {
    let mut found: BTreeMap<(String, String), Needed> = BTreeMap::new();
    let mut due: Vec<(&Edge, bool)> =
        root.dependencies.iter().map(|edge| (edge, edge.marker.is_some())).collect();
    let mut seen = BTreeSet::new();
    while let Some((edge, is_conditional)) = due.pop() {
        if is_sdk(&edge.name) || !seen.insert((edge.name.clone(), edge.version.clone(), is_conditional)) {
            continue;
        }
        if found.len() > PACKAGES_MAX {
            return Err(LockFault::TooMany);
        }
        let is_it = |package: &&Package| {
            package.name == edge.name
                && edge.version.as_ref().is_none_or(|version| *version == package.version)
        };
        let package = packages.iter().find(is_it);
        let package = package.ok_or_else(|| LockFault::Unlocked { name: GuestText::new(&edge.name, 256) })?;
        due.extend(package.dependencies.iter().map(|next| (next, is_conditional || next.marker.is_some())));
        let known = found.entry((package.name.clone(), package.version.clone()));
        known.or_insert_with(|| needed_of(package)).is_conditional &= is_conditional;
    }
    Ok(found.into_values().collect())
}

fn needed_of(package: &Package) -> Needed {
    let wheel = |entry: &WheelEntry| {
        let place = entry.filename.as_ref().or(entry.url.as_ref()).or(entry.path.as_ref())?;
        let file = place.rsplit('/').next()?.to_owned();
        Some(LockedWheel { file, sha256: entry.hash.as_ref()?.strip_prefix("sha256:")?.to_owned() })
    };
    Needed {
        name: package.name.clone(),
        version: package.version.clone(),
        is_conditional: true,
        wheels: package.wheels.iter().filter_map(wheel).collect(),
    }
}

fn shown(path: &Path) -> GuestText {
    GuestText::new(&path.to_string_lossy(), 4096)
}

fn unreadable(path: &Path, why: &str) -> LockFault {
    LockFault::Unreadable { path: shown(path), why: GuestText::new(why, 512) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 1
[[package]]
name = "fills"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "alpha" }, { name = "casparian" }, { name = "win", marker = "sys_platform == 'win32'" }]

[[package]]
name = "alpha"
version = "1.2"
source = { registry = "https://example.org/simple" }
dependencies = [{ name = "beta" }]
wheels = [
  { url = "https://example.org/alpha-1.2-cp314-cp314-linux_x86_64.whl", hash = "sha256:aa" },
  { url = "https://example.org/alpha-1.2-py2.py3-none-any.whl", hash = "sha256:bb" },
]

[[package]]
name = "beta"
version = "2"
source = { registry = "https://example.org/simple" }
dependencies = [{ name = "alpha" }]
wheels = [{ url = "https://example.org/beta-2-cp314-cp314-linux_x86_64.whl", hash = "sha256:cc" }]

[[package]]
name = "win"
version = "3"
source = { registry = "https://example.org/simple" }
"#;

    fn read_lock(text: &str) -> Result<Vec<Needed>, String> {
        read(text).map_err(|why| match why {
            Unread::Syntax(why) => why,
            Unread::Lock(fault) => fault.to_string(),
        })
    }

    #[test]
    fn everything_that_is_needed_is_found_once_and_the_sdk_is_not_needed() {
        let names: Vec<_> =
            read_lock(LOCK).unwrap().into_iter().map(|needed| (needed.name, needed.is_conditional)).collect();
        let expected = [("alpha", false), ("beta", false), ("win", true)];
        assert_eq!(names, expected.map(|(name, conditional)| (name.to_owned(), conditional)));
    }

    #[test]
    fn only_a_wheel_for_any_machine_is_taken() {
        let needed = read_lock(LOCK).unwrap();
        let wheel = needed[0].pure_wheel().unwrap();
        assert_eq!((wheel.file.as_str(), wheel.sha256.as_str()), ("alpha-1.2-py2.py3-none-any.whl", "bb"));
        assert_eq!(needed[1].pure_wheel(), None);
    }

    #[test]
    fn a_package_that_is_needed_and_not_locked_is_named() {
        let lock = LOCK.replace("name = \"beta\"\nversion", "name = \"gamma\"\nversion");
        assert_eq!(read_lock(&lock).unwrap_err(), "uv.lock has no package `beta`");
    }

    #[test]
    fn a_lock_of_another_version_is_refused() {
        assert!(read_lock("version = 2").unwrap_err().contains("version 2"));
    }

    #[test]
    fn a_parser_that_needs_the_sdk_alone_needs_nothing() {
        let project = |list: &str| format!("[project]\nname = \"x\"\ndependencies = [{list}]");
        assert!(!has_dependencies(&project("'casparian>=0.1'")));
        assert!(!has_dependencies("[project]\nname = 'x'"));
        assert!(has_dependencies(&project("'casparian-extra', 'casparian'")));
    }
}
