//! `check --reproducible`: the guests, and what is compiled of the Python runtime, are built twice, in two places, and must come
//! out the same to the byte.

use crate::Outcome;
use crate::guests::build_at;
use crate::python_speed;
use crate::site::Site;
use crate::toolchain::Toolchain;
use crate::wit_lock::sha256;
use crate::workspace::{copy, entries, make_folder, read, remove_folder, tracked};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Copies the sources into two folders of different depth and builds in both, with target folders inside and outside.
pub(crate) fn run(root: &Path) -> Outcome {
    let work = std::env::temp_dir().join(format!("casparian-reproducible-{}", std::process::id()));
    let outcome = compare(root, &work);
    remove_folder(&work)?;
    outcome
}

fn compare(root: &Path, work: &Path) -> Outcome {
    let toolchain = Toolchain::find_or_make(root)?;
    let sites = [
        Site { source: work.join("a"), build: work.join("a/target/wasm"), out: work.join("a/out") },
        Site {
            source: work.join("second/and deeper/b"),
            build: work.join("elsewhere"),
            out: work.join("out-b"),
        },
    ];
    let mut built = Vec::new();
    for site in &sites {
        copy_sources(root, &site.source)?;
        build_at(site, &toolchain, &[])?;
        let mut found = digests(&site.out)?;
        found.append(&mut digests(&python_speed::build(site, &toolchain)?)?);
        built.push(found);
    }
    let [first, second] = built.as_slice() else { return Err("two builds were asked for".into()) };
    let differing = differing(first, second);
    if !differing.is_empty() {
        return Err(format!("built twice with different bytes: {}", differing.join(", ")));
    }
    for (name, digest) in first {
        println!("{digest}  {name}");
    }
    println!("{} files built twice, in two places: the same bytes", first.len());
    Ok(())
}

fn copy_sources(root: &Path, to: &Path) -> Outcome {
    make_folder(to)?;
    tracked(root, true)?.iter().try_for_each(|name| copy(&root.join(name), &to.join(name)))
}

fn digests(folder: &Path) -> Outcome<BTreeMap<String, String>> {
    let digest = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, sha256(&read(&path)?)))
    };
    entries(folder)?.into_iter().map(digest).collect()
}

fn differing(first: &BTreeMap<String, String>, second: &BTreeMap<String, String>) -> Vec<String> {
    let names = first.keys().chain(second.keys().filter(|name| !first.contains_key(*name)));
    names.filter(|name| first.get(*name) != second.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_differs_or_is_missing_is_named() {
        let built = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        let (first, second) =
            (built(&[("a", "1"), ("b", "2")]), built(&[("a", "1"), ("b", "3"), ("c", "4")]));
        assert_eq!(differing(&first, &second), ["b", "c"]);
    }
}
