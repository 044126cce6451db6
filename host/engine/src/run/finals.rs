//! Every key's view rows and violations, in byte order of the keys: derived by all threads,
//! digested and written by two, each piece of keys on its way through all three.
//!
//! ```text
//! pieces of keys --derive--> (any order) --put in order, digest--> (in order) --write-->
//! ```

use super::error::RunError;
use super::halt::Halt;
use super::lane::{Lane, lock};
use super::stages::{Stage, Stages};
use super::threads::spawn;
use retally_core::limits::{CALL_KEYS_MAX, CALL_STATES_BYTES};
use retally_core::reduce::{Fault, Finals, Instance, KeyFault, KeyRef, Shard, sorted_keys};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;

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
    let pieces = pieces(&keys, shards);
    let next = AtomicUsize::new(0);
    let (derived, any_order) = sync_channel(threads);
    let (digested, in_order) = sync_channel(threads);
    // What depends on the machine ends the calls of the others at once: none is the first of all.
    let over = Mutex::new(None);
    let one = |piece: usize, instance: &mut Option<Box<dyn Instance>>| {
        let derived = lane.recipe.finals(shards, pieces[piece], instance);
        match &derived {
            Err(KeyFault { fault: Fault::Limit { .. } | Fault::Machine { .. }, .. }) => {
                halt.halt();
                lock(&over).get_or_insert(derived.map_err(RunError::from).err());
                None
            }
            Err(KeyFault { fault: Fault::Halted, .. }) => None,
            _ => Some(derived.map_err(RunError::from)),
        }
    };
    let take = || {
        let piece = next.fetch_add(1, Ordering::Relaxed);
        (piece < pieces.len() && !halt.is_halted()).then_some(piece)
    };
    let written = std::thread::scope(|scope| {
        let mut workers: Vec<ScopedJoinHandle<'_, Stages>> = Vec::new();
        for _ in 0..threads {
            let derived = derived.clone();
            workers.push(spawn(scope, || derive(take, one, derived))?);
        }
        drop(derived);
        workers.push(spawn(scope, || digest_in_order(any_order, digest, digested))?);
        // What was derived ahead of an error is dropped with the receiver, and the threads end.
        let mut written = Ok(());
        for finals in &in_order {
            written = finals.and_then(|finals| write(finals, stages));
            if written.is_err() {
                break;
            }
        }
        drop(in_order);
        for worker in workers {
            stages.add(&worker.join().map_err(|_| RunError::Panicked)?);
        }
        written
    });
    match over.into_inner().unwrap_or_else(PoisonError::into_inner).flatten() {
        Some(error) => Err(error),
        None if halt.is_halted() => written.and(Err(RunError::Cancelled)),
        None => written,
    }
}

/// The keys call by call: neither more keys nor much more of states than a call takes.
fn pieces<'k>(keys: &'k [KeyRef], shards: &[&Shard]) -> Vec<&'k [KeyRef]> {
    let (mut all, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, &(shard, slot)) in keys.iter().enumerate() {
        let state = shards[shard as usize].keys.state(slot).len();
        if at - from == CALL_KEYS_MAX || (at > from && bytes + state > CALL_STATES_BYTES) {
            all.push(&keys[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += state;
    }
    all.extend((from < keys.len()).then(|| &keys[from..]));
    all
}

fn derive(
    take: impl Fn() -> Option<usize>,
    one: impl Fn(usize, &mut Option<Box<dyn Instance>>) -> Option<Result<Finals, RunError>>,
    out: SyncSender<Derived>,
) -> Stages {
    let (mut stages, mut instance) = (Stages::default(), None);
    while let Some(piece) = take() {
        let finals = stages.time(Stage::Sandbox, || one(piece, &mut instance));
        let Some(finals) = finals else { break };
        if out.send((piece, finals)).is_err() {
            break;
        }
    }
    stages
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
