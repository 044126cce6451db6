//! Every digest and control total of a run, recomputed from its files alone.

use super::RunDirError;
use super::reader::RunReader;
use super::recompute;
use super::story::{Story, story};
use retally_core::digest::{Digests, Hash, KeyedDigest, run_digest};
use retally_core::manifest::{Counts, FieldTotal, TableTotals, Totals, seal};
use std::collections::BTreeSet;
use std::path::Path;

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
    /// What this check proves, as sentences.
    pub proves: Vec<&'static str>,
    /// What it does not, as sentences.
    pub leaves_open: Vec<&'static str>,
}

impl CheckReport {
    /// Whether every digest is equal and nothing else was found.
    pub fn holds(&self) -> bool {
        self.findings.is_empty() && self.digests.iter().all(Checked::equal)
    }
}

/// Recomputes every digest of the run in `dir` from its files.
///
/// # Errors
/// When `dir` is no finished run. A file that is broken is not an error but makes its digests
/// differ.
pub fn check(dir: &Path) -> Result<CheckReport, RunDirError> {
    let run = RunReader::open(dir)?;
    let manifest = run.manifest();
    let mut findings = Vec::new();
    let story = story(&run).map_err(|error| error.to_string());
    let viewed = recompute::views(&run).map_err(|error| error.to_string());
    let others = [recompute::states(&run), recompute::violations(&run)];
    let [states, violations] = others.map(|tree| tree.map_err(|error| error.to_string()));
    if let (Ok(story), Ok((_, view))) = (&story, &viewed) {
        let found = Totals { view: view.clone(), emits: story.regrown.totals.emits.clone() };
        findings.extend(total_findings(&manifest.totals, &found));
    }
    let trees = [viewed.map(|(tree, _)| tree), states, violations];
    let names = ["views", "states", "violations"];
    for (name, tree) in names.into_iter().zip(&trees) {
        findings.extend(leaf_finding(&run, name, tree));
    }
    let [views, states, violations] = &trees;
    if let (Ok(story), Ok(states), Ok(violations)) = (&story, states, violations) {
        findings.extend(story.refused.clone());
        findings.extend(count_finding(&manifest.counts, story, states, violations));
    }
    let outcomes = story.as_ref().map_err(Clone::clone).map(|story| story.regrown.digest());
    let digest =
        |tree: &Result<KeyedDigest, String>| tree.as_ref().map(|t| t.digest).map_err(Clone::clone);
    let (views, states, violations) = (digest(views), digest(states), digest(violations));
    let whole = run_of(&story, &outcomes, &views, &states, &violations);
    let job = manifest.job.settings.digest();
    let job = job.ok_or_else(|| "a param is no value of its kind".to_owned());
    let input = manifest.input.digest();
    let sealed = match (&whole, &job) {
        (Ok(run), Ok(job)) => Ok(seal(run, &manifest.reducer.sha256, job, &input)),
        (Err(why), _) | (_, Err(why)) => Err(why.clone()),
    };
    let checked = |what, recorded, recomputed| Checked { what, recorded, recomputed };
    let digests = vec![
        checked("outcomes", manifest.digests.outcomes, outcomes),
        checked("views", manifest.digests.views, views),
        checked("states", manifest.digests.states, states),
        checked("violations", manifest.digests.violations, violations),
        checked("run digest", manifest.run_digest, whole),
        checked("job digest", manifest.job.digest, job),
        checked("input description", manifest.input_digest, Ok(input)),
        checked("seal", manifest.seal, sealed),
    ];
    let (proves, leaves_open) = statements(run.has_history());
    Ok(CheckReport { digests, findings, proves, leaves_open })
}

/// The first thing in which outcomes, emits and refused events are not what the manifest seals.
pub(crate) fn log_finding(run: &RunReader) -> Result<Option<String>, RunDirError> {
    let story = story(run)?;
    if story.regrown.digest() != run.manifest().digests.outcomes {
        let what = "outcomes and emits are not those of the outcomes' digest";
        return Ok(Some(what.to_owned()));
    }
    Ok(story.refused)
}

