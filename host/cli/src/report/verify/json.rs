//! A verification as one JSON object.

use super::{Verified, why};
use crate::report::reducer::look_json;
use retally_core::manifest::Manifest;
use retally_engine::verify::{
    Apart, Changed, Difference, DigestPair, Held, Perturbed, Shrunk, Verdict, VerifyReport,
};
use serde_json::{Map, Value, json};
use std::io::{self, Write as _};

pub(crate) fn print_json(verified: &Verified<'_>) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", to_json(verified))
}

fn to_json(verified: &Verified<'_>) -> Value {
    let report: &VerifyReport = verified.report;
    let tally = report.tally();
    let likely = report.unrepeatable.as_deref();
    let perturbations: Vec<Value> =
        report.perturbed.iter().map(|one| perturbed(one, likely)).collect();
    let compared = verified.old.and(verified.held).map(|held| compared(verified, held));
    json!({
        "reference": report.reference.as_ref().map(reference),
        "code": verified.look.as_ref().map(look_json),
        "seed": report.seed,
        "passed": tally.passed,
        "failed": tally.failed,
        "not_exercised": tally.not_exercised,
        "unfinished": tally.cut > 0 || report.reference.is_none(),
        "unrepeatable": report.unrepeatable,
        "perturbations": perturbations,
        "shrunk": report.shrunk.iter().map(shrunk).collect::<Vec<_>>(),
        "golden": verified.held.filter(|_| verified.old.is_none()).map(golden),
        "compared": compared,
        "notes": report.notes,
        "seconds": report.seconds,
        "reference_seconds": report.reference_seconds,
    })
}

fn reference(manifest: &Manifest) -> Value {
    let counts = &manifest.counts;
    json!({
        "reducer": manifest.reducer,
        "job_digest": manifest.job.digest,
        "input_digest": manifest.input_digest,
        "run_digest": manifest.run_digest,
        "digests": manifest.digests,
        "partitions": manifest.partitions,
        "events": counts.events,
        "reached": counts.applied + counts.rejected,
        "keys": counts.keys,
    })
}

/// `unrepeatable`: what is likely of all of them, if nothing repeats.
fn perturbed(one: &Perturbed, unrepeatable: Option<&str>) -> Value {
    let (word, reason, difference) = match &one.verdict {
        Verdict::Passed => ("passed", None, None),
        Verdict::Failed(found) => ("failed", None, Some(differs(found))),
        Verdict::NotExercised(reason) => ("not exercised", Some(why(reason)), None),
    };
    let cause = unrepeatable.unwrap_or(one.what.likely_cause());
    let likely = difference.is_some().then_some(cause);
    json!({
        "name": one.what.name(),
        "verdict": word,
        "how": one.how,
        "why": reason,
        "events": one.events,
        "seconds": one.seconds,
        "difference": difference,
        "likely": likely,
    })
}

fn shrunk(Shrunk { what, of, left }: &Shrunk) -> Value {
    let found = left.as_ref().ok();
    json!({
        "name": what.name(),
        "of": of,
        "dir": found.map(|left| left.dir.display().to_string()),
        "events": found.map(|left| left.events),
        "smallest": found.map(|left| left.is_smallest),
        "seen_again": found.map(|left| left.is_seen),
        "why": left.as_ref().err(),
    })
}

fn differs(found: &Difference) -> Value {
    json!({
        "stopped": found.stopped,
        "digests": digests(&found.digests, ["reference", "perturbed"]),
        "event": found.event.as_ref().map(apart),
        "key": found.key.as_ref().map(apart),
        "unnamed": found.unnamed,
    })
}

fn digests(pairs: &[DigestPair], [first, second]: [&str; 2]) -> Value {
    let one = |pair: &DigestPair| {
        let both = json!({ first: pair.reference, second: pair.perturbed });
        (pair.of.to_owned(), both)
    };
    pairs.iter().map(one).collect::<Map<_, _>>().into()
}

fn apart(found: &Apart) -> Value {
    let values = found.values.iter().map(|pair| {
        let both = json!({ "reference": pair.reference, "perturbed": pair.perturbed });
        (pair.name.clone(), both)
    });
    json!({
        "at": found.at.as_ref().map(ToString::to_string),
        "key": found.key,
        "differing": found.count,
        "values": values.collect::<Map<_, _>>(),
    })
}

/// Beside the run that was repeated.
fn compared(verified: &Verified<'_>, held: &Held) -> Value {
    let mut value = agreement(held, ["there", "here"]);
    let engine = |of: Option<&Manifest>| of.map(|own| json!(own.engine));
    value["engine"] = json!({
        "there": engine(verified.old),
        "here": engine(verified.report.reference.as_ref()),
    });
    value
}

fn golden(held: &Held) -> Value {
    agreement(held, ["golden", "now"])
}

/// How digests stand to others, which have these names.
fn agreement(held: &Held, names: [&str; 2]) -> Value {
    let changed = held.changed.iter().map(|Changed { what, how }| ((*what).to_owned(), json!(how)));
    json!({
        "agrees": held.agrees(),
        "digests": digests(&held.digests, names),
        "changed": changed.collect::<Map<_, _>>(),
    })
}
