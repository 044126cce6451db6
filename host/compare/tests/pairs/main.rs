//! Laws of two sides folded together: each comes to what it comes to alone, and the event at which
//! a key parts is the one that a plain reading finds, however the log is cut.

mod folds;
mod versions;

use folds::{Both, How, Row, Told, alone, both, digests_alone};
use proptest::prelude::*;
use retally_compare::pair::outcome_bit;
use retally_core::log::Order;
use retally_core::reduce::{Outcome, Reducer};
use retally_kit::log::{Partition, rules};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An event; keys of a partition are its own.
fn line(partition: u8) -> impl Strategy<Value = String> {
    let kind = prop_oneof![4 => Just("put"), 3 => Just("take"), 1 => Just("login"), 1 => Just("x")];
    let key = move || (0u8..4).prop_map(move |n| partition * 10 + n);
    let note = proptest::option::of(0u8..3);
    let amount = prop_oneof![6 => (-3i32..30).prop_map(|n| n.to_string()),
        2 => (55i32..70).prop_map(|n| n.to_string()), 1 => Just("\"x\"".to_owned())];
    (kind, key(), key(), 0u16..25, 0u32..1000, amount, note).prop_map(
        |(kind, key, other, id, time, amount, note)| {
            let note = note.map_or(String::new(), |n| format!(",\"note\":\"n{n}\""));
            let other =
                if time % 9 == 0 { String::new() } else { format!("\"other\":\"k{other}\",") };
            format!(
                "{{\"type\":\"{kind}\",\"key\":\"k{key}\",{other}\"id\":{id},\"ts\":{time},\
                 \"amount\":{amount}{note}}}"
            )
        },
    )
}

fn log() -> impl Strategy<Value = Vec<Partition>> {
    let partition = |n: u8| {
        let lines = proptest::collection::vec(line(n), 0..50);
        lines.prop_map(move |lines| (format!("p{n}"), lines))
    };
    (partition(0), partition(1)).prop_map(|(a, b)| vec![a, b])
}

fn how() -> impl Strategy<Value = How> {
    (1usize..60, 1usize..6, 1usize..6, 0u8..4).prop_map(|(slab, batch, shards, seed)| How {
        slab,
        batch,
        shards,
        seed,
    })
}

/// What a plain reading of both sides says of a key.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    events: u32,
    inputs: BTreeSet<String>,
    outcomes: u16,
    parted: Option<(u32, u64)>,
}

