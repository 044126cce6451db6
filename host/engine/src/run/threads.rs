//! Threads of a run. One that cannot be started ends the run with words, not with a panic.

use super::error::RunError;
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Starts a thread in a scope.
///
/// # Errors
/// [`RunError::Thread`] when the machine gives none.
pub(super) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, RunError> {
    Builder::new().spawn_scoped(scope, work).map_err(RunError::Thread)
}
