//! The digests as wholes: literal hashes that Python's hashlib gave for the layouts in
//! docs/digest.md, and what must never move a root.

use super::*;
use crate::decode::Code;
use crate::log::Stretch;
use crate::reduce::{Block, EmitRows, Finals, Outcome, Viewed, Violated};
use crate::schema::{Column, EmitKind, Field, Kind, Spans, Value};
use proptest::prelude::*;

fn field(name: &str, kind: Kind) -> Field {
    Field { name: name.into(), paths: Vec::new(), kind, required: false }
}

fn shape() -> OutcomeShape {
    let net = field("net", Kind::Decimal { scale: 2 });
    let kind = |name: &str, fields| EmitKind { name: name.into(), fields };
    OutcomeShape {
        emits: vec![
            kind("balance", vec![net, field("tier", Kind::Text)]),
            kind("flag", vec![field("on", Kind::Boolean)]),
        ],
        rejects: vec!["refund-too-large".into(), "unknown".into()],
    }
}

fn empty_emits() -> Vec<EmitRows> {
    let columns = |kind: &EmitKind| kind.fields.iter().map(|f| Column::new(f.kind)).collect();
    let rows = |kind| EmitRows { columns: columns(kind), ..EmitRows::default() };
    shape().emits.iter().map(rows).collect()
}

