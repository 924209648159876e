//! Which inputs are meant: files as they were given, and the files of folders and of patterns, sorted.
//!
//! In a folder nothing is followed or guessed: links, pipes and devices are passed by, and so is what is hidden or too deep, and
//! the report says so. What was named itself is opened as it was named.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use rustix::fs::{Mode, OFlags};
use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

use super::pattern::{Ignored, Pattern};
use crate::input::Named;
use crate::request::RunRequest;
use crate::source::Source;
use crate::staging::{ABOUT, HELD};

/// Folders within folders that are looked into.
const DEPTH_MAX: usize = 64;
/// Most inputs of one run.
const INPUTS_MAX: usize = 1_000_000;
/// Most things passed by that are named.
const PASSED_BY_NAMED: usize = 100;

/// An input that is to be run.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) path: PathBuf,
    /// What it is called, where its path is shown as that of another input is.
    pub(super) name: Option<String>,
    /// Its size when it was listed. It says how inputs are shared out and nothing else.
    pub(super) bytes: u64,
    /// The folder that it was found in, and where beneath it; none: somebody named it.
    beneath: Option<(Arc<OwnedFd>, PathBuf)>,
}

impl Listing {
    /// Makes the listing of an input that somebody named.
    pub(super) fn named(path: PathBuf, bytes: u64) -> Self {
        Self { path, name: None, bytes, beneath: None }
    }

    /// Opens it: what was named as it was named, what was found beneath its folder and nowhere else.
    pub(super) fn open(&self, request: &RunRequest) -> Result<Named, FaultReport> {
        let Some((folder, inside)) = &self.beneath else { return Named::open(request) };
        let source = Source::open_beneath(folder.as_fd(), inside, &self.path);
        Named::found(source.map_err(|fault| fault.report())?, request)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) inputs: Vec<Listing>,
    /// Things in folders that are no inputs; the first of them.
    pub(super) passed_by: Vec<PassedBy>,
    /// How many there are in all.
    pub(super) passed_by_count: u64,
}

/// Something in a folder that is no input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedBy {
    /// Its path.
    pub path: String,
    /// What it is.
    pub why: String,
}

/// Lists the inputs that were given, `out` left out, and in folders what is to be `ignored`.
pub(super) fn list(given: &[PathBuf], ignored: &[String], out: Option<&Path>) -> Result<Listed, FaultReport> {
    let outs = out.map(places).unwrap_or_default().iter().filter_map(|place| identity(place)).collect();
    let mut listing = Lister { outs, ignored: Ignored::of(ignored)?, ..Lister::default() };
    for path in given {
        match Pattern::of(path)? {
            Some(pattern) => listing.matching(path, &pattern)?,
            None if path.is_dir() => listing.folder(path, None)?,
            None => {
                let found = path.metadata().ok();
                let bytes = found.as_ref().map_or(0, Metadata::len);
                listing.add(Listing::named(path.clone(), bytes), found)?
            }
        }
    }
    match listing.listed.inputs.is_empty() {
        true => Err(no_inputs(given, listing.listed.passed_by_count)),
        false => Ok(listing.listed),
    }
}

/// Lists files that are called otherwise than by what leads to them.
pub(super) fn called(paths: &[PathBuf], names: &[String]) -> Listed {
    let listing = |(path, name): (&PathBuf, &String)| {
        let bytes = path.metadata().map_or(0, |found| found.len());
        Listing { name: Some(name.clone()), ..Listing::named(path.clone(), bytes) }
    };
    Listed { inputs: paths.iter().zip(names).map(listing).collect(), ..Listed::default() }
}

#[derive(Default)]
struct Lister {
    listed: Listed,
    paths: HashSet<PathBuf>,
    /// Which input a file is: it may be reached by several paths.
    files: HashMap<FileId, usize>,
    /// What inputs are called: rows name them, so no two may be called alike.
    names: HashSet<String>,
    /// The output of an earlier run, and what it leaves beside it, may stand among the inputs.
    outs: Vec<(u64, u64)>,
    ignored: Ignored,
}

impl Lister {
    /// Adds the files that match a pattern. One that no file matches was hardly meant.
    fn matching(&mut self, named: &Path, pattern: &Pattern) -> Result<(), FaultReport> {
        let seen = |listed: &Listed| (listed.inputs.len(), listed.passed_by_count);
        let before = seen(&self.listed);
        if pattern.folder.is_dir() {
            self.folder(&pattern.folder, Some(pattern))?;
        }
        if before == seen(&self.listed) { Err(no_match(named, &pattern.folder)) } else { Ok(()) }
    }

