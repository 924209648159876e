//! A look at a component before anything of it is compiled: is it one, of our world, does it import only what is on the
//! list, and can it be compiled at a price that a parser is worth? Linear in the bytes, and without wasmtime.

mod cost;

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use thiserror::Error;
use wasmparser::{Encoding, Parser, Payload};

pub use cost::TooDear;

/// Most bytes of a component.
pub const COMPONENT_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The package that host and guests share, with its version: `casparian:parser@0.2.0`.
pub const PACKAGE: &str = "casparian:parser";
/// The version of [`PACKAGE`] that this host speaks.
pub const PACKAGE_VERSION: &str = "0.2.0";

/// Our interfaces that a parser may import.
const OURS: [&str; 4] = ["types", "input", "output", "log"];

/// What a language runtime imports on top of that, and nobody else.
const OF_RUNTIMES: &str = "program";

/// WASI 0.2 interfaces that a component built elsewhere may import. All of them are empty here.
const WASI: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Lists everything that may be imported.
pub(crate) fn allowed() -> impl Iterator<Item = &'static str> {
    [PACKAGE, PACKAGE_VERSION, OF_RUNTIMES].into_iter().chain(OURS).chain(WASI)
}

/// A component that imports only what is on the list and exports what a parser must.
#[derive(Debug)]
pub struct Checked<'a> {
    bytes: &'a [u8],
    imports: Vec<String>,
    exports: Vec<String>,
}

impl<'a> Checked<'a> {
    /// Returns the component.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the names of its imports.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Returns the names of its exports.
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// Whether it needs the empty WASI.
    pub fn needs_wasi(&self) -> bool {
        self.imports.iter().any(|name| name.starts_with("wasi:"))
    }
}

/// A component is refused before it is compiled.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum PrecheckFault {
    /// It is larger than any parser.
    #[error("component bytes: limit {limit}, has {bytes}")]
    TooLarge {
        /// [`COMPONENT_BYTES_MAX`].
        limit: u64,
        /// Its size.
        bytes: u64,
    },
    /// Something else than a component.
    #[error("this is {what}, not a WebAssembly component")]
    NotAComponent {
        /// What it is.
        what: &'static str,
    },
    /// The binary is broken.
    #[error("invalid component at byte {offset}: {why}")]
    Invalid {
        /// Where.
        offset: u64,
        /// Why.
        why: GuestText,
    },
    /// It wants something that no parser gets.
    #[error("import denied: {name}")]
    ImportDenied {
        /// What it wants.
        name: GuestText,
    },
    /// It was built against another version of the interface.
    #[error("built for {found}, this host speaks {PACKAGE}@{PACKAGE_VERSION}")]
    WrongVersion {
        /// What it was built for.
        found: GuestText,
    },
    /// Compiling it would cost too much.
    #[error("too dear to compile: {0}")]
    TooDear(#[from] TooDear),
    /// It is a language runtime, and there is no program for it.
    #[error("this is a language runtime, and no parser without a program")]
    NoProgram,
    /// It is no parser.
    #[error("it exports no {PACKAGE}/format@{PACKAGE_VERSION}")]
    NotAParser,
}

impl Blamed for PrecheckFault {
    fn blame(&self) -> Blame {
        match self {
            PrecheckFault::NotAComponent { .. } | PrecheckFault::NoProgram => Blame::Operator,
            _ => Blame::Guest,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            PrecheckFault::TooLarge { .. } => "component-too-large",
            PrecheckFault::NotAComponent { .. } => "not-a-component",
            PrecheckFault::Invalid { .. } => "invalid-component",
            PrecheckFault::ImportDenied { .. } => "import-denied",
            PrecheckFault::TooDear(fault) => fault.code(),
            PrecheckFault::NoProgram => "no-program",
            PrecheckFault::WrongVersion { .. } | PrecheckFault::NotAParser => "world-mismatch",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            PrecheckFault::ImportDenied { .. } => {
                Some("a parser gets its input and its output, never files, network or clocks".to_owned())
            }
            PrecheckFault::NoProgram => Some("`host run parser.py INPUT` hands it one".to_owned()),
            PrecheckFault::WrongVersion { .. } => Some("rebuild it with this version's SDK".to_owned()),
            PrecheckFault::NotAComponent { .. } => Some("`cargo xtask guests` builds components".to_owned()),
            _ => None,
        }
    }
}

/// Checks a parser's kind, imports and exports.
pub fn check(bytes: &[u8]) -> Result<Checked<'_>, PrecheckFault> {
    check_with(bytes, None, cost::BODY_BYTES_MAX)
}

/// Checks a language runtime, which becomes a parser by the program that it is handed.
pub fn check_runtime(bytes: &[u8]) -> Result<Checked<'_>, PrecheckFault> {
    check_with(bytes, Some(OF_RUNTIMES), cost::RUNTIME_BODY_BYTES_MAX)
}

