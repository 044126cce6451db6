//! The log as the fold sees it: partitions, each a sequence of events ordered by offset.
//!
//! How bytes become events lies in [`crate::decode`]; where the bytes come from is the engine's
//! business. A partition is known by its name, never by its number: numbers are given per run.

use std::fmt;
use std::sync::Arc;

/// Microseconds since 1970-01-01T00:00:00Z, the only unit of time inside Retally.
pub type Micros = i64;

/// A partition's number within one run: its place in the run's table of partitions, which is sorted
/// by the bytes of their names.
pub type PartitionIndex = u32;

/// Where an event lies. It is shown as `partition:offset`, the form that commands take.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Kafka's number, or the path below the URL without format and compression suffix.
    pub partition: String,
    /// Row or line number from 0, or Kafka's offset.
    #[serde(alias = "next")]
    pub offset: u64,
}

/// Where an event lies, within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Spot {
    /// The partition.
    pub partition: PartitionIndex,
    /// As in [`Position`].
    pub offset: u64,
}

/// Consecutive events of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The partition.
    pub partition: PartitionIndex,
    /// Offset of the first event; the others follow without gap.
    pub first_offset: u64,
    /// How many events.
    pub events: u32,
}

/// From where to where events lie that belong together, such as those of a key. There may be
/// others between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach<P = Spot> {
    /// The first.
    pub first: P,
    /// The last.
    pub last: P,
    /// How many.
    pub events: u64,
}

impl Reach {
    /// Notes `events` events from `first` to `last`.
    pub fn note(&mut self, first: Spot, last: Spot, events: u64) {
        let is_new = self.events == 0;
        self.first = if is_new { first } else { self.first.min(first) };
        self.last = if is_new { last } else { self.last.max(last) };
        self.events += events;
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

/// Where events of one partition lie that follow one another in it. Offsets ascend; a log may have
/// gaps in them (a topic that was compacted, marks of transactions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offsets {
    /// From this one on without a gap.
    From(u64),
    /// One for each event.
    These(Arc<[u64]>),
}

impl Offsets {
    /// The offset of event `row`.
    #[inline]
    pub fn at(&self, row: usize) -> u64 {
        match self {
            Self::From(first) => first + row as u64,
            Self::These(offsets) => offsets[row],
        }
    }

    /// Those of the events `from..to`.
    pub fn slice(&self, from: usize, to: usize) -> Self {
        match self {
            Self::From(first) => Self::From(first + from as u64),
            Self::These(offsets) => Self::These(offsets[from..to].into()),
        }
    }

    /// How many of the first `events` lie before `offset`.
    pub fn before(&self, offset: u64, events: usize) -> usize {
        match self {
            Self::From(first) => {
                let before = usize::try_from(offset.saturating_sub(*first));
                before.map_or(events, |before| before.min(events))
            }
            Self::These(offsets) => offsets[..events].partition_point(|at| *at < offset),
        }
    }

    /// The first `events` as stretches without a gap: where each begins, and how many it has.
    pub fn stretches(&self, events: usize) -> Vec<(u64, u32)> {
        match self {
            Self::From(first) => vec![(*first, events as u32)],
            Self::These(offsets) => offsets[..events]
                .chunk_by(|a, b| a + 1 == *b)
                .map(|stretch| (stretch[0], stretch.len() as u32))
                .collect(),
        }
    }
}

/// How the events of several partitions follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// A key lives in one partition, which is checked; partitions are independent of each other.
    #[default]
    Log,
    /// Partitions one after another by the bytes of their names; a key may be in many.
    Path,
    /// Partitions merged by the times of their events; a key may be in many.
    Time,
    /// Partitions are folders, in each of which all events are sorted ([`Sort`]), one folder after
    /// another by the bytes of their names; a key may be in many.
    Sort,
}

impl Order {
    /// Whether partitions come one after another by the bytes of their names.
    pub fn is_in_turn(self) -> bool {
        matches!(self, Self::Path | Self::Sort)
    }
}

/// By what order "sort" goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sort {
    /// Where the values lie by which events are sorted, the first one first: `time`, the event's
    /// time; or a pointer or column.
    pub by: Vec<String>,
    /// The folders within which they are, as a layout says them; none: the whole log is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
}

/// No time at all: before every event.
pub const NEVER: Micros = Micros::MIN;

/// Where an event stands under order "time": by the highest time in its partition up to and with
/// it, the partition, the offset. Within a partition places only rise, so that to merge partitions
/// is to sort their events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The highest time so far; [`NEVER`]: no event had one.
    pub highest: Micros,
    /// Where the event lies.
    pub spot: Spot,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_with_gaps_fall_into_stretches_without() {
        let sparse = Offsets::These([3, 4, 7, 9, 10].into());
        assert_eq!(sparse.stretches(5), [(3, 2), (7, 1), (9, 2)]);
        assert_eq!(sparse.stretches(4), [(3, 2), (7, 1), (9, 1)]);
        assert_eq!((sparse.at(2), sparse.before(8, 5), sparse.before(99, 3)), (7, 3, 3));
        assert_eq!(sparse.slice(1, 4), Offsets::These([4, 7, 9].into()));
        let dense = Offsets::From(7);
        assert_eq!(dense.stretches(3), [(7, 3)]);
        assert_eq!((dense.at(2), dense.before(8, 5), dense.before(0, 5)), (9, 1, 0));
        assert_eq!((dense.before(99, 5), dense.slice(2, 5)), (5, Offsets::From(9)));
    }
}
