//! What a stretch of the log came to, in log order: the one shape from which digests are computed
//! and outputs are written.

use super::Outcome;
use crate::log::{Micros, PartitionIndex, Reach, Stretch};
use crate::schema::{Column, Spans};
use crate::times::Times;

/// Outcomes of a batch of the log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Block {
    /// Which events, in log order.
    pub stretches: Vec<Stretch>,
    /// One per event of all stretches.
    pub outcomes: Vec<Outcome>,
    /// One per emit kind.
    pub emits: Vec<EmitRows>,
    /// Ascending by event.
    pub refused: Vec<Refused>,
    /// Times of the events.
    pub times: Times,
}

/// Records of one emit kind, in log order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmitRows {
    /// Number of the event in [`Block::outcomes`].
    pub events: Vec<u32>,
    /// Partition of the event.
    pub partitions: Vec<PartitionIndex>,
    /// Offset of the event.
    pub offsets: Vec<u64>,
    /// Number of the record among those of its kind and event, from 0.
    pub seqs: Vec<u32>,
    /// Time of the event.
    pub times: Vec<Micros>,
    /// Key of the event.
    pub keys: Spans,
    /// Id of the event.
    pub ids: Spans,
    /// One column per field of the emit kind.
    pub columns: Vec<Column>,
}

/// An event that was refused (malformed, conflict, rejected, quarantined), with all that it takes
/// to act on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Number of the event in [`Block::outcomes`].
    pub event: u32,
    /// Partition of the event.
    pub partition: PartitionIndex,
    /// Offset of the event.
    pub offset: u64,
    /// Why.
    pub what: Outcome,
    /// Declared or decoder's code; empty for conflicts and quarantined events.
    pub code: String,
    /// Free text for a person, cut to [`crate::limits::DETAIL_MAX_BYTES`].
    pub detail: String,
    /// Its key, if it was read.
    pub key: Option<Vec<u8>>,
    /// The event's original bytes.
    pub bytes: Vec<u8>,
}

/// Keys in byte order, with all that the end of a run knows of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finals {
    /// The keys; only those with a state.
    pub keys: Spans,
    /// Their states.
    pub states: Spans,
    /// Events applied to each.
    pub applied: Vec<u64>,
    /// Time of the last applied event of each.
    pub times: Vec<Micros>,
    /// Where the events of each lie; empty unless that was asked for.
    pub reaches: Vec<Reach>,
    /// Their view rows; owners count within this block.
    pub viewed: super::Viewed,
    /// Their violations; owners count within this block.
    pub violated: Vec<super::Violated>,
}
