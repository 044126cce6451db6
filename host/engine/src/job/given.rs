//! A value on its way from what was written into a job: typed, or refused with its place and what
//! would be right.

use super::authored::{Raw, Written};
use super::error::{JobError, near};
use super::resolved::{Late, Resolved, Source};
use crate::kafka::Topic;
use crate::source::{Format, Layout};
use crate::store::{Named, Scheme, StoreError};
use retally_core::decode::{Address, Beside, TimeUnit, is_of_path};
use retally_core::log::{Order, Sort};
use retally_core::reduce::{OnConflict, OnTrap};
use serde_json::Value;

/// Words and what they mean. One without a meaning is not built yet.
pub(super) type Words<T> = &'static [(&'static str, Option<T>)];

pub(super) const ORDERS: Words<Order> =
    &[("log", Some(Order::Log)), ("path", Some(Order::Path)), ("time", Some(Order::Time))];
pub(super) const FORMATS: Words<Format> = &[
    ("json", Some(Format::Json)),
    ("parquet", Some(Format::Parquet)),
    ("avro", Some(Format::Avro)),
    ("raw", Some(Format::Raw)),
];
pub(super) const ON_CONFLICT: Words<OnConflict> =
    &[("keep-first", Some(OnConflict::KeepFirst)), ("stop", Some(OnConflict::Stop))];
pub(super) const ON_TRAP: Words<OnTrap> =
    &[("stop", Some(OnTrap::Stop)), ("reject", Some(OnTrap::Reject))];
pub(super) const UNTRUSTED: Words<bool> = &[("false", Some(false)), ("true", Some(true))];
pub(super) const LATE: Words<Late> =
    &[("refuse", Some(Late::Refuse)), ("rewind", Some(Late::Rewind))];
pub(super) const TIME_UNITS: Words<TimeUnit> = &[
    ("s", Some(TimeUnit::Seconds)),
    ("ms", Some(TimeUnit::Millis)),
    ("us", Some(TimeUnit::Micros)),
];

/// What an event is sorted by that is its time, wherever that lies.
const SORTED_BY_TIME: &str = "time";

/// What `@path:` takes without a name.
const OF_PATH_MIN: usize = "@path:".len();

/// The word for a meaning.
pub(super) fn word<T: PartialEq>(meaning: T, words: Words<T>) -> Option<Value> {
    let known = words.iter().find(|(_, known)| known.as_ref() == Some(&meaning));
    known.map(|(word, _)| (*word).into())
}

/// A value that was written for a key.
pub(super) struct Given<'a> {
    /// The key, for messages.
    pub(super) key: &'a str,
    /// The value and its place.
    pub(super) written: &'a Written,
}

