//! A job as it goes into a manifest, and back: what decides a result stands there typed, the rest
//! as a person would write it.

use super::authored::Authored;
use super::error::JobError;
use super::resolved::Resolved;
use super::settings::{KAFKA, SETTINGS};
use crate::source::Format;
use retally_core::manifest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The settings that say where in an event, or in names beside it, key, id and time lie.
pub(crate) const READS: [&str; 5] =
    ["source.key", "source.id", "source.time", "source.time_unit", "source.layout"];

impl Resolved {
    /// What of this job decides no result but is needed to ask for the run again, by key.
    pub fn written(&self) -> BTreeMap<String, Value> {
        let of_table = SETTINGS.iter().filter_map(|setting| {
            let value = (setting.written)(self)?;
            Some((setting.key.to_owned(), value))
        });
        let gates = self.gates.written().into_iter().map(|(key, value)| (key, value.into()));
        let kafka = self.source.kafka.iter();
        let kafka =
            kafka.map(|(name, value)| (format!("{KAFKA}.{name}"), value.to_string().into()));
        of_table.chain(gates).chain(kafka).collect()
    }

    /// Where it looks for key, id and time, by key: what a snapshot is bound to beside its
    /// settings.
    pub fn reads(&self) -> BTreeMap<String, String> {
        let written = self.written();
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            list => list.to_string(),
        };
        // The others say the same of the same events.
        let format = Some("source.format").filter(|_| self.source.format == Format::Raw);
        let all = READS.iter().copied().chain(format);
        let all = all.filter_map(|name| Some((name, written.get(name)?)));
        all.map(|(name, value)| (name.to_owned(), text(value))).collect()
    }
}

impl Authored {
    /// The job of a run, from its manifest, to ask for the run again; relative paths start at
    /// `base`, which the manifest does not tell. The reducer must be the same bytes. Which keys and
    /// which range of the log were taken is not part of a job.
    pub fn of_run(run: &manifest::Manifest, base: &Path) -> Result<Self, JobError> {
        let mut authored = Self::empty("manifest.json").at(base);
        for (key, value) in &run.job.written {
            match value {
                Value::String(text) => authored.set_text(key, text)?,
                // A list of texts is written in TOML as in JSON.
                list => authored.set(key, &list.to_string())?,
            }
        }
        let settings = serde_json::to_value(&run.job.settings).unwrap_or_default();
        for setting in SETTINGS.iter().filter(|setting| setting.is_digested) {
            let value = settings[setting.name()].as_str().unwrap_or_default();
            if setting.key != "job.order" || run.job.settings.sort.is_none() {
                authored.set_text(setting.key, value)?;
            }
        }
        if let Some(sort) = &run.job.settings.sort {
            let by = serde_json::to_string(&sort.by).unwrap_or_default();
            authored.set("job.order.sort", &by)?;
            if let Some(within) = &sort.within {
                authored.set_text("job.order.within", within)?;
            }
        }
        for param in run.job.settings.params.iter().filter(|param| !param.is_default) {
            if let Some(value) = &param.value {
                authored.set_text(&format!("params.{}", param.name), value)?;
            }
        }
        authored.set_text("job.reducer.sha256", &run.reducer.sha256.to_string())?;
        Ok(authored)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{resolve, whole};
    use super::*;
    use retally_core::digest::{Digests, Hash};
    use retally_core::manifest::{
        Counts, Engine, Input, Job, Manifest, ManifestFormat, Marks, Param, Range, ReducerId,
        Settings, Totals,
    };
    use retally_core::schema::Kind;

    fn run_of(job: &Resolved) -> Manifest {
        let zero = Hash([0; 32]);
        let param = |(name, text): (&str, &str)| Param {
            name: name.into(),
            kind: Kind::Decimal { scale: 2 },
            value: Some(text.into()),
            is_default: false,
        };
        let settings = Settings {
            order: job.order,
            sort: job.sort.clone(),
            window: job.window,
            on_conflict: job.on_conflict,
            on_trap: job.on_trap,
            untrusted: job.allowance(),
            params: job.params.iter().map(param).collect(),
            keys: None,
            sample: None,
            range: Range::default(),
            ledger: Vec::new(),
        };
        Manifest {
            format: ManifestFormat::CURRENT,
            retally: String::new(),
            marks: Marks::default(),
            run_digest: zero,
            seal: zero,
            digests: Digests { outcomes: zero, views: zero, states: zero, violations: zero },
            counts: Counts::default(),
            since_start: None,
            totals: Totals::default(),
            partitions: Vec::new(),
            positions: zero,
            from_snapshot: None,
            range: None,
            passed_over: Vec::new(),
            reducer: ReducerId {
                name: "orders".into(),
                version: "1".into(),
                sha256: Hash([7; 32]),
                contract: String::new(),
                state_version: 1,
                layout: String::new(),
            },
            shapes: zero,
            job: Job { digest: zero, settings, written: job.written() },
            input_digest: zero,
            input: Input::default(),
            engine: Engine::default(),
            control: Value::Null,
            files: Vec::new(),
        }
    }

    #[test]
    fn a_run_can_be_asked_for_again_from_its_manifest() {
        let gates = "[gates]\nrejected = \"5%\"\n[[expect]]\ntotal = \"net\"\nequals = 0.00\n";
        let job = resolve(&(whole() + gates)).unwrap();
        let bytes = run_of(&job).to_bytes().unwrap();
        let run = Manifest::from_bytes(&bytes).unwrap();
        let again = Resolved::new(&Authored::of_run(&run, Path::new("/jobs")).unwrap()).unwrap();
        assert_eq!(again.written(), job.written());
        assert_eq!((again.reducer, again.base), (job.reducer, job.base));
        assert_eq!((again.source, again.ledger), (job.source, job.ledger));
        assert_eq!(again.gates.written(), job.gates.written());
        assert_eq!((again.order, again.window), (job.order, job.window));
        assert_eq!((again.on_conflict, again.on_trap), (job.on_conflict, job.on_trap));
        let (then, now): (Vec<_>, Vec<_>) =
            (job.params.iter().collect(), again.params.iter().collect());
        assert_eq!(then, now);
    }
}
