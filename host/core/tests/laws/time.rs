//! Laws of order "time": what it gives is what a sorted log would give, however it is cut.

use super::driver::{How, Limits, fold};
use super::{Line, flat, how, line, plain, window};
use proptest::prelude::*;
use retally_core::log::Order;
use retally_core::reduce::Outcome;
use retally_kit::log::{Partition, rules};

/// Some partitions that share their keys.
fn log() -> impl Strategy<Value = Vec<(String, Vec<Line>)>> {
    let partition = proptest::collection::vec(line(0..6), 0..60);
    proptest::collection::vec(partition, 1..5).prop_map(|all| {
        (0..).zip(all).map(|(number, lines): (u8, _)| (format!("p{number}"), lines)).collect()
    })
}

fn texts(log: &[(String, Vec<Line>)]) -> Vec<Partition> {
    let text = |(name, lines): &(String, Vec<Line>)| {
        (name.clone(), lines.iter().map(Line::text).collect())
    };
    log.iter().map(text).collect()
}

/// The time of an event, whether or not an input takes it.
fn time(line: &Line) -> Option<u32> {
    match line {
        Line::Event { time, .. } => Some(*time),
        Line::Broken(text) => text.contains("\"ts\":1,").then_some(1),
    }
}

/// The places of the events in their order, by the rule as it is written.
fn sorted(log: &[(String, Vec<Line>)]) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for (partition, (_, lines)) in log.iter().enumerate() {
        let mut highest = None;
        for (offset, line) in lines.iter().enumerate() {
            highest = highest.max(time(line));
            all.push((highest, partition, offset));
        }
    }
    all.sort();
    all.into_iter().map(|(_, partition, offset)| (partition, offset)).collect()
}

/// What became of each event, and where it lies, in the order in which they were folded.
fn outcomes(result: &super::driver::Result) -> Vec<((usize, usize), Outcome)> {
    let mut all = Vec::new();
    for block in &result.blocks {
        let places = block.stretches.iter().flat_map(|s| {
            let partition = s.partition as usize;
            (0..s.events as usize).map(move |n| (partition, s.first_offset as usize + n))
        });
        all.extend(places.zip(block.outcomes.iter().copied()));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn it_gives_what_one_sorted_partition_gives(log in log(), how in how(), window in window()) {
        let (mut by_time, mut by_log) = (rules(Order::Time), rules(Order::Log));
        (by_time.window, by_log.window) = (window, window);
        let order = sorted(&log);
        let lines = order.iter().map(|&(partition, offset)| log[partition].1[offset].text());
        let one = vec![("p".to_owned(), lines.collect::<Vec<_>>())];
        let model = fold(&one, &by_log, &plain()).expect("it folds");
        let merged = fold(&texts(&log), &by_time, &how).expect("it folds");
        let expected = outcomes(&model).into_iter().map(|((_, at), what)| (order[at], what));
        prop_assert_eq!(outcomes(&merged), expected.collect::<Vec<_>>());
        prop_assert_eq!(&merged.finals.states, &model.finals.states);
        prop_assert_eq!(&merged.finals.times, &model.finals.times);
        prop_assert_eq!(merged.digests.views, model.digests.views);
        prop_assert_eq!(merged.digests.states, model.digests.states);
        prop_assert_eq!(merged.digests.violations, model.digests.violations);
    }

    #[test]
    fn slabs_batches_shards_and_restarts_change_nothing(
        log in log(),
        how in how(),
        most in proptest::option::of(1usize..30),
    ) {
        let rules = rules(Order::Time);
        let plain = fold(&texts(&log), &rules, &plain()).expect("it folds");
        let limits = Limits { most, ..Limits::default() };
        let other = fold(&texts(&log), &rules, &How { limits, ..how }).expect("it folds");
        prop_assert_eq!(flat(&plain), flat(&other));
        // Not even the order in which outcomes are written.
        prop_assert_eq!(outcomes(&plain), outcomes(&other));
        prop_assert_eq!(plain.finals, other.finals);
        prop_assert_eq!(plain.digests, other.digests);
    }

    #[test]
    fn one_partition_is_as_under_order_log(log in log(), how in how()) {
        let one = &texts(&log)[..1];
        let by_time = fold(one, &rules(Order::Time), &how).expect("it folds");
        let by_log = fold(one, &rules(Order::Log), &plain()).expect("it folds");
        prop_assert_eq!(flat(&by_time), flat(&by_log));
        prop_assert_eq!(by_time.digests, by_log.digests);
    }

    #[test]
    fn the_first_event_in_the_order_is_named_that_meets_a_limit_alone(
        log in log(),
        how in how(),
        ids in proptest::collection::btree_set(0u16..60, 1..5),
        most in proptest::option::of(1usize..30),
    ) {
        let rules = rules(Order::Time);
        let limits = |most| Limits { most, ids: ids.clone() };
        let stop = |how| fold(&texts(&log), &rules, &how).err().map(|stop| stop.to_string());
        let one_by_one = stop(How { slab: 1, limits: limits(None), ..plain() });
        prop_assert_eq!(one_by_one, stop(How { limits: limits(most), ..how }));
    }
}
