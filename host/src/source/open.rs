//! How an input is opened: without waiting, without waking a device, and without being led elsewhere.
//!
//! First comes a handle that gives no access (`O_PATH`), then a look at what it is, and only a regular file is opened for
//! reading, by way of that handle: a pipe is never waited for, a device never hears of us, and what was looked at is what is
//! read. Whoever types a path may mean a link; what is found in a folder is opened beneath it and never through one
//! (`docs/decisions/0013-links-that-were-typed.md`).

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path};

use casparian_core::guest_text::GuestText;
use rustix::fs::{
    CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstat, fstatfs, openat, openat2,
};
use rustix::io::Errno;

use super::{Source, SourceFault, shown};

/// How a file is opened for reading.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
/// How it is looked at before.
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// How often an opening is tried that loses a race against renames.
const ATTEMPTS: usize = 16;
/// Most folders that a name goes down beneath another, which bounds the walk where `openat2` is missing.
const DEPTH_MAX: usize = 256;

/// What is not a file of bytes.
pub(super) const DIRECTORY: &str = "a directory";
pub(super) const PIPE: &str = "a pipe";
const LINK: &str = "a symbolic link";
const KERNEL: &str = "a file of the kernel, which makes it up when it is read";
const SIZELESS: &str = "a file that does not tell its size";

/// File systems whose files are the kernel's doors and not bytes that somebody kept, beside `/proc`: those of devices,
/// groups, security modules, tracing, firmware and programs in the kernel.
const KERNEL_FILE_SYSTEMS: [u64; 11] = [
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x7363_6673, // securityfs
    0xf97c_ff8c, // selinuxfs
    0xcafe_4a11, // bpf
    0x6265_6570, // configfs
    0xde5e_81e4, // efivarfs
    0x6165_676c, // pstore
];

impl Source {
    /// Opens the file that somebody named. Links in the path are theirs and are followed; [`Source::link`] says whether the
    /// last part was one.
    pub fn open(path: &Path) -> Result<Self, SourceFault> {
        let name = path.to_string_lossy().into_owned();
        let link = rustix::fs::readlink(path, Vec::new()).ok();
        let opened = openat(CWD, path, LOOK, Mode::empty()).map_err(|error| refused(&name, error)).and_then(
            |handle| read_regular(&handle, &name, |flags| openat(CWD, path, flags, Mode::empty())),
        )?;
        let link = link.map(|target| target.to_string_lossy().into_owned());
        Ok(Self { link, ..Self::from_fd(opened, name)? })
    }

    /// Opens a file that was found in a folder: `inside` is its place beneath `folder`, which no link, no `..` and no name of
    /// another process's files leads out of. `called` is what people call it.
    pub fn open_beneath(folder: BorrowedFd<'_>, inside: &Path, called: &Path) -> Result<Self, SourceFault> {
        let name = called.to_string_lossy().into_owned();
        let open = |flags| open_within(folder, inside, flags);
        let handle =
            open(LOOK | OFlags::NOFOLLOW).map_err(|error| beneath_refused(folder, inside, &name, error))?;
        let opened = read_regular(&handle, &name, |flags| open(flags | OFlags::NOFOLLOW))?;
        Self::from_fd(opened, name)
    }
}

/// Opens a regular file by its handle; `again` does it by its name, where there is no `/proc`.
fn read_regular(
    handle: &OwnedFd,
    name: &str,
    again: impl FnOnce(OFlags) -> rustix::io::Result<OwnedFd>,
) -> Result<OwnedFd, SourceFault> {
    check_regular(handle.as_fd(), name)?;
    let by_handle = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let opened = match openat(CWD, by_handle, READ, Mode::empty()) {
        Err(Errno::NOENT) => again(READ),
        opened => opened,
    };
    let opened = opened.map_err(|error| refused(name, error))?;
    // By its name it may be another one by now.
    check_regular(opened.as_fd(), name)?;
    check_size_is_told(opened, name)
}

fn check_regular(file: BorrowedFd<'_>, name: &str) -> Result<(), SourceFault> {
    let found = fstat(file).map_err(|error| refused(name, error))?;
    let kind = match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile if is_of_kernel(file) => KERNEL,
        FileType::RegularFile => return Ok(()),
        FileType::Directory => DIRECTORY,
        FileType::Fifo => PIPE,
        FileType::Socket => "a socket",
        FileType::Symlink => LINK,
        _ => "a device",
    };
    Err(SourceFault::NotRegular { path: shown(name), kind })
}

fn is_of_kernel(file: BorrowedFd<'_>) -> bool {
    let Ok(found) = fstatfs(file) else { return false };
    // What the kernel gives is as wide as it likes to be on this machine, and signed on some.
    #[allow(clippy::unnecessary_cast, reason = "the type differs from machine to machine")]
    let magic = found.f_type as u64 & 0xffff_ffff;
    found.f_type == PROC_SUPER_MAGIC || KERNEL_FILE_SYSTEMS.contains(&magic)
}

