//! How the program ends: the four exit codes that scripts may rely on.

use std::process::ExitCode;

/// What an exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// As asked.
    Ok = 0,
    /// A check failed: digests differ, a gate is broken, or a run applied no event at all.
    CheckFailed = 1,
    /// Bad usage, job or reducer: trying again will not help.
    Usage = 2,
    /// The run could not finish.
    Unfinished = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
