//! What a replay came to, as text and as JSON.

use super::malformed::Example;
use super::repeated::Repeated;
use super::text::{counted, grouped, harmless_lines, seconds, short, size};
use retally_core::manifest::{
    Change, Counts, Hole, Manifest, Marks, PassedOver, TableTotals, Totals, sentence,
};
use retally_core::receipt::News;
use retally_engine::run::{NothingNew, Report};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

pub(crate) fn print_json(report: &Report, repeated: Option<&Repeated>) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", to_json(report, repeated))
}

/// `quiet`: notes were not told on the way.
pub(crate) fn print_text(
    report: &Report,
    repeated: Option<&Repeated>,
    quiet: bool,
) -> io::Result<()> {
    io::stdout().lock().write_all(harmless_lines(&to_text(report, repeated, quiet)).as_bytes())
}

/// Everything was taken already, and nothing was run.
pub(crate) fn nothing_new(nothing: &NothingNew, json: bool) -> io::Result<()> {
    let NothingNew { snapshot, objects, accepted, holes, checked } = nothing;
    let mut out = io::stdout().lock();
    if json {
        let from = json!({
            "name": snapshot, "accepted": accepted, "holes": holes, "checked": checked,
        });
        let told = json!({ "run": null, "from_snapshot": from, "new": News::default() });
        return writeln!(out, "{told}");
    }
    let objects = counted(*objects as u64, "object");
    let mut t = changed_log(accepted) + &hole(holes);
    let _ = writeln!(t, "nothing new since snapshot {snapshot}: {objects} as taken; no run made");
    let _ = writeln!(t, "  of what was taken checked: {checked}");
    out.write_all(harmless_lines(&t).as_bytes())
}

/// Whether the history went on over a log that had changed.
fn changed_log(accepted: &[Change]) -> String {
    if accepted.is_empty() {
        return String::new();
    }
    format!("CHANGED LOG: gone on though it is not what was taken: {}\n", sentence(accepted))
}

/// Whether finished runs lack what lies before a snapshot.
fn hole(holes: &[Hole]) -> String {
    if holes.is_empty() {
        return String::new();
    }
    format!("HOLE: {}\n", Hole::sentence(holes))
}

fn to_json(report: &Report, repeated: Option<&Repeated>) -> Value {
    let m = &report.manifest;
    let stages: serde_json::Map<String, Value> =
        report.stages.iter().map(|(name, s)| ((*name).to_owned(), json!(s))).collect();
    let mut object = json!({
        "run": short(&report.dir).to_string_lossy(),
        "digest": m.run_digest,
        "seal": m.seal,
        "digests": m.digests,
        "counts": m.counts,
        "totals": m.totals,
        "seconds": report.seconds,
        "marks": m.marks,
        "reducer": {
            "name": m.reducer.name, "version": m.reducer.version, "sha256": m.reducer.sha256,
        },
        "job_digest": m.job.digest,
        "input_digest": m.input_digest,
        "snapshots": report.snapshots,
        "stages": stages,
    });
    if let Some(range) = &m.range {
        object["range"] = json!(range);
        object["range"]["positions"] = json!(m.job.settings.range);
    }
    if m.input.deletions() > 0 {
        object["deletions"] = m.input.deletions().into();
    }
    if let Some(counts) = &m.since_start {
        object["since_start"] = json!(counts);
    }
    if let Some(from) = &m.from_snapshot {
        object["from_snapshot"] = json!({
            "name": from.name, "checked": from.checked, "carried": from.carried,
            "accepted": from.accepted, "migrated": from.migrated, "holes": from.holes,
            "broke": from.broke,
        });
    }
    if !m.passed_over.is_empty() {
        object["passed_over"] = json!(m.passed_over);
    }
    if let Some(news) = &report.news {
        object["new"] = json!(news);
        object["new"]["events"] = m.counts.events.into();
    }
    if let Some(example) = example(report) {
        object["malformed"] = example.json();
    }
    let notes = [m.notes(), report.notes.clone()].concat();
    if !notes.is_empty() {
        object["notes"] = json!(notes);
    }
    if !report.gates.is_empty() {
        let hold = report.gates.iter().all(|gate| gate.holds);
        object["gates"] = json!({ "hold": hold, "judged": report.gates });
    }
    if !report.broke.is_empty() {
        object["broke"] = json!(report.broke);
    }
    if let Some(repeated) = repeated {
        object["repeats"] = repeated.to_json();
    }
    object
}

