//! After the pass: every key's view rows and violations, and what was read of the log.

use super::error::RunError;
use super::finals;
use super::lane::Lane;
use super::prepare::Prepared;
use super::replay::ReplayOptions;
use super::results::Results;
use super::sequence::Extent;
use super::stages::{Stage, Stages};
use retally_core::digest::Tables;
use retally_core::manifest::{Input, PartitionTaken};
use retally_core::reduce::{Finals, Shard};

/// Goes through all keys of a lane that is alone. Gives the trees over them.
pub(crate) fn keys(
    lane: &Lane,
    results: &mut Results<'_>,
    options: &ReplayOptions,
    stages: &mut Stages,
) -> Result<Tables, RunError> {
    let mut tables = Tables::new(lane.recipe.description());
    let guards = lane.lock_shards();
    let shards: Vec<&Shard> = guards.iter().map(|shard| &**shard).collect();
    results.stateless(&shards)?;
    let digest = |finals: &Finals| Ok(tables.add(finals)?);
    let how = (options.threads(), &options.cancel);
    finals::all(lane, &shards, how, stages, digest, |finals, stages| {
        stages.time(Stage::Write, || results.keys(finals))
    })?;
    Ok(tables)
}

/// What was read: of each partition how much, of each object what tells it from any other.
pub(crate) fn input(
    prepared: &Prepared,
    extents: &[Extent],
    threads: usize,
) -> Result<Input, RunError> {
    let taken = |(name, extent): (&String, &Extent)| PartitionTaken {
        partition: name.clone(),
        events: extent.events,
        first: extent.first,
        last: extent.first.map(|_| extent.next - 1),
    };
    let objects = prepared.source.taken(threads)?;
    let partitions = prepared.names.iter().zip(extents).map(taken).collect();
    Ok(Input { partitions, objects }.sorted())
}
