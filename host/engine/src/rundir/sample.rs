//! A generated run for tests: every outcome, every kind, two partitions that take turns.

use super::{RunWriter, complete};
use crate::store::Folder;
use retally_core::decode::Code;
use retally_core::digest::{
    Hash, OutcomeShape, Outcomes, PartitionDigest, Positions, Tables, outcomes_digest, run_digest,
};
use retally_core::log::{Order, Position, Reach, Spot, Stretch};
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
    rows.keys.push(key_in(stretch.partition));
    rows.ids.push(format!("evt-{event}").as_bytes());
    for (column, &value) in rows.columns.iter_mut().zip(values) {
        column.push(value).unwrap();
    }
}

/// The one key that has records in a partition. It has no row in the view.
fn key_in(partition: u32) -> &'static [u8] {
    if partition == 0 { b"k1" } else { b"k2" }
}

/// The one key that has refused events in a partition. It has no state.
fn refused_in(partition: u32) -> &'static [u8] {
    if partition == 0 { b"r1" } else { b"r2" }
}

/// Events of a partition that came to one of these.
fn plain(blocks: &[Block], partition: u32, whats: &[Outcome]) -> u64 {
    let own = blocks.iter().filter(|block| block.stretches[0].partition == partition);
    let outcomes = own.flat_map(|block| &block.outcomes);
    outcomes.filter(|what| whats.contains(what)).count() as u64
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
            let key = (event % 2 == 0).then(|| refused_in(partition).to_vec());
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
        finals.applied.push(u64::from(n % 2));
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
    pub(crate) order: Order,
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
    let mut finals = [0..1500, 1500..2000].map(|keys| finals(&mut dice, keys));
    // What was applied to no other key, so that every event has a state.
    let given: u64 = finals.iter().flat_map(|finals| &finals.applied).sum();
    for (partition, given) in [(0, given), (1, 0)] {
        let last = &mut finals[1];
        last.keys.push(key_in(partition));
        last.states.push(b"many");
        last.applied.push(plain(&blocks, partition, &[Outcome::Applied]) - given);
        last.times.push(1);
    }
    Sample {
        blocks,
        finals: finals.into(),
        partitions: vec!["b".into(), "a/1".into()],
        order: Order::Log,
    }
}

/// Lists the files of a run anew, as somebody would who changed one and can hash.
pub(crate) fn relist(dir: &Path) {
    edit(dir, |manifest| {
        for file in &mut manifest.files {
            let bytes = std::fs::read(dir.join(&file.path)).unwrap();
            (file.bytes, file.sha256) = (bytes.len() as u64, Hash::of(&bytes));
        }
    });
}

