//! The digest of an input, which is taken while the input is parsed: a pass over all of it that nobody should wait for who
//! does not need it yet.

use std::fmt;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::thread::{Scope, ScopedJoinHandle};

use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::id::Digest;

use crate::source::{Source, SourceFault};

/// A digest to whoever writes it into files: known, or to be asked for when it is first needed.
#[derive(Clone)]
pub struct InputDigest(Arc<Asked>);

struct Asked {
    known: OnceLock<Digest>,
    ask: Box<dyn Fn() -> io::Result<Digest> + Send + Sync>,
}

impl InputDigest {
    /// Asks when it is first needed, and waits for the answer then.
    pub fn asked(ask: impl Fn() -> io::Result<Digest> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Asked { known: OnceLock::new(), ask: Box::new(ask) }))
    }

    /// Returns the digest.
    pub fn get(&self) -> io::Result<Digest> {
        match self.0.known.get() {
            Some(sha256) => Ok(*sha256),
            None => (self.0.ask)().map(|sha256| *self.0.known.get_or_init(|| sha256)),
        }
    }
}

impl From<Digest> for InputDigest {
    fn from(sha256: Digest) -> Self {
        Self::asked(move || Ok(sha256))
    }
}

impl fmt::Debug for InputDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.known.get())
    }
}

/// A digest to whoever takes it: taken already, or being taken on a thread of its own.
pub(crate) enum Hashing<'scope> {
    Done(Digest),
    Under(ScopedJoinHandle<'scope, Result<Digest, SourceFault>>),
    Failed(FaultReport),
}

impl<'scope> Hashing<'scope> {
    /// Begins to take the digest of an input.
    pub(crate) fn begin<'env>(
        scope: &'scope Scope<'scope, 'env>,
        source: &'env Source,
        stop: &'env AtomicBool,
    ) -> Self {
        Self::Under(scope.spawn(move || source.hash(stop)))
    }

    /// Waits for the digest. What was wrong with the input is told every time.
    pub(crate) fn finish(&mut self) -> Result<Digest, FaultReport> {
        let taken = match std::mem::replace(self, Self::Failed(panicked())) {
            Self::Done(sha256) => Ok(sha256),
            Self::Under(thread) => {
                thread.join().map_or_else(|_| Err(panicked()), |taken| taken.map_err(|fault| fault.report()))
            }
            Self::Failed(fault) => Err(fault),
        };
        *self = taken.clone().map_or_else(Self::Failed, Self::Done);
        taken
    }
}

fn panicked() -> FaultReport {
    FaultReport {
        blame: Blame::Host,
        code: "internal".to_owned(),
        message: "the host panicked over the digest of the input".to_owned(),
        hint: None,
        at: None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_digest_is_asked_for_once_and_not_before_it_is_needed() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let digest = InputDigest::asked(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(Digest::of(b"input"))
        });
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        let shared = digest.clone();
        assert_eq!([digest.get().unwrap(), shared.get().unwrap()], [Digest::of(b"input"); 2]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_digest_that_nobody_tells_is_an_error_each_time() {
        let digest = InputDigest::asked(|| Err(io::Error::other("the supervisor is gone")));
        assert!((0..2).all(|_| digest.get().is_err()));
    }

    #[test]
    fn an_input_is_hashed_beside_whoever_waits_for_it_in_the_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, b"input").unwrap();
        let (source, stop) = (Source::open(file.path()).unwrap(), AtomicBool::new(false));
        thread::scope(|scope| {
            let mut hashing = Hashing::begin(scope, &source, &stop);
            assert_eq!(hashing.finish().unwrap(), Digest::of(b"input"));
            assert_eq!(hashing.finish().unwrap(), Digest::of(b"input"));
        });
    }

    #[test]
    fn a_digest_that_is_not_wanted_any_more_is_told_as_interrupted_each_time() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, b"input").unwrap();
        let (source, stop) = (Source::open(file.path()).unwrap(), AtomicBool::new(true));
        thread::scope(|scope| {
            let mut hashing = Hashing::begin(scope, &source, &stop);
            assert!((0..2).all(|_| hashing.finish().unwrap_err().code == "interrupted"));
        });
    }
}
