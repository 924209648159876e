//! The default contract of a guest: the `contract.odcs.yaml` of its folder, put behind everything else in its component.
//!
//! The host reads the section, and `host contract embed` writes it too; but to name the host's crates here would build
//! wasmtime before the first guest.

use crate::Outcome;
use crate::workspace;
use std::path::Path;

/// What the file is called in a guest's folder.
const FILE: &str = "contract.odcs.yaml";
/// What the section is called. It is a custom section, of id 0.
const NAME: &str = "casparian:contract";
/// What the host takes.
const BYTES_MAX: usize = 1024 * 1024;

/// Adds the contract of the guest in `folder` to its component, where it has one.
pub(crate) fn embed(folder: &Path, component: &mut Vec<u8>) -> Outcome {
    let path = folder.join(FILE);
    if !path.is_file() {
        return Ok(());
    }
    let contract = workspace::read(&path)?;
    if contract.len() > BYTES_MAX {
        let (path, bytes) = (path.display(), contract.len());
        return Err(format!("{path}: has {bytes} bytes, a contract at most {BYTES_MAX}"));
    }
    append(component, &contract);
    Ok(())
}

fn append(component: &mut Vec<u8>, contract: &[u8]) {
    component.push(0);
    append_leb(component, 1 + NAME.len() + contract.len());
    append_leb(component, NAME.len());
    component.extend_from_slice(NAME.as_bytes());
    component.extend_from_slice(contract);
}

/// Appends a number as unsigned LEB128.
fn append_leb(into: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, contract: Option<&[u8]>) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("casparian-{name}-{}", std::process::id()));
        workspace::make_folder(&folder).expect("a folder");
        if let Some(contract) = contract {
            workspace::write(&folder.join(FILE), contract).expect("a contract");
        }
        folder
    }

    #[test]
    fn a_contract_stands_behind_the_component_as_a_custom_section() {
        let folder = folder("has-contract", Some(&[b'c'; 200]));
        let mut component = b"component".to_vec();
        embed(&folder, &mut component).expect("it fits");
        workspace::remove_folder(&folder).expect("the folder goes");
        let header = [&[0, 219, 1, 18][..], b"casparian:contract"].concat();
        assert_eq!(component, [b"component", &header[..], &[b'c'; 200]].concat());
    }

    #[test]
    fn without_a_contract_a_component_stays_as_it_is() {
        let folder = folder("has-none", None);
        let mut component = b"component".to_vec();
        embed(&folder, &mut component).expect("nothing to do");
        workspace::remove_folder(&folder).expect("the folder goes");
        assert_eq!(component, b"component");
    }

    #[test]
    fn a_contract_that_the_host_would_not_take_is_refused() {
        let folder = folder("too-large", Some(&vec![b'#'; BYTES_MAX + 1]));
        let failure = embed(&folder, &mut Vec::new()).expect_err("it is too large");
        workspace::remove_folder(&folder).expect("the folder goes");
        assert!(failure.ends_with("has 1048577 bytes, a contract at most 1048576"), "{failure}");
    }
}
