//! How far a confinement went, and whether that is far enough.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What stands between a guest and the machine. More is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Isolation {
    /// WebAssembly alone.
    L0,
    /// A process of its own, with resource limits.
    L1,
    /// And a list of the system calls that it may make.
    L2,
    /// And no file system, no network, no signals, no new executable memory: all that there is.
    L3,
}

impl Isolation {
    /// Every level, the weakest first.
    pub const ALL: [Self; 4] = [Self::L0, Self::L1, Self::L2, Self::L3];
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = Self::ALL.into_iter().find(|level| level.to_string() == text);
        level.ok_or_else(|| "a level of isolation is L0, L1, L2 or L3".to_owned())
    }
}

/// How far a process is confined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confinement {
    /// The level that was reached.
    pub level: Isolation,
    /// What this machine did not give, a line each. Nothing is missing if and only if the level is [`Isolation::L3`].
    pub missing: Vec<String>,
}

/// A confinement does not reach what somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("isolation {wanted} is required and this machine gives {level}: {}", .missing.join("; "))]
pub struct TooWeak {
    /// What is wanted.
    pub wanted: Isolation,
    /// What there is.
    pub level: Isolation,
    /// What is missing.
    pub missing: Vec<String>,
}

impl Confinement {
    /// Refuses a confinement weaker than `wanted`.
    pub fn check(&self, wanted: Isolation) -> Result<(), TooWeak> {
        if self.level >= wanted {
            return Ok(());
        }
        Err(TooWeak { wanted, level: self.level, missing: self.missing.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_as_it_is_written() {
        for level in Isolation::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert!("l3".parse::<Isolation>().is_err());
    }

    #[test]
    fn who_asks_for_more_than_there_is_hears_what_is_missing() {
        let weak = Confinement { level: Isolation::L2, missing: vec!["Landlock: none".to_owned()] };
        assert_eq!(weak.check(Isolation::L2), Ok(()));
        let refused = weak.check(Isolation::L3).map_err(|fault| fault.to_string());
        let said = "isolation L3 is required and this machine gives L2: Landlock: none";
        assert_eq!(refused, Err(said.to_owned()));
    }
}
