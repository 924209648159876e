//! Compiled code, kept between runs. It becomes executable as it is, so nothing is loaded that this user's host did not
//! write: an owner-only directory, an HMAC under a key of this machine, checked over the whole file; then a sealed copy in
//! memory, so that the file cannot change behind the check. A lost key means compiling again, nothing else.
//!
//! Under the HMAC stands how far the worker was locked in that made the code, too: who requires more compiles again.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use casparian_core::fault::{Blame, Blamed};
use casparian_core::id::{Digest, FieldHasher};
use casparian_jail::Isolation;
use hmac::{Hmac, Mac as _};
use rustix::fs::{MemfdFlags, OFlags, SealFlags, fcntl_add_seals, memfd_create};
use sha2::Sha256;
use thiserror::Error;

/// Length of the HMAC in front of the code.
const MAC_BYTES: usize = 32;
const KEY_FILE: &str = "mac.key";

/// The cache cannot be used.
#[derive(Debug, Error)]
pub enum CacheFault {
    /// Somebody else could write here.
    #[error("cache {path} is open to others (owner {owner}, mode {mode:o})")]
    NotOurs {
        /// The directory.
        path: String,
        /// Its owner's number.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
    /// The machine refuses.
    #[error("cache {path}: {error}")]
    Io {
        /// The directory.
        path: String,
        /// Why.
        error: io::Error,
    },
}

impl Blamed for CacheFault {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        match self {
            CacheFault::NotOurs { .. } => "cache-not-owner-only",
            CacheFault::Io { .. } => "cache-unusable",
        }
    }

    fn hint(&self) -> Option<String> {
        Some("make it yours alone (`chmod 700`), or name another with CASPARIAN_CACHE_DIR".to_owned())
    }
}

/// What the cache has for a key.
pub enum Found {
    /// The code, sealed.
    Code(File),
    /// Nothing, or nothing that was made under enough isolation.
    Nothing,
    /// Something that this host did not write. It is ignored.
    Tampered,
}

/// The cache of compiled code of one user on one machine.
pub struct CodeCache {
    dir: Dir,
    shown: String,
    mac_key: [u8; 32],
}

impl CodeCache {
    /// Opens the cache, making it where it is not there yet.
    pub fn open(path: &Path) -> Result<Self, CacheFault> {
        let shown = path.display().to_string();
        let io = |error| CacheFault::Io { path: shown.clone(), error };
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(path).map_err(io)?;
        let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority()).map_err(io)?;
        // Of what was opened, so that nobody can put another in its place behind the check.
        let found = rustix::fs::fstat(&dir).map_err(|errno| io(errno.into()))?;
        if found.st_uid != rustix::process::geteuid().as_raw() || found.st_mode & 0o022 != 0 {
            return Err(CacheFault::NotOurs {
                path: shown,
                owner: found.st_uid,
                mode: found.st_mode & 0o7777,
            });
        }
        let mac_key = read_or_make_key(&dir).map_err(io)?;
        Ok(Self { dir, shown, mac_key })
    }

    /// Looks for code that was made under the isolation that is required. Whatever fails its check is as good as not there.
    pub fn find(&self, key: Digest, required: Isolation) -> Result<Found, CacheFault> {
        let bytes = match self.read(key) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Found::Nothing),
            // A link, a pipe, a directory where a file of ours should be.
            Err(_unreadable) => return Ok(Found::Tampered),
        };
        let Some((mac, made)) = bytes.split_at_checked(MAC_BYTES) else { return Ok(Found::Tampered) };
        let Some((&under, code)) = made.split_first() else { return Ok(Found::Tampered) };
        match self.mac(key, under, code).verify_slice(mac) {
            Ok(()) if under < level_byte(required) => Ok(Found::Nothing),
            Ok(()) => seal(code).map(Found::Code).map_err(|error| self.io(error)),
            Err(_other) => Ok(Found::Tampered),
        }
    }

    /// Keeps code with the isolation of the worker that made it, and returns it sealed.
    pub fn keep(&self, key: Digest, code: &[u8], made_under: Isolation) -> Result<File, CacheFault> {
        let under = level_byte(made_under);
        let write = || -> io::Result<()> {
            let temporary = format!(".{}-{}", key, std::process::id());
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
            let mut file = self.dir.open_with(&temporary, &options)?;
            file.write_all(&self.mac(key, under, code).finalize().into_bytes())?;
            file.write_all(&[under])?;
            file.write_all(code)?;
            // Else a power cut leaves a name without its bytes, which would look as if somebody had been here.
            file.sync_all()?;
            self.dir.rename(&temporary, &self.dir, name(key))
        };
        write().and_then(|()| seal(code)).map_err(|error| self.io(error))
    }

    fn read(&self, key: Digest) -> io::Result<Option<Vec<u8>>> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        let mut file = match self.dir.open_with(name(key), &options) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("no regular file"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn mac(&self, key: Digest, under: u8, code: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&self.mac_key)
            .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
        // The key is in it, so that good code of one component cannot stand in for another's.
        mac.update(key.as_bytes());
        mac.update(&[under]);
        mac.update(code);
        mac
    }

    fn io(&self, error: io::Error) -> CacheFault {
        CacheFault::Io { path: self.shown.clone(), error }
    }
}

