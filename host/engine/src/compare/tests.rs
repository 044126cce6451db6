//! Generated runs, compared: what is found is what was changed, and what is read is a sliver.

mod damage;

use super::*;
use crate::rundir::sample::{self, Sample};
use retally_compare::Options;
use retally_compare::model::{Comparison, FirstDivergence, NoteCode, Presence, Verdict};
use retally_compare::sink::NoSink;
use retally_core::digest::{Hash, run_digest};
use retally_core::manifest::Manifest;
use retally_core::reduce::{Block, Finals, Outcome, Viewed};
use retally_core::schema::{Column, Kind, Value, Values};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A run of a whole log.
pub(super) fn sample(seed: u64) -> Sample {
    sample::sample(seed).whole()
}

fn options() -> CompareOptions {
    CompareOptions::default()
}

/// A message in lines that fit this file.
pub(super) fn wrapped(text: &str) -> String {
    let (mut lines, mut width) = (String::new(), 0);
    for line in text.lines() {
        for (number, word) in line.split(' ').enumerate() {
            let breaks = number == 0 || width + 1 + word.len() > 84;
            lines.push_str(if breaks { "\n" } else { " " });
            width = if breaks { word.len() } else { width + 1 + word.len() };
            lines.push_str(word);
        }
    }
    lines.split_off(1)
}

/// Two runs, written below a folder.
struct Two {
    folder: TempDir,
}

