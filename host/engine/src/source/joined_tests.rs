//! Files of a topic make its partitions again, whatever their format, folders and store; what they
//! have twice and what is missing is found, and whoever goes on takes only what is new.

use super::tests::{On, gzip, next, place};
use super::*;
use crate::cancel::Cancel;
use crate::log::{Reached, conformance};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression as Codec;
use ::parquet::file::properties::WriterProperties;
use arrow_array::{ArrayRef, StringArray};
use proptest::prelude::*;
use retally_core::log::{Order, Position};
use retally_core::manifest::Found;
use retally_core::receipt::fit;
use serde_json::json;
use std::collections::BTreeSet;
use std::task::{Context, Waker};

/// The files of an archive: name without suffix, and which events of a topic are in it.
type Files<'a> = [(&'a str, Range<usize>)];

/// The events of a topic, each another.
fn events(of: Range<usize>) -> Vec<String> {
    of.map(|n| format!("event {n}")).collect()
}

/// How the files are written: format, suffix, bytes.
type Written = (Format, &'static str, fn(&[String]) -> Vec<u8>);

fn lines(events: &[String]) -> Vec<u8> {
    events.iter().map(|event| format!("{{\"text\":\"{event}\"}}\n")).collect::<String>().into()
}

const PLAIN: Written = (Format::Json, ".json", lines);

const ALL: [Written; 5] = [
    PLAIN,
    (Format::Json, ".json.gz", |events| gzip(&lines(events))),
    // Aiven's has no suffix but that of the compression.
    (Format::Json, ".gz", |events| gzip(&lines(events))),
    (Format::Avro, ".avro", records),
    (Format::Parquet, ".snappy.parquet", rows),
];

/// Blocks of three records.
fn records(events: &[String]) -> Vec<u8> {
    let fields = json!([{"name": "text", "type": "string"}]);
    let schema = json!({"type": "record", "name": "Event", "fields": fields});
    let records: Vec<_> = events.iter().map(|event| json!({"text": event})).collect();
    retally_kit::avro::file(&schema, &records, 3)
}

/// Groups of three rows.
fn rows(events: &[String]) -> Vec<u8> {
    let text: ArrayRef = Arc::new(StringArray::from_iter_values(events));
    let rows = RecordBatch::try_from_iter([("text", text)]).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(3))
        .set_compression(Codec::SNAPPY)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.into_inner().unwrap()
}

fn options(format: Format) -> Options {
    let layout = Layout::parse("connect").unwrap();
    Options { layout: Some(Arc::new(layout)), ..Options::new(format) }
}

fn objects(files: &Files<'_>, (_, suffix, write): Written) -> super::tests::Objects {
    let object = |(name, own): &(&str, Range<usize>)| {
        (format!("{name}{suffix}"), write(&events(own.clone())))
    };
    files.iter().map(object).collect()
}

/// What an archive tells, held to the suite: for each partition offsets and numbers of events.
fn told(source: &Source) -> Vec<(String, Vec<(u64, usize)>)> {
    let told = conformance::check(source, &Cancel::default()).unwrap();
    let number = |(offset, bytes): (u64, Vec<u8>)| {
        let row: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let text = row["text"].as_str().unwrap();
        (offset, text.strip_prefix("event ").unwrap().parse().unwrap())
    };
    told.into_iter().map(|(name, all)| (name, all.into_iter().map(number).collect())).collect()
}

fn found(source: &Source) -> Vec<String> {
    source.findings(None).iter().map(ToString::to_string).collect()
}

/// The same offsets and numbers.
fn same(numbers: impl Iterator<Item = usize>) -> Vec<(u64, usize)> {
    numbers.map(|n| (n as u64, n)).collect()
}

const MISSING: &str = "; a file is missing, or the topic has no record there (marks of \
                       transactions, what was compacted or deleted), which names of files do not \
                       tell apart";

#[test]
fn files_of_a_topic_make_its_partitions_again() {
    let files = [
        ("t/partition=0/t+0+0000000000", 0..4),
        ("t/partition=0/t+0+0000000004", 4..20),
        ("t/partition=10/t+10+0000000000", 0..7),
        // Folders of time do not count, nor does what lies before what in them.
        ("year=2026/month=02/t+2+0000000010", 10..15),
        ("year=2025/month=12/t+2+0000000015", 15..16),
        ("year=2026/month=01/t+2+0000000000", 0..10),
    ];
    for written in ALL {
        for on in [On::Folder, On::Stream(3), On::Stream(1 << 20)] {
            let columns = Some(vec!["text".to_owned()]);
            let options =
                Options { columns, split_bytes: 10, chunk_bytes: 7, ..options(written.0) };
            let (source, _folder) = place(on, &objects(&files, written), &options);
            let expected = [
                ("0".to_owned(), same(0..20)),
                ("10".to_owned(), same(0..7)),
                ("2".to_owned(), same(0..16)),
            ];
            assert_eq!(told(&source), expected, "{on:?} {}", written.1);
            assert_eq!(found(&source), [""; 0]);
            assert_eq!(source.objects().len(), 6);
        }
    }
}

