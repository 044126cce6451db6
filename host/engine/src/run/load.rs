//! The reducer of a job, out of its file: read, checked, compiled by whoever the options say.

use super::error::RunError;
use super::options::ReplayOptions;
use crate::bounded;
use crate::job::Resolved;
use retally_core::reduce::Reducer;
use retally_sandbox::{COMPONENT_MAX_BYTES, CacheUse, LoadError, Sandbox, SandboxConfig};
use std::path::Path;
use std::sync::Arc;

/// The reducer of the job, checked and compiled.
///
/// # Errors
/// A file that cannot be read, is no reducer, or is another one than the job asks for.
pub fn load(job: &Resolved, options: &ReplayOptions) -> Result<Arc<dyn Reducer>, RunError> {
    let path = job.path(&job.reducer.path);
    let reducer = load_file(job, &path, options)?;
    match job.reducer.sha256 {
        Some(expected) if expected != reducer.digest() => Err(RunError::OtherReducer {
            path,
            expected: expected.to_string(),
            found: reducer.digest().to_string(),
        }),
        _ => Ok(reducer),
    }
}

/// The reducer in a file, checked and compiled, within the job's limits.
///
/// # Errors
/// A file that cannot be read or is no reducer; [`RunError::Cancelled`] if nobody waits for it any
/// more.
pub fn load_file(
    job: &Resolved,
    path: &Path,
    options: &ReplayOptions,
) -> Result<Arc<dyn Reducer>, RunError> {
    let path = path.to_path_buf();
    let bytes = bounded::read(&path, COMPONENT_MAX_BYTES as u64)
        .map_err(|error| RunError::ReducerFile { path: path.clone(), error })?;
    let cancel = options.cancel.clone();
    let config = SandboxConfig {
        halt: Some(Arc::new(move || cancel.is_cancelled())),
        compiler_process: options.process_for(job.untrusted)?,
        memory: job.limits.memory_bytes as usize,
        deadline: job.limits.deadline,
        compiler: options.compiler,
        garbage: options.garbage,
        cache: options.cache.clone(),
        log: options.log.clone(),
        ..SandboxConfig::default()
    };
    let loaded = Sandbox::new(config)?.load(&bytes);
    let reducer = loaded.map_err(|error| match error {
        LoadError::Halted => RunError::Cancelled,
        error => RunError::Reducer { path, error },
    })?;
    match reducer.cache() {
        CacheUse::Rebuilt { reason } => (options.log)(&format!(
            "note: the compiled reducer that was kept is of no use and was made anew: {reason}"
        )),
        CacheUse::NotStored { reason } => {
            (options.log)(&format!("note: the compiled reducer was not kept: {reason}"));
        }
        CacheUse::Off | CacheUse::Hit | CacheUse::Stored => {}
    }
    Ok(reducer)
}
