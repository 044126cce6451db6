//! What a comparison says of the runs that it compared.

use super::error::CompareError;
use super::runs::CompareOptions;
use crate::rundir::{RunDirError, RunReader};
use crate::table::TableError;
use retally_compare::Head;
use retally_compare::model::{How, Note, Read, ReducerSide, RunSide, Side};
use retally_core::manifest::{FromSnapshot, Manifest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An error about a run's files.
pub(super) fn changed(path: PathBuf, what: String) -> CompareError {
    RunDirError::from(TableError::Changed { path, what }).into()
}

/// Opens a run of which every file is what its manifest says: equal digests stand for rows that
/// nobody reads.
pub(super) fn open(dir: &Path) -> Result<RunReader, CompareError> {
    let run = RunReader::open(dir)?;
    run.verify()?;
    Ok(run)
}

/// What a comparison says of two runs, so that they can be told apart.
pub(crate) fn sides([a, b]: [&Manifest; 2], dirs: [Option<&Path>; 2]) -> [Side; 2] {
    let (mut a, mut b) = (side(a, dirs[0]), side(b, dirs[1]));
    tell_apart(&mut a, &mut b);
    [a, b]
}

/// What stands at the head of a comparison.
pub(crate) fn head(
    how: How,
    [a, b]: [Side; 2],
    notes: Vec<Note>,
    read: Read,
    options: &CompareOptions,
) -> Head {
    let (retally, repeat) = (env!("CARGO_PKG_VERSION").into(), options.repeat.clone());
    Head { retally, how, a, b, notes, read, repeat }
}

/// What a manifest says of its run.
pub fn side(manifest: &Manifest, dir: Option<&Path>) -> Side {
    let (reducer, from) = (&manifest.reducer, manifest.from_snapshot.as_ref());
    let accepted = FromSnapshot::accepted_text;
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
            from_snapshot: from.map(|from| from.name.clone()),
            changed_log: from.filter(|_| manifest.marks.changed_log).map(accepted),
            migrated: from.filter(|_| manifest.marks.migrated).map(FromSnapshot::migrated_text),
            holes: from.filter(|_| manifest.marks.hole).map(FromSnapshot::holes_text),
            broke: from.and_then(FromSnapshot::broke_text),
        }),
        known: Vec::new(),
    }
}

/// The words of the command that explains a key under both versions, up to where the key stands.
/// Paths are those of the jobs, from the folder of the job file.
pub(super) fn explain(
    manifests: [&Manifest; 2],
    job: &str,
    tolerances: &BTreeMap<String, String>,
) -> Vec<String> {
    let path = |manifest: &Manifest| {
        let written = manifest.job.written.get("job.reducer")?.as_str()?.to_owned();
        // No report tells where things lie on a machine.
        let path = Path::new(&written);
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some(if path.is_absolute() { name } else { written })
    };
    let job = if job.is_empty() { "JOB.toml" } else { job };
    let mut words = ["retally", "explain", "--job", job].map(str::to_owned).to_vec();
    if let [Some(a), Some(b)] = manifests.map(path)
        && a != b
    {
        words.extend(["--a".to_owned(), a, "--b".to_owned(), b]);
        for (field, number) in tolerances {
            words.extend(["--tolerance".to_owned(), format!("{field}={number}")]);
        }
    }
    words
}

/// Two labels that can be told apart: two runs of one version are called by their directories too,
/// if these have names of their own.
fn tell_apart(a: &mut Side, b: &mut Side) {
    if a.label != b.label {
        return;
    }
    let name = |side: &Side| side.run.as_ref().and_then(|run| run.name.clone());
    let [of_a, of_b] = match [name(a), name(b)] {
        [Some(a), Some(b)] if a != b => [a, b],
        _ => ["A", "B"].map(str::to_owned),
    };
    a.label = format!("{} ({of_a})", a.label);
    b.label = format!("{} ({of_b})", b.label);
}
