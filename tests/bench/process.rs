//! Contenders that are processes: their time, and the memory of all that they start.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use casparian_tests::marks;

use crate::Outcome;
use crate::clock::Spent;
use crate::site::Site;

/// The high-water marks of a process and of all that it started, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peak {
    /// Of all together. Never less than what was in use at any time.
    pub(crate) tree: u64,
    /// Of the largest one.
    pub(crate) largest: u64,
}

/// Runs a command to its end.
pub(crate) fn time(site: &Site, command: &mut Command) -> Outcome<Spent> {
    let ((), spent) = Spent::in_children(|| {
        let child = start(site, command)?;
        end(site, command, child)
    })?;
    Ok(spent)
}

/// Runs commands one after another, each to its end. Their time is taken together: a clock of processes ticks slowly.
pub(crate) fn time_all(site: &Site, commands: impl IntoIterator<Item = Command>) -> Outcome<Spent> {
    let ((), spent) = Spent::in_children(|| {
        commands.into_iter().try_for_each(|mut command| {
            let child = start(site, &mut command)?;
            end(site, &command, child)
        })
    })?;
    Ok(spent)
}

/// Runs a command to its end and watches its memory. Watching costs time, so this one is not timed.
pub(crate) fn peak(site: &Site, command: &mut Command) -> Outcome<Peak> {
    let child = start(site, command)?;
    let marks = marks::watch(&child)?;
    end(site, command, child)?;
    if marks.is_empty() {
        return Err(format!("{command:?} ended before its memory could be looked at").into());
    }
    Ok(Peak { tree: marks.values().sum(), largest: marks.values().copied().max().unwrap_or(0) })
}

fn start(site: &Site, command: &mut Command) -> Outcome<Child> {
    let talk = File::create(site.folder.join("stderr"))?;
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(talk).spawn();
    started.map_err(|why| format!("{command:?}: {why}").into())
}

fn end(site: &Site, command: &Command, mut child: Child) -> Outcome {
    let status = child.wait()?;
    if !status.success() {
        let talk = fs::read_to_string(site.folder.join("stderr"))?;
        return Err(format!("{command:?} ended with {status}: {talk}").into());
    }
    Ok(())
}