fn check_with<'a>(
    bytes: &'a [u8],
    more: Option<&str>,
    body_bytes_max: u64,
) -> Result<Checked<'a>, PrecheckFault> {
    if bytes.len() as u64 > COMPONENT_BYTES_MAX {
        return Err(PrecheckFault::TooLarge { limit: COMPONENT_BYTES_MAX, bytes: bytes.len() as u64 });
    }
    if !bytes.starts_with(b"\0asm") {
        let what = if bytes.starts_with(b"\x7fELF") { "compiled code" } else { "some other file" };
        return Err(PrecheckFault::NotAComponent { what });
    }
    let (imports, exports) = names(bytes)?;
    imports.iter().try_for_each(|name| check_import(name, more))?;
    check_exports(&exports)?;
    cost::check(bytes, body_bytes_max).map_err(|refused| match refused {
        cost::Refused::Invalid(error) => invalid(error),
        cost::Refused::TooDear(fault) => fault.into(),
    })?;
    Ok(Checked { bytes, imports, exports })
}

/// Reads the names of the outermost component's imports and exports.
fn names(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), PrecheckFault> {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(PrecheckFault::NotAComponent { what: "a core module" });
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.push(import.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    exports.push(export.map_err(invalid)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

fn invalid(error: wasmparser::BinaryReaderError) -> PrecheckFault {
    PrecheckFault::Invalid { offset: error.offset() as u64, why: GuestText::new(error.message(), 256) }
}

fn check_import(name: &str, more: Option<&str>) -> Result<(), PrecheckFault> {
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    if let Some(interface) = path.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/')) {
        if version != PACKAGE_VERSION {
            return Err(PrecheckFault::WrongVersion { found: GuestText::new(name, 128) });
        }
        if OURS.contains(&interface) || more == Some(interface) {
            return Ok(());
        }
        if interface == OF_RUNTIMES {
            return Err(PrecheckFault::NoProgram);
        }
    }
    if WASI.contains(&path) && version.starts_with("0.2.") {
        return Ok(());
    }
    Err(PrecheckFault::ImportDenied { name: GuestText::new(name, 128) })
}

fn check_exports(exports: &[String]) -> Result<(), PrecheckFault> {
    let format = format!("{PACKAGE}/format@");
    match exports.iter().find(|name| name.starts_with(&format)) {
        Some(name) if name.ends_with(&format!("@{PACKAGE_VERSION}")) => Ok(()),
        Some(name) => Err(PrecheckFault::WrongVersion { found: GuestText::new(name, 128) }),
        None => Err(PrecheckFault::NotAParser),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(wat: &str) -> String {
        check(&wat::parse_str(wat).expect("the test's wat is valid")).expect_err("it is refused").to_string()
    }

    #[test]
    fn a_socket_is_denied_by_name() {
        let wat = r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#;
        assert_eq!(refused(wat), "import denied: wasi:sockets/tcp@0.2.0");
    }

    #[test]
    fn a_program_is_handed_to_a_language_runtime_and_to_nobody_else() {
        let wat = format!(r#"(component (import "{PACKAGE}/program@{PACKAGE_VERSION}" (instance)))"#);
        let bytes = wat::parse_str(wat).expect("the test's wat is valid");
        assert_eq!(check(&bytes).map(drop), Err(PrecheckFault::NoProgram));
        assert_eq!(check_runtime(&bytes).map(drop), Err(PrecheckFault::NotAParser));
    }

    #[test]
    fn an_unknown_interface_is_denied_by_name() {
        assert_eq!(refused(r#"(component (import "evil:x/y" (instance)))"#), "import denied: evil:x/y");
    }

    #[test]
    fn another_version_of_the_interface_is_named() {
        let wat = r#"(component (import "casparian:parser/input@0.9.0" (instance)))"#;
        let said = refused(wat);
        assert!(said.starts_with("built for casparian:parser/input@0.9.0"), "{said}");
    }

    #[test]
    fn a_component_that_exports_no_parser_is_none() {
        assert_eq!(refused("(component)"), "it exports no casparian:parser/format@0.2.0");
    }

    #[test]
    fn what_is_no_component_is_said_to_be_what_it_is() {
        assert_eq!(refused("(module)"), "this is a core module, not a WebAssembly component");
        let elf = check(b"\x7fELF\x02").expect_err("compiled code is refused");
        assert_eq!(elf, PrecheckFault::NotAComponent { what: "compiled code" });
        assert!(check(b"8=FIX").is_err());
    }

    #[test]
    fn a_nested_component_cannot_stand_in_for_the_outer_one() {
        let wat = r#"(component (component (import "wasi:sockets/tcp@0.2.0" (instance))))"#;
        // Only the outer one's imports are the host's to satisfy.
        assert_eq!(refused(wat), "it exports no casparian:parser/format@0.2.0");
    }

    #[test]
    fn a_truncated_component_is_invalid_and_says_where() {
        let whole = wat::parse_str(r#"(component (import "evil:x/y" (instance)))"#).expect("valid wat");
        for end in 8..whole.len() {
            check(&whole[..end]).expect_err("no prefix of it is a parser");
        }
    }
}
