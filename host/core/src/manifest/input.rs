//! What a run read: the positions of each partition, and the stored bytes of each object.
//!
//! ```text
//! input description digest  SHA-256 over, in the canonical writing of crate::digest::canonical:
//!   "retally input v1": text
//!   partitions: list, in byte order of the names, of
//!     name: text | events: number | if there are any: first offset: number | last offset: number
//!   objects: list, in byte order of the paths, of
//!     path: text | size in bytes: number
//!     | XXH3-128: option (bytes, big-endian) | SHA-256: option (hash)
//! ```
//!
//! An ETag is recorded for whoever wants to fetch the same object again, and is not in the digest:
//! two copies of the same bytes have two of them. XXH3-128 finds accidents; only a run with
//! `--attest`, which adds SHA-256, says that nobody exchanged the bytes. So the seals of an
//! attested run and of one that is not differ. What was found of the log's completeness follows
//! from objects and partitions, and is not in it either; nor are deletions, which decide nothing.

use crate::digest::{Canonical, Hash};
use crate::hash::hex;
use crate::schema::serde_as_text;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a run read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// In byte order of their names.
    pub partitions: Vec<PartitionTaken>,
    /// In byte order of their paths.
    pub objects: Vec<Object>,
    /// What was found of the log's completeness, where partitions are made of several objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// Offsets of a partition that no object of it has, or more than one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The partition.
    pub partition: String,
    /// The first of the offsets.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// What is the matter with them.
    pub what: Found,
    /// The objects in front of them and behind them, or both that have them.
    pub objects: Vec<String>,
}

/// What was found of offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// No object has them.
    Missing,
    /// The log has them no longer, whoever asks: a topic keeps records for some time only.
    Gone,
    /// Neither an archive nor the topic that goes on behind it has them.
    Lost,
    /// Two objects have them, with the same events, which count once.
    Twice,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, first, last, what, objects } = self;
        match first == last {
            true => write!(f, "offset {first} of partition {partition} ")?,
            false => write!(f, "offsets {first} to {last} of partition {partition} ")?,
        }
        let is = if first == last { "is" } else { "are" };
        match (what, objects.as_slice()) {
            (Found::Gone, _) => {
                return write!(
                    f,
                    "{is} gone: the topic keeps no record for longer than its retention says; \
                     read an archive of it to have all"
                );
            }
            (Found::Lost, objects) => {
                let topic = objects.concat();
                return write!(
                    f,
                    "{is} lost: the archive ends before, and topic `{topic}` begins behind; put \
                     what an archive has of them to the others"
                );
            }
            (Found::Missing, [behind]) => write!(f, "{is} in no file: `{behind}` is its first")?,
            (Found::Missing, objects) => {
                let names: Vec<_> = objects.iter().map(|name| format!("`{name}`")).collect();
                write!(f, "{is} in no file, between {}", names.join(" and "))?;
            }
            (Found::Twice, objects) => {
                let names: Vec<_> = objects.iter().map(|name| format!("`{name}`")).collect();
                let them = if first == last { "it counts" } else { "they count" };
                return write!(f, "{is} in {}, the same in both; {them} once", names.join(" and "));
            }
        }
        f.write_str(
            "; a file is missing, or the topic has no record there (marks of transactions, what \
             was compacted or deleted), which names of files do not tell apart",
        )
    }
}

/// What a run took of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionTaken {
    /// The partition's name.
    pub partition: String,
    /// How many events.
    pub events: u64,
    /// Offset of the first; none if there is none.
    pub first: Option<u64>,
    /// Offset of the last.
    pub last: Option<u64>,
    /// Records among them that are no events, because they have no value: deletions.
    #[serde(default, skip_serializing_if = "is_none")]
    pub deletions: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// An object or file of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its path below the log's URL.
    pub path: String,
    /// Size as stored.
    pub size_bytes: u64,
    /// The store's own word for this version of it; none for local files, where it would tell of
    /// the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// XXH3-128 of the stored bytes; none if the run did not need all of them.
    pub xxh3_128: Option<Xxh3>,
    /// SHA-256 of the stored bytes; only with `--attest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Hash>,
    /// Whether it begins with a byte order mark, which was passed over. It is among the bytes that
    /// are hashed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub byte_order_mark: bool,
}

/// An XXH3-128 value, shown as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xxh3(pub u128);

impl fmt::Display for Xxh3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Xxh3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(Xxh3, |text: &str| hex(text)
    .map(|bytes| Self(u128::from_be_bytes(bytes)))
    .ok_or("an XXH3-128 is 32 hexadecimal digits"));

/// Findings of one kind that are told one by one.
const TOLD: usize = 5;

impl Input {
    /// What was found, as sentences: the first of each kind, and how many more there are.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for what in [Found::Gone, Found::Lost, Found::Missing, Found::Twice] {
            let own: Vec<_> = self.findings.iter().filter(|one| one.what == what).collect();
            notes.extend(own.iter().take(TOLD).map(|one| one.to_string()));
            if own.len() > TOLD {
                let (more, kind) = (
                    own.len() - TOLD,
                    match what {
                        Found::Gone => "gone",
                        Found::Lost => "lost",
                        Found::Missing => "in no file",
                        Found::Twice => "in two files",
                    },
                );
                notes.push(format!(
                    "{more} more stretches of offsets are {kind}: the manifest has all of them \
                     (`input`, `findings`)"
                ));
            }
        }
        notes
    }

    /// Records that are no events, because they have no value.
    pub fn deletions(&self) -> u64 {
        self.partitions.iter().map(|own| own.deletions).sum()
    }

    /// Puts partitions and objects into their order, in which they are digested.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.partitions.sort_by(|a, b| a.partition.cmp(&b.partition));
        self.objects.sort_by(|a, b| a.path.cmp(&b.path));
        self.findings.sort();
        self
    }

    /// The input description's digest.
    pub fn digest(&self) -> Hash {
        let mut canonical = Canonical::new("retally input v1");
        canonical.number(self.partitions.len() as u64);
        for taken in &self.partitions {
            canonical.text(&taken.partition).number(taken.events);
            if let (Some(first), Some(last)) = (taken.first, taken.last) {
                canonical.number(first).number(last);
            }
        }
        canonical.number(self.objects.len() as u64);
        for object in &self.objects {
            canonical.text(&object.path).number(object.size_bytes);
            canonical.flag(object.xxh3_128.is_some());
            if let Some(Xxh3(value)) = object.xxh3_128 {
                canonical.bytes(&value.to_be_bytes());
            }
            canonical.flag(object.sha256.is_some());
            if let Some(hash) = &object.sha256 {
                canonical.hash(hash);
            }
        }
        canonical.finish()
    }
}
