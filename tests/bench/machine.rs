//! On what it was measured. What cannot be found out is said to be unknown: a report without it is better than none.

use std::fs;
use std::process::Command;
use std::thread;

use crate::site::Site;

/// Returns machine and versions, a line each.
pub(crate) fn describe(site: &Site) -> Vec<String> {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let lock = fs::read_to_string(site.root.join("Cargo.lock")).unwrap_or_default();
    let versions =
        ["wasmtime", "arrow-array", "parquet"].map(|name| format!("{name} {}", locked(&lock, name)));
    vec![
        format!("date: {}", said_by("date", &["-u", "+%Y-%m-%d %H:%M UTC"], site)),
        format!("processor: {}, {cores} cores seen", processor()),
        format!("kernel: {}", read("/proc/sys/kernel/osrelease")),
        format!("load when it began: {}", read("/proc/loadavg")),
        format!("compiler: {}", said_by("rustc", &["--version"], site)),
        format!("crates: {}", versions.join(", ")),
        format!("commit: {}", said_by("git", &["describe", "--always", "--dirty"], site)),
    ]
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(unknown, |(_, model)| model.to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| unknown(), |text| text.trim().to_owned())
}

fn said_by(program: &str, args: &[&str], site: &Site) -> String {
    let output = Command::new(program).args(args).current_dir(&site.root).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => unknown(),
    }
}

/// Finds a crate's version in a lockfile: the line behind its name.
fn locked(lock: &str, name: &str) -> String {
    let wanted = format!("name = \"{name}\"");
    let mut lines = lock.lines().skip_while(|line| *line != wanted).skip(1);
    let version = lines.next().and_then(|line| line.strip_prefix("version = "));
    version.map_or_else(unknown, |version| version.trim_matches('"').to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}
