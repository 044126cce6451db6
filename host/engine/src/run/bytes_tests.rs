//! The bytes of a run's files follow from the run alone: neither batches nor threads leave a trace.

use super::*;
use crate::job::{Authored, Resolved};
use crate::log::{MemoryLog, MemoryPartition};
use retally_core::digest::Hash;
use retally_core::reduce::Reducer;
use retally_core::reduce::native::{Event, Native, Rules};
use retally_core::schema::{
    Description, EmitKind, Field, Input, Kind, Reason, StateShape, Value, ViewShape,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

const NET: Kind = Kind::Decimal { scale: 2 };

/// The event whose net needs more digits than those before.
const WIDE: u64 = 12_345;

/// Refuses some events; the others give a net that grows wide, and a note of any length.
struct Notes;

impl Rules for Notes {
    fn apply(
        &self,
        state: &mut Vec<u8>,
        event: &Event<'_>,
        emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> Result<(), (u16, String)> {
        let digits = std::str::from_utf8(event.id).unwrap_or_default();
        let number: u64 = digits.parse().map_err(|_| (0, "no number".to_owned()))?;
        if number % 11 == 5 {
            return Err((0, format!("{number} is refused")));
        }
        state.push(1);
        let net = if number == WIDE { i64::MAX } else { number as i64 };
        let long = "n".repeat((number % 97 * 40) as usize);
        let note = (!number.is_multiple_of(3)).then_some(Value::Text(long.as_bytes()));
        emit(0, &[Some(Value::Decimal(net)), note]);
        if number.is_multiple_of(1000) {
            emit(1, &[]);
        }
        Ok(())
    }

    fn view(&self, _key: &[u8], state: &[u8], row: &mut dyn FnMut(&[Option<Value<'_>>])) {
        row(&[Some(Value::Integer(state.len() as i64))]);
    }

    fn check(&self, key: &[u8], _state: &[u8]) -> Vec<(u16, String)> {
        if key.ends_with(b"7") { vec![(0, "a seven".into())] } else { Vec::new() }
    }
}

fn notes() -> Arc<dyn Reducer> {
    let field =
        |name: &str, kind, required| Field { name: name.into(), paths: vec![], kind, required };
    let reason = |code: &str| vec![Reason { code: code.into(), says: "a sentence".into() }];
    let fields = vec![field("net", NET, true), field("note", Kind::Text, false)];
    Arc::new(Native::new(
        Description {
            name: "notes".into(),
            version: "1".into(),
            inputs: vec![Input { name: "any".into(), when: vec![], key: vec![], fields: vec![] }],
            params: vec![],
            defaults: vec![],
            emits: vec![
                EmitKind { name: "note".into(), fields },
                EmitKind { name: "thousand".into(), fields: vec![] },
            ],
            view: ViewShape { fields: vec![field("count", Kind::Integer, true)], row_key: vec![] },
            state: StateShape { version: 1, layout: "bytes".into(), migrates: vec![] },
            rejects: reason("refused"),
            violations: reason("seven"),
        },
        Hash([7; 32]),
        Notes,
    ))
}

fn log() -> MemoryLog {
    let line = |partition: &str, n: u64| match n % 13 {
        3 => format!("no event {n}\n"),
        // Seen before.
        4 => line(partition, n - 4),
        _ => line(partition, n),
    };
    let partition = |(name, from): (&str, u64)| {
        let lines: String = (from..from + 30_000).map(|n| line(name, n)).collect();
        MemoryPartition::lines(name, lines)
    };
    MemoryLog::new([("a", 0), ("b", 100_000)].map(partition).to_vec()).unwrap()
}

fn line(partition: &str, n: u64) -> String {
    let key = n % 9_999;
    format!("{{\"k\":\"{partition}{key}\",\"i\":\"{n}\",\"t\":\"2026-01-01T00:00:00Z\"}}\n")
}

fn job(dir: &TempDir) -> Resolved {
    let text = "[job]\nname = \"t\"\nreducer = \"r.wasm\"\n[source]\nurl = \"memory\"\n\
                key = \"/k\"\nid = \"/i\"\ntime = \"/t\"\n[output]\ndir = \"runs\"\n";
    Resolved::new(&Authored::parse(text, "job", dir.path()).unwrap()).unwrap()
}

fn files(dir: &Path, below: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(dir, &path, all);
        } else if !path.ends_with("audit.jsonl") {
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            all.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn neither_batches_nor_threads_leave_a_trace_in_the_bytes_of_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = |batch_events, threads| {
        let input: Option<Arc<dyn crate::log::Log>> = Some(Arc::new(log()));
        let options = ReplayOptions { input, threads, batch_events, ..ReplayOptions::default() };
        let report = replay_reducer(&job(&dir), notes(), &options, &Silent).unwrap();
        let mut all = BTreeMap::new();
        files(&report.dir, &report.dir, &mut all);
        all
    };
    let expected = run(1, 1);
    for name in ["emits/note/00001.parquet", "emits/thousand/00000.parquet", "refused.parquet"] {
        assert!(expected.contains_key(name), "{name}");
    }
    for (batch, threads) in [(1, 3), (9_000, 1), (20_000, 2), (1_000_000, 3)] {
        let found = run(batch, threads);
        assert!(found.keys().eq(expected.keys()), "{:?}", found.keys());
        for (name, bytes) in &found {
            assert!(expected[name] == *bytes, "{name}: batch {batch}, {threads} threads");
        }
    }
}
