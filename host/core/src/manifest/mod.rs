//! What ran, on what, with what result: the manifest of a run, version 1.
//!
//! The same run makes the same bytes: nothing here tells of a clock, a thread or a path of the
//! machine; all that varies lies in `audit.jsonl` beside it. What made the results (the engine) is
//! named outside the digests, so that equal digests from different engines are worth showing.

mod changed;
mod counts;
mod follows;
mod input;
mod ranged;
mod seal;
mod settings;
mod span;
mod totals;
pub(crate) mod words;

pub use crate::reduce::Engine;
pub use changed::{Change, Checked, Hole, PassedOver, sentence};
pub use counts::{Counts, CountsError};
pub use input::{Finding, Found, Input, Object, PartitionTaken, Xxh3};
pub use ranged::Ranged;
pub use seal::{Sealed, shapes_digest};
pub use settings::{Difference, Entry, Param, Range, Settings};
pub use span::{parse_span, span_text};
pub use totals::{FieldTotal, TableTotals, Totals, TotalsError};

use crate::digest::{Digests, Hash, PartitionCount, run_digest};
use crate::log::Position;
use crate::schema::Description;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Version of the manifest's format. Raise it when a reader of today would misread a manifest of
/// tomorrow: a field that changes its meaning, or one that must not be overlooked. Readers refuse
/// what is newer than they are; old versions stay readable for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ManifestFormat(pub u32);

impl ManifestFormat {
    /// What this version writes.
    pub const CURRENT: Self = Self(1);
}

/// What ran, on what, with what result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format.
    pub format: ManifestFormat,
    /// Version of Retally.
    pub retally: String,
    /// What a reader must know before anything else.
    pub marks: Marks,
    /// What came out, as one value.
    pub run_digest: Hash,
    /// What ran, on what, with what result, as one value.
    pub seal: Hash,
    /// What came out.
    pub digests: Digests,
    /// What became of this run's events.
    pub counts: Counts,
    /// The same since the history began; only after a snapshot, or after events that were replayed
    /// for the state that they leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_start: Option<Counts>,
    /// Rows and exact sums, to compare with another system.
    pub totals: Totals,
    /// Events with a record since the history began, per partition in the order of their names:
    /// with the digests they make the run digest.
    pub partitions: Vec<PartitionCount>,
    /// Where the events with a record of this run lie, as one value.
    pub positions: Hash,
    /// Where this run went on from; none: from the start of the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_snapshot: Option<FromSnapshot>,
    /// How its range was asked for; none: it took none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Ranged>,
    /// Newer snapshots from which it did not go on, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOver>,
    /// The reducer.
    pub reducer: ReducerId,
    /// Digest of what it declares of its emits and its view.
    pub shapes: Hash,
    /// What was asked for.
    pub job: Job,
    /// Digest of `input`.
    pub input_digest: Hash,
    /// What was read.
    pub input: Input,
    /// What computed it.
    pub engine: Engine,
    /// What it takes to recompute the digests from the run's files, by what: written and read by
    /// whoever writes and checks run directories.
    pub control: serde_json::Value,
    /// Every file of the run but this one and what varies, by path; none: the run has no files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<RunFile>,
}

/// A file of a run directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// Its path from the run directory, `/` between its parts.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

/// What a reader must know before anything else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// The run took a part of the log only (`--from`, `--to`, `--limit`). One that went on from a
    /// snapshot without such a bound took the whole.
    pub partial: bool,
    /// The run took some keys only (`--keys`).
    pub subset: bool,
    /// The history began without the state that belonged to its first position (`--empty-state`).
    pub empty_state: bool,
    /// The history went on though the log was no longer what was taken of it
    /// (`--accept-changed-log`): a run from the start may give something else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed_log: bool,
    /// The history went on with states that an older version of the reducer had made (`--migrate`):
    /// a run of this one from the start may give something else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub migrated: bool,
    /// Before the snapshot from which the run went on lie events of which no finished run has
    /// outcomes and emits: whoever puts the emits of runs together lacks theirs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hole: bool,
}

