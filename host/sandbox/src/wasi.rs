//! WASI 0.2 for components that were built elsewhere and import it: all of it is there and none of it holds anything. No
//! files, no environment, no arguments, no input; a clock that stands still, so that every wait is over at once; randomness
//! that repeats; what is printed goes to the journal.
//!
//! Our own guests import nothing of this. The interfaces are linked one by one: sockets are not among them.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use casparian_core::id::FieldHasher;
use casparian_core::limits::Limits;
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sync};
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamResult, subscribe};
use wasmtime_wasi::random::{Deterministic, WasiRandom};
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::journal::{Journal, Level};
use crate::state::State;

/// What the clock says for ever: 2000-01-01T00:00:00Z, in seconds since 1970.
const NOW_S: u64 = 946_684_800;
/// Bytes of randomness before it repeats.
const RANDOM_PERIOD_BYTES: u64 = 8192;
/// What a guest may write to its output at once.
const WRITE_BYTES_MAX: usize = 64 * 1024;

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.handles }
    }
}

struct Streams;

impl HasData for Streams {
    type Data<'a> = &'a mut ResourceTable;
}

/// Links the interfaces of the allow-list, and no other.
pub(crate) fn link(l: &mut Linker<State>) -> wasmtime::Result<()> {
    cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    clocks::monotonic_clock::add_to_linker::<State, WaitsOf>(l, |state| Waits {
        handles: &mut state.handles,
    })?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    filesystem::preopens::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    sync::filesystem::types::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    random::random::add_to_linker::<State, WasiRandom>(l, |state| state.wasi.random())?;
    random::insecure::add_to_linker::<State, WasiRandom>(l, |state| state.wasi.random())?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(l, |state| state.wasi.random())?;
    wasmtime_wasi_io::bindings::wasi::io::error::add_to_linker::<State, Streams>(l, |state| {
        &mut state.handles
    })?;
    sync::io::poll::add_to_linker::<State, Streams>(l, |state| &mut state.handles)?;
    sync::io::streams::add_to_linker::<State, Streams>(l, |state| &mut state.handles)
}

/// Builds the empty WASI of one guest.
pub(crate) fn context(limits: &Limits, journal: &Journal) -> WasiCtx {
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(Printed { journal: journal.clone(), level: Level::Info })
        .stderr(Printed { journal: journal.clone(), level: Level::Warn })
        .wall_clock(StoppedClock)
        .secure_random(Deterministic::new(RANDOMNESS.clone()))
        .insecure_random(Deterministic::new(RANDOMNESS.clone()))
        .insecure_random_seed(0)
        .max_random_size(limits.random_bytes_max)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    wasi.build()
}

/// Bytes that look random and are the same in every run, on every machine. Made once: hashing them takes longer than all
/// else that a fresh guest needs.
static RANDOMNESS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let block = |n| *FieldHasher::new("casparian guest randomness").number(n).finish().as_bytes();
    (0..RANDOM_PERIOD_BYTES / 32).flat_map(block).collect()
});

struct StoppedClock;

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::from_secs(NOW_S)
    }
}

/// The clock that guests wait by. Time does not pass, so whatever they wait for is due already: a wait in real time would
/// cost a worker its deadline, and a run its repeatability.
struct Waits<'a> {
    handles: &'a mut ResourceTable,
}

struct WaitsOf;

impl HasData for WaitsOf {
    type Data<'a> = Waits<'a>;
}

impl clocks::monotonic_clock::Host for Waits<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(0)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, _when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let due = self.handles.push(Due)?;
        subscribe(self.handles, due)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.subscribe_instant(duration)
    }
}

/// Something to wait for that is there.
struct Due;

impl Pollable for Due {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }
}

/// Calls something that calls guests, on a thread that lends itself to their blocking WASI calls. Without it the first of
/// these starts a pool of threads, and a worker that is locked in dies of that.
///
/// # Errors
///
/// Fails where the runtime of this one thread cannot be set up.
pub fn on_this_thread_alone<T>(call: impl FnOnce() -> T) -> std::io::Result<T> {
    let runtime: Runtime = Builder::new_current_thread().build()?;
    let _entered = runtime.enter();
    Ok(call())
}

/// What a guest prints, on its way to the journal.
#[derive(Clone)]
struct Printed {
    journal: Journal,
    level: Level,
}

impl Printed {
    fn write_lines(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        text.lines().for_each(|line| self.journal.write(self.level, line, None));
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl Pollable for Printed {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.write_lines(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl tokio::io::AsyncWrite for Printed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.write_lines(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