impl Two {
    fn new(a: &Sample, b: &Sample) -> Self {
        let two = Self { folder: tempfile::tempdir().unwrap() };
        a.write(&two.dir("a"), a.outcomes(), 0);
        b.write(&two.dir("b"), b.outcomes(), 0);
        two
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn compare(&self, options: &CompareOptions) -> Result<Comparison, CompareError> {
        runs(self.dir("a"), self.dir("b"), options, &mut NoSink)
    }

    fn found(&self) -> Comparison {
        self.compare(&options()).unwrap()
    }

    fn refused(&self) -> String {
        let told = self.compare(&options()).unwrap_err().to_string();
        told.replace(&self.folder.path().display().to_string(), "RUNS")
    }

    fn forced(&self) -> Comparison {
        self.compare(&CompareOptions { force: true, ..options() }).unwrap()
    }

    /// Changes B's manifest and all that follows from it.
    fn edit(&self, change: impl FnOnce(&mut Manifest)) {
        let path = self.dir("b").join("manifest.json");
        let mut manifest = Manifest::from_bytes(&fs::read(&path).unwrap()).unwrap();
        change(&mut manifest);
        manifest.job.digest = manifest.job.settings.digest().unwrap();
        manifest.input_digest = manifest.input.digest();
        manifest.run_digest = run_digest(&manifest.digests, &manifest.partitions);
        let Manifest { run_digest, job, input_digest, .. } = &manifest;
        manifest.seal = manifest.seal_of(run_digest, &job.digest, input_digest);
        fs::write(path, manifest.to_bytes().unwrap()).unwrap();
    }
}

/// Keys `k0` to `kN`, each with one row, and no events but those of a small sample.
pub(super) fn many(keys: u32, net: impl Fn(u32) -> i64) -> Sample {
    let mut made = Sample { blocks: sample(1).blocks, finals: Vec::new(), ..sample(1) };
    made.blocks.truncate(1);
    for chunk in (0..keys).step_by(4096) {
        let own = chunk..keys.min(chunk + 4096);
        let columns = vec![Column::new(Kind::Text), Column::new(Kind::Decimal { scale: 2 })];
        let mut finals =
            Finals { viewed: Viewed { owners: Vec::new(), columns }, ..Finals::default() };
        for (owner, key) in (0u32..).zip(own) {
            finals.keys.push(format!("k{key:08}").as_bytes());
            finals.states.push(&Hash::of(&net(key).to_le_bytes()).0);
            finals.applied.push(1);
            finals.times.push(i64::from(key));
            finals.viewed.owners.push(owner);
            finals.viewed.columns[0].push(Some(Value::Text(b"EUR"))).unwrap();
            finals.viewed.columns[1].push(Some(Value::Decimal(net(key)))).unwrap();
        }
        made.finals.push(finals);
    }
    made
}

#[test]
fn equal_runs_are_answered_from_their_roots() {
    let found = Two::new(&sample(3), &sample(3)).found();
    assert_eq!(found.verdict, Verdict::Same);
    assert_eq!((found.read.leaves_read, found.read.leaves_total > 0), (0, true));
    let finals = sample(3).finals;
    let keys =
        finals.iter().map(|finals| finals.viewed.owners.chunk_by(|a, b| a == b).count() as u64);
    assert_eq!(found.keys.equal, keys.sum::<u64>());
    assert_eq!(found.emits[0].records.unwrap().differing(), 0);
    assert!(found.emits[0].records.unwrap().equal > 1000);
    assert!(found.refusals.iter().all(|count| count.a == count.b && count.a > 0));
    assert_eq!(found.violations.len(), 2);
    assert_eq!(found.states.unwrap().equal, 2002);
}

#[test]
fn three_differences_among_ten_million_keys_are_found_by_reading_a_sliver() {
    const KEYS: u32 = 10_000_000;
    // Amounts as they come in life: they do not pack away to nothing.
    let amount = |key: u32| i64::from(key.wrapping_mul(2_654_435_761)) * 1_000_003;
    let changed = |key: u32| match key {
        77 => amount(key) + 1,
        5_000_000 => amount(key) - 50_000,
        9_999_999 => amount(key) - 199_999,
        same => amount(same),
    };
    let two = Two { folder: tempfile::tempdir().unwrap() };
    // One after the other, for each takes more than a gigabyte.
    for (name, amount) in [("a", &amount as &dyn Fn(u32) -> i64), ("b", &changed)] {
        let run = many(KEYS, amount);
        run.write(&two.dir(name), run.outcomes(), 0);
    }
    let found = two.found();
    assert_eq!((found.keys.different, found.keys.equal), (3, u64::from(KEYS) - 3));
    assert_eq!(found.states.unwrap().different, 3);
    let net = &found.totals.iter().find(|total| total.field == "net").unwrap();
    assert_eq!(net.difference, "-2499.98");
    // Nobody read the other rows: the manifests' control totals tell.
    let cents: i128 = (0..KEYS).map(|key| i128::from(amount(key))).sum();
    let text = |cents: i128| format!("{}.{:02}", cents / 100, cents % 100);
    assert_eq!(net.a, Some(text(cents)));
    assert_eq!(net.b, Some(text(cents - 249_998)));
    let ranked: Vec<&str> = found.worst.rankings[0]
        .keys
        .iter()
        .map(|&key| found.worst.keys[key as usize].key.as_str())
        .collect();
    assert_eq!(ranked, ["k09999999", "k05000000", "k00000077"]);
    let first = &found.worst.keys[0].first;
    assert_eq!(*first, FirstDivergence::NotInFiles);
    assert_eq!(found.explain, ["retally", "explain", "--job", "JOB.toml"]);
    let read = &found.read;
    assert!(read.leaves_read <= 6, "{read:?}");
    assert!(read.bytes_read * 90 < read.bytes_total, "{read:?}");
    assert_eq!(two.found().to_bytes().unwrap(), found.to_bytes().unwrap());
}

#[test]
fn keys_that_come_and_go_are_told() {
    let a = many(5000, i64::from);
    let mut b = many(5003, i64::from);
    b.finals[0] = many(4095, i64::from).finals.remove(0);
    let found = Two::new(&a, &b).found();
    assert_eq!((found.keys.only_a, found.keys.only_b, found.keys.equal), (1, 3, 4999));
    let sides: Vec<_> =
        found.worst.keys.iter().map(|key| (key.key.as_str(), key.presence)).collect();
    assert_eq!(
        sides,
        [
            ("k00004095", Presence::OnlyA),
            ("k00005000", Presence::OnlyB),
            ("k00005001", Presence::OnlyB),
            ("k00005002", Presence::OnlyB),
        ]
    );
}

/// A changed emit and its event (block, number), and an event that became a duplicate.
fn changed_log() -> (Sample, (usize, u32)) {
    let mut changed = sample(5);
    let emitted = changed.blocks[2].emits[0].events[10];
    if let Values::Decimal(values) = &mut changed.blocks[2].emits[0].columns[1].values {
        values[10] += 250;
    }
    let silent = |block: &Block| {
        let emits = |event: u32| block.emits.iter().any(|rows| rows.events.contains(&event));
        let applied = |event: &u32| block.outcomes[*event as usize] == Outcome::Applied;
        (0..block.outcomes.len() as u32).filter(applied).find(|&event| !emits(event)).unwrap()
    };
    let event = silent(&changed.blocks[3]);
    changed.blocks[3].outcomes[event as usize] = Outcome::Duplicate;
    (changed, (2, emitted))
}

#[test]
fn the_first_differing_outcome_of_a_key_is_found() {
    let (b, _) = changed_log();
    let found = Two::new(&sample(5), &b).found();
    assert_eq!(found.verdict, Verdict::Different);
    let changes: Vec<_> = found
        .outcomes
        .as_ref()
        .unwrap()
        .iter()
        .map(|change| format!("{} -> {}: {}", change.a, change.b, change.events))
        .collect();
    assert_eq!(changes, ["applied -> duplicate: 1"]);
    let balance = &found.emits[0];
    assert_eq!(balance.records.unwrap().different, 1);
    assert_eq!(balance.fields[1].numeric.as_ref().unwrap().sum, "2.50");
    // The emits are of key `k1`, which has no row in the view.
    assert_eq!((found.divergences.found, found.divergences.healed), (1, 1));
}

#[test]
fn a_key_that_differs_is_shown_with_its_event() {
    let (b, (block, event)) = changed_log();
    let with_key = |sample: &Sample, net: i64| {
        let mut with = sample.clone();
        let row = |net| {
            let columns = vec![Column::new(Kind::Text), Column::new(Kind::Decimal { scale: 2 })];
            let mut finals = Finals {
                reaches: Vec::new(),
                keys: [b"k1".as_slice()].into_iter().collect(),
                states: [b"s".as_slice()].into_iter().collect(),
                applied: vec![1],
                times: vec![0],
                viewed: Viewed { owners: vec![0], columns },
                violated: Vec::new(),
            };
            finals.viewed.columns[0].push(Some(Value::Text(b"EUR"))).unwrap();
            finals.viewed.columns[1].push(Some(Value::Decimal(net))).unwrap();
            finals
        };
        with.finals = vec![row(net)];
        with
    };
    let found = Two::new(&with_key(&sample(5), 100), &with_key(&b, 350)).found();
    assert_eq!((found.divergences.found, found.divergences.healed), (1, 0));
    let FirstDivergence::Event(first) = &found.worst.keys[0].first else { panic!() };
    let stretch = b.blocks[block].stretches[0];
    let partition = &b.partitions[stretch.partition as usize];
    assert_eq!(
        (&first.partition, first.offset),
        (partition, stretch.first_offset + u64::from(event))
    );
    assert_eq!(first.event_id.as_deref(), Some(format!("evt-{event}").as_str()));
    let net = |records: &[retally_compare::model::ShownRecord]| -> i64 {
        let value = records.iter().flat_map(|record| &record.values).find(|v| v.field == "net");
        value.unwrap().value.as_ref().unwrap().replace('.', "").parse().unwrap()
    };
    let differences = first.emits_a.len() == first.emits_b.len();
    assert!(differences && first.emits_a != first.emits_b);
    assert_ne!(net(&first.emits_a), i64::MAX);
    assert_eq!(found.divergences.over_time[0].cumulative[0].difference, "2.50");
}

#[test]
fn partitions_that_take_turns_otherwise_are_walked_one_by_one() {
    let (b, _) = changed_log();
    let in_turns = Two::new(&sample(5), &b).found();
    let mut one_by_one = b.clone();
    one_by_one.blocks.sort_by_key(|block| block.stretches[0].partition);
    let found = Two::new(&sample(5), &one_by_one).found();
    assert_eq!(found.emits, in_turns.emits);
    assert_eq!(found.outcomes, in_turns.outcomes);
    assert_eq!(found.refusals, in_turns.refusals);
    assert_eq!(found.divergences, in_turns.divergences);
}

#[test]
fn what_means_nothing_is_refused_and_forced() {
    let (b, _) = changed_log();
    let two = Two::new(&sample(5), &b);
    two.edit(|manifest| {
        manifest.reducer.name = "other".into();
        manifest.input.partitions[0].events += 1;
        manifest.input.partitions[0].last = manifest.input.partitions[0].last.map(|last| last + 1);
        manifest.counts.events += 1;
        manifest.counts.ignored += 1;
        manifest.partitions[0].events += 1;
        manifest.job.settings.params[0].value = Some("2000.00".into());
        manifest.job.settings.params.remove(1);
    });
    insta::assert_snapshot!(wrapped(&two.refused()), @r#"
    these are not compared: they are of two reducers, `sample` and `other`; they took
    other events of partition "a/1": 6925 events and 6926 events; their jobs differ in
    param gold_from: 1000.00 and 2000.00; --force goes on all the same, and the report
    says so
    "#);
    let found = two.forced();
    let notes: Vec<_> = found.notes.iter().map(|note| note.text.as_str()).collect();
    insta::assert_snapshot!(wrapped(&notes.join("\n")), @r#"
    compared all the same (--force): they are of two reducers, `sample` and `other`
    compared all the same (--force): they took other events of partition "a/1": 6925
    events and 6926 events
    compared all the same (--force): their jobs differ in param gold_from: 1000.00 and
    2000.00
    the param `label` is declared by A alone
    the files of runs hold no view after each event: the first event of a key is the
    first whose outcome or emits differ; its view may have parted before, which
    comparing two reducers in one pass (--a, --b) tells
    "#);
}

#[test]
fn empty_sides_and_disjoint_keys_are_refused() {
    let a = many(10, i64::from);
    let mut none = many(10, i64::from);
    none.finals.clear();
    insta::assert_snapshot!(wrapped(&Two::new(&a, &none).refused()), @"
    these are not compared: B is empty: 2371 events applied, 0 keys; --force goes on all
    the same, and the report says so
    ");
    let mut other = many(20, i64::from);
    other.finals = vec![{
        let mut finals = many(10, i64::from).finals.remove(0);
        finals.keys = (0..10)
            .map(|n| format!("x{n}"))
            .collect::<Vec<_>>()
            .iter()
            .map(|key| key.as_bytes())
            .collect();
        finals
    }];
    let two = Two::new(&a, &other);
    insta::assert_snapshot!(wrapped(&two.refused()), @"
    these are not compared: they have no key in common; --force goes on all the same,
    and the report says so
    ");
    let found = two.forced();
    assert_eq!((found.keys.only_a, found.keys.only_b), (10, 10));
    assert_eq!(found.notes[0].code, NoteCode::Forced);
}

#[test]
fn what_is_no_finished_run_is_refused() {
    let two = Two::new(&sample(5), &sample(5));
    let manifest = two.dir("b").join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replacen("\"format\": 1", "\"format\": 2", 1)).unwrap();
    assert!(
        two.refused().contains("has format 2, and this version of retally reads formats up to 1")
    );
    fs::write(&manifest, text.replacen("\"applied\": ", "\"applied\": 1", 1)).unwrap();
    assert!(two.refused().contains("was edited since it was written"), "{}", two.refused());
    sample::edit(&two.dir("b"), |_| ());
    assert!(two.refused().contains("the counts do not add up"), "{}", two.refused());
    fs::remove_file(&manifest).unwrap();
    insta::assert_snapshot!(wrapped(&two.refused()), @"
    RUNS/b is half-written: it has no manifest.json, which is written last; if the run
    was interrupted, run it again with --out and --replace
    ");
}

#[test]
fn runs_of_one_version_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let labels = |b: &str| {
        let [a, b] = ["x/run", b].map(|name| folder.path().join(name));
        for dir in [&a, &b] {
            let _ = fs::remove_dir_all(dir);
            sample(5).write(dir, sample(5).outcomes(), 0);
        }
        let found = runs(&a, &b, &options(), &mut NoSink).unwrap();
        [found.a.label, found.b.label]
    };
    assert_eq!(labels("x/other"), ["sample@1 (run)", "sample@1 (other)"]);
    assert_eq!(labels("y/run"), ["sample@1 (A)", "sample@1 (B)"]);
}

#[test]
fn groups_are_those_of_the_rows() {
    let a = many(300, i64::from);
    let b = many(300, |key| i64::from(key) + i64::from(key < 10));
    let by = Options { by: Some("currency".into()), ..Options::default() };
    let found = Two::new(&a, &b).compare(&CompareOptions { options: by, ..options() }).unwrap();
    let groups = found.groups.unwrap();
    assert_eq!(groups.groups.len(), 1);
    assert_eq!(groups.groups[0].value.as_deref(), Some("EUR"));
    assert_eq!((groups.groups[0].rows_a, groups.groups[0].rows_b), (10, 10));
    assert_eq!(groups.groups[0].totals[0].difference, "0.10");
}
