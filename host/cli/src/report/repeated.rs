//! What differs between a run and its repetition.

use retally_core::manifest::{Manifest, Settings};
use serde_json::Value;

/// Two runs of what should be the same, compared: causes before effects.
#[derive(Debug)]
pub(crate) struct Repeated {
    /// What went in and differs, in the order in which it is looked at.
    pub(crate) causes: Vec<Pair>,
    /// What came out and differs.
    pub(crate) effects: Vec<Pair>,
}

/// A value that two runs do not share.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// What it is.
    pub(crate) what: String,
    /// In the old run.
    pub(crate) old: String,
    /// In this one.
    pub(crate) new: String,
}

impl Repeated {
    /// Compares.
    pub(crate) fn new(old: &Manifest, new: &Manifest) -> Self {
        let mut causes = Vec::new();
        let mut cause = |what: &str, old: String, new: String| {
            if old != new {
                causes.push(Pair { what: what.to_owned(), old, new });
            }
        };
        cause("reducer", old.reducer.sha256.to_string(), new.reducer.sha256.to_string());
        settings(&old.job.settings, &new.job.settings, &mut cause);
        cause("job", old.job.digest.to_string(), new.job.digest.to_string());
        let name = |m: &Manifest| match &m.from_snapshot {
            Some(from) => from.sha256.to_string(),
            None => "none".to_owned(),
        };
        cause("snapshot", name(old), name(new));
        cause("input", old.input_digest.to_string(), new.input_digest.to_string());
        let outputs = [
            ("outcomes", old.digests.outcomes, new.digests.outcomes),
            ("states", old.digests.states, new.digests.states),
            ("views", old.digests.views, new.digests.views),
            ("violations", old.digests.violations, new.digests.violations),
            ("run", old.run_digest, new.run_digest),
        ];
        let differing = outputs.into_iter().filter(|(_, old, new)| old != new);
        let effects = differing.map(|(what, old, new)| Pair {
            what: what.to_owned(),
            old: old.to_string(),
            new: new.to_string(),
        });
        Self { causes, effects: effects.collect() }
    }

    /// Whether the same came out.
    pub(crate) fn agrees(&self) -> bool {
        self.effects.is_empty()
    }

    /// The first digest that differs.
    pub(crate) fn first(&self) -> Option<&Pair> {
        self.effects.first()
    }
}

/// Which setting it is that makes two job digests differ.
fn settings(old: &Settings, new: &Settings, cause: &mut impl FnMut(&str, String, String)) {
    let value = |settings| serde_json::to_value(settings).unwrap_or(Value::Null);
    let (old, new) = (value(old), value(new));
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return };
    for (name, old) in old {
        let new = new.get(name).unwrap_or(&Value::Null);
        cause(&format!("job setting {name}"), old.to_string(), new.to_string());
    }
}
