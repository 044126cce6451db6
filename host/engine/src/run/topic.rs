//! A job's topic as a log: how its brokers are reached, what of its records is read, and where
//! their schemas are.

use super::besides;
use super::error::RunError;
use crate::cancel::Cancel;
use crate::job::{Resolved, SchemasAt, properties};
use crate::kafka::{Kafka, KafkaLog, Reads, Registry, Schemas, Topic};
use crate::log::{Log, LogError};
use crate::source::Format;
use crate::store::Http;
use retally_core::decode::{Beside, Plan};
use retally_core::log::Order;
use std::sync::Arc;

/// The topic at `url`, each of whose records is an event, and its name. `beside`: what is read
/// beside their values.
pub(super) fn topic(
    job: &Resolved,
    url: &str,
    plan: &Plan,
    (beside, cancel): (Vec<Beside>, &Cancel),
) -> Result<(Arc<dyn Log>, String), RunError> {
    if job.order == Order::Sort {
        return Err(RunError::Log(LogError::usage(
            "order \"sort\" is for files of which nobody knows the order, and the partitions of a \
             topic have one: write order = \"log\" in [job], or \"time\"",
        )));
    }
    let log = KafkaLog::open(url, &kafka(job)?, reads(job, plan, (beside, cancel))?)?;
    Ok((Arc::new(log), Topic::of(url)?.name))
}

/// How the job's Kafka is reached.
pub(crate) fn kafka(job: &Resolved) -> Result<Kafka, RunError> {
    let properties = properties(&job.source.kafka, &job.base, &|name| job.stores.variable(name))?;
    Ok(Kafka { properties })
}

/// What is read of a topic's records by whoever takes them as they come.
pub(crate) fn reads_of(job: &Resolved, plan: &Plan, cancel: &Cancel) -> Result<Reads, RunError> {
    let beside = besides::asked(plan, None).into_iter().map(|(beside, _)| beside.clone());
    reads(job, plan, (beside.collect(), cancel))
}

/// What is read of a topic's records.
fn reads(
    job: &Resolved,
    plan: &Plan,
    (beside, cancel): (Vec<Beside>, &Cancel),
) -> Result<Reads, RunError> {
    if let Some((name, _)) = plan.folders().first() {
        return Err(RunError::Log(LogError::usage(format!(
            "the records of a topic lie in no folder, so nothing of them is at @path:{name}; say \
             in [source] where in a record it lies"
        ))));
    }
    let schemas = match job.source.format {
        Format::Json | Format::Raw => None,
        Format::Avro => Some(Arc::new(schemas(job, plan.columns(), cancel)?)),
        Format::Parquet => {
            return Err(RunError::Log(LogError::usage(
                "the records of a topic are read as JSON, as Avro or as bytes: write format = \
                 \"json\", \"avro\" or \"raw\" in [source]",
            )));
        }
    };
    Ok(Reads { beside, schemas })
}

/// Where the schemas are.
fn schemas(job: &Resolved, read: Vec<String>, cancel: &Cancel) -> Result<Schemas, LogError> {
    let SchemasAt { url, user, password, ca, folder } = &job.source.registry;
    let wrong = |why: &str| Err(LogError::usage(format!("[source.registry] {why}")));
    let url = match (url, folder) {
        (Some(url), None) => url,
        (None, Some(folder)) => return Ok(Schemas::of_folder(job.path(folder), read)),
        (None, None) => {
            return wrong(
                "says where the schemas of a topic of Avro are, and the job has none: write `url`, \
                 that of the registry, or `folder`",
            );
        }
        (Some(_), Some(_)) => return wrong("has both `url` and `folder`: name one of them"),
    };
    let login = match (user, password) {
        (None, None) => None,
        (Some(user), Some(password)) => {
            let variable = |name: &str| job.stores.variable(name);
            let value = password.value("[source.registry] password", &job.base, &variable)?;
            Some((user.clone(), value))
        }
        _ => return wrong("`user` and `password` go together"),
    };
    let mut http: Http = job.stores.http().clone();
    if let Some(ca) = ca {
        http.roots = Some(job.path(ca));
    }
    Ok(Schemas::of_registry(Registry::new(url, login, &http, cancel)?, read))
}
