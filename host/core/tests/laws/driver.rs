//! A fold without threads: the shortest way from lines to results, and a small reducer of plain
//! Rust.

use retally_core::decode::{Placed, Plan};
use retally_core::dedup::Window;
use retally_core::digest::{Digests, Hash};
use retally_core::fold::{Bounds, Decoding, Fold, FoldError, Interleave, Recipe, Slabs, Strand};
use retally_core::log::{NEVER, Order};
use retally_core::portion::Portion;
use retally_core::reduce::native::{Event, Native, Rules as NativeRules};
use retally_core::reduce::{
    Answer, Batch, Block, Fault, Finals, Keyed, Limit, NoProbe, Rules, Viewed,
};
use retally_core::schema::{Description, EmitKind, Kind, StateShape, Value, ViewShape};
use retally_core::seed::Seed;
use retally_core::shard::Decoded;
use retally_core::snapshot::{IdRows, Piece};
use retally_kit::describe::{bare, field, input, reason};
use retally_kit::faulty::{Faults, faulty};
use retally_kit::log::{Partition, addressing, slabs};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a log is folded, without any influence on the result.
#[derive(Debug, Clone, Default)]
pub(crate) struct How {
    /// Batches after which everything goes through a snapshot, and on with another number of
    /// shards.
    pub(crate) restarts: BTreeMap<usize, usize>,
    /// Ids of snapshots without end are given only where they are asked for.
    pub(crate) lazily: bool,
    pub(crate) slab: usize,
    pub(crate) batch: usize,
    /// Slabs beyond the first that are decoded as one with it.
    pub(crate) joined: usize,
    pub(crate) shards: usize,
    pub(crate) seed: u8,
    /// Every call gets an instance of its own.
    pub(crate) fresh: bool,
    /// What calls cannot do.
    pub(crate) limits: Limits,
    /// Which keys are folded.
    pub(crate) portion: Portion,
}

/// When a call meets a limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    /// With more events or keys than these; none: never.
    pub(crate) most: Option<usize>,
    /// With an event of one of these ids.
    pub(crate) ids: BTreeSet<u16>,
}

impl Faults for Limits {
    fn apply(&self, batch: &Batch, _: &Answer) -> std::result::Result<(), Fault> {
        let known = |id: &[u8]| self.ids.iter().any(|known| known.to_string().as_bytes() == id);
        self.met(batch.len(), batch.ids.iter().any(known))
    }

    fn view(&self, keyed: &Keyed, _: &Viewed) -> std::result::Result<(), Fault> {
        self.met(keyed.keys.len(), false)
    }
}

