//! What is wrong with malformed events, told by one of them: the commonest code among the first of
//! them, what was found where, and the line of the log itself.

use super::text::harmless;
use retally_core::listed::listed;
use retally_engine::rundir::{Keys, RunReader, Table};
use retally_engine::store::Folder;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many pieces of the refused events are looked at: it is a look, not a count.
const LOOKS_MAX: usize = 16;

const LINE_CHARS: usize = 200;

const MEMBERS_MAX: usize = 20;

/// A malformed event that is like most of those looked at.
pub(crate) struct Example {
    pub(crate) code: String,
    position: String,
    detail: String,
    line: String,
}

impl Example {
    /// Of a run; none: it has no malformed event among the first refused, or cannot be read.
    pub(crate) fn of(run: &Folder) -> Option<Self> {
        let run = RunReader::open(run).ok()?;
        Self::look(&run).ok()?
    }

    fn look(run: &RunReader) -> anyhow::Result<Option<Self>> {
        for batch in run.rows(Table::Refused, &Keys::All)?.take(LOOKS_MAX) {
            let batch = batch?;
            let (what, codes) = (batch.texts("what")?, batch.texts("code")?);
            let malformed: Vec<usize> =
                (0..batch.len()).filter(|&row| what.value(row) == "malformed").collect();
            let mut counts = BTreeMap::<&str, usize>::new();
            malformed.iter().for_each(|&row| *counts.entry(codes.value(row)).or_default() += 1);
            let Some((code, _)) = counts.into_iter().max_by_key(|(_, count)| *count) else {
                continue;
            };
            let Some(row) = malformed.into_iter().find(|&row| codes.value(row) == code) else {
                continue;
            };
            let partition = batch.texts("partition")?.value(row);
            let bytes = batch.bytes("bytes")?.value(row);
            return Ok(Some(Self {
                code: code.to_owned(),
                position: format!("{partition}:{}", batch.numbers("offset")?[row]),
                detail: batch.texts("detail")?.value(row).to_owned() + &there(code, bytes),
                line: shown(bytes),
            }));
        }
        Ok(None)
    }

    pub(crate) fn text(&self) -> String {
        let Self { code, position, detail, line } = self;
        format!("mostly `{code}`, such as {}: {}\n  {line}\n", harmless(position), harmless(detail))
    }

    pub(crate) fn json(&self) -> Value {
        let Self { code, position, detail, line } = self;
        json!({ "code": code, "position": position, "detail": detail, "line": line })
    }
}

/// Where something is missing: what is there.
fn there(code: &str, bytes: &[u8]) -> String {
    if !code.ends_with("-missing") {
        return String::new();
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(members)) => {
            let names = members.keys().map(|name| format!("`{name}`"));
            format!("; its members are {}", listed(names, MEMBERS_MAX, ", "))
        }
        Ok(Value::Array(_)) => {
            "; the line is an array: write one object on each line, as `jq -c '.[]'` does"
                .to_owned()
        }
        _ => String::new(),
    }
}

/// A line of the log, shortened, that cannot steer a terminal.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * LINE_CHARS)]);
    let line: String = text.chars().take(LINE_CHARS).collect();
    let cut = if line.len() < bytes.len() { "…" } else { "" };
    format!("{}{cut}", harmless(&line))
}