    /// Adds the files of a folder, or those of them that match a pattern.
    fn folder(&mut self, folder: &Path, pattern: Option<&Pattern>) -> Result<(), FaultReport> {
        let opened = Arc::new(open_folder(folder)?);
        let depth_max = pattern.and_then(|pattern| pattern.depth_max).unwrap_or(DEPTH_MAX).min(DEPTH_MAX);
        let walk = WalkDir::new(folder).min_depth(1).max_depth(depth_max).sort_by_file_name();
        let mut walk = walk.into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    self.pass_by(
                        &path,
                        &error.io_error().map_or_else(|| error.to_string(), ToString::to_string),
                    );
                    continue;
                }
            };
            let inside = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned();
            let is_folder = entry.file_type().is_dir();
            // Of what no pattern matches there is nothing to say.
            let is_meant = pattern.is_none_or(|pattern| pattern.matches(&inside));
            match self.why_not(&entry, &inside, pattern) {
                None if is_folder || !is_meant => {}
                None => {
                    let found = entry.metadata().ok();
                    let bytes = found.as_ref().map_or(0, Metadata::len);
                    let path = entry.into_path();
                    // Nobody has written the `.` that a pattern without a folder is looked for in.
                    let path = if pattern.is_some() { without_dot(path) } else { path };
                    let beneath = Some((Arc::clone(&opened), inside));
                    self.add(Listing { path, name: None, bytes, beneath }, found)?;
                }
                Some(why) => {
                    if is_meant {
                        self.pass_by(entry.path(), why);
                    }
                    if is_folder {
                        walk.skip_current_dir();
                    }
                }
            }
        }
        Ok(())
    }

    /// Says why an entry is no input, and no folder to look into.
    fn why_not(&self, entry: &DirEntry, inside: &Path, pattern: Option<&Pattern>) -> Option<&'static str> {
        use std::os::unix::fs::FileTypeExt as _;
        let kind = entry.file_type();
        let names_hidden = pattern.is_some_and(|pattern| pattern.names_hidden);
        if entry.file_name().as_encoded_bytes().starts_with(b".") && !names_hidden {
            return Some("hidden");
        }
        if self.ignored.has(inside) {
            return Some("ignored");
        }
        match () {
            () if kind.is_symlink() => Some("a symbolic link"),
            () if kind.is_fifo() => Some("a pipe"),
            () if kind.is_socket() => Some("a socket"),
            () if (kind.is_dir() || kind.is_file()) && self.is_out(entry.path()) => Some("the output"),
            () if kind.is_dir() && entry.depth() == DEPTH_MAX => Some("too deep"),
            () if kind.is_dir() || kind.is_file() => None,
            () => Some("a device"),
        }
    }

    fn is_out(&self, path: &Path) -> bool {
        !self.outs.is_empty() && identity(path).is_some_and(|found| self.outs.contains(&found))
    }

    fn add(&mut self, mut listing: Listing, found: Option<Metadata>) -> Result<(), FaultReport> {
        if !self.paths.insert(listing.path.clone()) {
            self.pass_by(&listing.path, "named twice");
            return Ok(());
        }
        let at = self.listed.inputs.len();
        let first = found.map(|found| *self.files.entry(file_id(&found)).or_insert(at)).unwrap_or(at);
        if let Some(first) = self.listed.inputs.get(first) {
            let why = format!("the same file as {}", first.path.to_string_lossy());
            self.pass_by(&listing.path, &why);
            return Ok(());
        }
        if at == INPUTS_MAX {
            return Err(too_many());
        }
        listing.name = self.name_apart(&listing.path);
        self.listed.inputs.push(listing);
        Ok(())
    }

    /// Returns a name for a path that is shown as another one is: with its bytes in hex beside it.
    fn name_apart(&mut self, path: &Path) -> Option<String> {
        let mut name = path.to_string_lossy().into_owned();
        if self.names.insert(name.clone()) {
            return None;
        }
        let hex: String = path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        while !self.names.insert(name.clone()) {
            name = format!("{name} ({hex})");
        }
        Some(name)
    }

    fn pass_by(&mut self, path: &Path, why: &str) {
        self.listed.passed_by_count += 1;
        if self.listed.passed_by.len() < PASSED_BY_NAMED {
            let path = path.to_string_lossy().into_owned();
            self.listed.passed_by.push(PassedBy { path, why: why.to_owned() });
        }
    }
}

fn without_dot(path: PathBuf) -> PathBuf {
    path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
}

fn open_folder(folder: &Path) -> Result<OwnedFd, FaultReport> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::empty()).map_err(|error| FaultReport {
        blame: Blame::Operator,
        code: "input-unopened".to_owned(),
        message: format!("{} cannot be opened: {error}", GuestText::new(&folder.to_string_lossy(), 4096)),
        hint: None,
        at: None,
    })
}

