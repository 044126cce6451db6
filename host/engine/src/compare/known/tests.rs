//! Known results in all formats: what agrees, what does not, and files that are no use.

use super::*;
use crate::compare::tests::{many, wrapped};
use crate::rundir::sample::{Sample, sample};
use retally_compare::model::{FieldDifference, Verdict};
use retally_compare::sink::NoSink;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A run of 100 keys, `k00000000` with net 0.00, and so on, and files beside it.
struct Run {
    folder: TempDir,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = many(100, i64::from);
        made.write(&folder.path().join("run"), made.outcomes(), 0);
        Self { folder }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn view(&self, name: &str, text: &str) -> Result<Comparison, CompareError> {
        fs::write(self.path(name), text).unwrap();
        self.compare(KnownFiles { view: Some(self.path(name)), ..KnownFiles::default() })
    }

    fn compare(&self, files: KnownFiles) -> Result<Comparison, CompareError> {
        known(self.path("run"), &files, &CompareOptions::default(), &mut NoSink)
    }

    /// The view against a CSV, amounts within `tolerance` of each other being equal.
    fn near(&self, text: &str, tolerance: &str) -> Result<Comparison, CompareError> {
        fs::write(self.path("near.csv"), text).unwrap();
        let files = KnownFiles { view: Some(self.path("near.csv")), ..KnownFiles::default() };
        let mut options = CompareOptions::default();
        options.options.tolerances.insert("net".into(), tolerance.into());
        known(self.path("run"), &files, &options, &mut NoSink)
    }

