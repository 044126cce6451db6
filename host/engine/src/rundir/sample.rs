//! A generated run for tests: every outcome, every kind, two partitions that take turns.

use super::RunWriter;
use crate::store::Folder;
use retally_core::decode::Code;
use retally_core::digest::{
    Digests, Hash, OutcomeShape, Outcomes, PartitionDigest, Tables, outcomes_digest, run_digest,
};
use retally_core::log::{Position, Stretch};
use retally_core::manifest::*;
use retally_core::reduce::{
    Block, EmitRows, Finals, OnConflict, OnTrap, Outcome, Refused, Viewed, Violated,
};
use retally_core::schema::{
    Column, Description, EmitKind, Field, Kind, Reason, StateShape, Value, ViewShape,
};
use std::path::Path;

fn field(name: &str, kind: Kind) -> Field {
    Field { name: name.into(), paths: Vec::new(), kind, required: false }
}

/// All kinds, two emit kinds, and fields whose names the tables have already.
pub(crate) fn description() -> Description {
    let reason = |code: &str| Reason { code: code.into(), says: "a sentence".into() };
    let net = Kind::Decimal { scale: 2 };
    Description {
        name: "sample".into(),
        version: "1".into(),
        inputs: Vec::new(),
        params: Vec::new(),
        defaults: Vec::new(),
        emits: vec![
            EmitKind {
                name: "balance".into(),
                fields: vec![
                    Field { required: true, ..field("currency", Kind::Text) },
                    Field { required: true, ..field("net", net) },
                    field("at", Kind::Timestamp),
                    field("note", Kind::Json),
                ],
            },
            EmitKind {
                name: "flag".into(),
                fields: vec![
                    field("on", Kind::Boolean),
                    field("ratio", Kind::Float),
                    field("day", Kind::Date),
                    field("raw", Kind::Bytes),
                    field("count", Kind::Integer),
                    field("wei", Kind::Decimal { scale: 18 }),
                ],
            },
            EmitKind { name: "never".into(), fields: Vec::new() },
        ],
        view: ViewShape {
            fields: vec![field("currency", Kind::Text), field("net", net)],
            row_key: Vec::new(),
        },
        state: StateShape::default(),
        rejects: vec![reason("refund-too-large"), reason("trap")],
        violations: vec![reason("net-wrong"), reason("tier-wrong")],
    }
}

/// Numbers without a pattern, the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

