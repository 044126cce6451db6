//! From the outcomes, emits and refused of a run back to its outcome trees, and a look at whether
//! the three tables tell the same story.

use super::RunDirError;
use super::reader::{Keys, Rows, RunReader};
use super::recompute::{EmitCursor, history, numbers};
use super::shape::Table;
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use retally_core::digest::{OutcomeShape, Outcomes, PartitionDigest};
use retally_core::manifest::{Counts, Totals};
use retally_core::reduce::{Block, EmitRows, Outcome, Stretch};
use retally_core::schema::Column;
use std::collections::{BTreeMap, BTreeSet};

/// Events that are put into the trees at a time.
const STEP_EVENTS: u64 = 8192;

/// What the three tables come to.
pub(super) struct Fates {
    pub(super) partitions: Vec<PartitionDigest>,
    /// Without the filtered, who leave no record.
    pub(super) counts: Counts,
    /// Of the emits alone.
    pub(super) totals: Totals,
    /// The first thing in which the refused do not fit the outcomes.
    pub(super) refused: Option<String>,
}

/// Consecutive events with one fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) partition: String,
    pub(crate) offset: u64,
    pub(crate) events: u64,
    pub(crate) what: String,
    pub(crate) code: Option<String>,
}

/// Recomputes the outcome trees.
pub(super) fn fates(run: &RunReader) -> Result<Fates, RunDirError> {
    let (partitions, rejects) = names(run)?;
    let shape = OutcomeShape { emits: run.emits().to_vec(), rejects };
    let mut trees = Outcomes::restore(shape, &partitions, history(run)?)
        .map_err(|error| run.wrong(Table::History, error.to_string()))?;
    let kinds = 0..run.emits().len();
    let mut emits = kinds.map(|kind| EmitCursor::new(run, kind)).collect::<Result<Vec<_>, _>>()?;
    let mut refused = RefusedCursor {
        rows: run.rows(Table::Refused, &Keys::All)?,
        batch: None,
        row: 0,
        problem: None,
    };
    let places: BTreeMap<_, _> = partitions.iter().map(String::as_str).zip(0u32..).collect();
    let (mut counts, mut totals) = (Counts::default(), Totals::new(run.emits(), &[]));
    for batch in run.rows(Table::Outcomes, &Keys::All)? {
        for stretch in runs(run, &batch?)? {
            let what = what(run, &stretch, &trees.shape().rejects)?;
            refused.pass(&stretch, what)?;
            let partition = places.get(stretch.partition.as_str()).copied().unwrap_or_default();
            let mut offset = stretch.offset;
            let end = stretch.offset + stretch.events;
            while offset < end {
                let events = STEP_EVENTS.min(end - offset) as u32;
                let part = Stretch { partition, first_offset: offset, events };
                let block = block(run, part, what, &stretch.partition, &mut emits)?;
                counts.add(&block);
                let added = totals.add_emits(run.emits(), &block.emits);
                added.map_err(|error| run.wrong(Table::Outcomes, error.to_string()))?;
                trees.add(&block)?;
                offset += u64::from(events);
            }
        }
    }
    refused.end()?;
    for (kind, cursor) in emits.iter().enumerate() {
        if let Some((partition, offset)) = cursor.next() {
            let partition = String::from_utf8_lossy(partition);
            let what = format!("{partition}:{offset} was not applied, or stands out of log order");
            return Err(run.wrong(Table::Emits(kind), what));
        }
    }
    Ok(Fates { partitions: trees.digests(), counts, totals, refused: refused.problem })
}

