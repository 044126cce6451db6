//! Folds without threads: both sides at once, and each side alone, one event at a time, as the
//! plainest statement of what must come out.

use retally_compare::Declared;
use retally_compare::pair::{Detail, PairFold, Parted, Seen, Shared};
use retally_core::decode::{Plan, Reading};
use retally_core::digest::Digests;
use retally_core::fold::{Decoding, Fold, FoldError, Recipe};
use retally_core::portion::Portion;
use retally_core::reduce::{EmitRows, Outcome, Reducer, Rules};
use retally_core::schema::{Column, Description, EmitKind, Field};
use retally_core::seed::Seed;
use retally_kit::log::{Partition, addressing, slabs};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a log is folded, without any influence on the result.
#[derive(Debug, Clone, Default)]
pub(crate) struct How {
    pub(crate) slab: usize,
    pub(crate) batch: usize,
    pub(crate) shards: usize,
    pub(crate) seed: u8,
}

fn names(log: &[Partition]) -> Vec<String> {
    log.iter().map(|(name, _)| name.clone()).collect()
}

fn fresh(reducer: &Arc<dyn Reducer>, log: &[Partition], rules: &Rules, how: &How) -> Fold {
    let (reducer, rules, seed) = (reducer.clone(), rules.clone(), Seed([how.seed; 32]));
    let recipe = Recipe { reducer, rules, seed, shards: how.shards, portion: Portion::default() };
    Fold::new(recipe, &names(log)).with_fresh_instances()
}

fn decoding(readers: &[&Description], fold: &Fold) -> Decoding {
    Decoding::new(Arc::new(Plan::new(readers, &addressing()).expect("a plan")), &fold.recipe)
}

/// What came of both sides together.
#[derive(Debug)]
pub(crate) struct Both {
    /// Of each side; none where a view fails.
    pub(crate) digests: [Option<Digests>; 2],
    pub(crate) keys: Keys,
}

type Keys = BTreeMap<Vec<u8>, (Seen, Option<(Parted, Option<Detail>)>)>;

/// What is known of every key.
fn keys(pair: &PairFold) -> Keys {
    let (mut keys, shared) = (Keys::new(), &pair.shared);
    for (side, fold) in pair.folds.iter().enumerate() {
        for (shard, pair) in fold.shards.iter().zip(pair.shards()) {
            for slot in 0..shard.keys.len() as u32 {
                let parted = pair.parted(shared, side, slot).copied();
                let parted = parted.map(|p| (p, pair.detail(shared, side, slot)));
                let seen = *pair.seen(shared, side, slot);
                keys.insert(shard.keys.key(slot).to_vec(), (seen, parted));
            }
        }
    }
    keys
}

/// What two versions have in common.
pub(crate) fn shared([a, b]: [&Description; 2]) -> Shared {
    let declared = |d| {
        let d: &Description = d;
        Declared { view: &d.view, emits: &d.emits }
    };
    let plan =
        retally_compare::Plan::new(declared(a), declared(b), &retally_compare::Options::default());
    Shared::new(a, b, &plan.expect("it can be compared"))
}

/// Folds both sides. `with_digests`: only where no view fails at the end.
pub(crate) fn both(
    reducers: [&Arc<dyn Reducer>; 2],
    log: &[Partition],
    rules: &Rules,
    how: &How,
    with_digests: bool,
) -> Result<Both, (usize, FoldError)> {
    let described = reducers.map(|reducer| reducer.description());
    let shared = shared(described);
    let readers = if shared.is_twin() { &described[..1] } else { &described[..] };
    let mut pair = PairFold::new(shared, reducers.map(|reducer| fresh(reducer, log, rules, how)));
    let mut decoding = decoding(readers, &pair.folds[0]);
    for batch in slabs(log, how.slab).chunks(how.batch) {
        pair.fold(&decoding.batch(batch).expect("lines decode"))?;
    }
    let keys = keys(&pair);
    let digests = pair.folds.map(|mut fold| with_digests.then(|| fold.end(|_| {}).expect("views")));
    Ok(Both { digests, keys })
}

