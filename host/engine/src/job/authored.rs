//! What a person wrote: the keys of a job file and of the command line, each with its place, none
//! of them judged yet beyond its name and type.

use super::DEFAULT_TOML;
use super::error::{JobError, near};
use super::gates::takes_bare;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// A job as written. Values of the command line stand in place of the file's.
#[derive(Debug, Clone, Default)]
pub struct Authored {
    origin: String,
    base: PathBuf,
    values: BTreeMap<String, Written>,
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a job file.
    File {
        /// The file, as the person named it.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// On the command line, or by a program.
    Set {
        /// The key.
        key: String,
    },
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The value.
    pub raw: Raw,
    /// Where it stands.
    pub place: Place,
}

/// A value as written. Numbers keep their digits: `1000.00` must not pass through a float.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// A string.
    Text(String),
    /// A number, a boolean or a time, as its text. `--set` gives this for everything unquoted.
    Bare(String),
    /// A list of strings.
    List(Vec<String>),
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Text,
    TextOrList,
}

/// Every key that exists, but for those of `[params]`, which the reducer declares.
const KEYS: &[(&str, Takes)] = &[
    ("job.name", Takes::Text),
    ("job.reducer", Takes::Text),
    ("job.reducer.path", Takes::Text),
    ("job.reducer.sha256", Takes::Text),
    ("job.order", Takes::Text),
    ("job.ledger", Takes::Text),
    ("source.url", Takes::Text),
    ("source.format", Takes::Text),
    ("source.key", Takes::TextOrList),
    ("source.id", Takes::Text),
    ("source.time", Takes::Text),
    ("source.time_unit", Takes::Text),
    ("dedup.window", Takes::Text),
    ("dedup.on_conflict", Takes::Text),
    ("limits.memory", Takes::Text),
    ("limits.deadline", Takes::Text),
    ("limits.host_memory", Takes::Text),
    ("limits.on_trap", Takes::Text),
    ("output.dir", Takes::Text),
    ("snapshots.url", Takes::Text),
    ("snapshots.every", Takes::Text),
    ("gates.malformed", Takes::Text),
    ("gates.ignored", Takes::Text),
    ("gates.duplicates", Takes::Text),
    ("gates.conflicts", Takes::Text),
    ("gates.rejected", Takes::Text),
    ("gates.quarantined", Takes::Text),
    ("gates.violations", Takes::Text),
    ("expect.total", Takes::Text),
    ("expect.emit", Takes::Text),
    ("expect.by", Takes::Text),
    ("expect.of", Takes::Text),
    ("expect.equals", Takes::Text),
    ("expect.at_least", Takes::Text),
    ("expect.at_most", Takes::Text),
];

const SECTIONS: &[&str] =
    &["job", "source", "dedup", "params", "limits", "output", "snapshots", "gates", EXPECT];

/// The section that stands any number of times. Its keys bear the number: `expect.1.total`.
const EXPECT: &str = "expect";

/// The section whose keys the reducer declares.
const PARAMS: &str = "params";

