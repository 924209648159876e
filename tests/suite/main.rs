//! Every test that needs the whole house: the program that people run, over guests as they are built.
//!
//! * [`evil`], [`limits`], [`imports`], [`bombs`]: guests that misbehave, and what must come of each. [`isolate`]: what goes on
//!   behind a trap.
//! * [`inputs`]: that what is read is the same however it came, or is not read.
//! * [`verdicts`], [`contract`], [`quarantine`], [`receipts`]: what rows are judged by, what is held, and what can be shown for it.
//! * [`lanes`]: ranges of one input side by side.
//! * [`many`], [`union`], [`each`]: many inputs, and the one dataset that becomes of them, or an output each.
//!   [`infer`]: a contract drafted from them. [`database`]: runs that
//!   are loaded.
//! * [`report`], [`cli`], [`determinism`], [`fix_truth`], [`python_guests`], [`formats`], [`documents`]: that what is said is true.
//! * [`fuzz`]: any bytes at all, at every door; [`calls`]: any calls in any order; [`smith`]: any code at all;
//!   [`sweep`]: faults at any system call.
//! * [`tidy`]: that the house stands as its plan says.
//!
//! The rest is furniture: [`host`] runs the program, [`scales`] weighs it, [`component`], which fuzzing has as well, writes components as text, [`tables`] reads what was written.

mod bombs;
mod calls;
mod cli;
mod contract;
mod database;
mod determinism;
mod documents;
mod each;
mod evil;
mod fix_truth;
mod formats;
mod fuzz;
mod host;
mod imports;
mod infer;
mod inputs;
mod isolate;
mod jail;
mod lanes;
mod limits;
mod many;
mod python;
mod python_guests;
mod python_speed;
mod quarantine;
mod receipts;
mod report;
mod scales;
mod smith;
mod sweep;
mod tables;
mod tidy;
mod union;
mod verdicts;

use casparian_fuzz::component;
