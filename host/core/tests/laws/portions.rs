//! Laws of folding keys in portions, one pass over the log for each: joined, they come to what one
//! pass over all keys does.

use crate::driver::{How, Result, description, fold, reducer};
use crate::{how, log, window};
use proptest::prelude::*;
use retally_core::apart::Apart;
use retally_core::decode::{Placed, Plan};
use retally_core::digest::{OutcomeShape, Outcomes, Tables};
use retally_core::fold::{Decoding, Fold, Recipe};
use retally_core::log::Order;
use retally_core::portion::Portion;
use retally_core::reduce::{Ahead, Block, Finals, NoProbe, Rules, join_blocks, join_keys, spread};
use retally_core::seed::Seed;
use retally_core::shard::Decoded;
use retally_core::subset::Subset;
use retally_kit::log::{Partition, addressing, rules, slabs};
use std::sync::Arc;

/// The blocks of all portions where the first alone reads the log, and puts the events of the
/// others aside.
fn put_aside(log: &[Partition], rules: &Rules, how: &How, number: usize) -> Vec<Block> {
    let names: Vec<String> = log.iter().map(|(name, _)| name.clone()).collect();
    let recipe = |portion| Recipe {
        reducer: Arc::new(reducer()),
        rules: rules.clone(),
        seed: Seed([how.seed; 32]),
        shards: how.shards,
        portion,
    };
    let portions = Portion::all(number).expect("not too many");
    let mut folds: Vec<Fold> = portions.map(|one| Fold::new(recipe(one), &names)).collect();
    let plan = Arc::new(Plan::new(&[&description()], &addressing()).expect("a plan"));
    let mut joined = Vec::new();
    for batch in slabs(log, how.slab).chunks(how.batch) {
        let mut decoding = Decoding::new(plan.clone(), &folds[0].recipe).keeping_others();
        let slab = |placed| decoding.slab(placed, &mut NoProbe).expect("lines decode").remove(0);
        let mut read: Vec<Decoded> = batch.chunks(how.joined + 1).map(slab).collect();
        let mut blocks = vec![folds[0].fold(&read).expect("it folds")];
        for (portion, fold) in folds.iter_mut().enumerate().skip(1) {
            let mut decoding = Decoding::new(plan.clone(), &fold.recipe);
            let (mut own, mut numbers, mut events) = (Vec::new(), Vec::new(), 0);
            for decoded in &mut read {
                let Apart { rows, events: apart } = std::mem::take(&mut decoded.others[portion]);
                let one = |&row: &u32| {
                    let (placed, row) = decoded.placed.of(row);
                    placed.slice(row..row + 1)
                };
                let placed: Vec<Placed> = rows.iter().map(one).collect();
                own.push(decoding.kept(&placed, apart, None, &mut NoProbe));
                numbers.extend(rows.iter().map(|row| events as u32 + row));
                events += decoded.len();
            }
            blocks.push(spread(fold.fold(&own).expect("it folds"), &numbers, events));
        }
        joined.push(join_blocks(&description(), blocks).expect("they fit"));
    }
    joined
}

/// The blocks and the keys of all portions.
fn joined(mut parts: Vec<Result>) -> (Vec<Block>, Vec<Finals>) {
    let batches = parts[0].blocks.len();
    let own = |batch: usize| parts.iter().map(|part| part.blocks[batch].clone()).collect();
    let join = |batch: usize| join_blocks(&description(), own(batch)).expect("they fit");
    let blocks = (0..batches).map(join).collect();
    let finals = parts.iter_mut().map(|part| std::mem::take(&mut part.finals));
    let mut ahead: Vec<Ahead> = finals.map(Ahead::new).collect();
    let mut pieces = Vec::new();
    while ahead.iter().any(|part| !part.is_over()) {
        pieces.push(join_keys(&description(), &mut ahead));
    }
    (blocks, pieces)
}