/// Changes the manifest of a run and digests it anew.
pub(crate) fn edit(dir: &Path, change: impl FnOnce(&mut Manifest)) {
    let path = dir.join("manifest.json");
    let mut manifest = Manifest::as_it_stands(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(path, manifest.to_bytes().unwrap()).unwrap();
}

impl Sample {
    /// Without a subset and a range: what was filtered out is ignored.
    pub(crate) fn whole(mut self) -> Self {
        let outcomes = self.blocks.iter_mut().flat_map(|block| &mut block.outcomes);
        outcomes
            .filter(|what| **what == Outcome::Filtered)
            .for_each(|what| *what = Outcome::Ignored);
        self
    }

    pub(crate) fn outcomes(&self) -> Outcomes {
        Outcomes::new(OutcomeShape::of(&description()), &self.partitions)
    }

    /// Writes the blocks that `outcomes` has not seen yet, and everything else.
    pub(crate) fn write(&self, dir: &Path, mut outcomes: Outcomes, from: usize) -> Manifest {
        let (history, folder) = (outcomes.save(), Folder::files(dir));
        let Description { emits, view, .. } = description();
        let names = &self.partitions;
        let claim = RunWriter::claim(&folder, false).unwrap();
        let history = (from > 0).then_some(&history[..]);
        let mut writer = RunWriter::create(&folder, &description(), names, history).unwrap();
        let (mut tables, mut positions) = (Tables::new(&description()), Positions::default());
        let (mut counts, mut before) = (Counts::default(), Counts::default());
        let mut totals = Totals::new(&emits, &view.fields);
        self.blocks[..from].iter().for_each(|block| before.add(block));
        for block in &self.blocks[from..] {
            outcomes.add(block).unwrap();
            counts.add(block);
            positions.add(block, true);
            totals.add_emits(&emits, &block.emits).unwrap();
            writer.block(block.clone()).unwrap();
        }
        let (reached, stateless) = self.reaches(from);
        writer.stateless(stateless);
        for finals in reached {
            tables.add(&finals).unwrap();
            totals.add_views(&view.fields, &finals.viewed).unwrap();
            counts.keys += finals.keys.len() as u64;
            counts.violations += finals.violated.len() as u64;
            writer.finals(finals).unwrap();
        }
        let (trees, control) = (tables.finish(), writer.control());
        let files = writer.close(&trees).unwrap();
        let partitions = outcomes.digests();
        let digests = trees.digests(outcomes_digest(&emits, &partitions));
        let partitions: Vec<_> = partitions.iter().map(PartitionDigest::count).collect();
        let run = run_digest(&digests, &partitions);
        let went_on = (from > 0).then(|| self.snapshot(from));
        let (settings, input) = (self.settings(), self.input(from));
        let (job, input_digest) = (settings.digest().unwrap(), input.digest());
        let mut manifest = Manifest {
            format: ManifestFormat::CURRENT,
            retally: "0.1.0".into(),
            marks: Marks::of(&settings, went_on.as_ref()),
            run_digest: run,
            seal: run,
            digests,
            counts,
            since_start: went_on.is_some().then(|| before.then(&counts)),
            totals,
            partitions,
            positions: positions.digest(names),
            from_snapshot: went_on,
            range: None,
            passed_over: Vec::new(),
            reducer: reducer(),
            shapes: shapes_digest(&emits, &view),
            job: Job { digest: job, settings, written: Default::default() },
            input_digest,
            input,
            engine: Engine::default(),
            control,
            files,
        };
        manifest.seal = manifest.seal_of(&run, &job, &input_digest);
        complete(&folder, &claim, &manifest, "").unwrap();
        claim.done();
        manifest
    }

    /// The keys with a state, and those without, with where the events lie that the blocks from one
    /// on have of them.
    fn reaches(&self, from: usize) -> (Vec<Finals>, Vec<(Vec<u8>, Reach)>) {
        let blocks = &self.blocks[from..];
        let none = Spot { partition: 0, offset: 0 };
        let reach = |partition: u32, events| {
            let taken = blocks.iter().flat_map(|block| &block.stretches);
            let own: Vec<_> = taken.filter(|of| of.partition == partition).collect();
            let spot = |offset| Spot { partition, offset };
            let last = own.last().map(|of| spot(of.first_offset + u64::from(of.events) - 1));
            let first = own.first().map(|of| spot(of.first_offset));
            Reach { first: first.unwrap_or(none), last: last.unwrap_or(none), events }
        };
        let mut left = [0, 1]
            .map(|partition| plain(blocks, partition, &[Outcome::Applied, Outcome::Duplicate]));
        // As many events as were applied to a key, until there are no more to spare; the last two
        // have the rest.
        let mut spare = 1000.min(left[0] / 4);
        let mut reached = self.finals.clone();
        for finals in &mut reached {
            for (key, &applied) in finals.keys.iter().zip(&finals.applied) {
                let own = (0..2).find(|&partition| key_in(partition) == key);
                let (partition, events) = match own {
                    Some(partition) => (partition, left[partition as usize]),
                    None => (0, if applied <= spare { applied } else { 0 }),
                };
                spare -= if own.is_none() { events } else { 0 };
                left[partition as usize] -= events;
                finals.reaches.push(reach(partition, events));
            }
        }
        let rest = (0..2).map(|own| (key_in(own).to_vec(), reach(own, left[own as usize])));
        let mut stateless: Vec<_> = rest.filter(|(_, reach)| reach.events > 0).collect();
        for partition in 0..2 {
            let refused = blocks.iter().flat_map(|block| &block.refused);
            let own = refused.filter(|of| of.partition == partition && of.key.is_some());
            let spots: Vec<_> = own.map(|of| Spot { partition, offset: of.offset }).collect();
            if let (Some(&first), Some(&last)) = (spots.first(), spots.last()) {
                let reach = Reach { first, last, events: spots.len() as u64 };
                stateless.push((refused_in(partition).to_vec(), reach));
            }
        }
        (reached, stateless)
    }

    /// What the blocks from one on took.
    fn input(&self, from: usize) -> Input {
        let object = |path: &str, sha256| Object {
            path: path.into(),
            size_bytes: 12,
            etag: None,
            xxh3_128: Some(Xxh3(0x0123_4567_89ab_cdef)),
            sha256,
            byte_order_mark: false,
        };
        let mut partitions = vec![PartitionTaken {
            partition: "c".into(),
            events: 0,
            first: None,
            last: None,
            deletions: 0,
        }];
        for (number, name) in (0u32..).zip(&self.partitions) {
            let taken = self.blocks[from..].iter().flat_map(|block| &block.stretches);
            let own: Vec<_> = taken.filter(|of| of.partition == number).collect();
            let last = own.last().map(|of| of.first_offset + u64::from(of.events) - 1);
            partitions.push(PartitionTaken {
                partition: name.clone(),
                events: own.iter().map(|of| u64::from(of.events)).sum(),
                first: own.first().map(|of| of.first_offset),
                last,
                deletions: 0,
            });
        }
        let objects = vec![object("a/1.json", None), object("b.json.gz", Some(Hash::of(b"x")))];
        Input { partitions, objects, ..Input::default() }.sorted()
    }

    /// The snapshot that holds the blocks before one.
    fn snapshot(&self, before: usize) -> FromSnapshot {
        let mut next: Vec<Position> = Vec::new();
        for (number, partition) in (0u32..).zip(&self.partitions) {
            let mut taken = self.blocks[..before].iter().flat_map(|block| &block.stretches);
            let last = taken.rfind(|of| of.partition == number);
            next.extend(last.map(|of| Position {
                partition: partition.clone(),
                offset: of.first_offset + u64::from(of.events),
            }));
        }
        next.sort();
        let of_block = |block: &Block| block.outcomes.len();
        let events: usize = self.blocks[..before].iter().map(of_block).sum();
        FromSnapshot {
            name: format!("{events:015}-0123456789abcdef"),
            sha256: Hash::of(b"snapshot"),
            next,
            checked: Checked::Edges,
            carried: 0,
            accepted: Vec::new(),
            migrated: Vec::new(),
            holes: Vec::new(),
            broke: Vec::new(),
            empty_state: false,
        }
    }

    /// Settings in which everything occurs that the job digest covers, unless the log is taken
    /// whole.
    fn settings(&self) -> Settings {
        let param = |name: &str, kind, value: Option<&str>| Param {
            name: name.into(),
            kind,
            value: value.map(str::to_owned),
            is_default: false,
        };
        let filtered = |block: &Block| block.outcomes.contains(&Outcome::Filtered);
        let quarantined = self.blocks.iter().flat_map(|block| &block.refused);
        let quarantined = quarantined.filter(|refused| refused.what == Outcome::Quarantined);
        let entry = |refused: &Refused| Entry {
            partition: self.partitions[refused.partition as usize].clone(),
            offset: refused.offset,
            key: None,
            id: None,
        };
        let mut ledger: Vec<_> = quarantined.map(entry).collect();
        ledger.sort();
        let keys = self.finals.iter().flat_map(|finals| finals.keys.iter());
        let others = [0, 1].map(key_in).into_iter().chain([0, 1].map(refused_in));
        let mut keys: Vec<_> = keys.chain(others).collect();
        keys.sort_unstable();
        keys.dedup();
        let text = |key: &[u8]| String::from_utf8(key.to_vec()).unwrap();
        let is_whole = !self.blocks.iter().any(filtered);
        let range = Range {
            to: vec![Position { partition: "b".into(), offset: 1_000_000 }],
            limit: Some(1_000_000),
            ..Range::default()
        };
        Settings {
            order: self.order,
            sort: None,
            window: retally_core::dedup::Window::All,
            on_conflict: OnConflict::KeepFirst,
            on_trap: OnTrap::Reject,
            untrusted: None,
            params: vec![
                param("gold_from", Kind::Decimal { scale: 2 }, Some("1000.00")),
                param("label", Kind::Text, None),
                param("limit", Kind::Integer, Some("-3")),
                param("strict", Kind::Boolean, Some("true")),
            ],
            keys: (!is_whole).then(|| keys.into_iter().map(text).collect()),
            sample: None,
            range: if is_whole { Range::default() } else { range },
            ledger,
        }
    }
}

fn reducer() -> ReducerId {
    ReducerId {
        name: "sample".into(),
        version: "1".into(),
        sha256: Hash::of(b"wasm"),
        contract: "0.1.0".into(),
        state_version: 0,
        layout: String::new(),
    }
}
