//! A component with another default contract: nothing else of it changes, and the original stays as it is.
//!
//! Before it is there under its name it is asked in a worker what it is, like any other, and whether it fits what it carries.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use casparian_core::contract::canon;
use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use casparian_sandbox::section;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Serialize;

use crate::component::Component;
use crate::inspect::{InspectRequest, inspect};
use crate::report::{ContractOrigin, ContractReport};
use crate::terms;

/// The version of [`Embedding`]'s shape.
pub const EMBEDDING_SCHEMA: u32 = 1;

/// A component that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Embedding {
    /// [`EMBEDDING_SCHEMA`].
    pub schema: u32,
    /// As it was given.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Digest of its bytes.
    pub sha256: Digest,
    /// The contract that it carries.
    pub contract: ContractReport,
}

/// Looks at a component that was made, and says what is wrong with it.
pub type Check<'a> = &'a dyn Fn(&Path) -> Result<(), FaultReport>;

/// Returns a check that asks a component what it is and whether its tables fit its contract, as a run would find out.
/// `request` is for the component that is asked in its place.
pub fn fits(request: InspectRequest) -> impl Fn(&Path) -> Result<(), FaultReport> {
    move |made| {
        let inspection = inspect(&InspectRequest { component: made.to_owned(), ..request.clone() })?;
        let hint = |fault: &FaultReport| {
            let first = fault.hint.as_deref().map(|hint| format!("{hint}; ")).unwrap_or_default();
            format!("{first}--force embeds it all the same")
        };
        inspection.misfit.map_or(Ok(()), |fault| Err(FaultReport { hint: Some(hint(&fault)), ..fault }))
    }
}

/// Writes a component with this contract to `out`, which must not exist. Fails where the contract is faulty or `check` finds
/// fault with what was made: what a component carries has been read once.
pub fn embed(
    component: &Path,
    contract: &Path,
    out: &Path,
    check: Check<'_>,
) -> Result<Embedding, FaultReport> {
    let (text, contract) = terms::read_given(contract)?;
    let component = Component::open(component)?;
    if component.program().is_some() {
        return Err(has_program());
    }
    let made = section::with_contract(&component.read()?, &text).map_err(|fault| fault.report())?;
    publish(&made, out, check)?;
    let (id, version) = (contract.id.clone(), contract.version.clone());
    Ok(Embedding {
        schema: EMBEDDING_SCHEMA,
        path: out.to_string_lossy().into_owned(),
        bytes: made.len() as u64,
        sha256: Digest::of(&made),
        contract: ContractReport {
            id,
            version,
            hash: canon::hash(&contract),
            origin: ContractOrigin::Embedded,
        },
    })
}

/// A program has its contract among its files.
fn has_program() -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "component-has-program".to_owned(),
        message: "this component is a Python parser with its runtime".to_owned(),
        hint: Some(
            "put contract.odcs.yaml beside the parser's sources, and `host build --component` it again"
                .to_owned(),
        ),
        at: None,
    }
}

/// Writes beside the place first, so that whoever finds a component there finds all of it.
pub(crate) fn publish(bytes: &[u8], out: &Path, check: Check<'_>) -> Result<(), FaultReport> {
    let failed = |error: io::Error| unwritten(out, &error);
    let beside = beside(out).map_err(failed)?;
    let published = write_new(bytes, &beside).map_err(failed).and_then(|()| {
        check(&beside)?;
        let moved = renameat_with(CWD, &beside, CWD, out, RenameFlags::NOREPLACE);
        moved.map_err(|error| failed(error.into()))
    });
    if published.is_err() {
        // What is left of it is named after its process; to say that it is still there would hide why.
        let _ = fs::remove_file(&beside);
    }
    published
}

fn beside(out: &Path) -> io::Result<PathBuf> {
    let name = out.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    Ok(out.with_file_name(hidden))
}

fn write_new(bytes: &[u8], path: &Path) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn unwritten(out: &Path, error: &io::Error) -> FaultReport {
    let exists = error.kind() == io::ErrorKind::AlreadyExists;
    let hint = if exists {
        "choose another name: no component is replaced"
    } else {
        "choose a folder that you may write to"
    };
    FaultReport {
        blame: Blame::Operator,
        code: if exists { "output-exists" } else { "output-failed" }.to_owned(),
        message: format!("cannot write {}: {error}", GuestText::new(&out.to_string_lossy(), 4096)),
        hint: Some(hint.to_owned()),
        at: None,
    }
}

#[cfg(test)]
mod tests {
    use casparian_core::contract::odcs;

    use super::*;

    const CONTRACT: &str = include_str!("../../examples/contracts/fills.odcs.yaml");
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn desk() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        (folder, move |name: &str| path.join(name))
    }

    #[test]
    fn what_is_embedded_is_what_was_given_and_is_told_by_its_hash() {
        let (_folder, at) = desk();
        fs::write(at("p.wasm"), EMPTY).unwrap();
        fs::write(at("c.yaml"), CONTRACT).unwrap();
        let made = embed(&at("p.wasm"), &at("c.yaml"), &at("q.wasm"), &|_| Ok(())).unwrap();
        let bytes = fs::read(at("q.wasm")).unwrap();
        assert_eq!(section::contract(&bytes), Ok(Some(CONTRACT.as_bytes())));
        assert_eq!((made.bytes, made.sha256), (bytes.len() as u64, Digest::of(&bytes)));
        let contract = odcs::read(CONTRACT.as_bytes()).unwrap().contract;
        assert_eq!(made.contract.hash, canon::hash(&contract));
    }

    #[test]
    fn a_faulty_contract_is_not_embedded() {
        let (_folder, at) = desk();
        fs::write(at("p.wasm"), EMPTY).unwrap();
        fs::write(at("c.yaml"), "kind: DataContract\nversoin: 1").unwrap();
        let fault = embed(&at("p.wasm"), &at("c.yaml"), &at("q.wasm"), &|_| Ok(())).unwrap_err();
        assert_eq!(fault.blame, Blame::Operator);
        assert!(!at("q.wasm").exists());
    }

    #[test]
    fn what_a_check_refuses_is_not_there_and_leaves_nothing() {
        let (folder, at) = desk();
        fs::write(at("p.wasm"), EMPTY).unwrap();
        fs::write(at("c.yaml"), CONTRACT).unwrap();
        let refuse = |made: &Path| {
            assert_eq!(section::contract(&fs::read(made).unwrap()), Ok(Some(CONTRACT.as_bytes())));
            Err(unwritten(made, &io::Error::other("no")))
        };
        assert!(embed(&at("p.wasm"), &at("c.yaml"), &at("q.wasm"), &refuse).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_component_that_exists_is_not_replaced_and_nothing_is_left() {
        let (folder, at) = desk();
        fs::write(at("p.wasm"), EMPTY).unwrap();
        fs::write(at("c.yaml"), CONTRACT).unwrap();
        let fault = embed(&at("p.wasm"), &at("c.yaml"), &at("p.wasm"), &|_| Ok(())).unwrap_err();
        assert_eq!(fault.code, "output-exists");
        assert_eq!(fs::read(at("p.wasm")).unwrap(), EMPTY);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
