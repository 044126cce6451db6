//! The log as a run directory tells of it, read forward and once: events of one outcome, the emits
//! and the refused of a stretch. For whoever checks a run, or walks two runs side by side.

use super::RunDirError;
use super::reader::{Part, Rows, RunReader};
use super::recompute::history;
use super::shape::Table;
use crate::table::Batch;
use arrow_array::{Array, StringArray};
use retally_compare::model::NamedOutcome;
use retally_core::digest::{OutcomeShape, Outcomes};
use retally_core::log::{Position, Stretch};
use retally_core::manifest::{Counts, Totals};
use retally_core::reduce::{Block, EmitRows, Outcome};
use retally_core::schema::{Column, Spans};
use std::collections::{BTreeSet, VecDeque};

/// Events of one outcome that follow one another in a partition; of refused ones each by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alike {
    /// Where the first lies.
    pub(crate) at: Position,
    pub(crate) events: u64,
    pub(crate) outcome: NamedOutcome,
    /// Of a refused event, as far as it could be read.
    pub(crate) key: Option<String>,
}

/// The outcomes, or the refused events without their bytes, in log order; of one partition alone
/// if asked for.
pub(crate) struct AlikeRows<'a> {
    run: &'a RunReader,
    table: Table,
    rows: Rows<'a>,
    only: Option<&'a str>,
    read: VecDeque<Alike>,
}

impl<'a> AlikeRows<'a> {
    /// Of [`Table::Outcomes`] or [`Table::Refused`].
    pub(crate) fn new(
        run: &'a RunReader,
        table: Table,
        only: Option<&'a str>,
    ) -> Result<Self, RunDirError> {
        let columns = ["partition", "offset", "events", "what", "code", "key"].map(str::to_owned);
        let part = Part { columns: Some(columns.into()), ..Part::default() };
        Ok(Self { run, table, rows: run.part(table, part)?, only, read: VecDeque::new() })
    }

    fn fill(&mut self, batch: &Batch) -> Result<(), RunDirError> {
        let some = |texts: &StringArray, row| texts.is_valid(row).then(|| texts.value(row).into());
        let (partitions, offsets) = (batch.texts("partition")?, batch.numbers("offset")?);
        let (whats, codes) = (batch.texts("what")?, batch.texts("code")?);
        let of_outcomes = self.table == Table::Outcomes;
        let events = of_outcomes.then(|| batch.numbers("events")).transpose()?;
        let keys = (!of_outcomes).then(|| batch.texts("key")).transpose()?;
        for (row, &offset) in offsets.iter().enumerate() {
            let events = events.map_or(1, |events| events[row]);
            let can_be = offset >= 0 && events >= 1 && offset.checked_add(events).is_some();
            if of_outcomes && !can_be {
                let what = format!("{events} events from offset {offset} cannot be");
                return Err(self.run.wrong(self.table, what));
            }
            let partition = partitions.value(row);
            if self.only.is_none_or(|only| only == partition) {
                let what = whats.value(row).to_owned();
                self.read.push_back(Alike {
                    at: Position { partition: partition.to_owned(), offset: offset as u64 },
                    events: events as u64,
                    outcome: NamedOutcome { what, code: some(codes, row) },
                    key: keys.and_then(|keys| some(keys, row)),
                });
            }
        }
        Ok(())
    }
}

impl Iterator for AlikeRows<'_> {
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
    only: Option<&'a str>,
    /// None behind the last.
    read: Option<ReadEmits>,
    /// The next record of those that were read, and how many were read before.
    at: usize,
    before: u64,
}

struct ReadEmits {
    partitions: StringArray,
    offsets: Vec<i64>,
    times: Vec<i64>,
    keys: Spans,
    columns: Vec<Column>,
}

impl<'a> EmitRowsOf<'a> {
    /// Those of every kind.
    pub(crate) fn all(run: &'a RunReader, only: Option<&'a str>) -> Result<Vec<Self>, RunDirError> {
        (0..run.emits().len()).map(|kind| Self::new(run, kind, only)).collect()
    }