/// The snapshot from which a run went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromSnapshot {
    /// Its name within its folder.
    pub name: String,
    /// SHA-256 of its manifest.
    pub sha256: Hash,
    /// First offset of each partition that it does not hold.
    pub next: Vec<Position>,
    /// How closely the log was held against what the snapshot took of it.
    #[serde(default)]
    pub checked: Checked,
    /// Objects of the log that were not read again, because nothing of them is new: their XXH3 in
    /// the input description is what it was when they were taken.
    #[serde(default)]
    pub carried: u64,
    /// In what the log had changed, here or earlier in the history, and was gone on with all the
    /// same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Change>,
    /// Versions of the reducer whose states were taken over, here or earlier in the history, the
    /// oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrated: Vec<Migrated>,
    /// What no finished run has of the events before it, by partition and offset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<Hole>,
    /// What was wrong with the run that saved it: gates that it broke, or that it applied nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broke: Vec<String>,
    /// Whether the history had begun without the state that belonged to its first position.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_state: bool,
}

/// A version of a reducer whose states another one took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migrated {
    /// Its name and version, `name@version`.
    pub reducer: String,
    /// SHA-256 of its artifact.
    pub sha256: Hash,
    /// Version of its states.
    pub state_version: u32,
    /// Events of the history up to there.
    pub events: u64,
    /// Keys whose views were the same after a replay by the version that took them over.
    pub checked_keys: u64,
}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reducer, state_version, events, checked_keys, .. } = self;
        write!(
            f,
            "states of {reducer} (state version {state_version}) were taken over after {events} \
             events, "
        )?;
        match checked_keys {
            0 => f.write_str("and none was held against a replay"),
            1 => f.write_str("and the view of 1 key held against a replay"),
            keys => write!(f, "and the views of {keys} keys held against a replay"),
        }
    }
}

impl FromSnapshot {
    /// Whose states were taken over, in one sentence.
    pub fn migrated_text(&self) -> String {
        self.migrated.iter().map(Migrated::to_string).collect::<Vec<_>>().join("; ")
    }

    /// In what the log had changed, in one sentence.
    pub fn accepted_text(&self) -> String {
        sentence(&self.accepted)
    }

    /// What no finished run has, in one sentence.
    pub fn holes_text(&self) -> String {
        Hole::sentence(&self.holes)
    }

    /// What was wrong with the run that saved it, in one sentence; none: nothing.
    pub fn broke_text(&self) -> Option<String> {
        let what = self.broke.join("; ");
        (!what.is_empty()).then(|| format!("the run that saved the snapshot did not hold: {what}"))
    }
}

/// Which reducer it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReducerId {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the artifact.
    pub sha256: Hash,
    /// Version of the contract that it was built for.
    pub contract: String,
    /// Version of its state.
    pub state_version: u32,
    /// Layout of its state.
    pub layout: String,
}

impl ReducerId {
    /// What a reducer says of itself, and the hash of its bytes.
    pub fn new(reducer: &Description, sha256: Hash, contract: &str) -> Self {
        Self {
            name: reducer.name.clone(),
            version: reducer.version.clone(),
            sha256,
            contract: contract.to_owned(),
            state_version: reducer.state.version,
            layout: reducer.state.layout.clone(),
        }
    }

    /// The first thing in which two reducers differ; names and versions are for people and decide
    /// nothing.
    pub fn difference(&self, needed: &Self) -> Option<Difference> {
        let full = |id: &Self| format!("{}@{} ({})", id.name, id.version, id.sha256);
        let state_version = |id: &Self| id.state_version.to_string();
        if self.sha256 == needed.sha256 && self.contract == needed.contract {
            return None;
        }
        let (what, held, needed) = if self.contract != needed.contract {
            ("contract".into(), self.contract.clone(), needed.contract.clone())
        } else if self.name == needed.name && self.state_version != needed.state_version {
            // Of one reducer the state is named rather than the hash, which says nothing to
            // anybody.
            ("state version".into(), state_version(self), state_version(needed))
        } else if self.name == needed.name && self.layout != needed.layout {
            // The same version with another layout is its author's mistake.
            let what = format!("layout of state version {}", self.state_version);
            (what, self.layout.clone(), needed.layout.clone())
        } else {
            ("reducer".into(), full(self), full(needed))
        };
        Some(Difference::new(what, held, needed))
    }
}