impl Limits {
    fn met(&self, len: usize, always: bool) -> std::result::Result<(), Fault> {
        if always || self.most.is_some_and(|most| len > most) {
            return Err(Fault::Limit { which: Limit::Deadline, message: "too slow".into() });
        }
        Ok(())
    }
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Result {
    pub(crate) blocks: Vec<Block>,
    pub(crate) finals: Finals,
    pub(crate) digests: Digests,
}

/// `put` adds, `take` takes away but never below zero; both emit the sum.
pub(crate) fn description() -> Description {
    let fields = || vec![field("amount", Kind::Integer, true), field("note", Kind::Text, false)];
    Description {
        name: "sums".into(),
        version: "1".into(),
        inputs: vec![input("put", fields()), input("take", fields())],
        params: Vec::new(),
        defaults: Vec::new(),
        emits: vec![EmitKind {
            name: "sum".into(),
            fields: vec![bare("sum", Kind::Integer), bare("note", Kind::Text)],
        }],
        view: ViewShape { fields: vec![bare("sum", Kind::Integer)], row_key: Vec::new() },
        state: StateShape { version: 1, layout: "sum: i64".into(), migrates: Vec::new() },
        rejects: vec![reason("below-zero")],
        violations: vec![reason("odd")],
    }
}

struct Sums;

fn sum(state: &[u8]) -> i64 {
    state.try_into().map_or(0, i64::from_le_bytes)
}

impl NativeRules for Sums {
    fn apply(
        &self,
        state: &mut Vec<u8>,
        event: &Event<'_>,
        emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> std::result::Result<(), (u16, String)> {
        let Some(Value::Integer(amount)) = event.get(0) else { return Ok(()) };
        let sum = sum(state) + if event.input == 0 { amount } else { -amount };
        if sum < 0 {
            return Err((0, format!("{sum}")));
        }
        state.clear();
        state.extend_from_slice(&sum.to_le_bytes());
        let note = event.get(1).unwrap_or(Value::Text(b"-"));
        emit(0, &[Some(Value::Integer(sum)), Some(note)]);
        Ok(())
    }

    fn view(&self, _key: &[u8], state: &[u8], row: &mut dyn FnMut(&[Option<Value<'_>>])) {
        row(&[Some(Value::Integer(sum(state)))]);
    }

    fn check(&self, _key: &[u8], state: &[u8]) -> Vec<(u16, String)> {
        if sum(state) % 2 == 1 { vec![(0, String::new())] } else { Vec::new() }
    }
}

pub(crate) fn reducer() -> Native<impl NativeRules> {
    Native::new(description(), Hash([7; 32]), Sums)
}

/// The batches of a log under order "time".
fn merged(
    placed: &[Placed],
    partitions: usize,
    how: &How,
    decoding: &mut Decoding,
) -> Vec<Vec<Strand>> {
    let mut all = Interleave::new(&vec![NEVER; partitions]);
    for one in placed {
        all.push(decoding.timed(one.clone(), None, &mut NoProbe).expect("lines decode"));
    }
    (0..partitions as u32).for_each(|partition| all.end(partition));
    let events = (how.slab * how.batch) as u64;
    let bounds = Bounds { events, strands: u64::MAX, text_bytes: usize::MAX };
    std::iter::from_fn(|| all.batch(&bounds)).collect()
}

/// Takes in what the past holds of the ids of a batch.
fn recall(fold: &mut Fold, past: &BTreeMap<u128, u64>, slabs: &[Decoded]) {
    let asked = fold.ids_not_held(slabs).into_iter();
    let known = asked.filter_map(|id| Some((id, *past.get(&id)?)));
    let (digests, content) = known.unzip();
    fold.import_ids(&IdRows { digests, content, ..IdRows::default() }, &[]);
}

/// Folds a log.
pub(crate) fn fold(
    log: &[Partition],
    rules: &Rules,
    how: &How,
) -> std::result::Result<Result, FoldError> {
    let names: Vec<String> = log.iter().map(|(name, _)| name.clone()).collect();
    let recipe = |shards: usize| Recipe {
        reducer: faulty(Arc::new(reducer()), how.limits.clone()),
        rules: rules.clone(),
        seed: Seed([how.seed; 32]),
        shards,
        portion: how.portion,
    };
    let begin = |fold: Fold| if how.fresh { fold.with_fresh_instances() } else { fold };
    let by_time = rules.order == Order::Time;
    let plan = Plan::new(&[&description()], &addressing()).expect("a plan").with_clock(by_time);
    let plan = Arc::new(plan);
    let mut fold = begin(Fold::new(recipe(how.shards), &names));
    let mut blocks = Vec::new();
    // All snapshots so far: each holds all keys, but only the ids that are new in it.
    let mut saved: Vec<Piece> = Vec::new();
    // Their ids, where they are asked for.
    let mut past: BTreeMap<u128, u64> = BTreeMap::new();
    let placed = slabs(log, how.slab);
    let strands = if by_time {
        merged(&placed, names.len(), how, &mut Decoding::new(plan.clone(), &fold.recipe))
    } else {
        Vec::new()
    };
    let batches = if by_time { strands.len() } else { placed.len().div_ceil(how.batch) };
    for number in 0..batches {
        let mut decoding = Decoding::new(plan.clone(), &fold.recipe);
        let slabs = match strands.get(number) {
            Some(strands) => {
                let mut slabs = Slabs::default();
                strands.iter().for_each(|one| slabs.push(decoding.strand(one, &mut NoProbe)));
                slabs
            }
            None => {
                let batch = placed.chunks(how.batch).nth(number).unwrap_or_default();
                let mut slabs = Slabs::default();
                for placed in batch.chunks(how.joined + 1) {
                    slabs.push(decoding.slab(placed, &mut NoProbe).expect("lines decode"));
                }
                slabs
            }
        };
        recall(&mut fold, &past, slabs.of(0));
        blocks.push(fold.fold(slabs.of(0))?);
        if let Some(&shards) = how.restarts.get(&number) {
            // As if a run had ended here and another one gone on.
            let (pieces, outcomes) = fold.save();
            saved.extend(pieces);
            let next = Fold::resume(recipe(shards), &names, outcomes);
            fold = begin(next.expect("a history fits itself"));
            let homes: Vec<u32> = (0..names.len() as u32).collect();
            if how.lazily && rules.window == Window::All {
                for piece in &mut saved {
                    let ids = std::mem::take(&mut piece.ids);
                    past.extend(ids.digests.into_iter().zip(ids.content));
                }
            }
            saved.iter().for_each(|piece| fold.import(piece, &homes));
        }
    }
    let mut finals = Finals::default();
    let digests = fold.end(|piece| finals = piece)?;
    Ok(Result { blocks, finals, digests })
}
