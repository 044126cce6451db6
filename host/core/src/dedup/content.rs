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

use crate::decode::{Events, Reading};
use crate::schema::{Column, Values};
use crate::seed::{Content, Inputs, LANES, Seed};

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

    /// Puts 64 bits for every ready event into its place in `out`.
    pub(super) fn all(&mut self, out: &mut [u64]) {
        let inputs = self.events.columns.len();
        let mut groups = vec![([0; LANES], 0); inputs];
        let mut laid = Inputs::default();
        for (event, reading) in self.events.readings.iter().enumerate() {
            if *reading != Reading::Ready {
                continue;
            }
            let input = self.events.inputs[event];
            let (group, open) = &mut groups[usize::from(input)];
            group[*open] = event;
            *open += 1;
            if *open == LANES {
                self.group(input, group, &mut laid, out);
                *open = 0;
            }
        }
        for (group, open) in groups {
            group[..open].iter().for_each(|&event| out[event] = self.of(event));
        }
    }

    /// Events of one input side by side, if they fit.
    #[inline]
    fn group(&mut self, input: u8, group: &[usize; LANES], laid: &mut Inputs, out: &mut [u64]) {
        laid.clear();
        if self.lay(input, group, laid) {
            let hashes = self.seed.contents(laid);
            group.iter().zip(hashes).for_each(|(&event, hash)| out[event] = hash);
        } else {
            group.iter().for_each(|&event| out[event] = self.of(event));
        }
    }

    /// Lays out the words of a group; whether there was room.
    #[inline]
    fn lay(&mut self, input: u8, group: &[usize; LANES], laid: &mut Inputs) -> bool {
        let events = self.events;
        let columns = &events.columns[usize::from(input)];
        let rows = group.map(|event| events.rows[event]);
        // One bit a column for what a lane lacks.
        let mut lacking = [0_u64; LANES];
        for (number, column) in columns.iter().enumerate() {
            if column.missing.is_empty() {
                continue;
            }
            if number >= 64 {
                return false;
            }
            let passed = &mut self.passed[usize::from(input)][number];
            for (lacking, &row) in lacking.iter_mut().zip(&rows) {
                *lacking |= u64::from(lacks(column, row, passed)) << number;
            }
        }
        let mut room = true;
        for (lane, (&event, &lacking)) in group.iter().zip(&lacking).enumerate() {
            let head = u64::from(input) | u64::from(lacking.count_ones()) << 8;
            room &= laid.word(lane, head) && laid.word(lane, events.times[event] as u64);
            let mut left = lacking;
            while left != 0 {
                room &= laid.word(lane, u64::from(left.trailing_zeros()));
                left &= left - 1;
            }
        }
        for (number, column) in columns.iter().enumerate() {
            let skip = if column.missing.is_empty() { [0; LANES] } else { lacking };
            room &= lay_column(&column.values, &rows, laid, |lane| {
                number < 64 && skip[lane] >> number & 1 == 1
            });
        }
        room
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

/// Appends the values of one column to the lanes that do not lack it; whether there was room.
#[inline]
fn lay_column(
    values: &Values,
    rows: &[u32; LANES],
    laid: &mut Inputs,
    lacks: impl Fn(usize) -> bool,
) -> bool {
    let mut room = true;
    macro_rules! lay {
        ($put:expr) => {
            for (lane, &row) in rows.iter().enumerate() {
                if !lacks(lane) {
                    room &= $put(&mut *laid, lane, row as usize);
                }
            }
        };
    }
    type L<'a> = &'a mut Inputs;
    match values {
        Values::Boolean(v) => lay!(|l: L<'_>, lane, row: usize| l.word(lane, u64::from(v[row]))),
        Values::Integer(v) | Values::Decimal(v) | Values::Timestamp(v) => {
            lay!(|l: L<'_>, lane, row: usize| l.word(lane, v[row] as u64));
        }
        Values::Float(v) => lay!(|l: L<'_>, lane, row: usize| l.word(lane, v[row].to_bits())),
        Values::Date(v) => lay!(|l: L<'_>, lane, row: usize| l.word(lane, v[row] as u64)),
        Values::Text(v) | Values::Bytes(v) | Values::Json(v) => {
            lay!(|l: L<'_>, lane, row: usize| l.text(lane, v.get(row)));
        }
    }
    room
}
