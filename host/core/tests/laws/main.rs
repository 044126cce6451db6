//! Laws of the fold: what must never change a result, over random logs.

mod driver;
mod parts;
mod portions;
mod time;

use driver::{How, Limits, fold};
use proptest::prelude::*;
use retally_core::dedup::Window;
use retally_core::digest::Digests;
use retally_core::log::Order;
use retally_core::reduce::{Finals, Outcome};
use retally_core::subset::{Sample, Subset};
use retally_kit::log::{Partition, rules};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One event as a log may hold it, well-formed or not.
#[derive(Debug, Clone)]
enum Line {
    Event { kind: &'static str, key: u8, id: u16, time: u32, amount: i32, note: Option<u8> },
    Broken(&'static str),
}

impl Line {
    fn text(&self) -> String {
        match self {
            Self::Event { kind, key, id, time, amount, note } => {
                let note = note.map_or(String::new(), |n| format!(",\"note\":\"n{n}\""));
                format!(
                    "{{\"type\":\"{kind}\",\"key\":\"k{key}\",\"id\":{id},\"ts\":{time},\
                     \"amount\":{amount}{note}}}"
                )
            }
            Self::Broken(text) => (*text).to_owned(),
        }
    }
}

const BROKEN: [&str; 7] = [
    "",
    "{",
    "not json",
    "{\"type\":\"put\",\"id\":1,\"ts\":1,\"amount\":1}",
    "{\"type\":\"put\",\"key\":\"k1\",\"id\":null,\"ts\":1,\"amount\":1}",
    "{\"type\":\"put\",\"key\":\"k1\",\"id\":9,\"ts\":1,\"amount\":\"x\"}",
    "{\"type\":\"put\",\"key\":\"k2\",\"id\":9,\"ts\":1e30,\"amount\":1}",
];

fn line(keys: std::ops::Range<u8>) -> impl Strategy<Value = Line> {
    let kind = prop_oneof![4 => Just("put"), 2 => Just("take"), 1 => Just("login")];
    let note = proptest::option::of(0u8..4);
    let event = (kind, keys, 0u16..60, 0u32..10_000, -5i32..100, note).prop_map(
        |(kind, key, id, time, amount, note)| Line::Event { kind, key, id, time, amount, note },
    );
    prop_oneof![12 => event, 1 => proptest::sample::select(&BROKEN[..]).prop_map(Line::Broken)]
}

/// A log for order "log": the keys of a partition are its own.
fn log() -> impl Strategy<Value = Vec<Partition>> {
    let partition = |n: u8| {
        let lines = proptest::collection::vec(line(n * 10..n * 10 + 6), 0..120);
        lines.prop_map(move |lines| {
            (format!("p{n}"), lines.iter().map(Line::text).collect::<Vec<_>>())
        })
    };
    // The broken lines with a key name k1 and k2, which belong to p0.
    let broken = |(mut a, mut b, c): (Partition, Partition, Partition)| {
        for part in [&mut a, &mut b] {
            if part.0 != "p0" {
                part.1.retain(|line| !line.contains("\"k1\"") && !line.contains("\"k2\""));
            }
        }
        vec![a, b, c]
    };
    let empty = Just(("p2".to_owned(), Vec::new()));
    (partition(0), partition(1), empty).prop_map(broken)
}

fn how() -> impl Strategy<Value = How> {
    let restarts = proptest::collection::btree_map(0usize..12, 1usize..9, 0..3);
    let sizes = (1usize..50, 1usize..6, 0usize..4);
    let plain = (any::<bool>(), any::<bool>());
    (sizes, 1usize..9, 0u8..4, restarts, plain).prop_map(
        |((slab, batch, joined), shards, seed, restarts, (fresh, lazily))| How {
            slab,
            batch,
            joined,
            shards,
            seed,
            restarts,
            fresh,
            lazily,
            ..How::default()
        },
    )
}

fn plain() -> How {
    How { slab: 1000, batch: 1, shards: 1, ..How::default() }
}

fn window() -> impl Strategy<Value = Window> {
    let span = (1i64..5_000).prop_map(|seconds| Window::Span(seconds * 1_000_000));
    prop_oneof![2 => Just(Window::All), 1 => Just(Window::Off), 2 => span]
}

/// Outcomes and emits without any trace of how they were batched.
fn flat(result: &driver::Result) -> Vec<String> {
    let mut lines = Vec::new();
    for block in &result.blocks {
        let places = block
            .stretches
            .iter()
            .flat_map(|s| (0..u64::from(s.events)).map(|n| (s.partition, s.first_offset + n)));
        for ((partition, offset), what) in places.zip(&block.outcomes) {
            lines.push(format!("{partition}:{offset} {what:?}"));
        }
        for rows in &block.emits {
            for row in 0..rows.events.len() {
                let values: Vec<_> = rows.columns.iter().map(|c| c.get(row)).collect();
                let (key, id) = (rows.keys.get(row), rows.ids.get(row));
                lines.push(format!(
                    "{}:{} emit {} {} {key:?} {id:?} {values:?}",
                    rows.partitions[row], rows.offsets[row], rows.seqs[row], rows.times[row]
                ));
            }
        }
        for refused in &block.refused {
            lines.push(format!(
                "{:?}",
                retally_core::reduce::Refused { event: 0, ..refused.clone() }
            ));
        }
    }
    lines.sort();
    lines
}

fn keys_of(finals: &Finals) -> BTreeSet<Vec<u8>> {
    finals.keys.iter().map(<[u8]>::to_vec).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn slabs_batches_shards_seeds_instances_and_restarts_change_nothing(
        log in log(),
        how in how(),
        window in window(),
    ) {
        let mut rules = rules(Order::Log);
        rules.window = window;
        let plain = fold(&log, &rules, &plain()).expect("it folds");
        let other = fold(&log, &rules, &how).expect("it folds");
        prop_assert_eq!(flat(&plain), flat(&other));
        prop_assert_eq!(plain.finals, other.finals);
        prop_assert_eq!(plain.digests, other.digests);
    }

    #[test]
    fn calls_that_are_too_slow_only_together_change_nothing(
        log in log(),
        how in how(),
        most in 1usize..30,
    ) {
        let rules = rules(Order::Log);
        let plain = fold(&log, &rules, &plain()).expect("it folds");
        let limits = Limits { most: Some(most), ..Limits::default() };
        let other = fold(&log, &rules, &How { limits, ..how }).expect("it folds");
        prop_assert_eq!(flat(&plain), flat(&other));
        prop_assert_eq!(plain.digests, other.digests);
    }

    #[test]
    fn the_first_event_of_the_log_is_named_that_meets_a_limit_alone(
        log in log(),
        how in how(),
        ids in proptest::collection::btree_set(0u16..60, 1..5),
        most in proptest::option::of(1usize..30),
    ) {
        let rules = rules(Order::Log);
        let limits = |most| Limits { most, ids: ids.clone() };
        let stop = |how| fold(&log, &rules, &how).err().map(|stop| stop.to_string());
        let one_by_one = stop(How { slab: 1, limits: limits(None), ..plain() });
        prop_assert_eq!(one_by_one, stop(How { limits: limits(most), ..how }));
    }

    #[test]
    fn a_log_folded_key_by_key_comes_to_the_same(log in log(), how in how(), window in window()) {
        let mut rules = rules(Order::Log);
        rules.window = window;
        let whole = fold(&log, &rules, &plain()).expect("it folds");
        prop_assert_eq!(parts::by_keys(&log, &rules, &how).digests(&log), whole.digests);
    }

    #[test]
    fn digests_of_parts_are_those_of_the_whole(log in log(), how in how(), number in 1usize..7) {
        let whole = fold(&log, &rules(Order::Path), &how).expect("it folds");
        prop_assert_eq!(parts::split(&whole, number).digests(&log), whole.digests);
    }

    #[test]
    fn every_event_has_one_outcome(log in log(), how in how()) {
        let result = fold(&log, &rules(Order::Log), &how).expect("it folds");
        let events: usize = log.iter().map(|(_, lines)| lines.len()).sum();
        let outcomes: usize = result.blocks.iter().map(|b| b.outcomes.len()).sum();
        prop_assert_eq!(events, outcomes);
        for block in &result.blocks {
            let refused = |what: &&Outcome| !matches!(
                what, Outcome::Applied | Outcome::Duplicate | Outcome::Ignored | Outcome::Filtered
            );
            let count = block.outcomes.iter().filter(refused).count();
            prop_assert_eq!(count, block.refused.len());
        }
    }

    #[test]
    fn duplicates_anywhere_behind_the_first_change_no_view(
        log in log(),
        copies in proptest::collection::vec((0usize..1000, 0usize..1000), 0..30),
        how in how(),
    ) {
        let rules = rules(Order::Log);
        let plain = fold(&log, &rules, &plain()).expect("it folds");
        let mut more = log.clone();
        for (from, to) in copies {
            let (_, lines) = &mut more[from % 2];
            if lines.is_empty() {
                continue;
            }
            let from = from % lines.len();
            let to = from + 1 + to % (lines.len() - from);
            let line = lines[from].clone();
            lines.insert(to, line);
        }
        let other = fold(&more, &rules, &how).expect("it folds");
        prop_assert_eq!(plain.finals, other.finals);
        let outcomes = plain.digests.outcomes;
        prop_assert_eq!(plain.digests, Digests { outcomes, ..other.digests });
    }

    #[test]
    fn a_subset_of_keys_gives_those_keys_what_the_full_run_gives(
        log in log(),
        named in proptest::collection::btree_set(0u8..16, 0..5),
        share in proptest::option::of(1u32..900_000),
        how in how(),
    ) {
        let all = fold(&log, &rules(Order::Log), &plain()).expect("it folds");
        let key = |key: u8| format!("k{key}").into_bytes();
        let subset = match share.and_then(Sample::of_millionths) {
            Some(sample) => Subset::Sample(sample),
            None => Subset::Keys(named.into_iter().map(key).collect()),
        };
        let chosen: BTreeSet<_> = (0..16).map(key).filter(|key| subset.takes(key)).collect();
        let mut some = rules(Order::Log);
        some.subset = Arc::new(subset);
        let part = fold(&log, &some, &how).expect("it folds");
        let expected: BTreeSet<_> = keys_of(&all.finals).intersection(&chosen).cloned().collect();
        prop_assert_eq!(&expected, &keys_of(&part.finals));
        for (row, key) in part.finals.keys.iter().enumerate() {
            let other = all.finals.keys.iter().position(|k| k == key).expect("in the full run");
            prop_assert_eq!(part.finals.states.get(row), all.finals.states.get(other));
            prop_assert_eq!(part.finals.applied[row], all.finals.applied[other]);
        }
        let of_chosen = |lines: Vec<String>| -> Vec<String> {
            let named = |line: &String| chosen.iter().any(|key| line.contains(&format!("{key:?}")));
            lines.into_iter().filter(named).collect()
        };
        prop_assert_eq!(of_chosen(flat(&all)), of_chosen(flat(&part)));
    }
}

#[test]
fn a_key_in_two_partitions_stops_order_log_and_not_order_path() {
    let line =
        |id: u8| format!("{{\"type\":\"put\",\"key\":\"k\",\"id\":{id},\"ts\":1,\"amount\":1}}");
    let log = vec![("a".into(), vec![line(1)]), ("b".into(), vec![line(2)])];
    let stop = fold(&log, &rules(Order::Log), &plain()).expect_err("it stops");
    assert_eq!(
        stop.to_string(),
        "the run stops at b:0: its key was seen in another partition before"
    );
    let result = fold(&log, &rules(Order::Path), &plain()).expect("it folds");
    assert_eq!(result.finals.applied, [2]);
}
