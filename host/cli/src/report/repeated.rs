//! What differs between a run and its repetition, as text and as JSON.

use super::text::size;
use retally_core::listed::listed;
use retally_core::manifest::{Input, Manifest, Object, Settings};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

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

    /// For a person.
    pub(crate) fn to_text(&self) -> String {
        let mut t = String::new();
        if let Some(Pair { old, new, .. }) = &self.reducer {
            let _ = writeln!(t, "with another reducer, as asked: old {old}, new {new}");
        }
        match self.effects.first() {
            None if self.agrees() => t += "repeated: all digests agree\n",
            None => t += "what came out has the same digests, but the run is not the same\n",
            Some(first) => {
                let _ = writeln!(t, "different: {} differs first", first.what);
                for pair in &self.effects {
                    let _ = writeln!(
                        t,
                        "  {:<10}  old {}\n  {:<10}  new {}",
                        pair.what, pair.old, "", pair.new
                    );
                }
            }
        }
        for pair in &self.causes {
            let _ = writeln!(t, "  not the same {}: old {}, new {}", pair.what, pair.old, pair.new);
        }
        if !self.objects.is_empty() {
            let objects = listed(self.objects.iter(), OBJECTS_NAMED, ", ");
            let _ = writeln!(t, "  of the log {objects}");
        }
        if self.causes.is_empty() && self.reducer.is_none() && !self.effects.is_empty() {
            t += "  reducer, job and input are the same: either the reducer is not deterministic \
                  or this machine computes wrongly\n";
        }
        match &self.altered {
            None => {
                t += "the files of the first run were not checked: only its manifest is there\n"
            }
            Some(found) if found.is_empty() => {
                t += "the files of the first run hold what they say\n"
            }
            Some(found) => {
                t += "the first run is not as it was written:\n";
                found.iter().for_each(|what| _ = writeln!(t, "  {what}"));
            }
        }
        t
    }

    /// For a program.
    pub(crate) fn to_json(&self) -> Value {
        let pairs = |pairs: &[Pair]| -> Vec<Value> {
            pairs.iter().map(|p| json!({ "what": p.what, "old": p.old, "new": p.new })).collect()
        };
        json!({
            "agrees": self.agrees(),
            "first": self.effects.first().map(|pair| &pair.what),
            "differences": pairs(&self.effects),
            "causes": pairs(&self.causes),
            "objects": self.objects,
            "reducer": self.reducer.as_ref().map(|p| json!({ "old": p.old, "new": p.new })),
            "files_checked": self.altered.is_some(),
            "altered": self.altered,
        })
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