/// Names the code of one component under one engine.
pub fn code_key(component: Digest, engine: Digest) -> Digest {
    FieldHasher::new("casparian code cache 2").field(component.as_bytes()).field(engine.as_bytes()).finish()
}

/// Names the code of a runtime under one engine. Not what it would be called as a parser: it was checked less strictly.
pub fn runtime_key(runtime: Digest, engine: Digest) -> Digest {
    FieldHasher::new("casparian runtime cache 2").field(runtime.as_bytes()).field(engine.as_bytes()).finish()
}

/// Names a program as a runtime compiled it, under one engine.
pub fn program_key(runtime: Digest, engine: Digest, program: Digest) -> Digest {
    let hasher =
        FieldHasher::new("casparian program cache 2").field(runtime.as_bytes()).field(engine.as_bytes());
    hasher.field(program.as_bytes()).finish()
}

/// Returns a level as an entry holds it. More is greater.
fn level_byte(level: Isolation) -> u8 {
    match level {
        Isolation::L0 => 0,
        Isolation::L1 => 1,
        Isolation::L2 => 2,
        Isolation::L3 => 3,
    }
}

fn name(key: Digest) -> String {
    format!("{key}.cwasm")
}

fn read_or_make_key(dir: &Dir) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    match dir.open_with(KEY_FILE, &options) {
        Ok(mut file) => {
            // A key that is cut short is as good as lost.
            if file.read_exact(&mut key).is_ok() {
                return Ok(key);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())?;
    let temporary = format!(".{KEY_FILE}-{}", std::process::id());
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    dir.open_with(&temporary, &options)?.write_all(&key)?;
    dir.rename(&temporary, dir, KEY_FILE)?;
    // Another process may have been quicker: what stands there now counts.
    let mut options = OpenOptions::new();
    dir.open_with(KEY_FILE, options.read(true))?.read_exact(&mut key)?;
    Ok(key)
}

/// Makes an empty file in memory for a worker to write code to.
pub(crate) fn memory_file() -> io::Result<OwnedFd> {
    Ok(memfd_create("casparian-code", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?)
}

/// Copies bytes into memory that nobody can change any more.
pub(crate) fn seal(code: &[u8]) -> io::Result<File> {
    let mut file = File::from(memory_file()?);
    file.write_all(code)?;
    fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file)
}

/// Reads what was sealed, from its beginning and at most so many bytes. Several processes share the descriptor, and with it the
/// position: it is left alone.
pub(crate) fn read_sealed(file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
    // Not the way std asks: a worker that is locked in may not name a path, not even an empty one.
    let found = u64::try_from(rustix::fs::fstat(file)?.st_size).map_err(io::Error::other)?;
    let bytes = usize::try_from(found.min(bytes_max)).map_err(io::Error::other)?;
    let mut read = vec![0; bytes];
    file.read_exact_at(&mut read, 0)?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn cache() -> (tempfile::TempDir, CodeCache) {
        let home = tempfile::tempdir().expect("a directory");
        let cache = CodeCache::open(&home.path().join("code")).expect("a cache");
        (home, cache)
    }

    fn key() -> Digest {
        code_key(Digest::of(b"component"), Digest::of(b"engine"))
    }

    fn stored(home: &tempfile::TempDir) -> std::path::PathBuf {
        home.path().join("code").join(name(key()))
    }

    #[test]
    fn code_that_was_kept_is_found_again_by_another_process() {
        let (home, cache) = cache();
        cache.keep(key(), b"native code", Isolation::L2).expect("kept");
        let again = CodeCache::open(&home.path().join("code")).expect("the same cache");
        let Found::Code(mut code) = again.find(key(), Isolation::L2).expect("found") else {
            panic!("it was kept")
        };
        let mut bytes = Vec::new();
        std::io::Seek::rewind(&mut code).expect("a file");
        code.read_to_end(&mut bytes).expect("readable");
        assert_eq!(bytes, b"native code");
    }

    #[test]
    fn c_29_code_of_another_engine_is_not_found() {
        let (_home, cache) = cache();
        cache.keep(key(), b"native code", Isolation::L2).expect("kept");
        let newer = code_key(Digest::of(b"component"), Digest::of(b"newer engine"));
        assert!(matches!(cache.find(newer, Isolation::L2), Ok(Found::Nothing)));
    }

    #[test]
    fn code_that_was_made_under_less_than_is_required_is_not_found() {
        let (_home, cache) = cache();
        cache.keep(key(), b"native code", Isolation::L2).expect("kept");
        assert!(matches!(cache.find(key(), Isolation::L3), Ok(Found::Nothing)));
        assert!(matches!(cache.find(key(), Isolation::L0), Ok(Found::Code(_))));
    }

    #[test]
    fn nobody_can_say_that_code_was_made_under_more() {
        let (home, cache) = cache();
        cache.keep(key(), b"native code", Isolation::L2).expect("kept");
        let mut bytes = std::fs::read(stored(&home)).expect("stored");
        assert_eq!(std::mem::replace(&mut bytes[MAC_BYTES], 3), 2);
        std::fs::write(stored(&home), bytes).expect("written");
        assert!(matches!(cache.find(key(), Isolation::L3), Ok(Found::Tampered)));
    }

    #[test]
    fn one_flipped_bit_makes_it_worthless() {
        let (home, cache) = cache();
        cache.keep(key(), b"native code", Isolation::L2).expect("kept");
        let mut bytes = std::fs::read(stored(&home)).expect("stored");
        *bytes.last_mut().expect("bytes") ^= 1;
        std::fs::write(stored(&home), bytes).expect("written");
        assert!(matches!(cache.find(key(), Isolation::L2), Ok(Found::Tampered)));
    }

    #[test]
    fn good_code_of_another_component_does_not_pass_for_this_one() {
        let (home, cache) = cache();
        let other = code_key(Digest::of(b"other"), Digest::of(b"engine"));
        cache.keep(other, b"native code", Isolation::L2).expect("kept");
        std::fs::rename(home.path().join("code").join(name(other)), stored(&home)).expect("moved");
        assert!(matches!(cache.find(key(), Isolation::L2), Ok(Found::Tampered)));
    }

    #[test]
    fn a_link_or_a_pipe_in_its_place_is_not_followed() {
        let (home, cache) = cache();
        std::os::unix::fs::symlink("/etc/passwd", stored(&home)).expect("a link");
        assert!(matches!(cache.find(key(), Isolation::L2), Ok(Found::Tampered)));
        std::fs::remove_file(stored(&home)).expect("removed");
        std::fs::create_dir(stored(&home)).expect("a directory");
        assert!(matches!(cache.find(key(), Isolation::L2), Ok(Found::Tampered)));
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("code");
        std::fs::create_dir(&path).expect("made");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).expect("opened");
        assert!(matches!(CodeCache::open(&path), Err(CacheFault::NotOurs { mode: 0o777, .. })));
    }

    #[test]
    fn a_lost_key_means_compiling_again_and_nothing_else() {
        let (home, cache) = cache();
        cache.keep(key(), b"native code", Isolation::L2).expect("kept");
        std::fs::remove_file(home.path().join("code").join(KEY_FILE)).expect("lost");
        let again = CodeCache::open(&home.path().join("code")).expect("a cache");
        assert!(matches!(again.find(key(), Isolation::L2), Ok(Found::Tampered)));
    }
}
