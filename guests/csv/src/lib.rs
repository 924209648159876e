//! Delimited text as it really is: any delimiter, quote, encoding and header, whole or damaged.
//!
//! Every cell comes out as the text that it is; what it means is the contract's to say. A record that cannot be read is rejected, what
//! is no record is skipped, and how an input was understood stands in `file_profile`, where every decision can be looked up and by an
//! option overruled.
//!
//! The rooms: [`encoding`], [`dialect`] and [`record`] are how text is written; [`score`] finds the dialect, [`structure`] and
//! [`header`] the tables, by what cells look like ([`kind`]); [`plan`] puts that together into a [`context`] and a [`profile`];
//! [`reader`] judges one record after the other, over a [`source`]; [`parse`] writes them, and [`fast`] does both where all is as it should be.

pub mod context;
pub mod dialect;
pub mod encoding;
pub mod fast;
pub mod faults;
pub mod header;
pub mod kind;
pub mod names;
pub mod options;
pub mod parse;
pub mod plan;
pub mod profile;
pub mod reader;
pub mod record;
pub mod score;
pub mod source;
pub mod structure;

use casparian_sdk::prelude::*;

use crate::context::Context;
use crate::faults::Flaw;
use crate::options::Settings;
use crate::parse::Pace;
use crate::structure::TABLES_MAX;

/// The parser.
#[derive(Debug, Default)]
pub struct Csv;

impl Parser for Csv {
    fn describe(&self) -> Description {
        let mut description = Description::new("csv", env!("CARGO_PKG_VERSION"))
            .doc("Delimited text as it really is: any delimiter, quote, encoding and header, whole or damaged.")
            .open_table("rows", "The records of the first table, or the only one; columns are those of its header.");
        for place in 1..TABLES_MAX {
            description = description
                .open_table(&plan::table_name(place), "The records of a further table in the same input.");
        }
        let description = description.schema(
            profile::schema().doc("How the input was understood: every decision, with what speaks for it."),
        );
        options::describe(description)
            .faults::<Flaw>()
            .pattern("*.csv")
            .pattern("*.tsv")
            .pattern("*.psv")
            .pattern("*.tab")
    }

    fn sniff(&self, input: &Input) -> u8 {
        plan::certainty(input)
    }

    fn plan(
        &self,
        input: &Input,
        options: &Options,
        target_bytes: u64,
        out: &Output,
    ) -> Result<Layout, Fault> {
        let settled = plan::settle(input, &Settings::read(options)?);
        profile::write(&settled.decisions, out)?;
        let cuts = plan::cuts(input, &settled.context, target_bytes);
        Ok(Layout::cut_at(input.len(), cuts).context(settled.context.to_bytes()))
    }

    fn parse(
        &self,
        input: &Input,
        range: Span,
        context: &[u8],
        _: &Options,
        out: &Output,
    ) -> Result<(), Fault> {
        parse::range(input, range, &Context::read(context)?, Pace::Fast, out)
    }

    fn resync(&self, input: &Input, context: &[u8], after: u64) -> Option<u64> {
        plan::next_boundary(input, &Context::read(context).ok()?, after)
    }
}

casparian_sdk::export!(Csv);