/// The digest of the violations that the files hold.
pub(crate) fn violations_digest(run: &RunReader) -> Result<Hash, RunDirError> {
    Ok(recompute::violations(run)?.digest)
}

fn run_of(
    story: &Result<Story<'_>, String>,
    outcomes: &Result<Hash, String>,
    views: &Result<Hash, String>,
    states: &Result<Hash, String>,
    violations: &Result<Hash, String>,
) -> Result<Hash, String> {
    let hash = |hash: &Result<Hash, String>| hash.clone();
    let digests = Digests {
        outcomes: hash(outcomes)?,
        views: hash(views)?,
        states: hash(states)?,
        violations: hash(violations)?,
    };
    let partitions = story.as_ref().map_err(Clone::clone)?.regrown.digests();
    let counts: Vec<_> = partitions.iter().map(|partition| partition.count()).collect();
    Ok(run_digest(&digests, &counts))
}

fn leaf_finding(run: &RunReader, name: &str, tree: &Result<KeyedDigest, String>) -> Option<String> {
    let tree = tree.as_ref().ok()?;
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
    let filtered = recorded.filtered;
    let counts = story.regrown.counts;
    let events = counts.events + filtered;
    let (keys, violations) = (states.keys, violations.rows);
    let found = Counts { events, filtered, keys, violations, ..counts };
    (found != *recorded).then(|| format!("the counts are {recorded:?}, the files give {found:?}"))
}

/// Each table and field whose control total is not that of the rows.
fn total_findings(recorded: &Totals, found: &Totals) -> Vec<String> {
    let nothing = TableTotals::default();
    let mut findings = of_table("the view", &recorded.view, &found.view);
    let names: BTreeSet<_> = recorded.emits.keys().chain(found.emits.keys()).collect();
    for name in names {
        let of = |totals: &Totals| totals.emits.get(name).unwrap_or(&nothing).clone();
        findings.extend(of_table(&format!("emit `{name}`"), &of(recorded), &of(found)));
    }
    findings
}

fn of_table(table: &str, recorded: &TableTotals, found: &TableTotals) -> Vec<String> {
    let mut findings = Vec::new();
    if recorded.rows != found.rows {
        let (recorded, found) = (recorded.rows, found.rows);
        findings.push(format!("{table} has {recorded} rows recorded, the files give {found}"));
    }
    let told = |total: Option<&FieldTotal>| match total {
        Some(FieldTotal { values, sum }) => format!("{sum} over {values} values"),
        None => "nothing".to_owned(),
    };
    let names: BTreeSet<_> = recorded.fields.keys().chain(found.fields.keys()).collect();
    for name in names {
        let (recorded, found) = (recorded.fields.get(name), found.fields.get(name));
        if recorded != found {
            let (recorded, found) = (told(recorded), told(found));
            let total = format!("the control total `{name}` of {table}");
            findings.push(format!("{total} is recorded as {recorded}, the files give {found}"));
        }
    }
    findings
}

fn statements(history: bool) -> (Vec<&'static str>, Vec<&'static str>) {
    let proves = vec![
        "no emit, outcome, view row, state or violation code was changed, added or lost since the \
         manifest was written",
        "job, input description, reducer and results belong together: the seal covers them all",
        "counts and control totals are those of the rows",
    ];
    let mut open = vec![
        "that the results are right: only a replay of the log shows that",
        "that the log was what the input description says: only the log shows that",
        "that nobody wrote files and manifest anew together: compare the seal with one kept \
         elsewhere",
        "positions, keys, ids and times beside emits, times beside states, details and the bytes \
         of refused events: no digest covers them",
    ];
    if history {
        open.push(
            "what happened before the snapshot from which this run went on: history.parquet holds \
             its trees, taken over as they were",
        );
    }
    (proves, open)
}
