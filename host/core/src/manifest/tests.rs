//! Tests of the manifest as a whole: its bytes, its digests, and that no part of it can be changed
//! unseen.

use super::*;
use crate::dedup::Window;
use crate::log::{Order, Position, Sort};
use crate::reduce::{Allowance, OnConflict, OnTrap};
use crate::schema::{Column, EmitKind, Field, Kind, Value, ViewShape};

fn settings() -> Settings {
    let param = |name: &str, kind, value: Option<&str>| Param {
        name: name.into(),
        kind,
        value: value.map(str::to_owned),
        is_default: false,
    };
    Settings {
        order: Order::Log,
        sort: None,
        window: Window::Span(45_000_000_000),
        on_conflict: OnConflict::KeepFirst,
        on_trap: OnTrap::Reject,
        untrusted: None,
        params: vec![
            param("gold_from", Kind::Decimal { scale: 2 }, Some("1000.00")),
            param("label", Kind::Text, None),
        ],
        keys: Some(vec!["acct-1".into(), "acct-2".into()]),
        sample: None,
        range: Range {
            from: vec![Position { partition: "eu/0".into(), offset: 7 }],
            to: Vec::new(),
            limit: Some(100),
            empty_state: false,
        },
        ledger: vec![Entry {
            partition: "eu/0".into(),
            offset: 9,
            key: Some("acct-1".into()),
            id: None,
        }],
    }
}

fn input() -> Input {
    let taken = |name: &str, range: Option<(u64, u64)>| PartitionTaken {
        partition: name.into(),
        events: range.map_or(0, |(first, last)| last - first + 1),
        first: range.map(|(first, _)| first),
        last: range.map(|(_, last)| last),
        deletions: 0,
    };
    let object = |path: &str, sha256| Object {
        path: path.into(),
        size_bytes: 20_500,
        etag: None,
        xxh3_128: Some(Xxh3(0x0123_4567_89ab_cdef)),
        sha256,
        byte_order_mark: false,
    };
    let input = Input {
        partitions: vec![taken("us", None), taken("eu/0", Some((7, 106)))],
        objects: vec![object("us.jsonl", Some(Hash([3; 32]))), object("eu/0.jsonl.gz", None)],
        findings: Vec::new(),
    };
    input.sorted()
}

fn manifest() -> Manifest {
    let digests = Digests {
        outcomes: Hash([1; 32]),
        views: Hash([2; 32]),
        states: Hash([3; 32]),
        violations: Hash([4; 32]),
    };
    let partitions = vec![PartitionCount { partition: "eu/0".into(), events: 100 }];
    let counts = Counts { events: 100, applied: 99, quarantined: 1, keys: 2, ..Counts::default() };
    let reducer = ReducerId {
        name: "orders".into(),
        version: "1.0.0".into(),
        sha256: Hash([9; 32]),
        contract: "0.1.0".into(),
        state_version: 1,
        layout: "Account { orders: u64 }".into(),
    };
    let (mut settings, input) = (settings(), input());
    // Who begins in the middle has a history.
    settings.range.from.clear();
    let (run, job) = (run_digest(&digests, &partitions), settings.digest().unwrap());
    let mut manifest = Manifest {
        format: ManifestFormat::CURRENT,
        retally: "0.1.0".into(),
        marks: Marks { partial: true, subset: true, ..Marks::default() },
        run_digest: run,
        seal: run,
        digests,
        counts,
        since_start: None,
        totals: Totals::default(),
        partitions,
        positions: Hash([8; 32]),
        from_snapshot: None,
        range: None,
        passed_over: Vec::new(),
        reducer,
        shapes: Hash([7; 32]),
        job: Job { digest: job, settings, written: BTreeMap::new() },
        input_digest: input.digest(),
        input,
        engine: Engine::default(),
        control: serde_json::json!({"emits": []}),
        files: vec![RunFile { path: "view.parquet".into(), bytes: 7, sha256: Hash([6; 32]) }],
    };
    manifest.seal = manifest.seal_of(&run, &job, &manifest.input_digest);
    manifest
}

#[test]
fn a_manifest_is_read_as_it_was_written() {
    let manifest = manifest();
    let bytes = manifest.to_bytes().unwrap();
    let read = Manifest::from_bytes(&bytes).unwrap();
    assert_eq!(read, manifest);
    assert_eq!(read.to_bytes().unwrap(), bytes);
    read.check().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    for line in [
        "\"order\": \"log\"",
        "\"window\": \"12h30m\"",
        "\"on_conflict\": \"keep-first\"",
        "\"on_trap\": \"reject\"",
        "\"kind\": \"decimal(2)\"",
        "\"xxh3_128\": \"00000000000000000123456789abcdef\"",
    ] {
        assert!(text.contains(line), "{line}");
    }
}

