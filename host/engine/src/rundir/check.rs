//! Every digest and control total of a run, recomputed from its files alone.

use super::RunDirError;
use super::log::{Alike, AlikeRows, EmitRowsOf, Regrown};
use super::reader::RunReader;
use super::recompute;
use super::shape::Table;
use crate::limits::CHECKED_EVENTS;
use retally_core::digest::{Digests, Hash, KeyedDigest, PartitionDigest, run_digest};
use retally_core::log::{Position, Stretch};
use retally_core::manifest::{Counts, FieldTotal, TableTotals, Totals, seal};
use retally_core::reduce::Outcome;
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
    let story = told(story(&run));
    let viewed = told(recompute::views(&run));
    if let (Ok(story), Ok((_, view))) = (&story, &viewed) {
        let found = Totals { view: view.clone(), emits: story.regrown.totals.emits.clone() };
        findings.extend(total_findings(&manifest.totals, &found));
    }
    let trees = [
        ("views", viewed.map(|(tree, _)| tree)),
        ("states", told(recompute::states(&run))),
        ("violations", told(recompute::violations(&run))),
    ];
    for (name, tree) in &trees {
        findings.extend(tree.as_ref().ok().and_then(|tree| leaf_finding(&run, name, tree)));
    }
    let [views, states, violations] = trees.map(|(_, tree)| tree);
    if let (Ok(story), Ok(states), Ok(violations)) = (&story, &states, &violations) {
        findings.extend(story.refused.clone());
        findings.extend(count_finding(&manifest.counts, story, states, violations));
    }
    let counts = [Some(&manifest.counts), manifest.since_start.as_ref()];
    let counts = counts.into_iter().flatten().filter_map(|counts| counts.check().err());
    findings.extend(counts.map(|error| error.to_string()));
    findings.extend(told(times_finding(&run)).unwrap_or_else(Some));
    let [views, states, violations] = [views, states, violations].map(|t| t.map(|t| t.digest));
    let outcomes = story.as_ref().map_err(Clone::clone).map(|story| story.regrown.trees.digest());
    let whole = || {
        let digests = Digests {
            outcomes: outcomes.clone()?,
            views: views.clone()?,
            states: states.clone()?,
            violations: violations.clone()?,
        };
        let partitions = story.as_ref().map_err(Clone::clone)?.regrown.trees.digests();
        let counts: Vec<_> = partitions.iter().map(PartitionDigest::count).collect();
        Ok::<_, String>(run_digest(&digests, &counts))
    };
    let whole = whole();
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
    let (proves, leaves_open) = statements(run.shape.history);
    Ok(CheckReport { digests, findings, proves, leaves_open })
}

fn told<T>(result: Result<T, RunDirError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// The first thing in which outcomes, emits and refused events are not what the manifest seals.
pub(crate) fn log_finding(run: &RunReader) -> Result<Option<String>, RunDirError> {
    let story = story(run)?;
    Ok(story.regrown.finding().or(story.refused))
}

/// Whether outcomes, emits and refused of a run tell the same: its outcome trees, grown again from
/// the first two, and the refused held against the outcomes.
struct Story<'a> {
    regrown: Regrown<'a>,
    /// The first thing in which the refused do not fit the outcomes. They are in no digest, so a
    /// difference is a finding of its own.
    refused: Option<String>,
}

fn story(run: &RunReader) -> Result<Story<'_>, RunDirError> {
    let mut regrown = Regrown::new(run)?;
    let mut emits = EmitRowsOf::all(run, None)?;
    let mut rows = AlikeRows::new(run, Table::Refused, None)?;
    let mut refused = None;
    for alike in AlikeRows::new(run, Table::Outcomes, None)? {
        let alike = alike?;
        let outcome = regrown.what(&alike)?;
        if outcome.is_refused() && refused.is_none() {
            refused = missing(&mut rows, &alike)?;
        }
        let Position { partition, offset } = &alike.at;
        let (number, end) = (regrown.number(partition), offset + alike.events);
        for first in (*offset..end).step_by(CHECKED_EVENTS as usize) {
            let events = CHECKED_EVENTS.min(end - first) as u32;
            let stretch = Stretch { partition: number, first_offset: first, events };
            // Whatever was not applied emits nothing: such a record is left over.
            let upto = if outcome == Outcome::Applied { first + u64::from(events) } else { first };
            let taken = emits.iter_mut().map(|kind| kind.take(partition, first, upto));
            let taken = taken.collect::<Result<Vec<_>, _>>()?;
            regrown.add(stretch, vec![outcome; events as usize], &taken)?;
        }
    }
    if refused.is_none()
        && let Some(Alike { at, .. }) = rows.next().transpose()?
    {
        let problem = "has a row for an event that was not refused";
        refused = Some(format!("refused.parquet {problem}: {at}"));
    }
    emits.iter_mut().try_for_each(EmitRowsOf::end)?;
    Ok(Story { regrown, refused })
}

/// The first of some refused events that has no row of its own.
fn missing(rows: &mut AlikeRows<'_>, alike: &Alike) -> Result<Option<String>, RunDirError> {
    let mut at = alike.at.clone();
    for _ in 0..alike.events {
        let fits = |row: &Alike| row.at == at && row.outcome == alike.outcome;
        if !rows.next().transpose()?.as_ref().is_some_and(fits) {
            return Ok(Some(format!("refused.parquet has no row for {at}")));
        }
        at.offset += 1;
    }
    Ok(None)
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
    let filtered = recorded.filtered;
    let counts = story.regrown.counts;
    let events = counts.events + filtered;
    let (keys, violations) = (states.keys, violations.rows);
    let times = recorded.times;
    let found = Counts { events, filtered, keys, violations, times, ..counts };
    (found != *recorded).then(|| format!("the counts are {recorded:?}, the files give {found:?}"))
}

/// The first table with a time outside of the span of event times. Those of the states are of the
/// whole history, those of the emits of this run.
fn times_finding(run: &RunReader) -> Result<Option<String>, RunDirError> {
    let manifest = run.manifest();
    let whole = manifest.since_start.as_ref().unwrap_or(&manifest.counts);
    let emits = (0..run.emits().len()).map(|kind| (Table::Emits(kind), &manifest.counts));
    for (table, counts) in [(Table::States, whole)].into_iter().chain(emits) {
        let (Some(span), Some((first, last))) = (counts.times, recompute::times(run, table)?)
        else {
            continue;
        };
        if Some(first) < span.earliest || Some(last) > span.latest {
            let file = run.shape.file(table);
            return Ok(Some(format!(
                "the times in {file} go from {first} to {last}, which is not within the span of \
                 event times that is recorded"
            )));
        }
    }
    Ok(None)
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
