//! From what the shards made of a batch back to one block in log order.
//!
//! The records of one event come from one shard and lie there side by side, so they are found
//! through a table of events rather than sorted.

use super::{Block, EmitRows, Folded, Outcome, Refused, Shares, Unfolded};
use crate::decode::Reading;
use crate::log::{Spot, Stretch};
use crate::schema::pick::{Pick, pick_column};
use crate::schema::{Column, Description, Field};
use crate::shard::{Decoded, Numbering};
use crate::times::Times;

/// Where the original bytes of events are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Originals {
    /// Slabs hold all of their events.
    InSlabs,
    /// Slabs hold some columns only: whoever has the rest gives refused events their bytes.
    Elsewhere,
    /// Nobody writes them: the block is for digests and comparisons alone, so its records have no
    /// positions, times, keys and ids either.
    Unwanted,
    /// As [`Originals::Unwanted`], but records have the times of their events: a comparison groups
    /// them by it.
    OnlyTimes,
}

/// Joins what the shards made of a batch.
///
/// # Errors
/// When a shard into which the slabs are sorted has not folded its share.
pub fn merge(
    description: &Description,
    slabs: &[Decoded],
    shares: Shares,
    originals: Originals,
) -> Result<Block, Unfolded> {
    let folded = &shares.whole(slabs.first().map_or(0, Decoded::shards))?;
    let events = Walk::new(slabs);
    let outcomes = outcomes(&events, folded);
    let emits = (0..description.emits.len())
        .map(|kind| emits_of(description, kind, (&events, &outcomes), folded, originals))
        .collect();
    let refused = refused(description, (&events, &outcomes), folded, originals);
    let stretches = match &events.merged {
        None => slabs.iter().flat_map(stretches).collect(),
        Some(order) => merged_stretches(slabs, order),
    };
    let times = times(&events, &outcomes);
    Ok(Block { stretches, outcomes, emits, refused, times })
}

/// The events of a batch in the order of the log.
struct Walk<'a> {
    slabs: &'a [Decoded],
    numbering: Numbering<'a>,
    /// As [`Numbering::merged`].
    merged: Option<Vec<(u32, u32)>>,
}

impl<'a> Walk<'a> {
    fn new(slabs: &'a [Decoded]) -> Self {
        let numbering = Numbering::new(slabs);
        let merged = numbering.merged();
        Self { slabs, numbering, merged }
    }