/// One line for each key.
fn lines(pieces: &[Finals]) -> Vec<String> {
    let line = |piece: &Finals, key: usize| {
        let rows = (0..piece.viewed.owners.len())
            .filter(|&row| piece.viewed.owners[row] as usize == key)
            .map(|row| piece.viewed.columns.iter().map(|c| c.get(row)).collect::<Vec<_>>());
        let violated = piece.violated.iter().filter(|found| found.owner as usize == key);
        let violated: Vec<_> = violated.map(|found| (found.code, &found.detail)).collect();
        let (applied, time) = (piece.applied[key], piece.times[key]);
        let (rows, state) = (rows.collect::<Vec<_>>(), piece.states.get(key));
        format!("{:?} {state:?} {applied} {time} {rows:?} {violated:?}", piece.keys.get(key))
    };
    let of =
        |piece: &'_ Finals| (0..piece.keys.len()).map(|key| line(piece, key)).collect::<Vec<_>>();
    pieces.iter().flat_map(of).collect()
}

fn digests(
    log: &[Partition],
    blocks: &[Block],
    pieces: &[Finals],
) -> retally_core::digest::Digests {
    let names: Vec<String> = log.iter().map(|(name, _)| name.clone()).collect();
    let mut outcomes = Outcomes::new(OutcomeShape::of(&description()), &names);
    blocks.iter().for_each(|block| outcomes.add(block).expect("it fits"));
    let mut tables = Tables::new(&description());
    pieces.iter().for_each(|piece| tables.add(piece).expect("keys in order"));
    tables.finish().digests(outcomes.digest())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn portions_come_to_what_the_whole_does(
        log in log(),
        how in how(),
        window in window(),
        number in 1usize..9,
        some in proptest::option::of(proptest::collection::btree_set(0u8..16, 0..9)),
        order in prop_oneof![Just(Order::Log), Just(Order::Path)],
    ) {
        let mut rules = rules(order);
        rules.window = window;
        if let Some(keys) = some {
            let keys = keys.into_iter().map(|key| format!("k{key}").into_bytes());
            rules.subset = Arc::new(Subset::Keys(keys.collect()));
        }
        let whole = fold(&log, &rules, &how).expect("it folds");
        let portions = Portion::all(number).expect("not too many");
        let part = |portion| fold(&log, &rules, &How { portion, ..how.clone() }).expect("it folds");
        let (blocks, pieces) = joined(portions.map(part).collect());
        prop_assert_eq!(&blocks, &whole.blocks);
        prop_assert_eq!(lines(&pieces), lines(&[whole.finals]));
        prop_assert_eq!(digests(&log, &blocks, &pieces), whole.digests);
        prop_assert_eq!(put_aside(&log, &rules, &how, number), whole.blocks);
    }
}

#[test]
fn blocks_of_other_events_are_not_joined() {
    let line = |key: u8| {
        format!("{{\"type\":\"put\",\"key\":\"k{key}\",\"id\":{key},\"ts\":1,\"amount\":1}}")
    };
    let log: Vec<Partition> = vec![("a".into(), (0..9).map(line).collect())];
    let longer: Vec<Partition> = vec![("a".into(), (0..10).map(line).collect())];
    let how = How { slab: 1000, batch: 1, shards: 1, ..How::default() };
    let block = |log: &[Partition], portion| {
        let how = How { portion, ..how.clone() };
        fold(log, &rules(Order::Log), &how).expect("it folds").blocks.remove(0)
    };
    let halves: Vec<Portion> = Portion::all(2).expect("not too many").collect();
    let join = |a, b| join_blocks(&description(), vec![a, b]).map_err(|error| error.to_string());
    let grown = join(block(&log, halves[0]), block(&longer, halves[1]));
    assert!(grown.expect_err("it grew").contains("other offsets"));
    let twice = join(block(&log, halves[0]), block(&log, halves[0]));
    assert!(twice.expect_err("twice").contains("one and the same event"));
}
