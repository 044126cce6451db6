//! Whether outcomes, emits and refused of a run tell the same, of the events that it took.

use crate::limits::CHECKED_EVENTS;
use crate::rundir::RunDirError;
use crate::rundir::log::{Alike, AlikeRows, EmitRowsOf, Regrown, Taken};
use crate::rundir::reader::RunReader;
use crate::rundir::shape::Table;
use retally_core::digest::{Hash, PartitionCount, PartitionDigest, Positions};
use retally_core::log::{Position, Stretch};
use retally_core::manifest::{Entry, PartitionTaken};
use retally_core::reduce::{OnTrap, Outcome};
use std::collections::BTreeMap;

/// The first thing in which outcomes, emits and refused events are not what the manifest seals.
pub(crate) fn log_finding(run: &RunReader) -> Result<Option<String>, RunDirError> {
    let story = story(run)?;
    Ok(story.regrown.finding().or(story.findings.into_iter().next()))
}

/// The outcome trees of a run, grown again from its outcomes and emits, and what does not fit.
pub(super) struct Story<'a> {
    pub(super) regrown: Regrown<'a>,
    positions: Positions,
    /// Of each kind the first thing that does not fit, as sentences. What is in no digest can
    /// differ where every digest is equal.
    pub(super) findings: Vec<String>,
    /// Events that left no record.
    pub(super) filtered: u64,
    /// Events whose key, id and time could be read; none: the refused events do not fit.
    pub(super) timed: Option<u64>,
}

impl Story<'_> {
    pub(super) fn positions(&self) -> Hash {
        self.positions.digest(&self.regrown.partitions)
    }

    /// Events with a record since the history began, of each partition.
    pub(super) fn counted(&self) -> Vec<PartitionCount> {
        self.regrown.trees.digests().iter().map(PartitionDigest::count).collect()
    }
}

pub(super) fn story(run: &RunReader) -> Result<Story<'_>, RunDirError> {
    let mut regrown = Regrown::new(run)?;
    let mut positions = Positions::default();
    let mut emits = EmitRowsOf::all(run, None)?;
    let mut rows = AlikeRows::new(run, Table::Refused, None)?;
    let (mut course, mut heads, mut refused) = (Course::new(run), None, None);
    let mut timed = 0;
    for alike in AlikeRows::new(run, Table::Outcomes, None)? {
        let alike = alike?;
        let outcome = regrown.what(&alike)?;
        course.add(&alike, outcome);
        let mut keyed = alike.events;
        if outcome.is_refused() && refused.is_none() {
            match keys(run, &mut rows, &alike)? {
                Ok(keys) => keyed = keys,
                Err(missing) => refused = Some(missing),
            }
        }
        timed += match outcome {
            Outcome::Ignored | Outcome::Filtered => 0,
            Outcome::Malformed(_) => keyed,
            // Whatever comes to this was read.
            _ => alike.events,
        };
        let Position { partition, offset } = &alike.at;
        let (number, end) = (regrown.number(partition), offset + alike.events);
        positions.add_run(number, *offset, alike.events);
        for first in (*offset..end).step_by(CHECKED_EVENTS as usize) {
            let events = CHECKED_EVENTS.min(end - first) as u32;
            let stretch = Stretch { partition: number, first_offset: first, events };
            // Whatever was not applied emits nothing: such a record is left over.
            let upto = if outcome == Outcome::Applied { first + u64::from(events) } else { first };
            let taken = emits.iter_mut().map(|kind| kind.take(partition, first, upto));
            let taken = taken.collect::<Result<Vec<_>, _>>()?;
            heads = heads.or_else(|| other_head(&taken, partition, first));
            regrown.add(stretch, vec![outcome; events as usize], &taken)?;
        }
    }
    if refused.is_none()
        && let Some(Alike { at, .. }) = rows.next().transpose()?
    {
        let problem = "has a row for an event that was not refused";
        refused = Some(format!("refused.parquet {problem}: {at}"));
    }
    emits.iter_mut().try_for_each(EmitRowsOf::end)?;
    let (odd, filtered) = course.end();
    let timed = refused.is_none().then_some(timed);
    let findings = [odd, refused, heads].into_iter().flatten().collect();
    Ok(Story { regrown, positions, findings, filtered, timed })
}

/// Of some refused events how many have a key; or the first that has no row of its own, or another
/// key than the ledger says.
fn keys(
    run: &RunReader,
    rows: &mut AlikeRows<'_>,
    alike: &Alike,
) -> Result<Result<u64, String>, RunDirError> {
    let is_quarantined = alike.outcome.what == Outcome::Quarantined.word();
    let mut entries = entries(run, alike).iter().filter(|_| is_quarantined).peekable();
    let (mut at, mut keys) = (alike.at.clone(), 0);
    for _ in 0..alike.events {
        let row = rows.next().transpose()?;
        let row = row.filter(|row| row.at == at && row.outcome == alike.outcome);
        let Some(row) = row else {
            return Ok(Err(format!("refused.parquet has no row for {at}")));
        };
        let entry = entries.next_if(|entry| entry.offset == at.offset);
        let said = entry.and_then(|entry| entry.key.as_ref());
        if said.is_some_and(|said| row.key.as_ref() != Some(said)) {
            return Ok(Err(format!("refused.parquet has another key for {at} than the ledger")));
        }
        keys += u64::from(row.key.is_some());
        at.offset += 1;
    }
    Ok(Ok(keys))
}

