//! What will run: a job with every value typed and every default in place.

use super::authored::Authored;
use super::error::JobError;
use super::gates::Gates;
use super::given::Given;
use super::params::Params;
use super::properties::{Property, properties};
use super::settings::SETTINGS;
use crate::source::{Format, Layout};
use crate::store::{Base, Folder, StoreError, Stores};
use retally_core::decode::Addressing;
use retally_core::dedup::Window;
use retally_core::digest::Hash;
use retally_core::log::{Order, Sort};
use retally_core::reduce::{Allowance, OnConflict, OnTrap};
use retally_core::schema::Description;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A job that can run, as far as can be told without the log and the reducer.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// Name of the job in messages: its file.
    pub origin: String,
    /// Folder at which relative paths and URLs start.
    pub base: PathBuf,
    /// The stores that its URLs may name; none, until whoever runs the job says how they are
    /// reached.
    pub stores: Stores,
    /// Name of the job in reports.
    pub name: String,
    /// The reducer.
    pub reducer: ReducerFile,
    /// Whether nobody vouches for the reducer: then it is compiled in a process of its own, and
    /// what it may give is bounded.
    pub untrusted: bool,
    /// How events of several partitions follow one another.
    pub order: Order,
    /// By what events are sorted: with order "sort", and with no other.
    pub sort: Option<Sort>,
    /// The ledger, as written.
    pub ledger: Option<PathBuf>,
    /// The log.
    pub source: Source,
    /// How long an id is remembered.
    pub window: Window,
    /// What happens when key and id were seen with other content.
    pub on_conflict: OnConflict,
    /// What happens when an event makes the reducer trap, every time.
    pub on_trap: OnTrap,
    /// Values for the reducer, to be typed by what it declares.
    pub params: Params,
    /// Bounds of the machine; they decide no result.
    pub limits: Limits,
    /// Folder in which runs get their folders, URL or bare path, as written.
    pub output: String,
    /// Where and when snapshots are saved; none: never.
    pub snapshots: Option<Snapshots>,
    /// To which topics live work publishes.
    pub publish: Publish,
    /// How live work goes on.
    pub live: Live,
    /// What a replay may come to.
    pub gates: Gates,
}

/// What stands for the name of an emit's kind in the name of a topic.
pub(crate) const KIND: &str = "{kind}";

/// The topics to which live work publishes, by their names; none: it is not published.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publish {
    /// Of emits; `{kind}` in it stands for the name of their kind.
    pub emits: Option<String>,
    /// Of views.
    pub views: Option<String>,
    /// Of events that were refused.
    pub refused: Option<String>,
}

/// How live work goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Live {
    /// The group of consumers; none: the job's name.
    pub group: Option<String>,
    /// How often what came out is committed.
    pub interval: Duration,
}

/// Where the reducer lies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReducerFile {
    /// Its file, as written.
    pub path: PathBuf,
    /// What its bytes must hash to.
    pub sha256: Option<Hash>,
}

/// Where the log lies and how it is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// URL or bare path, as written.
    pub url: String,
    /// The topic of which that is an archive, and which goes on where the archive ends.
    pub topic: Option<String>,
    /// What its objects hold.
    pub format: Format,
    /// How its folders and files are named, if that says more than which is which.
    pub layout: Option<Layout>,
    /// Properties of the client of Kafka, by their names.
    pub kafka: BTreeMap<String, Property>,
    /// Where schemas of records are, if their values are Avro.
    pub registry: SchemasAt,
    /// Where key, id and time lie. No part of a key: every input must name its own.
    pub addressing: Addressing,
    /// What happens when it is no longer what a snapshot took of it.
    pub late: Late,
}

/// Where schemas of a topic's records are: in a registry, or in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchemasAt {
    /// The registry's URL.
    pub url: Option<String>,
    /// Who asks it.
    pub user: Option<String>,
    /// With which password.
    pub password: Option<Property>,
    /// A file of certificates that are trusted beside those of this machine.
    pub ca: Option<PathBuf>,
    /// The folder, in which the schema with id 7 is `7.avsc`.
    pub folder: Option<PathBuf>,
}

/// What a run does that is to go on from a snapshot, when the log is no longer what the snapshot
/// took of it. Decides no result: whoever goes back takes the log as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Late {
    /// It stops.
    #[default]
    Refuse,
    /// It goes back to the newest snapshot of which this is not so, else to the start.
    Rewind,
}

