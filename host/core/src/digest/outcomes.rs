//! The outcome trees: per partition what became of every event, in log order.
//!
//! ```text
//! record    applied     1 | its emits            duplicate   4
//!           rejected    2 | code: text           conflict    5
//!           trapped     3 | "trap": text         malformed   6 | code: text
//!                                                ignored     7
//!                                                quarantined 8
//! emit      16 | number of its kind: 1 byte | value of each field in declared order
//! leaf      0x00 | records of 1,024 events     (of fewer only at the end of the history)
//! ```
//!
//! An event that is filtered leaves no record and counts for nothing, so neither batches nor gaps
//! nor subsets move a leaf. No key, id, offset or free text is in a record.

use super::canonical::{put_bytes, put_value, scale};
use super::tree::{LEAF, Tree};
use super::{Hash, PartitionCount, outcomes_digest};
use crate::limits::OUTCOME_LEAF_EVENTS;
use crate::log::PartitionIndex;
use crate::reduce::{Block, EmitRows, Outcome};
use crate::schema::{Description, EmitKind};
use std::collections::BTreeMap;

const APPLIED: u8 = 1;
const REJECTED: u8 = 2;
const TRAPPED: u8 = 3;
const DUPLICATE: u8 = 4;
const CONFLICT: u8 = 5;
const MALFORMED: u8 = 6;
const IGNORED: u8 = 7;
const QUARANTINED: u8 = 8;
const EMIT: u8 = 16;

/// What a reducer's outcomes can be made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutcomeShape {
    /// Its emit kinds in declared order.
    pub emits: Vec<EmitKind>,
    /// Its reject codes in declared order.
    pub rejects: Vec<String>,
}

