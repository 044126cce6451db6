//! What a replay came to, as text and as JSON; and what differs between a run and its repetition.

use super::malformed::Example;
use super::text::{counted, grouped, harmless_lines, seconds, short, size};
use retally_core::listed::listed;
use retally_core::manifest::{
    Change, Checked, Counts, Hole, Input, Manifest, Marks, Object, PassedOver, Settings,
    TableTotals, Totals, sentence,
};
use retally_core::receipt::News;
use retally_engine::run::{NothingNew, Report};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

/// Objects of a log that a line names.
const OBJECTS_NAMED: usize = 5;

/// Two runs of what should be the same, compared: causes before effects.
#[derive(Debug)]
pub(crate) struct Repeated {
    /// Another reducer, if one was asked for.
    reducer: Option<Pair>,
    /// What went in and differs, in the order in which it is looked at.
    causes: Vec<Pair>,
    /// Of the log: which objects came, went or changed.
    objects: Vec<String>,
    /// What came out and differs.
    effects: Vec<Pair>,
    /// What is wrong with the files of the first run; none: only its manifest is there.
    altered: Option<Vec<String>>,
}

/// A value that two runs do not share.
#[derive(Debug)]
struct Pair {
    what: String,
    old: String,
    new: String,
}

impl Pair {
    /// Nothing where both are the same.
    fn of(what: &str, old: impl ToString, new: impl ToString) -> Option<Self> {
        let (old, new) = (old.to_string(), new.to_string());
        (old != new).then(|| Self { what: what.to_owned(), old, new })
    }
}

impl Repeated {
    /// `asked`: whether the new reducer was asked for, whatever its bytes. `altered`: what is wrong
    /// with the files of the first run, if they are there.
    pub(crate) fn new(
        old: &Manifest,
        new: &Manifest,
        asked: bool,
        altered: Option<Vec<String>>,
    ) -> Self {
        let mut reducer = Pair::of("reducer", old.reducer.sha256, new.reducer.sha256);
        let mut causes = vec![if asked { None } else { reducer.take() }];
        causes.extend(settings(&old.job.settings, &new.job.settings));
        let name = |m: &Manifest| match &m.from_snapshot {
            Some(from) => from.sha256.to_string(),
            None => "none".to_owned(),
        };
        causes.extend([
            Pair::of("job", old.job.digest, new.job.digest),
            Pair::of("snapshot", name(old), name(new)),
            inputs(&old.input, &new.input),
        ]);
        let effects = [
            Pair::of("outcomes", old.digests.outcomes, new.digests.outcomes),
            Pair::of("states", old.digests.states, new.digests.states),
            Pair::of("views", old.digests.views, new.digests.views),
            Pair::of("violations", old.digests.violations, new.digests.violations),
            Pair::of("positions", old.positions, new.positions),
            Pair::of("run", old.run_digest, new.run_digest),
        ];
        let (causes, effects) = (causes.into_iter().flatten(), effects.into_iter().flatten());
        let (causes, effects) = (causes.collect(), effects.collect());
        Self { reducer, causes, objects: objects(&old.input, &new.input), effects, altered }
    }

    /// Whether the same came out of the same, and lies in the files of the first run.
    pub(crate) fn agrees(&self) -> bool {
        let is_altered = self.altered.as_ref().is_some_and(|found| !found.is_empty());
        self.effects.is_empty() && self.causes.is_empty() && !is_altered
    }
}

/// How the input descriptions differ, as far as both runs tell: only an attested run has a SHA-256
/// of every object.
fn inputs(old: &Input, new: &Input) -> Option<Pair> {
    let is_attested = |input: &Input| input.objects.iter().all(|object| object.sha256.is_some());
    if is_attested(old) == is_attested(new) {
        return Pair::of("input", old.digest(), new.digest());
    }
    let [old, new] = [old, new].map(|input| {
        let mut input = input.clone();
        input.objects.iter_mut().for_each(|object| object.sha256 = None);
        input.digest()
    });
    Pair::of("input", old, new)
}

/// Which objects of a log are no longer what they were, by their paths.
fn objects(old: &Input, new: &Input) -> Vec<String> {
    let by_path = |input: &'_ Input| -> BTreeMap<String, Object> {
        let objects = input.objects.iter();
        objects.map(|object| (object.path.clone(), object.clone())).collect()
    };
    let (old, new) = (by_path(old), by_path(new));
    let changed = old.iter().filter_map(|(path, object)| match new.get(path) {
        None => Some(format!("{path} is gone")),
        Some(now) if is_other(object, now) => Some(format!(
            "{path} has other bytes ({} then, {} now)",
            size(object.size_bytes),
            size(now.size_bytes)
        )),
        Some(_) => None,
    });
    let came = new.keys().filter(|path| !old.contains_key(*path));
    changed.chain(came.map(|path| format!("{path} is new"))).collect()
}

