//! A run that is held against a log which has grown since: what the run took of it is replayed once
//! more, without the rest.

use super::verified;
use crate::error::Failure;
use crate::progress::Shown;
use retally_core::manifest::Manifest;
use retally_engine::job::Resolved;
use retally_engine::range::Bound;
use retally_engine::run::ReplayOptions;
use retally_engine::verify::{Changed, Chosen, Golden, Held, VerifyOptions};
use std::sync::Arc;

/// How the run stands to what it took, if the log has that and more; `held`: how it stands to all
/// of it.
pub(super) fn held(
    (golden, old): (&Golden, &Manifest),
    (now, held): (&Manifest, &Held),
    (job, options): (&Resolved, &VerifyOptions),
    shown: &Arc<Shown>,
) -> Result<Option<Held>, Failure> {
    let range = &old.job.settings.range;
    // What ended before the log did ends there again.
    let is_bounded = range.limit.is_some() || !range.to.is_empty();
    let Some((ends, more)) = golden.grown(now).filter(|_| !is_bounded) else { return Ok(None) };
    let options = VerifyOptions {
        replay: ReplayOptions { to: Some(Bound::Repeated(ends, None)), ..options.replay.clone() },
        chosen: Chosen::none(),
        shrink_to: None,
        ..options.clone()
    };
    let Some(reference) = verified(job, &options, 1, shown)?.reference else { return Ok(None) };
    let mut digests = golden.held_against(&reference).digests;
    digests.retain(|pair| pair.of != "run");
    let mut changed = held.changed.clone();
    changed.retain(|changed| changed.what != "log");
    let how = format!(
        "has grown by {more} events since, which were left out; the run digest says where a replay \
         ends, so it is not compared"
    );
    changed.push(Changed { what: "log", how });
    Ok(Some(Held { digests, changed }))
}
