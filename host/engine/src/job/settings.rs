//! Every setting of a job, once: what may stand there, where it goes, whether it is digested and
//! how it is written back. Reading, hints, overriding, resolving and the manifest's `written`
//! follow from this table; `default.toml` says for people what each is for, and holds the defaults.
//! A test holds the two together.

use super::authored::{Place, Raw};
use super::error::{JobError, near};
use super::given::{
    FORMATS, Given, LATE, ON_CONFLICT, ON_TRAP, ORDERS, TIME_UNITS, UNTRUSTED, word,
};
use super::properties;
use super::resolved::{KIND, Resolved, Snapshots};
use super::units;
use crate::kafka::Topic;
use crate::source::Layout;
use retally_core::decode::Address;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A setting of a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// Section and key, such as `dedup.window`; of `[[expect]]` without its number.
    pub(super) key: &'static str,
    /// Whether it can decide a result: then it is one of the manifest's settings, of this name.
    pub(super) is_digested: bool,
    /// What to do when nothing is written.
    pub(super) required: Option<&'static str>,
    /// What it takes, for messages.
    pub(super) expected: &'static str,
    takes_list: bool,
    takes_bare: bool,
    /// Puts a value in its place.
    pub(super) read: Read,
    /// The value as a job would write it, of what decides no result but is needed to ask for the
    /// run again.
    pub(super) written: fn(&Resolved) -> Option<Value>,
}