impl Authored {
    /// Reads a job file. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// [`JobError`] with file, line and the nearest valid key.
    pub fn load(path: &Path) -> Result<Self, JobError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| JobError::Read { file: file.clone(), source })?;
        let base = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Self::parse(&text, &file, &base)
    }

    /// Reads the text of a job file that would be called `file`; relative paths start at `base`.
    ///
    /// # Errors
    /// As [`Authored::load`].
    pub fn parse(text: &str, file: &str, base: &Path) -> Result<Self, JobError> {
        let line = |at: usize| 1 + text[..at.min(text.len())].matches('\n').count();
        let place = |at| Place::File { file: file.to_owned(), line: line(at) };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let message = error.message().replace('\n', ", ");
            JobError::Syntax { place: place(at), message }
        })?;
        let mut authored = Self { base: base.into(), ..Self::empty(file) };
        for (section, value) in table.get_ref() {
            authored.section(section.as_ref(), section.span().start, value.get_ref(), &place)?;
        }
        Ok(authored)
    }

    /// A job of which nothing is written yet: for programs that embed the engine, and for runs that
    /// have no job file. `origin` names it in messages; relative paths start at the working
    /// directory.
    pub fn empty(origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..Self::default() }
    }

    /// The same job with relative paths that start at `base`.
    #[must_use]
    pub fn at(mut self, base: &Path) -> Self {
        self.base = base.to_path_buf();
        self
    }

    /// The defaults, as [`DEFAULT_TOML`] writes them.
    ///
    /// # Errors
    /// Never, as a test shows.
    pub(super) fn defaults() -> Result<Self, JobError> {
        Self::parse(DEFAULT_TOML, "default.toml", Path::new(""))
    }

    /// Sets one key in place of what the file says: `set("source.url", "file:data/")`. The value of
    /// a key that takes a list may be written as in TOML: `["/a", "/b"]`.
    ///
    /// # Errors
    /// An unknown key, or a list where none is taken.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), JobError> {
        let place = Place::Set { key: key.to_owned() };
        self.put(key, parse_set(value), place)
    }

    /// As [`Authored::set`], for a value that is this text and nothing else.
    ///
    /// # Errors
    /// An unknown key.
    pub fn set_text(&mut self, key: &str, value: &str) -> Result<(), JobError> {
        let place = Place::Set { key: key.to_owned() };
        self.put(key, Raw::Bare(value.to_owned()), place)
    }

    /// As [`Authored::set`], from one argument of the form `key=value`.
    ///
    /// # Errors
    /// As [`Authored::set`], and when there is no `=`.
    pub fn set_pair(&mut self, pair: &str) -> Result<(), JobError> {
        let (key, value) = pair.split_once('=').ok_or_else(|| JobError::Set(pair.to_owned()))?;
        self.set(key.trim(), value.trim())
    }

    /// What is written for `key`, such as `source.url`.
    pub fn get(&self, key: &str) -> Option<&Written> {
        self.values.get(key)
    }

    /// What is written in `[params]`, by name.
    pub(super) fn params(&self) -> impl Iterator<Item = (&str, &Written)> {
        let prefix = "params.";
        self.values.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value)))
    }

    /// Numbers of the `[[expect]]` of which anything is written, ascending.
    pub(super) fn expectations(&self) -> BTreeSet<usize> {
        self.values.keys().filter_map(|key| Some(numbered(key)?.0)).collect()
    }

    /// Folder at which relative paths start.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Name of the job in messages.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    fn section(
        &mut self,
        name: &str,
        at: usize,
        value: &DeValue<'_>,
        place: &dyn Fn(usize) -> Place,
    ) -> Result<(), JobError> {
        if !SECTIONS.contains(&name) {
            let what = match value {
                DeValue::Table(_) => format!("section [{name}]"),
                _ => format!("key {name:?} outside of any section"),
            };
            let near = near(name, SECTIONS.iter().copied());
            return Err(JobError::Unknown { place: place(at), what, near });
        }
        if name == EXPECT {
            return self.expect(at, value, place);
        }
        let DeValue::Table(table) = value else {
            let (key, expected, found) = (name.to_owned(), "a section", type_of(value));
            return Err(JobError::Type { place: place(at), key, expected, found });
        };
        for (key, value) in table {
            let at = place(key.span().start);
            self.entry(&format!("{name}.{}", key.get_ref()), value.get_ref(), at, place)?;
        }
        Ok(())
    }

    fn expect(
        &mut self,
        at: usize,
        value: &DeValue<'_>,
        place: &dyn Fn(usize) -> Place,
    ) -> Result<(), JobError> {
        let wrong = |found| {
            let (key, expected) = (EXPECT.to_owned(), "a section that begins with [[expect]]");
            JobError::Type { place: place(at), key, expected, found }
        };
        let DeValue::Array(list) = value else { return Err(wrong(type_of(value))) };
        for (number, value) in (1..).zip(list) {
            let DeValue::Table(table) = value.get_ref() else {
                return Err(wrong(type_of(value.get_ref())));
            };
            if table.is_empty() {
                return Err(wrong("one without a key"));
            }
            for (key, value) in table {
                let at = place(key.span().start);
                let key = format!("{EXPECT}.{number}.{}", key.get_ref());
                self.entry(&key, value.get_ref(), at, place)?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        key: &str,
        value: &DeValue<'_>,
        at: Place,
        place: &dyn Fn(usize) -> Place,
    ) -> Result<(), JobError> {
        // The one key that takes a table: `reducer = { path = "...", sha256 = "..." }`.
        if let (DeValue::Table(table), "job.reducer") = (value, key) {
            for (inner, value) in table {
                let at = place(inner.span().start);
                self.entry(&format!("{key}.{}", inner.get_ref()), value.get_ref(), at, place)?;
            }
            return Ok(());
        }
        known(key, &at)?;
        let raw = raw(value).ok_or_else(|| JobError::Type {
            place: at.clone(),
            key: key.to_owned(),
            expected: expected(key),
            found: type_of(value),
        })?;
        let takes_bare = key.starts_with("params.") || takes_bare(&plain(key));
        if let (Raw::Bare(_), false) = (&raw, takes_bare) {
            let (key, expected, found) = (key.to_owned(), expected(key), type_of(value));
            return Err(JobError::Type { place: at, key, expected, found });
        }
        self.put(key, raw, at)
    }

    fn put(&mut self, key: &str, raw: Raw, place: Place) -> Result<(), JobError> {
        let takes = known(key, &place)?;
        if let (Raw::List(_), Takes::Text) = (&raw, takes) {
            let (key, expected, found) = (key.to_owned(), expected(key), "a list");
            return Err(JobError::Type { place, key, expected, found });
        }
        // Two ways to name the reducer; the later one counts alone.
        if key == "job.reducer" {
            self.values.remove("job.reducer.path");
            self.values.remove("job.reducer.sha256");
        }
        if key == "job.reducer.path" {
            self.values.remove("job.reducer");
        }
        self.values.insert(key.to_owned(), Written { raw, place });
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Set { key } => write!(f, "--set {key}"),
        }
    }
}