fn to_text(report: &Report, repeated: Option<&Repeated>, quiet: bool) -> String {
    let m = &report.manifest;
    let mut t = marks(report);
    let _ = writeln!(t, "{}@{} over {}", m.reducer.name, m.reducer.version, extent(m));
    t += &passed_over(m);
    t += &counts(&m.counts, "");
    if m.input.deletions() > 0 {
        let count = grouped(m.input.deletions());
        let _ = writeln!(t, "deletions   {count} records without a value, which are no events");
    }
    if let Some(since) = &m.since_start {
        t += "since the history began\n";
        t += &counts(since, "  ");
    }
    let told = if quiet { &report.notes[..] } else { &[] };
    for note in m.notes().iter().chain(told) {
        let _ = writeln!(t, "note: {note}");
    }
    let example = example(report);
    if let Some(example) = &example {
        t += &format!("malformed   {}", example.text());
    }
    t += &totals(&m.totals);
    t += &speed(report);
    let _ = writeln!(t, "outcomes    {}", m.digests.outcomes);
    let _ = writeln!(t, "views       {}", m.digests.views);
    let _ = writeln!(t, "states      {}", m.digests.states);
    let _ = writeln!(t, "violations  {}", m.digests.violations);
    let _ = writeln!(t, "run digest  {}", m.run_digest);
    let _ = writeln!(t, "seal        {}", m.seal);
    for name in &report.snapshots {
        let _ = writeln!(t, "snapshot    {name}");
    }
    if !report.broke.is_empty() && !report.snapshots.is_empty() {
        t += "            --resume passes over it: this run did not hold\n";
    }
    let dir = short(&report.dir);
    let run = dir.display();
    let _ = writeln!(t, "run         {run}");
    if let Some(repeated) = repeated {
        t += &repeated.to_text();
    }
    t += &retally_report::gates(&report.gates);
    if m.is_vain() {
        t += &vain(report, &dir, example.as_ref());
    } else {
        let _ = writeln!(t, "hint: retally results show {run}");
    }
    t
}

fn example(report: &Report) -> Option<Example> {
    let run = report.folder.as_ref().filter(|_| report.manifest.counts.malformed > 0);
    run.and_then(Example::of)
}

/// What must be known before anything else is read.
fn marks(report: &Report) -> String {
    let m = &report.manifest;
    let mut t = String::new();
    if m.marks.empty_state {
        t += "EMPTY STATE: began without the state that belonged to the first position\n";
    }
    if m.marks.partial {
        t += "PARTIAL: a part of the log only\n";
    }
    if let Some(range) = m.range_text() {
        let _ = writeln!(t, "range {range}");
    }
    if m.marks.subset {
        let _ = writeln!(t, "SUBSET: {}", m.job.settings.keys_text());
    }
    if let Some(from) = &m.from_snapshot {
        t += &changed_log(&from.accepted);
        t += &hole(&from.holes);
        if m.marks.migrated {
            let _ = writeln!(t, "MIGRATED: {}", from.migrated_text());
        }
        let Marks { partial, changed_log, migrated, hole, .. } = m.marks;
        let is_whole = !(partial || changed_log || migrated || hole) && from.checked.is_of_all();
        let whole = if is_whole { ": whole" } else { "" };
        let _ = writeln!(t, "goes on from snapshot {}{whole}", from.name);
        if let Some(broke) = from.broke_text() {
            let _ = writeln!(t, "  {broke}");
        }
        let carried = match from.carried {
            0 => String::new(),
            carried => format!("; {} not read again", counted(carried, "object")),
        };
        let _ = writeln!(t, "  of what was taken checked: {}{carried}", from.checked);
    }
    for PassedOver { snapshot, why } in &m.passed_over {
        let _ = writeln!(t, "  passed over: snapshot {snapshot}: {why}");
    }
    if let Some(news) = &report.news {
        let (objects, grown) = (counted(news.objects, "object"), counted(news.grown, "object"));
        let (events, bytes) = (counted(m.counts.events, "event"), size(news.bytes));
        let _ = writeln!(t, "  new: {objects}, {grown} with more in them, {events}, {bytes}");
    }
    t
}

fn extent(m: &Manifest) -> String {
    let partitions = counted(m.input.partitions.len() as u64, "partition");
    let bytes: u64 = m.input.objects.iter().map(|object| object.size_bytes).sum();
    format!("{partitions}, {}", size(bytes))
}

