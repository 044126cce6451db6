//! What a replay came to, event by event and key by key, as short hashes: enough to find where
//! another one parts from it, in a fraction of the memory.

use crate::limits::{PRINTED_EVENTS_MAX, PRINTED_KEYS_MAX};
use crate::sink::{Beginning, Sink, SinkError, Takes};
use retally_core::digest::{
    Hash, KeyTreeError, OutcomeShape, RowDigest, state_rows, view_rows, violation_rows,
};
use retally_core::log::PartitionIndex;
use retally_core::reduce::{Block, Finals};
use retally_core::schema::{Description, Field, Spans};

/// A hash of what became of an event, or of a part of what a key came to.
pub(super) type Print = u64;

/// What a key came to: state, view, violations; 0: nothing.
pub(super) type KeyPrint = [Print; 3];

/// How a reducer's blocks and keys become prints.
#[derive(Default)]
pub(super) struct Printer {
    shape: OutcomeShape,
    fields: Vec<Field>,
    violations: Vec<String>,
}

impl Printer {
    pub(super) fn of(description: &Description) -> Self {
        let codes = description.violations.iter().map(|reason| reason.code.clone());
        Self {
            shape: OutcomeShape::of(description),
            fields: description.view.fields.clone(),
            violations: codes.collect(),
        }
    }

    /// Hands partition, offset and print of every event that is not filtered to `put`.
    pub(super) fn events(
        &self,
        block: &Block,
        mut put: impl FnMut(PartitionIndex, u64, Print),
    ) -> Result<(), SinkError> {
        let made = self.shape.records(block).map_err(|error| SinkError::Own(error.into()))?;
        let places = made.partitions.iter().zip(&made.offsets).zip(made.records.iter());
        places.for_each(|((&partition, &offset), record)| {
            put(partition, offset, print(&Hash::of(record)));
        });
        Ok(())
    }

    /// One for each key.
    pub(super) fn keys(&self, finals: &Finals) -> Result<Vec<KeyPrint>, SinkError> {
        let Self { fields, violations, .. } = self;
        let Finals { keys, states, applied, viewed, violated, .. } = finals;
        let mut prints = vec![[0; 3]; keys.len()];
        let own = &mut prints;
        let made = state_rows(keys, states, applied, filling(0, keys, own))
            .and_then(|()| view_rows(fields, keys, viewed, filling(1, keys, own)))
            .and_then(|()| violation_rows(violations, keys, violated, filling(2, keys, own)));
        made.map_err(|error| SinkError::Own(error.into()))?;
        Ok(prints)
    }
}

/// Writes a part of the prints of keys, which come in their order.
fn filling(
    part: usize,
    keys: &Spans,
    prints: &mut [KeyPrint],
) -> impl FnMut(&[u8], RowDigest) -> Result<(), KeyTreeError> {
    let mut at = 0;
    move |key, row| {
        while at < keys.len() && keys.get(at) != key {
            at += 1;
        }
        if let Some(own) = prints.get_mut(at) {
            own[part] = print(&row.hash);
        }
        Ok(())
    }
}

fn print(hash: &Hash) -> Print {
    let mut first = [0; 8];
    first.copy_from_slice(&hash.0[..8]);
    Print::from_le_bytes(first)
}

/// The prints of a replay.
#[derive(Default)]
pub(super) struct Prints {
    printer: Printer,
    /// Of each partition offsets and prints, ascending.
    pub(super) events: Vec<Vec<(u64, Print)>>,
    /// In byte order.
    pub(super) keys: Vec<(Vec<u8>, KeyPrint)>,
    held: usize,
    /// Whether more came than is kept.
    pub(super) is_cut: bool,
}

impl Sink for Prints {
    fn takes(&self) -> Takes {
        Takes { results: true, ..Takes::default() }
    }

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
        *self = Self {
            printer: Printer::of(beginning.description),
            events: vec![Vec::new(); beginning.partitions.len()],
            ..Self::default()
        };
        Ok(())
    }

    fn block(&mut self, block: Block) -> Result<(), SinkError> {
        let Self { printer, events, held, is_cut, .. } = self;
        printer.events(&block, |partition, offset, print| {
            let Some(own) = events.get_mut(partition as usize) else { return };
            if *held >= PRINTED_EVENTS_MAX {
                *is_cut = true;
                return;
            }
            *held += 1;
            own.push((offset, print));
        })
    }

    fn keys(&mut self, finals: Finals) -> Result<(), SinkError> {
        let prints = self.printer.keys(&finals)?;
        let room = PRINTED_KEYS_MAX.saturating_sub(self.keys.len());
        self.is_cut |= prints.len() > room;
        let named = finals.keys.iter().zip(prints).take(room);
        self.keys.extend(named.map(|(key, print)| (key.to_vec(), print)));
        Ok(())
    }
}
