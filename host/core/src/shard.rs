//! A key's shard, and the decoded events of a slab sorted into shards.
//!
//! A run has a fixed number of shards, whatever the number of threads: a shard owns its keys'
//! states and ids, so shards never wait for one another, and nothing about one key depends on
//! another.

use crate::apart::{Apart, apart};
use crate::decode::{Events, Places, Reading};
use crate::dedup::{Prints, prints};
use crate::log::{Micros, Position, Spot};
use crate::portion::Portion;
use crate::schema::pick::{Pick, pick, pick_spans, sized};
use crate::schema::{Column, Spans};
use crate::seed::Seed;
use std::ops::Range;
use std::sync::Arc;

/// The shard of a key, from its hash. Only the upper 16 bits choose: tables use the others, and an
/// id carries them ([`Seed::id`]), so that ids of a snapshot find back to the shard of their key.
#[inline]
pub fn shard_of(key_hash: u64, shards: usize) -> usize {
    (((key_hash >> 48) as usize) * shards) >> 16
}

/// Which events are sorted, and into which shards.
#[derive(Debug, Clone)]
pub struct Sorting {
    /// By what keys are hashed.
    pub seed: Seed,
    /// How many shards there are.
    pub shards: usize,
    /// Of which keys.
    pub portion: Portion,
    /// Whether events of other portions are kept for them.
    pub keeps_others: bool,
}

/// One slab, or several as one, decoded for one reducer, with all that the shards need of it.
#[derive(Debug)]
pub struct Decoded {
    /// Where the events lie, and their bytes.
    pub placed: Places,
    /// The events. Their columns stand shard by shard like the candidates; [`Events::rows`] leads
    /// there as before.
    pub events: Events,
    masks: Vec<Vec<Option<Mask>>>,
    shard_ends: Vec<u32>,
    candidates: Vec<Candidate>,
    keys: Spans,
    /// The candidates' ids.
    pub ids: Spans,
    /// The number of each event in the batch, where slabs do not follow one another in it; they
    /// ascend.
    numbers: Option<Arc<[u32]>>,
    /// The events of the other portions, by their numbers, where they are kept.
    pub others: Vec<Apart>,
}

/// What is read of an event with a key until a reducer has it. It stands shard by shard, because a
/// shard takes few events of a slab: picked out of columns in the order of the log, each value
/// would be a line of memory to wait for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candidate {
    /// [`Seed::id`] of key and id.
    pub id: u128,
    /// [`Seed::key`] of the key.
    pub key: u64,
    /// 63 bits of the content; 0 where a field could not be read.
    pub content: u64,
    /// The event's time.
    pub time: Micros,
    /// Its number in the slab.
    pub row: u32,
    /// Whether its fields could be read.
    pub reading: Reading,
    /// Its input.
    pub input: u8,
}

impl Decoded {
    /// Hashes the events and sorts those that have a key and are taken into shards. `scratch` is
    /// memory to use again.
    pub fn new(placed: Places, events: Events, how: &Sorting, scratch: &mut Prints) -> Self {
        let mut events = events;
        prints(&events, &how.seed, scratch);
        let others =
            if how.keeps_others { apart(&events, how.portion, scratch) } else { Vec::new() };
        leave_to_others(&mut events, how, scratch);
        let (shard_ends, candidates) = sort(&events, scratch, how);
        reorder(&mut events, &candidates);
        let mask = |c: &Column| Mask::new(c);
        let masks = events.columns.iter().map(|input| input.iter().map(mask).collect()).collect();
        let (mut keys, mut ids) = (Spans::default(), Spans::default());
        let picks: Vec<Pick> = candidates.iter().map(|event| (0, event.row)).collect();
        pick_spans(&mut keys, &[&events.keys], &picks);
        pick_spans(&mut ids, &[&events.ids], &picks);
        Self { placed, events, masks, shard_ends, candidates, keys, ids, numbers: None, others }
    }

    /// With the number of each event in the batch: order "time".
    #[must_use]
    pub fn with_numbers(self, numbers: Arc<[u32]>) -> Self {
        Self { numbers: Some(numbers), ..self }
    }

    /// These numbers.
    pub fn numbers(&self) -> Option<&[u32]> {
        self.numbers.as_deref()
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.events.readings.len()
    }