/// What one event is for one side.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) position: (u32, u64),
    /// Its key and input, if they were read.
    pub(crate) key: Option<(Vec<u8>, String)>,
    /// Its time, if that was read.
    pub(crate) time: i64,
    pub(crate) what: Outcome,
    /// The code beside it.
    pub(crate) code: String,
    /// Emit kind and values by field.
    pub(crate) emits: Vec<(String, Row)>,
    /// The view of every key after it; none: it fails.
    pub(crate) views: BTreeMap<Vec<u8>, Option<Vec<Row>>>,
}

/// Values by the names of their fields.
pub(crate) type Row = BTreeMap<String, String>;

/// The rows of columns.
pub(crate) fn rows(fields: &[Field], columns: &[Column], from: usize, to: usize) -> Vec<Row> {
    let row = |at: usize| {
        let value = |(field, column): (&Field, &Column)| {
            (field.name.clone(), format!("{:?}", column.get(at)))
        };
        fields.iter().zip(columns).map(value).collect()
    };
    (from..to).map(row).collect()
}

/// One side alone, one event a batch, with the views of all keys after every event.
pub(crate) fn alone(reducer: &Arc<dyn Reducer>, log: &[Partition], rules: &Rules) -> Vec<Told> {
    let description = reducer.description();
    let how = How { shards: 1, seed: 9, ..How::default() };
    let mut fold = fresh(reducer, log, rules, &how);
    let mut decoding = decoding(&[description], &fold);
    let mut told = Vec::new();
    for placed in slabs(log, 1) {
        let slabs = decoding.batch(std::slice::from_ref(&placed)).expect("lines decode");
        let block = fold.fold(slabs.of(0)).expect("it folds");
        let events = &slabs.of(0)[0].events;
        let key = matches!(events.readings[0], Reading::Ready | Reading::BadField(_)).then(|| {
            let input = description.inputs[usize::from(events.inputs[0])].name.clone();
            (events.keys.get(0).to_vec(), input)
        });
        let emit = |(kind, emitted): (&EmitKind, &EmitRows)| {
            let rows = rows(&kind.fields, &emitted.columns, 0, emitted.events.len());
            rows.into_iter().map(|row| (kind.name.clone(), row)).collect::<Vec<_>>()
        };
        told.push(Told {
            position: (placed.partition, placed.offsets.at(0)),
            key,
            time: events.times[0],
            what: block.outcomes[0],
            code: block.refused.first().map(|refused| refused.code.clone()).unwrap_or_default(),
            emits: description.emits.iter().zip(&block.emits).flat_map(emit).collect(),
            views: views(&mut fold),
        });
    }
    told
}

/// The digests of one side alone.
pub(crate) fn digests_alone(
    reducer: &Arc<dyn Reducer>,
    log: &[Partition],
    rules: &Rules,
) -> Digests {
    let how = How { shards: 1, seed: 9, ..How::default() };
    let mut fold = fresh(reducer, log, rules, &how);
    let mut decoding = decoding(&[reducer.description()], &fold);
    for placed in slabs(log, 1000) {
        let slabs = decoding.batch(&[placed]).expect("lines decode");
        fold.fold(slabs.of(0)).expect("it folds");
    }
    fold.end(|_| {}).expect("views")
}

fn views(fold: &mut Fold) -> BTreeMap<Vec<u8>, Option<Vec<Row>>> {
    let keys = &fold.shards[0].keys;
    let with_state: Vec<_> = keys.with_state().map(|slot| keys.key(slot).to_vec()).collect();
    let mut view = |key: Vec<u8>| {
        let viewed = fold.view(&key).ok();
        let fields = &fold.recipe.description().view.fields;
        (key, viewed.map(|v| rows(fields, &v.columns, 0, v.owners.len())))
    };
    with_state.into_iter().map(&mut view).collect()
}
