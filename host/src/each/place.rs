//! Where the output of each input goes: the folder of its name.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use casparian_core::id::Digest;

use crate::staging::{ABOUT, HELD};

/// Digits of a path's digest that tell an output from another of its name.
const DIGITS: usize = 8;

/// Returns the place of every output. A name that several inputs have, in whatever case, or that ends as what runs leave beside
/// an output, has behind it what its path comes to.
pub(super) fn places(out: &Path, inputs: &[PathBuf]) -> Vec<PathBuf> {
    let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
    for input in inputs {
        *known.entry(folded(name_of(input))).or_default() += 1;
    }
    let place = |input: &PathBuf| {
        let name = name_of(input);
        let is_alone = known.get(&folded(name)) == Some(&1) && !is_ours(name);
        out.join(if is_alone { name.to_owned() } else { told_apart(name, input, &known) })
    };
    inputs.iter().map(place).collect()
}

fn name_of(input: &Path) -> &OsStr {
    input.file_name().unwrap_or(OsStr::new("input"))
}

fn folded(name: &OsStr) -> Vec<u8> {
    name.to_string_lossy().to_lowercase().into_bytes()
}

fn is_ours(name: &OsStr) -> bool {
    let name = folded(name);
    [HELD, ABOUT].iter().any(|ending| name.ends_with(ending.as_bytes())) || name.starts_with(b".casparian-")
}

/// Returns a name with the digest of its path behind it: as much of that as no other input is called by.
fn told_apart(name: &OsStr, input: &Path, known: &HashMap<Vec<u8>, usize>) -> OsString {
    let digest = Digest::of(input.as_os_str().as_bytes()).to_string();
    let with = |digits: usize| {
        let mut told = name.as_bytes().to_vec();
        told.push(b'-');
        told.extend(digest.bytes().take(digits));
        OsString::from_vec(told)
    };
    let is_free = |told: &OsString| !known.contains_key(&folded(told));
    (DIGITS..digest.len()).map(with).find(is_free).unwrap_or_else(|| with(digest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(inputs: &[&str]) -> Vec<String> {
        let inputs: Vec<PathBuf> = inputs.iter().map(PathBuf::from).collect();
        let places = places(Path::new("out"), &inputs);
        places.iter().map(|place| place.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn an_output_is_called_as_its_input_is() {
        assert_eq!(named(&["in/a.log", "b.log"]), ["out/a.log", "out/b.log"]);
    }

    #[test]
    fn inputs_of_one_name_are_told_apart_by_their_paths_whatever_their_order() {
        let one = named(&["x/a.log", "y/A.log", "b.log"]);
        let other = named(&["b.log", "y/A.log", "x/a.log"]);
        assert!(one[0].starts_with("out/a.log-") && one[1].starts_with("out/A.log-"), "{one:?}");
        assert_eq!(one[2], "out/b.log");
        assert_eq!((&one[0], &one[1]), (&other[2], &other[1]));
        assert_ne!(one[0].to_lowercase(), one[1].to_lowercase());
    }

    #[test]
    fn an_output_never_takes_the_place_of_what_is_held_or_known_of_another() {
        let places = named(&["a", "a.held", "a.about"]);
        assert_eq!(places[0], "out/a");
        assert!(places[1].starts_with("out/a.held-") && places[2].starts_with("out/a.about-"), "{places:?}");
    }

    #[test]
    fn an_input_that_is_called_as_another_would_be_told_apart_keeps_its_name() {
        let apart = named(&["x/a", "y/a"]);
        let odd = apart[0].trim_start_matches("out/").to_owned();
        let places = named(&["x/a", "y/a", &format!("z/{odd}")]);
        assert_eq!(places[2], apart[0]);
        assert_ne!(places[0], places[2]);
    }
}
