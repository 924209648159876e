//! Running other programs: every command is shown before it runs, and a failure says which one failed and how.

use crate::Outcome;
use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};

/// Returns the cargo that started us, without the variables it set for us alone. They would make a child's build differ
/// from the same build typed by hand.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let ours = name.to_string_lossy();
        if ours.starts_with("CARGO_PKG_") || ours.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Shows a command on stderr and runs it with our own input and output; anything but success is a failure.
pub(crate) fn run(command: &mut Command) -> Outcome {
    eprintln!("$ {}", spelled(command));
    run_unseen(command)
}

/// Runs a command whose line is too long or too dull to show; a failure shows it after all.
pub(crate) fn run_unseen(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|why| not_started(command, &why))?;
    success(command, status)
}

/// Runs a command and returns its standard output, which must be UTF-8; its errors go to our stderr.
pub(crate) fn capture(command: &mut Command) -> Outcome<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|why| not_started(command, &why))?;
    success(command, output.status)?;
    String::from_utf8(output.stdout).map_err(|why| format!("{}: output is not text: {why}", spelled(command)))
}

/// Shows a command, runs it, passes its output on line by line and lets `watch` see each line too.
pub(crate) fn run_watched(command: &mut Command, mut watch: impl FnMut(&str)) -> Outcome {
    eprintln!("$ {}", spelled(command));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|why| not_started(command, &why))?;
    let output = child.stdout.take().ok_or("a piped output is missing")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.map_err(|why| format!("{}: output cannot be read: {why}", spelled(command)))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        watch(&line);
    }
    let status = child.wait().map_err(|why| format!("{}: cannot be waited for: {why}", spelled(command)))?;
    success(command, status)
}

/// Whether a program can be started at all: some are optional.
pub(crate) fn answers(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Returns the command as one would type it; cargo goes by its name, not by the path that rustup chose.
pub(crate) fn spelled(command: &Command) -> String {
    let program = command.get_program();
    let program = match env::var_os("CARGO") {
        Some(cargo) if cargo == program => OsStr::new("cargo"),
        _ => program,
    };
    let words = std::iter::once(program).chain(command.get_args());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%^~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn success(command: &Command, status: ExitStatus) -> Outcome {
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", spelled(command))) }
}

fn not_started(command: &Command, why: &std::io::Error) -> String {
    format!("{}: cannot be started: {why}", spelled(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_spelled_so_that_a_shell_reads_it_back() {
        let mut command = Command::new("host");
        command.args(["run", "my file.log", "it's", ""]);
        assert_eq!(spelled(&command), r"host run 'my file.log' 'it'\''s' ''");
    }

    #[test]
    fn a_failing_command_is_named_in_its_failure() {
        let failure =
            run_unseen(cargo().arg("--no-such-flag").stderr(Stdio::null())).expect_err("no such flag");
        assert!(failure.contains("--no-such-flag"), "{failure}");
    }

    #[test]
    fn a_missing_program_is_told_apart_from_a_failing_one() {
        let failure = run_unseen(&mut Command::new("no-such-program-anywhere")).expect_err("no such program");
        assert!(failure.contains("cannot be started"), "{failure}");
    }
}