    fn told(&self, name: &str, text: &str) -> String {
        let told = self.view(name, text).unwrap_err().to_string();
        told.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn net(key: u32) -> String {
    format!("{}.{:02}", key / 100, key % 100)
}

fn csv(keys: impl Iterator<Item = u32>) -> String {
    let mut text = "net,key\n".to_owned();
    keys.for_each(|key| _ = writeln!(text, "{},k{key:08}", net(key)));
    text
}

#[test]
fn the_same_results_agree_in_every_format() {
    let run = Run::new();
    // In any order.
    let found = run.view("known.csv", &csv((0..100).rev())).unwrap();
    assert_eq!((found.verdict, found.keys.equal), (Verdict::Same, 100));
    assert_eq!(found.fields.len(), 1);
    assert_eq!((found.fields[0].compared, found.fields[0].differ), (100, 0));
    assert_eq!(found.b.known[0].rows, 100);
    let mut lines = String::new();
    for key in 0..100 {
        // As a number or as a text, as in events.
        let net = if key % 2 == 0 { net(key) } else { format!("\"{}\"", net(key)) };
        let _ =
            writeln!(lines, "{{\"key\": \"k{key:08}\", \"net\": {net}, \"currency\": \"EUR\"}}");
    }
    assert_eq!(run.view("known.jsonl", &lines).unwrap().verdict, Verdict::Same);
    // The run's own table is a file of known results.
    let own = KnownFiles { view: Some(run.path("run/view.parquet")), ..KnownFiles::default() };
    let found = run.compare(own).unwrap();
    assert_eq!((found.verdict, found.fields.len()), (Verdict::Same, 2));
    assert!(found.read.checked);
}

#[test]
fn missing_extra_and_different_are_told_apart() {
    let run = Run::new();
    let text = csv((1..101).map(|key| if key == 7 { 7 } else { key })).replace("0.07,", "0.09,");
    let found = run.view("known.csv", &text).unwrap();
    let sets = found.keys;
    assert_eq!((sets.only_a, sets.only_b, sets.different, sets.equal), (1, 1, 1, 98));
    let FieldDifference { compared, differ, numeric, .. } = &found.fields[0];
    assert_eq!((*compared, *differ), (99, 1));
    assert_eq!(numeric.as_ref().unwrap().sum, "0.02");
    assert_eq!(found.worst.keys.len(), 3);
    assert_eq!(found.notes, []);
}

#[test]
fn under_a_tolerance_known_amounts_may_have_more_digits() {
    let run = Run::new();
    let text = csv(0..100).replace("0.07,", "0.0749,").replace("0.09,", "0.095000000001,");
    let found = run.near(&text, "0.005").unwrap();
    assert_eq!((found.keys.equal, found.keys.different), (99, 1));
    let tolerated = found.fields[0].tolerated.as_ref().unwrap();
    assert_eq!((tolerated.values, tolerated.sum.as_str()), (1, "0.004900000000"));
    assert_eq!(found.fields[0].numeric.as_ref().unwrap().sum, "0.005000000001");
    assert_eq!(found.totals[0].tolerated.as_deref(), Some("0.004900000000"));
    // More digits than fit beside what is large are refused, and nothing is rounded.
    let text = csv(0..100).replace("0.07,", "123456789.07,").replace("0.09,", "0.090000000001,");
    let told = run.near(&text, "0.005").unwrap_err().to_string();
    let expected = "line 9: `net` is \"123456789.07\", which is no decimal(12) (field-range); \
                    another value of the column has so many digits after the point: write fewer";
    assert!(told.ends_with(expected), "{told}");
}

#[test]
fn files_that_are_no_use_say_what_is_wrong_and_where() {
    let run = Run::new();
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "key,nett\nk,1\n")), @"
    a.csv has a column `nett`, which is no field of the view; is it `net`?
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "key,tier\nk,1\n")), @"
    a.csv has a column `tier`, which is no field of the view; there are `currency`,
    `net`
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "id,net\nk,1\n")), @"
    a.csv has no column `key`; its columns are `id`, `net`
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "key,net,net\nk,1,1\n")), @"
    a.csv has two columns called `net`
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "key,net\nk,1\nl,2\nk,3\n")), @r#"
    a.csv has key "k" twice: in line 2 and in line 4
    "#);
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "key,net\nk,1.005\n")), @r#"
    a.csv line 2: `net` is "1.005", which is no decimal(2) (field-scale); with
    --tolerance net=NUMBER it is compared as it is
    "#);
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "key,net\nk,1\nl\n")), @"
    a.csv line 3: 1 cell where the header names 2
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "key,net\n,1\n")), @"
    a.csv line 2: there is no key (CSV cannot tell an empty one from none; JSON lines
    can)
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.jsonl", "{\"key\":\"k\"}\n\n[1]\n")), @"
    a.jsonl line 3: no JSON object that is whole on its line: invalid type: sequence,
    expected an object at character 0
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.parquet", "PAR1")), @"
    a.parquet is no Parquet file: EOF: Parquet file too small. Size is 4 but need 8
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.txt", "")), @"
    a.txt is of no known format: name it .csv, .jsonl (JSON lines) or .parquet
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "key,net\n")), @"
    these are not compared: a.csv holds no row; --force goes on all the same, and the
    report says so
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "key,net\nx,1\n")), @"
    these are not compared: they have no key in common; --force goes on all the same,
    and the report says so
    ");
    let crlf = run.told("a.csv", "key,net\r\nk,1\r\n\r\n\"l\nm\",2\r\nk,3\r\n");
    assert_eq!(crlf, "a.csv has key \"k\" twice: in line 2 and in line 6");
    let gone = KnownFiles { view: Some(run.path("gone.csv")), ..KnownFiles::default() };
    assert!(run.compare(gone).unwrap_err().to_string().contains("gone.csv cannot be read: "));
}

/// The records of kind `flag` as a CSV of event id and count.
/// Neither waits for a file that it cannot use, nor fills the memory with one that is too long.
#[test]
fn a_file_of_no_known_format_or_too_long_is_refused_unread() {
    let run = Run::new();
    for (name, says) in [("log.txt", "is of no known format"), ("log.csv", "is longer than the")] {
        let sparse = fs::File::create(run.path(name)).unwrap();
        sparse.set_len(crate::limits::KNOWN_MAX_BYTES + 1).unwrap();
        let files = KnownFiles { view: Some(run.path(name)), ..KnownFiles::default() };
        let told = run.compare(files).unwrap_err().to_string();
        assert!(told.contains(says), "{told}");
    }
    assert_eq!(crate::limits::KNOWN_MAX_BYTES, 1 << 30);
}

