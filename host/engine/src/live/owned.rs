//! A partition that a worker owns: the fold over it, what was made of it and is not published yet,
//! and the digests that are committed with its offsets.

use super::batch::Batch;
use super::broken::Checked;
use super::error::LiveError;
use super::mark::{Applied, How, Made, Mark, applies};
use super::setup::Setup;
use crate::log::{Follow, Piece};
use crate::run::{Around, Held, RunError, described};
use crate::sink::Commit;
use crate::snapshot::{Past, SnapshotRef};
use retally_core::decode::Placed;
use retally_core::digest::{StateSum, StateTerm};
use retally_core::fold::{Decoding, Fold, FoldError};
use retally_core::log::Position;
use retally_core::manifest::{Counts, Migrated};
use retally_core::reduce::{Finals, KeyRef, NoProbe, Originals, Shard, calls};
use retally_core::shard::Decoded;
use retally_core::snapshot::{Binding, Head, Standing};
use retally_core::state::Slot;
use std::ops::Range;
use std::sync::Arc;

/// The one shard of a partition: events of live work come in small batches, and each shard is a
/// call.
pub(super) const SHARDS: usize = 1;

/// An event with which the partition cannot go on.
#[derive(Debug)]
pub(super) struct Poison {
    pub(super) offset: u64,
    pub(super) why: RunError,
}

/// What a partition publishes next.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) to: u64,
    pub(super) mark: Mark,
    pub(super) batch: Arc<Batch>,
}

/// See the module.
pub(super) struct Owned {
    pub(super) setup: Arc<Setup>,
    pub(super) name: Arc<str>,
    pub(super) binding: Binding,
    pub(super) fold: Fold,
    pub(super) past: Option<Past>,
    pub(super) counts: Counts,
    pub(super) migrated: Vec<Migrated>,
    /// Who applied its events.
    pub(super) applied: Vec<Applied>,
    /// The snapshot on which the next one builds.
    pub(super) parent: Option<SnapshotRef>,
    decoding: Decoding,
    follow: Follow,
    /// Whether another version's mark is to be replaced, also where nothing new comes.
    pub(super) owes_mark: bool,
    /// The first offset that was not taken.
    pub(super) next: u64,
    /// Before this offset everything is committed already: nothing of it is published.
    pub(super) silent_to: u64,
    /// Events before this offset are taken, and none behind: why.
    pub(super) barrier: Option<(u64, String)>,
    sum: StateSum,
    terms: Vec<Option<StateTerm>>,
    /// Keys with events since the batch began, each once.
    touched: Vec<Slot>,
    is_touched: Vec<bool>,
    batch: Batch,
    pub(super) checked: Checked,
    /// Keys that were given by [`Owned::new_keys`].
    given: Slot,
}

impl Owned {
    /// A partition whose fold is at `next`, of which everything before `silent_to` is committed.
    pub(super) fn new(
        setup: Arc<Setup>,
        (name, binding): (Arc<str>, Binding),
        fold: Fold,
        next: u64,
        silent_to: u64,
    ) -> Self {
        Self {
            decoding: Decoding::new(setup.plan.clone(), &fold.recipe),
            setup,
            name,
            binding,
            fold,
            past: None,
            counts: Counts::begin(),
            migrated: Vec::new(),
            applied: Vec::new(),
            parent: None,
            follow: Follow::new(next),
            owes_mark: false,
            next,
            silent_to,
            barrier: None,
            sum: StateSum::default(),
            terms: Vec::new(),
            touched: Vec::new(),
            is_touched: Vec::new(),
            batch: Batch::default(),
            checked: Checked::default(),
            given: 0,
        }
    }

    /// Whether what is taken next is committed already.
    pub(super) fn is_silent(&self) -> bool {
        self.next < self.silent_to
    }

    /// Whether no more events are taken, because the next one cannot be.
    pub(super) fn is_at_barrier(&self) -> bool {
        self.barrier.as_ref().is_some_and(|(at, _)| self.next >= *at)
    }

    /// Whether there is something to commit.
    pub(super) fn is_owing(&self, committed: u64) -> bool {
        !self.is_silent() && (self.next > committed || self.owes_mark)
    }

    /// Bytes that wait to be published.
    pub(super) fn waiting(&self) -> usize {
        self.batch.bytes()
    }

    /// Memory that it holds.
    pub(super) fn held(&self) -> Held {
        let all: usize = self.fold.shards.iter().map(Shard::bytes).sum();
        let ids: usize = self.fold.shards.iter().map(|shard| shard.ids.bytes()).sum();
        Held {
            states: all - ids + size_of_val(&self.terms[..]),
            ids: ids + self.past.as_ref().map_or(0, Past::bytes),
            batches: self.waiting(),
            ..Held::default()
        }
    }