/// A piece of a run of events as the block that it once was a part of.
fn block(
    run: &RunReader,
    stretch: Stretch,
    what: Outcome,
    partition: &str,
    emits: &mut [EmitCursor<'_>],
) -> Result<Block, RunDirError> {
    let events = stretch.first_offset..stretch.first_offset + u64::from(stretch.events);
    let mut lists = Vec::with_capacity(emits.len());
    for (kind, cursor) in run.emits().iter().zip(emits) {
        let columns = kind.fields.iter().map(|field| Column::new(field.kind)).collect();
        let mut rows = EmitRows { columns, ..EmitRows::default() };
        while let Some((of, offset)) = cursor.next() {
            if what != Outcome::Applied || of != partition.as_bytes() || !events.contains(&offset) {
                break;
            }
            rows.events.push((offset - stretch.first_offset) as u32);
            cursor.take(&mut rows.columns)?;
        }
        lists.push(rows);
    }
    let outcomes = vec![what; stretch.events as usize];
    Ok(Block { stretches: vec![stretch], outcomes, emits: lists, refused: Vec::new() })
}

/// All partitions, in byte order, and reject codes that the outcomes name.
pub(super) fn names(run: &RunReader) -> Result<(Vec<String>, Vec<String>), RunDirError> {
    let (mut partitions, mut rejects) = (BTreeSet::new(), Vec::new());
    let mut left = run.manifest().counts.events;
    for batch in run.rows(Table::Outcomes, &Keys::All)? {
        for stretch in runs(run, &batch?)? {
            // Counted first, so that a forged count cannot keep a check busy for ever.
            left = left.checked_sub(stretch.events).ok_or_else(|| {
                run.wrong(Table::Outcomes, "it names more events than the manifest counts")
            })?;
            partitions.insert(stretch.partition);
            if let (word, Some(code)) = (stretch.what, stretch.code)
                && word == Outcome::Rejected(0).word()
                && !rejects.contains(&code)
            {
                rejects.push(code);
            }
        }
    }
    Ok((partitions.into_iter().collect(), rejects))
}

pub(super) fn runs(run: &RunReader, batch: &RecordBatch) -> Result<Vec<Run>, RunDirError> {
    let text = |column: usize| batch.column(column).as_string::<i32>();
    let (partitions, whats, codes) = (text(0), text(3), text(4));
    let (offsets, events) = (numbers(batch, 1), numbers(batch, 2));
    let row = |row: usize| {
        let (offset, events) = (offsets[row], events[row]);
        if offset < 0 || events < 1 || offset.checked_add(events).is_none() {
            let what = format!("{events} events from offset {offset} cannot be");
            return Err(run.wrong(Table::Outcomes, what));
        }
        Ok(Run {
            partition: partitions.value(row).to_owned(),
            offset: offset as u64,
            events: events as u64,
            what: whats.value(row).to_owned(),
            code: codes.is_valid(row).then(|| codes.value(row).to_owned()),
        })
    };
    (0..batch.num_rows()).map(row).collect()
}

pub(super) fn what(
    run: &RunReader,
    stretch: &Run,
    rejects: &[String],
) -> Result<Outcome, RunDirError> {
    let code = stretch.code.as_deref();
    Outcome::parse(&stretch.what, code, rejects).ok_or_else(|| {
        let Run { partition, offset, what, .. } = stretch;
        let code = code.unwrap_or_default();
        run.wrong(
            Table::Outcomes,
            format!("{partition}:{offset} is {what:?} {code:?}, which is unknown"),
        )
    })
}

/// Walks the refused beside the outcomes. Not in a digest, so a difference is a finding of its own.
struct RefusedCursor<'a> {
    rows: Rows<'a>,
    batch: Option<RecordBatch>,
    row: usize,
    problem: Option<String>,
}

impl RefusedCursor<'_> {
    /// Passes events with one fate: each must have its row if it was refused.
    fn pass(&mut self, stretch: &Run, what: Outcome) -> Result<(), RunDirError> {
        if !what.is_refused() {
            return Ok(());
        }
        for offset in stretch.offset..stretch.offset + stretch.events {
            if self.problem.is_some() {
                return Ok(());
            }
            let Run { partition, what, code, .. } = stretch;
            let expected = (partition.clone(), offset, what.clone(), code.clone());
            if self.next()? != Some(expected) {
                self.problem = Some(format!("refused.parquet has no row for {partition}:{offset}"));
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), RunDirError> {
        if self.problem.is_none()
            && let Some((partition, offset, ..)) = self.next()?
        {
            let problem = "has a row for an event that was not refused";
            self.problem = Some(format!("refused.parquet {problem}: {partition}:{offset}"));
        }
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "one row, compared as a whole")]
    fn next(&mut self) -> Result<Option<(String, u64, String, Option<String>)>, RunDirError> {
        while self.batch.as_ref().is_none_or(|batch| self.row == batch.num_rows()) {
            let Some(batch) = self.rows.next() else { return Ok(None) };
            (self.batch, self.row) = (Some(batch?), 0);
        }
        let Some(batch) = &self.batch else { return Ok(None) };
        let text = |column: usize| {
            let column = batch.column(column).as_string::<i32>();
            column.is_valid(self.row).then(|| column.value(self.row).to_owned())
        };
        let offset = numbers(batch, 1)[self.row] as u64;
        let row = (text(0).unwrap_or_default(), offset, text(2).unwrap_or_default(), text(3));
        self.row += 1;
        Ok(Some(row))
    }
}
