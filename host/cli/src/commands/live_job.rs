//! The job of live work, for the verbs that do it and that look at what it did.

use super::job;
use crate::error::Failure;
use retally_engine::job::Resolved;
use std::path::PathBuf;

/// A job, and what the command line sets in place of it.
#[derive(Debug, clap::Args)]
pub(crate) struct LiveJob {
    /// The job file.
    #[arg(long, value_name = "FILE", default_value = "retally.toml")]
    job: PathBuf,
    /// Set a value of the job, such as `live.interval=1s`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Take this reducer instead of the job's.
    #[arg(long, value_name = "FILE")]
    reducer: Option<PathBuf>,
    /// Take this topic instead of the job's: `kafka://HOST:PORT/TOPIC`.
    #[arg(long, value_name = "URL")]
    source: Option<String>,
}

impl LiveJob {
    /// What will run.
    pub(crate) fn resolved(&self) -> Result<Resolved, Failure> {
        let mut authored = job::load(&self.job)?;
        if let Some(path) = &self.reducer {
            let path = std::path::absolute(path).map_err(Failure::usage)?;
            authored
                .set_text("job.reducer.path", &path.to_string_lossy())
                .map_err(Failure::usage)?;
        }
        if let Some(url) = &self.source {
            authored.set_text("source.url", url).map_err(Failure::usage)?;
        }
        job::resolve(authored, &self.set)
    }
}