#[test]
fn what_is_there_twice_counts_once_and_what_is_missing_is_found() {
    let files = [
        ("t+0+0000000005", 5..9),
        ("a/t+0+0000000007", 7..12),
        // Within another one, and all of one, in another folder.
        ("a/t+0+0000000008", 8..10),
        ("b/t+0+0000000007", 7..12),
        ("t+0+0000000012", 12..13),
        ("t+0+0000000020", 20..22),
        ("t+1+0000000000", 0..3),
    ];
    for written in ALL {
        let (source, _folder) = place(On::Folder, &objects(&files, written), &options(written.0));
        let expected =
            [("0".to_owned(), same((5..13).chain(20..22))), ("1".to_owned(), same(0..3))];
        assert_eq!(told(&source), expected);
        let suffix = written.1;
        let twice = |offsets: &str, a: &str, b: &str| {
            format!(
                "offsets {offsets} of partition 0 are in `{a}{suffix}` and `{b}{suffix}`, the \
                     same in both; they count once"
            )
        };
        let expected = [
            format!(
                "offsets 0 to 4 of partition 0 are in no file: `t+0+0000000005{suffix}` is \
                     its first{MISSING}"
            ),
            twice("7 to 8", "t+0+0000000005", "a/t+0+0000000007"),
            twice("7 to 8", "t+0+0000000005", "b/t+0+0000000007"),
            format!(
                "offset 8 of partition 0 is in `t+0+0000000005{suffix}` and \
                     `a/t+0+0000000008{suffix}`, the same in both; it counts once"
            ),
            format!(
                "offset 9 of partition 0 is in `a/t+0+0000000007{suffix}` and \
                     `a/t+0+0000000008{suffix}`, the same in both; it counts once"
            ),
            twice("9 to 11", "a/t+0+0000000007", "b/t+0+0000000007"),
            format!(
                "offsets 13 to 19 of partition 0 are in no file, between \
                     `t+0+0000000012{suffix}` and `t+0+0000000020{suffix}`{MISSING}"
            ),
        ];
        assert_eq!(found(&source), expected);
        // In what was taken: nothing that is only found behind it.
        let reached = |next| [Reached { next, bytes: None }, Reached { next: 0, bytes: None }];
        let count = |next| source.findings(Some(&reached(next))).len();
        assert_eq!([5, 6, 9, 10, 12, 13, 20, 21].map(count), [0, 1, 1, 2, 2, 6, 6, 7]);
        // Where an event is stored that a message is about.
        let word = source.row_word();
        let place = source.place(0, 9).unwrap();
        assert_eq!(place, format!("`log/a/t+0+0000000007{suffix}`, {word} 3"));
        assert_eq!(source.place(0, 15), None);
    }
}

#[test]
fn events_that_differ_at_one_offset_stop_naming_both_files() {
    for (format, suffix, write) in ALL {
        let other = [events(2..4), vec!["another".to_owned()], events(5..6)].concat();
        let objects = vec![
            (format!("t+0+0{suffix}"), write(&events(0..5))),
            (format!("x/t+0+2{suffix}"), write(&other)),
        ];
        let (source, _folder) = place(On::Folder, &objects, &options(format));
        let mut feed = source.read(0, 0).unwrap();
        assert!(next(&mut *feed).unwrap().is_some());
        let error = std::iter::repeat_with(|| next(&mut *feed)).find_map(Result::err).unwrap();
        let word = source.row_word();
        let says = format!(
            "`log/t+0+0{suffix}` ({word} 5) and `log/x/t+0+2{suffix}` ({word} 3) both have offset \
             4 of partition 0, and not the same event: remove the file that is wrong; "
        );
        assert!(error.to_string().starts_with(&says), "{error}");
    }
}