type Read = fn(&mut Resolved, &Given<'_>) -> Result<(), JobError>;

/// The section that stands any number of times. Its keys bear the number: `expect.1.total`.
pub(super) const EXPECT: &str = "expect";

/// The section whose keys are those of the client of Kafka.
pub(super) const KAFKA: &str = "source.kafka";

/// The section whose keys the reducer declares.
pub(super) const PARAMS: &str = "params";

/// All settings. The one of `[params]` stands for all that a reducer declares; [`super::Gates`]
/// reads those of `[gates]` and `[[expect]]` as a whole.
pub(super) static SETTINGS: &[Setting] = &[
    text("job.name", |job, given| given.put(&mut job.name, owned))
        .written(|job| Some(job.name.as_str().into())),
    text("job.reducer", |job, given| given.put(&mut job.reducer.path, owned))
        .required("name the reducer's file")
        .expected("a string or { path = \"...\", sha256 = \"...\" }")
        .written(|job| Some(shown(&job.reducer.path))),
    // Another name of it, which leaves the hash as it is.
    text("job.reducer.path", NOWHERE),
    text("job.reducer.sha256", |job, given| given.put(&mut job.reducer.sha256, units::hash)),
    // Among the settings of a manifest stands what follows of it.
    text("job.untrusted", |job, given| given.word(&mut job.untrusted, UNTRUSTED))
        .bare("true or false")
        .written(|job| word(job.untrusted, UNTRUSTED).filter(|_| job.untrusted)),
    text("job.order", |job, given| given.word(&mut job.order, ORDERS))
        .expected("a string or { sort = [\"time\", \"/seq\"], within = \"dt={date}\" }")
        .digested(),
    // In place of a word. They stand among the settings of a manifest, as the order does.
    text("job.order.sort", |job, given| given.sort(job)).list("a list of strings"),
    text("job.order.within", |job, given| given.within(job)),
    text("job.ledger", |job, given| given.put(&mut job.ledger, path))
        .written(|job| job.ledger.as_deref().map(shown)),
    text("source.url", |job, given| given.log(&mut job.source))
        .required("name a file, a folder or a glob")
        .list("a string, or a list of an archive and its topic")
        .written(|job| match &job.source.topic {
            None => Some(job.source.url.as_str().into()),
            Some(topic) => Some(vec![job.source.url.as_str(), topic].into()),
        }),
    text("source.format", |job, given| given.word(&mut job.source.format, FORMATS))
        .written(|job| word(job.source.format, FORMATS)),
    text("source.layout", |job, given| given.put(&mut job.source.layout, Layout::parse))
        .written(|job| job.source.layout.as_ref().map(|layout| layout.as_written().into())),
    text("source.key", |job, given| given.keys(&mut job.source))
        .list("a string or a list of strings")
        .written(|job| match job.source.addressing.key.as_slice() {
            [] => None,
            key => Some(key.iter().map(address).collect()),
        }),
    text("source.id", |job, given| given.address(&mut job.source.addressing.id, job.source.format))
        .written(|job| Some(address(&job.source.addressing.id))),
    text("source.time", |job, given| given.time(&mut job.source))
        .required("say where an event's time lies")
        .written(|job| Some(address(&job.source.addressing.time))),
    text("source.time_unit", |job, given| {
        given.word(&mut job.source.addressing.time_unit, TIME_UNITS)
    })
    .written(|job| word(job.source.addressing.time_unit?, TIME_UNITS)),
    // [`super::properties`] reads them as a whole.
    text(KAFKA, NOWHERE).bare(properties::EXPECTED),
    text("source.registry.url", |job, given| given.put(&mut job.source.registry.url, owned))
        .written(|job| job.source.registry.url.as_deref().map(Value::from)),
    text("source.registry.user", |job, given| given.put(&mut job.source.registry.user, owned))
        .written(|job| job.source.registry.user.as_deref().map(Value::from)),
    text("source.registry.password", |job, given| {
        given.put(&mut job.source.registry.password, properties::secret)
    })
    .expected("{ env = \"NAME\" } or { file = \"PATH\" }")
    .written(|job| job.source.registry.password.as_ref().map(|own| own.to_string().into())),
    text("source.registry.ca", |job, given| given.put(&mut job.source.registry.ca, path))
        .written(|job| job.source.registry.ca.as_deref().map(shown)),
    text("source.registry.folder", |job, given| given.put(&mut job.source.registry.folder, path))
        .written(|job| job.source.registry.folder.as_deref().map(shown)),
    text("source.late", |job, given| given.word(&mut job.source.late, LATE))
        .written(|job| word(job.source.late, LATE)),
    text("dedup.window", |job, given| given.put(&mut job.window, units::window)).digested(),
    text("dedup.on_conflict", |job, given| given.word(&mut job.on_conflict, ON_CONFLICT))
        .digested(),
    text("params.*", NOWHERE).bare("a string, a number, a boolean or a time"),
    text("limits.memory", |job, given| given.put(&mut job.limits.memory_bytes, units::size))
        .expected(SIZE),
    text("limits.deadline", |job, given| given.put(&mut job.limits.deadline, units::duration))
        .expected("a string with a unit, such as \"10s\""),
    text("limits.host_memory", |job, given| {
        given.put(&mut job.limits.host_memory_bytes, units::size)
    })
    .expected(SIZE),
    text("limits.on_trap", |job, given| given.word(&mut job.on_trap, ON_TRAP)).digested(),
    text("output.dir", |job, given| {
        given.url()?;
        given.put(&mut job.output, owned)
    }),
    text("snapshots.url", |job, given| {
        given.url()?;
        given.put(&mut job.snapshots, |url| Ok(Snapshots::new(url)))
    }),
    text("snapshots.every", |job, given| match &mut job.snapshots {
        Some(snapshots) => given.put(&mut snapshots.every, units::every),
        None => given.put(&mut None, units::every),
    })
    .expected("a string, \"end\" or \"1000000 events\""),
    text("publish.emits", |job, given| given.put(&mut job.publish.emits, topic)),
    text("publish.views", |job, given| given.put(&mut job.publish.views, topic)),
    text("publish.refused", |job, given| given.put(&mut job.publish.refused, topic)),
    text("live.group", |job, given| given.put(&mut job.live.group, owned)),
    text("live.interval", |job, given| given.put(&mut job.live.interval, units::duration))
        .expected("a string with a unit, such as \"100ms\""),
    text("gates.malformed", NOWHERE).bare(LIMIT),
    text("gates.ignored", NOWHERE).bare(LIMIT),
    text("gates.duplicates", NOWHERE).bare(LIMIT),
    text("gates.conflicts", NOWHERE).bare(LIMIT),
    text("gates.rejected", NOWHERE).bare(LIMIT),
    text("gates.quarantined", NOWHERE).bare(LIMIT),
    text("gates.violations", NOWHERE).bare(LIMIT),
    text("gates.earliest", NOWHERE).bare(TIME_LIMIT),
    text("gates.latest", NOWHERE).bare(TIME_LIMIT),
    text("expect.total", NOWHERE),
    text("expect.emit", NOWHERE),
    text("expect.by", NOWHERE),
    text("expect.of", NOWHERE).bare(BOUND),
    text("expect.equals", NOWHERE).bare(BOUND),
    text("expect.at_least", NOWHERE).bare(BOUND),
    text("expect.at_most", NOWHERE).bare(BOUND),
];

const NOWHERE: Read = |_, _| Ok(());
const SIZE: &str = "a string with a unit, such as \"256MiB\"";
const LIMIT: &str = "a whole number, or a share such as \"0.1%\"";
const TIME_LIMIT: &str = "a day such as \"2024-01-31\", or a time such as \"2024-01-31T12:00:00Z\"";
const BOUND: &str = "a string or a number, such as \"0.00\"";

const fn text(key: &'static str, read: Read) -> Setting {
    Setting {
        key,
        is_digested: false,
        required: None,
        expected: "a string",
        takes_list: false,
        takes_bare: false,
        read,
        written: |_| None,
    }
}

impl Setting {
    const fn required(self, hint: &'static str) -> Self {
        Self { required: Some(hint), ..self }
    }

    const fn digested(self) -> Self {
        Self { is_digested: true, ..self }
    }

    const fn expected(self, expected: &'static str) -> Self {
        Self { expected, ..self }
    }

    const fn list(self, expected: &'static str) -> Self {
        Self { expected, takes_list: true, ..self }
    }

    const fn bare(self, expected: &'static str) -> Self {
        Self { expected, takes_bare: true, ..self }
    }

    const fn written(self, written: fn(&Resolved) -> Option<Value>) -> Self {
        Self { written, ..self }
    }

    /// Its name within its section, as it stands in a manifest's settings.
    pub(super) fn name(&self) -> &'static str {
        self.key.rsplit('.').next().unwrap_or_default()
    }

    /// Its section.
    pub(super) fn section(&self) -> &'static str {
        self.key.split('.').next().unwrap_or_default()
    }

    /// Whether such a value may stand in a job file. On the command line nothing is quoted.
    pub(super) fn takes(&self, raw: &Raw, is_in_file: bool) -> bool {
        match raw {
            Raw::Text(_) => true,
            Raw::Bare(_) => self.takes_bare || !is_in_file,
            Raw::List(_) => self.takes_list,
        }
    }
}

