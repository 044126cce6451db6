//! Events of a slab apart from one another, by the portions of their keys: what a pass over one
//! portion keeps for the passes over the others, so that nobody has to read the log for them again.

use crate::decode::{Events, Reading};
use crate::dedup::Prints;
use crate::portion::Portion;
use crate::schema::pick::{Pick, pick_behind, pick_spans, sized};
use crate::schema::{Column, Spans};

/// The events of one portion.
#[derive(Debug, Default)]
pub struct Apart {
    /// Their rows in the slab, ascending.
    pub rows: Vec<u32>,
    /// What was read of them, as if they were a slab of their own.
    pub events: Events,
}

/// The events of all portions but `own`, which has none here, by their numbers. Events without a
/// key belong to no other than the first, so they are in none.
pub(crate) fn apart(events: &Events, own: Portion, prints: &Prints) -> Vec<Apart> {
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); own.of()];
    for ((row, reading), &hash) in (0..).zip(&events.readings).zip(&prints.key) {
        if reading.has_key() {
            rows[own.number_of(hash)].push(row);
        }
    }
    rows[own.number()].clear();
    rows.into_iter().map(|rows| Apart { events: events.pick(&rows), rows }).collect()
}

impl Events {
    /// What was read of the events in `rows`, which ascend. The clock stays behind.
    fn pick(&self, rows: &[u32]) -> Self {
        let all: Vec<Pick> = rows.iter().map(|&row| (0, row)).collect();
        let at = || rows.iter().map(|&row| row as usize);
        let is_ready = |row: &usize| self.readings[*row] == Reading::Ready;
        let mut picks = sized(self.columns.len(), at().filter(is_ready).map(|r| self.inputs[r]));
        let place = |row: usize| {
            if !is_ready(&row) {
                return 0;
            }
            let picks = &mut picks[usize::from(self.inputs[row])];
            picks.push((0, self.rows[row]));
            picks.len() as u32 - 1
        };
        let own_rows = at().map(place).collect();
        let columns = self.columns.iter().zip(&picks).map(|(columns, picks)| {
            let column = |of: &Column| pick_behind(of.values.empty(), &[of], picks);
            columns.iter().map(column).collect()
        });
        let detail = |(row, what): &(u32, String)| {
            Some((rows.binary_search(row).ok()? as u32, what.clone()))
        };
        let text = |of: &Spans| {
            let mut picked = Spans::default();
            pick_spans(&mut picked, &[of], &all);
            picked
        };
        Self {
            readings: at().map(|row| self.readings[row]).collect(),
            inputs: at().map(|row| self.inputs[row]).collect(),
            columns: columns.collect(),
            rows: own_rows,
            keys: text(&self.keys),
            ids: text(&self.ids),
            times: at().map(|row| self.times[row]).collect(),
            clock: Vec::new(),
            details: self.details.iter().filter_map(detail).collect(),
        }
    }
}
