//! What is shown of the event at which a key parted: its id, the records and the views of both
//! sides. Kept for as many keys as a bound of memory allows, chosen by a hash of the key alone, so
//! that the choice repeats: every key has a level (how many zero bits begin SHA-256 of its bytes
//! behind a label), and when the details of all keys together are beyond the bound, those below the
//! next level are dropped, everywhere. Whoever drives the shards sums up [`Details::weights`] and
//! says which level holds ([`level_of`]).

use super::rows::Range;
use retally_core::digest::Canonical;
use retally_core::reduce::{Emitted, Viewed};
use retally_core::schema::{Column, Description, Spans, Value};

/// Levels of keys. A level more halves the keys: the last holds what nobody could fill.
pub const DETAIL_LEVELS: usize = 33;

/// Bytes of details by the level of their keys.
pub type Weights = [u64; DETAIL_LEVELS];

/// The lowest level at which all details together fit into `bound` bytes.
pub fn level_of(weights: &Weights, bound: u64) -> u8 {
    let mut sum: u64 = weights.iter().sum();
    let mut level = 0;
    while sum > bound && level + 1 < DETAIL_LEVELS {
        sum -= weights[level];
        level += 1;
    }
    level as u8
}

/// The level of a key.
pub(super) fn key_level(key: &[u8]) -> u8 {
    let mut canonical = Canonical::new("retally detail");
    canonical.bytes(key);
    let zeros = canonical.finish().0.iter().fold((0, true), |(zeros, open), byte| match open {
        true => (zeros + byte.leading_zeros(), *byte == 0),
        false => (zeros, false),
    });
    zeros.0.min(DETAIL_LEVELS as u32 - 1) as u8
}

/// What is shown of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    /// The event's id.
    pub id: Vec<u8>,
    /// For each side and declared emit kind the columns of its records.
    pub emits: [Vec<Vec<Column>>; 2],
    /// For each side the columns of the key's view rows after the event; none: the view fails.
    pub views: [Option<Vec<Column>>; 2],
}

