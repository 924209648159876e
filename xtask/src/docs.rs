//! `docs`: the reference of the command line, `docs/cli.md`, is what `--help` says and nothing else.

use crate::Outcome;
use crate::command::capture;
use crate::suite::build_host;
use crate::workspace::{self, read_text};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Deeper than any command of ours; a bound, should a help text ever list itself.
const DEPTH_MAX: usize = 4;

/// Writes the reference.
pub(crate) fn write(root: &Path) -> Outcome {
    workspace::write(&page_path(root), page(root)?.as_bytes())?;
    println!("docs/cli.md: written");
    Ok(())
}

/// Fails where the reference is not what would be written.
pub(crate) fn compare(root: &Path) -> Outcome {
    let now = page(root)?;
    let kept = read_text(&page_path(root))?;
    if now == kept {
        println!("docs/cli.md: as the help texts say");
        return Ok(());
    }
    let line = now.lines().zip(kept.lines()).take_while(|(now, kept)| now == kept).count();
    let (now, kept) = (now.lines().nth(line).unwrap_or(""), kept.lines().nth(line).unwrap_or(""));
    Err(format!(
        "docs/cli.md:{}: has\n  {kept}\nbut --help says\n  {now}\n  hint: `cargo xtask docs`, and read the change",
        line + 1
    ))
}

fn page_path(root: &Path) -> PathBuf {
    root.join("docs/cli.md")
}

fn page(root: &Path) -> Outcome<String> {
    build_host()?;
    let mut page = String::from(
        "# The command line\n\n<!-- Written by `cargo xtask docs`; change the help texts instead. -->\n",
    );
    describe(&workspace::host_binary(root), &[], &mut page)?;
    Ok(page)
}

/// Adds the help of one command and then of those below it.
fn describe(host: &Path, words: &[String], page: &mut String) -> Outcome {
    let help = help(host, words)?;
    let title = std::iter::once("host").chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    write!(page, "\n## {title}\n\n```text\n{}\n```\n", help.trim_end()).map_err(|why| why.to_string())?;
    if words.len() == DEPTH_MAX {
        return Ok(());
    }
    for name in subcommands(&help) {
        let below: Vec<String> = words.iter().cloned().chain([name]).collect();
        describe(host, &below, page)?;
    }
    Ok(())
}

/// Asks for help at a fixed width, without colour, and with trailing blanks removed: the same text on every terminal.
fn help(host: &Path, words: &[String]) -> Outcome<String> {
    let mut command = Command::new(host);
    command.args(words).arg("--help").env("COLUMNS", "100").env("NO_COLOR", "1");
    let text = capture(&mut command)?;
    Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

/// The names under `Commands:`. `help` is left out, for it only says again what stands here.
fn subcommands(help: &str) -> Vec<String> {
    let section =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A name stands two columns in; what stands further in goes on with a description.
    let entries = section.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    let names = entries.filter_map(|entry| entry.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subcommands_are_read_from_a_help_text() {
        let help = "Runs parsers.\n\nUsage: host <COMMAND>\n\nCommands:\n  run      Runs a parser\n           on inputs\n  inspect  Looks\n  help     Print this\n\nOptions:\n  -h\n";
        assert_eq!(subcommands(help), ["run", "inspect"]);
    }

    #[test]
    fn a_help_text_without_commands_has_none() {
        assert_eq!(subcommands("Usage: host run\n\nOptions:\n  -h\n"), Vec::<String>::new());
    }
}