/// Returns where a run leaves something: its output, and the folders beside it.
fn places(out: &Path) -> Vec<PathBuf> {
    let beside = |ending: &str| {
        let mut name = out.components().as_path().as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let mut places = vec![out.to_owned(), beside(HELD), beside(ABOUT)];
    if out.is_file() {
        // A database, and what SQLite keeps beside it while it is in use.
        places.extend(["-journal", "-wal", "-shm"].map(beside));
    }
    places
}

/// What a file is known by. Where numbers of files come twice, as in some that are served over a network, its size and times tell
/// it from others.
type FileId = (u64, u64, u64, [i64; 4]);

fn file_id(found: &Metadata) -> FileId {
    let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
    (found.dev(), found.ino(), found.len(), times)
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|found| (found.dev(), found.ino()))
}

fn no_inputs(given: &[PathBuf], passed_by: u64) -> FaultReport {
    let name = given.first().map(|path| path.to_string_lossy()).unwrap_or_default();
    let name = GuestText::new(&name, 4096);
    let message = match (given.len(), passed_by) {
        (1, 0) => format!("{name} has no files in it"),
        (1, passed_by) => format!("{name} has no files in it that are inputs, and {passed_by} other things"),
        (several, passed_by) => {
            format!("no files are in the {several} folders that were given, and {passed_by} other things")
        }
    };
    FaultReport {
        blame: Blame::Operator,
        code: "no-inputs".to_owned(),
        message,
        hint: Some(
            "hidden files and symbolic links in a folder are passed by; name them to run them".to_owned(),
        ),
        at: None,
    }
}

fn no_match(named: &Path, folder: &Path) -> FaultReport {
    let shown = |path: &Path| GuestText::new(&path.to_string_lossy(), 4096);
    let message = match folder.is_dir() {
        true => format!("no file matches {}", shown(named)),
        false => format!("no file matches {}: there is no folder {}", shown(named), shown(folder)),
    };
    FaultReport {
        blame: Blame::Operator,
        code: "no-match".to_owned(),
        message,
        hint: Some("`*` stops at `/` and `**` does not; what is hidden is named with its dot".to_owned()),
        at: None,
    }
}

