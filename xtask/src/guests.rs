//! `guests`: every parser of the repository, built as a component into `target/guests/<name>.wasm`, with the contract that
//! stands in its folder.
//!
//! The bytes depend on the sources and the compiler only: not on where the checkout stands, who builds it, or what was
//! built before. `cargo xtask check --reproducible` holds this.

use crate::Outcome;
use crate::command;
use crate::contract_section;
use crate::python_runtime;
use crate::rustc::TARGET;
use crate::site::Site;
use crate::toolchain::Toolchain;
use crate::workspace;
use std::path::{Path, PathBuf};

/// Folders whose subfolders are guests, and single guests. `tests/evil` holds the hostile ones.
const ROOMS: [&str; 2] = ["guests", "tests/evil"];
const SINGLES: [&str; 1] = ["examples/hello_parser"];

struct Guest {
    name: String,
    manifest: PathBuf,
}

impl Guest {
    fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new(""))
    }
}

/// Builds the named guests, or all of them, and says one line about each.
pub(crate) fn build(root: &Path, names: &[String]) -> Outcome {
    let (runtime, compiled): (Vec<String>, Vec<String>) =
        names.iter().cloned().partition(|name| name == python_runtime::NAME);
    if names.is_empty() || !compiled.is_empty() {
        let toolchain = Toolchain::find_or_make(root)?;
        build_at(&Site::of(root), &toolchain, &compiled)?;
    }
    if names.is_empty() || !runtime.is_empty() { python_runtime::build(root) } else { Ok(()) }
}

/// Builds guests at a given site.
pub(crate) fn build_at(site: &Site, toolchain: &Toolchain, names: &[String]) -> Outcome {
    eprintln!("guests: {}", toolchain.label());
    for guest in selected(&site.source, names)? {
        let mut component = compile(site, toolchain, &guest)?;
        contract_section::embed(guest.folder(), &mut component)?;
        let path = site.out.join(format!("{}.wasm", guest.name));
        let changed = publish(&component, &path)?;
        let news = if changed { "built" } else { "unchanged" };
        let shown = workspace::from_root(&site.source, &path).display();
        println!("{:<24} {:>9} bytes  {news:<9}  {shown}", guest.name, component.len());
    }
    Ok(())
}

fn selected(source: &Path, names: &[String]) -> Outcome<Vec<Guest>> {
    let mut guests = all(source)?;
    if let Some(unknown) = names.iter().find(|name| guests.iter().all(|guest| guest.name != **name)) {
        let known = guests.iter().map(|guest| guest.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(format!("no guest is called `{unknown}`; there are: {known}"));
    }
    if !names.is_empty() {
        guests.retain(|guest| names.contains(&guest.name));
    }
    Ok(guests)
}

fn all(source: &Path) -> Outcome<Vec<Guest>> {
    let mut folders = Vec::new();
    for room in ROOMS {
        folders.extend(workspace::entries(&source.join(room))?);
    }
    folders.extend(SINGLES.map(|single| source.join(single)));
    let manifests =
        folders.into_iter().map(|folder| folder.join("Cargo.toml")).filter(|manifest| manifest.is_file());
    manifests
        .map(|manifest| {
            Ok(Guest { name: package_name(&workspace::read_text(&manifest)?, &manifest)?, manifest })
        })
        .collect()
}

/// Finds the package's name in a manifest that is written the ordinary way, `name = "…"` on a line of its own.
fn package_name(manifest: &str, path: &Path) -> Outcome<String> {
    let package = manifest.lines().skip_while(|line| line.trim() != "[package]").skip(1);
    let mut keys = package.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
    let name = keys
        .find(|(key, _)| key.trim() == "name")
        .map(|(_, value)| value.trim().trim_matches('"').to_owned());
    name.ok_or_else(|| format!("{}: has no package name", path.display()))
}

/// Compiles one guest and returns the component.
///
/// `cargo rustc` and not `cargo build`: guests are `rlib`s too, for their native tests, and cargo links with fat LTO only
/// where every crate type of the package can be linked so.
fn compile(site: &Site, toolchain: &Toolchain, guest: &Guest) -> Outcome<Vec<u8>> {
    let mut cargo = command::cargo();
    cargo.current_dir(&site.source).args([
        "rustc",
        "--quiet",
        "--lib",
        "--crate-type=cdylib",
        "--profile=guest",
    ]);
    cargo.arg("--target").arg(TARGET).arg("--target-dir").arg(&site.build);
    cargo.arg("--manifest-path").arg(workspace::from_root(&site.source, &guest.manifest));
    toolchain.apply(&mut cargo, &[(&site.source, "/casparian"), (&site.build, "/build")])?;
    command::run_unseen(&mut cargo).map_err(|_| does_not_build(guest))?;
    let file = format!("{}.wasm", guest.name.replace('-', "_"));
    workspace::read(&site.build.join(TARGET).join("guest").join(file))
}

/// The command itself says nothing to a reader: it is mostly paths. Cargo has already said what is wrong.
fn does_not_build(guest: &Guest) -> String {
    let Guest { name, manifest } = guest;
    format!("guest `{name}` does not build\n  hint: `cargo clippy --manifest-path {}`", manifest.display())
}

/// Puts a component in its place, and says whether it differs from the one that stood there.
fn publish(component: &[u8], path: &Path) -> Outcome<bool> {
    if path.is_file() && workspace::read(path)? == component {
        return Ok(false);
    }
    workspace::write(path, component)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_package_is_found_among_other_names() {
        let manifest =
            "[workspace]\n[package]\nedition = \"2024\"\nname = \"fix\"\n[[bin]]\nname = \"other\"\n";
        assert_eq!(package_name(manifest, Path::new("Cargo.toml")).as_deref(), Ok("fix"));
    }

    #[test]
    fn a_manifest_without_a_package_is_refused_by_its_path() {
        let failure =
            package_name("[workspace]\nname = \"no\"\n", Path::new("a/Cargo.toml")).expect_err("no package");
        assert_eq!(failure, "a/Cargo.toml: has no package name");
    }

    #[test]
    fn an_unknown_guest_is_refused_with_the_known_ones() {
        let root = workspace::root().expect("a checkout");
        let failure = selected(&root, &["nobody".to_owned()]).err().expect("no such guest");
        assert!(failure.contains("`nobody`") && failure.contains("hello_parser"), "{failure}");
    }
}
