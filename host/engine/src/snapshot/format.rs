//! A snapshot's `manifest.json`: which files it is made of, and all that is not rows.

use super::{SnapshotError, SnapshotRef};
use crate::store::Folder;
use bytes::Bytes;
use retally_core::digest::Hash;
use retally_core::log::{Micros, Order, PartitionIndex, Position};
use retally_core::manifest::{Change, Counts, Migrated};
use retally_core::receipt::Receipt;
use retally_core::seed::Seed;
use retally_core::snapshot::{Binding, Finished, Standing};
use serde::{Deserialize, Deserializer, Serialize};

/// The file that makes a snapshot complete.
pub(super) const MANIFEST: &str = "manifest.json";

/// Version of the format of snapshots. Raise it when a reader of today would misread a snapshot of
/// tomorrow. What is newer is refused; what is older may be refused too: a snapshot can always be
/// made again from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotFormat(pub u32);

impl SnapshotFormat {
    /// What this version writes.
    pub const CURRENT: Self = Self(4);
}

/// All that a manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    pub(super) format: SnapshotFormat,
    /// Version of Retally, for people.
    pub(super) retally: String,
    pub(super) empty_state: bool,
    /// Before format 4 nothing said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<u64>,
    pub(super) counts: Counts,
    pub(super) partitions: Vec<Position>,
    /// Of order "time" alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) highest: Vec<Micros>,
    pub(super) binding: Binding,
    #[serde(with = "secret")]
    pub(super) seed: Seed,
    /// The partitions by the numbers that files of keys have for them, those of earlier snapshots
    /// among them; empty, before format 4: as in `partitions`.
    #[serde(default)]
    pub(super) homes: Vec<String>,
    pub(super) groups: Vec<GroupFiles>,
    pub(super) outcomes: Part,
    /// What was taken of the log; format 1 has none.
    #[serde(default)]
    pub(super) receipts: Vec<Receipt>,
    /// In what the log had changed, and was gone on with all the same.
    #[serde(default)]
    pub(super) accepted: Vec<Change>,
    /// Versions of the reducer whose states were taken over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) migrated: Vec<Migrated>,
    /// How it stands to the runs before it; before format 3 none said so, and each is taken to
    /// stand behind a finished run.
    #[serde(default = "untold")]
    pub(super) standing: Standing,
}

fn untold() -> Standing {
    Standing { finished: Some(Finished::default()), ..Standing::default() }
}

/// The files of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupFiles {
    /// The partition; none: all.
    pub(super) partition: Option<String>,
    /// The oldest first: of a key that stands in several the last counts. Some lie in the folders
    /// of earlier snapshots.
    #[serde(deserialize_with = "one_or_many")]
    pub(super) keys: Vec<Part>,
    /// Segments, the oldest first; some lie in the folders of earlier snapshots. What has no index
    /// is read whole.
    pub(super) ids: Vec<Part>,
}

/// Before format 4 there was one file of keys, or none.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Part>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Parts {
        Many(Vec<Part>),
        One(Part),
    }
    Ok(match Option::deserialize(from)? {
        Some(Parts::Many(parts)) => parts,
        Some(Parts::One(part)) => vec![part],
        None => Vec::new(),
    })
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Its path in the store: the snapshot's name, `/`, the file's name.
    pub(super) path: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: Hash,
    /// What leads to its rows, if that is a file of its own; before format 4 nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<Box<Part>>,
}

impl Body {
    /// The bytes of the manifest: the body behind a hash of itself.
    pub(super) fn render(&self) -> Result<String, serde_json::Error> {
        let body = serde_json::to_string_pretty(self)?;
        Ok(envelope(&body))
    }

