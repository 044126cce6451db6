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
use crate::threads::{Numbers, join, share_out, spawn};
use retally_core::limits::{CALL_KEYS_MAX, CALL_STATES_BYTES};
use retally_core::reduce::{Fault, Finals, Instance, KeyFault, KeyRef, Shard, sorted_keys};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

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
    let (one, count) = (&one, pieces.len());
    let work = move |numbers: &Numbers| {
        derive(|| numbers.take().filter(|_| !halt.is_halted()), one, &derived)
    };
    let lead = |_: &Numbers| {
        std::thread::scope(|scope| {
            let digests = spawn(scope, || digest_in_order(any_order, digest, digested))?;
            // What was derived ahead of an error is dropped with the receiver; the threads end.
            let written = in_order.iter().try_for_each(|finals| write(finals?, stages));
            drop(in_order);
            Ok::<_, RunError>((written, join(digests)?))
        })
    };
    let (done, led) = share_out(threads, count, work, lead)?;
    let (written, own) = led?;
    done.iter().chain([&own]).for_each(|own| stages.add(own));
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
    out: &SyncSender<Derived>,
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
