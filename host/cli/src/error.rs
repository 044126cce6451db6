//! Failures as a person reads them: one sentence that says what and where, the chain of causes, and
//! a hint with the next command.

use crate::exit::Exit;
use retally_engine::run::RunError;
use std::fmt::Write as _;

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    cause: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    /// Bad usage, job or reducer.
    pub(crate) fn usage(cause: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, cause: cause.into(), hint: None }
    }

    /// What was asked could not be finished.
    pub(crate) fn unfinished(cause: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unfinished, cause: cause.into(), hint: None }
    }

    /// What was asked was done, and did not hold.
    pub(crate) fn check_failed(cause: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::CheckFailed, cause: cause.into(), hint: None }
    }

    /// An error that knows whether usage is to blame, or else what was asked could not be finished.
    pub(crate) fn of(cause: impl Into<anyhow::Error>, is_usage: bool) -> Self {
        if is_usage { Self::usage(cause) } else { Self::unfinished(cause) }
    }

    /// Adds the next thing to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether nothing is wrong but that nobody reads the output any more (`| head`).
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.cause.chain().any(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
        })
    }

    pub(crate) fn render(&self) -> String {
        let mut text = format!("error: {}\n", self.cause);
        let mut said = self.cause.to_string();
        for cause in self.cause.chain().skip(1) {
            let sentence = cause.to_string();
            // Some errors repeat their cause in their own sentence.
            if !said.ends_with(&sentence) {
                let _ = writeln!(text, "  because: {sentence}");
            }
            said = sentence;
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "hint: {hint}");
        }
        crate::report::text::harmless_lines(&text)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let exit = match (error.is_check(), error.is_usage()) {
            (true, _) => Exit::CheckFailed,
            (_, true) => Exit::Usage,
            _ => Exit::Unfinished,
        };
        Self { exit, cause: error.into(), hint: None }
    }
}

/// Output that cannot be written ends a verb as unfinished.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::unfinished(anyhow::Error::new(error).context("cannot write the output"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn sentence_causes_and_hint() {
        let cause = anyhow!("no such file").context("cannot read job a.toml");
        let text = Failure::usage(cause).hint("retally reducer new NAME").render();
        let expected = "error: cannot read job a.toml\n  because: no such file\n\
                        hint: retally reducer new NAME\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_cause_that_is_said_already_is_not_repeated() {
        let cause = anyhow!("disk full").context("cannot write x: disk full");
        assert_eq!(Failure::unfinished(cause).render(), "error: cannot write x: disk full\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = Failure::usage(anyhow!("key \x1b[31mred")).render();
        assert_eq!(text, "error: key \\u{1b}[31mred\n");
    }
}