    /// Folds what lies behind what was taken so far. Gives what is left where something is to be
    /// done before: the committed offset is reached, or the barrier.
    ///
    /// # Errors
    /// The event with which it cannot go on; the fold is of no use then. Anything else is an error
    /// of the worker.
    pub(super) fn take(
        &mut self,
        piece: Piece,
    ) -> Result<Result<Option<Placed>, Poison>, LiveError> {
        let events = piece.slab.len();
        let offsets = self.follow.place(piece.offsets, events)?;
        let placed = Placed {
            partition: 0,
            name: self.name.clone(),
            offsets,
            folders: piece.folders,
            beside: piece.beside,
            slab: Arc::new(piece.slab),
        };
        self.take_placed(placed)
    }

    /// The same of what is left.
    pub(super) fn take_placed(
        &mut self,
        placed: Placed,
    ) -> Result<Result<Option<Placed>, Poison>, LiveError> {
        let events = placed.slab.len();
        let from = placed.offsets.before(self.next, events);
        let mut to = events;
        let barrier = self.barrier.as_ref().map(|(at, _)| *at);
        let silent_to = self.is_silent().then_some(self.silent_to);
        for end in [barrier, silent_to].into_iter().flatten() {
            to = to.min(placed.offsets.before(end, events));
        }
        if from < to {
            if let Err(poison) = self.fold(placed.slice(from..to))? {
                return Ok(Err(poison));
            }
            self.next = placed.offsets.at(to - 1) + 1;
        }
        if to == events {
            return Ok(Ok(None));
        }
        // What is left lies behind the committed offset, or at the barrier.
        let at = placed.offsets.at(to);
        self.reach(at);
        Ok(Ok((!self.is_at_barrier()).then(|| placed.slice(to..events))))
    }

    /// Nothing that is not taken lies before this offset.
    pub(super) fn reach(&mut self, offset: u64) {
        let offset = match self.is_silent() {
            true => offset.min(self.silent_to),
            false => offset,
        };
        self.next = self.next.max(offset);
    }

    fn fold(&mut self, placed: Placed) -> Result<Result<(), Poison>, LiveError> {
        let decoded = self.decoding.slab(&[placed], &mut NoProbe).map_err(RunError::from)?;
        if let Some(past) = &self.past {
            for shard in &mut self.fold.shards {
                let ids = past.recall(shard.number, &shard.ids_not_held(&decoded))?;
                shard.recall(&ids);
            }
        }
        let is_silent = self.is_silent();
        self.fold.originals = match is_silent || !self.setup.publishes.has_refused() {
            true => Originals::Unwanted,
            false => Originals::InSlabs,
        };
        let block = match self.fold.fold(&decoded) {
            Ok(block) => block,
            Err(FoldError::Stopped { position, stop }) => {
                let why = self.poison(&decoded, &stop);
                return Ok(Err(Poison { offset: position.offset, why }));
            }
            Err(error) => return Err(LiveError::Internal(error.to_string())),
        };
        self.counts.add(&block);
        if !is_silent {
            let names = std::slice::from_ref(&self.name);
            self.setup.publishes.block(names, &block, &mut self.batch);
            decoded.iter().for_each(|slab| self.touch(slab));
        }
        Ok(Ok(()))
    }

    fn poison(&self, decoded: &[Decoded], stop: &retally_core::reduce::Stop) -> RunError {
        let around = Around {
            names: &[self.name.to_string()],
            layout: &self.fold.recipe.description().state.layout,
            place: &|_, _| None,
            side: None,
            go_on: ", and start the worker again".to_owned(),
        };
        described(decoded, stop, around)
    }

    /// The keys that came since the last time, first those of a snapshot.
    pub(super) fn new_keys(&mut self) -> Range<Slot> {
        let keys = self.fold.shards[0].keys.len() as Slot;
        std::mem::replace(&mut self.given, keys)..keys
    }

    /// A key.
    pub(super) fn key(&self, slot: Slot) -> &[u8] {
        self.fold.shards[0].keys.key(slot)
    }

    /// Notes the keys of events.
    fn touch(&mut self, slab: &Decoded) {
        let keys = &self.fold.shards[0].keys;
        self.is_touched.resize(keys.len(), false);
        for (at, event) in slab.candidates().iter().enumerate() {
            let Some(slot) = keys.find(event.key, slab.key(at)) else { continue };
            if !std::mem::replace(&mut self.is_touched[slot as usize], true) {
                self.touched.push(slot);
            }
        }
    }

