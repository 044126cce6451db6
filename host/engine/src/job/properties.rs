//! `[source.kafka]`: properties of the client of Kafka by their own names, which are not ours to
//! know, and secrets, which stand elsewhere: in a variable of the environment or in a file.

use super::authored::{Authored, raw, type_of};
use super::error::JobError;
use super::settings::KAFKA;
use crate::bounded;
use crate::log::LogError;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// Bytes of a file with a secret.
const SECRET_MAX_BYTES: u64 = 64 << 10;

/// What a value of a job is that stands elsewhere.
pub(super) const EXPECTED: &str =
    "a string, a number, true, false, { env = \"NAME\" } or { file = \"PATH\" }";

/// A property's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// It stands in the job.
    Plain(String),
    /// It is that of a variable of the environment.
    Env(String),
    /// It is what a file holds, without a line end behind it.
    File(String),
}

/// As a job has it.
impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.write_str(text),
            Self::Env(name) => write!(f, "{{ env = {name:?} }}"),
            Self::File(path) => write!(f, "{{ file = {path:?} }}"),
        }
    }
}

/// How variables of the environment are read, by whoever may read it.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Property {
    /// The value that `text` stands for, which is as a job has it.
    pub(super) fn of(text: &str) -> Option<Self> {
        if !text.starts_with('{') {
            return Some(Self::Plain(text.to_owned()));
        }
        match DeValue::parse(text).ok()?.get_ref() {
            DeValue::Table(table) => elsewhere(table),
            _ => None,
        }
    }

    /// The value; `name` for messages.
    ///
    /// # Errors
    /// A variable that is not set, a file that cannot be read.
    pub(crate) fn value(
        &self,
        name: &str,
        base: &Path,
        environment: Environment<'_>,
    ) -> Result<String, LogError> {
        let lacks = |why: String| LogError::usage(format!("{name}: {why}"));
        match self {
            Self::Plain(text) => Ok(text.clone()),
            Self::Env(variable) => environment(variable).ok_or_else(|| {
                lacks(format!("the environment has no {variable}: set it, then run again"))
            }),
            Self::File(path) => {
                let text = bounded::read_text(&base.join(path), SECRET_MAX_BYTES);
                let text = text.map_err(|e| lacks(format!("{path} cannot be read: {e}")))?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
            }
        }
    }
}

/// A secret, which stands elsewhere.
///
/// # Errors
/// One that stands in the job, or a reference that is none.
pub(super) fn secret(text: &str) -> Result<Property, String> {
    match Property::of(text) {
        Some(Property::Plain(_)) => Err(HIDE.to_owned()),
        Some(property) => Ok(property),
        None => Err(REFER.to_owned()),
    }
}

const HIDE: &str = "a secret does not stand in a job; write { env = \"NAME\" }, and set that \
                    variable of the environment, or { file = \"PATH\" }";

const REFER: &str = "write { env = \"NAME\" } or { file = \"PATH\" }";

/// What a table says that a value is elsewhere.
pub(super) fn elsewhere(table: &DeTable<'_>) -> Option<Property> {
    let mut all = table.iter();
    let (key, value) = all.next().filter(|_| table.len() == 1)?;
    let text = value.get_ref().as_str()?.to_owned();
    match key.get_ref().as_ref() {
        "env" => Some(Property::Env(text)),
        "file" => Some(Property::File(text)),
        _ => None,
    }
}

/// A table of properties as keys and texts; names with points in them are tables in tables, unless
/// they are quoted.
///
/// # Errors
/// The name of one whose value is none, and what it is.
pub(super) fn flat(
    front: &str,
    table: &DeTable<'_>,
    all: &mut Vec<(String, super::authored::Raw, usize)>,
) -> Result<(), (String, &'static str, usize)> {
    use super::authored::Raw;
    for (key, value) in table {
        let (name, at) = (format!("{front}.{}", key.get_ref()), key.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => match elsewhere(inner) {
                Some(property) => all.push((name, Raw::Text(property.to_string()), at)),
                None if inner.is_empty() => return Err((name, "an empty table", at)),
                None => flat(&name, inner, all)?,
            },
            DeValue::Array(_) => return Err((name, type_of(value.get_ref()), at)),
            other => match raw(other) {
                Some(raw) => all.push((name, raw, at)),
                None => return Err((name, type_of(other), at)),
            },
        }
    }
    Ok(())
}

/// Whether the value of a property lets its owner in, so that it must not stand in a job, which is
/// kept, sent around and copied into manifests.
fn is_secret(name: &str) -> bool {
    let words = ["password", "passphrase", "secret", "key.pem", "jaas", "oauthbearer.config"];
    words.iter().any(|word| name.contains(word))
}

/// The properties of a job.
///
/// # Errors
/// A secret that stands in the job; a reference that is none.
pub(super) fn properties(authored: &Authored) -> Result<BTreeMap<String, Property>, JobError> {
    let own = |key: &str| Some(key.strip_prefix(KAFKA)?.strip_prefix('.')?.to_owned());
    let mut all = BTreeMap::new();
    for (key, written) in &authored.values {
        let Some(name) = own(key) else { continue };
        let wrong = |why: &str| JobError::Value {
            place: written.place.clone(),
            key: key.clone(),
            why: why.to_owned(),
        };
        let property = Property::of(written.text()).ok_or_else(|| wrong(REFER))?;
        if matches!(property, Property::Plain(_)) && is_secret(&name) {
            return Err(wrong(HIDE));
        }
        all.insert(name, property);
    }
    Ok(all)
}

