//! Keys of a run directory's tables and what belongs to them, read forward: all of them, or those
//! of some leaves. What is read is checked against the leaves' hashes.

use super::RunDirError;
use super::reader::{Keys, Part, Rows, RunReader};
use super::recompute::leaves;
use super::shape::Table;
use retally_core::digest::{KeyTree, KeyedDigest, Leaf, state_rows, view_rows};
use retally_core::reduce::Viewed;
use retally_core::schema::{Column, Field, Spans};
use std::collections::VecDeque;
use std::ops::Range;

impl RunReader {
    /// The leaves of the views.
    pub(crate) fn view_leaves(&self) -> Result<Vec<Leaf>, RunDirError> {
        in_order(self, leaves(self, "views")?)
    }

    /// The leaves of the states.
    pub(crate) fn state_leaves(&self) -> Result<Vec<Leaf>, RunDirError> {
        in_order(self, leaves(self, "states")?)
    }
}

/// The leaves, if each begins behind the one before: no digest covers which rows they are.
fn in_order(run: &RunReader, leaves: Vec<Leaf>) -> Result<Vec<Leaf>, RunDirError> {
    let mut next = 0u64;
    for leaf in &leaves {
        let end = leaf.first_row.checked_add(leaf.rows);
        let end = end.filter(|end| leaf.first_row == next && (next + 1..1 << 63).contains(end));
        next = end.ok_or_else(|| {
            let Leaf { first_row, rows, .. } = leaf;
            let (first_row, rows) = (*first_row as i64, *rows as i64);
            let what = format!(
                "a leaf of {rows} rows begins at row {first_row}, where row {next} is to come"
            );
            run.wrong(Table::Leaves, what)
        })?;
    }
    Ok(leaves)
}

/// The rows of some leaves, which stand in order.
fn part(leaves: &[Leaf], columns: Option<Vec<String>>) -> Part {
    let mut rows: Vec<Range<u64>> = Vec::new();
    for leaf in leaves {
        let end = leaf.first_row + leaf.rows;
        match rows.last_mut() {
            Some(last) if last.end == leaf.first_row => last.end = end,
            _ => rows.push(leaf.first_row..end),
        }
    }
    Part { keys: Keys::All, rows: Some(rows), columns }
}

/// The view rows of the keys of some leaves, a key at a time.
pub(crate) struct ViewRows<'a> {
    run: &'a RunReader,
    rows: Rows<'a>,
    check: LeafCheck<'a>,
    keys: Spans,
    columns: Vec<Column>,
    /// Where the key at hand begins and ends.
    own: Range<usize>,
    /// Rows of the key at hand where it lies in more than one batch, in place of the batch's.
    joined: Option<(Vec<u8>, Vec<Column>, usize)>,
}

impl<'a> ViewRows<'a> {
    /// `leaves`: some of the run's, in order.
    pub(crate) fn new(run: &'a RunReader, leaves: &[Leaf]) -> Result<Self, RunDirError> {
        Ok(Self {
            run,
            rows: run.part(Table::Views, part(leaves, None))?,
            check: LeafCheck::new(run.view(), leaves),
            keys: Spans::default(),
            columns: Vec::new(),
            own: 0..0,
            joined: None,
        })
    }

    /// Goes on to the next key; false behind the last.
    pub(crate) fn advance(&mut self) -> Result<bool, RunDirError> {
        self.joined = None;
        if self.own.end == self.keys.len() && !self.fill()? {
            let left = self.check.end();
            return left.map(|()| false).map_err(|what| self.run.wrong(Table::Views, what));
        }
        let start = self.own.end;
        let key = self.keys.get(start);
        let rows = (start..self.keys.len()).take_while(|&row| self.keys.get(row) == key).count();
        self.own = start..start + rows;
        if self.own.end == self.keys.len() {
            self.join()?;
        }
        self.check_key()?;
        Ok(true)
    }

    /// The key at hand.
    pub(crate) fn key(&self) -> &[u8] {
        match &self.joined {
            Some((key, ..)) => key,
            None => self.keys.get(self.own.start),
        }
    }

    /// Its rows.
    pub(crate) fn own(&self) -> retally_compare::Rows<'_> {
        match &self.joined {
            Some((_, columns, rows)) => retally_compare::Rows { columns, start: 0, end: *rows },
            None => {
                let Range { start, end } = self.own;
                retally_compare::Rows { columns: &self.columns, start, end }
            }
        }
    }

    fn fill(&mut self) -> Result<bool, RunDirError> {
        let Some(batch) = self.rows.next() else { return Ok(false) };
        let batch = batch?;
        self.columns = self.run.own(Table::Views, &batch)?;
        self.keys = batch.text_spans("key")?;
        self.own = 0..0;
        Ok(true)
    }

    /// The last key of a batch may go on in the next.
    fn join(&mut self) -> Result<(), RunDirError> {
        let key = self.keys.get(self.own.start).to_vec();
        let mut columns = empty(self.run.view());
        self.copy(self.own.clone(), &mut columns)?;
        let mut all = self.own.len();
        while self.own.end == self.keys.len() {
            if !self.fill()? {
                (self.keys, self.own) = (Spans::default(), 0..0);
                break;
            }
            let rows = self.keys.iter().take_while(|next| *next == key.as_slice()).count();
            self.copy(0..rows, &mut columns)?;
            all += rows;
            self.own = 0..rows;
            if rows < self.keys.len() {
                break;
            }
        }
        self.joined = Some((key, columns, all));
        Ok(())
    }

    fn copy(&self, rows: Range<usize>, to: &mut [Column]) -> Result<(), RunDirError> {
        for (to, from) in to.iter_mut().zip(&self.columns) {
            for row in rows.clone() {
                let wrong = |_| self.run.wrong(Table::Views, "a column is of another type");
                to.push(from.get(row)).map_err(wrong)?;
            }
        }
        Ok(())
    }

    fn check_key(&mut self) -> Result<(), RunDirError> {
        let mut check = std::mem::take(&mut self.check);
        let checked = check.key(self.key(), self.own());
        self.check = check;
        checked.map_err(|what| self.run.wrong(Table::Views, what))
    }
}