impl OutcomeShape {
    /// The shape that a reducer declares.
    pub fn of(description: &Description) -> Self {
        let rejects = description.rejects.iter().map(|reason| reason.code.clone()).collect();
        Self { emits: description.emits.clone(), rejects }
    }
}

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
        let mut emits = Emits::new(&self.shape, &block.emits)?;
        let mut event = 0usize;
        for stretch in &block.stretches {
            let growth = (self.places.get(stretch.partition as usize))
                .and_then(|&place| self.growths.get_mut(place))
                .ok_or(BlockError::Partition(stretch.partition))?;
            let end = event + stretch.events as usize;
            let outcomes = block.outcomes.get(event..end).ok_or(BlockError::Stretches)?;
            for &what in outcomes {
                if what == Outcome::Applied {
                    growth.open.push(APPLIED);
                    if emits.next == event as u32 {
                        emits.write(event as u32, &mut growth.open);
                    }
                } else if !put_other(&mut growth.open, what, &self.shape.rejects)? {
                    event += 1;
                    continue;
                }
                growth.count();
                event += 1;
            }
        }
        if event != block.outcomes.len() {
            return Err(BlockError::Stretches);
        }
        if emits.next != u32::MAX {
            return Err(BlockError::EmitWithoutEvent { event: emits.next });
        }
        Ok(())
    }

    /// The trees as they stand, in the order of the partitions' names; partitions without an event
    /// are left out.
    pub fn save(&self) -> Vec<History> {
        let mut all: Vec<_> =
            self.growths.iter().filter(|g| g.events > 0).map(Growth::save).collect();
        all.sort_by(|a, b| a.partition.cmp(&b.partition));
        all
    }

    /// Tree hash and count of every partition with events, in the order of their names.
    pub fn digests(&self) -> Vec<PartitionDigest> {
        let with_events = self.growths.iter().filter(|growth| growth.events > 0);
        let mut all: Vec<_> = with_events.map(Growth::digest).collect();
        all.sort_by(|a, b| a.partition.cmp(&b.partition));
        all
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

    #[inline]
    fn count(&mut self) {
        self.events += 1;
        if self.events.is_multiple_of(OUTCOME_LEAF_EVENTS) {
            self.tree.push(Hash::of(&self.open));
            self.open.truncate(1);
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

/// Writes the record of an event that was not applied; false if it leaves none.
fn put_other(open: &mut Vec<u8>, what: Outcome, rejects: &[String]) -> Result<bool, BlockError> {
    match what {
        Outcome::Filtered => return Ok(false),
        Outcome::Applied => open.push(APPLIED),
        Outcome::Duplicate => open.push(DUPLICATE),
        Outcome::Conflict => open.push(CONFLICT),
        Outcome::Ignored => open.push(IGNORED),
        Outcome::Quarantined => open.push(QUARANTINED),
        Outcome::Trapped => {
            open.push(TRAPPED);
            put_bytes(open, b"trap");
        }
        Outcome::Malformed(code) => {
            open.push(MALFORMED);
            put_bytes(open, code.as_str().as_bytes());
        }
        Outcome::Rejected(number) => {
            let code = rejects.get(number as usize).ok_or(BlockError::Code(number))?;
            open.push(REJECTED);
            put_bytes(open, code.as_bytes());
        }
    }
    Ok(true)
}

/// Walks the records of all kinds beside the events.
struct Emits<'a> {
    kinds: Vec<Walk<'a>>,
    /// The next event with an emit; `u32::MAX`: none.
    next: u32,
}

struct Walk<'a> {
    number: u8,
    row: usize,
    rows: &'a EmitRows,
    scales: Vec<u8>,
    /// For each column the number of missing rows passed.
    passed: Vec<usize>,
}

impl<'a> Emits<'a> {
    fn new(shape: &OutcomeShape, emits: &'a [EmitRows]) -> Result<Self, BlockError> {
        if shape.emits.len() != emits.len() {
            return Err(BlockError::EmitKinds { lists: emits.len(), kinds: shape.emits.len() });
        }
        let mut kinds = Vec::new();
        for (number, (kind, rows)) in shape.emits.iter().zip(emits).enumerate() {
            let fits = rows.columns.len() == kind.fields.len()
                && (kind.fields.iter().zip(&rows.columns))
                    .all(|(f, c)| c.values.is(f.kind) && c.len() == rows.events.len())
                && rows.events.is_sorted();
            if !fits {
                return Err(BlockError::EmitRows { kind: kind.name.clone() });
            }
            if !rows.events.is_empty() {
                let scales = kind.fields.iter().map(|field| scale(field.kind)).collect();
                let passed = vec![0; rows.columns.len()];
                kinds.push(Walk { number: number as u8, row: 0, rows, scales, passed });
            }
        }
        let mut emits = Self { kinds, next: 0 };
        emits.find_next();
        Ok(emits)
    }

    /// Writes what `event`, the next one with emits, emitted: kind by kind, in order within a kind.
    fn write(&mut self, event: u32, open: &mut Vec<u8>) {
        for walk in &mut self.kinds {
            while walk.rows.events.get(walk.row) == Some(&event) {
                walk.write(open);
            }
        }
        self.find_next();
    }

    fn find_next(&mut self) {
        let next = |walk: &Walk<'_>| walk.rows.events.get(walk.row).copied();
        self.next = self.kinds.iter().filter_map(next).min().unwrap_or(u32::MAX);
    }
}

impl Walk<'_> {
    #[inline]
    fn write(&mut self, open: &mut Vec<u8>) {
        open.extend_from_slice(&[EMIT, self.number]);
        let columns = self.rows.columns.iter().zip(&mut self.passed).zip(&self.scales);
        for ((column, passed), &scale) in columns {
            if column.missing.get(*passed) == Some(&(self.row as u32)) {
                *passed += 1;
                put_value(open, scale, None);
            } else {
                put_value(open, scale, Some(column.values.get(self.row)));
            }
        }
        self.row += 1;
    }
}

/// A block that does not fit together: a fault of whoever made it, never of the log. A fragment
/// that fits behind "the outcomes cannot be digested: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// A partition that the run does not have.
    #[error("partition number {0} is unknown")]
    Partition(PartitionIndex),
    /// Stretches and outcomes of different length.
    #[error("stretches and outcomes differ in length")]
    Stretches,
    /// A reject code that was not declared.
    #[error("reject code {0} is not declared")]
    Code(u16),
    /// Not one list per emit kind.
    #[error("{lists} lists of emits for {kinds} kinds")]
    EmitKinds {
        /// Lists in the block.
        lists: usize,
        /// Kinds declared.
        kinds: usize,
    },
    /// Emits with columns that do not fit their kind, or out of order.
    #[error("the emits `{kind}` do not fit their declaration")]
    EmitRows {
        /// The kind.
        kind: String,
    },
    /// An emit of an event that was not applied.
    #[error("event {event} of the block emitted without being applied")]
    EmitWithoutEvent {
        /// Number of the event in the block.
        event: u32,
    },
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
