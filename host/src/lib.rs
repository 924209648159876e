//! IO: opens real ports, keeps state, runs parsers nobody has to trust.
//!
//! * [`run`], the supervisor's story of one run; `request`, what was asked for; [`report`], what it tells; [`inspect`], a
//!   parser without an input.
//! * [`dataset`], many inputs of one parser, and the one output that becomes of them; [`columns`], where theirs differ; [`each`], an
//!   output for each.
//! * [`worker`], the process that does it; `supervisor`, who starts and kills it; `link` and `orders`, the socket between them.
//! * `component`, a parser on disk; [`code_cache`], its compiled code; [`program`], one in Python; [`build`], made ready to
//!   travel; [`watch`], run again on every save.
//! * [`input`], what somebody named; [`source`], the input, open; [`input_digest`], taken while it is parsed; [`packing`], one that is packed; [`sinks`], where good rows go; [`quarantine`], where bad ones are held; [`staging`], nothing
//!   half-published.
//! * [`loader`], the process that puts what is staged into a database.
//! * [`contract`], contracts by themselves: what is wrong with one, what it says, what it changes of another.
//! * `receipt`, what a run leaves to be checked; [`verify`], who checks it.
//! * [`glance`], what a run wrote, column by column.
//! * [`explain`], what reason codes mean; [`doctor`], whether this machine has what it takes.

pub mod build;
pub mod code_cache;
pub mod columns;
mod component;
pub mod contract;
pub mod dataset;
pub mod doctor;
#[doc(hidden)]
pub mod doors;
pub mod each;
pub mod embed;
pub mod explain;
pub mod glance;
pub mod infer;
pub mod input;
pub mod input_digest;
pub mod inspect;
mod interface;
mod link;
pub mod loader;
mod orders;
pub mod packing;
pub mod program;
pub mod quarantine;
mod receipt;
pub mod report;
mod request;
pub mod run;
mod scratch;
pub mod sinks;
pub mod source;
pub mod staging;
mod supervisor;
mod terms;
pub mod verify;
pub mod watch;
pub mod worker;
