//! A fold without threads: the shortest way from lines to results, and a small reducer of plain
//! Rust.

use retally_core::decode::{Address, Addressing, Lines, Placed, Plan, Slab, TimeUnit};
use retally_core::dedup::Window;
use retally_core::digest::{Digests, Hash};
use retally_core::fold::{Decoding, Fold, FoldError, Recipe};
use retally_core::log::{Offsets, Order};
use retally_core::reduce::native::{Event, Native, Rules as NativeRules};
use retally_core::reduce::{Block, Finals, OnConflict, OnTrap, Rules};
use retally_core::schema::{
    Condition, Description, EmitKind, Field, Input, Kind, Reason, StateShape, Value, ViewShape,
};
use retally_core::seed::Seed;
use retally_core::snapshot::Piece;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One partition: its name and its lines.
pub(crate) type Partition = (String, Vec<String>);

/// How a log is folded, without any influence on the result.
#[derive(Debug, Clone, Default)]
pub(crate) struct How {
    /// Batches after which everything goes through a snapshot, and on with another number of
    /// shards.
    pub(crate) restarts: BTreeMap<usize, usize>,
    pub(crate) slab: usize,
    pub(crate) batch: usize,
    pub(crate) shards: usize,
    pub(crate) seed: u8,
    /// Every call gets an instance of its own.
    pub(crate) fresh: bool,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Result {
    pub(crate) blocks: Vec<Block>,
    pub(crate) finals: Finals,
    pub(crate) digests: Digests,
}

fn field(name: &str, kind: Kind, required: bool) -> Field {
    Field { name: name.into(), paths: vec![format!("/{name}")], kind, required }
}

fn bare(name: &str, kind: Kind) -> Field {
    Field { paths: Vec::new(), ..field(name, kind, true) }
}

fn reason(code: &str) -> Reason {
    Reason { code: code.into(), says: code.into() }
}

/// `put` adds, `take` takes away but never below zero; both emit the sum.
pub(crate) fn description() -> Description {
    let input = |name: &str| Input {
        name: name.into(),
        when: vec![Condition { path: "/type".into(), any_of: vec![name.into()] }],
        key: Vec::new(),
        fields: vec![field("amount", Kind::Integer, true), field("note", Kind::Text, false)],
    };
    Description {
        name: "sums".into(),
        version: "1".into(),
        inputs: vec![input("put"), input("take")],
        params: Vec::new(),
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

pub(crate) fn rules(order: Order) -> Rules {
    Rules {
        order,
        window: Window::All,
        on_conflict: OnConflict::KeepFirst,
        on_trap: OnTrap::Stop,
        params: Arc::default(),
        keys: None,
        quarantine: Default::default(),
        trace: false,
    }
}

pub(crate) fn addressing() -> Addressing {
    let path = |path: &str| Address::Path(path.into());
    Addressing {
        key: vec![path("/key")],
        id: path("/id"),
        time: path("/ts"),
        time_unit: Some(TimeUnit::Seconds),
    }
}

/// Cuts partitions into slabs, in the order of the log.
pub(crate) fn slabs(log: &[Partition], events: usize) -> Vec<Placed> {
    let mut slabs = Vec::new();
    for (number, (name, lines)) in log.iter().enumerate() {
        for (piece, lines) in lines.chunks(events).enumerate() {
            let mut text = Lines::default();
            for line in lines {
                text.bytes.extend_from_slice(line.as_bytes());
                text.bytes.push(b'\n');
                text.ends.push(text.bytes.len() as u32);
            }
            slabs.push(Placed {
                partition: number as u32,
                name: Arc::from(name.as_str()),
                offsets: Offsets::From((piece * events) as u64),
                slab: Arc::new(Slab::Lines(text)),
            });
        }
    }
    slabs
}

/// Folds a log.
pub(crate) fn fold(
    log: &[Partition],
    rules: &Rules,
    how: &How,
) -> std::result::Result<Result, FoldError> {
    let names: Vec<String> = log.iter().map(|(name, _)| name.clone()).collect();
    let recipe = |shards: usize| Recipe {
        reducer: Arc::new(reducer()),
        rules: rules.clone(),
        seed: Seed([how.seed; 32]),
        shards,
    };
    let begin = |fold: Fold| if how.fresh { fold.with_fresh_instances() } else { fold };
    let plan = Arc::new(Plan::new(&[&description()], &addressing()).expect("a plan"));
    let mut fold = begin(Fold::new(recipe(how.shards), &names));
    let mut blocks = Vec::new();
    // All snapshots so far: each holds all keys, but only the ids that are new in it.
    let mut saved: Vec<Piece> = Vec::new();
    for (number, batch) in slabs(log, how.slab).chunks(how.batch).enumerate() {
        let mut decoding = Decoding::new(plan.clone(), &fold.recipe);
        let slabs = decoding.batch(batch).expect("lines decode");
        blocks.push(fold.fold(slabs.of(0))?);
        if let Some(&shards) = how.restarts.get(&number) {
            // As if a run had ended here and another one gone on.
            let (pieces, outcomes) = fold.save();
            saved.extend(pieces);
            let next = Fold::resume(recipe(shards), &names, outcomes);
            fold = begin(next.expect("a history fits itself"));
            let homes: Vec<u32> = (0..names.len() as u32).collect();
            saved.iter().for_each(|piece| fold.import(piece, &homes));
        }
    }
    let mut finals = Finals::default();
    let digests = fold.end(|piece| finals = piece)?;
    Ok(Result { blocks, finals, digests })
}
