//! What a comparison says of the runs that it compared.

use super::error::CompareError;
use crate::rundir::RunReader;
use retally_core::compare::model::{ReducerSide, RunSide, Side};
use retally_core::manifest::Manifest;
use std::path::Path;

/// Opens a run whose manifest holds together.
pub(super) fn open(dir: &Path) -> Result<RunReader, CompareError> {
    let run = RunReader::open(dir)?;
    run.manifest().check().map_err(|error| CompareError::Changed {
        path: dir.join("manifest.json"),
        what: format!("it {error}"),
    })?;
    Ok(run)
}

/// What a manifest says of its run.
pub fn side(manifest: &Manifest, dir: Option<&Path>) -> Side {
    let reducer = &manifest.reducer;
    let name = dir.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    Side {
        label: format!("{}@{}", reducer.name, reducer.version),
        reducer: Some(ReducerSide {
            name: reducer.name.clone(),
            version: reducer.version.clone(),
            sha256: reducer.sha256,
            state_version: reducer.state_version,
            layout: reducer.layout.clone(),
        }),
        run: Some(RunSide {
            name,
            seal: manifest.seal,
            run_digest: manifest.run_digest,
            digests: manifest.digests,
            job_digest: manifest.job.digest,
            input_digest: manifest.input_digest,
            counts: manifest.counts,
            marks: manifest.marks.clone(),
        }),
        known: Vec::new(),
    }
}

/// Two labels that can be told apart: two runs of one version are called by their directories too.
pub(super) fn tell_apart(a: &mut Side, b: &mut Side) {
    if a.label != b.label {
        return;
    }
    for side in [a, b] {
        if let Some(name) = side.run.as_ref().and_then(|run| run.name.as_ref()) {
            side.label = format!("{} ({name})", side.label);
        }
    }
}