fn published(run: &Path) -> Vec<String> {
    let reader = RunReader::open(run).unwrap();
    let mut lines = Vec::new();
    for batch in reader.rows(crate::rundir::Table::Emits(1), &crate::rundir::Keys::All).unwrap() {
        let batch = batch.unwrap();
        let columns = reader.columns(crate::rundir::Table::Emits(1), &batch).unwrap();
        let text = |name: &str, row: usize| {
            let named = columns.iter().find(|named| named.name == name).unwrap();
            let value = named.column.get(row);
            value.map(|value| retally_core::schema::display(value, named.kind)).unwrap_or_default()
        };
        for row in 0..batch.len() {
            let cells = ["partition", "offset", "count", "on"].map(|name| text(name, row));
            lines.push(cells.join(","));
        }
    }
    lines
}

#[test]
fn what_was_published_is_compared_record_by_record() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("run");
    whole(7).write(&dir, whole(7).outcomes(), 0);
    let compare = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let files =
            KnownFiles { view: None, emits: vec![("flag".into(), path)], ..KnownFiles::default() };
        known(&dir, &files, &CompareOptions::default(), &mut NoSink).unwrap()
    };
    let own = fs::read(dir.join("emits/flag/00000.parquet")).unwrap();
    let found = compare("own.parquet", own);
    assert_eq!(found.verdict, Verdict::Same);
    let flag = &found.emits[1];
    assert_eq!((flag.fields.len(), flag.records.unwrap().differing()), (6, 0));
    assert_eq!(found.emits[0].records, None, "what was not given was not compared");

    let mut lines = published(&dir);
    let all = lines.len() as u64;
    let twice = lines[4].clone();
    lines.push(twice);
    lines.push("a/1,999999,1,true".to_owned());
    lines.push("A/1.jsonl,0,1,true".to_owned());
    lines.remove(2);
    lines[0] = match lines[0].strip_suffix(",true") {
        Some(rest) => format!("{rest},false"),
        None => lines[0].replace(",false", ",true"),
    };
    let text = format!("partition,offset,count,on\n{}\n", lines.join("\n"));
    let found = compare("some.csv", text.into_bytes());
    let flag = &found.emits[1];
    let records = flag.records.unwrap();
    assert_eq!((records.only_a, records.only_b, records.different), (1, 2, 1));
    let told =
        "some.csv has records (1) of partitions that the run does not have (\"A/1.jsonl\"): it";
    assert!(found.notes.iter().any(|note| note.text.starts_with(told)), "{:?}", found.notes);
    assert_eq!((records.of_a(), flag.doubled), (all, 1));
    assert_eq!(found.verdict, Verdict::Different);
    let on = flag.fields.iter().find(|field| field.name == "on").unwrap();
    assert_eq!((on.compared, on.differ), (all - 1, 1));
}