impl Given<'_> {
    /// The value through `read`, whose error is a sentence.
    pub(super) fn put<T, V: Into<T>>(
        &self,
        into: &mut T,
        read: fn(&str) -> Result<V, String>,
    ) -> Result<(), JobError> {
        *into = read(self.written.text()).map_err(|why| self.wrong(why))?.into();
        Ok(())
    }

    /// One of several words.
    pub(super) fn word<T, V: Into<T> + Copy>(
        &self,
        into: &mut T,
        words: Words<V>,
    ) -> Result<(), JobError> {
        let text = self.written.text();
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, Some(meaning))) => *into = (*meaning).into(),
            Some((_, None)) => return Err(self.not_built(text)),
            None => {
                let built = words.iter().filter(|(_, meaning)| meaning.is_some());
                let list: Vec<_> = built.map(|(word, _)| format!("{word:?}")).collect();
                let meant = meant(text, words.iter().map(|(word, _)| *word));
                let why = format!("{text:?} is none of {}{meant}", list.join(", "));
                return Err(self.wrong(why));
            }
        }
        Ok(())
    }

    /// By what events are sorted.
    pub(super) fn sort(&self, job: &mut Resolved) -> Result<(), JobError> {
        let terms = match &self.written.raw {
            Raw::List(list) => list.as_slice(),
            Raw::Text(text) | Raw::Bare(text) => std::slice::from_ref(text),
        };
        if terms.is_empty() {
            return Err(self.wrong("an empty list sorts nothing; [\"time\"] is one that does"));
        }
        let term = |text: &String| match (text.as_str(), self.read_address(text, Format::Json)?) {
            (SORTED_BY_TIME, _) => Ok(text.clone()),
            (_, Address::Path(path)) => Ok(path),
            (_, Address::Position) => Err(self.wrong(
                "events whose values are the same stand by their positions anyway, so \
                 \"@position\" is left out",
            )),
        };
        let by = terms.iter().map(term).collect::<Result<_, _>>()?;
        job.order = Order::Sort;
        job.sort = Some(Sort { by, within: None });
        Ok(())
    }

    /// The folders within which events are sorted.
    pub(super) fn within(&self, job: &mut Resolved) -> Result<(), JobError> {
        let text = self.written.text().trim_end_matches('/');
        let layout = Layout::parse(text).map_err(|why| self.wrong(why))?;
        if layout.joins() {
            return Err(self.wrong("it names folders, and no file: \"dt={date}\""));
        }
        match &mut job.sort {
            Some(sort) => sort.within = Some(text.to_owned()),
            None => return Err(self.wrong("it goes with `sort`: by what events are sorted")),
        }
        Ok(())
    }

    /// The parts of a key.
    pub(super) fn keys(&self, source: &mut Source) -> Result<(), JobError> {
        let parts = match &self.written.raw {
            Raw::List(list) => list.as_slice(),
            Raw::Text(text) | Raw::Bare(text) => std::slice::from_ref(text),
        };
        if parts.is_empty() {
            let why = "an empty list is no key; leave it out if every input names its own";
            return Err(self.wrong(why));
        }
        let parts = parts.iter().map(|part| self.read_address(part, source.format));
        source.addressing.key = parts.collect::<Result<_, _>>()?;
        if source.addressing.key.contains(&Address::Position) {
            let why = "a position is no key: it would be another one for every event";
            return Err(self.wrong(why));
        }
        Ok(())
    }

    /// Where an event's time lies.
    pub(super) fn time(&self, source: &mut Source) -> Result<(), JobError> {
        self.address(&mut source.addressing.time, source.format)?;
        match &source.addressing.time {
            Address::Position => Err(self.wrong("a position is no time")),
            Address::Path(_) => Ok(()),
        }
    }

    /// Where a value lies.
    pub(super) fn address(&self, into: &mut Address, format: Format) -> Result<(), JobError> {
        *into = self.read_address(self.written.text(), format)?;
        Ok(())
    }

    /// A JSON pointer, the name of a member or a column, or one of the words that begin with `@`.
    fn read_address(&self, text: &str, format: Format) -> Result<Address, JobError> {
        if text == "@position" {
            return Ok(Address::Position);
        }
        if Beside::of(text).is_some() {
            return Ok(Address::Path(text.to_owned()));
        }
        if is_of_path(text) && text.len() > OF_PATH_MIN {
            return Ok(Address::Path(text.to_owned()));
        }
        if text.starts_with('@') {
            let known = ["@position", "@path:dt", "@key", "@timestamp", "@header:id"];
            let meant = meant(text, known.into_iter());
            return Err(self.wrong(format!("{text:?} is no address{meant}")));
        }
        if text.starts_with('/') && format != Format::Raw
            || text.is_empty() && format == Format::Raw
        {
            return Ok(Address::Path(text.to_owned()));
        }
        if format == Format::Raw {
            return Err(self.wrong(format!(
                "{text:?} is a part of an event, and with format = \"raw\" an event is its bytes: \
                 \"\" is all of it, \"@path:dt\" the value of a folder, \"@key\" the key of a \
                 record, \"@position\" its place"
            )));
        }
        // The name of a column may hold anything; that of a member is told from a pointer by this.
        if text.is_empty() || format == Format::Json && text.contains('/') {
            return Err(self.wrong(format!("{text:?} is no JSON pointer; write \"/{text}\"")));
        }
        // A bare name of a member or a column, escaped as JSON pointers are.
        Ok(Address::Path(format!("/{}", text.replace('~', "~0").replace('/', "~1"))))
    }

    /// Where the log lies: one URL, or those of an archive and of its topic.
    pub(super) fn log(&self, source: &mut Source) -> Result<(), JobError> {
        let all = match &self.written.raw {
            Raw::List(list) => list.as_slice(),
            Raw::Text(text) | Raw::Bare(text) => std::slice::from_ref(text),
        };
        for url in all {
            match Scheme::of(url) {
                Scheme::Kafka => {
                    Topic::of(url).map_err(|error| self.wrong(error.to_string()))?;
                }
                _ => self.place(url)?,
            }
        }
        let is_topic = |url: &String| Scheme::of(url) == Scheme::Kafka;
        match all {
            [url] => (source.url, source.topic) = (url.clone(), None),
            [archive, topic] if is_topic(topic) && !is_topic(archive) => {
                (source.url, source.topic) = (archive.clone(), Some(topic.clone()));
            }
            _ => {
                return Err(self.wrong(
                    "of several URLs the first is that of an archive, and the second that of the \
                     topic that goes on where the archive ends: [\"s3://bucket/orders/\", \
                     \"kafka://HOST:PORT/orders\"]; name files in several places by a pattern",
                ));
            }
        }
        Ok(())
    }

    /// Refuses a URL that names no place.
    pub(super) fn url(&self) -> Result<(), JobError> {
        self.place(self.written.text())
    }

    fn place(&self, text: &str) -> Result<(), JobError> {
        if text.is_empty() {
            return Err(self.wrong("it is empty"));
        }
        match Scheme::of(text) {
            Scheme::File => Ok(()),
            Scheme::Store(_) | Scheme::Kafka => match Named::by(text) {
                Err(StoreError::BadUrl { url, why }) => {
                    Err(self.wrong(format!("`{url}` cannot be read as a URL: {why}")))
                }
                named => named.map(|_| ()).map_err(|error| self.wrong(error.to_string())),
            },
            Scheme::Unknown(scheme) => {
                let meant = meant(&scheme, Scheme::ALL.into_iter());
                Err(self.wrong(format!("{scheme:?} is no URL scheme that is known{meant}")))
            }
        }
    }

    fn wrong(&self, why: impl Into<String>) -> JobError {
        let (place, key) = (self.written.place.clone(), self.key.to_owned());
        JobError::Value { place, key, why: why.into() }
    }

    fn not_built(&self, what: &str) -> JobError {
        self.wrong(format!("{what:?} is not built yet"))
    }
}

/// A question at the end of a sentence, if a word is near.
fn meant<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> String {
    near(text, words).map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}
