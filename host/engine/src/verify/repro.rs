//! The folder that a failed verification leaves: a small log on which a perturbation makes a
//! difference, with its job, its reducer, and a note of what to do to see it again.

use super::VerifyOptions;
use super::held::Files;
use super::perturbation::Perturbation;
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;
use tempfile::TempDir;

/// The job's file in the folder.
pub const JOB: &str = "retally.toml";

/// The reducer's.
pub(super) const REDUCER: &str = "reducer.wasm";

/// The log's folder.
pub(super) const LOG: &str = "log";

/// The note's.
const NOTE: &str = "repro.json";

/// All that such a folder holds.
const OWN: [&str; 4] = [JOB, REDUCER, LOG, NOTE];

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
    /// It says what no verification writes.
    #[error(
        "has a {NOTE} that was edited, for its format, its perturbation or its tries are none; \
         verify anew"
    )]
    Edited,
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
        let read: Self = serde_json::from_str(&text).map_err(ReproError::NotOne)?;
        let is_known = Perturbation::ALL.iter().any(|own| own.name() == read.vary);
        if format.0 == 0 || !is_known || read.tries > TRIES {
            return Err(ReproError::Edited);
        }
        Ok(read)
    }

    /// Writes a folder beside the one that it is to be, the note last.
    pub(super) fn write(
        &self,
        dir: &Path,
        job: &str,
        reducer: &Path,
        log: &Files,
    ) -> Result<TempDir, String> {
        let within = dir.parent().unwrap_or(Path::new(""));
        let wrong = |error: io::Error| format!("{} cannot be written: {error}", dir.display());
        fs::create_dir_all(within).map_err(wrong)?;
        let fresh = TempDir::with_prefix_in(".retally-repro-", within).map_err(wrong)?;
        let path = fresh.path();
        fs::create_dir(path.join(LOG)).map_err(wrong)?;
        fs::copy(reducer, path.join(REDUCER)).map_err(wrong)?;
        for (name, bytes) in log {
            fs::write(path.join(LOG).join(name), bytes).map_err(wrong)?;
        }
        let head = format!(
            "# Of the log that was verified as little as shows that `{}` makes a difference:\n\
             # `retally verify --repro` on this folder shows it again.\n\n",
            self.vary
        );
        fs::write(path.join(JOB), head + job).map_err(wrong)?;
        let note = serde_json::to_string_pretty(self).unwrap_or_default();
        fs::write(path.join(NOTE), note + "\n").map_err(wrong)?;
        Ok(fresh)
    }
}

/// Puts a folder where it is to be, in place of one that was left before, and of nothing else.
pub(super) fn put(fresh: TempDir, dir: &Path) -> Result<(), String> {
    let shown = dir.display();
    let wrong = |error: io::Error| format!("{shown} cannot be written: {error}");
    if let Ok(entries) = fs::read_dir(dir) {
        let names = entries.flatten().map(|entry| entry.file_name());
        let is_own = |name: &OsString| OWN.iter().any(|own| name.as_os_str() == OsStr::new(own));
        let others = names.filter(|name| !is_own(name)).count();
        if others > 0 {
            return Err(format!(
                "{shown} is there already, and holds what no earlier verification left: remove it, \
                 or name another folder by --shrink-to"
            ));
        }
        fs::remove_dir_all(dir).map_err(wrong)?;
    }
    fs::rename(fresh.path(), dir).map_err(wrong)?;
    // It is no longer where it would be removed.
    let _ = fresh.keep();
    Ok(())
}