/// What was asked for: all that can decide a result, and what it takes to ask again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Digest of `settings`.
    pub digest: Hash,
    /// All that can decide a result.
    pub settings: Settings,
    /// The rest of the job as a person wrote it, by key (`source.url`): enough to run it again from
    /// the folder of its job file.
    pub written: BTreeMap<String, serde_json::Value>,
}

/// Name of the member behind all others, which digests what stands in front of it.
const OWN_DIGEST: &str = "manifest_digest";

impl Manifest {
    /// The bytes of `manifest.json`. The last member is SHA-256 of all bytes in front of the comma
    /// before it, so that no edit of any of them passes for what was written.
    ///
    /// # Errors
    /// Never: every map in it has text keys.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        let unwritable = |error: serde_json::Error| ManifestError::NotAManifest(error.to_string());
        let mut bytes = serde_json::to_vec_pretty(self).map_err(unwritable)?;
        // Without the brace that ends it, and the line's end before that.
        bytes.truncate(bytes.len() - 2);
        let own = Hash::of(&bytes);
        bytes.extend(format!(",\n  \"{OWN_DIGEST}\": \"{own}\"\n}}\n").into_bytes());
        Ok(bytes)
    }

    /// Reads `manifest.json`. Whether what it says holds together is for [`Manifest::check`].
    ///
    /// # Errors
    /// A newer format, no manifest at all, or other bytes than [`Manifest::to_bytes`] gives for
    /// what it says.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest = Self::as_it_stands(bytes)?;
        match manifest.to_bytes()? == bytes {
            true => Ok(manifest),
            false => Err(ManifestError::Edited),
        }
    }

    /// Reads a `manifest.json` that may have been edited: for whoever says what is wrong with it.
    ///
    /// # Errors
    /// A newer format, or no manifest at all.
    pub fn as_it_stands(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Probe {
            format: ManifestFormat,
        }
        let wrong = |error: serde_json::Error| ManifestError::NotAManifest(error.to_string());
        let mut map: serde_json::Map<_, _> = serde_json::from_slice(bytes).map_err(wrong)?;
        // Whatever has no number of a format is not of this format either.
        let Probe { format } = serde_json::from_value(map.clone().into()).map_err(wrong)?;
        if format > ManifestFormat::CURRENT {
            return Err(ManifestError::Newer(format.0));
        }
        if format.0 == 0 {
            let why = "it has format 0, and formats are numbered from 1";
            return Err(ManifestError::NotAManifest(why.to_owned()));
        }
        map.remove(OWN_DIGEST);
        serde_json::from_value(map.into()).map_err(wrong)
    }

    /// The seal over these and what else of the manifest it covers.
    pub fn seal_of(&self, run: &Hash, job: &Hash, input: &Hash) -> Hash {
        let Self { positions, reducer, shapes, .. } = self;
        let history = self.from_snapshot.as_ref().zip(self.since_start.as_ref());
        let replayed = self.replayed().zip(self.since_start.as_ref());
        Sealed { run, positions, reducer, shapes, job, input, history, replayed }.seal()
    }

    /// Recomputes all that follows from the manifest alone: the sum of the counts, the number of
    /// emits, what stands in it twice, the job digest, the input description's digest, the run
    /// digest and the seal. That digests and control totals fit the run's files is for whoever has
    /// the files.
    ///
    /// # Errors
    /// The first value that does not follow from the others.
    pub fn check(&self) -> Result<(), ManifestError> {
        self.counted()?;
        let job = self.job.settings.digest().ok_or(ManifestError::Params)?;
        let run = run_digest(&self.digests, &self.partitions);
        let input = self.input.digest();
        let seal = self.seal_of(&run, &job, &input);
        for (what, stands, follows) in [
            ("job digest", self.job.digest, job),
            ("digest of the input description", self.input_digest, input),
            ("run digest", self.run_digest, run),
            ("seal", self.seal, seal),
        ] {
            if stands != follows {
                return Err(ManifestError::DoesNotFollow { what, stands, follows });
            }
        }
        self.unfit()
    }

    /// The same but for the digests, which whoever has the files recomputes from those.
    ///
    /// # Errors
    /// The first value that does not fit the others.
    pub fn fits(&self) -> Result<(), ManifestError> {
        self.counted()?;
        self.unfit()
    }

    fn counted(&self) -> Result<(), ManifestError> {
        for counts in [Some(&self.counts), self.since_start.as_ref()].into_iter().flatten() {
            counts.check()?;
        }
        let emitted: u128 = self.totals.emits.values().map(|kind| u128::from(kind.rows)).sum();
        if emitted != u128::from(self.counts.emits) {
            return Err(ManifestError::Totals(emitted, self.counts.emits));
        }
        Ok(())
    }

    fn unfit(&self) -> Result<(), ManifestError> {
        follows::unfit(self).map_or(Ok(()), |what| Err(ManifestError::Unfit(what)))
    }
}