/// The entries of the ledger for some events.
fn entries<'a>(run: &'a RunReader, of: &Alike) -> &'a [Entry] {
    let ledger = &run.manifest().job.settings.ledger;
    let Position { partition, offset } = &of.at;
    let before = |at: u64| ledger.partition_point(|entry| entry.place() < (partition, at));
    ledger.get(before(*offset)..before(offset + of.events)).unwrap_or_default()
}

/// The first event of a stretch whose emits do not agree on its key or its time.
fn other_head(kinds: &[Taken], partition: &str, first: u64) -> Option<String> {
    let mut heads: BTreeMap<u32, (&[u8], i64)> = BTreeMap::new();
    let all = kinds.iter().flat_map(|of| {
        let rows = of.events.iter().zip(of.keys.iter()).zip(&of.times);
        rows.map(|((&event, key), &time)| (event, (key, time)))
    });
    let odd = all.into_iter().find(|(event, head)| heads.entry(*event).or_insert(*head) != head)?;
    let offset = first + u64::from(odd.0);
    Some(format!("the emits of {partition}:{offset} do not agree on its key or its time"))
}

/// The way of the outcomes over the partitions: whether it is that of the input description.
struct Course<'a> {
    run: &'a RunReader,
    /// Of each partition that was taken: what was, where the next row may begin, and the events of
    /// the rows so far.
    partitions: BTreeMap<&'a str, (&'a PartitionTaken, u64, u64)>,
    last: Option<Alike>,
    /// The first thing that does not fit.
    odd: Option<String>,
}

impl<'a> Course<'a> {
    fn new(run: &'a RunReader) -> Self {
        let taken = run.manifest().input.partitions.iter();
        let own = |of: &'a PartitionTaken| Some((of.partition.as_str(), (of, of.first?, 0)));
        Self { run, partitions: taken.filter_map(own).collect(), last: None, odd: None }
    }

    fn add(&mut self, alike: &Alike, outcome: Outcome) {
        let Some((taken, next, events)) = self.partitions.get_mut(alike.at.partition.as_str())
        else {
            self.find(alike, "lies in a partition of which the run took nothing");
            return;
        };
        let end = alike.at.offset + alike.events;
        let fits = alike.at.offset >= *next && taken.last.is_some_and(|last| end <= last + 1);
        (*next, *events) = (end, *events + alike.events);
        if !fits {
            self.find(alike, "stands out of log order, or outside of what the run took");
        }
        let settings = &self.run.manifest().job.settings;
        if let Some(last) = &self.last {
            let goes_on = last.at.partition == alike.at.partition
                && last.at.offset + last.events == alike.at.offset;
            if goes_on && last.outcome == alike.outcome {
                self.find(alike, "came to the same as the event before it, and stands apart");
            } else if settings.order.is_in_turn() && last.at.partition > alike.at.partition {
                self.find(alike, "stands behind a partition that comes later");
            }
        }
        if outcome == Outcome::Trapped && settings.on_trap != OnTrap::Reject {
            self.find(alike, "trapped, where a trap stops the run");
        }
        let entries = entries(self.run, alike);
        match outcome {
            Outcome::Quarantined if (entries.len() as u64) < alike.events => {
                self.find(alike, "is quarantined, and the ledger has no entry for it");
            }
            // Judged before the ledger is asked; fields are judged behind it.
            Outcome::Quarantined | Outcome::Ignored | Outcome::Malformed(_) => {}
            _ => {
                if let Some(entry) = entries.first() {
                    let at = Alike { at: entry.at(), ..alike.clone() };
                    self.find(&at, "is not quarantined, and the ledger takes it out");
                }
            }
        }
        self.last = Some(alike.clone());
    }

    fn find(&mut self, alike: &Alike, what: &str) {
        let found = || format!("outcomes.parquet: {} {what}", alike.at);
        self.odd.get_or_insert_with(found);
    }

    /// What does not fit, and how many events left no record.
    fn end(mut self) -> (Option<String>, u64) {
        let is_whole = !self.run.manifest().job.settings.is_subset();
        let mut filtered = 0;
        for (taken, next, events) in self.partitions.values() {
            // Without a subset every event has a record, so the last is at the end.
            let is_short = is_whole && taken.last.is_some_and(|last| *next != last + 1);
            if *events > taken.events || (is_whole && *events < taken.events) || is_short {
                let PartitionTaken { partition, events: all, .. } = taken;
                let found = || {
                    format!(
                        "outcomes.parquet has {events} events of partition {partition:?}, of which \
                         the run took {all}"
                    )
                };
                self.odd.get_or_insert_with(found);
            }
            filtered += taken.events.saturating_sub(*events);
        }
        (self.odd, filtered)
    }
}
