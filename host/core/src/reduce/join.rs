//! What passes over [portions](crate::portion::Portion) of all keys came to, as what one pass over
//! all of them comes to: the same blocks in the same order, and the same keys.

use super::{Block, EmitRows, Finals, Outcome, Viewed, Violated};
use crate::schema::pick::{Pick, pick_column, pick_spans};
use crate::schema::{Column, Description, Field, Spans};
use crate::times::Times;

/// Blocks that are not those of portions of one batch: the log changed between passes, or whoever
/// drives them is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the passes did not read the same events: {0}")]
pub struct Unjoined(pub &'static str);

/// The block of a batch of `events` events, made of that of some of them, which have these numbers
/// in it: the others are of other portions. It has no stretches of its own.
pub fn spread(block: Block, numbers: &[u32], events: usize) -> Block {
    let number = |event: &mut u32| *event = numbers[*event as usize];
    let mut spread = Block { outcomes: vec![Outcome::Filtered; events], ..block };
    for (&event, outcome) in numbers.iter().zip(block.outcomes) {
        spread.outcomes[event as usize] = outcome;
    }
    spread.emits.iter_mut().for_each(|rows| rows.events.iter_mut().for_each(number));
    spread.refused.iter_mut().for_each(|refused| number(&mut refused.event));
    Block { stretches: Vec::new(), ..spread }
}

/// Joins the blocks of a batch, one of each portion; the first has stretches, and others that have
/// none were [`spread`].
///
/// # Errors
/// When they are not of the same events, or an event has more than one outcome.
pub fn join_blocks(description: &Description, blocks: Vec<Block>) -> Result<Block, Unjoined> {
    let Some(first) = blocks.first() else { return Ok(Block::default()) };
    let is_other =
        |block: &Block| !block.stretches.is_empty() && block.stretches != first.stretches;
    if blocks.iter().any(is_other) {
        return Err(Unjoined("one found other offsets than another"));
    }
    let mut outcomes = vec![Outcome::Filtered; first.outcomes.len()];
    let mut owners = vec![0_u32; outcomes.len()];
    for (number, block) in (0..).zip(&blocks) {
        if block.outcomes.len() != outcomes.len() {
            return Err(Unjoined("one found more of them than another"));
        }
        for (event, &outcome) in block.outcomes.iter().enumerate() {
            match (outcome, outcomes[event]) {
                (Outcome::Filtered, _) => {}
                (_, Outcome::Filtered) => (outcomes[event], owners[event]) = (outcome, number),
                _ => return Err(Unjoined("two took one and the same event")),
            }
        }
    }
    let kinds = description.emits.iter().enumerate();
    let emits = kinds.map(|(kind, shape)| emits(&shape.fields, kind, &blocks, &owners)).collect();
    let times = blocks.iter().fold(Times::default(), |all, block| all.and(&block.times));
    let stretches = first.stretches.clone();
    let mut refused: Vec<_> = blocks.into_iter().flat_map(|block| block.refused).collect();
    refused.sort_by_key(|refused| refused.event);
    Ok(Block { stretches, outcomes, emits, refused, times })
}

/// The records of one kind, those of an event from the block that took it.
fn emits(fields: &[Field], kind: usize, blocks: &[Block], owners: &[u32]) -> EmitRows {
    let rows: Vec<&EmitRows> = blocks.iter().map(|block| &block.emits[kind]).collect();
    let mut next = vec![0; rows.len()];
    let mut picks: Vec<Pick> = Vec::with_capacity(rows.iter().map(|rows| rows.events.len()).sum());
    let mut events = Vec::with_capacity(picks.capacity());
    for (event, &owner) in (0..).zip(owners) {
        let (events_of, next) = (&rows[owner as usize].events, &mut next[owner as usize]);
        while events_of.get(*next) == Some(&event) {
            picks.push((owner, *next as u32));
            events.push(event);
            *next += 1;
        }
    }
    // A block for digests alone has no more than its columns.
    let has_heads = rows.iter().all(|rows| rows.offsets.len() == rows.events.len());
    let has_times = rows.iter().all(|rows| rows.times.len() == rows.events.len());
    let (heads, of_times) =
        (if has_heads { &*picks } else { &[] }, if has_times { &*picks } else { &[] });
    let column = |(field, shape): (usize, &Field)| {
        let columns: Vec<&Column> = rows.iter().map(|rows| &rows.columns[field]).collect();
        pick_column(shape.kind, &columns, &picks)
    };
    EmitRows {
        partitions: numbers(&rows, heads, |rows| &rows.partitions),
        offsets: numbers(&rows, heads, |rows| &rows.offsets),
        seqs: numbers(&rows, heads, |rows| &rows.seqs),
        times: numbers(&rows, of_times, |rows| &rows.times),
        keys: strings(&rows, heads, |rows| &rows.keys),
        ids: strings(&rows, heads, |rows| &rows.ids),
        columns: fields.iter().enumerate().map(column).collect(),
        events,
    }
}

fn numbers<S, T: Copy>(sources: &[&S], picks: &[Pick], of: impl Fn(&S) -> &Vec<T>) -> Vec<T> {
    let lists: Vec<&[T]> = sources.iter().map(|source| of(source).as_slice()).collect();
    picks.iter().map(|&(source, row)| lists[source as usize][row as usize]).collect()
}

fn strings<S>(sources: &[&S], picks: &[Pick], of: impl Fn(&S) -> &Spans) -> Spans {
    let lists: Vec<&Spans> = sources.iter().map(|source| of(source)).collect();
    let mut all = Spans::default();
    pick_spans(&mut all, &lists, picks);
    all
}

/// Keys of a portion in byte order, and how many of them were taken.
#[derive(Debug, Default)]
pub struct Ahead {
    /// The keys; none are left: they were all taken.
    pub finals: Finals,
    next: usize,
}

impl Ahead {
    /// Keys of which none was taken.
    pub fn new(finals: Finals) -> Self {
        Self { finals, next: 0 }
    }

    /// Whether all were taken.
    pub fn is_over(&self) -> bool {
        self.next == self.finals.keys.len()
    }

    fn last(&self) -> Option<&[u8]> {
        Some(self.finals.keys.get(self.finals.keys.len().checked_sub(1)?))
    }
}

/// Takes the next keys of all portions, in byte order: as many as there can be no others between.
/// Each has keys left, or no more will come of it. What it gives has at least all that is left of
/// one of them.
pub fn join_keys(description: &Description, parts: &mut [Ahead]) -> Finals {
    let open = || parts.iter().filter(|part| !part.is_over());
    let Some(bound) = open().filter_map(Ahead::last).min().map(<[u8]>::to_vec) else {
        return Finals::default();
    };
    let mut picks: Vec<Pick> = Vec::new();
    for (number, part) in (0..).zip(&mut *parts) {
        let keys = &part.finals.keys;
        while part.next < keys.len() && keys.get(part.next) <= bound.as_slice() {
            picks.push((number, part.next as u32));
            part.next += 1;
        }
    }
    let finals: Vec<&Finals> = parts.iter().map(|part| &part.finals).collect();
    let key = |&(part, row): &Pick| finals[part as usize].keys.get(row as usize);
    picks.sort_unstable_by(|a, b| key(a).cmp(key(b)));
    pick_finals(&description.view.fields, &finals, &picks)
}

/// The keys at `picks`, in their order, with all that is known of them.
fn pick_finals(fields: &[Field], parts: &[&Finals], picks: &[Pick]) -> Finals {
    let mut rows: Vec<Pick> = Vec::new();
    let (mut owners, mut violated) = (Vec::new(), Vec::new());
    for (owner, &(part, row)) in (0..).zip(picks) {
        let Finals { viewed, violated: found, .. } = parts[part as usize];
        let first = viewed.owners.partition_point(|&of| of < row);
        let own = viewed.owners[first..].iter().take_while(|&&of| of == row);
        for (at, _) in (first as u32..).zip(own) {
            rows.push((part, at));
            owners.push(owner);
        }
        let first = found.partition_point(|found| found.owner < row);
        let own = found[first..].iter().take_while(|found| found.owner == row);
        violated.extend(own.map(|found| Violated { owner, ..found.clone() }));
    }
    let column = |(field, shape): (usize, &Field)| {
        // Without rows there may be no columns.
        let empty = Column::new(shape.kind);
        let own = parts.iter().map(|part| part.viewed.columns.get(field).unwrap_or(&empty));
        let columns: Vec<&Column> = own.collect();
        pick_column(shape.kind, &columns, &rows)
    };
    let columns = fields.iter().enumerate().map(column).collect();
    let reached = parts.iter().any(|part| !part.reaches.is_empty());
    Finals {
        keys: strings(parts, picks, |of| &of.keys),
        states: strings(parts, picks, |of| &of.states),
        applied: numbers(parts, picks, |of| &of.applied),
        times: numbers(parts, picks, |of| &of.times),
        reaches: numbers(parts, if reached { picks } else { &[] }, |of| &of.reaches),
        viewed: Viewed { owners, columns },
        violated,
    }
}
