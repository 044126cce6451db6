//! The log as a run directory tells of it, read forward and once: events of one outcome, the emits
//! and the refused of a stretch. For whoever checks a run, or walks two runs side by side.

use super::RunDirError;
use super::reader::{Part, Rows, RunReader};
use super::recompute::history;
use super::shape::Table;
use crate::table::Batch;
use arrow_array::{Array, StringArray};
use retally_compare::model::NamedOutcome;
use retally_core::digest::{Hash, OutcomeShape, Outcomes, PartitionDigest, outcomes_digest};
use retally_core::log::Stretch;
use retally_core::manifest::{Counts, Totals};
use retally_core::reduce::{Block, EmitRows, Outcome};
use retally_core::schema::{Column, Spans};
use std::collections::{BTreeSet, VecDeque};

/// Events of one outcome that follow one another in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alike {
    pub(crate) partition: String,
    pub(crate) offset: u64,
    pub(crate) events: u64,
    pub(crate) what: String,
    pub(crate) code: Option<String>,
}

/// The outcomes in log order; of one partition alone if asked for.
pub(crate) struct OutcomeRows<'a> {
    run: &'a RunReader,
    rows: Rows<'a>,
    only: Option<String>,
    read: VecDeque<Alike>,
}

impl<'a> OutcomeRows<'a> {
    pub(crate) fn new(run: &'a RunReader, only: Option<&str>) -> Result<Self, RunDirError> {
        let rows = run.part(Table::Outcomes, Part::default())?;
        Ok(Self { run, rows, only: only.map(str::to_owned), read: VecDeque::new() })
    }

    fn fill(&mut self, batch: &Batch) -> Result<(), RunDirError> {
        let (partitions, whats) = (batch.texts("partition")?, batch.texts("what")?);
        let (offsets, events) = (batch.numbers("offset")?, batch.numbers("events")?);
        let codes = batch.texts("code")?;
        for row in 0..batch.len() {
            let (offset, events) = (offsets[row], events[row]);
            if offset < 0 || events < 1 || offset.checked_add(events).is_none() {
                let what = format!("{events} events from offset {offset} cannot be");
                return Err(self.run.wrong(Table::Outcomes, what));
            }
            if self.only.as_ref().is_none_or(|only| only == partitions.value(row)) {
                self.read.push_back(Alike {
                    partition: partitions.value(row).to_owned(),
                    offset: offset as u64,
                    events: events as u64,
                    what: whats.value(row).to_owned(),
                    code: codes.is_valid(row).then(|| codes.value(row).to_owned()),
                });
            }
        }
        Ok(())
    }
}

impl Iterator for OutcomeRows<'_> {
    type Item = Result<Alike, RunDirError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.read.is_empty() {
            if let Err(error) = self.rows.next()?.and_then(|batch| self.fill(&batch)) {
                return Some(Err(error));
            }
        }
        self.read.pop_front().map(Ok)
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
        let table = Table::Emits(kind);
        // Neither the number within the event, which the order tells, nor the id.
        let columns = run.with_own(table, &["partition", "offset", "time", "key"]);
        let part = Part { columns: Some(columns), ..Part::default() };
        let mut emits = Self {
            run,
            kind,
            rows: run.part(table, part)?,
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
            let Some(batch) = self.rows.next().transpose()? else { return Ok(()) };
            self.partitions = Some(batch.texts("partition")?.clone());
            self.offsets = batch.numbers("offset")?.to_vec();
            self.times = batch.times("time")?.values().to_vec();
            self.keys = batch.text_spans("key")?;
            self.columns = self.run.own(Table::Emits(self.kind), &batch)?;
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

impl RefusedRow {
    /// What became of it.
    pub(crate) fn outcome(&self) -> NamedOutcome {
        NamedOutcome { what: self.what.clone(), code: self.code.clone() }
    }
}

/// The refused in log order, without their bytes.
pub(crate) struct RefusedRows<'a> {
    rows: Rows<'a>,
    read: VecDeque<RefusedRow>,
    only: Option<String>,
}

impl<'a> RefusedRows<'a> {
    pub(crate) fn new(run: &'a RunReader, only: Option<&str>) -> Result<Self, RunDirError> {
        let columns = ["partition", "offset", "what", "code", "key"].map(str::to_owned);
        let part = Part { columns: Some(columns.into()), ..Part::default() };
        let rows = run.part(Table::Refused, part)?;
        Ok(Self { rows, read: VecDeque::new(), only: only.map(str::to_owned) })
    }

