//! The loader itself: one order, one transaction, one word, and it is gone.

use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;

use cap_std::fs::Dir;
use casparian_core::fault::{Blame, Blamed as _, FaultReport};
use casparian_core::guest_text::GuestText;
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

use super::fault::{LoadFault, WORDS_BYTES_MAX};
use super::{Loaded, News, Order, database};
use crate::link::{Link, Received};

/// Most memory of a loader. What was staged comes from a worker, which is not trusted.
const DATA_BYTES_MAX: u64 = 2 << 30;

/// Does the one order that comes over standard input, which is a socket.
pub fn main() -> ExitCode {
    let Ok(socket) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) else {
        return ExitCode::from(70);
    };
    let link = Link::from_fd(socket);
    if let Ok(link) = link.share() {
        std::panic::set_hook(Box::new(move |panic| tell_of_panic(&link, panic)));
    }
    let news = match link.receive::<Order>() {
        Ok(Received::Message(order, fds)) => {
            work(&order, fds).map_or_else(|fault| News::Failed(fault.report()), News::Loaded)
        }
        // Nobody has anything to do for us, or nobody is there.
        Ok(Received::Closed | Received::Nothing) => return ExitCode::from(70),
        Err(fault) => News::Failed(LoadFault::Link(fault.to_string()).report()),
    };
    match link.send(&news, &[]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(70),
    }
}

fn work(order: &Order, fds: Vec<OwnedFd>) -> Result<Loaded, LoadFault> {
    bound().map_err(|error| LoadFault::Link(format!("the loader cannot be bounded: {error}")))?;
    let staged =
        fds.into_iter().next().ok_or_else(|| LoadFault::Link("no folder came with it".to_owned()))?;
    fence(&staged, order);
    database::load(order, &Dir::from_std_file(staged.into()))
}

/// Leaves this process what was staged and the database's folder, as far as the kernel can: what is staged was written by a
/// worker, and is read by a library in C. What is in the way of it is in the way of the database, which says so better.
fn fence(staged: &OwnedFd, order: &Order) {
    let database = super::path_of(&order.database).canonicalize();
    let Some(folder) = database.as_ref().ok().and_then(|path| path.parent()) else { return };
    let _ = casparian_jail::fence_to(staged.as_fd(), folder);
}

/// Bounds this process, and ties its life to its supervisor's: what nobody waits for any more is not committed.
fn bound() -> rustix::io::Result<()> {
    let limit = |resource, most: u64| {
        let inherited = rustix::process::getrlimit(resource).maximum;
        let most = inherited.map_or(most, |inherited| inherited.min(most));
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    };
    limit(Resource::Core, 0)?;
    limit(Resource::Data, DATA_BYTES_MAX)?;
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
}

/// Says that we have panicked, and where. The transaction is gone with us.
fn tell_of_panic(link: &Link, panic: &std::panic::PanicHookInfo<'_>) {
    let words = panic.payload_as_str().unwrap_or_default();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let text = format!("the loader panicked at {place}: {words}");
    let message = GuestText::new(&text, WORDS_BYTES_MAX).to_string();
    let code = "internal".to_owned();
    let fault = FaultReport { blame: Blame::Host, code, message, hint: None, at: None };
    // Nobody is left to tell if this fails.
    let _ = link.send(&News::Failed(fault), &[]);
}
