//! The outcome trees: per partition what became of every event, in log order.
//!
//! ```text
//! leaf      0x00 | records of 1,024 events     (of fewer only at the end of the history)
//! ```
//!
//! An event that is filtered leaves no record and counts for nothing, so neither batches nor gaps
//! nor subsets move a leaf.

use super::records::{BlockError, OutcomeShape, count, write};
use super::tree::{LEAF, Tree};
use super::{Hash, PartitionCount, outcomes_digest};
use crate::limits::OUTCOME_LEAF_EVENTS;
use crate::log::PartitionIndex;
use crate::reduce::Block;
use std::collections::BTreeMap;

/// The outcomes of one partition so far: what a snapshot carries so that the next run goes on in
/// the same tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The partition's name.
    pub partition: String,
    /// Events with a record since the history began.
    pub events: u64,
    /// Right edge of the tree over the full leaves.
    pub edge: Vec<Hash>,
    /// Records of the leaf that is not full yet.
    pub open: Vec<u8>,
}

/// The outcome tree of one partition at the end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionDigest {
    /// The partition's name.
    pub partition: String,
    /// Events with a record since the history began.
    pub events: u64,
    /// The tree hash.
    pub root: Hash,
}

impl PartitionDigest {
    /// Name and count without the hash.
    pub fn count(&self) -> PartitionCount {
        PartitionCount { partition: self.partition.clone(), events: self.events }
    }
}

/// The outcome trees of a run, one per partition.
#[derive(Debug, Clone)]
pub struct Outcomes {
    shape: OutcomeShape,
    /// Number of each partition's tree, by the run's numbers of partitions.
    places: Vec<usize>,
    growths: Vec<Growth>,
}

#[derive(Debug, Clone)]
struct Growth {
    partition: String,
    events: u64,
    tree: Tree,
    /// [`LEAF`], then the records of the open leaf.
    open: Vec<u8>,
}

impl History {
    /// Whether its open leaf holds as many records of `shape` as its number of events leaves.
    pub fn is_counted(&self, shape: &OutcomeShape) -> bool {
        count(shape, &self.open) == Some(self.events % OUTCOME_LEAF_EVENTS)
    }
}

impl Outcomes {
    /// Empty trees. `partitions`: the names, in the order of the run's numbers.
    pub fn new(shape: OutcomeShape, partitions: &[String]) -> Self {
        let growths: Vec<_> = partitions.iter().map(|name| Growth::new(name.clone())).collect();
        Self { shape, places: (0..growths.len()).collect(), growths }
    }

    /// Takes up the trees where [`Outcomes::save`] left them. A partition that this run does not
    /// read keeps its tree, because the history holds its events all the same.
    ///
    /// # Errors
    /// When a history does not fit together.
    pub fn restore(
        shape: OutcomeShape,
        partitions: &[String],
        histories: Vec<History>,
    ) -> Result<Self, HistoryError> {
        let mut growths = Vec::with_capacity(histories.len());
        let mut by_name = BTreeMap::new();
        for history in histories {
            if by_name.insert(history.partition.clone(), growths.len()).is_some() {
                return Err(HistoryError { partition: history.partition, why: "stands twice" });
            }
            growths.push(Growth::restore(history)?);
        }
        let places = partitions
            .iter()
            .map(|name| {
                by_name.get(name).copied().unwrap_or_else(|| {
                    growths.push(Growth::new(name.clone()));
                    growths.len() - 1
                })
            })
            .collect();
        Ok(Self { shape, places, growths })
    }

    /// Makes a record of every event of `block` that is not filtered.
    ///
    /// # Errors
    /// When the block does not fit together; the trees are then of no use any more.
    pub fn add(&mut self, block: &Block) -> Result<(), BlockError> {
        let Self { shape, places, growths } = self;
        write(shape, block, |partition, _, record, events| {
            growth(places, growths, partition)?.push(record, events);
            Ok(())
        })
    }

