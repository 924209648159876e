//! From a component's bytes to code that can be opened again and again.

use std::fs::File;
use std::hash::{Hash as _, Hasher};
use std::os::fd::AsRawFd as _;

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use casparian_core::id::{Digest, FieldHasher};
use casparian_core::limits::Limits;
use thiserror::Error;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, error::Context as _};

use crate::bindings::ParserPre;
use crate::engine::{engine, pooled_engine};
use crate::precheck::{self, Checked};
use crate::state::State;
use crate::world;

/// A component cannot be compiled or its code cannot be loaded.
#[derive(Debug, Error)]
pub enum CompileFault {
    /// wasmtime refuses the component.
    #[error("the component does not compile: {0}")]
    Component(GuestText),
    /// The component does not fit the world: a function of another type.
    #[error("the component does not fit the interface: {0}")]
    World(GuestText),
    /// Compiled code of another engine, or none at all.
    #[error("compiled code cannot be loaded: {0}")]
    Code(String),
    /// The engine cannot be set up on this machine.
    #[error("the engine cannot be set up: {0}")]
    Engine(String),
}

impl Blamed for CompileFault {
    fn blame(&self) -> Blame {
        match self {
            CompileFault::Component(_) | CompileFault::World(_) => Blame::Guest,
            CompileFault::Code(_) | CompileFault::Engine(_) => Blame::Host,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            CompileFault::Component(_) => "invalid-component",
            CompileFault::World(_) => "world-mismatch",
            CompileFault::Code(_) => "code-not-loaded",
            CompileFault::Engine(_) => "engine",
        }
    }
}

/// The engine and the closed world, set up once per process.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<State>,
}

/// Code that is ready to be opened: every open is a fresh guest.
pub struct Loaded {
    pub(crate) engine: Engine,
    pub(crate) guest: ParserPre<State>,
}

impl Sandbox {
    /// Sets up the engine. Of the limits only the stack's is the engine's.
    pub fn new(limits: &Limits) -> Result<Self, CompileFault> {
        Self::around(engine(limits))
    }

    /// Sets up an engine that takes the same code, for so many guests at a time, one after another: the memory of one that is gone is
    /// wiped and used again, which spares the next one a fault for each page that it touches.
    ///
    /// # Errors
    ///
    /// Fails where addresses are scarce (some 4 GiB for each memory that each guest may have). [`Sandbox::load`] then fails for
    /// components that do not fit into the pool. Neither says anything about the component: [`Sandbox::new`] has no such bounds.
    pub fn pooled(limits: &Limits, guests: u32) -> Result<Self, CompileFault> {
        Self::around(pooled_engine(limits, guests))
    }

    fn around(engine: wasmtime::Result<Engine>) -> Result<Self, CompileFault> {
        let set_up = || -> wasmtime::Result<Self> {
            let engine = engine?;
            let mut linker = Linker::new(&engine);
            world::link(&mut linker)?;
            Ok(Self { engine, linker })
        };
        set_up().map_err(|error| CompileFault::Engine(format!("{error:#}")))
    }

    /// Starts the threads that compile, and waits until they stand. Without it the first compilation does: too late for a
    /// process that is not to start threads then.
    ///
    /// # Errors
    ///
    /// Fails where threads cannot be started.
    pub fn start_compilers(threads: usize) -> Result<(), CompileFault> {
        let started = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        started.map_err(|error| CompileFault::Engine(format!("threads that compile: {error}")))?;
        rayon::broadcast(|_| ());
        Ok(())
    }

    /// Compiles a checked component. The result is native code: keep it where nobody else can write.
    pub fn compile(&self, component: &Checked<'_>) -> Result<Vec<u8>, CompileFault> {
        let compiled = self.engine.precompile_component(component.bytes());
        compiled.map_err(|error| CompileFault::Component(GuestText::new(&format!("{error:#}"), 512)))
    }

    /// Loads compiled code by mapping it.
    ///
    /// # Safety
    ///
    /// The file holds what [`Sandbox::compile`] of this very build returned, and nobody can change it while it is loaded: it
    /// becomes executable as it is.
    #[expect(
        unsafe_code,
        reason = "loading native code is trusting it; the caller has checked its MAC and sealed it"
    )]
    pub unsafe fn load(&self, code: &File) -> Result<Loaded, CompileFault> {
        // wasmtime maps a file by its path; a descriptor's path is this.
        let path = format!("/proc/self/fd/{}", code.as_raw_fd());
        // SAFETY: the caller's promise is the one that wasmtime asks for.
        let component = unsafe { Component::deserialize_file(&self.engine, path) };
        // The images that fresh memories are copied from are made now: later there may be no memory files to be had.
        let component = component.and_then(|it| it.initialize_copy_on_write_image().map(|()| it));
        let component = component.map_err(|error| CompileFault::Code(format!("{error:#}")))?;
        self.link(&component)
    }

    /// Compiles and loads in one step, for tests and tools that trust the process they are in.
    pub fn load_fresh(&self, component: &Checked<'_>) -> Result<Loaded, CompileFault> {
        let compiled = Component::from_binary(&self.engine, component.bytes());
        let component =
            compiled.map_err(|error| CompileFault::Component(GuestText::new(&format!("{error:#}"), 512)))?;
        self.link(&component)
    }

    fn link(&self, component: &Component) -> Result<Loaded, CompileFault> {
        let world = |error: wasmtime::Error| CompileFault::World(GuestText::new(&format!("{error:#}"), 512));
        let linked = self.linker.instantiate_pre(component).map_err(world)?;
        let guest = ParserPre::new(linked).context("exports").map_err(world)?;
        Ok(Loaded { engine: self.engine.clone(), guest })
    }

    /// Returns what compiled code depends on beside the component itself: engine build, configuration, processor. Code made
    /// under another one must not be loaded.
    pub fn code_key(&self) -> Digest {
        let mut hasher = KeyHasher(FieldHasher::new("casparian compiled code 1"));
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        let build = format!("casparian-sandbox {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
        let hasher = hasher.0.field(build.as_bytes()).field(processor_features().as_bytes());
        // Cached code has passed the allow-list of its time: another list, another key.
        precheck::allowed().fold(hasher, |hasher, name| hasher.field(name.as_bytes())).finish()
    }
}

/// Feeds std's hashing into SHA-256, so that a key does not depend on a 64-bit hash.
struct KeyHasher(FieldHasher);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = std::mem::take(&mut self.0).field(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// The processor features that the compiler may use. wasmtime checks them again when it loads.
fn processor_features() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        let features = [
            ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
            ("popcnt", std::arch::is_x86_feature_detected!("popcnt")),
            ("avx", std::arch::is_x86_feature_detected!("avx")),
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("bmi1", std::arch::is_x86_feature_detected!("bmi1")),
            ("bmi2", std::arch::is_x86_feature_detected!("bmi2")),
            ("lzcnt", std::arch::is_x86_feature_detected!("lzcnt")),
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
            ("avx512dq", std::arch::is_x86_feature_detected!("avx512dq")),
            ("avx512vl", std::arch::is_x86_feature_detected!("avx512vl")),
            ("avx512bitalg", std::arch::is_x86_feature_detected!("avx512bitalg")),
            ("avx512vbmi", std::arch::is_x86_feature_detected!("avx512vbmi")),
        ];
        let present = features.iter().filter(|(_, there)| *there).map(|(name, _)| *name);
        present.collect::<Vec<_>>().join(",")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        String::new()
    }
}
