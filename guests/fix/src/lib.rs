//! FIX logs, as engines write them: any delimiter, any prefix, FIX 4.0 to FIXT.1.1, whole or damaged.
//!
//! A message that can be read becomes a row of `messages` with its flaws named; one that cannot, and a line that holds none,
//! is rejected; blank lines are skipped. Nothing else happens to a byte. Nothing here knows a dictionary: what is said of
//! a field is true of it in every version.
//!
//! The rooms: [`record`] finds where records end; [`message`] reads one message the careful way, with [`framing`] and
//! [`fields`]; [`fast`] reads the usual ones in one pass, with [`sequence`]; [`tables`] writes rows; [`plan`] cuts a log into
//! ranges. The rest are the small things they stand on.

pub mod delimiter;
pub mod fast;
pub mod faults;
pub mod fields;
pub mod framing;
pub mod message;
pub mod number;
pub mod parse;
pub mod plan;
pub mod prefix;
pub mod record;
pub mod sequence;
pub mod tables;
pub mod tags;
pub mod time;

use casparian_sdk::prelude::*;

use crate::delimiter::Delimiter;
use crate::faults::Flaw;
use crate::parse::Settings;
use crate::plan::{SAMPLE_BYTES, Sample};
use crate::tables::{Encoding, Fields, Messages};

/// The parser.
#[derive(Debug, Default)]
pub struct Fix;

impl Parser for Fix {
    fn describe(&self) -> Description {
        Description::new("fix", env!("CARGO_PKG_VERSION"))
            .doc("FIX logs: any delimiter, any prefix, FIX 4.0 to FIXT.1.1, whole or damaged.")
            .table::<Messages>()
            .table::<Fields>()
            .faults::<Flaw>()
            .option(
                OptionInfo::choice(Settings::TEXT_ENCODING, &Encoding::ALL.map(|(_, name)| name))
                    .default("auto")
                    .doc("How text values are encoded. Text that is not valid in it is a fault, never altered."),
            )
            .option(
                OptionInfo::integer(Settings::RECORD_BYTES_MAX)
                    .default("1048576")
                    .doc("Longer records are rejected: 1024 to 8388608 bytes."),
            )
            .pattern("*.fix")
            .pattern("*.messages.log")
            .pattern("*fix*.log")
    }

    fn sniff(&self, input: &Input) -> u8 {
        Sample::of(&input.bytes(0, SAMPLE_BYTES)).certainty()
    }

    fn plan(&self, input: &Input, _: &Options, target_bytes: u64, _: &Output) -> Result<Layout, Fault> {
        let delimiter = Sample::of(&input.bytes(0, SAMPLE_BYTES)).delimiter();
        let cuts = plan::cuts(input, delimiter, target_bytes);
        Ok(Layout::cut_at(input.len(), cuts).context(delimiter.name().as_bytes().to_vec()))
    }

    fn parse(
        &self,
        input: &Input,
        range: Span,
        context: &[u8],
        options: &Options,
        out: &Output,
    ) -> Result<(), Fault> {
        parse::range(input, range, &Settings::read(context, options)?, out)
    }

    fn resync(&self, input: &Input, context: &[u8], after: u64) -> Option<u64> {
        let delimiter = Delimiter::ALL.into_iter().find(|(_, name)| name.as_bytes() == context)?.0;
        plan::boundary(input, delimiter, after, false)
    }
}

casparian_sdk::export!(Fix);
