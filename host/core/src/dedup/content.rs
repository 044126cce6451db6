//! What of an event is compared when its id was seen before: the columns that its input declares
//! and the payload's time. Never raw bytes, so an event that is sent again with its names in
//! another order, or lies in a file of another format, is the same event.
//!
//! ```text
//! input: u8 | number of missing columns: 56 bits      one word
//! time                                                one word
//! for each missing column, ascending: its number      one word
//! for each other column, ascending: its value         number: one word; string: length: u32 |
//!                                                     bytes | zeros up to a whole word
//! ```
//!
//! The kinds stand in the reducer's declaration, to which everything that keeps these hashes is
//! bound.

use crate::decode::Events;
use crate::schema::{Column, Values};
use crate::seed::{Content, Seed};

/// Hashes the contents of a slab's events.
pub(super) struct Contents<'a> {
    events: &'a Events,
    seed: &'a Seed,
    /// For each input and column how many of its missing rows lie behind.
    passed: Vec<Vec<usize>>,
    /// Columns that the event at hand lacks.
    lacking: Vec<usize>,
}

impl<'a> Contents<'a> {
    pub(super) fn new(events: &'a Events, seed: &'a Seed) -> Self {
        let passed = events.columns.iter().map(|columns| vec![0; columns.len()]).collect();
        Self { events, seed, passed, lacking: Vec::new() }
    }

    /// 64 bits that stand for the content of a ready event. Fastest when asked in order.
    #[inline]
    pub(super) fn of(&mut self, event: usize) -> u64 {
        let events = self.events;
        let (input, row) = (events.inputs[event], events.rows[event]);
        let columns = &events.columns[usize::from(input)];
        self.lacking.clear();
        for (number, column) in columns.iter().enumerate() {
            if column.missing.is_empty() {
                continue;
            }
            if lacks(column, row, &mut self.passed[usize::from(input)][number]) {
                self.lacking.push(number);
            }
        }
        let mut hash = self.seed.content();
        hash.word(u64::from(input) | (self.lacking.len() as u64) << 8);
        hash.word(events.times[event] as u64);
        self.lacking.iter().for_each(|&number| hash.word(number as u64));
        let mut lacking = self.lacking.iter().peekable();
        for (number, column) in columns.iter().enumerate() {
            if lacking.next_if_eq(&&number).is_none() {
                put(&mut hash, &column.values, row as usize);
            }
        }
        hash.finish()
    }
}

/// Whether the column has no value at `row`. `passed` goes along with rows that ascend.
#[inline]
fn lacks(column: &Column, row: u32, passed: &mut usize) -> bool {
    let missing = &column.missing;
    if *passed > 0 && missing[*passed - 1] >= row {
        *passed = missing.partition_point(|&gone| gone < row);
    }
    while missing.get(*passed).is_some_and(|&gone| gone < row) {
        *passed += 1;
    }
    missing.get(*passed) == Some(&row)
}

#[inline]
fn put(hash: &mut Content, values: &Values, row: usize) {
    match values {
        Values::Boolean(v) => hash.word(u64::from(v[row])),
        Values::Integer(v) | Values::Decimal(v) | Values::Timestamp(v) => hash.word(v[row] as u64),
        Values::Float(v) => hash.word(v[row].to_bits()),
        Values::Date(v) => hash.word(v[row] as u64),
        Values::Text(v) | Values::Bytes(v) | Values::Json(v) => hash.text(v.get(row)),
    }
}
