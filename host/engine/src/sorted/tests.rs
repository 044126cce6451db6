//! A sorted log is held to the promises of a log, and its events to the order that they should
//! have, whatever lies in which file and however little memory may hold.

use super::*;
use crate::Cancel;
use crate::log::conformance::{Told, check};
use crate::log::{MemoryLog, MemoryPartition};
use arrow_array::{ArrayRef, Int64Array, StringArray};
use proptest::prelude::*;
use retally_core::decode::Address;

/// Second and sequence number of an event; or no event.
type Made = Option<(Option<u8>, Option<i16>)>;

fn line(number: usize, made: &Made) -> String {
    let Some((second, seq)) = made else { return format!("no event {number}\n") };
    let time = second.map(|s| format!("\"t\":\"2026-01-01T00:00:{s:02}Z\",")).unwrap_or_default();
    let seq = seq.map(|seq| format!("\"seq\":{seq},")).unwrap_or_default();
    format!("{{{time}{seq}\"n\":{number}}}\n")
}

fn how(by: &[&str], within: Option<&str>, bytes: usize, dir: &tempfile::TempDir) -> How {
    let by = by.iter().map(|term| (*term).to_owned()).collect();
    let time = Address::Path("/t".to_owned());
    let addressing = Addressing { time, ..Addressing::default() };
    How {
        sort: Sort { by, within: within.map(str::to_owned) },
        plan: Arc::new(Plan::new(&[], &addressing).unwrap()),
        addressing,
        bytes,
        dir: Some(dir.path().to_owned()),
    }
}

fn told(log: MemoryLog, how: How) -> Told {
    check(&SortedLog::new(Arc::new(log), how).unwrap(), &Cancel::default()).unwrap()
}

/// The events of partitions, in each of these folders by the rule as it is written.
fn model(files: &[(String, Vec<Made>)]) -> Told {
    let mut files = files.to_vec();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let mut folders = BTreeMap::<String, Vec<_>>::new();
    for (name, events) in &files {
        let own = folders.entry(name.split('/').next().unwrap().to_owned()).or_default();
        for (number, made) in events.iter().enumerate() {
            own.push((made.unwrap_or_default(), name, number, line(number, made)));
        }
    }
    let ranked = |mut own: Vec<(_, _, _, String)>| {
        own.sort();
        let bytes = own.into_iter().map(|(.., line)| line.trim_end().as_bytes().to_vec());
        (0..).zip(bytes).collect()
    };
    folders.into_iter().map(|(name, own)| (name, ranked(own))).collect()
}

fn files() -> impl Strategy<Value = Vec<(String, Vec<Made>)>> {
    let event = prop::option::weighted(
        0.95,
        (prop::option::weighted(0.9, 0..20u8), prop::option::weighted(0.9, -3..30i16)),
    );
    let file = (1..4u8, prop::collection::vec(event, 0..30));
    prop::collection::vec(file, 1..6).prop_map(|files| {
        let named = files.into_iter().enumerate();
        named.map(|(n, (day, events))| (format!("dt=2026-01-0{day}/part-{n}"), events)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn events_come_in_order_whatever_memory_may_hold(
        files in files(),
        bytes in prop::sample::select(vec![0, 8 << 10, 1 << 30]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let partition = |(name, events): &(String, Vec<Made>)| {
            let text: String = events.iter().enumerate().map(|(n, made)| line(n, made)).collect();
            // The last line of a file needs no end.
            MemoryPartition::lines(name, text.trim_end().to_owned())
        };
        let log = MemoryLog::new(files.iter().map(partition).collect()).unwrap();
        let told = told(log, how(&["time", "/seq"], Some("dt={date}"), bytes, &dir));
        prop_assert_eq!(told, model(&files));
    }
}

/// Rows of one column or of two.
fn rows(ids: &[i64], is_wide: bool) -> RecordBatch {
    let id: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    let mut columns = vec![("seq", id)];
    if is_wide {
        let texts = StringArray::from_iter_values(ids.iter().map(|id| format!("text {id}")));
        columns.push(("more", Arc::new(texts)));
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn many_runs_of_rows_with_other_columns_are_merged() {
    let dir = tempfile::tempdir().unwrap();
    let ids: Vec<i64> = (0..1_500).map(|n| n * 7_919 % 1_500).collect();
    // Every batch becomes a run: more than are merged at one time.
    let of = |share: usize, is_wide: bool| {
        let own: Vec<i64> = ids.iter().copied().skip(share).step_by(3).collect();
        own.chunks(5).map(|ids| rows(ids, is_wide)).collect::<Vec<_>>()
    };
    let log = || {
        MemoryLog::new(vec![
            MemoryPartition::rows("a", of(0, false)),
            MemoryPartition::rows("b", of(1, true)),
            MemoryPartition::rows("c", of(2, false))
                .at((0..500).map(|n| n * 2).collect::<Vec<_>>()),
        ])
        .unwrap()
    };
    let held = told(log(), how(&["seq"], None, 1 << 30, &dir));
    assert_eq!(held["log"].len(), 1_500);
    for (rank, (offset, bytes)) in held["log"].iter().enumerate() {
        assert_eq!(*offset, rank as u64);
        let begin = format!("{{\"seq\":{rank}");
        assert!(bytes.starts_with(begin.as_bytes()), "{rank}");
    }
    assert_eq!(told(log(), how(&["seq"], None, 0, &dir)), held);
}

#[test]
fn what_cannot_be_sorted_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = || {
        let names = ["dt=2026-01-01/a", "dt=today/b", "c"];
        let own = names.map(|name| MemoryPartition::lines(name, "{\"t\":1}\n"));
        Arc::new(MemoryLog::new(own.to_vec()).unwrap())
    };
    let error = SortedLog::new(log(), how(&["time"], Some("dt={date}"), 0, &dir)).err().unwrap();
    insta::assert_snapshot!(error);
    assert!(error.is_usage());
    let nowhere = How { dir: None, ..how(&["time"], None, 0, &dir) };
    let error = check(&SortedLog::new(log(), nowhere).unwrap(), &Cancel::default()).unwrap_err();
    insta::assert_snapshot!(error);
    let file = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
    let no_folder = How { dir: Some(file.path().to_owned()), ..how(&["time"], None, 0, &dir) };
    let error = check(&SortedLog::new(log(), no_folder).unwrap(), &Cancel::default()).unwrap_err();
    assert!(error.to_string().contains("--spill"), "{error}");
}

#[test]
fn where_an_event_came_from_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let lines = |name, seqs: [u8; 2]| {
        let text: String = seqs.iter().map(|seq| format!("{{\"seq\":{seq}}}\n")).collect();
        MemoryPartition::lines(name, text)
    };
    let log = MemoryLog::new(vec![lines("a", [3, 1]), lines("b", [2, 4])]).unwrap();
    let log = SortedLog::new(Arc::new(log), how(&["/seq"], None, 0, &dir)).unwrap();
    assert_eq!(log.place(0, 0), None);
    check(&log, &Cancel::default()).unwrap();
    let all: Vec<String> = (0..4).filter_map(|rank| log.place(0, rank)).collect();
    assert_eq!(
        all,
        ["a:1", "b:0", "a:0", "b:1"].map(|at| {
            let (name, offset) = at.split_once(':').unwrap();
            format!("`{name}`, event {offset} of it")
        })
    );
}