    /// Hands each event to `each`: its number, its slab, its row.
    #[inline]
    fn each(&self, mut each: impl FnMut(u32, &'a Decoded, usize)) {
        match &self.merged {
            None => {
                let mut event = 0;
                for slab in self.slabs {
                    for row in 0..slab.len() {
                        each(event, slab, row);
                        event += 1;
                    }
                }
            }
            Some(order) => {
                for (event, &(slab, row)) in (0..).zip(order) {
                    each(event, &self.slabs[slab as usize], row as usize);
                }
            }
        }
    }
}

/// Times of the events that have one and were not filtered.
fn times(events: &Walk<'_>, outcomes: &[Outcome]) -> Times {
    let mut times = Times::default();
    for (number, slab) in events.slabs.iter().enumerate() {
        let rows = slab.events.times.iter().zip(&slab.events.readings).zip(0..);
        times.add(rows.filter_map(|((&time, reading), row)| {
            // Most of what is filtered was so when it was read.
            let is_filtered =
                || outcomes[events.numbering.of(number, row) as usize] == Outcome::Filtered;
            (reading.has_key() && !is_filtered()).then_some(time)
        }));
    }
    times
}

fn stretches(slab: &Decoded) -> impl Iterator<Item = Stretch> {
    slab.placed.iter().flat_map(|(_, placed)| {
        let partition = placed.partition;
        let stretches = placed.offsets.stretches(placed.slab.len()).into_iter();
        stretches.map(move |(first_offset, events)| Stretch { partition, first_offset, events })
    })
}

/// The events of a batch as stretches, where slabs do not follow one another.
fn merged_stretches(slabs: &[Decoded], order: &[(u32, u32)]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for &(slab, row) in order {
        let Spot { partition, offset } = slabs[slab as usize].spot(row);
        match stretches.last_mut() {
            Some(last)
                if last.partition == partition
                    && last.first_offset + u64::from(last.events) == offset =>
            {
                last.events += 1;
            }
            _ => stretches.push(Stretch { partition, first_offset: offset, events: 1 }),
        }
    }
    stretches
}

fn outcomes(events: &Walk<'_>, folded: &[Folded]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(events.slabs.iter().map(Decoded::len).sum());
    events.each(|_, slab, row| {
        outcomes.push(match slab.events.readings[row] {
            Reading::Ready => Outcome::Applied,
            Reading::Ignored => Outcome::Ignored,
            Reading::Filtered => Outcome::Filtered,
            Reading::Unreadable(code) | Reading::BadField(code) => Outcome::Malformed(code),
        });
    });
    for &(event, what) in folded.iter().flat_map(|shard| &shard.outcomes) {
        outcomes[event as usize] = what;
    }
    outcomes
}

/// Events with records are looked up one by one where they are fewer than one part of all events,
/// one of so many.
const FEW: usize = 32;

/// A run of records of one event: where it begins in which shard.
#[derive(Clone, Copy)]
struct Run {
    shard: u32,
    first: u32,
    records: u32,
}

fn emits_of(
    description: &Description,
    kind: usize,
    (events, outcomes): (&Walk<'_>, &[Outcome]),
    folded: &[Folded],
    originals: Originals,
) -> EmitRows {
    let fields = &description.emits[kind].fields;
    if folded.iter().all(|shard| shard.emits.get(kind).is_none_or(|e| e.rows.is_empty())) {
        let columns = fields.iter().map(|field| Column::new(field.kind)).collect();
        return EmitRows { columns, ..EmitRows::default() };
    }
    let mut runs: Vec<(u32, Run)> = Vec::new();
    for (shard, folded) in folded.iter().enumerate() {
        let Some(emitted) = folded.emits.get(kind) else { continue };
        let mut last = None;
        for (row, &event) in emitted.rows.iter().enumerate() {
            if last == Some(event) {
                let open = runs.len() - 1;
                runs[open].1.records += 1;
                continue;
            }
            last = Some(event);
            runs.push((event, Run { shard: shard as u32, first: row as u32, records: 1 }));
        }
    }
    let total = runs.iter().map(|(_, run)| run.records as usize).sum();
    let mut rows = EmitRows { ..EmitRows::default() };
    let mut sources: Vec<Pick> = Vec::with_capacity(total);
    let mut take = |run: Run, event: u32, slab: &Decoded, row: usize| {
        for seq in 0..run.records {
            sources.push((run.shard, run.first + seq));
            rows.events.push(event);
            match originals {
                Originals::InSlabs | Originals::Elsewhere => {
                    push_head(&mut rows, slab, row, seq);
                }
                Originals::OnlyTimes => rows.times.push(slab.events.times[row]),
                Originals::Unwanted => {}
            }
        }
    };
    if runs.len() < outcomes.len() / FEW {
        runs.sort_unstable_by_key(|&(event, _)| event);
        for &(event, run) in &runs {
            if let Some((slab, row)) = events.numbering.find(event) {
                take(run, event, &events.slabs[slab], row as usize);
            }
        }
    } else {
        // Number of an event's run plus one; 0: it has none.
        let mut run_of = vec![0u32; outcomes.len()];
        for (number, &(event, _)) in (1..).zip(&runs) {
            run_of[event as usize] = number;
        }
        events.each(|event, slab, row| {
            let run = run_of[event as usize].checked_sub(1);
            run.into_iter().for_each(|run| take(runs[run as usize].1, event, slab, row));
        });
    }
    let column = |(field, shape): (usize, &Field)| {
        let empty = Column::new(shape.kind);
        let own = folded.iter().map(|f| f.emits.get(kind).map_or(&empty, |e| &e.columns[field]));
        let columns: Vec<&Column> = own.collect();
        pick_column(shape.kind, &columns, &sources)
    };
    rows.columns = fields.iter().enumerate().map(column).collect();
    rows
}

#[inline]
fn push_head(rows: &mut EmitRows, slab: &Decoded, row: usize, seq: u32) {
    let Spot { partition, offset } = slab.spot(row as u32);
    rows.partitions.push(partition);
    rows.offsets.push(offset);
    rows.seqs.push(seq);
    rows.times.push(slab.events.times[row]);
    rows.keys.push(slab.events.keys.get(row));
    rows.ids.push(slab.events.ids.get(row));
}

fn refused(
    description: &Description,
    (events, outcomes): (&Walk<'_>, &[Outcome]),
    folded: &[Folded],
    originals: Originals,
) -> Vec<Refused> {
    // Nearly always there are none.
    if !outcomes.iter().any(|&what| code(description, what).is_some()) {
        return Vec::new();
    }
    let mut details: Vec<(u32, &String)> =
        folded.iter().flat_map(|f| f.details.iter().map(|(event, text)| (*event, text))).collect();
    for (number, slab) in events.slabs.iter().enumerate() {
        let event = |row| events.numbering.of(number, row);
        details.extend(slab.events.details.iter().map(|(row, text)| (event(*row), text)));
    }
    details.sort_unstable_by_key(|&(event, _)| event);
    let mut refused = Vec::new();
    events.each(|event, slab, row| {
        let what = outcomes[event as usize];
        let Some(code) = code(description, what) else { return };
        let detail = details.binary_search_by_key(&event, |&(event, _)| event);
        let (placed, own) = slab.placed.of(row as u32);
        let unread = matches!(slab.events.readings[row], Reading::Unreadable(_));
        refused.push(Refused {
            event,
            partition: placed.partition,
            offset: placed.offsets.at(own),
            what,
            code: code.to_owned(),
            detail: detail.map(|at| details[at].1.clone()).unwrap_or_default(),
            key: (!unread).then(|| slab.events.keys.get(row).to_vec()),
            bytes: match originals {
                Originals::InSlabs => placed.original(own).into_owned(),
                Originals::Elsewhere | Originals::Unwanted | Originals::OnlyTimes => Vec::new(),
            },
        });
    });
    refused
}

/// The code of a refused event; none: the event is not refused.
fn code(description: &Description, what: Outcome) -> Option<&str> {
    match what {
        Outcome::Rejected(code) => Some(&description.rejects[code as usize].code),
        Outcome::Trapped => Some("trap"),
        Outcome::Malformed(code) => Some(code.as_str()),
        Outcome::Conflict | Outcome::Quarantined => Some(""),
        Outcome::Applied | Outcome::Duplicate | Outcome::Ignored | Outcome::Filtered => None,
    }
}
