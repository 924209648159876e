//! The ratchet on the interface: `wit/world.wit` changes together with its version, or not at all.
//!
//! `wit/LOCK` is one line, `VERSION SHA256`: the version in the package line of `world.wit` and the digest of the file.

use crate::Outcome;
use crate::workspace::{read, read_text, write};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Fails where the interface is not the one that was locked.
pub(crate) fn check(root: &Path) -> Outcome {
    let interface = Lock::of_interface(root)?;
    let locked =
        Lock::read(root)?.ok_or("wit/LOCK: not there; write it by `cargo xtask check --bless-wit`")?;
    if interface == locked {
        println!("wit/world.wit: {} as locked", interface.version);
        return Ok(());
    }
    Err(differs(&interface, &locked))
}

/// Locks the interface as it is, provided that its version moved with it.
pub(crate) fn bless(root: &Path) -> Outcome {
    let interface = Lock::of_interface(root)?;
    if let Some(locked) = Lock::read(root)? {
        if locked == interface {
            println!("wit/LOCK: already says {interface}");
            return Ok(());
        }
        if locked.version == interface.version {
            return Err(differs(&interface, &locked));
        }
    }
    write(&lock_path(root), format!("{interface}\n").as_bytes())?;
    println!("wit/LOCK: {interface}");
    Ok(())
}

fn differs(interface: &Lock, locked: &Lock) -> String {
    if interface.version == locked.version {
        format!(
            "wit/world.wit changed, but its version is still {}\n  hint: components say which version they speak, so \
             raise it in the package line, then `cargo xtask check --bless-wit`",
            locked.version
        )
    } else {
        format!(
            "wit/world.wit is version {}, wit/LOCK has {}\n  hint: `cargo xtask check --bless-wit`",
            interface.version, locked.version
        )
    }
}

#[derive(Debug, PartialEq)]
struct Lock {
    version: String,
    sha256: String,
}

impl std::fmt::Display for Lock {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}", self.version, self.sha256)
    }
}

impl Lock {
    fn of_interface(root: &Path) -> Outcome<Lock> {
        let text = read(&root.join("wit/world.wit"))?;
        let version = version(&String::from_utf8_lossy(&text))
            .ok_or("wit/world.wit: no package line with a version")?;
        Ok(Lock { version, sha256: sha256(&text) })
    }

    fn read(root: &Path) -> Outcome<Option<Lock>> {
        let path = lock_path(root);
        if !path.is_file() {
            return Ok(None);
        }
        let text = read_text(&path)?;
        let (version, sha256) = text.trim().split_once(' ').ok_or("wit/LOCK: is not `VERSION SHA256`")?;
        Ok(Some(Lock { version: version.into(), sha256: sha256.into() }))
    }
}

fn lock_path(root: &Path) -> PathBuf {
    root.join("wit/LOCK")
}

/// The version in the package line: `package casparian:parser@0.2.0;`.
fn version(wit: &str) -> Option<String> {
    let package = wit.lines().find_map(|line| line.strip_prefix("package "))?;
    let (_, version) = package.trim().strip_suffix(';')?.split_once('@')?;
    Some(version.to_owned())
}

/// The digest of some bytes in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(version: &str, sha256: &str) -> Lock {
        Lock { version: version.into(), sha256: sha256.into() }
    }

    #[test]
    fn the_version_stands_in_the_package_line() {
        assert_eq!(
            version("/// package a:b@9;\npackage casparian:parser@0.2.0;\n").as_deref(),
            Some("0.2.0")
        );
        assert_eq!(version("package casparian:parser;\n"), None);
    }

    #[test]
    fn a_change_under_the_same_version_is_told_to_raise_it() {
        let told = differs(&lock("0.1.0", "aa"), &lock("0.1.0", "bb"));
        assert!(told.contains("still 0.1.0"), "{told}");
    }

    #[test]
    fn a_raised_version_is_told_to_bless() {
        let told = differs(&lock("0.2.0", "aa"), &lock("0.1.0", "bb"));
        assert!(told.contains("is version 0.2.0, wit/LOCK has 0.1.0"), "{told}");
    }

    #[test]
    fn the_digest_of_nothing_is_the_well_known_one() {
        assert!(sha256(b"").starts_with("e3b0c44298fc1c149afbf4c8996fb924"));
    }
}
