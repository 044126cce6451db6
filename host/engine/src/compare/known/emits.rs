//! Known emits of one kind, such as what was really published: each known by its event, and by its
//! number among those of its event where the file gives one (`seq`), else by their order.

use super::file::{Texts, shown};
use super::style::{KnownStyle, ReadAs};
use super::typed::Tolerances;
use crate::compare::CompareError;
use crate::rundir::{BEFORE_EMITS, Keys, RunReader, Table};
use crate::source::named_partition;
use retally_compare::model::{KnownFile, Place};
use retally_compare::{Plan, Records, Tally};
use retally_core::listed::listed;
use retally_core::schema::{Column, EmitKind, display};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Partitions that a sentence names.
const NAMED: usize = 5;

/// Known records of a kind.
#[derive(Debug)]
pub(super) struct KnownEmits {
    /// The kind, with the fields that the file gives.
    pub(super) kind: EmitKind,
    pub(super) file: KnownFile,
    pub(super) bytes: u64,
    pub(super) read_as: ReadAs,
    /// Which of the columns in front tell records apart.
    by: Vec<usize>,
    columns: Vec<Column>,
    /// Partitions that it names and the run does not have, each with its number of records.
    strange: BTreeMap<String, u64>,
    /// By what tells them apart: the rows, in the file's order.
    rows: BTreeMap<Vec<String>, Vec<usize>>,
}

impl KnownEmits {
    /// Loads a file for the emits of a kind of a run.
    pub(super) fn load(
        run: &RunReader,
        kind: &str,
        path: &Path,
        style: &KnownStyle,
        tolerances: &Tolerances,
    ) -> Result<Self, CompareError> {
        let declared = run.emits().iter().find(|known| known.name == kind).ok_or_else(|| {
            let known: Vec<&str> = run.emits().iter().map(|known| known.name.as_str()).collect();
            let what = format!(
                "is for emit kind `{kind}`, which the run does not have; there are `{}`",
                known.join("`, `")
            );
            CompareError::Known { path: path.to_owned(), what }
        })?;
        let texts = Texts::read(path, &declared.fields, &BEFORE_EMITS, style)?;
        let has = |name: &str| texts.column(name).is_some();
        let mut by = match (has("event_id"), has("partition") && has("offset")) {
            (_, true) => vec![0, 1],
            (true, false) if has("key") => vec![4, 5],
            (true, false) => vec![5],
            _ => {
                let what = "neither a column `event_id` nor `partition` and `offset`, so its \
                            records are of no event";
                return Err(texts.lacks(what));
            }
        };
        if has("seq") {
            by.push(2);
        }
        let order: Vec<usize> = (0..texts.places.len()).collect();
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        let whose = format!("emit kind `{kind}`");
        for (number, column) in texts.given(&declared.fields, &BEFORE_EMITS, &whose)? {
            let declared = &declared.fields[number];
            let (field, values) = texts.typed(column, declared, tolerances, &order)?;
            fields.push(field);
            columns.push(values);
        }
        let mut rows: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
        let mut strange = BTreeMap::new();
        let partitions = &run.manifest().partitions;
        let partitions: Vec<&str> = partitions.iter().map(|of| of.partition.as_str()).collect();
        for row in order {
            let part = |&number: &usize| {
                let part = part(&texts, row, BEFORE_EMITS[number])?;
                if BEFORE_EMITS[number] != "partition" {
                    return Ok(part);
                }
                // People have the names of files, and partitions are called without the suffix.
                let known = named_partition(&partitions, &part).map(str::to_owned);
                if known.is_none() {
                    *strange.entry(part.clone()).or_default() += 1;
                }
                Ok::<_, CompareError>(known.unwrap_or(part))
            };
            let id = by.iter().map(part).collect::<Result<Vec<_>, _>>()?;
            rows.entry(id).or_default().push(row);
        }
        let file = texts.about(Place::Emit(kind.to_owned()), &fields);
        let kind = EmitKind { name: kind.to_owned(), fields };
        let read_as = ReadAs::of(&texts);
        Ok(Self { kind, file, bytes: texts.bytes, read_as, by, columns, strange, rows })
    }

    /// What is to be said of partitions that the run does not have, as it has those of `run`.
    pub(super) fn strange(&self, run: &RunReader) -> Option<String> {
        if self.strange.is_empty() {
            return None;
        }
        let records: u64 = self.strange.values().sum();
        let names = listed(self.strange.keys().map(|name| format!("{name:?}")), NAMED, ", ");
        let own = run.manifest().partitions.iter().map(|of| format!("{:?}", of.partition));
        let (file, own) = (&self.file.name, listed(own, NAMED, ", "));
        Some(format!(
            "{file} has records ({records}) of partitions that the run does not have ({names}): it \
             has {own}, each called by the path of its file, with or without the suffix"
        ))
    }