fn too_many() -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "too-many-inputs".to_owned(),
        message: format!("inputs: limit {INPUTS_MAX}, and there are more"),
        hint: Some("run the folders one by one, into an output each".to_owned()),
        at: None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn listed(given: &[&Path], out: Option<&Path>) -> Listed {
        let given: Vec<PathBuf> = given.iter().map(|path| path.to_path_buf()).collect();
        list(&given, &[], out).unwrap()
    }

    fn names(listed: &Listed, root: &Path) -> Vec<String> {
        let name =
            |listing: &Listing| listing.path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        listed.inputs.iter().map(name).collect()
    }

    #[test]
    fn files_of_folders_come_sorted_and_what_was_named_in_its_place() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("logs/b")).unwrap();
        for name in ["z", "logs/c", "logs/a", "logs/b/x"] {
            fs::write(path(name), name).unwrap();
        }
        let found = listed(&[&path("z"), &path("logs"), &path("missing")], None);
        assert_eq!(names(&found, root.path()), ["z", "logs/a", "logs/b/x", "logs/c", "missing"]);
        assert_eq!(found.inputs[2].bytes, 8);
        assert_eq!(found.passed_by_count, 0);
    }

    #[test]
    fn links_pipes_hidden_files_and_the_output_are_passed_by_and_said() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("out")).unwrap();
        for name in ["a", ".hidden", "out/t.parquet"] {
            fs::write(path(name), "").unwrap();
        }
        symlink(path("a"), path("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0)
            .unwrap();
        let found = listed(&[root.path()], Some(&path("out")));
        assert_eq!(names(&found, root.path()), ["a"]);
        let why: Vec<&str> = found.passed_by.iter().map(|passed| passed.why.as_str()).collect();
        assert_eq!(why, ["hidden", "a symbolic link", "the output", "a pipe"]);
    }

    #[test]
    fn an_input_that_is_named_twice_is_run_once() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a");
        fs::write(&file, "").unwrap();
        let found = listed(&[root.path(), &file], None);
        assert_eq!((found.inputs.len(), found.passed_by_count), (1, 1));
        assert_eq!(found.passed_by[0].why, "named twice");
    }

    #[test]
    fn a_file_that_is_reached_by_two_paths_is_one_input_and_said() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::write(path("a"), "").unwrap();
        fs::write(path("twin"), "").unwrap();
        symlink(path("a"), path("link")).unwrap();
        fs::hard_link(path("a"), path("z")).unwrap();
        let found = listed(&[&path("link"), &path("a"), &path("twin"), &path("z")], None);
        assert_eq!(names(&found, root.path()), ["link", "twin"]);
        assert_eq!(found.passed_by.len(), 2);
        assert!(found.passed_by.iter().all(|passed| passed.why.ends_with("/link")), "{:?}", found.passed_by);
    }

    #[test]
    fn folders_without_files_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let fault = list(&[root.path().to_owned()], &[], None).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.blame), ("no-inputs", Blame::Operator));
    }

    #[test]
    fn what_is_too_deep_is_passed_by() {
        let root = tempfile::tempdir().unwrap();
        let mut deep = root.path().to_owned();
        for level in 0..DEPTH_MAX + 2 {
            deep.push("d");
            fs::create_dir(&deep).unwrap();
            fs::write(deep.join(format!("f{level:03}")), "").unwrap();
        }
        let found = listed(&[root.path()], None);
        assert_eq!(found.inputs.len(), DEPTH_MAX - 1);
        assert_eq!(found.passed_by[0].why, "too deep");
    }

    #[test]
    fn names_that_are_shown_alike_are_inputs_each_and_told_apart() {
        let root = tempfile::tempdir().unwrap();
        for name in [b"a\xfe", b"a\xff"] {
            fs::write(root.path().join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
        }
        let found = listed(&[root.path()], None);
        let named = |at: usize| {
            let input = &found.inputs[at];
            input.name.clone().unwrap_or_else(|| input.path.to_string_lossy().into_owned())
        };
        assert_eq!((found.inputs.len(), found.passed_by_count), (2, 0));
        assert_ne!(named(0), named(1));
    }

    #[test]
    fn what_a_run_leaves_beside_its_output_is_passed_by() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "out.held/r", "out.about/r"] {
            fs::create_dir_all(root.path().join(name).parent().unwrap()).unwrap();
            fs::write(root.path().join(name), "").unwrap();
        }
        let found = listed(&[root.path()], Some(&root.path().join("out")));
        assert_eq!(names(&found, root.path()), ["a"]);
        assert!(found.passed_by.iter().all(|passed| passed.why == "the output"));
    }

    #[test]
    fn a_name_that_is_no_text_is_an_input_all_the_same() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff\x1b")), "").unwrap();
        assert_eq!(listed(&[root.path()], None).inputs.len(), 1);
    }

    /// Makes files and lists what a pattern names.
    fn matched(files: &[&str], pattern: &str, ignored: &[&str]) -> Result<Vec<String>, FaultReport> {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let ignored: Vec<String> = ignored.iter().map(|pattern| (*pattern).to_owned()).collect();
        list(&[root.path().join(pattern)], &ignored, None).map(|listed| names(&listed, root.path()))
    }

    const FILES: [&str; 6] = ["a.csv", "b.csv", "b.txt", "in/c.csv", "in/deep/d.csv", "in/.e.csv"];

    #[test]
    fn a_pattern_names_the_files_that_match_it_sorted() {
        let found = |pattern| matched(&FILES, pattern, &[]).unwrap();
        assert_eq!(found("*.csv"), ["a.csv", "b.csv"]);
        assert_eq!(found("in/*.csv"), ["in/c.csv"]);
        assert_eq!(found("**/*.csv"), ["a.csv", "b.csv", "in/c.csv", "in/deep/d.csv"]);
        assert_eq!(found("in/**/?.csv"), ["in/c.csv", "in/deep/d.csv"]);
        assert_eq!(found("{a,b}.[ct]*"), ["a.csv", "b.csv", "b.txt"]);
        assert_eq!(found("in/.*.csv"), ["in/.e.csv"]);
    }

    #[test]
    fn a_file_that_has_the_name_of_a_pattern_is_that_file() {
        assert_eq!(matched(&["a*.csv", "ab.csv"], "a*.csv", &[]).unwrap(), ["a*.csv"]);
    }

    #[test]
    fn a_pattern_that_nothing_matches_or_that_is_none_is_refused() {
        for (pattern, code) in [("*.log", "no-match"), ("none/*.csv", "no-match"), ("[a.csv", "bad-pattern")]
        {
            let fault = matched(&FILES, pattern, &[]).unwrap_err();
            assert_eq!((fault.code.as_str(), fault.blame), (code, Blame::Operator), "{pattern}");
        }
    }

    #[test]
    fn what_is_ignored_is_left_out_of_folders_and_patterns_by_name_or_by_path() {
        let found = |ignored: &[&str]| matched(&FILES, "", ignored).unwrap();
        assert_eq!(found(&["*.csv"]), ["b.txt"]);
        assert_eq!(found(&["in/*.csv", "b.*"]), ["a.csv", "in/deep/d.csv"]);
        assert_eq!(found(&["deep/"]), ["a.csv", "b.csv", "b.txt", "in/c.csv"]);
        assert_eq!(matched(&FILES, "**/*.csv", &["in"]).unwrap(), ["a.csv", "b.csv"]);
    }
}