/// Bounds of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Memory of one instance of the reducer, in bytes.
    pub memory_bytes: u64,
    /// CPU time of one call.
    pub deadline: Duration,
    /// What a run may hold (states, ids, partitions, batches on their way), in bytes; none: what
    /// whoever runs the job allows.
    pub host_memory_bytes: Option<u64>,
}

/// Where and when snapshots are saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshots {
    /// Folder of the snapshots, as written.
    pub url: String,
    /// How often.
    pub every: Every,
}

/// How often a snapshot is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Once, at the end of the run.
    End,
    /// After so many events, and at the end.
    Events(u64),
}

impl Resolved {
    /// Types what was written and fills in the defaults.
    ///
    /// # Errors
    /// The first value that makes no sense, is not built yet, or is missing.
    pub fn new(authored: &Authored) -> Result<Self, JobError> {
        let mut job = Self {
            origin: authored.origin().to_owned(),
            base: authored.base().to_path_buf(),
            params: Params::new(authored),
            ..Self::default()
        };
        let defaults = Authored::defaults()?;
        for setting in SETTINGS {
            let (key, written) = (setting.key, authored.get(setting.key));
            match (written.or(defaults.get(key)), setting.required) {
                (Some(written), _) => (setting.read)(&mut job, &Given { key, written })?,
                (None, Some(hint)) => {
                    let (name, section) = (setting.name(), setting.section());
                    return Err(job.missing(key, format!("{hint}: `{name}` in [{section}]")));
                }
                (None, None) => {}
            }
        }
        if authored.get("job.name").is_none() {
            let stem = job.reducer.path.file_stem();
            job.name = stem.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        }
        if authored.get("source.id").is_none() && job.window != Window::Off {
            let hint = "write id = \"/event_id\" in [source], or window = \"off\" in [dedup] if \
                        events have no id and a duplicate may count twice";
            return Err(job.missing("source.id", hint.to_owned()));
        }
        if let (Some(sort), Some(layout)) = (authored.get("job.order.sort"), &job.source.layout)
            && layout.joins()
        {
            let (place, key) = (sort.place.clone(), "job.order.sort".to_owned());
            let why = "the files of a topic have an order of their own, that of their offsets: \
                       leave out `layout` in [source] to sort their events, or write \
                       order = \"time\"";
            return Err(JobError::Value { place, key, why: why.to_owned() });
        }
        job.source.kafka = properties(authored)?;
        job.gates = Gates::new(authored)?;
        Ok(job)
    }

    /// A job made by a program, for a reducer and a log that it has itself: every setting at its
    /// default, to be changed as the fields stand here. Nothing of it names a file that is read.
    pub fn by_program(name: &str, addressing: Addressing) -> Result<Self, JobError> {
        let mut job = Self { origin: format!("job `{name}`"), ..Self::default() };
        let defaults = Authored::defaults()?;
        for setting in SETTINGS {
            if let Some(written) = defaults.get(setting.key) {
                (setting.read)(&mut job, &Given { key: setting.key, written })?;
            }
        }
        job.name = name.to_owned();
        job.source.addressing = addressing;
        Ok(job)
    }

    fn missing(&self, key: &str, hint: String) -> JobError {
        JobError::Missing { origin: self.origin.clone(), key: key.to_owned(), hint }
    }

    /// What the reducer may give, if it is not trusted.
    pub fn allowance(&self) -> Option<Allowance> {
        self.untrusted.then(Allowance::default)
    }

    /// Where URLs of this job start.
    pub fn urls(&self) -> Base {
        Base { folder: self.base.clone(), stores: self.stores.clone() }
    }

    /// The folder in which runs of this job get their folders.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn runs(&self) -> Result<Folder, StoreError> {
        Folder::open(&self.output, self.urls())
    }

    /// Where a path of this job lies: below [`Resolved::base`] unless it is absolute.
    pub fn path(&self, written: &Path) -> PathBuf {
        self.base.join(written)
    }

    /// Whether every event of this reducer has a key: an input's own, or the job's.
    ///
    /// # Errors
    /// [`JobError::Missing`] with the first input that has none.
    pub fn check_keys(&self, reducer: &Description) -> Result<(), JobError> {
        let without = reducer.inputs.iter().find(|input| input.key.is_empty());
        match without {
            Some(input) if self.source.addressing.key.is_empty() => {
                let why = format!("input `{}` of the reducer names no key of its own", input.name);
                let hint = format!("{why}: write key = \"/account_id\", or where the key lies");
                Err(self.missing("source.key", hint))
            }
            _ => Ok(()),
        }
    }
}

impl Snapshots {
    /// Saved at the end alone, in this folder.
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), every: Every::End }
    }
}
