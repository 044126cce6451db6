//! From the files of a run back to its trees.

use super::RunDirError;
use super::reader::{Keys, Part, RunReader};
use super::shape::Table;
use crate::limits::CHECKED_KEYS;
use retally_core::digest::{
    Hash, History, KeyTree, KeyedDigest, Leaf, state_rows, view_rows, violation_row,
};
use retally_core::manifest::TableTotals;
use retally_core::reduce::Viewed;
use retally_core::schema::{Column, ColumnError, Kind, Spans, Values};
use retally_core::times::{Moment, Times};

/// Rows by key on their way into a tree.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) keys: Spans,
    pub(super) viewed: Viewed,
}

impl Gathered {
    /// Nothing yet, of columns of these kinds.
    pub(super) fn new(kinds: &[(String, Kind)]) -> Self {
        let columns = kinds.iter().map(|(_, kind)| Column::new(*kind)).collect();
        Self { keys: Spans::default(), viewed: Viewed { owners: Vec::new(), columns } }
    }

    fn is_of_last(&self, key: &[u8]) -> bool {
        !self.keys.is_empty() && self.keys.get(self.keys.len() - 1) == key
    }

    /// Adds a row of `columns`, which is that of `key`.
    pub(super) fn push(
        &mut self,
        key: &[u8],
        columns: &[Column],
        row: usize,
    ) -> Result<(), ColumnError> {
        if !self.is_of_last(key) {
            self.keys.push(key);
        }
        self.viewed.owners.push(self.keys.len() as u32 - 1);
        let mut both = self.viewed.columns.iter_mut().zip(columns);
        both.try_for_each(|(to, from)| to.push(from.get(row)))
    }
}

/// The states' tree.
pub(super) fn states(run: &RunReader) -> Result<KeyedDigest, RunDirError> {
    let mut tree = KeyTree::states();
    for batch in run.rows(Table::States, &Keys::All)? {
        let batch = batch?;
        let applied = batch.counts("applied")?;
        let (keys, states) = (batch.text_spans("key")?, batch.byte_spans("state")?);
        state_rows(&keys, &states, &applied, |key, row| tree.append(key, row))?;
    }
    Ok(tree.finish())
}

/// The views' tree and control totals.
pub(super) fn views(run: &RunReader) -> Result<(KeyedDigest, TableTotals), RunDirError> {
    let fields = &run.view().fields;
    let kinds = run.own_kinds(Table::Views);
    let (mut tree, mut totals) = (KeyTree::views(fields), TableTotals::new(fields));
    let mut gathered = Gathered::new(&kinds);
    let add = |tree: &mut KeyTree, Gathered { keys, viewed }: &Gathered| {
        view_rows(fields, keys, viewed, |key, row| tree.append(key, row))
    };
    for batch in run.rows(Table::Views, &Keys::All)? {
        let batch = batch?;
        let columns = run.own(Table::Views, &batch)?;
        let added = totals.add(fields, &columns, batch.len());
        added.map_err(|error| run.wrong(Table::Views, error.to_string()))?;
        for (row, key) in batch.text_spans("key")?.iter().enumerate() {
            if gathered.keys.len() == CHECKED_KEYS && !gathered.is_of_last(key) {
                add(&mut tree, &gathered)?;
                gathered = Gathered::new(&kinds);
            }
            let broken = |_| run.wrong(Table::Views, "a column is of another type");
            gathered.push(key, &columns, row).map_err(broken)?;
        }
    }
    add(&mut tree, &gathered)?;
    Ok((tree.finish(), totals))
}

/// The violations' tree.
pub(crate) fn violations(run: &RunReader) -> Result<KeyedDigest, RunDirError> {
    let mut tree = KeyTree::violations();
    let (mut open, mut codes) = (String::new(), Vec::<String>::new());
    let mut push = |key: &str, codes: &mut Vec<String>| {
        let all: Vec<_> = codes.iter().map(String::as_str).collect();
        let pushed = if all.is_empty() {
            Ok(())
        } else {
            tree.append(key.as_bytes(), violation_row(key.as_bytes(), &all))
        };
        codes.clear();
        pushed
    };
    for batch in run.rows(Table::Violations, &Keys::All)? {
        let batch = batch?;
        for (key, code) in batch.texts("key")?.iter().zip(batch.texts("code")?) {
            let (key, code) = (key.unwrap_or_default(), code.unwrap_or_default());
            if open != key {
                push(&open, &mut codes)?;
                open = key.to_owned();
            }
            codes.push(code.to_owned());
        }
    }
    push(&open, &mut codes)?;
    Ok(tree.finish())
}

/// The earliest and the latest of the times in a table; none: it has none.
pub(super) fn times(
    run: &RunReader,
    table: Table,
) -> Result<Option<(Moment, Moment)>, RunDirError> {
    let mut all = Times::default();
    let is_states = table == Table::States;
    let names = if is_states { &["time", "applied"][..] } else { &["time"] };
    let columns = Some(names.iter().map(|name| (*name).to_owned()).collect());
    for batch in run.part(table, Part { columns, ..Part::default() })? {
        let batch = batch?;
        let Values::Timestamp(times) = batch.column("time", Kind::Timestamp)?.values else {
            continue;
        };
        // A key that nothing was applied to has no time.
        let applied = if is_states { batch.counts("applied")? } else { vec![1; times.len()] };
        let timed = times.iter().zip(applied).filter(|(_, applied)| *applied > 0);
        all.add(timed.map(|(time, _)| *time));
    }
    Ok(all.earliest.zip(all.latest))
}

/// The leaves that were kept of a tree.
pub(super) fn leaves(run: &RunReader, tree: &str) -> Result<Vec<Leaf>, RunDirError> {
    let mut leaves = Vec::new();
    for batch in run.rows(Table::Leaves, &Keys::Tree([tree.to_owned()].into()))? {
        let batch = batch?;
        let (trees, hashes) = (batch.texts("tree")?, batch.fixed("hash", 32)?);
        let (first, rows) = (batch.counts("first_row")?, batch.counts("rows")?);
        let keys = batch.counts("keys")?;
        for row in (0..batch.len()).filter(|&row| trees.value(row) == tree) {
            let mut hash = Hash([0; 32]);
            hash.0.copy_from_slice(hashes.value(row));
            leaves.push(Leaf { hash, first_row: first[row], rows: rows[row], keys: keys[row] });
        }
    }
    Ok(leaves)
}

/// What is wrong if the table of leaves has others than those of the three trees, which are so
/// many.
pub(super) fn other_leaves(run: &RunReader, of_trees: u64) -> Option<String> {
    let read = || -> Result<(u64, bool), RunDirError> {
        let (mut rows, mut last, mut in_order) = (0, String::new(), true);
        let part = Part { columns: Some(vec!["tree".to_owned()]), ..Part::default() };
        for batch in run.part(Table::Leaves, part)? {
            let batch = batch?;
            for tree in batch.texts("tree")?.iter().flatten() {
                in_order &= last.as_str() <= tree;
                tree.clone_into(&mut last);
                rows += 1;
            }
        }
        Ok((rows, in_order))
    };
    match read() {
        Ok(found) if found == (of_trees, true) => None,
        Ok(_) => Some("leaves.parquet has leaves of no tree, or out of order".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// The outcome trees as the snapshot left them.
pub(super) fn history(run: &RunReader) -> Result<Vec<History>, RunDirError> {
    let mut all = Vec::new();
    if run.shape.history {
        for batch in run.rows(Table::History, &Keys::All)? {
            let batch = batch?;
            all.extend(batch.trees(&batch.counts("events")?)?);
        }
    }
    Ok(all)
}