impl Manifest {
    /// Whether the run began at the start and applied nothing: then log, key or format are likely
    /// other ones than its owner thinks. A part behind a snapshot may well find nothing new.
    pub fn is_vain(&self) -> bool {
        self.counts.applied == 0 && self.from_snapshot.is_none()
    }

    /// What a person should know: signs that the log was read otherwise than its owner thinks.
    pub fn notes(&self) -> Vec<String> {
        let unit = self.job.written.get("source.time_unit").and_then(|unit| unit.as_str());
        let times = self.counts.times.and_then(|times| times.note(unit));
        let of_counts = times.into_iter().chain(self.counts.note()).chain(self.ledger_note());
        self.input.notes().into_iter().chain(of_counts).collect()
    }

    /// Whether entries of the ledger took nothing out, as far as the run can tell.
    fn ledger_note(&self) -> Option<String> {
        let entries = self.job.settings.ledger.len() as u64;
        let taken = self.since_start.as_ref().unwrap_or(&self.counts).quarantined;
        let is_part = self.marks.partial || self.marks.subset;
        (!is_part && taken < entries).then(|| {
            let none = entries - taken;
            format!(
                "{none} of {entries} entries of the ledger took no event out: nothing lies at that \
                 position, or what lies there is ignored or malformed"
            )
        })
    }
}

/// What is wrong with a manifest. A fragment that fits behind the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Written by a later version.
    #[error(
        "has format {0}, and this version of retally reads formats up to {known}; use the version \
         that wrote it or a later one",
        known = ManifestFormat::CURRENT.0
    )]
    Newer(u32),
    /// Not JSON, or not of the shape of its format.
    #[error("is no manifest: {0}")]
    NotAManifest(String),
    /// Counts that do not add up.
    #[error(transparent)]
    Counts(#[from] CountsError),
    /// Control totals of another number of emits than were counted.
    #[error("has control totals of {0} emits, but counts {1}")]
    Totals(u128, u64),
    /// A param that is no value of its kind.
    #[error("holds a param that is no value of its kind")]
    Params,
    /// Bytes that this is not the writing of.
    #[error(
        "was edited since it was written: its last member digests all the others, and a member \
         that stands twice or is written otherwise counts as an edit"
    )]
    Edited,
    /// Values that cannot stand together.
    #[error("has {0}")]
    Unfit(String),
    /// A digest that does not follow from what it covers.
    #[error("says that the {what} is {stands}, but what it covers gives {follows}")]
    DoesNotFollow {
        /// Which.
        what: &'static str,
        /// What it says.
        stands: Hash,
        /// What it should say.
        follows: Hash,
    },
}

#[cfg(test)]
mod tests;
