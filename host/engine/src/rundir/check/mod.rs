//! Every digest and control total of a run, recomputed from its files alone.

mod keys;
mod statements;
mod statistics;
mod story;
#[cfg(test)]
mod tests;
mod times;
mod totals;

pub use statements::Vouched;
pub(crate) use story::log_finding;

use super::RunDirError;
use super::reader::RunReader;
use super::recompute;
use crate::store::Folder;
use retally_core::digest::{
    Digests, Hash, History, KeyedDigest, OutcomeShape, PartitionCount, run_digest,
};
use retally_core::manifest::{Counts, Manifest, Totals, shapes_digest};
use retally_core::times::Times;
use story::{Story, story};

/// A digest as the manifest records it and as the files give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Which digest.
    pub what: &'static str,
    /// What the manifest says.
    pub recorded: Hash,
    /// What the files give, or why they give none.
    pub recomputed: Result<Hash, String>,
}

impl Checked {
    /// Whether both are the same.
    pub fn equal(&self) -> bool {
        self.recomputed.as_ref() == Ok(&self.recorded)
    }
}

/// What a check of a run directory found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// Every digest.
    pub digests: Vec<Checked>,
    /// Whatever else does not fit together, as sentences.
    pub findings: Vec<String>,
    /// Whether the run went on from a snapshot.
    pub history: bool,
    /// The recorded seal: where the check holds, it follows from the files.
    pub seal: Hash,
    /// The bytes of the manifest that was checked.
    pub manifest: Vec<u8>,
    /// The signature beside it, if there is one.
    pub signature: Option<Vec<u8>>,
}

impl CheckReport {
    /// Whether every digest is equal and nothing else was found.
    pub fn holds(&self) -> bool {
        self.findings.is_empty() && self.digests.iter().all(Checked::equal)
    }
}

/// Recomputes every digest of the run in a folder from its files, and holds everything else in them
/// against each other.
///
/// # Errors
/// When it is no finished run. A file that is broken is not an error but makes its digests
/// differ.
pub fn check(folder: impl Into<Folder>) -> Result<CheckReport, RunDirError> {
    let run = RunReader::as_it_stands(folder.into())?;
    let mut findings = of_manifest(&run);
    findings.extend(run.changed_files()?);
    findings.extend(stray_findings(&run)?);
    findings.extend(statistics::findings(&run));
    findings.extend(told(times::finding(&run)).unwrap_or_else(Some));
    findings.extend(told(history_finding(&run)).unwrap_or_else(Some));
    let story = told(story(&run));
    let viewed = told(recompute::views(&run));
    if let (Ok(story), Ok((_, view))) = (&story, &viewed) {
        let found = Totals { view: view.clone(), emits: story.regrown.totals.emits.clone() };
        findings.extend(totals::findings(&run.manifest().totals, &found));
    }
    let trees = [
        ("views", viewed.map(|(tree, _)| tree)),
        ("states", told(recompute::states(&run))),
        ("violations", told(recompute::violations(&run))),
    ];
    findings.extend(leaf_findings(&run, &trees));
    let [views, states, violations] = trees.map(|(_, tree)| tree);
    match &story {
        Ok(story) => {
            findings.extend(story.findings.iter().cloned());
            findings.extend(partition_finding(&run, story));
            if let (Ok(states), Ok(violations)) = (&states, &violations) {
                findings.extend(count_finding(&run.manifest().counts, story, states, violations));
            }
            findings.extend(told(keys::findings(&run, story)).unwrap_or_else(|why| vec![why]));
        }
        Err(why) => findings.push(why.clone()),
    }
    let [views, states, violations] = [views, states, violations].map(|t| t.map(|t| t.digest));
    let recomputed = Recomputed { story, views, states, violations };
    let digests = recomputed.digests(run.manifest());
    let (history, signature, seal) = (run.shape.history, run.signature()?, run.manifest().seal);
    let manifest = run.bytes.into();
    Ok(CheckReport { digests, findings, history, seal, manifest, signature })
}

fn told<T>(result: Result<T, RunDirError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// The open leaves of the history hold as many records as its counts leave: what a snapshot has
/// too, and nobody can look at any other leaf.
fn history_finding(run: &RunReader) -> Result<Option<String>, RunDirError> {
    // States that were taken over came with records of what another version declared.
    let migrated = run.manifest().from_snapshot.as_ref().is_some_and(|f| !f.migrated.is_empty());
    let shape = OutcomeShape { emits: run.emits().to_vec(), rejects: Vec::new() };
    let histories = if migrated { Vec::new() } else { recompute::history(run)? };
    let odd = histories.into_iter().find(|history| !history.is_counted(&shape));
    Ok(odd.map(|History { partition, events, .. }| {
        format!(
            "history.parquet: the open leaf of partition {partition:?} does not hold the records \
             that {events} events leave"
        )
    }))
}

/// What the files give, or why they give nothing.
struct Recomputed<'a> {
    story: Result<Story<'a>, String>,
    views: Result<Hash, String>,
    states: Result<Hash, String>,
    violations: Result<Hash, String>,
}

