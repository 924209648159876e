//! A compiler for guests out of Debian's packages, for machines where rustup cannot add a target (air-gapped mirrors).
//!
//! Nothing is installed and no root is needed: the packages are unpacked into a folder of the user's cache, std is built
//! for the target once, and from then on the folder is an ordinary compiler. It is made under a temporary name and
//! renamed when it is whole, so that a half-made one is never taken for a compiler.

use crate::Outcome;
use crate::command::{capture, cargo, run};
use crate::rustc::{TARGET, dependency_sources, fact, with_folders};
use crate::workspace::{self, copy, entries, make_folder, remove_folder};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest rustc-web that will do. Older ones are what a stale package index still offers.
const OLDEST: (u32, u32) = (1, 96);

/// Part of the folder's name: a compiler made by an older recipe is not found, and made again.
const RECIPE: &str = "recipe1";

/// An unpacked compiler, whole.
pub(crate) struct Compiler {
    home: PathBuf,
}

impl Compiler {
    /// Makes a command (cargo, or the compiler itself) use this compiler.
    pub(crate) fn apply(&self, command: &mut Command) -> Outcome {
        command.env("RUSTC", self.rustc());
        command.env("LD_LIBRARY_PATH", with_folders(&self.libraries()?, "LD_LIBRARY_PATH")?);
        Ok(())
    }

    /// What `rustc -vV` says.
    pub(crate) fn version(&self) -> Outcome<String> {
        let mut rustc = Command::new(self.rustc());
        self.apply(&mut rustc)?;
        capture(rustc.arg("-vV"))
    }

    /// Where this compiler looks for the sources of std.
    pub(crate) fn std_sources(&self) -> PathBuf {
        self.home.join("usr/lib/rustlib/src/rust")
    }

    fn rustc(&self) -> PathBuf {
        self.home.join("usr/bin/rustc")
    }

    /// The folders named after the machine (`usr/lib/x86_64-linux-gnu`) in which its shared libraries stand.
    fn libraries(&self) -> Outcome<Vec<PathBuf>> {
        let mut folders = entries(&self.home.join("usr/lib"))?;
        folders.extend(entries(&self.home.join("lib"))?);
        folders.retain(|folder| folder.to_string_lossy().contains("-linux-"));
        Ok(folders)
    }

    /// The shared libraries that the compiler needs and that neither it nor the machine has.
    fn missing_libraries(&self) -> Outcome<Vec<String>> {
        let mut ldd = Command::new("ldd");
        self.apply(&mut ldd)?;
        let told = capture(ldd.arg(self.rustc()))?;
        let missing = told.lines().filter(|line| line.contains("not found"));
        Ok(missing.map(|line| line.trim().to_owned()).collect())
    }
}

/// The newest compiler made earlier, if there is one.
pub(crate) fn installed() -> Outcome<Option<Compiler>> {
    let mut folders = entries(&cache()?)?.into_iter();
    let newest = folders.rfind(|folder| is_whole(&folder.file_name().unwrap_or_default().to_string_lossy()));
    Ok(newest.map(|home| Compiler { home }))
}

fn is_whole(folder: &str) -> bool {
    folder.starts_with("debian-") && folder.ends_with(RECIPE)
}

/// Downloads and makes a compiler; takes a minute or two.
pub(crate) fn install() -> Outcome<Compiler> {
    let cache = cache()?;
    sweep(&cache)?;
    let making = cache.join(format!("{MAKING}{}", std::process::id()));
    let apt = Apt::new(&making)?;
    let version = apt.newest("rustc-web")?;
    let half_made = Compiler { home: making.join("compiler") };
    let packages = packages(&apt, &version)?;
    unpack(&apt, &packages, &half_made.home)?;
    supply_libraries(&apt, &packages, &half_made)?;
    build_std(&half_made, &making.join("std"))?;
    let whole = Compiler { home: cache.join(format!("debian-{version}-{RECIPE}")) };
    if !whole.home.exists() {
        workspace::rename(&half_made.home, &whole.home)?;
    }
    remove_folder(&making)?;
    eprintln!("guests: made {}", whole.home.display());
    Ok(whole)
}