#[test]
fn the_digests_are_what_they_have_always_been() {
    // Recomputed by hand in Python with hashlib from the layouts in settings.rs, input.rs and
    // `seal`; whoever changes one of these changes the digests of every run there is.
    assert_eq!(settings().digest().unwrap().to_string(), PINNED[0]);
    assert_eq!(input().digest().to_string(), PINNED[1]);
    let mut manifest = manifest();
    let seal = |manifest: &Manifest| {
        manifest.seal_of(&Hash([1; 32]), &Hash([3; 32]), &Hash([4; 32])).to_string()
    };
    assert_eq!(seal(&manifest), PINNED[2]);
    let next = vec![Position { partition: "eu/0".into(), offset: 7 }];
    let from = FromSnapshot {
        name: "s".into(),
        sha256: Hash([5; 32]),
        next,
        checked: Checked::Edges,
        carried: 0,
        accepted: Vec::new(),
        migrated: Vec::new(),
        holes: Vec::new(),
        broke: Vec::new(),
        empty_state: false,
    };
    manifest.from_snapshot = Some(from.clone());
    manifest.since_start = Some(manifest.counts);
    assert_eq!(seal(&manifest), PINNED[3]);
    let holes = vec![Hole { partition: "eu/0".into(), from: 0, to: 7 }];
    for from in [
        FromSnapshot { empty_state: true, ..from.clone() },
        FromSnapshot { holes, ..from.clone() },
        FromSnapshot { broke: vec!["malformed: at most 0".into()], ..from },
    ] {
        manifest.from_snapshot = Some(from);
        assert_ne!(seal(&manifest), PINNED[3]);
    }
    let view = ViewShape { fields: shaped(), row_key: vec![1] };
    let emit = EmitKind { name: "balance".into(), fields: shaped() };
    assert_eq!(shapes_digest(&[emit], &view).to_string(), PINNED[4]);
}

/// A decimal and a text, of which the first is required.
fn shaped() -> Vec<Field> {
    let field =
        |name: &str, kind, required| Field { name: name.into(), paths: vec![], kind, required };
    vec![field("net", Kind::Decimal { scale: 2 }, true), field("tier", Kind::Text, false)]
}

const PINNED: [&str; 5] = [
    "744d521d7e309015ee4e029a080d28b1bcc7b46ffd1540ac9f86204b1976ea9b",
    "7bfd0ded5351d2757d984d9582b8dce78e2601d482de1586cd0e4eae8e0b9623",
    "477600ba4ef24db59fbf7fd0358239e97fc6b37b271c8d4e3383b19749be4870",
    "8000941713e7b894f37c78f57030846030fb2654472e9d3fda8df1ef60ec2d22",
    "dcdac83f22cded58f948ef9a4a9c3315974da1dbffe3df0c87ee2b22795c6ba6",
];

#[test]
fn whatever_could_decide_a_result_is_in_the_job_digest() {
    let digest = settings().digest();
    let sort = |by: &[&str], within: Option<&str>| {
        let by = by.iter().map(|term| (*term).to_owned()).collect();
        Some(Sort { by, within: within.map(str::to_owned) })
    };
    let changes: [&dyn Fn(&mut Settings); 19] = [
        &|s| s.sort = sort(&["time"], None),
        &|s| s.sort = sort(&["time", "/a"], None),
        &|s| s.sort = sort(&["time"], Some("/a")),
        &|s| s.sort = sort(&["time"], Some("dt={date}")),
        &|s| s.order = Order::Path,
        &|s| s.window = Window::Span(45_000_000_001),
        &|s| s.on_conflict = OnConflict::Stop,
        &|s| s.on_trap = OnTrap::Stop,
        &|s| s.untrusted = Some(Allowance::default()),
        &|s| s.untrusted = Some(Allowance { emits: 1, ..Allowance::default() }),
        &|s| s.params[0].value = Some("1000.01".into()),
        &|s| s.params[0].value = None,
        &|s| s.params[1].value = Some(String::new()),
        &|s| s.keys = None,
        &|s| s.keys.as_mut().unwrap().truncate(1),
        &|s| std::mem::swap(&mut s.range.from, &mut s.range.to),
        &|s| s.range.limit = None,
        &|s| s.range.empty_state = true,
        &|s| s.ledger[0].offset = 10,
    ];
    let mut seen = vec![digest];
    for change in changes {
        let mut settings = settings();
        change(&mut settings);
        assert!(!seen.contains(&settings.digest()), "{settings:?}");
        assert!(self::settings().difference(&settings).is_some(), "{settings:?}");
        seen.push(settings.digest());
    }
    // What only guards against the ledger of another log decides nothing.
    let mut same = settings();
    same.ledger[0].key = None;
    assert_eq!((same.digest(), settings().difference(&same)), (digest, None));
}