    /// Memory that it takes beside the slab that it was read from, in bytes.
    pub fn bytes(&self) -> usize {
        let Events { keys, ids, columns, .. } = &self.events;
        let spans = [keys, ids, &self.keys, &self.ids].map(Spans::memory);
        // Of an event without a key, too: reading, input, row and time.
        let fixed = self.len() * (size_of::<Reading>() + 1 + 4 + 8);
        let columns = columns.iter().flatten().map(Column::bytes).sum::<usize>();
        let candidates = size_of_val(&self.candidates[..]);
        let fixed = fixed + self.numbers.as_ref().map_or(0, |numbers| size_of_val(&numbers[..]));
        size_of::<Self>() + fixed + columns + candidates + spans.iter().sum::<usize>()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Into how many shards the events are sorted.
    pub fn shards(&self) -> usize {
        self.shard_ends.len()
    }

    /// Where the event in a row lies, by the name of its partition.
    pub fn position(&self, row: u32) -> Position {
        let (placed, row) = self.placed.of(row);
        Position { partition: placed.name.to_string(), offset: placed.offsets.at(row) }
    }

    /// Where the event in a row lies.
    #[inline]
    pub fn spot(&self, row: u32) -> Spot {
        let (placed, row) = self.placed.of(row);
        Spot { partition: placed.partition, offset: placed.offsets.at(row) }
    }

    /// The events with a key in `shard`, ascending by row: their numbers among the candidates.
    pub fn range(&self, shard: usize) -> Range<usize> {
        let start = if shard == 0 { 0 } else { self.shard_ends[shard - 1] };
        start as usize..self.shard_ends[shard] as usize
    }

    /// All events with a key, shard by shard.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The key of a candidate.
    #[inline]
    pub fn key(&self, candidate: usize) -> &[u8] {
        self.keys.get(candidate)
    }

    /// Whether the value of `field` is missing in row `row` of the columns of `input`.
    #[inline]
    pub(crate) fn is_missing(&self, input: usize, field: usize, row: usize) -> bool {
        self.masks[input][field].as_ref().is_some_and(|mask| mask.holds(row))
    }

    pub(crate) fn any_missing(&self, input: usize, field: usize) -> bool {
        self.masks[input][field].is_some()
    }
}

/// Number of each slab's first event in the batch, where slabs follow one another.
fn bases(slabs: &[Decoded]) -> Vec<u32> {
    begins(slabs.iter().map(|slab| slab.len() as u32))
}

/// Where each of some lists begins that lie one behind the other.
fn begins(lengths: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut next = 0;
    let begin = |length| {
        next += length;
        next - length
    };
    lengths.map(begin).collect()
}

/// The numbers of the events of a batch, from 0 in the order of the log.
#[derive(Debug, Clone)]
pub struct Numbering<'a> {
    slabs: &'a [Decoded],
    bases: Vec<u32>,
}

impl<'a> Numbering<'a> {
    /// Of a batch.
    pub fn new(slabs: &'a [Decoded]) -> Self {
        Self { slabs, bases: bases(slabs) }
    }

    /// The number of the event in a row of a slab.
    #[inline]
    pub fn of(&self, slab: usize, row: u32) -> u32 {
        match &self.slabs[slab].numbers {
            Some(numbers) => numbers[row as usize],
            None => self.bases[slab] + row,
        }
    }

    /// The slab and the row of the event with this number.
    pub fn find(&self, event: u32) -> Option<(usize, u32)> {
        if is_merged(self.slabs) {
            let row = |slab: &Decoded| slab.numbers.as_ref()?.binary_search(&event).ok();
            let mut all = self.slabs.iter().enumerate();
            return all.find_map(|(number, slab)| Some((number, row(slab)? as u32)));
        }
        let slab = self.bases.partition_point(|&base| base <= event).checked_sub(1)?;
        let row = event - self.bases[slab];
        ((row as usize) < self.slabs[slab].len()).then_some((slab, row))
    }

