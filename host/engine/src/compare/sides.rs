//! What a comparison says of the runs that it compared.

use super::error::CompareError;
use super::runs::CompareOptions;
use crate::bounded;
use crate::rundir::{RunDirError, RunReader};
use crate::store::Folder;
use crate::table::TableError;
use retally_compare::Head;
use retally_compare::model::{How, Note, Read, ReducerSide, RunSide, Side};
use retally_core::digest::Hash;
use retally_core::manifest::{FromSnapshot, Manifest};
use retally_sandbox::COMPONENT_MAX_BYTES;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// An error about a run's files.
pub(super) fn changed(path: PathBuf, what: String) -> CompareError {
    RunDirError::from(TableError::Changed { path, what }).into()
}

/// Opens a run of which every file is what its manifest says: equal digests stand for rows that
/// nobody reads.
pub(super) fn open(folder: &Folder) -> Result<RunReader, CompareError> {
    let run = RunReader::open(folder)?;
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
            range: manifest.range_text(),
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
pub(super) fn explain(manifests: [&Manifest; 2], options: &CompareOptions) -> Vec<String> {
    let job = if options.job.is_empty() { "JOB.toml" } else { &options.job };
    let mut words = ["retally", "explain", "--job", job].map(str::to_owned).to_vec();
    let [a, b] = manifests.map(|manifest| reducer_file(manifest, options));
    if a != b || manifests[0].reducer.sha256 != manifests[1].reducer.sha256 {
        words.extend(["--a".to_owned(), a, "--b".to_owned(), b]);
        for (field, number) in &options.options.tolerances {
            words.extend(["--tolerance".to_owned(), format!("{field}={number}")]);
        }
    }
    words
}

/// The file of a run's reducer as a command names it: where the run's job has it, from the folder
/// of the job file or from the one in which commands are run. No report tells where things lie on a
/// machine: of what lies elsewhere the name stands here only if this folder has that very file, and
/// else what to look for.
fn reducer_file(manifest: &Manifest, options: &CompareOptions) -> String {
    let of = &manifest.reducer;
    let shown = |path: &Path| path.display().to_string();
    let sha256 = of.sha256.to_string();
    let unknown = format!("<file of {}@{}, SHA-256 {sha256}>", of.name, of.version);
    let written = manifest.job.written.get("job.reducer").and_then(|path| path.as_str());
    let Some(path) = written.map(Path::new) else { return unknown };
    if path.is_relative() {
        return shown(&Path::new(&options.job).with_file_name("").join(path));
    }
    if options.folder.as_os_str().is_empty() {
        return unknown;
    }
    if let Ok(below) = path.strip_prefix(&options.folder) {
        return shown(below);
    }
    let name = path.file_name().map(Path::new).unwrap_or(path);
    let bytes = bounded::read(&options.folder.join(name), COMPONENT_MAX_BYTES as u64);
    let is_it = bytes.is_ok_and(|bytes| Hash(Sha256::digest(bytes).into()) == of.sha256);
    if is_it { shown(name) } else { unknown }
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