/// What of the files was read as if it were not there.
fn passed_over(m: &Manifest) -> String {
    let marked = m.input.objects.iter().filter(|object| object.byte_order_mark).count() as u64;
    match marked {
        0 => String::new(),
        _ => format!("passed over a byte order mark at the head of {}\n", counted(marked, "file")),
    }
}

/// The sum stands as a sum, so that a reader can check it.
fn counts(c: &Counts, indent: &str) -> String {
    let rows = [
        ("applied", c.applied),
        ("ignored", c.ignored),
        ("malformed", c.malformed),
        ("duplicates", c.duplicates),
        ("conflicts", c.conflicts),
        ("rejected", c.rejected),
        ("quarantined", c.quarantined),
        ("filtered", c.filtered),
    ];
    let width = grouped(c.events).len().max(4);
    let mut t = format!("{indent}events      {:>width$}\n", grouped(c.events));
    for (i, (name, count)) in rows.into_iter().enumerate() {
        let sign = if i == 0 { '=' } else { '+' };
        let _ = writeln!(t, "{indent}{sign} {name:<10}{:>width$}", grouped(count));
    }
    for (name, count) in [("keys", c.keys), ("emits", c.emits), ("violations", c.violations)] {
        let _ = writeln!(t, "{indent}{name:<12}{:>width$}", grouped(count));
    }
    if let Some((earliest, latest)) = c.times.and_then(|times| times.earliest.zip(times.latest)) {
        let _ = writeln!(t, "{indent}times       {earliest} to {latest}");
    }
    t
}

/// The control totals of each table that has any, one a line.
fn totals(totals: &Totals) -> String {
    let mut t = String::new();
    let mut line = |table: &str, totals: &TableTotals| {
        let sums = totals.fields.iter().map(|(field, total)| format!("{field} {}", total.sum));
        let sums: Vec<String> = sums.collect();
        if !sums.is_empty() && totals.rows > 0 {
            let head = if t.is_empty() { "totals" } else { "" };
            let _ = writeln!(t, "{head:<12}{table}: {}", sums.join(", "));
        }
    };
    line("view", &totals.view);
    totals.emits.iter().for_each(|(kind, totals)| line(kind, totals));
    t
}

fn speed(report: &Report) -> String {
    let events = report.manifest.counts.events;
    let rate = match report.seconds > 0.0 {
        true => format!(", {} events/s", grouped((events as f64 / report.seconds) as u64)),
        false => String::new(),
    };
    let stages: Vec<String> =
        report.stages.iter().map(|(name, s)| format!("{name} {}", seconds(*s))).collect();
    let all = stages.join(", ");
    format!("took        {}{rate}\nthreads' time: {all}\n", seconds(report.seconds))
}

/// A run that applied nothing, with the likeliest causes.
fn vain(report: &Report, run: &Path, example: Option<&Example>) -> String {
    let (m, c) = (&report.manifest, &report.manifest.counts);
    let of = |count: u64| format!("{} of {} events", grouped(count), grouped(c.events));
    let cause = if c.events == 0 && m.range.is_some() {
        "no event lies in the range: look at --from and --to".to_owned()
    } else if c.events == 0 {
        "the log holds no event: look at [source] url".to_owned()
    } else if report.keys_in_vain {
        "none of the keys asked for is in the log: keys are compared byte by byte".to_owned()
    } else if c.malformed >= c.ignored && c.malformed > 0 {
        let code = example.map_or(String::new(), |example| format!(", mostly `{}`", example.code));
        format!("{} are malformed{code}", of(c.malformed))
    } else if c.ignored > 0 {
        let lines = match c.events <= m.input.partitions.len() as u64 {
            true => "; a line that is one array is one event: write one object on each line",
            false => "",
        };
        format!(
            "{} are of no type that the reducer knows: compare its inputs (`retally reducer \
             inspect`) with an event of the log{lines}",
            of(c.ignored)
        )
    } else {
        "all events were refused or seen before".to_owned()
    };
    let mut t = format!("check failed: no event was applied; {cause}\n");
    if c.malformed + c.conflicts + c.rejected + c.quarantined > 0 {
        let refused = run.join("refused.parquet");
        let _ = writeln!(t, "hint: {} has each refused event with its code", refused.display());
    }
    t
}
