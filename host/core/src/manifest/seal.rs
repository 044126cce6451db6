//! The seal: what ran, on what, with what result, as one value.
//!
//! ```text
//! seal  SHA-256 over, in the canonical writing of crate::digest::canonical:
//!   "retally seal v2": text
//!   run digest: hash | positions: hash
//!   reducer: SHA-256: hash | name, version, contract: text | state version: number | layout: text
//!   shapes: hash | job digest: hash | input description: hash
//!   after a snapshot: option of
//!     SHA-256 of its manifest: hash
//!     next: list of (partition: text, offset: number), as the manifest has it
//!     counts since the history began: each as a number, in the manifest's order
//!     accepted: list of (object, partition: text, next: number, what: text)
//!     migrated: list of (reducer: text, SHA-256: hash,
//!       state version, events, checked keys: number each)
//!     where either has any:
//!       holes: list of (partition: text, from, to: number each)
//!       broke: list of text
//!     where the history began with no state: "empty state": text
//!   where events in front of a range were replayed:
//!     "replayed": text | events: number | counts since the history began, as above
//!
//! shapes  SHA-256 over:
//!   "retally shapes v1": text
//!   emit kinds: list, in declared order, of name: text | fields
//!   view: fields | row key: list of number of a field: number
//!   fields: shape | for each: required: flag
//! ```
//!
//! Shapes are what a reducer declares of its results and the digests of these do not cover. What
//! computed the run (engine, version of Retally) and where it was told to look is in no seal: equal
//! seals from different machines are worth showing.

use super::{Change, Counts, FromSnapshot, Hole, Migrated, ReducerId};
use crate::digest::{Canonical, Hash};
use crate::schema::{EmitKind, Field, ViewShape};

/// What a seal is made of.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// What came out.
    pub run: &'a Hash,
    /// Of which events.
    pub positions: &'a Hash,
    /// By which reducer.
    pub reducer: &'a ReducerId,
    /// What it declares of its results.
    pub shapes: &'a Hash,
    /// What was asked for.
    pub job: &'a Hash,
    /// What was read.
    pub input: &'a Hash,
    /// Where the run went on from, and the counts since the history began.
    pub history: Option<(&'a FromSnapshot, &'a Counts)>,
    /// Events in front of a range that were replayed, and the counts since the history began.
    pub replayed: Option<(u64, &'a Counts)>,
}

impl Sealed<'_> {
    /// The seal.
    pub fn seal(&self) -> Hash {
        let Self { run, positions, reducer, shapes, job, input, history, replayed } = self;
        let mut canonical = Canonical::new("retally seal v2");
        canonical.hash(run).hash(positions).hash(&reducer.sha256);
        canonical.text(&reducer.name).text(&reducer.version).text(&reducer.contract);
        canonical.number(reducer.state_version.into()).text(&reducer.layout);
        canonical.hash(shapes).hash(job).hash(input);
        canonical.flag(history.is_some());
        if let Some((from, counts)) = history {
            canonical.hash(&from.sha256).number(from.next.len() as u64);
            for next in &from.next {
                canonical.text(&next.partition).number(next.offset);
            }
            counts.all().into_iter().for_each(|count| _ = canonical.number(count));
            canonical.number(from.accepted.len() as u64);
            for Change { object, partition, next, what } in &from.accepted {
                canonical.text(object).text(partition).number(*next).text(what);
            }
            canonical.number(from.migrated.len() as u64);
            for Migrated { reducer, sha256, state_version, events, checked_keys } in &from.migrated
            {
                canonical.text(reducer).hash(sha256).number((*state_version).into());
                canonical.number(*events).number(*checked_keys);
            }
            if !from.holes.is_empty() || !from.broke.is_empty() {
                canonical.number(from.holes.len() as u64);
                for Hole { partition, from, to } in &from.holes {
                    canonical.text(partition).number(*from).number(*to);
                }
                canonical.number(from.broke.len() as u64);
                from.broke.iter().for_each(|what| _ = canonical.text(what));
            }
            if from.empty_state {
                canonical.text("empty state");
            }
        }
        if let Some((events, counts)) = replayed {
            canonical.text("replayed").number(*events);
            counts.all().into_iter().for_each(|count| _ = canonical.number(count));
        }
        canonical.finish()
    }
}

/// The digest of what a reducer declares of its emits and its view.
pub fn shapes_digest(emits: &[EmitKind], view: &ViewShape) -> Hash {
    let mut canonical = Canonical::new("retally shapes v1");
    let fields = |canonical: &mut Canonical, fields: &[Field]| {
        canonical.shape(fields);
        fields.iter().for_each(|field| _ = canonical.flag(field.required));
    };
    canonical.number(emits.len() as u64);
    for kind in emits {
        canonical.text(&kind.name);
        fields(&mut canonical, &kind.fields);
    }
    fields(&mut canonical, &view.fields);
    canonical.number(view.row_key.len() as u64);
    view.row_key.iter().for_each(|&number| _ = canonical.number(number.into()));
    canonical.finish()
}
