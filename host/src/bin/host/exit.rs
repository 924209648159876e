//! How the program ends: one table of exit codes, for `--help` and for the code that exits.

use std::process::ExitCode;

use casparian_core::fault::Blame;

/// What an exit code means. Ascending by gravity: of several inputs the gravest one is the program's.
///
/// A verdict is less than a fault; a fault of one input is less than one of the parser, which meets every input; what an
/// operator must mend comes next, then what may pass by itself, then our own bugs. Whoever interrupts knows why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done. Rows may be in quarantine; the summary says so.
    Done,
    /// The verdict is no.
    No,
    /// Of many inputs some are published, and some failed or were held.
    Partial,
    /// The input's fault.
    Input,
    /// The parser's fault.
    Guest,
    /// The operator's fault: configuration, paths, policy.
    Operator,
    /// The command line cannot be understood.
    Usage,
    /// The machine is short of something; trying again may help.
    Transient,
    /// Our bug.
    Bug,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// The table as `--help` shows it.
pub(crate) const HELP: &str = "\
Exit codes:
    0  done; rows may be in quarantine, and the summary says so
    1  the verdict is no: `--strict` and something is in quarantine, or a check failed
    2  the command line cannot be understood
    3  of many inputs some failed or were held; the others are published
   10  the parser's fault: it trapped, broke the interface or met a limit
   11  the input's fault
   12  the operator's fault: a path, an option, a policy
   70  our bug
   75  the machine is short of something; try again
  130  interrupted; nothing was published

Where all inputs failed the gravest counts: 70, 75, 12, 10, 11.";

impl Exit {
    /// Returns the number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Partial => 3,
            Exit::Guest => 10,
            Exit::Input => 11,
            Exit::Operator => 12,
            Exit::Bug => 70,
            Exit::Transient => 75,
            Exit::Interrupted => 130,
        }
    }

    /// Returns what a code in a report means. A code outside the table is our bug.
    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            0 => Exit::Done,
            1 => Exit::No,
            2 => Exit::Usage,
            3 => Exit::Partial,
            10 => Exit::Guest,
            11 => Exit::Input,
            12 => Exit::Operator,
            75 => Exit::Transient,
            130 => Exit::Interrupted,
            _ => Exit::Bug,
        }
    }

    /// Returns the exit that stands for a blame.
    pub(crate) fn from_blame(blame: Blame) -> Self {
        Self::from_code(blame.exit_code())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Exit; 10] = [
        Exit::Done,
        Exit::No,
        Exit::Partial,
        Exit::Input,
        Exit::Guest,
        Exit::Operator,
        Exit::Usage,
        Exit::Transient,
        Exit::Bug,
        Exit::Interrupted,
    ];

    #[test]
    fn every_code_reads_back_and_is_in_the_table() {
        for exit in ALL {
            assert_eq!(Exit::from_code(exit.code()), exit);
            assert!(HELP.contains(&format!("\n{:>5}  ", exit.code())), "{exit:?} is not in the table");
        }
    }

    #[test]
    fn the_gravest_of_several_inputs_counts() {
        let worst = |codes: &[u8]| codes.iter().map(|code| Exit::from_code(*code)).max().unwrap().code();
        assert_eq!(worst(&[0, 1, 11]), 11);
        assert_eq!(worst(&[11, 10, 0]), 10);
        assert_eq!(worst(&[12, 10, 75]), 75);
        assert_eq!(worst(&[75, 70, 12]), 70);
        assert_eq!(worst(&[70, 130]), 130);
    }

    #[test]
    fn a_code_that_nobody_defined_is_our_bug() {
        assert_eq!(Exit::from_code(77), Exit::Bug);
    }
}