    /// Appends a record that [`OutcomeShape::records`] made, behind those of its partition that lie
    /// before it in the log.
    ///
    /// # Errors
    /// When the run has no such partition.
    pub fn append(&mut self, partition: PartitionIndex, record: &[u8]) -> Result<(), BlockError> {
        growth(&self.places, &mut self.growths, partition)?.push(record, 1);
        Ok(())
    }

    /// The trees as they stand, in the order of the partitions' names; partitions without an event
    /// are left out.
    pub fn save(&self) -> Vec<History> {
        self.grown().map(Growth::save).collect()
    }

    /// Tree hash and count of every partition with events, in the order of their names.
    pub fn digests(&self) -> Vec<PartitionDigest> {
        self.grown().map(Growth::digest).collect()
    }

    fn grown(&self) -> impl Iterator<Item = &Growth> {
        let mut grown: Vec<_> = self.growths.iter().filter(|growth| growth.events > 0).collect();
        grown.sort_by(|a, b| a.partition.cmp(&b.partition));
        grown.into_iter()
    }

    /// The digest over all of them.
    pub fn digest(&self) -> Hash {
        outcomes_digest(&self.shape.emits, &self.digests())
    }

    /// The shape given at the beginning.
    pub fn shape(&self) -> &OutcomeShape {
        &self.shape
    }
}

impl Growth {
    fn new(partition: String) -> Self {
        Self { partition, events: 0, tree: Tree::default(), open: vec![LEAF] }
    }

    fn restore(history: History) -> Result<Self, HistoryError> {
        let History { partition, events, edge, open } = history;
        let Some(tree) = Tree::restore(events / OUTCOME_LEAF_EVENTS, edge) else {
            return Err(HistoryError { partition, why: "has an edge that does not fit its count" });
        };
        if open.is_empty() != events.is_multiple_of(OUTCOME_LEAF_EVENTS) {
            let why = "has an open leaf that does not fit its count";
            return Err(HistoryError { partition, why });
        }
        let open = [&[LEAF], open.as_slice()].concat();
        Ok(Self { partition, events, tree, open })
    }

    /// Appends the record of so many events.
    #[inline]
    fn push(&mut self, record: &[u8], events: u64) {
        let mut left = events;
        while left > 0 {
            let fit = left.min(OUTCOME_LEAF_EVENTS - self.events % OUTCOME_LEAF_EVENTS);
            match record {
                [byte] => self.open.resize(self.open.len() + fit as usize, *byte),
                _ => (0..fit).for_each(|_| self.open.extend_from_slice(record)),
            }
            self.events += fit;
            left -= fit;
            if self.events.is_multiple_of(OUTCOME_LEAF_EVENTS) {
                self.tree.push(Hash::of(&self.open));
                self.open.truncate(1);
            }
        }
    }

    fn save(&self) -> History {
        History {
            partition: self.partition.clone(),
            events: self.events,
            edge: self.tree.edge().to_vec(),
            open: self.open[1..].to_vec(),
        }
    }

    fn digest(&self) -> PartitionDigest {
        let mut tree = self.tree.clone();
        if self.open.len() > 1 {
            tree.push(Hash::of(&self.open));
        }
        let (partition, events) = (self.partition.clone(), self.events);
        PartitionDigest { partition, events, root: tree.root() }
    }
}

#[inline]
fn growth<'a>(
    places: &[usize],
    growths: &'a mut [Growth],
    partition: PartitionIndex,
) -> Result<&'a mut Growth, BlockError> {
    let found = places.get(partition as usize).and_then(|&at| growths.get_mut(at));
    found.ok_or_else(|| BlockError(format!("partition number {partition} is unknown")))
}

/// A saved history that does not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the saved outcomes of partition {partition:?} cannot be taken up: it {why}")]
pub struct HistoryError {
    /// The partition.
    pub partition: String,
    /// What is wrong.
    pub why: &'static str,
}
