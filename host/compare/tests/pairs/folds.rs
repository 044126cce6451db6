//! Folds without threads: both sides at once, and each side alone, one event at a time, as the
//! plainest statement of what must come out.

use retally_compare::Declared;
use retally_compare::pair::{Detail, PairShard, Parted, Seen, Shared, Side};
use retally_core::decode::{Address, Addressing, Decoder, Lines, Placed, Plan, Reading, Slab};
use retally_core::dedup::{Prints, Window};
use retally_core::digest::{Hash, OutcomeShape, Outcomes, Tables, outcomes_digest};
use retally_core::log::{Offsets, Order};
use retally_core::reduce::{
    Block, Folded, Keyed, NoProbe, OnConflict, OnTrap, Originals, Outcome, Reducer, Rules, Shard,
    Stop, finals, merge, sorted_keys,
};
use retally_core::schema::{Column, Description, Field};
use retally_core::seed::Seed;
use retally_core::shard::Decoded;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One partition: its name and its lines.
pub(crate) type Partition = (String, Vec<String>);

/// How a log is folded, without any influence on the result.
#[derive(Debug, Clone, Default)]
pub(crate) struct How {
    pub(crate) slab: usize,
    pub(crate) batch: usize,
    pub(crate) shards: usize,
    pub(crate) seed: u8,
}

pub(crate) fn rules() -> Rules {
    Rules {
        order: Order::Log,
        window: Window::All,
        on_conflict: OnConflict::KeepFirst,
        on_trap: OnTrap::Stop,
        params: Arc::default(),
        keys: None,
        quarantine: Default::default(),
        trace: false,
    }
}

fn addressing() -> Addressing {
    let path = |path: &str| Address::Path(path.into());
    Addressing {
        key: vec![path("/key")],
        id: path("/id"),
        time: path("/ts"),
        time_unit: Some(retally_core::decode::TimeUnit::Seconds),
    }
}

