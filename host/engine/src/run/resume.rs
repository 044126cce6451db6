//! Where a run begins: with nothing, or with what a snapshot holds.

use super::error::RunError;
use crate::snapshot::{SnapshotRef, Store};
use retally_core::fold::{Fold, Recipe};
use retally_core::log::{PartitionIndex, Position};
use retally_core::manifest::{Counts, FromSnapshot};
use retally_core::snapshot::Binding;
use std::path::Path;

/// Where a run begins.
pub(crate) struct Resumed {
    pub fold: Fold,
    /// Counts before this run.
    pub counts: Counts,
    /// For each partition of the run the first offset to take.
    pub from: Vec<u64>,
    pub snapshot: Option<(FromSnapshot, SnapshotRef)>,
    /// Partitions of the history that this log does not have; their numbers follow those it has.
    pub beyond: Vec<Position>,
}

impl Resumed {
    /// A history that begins with this run.
    pub(crate) fn beginning(recipe: Recipe, names: &[String]) -> Self {
        Self {
            fold: Fold::new(recipe, names),
            counts: Counts::default(),
            from: vec![0; names.len()],
            snapshot: None,
            beyond: Vec::new(),
        }
    }
}

/// Goes on from the snapshot at `url`: a folder of snapshots (its newest that fits) or one of them.
pub(crate) fn load(
    url: &str,
    base: &Path,
    binding: &Binding,
    names: &[String],
    recipe: Recipe,
) -> Result<Resumed, RunError> {
    let store = Store::open(url, base)?;
    let summary = store.latest(binding)?;
    let mut loaded = summary.reference.load(binding)?;
    let head = loaded.head.clone();
    let mut beyond = Vec::new();
    let home = |reached: &Position| match names.iter().position(|name| *name == reached.partition) {
        Some(number) => number as PartitionIndex,
        None => {
            beyond.push(reached.clone());
            (names.len() + beyond.len() - 1) as PartitionIndex
        }
    };
    let homes: Vec<PartitionIndex> = head.partitions.iter().map(home).collect();
    let recipe = Recipe { seed: head.seed, ..recipe };
    let mut fold = Fold::resume(recipe, names, head.outcomes)?;
    while let Some(mut group) = loaded.next_group()? {
        let mut slots = Vec::new();
        for keys in &group.keys {
            slots.extend(fold.import_keys(keys, &homes));
        }
        while let Some(ids) = group.ids.next(&group.keys)? {
            fold.import_ids(&ids, &slots);
        }
    }
    let next = |name: &String| {
        head.partitions.iter().find(|r| r.partition == *name).map_or(0, |reached| reached.offset)
    };
    let from = FromSnapshot {
        name: summary.reference.name.clone(),
        sha256: summary.reference.sha256,
        next: head.partitions.clone(),
    };
    Ok(Resumed {
        fold,
        counts: head.counts,
        from: names.iter().map(next).collect(),
        snapshot: Some((from, summary.reference)),
        beyond,
    })
}

/// Sorts partitions by the bytes of their names, and tells where each went.
pub(super) fn sort(partitions: &mut Vec<Position>) -> Vec<PartitionIndex> {
    let mut order: Vec<usize> = (0..partitions.len()).collect();
    order.sort_by(|&a, &b| partitions[a].partition.cmp(&partitions[b].partition));
    let mut places = vec![0; order.len()];
    for (place, &number) in order.iter().enumerate() {
        places[number] = place as PartitionIndex;
    }
    *partitions = order.into_iter().map(|number| partitions[number].clone()).collect();
    places
}