fn empty(fields: &[Field]) -> Vec<Column> {
    fields.iter().map(|field| Column::new(field.kind)).collect()
}

/// Why rows are not those of a leaf.
fn changed(first_row: u64) -> String {
    format!("the rows from {first_row} are not those whose hash is in leaves.parquet")
}

/// Hashes rows again, leaf by leaf.
#[derive(Default)]
struct LeafCheck<'a> {
    fields: &'a [Field],
    leaves: VecDeque<Leaf>,
    keys: Spans,
    viewed: Viewed,
}

impl<'a> LeafCheck<'a> {
    fn new(fields: &'a [Field], leaves: &[Leaf]) -> Self {
        let viewed = Viewed { owners: Vec::new(), columns: empty(fields) };
        Self { fields, leaves: leaves.iter().copied().collect(), keys: Spans::default(), viewed }
    }

    fn key(&mut self, key: &[u8], rows: retally_compare::Rows<'_>) -> Result<(), String> {
        let Some(&leaf) = self.leaves.front() else {
            return Err("it has more rows than its leaves say".into());
        };
        self.keys.push(key);
        for row in 0..rows.len() {
            self.viewed.owners.push(self.keys.len() as u32 - 1);
            for (at, column) in self.viewed.columns.iter_mut().enumerate() {
                column.push(rows.get(row, at)).map_err(|_| changed(leaf.first_row))?;
            }
        }
        if (self.viewed.owners.len() as u64) < leaf.rows {
            return Ok(());
        }
        let mut tree = KeyTree::views(self.fields);
        view_rows(self.fields, &self.keys, &self.viewed, |key, row| tree.append(key, row))
            .map_err(|error| error.to_string())?;
        self.leaves.pop_front();
        self.keys.clear();
        self.viewed = Viewed { owners: Vec::new(), columns: empty(self.fields) };
        same(&tree.finish(), &leaf)
    }

    fn end(&self) -> Result<(), String> {
        self.leaves.front().map_or(Ok(()), |leaf| Err(changed(leaf.first_row)))
    }
}

/// Whether a tree over the rows of one leaf is that leaf.
fn same(found: &KeyedDigest, leaf: &Leaf) -> Result<(), String> {
    match found.leaves.as_slice() {
        [one] if (one.hash, one.keys, one.rows) == (leaf.hash, leaf.keys, leaf.rows) => Ok(()),
        _ => Err(changed(leaf.first_row)),
    }
}

/// The states of some leaves, a key at a time.
pub(crate) struct StateRows<'a> {
    run: &'a RunReader,
    rows: Rows<'a>,
    leaves: VecDeque<Leaf>,
    tree: KeyTree,
    /// Rows of the leaf at hand that are in the tree.
    taken: u64,
    keys: Spans,
    states: Spans,
    applied: Vec<u64>,
    next: usize,
}

impl<'a> StateRows<'a> {
    /// `leaves`: some of the run's, in order.
    pub(crate) fn new(run: &'a RunReader, leaves: &[Leaf]) -> Result<Self, RunDirError> {
        let columns = ["key", "state", "applied"].map(str::to_owned);
        Ok(Self {
            run,
            rows: run.part(Table::States, part(leaves, Some(columns.into())))?,
            leaves: leaves.iter().copied().collect(),
            tree: KeyTree::states(),
            taken: 0,
            keys: Spans::default(),
            states: Spans::default(),
            applied: Vec::new(),
            next: 0,
        })
    }

    /// Goes on to the next key; false behind the last.
    pub(crate) fn advance(&mut self) -> Result<bool, RunDirError> {
        let wrong = |what: String| self.run.wrong(Table::States, what);
        if self.next == self.keys.len() {
            let Some(batch) = self.rows.next() else {
                let left = self.leaves.front().map(|leaf| changed(leaf.first_row));
                return left.map_or(Ok(false), |what| Err(wrong(what)));
            };
            let batch = batch?;
            self.keys = batch.text_spans("key")?;
            self.states = batch.byte_spans("state")?;
            self.applied = batch.numbers("applied")?.iter().map(|&n| n as u64).collect();
            self.next = 0;
        }
        self.next += 1;
        let checked = self.check();
        checked.map_err(|what| self.run.wrong(Table::States, what))?;
        Ok(true)
    }

    fn check(&mut self) -> Result<(), String> {
        let at = self.next - 1;
        let own = |spans: &Spans| Spans::from_iter([spans.get(at)]);
        let (keys, states, applied) = (own(&self.keys), own(&self.states), [self.applied[at]]);
        state_rows(&keys, &states, &applied, |key, row| self.tree.append(key, row))
            .map_err(|error| error.to_string())?;
        self.taken += 1;
        let Some(leaf) = self.leaves.front().copied() else {
            return Err("it has more rows than its leaves say".into());
        };
        if self.taken < leaf.rows {
            return Ok(());
        }
        self.taken = 0;
        self.leaves.pop_front();
        same(&std::mem::replace(&mut self.tree, KeyTree::states()).finish(), &leaf)
    }

    /// The key at hand.
    pub(crate) fn key(&self) -> &[u8] {
        self.keys.get(self.next - 1)
    }

    /// Its state and the number of events applied to it.
    pub(crate) fn state(&self) -> (&[u8], u64) {
        (self.states.get(self.next - 1), self.applied[self.next - 1])
    }
}