/// Refuses files that say they are empty and then hold something.
fn check_size_is_told(file: OwnedFd, name: &str) -> Result<OwnedFd, SourceFault> {
    let file = File::from(file);
    let size = file.metadata().map_err(|error| unopened(name, error))?.len();
    if size == 0 && file.read_at(&mut [0], 0).map_or(true, |bytes| bytes > 0) {
        return Err(SourceFault::NotRegular { path: shown(name), kind: SIZELESS });
    }
    Ok(file.into())
}

/// Opens something beneath a folder.
fn open_within(folder: BorrowedFd<'_>, inside: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..ATTEMPTS {
        match openat2(folder, inside, flags, Mode::empty(), beneath) {
            // Somebody renames folders on the way, and the kernel cannot tell whether it is still beneath.
            Err(Errno::AGAIN) => {}
            // Older kernels do not know it, and some filters of system calls do not let it pass.
            Err(Errno::NOSYS | Errno::PERM) => return open_by_parts(folder, inside, flags),
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

/// Does what [`open_within`] does, folder by folder: each part is opened in the one before, and none through a link.
fn open_by_parts(folder: BorrowedFd<'_>, inside: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let parts = plain_parts(inside).ok_or(Errno::XDEV)?;
    let (last, folders) = parts.split_last().ok_or(Errno::INVAL)?;
    let go_down = LOOK | OFlags::NOFOLLOW | OFlags::DIRECTORY;
    let mut here: Option<OwnedFd> = None;
    for part in folders {
        let parent = here.as_ref().map_or(folder, AsFd::as_fd);
        here = Some(openat(parent, *part, go_down, Mode::empty())?);
    }
    openat(here.as_ref().map_or(folder, AsFd::as_fd), *last, flags | OFlags::NOFOLLOW, Mode::empty())
}

/// Returns the parts of a path that only goes down.
fn plain_parts(inside: &Path) -> Option<Vec<&OsStr>> {
    let parts: Option<Vec<_>> = inside
        .components()
        .map(|part| if let Component::Normal(part) = part { Some(part) } else { None })
        .take(DEPTH_MAX + 1)
        .collect();
    parts.filter(|parts| parts.len() <= DEPTH_MAX)
}

fn refused(name: &str, error: Errno) -> SourceFault {
    match error {
        Errno::NOENT => SourceFault::Missing { path: shown(name) },
        error => unopened(name, error.into()),
    }
}

/// A name beneath a folder that cannot be opened: a link on the way is said as such.
fn beneath_refused(folder: BorrowedFd<'_>, inside: &Path, name: &str, error: Errno) -> SourceFault {
    let path: GuestText = shown(name);
    match error {
        Errno::XDEV => SourceFault::Outside { path },
        Errno::LOOP => SourceFault::NotRegular { path, kind: LINK },
        // Without `openat2` a link in the place of a folder is no folder.
        Errno::NOTDIR if has_link_on_the_way(folder, inside) => SourceFault::NotRegular { path, kind: LINK },
        error => refused(name, error),
    }
}

fn has_link_on_the_way(folder: BorrowedFd<'_>, inside: &Path) -> bool {
    let is_link = |part: &Path| {
        let handle = open_by_parts(folder, part, LOOK);
        handle.and_then(fstat).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
    };
    inside.ancestors().skip(1).take(DEPTH_MAX).any(is_link)
}

fn unopened(name: &str, error: io::Error) -> SourceFault {
    SourceFault::Unopened { path: shown(name), error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use casparian_core::fault::{Blame, Blamed as _};
    use tempfile::TempDir;

    use super::*;

    fn code(opened: Result<Source, SourceFault>) -> &'static str {
        opened.map_or_else(|fault| fault.code(), |_| "opened")
    }

    fn kind(opened: Result<Source, SourceFault>) -> &'static str {
        match opened {
            Err(SourceFault::NotRegular { kind, .. }) => kind,
            other => panic!("{other:?}"),
        }
    }

    fn make_pipe(at: &Path) {
        let made = std::process::Command::new("mkfifo").arg(at).status().unwrap();
        assert!(made.success());
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, socket) = (folder.path().join("pipe"), folder.path().join("socket"));
        make_pipe(&pipe);
        let _listener = UnixListener::bind(&socket).unwrap();
        let cases = [
            (folder.path(), DIRECTORY),
            (&pipe, PIPE),
            (&socket, "a socket"),
            (Path::new("/dev/zero"), "a device"),
            (Path::new("/proc/self/maps"), KERNEL),
            (Path::new("/sys/kernel/mm/transparent_hugepage/enabled"), KERNEL),
        ];
        for (path, expected) in cases.into_iter().filter(|(path, _)| path.exists()) {
            assert_eq!(kind(Source::open(path)), expected, "{path:?}");
        }
    }

    #[test]
    fn a_missing_file_is_the_operators_fault_and_its_name_cannot_steer_a_terminal() {
        let fault = Source::open(Path::new("/nowhere/a\u{1b}]52;\n")).unwrap_err();
        assert_eq!(fault.to_string(), "/nowhere/a\\u{1b}]52;\\n does not exist");
        assert_eq!((fault.blame(), fault.code()), (Blame::Operator, "input-missing"));
    }

    #[test]
    fn a_link_that_somebody_names_is_followed_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, b"abc").unwrap();
        symlink("file", &link).unwrap();
        let source = Source::open(&link).unwrap();
        assert_eq!((source.size(), source.link()), (3, Some("file")));
        assert_eq!(Source::open(&file).unwrap().link(), None);
    }

    #[test]
    fn names_are_bytes_and_any_that_a_file_can_have_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(255);
        for name in [&b"x\xff.log"[..], b"a\nb", b"\x1b[2J", "\u{202e}gol".as_bytes(), long.as_bytes(), b"-"]
        {
            let path = folder.path().join(OsStr::from_bytes(name));
            std::fs::write(&path, b"abc").unwrap();
            let source = Source::open(&path).unwrap();
            assert_eq!(source.base_name(), String::from_utf8_lossy(name));
        }
    }

    /// A folder with files, links and a pipe in it, and a secret beside it.
    fn scene() -> (TempDir, File) {
        let scene = tempfile::tempdir().unwrap();
        let at = |name: &str| scene.path().join(name);
        std::fs::create_dir_all(at("root/sub")).unwrap();
        std::fs::write(at("secret"), b"secret").unwrap();
        std::fs::write(at("root/plain"), b"abc").unwrap();
        std::fs::write(at("root/sub/deep"), b"abc").unwrap();
        symlink("../secret", at("root/link")).unwrap();
        symlink("plain", at("root/near")).unwrap();
        symlink("sub", at("root/way")).unwrap();
        make_pipe(&at("root/pipe"));
        let folder = File::open(at("root")).unwrap();
        (scene, folder)
    }

    #[test]
    fn i_01_beneath_a_folder_files_are_opened_and_links_are_not() {
        let (_scene, folder) = scene();
        let open = |inside: &str| Source::open_beneath(folder.as_fd(), Path::new(inside), Path::new(inside));
        assert_eq!((code(open("plain")), code(open("sub/deep"))), ("opened", "opened"));
        for link in ["link", "near", "way/deep"] {
            assert_eq!(kind(open(link)), LINK, "{link}");
        }
        assert_eq!(kind(open("pipe")), PIPE);
        assert_eq!(kind(open("sub")), DIRECTORY);
        for outside in ["../secret", "/etc/passwd", "sub/../../secret"] {
            assert_eq!(code(open(outside)), "input-outside", "{outside}");
        }
        assert_eq!(code(open("nothing")), "input-missing");
    }

    #[test]
    fn without_openat2_the_same_is_opened_and_refused() {
        let (_scene, folder) = scene();
        let look = |inside: &str| open_by_parts(folder.as_fd(), Path::new(inside), LOOK | OFlags::NOFOLLOW);
        for fine in ["plain", "sub/deep", "pipe"] {
            assert!(look(fine).is_ok(), "{fine}");
        }
        // A link in the last place is opened as itself, and then found to be no regular file.
        let link = look("link").unwrap();
        assert!(check_regular(link.as_fd(), "link").is_err());
        for outside in ["../secret", "/etc/passwd", "sub/../plain"] {
            assert_eq!(look(outside).unwrap_err(), Errno::XDEV, "{outside}");
        }
        assert_eq!(look("way/deep").unwrap_err(), Errno::NOTDIR);
        assert!(has_link_on_the_way(folder.as_fd(), Path::new("way/deep")));
        assert!(!has_link_on_the_way(folder.as_fd(), Path::new("plain/deep")));
        let deep: PathBuf = std::iter::repeat_n("d", DEPTH_MAX + 1).collect();
        assert_eq!(open_by_parts(folder.as_fd(), &deep, LOOK).unwrap_err(), Errno::XDEV);
    }

    #[test]
    fn i_02_a_file_that_is_swapped_for_a_link_before_it_is_opened_is_refused() {
        let (scene, folder) = scene();
        let plain = scene.path().join("root/plain");
        std::fs::remove_file(&plain).unwrap();
        symlink("../secret", &plain).unwrap();
        let opened = Source::open_beneath(folder.as_fd(), Path::new("plain"), Path::new("root/plain"));
        assert_eq!(kind(opened), LINK);
    }
}