/// Followed by the maker's process id.
const MAKING: &str = "making-";

fn cache() -> Outcome<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(cache) => cache,
        None => env::home_dir().ok_or("neither XDG_CACHE_HOME nor a home folder is known")?.join(".cache"),
    };
    Ok(base.join("casparian/toolchain"))
}

/// Removes what earlier attempts left behind whose process is gone.
fn sweep(cache: &Path) -> Outcome {
    for folder in entries(cache)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let maker = name.strip_prefix(MAKING);
        if maker.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            remove_folder(&folder)?;
        }
    }
    Ok(())
}

/// Names the packages of one version. That of LLVM is asked for, for it is numbered by itself.
fn packages(apt: &Apt, version: &str) -> Outcome<Vec<String>> {
    let (major, minor) =
        release(version).ok_or_else(|| format!("Debian's rustc-web has an odd version: {version}"))?;
    if (major, minor) < OLDEST {
        let (oldest_major, oldest_minor) = OLDEST;
        return Err(format!(
            "Debian offers rustc-web {version}, but guests need {oldest_major}.{oldest_minor} or newer; \
             does this machine see the security archive?"
        ));
    }
    let std = format!("libstd-rust-web-{major}.{minor}");
    let llvm = apt.needs(&std)?.into_iter().find(|name| name.starts_with("libllvm"));
    let llvm = llvm.ok_or_else(|| format!("{std} {version} names no libllvm"))?;
    Ok(vec!["rustc-web".into(), "libstd-rust-web-dev".into(), "rust-web-src".into(), std, llvm])
}

fn release(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn unpack(apt: &Apt, packages: &[String], into: &Path) -> Outcome {
    make_folder(into)?;
    for archive in apt.download(packages)? {
        run(Command::new("dpkg").arg("-x").arg(&archive).arg(into))?;
    }
    Ok(())
}

/// Unpacks the libraries that LLVM needs and a bare machine lacks (libz3, libxml2, …), and makes sure of the result.
fn supply_libraries(apt: &Apt, packages: &[String], compiler: &Compiler) -> Outcome {
    if compiler.missing_libraries()?.is_empty() {
        return Ok(());
    }
    let mut needed = Vec::new();
    for llvm in packages.iter().filter(|name| name.starts_with("libllvm")) {
        needed.extend(apt.needs_all(llvm)?);
    }
    unpack(apt, &needed, &compiler.home)?;
    let missing = compiler.missing_libraries()?;
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("{}: {}", compiler.rustc().display(), missing.join("; ")))
    }
}

/// Builds std for the target and puts it where the compiler looks for it.
///
/// std of a version is only ever built by the compiler of that version: others do not compile it.
fn build_std(compiler: &Compiler, work: &Path) -> Outcome {
    workspace::write(&work.join("Cargo.toml"), NOTHING.as_bytes())?;
    workspace::write(&work.join("src/lib.rs"), b"#![no_std]\n")?;
    let name = format!("/rustc/{}", fact(&compiler.version()?, "commit-hash")?);
    let mut places = dependency_sources()?;
    places.extend([(compiler.std_sources(), name), (work.into(), "/build".into())]);
    // Bitcode, or guests could not be linked with fat LTO.
    let mut flags = vec!["-Cembed-bitcode=yes".to_owned()];
    flags
        .extend(places.iter().map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display())));
    let mut build = cargo();
    build.current_dir(work).args(["build", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET]);
    build.arg("--target-dir").arg(work.join("target"));
    build
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("RUSTC_BOOTSTRAP", "1");
    compiler.apply(&mut build)?;
    run(&mut build)?;
    place_std(compiler, &work.join("target").join(TARGET).join("release/deps"))
}

