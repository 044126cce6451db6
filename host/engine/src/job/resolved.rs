//! What will run: a job with every value typed and every default in place.

use super::authored::{Authored, Raw, Written};
use super::error::{JobError, near};
use super::gates::Gates;
use super::params::Params;
use super::units;
use crate::source::Format;
use retally_core::decode::{Address, Addressing, TimeUnit};
use retally_core::dedup::Window;
use retally_core::digest::Hash;
use retally_core::log::Order;
use retally_core::reduce::{OnConflict, OnTrap};
use retally_core::schema::Description;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A job that can run, as far as can be told without the log and the reducer.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Name of the job in messages: its file.
    pub origin: String,
    /// Folder at which relative paths and URLs start.
    pub base: PathBuf,
    /// Name of the job in reports.
    pub name: String,
    /// The reducer.
    pub reducer: ReducerFile,
    /// How events of several partitions follow one another.
    pub order: Order,
    /// The ledger, as written.
    pub ledger: Option<PathBuf>,
    /// The log.
    pub source: Source,
    /// How long an id is remembered.
    pub window: Window,
    /// What happens when key and id were seen with other content.
    pub on_conflict: OnConflict,
    /// What happens when an event makes the reducer trap, every time.
    pub on_trap: OnTrap,
    /// Values for the reducer, to be typed by what it declares.
    pub params: Params,
    /// Bounds of the machine; they decide no result.
    pub limits: Limits,
    /// Folder in which runs get their folders, as written.
    pub output: PathBuf,
    /// Where and when snapshots are saved; none: never.
    pub snapshots: Option<Snapshots>,
    /// What a replay may come to.
    pub gates: Gates,
}

/// Where the reducer lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReducerFile {
    /// Its file, as written.
    pub path: PathBuf,
    /// What its bytes must hash to.
    pub sha256: Option<Hash>,
}

/// Where the log lies and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `file:` URL or bare path, as written.
    pub url: String,
    /// What its objects hold.
    pub format: Format,
    /// Where key, id and time lie. No part of a key: every input must name its own.
    pub addressing: Addressing,
}

/// Bounds of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory of one instance of the reducer, in bytes.
    pub memory_bytes: u64,
    /// CPU time of one call.
    pub deadline: Duration,
    /// Memory for ids and states, in bytes; none: the engine looks at the machine.
    pub host_memory_bytes: Option<u64>,
}

/// Where and when snapshots are saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshots {
    /// Folder of the snapshots, as written.
    pub url: String,
    /// How often.
    pub every: Every,
}

/// How often a snapshot is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Once, at the end of the run.
    End,
    /// After so many events, and at the end.
    Events(u64),
}

impl Resolved {
    /// Types what was written and fills in the defaults.
    ///
    /// # Errors
    /// The first value that makes no sense, is not built yet, or is missing.
    pub fn new(authored: &Authored) -> Result<Self, JobError> {
        let keys = Keys { authored, defaults: &Authored::defaults()? };
        let path = match keys.written("job.reducer.path") {
            Some(path) => path,
            None => keys.required("job.reducer", "name the reducer's file")?,
        };
        let reducer = PathBuf::from(path.text());
        let stem = reducer.file_stem().map(|s| s.to_string_lossy().into_owned());
        Ok(Self {
            origin: authored.origin().to_owned(),
            base: authored.base().to_path_buf(),
            name: keys.text("job.name").or(stem).unwrap_or_default(),
            reducer: ReducerFile { sha256: keys.read("job.reducer.sha256", hash)?, path: reducer },
            order: keys.choose("job.order", ORDERS)?,
            ledger: keys.text("job.ledger").map(PathBuf::from),
            window: keys.window()?,
            on_conflict: keys.choose("dedup.on_conflict", ON_CONFLICT)?,
            source: keys.source()?,
            on_trap: keys.choose("limits.on_trap", ON_TRAP)?,
            params: Params::new(authored),
            limits: keys.limits()?,
            output: keys.required("output.dir", "name a folder")?.text().into(),
            snapshots: keys.snapshots()?,
            gates: Gates::new(authored)?,
        })
    }

    /// Where a path of this job lies: below [`Resolved::base`] unless it is absolute.
    pub fn path(&self, written: &Path) -> PathBuf {
        self.base.join(written)
    }

    /// Whether every event of this reducer has a key: an input's own, or the job's.
    ///
    /// # Errors
    /// [`JobError::Missing`] with the first input that has none.
    pub fn check_keys(&self, reducer: &Description) -> Result<(), JobError> {
        let without = reducer.inputs.iter().find(|input| input.key.is_empty());
        match without {
            Some(input) if self.source.addressing.key.is_empty() => {
                let why = format!("input `{}` of the reducer names no key of its own", input.name);
                let hint = format!("{why}: write key = \"/account_id\", or where the key lies");
                Err(JobError::Missing { origin: self.origin.clone(), key: "source.key", hint })
            }
            _ => Ok(()),
        }
    }
}

const ORDERS: &[(&str, Option<Order>)] =
    &[("log", Some(Order::Log)), ("path", Some(Order::Path)), ("time", None)];
