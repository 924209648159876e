//! FIX logs, as engines write them: any delimiter, any prefix, FIX 4.0 to FIXT.1.1, whole or damaged.
//!
//! A message that can be read becomes a row of `messages` with its flaws named; one that cannot, and a line that holds none,
//! is rejected; blank lines are skipped. Nothing else happens to a byte.
//!
//! The rooms: [`record`] finds where records end; [`message`] reads one message the careful way, with [`framing`] and
//! [`fields`]; [`fast`] reads the usual ones in one pass, with [`sequence`]; [`walk`] sees groups in a message, with the
//! [`dictionary`], and [`shape`] remembers what it saw; [`tables`], [`reports`], [`sessions`], [`market`] and [`groups`] write
//! rows; [`plan`] cuts a log into ranges. The rest are the small things they stand on.

pub mod delimiter;
pub mod dictionary;
pub mod fast;
pub mod faults;
pub mod fields;
pub mod framing;
pub mod groups;
pub mod market;
pub mod message;
pub mod number;
pub mod parse;
pub mod plan;
pub mod prefix;
pub mod record;
pub mod reports;
pub mod sequence;
pub mod sessions;
pub mod shape;
pub mod tables;
pub mod tags;
pub mod time;
pub mod value;
pub mod walk;

use casparian_sdk::prelude::*;

use crate::dictionary::Version;
use crate::faults::Flaw;
use crate::groups::{Fields, Groups};
use crate::market::MarketDataEntries;
use crate::parse::{BLANK_LINES, Context, DICTIONARY, Settings};
use crate::plan::{SAMPLE_BYTES, Sample};
use crate::reports::ExecutionReports;
use crate::sessions::SessionEvents;
use crate::tables::{Encoding, Messages};

/// The parser.
#[derive(Debug, Default)]
pub struct Fix;

impl Parser for Fix {
    fn describe(&self) -> Description {
        Description::new("fix", env!("CARGO_PKG_VERSION"))
            .doc("FIX logs: any delimiter, any prefix, FIX 4.0 to FIXT.1.1, whole or damaged.")
            .table::<Messages>()
            .table::<ExecutionReports>()
            .table::<SessionEvents>()
            .table::<MarketDataEntries>()
            .table::<Groups>()
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
            .option(
                OptionInfo::choice(Settings::DICTIONARY, &DICTIONARY.map(|(_, name)| name))
                    .default("groups")
                    .doc("What to ask the standard about: nothing (off), repeating groups (groups), or all it says (check)."),
            )
            .option(
                OptionInfo::choice(Settings::BLANK_LINES, &BLANK_LINES.map(|(_, name)| name))
                    .default("skip")
                    .doc("What becomes of blank lines: skipped, or each rejected as non_fix_line."),
            )
            .pattern("*.fix")
            .pattern("*.messages.log")
            .pattern("*fix*.log")
    }

    fn sniff(&self, input: &Input) -> u8 {
        Sample::of(&input.bytes(0, SAMPLE_BYTES)).certainty()
    }

    fn plan(&self, input: &Input, _: &Options, target_bytes: u64, _: &Output) -> Result<Layout, Fault> {
        let sample = input.bytes(0, SAMPLE_BYTES);
        let delimiter = Sample::of(&sample).delimiter();
        let default = plan::default_version(&sample).unwrap_or(Version::Fix50Sp2);
        let cuts = plan::cuts(input, delimiter, target_bytes);
        Ok(Layout::cut_at(input.len(), cuts).context(Context { delimiter, default }.to_bytes()))
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
        plan::boundary(input, Context::read(context)?.delimiter, after, false)
    }
}

casparian_sdk::export!(Fix);