const NOTHING: &str =
    "[package]\nname = \"nothing\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";

fn place_std(compiler: &Compiler, built: &Path) -> Outcome {
    let place = compiler.home.join("usr/lib/rustlib").join(TARGET).join("lib");
    for file in entries(built)? {
        let name = file.file_name().unwrap_or_default();
        let shown = name.to_string_lossy();
        if shown.ends_with(".rlib") && !shown.starts_with("libnothing-") {
            copy(&file, &place.join(name))?;
        }
    }
    // Half of the folder's size, and of no use from here on.
    remove_folder(&compiler.home.join("usr/src"))
}

/// apt with a memory of its own: a fresh index without root, and the machine's left as it was.
struct Apt {
    lists: PathBuf,
    cache: PathBuf,
    archives: PathBuf,
}

impl Apt {
    fn new(work: &Path) -> Outcome<Apt> {
        let apt =
            Apt { lists: work.join("lists"), cache: work.join("cache"), archives: work.join("archives") };
        make_folder(&apt.lists.join("partial"))?;
        make_folder(&apt.cache.join("archives/partial"))?;
        make_folder(&apt.archives)?;
        // One broken source among several is no reason to stop: what was fetched decides, by the versions it offers.
        if let Err(why) = run(apt.command("apt-get").args(["-qq", "update"])) {
            eprintln!("guests: {why}");
        }
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-o").arg(format!("Dir::State::Lists={}", self.lists.display()));
        command.arg("-o").arg(format!("Dir::Cache={}", self.cache.display()));
        // As root, apt would download as a user that may not enter our cache.
        command.args(["-o", "APT::Sandbox::User=root"]);
        command.env("LC_ALL", "C");
        command
    }

    fn newest(&self, package: &str) -> Outcome<String> {
        let told = capture(self.command("apt-cache").args(["policy", package]))?;
        let mut candidates = told.lines().filter_map(|line| line.trim().strip_prefix("Candidate: "));
        let found = candidates.find(|version| *version != "(none)");
        found
            .map(str::to_owned)
            .ok_or_else(|| format!("Debian offers no {package}, so this machine cannot build guests"))
    }

    fn needs(&self, package: &str) -> Outcome<Vec<String>> {
        let told = capture(self.command("apt-cache").args(["depends", "--important", package]))?;
        let names = told.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        Ok(names.map(str::to_owned).collect())
    }

    /// What a package needs, directly or not, and the machine has not installed.
    fn needs_all(&self, package: &str) -> Outcome<Vec<String>> {
        let told = capture(self.command("apt-cache").args(["depends", "--important", "--recurse", package]))?;
        let real = |line: &&str| !line.starts_with([' ', '<', '|']) && *line != package && !line.is_empty();
        let missing = told.lines().filter(real).filter(|name| !is_installed(name));
        Ok(missing.map(str::to_owned).collect())
    }

    fn download(&self, packages: &[String]) -> Outcome<Vec<PathBuf>> {
        let folder = self.archives.join(entries(&self.archives)?.len().to_string());
        make_folder(&folder)?;
        run(self.command("apt-get").current_dir(&folder).args(["-q", "download"]).args(packages))?;
        entries(&folder)
    }
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    let status =
        query.args(["-W", "-f", "${db:Status-Status}", package]).stderr(std::process::Stdio::null()).output();
    status.is_ok_and(|told| told.stdout == b"installed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debian_version_names_its_release() {
        assert_eq!(release("1.96.0+dfsg1-1~deb12u2"), Some((1, 96)));
        assert_eq!(release("unknown"), None);
    }

    #[test]
    fn a_compiler_being_made_is_not_taken_for_a_whole_one() {
        assert!(is_whole(&format!("debian-1.96.0+dfsg1-1~deb12u2-{RECIPE}")));
        assert!(!is_whole(&format!("{MAKING}4711")));
        assert!(!is_whole("debian-1.96.0+dfsg1-1~deb12u2-recipe0"));
    }
}