/// Rows cut to some fields, in the order of their text.
fn cut(rows: &[Row], fields: &BTreeSet<String>) -> Vec<Row> {
    let keep = |row: &Row| -> Row {
        row.iter()
            .filter(|(name, _)| fields.contains(*name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect()
    };
    let mut rows: Vec<Row> = rows.iter().map(keep).collect();
    rows.sort();
    rows
}

fn common(
    a: &[retally_core::schema::Field],
    b: &[retally_core::schema::Field],
) -> BTreeSet<String> {
    let both =
        |f: &&retally_core::schema::Field| b.iter().any(|o| o.name == f.name && o.kind == f.kind);
    a.iter().filter(both).map(|f| f.name.clone()).collect()
}

/// What shows of an event beside views.
fn shown(told: &Told, key: &[u8], other: &dyn Reducer, own: &dyn Reducer) -> Vec<String> {
    let is_own = told.key.as_ref().is_none_or(|(k, _)| k == key);
    match told.what {
        _ if !is_own => Vec::new(),
        Outcome::Applied => {
            let mut shown = Vec::new();
            for (kind, row) in &told.emits {
                let fields = |r: &dyn Reducer| {
                    r.description().emits.iter().find(|k| k.name == *kind).map(|k| k.fields.clone())
                };
                if let (Some(a), Some(b)) = (fields(own), fields(other)) {
                    shown.push(format!(
                        "{kind} {:?}",
                        cut(std::slice::from_ref(row), &common(&a, &b))
                    ));
                }
            }
            shown
        }
        Outcome::Duplicate | Outcome::Ignored | Outcome::Filtered => Vec::new(),
        what => {
            let word = format!("{what:?}");
            vec![format!("{} {}", word.split('(').next().unwrap_or_default(), told.code)]
        }
    }
}

fn expected(sides: [&[Told]; 2], reducers: [&dyn Reducer; 2]) -> BTreeMap<Vec<u8>, Expected> {
    let view_fields =
        common(&reducers[0].description().view.fields, &reducers[1].description().view.fields);
    let mut keys: BTreeMap<Vec<u8>, Expected> = BTreeMap::new();
    for (a, b) in sides[0].iter().zip(sides[1]) {
        let touched: BTreeSet<&Vec<u8>> =
            [a, b].into_iter().filter_map(|t| t.key.as_ref().map(|k| &k.0)).collect();
        for key in touched {
            let known = keys.entry(key.clone()).or_default();
            if known.parted.is_some() {
                continue;
            }
            let own: Vec<&Told> = [a, b]
                .into_iter()
                .filter(|t| t.key.as_ref().is_some_and(|k| k.0 == *key))
                .collect();
            own.iter().for_each(|told| known.outcomes |= outcome_bit(told.what));
            let reached = |t: &&&Told| matches!(t.what, Outcome::Applied | Outcome::Rejected(_));
            if let Some(first) = own.iter().find(reached) {
                known.events += 1;
                known.inputs.insert(first.key.as_ref().map(|k| k.1.clone()).unwrap_or_default());
            }
            let view = |told: &Told| match told.views.get(key) {
                Some(rows) => rows.as_ref().map(|rows| cut(rows, &view_fields)),
                None => Some(Vec::new()),
            };
            let differs = shown(a, key, reducers[1], reducers[0])
                != shown(b, key, reducers[0], reducers[1])
                || view(a) != view(b);
            if differs {
                known.parted = Some(a.position);
            }
        }
    }
    keys
}

/// What the fold says of the keys, in the same form.
fn found(both: &Both, reducers: [&dyn Reducer; 2]) -> BTreeMap<Vec<u8>, Expected> {
    let shared = folds::shared(reducers.map(Reducer::description));
    let one = |(key, (seen, parted)): (&Vec<u8>, &(retally_compare::pair::Seen, _))| {
        let parted: &Option<(retally_compare::pair::Parted, _)> = parted;
        let inputs = shared.inputs().iter().enumerate();
        let inputs = inputs.filter(|(bit, _)| seen.inputs >> bit & 1 == 1).map(|(_, n)| n.clone());
        let expected = Expected {
            events: seen.events,
            inputs: inputs.collect(),
            outcomes: seen.outcomes,
            parted: parted.as_ref().map(|(p, _)| (p.partition, p.offset)),
        };
        (key.clone(), expected)
    };
    both.keys.iter().map(one).collect()
}

fn check(a: &Arc<dyn Reducer>, b: &Arc<dyn Reducer>, log: &[Partition], hows: &[How], fails: bool) {
    let (both_of, reducers, rules) = ([a, b], [a.as_ref(), b.as_ref()], rules(Order::Log));
    let told = both_of.map(|reducer| alone(reducer, log, &rules));
    let expected = expected([&told[0], &told[1]], reducers);
    for how in hows {
        let both = both(both_of, log, &rules, how, !fails).expect("it folds");
        assert_eq!(found(&both, reducers), expected, "{how:?}");
        if !fails {
            let alone = both_of.map(|reducer| Some(digests_alone(reducer, log, &rules)));
            assert_eq!(both.digests, alone, "{how:?}");
        }
        for (key, (_, parted)) in &both.keys {
            let Some((parted, detail)) = parted else { continue };
            let event = |t: &&Told| t.position == (parted.partition, parted.offset);
            let own = |t: &&Told| t.key.as_ref().is_some_and(|(k, _)| k == key);
            let read = told.iter().flatten().filter(event).find(own).expect("it has the key");
            assert_eq!(parted.time, read.time, "time of the event at which {key:?} parts");
            let Some(detail) = detail else { continue };
            for side in 0..2 {
                let at = |t: &&Told| t.position == (parted.partition, parted.offset);
                let told = told[side].iter().find(at).expect("the event");
                let view = detail.views[side].as_ref().map(|columns| {
                    let fields = &reducers[side].description().view.fields;
                    folds::rows(fields, columns, 0, columns[0].len())
                });
                let expected = told.views.get(key).cloned().unwrap_or(Some(Vec::new()));
                assert_eq!(view, expected, "view of {key:?} on side {side}");
                let records: usize =
                    detail.emits[side].iter().map(|c| c.first().map_or(0, |c| c.len())).sum();
                let own = told.key.as_ref().is_some_and(|(k, _)| k == key);
                let expected = if own { told.emits.len() } else { 0 };
                assert_eq!(records, expected, "records on side {side}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn twins_part_where_a_plain_reading_says(log in log(), how in how()) {
        let whole = How { slab: 1000, batch: 9, shards: 1, seed: 0 };
        let (a, b) = (versions::baseline(), versions::twin());
        check(&a, &b, &log, &[how.clone(), whole.clone()], false);
        check(&b, &a, &log, &[how], false);
    }

    #[test]
    fn strangers_part_where_a_plain_reading_says(log in log(), how in how()) {
        let whole = How { slab: 1000, batch: 9, shards: 1, seed: 0 };
        for (a, b) in [
            (versions::baseline(), versions::stranger()),
            (versions::stranger(), versions::twin()),
        ] {
            check(&a, &b, &log, &[how.clone(), whole.clone()], false);
        }
    }

    #[test]
    fn a_view_that_fails_changes_no_fold(log in log(), how in how()) {
        let (a, b) = (versions::baseline(), versions::twin());
        check(&versions::touchy(a.clone()), &a, &log, std::slice::from_ref(&how), true);
        check(&b, &versions::touchy(versions::stranger()), &log, &[how], true);
    }

    #[test]
    fn a_version_never_parts_from_itself(log in log(), how in how()) {
        let a = versions::baseline();
        let both = both([&a, &a], &log, &rules(Order::Log), &how, true).expect("it folds");
        prop_assert!(both.keys.values().all(|(_, parted)| parted.is_none()));
    }
}
