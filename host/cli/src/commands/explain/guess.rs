//! A key of which the log has no event: what it may have been meant to be, and what to check.

use crate::error::Failure;
use crate::report::text::{counted, grouped};
use anyhow::anyhow;
use retally_engine::job::Resolved;
use retally_engine::run::{History, newest_run};
use retally_engine::rundir::{Keys, RunReader, Table};
use retally_engine::store::Folder;
use retally_report::shell::shell_word;

const GUESSES: usize = 3;

/// Letters in which a guess may differ.
const DISTANCE_MAX: usize = 2;

pub(super) fn not_found(job: &Resolved, history: &History, run: Option<&Folder>) -> Failure {
    let key = &history.key;
    let read = &history.read;
    let text = format!(
        "the log has no event of key {key:?} ({} in {} looked at)",
        counted(read.events, "event"),
        counted(read.partitions, "partition")
    );
    let failure = Failure::usage(anyhow!(text));
    let newest = newest_run(job);
    let near = run.or(newest.as_ref()).map(|run| near(run, key)).unwrap_or_default();
    if !near.is_empty() {
        return failure.hint(format!("did you mean {}?", near.join(" or ")));
    }
    let mut hint = "check the letters' case and spaces, and which key the job's [source] (or the \
                    reducer's input) takes"
        .to_owned();
    if key.starts_with('[') {
        hint += "; a composite key is the compact JSON array of its parts";
        hint += &compact(key).map_or(String::new(), |key| format!(": {}", shell_word(&key)));
    }
    if read.unreadable > 0 {
        hint += &format!("; {} lines that hold it are no valid events", grouped(read.unreadable));
    }
    failure.hint(hint)
}

/// A composite key as keys are written, if it was given in another way.
fn compact(key: &str) -> Option<String> {
    let parts: Vec<String> = serde_json::from_str(key).ok()?;
    serde_json::to_string(&parts).ok().filter(|compact| compact != key)
}

/// The keys of a run that are nearest, quoted; a run that cannot be read offers none.
fn near(run: &Folder, key: &str) -> Vec<String> {
    let Ok(run) = RunReader::open(run) else { return Vec::new() };
    let Ok(rows) = run.rows(Table::States, &Keys::All) else { return Vec::new() };
    let mut best: Vec<(usize, String)> = Vec::new();
    for batch in rows {
        let Ok(batch) = batch else { return Vec::new() };
        let Ok(columns) = run.columns(Table::States, &batch) else { return Vec::new() };
        let Some(keys) = columns.first() else { return Vec::new() };
        for row in 0..batch.len() {
            let Some(retally_core::schema::Value::Text(own)) = keys.column.get(row) else {
                continue;
            };
            let own = String::from_utf8_lossy(own);
            if let Some(distance) = distance(key, &own) {
                best.push((distance, own.into_owned()));
                best.sort();
                best.truncate(GUESSES);
            }
        }
    }
    best.into_iter().map(|(_, key)| format!("{key:?}")).collect()
}

/// How far apart two keys are, if they may be mistaken for each other.
fn distance(asked: &str, key: &str) -> Option<usize> {
    if asked.trim().eq_ignore_ascii_case(key.trim()) {
        return Some(0);
    }
    if asked.len().abs_diff(key.len()) > DISTANCE_MAX {
        return None;
    }
    let distance = strsim::osa_distance(asked, key);
    (distance <= DISTANCE_MAX && distance < asked.len()).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composite_keys_are_shown_as_they_are_written() {
        assert_eq!(compact(r#"["a", "b"]"#).as_deref(), Some(r#"["a","b"]"#));
        assert_eq!(compact(r#"["a","b"]"#), None);
        assert_eq!(compact("[1,"), None);
    }

    #[test]
    fn keys_that_may_be_mistaken() {
        assert_eq!(distance("ACCT-1 ", "acct-1"), Some(0));
        assert_eq!(distance("acct-10", "acct-01"), Some(1));
        assert_eq!(distance("a", "b"), None);
        assert_eq!(distance("acct-000001", "user-000001"), None);
    }
}
