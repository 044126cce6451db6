//! Keys of a run's views or states and what belongs to them, read forward: all of them, or those of
//! some leaves. A leaf is read as a whole and checked against its hash before a key of it is given.

use super::RunDirError;
use super::reader::{Keys, Named, Part, Rows, RunReader};
use super::recompute::{Gathered, leaves};
use super::shape::Table;
use crate::limits::SHOWN_KEYS;
use retally_compare::Sorted;
use retally_core::digest::{
    KeyTree, KeyTreeError, Leaf, state_rows, states_digest, view_rows, views_digest,
};
use retally_core::schema::{Column, Kind, Spans, Value, Values};
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::ops::Range;

impl RunReader {
    /// The leaves of the views or the states. Their hashes are those of the table's digest, and
    /// each begins behind the one before: no digest covers which rows they are.
    pub(crate) fn leaves(&self, table: Table) -> Result<Vec<Leaf>, RunDirError> {
        let of_views = table == Table::Views;
        let tree = if of_views { "views" } else { "states" };
        let leaves = leaves(self, tree)?;
        let mut next = 0u64;
        for Leaf { first_row, rows, .. } in &leaves {
            let end = first_row.checked_add(*rows);
            let end = end.filter(|end| *first_row == next && (next + 1..1 << 63).contains(end));
            next = end.ok_or_else(|| {
                let (first_row, rows) = (*first_row as i64, *rows as i64);
                let what = format!(
                    "a leaf of {rows} rows begins at row {first_row}, where row {next} is to come"
                );
                self.wrong(Table::Leaves, what)
            })?;
        }
        let digests = &self.manifest().digests;
        let is_whole = match of_views {
            true => views_digest(&self.view().fields, &leaves) == digests.views,
            false => states_digest(&leaves) == digests.states,
        };
        if !is_whole {
            let what = format!("the leaves of the {tree} are not those of its digest");
            return Err(self.wrong(Table::Leaves, what));
        }
        // What stands behind the last leaf would not be looked at.
        let found = self.count(table)?;
        if found != next {
            let what = format!("it has {found} rows, and the leaves of the {tree} have {next}");
            return Err(self.wrong(table, what));
        }
        Ok(leaves)
    }
}

/// The keys of some leaves, one after another, the first at hand from the beginning.
pub(crate) struct KeyRows<'a> {
    run: &'a RunReader,
    table: Table,
    kinds: Vec<(String, Kind)>,
    rows: Rows<'a>,
    leaves: std::vec::IntoIter<Leaf>,
    /// What was read last, and how much of it is taken.
    keys: Spans,
    columns: Vec<Column>,
    taken: usize,
    /// The leaf at hand.
    leaf: Gathered,
    /// Number of the key at hand in it, and its rows.
    key: usize,
    own: Range<usize>,
}

impl<'a> KeyRows<'a> {
    /// `leaves`: some of the table's, in order.
    pub(crate) fn new(
        run: &'a RunReader,
        table: Table,
        leaves: Vec<Leaf>,
    ) -> Result<Self, RunDirError> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for leaf in &leaves {
            let end = leaf.first_row + leaf.rows;
            match ranges.last_mut() {
                Some(last) if last.end == leaf.first_row => last.end = end,
                _ => ranges.push(leaf.first_row..end),
            }
        }
        let kinds = match table {
            Table::States => vec![("state".into(), Kind::Bytes), ("applied".into(), Kind::Integer)],
            table => run.own_kinds(table),
        };
        let columns = kinds.iter().map(|(name, _)| name.clone()).chain(["key".into()]);
        let part = Part { keys: Keys::All, rows: Some(ranges), columns: Some(columns.collect()) };
        let mut keys = Self {
            run,
            table,
            kinds,
            rows: run.part(table, part)?,
            leaves: leaves.into_iter(),
            keys: Spans::default(),
            columns: Vec::new(),
            taken: 0,
            leaf: Gathered::default(),
            key: 0,
            own: 0..0,
        };
        keys.advance()?;
        Ok(keys)
    }

    /// The rows of the key at hand: of a state one, with it and the number of events applied to it.
    pub(crate) fn own(&self) -> retally_compare::Rows<'_> {
        let Range { start, end } = self.own;
        retally_compare::Rows { columns: &self.leaf.viewed.columns, start, end }
    }

    fn read_leaf(&mut self, leaf: &Leaf) -> Result<(), RunDirError> {
        self.leaf = Gathered::new(&self.kinds);
        for _ in 0..leaf.rows {
            while self.taken == self.keys.len() {
                let batch = self.rows.next().ok_or_else(|| self.changed(leaf))??;
                let columns = self.kinds.iter().map(|(name, kind)| batch.column(name, *kind));
                self.columns = columns.collect::<Result<_, _>>()?;
                (self.keys, self.taken) = (batch.text_spans("key")?, 0);
            }
            let pushed = self.leaf.push(self.keys.get(self.taken), &self.columns, self.taken);
            pushed.map_err(|_| self.run.wrong(self.table, "a column is of another type"))?;
            self.taken += 1;
        }
        let found = self.tree().map_err(|error| self.run.wrong(self.table, error.to_string()))?;
        match found.as_slice() {
            [one] if (one.hash, one.keys, one.rows) == (leaf.hash, leaf.keys, leaf.rows) => Ok(()),
            _ => Err(self.changed(leaf)),
        }
    }

    /// The leaves of a tree over the leaf at hand.
    fn tree(&self) -> Result<Vec<Leaf>, KeyTreeError> {
        let Gathered { keys, viewed } = &self.leaf;
        let values: Vec<&Values> = viewed.columns.iter().map(|column| &column.values).collect();
        if let (Table::States, [Values::Bytes(states), Values::Integer(applied)]) =
            (self.table, values.as_slice())
        {
            // Rows of one key were gathered as one: a state has no second.
            if keys.len() < states.len() {
                return Err(KeyTreeError("a key has two states".into()));
            }
            let applied: Vec<u64> = applied.iter().map(|&number| number as u64).collect();
            let mut tree = KeyTree::states();
            state_rows(keys, states, &applied, |key, row| tree.append(key, row))?;
            return Ok(tree.finish().leaves);
        }
        let fields = &self.run.view().fields;
        let mut tree = KeyTree::views(fields);
        view_rows(fields, keys, viewed, |key, row| tree.append(key, row))?;
        Ok(tree.finish().leaves)
    }

    fn changed(&self, leaf: &Leaf) -> RunDirError {
        let from = leaf.first_row;
        let what = format!("the rows from {from} are not those whose hash is in leaves.parquet");
        self.run.wrong(self.table, what)
    }
}

