//! From the files of a run back to its trees.

use super::RunDirError;
use super::columns::{byte_spans, from_arrow, text_spans};
use super::reader::{Keys, Rows, RunReader};
use super::shape::Table;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use retally_core::digest::{Hash, History, KeyedDigest, Leaf, StateTree, ViewTree, ViolationTree};
use retally_core::manifest::TableTotals;
use retally_core::reduce::Viewed;
use retally_core::schema::{Column, Field, Spans};

/// Keys gathered before they go into a tree.
const GATHERED_KEYS: usize = 1024;

/// The states' tree.
pub(super) fn states(run: &RunReader) -> Result<KeyedDigest, RunDirError> {
    let mut tree = StateTree::default();
    for batch in run.rows(Table::States, &Keys::All)? {
        let batch = batch?;
        let keys = text_spans(batch.column(0).as_string());
        let states = byte_spans(batch.column(1).as_binary());
        let applied: Vec<u64> = numbers(&batch, 2).iter().map(|&n| n as u64).collect();
        tree.add(&keys, &states, &applied)?;
    }
    Ok(tree.finish())
}

/// The views' tree and control totals.
pub(super) fn views(run: &RunReader) -> Result<(KeyedDigest, TableTotals), RunDirError> {
    let fields = run.view();
    let (mut tree, mut totals) = (ViewTree::new(fields), TableTotals::new(fields));
    let mut keys = Spans::default();
    let mut viewed = empty(fields);
    for batch in run.rows(Table::Views, &Keys::All)? {
        let batch = batch?;
        let column = |(at, field): (usize, &Field)| from_arrow(batch.column(at + 1), field.kind);
        let columns: Option<Vec<Column>> = fields.iter().enumerate().map(column).collect();
        let broken = || run.wrong(Table::Views, "a column is of another type");
        let columns = columns.ok_or_else(broken)?;
        let added = totals.add(fields, &columns, batch.num_rows());
        added.map_err(|error| run.wrong(Table::Views, error.to_string()))?;
        for (row, key) in text_spans(batch.column(0).as_string()).iter().enumerate() {
            if keys.is_empty() || keys.get(keys.len() - 1) != key {
                if keys.len() == GATHERED_KEYS {
                    tree.add(&keys, &viewed)?;
                    keys.clear();
                    viewed = empty(fields);
                }
                keys.push(key);
            }
            viewed.owners.push(keys.len() as u32 - 1);
            for (to, from) in viewed.columns.iter_mut().zip(&columns) {
                to.push(from.get(row)).map_err(|_| broken())?;
            }
        }
    }
    tree.add(&keys, &viewed)?;
    Ok((tree.finish(), totals))
}

fn empty(fields: &[Field]) -> Viewed {
    let columns = fields.iter().map(|field| Column::new(field.kind)).collect();
    Viewed { owners: Vec::new(), columns }
}

/// The violations' tree.
pub(super) fn violations(run: &RunReader) -> Result<KeyedDigest, RunDirError> {
    let mut tree = ViolationTree::default();
    let mut open: Option<(String, Vec<String>)> = None;
    let push = |tree: &mut ViolationTree, (key, codes): (String, Vec<String>)| {
        let codes: Vec<_> = codes.iter().map(String::as_str).collect();
        tree.push(key.as_bytes(), &codes)
    };
    for batch in run.rows(Table::Violations, &Keys::All)? {
        let batch = batch?;
        let keys = batch.column(0).as_string::<i32>();
        let codes = batch.column(1).as_string::<i32>();
        for (key, code) in keys.iter().zip(codes) {
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
        let trees = batch.column(0).as_string::<i32>();
        let (first, rows, keys) = (numbers(&batch, 1), numbers(&batch, 2), numbers(&batch, 3));
        let hashes = batch.column(4).as_fixed_size_binary();
        for row in (0..batch.num_rows()).filter(|&row| trees.value(row) == tree) {
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
        let names = batch.column(0).as_string::<i32>();
        let events = numbers(&batch, 1);
        let (edges, opens) =
            (batch.column(2).as_binary::<i32>(), batch.column(3).as_binary::<i32>());
        for (row, &events) in events.iter().enumerate() {
            let hash = |bytes: &[u8]| Some(Hash(bytes.try_into().ok()?));
            let edge: Option<Vec<Hash>> = edges.value(row).chunks(32).map(hash).collect();
            let torn = || run.wrong(Table::History, "an edge is no list of hashes");
            all.push(History {
                partition: names.value(row).to_owned(),
                events: events as u64,
                edge: edge.ok_or_else(torn)?,
                open: opens.value(row).to_vec(),
            });
        }
    }
    Ok(all)
}

pub(super) fn numbers(batch: &RecordBatch, column: usize) -> &[i64] {
    batch.column(column).as_primitive::<Int64Type>().values()
}

/// The emits of one kind, row by row.
pub(super) struct EmitCursor<'a> {
    table: Table,
    run: &'a RunReader,
    rows: Rows<'a>,
    fields: &'a [Field],
    partitions: Spans,
    offsets: Vec<i64>,
    columns: Vec<Column>,
    row: usize,
}

impl<'a> EmitCursor<'a> {
    pub(super) fn new(run: &'a RunReader, kind: usize) -> Result<Self, RunDirError> {
        let table = Table::Emits(kind);
        let mut cursor = Self {
            table,
            run,
            rows: run.rows(table, &Keys::All)?,
            fields: &run.emits()[kind].fields,
            partitions: Spans::default(),
            offsets: Vec::new(),
            columns: Vec::new(),
            row: 0,
        };
        cursor.fill()?;
        Ok(cursor)
    }

    /// Partition and offset of the next record's event.
    pub(super) fn next(&self) -> Option<(&[u8], u64)> {
        let offset = *self.offsets.get(self.row)?;
        Some((self.partitions.get(self.row), offset as u64))
    }

    /// Takes the next record into `columns`.
    pub(super) fn take(&mut self, columns: &mut [Column]) -> Result<(), RunDirError> {
        for (to, from) in columns.iter_mut().zip(&self.columns) {
            let wrong = |_| self.run.wrong(self.table, "a column is of another type");
            to.push(from.get(self.row)).map_err(wrong)?;
        }
        self.row += 1;
        if self.row == self.offsets.len() { self.fill() } else { Ok(()) }
    }

    fn fill(&mut self) -> Result<(), RunDirError> {
        self.row = 0;
        self.offsets.clear();
        while self.offsets.is_empty() {
            let Some(batch) = self.rows.next() else { return Ok(()) };
            let batch = batch?;
            self.partitions = text_spans(batch.column(0).as_string());
            self.offsets = numbers(&batch, 1).to_vec();
            let own = self.fields.iter().enumerate();
            let own = own.map(|(at, field)| from_arrow(batch.column(at + 6), field.kind));
            let wrong = || self.run.wrong(self.table, "a column is of another type");
            self.columns = own.collect::<Option<_>>().ok_or_else(wrong)?;
        }
        Ok(())
    }
}
