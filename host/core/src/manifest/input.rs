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
//! attested run and of one that is not differ.

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

impl Input {
    /// Puts partitions and objects into their order, in which they are digested.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.partitions.sort_by(|a, b| a.partition.cmp(&b.partition));
        self.objects.sort_by(|a, b| a.path.cmp(&b.path));
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