/// The view rows of all keys or of some, in order, a batch at a time as columns of the table. Their
/// leaves were checked, and tell as well that a key has none.
pub struct Results<'a> {
    rows: KeyRows<'a>,
    wanted: Option<BTreeSet<String>>,
}

impl RunReader {
    /// The view rows of all keys, or of these.
    ///
    /// # Errors
    /// When the files are not as they were written, here or in what follows.
    pub fn results(&self, wanted: Option<&BTreeSet<String>>) -> Result<Results<'_>, RunDirError> {
        let mut leaves = self.leaves(Table::Views)?;
        if let Some(wanted) = wanted {
            leaves = self.leaves_of(leaves, wanted)?;
        }
        Ok(Results { rows: KeyRows::new(self, Table::Views, leaves)?, wanted: wanted.cloned() })
    }

    /// Of the views' leaves those in which keys are, if they are anywhere. Nothing says which keys
    /// a leaf has but the leaf.
    fn leaves_of(
        &self,
        leaves: Vec<Leaf>,
        keys: &BTreeSet<String>,
    ) -> Result<Vec<Leaf>, RunDirError> {
        let mut firsts: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        let mut found = BTreeSet::new();
        for key in keys {
            // The leaf before the first that begins behind the key.
            let (mut from, mut upto) = (0, leaves.len());
            while from < upto {
                let middle = from.midpoint(upto);
                let first = match firsts.entry(middle) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(unknown) => {
                        let leaf = KeyRows::new(self, Table::Views, vec![leaves[middle]])?;
                        unknown.insert(leaf.key().unwrap_or_default().to_vec())
                    }
                };
                match first.as_slice() <= key.as_bytes() {
                    true => from = middle + 1,
                    false => upto = middle,
                }
            }
            found.extend(from.checked_sub(1));
        }
        let all = leaves.into_iter().enumerate();
        Ok(all.filter(|(at, _)| found.contains(at)).map(|(_, leaf)| leaf).collect())
    }
}

impl Results<'_> {
    fn batch(&mut self) -> Result<Option<Vec<Named>>, RunDirError> {
        let (run, kinds) = (self.rows.run, self.rows.kinds.clone());
        let named = |name: String, kind| Named { name, kind, column: Column::new(kind) };
        let own = kinds.into_iter().map(|(name, kind)| named(name, kind));
        let mut columns: Vec<Named> =
            [named("key".into(), Kind::Text)].into_iter().chain(own).collect();
        let mut keys = 0;
        while keys < SHOWN_KEYS
            && let Some(key) = self.rows.key()
        {
            let text = std::str::from_utf8(key).unwrap_or_default();
            if self.wanted.as_ref().is_none_or(|wanted| wanted.contains(text)) {
                let rows = self.rows.own();
                let broken = |_| run.wrong(Table::Views, "a column is of another type");
                for row in rows.start..rows.end {
                    let values = rows.columns.iter().map(|column| column.get(row));
                    let values = [Some(Value::Text(key))].into_iter().chain(values);
                    for (to, value) in columns.iter_mut().zip(values) {
                        to.column.push(value).map_err(broken)?;
                    }
                }
                keys += 1;
            }
            self.rows.advance()?;
        }
        Ok((keys > 0).then_some(columns))
    }
}

impl Iterator for Results<'_> {
    type Item = Result<Vec<Named>, RunDirError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

impl Sorted for KeyRows<'_> {
    type Error = RunDirError;

    fn key(&self) -> Option<&[u8]> {
        (self.key < self.leaf.keys.len()).then(|| self.leaf.keys.get(self.key))
    }

    fn advance(&mut self) -> Result<(), RunDirError> {
        self.key += 1;
        if self.key >= self.leaf.keys.len() {
            (self.leaf, self.key, self.own) = (Gathered::default(), 0, 0..0);
            if let Some(leaf) = self.leaves.next() {
                self.read_leaf(&leaf)?;
            }
        }
        let start = self.own.end;
        let owners = self.leaf.viewed.owners[start..].iter();
        let rows = owners.take_while(|&&owner| owner as usize == self.key).count();
        self.own = start..start + rows;
        Ok(())
    }
}
