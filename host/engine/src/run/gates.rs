//! Holds a finished run against its job's gates. The run directory is complete by then and stays as
//! it is; what cannot be read back is a broken gate, not a failed run.

use crate::job::{BoundGates, Counted};
use crate::rundir::{Keys, RunDirError, RunReader, Table};
use retally_compare::run_gate::{self, Expectation, Judged, Limit, Sums};
use retally_core::manifest::{Counts, FieldTotal, Manifest};
use std::path::Path;

/// Judges a run, gate by gate.
pub(crate) fn judge(dir: &Path, manifest: &Manifest, gates: &BoundGates) -> Vec<Judged> {
    let limits =
        gates.limits.iter().map(|(counted, limit)| count(dir, &manifest.counts, *counted, *limit));
    let expect = gates.expect.iter().map(|expect| match sums(dir, manifest, expect) {
        Ok(sums) => expect.judge(&sums),
        Err(error) => Judged::unjudged(expect.gate(), expect.bounds.to_string(), error.to_string()),
    });
    limits.chain(expect).collect()
}

fn count(dir: &Path, counts: &Counts, counted: Counted, limit: Limit) -> Judged {
    let events = counts.events - counts.filtered;
    let word = counted.word();
    let of_events = |count| limit.judge(word, count, events, "events");
    match (counted, limit) {
        (Counted::Malformed, _) => of_events(counts.malformed),
        (Counted::Ignored, _) => of_events(counts.ignored),
        (Counted::Duplicates, _) => of_events(counts.duplicates),
        (Counted::Conflicts, _) => of_events(counts.conflicts),
        (Counted::Rejected, _) => of_events(counts.rejected),
        (Counted::Quarantined, _) => of_events(counts.quarantined),
        // A key may break many rules: as a share of keys only those keys make sense.
        (Counted::Violations, Limit::Share(_)) => match violating_keys(dir) {
            Ok(keys) => limit.judge(word, keys, counts.keys, "keys"),
            Err(error) => {
                Judged::unjudged(word.into(), format!("at most {limit} of keys"), error.to_string())
            }
        },
        (Counted::Violations, Limit::Count(_)) => {
            limit.judge(word, counts.violations, counts.keys, "keys")
        }
    }
}

/// Keys that have a violation. The rows stand by key.
fn violating_keys(dir: &Path) -> Result<u64, RunDirError> {
    let run = RunReader::open(dir)?;
    let (mut keys, mut last) = (0, None::<String>);
    for batch in run.rows(Table::Violations, &Keys::All)? {
        let batch = batch?;
        for key in batch.texts("key")?.iter().flatten() {
            if last.as_deref() != Some(key) {
                keys += 1;
                last = Some(key.to_owned());
            }
        }
    }
    Ok(keys)
}

/// Without a field to go by the manifest knows the total; else two columns of the table tell it.
fn sums(dir: &Path, manifest: &Manifest, expect: &Expectation) -> Result<Sums, RunDirError> {
    let (table, totals) = match &expect.table {
        run_gate::Table::View => (Table::Views, Some(&manifest.totals.view)),
        run_gate::Table::Emit(kind, name) => (Table::Emits(*kind), manifest.totals.emits.get(name)),
    };
    let Some(by) = &expect.by else {
        let total = totals.and_then(|totals| totals.fields.get(&expect.name)).copied();
        return Ok(Sums::whole(&total.unwrap_or(FieldTotal::default())));
    };
    let mut sums = Sums::default();
    let run = RunReader::open(dir)?;
    run.chosen(table, &[by.field, expect.field], |columns| {
        if let [groups, values] = columns {
            sums.add(groups, by.kind, values);
        }
    })?;
    Ok(sums)
}
