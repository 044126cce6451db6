//! Golden digests: what a job came to once, in a small file that is kept beside it, and what of
//! reducer, job and log is another one when it comes to something else.

use super::report::{Came, DigestPair};
use retally_core::digest::{Digests, Hash};
use retally_core::listed::listed;
use retally_core::log::Position;
use retally_core::manifest::{Manifest, PartitionTaken};
use serde::{Deserialize, Serialize};

/// Version of the file. Raise it when a reader of today would misread a file of tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GoldenFormat(pub u32);

impl GoldenFormat {
    /// What this version writes.
    pub const CURRENT: Self = Self(1);
}

/// What a job came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Version of this format.
    pub format: GoldenFormat,
    /// Version of Retally that wrote it.
    pub retally: String,
    /// The reducer's name and version, for people.
    pub reducer: String,
    /// SHA-256 of the reducer.
    pub reducer_sha256: Hash,
    /// The job digest.
    pub job: Hash,
    /// The digest of the input description.
    pub input: Hash,
    /// How far the log went.
    pub log: Vec<PartitionTaken>,
    /// The run digest.
    pub run: Hash,
    /// Its parts.
    pub digests: Digests,
    /// Whether it went on from a snapshot: then its input description is of what it took itself,
    /// and cannot be held against that of a replay from the start. No such run is recorded.
    #[serde(skip)]
    pub went_on: bool,
}

/// A file that cannot be read as one of golden digests; a fragment behind its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GoldenError {
    /// Of a newer version.
    #[error(
        "has format {0}, and this version of retally reads formats up to {current}; take a newer \
         retally",
        current = GoldenFormat::CURRENT.0
    )]
    Newer(u32),
    /// Something else.
    #[error("holds no golden digests: {0}; write them by `retally verify --record FILE`")]
    NotGolden(String),
}

/// How a run stands to golden digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Digests that differ: the golden one first.
    pub digests: Vec<DigestPair>,
    /// What is another one than when they were recorded.
    pub changed: Vec<Changed>,
}

/// Something that is another one than it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What.
    pub what: &'static str,
    /// What it was, and what it is.
    pub how: String,
}

impl Golden {
    /// What a run came to.
    pub fn of(manifest: &Manifest) -> Self {
        let reducer = &manifest.reducer;
        Self {
            format: GoldenFormat::CURRENT,
            retally: manifest.retally.clone(),
            reducer: format!("{}@{}", reducer.name, reducer.version),
            reducer_sha256: reducer.sha256,
            job: manifest.job.digest,
            input: manifest.input_digest,
            log: log_of(manifest),
            run: manifest.run_digest,
            digests: manifest.digests,
            went_on: manifest.from_snapshot.is_some(),
        }
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        text + "\n"
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// See [`GoldenError`].
    pub fn parse(text: &str) -> Result<Self, GoldenError> {
        #[derive(Deserialize)]
        struct Probe {
            format: GoldenFormat,
        }
        let wrong = |error: serde_json::Error| GoldenError::NotGolden(error.to_string());
        let Probe { format } = serde_json::from_str(text).map_err(wrong)?;
        if format > GoldenFormat::CURRENT {
            return Err(GoldenError::Newer(format.0));
        }
        if format.0 == 0 {
            let why = "it has format 0, and formats are numbered from 1";
            return Err(GoldenError::NotGolden(why.to_owned()));
        }
        serde_json::from_str(text).map_err(wrong)
    }

    /// Where the log ended that was taken, and how many events it has more, if a replay took all of
    /// that and more. What came new ends where it begins.
    pub fn grown(&self, manifest: &Manifest) -> Option<(Vec<Position>, u64)> {
        let now = Self::of(manifest).log;
        let events = |log: &[PartitionTaken]| log.iter().map(|own| own.events).sum::<u64>();
        let more = events(&now).checked_sub(events(&self.log)).filter(|more| *more > 0)?;
        let was = |of: &str| self.log.iter().find(|own| own.partition == of);
        let is_there = |own: &PartitionTaken| {
            let last = now.iter().find(|new| new.partition == own.partition);
            own.last.is_none() || last.is_some_and(|new| new.last >= own.last)
        };
        let end = |own: &PartitionTaken| {
            let last = was(&own.partition).and_then(|was| was.last);
            let offset = last.map_or(own.first.unwrap_or(0), |last| last + 1);
            Position { partition: own.partition.clone(), offset }
        };
        self.log.iter().all(is_there).then(|| (now.iter().map(end).collect(), more))
    }

    /// How a run stands to it.
    pub fn held_against(&self, manifest: &Manifest) -> Held {
        let now = Self::of(manifest);
        let came = |of: &Self| {
            let (run, digests, partitions) = (of.run, of.digests, Vec::new());
            Came { run, digests, partitions, input: of.input }
        };
        let mut changed = Vec::new();
        let mut change = |what, was: &dyn ToString, is: &dyn ToString| {
            let (was, is) = (was.to_string(), is.to_string());
            if was != is {
                changed.push(Changed { what, how: format!("was {was}, is {is}") });
            }
        };
        let reducer = |of: &Self| format!("{} ({})", of.reducer, of.reducer_sha256);
        change("reducer", &reducer(self), &reducer(&now));
        change("job", &self.job, &now.job);
        change("log", &extent(self), &extent(&now));
        let is_other = self.input != now.input && !self.went_on;
        if !changed.iter().any(|changed| changed.what == "log") && is_other {
            let (was, is) = (self.input, now.input);
            let how = format!("has the same events by number, and other bytes: was {was}, is {is}");
            changed.push(Changed { what: "log", how });
        }
        Held { digests: came(self).differences(&came(&now), true), changed }
    }
}

/// How far the log was taken, from its beginning: a run that went on from a snapshot notes of its
/// input what it took itself.
fn log_of(manifest: &Manifest) -> Vec<PartitionTaken> {
    let whole = |of: &str| manifest.partitions.iter().find(|own| own.partition == of);
    let before = |of: &str| {
        let next = &manifest.from_snapshot.as_ref()?.next;
        next.iter().find(|own| own.partition == of)?.offset.checked_sub(1)
    };
    let mut log = manifest.input.partitions.clone();
    for own in &mut log {
        own.events = whole(&own.partition).map_or(own.events, |own| own.events);
        own.last = own.last.or_else(|| before(&own.partition));
    }
    log
}

/// Partitions that a text names.
const PARTITIONS_SHOWN: usize = 8;

/// How far a log goes, as text.
fn extent(of: &Golden) -> String {
    let events: u64 = of.log.iter().map(|own| own.events).sum();
    let last = |own: &PartitionTaken| match own.last {
        Some(last) => format!("{}:{last}", own.partition),
        None => format!("{} empty", own.partition),
    };
    let named = listed(of.log.iter().map(last), PARTITIONS_SHOWN, ", ");
    format!("{events} events up to {named}")
}

impl Held {
    /// Whether the run came to what was recorded.
    pub fn agrees(&self) -> bool {
        self.digests.is_empty()
    }
}