    /// Compares the run's emits of the kind with these. Whether any are of the same event.
    pub(super) fn compare(
        &self,
        run: &RunReader,
        plan: &Plan,
        tally: &mut Tally,
    ) -> Result<bool, CompareError> {
        let named = |name: &str| plan.emits.iter().position(|emit| emit.kind == name);
        let Some(number) = named(&self.kind.name) else { return Ok(false) };
        let Some(kind) = plan.emits[number].a else { return Ok(false) };
        // Of each event how many of the known records were met.
        let mut met: BTreeMap<&Vec<String>, usize> = BTreeMap::new();
        for batch in run.rows(Table::Emits(kind), &Keys::All)? {
            let batch = batch?;
            let mut columns = run.columns(Table::Emits(kind), &batch)?;
            let own: Vec<Column> = columns
                .split_off(BEFORE_EMITS.len())
                .into_iter()
                .map(|named| named.column)
                .collect();
            let mut known = self.empty();
            let mut events = Vec::new();
            for row in 0..batch.len() {
                let part = |&number: &usize| {
                    let named = &columns[number];
                    named.column.get(row).map(|v| display(v, named.kind)).unwrap_or_default()
                };
                let id: Vec<String> = self.by.iter().map(part).collect();
                let Some((id, rows)) = self.rows.get_key_value(&id) else { continue };
                let next = met.entry(id).or_default();
                if let Some(&other) = rows.get(*next) {
                    *next += 1;
                    events.push(row as u32);
                    self.copy(other, &mut known)?;
                }
            }
            let all: Vec<u32> = (0..batch.len() as u32).collect();
            let a = Records { events: &all, columns: &own, times: &[] };
            let b = Records { events: &events, columns: &known, times: &[] };
            tally.emits(number, a, b, &mut |_| ())?;
        }
        self.left(number, &met, tally)?;
        Ok(!met.is_empty())
    }

    /// What the run did not emit: once more what stands there already, or more than there is.
    fn left(
        &self,
        number: usize,
        met: &BTreeMap<&Vec<String>, usize>,
        tally: &mut Tally,
    ) -> Result<(), CompareError> {
        let mut only = self.empty();
        let (mut events, mut doubled) = (Vec::new(), 0);
        for (id, rows) in &self.rows {
            let met = met.get(id).copied().unwrap_or_default();
            let text = |row| shown(self.kind.fields.iter().zip(&self.columns), row);
            let mut seen: BTreeSet<_> = rows[..met].iter().map(|&row| text(row)).collect();
            for &row in &rows[met..] {
                // With its number given, a record of the same number is the same record again.
                let again = self.by.contains(&2) && row != rows[0];
                if again || !seen.insert(text(row)) {
                    doubled += 1;
                    continue;
                }
                events.push(events.len() as u32);
                self.copy(row, &mut only)?;
            }
        }
        tally.doubled_emits(number, doubled);
        let b = Records { events: &events, columns: &only, times: &[] };
        let a = Records::NONE;
        Ok(tally.emits(number, a, b, &mut |_| ())?)
    }

    fn empty(&self) -> Vec<Column> {
        self.kind.fields.iter().map(|field| Column::new(field.kind)).collect()
    }

    fn copy(&self, row: usize, to: &mut [Column]) -> Result<(), CompareError> {
        for (to, from) in to.iter_mut().zip(&self.columns) {
            let wrong = |error| CompareError::Known {
                path: self.file.name.clone().into(),
                what: format!("has a column that {error}"),
            };
            to.push(from.get(row)).map_err(wrong)?;
        }
        Ok(())
    }
}

/// What tells a record from others, as the run's own table writes it.
fn part(texts: &Texts, row: usize, name: &str) -> Result<String, CompareError> {
    let text = texts.column(name).and_then(|column| texts.text(row, column));
    let text = text.ok_or_else(|| texts.no_key(row, &format!("`{name}`")))?;
    if name != "offset" && name != "seq" {
        return Ok(text.to_owned());
    }
    let number: Option<u64> = text.parse().ok();
    number.map(|number| number.to_string()).ok_or_else(|| {
        let text: String = text.chars().take(60).collect();
        texts.wrong_at(row, format!("`{name}` is {text:?}, which is no number of an event"))
    })
}