/// What one side has of an event that is taken.
pub(super) struct OneSide<'a> {
    /// The view's columns and rows; none: it fails.
    pub(super) view: Option<(&'a [Column], Range)>,
    /// For each declared emit kind the columns and rows of the event's records.
    pub(super) emits: Vec<(&'a [Column], Range)>,
}

/// The details of one shard, column by column.
#[derive(Debug)]
pub(super) struct Details {
    /// Number of the divergence of each detail, ascending.
    numbers: Vec<u32>,
    levels: Vec<u8>,
    ids: Spans,
    views: [Viewed; 2],
    /// For each side and detail whether the view fails.
    failed: [Vec<bool>; 2],
    emits: [Vec<Emitted>; 2],
    weights: Weights,
    level: u8,
}

impl Details {
    pub(super) fn new(descriptions: [&Description; 2]) -> Self {
        let columns = |fields: &[retally_core::schema::Field]| -> Vec<Column> {
            fields.iter().map(|field| Column::new(field.kind)).collect()
        };
        let emits = |d: &Description| {
            let kinds = d.emits.iter();
            kinds.map(|k| Emitted { rows: Vec::new(), columns: columns(&k.fields) }).collect()
        };
        let view =
            |d: &Description| Viewed { owners: Vec::new(), columns: columns(&d.view.fields) };
        Self {
            numbers: Vec::new(),
            levels: Vec::new(),
            ids: Spans::default(),
            views: descriptions.map(view),
            failed: Default::default(),
            emits: descriptions.map(emits),
            weights: [0; DETAIL_LEVELS],
            level: 0,
        }
    }

    pub(super) fn weights(&self) -> &Weights {
        &self.weights
    }

    pub(super) fn level(&self) -> u8 {
        self.level
    }

    /// Takes the detail of a divergence, numbered in the order in which they are taken.
    pub(super) fn push(&mut self, number: u32, level: u8, id: &[u8], sides: [OneSide<'_>; 2]) {
        let at = self.numbers.len() as u32;
        let mut bytes = 64 + id.len();
        self.numbers.push(number);
        self.levels.push(level);
        self.ids.push(id);
        for (side, taken) in sides.into_iter().enumerate() {
            self.failed[side].push(taken.view.is_none());
            if let Some((columns, range)) = taken.view {
                let into = &mut self.views[side];
                into.owners.extend((0..range.len).map(|_| at));
                bytes += copy(&mut into.columns, columns, range);
            }
            for (into, (columns, range)) in self.emits[side].iter_mut().zip(taken.emits) {
                into.rows.extend((0..range.len).map(|_| at));
                bytes += copy(&mut into.columns, columns, range);
            }
        }
        self.weights[usize::from(level)] += bytes as u64;
    }

    /// Drops the details of keys below `level`.
    pub(super) fn prune(&mut self, level: u8) {
        if level <= self.level {
            return;
        }
        self.level = level;
        let mut places = Vec::with_capacity(self.levels.len());
        let mut kept = 0;
        for &own in &self.levels {
            places.push((own >= level).then_some(kept));
            kept += u32::from(own >= level);
        }
        let keep = |at: usize| places[at].is_some();
        let mut number = 0..;
        self.numbers.retain(|_| keep(number.next().unwrap_or_default()));
        for list in &mut self.failed {
            let mut number = 0..;
            list.retain(|_| keep(number.next().unwrap_or_default()));
        }
        self.ids = (0..self.ids.len()).filter(|&at| keep(at)).map(|at| self.ids.get(at)).collect();
        self.levels.retain(|&own| own >= level);
        for view in &mut self.views {
            retain(&mut view.owners, &mut view.columns, &places);
        }
        for emitted in self.emits.iter_mut().flatten() {
            retain(&mut emitted.rows, &mut emitted.columns, &places);
        }
    }

    /// The detail of a divergence, if it was kept.
    pub(super) fn get(&self, number: u32) -> Option<Detail> {
        let at = self.numbers.binary_search(&number).ok()?;
        let rows = |owners: &[u32], columns: &[Column]| {
            let from = owners.partition_point(|&owner| owner < at as u32);
            let to = owners.partition_point(|&owner| owner <= at as u32);
            let range = Range { at: from as u32, len: (to - from) as u32 };
            let mut out: Vec<Column> = columns
                .iter()
                .map(|c| Column { values: c.values.empty(), missing: Vec::new() })
                .collect();
            copy(&mut out, columns, range);
            out
        };
        let view = |side: usize| {
            let view = &self.views[side];
            (!self.failed[side][at]).then(|| rows(&view.owners, &view.columns))
        };
        let emits = |side: usize| {
            self.emits[side].iter().map(|emitted| rows(&emitted.rows, &emitted.columns)).collect()
        };
        Some(Detail {
            id: self.ids.get(at).to_vec(),
            emits: [emits(0), emits(1)],
            views: [view(0), view(1)],
        })
    }
}

/// Appends rows of columns of the same fields; gives how many bytes they have.
fn copy(into: &mut [Column], from: &[Column], rows: Range) -> usize {
    let mut bytes = 0;
    for (into, from) in into.iter_mut().zip(from) {
        for row in rows.at..rows.at + rows.len {
            let value = from.get(row as usize);
            bytes += match value {
                Some(Value::Text(text) | Value::Bytes(text) | Value::Json(text)) => 4 + text.len(),
                _ => 8,
            };
            let pushed = into.push(value);
            debug_assert!(pushed.is_ok(), "columns of the same fields");
        }
    }
    bytes
}

/// Keeps the rows whose owners have a place, and gives them those.
fn retain(owners: &mut Vec<u32>, columns: &mut [Column], places: &[Option<u32>]) {
    let kept: Vec<u32> = (0..owners.len() as u32)
        .filter(|&row| places[owners[row as usize] as usize].is_some())
        .collect();
    for column in columns {
        let mut smaller = Column { values: column.values.empty(), missing: Vec::new() };
        for &row in &kept {
            copy(
                std::slice::from_mut(&mut smaller),
                std::slice::from_ref(column),
                Range { at: row, len: 1 },
            );
        }
        *column = smaller;
    }
    *owners = owners.iter().filter_map(|&owner| places[owner as usize]).collect();
}
