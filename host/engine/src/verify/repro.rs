//! The folder that a failed verification leaves: a small log on which a perturbation makes a
//! difference, with its job, its reducer, and a note of what to do to see it again.

use super::VerifyOptions;
use super::held::Files;
use super::perturbation::Perturbation;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// The job's file in the folder.
pub const JOB: &str = "retally.toml";

/// The reducer's.
pub(super) const REDUCER: &str = "reducer.wasm";

/// The log's folder.
pub(super) const LOG: &str = "log";

/// The note's.
const NOTE: &str = "repro.json";

/// How often what shows by chance is tried.
const TRIES: u32 = 32;

/// Version of the note. Raise it when a reader of today would misread one of tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReproFormat(pub u32);

impl ReproFormat {
    /// What this version writes.
    pub const CURRENT: Self = Self(1);
}

/// What to do to see a difference again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repro {
    /// Version of this format.
    pub format: ReproFormat,
    /// Version of Retally that wrote it.
    pub retally: String,
    /// The perturbation's name.
    pub vary: String,
    /// By which what is changed by chance is changed the same way again.
    pub seed: u64,
    /// Threads of the replays.
    pub threads: usize,
    /// Events of the log.
    pub events: u64,
    /// How often it is tried at the most, where the difference shows by chance.
    pub tries: u32,
}

/// A folder that is none of these; a fragment behind its name.
#[derive(Debug, thiserror::Error)]
pub enum ReproError {
    /// Its note cannot be read.
    #[error("has no {NOTE} that can be read: {0}; name a folder that `retally verify` left")]
    Read(io::Error),
    /// Its note is of a newer version.
    #[error(
        "has a {NOTE} of format {0}, and this version of retally reads formats up to {current}; \
         take a newer retally",
        current = ReproFormat::CURRENT.0
    )]
    Newer(u32),
    /// Its note is something else.
    #[error("has a {NOTE} that is none: {0}; name a folder that `retally verify` left")]
    NotOne(serde_json::Error),
}

impl Repro {
    pub(super) fn of(
        what: Perturbation,
        options: &VerifyOptions,
        (events, is_chance): (u64, bool),
    ) -> Self {
        Self {
            format: ReproFormat::CURRENT,
            retally: env!("CARGO_PKG_VERSION").to_owned(),
            vary: what.name().to_owned(),
            seed: options.seed,
            threads: options.replay.threads,
            events,
            tries: if is_chance { TRIES } else { 1 },
        }
    }

    /// Reads the note of a folder.
    ///
    /// # Errors
    /// See [`ReproError`].
    pub fn read(dir: &Path) -> Result<Self, ReproError> {
        #[derive(Deserialize)]
        struct Probe {
            format: ReproFormat,
        }
        let text = fs::read_to_string(dir.join(NOTE)).map_err(ReproError::Read)?;
        let Probe { format } = serde_json::from_str(&text).map_err(ReproError::NotOne)?;
        if format > ReproFormat::CURRENT {
            return Err(ReproError::Newer(format.0));
        }
        serde_json::from_str(&text).map_err(ReproError::NotOne)
    }

    /// Writes the folder, the note last; in place of one that was left before, and of nothing else.
    pub(super) fn write(
        &self,
        dir: &Path,
        job: &str,
        reducer: &Path,
        log: &Files,
    ) -> Result<(), String> {
        let wrong = |error: io::Error| format!("{} cannot be written: {error}", dir.display());
        match fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
            Ok(true) if !dir.join(NOTE).exists() => {
                let text = "is there already, and is no folder of an earlier verification";
                return Err(format!("{} {text}: remove it, or name another", dir.display()));
            }
            Ok(_) => fs::remove_dir_all(dir).map_err(wrong)?,
            Err(_) => {}
        }
        fs::create_dir_all(dir.join(LOG)).map_err(wrong)?;
        fs::copy(reducer, dir.join(REDUCER)).map_err(wrong)?;
        for (name, bytes) in log {
            fs::write(dir.join(LOG).join(name), bytes).map_err(wrong)?;
        }
        let head = format!(
            "# Of the log that was verified as little as shows that `{}` makes a difference:\n\
             # `retally verify --repro` on this folder shows it again.\n\n",
            self.vary
        );
        fs::write(dir.join(JOB), head + job).map_err(wrong)?;
        let note = serde_json::to_string_pretty(self).unwrap_or_default();
        fs::write(dir.join(NOTE), note + "\n").map_err(wrong)
    }
}
