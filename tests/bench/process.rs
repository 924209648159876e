//! Contenders that are processes: their time, and the memory of all that they start.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::Outcome;
use crate::clock::Spent;
use crate::site::Site;

/// How often memory is looked at, in nanoseconds. The kernel keeps each process's high-water mark, so that what is missed is
/// only what a process takes for the first time within this long of its end.
const LOOK_EVERY_NS: i64 = 2_000_000;

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
    let pid = Pid::from_child(&child);
    let exit = pidfd_open(pid, PidfdFlags::empty())?;
    let mut marks = BTreeMap::new();
    loop {
        let mut ready = [PollFd::new(&exit, PollFlags::IN)];
        let wait = Timespec { tv_sec: 0, tv_nsec: LOOK_EVERY_NS };
        if poll(&mut ready, Some(&wait))? > 0 {
            break;
        }
        look(child.id(), &mut marks);
    }
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

/// Notes the high-water marks of a process and of those it started. Who is gone by now is left as it was.
fn look(pid: u32, marks: &mut BTreeMap<u32, u64>) {
    let mut due = vec![pid];
    while let Some(pid) = due.pop() {
        if let Some(mark) = high_water_mark(pid) {
            marks.insert(pid, mark);
        }
        due.extend(children(pid));
    }
}

fn high_water_mark(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split(' ').filter_map(|pid| pid.trim().parse().ok()).collect::<Vec<_>>())
        .collect()
}
