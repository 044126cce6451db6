//! The first diverging events of the keys that are shown, in full: read again from the emits, a few
//! pages of them.

use super::error::CompareError;
use super::firsts::{FirstRecord, Firsts};
use crate::rundir::{BEFORE_EMITS, Keys, Named, Part, RunReader, Table};
use retally_compare::model::{FirstEvent, Rejects, ShownRecord, ShownValue};
use retally_core::schema::{Field, Kind, Value, display};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A record as it is shown, with the id of its event.
type Record = (ShownRecord, String);

/// The first diverging events of `keys`, as far as they are known.
pub(super) fn shown(
    runs: [&RunReader; 2],
    firsts: &Firsts,
    rejects: &Rejects,
    keys: &[Vec<u8>],
) -> Result<BTreeMap<Vec<u8>, FirstEvent>, CompareError> {
    let known = keys.iter().filter_map(|key| Some((key, firsts.records.get(key)?)));
    let known: Vec<(&Vec<u8>, &FirstRecord)> = known.collect();
    let mut sides = Vec::with_capacity(2);
    for (side, run) in runs.into_iter().enumerate() {
        let mut kinds = Vec::with_capacity(run.emits().len());
        for kind in 0..run.emits().len() {
            let rows = known.iter().flat_map(|(_, first)| {
                let (start, count) = first.emits[side][kind];
                start..start + u64::from(count)
            });
            kinds.push(records(run, kind, &rows.collect())?);
        }
        sides.push(kinds);
    }
    let event = |(key, first): (&Vec<u8>, &FirstRecord)| {
        let emits = |side: usize| -> Vec<&Record> {
            let kinds = sides[side].iter().zip(&first.emits[side]);
            let rows = kinds.flat_map(|(records, &(start, count))| {
                (start..start + u64::from(count)).filter_map(|row| records.get(&row))
            });
            rows.collect()
        };
        let (of_a, of_b) = (emits(0), emits(1));
        let event_id = of_a.iter().chain(&of_b).map(|(_, id)| id.clone()).next();
        let records = |of: Vec<&Record>| of.into_iter().map(|(record, _)| record.clone()).collect();
        let time = |micros| display(Value::Timestamp(micros), Kind::Timestamp);
        let [outcome_a, outcome_b] = rejects.named(first.outcomes);
        let event = FirstEvent {
            partition: firsts.partitions[first.at.partition as usize].clone(),
            offset: first.at.offset,
            before_range: false,
            time: first.time.map(time),
            event_id,
            input: None,
            outcome_a,
            outcome_b,
            emits_a: records(of_a),
            emits_b: records(of_b),
            view_a: None,
            view_b: None,
        };
        (key.clone(), event)
    };
    Ok(known.into_iter().map(event).collect())
}

/// Some records of a kind, by their numbers.
fn records(
    run: &RunReader,
    kind: usize,
    wanted: &BTreeSet<u64>,
) -> Result<BTreeMap<u64, Record>, CompareError> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for &row in wanted {
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    let mut found = BTreeMap::new();
    if ranges.is_empty() {
        return Ok(found);
    }
    let table = Table::Emits(kind);
    let part = Part { keys: Keys::All, rows: Some(ranges), columns: None };
    let mut numbers = wanted.iter();
    for batch in run.part(table, part)? {
        let batch = batch?;
        let columns = run.columns(table, &batch)?;
        // The last in front is the event's id.
        let (front, own) = columns.split_at(BEFORE_EMITS.len());
        for (row, &number) in (0..batch.len()).zip(numbers.by_ref()) {
            let fields = run.emits()[kind].fields.iter().zip(own);
            let value = |(field, named): (&Field, &Named)| {
                ShownValue::of(&field.name, named.kind, &named.column, row)
            };
            let values = fields.map(value).collect();
            let id = &front[front.len() - 1];
            let id = id.column.get(row).map(|value| display(value, id.kind)).unwrap_or_default();
            found
                .insert(number, (ShownRecord { kind: run.emits()[kind].name.clone(), values }, id));
        }
    }
    Ok(found)
}