    /// All that there are: the version that takes them over sees them otherwise.
    pub(super) fn touch_all(&mut self) {
        let keys = self.fold.shards[0].keys.len();
        self.is_touched = vec![true; keys];
        self.touched = (0..keys as Slot).collect();
    }

    /// Brings the sum over states up to date with some keys. Gives those that lost theirs.
    fn settle(&mut self, slots: impl Iterator<Item = Slot>) -> Vec<Slot> {
        let mut lost = Vec::new();
        let keys = &self.fold.shards[0].keys;
        self.terms.resize(keys.len(), None);
        for slot in slots {
            let state = keys.state(slot);
            let term = || StateTerm::of(keys.key(slot), state, keys.get(slot).applied);
            let now = (!state.is_empty()).then(term);
            let before = std::mem::replace(&mut self.terms[slot as usize], now);
            lost.extend((before.is_some() && now.is_none()).then_some(slot));
            self.sum.set(before, now);
        }
        lost
    }

    /// The silence is over: every state counts.
    pub(super) fn settle_all(&mut self) {
        let all = 0..self.fold.shards[0].keys.len() as Slot;
        self.settle(all);
    }

    /// The digests of all that was made of it so far.
    pub(super) fn mark(&self) -> Mark {
        let digests = self.fold.outcomes.digests();
        let description = self.fold.recipe.description();
        let (outcomes, applied) = (digests.first(), &self.applied[..]);
        let made = Made { description, outcomes, states: self.sum, applied };
        Mark::of(&self.binding, &self.position(), self.setup.partitions, &made)
    }

    /// From here on this reducer applies what comes.
    pub(super) fn applies(&mut self, from: u64, how: How) {
        let (version, reducer) =
            (self.binding.reducer.version.clone(), self.binding.reducer.sha256);
        applies(&mut self.applied, Applied { from, version, reducer, how });
    }

    fn position(&self) -> Position {
        Position { partition: self.name.to_string(), offset: self.next }
    }

    /// Closes the batch: nothing of it changes any more.
    ///
    /// # Errors
    /// When a view cannot be derived.
    pub(super) fn seal(&mut self) -> Result<Sealed, LiveError> {
        let touched = std::mem::take(&mut self.touched);
        touched.iter().for_each(|&slot| self.is_touched[slot as usize] = false);
        let lost = self.settle(touched.iter().copied());
        self.checked.changed(&touched);
        if self.setup.publishes.has_views() {
            let at = (&*self.name, self.next);
            derive(&mut self.fold, touched, |_, finals| {
                self.setup.publishes.views(at, finals, &mut self.batch);
            })?;
            // What has no state any more has no view.
            let keys = &self.fold.shards[0].keys;
            let lost = lost.into_iter().map(|slot| keys.key(slot));
            lost.for_each(|key| self.setup.publishes.no_view(at, key, &mut self.batch));
        }
        let batch = Arc::new(std::mem::take(&mut self.batch));
        self.owes_mark = false;
        Ok(Sealed { to: self.next, mark: self.mark(), batch })
    }

    /// A snapshot as of now.
    pub(super) fn snapshot(&mut self) -> Commit {
        let (pieces, outcomes) = self.fold.save();
        let partitions = vec![self.position()];
        let head = Head {
            binding: self.binding.clone(),
            seed: self.fold.recipe.seed,
            highest: Vec::new(),
            outcomes,
            keys: Some(self.fold.len() as u64),
            counts: self.counts,
            empty_state: false,
            receipts: Vec::new(),
            accepted: Vec::new(),
            migrated: self.migrated.clone(),
            standing: Standing::default(),
            partitions,
        };
        Commit { head, pieces }
    }
}

/// Asks `view` and `check` of keys, in their order: those that have a state.
///
/// # Errors
/// When one of them does not return.
pub(super) fn derive(
    fold: &mut Fold,
    mut slots: Vec<Slot>,
    mut each: impl FnMut(&[KeyRef], &Finals),
) -> Result<(), LiveError> {
    let keys = &fold.shards[0].keys;
    slots.retain(|&slot| !keys.state(slot).is_empty());
    slots.sort_by(|a, b| keys.key(*a).cmp(keys.key(*b)));
    let refs: Vec<KeyRef> = slots.into_iter().map(|slot| (0, slot)).collect();
    let shards: Vec<&Shard> = fold.shards.iter().collect();
    for call in calls(&shards, &refs) {
        let finals = fold.recipe.finals_of(&shards, call, fold.instance.for_call());
        each(call, &finals.map_err(|error| LiveError::Run(error.into()))?);
    }
    Ok(())
}