/// Every key that exists, but for params.
#[cfg(test)]
pub(super) fn all_keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(key, _)| *key)
}

/// Number and rest of a key such as `expect.1.total`.
fn numbered(key: &str) -> Option<(usize, &str)> {
    let (number, rest) = key.strip_prefix(EXPECT)?.strip_prefix('.')?.split_once('.')?;
    Some((number.parse().ok().filter(|number| *number > 0)?, rest))
}

/// The key without the number of its section.
fn plain(key: &str) -> Cow<'_, str> {
    match numbered(key) {
        Some((_, rest)) => format!("{EXPECT}.{rest}").into(),
        None => key.into(),
    }
}

/// What the key takes, or the error that names the nearest one.
fn known(key: &str, place: &Place) -> Result<Takes, JobError> {
    let whole = plain(key);
    if key.starts_with("expect.") && numbered(key).is_none() {
        // Which of them is meant must be said.
        let (what, name) = (format!("key {key:?}"), key.rsplit('.').next().unwrap_or_default());
        let near = Some(format!("{EXPECT}.1.{name}"));
        return Err(JobError::Unknown { place: place.clone(), what, near });
    }
    let key = &*whole;
    if let Some((_, takes)) = KEYS.iter().find(|(known, _)| *known == key) {
        return Ok(*takes);
    }
    let place = place.clone();
    let Some((section, name)) = key.rsplit_once('.') else {
        let near = near(key, KEYS.iter().map(|(known, _)| *known));
        return Err(JobError::Unknown { place, what: format!("key {key:?}"), near });
    };
    if section == PARAMS {
        return Ok(Takes::Text);
    }
    let inside = |known: &'static str| known.strip_prefix(section)?.strip_prefix('.');
    let names: Vec<_> = KEYS.iter().filter_map(|(known, _)| inside(known)).collect();
    if names.is_empty() {
        let near = near(section, SECTIONS.iter().copied());
        return Err(JobError::Unknown { place, what: format!("section [{section}]"), near });
    }
    let near = near(name, names.into_iter());
    let section = if section == EXPECT { format!("[[{section}]]") } else { format!("[{section}]") };
    Err(JobError::Unknown { place, what: format!("key {name:?} in {section}"), near })
}

fn expected(key: &str) -> &'static str {
    match key {
        "job.reducer" => "a string or { path = \"...\", sha256 = \"...\" }",
        "source.key" => "a string or a list of strings",
        "limits.memory" | "limits.host_memory" => "a string with a unit, such as \"256MiB\"",
        "limits.deadline" => "a string with a unit, such as \"10s\"",
        _ if key.starts_with("gates.") => "a whole number, or a share such as \"0.1%\"",
        _ if takes_bare(&plain(key)) => "a string or a number, such as \"0.00\"",
        "snapshots.every" => "a string, \"end\" or \"1000000 events\"",
        _ if key.starts_with("params.") => "a string, a number, a boolean or a time",
        _ => "a string",
    }
}

fn raw(value: &DeValue<'_>) -> Option<Raw> {
    Some(match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Boolean(b) => Raw::Bare(b.to_string()),
        // `as_str` is free of underscores; another base than ten is kept visible, and refused
        // later.
        DeValue::Integer(i) if i.radix() == 10 => Raw::Bare(i.as_str().to_owned()),
        DeValue::Integer(i) => Raw::Bare(i.to_string()),
        DeValue::Float(x) => Raw::Bare(x.as_str().to_owned()),
        DeValue::Datetime(time) => Raw::Bare(time.to_string()),
        DeValue::Array(list) => {
            let text = |v: &DeValue<'_>| v.as_str().map(str::to_owned);
            Raw::List(list.iter().map(|v| text(v.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Table(_) => return None,
    })
}

/// A value of the command line: as in TOML where it is quoted or a list, else as it stands.
fn parse_set(value: &str) -> Raw {
    let as_toml = value.starts_with(['"', '\'', '[']);
    let parsed = as_toml.then(|| DeValue::parse(value).ok()).flatten();
    parsed.and_then(|v| raw(v.get_ref())).unwrap_or_else(|| Raw::Bare(value.to_owned()))
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
