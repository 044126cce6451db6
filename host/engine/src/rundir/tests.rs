//! A generated run, written, read and checked; and run directories that must not pass for one.

use super::*;
use arrow_array::cast::AsArray;
use retally_core::decode::Code;
use retally_core::digest::{
    Digests, Hash, OutcomeShape, Outcomes, PartitionDigest, Tables, outcomes_digest, run_digest,
};
use retally_core::manifest::*;
use retally_core::reduce::{
    Block, EmitRows, Finals, OnConflict, OnTrap, Refused, Stretch, Viewed, Violated, What,
};
use retally_core::schema::{
    Column, Description, EmitKind, Field, Kind, Reason, StateShape, Value, Values, ViewShape,
};
use std::fs;
use std::path::{Path, PathBuf};

fn field(name: &str, kind: Kind) -> Field {
    Field { name: name.into(), paths: Vec::new(), kind, required: false }
}

/// All kinds, two emit kinds, and fields whose names the tables have already.
fn description() -> Description {
    let reason = |code: &str| Reason { code: code.into(), says: "a sentence".into() };
    let net = Kind::Decimal { scale: 2 };
    Description {
        name: "sample".into(),
        version: "1".into(),
        inputs: Vec::new(),
        params: Vec::new(),
        emits: vec![
            EmitKind {
                name: "balance".into(),
                fields: vec![
                    Field { required: true, ..field("currency", Kind::Text) },
                    Field { required: true, ..field("net", net) },
                    field("time", Kind::Timestamp),
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
            fields: vec![field("Key", Kind::Text), field("net", net)],
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

/// A block of one stretch with every fate in it.
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
            0 => What::Rejected(dice.roll(2) as u16),
            1 => What::Trapped,
            2 => What::Duplicate,
            3 => What::Conflict,
            4 => What::Malformed(Code::FieldScale),
            5 => What::Quarantined,
            6..9 => What::Ignored,
            9..12 => What::Filtered,
            _ => What::Applied,
        };
        outcomes.push(what);
        let offset = first_offset + u64::from(event);
        if what == What::Applied {
            emit_some(dice, &mut emits, event, &stretch);
        } else if !matches!(what, What::Duplicate | What::Ignored | What::Filtered) {
            let code = String::new();
            let (detail, bytes) = ("because".into(), vec![0xff, b'{']);
            let key = (event % 2 == 0).then(|| b"k1".to_vec());
            refused.push(Refused { event, partition, offset, what, code, detail, key, bytes });
        }
    }
    Block { stretches: vec![stretch], outcomes, emits, refused }
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
struct Sample {
    blocks: Vec<Block>,
    finals: Vec<Finals>,
    partitions: Vec<String>,
}

fn sample(seed: u64) -> Sample {
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
    fn outcomes(&self) -> Outcomes {
        Outcomes::new(OutcomeShape::of(&description()), &self.partitions)
    }

    /// Writes the blocks that `outcomes` has not seen yet, and everything else.
    fn write(&self, dir: &Path, mut outcomes: Outcomes, from: usize) -> Manifest {
        let history = outcomes.save();
        let names = self.partitions.clone();
        let mut writer = RunWriter::create(dir, &description(), names, &history).unwrap();
        let mut tables = Tables::new(&description());
        let mut counts = Counts::default();
        for block in &self.blocks[from..] {
            outcomes.add(block).unwrap();
            counts.add(block);
            writer.block(block.clone()).unwrap();
        }
        for finals in &self.finals {
            tables.add(finals).unwrap();
            counts.keys += finals.keys.len() as u64;
            counts.violations += finals.violated.len() as u64;
            writer.finals(finals.clone()).unwrap();
        }
        let Tables { views, states, violations } = tables;
        let (views, states, violations) = (views.finish(), states.finish(), violations.finish());
        let partitions = outcomes.digests();
        let digests = Digests {
            outcomes: outcomes_digest(&description().emits, &partitions),
            views: views.digest,
            states: states.digest,
            violations: violations.digest,
        };
        let manifest = manifest(digests, &partitions, counts, writer.control());
        let trees = KeyedDigests { views: &views, states: &states, violations: &violations };
        writer.finish(trees, &manifest.to_bytes().unwrap()).unwrap();
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
    let bound = |partition: &str, offset| Bound { partition: partition.into(), offset };
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
    };
    let taken = |partition: &str, events, first, last| Taken {
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
    counts: Counts,
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
        partitions,
        from_snapshot: None,
        reducer,
        job: Job { digest: job, settings, written: Default::default() },
        input_digest,
        input,
        engine: Engine::default(),
        control,
    }
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn a_written_run_checks() {
    let dir = tempfile::tempdir().unwrap();
    // `RETALLY_SAMPLE` keeps the run for tests/python/recheck.py.
    let kept = std::env::var_os("RETALLY_SAMPLE").map(PathBuf::from);
    let path = kept.unwrap_or_else(|| dir.path().join("run"));
    let sample = sample(7);
    sample.write(&path, sample.outcomes(), 0);
    let report = check(&path).unwrap();
    assert_eq!(report.findings, [""; 0]);
    assert!(report.holds(), "{:#?}", report.digests);
    assert_eq!(report.digests.len(), 8);
}

#[test]
fn a_run_that_went_on_has_the_digests_of_the_whole_and_checks() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(8);
    let whole = sample.write(&dir.path().join("whole"), sample.outcomes(), 0);
    let mut begun = sample.outcomes();
    sample.blocks[..3].iter().for_each(|block| begun.add(block).unwrap());
    let shape = OutcomeShape::of(&description());
    let kept = std::env::var_os("RETALLY_SAMPLE_REST").map(PathBuf::from);
    let path = kept.unwrap_or_else(|| dir.path().join("rest"));
    let taken_up = Outcomes::restore(shape, &sample.partitions, begun.save()).unwrap();
    let rest = sample.write(&path, taken_up, 3);
    assert_eq!(rest.run_digest, whole.run_digest);
    let report = check(&path).unwrap();
    assert!(report.holds(), "{report:#?}");
    assert_eq!(report.leaves_open.len(), 5);
}

#[test]
fn the_same_run_makes_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(9);
    let [a, b] = ["a", "b"].map(|name| {
        let path = dir.path().join(name);
        sample.write(&path, sample.outcomes(), 0);
        let relative = |(file, bytes): (PathBuf, Vec<u8>)| {
            (file.strip_prefix(&path).unwrap().to_path_buf(), bytes)
        };
        files(&path).into_iter().map(relative).collect::<Vec<_>>()
    });
    assert_eq!(a.len(), 10);
    assert!(a == b);
}

#[test]
fn a_changed_row_is_found_in_its_digest_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    sample(1).write(&one, sample(1).outcomes(), 0);
    sample(2).write(&other, sample(2).outcomes(), 0);
    fs::copy(other.join("view.parquet"), one.join("view.parquet")).unwrap();
    let report = check(&one).unwrap();
    let differ: Vec<_> = report.digests.iter().filter(|d| !d.equal()).map(|d| d.what).collect();
    assert_eq!(differ, ["views", "run digest", "seal"]);
    assert_eq!(
        report.findings,
        ["the leaves of the views in leaves.parquet are not those of the rows"]
    );
}

#[test]
fn emits_of_another_run_and_missing_refused_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    sample(1).write(&one, sample(1).outcomes(), 0);
    sample(2).write(&other, sample(2).outcomes(), 0);
    fs::copy(other.join("refused.parquet"), one.join("refused.parquet")).unwrap();
    let report = check(&one).unwrap();
    assert!(report.digests.iter().all(Checked::equal));
    assert!(!report.holds());
    let file = "emits/flag/00000.parquet";
    fs::copy(other.join(file), one.join(file)).unwrap();
    let report = check(&one).unwrap();
    let why = report.digests[0].recomputed.clone().unwrap_err();
    assert!(why.contains("was not applied, or stands out of log order"), "{why}");
}