/// The setting that a key names, with the number of its section or without.
///
/// # Errors
/// [`JobError::Unknown`] with the nearest that exists.
pub(super) fn find(whole: &str, place: &Place) -> Result<&'static Setting, JobError> {
    let unknown = |what, near| Err(JobError::Unknown { place: place.clone(), what, near });
    let bare = numbered(whole).map(|(_, name)| format!("{EXPECT}.{name}"));
    if bare.is_none() && whole.starts_with("expect.") {
        // Which of them is meant must be said.
        let name = whole.rsplit('.').next().unwrap_or_default();
        return unknown(format!("key {whole:?}"), Some(format!("{EXPECT}.1.{name}")));
    }
    let key = bare.as_deref().unwrap_or(whole);
    let is_it = |setting: &&Setting| match setting.section() {
        PARAMS => key.rsplit_once('.').is_some_and(|(section, _)| section == PARAMS),
        _ if setting.key == KAFKA => key.strip_prefix(KAFKA).is_some_and(|k| k.starts_with('.')),
        _ => setting.key == key,
    };
    if let Some(setting) = SETTINGS.iter().find(is_it) {
        return Ok(setting);
    }
    let Some((section, name)) = key.rsplit_once('.') else {
        let near = near(key, SETTINGS.iter().map(|setting| setting.key));
        return unknown(format!("key {key:?}"), near);
    };
    let inside = |setting: &Setting| setting.key.strip_prefix(section)?.strip_prefix('.');
    let names: Vec<_> = SETTINGS.iter().filter_map(inside).collect();
    if names.is_empty() {
        let near = near(section, SETTINGS.iter().map(Setting::section));
        return unknown(format!("section [{section}]"), near);
    }
    let section = if section == EXPECT { format!("[[{section}]]") } else { format!("[{section}]") };
    unknown(format!("key {name:?} in {section}"), near(name, names.into_iter()))
}

/// Number and rest of a key such as `expect.1.total`.
pub(super) fn numbered(key: &str) -> Option<(usize, &str)> {
    let (number, rest) = key.strip_prefix(EXPECT)?.strip_prefix('.')?.split_once('.')?;
    Some((number.parse().ok().filter(|number| *number > 0)?, rest))
}

fn owned(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

fn topic(name: &str) -> Result<String, String> {
    Topic::check(&name.replace(KIND, "kind")).map(|()| name.to_owned())
}

fn shown(path: &Path) -> Value {
    Value::String(path.display().to_string())
}

fn address(address: &Address) -> Value {
    match address {
        Address::Path(path) => path.as_str().into(),
        Address::Position => "@position".into(),
    }
}
