//! Laws of the two doors for whoever keeps states of its own: a log folded key by key, and digests
//! made from parts, come to what one fold over the whole log comes to.

use crate::driver::{How, Result, description, reducer};
use retally_core::decode::Plan;
use retally_core::digest::{
    Digests, OutcomeShape, Outcomes, RowDigest, Tables, state_rows, view_rows, violation_rows,
};
use retally_core::fold::{Decoding, KeyMemory, Recipe};
use retally_core::portion::Portion;
use retally_core::reduce::{Block, Finals, Rules};
use retally_core::seed::Seed;
use retally_kit::log::{Partition, addressing, slabs};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A row of one of the three trees, on its way from a part to the whole.
type Row = (usize, Vec<u8>, RowDigest);

/// What parts hand on: records with their places, and rows.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    records: Vec<(u32, u64, Vec<u8>)>,
    rows: Vec<Row>,
}

impl Parts {
    fn block(&mut self, block: &Block) {
        let shape = OutcomeShape::of(&description());
        let records = shape.records(block).expect("the block fits");
        let places = records.partitions.iter().zip(&records.offsets);
        let records = places.zip(records.records.iter());
        self.records.extend(records.map(|((&p, &offset), bytes)| (p, offset, bytes.to_vec())));
    }

    fn finals(&mut self, finals: &Finals) {
        let Finals { keys, states, applied, viewed, violated, .. } = finals;
        let d = description();
        let codes: Vec<String> = d.violations.iter().map(|reason| reason.code.clone()).collect();
        let mut put = |tree: usize, key: &[u8], row| {
            self.rows.push((tree, key.to_vec(), row));
            Ok(())
        };
        view_rows(&d.view.fields, keys, viewed, |key, row| put(0, key, row)).expect("they fit");
        state_rows(keys, states, applied, |key, row| put(1, key, row)).expect("they fit");
        violation_rows(&codes, keys, violated, |key, row| put(2, key, row)).expect("they fit");
    }

    /// The digests of all parts, whatever the order in which they came.
    pub(crate) fn digests(mut self, log: &[Partition]) -> Digests {
        let names: Vec<String> = log.iter().map(|(name, _)| name.clone()).collect();
        let mut outcomes = Outcomes::new(OutcomeShape::of(&description()), &names);
        self.records.sort();
        for (partition, _, record) in &self.records {
            outcomes.append(*partition, record).expect("a partition of the log");
        }
        let mut tables = Tables::new(&description());
        self.rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        for (tree, key, row) in &self.rows {
            let appended = match tree {
                0 => tables.views.append(key, *row),
                1 => tables.states.append(key, *row),
                _ => tables.violations.append(key, *row),
            };
            appended.expect("keys in order");
        }
        tables.finish().digests(outcomes.digest())
    }
}

/// Keys of a part: those whose hash falls to it.
pub(crate) fn split(whole: &Result, parts: usize) -> Parts {
    let mut all = Parts::default();
    let part_of = |key: &[u8]| key.iter().map(|&b| usize::from(b)).sum::<usize>() % parts;
    for part in (0..parts).rev() {
        let mut finals = Finals::default();
        finals.viewed.columns = whole.finals.viewed.columns.iter().map(empty).collect();
        let mut row = 0;
        for (number, key) in whole.finals.keys.iter().enumerate() {
            let owners = &whole.finals.viewed.owners[row..];
            let rows = owners.iter().take_while(|&&owner| owner as usize == number).count();
            if part_of(key) == part {
                let owner = finals.keys.len() as u32;
                finals.keys.push(key);
                finals.states.push(whole.finals.states.get(number));
                finals.applied.push(whole.finals.applied[number]);
                for row in row..row + rows {
                    finals.viewed.owners.push(owner);
                    let columns = finals.viewed.columns.iter_mut();
                    for (into, from) in columns.zip(&whole.finals.viewed.columns) {
                        into.push(from.get(row)).expect("of the same kind");
                    }
                }
                let own = whole.finals.violated.iter().filter(|v| v.owner as usize == number);
                finals.violated.extend(own.cloned().map(|mut violated| {
                    violated.owner = owner;
                    violated
                }));
            }
            row += rows;
        }
        all.finals(&finals);
    }
    whole.blocks.iter().rev().for_each(|block| all.block(block));
    all
}

fn empty(column: &retally_core::schema::Column) -> retally_core::schema::Column {
    retally_core::schema::Column { values: column.values.empty(), missing: Vec::new() }
}

/// Folds a log key by key: every event is a step of its own.
pub(crate) fn by_keys(log: &[Partition], rules: &Rules, how: &How) -> Parts {
    let (rules, seed) = (rules.clone(), Seed([how.seed; 32]));
    let recipe = Recipe {
        reducer: Arc::new(reducer()),
        rules,
        seed,
        shards: how.shards,
        portion: Portion::default(),
    };
    let plan = Plan::new(&[&description()], &addressing()).expect("a plan");
    let mut decoding = Decoding::new(Arc::new(plan), &recipe);
    let mut keys: BTreeMap<Vec<u8>, KeyMemory> = BTreeMap::new();
    let mut parts = Parts::default();
    let mut instance = None;
    for placed in slabs(log, 1) {
        let slabs = decoding.batch(std::slice::from_ref(&placed)).expect("lines decode");
        let decoded = &slabs.of(0)[0];
        let key = if decoded.candidates().is_empty() { b"" } else { decoded.key(0) };
        let new = || KeyMemory::new(key, placed.partition);
        let memory = keys.entry(key.to_vec()).or_insert_with(new);
        let block = recipe.step(memory, slabs.of(0), &mut instance).expect("it folds");
        parts.block(&block);
    }
    for memory in keys.values().rev() {
        parts.finals(&recipe.key_finals(memory, &mut instance).expect("it has a view"));
    }
    parts
}