#[test]
fn a_file_says_each_thing_once_and_whole() {
    let run = Run::new();
    let line = "{\"key\":\"k00000001\",\"net\":\"0.02\",\"net\":\"0.01\"}\n";
    insta::assert_snapshot!(wrapped(&run.told("a.jsonl", line)), @"
    a.jsonl line 1: no JSON object that is whole on its line: `net` stands twice at
    character 45
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.jsonl", "{\"key\":1.0,\"net\":\"0.02\"}")), @"
    a.jsonl line 1: `key` is 1.0; a key is a text, a whole number, or a list of these
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.jsonl", "")), @"
    a.jsonl is empty
    ");
    insta::assert_snapshot!(wrapped(&run.told("a.csv", "key;net\nk;1\n")), @"
    a.csv has no column `key`; its columns are `key;net`; if that divides its cells,
    write --known-separator ';'
    ");
    fs::write(run.path("a.csv"), b"key,net\r\nk,1\r\n\xe4,1\r\n").unwrap();
    let files = KnownFiles { view: Some(run.path("a.csv")), ..KnownFiles::default() };
    let told = run.compare(files).unwrap_err().to_string();
    assert!(told.ends_with("a.csv line 3: that is no UTF-8; save the file as UTF-8"), "{told}");
    // What spreadsheets put in front is no part of the first name.
    let text = format!("\u{feff}{}", csv(0..100));
    assert_eq!(run.view("known.csv", &text).unwrap().verdict, Verdict::Same);
    let lines: String =
        (0..100).map(|key| format!("{{\"key\":\"k{key:08}\",\"net\":{}}}\n", net(key))).collect();
    let lines = format!("\u{feff}{lines}");
    assert_eq!(run.view("known.jsonl", &lines).unwrap().verdict, Verdict::Same);
}

#[test]
fn known_emits_of_nothing_that_the_run_has_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("run");
    whole(7).write(&dir, whole(7).outcomes(), 0);
    let compare = |text: &str, force| {
        fs::write(folder.path().join("e.csv"), text).unwrap();
        let emits = vec![("flag".into(), folder.path().join("e.csv"))];
        let options = CompareOptions { force, ..CompareOptions::default() };
        known(&dir, &KnownFiles { emits, ..KnownFiles::default() }, &options, &mut NoSink)
    };
    let told = |text: &str| {
        let told = compare(text, false).unwrap_err().to_string();
        wrapped(&told.replace(&format!("{}/", folder.path().display()), ""))
    };
    insta::assert_snapshot!(told("partition,offset,on\n"), @"
    these are not compared: e.csv holds no row; --force goes on all the same, and the
    report says so
    ");
    let nowhere = told("partition,offset,on\nnowhere,1,true\n").replace('\n', " ");
    let expected = "no record of e.csv is of an event with emits of `flag`: e.csv has records (1) \
                    of partitions that the run does not have (\"nowhere\"): it has \"a/1\"";
    assert!(nowhere.contains(expected), "{nowhere}");
    assert!(nowhere.contains("each called by the path of its file, with or without the suffix;"));
    insta::assert_snapshot!(told("partition,offset,on\na/1,1.0,true\n"), @r#"
    e.csv line 2: `offset` is "1.0", which is no number of an event
    "#);
    let forced = compare("partition,offset,on\nnowhere,1,true\n", true).unwrap();
    assert_eq!(forced.verdict, Verdict::Different);
    assert!(forced.notes.iter().any(|note| note.code == NoteCode::Forced));

    // Emits are held against the digest of the outcomes.
    let other = folder.path().join("other");
    whole(8).write(&other, whole(8).outcomes(), 0);
    let of = |dir: &Path| dir.join("emits/flag/00000.parquet");
    fs::copy(of(&other), of(&dir)).unwrap();
    let told = compare("partition,offset,on\na/1,1,true\n", false).unwrap_err();
    assert!(matches!(told, CompareError::RunDir(_)), "{told}");
}

#[test]
fn known_emits_must_be_of_a_kind_and_of_events() {
    let run = Run::new();
    let told = |kind: &str, text: &str| {
        fs::write(run.path("e.csv"), text).unwrap();
        let files = KnownFiles {
            view: None,
            emits: vec![(kind.into(), run.path("e.csv"))],
            ..KnownFiles::default()
        };
        let told = run.compare(files).unwrap_err().to_string();
        told.replace(&format!("{}/", run.folder.path().display()), "")
    };
    insta::assert_snapshot!(wrapped(&told("flags", "event_id\n")), @"
    e.csv is for emit kind `flags`, which the run does not have; there are `balance`,
    `flag`, `never`
    ");
    insta::assert_snapshot!(wrapped(&told("flag", "id,on\n1,true\n")), @"
    e.csv has neither a column `event_id` nor `partition` and `offset`, so its records
    are of no event; its columns are `id`, `on`
    ");
    insta::assert_snapshot!(wrapped(&told("flag", "event_id,off\n1,true\n")), @"
    e.csv has a column `off`, which is no field of emit kind `flag`; is it `on`?
    ");
    insta::assert_snapshot!(wrapped(&told("flag", "event_id,on\n1,yes\n")), @r#"
    e.csv line 2: `on` is "yes", which is no boolean (field-kind)
    "#);
}

/// A run of a whole log.
fn whole(seed: u64) -> Sample {
    sample(seed).whole()
}
