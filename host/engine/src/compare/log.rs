//! The logs of two runs side by side: what became of every event, and what was emitted for it. A
//! stretch of a partition at a time, in log order, so memory does not depend on the log's length.
//!
//! Both runs took the same events. Where partitions took turns otherwise (another size of batches),
//! the files are walked once for each partition instead.

use super::error::CompareError;
use super::firsts::{FirstRecord, Firsts};
use super::sides::changed;
use crate::rundir::log::{Alike, AlikeRows, EmitRowsOf, Regrown, Taken};
use crate::rundir::{RunDirError, RunReader, Table};
use retally_compare::model::{NamedOutcome, Rejects};
use retally_compare::{Records, SideStretch, Tally};
use retally_core::log::{Position, Spot, Stretch};
use retally_core::reduce::Outcome;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;

/// Events that are compared at a time.
const STEP_EVENTS: u64 = 8192;

/// What walking two logs found beside what went into the tally.
pub(super) struct Walked {
    pub(super) firsts: Firsts,
    /// Earliest and latest time of an event with emits.
    pub(super) span: Option<(i64, i64)>,
}

/// Walks the logs of A and B.
pub(super) fn walk([a, b]: [&RunReader; 2], tally: &mut Tally) -> Result<Walked, CompareError> {
    let regrown = [Regrown::new(a)?, Regrown::new(b)?];
    let names: BTreeSet<&String> = regrown.iter().flat_map(|own| &own.partitions).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let firsts = Firsts::new(names.clone());
    tally
        .look_at_outcomes(Rejects([regrown[0].rejects(), regrown[1].rejects()].map(<[_]>::to_vec)));
    let mut walk = Walk { tally, firsts, regrown, span: None };
    let turns: Vec<Option<&str>> = match same_turns(a, b)? {
        true => vec![None],
        false => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    for only in turns {
        let mut logs = [SideLog::new(a, only)?, SideLog::new(b, only)?];
        while walk.step(&mut logs)? {}
        for log in logs {
            log.emits.into_iter().try_for_each(|mut emits| emits.end())?;
        }
    }
    for (run, regrown) in [a, b].into_iter().zip(&walk.regrown) {
        if let Some(what) = regrown.finding() {
            return Err(changed(run.dir().into(), what));
        }
    }
    Ok(Walked { firsts: walk.firsts, span: walk.span })
}

/// Whether partitions took turns at the same events in both runs.
fn same_turns(a: &RunReader, b: &RunReader) -> Result<bool, RunDirError> {
    let rows = |run| AlikeRows::new(run, Table::Outcomes, None).map(Iterator::peekable);
    let (mut a, mut b) = (rows(a)?, rows(b)?);
    loop {
        let (of_a, of_b) = (turn(&mut a)?, turn(&mut b)?);
        if of_a != of_b {
            return Ok(false);
        }
        if of_a.is_none() {
            return Ok(true);
        }
    }
}

/// Partition, first and last offset of the next turn.
fn turn(rows: &mut Peekable<AlikeRows<'_>>) -> Result<Option<(String, u64, u64)>, RunDirError> {
    let Some(Alike { at, events, .. }) = rows.next().transpose()? else { return Ok(None) };
    let mut end = at.offset + events;
    while let Some(Ok(next)) = rows.peek()
        && next.at.partition == at.partition
    {
        end = next.at.offset + next.events;
        rows.next();
    }
    Ok(Some((at.partition, at.offset, end)))
}

/// One side's files, read forward.
struct SideLog<'a> {
    run: &'a RunReader,
    outcomes: AlikeRows<'a>,
    /// The run of events at hand, without those that were passed.
    at: Option<Alike>,
    emits: Vec<EmitRowsOf<'a>>,
    refused: Peekable<AlikeRows<'a>>,
}

/// What one side tells of a stretch.
struct Told {
    outcomes: Vec<Outcome>,
    emits: Vec<Taken>,
    refused: BTreeMap<u64, Alike>,
}

impl<'a> SideLog<'a> {
    fn new(run: &'a RunReader, only: Option<&'a str>) -> Result<Self, RunDirError> {
        let mut outcomes = AlikeRows::new(run, Table::Outcomes, only)?;
        Ok(Self {
            run,
            at: outcomes.next().transpose()?,
            outcomes,
            emits: EmitRowsOf::all(run, only)?,
            refused: AlikeRows::new(run, Table::Refused, only)?.peekable(),
        })
    }