fn slabs(log: &[Partition], events: usize) -> Vec<Placed> {
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

/// Outcomes, views, states, violations.
pub(crate) type Digests = [Hash; 4];

fn digests(reducer: &dyn Reducer, rules: &Rules, outcomes: &Outcomes, shards: &[Shard]) -> Digests {
    let shards: Vec<&Shard> = shards.iter().collect();
    let keys = sorted_keys(&shards);
    let finals = finals(&shards, &keys, reducer, rules, &mut None).expect("views");
    let mut tables = Tables::new(reducer.description());
    tables.add(&finals).expect("keys in order");
    [
        outcomes_digest(&reducer.description().emits, &outcomes.digests()),
        tables.views.finish().digest,
        tables.states.finish().digest,
        tables.violations.finish().digest,
    ]
}

fn names(log: &[Partition]) -> Vec<String> {
    log.iter().map(|(name, _)| name.clone()).collect()
}

/// What came of both sides together.
#[derive(Debug)]
pub(crate) struct Both {
    /// Of each side; none where a view fails.
    pub(crate) digests: Option<[Digests; 2]>,
    pub(crate) keys: Keys,
}

type Keys = BTreeMap<Vec<u8>, (Seen, Option<(Parted, Option<Detail>)>)>;

/// What is known of every key.
fn keys(shared: &Shared, shards: &[Vec<Shard>; 2], pairs: &[PairShard]) -> Keys {
    let mut keys = Keys::new();
    for (side, shards) in shards.iter().enumerate() {
        for (shard, pair) in shards.iter().zip(pairs) {
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
    reducers: [&dyn Reducer; 2],
    log: &[Partition],
    rules: &Rules,
    how: &How,
    with_digests: bool,
) -> Result<Both, (usize, Stop)> {
    let described = reducers.map(Reducer::description);
    let shared = shared(described);
    let readers = if shared.is_twin() { &described[..1] } else { &described[..] };
    let plan = Plan::new(readers, &addressing()).expect("a plan");
    let (mut decoder, seed) = (Decoder::new(Arc::new(plan)), Seed([how.seed; 32]));
    let fresh = || -> Vec<Shard> { (0..how.shards).map(|n| Shard::new(n, rules)).collect() };
    let mut shards = [fresh(), fresh()];
    let mut pairs: Vec<PairShard> =
        (0..how.shards).map(|_| PairShard::new(described[0], described[1])).collect();
    let mut outcomes = described.map(|d| Outcomes::new(OutcomeShape::of(d), &names(log)));
    for batch in slabs(log, how.slab).chunks(how.batch) {
        let mut decoded: Vec<Vec<Decoded>> = readers.iter().map(|_| Vec::new()).collect();
        for placed in batch {
            let mut events = Vec::new();
            decoder.decode(placed, &mut events).expect("lines decode");
            for (list, events) in decoded.iter_mut().zip(events) {
                list.push(Decoded::new(
                    placed.clone(),
                    events,
                    &seed,
                    how.shards,
                    &mut Prints::default(),
                ));
            }
        }
        let slabs = [decoded[0].as_slice(), decoded[decoded.len() - 1].as_slice()];
        let mut folded: [Vec<Folded>; 2] = Default::default();
        let mut stop: Option<(usize, Stop)> = None;
        let [shards_a, shards_b] = &mut shards;
        for ((a, b), pair) in shards_a.iter_mut().zip(shards_b).zip(&mut pairs) {
            let (mut instance_a, mut instance_b) = (None, None);
            let mut sides = [
                Side { reducer: reducers[0], rules, shard: a, instance: &mut instance_a },
                Side { reducer: reducers[1], rules, shard: b, instance: &mut instance_b },
            ];
            match pair.fold(&shared, &mut sides, slabs, 0, &mut NoProbe) {
                Ok([a, b]) => {
                    folded[0].extend(a);
                    folded[1].extend(b);
                }
                Err(other) if stop.as_ref().is_none_or(|(_, s)| other.1.event < s.event) => {
                    stop = Some(other);
                }
                Err(_) => {}
            }
        }
        stop.map_or(Ok(()), Err)?;
        for side in 0..2 {
            let block = merge(described[side], slabs[side], &folded[side], Originals::InSlabs);
            outcomes[side].add(&block).expect("the block fits");
        }
    }
    let keys = keys(&shared, &shards, &pairs);
    let digests = with_digests
        .then(|| [0, 1].map(|side| digests(reducers[side], rules, &outcomes[side], &shards[side])));
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
pub(crate) fn alone(reducer: &dyn Reducer, log: &[Partition], rules: &Rules) -> Vec<Told> {
    let description = reducer.description();
    let plan = Plan::new(&[description], &addressing()).expect("a plan");
    let (mut decoder, seed) = (Decoder::new(Arc::new(plan)), Seed([9; 32]));
    let mut shard = Shard::new(0, rules);
    let mut told = Vec::new();
    for placed in slabs(log, 1) {
        let mut events = Vec::new();
        decoder.decode(&placed, &mut events).expect("lines decode");
        let events = events.pop().expect("one reader");
        let position = (placed.partition, placed.offsets.at(0));
        let key = matches!(events.readings[0], Reading::Ready | Reading::BadField(_)).then(|| {
            let input = description.inputs[usize::from(events.inputs[0])].name.clone();
            (events.keys.get(0).to_vec(), input)
        });
        let time = events.times[0];
        let decoded = [Decoded::new(placed, events, &seed, 1, &mut Prints::default())];
        let folded = shard.fold(&decoded, reducer, rules, &mut None, &mut NoProbe);
        let block: Block =
            merge(description, &decoded, &[folded.expect("it folds")], Originals::InSlabs);
        let emit = |(kind, emitted): (&retally_core::schema::EmitKind, _)| {
            let emitted: &retally_core::reduce::EmitRows = emitted;
            let rows = rows(&kind.fields, &emitted.columns, 0, emitted.events.len());
            rows.into_iter().map(|row| (kind.name.clone(), row)).collect::<Vec<_>>()
        };
        told.push(Told {
            position,
            key,
            time,
            what: block.outcomes[0],
            code: block.refused.first().map(|refused| refused.code.clone()).unwrap_or_default(),
            emits: description.emits.iter().zip(&block.emits).flat_map(emit).collect(),
            views: views(reducer, &shard),
        });
    }
    told
}

/// The digests of one side alone.
pub(crate) fn digests_alone(reducer: &dyn Reducer, log: &[Partition], rules: &Rules) -> Digests {
    let description = reducer.description();
    let plan = Plan::new(&[description], &addressing()).expect("a plan");
    let (mut decoder, seed) = (Decoder::new(Arc::new(plan)), Seed([9; 32]));
    let mut shards = vec![Shard::new(0, rules)];
    let mut outcomes = Outcomes::new(OutcomeShape::of(description), &names(log));
    for placed in slabs(log, 1000) {
        let mut events = Vec::new();
        decoder.decode(&placed, &mut events).expect("lines decode");
        let events = events.pop().expect("one reader");
        let decoded = [Decoded::new(placed, events, &seed, 1, &mut Prints::default())];
        let folded = shards[0].fold(&decoded, reducer, rules, &mut None, &mut NoProbe);
        let block = merge(description, &decoded, &[folded.expect("it folds")], Originals::InSlabs);
        outcomes.add(&block).expect("the block fits");
    }
    digests(reducer, rules, &outcomes, &shards)
}

fn views(reducer: &dyn Reducer, shard: &Shard) -> BTreeMap<Vec<u8>, Option<Vec<Row>>> {
    let fields = &reducer.description().view.fields;
    let mut views = BTreeMap::new();
    for slot in shard.keys.with_state() {
        let mut keyed = Keyed::default();
        keyed.keys.push(shard.keys.key(slot));
        keyed.states.push(shard.keys.state(slot));
        keyed.times.push(shard.keys.get(slot).last);
        let viewed = reducer.open().and_then(|mut instance| instance.view(&keyed));
        let viewed = viewed.ok().map(|v| rows(fields, &v.columns, 0, v.owners.len()));
        views.insert(shard.keys.key(slot).to_vec(), viewed);
    }
    views
}
