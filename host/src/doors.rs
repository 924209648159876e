//! Doors by which a fuzzer comes in: what strangers send and nobody but this crate reads otherwise. A worker's word, as a
//! supervisor takes it, since a worker may be in enemy hands; and a packed input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use casparian_core::fault::{Blame, FaultReport};
use casparian_core::flow::Tally;
use casparian_core::guest_text::GuestText;
use casparian_core::id::Digest;
use casparian_core::isolate::Toll;
use casparian_core::ledger::{Account, ByteClasses};
use casparian_core::limits::InputLimits;
use casparian_core::receipt::{Asked, Claim, ComponentClaim, InputClaim, OptionsClaim, Parties};
use casparian_sandbox::journal::Level;

use crate::orders::{Done, FileFor, News};
use crate::packing::{Compression, UnpackFault, Wish, packing_of, unpack};
use crate::report::{Accounting, Used};
use crate::request::TableChoice;
use crate::source::Source;
use crate::worker::choose;

/// Hears one message. Returns it as it would be said again; none where it makes no sense.
pub fn hear(message: &[u8]) -> Option<Vec<u8>> {
    let news: News = serde_json::from_slice(message).ok()?;
    match &news {
        News::Done(done) => count(done),
        News::Described { description, .. } => {
            let _ = (description.resolve_options(&[]), choose(&TableChoice::Default, description));
        }
        _ => {}
    }
    serde_json::to_vec(&news).ok()
}

/// Adds up what a worker says that a run came to. Numbers that do not go together claim nothing.
fn count(done: &Done) {
    let parties = Parties {
        component: ComponentClaim {
            name: GuestText::new("parser", 64),
            version: GuestText::new("1.0.0", 64),
            sha256: Digest::of(b""),
        },
        input: InputClaim { name: "input".to_owned(), sha256: Digest::of(b""), bytes: 100, unpacked: None },
        contract: None,
        options: OptionsClaim { sha256: Digest::of(b""), values: BTreeMap::new() },
        asked: Asked { tables: None, strict: false },
    };
    if let Some(claim) = Claim::new(parties, &done.tally, &done.account) {
        let _ = claim.hash();
    }
    let _ = Accounting::new(&done.tally, done.account.clone());
}

/// Returns messages as honest workers send them.
pub fn samples() -> Vec<Vec<u8>> {
    let mut tally = Tally { records: 3, ..Tally::default() };
    tally.quarantine.digest = Some(Digest::of(b""));
    let classes = ByteClasses { accepted_bytes: 99, dark_bytes: 1, ..ByteClasses::default() };
    let done = Done {
        has_quarantine: true,
        tally,
        account: Account { classes, dark: Vec::new(), dark_ranges: 1 },
        ranges: 1,
        threads: 2,
        toll: Toll::default(),
        used: Used::default(),
    };
    let fault = FaultReport {
        blame: Blame::Guest,
        code: "guest-trap".to_owned(),
        message: "unreachable".to_owned(),
        hint: None,
        at: None,
    };
    let news = [
        News::Done(Box::new(done)),
        News::Failed { fault, used: Used::default(), leaves_guests: true },
        News::File(FileFor::Quarantine),
        News::Progress { bytes: u64::MAX, accepted: 1, quarantined: 0 },
        News::Log(casparian_sandbox::journal::LogLine {
            level: Level::Warn,
            text: GuestText::new("\u{1b}", 9),
            at: None,
        }),
        News::Compiled,
    ];
    news.iter().filter_map(|news| serde_json::to_vec(news).ok()).collect()
}

/// Unpacks bytes as an input that is called a ZIP, and returns what they hold; nothing where they are not packed.
pub fn unpacked(bytes: &[u8]) -> Result<Option<Vec<u8>>, UnpackFault> {
    let memory = || rustix::fs::memfd_create("fuzz", rustix::fs::MemfdFlags::CLOEXEC).map(File::from);
    let kept = |error: rustix::io::Errno| UnpackFault::Unread(error.into());
    let mut packed = memory().map_err(kept)?;
    packed.write_all(bytes).map_err(UnpackFault::Unread)?;
    let source = Source::from_fd(packed.into(), "a.zip".to_owned());
    let source = source.map_err(|fault| UnpackFault::Unread(fault.into()))?;
    let wish = Wish { compression: Compression::Auto, member: None, name: "a.zip".to_owned() };
    let Some(packing) = packing_of(&source, &wish)? else { return Ok(None) };
    let spool = memory().map_err(kept)?;
    let limits = InputLimits { unpacked_bytes_max: 1 << 20, ..InputLimits::default() };
    let unpacked = unpack(&source, packing, &wish, &limits, &spool)?;
    let mut held = vec![0; usize::try_from(unpacked.bytes).unwrap_or(0)];
    spool.read_exact_at(&mut held, 0).map_err(UnpackFault::Unread)?;
    assert_eq!(unpacked.sha256, Digest::of(&held));
    Ok(Some(held))
}
