//! What a worker holds, and when that is too much: it finishes while it still can, before the
//! machine swaps or the system kills it without a word.
//!
//! Looked at behind every slab that is folded, and behind every partition that is taken over, so
//! that it comes above the limit by no more than one of these.

use super::broker::Broker;
use super::error::LiveError;
use super::worker::{Slot, Worker, listed};
use crate::run::{Held, size};

/// What is too much.
pub(super) struct TooMuch {
    held: Held,
    limit: usize,
    /// The partitions, and which of them holds most.
    partitions: Vec<i32>,
    most: Option<(i32, usize)>,
}

impl<B: Broker> Worker<'_, B> {
    /// Has the worker finish, if it holds too much. Gives whether it does.
    pub(super) fn finishes_for_memory(&mut self) -> bool {
        if self.too_much.is_none() {
            let Some(too_much) = self.holds_too_much() else { return false };
            self.watch.note(&format!("{too_much}: finishes"));
            self.too_much = Some(too_much);
            self.finish();
        }
        true
    }

    fn holds_too_much(&self) -> Option<TooMuch> {
        let limit = self.setup.memory;
        let of = |(own, slot): (&i32, &Slot)| Some((*own, slot.owned()?.held()));
        let all = || self.slots.iter().filter_map(of);
        let mut held = Held::default();
        for (_, own) in all() {
            held.states += own.states;
            held.ids += own.ids;
            held.batches += own.batches;
        }
        let under_way = self.inflight.iter().flat_map(|inflight| inflight.parts.values());
        held.batches += under_way.map(|sealed| sealed.batch.bytes()).sum::<usize>();
        let most = all().map(|(own, held)| (own, held.all())).max_by_key(|(_, bytes)| *bytes);
        let partitions = self.slots.keys().copied().collect();
        (held.all() > limit).then_some(TooMuch { held, limit, partitions, most })
    }
}

impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { held, limit, partitions, most } = self;
        let one = if partitions.len() == 1 { "" } else { "s" };
        let (of, states, ids) = (listed(partitions), size(held.states), size(held.ids));
        write!(f, "states of partition{one} {of} hold {states}, ids {ids}")?;
        write!(f, " and what waits to be published {}", size(held.batches))?;
        if let (Some((own, bytes)), true) = (most, partitions.len() > 1) {
            write!(f, " (most of it, {}, partition {own})", size(*bytes))?;
        }
        write!(f, ", together above the limit of {} (host_memory)", size(*limit))
    }
}

impl TooMuch {
    /// Why the worker ended, and what would help.
    pub(super) fn error(&self) -> LiveError {
        let keep_less = if self.held.ids > self.held.states {
            "remember ids for a shorter time ([dedup] window)"
        } else {
            "have the reducer keep less of each key"
        };
        // A partition is one worker's.
        let more = match self.partitions.len() {
            1 => "start more workers where it was given other partitions too",
            _ => "start more workers, so that each has fewer partitions",
        };
        LiveError::Memory(format!(
            "{self}: the worker has finished, and what it published is committed; {more}, raise \
             [limits] host_memory, or {keep_less}"
        ))
    }
}