const FORMATS: &[(&str, Option<Format>)] = &[
    ("json", Some(Format::Json)),
    ("parquet", Some(Format::Parquet)),
    ("avro", None),
    ("raw", None),
];
const ON_CONFLICT: &[(&str, Option<OnConflict>)] =
    &[("keep-first", Some(OnConflict::KeepFirst)), ("stop", Some(OnConflict::Stop))];
const ON_TRAP: &[(&str, Option<OnTrap>)] =
    &[("stop", Some(OnTrap::Stop)), ("reject", Some(OnTrap::Reject))];
const TIME_UNITS: &[(&str, Option<TimeUnit>)] = &[
    ("s", Some(TimeUnit::Seconds)),
    ("ms", Some(TimeUnit::Millis)),
    ("us", Some(TimeUnit::Micros)),
];
const SCHEMES_TO_COME: &[&str] = &["s3", "gs", "az", "hdfs", "kafka"];

/// Written values and defaults, looked up by key.
struct Keys<'a> {
    authored: &'a Authored,
    defaults: &'a Authored,
}

impl<'a> Keys<'a> {
    fn written(&self, key: &str) -> Option<&'a Written> {
        self.authored.get(key).or_else(|| self.defaults.get(key))
    }

    fn text(&self, key: &str) -> Option<String> {
        self.written(key).map(|written| written.text().to_owned())
    }

    fn required(&self, key: &'static str, hint: &str) -> Result<&'a Written, JobError> {
        self.written(key).ok_or_else(|| {
            let origin = self.authored.origin().to_owned();
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            let hint = format!("{hint}: `{name}` in [{section}]");
            JobError::Missing { origin, key, hint }
        })
    }

    /// The value of `key` through `read`, whose error is a sentence.
    fn read<T>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, JobError> {
        let Some(written) = self.written(key) else { return Ok(None) };
        read(written.text()).map(Some).map_err(|why| wrong(written, key, why))
    }

    /// One of several words. A word without a meaning is one that is not built yet.
    fn choice<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, Option<T>)],
    ) -> Result<Option<T>, JobError> {
        let Some(written) = self.written(key) else { return Ok(None) };
        let text = written.text();
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, Some(meaning))) => Ok(Some(*meaning)),
            Some((_, None)) => Err(not_built(written, key, format!("{text:?}"), "")),
            None => {
                let built = words.iter().filter(|(_, meaning)| meaning.is_some());
                let list: Vec<_> = built.map(|(word, _)| format!("{word:?}")).collect();
                let near = near(text, words.iter().map(|(word, _)| *word));
                let near = near.map_or_else(String::new, |n| format!("; did you mean {n:?}?"));
                let why = format!("{text:?} is none of {}{near}", list.join(", "));
                Err(wrong(written, key, why))
            }
        }
    }

    /// As [`Keys::choice`], for a key that has a default.
    fn choose<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, Option<T>)],
    ) -> Result<T, JobError> {
        self.required(key, "choose a value")?;
        match self.choice(key, words)? {
            Some(meaning) => Ok(meaning),
            None => unreachable!("a value that is there was read or refused"),
        }
    }

    fn window(&self) -> Result<Window, JobError> {
        let key = "dedup.window";
        let written = self.required(key, "choose a window")?;
        match written.text() {
            "all" => Ok(Window::All),
            "off" => Ok(Window::Off),
            text => units::span(text).map(Window::Span).map_err(|_| {
                let why =
                    format!("{text:?} is neither \"all\" nor \"off\" nor a span such as \"7d\"");
                wrong(written, key, why)
            }),
        }
    }

    fn source(&self) -> Result<Source, JobError> {
        let url = self.required("source.url", "name a file, a folder or a glob")?;
        check_scheme(url, "source.url", "a file, a folder or a glob is (\"file:data/\")")?;
        let format = self.choose("source.format", FORMATS)?;
        let mut key = Vec::new();
        if let Some(written) = self.written("source.key") {
            for part in written.parts() {
                key.push(address(written, "source.key", part, format)?);
            }
            if key.is_empty() {
                let why = "an empty list is no key; leave it out if every input names its own";
                return Err(wrong(written, "source.key", why.into()));
            }
            if key.contains(&Address::Position) {
                let why = "a position is no key: it would be another one for every event";
                return Err(wrong(written, "source.key", why.into()));
            }
        }
        let time = self.required("source.time", "say where an event's time lies")?;
        let id = match self.written("source.id") {
            Some(id) => address(id, "source.id", id.text(), format)?,
            None => self.no_id()?,
        };
        let time = match address(time, "source.time", time.text(), format)? {
            Address::Position => {
                let why = "a position is no time".to_owned();
                return Err(wrong(time, "source.time", why));
            }
            path => path,
        };
        let time_unit = self.choice("source.time_unit", TIME_UNITS)?;
        let addressing = Addressing { key, id, time, time_unit };
        Ok(Source { url: url.text().to_owned(), format, addressing })
    }

    /// Without an id an event is known by its position, and there is nothing to de-duplicate by.
    fn no_id(&self) -> Result<Address, JobError> {
        if self.window()? == Window::Off {
            return Ok(Address::Position);
        }
        let origin = self.authored.origin().to_owned();
        let hint =
            "write id = \"/event_id\" in [source], or window = \"off\" in [dedup] if events \
                    have no id and a duplicate may count twice"
                .to_owned();
        Err(JobError::Missing { origin, key: "source.id", hint })
    }

    fn limits(&self) -> Result<Limits, JobError> {
        let (memory, deadline) = ("limits.memory", "limits.deadline");
        self.required(memory, "write a size")?;
        self.required(deadline, "write a span of time")?;
        let micros = self.read(deadline, units::span)?.unwrap_or_default();
        Ok(Limits {
            memory_bytes: self.read(memory, units::size)?.unwrap_or_default(),
            deadline: Duration::from_micros(micros.unsigned_abs()),
            host_memory_bytes: self.read("limits.host_memory", units::size)?,
        })
    }

    fn snapshots(&self) -> Result<Option<Snapshots>, JobError> {
        let every = self.read("snapshots.every", every)?.unwrap_or(Every::End);
        let Some(url) = self.written("snapshots.url") else { return Ok(None) };
        check_scheme(url, "snapshots.url", "a folder is (\"file:snapshots/\")")?;
        Ok(Some(Snapshots { url: url.text().to_owned(), every }))
    }
}