/// As far as both runs tell: only an attested run has a SHA-256.
fn is_other(old: &Object, new: &Object) -> bool {
    let differ = |old: Option<bool>| old.unwrap_or(false);
    old.size_bytes != new.size_bytes
        || differ(old.xxh3_128.zip(new.xxh3_128).map(|(old, new)| old != new))
        || differ(old.sha256.zip(new.sha256).map(|(old, new)| old != new))
}

/// Which settings it is that make two job digests differ.
fn settings(old: &Settings, new: &Settings) -> Vec<Option<Pair>> {
    let value = |settings| serde_json::to_value(settings).unwrap_or(Value::Null);
    let (old, new) = (value(old), value(new));
    // What a run does not set may be left out.
    let names: BTreeSet<&String> =
        [&old, &new].into_iter().filter_map(Value::as_object).flat_map(|all| all.keys()).collect();
    let pair = |name: &String| Pair::of(&format!("job setting {name}"), &old[name], &new[name]);
    names.into_iter().map(pair).collect()
}

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
        let pairs = |pairs: &[Pair]| -> Vec<Value> {
            pairs.iter().map(|p| json!({ "what": p.what, "old": p.old, "new": p.new })).collect()
        };
        object["repeats"] = json!({
            "agrees": repeated.agrees(),
            "first": repeated.effects.first().map(|pair| &pair.what),
            "differences": pairs(&repeated.effects),
            "causes": pairs(&repeated.causes),
            "objects": repeated.objects,
            "reducer": repeated.reducer.as_ref().map(|p| json!({ "old": p.old, "new": p.new })),
            "files_checked": repeated.altered.is_some(),
            "altered": repeated.altered,
        });
    }
    object
}

fn to_text(report: &Report, repeated: Option<&Repeated>, quiet: bool) -> String {
    let m = &report.manifest;
    let mut t = marks(report);
    let _ = writeln!(t, "{}@{} over {}", m.reducer.name, m.reducer.version, extent(m));
    t += &passed_over(m);
    t += &counts(&m.counts, "");
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
        t += &repetition(repeated);
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
    (report.manifest.counts.malformed > 0).then(|| Example::of(&report.dir)).flatten()
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
        let is_whole =
            !(partial || changed_log || migrated || hole) && from.checked != Checked::Nothing;
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

fn repetition(repeated: &Repeated) -> String {
    let mut t = String::new();
    if let Some(Pair { old, new, .. }) = &repeated.reducer {
        let _ = writeln!(t, "with another reducer, as asked: old {old}, new {new}");
    }
    match repeated.effects.first() {
        None if repeated.agrees() => t += "repeated: all digests agree\n",
        None => t += "what came out has the same digests, but the run is not the same\n",
        Some(first) => {
            let _ = writeln!(t, "different: {} differs first", first.what);
            for pair in &repeated.effects {
                let _ = writeln!(
                    t,
                    "  {:<10}  old {}\n  {:<10}  new {}",
                    pair.what, pair.old, "", pair.new
                );
            }
        }
    }
    for pair in &repeated.causes {
        let _ = writeln!(t, "  not the same {}: old {}, new {}", pair.what, pair.old, pair.new);
    }
    if !repeated.objects.is_empty() {
        let objects = listed(repeated.objects.iter(), OBJECTS_NAMED, ", ");
        let _ = writeln!(t, "  of the log {objects}");
    }
    if repeated.causes.is_empty() && repeated.reducer.is_none() && !repeated.effects.is_empty() {
        t += "  reducer, job and input are the same: either the reducer is not deterministic or \
              this machine computes wrongly\n";
    }
    match &repeated.altered {
        None => t += "the files of the first run were not checked: only its manifest is there\n",
        Some(found) if found.is_empty() => t += "the files of the first run hold what they say\n",
        Some(found) => {
            t += "the first run is not as it was written:\n";
            found.iter().for_each(|what| _ = writeln!(t, "  {what}"));
        }
    }
    t
}

/// A run that applied nothing, with the likeliest causes.
fn vain(report: &Report, run: &Path, example: Option<&Example>) -> String {
    let (m, c) = (&report.manifest, &report.manifest.counts);
    let of = |count: u64| format!("{} of {} events", grouped(count), grouped(c.events));
    let cause = if c.events == 0 {
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
