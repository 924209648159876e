//! The pure heart of Casparian: bytes and values in, values out.
//!
//! Nothing here asks the time, the disk, the network or the environment; it is handed them. Read in this order:
//!
//! * [`flow`], the story: what a guest says becomes verdicts, and at each commit rows leave for a sink or the hold.
//! * [`intake`], the guest's side of that story: what may be said, in what order, within what bounds.
//! * [`isolate`], how a run goes on behind a record that kills its parser.
//! * [`wire`], the door for bytes: nothing hostile passes it. [`batch`] is what comes out.
//! * [`contract`], what rows must be, and the judge.
//! * [`infer`], what a contract could say of rows that were seen.
//! * [`ledger`], which bytes were accepted, quarantined, skipped, and the dark rest.
//! * [`digest`], what rows say, whatever file they stand in.
//! * [`receipt`], what a run claims, and under which circumstances.
//! * [`description`], what a parser says it is; [`wanted`], which of its tables somebody wants.
//! * [`limits`], every bound with its unit; [`fault`], whose fault it is; [`id`] and [`guest_text`], names and strangers' words.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

pub mod batch;
pub mod contract;
pub mod description;
pub mod digest;
pub mod fault;
pub mod flow;
pub mod guest_text;
pub mod id;
pub mod infer;
pub mod intake;
pub mod isolate;
pub mod ledger;
pub mod limits;
pub mod merge;
pub mod receipt;
pub mod wanted;
pub mod wire;