    fn new(run: &'a RunReader, kind: usize, only: Option<&'a str>) -> Result<Self, RunDirError> {
        let table = Table::Emits(kind);
        // Neither the number within the event, which the order tells, nor the id.
        let front = ["partition", "offset", "time", "key"].map(str::to_owned);
        let own = run.own_kinds(table).into_iter().map(|(name, _)| name);
        let columns = Some(front.into_iter().chain(own).collect());
        let part = Part { columns, ..Part::default() };
        let rows = run.part(table, part)?;
        let mut emits = Self { run, kind, rows, only, read: None, at: 0, before: 0 };
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
        while let (Some((of, offset)), Some(read)) = (self.next(), &self.read) {
            if self.only.is_some_and(|only| only != of) {
                self.pass()?;
                continue;
            }
            if of != partition || offset < first || offset >= end {
                break;
            }
            taken.events.push((offset - first) as u32);
            taken.keys.push(read.keys.get(self.at));
            taken.times.push(read.times[self.at]);
            taken.rows.push(self.before + self.at as u64);
            for (to, from) in taken.columns.iter_mut().zip(&read.columns) {
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
        let ReadEmits { partitions, offsets, .. } = self.read.as_ref()?;
        Some((partitions.value(self.at), offsets[self.at] as u64))
    }

    fn pass(&mut self) -> Result<(), RunDirError> {
        self.at += 1;
        let read = self.read.as_ref().map_or(0, |read| read.offsets.len());
        if self.at == read { self.fill() } else { Ok(()) }
    }

    fn fill(&mut self) -> Result<(), RunDirError> {
        self.before += self.at as u64;
        (self.at, self.read) = (0, None);
        while let Some(batch) = self.rows.next().transpose()? {
            if !batch.is_empty() {
                self.read = Some(ReadEmits {
                    partitions: batch.texts("partition")?.clone(),
                    offsets: batch.numbers("offset")?.to_vec(),
                    times: batch.times("time")?.values().to_vec(),
                    keys: batch.text_spans("key")?,
                    columns: self.run.own(Table::Emits(self.kind), &batch)?,
                });
                break;
            }
        }
        Ok(())
    }

    /// An error if records are left, which belong to no event that was applied.
    pub(crate) fn end(&mut self) -> Result<(), RunDirError> {
        while let Some((partition, offset)) = self.next() {
            if self.only.is_none_or(|only| only == partition) {
                let what =
                    format!("{partition}:{offset} was not applied, or stands out of log order");
                return Err(self.run.wrong(Table::Emits(self.kind), what));
            }
            self.pass()?;
        }
        Ok(())
    }
}

/// All partitions, in byte order, and reject codes that the outcomes name.
fn names(run: &RunReader) -> Result<(Vec<String>, Vec<String>), RunDirError> {
    let (mut partitions, mut rejects) = (BTreeSet::new(), Vec::new());
    let mut left = run.manifest().counts.events;
    for alike in AlikeRows::new(run, Table::Outcomes, None)? {
        let Alike { at, events, outcome: NamedOutcome { what, code }, .. } = alike?;
        // Counted first, so that a forged count cannot keep a check busy for ever.
        left = left.checked_sub(events).ok_or_else(|| {
            run.wrong(Table::Outcomes, "it names more events than the manifest counts")
        })?;
        partitions.insert(at.partition);
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
    pub(super) trees: Outcomes,
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
        let NamedOutcome { what, code } = &alike.outcome;
        let code = code.as_deref();
        Outcome::parse(what, code, self.rejects()).ok_or_else(|| {
            let code = code.unwrap_or_default();
            let what = format!("{} is {what:?} {code:?}, which is unknown", alike.at);
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
        let block = Block { stretches: vec![stretch], outcomes, emits, ..Block::default() };
        self.counts.add(&block);
        let added = self.totals.add_emits(self.run.emits(), &block.emits);
        added.map_err(|error| self.run.wrong(Table::Outcomes, error.to_string()))?;
        self.trees.add(&block).map_err(|error| {
            let first = stretch.first_offset;
            let what = format!("it does not fit the emits from offset {first} on: {error}");
            self.run.wrong(Table::Outcomes, what)
        })
    }

    /// The number of a partition.
    pub(crate) fn number(&self, partition: &String) -> u32 {
        self.partitions.binary_search(partition).unwrap_or_default() as u32
    }

    /// What is wrong if the manifest does not seal what was walked.
    pub(crate) fn finding(&self) -> Option<String> {
        let is_sealed = self.trees.digest() == self.run.manifest().digests.outcomes;
        let what = "outcomes and emits are not those of the outcomes' digest";
        (!is_sealed).then(|| what.to_owned())
    }
}
