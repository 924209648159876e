//! The compiler that guests are built with: rustup's where it has the target, Debian's where rustup cannot get it.

use crate::Outcome;
use crate::command;
use crate::debian;
use crate::rustc::{TARGET, dependency_sources, fact, with_folders};
use crate::site::Site;
use crate::workspace;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Chooses by hand: `rustup` or `debian`. For those who test one on a machine that has both.
const CHOICE: &str = "CASPARIAN_TOOLCHAIN";

/// A compiler that has [`TARGET`], and the linker that makes components.
pub(crate) struct Toolchain {
    label: String,
    /// A compiler other than the one cargo would take.
    foreign: Option<debian::Compiler>,
    /// Folders with `wasm-component-ld` and `wasm-ld`: they come with rustup's toolchain of this machine, whichever
    /// compiler is used.
    linkers: [PathBuf; 2],
    /// Where the compiler may find sources of std, and the name under which it would otherwise know them.
    std_sources: (PathBuf, String),
}

impl Toolchain {
    /// Finds a toolchain, or makes one: the network is used only where nothing on this machine will do.
    pub(crate) fn find_or_make(root: &Path) -> Outcome<Toolchain> {
        let choice = env::var(CHOICE).unwrap_or_default();
        match choice.as_str() {
            "rustup" if rustup_has_target(root)? || rustup_adds_target(root) => Toolchain::rustup(root),
            "rustup" => Err(format!("{CHOICE}=rustup, but rustup cannot add {TARGET}")),
            "debian" => Toolchain::debian(root),
            "" if rustup_has_target(root)? => Toolchain::rustup(root),
            "" if debian::installed()?.is_some() => Toolchain::debian(root),
            "" if rustup_adds_target(root) => Toolchain::rustup(root),
            "" => Toolchain::debian(root),
            other => Err(format!("{CHOICE}={other}: must be `rustup` or `debian`")),
        }
    }

    /// What the toolchain is, in one line.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Makes a cargo command build with this toolchain, so that no path of this machine reaches the component: `places`
    /// are the folders to be renamed, the later going first where one stands inside another.
    pub(crate) fn apply(&self, cargo: &mut Command, places: &[(&Path, &str)]) -> Outcome {
        let mut renamed = dependency_sources()?;
        renamed.push(self.std_sources.clone());
        renamed.extend(places.iter().map(|(place, name)| (place.to_path_buf(), (*name).to_owned())));
        let flags = renamed
            .iter()
            .map(|(place, name)| toml_text(&format!("--remap-path-prefix={}={name}", place.display())));
        // On the command line, because cargo adds these to the flags of `.cargo/config.toml`; RUSTFLAGS would replace them.
        let flags = flags.collect::<Outcome<Vec<_>>>()?.join(",");
        cargo.arg("--config").arg(format!("target.{TARGET}.rustflags=[{flags}]"));
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_TARGET_DIR");
        // Some hash tables (ahash) draw a seed at build time.
        cargo.env("CONST_RANDOM_SEED", "casparian");
        cargo.env("PATH", with_folders(&self.linkers, "PATH")?);
        if let Some(compiler) = &self.foreign {
            compiler.apply(cargo)?;
        }
        Ok(())
    }

    fn rustup(root: &Path) -> Outcome<Toolchain> {
        Toolchain::new(root, None)
    }

    fn debian(root: &Path) -> Outcome<Toolchain> {
        let compiler = match debian::installed()? {
            Some(compiler) => compiler,
            None => {
                // Cargo compares what a compiler says of itself, and would miss that its std is another one.
                workspace::remove_folder(&Site::of(root).build)?;
                debian::install()
                    .map_err(|why| format!("{why}\n  hint: guests need `rustup target add {TARGET}`"))?
            }
        };
        Toolchain::new(root, Some(compiler))
    }

    fn new(root: &Path, foreign: Option<debian::Compiler>) -> Outcome<Toolchain> {
        let sysroot = PathBuf::from(ask(&mut rustc(root), &["--print", "sysroot"])?.trim());
        let host = fact(&ask(&mut rustc(root), &["-vV"])?, "host")?;
        let tools = sysroot.join("lib/rustlib").join(host).join("bin");
        let linker = tools.join(format!("wasm-component-ld{}", env::consts::EXE_SUFFIX));
        if !linker.is_file() {
            return Err(format!("{}: not there; a stable toolchain of rustup has it", linker.display()));
        }
        let (version, sources, origin) = match &foreign {
            Some(compiler) => (compiler.version()?, compiler.std_sources(), "Debian"),
            None => (ask(&mut rustc(root), &["-vV"])?, sysroot.join("lib/rustlib/src/rust"), "rustup"),
        };
        let label = format!("rustc {} ({origin}), {TARGET}", fact(&version, "release")?);
        let std_sources = (sources, format!("/rustc/{}", fact(&version, "commit-hash")?));
        Ok(Toolchain { label, foreign, linkers: [tools.join("gcc-ld"), tools], std_sources })
    }
}

/// Whether the compiler that cargo takes in this checkout has the target's std.
fn rustup_has_target(root: &Path) -> Outcome<bool> {
    let folder = ask(&mut rustc(root), &["--print", "target-libdir", "--target", TARGET])?;
    let files = workspace::entries(Path::new(folder.trim()))?;
    let is_std =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libstd-"));
    Ok(files.iter().any(is_std))
}

fn rustup_adds_target(root: &Path) -> bool {
    let added = command::run(Command::new("rustup").current_dir(root).args(["target", "add", TARGET]));
    if let Err(why) = &added {
        eprintln!("guests: {why}; Debian's compiler will do");
    }
    added.is_ok()
}

fn rustc(root: &Path) -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(root);
    rustc
}

fn ask(rustc: &mut Command, question: &[&str]) -> Outcome<String> {
    command::capture(rustc.args(question))
}

/// Quotes text for TOML; a literal string, so that a path needs no escapes.
fn toml_text(text: &str) -> Outcome<String> {
    if text.contains(['\'', '\n']) {
        Err(format!("{text}: a quote in a path of the build is not supported"))
    } else {
        Ok(format!("'{text}'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_quote_is_refused_rather_than_misread() {
        assert_eq!(toml_text("a b").as_deref(), Ok("'a b'"));
        assert!(toml_text("it's").is_err());
    }
}
