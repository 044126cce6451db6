//! One call of both sides compared: which keys part in it, and at which event.

use super::details::{OneSide, key_level};
use super::half::Half;
use super::looks::{Look, Looks};
use super::rows::Range;
use super::seen::{Parted, Seen, outcome_bit};
use super::shared::Shared;
use super::steps::{At, Step as Event, Steps};
use super::walk::{Walk, Walked};
use super::{PairShard, Side};
use retally_core::decode::Reading;
use retally_core::log::Spot;
use retally_core::reduce::steps::Taken;
use retally_core::reduce::steps::numbers;
use retally_core::reduce::{Outcome, Probe, Shard, Step, Stop};
use retally_core::schema::Column;
use retally_core::shard::{Decoded, Numbering, is_merged};
use retally_core::state::{KeyTable, Slot};

/// What a shard's share of a batch is.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    /// The slabs of each side; of twins the same.
    pub(super) slabs: [&'a [Decoded]; 2],
    /// For each side what became of events that did not reach its reducer.
    pub(super) outcomes: [&'a [(u32, Outcome)]; 2],
}

/// Finds an event by its number in the batch of the log.
pub(super) struct Places<'a> {
    slabs: [&'a [Decoded]; 2],
    /// Of both sides: they take the same events of the same slabs.
    numbering: Numbering<'a>,
}

impl<'a> Places<'a> {
    pub(super) fn new(slabs: [&'a [Decoded]; 2]) -> Self {
        Self { slabs, numbering: Numbering::new(slabs[0]) }
    }

    /// The number of a taken event.
    pub(super) fn number(&self, taken: &Taken) -> u32 {
        self.numbering.of(taken.slab as usize, taken.row)
    }

    /// The slab and row of an event, on a side.
    pub(super) fn find(&self, side: usize, event: u32) -> (&'a Decoded, usize) {
        // Whoever asks has the number from this batch.
        let (slab, row) = self.numbering.find(event).unwrap_or_default();
        (&self.slabs[side][slab], row as usize)
    }
}

impl Places<'_> {
    /// Whether an event of this batch lies behind the one at which its key parted, in this batch or
    /// an earlier one.
    fn is_behind(&self, event: u32, at: Spot, parted: &Parted) -> bool {
        let first = Spot { partition: parted.partition, offset: parted.offset };
        if !is_merged(self.slabs[0]) {
            return at > first;
        }
        let number = |(number, slab): (usize, &Decoded)| {
            slab.placed.iter().find_map(|(begin, placed)| {
                let (offsets, events) = (&placed.offsets, placed.slab.len());
                let row = offsets.before(first.offset, events);
                let is_there = placed.partition == first.partition
                    && row < events
                    && offsets.at(row) == first.offset;
                is_there.then(|| self.numbering.of(number, begin + row as u32))
            })
        };
        let first = self.slabs[0].iter().enumerate().find_map(number);
        first.is_none_or(|first| event > first)
    }

    /// The slot of the key of an event that a shard judged.
    pub(super) fn slot(&self, side: usize, event: u32, shard: &Shard) -> Option<Slot> {
        let (slab, row) = self.find(side, event);
        shard.slot_of(slab, row as u32)
    }
}

/// What a key's walk came to, and what it came from.
struct Found<'a, 'b> {
    walk: &'b Walk<'a>,
    looks: &'b Looks,
    places: &'b Places<'a>,
    steps: &'a Steps,
    keys: [&'b KeyTable; 2],
}

impl PairShard {
    /// Finds the keys that part in a call.
    ///
    /// # Errors
    /// The side and its first event with which it cannot go on.
    pub(super) fn compare(
        &mut self,
        call: &Call<'_>,
        sides: &mut [Side<'_>; 2],
        halves: [&Half; 2],
        probe: &mut impl Probe,
    ) -> Result<(), (usize, Stop)> {
        probe.enter(Some(Step::Compare));
        if !halves[0].imprinted {
            self.by_views(call, sides, halves, true);
            return Ok(());
        }
        let marked = self.by_imprints(call, sides, halves);
        if marked.is_empty() {
            return Ok(());
        }
        // Mostly a key parts at the first event after which its imprints differ.
        let left = self.look(call, sides, halves, &marked, false, probe)?;
        self.imprints.vain += left.len();
        if left.is_empty() {
            return Ok(());
        }
        let end = |&key: &u32| (key, halves[0].grouped.batch.key_ends[key as usize]);
        let left: Vec<_> = left.iter().map(end).collect();
        self.look(call, sides, halves, &left, true, probe).map(|_| ())
    }

    /// Takes the keys of twins of which nothing differs, and gives the others: the number of each
    /// in the call, and the row behind the first that may differ.
    fn by_imprints(
        &mut self,
        call: &Call<'_>,
        sides: &[Side<'_>; 2],
        halves: [&Half; 2],
    ) -> Vec<(u32, u32)> {
        let places = Places::new(call.slabs);
        let steps = Steps::of_twins(halves[0], numbers(call.slabs[0]));
        let walk = Walk::new(call.shared, &steps, halves);
        let (looks, keys) = (Looks::default(), keys(sides));
        let found = Found { walk: &walk, looks: &looks, places: &places, steps: &steps, keys };
        let mut marked = Vec::new();
        for number in 0..steps.groups.len() as u32 {
            match walk.first_mark(number) {
                Some(step) => marked.push((number, step + 1)),
                None => self.take(&found, number, Walked::Same),
            }
        }
        self.imprints.compared += steps.groups.len();
        marked
    }

    /// Folds the first events of some keys once more, with the views after them; `rows`: number of
    /// each key in the call and the row behind its last event. Gives those that do not part, which
    /// are taken if `is_whole`: if these are all their events.
    fn look(
        &mut self,
        call: &Call<'_>,
        sides: &mut [Side<'_>; 2],
        halves: [&Half; 2],
        rows: &[(u32, u32)],
        is_whole: bool,
        probe: &mut impl Probe,
    ) -> Result<Vec<u32>, (usize, Stop)> {
        let [a, b] = Half::again(halves, rows, sides, call.slabs, probe)?;
        probe.enter(Some(Step::Compare));
        let same = self.by_views(call, sides, [&a, &b], is_whole);
        Ok(same.into_iter().map(|at| rows[at as usize].0).collect())
    }

    /// Finds the keys that part in a call with the views after each event, and gives the others.
    fn by_views(
        &mut self,
        call: &Call<'_>,
        sides: &mut [Side<'_>; 2],
        halves: [&Half; 2],
        is_whole: bool,
    ) -> Vec<u32> {
        let &Call { shared, slabs, outcomes } = call;
        let places = Places::new(slabs);
        let steps = match shared.twins {
            true => Steps::of_twins(halves[0], numbers(slabs[0])),
            false => {
                let shards = [&*sides[0].shard, &*sides[1].shard];
                Steps::of_others(halves, &places, outcomes, shards, &self.records)
            }
        };
        let walk = Walk::new(shared, &steps, halves);
        let mut looks = Looks::default();
        let (mut again, mut same) = (Vec::new(), Vec::new());
        let mut take = |own: &mut Self, sides: &[Side<'_>; 2], looks: &Looks, number| {
            let walked = walk.group(number, looks);
            let keys = keys(sides);
            let found = Found { walk: &walk, looks, places: &places, steps: &steps, keys };
            match walked {
                Walked::Needs => return false,
                Walked::Same if !is_whole => {}
                walked => own.take(&found, number, walked),
            }
            if matches!(walked, Walked::Same) {
                same.push(number);
            }
            true
        };
        for number in 0..steps.groups.len() as u32 {
            if !take(self, sides, &looks, number) {
                again.push(number);
            }
        }
        if !again.is_empty() {
            let groups: Vec<_> = again.iter().map(|&at| (at, steps.groups[at as usize])).collect();
            looks.ask(&walk, sides, &self.records, &groups);
            for number in again {
                take(self, sides, &looks, number);
            }
        }
        same
    }

    /// Counts a key's events and notes where it parts.
    fn take(&mut self, found: &Found<'_, '_>, number: u32, walked: Walked) {
        let record = found.steps.groups[number as usize].record;
        let parted = match walked {
            Walked::Parted { step, looks } => Some((step, looks)),
            Walked::Same | Walked::Needs => None,
        };
        let range = found.steps.range(number);
        let end = parted.map_or(range.end, |(step, _)| step + 1);
        let mut seen = Seen::default();
        for step in &found.steps.steps[range.start as usize..end as usize] {
            let rows = [0, 1].map(|side| found.walk.reached(step, side));
            if rows == [None, None] {
                continue;
            }
            seen.count(found.input_of_row(rows));
            seen.outcomes |=
                rows.into_iter().flatten().fold(0, |bits, (_, w)| bits | outcome_bit(w));
        }
        self.records.add(record, &seen);
        let Some((step, looks)) = parted else { return };
        let event = &found.steps.steps[step as usize];
        let divergence = self.records.part(record, found.parted(event));
        let key = self.records.key(found.walk.shared().twins, record, found.keys);
        let level = key_level(key);
        if level >= self.details.level() {
            let sides = [0, 1].map(|side| found.one_side(side, number, event, looks[side]));
            let (slab, row) = found.read(event);
            self.details.push(divergence, level, slab.events.ids.get(row), sides);
        }
    }

    /// Notes the outcomes of events that did not reach a reducer, up to where their keys parted.
    pub(super) fn count_outcomes(&mut self, call: &Call<'_>, sides: &[Side<'_>; 2]) {
        let &Call { shared, slabs, outcomes } = call;
        let places = Places::new(slabs);
        for (side, outcomes) in outcomes.into_iter().enumerate() {
            for &(event, what) in outcomes {
                let (slab, row) = places.find(side, event);
                let slot = places.slot(side, event, sides[side].shard);
                let Some(slot) = slot else { continue };
                let record = self.records.of(shared.twins, side, slot);
                let at = slab.spot(row as u32);
                let parted = self.records.parted(record);
                if !parted.is_some_and(|(_, parted)| places.is_behind(event, at, parted)) {
                    self.records.outcome(record, what);
                }
            }
        }
    }
}

fn keys<'b>(sides: &'b [Side<'_>; 2]) -> [&'b KeyTable; 2] {
    [&sides[0].shard.keys, &sides[1].shard.keys]
}

impl<'b> Found<'_, 'b> {
    /// The input of an event that reached a reducer, by its common number.
    fn input_of_row(&self, rows: [Option<(u32, Outcome)>; 2]) -> Option<u8> {
        (0..2).find_map(|side| {
            // Of twins one side alone has the columns of the call.
            let (row, _) = rows[side]?;
            let number = self.walk.half(side).grouped.batch.inputs.get(row as usize)?;
            self.walk.shared().input(side, *number)
        })
    }

    fn parted(&self, event: &Event) -> Parted {
        let own = |side: usize| !matches!(event.at[side], At::Absent | At::Other(Outcome::Ignored));
        let (slab, row) = self.read(event);
        let input = |side: usize| {
            let (slab, row) = self.places.find(side, event.event);
            let number = slab.events.inputs[row];
            own(side).then(|| self.walk.shared().input(side, number)).flatten()
        };
        let outcome = |side: usize| match event.at[side] {
            At::Absent => None,
            At::Other(what) => Some(what),
            At::Row(_) => self.walk.reached(event, side).map(|(_, what)| what),
        };
        let Spot { partition, offset } = slab.spot(row as u32);
        Parted {
            partition,
            offset,
            time: slab.events.times[row],
            inputs: [input(0), input(1)],
            outcomes: [outcome(0), outcome(1)],
        }
    }

    /// The event as a side has it that read its id and time.
    fn read(&self, event: &Event) -> (&'b Decoded, usize) {
        let [a, b] = [0, 1].map(|side| self.places.find(side, event.event));
        let (slab, row) = a;
        match slab.events.readings[row] {
            Reading::Ready | Reading::BadField(_) => a,
            Reading::Unreadable(_) | Reading::Ignored | Reading::Filtered => b,
        }
    }

    fn one_side(&self, side: usize, group: u32, event: &Event, look: Look) -> OneSide<'_> {
        let answer = &self.walk.half(side).answer;
        let applied = self.walk.applied_row(event, side);
        let records = |emitted: &'_ retally_core::reduce::Emitted| match applied {
            Some(row) => {
                let at = emitted.rows.partition_point(|&r| r < row) as u32;
                let end = emitted.rows.partition_point(|&r| r <= row) as u32;
                Range { at, len: end - at }
            }
            None => Range::default(),
        };
        let emits: Vec<(&[Column], Range)> = answer
            .emits
            .iter()
            .map(|emitted| (emitted.columns.as_slice(), records(emitted)))
            .collect();
        OneSide { view: self.looks.get(self.walk, side, group, look), emits }
    }
}
