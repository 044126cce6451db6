//! Memory as a sink: what came out as Arrow batches, for whoever embeds the engine.

use super::{Beginning, End, Sink, SinkError, Takes};
use crate::rundir::{RowMaker, Table, state_rows};
use crate::table::{Digits, NewRows};
use arrow_array::RecordBatch;
use retally_core::manifest::Manifest;
use retally_core::reduce::{Block, Finals};

/// Keeps what came out in memory, up to a bound.
#[derive(Default)]
pub struct Memory {
    max_bytes: Option<usize>,
    bytes: usize,
    maker: Option<RowMaker>,
    tables: Tables,
    manifest: Option<Manifest>,
}

/// What came out, table by table: the columns are those of the files of a run directory.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// The view rows of all keys, by key.
    pub views: Vec<RecordBatch>,
    /// The states, by key.
    pub states: Vec<RecordBatch>,
    /// Broken business rules, by key.
    pub violations: Vec<RecordBatch>,
    /// The emits of each kind, under its name and in declared order; in log order.
    pub emits: Vec<(String, Vec<RecordBatch>)>,
    /// Refused events with their bytes, in log order.
    pub refused: Vec<RecordBatch>,
}

impl Memory {
    /// Keeps at most so many bytes; a pass that gives more fails.
    pub fn at_most(max_bytes: usize) -> Self {
        Self { max_bytes: Some(max_bytes), ..Self::default() }
    }

    /// What came out of a complete pass: its manifest, which has the digests, and the tables. None:
    /// no pass was completed.
    pub fn into_results(self) -> Option<(Manifest, Tables)> {
        Some((self.manifest?, self.tables))
    }

    fn keep(&mut self, table: Table, rows: NewRows) -> Result<(), SinkError> {
        let Some(maker) = self.maker.as_ref().filter(|_| rows.len() > 0) else { return Ok(()) };
        let batch = maker.batch(table, rows)?;
        self.bytes += batch.get_array_memory_size();
        if let Some(max_bytes) = self.max_bytes.filter(|&max| self.bytes > max) {
            return Err(SinkError::TooLarge(max_bytes));
        }
        let tables = &mut self.tables;
        match table {
            Table::Views => tables.views.push(batch),
            Table::States => tables.states.push(batch),
            Table::Violations => tables.violations.push(batch),
            Table::Refused => tables.refused.push(batch),
            Table::Emits(kind) => tables.emits[kind].1.push(batch),
            Table::Outcomes | Table::Leaves | Table::History | Table::Where => {}
        }
        Ok(())
    }
}

impl Sink for Memory {
    fn takes(&self) -> Takes {
        Takes { results: true, ..Takes::default() }
    }

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
        *self = Self { max_bytes: self.max_bytes, ..Self::default() };
        self.maker = Some(RowMaker::new(beginning.description, beginning.partitions));
        let kinds = &beginning.description.emits;
        self.tables.emits = kinds.iter().map(|kind| (kind.name.clone(), Vec::new())).collect();
        Ok(())
    }

    fn block(&mut self, block: Block) -> Result<(), SinkError> {
        let Some(maker) = &self.maker else { return Ok(()) };
        let refused = maker.refused(&block.refused);
        let emits = block.emits.into_iter().enumerate();
        let emits = emits.map(|(kind, rows)| (kind, maker.emits(kind, rows, Digits::Wide)));
        let emits: Vec<_> = emits.collect();
        self.keep(Table::Refused, refused)?;
        emits.into_iter().try_for_each(|(kind, rows)| self.keep(Table::Emits(kind), rows))
    }

    fn keys(&mut self, keys: Finals) -> Result<(), SinkError> {
        let Some(maker) = &self.maker else { return Ok(()) };
        let views = maker.views(&keys.keys, keys.viewed);
        let violations = maker.violations(&keys.keys, &keys.violated);
        self.keep(Table::Views, views)?;
        self.keep(Table::Violations, violations)?;
        self.keep(Table::States, state_rows(keys.keys, keys.states, keys.applied, keys.times))
    }

    fn end(&mut self, end: &End<'_>) -> Result<(), SinkError> {
        self.manifest = Some(end.manifest.clone());
        Ok(())
    }

    fn abandon(&mut self) {
        *self = Self { max_bytes: self.max_bytes, ..Self::default() };
    }
}
