//! The parser alone: in the sandbox, metered, against compiled into this program.

use std::sync::Arc;

use casparian_host::source::Source;

use crate::Outcome;
use crate::clock::Spent;
use crate::contest::{Contender, contest};
use crate::input::Log;
use crate::native::{self, Input};
use crate::order::Order;
use crate::report::{Section, Target};
use crate::sandboxed::{Heard, Sandboxed, on_guest_thread};
use crate::site::Site;

const LOG: Log = Log::clean(200);
/// What a sandbox may cost is a third of a parser's time.
const SPEED_WANTED: f64 = 0.70;

const ABOUT: &str = "FIX, 200 MB, SOH, clean, table `messages`: reading, parsing, and the handover (guard, decoding, the \
intake's rules), into an ear that drops what it hears. The guest is metered; it is opened anew for every round. The file is \
in the page cache. The guest is built with fat LTO and one codegen unit, the native parser with the workspace's release profile. \
Left out: compiling, loading, judging, encoding.";

pub(crate) fn measure(site: &Site, order: &Order) -> Outcome<Section> {
    let sandboxed = Sandboxed::load(&site.component)?;
    let source = Arc::new(Source::open(&LOG.path(site)?)?);
    let wanted = native::tables()?;
    let (by_native, by_guest) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
    let native = Contender::new("native", |_| {
        on_guest_thread(|| {
            let input = Input::new(Arc::clone(&source));
            let (parsed, spent) = Spent::on_thread(|| native::parse(&input, &wanted, by_native.ear()));
            parsed.map(|()| spent)
        })
    });
    let guest = Contender::new("sandbox, fuel on", |_| {
        on_guest_thread(|| {
            let input = Input::new(Arc::clone(&source));
            let (parsed, spent) = Spent::on_thread(|| sandboxed.parse(input, wanted.clone(), by_guest.ear()));
            by_guest.burn(parsed?);
            Ok(spent)
        })
    });
    let series = contest(vec![native, guest], order.rounds)?;
    by_native.agree(&by_guest)?;
    let turns = (order.rounds + 1) as u64;
    let per_byte = by_guest.fuel() as f64 / (source.size() * turns) as f64;
    let about = format!("{ABOUT} {} rows; {per_byte:.1} fuel per input byte.", by_guest.rows() / turns);
    let mut section = Section::of_contest("Parsing", &about, LOG.megabytes, &series);
    let speed = series[1].speed_against(&series[0]).cpu;
    section.targets.push(Target::at_least("speed of the sandboxed parser, CPU", SPEED_WANTED, speed));
    Ok(section)
}