#[test]
fn files_of_several_topics_and_other_names_are_told() {
    let open = |files: &[&str]| {
        let all: super::tests::Objects =
            files.iter().map(|name| ((*name).to_owned(), b"{}\n".to_vec())).collect();
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in all {
            let path = folder.path().join("log").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        Source::open("log/", folder.path(), &options(Format::Json))
    };
    let refused = |files: &[&str]| open(files).map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        refused(&["a/orders+0+0.json", "a/orders-v2+0+0.json"]),
        "`log/` holds several topics: orders, orders-v2; a log is one of them: name its folder, or \
         a pattern that fits its files alone, in `[source] url`"
    );
    assert_eq!(
        refused(&["orders.json", "x.txt"]),
        "no log in `log/`: looked for names that end in `.json`, `.jsonl` or `.ndjson` (also with \
         `.gz` or `.zst`), laid out as \"connect\"; left out: `orders.json` (not named as the \
         layout says), `x.txt` (another suffix)"
    );
    let source = open(&["o+0+0.json", "o+0.json", "o+0+1.txt", "o+0+2", "_SUCCESS"]).unwrap();
    let left: Vec<_> = source.left_out().iter().map(|one| (&*one.path, one.why)).collect();
    let expected = [
        ("_SUCCESS", "begins with `_` or `.`"),
        ("o+0+1.txt", "another suffix"),
        ("o+0.json", "not named as the layout says"),
    ];
    assert_eq!(left, expected);
}

/// An archive of lines on disk, and what was taken of it.
struct Archive(tempfile::TempDir);

impl Archive {
    fn new(files: &Files<'_>) -> Self {
        let archive = Self(tempfile::tempdir().unwrap());
        archive.add(files);
        archive
    }