    /// Reads and checks the manifest of a snapshot.
    pub(super) fn read(files: &Folder, name: &str) -> Result<(Self, SnapshotRef), SnapshotError> {
        let path = format!("{name}/{MANIFEST}");
        let (bytes, file) = (read(files, &path)?, files.show(&path));
        let changed = || SnapshotError::Changed(file.clone());
        let text = std::str::from_utf8(&bytes).map_err(|_| changed())?;
        let body = text.get(PREFIX.len() + 64 + MIDDLE.len()..).ok_or_else(changed)?;
        let body = body.strip_suffix(SUFFIX).ok_or_else(changed)?;
        if envelope(body) != text {
            return Err(changed());
        }
        let broken = |error: serde_json::Error| SnapshotError::broken(&file, error);
        let probe: Probe = serde_json::from_str(body).map_err(broken)?;
        if probe.format > SnapshotFormat::CURRENT {
            let (found, known) = (probe.format.0, SnapshotFormat::CURRENT.0);
            return Err(SnapshotError::Newer { file, found, known });
        }
        let body: Self = serde_json::from_str(body).map_err(broken)?;
        body.check().map_err(|why| SnapshotError::broken(&file, why))?;
        let sha256 = Hash::of(&bytes);
        Ok((body, SnapshotRef { name: name.to_owned(), sha256, files: files.clone() }))
    }

    /// For each number that files of keys have for a partition, the one that it has here; none: it
    /// is not here.
    pub(super) fn homes(&self) -> Option<Vec<PartitionIndex>> {
        if self.homes.is_empty() {
            return Some((0..self.partitions.len() as PartitionIndex).collect());
        }
        let number = |name: &String| {
            let place = self.partitions.binary_search_by(|own| own.partition.cmp(name));
            place.ok().map(|place| place as PartitionIndex)
        };
        self.homes.iter().map(number).collect()
    }

    /// Whether it holds together, and no path leads out of the store.
    fn check(&self) -> Result<(), String> {
        self.counts.check().map_err(|error| error.to_string())?;
        if !self.partitions.is_sorted_by(|a, b| a.partition < b.partition) {
            return Err("its partitions are out of order".into());
        }
        let is_by_time = self.binding.settings.order == Order::Time;
        if self.highest.len() != if is_by_time { self.partitions.len() } else { 0 } {
            return Err("it does not have a highest time for each partition".into());
        }
        let parts = self.groups.iter().flat_map(|group| group.ids.iter().chain(&group.keys));
        let indexes = parts.clone().filter_map(|part| part.index.as_deref());
        for part in parts.chain(indexes).chain([&self.outcomes]) {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
            let good = |name: &str| !name.starts_with('.') && name.chars().all(plain);
            match part.path.split_once('/') {
                Some((folder, file)) if good(folder) && good(file) => {}
                _ => return Err(format!("path {:?} is not of the form snapshot/file", part.path)),
            }
        }
        if self.homes().is_none() {
            return Err("its keys have a number for a partition that it does not name".into());
        }
        for group in self.groups.iter().filter_map(|group| group.partition.as_ref()) {
            if !self.partitions.iter().any(|reached| reached.partition == *group) {
                return Err(format!(
                    "it has a group for partition {group:?}, which it does not name"
                ));
            }
        }
        Ok(())
    }
}

/// The whole of a file that must be there.
pub(super) fn read(files: &Folder, path: &str) -> Result<Bytes, SnapshotError> {
    files.get(path)?.ok_or_else(|| SnapshotError::Missing(files.show(path)))
}

const PREFIX: &str = "{\n\"sha256\": \"";
const MIDDLE: &str = "\",\n\"snapshot\": ";
const SUFFIX: &str = "\n}\n";

/// The one way in which a manifest is written, so that no byte of it can change unseen.
fn envelope(body: &str) -> String {
    format!("{PREFIX}{}{MIDDLE}{body}{SUFFIX}", Hash::of(body.as_bytes()))
}

#[derive(Deserialize)]
struct Probe {
    format: SnapshotFormat,
}

/// A seed as hexadecimal digits.
mod secret {
    use super::{Hash, Seed};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(seed: &Seed, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&Hash(seed.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Seed, D::Error> {
        Hash::deserialize(d).map(|hash| Seed(hash.0))
    }
}
