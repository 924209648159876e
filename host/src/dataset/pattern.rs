//! Names with `*`, `?`, `[…]` or `{…}` in them, as a shell would take them: for who puts them in quotes, or has more files than fit
//! on a command line; and patterns of what is to be left out.
//!
//! `*` and `?` stop at `/`, `**` does not. A file whose name has such characters in it is that file.

use std::path::{Component, Path, PathBuf};

use casparian_core::fault::{Blame, FaultReport};
use casparian_core::guest_text::GuestText;
use globset::{GlobBuilder, GlobMatcher};

use crate::input;

/// What makes a pattern of a name.
const MARKS: &[u8] = b"*?[{";
/// Longest pattern, in bytes: what it is compiled to grows with it.
const PATTERN_BYTES_MAX: usize = 1024;

/// A pattern that was named as an input.
#[derive(Debug)]
pub(super) struct Pattern {
    /// The folder below which it matches.
    pub(super) folder: PathBuf,
    /// How deep that can be; none: at any depth.
    pub(super) depth_max: Option<usize>,
    /// Whether it names what is hidden by its dot.
    pub(super) names_hidden: bool,
    matcher: GlobMatcher,
}

impl Pattern {
    /// Takes a name for a pattern, if it looks like one and is no file's.
    pub(super) fn of(named: &Path) -> Result<Option<Self>, FaultReport> {
        let is_there = || input::find(named).0.symlink_metadata().is_ok();
        if !has_marks(named) || is_there() {
            return Ok(None);
        }
        let parts: Vec<Component<'_>> = named.components().collect();
        let plain = parts.iter().take_while(|part| !has_marks(Path::new(part))).count();
        let (folder, rest) = parts.split_at(plain);
        let folder: PathBuf = folder.iter().collect();
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        let below: PathBuf = rest.iter().collect();
        let is_deep =
            rest.iter().any(|part| part.as_os_str().as_encoded_bytes().windows(2).any(|two| two == b"**"));
        let begins_with_dot = |part: &Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".");
        Ok(Some(Self {
            folder,
            depth_max: (!is_deep).then_some(rest.len()),
            names_hidden: rest.iter().any(begins_with_dot),
            matcher: compile(&below)?,
        }))
    }

    /// Returns whether a path below the folder matches.
    pub(super) fn matches(&self, below: &Path) -> bool {
        self.matcher.is_match(below)
    }
}

/// What is to be left out of folders, and of what patterns match.
#[derive(Debug, Default)]
pub(super) struct Ignored(Vec<GlobMatcher>);

impl Ignored {
    /// Takes patterns. One without a `/` is about names at any depth, one with a `/` about the whole path below a folder.
    pub(super) fn of(patterns: &[String]) -> Result<Self, FaultReport> {
        let anywhere = |pattern: &String| match pattern.trim_end_matches('/') {
            pattern if pattern.contains('/') => pattern.trim_start_matches('/').to_owned(),
            pattern => format!("**/{pattern}"),
        };
        let compiled = patterns.iter().map(|pattern| compile(Path::new(&anywhere(pattern))));
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether a path below a folder is left out.
    pub(super) fn has(&self, below: &Path) -> bool {
        self.0.iter().any(|matcher| matcher.is_match(below))
    }
}

fn has_marks(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| MARKS.contains(byte))
}

fn compile(pattern: &Path) -> Result<GlobMatcher, FaultReport> {
    let shown = GuestText::new(&pattern.to_string_lossy(), 256);
    let refuse = |why: String| FaultReport {
        blame: Blame::Operator,
        code: "bad-pattern".to_owned(),
        message: format!("{shown} is no pattern of names: {why}"),
        hint: Some(
            "`*`, `?`, `**`, `[a-z]` and `{a,b}`; a character stands for itself in brackets, `[*]`"
                .to_owned(),
        ),
        at: None,
    };
    let text = pattern.to_str().ok_or_else(|| refuse("it is no text".to_owned()))?;
    if text.len() > PATTERN_BYTES_MAX {
        return Err(refuse(format!("bytes: limit {PATTERN_BYTES_MAX}, and it has {}", text.len())));
    }
    let glob = GlobBuilder::new(text).literal_separator(true).empty_alternates(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| refuse(error.kind().to_string()))
}