    fn add(&self, files: &Files<'_>) {
        for (name, bytes) in objects(files, PLAIN) {
            let path = self.0.path().join("log").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    fn open(&self) -> Source {
        Source::open("log/", self.0.path(), &options(Format::Json)).unwrap()
    }

    /// The offsets of the first partition that a log gives, or why it does not.
    fn offsets(log: &dyn Log) -> Result<Vec<u64>, String> {
        let mut all = Vec::new();
        for part in 0..log.parts().len() {
            let mut feed = log.read(part, 0).map_err(|e| e.to_string())?;
            loop {
                let polled = feed.poll(&mut Context::from_waker(Waker::noop()));
                let Poll::Ready(piece) = polled else { panic!("files do not block") };
                let Some(piece) = piece.map_err(|e| e.to_string())? else { break };
                let offsets = piece.offsets.unwrap();
                all.extend((0..piece.slab.len()).map(|row| offsets.at(row)));
            }
        }
        Ok(all)
    }

    /// Reads it and takes it up to `next`; the receipts.
    fn taken(&self, next: u64) -> Vec<Receipt> {
        let source = self.open();
        Self::offsets(&source).unwrap();
        source.receipts(&[Reached { next, bytes: None }], 1).unwrap()
    }

    /// Goes on behind what was taken up to `next`: what is given, or in what the log has changed.
    fn behind(&self, next: u64, receipts: &[Receipt]) -> Result<Vec<u64>, String> {
        let source = self.open();
        let present = source.present(receipts, false, 1).unwrap().unwrap();
        let reached = [Position { partition: "0".into(), offset: next }];
        let fit = fit(Order::Log, &reached, receipts, &present);
        if let Some(change) = fit.changes.first() {
            return Err(change.to_string());
        }
        Self::offsets(source.behind(receipts).unwrap().as_ref())
    }
}

#[test]
fn whoever_goes_on_takes_new_files_and_what_they_have_again_once() {
    let archive = Archive::new(&[("t+0+0", 0..4), ("t+0+4", 4..8)]);
    let receipts = archive.taken(8);
    let told = |r: &Receipt| (r.object.clone(), r.starts, r.next, r.took);
    assert_eq!(
        receipts.iter().map(told).collect::<Vec<_>>(),
        [
            ("t+0+0.json".to_owned(), Some(0), 4, Took::Whole),
            ("t+0+4.json".to_owned(), Some(4), 8, Took::Whole)
        ]
    );
    assert_eq!(archive.behind(8, &receipts).unwrap(), [0; 0]);
    // A sink that was restarted wrote 6 and 7 again; and files further on.
    archive.add(&[("x/t+0+6", 6..10), ("x/t+0+10", 10..12), ("x/t+0+14", 14..15)]);
    assert_eq!(archive.behind(8, &receipts).unwrap(), [8, 9, 10, 11, 14]);
    // A file grew.
    archive.add(&[("t+0+4", 4..9)]);
    assert_eq!(archive.behind(8, &receipts).unwrap(), [8, 9, 10, 11, 14]);
    // In the middle of a file: what is left of it, whatever is known of where that begins.
    let receipts = archive.taken(6);
    assert_eq!(receipts.iter().map(|r| r.next).collect::<Vec<_>>(), [4, 6]);
    assert_eq!(receipts[1].took, Took::Some);
    let rest = archive.behind(6, &receipts).unwrap();
    assert_eq!(rest, [4, 5, 6, 7, 8, 9, 10, 11, 14], "what was taken is passed over by who reads");
}

#[test]
fn what_comes_too_late_or_is_gone_is_a_changed_log() {
    let files = [("t+0+0", 0..4), ("t+0+6", 6..8)];
    let archive = Archive::new(&files);
    let receipts = archive.taken(8);
    archive.add(&[("t+0+4", 4..6)]);
    assert_eq!(
        archive.behind(8, &receipts).unwrap_err(),
        "`t+0+4.json` (partition 0, taken up to offset 8) is new, and its events from offset 4 on \
         were in no file when the partition was taken"
    );
    // It begins with what was taken, and has what is missing too.
    let archive = Archive::new(&files);
    archive.add(&[("t+0+2", 2..6)]);
    let error = archive.behind(8, &receipts).unwrap_err();
    assert!(
        error.starts_with("`log/t+0+2.json` has offset 4 of partition 0, which was in no file")
    );
    // What it has again is something else.
    let archive = Archive::new(&files);
    archive.add(&[("t+0+7", 6..9)]);
    let error = archive.behind(8, &receipts).unwrap_err();
    assert!(error.contains("both have offset 7 of partition 0"), "{error}");
    let archive = Archive::new(&files[..1]);
    let error = archive.behind(8, &receipts).unwrap_err();
    assert_eq!(error, "`t+0+6.json` (partition 0, taken up to offset 8) is gone");
}

/// Files that begin anywhere and have some events, those of a later day in folders of their own.
fn some_files(day: &'static str) -> impl Strategy<Value = Vec<(String, Range<usize>)>> {
    let file = (0..40_usize, 1..12_usize, 0..3_u8);
    proptest::collection::vec(file, 1..7).prop_map(move |files| {
        let named =
            |(from, events, folder)| (format!("{day}{folder}/t+0+{from}"), from..from + events);
        files.into_iter().map(named).collect()
    })
}

fn refs(files: &[(String, Range<usize>)]) -> Vec<(&str, Range<usize>)> {
    files.iter().map(|(name, own)| (name.as_str(), own.clone())).collect()
}

/// Offsets that files have, each once.
fn all_of(files: &[(String, Range<usize>)], archive: &Archive) -> BTreeSet<u64> {
    // Of two files of one name the later one stands.
    let stands = |(name, own): &(String, Range<usize>)| {
        let bytes = std::fs::read(archive.0.path().join(format!("log/{name}.json"))).unwrap();
        (own.start as u64..).take(bytes.iter().filter(|byte| **byte == b'\n').count())
    };
    files.iter().flat_map(stands).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever files there are, each offset is given once, in order, and all that is missing is
    /// found.
    #[test]
    fn any_files_give_what_they_have_once(files in some_files("a")) {
        let archive = Archive::new(&refs(&files));
        let source = archive.open();
        let expected: Vec<u64> = all_of(&files, &archive).into_iter().collect();
        prop_assert_eq!(&Archive::offsets(&source).unwrap(), &expected);
        let missing = source.findings(None).into_iter().filter(|one| one.what == Found::Missing);
        let missing: BTreeSet<u64> = missing.flat_map(|one| one.first..=one.last).collect();
        let last = expected[expected.len() - 1];
        let lacks: BTreeSet<u64> = (0..last).filter(|at| !expected.contains(at)).collect();
        prop_assert_eq!(missing, lacks);
        conformance::check(&source, &Cancel::default()).unwrap();
    }

    /// Whoever goes on behind any place gets all that lies behind it, once; or is told that
    /// something new lies in front of it, and only then.
    #[test]
    fn whoever_goes_on_misses_nothing(
        before in some_files("a"),
        later in some_files("b"),
        at in 0..60_usize,
    ) {
        let archive = Archive::new(&refs(&before));
        let had = all_of(&before, &archive);
        let next = had.iter().nth(at % had.len()).unwrap() + 1;
        let receipts = archive.taken(next);
        archive.add(&refs(&later));
        let has: BTreeSet<u64> = &all_of(&later, &archive) | &had;
        let is_late = has.range(..next).any(|offset| !had.contains(offset));
        match archive.behind(next, &receipts) {
            Ok(given) => {
                prop_assert!(!is_late, "{next}");
                let given: Vec<u64> = given.into_iter().filter(|offset| *offset >= next).collect();
                let expected: Vec<u64> = has.range(next..).copied().collect();
                prop_assert_eq!(given, expected);
            }
            Err(told) => prop_assert!(is_late, "{next}: {told}"),
        }
    }
}