#[test]
fn an_etag_is_not_in_the_input_description_and_a_sha256_is() {
    let mut input = input();
    let digest = input.digest();
    input.objects[0].etag = Some("\"0x1\"".into());
    assert_eq!(input.digest(), digest);
    input.objects[0].sha256 = Some(Hash([3; 32]));
    assert_ne!(input.digest(), digest);
}

#[test]
fn what_does_not_follow_is_named() {
    let says = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = manifest();
        change(&mut manifest);
        manifest.check().unwrap_err().to_string()
    };
    let begins = |change: &dyn Fn(&mut Manifest), text: &str| {
        let said = says(change);
        assert!(said.starts_with(text), "{said}");
    };
    begins(&|m| m.counts.applied = 100, "the counts do not add up: 100 events, but");
    begins(&|m| m.job.settings.range.limit = None, "says that the job digest is ");
    begins(&|m| m.job.digest = Hash([0; 32]), "says that the job digest is 0000");
    begins(&|m| m.input.objects[0].size_bytes = 1, "says that the digest of the input description");
    begins(&|m| m.digests.views = Hash([0; 32]), "says that the run digest is ");
    begins(&|m| m.partitions[0].events = 99, "says that the run digest is ");
    begins(&|m| m.reducer.sha256 = Hash([0; 32]), "says that the seal is ");
    begins(&|m| m.reducer.name.push('x'), "says that the seal is ");
    begins(&|m| m.reducer.version.push('x'), "says that the seal is ");
    begins(&|m| m.reducer.layout.push('x'), "says that the seal is ");
    begins(&|m| m.reducer.state_version = 2, "says that the seal is ");
    begins(&|m| m.shapes = Hash([0; 32]), "says that the seal is ");
    begins(&|m| m.positions = Hash([0; 32]), "says that the seal is ");
    begins(
        &|m| m.job.settings.params[0].value = Some("lots".into()),
        "holds a param that is no value of its kind",
    );
}

#[test]
fn what_is_no_manifest_is_refused_and_what_is_newer_politely() {
    let text = String::from_utf8(manifest().to_bytes().unwrap()).unwrap();
    let says = |text: &str| Manifest::from_bytes(text.as_bytes()).unwrap_err().to_string();
    assert!(says("{").starts_with("is no manifest: "));
    assert!(says(&text.replace("\"seal\"", "\"deal\"")).contains("unknown field `deal`"));
    // Whatever was edited, also what no digest covers, what stands twice, and what stays the same.
    for (from, to) in [
        ("\"retally\": \"0.1.0\"", "\"retally\": \"0.1.1\""),
        ("\"rows\": 0", "\"rows\": 1,\n      \"rows\": 0"),
        ("\"bytes\": 7", "\"bytes\":7"),
        ("\n}\n", "\n}"),
    ] {
        assert!(text.contains(from), "{from}");
        let said = says(&text.replacen(from, to, 1));
        assert!(said.starts_with("was edited since") || said.contains("duplicate field"), "{said}");
    }
    assert_eq!(
        says(&text.replacen("\"format\": 1", "\"format\": 0", 1)),
        "is no manifest: it has format 0, and formats are numbered from 1"
    );
    assert_eq!(
        says(&text.replacen("\"format\": 1", "\"format\": 2", 1)),
        "has format 2, and this version of retally reads formats up to 1; use the version that \
         wrote it or a later one"
    );
}

#[test]
fn params_are_shown_as_they_are_read() {
    let field =
        |name: &str, kind| Field { name: name.into(), paths: vec![], kind, required: false };
    let fields = [field("a", Kind::Decimal { scale: 3 }), field("b", Kind::Date)];
    let mut columns = [Column::new(fields[0].kind), Column::new(Kind::Date)];
    columns[0].push(Some(Value::Decimal(-1500))).unwrap();
    columns[1].push(None).unwrap();
    let params = Param::all(&fields, &columns, |_| true);
    assert_eq!(params[0].value.as_deref(), Some("-1.500"));
    let read: Vec<_> = params.iter().map(|param| param.column().unwrap()).collect();
    assert_eq!(read, columns);
}

#[test]
fn a_position_takes_what_lies_before_it() {
    let at = |offset| [Position { partition: "eu/0".into(), offset }];
    assert_eq!(settings().up_to(&at(9)).ledger, []);
    assert_eq!(settings().up_to(&at(10)).ledger.len(), 1);
    assert!(settings().up_to(&at(9)).range.is_whole());
}
