//! Values of `[params]`, typed by what the reducer declares.

use super::authored::{Authored, Place, Raw, Written};
use super::error::{JobError, near};
use super::settings::PARAMS;
use retally_core::decode::Code;
use retally_core::decode::convert::column_from_text;
use retally_core::schema::{Column, Description, Field, Kind};
use std::collections::BTreeMap;

/// The params of a job as written, by name.
#[derive(Debug, Clone, Default)]
pub struct Params {
    origin: String,
    values: BTreeMap<String, Written>,
}

impl Params {
    /// Those of a job.
    pub(super) fn new(authored: &Authored) -> Self {
        let name = |key: &str| Some(key.strip_prefix(PARAMS)?.strip_prefix('.')?.to_owned());
        let values = authored.values.iter();
        let values = values.filter_map(|(key, value)| Some((name(key)?, value.clone())));
        Self { origin: authored.origin().to_owned(), values: values.collect() }
    }

    /// Sets a param by a program, as `--set params.NAME=TEXT` does.
    pub fn set(&mut self, name: &str, text: &str) {
        let place = Place::Set { key: format!("params.{name}") };
        self.values.insert(name.to_owned(), Written { raw: Raw::Text(text.to_owned()), place });
    }

    /// Names and texts, as written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, written)| (name.as_str(), written.text()))
    }
}

/// The params as each of `reducers` gets them: for each that it declares a column of one row, the
/// default that it declares where the job sets none. A param that one of them alone declares is for
/// that one.
///
/// # Errors
/// A name that none declares (with the nearest that one does), a value of another kind, or a
/// required param that the job does not set.
pub fn columns(reducers: &[&Description], params: &Params) -> Result<Vec<Vec<Column>>, JobError> {
    let known = || reducers.iter().flat_map(|reducer| &reducer.params);
    for (name, written) in &params.values {
        if !known().any(|field| field.name == *name) {
            let near = near(name, known().map(|field| field.name.as_str()));
            let near = near.or_else(|| declared(reducers));
            let name_of = reducers.first().map_or("", |reducer| reducer.name.as_str());
            let what = format!("param {name:?} of reducer {name_of}");
            return Err(JobError::Unknown { place: written.place.clone(), what, near });
        }
    }
    let all = |reducer: &&Description| {
        let fields = reducer.params.iter().zip(&reducer.defaults);
        fields.map(|(field, default)| column(reducer, field, default, params)).collect()
    };
    reducers.iter().map(all).collect()
}

/// The one param that there is, when nothing is near: then it must have been meant.
fn declared(reducers: &[&Description]) -> Option<String> {
    match reducers {
        [reducer] if reducer.params.len() == 1 => Some(reducer.params[0].name.clone()),
        _ => None,
    }
}

fn column(
    reducer: &Description,
    field: &Field,
    default: &Column,
    params: &Params,
) -> Result<Column, JobError> {
    let Some(written) = params.values.get(&field.name) else {
        if field.required {
            let (origin, key) = (params.origin.clone(), format!("params.{}", field.name));
            let hint = format!("reducer {} requires it ({})", reducer.name, field.kind);
            return Err(JobError::Missing { origin, key, hint });
        }
        return Ok(default.clone());
    };
    let wrong = |why| JobError::Value {
        place: written.place.clone(),
        key: format!("params.{}", field.name),
        why,
    };
    // In a file a number is not a text that happens to look like one; the command line has no
    // quotes.
    let in_file = matches!(written.place, super::Place::File { .. });
    let texts = matches!(field.kind, Kind::Text | Kind::Json | Kind::Bytes);
    if in_file && texts && matches!(written.raw, Raw::Bare(_)) {
        let text = written.text();
        return Err(wrong(format!("it is {}: write \"{text}\" in quotes", field.kind)));
    }
    let text = written.text();
    column_from_text(field.kind, text).map_err(|code| wrong(explain(code, field.kind, text)))
}

fn explain(code: Code, kind: Kind, text: &str) -> String {
    match (code, kind) {
        (Code::FieldRange, _) => format!("{text:?} does not fit {kind}"),
        (Code::FieldScale, Kind::Decimal { scale }) => {
            format!("{text:?} has more than {scale} digits after the point")
        }
        (_, Kind::Boolean) => format!("{text:?} is neither true nor false"),
        (_, Kind::Timestamp) => {
            format!("{text:?} is no timestamp; write it as \"2026-01-31T00:00:00Z\"")
        }
        (_, Kind::Date) => format!("{text:?} is no date; write it as \"2026-01-31\""),
        _ => format!("{text:?} is no {kind}"),
    }
}

#[cfg(test)]
#[path = "params_tests.rs"]
mod tests;
