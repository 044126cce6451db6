//! A replay that stops in the middle, as when its machine fails, and goes on from the snapshot that
//! it had saved: every state is written, read, and decoded anew.

use super::way::Way;
use crate::job::{Every, Resolved, Snapshots as Saves};
use crate::run::{self, Observer, ReplayOptions, Report, RunError};
use crate::sink::{Beginning, Commit, Sink, SinkError, Snapshots, Takes};
use crate::store::Folder;
use retally_core::reduce::Reducer;
use std::path::Path;
use std::sync::Arc;

/// Replays up to `events` events as `until` says, and from there on into `sink`.
pub(super) fn restored(
    way: &Way,
    (reducer, events): (Arc<dyn Reducer>, u64),
    until: &ReplayOptions,
    sink: &mut dyn Sink,
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    let scratch = way.options.spill.clone().unwrap_or_default();
    let failed = |error: std::io::Error| {
        RunError::Sink(SinkError::Own(
            format!("no folder can be made in {}: {error}", scratch.display()).into(),
        ))
    };
    let folder = tempfile::TempDir::with_prefix_in("retally-verify-", &scratch).map_err(failed)?;
    let url = url_of(folder.path())?;
    let snapshots = Some(Saves { url: url.clone(), every: Every::Events(events) });
    let job = Resolved { snapshots, ..way.job.clone() };
    let mut first = First { to: Snapshots::within(Folder::files(folder.path())), is_saved: false };
    let stopped = run::replay_into(&job, reducer.clone(), &mut first, until, observer);
    match stopped {
        Err(_) if first.is_saved => {}
        Err(error) => return Err(error),
        Ok(_) => return Err(RunError::Internal("a replay saved no snapshot".into())),
    }
    let options = ReplayOptions { from_snapshot: Some(url), ..way.options.clone() };
    run::replay_into(&way.job, reducer, sink, &options, observer)
}

fn url_of(folder: &Path) -> Result<String, RunError> {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    absolute.to_str().map(str::to_owned).ok_or_else(|| {
        let text = format!("{} is no text, so that no URL names it", absolute.display());
        RunError::Sink(SinkError::Own(text.into()))
    })
}

/// Saves the first snapshot, and takes nothing more.
struct First {
    to: Snapshots,
    is_saved: bool,
}

impl Sink for First {
    fn takes(&self) -> Takes {
        self.to.takes()
    }

    fn check(&self) -> Result<(), SinkError> {
        self.to.check()
    }

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
        self.to.begin(beginning)
    }

    fn commit(&mut self, commit: &Commit) -> Result<Vec<String>, SinkError> {
        self.to.commit(commit)?;
        self.is_saved = true;
        Err(SinkError::Own("the replay stops here, as it was asked to".into()))
    }
}