impl Written {
    /// The value as text; of a list the first part.
    pub(super) fn text(&self) -> &str {
        match &self.raw {
            Raw::Text(text) | Raw::Bare(text) => text,
            Raw::List(list) => list.first().map_or("", String::as_str),
        }
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        let (one, list): (_, &[String]) = match &self.raw {
            Raw::Text(text) | Raw::Bare(text) => (Some(text), &[]),
            Raw::List(list) => (None, list),
        };
        one.into_iter().chain(list).map(String::as_str)
    }
}

fn wrong(written: &Written, key: &str, why: String) -> JobError {
    JobError::Value { place: written.place.clone(), key: key.to_owned(), why }
}

fn not_built(written: &Written, key: &str, what: String, instead: &'static str) -> JobError {
    JobError::NotBuilt { place: written.place.clone(), key: key.to_owned(), what, instead }
}

fn check_scheme(written: &Written, key: &str, built: &'static str) -> Result<(), JobError> {
    let text = written.text();
    if text.is_empty() {
        return Err(wrong(written, key, "it is empty".into()));
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    match scheme {
        None | Some("file") => Ok(()),
        // A colon may stand in a file's name: what no scheme looks like is a path.
        Some(s)
            if s.len() == 1
                || !s.starts_with(|c: char| c.is_ascii_alphabetic())
                || !s.chars().all(plain) =>
        {
            Ok(())
        }
        Some(s) if SCHEMES_TO_COME.contains(&s) => {
            Err(not_built(written, key, format!("{s}:"), built))
        }
        Some(s) => {
            let all = ["file"].iter().chain(SCHEMES_TO_COME).copied();
            let near = near(s, all).map_or_else(String::new, |n| format!("; did you mean {n:?}?"));
            Err(wrong(written, key, format!("{s:?} is no URL scheme that is known{near}")))
        }
    }
}

/// A JSON pointer, a column, or one of the words that begin with `@`.
fn address(written: &Written, key: &str, text: &str, format: Format) -> Result<Address, JobError> {
    if text == "@position" {
        return Ok(Address::Position);
    }
    if matches!(text, "@key" | "@timestamp") || text.starts_with("@header:") {
        let what = format!("{text:?} (of Kafka records)");
        return Err(not_built(written, key, what, "a JSON pointer or a column is"));
    }
    if text.starts_with('@') {
        let words = ["@position", "@key", "@timestamp", "@header:"];
        let near = near(text, words.into_iter());
        let near = near.map_or_else(String::new, |n| format!("; did you mean {n:?}?"));
        return Err(wrong(written, key, format!("{text:?} is no address{near}")));
    }
    if text.starts_with('/') {
        return Ok(Address::Path(text.to_owned()));
    }
    if text.is_empty() || format == Format::Json {
        let why = format!("{text:?} is no JSON pointer; write \"/{text}\"");
        return Err(wrong(written, key, why));
    }
    // A bare column name, escaped as JSON pointers are.
    Ok(Address::Path(format!("/{}", text.replace('~', "~0").replace('/', "~1"))))
}

fn every(text: &str) -> Result<Every, String> {
    if text == "end" {
        return Ok(Every::End);
    }
    let wrong = || format!("{text:?} is neither \"end\" nor such as \"1000000 events\"");
    let number = text.strip_suffix("events").or(text.strip_suffix("event")).ok_or_else(wrong)?;
    match number.trim().replace('_', "").parse() {
        Ok(0) | Err(_) => Err(wrong()),
        Ok(events) => Ok(Every::Events(events)),
    }
}

fn hash(text: &str) -> Result<Hash, String> {
    let wrong = || format!("{text:?} is no SHA-256; write its 64 hexadecimal digits");
    let text = text.strip_prefix("sha256:").unwrap_or(text);
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(Hash(bytes))
}
