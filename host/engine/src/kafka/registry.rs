//! Schemas by their ids: from a registry that speaks as Confluent's does, or from a folder in which
//! the schema with id 7 is the file `7.avsc`. A schema never changes once it has an id, so each is
//! asked for once.

use crate::avro::{Schema, schema_of};
use crate::bounded;
use crate::cancel::Cancel;
use crate::limits::AVRO_HEADER_MAX_BYTES;
use crate::log::LogError;
use crate::store::{Asker, Http};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Where schemas are, and those that are known.
pub struct Schemas {
    at: At,
    /// Fields that somebody reads: a schema in which one of them cannot be read is refused.
    read: Vec<String>,
    known: Mutex<BTreeMap<u32, Arc<Schema>>>,
}

enum At {
    Folder(PathBuf),
    Registry(Registry),
}

/// A registry, and how it is reached.
pub struct Registry {
    asker: Asker,
    url: String,
    login: Option<(String, String)>,
    cancel: Cancel,
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Folder(folder) => f.debug_tuple("Schemas").field(folder).finish(),
            At::Registry(registry) => f.debug_tuple("Schemas").field(&registry.url).finish(),
        }
    }
}

/// Why there is no schema of an id.
#[derive(Debug)]
pub(super) enum NoSchema {
    /// Nobody has it.
    Missing(u32, String),
    /// It is there, and this reader is not made for it.
    Unread(u32, String),
    /// Whoever has it does not let anybody in.
    Refused(u32, String),
    /// Whoever has it does not answer.
    Silent(u32, String),
    /// Somebody asked to stop.
    Cancelled,
}

impl NoSchema {
    /// What it means for the run; `at`: where the record lies that names it.
    pub(super) fn told(&self, at: &str) -> LogError {
        match self {
            Self::Missing(id, why) => {
                LogError::usage(format!("{at} names schema {id}, which is not there: {why}"))
            }
            Self::Unread(id, why) => {
                LogError::usage(format!("{at} names schema {id}, which cannot be read: {why}"))
            }
            Self::Refused(id, why) => {
                LogError::usage(format!("{at} names schema {id}, which nobody gives: {why}"))
            }
            Self::Cancelled => LogError::new(format!(
                "{at} names a schema, which is not asked for any more: stopped on request"
            )),
            Self::Silent(id, why) => LogError::new(format!(
                "{at} names schema {id}, and the registry does not answer ({why}): look whether it \
                 runs and is reachable from here, then run again"
            )),
        }
    }
}

impl Registry {
    /// The registry at `url`, reached by `http`, which lets in who shows this name and password,
    /// and is waited for until somebody asks to stop.
    ///
    /// # Errors
    /// A URL that cannot be asked, or certificates that are none.
    pub fn new(
        url: &str,
        login: Option<(String, String)>,
        http: &Http,
        cancel: &Cancel,
    ) -> Result<Self, LogError> {
        let wrong = |why: &str| LogError::usage(format!("[source.registry] url: {why}"));
        let parsed = url::Url::parse(url).ok().filter(url::Url::has_host);
        let parsed = parsed.ok_or_else(|| wrong("it is no URL; write `https://HOST:PORT`"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(wrong("a user stands in it; write `user` and `password` beside it"));
        }
        let is_here = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match parsed.scheme() {
            "https" => {}
            "http" if login.is_none() || is_here => {}
            "http" => return Err(wrong("a password goes to `https:` alone")),
            _ => return Err(wrong("it begins neither with `https:` nor with `http:`")),
        }
        let asker = Asker::new(http).map_err(|why| wrong(&format!("it cannot be asked: {why}")))?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { asker, url, login, cancel: cancel.clone() })
    }

