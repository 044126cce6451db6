//! The log as a run directory tells of it, read forward and once: runs of events of one fate, the
//! emits and the refused of a stretch. For whoever walks two runs side by side.

use super::RunDirError;
use super::columns::{from_arrow, text_spans};
pub(crate) use super::fates::Run;
use super::fates::{names, runs, what};
use super::reader::{Part, Rows, RunReader};
use super::recompute::{history, numbers};
use super::shape::{EMIT_FIELDS_FROM, Table};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, StringArray};
use retally_core::digest::{Hash, OutcomeShape, Outcomes, outcomes_digest};
use retally_core::reduce::{Block, EmitRows, Outcome};
use retally_core::schema::{Column, Spans};
use std::collections::VecDeque;

/// Runs of events of one fate, in log order; of one partition alone if asked for.
pub(crate) struct FateRows<'a> {
    run: &'a RunReader,
    rows: Rows<'a>,
    only: Option<String>,
    read: VecDeque<Run>,
}

impl<'a> FateRows<'a> {
    pub(crate) fn new(run: &'a RunReader, only: Option<&str>) -> Result<Self, RunDirError> {
        let rows = run.part(Table::Outcomes, Part::default())?;
        Ok(Self { run, rows, only: only.map(str::to_owned), read: VecDeque::new() })
    }
}

impl Iterator for FateRows<'_> {
    type Item = Result<Run, RunDirError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some(next) = self.read.pop_front() {
                if self.only.as_ref().is_none_or(|only| *only == next.partition) {
                    return Some(Ok(next));
                }
            }
            match self.rows.next()?.and_then(|batch| runs(self.run, &batch)) {
                Ok(read) => self.read.extend(read),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Records of one kind of a stretch of the log.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Number of each record's event in the stretch.
    pub(crate) events: Vec<u32>,
    /// Key of each.
    pub(crate) keys: Spans,
    /// Time of each.
    pub(crate) times: Vec<i64>,
    /// Number of each among all records of its kind.
    pub(crate) rows: Vec<u64>,
    /// Its declared fields.
    pub(crate) columns: Vec<Column>,
}

/// The emits of one kind, read forward.
pub(crate) struct EmitRowsOf<'a> {
    run: &'a RunReader,
    kind: usize,
    rows: Rows<'a>,
    partitions: Option<StringArray>,
    offsets: Vec<i64>,
    times: Vec<i64>,
    keys: Spans,
    columns: Vec<Column>,
    at: usize,
    /// Records of the batches before.
    before: u64,
    only: Option<String>,
}

impl<'a> EmitRowsOf<'a> {
    pub(crate) fn new(
        run: &'a RunReader,
        kind: usize,
        only: Option<&str>,
    ) -> Result<Self, RunDirError> {
        // Neither the number within the event, which the order tells, nor the id.
        let fields = run.emits()[kind].fields.len();
        let columns = [0, 1, 3, 4].into_iter();
        let columns = columns.chain(EMIT_FIELDS_FROM..EMIT_FIELDS_FROM + fields).collect();
        let part = Part { columns: Some(columns), ..Part::default() };
        let mut emits = Self {
            run,
            kind,
            rows: run.part(Table::Emits(kind), part)?,
            partitions: None,
            offsets: Vec::new(),
            times: Vec::new(),
            keys: Spans::default(),
            columns: Vec::new(),
            at: 0,
            before: 0,
            only: only.map(str::to_owned),
        };
        emits.fill()?;
        Ok(emits)
    }

    /// Takes the records of events of `partition` from `first` to `end`.
    pub(crate) fn take(
        &mut self,
        partition: &str,
        first: u64,
        end: u64,
    ) -> Result<Taken, RunDirError> {
        let fields = &self.run.emits()[self.kind].fields;
        let columns = fields.iter().map(|field| Column::new(field.kind)).collect();
        let mut taken = Taken { columns, ..Taken::default() };
        while let Some((of, offset)) = self.next() {
            if self.only.as_ref().is_some_and(|only| only != of) {
                self.pass()?;
                continue;
            }
            if of != partition || offset < first || offset >= end {
                break;
            }
            taken.events.push((offset - first) as u32);
            taken.keys.push(self.keys.get(self.at));
            taken.times.push(self.times[self.at]);
            taken.rows.push(self.before + self.at as u64);
            for (to, from) in taken.columns.iter_mut().zip(&self.columns) {
                let wrong =
                    |_| self.run.wrong(Table::Emits(self.kind), "a column is of another type");
                to.push(from.get(self.at)).map_err(wrong)?;
            }
            self.pass()?;
        }
        Ok(taken)
    }

    /// Partition and offset of the next record's event.
    fn next(&self) -> Option<(&str, u64)> {
        let partitions = self.partitions.as_ref()?;
        let offset = *self.offsets.get(self.at)?;
        Some((partitions.value(self.at), offset as u64))
    }

    fn pass(&mut self) -> Result<(), RunDirError> {
        self.at += 1;
        if self.at == self.offsets.len() { self.fill() } else { Ok(()) }
    }

