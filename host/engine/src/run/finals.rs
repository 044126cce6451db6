//! Every key's view rows and violations, in byte order of the keys: derived by all threads,
//! digested and written by two, each piece of keys on its way through all three.
//!
//! ```text
//! pieces of keys --derive--> (any order) --put in order, digest--> (in order) --write-->
//! ```
//!
//! A piece that meets a limit in a hurry waits until all before it are done, and then its keys are
//! asked for one by one: so the key that is named is the first in order whatever the threads do,
//! and one thread alone finds it.

use super::bell::Bell;
use super::error::RunError;
use super::halt::Halt;
use super::lane::{Lane, lock};
use super::stages::{Stage, Stages};
use crate::threads::{Numbers, join, share_out, spawn};
use retally_core::reduce::{
    Fault, Finals, Instance, KeyFault, KeyRef, Manner, Shard, calls, sorted_keys,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

type Derived = (usize, Result<Finals, RunError>);

/// Derives the finals of all keys of a lane, whose shards these are, and hands them, in byte order
/// of the keys, to `digest` and then to `write`.
///
/// # Errors
/// The first in the order of the keys.
pub(super) fn all(
    lane: &Lane,
    shards: &[&Shard],
    (threads, halt): (usize, &Halt),
    stages: &mut Stages,
    digest: impl FnMut(&Finals) -> Result<(), RunError> + Send,
    mut write: impl FnMut(Finals, &mut Stages) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let keys = sorted_keys(shards);
    let pieces = calls(shards, &keys);
    let (out, any_order) = sync_channel(threads);
    let (digested, in_order) = sync_channel(threads);
    let parts = AtomicU32::new(u32::try_from(threads).unwrap_or(u32::MAX));
    let asking = Asking { lane, shards, pieces, halt, parts, turns: Turns::default() };
    let (all, count) = (&asking, asking.pieces.len());
    let work = move |numbers: &Numbers| all.derive(numbers, &out);
    let lead = |_: &Numbers| {
        std::thread::scope(|scope| {
            let digests = spawn(scope, || digest_in_order(any_order, digest, digested))?;
            // What was derived ahead of an error is dropped with the receiver; the threads end.
            let written = in_order.iter().try_for_each(|finals| write(finals?, stages));
            drop(in_order);
            Ok::<_, RunError>((written, join(digests)?))
        })
    };
    let (derived, led) = share_out(threads, count, work, lead)?;
    let (written, own) = led?;
    derived.iter().chain([&own]).for_each(|own| stages.add(own));
    match lock(&asking.turns.machine).take() {
        Some(error) => Err(error),
        None if halt.is_halted() => written.and(Err(RunError::Cancelled)),
        None => written,
    }
}

/// What the threads that derive share.
struct Asking<'a> {
    lane: &'a Lane,
    shards: &'a [&'a Shard],
    pieces: Vec<&'a [KeyRef]>,
    halt: &'a Halt,
    /// How much they hurry: see [`Manner::Hurried`].
    parts: AtomicU32,
    turns: Turns,
}

impl Asking<'_> {
    fn derive(&self, numbers: &Numbers, out: &SyncSender<Derived>) -> Stages {
        let (mut stages, mut instance) = (Stages::default(), None);
        while let Some(piece) = numbers.take().filter(|_| !self.halt.is_halted()) {
            let _done = Done { piece, turns: &self.turns };
            let finals = stages.time(Stage::Sandbox, || self.one(piece, &mut instance));
            let Some(finals) = finals else { break };
            if finals.is_err() {
                // What lies behind it is not wanted any more.
                numbers.close();
                self.turns.fail(piece);
            }
            if out.send((piece, finals)).is_err() {
                break;
            }
        }
        stages
    }

    /// None: nobody wants it any more.
    fn one(
        &self,
        piece: usize,
        instance: &mut Option<Box<dyn Instance>>,
    ) -> Option<Result<Finals, RunError>> {
        let mut ask =
            |manner| self.lane.recipe.finals(self.shards, self.pieces[piece], manner, instance);
        let parts = self.parts.load(Ordering::Relaxed);
        let derived = match ask(Manner::Hurried(parts)) {
            Err(fault) if fault.is_slow() => {
                if !self.turns.wait(piece, self.halt) {
                    return None;
                }
                let derived = ask(Manner::Singly);
                // So slow are views that return.
                self.parts.fetch_min((parts / 2).max(1), Ordering::Relaxed);
                derived
            }
            derived => derived,
        };
        match derived {
            Err(KeyFault { fault: Fault::Halted, .. }) => None,
            // It ends the calls of the others at once: of what the machine does none is the first.
            Err(fault @ KeyFault { fault: Fault::Machine { .. }, .. }) => {
                lock(&self.turns.machine).get_or_insert(fault.into());
                self.halt.halt();
                None
            }
            derived => Some(derived.map_err(RunError::from)),
        }
    }
}

/// In what order pieces are asked for one by one.
#[derive(Default)]
struct Turns {
    order: Mutex<Order>,
    bell: Bell,
    /// What the machine did not give.
    machine: Mutex<Option<RunError>>,
}

#[derive(Default)]
struct Order {
    /// All pieces below this are done.
    next: usize,
    /// And these.
    done: BTreeSet<usize>,
    /// The first that failed.
    failed: Option<usize>,
}

impl Turns {
    /// Waits until all pieces before this one are done; false: nobody wants it any more. Each of
    /// them is in the hands of a thread, and the first of those waits for nobody.
    fn wait(&self, piece: usize, halt: &Halt) -> bool {
        loop {
            let heard = self.bell.rings();
            let order = lock(&self.order);
            if halt.is_halted() || order.failed.is_some_and(|failed| failed < piece) {
                return false;
            }
            if order.next == piece {
                return true;
            }
            drop(order);
            self.bell.wait(heard);
        }
    }

    fn fail(&self, piece: usize) {
        let mut order = lock(&self.order);
        order.failed = Some(order.failed.map_or(piece, |failed| failed.min(piece)));
    }
}

/// A piece in the hands of a thread, which is done when this is dropped, come what may.
struct Done<'a> {
    piece: usize,
    turns: &'a Turns,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let mut order = lock(&self.turns.order);
        let Order { next, done, .. } = &mut *order;
        done.insert(self.piece);
        while done.remove(next) {
            *next += 1;
        }
        drop(order);
        self.turns.bell.ring();
    }
}

fn digest_in_order(
    any_order: Receiver<Derived>,
    mut digest: impl FnMut(&Finals) -> Result<(), RunError>,
    out: SyncSender<Result<Finals, RunError>>,
) -> Stages {
    let mut stages = Stages::default();
    let (mut early, mut expected) = (BTreeMap::new(), 0);
    for (piece, finals) in any_order {
        early.insert(piece, finals);
        while let Some(finals) = early.remove(&expected) {
            expected += 1;
            let finals = finals.and_then(|finals| {
                stages.time(Stage::Digest, || digest(&finals))?;
                Ok(finals)
            });
            if out.send(finals).is_err() {
                return stages;
            }
        }
    }
    stages
}
