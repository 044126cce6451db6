//! What a person wrote: the keys of a job file and of the command line, each with its place, none
//! of them judged yet beyond its name and type.

use super::DEFAULT_TOML;
use super::error::{JobError, near};
use super::properties;
use super::settings::{self, EXPECT, KAFKA, SETTINGS, Setting, numbered};
use crate::bounded;
use crate::limits::JOB_MAX_BYTES;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// A job as written. Values of the command line stand in place of the file's.
#[derive(Debug, Clone, Default)]
pub struct Authored {
    origin: String,
    base: PathBuf,
    pub(super) values: BTreeMap<String, Written>,
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

/// How an expectation must stand there.
const EXPECTED: &str = "a section that begins with [[expect]]";

impl Authored {
    /// Reads a job file. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// [`JobError`] with file, line and the nearest valid key.
    pub fn load(path: &Path) -> Result<Self, JobError> {
        let file = path.display().to_string();
        let text = bounded::read_text(path, JOB_MAX_BYTES).map_err(|source| JobError::Read {
            what: "job file",
            file: file.clone(),
            source,
        })?;
        let base = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Self::parse(&text, &file, &base)
    }

    /// Reads the text of a job file that would be called `file`; relative paths start at `base`.
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
            let (name, at) = (section.as_ref(), place(section.span().start));
            authored.section(name, at, value.get_ref(), &place)?;
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

    /// What holds where nothing is written.
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
        self.put(key, Some(parse_set(value)), "a list", place)
    }

    /// As [`Authored::set`], for a value that is this text and nothing else.
    pub fn set_text(&mut self, key: &str, value: &str) -> Result<(), JobError> {
        let place = Place::Set { key: key.to_owned() };
        self.put(key, Some(Raw::Bare(value.to_owned())), "a text", place)
    }

    /// As [`Authored::set`], from one argument of the form `key=value`.
    pub fn set_pair(&mut self, pair: &str) -> Result<(), JobError> {
        let (key, value) = pair.split_once('=').ok_or_else(|| JobError::Set(pair.to_owned()))?;
        self.set(key.trim(), value.trim())
    }

    /// What is written for `key`, such as `source.url`.
    pub fn get(&self, key: &str) -> Option<&Written> {
        self.values.get(key)
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
        at: Place,
        value: &DeValue<'_>,
        place: &dyn Fn(usize) -> Place,
    ) -> Result<(), JobError> {
        let sections = || SETTINGS.iter().map(Setting::section);
        if !sections().any(|section| section == name) {
            let what = match value {
                DeValue::Table(_) => format!("section [{name}]"),
                _ => format!("key {name:?} outside of any section"),
            };
            return Err(JobError::Unknown { place: at, what, near: near(name, sections()) });
        }
        let wrong = |expected, found| {
            Err(JobError::Type { place: at.clone(), key: name.to_owned(), expected, found })
        };
        let list = match value {
            DeValue::Table(table) if name != EXPECT => return self.table(name, table, place),
            DeValue::Array(list) if name == EXPECT => list,
            other if name != EXPECT => return wrong("a section", type_of(other)),
            other => return wrong(EXPECTED, type_of(other)),
        };
        for (number, value) in (1..).zip(list) {
            match value.get_ref() {
                DeValue::Table(table) if table.is_empty() => {
                    return wrong(EXPECTED, "one without a key");
                }
                DeValue::Table(table) => self.table(&format!("{name}.{number}"), table, place)?,
                other => return wrong(EXPECTED, type_of(other)),
            }
        }
        Ok(())
    }

    fn table(
        &mut self,
        section: &str,
        table: &DeTable<'_>,
        place: &dyn Fn(usize) -> Place,
    ) -> Result<(), JobError> {
        for (key, value) in table {
            let (at, key) = (place(key.span().start), format!("{section}.{}", key.get_ref()));
            match (value.get_ref(), key.as_str()) {
                // The keys that take a table: `reducer = { path = "...", sha256 = "..." }`, and
                // `order = { sort = [...], within = "..." }`; a section within a section.
                (DeValue::Table(inner), "job.reducer" | "job.order" | "source.registry") => {
                    self.table(&key, inner, place)?;
                }
                (DeValue::Table(inner), "source.registry.password") => {
                    let own = properties::elsewhere(inner);
                    let own = own.map(|property| Raw::Text(property.to_string()));
                    self.put(&key, own, "a table of other names", at)?;
                }
                (DeValue::Table(inner), KAFKA) => {
                    let mut all = Vec::new();
                    properties::flat(&key, inner, &mut all).map_err(|(key, found, at)| {
                        let (place, expected) = (place(at), properties::EXPECTED);
                        JobError::Type { place, key, expected, found }
                    })?;
                    for (key, raw, at) in all {
                        self.put(&key, Some(raw), "", place(at))?;
                    }
                }
                (value, KAFKA) => {
                    let (expected, found) = ("a section", type_of(value));
                    return Err(JobError::Type { place: at, key, expected, found });
                }
                (value, _) => self.put(&key, raw(value), type_of(value), at)?,
            }
        }
        Ok(())
    }

    fn put(
        &mut self,
        key: &str,
        raw: Option<Raw>,
        found: &'static str,
        place: Place,
    ) -> Result<(), JobError> {
        let setting = settings::find(key, &place)?;
        let is_in_file = matches!(place, Place::File { .. });
        let Some(raw) = raw.filter(|raw| setting.takes(raw, is_in_file)) else {
            let (key, expected) = (key.to_owned(), setting.expected);
            return Err(JobError::Type { place, key, expected, found });
        };
        let key = match key {
            "job.reducer.path" => "job.reducer",
            _ => key,
        };
        // Another reducer, of which nothing more is known.
        if setting.key == "job.reducer" {
            self.values.remove("job.reducer.sha256");
        }
        // One order in place of another.
        if setting.key == "job.order" {
            self.values.retain(|key, _| !key.starts_with("job.order."));
        } else if setting.key == "job.order.sort" {
            self.values.remove("job.order");
        }
        self.values.insert(key.to_owned(), Written { raw, place });
        Ok(())
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
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Set { key } => write!(f, "--set {key}"),
        }
    }
}

/// A value as it is written; none of a table, or of a list of anything but texts.
pub(crate) fn raw(value: &DeValue<'_>) -> Option<Raw> {
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

/// What a value is, for messages.
pub(crate) fn type_of(value: &DeValue<'_>) -> &'static str {
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