    fn fill(&mut self) -> Result<(), RunDirError> {
        self.before += self.offsets.len() as u64;
        self.at = 0;
        self.offsets.clear();
        while self.offsets.is_empty() {
            let Some(batch) = self.rows.next() else { return Ok(()) };
            let batch = batch?;
            self.partitions = Some(batch.column(0).as_string::<i32>().clone());
            self.offsets = numbers(&batch, 1).to_vec();
            self.times =
                batch.column(2).as_primitive::<TimestampMicrosecondType>().values().to_vec();
            self.keys = text_spans(batch.column(3).as_string());
            let own = self.run.emits()[self.kind].fields.iter().enumerate();
            let own = own.map(|(at, field)| from_arrow(batch.column(at + 4), field.kind));
            let wrong = || self.run.wrong(Table::Emits(self.kind), "a column is of another type");
            self.columns = own.collect::<Option<_>>().ok_or_else(wrong)?;
        }
        Ok(())
    }

    /// An error if records are left, which belong to no event that was applied.
    pub(crate) fn end(&mut self) -> Result<(), RunDirError> {
        while let Some((partition, offset)) = self.next() {
            if self.only.as_ref().is_none_or(|only| only == partition) {
                let what =
                    format!("{partition}:{offset} was not applied, or stands out of log order");
                return Err(self.run.wrong(Table::Emits(self.kind), what));
            }
            self.pass()?;
        }
        Ok(())
    }
}

/// A refused event without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedRow {
    pub(crate) partition: String,
    pub(crate) offset: u64,
    pub(crate) what: String,
    pub(crate) code: Option<String>,
    pub(crate) key: Option<String>,
}

/// The refused in log order, without their bytes.
pub(crate) struct RefusedRows<'a> {
    rows: Rows<'a>,
    batch: Option<RecordBatch>,
    at: usize,
    only: Option<String>,
}

impl<'a> RefusedRows<'a> {
    pub(crate) fn new(run: &'a RunReader, only: Option<&str>) -> Result<Self, RunDirError> {
        let part = Part { columns: Some(vec![0, 1, 2, 3, 5]), ..Part::default() };
        let rows = run.part(Table::Refused, part)?;
        Ok(Self { rows, batch: None, at: 0, only: only.map(str::to_owned) })
    }

    fn any(&mut self) -> Option<Result<RefusedRow, RunDirError>> {
        while self.batch.as_ref().is_none_or(|batch| self.at == batch.num_rows()) {
            match self.rows.next()? {
                Ok(batch) => (self.batch, self.at) = (Some(batch), 0),
                Err(error) => return Some(Err(error)),
            }
        }
        let batch = self.batch.as_ref()?;
        let text = |column: usize| {
            let column = batch.column(column).as_string::<i32>();
            column.is_valid(self.at).then(|| column.value(self.at).to_owned())
        };
        let row = RefusedRow {
            partition: text(0).unwrap_or_default(),
            offset: numbers(batch, 1)[self.at] as u64,
            what: text(2).unwrap_or_default(),
            code: text(3),
            key: text(4),
        };
        self.at += 1;
        Some(Ok(row))
    }
}

impl Iterator for RefusedRows<'_> {
    type Item = Result<RefusedRow, RunDirError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = self.any()?;
            let own = |row: &RefusedRow| self.only.as_ref().is_none_or(|p| *p == row.partition);
            if row.as_ref().map_or(true, own) {
                return Some(row);
            }
        }
    }
}

/// The outcome trees of a run, grown again while its log is walked: whether what was read is what
/// was written.
pub(crate) struct Regrown<'a> {
    run: &'a RunReader,
    trees: Outcomes,
    /// The partitions that the outcomes name, in byte order: by the numbers of the stretches.
    pub(crate) partitions: Vec<String>,
}

impl<'a> Regrown<'a> {
    /// No events yet.
    pub(crate) fn new(run: &'a RunReader) -> Result<Self, RunDirError> {
        let (partitions, rejects) = names(run)?;
        let shape = OutcomeShape { emits: run.emits().to_vec(), rejects };
        let trees = Outcomes::restore(shape, &partitions, history(run)?)
            .map_err(|error| run.wrong(Table::History, error.to_string()))?;
        Ok(Self { run, trees, partitions })
    }

    /// What a run of events is, as the trees count it.
    pub(crate) fn what(&self, row: &Run) -> Result<Outcome, RunDirError> {
        what(self.run, row, &self.trees.shape().rejects)
    }

    /// Grows the trees by a stretch of one partition: its fates, and the emits of each kind.
    pub(crate) fn add(
        &mut self,
        stretch: retally_core::reduce::Stretch,
        outcomes: Vec<Outcome>,
        emits: &[Taken],
    ) -> Result<(), RunDirError> {
        let rows = emits.iter().map(|taken| EmitRows {
            events: taken.events.clone(),
            columns: taken.columns.clone(),
            ..EmitRows::default()
        });
        let emits = rows.collect();
        let block = Block { stretches: vec![stretch], outcomes, emits, refused: Vec::new() };
        let first = stretch.first_offset;
        self.trees.add(&block).map_err(|error| {
            let what = format!("it does not fit the emits from offset {first} on: {error}");
            self.run.wrong(Table::Outcomes, what)
        })
    }

    /// The outcomes' digest of all that was walked.
    pub(crate) fn digest(&self) -> Hash {
        outcomes_digest(self.run.emits(), &self.trees.digests())
    }
}
