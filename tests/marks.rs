//! High-water marks of memory: of processes that live, by looking at them now and then.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::Child;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// How often memory is looked at, in nanoseconds. The kernel keeps each process's high-water mark, so that what is missed is
/// only what a process takes for the first time within this long of its end.
const LOOK_EVERY_NS: i64 = 2_000_000;

/// Returns the high-water marks of a process and of all that it started, by their number, in bytes, once it has come to its end.
///
/// # Errors
///
/// Fails where the kernel does not say when a process ends.
pub fn watch(child: &Child) -> io::Result<BTreeMap<u32, u64>> {
    let exit = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut marks = BTreeMap::new();
    loop {
        let mut ready = [PollFd::new(&exit, PollFlags::IN)];
        let wait = Timespec { tv_sec: 0, tv_nsec: LOOK_EVERY_NS };
        if poll(&mut ready, Some(&wait))? > 0 {
            return Ok(marks);
        }
        look(child.id(), &mut marks);
    }
}

/// Notes the high-water marks of a process and of those it started. Who is gone by now is left as it was.
fn look(pid: u32, marks: &mut BTreeMap<u32, u64>) {
    let mut due = vec![pid];
    while let Some(pid) = due.pop() {
        if let Some(mark) = of_process(pid) {
            marks.insert(pid, mark);
        }
        due.extend(children(pid));
    }
}

/// Returns the high-water mark of a process, in bytes; none of one that has ended.
pub fn of_process(pid: u32) -> Option<u64> {
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