#[test]
fn a_torn_file_spoils_its_own_digest_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    sample(3).write(&path, sample(3).outcomes(), 0);
    let file = path.join("states.parquet");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let report = check(&path).unwrap();
    let bad: Vec<_> = report.digests.iter().filter(|d| !d.equal()).map(|d| d.what).collect();
    assert_eq!(bad, ["states", "run digest", "seal"]);
    assert!(report.digests[2].recomputed.clone().unwrap_err().contains("states.parquet"));
}

#[test]
fn what_is_no_finished_run_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let open = || RunReader::open(&path).map(|_| ()).unwrap_err().to_string();
    assert!(open().ends_with("is no run directory"));
    let names = vec!["a".to_owned()];
    let writer = RunWriter::create(&path, &description(), names.clone(), &[]).unwrap();
    drop(writer);
    assert!(open().contains("is half-written: it has no manifest.json"));
    let again = RunWriter::create(&path, &description(), names, &[]);
    assert!(again.err().unwrap().to_string().contains("holds something already"));
    fs::write(path.join("manifest.json"), "{\"format\": 99, \"soul\": true}").unwrap();
    assert!(open().contains("has format 99, and this version of retally reads formats up to 1"));
}

#[test]
fn a_folder_that_cannot_be_made_says_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let path = dir.path().join("file/run");
    let error = RunWriter::create(&path, &description(), Vec::new(), &[]).err().unwrap();
    assert!(error.to_string().starts_with("cannot make "), "{error}");
}

#[test]
fn some_keys_are_read_without_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    sample(4).write(&path, sample(4).outcomes(), 0);
    let run = RunReader::open(&path).unwrap();
    let wanted = ["k00003", "k01999", "nobody"].map(str::to_owned);
    let keys = Keys::These(wanted.into());
    let mut found = Vec::new();
    for batch in run.rows(Table::States, &keys).unwrap() {
        let batch = batch.unwrap();
        found.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    assert_eq!(found, ["k00003", "k01999"]);
    let all = run.rows(Table::Views, &Keys::All).unwrap();
    let names = all.map(|batch| batch.unwrap().schema().field(1).name().clone());
    assert_eq!(names.last().as_deref(), Some("field.Key"));
}

#[test]
fn a_decimal_of_19_digits_begins_a_wider_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let mut sample = sample(5);
    let net = sample.blocks[3].emits[0].columns[1].values.len() / 2;
    if let Values::Decimal(values) = &mut sample.blocks[3].emits[0].columns[1].values {
        values[net] = i64::MIN;
    }
    sample.write(&path, sample.outcomes(), 0);
    assert!(path.join("emits/balance/00001.parquet").exists());
    assert!(!path.join("emits/flag/00001.parquet").exists());
    let report = check(&path).unwrap();
    assert!(report.holds(), "{report:#?}");
}