    /// The text of a schema.
    fn get(&self, id: u32) -> Result<Vec<u8>, NoSchema> {
        let (url, login) = (format!("{}/schemas/ids/{id}", self.url), self.login.as_ref());
        let answer = self.asker.get(&url, login, (AVRO_HEADER_MAX_BYTES, &self.cancel));
        let answer = answer.map_err(|why| match self.cancel.is_cancelled() {
            true => NoSchema::Cancelled,
            false => NoSchema::Silent(id, why),
        })?;
        match answer.status {
            200 => {}
            404 => {
                let why = format!(
                    "the registry at {} has none of this id; look whether it is that of the topic",
                    self.url
                );
                return Err(NoSchema::Missing(id, why));
            }
            status @ (401 | 403) => {
                let why = format!(
                    "the registry at {} answers {status}: look whether `user` and `password` in \
                     [source.registry] are right, and may read",
                    self.url
                );
                return Err(NoSchema::Refused(id, why));
            }
            status => return Err(NoSchema::Silent(id, format!("it answers {status}"))),
        }
        let unread = |why: &str| NoSchema::Unread(id, why.to_owned());
        let value: Value = serde_json::from_slice(&answer.body)
            .map_err(|_| unread("the registry's answer is no JSON"))?;
        if value.get("references").and_then(Value::as_array).is_some_and(|all| !all.is_empty()) {
            return Err(unread(
                "it refers to other schemas; write it as one, with all that it has, into a folder \
                 ([source.registry] folder)",
            ));
        }
        match value.get("schemaType").and_then(Value::as_str) {
            None | Some("AVRO") => {}
            Some(other) => return Err(unread(&format!("it is one of {other}, not of Avro"))),
        }
        let text = value.get("schema").and_then(Value::as_str);
        text.map(|text| text.as_bytes().to_vec())
            .ok_or_else(|| unread("the registry's answer has no `schema`"))
    }
}

impl Schemas {
    /// From a folder; `read`: the fields that somebody reads.
    pub fn of_folder(folder: PathBuf, read: Vec<String>) -> Self {
        Self { at: At::Folder(folder), read, known: Mutex::default() }
    }

    /// From a registry, likewise.
    pub fn of_registry(registry: Registry, read: Vec<String>) -> Self {
        Self { at: At::Registry(registry), read, known: Mutex::default() }
    }

    /// The schema of an id.
    pub(super) fn get(&self, id: u32) -> Result<Arc<Schema>, NoSchema> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = known.get(&id) {
            return Ok(schema.clone());
        }
        let text = match &self.at {
            At::Folder(folder) => of_file(&folder.join(format!("{id}.avsc")), id)?,
            At::Registry(registry) => registry.get(id)?,
        };
        let schema = schema_of(&text, &self.read).map_err(|why| NoSchema::Unread(id, why))?;
        known.insert(id, schema.clone());
        Ok(schema)
    }
}

fn of_file(path: &std::path::Path, id: u32) -> Result<Vec<u8>, NoSchema> {
    bounded::read(path, AVRO_HEADER_MAX_BYTES).map_err(|error| match error.kind() {
        ErrorKind::NotFound => NoSchema::Missing(
            id,
            format!(
                "there is no {}; put the schema there ([source.registry] folder)",
                path.display()
            ),
        ),
        _ => NoSchema::Unread(id, format!("{}: {error}", path.display())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_cannot_be_asked_is_told_without_what_stands_in_it() {
        let cancel = Cancel::default();
        let login = || Some(("me".to_owned(), "SECRET".to_owned()));
        for (url, login, says) in [
            ("nonsense", None, "it is no URL"),
            ("https://me:SECRET@host:1", None, "a user stands in it"),
            ("http://host:8081", login(), "`https:` alone"),
            ("ftp://host:8081", None, "neither with"),
        ] {
            let error = Registry::new(url, login, &Http::default(), &cancel).map(drop).unwrap_err();
            let told = error.to_string();
            assert!(error.is_usage() && told.contains(says), "{told}");
            assert!(told.starts_with("[source.registry] url: ") && !told.contains("SECRET"));
        }
        assert!(Registry::new("http://127.0.0.1:1/", login(), &Http::default(), &cancel).is_ok());
    }
}