fn emit(rows: &mut EmitRows, event: u32, stretch: &Stretch, values: &[Option<Value<'_>>]) {
    let seq = rows.events.iter().rev().take_while(|&&e| e == event).count() as u32;
    rows.events.push(event);
    rows.partitions.push(stretch.partition);
    rows.offsets.push(stretch.first_offset + u64::from(event));
    rows.seqs.push(seq);
    rows.times.push(1_700_000_000_000_000 + i64::from(event));
    rows.keys.push(b"k1");
    rows.ids.push(format!("evt-{event}").as_bytes());
    for (column, &value) in rows.columns.iter_mut().zip(values) {
        column.push(value).unwrap();
    }
}

/// A block of one stretch with every outcome in it.
fn block(dice: &mut Dice, partition: u32, first_offset: u64, events: u32) -> Block {
    let stretch = Stretch { partition, first_offset, events };
    let rows = |kind: &EmitKind| EmitRows {
        columns: kind.fields.iter().map(|f| Column::new(f.kind)).collect(),
        ..EmitRows::default()
    };
    let mut emits: Vec<_> = description().emits.iter().map(rows).collect();
    let mut outcomes = Vec::new();
    let mut refused = Vec::new();
    for event in 0..events {
        let what = match dice.roll(60) {
            0 => Outcome::Rejected(dice.roll(2) as u16),
            1 => Outcome::Trapped,
            2 => Outcome::Duplicate,
            3 => Outcome::Conflict,
            4 => Outcome::Malformed(Code::FieldScale),
            5 => Outcome::Quarantined,
            6..9 => Outcome::Ignored,
            9..12 => Outcome::Filtered,
            _ => Outcome::Applied,
        };
        outcomes.push(what);
        let offset = first_offset + u64::from(event);
        if what == Outcome::Applied {
            emit_some(dice, &mut emits, event, &stretch);
        } else if what.is_refused() {
            let code = String::new();
            let (detail, bytes) = ("because".into(), vec![0xff, b'{']);
            let key = (event % 2 == 0).then(|| b"k1".to_vec());
            refused.push(Refused { event, partition, offset, what, code, detail, key, bytes });
        }
    }
    Block { stretches: vec![stretch], outcomes, emits, refused, ..Block::default() }
}

fn emit_some(dice: &mut Dice, emits: &mut [EmitRows], event: u32, stretch: &Stretch) {
    let net = Value::Decimal(dice.roll(1_000_000) as i64 - 500_000);
    for _ in 0..dice.roll(3) {
        let time = (dice.roll(2) == 0).then_some(Value::Timestamp(-5));
        let values =
            [Some(Value::Text("€UR".as_bytes())), Some(net), time, Some(Value::Json(b"{\"a\":1}"))];
        emit(&mut emits[0], event, stretch, &values);
    }
    if dice.roll(4) == 0 {
        let count = (dice.roll(2) == 0).then_some(Value::Integer(i64::MIN));
        let float = [f64::NAN, -0.0, 1.5][dice.roll(3) as usize];
        let values = [
            Some(Value::Boolean(dice.roll(2) == 0)),
            Some(Value::Float(float)),
            Some(Value::Date(-1)),
            Some(Value::Bytes(&[0, 0xff])),
            count,
            Some(Value::Decimal(i64::MAX)),
        ];
        emit(&mut emits[1], event, stretch, &values);
    }
}

fn finals(dice: &mut Dice, keys: std::ops::Range<u32>) -> Finals {
    let fields = description().view.fields;
    let columns = fields.iter().map(|f| Column::new(f.kind)).collect();
    let viewed = Viewed { owners: Vec::new(), columns };
    let mut finals = Finals { viewed, ..Finals::default() };
    for (owner, n) in (0u32..).zip(keys) {
        finals.keys.push(format!("k{n:05}").as_bytes());
        finals.states.push(&n.to_le_bytes());
        finals.applied.push(u64::from(n) + 1);
        finals.times.push(i64::from(n));
        for _ in 0..dice.roll(3) {
            let net = (dice.roll(5) > 0).then_some(Value::Decimal(i64::MAX - i64::from(n)));
            finals.viewed.owners.push(owner);
            finals.viewed.columns[0].push(Some(Value::Text(b"EUR"))).unwrap();
            finals.viewed.columns[1].push(net).unwrap();
        }
        let violations = dice.roll(8).saturating_sub(5);
        let violation = |code| Violated { owner, code: code as u16, detail: "net 1 but 2".into() };
        finals.violated.extend((0..violations).map(violation));
    }
    finals
}

/// A run of about 13,000 events in two partitions that take turns.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) blocks: Vec<Block>,
    pub(crate) finals: Vec<Finals>,
    pub(crate) partitions: Vec<String>,
}

pub(crate) fn sample(seed: u64) -> Sample {
    let mut dice = Dice(seed);
    let mut next = [100u64, 0];
    let mut blocks = Vec::new();
    for turn in 0..6 {
        let events = 1500 + dice.roll(1500) as u32;
        let at = turn % 2;
        blocks.push(block(&mut dice, at as u32, next[at], events));
        next[at] += u64::from(events) + if turn == 3 { 17 } else { 0 };
    }
    let finals = [0..1500, 1500..2000].map(|keys| finals(&mut dice, keys)).into();
    Sample { blocks, finals, partitions: vec!["b".into(), "a/1".into()] }
}

impl Sample {
    pub(crate) fn outcomes(&self) -> Outcomes {
        Outcomes::new(OutcomeShape::of(&description()), &self.partitions)
    }

