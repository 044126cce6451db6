//! Holds a finished run against its job's gates. The run directory is complete by then and stays as
//! it is; what cannot be read back is a broken gate, not a failed run.

use crate::job::BoundGates;
use crate::rundir::{Keys, RunDirError, RunReader, Table};
use crate::store::Folder;
use retally_compare::gate::{self, Expectation, Limit, Sums};
use retally_compare::model::gate::Judged;
use retally_core::manifest::{Counts, FieldTotal, Manifest};

/// Why a total is not judged.
const SOME_KEYS: &str = "the run took some keys only, and a total is one of all keys";

/// Judges a run, gate by gate. Of a run of some keys no total is judged.
pub(crate) fn judge(dir: &Folder, manifest: &Manifest, gates: &BoundGates) -> Vec<Judged> {
    let limits =
        gates.limits.iter().map(|(counted, limit)| count(dir, &manifest.counts, counted, *limit));
    let expect = gates.expect.iter().map(|expect| match sums(dir, manifest, expect) {
        _ if manifest.marks.subset => {
            let (gate, bounds) = (expect.gate(), expect.bounds.to_string());
            Judged::left_out(gate, bounds, SOME_KEYS.to_owned())
        }
        Ok(sums) => expect.judge(&sums),
        Err(error) => Judged::unjudged(expect.gate(), expect.bounds.to_string(), error.to_string()),
    });
    let times = gates.times.iter().map(|(timed, limit)| match *timed {
        "earliest" => limit.judge_earliest(timed, manifest.counts.times),
        _ => limit.judge_latest(timed, manifest.counts.times),
    });
    limits.chain(times).chain(expect).collect()
}

/// What is wrong with a run, as sentences; nothing: whoever goes on from it need not look at it.
pub(crate) fn broke(manifest: &Manifest, judged: &[Judged]) -> Vec<String> {
    let vain = manifest.is_vain().then(|| "no event was applied".to_owned());
    let gates = judged.iter().filter(|gate| !gate.holds);
    vain.into_iter().chain(gates.map(|gate| format!("{}: {}", gate.gate, gate.limit))).collect()
}

/// `counted`: one of those that a job can limit.
fn count(dir: &Folder, counts: &Counts, counted: &str, limit: Limit) -> Judged {
    let count = match counted {
        "malformed" => counts.malformed,
        "ignored" => counts.ignored,
        "duplicates" => counts.duplicates,
        "conflicts" => counts.conflicts,
        "rejected" => counts.rejected,
        "quarantined" => counts.quarantined,
        _ if matches!(limit, Limit::Count(_)) => counts.violations,
        // A key may break many rules: as a share of keys only those keys make sense.
        _ => {
            return match violating_keys(dir) {
                Ok(keys) => limit.judge(counted, keys, counts.keys, "keys"),
                Err(error) => {
                    let most = format!("at most {limit} of keys");
                    Judged::unjudged(counted.into(), most, error.to_string())
                }
            };
        }
    };
    limit.judge(counted, count, counts.events - counts.filtered, "events")
}

/// Keys that have a violation. The rows stand by key.
fn violating_keys(dir: &Folder) -> Result<u64, RunDirError> {
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
fn sums(dir: &Folder, manifest: &Manifest, expect: &Expectation) -> Result<Sums, RunDirError> {
    let (table, totals) = match &expect.table {
        gate::Table::View => (Table::Views, Some(&manifest.totals.view)),
        gate::Table::Emit(kind, name) => (Table::Emits(*kind), manifest.totals.emits.get(name)),
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
