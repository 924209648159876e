//! Where things stand in the checkout, and the few file operations that chores need, with errors that name the file.

use crate::Outcome;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Goes to the top of the checkout, so that commands can be shown as one would type them there, and returns where that is.
pub(crate) fn enter() -> Outcome<PathBuf> {
    let root = root()?;
    env::set_current_dir(&root).map_err(|why| format!("{}: {why}", root.display()))?;
    Ok(root)
}

/// The checkout this binary was built from.
pub(crate) fn root() -> Outcome<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().ok_or("xtask stands in no workspace")?;
    root.canonicalize().map_err(|why| format!("{}: {why}", root.display()))
}

/// Where cargo puts what it builds for this machine: `CARGO_TARGET_DIR`, or `target`.
pub(crate) fn host_target(root: &Path) -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root.join(folder),
        None => root.join("target"),
    }
}

/// The release build of the command line.
pub(crate) fn host_binary(root: &Path) -> PathBuf {
    host_target(root).join("release").join(format!("host{}", env::consts::EXE_SUFFIX))
}

/// The path as one would type it in the checkout.
pub(crate) fn from_root<'a>(root: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

/// The files that git tracks, and with `new` also those it would on `git add`; those deleted since are left out.
pub(crate) fn tracked(root: &Path, new: bool) -> Outcome<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached"]);
    if new {
        git.args(["--others", "--exclude-standard"]);
    }
    let names = crate::command::capture(&mut git)?;
    let present = names.split('\0').filter(|name| !name.is_empty() && root.join(name).is_file());
    Ok(present.map(PathBuf::from).collect())
}

/// The entries of a folder, sorted; none where there is no such folder.
pub(crate) fn entries(folder: &Path) -> Outcome<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let named = |why| format!("{}: {why}", folder.display());
    let entries = fs::read_dir(folder).map_err(named)?;
    let mut paths = entries.map(|entry| Ok(entry.map_err(named)?.path())).collect::<Outcome<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

pub(crate) fn read(path: &Path) -> Outcome<Vec<u8>> {
    fs::read(path).map_err(|why| format!("{}: {why}", path.display()))
}

pub(crate) fn read_text(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))
}

pub(crate) fn make_folder(path: &Path) -> Outcome {
    fs::create_dir_all(path).map_err(|why| format!("{}: {why}", path.display()))
}

pub(crate) fn remove_folder(path: &Path) -> Outcome {
    match fs::remove_dir_all(path) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {why}", path.display())),
        _ => Ok(()),
    }
}

/// Writes a file under a temporary name and renames it: a reader sees the old file or the new one, never half of one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Outcome {
    let folder = path.parent().ok_or_else(|| format!("{}: stands in no folder", path.display()))?;
    make_folder(folder)?;
    let half = path.with_extension(format!("half-{}", std::process::id()));
    fs::write(&half, bytes).map_err(|why| format!("{}: {why}", half.display()))?;
    rename(&half, path)
}

pub(crate) fn rename(from: &Path, to: &Path) -> Outcome {
    fs::rename(from, to).map_err(|why| format!("{} -> {}: {why}", from.display(), to.display()))
}

pub(crate) fn copy(from: &Path, to: &Path) -> Outcome {
    if let Some(folder) = to.parent() {
        make_folder(folder)?;
    }
    fs::copy(from, to).map(drop).map_err(|why| format!("{} -> {}: {why}", from.display(), to.display()))
}