/// The values of properties; paths of files start at `base`.
///
/// # Errors
/// The first that cannot be had.
pub(crate) fn values(
    properties: &BTreeMap<String, Property>,
    base: &Path,
    environment: Environment<'_>,
) -> Result<BTreeMap<String, String>, LogError> {
    let value = |(name, property): (&String, &Property)| {
        let told = format!("[{KAFKA}] `{name}`");
        Ok((name.clone(), property.value(&told, base, environment)?))
    };
    properties.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::super::resolved::Resolved;
    use super::super::tests::{resolve, whole};
    use super::*;

    fn with(properties: &str) -> Result<BTreeMap<String, Property>, String> {
        let text = format!("{}\n[source.kafka]\n{properties}\n", whole());
        resolve(&text).map(|job| job.source.kafka).map_err(|error| error.to_string())
    }

    #[test]
    fn properties_are_taken_by_their_own_names_and_secrets_stand_elsewhere() {
        let all = with(
            "security.protocol = \"SASL_SSL\"\n\"socket.timeout.ms\" = 5000\n\
             sasl.password = { env = \"PASSWORD\" }\n\"ssl.key.password\" = { file = \"k\" }\n\
             enable.ssl.certificate.verification = true",
        )
        .unwrap();
        let told: Vec<_> = all.iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(
            told,
            [
                "enable.ssl.certificate.verification true",
                "sasl.password { env = \"PASSWORD\" }",
                "security.protocol SASL_SSL",
                "socket.timeout.ms 5000",
                "ssl.key.password { file = \"k\" }",
            ]
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("k"), "from a file\r\n").unwrap();
        let environment = |name: &str| (name == "PASSWORD").then(|| "of it".to_owned());
        let values = values(&all, folder.path(), &environment).unwrap();
        assert_eq!(values["sasl.password"], "of it");
        assert_eq!(values["ssl.key.password"], "from a file");
        let lacks = super::values(&all, folder.path(), &|_| None).unwrap_err();
        assert!(lacks.is_usage() && lacks.to_string().contains("no PASSWORD"), "{lacks}");
        for (property, says) in [
            ("sasl.password = \"SECRET\"", "a secret does not stand in a job"),
            ("sasl.password = { env = 1 }", "source.kafka.sasl.password"),
            ("a = [\"x\"]", "source.kafka.a"),
            ("a = {}", "source.kafka.a"),
        ] {
            let error = with(property).unwrap_err();
            assert!(error.contains(says) && !error.contains("SECRET"), "{property}: {error}");
        }
    }

    #[test]
    fn a_job_asks_for_the_same_again() {
        let text = format!(
            "{}\n[source.kafka]\nsasl.password = {{ env = \"P\" }}\na.b = \"c\"\n",
            whole()
        );
        let job = resolve(&text).unwrap();
        let mut again = Authored::parse(&whole(), "retally.toml", Path::new("")).unwrap();
        for (key, value) in job.written().iter().filter(|(key, _)| key.starts_with(KAFKA)) {
            again.set_text(key, value.as_str().unwrap()).unwrap();
        }
        assert_eq!(properties(&again).unwrap(), job.source.kafka);
    }

    #[test]
    fn a_registry_has_a_section_of_its_own() {
        let with = |own: &str| resolve(&format!("{}\n[source.registry]\n{own}\n", whole()));
        let job = with(
            "url = \"https://r:1\"\nuser = \"me\"\npassword = { env = \"P\" }\n\
             ca = \"ca.pem\"\nfolder = \"s/\"",
        );
        let job = job.unwrap();
        let mut again = Authored::parse(&whole(), "retally.toml", Path::new("")).unwrap();
        for (key, value) in job.written().iter().filter(|(key, _)| key.contains("registry")) {
            again.set_text(key, value.as_str().unwrap()).unwrap();
        }
        let again = Resolved::new(&again).unwrap();
        assert_eq!(again.source.registry, job.source.registry);
        assert_eq!(job.source.registry.password, Some(Property::Env("P".into())));
        for (own, says) in [
            ("password = \"SECRET\"", "source.registry.password: a secret does not stand in a job"),
            ("password = { is = \"SECRET\" }", "must be { env = \"NAME\" } or { file"),
            ("urll = \"x\"", "unknown key \"urll\" in [source.registry]; did you mean \"url\"?"),
        ] {
            let error = with(own).map(drop).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn a_topic_is_a_log_and_no_place() {
        let whole = whole();
        let with = |from: &str, to: &str| match resolve(&whole.replace(from, to)) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert_eq!(with("file:data/orders/", "kafka://a:9092,b:9092/orders"), "");
        let refused = with("file:data/orders/", "kafka://bucket/orders/");
        assert!(refused.starts_with("retally.toml:8: source.url: `kafka:"), "{refused}");
        let refused = with("file:snapshots/", "kafka://n:9092/s");
        assert!(refused.contains("snapshots.url: `kafka://n:9092/s` names a topic"), "{refused}");
    }
}
