//! A run repeated from its manifest, and what differs between the two.

use crate::error::Failure;
use anyhow::{Context as _, anyhow};
use retally_core::manifest::{Manifest, Settings};
use retally_engine::job::Authored;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The manifest of the run that is repeated.
pub(super) struct Old {
    path: PathBuf,
    manifest: Manifest,
}

/// Reads a manifest, or that of a run directory.
pub(super) fn load(path: &Path) -> Result<Old, Failure> {
    let path = if path.is_dir() { path.join("manifest.json") } else { path.to_owned() };
    let bytes = std::fs::read(&path)
        .with_context(|| format!("cannot read manifest {}", path.display()))
        .map_err(|e| Failure::usage(e).hint("name RUN/manifest.json of a finished run"))?;
    let read = Manifest::from_bytes(&bytes).and_then(|m| m.check().map(|()| m));
    let manifest = read.map_err(|e| Failure::usage(anyhow!("{} {e}", path.display())))?;
    let range = &manifest.job.settings.range;
    if !range.from.is_empty() || !range.to.is_empty() {
        let text = format!("{}: repeating a run of a range is not built yet", path.display());
        return Err(Failure::usage(anyhow!(text)));
    }
    Ok(Old { path, manifest })
}

impl Old {
    /// The job that it records; the new run goes beside the old one.
    pub(super) fn authored(&self, base: &Path) -> Result<Authored, Failure> {
        let mut authored = Authored::of_run(&self.manifest, base).map_err(Failure::usage)?;
        let manifest = std::path::absolute(&self.path).map_err(Failure::usage)?;
        let beside = manifest.ancestors().nth(2).unwrap_or(Path::new("/"));
        authored.set_text("output.dir", &beside.to_string_lossy()).map_err(Failure::usage)?;
        Ok(authored)
    }

    /// Its subset.
    pub(super) fn keys(&self) -> Option<Vec<String>> {
        self.manifest.job.settings.keys.clone()
    }

    /// Its limit.
    pub(super) fn limit(&self) -> Option<u64> {
        self.manifest.job.settings.range.limit
    }

    /// Whether it recorded a SHA-256 of its objects.
    pub(super) fn is_attested(&self) -> bool {
        self.manifest.input.objects.iter().any(|object| object.sha256.is_some())
    }

    /// Whether it went on from a snapshot, and which.
    pub(super) fn snapshot(&self) -> Option<&str> {
        self.manifest.from_snapshot.as_ref().map(|from| from.name.as_str())
    }
}

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
    pub(super) fn new(old: &Old, new: &Manifest) -> Self {
        let old = &old.manifest;
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
