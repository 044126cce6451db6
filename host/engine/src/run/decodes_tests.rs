//! Events that were decoded once and are folded again: found by where they lie, however they are
//! cut, and told by nothing else.

use super::log_tests::{counting, job};
use super::{Decodes, ReplayOptions, Report, Silent, replay_into};
use crate::log::{Log, MemoryLog, MemoryPartition};
use crate::sink::{Sink, Takes};
use proptest::prelude::*;
use std::sync::Arc;
use tempfile::TempDir;

struct Nothing;

impl Sink for Nothing {
    fn takes(&self) -> Takes {
        Takes::default()
    }
}

/// Lines of two partitions with keys of their own, `fifth` in place of every fifth, for
/// a key of their own.
fn log(count: usize, fifth: &str) -> Arc<dyn Log> {
    let partition = |name: &str| {
        let line = |n: usize| match n % 5 {
            4 => fifth.replace("KEY", name) + "\n",
            _ => format!(
                "{{\"k\":\"{name}{}\",\"i\":\"{n}\",\"t\":\"2026-01-01T00:00:00Z\"}}\n",
                n % 7
            ),
        };
        MemoryPartition::lines(name, (0..count).map(line).collect::<String>())
    };
    Arc::new(MemoryLog::new(vec![partition("a"), partition("b")]).unwrap())
}

fn replayed(log: &Arc<dyn Log>, limit: u64, decodes: Option<&Arc<Decodes>>) -> Report {
    let dir = TempDir::new().unwrap();
    let (input, decodes, limit) = (Some(log.clone()), decodes.cloned(), Some(limit));
    let options = ReplayOptions { input, limit, decodes, ..ReplayOptions::default() };
    replay_into(&job(&dir, ""), counting(), &mut Nothing, &options, &Silent).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A limit cuts a slab.
    #[test]
    fn it_changes_no_digest_however_slabs_are_cut(
        count in 1usize..1_000,
        limits in [1u64..1_000, 1..1_000],
    ) {
        let log = log(count, "no event");
        let decodes = Arc::default();
        for limit in [limits[0], limits[1], 1_000, limits[0]] {
            let plain = replayed(&log, limit, None).manifest;
            let own = replayed(&log, limit, Some(&decodes)).manifest;
            prop_assert_eq!(own.run_digest, plain.run_digest);
            prop_assert_eq!(own.counts, plain.counts);
        }
    }
}

#[test]
fn what_was_decoded_is_not_decoded_again() {
    let decodes = Arc::default();
    let first = replayed(&log(100, "no event"), 1_000, Some(&decodes)).manifest;
    // What lies there now would come to something else.
    let other = log(100, "{\"k\":\"KEY\",\"i\":\"x\",\"t\":\"2026-01-01T00:00:00Z\"}");
    assert_eq!(replayed(&other, 1_000, Some(&decodes)).manifest.digests, first.digests);
    assert_ne!(replayed(&other, 1_000, None).manifest.digests, first.digests);
}