    /// Slab and row of every event in the order of their numbers; none: slabs follow one another,
    /// and so do their rows.
    pub fn merged(&self) -> Option<Vec<(u32, u32)>> {
        if !is_merged(self.slabs) {
            return None;
        }
        let mut order = vec![(0, 0); self.slabs.iter().map(Decoded::len).sum()];
        for (number, slab) in (0..).zip(self.slabs) {
            for (row, &event) in (0..).zip(slab.numbers.iter().flat_map(|all| all.iter())) {
                order[event as usize] = (number, row);
            }
        }
        Some(order)
    }
}

/// Whether the slabs of a batch do not follow one another in it: order "time".
pub fn is_merged(slabs: &[Decoded]) -> bool {
    slabs.first().is_some_and(|slab| slab.numbers.is_some())
}

/// The slab and the row of the event with this number in the batch.
pub fn event_at(slabs: &[Decoded], event: u32) -> Option<(&Decoded, u32)> {
    let (slab, row) = Numbering::new(slabs).find(event)?;
    Some((&slabs[slab], row))
}

/// Marks events of other portions.
fn leave_to_others(events: &mut Events, how: &Sorting, prints: &Prints) {
    let Sorting { portion, shards, .. } = how;
    if portion.is_all() {
        return;
    }
    for (reading, &hash) in events.readings.iter_mut().zip(&prints.key) {
        let is_own = match reading.has_key() {
            true => portion.shard_of(hash, *shards).is_some(),
            false => portion.has_keyless(),
        };
        if !is_own {
            *reading = Reading::Filtered;
        }
    }
}

/// Counting sort by shard: stable, so that rows ascend within a shard.
fn sort(events: &Events, prints: &Prints, how: &Sorting) -> (Vec<u32>, Vec<Candidate>) {
    let mut counts = vec![0u32; how.shards];
    let shard = |hash: u64| how.portion.shard_of(hash, how.shards);
    for (reading, &hash) in events.readings.iter().zip(&prints.key) {
        if reading.has_key()
            && let Some(shard) = shard(hash)
        {
            counts[shard] += 1;
        }
    }
    let mut candidates = vec![Candidate::default(); counts.iter().sum::<u32>() as usize];
    let mut starts = begins(counts.into_iter());
    for (row, &reading) in events.readings.iter().enumerate() {
        let key = prints.key[row];
        if reading.has_key()
            && let Some(shard) = shard(key)
        {
            let start = &mut starts[shard];
            candidates[*start as usize] = Candidate {
                id: prints.id[row],
                key,
                content: prints.content[row],
                time: events.times[row],
                row: row as u32,
                reading,
                input: events.inputs[row],
            };
            *start += 1;
        }
    }
    (starts, candidates)
}

/// Puts the columns into the order of the candidates, while the slab is near.
fn reorder(events: &mut Events, candidates: &[Candidate]) {
    let ready = || candidates.iter().filter(|event| event.reading == Reading::Ready);
    let mut picks = sized(events.columns.len(), ready().map(|event| event.input));
    for event in ready() {
        let picks = &mut picks[usize::from(event.input)];
        let row = &mut events.rows[event.row as usize];
        picks.push((0, std::mem::replace(row, picks.len() as u32)));
    }
    for (columns, picks) in events.columns.iter_mut().zip(&picks) {
        for column in columns {
            let mask = Mask::new(column);
            let values = pick(column.values.empty(), &[&column.values], picks);
            let missing = mask.map_or_else(Vec::new, |mask| {
                let picks = (0..).zip(picks);
                let missing = picks.filter(|(_, (_, row))| mask.holds(*row as usize));
                missing.map(|(row, _)| row).collect()
            });
            *column = Column { values, missing };
        }
    }
}

/// The missing rows of a column, one bit a row: columns are gathered key by key, in no order that
/// would let the list be walked.
#[derive(Debug)]
struct Mask(Vec<u64>);

impl Mask {
    fn new(column: &Column) -> Option<Self> {
        if column.missing.is_empty() {
            return None;
        }
        let mut bits = vec![0u64; column.len().div_ceil(64)];
        for &row in &column.missing {
            bits[row as usize / 64] |= 1 << (row % 64);
        }
        Some(Self(bits))
    }

    #[inline]
    fn holds(&self, row: usize) -> bool {
        self.0[row / 64] >> (row % 64) & 1 == 1
    }
}