fn emit(rows: &mut EmitRows, event: u32, values: &[Option<Value<'_>>]) {
    rows.events.push(event);
    for (column, &value) in rows.columns.iter_mut().zip(values) {
        column.push(value).unwrap();
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn pinned_block() -> Block {
    let mut outcomes = vec![
        Outcome::Applied,
        Outcome::Rejected(0),
        Outcome::Trapped,
        Outcome::Duplicate,
        Outcome::Conflict,
        Outcome::Malformed(Code::KeyMissing),
        Outcome::Ignored,
        Outcome::Quarantined,
        Outcome::Filtered,
    ];
    outcomes.resize(9 + 1020 + 1, Outcome::Applied);
    let mut emits = empty_emits();
    emit(&mut emits[0], 0, &[Some(Value::Decimal(1234)), Some(Value::Text(b"gold"))]);
    emit(&mut emits[0], 0, &[Some(Value::Decimal(-5)), None]);
    emit(&mut emits[1], 0, &[Some(Value::Boolean(true))]);
    let stretches = vec![
        Stretch { partition: 1, first_offset: 0, events: 1029 },
        Stretch { partition: 0, first_offset: 7, events: 1 },
    ];
    Block { stretches, outcomes, emits, ..Block::default() }
}

fn no_outcomes() -> Outcomes {
    Outcomes::new(shape(), &names(&["p1", "p0"]))
}

fn pinned_outcomes() -> Outcomes {
    let mut trees = no_outcomes();
    trees.add(&pinned_block()).unwrap();
    trees
}

fn view_fields() -> [Field; 2] {
    [field("currency", Kind::Text), field("net", Kind::Decimal { scale: 2 })]
}

fn no_tables() -> Tables {
    Tables::of(&view_fields(), names(&["net-wrong"]))
}

fn pinned_tables() -> Tables {
    let mut tables = no_tables();
    pinned_finals().iter().for_each(|finals| tables.add(finals).unwrap());
    tables
}

fn pinned_finals() -> Vec<Finals> {
    let fields = view_fields();
    let finals = |block: u32| {
        let columns = fields.iter().map(|f| Column::new(f.kind)).collect();
        let viewed = Viewed { owners: Vec::new(), columns };
        let mut finals = Finals { viewed, ..Finals::default() };
        for owner in 0..100 {
            let n = block * 100 + owner;
            finals.keys.push(format!("k{n:03}").as_bytes());
            finals.states.push(&vec![n as u8; n as usize % 5 + 1]);
            finals.applied.push(u64::from(n));
            finals.times.push(0);
            for row in 0..n % 3 {
                let currency: &[u8] = if row == 0 { b"EUR" } else { b"USD" };
                finals.viewed.owners.push(owner);
                finals.viewed.columns[0].push(Some(Value::Text(currency))).unwrap();
                let net = i64::from(n * 100 + row);
                finals.viewed.columns[1].push(Some(Value::Decimal(net))).unwrap();
            }
            let violations = u32::from(n.is_multiple_of(10)) + u32::from(n.is_multiple_of(20));
            let violation = |_| Violated { owner, code: 0, detail: "free".into() };
            finals.violated.extend((0..violations).map(violation));
        }
        finals
    };
    (0..6).map(finals).collect()
}

#[test]
fn trees_grow_from_the_rows_of_parts_as_from_the_whole() {
    let (mut views, mut states, mut violations) = (Vec::new(), Vec::new(), Vec::new());
    let codes = names(&["net-wrong"]);
    for Finals { keys, states: bytes, applied, viewed, violated, .. } in
        pinned_finals().iter().rev()
    {
        let put = |rows: &mut Vec<_>, key: &[u8], row| {
            rows.push((key.to_vec(), row));
            Ok(())
        };
        view_rows(&view_fields(), keys, viewed, |key, row| put(&mut views, key, row)).unwrap();
        state_rows(keys, bytes, applied, |key, row| put(&mut states, key, row)).unwrap();
        violation_rows(&codes, keys, violated, |key, row| put(&mut violations, key, row)).unwrap();
    }
    let mut tables = no_tables();
    for rows in [&mut views, &mut states, &mut violations] {
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    views.iter().for_each(|(key, row)| tables.views.append(key, *row).unwrap());
    states.iter().for_each(|(key, row)| tables.states.append(key, *row).unwrap());
    violations.iter().for_each(|(key, row)| tables.violations.append(key, *row).unwrap());
    assert_eq!(tables.finish(), pinned_tables().finish());
}

#[test]
fn outcomes_grow_from_records_as_from_blocks() {
    let records = shape().records(&pinned_block()).unwrap();
    assert_eq!(
        (records.offsets[0], records.offsets[1028 - 1], records.records.len()),
        (0, 1028, 1029)
    );
    let mut trees = no_outcomes();
    for (&partition, record) in records.partitions.iter().zip(records.records.iter()) {
        trees.append(partition, record).unwrap();
    }
    assert_eq!(trees.save(), pinned_outcomes().save());
    assert_eq!(trees.append(2, b"").unwrap_err().0, "partition number 2 is unknown");
    // Also where no event leaves a record.
    let stretches = vec![Stretch { partition: 2, first_offset: 0, events: 1 }];
    let block = Block { stretches, outcomes: vec![Outcome::Filtered], ..Block::default() };
    let refused = Outcomes::new(OutcomeShape::default(), &names(&["a"])).add(&block).unwrap_err();
    assert_eq!(refused.0, "partition number 2 is unknown");
}

#[test]
fn a_hash_is_shown_and_read_as_hexadecimal_digits() {
    let hash = Hash::of(b"abc");
    let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash.to_string(), text);
    assert_eq!(Hash::parse(text), Some(hash));
    assert_eq!(Hash::parse(&text.to_uppercase()), None);
    assert_eq!(Hash::parse(&text[1..]), None);
}

#[test]
fn the_digests_are_what_hashlib_says() {
    let partitions = pinned_outcomes().digests();
    let counts: Vec<_> = partitions.iter().map(PartitionDigest::count).collect();
    assert_eq!(counts[0], PartitionCount { partition: "p0".into(), events: 1028 });
    let tables = pinned_tables();
    let (views, states) = (tables.views.finish(), tables.states.finish());
    let violations = tables.violations.finish();
    let digests = Digests {
        outcomes: outcomes_digest(&shape().emits, &partitions),
        views: views.digest,
        states: states.digest,
        violations: violations.digest,
    };
    assert_eq!((views.keys, views.rows), (400, 600));
    assert_eq!(states.leaves.iter().map(|leaf| leaf.rows).sum::<u64>(), 600);
    assert!(states.leaves.len() > 1, "the keys must make more than one leaf");
    let shown = |hash: Hash| hash.to_string();
    assert_eq!(
        shown(digests.outcomes),
        "30e0b3e465ac215ae050cc3012147e7739abea75db7fe2dcfe6e8a9c20576656"
    );
    assert_eq!(
        shown(digests.views),
        "2fbb103829ac9b967e8b34699bf64861e3b45c56669d301cfbaf0bc0723e0f8b"
    );
    assert_eq!(
        shown(digests.states),
        "f66d58dc06aa3e04d19553ada193d7389fc120a8c9c1972472b3557d8faf46bc"
    );
    assert_eq!(
        shown(digests.violations),
        "35095a39edf4f74a24676bd591ecc0df56c039ab9434279e421b6bc0b5855e71"
    );
    assert_eq!(
        shown(run_digest(&digests, &counts)),
        "4f6958f77d445f7fdea0fd26729c41cd44b87e059c178c90172cc4755de81b9e"
    );
}

/// The events `from..to` of a block as a block of its own.
fn cut(block: &Block, from: usize, to: usize) -> Block {
    let mut part = Block { outcomes: block.outcomes[from..to].to_vec(), ..Block::default() };
    let mut at = 0;
    for stretch in &block.stretches {
        let (start, end) = (at.max(from), (at + stretch.events as usize).min(to));
        if start < end {
            part.stretches.push(Stretch {
                first_offset: stretch.first_offset + (start - at) as u64,
                events: (end - start) as u32,
                ..*stretch
            });
        }
        at += stretch.events as usize;
    }
    part.emits = empty_emits();
    for (rows, cut) in block.emits.iter().zip(&mut part.emits) {
        for (row, &event) in rows.events.iter().enumerate() {
            if (from..to).contains(&(event as usize)) {
                let values: Vec<_> = rows.columns.iter().map(|c| c.get(row)).collect();
                emit(cut, event - from as u32, &values);
            }
        }
    }
    part
}

fn what() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        20 => Just(Outcome::Applied),
        1 => (0u16..2).prop_map(Outcome::Rejected),
        1 => Just(Outcome::Duplicate),
        1 => Just(Outcome::Malformed(Code::NotJson)),
        3 => Just(Outcome::Filtered),
    ]
}

prop_compose! {
    /// About three leaves in two partitions that take turns.
    fn block()(
        outcomes in prop::collection::vec(what(), 2000..3500),
        turns in prop::collection::vec(1u32..900, 8),
        emitting in prop::collection::vec((0u32..3500, any::<i64>(), any::<bool>()), 0..200),
    ) -> Block {
        let mut left = outcomes.len() as u32;
        let mut next = [0u64; 2];
        let mut stretches = Vec::new();
        for (turn, &events) in turns.iter().cycle().enumerate() {
            let events = events.min(left);
            let partition = (turn % 2) as u32;
            let first_offset = next[turn % 2];
            stretches.push(Stretch { partition, first_offset, events });
            next[turn % 2] += u64::from(events);
            left -= events;
            if left == 0 {
                break;
            }
        }
        let mut emits = empty_emits();
        let mut emitting = emitting;
        emitting.sort_by_key(|(event, ..)| *event);
        for (event, net, whole) in emitting {
            if outcomes.get(event as usize) == Some(&Outcome::Applied) {
                emit(&mut emits[0], event, &[Some(Value::Decimal(net)), None]);
                if whole {
                    emit(&mut emits[1], event, &[Some(Value::Boolean(net > 0))]);
                }
            }
        }
        Block { stretches, outcomes, emits, ..Block::default() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn neither_splits_nor_restarts_nor_filtered_events_move_a_root(
        block in block(),
        cuts in prop::collection::vec((0usize..3500, any::<bool>()), 0..8),
    ) {
        let partitions = names(&["a", "b"]);
        let mut whole = Outcomes::new(shape(), &partitions);
        whole.add(&block).unwrap();

        let mut cuts = cuts;
        cuts.push((block.outcomes.len(), false));
        cuts.sort();
        let mut parts = Outcomes::new(shape(), &partitions);
        let mut from = 0;
        for (to, restart) in cuts {
            let to = to.min(block.outcomes.len());
            parts.add(&cut(&block, from, to)).unwrap();
            from = to;
            if restart {
                parts = Outcomes::restore(shape(), &partitions, parts.save()).unwrap();
            }
        }
        prop_assert_eq!(parts.digests(), whole.digests());

        let mut kept = block.clone();
        let mut number = 0;
        let numbers: Vec<u32> = block.outcomes.iter().map(|what| {
            number += u32::from(*what != Outcome::Filtered);
            number.saturating_sub(1)
        }).collect();
        let mut event = 0;
        for stretch in &mut kept.stretches {
            let end = event + stretch.events as usize;
            let stay = |what: &&Outcome| **what != Outcome::Filtered;
            stretch.events = block.outcomes[event..end].iter().filter(stay).count() as u32;
            event = end;
        }
        kept.outcomes.retain(|what| *what != Outcome::Filtered);
        for rows in &mut kept.emits {
            rows.events.iter_mut().for_each(|event| *event = numbers[*event as usize]);
        }
        let mut without = Outcomes::new(shape(), &partitions);
        without.add(&kept).unwrap();
        prop_assert_eq!(without.digests(), whole.digests());
    }

    #[test]
    fn one_other_outcome_moves_the_root(block in block(), at in 0usize..2000) {
        let digests = |block: &Block| {
            let mut trees = Outcomes::new(shape(), &names(&["a", "b"]));
            trees.add(block).unwrap();
            trees.digests()
        };
        let mut other = block.clone();
        let applied = other.outcomes[at] == Outcome::Applied;
        other.outcomes[at] = if applied { Outcome::Ignored } else { Outcome::Applied };
        other.emits = empty_emits();
        let mut same = block;
        same.emits = empty_emits();
        prop_assert_ne!(digests(&other), digests(&same));
    }
}

#[test]
fn a_history_that_does_not_fit_is_refused() {
    let histories = pinned_outcomes().save();
    let restore = |histories| Outcomes::restore(shape(), &names(&["p0"]), histories).map(|_| ());
    assert_eq!(restore(histories.clone()), Ok(()));
    let mut cut = histories.clone();
    cut[0].edge.clear();
    assert_eq!(
        restore(cut).unwrap_err().to_string(),
        "the saved outcomes of partition \"p0\" cannot be taken up: \
         it has an edge that does not fit its count"
    );
    let mut cut = histories.clone();
    cut[0].open.clear();
    assert!(restore(cut).is_err());
    assert!(restore([&histories[..1], &histories[..1]].concat()).is_err());
}

#[test]
fn an_open_leaf_holds_as_many_records_as_its_events_leave() {
    for history in pinned_outcomes().save() {
        assert!(history.is_counted(&shape()), "{}", history.partition);
        let other = |change: &dyn Fn(&mut History)| {
            let mut other = history.clone();
            change(&mut other);
            !other.is_counted(&shape())
        };
        assert!(other(&|of| of.events += 1));
        assert!(other(&|of| of.open.push(1)), "one more was applied");
        assert!(other(&|of| of.open.push(9)), "no such record");
        assert!(other(&|of| of.open.insert(0, 16)), "an emit of no event");
    }
}

#[test]
fn a_partition_that_is_not_read_again_keeps_its_events() {
    let histories = pinned_outcomes().save();
    let trees = Outcomes::restore(shape(), &names(&["p9", "p1"]), histories).unwrap();
    assert_eq!(trees.digests(), pinned_outcomes().digests());
}

#[test]
fn an_emit_of_an_event_that_was_not_applied_is_an_error() {
    let mut emits = empty_emits();
    emit(&mut emits[1], 0, &[Some(Value::Boolean(true))]);
    let stretches = vec![Stretch { partition: 0, first_offset: 0, events: 1 }];
    let block = Block { stretches, outcomes: vec![Outcome::Ignored], emits, ..Block::default() };
    let error = Outcomes::new(shape(), &names(&["a"])).add(&block).unwrap_err();
    assert_eq!(error.0, "event 0 of the block emitted without being applied");
}

#[test]
fn keys_out_of_order_are_an_error() {
    let keys: Spans = [b"b".as_slice(), b"a"].into_iter().collect();
    let mut tree = KeyTree::states();
    let added = state_rows(&keys, &keys, &[1, 1], |key, row| tree.append(key, row));
    let error = added.unwrap_err();
    assert_eq!(error.to_string(), "key \"a\" stands behind \"b\", out of byte order");
}

#[test]
fn a_leaf_ends_after_4096_keys_at_the_latest() {
    let mut tree = KeyTree::states();
    for n in 0..20_000u32 {
        let key: Spans = [n.to_be_bytes().as_slice()].into_iter().collect();
        state_rows(&key, &key, &[1], |key, row| tree.append(key, row)).unwrap();
    }
    let leaves = tree.finish().leaves;
    assert!(leaves.iter().all(|leaf| leaf.rows <= 4096));
    // 1 key in 256 ends a leaf: about 78 leaves.
    assert!((50..120).contains(&leaves.len()), "{} leaves", leaves.len());
}
