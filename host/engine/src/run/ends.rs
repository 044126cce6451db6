//! Where partitions end, told by a snapshot that has taken all of them: nobody has to read them to
//! know it then.

use super::options::ReplayOptions;
use crate::job::Resolved;
use crate::log::Log;
use crate::snapshot::Store;
use retally_core::receipt::{Known, Present, Receipt, Took, fit};
use std::collections::BTreeMap;

/// Of each partition where it ends, if the newest snapshot at hand took all of it and it is as it
/// was. Whatever keeps that from being known is no fault here: then they are read.
pub(super) fn known_ends(
    job: &Resolved,
    (log, names): (&dyn Log, &[String]),
    options: &ReplayOptions,
) -> Vec<Option<u64>> {
    let urls = [&options.from_snapshot, &options.snapshot].into_iter().find_map(Option::as_ref);
    let url = urls.or(job.snapshots.as_ref().map(|snapshots| &snapshots.url));
    let known = url.and_then(|url| found(job, (log, names), url, options));
    known.unwrap_or_else(|| vec![None; names.len()])
}

fn found(
    job: &Resolved,
    (log, names): (&dyn Log, &[String]),
    url: &str,
    options: &ReplayOptions,
) -> Option<Vec<Option<u64>>> {
    let taken = Store::open(url, job.urls()).ok()?.latest().ok()??;
    // Offsets are counted as the job reads the log, and as no change under them has moved them.
    let (order, sort) = (taken.binding.settings.order, &taken.binding.settings.sort);
    let is_alike = taken.binding.reads == job.reads() && (order, sort) == (job.order, &job.sort);
    if !is_alike || !taken.accepted.is_empty() {
        return None;
    }
    let every_byte = options.recheck || options.attest;
    let present = log.present(&taken.receipts, every_byte, options.threads()).ok()??;
    let fit = fit(job.order, &taken.partitions, &taken.receipts, &present);
    let kept = fit.kept.iter().map(|&place| &taken.receipts[place]);
    let kept: BTreeMap<Known<'_>, &Receipt> = kept.map(|own| (own.known(), own)).collect();
    let is_as_it_was = |own: &Present| {
        let of = kept.get(&own.known());
        of.is_some_and(|of| of.took == Took::Whole && of.is_all_of(own))
    };
    let mut whole: BTreeMap<&str, bool> = BTreeMap::new();
    for own in &present {
        *whole.entry(&own.partition).or_insert(true) &= is_as_it_was(own);
    }
    let end = |name: &String| {
        let own = taken.partitions.binary_search_by(|reached| reached.partition.cmp(name)).ok()?;
        let is_whole = whole.get(name.as_str()).copied().unwrap_or_default();
        is_whole.then_some(taken.partitions[own].offset)
    };
    Some(names.iter().map(end).collect())
}
