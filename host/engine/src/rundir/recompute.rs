//! From the files of a run back to its trees.

use super::RunDirError;
use super::reader::{Keys, RunReader};
use super::shape::Table;
use crate::limits::CHECKED_KEYS;
use retally_core::digest::{
    Hash, History, KeyTree, KeyedDigest, Leaf, state_rows, view_rows, violation_row,
};
use retally_core::manifest::TableTotals;
use retally_core::reduce::Viewed;
use retally_core::schema::{Column, Field, Spans};

/// The states' tree.
pub(super) fn states(run: &RunReader) -> Result<KeyedDigest, RunDirError> {
    let mut tree = KeyTree::states();
    for batch in run.rows(Table::States, &Keys::All)? {
        let batch = batch?;
        let applied: Vec<u64> = batch.numbers("applied")?.iter().map(|&n| n as u64).collect();
        let (keys, states) = (batch.text_spans("key")?, batch.byte_spans("state")?);
        state_rows(&keys, &states, &applied, |key, row| tree.append(key, row))?;
    }
    Ok(tree.finish())
}

/// The views' tree and control totals.
pub(super) fn views(run: &RunReader) -> Result<(KeyedDigest, TableTotals), RunDirError> {
    let fields = run.view();
    let (mut tree, mut totals) = (KeyTree::views(fields), TableTotals::new(fields));
    let mut keys = Spans::default();
    let mut viewed = empty(fields);
    for batch in run.rows(Table::Views, &Keys::All)? {
        let batch = batch?;
        let columns = run.own(Table::Views, &batch)?;
        let added = totals.add(fields, &columns, batch.len());
        added.map_err(|error| run.wrong(Table::Views, error.to_string()))?;
        for (row, key) in batch.text_spans("key")?.iter().enumerate() {
            if keys.is_empty() || keys.get(keys.len() - 1) != key {
                if keys.len() == CHECKED_KEYS {
                    view_rows(fields, &keys, &viewed, |key, row| tree.append(key, row))?;
                    keys.clear();
                    viewed = empty(fields);
                }
                keys.push(key);
            }
            viewed.owners.push(keys.len() as u32 - 1);
            for (to, from) in viewed.columns.iter_mut().zip(&columns) {
                let broken = |_| run.wrong(Table::Views, "a column is of another type");
                to.push(from.get(row)).map_err(broken)?;
            }
        }
    }
    view_rows(fields, &keys, &viewed, |key, row| tree.append(key, row))?;
    Ok((tree.finish(), totals))
}

fn empty(fields: &[Field]) -> Viewed {
    let columns = fields.iter().map(|field| Column::new(field.kind)).collect();
    Viewed { owners: Vec::new(), columns }
}

/// The violations' tree.
pub(super) fn violations(run: &RunReader) -> Result<KeyedDigest, RunDirError> {
    let mut tree = KeyTree::violations();
    let mut open: Option<(String, Vec<String>)> = None;
    let push = |tree: &mut KeyTree, (key, codes): (String, Vec<String>)| {
        let codes: Vec<_> = codes.iter().map(String::as_str).collect();
        tree.append(key.as_bytes(), violation_row(key.as_bytes(), &codes))
    };
    for batch in run.rows(Table::Violations, &Keys::All)? {
        let batch = batch?;
        for (key, code) in batch.texts("key")?.iter().zip(batch.texts("code")?) {
            let (key, code) = (key.unwrap_or_default(), code.unwrap_or_default().to_owned());
            match &mut open {
                Some((open, codes)) if open == key => codes.push(code),
                _ => {
                    let next = (key.to_owned(), vec![code]);
                    if let Some(done) = open.replace(next) {
                        push(&mut tree, done)?;
                    }
                }
            }
        }
    }
    if let Some(done) = open {
        push(&mut tree, done)?;
    }
    Ok(tree.finish())
}

/// The leaves that were kept of a tree.
pub(super) fn leaves(run: &RunReader, tree: &str) -> Result<Vec<Leaf>, RunDirError> {
    let mut leaves = Vec::new();
    for batch in run.rows(Table::Leaves, &Keys::Tree([tree.to_owned()].into()))? {
        let batch = batch?;
        let (trees, hashes) = (batch.texts("tree")?, batch.fixed("hash", 32)?);
        let (first, rows) = (batch.numbers("first_row")?, batch.numbers("rows")?);
        let keys = batch.numbers("keys")?;
        for row in (0..batch.len()).filter(|&row| trees.value(row) == tree) {
            let mut hash = Hash([0; 32]);
            hash.0.copy_from_slice(hashes.value(row));
            let [first_row, rows, keys] = [first[row], rows[row], keys[row]].map(|n| n as u64);
            leaves.push(Leaf { hash, first_row, rows, keys });
        }
    }
    Ok(leaves)
}

/// The outcome trees as the snapshot left them.
pub(super) fn history(run: &RunReader) -> Result<Vec<History>, RunDirError> {
    let mut all = Vec::new();
    if !run.has_history() {
        return Ok(all);
    }
    for batch in run.rows(Table::History, &Keys::All)? {
        let batch = batch?;
        let events: Vec<u64> = batch.numbers("events")?.iter().map(|&n| n as u64).collect();
        all.extend(batch.trees(&events)?);
    }
    Ok(all)
}