    /// Takes what there is of events of `partition` from `first`, at most a step.
    fn take(
        &mut self,
        partition: &str,
        first: u64,
        regrown: &Regrown<'_>,
    ) -> Result<Told, RunDirError> {
        let end = first + STEP_EVENTS;
        let mut outcomes = Vec::new();
        while let Some(row) = self.at.as_mut().filter(|row| row.at.partition == partition) {
            let offset = row.at.offset;
            if offset >= end {
                break;
            }
            let at = offset.checked_sub(first).filter(|&at| at >= outcomes.len() as u64);
            let Some(at) = at else {
                let what = format!("{} stands out of log order", row.at);
                return Err(self.run.wrong(Table::Outcomes, what));
            };
            let what = regrown.what(row)?;
            let upto = (offset + row.events).min(end);
            outcomes.resize(at as usize, Outcome::Filtered);
            outcomes.resize((upto - first) as usize, what);
            row.events -= upto - offset;
            row.at.offset = upto;
            if row.events == 0 {
                self.at = self.outcomes.next().transpose()?;
            }
        }
        let end = first + outcomes.len() as u64;
        let emits = self.emits.iter_mut().map(|emits| emits.take(partition, first, end));
        let emits = emits.collect::<Result<_, _>>()?;
        let mut refused = BTreeMap::new();
        let own = |row: &Alike| row.at.partition == partition && row.at.offset < end;
        while let Some(row) = self.refused.next_if(|row| row.as_ref().is_ok_and(own)) {
            let row = row?;
            let named = |&outcome: &Outcome| NamedOutcome::of(outcome, regrown.rejects());
            let at = row.at.offset.checked_sub(first).and_then(|at| outcomes.get(at as usize));
            if at.map(named).as_ref() != Some(&row.outcome) {
                let what = format!("{} came to something else", row.at);
                return Err(self.run.wrong(Table::Refused, what));
            }
            refused.insert(row.at.offset, row);
        }
        if let Some(Err(_)) = self.refused.peek() {
            self.refused.next().transpose()?;
        }
        Ok(Told { outcomes, emits, refused })
    }
}

impl Told {
    fn stretch<'a>(&'a self, first: u64) -> SideStretch<'a> {
        let records =
            |of: &'a Taken| Records { events: &of.events, columns: &of.columns, times: &of.times };
        // Taking them made sure that each came to what its event did.
        let outcome = |&offset: &u64| self.outcomes[(offset - first) as usize];
        SideStretch {
            outcomes: &self.outcomes,
            refused: self.refused.keys().map(outcome).collect(),
            emits: self.emits.iter().map(records).collect(),
        }
    }
}

/// The walk over both sides.
struct Walk<'a, 'b> {
    tally: &'b mut Tally,
    firsts: Firsts,
    /// The trees of A and B.
    regrown: [Regrown<'a>; 2],
    span: Option<(i64, i64)>,
}

impl Walk<'_, '_> {
    /// Compares the next stretch; false behind the last.
    fn step(&mut self, logs: &mut [SideLog<'_>; 2]) -> Result<bool, CompareError> {
        let next = |log: &SideLog<'_>| log.at.as_ref().map(|row| row.at.clone());
        let Position { partition, offset: first } = match (next(&logs[0]), next(&logs[1])) {
            (None, None) => return Ok(false),
            (Some(a), Some(b)) if a.partition == b.partition => a.min(b),
            (Some(only), _) | (None, Some(only)) => only,
        };
        let mut told = Vec::with_capacity(2);
        for (log, regrown) in logs.iter_mut().zip(&mut self.regrown) {
            let own = log.take(&partition, first, regrown)?;
            let events = own.outcomes.len() as u32;
            if events > 0 {
                let number = regrown.number(&partition);
                let stretch = Stretch { partition: number, first_offset: first, events };
                regrown.add(stretch, own.outcomes.clone(), &own.emits)?;
            }
            self.span = wider(self.span, &own.emits);
            told.push(own);
        }
        let mut differing = BTreeSet::new();
        let sides = [&told[0].stretch(first), &told[1].stretch(first)];
        self.tally.stretch(sides, &mut |event| _ = differing.insert(event))?;
        let number = self.firsts.partitions.binary_search(&partition).unwrap_or_default() as u32;
        for event in differing {
            self.first(Spot { partition: number, offset: first }, event, &told);
        }
        // Behind the first that differ: what came later explains nothing.
        for row in told.iter().flat_map(|told| told.refused.values()) {
            let at = Spot { partition: number, offset: row.at.offset };
            self.firsts.refuse(row.key.as_deref(), Some(at), &row.outcome);
        }
        Ok(true)
    }

    /// Remembers a differing event, if the files tell of which key it is.
    fn first(&mut self, mut at: Spot, event: u32, told: &[Told]) {
        at.offset += u64::from(event);
        let mut key: Option<&[u8]> = None;
        let mut time = None;
        let mut emits = Vec::with_capacity(2);
        for told in told {
            let mut own = Vec::with_capacity(told.emits.len());
            for taken in &told.emits {
                let from = taken.events.partition_point(|&of| of < event);
                let count = taken.events[from..].iter().take_while(|&&of| of == event).count();
                own.push((taken.rows.get(from).copied().unwrap_or_default(), count as u32));
                if count > 0 {
                    key = key.or(Some(taken.keys.get(from)));
                    time = time.or(Some(taken.times[from]));
                }
            }
            let refused = told.refused.get(&at.offset).and_then(|row| row.key.as_deref());
            key = key.or(refused.map(str::as_bytes));
            emits.push(own.into_boxed_slice());
        }
        let recorded = |outcome: &Outcome| *outcome != Outcome::Filtered;
        let outcomes =
            [0, 1].map(|side| told[side].outcomes.get(event as usize).copied().filter(recorded));
        let (Some(key), Some(of_b), Some(of_a)) = (key, emits.pop(), emits.pop()) else { return };
        let emits = [of_a, of_b];
        self.firsts.add(key, || FirstRecord { at, time, outcomes, emits, seen: Cell::default() });
    }
}

fn wider(span: Option<(i64, i64)>, emits: &[Taken]) -> Option<(i64, i64)> {
    let times = || emits.iter().flat_map(|taken| taken.times.iter().copied());
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return span };
    Some(span.map_or((first, last), |(from, to)| (from.min(first), to.max(last))))
}
