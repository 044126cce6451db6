//! The records of the outcome trees: of every event that is not filtered, what became of it.
//!
//! ```text
//! record    applied     1 | its emits            duplicate   4
//!           rejected    2 | code: text           conflict    5
//!           trapped     3 | "trap": text         malformed   6 | code: text
//!                                                ignored     7
//!                                                quarantined 8
//! emit      16 | number of its kind: 1 byte | value of each field in declared order
//! ```
//!
//! No key, id, offset or free text is in a record.

use super::canonical::{behind_bytes, behind_value, put_bytes, put_value};
use crate::log::PartitionIndex;
use crate::reduce::{Block, EmitRows, Outcome};
use crate::schema::{Description, EmitKind, Spans};

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

    /// The records of a block, to be appended to the trees somewhere else.
    ///
    /// # Errors
    /// When the block does not fit together.
    pub fn records(&self, block: &Block) -> Result<Records, BlockError> {
        let mut made = Records::default();
        write(self, block, |partition, first, record, events| {
            for offset in first..first + events {
                made.partitions.push(partition);
                made.offsets.push(offset);
                made.records.push(record);
            }
            Ok(())
        })?;
        Ok(made)
    }
}

/// The records of events, and where the events lie: one of each for every event that is not
/// filtered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// The partition of each.
    pub partitions: Vec<PartitionIndex>,
    /// The offset of each.
    pub offsets: Vec<u64>,
    /// The records.
    pub records: Spans,
}

/// How many records stand in `bytes`, one behind the other; none: these are no records of `shape`.
pub(super) fn count(shape: &OutcomeShape, bytes: &[u8]) -> Option<u64> {
    let (mut rest, mut records, mut is_applied) = (bytes, 0, false);
    while let Some((&first, behind)) = rest.split_first() {
        rest = match first {
            EMIT if is_applied => {
                let (&number, values) = behind.split_first()?;
                let fields = &shape.emits.get(usize::from(number))?.fields;
                fields.iter().try_fold(values, |values, field| behind_value(field.kind, values))?
            }
            REJECTED | TRAPPED | MALFORMED => behind_bytes(behind)?,
            APPLIED | DUPLICATE | CONFLICT | IGNORED | QUARANTINED => behind,
            _ => return None,
        };
        is_applied = matches!(first, APPLIED | EMIT);
        records += u64::from(first != EMIT);
    }
    Some(records)
}

/// Hands a record of every event of `block` that is not filtered to `put`: partition, offset,
/// record and how many events have it, which lie at this offset and the next ones. Most events of a
/// log were applied and emitted nothing, so that runs of them are handed over at once. Each stretch
/// begins with a run of none: its partition may be unknown though all of it is filtered.
#[inline]
pub(super) fn write(
    shape: &OutcomeShape,
    block: &Block,
    mut put: impl FnMut(PartitionIndex, u64, &[u8], u64) -> Result<(), BlockError>,
) -> Result<(), BlockError> {
    let mut emits = Emits::new(shape, &block.emits)?;
    let mut record = Vec::new();
    let mut event = 0usize;
    for stretch in &block.stretches {
        let end = event + stretch.events as usize;
        let outcomes = block.outcomes.get(event..end).ok_or_else(BlockError::stretches)?;
        put(stretch.partition, stretch.first_offset, &[], 0)?;
        let mut at = 0;
        while let Some(&what) = outcomes.get(at) {
            let offset = stretch.first_offset + at as u64;
            let quiet = (emits.next as usize).saturating_sub(event + at).min(outcomes.len() - at);
            let quiet = outcomes[at..at + quiet].iter();
            let run = quiet.take_while(|what| **what == Outcome::Applied).count();
            if run > 0 {
                put(stretch.partition, offset, &[APPLIED], run as u64)?;
                at += run;
                continue;
            }
            record.clear();
            put_outcome(&mut record, what, &shape.rejects)?;
            if what == Outcome::Applied && emits.next as usize == event + at {
                emits.write(emits.next, &mut record);
            }
            if !record.is_empty() {
                put(stretch.partition, offset, &record, 1)?;
            }
            at += 1;
        }
        event = end;
    }
    if event != block.outcomes.len() {
        return Err(BlockError::stretches());
    }
    if emits.next != u32::MAX {
        let event = emits.next;
        let text = format!("event {event} of the block emitted without being applied");
        return Err(BlockError(text));
    }
    Ok(())
}

/// Writes what became of an event; nothing of one that is filtered.
#[inline]
fn put_outcome(open: &mut Vec<u8>, what: Outcome, rejects: &[String]) -> Result<(), BlockError> {
    match what {
        Outcome::Applied => open.push(APPLIED),
        Outcome::Filtered => {}
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
            let unknown = || BlockError(format!("reject code {number} is not declared"));
            let code = rejects.get(number as usize).ok_or_else(unknown)?;
            open.push(REJECTED);
            put_bytes(open, code.as_bytes());
        }
    }
    Ok(())
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
            let (lists, kinds) = (emits.len(), shape.emits.len());
            return Err(BlockError(format!("{lists} lists of emits for {kinds} kinds")));
        }
        let mut kinds = Vec::new();
        for (number, (kind, rows)) in shape.emits.iter().zip(emits).enumerate() {
            let fits = rows.columns.len() == kind.fields.len()
                && (kind.fields.iter().zip(&rows.columns))
                    .all(|(f, c)| c.values.is(f.kind) && c.len() == rows.events.len())
                && rows.events.is_sorted();
            if !fits {
                let name = &kind.name;
                return Err(BlockError(format!("the emits `{name}` do not fit their declaration")));
            }
            if !rows.events.is_empty() {
                let scales = kind.fields.iter().map(|field| field.kind.scale()).collect();
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
#[error("{0}")]
pub struct BlockError(pub String);

impl BlockError {
    fn stretches() -> Self {
        Self("stretches and outcomes differ in length".into())
    }
}