    /// Writes the blocks that `outcomes` has not seen yet, and everything else.
    pub(crate) fn write(&self, dir: &Path, mut outcomes: Outcomes, from: usize) -> Manifest {
        let history = outcomes.save();
        let names = &self.partitions;
        let mut writer =
            RunWriter::create(&Folder::files(dir), &description(), names, &history).unwrap();
        let mut tables = Tables::new(&description());
        let mut counts = Counts::default();
        let Description { emits, view, .. } = description();
        let mut totals = Totals::new(&emits, &view.fields);
        for block in &self.blocks[from..] {
            outcomes.add(block).unwrap();
            counts.add(block);
            totals.add_emits(&emits, &block.emits).unwrap();
            writer.block(block.clone()).unwrap();
        }
        for finals in &self.finals {
            tables.add(finals).unwrap();
            totals.add_views(&view.fields, &finals.viewed).unwrap();
            counts.keys += finals.keys.len() as u64;
            counts.violations += finals.violated.len() as u64;
            writer.finals(finals.clone()).unwrap();
        }
        let trees = tables.finish();
        let partitions = outcomes.digests();
        let digests = trees.digests(outcomes_digest(&description().emits, &partitions));
        let manifest = manifest(digests, &partitions, (counts, totals), writer.control());
        writer.finish(&trees, &manifest, "").unwrap();
        manifest
    }
}

/// Settings in which everything occurs that the job digest covers.
fn settings() -> Settings {
    let param = |name: &str, kind, value: Option<&str>| Param {
        name: name.into(),
        kind,
        value: value.map(str::to_owned),
    };
    let bound = |partition: &str, offset| Position { partition: partition.into(), offset };
    Settings {
        order: retally_core::log::Order::Log,
        window: retally_core::dedup::Window::All,
        on_conflict: OnConflict::KeepFirst,
        on_trap: OnTrap::Reject,
        params: vec![
            param("gold_from", Kind::Decimal { scale: 2 }, Some("1000.00")),
            param("label", Kind::Text, None),
            param("limit", Kind::Integer, Some("-3")),
            param("strict", Kind::Boolean, Some("true")),
        ],
        keys: Some(vec!["k1".into(), "k2".into()]),
        range: Range { from: vec![bound("b", 100)], to: Vec::new(), limit: Some(9) },
        ledger: vec![Entry { partition: "b".into(), offset: 7, key: None, id: None }],
    }
}

fn input() -> Input {
    let object = |path: &str, sha256| Object {
        path: path.into(),
        size_bytes: 12,
        etag: None,
        xxh3_128: Some(Xxh3(0x0123_4567_89ab_cdef)),
        sha256,
        byte_order_mark: false,
    };
    let taken = |partition: &str, events, first, last| PartitionTaken {
        partition: partition.into(),
        events,
        first,
        last,
    };
    Input {
        partitions: vec![taken("a/1", 9, Some(0), Some(8)), taken("c", 0, None, None)],
        objects: vec![object("a/1.json", None), object("b.json.gz", Some(Hash::of(b"x")))],
    }
}

fn manifest(
    digests: Digests,
    partitions: &[PartitionDigest],
    (counts, totals): (Counts, Totals),
    control: serde_json::Value,
) -> Manifest {
    let partitions: Vec<_> = partitions.iter().map(PartitionDigest::count).collect();
    let (settings, input) = (settings(), input());
    let reducer = ReducerId {
        name: "sample".into(),
        version: "1".into(),
        sha256: Hash::of(b"wasm"),
        contract: "0.1.0".into(),
        state_version: 0,
        layout: String::new(),
    };
    let run = run_digest(&digests, &partitions);
    let (job, input_digest) = (settings.digest().unwrap(), input.digest());
    Manifest {
        format: ManifestFormat::CURRENT,
        retally: "0.1.0".into(),
        marks: Marks::default(),
        run_digest: run,
        seal: seal(&run, &reducer.sha256, &job, &input_digest),
        digests,
        counts,
        since_start: None,
        totals,
        partitions,
        from_snapshot: None,
        passed_over: Vec::new(),
        reducer,
        job: Job { digest: job, settings, written: Default::default() },
        input_digest,
        input,
        engine: Engine::default(),
        control,
    }
}