impl Recomputed<'_> {
    fn run(&self) -> Result<Hash, String> {
        let story = self.story.as_ref().map_err(Clone::clone)?;
        let digests = Digests {
            outcomes: story.regrown.trees.digest(),
            views: self.views.clone()?,
            states: self.states.clone()?,
            violations: self.violations.clone()?,
        };
        Ok(run_digest(&digests, &story.counted()))
    }

    fn digests(self, manifest: &Manifest) -> Vec<Checked> {
        let whole = self.run();
        let of_story =
            |of: fn(&Story<'_>) -> Hash| self.story.as_ref().map(of).map_err(Clone::clone);
        let outcomes = of_story(|story| story.regrown.trees.digest());
        let positions = of_story(|story| story.positions());
        let job = manifest.job.settings.digest();
        let job = job.ok_or_else(|| "a param is no value of its kind".to_owned());
        let input = manifest.input.digest();
        let sealed = match (&whole, &job) {
            (Ok(run), Ok(job)) => Ok(manifest.seal_of(run, job, &input)),
            (Err(why), _) | (_, Err(why)) => Err(why.clone()),
        };
        let checked = |what, recorded, recomputed| Checked { what, recorded, recomputed };
        vec![
            checked("outcomes", manifest.digests.outcomes, outcomes),
            checked("views", manifest.digests.views, self.views),
            checked("states", manifest.digests.states, self.states),
            checked("violations", manifest.digests.violations, self.violations),
            checked("run digest", manifest.run_digest, whole),
            checked("positions", manifest.positions, positions),
            checked("job digest", manifest.job.digest, job),
            checked("input description", manifest.input_digest, Ok(input)),
            checked("seal", manifest.seal, sealed),
        ]
    }
}

/// What is wrong with the manifest, and with what it says of the other files.
fn of_manifest(run: &RunReader) -> Vec<String> {
    let manifest = run.manifest();
    let mut found = Vec::new();
    let named = |error| format!("manifest.json {error}");
    found.extend(Manifest::from_bytes(&run.bytes).err().map(named));
    // What is a digest is told with the digests.
    found.extend(manifest.fits().err().map(named));
    if run.shape.history != manifest.since_start.is_some() {
        found.push(
            "manifest.json says in `control` and in `since_start` otherwise whether the run has a \
             history before it"
                .into(),
        );
    }
    if shapes_digest(run.emits(), run.view()) != manifest.shapes {
        found.push(
            "the emits, the view or its row key in `control` of manifest.json are not those \
                    of its `shapes`"
                .into(),
        );
    }
    let needed = run.tables().into_iter().flat_map(|table| run.files(table));
    let missing = needed.filter(|name| run.listed(name).is_none());
    found.extend(missing.map(|name| format!("manifest.json lists no file {name}")));
    found
}

/// Whatever lies there beside the run's files might be taken for one of them.
fn stray_findings(run: &RunReader) -> Result<Vec<String>, RunDirError> {
    let strays = run.strays()?.into_iter();
    Ok(strays.map(|name| format!("{name} lies there and is no file of the run")).collect())
}

/// The leaves are those of the three trees, and no others.
fn leaf_findings(run: &RunReader, trees: &[(&str, Result<KeyedDigest, String>)]) -> Vec<String> {
    let known = trees.iter().filter_map(|(name, tree)| Some((*name, tree.as_ref().ok()?)));
    let known: Vec<_> = known.collect();
    let mut found: Vec<_> =
        known.iter().filter_map(|(name, tree)| leaf_finding(run, name, tree)).collect();
    if found.is_empty() && known.len() == trees.len() {
        let leaves = known.iter().map(|(_, tree)| tree.leaves.len() as u64).sum();
        found.extend(recompute::other_leaves(run, leaves));
    }
    found
}

fn leaf_finding(run: &RunReader, name: &str, tree: &KeyedDigest) -> Option<String> {
    match recompute::leaves(run, name) {
        Ok(leaves) if leaves == tree.leaves => None,
        Ok(_) => {
            Some(format!("the leaves of the {name} in leaves.parquet are not those of the rows"))
        }
        Err(error) => Some(error.to_string()),
    }
}

fn count_finding(
    recorded: &Counts,
    story: &Story<'_>,
    states: &KeyedDigest,
    violations: &KeyedDigest,
) -> Option<String> {
    // What left no record is what is left of the input description.
    let filtered = story.filtered;
    let counts = story.regrown.counts;
    let events = counts.events.saturating_add(filtered);
    let (keys, violations) = (states.keys, violations.rows);
    let timed = |times: Times| Times { events: story.timed.unwrap_or(times.events), ..times };
    let times = recorded.times.map(timed);
    let found = Counts { events, filtered, keys, violations, times, ..counts };
    (found != *recorded).then(|| format!("the counts are {recorded:?}, the files give {found:?}"))
}

/// `partitions` of the manifest is repeated from the outcomes.
fn partition_finding(run: &RunReader, story: &Story<'_>) -> Option<String> {
    let (stand, found) = (&run.manifest().partitions, story.counted());
    let show = |counts: &[PartitionCount]| {
        let each = counts.iter().map(|own| format!("{:?} {}", own.partition, own.events));
        each.collect::<Vec<_>>().join(", ")
    };
    let what = || {
        let (stand, found) = (show(stand), show(&found));
        format!("the manifest's `partitions` are {stand}, the files give {found}")
    };
    (*stand != found).then(what)
}
