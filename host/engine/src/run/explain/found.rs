//! Where a finished run says that a key's events lie: then only those partitions are read, and
//! those no further than the last of them.
//!
//! A run is asked only if what it says must hold here too: the same log, the same job as far as it
//! decides whose an event is, and a reducer that reads events as those here do.

use crate::job::{READS, Resolved};
use crate::run::prepare::Prepared;
use crate::rundir::RunReader;
use crate::store::{Entry, Folder};
use retally_core::log::{Position, Reach};
use retally_core::manifest::{Manifest, Object};

/// What a run knows of the key.
pub(super) struct Found {
    pub(super) place: Reach<Position>,
    /// The run's name.
    pub(super) name: String,
}

/// Asks the run that was named, or else the job's newest, where the key's events lie. Beside it
/// what is to be told: why a run that was named is of no help, and that a run's results need not be
/// those that are explained.
pub(super) fn find(
    prepared: &Prepared<'_>,
    key: &str,
    named: Option<&Folder>,
) -> (Option<Found>, Vec<String>) {
    let asked = named.cloned().or_else(|| newest_run(prepared.job));
    let Some(dir) = asked else { return (None, Vec::new()) };
    let place = dir.place();
    let name = match named {
        Some(_) => place.display().to_string(),
        None => place.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let mut notes = Vec::new();
    let mut ask = || -> Result<Option<Reach<Position>>, String> {
        let run = RunReader::open(&dir).map_err(|error| error.to_string())?;
        is_of(prepared, run.manifest())?;
        notes.extend(apart(&name, run.manifest()));
        is_whole(prepared, run.manifest())?;
        run.place(key).map_err(|error| error.to_string())
    };
    let place = ask().unwrap_or_else(|why| {
        notes.extend(named.is_some().then(|| format!("run {name} tells nothing here: {why}")));
        None
    });
    (place.map(|place| Found { place, name }), notes)
}

/// That a run went on from a snapshot to what a run from the start would not come to.
fn apart(name: &str, manifest: &Manifest) -> Option<String> {
    let from = manifest.from_snapshot.as_ref()?;
    let why = match (manifest.marks.changed_log, manifest.marks.migrated) {
        (true, _) => {
            format!("though the log is not what was taken of it: {}", from.accepted_text())
        }
        (_, true) => format!("of another version: {}", from.migrated_text()),
        (false, false) => return None,
    };
    Some(format!(
        "run {name} went on from snapshot {} {why}; its results need not be those told here, which \
         begin at the start of the log as it stands: a replay without a snapshot gives those",
        from.name
    ))
}

/// Why a run is none of what is explained.
fn is_of(prepared: &Prepared<'_>, manifest: &Manifest) -> Result<(), String> {
    let (job, lanes) = (prepared.job, &prepared.lanes);
    if lanes.iter().all(|lane| lane.recipe.reducer.digest() != manifest.reducer.sha256) {
        return Err("it is of another reducer".into());
    }
    let inputs = |lane: usize| &lanes[lane].recipe.description().inputs;
    if (1..lanes.len()).any(|lane| inputs(lane) != inputs(0)) {
        return Err("the two reducers read other events".into());
    }
    let (written, own) = (&manifest.job.written, job.written());
    let mut decides = READS.iter().chain(&["source.format"]);
    if decides.any(|name| written.get(*name) != own.get(*name))
        || manifest.job.settings.order != job.order
        || manifest.job.settings.sort != job.sort
    {
        return Err("its job reads the log in another way".into());
    }
    Ok(())
}

/// Why a run does not know where all events of a key lie in this log.
fn is_whole(prepared: &Prepared<'_>, manifest: &Manifest) -> Result<(), String> {
    let marks = &manifest.marks;
    if marks.partial || marks.subset {
        return Err("it took a part of the log only".into());
    }
    if let Some(from) = &manifest.from_snapshot {
        return Err(format!(
            "it went on from snapshot {} and knows where the events behind it lie alone, so the \
             whole log is read",
            from.name
        ));
    }
    let objects = prepared.source.objects();
    let same = |(now, then): (&Object, &Object)| {
        now.path == then.path && now.size_bytes == then.size_bytes && now.etag == then.etag
    };
    let then = &manifest.input.objects;
    let mut sorted: Vec<_> = objects.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let is_same = sorted.len() == then.len() && sorted.into_iter().zip(then).all(same);
    if is_same { Ok(()) } else { Err("its log was another one".into()) }
}

/// The newest finished run in the job's output folder: of the names that the job gives, the last.
pub fn newest_run(job: &Resolved) -> Option<Folder> {
    let front = format!("{}-", job.name);
    let output = job.runs().ok()?;
    let own = |entry: Entry| {
        let stamp = entry.name.strip_prefix(&front)?;
        // A time, and a number where two runs began in one second.
        let (time, number) = stamp.split_once('-').unwrap_or((stamp, "1"));
        let number: u32 = number.parse().ok()?;
        let is_time = time.starts_with(|c: char| c.is_ascii_digit()) && time.ends_with('Z');
        is_time.then(|| ((time.to_owned(), number), output.below(&entry.name)))
    };
    let mut runs: Vec<_> = output.list("").ok()?.into_iter().filter_map(own).collect();
    runs.sort_by(|(a, _), (b, _)| b.cmp(a));
    let is_run = |run: &Folder| matches!(run.head("manifest.json"), Ok(Some(_)));
    runs.into_iter().map(|(_, run)| run).find(is_run)
}