    fn fill(&mut self, batch: &Batch) -> Result<(), RunDirError> {
        let partitions = batch.texts("partition")?;
        let (offsets, whats) = (batch.numbers("offset")?, batch.texts("what")?);
        let (codes, keys) = (batch.texts("code")?, batch.texts("key")?);
        for (row, &offset) in offsets.iter().enumerate() {
            let partition = partitions.value(row);
            if self.only.as_ref().is_none_or(|only| only == partition) {
                self.read.push_back(RefusedRow {
                    partition: partition.to_owned(),
                    offset: offset as u64,
                    what: whats.value(row).to_owned(),
                    code: codes.is_valid(row).then(|| codes.value(row).to_owned()),
                    key: keys.is_valid(row).then(|| keys.value(row).to_owned()),
                });
            }
        }
        Ok(())
    }
}

impl Iterator for RefusedRows<'_> {
    type Item = Result<RefusedRow, RunDirError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.read.is_empty() {
            if let Err(error) = self.rows.next()?.and_then(|batch| self.fill(&batch)) {
                return Some(Err(error));
            }
        }
        self.read.pop_front().map(Ok)
    }
}

/// All partitions, in byte order, and reject codes that the outcomes name.
fn names(run: &RunReader) -> Result<(Vec<String>, Vec<String>), RunDirError> {
    let (mut partitions, mut rejects) = (BTreeSet::new(), Vec::new());
    let mut left = run.manifest().counts.events;
    for alike in OutcomeRows::new(run, None)? {
        let Alike { partition, events, what, code, .. } = alike?;
        // Counted first, so that a forged count cannot keep a check busy for ever.
        left = left.checked_sub(events).ok_or_else(|| {
            run.wrong(Table::Outcomes, "it names more events than the manifest counts")
        })?;
        partitions.insert(partition);
        if let Some(code) = code.filter(|code| !rejects.contains(code))
            && what == Outcome::Rejected(0).word()
        {
            rejects.push(code);
        }
    }
    Ok((partitions.into_iter().collect(), rejects))
}

/// The outcome trees of a run, grown again while its log is walked, with counts and control totals
/// of the emits: whether what was read is what was written.
pub(crate) struct Regrown<'a> {
    run: &'a RunReader,
    trees: Outcomes,
    /// The partitions that the outcomes name, in byte order: by the numbers of the stretches.
    pub(crate) partitions: Vec<String>,
    /// Without the filtered, who leave no record.
    pub(super) counts: Counts,
    /// Of the emits alone.
    pub(super) totals: Totals,
}

impl<'a> Regrown<'a> {
    /// No events yet.
    pub(crate) fn new(run: &'a RunReader) -> Result<Self, RunDirError> {
        let (partitions, rejects) = names(run)?;
        let shape = OutcomeShape { emits: run.emits().to_vec(), rejects };
        let trees = Outcomes::restore(shape, &partitions, history(run)?)
            .map_err(|error| run.wrong(Table::History, error.to_string()))?;
        let (counts, totals) = (Counts::default(), Totals::new(run.emits(), &[]));
        Ok(Self { run, trees, partitions, counts, totals })
    }

    /// The reject codes that the outcomes name, by the numbers that the trees count them by.
    pub(crate) fn rejects(&self) -> &[String] {
        &self.trees.shape().rejects
    }

    /// What some events are, as the trees count it.
    pub(crate) fn what(&self, alike: &Alike) -> Result<Outcome, RunDirError> {
        let Alike { partition, offset, what, code, .. } = alike;
        let code = code.as_deref();
        Outcome::parse(what, code, &self.trees.shape().rejects).ok_or_else(|| {
            let code = code.unwrap_or_default();
            let what = format!("{partition}:{offset} is {what:?} {code:?}, which is unknown");
            self.run.wrong(Table::Outcomes, what)
        })
    }

    /// Grows the trees by a stretch of one partition: its outcomes, and the emits of each kind.
    pub(crate) fn add(
        &mut self,
        stretch: Stretch,
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
        self.counts.add(&block);
        let added = self.totals.add_emits(self.run.emits(), &block.emits);
        added.map_err(|error| self.run.wrong(Table::Outcomes, error.to_string()))?;
        self.trees.add(&block).map_err(|error| {
            let first = stretch.first_offset;
            let what = format!("it does not fit the emits from offset {first} on: {error}");
            self.run.wrong(Table::Outcomes, what)
        })
    }

    /// The tree of each partition.
    pub(super) fn digests(&self) -> Vec<PartitionDigest> {
        self.trees.digests()
    }

    /// The outcomes' digest of all that was walked.
    pub(crate) fn digest(&self) -> Hash {
        outcomes_digest(self.run.emits(), &self.digests())
    }
}
